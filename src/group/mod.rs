//! What the members of a wallet do together: requests and votes, which they sign, and the messages of a signing ceremony
//! (docs/PROTOCOL.md, section 5). Values and their encodings; the decisions are in [`crate::node`].

mod message;
mod request;

pub use message::{CeremonyId, GroupMessage, InventoryItem, MAX_INVENTORY};
pub use request::{MAX_REQUEST_LIFE, Request, RequestId, Vote, group_id, health_check_digest};
