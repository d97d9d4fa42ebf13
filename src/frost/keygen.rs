//! Distributed key generation behind an interface of bytes: the two rounds of FROST KeyGen (Komlo
//! and Goldberg, figure 1) as ZF FROST implements them, for any ciphersuite.
//!
//! Each round is a value that the next one consumes, so that the secrets of a finished round cannot
//! be reached. Packages are checked one sender at a time before the library sees them together, so
//! that every fault names its sender.
//!
//! [`Round1`] and [`Round2`] know nothing of sessions: any participants can run them. The refresh
//! of shares in ZF FROST (`frost_core::keys::refresh`) has the same two rounds with the same
//! packages, of which each in round 1 has one coefficient less, and ends with the same two parts of
//! a key. It can be another pair of these traits, whose values hold the old key.

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

/// The key of one participant: its secret and its public part, in the reference serialization.
pub struct KeyMaterial {
    /// `KeyPackage::serialize()`. Holds the signing share.
    pub key_package: Zeroizing<Vec<u8>>,
    /// `PublicKeyPackage::serialize()`.
    pub public_key_package: Vec<u8>,
    /// The group key, as in packages, as hex.
    pub pubkey: String,
}

/// Round 1: this participant's package is made, and those of the others are awaited.
pub trait Round1: Send {
    /// This participant's round-1 package, to send to all others.
    fn package(&self) -> &[u8];

    /// Checks one sender's round-1 package: its encoding and its degree, for which the library
    /// would name nobody. [`Round1::advance`] verifies the proof of knowledge; there the library
    /// names its sender.
    ///
    /// # Errors
    /// What is wrong with it.
    fn check(&self, package: &[u8]) -> Result<(), PackageFault>;

    /// Goes to round 2 with the packages of all others. Also returns the round-2 package for each
    /// of them, which is secret.
    ///
    /// # Errors
    /// The fault and, where known, its sender.
    fn advance(
        self: Box<Self>,
        packages: &BTreeMap<Identifier, Vec<u8>>,
    ) -> Result<Round2Start, Fault>;
}

/// Round 2, and the round-2 package for each other participant.
pub type Round2Start = (Box<dyn Round2>, BTreeMap<Identifier, Zeroizing<Vec<u8>>>);

/// Round 2: this participant's packages are made, and those of the others are awaited.
pub trait Round2: Send {
    /// Checks one sender's round-2 package: its encoding, for which the library would name nobody.
    /// [`Round2::finish`] verifies that the share in it lies on the sender's polynomial; there the
    /// library names its sender.
    ///
    /// # Errors
    /// What is wrong with it.
    fn check(&self, package: &[u8]) -> Result<(), PackageFault>;

    /// Makes the key from the packages of all others.
    ///
    /// # Errors
    /// The fault and, where known, its sender.
    fn finish(
        self: Box<Self>,
        packages: &BTreeMap<Identifier, Zeroizing<Vec<u8>>>,
    ) -> Result<KeyMaterial, Fault>;
}

/// Starts round 1 of a participant.
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

/// The group key (as in packages, as hex) that the round-1 packages of all participants add up to.
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

/// The fault that the library found, and the sender that it names.
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

/// Decodes a round-1 package in any encoding that the library reads.
fn decode_round1<C: KnownSuite>(bytes: &[u8]) -> Result<round1::Package<C>, PackageFault> {
    round1::Package::<C>::deserialize(bytes).map_err(undecodable)
}

/// Decodes a round-1 package of `threshold` coefficients in its canonical encoding: a header, their
/// number, a point for each, and the proof of knowledge behind its length.
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
