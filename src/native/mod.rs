//! The command-line node: arguments, files, sockets. Drivers only: all protocol logic is in
//! [`crate::node`].

mod audit_log;
pub(crate) mod cli;
mod commands;
mod content;
mod control;
mod driver;
mod endpoint;
mod exit;
mod interrupt;
mod logging;
mod member;
mod open;
mod outcome;
mod participation;
mod password;
mod peer_connection;
mod people;
mod policy;
mod report;
mod request_text;
mod requests;
mod shown;
mod signatures;
mod store;
mod stored_wallet;
mod stun;
mod suites;
mod wallets;
mod websocket;

pub use commands::main;
pub use driver::{Driver, Settings};
pub use exit::Exit;
pub use peer_connection::PeerConnection;
pub use store::Store;
pub use websocket::Socket;
