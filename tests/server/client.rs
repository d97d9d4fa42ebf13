//! The helpers of the tests: a server, a client that follows the WebSocket protocol, and one that
//! sends any bytes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use frostmesh::server::{Config, Limits, Server};
use frostmesh::wire::{ErrorCode, PeerId, ServerMessage};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// The deadline of every wait. Nothing takes this long unless it never happens.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work)
        .await
        .unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// A running server; it stops when dropped.
pub struct Running {
    pub address: SocketAddr,
    stop: oneshot::Sender<()>,
    pub task: JoinHandle<std::io::Result<()>>,
}

impl Running {
    pub async fn start() -> Self {
        Self::with(Limits::default()).await
    }

    pub async fn with(limits: Limits) -> Self {
        Self::with_page(limits, None).await
    }

    pub async fn with_page(limits: Limits, www: Option<PathBuf>) -> Self {
        let server =
            Server::bind(Config { listen: ([127, 0, 0, 1], 0).into(), www, limits }).await.unwrap();
        let address = server.local_addr();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(server.run(async { stopped.await.unwrap_or_default() }));
        Self { address, stop, task }
    }

    /// Stops the server, and returns its task.
    pub fn stop(self) -> JoinHandle<std::io::Result<()>> {
        self.stop.send(()).unwrap();
        self.task
    }

    /// A client that is not registered.
    pub async fn client(&self) -> Client {
        // Without Nagle's algorithm, which waits for an acknowledgement between two small messages.
        let connecting = connect_async_with_config(format!("ws://{}/ws", self.address), None, true);
        Client(in_time("the upgrade", connecting).await.unwrap().0)
    }

    /// A client that is registered.
    pub async fn peer(&self, id: &str) -> Client {
        let mut client = self.client().await;
        client.register(id).await;
        client
    }

    /// A client that retries to register until the id is free.
    pub async fn peer_when_free(&self, id: &str) -> Client {
        let mut client = self.client().await;
        in_time("the id to be free", async {
            loop {
                client.send(&format!(r#"{{"type":"register","peer_id":"{id}"}}"#)).await;
                client.send(r#"{"type":"list_peers"}"#).await;
                if !client.message().await.is_error(ErrorCode::PeerIdTaken) {
                    break;
                }
                client.message().await;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
        client
    }

    /// A connection after its upgrade, with `early` sent in the same segment as the request.
    pub async fn raw_with(&self, early: &[u8]) -> Raw {
        let mut raw = Raw(TcpStream::connect(self.address).await.unwrap());
        raw.0.set_nodelay(true).unwrap();
        raw.upgrade(early).await;
        raw
    }

    /// A connection after its upgrade, to send any bytes on.
    pub async fn raw(&self) -> Raw {
        self.raw_with(b"").await
    }
}

/// A client that follows RFC 6455.
pub struct Client(pub WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    pub async fn send(&mut self, text: &str) {
        in_time("the server to read", self.0.send(Message::text(text))).await.unwrap();
    }

    /// Registers, and checks that the server lists the id.
    pub async fn register(&mut self, id: &str) {
        self.send(&format!(r#"{{"type":"register","peer_id":"{id}"}}"#)).await;
        assert!(self.list().await.iter().any(|peer| peer == id), "{id} is registered");
    }

    pub async fn relay(&mut self, to: &str, data: &str) {
        self.send(&format!(r#"{{"type":"relay","to":"{to}","data":{data}}}"#)).await;
    }

    /// The registered peers. The server has handled every earlier message by then.
    pub async fn list(&mut self) -> Vec<String> {
        self.send(r#"{"type":"list_peers"}"#).await;
        match self.message().await {
            ServerMessage::Peers { peers } => peers.iter().map(ToString::to_string).collect(),
            other => panic!("wanted the peers, got {other:?}"),
        }
    }

    /// The next text frame, whatever it holds.
    pub async fn text(&mut self) -> String {
        in_time("a message", async {
            loop {
                match self.0.next().await.unwrap().unwrap() {
                    Message::Text(text) => return text.to_string(),
                    Message::Ping(_) | Message::Pong(_) => {}
                    other => panic!("wanted a text, got {other:?}"),
                }
            }
        })
        .await
    }

    pub async fn message(&mut self) -> ServerMessage {
        ServerMessage::parse(&self.text().await).unwrap()
    }

    /// The next relayed message: its sender and its data.
    pub async fn relayed(&mut self) -> (String, String) {
        match self.message().await {
            ServerMessage::Relay { from, data } => (from.to_string(), data.get().to_owned()),
            other => panic!("wanted a relayed message, got {other:?}"),
        }
    }

    /// Checks that the next message is this error, with a text. Returns the peer that it names.
    pub async fn error(&mut self, wanted: ErrorCode) -> Option<PeerId> {
        match self.message().await {
            ServerMessage::Error { error, code: Some(code), peer_id }
                if code == wanted && !error.is_empty() =>
            {
                peer_id
            }
            other => panic!("wanted the error {wanted:?}, got {other:?}"),
        }
    }

    /// Checks that the next frame is a close frame, and that the connection ends then. Returns the
    /// code.
    pub async fn closed(&mut self) -> CloseCode {
        let code = in_time("a close frame", async {
            loop {
                match self.0.next().await.unwrap().unwrap() {
                    Message::Close(Some(frame)) => return frame.code,
                    Message::Ping(_) | Message::Pong(_) => {}
                    other => panic!("wanted a close frame, got {other:?}"),
                }
            }
        })
        .await;
        match in_time("the end", self.0.next()).await {
            None | Some(Err(Error::ConnectionClosed)) => code,
            other => panic!("wanted the end, got {other:?}"),
        }
    }
}

/// Whether a message is a certain error.
pub trait IsError {
    fn is_error(&self, wanted: ErrorCode) -> bool;
}

impl IsError for ServerMessage {
    fn is_error(&self, wanted: ErrorCode) -> bool {
        matches!(self, Self::Error { code: Some(code), .. } if *code == wanted)
    }
}

pub const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;
/// The bit of the first byte that marks the last fragment.
pub const FIN: u8 = 0x80;

/// A connection that sends any bytes, and answers nothing on its own.
pub struct Raw(pub TcpStream);

impl Raw {
    async fn upgrade(&mut self, early: &[u8]) {
        let mut request =
            b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                .to_vec();
        request.extend_from_slice(early);
        self.0.write_all(&request).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(in_time("the answer", self.0.read_u8()).await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 101 "), "{head}");
        // The example of RFC 6455, section 1.3.
        assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"), "{head}");
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        in_time("the server to read", self.0.write_all(bytes)).await.unwrap();
    }

    pub async fn register(&mut self, id: &str) {
        let text = format!(r#"{{"type":"register","peer_id":"{id}"}}"#);
        self.send(&masked(FIN | TEXT, text.as_bytes())).await;
        self.send(&masked(FIN | TEXT, br#"{"type":"list_peers"}"#)).await;
        let (kind, payload) = self.frame().await.unwrap();
        assert_eq!(kind, FIN | TEXT);
        assert!(
            String::from_utf8(payload).unwrap().contains(&format!("\"{id}\"")),
            "{id} is registered"
        );
    }

    /// The next frame: its first byte and its payload. `None` when the connection ends.
    pub async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        in_time("a frame", async {
            let first = self.0.read_u8().await.ok()?;
            let length = match self.0.read_u8().await.ok()? {
                126 => u64::from(self.0.read_u16().await.ok()?),
                127 => self.0.read_u64().await.ok()?,
                short => u64::from(short),
            };
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            self.0.read_exact(&mut payload).await.ok()?;
            Some((first, payload))
        })
        .await
    }

    pub async fn error(&mut self, wanted: ErrorCode) {
        let (kind, payload) = self.frame().await.expect("an error message");
        assert_eq!(kind, FIN | TEXT);
        let message = ServerMessage::parse(std::str::from_utf8(&payload).unwrap()).unwrap();
        assert!(message.is_error(wanted), "wanted {wanted:?}, got {message:?}");
    }

    pub async fn closed(&mut self) -> u16 {
        let (kind, payload) = self.frame().await.expect("a close frame");
        assert_eq!(kind, FIN | CLOSE);
        assert_eq!(self.frame().await, None, "the end after the close frame");
        u16::from_be_bytes([payload[0], payload[1]])
    }

    /// Drops the connection with a TCP reset.
    pub fn reset(self) {
        self.0.set_zero_linger().unwrap();
    }
}

/// A frame as a client sends it, masked. `first` holds FIN and the opcode.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = header(first, payload.len() as u64);
    let key = [0x37, 0xfa, 0x21, 0x3d];
    frame.extend_from_slice(&key);
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// The header of a frame, up to its mask.
pub fn header(first: u8, length: u64) -> Vec<u8> {
    let mut header = vec![first];
    if length < 126 {
        header.push(0x80 | u8::try_from(length).unwrap());
    } else if let Ok(length) = u16::try_from(length) {
        header.push(0x80 | 126);
        header.extend_from_slice(&length.to_be_bytes());
    } else {
        header.push(0x80 | 127);
        header.extend_from_slice(&length.to_be_bytes());
    }
    header
}
