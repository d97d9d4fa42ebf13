//! Content without the type of its kind, and how each kind is listed.

use std::fmt;
use std::sync::Arc;

use super::kind::{ContentError, Kind, KindInfo, SignItem};
use crate::frost::GroupKey;

/// Something to sign. Copies share it.
#[derive(Clone)]
pub struct Content(Arc<dyn Value>);

/// The methods of [`Kind`] that need no type.
trait Value: Send + Sync {
    fn info(&self) -> &'static KindInfo;
    fn written(&self) -> String;
    fn items(&self) -> Vec<SignItem>;
    fn shown(&self) -> Vec<(&'static str, String)>;
}

impl<K: Kind> Value for K {
    fn info(&self) -> &'static KindInfo {
        &K::INFO
    }

    fn written(&self) -> String {
        Kind::written(self)
    }

    fn items(&self) -> Vec<SignItem> {
        Kind::items(self)
    }

    fn shown(&self) -> Vec<(&'static str, String)> {
        Kind::shown(self)
    }
}

/// Reads content of one kind.
pub(super) type Read = fn(&str, Option<&GroupKey>) -> Result<Content, ContentError>;

/// A kind as it is listed: what it says about itself, and its reader.
pub(super) struct Listed {
    pub info: &'static KindInfo,
    pub read: Read,
}

impl Listed {
    pub const fn of<K: Kind>() -> Self {
        Self { info: &K::INFO, read: |written, key| K::read(written, key).map(Content::of) }
    }
}

impl Content {
    /// Content of a kind.
    pub(super) fn of(value: impl Kind) -> Self {
        Self(Arc::new(value))
    }

    /// What its kind says about itself.
    #[must_use]
    pub fn info(&self) -> &'static KindInfo {
        self.0.info()
    }

    /// The name of its kind: `text`, `file`, `nostr-event`, `hash`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.info().name
    }

    /// As a request writes it.
    #[must_use]
    pub fn written(&self) -> String {
        self.0.written()
    }

    /// What is signed, in order: one item, or several for a kind that needs several signatures.
    #[must_use]
    pub fn items(&self) -> Vec<SignItem> {
        self.0.items()
    }

    /// The message of the first item. All there is to sign, for kinds with one item.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.items().first().map(|item| item.message).unwrap_or_default()
    }

    /// What a person has to see before signing: names of fields, and what stands in them. The
    /// values are as they came: a surface has to show them so that they cannot pass for anything
    /// else.
    #[must_use]
    pub fn shown(&self) -> Vec<(&'static str, String)> {
        self.0.shown()
    }
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        self.kind() == other.kind() && self.written() == other.written()
    }
}

impl Eq for Content {}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content")
            .field("kind", &self.kind())
            .field("written", &self.written())
            .finish()
    }
}
