//! What several tests share: a whole world of nodes in virtual time, with a simulated signaling
//! server and simulated WebRTC connections. Seeded, so that the same seed makes the same world.
#![allow(dead_code)]

pub mod connections;
pub mod disk;
pub mod keys;
pub mod luck;
pub mod mishaps;
pub mod server;
pub mod tap;
pub mod weather;
pub mod webrtc;
pub mod world;

use frostmesh::wire::{PeerId, SessionId};

pub fn peer(text: &str) -> PeerId {
    text.parse().unwrap()
}

pub fn session(text: &str) -> SessionId {
    text.parse().unwrap()
}
