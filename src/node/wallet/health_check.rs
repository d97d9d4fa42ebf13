//! Health checks: the members sign a fixed text of their own domain, in as many groups as it takes
//! for each of them to have signed once. After key generation they do so at once, and only then
//! does the wallet count as ready. The first member of the roster sees to that, until everyone has.

use crate::frost::Identifier;
use crate::node::Timestamp;
use crate::sorted::Set;

/// Longest time between two checks that nobody asked for, in milliseconds.
const LONGEST_PAUSE: u64 = 300_000;
/// Most checks of one coordinator in which this node takes part, within so many milliseconds.
const MAX_CHECKS: usize = 8;
const CHECKS_WITHIN: u64 = 10_000;

/// A check that this node coordinates.
struct Running {
    /// Members that have neither signed nor failed.
    pending: Vec<Identifier>,
    signed: Set<Identifier>,
    failed: Vec<(Identifier, String)>,
}

/// The outcome of a check so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Report {
    pub running: bool,
    pub signed: Vec<Identifier>,
    /// Members that have not signed, and why.
    pub failed: Vec<(Identifier, String)>,
}

/// What a check needs next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// These groups sign, all at once.
    Groups(Vec<Vec<Identifier>>),
    /// It is over.
    Over(Report),
}

/// The state of a wallet's health checks.
pub(super) struct HealthCheck {
    running: Option<Running>,
    last: Option<Report>,
    /// Members that have signed in any check, as they say themselves.
    have_signed: Set<Identifier>,
    ready: bool,
    /// The next check that nobody asks for: not before `next`, not without everyone before
    /// `patience`.
    next: Timestamp,
    patience: Timestamp,
    by_itself: u32,
    /// Coordinators to whom a signature share of this node's was given.
    contributed: Set<Identifier>,
    /// The checks that this node took part in of late: whose, and when.
    recent: Vec<(Identifier, Timestamp)>,
}

impl HealthCheck {
    /// `patience` is until when the first check waits for all members.
    pub(super) fn new(patience: Timestamp) -> Self {
        Self {
            running: None,
            last: None,
            have_signed: Set::default(),
            ready: false,
            next: Timestamp::default(),
            patience,
            by_itself: 0,
            contributed: Set::default(),
            recent: Vec::new(),
        }
    }

    // ---- who has signed ----

    /// Every member has signed.
    pub(super) fn is_ready(&self) -> bool {
        self.ready
    }

    /// Every member has signed, from now on.
    pub(super) fn set_ready(&mut self, members: impl IntoIterator<Item = Identifier>) {
        self.ready = true;
        self.have_signed.extend(members);
    }

    pub(super) fn has_signed(&self, member: Identifier) -> bool {
        self.have_signed.contains(&member)
    }

    /// A member has signed. True when that is news.
    pub(super) fn note_signed(&mut self, member: Identifier) -> bool {
        self.have_signed.insert(member)
    }

    pub(super) fn count_signed(&self) -> usize {
        self.have_signed.len()
    }

    // ---- checks that this node coordinates ----

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// The last check, or the one that runs.
    pub(super) fn report(&self) -> Option<&Report> {
        self.last.as_ref()
    }

    /// When the first member next lets everyone sign that can be reached, if some of these have not
    /// and enough can: at first it waits a while for all, and after each check longer than before.
    pub(super) fn due(
        &self,
        here: &Set<Identifier>,
        total: usize,
        threshold: usize,
    ) -> Option<Timestamp> {
        let lacking = here.iter().any(|member| !self.have_signed.contains(member));
        let due = !self.ready && self.running.is_none() && lacking && here.len() >= threshold;
        let all_here = here.len() == total;
        due.then(|| if all_here { self.next } else { self.next.max(self.patience) })
    }

    /// A check begins that nobody asked for. `pause` is how long the next one waits at least, in
    /// milliseconds.
    pub(super) fn begins_by_itself(&mut self, now: Timestamp, pause: u64) {
        self.next = now.after((pause << self.by_itself.min(8)).min(LONGEST_PAUSE));
        self.by_itself += 1;
    }

    /// Begins a check, unless one runs. True when it began.
    pub(super) fn begin(
        &mut self,
        members: impl Iterator<Item = Identifier>,
        here: &Set<Identifier>,
    ) -> bool {
        if self.running.is_some() {
            return false;
        }
        let (pending, away): (Vec<Identifier>, Vec<Identifier>) =
            members.partition(|member| here.contains(member));
        let failed = away.into_iter().map(|member| (member, "is not connected".to_owned()));
        let failed = failed.collect();
        self.last = Some(Report { running: true, signed: Vec::new(), failed: Vec::new() });
        self.running = Some(Running { pending, signed: Set::default(), failed });
        true
    }

    /// A group has signed.
    pub(super) fn group_signed(&mut self, signers: &[Identifier]) {
        if let Some(running) = &mut self.running {
            running.pending.retain(|member| !signers.contains(member));
            running.signed.extend(signers.iter().copied());
        }
    }

    /// A group has not signed, for these members and this reason.
    pub(super) fn group_failed(&mut self, culprits: &[Identifier], reason: &str) {
        if let Some(running) = &mut self.running {
            running.pending.retain(|member| !culprits.contains(member));
            culprits.iter().for_each(|member| running.signed.remove(member));
            running.failed.extend(culprits.iter().map(|member| (*member, reason.to_owned())));
        }
    }

    /// What to do when no group is at it. `None` without a check.
    pub(super) fn next(&mut self, me: Identifier, size: usize) -> Option<Next> {
        let running = self.running.as_mut()?;
        let groups = running.groups(me, size);
        if groups.iter().any(|group| group.len() < size) {
            let why = format!("cannot be checked: {size} have to answer");
            let pending = running.pending.drain(..);
            running.failed.extend(pending.map(|member| (member, why.clone())));
        }
        if !running.pending.is_empty() {
            return Some(Next::Groups(groups));
        }
        let Running { signed, failed, .. } = self.running.take()?;
        let report = Report { running: false, signed: signed.into_iter().collect(), failed };
        self.last = Some(report.clone());
        Some(Next::Over(report))
    }

    // ---- checks that this node takes part in ----

    /// Whether a coordinator may have this node take part in one more check.
    pub(super) fn may_take_part(&self, now: Timestamp, coordinator: Identifier) -> bool {
        let late = |(other, at): &&(Identifier, Timestamp)| {
            *other == coordinator && now.since(*at) < CHECKS_WITHIN
        };
        self.recent.iter().filter(late).count() < MAX_CHECKS
    }

    /// This node takes part in a check.
    pub(super) fn takes_part(&mut self, now: Timestamp, coordinator: Identifier) {
        self.recent.retain(|(_, at)| now.since(*at) < CHECKS_WITHIN);
        self.recent.push((coordinator, now));
    }

    /// A signature share of this node's is given to a coordinator.
    pub(super) fn contributes(&mut self, coordinator: Identifier) {
        self.contributed.insert(coordinator);
    }

    pub(super) fn has_contributed(&self, coordinator: Identifier) -> bool {
        self.contributed.contains(&coordinator)
    }
}

impl Running {
    /// The groups that sign next.
    fn groups(&self, me: Identifier, size: usize) -> Vec<Vec<Identifier>> {
        let mut groups = Vec::new();
        for chunk in self.pending.chunks(size.max(1)) {
            let mut group = chunk.to_vec();
            // Where too few are left, members help that have signed already, this node first.
            let candidates = self.signed.iter().chain(&self.pending).copied();
            let helpers = candidates.clone().filter(|helper| *helper == me).chain(candidates);
            for helper in helpers {
                if group.len() < size && !group.contains(&helper) {
                    group.push(helper);
                }
            }
            group.sort_unstable();
            groups.push(group);
        }
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::{HealthCheck, LONGEST_PAUSE, Next};
    use crate::node::Timestamp;
    use crate::sorted::Set;

    #[test]
    fn a_check_lets_everyone_sign_once_and_helps_with_those_who_have() {
        let mut check = HealthCheck::new(Timestamp::default());
        let here: Set<u16> = [1, 2, 3].into_iter().collect();
        assert!(check.begin(1..=4, &here));
        assert!(!check.begin(1..=4, &here), "one runs");
        assert_eq!(check.next(1, 2), Some(Next::Groups(vec![vec![1, 2], vec![1, 3]])));
        check.group_signed(&[1, 2]);
        assert_eq!(check.next(1, 2), Some(Next::Groups(vec![vec![1, 3]])));
        check.group_failed(&[3], "is silent");
        let Some(Next::Over(report)) = check.next(1, 2) else { panic!("it is over") };
        assert_eq!(report.signed, [1, 2]);
        assert_eq!(report.failed, [(4, "is not connected".into()), (3, "is silent".into())]);
        assert!(!report.running && !check.is_running());
    }

    #[test]
    fn checks_that_nobody_asked_for_become_rare() {
        let start = Timestamp::from_millis(1_000);
        let mut check = HealthCheck::new(start.after(60_000));
        let here: Set<u16> = [1, 2].into_iter().collect();
        assert_eq!(check.due(&here, 3, 2), Some(start.after(60_000)), "it waits for the third");
        assert_eq!(check.due(&here, 2, 2), Some(Timestamp::default()), "all are here");
        assert_eq!(check.due(&here, 3, 3), None, "too few");
        for _ in 0..20 {
            check.begins_by_itself(start, 10_000);
        }
        assert_eq!(check.due(&here, 2, 2), Some(start.after(LONGEST_PAUSE)));
        check.note_signed(1);
        check.note_signed(2);
        assert_eq!(check.due(&here, 3, 2), None, "those that are here have signed");
    }

    #[test]
    fn a_coordinator_gets_some_checks_within_a_time() {
        let mut check = HealthCheck::new(Timestamp::default());
        let now = Timestamp::from_millis(1_000);
        (0..8).for_each(|_| check.takes_part(now, 2));
        assert!(!check.may_take_part(now, 2) && check.may_take_part(now, 3));
        assert!(check.may_take_part(now.after(10_000), 2));
    }
}
