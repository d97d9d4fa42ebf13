//! FROST behind an interface of bytes: key generation and signing for every ciphersuite, by its
//! name on the wire.
//!
//! All cryptography is ZF FROST's. A ciphersuite is one file in `suites`, which says everything
//! about it. What is generic over ciphersuites stands in `keygen` and `signing`, once.
//!
//! | file | what it is for |
//! | --- | --- |
//! | `suites/` | the list of ciphersuites, and one file for each |
//! | `info` | what such a file says: the trait `KnownSuite` |
//! | `keygen`, `signing` | the two rounds of each |
//! | `packages` | how packages are read |
//! | `suite`, `dyn_suite` | the handle that the rest of the program has |
//! | `fault` | identifiers, faults, randomness |

mod dyn_suite;
mod fault;
mod info;
mod keygen;
mod packages;
mod signing;
mod suite;
mod suites;

pub use fault::{Fault, Identifier, PackageFault, Randomness};
pub use info::{Address, AddressValue, SuiteInfo, Use};
pub use keygen::{KeyMaterial, Round1, Round2, Round2Start};
pub use signing::{BadSignature, Commitments, Key, Nonces, Shares};
pub use suite::{GroupKey, Suite, UnknownSuite};
