//! What the other files of this folder share: identifiers, faults, randomness.

use rand_core::{CryptoRng, RngCore};

/// A participant's FROST identifier: its place, from 1, in the roster sorted by bytes.
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
    /// The signature share does not fit the sender's commitments and verifying share (RFC 9591,
    /// section 5.4).
    #[error("the signature share does not verify")]
    BadSignatureShare,
    /// The library refused the packages for a reason that names nobody.
    #[error("FROST refuses: {0}")]
    Library(String),
}

/// A fault, and the identifier of the participant to blame for it. `None` if nobody can be named.
pub type Fault = (Option<Identifier>, PackageFault);

/// A source of randomness that secrets can be drawn from.
pub trait Randomness: RngCore + CryptoRng {}

impl<R: RngCore + CryptoRng> Randomness for R {}
