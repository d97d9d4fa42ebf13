//! Health checks: the members sign a fixed text of their own domain, in as many groups as it takes for each of them to have
//! signed once. After key generation they do so at once, and only then does the wallet count as ready. The first member of the
//! roster sees to that, until everyone has.

use rand_core::{CryptoRng, RngCore};

use super::Group;
use crate::api::CheckView;
use crate::audit::Body;
use crate::frost::Identifier;
use crate::group::{GroupMessage, health_check_digest};
use crate::node::links::Tools;
use crate::node::{Event, Timestamp};
use crate::sorted::Set;
use crate::wire::PeerId;

/// Longest time between two checks that nobody asked for, in milliseconds.
const LONGEST_PAUSE: u64 = 300_000;

/// A health check that this node coordinates.
#[derive(Default)]
pub(super) struct Check {
    /// Who has neither signed nor failed.
    pending: Vec<Identifier>,
    done: Set<Identifier>,
    failed: Vec<(Identifier, String)>,
}

impl Group {
    /// When this node, which has to, next lets everyone sign who can be reached, if some of them have not: at first it waits a
    /// while for all, and after each time longer than before.
    fn next_first_check(&self) -> Option<Timestamp> {
        let lacking = (1..=self.rules.total())
            .any(|identifier| self.is_here(identifier) && !self.checked.contains(&identifier));
        let enough = self.reachable.len() + 1 >= usize::from(self.rules.threshold);
        let due = self.me == 1 && !self.ready && self.check.is_none() && lacking && enough;
        let all_here = self.reachable.len() + 1 == self.rules.members.len();
        due.then(|| if all_here { self.next_check } else { self.next_check.max(self.patience) })
    }

    /// Begins such a check.
    pub(super) fn check_by_itself<R: RngCore + CryptoRng>(
        &mut self,
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) {
        if self.next_first_check().is_some_and(|at| at <= now) {
            self.next_check =
                now.after((self.deadlines.sign << self.own_checks.min(8)).min(LONGEST_PAUSE));
            self.own_checks += 1;
            self.start_check(now, tools);
        }
    }

    /// The next moment at which the clock alone begins one.
    pub(super) fn next_check_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.next_first_check().filter(|at| *at > now)
    }

    /// Begins a health check, unless one runs.
    pub(in crate::node) fn start_check<R: RngCore + CryptoRng>(
        &mut self,
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) {
        if self.check.is_some() {
            return;
        }
        let (pending, away): (Vec<Identifier>, Vec<Identifier>) =
            (1..=self.rules.total()).partition(|identifier| self.is_here(*identifier));
        let failed = away
            .into_iter()
            .map(|identifier| (identifier, "is not connected".to_owned()))
            .collect();
        self.last_check =
            Some(CheckView { running: true, answered: Vec::new(), failed: Vec::new() });
        self.check = Some(Check { pending, failed, ..Check::default() });
        self.next_groups(now, tools);
    }

    /// Lets the next groups sign, once no group is at it.
    fn next_groups<R: RngCore + CryptoRng>(&mut self, now: Timestamp, tools: &mut Tools<'_, R>) {
        if self.ceremonies.values().any(|c| c.request.is_none()) {
            return;
        }
        let Some(check) = &mut self.check else { return };
        let size = usize::from(self.rules.threshold);
        let mut groups = Vec::new();
        for chunk in check.pending.chunks(size) {
            let mut group = chunk.to_vec();
            // Too few are left: those help who have signed already, this node first.
            let helpers = [self.me]
                .into_iter()
                .chain(check.done.iter().copied())
                .chain(check.pending.iter().copied());
            for helper in helpers {
                let may_help = check.done.contains(&helper) || check.pending.contains(&helper);
                if group.len() < size && may_help && !group.contains(&helper) {
                    group.push(helper);
                }
            }
            group.sort_unstable();
            groups.push(group);
        }
        let short = groups.iter().any(|group| group.len() < size);
        if short {
            let why = format!("cannot be checked: {size} have to answer");
            check
                .failed
                .extend(check.pending.drain(..).map(|identifier| (identifier, why.clone())));
        }
        if check.pending.is_empty() {
            return self.check_over();
        }
        for group in groups {
            self.begin(None, group, now, tools);
        }
    }

    /// A group has signed.
    pub(super) fn check_done<R: RngCore + CryptoRng>(
        &mut self,
        signers: &[Identifier],
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) {
        if let Some(check) = &mut self.check {
            check.pending.retain(|identifier| !signers.contains(identifier));
            check.done.extend(signers.iter().copied());
        }
        self.next_groups(now, tools);
    }

    /// A group has not signed, and these are to blame.
    pub(super) fn check_failed<R: RngCore + CryptoRng>(
        &mut self,
        culprits: &[Identifier],
        reason: &str,
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) {
        if let Some(check) = &mut self.check {
            check.pending.retain(|identifier| !culprits.contains(identifier));
            culprits.iter().for_each(|identifier| check.done.remove(identifier));
            check.failed.extend(culprits.iter().map(|identifier| (*identifier, reason.to_owned())));
        }
        self.next_groups(now, tools);
    }

    fn check_over(&mut self) {
        let Some(check) = self.check.take() else { return };
        let answered: Vec<Identifier> = check.done.iter().copied().collect();
        let failed = check.failed.into_iter();
        let named = |(identifier, why)| Some((self.rules.member(identifier)?.peer_id.clone(), why));
        let failed: Vec<(PeerId, String)> = failed.filter_map(named).collect();
        let answered = self.names(&answered);
        self.last_check =
            Some(CheckView { running: false, answered: answered.clone(), failed: failed.clone() });
        self.say(Event::Checked { pubkey: self.info.pubkey.clone(), answered, failed });
    }

    /// A group's signature is here. Who signed tells everyone that it could.
    pub(super) fn check_signed<R: RngCore + CryptoRng>(
        &mut self,
        coordinator: Identifier,
        signers: &[Identifier],
        signature: &[u8],
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) {
        if !self.gave_check.contains(&coordinator) {
            return; // it has no share of this node's
        }
        let digest = health_check_digest(&self.rules.group_id);
        let verified = self.rules.suite.verify(&self.rules.pubkey, &digest, signature).is_ok();
        if verified && signers.contains(&self.me) && !self.checked.contains(&self.me) {
            self.has_checked(self.me, now, tools);
            self.broadcast_durably(&GroupMessage::Checked);
        }
    }

    /// A member says that it has signed.
    pub(super) fn has_checked<R: RngCore + CryptoRng>(
        &mut self,
        identifier: Identifier,
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) {
        if self.ready {
            return;
        }
        if self.checked.insert(identifier) {
            self.write(&Body::Checked { member: identifier }, now, tools);
        }
        self.ready_once_all_have(now, tools);
    }

    /// Everyone has signed: the wallet counts as ready.
    pub(super) fn ready_once_all_have<R: RngCore + CryptoRng>(
        &mut self,
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) {
        if !self.ready && self.checked.len() == self.rules.members.len() {
            self.ready = true;
            self.write(&Body::Ready, now, tools);
            self.say(Event::WalletReady { pubkey: self.info.pubkey.clone() });
        }
    }
}
