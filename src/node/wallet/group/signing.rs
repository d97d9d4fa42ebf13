//! How requests are carried out: this node picks members that approve and can be reached and
//! coordinates a ceremony with them, or takes part in the ceremony of another member that it finds
//! in order.

use super::Group;
use crate::api::{Event, RequestState, Timestamp};
use crate::audit::Body;
use crate::frost::Identifier;
use crate::group::{CeremonyId, GroupMessage, Operation, RequestId, RoundMessage, Vote};
use crate::node::ceremony::{Blame, Contribution, Fault, Part, Plan, Step};
use crate::node::ctx::Ctx;
use crate::node::wallet::budget::Cost;
use crate::node::wallet::coordinator::Over;
use crate::node::wallet::ledger::{Completed, RequestEntry};
use crate::node::wallet::refusal::Refusal;
use crate::node::wallet::reservations::Reservation;

/// How long an approver waits for the proposer, or for an approver before it, to begin, in
/// milliseconds.
const GRACE: u64 = 1_000;

impl Group {
    /// What is carried out for a request, or in a health check.
    fn operation(&self, request: Option<&RequestId>) -> Option<&Operation> {
        match request {
            Some(id) => self.ledger.get(id).map(RequestEntry::operation),
            None => Some(&self.health_operation),
        }
    }

    fn plan<'a>(&self, operation: &'a Operation, members: Vec<Identifier>) -> Plan<'a> {
        Plan { operation, key: self.key.clone(), members, patience: self.patience }
    }

    // ---- this node as a coordinator ----

    /// Begins the ceremonies that this node has to coordinate now.
    pub(super) fn coordinate(&mut self, ctx: &mut Ctx<'_>) {
        if self.log.problem().is_some() {
            return;
        }
        let due = |(id, entry): &(&RequestId, &RequestEntry)| {
            !self.coordinator.is_at(Some(*id))
                && self.turn(ctx.now, id, entry).is_some_and(|at| at <= ctx.now)
        };
        let due: Vec<RequestId> =
            self.ledger.approved(ctx.now, &self.rules).filter(due).map(|(id, _)| *id).collect();
        for id in due {
            if let Some(signers) = self.choose(ctx.now, &id) {
                self.begin(ctx, Some(id), signers);
            }
        }
    }

    /// From when on this node coordinates a request, if it may: the proposer at once, then the
    /// approvers that can be reached, one after the other, should those before them do nothing.
    fn turn(&self, now: Timestamp, id: &RequestId, entry: &RequestEntry) -> Option<Timestamp> {
        let since = entry.approved_since()?;
        let (me, proposer) = (self.rules.me(), entry.proposer());
        if me == proposer {
            return Some(since);
        }
        if !entry.approves(me) {
            return None;
        }
        let others = entry.approvers().filter(|member| *member != proposer).chain([proposer]);
        let before = others
            .filter(|member| *member == proposer || *member < me)
            .filter(|member| *member != me && self.is_here(*member))
            .count() as u64;
        let at = since.after(GRACE + before * 2 * self.patience);
        // A member that is at it may finish, but none can be at it for ever.
        let longest = since.after(GRACE + 2 * self.rules.total() as u64 * 2 * self.patience);
        let busy = self.reservations.until(id).filter(|until| *until > now);
        Some(busy.map_or(at, |until| at.max(until.min(longest))))
    }

    /// When the clock next makes it this node's turn.
    pub(super) fn next_turn(&self, now: Timestamp) -> Option<Timestamp> {
        let approved = self.ledger.approved(now, &self.rules);
        let turns = approved.filter_map(|(id, entry)| self.turn(now, id, entry));
        turns.filter(|at| *at > now).min()
    }

    /// The signers: this node if it approves, and others that approve and can be reached. `None`
    /// while there are too few.
    fn choose(&self, now: Timestamp, id: &RequestId) -> Option<Vec<Identifier>> {
        let me = self.rules.me();
        let ready = |member: &Identifier| {
            self.is_here(*member) && !self.coordinator.is_left_out(now, id, *member)
        };
        let mut signers: Vec<Identifier> = self.ledger.get(id)?.approvers().filter(ready).collect();
        signers.sort_by_key(|member| (*member != me, *member));
        signers.truncate(self.rules.threshold());
        signers.sort_unstable();
        (signers.len() == self.rules.threshold()).then_some(signers)
    }

    /// Asks members to take part in a ceremony.
    pub(super) fn begin(
        &mut self,
        ctx: &mut Ctx<'_>,
        request: Option<RequestId>,
        signers: Vec<Identifier>,
    ) {
        let Some(operation) = self.operation(request.as_ref()) else { return };
        let coordinated = self.plan(operation, signers.clone()).coordinate(ctx);
        let mut ceremony: CeremonyId = [0; 16];
        ctx.rng.fill_bytes(&mut ceremony);
        let entry = request.as_ref().and_then(|id| self.ledger.get(id));
        let vote = |member: &Identifier| entry?.vote(*member);
        let votes: Vec<Vote> = signers.iter().filter_map(vote).collect();
        for member in &signers {
            let (signers, votes) = (signers.clone(), votes.clone());
            // This node's own vote is among them, and has to be durable.
            let start = GroupMessage::Start { ceremony, request, signers, votes };
            self.send_once_durable(*member, start);
        }
        if let Some(id) = request {
            let signers = self.rules.names(signers);
            let (pubkey, request) = (self.pubkey.clone(), hex::encode(id));
            self.report(Event::Signing { pubkey, request, signers });
        }
        self.coordinator.begin(ceremony, request, coordinated);
    }

    /// Ends the ceremonies that wait for members in vain.
    pub(super) fn end_overdue(&mut self, ctx: &mut Ctx<'_>) {
        let here = self.here();
        let is_here = |member: Identifier| here.contains(&member);
        for over in self.coordinator.end_overdue(ctx.now, is_here) {
            self.over(ctx, over);
        }
    }

    /// A member has a new secure channel, and nothing any more of what it had reserved over the old
    /// one.
    pub(super) fn restarted(&mut self, ctx: &mut Ctx<'_>, member: Identifier) {
        for over in self.coordinator.restarted(member) {
            self.over(ctx, over);
        }
    }

    /// Forgets the members that are left out of requests that are over.
    pub(super) fn forget_what_is_over(&mut self, ctx: &Ctx<'_>) {
        let (ledger, rules) = (&self.ledger, &self.rules);
        let expired = |entry: &RequestEntry| entry.state(ctx.now, rules) == RequestState::Expired;
        self.coordinator.forget(|id| ledger.get(id).is_none_or(expired));
    }

    /// A ceremony that this node coordinates is over.
    pub(super) fn over(&mut self, ctx: &mut Ctx<'_>, over: Over) {
        let Over { request, signers, result } = over;
        match (result, request) {
            (Ok(outcome), Some(id)) => {
                self.take_outcome(ctx, self.rules.me(), id, Completed { outcome, signers });
            }
            (Ok(outcome), None) => self.check_done(ctx, signers, outcome),
            (Err(blames), request) => self.failed(ctx, request, &blames),
        }
    }

    /// A ceremony came to nothing: its culprits are left out for a while.
    fn failed(&mut self, ctx: &mut Ctx<'_>, request: Option<RequestId>, blames: &[Blame]) {
        let culprits: Vec<Identifier> = blames.iter().map(|blame| blame.member).collect();
        let reason = blames.first().map(|blame| blame.fault.to_string()).unwrap_or_default();
        // A member that was not there, or refused, may have had a reason: the network's, or another
        // member's.
        let proven = blames.first().filter(|blame| blame.fault.is_proven() && blames.len() == 1);
        let culprit = proven.map(|blame| blame.member);
        self.write(ctx, &Body::Aborted { request, reason: reason.clone(), culprit });
        let Some(id) = request else { return self.check_failed(ctx, &culprits, &reason) };
        for blame in blames {
            let restarted = blame.fault == Fault::Restarted;
            let pause = if restarted { GRACE } else { self.patience };
            self.coordinator.leave_out(ctx.now, &id, blame, pause);
        }
        let (pubkey, request) = (self.pubkey.clone(), hex::encode(id));
        let culprits = self.rules.names(culprits);
        self.report(Event::SigningFailed { pubkey, request, culprits, reason });
    }

    // ---- messages of the rounds ----

    pub(super) fn round(
        &mut self,
        ctx: &mut Ctx<'_>,
        from: Identifier,
        ceremony: CeremonyId,
        message: RoundMessage,
    ) {
        if message.is_for_coordinator() {
            let progress = self.coordinator.receive(ctx, &ceremony, from, message);
            for (member, message) in progress.out {
                self.send(member, GroupMessage::Round { ceremony, message });
            }
            if let Some(over) = progress.over {
                self.over(ctx, over);
            }
        } else {
            self.contribute(ctx, from, ceremony, message);
        }
    }

    // ---- this node as a signer ----

    /// A coordinator asks this node to take part.
    pub(super) fn start(
        &mut self,
        ctx: &mut Ctx<'_>,
        coordinator: Identifier,
        ceremony: CeremonyId,
        request: Option<RequestId>,
        signers: Vec<Identifier>,
        votes: Vec<Vote>,
    ) {
        for vote in votes {
            // A coordinator that goes by an old vote gets the newer one.
            let known = self.ledger.get(&vote.request).and_then(|entry| entry.vote(vote.member));
            if let Some(newer) = known.filter(|known| known.number > vote.number) {
                self.send_once_durable(coordinator, GroupMessage::Vote(newer));
            }
            self.take_vote(ctx, coordinator, vote);
        }
        match self.reserve(ctx, coordinator, ceremony, request, signers) {
            Ok((items, mut part)) => {
                if request.is_none() {
                    self.health.takes_part(ctx.now, coordinator);
                }
                while let Some((member, message)) = part.poll() {
                    self.send(member, GroupMessage::Round { ceremony, message });
                }
                let reservation = Reservation { ceremony, coordinator, request, items, part };
                self.reservations.add(reservation);
            }
            Err(refusal) => self.refuse(coordinator, ceremony, &refusal),
        }
    }

    fn refuse(&mut self, coordinator: Identifier, ceremony: CeremonyId, refusal: &Refusal) {
        let reason = refusal.to_string();
        self.send(coordinator, GroupMessage::Refused { ceremony, reason });
    }

    /// Takes part in a ceremony that is in order. Returns how many items it is for, too.
    fn reserve(
        &mut self,
        ctx: &mut Ctx<'_>,
        coordinator: Identifier,
        ceremony: CeremonyId,
        request: Option<RequestId>,
        signers: Vec<Identifier>,
    ) -> Result<(usize, Part), Refusal> {
        self.may_sign(ctx, coordinator, request.as_ref(), &signers)?;
        let me = self.rules.me();
        if coordinator != me && !self.budget.take(ctx.now, coordinator, Cost::Ceremony, 1) {
            return Err(Refusal::TooManyCeremonies);
        }
        if self.reservations.contains(&ceremony, coordinator) {
            return Err(Refusal::CeremonyUsed);
        }
        let operation = self.operation(request.as_ref()).ok_or(Refusal::UnknownRequest)?;
        let items = operation.items().len();
        let part = self.plan(operation, signers).take_part(ctx, me, coordinator)?;
        Ok((items, part))
    }

    /// A coordinator has sent what this node's contribution needs: it leaves once the audit log
    /// says so durably.
    fn contribute(
        &mut self,
        ctx: &mut Ctx<'_>,
        coordinator: Identifier,
        ceremony: CeremonyId,
        message: RoundMessage,
    ) {
        let Some(reserved) = self.reservations.get(&ceremony, coordinator) else { return };
        let (request, signers) = (reserved.request, reserved.part.members().to_vec());
        if let Err(refusal) = self.may_sign(ctx, coordinator, request.as_ref(), &signers) {
            self.reservations.remove(&ceremony, coordinator);
            return self.refuse(coordinator, ceremony, &refusal);
        }
        match self.reservations.receive(ctx, &ceremony, coordinator, message) {
            Step::Continue => {}
            Step::Done(Contribution { commitments, message }) => {
                if request.is_none() {
                    self.health.contributes(coordinator);
                }
                self.write(ctx, &Body::Commit { request, coordinator, signers, commitments });
                self.send_once_durable(coordinator, GroupMessage::Round { ceremony, message });
            }
            Step::Failed(blames) => {
                for Blame { fault, .. } in blames {
                    let refusal = self.named(fault);
                    self.refuse(coordinator, ceremony, &refusal);
                }
            }
        }
    }

    /// A coordinator's fault, with the name of the member whose commitments it sent.
    fn named(&self, fault: Fault) -> Refusal {
        match fault {
            Fault::Commitments { of: Some(member), fault } => {
                Refusal::Commitments { name: self.rules.name(member).to_owned(), fault }
            }
            fault => Refusal::Ceremony(fault),
        }
    }

    /// Whether this node signs that, with those, for that coordinator.
    fn may_sign(
        &self,
        ctx: &Ctx<'_>,
        coordinator: Identifier,
        request: Option<&RequestId>,
        signers: &[Identifier],
    ) -> Result<(), Refusal> {
        let (me, threshold) = (self.rules.me(), self.rules.threshold());
        if let Some(problem) = self.log.problem() {
            return Err(Refusal::NoAuditLog(problem.to_owned()));
        }
        let members = signers.iter().all(|member| self.rules.member(*member).is_some());
        if signers.len() != threshold || !signers.contains(&me) || !members {
            return Err(Refusal::InvalidSignerSet { threshold });
        }
        let Some(id) = request else {
            let may = coordinator == me || self.health.may_take_part(ctx.now, coordinator);
            return may.then_some(()).ok_or(Refusal::TooManyHealthChecks);
        };
        let entry = self.ledger.get(id).ok_or(Refusal::UnknownRequest)?;
        let state = entry.state(ctx.now, &self.rules);
        if state != RequestState::Approved {
            return Err(Refusal::NotApproved(state));
        }
        if coordinator != entry.proposer() && !entry.approves(coordinator) {
            return Err(Refusal::CoordinatorHasNotApproved);
        }
        match signers.iter().find(|member| !entry.approves(**member)) {
            Some(member) if *member == me => Err(Refusal::NotApprovedHere),
            Some(member) => Err(Refusal::SignerHasNotApproved(self.rules.name(*member).to_owned())),
            None => Ok(()),
        }
    }
}
