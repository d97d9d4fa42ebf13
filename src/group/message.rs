//! What the members of a wallet say to each other inside the frames of their links (docs/PROTOCOL.md, section 5).

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Request, RequestId, Vote};
use crate::frost::Identifier;
use crate::wire::{MAX_PARTICIPANTS, WireError, clip, read};

/// Names one run of a signing ceremony; drawn by its coordinator.
pub type CeremonyId = [u8; 16];

/// Most requests that one message lists.
pub const MAX_INVENTORY: usize = 128;
/// Largest commitments, share or signature, in bytes.
const MAX_DATA: usize = 256;

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
    Inventory(Vec<InventoryItem>),
    /// A request.
    Request(Box<Request>),
    /// A vote.
    Vote(Vote),
    /// What came out of a ceremony.
    Signature {
        /// What was signed: a request, or the text of health checks.
        request: Option<RequestId>,
        /// The signature.
        data: Vec<u8>,
        /// Who signed.
        signers: Vec<Identifier>,
    },
    /// A coordinator asks a signer for its commitments.
    Start {
        /// The ceremony.
        ceremony: CeremonyId,
        /// What is to be signed: a request, or the text of health checks.
        request: Option<RequestId>,
        /// Who is to sign, in order.
        signers: Vec<Identifier>,
        /// The signers' votes, for who has not heard them.
        votes: Vec<Vote>,
    },
    /// A signer's commitments.
    SigningCommitments {
        /// The ceremony.
        ceremony: CeremonyId,
        /// `SigningCommitments::serialize()`.
        data: Vec<u8>,
    },
    /// Everyone's commitments.
    SigningPackage {
        /// The ceremony.
        ceremony: CeremonyId,
        /// In the order of the signers.
        commitments: Vec<Vec<u8>>,
    },
    /// A signer's signature share.
    SignatureShare {
        /// The ceremony.
        ceremony: CeremonyId,
        /// 32 bytes.
        data: Vec<u8>,
    },
    /// A signer does not take part.
    Refused {
        /// The ceremony.
        ceremony: CeremonyId,
        /// For people.
        reason: String,
    },
    /// The sender has signed the text of health checks with others, and it verified.
    Checked,
}

/// A message with every field that any has.
#[derive(Default, Serialize, Deserialize)]
struct Written {
    #[serde(rename = "type")]
    kind: String,
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
    commitments: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl GroupMessage {
    /// Its `type`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Inventory(_) => "holdings",
            Self::Request(_) => "request",
            Self::Vote(_) => "vote",
            Self::Signature { .. } => "signature",
            Self::Start { .. } => "start",
            Self::SigningCommitments { .. } => "signing_commitment",
            Self::SigningPackage { .. } => "signing_package",
            Self::SignatureShare { .. } => "signature_share",
            Self::Refused { .. } => "refused",
            Self::Checked => "checked",
        }
    }

    /// Reads what came over a link.
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
        let data = || long(kind, data.as_deref().ok_or(needs("data"))?);
        let signers = |list: Option<Vec<Identifier>>| {
            let list = list.ok_or(needs("signers"))?;
            let sorted = list.windows(2).all(|pair| pair[0] < pair[1]);
            let fits = sorted && (2..=MAX_PARTICIPANTS).contains(&list.len());
            fits.then_some(list).ok_or_else(|| {
                WireError::Malformed("'signers' is no sorted list of 2 to 64".to_owned())
            })
        };
        Ok(match kind {
            "holdings" => {
                let list = written.holdings.ok_or(needs("holdings"))?;
                if list.len() > MAX_INVENTORY
                    || list.iter().any(|held| held.votes.len() > MAX_PARTICIPANTS)
                {
                    return Err(WireError::Malformed(
                        "more holdings, or votes of one, than there can be".to_owned(),
                    ));
                }
                Self::Inventory(list)
            }
            "request" => Self::Request(written.content.ok_or(needs("content"))?),
            "vote" => Self::Vote(written.vote.ok_or(needs("vote"))?),
            "signature" => {
                Self::Signature { request, data: data()?, signers: signers(written.signers)? }
            }
            "start" => {
                let (signers, votes) = (signers(written.signers)?, written.votes);
                if votes.len() > MAX_PARTICIPANTS {
                    return Err(WireError::Malformed(
                        "more votes than there can be signers".to_owned(),
                    ));
                }
                Self::Start { ceremony: ceremony()?, request, signers, votes }
            }
            "signing_commitment" => {
                Self::SigningCommitments { ceremony: ceremony()?, data: data()? }
            }
            "signing_package" => {
                let list = written.commitments.as_ref().ok_or(needs("commitments"))?;
                if list.len() > MAX_PARTICIPANTS {
                    return Err(WireError::Malformed(
                        "more commitments than there can be signers".to_owned(),
                    ));
                }
                let commitments =
                    list.iter().map(|text| long(kind, text)).collect::<Result<_, _>>()?;
                Self::SigningPackage { ceremony: ceremony()?, commitments }
            }
            "signature_share" => Self::SignatureShare { ceremony: ceremony()?, data: data()? },
            "refused" => Self::Refused {
                ceremony: ceremony()?,
                reason: clip(&written.reason.unwrap_or_default()),
            },
            _ => Self::Checked,
        })
    }

    /// The message as JSON text, which holds no secret for longer than the link needs to seal it.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut written = Written { kind: self.kind().to_owned(), ..Written::default() };
        match self.clone() {
            Self::Inventory(list) => written.holdings = Some(list),
            Self::Request(request) => written.content = Some(request),
            Self::Vote(vote) => written.vote = Some(vote),
            Self::Signature { request, data, signers } => {
                written.request = request.map(hex::encode);
                written.data = Some(hex::encode(data));
                written.signers = Some(signers);
            }
            Self::Start { ceremony, request, signers, votes } => {
                written.ceremony = Some(hex::encode(ceremony));
                written.request = request.map(hex::encode);
                written.signers = Some(signers);
                written.votes = votes;
            }
            Self::SigningCommitments { ceremony, data }
            | Self::SignatureShare { ceremony, data } => {
                written.ceremony = Some(hex::encode(ceremony));
                written.data = Some(hex::encode(data));
            }
            Self::SigningPackage { ceremony, commitments } => {
                written.ceremony = Some(hex::encode(ceremony));
                written.commitments = Some(commitments.into_iter().map(hex::encode).collect());
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

/// Says which message it is and no more.
impl fmt::Debug for GroupMessage {
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
    if text.len() > 2 * MAX_DATA {
        return Err(WireError::TooLarge { size: text.len() / 2, limit: MAX_DATA });
    }
    hex::decode(text)
        .map_err(|_| WireError::Malformed(format!("'data' of '{kind}' is not hexadecimal")))
}
