//! The links of this node: one for each other participant of a session that speaks the extensions (docs/PROTOCOL.md,
//! section 3). A link begins on the relay at once and moves to the data channel when that is open; whatever was not
//! acknowledged by then is said again there.
//!
//! Whoever knows that the other has joined says hello; should both, the smaller peer id's hello counts.

use rand_core::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use crate::api::{Carrier, Timestamp};
use crate::channel::{
    Context, FrameError, Frames, Handshake, HandshakeError, HandshakeMessage, Opened, Window,
};
use crate::identity::{Identity, IdentityKey};
use crate::sorted::Map;
use crate::wire::{PeerId, PeerMessage, Sealed, SessionId};

/// The identity and the randomness with which a node makes its links and signs.
pub(super) struct Tools<'a, R> {
    pub key: &'a IdentityKey,
    pub rng: &'a mut R,
}

enum State {
    /// Our hello is out, or ready to go.
    Hello(Handshake, Vec<u8>),
    /// We have answered that hello with that answer.
    Answered { handshake: Handshake, hello: Vec<u8>, answer: Vec<u8> },
    /// It stands. Until the other end shows that it has it too, our last message of the handshake is repeated.
    Open { frames: Box<Frames>, last: Option<Vec<u8>> },
    /// A handshake that failed is not tried again: it would fail again, or somebody wants us to try.
    Failed,
}

/// One link.
pub(super) struct Link {
    context: Context,
    state: State,
    /// Who is at the other end, once that is proven.
    pub identity: Option<Identity>,
    /// What carried the last message.
    carrier: Option<Carrier>,
    /// What people were told of what carries it.
    pub told: Option<Carrier>,
    /// What does not fit the handshake is left alone: each end may have begun anew, and old messages may be on their way.
    patient: bool,
    /// A message of the handshake is to be sent.
    due: bool,
    again_at: Timestamp,
    tries: u32,
}

/// What came out of a message of the handshake.
pub(super) enum Progress {
    /// Nothing yet.
    Waiting,
    /// The link stands, with this identity at the other end.
    Opened(Identity),
}

/// After this long without an answer everything is sent again, in milliseconds; then after twice, four and eight times this.
const AGAIN: u64 = 1_000;

impl Link {
    /// Says hello.
    pub(super) fn start<R: RngCore + CryptoRng>(
        context: Context,
        tools: &mut Tools<'_, R>,
        now: Timestamp,
    ) -> Result<Self, HandshakeError> {
        let (handshake, hello) = Handshake::start(&context, tools.key, tools.rng)?;
        Ok(Self::new(context, State::Hello(handshake, hello), now))
    }

    /// Answers a hello.
    pub(super) fn answer<R: RngCore + CryptoRng>(
        context: Context,
        hello: &[u8],
        tools: &mut Tools<'_, R>,
        now: Timestamp,
    ) -> Result<Self, HandshakeError> {
        let (handshake, answer) = Handshake::answer(&context, tools.key, hello, tools.rng)?;
        Ok(Self::new(context, State::Answered { handshake, hello: hello.to_vec(), answer }, now))
    }

    fn new(context: Context, state: State, now: Timestamp) -> Self {
        Self {
            context,
            state,
            identity: None,
            carrier: None,
            told: None,
            patient: false,
            due: true,
            again_at: now.after(AGAIN),
            tries: 0,
        }
    }

    /// Leaves alone what does not fit its handshake.
    #[must_use]
    pub(super) fn patient(self) -> Self {
        Self { patient: true, ..self }
    }

    /// Says hello anew, after a pause that grows with each time: what is still on its way belongs to another handshake.
    pub(super) fn pause(&mut self, now: Timestamp, tries: u32) {
        self.due = false;
        self.again_later(now, tries);
    }

    /// How often it has said things again.
    pub(super) fn tries(&self) -> u32 {
        self.tries
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// Whether the other end has shown that the link stands there too.
    pub(super) fn is_confirmed(&self) -> bool {
        matches!(self.state, State::Open { last: None, .. })
    }

    /// Whether it is not tried any more.
    pub(super) fn has_failed(&self) -> bool {
        matches!(self.state, State::Failed)
    }

    /// Whether it failed so long ago that it can be tried anew.
    pub(super) fn is_worth_a_try(&self, now: Timestamp) -> bool {
        const REST: u64 = 180_000;
        self.has_failed() && self.again_at.after(REST) <= now
    }

    /// Whether it has answered a hello, and waits for the proof.
    pub(super) fn has_answered(&self) -> bool {
        matches!(self.state, State::Answered { .. })
    }

    /// Whether this side said hello and has not been answered.
    pub(super) fn has_said_hello(&self) -> bool {
        matches!(self.state, State::Hello(..))
    }

    /// Whether a hello is the one that was answered here.
    pub(super) fn is_known(&self, message: &[u8]) -> bool {
        matches!(&self.state, State::Answered { hello, .. } if hello == message)
    }

    /// Takes the second or third message of the handshake, or a repeat of any.
    pub(super) fn handshake<R: RngCore + CryptoRng>(
        &mut self,
        message: &[u8],
        tools: &mut Tools<'_, R>,
        now: Timestamp,
    ) -> Result<Progress, HandshakeError> {
        let step = HandshakeMessage::of(message).ok_or(HandshakeError::Turn)?;
        match (&self.state, step) {
            (State::Hello(..), HandshakeMessage::Answer)
            | (State::Answered { .. }, HandshakeMessage::Proof) => {}
            // A repeat of what was answered: the answer may have been lost.
            (State::Answered { .. }, HandshakeMessage::Hello) if self.is_known(message) => {
                self.due = true;
                return Ok(Progress::Waiting);
            }
            (State::Open { last, .. }, HandshakeMessage::Answer) => {
                self.due = last.is_some();
                return Ok(Progress::Waiting);
            }
            _ => return Ok(Progress::Waiting), // late, or of a hello that lost
        }
        let heard = match &mut self.state {
            State::Hello(handshake, _) | State::Answered { handshake, .. } => {
                handshake.receive(step, message)
            }
            _ => return Ok(Progress::Waiting),
        };
        if heard == Err(HandshakeError::Noise) && self.patient {
            return Ok(Progress::Waiting); // of another handshake, perhaps: the right one may still come
        }
        match (std::mem::replace(&mut self.state, State::Failed), heard?) {
            (State::Hello(handshake, _), identity) => {
                let (proof, opened) = handshake.prove_to(identity, tools.key, tools.rng)?;
                Ok(self.opened(opened, Some(proof), now))
            }
            (State::Answered { handshake, .. }, identity) => {
                let mut opened = handshake.open_to(identity)?;
                opened.frames.queue_initial_ack();
                Ok(self.opened(opened, None, now))
            }
            (other, _) => {
                self.state = other;
                Ok(Progress::Waiting)
            }
        }
    }

    fn opened(&mut self, opened: Opened, last: Option<Vec<u8>>, now: Timestamp) -> Progress {
        self.due = last.is_some();
        self.identity = Some(opened.identity);
        self.state = State::Open { frames: Box::new(opened.frames), last };
        self.again_later(now, 0);
        Progress::Opened(opened.identity)
    }

    /// Seals a message. It goes out with the next [`Link::flush`].
    pub(super) fn say(&mut self, message: &PeerMessage) -> Result<(), FrameError> {
        self.say_text(message.to_text().as_str())
    }

    /// The same for text.
    pub(super) fn say_text(&mut self, text: &str) -> Result<(), FrameError> {
        match &mut self.state {
            State::Open { frames, .. } => frames.queue(text.as_bytes()),
            _ => Ok(()), // it is in the session's outbox
        }
    }

    /// Takes a frame; returns what it completes.
    pub(super) fn frame(
        &mut self,
        frame: &Sealed,
        now: Timestamp,
    ) -> Result<Vec<Zeroizing<Vec<u8>>>, FrameError> {
        let State::Open { frames, last } = &mut self.state else { return Ok(Vec::new()) };
        let messages = frames.receive(frame)?;
        *last = None; // the other end has it
        if !frames.is_waiting() {
            self.tries = 0;
        }
        self.again_at = self.again_at.max(now);
        Ok(messages)
    }

    /// What to send now, over `carrier`.
    pub(super) fn flush(&mut self, carrier: Carrier, now: Timestamp) -> Vec<PeerMessage> {
        let moved = self.carrier.is_some_and(|before| before != carrier);
        self.carrier = Some(carrier);
        if moved {
            self.say_again();
        }
        let session_id = Some(self.context.session_id.clone());
        let mut messages = Vec::new();
        let handshake = match &self.state {
            State::Hello(_, hello) => Some(hello),
            State::Answered { answer, .. } => Some(answer),
            State::Open { last, .. } => last.as_ref(),
            State::Failed => None,
        };
        if std::mem::take(&mut self.due)
            && let Some(data) = handshake
        {
            messages.push(PeerMessage::Handshake {
                session_id: session_id.clone(),
                data: data.clone(),
            });
        }
        if let State::Open { frames, .. } = &mut self.state {
            let window = match carrier {
                Carrier::Direct => Window::DATA_CHANNEL,
                Carrier::Relay => Window::RELAY,
            };
            let sealed = frames.to_send(window).into_iter().chain(frames.take_ack());
            messages.extend(
                sealed.map(|frame| PeerMessage::Frame { session_id: session_id.clone(), frame }),
            );
        }
        if !messages.is_empty() {
            self.again_later(now, self.tries);
        }
        messages
    }

    fn again_later(&mut self, now: Timestamp, tries: u32) {
        self.tries = tries;
        self.again_at = now.after(AGAIN << tries.min(3));
    }

    /// Everything that was not acknowledged is to be sent again.
    pub(super) fn say_again(&mut self) {
        self.due = true;
        if let State::Open { frames, .. } = &mut self.state {
            frames.resend_all();
        }
    }

    /// Whether something waits for an answer of the other end.
    pub(super) fn is_waiting(&self) -> bool {
        match &self.state {
            State::Open { frames, last } => frames.is_waiting() || last.is_some(),
            State::Failed => false,
            _ => true,
        }
    }

    pub(super) fn tick(&mut self, now: Timestamp) {
        if self.is_waiting() && self.again_at <= now {
            self.again_later(now, self.tries.saturating_add(1));
            self.say_again();
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.is_waiting().then_some(self.again_at)
    }
}

/// All links, by session (or wallet) and peer.
#[derive(Default)]
pub(super) struct Links {
    links: Map<(SessionId, PeerId), Link>,
    /// Links of members who began anew, until they are proven.
    successors: Map<(SessionId, PeerId), Link>,
}

impl Links {
    pub(super) fn of(&self, session: &SessionId, peer: &PeerId) -> Option<&Link> {
        self.links.get(&(session.clone(), peer.clone()))
    }

    pub(super) fn of_mut(&mut self, session: &SessionId, peer: &PeerId) -> Option<&mut Link> {
        self.links.get_mut(&(session.clone(), peer.clone()))
    }

    pub(super) fn remove(&mut self, session: &SessionId, peer: &PeerId) {
        self.links.remove(&(session.clone(), peer.clone()));
    }

    /// A link that takes the place of the one that stands, once it is proven.
    pub(super) fn succeed(&mut self, session: &SessionId, peer: &PeerId, link: Link) {
        self.successors.insert((session.clone(), peer.clone()), link);
    }

    pub(super) fn successor_mut(
        &mut self,
        session: &SessionId,
        peer: &PeerId,
    ) -> Option<&mut Link> {
        self.successors.get_mut(&(session.clone(), peer.clone()))
    }

    pub(super) fn successor(&self, session: &SessionId, peer: &PeerId) -> Option<&Link> {
        self.successors.get(&(session.clone(), peer.clone()))
    }

    /// The successor is proven.
    pub(super) fn promote(&mut self, session: &SessionId, peer: &PeerId) {
        if let Some(link) = self.drop_successor(session, peer) {
            self.insert(session, peer, link);
        }
    }

    pub(super) fn drop_successor(&mut self, session: &SessionId, peer: &PeerId) -> Option<Link> {
        self.successors.remove(&(session.clone(), peer.clone()))
    }

    /// Says no more hellos that were said so often.
    pub(super) fn give_up(&mut self, tries: u32, which: impl Fn(&SessionId) -> bool) {
        let silent = |link: &Link| !link.is_confirmed() && !link.has_failed() && link.tries > tries;
        for (_, link) in
            self.links.iter_mut().filter(|((session, _), link)| which(session) && silent(link))
        {
            link.state = State::Failed;
        }
        self.successors.retain(|_, link| !silent(link));
    }

    pub(super) fn is_open(&self, session: &SessionId, peer: &PeerId) -> bool {
        self.of(session, peer).is_some_and(Link::is_open)
    }

    pub(super) fn insert(&mut self, session: &SessionId, peer: &PeerId, link: Link) {
        self.links.insert((session.clone(), peer.clone()), link);
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&(SessionId, PeerId), &mut Link)> {
        self.links.iter_mut()
    }

    /// The same with successors.
    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = (&(SessionId, PeerId), &mut Link)> {
        self.links.iter_mut().chain(self.successors.iter_mut())
    }

    /// Drops the links of sessions that need them no more.
    pub(super) fn keep(&mut self, needed: impl Fn(&SessionId) -> bool) {
        self.links.retain(|(session, _), _| needed(session));
        self.successors.retain(|(session, _), _| needed(session));
    }

    /// The identity at the other end of any other link of a session.
    pub(super) fn holder_of(
        &self,
        session: &SessionId,
        identity: &Identity,
        but: &PeerId,
    ) -> Option<&PeerId> {
        let mut links = self.links.iter().filter(|((s, peer), _)| s == session && peer != but);
        links.find(|(_, link)| link.identity == Some(*identity)).map(|((_, peer), _)| peer)
    }

    /// Whether the other end of a link that stands, and that is there, has not acknowledged something.
    pub(super) fn are_waiting(&self, is_there: impl Fn(&PeerId) -> bool) -> bool {
        self.links
            .iter()
            .any(|((_, peer), link)| link.is_open() && link.is_waiting() && is_there(peer))
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.links.values().chain(self.successors.values()).filter_map(Link::next_deadline).min()
    }
}
