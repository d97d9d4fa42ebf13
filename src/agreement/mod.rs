//! What the participants of a verified session agree on and sign (docs/PROTOCOL.md, section 3,
//! points 3 and 4): the roster, one hash for each step, the certificate of the wallet, and evidence
//! of equivocation.

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

/// A participant: its peer id and its identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its peer id in the session.
    pub peer_id: PeerId,
    /// Its identity.
    pub identity: Identity,
}

/// The agreement of a session: everything that must be the same for all participants before anyone
/// sends a round-2 package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// The session.
    pub session_id: SessionId,
    /// FROST ciphersuite id.
    pub ciphersuite: String,
    /// Signers needed.
    pub threshold: u16,
    /// The 32 bytes that the proposer drew for this session.
    #[serde(with = "hex::serde")]
    pub nonce: [u8; 32],
    /// The name of the wallet, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// All participants, sorted by peer id. The FROST identifier is the position in this list, from
    /// 1.
    pub members: Vec<Member>,
}

impl Agreement {
    /// The hash of the agreement, which every participant signs.
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

    /// The participant with an identifier.
    #[must_use]
    pub fn member(&self, identifier: Identifier) -> Option<&Member> {
        usize::from(identifier).checked_sub(1).and_then(|index| self.members.get(index))
    }
}

/// The hash that `mesh_ready` signs: "I take part in this session, and have drawn the nonce of this
/// hash".
#[must_use]
pub fn mesh_ready_digest(
    agreement: &Digest,
    identifier: Identifier,
    nonce_hash: &[u8; 32],
) -> Digest {
    tagged_hash("frostmesh/mesh-ready", &[agreement, &identifier.to_be_bytes(), nonce_hash])
}

/// The hash of a participant's nonce, sent before the nonce (commit, then reveal).
#[must_use]
pub fn nonce_hash(nonce: &[u8; 32]) -> [u8; 32] {
    tagged_hash("frostmesh/nonce", &[nonce])
}

/// The hash of a round-1 package.
#[must_use]
pub fn package_hash(package: &[u8]) -> [u8; 32] {
    Sha256::digest(package).into()
}

/// The hash that `commitment` signs: "this is my only round-1 package, with this nonce". Two
/// signatures with one agreement and nonce, but different packages, are [`Evidence`] against their
/// signer.
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

/// The hash that `ready` signs: "these are the round-1 packages of all participants, as I received
/// them".
#[must_use]
pub fn ready_digest(agreement: &Digest, statements: &[Statement]) -> Digest {
    let mut parts: Vec<&[u8]> = vec![agreement];
    for statement in statements {
        parts.push(&statement.nonce);
        parts.push(&statement.package);
    }
    tagged_hash("frostmesh/ready", &parts)
}

/// The hash that `wallet_created` signs: "I have made this group key from these round-1 packages,
/// and stored it".
#[must_use]
pub fn wallet_created_digest(ready_digest: &Digest, pubkey: &str) -> Digest {
    tagged_hash("frostmesh/wallet", &[ready_digest, pubkey.as_bytes()])
}

/// Whether the participant with that identifier and identity signed the statement.
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

/// Number of safety words.
pub const WORDS: usize = 4;
/// Number of words in the list: 11 bits each.
const WORD_LIST: u16 = 2048;

/// The safety words of a session, as indices into the list of 2048 words: 44 bits over the
/// agreement and every nonce.
///
/// Each participant sends the hash of its nonce, bound to its identity, before it learns the nonce
/// of another. So an attacker in the middle cannot compute words ahead: it has one try, which
/// succeeds with probability 2^-44.
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
