//! One secure channel to one peer, as the transport keeps it: the handshake, its repeats, and the
//! sealed frames that wait for an acknowledgement (docs/PROTOCOL.md, section 4).
//!
//! A handshake begins on the relay at once. Frames move to a data channel when that is open; what
//! was not acknowledged by then is sent again there.

use zeroize::Zeroizing;

use super::effect::CarrierSpec;
use crate::api::{CarrierId, Timestamp};
use crate::channel::{
    Context, FrameError, Frames, Handshake, HandshakeError, HandshakeMessage, Opened,
};
use crate::identity::Identity;
use crate::node::ctx::Ctx;
use crate::wire::{PeerMessage, Sealed, SessionId};

/// After this long without an answer everything is sent again, in milliseconds; then after twice,
/// four and eight times this.
const RESEND: u64 = 1_000;
/// How long a channel that failed is left alone, in milliseconds.
const REST: u64 = 180_000;

enum State {
    /// Our hello was sent, or is ready to be.
    Hello { handshake: Handshake, hello: Vec<u8> },
    /// We have answered that hello with that answer.
    Answered { handshake: Handshake, hello: Vec<u8>, answer: Vec<u8> },
    /// It stands. Our last handshake message is repeated until the other end shows that it has it.
    Open { frames: Box<Frames>, proof: Option<Vec<u8>> },
    /// It failed and is not retried: it would fail again, or somebody provokes retries.
    Failed,
}

/// What a handshake message led to.
pub(super) enum Progress {
    /// Nothing yet.
    Waiting,
    /// The channel stands, with this identity at the other end.
    Opened(Identity),
}

/// What to do with a handshake message that does not decrypt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stale {
    /// The channel fails: in a session each end handshakes once.
    Fail,
    /// Drop it: the peer may have restarted, and its old messages may still arrive.
    Ignore,
}

/// One secure channel.
pub(super) struct SecureChannel {
    session: SessionId,
    stale: Stale,
    state: State,
    /// What carried the last message.
    carrier: Option<CarrierId>,
    /// A handshake message is to be sent.
    handshake_due: bool,
    resend_at: Timestamp,
    resends: u32,
}

impl SecureChannel {
    /// Sends a hello.
    pub(super) fn start(
        ctx: &mut Ctx<'_>,
        context: &Context,
        stale: Stale,
    ) -> Result<Self, HandshakeError> {
        let (handshake, hello) = Handshake::start(context, ctx.identity, &mut ctx.rng)?;
        Ok(Self::new(ctx.now, context, stale, State::Hello { handshake, hello }))
    }

    /// Answers a hello.
    pub(super) fn answer(
        ctx: &mut Ctx<'_>,
        context: &Context,
        stale: Stale,
        hello: &[u8],
    ) -> Result<Self, HandshakeError> {
        let (handshake, answer) = Handshake::answer(context, ctx.identity, hello, &mut ctx.rng)?;
        let state = State::Answered { handshake, hello: hello.to_vec(), answer };
        Ok(Self::new(ctx.now, context, stale, state))
    }

    fn new(now: Timestamp, context: &Context, stale: Stale, state: State) -> Self {
        Self {
            session: context.session_id.clone(),
            stale,
            state,
            carrier: None,
            handshake_due: true,
            resend_at: now.after(RESEND),
            resends: 0,
        }
    }

    /// Sends the hello after a pause that grows with `resends`: what is still on its way belongs to
    /// an earlier handshake.
    pub(super) fn pause(&mut self, now: Timestamp, resends: u32) {
        self.handshake_due = false;
        self.resend_later(now, resends);
    }

    /// How often everything was sent again since the last answer.
    pub(super) fn resends(&self) -> u32 {
        self.resends
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// Whether the other end has shown that the channel stands there too.
    pub(super) fn is_confirmed(&self) -> bool {
        matches!(self.state, State::Open { proof: None, .. })
    }

    pub(super) fn has_failed(&self) -> bool {
        matches!(self.state, State::Failed)
    }

    /// Whether it failed so long ago that it may be tried again.
    pub(super) fn may_retry(&self, now: Timestamp) -> bool {
        self.has_failed() && self.resend_at.after(REST) <= now
    }

    /// Whether it has answered a hello and waits for the proof.
    pub(super) fn has_answered(&self) -> bool {
        matches!(self.state, State::Answered { .. })
    }

    /// Whether this side sent a hello that was not answered.
    pub(super) fn has_sent_hello(&self) -> bool {
        matches!(self.state, State::Hello { .. })
    }

    /// Whether this hello is the one that was answered here.
    pub(super) fn has_answered_this(&self, message: &[u8]) -> bool {
        matches!(&self.state, State::Answered { hello, .. } if hello == message)
    }

    /// Stops trying.
    pub(super) fn give_up(&mut self) {
        self.state = State::Failed;
    }

    /// Takes the second or third handshake message, or a repeat of any.
    pub(super) fn receive_handshake(
        &mut self,
        ctx: &mut Ctx<'_>,
        message: &[u8],
    ) -> Result<Progress, HandshakeError> {
        let step = HandshakeMessage::of(message).ok_or(HandshakeError::Turn)?;
        let received = match (&mut self.state, step) {
            (State::Hello { handshake, .. }, HandshakeMessage::Answer)
            | (State::Answered { handshake, .. }, HandshakeMessage::Proof) => {
                handshake.receive(step, message)
            }
            (State::Answered { hello, .. }, HandshakeMessage::Hello) => {
                // A repeat of the hello: the answer may have been lost.
                self.handshake_due |= hello == message;
                return Ok(Progress::Waiting);
            }
            (State::Open { proof, .. }, HandshakeMessage::Answer) => {
                self.handshake_due = proof.is_some();
                return Ok(Progress::Waiting);
            }
            _ => return Ok(Progress::Waiting), // late, or of a hello that lost
        };
        if received == Err(HandshakeError::Noise) && self.stale == Stale::Ignore {
            return Ok(Progress::Waiting);
        }
        match (std::mem::replace(&mut self.state, State::Failed), received?) {
            (State::Hello { handshake, .. }, identity) => {
                let (proof, opened) = handshake.prove_to(identity, ctx.identity, &mut ctx.rng)?;
                Ok(self.opened(opened, Some(proof), ctx.now))
            }
            (State::Answered { handshake, .. }, identity) => {
                let mut opened = handshake.open_to(identity)?;
                opened.frames.queue_initial_ack();
                Ok(self.opened(opened, None, ctx.now))
            }
            (other, _) => {
                self.state = other;
                Ok(Progress::Waiting)
            }
        }
    }

    fn opened(&mut self, opened: Opened, proof: Option<Vec<u8>>, now: Timestamp) -> Progress {
        self.handshake_due = proof.is_some();
        self.state = State::Open { frames: Box::new(opened.frames), proof };
        self.resend_later(now, 0);
        Progress::Opened(opened.identity)
    }

    /// Seals a message. It leaves with the next [`SecureChannel::flush`].
    ///
    /// # Errors
    /// Too much waits to be sent.
    pub(super) fn send(&mut self, text: &str) -> Result<(), FrameError> {
        match &mut self.state {
            State::Open { frames, .. } => frames.queue(text.as_bytes()),
            _ => Ok(()), // its user sends everything again when it opens
        }
    }

    /// Takes a frame; returns the messages that it completes.
    ///
    /// # Errors
    /// The frame does not open, or holds no message.
    pub(super) fn receive_frame(
        &mut self,
        frame: &Sealed,
        now: Timestamp,
    ) -> Result<Vec<Zeroizing<Vec<u8>>>, FrameError> {
        let State::Open { frames, proof } = &mut self.state else { return Ok(Vec::new()) };
        let messages = frames.receive(frame)?;
        *proof = None; // the other end has it
        if !frames.is_waiting() {
            self.resends = 0;
        }
        self.resend_at = self.resend_at.max(now);
        Ok(messages)
    }

    /// What to send now over a carrier.
    pub(super) fn flush(
        &mut self,
        carrier: &'static CarrierSpec,
        now: Timestamp,
    ) -> Vec<PeerMessage> {
        let moved = self.carrier.is_some_and(|before| before != carrier.id());
        self.carrier = Some(carrier.id());
        if moved {
            self.resend_all();
        }
        let session_id = Some(self.session.clone());
        let mut messages = Vec::new();
        let handshake = match &self.state {
            State::Hello { hello, .. } => Some(hello),
            State::Answered { answer, .. } => Some(answer),
            State::Open { proof, .. } => proof.as_ref(),
            State::Failed => None,
        };
        if std::mem::take(&mut self.handshake_due)
            && let Some(data) = handshake.cloned()
        {
            messages.push(PeerMessage::Handshake { session_id: session_id.clone(), data });
        }
        if let State::Open { frames, .. } = &mut self.state {
            for frame in frames.to_send(carrier.window).into_iter().chain(frames.take_ack()) {
                messages.push(PeerMessage::Frame { session_id: session_id.clone(), frame });
            }
        }
        if !messages.is_empty() {
            self.resend_later(now, self.resends);
        }
        messages
    }

    fn resend_later(&mut self, now: Timestamp, resends: u32) {
        self.resends = resends;
        self.resend_at = now.after(RESEND << resends.min(3));
    }

    /// Sends everything again that was not acknowledged.
    pub(super) fn resend_all(&mut self) {
        self.handshake_due = true;
        if let State::Open { frames, .. } = &mut self.state {
            frames.resend_all();
        }
    }

    /// Whether something waits for an answer of the other end.
    pub(super) fn is_waiting(&self) -> bool {
        match &self.state {
            State::Open { frames, proof } => frames.is_waiting() || proof.is_some(),
            State::Failed => false,
            State::Hello { .. } | State::Answered { .. } => true,
        }
    }

    pub(super) fn tick(&mut self, now: Timestamp) {
        if self.is_waiting() && self.resend_at <= now {
            self.resend_later(now, self.resends.saturating_add(1));
            self.resend_all();
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.is_waiting().then_some(self.resend_at)
    }
}
