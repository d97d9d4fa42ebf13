//! Nodes, a signaling server, a network and people, in virtual time.

use std::collections::{BTreeMap, BTreeSet};

use frostmesh::keystore::WalletRecord;
use frostmesh::node::{
    Command, Config, Error, Event, Input, Node, Output, PhaseName, Role, SessionView, StoreRequest, Timestamp,
};
use frostmesh::wire::{IceCandidate, PeerId, SessionId};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use zeroize::Zeroizing;

use super::luck::Luck;
use super::server::{Server, Socket};
use super::webrtc::{Half, HalfId, Halves, Pipe};

/// The nodes' clock at the start, in milliseconds.
const START: u64 = 1_700_000_000_000;

/// What the network does to what is sent. Times in milliseconds, chances in percent.
#[derive(Debug, Clone)]
pub struct Weather {
    pub latency: (u64, u64),
    pub relay_repeat: u64,
    pub relay_drop: u64,
    /// What is relayed may overtake what one sender sent before.
    pub relay_shuffle: bool,
    pub channel_repeat: u64,
    /// What is sent before the other side is open is lost.
    pub early_lost: bool,
    /// Attempts at a connection that never open.
    pub dead_attempt: u64,
    /// Time between the two sides' opening.
    pub open_skew: (u64, u64),
    /// Time that a store takes.
    pub store: (u64, u64),
    /// Time until the other side of a broken connection notices.
    pub notice: (u64, u64),
}

impl Weather {
    pub const CALM: Self = Self {
        latency: (5, 5),
        relay_repeat: 0,
        relay_drop: 0,
        relay_shuffle: false,
        channel_repeat: 0,
        early_lost: false,
        dead_attempt: 0,
        open_skew: (0, 5),
        store: (1, 1),
        notice: (10, 10),
    };
}

/// What a person answers to a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Accept(u64),
    Decline(u64),
    Never,
}

/// Something that goes wrong once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// A channel breaks; what is under way is lost.
    Cut,
    /// A channel is interrupted for that long and then goes on.
    Stall(u64),
    /// A node's server connection breaks. Without a word to the node, if so told.
    ServerConnection { silent: bool },
    /// The server is away for that long.
    ServerAway(u64),
    /// A node is gone for good.
    Crash,
    /// A person leaves the session.
    Cancel,
}

enum Happening {
    Input(usize, Input),
    ToSocket(Socket, Input),
    AtServer(Socket, String),
    SocketGone(Socket),
    ToHalf(HalfId, Input),
    Opened(usize, usize),
    Deliver { pipe: usize, to: usize, text: String },
    Stored(usize, SessionId),
    Wake(usize, u64),
    ServerBack,
    Mishap(Mishap),
}

type Tamper = Box<dyn FnMut(&PeerId, String) -> Vec<String> + Send>;

pub struct Seat {
    pub id: PeerId,
    node: Option<Node<ChaCha20Rng>>,
    socket: Option<u32>,
    sockets: u32,
    wake: Option<u64>,
    pub answer: Answer,
    pub events: Vec<(u64, Event)>,
    pub kept: BTreeMap<SessionId, WalletRecord>,
    pub confirmed: BTreeMap<SessionId, String>,
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
    server_up: bool,
    queue: BTreeMap<(u64, u64), Happening>,
    order: u64,
    /// In-order delivery to and from each socket.
    socket_last: BTreeMap<(Socket, bool), u64>,
    pub halves: Halves,
    pipes: Vec<Pipe>,
    /// Mishaps, by the number of happenings after which they strike.
    pub mishaps: BTreeMap<u64, Vec<Mishap>>,
    pub struck: BTreeSet<&'static str>,
    happenings: u64,
    pub trace: Option<Vec<String>>,
    /// What nodes sent over channels and to the server, once asked for.
    pub record: Option<Vec<Sent>>,
    print: bool,
}

/// Something that a node sent.
#[derive(Debug, Clone)]
pub struct Sent {
    pub from: usize,
    /// Over the channel to whom; `None` is the server.
    pub to: Option<PeerId>,
    pub text: String,
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
        }
    }

    // ---- seats ----

    pub fn add(&mut self, id: &str, seed: u64) -> usize {
        let node = Node::new(Config::default(), ChaCha20Rng::seed_from_u64(seed));
        self.seats.push(Seat {
            id: super::peer(id),
            node: Some(node),
            socket: None,
            sockets: 0,
            wake: None,
            answer: Answer::Accept(0),
            events: Vec::new(),
            kept: BTreeMap::new(),
            confirmed: BTreeMap::new(),
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
        views.flat_map(|v| v.sessions).any(|s| !matches!(s.phase, PhaseName::Done | PhaseName::Aborted))
    }

    pub fn open_halves(&self) -> usize {
        self.halves.0.keys().filter(|id| self.seats[id.seat].node.is_some()).count()
    }

    // ---- time ----

    fn at(&mut self, at: u64, happening: Happening) {
        self.order += 1;
        self.queue.insert((at.max(self.now), self.order), happening);
    }

    fn after(&mut self, range: (u64, u64), happening: Happening) {
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

    fn note(&mut self, text: impl FnOnce() -> String) {
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
                // A person's command may come too late to be carried out: the node says so, and nothing else happens.
                let _ = self.input(seat, input);
            }
            Happening::ToSocket((seat, socket), input) => {
                if self.seats[seat].socket == Some(socket) {
                    if matches!(input, Input::ServerClosed { .. }) {
                        self.seats[seat].socket = None;
                    }
                    let _ = self.input(seat, input);
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
                let result = if self.seats[seat].store_fails { Err("the disk is full".into()) } else { Ok(()) };
                let _ = self.input(seat, Input::Stored { session_id, result });
            }
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

    fn input(&mut self, seat: usize, input: Input) -> Result<(), Error> {
        let now = Timestamp::from_millis(START + self.now);
        if self.seats[seat].node.is_none() {
            return Ok(());
        }
        if !matches!(input, Input::Tick) {
            let id = self.seats[seat].id.clone();
            self.note(|| format!("{id} <- {input:?}"));
        }
        if let Input::Command(Command::Propose { session_id, .. } | Command::Accept { session_id, .. }) = &input {
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
            Output::OpenServer { .. } => {
                let number = self.seats[seat].sockets + 1;
                self.seats[seat].sockets = number;
                self.seats[seat].socket = Some(number);
                let socket = (seat, number);
                if self.server_up {
                    self.server.open(socket);
                    self.after(self.weather.latency, Happening::ToSocket(socket, Input::ServerOpened));
                } else {
                    let reason = "connection refused".to_owned();
                    self.after(self.weather.latency, Happening::ToSocket(socket, Input::ServerClosed { reason }));
                }
            }
            Output::CloseServer => {
                if let Some(number) = self.seats[seat].socket.take() {
                    let at = self.socket_time((seat, number), true);
                    self.at(at, Happening::SocketGone((seat, number)));
                }
            }
            Output::SendServer(text) => self.send_to_server(seat, text),
            Output::OpenConnection { peer, attempt, role } => {
                let dead = self.luck.percent(self.weather.dead_attempt);
                let id = HalfId { seat, peer, attempt };
                self.halves.0.insert(id.clone(), Half::new(role, dead));
                if role == Role::Offerer {
                    let sdp = format!("offer of {} {attempt} {}", self.seats[seat].id, self.luck.below(1 << 40));
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
            Output::CloseConnection { peer, attempt } => self.close(&HalfId { seat, peer, attempt }),
            Output::SendChannel { peer, attempt, text } => {
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
                    StoreRequest::Keep(record) => {
                        if !self.seats[seat].store_fails {
                            self.seats[seat].kept.insert(session_id.clone(), *record);
                        }
                    }
                    StoreRequest::Confirm { pubkey } => {
                        self.seats[seat].confirmed.insert(session_id.clone(), pubkey);
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
            Answer::Accept(after) => (after, Command::Accept { session_id, allow_unverified: true }),
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

    fn note_sent(&mut self, from: usize, to: Option<PeerId>, text: &str) {
        if let Some(record) = &mut self.record {
            record.push(Sent { from, to, text: text.to_owned() });
        }
    }

    fn send_to_server(&mut self, seat: usize, text: String) {
        self.note_sent(seat, None, &text);
        let Some(number) = self.seats[seat].socket else { return };
        let socket = (seat, number);
        let id = self.seats[seat].id.clone();
        let texts = match self.seats[seat].tamper_relay.as_mut() {
            Some(tamper) => tamper(&id, text),
            None => vec![text],
        };
        for text in texts {
            // Only what is relayed is subject to the weather: a server that drops `register` is a server that is away.
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
        let at =
            if shuffled { self.now + self.luck.between(self.weather.latency) } else { self.socket_time(to, false) };
        self.at(at, Happening::ToSocket(to, Input::ServerText(text)));
    }

    // ---- connections ----

    /// The driver has made a description, and finds candidates before and after.
    fn describe(&mut self, id: HalfId, sdp: String) {
        let (peer, attempt) = (id.peer.clone(), id.attempt);
        let candidates = self.luck.between((1, 3));
        for n in 0..candidates {
            let candidate =
                IceCandidate { candidate: format!("candidate:{n} {sdp}"), sdp_mid: None, sdp_m_line_index: Some(0) };
            let input = Input::LocalCandidate { peer: peer.clone(), attempt, candidate };
            self.after((1, 40), Happening::ToHalf(id.clone(), input));
        }
        self.after((1, 30), Happening::ToHalf(id, Input::LocalDescription { peer, attempt, sdp }));
    }

    fn hand_to_half(&mut self, id: HalfId, input: Input) {
        let Some(half) = self.halves.0.get_mut(&id) else { return };
        match &input {
            Input::LocalDescription { sdp, .. } => half.local = Some(sdp.clone()),
            Input::ConnectionClosed { .. } => {
                self.halves.0.remove(&id);
            }
            _ => {}
        }
        let _ = self.input(id.seat, input);
        self.try_to_open(&id);
    }

    fn try_to_open(&mut self, id: &HalfId) {
        let Some(other_seat) = self.seat_of(&id.peer) else { return };
        let me = self.seats[id.seat].id.clone();
        let Some(partner) = self.halves.partner(id, &me, other_seat) else { return };
        let number = self.pipes.len();
        for (side, end) in [id, &partner].into_iter().enumerate() {
            if let Some(half) = self.halves.0.get_mut(end) {
                half.pipe = Some((number, side));
            }
        }
        self.pipes.push(Pipe {
            ends: [id.clone(), partner],
            opened: [false; 2],
            early: [Vec::new(), Vec::new()],
            alive: true,
            stalled_until: 0,
            last: [0; 2],
        });
        for side in 0..2 {
            let at = self.now + self.luck.between(self.weather.latency) + self.luck.between(self.weather.open_skew);
            self.at(at, Happening::Opened(number, side));
        }
    }

    fn opened(&mut self, number: usize, side: usize) {
        let both = self.pipes[number].ends.iter().all(|end| self.halves.0.contains_key(end));
        if !(self.pipes[number].alive && both) {
            return;
        }
        self.pipes[number].opened[side] = true;
        let end = self.pipes[number].ends[side].clone();
        let _ = self.input(end.seat, Input::ChannelOpened { peer: end.peer.clone(), attempt: end.attempt });
        for text in std::mem::take(&mut self.pipes[number].early[side]) {
            self.at(self.now, Happening::Deliver { pipe: number, to: side, text });
        }
    }

    fn send(&mut self, id: &HalfId, text: String) {
        let Some((number, side)) = self.halves.0.get(id).and_then(|half| half.pipe) else { return };
        let to = 1 - side;
        let mut at = self.now + self.luck.between(self.weather.latency);
        let pipe = &mut self.pipes[number];
        at = at.max(pipe.last[to]).max(pipe.stalled_until);
        pipe.last[to] = at;
        if self.luck.percent(self.weather.channel_repeat) {
            let again = at + self.luck.below(500);
            self.at(again, Happening::Deliver { pipe: number, to, text: text.clone() });
        }
        self.at(at, Happening::Deliver { pipe: number, to, text });
    }

    /// Sends any text over the channel that is open between two seats.
    pub fn inject(&mut self, from: usize, to: usize, text: &str) {
        let to = self.seats[to].id.clone();
        let open = self.halves.0.iter().filter(|(id, half)| id.seat == from && id.peer == to && half.pipe.is_some());
        let id = open.map(|(id, _)| id.clone()).next_back().expect("no channel is open");
        self.send(&id, text.to_owned());
    }

    fn deliver(&mut self, number: usize, to: usize, text: String) {
        let pipe = &mut self.pipes[number];
        if !pipe.alive || !self.halves.0.contains_key(&pipe.ends[to]) {
            return;
        }
        if pipe.stalled_until > self.now {
            let at = pipe.stalled_until;
            return self.at(at, Happening::Deliver { pipe: number, to, text });
        }
        if !pipe.opened[to] {
            if self.weather.early_lost {
                self.struck.insert("early_lost");
            } else {
                pipe.early[to].push(text);
            }
            return;
        }
        let end = pipe.ends[to].clone();
        let input = Input::ChannelText { peer: end.peer, attempt: end.attempt, text: Zeroizing::new(text) };
        let _ = self.input(end.seat, input);
    }

    /// A driver closes its half: what it sent still arrives, what was on its way to it does not.
    fn close(&mut self, id: &HalfId) {
        let Some(half) = self.halves.0.remove(id) else { return };
        if let Some((number, side)) = half.pipe {
            let other = self.pipes[number].ends[1 - side].clone();
            let at = self.pipes[number].last[1 - side].max(self.now) + self.luck.between(self.weather.notice);
            self.close_at(other, at, "the other side closed it");
        }
    }

    fn close_at(&mut self, id: HalfId, at: u64, reason: &str) {
        let (peer, attempt) = (id.peer.clone(), id.attempt);
        let input = Input::ConnectionClosed { peer, attempt, reason: reason.to_owned() };
        self.at(at, Happening::ToHalf(id, input));
    }

    // ---- what goes wrong ----

    pub fn mishap_at(&mut self, at: u64, mishap: Mishap) {
        self.at(at, Happening::Mishap(mishap));
    }

    fn strike(&mut self, mishap: Mishap) {
        self.note(|| format!("** {mishap:?}"));
        match mishap {
            Mishap::Cut => {
                let alive: Vec<usize> = self.open_pipes();
                if !alive.is_empty() {
                    let number = *self.luck.pick(&alive);
                    self.cut(number);
                }
            }
            Mishap::Stall(time) => {
                let alive: Vec<usize> = self.open_pipes();
                if !alive.is_empty() {
                    let number = *self.luck.pick(&alive);
                    self.stall(number, time);
                }
            }
            Mishap::ServerConnection { silent } => {
                let sockets = self.server.sockets();
                if !sockets.is_empty() {
                    let socket = *self.luck.pick(&sockets);
                    self.break_socket(socket, silent);
                }
            }
            Mishap::ServerAway(time) => self.server_away(time),
            Mishap::Crash => {
                let alive: Vec<usize> = (0..self.seats.len()).filter(|s| self.is_alive(*s)).collect();
                let seat = *self.luck.pick(&alive);
                self.crash(seat);
            }
            Mishap::Cancel => {
                let alive: Vec<usize> = (0..self.seats.len()).filter(|s| self.is_alive(*s)).collect();
                let seat = *self.luck.pick(&alive);
                for session_id in self.seats[seat].accepted.clone() {
                    if self.input(seat, Input::Command(Command::Cancel { session_id })).is_ok() {
                        self.struck.insert("cancel");
                    }
                }
            }
        }
    }

    fn open_pipes(&self) -> Vec<usize> {
        let open = |pipe: &Pipe| pipe.alive && pipe.ends.iter().all(|end| self.halves.0.contains_key(end));
        (0..self.pipes.len()).filter(|n| open(&self.pipes[*n])).collect()
    }

    fn cut(&mut self, number: usize) {
        self.struck.insert("cut");
        self.pipes[number].alive = false;
        for end in self.pipes[number].ends.clone() {
            let at = self.now + self.luck.between(self.weather.notice);
            self.close_at(end, at, "the connection broke");
        }
    }

    /// Breaks every channel of one seat.
    pub fn cut_off(&mut self, seat: usize) {
        for number in self.open_pipes() {
            if self.pipes[number].ends.iter().any(|end| end.seat == seat) {
                self.cut(number);
            }
        }
    }

    fn stall(&mut self, number: usize, time: u64) {
        self.struck.insert("stall");
        let until = self.now + time;
        self.pipes[number].stalled_until = until;
        for end in self.pipes[number].ends.clone() {
            let told = self.now + self.luck.between((0, 1_000));
            for (at, stalled) in [(told, true), (until.max(told) + 1, false)] {
                let input = Input::ChannelStalled { peer: end.peer.clone(), attempt: end.attempt, stalled };
                self.at(at, Happening::ToHalf(end.clone(), input));
            }
        }
    }

    /// The connection of a node to the server breaks; the server notices some time later.
    pub fn break_socket(&mut self, socket: Socket, silent: bool) {
        self.struck.insert("server");
        let (seat, number) = socket;
        if silent {
            // Nothing passes any more, and nobody says so.
            if self.seats[seat].socket == Some(number) {
                self.server.gone(socket);
            }
        } else {
            let reason = "the connection broke".to_owned();
            self.after((0, 500), Happening::ToSocket(socket, Input::ServerClosed { reason }));
            self.after((0, 3_000), Happening::SocketGone(socket));
        }
    }

    pub fn server_away(&mut self, time: u64) {
        self.struck.insert("server");
        self.server_up = false;
        for socket in self.server.sockets() {
            self.server.gone(socket);
            let reason = "the server went away".to_owned();
            self.after((0, 500), Happening::ToSocket(socket, Input::ServerClosed { reason }));
        }
        if time < u64::MAX {
            self.at(self.now + time, Happening::ServerBack);
        }
    }

    /// A node is gone for good.
    pub fn crash(&mut self, seat: usize) {
        self.struck.insert("crash");
        self.seats[seat].node = None;
        if let Some(number) = self.seats[seat].socket {
            self.after((0, 3_000), Happening::SocketGone((seat, number)));
        }
        let mine: Vec<HalfId> = self.halves.0.keys().filter(|id| id.seat == seat).cloned().collect();
        for id in mine {
            let Some((number, side)) = self.halves.0.remove(&id).and_then(|half| half.pipe) else { continue };
            if self.luck.percent(50) {
                self.pipes[number].alive = false; // what was on its way is lost
            }
            let at = self.now + self.luck.between(self.weather.notice);
            self.close_at(self.pipes[number].ends[1 - side].clone(), at, "the other side is gone");
        }
    }
}
