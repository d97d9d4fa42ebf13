//! The node without IO: sessions, mesh, key generation, blame. No async, no clock, no sockets, no `cfg`.
//!
//! A driver owns a [`Node`], hands it everything that happens with [`Node::handle`], and then takes [`Output`]s from
//! [`Node::poll`] until there are none, carrying each out. Time and randomness come from outside. The same code thus runs
//! in a browser, on the command line, and in a seeded simulation that delays, repeats, reorders and cuts.
//!
//! ```
//! use frostmesh::node::{Command, Config, Input, Node, Output, Timestamp};
//! use frostmesh::identity::{Contacts, IdentityKey};
//! use frostmesh::random::SystemRng;
//!
//! let identity = IdentityKey::generate(&mut SystemRng);
//! let mut node = Node::new(Config::default(), identity, Contacts::default(), SystemRng);
//! let now = Timestamp::from_millis(0);
//! let connect = Command::Connect { server_url: "ws://127.0.0.1:9000".into(), peer_id: "alice".parse()? };
//! node.handle(now, Input::Command(connect))?;
//! assert!(matches!(node.poll(), Some(Output::OpenServer { .. })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ceremony;
mod config;
mod ctx;
mod early;
mod io;
mod keygen;
mod presence;
mod router;
mod signaling;
mod transport;
mod wallet;

pub use crate::agreement::{ProposalError, Roster};
pub use crate::api::*;
pub use config::{Config, Deadlines};
pub use io::{CarrierEvent, Input, Output, Role, SocketEvent, StoreRequest};
pub use presence::ServerId;
pub use router::{Machine, Node};
pub use transport::carriers;
pub use wallet::StoredWallet;

/// Most undecided proposals of one initiator.
pub const MAX_PROPOSALS_PER_PEER: usize = 8;
