//! What carries the messages of a secure channel.

use serde::Serialize;

/// The id of a carrier: `direct` is a WebRTC data channel, `relay` the signaling server, which sees
/// ciphertext only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct CarrierId(#[cfg_attr(test, ts(type = "\"direct\" | \"relay\""))] &'static str);

impl CarrierId {
    /// A WebRTC data channel.
    pub const DIRECT: Self = Self("direct");
    /// The signaling server.
    pub const RELAY: Self = Self("relay");

    pub(crate) const fn new(id: &'static str) -> Self {
        Self(id)
    }

    /// The id in events, views, and on the command line.
    #[must_use]
    pub const fn id(self) -> &'static str {
        self.0
    }
}

/// Which carriers a node uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CarrierChoice {
    /// The relay at once, the data channel as soon as it is open.
    #[default]
    Auto,
    /// One carrier only.
    Only(CarrierId),
}

impl CarrierChoice {
    /// WebRTC only.
    pub const DIRECT: Self = Self::Only(CarrierId::DIRECT);
    /// The relay only.
    pub const RELAY: Self = Self::Only(CarrierId::RELAY);

    /// The only carrier that may be used, if there is just one.
    #[must_use]
    pub const fn only(self) -> Option<CarrierId> {
        match self {
            Self::Auto => None,
            Self::Only(id) => Some(id),
        }
    }
}
