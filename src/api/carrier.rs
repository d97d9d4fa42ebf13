//! What carries the messages of a secure channel.

use serde::Serialize;

/// What carries a link's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Carrier {
    /// A WebRTC data channel.
    Direct,
    /// The signaling server, which sees ciphertext.
    Relay,
}

impl Carrier {
    /// The name in events and views.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Relay => "relay",
        }
    }
}

/// Which carriers a node uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CarrierChoice {
    /// The relay at once, the data channel as soon as it is open.
    #[default]
    Auto,
    /// The data channel only.
    Direct,
    /// The relay only.
    Relay,
}
