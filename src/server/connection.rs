//! One WebSocket connection, from upgrade to close: reads, checks that the client is alive, and
//! closes so that the last message arrives. `requests` answers the client's requests.
//!
//! Each connection has one task, which wakes when the socket can be read or written, or when a
//! deadline is due. Between two waits it runs plain code without await ([`Connection::turn`]), so a
//! waiting task holds little memory.

mod requests;

use std::io;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::frame::{self, Decoder, Violation};
use super::outbox::{Outbox, Status};
use super::shared::Shared;
use crate::wire::{ErrorCode, MAX_FRAME, PeerId};

/// Bytes read at a time, on the stack.
const CHUNK: usize = 16 * 1024;

/// Reads and messages of one turn. Then the other connections have theirs, above all the receivers
/// of these messages.
const TURN: usize = 32;

/// The server reads no further request while this many answers wait for the client.
const MAX_ANSWERS: usize = 16;

/// Pings that a silent client may leave unanswered.
const MAX_UNANSWERED_PINGS: u8 = 2;

/// Most bytes that are read and discarded after the server's close frame. If a socket is closed
/// with unread bytes, TCP sends a reset, on which the client drops what it has not read yet: the
/// error message (RFC 1122, 4.2.2.13).
const MAX_DRAIN: usize = 16 * 1024 * 1024;

/// A WebSocket connection after its upgrade.
#[derive(Debug)]
pub(super) struct Connection {
    shared: Arc<Shared>,
    socket: OwnedReadHalf,
    outbox: Arc<Outbox>,
    decoder: Decoder,
    /// The peer id that this connection has registered.
    id: Option<PeerId>,
    /// Bytes of the budget for messages under way that the decoder holds.
    held: usize,
    /// When the last bytes of the client were read.
    last_read: Instant,
    /// When the last ping was sent.
    last_ping: Instant,
    /// Pings since the last byte of the client.
    unanswered_pings: u8,
    /// Counts this connection while it exists.
    _slot: OwnedSemaphorePermit,
}

/// What the task does after a turn.
enum Turn {
    /// Take another turn, after those of other connections.
    Repeat,
    /// Wait for the socket, until that time at most.
    Wait(Interest, Instant),
    /// End the connection.
    Over(End),
}

/// How a connection ends.
enum End {
    /// The client is gone: nothing more can be sent.
    Gone,
    /// Send a close frame, and make sure that it arrives.
    Close(CloseCode, &'static str),
}

impl Connection {
    /// Takes over a socket after the upgrade. `early` is what the client sent directly behind its
    /// request.
    pub(super) fn new(
        shared: Arc<Shared>,
        stream: TcpStream,
        early: &[u8],
        slot: OwnedSemaphorePermit,
    ) -> Self {
        let (socket, writer) = stream.into_split();
        let outbox = Outbox::new(shared.next_number.fetch_add(1, Ordering::Relaxed), writer);
        let mut decoder = Decoder::new(MAX_FRAME);
        decoder.push(early);
        let now = Instant::now();
        Self {
            shared,
            socket,
            outbox: Arc::new(outbox),
            decoder,
            id: None,
            held: 0,
            last_read: now,
            last_ping: now,
            unanswered_pings: 0,
            _slot: slot,
        }
    }

    /// Serves the connection until it ends.
    pub(super) async fn run(mut self) {
        let end = self.serve().await;
        self.leave();
        if let End::Close(code, reason) = end {
            self.outbox.answer(frame::close(code, reason));
            self.drain().await;
        }
    }

    async fn serve(&mut self) -> End {
        let mut timer = pin!(sleep_until(self.last_read + self.shared.limits.ping_interval));
        loop {
            if self.shared.closing.is_cancelled() {
                return End::Close(CloseCode::Away, "the server stops");
            }
            match self.turn() {
                Turn::Over(end) => return end,
                Turn::Repeat => tokio::task::yield_now().await,
                Turn::Wait(interest, until) => {
                    // Mostly the deadline only moves on: then the timer fires early once and is set
                    // again here.
                    if until < timer.deadline() || timer.is_elapsed() {
                        timer.as_mut().reset(until);
                    }
                    tokio::select! {
                        biased;
                        () = self.shared.closing.cancelled() => {}
                        () = self.outbox.woken() => {}
                        // An error of the socket shows when the turn uses it.
                        _ = self.socket.ready(interest) => {}
                        () = &mut timer => {}
                    }
                }
            }
        }
    }

    /// Reads, answers and writes as far as that is possible without waiting.
    fn turn(&mut self) -> Turn {
        let Ok(mut status) = self.outbox.flush(&self.shared.budget) else {
            return Turn::Over(End::Gone);
        };
        if status.replaced {
            self.error(
                ErrorCode::PeerIdTaken,
                "another connection of this node has taken over",
                None,
            );
            return Turn::Over(End::Close(CloseCode::Policy, "see the error before this"));
        }
        for _ in 0..TURN {
            if status.answers >= MAX_ANSWERS {
                return self.wait(status, Interest::WRITABLE);
            }
            match self.decoder.next() {
                Ok(Some(received)) => {
                    if let ControlFlow::Break(end) = self.handle(received) {
                        return Turn::Over(end);
                    }
                    status.answers = self.outbox.answers();
                    continue;
                }
                Ok(None) => {}
                Err(violation) => return Turn::Over(self.refuse(violation)),
            }
            match self.read() {
                Ok(0) => return Turn::Over(End::Gone),
                Ok(_) => status.probed = None,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return self.wait(status, Interest::READABLE);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Turn::Over(End::Gone),
            }
        }
        if self.account() { Turn::Repeat } else { Turn::Over(self.no_memory()) }
    }

    fn read(&mut self) -> io::Result<usize> {
        let mut chunk = [0; CHUNK];
        let count = self.socket.try_read(&mut chunk)?;
        self.decoder.push(chunk.get(..count).unwrap_or_default());
        self.last_read = Instant::now();
        self.unanswered_pings = 0;
        self.outbox.note_alive();
        Ok(count)
    }

    /// Ends a turn: accounts for the decoder's memory and checks the deadlines.
    fn wait(&mut self, status: Status, interest: Interest) -> Turn {
        if !self.account() {
            return Turn::Over(self.no_memory());
        }
        let interest =
            if status.blocked_since.is_some() { interest | Interest::WRITABLE } else { interest };
        match self.deadline(status) {
            Some(until) => Turn::Wait(interest, until),
            None => Turn::Over(End::Gone),
        }
    }

    /// When the next turn is due. `None` when the client has been silent for too long. Sends a ping
    /// when one is due.
    fn deadline(&mut self, status: Status) -> Option<Instant> {
        let limits = &self.shared.limits;
        let now = Instant::now();
        if let Some(since) = status.blocked_since {
            // A ping would wait behind the queue. The client is alive while the socket accepts
            // bytes.
            let until = since + limits.write_timeout;
            return (now < until).then_some(until);
        }
        let mut until = self.last_read.max(self.last_ping) + limits.ping_interval;
        if now >= until {
            if self.unanswered_pings >= MAX_UNANSWERED_PINGS {
                return None;
            }
            self.unanswered_pings += 1;
            self.last_ping = now;
            until = now + limits.ping_interval;
            self.outbox.answer(frame::ping());
        }
        if let Some(probed) = status.probed {
            let answered_by = probed + limits.probe_timeout;
            if now >= answered_by {
                return None;
            }
            until = until.min(answered_by);
        }
        Some(until)
    }

    fn refuse(&self, violation: Violation) -> End {
        let code = match violation {
            Violation::TooLarge { .. } => ErrorCode::TooLarge,
            Violation::NotUtf8 | Violation::Protocol(_) => ErrorCode::BadMessage,
        };
        self.error(code, &violation.to_string(), None);
        End::Close(violation.close_code(), "see the error before this")
    }

    fn no_memory(&self) -> End {
        self.error(
            ErrorCode::RateLimited,
            "the server has too many messages under way: try again later",
            None,
        );
        End::Close(CloseCode::Again, "see the error before this")
    }

    /// Takes the decoder's memory from the budget. `false` when there is not enough.
    fn account(&mut self) -> bool {
        // Messages of usual size are free, so that clients that use up the budget cannot block
        // them.
        let held = self.decoder.held().saturating_sub(CHUNK);
        if held > self.held {
            if !self.shared.budget.take(held - self.held) {
                return false;
            }
        } else {
            self.shared.budget.give(self.held - held);
        }
        self.held = held;
        true
    }

    /// Frees the id and the memory of a message that will not be completed.
    fn leave(&mut self) {
        if let Some(id) = self.id.take() {
            self.shared.peers.release(&id, self.outbox.number());
        }
        self.decoder = Decoder::new(0);
        // The decoder holds less than before, so there is always enough.
        let _ = self.account();
    }

    /// Sends the queue, then a FIN, and reads on until the client closes, up to a deadline and
    /// [`MAX_DRAIN`].
    async fn drain(&self) {
        let mut timer = pin!(sleep_until(Instant::now() + self.shared.limits.close_timeout));
        let mut drained = 0;
        let mut is_flushed = false;
        let mut is_ended = false;
        while !(is_flushed && is_ended) {
            if !is_flushed {
                let Ok(status) = self.outbox.flush(&self.shared.budget) else { return };
                if status.blocked_since.is_none() {
                    is_flushed = true;
                    self.outbox.close(&self.shared.budget);
                }
            }
            match discard(&self.socket) {
                Ok(0) => is_ended = true,
                Ok(count) => {
                    drained += count;
                    if drained > MAX_DRAIN {
                        return;
                    }
                    tokio::task::yield_now().await;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
            let interest = match (is_flushed, is_ended) {
                (true, true) => return,
                (true, false) => Interest::READABLE,
                (false, true) => Interest::WRITABLE,
                (false, false) => Interest::READABLE | Interest::WRITABLE,
            };
            tokio::select! {
                _ = self.socket.ready(interest) => {}
                () = &mut timer => return,
            }
        }
    }
}

impl Drop for Connection {
    /// However the task ends, this frees the peer id, lets senders see that the connection is gone,
    /// and returns the memory.
    fn drop(&mut self) {
        self.leave();
        self.outbox.close(&self.shared.budget);
    }
}

fn discard(socket: &OwnedReadHalf) -> io::Result<usize> {
    socket.try_read(&mut [0; CHUNK])
}
