//! What every machine of the node may use while it handles an input.

use super::Config;
use super::presence::Presence;
use crate::api::Timestamp;
use crate::frost::Randomness;
use crate::identity::{Contacts, IdentityKey};

/// The surroundings of one step. Machines take it as their first argument and keep nothing of it.
pub(super) struct Ctx<'a> {
    /// The time of the input, by the driver's clock.
    pub now: Timestamp,
    /// The driver's randomness.
    pub rng: &'a mut dyn Randomness,
    /// Who this node is.
    pub identity: &'a IdentityKey,
    /// The node's settings.
    pub config: &'a Config,
    /// Identities that this node has met.
    pub contacts: &'a Contacts,
    /// Who is present at the signaling servers.
    pub presence: &'a Presence,
}
