//! A file. What is signed is the tagged hash `frostmesh/file` of its SHA-256. Name and size are
//! shown, and are not part of it: a file that was renamed is the same file.

use serde::{Deserialize, Serialize};

use crate::content::kind::{ContentError, Input, Kind, KindInfo, MAX_CONTENT, SignItem, tagged};
use crate::frost::GroupKey;
use crate::label::Label;

/// Longest name of a file, in bytes.
const MAX_NAME: usize = 255;

/// A file to sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its name where it is stored; for people.
    pub name: String,
    /// Its size in bytes; for people.
    pub size: u64,
    /// The SHA-256 of its bytes.
    #[serde(with = "hex::serde")]
    pub sha256: [u8; 32],
}

impl File {
    /// As a request writes it: JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        // A text, a number and a text: serde_json has no way to fail on these.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Kind for File {
    const INFO: KindInfo = KindInfo {
        name: "file",
        label: Label::new("kind_file", "File"),
        asks: Label::new("asks_file", "$1 asks you to sign this file."),
        warning: None,
        needs: None,
        input: Input::FileHash,
        help: "A file",
        value_name: "FILE",
        max_size: MAX_CONTENT,
        conditions: &[],
    };

    fn read(written: &str, _key: Option<&GroupKey>) -> Result<Self, ContentError> {
        let malformed = || {
            ContentError::malformed(
                "this describes no file: it takes a name of up to 255 bytes, a size and a SHA-256",
            )
        };
        let file: Self = serde_json::from_str(written).map_err(|_| malformed())?;
        let named =
            (1..=MAX_NAME).contains(&file.name.len()) && !file.name.chars().any(char::is_control);
        if named { Ok(file) } else { Err(malformed()) }
    }

    fn written(&self) -> String {
        self.to_json()
    }

    fn items(&self) -> Vec<SignItem> {
        vec![SignItem::of(tagged("frostmesh/file", &self.sha256))]
    }

    fn shown(&self) -> Vec<(&'static str, String)> {
        vec![
            ("name", self.name.clone()),
            ("size", self.size.to_string()),
            ("sha256", hex::encode(self.sha256)),
        ]
    }
}
