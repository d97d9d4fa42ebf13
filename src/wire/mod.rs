//! The wire: every JSON message that nodes and the signaling server exchange (docs/PROTOCOL.md, sections 1 and 2).
//!
//! Nothing outside this folder knows a field name. Input is bounded before it is parsed and parsed once, into types whose
//! values are known to be well formed; what is well formed but wrong (a threshold above the total, say) is judged by
//! [`crate::node`]. Unknown fields are ignored and unknown message types are told apart from broken ones, since newer
//! peers may send both.

mod ids;
mod object;
mod peer;
mod proof;
mod relay;
mod signaling;

pub use ids::{BadPeerId, BadSessionId, PeerId, SessionId};
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

/// Largest frame that a node takes from a server, in bytes: a `peers` list of 15,000 long names.
pub const MAX_SERVER_FRAME: usize = 1024 * 1024;

/// Largest peer message on a data channel, in bytes of JSON text.
pub const MAX_PEER_MESSAGE: usize = 64 * 1024;

/// Largest session description, in bytes.
pub const MAX_SDP: usize = 64 * 1024;

/// Largest ICE candidate line, in bytes.
pub const MAX_CANDIDATE: usize = 2 * 1024;

/// Most participants of one session.
pub const MAX_PARTICIPANTS: usize = 64;

/// Longest free text (a reason, an error) that is kept of what a peer or server says, in bytes.
pub const MAX_TEXT: usize = 512;

/// Largest FROST package, in bytes: a round-1 package for a threshold of 64 is 2.2 KB with 33-byte points.
pub const MAX_PACKAGE: usize = 8 * 1024;

/// Why a message could not be understood. Says what was wrong, for the peer's author to read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Larger than the limit, and so not parsed at all.
    #[error("message of {size} bytes is larger than the limit of {limit}")]
    TooLarge {
        /// Bytes received.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Not JSON, or a field with a value of the wrong kind.
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
    /// A well-formed message of a type that this version does not know: to be counted and ignored.
    #[error("unknown message type '{0}'")]
    UnknownType(String),
    /// A peer id that breaks the rule of section 1.
    #[error(transparent)]
    PeerId(#[from] BadPeerId),
    /// A session id that is empty or too long.
    #[error(transparent)]
    SessionId(#[from] BadSessionId),
}

/// 32 bytes as hex text.
#[derive(Deserialize)]
#[serde(transparent)]
struct Hex32(#[serde(with = "hex::serde")] [u8; 32]);

/// Parses JSON text. The error says what is wrong and where, and never repeats what stands there: it may be a share.
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

/// Cuts text of others to [`MAX_TEXT`] bytes and drops control characters, so that it can be shown and logged.
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
