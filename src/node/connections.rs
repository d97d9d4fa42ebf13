//! The mesh: one WebRTC connection for each peer that a session needs, whoever speaks first and whatever comes early.
//!
//! The smaller peer id offers, the other answers (docs/PROTOCOL.md, section 1). Offers and candidates may come before the
//! session is accepted or the description is there: they are kept, bounded. An offer that nobody answers is repeated as
//! it is; an attempt that does not open in time is replaced by a new one, and whoever answers takes the newest offer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::view::LinkState;
use super::{Deadlines, Output, Role, Timestamp};
use crate::wire::{ClientMessage, IceCandidate, PeerId, PeerMessage, RelayData, SessionId};

/// Most candidates kept for one attempt, in each direction.
const MAX_CANDIDATES: usize = 64;
/// Most peers without a session for whom early messages are kept.
const MAX_STRANGERS: usize = 64;
/// Most early messages kept of one peer.
const MAX_EARLY_MESSAGES: usize = 16;
/// How long a connection that no session needs stays open, in milliseconds: for what is still being sent.
const IDLE: u64 = 2_000;
/// How long a path may be interrupted before the offerer tries a new connection, in milliseconds.
const STALL: u64 = 4_000;

/// One attempt at a connection, and its life if it succeeds.
struct Connection {
    attempt: u32,
    role: Role,
    /// Our description, once the driver has made it.
    local: Option<String>,
    candidates: Vec<IceCandidate>,
    /// The other end's description, once it is applied.
    remote: Option<String>,
    open: bool,
    stalled: Option<Timestamp>,
    /// Start of the wait for it to open: creation, or the answer.
    since: Timestamp,
    /// When the offer was last sent.
    offered: Timestamp,
    /// Whether the other end was there when it was last sent.
    delivered: bool,
}

/// All that concerns one peer.
#[derive(Default)]
struct Link {
    connection: Option<Connection>,
    early_offer: Option<String>,
    early_candidates: Vec<IceCandidate>,
    early_messages: Vec<PeerMessage>,
    failures: u32,
    retry_at: Option<Timestamp>,
    unwanted_since: Option<Timestamp>,
    touched: Timestamp,
}

/// What the mesh may use of the node.
pub(super) struct Surroundings<'a> {
    pub now: Timestamp,
    pub me: &'a PeerId,
    /// Whether signaling works right now.
    pub online: bool,
    /// Who is known to be at the server.
    pub present: &'a BTreeSet<PeerId>,
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
    links: BTreeMap<PeerId, Link>,
    next_attempt: u32,
    deadlines: Deadlines,
}

impl Mesh {
    pub(super) fn new(deadlines: Deadlines) -> Self {
        Self { links: BTreeMap::new(), next_attempt: 1, deadlines }
    }

    fn link(&mut self, peer: &PeerId, now: Timestamp) -> &mut Link {
        if !self.links.contains_key(peer) {
            self.forget_a_stranger();
        }
        let link = self.links.entry(peer.clone()).or_default();
        link.touched = now;
        link
    }

    /// Makes room: drops the oldest peer that has no connection, when there are too many.
    fn forget_a_stranger(&mut self) {
        let strangers = self.links.iter().filter(|(_, l)| l.connection.is_none());
        if strangers.clone().count() >= MAX_STRANGERS {
            if let Some(id) = strangers.min_by_key(|(_, l)| l.touched).map(|(id, _)| id.clone()) {
                self.links.remove(&id);
            }
        }
    }

    fn connection(&mut self, peer: &PeerId, attempt: u32) -> Option<&mut Connection> {
        self.links.get_mut(peer)?.connection.as_mut().filter(|c| c.attempt == attempt)
    }

    // ---- what others want to know ----

    /// Peers whose channel is open and whose path works.
    pub(super) fn open_peers(&self) -> BTreeSet<PeerId> {
        let open = |l: &Link| l.connection.as_ref().is_some_and(|c| c.open && c.stalled.is_none());
        self.links.iter().filter(|(_, l)| open(l)).map(|(id, _)| id.clone()).collect()
    }

    /// The open channel to a peer.
    pub(super) fn channel(&self, peer: &PeerId) -> Option<u32> {
        self.links.get(peer)?.connection.as_ref().filter(|c| c.open).map(|c| c.attempt)
    }

    pub(super) fn state(&self, peer: &PeerId) -> LinkState {
        let connection = self.links.get(peer).and_then(|l| l.connection.as_ref());
        connection.map_or(LinkState::default(), |c| LinkState {
            open: c.open && c.stalled.is_none(),
            answered: c.remote.is_some(),
        })
    }

    // ---- what comes by relay ----

    pub(super) fn offer(&mut self, from: &PeerId, sdp: String, wanted: bool, s: &mut Surroundings<'_>) -> Result<(), &'static str> {
        if s.me < from {
            return Err("sent an offer, though its peer id is the larger one and so it has to answer");
        }
        let now = s.now;
        let link = self.link(from, now);
        if let Some(connection) = &link.connection {
            if connection.remote.as_ref() == Some(&sdp) {
                if !connection.open {
                    connection.describe(from, s); // our answer may have been lost
                }
                return Ok(());
            }
        }
        if link.early_offer.as_ref() != Some(&sdp) {
            link.early_offer = Some(sdp);
        }
        if wanted {
            self.answer_early_offer(from, s);
        }
        Ok(())
    }

    pub(super) fn answer(&mut self, from: &PeerId, sdp: String, s: &mut Surroundings<'_>) {
        let now = s.now;
        let Some(link) = self.links.get_mut(from) else { return };
        let Some(connection) = &mut link.connection else { return };
        if connection.role == Role::Offerer && connection.remote.is_none() && connection.local.is_some() {
            connection.remote = Some(sdp.clone());
            connection.since = now;
            let attempt = connection.attempt;
            s.out.push_back(Output::RemoteDescription { peer: from.clone(), attempt, sdp });
            for candidate in std::mem::take(&mut link.early_candidates) {
                s.out.push_back(Output::RemoteCandidate { peer: from.clone(), attempt, candidate });
            }
        }
    }

    pub(super) fn candidate(&mut self, from: &PeerId, candidate: IceCandidate, s: &mut Surroundings<'_>) {
        let now = s.now;
        let link = self.link(from, now);
        let described = link.connection.as_ref().filter(|c| c.remote.is_some() && link.early_offer.is_none());
        if let Some(connection) = described {
            if !connection.open {
                let attempt = connection.attempt;
                s.out.push_back(Output::RemoteCandidate { peer: from.clone(), attempt, candidate });
            }
        } else if link.early_candidates.len() < MAX_CANDIDATES && !link.early_candidates.contains(&candidate) {
            link.early_candidates.push(candidate);
        }
    }

    /// Keeps a message for a session that is not known yet. False when there is no room.
    pub(super) fn keep_early(&mut self, from: &PeerId, message: PeerMessage, now: Timestamp) -> bool {
        let early = &mut self.link(from, now).early_messages;
        let room = early.len() < MAX_EARLY_MESSAGES;
        if room && !early.contains(&message) {
            early.push(message);
        }
        room
    }

    /// Takes what was kept for a session.
    pub(super) fn take_early(&mut self, peer: &PeerId, session: &SessionId) -> Vec<PeerMessage> {
        let Some(link) = self.links.get_mut(peer) else { return Vec::new() };
        let (taken, kept) =
            std::mem::take(&mut link.early_messages).into_iter().partition(|m| m.session_id() == Some(session));
        link.early_messages = kept;
        taken
    }

    // ---- what the driver reports ----

    pub(super) fn local_description(&mut self, peer: &PeerId, attempt: u32, sdp: String, s: &mut Surroundings<'_>) {
        let (now, present) = (s.now, s.present.contains(peer));
        if let Some(connection) = self.connection(peer, attempt) {
            connection.local = Some(sdp);
            connection.offered = now;
            connection.delivered = present && s.online;
            connection.describe(peer, s);
        }
    }

    pub(super) fn local_candidate(&mut self, peer: &PeerId, attempt: u32, candidate: IceCandidate, s: &mut Surroundings<'_>) {
        if let Some(connection) = self.connection(peer, attempt) {
            if connection.candidates.len() < MAX_CANDIDATES && !connection.open {
                if connection.local.is_some() {
                    s.relay(peer, &RelayData::IceCandidate { candidate: candidate.clone(), attempt: None });
                }
                connection.candidates.push(candidate);
            }
        }
    }

    /// Notes that a channel is open. False for an attempt that is over.
    pub(super) fn opened(&mut self, peer: &PeerId, attempt: u32) -> bool {
        let Some(connection) = self.connection(peer, attempt) else { return false };
        let fresh = !std::mem::replace(&mut connection.open, true);
        connection.stalled = None;
        if let Some(link) = self.links.get_mut(peer) {
            link.failures = 0;
        }
        fresh
    }

    pub(super) fn stalled(&mut self, peer: &PeerId, attempt: u32, stalled: bool, now: Timestamp) {
        if let Some(connection) = self.connection(peer, attempt) {
            connection.stalled = stalled.then(|| connection.stalled.unwrap_or(now));
        }
    }

    /// Notes that an attempt is over. True when its channel had been open.
    pub(super) fn closed(&mut self, peer: &PeerId, attempt: u32, now: Timestamp) -> bool {
        let Some(link) = self.links.get_mut(peer) else { return false };
        let Some(connection) = link.connection.take_if(|c| c.attempt == attempt) else { return false };
        link.retry_later(now);
        connection.open
    }

    /// The server says that `peer` is not there: what was sent last did not reach it.
    pub(super) fn not_delivered(&mut self, peer: &PeerId) {
        if let Some(connection) = self.links.get_mut(peer).and_then(|l| l.connection.as_mut()) {
            connection.delivered = false;
        }
    }

    // ---- keeping the mesh ----

    /// Closes an offerer's connection that may be stale, at the start of a session that finds it idle.
    pub(super) fn refresh(&mut self, peer: &PeerId, out: &mut VecDeque<Output>) {
        if let Some(link) = self.links.get_mut(peer) {
            link.retry_at = None;
            link.failures = 0;
            if let Some(connection) = link.connection.take_if(|c| c.role == Role::Offerer) {
                out.push_back(Output::CloseConnection { peer: peer.clone(), attempt: connection.attempt });
            }
        }
    }

    /// Drops every connection and all that is kept, for a new name at a new server.
    pub(super) fn clear(&mut self, out: &mut VecDeque<Output>) {
        for (peer, link) in std::mem::take(&mut self.links) {
            if let Some(connection) = link.connection {
                out.push_back(Output::CloseConnection { peer, attempt: connection.attempt });
            }
        }
    }

    /// Opens what is wanted, repeats what was not answered, replaces what failed, closes what nobody needs.
    pub(super) fn tend(&mut self, wanted: &BTreeSet<PeerId>, s: &mut Surroundings<'_>) {
        let deadlines = self.deadlines;
        for peer in wanted {
            let now = s.now;
            let link = self.link(peer, now);
            link.unwanted_since = None;
            if let Some(connection) = &mut link.connection {
                let stalled = connection.stalled.is_some_and(|since| since.after(STALL) <= now);
                let expired = !connection.open && connection.remote.is_some() && connection.since.after(deadlines.connect) <= now;
                if expired || (stalled && connection.role == Role::Offerer) {
                    s.out.push_back(Output::CloseConnection { peer: peer.clone(), attempt: connection.attempt });
                    link.connection = None;
                    link.retry_later(now);
                } else if connection.repeat_due(peer, &deadlines, s) {
                    connection.offered = now;
                    connection.delivered = s.present.contains(peer);
                    connection.describe(peer, s);
                }
            }
            if s.me > peer {
                self.answer_early_offer(peer, s);
            } else if s.online && self.link(peer, now).may_try(now) {
                self.open(peer, Role::Offerer, s);
            }
        }
        for (peer, link) in self.links.iter_mut().filter(|(id, l)| l.connection.is_some() && !wanted.contains(*id)) {
            let since = *link.unwanted_since.get_or_insert(s.now);
            if since.after(IDLE) <= s.now {
                if let Some(connection) = link.connection.take() {
                    s.out.push_back(Output::CloseConnection { peer: peer.clone(), attempt: connection.attempt });
                }
            }
        }
    }

    /// When [`Mesh::tend`] has something to do next.
    pub(super) fn next_deadline(&self, wanted: &BTreeSet<PeerId>) -> Option<Timestamp> {
        let deadlines = &self.deadlines;
        let times = self.links.iter().filter_map(|(id, link)| {
            let Some(connection) = &link.connection else {
                return link.retry_at.filter(|_| wanted.contains(id));
            };
            match connection {
                _ if link.unwanted_since.is_some() => link.unwanted_since.map(|t| t.after(IDLE)),
                Connection { stalled: Some(since), role: Role::Offerer, .. } => Some(since.after(STALL)),
                Connection { open: true, .. } => None,
                Connection { remote: Some(_), since, .. } => Some(since.after(deadlines.connect)),
                Connection { local: Some(_), offered, .. } => Some(offered.after(deadlines.repeat)),
                _ => None,
            }
        });
        times.min()
    }

    fn open(&mut self, peer: &PeerId, role: Role, s: &mut Surroundings<'_>) -> u32 {
        let attempt = self.next_attempt;
        self.next_attempt = self.next_attempt.wrapping_add(1);
        let now = s.now;
        let link = self.link(peer, now);
        link.retry_at = None;
        link.connection = Some(Connection {
            attempt,
            role,
            local: None,
            candidates: Vec::new(),
            remote: None,
            open: false,
            stalled: None,
            since: now,
            offered: now,
            delivered: false,
        });
        s.out.push_back(Output::OpenConnection { peer: peer.clone(), attempt, role });
        attempt
    }

    /// Answers the offer that is kept for `peer`, in place of any older connection.
    fn answer_early_offer(&mut self, peer: &PeerId, s: &mut Surroundings<'_>) {
        let now = s.now;
        let link = self.link(peer, now);
        let Some(sdp) = link.early_offer.take() else { return };
        if let Some(old) = link.connection.take() {
            s.out.push_back(Output::CloseConnection { peer: peer.clone(), attempt: old.attempt });
        }
        let candidates = std::mem::take(&mut link.early_candidates);
        let attempt = self.open(peer, Role::Answerer, s);
        if let Some(connection) = self.connection(peer, attempt) {
            connection.remote = Some(sdp.clone());
        }
        s.out.push_back(Output::RemoteDescription { peer: peer.clone(), attempt, sdp });
        for candidate in candidates {
            s.out.push_back(Output::RemoteCandidate { peer: peer.clone(), attempt, candidate });
        }
    }
}

impl Link {
    fn retry_later(&mut self, now: Timestamp) {
        self.retry_at = Some(now.after(250 << self.failures.min(4)));
        self.failures = self.failures.saturating_add(1);
        self.early_candidates.clear();
    }

    fn may_try(&self, now: Timestamp) -> bool {
        self.connection.is_none() && self.retry_at.is_none_or(|at| at <= now)
    }
}

impl Connection {
    /// Sends our description and the candidates so far.
    fn describe(&self, peer: &PeerId, s: &mut Surroundings<'_>) {
        let Some(sdp) = self.local.clone() else { return };
        let description = match self.role {
            Role::Offerer => RelayData::Offer { sdp, attempt: None },
            Role::Answerer => RelayData::Answer { sdp, attempt: None },
        };
        s.relay(peer, &description);
        for candidate in &self.candidates {
            s.relay(peer, &RelayData::IceCandidate { candidate: candidate.clone(), attempt: None });
        }
    }

    /// An offer that nobody answered, and whose addressee has come or may have missed it.
    fn repeat_due(&self, peer: &PeerId, deadlines: &Deadlines, s: &Surroundings<'_>) -> bool {
        let unanswered = self.role == Role::Offerer && self.local.is_some() && self.remote.is_none();
        let come = !self.delivered && s.present.contains(peer);
        unanswered && s.online && (come || self.offered.after(deadlines.repeat) <= s.now)
    }
}
