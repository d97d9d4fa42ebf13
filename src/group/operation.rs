//! What members of a wallet decide on, and what comes of it. A request carries an [`Operation`] as
//! a kind and a text; a ceremony carries it out; an [`Outcome`] is what that comes to.

use serde::{Deserialize, Serialize};

use crate::content::{Content, ContentError, SignItem};
use crate::frost::{BadSignature, GroupKey, Suite};

/// Most items of one operation to sign.
pub const MAX_ITEMS: usize = 1024;
/// Most items of one operation times the signers of each: as many signing commitments travel to
/// every signer.
pub const MAX_COMMITMENTS: usize = 24 * MAX_ITEMS;
/// Largest text of an operation, in bytes. As JSON inside JSON it takes up to twice that, which one
/// message on a secure channel has room for.
pub const MAX_OPERATION: usize = 448 * 1024;
/// The kind of an operation to sign several contents.
const BATCH: &str = "batch";

/// What members decide on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// To sign something.
    Sign(SignTask),
}

/// What an operation comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The signatures of all items, in their order.
    Signatures(Vec<Vec<u8>>),
}

/// One or several contents to sign. Members approve all of them or none, and one ceremony signs
/// them all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignTask {
    contents: Vec<Content>,
    items: Vec<SignItem>,
}

/// Why an operation cannot be read or made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperationError {
    /// One content is wrong.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// One of several contents is wrong.
    #[error("content {number} of {total}: {error}")]
    OneOf {
        /// Which, from 1.
        number: usize,
        /// How many there are.
        total: usize,
        /// What is wrong with it.
        error: ContentError,
    },
    /// No content, or too much of it.
    #[error("{0} signatures cannot be asked for at once: 1 to {MAX_ITEMS} can")]
    Items(usize),
    /// Too many for that many signers.
    #[error(
        "{items} signatures are too many for one request of a wallet with {threshold} signers: up to {most} are not"
    )]
    Signers {
        /// Items.
        items: usize,
        /// Signers needed.
        threshold: usize,
        /// Most items with that many signers.
        most: usize,
    },
    /// More than [`MAX_OPERATION`].
    #[error("{size} bytes are too many for one request: up to {MAX_OPERATION} are not")]
    TooLarge {
        /// Bytes.
        size: usize,
    },
    /// The text of a batch is no list of two or more contents.
    #[error("this is no list of contents with a kind each")]
    Batch,
    /// An item asks for a tweak of the key, for which there is no signing yet.
    #[error("this asks for a tweaked key, which is not supported yet")]
    Tweak,
}

/// Why an outcome is not that of an operation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutcomeError {
    /// Another number of signatures than of items.
    #[error("{found} signatures, where {expected} were asked for")]
    Count {
        /// Signatures.
        found: usize,
        /// Items.
        expected: usize,
    },
    /// A signature does not count.
    #[error("{error}")]
    Signature {
        /// Of which item, from 0.
        item: usize,
        /// Why.
        error: BadSignature,
    },
}

/// One content of a batch, as it is written.
#[derive(Serialize, Deserialize)]
struct Written {
    kind: String,
    content: String,
}

impl Operation {
    /// To sign one content.
    ///
    /// # Errors
    /// It yields no item, too many, or one with a tweak.
    pub fn sign(content: Content) -> Result<Self, OperationError> {
        SignTask::new(vec![content]).map(Self::Sign)
    }

    /// Its kind: that of its content if there is one, else `batch`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Sign(task) => match &task.contents[..] {
                [content] => content.kind(),
                _ => BATCH,
            },
        }
    }

    /// As a request writes it: one content as its kind writes it, several as a JSON list of objects
    /// with `kind` and `content`.
    #[must_use]
    pub fn written(&self) -> String {
        match self {
            Self::Sign(task) => match &task.contents[..] {
                [content] => content.written(),
                several => written(several),
            },
        }
    }

    /// Reads what a request writes. `key` is the group key that is to sign.
    ///
    /// # Errors
    /// A kind that is not known here, or what is wrong with it.
    pub fn read(kind: &str, text: &str, key: Option<&GroupKey>) -> Result<Self, OperationError> {
        if kind != BATCH {
            return Self::sign(Content::read(kind, text, key)?);
        }
        if text.len() > MAX_OPERATION {
            return Err(OperationError::TooLarge { size: text.len() });
        }
        let list: Vec<Written> = serde_json::from_str(text).map_err(|_| OperationError::Batch)?;
        let total = list.len();
        if total < 2 {
            return Err(OperationError::Batch);
        }
        if total > MAX_ITEMS {
            return Err(OperationError::Items(total));
        }
        let mut contents = Vec::with_capacity(total);
        for (index, Written { kind, content }) in list.into_iter().enumerate() {
            let number = index + 1;
            let read = Content::read(&kind, &content, key);
            contents.push(read.map_err(|error| OperationError::OneOf { number, total, error })?);
        }
        SignTask::new(contents).map(Self::Sign)
    }

    /// The oldest version of the members' messages that knows it (docs/PROTOCOL.md, section 5).
    #[must_use]
    pub fn version(&self) -> u32 {
        match self {
            Self::Sign(task) if task.contents.len() == 1 && task.items.len() == 1 => 1,
            Self::Sign(_) => 2,
        }
    }

    /// Whether it can be carried out with that many signers.
    ///
    /// # Errors
    /// [`OperationError::Signers`].
    pub fn check_signers(&self, threshold: usize) -> Result<(), OperationError> {
        let Self::Sign(task) = self;
        let (items, most) = (task.items.len(), MAX_COMMITMENTS / threshold.max(1));
        if items > most {
            return Err(OperationError::Signers { items, threshold, most });
        }
        Ok(())
    }

    /// What people see of it, in order. Empty for an operation that signs nothing.
    #[must_use]
    pub fn contents(&self) -> &[Content] {
        match self {
            Self::Sign(task) => task.contents(),
        }
    }

    /// What is signed, in order. Empty for an operation that signs nothing.
    #[must_use]
    pub fn items(&self) -> &[SignItem] {
        match self {
            Self::Sign(task) => task.items(),
        }
    }

    /// Whether that is its outcome, with this group key.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn verify(
        &self,
        suite: Suite,
        pubkey: &[u8],
        outcome: &Outcome,
    ) -> Result<(), OutcomeError> {
        let (Self::Sign(task), Outcome::Signatures(signatures)) = (self, outcome);
        let (found, expected) = (signatures.len(), task.items.len());
        if found != expected {
            return Err(OutcomeError::Count { found, expected });
        }
        for (item, (asked, signature)) in task.items.iter().zip(signatures).enumerate() {
            suite
                .verify(pubkey, &asked.message, signature)
                .map_err(|error| OutcomeError::Signature { item, error })?;
        }
        Ok(())
    }
}

impl Outcome {
    /// The signatures of all items, in their order. Empty for an outcome without any.
    #[must_use]
    pub fn signatures(&self) -> &[Vec<u8>] {
        match self {
            Self::Signatures(signatures) => signatures,
        }
    }
}

impl SignTask {
    /// To sign all of these, in this order.
    ///
    /// # Errors
    /// They yield no item, more than [`MAX_ITEMS`], one with a tweak, or more text than
    /// [`MAX_OPERATION`].
    pub fn new(contents: Vec<Content>) -> Result<Self, OperationError> {
        let items: Vec<SignItem> = contents.iter().flat_map(Content::items).collect();
        if !(1..=MAX_ITEMS).contains(&items.len()) {
            return Err(OperationError::Items(items.len()));
        }
        if items.iter().any(|item| item.tweak.is_some()) {
            return Err(OperationError::Tweak);
        }
        if contents.len() > 1 {
            let size = written(&contents).len();
            if size > MAX_OPERATION {
                return Err(OperationError::TooLarge { size });
            }
        }
        Ok(Self { contents, items })
    }

    /// What people see.
    #[must_use]
    pub fn contents(&self) -> &[Content] {
        &self.contents
    }

    /// What is signed: the items of all contents, in their order.
    #[must_use]
    pub fn items(&self) -> &[SignItem] {
        &self.items
    }
}

fn written(contents: &[Content]) -> String {
    let one =
        |content: &Content| Written { kind: content.kind().to_owned(), content: content.written() };
    let list: Vec<Written> = contents.iter().map(one).collect();
    serde_json::to_string(&list).unwrap_or_default()
}
