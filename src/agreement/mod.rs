//! What the participants of a verified session agree on and sign, step by step (docs/PROTOCOL.md, section 3, points 3
//! and 4): hashes with one meaning each, the certificate that a wallet keeps, and evidence against who signed twice.

mod certificate;
mod evidence;
mod roster;

pub use certificate::{Certificate, CertificateError, SignedPackage};
pub use evidence::{Evidence, EvidenceError};
pub use roster::{ProposalError, Roster};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::frost::Identifier;
use crate::identity::{Digest, Identity, Signature, tagged_hash};
use crate::wire::{PeerId, SessionId, Statement};

/// One participant: its name and its identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its name in the session.
    pub peer_id: PeerId,
    /// Its key.
    pub identity: Identity,
}

/// What a session is about: everything that must be the same for all, before anyone makes a share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// The session.
    pub session_id: SessionId,
    /// FROST ciphersuite id.
    pub ciphersuite: String,
    /// Signers needed.
    pub threshold: u16,
    /// The initiator's fresh 32 bytes.
    #[serde(with = "hex::serde")]
    pub nonce: [u8; 32],
    /// What the wallet is called, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Everyone, sorted by peer id: the FROST identifier is the place in this list, from 1.
    pub members: Vec<Member>,
}

impl Agreement {
    /// The one value that all have to agree on.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let threshold = self.threshold.to_be_bytes();
        let session_id = self.session_id.as_str().as_bytes();
        let name = self.name.as_deref().unwrap_or_default().as_bytes();
        let mut parts =
            vec![session_id, self.ciphersuite.as_bytes(), &threshold, &self.nonce, name];
        for member in &self.members {
            parts.push(member.peer_id.as_str().as_bytes());
            parts.push(member.identity.as_bytes());
        }
        tagged_hash("frostmesh/agreement", &parts)
    }

    /// The participant at a place, from 1.
    #[must_use]
    pub fn member(&self, identifier: Identifier) -> Option<&Member> {
        usize::from(identifier).checked_sub(1).and_then(|index| self.members.get(index))
    }
}

/// What `mesh_ready` signs: "I take part in this, and have drawn the nonce of that hash".
#[must_use]
pub fn mesh_ready_digest(
    agreement: &Digest,
    identifier: Identifier,
    nonce_hash: &[u8; 32],
) -> Digest {
    tagged_hash("frostmesh/mesh-ready", &[agreement, &identifier.to_be_bytes(), nonce_hash])
}

/// The hash of a nonce, told before the nonce is.
#[must_use]
pub fn nonce_hash(nonce: &[u8; 32]) -> [u8; 32] {
    tagged_hash("frostmesh/nonce", &[nonce])
}

/// The hash of a round-1 package.
#[must_use]
pub fn package_hash(package: &[u8]) -> [u8; 32] {
    Sha256::digest(package).into()
}

/// What `commitment` signs: "this is my one round-1 package, with that nonce". Two of these for one agreement and nonce are
/// evidence against their signer.
#[must_use]
pub fn commitment_digest(
    agreement: &Digest,
    identifier: Identifier,
    nonce: &[u8; 32],
    package_hash: &[u8; 32],
) -> Digest {
    tagged_hash(
        "frostmesh/commitment",
        &[agreement, &identifier.to_be_bytes(), nonce, package_hash],
    )
}

/// What `ready` signs: "these are everyone's commitments, as I have them".
#[must_use]
pub fn ready_digest(agreement: &Digest, statements: &[Statement]) -> Digest {
    let mut parts: Vec<&[u8]> = vec![agreement];
    for statement in statements {
        parts.push(&statement.nonce);
        parts.push(&statement.package);
    }
    tagged_hash("frostmesh/ready", &parts)
}

/// What `wallet_created` signs: "out of these commitments I have made and kept this key".
#[must_use]
pub fn wallet_created_digest(ready_digest: &Digest, pubkey: &str) -> Digest {
    tagged_hash("frostmesh/wallet", &[ready_digest, pubkey.as_bytes()])
}

/// Whether a statement of the participant at `place` is signed by it.
#[must_use]
pub fn is_signed(
    agreement: &Digest,
    identifier: Identifier,
    identity: &Identity,
    statement: &Statement,
) -> bool {
    let digest = commitment_digest(agreement, identifier, &statement.nonce, &statement.package);
    identity.has_signed(&digest, &Signature::from_bytes(statement.signature))
}

/// Words of the safety comparison.
pub const WORDS: usize = 4;
/// Words to choose from: 11 bits each.
const WORD_LIST: u16 = 2048;

/// The safety words of a session, as indices into the list of 2048: 44 bits over the agreement and every nonce.
///
/// Everyone is bound to its nonce by its hash before it learns any other, and to its identity before that: who sits in the
/// middle has one try, which succeeds with probability 2^-44, and cannot compute ahead.
#[must_use]
pub fn words<'a>(
    agreement: &'a Digest,
    nonces: impl IntoIterator<Item = &'a [u8; 32]>,
) -> [u16; WORDS] {
    let mut parts: Vec<&[u8]> = vec![agreement];
    parts.extend(nonces.into_iter().map(<[u8; 32]>::as_slice));
    let hash = tagged_hash("frostmesh/words", &parts);
    let mut words = [0; WORDS];
    for (word, pair) in words.iter_mut().zip(hash.chunks_exact(2)) {
        *word = u16::from_be_bytes([pair[0], pair[1]]) % WORD_LIST;
    }
    words
}
