//! What carries the messages of a secure channel, as surfaces see it.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::label::Label;

/// What a carrier says of itself to people and programs.
#[derive(Debug)]
pub struct CarrierInfo {
    /// Its id in events, views, and on the command line.
    pub id: &'static str,
    /// What it is, for the help of the command line: a sentence without its full stop.
    pub about: &'static str,
    /// How a peer is reached by it, for the command line: `directly`.
    pub how: &'static str,
    /// The same for a screen.
    pub label: Label,
}

/// A carrier: `direct` is a WebRTC data channel, `relay` the signaling server, which sees
/// ciphertext only. In JSON it is its id.
#[derive(Clone, Copy)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct CarrierId(#[cfg_attr(test, ts(type = "string"))] &'static CarrierInfo);

impl CarrierId {
    /// The carrier that says this of itself.
    #[must_use]
    pub const fn new(info: &'static CarrierInfo) -> Self {
        Self(info)
    }

    /// The id in events, views, and on the command line.
    #[must_use]
    pub const fn id(self) -> &'static str {
        self.0.id
    }

    /// Everything that it says of itself.
    #[must_use]
    pub const fn info(self) -> &'static CarrierInfo {
        self.0
    }
}

impl PartialEq for CarrierId {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for CarrierId {}

impl fmt::Debug for CarrierId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl Serialize for CarrierId {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.id())
    }
}

/// Which carriers a node uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CarrierChoice {
    /// All of them: the preferred one of those that are open.
    #[default]
    Auto,
    /// One carrier only.
    Only(CarrierId),
}

impl CarrierChoice {
    /// Whether it lets a node use a carrier.
    #[must_use]
    pub fn allows(self, carrier: CarrierId) -> bool {
        match self {
            Self::Auto => true,
            Self::Only(only) => only == carrier,
        }
    }
}
