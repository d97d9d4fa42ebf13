//! Points in the encodings of SEC 1, which all suites over secp256k1 share.

/// Whether a point of 33 bytes is written in the compressed form (section 2.3.3). The library also
/// reads the compact form, with the tag 5 for an even y.
pub(super) fn is_compressed(point: &[u8]) -> bool {
    matches!(point, [2 | 3, ..])
}
