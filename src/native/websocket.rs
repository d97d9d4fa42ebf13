//! The socket to the signaling server: one task that moves text frames both ways.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::connect_async_with_config;
use tokio_tungstenite::tungstenite::protocol::{
    CloseFrame, Message, WebSocketConfig, frame::coding::CloseCode,
};

use crate::node::SocketEvent;
use crate::wire::MAX_SERVER_FRAME;

/// How long opening the socket may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How often a quiet server is asked for a sign of life.
const PING: Duration = Duration::from_secs(15);
/// After how long without one it counts as gone.
const SILENCE: Duration = Duration::from_secs(40);

/// A socket that is open or being opened. Dropping it closes the socket once everything is sent.
pub struct Socket {
    outgoing: mpsc::UnboundedSender<String>,
    task: tokio::task::JoinHandle<()>,
}

impl Socket {
    /// Opens a socket; `happened` receives what happens to it.
    pub fn open(url: String, happened: impl Fn(SocketEvent) + Send + Sync + 'static) -> Self {
        let (outgoing, queue) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            let reason = match run(&url, queue, &happened).await {
                Ok(()) => return,
                Err(reason) => reason,
            };
            happened(SocketEvent::Closed { reason });
        });
        Self { outgoing, task }
    }

    /// Sends a text frame.
    pub fn send(&self, text: String) {
        let _ = self.outgoing.send(text); // a closed socket has said so already
    }

    /// Sends the rest, closes, and waits for that, at most for `patience`.
    pub async fn finish(self, patience: Duration) {
        drop(self.outgoing);
        let _ = timeout(patience, self.task).await;
    }
}

/// Ends with `Ok` when this side closed the socket.
async fn run(
    url: &str,
    mut queue: mpsc::UnboundedReceiver<String>,
    happened: &impl Fn(SocketEvent),
) -> Result<(), String> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_SERVER_FRAME))
        .max_frame_size(Some(MAX_SERVER_FRAME))
        .read_buffer_size(16 * 1024);
    let connecting = timeout(CONNECT, connect_async_with_config(url, Some(config), true)).await;
    let (mut socket, _) = connecting
        .map_err(|_| format!("no answer from {url} within {} s", CONNECT.as_secs()))?
        .map_err(|e| format!("{url} cannot be reached: {e}"))?;
    happened(SocketEvent::Opened);
    let mut heard = Instant::now();
    let mut ping = tokio::time::interval(PING);
    loop {
        tokio::select! {
            text = queue.recv() => match text {
                Some(text) => socket.send(Message::text(text)).await.map_err(|e| e.to_string())?,
                None => {
                    let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
                    let _ = socket.close(Some(frame)).await;
                    return Ok(());
                }
            },
            message = socket.next() => {
                heard = Instant::now();
                match message {
                    Some(Ok(Message::Text(text))) => happened(SocketEvent::Text(text.as_str().to_owned())),
                    Some(Ok(Message::Close(frame))) => return Err(closed(frame.as_ref())),
                    Some(Ok(_)) => {}
                    Some(Err(e)) => return Err(format!("the connection to the server broke: {e}")),
                    None => return Err(closed(None)),
                }
            },
            _ = ping.tick() => {
                if heard.elapsed() > SILENCE {
                    return Err(format!("the server has been silent for {} s", SILENCE.as_secs()));
                }
                socket.send(Message::Ping(Vec::new().into())).await.map_err(|e| e.to_string())?;
            }
        }
    }
}

/// Why the server closed the connection.
fn closed(frame: Option<&CloseFrame>) -> String {
    match frame.map(|frame| frame.reason.as_str()).filter(|reason| !reason.is_empty()) {
        Some(reason) => format!("the server closed the connection: {reason}"),
        None => "the server closed the connection".to_owned(),
    }
}
