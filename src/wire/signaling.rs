//! Messages between a node and the signaling server (docs/PROTOCOL.md, section 1).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::codec::{Clipped, Codec, HexArray, Json, Parsed, Raw};
use super::field::{Lenient, Required};
use super::message::{Message, messages};
use super::writer::Value;
use super::{MAX_FRAME, MAX_SERVER_FRAME, PeerId, WireError};

messages! {
    /// A message from a node to the signaling server.
    #[derive(Debug)]
    pub enum ClientMessage {
        /// Registers a peer id for this socket.
        "register" => Register {
            /// The peer id.
            peer_id: PeerId as Required<Parsed>,
            /// The version of the extensions that the node speaks. `None` from a baseline peer.
            protocol: Option<u32> as Lenient,
            /// 32 bytes by which the same node can move its registration to another socket (an
            /// extension). Only the node and this server know them.
            claim: Option<[u8; 32]> as Lenient<HexArray>,
        },
        /// Asks who is registered.
        "list_peers" => ListPeers,
        /// Asks the server to hand `data` to another peer. The server does not read it.
        "relay" => Relay {
            /// The receiver.
            to: PeerId as Required<Parsed>,
            /// Any JSON value, kept as the text that it came as.
            data: Box<RawValue> as Required<Raw>,
        },
    }
}

messages! {
    /// A message from the signaling server to a node.
    #[derive(Debug)]
    pub enum ServerMessage {
        /// Every registered peer, in byte order, the receiver included.
        "peers" => Peers {
            /// Their ids. Ids of a foreign server that are not well formed are left out.
            peers: Vec<PeerId> as Required<WellFormed>,
        },
        /// Data that another peer relayed.
        "relay" => Relay {
            /// The sender, as the server knows it.
            from: PeerId as Required<Parsed>,
            /// What it sent.
            data: Box<RawValue> as Required<Raw>,
        },
        /// The server refused a request.
        "error" => Error {
            /// The receiver of the refused `relay`, where the server names it (an extension).
            peer_id: Option<PeerId> as Lenient<Parsed>,
            /// Why, for people.
            error: String as Required<Clipped>,
            /// Why, for programs. `None` from a server that speaks the baseline only.
            code: Option<ErrorCode> as Lenient,
        },
    }
}

/// Why the server refused (section 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Not JSON, not text, not a known type, or a field is missing.
    BadMessage,
    /// The id is not well formed.
    BadPeerId,
    /// Another socket has registered the id.
    PeerIdTaken,
    /// `register` has to come first.
    NotRegistered,
    /// This socket has registered another id.
    AlreadyRegistered,
    /// No peer is registered under that id.
    TargetOffline,
    /// The frame was larger than [`MAX_FRAME`].
    TooLarge,
    /// The receiver's queue is full, or the server's memory for messages is.
    RateLimited,
    /// The server does not accept this client.
    Unauthorized,
    /// A code of a newer server.
    #[serde(other)]
    Unknown,
}

impl ClientMessage {
    /// Reads what a node sent. For the server.
    ///
    /// # Errors
    /// [`WireError`] says what is wrong; `UnknownType` and `PeerId` are told apart from
    /// `Malformed`.
    pub fn parse(text: &str) -> Result<Self, WireError> {
        Self::parse_flat(text, MAX_FRAME)
    }

    /// The message as JSON text.
    #[must_use]
    pub fn to_json(&self) -> String {
        std::mem::take(&mut *self.to_flat_text())
    }
}

impl ServerMessage {
    /// Reads what a server sent. For nodes.
    ///
    /// # Errors
    /// [`WireError`] says what is wrong.
    pub fn parse(text: &str) -> Result<Self, WireError> {
        Self::parse_flat(text, MAX_SERVER_FRAME)
    }

    /// The message as JSON text.
    #[must_use]
    pub fn to_json(&self) -> String {
        std::mem::take(&mut *self.to_flat_text())
    }
}

/// A list of peer ids, without those that are not well formed.
struct WellFormed;

impl Codec<Vec<PeerId>> for WellFormed {
    fn read(raw: &RawValue, name: &'static str) -> Result<Vec<PeerId>, WireError> {
        let list: Vec<String> = Json::read(raw, name)?;
        Ok(list.iter().filter_map(|id| id.parse().ok()).collect())
    }

    fn write(value: &Vec<PeerId>) -> Value<'_> {
        Value::json(value)
    }
}
