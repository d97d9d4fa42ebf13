//! Drives a [`Node`] with tokio: carries its outputs out, and passes inputs to it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;
use tracing::debug;

use super::peer_connection::PeerConnection;
use super::store::{Store, StoreError};
use super::websocket::Socket;
use crate::audit::{Entry, Head};
use crate::keystore::Kind;
use crate::node::{
    Command, Config, Error, Event, Input, Node, Output, ServerId, SocketEvent, StoreRequest,
    Timestamp, View,
};
use crate::random::SystemRng;
use crate::wire::{PeerId, SessionId};

/// Settings of a driver.
pub struct Settings {
    /// The node's.
    pub config: Config,
    /// STUN servers to ask for outer addresses.
    pub ice_servers: Vec<String>,
    /// Where keys go.
    pub store: Arc<Store>,
}

/// What the driver's tasks report; the number tells a server's socket from those before it.
enum Report {
    Server(ServerId, u64, SocketEvent),
    Other(Input),
}

/// A running node.
pub struct Driver {
    node: Node,
    started: (Instant, u64),
    settings: Settings,
    reports: mpsc::UnboundedReceiver<Report>,
    reporter: mpsc::UnboundedSender<Report>,
    servers: HashMap<ServerId, (u64, Socket)>,
    sockets_opened: u64,
    peers: HashMap<(PeerId, u32), PeerConnection>,
    closing: Vec<tokio::task::JoinHandle<()>>,
    wake: Option<Timestamp>,
    /// Held while this node uses the wallets.
    lock: Option<std::fs::File>,
    /// Entries of audit logs on their way to the thread that stores them.
    writer: std::sync::mpsc::Sender<(String, Box<Entry>, Head)>,
    written: Option<std::thread::JoinHandle<()>>,
}

impl Driver {
    /// A node that is offline, with the identity and the contacts of its store.
    ///
    /// # Errors
    /// The store's.
    pub fn new(settings: Settings) -> Result<Self, StoreError> {
        let (identity, contacts) = (settings.store.identity()?, settings.store.contacts()?);
        let (reporter, reports) = mpsc::unbounded_channel();
        let (writer, entries) = std::sync::mpsc::channel::<(String, Box<Entry>, Head)>();
        let (store, report) = (settings.store.clone(), reporter.clone());
        let written = std::thread::spawn(move || {
            // After one that could not be stored none is: a log with a gap proves nothing.
            let mut failed: HashMap<String, String> = HashMap::new();
            for (pubkey, entry, head) in entries {
                let result = match failed.get(&pubkey) {
                    Some(error) => Err(error.clone()),
                    None => store.store_entry(&pubkey, &entry, &head).map_err(|e| e.to_string()),
                };
                if let Err(error) = &result {
                    failed.insert(pubkey.clone(), error.clone());
                }
                let _ = report.send(Report::Other(Input::EntryStored {
                    pubkey,
                    number: entry.number,
                    result,
                }));
            }
        });
        Ok(Self {
            node: Node::new(settings.config, identity, contacts, SystemRng),
            started: (Instant::now(), since_1970()),
            settings,
            reports,
            reporter,
            servers: HashMap::new(),
            sockets_opened: 0,
            peers: HashMap::new(),
            closing: Vec::new(),
            wake: None,
            lock: None,
            writer,
            written: Some(written),
        })
    }

    /// The time since 1970, which never goes back. A machine that slept has not counted that time
    /// itself.
    fn now(&mut self) -> Timestamp {
        let elapsed = u64::try_from(self.started.0.elapsed().as_millis()).unwrap_or(u64::MAX);
        let ours = self.started.1.saturating_add(elapsed);
        let clock = since_1970();
        if clock > ours.saturating_add(ASLEEP) {
            self.started.1 += clock - ours;
        }
        Timestamp::from_millis(self.started.1.saturating_add(elapsed))
    }

    /// Gives the node a command.
    ///
    /// # Errors
    /// The node's.
    pub fn command(&mut self, command: Command) -> Result<(), Error> {
        let now = self.now();
        self.node.handle(now, Input::Command(command))
    }

    /// The node's view.
    #[must_use]
    pub fn view(&self) -> View {
        self.node.view()
    }

    /// Drives the node until its next event. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Event {
        loop {
            while let Some(output) = self.node.poll() {
                if let Some(event) = self.carry_out(output) {
                    return event;
                }
            }
            let now = self.now();
            // A clock that sleeps with the machine is looked at now and then.
            let wait = self.wake.map(|at| Duration::from_millis(at.since(now)).min(LONGEST_WAIT));
            let input = tokio::select! {
                report = self.reports.recv() => match report {
                    Some(Report::Server(server, socket, event)) => {
                        if self.servers.get(&server).is_none_or(|(number, _)| *number != socket) {
                            continue; // of a socket that was closed here
                        }
                        Input::Server { server, event }
                    }
                    Some(Report::Other(input)) => input,
                    None => continue, // cannot be: we hold a sender
                },
                () = sleep(wait) => Input::Tick,
            };
            log(&input);
            if let Input::ConnectionClosed { peer, attempt, .. } = &input {
                self.peers.remove(&(peer.clone(), *attempt));
            }
            let now = self.now();
            if matches!(input, Input::Tick) {
                self.wake = None;
            }
            // Inputs other than commands are never refused.
            let _ = self.node.handle(now, input);
        }
    }

    fn carry_out(&mut self, output: Output) -> Option<Event> {
        match output {
            Output::Event(event) => return Some(event),
            Output::ViewChanged => {}
            Output::WakeAt(at) => self.wake = Some(at),
            Output::OpenServer { server, url } => {
                self.sockets_opened += 1;
                debug!(?server, socket = self.sockets_opened, "open a server's socket");
                let (reporter, number) = (self.reporter.clone(), self.sockets_opened);
                let report =
                    move |event| drop(reporter.send(Report::Server(server, number, event)));
                self.servers.insert(server, (number, Socket::open(url, report)));
            }
            Output::CloseServer { server } => {
                debug!(?server, "close the server's socket");
                if let Some((_, socket)) = self.servers.remove(&server) {
                    self.closing.push(tokio::spawn(socket.finish(Duration::from_secs(2))));
                }
            }
            Output::SendServer { server, text } => {
                if let Some((_, socket)) = self.servers.get(&server) {
                    socket.send(text);
                }
            }
            Output::OpenConnection { peer, attempt, role } => {
                debug!(%peer, attempt, ?role, "open a connection");
                let reporter = self.reporter.clone();
                let report = move |input| drop(reporter.send(Report::Other(input)));
                let stun = self.settings.ice_servers.clone();
                let connection = PeerConnection::open(peer.clone(), attempt, role, stun, report);
                self.peers.insert((peer, attempt), connection);
            }
            Output::RemoteDescription { peer, attempt, sdp } => {
                self.with_peer(peer, attempt, |connection| connection.remote_description(sdp));
            }
            Output::RemoteCandidate { peer, attempt, candidate } => {
                self.with_peer(peer, attempt, |connection| connection.remote_candidate(candidate));
            }
            Output::SendDataChannel { peer, attempt, text } => {
                self.with_peer(peer, attempt, |connection| connection.send(text));
            }
            Output::SendOver { .. } => {} // no such carrier is run here
            Output::CloseConnection { peer, attempt } => {
                debug!(%peer, attempt, "close the connection");
                if let Some(connection) = self.peers.remove(&(peer, attempt)) {
                    self.closing.retain(|task| !task.is_finished());
                    self.closing.push(tokio::spawn(connection.finish()));
                }
            }
            Output::Store { session_id, request } => self.store(session_id, request),
            Output::StoreEntry { pubkey, entry, head } => {
                // One thread stores them, in order.
                let _ = self.writer.send((pubkey, entry, head));
            }
            Output::StoreContacts(contacts) => {
                return self.write(|store| store.store_contacts(&contacts));
            }
            Output::StoreEvidence(evidence) => {
                return self.write(|store| store.store_evidence(&evidence));
            }
        }
        None
    }

    fn with_peer(&self, peer: PeerId, attempt: u32, f: impl FnOnce(&PeerConnection)) {
        if let Some(connection) = self.peers.get(&(peer, attempt)) {
            f(connection);
        }
    }

    fn store(&self, session_id: SessionId, request: StoreRequest) {
        let (store, reporter) = (self.settings.store.clone(), self.reporter.clone());
        let uses_wallets = self.lock.is_some();
        tokio::task::spawn_blocking(move || {
            let (result, made) = match request {
                StoreRequest::Unconfirmed(record) => (store.store_unconfirmed(&record), None),
                StoreRequest::Confirm { pubkey, certificate } => {
                    (store.confirm(&pubkey, certificate), Some(pubkey))
                }
            };
            let made = made
                .filter(|_| result.is_ok() && uses_wallets)
                .map(|pubkey| store.load_wallet(&pubkey));
            let result = result.map_err(|e| e.to_string());
            let _ = reporter.send(Report::Other(Input::Stored { session_id, result }));
            if let Some(Ok(wallet)) = made {
                let _ = reporter.send(Report::Other(Input::OpenWallet(Box::new(wallet))));
            }
        });
    }

    /// Takes the wallets of its store into use, for as long as this driver lives. `None` when
    /// another node uses them. Otherwise the errors of those that cannot be opened.
    ///
    /// # Errors
    /// The store's.
    pub fn use_wallets(&mut self) -> Result<Option<Vec<StoreError>>, StoreError> {
        let store = self.settings.store.clone();
        self.lock = store.lock()?;
        if self.lock.is_none() {
            return Ok(None);
        }
        let (wallets, mut broken) = store.list(Kind::Wallet)?;
        for info in wallets {
            let now = self.now();
            match store.load_wallet(&info.pubkey) {
                Ok(wallet) => drop(self.node.handle(now, Input::OpenWallet(Box::new(wallet)))), // never refused
                Err(error) => broken.push(error),
            }
        }
        Ok(Some(broken))
    }

    /// Opens the wallets of its store for reading, for a node that stays offline: nothing is
    /// stored.
    ///
    /// # Errors
    /// The store's.
    pub fn read_wallets(&mut self) -> Result<(), StoreError> {
        for info in self.settings.store.list(Kind::Wallet)?.0 {
            let now = self.now();
            let wallet = self.settings.store.load_wallet(&info.pubkey)?;
            let _ = self.node.handle(now, Input::OpenWallet(Box::new(wallet))); // never refused
        }
        while self.node.poll().is_some() {}
        Ok(())
    }

    /// Whether the other nodes have received everything that was sent.
    #[must_use]
    pub fn is_delivered(&self) -> bool {
        self.node.is_delivered()
    }

    /// Whether this node uses the wallets of its store.
    #[must_use]
    pub fn has_wallets(&self) -> bool {
        self.lock.is_some()
    }

    /// Drives the node until the other nodes have received everything that was sent, at most for 2
    /// s.
    pub async fn until_delivered(&mut self) {
        const LONGEST: Duration = Duration::from_secs(2);
        const LOOK: Duration = Duration::from_millis(5);
        let end = Instant::now() + LONGEST;
        while !self.node.is_delivered() && Instant::now() < end {
            let _ = tokio::time::timeout(LOOK, self.next()).await;
        }
    }

    /// Stores something that no session waits for. It is small and rare, so it is stored at once:
    /// order matters.
    fn write(&self, write: impl FnOnce(&Store) -> Result<(), StoreError>) -> Option<Event> {
        let error = write(&self.settings.store).err()?;
        Some(Event::Ignored { peer_id: None, reason: format!("could not be kept: {error}") })
    }

    /// Closes everything, once everything that was sent has arrived, or after a few seconds.
    pub async fn finish(mut self) {
        while let Some(output) = self.node.poll() {
            self.carry_out(output);
        }
        let mut tasks = std::mem::take(&mut self.closing);
        tasks.extend(self.peers.drain().map(|(_, connection)| tokio::spawn(connection.finish())));
        let sockets = self.servers.drain().map(|(_, (_, socket))| socket);
        tasks.extend(sockets.map(|s| tokio::spawn(s.finish(Duration::from_secs(2)))));
        for task in tasks {
            let _ = task.await;
        }
        drop(self.writer);
        if let Some(written) = self.written.take() {
            let _ = tokio::task::spawn_blocking(|| written.join()).await; // before the folder is anyone else's
        }
    }
}

/// Logs what sockets and connections report; no text that came over them.
fn log(input: &Input) {
    match input {
        Input::Server { server, event: SocketEvent::Opened } => {
            debug!(?server, "the server's socket is open");
        }
        Input::Server { server, event: SocketEvent::Closed { reason } } => {
            debug!(?server, reason, "the server's socket is closed");
        }
        Input::DataChannelOpened { peer, attempt } => debug!(%peer, attempt, "the channel is open"),
        Input::DataChannelInterrupted { peer, attempt, interrupted } => {
            debug!(%peer, attempt, interrupted, "the channel is interrupted or works");
        }
        Input::ConnectionClosed { peer, attempt, reason } => {
            debug!(%peer, attempt, reason, "the connection is closed");
        }
        _ => {}
    }
}

/// Longest wait before the clock is read once more.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How far the clock has to be ahead for the machine to have slept, in milliseconds.
const ASLEEP: u64 = 2_000;

/// Milliseconds since 1970, by the system's clock.
pub(super) fn since_1970() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
}

async fn sleep(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}
