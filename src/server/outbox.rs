//! What waits to be sent to one connection: the socket's writing half and a bounded queue before it.
//!
//! Whoever has a frame for the connection writes it to the socket itself; only what the socket does not take is queued.
//! So nobody waits for a reader, a reader that keeps up needs no queue, and an idle connection holds no memory here.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Bytes;

use super::frame;
use super::limits::{Budget, Limits};

/// One sender may hold this part of a queue, so that it can not keep others from the reader.
const SENDER_SHARE: usize = 4;

/// A connection as the others see it.
#[derive(Debug)]
pub(super) struct Outbox {
    /// Tells connections apart, also those that held the same peer id one after the other.
    number: u64,
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Debug)]
struct State {
    /// `None` once nothing more can be sent.
    socket: Option<OwnedWriteHalf>,
    queue: VecDeque<Queued>,
    /// Bytes of the first queued frame that the socket has taken.
    sent: usize,
    /// When the socket last took a byte, or when the queue began.
    progress: Instant,
    /// When somebody asked for this connection's id and it was pinged for that, until it answers.
    probed: Option<Instant>,
    /// Another connection of the same node holds its id now.
    replaced: bool,
}

#[derive(Debug)]
struct Queued {
    frame: Bytes,
    /// The connection that relayed it; `None` for the server's own words.
    sender: Option<u64>,
}

/// Why a frame was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The connection is over.
    Gone,
    /// Too much waits for this reader.
    Full,
}

/// What the connection's own task wants to know of its outbox.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Status {
    /// Since when the socket has taken nothing of what waits; `None` when nothing waits.
    pub(super) blocked_since: Option<Instant>,
    /// When the connection was last asked for a sign of life that it has not given.
    pub(super) probed: Option<Instant>,
    /// How many of the server's own answers wait.
    pub(super) answers: usize,
    /// Another connection of the same node holds its id now.
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

    /// Ready when the connection's task has to look at its outbox again.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Sends what another connection relays, or queues it within the bounds.
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
            // A reader that is behind while memory is short: half a frame can not be taken back, so it has to go.
            if sent > 0 {
                state.fail(budget);
                self.wake.notify_one();
            }
            return Err(Refusal::Full);
        }
        self.queue(&mut state, frame, Some(sender), sent);
        Ok(())
    }

    /// Sends the server's own words. Not bounded here: the connection's task stops reading when [`Status::answers`] grow.
    pub(super) fn answer(&self, frame: Bytes) {
        let mut state = self.lock();
        match state.write_now(&frame, self) {
            Ok(sent) if sent < frame.len() => self.queue(&mut state, frame, None, sent),
            // Sent, or nobody is left to send to.
            Ok(_) | Err(_) => {}
        }
    }

    /// Asks the connection for a sign of life, since somebody else wants its id.
    pub(super) fn probe(&self) {
        let mut state = self.lock();
        if state.probed.is_none() {
            state.probed = Some(Instant::now());
            drop(state);
            self.answer(frame::ping());
            self.wake.notify_one();
        }
    }

    /// Tells the connection that another one of the same node holds its id now.
    pub(super) fn replace(&self) {
        self.lock().replaced = true;
        self.wake.notify_one();
    }

    /// The connection has sent something: it lives.
    pub(super) fn heard(&self) {
        self.lock().probed = None;
    }

    /// Sends what waits, as far as the socket takes it.
    ///
    /// # Errors
    /// When the socket is broken or was let go.
    pub(super) fn flush(&self, budget: &Budget) -> io::Result<Status> {
        let mut state = self.lock();
        let result = state.flush(budget);
        if result.is_err() {
            state.fail(budget);
        }
        result.map(|()| state.status())
    }

    /// How many of the server's own answers wait.
    pub(super) fn answers(&self) -> usize {
        self.lock().status().answers
    }

    /// Sends no more, and tells the other end so (a TCP FIN). What waits is dropped.
    pub(super) fn close(&self, budget: &Budget) {
        self.lock().fail(budget);
    }

    fn queue(&self, state: &mut State, frame: Bytes, sender: Option<u64>, sent: usize) {
        if state.queue.is_empty() {
            state.progress = Instant::now();
            state.sent = sent;
            // From here on the task has to wait for the socket to take more.
            self.wake.notify_one();
        }
        state.queue.push_back(Queued { frame, sender });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Writes what the socket takes of `frame` at once: nothing while others wait before it.
    fn write_now(&mut self, frame: &[u8], outbox: &Outbox) -> Result<usize, Refusal> {
        let Some(socket) = &self.socket else { return Err(Refusal::Gone) };
        if !self.queue.is_empty() {
            return Ok(0);
        }
        write(socket, frame).map_err(|_| {
            // The queue is empty, so there is nothing else to let go of.
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
        // The first frame is always taken, or a frame longer than a queue or a share could never pass.
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

/// Writes as many of `bytes` as the socket takes without waiting.
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
