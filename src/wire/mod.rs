//! The wire: every JSON message that nodes and the signaling server exchange (docs/PROTOCOL.md,
//! sections 1 and 2).
//!
//! | file | what it is for |
//! | --- | --- |
//! | `signaling`, `relay`, `peer` | the messages, each declared once |
//! | `message` | the macro that makes enum, reader, writer and list of fields from a declaration |
//! | `field`, `codec` | the kinds of fields: needed or optional; JSON, hex, clipped text |
//! | `object`, `writer` | the one reader and the one writer of JSON objects |
//! | `ids`, `proof` | types that messages carry |
//!
//! Input is bounded before it is parsed, and parsed once, into types whose values are well formed.
//! [`crate::agreement`] and [`crate::node`] judge what is well formed but wrong, such as a
//! threshold above the total. Unknown fields are ignored. Unknown message types are an error of
//! their own, since newer peers may send them.

pub(crate) mod codec;
pub(crate) mod field;
mod ids;
pub(crate) mod message;
pub(crate) mod object;
mod peer;
mod proof;
mod relay;
mod signaling;
pub(crate) mod writer;

pub use ids::{BadPeerId, BadSessionId, PeerId, SessionId};
pub use message::MessageType;
pub use peer::{Cause, PeerMessage, PeerText, Proposal, Sealed};
pub use proof::{Proof, Statement};
pub use relay::{IceCandidate, RelayData};
pub use signaling::{ClientMessage, ErrorCode, ServerMessage};

use serde::Deserialize;
use serde_json::error::Category;

/// Protocol version that this crate announces in `"protocol"` fields.
pub const PROTOCOL_VERSION: u32 = 1;

/// Largest signaling frame, in bytes. The server refuses anything larger.
pub const MAX_FRAME: usize = 256 * 1024;

/// Largest frame that a node accepts from a server, in bytes: a `peers` list of 15,000 long names.
pub const MAX_SERVER_FRAME: usize = 1024 * 1024;

/// Largest peer message on a data channel, in bytes of JSON text.
pub const MAX_PEER_MESSAGE: usize = 64 * 1024;

/// Largest session description, in bytes.
pub const MAX_SDP: usize = 64 * 1024;

/// Largest ICE candidate line, in bytes.
pub const MAX_CANDIDATE: usize = 2 * 1024;

/// Most participants of one session.
pub const MAX_PARTICIPANTS: usize = 64;

/// Longest free text (a reason, an error) of a peer or server, in bytes. Longer texts are cut.
pub const MAX_TEXT: usize = 512;

/// Largest FROST package, in bytes: a round-1 package for a threshold of 64 is 2.2 KB with 33-byte
/// points.
pub const MAX_PACKAGE: usize = 8 * 1024;

/// Why a message could not be read. The text is for the author of the peer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The message is larger than the limit, and was not parsed.
    #[error("message of {size} bytes is larger than the limit of {limit}")]
    TooLarge {
        /// Bytes received.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The message is not JSON, or the value of a field is of the wrong kind.
    #[error("malformed message: {0}")]
    Malformed(String),
    /// A field that this type of message needs is missing.
    #[error("'{kind}' needs the field '{field}'")]
    Missing {
        /// The message's type.
        kind: &'static str,
        /// The field's name.
        field: &'static str,
    },
    /// The message has a type that this version does not know. To be counted and ignored.
    #[error("unknown message type '{0}'")]
    UnknownType(String),
    /// A peer id breaks the rule of section 1.
    #[error(transparent)]
    PeerId(#[from] BadPeerId),
    /// A session id is empty, too long, or holds control characters.
    #[error(transparent)]
    SessionId(#[from] BadSessionId),
}

/// Parses JSON text. The error names the problem and its position, and never repeats the text,
/// which may hold a share.
pub(crate) fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, WireError> {
    serde_json::from_str(text).map_err(|error| {
        let what = match error.classify() {
            Category::Eof => "it is cut short",
            Category::Data => "a field is missing or of the wrong kind",
            Category::Syntax | Category::Io => "it is not JSON",
        };
        WireError::Malformed(format!("{what} (line {}, column {})", error.line(), error.column()))
    })
}

/// The size check of everything that comes from outside, in bytes.
pub(crate) fn within(size: usize, limit: usize) -> Result<(), WireError> {
    if size > limit { Err(WireError::TooLarge { size, limit }) } else { Ok(()) }
}

/// Cuts a foreign text to [`MAX_TEXT`] bytes and removes control characters, so that it can be
/// shown and logged.
#[must_use]
pub fn clip(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(MAX_TEXT));
    for c in text.chars().filter(|c| !c.is_control()) {
        if out.len() + c.len_utf8() > MAX_TEXT {
            break;
        }
        out.push(c);
    }
    out
}
