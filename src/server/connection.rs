//! One WebSocket connection, from upgrade to close: reads, watches that the other end lives, and ends so that the last
//! word arrives. What the requests mean stands in `requests`.
//!
//! One task for each connection, woken when the socket has something, takes something, or a deadline is due. What it does
//! between two waits is plain code without await ([`Connection::turn`]), so nothing but the few words of its state is
//! kept while it waits.

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

use super::Shared;
use super::frame::{self, Decoder, Violation};
use super::outbox::{Outbox, Status};
use crate::wire::{ErrorCode, MAX_FRAME, PeerId};

/// Bytes read at a time, on the stack.
const CHUNK: usize = 16 * 1024;

/// Reads and messages of one turn. Then the other connections have theirs, above all those that were just written to.
const TURN: usize = 32;

/// A connection that lets this many answers wait is not read from until it has taken some.
const MAX_ANSWERS: usize = 16;

/// Pings that a silent connection may leave without an answer.
const MAX_MISSED: u8 = 2;

/// Most bytes that are read and thrown away after a close frame of ours. Closing a socket with unread bytes makes TCP
/// send a reset, which lets the other end drop what it has not read yet: our error message (RFC 1122, 4.2.2.13).
const MAX_DRAIN: usize = 16 * 1024 * 1024;

/// A WebSocket connection after its upgrade.
#[derive(Debug)]
pub(super) struct Connection {
    shared: Arc<Shared>,
    socket: OwnedReadHalf,
    outbox: Arc<Outbox>,
    decoder: Decoder,
    /// The id registered here.
    id: Option<PeerId>,
    /// What the decoder holds of the budget for messages under way, in bytes.
    held: usize,
    heard: Instant,
    pinged: Instant,
    missed: u8,
    /// Counts this connection until it is gone.
    _slot: OwnedSemaphorePermit,
}

/// What is to be done after a turn.
enum Turn {
    /// There is more to do; others first.
    Again,
    /// Wait for the socket, until that time at most.
    Wait(Interest, Instant),
    Over(End),
}

/// How a connection ends.
enum End {
    /// The other end is gone: nothing more can be said.
    Gone,
    /// Say so with a close frame, and make sure that it arrives.
    Close(CloseCode, &'static str),
}

impl Connection {
    /// Takes over a socket after the upgrade, with what the client sent right behind its request.
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
            heard: now,
            pinged: now,
            missed: 0,
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
        let mut timer = pin!(sleep_until(self.heard + self.shared.limits.ping_interval));
        loop {
            if self.shared.closing.is_cancelled() {
                return End::Close(CloseCode::Away, "the server stops");
            }
            match self.turn() {
                Turn::Over(end) => return end,
                Turn::Again => tokio::task::yield_now().await,
                Turn::Wait(interest, until) => {
                    // Mostly the time only moves on: then the timer rings early once and is set again.
                    if until < timer.deadline() || timer.is_elapsed() {
                        timer.as_mut().reset(until);
                    }
                    tokio::select! {
                        biased;
                        () = self.shared.closing.cancelled() => {}
                        () = self.outbox.woken() => {}
                        // Whatever is wrong with the socket shows when it is used.
                        _ = self.socket.ready(interest) => {}
                        () = &mut timer => {}
                    }
                }
            }
        }
    }

    /// Does what can be done without waiting.
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
        if self.account() { Turn::Again } else { Turn::Over(self.no_memory()) }
    }

    fn read(&mut self) -> io::Result<usize> {
        let mut chunk = [0; CHUNK];
        let count = self.socket.try_read(&mut chunk)?;
        self.decoder.push(chunk.get(..count).unwrap_or_default());
        self.heard = Instant::now();
        self.missed = 0;
        self.outbox.heard();
        Ok(count)
    }

    /// Ends a turn: settles what the decoder holds, looks at the deadlines.
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

    /// When to look again; `None` when the other end has shown no life for too long. Sends a ping when it is time for one.
    fn deadline(&mut self, status: Status) -> Option<Instant> {
        let limits = &self.shared.limits;
        let now = Instant::now();
        if let Some(since) = status.blocked_since {
            // A ping would wait behind the rest; that the socket takes bytes is the sign of life here.
            let until = since + limits.write_timeout;
            return (now < until).then_some(until);
        }
        let mut until = self.heard.max(self.pinged) + limits.ping_interval;
        if now >= until {
            if self.missed >= MAX_MISSED {
                return None;
            }
            self.missed += 1;
            self.pinged = now;
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

    /// Takes from the budget what the decoder holds. `false` when there is not enough.
    fn account(&mut self) -> bool {
        // Usual messages are free, so that a crowd that uses up the budget can not get in their way.
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
        // What is held now is less than before, so there is always enough.
        let _ = self.account();
    }

    /// Sends what waits, then a FIN, and reads on until the other end closes: within bounds.
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
    /// However the task ends, the id is free, the others see that nobody reads here, and the memory is given back.
    fn drop(&mut self) {
        self.leave();
        self.outbox.close(&self.shared.budget);
    }
}

fn discard(socket: &OwnedReadHalf) -> io::Result<usize> {
    socket.try_read(&mut [0; CHUNK])
}
