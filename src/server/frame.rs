//! WebSocket frames (RFC 6455): bytes in, messages out, and the frames that the server sends. No
//! IO.
//!
//! The header format is tungstenite's; the rest is our own. A library's WebSocket keeps a buffer
//! for as long as the connection lives, and a large one after one large message; here an idle
//! connection holds none. And a message that is too large is refused by its header, before any of
//! it is read.

use std::io::Cursor;

use tokio_tungstenite::tungstenite::Bytes;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame, FrameHeader};

/// Largest payload of a control frame, in bytes (RFC 6455, section 5.5).
const MAX_CONTROL: usize = 125;

/// One whole message, or a control frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    Text(String),
    /// Its payload is dropped: the protocol has no binary messages.
    Binary,
    Ping(Vec<u8>),
    Pong,
    /// The close code for the answer.
    Close(CloseCode),
}

/// An error that ends the connection: the bytes that follow cannot be parsed, or are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Violation {
    #[error("the message has {size} bytes or more, and {limit} is the most: split it or send less")]
    TooLarge { size: u64, limit: usize },
    #[error("a text frame has to be UTF-8")]
    NotUtf8,
    #[error("not a WebSocket frame that a client may send (RFC 6455): {0}")]
    Protocol(&'static str),
}

impl Violation {
    /// The close code of RFC 6455, section 7.4.1.
    pub(super) fn close_code(self) -> CloseCode {
        match self {
            Self::TooLarge { .. } => CloseCode::Size,
            Self::NotUtf8 => CloseCode::Invalid,
            Self::Protocol(_) => CloseCode::Protocol,
        }
    }
}

/// Assembles a client's messages. Holds no memory between messages.
#[derive(Debug)]
pub(super) struct Decoder {
    /// Bytes received. Those before `start` are parsed.
    input: Vec<u8>,
    start: usize,
    /// The fragments received of a message whose last one is missing.
    fragments: Option<Fragments>,
    /// Most bytes of one message.
    limit: usize,
}

#[derive(Debug)]
struct Fragments {
    is_text: bool,
    payload: Vec<u8>,
}

impl Decoder {
    pub(super) fn new(limit: usize) -> Self {
        Self { input: Vec::new(), start: 0, fragments: None, limit }
    }

    /// Appends bytes from the socket.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// Bytes of memory held for incomplete messages.
    pub(super) fn held(&self) -> usize {
        self.input.capacity()
            + self.fragments.as_ref().map_or(0, |message| message.payload.capacity())
    }

    /// The next message, or `None` when more bytes are needed for it.
    ///
    /// # Errors
    /// [`Violation`]: the connection has to end, since the bytes that follow cannot be parsed.
    pub(super) fn next(&mut self) -> Result<Option<Received>, Violation> {
        while let Some((header, mut payload)) = self.frame()? {
            match header.opcode {
                OpCode::Control(kind) => return control(kind, payload).map(Some),
                OpCode::Data(kind) => {
                    let mut message = match (kind, self.fragments.take()) {
                        (Data::Text | Data::Binary, None) => Fragments {
                            is_text: kind == Data::Text,
                            payload: std::mem::take(&mut payload),
                        },
                        (Data::Continue, Some(message)) => message,
                        (Data::Continue, None) => {
                            return Err(Violation::Protocol("a continuation of nothing"));
                        }
                        _ => {
                            return Err(Violation::Protocol(
                                "a new message within a fragmented one",
                            ));
                        }
                    };
                    message.payload.extend_from_slice(&payload);
                    if !header.is_final {
                        self.fragments = Some(message);
                    } else if message.is_text {
                        return String::from_utf8(message.payload)
                            .map(|text| Some(Received::Text(text)))
                            .map_err(|_| Violation::NotUtf8);
                    } else {
                        return Ok(Some(Received::Binary));
                    }
                }
            }
        }
        self.release();
        Ok(None)
    }

    /// The next whole frame, unmasked.
    fn frame(&mut self) -> Result<Option<(FrameHeader, Vec<u8>)>, Violation> {
        let rest = self.input.get(self.start..).unwrap_or_default();
        let mut cursor = Cursor::new(rest);
        let parsed = FrameHeader::parse(&mut cursor)
            .map_err(|_| Violation::Protocol("a reserved opcode"))?;
        let Some((header, length)) = parsed else { return Ok(None) };
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(Violation::Protocol("reserved bits are set"));
        }
        let Some(mask) = header.mask else {
            return Err(Violation::Protocol("a frame that is not masked"));
        };
        // The header alone decides, so a refused frame is never buffered.
        if matches!(header.opcode, OpCode::Control(_)) {
            if !header.is_final || length > MAX_CONTROL as u64 {
                return Err(Violation::Protocol(
                    "a control frame in fragments, or longer than 125 bytes",
                ));
            }
        } else {
            let before = self.fragments.as_ref().map_or(0, |message| message.payload.len());
            let size = length.saturating_add(before as u64);
            if size > self.limit as u64 {
                return Err(Violation::TooLarge { size, limit: self.limit });
            }
        }
        let from = usize::try_from(cursor.position()).unwrap_or(usize::MAX);
        let to = from.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
        let Some(payload) = rest.get(from..to) else { return Ok(None) };
        let payload =
            payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        self.start += to;
        Ok(Some((header, payload)))
    }

    /// Frees the memory of the bytes that are parsed.
    fn release(&mut self) {
        if self.start > 0 {
            self.input = self.input.get(self.start..).unwrap_or_default().to_vec();
            self.start = 0;
        }
    }
}

fn control(kind: Control, payload: Vec<u8>) -> Result<Received, Violation> {
    match kind {
        Control::Ping => Ok(Received::Ping(payload)),
        Control::Pong => Ok(Received::Pong),
        // A close frame is empty, or starts with a code (RFC 6455, section 5.5.1), which the answer
        // repeats.
        Control::Close => Ok(Received::Close(match payload.first_chunk() {
            _ if payload.is_empty() => CloseCode::Normal,
            Some(code) => Some(CloseCode::from(u16::from_be_bytes(*code)))
                .filter(|code| code.is_allowed())
                .unwrap_or(CloseCode::Protocol),
            None => CloseCode::Protocol,
        })),
        Control::Reserved(_) => Err(Violation::Protocol("a reserved opcode")),
    }
}

/// A text frame, ready to send.
pub(super) fn text(json: String) -> Bytes {
    encode(Frame::message(json, OpCode::Data(Data::Text), true))
}

/// A ping without a payload: any byte from a client proves that it is alive, so pongs need not be
/// matched.
pub(super) fn ping() -> Bytes {
    encode(Frame::ping(Bytes::new()))
}

/// The answer to a ping.
pub(super) fn pong(payload: Vec<u8>) -> Bytes {
    encode(Frame::pong(payload))
}

/// A close frame. `reason` is for people, and has to be shorter than 124 bytes.
pub(super) fn close(code: CloseCode, reason: &'static str) -> Bytes {
    encode(Frame::close(Some(CloseFrame { code, reason: reason.into() })))
}

fn encode(frame: Frame) -> Bytes {
    let mut bytes = Vec::with_capacity(frame.len());
    // Writing to a Vec has no way to fail.
    let _ = frame.format(&mut bytes);
    bytes.into()
}
