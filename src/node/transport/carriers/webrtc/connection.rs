//! One WebRTC connection, from the first attempt to its end: an explicit state machine.
//!
//! | state | event | next state |
//! | --- | --- | --- |
//! | - | an offerer is wanted | `Gathering` |
//! | - | an offer is answered | `Gathering` |
//! | `Gathering` | the driver has made the offer | `Offered` |
//! | `Gathering` | the driver has made the answer | `Connecting` |
//! | `Offered` | the answer came | `Connecting` |
//! | `Gathering`, `Connecting` | it did not open in time | closed, retried after a pause |
//! | any | the data channel opened | `Open` |
//! | `Open` | the path is interrupted | `Stalled` |
//! | `Stalled` | the path works again | `Open` |
//! | `Stalled` | it stayed interrupted for too long | closed, replaced by the offerer |
//! | any | the driver reports that it closed | closed, retried after a pause |
//!
//! `Offered` has no timeout of its own: a person at the other end may have to accept first. The
//! offer is repeated instead. ICE is never restarted: a broken connection is replaced by a new
//! attempt (docs/connectivity.md says why).

use super::surroundings::Surroundings;
use crate::api::Timestamp;
use crate::node::{Deadlines, Output, Role};
use crate::wire::{IceCandidate, PeerId, RelayData};

/// Most candidates kept for one attempt, in each direction.
pub(super) const MAX_CANDIDATES: usize = 64;

/// Every timeout of a connection, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    /// From the answer (or from the start of gathering) to the open data channel.
    pub connect: u64,
    /// The least that `connect` is shortened to for a peer that connected faster before.
    pub least_connect: u64,
    /// Longest pause between two repeats of an offer that was not answered.
    pub repeat: u64,
    /// How long a path may be interrupted before the offerer replaces the connection.
    pub stall: u64,
    /// How much longer the answerer waits for the offerer to do so, before it closes.
    pub stall_answerer: u64,
    /// How long a connection that nobody needs stays open, for what is still being sent.
    pub idle: u64,
    /// Pause after the first failure. It doubles with each further one, four times.
    pub retry: u64,
}

impl Timeouts {
    pub(super) fn new(deadlines: &Deadlines) -> Self {
        Self {
            connect: deadlines.connect,
            least_connect: 3_000,
            repeat: deadlines.repeat,
            stall: 4_000,
            stall_answerer: 2_000,
            idle: 2_000,
            retry: 250,
        }
    }
}

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// The driver makes the local description.
    Gathering { since: Timestamp },
    /// The offer was sent and not answered.
    Offered,
    /// Both descriptions are known; ICE and DTLS are under way.
    Connecting { since: Timestamp },
    /// The data channel is open.
    Open { since: Timestamp },
    /// The data channel is open, but the path to the other end is interrupted.
    Stalled { since: Timestamp, opened: Timestamp },
}

/// The local description, and how often it was sent.
struct Description {
    sdp: String,
    sent_at: Timestamp,
    times_sent: u32,
    /// Whether the peer was present when it was sent last.
    delivered: bool,
}

/// One attempt at a connection, and its life if it succeeds.
pub(super) struct Connection {
    pub attempt: u32,
    pub role: Role,
    /// The offerer's id of the attempt: our own, or the one in the offer. `None` from a baseline
    /// peer.
    pub attempt_id: Option<u32>,
    /// The peer sends attempt ids: it is no baseline peer.
    pub peer_sends_attempt_ids: bool,
    state: State,
    local: Option<Description>,
    candidates: Vec<IceCandidate>,
    remote: Option<String>,
    remote_candidates: Vec<IceCandidate>,
}

impl Connection {
    pub(super) fn new(attempt: u32, role: Role, attempt_id: Option<u32>, now: Timestamp) -> Self {
        Self {
            attempt,
            role,
            attempt_id,
            peer_sends_attempt_ids: role == Role::Answerer && attempt_id.is_some(),
            state: State::Gathering { since: now },
            local: None,
            candidates: Vec::new(),
            remote: None,
            remote_candidates: Vec::new(),
        }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    /// Whether the data channel is open, interrupted or not.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. } | State::Stalled { .. })
    }

    /// Since when the data channel is open.
    pub(super) fn opened_at(&self) -> Option<Timestamp> {
        match self.state {
            State::Open { since } | State::Stalled { opened: since, .. } => Some(since),
            _ => None,
        }
    }

    /// Whether the other end's description is known.
    pub(super) fn is_answered(&self) -> bool {
        self.remote.is_some()
    }

    pub(super) fn has_remote(&self, sdp: &str) -> bool {
        self.remote.as_deref() == Some(sdp)
    }

    // ---- events ----

    /// The driver has made the local description.
    pub(super) fn described(&mut self, peer: &PeerId, sdp: String, s: &mut Surroundings<'_, '_>) {
        let (sent_at, times_sent, delivered) = (s.ctx.now, 0, false);
        self.local = Some(Description { sdp, sent_at, times_sent, delivered });
        if let State::Gathering { since } = self.state {
            self.state = match self.role {
                Role::Offerer => State::Offered,
                Role::Answerer => State::Connecting { since },
            };
        }
        self.send_description(peer, s);
    }

    /// Whether an answer is awaited.
    pub(super) fn awaits_answer(&self) -> bool {
        self.state == State::Offered
    }

    /// Applies the other end's description.
    pub(super) fn set_remote(&mut self, peer: &PeerId, sdp: String, s: &mut Surroundings<'_, '_>) {
        if self.state == State::Offered {
            self.state = State::Connecting { since: s.ctx.now };
        }
        self.remote = Some(sdp.clone());
        s.output(Output::RemoteDescription { peer: peer.clone(), attempt: self.attempt, sdp });
    }

    /// The driver has found a local candidate.
    pub(super) fn local_candidate(
        &mut self,
        peer: &PeerId,
        candidate: IceCandidate,
        s: &mut Surroundings<'_, '_>,
    ) {
        if self.candidates.len() >= MAX_CANDIDATES || self.is_open() {
            return;
        }
        if self.local.is_some() {
            let attempt = self.attempt_id;
            s.relay(peer, RelayData::IceCandidate { candidate: candidate.clone(), attempt });
        }
        self.candidates.push(candidate);
    }

    /// A candidate of the other end came, for this attempt.
    pub(super) fn remote_candidate(
        &mut self,
        peer: &PeerId,
        candidate: IceCandidate,
        s: &mut Surroundings<'_, '_>,
    ) {
        let room = self.remote_candidates.len() < MAX_CANDIDATES;
        if room && !self.is_open() && !self.remote_candidates.contains(&candidate) {
            self.remote_candidates.push(candidate.clone());
            let (peer, attempt) = (peer.clone(), self.attempt);
            s.output(Output::RemoteCandidate { peer, attempt, candidate });
        }
    }

    /// The data channel opened. Returns how long that took, in milliseconds.
    pub(super) fn opened(&mut self, now: Timestamp) -> u64 {
        let took = match self.state {
            State::Gathering { since } | State::Connecting { since } => now.since(since),
            _ => 0,
        };
        self.state = State::Open { since: now };
        took
    }

    /// The path is interrupted, or works again.
    pub(super) fn interrupted(&mut self, interrupted: bool, now: Timestamp) {
        self.state = match self.state {
            State::Open { since } if interrupted => State::Stalled { since: now, opened: since },
            State::Stalled { opened, .. } if !interrupted => State::Open { since: opened },
            other => other,
        };
    }

    /// The server says that the peer was not present when something was sent to it.
    pub(super) fn not_delivered(&mut self) {
        if let Some(local) = &mut self.local {
            local.delivered = false;
        }
    }

    // ---- time ----

    /// When this attempt has failed, unless something happens. `connect` is the time that it may
    /// take to open.
    pub(super) fn fails_at(&self, timeouts: &Timeouts, connect: u64) -> Option<Timestamp> {
        match self.state {
            State::Gathering { since } | State::Connecting { since } => Some(since.after(connect)),
            State::Stalled { since, .. } => {
                let longer = if self.role == Role::Answerer { timeouts.stall_answerer } else { 0 };
                Some(since.after(timeouts.stall + longer))
            }
            State::Offered | State::Open { .. } => None,
        }
    }

    /// When an unanswered offer is repeated: after 1, 2, 4, then every 5 seconds. One that was lost
    /// is repeated soon; one that waits for a person now and then.
    pub(super) fn repeats_at(&self, timeouts: &Timeouts) -> Option<Timestamp> {
        let local = self.local.as_ref().filter(|_| self.state == State::Offered)?;
        let pause = (timeouts.repeat / 5) << local.times_sent.saturating_sub(1).min(3);
        Some(local.sent_at.after(pause.min(timeouts.repeat)))
    }

    /// Whether the local description may not have reached the peer: it came to the server since, or
    /// the offer has not been answered for long.
    pub(super) fn is_repeat_due(
        &self,
        peer: &PeerId,
        timeouts: &Timeouts,
        s: &Surroundings<'_, '_>,
    ) -> bool {
        let Some(local) = self.local.as_ref().filter(|_| !self.is_open() && s.is_online()) else {
            return false;
        };
        let unanswered = self.state == State::Offered;
        let repeats = unanswered || self.role == Role::Answerer;
        (repeats && !local.delivered && s.is_present(peer))
            || self.repeats_at(timeouts).is_some_and(|at| at <= s.ctx.now)
    }

    /// Sends the local description and the candidates so far.
    pub(super) fn send_description(&mut self, peer: &PeerId, s: &mut Surroundings<'_, '_>) {
        let delivered = s.is_online() && s.is_present(peer);
        let Some(local) = &mut self.local else { return };
        local.sent_at = s.ctx.now;
        local.times_sent = local.times_sent.saturating_add(1);
        local.delivered = delivered;
        let (sdp, attempt) = (local.sdp.clone(), self.attempt_id);
        let description = match self.role {
            Role::Offerer => RelayData::Offer { sdp, attempt },
            Role::Answerer => RelayData::Answer { sdp, attempt },
        };
        s.relay(peer, description);
        for candidate in &self.candidates {
            s.relay(peer, RelayData::IceCandidate { candidate: candidate.clone(), attempt });
        }
    }
}

/// Whether a peer's attempt id and ours name the same attempt. A baseline peer sends none.
pub(super) fn same_attempt(theirs: Option<u32>, ours: Option<u32>) -> bool {
    theirs.is_none() || ours.is_none() || theirs == ours
}

/// Whether an offer was made before another one by the same process of a peer, which counts its
/// attempts from a random number on.
pub(super) fn is_older(one: Option<u32>, other: Option<u32>) -> bool {
    const MANY: u32 = 1 << 16;
    let (Some(one), Some(other)) = (one, other) else { return false };
    (1..MANY).contains(&other.wrapping_sub(one))
}
