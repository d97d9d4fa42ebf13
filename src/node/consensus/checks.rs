//! Health checks: the members sign a fixed text of their own domain, in as many groups as it takes for each of them to have
//! signed once. After key generation they do so at once, and only then does the wallet count as ready. The first member of the
//! roster sees to that: should somebody be missing, it begins again once that one has come.

use rand_core::{CryptoRng, RngCore};

use super::{CheckView, Circle};
use crate::consensus::{CircleMessage, check_digest};
use crate::few::Set;
use crate::frost::Place;
use crate::node::links::Tools;
use crate::node::{Event, Timestamp};
use crate::trail::Body;
use crate::wire::PeerId;

/// A health check that this node coordinates.
#[derive(Default)]
pub(super) struct Check {
    /// Who has neither signed nor failed.
    pending: Vec<Place>,
    done: Set<Place>,
    failed: Vec<(Place, String)>,
}

impl Circle {
    /// Whether this node is the one to let everyone sign, and that has not come about yet.
    pub(super) fn owes_first_check(&self) -> bool {
        !self.ready && self.me == 1
    }

    /// Begins the first health check once everyone can be reached; just after key generation, without those who cannot.
    pub(super) fn check_first<R: RngCore + CryptoRng>(&mut self, now: Timestamp, tools: &mut Tools<'_, R>) {
        let all_here = self.reachable.len() + 1 == self.rules.members.len();
        let due = self.first_check.is_some_and(|at| at <= now);
        if self.check.is_none() && (due || all_here && self.somebody_came) && self.owes_first_check() {
            (self.first_check, self.somebody_came) = (None, false);
            self.start_check(now, tools);
        }
    }

    /// Begins a health check, unless one runs.
    pub(in crate::node) fn start_check<R: RngCore + CryptoRng>(&mut self, now: Timestamp, tools: &mut Tools<'_, R>) {
        if self.check.is_some() {
            return;
        }
        let here = |place: &Place| *place == self.me || self.reachable.contains(place);
        let (pending, away): (Vec<Place>, Vec<Place>) = (1..=self.rules.total()).partition(here);
        let failed = away.into_iter().map(|place| (place, "is not connected".to_owned())).collect();
        self.last_check = Some(CheckView { running: true, answered: Vec::new(), failed: Vec::new() });
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
            let helpers = [self.me].into_iter().chain(check.done.iter().copied()).chain(check.pending.iter().copied());
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
            check.failed.extend(check.pending.drain(..).map(|place| (place, why.clone())));
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
        signers: &[Place],
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) {
        if let Some(check) = &mut self.check {
            check.pending.retain(|place| !signers.contains(place));
            check.done.extend(signers.iter().copied());
        }
        self.next_groups(now, tools);
    }

    /// A group has not signed, and these are to blame.
    pub(super) fn check_failed<R: RngCore + CryptoRng>(
        &mut self,
        culprits: &[Place],
        reason: &str,
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) {
        if let Some(check) = &mut self.check {
            check.pending.retain(|place| !culprits.contains(place));
            culprits.iter().for_each(|place| check.done.remove(place));
            check.failed.extend(culprits.iter().map(|place| (*place, reason.to_owned())));
        }
        self.next_groups(now, tools);
    }

    fn check_over(&mut self) {
        let Some(check) = self.check.take() else { return };
        let answered: Vec<Place> = check.done.iter().copied().collect();
        let failed = check.failed.into_iter();
        let named = |(place, why)| Some((self.rules.member(place)?.peer_id.clone(), why));
        let failed: Vec<(PeerId, String)> = failed.filter_map(named).collect();
        let answered = self.names(&answered);
        self.last_check = Some(CheckView { running: false, answered: answered.clone(), failed: failed.clone() });
        self.say(Event::Checked { pubkey: self.info.pubkey.clone(), answered, failed });
    }

    /// A group's signature is here. Who signed tells everyone that it could.
    pub(super) fn check_signed<R: RngCore + CryptoRng>(
        &mut self,
        coordinator: Place,
        signers: &[Place],
        signature: &[u8],
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) {
        if !self.gave_check.contains(&coordinator) {
            return; // it has no share of this node's
        }
        let digest = check_digest(&self.rules.circle);
        let verified = self.rules.suite.verify(&self.rules.pubkey, &digest, signature).is_ok();
        if verified && signers.contains(&self.me) && !self.checked.contains(&self.me) {
            self.has_checked(self.me, now, tools);
            self.broadcast_durably(&CircleMessage::Checked);
        }
    }

    /// A member says that it has signed.
    pub(super) fn has_checked<R: RngCore + CryptoRng>(
        &mut self,
        place: Place,
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) {
        if self.ready || !self.checked.insert(place) {
            return;
        }
        self.write(&Body::Checked { member: place }, now, tools);
        if self.checked.len() == self.rules.members.len() {
            self.ready = true;
            self.write(&Body::Ready, now, tools);
            self.say(Event::WalletReady { pubkey: self.info.pubkey.clone() });
        }
    }
}
