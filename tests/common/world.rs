//! Nodes, a signaling server, a network and people, in virtual time.

use std::collections::{BTreeMap, BTreeSet};

use frostmesh::agreement::{Certificate, Evidence};
use frostmesh::identity::{Contacts, IdentityKey};
use frostmesh::keystore::WalletRecord;
use frostmesh::node::{
    CarrierChoice, CarrierEvent, Command, Config, Error, Event, Input, Machine, Node, Output,
    PhaseName, Role, ServerId, SessionView, SocketEvent, StoreRequest, Timestamp,
};
use frostmesh::wire::{PeerId, SessionId};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::disk::{Disk, Writing};
use super::luck::Luck;
use super::server::{Server, Socket};
use super::weather::{Answer, Mishap, Weather};
use super::webrtc::{Half, HalfId, Halves, Pipe};

/// The nodes' clock at the start, in milliseconds.
const START: u64 = 1_700_000_000_000;

pub enum Happening {
    Input(usize, Input),
    ToSocket(Socket, SocketEvent),
    AtServer(Socket, String),
    SocketGone(Socket),
    ToHalf(HalfId, Input),
    Opened(usize, usize),
    Deliver { pipe: usize, to: usize, text: String },
    Stored(usize, SessionId),
    Written(Writing),
    Revive(usize),
    Crash(usize),
    Wake(usize, u64),
    ServerBack,
    Mishap(Mishap),
}

type Tamper = Box<dyn FnMut(&PeerId, String) -> Vec<String> + Send>;

pub struct Seat {
    pub id: PeerId,
    pub(super) node: Option<Node>,
    pub(super) socket: Option<u32>,
    /// How its node calls the server.
    pub(super) server: ServerId,
    sockets: u32,
    pub(super) wake: Option<u64>,
    pub(super) seed: u64,
    /// How often its node started again.
    pub(super) life: u32,
    /// Its wallets.
    pub disk: Disk,
    pub(super) disk_busy_until: u64,
    pub answer: Answer,
    pub events: Vec<(u64, Event)>,
    pub kept: BTreeMap<SessionId, WalletRecord>,
    pub confirmed: BTreeMap<SessionId, String>,
    pub certificates: BTreeMap<SessionId, Certificate>,
    pub contacts: Contacts,
    pub evidence: Vec<Evidence>,
    pub accepted: BTreeSet<SessionId>,
    /// Rewrites what the node sends over channels.
    pub tamper: Option<Tamper>,
    /// Rewrites what the node sends to the server; the peer id is its own.
    pub tamper_relay: Option<Tamper>,
    pub ticks: u64,
    /// Answers every store request with an error.
    pub store_fails: bool,
}

pub struct World {
    pub now: u64,
    pub seats: Vec<Seat>,
    pub weather: Weather,
    pub luck: Luck,
    pub server: Server,
    pub(super) server_up: bool,
    queue: BTreeMap<(u64, u64), Happening>,
    order: u64,
    /// In-order delivery to and from each socket.
    socket_last: BTreeMap<(Socket, bool), u64>,
    pub halves: Halves,
    pub(super) pipes: Vec<Pipe>,
    /// Mishaps, by the number of happenings after which they strike.
    pub mishaps: BTreeMap<u64, Vec<Mishap>>,
    pub struck: BTreeSet<&'static str>,
    /// How much has happened so far.
    pub happenings: u64,
    pub trace: Option<Vec<String>>,
    /// What nodes sent over channels and to the server, once asked for.
    pub record: Option<Vec<Sent>>,
    print: bool,
    /// Nodes do not hear that others speak the extensions: everyone is a baseline peer to everyone.
    pub plain: bool,
    /// What may carry the nodes' messages.
    pub carrier: CarrierChoice,
    /// The nodes have the identities of their seeds, but draw other random numbers: it is another
    /// day.
    pub later: bool,
    /// Nodes use the wallets that they make.
    pub use_wallets: bool,
    /// How many messages went over carriers that the driver runs.
    pub sent_over: u64,
    /// How often a node crashes between an entry of a trail and its head, in percent.
    pub crash_between: u64,
}

/// Something that a node sent.
#[derive(Debug, Clone)]
pub struct Sent {
    pub from: usize,
    /// Over the channel to whom; `None` is the server.
    pub to: Option<PeerId>,
    pub text: String,
}

impl Seat {
    pub fn node(&self) -> Option<&Node> {
        self.node.as_ref()
    }
}

impl World {
    pub fn new(seed: u64, weather: Weather) -> Self {
        Self {
            now: 0,
            seats: Vec::new(),
            weather,
            luck: Luck::new(seed),
            server: Server::default(),
            server_up: true,
            queue: BTreeMap::new(),
            order: 0,
            socket_last: BTreeMap::new(),
            halves: Halves::default(),
            pipes: Vec::new(),
            mishaps: BTreeMap::new(),
            struck: BTreeSet::new(),
            happenings: 0,
            trace: None,
            record: None,
            print: std::env::var_os("FROSTMESH_TRACE").is_some(),
            plain: true,
            carrier: CarrierChoice::Auto,
            later: false,
            use_wallets: false,
            sent_over: 0,
            crash_between: 0,
        }
    }

    // ---- seats ----

    pub fn add(&mut self, id: &str, seed: u64) -> usize {
        self.add_who(id, seed, true, Contacts::default())
    }

    /// The identity of a node of that seed.
    pub fn identity_of(seed: u64) -> IdentityKey {
        IdentityKey::generate(&mut ChaCha20Rng::seed_from_u64(seed))
    }

    /// A node that knows these contacts, and takes others at their word or compares words.
    pub fn add_who(
        &mut self,
        id: &str,
        seed: u64,
        trust_first_use: bool,
        contacts: Contacts,
    ) -> usize {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let identity = IdentityKey::generate(&mut rng);
        if self.later {
            rng = ChaCha20Rng::seed_from_u64(seed ^ 0x1A7E);
        }
        let config = Config { trust_first_use, carrier: self.carrier, ..Config::default() };
        let mut node = Node::new(config, identity, contacts, rng);
        node.set_machine_order(machine_order(seed));
        self.seats.push(Seat {
            id: super::peer(id),
            node: Some(node),
            socket: None,
            server: ServerId::new(1),
            sockets: 0,
            wake: None,
            seed,
            life: 0,
            disk: Disk::new(),
            disk_busy_until: 0,
            answer: Answer::Accept(0),
            events: Vec::new(),
            kept: BTreeMap::new(),
            confirmed: BTreeMap::new(),
            certificates: BTreeMap::new(),
            contacts: Contacts::default(),
            evidence: Vec::new(),
            accepted: BTreeSet::new(),
            tamper: None,
            tamper_relay: None,
            ticks: 0,
            store_fails: false,
        });
        self.seats.len() - 1
    }

    pub fn connect_at(&mut self, seat: usize, at: u64) {
        let peer_id = self.seats[seat].id.clone();
        let command = Command::Connect { server_url: "ws://server".into(), peer_id };
        self.at(at, Happening::Input(seat, Input::Command(command)));
    }

    pub fn command_at(&mut self, seat: usize, at: u64, command: Command) {
        self.at(at, Happening::Input(seat, Input::Command(command)));
    }

    /// Gives a command now.
    pub fn command(&mut self, seat: usize, command: Command) -> Result<(), Error> {
        self.input(seat, Input::Command(command))
    }

    /// Hands anything to a node now.
    pub fn hand_in(&mut self, seat: usize, input: Input) {
        self.input(seat, input).unwrap();
    }

    pub fn is_alive(&self, seat: usize) -> bool {
        self.seats[seat].node.is_some()
    }

    pub fn seat_of(&self, id: &PeerId) -> Option<usize> {
        self.seats.iter().position(|s| s.id == *id)
    }

    pub fn view(&self, seat: usize, session: &SessionId) -> Option<SessionView> {
        let view = self.seats[seat].node.as_ref()?.view();
        view.sessions.into_iter().find(|s| s.session_id == *session)
    }

    pub fn phase(&self, seat: usize, session: &SessionId) -> Option<PhaseName> {
        self.view(seat, session).map(|v| v.phase)
    }

    /// Whether anything is still going on.
    pub fn is_busy(&self) -> bool {
        let views = self.seats.iter().filter_map(|s| s.node.as_ref()).map(Node::view);
        views
            .flat_map(|v| v.sessions)
            .any(|s| !matches!(s.phase, PhaseName::Done | PhaseName::Aborted))
    }

    /// Sides of data channels that are open, two for each pair.
    pub fn open_channels(&self) -> usize {
        let open = self.pipes.iter().filter(|pipe| pipe.alive).flat_map(|pipe| pipe.opened);
        open.filter(|open| *open).count()
    }

    pub fn open_halves(&self) -> usize {
        self.halves.0.keys().filter(|id| self.seats[id.seat].node.is_some()).count()
    }

    // ---- time ----

    pub fn at(&mut self, at: u64, happening: Happening) {
        self.order += 1;
        self.queue.insert((at.max(self.now), self.order), happening);
    }

    pub(super) fn after(&mut self, range: (u64, u64), happening: Happening) {
        let at = self.now + self.luck.between(range);
        self.at(at, happening);
    }

    /// Lets one thing happen. False when nothing is left.
    pub fn step(&mut self) -> bool {
        let Some(((at, _), happening)) = self.queue.pop_first() else { return false };
        self.now = at;
        self.happen(happening);
        self.happenings += 1;
        for mishap in self.mishaps.remove(&self.happenings).unwrap_or_default() {
            self.strike(mishap);
        }
        true
    }

    pub fn run_until(&mut self, time: u64) {
        while self.queue.first_key_value().is_some_and(|((at, _), _)| *at <= time) {
            self.step();
        }
        self.now = self.now.max(time);
    }

    pub fn run_for(&mut self, time: u64) {
        self.run_until(self.now + time);
    }

    /// Runs until that holds, for two minutes of virtual time at most. Returns whether it held.
    pub fn run_until_true(&mut self, mut holds: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + 120_000;
        while !holds(self) {
            if self.now > end || !self.step() {
                return false;
            }
        }
        true
    }

    pub(super) fn note(&mut self, text: impl FnOnce() -> String) {
        if self.print || self.trace.is_some() {
            let line = format!("{:>8} {}", self.now, text());
            if self.print {
                println!("{line}");
            }
            if let Some(trace) = &mut self.trace {
                trace.push(line);
            }
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Input(seat, input) => {
                // A person's command may come too late to be carried out: the node says so, and
                // nothing else happens.
                let _ = self.input(seat, input);
            }
            Happening::ToSocket((seat, socket), event) => {
                if self.seats[seat].socket == Some(socket) {
                    if matches!(event, SocketEvent::Closed { .. }) {
                        self.seats[seat].socket = None;
                    }
                    let server = self.seats[seat].server;
                    let _ = self.input(seat, Input::Server { server, event });
                }
            }
            Happening::AtServer(socket, text) => {
                if self.server_up {
                    for (to, text) in self.server.receive(socket, &text) {
                        self.answer_from_server(to, text);
                    }
                }
            }
            Happening::SocketGone(socket) => self.server.gone(socket),
            Happening::ToHalf(id, input) => self.hand_to_half(id, input),
            Happening::Opened(pipe, side) => self.opened(pipe, side),
            Happening::Deliver { pipe, to, text } => self.deliver(pipe, to, text),
            Happening::Stored(seat, session_id) => {
                let result = if self.seats[seat].store_fails {
                    Err("the disk is full".into())
                } else {
                    Ok(())
                };
                let confirmed = self.seats[seat].confirmed.contains_key(&session_id);
                let _ = self.input(seat, Input::Stored { session_id: session_id.clone(), result });
                if confirmed && self.use_wallets && self.is_alive(seat) {
                    let mut record = self.seats[seat].kept[&session_id].clone();
                    record.certificate =
                        self.seats[seat].certificates.get(&session_id).cloned().map(Box::new);
                    self.made(seat, record);
                }
            }
            Happening::Written(writing) => self.written(writing),
            Happening::Revive(seat) => self.revive(seat),
            Happening::Crash(seat) => self.crash(seat),
            Happening::Wake(seat, at) => {
                if self.seats[seat].wake == Some(at) {
                    self.seats[seat].wake = None;
                    self.seats[seat].ticks += 1;
                    let _ = self.input(seat, Input::Tick);
                }
            }
            Happening::ServerBack => self.server_up = true,
            Happening::Mishap(mishap) => self.strike(mishap),
        }
    }

    // ---- a node's driver ----

    pub(super) fn input(&mut self, seat: usize, input: Input) -> Result<(), Error> {
        let now = Timestamp::from_millis(START + self.now);
        if self.seats[seat].node.is_none() {
            return Ok(());
        }
        if !matches!(input, Input::Tick) {
            let id = self.seats[seat].id.clone();
            self.note(|| format!("{id} <- {input:?}"));
        }
        if let Input::Command(
            Command::Propose { session_id, .. } | Command::Accept { session_id, .. },
        ) = &input
        {
            let session_id = session_id.clone();
            self.seats[seat].accepted.insert(session_id);
        }
        let result = self.seats[seat].node.as_mut().unwrap().handle(now, input);
        while let Some(output) = self.seats[seat].node.as_mut().and_then(Node::poll) {
            self.carry_out(seat, output);
        }
        result
    }

    fn carry_out(&mut self, seat: usize, output: Output) {
        if !matches!(output, Output::ViewChanged | Output::WakeAt(_)) {
            let id = self.seats[seat].id.clone();
            self.note(|| format!("{id} -> {output:?}"));
        }
        match output {
            Output::OpenServer { server, .. } => {
                self.seats[seat].server = server;
                let number = self.seats[seat].sockets + 1;
                self.seats[seat].sockets = number;
                self.seats[seat].socket = Some(number);
                let socket = (seat, number);
                if self.server_up {
                    self.server.open(socket);
                    self.after(
                        self.weather.latency,
                        Happening::ToSocket(socket, SocketEvent::Opened),
                    );
                } else {
                    let reason = "connection refused".to_owned();
                    self.after(
                        self.weather.latency,
                        Happening::ToSocket(socket, SocketEvent::Closed { reason }),
                    );
                }
            }
            Output::CloseServer { .. } => {
                if let Some(number) = self.seats[seat].socket.take() {
                    let at = self.socket_time((seat, number), true);
                    self.at(at, Happening::SocketGone((seat, number)));
                }
            }
            Output::SendServer { text, .. } => self.send_to_server(seat, text),
            Output::OpenConnection { peer, attempt, role } => {
                let dead = self.luck.percent(self.weather.dead_attempt);
                let id = HalfId { seat, peer, attempt };
                self.halves.0.insert(id.clone(), Half::new(role, dead));
                if role == Role::Offerer {
                    let sdp = format!(
                        "offer of {} {attempt} {}",
                        self.seats[seat].id,
                        self.luck.below(1 << 40)
                    );
                    self.describe(id, sdp);
                }
            }
            Output::RemoteDescription { peer, attempt, sdp } => {
                let id = HalfId { seat, peer, attempt };
                let Some(half) = self.halves.0.get_mut(&id) else { return };
                assert!(half.remote.is_none(), "a second remote description");
                half.remote = Some(sdp.clone());
                if half.role == Role::Answerer {
                    let sdp = format!("answer of {} {attempt} to {sdp}", self.seats[seat].id);
                    self.describe(id.clone(), sdp);
                }
                self.try_to_open(&id);
            }
            Output::RemoteCandidate { peer, attempt, .. } => {
                let id = HalfId { seat, peer, attempt };
                let Some(half) = self.halves.0.get_mut(&id) else { return };
                assert!(half.remote.is_some(), "a candidate before the description");
                half.remote_candidates += 1;
                self.try_to_open(&id);
            }
            Output::SendOver { carrier, peer, text } => {
                self.sent_over += 1;
                let Some(to) = self.seat_of(&peer) else { return };
                let (peer, text) = (self.seats[seat].id.clone(), text.into_zeroizing());
                let event = CarrierEvent::Text(text);
                let input = Input::Carrier { carrier, peer, event };
                self.after(self.weather.latency, Happening::Input(to, input));
            }
            Output::CloseConnection { peer, attempt } => {
                self.close(&HalfId { seat, peer, attempt })
            }
            Output::SendDataChannel { peer, attempt, text } => {
                self.note_sent(seat, Some(peer.clone()), text.as_str());
                let texts = match self.seats[seat].tamper.as_mut() {
                    Some(tamper) => tamper(&peer, text.as_str().to_owned()),
                    None => vec![text.as_str().to_owned()],
                };
                for text in texts {
                    self.send(&HalfId { seat, peer: peer.clone(), attempt }, text);
                }
            }
            Output::Store { session_id, request } => {
                match request {
                    StoreRequest::Unconfirmed(record) => {
                        if !self.seats[seat].store_fails {
                            self.seats[seat].kept.insert(session_id.clone(), *record);
                        }
                    }
                    StoreRequest::Confirm { pubkey, certificate } => {
                        self.seats[seat].confirmed.insert(session_id.clone(), pubkey);
                        if let Some(certificate) = certificate {
                            self.seats[seat].certificates.insert(session_id.clone(), *certificate);
                        }
                    }
                }
                self.after(self.weather.store, Happening::Stored(seat, session_id));
            }
            Output::Event(event) => {
                if let Event::Proposed { session_id, peer_id, .. } = &event
                    && *peer_id != self.seats[seat].id
                {
                    self.decide(seat, session_id.clone());
                }
                self.seats[seat].events.push((self.now, event));
            }
            Output::StoreEntry { pubkey, entry, head } => {
                self.write_entry(seat, pubkey, entry, head)
            }
            Output::StoreContacts(contacts) => self.seats[seat].contacts = contacts,
            Output::StoreEvidence(evidence) => self.seats[seat].evidence.push(*evidence),
            Output::ViewChanged => {}
            Output::WakeAt(at) => {
                let at = at.millis() - START;
                assert!(at > self.now, "a wake-up in the past is a busy loop");
                self.seats[seat].wake = Some(at);
                self.at(at, Happening::Wake(seat, at));
            }
        }
    }

    fn decide(&mut self, seat: usize, session_id: SessionId) {
        let (after, command) = match self.seats[seat].answer {
            Answer::Accept(after) => {
                (after, Command::Accept { session_id, allow_unverified: true })
            }
            Answer::Decline(after) => (after, Command::Decline { session_id }),
            Answer::Never => return,
        };
        self.at(self.now + after, Happening::Input(seat, Input::Command(command)));
    }

    // ---- the server ----

    /// The time at which something arrives at, or comes from, the server.
    fn socket_time(&mut self, socket: Socket, up: bool) -> u64 {
        let at = self.now + self.luck.between(self.weather.latency);
        let last = self.socket_last.entry((socket, up)).or_default();
        *last = at.max(*last);
        *last
    }

    /// What others hear of a text.
    pub(super) fn as_heard(&self, text: String) -> String {
        if self.plain { text.replace(",\"protocol\":1", "") } else { text }
    }

    fn note_sent(&mut self, from: usize, to: Option<PeerId>, text: &str) {
        if let Some(record) = &mut self.record {
            record.push(Sent { from, to, text: text.to_owned() });
        }
    }

    fn send_to_server(&mut self, seat: usize, text: String) {
        self.note_sent(seat, None, &text);
        let Some(number) = self.seats[seat].socket else { return };
        let text = self.as_heard(text);
        let socket = (seat, number);
        let id = self.seats[seat].id.clone();
        let texts = match self.seats[seat].tamper_relay.as_mut() {
            Some(tamper) => tamper(&id, text),
            None => vec![text],
        };
        for text in texts {
            // Only what is relayed is subject to the weather: a server that drops `register` is a
            // server that is away.
            let relay = text.contains("\"relay\"");
            if relay && self.luck.percent(self.weather.relay_drop) {
                self.struck.insert("relay_drop");
                continue;
            }
            if relay && self.luck.percent(self.weather.relay_repeat) {
                let at = self.socket_time(socket, true) + self.luck.below(500);
                self.at(at, Happening::AtServer(socket, text.clone()));
            }
            let shuffled = relay && self.weather.relay_shuffle;
            let slow = if shuffled { self.luck.between(self.weather.latency) } else { 0 };
            let at = self.socket_time(socket, true) + slow;
            self.at(at, Happening::AtServer(socket, text));
        }
    }

    /// A frame to the server as this seat's node could send it.
    pub fn inject_to_server(&mut self, seat: usize, text: &str) {
        let socket = (seat, self.seats[seat].socket.unwrap());
        let at = self.socket_time(socket, true);
        self.at(at, Happening::AtServer(socket, text.to_owned()));
    }

    fn answer_from_server(&mut self, to: Socket, text: String) {
        // What the server says itself comes in order, always: it is one socket.
        let shuffled = text.contains("\"relay\"") && self.weather.relay_shuffle;
        let at = if shuffled {
            self.now + self.luck.between(self.weather.latency)
        } else {
            self.socket_time(to, false)
        };
        self.at(at, Happening::ToSocket(to, SocketEvent::Text(text)));
    }
}

/// One of the orders in which a node can poll its machines. The order must not matter.
pub fn machine_order(seed: u64) -> [Machine; 4] {
    let mut machines =
        vec![Machine::Signaling, Machine::Transport, Machine::Keygen, Machine::Wallets];
    let mut rest = seed;
    std::array::from_fn(|_| {
        let index = usize::try_from(rest % machines.len() as u64).unwrap();
        rest /= machines.len() as u64;
        machines.remove(index)
    })
}
