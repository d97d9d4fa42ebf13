//! How other commands act through a node that runs: over a socket in its folder, which only the
//! owner of the folder can open.
//!
//! The other command sends one [`Command`] as a line of JSON. The node answers with an [`Answer`],
//! and then sends a [`Report`] for every event that concerns the command, until the command is done
//! or the other process goes away.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, Lines,
};
use tokio::sync::{broadcast, mpsc, oneshot};
use zeroize::Zeroizing;

use super::exit::{Exit, Failure};
use super::outcome::Outcome;
use super::report::as_json;
use super::store::Store;
use crate::api::{Command, ErrorCode, Event, Refusal};
use crate::group::MAX_OPERATION;

/// Largest command, in bytes: an operation as JSON text may take six times its size, and the other
/// fields take little.
const MAX_COMMAND: u64 = 6 * MAX_OPERATION as u64 + 64 * 1024;
/// Events that are held for a command that reads slowly.
const BACKLOG: usize = 1024;

/// A command that the node has carried out.
pub(super) struct Accepted {
    pub command: Command,
    /// What to wait for: a request's id, or a wallet. `None` when the command is done.
    pub awaits: Option<String>,
}

/// A command, as JSON, that waits for the node to carry it out.
pub(super) struct Waiting {
    pub text: Zeroizing<String>,
    pub answer: oneshot::Sender<Result<Accepted, Refusal>>,
}

/// The node's answer to a command.
#[derive(Serialize, Deserialize)]
struct Answer {
    /// What the command waits for.
    awaits: Option<String>,
    /// Why the command was refused.
    error: Option<String>,
    /// The code of that refusal.
    code: Option<String>,
}

/// What the node sends while a command goes on.
#[derive(Serialize, Deserialize)]
pub(super) struct Report {
    /// An event that concerns the command, as `--json` prints it.
    pub event: Value,
    /// How the command ended by it.
    pub outcome: Option<Outcome>,
}

/// The node's end of the control socket.
pub(super) struct Control {
    pub waiting: mpsc::Receiver<Waiting>,
    events: broadcast::Sender<Arc<Event>>,
}

impl Control {
    /// Listens in the folder of a store that this process has locked.
    pub(super) fn listen(store: &Store) -> std::io::Result<Self> {
        let (sender, waiting) = mpsc::channel(16);
        let (events, _) = broadcast::channel(BACKLOG);
        listen(store, sender, events.clone())?;
        Ok(Self { waiting, events })
    }

    /// Passes an event to every command that goes on.
    pub(super) fn tell(&self, event: &Event) {
        if self.events.receiver_count() > 0 {
            let _ = self.events.send(Arc::new(event.clone())); // nobody may be left to read it
        }
    }
}

#[cfg(unix)]
fn listen(
    store: &Store,
    commands: mpsc::Sender<Waiting>,
    events: broadcast::Sender<Arc<Event>>,
) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let path = store.control();
    let _ = std::fs::remove_file(&path); // left by a node that was killed: the lock shows that no other node runs
    let listener = tokio::net::UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (read, write) = stream.into_split();
            tokio::spawn(serve(read, write, commands.clone(), events.subscribe()));
        }
    });
    Ok(())
}

#[cfg(not(unix))]
fn listen(
    _: &Store,
    _: mpsc::Sender<Waiting>,
    _: broadcast::Sender<Arc<Event>>,
) -> std::io::Result<()> {
    Ok(()) // commands that need the wallets say that a node has them
}

/// Serves one command.
async fn serve(
    read: impl AsyncRead + Unpin,
    mut write: impl AsyncWrite + Unpin,
    commands: mpsc::Sender<Waiting>,
    mut events: broadcast::Receiver<Arc<Event>>,
) {
    let mut lines = BufReader::new(read.take(MAX_COMMAND)).lines();
    let Ok(Some(text)) = lines.next_line().await else { return };
    let (answer, answered) = oneshot::channel();
    let waiting = Waiting { text: Zeroizing::new(text), answer };
    let ending = || Err(Refusal::new(ErrorCode::Internal, "the node is ending"));
    let result = match commands.send(waiting).await {
        Ok(()) => answered.await.unwrap_or_else(|_| ending()),
        Err(_) => ending(),
    };
    let answer = match &result {
        Ok(Accepted { awaits, .. }) => Answer { awaits: awaits.clone(), error: None, code: None },
        Err(Refusal { code, message }) => Answer {
            awaits: None,
            error: Some(message.clone()),
            code: Some(code.name().to_owned()),
        },
    };
    if !send(&mut write, &answer).await {
        return;
    }
    let Ok(Accepted { command, awaits: Some(awaits) }) = result else { return };
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            _ = lines.next_line() => return, // the other process has gone away
        };
        let event = match event {
            Ok(event) => event,
            Err(broadcast::error::RecvError::Lagged(_)) => continue,
            Err(broadcast::error::RecvError::Closed) => return,
        };
        if event.request() != Some(&awaits) && event.pubkey() != Some(&awaits) {
            continue;
        }
        let outcome = Outcome::of(&command, &awaits, &event);
        let is_over = outcome.is_some();
        if !send(&mut write, &Report { event: as_json(&event), outcome }).await || is_over {
            return;
        }
    }
}

/// Sends a value as a line of JSON. False when the other process has gone away.
async fn send(write: &mut (impl AsyncWrite + Unpin), value: &impl Serialize) -> bool {
    let line = serde_json::to_string(value).unwrap_or_default();
    write.write_all(format!("{line}\n").as_bytes()).await.is_ok()
}

/// A command that a running node carries out.
pub(super) struct Delegated {
    /// What the command waits for: a request's id, or a wallet.
    pub awaits: String,
    #[cfg(unix)]
    lines: Lines<BufReader<tokio::net::unix::OwnedReadHalf>>,
    #[cfg(unix)]
    _write: tokio::net::unix::OwnedWriteHalf,
}

impl Delegated {
    /// Sends a command to the node that runs in this folder.
    #[cfg(unix)]
    pub(super) async fn to_running_node(store: &Store, command: &Command) -> Result<Self, Failure> {
        let gone = || {
            Failure::new(
                Exit::Other,
                "another command uses the wallets in this folder: wait until it is done",
            )
        };
        let stream = tokio::net::UnixStream::connect(store.control()).await.map_err(|_| gone())?;
        let (read, mut write) = stream.into_split();
        if !send(&mut write, command).await {
            return Err(gone());
        }
        let mut lines = BufReader::new(read).lines();
        let line = lines.next_line().await.ok().flatten().ok_or_else(gone)?;
        let answer: Answer = serde_json::from_str(&line).map_err(|_| gone())?;
        match (answer.awaits, answer.error) {
            (Some(awaits), _) => Ok(Self { awaits, lines, _write: write }),
            (None, error) => {
                let text = error.unwrap_or_else(|| "the node did not answer".to_owned());
                Err(Failure::new(Exit::Usage, text))
            }
        }
    }

    #[cfg(not(unix))]
    pub(super) async fn to_running_node(_: &Store, _: &Command) -> Result<Self, Failure> {
        Err(Failure::new(
            Exit::Other,
            "another node uses the wallets in this folder: stop it first",
        ))
    }

    /// The next event that concerns the command. `None` when the node has ended.
    #[cfg(unix)]
    pub(super) async fn next(&mut self) -> Option<Report> {
        let line = self.lines.next_line().await.ok().flatten()?;
        serde_json::from_str(&line).ok()
    }

    #[cfg(not(unix))]
    pub(super) async fn next(&mut self) -> Option<Report> {
        None
    }
}
