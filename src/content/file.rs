//! A file: signed is the tagged hash `frostmesh/file` of its SHA-256. Name and size are shown, and are not part of it: a file
//! that was renamed is the same file.

use super::tagged;

/// A file to sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// What it is called where it lies; for people.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
}

impl File {
    pub(super) fn digest(&self) -> [u8; 32] {
        tagged("frostmesh/file", &self.sha256)
    }

    pub(super) fn shown(&self) -> Vec<(&'static str, String)> {
        vec![("name", self.name.clone()), ("size", self.size.to_string()), ("sha256", hex::encode(self.sha256))]
    }
}
