//! A secure channel: one end-to-end encrypted and authenticated conversation between the identities
//! of two nodes (docs/PROTOCOL.md, section 4, "Link" and "Frames").
//!
//! | file | what it is for |
//! | --- | --- |
//! | `handshake` | Noise XX by the `snow` crate; each end proves its identity inside it |
//! | `frames` | messages as numbered, sealed frames: once and in order, whatever is lost |
//!
//! Bytes in, bytes out: the caller chooses what carries the frames, and may change it at any time.

mod frames;
mod handshake;

pub use frames::{FrameError, Frames, MAX_CHANNEL_MESSAGE, MAX_CHUNK, Window};
pub use handshake::{Context, Handshake, HandshakeError, HandshakeMessage, Opened};
