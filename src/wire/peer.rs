//! Messages between nodes (docs/PROTOCOL.md, section 2).
//!
//! Every peer message is `{"type": T, "payload": {...}}`. Ours carry `session_id` in every payload, which the baseline
//! allows everywhere, so that several sessions share one channel without guessing.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::object::{Object, Text};
use super::{
    Hex32, MAX_PACKAGE, MAX_PARTICIPANTS, MAX_PEER_MESSAGE, PeerId, Proof, SessionId, WireError,
    clip,
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

    /// The JSON text, still wiped when dropped.
    #[must_use]
    pub fn into_zeroizing(self) -> Zeroizing<String> {
        self.0
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
    /// The version of the extensions that the initiator speaks. `None` from a baseline peer.
    pub protocol: Option<u32>,
    /// What the initiator calls the wallet to be (an extension).
    pub name: Option<String>,
    /// Drawn by the initiator for this session, 32 bytes (an extension): no agreement is ever the same as an earlier one.
    pub nonce: Option<[u8; 32]>,
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

/// What a `frame` carries: nobody but the other end of its link can read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Its number among the frames, or among the acknowledgements, of its direction.
    pub number: u64,
    /// An acknowledgement, which carries nothing else.
    pub acknowledges: bool,
    /// Ciphertext and tag.
    pub data: Vec<u8>,
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
        /// The version of the extensions that the sender speaks. `None` from a baseline peer.
        protocol: Option<u32>,
    },
    /// The sender's channel to the receiver is open.
    ChannelOpen {
        /// The sender's own id.
        peer_id: PeerId,
        /// The version of the extensions that the sender speaks. `None` from a baseline peer.
        protocol: Option<u32>,
    },
    /// The sender's channels to every other participant are open.
    MeshReady {
        /// The session.
        session_id: Option<SessionId>,
        /// In a verified session: what the sender takes part in, signed.
        proof: Option<Box<Proof>>,
    },
    /// Round 1 package, to all.
    Round1Package {
        /// The session.
        session_id: Option<SessionId>,
        /// `round1::Package::serialize()`.
        data: Vec<u8>,
        /// In a verified session: the package, signed.
        proof: Option<Box<Proof>>,
    },
    /// The sender holds every commitment.
    Ready {
        /// The session.
        session_id: Option<SessionId>,
        /// In a verified session: which commitments, signed.
        proof: Option<Box<Proof>>,
    },
    /// Round 2 package, for the receiver alone. Secret.
    Round2Package {
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
        /// In a verified session: the whole ceremony, signed.
        proof: Option<Box<Proof>>,
    },
    /// The person at the sender's compares the safety words: what follows may take as long as a person does.
    Comparing {
        /// The session.
        session_id: Option<SessionId>,
    },
    /// A message of the handshake of a link (section 3).
    Handshake {
        /// The session.
        session_id: Option<SessionId>,
        /// See [`crate::channel::Handshake`].
        data: Vec<u8>,
    },
    /// A sealed frame of a link (section 3).
    Frame {
        /// The session.
        session_id: Option<SessionId>,
        /// See [`crate::channel::Frames`].
        frame: Sealed,
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
            Self::Round1Package { .. } => "commitment",
            Self::Ready { .. } => "ready",
            Self::Round2Package { .. } => "share",
            Self::WalletCreated { .. } => "wallet_created",
            Self::Comparing { .. } => "comparing",
            Self::Handshake { .. } => "link",
            Self::Frame { .. } => "frame",
            Self::Ack { .. } => "ack",
        }
    }

    /// The session that the message names.
    #[must_use]
    pub fn session_id(&self) -> Option<&SessionId> {
        match self {
            Self::SessionProposal(p) => Some(&p.session_id),
            Self::SessionResponse { session_id, .. }
            | Self::MeshReady { session_id, .. }
            | Self::Round1Package { session_id, .. }
            | Self::Ready { session_id, .. }
            | Self::Round2Package { session_id, .. }
            | Self::WalletCreated { session_id, .. }
            | Self::Comparing { session_id }
            | Self::Handshake { session_id, .. }
            | Self::Frame { session_id, .. } => session_id.as_ref(),
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

impl PeerMessage {
    /// Reads one peer message; the second value is its `msg_id` (JSON text), which asks for an [`PeerMessage::Ack`].
    ///
    /// # Errors
    /// [`WireError`] says what is wrong. `UnknownType` is for the caller to count and ignore.
    pub fn parse(text: &str) -> Result<(Self, Option<String>), WireError> {
        bounded(text)?;
        Self::read(&Object::parse(text)?)
    }

    /// The same for an object that was parsed already.
    pub(super) fn read(message: &Object<'_>) -> Result<(Self, Option<String>), WireError> {
        let kind: Text<'_> = message.need("message", "type")?;
        let kind = *KINDS
            .iter()
            .find(|k| **k == kind.0)
            .ok_or_else(|| WireError::UnknownType(clip(&kind.0)))?;
        let payload =
            message.raw("payload")?.ok_or(WireError::Missing { kind, field: "payload" })?;
        let payload = Object::parse(payload.get())?;
        let session_id = payload.optional("session_id")?;
        let msg_id = payload.raw("msg_id")?.map(|raw| raw.get().to_owned());
        // An object or a long text is no identifier: there is nothing to answer.
        let msg_id = msg_id.filter(|id| id.len() <= MAX_MSG_ID && !id.starts_with(['{', '[']));
        if kind == "ack" {
            // An ack is never answered, or two nodes could do so for ever.
            let msg_id = msg_id.ok_or(WireError::Missing { kind, field: "msg_id" })?;
            return Ok((Self::Ack { msg_id }, None));
        }
        Ok((Self::from_payload(kind, session_id, &payload)?, msg_id))
    }

    fn from_payload(
        kind: &'static str,
        session_id: Option<SessionId>,
        p: &Object<'_>,
    ) -> Result<Self, WireError> {
        let text = |name| p.optional::<Text<'_>>(name).map(|text| text.map(|text| clip(&text.0)));
        let proof = || {
            p.lenient::<Proof>("proof").map(|proof| proof.filter(Proof::is_bounded).map(Box::new))
        };
        Ok(match kind {
            "session_proposal" => Self::SessionProposal(Proposal {
                session_id: session_id.ok_or(WireError::Missing { kind, field: "session_id" })?,
                total: p.need(kind, "total")?,
                threshold: p.need(kind, "threshold")?,
                participants: bounded_list(p.need(kind, "participants")?)?,
                ciphersuite: text("ciphersuite")?,
                allow_unverified: p.optional("allow_unverified")?,
                protocol: p.lenient("protocol")?,
                name: p.lenient::<String>("name")?.map(|text| clip(&text)),
                nonce: p.lenient::<Hex32>("nonce")?.map(|nonce| nonce.0),
            }),
            "session_response" => Self::SessionResponse {
                session_id,
                accepted: p.need(kind, "accepted")?,
                reason: text("reason")?,
                cause: p.lenient("cause")?,
                protocol: p.lenient("protocol")?,
            },
            "channel_open" => Self::ChannelOpen {
                peer_id: p.need(kind, "peer_id")?,
                protocol: p.lenient("protocol")?,
            },
            "mesh_ready" => Self::MeshReady { session_id, proof: proof()? },
            "commitment" => Self::Round1Package {
                session_id,
                data: package(kind, p)?.to_vec(),
                proof: proof()?,
            },
            "ready" => Self::Ready { session_id, proof: proof()? },
            "share" => Self::Round2Package { session_id, data: package(kind, p)? },
            "comparing" => Self::Comparing { session_id },
            "link" => Self::Handshake { session_id, data: package(kind, p)?.to_vec() },
            "frame" => {
                let number = p.optional("number")?.filter(|n| *n <= MAX_FRAME_NUMBER);
                let number = number.ok_or(WireError::Missing { kind, field: "number" })?;
                let acknowledges = p.optional("acknowledges")?.unwrap_or_default();
                Self::Frame {
                    session_id,
                    frame: Sealed { number, acknowledges, data: package(kind, p)?.to_vec() },
                }
            }
            _ => {
                let pubkey = text("pubkey")?.ok_or(WireError::Missing { kind, field: "pubkey" })?;
                Self::WalletCreated {
                    session_id,
                    pubkey: pubkey.to_ascii_lowercase(),
                    proof: proof()?,
                }
            }
        })
    }

    /// The message as JSON text.
    #[must_use]
    pub fn to_text(&self) -> PeerText {
        let mut payload = Payload { session_id: self.session_id(), ..Payload::default() };
        match self {
            Self::SessionProposal(p) => {
                payload.total = Some(p.total);
                payload.threshold = Some(p.threshold);
                payload.participants = Some(&p.participants);
                payload.ciphersuite = p.ciphersuite.as_deref();
                payload.allow_unverified = p.allow_unverified;
                payload.protocol = p.protocol;
                payload.name = p.name.as_deref();
                payload.nonce = p.nonce.map(hex::encode);
            }
            Self::SessionResponse { accepted, reason, cause, protocol, .. } => {
                payload.protocol = *protocol;
                payload.accepted = Some(*accepted);
                payload.reason = reason.as_deref();
                payload.cause = cause.as_ref();
            }
            Self::ChannelOpen { peer_id, protocol } => {
                payload.peer_id = Some(peer_id);
                payload.protocol = *protocol;
            }
            Self::MeshReady { proof, .. } | Self::Ready { proof, .. } => {
                payload.proof = proof.as_deref()
            }
            Self::Round1Package { data, proof, .. } => {
                payload.data = Some(Zeroizing::new(hex::encode(data)));
                payload.proof = proof.as_deref();
            }
            Self::Round2Package { data, .. } => {
                payload.data = Some(Zeroizing::new(hex::encode(data.as_slice())))
            }
            Self::WalletCreated { pubkey, proof, .. } => {
                payload.pubkey = Some(pubkey);
                payload.proof = proof.as_deref();
            }
            Self::Comparing { .. } => {}
            Self::Handshake { data, .. } => payload.data = Some(Zeroizing::new(hex::encode(data))),
            Self::Frame { frame, .. } => {
                payload.number = Some(frame.number);
                payload.acknowledges = frame.acknowledges.then_some(true);
                payload.data = Some(Zeroizing::new(hex::encode(&frame.data)));
            }
            Self::Ack { msg_id } => payload.msg_id = RawValue::from_string(msg_id.clone()).ok(),
        }
        // Grown once, so that no copy of a share stays behind in a buffer that was too small.
        let mut text = Vec::with_capacity(
            512 + payload.data.as_ref().map_or(0, |d| d.len()) + text_size(&payload),
        );
        let _ = serde_json::to_writer(&mut text, &Outgoing { kind: self.kind(), payload });
        PeerText(Zeroizing::new(String::from_utf8(text).unwrap_or_default()))
    }
}

#[derive(Serialize)]
struct Outgoing<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    payload: Payload<'a>,
}

/// Every field that any payload has, for writing.
#[derive(Default, Serialize)]
struct Payload<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a SessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threshold: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    participants: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ciphersuite: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_unverified: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a Cause>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer_id: Option<&'a PeerId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledges: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<&'a Proof>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Zeroizing<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pubkey: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    msg_id: Option<Box<RawValue>>,
}

fn text_size(payload: &Payload<'_>) -> usize {
    let texts = [payload.ciphersuite, payload.reason, payload.pubkey, payload.name];
    let texts: usize = texts.into_iter().flatten().map(str::len).sum();
    texts + payload.participants.map_or(0, |list| list.iter().map(|id| id.len() + 3).sum())
}

/// Longest `msg_id` that is answered, in bytes of JSON text.
const MAX_MSG_ID: usize = 128;

/// Largest number of a frame: what every JSON parser reads exactly.
const MAX_FRAME_NUMBER: u64 = (1 << 53) - 1;

const KINDS: [&str; 12] = [
    "session_proposal",
    "session_response",
    "channel_open",
    "mesh_ready",
    "commitment",
    "ready",
    "share",
    "wallet_created",
    "comparing",
    "link",
    "frame",
    "ack",
];

/// A list that is too long or holds overlong names is refused here, before anyone compares its entries; one that is
/// merely too long by a little is left for the judgement of the proposal, which can say so to its sender.
fn bounded_list(list: Vec<String>) -> Result<Vec<String>, WireError> {
    if list.len() > 4 * MAX_PARTICIPANTS || list.iter().any(|id| id.len() > 4 * PeerId::MAX_LEN) {
        return Err(WireError::Malformed(format!(
            "more than {MAX_PARTICIPANTS} participants, or names too long"
        )));
    }
    Ok(list)
}

/// The limit of one message on a data channel.
fn bounded(text: &str) -> Result<(), WireError> {
    if text.len() > MAX_PEER_MESSAGE {
        return Err(WireError::TooLarge { size: text.len(), limit: MAX_PEER_MESSAGE });
    }
    Ok(())
}

fn package(kind: &'static str, payload: &Object<'_>) -> Result<Zeroizing<Vec<u8>>, WireError> {
    let text: Zeroizing<String> = payload.need(kind, "data")?;
    if text.len() > 2 * MAX_PACKAGE {
        return Err(WireError::TooLarge { size: text.len() / 2, limit: MAX_PACKAGE });
    }
    let bytes = hex::decode(text.as_bytes()).map(Zeroizing::new);
    bytes.map_err(|_| WireError::Malformed(format!("'data' of '{kind}' is not hexadecimal")))
}
