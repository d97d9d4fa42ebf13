//! What the signaling server relays from node to node (docs/PROTOCOL.md, section 1, `relay.data`).

use std::fmt;

use serde_json::value::RawValue;

use super::codec::Bounded;
use super::field::{Flat, Lenient, Nullable, Required};
use super::message::{Message, fields, messages};
use super::object::{Object, Text};
use super::{MAX_CANDIDATE, MAX_FRAME, MAX_PEER_MESSAGE, MAX_SDP, PeerMessage, WireError, within};

messages! {
    /// The value of `relay.data` (section 1).
    ///
    /// `attempt` is an extension: an offer numbers its attempt, and the answer and the candidates
    /// of both sides repeat the number, so that a late one is not applied to a newer attempt. A
    /// baseline peer leaves it out.
    #[derive(Clone, PartialEq, Eq)]
    pub enum RelayData {
        /// WebRTC offer.
        "offer" => Offer {
            /// The session description.
            sdp: String as Required<Bounded<MAX_SDP>>,
            /// The offerer's number for the attempt.
            attempt: Option<u32> as Lenient,
        },
        /// WebRTC answer.
        "answer" => Answer {
            /// The session description.
            sdp: String as Required<Bounded<MAX_SDP>>,
            /// The attempt of the offer that it answers.
            attempt: Option<u32> as Lenient,
        },
        /// One trickled candidate; an empty `candidate` ends them.
        "ice-candidate" => IceCandidate {
            /// The candidate.
            candidate: IceCandidate as Flat,
            /// The attempt of the offer that it belongs to.
            attempt: Option<u32> as Lenient,
        },
        otherwise
        /// A peer message, while no data channel is open; the second value is its `msg_id`.
        Peer(PeerMessage, Option<String>),
    }
}

fields! {
    /// An ICE candidate as WebRTC writes it.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct IceCandidate {
        /// The candidate line, or nothing for the end of candidates.
        candidate: String as Required<Bounded<MAX_CANDIDATE>>,
        /// The id of the media section that it belongs to.
        "sdpMid" => sdp_mid: Option<String> as Nullable<Bounded<MAX_CANDIDATE>>,
        /// The index of that media section, from 0.
        "sdpMLineIndex" => sdp_m_line_index: Option<u16> as Nullable,
    }
}

impl fmt::Debug for RelayData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offer { attempt, .. }
            | Self::Answer { attempt, .. }
            | Self::IceCandidate { attempt, .. } => {
                f.debug_struct(self.kind()).field("attempt", attempt).finish_non_exhaustive()
            }
            Self::Peer(message, _) => message.fmt(f),
        }
    }
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
        if Self::known(&kind.0).is_ok() {
            return Self::read(&kind.0, &object);
        }
        within(data.get().len(), MAX_PEER_MESSAGE)?;
        PeerMessage::read_payload(&object).map(|(message, msg_id)| Self::Peer(message, msg_id))
    }

    /// The value for a `relay` message.
    #[must_use]
    pub fn to_raw(&self) -> Box<RawValue> {
        let text = match self {
            Self::Peer(message, _) => message.to_text().as_str().to_owned(),
            signal => std::mem::take(&mut *signal.to_flat_text()),
        };
        RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned())
    }
}
