//! Requests and votes: an operation that a member proposes to its group, and each member's approval
//! or refusal (docs/PROTOCOL.md, section 5). Both are signed by the identity that the wallet's
//! certificate names, so that anyone can pass them on.

use serde::{Deserialize, Serialize};

use crate::agreement::Agreement;
use crate::frost::Identifier;
use crate::identity::{Digest, Identity, IdentityKey, Signature, tagged_hash};

/// Names a request: the hash of everything in it, and of the wallet.
pub type RequestId = Digest;

/// Longest life of a request, in milliseconds: 31 days.
pub const MAX_REQUEST_LIFE: u64 = 31 * 24 * 3_600_000;

/// What all statements about a wallet are bound to: how its key was made, and the key.
#[must_use]
pub fn group_id(agreement: &Agreement, pubkey: &str) -> Digest {
    tagged_hash("frostmesh/circle", &[&agreement.digest(), pubkey.as_bytes()])
}

/// What the members sign to see that everyone can: never anything else, and so it needs no vote.
#[must_use]
pub fn health_check_digest(group_id: &Digest) -> Digest {
    tagged_hash("frostmesh/check", &[group_id])
}

/// An operation that a member proposes, signed by that member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The proposer's FROST identifier.
    pub proposer: Identifier,
    /// The kind of operation: that of the one content to sign, or `batch`. See
    /// [`super::Operation`].
    pub kind: String,
    /// The operation, as its kind writes it.
    pub content: String,
    /// When it was made, in milliseconds since 1970.
    pub created: u64,
    /// When it ends, in milliseconds since 1970.
    pub expires: u64,
    /// Drawn for it: the same can be asked for twice.
    #[serde(with = "hex::serde")]
    pub nonce: [u8; 16],
    /// The proposer's signature of its id.
    pub signature: Signature,
}

impl Request {
    /// Signs what stands in it.
    #[must_use]
    pub fn signed(
        mut self,
        group_id: &Digest,
        key: &IdentityKey,
        rng: &mut impl rand_core::CryptoRngCore,
    ) -> Self {
        self.signature = key.sign(&self.id(group_id), &mut &mut *rng);
        self
    }

    /// Its id.
    #[must_use]
    pub fn id(&self, group_id: &Digest) -> RequestId {
        let (identifier, created, expires) =
            (self.proposer.to_be_bytes(), self.created.to_be_bytes(), self.expires.to_be_bytes());
        let (kind, content) = (self.kind.as_bytes(), self.content.as_bytes());
        tagged_hash(
            "frostmesh/request",
            &[group_id, &identifier, kind, content, &created, &expires, &self.nonce],
        )
    }

    /// Whether its proposer, who has that identity, signed it.
    #[must_use]
    pub fn is_signed(&self, group_id: &Digest, proposer: &Identity) -> bool {
        proposer.has_signed(&self.id(group_id), &self.signature)
    }
}

/// A member's approval or refusal of a request. Of a member's votes the one with the highest number
/// counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// The request.
    #[serde(with = "hex::serde")]
    pub request: RequestId,
    /// Who votes: its FROST identifier.
    pub member: Identifier,
    /// Sequence number of this member's vote on this request, from 1. The highest counts.
    pub number: u32,
    /// For it.
    pub approves: bool,
    /// The member's signature.
    pub signature: Signature,
}

impl Vote {
    /// A vote of the member at `member`.
    #[must_use]
    pub fn new(
        group_id: &Digest,
        request: RequestId,
        member: Identifier,
        number: u32,
        approves: bool,
        key: &IdentityKey,
        rng: &mut impl rand_core::CryptoRngCore,
    ) -> Self {
        let mut vote =
            Self { request, member, number, approves, signature: Signature::from_bytes([0; 64]) };
        vote.signature = key.sign(&vote.digest(group_id), &mut &mut *rng);
        vote
    }

    /// Whether its member, who has that identity, signed it.
    #[must_use]
    pub fn is_signed(&self, group_id: &Digest, member: &Identity) -> bool {
        member.has_signed(&self.digest(group_id), &self.signature)
    }

    fn digest(&self, group_id: &Digest) -> Digest {
        let (identifier, number) = (self.member.to_be_bytes(), self.number.to_be_bytes());
        tagged_hash(
            "frostmesh/vote",
            &[group_id, &self.request, &identifier, &number, &[u8::from(self.approves)]],
        )
    }
}
