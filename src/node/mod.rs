//! The node without IO: four machines and a router. No async, no clock, no sockets, no `cfg`.
//!
//! A driver hands everything that happens to [`Node::handle`], and then takes [`Output`]s from
//! [`Node::poll`] until there are none, carrying each out. The [crate's front page](crate) shows
//! the loop in six steps. Time and randomness come from outside, so the same code runs in a
//! browser, on a command line, and in a seeded simulation that delays, repeats, reorders and cuts.
//!
//! The contract with a driver:
//!
//! - Outputs are carried out in their order.
//! - Nothing more is handed in of a server's socket after [`Output::CloseServer`], nor of an
//!   attempt after [`Output::CloseConnection`].
//! - [`Output::Store`] and [`Output::StoreEntry`] are answered when what they hold is durably on
//!   disk.
//! - A candidate of the other end never comes before its description. A local one may.
//! - The clock starts at the time since 1970 and never runs backwards.
//!
//! | file | what it is for |
//! | --- | --- |
//! | `router` | [`Node`]: takes inputs and moves effects between the machines until all are quiet |
//! | `io` | inputs and outputs |
//! | `ctx`, `config`, `presence` | what every machine may use: time, randomness, identity, settings, who is present |
//! | `signaling` | machine: connections to signaling servers |
//! | `transport/` | machine: secure channels over carriers |
//! | `keygen/` | machine: sessions, which make keys |
//! | `wallet/` | machine: what the members of wallets decide and do |
//! | `ceremony/` | rounds of messages among fixed members that carry out an operation |
//! | `early` | messages for sessions that are not known yet, bounded |

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
pub use config::{Config, Deadlines, MAX_PROPOSALS_PER_PEER};
pub use io::{CarrierEvent, Input, Output, Role, SocketEvent, StoreRequest, StoredWallet};
pub use presence::ServerId;
pub use router::{Machine, Node};
pub use transport::{DIRECT, RELAY, carrier_info, carriers};
