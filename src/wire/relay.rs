//! What the signaling server relays from node to node (docs/PROTOCOL.md, section 1, `relay.data`).

use std::fmt;

use serde::Serialize;
use serde_json::value::RawValue;

use super::object::{Object, Text};
use super::{MAX_CANDIDATE, MAX_FRAME, MAX_PEER_MESSAGE, MAX_SDP, PeerMessage, WireError};

/// What `relay.data` carries (section 1).
///
/// `attempt` is an extension: an offer names its attempt, and the answer and the candidates of both sides repeat it, so
/// that what is late or out of order is not taken for part of a newer attempt. A baseline peer leaves it out.
#[derive(Clone, PartialEq, Eq)]
pub enum RelayData {
    /// WebRTC offer.
    Offer {
        /// The session description.
        sdp: String,
        /// The offerer's name for the attempt.
        attempt: Option<u32>,
    },
    /// WebRTC answer.
    Answer {
        /// The session description.
        sdp: String,
        /// The attempt of the offer that it answers.
        attempt: Option<u32>,
    },
    /// One trickled candidate; an empty `candidate` ends them.
    IceCandidate {
        /// The candidate.
        candidate: IceCandidate,
        /// The attempt of the offer that it belongs to.
        attempt: Option<u32>,
    },
    /// A peer message, while no data channel is open; the second value is its `msg_id`.
    Peer(PeerMessage, Option<String>),
}

/// An ICE candidate as WebRTC writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IceCandidate {
    /// The candidate line, or nothing for the end of candidates.
    pub candidate: String,
    /// The media section it belongs to.
    #[serde(rename = "sdpMid")]
    pub sdp_mid: Option<String>,
    /// The media section's place.
    #[serde(rename = "sdpMLineIndex")]
    pub sdp_m_line_index: Option<u16>,
}

impl IceCandidate {
    fn read(object: &Object<'_>) -> Result<Self, WireError> {
        let candidate = Self {
            candidate: object.need("ice-candidate", "candidate")?,
            sdp_mid: object.optional("sdpMid")?,
            sdp_m_line_index: object.optional("sdpMLineIndex")?,
        };
        let size = candidate.candidate.len() + candidate.sdp_mid.as_ref().map_or(0, String::len);
        within(size, MAX_CANDIDATE)?;
        Ok(candidate)
    }
}

impl fmt::Debug for RelayData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offer { attempt, .. } => {
                f.debug_struct("offer").field("attempt", attempt).finish_non_exhaustive()
            }
            Self::Answer { attempt, .. } => {
                f.debug_struct("answer").field("attempt", attempt).finish_non_exhaustive()
            }
            Self::IceCandidate { attempt, .. } => {
                f.debug_struct("ice-candidate").field("attempt", attempt).finish_non_exhaustive()
            }
            Self::Peer(message, _) => message.fmt(f),
        }
    }
}

/// Every field of offers, answers and candidates, for writing.
#[derive(Serialize)]
struct Outgoing<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sdp: Option<&'a str>,
    #[serde(flatten)]
    candidate: Option<&'a IceCandidate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
}

impl RelayData {
    /// Reads what a peer relayed.
    ///
    /// # Errors
    /// [`WireError`] says what is wrong.
    pub fn parse(data: &RawValue) -> Result<Self, WireError> {
        within(data.get().len(), MAX_FRAME)?;
        let object = Object::parse(data.get())?;
        let kind: Text<'_> = object.need("relay data", "type")?;
        match kind.0.as_ref() {
            "offer" => {
                Ok(Self::Offer { sdp: sdp("offer", &object)?, attempt: object.lenient("attempt")? })
            }
            "answer" => Ok(Self::Answer {
                sdp: sdp("answer", &object)?,
                attempt: object.lenient("attempt")?,
            }),
            "ice-candidate" => Ok(Self::IceCandidate {
                candidate: IceCandidate::read(&object)?,
                attempt: object.lenient("attempt")?,
            }),
            _ => {
                within(data.get().len(), MAX_PEER_MESSAGE)?;
                PeerMessage::read(&object).map(|(message, msg_id)| Self::Peer(message, msg_id))
            }
        }
    }

    /// The value for a `relay` message.
    #[must_use]
    pub fn to_raw(&self) -> Box<RawValue> {
        let (kind, sdp, candidate, attempt) = match self {
            Self::Offer { sdp, attempt } => ("offer", Some(sdp.as_str()), None, *attempt),
            Self::Answer { sdp, attempt } => ("answer", Some(sdp.as_str()), None, *attempt),
            Self::IceCandidate { candidate, attempt } => {
                ("ice-candidate", None, Some(candidate), *attempt)
            }
            Self::Peer(message, _) => {
                let raw = RawValue::from_string(message.to_text().as_str().to_owned());
                return raw.unwrap_or_else(|_| RawValue::NULL.to_owned());
            }
        };
        let raw = serde_json::value::to_raw_value(&Outgoing { kind, sdp, candidate, attempt });
        raw.unwrap_or_else(|_| RawValue::NULL.to_owned())
    }
}

fn sdp(kind: &'static str, object: &Object<'_>) -> Result<String, WireError> {
    let sdp: String = object.need(kind, "sdp")?;
    within(sdp.len(), MAX_SDP)?;
    Ok(sdp)
}

fn within(size: usize, limit: usize) -> Result<(), WireError> {
    if size > limit { Err(WireError::TooLarge { size, limit }) } else { Ok(()) }
}
