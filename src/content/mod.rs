//! What people sign, by kind: each is one module that reads it, shows it, and makes it into the 32 bytes that are signed.
//!
//! Every signer makes those bytes itself, from what it shows. Text and files are hashed under tags of their own (as in
//! BIP-340), so that nothing that is shown as one of these can be an event, a transaction, or the other.

mod file;
mod hash;
mod nostr;
mod text;

use sha2::Digest as _;

pub use file::File;
pub use hash::Hash;
pub use nostr::NostrEvent;
pub use text::Text;

/// Largest content that is shown before it is signed, in bytes: text, or an event as JSON.
pub const MAX_CONTENT: usize = 64 * 1024;

/// Something to sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A text.
    Text(Text),
    /// A file, by its SHA-256.
    File(File),
    /// A Nostr event (NIP-01).
    NostrEvent(NostrEvent),
    /// 32 bytes of which nobody can see what they mean.
    Hash(Hash),
}

/// One signature to make: 32 bytes, and how the key is changed for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignItem {
    /// The 32 bytes that are signed.
    pub message: [u8; 32],
    /// The tweak of BIP-341 to add to the key, where the content asks for one. No kind does so far.
    pub tweak: Option<[u8; 32]>,
}

/// Why something cannot be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// More than [`MAX_CONTENT`].
    #[error("{size} bytes are too many: up to {MAX_CONTENT} are shown and signed")]
    TooLarge {
        /// Bytes.
        size: usize,
    },
    /// Nothing at all.
    #[error("there is nothing to sign")]
    Empty,
    /// Not 32 bytes as hex text.
    #[error("a hash is 64 hexadecimal digits")]
    Hash,
    /// Not the name, size and SHA-256 of a file.
    #[error("this describes no file: it takes a name of up to 255 bytes, a size and a SHA-256")]
    File,
    /// A kind that is not known here.
    #[error("content of the kind '{0}' is not known here")]
    Kind(String),
    /// An event, and a key that cannot sign one.
    #[error("Nostr takes signatures of wallets with the ciphersuite secp256k1-tr only")]
    NotNostr,
    /// Not an event as NIP-01 has it.
    #[error("this is no Nostr event: {0}")]
    Nostr(String),
}

impl Content {
    /// The name of its kind: `text`, `file`, `nostr-event`, `hash`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::File(_) => "file",
            Self::NostrEvent(_) => "nostr-event",
            Self::Hash(_) => "hash",
        }
    }

    /// Reads content as a request writes it. `author` is the x-only key that is to sign, if its signatures are those of BIP-340.
    ///
    /// # Errors
    /// A kind that is not known here, or what is wrong with the content.
    pub fn read(
        kind: &str,
        written: &str,
        author: Option<&[u8; 32]>,
    ) -> Result<Self, ContentError> {
        if written.len() > MAX_CONTENT {
            return Err(ContentError::TooLarge { size: written.len() });
        }
        Ok(match kind {
            "text" => Self::Text(Text::new(written.to_owned())?),
            "file" => Self::File(File::read(written)?),
            "nostr-event" => Self::NostrEvent(NostrEvent::parse(
                written,
                Some(author.ok_or(ContentError::NotNostr)?),
            )?),
            "hash" => Self::Hash(written.parse()?),
            other => return Err(ContentError::Kind(crate::wire::clip(other))),
        })
    }

    /// As a request writes it: the text itself, a hash as hex, anything else as JSON.
    #[must_use]
    pub fn written(&self) -> String {
        match self {
            Self::Text(text) => text.as_str().to_owned(),
            Self::File(file) => file.written(),
            Self::NostrEvent(event) => event.written(),
            Self::Hash(hash) => hex::encode(hash.digest()),
        }
    }

    /// The 32 bytes that are signed.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        match self {
            Self::Text(text) => text.digest(),
            Self::File(file) => file.digest(),
            Self::NostrEvent(event) => event.id(),
            Self::Hash(hash) => hash.digest(),
        }
    }

    /// What is signed, in order: one item, or several for a kind that needs several signatures.
    #[must_use]
    pub fn items(&self) -> Vec<SignItem> {
        vec![SignItem { message: self.digest(), tweak: None }]
    }

    /// What a person has to see before signing: names of fields and what stands in them. Values are as they came; whoever
    /// shows them sees to it that they cannot pass for anything else.
    #[must_use]
    pub fn shown(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Text(text) => text.shown(),
            Self::File(file) => file.shown(),
            Self::NostrEvent(event) => event.shown(),
            Self::Hash(hash) => hash.shown(),
        }
    }
}

/// `SHA-256(SHA-256(tag) || SHA-256(tag) || bytes)`, as in BIP-340.
fn tagged(tag: &str, bytes: &[u8]) -> [u8; 32] {
    crate::identity::tagged(tag).chain_update(bytes).finalize().into()
}
