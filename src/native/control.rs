//! How other commands act through a node that runs: over a socket in its folder, which only the owner can open. One order as
//! a line of JSON; the answer is a line, and then everything that happens, until whoever ordered goes.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, Lines,
};
use tokio::sync::{broadcast, mpsc, oneshot};

use super::exit::{Exit, Failure};
use super::store::Store;

/// What another command wants of the node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Order {
    /// Ask for a signature.
    Sign { pubkey: String, kind: String, content: String, lifetime: u64 },
    /// Approve or decline a request, named by the beginning of its id.
    Vote { request: String, approves: bool },
    /// Let the members sign a test.
    Check { pubkey: String },
}

/// An order that waits for its answer: what to wait for (a request's id, or a wallet), or why not.
pub(super) type Waiting = (Order, oneshot::Sender<Result<String, String>>);

/// Largest order, in bytes: what one request may ask for takes up to twice its size as JSON text, and one content six times.
const MAX_ORDER: u64 = 2 * 1024 * 1024;
/// Events that are kept for a command that reads slowly.
const BACKLOG: usize = 1024;

/// The ear of a node.
pub(super) struct Control {
    pub orders: mpsc::Receiver<Waiting>,
    events: broadcast::Sender<String>,
}

impl Control {
    /// Listens in the folder of a store that this process has locked.
    pub(super) fn listen(store: &Store) -> std::io::Result<Self> {
        let (sender, orders) = mpsc::channel(16);
        let (events, _) = broadcast::channel(BACKLOG);
        listen(store, sender, events.clone())?;
        Ok(Self { orders, events })
    }

    /// Tells everyone who listens of an event.
    pub(super) fn tell(&self, event: &Value) {
        if self.events.receiver_count() > 0 {
            let _ = self.events.send(event.to_string()); // who has gone hears nothing
        }
    }
}

#[cfg(unix)]
fn listen(
    store: &Store,
    orders: mpsc::Sender<Waiting>,
    events: broadcast::Sender<String>,
) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let path = store.control();
    let _ = std::fs::remove_file(&path); // of a node that was killed: the lock says that there is no other
    let listener = tokio::net::UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (read, write) = stream.into_split();
            tokio::spawn(serve(read, write, orders.clone(), events.subscribe()));
        }
    });
    Ok(())
}

#[cfg(not(unix))]
fn listen(
    _: &Store,
    _: mpsc::Sender<Waiting>,
    _: broadcast::Sender<String>,
) -> std::io::Result<()> {
    Ok(()) // commands that need the wallets say that a node has them
}

async fn serve(
    read: impl AsyncRead + Unpin,
    mut write: impl AsyncWrite + Unpin,
    orders: mpsc::Sender<Waiting>,
    mut events: broadcast::Receiver<String>,
) {
    let mut lines = BufReader::new(read.take(MAX_ORDER)).lines();
    let Ok(Some(text)) = lines.next_line().await else { return };
    let (answer, answered) = oneshot::channel();
    let ending = || "the node is ending".to_owned();
    let result = match serde_json::from_str(&text) {
        Ok(order) => match orders.send((order, answer)).await {
            Ok(()) => answered.await.unwrap_or_else(|_| Err(ending())),
            Err(_) => Err(ending()),
        },
        Err(error) => Err(format!("the order cannot be read: {error}")),
    };
    let done = result.is_err();
    let line = json!({ "awaits": result.as_ref().ok(), "error": result.as_ref().err() });
    if write.write_all(format!("{line}\n").as_bytes()).await.is_err() || done {
        return;
    }
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            _ = lines.next_line() => return, // whoever ordered has gone
        };
        match event {
            Ok(event) => {
                if write.write_all(format!("{event}\n").as_bytes()).await.is_err() {
                    return;
                }
            }
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

/// An order that a running node has taken.
pub(super) struct Ordered {
    /// What to wait for: a request's id, or a wallet.
    pub awaits: String,
    #[cfg(unix)]
    lines: Lines<BufReader<tokio::net::unix::OwnedReadHalf>>,
    #[cfg(unix)]
    _write: tokio::net::unix::OwnedWriteHalf,
}

impl Ordered {
    /// Orders something of the node that runs in this folder.
    #[cfg(unix)]
    pub(super) async fn from_running_node(store: &Store, order: &Order) -> Result<Self, Failure> {
        let gone = || {
            Failure::new(
                Exit::Other,
                "another command uses the wallets in this folder: wait until it is done",
            )
        };
        let stream = tokio::net::UnixStream::connect(store.control()).await.map_err(|_| gone())?;
        let (read, mut write) = stream.into_split();
        let text = serde_json::to_string(order).unwrap_or_default();
        write.write_all(format!("{text}\n").as_bytes()).await.map_err(|_| gone())?;
        let mut lines = BufReader::new(read).lines();
        let line = lines.next_line().await.ok().flatten().ok_or_else(gone)?;
        let answer: Value = serde_json::from_str(&line).map_err(|_| gone())?;
        match (answer["awaits"].as_str(), answer["error"].as_str()) {
            (Some(awaits), _) => Ok(Self { awaits: awaits.to_owned(), lines, _write: write }),
            (None, error) => {
                Err(Failure::new(Exit::Usage, error.unwrap_or("the node did not answer")))
            }
        }
    }

    #[cfg(not(unix))]
    pub(super) async fn from_running_node(_: &Store, _: &Order) -> Result<Self, Failure> {
        Err(Failure::new(
            Exit::Other,
            "another node uses the wallets in this folder: stop it first",
        ))
    }

    /// The next event, as JSON. `None` when the node has ended.
    #[cfg(unix)]
    pub(super) async fn next(&mut self) -> Option<Value> {
        let line = self.lines.next_line().await.ok().flatten()?;
        serde_json::from_str(&line).ok()
    }

    #[cfg(not(unix))]
    pub(super) async fn next(&mut self) -> Option<Value> {
        None
    }
}
