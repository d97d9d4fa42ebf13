//! The server over HTTP: the page, `/healthz`, and the upgrade to a WebSocket at `/` and `/ws`.
//!
//! The upgrade is done here and not by axum's extractor, so that the connection keeps its bare TCP
//! socket and none of the buffers of HTTP (8 KiB each way).

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode, Version};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{any, get};
use hyper::server::conn::http1;
use hyper::upgrade::{OnUpgrade, Parts};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tower_http::services::ServeDir;

use super::connection::Connection;
use super::lobby::Seat;
use super::shared::Shared;

/// Only the page's own files run. They may connect to any WebSocket server, since the person
/// chooses one, and load nothing from elsewhere.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
     img-src 'self' data:; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Served when no folder with the page is configured.
const NO_PAGE: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<title>frostmesh signaling server</title>
<h1>frostmesh signaling server</h1>
<p>The server is running. Nodes connect to this address, or to its path <code>/ws</code>, with a WebSocket.</p>
<p>The node that runs in a page is not served here. Build it as the README says, and start the server with its folder:
<code>frostmesh serve --help</code> names the option.</p>
</html>
";

/// Largest request head, in bytes: the smallest limit that hyper accepts.
const MAX_HEAD: usize = 8 * 1024;

#[derive(Clone)]
struct Site {
    shared: Arc<Shared>,
    www: Option<ServeDir>,
}

/// The routes.
pub(super) fn router(shared: Arc<Shared>, www: Option<PathBuf>) -> Router {
    Router::new()
        .route("/", any(root))
        .route("/ws", get(upgrade))
        .route("/healthz", get(|| async { "ok" }))
        .fallback(page)
        .with_state(Site { shared, www: www.map(ServeDir::new) })
}

/// Serves HTTP on a new connection until it is upgraded, closed, evicted, or too slow.
pub(super) async fn serve(shared: Arc<Shared>, router: Router, stream: TcpStream, mut seat: Seat) {
    let eviction = seat.eviction();
    let work = async {
        let deadline = Instant::now() + shared.limits.request_timeout;
        // hyper allocates 16 KiB when it starts, so it starts when the client has sent something.
        // This peeks, because a fresh socket counts as readable before tokio knows anything about
        // it.
        if !matches!(tokio::time::timeout_at(deadline, stream.peek(&mut [0])).await, Ok(Ok(1))) {
            return;
        }
        seat.mark_active();
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(deadline.saturating_duration_since(Instant::now()))
            .max_buf_size(MAX_HEAD)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
            .with_upgrades();
        // A client that disconnects or does not use HTTP harms nobody else.
        let _ = connection.await;
    };
    tokio::select! {
        () = work => {}
        () = eviction.notified() => {}
        () = shared.closing.cancelled() => {}
    }
}

async fn root(state: State<Site>, request: Request) -> Response {
    if request.headers().contains_key(header::UPGRADE) {
        upgrade(state, request).await
    } else {
        page(state, request).await
    }
}

/// A file of the page.
async fn page(State(site): State<Site>, request: Request) -> Response {
    let is_root = request.uri().path() == "/";
    let mut response = match site.www {
        Some(mut www) => match www.try_call(request).await {
            Ok(response) => response.map(Body::new),
            Err(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "the file could not be read\n").into_response()
            }
        },
        None if !matches!(*request.method(), Method::GET | Method::HEAD) => {
            (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET,HEAD")]).into_response()
        }
        None if is_root => Html(NO_PAGE).into_response(),
        None => (StatusCode::NOT_FOUND, "not found\n").into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Upgrades to a WebSocket (RFC 6455, section 4.2).
async fn upgrade(State(site): State<Site>, mut request: Request) -> Response {
    let shared = site.shared;
    let Some(accept) = accept_key(&request) else {
        let wanted = [(header::UPGRADE, "websocket"), (header::SEC_WEBSOCKET_VERSION, "13")];
        return (
            StatusCode::UPGRADE_REQUIRED,
            wanted,
            "connect here with a WebSocket (RFC 6455)\n",
        )
            .into_response();
    };
    let Ok(slot) = Arc::clone(&shared.slots).try_acquire_owned() else {
        let text = "the server has as many connections as it takes: try again later\n";
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "10")], text)
            .into_response();
    };
    let upgraded = hyper::upgrade::on(&mut request);
    let tasks = shared.tasks.clone();
    tasks.spawn(async move {
        if let Some(connection) = take_over(shared, upgraded, slot).await {
            connection.run().await;
        }
    });
    let headers = [
        (header::CONNECTION, HeaderValue::from_static("Upgrade")),
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (header::SEC_WEBSOCKET_ACCEPT, accept),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

/// Waits for the socket, which hyper releases when its answer is sent. `None` when the client
/// disconnected before that.
async fn take_over(
    shared: Arc<Shared>,
    upgraded: OnUpgrade,
    slot: OwnedSemaphorePermit,
) -> Option<Connection> {
    let Parts { io, read_buf, .. } = upgraded.await.ok()?.downcast::<TokioIo<TcpStream>>().ok()?;
    Some(Connection::new(shared, io.into_inner(), &read_buf, slot))
}

/// The value of `Sec-WebSocket-Accept`. `None` when the request is no upgrade (RFC 6455, section
/// 4.2.1).
fn accept_key(request: &Request) -> Option<HeaderValue> {
    let headers = request.headers();
    let is_upgrade = request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && has_token(headers, header::CONNECTION, "upgrade")
        && has_token(headers, header::UPGRADE, "websocket")
        && headers.get(header::SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
    // Any 16 bytes in base64.
    let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|key| is_upgrade && key.len() == 24)?;
    HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok()
}

/// Whether a header that lists tokens has one (RFC 9110, section 5.6.1).
fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    let values = headers.get_all(name);
    values
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|found| found.trim().eq_ignore_ascii_case(token))
}
