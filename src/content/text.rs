//! A text: signed is the tagged hash `frostmesh/text` of its UTF-8 bytes.

use super::{ContentError, MAX_CONTENT, tagged};

/// A text to sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    /// Takes a text as it is: nothing is trimmed or normalised.
    ///
    /// # Errors
    /// It is empty or too large.
    pub fn new(text: String) -> Result<Self, ContentError> {
        match text.len() {
            0 => Err(ContentError::Empty),
            size if size > MAX_CONTENT => Err(ContentError::TooLarge { size }),
            _ => Ok(Self(text)),
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn digest(&self) -> [u8; 32] {
        tagged("frostmesh/text", self.0.as_bytes())
    }

    pub(super) fn shown(&self) -> Vec<(&'static str, String)> {
        vec![("text", self.0.clone())]
    }
}
