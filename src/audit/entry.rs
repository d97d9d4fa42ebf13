//! Entries, and whether a list of them is a whole audit log.

use serde::{Deserialize, Serialize};

use crate::frost::Identifier;
use crate::group::{Outcome, Request, RequestId, Vote, per_item};
use crate::identity::{Digest, Identity, IdentityKey, Signature, tagged_hash};

/// What an entry records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// The first entry: the log begins.
    Opened {
        /// The group's verifying key, compressed, as hex.
        pubkey: String,
        /// This node's FROST identifier.
        member: Identifier,
    },
    /// A request came, or was made here.
    Request {
        /// As its proposer signed it.
        request: Box<Request>,
    },
    /// A member voted.
    Vote {
        /// As the member signed it.
        vote: Vote,
    },
    /// Why this node voted as it did, where a policy decided.
    Decision {
        /// The request.
        #[serde(with = "hex::serde")]
        request: RequestId,
        /// The rule of the policy.
        rule: String,
        /// For it.
        approves: bool,
        /// How many contents the request has.
        #[serde(default = "one", skip_serializing_if = "is_one")]
        contents: usize,
    },
    /// This node's signature shares are about to leave, in a ceremony with these signers. It never
    /// makes others with the same commitments.
    Commit {
        /// The request; none for a health check.
        #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_hex")]
        request: Option<RequestId>,
        /// The coordinator.
        coordinator: Identifier,
        /// The signers.
        signers: Vec<Identifier>,
        /// SHA-256 of this node's commitments of all items, one behind the other.
        #[serde(with = "hex::serde")]
        commitments: Digest,
    },
    /// The signatures are there, and verified.
    Signed {
        /// The request.
        #[serde(with = "hex::serde")]
        request: RequestId,
        /// The signatures of all items, in their order. Where there is one item its text, where
        /// there are several a list.
        #[serde(rename = "signature", with = "per_item")]
        signatures: Vec<Vec<u8>>,
        /// The signers, as the member that sent the signatures first names them.
        signers: Vec<Identifier>,
    },
    /// A ceremony that this node coordinated failed.
    Aborted {
        /// The request; none for a health check.
        #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_hex")]
        request: Option<RequestId>,
        /// Why.
        reason: String,
        /// Whose fault it was, if anyone's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        culprit: Option<Identifier>,
    },
    /// A member says that it has signed the text of health checks, for the first time.
    Checked {
        /// Its FROST identifier.
        member: Identifier,
    },
    /// Every member has.
    Ready,
}

impl Body {
    /// What is written when a request is carried out.
    #[must_use]
    pub fn completed(request: RequestId, outcome: Outcome, signers: Vec<Identifier>) -> Self {
        match outcome {
            Outcome::Signatures(signatures) => Self::Signed { request, signatures, signers },
        }
    }
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, from 0.
    pub number: u64,
    /// When it was written, in milliseconds since 1970 by this node's clock.
    pub time: u64,
    /// The hash of the entry before it; 32 zeros for the first.
    #[serde(with = "hex::serde")]
    pub previous: Digest,
    /// What it records, as JSON text: exactly these bytes are hashed.
    pub body: String,
    /// The identity's signature of the entry's hash.
    pub signature: Signature,
}

/// The last entry, kept apart from the entries themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Head {
    /// How many entries there are.
    pub entries: u64,
    /// The hash of the last one; 32 zeros if there is none.
    #[serde(with = "hex::serde")]
    pub hash: Digest,
}

/// Why a list of entries is no whole log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// An entry is missing, or out of its place.
    #[error("entry {expected} is missing: in its place stands entry {found}")]
    Gap {
        /// The number that has to stand there.
        expected: u64,
        /// The number that does.
        found: u64,
    },
    /// It does not follow the one before it.
    #[error(
        "entry {0} does not follow the entry before it: one of the two was changed, or is of another trail"
    )]
    Chain(u64),
    /// The identity did not sign it.
    #[error("entry {0} was changed, or is not this node's: its signature does not hold")]
    Signature(u64),
    /// What it records cannot be read.
    #[error("entry {0} cannot be read: {1}")]
    Body(u64, String),
    /// The first entry is not the beginning of this wallet's log.
    #[error("the first entry is not the beginning of a trail of this wallet and member")]
    Beginning,
    /// The log ends before its head.
    #[error("the trail was cut: it had {expected} entries, and has {found}")]
    Cut {
        /// Entries by the head.
        expected: u64,
        /// Entries that are there.
        found: u64,
    },
    /// Nothing shows how long it was.
    #[error("the head of the trail is missing: nothing tells whether its end was cut off")]
    NoHead,
    /// It is long enough, and another entry stands where the head was.
    #[error("entry {0} is not the one that was written there: the trail is an old or another one")]
    Head(u64),
}

impl Head {
    /// Makes the next entry and moves on.
    pub fn write(
        &mut self,
        group_id: &Digest,
        time: u64,
        body: &Body,
        key: &IdentityKey,
        rng: &mut impl rand_core::CryptoRngCore,
    ) -> Entry {
        let body = serde_json::to_string(body).unwrap_or_default();
        let signature = Signature::from_bytes([0; 64]);
        let mut entry = Entry { number: self.entries, time, previous: self.hash, body, signature };
        let hash = entry.hash(group_id);
        entry.signature = key.sign(&hash, &mut &mut *rng);
        *self = Self { entries: self.entries + 1, hash };
        entry
    }
}

impl Entry {
    /// Its hash, which the next entry names.
    #[must_use]
    pub fn hash(&self, group_id: &Digest) -> Digest {
        let (number, time) = (self.number.to_be_bytes(), self.time.to_be_bytes());
        tagged_hash(
            "frostmesh/log",
            &[group_id, &number, &time, &self.previous, self.body.as_bytes()],
        )
    }

    /// What it records.
    ///
    /// # Errors
    /// [`AuditError::Body`].
    pub fn read(&self) -> Result<Body, AuditError> {
        serde_json::from_str(&self.body)
            .map_err(|error| AuditError::Body(self.number, error.to_string()))
    }
}

/// What is known of where a log ends.
#[derive(Debug, Clone, Copy)]
pub enum End<'a> {
    /// Nothing: the log is another member's, and ends where that member says.
    Unknown,
    /// The head that was stored apart. It may be behind, since it is written after the entry: a
    /// process can be killed in between.
    Kept(Option<&'a Head>),
}

/// The member that keeps a log.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// The wallet's group key, as hex.
    pub pubkey: &'a str,
    /// The member's FROST identifier.
    pub member: Identifier,
    /// The member's identity, which signs the entries.
    pub identity: &'a Identity,
}

/// Checks that entries are a whole log of its owner, and that it ends where it has to. Returns what
/// they record, and the head that follows from them.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify(
    group_id: &Digest,
    owner: Owner<'_>,
    entries: &[Entry],
    end: End<'_>,
) -> Result<(Vec<Body>, Head), AuditError> {
    let head = match end {
        End::Kept(None) if entries.len() > 1 => return Err(AuditError::NoHead),
        End::Kept(head) => head,
        End::Unknown => None,
    };
    let mut bodies = Vec::with_capacity(entries.len());
    let mut last = Head::default();
    let mut hash_at_head = None;
    for entry in entries {
        if entry.number != last.entries {
            return Err(AuditError::Gap { expected: last.entries, found: entry.number });
        }
        if entry.previous != last.hash {
            return Err(AuditError::Chain(entry.number));
        }
        let hash = entry.hash(group_id);
        if !owner.identity.has_signed(&hash, &entry.signature) {
            return Err(AuditError::Signature(entry.number));
        }
        let body = entry.read()?;
        let begins = match &body {
            Body::Opened { pubkey, member } => pubkey == owner.pubkey && *member == owner.member,
            _ => false,
        };
        if begins != (entry.number == 0) {
            return Err(AuditError::Beginning);
        }
        bodies.push(body);
        last = Head { entries: entry.number + 1, hash };
        if head.is_some_and(|head| head.entries == last.entries) {
            hash_at_head = Some(hash);
        }
    }
    match head {
        Some(head) if head.entries > last.entries => {
            Err(AuditError::Cut { expected: head.entries, found: last.entries })
        }
        Some(head) if head.entries > 0 && hash_at_head != Some(head.hash) => {
            Err(AuditError::Head(head.entries - 1))
        }
        _ => Ok((bodies, last)),
    }
}

const fn one() -> usize {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the signature is serde's
const fn is_one(count: &usize) -> bool {
    *count == 1
}

mod optional_hex {
    use serde::{Deserialize, Deserializer, Serializer};

    #[allow(clippy::ref_option)] // the signature is serde's
    pub fn serialize<S: Serializer>(value: &Option<[u8; 32]>, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&hex::encode(value.unwrap_or_default()))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<[u8; 32]>, D::Error> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(String::deserialize(d)?, &mut bytes)
            .map_err(serde::de::Error::custom)?;
        Ok(Some(bytes))
    }
}
