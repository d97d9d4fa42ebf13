//! Real nodes, an in-memory signaling server and instant channels, in virtual time that only
//! `WakeAt` moves.
//!
//! Deliveries go in order, one at a time, so that a test can stop between any two. Some seats are
//! evil: a real node whose words a closure rewrites, or a puppet without a node, whose words the
//! test writes. Whatever a node prints of itself is kept and searched for shares when the net is
//! dropped.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use frostmesh::identity::{Contacts, IdentityKey};
use frostmesh::node::{
    Command, Config, Error, Event, Input, Node, Output, Role, ServerId, SocketEvent, StoreRequest,
    Timestamp,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::Value;

use super::leaks::Leaks;

const START: u64 = 1_700_000_000_000;

/// What an evil node is about to say to one peer: over a channel, or by relay.
pub struct Said {
    pub to: String,
    pub kind: String,
    pub json: Value,
    pub relay: bool,
}

impl Said {
    pub fn text(&self) -> String {
        self.json.to_string()
    }

    /// The message with another value in one field of its payload.
    pub fn with(&self, field: &str, value: impl Into<Value>) -> String {
        let mut json = self.json.clone();
        json["payload"][field] = value.into();
        json.to_string()
    }

    /// The bytes of a package.
    pub fn data(&self) -> Vec<u8> {
        hex::decode(self.json["payload"]["data"].as_str().expect("data")).expect("hex")
    }
}

/// What is sent in place of what an evil node says.
pub type Tamper = Box<dyn FnMut(&Said) -> Vec<String>>;
/// Whether a channel message (from, to, kind) waits until the test lets it go.
pub type Hold = Box<dyn Fn(&str, &str, &str) -> bool>;
pub(super) type End = (String, u32);

pub(super) enum Delivery {
    Input(String, Input),
    AtServer(String, String),
    FromServer(String, String),
    OverChannel(End, String),
}

pub struct Seat {
    pub node: Option<Node>,
    pub honest: bool,
    /// Accepts every proposal.
    pub accepts: bool,
    pub tamper: Option<Tamper>,
    pub wake: Option<u64>,
    /// How its node calls the server.
    pub(super) server: ServerId,
    pub events: Vec<Event>,
    pub kept: Vec<(String, String)>,
    pub confirmed: Vec<(String, String)>,
    /// What a puppet heard: from whom, and the message.
    pub inbox: Vec<(String, Value)>,
    /// How many times a node did something that costs others or its driver.
    pub sent: usize,
    pub opened: usize,
    pub candidates: usize,
    pub(super) attempts: u32,
}

pub struct Net {
    pub now: u64,
    pub seats: BTreeMap<String, Seat>,
    pub hold: Option<Hold>,
    pub(super) queue: VecDeque<Delivery>,
    pub(super) held: Vec<Delivery>,
    pub(super) server_up: bool,
    pub(super) sockets: BTreeSet<String>,
    pub(super) registered: BTreeSet<String>,
    /// Connection objects, and whom they lead to.
    pub(super) ends: BTreeMap<End, String>,
    pub(super) links: BTreeMap<End, End>,
    pub(super) leaks: Leaks,
}

impl Net {
    /// Honest nodes of these names, all online.
    pub fn new(honest: &[&str]) -> Self {
        let mut net = Self {
            now: 0,
            seats: BTreeMap::new(),
            hold: None,
            queue: VecDeque::new(),
            held: Vec::new(),
            server_up: true,
            sockets: BTreeSet::new(),
            registered: BTreeSet::new(),
            ends: BTreeMap::new(),
            links: BTreeMap::new(),
            leaks: Leaks::default(),
        };
        for id in honest {
            net.sit(id, true, true);
        }
        net
    }

    /// A real node behind a closure that rewrites what it says.
    pub fn evil(&mut self, id: &str, tamper: impl FnMut(&Said) -> Vec<String> + 'static) {
        self.sit(id, true, false);
        self.seat(id).tamper = Some(Box::new(tamper));
    }

    /// A name at the server that says only what the test writes. It answers every offer.
    pub fn puppet(&mut self, id: &str) {
        self.sit(id, false, false);
    }

    fn sit(&mut self, id: &str, has_node: bool, honest: bool) {
        let seed = 1_000 + self.seats.len() as u64;
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let identity = IdentityKey::generate(&mut rng);
        let node =
            has_node.then(|| Node::new(Config::default(), identity, Contacts::default(), rng));
        let seat = Seat {
            node,
            honest,
            accepts: true,
            tamper: None,
            wake: None,
            server: ServerId::new(1),
            events: Vec::new(),
            kept: Vec::new(),
            confirmed: Vec::new(),
            inbox: Vec::new(),
            sent: 0,
            opened: 0,
            candidates: 0,
            attempts: 0,
        };
        self.seats.insert(id.to_owned(), seat);
        if has_node {
            let connect =
                Command::Connect { server_url: "ws://server".into(), peer_id: id.parse().unwrap() };
            self.command(id, connect).unwrap();
            self.run();
        } else {
            self.sockets.insert(id.to_owned());
            self.registered.insert(id.to_owned());
        }
    }

    pub fn seat(&mut self, id: &str) -> &mut Seat {
        self.seats.get_mut(id).expect("no such seat")
    }

    // ---- what tests do ----

    pub fn command(&mut self, id: &str, command: Command) -> Result<(), Error> {
        self.input(id, Input::Command(command))
    }

    pub fn propose(&mut self, id: &str, session: &str, participants: &[&str], threshold: u16) {
        let command = Command::Propose {
            suite: frostmesh::frost::Suite::default(),
            session_id: session.parse().unwrap(),
            participants: participants.iter().map(|id| id.parse().unwrap()).collect(),
            threshold,
            allow_unverified: true,
        };
        self.command(id, command).unwrap();
    }

    /// Takes a peer out of the world: its channels and its socket close.
    pub fn crash(&mut self, id: &str) {
        let seat = self.seat(id);
        (seat.node, seat.wake) = (None, None);
        self.sockets.remove(id);
        self.registered.remove(id);
        for end in self.ends.keys().filter(|end| end.0 == id).cloned().collect::<Vec<_>>() {
            self.close(&end);
        }
    }

    pub fn server_down(&mut self) {
        self.server_up = false;
        self.registered.clear();
        for id in std::mem::take(&mut self.sockets) {
            let closed = SocketEvent::Closed { reason: "it fell over".into() };
            let input = closed.of(self.seats[&id].server);
            self.queue.push_back(Delivery::Input(id, input));
        }
    }

    /// Lets go of what was held, and holds nothing more.
    pub fn release(&mut self) {
        self.hold = None;
        self.queue.extend(std::mem::take(&mut self.held));
    }

    // ---- time and order ----

    /// Delivers until there is nothing under way.
    pub fn run(&mut self) {
        let mut steps = 0;
        while self.step() {
            steps += 1;
            assert!(steps < 200_000, "the nodes never stop talking");
        }
    }

    /// Makes one delivery.
    pub fn step(&mut self) -> bool {
        let Some(delivery) = self.queue.pop_front() else { return false };
        match delivery {
            Delivery::Input(id, input) => drop(self.input(&id, input)),
            Delivery::AtServer(from, text) => self.at_server(&from, &text),
            Delivery::FromServer(to, text) => self.hand_frame(&to, text),
            Delivery::OverChannel(end, text) => self.over_channel(&end, text),
        }
        true
    }

    /// Makes so many deliveries, as far as there are any.
    pub fn steps(&mut self, count: usize) {
        for _ in 0..count {
            self.step();
        }
    }

    /// Delivers until it is so; time passes only when nothing is under way.
    pub fn run_until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        while !is_so(self) {
            let moved = self.step() || self.tick(u64::MAX);
            assert!(moved && self.now < 40 * 60_000, "it never came to this: {what}");
        }
    }

    /// Lets time pass: `millis`, with all that happens in it.
    pub fn wait(&mut self, millis: u64) {
        let end = self.now + millis;
        self.run();
        while self.tick(end) {
            self.run();
        }
        self.now = end;
    }

    /// Lives on until every session of the honest is over, and what lingers has ended.
    pub fn settle(&mut self) {
        self.run_until("all sessions end", |net| {
            net.seats
                .values()
                .filter(|s| s.honest)
                .all(|s| s.node.as_ref().is_none_or(super::verdict::is_idle))
        });
        self.wait(30_000);
    }

    /// Goes to the next moment at which a node wants to wake up, and wakes all who do then.
    fn tick(&mut self, latest: u64) -> bool {
        let Some(at) = self.seats.values().filter_map(|s| s.wake).min().filter(|at| *at <= latest)
        else {
            return false;
        };
        self.now = self.now.max(at);
        let due: Vec<String> = self
            .seats
            .iter()
            .filter(|(_, s)| s.wake.is_some_and(|at| at <= self.now))
            .map(|(id, _)| id.clone())
            .collect();
        for id in due {
            self.seat(&id).wake = None;
            self.queue.push_back(Delivery::Input(id, Input::Tick));
        }
        true
    }

    // ---- nodes ----

    pub(super) fn input(&mut self, id: &str, input: Input) -> Result<(), Error> {
        self.leaks.printed(format!("{input:?}"));
        let now = Timestamp::from_millis(START + self.now);
        let seat = self.seats.get_mut(id).expect("no such seat");
        let Some(node) = &mut seat.node else { return Ok(()) };
        let result = node.handle(now, input);
        let outputs: Vec<Output> = std::iter::from_fn(|| node.poll()).collect();
        for output in outputs {
            self.leaks.printed(format!("{output:?}"));
            self.output(id, output);
        }
        result
    }

    fn output(&mut self, id: &str, output: Output) {
        let me = id.to_owned();
        match output {
            Output::OpenServer { server, .. } => {
                self.seat(id).server = server;
                let event = if self.server_up {
                    self.sockets.insert(me.clone());
                    SocketEvent::Opened
                } else {
                    SocketEvent::Closed { reason: "nobody there".into() }
                };
                self.queue.push_back(Delivery::Input(me, event.of(server)));
            }
            Output::SendOver { .. } => unreachable!("no such carrier"),
            Output::CloseServer { .. } => {
                self.sockets.remove(id);
                self.registered.remove(id);
            }
            Output::SendServer { text, .. } => {
                self.seat(id).sent += 1;
                self.leaks.seen_by_server(&text);
                self.queue.push_back(Delivery::AtServer(me, text));
            }
            Output::OpenConnection { peer, attempt, role } => {
                self.seat(id).opened += 1;
                let twice =
                    self.ends.iter().any(|(end, other)| end.0 == id && other == peer.as_str());
                assert!(!twice, "{id} opened a second connection to {peer}");
                self.ends.insert((me.clone(), attempt), peer.as_str().to_owned());
                if role == Role::Offerer {
                    let sdp = format!("offer|{id}|{attempt}");
                    self.queue.push_back(Delivery::Input(
                        me,
                        Input::LocalDescription { peer, attempt, sdp },
                    ));
                }
            }
            Output::RemoteDescription { peer, attempt, sdp } => {
                if sdp.starts_with("offer|") {
                    let sdp = format!("answer|{id}|{attempt}|{sdp}");
                    self.queue.push_back(Delivery::Input(
                        me,
                        Input::LocalDescription { peer, attempt, sdp },
                    ));
                } else {
                    self.connect((me, attempt), &sdp);
                }
            }
            Output::RemoteCandidate { .. } => self.seat(id).candidates += 1,
            Output::CloseConnection { attempt, .. } => self.close(&(me, attempt)),
            Output::SendDataChannel { peer, attempt, text } => {
                self.seat(id).sent += 1;
                self.leaks.said(id, peer.as_str(), text.as_str());
                for text in self.tampered(id, peer.as_str(), text.as_str(), false) {
                    self.queue.push_back(Delivery::OverChannel((me.clone(), attempt), text));
                }
            }
            Output::Store { session_id, request } => {
                let seat = self.seats.get_mut(id).expect("no such seat");
                match request {
                    StoreRequest::Unconfirmed(record) => {
                        self.leaks.key_package(&record.key_package);
                        seat.kept.push((session_id.to_string(), record.info.pubkey.clone()));
                    }
                    StoreRequest::Confirm { pubkey, .. } => {
                        seat.confirmed.push((session_id.to_string(), pubkey))
                    }
                }
                self.queue
                    .push_back(Delivery::Input(me, Input::Stored { session_id, result: Ok(()) }));
            }
            Output::Event(event) => {
                self.leaks.printed(serde_json::to_string(&event).unwrap());
                let seat = self.seats.get_mut(id).expect("no such seat");
                if let Event::Proposed { session_id, peer_id, .. } = &event
                    && seat.accepts
                    && peer_id.as_str() != id
                {
                    let accept =
                        Command::Accept { session_id: session_id.clone(), allow_unverified: true };
                    self.queue.push_back(Delivery::Input(me, Input::Command(accept)));
                }
                seat.events.push(event);
            }
            Output::StoreContacts(_) | Output::StoreEvidence(_) | Output::StoreEntry { .. } => {
                panic!("{id} met or accuses a baseline peer")
            }
            Output::ViewChanged => {}
            Output::WakeAt(at) => self.seat(id).wake = Some(at.millis() - START),
        }
    }

    /// What others hear of a text. Nobody hears that anyone speaks the extensions: these peers are
    /// baseline ones.
    pub(super) fn tampered(&mut self, id: &str, to: &str, text: &str, relay: bool) -> Vec<String> {
        let text = &text.replace(",\"protocol\":1", "");
        let Some(tamper) = &mut self.seats.get_mut(id).expect("no such seat").tamper else {
            return vec![text.to_owned()];
        };
        let json: Value = serde_json::from_str(text).unwrap();
        let kind = json["type"].as_str().unwrap_or_default().to_owned();
        tamper(&Said { to: to.to_owned(), kind, json, relay })
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let views = self.seats.values().filter_map(|s| s.node.as_ref()).map(Node::view);
            let views = views.map(|v| format!("{v:?} {}", serde_json::to_string(&v).unwrap()));
            views.for_each(|view| self.leaks.printed(view));
            self.leaks.check();
        }
    }
}
