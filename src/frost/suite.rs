//! The handle of a ciphersuite that the rest of the program has, and that of a group key.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::dyn_suite::DynSuite;
use super::fault::{Fault, Identifier, PackageFault, Randomness};
use super::info::{Address, SuiteInfo, Use};
use super::keygen::Round1;
use super::signing::{BadSignature, Key};
use super::suites::{self, SUITES};

/// A ciphersuite that is known here.
#[derive(Clone, Copy)]
pub struct Suite(&'static dyn DynSuite);

impl Suite {
    /// All ciphersuites, the default one first.
    pub fn all() -> impl Iterator<Item = Self> {
        SUITES.iter().copied().map(Self)
    }

    /// The ciphersuite with that id (as in proposals: `FROST-secp256k1-SHA256-v1`), if it is known.
    #[must_use]
    pub fn of_id(id: &str) -> Option<Self> {
        Self::all().find(|suite| suite.id() == id)
    }

    /// Its id on the wire: the `contextString` of RFC 9591, section 6.
    #[must_use]
    pub fn id(self) -> &'static str {
        self.0.id()
    }

    /// What it says about itself.
    #[must_use]
    pub fn info(self) -> &'static SuiteInfo {
        self.0.info()
    }

    /// Its short name: `secp256k1`, `secp256k1-tr`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.info().name
    }

    /// Whether its keys can be used for that.
    #[must_use]
    pub fn is_for(self, purpose: Use) -> bool {
        self.info().uses.contains(&purpose)
    }

    /// The names of the ciphersuites whose keys can be used for that, in a sentence.
    #[must_use]
    pub fn names_for(purpose: Use) -> String {
        names(Self::all().filter(|suite| suite.is_for(purpose)))
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

    /// The group key (as in packages, as hex) that the round-1 packages of all participants add up
    /// to. Nobody's secrets are needed.
    ///
    /// # Errors
    /// A package that cannot be part of it, and its sender.
    pub fn group_key(
        self,
        threshold: u16,
        packages: &BTreeMap<Identifier, Vec<u8>>,
    ) -> Result<String, Fault> {
        self.0.group_key(threshold, packages)
    }

    /// The key of a participant, to sign with, from what [`KeyMaterial`](super::KeyMaterial) holds.
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

    /// Verifies a signature of a message with a group key, in any form that the suite knows: as in
    /// packages, or for `secp256k1-tr` also x-only (BIP-340).
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

/// The suite of a proposal that names none (docs/PROTOCOL.md, section 2).
impl Default for Suite {
    fn default() -> Self {
        Self(SUITES[0])
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
#[error("there is no ciphersuite '{0}': use {names}", names = names(Suite::all()))]
pub struct UnknownSuite(String);

fn names(suites: impl Iterator<Item = Suite>) -> String {
    let names: Vec<&str> = suites.map(Suite::name).collect();
    names.join(" or ")
}

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

/// A group key and its ciphersuite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupKey {
    suite: Suite,
    bytes: Vec<u8>,
}

impl GroupKey {
    /// The key of those bytes, written as in packages. Nothing is checked.
    #[must_use]
    pub fn new(suite: Suite, bytes: Vec<u8>) -> Self {
        Self { suite, bytes }
    }

    /// The key of a wallet, from the id of its ciphersuite and the key as hex. `None` if the
    /// ciphersuite is not known here, or the key is no hex.
    #[must_use]
    pub fn of(ciphersuite: &str, pubkey: &str) -> Option<Self> {
        Some(Self::new(Suite::of_id(ciphersuite)?, hex::decode(pubkey).ok()?))
    }

    /// Its ciphersuite.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The key, written as in packages.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The x-only form, by which the world knows the key where its signatures are those of BIP-340.
    /// `None` for other ciphersuites.
    #[must_use]
    pub fn x_only(&self) -> Option<[u8; 32]> {
        let x = self.bytes.get(1..).and_then(|x| x.try_into().ok());
        x.filter(|_| self.suite.info().bip340)
    }

    /// The names by which the world knows the key, in the order in which people see them.
    #[must_use]
    pub fn addresses(&self) -> Vec<Address> {
        suites::addresses(self.suite.id(), &self.bytes)
    }

    /// Verifies a signature of a message.
    ///
    /// # Errors
    /// What is wrong with key or signature.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        self.suite.verify(&self.bytes, message, signature)
    }
}
