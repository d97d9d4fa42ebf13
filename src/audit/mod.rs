//! The audit log: what a node has seen and done with one wallet, as a chain of hashes that its
//! identity signs (docs/PROTOCOL.md, section 5). It is the one place where requests and votes are
//! stored: a node that starts reads its log again.
//!
//! An entry names the hash of the one before it, so nothing can be changed, left out or put in
//! between. That the newest entries are there is shown by the [`Head`], which is kept apart and
//! replaced with each entry.

mod compare;
mod entry;

pub use compare::{Difference, compare};
pub use entry::{AuditError, Body, End, Entry, Head, Owner, verify};
