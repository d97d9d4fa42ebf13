//! A text. What is signed is the tagged hash `frostmesh/text` of its UTF-8 bytes.

use crate::content::kind::{ContentError, Input, Kind, KindInfo, MAX_CONTENT, SignItem, tagged};
use crate::frost::GroupKey;
use crate::label::Label;

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
            size if size > MAX_CONTENT => Err(ContentError::TooLarge { size, most: MAX_CONTENT }),
            _ => Ok(Self(text)),
        }
    }
}

impl Kind for Text {
    const INFO: KindInfo = KindInfo {
        name: "text",
        label: Label::new("kind_text", "Text"),
        asks: Label::new("asks_text", "$1 asks you to sign this text."),
        warning: None,
        needs: None,
        input: Input::Text,
        help: "A text",
        value_name: "TEXT",
        max_size: MAX_CONTENT,
        conditions: &[],
    };

    fn read(written: &str, _key: Option<&GroupKey>) -> Result<Self, ContentError> {
        Self::new(written.to_owned())
    }

    fn written(&self) -> String {
        self.0.clone()
    }

    fn items(&self) -> Vec<SignItem> {
        vec![SignItem::of(tagged("frostmesh/text", self.0.as_bytes()))]
    }

    fn shown(&self) -> Vec<(&'static str, String)> {
        vec![("text", self.0.clone())]
    }
}
