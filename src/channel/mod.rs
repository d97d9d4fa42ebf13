//! A link: one end-to-end authenticated, encrypted conversation between the identities of two nodes in one session
//! (docs/PROTOCOL.md, section 3). Bytes in, bytes out: what carries them is for the node to choose, and to change.
//!
//! [`Handshake`] is Noise XX by the `snow` crate, each side proving its [`Identity`](crate::identity::Identity) inside it;
//! [`Frames`] seals what is said afterwards into numbered frames, which arrive once and in order whatever the carriers do.

mod frames;
mod handshake;

pub use frames::{FrameError, Frames, MAX_CHANNEL_MESSAGE, MAX_CHUNK, Window};
pub use handshake::{Context, Handshake, HandshakeError, HandshakeMessage, Opened};
