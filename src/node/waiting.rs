//! What a session does while it waits: it looks at channels, says things again, keeps deadlines, and knows for whom.
//!
//! Networks lose things, so nothing is said only once. All that was said to a participant is said again when its channel
//! opens anew, and every few seconds to those for whom this node waits. With it goes `session_response` with
//! `accepted: true`, which reads "I am in this session and still waiting": whoever has ended the session answers it with
//! its reason, and whoever still has something to say says it again. The end thus reaches everyone who can be reached.

use rand_core::{CryptoRng, RngCore};

use super::links::Tools;
use super::progress::Progress;
use super::session::{Act, Phase, Session};
use super::{Event, ProtocolStep, Reason, ReasonKind, Timestamp};
use crate::sorted::Set;
use crate::wire::{PeerId, PeerMessage};

/// How soon a participant whose channel broke hears by other ways that it is missed, in milliseconds.
const MISSED: u64 = 1_000;

impl Session {
    /// Looks at who can be reached. `open` are the peers that can be right now, by a link or, where that will do, by a
    /// channel; `shared` are those whose channel may be there for another session, maybe one that is not known here, so
    /// that it does not show that they accepted this one.
    pub(super) fn channels(
        &mut self,
        open: &Set<PeerId>,
        shared: &Set<PeerId>,
        now: Timestamp,
        tools: &mut Tools<'_, impl RngCore + CryptoRng>,
    ) {
        if !self.is_running() {
            return;
        }
        let mut came = Vec::new();
        for (id, progress) in self.peers.iter_mut() {
            if open.contains(id) && (progress.accepted || !shared.contains(id)) {
                progress.met = true;
                progress.lost = None;
                if !progress.accepted {
                    came.push(id.clone());
                }
            } else if progress.met && progress.lost.is_none() {
                progress.lost = Some(now);
                self.nudge_at = self.nudge_at.min(now.after(MISSED));
            }
        }
        for id in &came {
            self.takes_part(id);
        }
        if !self.mesh_ready_sent && self.peers.keys().all(|id| open.contains(id)) {
            self.mesh_ready_sent = true;
            self.acts.push(Act::Event(Event::MeshReady { session_id: self.id.clone() }));
            let proof = self.sign_joining(tools);
            self.broadcast(&PeerMessage::MeshReady { session_id: Some(self.id.clone()), proof });
        }
        self.no_more_people(now);
        self.advance(now, tools);
        self.nudge(open, now);
    }

    /// From the moment on that everyone is known to take part, the wait is for machines and is a short one.
    pub(super) fn no_more_people(&mut self, now: Timestamp) {
        let now_in =
            !self.all_in && self.mesh_ready_sent && self.peers.values().all(|p| p.accepted);
        if now_in && matches!(self.phase, Phase::Meshing) {
            self.all_in = true;
            self.enter_again(self.deadlines.step, now);
        }
    }

    /// Says everything again to those who are waited for: what they or we said may be lost.
    fn nudge(&mut self, open: &Set<PeerId>, now: Timestamp) {
        if !self.is_running() || now < self.nudge_at {
            return;
        }
        let mine = !self.peers.contains_key(&self.proposer);
        let waiting = self.response(true, None);
        let mut lost = false;
        let mut acts = Vec::new();
        for (id, progress) in
            self.peers.iter().filter(|(_, p)| self.is_awaited(p) || p.lost.is_some())
        {
            lost |= progress.lost.is_some();
            if open.contains(id) {
                acts.push(Act::Repeat(id.clone()));
            }
            // To those who have not accepted our own proposal that is sent again instead.
            if progress.accepted || !mine {
                acts.push(Act::Respond(id.clone(), waiting.clone()));
            }
        }
        self.acts.extend(acts);
        let pause = if lost {
            self.deadlines.repeat / 2
        } else {
            self.deadlines.repeat << self.nudges.min(2)
        };
        self.nudge_at = now.after(pause);
        self.nudges += 1;
    }

    /// Everything said to `peer` so far, to be said on its new channel.
    pub(super) fn said_to(&mut self, peer: &PeerId, now: Timestamp) -> &[PeerMessage] {
        let stale = matches!(self.phase, Phase::Aborted(_)) && now >= self.linger_ends();
        match self.peers.get_mut(peer) {
            Some(progress) if !stale => {
                progress.told = Some(now);
                &progress.outbox
            }
            _ => &[],
        }
    }

    // ---- deadlines ----

    /// When the current wait ends.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        if self.is_over() {
            return None;
        }
        let lost = self.peers.values().filter(|p| !p.has_said_all()).filter_map(|p| p.lost).min();
        let lost = lost.map(|since| since.after(self.deadlines.lost));
        Some(lost.map_or(self.deadline, |lost| lost.min(self.deadline)))
    }

    /// The next moment at which the clock alone moves this session.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Done(_) => Some(self.linger_ends()),
            Phase::Proposed => self.deadline(),
            _ => self.deadline().map(|at| at.min(self.nudge_at)),
        }
    }

    /// Ends the session when a deadline has passed.
    pub(super) fn tick(&mut self, now: Timestamp) {
        if self.is_over() {
            return;
        }
        let seconds = self.deadlines.lost / 1000;
        let gone = |p: &Progress| {
            !p.has_said_all() && p.lost.is_some_and(|t| t.after(self.deadlines.lost) <= now)
        };
        let lost = self.peers.iter().find(|(_, p)| gone(p)).map(|(id, progress)| {
            let last = match progress.step() {
                ProtocolStep::None => "nothing",
                step => step.name(),
            };
            let text = format!(
                "went away {seconds} s ago and did not come back (last received from it: {last})"
            );
            Reason::blame(ReasonKind::PeerLost, id, text)
        });
        if let Some(reason) = lost {
            self.end(reason, now);
        } else if now >= self.deadline {
            let waited = now.since(self.since) / 1000;
            let reason = match self.phase {
                Phase::Keeping(_) | Phase::Finishing(_) => Reason::plain(
                    ReasonKind::Storage,
                    format!("the key was not stored within {waited} s"),
                ),
                _ => Reason::timed_out(waited, self.waits_for_what(), &self.waiting_for()),
            };
            self.end(reason, now);
        }
    }

    /// The participants without whom the next step cannot be made.
    pub(super) fn waiting_for(&self) -> Vec<PeerId> {
        self.peers.iter().filter(|(_, p)| self.is_awaited(p)).map(|(id, _)| id.clone()).collect()
    }

    fn is_awaited(&self, p: &Progress) -> bool {
        match self.phase {
            Phase::Meshing if self.mesh_ready_sent => !p.mesh_ready,
            Phase::Meshing => !p.met || p.lost.is_some(),
            Phase::Commitments(_) => p.commitment.is_none(),
            Phase::Readying(_) => !p.ready,
            Phase::Sharing(_) => p.share.is_none(),
            Phase::Confirming(_) => p.created.is_none(),
            _ => false,
        }
    }

    fn waits_for_what(&self) -> &'static str {
        match self.phase {
            Phase::Proposed => "nobody decided here whether to join",
            Phase::Comparing(_) => "nobody said here whether the safety words match",
            Phase::Meshing if self.mesh_ready_sent => "not everyone has a channel to everyone",
            Phase::Meshing => "no channel to them has opened",
            Phase::Commitments(_) => "their commitments have not come",
            Phase::Readying(_) => "they have not said that they hold all commitments",
            Phase::Sharing(_) => "their shares have not come",
            _ => "they have not confirmed the key",
        }
    }

    pub(super) fn enter(&mut self, phase: Phase, milliseconds: u64, now: Timestamp) {
        self.phase = phase;
        self.enter_again(milliseconds, now);
    }

    fn enter_again(&mut self, milliseconds: u64, now: Timestamp) {
        self.since = now;
        self.deadline = now.after(milliseconds);
        self.nudge_at = now.after(self.deadlines.repeat);
        self.nudges = 0;
    }
}
