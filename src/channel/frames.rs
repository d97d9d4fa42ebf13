//! The frames of a secure channel: sealed, numbered, kept until acknowledged, delivered once and in
//! order.
//!
//! A message becomes one frame or several. A frame is sealed once, under its number, and a repeat
//! sends the same bytes: no number ever seals two texts. Acknowledgements are sealed too, so that
//! no carrier can forge one. They have numbers of their own and name the first frame that is still
//! missing.

use std::collections::VecDeque;

use snow::StatelessTransportState;
use zeroize::Zeroizing;

use crate::sorted::Map;
use crate::wire::Sealed;

/// Most bytes of a message in one frame. As hex in JSON that is less than 16 KiB, which every
/// WebRTC stack accepts.
pub const MAX_CHUNK: usize = 7 * 1024;
/// Largest message, in bytes.
pub const MAX_CHANNEL_MESSAGE: usize = 1024 * 1024;
/// How many frames ahead of the first missing one are buffered.
const WINDOW: u64 = 256;
/// A message of many frames is acknowledged after each group of this many, and at its end.
const FRAMES_PER_ACK: u32 = 8;
/// Most bytes of ciphertext that wait to be sent or acknowledged.
const MAX_WAITING: usize = 4 * 1024 * 1024;
/// Size of the tag of ChaCha20-Poly1305, in bytes.
const TAG: usize = 16;
/// Set in the Noise nonces of acknowledgements, which are counted apart from frames.
const ACK_BIT: u64 = 1 << 63;
/// First byte of a frame that ends its message.
const LAST: u8 = 0;
/// First byte of a frame whose message goes on in the next frame.
const MORE: u8 = 1;

/// Why a frame was not accepted, or a message not queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The frame does not decrypt: a carrier changed it, or it belongs to another secure channel.
    #[error(
        "a sealed frame does not decrypt: it was changed on the way, or belongs to another secure channel"
    )]
    Seal,
    /// Its number is beyond the window.
    #[error("a sealed frame is too far ahead of the first missing one")]
    Ahead,
    /// Its plain text is no part of a message.
    #[error("a sealed frame holds no part of a message")]
    Malformed,
    /// The message is too large, or too many bytes wait for an acknowledgement.
    #[error("too many bytes wait to be sent")]
    Full,
}

/// How much may be sent before the first acknowledgement: a property of the carrier.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    frames: usize,
    bytes: usize,
}

impl Window {
    /// For a signaling server, which queues at most 64 messages and 256 KiB of one sender for a
    /// slow receiver. As hex in JSON these bytes are just below that.
    pub const RELAY: Self = Self { frames: 56, bytes: 112 * 1024 };
    /// For a data channel, which loses nothing and paces itself. The other end buffers this many
    /// frames that come early.
    pub const DATA_CHANNEL: Self = Self { frames: WINDOW as usize, bytes: 512 * 1024 };
}

/// Both directions of a secure channel whose handshake is complete.
pub struct Frames {
    noise: StatelessTransportState,
    /// Number of the next frame to be sealed.
    next: u64,
    /// Frames that are sealed and not acknowledged, in order.
    waiting: VecDeque<Sealed>,
    /// Bytes of ciphertext in `waiting`.
    waiting_bytes: usize,
    /// How many of the first frames of `waiting` were sent.
    sent: usize,
    /// Acknowledgements sealed so far: the number of the last one.
    acks_sealed: u64,
    /// Number of the first frame that was not received.
    expected: u64,
    /// Frames behind the first missing one, decrypted.
    early: Map<u64, Zeroizing<Vec<u8>>>,
    /// The beginning of a message whose last frame was not received.
    partial: Zeroizing<Vec<u8>>,
    /// Frames received since the last acknowledgement.
    frames_since_ack: u32,
    /// Whether an acknowledgement is due.
    ack_pending: bool,
}

impl Frames {
    pub(super) fn new(noise: StatelessTransportState) -> Self {
        Self {
            noise,
            next: 0,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            sent: 0,
            acks_sealed: 0,
            expected: 0,
            early: Map::default(),
            partial: Zeroizing::default(),
            frames_since_ack: 0,
            ack_pending: false,
        }
    }

    /// Seals a message of at most [`MAX_CHANNEL_MESSAGE`] bytes. [`Frames::to_send`] returns its
    /// frames.
    ///
    /// # Errors
    /// [`FrameError::Full`]: nothing was sealed.
    pub fn queue(&mut self, message: &[u8]) -> Result<(), FrameError> {
        if message.len() > MAX_CHANNEL_MESSAGE || self.waiting_bytes + message.len() > MAX_WAITING {
            return Err(FrameError::Full);
        }
        // An empty message is one frame without a chunk.
        let empty = message.is_empty().then_some(message);
        let mut chunks = message.chunks(MAX_CHUNK).chain(empty).peekable();
        while let Some(chunk) = chunks.next() {
            let mut plain = Zeroizing::new(Vec::with_capacity(1 + chunk.len()));
            plain.push(if chunks.peek().is_some() { MORE } else { LAST });
            plain.extend_from_slice(chunk);
            let frame = self.seal(self.next, false, &plain).ok_or(FrameError::Full)?;
            self.next += 1;
            self.waiting_bytes += frame.data.len();
            self.waiting.push_back(frame);
        }
        Ok(())
    }

    fn seal(&self, number: u64, acknowledges: bool, plain: &[u8]) -> Option<Sealed> {
        let mut data = vec![0; plain.len() + TAG];
        let written =
            self.noise.write_message(nonce(number, acknowledges), plain, &mut data).ok()?;
        data.truncate(written);
        Some(Sealed { number, acknowledges, data })
    }

    /// Returns the frames to be sent now, in order, as far as the window has room. Each is returned
    /// once, until [`Frames::resend_all`].
    pub fn to_send(&mut self, window: Window) -> Vec<Sealed> {
        let mut bytes = 0;
        let fits = |frame: &&Sealed| {
            bytes += frame.data.len();
            bytes <= window.bytes
        };
        let ready = self.waiting.iter().take(window.frames).take_while(fits).count();
        let frames = self.waiting.range(self.sent.min(ready)..ready).cloned().collect();
        self.sent = self.sent.max(ready);
        frames
    }

    /// Makes [`Frames::to_send`] return every frame that is not acknowledged once more: the carrier
    /// may have lost it.
    pub fn resend_all(&mut self) {
        self.sent = 0;
    }

    /// Whether a frame waits to be sent or acknowledged.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Seals the acknowledgement that is due, if any.
    pub fn take_ack(&mut self) -> Option<Sealed> {
        if !std::mem::take(&mut self.ack_pending) {
            return None;
        }
        self.frames_since_ack = 0;
        self.acks_sealed += 1;
        self.seal(self.acks_sealed, true, &self.expected.to_be_bytes())
    }

    /// Queues an empty acknowledgement, so that the initiator stops resending the handshake.
    pub fn queue_initial_ack(&mut self) {
        self.ack_pending = true;
    }

    /// Receives a frame. Returns the messages that it completes, in order.
    ///
    /// # Errors
    /// [`FrameError`]. After [`FrameError::Malformed`] the channel must not be used any more: the
    /// other end proved its identity and breaks the protocol. Every other error leaves the channel
    /// as it was.
    pub fn receive(&mut self, frame: &Sealed) -> Result<Vec<Zeroizing<Vec<u8>>>, FrameError> {
        if frame.data.len() > MAX_CHUNK + 1 + TAG {
            return Err(FrameError::Seal); // any carrier can have written it
        }
        let known = frame.number < self.expected || self.early.contains_key(&frame.number);
        if !frame.acknowledges && !known && frame.number - self.expected >= WINDOW {
            return Err(FrameError::Ahead);
        }
        let mut plain = Zeroizing::new(vec![0; frame.data.len()]);
        let read = self.noise.read_message(
            nonce(frame.number, frame.acknowledges),
            &frame.data,
            &mut plain,
        );
        plain.truncate(read.map_err(|_| FrameError::Seal)?);
        if frame.acknowledges {
            let missing = plain.as_slice().try_into().map_err(|_| FrameError::Malformed)?;
            self.drop_acknowledged(u64::from_be_bytes(missing));
            return Ok(Vec::new());
        }
        self.frames_since_ack += 1;
        // After a repeated frame: the last acknowledgement may be lost. After an early one: another
        // frame may be.
        self.ack_pending |=
            known || frame.number != self.expected || self.frames_since_ack >= FRAMES_PER_ACK;
        if known {
            return Ok(Vec::new());
        }
        self.early.insert(frame.number, plain);
        let mut messages = Vec::new();
        while let Some(plain) = self.early.remove(&self.expected) {
            self.expected += 1;
            let Some((flag, chunk)) = plain.split_first() else {
                return Err(FrameError::Malformed);
            };
            if self.partial.len() + chunk.len() > MAX_CHANNEL_MESSAGE || *flag > MORE {
                return Err(FrameError::Malformed);
            }
            grow(&mut self.partial, chunk);
            if *flag == LAST {
                self.ack_pending = true;
                messages.push(std::mem::take(&mut self.partial));
            }
        }
        Ok(messages)
    }

    /// Forgets the frames before the first one that the other end misses.
    fn drop_acknowledged(&mut self, missing: u64) {
        while self.waiting.front().is_some_and(|frame| frame.number < missing) {
            if let Some(frame) = self.waiting.pop_front() {
                self.waiting_bytes -= frame.data.len();
                self.sent = self.sent.saturating_sub(1);
            }
        }
    }
}

/// The Noise nonce of a frame or acknowledgement.
fn nonce(number: u64, acknowledges: bool) -> u64 {
    if acknowledges { ACK_BIT | number } else { number }
}

/// Appends a chunk of a secret without leaving a copy behind in a buffer that was too small.
fn grow(to: &mut Zeroizing<Vec<u8>>, chunk: &[u8]) {
    let mut grown = Zeroizing::new(Vec::with_capacity(to.len() + chunk.len()));
    grown.extend_from_slice(to);
    grown.extend_from_slice(chunk);
    *to = grown;
}
