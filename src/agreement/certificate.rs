//! The certificate of a wallet: how its key was made, signed by every participant. It holds no
//! secrets, and anyone can verify it from its content alone (docs/PROTOCOL.md, section 3, point 4).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Agreement, is_signed, package_hash, ready_digest, wallet_created_digest};
use crate::frost::{Identifier, Suite};
use crate::identity::Signature;
use crate::wire::{MAX_PARTICIPANTS, PeerId, Statement};

/// The transcript of a verified key generation, signed by every participant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// What the participants agreed on.
    pub agreement: Agreement,
    /// The round-1 package of each participant, in the order of identifiers.
    pub packages: Vec<SignedPackage>,
    /// The compressed group key, as hex.
    pub pubkey: String,
    /// The signature of the whole by each participant, in the order of identifiers.
    pub signatures: Vec<Signature>,
}

/// A round-1 package with the nonce and signature of its sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedPackage {
    /// `round1::Package::serialize()`.
    #[serde(with = "hex::serde")]
    pub package: Vec<u8>,
    /// The sender's nonce.
    #[serde(with = "hex::serde")]
    pub nonce: [u8; 32],
    /// The sender's signature.
    pub signature: Signature,
}

impl SignedPackage {
    /// The statement that the sender signed.
    #[must_use]
    pub fn statement(&self) -> Statement {
        let (package, signature) = (package_hash(&self.package), *self.signature.as_bytes());
        Statement { nonce: self.nonce, package, signature }
    }
}

/// Why a certificate is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The roster breaks a rule: 2 to 64 participants, sorted by peer id, no peer id or identity
    /// twice, a threshold from 2 to the number of participants.
    #[error("its participants or its threshold cannot be right")]
    Roster,
    /// The number of packages or signatures is not the number of participants.
    #[error("it does not hold one package and one signature of each participant")]
    Incomplete,
    /// The participant did not sign the package under its name.
    #[error("{0} did not sign the commitment that stands under its name")]
    Package(PeerId),
    /// The participant's signature of the whole is invalid.
    #[error("{0} did not sign this ceremony")]
    Signature(PeerId),
    /// The packages make another group key.
    #[error("its commitments do not make the group key {0}")]
    Key(String),
}

impl Certificate {
    /// Verifies the roster, every signature, and that the packages make the group key.
    ///
    /// # Errors
    /// The first of these that fails.
    pub fn verify(&self) -> Result<(), CertificateError> {
        let Agreement { members, threshold, ciphersuite, .. } = &self.agreement;
        let total = members.len();
        let identities: BTreeSet<_> = members.iter().map(|m| m.identity).collect();
        let sorted = members.windows(2).all(|pair| pair[0].peer_id < pair[1].peer_id);
        let fits = (2..=MAX_PARTICIPANTS).contains(&total)
            && (2..=total).contains(&usize::from(*threshold));
        if !(sorted && fits && identities.len() == total) {
            return Err(CertificateError::Roster);
        }
        if self.packages.len() != total || self.signatures.len() != total {
            return Err(CertificateError::Incomplete);
        }
        let agreement = self.agreement.digest();
        let mut packages = BTreeMap::new();
        for ((identifier, member), signed) in (1..).zip(members).zip(&self.packages) {
            if !is_signed(&agreement, identifier, &member.identity, &signed.statement()) {
                return Err(CertificateError::Package(member.peer_id.clone()));
            }
            packages.insert(identifier as Identifier, signed.package.clone());
        }
        let key =
            Suite::of_id(ciphersuite).and_then(|suite| suite.group_key(*threshold, &packages).ok());
        if key.as_ref() != Some(&self.pubkey) {
            return Err(CertificateError::Key(self.pubkey.clone()));
        }
        let statements: Vec<Statement> =
            self.packages.iter().map(SignedPackage::statement).collect();
        let digest = wallet_created_digest(&ready_digest(&agreement, &statements), &self.pubkey);
        for (member, signature) in members.iter().zip(&self.signatures) {
            if !member.identity.has_signed(&digest, signature) {
                return Err(CertificateError::Signature(member.peer_id.clone()));
            }
        }
        Ok(())
    }
}
