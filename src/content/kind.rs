//! What the file of a kind of content says about it: [`Kind`].

use std::borrow::Cow;

use serde::Serialize;
use sha2::Digest as _;

use crate::frost::{GroupKey, Suite, Use};
use crate::label::Label;

/// Most bytes of content that are shown before it is signed, unless its kind says less.
pub const MAX_CONTENT: usize = 64 * 1024;

/// One signature to make: 32 bytes, and how the key is changed for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignItem {
    /// The 32 bytes that are signed.
    pub message: [u8; 32],
    /// The tweak of BIP-341 to add to the key, where the content asks for one. No kind does so far.
    pub tweak: Option<[u8; 32]>,
}

impl SignItem {
    /// A signature of those bytes with the key as it is.
    #[must_use]
    pub fn of(message: [u8; 32]) -> Self {
        Self { message, tweak: None }
    }
}

/// What a kind of content says about itself, as plain values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KindInfo {
    /// Its name in requests, commands and policies: `nostr-event`.
    pub name: &'static str,
    /// What people call it.
    pub label: Label,
    /// What a member is asked to do; `$1` stands for the member that asks.
    pub asks: Label,
    /// What people have to know before they sign it, if they cannot see what it means.
    pub warning: Option<Label>,
    /// What a wallet's key must be usable for to sign it. Any key can, if there is nothing.
    pub needs: Option<Use>,
    /// How people give it.
    pub input: Input,
    /// The help of its argument on the command line, `--NAME`.
    pub help: &'static str,
    /// What its argument takes, in the help: `HEX`.
    pub value_name: &'static str,
    /// Most bytes of it, as a request writes it. At most [`MAX_CONTENT`].
    pub max_size: usize,
    /// What a rule of a policy can say about it, beyond what it can say about every kind.
    pub conditions: &'static [Condition],
}

/// How people give content of a kind, on a screen and on a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum Input {
    /// A text of several lines, taken exactly as it is.
    Text,
    /// One word or line. Space around it is not part of it.
    Line,
    /// A document: pasted on a screen, without the space around it; a file on a command line.
    Document,
    /// A file of any size. A request has its name, size and SHA-256, as `content::File` writes
    /// them.
    FileHash,
}

/// A field of a policy's rule that names values of one shown field: the rule fits content of the
/// kind that shows one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    /// Its name in a rule: `nostr_kinds`.
    pub name: &'static str,
    /// The name of the field that is shown: `kind`.
    pub field: &'static str,
}

/// A kind of content. A value of it is content that was read and can be signed.
pub(super) trait Kind: Sized + Send + Sync + 'static {
    /// Names, texts and limits.
    const INFO: KindInfo;

    /// Reads content as a request writes it, of at most [`KindInfo::max_size`] bytes. `key` is the
    /// group key that is to sign; there is none where a signature is checked, whoever made it.
    ///
    /// # Errors
    /// What is wrong with it.
    fn read(written: &str, key: Option<&GroupKey>) -> Result<Self, ContentError>;

    /// As a request writes it. What is read from that is equal, so that all members sign the same.
    fn written(&self) -> String;

    /// What is signed, in order: at least one item.
    fn items(&self) -> Vec<SignItem>;

    /// What a person has to see before signing: names of fields, and what stands in them.
    fn shown(&self) -> Vec<(&'static str, String)>;
}

/// Why something cannot be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// More than the kind takes.
    #[error("{size} bytes are too many: up to {most} are shown and signed")]
    TooLarge {
        /// Bytes.
        size: usize,
        /// [`KindInfo::max_size`].
        most: usize,
    },
    /// Nothing at all.
    #[error("there is nothing to sign")]
    Empty,
    /// It is not what its kind takes: says what it is not, or what the kind takes.
    #[error("{0}")]
    Malformed(Cow<'static, str>),
    /// A kind that is not known here.
    #[error("content of the kind '{0}' is not known here")]
    Kind(String),
    /// The wallet's key makes signatures that are worth nothing for this kind.
    #[error("{0} takes signatures of wallets with the ciphersuite {names} only", names = Suite::names_for(*.0))]
    Use(Use),
}

impl ContentError {
    /// [`ContentError::Malformed`].
    pub(super) fn malformed(why: impl Into<Cow<'static, str>>) -> Self {
        Self::Malformed(why.into())
    }
}

/// `SHA-256(SHA-256(tag) || SHA-256(tag) || bytes)`, as in BIP-340.
pub(super) fn tagged(tag: &str, bytes: &[u8]) -> [u8; 32] {
    crate::identity::tagged(tag).chain_update(bytes).finalize().into()
}
