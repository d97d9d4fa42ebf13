//! What the signaling server relays from node to node (docs/PROTOCOL.md, section 1, `relay.data`).

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{MAX_CANDIDATE, MAX_FRAME, MAX_SDP, PeerMessage, WireError, lenient, read};

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
            Self::Offer { attempt, .. } => f.debug_struct("offer").field("attempt", attempt).finish_non_exhaustive(),
            Self::Answer { attempt, .. } => f.debug_struct("answer").field("attempt", attempt).finish_non_exhaustive(),
            Self::IceCandidate { attempt, .. } => {
                f.debug_struct("ice-candidate").field("attempt", attempt).finish_non_exhaustive()
            }
            Self::Peer(message, _) => message.fmt(f),
        }
    }
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Description {
    sdp: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    attempt: Option<u32>,
}

#[derive(Deserialize)]
struct Attempt {
    #[serde(default, deserialize_with = "lenient")]
    attempt: Option<u32>,
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
        let text = data.get();
        within(text.len(), MAX_FRAME)?;
        let kind = read::<Kind<'_>>(text)?.kind.ok_or(WireError::Missing { kind: "relay data", field: "type" })?;
        match kind.as_ref() {
            "offer" => description("offer", text).map(|(sdp, attempt)| Self::Offer { sdp, attempt }),
            "answer" => description("answer", text).map(|(sdp, attempt)| Self::Answer { sdp, attempt }),
            "ice-candidate" => {
                let candidate: IceCandidate = read(text)?;
                let size = candidate.candidate.len() + candidate.sdp_mid.as_ref().map_or(0, String::len);
                within(size, MAX_CANDIDATE)?;
                Ok(Self::IceCandidate { candidate, attempt: read::<Attempt>(text)?.attempt })
            }
            _ => PeerMessage::parse(text).map(|(message, msg_id)| Self::Peer(message, msg_id)),
        }
    }

    /// The value for a `relay` message.
    #[must_use]
    pub fn to_raw(&self) -> Box<RawValue> {
        let (kind, sdp, candidate, attempt) = match self {
            Self::Offer { sdp, attempt } => ("offer", Some(sdp.as_str()), None, *attempt),
            Self::Answer { sdp, attempt } => ("answer", Some(sdp.as_str()), None, *attempt),
            Self::IceCandidate { candidate, attempt } => ("ice-candidate", None, Some(candidate), *attempt),
            Self::Peer(message, _) => {
                let raw = RawValue::from_string(message.to_text().as_str().to_owned());
                return raw.unwrap_or_else(|_| RawValue::NULL.to_owned());
            }
        };
        let raw = serde_json::value::to_raw_value(&Outgoing { kind, sdp, candidate, attempt });
        raw.unwrap_or_else(|_| RawValue::NULL.to_owned())
    }
}

fn description(kind: &'static str, text: &str) -> Result<(String, Option<u32>), WireError> {
    let Description { sdp, attempt } = read(text)?;
    let sdp = sdp.ok_or(WireError::Missing { kind, field: "sdp" })?;
    within(sdp.len(), MAX_SDP)?;
    Ok((sdp, attempt))
}

fn within(size: usize, limit: usize) -> Result<(), WireError> {
    if size > limit { Err(WireError::TooLarge { size, limit }) } else { Ok(()) }
}
