//! Messages between nodes (docs/PROTOCOL.md, section 2).
//!
//! Every peer message is `{"type": T, "payload": {...}}`. This node puts `session_id` into every
//! payload that belongs to a session, which the baseline allows, so that several sessions share one
//! data channel.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::codec::{Clipped, Codec, Hex, HexArray, Json};
use super::field::{Field, Flat, Lenient, Optional, OrDefault, Required, Session};
use super::message::{Message, fields, messages};
use super::object::{Object, Text, wrong_type};
use super::writer::{Value, Writer};
use super::{
    MAX_PACKAGE, MAX_PARTICIPANTS, MAX_PEER_MESSAGE, PeerId, Proof, SessionId, WireError, within,
};

/// Longest `msg_id` that is answered, in bytes of JSON text.
const MAX_MSG_ID: usize = 128;

/// Largest number of a frame: the largest that every JSON parser reads exactly.
const MAX_FRAME_NUMBER: u64 = (1 << 53) - 1;

messages! {
    /// One peer message. `session_id: None` stands for "the one session open with that peer".
    #[derive(Clone, PartialEq, Eq)]
    pub enum PeerMessage {
        /// Proposes a session; from the proposer to each other participant.
        "session_proposal" => SessionProposal(proposal: Proposal as Flat),
        /// Accepts or declines a session, or (with `accepted: false` later on) leaves it.
        "session_response" => SessionResponse {
            /// The session.
            session_id: Option<SessionId> as Session,
            /// Whether the sender takes part.
            accepted: bool as Required,
            /// Why it does not, for people.
            reason: Option<String> as Optional<Clipped>,
            /// Why it does not, for programs (an extension).
            cause: Option<Cause> as Lenient,
            /// The version of the extensions that the sender speaks. `None` from a baseline peer.
            protocol: Option<u32> as Lenient,
        },
        /// The sender's data channel to the receiver is open.
        "channel_open" => ChannelOpen {
            /// The sender's own id.
            peer_id: PeerId as Required,
            /// The version of the extensions that the sender speaks. `None` from a baseline peer.
            protocol: Option<u32> as Lenient,
        },
        /// The sender reaches every other participant.
        "mesh_ready" => MeshReady {
            /// The session.
            session_id: Option<SessionId> as Session,
            /// In a verified session: what the sender takes part in, signed.
            proof: Option<Box<Proof>> as Lenient<BoundedProof>,
        },
        /// The sender's round-1 package, to all.
        "commitment" => Round1Package {
            /// The session.
            session_id: Option<SessionId> as Session,
            /// In a verified session: the package, signed.
            proof: Option<Box<Proof>> as Lenient<BoundedProof>,
            /// `round1::Package::serialize()`.
            data: Vec<u8> as Required<Hex<MAX_PACKAGE>>,
        },
        /// The sender has received the round-1 package of every other participant.
        "ready" => Ready {
            /// The session.
            session_id: Option<SessionId> as Session,
            /// In a verified session: which round-1 packages, signed.
            proof: Option<Box<Proof>> as Lenient<BoundedProof>,
        },
        /// The sender's round-2 package for the receiver alone. Secret.
        "share" => Round2Package {
            /// The session.
            session_id: Option<SessionId> as Session,
            /// `round2::Package::serialize()`.
            data: Zeroizing<Vec<u8>> as Required<Hex<MAX_PACKAGE>>,
        },
        /// The sender has made and stored its key.
        "wallet_created" => WalletCreated {
            /// The session.
            session_id: Option<SessionId> as Session,
            /// In a verified session: the whole key generation, signed.
            proof: Option<Box<Proof>> as Lenient<BoundedProof>,
            /// The compressed group key, as hex text in lower case.
            pubkey: String as Required<LowerCase>,
        },
        /// The person at the sender compares the safety words, so the next message may take as long
        /// as a person does.
        "comparing" => Comparing {
            /// The session.
            session_id: Option<SessionId> as Session,
        },
        /// A handshake message of a secure channel (section 4).
        "link" => Handshake {
            /// The session.
            session_id: Option<SessionId> as Session,
            /// See [`crate::channel::Handshake`].
            data: Vec<u8> as Required<Hex<MAX_PACKAGE>>,
        },
        /// A sealed frame of a secure channel (section 4).
        "frame" => Frame {
            /// The session.
            session_id: Option<SessionId> as Session,
            /// See [`crate::channel::Frames`].
            frame: Sealed as Flat,
        },
        /// Answers a message that carried a `msg_id`.
        "ack" => Ack {
            /// The `msg_id` that it answers, as JSON text.
            msg_id: String as MsgId,
        },
    }
}

fields! {
    /// A session proposal as it came: well formed, not yet judged.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Proposal {
        /// The session's name, chosen by the proposer.
        session_id: SessionId as Session,
        /// Number of participants, as the proposer says.
        total: u64 as Required,
        /// Signers needed.
        threshold: u64 as Required,
        /// Every participant, the proposer included, in the order of the proposer's list.
        participants: Vec<String> as Required<Participants>,
        /// FROST ciphersuite id; the baseline's is `FROST-secp256k1-SHA256-v1`.
        ciphersuite: Option<String> as Optional<Clipped>,
        /// Whether the proposer accepts peers without a secure channel (section 3, point 7). `None`
        /// from a baseline peer.
        allow_unverified: Option<bool> as Optional,
        /// The version of the extensions that the proposer speaks. `None` from a baseline peer.
        protocol: Option<u32> as Lenient,
        /// The proposer's name for the wallet (an extension).
        name: Option<String> as Lenient<Clipped>,
        /// 32 bytes that the proposer drew for this session (an extension), so that no two
        /// agreements are the same.
        nonce: Option<[u8; 32]> as Lenient<HexArray>,
    }
}

fields! {
    /// The content of a `frame`. Only the other end of its secure channel can decrypt it.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Sealed {
        /// Its number among the frames, or among the acknowledgements, of its direction.
        number: u64 as Required<FrameNumber>,
        /// Whether it is an acknowledgement, which carries nothing else.
        acknowledges: bool as OrDefault,
        /// Ciphertext and tag.
        data: Vec<u8> as Required<Hex<MAX_PACKAGE>>,
    }
}

/// Why a peer ended a session. An extension of `session_response` with `accepted: false`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The kind of reason, one of the names of [`crate::node::ReasonKind`].
    pub kind: String,
    /// The participant that the sender blames, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub culprit: Option<String>,
}

/// Text of a peer message, ready to send. It may hold a share: wiped when dropped, and without a
/// readable `Debug`.
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

impl PeerMessage {
    /// The session that the message names.
    #[must_use]
    pub fn session_id(&self) -> Option<&SessionId> {
        Message::session_id(self)
    }

    /// Reads one peer message. The second value is its `msg_id` (JSON text), which asks for a
    /// [`PeerMessage::Ack`].
    ///
    /// # Errors
    /// [`WireError`] says what is wrong. The caller counts and ignores `UnknownType`.
    pub fn parse(text: &str) -> Result<(Self, Option<String>), WireError> {
        within(text.len(), MAX_PEER_MESSAGE)?;
        Self::read_payload(&Object::parse(text)?)
    }

    /// Reads a peer message from an object that was parsed already.
    pub(super) fn read_payload(message: &Object<'_>) -> Result<(Self, Option<String>), WireError> {
        let kind: Text<'_> = message.need("message", "type")?;
        let kind = Self::known(&kind.0)?;
        let payload = Object::parse(message.value(kind, "payload")?.get())?;
        let message = Self::read(kind, &payload)?;
        let msg_id = match message {
            // An ack is never answered, or two nodes could answer each other for ever.
            Self::Ack { .. } => None,
            _ => msg_id(&payload)?,
        };
        Ok((message, msg_id))
    }

    /// The message as JSON text.
    #[must_use]
    pub fn to_text(&self) -> PeerText {
        let mut payload = Writer::default();
        self.write(&mut payload);
        let mut message = Writer::of_type(self.kind());
        message.push("payload", Value::Object(payload));
        PeerText(message.into_text())
    }
}

/// Shows the type and the session, and no more: a share must not reach a log by way of `{:?}`.
impl fmt::Debug for PeerMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(self.kind()).field("session_id", &self.session_id()).finish_non_exhaustive()
    }
}

/// The `msg_id` of a payload as JSON text. An object, a list or a long text is no identifier and
/// needs no answer.
fn msg_id(payload: &Object<'_>) -> Result<Option<String>, WireError> {
    let id = payload.raw("msg_id")?.map(RawValue::get);
    let id = id.filter(|id| id.len() <= MAX_MSG_ID && !id.starts_with(['{', '[']));
    Ok(id.map(str::to_owned))
}

/// The `msg_id` that an `ack` answers: any JSON string or number.
struct MsgId;

impl Field<String> for MsgId {
    fn read(
        object: &Object<'_>,
        kind: &'static str,
        field: &'static str,
    ) -> Result<String, WireError> {
        msg_id(object)?.ok_or(WireError::Missing { kind, field })
    }

    fn write<'a>(value: &'a String, name: &'static str, message: &mut Writer<'a>) {
        if serde_json::from_str::<&RawValue>(value).is_ok() {
            message.push(name, Value::Json(value.as_str().into()));
        }
    }
}

/// The participants of a proposal. A list that is far too long, or holds far too long names, is
/// refused here, before its entries are compared. The judgement of the proposal refuses other
/// lists, and can tell the sender why.
struct Participants;

impl Codec<Vec<String>> for Participants {
    fn read(raw: &RawValue, name: &'static str) -> Result<Vec<String>, WireError> {
        let list: Vec<String> = Json::read(raw, name)?;
        if list.len() > 4 * MAX_PARTICIPANTS || list.iter().any(|id| id.len() > 4 * PeerId::MAX_LEN)
        {
            return Err(WireError::Malformed(format!(
                "more than {MAX_PARTICIPANTS} participants, or names too long"
            )));
        }
        Ok(list)
    }

    fn write(value: &Vec<String>) -> Value<'_> {
        Value::json(value)
    }
}

/// The number of a frame.
struct FrameNumber;

impl Codec<u64> for FrameNumber {
    fn read(raw: &RawValue, name: &'static str) -> Result<u64, WireError> {
        let number: u64 = Json::read(raw, name)?;
        if number > MAX_FRAME_NUMBER { Err(wrong_type(name)) } else { Ok(number) }
    }

    fn write(value: &u64) -> Value<'_> {
        Value::json(value)
    }
}

/// A `proof` with no list longer than any session could make it.
struct BoundedProof;

impl Codec<Box<Proof>> for BoundedProof {
    fn read(raw: &RawValue, name: &'static str) -> Result<Box<Proof>, WireError> {
        let proof: Box<Proof> = Json::read(raw, name)?;
        if proof.is_bounded() { Ok(proof) } else { Err(wrong_type(name)) }
    }

    fn write(value: &Box<Proof>) -> Value<'_> {
        Value::json(value)
    }
}

/// A group key as hex text: clipped, and in lower case.
struct LowerCase;

impl Codec<String> for LowerCase {
    fn read(raw: &RawValue, name: &'static str) -> Result<String, WireError> {
        Clipped::read(raw, name).map(|text| text.to_ascii_lowercase())
    }

    fn write(value: &String) -> Value<'_> {
        Value::json(value)
    }
}
