//! How a wallet's key was made, for anyone to check again: no secrets, and nothing to be believed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Agreement, is_signed, package_hash, ready_digest, wallet_created_digest};
use crate::frost::{Identifier, Suite};
use crate::identity::Signature;
use crate::wire::{MAX_PARTICIPANTS, PeerId, Statement};

/// The whole transcript of a verified key generation, as every participant has signed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// What the session was about.
    pub agreement: Agreement,
    /// Everyone's round-1 package, by place.
    pub packages: Vec<SignedPackage>,
    /// The group key that came out, compressed, as hex.
    pub pubkey: String,
    /// Everyone's signature of all of it, by place.
    pub signatures: Vec<Signature>,
}

/// A round-1 package and what its sender signed.
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
    /// What was signed.
    #[must_use]
    pub fn statement(&self) -> Statement {
        let (package, signature) = (package_hash(&self.package), *self.signature.as_bytes());
        Statement { nonce: self.nonce, package, signature }
    }
}

/// Why a certificate proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The list of participants breaks a rule: 2 to 64, sorted, nobody and no identity twice, a threshold between.
    #[error("its participants or its threshold cannot be right")]
    Roster,
    /// Fewer or more packages or signatures than participants.
    #[error("it does not hold one package and one signature of each participant")]
    Incomplete,
    /// A package that its sender did not sign.
    #[error("{0} did not sign the commitment that stands under its name")]
    Package(PeerId),
    /// A signature of the whole that does not hold.
    #[error("{0} did not sign this ceremony")]
    Signature(PeerId),
    /// The packages make another key.
    #[error("its commitments do not make the group key {0}")]
    Key(String),
}

impl Certificate {
    /// Checks everything that it claims, from what stands in it alone.
    ///
    /// # Errors
    /// The first claim that does not hold.
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
