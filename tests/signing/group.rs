//! A group that has made its key, ready to sign.

use std::collections::{BTreeMap, BTreeSet};

use frostmesh::audit::{self, Body, End, Owner};
use frostmesh::content::{Content, Hash, Text};
use frostmesh::frost::Suite;
use frostmesh::group::{Operation, RequestId, SignTask, group_id};
use frostmesh::identity::Contacts;
use frostmesh::node::{Command, Event, GroupView, Node, RequestState, RequestView};

use super::common::session;
use super::common::weather::Weather;
use super::common::world::World;

pub struct Group {
    pub world: World,
    pub pubkey: String,
    pub suite: Suite,
    pub threshold: u16,
}

pub const NAMES: [&str; 9] =
    ["alice", "bob", "carol", "dave", "eve", "frank", "grace", "heidi", "ivan"];

pub fn id_of(id: &str) -> RequestId {
    hex::decode(id).unwrap().try_into().unwrap()
}

pub fn text(text: &str) -> Content {
    Content::from(Text::new(text.to_owned()).unwrap())
}

/// To sign a text.
pub fn operation(content: &str) -> Operation {
    Operation::sign(text(content)).unwrap()
}

/// To sign so many different hashes.
pub fn hashes(count: usize) -> Operation {
    let hash = |number: usize| Content::from(format!("{number:064x}").parse::<Hash>().unwrap());
    Operation::Sign(SignTask::new((1..=count).map(hash).collect()).unwrap())
}

impl Group {
    /// Makes the key in calm weather, and waits until everyone has signed a test.
    pub fn new(n: u16, threshold: u16, seed: u64, suite: Suite) -> Self {
        let mut group = Self::with_key(n, threshold, seed, suite);
        assert!(
            group.world.run_until_true(Self::all_ready),
            "{threshold} of {n}, seed {seed}: not ready"
        );
        group
    }

    /// Makes the key in calm weather, and stops when the last one has it.
    pub fn with_key(n: u16, threshold: u16, seed: u64, suite: Suite) -> Self {
        let mut world = World::new(seed, Weather::CALM);
        world.plain = false;
        world.use_wallets = true;
        world.server.claims = true;
        let names: Vec<&str> = NAMES.iter().copied().take(n.into()).collect();
        for (seat, name) in names.iter().enumerate() {
            world.add_who(name, seed * 100 + seat as u64, true, Contacts::default());
            world.connect_at(seat, 0);
        }
        let propose = Command::Propose {
            session_id: session("s"),
            participants: names.iter().map(|name| name.parse().unwrap()).collect(),
            threshold,
            suite,
            allow_unverified: false,
        };
        world.command_at(0, 100, propose);
        let has = |event: &Event| matches!(event, Event::WalletCreated { .. });
        let all =
            |w: &World| w.seats.iter().all(|seat| seat.events.iter().any(|(_, event)| has(event)));
        assert!(world.run_until_true(all), "{threshold} of {n}, seed {seed}: no key");
        let pubkey = world.seats[0].disk.keys().next().unwrap().clone();
        Self { world, pubkey, suite, threshold }
    }

    /// Everyone has signed a test, and everyone knows.
    pub fn all_ready(world: &World) -> bool {
        let ready = |node: &Node| node.view().groups.iter().any(|group| group.ready);
        world.seats.iter().all(|seat| seat.node().is_some_and(ready))
    }

    pub fn view(&self, seat: usize) -> GroupView {
        let view = self.world.seats[seat].node().unwrap().view();
        view.groups.into_iter().find(|group| group.pubkey == self.pubkey).unwrap()
    }

    pub fn requests(&self, seat: usize) -> Vec<RequestView> {
        self.view(seat).requests
    }

    pub fn ask(&mut self, seat: usize, content: &str) -> String {
        self.ask_for(seat, content, 3_600)
    }

    /// Asks for the signatures of many hashes as one request.
    pub fn ask_for_hashes(&mut self, seat: usize, count: usize) -> String {
        let operation = hashes(count);
        let command = Command::Request { pubkey: self.pubkey.clone(), operation, lifetime: 3_600 };
        self.world.command(seat, command).unwrap();
        self.requests(seat).last().unwrap().id.clone()
    }

    pub fn ask_for(&mut self, seat: usize, content: &str, lifetime: u64) -> String {
        self.ask_to_sign(seat, text(content), lifetime)
    }

    pub fn ask_to_sign(&mut self, seat: usize, content: Content, lifetime: u64) -> String {
        let operation = Operation::sign(content).unwrap();
        let command = Command::Request { pubkey: self.pubkey.clone(), operation, lifetime };
        self.world.command(seat, command).unwrap();
        self.requests(seat).last().unwrap().id.clone()
    }

    pub fn vote(&mut self, seat: usize, id: &str, approves: bool) {
        self.world.command(seat, Command::vote(id, approves)).unwrap();
    }

    pub fn is_signed(world: &World, seat: usize, id: &str) -> bool {
        let Some(view) = world.seats[seat].node().map(Node::view) else { return false };
        let requests = view.groups.into_iter().flat_map(|group| group.requests);
        requests
            .into_iter()
            .any(|request| request.id == id && request.state == RequestState::Signed)
    }

    /// What a seat's disk tells, verified.
    pub fn trail(&self, seat: usize) -> Vec<Body> {
        let wallet = &self.world.seats[seat].disk[&self.pubkey];
        let agreement = &wallet.record.certificate.as_ref().unwrap().agreement;
        let identifier = wallet.record.info.identifier;
        let identity = &agreement.member(identifier).unwrap().identity;
        let owner = Owner { pubkey: &self.pubkey, member: identifier, identity };
        let bound = group_id(agreement, &self.pubkey);
        audit::verify(&bound, owner, &wallet.trail, End::Kept(wallet.head.as_ref())).unwrap().0
    }

    /// Every trail holds; no share was ever given twice with the same commitments, nor for what its
    /// giver had not approved; and every signature verifies, of what enough members approved
    /// themselves.
    pub fn check_trails(&self) {
        let mut approvals = BTreeMap::<RequestId, BTreeSet<usize>>::new();
        let mut signed = BTreeSet::new();
        for seat in 0..self.world.seats.len() {
            let mine = self.world.seats[seat].disk[&self.pubkey].record.info.identifier;
            let (mut used, mut approved) = (BTreeSet::new(), BTreeMap::new());
            for body in self.trail(seat) {
                match body {
                    Body::Vote { vote } if vote.member == mine => {
                        approved.insert(vote.request, vote.approves);
                        if vote.approves {
                            approvals.entry(vote.request).or_default().insert(seat);
                        }
                    }
                    Body::Commit { request, commitments, signers, .. } => {
                        assert!(used.insert(commitments), "seat {seat} used its nonces twice");
                        assert_eq!(signers.len(), usize::from(self.threshold));
                        assert!(signers.contains(&mine));
                        if let Some(request) = request {
                            assert_eq!(
                                approved.get(&request),
                                Some(&true),
                                "seat {seat} signed without approving"
                            );
                        }
                    }
                    Body::Signed { request, .. } => {
                        signed.insert(request);
                    }
                    _ => {}
                }
            }
        }
        for request in signed {
            let count = approvals.get(&request).map_or(0, BTreeSet::len);
            assert!(count >= usize::from(self.threshold), "signed, and {count} approved it");
        }
        self.check_signatures();
    }

    fn check_signatures(&self) {
        let pubkey = hex::decode(&self.pubkey).unwrap();
        for seat in (0..self.world.seats.len()).filter(|seat| self.world.is_alive(*seat)) {
            for request in self.requests(seat) {
                if request.signature.is_none() {
                    assert!(request.signatures.is_empty(), "all or none");
                    continue;
                }
                let asked: Vec<&String> =
                    request.contents.iter().flat_map(|content| &content.digests).collect();
                assert_eq!(request.signatures.len(), asked.len(), "all or none");
                assert_eq!(request.signature, Some(request.signatures[0].signature.clone()));
                for (signed, asked) in request.signatures.iter().zip(asked) {
                    assert_eq!(signed.digest, *asked, "in the order of the items");
                    let digest: [u8; 32] = hex::decode(asked).unwrap().try_into().unwrap();
                    let signature = hex::decode(&signed.signature).unwrap();
                    self.suite.verify(&pubkey, &digest, &signature).unwrap();
                }
            }
        }
    }
}
