//! The ciphersuites: one file each, which says everything about it, and one line in the list below
//! (docs/howto/suite.md). The first one is that of a proposal that names none (docs/PROTOCOL.md,
//! section 2); new ones go to the end.

mod sec1;

use super::dyn_suite::{DynSuite, SuiteImpl};

/// Declares the module of each ciphersuite, and lists the type that each of them describes.
macro_rules! suites {
    ($($(#[cfg($cfg:meta)])? $(#[path = $path:literal])? $module:ident: $type:ident,)+) => {
        $($(#[cfg($cfg)])? $(#[path = $path])? mod $module;)+

        /// All ciphersuites that are known here.
        pub(super) static SUITES: &[&dyn DynSuite] = &[
            $($(#[cfg($cfg)])? &SuiteImpl::<$module::$type>::VALUE,)+
        ];
    };
}

suites! {
    secp256k1: Secp256K1Sha256,
    secp256k1_tr: Secp256K1Sha256TR,
    #[cfg(test)] #[path = "../../../tests/extend/toy_suite.rs"] toy_suite: Ed25519Sha512,
}
