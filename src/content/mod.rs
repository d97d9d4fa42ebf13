//! What people sign, by kind. A kind is one file in `kinds`, which says everything about it: how it
//! is read and shown, what is signed for it, and how screens, command line and policies deal with
//! it.
//!
//! Every signer makes the 32 bytes that are signed itself, from what it shows. Text and files are
//! hashed under tags of their own (as in BIP-340), so that nothing that is shown as one of these
//! can be an event, a transaction, or the other.
//!
//! | file | what it is for |
//! | --- | --- |
//! | `kinds/` | the list of kinds, and one file for each |
//! | `kind` | what such a file says: the trait `Kind` |
//! | `value` | content of any kind |

mod kind;
mod kinds;
mod value;

pub use kind::{Condition, ContentError, Input, KindInfo, MAX_CONTENT, SignItem};
pub use kinds::*;
pub use value::Content;

use crate::frost::GroupKey;

/// All kinds, in the order in which people choose from them.
pub fn kinds() -> impl Iterator<Item = &'static KindInfo> {
    kinds::KINDS.iter().map(|kind| kind.info)
}

impl Content {
    /// Reads content as a request writes it: the text itself, a hash as hex, anything else as JSON.
    /// `key` is the group key that is to sign; there is none where a signature is checked, whoever
    /// made it.
    ///
    /// # Errors
    /// A kind that is not known here, a key that cannot sign it, or what is wrong with the content.
    pub fn read(kind: &str, written: &str, key: Option<&GroupKey>) -> Result<Self, ContentError> {
        let listed = kinds::KINDS.iter().find(|listed| listed.info.name == kind);
        let listed = listed.ok_or_else(|| ContentError::Kind(crate::wire::clip(kind)))?;
        let (size, most) = (written.len(), listed.info.max_size);
        if size > most {
            return Err(ContentError::TooLarge { size, most });
        }
        if let (Some(purpose), Some(key)) = (listed.info.needs, key)
            && !key.suite().is_for(purpose)
        {
            return Err(ContentError::Use(purpose));
        }
        (listed.read)(written, key)
    }
}
