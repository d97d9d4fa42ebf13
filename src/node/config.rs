//! Settings of a node, and how long it waits.

use crate::api::CarrierChoice;

/// Most undecided proposals of one initiator.
pub const MAX_PROPOSALS_PER_PEER: usize = 8;

/// How long the node waits, in milliseconds. Every wait of a session ends by one of these, and says
/// whom it was for.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// For a person here to decide on a proposal.
    pub proposal: u64,
    /// For everyone to accept and for all channels to open.
    pub mesh: u64,
    /// For each step once no person is waited for.
    pub step: u64,
    /// For a participant whose channel went away to come back.
    pub lost: u64,
    /// For the server to answer, and to come back while a session needs it.
    pub server: u64,
    /// For one attempt at a channel, from answer to open.
    pub connect: u64,
    /// Between repeats of what nobody answered.
    pub repeat: u64,
    /// For each round of a signing ceremony.
    pub sign: u64,
    /// Channels stay open after a session, for what is still under way.
    pub linger: u64,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            proposal: 600_000,
            mesh: 300_000,
            step: 60_000,
            lost: 10_000,
            server: 10_000,
            connect: 15_000,
            repeat: 5_000,
            sign: 10_000,
            linger: 10_000,
        }
    }
}

/// Settings of a node.
#[derive(Debug, Clone, Copy, Default)]
pub struct Config {
    /// How long it waits.
    pub deadlines: Deadlines,
    /// What may carry its messages.
    pub carrier: CarrierChoice,
    /// Take identities that it meets for the first time at their word, without safety words. Its
    /// wallets say so.
    pub trust_first_use: bool,
}
