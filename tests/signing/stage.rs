//! One node, alice, whose surroundings the test plays: it holds the other members' keys, talks to
//! her over links of its own, and keeps her disk, from which she starts again after every crash.

use std::collections::{BTreeMap, VecDeque};

use frostmesh::audit::{Entry, Head};
use frostmesh::content::Content;
use frostmesh::frost::{Identifier, Suite};
use frostmesh::group::{CeremonyId, GroupMessage, Operation, RequestId, Vote, group_id};
use frostmesh::identity::{Contacts, Digest, IdentityKey};
use frostmesh::keystore::WalletRecord;
use frostmesh::node::{
    Command, Config, Event, Input, Node, Output, ServerId, SocketEvent, StoredWallet, Timestamp,
};
use frostmesh::wire::{ClientMessage, PeerId, PeerMessage, RelayData, ServerMessage, SessionId};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::common::world::{World, machine_order};
use crate::group::Group;
use crate::other::Other;

/// The server that alice connects to first.
pub const HOME: ServerId = ServerId::new(1);
pub const NOW: u64 = 1_800_000_000_000;

/// The honest node, alice, and everything around her.
pub struct Stage {
    pub node: Option<Node>,
    pub lives: u64,
    pub record: WalletRecord,
    pub trail: Vec<Entry>,
    pub head: Option<Head>,
    /// What she wants kept, and is not on disk yet.
    pub writing: VecDeque<(Box<Entry>, Head)>,
    pub others: BTreeMap<PeerId, Other>,
    /// What she said, opened.
    pub heard: Vec<(PeerId, GroupMessage)>,
    /// What she reported.
    pub events: Vec<Event>,
    pub group_id: Digest,
    pub rng: ChaCha20Rng,
    pub now: u64,
}

const SEED: u64 = 5;

impl Stage {
    /// Alice, and the two or more others of a wallet of `n`.
    pub fn new(n: u16, threshold: u16) -> Self {
        let group = Group::new(n, threshold, SEED, Suite::default());
        let kept = &group.world.seats[0].disk[&group.pubkey];
        let bound = group_id(&kept.record.certificate.as_ref().unwrap().agreement, &group.pubkey);
        let links: SessionId = hex::encode(bound).parse().unwrap();
        let mut others = BTreeMap::new();
        for (seat, seated) in group.world.seats.iter().enumerate().skip(1) {
            let record = &seated.disk[&group.pubkey].record;
            let share = group.suite.key(&record.key_package, &record.public_key_package).unwrap();
            let key = World::identity_of(SEED * 100 + seat as u64);
            let (name, identifier) = (seated.id.clone(), record.info.identifier);
            others.insert(name.clone(), Other::new(name, identifier, key, share, links.clone()));
        }
        let mut this = Self {
            node: None,
            lives: 0,
            record: kept.record.clone(),
            trail: kept.trail.clone(),
            head: kept.head,
            writing: VecDeque::new(),
            others,
            heard: Vec::new(),
            events: Vec::new(),
            group_id: bound,
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
        let mut node = Node::new(Config::default(), key, Contacts::default(), rng);
        node.set_machine_order(machine_order(self.lives));
        self.node = Some(node);
        self.others.values_mut().for_each(Other::unlink);
        let wallet = StoredWallet {
            record: self.record.clone(),
            trail: self.trail.clone(),
            head: self.head,
        };
        self.input(Input::OpenWallet(Box::new(wallet)));
        let connect = Command::Connect {
            server_url: "ws://server".into(),
            peer_id: "alice".parse().unwrap(),
        };
        self.input(Input::Command(connect));
        self.input(Input::Server { server: HOME, event: SocketEvent::Opened });
        let peers =
            ["alice".parse().unwrap()].into_iter().chain(self.others.keys().cloned()).collect();
        self.server_text(ServerMessage::Peers { peers }.to_json());
        assert!(self.others.values().all(Other::is_linked), "alice has a link to everyone");
    }

    pub fn input(&mut self, input: Input) {
        self.now += 10;
        let now = Timestamp::from_millis(self.now);
        self.node.as_mut().unwrap().handle(now, input).unwrap();
        while let Some(output) = self.node.as_mut().unwrap().poll() {
            match output {
                Output::SendServer { text, .. } => {
                    if let Ok(ClientMessage::Relay { to, data }) = ClientMessage::parse(&text)
                        && let Ok((message, _)) = PeerMessage::parse(data.get())
                    {
                        self.relayed(&to, message);
                    }
                }
                Output::StoreEntry { entry, head, .. } => self.writing.push_back((entry, head)),
                Output::Event(event) => self.events.push(event),
                _ => {}
            }
        }
    }

    fn server_text(&mut self, text: String) {
        self.input(Input::Server { server: HOME, event: SocketEvent::Text(text) });
    }

    pub fn relay_in(&mut self, from: &PeerId, message: PeerMessage) {
        let data = RelayData::Peer(message, None).to_raw();
        self.server_text(ServerMessage::Relay { from: from.clone(), data }.to_json());
    }

    fn relayed(&mut self, to: &PeerId, message: PeerMessage) {
        let Some(other) = self.others.get_mut(to) else { return };
        let (answers, said) = other.take(&"alice".parse().unwrap(), message, &mut self.rng);
        self.heard.extend(said.into_iter().map(|message| (to.clone(), message)));
        answers.into_iter().for_each(|answer| self.relay_in(to, answer));
    }

    /// A member begins anew, or says so.
    pub fn relink(&mut self, name: &str) {
        let peer: PeerId = name.parse().unwrap();
        let hello =
            self.others.get_mut(&peer).unwrap().hello(&"alice".parse().unwrap(), &mut self.rng);
        self.relay_in(&peer, hello);
        assert!(self.others[&peer].is_linked(), "the new link stands");
    }

    pub fn say(&mut self, other: &str, message: &GroupMessage) {
        let other: PeerId = other.parse().unwrap();
        let said = self.others.get_mut(&other).unwrap().say(message);
        said.into_iter().for_each(|message| self.relay_in(&other, message));
    }

    /// What is being written gets to the disk, as far as `entries`.
    pub fn write(&mut self, entries: usize) {
        for _ in 0..entries {
            let Some((entry, head)) = self.writing.pop_front() else { return };
            let number = entry.number;
            self.trail.push(*entry);
            self.head = Some(head);
            let pubkey = self.record.info.pubkey.clone();
            self.input(Input::EntryStored { pubkey, number, result: Ok(()) });
        }
    }

    /// What the member at the other end of that link has heard since the last time.
    pub fn hear(&mut self) -> Vec<(PeerId, GroupMessage)> {
        std::mem::take(&mut self.heard)
    }

    pub fn identifier(&self, name: &str) -> Identifier {
        if name == "alice" {
            self.record.info.identifier
        } else {
            self.others[&name.parse::<PeerId>().unwrap()].identifier
        }
    }

    pub fn ask(&mut self, who: &str, content: &Content) -> RequestId {
        self.ask_for(who, &Operation::sign(content.clone()).unwrap())
    }

    pub fn ask_for(&mut self, who: &str, operation: &Operation) -> RequestId {
        let other: PeerId = who.parse().unwrap();
        let nonce = [u8::try_from(self.trail.len() % 256).unwrap(); 16];
        let request =
            self.others[&other].request(&self.group_id, operation, self.now, nonce, &mut self.rng);
        let id = request.id(&self.group_id);
        self.say(who, &GroupMessage::Request(Box::new(request)));
        id
    }

    pub fn vote_of(&mut self, who: &str, signer: &str, id: RequestId, approves: bool) -> Vote {
        self.numbered_vote(who, signer, (id, 1), approves)
    }

    pub fn numbered_vote(
        &mut self,
        who: &str,
        signer: &str,
        (id, number): (RequestId, u32),
        approves: bool,
    ) -> Vote {
        let (member, signer) = (self.identifier(who), signer.parse::<PeerId>().unwrap());
        let key = IdentityKey::from_seed(self.others[&signer].key.seed()).unwrap();
        Vote::new(&self.group_id, id, member, number, approves, &key, &mut self.rng)
    }

    pub fn alice_votes(&mut self, id: RequestId, approves: bool) {
        self.input(Input::Command(Command::vote(hex::encode(id), approves)));
    }

    pub fn begin(
        &mut self,
        who: &str,
        ceremony: CeremonyId,
        request: Option<RequestId>,
        signers: &[&str],
        votes: Vec<Vote>,
    ) {
        let mut signers: Vec<Identifier> =
            signers.iter().map(|name| self.identifier(name)).collect();
        signers.sort_unstable();
        self.say(who, &GroupMessage::Start { ceremony, request, signers, votes });
    }

    pub fn refusals(&mut self) -> Vec<String> {
        let refused = |m: &GroupMessage| {
            if let GroupMessage::Refused { reason, .. } = m { Some(reason.clone()) } else { None }
        };
        let heard = self.hear();
        assert!(!heard.iter().any(|(_, m)| matches!(m, GroupMessage::Round { .. })));
        heard.iter().filter_map(|(_, m)| refused(m)).collect()
    }
}
