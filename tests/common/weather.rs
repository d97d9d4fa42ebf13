//! What the network does, what people answer, and what goes wrong.

/// What the network does to what is sent. Times in milliseconds, chances in percent.
#[derive(Debug, Clone)]
pub struct Weather {
    pub latency: (u64, u64),
    pub relay_repeat: u64,
    pub relay_drop: u64,
    /// What is relayed may overtake what one sender sent before.
    pub relay_shuffle: bool,
    pub channel_repeat: u64,
    /// What is sent before the other side is open is lost.
    pub early_lost: bool,
    /// Attempts at a connection that never open.
    pub dead_attempt: u64,
    /// Time between the two sides' opening.
    pub open_skew: (u64, u64),
    /// Time that a store takes.
    pub store: (u64, u64),
    /// Time until the other side of a broken connection notices.
    pub notice: (u64, u64),
}

impl Weather {
    pub const CALM: Self = Self {
        latency: (5, 5),
        relay_repeat: 0,
        relay_drop: 0,
        relay_shuffle: false,
        channel_repeat: 0,
        early_lost: false,
        dead_attempt: 0,
        open_skew: (0, 5),
        store: (1, 1),
        notice: (10, 10),
    };
}

/// What a person answers to a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Accept(u64),
    Decline(u64),
    Never,
}

/// Something that goes wrong once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// A channel breaks; what is under way is lost.
    Cut,
    /// A channel is interrupted for that long and then goes on.
    Stall(u64),
    /// A node's server connection breaks. Without a word to the node, if so told.
    ServerConnection { silent: bool },
    /// The server is away for that long.
    ServerAway(u64),
    /// A node is gone for good.
    Crash,
    /// A person leaves the session.
    Cancel,
}
