//! Connections to signaling servers: opening, registering, knowing who is present, retrying.
//!
//! A node has one *home* server, named by [`Command::Connect`](crate::api::Command::Connect), and
//! further ones for invites and wallets that belong to another server. Each is a small state
//! machine:
//!
//! | from | event | to |
//! | --- | --- | --- |
//! | `Offline` | connect | `Opening` |
//! | `Opening` | the socket is open | `Registering` |
//! | `Registering` | any answer but an error | `Online` |
//! | `Registering`, `Online` | the server refuses the name | `Offline` |
//! | any with a socket | the socket closes, or the server does not answer in time | `Waiting` |
//! | `Waiting` | 0.5, 1, 2, 4, then every 8 seconds | `Opening` |
//! | any | disconnect | `Offline` |

use std::collections::VecDeque;

use super::ctx::Ctx;
use super::presence::ServerId;
use super::{Output, SocketEvent, presence};
use crate::api::{ConnectionState, ConnectionView, Event, Timestamp};
use crate::sorted::{Map, Set};
use crate::wire::{
    ClientMessage, ErrorCode, PROTOCOL_VERSION, PeerId, RelayData, ServerMessage, clip,
};

/// How often the node asks who is present while it waits for somebody, in milliseconds. One
/// millisecond more for each peer that the last answer named, since many peers make large answers.
const POLL: u64 = 1_000;
/// How often it asks otherwise: only this shows a connection that died without notice.
const IDLE_POLL: u64 = 30_000;

/// Where one connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Offline,
    Opening,
    Registering,
    Online,
    /// Lost; the next attempt is due at this moment.
    Waiting(Timestamp),
}

/// What the connections ask for, and what they report.
pub(super) enum Effect {
    /// For the driver.
    Output(Output),
    /// What is known of a server has changed.
    Presence(ServerId, presence::Change),
    /// The server has taken the node's name, for the first time or again.
    Registered(ServerId),
    /// A peer sent something through the server.
    Relayed { server: ServerId, from: PeerId, data: RelayData },
    /// The server does not know a peer to whom something was sent.
    NotDelivered { server: ServerId, peer: PeerId },
    /// The server has been away for longer than the deadline. For people: why.
    Gone(ServerId, String),
    /// The server does not take this node. For people: why.
    Refused(ServerId, String),
}

/// One connection.
struct Server {
    state: State,
    url: String,
    me: PeerId,
    since: Timestamp,
    /// Why it is not online, for people.
    error: Option<String>,
    /// Whether it has been registered since it was named.
    was_online: bool,
    /// Since when it is away, while it is wanted.
    away_since: Option<Timestamp>,
    /// Whether [`Effect::Gone`] was reported for this absence.
    gone: bool,
    /// When the node last asked who is present.
    asked_at: Timestamp,
    /// When the oldest unanswered request to the server was sent.
    awaiting_reply_since: Option<Timestamp>,
    failures: u32,
    /// Somebody is awaited there: the node asks more often.
    awaits_peers: bool,
}

impl Server {
    fn new(url: String, me: PeerId) -> Self {
        Self {
            state: State::Offline,
            url,
            me,
            since: Timestamp::default(),
            error: None,
            was_online: false,
            away_since: None,
            gone: false,
            asked_at: Timestamp::default(),
            awaiting_reply_since: None,
            failures: 0,
            awaits_peers: false,
        }
    }

    fn enter(&mut self, state: State, now: Timestamp) {
        self.state = state;
        self.since = now;
        let awaits_reply = matches!(state, State::Opening | State::Registering);
        self.awaiting_reply_since = awaits_reply.then_some(now);
    }

    fn has_socket(&self) -> bool {
        matches!(self.state, State::Opening | State::Registering | State::Online)
    }

    /// When to ask next who is present, of a server that named `peers` last.
    fn next_poll(&self, peers: u64) -> Option<Timestamp> {
        let pause = if self.awaits_peers { POLL + peers } else { IDLE_POLL + 100 * peers };
        (self.state == State::Online).then(|| self.asked_at.after(pause))
    }

    fn next_deadline(&self, peers: u64, patience: u64) -> Option<Timestamp> {
        let retry = if let State::Waiting(at) = self.state { Some(at) } else { None };
        let reply = self.awaiting_reply_since.map(|since| since.after(patience));
        let gone = self.away_since.filter(|_| !self.gone).map(|since| since.after(patience));
        [retry, reply, gone, self.next_poll(peers)].into_iter().flatten().min()
    }
}

/// All connections to signaling servers.
#[derive(Default)]
pub(super) struct Signaling {
    servers: Map<ServerId, Server>,
    home: Option<ServerId>,
    last_id: u32,
    effects: VecDeque<Effect>,
}

impl Signaling {
    /// The server that [`Signaling::connect`] named last.
    pub(super) fn home(&self) -> Option<ServerId> {
        self.home
    }

    /// The servers beside the home server.
    pub(super) fn further(&self) -> Vec<ServerId> {
        self.servers.keys().copied().filter(|id| Some(*id) != self.home).collect()
    }

    /// Whether the home server is that one, under that name.
    pub(super) fn is_home(&self, url: &str, me: &PeerId) -> bool {
        let home = self.home.and_then(|id| self.servers.get(&id));
        home.is_some_and(|server| server.url == url && server.me == *me)
    }

    /// The address of a server, as it was given.
    pub(super) fn url(&self, server: ServerId) -> Option<&str> {
        self.servers.get(&server).map(|server| server.url.as_str())
    }

    /// Makes a server the home server, and connects to it unless it is connected. The caller has
    /// forgotten another home server.
    pub(super) fn connect(&mut self, ctx: &mut Ctx<'_>, url: String, me: PeerId) -> ServerId {
        let id = self.named(&url, &me).unwrap_or_else(|| self.add(url, me));
        self.home = Some(id);
        self.open_unless_open(ctx, id);
        id
    }

    /// Connects to a further server, unless it is known.
    pub(super) fn join(&mut self, ctx: &mut Ctx<'_>, url: String, me: PeerId) -> ServerId {
        if let Some(id) = self.named(&url, &me) {
            return id;
        }
        let id = self.add(url, me);
        self.open_unless_open(ctx, id);
        id
    }

    fn named(&self, url: &str, me: &PeerId) -> Option<ServerId> {
        let mut servers = self.servers.iter();
        servers.find(|(_, server)| server.url == url && server.me == *me).map(|(id, _)| *id)
    }

    fn add(&mut self, url: String, me: PeerId) -> ServerId {
        self.last_id += 1;
        let id = ServerId::new(self.last_id);
        let change = presence::Change::Added { me: me.clone() };
        self.effects.push_back(Effect::Presence(id, change));
        self.servers.insert(id, Server::new(url, me));
        id
    }

    fn open_unless_open(&mut self, ctx: &mut Ctx<'_>, id: ServerId) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        if server.has_socket() {
            return;
        }
        (server.gone, server.failures, server.error, server.away_since) = (false, 0, None, None);
        self.open(ctx, id);
    }

    fn open(&mut self, ctx: &mut Ctx<'_>, id: ServerId) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        server.enter(State::Opening, ctx.now);
        server.away_since.get_or_insert(ctx.now);
        let url = server.url.clone();
        self.effects.push_back(Effect::Output(Output::OpenServer { server: id, url }));
    }

    /// Leaves a server. It stays known, and shown if it is the home server.
    pub(super) fn close(&mut self, ctx: &mut Ctx<'_>, id: ServerId) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        if server.has_socket() {
            self.effects.push_back(Effect::Output(Output::CloseServer { server: id }));
        }
        server.enter(State::Offline, ctx.now);
        (server.away_since, server.error) = (None, None);
        self.effects.push_back(Effect::Presence(id, presence::Change::Offline));
    }

    /// Leaves a server and forgets it.
    pub(super) fn forget(&mut self, ctx: &mut Ctx<'_>, id: ServerId) {
        self.close(ctx, id);
        self.servers.remove(&id);
        self.effects.push_back(Effect::Presence(id, presence::Change::Forgotten));
        self.home = self.home.filter(|home| *home != id);
    }

    /// Notes whether somebody is awaited at a server.
    pub(super) fn await_peers(&mut self, id: ServerId, awaits: bool) {
        if let Some(server) = self.servers.get_mut(&id) {
            server.awaits_peers = awaits;
        }
    }

    /// Asks a server who is present.
    pub(super) fn list_peers(&mut self, ctx: &mut Ctx<'_>, id: ServerId) {
        if let Some(server) = self.servers.get_mut(&id) {
            server.asked_at = ctx.now;
            server.awaiting_reply_since.get_or_insert(ctx.now);
            self.send(id, &ClientMessage::ListPeers);
        }
    }

    /// Sends something to a peer through a server, if that is online.
    pub(super) fn relay(&mut self, id: ServerId, to: PeerId, data: &RelayData) {
        if self.servers.get(&id).is_some_and(|server| server.state == State::Online) {
            self.send(id, &ClientMessage::Relay { to, data: data.to_raw() });
        }
    }

    fn send(&mut self, server: ServerId, message: &ClientMessage) {
        let text = message.to_json();
        self.effects.push_back(Effect::Output(Output::SendServer { server, text }));
    }

    fn event(&mut self, event: Event) {
        self.effects.push_back(Effect::Output(Output::Event(event)));
    }

    /// Takes what the driver reports.
    pub(super) fn handle(&mut self, ctx: &mut Ctx<'_>, (id, event): (ServerId, SocketEvent)) {
        match event {
            SocketEvent::Opened => self.opened(ctx, id),
            SocketEvent::Text(text) => self.received(ctx, id, &text),
            SocketEvent::Closed { reason } => self.lost(ctx, id, clip(&reason)),
        }
    }

    /// The next thing to do. Retries, asks, and gives up what is due by the clock.
    pub(super) fn poll(&mut self, ctx: &mut Ctx<'_>) -> Option<Effect> {
        if self.effects.is_empty() {
            let ids: Vec<ServerId> = self.servers.keys().copied().collect();
            ids.into_iter().for_each(|id| self.tick(ctx, id));
        }
        self.effects.pop_front()
    }

    /// When the clock alone moves a connection.
    pub(super) fn next_deadline(&self, ctx: &Ctx<'_>) -> Option<Timestamp> {
        let patience = ctx.config.deadlines.server;
        let deadline =
            |(id, server): (&ServerId, &Server)| server.next_deadline(peers(ctx, *id), patience);
        self.servers.iter().filter_map(deadline).min()
    }

    fn tick(&mut self, ctx: &mut Ctx<'_>, id: ServerId) {
        let (now, patience) = (ctx.now, ctx.config.deadlines.server);
        let Some(server) = self.servers.get_mut(&id) else { return };
        if server.awaiting_reply_since.is_some_and(|since| since.after(patience) <= now) {
            self.effects.push_back(Effect::Output(Output::CloseServer { server: id }));
            return self.lost(ctx, id, format!("it did not answer within {} s", patience / 1000));
        }
        if matches!(server.state, State::Waiting(at) if at <= now) {
            return self.open(ctx, id);
        }
        let away = server.away_since.is_some_and(|since| since.after(patience) <= now);
        if away && !server.gone {
            server.gone = true;
            let why = server.error.clone().unwrap_or_else(|| "no answer".to_owned());
            self.event(Event::ServerGone { reason: why.clone() });
            self.effects.push_back(Effect::Gone(id, why));
            return;
        }
        if server.next_poll(peers(ctx, id)).is_some_and(|at| at <= now) {
            self.list_peers(ctx, id);
        }
    }

    fn opened(&mut self, ctx: &mut Ctx<'_>, id: ServerId) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        if server.state != State::Opening {
            return;
        }
        server.enter(State::Registering, ctx.now);
        let claim = Some(ctx.identity.claim(&server.url, server.me.as_str()));
        let register = ClientMessage::Register {
            peer_id: server.me.clone(),
            protocol: Some(PROTOCOL_VERSION),
            claim,
        };
        self.send(id, &register);
        // A baseline server does not answer `register`. It does answer this, and in order.
        self.list_peers(ctx, id);
    }

    fn lost(&mut self, ctx: &mut Ctx<'_>, id: ServerId, reason: String) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        if !server.has_socket() {
            return;
        }
        let was_registered = server.was_online;
        let wait = 500 << server.failures.min(4);
        server.failures = server.failures.saturating_add(1);
        server.enter(State::Waiting(ctx.now.after(wait)), ctx.now);
        server.error = Some(reason.clone());
        server.away_since.get_or_insert(ctx.now);
        self.event(Event::ServerLost { reason, was_registered });
        self.effects.push_back(Effect::Presence(id, presence::Change::Offline));
    }

    fn refused(&mut self, ctx: &mut Ctx<'_>, id: ServerId, reason: String) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        server.enter(State::Offline, ctx.now);
        server.away_since = None;
        server.error = Some(reason.clone());
        self.event(Event::ServerRefused { reason: reason.clone() });
        self.effects.push_back(Effect::Presence(id, presence::Change::Offline));
        self.effects.push_back(Effect::Refused(id, reason));
    }

    fn registered(&mut self, ctx: &mut Ctx<'_>, id: ServerId) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        if server.state != State::Registering {
            return;
        }
        server.enter(State::Online, ctx.now);
        server.was_online = true;
        (server.away_since, server.gone, server.error, server.failures) = (None, false, None, 0);
        let peer_id = server.me.clone();
        self.effects.push_back(Effect::Presence(id, presence::Change::Online));
        self.effects.push_back(Effect::Registered(id));
        self.event(Event::Registered { peer_id });
    }

    fn received(&mut self, ctx: &mut Ctx<'_>, id: ServerId, text: &str) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        if !matches!(server.state, State::Registering | State::Online) {
            return;
        }
        server.awaiting_reply_since = None;
        match ServerMessage::parse(text) {
            Ok(ServerMessage::Peers { peers }) => {
                self.registered(ctx, id);
                let present: Set<PeerId> = peers.iter().cloned().collect();
                self.effects.push_back(Effect::Presence(id, presence::Change::Present(present)));
                self.event(Event::Peers { peers });
            }
            Ok(ServerMessage::Relay { from, data }) => {
                self.registered(ctx, id); // a server relays only to those it has registered
                match RelayData::parse(&data) {
                    Ok(data) => self.relayed(ctx, id, from, data),
                    Err(error) => self.ignored(Some(from), error.to_string()),
                }
            }
            Ok(ServerMessage::Error { error, code, peer_id }) => {
                self.error(ctx, id, error, code, peer_id);
            }
            Err(error) => {
                let reason = format!("the server sent what is no message of the protocol: {error}");
                self.ignored(None, reason);
            }
        }
    }

    fn relayed(&mut self, ctx: &Ctx<'_>, server: ServerId, from: PeerId, data: RelayData) {
        let is_me = self.servers.get(&server).is_some_and(|known| known.me == from);
        if is_me || ctx.contacts.is_blocked(&from) {
            return; // a blocked contact gets no answer
        }
        self.effects.push_back(Effect::Presence(server, presence::Change::Came(from.clone())));
        self.effects.push_back(Effect::Relayed { server, from, data });
    }

    fn error(
        &mut self,
        ctx: &mut Ctx<'_>,
        id: ServerId,
        error: String,
        code: Option<ErrorCode>,
        peer: Option<PeerId>,
    ) {
        let Some(server) = self.servers.get(&id) else { return };
        let close = Effect::Output(Output::CloseServer { server: id });
        if server.state == State::Registering {
            self.effects.push_back(close);
            // The server may not have noticed yet that this node's old socket is dead. A baseline
            // server names no code.
            let retry =
                matches!(code, None | Some(ErrorCode::PeerIdTaken | ErrorCode::RateLimited));
            return if self.servers.get(&id).is_some_and(|server| server.was_online) && retry {
                self.lost(ctx, id, error)
            } else {
                self.refused(ctx, id, error)
            };
        }
        match (code, peer) {
            (Some(ErrorCode::NotRegistered), _) => {
                self.effects.push_back(close);
                self.lost(ctx, id, error);
            }
            // Another process of this node has taken the name. Two would take it from each other
            // for ever.
            (Some(ErrorCode::PeerIdTaken), _) => {
                self.effects.push_back(close);
                self.refused(ctx, id, error);
            }
            (Some(ErrorCode::TargetOffline), Some(peer)) => {
                let left = presence::Change::Left(peer.clone());
                self.effects.push_back(Effect::Presence(id, left));
                self.effects.push_back(Effect::NotDelivered { server: id, peer });
            }
            _ => self.ignored(None, format!("the server says: {error}")),
        }
    }

    fn ignored(&mut self, peer_id: Option<PeerId>, reason: String) {
        self.event(Event::Ignored { peer_id, reason });
    }

    /// What people see of the home server.
    pub(super) fn view(&self) -> ConnectionView {
        let Some(server) = self.home.and_then(|id| self.servers.get(&id)) else {
            return ConnectionView {
                state: ConnectionState::Offline,
                server_url: None,
                peer_id: None,
                error: None,
                since: Timestamp::default(),
            };
        };
        ConnectionView {
            state: match server.state {
                State::Offline => ConnectionState::Offline,
                State::Online => ConnectionState::Online,
                State::Opening | State::Registering | State::Waiting(_) => {
                    ConnectionState::Connecting
                }
            },
            server_url: Some(server.url.clone()),
            peer_id: Some(server.me.clone()),
            error: server.error.clone(),
            since: server.since,
        }
    }
}

fn peers(ctx: &Ctx<'_>, server: ServerId) -> u64 {
    ctx.presence.at(server).map_or(0, |known| known.present().len() as u64)
}
