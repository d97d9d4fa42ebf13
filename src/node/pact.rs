//! What a verified session adds to each step of key generation: everyone signs what it takes part in, its commitment,
//! which commitments it holds, and the key that came out (docs/PROTOCOL.md, section 3, points 3 and 4). A share leaves only
//! when all of that agrees. Whoever signed two different commitments is shown by its own signatures.

use rand_core::{CryptoRng, RngCore};

use super::links::Tools;
use super::progress::{Progress, Step};
use super::session::{Act, Session};
use super::{Reason, ReasonKind, Timestamp};
use crate::agreement::{
    Agreement, Certificate, Evidence, Member, SignedPackage, commitment_digest, is_signed,
    mesh_ready_digest, nonce_hash, package_hash, ready_digest, wallet_created_digest, words,
};
use crate::frost::Identifier;
use crate::identity::{Digest, Identity, Signature};
use crate::wire::{PeerId, Proof, Statement};

/// Why this node goes by an identity that it has met only through a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Never met before: the person has to compare words.
    New,
    /// Met before, and taken at its word then.
    Seen,
    /// By words or an invite, now or earlier.
    Verified,
}

/// What this node has signed up to in one session.
pub(super) struct Pact {
    agreement: Agreement,
    digest: Digest,
    nonce: [u8; 32],
    /// What this node signed of its own commitment.
    committed: Option<Box<Proof>>,
    /// What everyone signed in round 1, by place, once all of it is here; and the packages.
    statements: Vec<Statement>,
    packages: Vec<Vec<u8>>,
    ready_digest: Digest,
    /// This node's signature of the whole.
    made: Option<Signature>,
}

fn signed(signature: Signature) -> Proof {
    Proof { signature: Some(*signature.as_bytes()), ..Proof::default() }
}

fn has_signed(identity: &Identity, digest: &Digest, proof: &Proof) -> bool {
    proof
        .signature
        .is_some_and(|signature| identity.has_signed(digest, &Signature::from_bytes(signature)))
}

impl Session {
    /// Whether everyone has to prove who it is.
    pub(super) fn is_verified(&self) -> bool {
        self.proposal.protocol.is_some() && self.proposal.allow_unverified != Some(true)
    }

    /// Whether a participant takes part without a link, as a baseline peer does.
    pub(super) fn is_plain(&self, peer: &PeerId) -> bool {
        !self.is_verified() && self.peers.get(peer).is_some_and(|p| p.plain)
    }

    /// Notes whose link stands.
    pub(super) fn linked(&mut self, peer: &PeerId, identity: Identity, trust: Trust) {
        if let Some(progress) = self.peers.get_mut(peer) {
            progress.extended = true;
            progress.plain = false;
            self.identities.insert(peer.clone(), (identity, trust));
        }
    }

    /// Whether a participant is known to be who it says, and not only to have an identity.
    pub(super) fn is_known(&self, peer: &PeerId) -> bool {
        let trust = self.identities.get(peer).map(|(_, trust)| *trust);
        trust == Some(Trust::Verified) || (trust.is_some() && self.words_match)
    }

    /// The least that is known of any participant.
    pub(super) fn trust(&self) -> Trust {
        let trusts = || self.identities.values().map(|(_, trust)| *trust);
        match () {
            () if trusts().any(|t| t == Trust::New) => Trust::New,
            () if trusts().any(|t| t == Trust::Seen) => Trust::Seen,
            () => Trust::Verified,
        }
    }

    // ---- what this node signs ----

    /// `mesh_ready`: what this session is about, as it looks from here.
    pub(super) fn sign_joining<R: RngCore + CryptoRng>(
        &mut self,
        tools: &mut Tools<'_, R>,
    ) -> Option<Box<Proof>> {
        if !self.is_verified() {
            return None;
        }
        let me = tools.key.identity();
        let identity_of =
            |id: &PeerId| self.identities.get(id).map_or(me, |(identity, _)| *identity);
        let members = self.roster.participants().iter();
        let agreement = Agreement {
            session_id: self.id.clone(),
            ciphersuite: self.roster.suite().id().to_owned(),
            threshold: self.roster.threshold(),
            nonce: self.proposal.nonce.unwrap_or_default(),
            name: self.proposal.name.clone(),
            members: members
                .map(|id| Member { peer_id: id.clone(), identity: identity_of(id) })
                .collect(),
        };
        let digest = agreement.digest();
        let mut nonce = [0; 32];
        tools.rng.fill_bytes(&mut nonce);
        let hash = nonce_hash(&nonce);
        let signature = tools
            .key
            .sign(&mesh_ready_digest(&digest, self.roster.my_identifier(), &hash), tools.rng);
        self.pact = Some(Pact {
            agreement,
            digest,
            nonce,
            committed: None,
            statements: Vec::new(),
            packages: Vec::new(),
            ready_digest: digest,
            made: None,
        });
        Some(Box::new(Proof {
            agreement: Some(digest),
            nonce_hash: Some(hash),
            ..signed(signature)
        }))
    }

    /// `commitment`: the package, with the nonce that was announced.
    pub(super) fn sign_commitment<R: RngCore + CryptoRng>(
        &mut self,
        package: &[u8],
        tools: &mut Tools<'_, R>,
    ) -> Option<Box<Proof>> {
        let pact = self.pact.as_mut()?;
        let digest = commitment_digest(
            &pact.digest,
            self.roster.my_identifier(),
            &pact.nonce,
            &package_hash(package),
        );
        let signature = tools.key.sign(&digest, tools.rng);
        pact.committed = Some(Box::new(Proof { nonce: Some(pact.nonce), ..signed(signature) }));
        pact.committed.clone()
    }

    /// Gathers what everyone signed, ours included, once all commitments are here.
    pub(super) fn gather_statements(&mut self, package: &[u8]) {
        let Some(pact) = &mut self.pact else { return };
        for id in self.roster.participants() {
            let (proof, bytes) = match self.peers.get(id) {
                Some(peer) => (
                    peer.proofs.of(Step::Commitment),
                    peer.commitment
                        .as_ref()
                        .and_then(|c| c.bytes.as_deref())
                        .map_or(&[][..], Vec::as_slice),
                ),
                None => (pact.committed.as_deref(), package),
            };
            let signature = proof.and_then(|p| p.signature).unwrap_or([0; 64]);
            let nonce = proof.and_then(|p| p.nonce).unwrap_or_default();
            pact.statements.push(Statement { nonce, package: package_hash(bytes), signature });
            pact.packages.push(bytes.to_vec());
        }
        pact.ready_digest = ready_digest(&pact.digest, &pact.statements);
    }

    /// The safety words, once everyone's nonce is here.
    pub(super) fn safety_words(&self) -> Option<[u16; crate::agreement::WORDS]> {
        let pact = self.pact.as_ref().filter(|pact| !pact.statements.is_empty())?;
        Some(words(&pact.digest, pact.statements.iter().map(|s| &s.nonce)))
    }

    /// `ready`: which commitments are held here.
    pub(super) fn sign_ready<R: RngCore + CryptoRng>(
        &self,
        tools: &mut Tools<'_, R>,
    ) -> Option<Box<Proof>> {
        let pact = self.pact.as_ref()?;
        let signature = tools.key.sign(&pact.ready_digest, tools.rng);
        Some(Box::new(Proof { statements: pact.statements.clone(), ..signed(signature) }))
    }

    /// `wallet_created`: the key that came out of all of it.
    pub(super) fn sign_wallet<R: RngCore + CryptoRng>(
        &mut self,
        pubkey: &str,
        tools: &mut Tools<'_, R>,
    ) -> Option<Box<Proof>> {
        let pact = self.pact.as_mut()?;
        let signature =
            tools.key.sign(&wallet_created_digest(&pact.ready_digest, pubkey), tools.rng);
        pact.made = Some(signature);
        Some(Box::new(signed(signature)))
    }

    /// The certificate of the key, once everyone has confirmed it.
    pub(super) fn certificate(&mut self, pubkey: &str) -> Option<Box<Certificate>> {
        let pact = self.pact.take()?;
        let theirs = |id| {
            let proof = self.peers.get(id).map(|peer| peer.proofs.of(Step::WalletCreated));
            proof.map_or(pact.made, |proof| {
                proof.and_then(|p| p.signature).map(Signature::from_bytes)
            })
        };
        let signatures =
            self.roster.participants().iter().map(theirs).collect::<Option<Vec<_>>>()?;
        let packages =
            pact.packages.into_iter().zip(&pact.statements).map(|(package, statement)| {
                SignedPackage {
                    package,
                    nonce: statement.nonce,
                    signature: Signature::from_bytes(statement.signature),
                }
            });
        Some(Box::new(Certificate {
            agreement: pact.agreement,
            packages: packages.collect(),
            pubkey: pubkey.to_owned(),
            signatures,
        }))
    }

    // ---- what others have signed ----

    /// Judges every proof of a step that has come since the last look.
    pub(super) fn judge(&mut self, step: Step) -> Option<Reason> {
        self.pact.as_ref()?;
        let new =
            self.peers.iter_mut().filter_map(|(id, p)| p.proofs.is_new(step).then(|| id.clone()));
        let new: Vec<PeerId> = new.collect();
        new.iter().find_map(|id| self.judge_one(step, id))
    }

    fn judge_one(&self, step: Step, id: &PeerId) -> Option<Reason> {
        let pact = self.pact.as_ref()?;
        let (peer, (identity, _)) = (self.peers.get(id)?, self.identities.get(id)?);
        let identifier = self.roster.identifier_of(id)?;
        let unsigned = |what| {
            Some(Reason::blame(ReasonKind::BadSignature, id, format!("did not sign {what}")))
        };
        let Some(proof) = peer.proofs.of(step) else {
            return unsigned("its step, though everyone has to in this session");
        };
        match step {
            Step::MeshReady => {
                if proof.agreement != Some(pact.digest) {
                    let text = "takes part in something else: another roster, identity, threshold, ciphersuite or name. \
                                Somebody between told you different things, or the initiator did";
                    return Some(Reason::blame(ReasonKind::Disagreement, id, text));
                }
                let hash = proof.nonce_hash.unwrap_or_default();
                if !has_signed(identity, &mesh_ready_digest(&pact.digest, identifier, &hash), proof)
                {
                    return unsigned("what it takes part in");
                }
            }
            Step::Commitment => {
                let nonce = proof.nonce.unwrap_or_default();
                let announced = peer.proofs.of(Step::MeshReady).and_then(|p| p.nonce_hash);
                let hash = peer.commitment.as_ref().map(super::progress::Package::hash)?;
                let holds = has_signed(
                    identity,
                    &commitment_digest(&pact.digest, identifier, &nonce, &hash),
                    proof,
                );
                if announced != Some(nonce_hash(&nonce)) || !holds {
                    return unsigned("its commitment as it announced it");
                }
            }
            Step::Ready => return self.judge_ready(id, identity, proof),
            Step::WalletCreated => {
                let pubkey = peer.created.as_deref().unwrap_or_default();
                if !has_signed(identity, &wallet_created_digest(&pact.ready_digest, pubkey), proof)
                {
                    return unsigned("the key that it confirms");
                }
            }
        }
        None
    }

    /// Compares which commitments a participant holds with those held here.
    fn judge_ready(&self, id: &PeerId, identity: &Identity, proof: &Proof) -> Option<Reason> {
        let pact = self.pact.as_ref()?;
        if !has_signed(identity, &ready_digest(&pact.digest, &proof.statements), proof) {
            return Some(Reason::blame(
                ReasonKind::BadSignature,
                id,
                "did not sign which commitments it holds",
            ));
        }
        if proof.statements.len() != pact.statements.len() {
            let text = "holds another number of commitments than there are participants";
            return Some(Reason::blame(ReasonKind::BadMessage, id, text));
        }
        let pairs = (1..).zip(pact.statements.iter().zip(&proof.statements));
        let differs = |one: &Statement, other: &Statement| {
            (one.nonce, one.package) != (other.nonce, other.package)
        };
        let (identifier, (_, theirs)) =
            pairs.into_iter().find(|(_, (one, other))| differs(one, other))?;
        let accused = pact.agreement.member(identifier)?;
        if !is_signed(&pact.digest, identifier, &accused.identity, theirs) {
            let text =
                format!("says that {} sent a commitment which that never signed", accused.peer_id);
            return Some(Reason::blame(ReasonKind::BadMessage, id, text));
        }
        let text = format!("signed one commitment to this node and another to {id}");
        Some(Reason::blame(ReasonKind::Equivocation, &accused.peer_id, text))
    }

    /// Evidence against whoever signed two commitments, if that is what ended the session.
    pub(super) fn evidence(&self, accuser: &PeerId, now: Timestamp) -> Option<Evidence> {
        let pact = self.pact.as_ref()?;
        let theirs = &self.peers.get(accuser)?.proofs.of(Step::Ready)?.statements;
        let pairs = (1..).zip(pact.statements.iter().zip(theirs));
        let found = pairs.map(|(identifier, (one, other))| Evidence {
            agreement: pact.agreement.clone(),
            identifier: identifier as Identifier,
            one: *one,
            other: *other,
            found: now.millis(),
        });
        found.into_iter().find(|evidence| evidence.verify().is_ok())
    }

    /// Keeps evidence, where there is some, of what ends this session.
    pub(super) fn keep_evidence(&mut self, now: Timestamp) {
        let accusers: Vec<PeerId> = self
            .peers
            .iter()
            .filter(|(_, p)| has_said_ready(p))
            .map(|(id, _)| id.clone())
            .collect();
        if let Some(evidence) = accusers.iter().find_map(|id| self.evidence(id, now)) {
            self.acts.push(Act::Evidence(Box::new(evidence)));
        }
    }
}

fn has_said_ready(progress: &Progress) -> bool {
    progress.proofs.of(Step::Ready).is_some()
}
