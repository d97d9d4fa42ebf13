//! A file: signed is the tagged hash `frostmesh/file` of its SHA-256. Name and size are shown, and are not part of it: a file
//! that was renamed is the same file.

use serde::{Deserialize, Serialize};

use super::{ContentError, tagged};

/// Longest name of a file, in bytes.
const MAX_NAME: usize = 255;

/// A file to sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// What it is called where it lies; for people.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of its bytes.
    #[serde(with = "hex::serde")]
    pub sha256: [u8; 32],
}

impl File {
    pub(super) fn read(json: &str) -> Result<Self, ContentError> {
        let file: Self = serde_json::from_str(json).map_err(|_| ContentError::File)?;
        let named =
            (1..=MAX_NAME).contains(&file.name.len()) && !file.name.chars().any(char::is_control);
        if named { Ok(file) } else { Err(ContentError::File) }
    }

    pub(super) fn written(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(super) fn digest(&self) -> [u8; 32] {
        tagged("frostmesh/file", &self.sha256)
    }

    pub(super) fn shown(&self) -> Vec<(&'static str, String)> {
        vec![
            ("name", self.name.clone()),
            ("size", self.size.to_string()),
            ("sha256", hex::encode(self.sha256)),
        ]
    }
}
