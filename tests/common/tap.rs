//! A participant that lies inside its links: a real node whose every sealed message is opened,
//! rewritten and sealed again on its way out. The test made all keys, and so can stand between a
//! node and its own software.
//!
//! It works on the relay: nodes have to use that carrier alone.

use std::collections::BTreeMap;

use frostmesh::channel::{Context, Frames, Handshake, HandshakeMessage, Window};
use frostmesh::identity::IdentityKey;
use frostmesh::wire::{PeerId, PeerMessage, Sealed, SessionId};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::{Value, from_str};

use super::server::{Evil, Relayed};

/// Rewrites what the liar says to one peer: the message, and the messages that it becomes.
pub type Lies = Box<dyn FnMut(&PeerId, Value) -> Vec<Value> + Send>;

enum End {
    Hello(Handshake),
    Answered(Handshake),
    Open(Box<Frames>),
}

/// The two links between a liar's node and another node: one with each, both ending here.
struct Pair {
    /// Towards the liar's own node, as the other.
    inner: End,
    /// Towards the other node, as the liar.
    outer: End,
    to_inner: Vec<Value>,
    to_outer: Vec<Value>,
}

pub struct Tap {
    liar: PeerId,
    key: IdentityKey,
    others: BTreeMap<PeerId, IdentityKey>,
    session: SessionId,
    psk: Option<zeroize::Zeroizing<[u8; 32]>>,
    pairs: BTreeMap<PeerId, Pair>,
    lies: Lies,
    rng: ChaCha20Rng,
}

impl Tap {
    /// The evil part of a server in a world where `liar` has the key of `seed`, and the others
    /// theirs.
    pub fn evil(liar: &str, seed: u64, others: &[(&str, u64)], session: &str, lies: Lies) -> Evil {
        let key = super::world::World::identity_of;
        let mut tap = Self {
            liar: super::peer(liar),
            key: key(seed),
            others: others.iter().map(|(id, seed)| (super::peer(id), key(*seed))).collect(),
            session: super::session(session),
            psk: None,
            pairs: BTreeMap::new(),
            lies,
            rng: ChaCha20Rng::seed_from_u64(99),
        };
        Box::new(move |relayed| tap.relayed(relayed))
    }

    fn relayed(&mut self, (from, to, data): Relayed) -> Vec<Relayed> {
        let other = if from == self.liar { to.clone() } else { from.clone() };
        let concerned = (from == self.liar || to == self.liar) && self.others.contains_key(&other);
        let message = PeerMessage::parse(&data.to_string());
        match message {
            Ok((PeerMessage::Handshake { data, .. }, _)) if concerned => {
                self.handshake(&from, &other, &data)
            }
            Ok((PeerMessage::Frame { frame, .. }, _)) if concerned => {
                self.frame(&from, &other, &frame)
            }
            _ => vec![(from, to, data)],
        }
    }

    fn context(&self, initiator: &PeerId, responder: &PeerId) -> Context {
        Context {
            session_id: self.session.clone(),
            initiator: initiator.clone(),
            responder: responder.clone(),
            psk: self.psk.clone(),
        }
    }

    fn link(&self, inner: bool, other: &PeerId, data: Vec<u8>) -> Relayed {
        let message = PeerMessage::Handshake { session_id: Some(self.session.clone()), data };
        self.sent(inner, other, &message)
    }

    fn sent(&self, inner: bool, other: &PeerId, message: &PeerMessage) -> Relayed {
        let data = from_str(message.to_text().as_str()).unwrap();
        if inner {
            (other.clone(), self.liar.clone(), data)
        } else {
            (self.liar.clone(), other.clone(), data)
        }
    }

    fn handshake(&mut self, from: &PeerId, other: &PeerId, data: &[u8]) -> Vec<Relayed> {
        let from_inner = *from == self.liar;
        let their_key = IdentityKey::from_seed(self.others[other].seed()).unwrap();
        if HandshakeMessage::of(data) == Some(HandshakeMessage::Hello) {
            if self.pairs.contains_key(other) {
                return Vec::new();
            }
            // Who said hello is answered, and the other end is told hello in its name.
            let (initiator, responder) =
                if from_inner { (&self.liar, other) } else { (other, &self.liar) };
            let context = self.context(initiator, responder);
            let (near, far) =
                if from_inner { (&their_key, &self.key) } else { (&self.key, &their_key) };
            let (answered, answer) =
                Handshake::answer(&context, near, data, &mut self.rng).unwrap();
            let (greeted, hello) = Handshake::start(&context, far, &mut self.rng).unwrap();
            let (near, far) = (End::Answered(answered), End::Hello(greeted));
            let (inner, outer) = if from_inner { (near, far) } else { (far, near) };
            self.pairs.insert(
                other.clone(),
                Pair { inner, outer, to_inner: Vec::new(), to_outer: Vec::new() },
            );
            return vec![
                self.link(from_inner, other, answer),
                self.link(!from_inner, other, hello),
            ];
        }
        let Some(mut pair) = self.pairs.remove(other) else { return Vec::new() };
        let (near, key) =
            if from_inner { (&mut pair.inner, &their_key) } else { (&mut pair.outer, &self.key) };
        let mut out = Vec::new();
        // A repeat finds the end open already.
        let open = End::Open(Box::new(
            match std::mem::replace(
                near,
                End::Hello(
                    Handshake::start(&self.context(other, &self.liar), key, &mut self.rng)
                        .unwrap()
                        .0,
                ),
            ) {
                End::Hello(handshake)
                    if HandshakeMessage::of(data) == Some(HandshakeMessage::Answer) =>
                {
                    let (proof, opened) = handshake.prove(key, data, &mut self.rng).unwrap();
                    out.push(self.link(from_inner, other, proof));
                    opened.frames
                }
                End::Answered(handshake)
                    if HandshakeMessage::of(data) == Some(HandshakeMessage::Proof) =>
                {
                    handshake.finish(data).unwrap().frames
                }
                same => {
                    *near = same;
                    self.pairs.insert(other.clone(), pair);
                    return Vec::new();
                }
            },
        ));
        *near = open;
        out.extend(self.flush(&mut pair, other));
        self.pairs.insert(other.clone(), pair);
        out
    }

    fn frame(&mut self, from: &PeerId, other: &PeerId, frame: &Sealed) -> Vec<Relayed> {
        let Some(mut pair) = self.pairs.remove(other) else { return Vec::new() };
        let from_inner = *from == self.liar;
        let near = if from_inner { &mut pair.inner } else { &mut pair.outer };
        if let End::Open(frames) = near {
            for message in frames.receive(frame).unwrap() {
                let message: Value = serde_json::from_slice(&message).unwrap();
                if from_inner {
                    pair.to_outer.extend((self.lies)(other, message));
                } else {
                    pair.to_inner.push(message);
                }
            }
        }
        let out = self.flush(&mut pair, other);
        self.pairs.insert(other.clone(), pair);
        out
    }

    fn flush(&mut self, pair: &mut Pair, other: &PeerId) -> Vec<Relayed> {
        let mut out = Vec::new();
        for (inner, end, texts) in [
            (true, &mut pair.inner, &mut pair.to_inner),
            (false, &mut pair.outer, &mut pair.to_outer),
        ] {
            let End::Open(frames) = end else { continue };
            for text in texts.drain(..) {
                frames.queue(text.to_string().as_bytes()).unwrap();
            }
            let sealed = frames.to_send(Window::RELAY).into_iter().chain(frames.take_ack());
            for frame in sealed.collect::<Vec<_>>() {
                let message = PeerMessage::Frame { session_id: Some(self.session.clone()), frame };
                out.push(self.sent(inner, other, &message));
            }
        }
        out
    }
}
