//! How packages are read: each has one canonical encoding, and every fault names its sender.

use frost_core::Identifier as FrostIdentifier;

use super::fault::{Identifier, PackageFault};
use super::info::KnownSuite;

pub(super) fn library<C: KnownSuite>(error: frost_core::Error<C>) -> PackageFault {
    PackageFault::Library(error.to_string())
}

pub(super) fn undecodable<C: KnownSuite>(error: frost_core::Error<C>) -> PackageFault {
    PackageFault::Undecodable(error.to_string())
}

/// Refuses every encoding but the one that we would write.
pub(super) fn canonical(ours: &[u8], theirs: &[u8]) -> Result<(), PackageFault> {
    if ours == theirs { Ok(()) } else { Err(not_canonical()) }
}

/// Bytes at the beginning of every package: its version (1 byte), and the CRC-32 of its
/// ciphersuite's id (4 bytes).
pub(super) const HEADER: usize = 5;

/// Refuses points that the library has decoded, but whose encoding is not canonical.
pub(super) fn canonical_points<C: KnownSuite>(points: &[u8]) -> Result<(), PackageFault> {
    let fine = points.chunks(C::INFO.point_size).all(C::is_canonical_point);
    if fine { Ok(()) } else { Err(not_canonical()) }
}

pub(super) fn not_canonical() -> PackageFault {
    PackageFault::Undecodable("it is not written in the one way in which it has to be".into())
}

pub(super) fn to_frost<C: KnownSuite>(
    identifier: Identifier,
) -> Result<FrostIdentifier<C>, PackageFault> {
    FrostIdentifier::try_from(identifier).map_err(library)
}

/// The participant that the library's error blames.
pub(super) fn culprit<C: KnownSuite>(
    error: &frost_core::Error<C>,
    mut identifiers: impl Iterator<Item = Identifier>,
) -> Option<Identifier> {
    let culprits = error.culprits();
    identifiers.find(|p| to_frost::<C>(*p).is_ok_and(|id| culprits.contains(&id)))
}
