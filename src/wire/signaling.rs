//! Messages between a node and the signaling server (docs/PROTOCOL.md, section 1).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::object::{Object, Text};
use super::{Hex32, MAX_FRAME, MAX_SERVER_FRAME, PeerId, WireError, clip};

/// What a node says to the signaling server.
#[derive(Debug)]
pub enum ClientMessage {
    /// Take this peer id for this socket.
    Register {
        /// The id asked for.
        peer_id: PeerId,
        /// 32 bytes by which the same node can take this registration over from another socket (an extension). Known to
        /// the node and this server only.
        claim: Option<[u8; 32]>,
    },
    /// Ask who is registered.
    ListPeers,
    /// Hand `data` to another peer, unread.
    Relay {
        /// The target.
        to: PeerId,
        /// Any JSON value; kept as the text it came as.
        data: Box<RawValue>,
    },
}

/// What the signaling server says to a node.
#[derive(Debug)]
pub enum ServerMessage {
    /// Everyone who is registered, in byte order, the asker included.
    Peers {
        /// Their ids. Ids of a foreign server that are not well formed are left out.
        peers: Vec<PeerId>,
    },
    /// What another peer relayed. The server stamps `from`.
    Relay {
        /// The sender.
        from: PeerId,
        /// What it sent.
        data: Box<RawValue>,
    },
    /// A request was refused.
    Error {
        /// For people.
        error: String,
        /// For programs; servers that speak the baseline only leave it out.
        code: Option<ErrorCode>,
        /// The peer that the refused `relay` was meant for, where the server says so (an extension).
        peer_id: Option<PeerId>,
    },
}

/// Why the server refused (section 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Not JSON, not text, not a known type, or a field is missing.
    BadMessage,
    /// The id asked for is not well formed.
    BadPeerId,
    /// Another socket holds the id.
    PeerIdTaken,
    /// `register` has to come first.
    NotRegistered,
    /// This socket holds another id already.
    AlreadyRegistered,
    /// Nobody is registered under that id.
    TargetOffline,
    /// The frame was larger than [`MAX_FRAME`].
    TooLarge,
    /// The target's queue is full, or the server is.
    RateLimited,
    /// The server does not let this client in.
    Unauthorized,
    /// A code of a newer server.
    #[serde(other)]
    Unknown,
}

fn parse(text: &str, limit: usize) -> Result<Object<'_>, WireError> {
    if text.len() > limit {
        return Err(WireError::TooLarge { size: text.len(), limit });
    }
    Object::parse(text)
}

impl ClientMessage {
    /// Reads what a node sent. For the server.
    ///
    /// # Errors
    /// [`WireError`] says what is wrong; `UnknownType` and `PeerId` are told apart from `Malformed`.
    pub fn parse(text: &str) -> Result<Self, WireError> {
        let m = parse(text, MAX_FRAME)?;
        let kind: Text<'_> = m.need("message", "type")?;
        match kind.0.as_ref() {
            "register" => Ok(Self::Register {
                peer_id: m.need::<Text<'_>>("register", "peer_id")?.0.parse()?,
                claim: m.lenient::<Hex32>("claim")?.map(|claim| claim.0),
            }),
            "list_peers" => Ok(Self::ListPeers),
            "relay" => Ok(Self::Relay {
                to: m.need::<Text<'_>>("relay", "to")?.0.parse()?,
                data: m.value("relay", "data")?.to_owned(),
            }),
            other => Err(WireError::UnknownType(clip(other))),
        }
    }

    /// The message as JSON text.
    #[must_use]
    pub fn to_json(&self) -> String {
        match self {
            Self::Register { peer_id, claim } => json(&Outgoing {
                peer_id: Some(peer_id),
                protocol: Some(super::PROTOCOL_VERSION),
                claim: claim.map(hex::encode),
                ..kind("register")
            }),
            Self::ListPeers => json(&kind("list_peers")),
            Self::Relay { to, data } => {
                json(&Outgoing { to: Some(to), data: Some(data), ..kind("relay") })
            }
        }
    }
}

impl ServerMessage {
    /// Reads what a server sent. For nodes.
    ///
    /// # Errors
    /// [`WireError`] says what is wrong.
    pub fn parse(text: &str) -> Result<Self, WireError> {
        let m = parse(text, MAX_SERVER_FRAME)?;
        let kind: Text<'_> = m.need("message", "type")?;
        match kind.0.as_ref() {
            "peers" => {
                let peers: Vec<String> = m.need("peers", "peers")?;
                Ok(Self::Peers { peers: peers.iter().filter_map(|id| id.parse().ok()).collect() })
            }
            "relay" => Ok(Self::Relay {
                from: m.need::<Text<'_>>("relay", "from")?.0.parse()?,
                data: m.value("relay", "data")?.to_owned(),
            }),
            "error" => Ok(Self::Error {
                error: clip(&m.need::<Text<'_>>("error", "error")?.0),
                code: m.lenient("code")?,
                peer_id: m.optional::<Text<'_>>("peer_id")?.and_then(|id| id.0.parse().ok()),
            }),
            other => Err(WireError::UnknownType(clip(other))),
        }
    }

    /// The message as JSON text.
    #[must_use]
    pub fn to_json(&self) -> String {
        match self {
            Self::Peers { peers } => json(&Outgoing { peers: Some(peers), ..kind("peers") }),
            Self::Relay { from, data } => {
                json(&Outgoing { from: Some(from), data: Some(data), ..kind("relay") })
            }
            Self::Error { error, code, peer_id } => json(&Outgoing {
                error: Some(error),
                code: *code,
                peer_id: peer_id.as_ref(),
                ..kind("error")
            }),
        }
    }
}

/// The same flat shape for writing.
#[derive(Default, Serialize)]
struct Outgoing<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer_id: Option<&'a PeerId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a PeerId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a PeerId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peers: Option<&'a [PeerId]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<ErrorCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
}

fn kind(kind: &'static str) -> Outgoing<'static> {
    Outgoing { kind, ..Outgoing::default() }
}

fn json(message: &impl Serialize) -> String {
    // Strings, numbers and raw JSON under string keys: serde_json has no way to fail on these.
    serde_json::to_string(message).unwrap_or_default()
}
