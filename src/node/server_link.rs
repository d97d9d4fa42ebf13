//! The node's connection to the signaling server: registering, knowing who is there, trying again.

use super::Timestamp;
use crate::sorted::Set;
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
    pub present: Set<PeerId>,
    /// When it was last asked who is there.
    pub asked: Timestamp,
    /// Since when an answer of it is owed: to being opened, or to a question.
    pub owes_since: Option<Timestamp>,
    pub failures: u32,
}

/// How often to ask who is there while somebody is missing, in milliseconds. One more for each peer that the last answer
/// named, since a large lobby makes large answers.
const POLL: u64 = 1_000;
/// How often to ask otherwise: a connection that died without a word is noticed by that alone.
const IDLE_POLL: u64 = 30_000;

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
            present: Set::default(),
            asked: Timestamp::default(),
            owes_since: None,
            failures: 0,
        }
    }

    pub(super) fn enter(&mut self, state: State, now: Timestamp) {
        self.state = state;
        self.since = now;
        self.owes_since = matches!(state, State::Opening | State::Registering).then_some(now);
    }

    /// A socket is open or being opened.
    pub(super) fn has_socket(&self) -> bool {
        matches!(self.state, State::Opening | State::Registering | State::Online)
    }

    /// When to ask again who is there; sooner while somebody is missing.
    pub(super) fn next_poll(&self, missing: bool) -> Option<Timestamp> {
        let lobby = self.present.len() as u64;
        let pause = if missing { POLL + lobby } else { IDLE_POLL + 100 * lobby };
        self.is_online().then(|| self.asked.after(pause))
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
    }
}
