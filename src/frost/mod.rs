//! FROST behind an interface of bytes: key generation and signing for every ciphersuite, by its name on the wire.
//!
//! All cryptography is ZF FROST's. A ciphersuite is one small module that implements [`Flavour`]; what is generic over it
//! stands in `keygen` and `signing`, once.

mod keygen;
mod secp256k1;
mod secp256k1_tr;
mod signing;

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use frost_core::keys::PublicKeyPackage;
use frost_core::{Ciphersuite, Identifier as FrostIdentifier};
use rand_core::{CryptoRng, RngCore};
use serde::{Deserialize, Serialize};

pub use keygen::{KeyMaterial, Round1, Round2, Round2Start};
pub use signing::{BadSignature, Commitments, Key, Nonces, Shares};

/// A participant's place, from 1, in the roster sorted by bytes. Its FROST identifier.
pub type Identifier = u16;

/// What is wrong with one sender's package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackageFault {
    /// Not the reference serialization of a package of this ciphersuite.
    #[error("the package cannot be decoded: {0}")]
    Undecodable(String),
    /// The polynomial does not have `threshold` coefficients.
    #[error("the commitment is for a threshold of {found}, not {expected}")]
    WrongDegree {
        /// Coefficients in the package.
        found: usize,
        /// The session's threshold.
        expected: u16,
    },
    /// The sender does not know the secret that it committed to (figure 1, round 1, step 5).
    #[error("the proof of knowledge does not hold")]
    BadProof,
    /// The share does not lie on the sender's committed polynomial (figure 1, round 2, step 2).
    #[error("the share does not match the sender's commitment")]
    BadShare,
    /// The signature share does not fit the sender's commitments and verifying share (RFC 9591, section 5.4).
    #[error("the signature share does not verify")]
    BadSignatureShare,
    /// The library refused the packages for a reason that names nobody.
    #[error("FROST refuses: {0}")]
    Library(String),
}

/// A fault and the place of its sender, where one is to blame.
pub type Fault = (Option<Identifier>, PackageFault);

/// What the library needs to draw secrets from.
pub trait Randomness: RngCore + CryptoRng {}

impl<R: RngCore + CryptoRng> Randomness for R {}

/// What a ciphersuite is to frostmesh beside what it is to the library.
trait Flavour: Ciphersuite {
    /// What people call it.
    const NAME: &'static str;
    /// Bytes of a signature, as the world takes it.
    const SIGNATURE: usize;
    /// Bytes of a point, compressed.
    const POINT: usize = 33;

    /// What the library makes of the public key once key generation is over.
    fn settled(public: PublicKeyPackage<Self>) -> PublicKeyPackage<Self>;

    /// Reads a verifying key as the world writes it.
    fn verifying_key(
        bytes: &[u8],
    ) -> Result<frost_core::VerifyingKey<Self>, frost_core::Error<Self>> {
        frost_core::VerifyingKey::deserialize(bytes)
    }
}

/// A ciphersuite without its type.
trait Scheme: Sync {
    fn id(&self) -> &'static str;
    fn name(&self) -> &'static str;
    fn signature_size(&self) -> usize;
    fn start(
        &self,
        me: Identifier,
        total: u16,
        threshold: u16,
        rng: &mut dyn Randomness,
    ) -> Result<Box<dyn Round1>, PackageFault>;
    fn group_key(
        &self,
        threshold: u16,
        packages: &BTreeMap<Identifier, Vec<u8>>,
    ) -> Result<String, Fault>;
    fn key(
        &self,
        key_package: &[u8],
        public_key_package: &[u8],
    ) -> Result<Box<dyn Key>, PackageFault>;
    fn verify(&self, pubkey: &[u8], message: &[u8], signature: &[u8]) -> Result<(), BadSignature>;
}

struct Of<C>(PhantomData<fn() -> C>);

impl<C: Flavour> Scheme for Of<C> {
    fn id(&self) -> &'static str {
        C::ID
    }

    fn name(&self) -> &'static str {
        C::NAME
    }

    fn signature_size(&self) -> usize {
        C::SIGNATURE
    }

    fn start(
        &self,
        me: Identifier,
        total: u16,
        threshold: u16,
        rng: &mut dyn Randomness,
    ) -> Result<Box<dyn Round1>, PackageFault> {
        keygen::start::<C>(me, total, threshold, rng)
    }

    fn group_key(
        &self,
        threshold: u16,
        packages: &BTreeMap<Identifier, Vec<u8>>,
    ) -> Result<String, Fault> {
        keygen::group_key::<C>(threshold, packages)
    }

    fn key(
        &self,
        key_package: &[u8],
        public_key_package: &[u8],
    ) -> Result<Box<dyn Key>, PackageFault> {
        signing::key::<C>(key_package, public_key_package)
    }

    fn verify(&self, pubkey: &[u8], message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        signing::verify::<C>(pubkey, message, signature)
    }
}

/// A ciphersuite that is known here.
#[derive(Clone, Copy)]
pub struct Suite(&'static dyn Scheme);

/// All of them; the first is that of a proposal that names none (section 2).
const SUITES: [Suite; 2] = [
    Suite(&Of::<frost_secp256k1::Secp256K1Sha256>(PhantomData)),
    Suite(&Of::<frost_secp256k1_tr::Secp256K1Sha256TR>(PhantomData)),
];

impl Suite {
    /// All ciphersuites, the default one first.
    pub fn all() -> impl Iterator<Item = Self> {
        SUITES.into_iter()
    }

    /// The one of that id (as in proposals: `FROST-secp256k1-SHA256-v1`), if it is known.
    #[must_use]
    pub fn of_id(id: &str) -> Option<Self> {
        Self::all().find(|suite| suite.id() == id)
    }

    /// Its id on the wire, `contextString` of RFC 9591.
    #[must_use]
    pub fn id(self) -> &'static str {
        self.0.id()
    }

    /// What people call it: `secp256k1`, `secp256k1-tr`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// Bytes of a signature: 65 (RFC 9591: R compressed, z) or 64 (BIP-340).
    #[must_use]
    pub fn signature_size(self) -> usize {
        self.0.signature_size()
    }

    /// Starts key generation.
    ///
    /// # Errors
    /// The library's, for a threshold or total out of range.
    pub fn start(
        self,
        me: Identifier,
        total: u16,
        threshold: u16,
        rng: &mut dyn Randomness,
    ) -> Result<Box<dyn Round1>, PackageFault> {
        self.0.start(me, total, threshold, rng)
    }

    /// The group key (compressed, as hex) that the round-1 packages of all participants make, whoever held which share.
    ///
    /// # Errors
    /// A package that cannot be part of it, and whose it is.
    pub fn group_key(
        self,
        threshold: u16,
        packages: &BTreeMap<Identifier, Vec<u8>>,
    ) -> Result<String, Fault> {
        self.0.group_key(threshold, packages)
    }

    /// The key of a participant, to sign with, from what [`KeyMaterial`] holds.
    ///
    /// # Errors
    /// The packages are not of this ciphersuite, or not of one key.
    pub fn key(
        self,
        key_package: &[u8],
        public_key_package: &[u8],
    ) -> Result<Box<dyn Key>, PackageFault> {
        self.0.key(key_package, public_key_package)
    }

    /// The x-only form of a compressed group key, by which the world knows it where signatures are those of BIP-340.
    #[must_use]
    pub fn author(self, pubkey: &[u8]) -> Option<[u8; 32]> {
        let bip340 = self.signature_size() == 64;
        pubkey.get(1..).and_then(|x| x.try_into().ok()).filter(|_| bip340)
    }

    /// Verifies a signature of a message by the group key `pubkey`: compressed, or for `secp256k1-tr` also x-only (BIP-340).
    ///
    /// # Errors
    /// What is wrong with key or signature.
    pub fn verify(
        self,
        pubkey: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        self.0.verify(pubkey, message, signature)
    }
}

impl Default for Suite {
    fn default() -> Self {
        SUITES[0]
    }
}

impl PartialEq for Suite {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Suite {}

impl fmt::Debug for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No ciphersuite of that name is known here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no ciphersuite '{0}': use secp256k1 or secp256k1-tr")]
pub struct UnknownSuite(String);

impl std::str::FromStr for Suite {
    type Err = UnknownSuite;

    /// Takes the name or the id.
    fn from_str(text: &str) -> Result<Self, UnknownSuite> {
        let found = Self::all().find(|suite| suite.name() == text || suite.id() == text);
        found.ok_or_else(|| UnknownSuite(crate::wire::clip(text)))
    }
}

impl Serialize for Suite {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Suite {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

fn library<C: Flavour>(error: frost_core::Error<C>) -> PackageFault {
    PackageFault::Library(error.to_string())
}

fn undecodable<C: Flavour>(error: frost_core::Error<C>) -> PackageFault {
    PackageFault::Undecodable(error.to_string())
}

/// Refuses any encoding of a package but the one that we would write.
fn canonical(ours: &[u8], theirs: &[u8]) -> Result<(), PackageFault> {
    if ours == theirs { Ok(()) } else { Err(not_canonical()) }
}

/// Bytes before what a package holds: its version, and which ciphersuite it is of.
const HEADER: usize = 5;

/// Refuses points that were decoded, but are not written as we would: the library also takes SEC 1's compact form (tag 5, for
/// an even y). To write each again and compare would cost an inversion a point.
fn compressed<C: Flavour>(points: &[u8]) -> Result<(), PackageFault> {
    let fine = points.chunks(C::POINT).all(|point| matches!(point, [2 | 3, ..]));
    if fine { Ok(()) } else { Err(not_canonical()) }
}

fn not_canonical() -> PackageFault {
    PackageFault::Undecodable("it is not written in the one way in which it has to be".into())
}

fn to_frost<C: Flavour>(identifier: Identifier) -> Result<FrostIdentifier<C>, PackageFault> {
    FrostIdentifier::try_from(identifier).map_err(library)
}

/// Who is to blame, by the library's own word.
fn culprit<C: Flavour>(
    error: &frost_core::Error<C>,
    mut identifiers: impl Iterator<Item = Identifier>,
) -> Option<Identifier> {
    let culprits = error.culprits();
    identifiers.find(|p| to_frost::<C>(*p).is_ok_and(|id| culprits.contains(&id)))
}
