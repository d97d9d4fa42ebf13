//! A ciphersuite behind an interface of bytes, so that nothing outside this folder is generic over
//! ciphersuites.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use super::fault::{Fault, Identifier, PackageFault, Randomness};
use super::info::{KnownSuite, SuiteInfo};
use super::keygen::{self, Round1};
use super::signing::{self, BadSignature, Key};

/// A ciphersuite without its type.
pub(super) trait DynSuite: Sync {
    fn id(&self) -> &'static str;
    fn info(&self) -> &'static SuiteInfo;
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

/// The [`DynSuite`] of a ciphersuite's type.
pub(super) struct SuiteImpl<C>(PhantomData<fn() -> C>);

impl<C> SuiteImpl<C> {
    /// The one value of this type.
    pub const VALUE: Self = Self(PhantomData);
}

impl<C: KnownSuite> DynSuite for SuiteImpl<C> {
    fn id(&self) -> &'static str {
        C::ID
    }

    fn info(&self) -> &'static SuiteInfo {
        &C::INFO
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
