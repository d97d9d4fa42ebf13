//! Drives a [`Node`] in a browser: carries its outputs out, hands it what happens, and publishes snapshots.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use gloo_timers::callback::Timeout;
use js_sys::Function;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;

use super::fatal;
use super::inbox::Inbox;
use super::peer_connection::PeerConnection;
use super::snapshot::{KeystoreState, Snapshot, Status, Wallet, to_js};
use super::store::Store;
use super::websocket::Socket;
use crate::keystore::{Keystore, KeystoreError, Kind, WalletRecord};
use crate::node::{Command, Config, Error, Input, Node, Output, StoreRequest, Timestamp};
use crate::random::SystemRng;
use crate::wire::{PeerId, SessionId};

/// What the browser's callbacks report; the number tells a server socket from those before it.
enum Report {
    Server(u64, Input),
    Other(Input),
}

/// A running node and all that belongs to it.
pub(super) struct Driver {
    state: RefCell<State>,
    inbox: Inbox<Report>,
    pub store: Store,
    listener: Function,
}

struct State {
    node: Node<SystemRng>,
    server: Option<Socket>,
    sockets_opened: u64,
    peers: HashMap<(PeerId, u32), PeerConnection>,
    timer: Option<Timeout>,
    keystore: Option<Rc<Keystore>>,
    exists: bool,
    remembered: Option<(String, String)>,
    wallets: Vec<Wallet>,
    problems: Vec<String>,
    publishing: bool,
}

fn now() -> Timestamp {
    // Milliseconds since 1970, far below 2^53.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Timestamp::from_millis(js_sys::Date::now() as u64)
}

impl Driver {
    /// Starts the task that drives the node.
    pub(super) fn start(
        store: Store,
        exists: bool,
        remembered: Option<(String, String)>,
        listener: Function,
    ) -> Rc<Self> {
        let state = State {
            node: Node::new(Config::default(), SystemRng),
            server: None,
            sockets_opened: 0,
            peers: HashMap::new(),
            timer: None,
            keystore: None,
            exists,
            remembered,
            wallets: Vec::new(),
            problems: Vec::new(),
            publishing: false,
        };
        let this = Rc::new(Self { state: RefCell::new(state), inbox: Inbox::new(), store, listener });
        let driver = this.clone();
        spawn_local(async move {
            loop {
                let report = driver.inbox.take().await;
                driver.happened(report);
            }
        });
        this.publish();
        this
    }

    /// Gives the node a command.
    pub(super) fn command(self: &Rc<Self>, command: Command) -> Result<(), Error> {
        let mut state = self.state.borrow_mut();
        let result = state.node.handle(now(), Input::Command(command));
        self.carry_out(&mut state);
        result
    }

    fn happened(self: &Rc<Self>, report: Report) {
        let mut state = self.state.borrow_mut();
        let input = match report {
            Report::Server(number, _) if number != state.sockets_opened => return,
            Report::Server(_, input) | Report::Other(input) => input,
        };
        if let Input::ConnectionClosed { peer, attempt, .. } = &input {
            state.peers.remove(&(peer.clone(), *attempt));
        }
        // Inputs other than commands are never refused.
        let _ = state.node.handle(now(), input);
        self.carry_out(&mut state);
    }

    fn carry_out(self: &Rc<Self>, state: &mut State) {
        while let Some(output) = state.node.poll() {
            match output {
                Output::Event(_) => {}
                Output::ViewChanged => self.publish_soon(state),
                Output::WakeAt(at) => self.wake(state, at),
                Output::OpenServer { url } => self.open_server(state, &url),
                Output::CloseServer => {
                    state.sockets_opened += 1;
                    state.server = None;
                }
                Output::SendServer(text) => {
                    if let Some(socket) = &state.server {
                        socket.send(&text);
                    }
                }
                Output::OpenConnection { peer, attempt, role } => {
                    let inbox = self.inbox.clone();
                    let report = Rc::new(move |input| inbox.put(Report::Other(input)));
                    match PeerConnection::open(peer.clone(), attempt, role, &[], report) {
                        Ok(connection) => drop(state.peers.insert((peer, attempt), connection)),
                        Err(reason) => {
                            self.inbox.put(Report::Other(Input::ConnectionClosed { peer, attempt, reason }));
                        }
                    }
                }
                Output::RemoteDescription { peer, attempt, sdp } => {
                    if let Some(connection) = state.peers.get(&(peer, attempt)) {
                        connection.remote_description(sdp);
                    }
                }
                Output::RemoteCandidate { peer, attempt, candidate } => {
                    if let Some(connection) = state.peers.get(&(peer, attempt)) {
                        connection.remote_candidate(&candidate);
                    }
                }
                Output::SendChannel { peer, attempt, text } => {
                    if let Some(connection) = state.peers.get(&(peer, attempt)) {
                        connection.send(text.as_str());
                    }
                }
                Output::CloseConnection { peer, attempt } => drop(state.peers.remove(&(peer, attempt))),
                Output::Store { session_id, request } => self.keep(state, session_id, request),
            }
        }
    }

    fn open_server(&self, state: &mut State, url: &str) {
        state.sockets_opened += 1;
        let (inbox, number) = (self.inbox.clone(), state.sockets_opened);
        match Socket::open(url, move |input| inbox.put(Report::Server(number, input))) {
            Ok(socket) => state.server = Some(socket),
            Err(reason) => self.inbox.put(Report::Server(number, Input::ServerClosed { reason })),
        }
    }

    fn wake(&self, state: &mut State, at: Timestamp) {
        let inbox = self.inbox.clone();
        let wait = u32::try_from(at.since(now())).unwrap_or(u32::MAX).min(MAX_WAIT);
        state.timer = Some(Timeout::new(wait, move || inbox.put(Report::Other(Input::Tick))));
    }

    // ---- keys ----

    /// The keystore is unlocked, for the first time or again: shows its wallets.
    pub(super) async fn unlocked(self: &Rc<Self>, keystore: Keystore) -> Result<(), String> {
        {
            let mut state = self.state.borrow_mut();
            state.keystore = Some(Rc::new(keystore));
            state.exists = true;
        }
        self.load_wallets().await
    }

    /// Forgets the key of the keystore and ends everything that needs it.
    pub(super) fn lock(self: &Rc<Self>) {
        let view = self.state.borrow().node.view();
        for session in view.sessions {
            let _ = self.command(Command::Cancel { session_id: session.session_id }); // may be over
        }
        let _ = self.command(Command::Disconnect); // never refused
        let mut state = self.state.borrow_mut();
        state.keystore = None;
        state.wallets.clear();
        self.publish_soon(&mut state);
    }

    pub(super) fn keystore(&self) -> Option<Rc<Keystore>> {
        self.state.borrow().keystore.clone()
    }

    async fn load_wallets(self: &Rc<Self>) -> Result<(), String> {
        let Some(keystore) = self.keystore() else { return Ok(()) };
        let (mut wallets, mut problems) = (BTreeMap::new(), Vec::new());
        for (kind, status) in [(Kind::Wallet, Status::Active), (Kind::Unconfirmed, Status::Unconfirmed)] {
            for envelope in self.store.all(kind).await? {
                match keystore.open_record(kind, &envelope) {
                    Ok(WalletRecord { info, .. }) => {
                        wallets.insert((info.created, info.pubkey.clone()), Wallet { info, status });
                    }
                    Err(error) => problems.push(format!("a stored key cannot be opened: {error}")),
                }
            }
        }
        let mut state = self.state.borrow_mut();
        state.wallets = wallets.into_values().collect();
        state.problems = problems;
        self.publish_soon(&mut state);
        Ok(())
    }

    fn keep(self: &Rc<Self>, state: &State, session_id: SessionId, request: StoreRequest) {
        let (driver, keystore) = (self.clone(), state.keystore.clone());
        spawn_local(async move {
            let result = match keystore {
                Some(keystore) => driver.write(&keystore, request).await,
                None => Err("the keystore is locked".to_owned()),
            };
            if result.is_ok() {
                let _ = driver.load_wallets().await; // shown again later; the key itself is kept
            }
            driver.inbox.put(Report::Other(Input::Stored { session_id, result }));
        });
    }

    async fn write(&self, keystore: &Keystore, request: StoreRequest) -> Result<(), String> {
        let failed = |e: KeystoreError| e.to_string();
        match request {
            StoreRequest::Keep(record) => {
                let envelope = keystore.seal_record(Kind::Unconfirmed, &record, &mut SystemRng).map_err(failed)?;
                self.store.put(Kind::Unconfirmed, &record.info.pubkey, &envelope).await
            }
            StoreRequest::Confirm { pubkey } => {
                let envelope = self.store.envelope(Kind::Unconfirmed, &pubkey).await?;
                let envelope = envelope.ok_or("the unconfirmed key is gone")?;
                let record = keystore.open_record(Kind::Unconfirmed, &envelope).map_err(failed)?;
                let envelope = keystore.seal_record(Kind::Wallet, &record, &mut SystemRng).map_err(failed)?;
                self.store.confirm(&pubkey, &envelope).await
            }
        }
    }

    // ---- snapshots ----

    /// Notes which server and name to show, and to use again, when the node is offline.
    pub(super) fn remember(self: &Rc<Self>, server_url: String, peer_id: String) {
        let mut state = self.state.borrow_mut();
        state.remembered = Some((server_url, peer_id));
        self.publish_soon(&mut state);
    }

    pub(super) fn remembered(&self) -> Option<(String, String)> {
        self.state.borrow().remembered.clone()
    }

    /// Publishes once for all that happens in this turn of the event loop.
    fn publish_soon(self: &Rc<Self>, state: &mut State) {
        if !std::mem::replace(&mut state.publishing, true) {
            let driver = self.clone();
            Timeout::new(0, move || {
                driver.state.borrow_mut().publishing = false;
                driver.publish();
            })
            .forget();
        }
    }

    fn publish(&self) {
        let snapshot = self.snapshot();
        fatal::remember(&snapshot);
        let _ = self.listener.call1(&JsValue::NULL, &snapshot); // a listener's own fault
    }

    /// The snapshot as a plain JavaScript value.
    pub(super) fn snapshot(&self) -> JsValue {
        let state = self.state.borrow();
        let mut view = state.node.view();
        if let (None, Some((server_url, peer_id))) = (&view.connection.server_url, &state.remembered) {
            view.connection.server_url = Some(server_url.clone());
            view.connection.peer_id = peer_id.parse().ok();
        }
        let keystore = match (&state.keystore, state.exists) {
            (Some(_), _) => KeystoreState::Unlocked,
            (None, true) => KeystoreState::Locked,
            (None, false) => KeystoreState::Absent,
        };
        let (wallets, problems) = (&state.wallets, &state.problems);
        to_js(&Snapshot { version: 1, keystore, view, wallets, problems, fatal: None })
    }
}

/// Longest timer, in milliseconds: the node looks at the clock at least this often.
const MAX_WAIT: u32 = 60_000;
