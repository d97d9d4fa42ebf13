//! This node as a coordinator: it picks signers among those who approved and can be reached, gathers commitments and shares,
//! and leaves out whoever is silent, refuses, or sends what does not verify. Nothing depends on who coordinates: every signer
//! judges for itself.

use rand_core::{CryptoRng, RngCore};

use super::ledger::Signed;
use super::{Act, Group};
use crate::api::RequestState;
use crate::audit::Body;
use crate::frost::Identifier;
use crate::group::{CeremonyId, GroupMessage, RequestId, Vote};
use crate::node::links::Tools;
use crate::node::{Event, Timestamp};
use crate::sorted::Map;

/// How long an approver waits for the proposer, or for an approver before it, to begin, in milliseconds.
const GRACE: u64 = 1_000;
/// Longest time for which a member that failed once is left out, in milliseconds.
const LONGEST_PAUSE: u64 = 300_000;

/// One run of the two rounds.
pub(super) struct Ceremony {
    pub request: Option<RequestId>,
    digest: [u8; 32],
    pub signers: Vec<Identifier>,
    commitments: Map<Identifier, Vec<u8>>,
    shares: Map<Identifier, Vec<u8>>,
    pub deadline: Timestamp,
}

impl Ceremony {
    /// Those of whom the next message is awaited.
    pub fn awaited(&self) -> impl Iterator<Item = Identifier> + '_ {
        let committing = self.commitments.len() < self.signers.len();
        let has = move |p: &Identifier| {
            if committing { self.commitments.contains_key(p) } else { self.shares.contains_key(p) }
        };
        self.signers.iter().copied().filter(move |identifier| !has(identifier))
    }
}

/// A member that is not asked for a while.
#[derive(Default)]
pub(super) struct LeftOut {
    until: Timestamp,
    times: u32,
    /// It sent what does not verify: it is not asked for this request any more.
    for_good: bool,
}

/// Why a ceremony failed, and by whom.
pub(super) struct Failure {
    culprits: Vec<Identifier>,
    reason: String,
    /// It was no matter of being there or of what was agreed on.
    for_good: bool,
    /// For how long they are left out at first, in milliseconds.
    pause: u64,
}

impl Failure {
    /// It was no matter of being there or of what was agreed on: who is at fault is not asked again.
    fn proven(culprit: Identifier, reason: String) -> Self {
        Self { culprits: vec![culprit], reason, for_good: true, pause: 0 }
    }

    /// They are left out for a while, in milliseconds.
    fn passing(culprits: Vec<Identifier>, reason: impl Into<String>, pause: u64) -> Self {
        Self { culprits, reason: reason.into(), for_good: false, pause }
    }
}

impl Group {
    /// Begins what this node has to coordinate now.
    pub(super) fn coordinate<R: RngCore + CryptoRng>(
        &mut self,
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) {
        if self.log.broken.is_some() {
            return;
        }
        let approved = |id: &RequestId| self.ceremonies.values().all(|c| c.request != Some(*id));
        let approved: Vec<RequestId> = self
            .book
            .iter()
            .filter(|(id, tracked)| {
                approved(id) && tracked.state(&self.rules, now) == RequestState::Approved
            })
            .map(|(id, _)| *id)
            .collect();
        for id in approved {
            if self.turn_at(&id, now).is_some_and(|at| at <= now)
                && let Some(signers) = self.choose(&id, now)
            {
                self.begin(Some(id), signers, now, tools);
            }
        }
    }

    /// From when on this node coordinates a request, if it may: the proposer at once, then the approvers who can be reached,
    /// one after the other, should those before them do nothing.
    fn turn_at(&self, id: &RequestId, now: Timestamp) -> Option<Timestamp> {
        let tracked = self.book.get(id)?;
        let since = tracked.approved_since?;
        let proposer = tracked.request.proposer;
        if self.me == proposer {
            return Some(since);
        }
        if !tracked.approves(self.me) {
            return None;
        }
        let before = |identifier: &Identifier| *identifier == proposer || *identifier < self.me;
        let others = tracked.approvers().filter(|p| *p != proposer).chain([proposer]);
        let rank = others
            .filter(|p| *p != self.me && before(p) && self.reachable.contains(p))
            .count() as u64;
        let busy = self.pledges.iter().filter(|p| p.request == Some(*id)).map(|p| p.until).max();
        let at = since.after(GRACE + rank * 2 * self.deadlines.sign);
        // Whoever is at it may finish, but nobody can be at it for ever.
        let longest =
            since.after(GRACE + 2 * u64::from(self.rules.total()) * 2 * self.deadlines.sign);
        Some(busy.filter(|until| *until > now).map_or(at, |until| at.max(until.min(longest))))
    }

    /// Who signs: this node if it approved, and others who approved and can be reached. `None` while there are too few.
    fn choose(&self, id: &RequestId, now: Timestamp) -> Option<Vec<Identifier>> {
        let tracked = self.book.get(id)?;
        let left_out = |identifier: Identifier| {
            self.left_out.get(&(*id, identifier)).is_some_and(|l| l.for_good || l.until > now)
        };
        let ready = |identifier: &Identifier| self.is_here(*identifier) && !left_out(*identifier);
        let mut signers: Vec<Identifier> = tracked.approvers().filter(ready).collect();
        signers.sort_by_key(|identifier| (*identifier != self.me, *identifier));
        signers.truncate(usize::from(self.rules.threshold));
        signers.sort_unstable();
        (signers.len() == usize::from(self.rules.threshold)).then_some(signers)
    }

    /// Asks signers for their commitments.
    pub(super) fn begin<R: RngCore + CryptoRng>(
        &mut self,
        request: Option<RequestId>,
        signers: Vec<Identifier>,
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) {
        let Some(digest) = self.digest_of(request) else { return };
        let mut ceremony: CeremonyId = [0; 16];
        tools.rng.fill_bytes(&mut ceremony);
        let votes =
            |identifier: &Identifier| self.book.get(&request?)?.votes.get(identifier).copied();
        let votes: Vec<Vote> = signers.iter().filter_map(votes).collect();
        for identifier in &signers {
            let (signers, votes) = (signers.clone(), votes.clone());
            // This node's own vote is among them.
            let start = self.log.then(Act::Send(
                *identifier,
                GroupMessage::Start { ceremony, request, signers, votes },
            ));
            self.acts.extend(start);
        }
        if let Some(id) = request {
            let signers = self.names(&signers);
            self.say(Event::Signing {
                pubkey: self.info.pubkey.clone(),
                request: hex::encode(id),
                signers,
            });
        }
        let (commitments, shares) = (Map::default(), Map::default());
        let deadline = now.after(self.deadlines.sign);
        self.ceremonies
            .insert(ceremony, Ceremony { request, digest, signers, commitments, shares, deadline });
    }

    /// A signer's commitments have come.
    pub(super) fn committed<R: RngCore + CryptoRng>(
        &mut self,
        from: Identifier,
        ceremony: CeremonyId,
        data: Vec<u8>,
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) {
        let Some(running) =
            self.ceremonies.get_mut(&ceremony).filter(|c| c.signers.contains(&from))
        else {
            return;
        };
        if running.commitments.contains_key(&from) {
            return;
        }
        if let Err(fault) = self.key.check_commitments(&data) {
            return self.failed(ceremony, Failure::proven(from, fault.to_string()), now, tools);
        }
        running.commitments.insert(from, data);
        if running.commitments.len() == running.signers.len() {
            running.deadline = now.after(self.deadlines.sign);
            let commitments: Vec<Vec<u8>> = running.commitments.values().cloned().collect();
            for identifier in &running.signers {
                let commitments = commitments.clone();
                self.acts.push(Act::Send(
                    *identifier,
                    GroupMessage::SigningPackage { ceremony, commitments },
                ));
            }
        }
    }

    /// A signer's share has come.
    pub(super) fn shared<R: RngCore + CryptoRng>(
        &mut self,
        from: Identifier,
        ceremony: CeremonyId,
        data: Vec<u8>,
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) {
        let Some(running) =
            self.ceremonies.get_mut(&ceremony).filter(|c| c.awaited().any(|p| p == from))
        else {
            return;
        };
        if running.commitments.len() < running.signers.len() {
            return; // before anyone could make one
        }
        running.shares.insert(from, data);
        if running.shares.len() < running.signers.len() {
            return;
        }
        let commitments = running
            .commitments
            .iter()
            .map(|(identifier, data)| (*identifier, data.clone()))
            .collect();
        let shares =
            running.shares.iter().map(|(identifier, data)| (*identifier, data.clone())).collect();
        match self.key.aggregate(&commitments, &shares, &running.digest) {
            Ok(signature) => self.signed(ceremony, signature, now, tools),
            Err((Some(culprit), fault)) => {
                self.failed(ceremony, Failure::proven(culprit, fault.to_string()), now, tools);
            }
            Err((None, fault)) => {
                let failure = Failure::passing(
                    running.signers.clone(),
                    fault.to_string(),
                    self.deadlines.sign,
                );
                self.failed(ceremony, failure, now, tools);
            }
        }
    }

    /// The signature is there.
    fn signed<R: RngCore + CryptoRng>(
        &mut self,
        ceremony: CeremonyId,
        signature: Vec<u8>,
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) {
        let Some(Ceremony { request, signers, .. }) = self.ceremonies.remove(&ceremony) else {
            return;
        };
        match request {
            Some(id) => self.take_signature(self.me, id, Signed { signature, signers }, now, tools),
            None => {
                let (request, data) = (None, signature.clone());
                let message = GroupMessage::Signature { request, data, signers: signers.clone() };
                for identifier in signers.iter().filter(|identifier| **identifier != self.me) {
                    self.acts.push(Act::Send(*identifier, message.clone()));
                }
                self.check_signed(self.me, &signers, &signature, now, tools);
                self.check_done(&signers, now, tools);
            }
        }
    }

    /// A signer does not take part.
    pub(super) fn refused<R: RngCore + CryptoRng>(
        &mut self,
        from: Identifier,
        ceremony: CeremonyId,
        reason: String,
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) {
        if self.ceremonies.get(&ceremony).is_some_and(|c| c.signers.contains(&from)) {
            let reason = format!("refuses: this node {reason}");
            let failure = Failure::passing(vec![from], reason, self.deadlines.sign);
            self.failed(ceremony, failure, now, tools);
        }
    }

    /// Ends a ceremony without a signature, and leaves out whoever is to blame.
    pub(super) fn failed<R: RngCore + CryptoRng>(
        &mut self,
        ceremony: CeremonyId,
        failure: Failure,
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) {
        let Some(Ceremony { request, .. }) = self.ceremonies.remove(&ceremony) else { return };
        let Failure { culprits, reason, for_good, pause } = failure;
        // Who was not there, or refused, may have had a reason: the network's, or another member's.
        let culprit = culprits.first().copied().filter(|_| for_good && culprits.len() == 1);
        self.write(&Body::Aborted { request, reason: reason.clone(), culprit }, now, tools);
        let Some(id) = request else { return self.check_failed(&culprits, &reason, now, tools) };
        for identifier in &culprits {
            let left_out = self.left_out.or_default((id, *identifier));
            let pause = (pause << left_out.times.min(8)).min(LONGEST_PAUSE);
            *left_out = LeftOut { until: now.after(pause), times: left_out.times + 1, for_good };
        }
        self.say(Event::SigningFailed {
            pubkey: self.info.pubkey.clone(),
            request: hex::encode(id),
            culprits: self.names(&culprits),
            reason,
        });
    }

    /// Ends ceremonies that wait for somebody in vain.
    pub(super) fn leave_out_the_silent<R: RngCore + CryptoRng>(
        &mut self,
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) {
        let gone = |identifier: &Identifier| !self.is_here(*identifier);
        let mut failed = Vec::new();
        for (id, ceremony) in self.ceremonies.iter() {
            let lost: Vec<Identifier> = ceremony.awaited().filter(gone).collect();
            if !lost.is_empty() {
                failed.push((*id, lost, "cannot be reached any more".to_owned()));
            } else if ceremony.deadline <= now {
                let seconds = self.deadlines.sign / 1000;
                failed.push((
                    *id,
                    ceremony.awaited().collect(),
                    format!("did not answer within {seconds} s"),
                ));
            }
        }
        for (id, culprits, reason) in failed {
            self.failed(id, Failure::passing(culprits, reason, self.deadlines.sign), now, tools);
        }
    }

    /// A member has a new link, and knows nothing of what it had promised over the old one.
    pub(super) fn began_anew<R: RngCore + CryptoRng>(
        &mut self,
        identifier: Identifier,
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) {
        let void =
            self.ceremonies.iter().filter(|(_, ceremony)| ceremony.signers.contains(&identifier));
        for id in void.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.failed(id, Failure::passing(vec![identifier], "began anew", GRACE), now, tools);
        }
    }

    /// A member has come again: what it did not do before is forgiven, unless it was wrong or was so too often.
    pub(super) fn forgive(&mut self, identifier: Identifier) {
        const TIMES: u32 = 3;
        for ((_, member), left_out) in self.left_out.iter_mut() {
            if *member == identifier && !left_out.for_good && left_out.times < TIMES {
                left_out.until = Timestamp::default();
            }
        }
    }

    /// Forgets who is left out of what is over.
    pub(super) fn forget_what_is_over(&mut self, now: Timestamp) {
        let (book, rules) = (&self.book, &self.rules);
        let open = |id: &RequestId| {
            book.get(id).is_some_and(|t| t.state(rules, now) != RequestState::Expired)
        };
        self.left_out.retain(|(id, _), _| open(id));
    }

    /// The next moment at which the clock alone makes this node coordinate something.
    pub(super) fn next_turn(&self, now: Timestamp) -> Option<Timestamp> {
        let running = self.ceremonies.values().map(|c| c.deadline);
        let approved =
            self.book.iter().filter(|(_, t)| t.state(&self.rules, now) == RequestState::Approved);
        let turns = approved.filter_map(|(id, _)| self.turn_at(id, now));
        let pauses = self.left_out.values().filter(|l| !l.for_good).map(|l| l.until);
        running.chain(turns).chain(pauses).filter(|at| *at > now).min()
    }

    /// Takes a signature that is new here, and passes it on to everyone: who made it may be gone before all have heard it, and
    /// whoever lacks it would ask those who have it to sign again.
    fn take_signature<R: RngCore + CryptoRng>(
        &mut self,
        from: Identifier,
        id: RequestId,
        signed: Signed,
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) {
        if self.lacks(from, &id) {
            return;
        }
        let new = signed.clone();
        match self.book.signature(&self.rules, &id, signed) {
            Ok(false) => {}
            Ok(true) => {
                let Signed { signature, signers } = new;
                let (request, data) = (Some(id), signature.clone());
                self.broadcast(&GroupMessage::Signature {
                    request,
                    data,
                    signers: signers.clone(),
                });
                self.write(&Body::Signed { request: id, signature, signers }, now, tools);
                self.ceremonies.retain(|_, ceremony| ceremony.request != Some(id));
                self.pledges.retain(|pledge| pledge.request != Some(id));
                self.left_out.retain(|(request, _), _| *request != id);
                self.tell_signature(&id);
            }
            Err(why) => self.ignore(from, why),
        }
    }

    /// A member passes a signature on.
    pub(super) fn signature_came<R: RngCore + CryptoRng>(
        &mut self,
        from: Identifier,
        request: Option<RequestId>,
        signed: Signed,
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) {
        match request {
            Some(id) => self.take_signature(from, id, signed, now, tools),
            None => self.check_signed(from, &signed.signers, &signed.signature, now, tools),
        }
    }
}
