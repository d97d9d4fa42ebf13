//! What a seed stands for: who makes a key with whom, over what network, and what goes wrong
//! meanwhile.

use std::fmt;

use frostmesh::frost::Suite;
use frostmesh::node::{CarrierChoice, Command, DIRECT, RELAY};
use frostmesh::wire::{PeerId, SessionId};

use crate::common::luck::Luck;
use crate::common::weather::{Answer, Mishap, Weather};
use crate::common::world::World;
use crate::common::{peer, session};

/// How bad it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Slow, repeated, out of order, but nothing is lost: every session must succeed.
    Calm,
    /// Things get lost, and everybody stays: sessions should succeed.
    Rough,
    /// Nodes crash, people decline or leave, servers go away.
    Storm,
}

/// How the nodes prove who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    /// Everyone is a baseline peer to everyone.
    Plain,
    /// Links where they can be had, in a session that does not insist on them.
    Linked,
    /// A session that insists, and is certified.
    Verified,
}

#[derive(Clone)]
pub struct SessionPlan {
    pub id: SessionId,
    /// Seats, the proposer first.
    pub members: Vec<usize>,
    pub threshold: u16,
    pub at: u64,
}

#[derive(Clone)]
pub struct Plan {
    pub seed: u64,
    pub class: Class,
    pub names: Vec<String>,
    pub connect_at: Vec<u64>,
    pub answers: Vec<Answer>,
    pub sessions: Vec<SessionPlan>,
    pub weather: Weather,
    pub mishaps: Vec<(u64, Mishap)>,
    pub baseline_server: bool,
    /// Which signatures the keys are to make.
    pub suite: Suite,
    /// How the nodes prove who they are.
    pub trust: Trust,
    /// What may carry the nodes' messages.
    pub carrier: CarrierChoice,
    /// Seats whose node talks like a baseline peer.
    pub strangers: Vec<usize>,
    /// When the last planned thing happens.
    pub last: u64,
}

/// Names whose order by bytes is not the order of their numbers.
const NAMES: [&str; 7] = ["node-1", "node-10", "node-2", "Zoe", "alice", "b.o_b", "~"];

impl Plan {
    pub fn new(seed: u64) -> Self {
        let mut luck = Luck::new(seed ^ 0xF057);
        let luck = &mut luck;
        let class = match luck.below(10) {
            0..=2 => Class::Calm,
            3..=5 => Class::Rough,
            _ => Class::Storm,
        };
        let n = luck.between((2, 7));
        let mut names: Vec<String> = NAMES.iter().map(|name| (*name).replace('~', "zz")).collect();
        luck.shuffle(&mut names);
        names.truncate(usize::try_from(n).unwrap());
        let seats: Vec<usize> = (0..names.len()).collect();
        let connect_at = seats
            .iter()
            .map(|_| if luck.percent(60) { luck.below(50) } else { luck.below(20_000) });
        let connect_at: Vec<u64> = connect_at.collect();
        let answers: Vec<Answer> = seats.iter().map(|_| answer(luck, class)).collect();
        let weather = weather(luck, class);
        let sessions = sessions(luck, &seats, &connect_at, &weather);
        let mishaps = mishaps(luck, class, n);
        let alone = sessions.len() == 1;
        let strangers: Vec<usize> =
            seats.iter().copied().filter(|_| alone && luck.percent(15)).collect();
        let slowest = answers
            .iter()
            .map(|a| if let Answer::Accept(t) | Answer::Decline(t) = a { *t } else { 0 });
        let last = 40_000 + slowest.max().unwrap_or(0);
        let baseline_server = luck.percent(25);
        let trust = match luck.below(4) {
            0 => Trust::Plain,
            1 => Trust::Linked,
            _ => Trust::Verified,
        };
        let carrier = match luck.below(10) {
            0 if trust == Trust::Verified => CarrierChoice::Only(RELAY),
            1 => CarrierChoice::Only(DIRECT),
            _ => CarrierChoice::Auto,
        };
        let strangers = if trust == Trust::Plain { strangers } else { Vec::new() };
        // From another source, so that the seeds keep their histories.
        let suite = if Luck::new(!seed).percent(25) { tr() } else { Suite::default() };
        Self {
            suite,
            trust,
            carrier,
            seed,
            class,
            names,
            connect_at,
            answers,
            sessions,
            weather,
            mishaps,
            baseline_server,
            strangers,
            last,
        }
    }

    pub fn id(&self, seat: usize) -> PeerId {
        peer(&self.names[seat])
    }

    /// The world in which all this is about to happen.
    pub fn world(&self) -> World {
        let mut world = World::new(self.seed, self.weather.clone());
        world.server.baseline = self.baseline_server;
        world.plain = self.trust == Trust::Plain;
        world.carrier = self.carrier;
        for (seat, name) in self.names.iter().enumerate() {
            world.add(name, self.seed.wrapping_mul(31).wrapping_add(seat as u64));
            world.seats[seat].answer = self.answers[seat];
            world.connect_at(seat, self.connect_at[seat]);
            if self.strangers.contains(&seat) {
                world.seats[seat].tamper =
                    Some(Box::new(|_, text| super::stranger::on_channel(&text)));
                world.seats[seat].tamper_relay =
                    Some(Box::new(|_, text| super::stranger::to_server(&text)));
            }
        }
        for plan in &self.sessions {
            let participants = plan.members.iter().map(|seat| self.id(*seat)).collect();
            let (session_id, threshold) = (plan.id.clone(), plan.threshold);
            let allow_unverified = self.trust != Trust::Verified;
            let command = Command::Propose {
                session_id,
                participants,
                threshold,
                suite: self.suite,
                allow_unverified,
            };
            world.command_at(plan.members[0], plan.at, command);
        }
        for (at, mishap) in &self.mishaps {
            world.mishaps.entry(*at).or_default().push(*mishap);
        }
        world
    }
}

fn tr() -> Suite {
    "secp256k1-tr".parse().unwrap()
}

fn answer(luck: &mut Luck, class: Class) -> Answer {
    let after = if luck.percent(70) { luck.below(2_000) } else { luck.below(200_000) };
    match class {
        Class::Storm if luck.percent(4) => Answer::Decline(after),
        Class::Storm if luck.percent(1) => Answer::Never,
        _ => Answer::Accept(after),
    }
}

fn weather(luck: &mut Luck, class: Class) -> Weather {
    let slowest = if luck.percent(70) { 60 } else { 800 };
    let mut weather = Weather {
        latency: (1, luck.between((1, slowest))),
        relay_repeat: if luck.percent(50) { luck.below(40) } else { 0 },
        relay_shuffle: luck.percent(40),
        channel_repeat: if luck.percent(50) { luck.below(40) } else { 0 },
        open_skew: (0, luck.between((0, 500))),
        store: (1, if luck.percent(80) { 50 } else { luck.between((100, 40_000)) }),
        notice: (0, luck.between((10, 3_000))),
        ..Weather::CALM
    };
    if class != Class::Calm {
        weather.relay_drop = if luck.percent(50) { luck.below(25) } else { 0 };
        weather.early_lost = luck.percent(40);
        weather.dead_attempt = if luck.percent(30) { luck.below(25) } else { 0 };
    }
    weather
}

fn sessions(
    luck: &mut Luck,
    seats: &[usize],
    connect_at: &[u64],
    weather: &Weather,
) -> Vec<SessionPlan> {
    let count = if seats.len() > 2 && luck.percent(20) { 2 } else { 1 };
    let plan = |number: usize, luck: &mut Luck| {
        let mut members = seats.to_vec();
        luck.shuffle(&mut members);
        if count == 2 {
            members.truncate(usize::try_from(luck.between((2, seats.len() as u64))).unwrap());
        }
        let total = members.len() as u64;
        let threshold = u16::try_from(luck.between((2, total))).unwrap();
        // Registering takes two ways there and back.
        let online = connect_at[members[0]] + 5 * weather.latency.1 + 50;
        SessionPlan {
            id: session(&format!("s{number}")),
            members,
            threshold,
            at: online + luck.below(5_000),
        }
    };
    (1..=count).map(|number| plan(number, luck)).collect()
}

fn mishaps(luck: &mut Luck, class: Class, n: u64) -> Vec<(u64, Mishap)> {
    let count = match class {
        Class::Calm => 0,
        Class::Rough => luck.below(3),
        Class::Storm => luck.between((1, 4)),
    };
    let early = luck.percent(50);
    let mishap = |luck: &mut Luck| match (class, luck.below(100)) {
        (_, 0..35) => Mishap::Cut,
        (_, 35..55) => Mishap::Stall(luck.between((200, 15_000))),
        (Class::Rough, _) | (_, 55..65) => Mishap::ServerConnection { silent: luck.percent(30) },
        (_, 65..75) => {
            Mishap::ServerAway(if luck.percent(70) { luck.below(20_000) } else { u64::MAX })
        }
        (_, 75..90) => Mishap::Crash,
        _ => Mishap::Cancel,
    };
    // Counted in happenings, so that each phase gets its share, however short it is.
    let range = if early { 30 * n } else { 40 * n * n };
    (0..count).map(|_| (luck.between((1, range)), mishap(luck))).collect()
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {} {:?}: {:?}", self.seed, self.class, self.names)?;
        for s in &self.sessions {
            writeln!(f, "  {} of {:?} k={} at {} ms", s.id, s.members, s.threshold, s.at)?;
        }
        writeln!(f, "  connect at {:?}, answers {:?}", self.connect_at, self.answers)?;
        writeln!(f, "  {:?}", self.weather)?;
        write!(
            f,
            "  mishaps {:?}, baseline server: {}, {:?}, {:?}, {:?}, strangers: {:?}",
            self.mishaps,
            self.baseline_server,
            self.suite,
            self.trust,
            self.carrier,
            self.strangers
        )
    }
}
