//! What the WebRTC carrier keeps of one peer: the connection, what came early, and when to retry.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::connection::{Connection, Timeouts, same_attempt};
use crate::api::Timestamp;
use crate::wire::IceCandidate;

/// An offer that waits until the connection is wanted.
pub(super) struct EarlyOffer {
    pub sdp: String,
    pub attempt_id: Option<u32>,
}

/// All that concerns one peer.
#[derive(Default)]
pub(super) struct Peer {
    pub connection: Option<Connection>,
    pub early_offer: Option<EarlyOffer>,
    pub early_candidates: Vec<(IceCandidate, Option<u32>)>,
    /// Descriptions that came before.
    pub seen: Seen,
    /// How long the last attempt that opened took to do so, in milliseconds.
    pub last_took: Option<u64>,
    failures: u32,
    retry_at: Option<Timestamp>,
    /// Since when nobody needs the connection.
    pub unwanted_since: Option<Timestamp>,
    /// When something was last received for it.
    pub touched: Timestamp,
}

impl Peer {
    /// After a failure: retries after 0.25, 0.5, 1, 2, then every 4 seconds.
    pub(super) fn retry_later(&mut self, timeouts: &Timeouts, now: Timestamp) {
        self.retry_at = Some(now.after(timeouts.retry << self.failures.min(4)));
        self.failures = self.failures.saturating_add(1);
    }

    /// Forgets earlier failures.
    pub(super) fn retry_now(&mut self) {
        self.retry_at = None;
        self.failures = 0;
    }

    pub(super) fn started(&mut self, connection: Connection) {
        self.retry_at = None;
        self.connection = Some(connection);
    }

    pub(super) fn opened(&mut self, took: u64) {
        self.last_took = Some(took);
        self.failures = 0;
    }

    pub(super) fn may_try(&self, now: Timestamp) -> bool {
        self.connection.is_none() && self.retry_at.is_none_or(|at| at <= now)
    }

    /// Takes the candidates that came before the description that they belong to.
    pub(super) fn take_candidates(&mut self, attempt_id: Option<u32>) -> Vec<IceCandidate> {
        let early = std::mem::take(&mut self.early_candidates).into_iter();
        let ours = early.filter(|(_, theirs)| same_attempt(*theirs, attempt_id));
        ours.map(|(candidate, _)| candidate).collect()
    }

    /// How long an attempt may take to open. An attempt at a peer that connected faster before is
    /// given up sooner: there may be seconds left only until the peer counts as lost.
    fn connect_timeout(&self, timeouts: &Timeouts) -> u64 {
        let Some(took) = self.last_took else { return timeouts.connect };
        (4 * took).max(timeouts.least_connect).min(timeouts.connect)
    }

    /// Whether the attempt did not open in time, or was interrupted for too long.
    pub(super) fn has_failed(&self, timeouts: &Timeouts, now: Timestamp) -> bool {
        let Some(connection) = &self.connection else { return false };
        let at = connection.fails_at(timeouts, self.connect_timeout(timeouts));
        at.is_some_and(|at| at <= now)
    }

    /// The next moment at which the clock alone moves this peer's connection.
    pub(super) fn next_deadline(&self, timeouts: &Timeouts) -> Option<Timestamp> {
        let Some(connection) = &self.connection else { return self.retry_at };
        if let Some(since) = self.unwanted_since {
            return Some(since.after(timeouts.idle));
        }
        let fails = connection.fails_at(timeouts, self.connect_timeout(timeouts));
        fails.or_else(|| connection.repeats_at(timeouts))
    }
}

/// Fingerprints of the last descriptions of a peer, newest first: signaling may repeat and reorder.
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

/// Tells descriptions of one peer apart. A peer that makes two of them collide harms its own
/// connection only.
fn fingerprint(sdp: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    sdp.hash(&mut hasher);
    hasher.finish()
}
