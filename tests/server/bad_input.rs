//! Frames and messages that break the rules: each gets an error that arrives, and no other
//! connection is affected.

use std::time::Duration;

use frostmesh::wire::{ErrorCode, MAX_FRAME};
use futures_util::SinkExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::client::{CONTINUATION, FIN, PING, PONG, Running, TEXT, header, in_time, masked};

#[tokio::test]
async fn malformed_messages_are_refused_and_the_socket_stays_usable() {
    let server = Running::start().await;
    let mut client = server.peer("cli1").await;
    let deep = "[".repeat(100_000);
    let deep_data = format!(r#"{{"type":"relay","to":"x","data":{}}}"#, "[".repeat(100_000));
    for bad in [
        "",
        " ",
        "{",
        "nonsense",
        "null",
        "[]",
        "42",
        "\"register\"",
        "{}",
        r#"{"type":null}"#,
        r#"{"type":7}"#,
        r#"{"type":"register"}"#,
        r#"{"type":"register","peer_id":7}"#,
        r#"{"type":"register","peer_id":null}"#,
        r#"{"type":"relay","to":"cli2"}"#,
        r#"{"type":"relay","data":{}}"#,
        r#"{"type":"list_peers"}{"type":"list_peers"}"#,
        r#"{"type":"list_peers","type":"list_peers"}"#,
        &deep,
        &deep_data,
    ] {
        client.send(bad).await;
        client.error(ErrorCode::BadMessage).await;
    }
    assert_eq!(client.list().await, ["cli1"]);
}

#[tokio::test]
async fn unknown_types_are_refused_also_those_that_only_a_server_sends() {
    let server = Running::start().await;
    let mut client = server.peer("cli1").await;
    for kind in ["", "peers", "error", "unregister", "REGISTER", "\\u0000"] {
        client.send(&format!(r#"{{"type":"{kind}"}}"#)).await;
        client.error(ErrorCode::BadMessage).await;
    }
    assert_eq!(client.list().await, ["cli1"]);
}

#[tokio::test]
async fn binary_frames_are_refused_and_the_socket_stays_usable() {
    let server = Running::start().await;
    let mut client = server.peer("cli1").await;
    for bytes in [&b""[..], br#"{"type":"list_peers"}"#, &[0xff; 1000]] {
        client.0.send(Message::binary(bytes.to_vec())).await.unwrap();
        client.error(ErrorCode::BadMessage).await;
    }
    assert_eq!(client.list().await, ["cli1"]);
}

#[tokio::test]
async fn text_that_is_not_utf8_gets_its_error_before_the_close() {
    let server = Running::start().await;
    let mut raw = server.raw().await;
    raw.send(&masked(FIN | TEXT, b"{\"type\":\"\xff\"}")).await;
    raw.error(ErrorCode::BadMessage).await;
    assert_eq!(raw.closed().await, 1007);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_of_5_mb_gets_its_error_before_the_close_in_20_of_20_runs() {
    let server = Running::start().await;
    let mut others = [server.peer("cli1").await, server.peer("cli2").await];
    let text =
        format!(r#"{{"type":"relay","to":"cli1","data":"{}"}}"#, "x".repeat(5 * 1024 * 1024));
    for run in 0..20 {
        let mut client = server.peer("big").await;
        client.send(&text).await;
        client.error(ErrorCode::TooLarge).await;
        assert_eq!(client.closed().await, CloseCode::Size);

        let [first, second] = &mut others;
        first.relay("cli2", &run.to_string()).await;
        assert_eq!(
            second.relayed().await,
            ("cli1".to_owned(), run.to_string()),
            "other connections are not affected"
        );
    }
}

#[tokio::test]
async fn an_oversized_frame_is_refused_by_its_header_alone() {
    let server = Running::start().await;
    for length in [MAX_FRAME as u64 + 1, u64::from(u32::MAX), u64::MAX >> 1, u64::MAX] {
        let mut raw = server.raw().await;
        let mut frame = header(FIN | TEXT, length);
        frame.extend_from_slice(&[0; 4]);
        raw.send(&frame).await;
        raw.error(ErrorCode::TooLarge).await;
        assert_eq!(raw.closed().await, 1009);
    }
}

#[tokio::test]
async fn a_message_that_grows_too_large_in_fragments_gets_its_error_before_the_close() {
    let server = Running::start().await;
    let mut raw = server.raw().await;
    raw.send(&masked(TEXT, &[b' '; 10_000])).await;
    for _ in 0..200 {
        raw.send(&masked(CONTINUATION, &[b' '; 10_000])).await;
    }
    raw.error(ErrorCode::TooLarge).await;
    assert_eq!(raw.closed().await, 1009);
}

#[tokio::test]
async fn a_client_that_keeps_sending_after_an_oversized_frame_is_cut_off() {
    let server = Running::start().await;
    let mut raw = server.raw().await;
    raw.send(&header(FIN | TEXT, u64::MAX >> 1)).await;
    raw.send(&[0; 4]).await;
    let chunk = vec![0; 64 * 1024];
    let mut sent = 0;
    in_time("the end", async {
        while raw.0.write_all(&chunk).await.is_ok() {
            sent += chunk.len();
        }
    })
    .await;
    // The most that the server reads, and the buffers of the kernel.
    assert!(sent < 64 * 1024 * 1024, "{sent} bytes");
}

#[tokio::test]
async fn the_largest_message_passes_and_one_byte_more_does_not() {
    let server = Running::start().await;
    let mut sender = server.peer("cli1").await;
    let mut target = server.peer("cli2").await;
    let around = r#"{"type":"relay","to":"cli2","data":""}"#.len();
    let data = format!("\"{}\"", "x".repeat(MAX_FRAME - around));
    sender.relay("cli2", &data).await;
    assert_eq!(target.relayed().await, ("cli1".to_owned(), data));
    sender.relay("cli2", &format!("\"{}\"", "x".repeat(MAX_FRAME - around + 1))).await;
    sender.error(ErrorCode::TooLarge).await;
    assert_eq!(sender.closed().await, CloseCode::Size);
}

#[tokio::test]
async fn fragments_are_put_together_with_a_ping_between_them() {
    let server = Running::start().await;
    let mut raw = server.raw().await;
    raw.send(&masked(TEXT, b"{\"type\":\"li")).await;
    raw.send(&masked(FIN | PING, b"are you there?")).await;
    assert_eq!(raw.frame().await, Some((FIN | PONG, b"are you there?".to_vec())));
    raw.send(&masked(CONTINUATION, b"")).await;
    raw.send(&masked(FIN | CONTINUATION, b"st_peers\"}")).await;
    assert_eq!(raw.frame().await, Some((FIN | TEXT, br#"{"type":"peers","peers":[]}"#.to_vec())));
}

#[tokio::test]
async fn frames_arrive_whole_however_tcp_cuts_them() {
    let server = Running::start().await;
    let ask = masked(FIN | TEXT, br#"{"type":"list_peers"}"#);
    let answer = (FIN | TEXT, br#"{"type":"peers","peers":[]}"#.to_vec());

    // Each byte in a segment of its own.
    let mut raw = server.raw().await;
    for byte in &ask {
        raw.send(&[*byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(raw.frame().await.as_ref(), Some(&answer));

    // Many frames in one segment, the first ones directly behind the upgrade request.
    let mut raw = server.raw_with(&ask.repeat(3)).await;
    raw.send(&ask.repeat(500)).await;
    for _ in 0..503 {
        assert_eq!(raw.frame().await.as_ref(), Some(&answer));
    }
}

#[tokio::test]
async fn frames_against_the_rules_get_their_error_before_the_close() {
    let server = Running::start().await;
    let mut unmasked = masked(FIN | TEXT, b"");
    unmasked[1] &= 0x7f;
    for (what, frame) in [
        ("not masked", unmasked),
        ("a reserved opcode", masked(FIN | 3, b"")),
        ("a reserved control opcode", masked(FIN | 11, b"")),
        ("a reserved bit", masked(FIN | 0x40 | TEXT, b"")),
        ("a continuation of nothing", masked(FIN | CONTINUATION, b"")),
        ("a message within a message", [masked(TEXT, b"{"), masked(FIN | TEXT, b"}")].concat()),
        ("a ping in fragments", masked(PING, b"")),
        ("a ping of 126 bytes", masked(FIN | PING, &[0; 126])),
    ] {
        println!("{what}");
        let mut raw = server.raw().await;
        raw.send(&frame).await;
        raw.error(ErrorCode::BadMessage).await;
        assert_eq!(raw.closed().await, 1002, "{what}");
    }
}

#[tokio::test]
async fn what_is_not_http_is_closed() {
    let server = Running::start().await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        &[0; 100],
        b"GET / HTTP/1.1\r\n: \r\n\r\n",
        &[b'x'; 70_000],
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        // The server may close before all bytes are written.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = in_time("the end", stream.read_to_end(&mut answer)).await;
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"),
            "{:?}",
            String::from_utf8_lossy(&answer)
        );
    }
    // Time for a task that panicked to take the server down.
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(server.client().await.list().await, [""; 0]);
}
