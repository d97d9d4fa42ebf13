//! The outbox of one connection: the socket's writing half and a bounded queue before it.
//!
//! The task that has a frame for the connection writes it to the socket itself; only bytes that the
//! socket does not accept are queued. So no task waits for a receiver, a fast receiver needs no
//! queue, and an idle one holds no memory here.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Bytes;

use super::frame;
use super::limits::{Budget, Limits};

/// One sender may fill a queue to one part in this many, so that it cannot keep others from the
/// receiver.
const SENDER_SHARE: usize = 4;

/// A connection as other connections see it.
#[derive(Debug)]
pub(super) struct Outbox {
    /// The connection's number. Two connections that register the same peer id in turn have
    /// different ones.
    number: u64,
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Debug)]
struct State {
    /// `None` when nothing more can be sent.
    socket: Option<OwnedWriteHalf>,
    queue: VecDeque<Queued>,
    /// Bytes of the first queued frame that the socket has accepted.
    sent: usize,
    /// When the socket last accepted a byte, or when the queue began.
    progress: Instant,
    /// When it was pinged because another connection asked for its peer id. `None` after its
    /// answer.
    probed: Option<Instant>,
    /// Whether another connection of the same node has taken over its peer id.
    replaced: bool,
}

#[derive(Debug)]
struct Queued {
    frame: Bytes,
    /// The connection that relayed it. `None` for the server's own answers.
    sender: Option<u64>,
}

/// Why a frame was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The connection is over.
    Gone,
    /// Too many frames wait for this receiver.
    Full,
}

/// What the connection's task reads from its outbox in each turn.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Status {
    /// When the socket last accepted a byte of the queue. `None` when the queue is empty.
    pub(super) blocked_since: Option<Instant>,
    /// When it was pinged because another connection asked for its peer id. `None` after its
    /// answer.
    pub(super) probed: Option<Instant>,
    /// How many of the server's own answers are queued.
    pub(super) answers: usize,
    /// Whether another connection of the same node has taken over its peer id.
    pub(super) replaced: bool,
}

impl Outbox {
    pub(super) fn new(number: u64, socket: OwnedWriteHalf) -> Self {
        let socket = Some(socket);
        let state = State {
            socket,
            queue: VecDeque::new(),
            sent: 0,
            progress: Instant::now(),
            probed: None,
            replaced: false,
        };
        Self { number, state: Mutex::new(state), wake: Notify::new() }
    }

    /// The connection's number.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Ready when the connection's task has to take a turn.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Sends a frame that another connection relays, or queues it within the bounds.
    pub(super) fn relay(
        &self,
        frame: Bytes,
        sender: u64,
        limits: &Limits,
        budget: &Budget,
    ) -> Result<(), Refusal> {
        let mut state = self.lock();
        let sent = state.write_now(&frame, self)?;
        if sent == frame.len() {
            return Ok(());
        }
        if !state.has_room(frame.len(), sender, limits) {
            return Err(Refusal::Full);
        }
        if !budget.take(frame.len()) {
            // The receiver is slow while memory is short. A frame cannot be sent by half, so the
            // connection ends.
            if sent > 0 {
                state.fail(budget);
                self.wake.notify_one();
            }
            return Err(Refusal::Full);
        }
        self.queue(&mut state, frame, Some(sender), sent);
        Ok(())
    }

    /// Sends an answer of the server. Not bounded here: the connection's task reads no request
    /// while many answers wait ([`Status::answers`]).
    pub(super) fn answer(&self, frame: Bytes) {
        let mut state = self.lock();
        match state.write_now(&frame, self) {
            Ok(sent) if sent < frame.len() => self.queue(&mut state, frame, None, sent),
            // Sent, or the connection is over.
            Ok(_) | Err(_) => {}
        }
    }

    /// Pings the connection, because another one asks for its peer id.
    pub(super) fn probe(&self) {
        let mut state = self.lock();
        if state.probed.is_none() {
            state.probed = Some(Instant::now());
            drop(state);
            self.answer(frame::ping());
            self.wake.notify_one();
        }
    }

    /// Ends the connection, because another one of the same node takes over its peer id.
    pub(super) fn replace(&self) {
        self.lock().replaced = true;
        self.wake.notify_one();
    }

    /// The client has sent something, so it is alive.
    pub(super) fn note_alive(&self) {
        self.lock().probed = None;
    }

    /// Sends the queue, as far as the socket accepts it.
    ///
    /// # Errors
    /// The socket is broken or closed.
    pub(super) fn flush(&self, budget: &Budget) -> io::Result<Status> {
        let mut state = self.lock();
        let result = state.flush(budget);
        if result.is_err() {
            state.fail(budget);
        }
        result.map(|()| state.status())
    }

    /// How many of the server's own answers are queued.
    pub(super) fn answers(&self) -> usize {
        self.lock().status().answers
    }

    /// Closes the sending direction (a TCP FIN) and drops the queue.
    pub(super) fn close(&self, budget: &Budget) {
        self.lock().fail(budget);
    }

    fn queue(&self, state: &mut State, frame: Bytes, sender: Option<u64>, sent: usize) {
        if state.queue.is_empty() {
            state.progress = Instant::now();
            state.sent = sent;
            // From now on the task has to wait until the socket can be written.
            self.wake.notify_one();
        }
        state.queue.push_back(Queued { frame, sender });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Writes as many bytes of `frame` as the socket accepts: none while other frames are queued
    /// before it.
    fn write_now(&mut self, frame: &[u8], outbox: &Outbox) -> Result<usize, Refusal> {
        let Some(socket) = &self.socket else { return Err(Refusal::Gone) };
        if !self.queue.is_empty() {
            return Ok(0);
        }
        write(socket, frame).map_err(|_| {
            // The queue is empty, so no memory has to be returned.
            self.socket = None;
            outbox.wake.notify_one();
            Refusal::Gone
        })
    }

    fn has_room(&self, bytes: usize, sender: u64, limits: &Limits) -> bool {
        let (mut messages, mut total, mut own_messages, mut own_total) = (0, 0, 0, 0);
        for queued in &self.queue {
            let Some(by) = queued.sender else { continue };
            messages += 1;
            total += queued.frame.len();
            if by == sender {
                own_messages += 1;
                own_total += queued.frame.len();
            }
        }
        // The first frame always fits, or a frame larger than the queue or a sender's part could
        // never pass.
        let fits = messages == 0
            || (messages < limits.queue_messages && total + bytes <= limits.queue_bytes);
        let fair = own_messages == 0
            || (own_messages < limits.queue_messages / SENDER_SHARE
                && own_total + bytes <= limits.queue_bytes / SENDER_SHARE);
        fits && fair
    }

    fn flush(&mut self, budget: &Budget) -> io::Result<()> {
        let Some(socket) = &self.socket else { return Err(io::ErrorKind::NotConnected.into()) };
        while let Some(first) = self.queue.front() {
            let rest = first.frame.get(self.sent..).unwrap_or_default();
            let taken = write(socket, rest)?;
            if taken > 0 {
                self.progress = Instant::now();
            }
            if taken < rest.len() {
                self.sent += taken;
                return Ok(());
            }
            self.sent = 0;
            if first.sender.is_some() {
                budget.give(first.frame.len());
            }
            self.queue.pop_front();
        }
        // Idle connections hold no memory.
        self.queue = VecDeque::new();
        Ok(())
    }

    fn fail(&mut self, budget: &Budget) {
        self.socket = None;
        self.sent = 0;
        for queued in
            std::mem::take(&mut self.queue).iter().filter(|queued| queued.sender.is_some())
        {
            budget.give(queued.frame.len());
        }
    }

    fn status(&self) -> Status {
        Status {
            blocked_since: (!self.queue.is_empty()).then_some(self.progress),
            probed: self.probed,
            replaced: self.replaced,
            answers: self.queue.iter().filter(|queued| queued.sender.is_none()).count(),
        }
    }
}

/// Writes as many of `bytes` as the socket accepts without waiting.
fn write(socket: &OwnedWriteHalf, bytes: &[u8]) -> io::Result<usize> {
    let mut sent = 0;
    while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
        match socket.try_write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(taken) => sent += taken,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}
