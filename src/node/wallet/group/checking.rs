//! How health checks go: the ceremonies of one that this node coordinates, and what follows from a
//! signature of one.

use super::Group;
use crate::api::{Event, Timestamp};
use crate::audit::Body;
use crate::frost::Identifier;
use crate::group::{GroupMessage, Outcome};
use crate::node::ctx::Ctx;
use crate::node::wallet::health_check::Next;

impl Group {
    /// When the clock begins a check that nobody asks for. The first member of the roster sees to
    /// that.
    pub(super) fn next_check(&self) -> Option<Timestamp> {
        let first = self.rules.identifiers().next() == Some(self.rules.me());
        let (total, threshold) = (self.rules.total(), self.rules.threshold());
        if first { self.health.due(&self.here(), total, threshold) } else { None }
    }

    pub(super) fn check_by_itself(&mut self, ctx: &mut Ctx<'_>) {
        if self.next_check().is_some_and(|at| at <= ctx.now) {
            self.health.begins_by_itself(ctx.now, self.patience);
            self.start_health_check(ctx);
        }
    }

    /// Begins a health check, unless one runs.
    pub(in crate::node::wallet) fn start_health_check(&mut self, ctx: &mut Ctx<'_>) {
        self.touched = true;
        if self.health.begin(self.rules.identifiers(), &self.here()) {
            self.next_groups(ctx);
        }
    }

    /// Lets the next groups sign, once no group is at it.
    fn next_groups(&mut self, ctx: &mut Ctx<'_>) {
        if self.coordinator.is_at(None) {
            return;
        }
        match self.health.next(self.rules.me(), self.rules.threshold()) {
            Some(Next::Groups(groups)) => {
                for group in groups {
                    self.begin(ctx, None, group);
                }
            }
            Some(Next::Over(report)) => {
                let named = |(member, why)| Some((self.rules.peer(member)?.clone(), why));
                let failed = report.failed.into_iter().filter_map(named).collect();
                let answered = self.rules.names(report.signed);
                self.report(Event::Checked { pubkey: self.pubkey.clone(), answered, failed });
            }
            None => {}
        }
    }

    /// A group of a check that this node coordinates has signed.
    pub(super) fn check_done(
        &mut self,
        ctx: &mut Ctx<'_>,
        signers: Vec<Identifier>,
        outcome: Outcome,
    ) {
        let me = self.rules.me();
        for member in signers.iter().filter(|member| **member != me) {
            let (outcome, signers) = (outcome.clone(), signers.clone());
            self.send(*member, GroupMessage::Outcome { request: None, outcome, signers });
        }
        self.check_signed(ctx, me, &signers, &outcome);
        self.health.group_signed(&signers);
        self.next_groups(ctx);
    }

    /// A group of a check that this node coordinates has not signed.
    pub(super) fn check_failed(
        &mut self,
        ctx: &mut Ctx<'_>,
        culprits: &[Identifier],
        reason: &str,
    ) {
        self.health.group_failed(culprits, reason);
        self.next_groups(ctx);
    }

    /// The signature of a check is here. A member that has signed tells everyone.
    pub(super) fn check_signed(
        &mut self,
        ctx: &mut Ctx<'_>,
        coordinator: Identifier,
        signers: &[Identifier],
        outcome: &Outcome,
    ) {
        let me = self.rules.me();
        if !self.health.has_contributed(coordinator) {
            return; // it has no share of this node's
        }
        let (suite, pubkey) = (self.rules.suite(), self.rules.pubkey());
        let verified = self.health_operation.verify(suite, pubkey, outcome).is_ok();
        if verified && signers.contains(&me) && !self.health.has_signed(me) {
            self.has_checked(ctx, me);
            for member in self.others() {
                self.send_once_durable(member, GroupMessage::Checked);
            }
        }
    }

    /// A member says that it has signed.
    pub(super) fn has_checked(&mut self, ctx: &mut Ctx<'_>, member: Identifier) {
        if self.health.is_ready() {
            return;
        }
        if self.health.note_signed(member) {
            self.write(ctx, &Body::Checked { member });
        }
        self.ready_once_all_have_signed(ctx);
    }

    /// Everyone has signed: the wallet counts as ready.
    pub(super) fn ready_once_all_have_signed(&mut self, ctx: &mut Ctx<'_>) {
        if !self.health.is_ready() && self.health.count_signed() == self.rules.total() {
            self.health.set_ready([]);
            self.write(ctx, &Body::Ready);
            self.report(Event::WalletReady { pubkey: self.pubkey.clone() });
        }
    }
}
