//! The node's connection to the signaling server: registering, knowing who is there, trying again.

use std::collections::BTreeSet;

use super::Timestamp;
use crate::wire::PeerId;

/// Where the connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Offline,
    Opening,
    Registering,
    Online,
    /// Lost; the next try is due at this moment.
    Waiting(Timestamp),
}

#[derive(Debug)]
pub(super) struct ServerLink {
    pub state: State,
    pub url: String,
    pub me: Option<PeerId>,
    pub since: Timestamp,
    /// Why it is not online, for people.
    pub error: Option<String>,
    /// Registered at least once since the last `Connect`.
    pub was_online: bool,
    /// Since when it is away, once it was wanted.
    pub away_since: Option<Timestamp>,
    /// Whether `ServerGone` was said.
    pub gone: bool,
    /// Who was there when the server last said so.
    pub present: BTreeSet<PeerId>,
    /// When to ask again who is there.
    pub next_poll: Option<Timestamp>,
    failures: u32,
}

/// How often to ask who is there while somebody is missing, in milliseconds.
pub(super) const POLL: u64 = 1_000;

impl ServerLink {
    pub(super) fn new() -> Self {
        Self {
            state: State::Offline,
            url: String::new(),
            me: None,
            since: Timestamp::default(),
            error: None,
            was_online: false,
            away_since: None,
            gone: false,
            present: BTreeSet::new(),
            next_poll: None,
            failures: 0,
        }
    }

    pub(super) fn enter(&mut self, state: State, now: Timestamp) {
        self.state = state;
        self.since = now;
    }

    pub(super) fn is_online(&self) -> bool {
        self.state == State::Online
    }

    pub(super) fn online(&mut self, now: Timestamp) {
        self.enter(State::Online, now);
        self.was_online = true;
        self.away_since = None;
        self.gone = false;
        self.error = None;
        self.failures = 0;
    }

    /// The socket is gone: tries again after 0.5, 1, 2, 4, then every 8 seconds.
    pub(super) fn lost(&mut self, reason: String, now: Timestamp) {
        let wait = 500 << self.failures.min(4);
        self.failures = self.failures.saturating_add(1);
        self.enter(State::Waiting(now.after(wait)), now);
        self.error = Some(reason);
        self.away_since.get_or_insert(now);
        self.present.clear();
        self.next_poll = None;
    }
}
