//! The messages of a wallet's members to each other, inside the frames of their secure channels
//! (docs/PROTOCOL.md, section 5).

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::per_item::{self, MAX_VALUE};
use super::{MAX_ITEMS, Outcome, Request, RequestId, Vote};
use crate::frost::Identifier;
use crate::wire::{MAX_PARTICIPANTS, WireError, clip, read};

/// The version of these messages. Version 1 knows requests of one content only, and does not name
/// its version.
pub const GROUP_VERSION: u32 = 2;

/// Names one run of a signing ceremony; drawn by its coordinator.
pub type CeremonyId = [u8; 16];

/// Most requests that one message lists.
pub const MAX_INVENTORY: usize = 128;
/// Most signing commitments in one part of a signing package: as JSON some 900 KB.
pub const MAX_PART: usize = 6 * 1024;

/// What a member holds of one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryItem {
    /// The request.
    #[serde(with = "hex::serde")]
    pub request: RequestId,
    /// The number of each member's last vote, by place; 0 for none.
    pub votes: Vec<u32>,
    /// Its signature.
    pub signed: bool,
}

/// One message between members.
#[derive(Clone, PartialEq, Eq)]
pub enum GroupMessage {
    /// All that the sender holds. The receiver answers with what that lacks.
    Inventory {
        /// The sender's version of these messages.
        version: u32,
        /// What it holds of each request.
        items: Vec<InventoryItem>,
    },
    /// A request.
    Request(Box<Request>),
    /// A vote.
    Vote(Vote),
    /// What came of a ceremony.
    Outcome {
        /// Of which request; none for a health check.
        request: Option<RequestId>,
        /// What came of it.
        outcome: Outcome,
        /// The signers.
        signers: Vec<Identifier>,
    },
    /// A coordinator asks a signer to take part in a ceremony.
    Start {
        /// The ceremony.
        ceremony: CeremonyId,
        /// The request that it carries out; none for a health check.
        request: Option<RequestId>,
        /// The signers, ascending.
        signers: Vec<Identifier>,
        /// The signers' votes, for members that lack them.
        votes: Vec<Vote>,
    },
    /// A message of the rounds of a ceremony.
    Round {
        /// The ceremony.
        ceremony: CeremonyId,
        /// The message.
        message: RoundMessage,
    },
    /// A signer does not take part.
    Refused {
        /// The ceremony.
        ceremony: CeremonyId,
        /// For people.
        reason: String,
    },
    /// The sender has signed in a health check, and the signature verified.
    Checked,
}

/// A message of the rounds of a ceremony. What there is one of for each item is a list in the order
/// of the items.
#[derive(Clone, PartialEq, Eq)]
pub enum RoundMessage {
    /// To the coordinator: the sender's `SigningCommitments::serialize()` for each item.
    SigningCommitments(Vec<Vec<u8>>),
    /// To each signer: all signers' commitments, in one part or several. A part holds those of
    /// whole items.
    SigningPackage {
        /// The first item of this part, from 0. Parts follow each other without a gap.
        first: usize,
        /// Item by item, and of each item in the order of the signers.
        commitments: Vec<Vec<u8>>,
    },
    /// To the coordinator: the sender's signature share of each item, 32 bytes.
    SignatureShares(Vec<Vec<u8>>),
}

impl RoundMessage {
    /// Its `type`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::SigningCommitments(_) => "signing_commitment",
            Self::SigningPackage { .. } => "signing_package",
            Self::SignatureShares(_) => "signature_share",
        }
    }

    /// Whether it is for the coordinator of the ceremony, and not for a member that takes part.
    #[must_use]
    pub fn is_for_coordinator(&self) -> bool {
        match self {
            Self::SigningCommitments(_) | Self::SignatureShares(_) => true,
            Self::SigningPackage { .. } => false,
        }
    }
}

/// One value for each item: see [`per_item`].
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct PerItem(#[serde(with = "per_item")] Vec<Vec<u8>>);

/// A message with every field that any has.
#[derive(Default, Serialize, Deserialize)]
struct Written {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    holdings: Option<Vec<InventoryItem>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<Box<Request>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vote: Option<Vote>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ceremony: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signers: Option<Vec<Identifier>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    votes: Vec<Vote>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    commitments: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<PerItem>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl GroupMessage {
    /// Its `type`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Inventory { .. } => "holdings",
            Self::Request(_) => "request",
            Self::Vote(_) => "vote",
            Self::Outcome { outcome: Outcome::Signatures(_), .. } => "signature",
            Self::Start { .. } => "start",
            Self::Round { message, .. } => message.kind(),
            Self::Refused { .. } => "refused",
            Self::Checked => "checked",
        }
    }

    /// Reads what came over a secure channel.
    ///
    /// # Errors
    /// What is wrong with it. `UnknownType` is for the caller to count and ignore.
    pub fn parse(text: &str) -> Result<Self, WireError> {
        let written: Written = read(text)?;
        let kind = KINDS.iter().find(|kind| **kind == written.kind);
        let kind = *kind.ok_or_else(|| WireError::UnknownType(clip(&written.kind)))?;
        let needs = |field| WireError::Missing { kind, field };
        let request = match &written.request {
            Some(text) => Some(bytes(kind, text)?),
            None => None,
        };
        let (ceremony, data) = (written.ceremony, written.data);
        let ceremony = || bytes(kind, ceremony.as_deref().ok_or(needs("ceremony"))?);
        let data = || data.map(|PerItem(values)| values).ok_or(needs("data"));
        let signers = |list: Option<Vec<Identifier>>| {
            let list = list.ok_or(needs("signers"))?;
            let sorted = list.windows(2).all(|pair| pair[0] < pair[1]);
            let fits = sorted && (2..=MAX_PARTICIPANTS).contains(&list.len());
            fits.then_some(list).ok_or_else(|| {
                WireError::Malformed("'signers' is no sorted list of 2 to 64".to_owned())
            })
        };
        let round = |message| Ok(Self::Round { ceremony: ceremony()?, message });
        match kind {
            "holdings" => {
                let items = written.holdings.ok_or(needs("holdings"))?;
                if items.len() > MAX_INVENTORY
                    || items.iter().any(|held| held.votes.len() > MAX_PARTICIPANTS)
                {
                    return Err(WireError::Malformed(
                        "more holdings, or votes of one, than there can be".to_owned(),
                    ));
                }
                Ok(Self::Inventory { version: written.version.unwrap_or(1).max(1), items })
            }
            "request" => Ok(Self::Request(written.content.ok_or(needs("content"))?)),
            "vote" => Ok(Self::Vote(written.vote.ok_or(needs("vote"))?)),
            "signature" => {
                let outcome = Outcome::Signatures(data()?);
                Ok(Self::Outcome { request, outcome, signers: signers(written.signers)? })
            }
            "start" => {
                let (signers, votes) = (signers(written.signers)?, written.votes);
                if votes.len() > MAX_PARTICIPANTS {
                    return Err(WireError::Malformed(
                        "more votes than there can be signers".to_owned(),
                    ));
                }
                Ok(Self::Start { ceremony: ceremony()?, request, signers, votes })
            }
            "signing_commitment" => round(RoundMessage::SigningCommitments(data()?)),
            "signing_package" => {
                let list = written.commitments.as_ref().ok_or(needs("commitments"))?;
                if list.len() > MAX_PART {
                    return Err(WireError::Malformed(
                        "more commitments than a part can have".to_owned(),
                    ));
                }
                let commitments =
                    list.iter().map(|text| long(kind, text)).collect::<Result<_, _>>()?;
                let first = usize::try_from(written.first.unwrap_or(0)).unwrap_or(MAX_ITEMS);
                round(RoundMessage::SigningPackage { first, commitments })
            }
            "signature_share" => round(RoundMessage::SignatureShares(data()?)),
            "refused" => Ok(Self::Refused {
                ceremony: ceremony()?,
                reason: clip(&written.reason.unwrap_or_default()),
            }),
            _ => Ok(Self::Checked),
        }
    }

    /// The message as JSON text. A secret in it is wiped once it is sealed.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut written = Written { kind: self.kind().to_owned(), ..Written::default() };
        match self.clone() {
            Self::Inventory { version, items } => {
                written.version = Some(version).filter(|version| *version > 1);
                written.holdings = Some(items);
            }
            Self::Request(request) => written.content = Some(request),
            Self::Vote(vote) => written.vote = Some(vote),
            Self::Outcome { request, outcome: Outcome::Signatures(signatures), signers } => {
                written.request = request.map(hex::encode);
                written.data = Some(PerItem(signatures));
                written.signers = Some(signers);
            }
            Self::Start { ceremony, request, signers, votes } => {
                written.ceremony = Some(hex::encode(ceremony));
                written.request = request.map(hex::encode);
                written.signers = Some(signers);
                written.votes = votes;
            }
            Self::Round { ceremony, message } => {
                written.ceremony = Some(hex::encode(ceremony));
                match message {
                    RoundMessage::SigningCommitments(data)
                    | RoundMessage::SignatureShares(data) => {
                        written.data = Some(PerItem(data));
                    }
                    RoundMessage::SigningPackage { first, commitments } => {
                        written.first = u32::try_from(first).ok().filter(|first| *first > 0);
                        written.commitments =
                            Some(commitments.into_iter().map(hex::encode).collect());
                    }
                }
            }
            Self::Refused { ceremony, reason } => {
                written.ceremony = Some(hex::encode(ceremony));
                written.reason = Some(reason);
            }
            Self::Checked => {}
        }
        Zeroizing::new(serde_json::to_string(&written).unwrap_or_default())
    }
}

/// Shows which message it is and no more: it may hold a share.
impl fmt::Debug for GroupMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

/// Shows which message it is and no more: it may hold a share.
impl fmt::Debug for RoundMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

const KINDS: [&str; 10] = [
    "holdings",
    "request",
    "vote",
    "signature",
    "start",
    "signing_commitment",
    "signing_package",
    "signature_share",
    "refused",
    "checked",
];

fn bytes<const N: usize>(kind: &'static str, text: &str) -> Result<[u8; N], WireError> {
    let mut bytes = [0; N];
    let read = hex::decode_to_slice(text, &mut bytes);
    read.map(|()| bytes)
        .map_err(|_| WireError::Malformed(format!("a name in '{kind}' is not {N} bytes as hex")))
}

fn long(kind: &'static str, text: &str) -> Result<Vec<u8>, WireError> {
    if text.len() > 2 * MAX_VALUE {
        return Err(WireError::TooLarge { size: text.len() / 2, limit: MAX_VALUE });
    }
    hex::decode(text)
        .map_err(|_| WireError::Malformed(format!("a value of '{kind}' is not hexadecimal")))
}
