//! What the parts of a group want done, in their own terms: members by identifier, messages
//! unwritten.

use crate::api::Event;
use crate::audit::{Entry, Head};
use crate::frost::Identifier;
use crate::group::GroupMessage;

/// What a group wants done.
pub(super) enum Act {
    /// Send a message to a member. To this node itself it comes back at once.
    Send(Identifier, GroupMessage),
    /// Store an entry of the audit log, and its new head.
    Log(Box<Entry>, Head),
    /// Report what happened.
    Event(Event),
}
