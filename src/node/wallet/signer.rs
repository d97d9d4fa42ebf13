//! This node as a signer: it draws nonces for a ceremony that it finds in order, and gives one share for them.
//!
//! Nonces live in memory alone. They are used up by the share that they make, and a node that ends takes them with it: no
//! disk and no backup ever holds any, so none can come back (docs/PROTOCOL.md, section 3, point 6). That a share leaves is
//! written to the audit trail before it does.

use rand_core::{CryptoRng, RngCore};
use sha2::{Digest as _, Sha256};

use super::{Act, Cost, Group};
use crate::api::RequestState;
use crate::audit::Body;
use crate::frost::{Commitments, Identifier, Nonces};
use crate::group::{CeremonyId, GroupMessage, RequestId, Vote, health_check_digest};
use crate::node::Timestamp;
use crate::node::links::Tools;

/// Most ceremonies of one coordinator for which nonces are held.
const MAX_RESERVATIONS: usize = 16;
/// Most health checks of one coordinator in [`CHECKS_WITHIN`].
const MAX_CHECKS: usize = 8;
/// In milliseconds.
const CHECKS_WITHIN: u64 = 10_000;

/// What this node has promised to a ceremony.
pub(super) struct Reservation {
    pub ceremony: CeremonyId,
    pub coordinator: Identifier,
    pub request: Option<RequestId>,
    signers: Vec<Identifier>,
    nonces: Nonces,
    commitments: Vec<u8>,
    /// Until when it stands.
    pub until: Timestamp,
}

impl Group {
    /// A coordinator wants this node's commitments.
    pub(super) fn pledge<R: RngCore + CryptoRng>(
        &mut self,
        coordinator: Identifier,
        ceremony: CeremonyId,
        request: Option<RequestId>,
        (signers, votes): (Vec<Identifier>, Vec<Vote>),
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) {
        for vote in votes {
            // A coordinator that goes by an old vote hears the newer one.
            let known = self
                .book
                .get(&vote.request)
                .and_then(|tracked| tracked.votes.get(&vote.member))
                .copied();
            if let Some(newer) = known.filter(|known| known.number > vote.number) {
                let newer = self.log.then(Act::Send(coordinator, GroupMessage::Vote(newer)));
                self.acts.extend(newer);
            }
            self.take_vote(coordinator, vote, now, tools);
        }
        let answer = self.may_sign(coordinator, request, &signers, now).and_then(|()| {
            let within =
                coordinator == self.me || self.budget.take(coordinator, Cost::Ceremony, now);
            within.then_some(()).ok_or("asks too often")?;
            let taken =
                self.pledges.iter().any(|p| p.ceremony == ceremony && p.coordinator == coordinator);
            let drawn = (!taken).then(|| self.key.commit(tools.rng));
            let drawn = drawn.ok_or("has used the name of this ceremony before")?;
            drawn.map_err(|fault| fault.to_string())
        });
        match answer {
            Ok((nonces, commitments)) => {
                if request.is_none() {
                    self.note_check(coordinator, now);
                }
                let of_the_same = || self.pledges.iter().filter(|p| p.coordinator == coordinator);
                if of_the_same().count() >= MAX_RESERVATIONS {
                    let oldest = self.pledges.iter().position(|p| p.coordinator == coordinator);
                    oldest.map(|identifier| self.pledges.remove(identifier));
                }
                let until = now.after(2 * self.deadlines.sign);
                let data = commitments.clone();
                self.pledges.push(Reservation {
                    ceremony,
                    coordinator,
                    request,
                    signers,
                    nonces,
                    commitments,
                    until,
                });
                self.acts.push(Act::Send(
                    coordinator,
                    GroupMessage::SigningCommitments { ceremony, data },
                ));
            }
            Err(reason) => {
                self.acts.push(Act::Send(coordinator, GroupMessage::Refused { ceremony, reason }))
            }
        }
    }

    /// Everyone's commitments are here: this node's share leaves, once the trail says so durably.
    pub(super) fn give_share<R: RngCore + CryptoRng>(
        &mut self,
        coordinator: Identifier,
        ceremony: CeremonyId,
        commitments: Vec<Vec<u8>>,
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) {
        let held = self
            .pledges
            .iter()
            .position(|p| p.ceremony == ceremony && p.coordinator == coordinator);
        let Some(pledge) = held.map(|identifier| self.pledges.remove(identifier)) else { return };
        let (request, signers) = (pledge.request, pledge.signers.clone());
        let hash = Sha256::digest(&pledge.commitments).into();
        match self.share(pledge, commitments, now) {
            Ok(data) => {
                if request.is_none() {
                    self.gave_check.insert(coordinator);
                }
                self.write(
                    &Body::Commit { request, coordinator, signers, commitments: hash },
                    now,
                    tools,
                );
                let share = self
                    .log
                    .then(Act::Send(coordinator, GroupMessage::SignatureShare { ceremony, data }));
                self.acts.extend(share);
            }
            Err(reason) => {
                self.acts.push(Act::Send(coordinator, GroupMessage::Refused { ceremony, reason }))
            }
        }
    }

    /// Makes the share. The nonces are gone afterwards, whatever comes of it.
    fn share(
        &self,
        pledge: Reservation,
        commitments: Vec<Vec<u8>>,
        now: Timestamp,
    ) -> Result<Vec<u8>, String> {
        self.may_sign(pledge.coordinator, pledge.request, &pledge.signers, now)?;
        if commitments.len() != pledge.signers.len() {
            return Err("has sent another number of commitments than there are signers".to_owned());
        }
        let all: Commitments = pledge.signers.iter().copied().zip(commitments).collect();
        if all.get(&self.me) != Some(&pledge.commitments) {
            return Err("has sent other commitments than this node's for it".to_owned());
        }
        let digest =
            self.digest_of(pledge.request).ok_or("is about a request that is not known here")?;
        self.key.sign(pledge.nonces, &all, &digest).map_err(|(identifier, fault)| match identifier
            .and_then(|p| self.name(p))
        {
            Some(name) => format!("has sent commitments of {name} that cannot be used: {fault}"),
            None => format!("has sent commitments that cannot be used: {fault}"),
        })
    }

    /// The 32 bytes that are signed for a request, or for a health check.
    pub(super) fn digest_of(&self, request: Option<RequestId>) -> Option<[u8; 32]> {
        match request {
            Some(id) => self.book.get(&id).map(|tracked| tracked.digest),
            None => Some(health_check_digest(&self.rules.group_id)),
        }
    }

    /// Whether this node signs that, with those, for that coordinator. The reason reads on from the coordinator's name.
    fn may_sign(
        &self,
        coordinator: Identifier,
        request: Option<RequestId>,
        signers: &[Identifier],
        now: Timestamp,
    ) -> Result<(), String> {
        if let Some(problem) = &self.log.broken {
            return Err(format!("asked a member that cannot write its audit trail: {problem}"));
        }
        let right = signers.len() == usize::from(self.rules.threshold)
            && signers.contains(&self.me)
            && signers.iter().all(|identifier| self.rules.member(*identifier).is_some());
        if !right {
            return Err("named signers of whom this wallet cannot be signed for".to_owned());
        }
        let Some(id) = request else {
            let recent = self
                .check_pledges
                .iter()
                .filter(|(p, at)| *p == coordinator && now.since(*at) < CHECKS_WITHIN);
            let fine = coordinator == self.me || recent.count() < MAX_CHECKS;
            return fine.then_some(()).ok_or_else(|| "asks for health checks too often".to_owned());
        };
        let tracked = self.book.get(&id).ok_or("asked for a request that is not known here")?;
        match tracked.state(&self.rules, now) {
            RequestState::Approved => {}
            state => return Err(format!("asked for a request that is {} here", state.name())),
        }
        if coordinator != tracked.request.proposer && !tracked.approves(coordinator) {
            return Err("asked for a request that it neither made nor approved".to_owned());
        }
        match signers.iter().find(|identifier| !tracked.approves(**identifier)) {
            Some(identifier) if *identifier == self.me => {
                Err("asked a member that has not approved it".to_owned())
            }
            Some(identifier) => Err(format!(
                "named {} as a signer, who has not approved it",
                self.name(*identifier).unwrap_or("?")
            )),
            None => Ok(()),
        }
    }

    /// Notes a health check that this node takes part in, and forgets old ones.
    fn note_check(&mut self, coordinator: Identifier, now: Timestamp) {
        self.check_pledges.retain(|(_, at)| now.since(*at) < CHECKS_WITHIN);
        self.check_pledges.push((coordinator, now));
    }
}
