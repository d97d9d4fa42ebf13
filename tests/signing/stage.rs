//! One node, alice, whose surroundings the test plays: it holds the other members' keys, talks to her over links of its own, and
//! keeps her disk, from which she starts again after every crash.

use std::collections::{BTreeMap, VecDeque};

use frostmesh::consensus::{CeremonyId, CircleMessage, Request, RequestId, Vote, circle};
use frostmesh::content::Content;
use frostmesh::frost::{Key, Place, Suite};
use frostmesh::identity::{Contacts, Digest, IdentityKey, Signature};
use frostmesh::keystore::WalletRecord;
use frostmesh::link::{Context, Frames, Handshake, Step, Window};
use frostmesh::node::{Command, Config, Input, KeptWallet, Node, Output, Timestamp};
use frostmesh::trail::{Entry, Head};
use frostmesh::wire::{ClientMessage, PeerId, PeerMessage, RelayData, ServerMessage, SessionId};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::common::world::World;
use crate::group::Group;

pub const NOW: u64 = 1_800_000_000_000;

pub enum End {
    Hello(Box<Handshake>),
    Answered(Box<Handshake>),
    Open(Box<Frames>),
}

/// Another member, played by the test.
pub struct Other {
    pub place: Place,
    pub key: IdentityKey,
    pub share: Box<dyn Key>,
    pub end: Option<End>,
}

/// The honest node, alice, and everything around her.
pub struct Stage {
    pub node: Option<Node<ChaCha20Rng>>,
    pub lives: u64,
    pub record: WalletRecord,
    pub trail: Vec<Entry>,
    pub head: Option<Head>,
    /// What she wants kept, and is not on disk yet.
    pub writing: VecDeque<(Box<Entry>, Head)>,
    pub others: BTreeMap<PeerId, Other>,
    /// What she said, opened.
    pub heard: Vec<(PeerId, CircleMessage)>,
    pub circle: Digest,
    pub links: SessionId,
    pub rng: ChaCha20Rng,
    pub now: u64,
}

const SEED: u64 = 5;

impl Stage {
    /// Alice, and the two or more others of a wallet of `n`.
    pub fn new(n: u16, threshold: u16) -> Self {
        let group = Group::new(n, threshold, SEED, Suite::default());
        let mut others = BTreeMap::new();
        for (seat, seated) in group.world.seats.iter().enumerate().skip(1) {
            let record = &seated.disk[&group.pubkey].record;
            let share = group.suite.key(&record.key_package, &record.public_key_package).unwrap();
            let key = World::identity_of(SEED * 100 + seat as u64);
            others.insert(seated.id.clone(), Other { place: record.info.identifier, key, share, end: None });
        }
        let kept = &group.world.seats[0].disk[&group.pubkey];
        let bound = circle(&kept.record.certificate.as_ref().unwrap().agreement, &group.pubkey);
        let mut this = Self {
            node: None,
            lives: 0,
            record: kept.record.clone(),
            trail: kept.trail.clone(),
            head: kept.head,
            writing: VecDeque::new(),
            others,
            heard: Vec::new(),
            circle: bound,
            links: hex::encode(bound).parse().unwrap(),
            rng: ChaCha20Rng::seed_from_u64(77),
            now: NOW,
        };
        this.start();
        this
    }

    /// Alice starts with what is on her disk, and links to the others.
    pub fn start(&mut self) {
        self.lives += 1;
        self.writing.clear();
        let key = World::identity_of(SEED * 100);
        let rng = ChaCha20Rng::seed_from_u64(1_000 + self.lives);
        self.node = Some(Node::new(Config::default(), key, Contacts::default(), rng));
        self.others.values_mut().for_each(|other| other.end = None);
        let wallet = KeptWallet { record: self.record.clone(), trail: self.trail.clone(), head: self.head };
        self.input(Input::Wallet(Box::new(wallet)));
        let connect = Command::Connect { server_url: "ws://server".into(), peer_id: "alice".parse().unwrap() };
        self.input(Input::Command(connect));
        self.input(Input::ServerOpened);
        let peers = ["alice".parse().unwrap()].into_iter().chain(self.others.keys().cloned()).collect();
        self.input(Input::ServerText(ServerMessage::Peers { peers }.to_json()));
        assert!(self.others.values().all(|o| matches!(o.end, Some(End::Open(_)))), "alice has a link to everyone");
    }

    pub fn input(&mut self, input: Input) {
        self.now += 10;
        let now = Timestamp::from_millis(self.now);
        self.node.as_mut().unwrap().handle(now, input).unwrap();
        while let Some(output) = self.node.as_mut().unwrap().poll() {
            match output {
                Output::SendServer(text) => {
                    if let Ok(ClientMessage::Relay { to, data }) = ClientMessage::parse(&text)
                        && let Ok((message, _)) = PeerMessage::parse(data.get())
                    {
                        self.relayed(&to, message);
                    }
                }
                Output::KeepEntry { entry, head, .. } => self.writing.push_back((entry, head)),
                _ => {}
            }
        }
    }

    pub fn relay_in(&mut self, from: &PeerId, message: PeerMessage) {
        let data = RelayData::Peer(message, None).to_raw();
        self.input(Input::ServerText(ServerMessage::Relay { from: from.clone(), data }.to_json()));
    }

    fn relayed(&mut self, to: &PeerId, message: PeerMessage) {
        let Some(other) = self.others.get_mut(to) else { return };
        match message {
            PeerMessage::Link { data, .. } if Step::of(&data) == Some(Step::Hello) => {
                let context = Context {
                    session_id: self.links.clone(),
                    initiator: "alice".parse().unwrap(),
                    responder: to.clone(),
                    psk: None,
                };
                let (handshake, answer) = Handshake::answer(&context, &other.key, &data, &mut self.rng).unwrap();
                other.end = Some(End::Answered(Box::new(handshake)));
                self.relay_in(to, PeerMessage::Link { session_id: Some(self.links.clone()), data: answer });
            }
            PeerMessage::Link { data, .. } if Step::of(&data) == Some(Step::Answer) => {
                if let Some(End::Hello(handshake)) = other.end.take() {
                    let (proof, opened) = handshake.prove(&other.key, &data, &mut self.rng).unwrap();
                    other.end = Some(End::Open(Box::new(opened.frames)));
                    self.relay_in(to, PeerMessage::Link { session_id: Some(self.links.clone()), data: proof });
                    self.flush(to);
                }
            }
            PeerMessage::Link { data, .. } => {
                if let Some(End::Answered(handshake)) = other.end.take() {
                    let mut opened = handshake.finish(&data).unwrap();
                    opened.frames.greet();
                    other.end = Some(End::Open(Box::new(opened.frames)));
                    self.flush(to);
                }
            }
            PeerMessage::Frame { frame, .. } => {
                let Some(End::Open(frames)) = &mut other.end else { return };
                for message in frames.receive(&frame).unwrap() {
                    let message = CircleMessage::parse(std::str::from_utf8(&message).unwrap()).unwrap();
                    self.heard.push((to.clone(), message));
                }
                self.flush(to);
            }
            _ => {}
        }
    }

    /// A member begins anew, or says so.
    pub fn relink(&mut self, name: &str) {
        let peer: PeerId = name.parse().unwrap();
        let context = Context {
            session_id: self.links.clone(),
            initiator: peer.clone(),
            responder: "alice".parse().unwrap(),
            psk: None,
        };
        let other = self.others.get_mut(&peer).unwrap();
        let (handshake, hello) = Handshake::start(&context, &other.key, &mut self.rng).unwrap();
        other.end = Some(End::Hello(Box::new(handshake)));
        self.relay_in(&peer, PeerMessage::Link { session_id: Some(self.links.clone()), data: hello });
        assert!(matches!(self.others[&peer].end, Some(End::Open(_))), "the new link stands");
    }

    fn flush(&mut self, other: &PeerId) {
        let Some(End::Open(frames)) = self.others.get_mut(other).and_then(|o| o.end.as_mut()) else { return };
        let sealed: Vec<_> = frames.to_send(Window::RELAY).into_iter().chain(frames.acknowledgement()).collect();
        for frame in sealed {
            self.relay_in(other, PeerMessage::Frame { session_id: Some(self.links.clone()), frame });
        }
    }

    pub fn say(&mut self, other: &str, message: &CircleMessage) {
        let other: PeerId = other.parse().unwrap();
        let Some(End::Open(frames)) = self.others.get_mut(&other).and_then(|o| o.end.as_mut()) else { panic!() };
        frames.say(message.to_text().as_bytes()).unwrap();
        self.flush(&other);
    }

    /// What is being written gets to the disk, as far as `entries`.
    pub fn write(&mut self, entries: usize) {
        for _ in 0..entries {
            let Some((entry, head)) = self.writing.pop_front() else { return };
            let number = entry.number;
            self.trail.push(*entry);
            self.head = Some(head);
            let pubkey = self.record.info.pubkey.clone();
            self.input(Input::EntryKept { pubkey, number, result: Ok(()) });
        }
    }

    /// What the member at the other end of that link has heard since the last time.
    pub fn hear(&mut self) -> Vec<(PeerId, CircleMessage)> {
        std::mem::take(&mut self.heard)
    }

    pub fn place(&self, name: &str) -> Place {
        if name == "alice" { self.record.info.identifier } else { self.others[&name.parse::<PeerId>().unwrap()].place }
    }

    pub fn ask(&mut self, who: &str, content: &Content) -> RequestId {
        let other: PeerId = who.parse().unwrap();
        let unsigned = Request {
            proposer: self.others[&other].place,
            kind: content.kind().into(),
            content: content.written(),
            created: self.now,
            expires: self.now + 3_600_000,
            nonce: [u8::try_from(self.trail.len() % 256).unwrap(); 16],
            signature: Signature::from_bytes([0; 64]),
        };
        let request = unsigned.signed(&self.circle, &self.others[&other].key, &mut self.rng);
        let id = request.id(&self.circle);
        self.say(who, &CircleMessage::Request(Box::new(request)));
        id
    }

    pub fn vote_of(&mut self, who: &str, signer: &str, id: RequestId, approves: bool) -> Vote {
        let (member, signer) = (self.place(who), signer.parse::<PeerId>().unwrap());
        let key = IdentityKey::from_seed(self.others[&signer].key.seed()).unwrap();
        Vote::new((id, &self.circle), member, 1, approves, &key, &mut self.rng)
    }

    pub fn alice_votes(&mut self, id: RequestId, approves: bool) {
        self.input(Input::Command(Command::Vote { request: id, approves, rule: None }));
    }

    pub fn begin(
        &mut self,
        who: &str,
        ceremony: CeremonyId,
        request: Option<RequestId>,
        signers: &[&str],
        votes: Vec<Vote>,
    ) {
        let mut signers: Vec<Place> = signers.iter().map(|name| self.place(name)).collect();
        signers.sort_unstable();
        self.say(who, &CircleMessage::Start { ceremony, request, signers, votes });
    }

    pub fn refusals(&mut self) -> Vec<String> {
        let refused =
            |m: &CircleMessage| if let CircleMessage::Refused { reason, .. } = m { Some(reason.clone()) } else { None };
        let heard = self.hear();
        assert!(
            !heard.iter().any(|(_, m)| matches!(m, CircleMessage::Share { .. } | CircleMessage::Commitment { .. }))
        );
        heard.iter().filter_map(|(_, m)| refused(m)).collect()
    }
}
