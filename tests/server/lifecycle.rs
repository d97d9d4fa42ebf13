//! How connections end: ids are free at once, dead connections are noticed, and a server that stops
//! closes all.

use std::time::{Duration, Instant};

use frostmesh::server::Limits;
use frostmesh::wire::ErrorCode;
use futures_util::SinkExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::client::{CLOSE, FIN, IsError, PING, PONG, Running, TEXT, in_time, masked};

/// Limits with which no connection is dropped for its silence.
fn without_timeouts() -> Limits {
    let never = Duration::from_secs(3600);
    Limits { ping_interval: never, probe_timeout: never, write_timeout: never, ..Limits::default() }
}

#[tokio::test]
async fn an_id_is_free_at_once_however_its_connection_ends() {
    let server = Running::with(without_timeouts()).await;

    // With a close frame.
    let mut peer = server.peer("cli1").await;
    peer.0.close(None).await.unwrap();
    let again = server.peer_when_free("cli1").await;

    // With a FIN and no close frame.
    drop(again);
    drop(server.peer_when_free("cli1").await);

    // With an unread answer: then TCP sends a reset when the socket is closed.
    let mut raw = server.raw().await;
    raw.register("cli2").await;
    raw.send(&masked(FIN | TEXT, br#"{"type":"list_peers"}"#)).await;
    raw.0.readable().await.unwrap();
    drop(raw);
    drop(server.peer_when_free("cli2").await);

    // With a reset.
    let mut raw = server.raw().await;
    raw.register("cli3").await;
    raw.reset();
    drop(server.peer_when_free("cli3").await);

    let mut last = server.peer("last").await;
    in_time("no ghosts", async { while last.list().await != ["last"] {} }).await;
}

#[tokio::test]
async fn a_close_frame_is_answered_with_its_code() {
    let server = Running::start().await;
    let mut client = server.client().await;
    let frame = CloseFrame { code: CloseCode::Library(4001), reason: "enough".into() };
    client.0.send(Message::Close(Some(frame))).await.unwrap();
    assert_eq!(client.closed().await, CloseCode::Library(4001));

    for (payload, answer) in
        [(&b""[..], 1000), (&[3], 1002), (&[0, 7], 1002), (&1006_u16.to_be_bytes(), 1002)]
    {
        let mut raw = server.raw().await;
        raw.send(&masked(FIN | CLOSE, payload)).await;
        assert_eq!(raw.closed().await, answer);
    }
}

#[tokio::test]
async fn the_silent_are_pinged_and_dropped_when_they_do_not_answer() {
    let interval = Duration::from_millis(100);
    let server = Running::with(Limits { ping_interval: interval, ..Limits::default() }).await;
    let mut dead = server.raw().await;
    dead.register("dead").await;
    let start = Instant::now();
    assert_eq!(dead.frame().await, Some((FIN | PING, Vec::new())));
    assert_eq!(dead.frame().await, Some((FIN | PING, Vec::new())));
    assert_eq!(dead.frame().await, None, "dropped after two pings");
    assert!(start.elapsed() >= 2 * interval, "and not before they had time to be answered");
    server.peer_when_free("dead").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_silent_stay_as_long_as_they_answer_pings() {
    let server =
        Running::with(Limits { ping_interval: Duration::from_millis(500), ..Limits::default() })
            .await;
    let mut raw = server.raw().await;
    raw.register("quiet").await;
    for _ in 0..5 {
        let (kind, payload) = raw.frame().await.expect("a ping");
        assert_eq!(kind, FIN | PING);
        raw.send(&masked(FIN | PONG, &payload)).await;
    }
    assert_eq!(server.client().await.list().await, ["quiet"]);
}

#[tokio::test]
async fn a_dead_holder_of_an_id_gives_way_to_a_connection_that_retries() {
    let never = Duration::from_secs(3600);
    let limits = Limits {
        ping_interval: never,
        probe_timeout: Duration::from_millis(200),
        ..Limits::default()
    };
    let server = Running::with(limits).await;
    let mut dead = server.raw().await;
    dead.register("cli1").await;
    let mut again = server.client().await;
    again.send(r#"{"type":"register","peer_id":"cli1"}"#).await;
    again.error(ErrorCode::PeerIdTaken).await;
    server.peer_when_free("cli1").await;
    assert_eq!(
        dead.frame().await,
        Some((FIN | PING, Vec::new())),
        "it was pinged, and did not answer"
    );
    assert_eq!(dead.frame().await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_holder_keeps_its_id_however_often_others_ask_for_it() {
    let probe_timeout = Duration::from_secs(2);
    let server = Running::with(Limits { probe_timeout, ..Limits::default() }).await;
    let mut holder = server.peer("cli1").await;
    // Reads until its message arrives, and answers pings meanwhile.
    let reader = tokio::spawn(async move { holder.relayed().await });
    let mut other = server.peer("cli2").await;
    let mut wants = server.client().await;
    let start = Instant::now();
    while start.elapsed() < probe_timeout + Duration::from_millis(500) {
        wants.send(r#"{"type":"register","peer_id":"cli1"}"#).await;
        wants.error(ErrorCode::PeerIdTaken).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    other.relay("cli1", "1").await;
    assert_eq!(reader.await.unwrap(), ("cli2".to_owned(), "1".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_closes_every_connection_and_returns() {
    let server = Running::start().await;
    let address = server.address;
    let mut peers = Vec::new();
    for number in 0..50 {
        peers.push(server.peer(&format!("p{number}")).await);
    }
    let task = server.stop();
    for peer in &mut peers {
        assert_eq!(peer.closed().await, CloseCode::Away);
    }
    drop(peers);
    in_time("the server", task).await.unwrap().unwrap();
    TcpStream::connect(address).await.unwrap_err();
}

#[tokio::test]
async fn a_server_stops_in_time_also_when_nobody_answers() {
    let server = Running::start().await;
    let address = server.address;
    let _silent_tcp = TcpStream::connect(address).await.unwrap();
    let mut silent = server.raw().await;
    let start = Instant::now();
    in_time("the server", server.stop()).await.unwrap().unwrap();
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert_eq!(
        silent.frame().await.map(|(kind, payload)| (kind, payload[..2].to_vec())),
        Some((FIN | CLOSE, vec![3, 233]))
    );
    TcpStream::connect(address).await.unwrap_err();
}

#[tokio::test]
async fn a_node_that_comes_back_takes_over_its_own_registration_and_nobody_elses() {
    let server = Running::with(without_timeouts()).await;
    let register = |claim: &str| {
        format!(r#"{{"type":"register","peer_id":"alice","claim":"{}"}}"#, claim.repeat(32))
    };
    let mut first = server.client().await;
    first.send(&register("a1")).await;
    assert_eq!(first.list().await, ["alice"]);

    // Without the claim, or with another one, the id is taken.
    let mut stranger = server.client().await;
    for text in [register("b2"), r#"{"type":"register","peer_id":"alice"}"#.to_owned()] {
        stranger.send(&text).await;
        assert!(stranger.message().await.is_error(ErrorCode::PeerIdTaken));
    }
    assert_eq!(first.list().await, ["alice"], "the holder keeps its id");

    // The same node takes it over. The old connection receives an error before it is closed.
    let mut again = server.client().await;
    again.send(&register("a1")).await;
    assert_eq!(again.list().await, ["alice"]);
    assert!(first.message().await.is_error(ErrorCode::PeerIdTaken));

    // Relayed messages go to the new connection, also after the old one is gone.
    drop(first);
    let mut bob = server.peer("bob").await;
    bob.relay("alice", "1").await;
    let text = again.text().await;
    assert!(text.contains(r#""from":"bob""#), "{text}");
    assert_eq!(bob.list().await, ["alice", "bob"]);

    // An id that was registered without a claim cannot be taken over with one.
    let _carol = server.peer("carol").await;
    stranger.send(&register("a1").replace("alice", "carol")).await;
    assert!(stranger.message().await.is_error(ErrorCode::PeerIdTaken));
}
