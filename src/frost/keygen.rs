//! Distributed key generation behind an interface of bytes: the two rounds of FROST KeyGen (Komlo and Goldberg, figure 1)
//! as ZF FROST implements them, for any ciphersuite.
//!
//! Each round is a value that the next one consumes, so that the secrets of a finished round cannot be reached. Packages
//! are checked one sender at a time before the library sees them together: whatever is wrong has a name on it.

use std::collections::BTreeMap;

use frost_core::Identifier as FrostIdentifier;
use frost_core::keys::dkg::{self, round1, round2};
use frost_core::keys::{KeyPackage, PublicKeyPackage};
use zeroize::Zeroizing;

use super::fault::{Fault, Identifier, PackageFault, Randomness};
use super::info::KnownSuite;
use super::packages::{
    HEADER, canonical, canonical_points, culprit, library, not_canonical, to_frost, undecodable,
};

/// The key that came out: secret and public part in the reference serialization.
pub struct KeyMaterial {
    /// `KeyPackage::serialize()`: holds the signing share.
    pub key_package: Zeroizing<Vec<u8>>,
    /// `PublicKeyPackage::serialize()`.
    pub public_key_package: Vec<u8>,
    /// The group's verifying key, compressed, as hex.
    pub pubkey: String,
}

/// Round 1: own package made, waiting for those of the others.
pub trait Round1: Send {
    /// Own round-1 package, to be sent to all.
    fn package(&self) -> &[u8];

    /// Checks one sender's round-1 package: decoding and degree, for which the library would name nobody. The proof of
    /// knowledge is left to [`Round1::advance`], where the library verifies it and names its sender.
    ///
    /// # Errors
    /// What is wrong with it.
    fn check(&self, package: &[u8]) -> Result<(), PackageFault>;

    /// Goes to round 2 with the packages of all others; also returns the secret package for each of them.
    ///
    /// # Errors
    /// The fault and, where known, whose it is.
    fn advance(
        self: Box<Self>,
        packages: &BTreeMap<Identifier, Vec<u8>>,
    ) -> Result<Round2Start, Fault>;
}

/// Round 2 and the secret package for each other participant.
pub type Round2Start = (Box<dyn Round2>, BTreeMap<Identifier, Zeroizing<Vec<u8>>>);

/// Round 2: own shares made, waiting for those of the others.
pub trait Round2: Send {
    /// Checks one sender's round-2 package: decoding, for which the library would name nobody. Whether the share lies on
    /// the sender's polynomial is left to [`Round2::finish`], where the library verifies it and names its sender.
    ///
    /// # Errors
    /// What is wrong with it.
    fn check(&self, package: &[u8]) -> Result<(), PackageFault>;

    /// Makes the key from the shares of all others.
    ///
    /// # Errors
    /// The fault and, where known, whose it is.
    fn finish(
        self: Box<Self>,
        packages: &BTreeMap<Identifier, Zeroizing<Vec<u8>>>,
    ) -> Result<KeyMaterial, Fault>;
}

/// Round 1 of a participant.
pub(super) fn start<C: KnownSuite>(
    me: Identifier,
    total: u16,
    threshold: u16,
    rng: &mut dyn Randomness,
) -> Result<Box<dyn Round1>, PackageFault> {
    let me = to_frost::<C>(me)?;
    let (secret, package) = dkg::part1::<C, _>(me, total, threshold, rng).map_err(library)?;
    let package = package.serialize().map_err(library)?;
    Ok(Box::new(First::<C> { secret, package, threshold }))
}

/// The group key (compressed, as hex) that the round-1 packages of all participants make, whoever held which share.
pub(super) fn group_key<C: KnownSuite>(
    threshold: u16,
    packages: &BTreeMap<Identifier, Vec<u8>>,
) -> Result<String, Fault> {
    let mut commitments = BTreeMap::new();
    for (identifier, bytes) in packages {
        let blame = |f| (Some(*identifier), f);
        let package = checked_round1::<C>(bytes, threshold).map_err(blame)?;
        commitments
            .insert(to_frost::<C>(*identifier).map_err(blame)?, package.commitment().clone());
    }
    let public = PublicKeyPackage::from_dkg_commitments(
        &commitments.iter().map(|(id, c)| (*id, c)).collect(),
    );
    let key = public.map(C::after_dkg).and_then(|public| public.verifying_key().serialize());
    key.map(hex::encode).map_err(|e| (None, library(e)))
}

struct First<C: KnownSuite> {
    secret: round1::SecretPackage<C>,
    package: Vec<u8>,
    threshold: u16,
}

struct Second<C: KnownSuite> {
    secret: round2::SecretPackage<C>,
    packages: BTreeMap<FrostIdentifier<C>, round1::Package<C>>,
}

/// Who is to blame, by the library's own word.
fn fault<C: KnownSuite>(
    error: frost_core::Error<C>,
    identifiers: impl Iterator<Item = Identifier>,
) -> Fault {
    let identifier = culprit(&error, identifiers);
    let fault = match error {
        frost_core::Error::InvalidProofOfKnowledge { .. } => PackageFault::BadProof,
        frost_core::Error::InvalidSecretShare { .. } => PackageFault::BadShare,
        other => library(other),
    };
    (identifier, fault)
}

/// Decodes a round-1 package, which may have been written in another way than the canonical one.
fn decode_round1<C: KnownSuite>(bytes: &[u8]) -> Result<round1::Package<C>, PackageFault> {
    round1::Package::<C>::deserialize(bytes).map_err(undecodable)
}

/// Decodes a round-1 package of that many coefficients in the one way of writing it: a header, their number, their points, and
/// the proof after its length.
fn checked_round1<C: KnownSuite>(
    bytes: &[u8],
    threshold: u16,
) -> Result<round1::Package<C>, PackageFault> {
    let package = decode_round1::<C>(bytes)?;
    let (found, expected) = (package.commitment().coefficients().len(), threshold);
    if found != usize::from(expected) {
        return Err(PackageFault::WrongDegree { found, expected });
    }
    let start = HEADER + if found < 0x80 { 1 } else { 2 };
    let end = start + found * C::INFO.point_size;
    canonical_points::<C>(bytes.get(start..end).ok_or_else(not_canonical)?)?;
    canonical(
        &package.proof_of_knowledge().serialize().map_err(library)?,
        bytes.get(end + 1..).unwrap_or_default(),
    )?;
    Ok(package)
}

fn decode_round2<C: KnownSuite>(bytes: &[u8]) -> Result<round2::Package<C>, PackageFault> {
    let package = round2::Package::<C>::deserialize(bytes).map_err(undecodable)?;
    canonical(&Zeroizing::new(package.serialize().map_err(library)?), bytes)?;
    Ok(package)
}

impl<C: KnownSuite> Round1 for First<C> {
    fn package(&self) -> &[u8] {
        &self.package
    }

    fn check(&self, bytes: &[u8]) -> Result<(), PackageFault> {
        checked_round1::<C>(bytes, self.threshold).map(drop)
    }

    fn advance(
        self: Box<Self>,
        packages: &BTreeMap<Identifier, Vec<u8>>,
    ) -> Result<Round2Start, Fault> {
        let mut decoded = BTreeMap::new();
        for (identifier, bytes) in packages {
            let blame = |f| (Some(*identifier), f);
            decoded.insert(
                to_frost::<C>(*identifier).map_err(blame)?,
                decode_round1::<C>(bytes).map_err(blame)?,
            );
        }
        let (secret, outgoing) = dkg::part2::<C>(self.secret, &decoded)
            .map_err(|e| fault(e, packages.keys().copied()))?;
        let mut shares = BTreeMap::new();
        for identifier in packages.keys() {
            let package = to_frost::<C>(*identifier).ok().and_then(|id| outgoing.get(&id));
            let package = package
                .ok_or_else(|| (None, PackageFault::Library("a share is missing".into())))?;
            shares.insert(
                *identifier,
                Zeroizing::new(package.serialize().map_err(|e| (None, library(e)))?),
            );
        }
        Ok((Box::new(Second { secret, packages: decoded }), shares))
    }
}

impl<C: KnownSuite> Round2 for Second<C> {
    fn check(&self, bytes: &[u8]) -> Result<(), PackageFault> {
        decode_round2::<C>(bytes).map(|_| ())
    }

    fn finish(
        self: Box<Self>,
        packages: &BTreeMap<Identifier, Zeroizing<Vec<u8>>>,
    ) -> Result<KeyMaterial, Fault> {
        let mut decoded = BTreeMap::new();
        for (identifier, bytes) in packages {
            let blame = |f| (Some(*identifier), f);
            decoded.insert(
                to_frost::<C>(*identifier).map_err(blame)?,
                decode_round2::<C>(bytes).map_err(blame)?,
            );
        }
        let (key, public) = dkg::part3::<C>(&self.secret, &self.packages, &decoded)
            .map_err(|e| fault(e, packages.keys().copied()))?;
        material(&key, &public).map_err(|f| (None, f))
    }
}

fn material<C: KnownSuite>(
    key: &KeyPackage<C>,
    public: &PublicKeyPackage<C>,
) -> Result<KeyMaterial, PackageFault> {
    Ok(KeyMaterial {
        key_package: Zeroizing::new(key.serialize().map_err(library)?),
        public_key_package: public.serialize().map_err(library)?,
        pubkey: hex::encode(public.verifying_key().serialize().map_err(library)?),
    })
}
