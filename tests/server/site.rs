//! The page, `/healthz`, and the upgrade to a WebSocket.

use frostmesh::server::{Config, Limits, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::client::{Running, in_time};

/// Sends a request and returns the whole answer. Header names are in lower case.
async fn http(server: &Running, request: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    in_time("the answer", stream.read_to_end(&mut answer)).await.unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(answer[..end + 2].to_vec()).unwrap().to_ascii_lowercase();
    (head, answer[end + 4..].to_vec())
}

async fn get(server: &Running, path: &str) -> (String, Vec<u8>) {
    http(server, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
        .await
}

#[tokio::test]
async fn healthz_says_ok() {
    let server = Running::start().await;
    let (head, body) = get(&server, "/healthz").await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert_eq!(body, b"ok");
}

#[tokio::test]
async fn the_page_is_served_with_its_types_and_a_strict_policy() {
    let folder = tempfile::tempdir().unwrap();
    let www = folder.path().join("www");
    std::fs::create_dir_all(www.join("pkg")).unwrap();
    std::fs::write(www.join("index.html"), "<!doctype html>the page").unwrap();
    std::fs::write(www.join("app.js"), "export {};").unwrap();
    std::fs::write(www.join("app.css"), "p {}").unwrap();
    std::fs::write(www.join("pkg/node.wasm"), b"\0asm").unwrap();
    std::fs::write(folder.path().join("secret"), "secret").unwrap();
    let server = Running::with_page(Limits::default(), Some(www)).await;

    for (path, kind, content) in [
        ("/", "text/html", &b"<!doctype html>the page"[..]),
        ("/index.html", "text/html", b"<!doctype html>the page"),
        ("/app.js", "text/javascript", b"export {};"),
        ("/app.css", "text/css", b"p {}"),
        ("/pkg/node.wasm", "application/wasm", b"\0asm"),
    ] {
        let (head, body) = get(&server, path).await;
        assert!(head.starts_with("http/1.1 200 "), "{path}: {head}");
        assert!(head.contains(&format!("\r\ncontent-type: {kind}")), "{path}: {head}");
        assert!(head.contains("\r\ncache-control: no-cache\r\n"), "{path}: {head}");
        assert!(head.contains("\r\nx-content-type-options: nosniff\r\n"), "{path}: {head}");
        assert!(
            head.contains(
                "\r\ncontent-security-policy: default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; \
                 style-src 'self'; img-src 'self' data:; connect-src 'self' ws: wss:; base-uri 'none'; \
                 form-action 'none'; frame-ancestors 'none'\r\n"
            ),
            "{path}: {head}"
        );
        assert_eq!(body, content, "{path}");
    }
    for outside in
        ["/../secret", "/%2e%2e/secret", "/pkg/..%2f..%2fsecret", "//secret", "/nothing", "/pkg"]
    {
        let (head, body) = get(&server, outside).await;
        assert!(!head.starts_with("http/1.1 200 "), "{outside}: {head}");
        assert!(!body.windows(6).any(|six| six == b"secret"), "{outside}");
    }
    let (head, _) = http(
        &server,
        "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    )
    .await;
    assert!(head.starts_with("http/1.1 405 "), "{head}");
    assert_eq!(
        server.client().await.list().await,
        [""; 0],
        "and the server serves nodes beside it"
    );
}

#[tokio::test]
async fn without_a_page_a_short_one_says_what_this_is() {
    let server = Running::start().await;
    let (head, body) = get(&server, "/").await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert!(head.contains("\r\ncontent-type: text/html; charset=utf-8\r\n"), "{head}");
    assert!(head.contains("\r\ncontent-security-policy: default-src 'none';"), "{head}");
    assert!(String::from_utf8(body).unwrap().contains("signaling server"));
    let (head, _) = get(&server, "/other").await;
    assert!(head.starts_with("http/1.1 404 "), "{head}");
}

#[tokio::test]
async fn nodes_connect_at_the_root_and_at_ws() {
    let server = Running::start().await;
    for path in ["", "/", "/ws", "/?x=1", "/ws?x=1"] {
        let url = format!("ws://{}{path}", server.address);
        in_time("the upgrade", tokio_tungstenite::connect_async(url)).await.unwrap();
    }
    let elsewhere = format!("ws://{}/else", server.address);
    in_time("the answer", tokio_tungstenite::connect_async(elsewhere)).await.unwrap_err();
}

#[tokio::test]
async fn an_upgrade_that_is_none_is_told_what_is_wanted() {
    let server = Running::start().await;
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    for request in [
        "GET /ws HTTP/1.1\r\n".to_owned(),
        format!("GET /ws HTTP/1.1\r\n{upgrade}{key}"),
        format!("GET /ws HTTP/1.1\r\n{upgrade}{key}Sec-WebSocket-Version: 12\r\n"),
        format!(
            "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n{key}Sec-WebSocket-Version: 13\r\n"
        ),
        format!("GET / HTTP/1.1\r\n{upgrade}Sec-WebSocket-Version: 13\r\n"),
        format!(
            "GET / HTTP/1.1\r\n{upgrade}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n"
        ),
        format!("POST / HTTP/1.1\r\n{upgrade}{key}Sec-WebSocket-Version: 13\r\n"),
    ] {
        // The second `Connection` field counts as one list with the first.
        let (head, body) =
            http(&server, &format!("{request}Host: localhost\r\nConnection: close\r\n\r\n")).await;
        assert!(head.starts_with("http/1.1 426 "), "{request}: {head}");
        assert!(head.contains("\r\nsec-websocket-version: 13\r\n"), "{request}: {head}");
        assert!(!body.is_empty(), "{request}: says what is wanted");
    }
}

#[tokio::test]
async fn what_can_not_be_served_is_told_when_binding() {
    let config =
        Config { listen: ([127, 0, 0, 1], 0).into(), www: None, limits: Limits::default() };
    let no_page = Config { www: Some("no such folder".into()), ..config.clone() };
    let error = Server::bind(no_page).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    assert!(error.to_string().contains("no such folder"), "{error}");

    let first = Server::bind(config.clone()).await.unwrap();
    let error = Server::bind(Config { listen: first.local_addr(), ..config }).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
}
