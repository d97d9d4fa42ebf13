//! Messages between nodes (docs/PROTOCOL.md, section 2) and what signaling relays for them (section 1).
//!
//! Every peer message is `{"type": T, "payload": {...}}`. Ours carry `session_id` in every payload, which the baseline
//! allows everywhere, so that several sessions share one channel without guessing.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::{
    MAX_CANDIDATE, MAX_FRAME, MAX_PACKAGE, MAX_PARTICIPANTS, MAX_PEER_MESSAGE, MAX_SDP, PeerId, SessionId, WireError, clip,
};

/// Text of a peer message, ready to send. It may hold a share: wiped when dropped, and without a readable `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct PeerText(Zeroizing<String>);

impl PeerText {
    /// The JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PeerText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerText({} bytes)", self.0.len())
    }
}

/// A session proposal as it came: well formed, not yet judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The session's name, chosen by the initiator.
    pub session_id: SessionId,
    /// Number of participants claimed.
    pub total: u64,
    /// Signers needed.
    pub threshold: u64,
    /// Everyone who takes part, the initiator included, as the initiator listed them.
    pub participants: Vec<String>,
    /// FROST ciphersuite id; the baseline's is `FROST-secp256k1-SHA256-v1`.
    pub ciphersuite: Option<String>,
    /// Whether the initiator takes peers without a link (section 3, point 7). `None` from a baseline peer.
    pub allow_unverified: Option<bool>,
}

/// Why a peer ended a session, as it says itself. An extension to `session_response` with `accepted: false`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The kind of reason, one of the names of [`crate::node::ReasonKind`].
    pub kind: String,
    /// The participant that the sender blames, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub culprit: Option<String>,
}

/// One peer message. `session_id: None` stands for "the one session open with that peer".
#[derive(Clone, PartialEq, Eq)]
pub enum PeerMessage {
    /// Initiator to each other participant.
    SessionProposal(Proposal),
    /// Accepts, declines, or (with `accepted: false` later on) leaves the session.
    SessionResponse {
        /// The session.
        session_id: Option<SessionId>,
        /// Whether the sender takes part.
        accepted: bool,
        /// For people.
        reason: Option<String>,
        /// For programs (an extension).
        cause: Option<Cause>,
    },
    /// The sender's channel to the receiver is open.
    ChannelOpen {
        /// The sender's own id.
        peer_id: PeerId,
    },
    /// The sender's channels to every other participant are open.
    MeshReady {
        /// The session.
        session_id: Option<SessionId>,
    },
    /// Round 1 package, to all.
    Commitment {
        /// The session.
        session_id: Option<SessionId>,
        /// `round1::Package::serialize()`.
        data: Vec<u8>,
    },
    /// The sender holds every commitment.
    Ready {
        /// The session.
        session_id: Option<SessionId>,
    },
    /// Round 2 package, for the receiver alone. Secret.
    Share {
        /// The session.
        session_id: Option<SessionId>,
        /// `round2::Package::serialize()`.
        data: Zeroizing<Vec<u8>>,
    },
    /// The sender made and kept its key.
    WalletCreated {
        /// The session.
        session_id: Option<SessionId>,
        /// The compressed group key, as hex text in lower case.
        pubkey: String,
    },
    /// Answers a message that carried a `msg_id`.
    Ack {
        /// The `msg_id` it answers, as JSON text.
        msg_id: String,
    },
}

impl PeerMessage {
    /// The message's `type`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::SessionProposal(_) => "session_proposal",
            Self::SessionResponse { .. } => "session_response",
            Self::ChannelOpen { .. } => "channel_open",
            Self::MeshReady { .. } => "mesh_ready",
            Self::Commitment { .. } => "commitment",
            Self::Ready { .. } => "ready",
            Self::Share { .. } => "share",
            Self::WalletCreated { .. } => "wallet_created",
            Self::Ack { .. } => "ack",
        }
    }

    /// The session that the message names.
    #[must_use]
    pub fn session_id(&self) -> Option<&SessionId> {
        match self {
            Self::SessionProposal(p) => Some(&p.session_id),
            Self::SessionResponse { session_id, .. }
            | Self::MeshReady { session_id }
            | Self::Commitment { session_id, .. }
            | Self::Ready { session_id }
            | Self::Share { session_id, .. }
            | Self::WalletCreated { session_id, .. } => session_id.as_ref(),
            Self::ChannelOpen { .. } | Self::Ack { .. } => None,
        }
    }
}

/// Says which message it is and no more: a share must not reach a log by way of `{:?}`.
impl fmt::Debug for PeerMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(self.kind()).field("session_id", &self.session_id()).finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type")]
    kind: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

/// Every field that any payload has.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Payload {
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<SessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threshold: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    participants: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ciphersuite: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_unverified: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Cause>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer_id: Option<PeerId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Zeroizing<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pubkey: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    msg_id: Option<Box<RawValue>>,
}

impl PeerMessage {
    /// Reads one peer message; the second value is its `msg_id` (JSON text), which asks for an [`PeerMessage::Ack`].
    ///
    /// # Errors
    /// [`WireError`] says what is wrong. `UnknownType` is for the caller to count and ignore.
    pub fn parse(text: &str) -> Result<(Self, Option<String>), WireError> {
        if text.len() > MAX_PEER_MESSAGE {
            return Err(WireError::TooLarge { size: text.len(), limit: MAX_PEER_MESSAGE });
        }
        let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|e| WireError::json(&e))?;
        let kind = KINDS
            .iter()
            .find(|k| **k == envelope.kind)
            .ok_or_else(|| WireError::UnknownType(clip(&envelope.kind)))?;
        let payload: Payload = match envelope.payload {
            Some(raw) => serde_json::from_str(raw.get()).map_err(|e| WireError::json(&e))?,
            None => return Err(WireError::Missing { kind, field: "payload" }),
        };
        let mut msg_id = payload.msg_id.as_ref().map(|raw| raw.get().to_owned());
        if msg_id.as_ref().is_some_and(|id| id.len() > MAX_MSG_ID || id.starts_with(['{', '['])) {
            msg_id = None; // no identifier; nothing to answer
        }
        Ok((Self::from_payload(kind, payload)?, msg_id))
    }

    fn from_payload(kind: &'static str, mut p: Payload) -> Result<Self, WireError> {
        let missing = |field| WireError::Missing { kind, field };
        let session_id = p.session_id.take();
        Ok(match kind {
            "session_proposal" => Self::SessionProposal(Proposal {
                session_id: session_id.ok_or_else(|| missing("session_id"))?,
                total: p.total.ok_or_else(|| missing("total"))?,
                threshold: p.threshold.ok_or_else(|| missing("threshold"))?,
                participants: bounded_list(p.participants.ok_or_else(|| missing("participants"))?)?,
                ciphersuite: p.ciphersuite.map(|text| clip(&text)),
                allow_unverified: p.allow_unverified,
            }),
            "session_response" => Self::SessionResponse {
                session_id,
                accepted: p.accepted.ok_or_else(|| missing("accepted"))?,
                reason: p.reason.map(|text| clip(&text)),
                cause: p.cause,
            },
            "channel_open" => Self::ChannelOpen { peer_id: p.peer_id.ok_or_else(|| missing("peer_id"))? },
            "mesh_ready" => Self::MeshReady { session_id },
            "commitment" => {
                Self::Commitment { session_id, data: package(kind, p.data.as_deref())?.to_vec() }
            }
            "ready" => Self::Ready { session_id },
            "share" => Self::Share { session_id, data: package(kind, p.data.as_deref())? },
            "wallet_created" => Self::WalletCreated {
                session_id,
                pubkey: clip(&p.pubkey.ok_or_else(|| missing("pubkey"))?).to_ascii_lowercase(),
            },
            _ => Self::Ack { msg_id: p.msg_id.ok_or_else(|| missing("msg_id"))?.get().to_owned() },
        })
    }

    /// The message as JSON text.
    #[must_use]
    pub fn to_text(&self) -> PeerText {
        let session_id = self.session_id().cloned();
        let mut payload = Payload { session_id, ..Payload::default() };
        match self {
            Self::SessionProposal(p) => {
                payload.total = Some(p.total);
                payload.threshold = Some(p.threshold);
                payload.participants = Some(p.participants.clone());
                payload.ciphersuite.clone_from(&p.ciphersuite);
                payload.allow_unverified = p.allow_unverified;
            }
            Self::SessionResponse { accepted, reason, cause, .. } => {
                payload.accepted = Some(*accepted);
                payload.reason.clone_from(reason);
                payload.cause.clone_from(cause);
            }
            Self::ChannelOpen { peer_id } => payload.peer_id = Some(peer_id.clone()),
            Self::MeshReady { .. } | Self::Ready { .. } => {}
            Self::Commitment { data, .. } => payload.data = Some(Zeroizing::new(hex::encode(data))),
            Self::Share { data, .. } => payload.data = Some(Zeroizing::new(hex::encode(data.as_slice()))),
            Self::WalletCreated { pubkey, .. } => payload.pubkey = Some(pubkey.clone()),
            Self::Ack { msg_id } => payload.msg_id = RawValue::from_string(msg_id.clone()).ok(),
        }
        #[derive(Serialize)]
        struct Out<'a> {
            #[serde(rename = "type")]
            kind: &'static str,
            payload: &'a Payload,
        }
        // Grown once, so that no copy of a share stays behind in a buffer that was too small.
        let mut text = Vec::with_capacity(512 + payload.data.as_ref().map_or(0, |d| d.len()) + text_size(&payload));
        let _ = serde_json::to_writer(&mut text, &Out { kind: self.kind(), payload: &payload });
        PeerText(Zeroizing::new(String::from_utf8(text).unwrap_or_default()))
    }
}

fn text_size(payload: &Payload) -> usize {
    payload.participants.as_ref().map_or(0, |list| list.iter().map(|id| id.len() + 3).sum())
}

const MAX_MSG_ID: usize = 128;

const KINDS: [&str; 9] = [
    "session_proposal",
    "session_response",
    "channel_open",
    "mesh_ready",
    "commitment",
    "ready",
    "share",
    "wallet_created",
    "ack",
];

/// A list that is too long or holds overlong names is refused here, before anyone compares its entries; one that is
/// merely too long by a little is left for the judgement of the proposal, which can say so to its sender.
fn bounded_list(list: Vec<String>) -> Result<Vec<String>, WireError> {
    if list.len() > 4 * MAX_PARTICIPANTS || list.iter().any(|id| id.len() > 4 * PeerId::MAX_LEN) {
        return Err(WireError::Malformed(format!("more than {MAX_PARTICIPANTS} participants, or names too long")));
    }
    Ok(list)
}

fn package(kind: &'static str, text: Option<&String>) -> Result<Zeroizing<Vec<u8>>, WireError> {
    let text = text.ok_or(WireError::Missing { kind, field: "data" })?;
    if text.len() > 2 * MAX_PACKAGE {
        return Err(WireError::TooLarge { size: text.len() / 2, limit: MAX_PACKAGE });
    }
    hex::decode(text)
        .map(Zeroizing::new)
        .map_err(|_| WireError::Malformed(format!("'data' of '{kind}' is not hexadecimal")))
}

/// What `relay.data` carries (section 1).
#[derive(Clone, PartialEq, Eq)]
pub enum RelayData {
    /// WebRTC offer.
    Offer {
        /// The session description.
        sdp: String,
    },
    /// WebRTC answer.
    Answer {
        /// The session description.
        sdp: String,
    },
    /// One trickled candidate; an empty `candidate` ends them.
    IceCandidate(IceCandidate),
    /// A peer message, while no data channel is open; the second value is its `msg_id`.
    Peer(PeerMessage, Option<String>),
}

/// An ICE candidate as WebRTC writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IceCandidate {
    /// The candidate line, or nothing for the end of candidates.
    pub candidate: String,
    /// The media section it belongs to.
    #[serde(rename = "sdpMid", default)]
    pub sdp_mid: Option<String>,
    /// The media section's place.
    #[serde(rename = "sdpMLineIndex", default)]
    pub sdp_m_line_index: Option<u16>,
}

impl fmt::Debug for RelayData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offer { .. } => f.write_str("offer"),
            Self::Answer { .. } => f.write_str("answer"),
            Self::IceCandidate(_) => f.write_str("ice-candidate"),
            Self::Peer(message, _) => message.fmt(f),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Description {
    #[serde(rename = "type")]
    kind: String,
    sdp: String,
}

#[derive(Serialize)]
struct TypedCandidate<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    candidate: &'a IceCandidate,
}

impl RelayData {
    /// Reads what a peer relayed.
    ///
    /// # Errors
    /// [`WireError`] says what is wrong.
    pub fn parse(data: &RawValue) -> Result<Self, WireError> {
        #[derive(Deserialize)]
        struct Kind<'a> {
            #[serde(rename = "type", borrow)]
            kind: std::borrow::Cow<'a, str>,
        }
        let text = data.get();
        if text.len() > MAX_FRAME {
            return Err(WireError::TooLarge { size: text.len(), limit: MAX_FRAME });
        }
        let kind: Kind<'_> = serde_json::from_str(text).map_err(|e| WireError::json(&e))?;
        match kind.kind.as_ref() {
            "offer" | "answer" => {
                let d: Description = serde_json::from_str(text).map_err(|e| WireError::json(&e))?;
                within(d.sdp.len(), MAX_SDP)?;
                Ok(if d.kind == "offer" { Self::Offer { sdp: d.sdp } } else { Self::Answer { sdp: d.sdp } })
            }
            "ice-candidate" => {
                let c: IceCandidate = serde_json::from_str(text).map_err(|e| WireError::json(&e))?;
                within(c.candidate.len() + c.sdp_mid.as_ref().map_or(0, String::len), MAX_CANDIDATE)?;
                Ok(Self::IceCandidate(c))
            }
            _ => PeerMessage::parse(text).map(|(message, msg_id)| Self::Peer(message, msg_id)),
        }
    }

    /// The value for a `relay` message.
    #[must_use]
    pub fn to_raw(&self) -> Box<RawValue> {
        let raw = match self {
            Self::Offer { sdp } => describe("offer", sdp),
            Self::Answer { sdp } => describe("answer", sdp),
            Self::IceCandidate(candidate) => {
                serde_json::value::to_raw_value(&TypedCandidate { kind: "ice-candidate", candidate })
            }
            Self::Peer(message, _) => RawValue::from_string(message.to_text().as_str().to_owned()),
        };
        raw.unwrap_or_else(|_| RawValue::NULL.to_owned())
    }
}

fn describe(kind: &str, sdp: &str) -> serde_json::Result<Box<RawValue>> {
    serde_json::value::to_raw_value(&Description { kind: kind.to_owned(), sdp: sdp.to_owned() })
}

fn within(size: usize, limit: usize) -> Result<(), WireError> {
    if size > limit { Err(WireError::TooLarge { size, limit }) } else { Ok(()) }
}
