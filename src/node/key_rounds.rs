//! The steps of a session, from the mesh to the confirmed key (docs/PROTOCOL.md, section 2), and whom to blame when one
//! cannot be made.

use std::collections::BTreeMap;

use rand_core::{CryptoRng, RngCore};

use super::links::Tools;
use super::pact::Trust;
use super::progress::{Package, Progress, Step};
use super::session::{Act, Phase, Session};
use super::{Event, Reason, ReasonKind, Roster, Timestamp};
use crate::frost::{Fault, Identifier, PackageFault, Round1, Round2};
use crate::keystore::{WalletInfo, WalletRecord, WalletRoster};
use crate::sorted::Map;
use crate::wire::{PeerId, PeerMessage};

/// How much longer than the step before it each step is waited for, in milliseconds. Who lacks a step because somebody
/// withheld the one before it has to end first, and its word with the right name on it has to get here.
const TURN: u64 = 2_000;

impl Session {
    pub(super) fn broadcast(&mut self, message: &PeerMessage) {
        for id in self.roster.others().cloned().collect::<Vec<_>>() {
            self.send(id, message.clone());
        }
    }

    fn send(&mut self, to: PeerId, message: PeerMessage) {
        if let Some(progress) = self.peers.get_mut(&to) {
            progress.outbox.push(message.clone());
            self.acts.push(Act::Send(to, message));
        }
    }

    fn all(&self, has: impl Fn(&Progress) -> bool) -> bool {
        self.peers.values().all(has)
    }

    /// Makes every step that what has come allows.
    pub(super) fn advance(
        &mut self,
        now: Timestamp,
        tools: &mut Tools<'_, impl RngCore + CryptoRng>,
    ) {
        loop {
            let judged = match &self.phase {
                Phase::Meshing if self.mesh_ready_sent => Some(Step::MeshReady),
                Phase::Commitments(_) => Some(Step::Commitment),
                Phase::Readying(_) => Some(Step::Ready),
                Phase::Confirming(pubkey) => {
                    if let Some(reason) = self.other_key(pubkey) {
                        return self.end(reason, now);
                    }
                    Some(Step::WalletCreated)
                }
                _ => None,
            };
            if let Some(reason) = judged.and_then(|step| self.judge(step)) {
                if reason.kind == ReasonKind::Equivocation {
                    self.keep_evidence(now);
                }
                return self.end(reason, now);
            }
            let next = match &self.phase {
                Phase::Meshing => self.mesh_ready_sent && self.all(|p| p.mesh_ready),
                Phase::Commitments(round1) => {
                    if let Some(fault) =
                        bad_commitment(round1.as_ref(), &self.roster, &mut self.peers)
                    {
                        return self
                            .end(self.package_reason(ReasonKind::BadCommitment, fault), now);
                    }
                    self.all(|p| p.commitment.is_some())
                }
                Phase::Comparing(_) => self.words_match,
                Phase::Readying(_) => self.all(|p| p.ready),
                Phase::Sharing(round2) => {
                    if let Some(fault) = bad_share(round2.as_ref(), &self.roster, &mut self.peers) {
                        return self.end(self.package_reason(ReasonKind::BadShare, fault), now);
                    }
                    self.all(|p| p.share.is_some())
                }
                Phase::Confirming(_) => self.all(|p| p.created.is_some()),
                _ => false,
            };
            if !next {
                return;
            }
            let step = self.deadlines.step;
            // `Finishing` stands in for a moment only: every arm below sets the phase that follows.
            match std::mem::replace(&mut self.phase, Phase::Finishing(String::new())) {
                Phase::Meshing => match self.start_round1(tools) {
                    Ok(round1) => self.enter(Phase::Commitments(round1), step + TURN, now),
                    Err(fault) => {
                        return self
                            .fail(Reason::plain(ReasonKind::Internal, fault.to_string()), now);
                    }
                },
                Phase::Commitments(round1) => {
                    self.gather_statements(round1.package());
                    match self.safety_words().filter(|_| self.needs_words()) {
                        Some(words) => self.compare(words, round1, now),
                        None => self.go_to_round2(round1, now, tools),
                    }
                }
                Phase::Comparing(round1) => self.go_to_round2(round1, now, tools),
                Phase::Readying(round1) => match self.start_round2(round1) {
                    Ok(round2) => self.enter(Phase::Sharing(round2), step + 3 * TURN, now),
                    Err(fault) => {
                        return self
                            .fail(self.package_reason(ReasonKind::BadCommitment, fault), now);
                    }
                },
                Phase::Sharing(round2) => match self.finish(round2, now) {
                    Ok(pubkey) => self.enter(Phase::Keeping(pubkey), step, now),
                    Err(fault) => {
                        return self.fail(self.package_reason(ReasonKind::BadShare, fault), now);
                    }
                },
                Phase::Confirming(pubkey) => {
                    let certificate = self.certificate(&pubkey);
                    self.acts.push(Act::Confirm(pubkey.clone(), certificate));
                    self.enter(Phase::Finishing(pubkey), step, now);
                }
                other => self.phase = other,
            }
        }
    }

    fn needs_words(&self) -> bool {
        self.is_verified()
            && !self.words_match
            && !self.trust_first_use
            && self.trust() != Trust::Verified
    }

    /// Waits until the person here has compared the words. Nothing that depends on who is who leaves before.
    fn compare(
        &mut self,
        words: [u16; crate::agreement::WORDS],
        round1: Box<dyn Round1>,
        now: Timestamp,
    ) {
        self.acts.push(Act::Event(Event::Words { session_id: self.id.clone(), words }));
        self.broadcast(&PeerMessage::Comparing { session_id: Some(self.id.clone()) });
        self.enter(Phase::Comparing(round1), self.deadlines.proposal, now);
    }

    fn go_to_round2(
        &mut self,
        round1: Box<dyn Round1>,
        now: Timestamp,
        tools: &mut Tools<'_, impl RngCore + CryptoRng>,
    ) {
        self.acts.push(Act::Event(Event::Round { session_id: self.id.clone(), round: 2 }));
        let proof = self.sign_ready(tools);
        self.broadcast(&PeerMessage::Ready { session_id: Some(self.id.clone()), proof });
        let people = self.peers.values().any(|p| p.comparing && !p.ready);
        let patience = if people { self.deadlines.proposal } else { self.deadlines.step };
        self.enter(Phase::Readying(round1), patience + 2 * TURN, now);
    }

    /// Ends the session out of a step that failed and whose state is used up.
    fn fail(&mut self, reason: Reason, now: Timestamp) {
        self.phase = Phase::Meshing;
        self.end(reason, now);
    }

    fn start_round1(
        &mut self,
        tools: &mut Tools<'_, impl RngCore + CryptoRng>,
    ) -> Result<Box<dyn Round1>, PackageFault> {
        let roster = &self.roster;
        let round1 = roster.suite().start(
            roster.my_identifier(),
            roster.total(),
            roster.threshold(),
            tools.rng,
        )?;
        self.acts.push(Act::Event(Event::Round { session_id: self.id.clone(), round: 1 }));
        let data = round1.package().to_vec();
        let proof = self.sign_commitment(&data, tools);
        self.broadcast(&PeerMessage::Round1Package {
            session_id: Some(self.id.clone()),
            data,
            proof,
        });
        Ok(round1)
    }

    fn start_round2(&mut self, round1: Box<dyn Round1>) -> Result<Box<dyn Round2>, Fault> {
        let packages = self.take_packages(|p| &mut p.commitment);
        let packages = packages
            .into_iter()
            .map(|(identifier, mut bytes)| (identifier, std::mem::take(&mut *bytes)))
            .collect();
        let (round2, shares) = round1.advance(&packages)?;
        for (identifier, data) in shares {
            if let Some(id) = self.roster.at(identifier).cloned() {
                self.send(
                    id,
                    PeerMessage::Round2Package { session_id: Some(self.id.clone()), data },
                );
            }
        }
        Ok(round2)
    }

    fn finish(&mut self, round2: Box<dyn Round2>, now: Timestamp) -> Result<String, Fault> {
        let key = round2.finish(&self.take_packages(|p| &mut p.share))?;
        self.verified = self.is_verified() && (self.words_match || self.trust() == Trust::Verified);
        let info = WalletInfo {
            pubkey: key.pubkey.clone(),
            name: self.proposal.name.clone(),
            session_id: self.id.clone(),
            ciphersuite: self.roster.suite().id().to_owned(),
            threshold: self.roster.threshold(),
            total: self.roster.total(),
            roster: WalletRoster::numbered(self.roster.participants().iter().cloned()),
            identifier: self.roster.my_identifier(),
            verified: self.verified,
            created: now.millis(),
        };
        let record = WalletRecord {
            info,
            key_package: key.key_package,
            public_key_package: key.public_key_package,
            certificate: None,
        };
        self.acts.push(Act::Keep(Box::new(record)));
        Ok(key.pubkey)
    }

    /// Takes the packages of all participants out of a slot, by place. What remains there tells repeats from conflicts.
    fn take_packages(
        &mut self,
        slot: impl Fn(&mut Progress) -> &mut Option<Package>,
    ) -> BTreeMap<Identifier, zeroize::Zeroizing<Vec<u8>>> {
        let roster = &self.roster;
        let filled = self
            .peers
            .iter_mut()
            .filter_map(|(id, p)| Some((roster.identifier_of(id)?, Package::take(slot(p))?)));
        filled.collect()
    }

    /// The store has answered what this session asked of it last.
    pub(super) fn stored(
        &mut self,
        result: Result<(), String>,
        now: Timestamp,
        tools: &mut Tools<'_, impl RngCore + CryptoRng>,
    ) {
        match (&self.phase, result) {
            (Phase::Keeping(pubkey), Ok(())) => {
                let pubkey = pubkey.clone();
                // Who knows of a wrong claim does not confirm: ours could be the last confirmation that another lacks.
                if let Some(reason) = self.other_key(&pubkey) {
                    return self.end(reason, now);
                }
                let proof = self.sign_wallet(&pubkey, tools);
                let created = PeerMessage::WalletCreated {
                    session_id: Some(self.id.clone()),
                    pubkey: pubkey.clone(),
                    proof,
                };
                self.enter(Phase::Confirming(pubkey), self.deadlines.step + 4 * TURN, now);
                self.broadcast(&created);
                self.advance(now, tools);
            }
            (Phase::Finishing(pubkey), Ok(())) => {
                let pubkey = pubkey.clone();
                if self.is_verified() {
                    self.acts.push(Act::Met);
                }
                self.acts.push(Act::Event(Event::WalletCreated {
                    session_id: self.id.clone(),
                    pubkey: pubkey.clone(),
                    suite: self.roster.suite(),
                    threshold: self.roster.threshold(),
                    total: self.roster.total(),
                    participants: self.roster.participants().to_vec(),
                    identifier: self.roster.my_identifier(),
                    verified: self.verified,
                }));
                self.enter(Phase::Done(pubkey), 0, now);
            }
            (Phase::Keeping(_) | Phase::Finishing(_), Err(error)) => {
                let text = format!("the key could not be stored: {error}");
                self.end(Reason::plain(ReasonKind::Storage, text), now);
            }
            _ => {} // an answer that comes after the end
        }
    }

    // ---- who is to blame ----

    fn other_key(&self, pubkey: &str) -> Option<Reason> {
        let (id, claimed) = self.peers.iter().find_map(|(id, p)| {
            p.created.as_ref().filter(|key| *key != pubkey).map(|key| (id, key))
        })?;
        let text = format!("claims the group key {claimed}, but it is {pubkey}");
        Some(Reason::blame(ReasonKind::KeyMismatch, id, text))
    }

    fn package_reason(&self, kind: ReasonKind, (identifier, fault): Fault) -> Reason {
        match identifier.and_then(|p| self.roster.at(p)) {
            Some(id) => {
                let what = if kind == ReasonKind::BadShare { "share" } else { "commitment" };
                Reason::blame(kind, id, format!("sent a {what} that cannot be used: {fault}"))
            }
            None => Reason::plain(ReasonKind::Internal, fault.to_string()),
        }
    }
}

/// Checks commitments that have come since the last look.
fn bad_commitment(
    round1: &dyn Round1,
    roster: &Roster,
    peers: &mut Map<PeerId, Progress>,
) -> Option<Fault> {
    unchecked(peers, |p| &mut p.commitment)
        .find_map(|(id, bytes)| Some((roster.identifier_of(id), round1.check(bytes).err()?)))
}

/// Checks shares that have come since the last look.
fn bad_share(
    round2: &dyn Round2,
    roster: &Roster,
    peers: &mut Map<PeerId, Progress>,
) -> Option<Fault> {
    unchecked(peers, |p| &mut p.share)
        .find_map(|(id, bytes)| Some((roster.identifier_of(id), round2.check(bytes).err()?)))
}

/// Packages that nobody has looked at yet, marked as looked at.
fn unchecked(
    peers: &mut Map<PeerId, Progress>,
    slot: impl Fn(&mut Progress) -> &mut Option<Package>,
) -> impl Iterator<Item = (&PeerId, &[u8])> {
    peers.iter_mut().filter_map(move |(id, p)| {
        let package = slot(p).as_mut().filter(|package| !package.checked)?;
        package.checked = true;
        Some((id, package.bytes.as_deref()?.as_slice()))
    })
}
