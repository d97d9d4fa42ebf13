//! The command-line node: arguments, files, sockets. Drivers only; what the protocol decides stands in [`crate::node`].

mod audit_log;
pub mod cli;
mod commands;
mod content;
mod control;
mod driver;
mod exit;
mod member;
mod participation;
mod password;
mod peer_connection;
mod people;
mod policy;
mod report;
mod requests;
mod signatures;
mod store;
mod stun;
mod wallets;
mod websocket;

pub use driver::{Driver, Settings};
pub use exit::Exit;
pub use peer_connection::PeerConnection;
pub use store::Store;
pub use websocket::Socket;
