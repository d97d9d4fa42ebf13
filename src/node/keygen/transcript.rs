//! What a verified session adds to each step of key generation: every participant signs what it
//! takes part in, its round-1 package, which round-1 packages it holds, and the key that came out
//! (docs/PROTOCOL.md, section 3, points 3 and 4). A round-2 package leaves only when all of that
//! agrees. A participant that signed two different round-1 packages is shown by its own signatures.

use super::progress::{Progress, ProvenStep};
use crate::agreement::{
    Agreement, Certificate, Evidence, Member, Roster, SignedPackage, WORDS, commitment_digest,
    is_signed, mesh_ready_digest, nonce_hash, package_hash, ready_digest, wallet_created_digest,
    words,
};
use crate::api::{Reason, ReasonKind, Timestamp};
use crate::frost::Identifier;
use crate::identity::{Digest, Identity, Signature};
use crate::node::ctx::Ctx;
use crate::sorted::Map;
use crate::wire::{PeerId, Proof, Proposal, Statement};

/// What this node has signed in one session, and what it holds the others to.
pub(super) struct Transcript {
    agreement: Agreement,
    digest: Digest,
    nonce: [u8; 32],
    /// What this node signed of its own round-1 package.
    own_round1: Option<Box<Proof>>,
    /// What everyone signed in round 1, by identifier, once all of it is here; and the packages.
    statements: Vec<Statement>,
    packages: Vec<Vec<u8>>,
    ready: Digest,
    /// This node's signature of the whole.
    own_wallet: Option<Signature>,
}

fn signed(signature: Signature) -> Proof {
    Proof { signature: Some(*signature.as_bytes()), ..Proof::default() }
}

fn has_signed(identity: &Identity, digest: &Digest, proof: &Proof) -> bool {
    proof.signature.is_some_and(|bytes| {
        let signature = Signature::from_bytes(bytes);
        identity.has_signed(digest, &signature)
    })
}

impl Transcript {
    /// Signs what this session is about, as it looks from here: the proof of `mesh_ready`.
    pub(super) fn begin(
        ctx: &mut Ctx<'_>,
        proposal: &Proposal,
        roster: &Roster,
        peers: &Map<PeerId, Progress>,
    ) -> (Self, Box<Proof>) {
        let me = ctx.identity.identity();
        let identity_of = |id: &PeerId| {
            let known = peers.get(id).and_then(|peer| peer.identity);
            known.map_or(me, |(identity, _)| identity)
        };
        let member = |id: &PeerId| Member { peer_id: id.clone(), identity: identity_of(id) };
        let agreement = Agreement {
            session_id: proposal.session_id.clone(),
            ciphersuite: roster.suite().id().to_owned(),
            threshold: roster.threshold(),
            nonce: proposal.nonce.unwrap_or_default(),
            name: proposal.name.clone(),
            members: roster.participants().iter().map(member).collect(),
        };
        let digest = agreement.digest();
        let mut nonce = [0; 32];
        ctx.rng.fill_bytes(&mut nonce);
        let hash = nonce_hash(&nonce);
        let joined = mesh_ready_digest(&digest, roster.my_identifier(), &hash);
        let signature = ctx.identity.sign(&joined, &mut ctx.rng);
        let proof = Box::new(Proof {
            agreement: Some(digest),
            nonce_hash: Some(hash),
            ..signed(signature)
        });
        let this = Self {
            agreement,
            digest,
            nonce,
            own_round1: None,
            statements: Vec::new(),
            packages: Vec::new(),
            ready: digest,
            own_wallet: None,
        };
        (this, proof)
    }

    /// Signs this node's round-1 package, with the nonce whose hash was announced.
    pub(super) fn sign_round1(
        &mut self,
        ctx: &mut Ctx<'_>,
        me: Identifier,
        package: &[u8],
    ) -> Box<Proof> {
        let digest = commitment_digest(&self.digest, me, &self.nonce, &package_hash(package));
        let signature = ctx.identity.sign(&digest, &mut ctx.rng);
        let proof = Box::new(Proof { nonce: Some(self.nonce), ..signed(signature) });
        self.own_round1 = Some(proof.clone());
        proof
    }

    /// Gathers what everyone signed, this node included, once all round-1 packages are here.
    pub(super) fn gather(&mut self, roster: &Roster, peers: &Map<PeerId, Progress>, own: &[u8]) {
        for id in roster.participants() {
            let (proof, package) = match peers.get(id) {
                Some(peer) => {
                    let package = peer.round1.as_ref().and_then(|p| p.bytes.as_deref());
                    (peer.proofs.of(ProvenStep::Round1), package.map_or(&[][..], Vec::as_slice))
                }
                None => (self.own_round1.as_deref(), own),
            };
            let signature = proof.and_then(|p| p.signature).unwrap_or([0; 64]);
            let nonce = proof.and_then(|p| p.nonce).unwrap_or_default();
            self.statements.push(Statement { nonce, package: package_hash(package), signature });
            self.packages.push(package.to_vec());
        }
        self.ready = ready_digest(&self.digest, &self.statements);
    }

    /// The safety words, once everyone's nonce is here.
    pub(super) fn words(&self) -> Option<[u16; WORDS]> {
        let nonces = || self.statements.iter().map(|statement| &statement.nonce);
        (!self.statements.is_empty()).then(|| words(&self.digest, nonces()))
    }

    /// Signs which round-1 packages this node holds.
    pub(super) fn sign_ready(&self, ctx: &mut Ctx<'_>) -> Box<Proof> {
        let signature = ctx.identity.sign(&self.ready, &mut ctx.rng);
        Box::new(Proof { statements: self.statements.clone(), ..signed(signature) })
    }

    /// Signs the key that came out.
    pub(super) fn sign_wallet(&mut self, ctx: &mut Ctx<'_>, pubkey: &str) -> Box<Proof> {
        let digest = wallet_created_digest(&self.ready, pubkey);
        let signature = ctx.identity.sign(&digest, &mut ctx.rng);
        self.own_wallet = Some(signature);
        Box::new(signed(signature))
    }

    /// The certificate of the key, once everyone has confirmed it.
    pub(super) fn certificate(
        self,
        roster: &Roster,
        peers: &Map<PeerId, Progress>,
        pubkey: &str,
    ) -> Option<Box<Certificate>> {
        let signature_of = |id: &PeerId| match peers.get(id) {
            Some(peer) => {
                let proof = peer.proofs.of(ProvenStep::WalletCreated)?;
                proof.signature.map(Signature::from_bytes)
            }
            None => self.own_wallet,
        };
        let signatures = roster.participants().iter().map(signature_of).collect::<Option<_>>()?;
        let packages = self.packages.into_iter().zip(&self.statements);
        let packages = packages.map(|(package, statement)| SignedPackage {
            package,
            nonce: statement.nonce,
            signature: Signature::from_bytes(statement.signature),
        });
        Some(Box::new(Certificate {
            agreement: self.agreement,
            packages: packages.collect(),
            pubkey: pubkey.to_owned(),
            signatures,
        }))
    }

    // ---- what others have signed ----

    /// Judges the proof of one step of one participant. `None` if it holds.
    pub(super) fn judge(
        &self,
        step: ProvenStep,
        roster: &Roster,
        id: &PeerId,
        peer: &Progress,
    ) -> Option<Reason> {
        let (identity, _) = peer.identity.as_ref()?;
        let identifier = roster.identifier_of(id)?;
        let unsigned = |what: &str| {
            Some(Reason::blame(ReasonKind::BadSignature, id, format!("did not sign {what}")))
        };
        let Some(proof) = peer.proofs.of(step) else {
            return unsigned("its step, though everyone has to in this session");
        };
        match step {
            ProvenStep::MeshReady => {
                if proof.agreement != Some(self.digest) {
                    let text = "takes part in something else: another roster, identity, threshold, ciphersuite or \
                                name. Somebody between told you different things, or the initiator did";
                    return Some(Reason::blame(ReasonKind::Disagreement, id, text));
                }
                let hash = proof.nonce_hash.unwrap_or_default();
                let digest = mesh_ready_digest(&self.digest, identifier, &hash);
                if !has_signed(identity, &digest, proof) {
                    return unsigned("what it takes part in");
                }
            }
            ProvenStep::Round1 => {
                let nonce = proof.nonce.unwrap_or_default();
                let announced = peer.proofs.of(ProvenStep::MeshReady).and_then(|p| p.nonce_hash);
                let hash = peer.round1.as_ref()?.hash();
                let digest = commitment_digest(&self.digest, identifier, &nonce, &hash);
                let holds = has_signed(identity, &digest, proof);
                if announced != Some(nonce_hash(&nonce)) || !holds {
                    return unsigned("its commitment as it announced it");
                }
            }
            ProvenStep::Ready => return self.judge_ready(id, identity, proof),
            ProvenStep::WalletCreated => {
                let pubkey = peer.created.as_deref().unwrap_or_default();
                if !has_signed(identity, &wallet_created_digest(&self.ready, pubkey), proof) {
                    return unsigned("the key that it confirms");
                }
            }
        }
        None
    }

    /// Compares which round-1 packages a participant holds with those held here.
    fn judge_ready(&self, id: &PeerId, identity: &Identity, proof: &Proof) -> Option<Reason> {
        if !has_signed(identity, &ready_digest(&self.digest, &proof.statements), proof) {
            let text = "did not sign which commitments it holds";
            return Some(Reason::blame(ReasonKind::BadSignature, id, text));
        }
        if proof.statements.len() != self.statements.len() {
            let text = "holds another number of commitments than there are participants";
            return Some(Reason::blame(ReasonKind::BadMessage, id, text));
        }
        let mut pairs = (1..).zip(self.statements.iter().zip(&proof.statements));
        let differ = |one: &Statement, other: &Statement| {
            one.nonce != other.nonce || one.package != other.package
        };
        let (identifier, (_, theirs)) = pairs.find(|(_, (one, other))| differ(one, other))?;
        let accused = self.agreement.member(identifier)?;
        if !is_signed(&self.digest, identifier, &accused.identity, theirs) {
            let accused = &accused.peer_id;
            let text = format!("says that {accused} sent a commitment which that never signed");
            return Some(Reason::blame(ReasonKind::BadMessage, id, text));
        }
        let text = format!("signed one commitment to this node and another to {id}");
        Some(Reason::blame(ReasonKind::Equivocation, &accused.peer_id, text))
    }

    /// Evidence against a participant that signed two round-1 packages, from the `ready` of others.
    pub(super) fn evidence(
        &self,
        peers: &Map<PeerId, Progress>,
        now: Timestamp,
    ) -> Option<Evidence> {
        let ready = peers.values().filter_map(|peer| peer.proofs.of(ProvenStep::Ready));
        let pairs =
            ready.flat_map(|proof| (1..).zip(self.statements.iter().zip(&proof.statements)));
        let mut found = pairs.map(|(identifier, (one, other))| Evidence {
            agreement: self.agreement.clone(),
            identifier,
            one: *one,
            other: *other,
            found: now.millis(),
        });
        found.find(|evidence| evidence.verify().is_ok())
    }
}
