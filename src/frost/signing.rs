//! Signing behind an interface of bytes: the two rounds of FROST (RFC 9591, section 5) as ZF FROST
//! implements them, for any ciphersuite. Messages of any length are signed; the caller makes sure
//! that frostmesh signs 32 bytes only.
//!
//! Nonces are a value that signing consumes, and they have no form of bytes. They cannot outlive
//! the process, so that none can come back from a disk or a backup (docs/PROTOCOL.md, section 3,
//! point 6).

use std::any::Any;
use std::collections::BTreeMap;

use frost_core::keys::{KeyPackage, PublicKeyPackage};
use frost_core::round1::{self, SigningCommitments, SigningNonces};
use frost_core::round2::{self, SignatureShare};
use frost_core::{Signature, SigningPackage};

use super::fault::{Fault, Identifier, PackageFault, Randomness};
use super::info::KnownSuite;
use super::packages::{
    HEADER, canonical_points, culprit, library, not_canonical, to_frost, undecodable,
};

/// The signing commitments of all signers of one signature, `SigningCommitments::serialize()` each.
pub type Commitments = BTreeMap<Identifier, Vec<u8>>;
/// The signature shares of all signers of one signature, a scalar of 32 bytes each.
pub type Shares = BTreeMap<Identifier, Vec<u8>>;

/// The nonces of one signer for one signature: the secret half of its signing commitments. They
/// cannot be copied, written or shown, and are wiped when dropped.
pub struct Nonces(Box<dyn Any + Send>);

/// Why a signature is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// The key is no point of the curve, or has another length.
    #[error("the public key is none of this ciphersuite")]
    Key,
    /// The bytes are not the canonical encoding of a signature.
    #[error("the signature is none of this ciphersuite")]
    Encoding,
    /// The signature was made with another key, or of another message.
    #[error("the signature does not verify: it was made with another key, or of something else")]
    Invalid,
}

/// The key of one participant.
pub trait Key: Send + Sync {
    /// Round 1: draws nonces, and makes the signing commitments to them.
    ///
    /// # Errors
    /// The library's.
    fn commit(&self, rng: &mut dyn Randomness) -> Result<(Nonces, Vec<u8>), PackageFault>;

    /// Checks one sender's signing commitments: their encoding, for which the library would name
    /// nobody.
    ///
    /// # Errors
    /// What is wrong with them.
    fn check_commitments(&self, bytes: &[u8]) -> Result<(), PackageFault>;

    /// Round 2: makes this participant's signature share of the message. `commitments` are those of
    /// all signers, this participant included.
    ///
    /// # Errors
    /// Commitments that cannot be used and their sender, or nonces that do not belong to this
    /// participant's commitments.
    fn sign(
        &self,
        nonces: Nonces,
        commitments: &Commitments,
        message: &[u8],
    ) -> Result<Vec<u8>, Fault>;

    /// Makes the signature from the signature shares of all signers.
    ///
    /// # Errors
    /// The fault and its sender. The library names the sender of every share that does not verify.
    fn aggregate(
        &self,
        commitments: &Commitments,
        shares: &Shares,
        message: &[u8],
    ) -> Result<Vec<u8>, Fault>;
}

struct Held<C: KnownSuite> {
    own: KeyPackage<C>,
    public: PublicKeyPackage<C>,
}

pub(super) fn key<C: KnownSuite>(own: &[u8], public: &[u8]) -> Result<Box<dyn Key>, PackageFault> {
    let own = KeyPackage::<C>::deserialize(own).map_err(undecodable)?;
    let public = PublicKeyPackage::<C>::deserialize(public).map_err(undecodable)?;
    if own.verifying_key() != public.verifying_key() {
        return Err(PackageFault::Undecodable("the two parts are of different keys".into()));
    }
    Ok(Box::new(Held { own, public }))
}

pub(super) fn verify<C: KnownSuite>(
    pubkey: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), BadSignature> {
    let key = C::verifying_key(pubkey).map_err(|_| BadSignature::Key)?;
    let decoded = Signature::<C>::deserialize(signature).map_err(|_| BadSignature::Encoding)?;
    // A signature has one encoding. With two, a member could pass on one that other members refuse.
    if decoded.serialize().ok().as_deref() != Some(signature) {
        return Err(BadSignature::Encoding);
    }
    key.verify(message, &decoded).map_err(|_| BadSignature::Invalid)
}

fn decode_commitments<C: KnownSuite>(bytes: &[u8]) -> Result<SigningCommitments<C>, PackageFault> {
    let commitments = SigningCommitments::<C>::deserialize(bytes).map_err(undecodable)?;
    // A header and two points. The library ignores bytes behind them.
    let points = bytes
        .get(HEADER..)
        .filter(|points| points.len() == 2 * C::INFO.point_size)
        .ok_or_else(not_canonical)?;
    canonical_points::<C>(points)?;
    Ok(commitments)
}

fn package<C: KnownSuite>(
    commitments: &Commitments,
    message: &[u8],
) -> Result<SigningPackage<C>, Fault> {
    let mut decoded = BTreeMap::new();
    for (identifier, bytes) in commitments {
        let blame = |f| (Some(*identifier), f);
        decoded.insert(
            to_frost::<C>(*identifier).map_err(blame)?,
            decode_commitments::<C>(bytes).map_err(blame)?,
        );
    }
    Ok(SigningPackage::new(decoded, message))
}

impl<C: KnownSuite> Key for Held<C> {
    fn commit(&self, rng: &mut dyn Randomness) -> Result<(Nonces, Vec<u8>), PackageFault> {
        let mut rng = rng;
        let (nonces, commitments) = round1::commit::<C, _>(self.own.signing_share(), &mut rng);
        Ok((Nonces(Box::new(nonces)), commitments.serialize().map_err(library)?))
    }

    fn check_commitments(&self, bytes: &[u8]) -> Result<(), PackageFault> {
        decode_commitments::<C>(bytes).map(drop)
    }

    fn sign(
        &self,
        nonces: Nonces,
        commitments: &Commitments,
        message: &[u8],
    ) -> Result<Vec<u8>, Fault> {
        let package = package::<C>(commitments, message)?;
        let Some(nonces) = nonces.0.downcast_ref::<SigningNonces<C>>() else {
            return Err((
                None,
                PackageFault::Library("the nonces are of another ciphersuite".into()),
            ));
        };
        let share = round2::sign(&package, nonces, &self.own);
        Ok(share.map_err(|e| (culprit(&e, commitments.keys().copied()), library(e)))?.serialize())
    }

    fn aggregate(
        &self,
        commitments: &Commitments,
        shares: &Shares,
        message: &[u8],
    ) -> Result<Vec<u8>, Fault> {
        let package = package::<C>(commitments, message)?;
        let mut decoded = BTreeMap::new();
        for (identifier, bytes) in shares {
            let blame = |f| (Some(*identifier), f);
            let share = SignatureShare::<C>::deserialize(bytes);
            let share = share.map_err(|e| blame(undecodable(e)))?;
            decoded.insert(to_frost::<C>(*identifier).map_err(blame)?, share);
        }
        let signature =
            frost_core::aggregate(&package, &decoded, &self.public).map_err(|error| {
                let identifier = culprit(&error, shares.keys().copied());
                let bad = matches!(error, frost_core::Error::InvalidSignatureShare { .. });
                (identifier, if bad { PackageFault::BadSignatureShare } else { library(error) })
            })?;
        signature.serialize().map_err(|e| (None, library(e)))
    }
}
