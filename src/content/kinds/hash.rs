//! 32 bytes that are signed as they are. Nobody can see what they mean.

use crate::content::kind::{ContentError, Input, Kind, KindInfo, MAX_CONTENT, SignItem};
use crate::frost::GroupKey;
use crate::label::Label;

/// A hash to sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hash([u8; 32]);

impl Hash {
    /// These bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl std::str::FromStr for Hash {
    type Err = ContentError;

    fn from_str(text: &str) -> Result<Self, ContentError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)
            .map_err(|_| ContentError::malformed("a hash is 64 hexadecimal digits"))?;
        Ok(Self(bytes))
    }
}

impl Kind for Hash {
    const INFO: KindInfo = KindInfo {
        name: "hash",
        label: Label::new("kind_hash", "Hash (32 bytes)"),
        asks: Label::new("asks_hash", "$1 asks you to sign this hash."),
        warning: Some(Label::new(
            "hash_warning",
            "Nobody can see what a hash means: it can stand for a payment as well as for anything \
             else. Sign it only if you know what it is.",
        )),
        needs: None,
        input: Input::Line,
        help: "32 bytes as hexadecimal digits; nobody can see what they mean",
        value_name: "HEX",
        max_size: MAX_CONTENT,
        conditions: &[],
    };

    fn read(written: &str, _key: Option<&GroupKey>) -> Result<Self, ContentError> {
        written.parse()
    }

    fn written(&self) -> String {
        hex::encode(self.0)
    }

    fn items(&self) -> Vec<SignItem> {
        vec![SignItem::of(self.0)]
    }

    fn shown(&self) -> Vec<(&'static str, String)> {
        vec![("hash", hex::encode(self.0))]
    }
}
