//! Sealed frames: numbered, kept until acknowledged, delivered once and in order.
//!
//! A message becomes one frame or several. A frame is sealed once, under its number, and sent again as it is: no number
//! ever seals two texts. An acknowledgement is sealed too (nobody on the way can forge one), under numbers of its own, and
//! names the first number that is still missing.

use std::collections::VecDeque;

use snow::StatelessTransportState;
use zeroize::Zeroizing;

use crate::sorted::Map;
use crate::wire::Sealed;

/// Most bytes of a message in one frame, in bytes: as hex and JSON it is a message of less than 16 KiB, which every WebRTC stack takes.
pub const MAX_CHUNK: usize = 7 * 1024;
/// Largest message, in bytes.
pub const MAX_CHANNEL_MESSAGE: usize = 1024 * 1024;
/// Most frames that are kept when they come early.
const WINDOW: u64 = 256;
/// A message of many frames is acknowledged each time so many of them have come, and at its end.
const ACKNOWLEDGE_EACH: u32 = 8;
/// Most bytes that wait to be sent or acknowledged.
const MAX_WAITING: usize = 4 * 1024 * 1024;
/// The tag of ChaCha20-Poly1305.
const TAG: usize = 16;
/// Set in the Noise nonces of acknowledgements, which are counted apart.
const ACKNOWLEDGEMENT: u64 = 1 << 63;
/// First byte of a frame: the message ends in it, or goes on in the next.
const LAST: u8 = 0;
const MORE: u8 = 1;

/// Why a frame or message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Changed on the way, or of another link.
    #[error("a sealed frame does not open: it was changed on the way, or is of another link")]
    Seal,
    /// Far ahead of what was acknowledged.
    #[error("a sealed frame is too far ahead")]
    Ahead,
    /// What it holds is no part of a message.
    #[error("a sealed frame holds no message")]
    Malformed,
    /// A message that is too large, or too many that nobody acknowledges.
    #[error("too much waits to be sent")]
    Full,
}

/// How much may be on its way unacknowledged.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    frames: usize,
    bytes: usize,
}

impl Window {
    /// By a signaling server, which keeps no more than 64 messages and 256 KiB of one sender for a slow reader: as hex and JSON
    /// these bytes are just below that.
    pub const RELAY: Self = Self { frames: 56, bytes: 112 * 1024 };
    /// By a data channel, which keeps what it has taken and paces itself; most frames are as many as the other end takes early.
    pub const CHANNEL: Self = Self { frames: WINDOW as usize, bytes: 512 * 1024 };
}

/// Both directions of a link that stands.
pub struct Frames {
    noise: StatelessTransportState,
    /// Number of the next frame to be sealed.
    next: u64,
    /// Sealed, and not acknowledged; the first `sent` of them have been sent.
    waiting: VecDeque<Sealed>,
    waiting_bytes: usize,
    sent: usize,
    /// Acknowledgements sealed so far.
    acknowledgements: u64,
    /// Number of the first frame that is missing.
    expected: u64,
    early: Map<u64, Zeroizing<Vec<u8>>>,
    partial: Zeroizing<Vec<u8>>,
    /// Frames that came since the last acknowledgement, and whether that is due.
    unacknowledged: u32,
    owes: bool,
}

impl Frames {
    pub(super) fn new(noise: StatelessTransportState) -> Self {
        Self {
            noise,
            next: 0,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            sent: 0,
            acknowledgements: 0,
            expected: 0,
            early: Map::default(),
            partial: Zeroizing::default(),
            unacknowledged: 0,
            owes: false,
        }
    }

    /// Seals a message, to be taken by [`Frames::to_send`].
    ///
    /// # Errors
    /// [`FrameError::Full`]: nothing was sealed.
    pub fn say(&mut self, message: &[u8]) -> Result<(), FrameError> {
        if message.len() > MAX_CHANNEL_MESSAGE || self.waiting_bytes + message.len() > MAX_WAITING {
            return Err(FrameError::Full);
        }
        let chunks = message.chunks(MAX_CHUNK).count().max(1);
        for (index, chunk) in
            message.chunks(MAX_CHUNK).chain(message.is_empty().then_some(message)).enumerate()
        {
            let mut plain = Zeroizing::new(Vec::with_capacity(1 + chunk.len()));
            plain.push(if index + 1 == chunks { LAST } else { MORE });
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

    /// Frames that are to be sent now, in order, as far as what is on its way leaves room.
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

    /// Sends everything that is not acknowledged again: the carrier may have lost it.
    pub fn send_again(&mut self) {
        self.sent = 0;
    }

    /// Whether something was sent and not acknowledged.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The acknowledgement that is owed, if any.
    pub fn acknowledgement(&mut self) -> Option<Sealed> {
        if !std::mem::take(&mut self.owes) {
            return None;
        }
        self.unacknowledged = 0;
        self.acknowledgements += 1;
        self.seal(self.acknowledgements, true, &self.expected.to_be_bytes())
    }

    /// Takes a frame; returns the messages that it completes, in order.
    ///
    /// # Errors
    /// [`FrameError`]. After [`FrameError::Malformed`] the other end is not to be talked to any more; nothing has changed
    /// after the others.
    pub fn receive(&mut self, frame: &Sealed) -> Result<Vec<Zeroizing<Vec<u8>>>, FrameError> {
        if frame.data.len() > MAX_CHUNK + 1 + TAG {
            return Err(FrameError::Seal); // anyone on the way can have written it
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
            self.acknowledged(u64::from_be_bytes(missing));
            return Ok(Vec::new());
        }
        self.unacknowledged += 1;
        // A repeat: our acknowledgement may have been lost. An early one: something else was.
        self.owes |=
            known || frame.number != self.expected || self.unacknowledged >= ACKNOWLEDGE_EACH;
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
                self.owes = true;
                messages.push(std::mem::take(&mut self.partial));
            }
        }
        Ok(messages)
    }

    fn acknowledged(&mut self, missing: u64) {
        while self.waiting.front().is_some_and(|frame| frame.number < missing) {
            if let Some(frame) = self.waiting.pop_front() {
                self.waiting_bytes -= frame.data.len();
                self.sent = self.sent.saturating_sub(1);
            }
        }
    }

    /// Says what a fresh link has received, which is nothing: its other end stops repeating the handshake.
    pub fn greet(&mut self) {
        self.owes = true;
    }
}

fn nonce(number: u64, acknowledges: bool) -> u64 {
    if acknowledges { ACKNOWLEDGEMENT | number } else { number }
}

/// Appends without leaving a copy of a secret behind in a buffer that was too small.
fn grow(to: &mut Zeroizing<Vec<u8>>, chunk: &[u8]) {
    let mut grown = Zeroizing::new(Vec::with_capacity(to.len() + chunk.len()));
    grown.extend_from_slice(to);
    grown.extend_from_slice(chunk);
    *to = grown;
}
