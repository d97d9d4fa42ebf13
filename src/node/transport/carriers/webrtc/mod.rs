//! The carrier `direct`: one WebRTC connection for each peer that is wanted.
//!
//! Of two peers the one with the smaller peer id offers, the other answers (docs/PROTOCOL.md,
//! section 1). Offers and candidates may come before the session is accepted or the description is
//! known: they are kept, bounded. An offer that nobody answers is repeated as it is. An attempt
//! that does not open in time is replaced by a new one. An answerer always takes the newest offer.

mod connection;
mod peer;
mod surroundings;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;

use std::collections::VecDeque;

use self::connection::{Connection, MAX_CANDIDATES, State, Timeouts, is_older, same_attempt};
use self::peer::{EarlyOffer, Peer};
use self::surroundings::Surroundings;
use crate::node::transport::carrier::Carrier;
use crate::node::transport::effect::{CarrierSpec, DriverInput, Effect, Path};
use crate::api::{CarrierInfo, Event, Timestamp};
use crate::label::Label;
use crate::channel::Window;
use crate::node::ctx::Ctx;
use crate::node::presence::{Address, ServerId};
use crate::node::{Config, Deadlines, Output, Role};
use crate::sorted::{Map, Set};
use crate::wire::{IceCandidate, PeerId, PeerMessage, RelayData, clip};

/// What it says of itself.
pub(super) static SPEC: CarrierSpec = CarrierSpec {
    info: CarrierInfo {
        id: "direct",
        about: "WebRTC only",
        how: "directly",
        label: Label::new("carrier_direct", "connected directly"),
    },
    window: Window::DATA_CHANNEL,
    needs_server: false,
    carries_handshakes: false,
};

/// The carrier, for the list. `random` is where its attempts are counted from.
pub(super) fn carrier(config: &Config, random: u32) -> Box<dyn Carrier> {
    Box::new(WebRtc::new(&config.deadlines, random))
}

/// Most peers without a session for whom something is kept.
const MAX_STRANGERS: usize = 64;

/// All WebRTC connections.
pub(super) struct WebRtc {
    peers: Map<Address, Peer>,
    /// Peers of sessions and wallets: what they send early is never dropped for a stranger's.
    expected: Set<Address>,
    /// Peers to whom a connection is wanted.
    wanted: Set<Address>,
    next_attempt: u32,
    timeouts: Timeouts,
}

impl WebRtc {
    /// `first_attempt` should be random, so that attempts of two processes of one peer are told
    /// apart.
    pub(super) fn new(deadlines: &Deadlines, first_attempt: u32) -> Self {
        Self {
            peers: Map::default(),
            expected: Set::default(),
            wanted: Set::default(),
            next_attempt: first_attempt,
            timeouts: Timeouts::new(deadlines),
        }
    }

    fn peer(&mut self, address: &Address, now: Timestamp) -> &mut Peer {
        if !self.peers.contains_key(address) && !self.expected.contains(address) {
            self.forget_a_stranger();
        }
        let peer = self.peers.or_default(address.clone());
        peer.touched = now;
        peer
    }

    /// Makes room when there are too many strangers: drops the one that was silent for longest.
    fn forget_a_stranger(&mut self) {
        let is_stranger = |(id, peer): &(&Address, &Peer)| {
            peer.connection.is_none() && !self.expected.contains(id)
        };
        let strangers = self.peers.iter().filter(is_stranger);
        if strangers.clone().count() >= MAX_STRANGERS
            && let Some((id, _)) = strangers.min_by_key(|(_, peer)| peer.touched)
        {
            let id = id.clone();
            self.peers.remove(&id);
        }
    }

    fn connection(&self, address: &Address) -> Option<&Connection> {
        self.peers.get(address)?.connection.as_ref()
    }

    /// The peer of an attempt: attempts are numbered across all servers.
    fn address_of(&self, peer: &PeerId, attempt: u32) -> Option<Address> {
        let is_its = |(address, known): &(&Address, &Peer)| {
            address.peer == *peer && known.connection.as_ref().is_some_and(|c| c.attempt == attempt)
        };
        self.peers.iter().find(is_its).map(|(address, _)| address.clone())
    }

    // ---- what comes by relay ----

    fn offer(
        &mut self,
        from: &Address,
        offer: EarlyOffer,
        ctx: &mut Ctx<'_>,
        out: &mut VecDeque<Effect>,
    ) {
        if ctx.presence.me(from.server).is_some_and(|me| *me < from.peer) {
            let reason = "sent an offer, though its peer id is the larger one and it has to answer";
            let event = Event::Ignored { peer_id: Some(from.peer.clone()), reason: reason.into() };
            out.push_back(Effect::Output(Output::Event(event)));
            return;
        }
        let peer = self.peer(from, ctx.now);
        if let Some(connection) = &mut peer.connection {
            if connection.has_remote(&offer.sdp) {
                if !connection.is_open() {
                    // Our answer may have been lost.
                    let s = &mut Surroundings { ctx, server: from.server, out };
                    connection.send_description(&from.peer, s);
                }
                return;
            }
            let late = connection.is_open() && peer.seen.contains(&offer.sdp);
            if late || is_older(offer.attempt_id, connection.attempt_id) {
                return; // of an attempt from before this connection
            }
        }
        let newer = |kept: &EarlyOffer| is_older(offer.attempt_id, kept.attempt_id);
        if !peer.early_offer.as_ref().is_some_and(newer) {
            peer.seen.add(&offer.sdp);
            peer.early_offer = Some(offer);
        }
    }

    fn answer(
        &mut self,
        from: &Address,
        sdp: String,
        attempt_id: Option<u32>,
        s: &mut Surroundings<'_, '_>,
    ) {
        let Some(peer) = self.peers.get_mut(from) else { return };
        let Some(connection) = &mut peer.connection else { return };
        let ours = match attempt_id {
            Some(_) => attempt_id == connection.attempt_id,
            None => !peer.seen.contains(&sdp),
        };
        if connection.awaits_answer() && ours {
            connection.peer_sends_attempt_ids = attempt_id.is_some();
            peer.seen.add(&sdp);
            self.apply_description(from, sdp, s);
        }
    }

    fn candidate(
        &mut self,
        from: &Address,
        candidate: IceCandidate,
        attempt_id: Option<u32>,
        s: &mut Surroundings<'_, '_>,
    ) {
        let peer = self.peer(from, s.ctx.now);
        let newer_offer = peer.early_offer.is_some();
        if let Some(c) = &mut peer.connection {
            let same = same_attempt(attempt_id, c.attempt_id);
            if !newer_offer && c.is_answered() && same {
                return c.remote_candidate(&from.peer, candidate, s);
            }
            if c.role == Role::Offerer && !same {
                return; // of an attempt that is over
            }
        }
        let early = (candidate, attempt_id);
        let room = peer.early_candidates.len() < MAX_CANDIDATES;
        if room && !peer.early_candidates.contains(&early) {
            peer.early_candidates.push(early);
        }
    }

    /// Applies the other end's description, and the candidates that came before it.
    fn apply_description(&mut self, from: &Address, sdp: String, s: &mut Surroundings<'_, '_>) {
        let Some(peer) = self.peers.get_mut(from) else { return };
        let attempt_id = peer.connection.as_ref().and_then(|c| c.attempt_id);
        let candidates = peer.take_candidates(attempt_id);
        let Some(connection) = &mut peer.connection else { return };
        connection.set_remote(&from.peer, sdp, s);
        for candidate in candidates {
            connection.remote_candidate(&from.peer, candidate, s);
        }
    }

    // ---- what the driver reports ----

    /// The data channel of an attempt is open, or text came over it.
    fn opened(&mut self, address: &Address, ctx: &mut Ctx<'_>, out: &mut VecDeque<Effect>) {
        let Some(peer) = self.peers.get_mut(address) else { return };
        let Some(connection) = peer.connection.as_mut().filter(|c| !c.is_open()) else { return };
        let took = connection.opened(ctx.now);
        peer.opened(took);
        out.push_back(Effect::DataChannelOpened { address: address.clone() });
    }

    fn closed(
        &mut self,
        address: &Address,
        reason: &str,
        now: Timestamp,
        out: &mut VecDeque<Effect>,
    ) {
        let timeouts = self.timeouts;
        let Some(peer) = self.peers.get_mut(address) else { return };
        let Some(connection) = peer.connection.take() else { return };
        peer.retry_later(&timeouts, now);
        if connection.is_open() {
            out.push_back(disconnected(&address.peer, clip(reason)));
        }
    }

    // ---- keeping connections ----

    fn open(
        &mut self,
        address: &Address,
        role: Role,
        attempt_id: Option<u32>,
        s: &mut Surroundings<'_, '_>,
    ) {
        let attempt = self.next_attempt;
        self.next_attempt = self.next_attempt.wrapping_add(1);
        let connection = Connection::new(attempt, role, attempt_id, s.ctx.now);
        self.peer(address, s.ctx.now).started(connection);
        s.output(Output::OpenConnection { peer: address.peer.clone(), attempt, role });
    }

    /// Answers the offer that is kept of a peer, in place of any older connection.
    fn answer_early_offer(&mut self, address: &Address, s: &mut Surroundings<'_, '_>) {
        let peer = self.peer(address, s.ctx.now);
        let Some(offer) = peer.early_offer.take() else { return };
        close(peer, &address.peer, "the other side began a new connection", s.out);
        self.open(address, Role::Answerer, offer.attempt_id, s);
        self.apply_description(address, offer.sdp, s);
    }

    /// Opens, repeats and replaces what one wanted peer needs.
    fn tend(&mut self, address: &Address, s: &mut Surroundings<'_, '_>) {
        let (timeouts, now) = (self.timeouts, s.ctx.now);
        let peer = self.peer(address, now);
        peer.unwanted_since = None;
        if peer.has_failed(&timeouts, now) {
            close(peer, &address.peer, "the connection did not open or was interrupted", s.out);
            peer.retry_later(&timeouts, now);
        } else if let Some(connection) = &mut peer.connection
            && connection.is_repeat_due(&address.peer, &timeouts, s)
        {
            connection.send_description(&address.peer, s);
        }
        let Some(me) = s.ctx.presence.me(address.server) else { return };
        if *me > address.peer {
            self.answer_early_offer(address, s);
        } else if s.is_online() && self.peer(address, now).may_try(now) {
            let attempt_id = Some(self.next_attempt);
            self.open(address, Role::Offerer, attempt_id, s);
        }
    }

    /// Closes what nobody has needed for a while.
    fn close_idle(&mut self, now: Timestamp, out: &mut VecDeque<Effect>) {
        let (wanted, idle) = (&self.wanted, self.timeouts.idle);
        for (address, peer) in self.peers.iter_mut() {
            if peer.connection.is_none() || wanted.contains(address) {
                continue;
            }
            let since = *peer.unwanted_since.get_or_insert(now);
            if since.after(idle) <= now {
                close(peer, &address.peer, "no session needs the connection", out);
            }
        }
    }
}

impl Carrier for WebRtc {
    fn spec(&self) -> &'static CarrierSpec {
        &SPEC
    }

    fn runs_connections(&self) -> bool {
        true
    }

    fn expect(&mut self, peers: &Set<Address>) {
        self.expected = peers.clone();
    }

    fn want(&mut self, peers: &Set<Address>) {
        self.wanted = peers.clone();
    }

    fn is_open(&self, _: &Ctx<'_>, to: &Address) -> bool {
        matches!(self.connection(to).map(Connection::state), Some(State::Open { .. }))
    }

    fn path(&self, to: &Address) -> Path {
        let Some(connection) = self.connection(to) else { return Path::default() };
        Path {
            opened_at: connection.opened_at(),
            works: matches!(connection.state(), State::Open { .. }),
            answered: connection.is_answered(),
            peer_sends_attempt_ids: connection.peer_sends_attempt_ids,
        }
    }

    fn send(
        &mut self,
        _: &mut Ctx<'_>,
        out: &mut VecDeque<Effect>,
        to: &Address,
        message: &PeerMessage,
    ) {
        if let Some(connection) = self.connection(to).filter(|c| c.is_open()) {
            let (peer, attempt) = (to.peer.clone(), connection.attempt);
            let text = message.to_text();
            out.push_back(Effect::Output(Output::SendDataChannel { peer, attempt, text }));
        }
    }

    fn relayed(
        &mut self,
        ctx: &mut Ctx<'_>,
        out: &mut VecDeque<Effect>,
        from: &Address,
        data: RelayData,
    ) {
        let server = from.server;
        match data {
            RelayData::Offer { sdp, attempt: attempt_id } => {
                self.offer(from, EarlyOffer { sdp, attempt_id }, ctx, out);
            }
            RelayData::Answer { sdp, attempt } => {
                self.answer(from, sdp, attempt, &mut Surroundings { ctx, server, out });
            }
            RelayData::IceCandidate { candidate, attempt } => {
                self.candidate(from, candidate, attempt, &mut Surroundings { ctx, server, out });
            }
            RelayData::Peer(..) => {}
        }
    }

    fn driver(&mut self, ctx: &mut Ctx<'_>, out: &mut VecDeque<Effect>, input: DriverInput) {
        let Some(address) = self.address_of(input.peer(), input.attempt()) else {
            return; // of an attempt that is over
        };
        let server = address.server;
        let connection = self.peers.get_mut(&address).and_then(|peer| peer.connection.as_mut());
        match input {
            DriverInput::LocalDescription { sdp, .. } => {
                if let Some(connection) = connection {
                    let s = &mut Surroundings { ctx, server, out };
                    connection.described(&address.peer, sdp, s);
                }
            }
            DriverInput::LocalCandidate { candidate, .. } => {
                if let Some(connection) = connection {
                    let s = &mut Surroundings { ctx, server, out };
                    connection.local_candidate(&address.peer, candidate, s);
                }
            }
            DriverInput::Opened { .. } => self.opened(&address, ctx, out),
            DriverInput::Text { text, .. } => {
                // Text shows that it is open, should the driver not have said so.
                self.opened(&address, ctx, out);
                out.push_back(Effect::DataChannelText { address, text });
            }
            DriverInput::Interrupted { interrupted, .. } => {
                if let Some(connection) = connection {
                    connection.interrupted(interrupted, ctx.now);
                }
            }
            DriverInput::Closed { reason, .. } => self.closed(&address, &reason, ctx.now, out),
        }
    }

    fn not_delivered(&mut self, to: &Address) {
        let peer = self.peers.get_mut(to).and_then(|peer| peer.connection.as_mut());
        if let Some(connection) = peer {
            connection.not_delivered();
        }
    }

    fn refresh(&mut self, out: &mut VecDeque<Effect>, to: &Address) {
        let Some(peer) = self.peers.get_mut(to) else { return };
        peer.retry_now();
        if peer.connection.as_ref().is_some_and(|c| c.role == Role::Offerer) {
            close(peer, &to.peer, "a new session begins with a new connection", out);
        }
    }

    fn forget(&mut self, out: &mut VecDeque<Effect>, server: ServerId) {
        for (address, peer) in self.peers.iter_mut().filter(|(a, _)| a.server == server) {
            close(peer, &address.peer, "this node took another name or server", out);
        }
        self.peers.retain(|address, _| address.server != server);
    }

    fn tick(&mut self, ctx: &mut Ctx<'_>, out: &mut VecDeque<Effect>) {
        for address in self.wanted.clone().iter() {
            let s = &mut Surroundings { ctx: &mut *ctx, server: address.server, out: &mut *out };
            self.tend(address, s);
        }
        self.close_idle(ctx.now, out);
    }

    fn next_deadline(&self, now: Timestamp) -> Option<Timestamp> {
        let moved =
            |(id, peer): &(&Address, &Peer)| peer.connection.is_some() || self.wanted.contains(id);
        let times = self.peers.iter().filter(moved);
        // What is due already waits for the server or for the other end, and not for the clock.
        times.filter_map(|(_, p)| p.next_deadline(&self.timeouts)).filter(|at| *at > now).min()
    }
}

fn close(peer: &mut Peer, id: &PeerId, why: &str, out: &mut VecDeque<Effect>) {
    let Some(connection) = peer.connection.take() else { return };
    let attempt = connection.attempt;
    out.push_back(Effect::Output(Output::CloseConnection { peer: id.clone(), attempt }));
    if connection.is_open() {
        out.push_back(disconnected(id, why.to_owned()));
    }
}

fn disconnected(peer: &PeerId, reason: String) -> Effect {
    Effect::Output(Output::Event(Event::PeerDisconnected { peer_id: peer.clone(), reason }))
}
