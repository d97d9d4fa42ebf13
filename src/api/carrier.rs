//! What carries the messages of a secure channel.

use serde::Serialize;

/// What carries the frames of a secure channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum Carrier {
    /// A WebRTC data channel.
    Direct,
    /// The signaling server's relay. The server sees ciphertext.
    Relay,
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
