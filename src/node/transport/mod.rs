//! Secure channels over carriers, for sessions and wallets alike.
//!
//! Its users name the peers that they want to talk to, by the id under which they do so: a
//! session's id, or for a wallet's members the hex of the group id. The transport handshakes with
//! them, seals and numbers their messages, picks the carrier anew for every flush, and sends again
//! what was not acknowledged. Baseline peers have no secure channel: their messages pass through it
//! in the clear.
//!
//! - `carrier` says what a carrier is; `carriers` has one file for each.
//! - `channel` is one secure channel; `handshakes` makes them; `flush` hands frames to carriers.

mod carrier;
mod carriers;
mod channel;
mod effect;
mod flush;
mod handshakes;

use std::collections::VecDeque;

use self::carrier::Carrier;
pub use self::carriers::{DIRECT, RELAY, carrier_info, carriers};
use self::channel::SecureChannel;
pub(in crate::node) use self::effect::{
    Admission, CarrierSpec, DriverInput, Effect, Input, Path, SessionScope, Stage,
};
use super::ctx::Ctx;
use super::early::EarlyMessages;
use super::presence::{Address, Presence, ServerId};
use super::{CarrierEvent, Config, Output};
use crate::api::{CarrierId, Event, Timestamp};
use crate::identity::Identity;
use crate::sorted::{Map, Set};
use crate::wire::{PROTOCOL_VERSION, PeerId, PeerMessage, RelayData, SessionId, WireError};

/// The members of a wallet, who keep channels to each other.
struct Group {
    server: Option<ServerId>,
    me: PeerId,
    members: Vec<(PeerId, Identity)>,
    /// Something goes on for which a direct connection is worth it.
    busy: bool,
}

impl Group {
    /// The server at which the members are, if this node has its name of the wallet there.
    fn server(&self, presence: &Presence) -> Option<ServerId> {
        let server = self.server.or_else(|| presence.home())?;
        (presence.me(server) == Some(&self.me)).then_some(server)
    }

    fn identity_of(&self, peer: &PeerId) -> Option<&Identity> {
        self.members.iter().find(|(id, _)| id == peer).map(|(_, identity)| identity)
    }
}

enum Scope {
    Session(SessionScope),
    Group(Group),
}

/// The channel to one peer of one session or wallet.
struct Slot {
    channel: SecureChannel,
    /// The channel of a member that restarted. It replaces `channel` once it is proven: until then
    /// nobody can knock that out with a hello.
    successor: Option<SecureChannel>,
    /// What carries it now, as reported to its user.
    carried: Option<&'static CarrierSpec>,
    /// What people were told last of what carries it.
    announced: Option<CarrierId>,
    /// Whether its user knows that the other end has it, too.
    confirmed: bool,
}

impl Slot {
    fn new(channel: SecureChannel) -> Self {
        Self { channel, successor: None, carried: None, announced: None, confirmed: false }
    }
}

/// The machine.
pub(in crate::node) struct Transport {
    carriers: Vec<Box<dyn Carrier>>,
    scopes: Map<SessionId, Scope>,
    slots: Map<(SessionId, PeerId), Slot>,
    /// Handshake messages for sessions that are not known or not accepted yet.
    early: EarlyMessages,
    /// Paths as reported last.
    paths: Map<Address, Path>,
    effects: VecDeque<Effect>,
}

impl Transport {
    /// `random` should be a random number: it keeps the attempts of two processes apart.
    pub(in crate::node) fn new(config: &Config, random: u32) -> Self {
        Self {
            carriers: carriers::all(config, random),
            scopes: Map::default(),
            slots: Map::default(),
            early: EarlyMessages::default(),
            paths: Map::default(),
            effects: VecDeque::new(),
        }
    }

    /// Takes an input. What it leads to comes from [`Transport::poll`].
    pub(in crate::node) fn handle(&mut self, ctx: &mut Ctx<'_>, input: Input) {
        match input {
            Input::Session { session, scope } => self.set_session(ctx, session, scope),
            Input::Group { session, server, me, members } => {
                self.join_group(ctx, session, Group { server, me, members, busy: false });
            }
            Input::Busy { session, busy } => {
                if let Some(Scope::Group(group)) = self.scopes.get_mut(&session) {
                    group.busy = busy;
                }
            }
            Input::Hello { session, peer } => self.hello(ctx, &session, &peer),
            Input::Send { session, peer, text } => self.send(&session, &peer, &text),
            Input::Resend { session, peer } => {
                if let Some(slot) = self.slots.get_mut(&(session, peer)) {
                    slot.channel.resend_all();
                }
            }
            Input::SendPlain { address, message } => self.send_plain(ctx, &address, &message),
            Input::RelayPlain { address, message } => {
                let data = RelayData::Peer(message, None);
                let (server, to) = (address.server, address.peer);
                self.effects.push_back(Effect::Relay { server, to, data });
            }
            Input::Refresh { address } => {
                let out = &mut self.effects;
                self.carriers.iter_mut().for_each(|carrier| carrier.refresh(out, &address));
            }
            Input::Relayed { from, data } => self.relayed(ctx, from, data),
            Input::NotDelivered { to } => {
                self.carriers.iter_mut().for_each(|carrier| carrier.not_delivered(&to));
            }
            Input::Registered { server } => self.registered(ctx, server),
            Input::Forget { server } => {
                let out = &mut self.effects;
                self.carriers.iter_mut().for_each(|carrier| carrier.forget(out, server));
            }
            Input::Driver(input) => {
                let out = &mut self.effects;
                if let Some(carrier) = self.carriers.iter_mut().find(|c| c.runs_connections()) {
                    carrier.driver(ctx, out, input);
                }
            }
            Input::Carrier { carrier, from, event } => {
                self.carrier_event(ctx, carrier, &from, event);
            }
        }
    }

    /// Something happened on a carrier that the driver runs by itself. Only what is sealed counts
    /// there.
    fn carrier_event(
        &mut self,
        ctx: &mut Ctx<'_>,
        id: CarrierId,
        from: &Address,
        event: CarrierEvent,
    ) {
        let Some(carrier) = self.carriers.iter_mut().find(|c| c.spec().id() == id) else {
            return;
        };
        let text = match event {
            CarrierEvent::Up => return carrier.set_up(from, true),
            CarrierEvent::Down => return carrier.set_up(from, false),
            CarrierEvent::Text(text) => text,
        };
        match PeerMessage::parse(&text) {
            Ok((message @ (PeerMessage::Handshake { .. } | PeerMessage::Frame { .. }), _)) => {
                self.peer_message(ctx, from, true, message)
            }
            Ok((other, _)) => {
                let reason =
                    format!("'{}' came over {}, where it does not count", other.kind(), id.id());
                self.ignored(&from.peer, reason);
            }
            Err(error) => self.ignored(&from.peer, error.to_string()),
        }
    }

    /// The next thing to do. Also does what is due by the clock.
    pub(in crate::node) fn poll(&mut self, ctx: &mut Ctx<'_>) -> Option<Effect> {
        loop {
            if self.effects.is_empty() {
                self.tick(ctx);
            }
            match self.effects.pop_front()? {
                Effect::DataChannelText { address, text } => {
                    self.data_channel_text(ctx, address, &text);
                }
                Effect::DataChannelOpened { address } => {
                    if let Some(me) = ctx.presence.me(address.server).cloned() {
                        let protocol = Some(PROTOCOL_VERSION);
                        let hello = PeerMessage::ChannelOpen { peer_id: me, protocol };
                        self.send_plain(ctx, &address, &hello);
                    }
                    return Some(Effect::DataChannelOpened { address });
                }
                effect => return Some(effect),
            }
        }
    }

    /// When the clock alone moves it.
    pub(in crate::node) fn next_deadline(&self, ctx: &Ctx<'_>) -> Option<Timestamp> {
        let carriers = self.carriers.iter().filter_map(|carrier| carrier.next_deadline(ctx.now));
        let slots = self.slots.values().flat_map(|s| [Some(&s.channel), s.successor.as_ref()]);
        let channels = slots.flatten().filter_map(SecureChannel::next_deadline);
        carriers.chain(channels).min()
    }

    /// Whether every peer that can be reached has acknowledged everything.
    pub(in crate::node) fn is_delivered(&self, presence: &Presence) -> bool {
        self.slots.iter().all(|((session, peer), slot)| {
            let waits = slot.channel.is_open() && slot.channel.is_waiting();
            let address = self.address(presence, session, peer);
            !waits || !address.is_some_and(|to| presence.is_present(&to) || self.path(&to).works)
        })
    }

    // ---- what its users want ----

    fn set_session(&mut self, ctx: &mut Ctx<'_>, session: SessionId, scope: Option<SessionScope>) {
        let Some(scope) = scope else {
            self.scopes.remove(&session);
            self.slots.retain(|(id, _), _| *id != session);
            return;
        };
        if scope.stage == Stage::Over {
            self.slots.retain(|(id, _), _| *id != session);
        }
        let peers = if scope.stage == Stage::Active { scope.peers.clone() } else { Vec::new() };
        let server = scope.server;
        self.scopes.insert(session.clone(), Scope::Session(scope));
        self.replay_early(ctx, &session, peers.iter().map(|peer| Address::new(server, peer)));
    }

    fn join_group(&mut self, ctx: &mut Ctx<'_>, session: SessionId, group: Group) {
        let server = group.server(ctx.presence);
        let peers: Vec<PeerId> = group.members.iter().map(|(peer, _)| peer.clone()).collect();
        self.scopes.insert(session.clone(), Scope::Group(group));
        if let Some(server) = server {
            self.replay_early(ctx, &session, peers.iter().map(|peer| Address::new(server, peer)));
        }
    }

    /// Takes handshake messages that came too early.
    fn replay_early(
        &mut self,
        ctx: &mut Ctx<'_>,
        session: &SessionId,
        peers: impl Iterator<Item = Address>,
    ) {
        for address in peers {
            for message in self.early.take(&address, session) {
                self.peer_message(ctx, &address, true, message);
            }
        }
    }

    fn send(&mut self, session: &SessionId, peer: &PeerId, text: &str) {
        let Some(slot) = self.slots.get_mut(&(session.clone(), peer.clone())) else { return };
        if let Err(error) = slot.channel.send(text) {
            self.ignored(peer, error.to_string());
        }
    }

    fn send_plain(&mut self, ctx: &mut Ctx<'_>, to: &Address, message: &PeerMessage) {
        let out = &mut self.effects;
        if let Some(carrier) = self.carriers.iter_mut().find(|c| c.runs_connections()) {
            carrier.send(ctx, out, to, message);
        }
    }

    // ---- what comes from peers ----

    fn relayed(&mut self, ctx: &mut Ctx<'_>, from: Address, data: RelayData) {
        let RelayData::Peer(message, msg_id) = data else {
            let out = &mut self.effects;
            if let Some(carrier) = self.carriers.iter_mut().find(|c| c.runs_connections()) {
                carrier.relayed(ctx, out, &from, data);
            }
            return;
        };
        if let Some(msg_id) = msg_id {
            let data = RelayData::Peer(PeerMessage::Ack { msg_id }, None);
            let (server, to) = (from.server, from.peer.clone());
            self.effects.push_back(Effect::Relay { server, to, data });
        }
        match message {
            PeerMessage::SessionProposal(_)
            | PeerMessage::SessionResponse { .. }
            | PeerMessage::Handshake { .. }
            | PeerMessage::Frame { .. }
            | PeerMessage::Ack { .. } => self.peer_message(ctx, &from, true, message),
            // The server may have written it: steps of key generation count on a data channel or in
            // a sealed frame only.
            other => {
                let reason = format!("'{}' came by relay, where it does not count", other.kind());
                self.ignored(&from.peer, reason);
            }
        }
    }

    fn data_channel_text(&mut self, ctx: &mut Ctx<'_>, from: Address, text: &str) {
        let (message, msg_id) = match PeerMessage::parse(text) {
            Ok(parsed) => parsed,
            // Of a newer protocol, or an acknowledgement that was never asked for: nothing is
            // missing.
            Err(error @ (WireError::UnknownType(_) | WireError::Missing { kind: "ack", .. })) => {
                return self.ignored(&from.peer, error.to_string());
            }
            Err(error) => {
                let text = format!("sent something that is no message of the protocol: {error}");
                return self.effects.push_back(Effect::Misbehaved { address: from, text });
            }
        };
        if let Some(msg_id) = msg_id {
            self.send_plain(ctx, &from, &PeerMessage::Ack { msg_id });
        }
        match message {
            PeerMessage::ChannelOpen { peer_id, .. } if peer_id != from.peer => {
                let text = format!("calls itself {peer_id} on its own channel");
                self.effects.push_back(Effect::Misbehaved { address: from, text });
            }
            PeerMessage::ChannelOpen { protocol, .. } => {
                self.effects.push_back(Effect::Greeted { address: from, protocol });
            }
            message => self.peer_message(ctx, &from, false, message),
        }
    }

    fn peer_message(
        &mut self,
        ctx: &mut Ctx<'_>,
        from: &Address,
        by_relay: bool,
        message: PeerMessage,
    ) {
        match message {
            PeerMessage::Handshake { session_id: Some(session), data } => {
                self.receive_handshake(ctx, from, &session, data);
            }
            PeerMessage::Frame { session_id: Some(session), frame } => {
                self.receive_frame(ctx, from, &session, &frame);
            }
            PeerMessage::Handshake { .. }
            | PeerMessage::Frame { .. }
            | PeerMessage::ChannelOpen { .. }
            | PeerMessage::Ack { .. } => {}
            message => {
                let address = from.clone();
                self.effects.push_back(Effect::Plaintext { address, by_relay, message });
            }
        }
    }

    // ---- helpers ----

    /// Where a peer of a session or wallet is.
    fn address(&self, presence: &Presence, session: &SessionId, peer: &PeerId) -> Option<Address> {
        let server = match self.scopes.get(session)? {
            Scope::Session(scope) => Some(scope.server),
            Scope::Group(group) => group.server(presence),
        };
        server.map(|server| Address::new(server, peer))
    }

    fn path(&self, to: &Address) -> Path {
        let paths = self.carriers.iter().map(|carrier| carrier.path(to));
        paths.max_by_key(|path| (path.works, path.opened_at.is_some())).unwrap_or_default()
    }

    /// Peers of sessions that are not over.
    fn expected(&self) -> Set<Address> {
        let mut expected = Set::default();
        for scope in self.scopes.values() {
            if let Scope::Session(SessionScope { server, peers, stage, .. }) = scope
                && matches!(stage, Stage::Pending | Stage::Active)
            {
                expected.extend(peers.iter().map(|peer| Address::new(*server, peer)));
            }
        }
        expected
    }

    fn ignored(&mut self, peer: &PeerId, reason: String) {
        let event = Event::Ignored { peer_id: Some(peer.clone()), reason };
        self.effects.push_back(Effect::Output(Output::Event(event)));
    }
}
