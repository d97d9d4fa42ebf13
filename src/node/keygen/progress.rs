//! What a session knows of one other participant: one slot for each kind of message, what was sent
//! to it, and how it can be reached.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::api::{ProtocolStep, Timestamp};
use crate::identity::Identity;
use crate::node::transport::{CarrierSpec, Path};
use crate::wire::{PeerMessage, Proof};

/// A package that came. Once it is used only its digest stays, to tell a repeat from a conflict.
pub(super) struct Package {
    digest: [u8; 32],
    pub bytes: Option<Zeroizing<Vec<u8>>>,
    pub checked: bool,
}

impl Package {
    /// Fills a slot. False when it held something else.
    pub(super) fn fill(slot: &mut Option<Self>, bytes: Zeroizing<Vec<u8>>) -> bool {
        let digest = Sha256::digest(bytes.as_slice()).into();
        let package =
            slot.get_or_insert_with(|| Self { digest, bytes: Some(bytes), checked: false });
        package.digest == digest
    }

    /// SHA-256 of the bytes.
    pub(super) fn hash(&self) -> [u8; 32] {
        self.digest
    }

    /// Takes the bytes out, for their one use.
    pub(super) fn take(slot: &mut Option<Self>) -> Option<Zeroizing<Vec<u8>>> {
        slot.as_mut()?.bytes.take()
    }
}

/// A step that carries a proof in a verified session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProvenStep {
    MeshReady,
    Round1,
    Ready,
    WalletCreated,
}

/// The proof that came with a step, and whether it was judged.
struct ProofSlot {
    proof: Option<Box<Proof>>,
    judged: bool,
}

/// The proofs of the steps of one participant.
#[derive(Default)]
pub(super) struct Proofs([Option<ProofSlot>; 4]);

impl Proofs {
    /// Fills a slot. False when something else had come with that step.
    pub(super) fn fill(&mut self, step: ProvenStep, proof: Option<Box<Proof>>) -> bool {
        let slot = &mut self.0[step as usize];
        let slot = slot.get_or_insert_with(|| ProofSlot { proof: proof.clone(), judged: false });
        slot.proof == proof
    }

    pub(super) fn of(&self, step: ProvenStep) -> Option<&Proof> {
        self.0[step as usize].as_ref()?.proof.as_deref()
    }

    /// Whether the step has come and its proof was not judged yet. It counts as judged then.
    pub(super) fn take_unjudged(&mut self, step: ProvenStep) -> bool {
        let slot = self.0[step as usize].as_mut();
        slot.is_some_and(|slot| !std::mem::replace(&mut slot.judged, true))
    }
}

/// Which protocol a participant speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Dialect {
    #[default]
    Unknown,
    /// Sections 1 and 2 of the protocol only.
    Baseline,
    /// The extensions, as it has announced.
    Extensions,
}

/// Who sends the hello of the secure channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum HelloBy {
    /// This node, as long as nothing else is known.
    #[default]
    ThisNode,
    /// The peer: it announced itself when this node had joined already, and so knows of this node.
    /// The smaller peer id sends one all the same, should the peer not know of it.
    Peer,
    /// That was decided; this node has sent one if it had to.
    Decided,
}

/// Why this node trusts an identity that it has met only through a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Never met before: the person has to compare words.
    New,
    /// Met before, and accepted without proof then.
    Seen,
    /// By words or an invite, now or earlier.
    Verified,
}

/// Whether a participant can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Reach {
    /// It has not been reachable in this session.
    #[default]
    Never,
    Now,
    /// It was, until then.
    LostSince(Timestamp),
}

/// When a proposal was sent to a participant that has not shown itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delivery {
    /// Whether the participant was present at the server then, as far as known.
    pub present: bool,
    pub at: Timestamp,
}

/// What came from one participant, and what was sent to it.
#[derive(Default)]
pub(super) struct Progress {
    pub dialect: Dialect,
    pub hello: HelloBy,
    /// Its proven identity, once a secure channel stands.
    pub identity: Option<(Identity, Trust)>,
    /// It has shown that the secure channel stands at its end, too.
    pub channel_confirmed: bool,
    /// What carries the secure channel right now.
    pub carrier: Option<&'static CarrierSpec>,
    /// The direct way to it.
    pub path: Path,
    pub reach: Reach,
    /// It takes part: it said so, or made a step, or opened a channel for this session.
    pub accepted: bool,
    /// The person there compares the safety words.
    pub comparing: bool,
    pub proofs: Proofs,
    pub mesh_ready: bool,
    pub round1: Option<Package>,
    pub ready: bool,
    pub round2: Option<Package>,
    pub created: Option<String>,
    /// Our own proposal to it, while it has not shown itself.
    pub proposed: Option<Delivery>,
    /// Everything that was sent to it, to be sent again on a new channel.
    pub outbox: Vec<PeerMessage>,
    /// When that was last sent again.
    pub last_resent_at: Option<Timestamp>,
}

impl Progress {
    /// Whether messages to it are sealed.
    pub(super) fn has_channel(&self) -> bool {
        self.identity.is_some()
    }

    /// The last step that came from it, for people.
    pub(super) fn step(&self) -> ProtocolStep {
        if self.created.is_some() {
            ProtocolStep::WalletCreated
        } else if self.round2.is_some() {
            ProtocolStep::Share
        } else if self.ready {
            ProtocolStep::Ready
        } else if self.round1.is_some() {
            ProtocolStep::Commitment
        } else if self.mesh_ready {
            ProtocolStep::MeshReady
        } else if self.accepted {
            ProtocolStep::Accepted
        } else {
            ProtocolStep::None
        }
    }

    /// Since when it cannot be reached any more, if it could be.
    pub(super) fn lost_since(&self) -> Option<Timestamp> {
        if let Reach::LostSince(since) = self.reach { Some(since) } else { None }
    }

    /// Whether it has been reachable in this session.
    pub(super) fn was_reached(&self) -> bool {
        self.reach != Reach::Never
    }

    /// Whether every message of it has come.
    pub(super) fn is_complete(&self) -> bool {
        self.mesh_ready
            && self.round1.is_some()
            && self.ready
            && self.round2.is_some()
            && self.created.is_some()
    }

    /// Fills the slot of `wallet_created`. False when it held another key.
    pub(super) fn set_created(&mut self, pubkey: String) -> bool {
        // It has its key, and so our round-2 package: no need to keep that.
        self.outbox.retain(|message| !matches!(message, PeerMessage::Round2Package { .. }));
        *self.created.get_or_insert_with(|| pubkey.clone()) == pubkey
    }

    /// Whether everything may be sent to it again at this moment. This bounds what a peer can make
    /// this node send.
    pub(super) fn may_resend(&mut self, now: Timestamp) -> bool {
        const PAUSE: u64 = 1_000;
        let due = self.last_resent_at.is_none_or(|at| at.after(PAUSE) <= now);
        if due {
            self.last_resent_at = Some(now);
        }
        due
    }
}
