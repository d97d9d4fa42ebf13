//! What the members of a wallet do together: requests and votes, which they sign, the operations
//! that these are about, and the messages of a ceremony (docs/PROTOCOL.md, section 5). Values and
//! their encodings; the decisions are in [`crate::node`].

mod message;
mod operation;
pub(crate) mod per_item;
mod request;

pub use message::{
    CeremonyId, GROUP_VERSION, GroupMessage, InventoryItem, MAX_INVENTORY, MAX_PART, RoundMessage,
};
pub use operation::{
    MAX_COMMITMENTS, MAX_ITEMS, MAX_OPERATION, Operation, OperationError, Outcome, OutcomeError,
    SignTask,
};
pub use request::{MAX_REQUEST_LIFE, Request, RequestId, Vote, group_id, health_check_digest};
