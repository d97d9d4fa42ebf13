//! frostmesh: a FROST threshold-key node for the browser and the command line.
//!
//! Several nodes make a k-of-n key together, over a WebRTC mesh, through a signaling server that needs no trust.
//! One state machine serves both targets; what differs stands in two folders with the same file names.
//!
//! | module | what it is for | imports |
//! | --- | --- | --- |
//! | [`wire`] | the JSON messages and their limits | nothing of ours |
//! | [`identity`] | identity key, signatures, contacts, invites | `wire` |
//! | [`frost`] | FROST key generation and signing behind bytes, by ciphersuite | `wire`, `label` |
//! | [`content`] | what people sign, by kind: read, shown, hashed | `identity`, `frost`, `label` |
//! | [`channel`] | one sealed conversation of two identities: bytes in, bytes out | `wire`, `identity` |
//! | [`agreement`] | what is signed in a verified session; certificates, evidence | `wire`, `identity`, `frost` |
//! | [`group`] | requests, votes, and what members of a wallet say to each other | `wire`, `identity`, `agreement`, `frost` |
//! | [`audit`] | the audit trail of a wallet: a signed chain of entries | `identity`, `consensus` |
//! | [`keystore`] | password, envelope, records: bytes in, bytes out | `wire`, `identity`, `agreement` |
//! | [`node`] | the sans-IO node: sessions, mesh, links, ceremonies, blame | all above |
//! | [`label`] | what a ciphersuite or a kind of content calls itself on a screen | nothing of ours |
//! | [`random`] | the system's randomness | nothing of ours |
//! | `browser` | wasm: WebSocket, `RTCPeerConnection`, IndexedDB, the JS API | all above |
//! | `native` | command-line node: tokio, str0m, files | all above |
//! | `server` | the signaling server | `wire` |
//!
//! Imports run one way: those above `browser` know nothing of `browser`, `native` and `server`, hold no clock
//! and do no IO.
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

// tests/extend adds a ciphersuite and a kind of content to the lists of unit tests. It calls this crate
// as the other tests do.
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
