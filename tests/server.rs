//! The signaling server over real sockets: what docs/PROTOCOL.md, section 1, promises, and what bad
//! input must not do.
//!
//! Each test starts a server on a free port of the loopback interface and connects to it with
//! tungstenite's client, or sends bytes of its own. The deadlines are far longer than needed: they
//! only end a test that would hang.
#![cfg(not(target_family = "wasm"))]
// Helpers of tests are outside of test functions, where clippy.toml allows these.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "server/bad_input.rs"]
mod bad_input;
#[path = "server/client.rs"]
mod client;
#[path = "server/lifecycle.rs"]
mod lifecycle;
#[path = "server/load.rs"]
mod load;
#[path = "server/protocol.rs"]
mod protocol;
#[path = "server/site.rs"]
mod site;
