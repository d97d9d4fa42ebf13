//! The steps of a session, from open channels to the confirmed key (docs/PROTOCOL.md, section 2),
//! and whom to blame when one cannot be made.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::effect::Effect;
use super::progress::{Package, Progress, ProvenStep, Trust};
use super::session::{Made, Phase, Run, Session, Stage};
use super::transcript::Transcript;
use crate::api::{Event, Reason, ReasonKind};
use crate::frost::{Fault, Identifier, PackageFault, Round1, Round2};
use crate::keystore::{WalletInfo, WalletRecord, WalletRoster};
use crate::node::ctx::Ctx;
use crate::node::{Output, StoreRequest};
use crate::sorted::Map;
use crate::wire::{PeerId, PeerMessage};

/// How much longer than the step before it each step is awaited, in milliseconds. A participant
/// that lacks a step because somebody withheld the one before it has to end first: its message
/// names the culprit, and has to get here.
const TURN: u64 = 2_000;

impl Session {
    fn all(&self, has: impl Fn(&Progress) -> bool) -> bool {
        self.peers.values().all(has)
    }

    /// This node reaches everyone: announces that.
    pub(super) fn announce_mesh(&mut self, ctx: &mut Ctx<'_>) {
        let verified = self.is_verified();
        let (roster, proposal) = (self.roster().clone(), self.proposal().clone());
        let Stage::Running(run, phase) = &mut self.stage else { return };
        *phase = Phase::Meshed { everyone_accepted: false };
        let mut proof = None;
        if verified {
            let begun = Transcript::begin(ctx, &proposal, &roster, &self.peers);
            run.transcript = Some(begun.0);
            proof = Some(begun.1);
        }
        let session_id = self.id().clone();
        self.event(Event::MeshReady { session_id: session_id.clone() });
        self.broadcast(&PeerMessage::MeshReady { session_id: Some(session_id), proof });
    }

    /// Makes every step that the messages so far allow.
    pub(super) fn advance(&mut self, ctx: &mut Ctx<'_>) {
        loop {
            if let Some(reason) = self.judge() {
                if reason.kind == ReasonKind::Equivocation {
                    self.store_evidence(ctx);
                }
                return self.end(reason, ctx.now);
            }
            if !self.is_step_complete() {
                return;
            }
            let Stage::Running(run, phase) = std::mem::replace(&mut self.stage, Stage::Advancing)
            else {
                return;
            };
            if let Err(reason) = self.next_step(ctx, run, phase) {
                return self.end(reason, ctx.now);
            }
        }
    }

    /// What is wrong with the messages that came for this step, if anything is.
    fn judge(&mut self) -> Option<Reason> {
        let Stage::Running(run, phase) = &self.stage else { return None };
        let (step, fault) = match phase {
            Phase::Meshed { .. } => (ProvenStep::MeshReady, None),
            Phase::Round1(round1) => {
                let checked = unchecked(&mut self.peers, |peer| &mut peer.round1);
                let fault = first_fault(checked, |bytes| round1.check(bytes));
                (ProvenStep::Round1, fault)
            }
            Phase::Readying(_) => (ProvenStep::Ready, None),
            Phase::Round2(round2) => {
                let checked = unchecked(&mut self.peers, |peer| &mut peer.round2);
                let fault = first_fault(checked, |bytes| round2.check(bytes));
                let (id, fault) = fault?;
                return Some(bad_package(ReasonKind::BadShare, &id, &fault));
            }
            Phase::Confirming(made) => {
                if let Some(reason) = self.other_key(&made.pubkey) {
                    return Some(reason);
                }
                (ProvenStep::WalletCreated, None)
            }
            Phase::Connecting | Phase::Comparing(_) | Phase::Storing(_) | Phase::Finishing(_) => {
                return None;
            }
        };
        if let Some(transcript) = &run.transcript {
            let roster = self.roster().clone();
            for (id, peer) in self.peers.iter_mut() {
                if peer.proofs.take_unjudged(step)
                    && let Some(reason) = transcript.judge(step, &roster, id, peer)
                {
                    return Some(reason);
                }
            }
        }
        fault.map(|(id, fault)| bad_package(ReasonKind::BadCommitment, &id, &fault))
    }

    /// Whether everything is here that this step waits for.
    fn is_step_complete(&self) -> bool {
        let Stage::Running(_, phase) = &self.stage else { return false };
        match phase {
            Phase::Meshed { .. } => self.all(|peer| peer.mesh_ready),
            Phase::Round1(_) => self.all(|peer| peer.round1.is_some()),
            Phase::Comparing(_) => self.trust() == Trust::Verified,
            Phase::Readying(_) => self.all(|peer| peer.ready),
            Phase::Round2(_) => self.all(|peer| peer.round2.is_some()),
            Phase::Confirming(_) => self.all(|peer| peer.created.is_some()),
            Phase::Connecting | Phase::Storing(_) | Phase::Finishing(_) => false,
        }
    }

    /// Makes the next phase of the one before, which is used up.
    fn next_step(&mut self, ctx: &mut Ctx<'_>, run: Box<Run>, phase: Phase) -> Result<(), Reason> {
        let mut run = run;
        let step = self.deadlines.step;
        let (next, patience) = match phase {
            Phase::Meshed { .. } => {
                let round1 = self.start_round1(ctx, &mut run).map_err(internal)?;
                (Phase::Round1(round1), step + TURN)
            }
            Phase::Round1(round1) => {
                if let Some(transcript) = &mut run.transcript {
                    transcript.gather(self.roster(), &self.peers, round1.package());
                }
                let words = run.transcript.as_ref().and_then(Transcript::words);
                match words.filter(|_| self.needs_words()) {
                    Some(words) => {
                        // Nothing that depends on who is who leaves before the comparison.
                        let session_id = self.id().clone();
                        self.event(Event::Words { session_id: session_id.clone(), words });
                        self.broadcast(&PeerMessage::Comparing { session_id: Some(session_id) });
                        (Phase::Comparing(round1), self.deadlines.proposal)
                    }
                    None => self.get_ready(ctx, &run, round1),
                }
            }
            Phase::Comparing(round1) => self.get_ready(ctx, &run, round1),
            Phase::Readying(round1) => {
                let round2 = self.start_round2(round1);
                let bad = |fault| self.fault(ReasonKind::BadCommitment, fault);
                (Phase::Round2(round2.map_err(bad)?), step + 3 * TURN)
            }
            Phase::Round2(round2) => {
                let made = self.finish(ctx, round2);
                let bad = |fault| self.fault(ReasonKind::BadShare, fault);
                (Phase::Storing(made.map_err(bad)?), step)
            }
            Phase::Confirming(made) => {
                let transcript = run.transcript.take();
                let certificate = transcript
                    .and_then(|t| t.certificate(self.roster(), &self.peers, &made.pubkey));
                let pubkey = made.pubkey.clone();
                self.store(StoreRequest::Confirm { pubkey, certificate });
                (Phase::Finishing(made), step)
            }
            other => {
                self.stage = Stage::Running(run, other);
                return Ok(());
            }
        };
        self.stage = Stage::Running(run, next);
        self.restart_wait(patience, ctx.now);
        Ok(())
    }

    fn needs_words(&self) -> bool {
        let trusting = self.consent.is_some_and(|consent| consent.trust_first_use);
        self.is_verified() && !trusting && self.trust() != Trust::Verified
    }

    fn start_round1(
        &mut self,
        ctx: &mut Ctx<'_>,
        run: &mut Run,
    ) -> Result<Box<dyn Round1>, PackageFault> {
        let roster = self.roster();
        let (me, total, threshold) = (roster.my_identifier(), roster.total(), roster.threshold());
        let round1 = roster.suite().start(me, total, threshold, ctx.rng)?;
        let session_id = self.id().clone();
        self.event(Event::Round { session_id: session_id.clone(), round: 1 });
        let data = round1.package().to_vec();
        let proof = run.transcript.as_mut().map(|t| t.sign_round1(ctx, me, &data));
        let session_id = Some(session_id);
        self.broadcast(&PeerMessage::Round1Package { session_id, data, proof });
        Ok(round1)
    }

    /// Announces that all round-1 packages are here.
    fn get_ready(&mut self, ctx: &mut Ctx<'_>, run: &Run, round1: Box<dyn Round1>) -> (Phase, u64) {
        let session_id = self.id().clone();
        self.event(Event::Round { session_id: session_id.clone(), round: 2 });
        let proof = run.transcript.as_ref().map(|transcript| transcript.sign_ready(ctx));
        self.broadcast(&PeerMessage::Ready { session_id: Some(session_id), proof });
        let people = self.peers.values().any(|peer| peer.comparing && !peer.ready);
        let patience = if people { self.deadlines.proposal } else { self.deadlines.step };
        (Phase::Readying(round1), patience + 2 * TURN)
    }

    fn start_round2(&mut self, round1: Box<dyn Round1>) -> Result<Box<dyn Round2>, Fault> {
        let packages = self.take_packages(|peer| &mut peer.round1);
        let bare =
            |(id, mut bytes): (Identifier, Zeroizing<Vec<u8>>)| (id, std::mem::take(&mut *bytes));
        let packages = packages.into_iter().map(bare).collect();
        let (round2, packages) = round1.advance(&packages)?;
        for (identifier, data) in packages {
            if let Some(peer) = self.roster().at(identifier).cloned() {
                let session_id = Some(self.id().clone());
                self.send(&peer, PeerMessage::Round2Package { session_id, data });
            }
        }
        Ok(round2)
    }

    fn finish(&mut self, ctx: &Ctx<'_>, round2: Box<dyn Round2>) -> Result<Made, Fault> {
        let key = round2.finish(&self.take_packages(|peer| &mut peer.round2))?;
        let verified = self.is_verified() && self.trust() == Trust::Verified;
        let roster = self.roster();
        let info = WalletInfo {
            pubkey: key.pubkey.clone(),
            name: self.proposal().name.clone(),
            session_id: self.id().clone(),
            ciphersuite: roster.suite().id().to_owned(),
            threshold: roster.threshold(),
            total: roster.total(),
            participants: roster.participants().to_vec(),
            roster: WalletRoster::numbered(roster.participants().iter().cloned()),
            identifier: roster.my_identifier(),
            verified,
            created: ctx.now.millis(),
        };
        let record = WalletRecord {
            info,
            key_package: key.key_package,
            public_key_package: key.public_key_package,
            certificate: None,
        };
        self.store(StoreRequest::Unconfirmed(Box::new(record)));
        Ok(Made { pubkey: key.pubkey, verified })
    }

    fn store(&mut self, request: StoreRequest) {
        let session_id = self.id().clone();
        self.effects.push(Effect::Output(Output::Store { session_id, request }));
    }

    /// Takes the packages of all participants out of a slot, by identifier. The slot still tells
    /// repeats from conflicts.
    fn take_packages(
        &mut self,
        slot: impl Fn(&mut Progress) -> &mut Option<Package>,
    ) -> BTreeMap<Identifier, Zeroizing<Vec<u8>>> {
        let roster = self.roster().clone();
        let taken = self
            .peers
            .iter_mut()
            .filter_map(|(id, peer)| Some((roster.identifier_of(id)?, Package::take(slot(peer))?)));
        taken.collect()
    }

    /// The store has answered the last request of this session.
    pub(super) fn stored(&mut self, ctx: &mut Ctx<'_>, result: Result<(), String>) {
        let Stage::Running(_, Phase::Storing(_) | Phase::Finishing(_)) = &self.stage else {
            return; // an answer that comes after the end
        };
        if let Err(error) = result {
            let text = format!("the key could not be stored: {error}");
            return self.end(Reason::plain(ReasonKind::Storage, text), ctx.now);
        }
        match std::mem::replace(&mut self.stage, Stage::Advancing) {
            Stage::Running(run, Phase::Storing(made)) => self.confirm(ctx, run, made),
            Stage::Running(_, Phase::Finishing(made)) => self.done(ctx, made),
            other => self.stage = other,
        }
    }

    /// The key is on disk: confirms it to everyone.
    fn confirm(&mut self, ctx: &mut Ctx<'_>, mut run: Box<Run>, made: Made) {
        // A node that knows of a wrong claim does not confirm: its confirmation could be the last
        // one that another node waits for.
        if let Some(reason) = self.other_key(&made.pubkey) {
            self.stage = Stage::Running(run, Phase::Storing(made));
            return self.end(reason, ctx.now);
        }
        let pubkey = made.pubkey.clone();
        let proof = run.transcript.as_mut().map(|t| t.sign_wallet(ctx, &pubkey));
        self.stage = Stage::Running(run, Phase::Confirming(made));
        self.restart_wait(self.deadlines.step + 4 * TURN, ctx.now);
        let session_id = Some(self.id().clone());
        self.broadcast(&PeerMessage::WalletCreated { session_id, pubkey, proof });
        self.advance(ctx);
    }

    /// The wallet is on disk, confirmed by everyone.
    fn done(&mut self, ctx: &Ctx<'_>, made: Made) {
        let Made { pubkey, verified } = made;
        if self.is_verified() {
            let met = |(id, peer): (&PeerId, &Progress)| {
                let (identity, trust) = peer.identity?;
                Some((id.clone(), identity, trust == Trust::Verified))
            };
            self.effects.push(Effect::Met(self.peers.iter().filter_map(met).collect()));
        }
        let roster = self.roster();
        let created = Event::WalletCreated {
            session_id: self.id().clone(),
            pubkey: pubkey.clone(),
            suite: roster.suite(),
            threshold: roster.threshold(),
            total: roster.total(),
            participants: roster.participants().to_vec(),
            identifier: roster.my_identifier(),
            verified,
        };
        self.event(created);
        self.stage = Stage::Done { pubkey };
        self.restart_wait(0, ctx.now);
    }

    // ---- who is to blame ----

    /// A participant that claims another group key than the one made here.
    fn other_key(&self, pubkey: &str) -> Option<Reason> {
        let claims = self.peers.iter().filter_map(|(id, p)| Some((id, p.created.as_ref()?)));
        let (id, claimed) = claims.into_iter().find(|(_, claimed)| *claimed != pubkey)?;
        let text = format!("claims the group key {claimed}, but it is {pubkey}");
        Some(Reason::blame(ReasonKind::KeyMismatch, id, text))
    }

    fn fault(&self, kind: ReasonKind, (identifier, fault): Fault) -> Reason {
        match identifier.and_then(|identifier| self.roster().at(identifier)) {
            Some(id) => bad_package(kind, id, &fault),
            None => internal(fault),
        }
    }

    /// Stores evidence against whoever signed two round-1 packages, if that is what ends the
    /// session.
    fn store_evidence(&mut self, ctx: &Ctx<'_>) {
        let transcript = self.run().and_then(|run| run.transcript.as_ref());
        if let Some(evidence) = transcript.and_then(|t| t.evidence(&self.peers, ctx.now)) {
            let output = Output::StoreEvidence(Box::new(evidence));
            self.effects.push(Effect::Output(output));
        }
    }
}

fn internal(fault: PackageFault) -> Reason {
    Reason::plain(ReasonKind::Internal, fault.to_string())
}

fn bad_package(kind: ReasonKind, id: &PeerId, fault: &PackageFault) -> Reason {
    let what = if kind == ReasonKind::BadShare { "share" } else { "commitment" };
    Reason::blame(kind, id, format!("sent a {what} that cannot be used: {fault}"))
}

/// Packages that were not checked yet. They count as checked then.
fn unchecked(
    peers: &mut Map<PeerId, Progress>,
    slot: impl Fn(&mut Progress) -> &mut Option<Package>,
) -> impl Iterator<Item = (&PeerId, &[u8])> {
    peers.iter_mut().filter_map(move |(id, peer)| {
        let package = slot(peer).as_mut().filter(|package| !package.checked)?;
        package.checked = true;
        Some((id, package.bytes.as_deref()?.as_slice()))
    })
}

fn first_fault<'a>(
    mut packages: impl Iterator<Item = (&'a PeerId, &'a [u8])>,
    check: impl Fn(&[u8]) -> Result<(), PackageFault>,
) -> Option<(PeerId, PackageFault)> {
    packages.find_map(|(id, bytes)| Some((id.clone(), check(bytes).err()?)))
}
