//! Many connections, floods and slow receivers: bounded, and without harm to other connections.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use frostmesh::server::Limits;
use frostmesh::wire::{ErrorCode, ServerMessage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::client::{Client, FIN, IsError, Running, TEXT, header, in_time, masked};

/// Relays numbered messages of 8 KiB to a peer that does not read, until the server refuses one.
/// Returns the number of accepted messages.
async fn flood_until_refused(sender: &mut Client, target: &str) -> usize {
    // A message of usual size. A larger one takes memory of the budget while it is received, and
    // might be refused for that.
    let padding = "x".repeat(8 * 1024);
    for number in 0.. {
        sender.relay(target, &format!("[{number},\"{padding}\"]")).await;
        // The next message shows whether an error was sent first.
        sender.send(r#"{"type":"list_peers"}"#).await;
        match sender.message().await {
            ServerMessage::Peers { .. } => {}
            ServerMessage::Error {
                code: Some(ErrorCode::RateLimited),
                peer_id: Some(named),
                ..
            } => {
                assert_eq!(named.as_str(), target, "the error names the target");
                sender.message().await;
                return number;
            }
            other => panic!("{other:?}"),
        }
        assert!(number < 20_000, "160 MB were taken for a reader that does not read");
    }
    unreachable!()
}

fn number_of(data: &str) -> usize {
    data.trim_start_matches('[').split(',').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_for_a_slow_reader_are_refused_and_those_taken_all_arrive_in_order() {
    // Little memory for queues, used many times: a leak would use it up.
    let server = Running::with(Limits { buffered_bytes: 1024 * 1024, ..Limits::default() }).await;
    let mut slow = server.peer("slow").await;
    let mut sender = server.peer("sender").await;
    // Queues that are dropped with their receiver,
    for _ in 0..10 {
        let gone = server.peer("gone").await;
        flood_until_refused(&mut sender, "gone").await;
        drop(gone);
        while sender.list().await.contains(&"gone".to_owned()) {}
    }
    // and queues that are read.
    for _ in 0..10 {
        let taken = flood_until_refused(&mut sender, "slow").await;
        for number in 0..taken {
            let (from, data) = slow.relayed().await;
            assert_eq!((from.as_str(), number_of(&data)), ("sender", number));
        }
    }
    sender.relay("slow", "[7]").await;
    assert_eq!(slow.relayed().await.1, "[7]", "it receives messages after it has read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_to_a_slow_reader_keeps_nobody_else_from_it_nor_from_each_other() {
    let server = Running::start().await;
    let mut slow = server.peer("slow").await;
    let mut flooder = server.peer("flooder").await;
    let mut other = server.peer("other").await;
    let taken = flood_until_refused(&mut flooder, "slow").await;

    // Long, so that it does not fit into a gap that the flood left by chance.
    let long = format!("\"{}\"", "y".repeat(100_000));
    other.relay("slow", &long).await;
    other.relay("flooder", "[2]").await;
    assert_eq!(flooder.relayed().await, ("other".to_owned(), "[2]".to_owned()));
    assert_eq!(other.list().await.len(), 3, "and no error before this answer");
    for _ in 0..taken {
        assert_eq!(slow.relayed().await.0, "flooder");
    }
    assert_eq!(slow.relayed().await, ("other".to_owned(), long));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_memory_for_queues_nothing_is_queued_and_readers_that_keep_up_lose_nothing() {
    let server = Running::with(Limits { buffered_bytes: 0, ..Limits::default() }).await;
    let mut slow = server.peer("slow").await;
    let mut quick = server.peer("quick").await;
    let mut sender = server.peer("sender").await;
    let taken = flood_until_refused(&mut sender, "slow").await;
    sender.relay("quick", "[1]").await;
    assert_eq!(quick.relayed().await, ("sender".to_owned(), "[1]".to_owned()));
    // The slow receiver may be dropped in the middle of the next message, but not before.
    for number in 0..taken {
        assert_eq!(number_of(&slow.relayed().await.1), number);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_takes_nothing_for_too_long_is_dropped() {
    let limits = Limits { write_timeout: Duration::from_millis(300), ..Limits::default() };
    let server = Running::with(limits).await;
    let _stuck = server.peer("stuck").await;
    let mut sender = server.peer("sender").await;
    let padding = "x".repeat(64 * 1024);
    in_time("the stuck reader to be dropped", async {
        loop {
            sender.relay("stuck", &format!("\"{padding}\"")).await;
            if !sender.list_after_errors().await.contains(&"stuck".to_owned()) {
                break;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
}

impl Client {
    /// The peers, whatever errors come before them.
    async fn list_after_errors(&mut self) -> Vec<String> {
        self.send(r#"{"type":"list_peers"}"#).await;
        loop {
            if let ServerMessage::Peers { peers } = self.message().await {
                return peers.iter().map(ToString::to_string).collect();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_stops_reading_from_a_client_that_does_not_read_its_answers() {
    let server =
        Running::with(Limits { write_timeout: Duration::from_secs(2), ..Limits::default() }).await;
    let mut peers = Vec::new();
    for number in 0..100 {
        peers.push(server.peer(&format!("{number:0>64}")).await);
    }
    let mut raw = server.raw().await;
    let asks = masked(FIN | TEXT, br#"{"type":"list_peers"}"#).repeat(1000);
    let mut sent = 0;
    // Each answer has 6.7 KB, 240 times as much as the request: 64 MB of requests ask for 15 GB of
    // answers.
    let dropped = in_time("the server to stop reading", async {
        while sent < 64 * 1024 * 1024 {
            if raw.0.write_all(&asks).await.is_err() {
                return true;
            }
            sent += asks.len();
        }
        false
    })
    .await;
    assert!(dropped, "the server read everything");
    peers[0].relay(&format!("{:0>64}", 1), "1").await;
    assert_eq!(peers[1].relayed().await.1, "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_under_way_have_a_bound_together() {
    let server = Running::with(Limits { buffered_bytes: 1024 * 1024, ..Limits::default() }).await;
    let mut peers = [server.peer("cli1").await, server.peer("cli2").await];
    // Each connection begins a message of 200 KB and never ends it.
    let mut half = header(FIN | TEXT, 200_000);
    half.extend_from_slice(&[0; 150_000]);
    let mut raws = Vec::new();
    let mut refused = 0;
    for _ in 0..20 {
        let mut raw = server.raw().await;
        raw.send(&half).await;
        raw.send(&masked(FIN | TEXT, b"")[..1]).await;
        // No answer means that the bytes were accepted.
        if let Ok(Some((kind, payload))) =
            tokio::time::timeout(Duration::from_millis(300), raw.frame()).await
        {
            assert_eq!(kind, FIN | TEXT);
            assert!(
                ServerMessage::parse(&String::from_utf8(payload).unwrap())
                    .unwrap()
                    .is_error(ErrorCode::RateLimited)
            );
            assert_eq!(raw.closed().await, 1013);
            refused += 1;
        }
        raws.push(raw);
    }
    assert!(refused > 0, "the server buffered 3 MB");
    let [first, second] = &mut peers;
    first.relay("cli2", "1").await;
    assert_eq!(second.relayed().await.1, "1", "a client that needs no memory is served");
    drop(raws);
    // The memory is returned: a long message passes.
    let long = format!("\"{}\"", "x".repeat(200_000));
    in_time("the memory to be free", async {
        loop {
            let mut late = server.client().await;
            late.send(&format!(r#"{{"type":"none","x":{long}}}"#)).await;
            if late.message().await.is_error(ErrorCode::BadMessage) {
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn beyond_the_limit_an_upgrade_is_answered_503_until_someone_leaves() {
    let server = Running::with(Limits { max_peers: 2, ..Limits::default() }).await;
    let mut first = server.peer("cli1").await;
    let second = server.peer("cli2").await;
    let url = format!("ws://{}/ws", server.address);
    let refused = in_time("the answer", tokio_tungstenite::connect_async(&url)).await.unwrap_err();
    assert!(refused.to_string().contains("503"), "{refused}");
    drop(second);
    in_time("the identifier to be free", async {
        while tokio_tungstenite::connect_async(&url).await.is_err() {}
    })
    .await;
    while first.list().await.len() > 1 {}
}

#[tokio::test]
async fn a_request_that_does_not_come_or_does_not_end_is_dropped() {
    let limits = Limits { request_timeout: Duration::from_millis(300), ..Limits::default() };
    let server = Running::with(limits).await;
    for start in [&b""[..], b"G", b"GET / HTTP/1.1\r\nHost: localhost\r\n"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(start).await.unwrap();
        // The server closes the connection, with an answer, without one, or with a reset.
        let _ = in_time("the end", stream.read_to_end(&mut Vec::new())).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_never_speak_http_make_room_for_others() {
    let never = Duration::from_secs(3600);
    let server =
        Running::with(Limits { max_pending: 50, request_timeout: never, ..Limits::default() })
            .await;
    // Older than all others, but it has sent its first bytes.
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n").await.unwrap();
    // The server has read these bytes when this is done.
    let mut peers = [server.peer("cli1").await, server.peer("cli2").await];
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(TcpStream::connect(server.address).await.unwrap());
    }
    drop(server.peer("cli3").await);
    let [first, second] = &mut peers;
    first.relay("cli2", "1").await;
    assert_eq!(second.relayed().await.1, "1");
    for old in &mut silent[..100] {
        let _ = in_time("the end of the oldest", old.read(&mut [0])).await;
    }
    slow.write_all(b"Connection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    in_time("the answer", slow.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.ends_with("ok"), "{answer}");
}

/// Set for the process that opens the silent connections: the server's address and the number of
/// connections.
const CROWD: &str = "FROSTMESH_TEST_CROWD";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_silent_connections_disturb_nobody() {
    let server = Running::start().await;
    let mut peers = [server.peer("cli1").await, server.peer("cli2").await];
    // Fewer where the limit of open files is low: both processes need one for each connection.
    let count = 10_000.min(Limits::default().max_peers.saturating_sub(200));
    let mut crowd = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "load::the_crowd_of_silent_connections", "--nocapture"])
        .env(CROWD, format!("{} {count}", server.address))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(crowd.stdout.take().unwrap()).lines().map_while(Result::ok);
    // Returned, so that the other process does not write to a closed pipe.
    let gathering =
        tokio::task::spawn_blocking(move || (output.any(|line| line.contains("all here")), output));

    // While the crowd connects and after that, and beside some connections that send no HTTP
    // request.
    let mut rounds = 0;
    let [first, second] = &mut peers;
    let mut silent = Vec::new();
    while !gathering.is_finished() || rounds < 1000 {
        first.relay("cli2", &rounds.to_string()).await;
        assert_eq!(second.relayed().await, ("cli1".to_owned(), rounds.to_string()));
        second.relay("cli1", &rounds.to_string()).await;
        assert_eq!(first.relayed().await, ("cli2".to_owned(), rounds.to_string()));
        rounds += 1;
        if silent.len() < count / 20 {
            silent.push(TcpStream::connect(server.address).await.unwrap());
        }
    }
    let (is_here, _output) = gathering.await.unwrap();
    assert!(is_here, "the crowd could not gather");
    assert_eq!(server.peer("cli3").await.list().await, ["cli1", "cli2", "cli3"]);
    drop(crowd.stdin.take());
    crowd.wait().unwrap();
}

/// Not a test: the other process of the test above.
#[test]
#[ignore = "another test starts it"]
fn the_crowd_of_silent_connections() {
    let Ok(order) = std::env::var(CROWD) else { return };
    let (address, count) = order.split_once(' ').unwrap();
    let address: SocketAddr = address.parse().unwrap();
    let mut sockets = Vec::new();
    for _ in 0..count.parse().unwrap() {
        let mut socket = std::net::TcpStream::connect(address).unwrap();
        socket
            .write_all(
                b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                  Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            )
            .unwrap();
        let mut start = [0; 12];
        socket.read_exact(&mut start).unwrap();
        assert_eq!(&start, b"HTTP/1.1 101");
        sockets.push(socket);
    }
    println!("all here");
    // Waits until the other process closes the pipe.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

#[tokio::test]
async fn a_crowd_of_registrations_and_departures_leaves_nothing_behind() {
    let server = Running::start().await;
    for round in 0..200 {
        let mut raw = server.raw().await;
        raw.register(&format!("p{round}")).await;
        if round % 2 == 0 {
            raw.reset();
        }
    }
    let mut last = server.peer("last").await;
    in_time("the others to be gone", async { while last.list().await != ["last"] {} }).await;
}
