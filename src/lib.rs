//! frostmesh: a FROST threshold-key node for the browser and the command line.
//!
//! Several nodes make a k-of-n key together, over a WebRTC mesh, through a signaling server that needs no trust.
//! One state machine serves both targets; what differs stands in two folders with the same file names.
//!
//! | module | what it is for | imports |
//! | --- | --- | --- |
//! | [`wire`] | the JSON messages and their limits | nothing of ours |
//! | [`keystore`] | password, envelope, wallet records: bytes in, bytes out | `wire` |
//! | [`node`] | the sans-IO node: sessions, mesh, key generation, blame | `wire`, `keystore` (records) |
//! | [`random`] | the system's randomness | nothing of ours |
//! | `browser` | wasm: WebSocket, `RTCPeerConnection`, IndexedDB, the JS API | all above |
//! | `native` | command-line node: tokio, str0m, files | all above |
//! | `server` | the signaling server | `wire` |
//!
//! Imports run one way: `wire`, `keystore` and `node` know nothing of `browser`, `native` and `server`, hold no clock
//! and do no IO.
#![forbid(unsafe_code)]

pub mod keystore;
pub mod node;
pub mod random;
pub mod wire;

#[cfg(target_family = "wasm")]
pub mod browser;
#[cfg(not(target_family = "wasm"))]
pub mod native;
#[cfg(not(target_family = "wasm"))]
pub mod server;
