//! The mesh: one WebRTC connection for each peer that a session needs, whoever speaks first and whatever comes early.
//!
//! The smaller peer id offers, the other answers (docs/PROTOCOL.md, section 1). Offers and candidates may come before the
//! session is accepted or the description is there: they are kept, bounded. An offer that nobody answers is repeated as
//! it is; an attempt that does not open in time is replaced by a new one, and whoever answers takes the newest offer.

use std::collections::VecDeque;

use super::neighbour::{Connection, EarlyOffer, MAX_CANDIDATES, Neighbour, is_older, same_attempt};
use super::view::ChannelState;
use super::{Deadlines, Event, Output, Role, Timestamp};
use crate::sorted::{Map, Set};
use crate::wire::{ClientMessage, IceCandidate, PeerId, PeerMessage, RelayData, SessionId};

/// Most peers without a session for whom something is kept.
const MAX_STRANGERS: usize = 64;
/// Most early messages kept of one peer.
const MAX_EARLY_MESSAGES: usize = 16;
/// How long a connection that no session needs stays open, in milliseconds: for what is still being sent.
const IDLE: u64 = 2_000;

/// What the mesh may use of the node.
pub(super) struct Surroundings<'a> {
    pub now: Timestamp,
    pub me: &'a PeerId,
    /// Whether signaling works right now.
    pub online: bool,
    /// Who is known to be at the server.
    pub present: &'a Set<PeerId>,
    pub out: &'a mut VecDeque<Output>,
}

impl Surroundings<'_> {
    pub(super) fn relay(&mut self, to: &PeerId, data: &RelayData) {
        if self.online {
            let message = ClientMessage::Relay { to: to.clone(), data: data.to_raw() };
            self.out.push_back(Output::SendServer(message.to_json()));
        }
    }
}

pub(super) struct Mesh {
    neighbours: Map<PeerId, Neighbour>,
    /// Participants of sessions that are not over: what they send early is never dropped for a stranger's.
    expected: Set<PeerId>,
    next_attempt: u32,
    deadlines: Deadlines,
}

impl Mesh {
    /// `first_attempt` should be random, so that attempts of two lives of one peer are not taken for one another.
    pub(super) fn new(deadlines: Deadlines, first_attempt: u32) -> Self {
        Self {
            neighbours: Map::default(),
            expected: Set::default(),
            next_attempt: first_attempt,
            deadlines,
        }
    }

    fn neighbour(&mut self, peer: &PeerId, now: Timestamp) -> &mut Neighbour {
        if !self.neighbours.contains_key(peer) && !self.expected.contains(peer) {
            self.forget_a_stranger();
        }
        let neighbour = self.neighbours.or_default(peer.clone());
        neighbour.touched = now;
        neighbour
    }

    /// Makes room: drops the stranger that was silent for longest, when there are too many.
    fn forget_a_stranger(&mut self) {
        let strangers = self
            .neighbours
            .iter()
            .filter(|(id, l)| l.connection.is_none() && !self.expected.contains(*id));
        if strangers.clone().count() >= MAX_STRANGERS
            && let Some(id) = strangers.min_by_key(|(_, l)| l.touched).map(|(id, _)| id.clone())
        {
            self.neighbours.remove(&id);
        }
    }

    fn connection(&mut self, peer: &PeerId, attempt: u32) -> Option<&mut Connection> {
        self.neighbours.get_mut(peer)?.connection.as_mut().filter(|c| c.attempt == attempt)
    }

    // ---- what others want to know ----

    /// The open channel to a peer.
    pub(super) fn channel(&self, peer: &PeerId) -> Option<u32> {
        self.neighbours.get(peer)?.connection.as_ref().filter(|c| c.open).map(|c| c.attempt)
    }

    pub(super) fn state(&self, peer: &PeerId) -> ChannelState {
        let connection = self.neighbours.get(peer).and_then(|l| l.connection.as_ref());
        connection.map_or(ChannelState::default(), |c| ChannelState {
            open: c.open && c.stalled.is_none(),
            answered: c.remote.is_some(),
        })
    }

    /// Peers with a channel who are no baseline peers: they say in words that they take part, and a channel to them may be
    /// there for a session that is not known here.
    pub(super) fn outspoken(&self) -> impl Iterator<Item = PeerId> + '_ {
        let tagged = |n: &Neighbour| n.connection.as_ref().is_some_and(|c| c.tagged);
        self.neighbours.iter().filter(move |(_, n)| tagged(n)).map(|(id, _)| id.clone())
    }

    /// Whether the channel to a peer has been open for so long.
    pub(super) fn has_kept_silent(&self, peer: &PeerId, milliseconds: u64, now: Timestamp) -> bool {
        let connection = self.neighbours.get(peer).and_then(|n| n.connection.as_ref());
        connection.is_some_and(|c| c.open && c.opened.after(milliseconds) <= now)
    }

    /// When the next channel has been open for so long.
    pub(super) fn next_silence(&self, milliseconds: u64, now: Timestamp) -> Option<Timestamp> {
        let open =
            self.neighbours.values().filter_map(|n| n.connection.as_ref()).filter(|c| c.open);
        open.map(|c| c.opened.after(milliseconds)).filter(|at| *at > now).min()
    }

    // ---- what comes by relay ----

    pub(super) fn offer(
        &mut self,
        from: &PeerId,
        offer: EarlyOffer,
        s: &mut Surroundings<'_>,
    ) -> Result<(), &'static str> {
        if s.me < from {
            return Err(
                "sent an offer, though its peer id is the larger one and so it has to answer",
            );
        }
        let neighbour = self.neighbour(from, s.now);
        if let Some(connection) = &mut neighbour.connection {
            if connection.remote.as_ref() == Some(&offer.sdp) {
                if !connection.open {
                    connection.describe(from, s); // our answer may have been lost
                }
                return Ok(());
            }
            let late = connection.open && neighbour.seen.contains(&offer.sdp);
            if late || is_older(offer.tag, connection.tag) {
                return Ok(()); // of an attempt from before this connection
            }
        }
        if neighbour.early_offer.as_ref().is_some_and(|kept| is_older(offer.tag, kept.tag)) {
            return Ok(());
        }
        neighbour.seen.add(&offer.sdp);
        neighbour.early_offer = Some(offer);
        Ok(())
    }

    pub(super) fn answer(
        &mut self,
        from: &PeerId,
        sdp: String,
        tag: Option<u32>,
        s: &mut Surroundings<'_>,
    ) {
        let Some(neighbour) = self.neighbours.get_mut(from) else { return };
        let Some(connection) = &mut neighbour.connection else { return };
        let awaited = connection.role == Role::Offerer
            && connection.remote.is_none()
            && connection.local.is_some();
        let ours =
            if tag.is_some() { tag == connection.tag } else { !neighbour.seen.contains(&sdp) };
        if awaited && ours {
            connection.since = s.now;
            connection.tagged = tag.is_some();
            neighbour.seen.add(&sdp);
            self.described(from, sdp, s);
        }
    }

    pub(super) fn candidate(
        &mut self,
        from: &PeerId,
        candidate: IceCandidate,
        tag: Option<u32>,
        s: &mut Surroundings<'_>,
    ) {
        let neighbour = self.neighbour(from, s.now);
        let newer_offer = neighbour.early_offer.is_some();
        match &mut neighbour.connection {
            Some(c) if !newer_offer && c.remote.is_some() && same_attempt(tag, c.tag) => {
                c.remote_candidate(from, candidate, s);
            }
            Some(c) if c.role == Role::Offerer && !same_attempt(tag, c.tag) => {} // of an attempt that is over
            _ => {
                let early = (candidate, tag);
                if neighbour.early_candidates.len() < MAX_CANDIDATES
                    && !neighbour.early_candidates.contains(&early)
                {
                    neighbour.early_candidates.push(early);
                }
            }
        }
    }

    /// Keeps a message for a session that is not known yet. False when there is no room.
    pub(super) fn keep_early(
        &mut self,
        from: &PeerId,
        message: PeerMessage,
        now: Timestamp,
    ) -> bool {
        let early = &mut self.neighbour(from, now).early_messages;
        if early.contains(&message) {
            return true;
        }
        let room = early.len() < MAX_EARLY_MESSAGES;
        if room {
            early.push(message);
        }
        room
    }

    /// Takes what was kept for a session.
    pub(super) fn take_early(&mut self, peer: &PeerId, session: &SessionId) -> Vec<PeerMessage> {
        let Some(neighbour) = self.neighbours.get_mut(peer) else { return Vec::new() };
        let (taken, kept) = std::mem::take(&mut neighbour.early_messages)
            .into_iter()
            .partition(|m| m.session_id() == Some(session));
        neighbour.early_messages = kept;
        taken
    }

    // ---- what the driver reports ----

    pub(super) fn local_description(
        &mut self,
        peer: &PeerId,
        attempt: u32,
        sdp: String,
        s: &mut Surroundings<'_>,
    ) {
        if let Some(connection) = self.connection(peer, attempt) {
            connection.local = Some(sdp);
            connection.describe(peer, s);
        }
    }

    pub(super) fn local_candidate(
        &mut self,
        peer: &PeerId,
        attempt: u32,
        candidate: IceCandidate,
        s: &mut Surroundings<'_>,
    ) {
        if let Some(connection) = self.connection(peer, attempt)
            && connection.candidates.len() < MAX_CANDIDATES
            && !connection.open
        {
            if connection.local.is_some() {
                s.relay(
                    peer,
                    &RelayData::IceCandidate {
                        candidate: candidate.clone(),
                        attempt: connection.tag,
                    },
                );
            }
            connection.candidates.push(candidate);
        }
    }

    /// Notes that a channel is open. True when it was not before; false, too, for an attempt that is over.
    pub(super) fn opened(&mut self, peer: &PeerId, attempt: u32, now: Timestamp) -> bool {
        let Some(neighbour) = self.neighbours.get_mut(peer) else { return false };
        let Some(connection) =
            neighbour.connection.as_mut().filter(|c| c.attempt == attempt && !c.open)
        else {
            return false;
        };
        connection.open = true;
        connection.opened = now;
        neighbour.took = Some(now.since(connection.since));
        neighbour.failures = 0;
        true
    }

    pub(super) fn stalled(&mut self, peer: &PeerId, attempt: u32, stalled: bool, now: Timestamp) {
        if let Some(connection) = self.connection(peer, attempt) {
            connection.stalled = stalled.then(|| connection.stalled.unwrap_or(now));
        }
    }

    /// Notes that an attempt is over. True when its channel had been open.
    pub(super) fn closed(&mut self, peer: &PeerId, attempt: u32, now: Timestamp) -> bool {
        let Some(neighbour) = self.neighbours.get_mut(peer) else { return false };
        let Some(connection) = neighbour.connection.take_if(|c| c.attempt == attempt) else {
            return false;
        };
        neighbour.retry_later(now);
        connection.open
    }

    /// The server says that `peer` is not there: what was sent last did not reach it.
    pub(super) fn not_delivered(&mut self, peer: &PeerId) {
        if let Some(connection) = self.neighbours.get_mut(peer).and_then(|l| l.connection.as_mut())
        {
            connection.delivered = false;
        }
    }

    // ---- keeping the mesh ----

    /// Says who takes part in sessions that are not over.
    pub(super) fn expect(&mut self, peers: Set<PeerId>) {
        self.expected = peers;
    }

    /// Closes an offerer's connection that may be stale, at the start of a session that finds it idle.
    pub(super) fn refresh(&mut self, peer: &PeerId, out: &mut VecDeque<Output>) {
        if let Some(neighbour) = self.neighbours.get_mut(peer) {
            neighbour.retry_at = None;
            neighbour.failures = 0;
            if neighbour.connection.as_ref().is_some_and(|c| c.role == Role::Offerer) {
                neighbour.close(peer, "a new session begins with a new connection", out);
            }
        }
    }

    /// Drops every connection and all that is kept, for a new name at a new server.
    pub(super) fn clear(&mut self, out: &mut VecDeque<Output>) {
        for (peer, mut neighbour) in std::mem::take(&mut self.neighbours) {
            neighbour.close(&peer, "this node took another name or server", out);
        }
    }

    /// Opens what is wanted, repeats what was not answered, and replaces what failed.
    pub(super) fn tend(&mut self, wanted: &Set<PeerId>, s: &mut Surroundings<'_>) {
        let deadlines = self.deadlines;
        for peer in wanted.iter() {
            let now = s.now;
            let neighbour = self.neighbour(peer, now);
            neighbour.unwanted_since = None;
            if neighbour.has_failed(&deadlines, now) {
                neighbour.close(peer, "the connection did not open or was interrupted", s.out);
                neighbour.retry_later(now);
            } else if let Some(connection) = &mut neighbour.connection
                && connection.is_repeat_due(peer, &deadlines, s)
            {
                connection.describe(peer, s);
            }
            if s.me > peer {
                self.answer_early_offer(peer, s);
            } else if s.online && self.neighbour(peer, now).may_try(now) {
                let tag = Some(self.next_attempt);
                self.open(peer, Role::Offerer, tag, s);
            }
        }
    }

    /// Closes what nobody has needed for a while.
    pub(super) fn close_idle(
        &mut self,
        wanted: &Set<PeerId>,
        now: Timestamp,
        out: &mut VecDeque<Output>,
    ) {
        for (peer, neighbour) in self
            .neighbours
            .iter_mut()
            .filter(|(id, l)| l.connection.is_some() && !wanted.contains(*id))
        {
            let since = *neighbour.unwanted_since.get_or_insert(now);
            if since.after(IDLE) <= now {
                neighbour.close(peer, "no session needs the connection", out);
            }
        }
    }

    /// When [`Mesh::tend`] and [`Mesh::close_idle`] have something to do next. What is due already waits for the server or
    /// the other end, and not for the clock.
    pub(super) fn next_deadline(&self, wanted: &Set<PeerId>, now: Timestamp) -> Option<Timestamp> {
        let moved =
            self.neighbours.iter().filter(|(id, l)| l.connection.is_some() || wanted.contains(*id));
        moved
            .filter_map(|(_, neighbour)| neighbour.next_deadline(&self.deadlines, IDLE))
            .filter(|at| *at > now)
            .min()
    }

    fn open(&mut self, peer: &PeerId, role: Role, tag: Option<u32>, s: &mut Surroundings<'_>) {
        let attempt = self.next_attempt;
        self.next_attempt = self.next_attempt.wrapping_add(1);
        let neighbour = self.neighbour(peer, s.now);
        neighbour.retry_at = None;
        neighbour.connection = Some(Connection::new(attempt, role, tag, s.now));
        s.out.push_back(Output::OpenConnection { peer: peer.clone(), attempt, role });
    }

    /// Answers the offer that is kept for `peer`, in place of any older connection.
    fn answer_early_offer(&mut self, peer: &PeerId, s: &mut Surroundings<'_>) {
        let neighbour = self.neighbour(peer, s.now);
        let Some(offer) = neighbour.early_offer.take() else { return };
        neighbour.close(peer, "the other side began a new connection", s.out);
        self.open(peer, Role::Answerer, offer.tag, s);
        self.described(peer, offer.sdp, s);
    }

    /// Applies the other end's description, and the candidates that came before it.
    fn described(&mut self, peer: &PeerId, sdp: String, s: &mut Surroundings<'_>) {
        let Some(neighbour) = self.neighbours.get_mut(peer) else { return };
        let tag = neighbour.connection.as_ref().and_then(|c| c.tag);
        let candidates = neighbour.take_candidates(tag);
        let Some(connection) = &mut neighbour.connection else { return };
        connection.remote = Some(sdp.clone());
        s.out.push_back(Output::RemoteDescription {
            peer: peer.clone(),
            attempt: connection.attempt,
            sdp,
        });
        for candidate in candidates {
            connection.remote_candidate(peer, candidate, s);
        }
    }
}

impl Neighbour {
    fn close(&mut self, peer: &PeerId, why: &str, out: &mut VecDeque<Output>) {
        let Some(connection) = self.connection.take() else { return };
        out.push_back(Output::CloseConnection { peer: peer.clone(), attempt: connection.attempt });
        if connection.open {
            out.push_back(Output::Event(Event::PeerDisconnected {
                peer_id: peer.clone(),
                reason: why.to_owned(),
            }));
        }
    }
}

impl Connection {
    fn remote_candidate(
        &mut self,
        peer: &PeerId,
        candidate: IceCandidate,
        s: &mut Surroundings<'_>,
    ) {
        let room = self.remote_candidates.len() < MAX_CANDIDATES;
        if room && !self.open && !self.remote_candidates.contains(&candidate) {
            self.remote_candidates.push(candidate.clone());
            s.out.push_back(Output::RemoteCandidate {
                peer: peer.clone(),
                attempt: self.attempt,
                candidate,
            });
        }
    }
}
