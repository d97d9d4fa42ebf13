//! frostmesh: a FROST threshold-key node for the browser and the command line.
//!
//! Several nodes make a k-of-n key together: any k of them can sign, fewer learn nothing, and the
//! whole key never exists anywhere. They find each other through a signaling server that needs no
//! trust, and exchange sealed messages over WebRTC or through that server.
//!
//! The crate is a [`node::Node`] without IO, and drivers around it: `browser` (wasm), `native`
//! (tokio), and the in-memory one of the examples below. ARCHITECTURE.md has the map with pictures,
//! docs/PROTOCOL.md the wire, docs/GLOSSARY.md the words.
//!
//! # A run loop in six steps
//!
//! A driver owns a node and does the same six things for ever:
//!
//! 1. **Make the node** from settings, an identity, contacts, and randomness. Open the wallets that
//!    are stored: hand in [`node::Input::OpenWallet`] for each.
//! 2. **Wait** for the first of: a command of a person, a text from the server or from a peer, a
//!    finished write, the moment that the node asked to be woken at.
//! 3. **Hand it in**: [`node::Node::handle`] takes it together with the time. A command may be
//!    refused, and then nothing has changed. No other input fails.
//! 4. **Drain the outputs**: call [`node::Node::poll`] until it returns `None`, and carry out each
//!    [`node::Output`] in its order: open, send, close, store, wake me at.
//! 5. **Answer** the outputs that have an answer, by an input: a store when it is durable, a socket
//!    when it is open.
//! 6. **Show** what happened: [`node::Output::Event`] says it once, [`node::Node::view`] is a
//!    snapshot of everything. Go on with step 2.
//!
//! ```
//! use frostmesh::identity::{Contacts, IdentityKey};
//! use frostmesh::node::{Command, Config, Input, Node, Output, SocketEvent, Timestamp};
//! use frostmesh::random::SystemRng;
//!
//! // 1. Make the node.
//! let identity = IdentityKey::generate(&mut SystemRng);
//! let mut node = Node::new(Config::default(), identity, Contacts::default(), SystemRng);
//!
//! // 2. A person wants to connect. 3. Hand that in, with the time.
//! let connect = Command::Connect { server_url: "ws://127.0.0.1:9000".into(), peer_id: "alice".parse()? };
//! let mut waiting = vec![Input::Command(connect)];
//! let mut sent = Vec::new();
//! while let Some(input) = waiting.pop() {
//!     node.handle(Timestamp::from_millis(0), input)?;
//!     // 4. Drain the outputs.
//!     while let Some(output) = node.poll() {
//!         match output {
//!             // 5. A driver opens a WebSocket here, and answers when it is open.
//!             Output::OpenServer { server, .. } => waiting.push(SocketEvent::Opened.of(server)),
//!             Output::SendServer { text, .. } => sent.push(text),
//!             // 6. Events and the view are for people. A driver sets a timer for `WakeAt`.
//!             _ => {}
//!         }
//!     }
//! }
//! assert!(sent[0].contains("register"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Making a key
//!
//! `cargo run --example make_a_key`: three nodes in one process. The world around them, which has a
//! driver for each node, a server, a disk and a clock, is `examples/support/mod.rs`.
//!
//! ```ignore
#![doc = include_str!("../examples/make_a_key.rs")]
//! ```
//!
//! # Signing
//!
//! `cargo run --example sign`: two of the three sign a text.
//!
//! ```ignore
#![doc = include_str!("../examples/sign.rs")]
//! ```
//!
//! # Modules
//!
//! | module | what it is for |
//! | --- | --- |
//! | [`random`], [`label`] | the system's randomness; what a variation is called on a screen |
//! | [`wire`] | the JSON messages and their limits |
//! | [`frost`] | FROST key generation and signing behind bytes, by ciphersuite |
//! | [`identity`] | identity keys, signatures, contacts, invites |
//! | [`content`] | what people sign, by kind: read, shown, hashed |
//! | [`channel`] | a secure channel of two identities: bytes in, bytes out |
//! | [`agreement`] | what participants of a session sign; certificates, evidence |
//! | [`group`] | operations, requests, votes, and what members of a wallet send each other |
//! | [`audit`] | the audit log of a wallet: a signed chain of entries |
//! | [`keystore`] | password, envelope, records: bytes in, bytes out |
//! | [`api`] | what a surface can ask of a node and what it is told |
//! | [`node`] | the sans-IO node: four machines and a router |
//! | `server` | the signaling server |
//! | `browser` | drives a node in a browser: WebSocket, `RTCPeerConnection`, IndexedDB, the JavaScript API |
//! | `native` | drives a node on the command line: tokio, str0m, files |
//!
//! A module imports those above it in this list. The modules up to [`node`] hold no clock and do no
//! IO.
#![forbid(unsafe_code)]

pub mod agreement;
pub mod api;
pub mod audit;
pub mod channel;
pub mod content;
pub mod frost;
pub mod group;
pub mod identity;
pub mod keystore;
pub mod label;
mod sorted;

pub mod node;
pub mod random;

pub mod wire;

// tests/extend adds a ciphersuite and a kind of content to the lists of unit tests. It calls this
// crate as the other tests do.
#[cfg(all(test, not(target_family = "wasm")))]
extern crate self as frostmesh;
#[cfg(all(test, not(target_family = "wasm")))]
#[path = "../tests/extend/mod.rs"]
mod extend;

#[cfg(target_family = "wasm")]
pub mod browser;
#[cfg(not(any(target_family = "wasm", fuzzing)))]
pub mod native;
#[cfg(not(any(target_family = "wasm", fuzzing)))]
pub mod server;
