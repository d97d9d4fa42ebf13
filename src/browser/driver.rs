//! Drives a [`Node`] in a browser: carries its outputs out, passes inputs to it, and publishes
//! snapshots.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use gloo_timers::callback::Timeout;
use js_sys::Function;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;

use super::fatal;
use super::inbox::Inbox;
use super::peer_connection::PeerConnection;
use super::store::Store;
use super::storing::Writing;
use super::to_js;
use super::websocket::Socket;
use crate::api::{
    Command, ConnectionState, ConnectionView, Event, KeystoreState, Refusal, Snapshot, Timestamp,
    View, WalletView,
};
use crate::keystore::Keystore;
use crate::node::{Input, Node, Output, ServerId, SocketEvent};
use crate::wire::PeerId;

/// What the browser's callbacks report; the number tells a server's socket from those before it.
pub(super) enum Report {
    Server(ServerId, u64, SocketEvent),
    Other(Input),
}

/// A running node and all that belongs to it.
pub(super) struct Driver {
    pub(super) state: RefCell<State>,
    pub(super) inbox: Inbox<Report>,
    pub(super) store: Store,
    listener: Function,
}

pub(super) struct State {
    /// Exists while the keystore is unlocked: the node needs its identity.
    pub node: Option<Node>,
    /// By server, with the number of the socket.
    servers: Vec<(ServerId, u64, Socket)>,
    sockets_opened: u64,
    /// By peer and attempt. There are few: a map would take 7 KB of the module.
    peers: Vec<(PeerId, u32, PeerConnection)>,
    timer: Option<Timeout>,
    pub keystore: Option<Rc<Keystore>>,
    /// A password has been set.
    pub exists: bool,
    /// Since when the keystore is locked.
    since: Timestamp,
    remembered: Option<(String, String)>,
    pub wallets: Vec<WalletView>,
    pub problems: Vec<String>,
    publishing: bool,
    /// Entries of audit logs that wait to be stored, and whether a task stores them.
    pub writing: VecDeque<Writing>,
    pub is_writing: bool,
}

impl State {
    fn peer(&self, peer: &PeerId, attempt: u32) -> Option<&PeerConnection> {
        self.peers
            .iter()
            .find(|(id, number, _)| id == peer && *number == attempt)
            .map(|(_, _, connection)| connection)
    }

    /// Shows why nothing can be signed with a wallet, unless it shows already that it has no
    /// certificate.
    fn unusable(&mut self, pubkey: &str, reason: &str) {
        if self.wallets.iter().any(|wallet| wallet.info.pubkey == pubkey && wallet.certified) {
            self.problems.push(format!("nothing can be signed with the key {pubkey}: {reason}"));
        }
    }

    fn close(&mut self, peer: &PeerId, attempt: u32) {
        self.peers.retain(|(id, number, _)| id != peer || *number != attempt);
    }
}

pub(super) fn now() -> Timestamp {
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
            node: None,
            servers: Vec::new(),
            sockets_opened: 0,
            peers: Vec::new(),
            timer: None,
            keystore: None,
            exists,
            since: now(),
            remembered,
            wallets: Vec::new(),
            problems: Vec::new(),
            publishing: false,
            writing: VecDeque::new(),
            is_writing: false,
        };
        let this =
            Rc::new(Self { state: RefCell::new(state), inbox: Inbox::new(), store, listener });
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
    pub(super) fn command(self: &Rc<Self>, command: Command) -> Result<(), Refusal> {
        let mut state = self.state.borrow_mut();
        let result =
            state.node.as_mut().ok_or_else(Refusal::locked)?.handle(now(), Input::Command(command));
        self.carry_out(&mut state);
        Ok(result?)
    }

    fn happened(self: &Rc<Self>, report: Report) {
        let mut state = self.state.borrow_mut();
        let input = match report {
            Report::Server(server, number, event) => {
                if !state.servers.iter().any(|(id, n, _)| *id == server && *n == number) {
                    return; // of a socket that was closed here
                }
                Input::Server { server, event }
            }
            Report::Other(input) => input,
        };
        if let Input::ConnectionClosed { peer, attempt, .. } = &input {
            state.close(peer, *attempt);
        }
        // Inputs other than commands are never refused.
        let _ = state.node.as_mut().map(|node| node.handle(now(), input));
        self.carry_out(&mut state);
    }

    fn carry_out(self: &Rc<Self>, state: &mut State) {
        while let Some(output) = state.node.as_mut().and_then(Node::poll) {
            match output {
                Output::Event(Event::WalletUnusable { pubkey, reason }) => {
                    state.unusable(&pubkey, &reason)
                }
                Output::Event(_) => {}
                Output::ViewChanged => self.publish_soon(state),
                Output::WakeAt(at) => self.wake(state, at),
                Output::OpenServer { server, url } => self.open_server(state, server, &url),
                Output::CloseServer { server } => state.servers.retain(|(id, ..)| *id != server),
                Output::SendServer { server, text } => {
                    if let Some((_, _, socket)) =
                        state.servers.iter().find(|(id, ..)| *id == server)
                    {
                        socket.send(&text);
                    }
                }
                Output::OpenConnection { peer, attempt, role } => {
                    let inbox = self.inbox.clone();
                    let report = Rc::new(move |input| inbox.put(Report::Other(input)));
                    match PeerConnection::open(peer.clone(), attempt, role, &[], report) {
                        Ok(connection) => state.peers.push((peer, attempt, connection)),
                        Err(reason) => {
                            self.inbox.put(Report::Other(Input::ConnectionClosed {
                                peer,
                                attempt,
                                reason,
                            }));
                        }
                    }
                }
                Output::RemoteDescription { peer, attempt, sdp } => {
                    if let Some(connection) = state.peer(&peer, attempt) {
                        connection.remote_description(sdp);
                    }
                }
                Output::RemoteCandidate { peer, attempt, candidate } => {
                    if let Some(connection) = state.peer(&peer, attempt) {
                        connection.remote_candidate(&candidate);
                    }
                }
                Output::SendDataChannel { peer, attempt, text } => {
                    if let Some(connection) = state.peer(&peer, attempt) {
                        connection.send(text.as_str());
                    }
                }
                Output::SendOver { .. } => {} // no such carrier is run here
                Output::CloseConnection { peer, attempt } => state.close(&peer, attempt),
                Output::Store { session_id, request } => self.store_key(state, session_id, request),
                Output::StoreEntry { pubkey, entry, head } => {
                    self.store_entry(state, pubkey, entry, head)
                }
                Output::StoreContacts(contacts) => self.store_contacts(state, contacts),
                Output::StoreEvidence(evidence) => self.store_evidence(state, evidence),
            }
        }
    }

    fn open_server(&self, state: &mut State, server: ServerId, url: &str) {
        state.sockets_opened += 1;
        let (inbox, number) = (self.inbox.clone(), state.sockets_opened);
        let failed = self.inbox.clone();
        match Socket::open(url, move |event| inbox.put(Report::Server(server, number, event))) {
            Ok(socket) => state.servers.push((server, number, socket)),
            Err(reason) => {
                let event = SocketEvent::Closed { reason };
                failed.put(Report::Other(Input::Server { server, event }));
            }
        }
    }

    fn wake(&self, state: &mut State, at: Timestamp) {
        let inbox = self.inbox.clone();
        let wait = u32::try_from(at.since(now())).unwrap_or(u32::MAX).min(MAX_WAIT);
        state.timer = Some(Timeout::new(wait, move || inbox.put(Report::Other(Input::Tick))));
    }

    /// Ends the node, and drops its state.
    pub(super) fn stop(self: &Rc<Self>) {
        let sessions = self.view().sessions;
        for session in sessions {
            let _ = self.command(Command::Cancel { session_id: session.session_id }); // may be over
        }
        let _ = self.command(Command::Disconnect); // never refused
        let mut state = self.state.borrow_mut();
        state.peers.clear();
        state.timer = None;
        state.node = None;
        state.since = now();
        self.publish_soon(&mut state);
    }

    // ---- snapshots ----

    /// Sets the server and peer id to show while the node is offline, and to connect to next time.
    pub(super) fn remember(self: &Rc<Self>, server_url: String, peer_id: String) {
        let mut state = self.state.borrow_mut();
        state.remembered = Some((server_url, peer_id));
        self.publish_soon(&mut state);
    }

    pub(super) fn remembered(&self) -> Option<(String, String)> {
        self.state.borrow().remembered.clone()
    }

    /// Publishes once for all that happens in this turn of the event loop.
    pub(super) fn publish_soon(self: &Rc<Self>, state: &mut State) {
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

    /// The view of the node. Without a node, only the server to connect to.
    pub(super) fn view(&self) -> View {
        let state = self.state.borrow();
        let mut view = state.node.as_ref().map_or_else(|| nothing(state.since), Node::view);
        if let (None, Some((server_url, peer_id))) =
            (&view.connection.server_url, &state.remembered)
        {
            view.connection.server_url = Some(server_url.clone());
            view.connection.peer_id = peer_id.parse().ok();
        }
        view
    }

    /// The snapshot as a plain JavaScript value.
    pub(super) fn snapshot(&self) -> JsValue {
        let view = self.view();
        let state = self.state.borrow();
        let keystore = match (&state.keystore, state.exists) {
            (Some(_), _) => KeystoreState::Unlocked,
            (None, true) => KeystoreState::Locked,
            (None, false) => KeystoreState::Absent,
        };
        let (wallets, problems) = (&state.wallets, &state.problems);
        to_js(&Snapshot { version: 1, keystore, view, wallets, problems, fatal: None })
    }
}

/// The view of no node.
fn nothing(since: Timestamp) -> View {
    let (state, server_url, peer_id, error) = (ConnectionState::Offline, None, None, None);
    let connection = ConnectionView { state, server_url, peer_id, error, since };
    View {
        connection,
        peers_online: Vec::new(),
        sessions: Vec::new(),
        invites: Vec::new(),
        identity: String::new(),
        contacts: Vec::new(),
        groups: Vec::new(),
    }
}

/// Longest timer, in milliseconds: the node looks at the clock at least this often.
const MAX_WAIT: u32 = 60_000;
