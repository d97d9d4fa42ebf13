//! A Nostr event (NIP-01). What is signed is its id, which is computed here from what is shown and
//! never taken from the member that asks.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::content::kind::{Condition, ContentError, Input, Kind, KindInfo, MAX_CONTENT, SignItem};
use crate::frost::{GroupKey, Use};
use crate::label::Label;

/// Most tags of an event, and most texts in one tag.
const MAX_TAGS: usize = 2_000;

/// An event. A signature that came with it is ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NostrEvent {
    /// The author's x-only key.
    pub pubkey: [u8; 32],
    /// Seconds since 1970.
    pub created_at: u64,
    /// Its kind: 1 is a short text note.
    pub kind: u16,
    /// Its tags.
    pub tags: Vec<Vec<String>>,
    /// Its content.
    pub content: String,
}

/// An event as JSON. A member that asks for a signature may leave out `id` and `pubkey`.
#[derive(Serialize, Deserialize)]
struct Written {
    id: Option<String>,
    pubkey: Option<String>,
    created_at: u64,
    kind: u16,
    tags: Vec<Vec<String>>,
    content: String,
}

impl NostrEvent {
    /// Reads an event as JSON. `author` is the x-only key that is to sign. With it, the event may
    /// leave out its `pubkey`, and must not name another one.
    ///
    /// # Errors
    /// What is missing or does not fit, such as an `id` that is not this event's.
    pub fn parse(json: &str, author: Option<&[u8; 32]>) -> Result<Self, ContentError> {
        if json.len() > MAX_CONTENT {
            return Err(ContentError::TooLarge { size: json.len(), most: MAX_CONTENT });
        }
        let bad = |what: &str| ContentError::malformed(format!("this is no Nostr event: {what}"));
        let event: Written = serde_json::from_str(json).map_err(|error| bad(&error.to_string()))?;
        if event.tags.len() > MAX_TAGS || event.tags.iter().any(|tag| tag.len() > MAX_TAGS) {
            return Err(bad("it has too many tags"));
        }
        let bytes = |text: &str| {
            let mut bytes = [0; 32];
            // NIP-01 writes lower case only: an id in another case is another text to everyone
            // else.
            let fine = text.bytes().all(|b| !b.is_ascii_uppercase())
                && hex::decode_to_slice(text, &mut bytes).is_ok();
            fine.then_some(bytes)
        };
        let named = match &event.pubkey {
            Some(text) => Some(
                bytes(text)
                    .ok_or_else(|| bad("its pubkey is not 64 hexadecimal digits in lower case"))?,
            ),
            None => None,
        };
        let pubkey = match (named, author) {
            (Some(named), Some(author)) if named != *author => {
                return Err(bad("its pubkey is not the wallet's"));
            }
            (Some(key), _) => key,
            (None, Some(author)) => *author,
            (None, None) => return Err(bad("it has no pubkey")),
        };
        let (created_at, kind) = (event.created_at, event.kind);
        let made = Self { pubkey, created_at, kind, tags: event.tags, content: event.content };
        if event.id.is_some_and(|id| bytes(&id) != Some(made.id())) {
            return Err(bad("its id is that of another event"));
        }
        Ok(made)
    }

    /// The id of NIP-01: SHA-256 of `[0, pubkey, created_at, kind, tags, content]` as JSON without
    /// spaces. Control characters for which NIP-01 has no escape are written as every JSON library
    /// writes them, which is what Nostr's clients do.
    #[must_use]
    pub fn id(&self) -> [u8; 32] {
        let parts =
            (0, hex::encode(self.pubkey), self.created_at, self.kind, &self.tags, &self.content);
        // Numbers and texts in lists: serde_json has no way to fail on these.
        Sha256::digest(serde_json::to_vec(&parts).unwrap_or_default()).into()
    }
}

impl Kind for NostrEvent {
    const INFO: KindInfo = KindInfo {
        name: "nostr-event",
        label: Label::new("kind_nostr", "Nostr event (JSON)"),
        asks: Label::new("asks_nostr", "$1 asks you to sign this Nostr event."),
        warning: None,
        needs: Some(Use::NOSTR),
        input: Input::Document,
        help: "A file that holds a Nostr event (NIP-01) as JSON",
        value_name: "FILE",
        max_size: MAX_CONTENT,
        conditions: &[Condition { name: "nostr_kinds", field: "kind" }],
    };

    fn read(written: &str, key: Option<&GroupKey>) -> Result<Self, ContentError> {
        let author = match key {
            Some(key) => Some(key.x_only().ok_or(ContentError::Use(Use::NOSTR))?),
            None => None,
        };
        Self::parse(written, author.as_ref())
    }

    /// The event as JSON, as NIP-01 writes it, without a signature.
    fn written(&self) -> String {
        let event = Written {
            id: Some(hex::encode(self.id())),
            pubkey: Some(hex::encode(self.pubkey)),
            created_at: self.created_at,
            kind: self.kind,
            tags: self.tags.clone(),
            content: self.content.clone(),
        };
        serde_json::to_string(&event).unwrap_or_default()
    }

    fn items(&self) -> Vec<SignItem> {
        vec![SignItem::of(self.id())]
    }

    fn shown(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![
            ("kind", self.kind.to_string()),
            ("created_at", self.created_at.to_string()),
            ("content", self.content.clone()),
        ];
        let tag = |tag: &Vec<String>| serde_json::to_string(tag).unwrap_or_default();
        fields.extend(self.tags.iter().map(|t| ("tag", tag(t))));
        fields.push(("pubkey", hex::encode(self.pubkey)));
        fields.push(("id", hex::encode(self.id())));
        fields
    }
}
