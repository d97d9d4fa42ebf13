//! The ciphersuites: one file each, which says everything about it, and one line in the list below
//! (docs/howto/suite.md). The first one is that of a proposal that names none (docs/PROTOCOL.md,
//! section 2); new ones go to the end.

mod sec1;

use frost_core::Ciphersuite;

use super::dyn_suite::{DynSuite, SuiteImpl};
use super::info::{Address, KnownSuite};

/// Declares the module of each ciphersuite, and lists the type that each of them describes.
macro_rules! suites {
    ($($(#[cfg($cfg:meta)])? $(#[path = $path:literal])? $module:ident: $type:ident,)+) => {
        $($(#[cfg($cfg)])? $(#[path = $path])? mod $module;)+

        /// All ciphersuites that are known here.
        pub(super) static SUITES: &[&dyn DynSuite] = &[
            $($(#[cfg($cfg)])? &SuiteImpl::<$module::$type>::VALUE,)+
        ];

        /// The names by which the world knows a key of the suite with that id. This is no method of
        /// [`DynSuite`], so that the wasm module, which asks for none, does not contain it.
        pub(super) fn addresses(id: &str, key: &[u8]) -> Vec<Address> {
            $($(#[cfg($cfg)])? if id == $module::$type::ID {
                return $module::$type::addresses(key);
            })+
            Vec::new()
        }
    };
}

suites! {
    secp256k1: Secp256K1Sha256,
    secp256k1_tr: Secp256K1Sha256TR,
    #[cfg(test)] #[path = "../../../tests/extend/toy_suite.rs"] toy_suite: Ed25519Sha512,
}
