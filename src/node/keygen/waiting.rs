//! What a session does while it waits: it watches who can be reached, sends things again, keeps
//! deadlines, and knows whom it waits for.
//!
//! Networks lose messages, so nothing is sent only once. Everything that was sent to a participant
//! is sent again when its channel opens anew, and every few seconds to participants that are
//! awaited. With it goes `session_response` with `accepted: true`, which means "I am in this
//! session and still wait": a participant that has ended the session answers it with its reason,
//! and one that still has something to send sends it again. So the end reaches everyone who can be
//! reached.

use super::effect::Effect;
use super::progress::{Delivery, Dialect, Progress, Reach};
use super::session::{Phase, Session, Stage};
use crate::api::{Event, ProtocolStep, Reason, ReasonKind, Timestamp};
use crate::node::ctx::Ctx;
use crate::node::presence::Address;
use crate::node::transport;
use crate::sorted::Set;
use crate::wire::{PeerId, PeerMessage};

/// How soon a participant whose channel broke gets a message by other ways, in milliseconds.
const MISSED: u64 = 1_000;

/// How long a peer that speaks the extensions may take to announce that on a fresh data channel, in
/// milliseconds. A silent one counts as a baseline peer, where the session allows one.
const GREETING: u64 = 1_000;

impl Session {
    /// Does what is due. `shared` are peers whose data channel may be there for another session, so
    /// that it does not show that they accepted this one.
    pub(super) fn tick(&mut self, ctx: &mut Ctx<'_>, shared: &Set<Address>) {
        self.keep_deadlines(ctx.now);
        if !self.is_running() {
            return;
        }
        self.send_hellos(ctx);
        self.propose_again(ctx);
        self.find_baseline_peers(ctx.now);
        self.watch(ctx.now, shared);
        let connecting = matches!(self.stage, Stage::Running(_, Phase::Connecting));
        if connecting && self.peers.keys().all(|id| self.is_reachable(id)) {
            self.announce_mesh(ctx);
        }
        self.shorten_wait_once_all_accepted(ctx.now);
        self.advance(ctx);
        self.nudge(ctx.now);
    }

    // ---- who can be reached ----

    /// Whether a participant can be reached: by a secure channel, or by a data channel where that
    /// will do.
    pub(super) fn is_reachable(&self, peer: &PeerId) -> bool {
        let Some(progress) = self.peers.get(peer) else { return false };
        progress.carrier.is_some() || (self.is_baseline(peer) && progress.path.works)
    }

    /// Notes who can be reached, and who cannot any more.
    fn watch(&mut self, now: Timestamp, shared: &Set<Address>) {
        let mut came = Vec::new();
        for id in self.peers.keys().cloned().collect::<Vec<_>>() {
            let (reachable, address) = (self.is_reachable(&id), self.address(&id));
            let Some(progress) = self.peers.get_mut(&id) else { continue };
            let explicit = shared.contains(&address) || progress.path.peer_sends_attempt_ids;
            if reachable && (progress.accepted || !explicit) {
                progress.reach = Reach::Now;
                if !progress.accepted {
                    came.push(id);
                }
            } else if progress.reach == Reach::Now {
                progress.reach = Reach::LostSince(now);
                self.wait.nudge_at = self.wait.nudge_at.min(now.after(MISSED));
            }
        }
        for id in &came {
            self.takes_part(id);
        }
    }

    /// Finds baseline peers: their data channel is open, and they do not announce the extensions.
    fn find_baseline_peers(&mut self, now: Timestamp) {
        let due = |at: Timestamp| at.after(GREETING) <= now;
        let unknown = |p: &Progress| p.dialect == Dialect::Unknown;
        if self.is_verified() {
            return;
        }
        let silent =
            self.peers.iter().filter(|(_, p)| unknown(p) && p.path.opened_at.is_some_and(due));
        for id in silent.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.is_baseline_peer(&id, now);
        }
    }

    /// A participant is a baseline peer: it gets what was sent so far, in the clear.
    pub(super) fn is_baseline_peer(&mut self, peer: &PeerId, now: Timestamp) {
        let Some(progress) = self.peers.get_mut(peer) else { return };
        progress.dialect = Dialect::Baseline;
        self.data_channel_opened(peer, now);
    }

    /// A baseline peer's data channel is open: it gets what was sent so far.
    pub(super) fn data_channel_opened(&mut self, peer: &PeerId, now: Timestamp) {
        if self.peers.get(peer).is_some_and(|progress| progress.path.opened_at.is_some()) {
            let (peer_id, carrier) = (peer.clone(), transport::DIRECT);
            self.event(Event::PeerConnected { peer_id, carrier, verified: false });
        }
        self.send_outbox(peer, now);
    }

    /// When the next silent peer counts as a baseline one.
    fn next_silence(&self, now: Timestamp) -> Option<Timestamp> {
        if !self.is_running() || self.is_verified() {
            return None;
        }
        let unknown = self.peers.values().filter(|peer| peer.dialect == Dialect::Unknown);
        let opened = unknown.filter_map(|peer| peer.path.opened_at);
        opened.map(|at| at.after(GREETING)).filter(|at| *at > now).min()
    }

    // ---- proposals ----

    /// Proposes to participants that were not present, and again to those that have not shown
    /// themselves.
    fn propose_again(&mut self, ctx: &Ctx<'_>) {
        if !self.is_mine() {
            return;
        }
        let pause = self.proposal_pause();
        for id in self.peers.keys().cloned().collect::<Vec<_>>() {
            let present = ctx.presence.is_present(&self.address(&id));
            let Some(progress) = self.peers.get_mut(&id) else { continue };
            if progress.accepted {
                progress.proposed = None;
                continue;
            }
            let first = Delivery { present: false, at: ctx.now };
            let delivery = progress.proposed.get_or_insert(first);
            delivery.present &= present;
            let came = present && !delivery.present;
            let due = came || delivery.at.after(pause) <= ctx.now;
            if due && ctx.presence.is_online(self.server()) {
                self.propose_to(ctx, &id);
            }
        }
    }

    fn proposal_pause(&self) -> u64 {
        2 * self.deadlines.repeat
    }

    /// Sends this node's proposal to a participant: sealed in a session by invite.
    pub(super) fn propose_to(&mut self, ctx: &Ctx<'_>, peer: &PeerId) {
        let address = self.address(peer);
        let present = ctx.presence.is_present(&address);
        let message = PeerMessage::SessionProposal(self.proposal().clone());
        let Some(progress) = self.peers.get_mut(peer) else { return };
        progress.proposed = Some(Delivery { present, at: ctx.now });
        if progress.has_channel() {
            self.transmit(peer, message);
        } else {
            self.effects.push(Effect::Transport(transport::Input::RelayPlain { address, message }));
        }
    }

    // ---- repeats ----

    /// From the moment on that everyone has accepted, the wait is for machines and a short one.
    pub(super) fn shorten_wait_once_all_accepted(&mut self, now: Timestamp) {
        let all = self.peers.values().all(|peer| peer.accepted);
        if let Stage::Running(_, Phase::Meshed { everyone_accepted }) = &mut self.stage
            && all
            && !*everyone_accepted
        {
            *everyone_accepted = true;
            self.restart_wait(self.deadlines.step, now);
        }
    }

    /// Sends everything again to those who are awaited: their messages or ours may be lost.
    fn nudge(&mut self, now: Timestamp) {
        if !self.is_running() || now < self.wait.nudge_at {
            return;
        }
        let waiting = self.response(true, None);
        let awaited = |p: &Progress| self.is_awaited(p) || p.lost_since().is_some();
        let awaited: Vec<PeerId> =
            self.peers.iter().filter(|(_, p)| awaited(p)).map(|(id, _)| id.clone()).collect();
        let mut lost = false;
        for id in awaited {
            let Some(progress) = self.peers.get(&id) else { continue };
            lost |= progress.lost_since().is_some();
            let accepted = progress.accepted;
            if self.is_reachable(&id) {
                self.repeat(&id, now);
            }
            // A participant that has not accepted our own proposal gets that again instead.
            if accepted || !self.is_mine() {
                self.respond(&id, waiting.clone());
            }
        }
        let repeat = self.deadlines.repeat;
        let pause = if lost { repeat / 2 } else { repeat << self.wait.nudges.min(2) };
        self.wait.nudge_at = now.after(pause);
        self.wait.nudges += 1;
    }

    // ---- deadlines ----

    pub(super) fn restart_wait(&mut self, milliseconds: u64, now: Timestamp) {
        self.wait.since = now;
        self.wait.deadline = now.after(milliseconds);
        self.wait.nudge_at = now.after(self.deadlines.repeat);
        self.wait.nudges = 0;
    }

    /// When the current wait ends.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        if self.is_over() {
            return None;
        }
        let incomplete = self.peers.values().filter(|peer| !peer.is_complete());
        let lost = incomplete.filter_map(Progress::lost_since).min();
        let lost = lost.map(|since| since.after(self.deadlines.lost));
        Some(lost.map_or(self.wait.deadline, |lost| lost.min(self.wait.deadline)))
    }

    /// The next moment at which the clock alone moves this session.
    pub(super) fn next_deadline(&self, ctx: &Ctx<'_>) -> Option<Timestamp> {
        let own = match self.stage {
            Stage::Done { .. } => Some(self.linger_ends()),
            Stage::Proposed | Stage::Advancing | Stage::Aborted { .. } => self.deadline(),
            Stage::Running(..) => self.deadline().map(|at| at.min(self.wait.nudge_at)),
        };
        let proposals = self.peers.values().filter_map(|peer| peer.proposed);
        let running = self.is_running() && ctx.presence.is_online(self.server());
        let proposals = proposals.filter(|_| running);
        let proposals = proposals.map(|delivery| delivery.at.after(self.proposal_pause())).min();
        // What is due already waits for its cause, not for the clock.
        let times = [own, proposals, self.next_silence(ctx.now)];
        times.into_iter().flatten().filter(|at| *at > ctx.now).min()
    }

    /// Ends the session when a deadline has passed.
    fn keep_deadlines(&mut self, now: Timestamp) {
        if self.is_over() {
            return;
        }
        let patience = self.deadlines.lost;
        let gone = |peer: &Progress| {
            let since = peer.lost_since();
            !peer.is_complete() && since.is_some_and(|since| since.after(patience) <= now)
        };
        let lost = self.peers.iter().find(|(_, peer)| gone(peer));
        if let Some((id, step)) = lost.map(|(id, peer)| (id.clone(), peer.step())) {
            let last = if step == ProtocolStep::None { "nothing" } else { step.name() };
            let seconds = patience / 1000;
            let text = format!(
                "went away {seconds} s ago and did not come back (last received from it: {last})"
            );
            let reason = Reason::blame(ReasonKind::PeerLost, &id, text);
            return self.end(reason, now);
        }
        if now < self.wait.deadline {
            return;
        }
        let waited = now.since(self.wait.since) / 1000;
        let storing =
            matches!(self.stage, Stage::Running(_, Phase::Storing(_) | Phase::Finishing(_)));
        let reason = if storing {
            let text = format!("the key was not stored within {waited} s");
            Reason::plain(ReasonKind::Storage, text)
        } else {
            Reason::timed_out(waited, self.waits_for_what(), &self.waiting_for())
        };
        self.end(reason, now);
    }

    /// The participants without whom the next step cannot be made.
    pub(super) fn waiting_for(&self) -> Vec<PeerId> {
        let awaited = self.peers.iter().filter(|(_, peer)| self.is_awaited(peer));
        awaited.map(|(id, _)| id.clone()).collect()
    }

    fn is_awaited(&self, peer: &Progress) -> bool {
        let Stage::Running(_, phase) = &self.stage else { return false };
        match phase {
            Phase::Connecting => peer.reach != Reach::Now,
            Phase::Meshed { .. } => !peer.mesh_ready,
            Phase::Round1(_) => peer.round1.is_none(),
            Phase::Readying(_) => !peer.ready,
            Phase::Round2(_) => peer.round2.is_none(),
            Phase::Confirming(_) => peer.created.is_none(),
            Phase::Comparing(_) | Phase::Storing(_) | Phase::Finishing(_) => false,
        }
    }

    fn waits_for_what(&self) -> &'static str {
        let Stage::Running(_, phase) = &self.stage else {
            return "nobody decided here whether to join";
        };
        match phase {
            Phase::Connecting => "no channel to them has opened",
            Phase::Meshed { .. } => "not everyone has a channel to everyone",
            Phase::Round1(_) => "their commitments have not come",
            Phase::Comparing(_) => "nobody said here whether the safety words match",
            Phase::Readying(_) => "they have not said that they hold all commitments",
            Phase::Round2(_) => "their shares have not come",
            Phase::Storing(_) | Phase::Confirming(_) | Phase::Finishing(_) => {
                "they have not confirmed the key"
            }
        }
    }
}
