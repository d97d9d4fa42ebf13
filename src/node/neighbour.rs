//! What the mesh keeps of one peer: the connection, what came early, and when to try again.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::mesh::Surroundings;
use super::{Deadlines, Role, Timestamp};
use crate::wire::{IceCandidate, PeerId, PeerMessage, RelayData};

/// Most candidates kept for one attempt, in each direction.
pub(super) const MAX_CANDIDATES: usize = 64;
/// How long a path may be interrupted before the offerer tries a new connection, in milliseconds.
const STALL: u64 = 4_000;
/// How much longer the answerer waits for that offer before it closes, which the offerer will notice.
const STALL_ANSWERER: u64 = 2_000;

/// One attempt at a connection, and its life if it succeeds.
pub(super) struct Connection {
    pub attempt: u32,
    pub role: Role,
    /// The offerer's name for the attempt: our own, or what the offer says. `None` from a baseline peer.
    pub tag: Option<u32>,
    /// The other end has named the attempt too: it is no baseline peer.
    pub tagged: bool,
    /// Our description, once the driver has made it.
    pub local: Option<String>,
    pub candidates: Vec<IceCandidate>,
    /// The other end's description, once it is applied.
    pub remote: Option<String>,
    pub remote_candidates: Vec<IceCandidate>,
    pub open: bool,
    /// Since when it is open.
    pub opened: Timestamp,
    pub stalled: Option<Timestamp>,
    /// Start of the wait for it to open: creation, or the answer.
    pub since: Timestamp,
    /// When our description was last sent, and how often it was.
    pub sent: Timestamp,
    pub times_sent: u32,
    /// Whether the other end was there then.
    pub delivered: bool,
}

/// An offer that waits until a session wants the connection.
pub(super) struct EarlyOffer {
    pub sdp: String,
    pub tag: Option<u32>,
}

/// All that concerns one peer.
#[derive(Default)]
pub(super) struct Neighbour {
    pub connection: Option<Connection>,
    pub early_offer: Option<EarlyOffer>,
    pub early_candidates: Vec<(IceCandidate, Option<u32>)>,
    pub early_messages: Vec<PeerMessage>,
    /// Offers, or answers, that came before.
    pub seen: Seen,
    /// How long the last attempt that opened took to do so, in milliseconds.
    pub took: Option<u64>,
    pub failures: u32,
    pub retry_at: Option<Timestamp>,
    pub unwanted_since: Option<Timestamp>,
    pub touched: Timestamp,
}

/// Fingerprints of the last descriptions of a peer, newest last: signaling may repeat and reorder.
#[derive(Default)]
pub(super) struct Seen(VecDeque<u64>);

impl Seen {
    const MAX: usize = 8;

    pub(super) fn add(&mut self, sdp: &str) {
        if !self.contains(sdp) {
            self.0.truncate(Self::MAX - 1);
            self.0.push_front(fingerprint(sdp));
        }
    }

    pub(super) fn contains(&self, sdp: &str) -> bool {
        self.0.contains(&fingerprint(sdp))
    }
}

/// Tells descriptions of one peer apart. A peer that makes two of them collide harms its own connection only.
fn fingerprint(sdp: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    sdp.hash(&mut hasher);
    hasher.finish()
}

impl Neighbour {
    /// After a failure: tries again after 0.25, 0.5, 1, 2, then every 4 seconds.
    pub(super) fn retry_later(&mut self, now: Timestamp) {
        self.retry_at = Some(now.after(250 << self.failures.min(4)));
        self.failures = self.failures.saturating_add(1);
    }

    pub(super) fn may_try(&self, now: Timestamp) -> bool {
        self.connection.is_none() && self.retry_at.is_none_or(|at| at <= now)
    }

    /// Candidates that came before the description that they belong to.
    pub(super) fn take_candidates(&mut self, tag: Option<u32>) -> Vec<IceCandidate> {
        let early = std::mem::take(&mut self.early_candidates).into_iter();
        early
            .filter(|(_, theirs)| same_attempt(*theirs, tag))
            .map(|(candidate, _)| candidate)
            .collect()
    }

    /// How long an attempt may take to open. One to a peer that opened faster before is given up sooner: there may be
    /// seconds left only until the peer counts as lost.
    fn patience(&self, deadlines: &Deadlines) -> u64 {
        const LEAST: u64 = 3_000;
        self.took.map_or(deadlines.connect, |took| (4 * took).max(LEAST).min(deadlines.connect))
    }

    /// Its attempt did not open in time, or its connection was interrupted for too long.
    pub(super) fn has_failed(&self, deadlines: &Deadlines, now: Timestamp) -> bool {
        let Some(connection) = &self.connection else { return false };
        let stalled =
            connection.stalled.is_some_and(|since| since.after(connection.patience()) <= now);
        stalled
            || (connection.is_under_way()
                && connection.since.after(self.patience(deadlines)) <= now)
    }

    /// The next moment at which the clock alone moves this neighbour.
    pub(super) fn next_deadline(&self, deadlines: &Deadlines, idle: u64) -> Option<Timestamp> {
        let Some(connection) = &self.connection else { return self.retry_at };
        match connection {
            _ if self.unwanted_since.is_some() => {
                self.unwanted_since.map(|since| since.after(idle))
            }
            Connection { stalled: Some(since), .. } => Some(since.after(connection.patience())),
            Connection { open: true, .. } => None,
            _ if connection.is_under_way() => {
                Some(connection.since.after(self.patience(deadlines)))
            }
            _ => Some(connection.next_repeat(deadlines)),
        }
    }
}

/// Whether what a peer tagged so belongs to the attempt of that tag. A baseline peer tags nothing.
pub(super) fn same_attempt(theirs: Option<u32>, ours: Option<u32>) -> bool {
    theirs.is_none() || ours.is_none() || theirs == ours
}

/// Whether one offer was made before another by the same life of a peer: it counts its attempts from a random number on.
pub(super) fn is_older(one: Option<u32>, other: Option<u32>) -> bool {
    const MANY: u32 = 1 << 16;
    matches!((one, other), (Some(one), Some(other)) if (1..MANY).contains(&other.wrapping_sub(one)))
}

impl Connection {
    pub(super) fn new(attempt: u32, role: Role, tag: Option<u32>, now: Timestamp) -> Self {
        Self {
            attempt,
            role,
            tag,
            tagged: role == Role::Answerer && tag.is_some(),
            local: None,
            candidates: Vec::new(),
            remote: None,
            remote_candidates: Vec::new(),
            open: false,
            opened: now,
            stalled: None,
            since: now,
            sent: now,
            times_sent: 0,
            delivered: false,
        }
    }

    /// How long it may be interrupted.
    fn patience(&self) -> u64 {
        if self.role == Role::Offerer { STALL } else { STALL + STALL_ANSWERER }
    }

    /// Waits for this side's driver or for the network, and no more for the other side to accept.
    fn is_under_way(&self) -> bool {
        !self.open && (self.remote.is_some() || self.local.is_none())
    }

    /// Sends our description and the candidates so far.
    pub(super) fn describe(&mut self, peer: &PeerId, s: &mut Surroundings<'_>) {
        let Some(sdp) = self.local.clone() else { return };
        self.sent = s.now;
        self.times_sent = self.times_sent.saturating_add(1);
        self.delivered = s.online && s.present.contains(peer);
        let attempt = self.tag;
        s.relay(
            peer,
            &match self.role {
                Role::Offerer => RelayData::Offer { sdp, attempt },
                Role::Answerer => RelayData::Answer { sdp, attempt },
            },
        );
        for candidate in &self.candidates {
            s.relay(peer, &RelayData::IceCandidate { candidate: candidate.clone(), attempt });
        }
    }

    /// Our description may not have reached the other end: it has come since, or an offer is unanswered for long.
    pub(super) fn is_repeat_due(
        &self,
        peer: &PeerId,
        deadlines: &Deadlines,
        s: &Surroundings<'_>,
    ) -> bool {
        if self.open || self.local.is_none() || !s.online {
            return false;
        }
        let unanswered = self.role == Role::Offerer && self.remote.is_none();
        let come = !self.delivered
            && s.present.contains(peer)
            && (unanswered || self.role == Role::Answerer);
        come || (unanswered && self.next_repeat(deadlines) <= s.now)
    }

    /// An offer that may be lost is repeated soon, one that waits for a person now and then: after 1, 2, 4, 5, 5... seconds.
    fn next_repeat(&self, deadlines: &Deadlines) -> Timestamp {
        let pause = (deadlines.repeat / 5) << self.times_sent.saturating_sub(1).min(3);
        self.sent.after(pause.min(deadlines.repeat))
    }
}
