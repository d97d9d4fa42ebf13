//! 32 bytes that are signed as they are. Nobody can see what they mean.

use super::ContentError;

/// A hash to sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hash([u8; 32]);

impl Hash {
    /// These bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(super) fn digest(self) -> [u8; 32] {
        self.0
    }

    pub(super) fn shown(self) -> Vec<(&'static str, String)> {
        vec![("hash", hex::encode(self.0))]
    }
}

impl std::str::FromStr for Hash {
    type Err = ContentError;

    fn from_str(text: &str) -> Result<Self, ContentError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| ContentError::Hash)?;
        Ok(Self(bytes))
    }
}
