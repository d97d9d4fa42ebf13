//! What a session knows of one other participant: one slot for each kind of message, and what was said to it.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{ProtocolStep, Timestamp};
use crate::wire::{PeerMessage, Proof};

/// A package that came. Once it is used, its digest alone stays, to tell a repeat from a conflict.
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
pub(super) enum Step {
    MeshReady,
    Commitment,
    Ready,
    WalletCreated,
}

/// The proofs of the steps of one participant.
#[derive(Default)]
pub(super) struct Proofs {
    /// By step: what came with it, which may be nothing, and whether somebody has looked at it.
    slots: [Option<(Option<Box<Proof>>, bool)>; 4],
}

impl Proofs {
    /// Fills a slot. False when something else had come with that step.
    pub(super) fn fill(&mut self, step: Step, proof: Option<Box<Proof>>) -> bool {
        let slot = &mut self.slots[step as usize];
        slot.get_or_insert_with(|| (proof.clone(), false)).0 == proof
    }

    pub(super) fn of(&self, step: Step) -> Option<&Proof> {
        self.slots[step as usize].as_ref()?.0.as_deref()
    }

    /// Whether the step has come and nobody has looked at its proof yet. Somebody has, then.
    pub(super) fn is_new(&mut self, step: Step) -> bool {
        let slot = self.slots[step as usize].as_mut();
        slot.is_some_and(|(_, seen)| !std::mem::replace(seen, true))
    }
}

/// What has come from one participant, and what was said to it.
#[derive(Default)]
pub(super) struct Progress {
    /// It has announced that it speaks the extensions.
    pub extended: bool,
    /// It has shown that it does not.
    pub plain: bool,
    /// It announced so when this node had joined already, and so says hello itself.
    pub knows_us: bool,
    /// Whether to say hello to it has been decided.
    pub greeted: bool,
    /// The person there compares the safety words.
    pub comparing: bool,
    pub proofs: Proofs,
    /// It takes part: it said so, or did a step, or opened a channel for this session.
    pub accepted: bool,
    pub mesh_ready: bool,
    pub commitment: Option<Package>,
    pub ready: bool,
    pub share: Option<Package>,
    pub created: Option<String>,
    /// Its channel has been open in this session.
    pub met: bool,
    /// Since when its channel is gone.
    pub lost: Option<Timestamp>,
    /// All that was said to it, to be said again on a new channel.
    pub outbox: Vec<PeerMessage>,
    /// When that was last said again.
    pub told: Option<Timestamp>,
}

impl Progress {
    /// The last step that came from it, for people.
    pub(super) fn step(&self) -> ProtocolStep {
        match self {
            Self { created: Some(_), .. } => ProtocolStep::WalletCreated,
            Self { share: Some(_), .. } => ProtocolStep::Share,
            Self { ready: true, .. } => ProtocolStep::Ready,
            Self { commitment: Some(_), .. } => ProtocolStep::Commitment,
            Self { mesh_ready: true, .. } => ProtocolStep::MeshReady,
            Self { accepted: true, .. } => ProtocolStep::Accepted,
            _ => ProtocolStep::None,
        }
    }

    /// Whether nothing more is needed of it.
    pub(super) fn has_said_all(&self) -> bool {
        self.mesh_ready
            && self.commitment.is_some()
            && self.ready
            && self.share.is_some()
            && self.created.is_some()
    }

    /// Fills the slot of `wallet_created`. False when it held another key.
    pub(super) fn created(&mut self, pubkey: String) -> bool {
        // It has its key, and so our share: no need to keep that.
        self.forget_our_share();
        *self.created.get_or_insert_with(|| pubkey.clone()) == pubkey
    }

    pub(super) fn forget_our_share(&mut self) {
        self.outbox.retain(|message| !matches!(message, PeerMessage::Round2Package { .. }));
    }

    /// Whether it may be told again at this moment. Bounds what a peer can make us say.
    pub(super) fn tell_again(&mut self, now: Timestamp) -> bool {
        const PAUSE: u64 = 1_000;
        let due = self.told.is_none_or(|told| told.after(PAUSE) <= now);
        if due {
            self.told = Some(now);
        }
        due
    }
}
