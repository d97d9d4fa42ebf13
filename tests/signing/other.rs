//! Another member of a wallet, played by a test: its keys, and its end of a link to the node that
//! is tested.

use frostmesh::channel::{Context, Frames, Handshake, HandshakeMessage, Window};
use frostmesh::frost::{Identifier, Key};
use frostmesh::group::{CeremonyId, GroupMessage, Operation, Request, RoundMessage};
use frostmesh::identity::{Digest, IdentityKey, Signature};
use frostmesh::wire::{PeerId, PeerMessage, SessionId};
use rand_chacha::ChaCha20Rng;

/// The commitments of all signers of one item.
pub fn package(ceremony: CeremonyId, commitments: Vec<Vec<u8>>) -> GroupMessage {
    GroupMessage::Round {
        ceremony,
        message: RoundMessage::SigningPackage { first: 0, commitments },
    }
}

/// A signer's commitments of one item.
pub fn commitments_in(message: &GroupMessage) -> Option<(CeremonyId, Vec<u8>)> {
    let GroupMessage::Round { ceremony, message } = message else { return None };
    let RoundMessage::SigningCommitments(all) = message else { return None };
    let [one] = &all[..] else { panic!("of one item") };
    Some((*ceremony, one.clone()))
}

/// A signer's share of one item.
pub fn share_in(message: &GroupMessage) -> Option<(CeremonyId, Vec<u8>)> {
    let GroupMessage::Round { ceremony, message } = message else { return None };
    let RoundMessage::SignatureShares(all) = message else { return None };
    let [one] = &all[..] else { panic!("of one item") };
    Some((*ceremony, one.clone()))
}

enum End {
    Hello(Box<Handshake>),
    Answered(Box<Handshake>),
    Open(Box<Frames>),
}

pub struct Other {
    pub name: PeerId,
    pub identifier: Identifier,
    pub key: IdentityKey,
    pub share: Box<dyn Key>,
    /// Names the links of the wallet's members.
    pub links: SessionId,
    end: Option<End>,
    /// The last hello, and what was answered: a node that hears nothing says its hello again.
    answered: Option<(Vec<u8>, Vec<u8>)>,
}

impl Other {
    pub fn new(
        name: PeerId,
        identifier: Identifier,
        key: IdentityKey,
        share: Box<dyn Key>,
        links: SessionId,
    ) -> Self {
        Self { name, identifier, key, share, links, end: None, answered: None }
    }

    pub fn is_linked(&self) -> bool {
        matches!(self.end, Some(End::Open(_)))
    }

    pub fn unlink(&mut self) {
        self.end = None;
    }

    fn link(&self, data: Vec<u8>) -> PeerMessage {
        PeerMessage::Handshake { session_id: Some(self.links.clone()), data }
    }

    /// A request of its own, made now, for an hour.
    pub fn request(
        &self,
        group_id: &Digest,
        operation: &Operation,
        now: u64,
        nonce: [u8; 16],
        rng: &mut ChaCha20Rng,
    ) -> Request {
        let unsigned = Request {
            proposer: self.identifier,
            kind: operation.kind().into(),
            content: operation.written(),
            created: now,
            expires: now + 3_600_000,
            nonce,
            signature: Signature::from_bytes([0; 64]),
        };
        unsigned.signed(group_id, &self.key, rng)
    }

    /// Begins a link to that node.
    pub fn hello(&mut self, to: &PeerId, rng: &mut ChaCha20Rng) -> PeerMessage {
        let (session_id, initiator, responder) =
            (self.links.clone(), self.name.clone(), to.clone());
        let context = Context { session_id, initiator, responder, psk: None };
        let (handshake, hello) = Handshake::start(&context, &self.key, rng).unwrap();
        self.end = Some(End::Hello(Box::new(handshake)));
        self.link(hello)
    }

    /// What to say to that, and what was said within the link.
    pub fn take(
        &mut self,
        from: &PeerId,
        message: PeerMessage,
        rng: &mut ChaCha20Rng,
    ) -> (Vec<PeerMessage>, Vec<GroupMessage>) {
        match message {
            PeerMessage::Handshake { data, .. }
                if HandshakeMessage::of(&data) == Some(HandshakeMessage::Hello) =>
            {
                if let Some((_, answer)) =
                    self.answered.as_ref().filter(|(hello, _)| *hello == data)
                {
                    return (vec![self.link(answer.clone())], Vec::new());
                }
                let (session_id, initiator, responder) =
                    (self.links.clone(), from.clone(), self.name.clone());
                let context = Context { session_id, initiator, responder, psk: None };
                let (handshake, answer) =
                    Handshake::answer(&context, &self.key, &data, rng).unwrap();
                self.end = Some(End::Answered(Box::new(handshake)));
                self.answered = Some((data, answer.clone()));
                (vec![self.link(answer)], Vec::new())
            }
            PeerMessage::Handshake { data, .. }
                if HandshakeMessage::of(&data) == Some(HandshakeMessage::Answer) =>
            {
                let Some(End::Hello(handshake)) = self.end.take() else {
                    return Default::default();
                };
                let (proof, opened) = handshake.prove(&self.key, &data, rng).unwrap();
                self.end = Some(End::Open(Box::new(opened.frames)));
                ([self.link(proof)].into_iter().chain(self.flush()).collect(), Vec::new())
            }
            PeerMessage::Handshake { data, .. } => {
                let Some(End::Answered(handshake)) = self.end.take() else {
                    return Default::default();
                };
                let mut opened = handshake.finish(&data).unwrap();
                opened.frames.queue_initial_ack();
                self.end = Some(End::Open(Box::new(opened.frames)));
                (self.flush(), Vec::new())
            }
            PeerMessage::Frame { frame, .. } => {
                let Some(End::Open(frames)) = &mut self.end else { return Default::default() };
                let read = |m: &[u8]| GroupMessage::parse(std::str::from_utf8(m).unwrap()).unwrap();
                let said =
                    frames.receive(&frame).unwrap().iter().map(|message| read(message)).collect();
                (self.flush(), said)
            }
            _ => Default::default(),
        }
    }

    /// Says something within the link: what has to be sent for it.
    pub fn say(&mut self, message: &GroupMessage) -> Vec<PeerMessage> {
        let Some(End::Open(frames)) = &mut self.end else { panic!("{} has no link", self.name) };
        frames.queue(message.to_text().as_bytes()).unwrap();
        self.flush()
    }

    fn flush(&mut self) -> Vec<PeerMessage> {
        let Some(End::Open(frames)) = &mut self.end else { return Vec::new() };
        let sealed = frames.to_send(Window::RELAY).into_iter().chain(frames.take_ack());
        sealed
            .map(|frame| PeerMessage::Frame { session_id: Some(self.links.clone()), frame })
            .collect()
    }
}
