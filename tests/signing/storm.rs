//! The simulation: for each seed a group, requests, votes that change, weather, crashes and
//! restarts. In the end the weather is fine and everyone is there: then what has its approvals is
//! signed, everywhere the same.

use frostmesh::frost::Suite;
use frostmesh::node::{Command, RequestState};

use crate::common::luck::Luck;
use crate::common::weather::{Mishap, Weather};
use crate::common::world::Happening;
use crate::group::{Group, hashes, operation};

/// How long it storms, and how long everyone has afterwards, in milliseconds.
const STORM: u64 = 60_000;
const CALM: u64 = 420_000;

fn weather(luck: &mut Luck) -> Weather {
    Weather {
        latency: (1, *luck.pick(&[5, 50, 300])),
        relay_repeat: *luck.pick(&[0, 10]),
        relay_drop: *luck.pick(&[0, 0, 5, 20]),
        relay_shuffle: luck.percent(50),
        channel_repeat: 0,
        early_lost: false,
        dead_attempt: *luck.pick(&[0, 20]),
        open_skew: (0, 50),
        store: (0, *luck.pick(&[1, 20, 200])),
        notice: (10, 3_000),
    }
}

/// Plays one seed. Returns how many requests were signed, and how often nodes crashed.
pub fn play(seed: u64) -> (usize, usize) {
    let luck = &mut Luck::new(seed ^ 0x51C4);
    let n = u16::try_from(luck.between((2, 5))).unwrap();
    let threshold = u16::try_from(luck.between((2, n.into()))).unwrap();
    let suite = if luck.percent(30) { Suite::all().last().unwrap() } else { Suite::default() };
    let mut group = Group::new(n, threshold, seed, suite);
    let seats = usize::from(n);
    let start = group.world.now;
    group.world.weather = weather(luck);
    group.world.crash_between = *luck.pick(&[0, 0, 2]);
    let end = start + STORM;
    let mut crashes = 0;
    for _ in 0..luck.below(6) {
        let (seat, at) = (luck.index(seats), start + luck.below(STORM));
        crashes += 1;
        group.world.at(at, Happening::Crash(seat));
        group.world.at(at + luck.below(20_000), Happening::Revive(seat));
    }
    for _ in 0..luck.below(4) {
        let mishap = match luck.below(4) {
            0 => Mishap::Cut,
            1 => Mishap::Stall(luck.below(10_000)),
            2 => Mishap::ServerConnection { silent: luck.percent(30) },
            _ => Mishap::ServerAway(luck.below(15_000)),
        };
        group.world.mishap_at(start + luck.below(STORM), mishap);
    }
    for number in 0..luck.between((1, 4)) {
        let several = luck.percent(30);
        let command = Command::Request {
            pubkey: group.pubkey.clone(),
            operation: if several {
                hashes(luck.index(9) + 2)
            } else {
                operation(&format!("request {number}"))
            },
            lifetime: 24 * 3_600,
        };
        group.world.command_at(luck.index(seats), start + luck.below(STORM / 2), command);
    }
    // People look at what is there now and then, and say yes, no, or something else than before.
    while group.world.now < end {
        group.world.run_for(1 + luck.below(4_000));
        let seat = luck.index(seats);
        decide(&mut group, luck, seat);
    }
    group.world.weather = Weather::CALM;
    group.world.crash_between = 0;
    for seat in 0..seats {
        group.world.revive(seat);
    }
    group.world.run_for(CALM);
    (judge(&group, seed), crashes)
}

fn decide(group: &mut Group, luck: &mut Luck, seat: usize) {
    if !group.world.is_alive(seat) {
        return;
    }
    let Some(view) = group.world.seats[seat].node().unwrap().view().groups.into_iter().next()
    else {
        return;
    };
    for request in view.requests {
        if luck.percent(60) {
            let approves = luck.percent(80);
            let command = Command::vote(request.id, approves);
            let _ = group.world.command(seat, command); // signed in the meantime, perhaps
        }
    }
}

fn judge(group: &Group, seed: u64) -> usize {
    group.check_trails();
    let first = group.requests(0);
    let mut signed = 0;
    for seat in 0..group.world.seats.len() {
        let here = group.requests(seat);
        assert_eq!(here.len(), first.len(), "seed {seed}: seat {seat} knows other requests");
        for request in &here {
            let same = first.iter().find(|other| other.id == request.id).unwrap();
            assert_eq!(
                request.state, same.state,
                "seed {seed}: seat {seat}, request {}",
                request.id
            );
            assert_eq!(
                request.approved, same.approved,
                "seed {seed}: seat {seat}, request {}",
                request.id
            );
            assert_ne!(
                request.state,
                RequestState::Approved,
                "seed {seed}: seat {seat}: everyone is there and enough approve, and {} is not signed",
                request.id
            );
            signed += usize::from(request.state == RequestState::Signed);
        }
    }
    signed / group.world.seats.len()
}

fn seeds() -> std::ops::Range<u64> {
    let first =
        std::env::var("FROSTMESH_FIRST_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(0);
    let count: u64 =
        std::env::var("FROSTMESH_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000);
    match std::env::var("FROSTMESH_SEED").ok().and_then(|n| n.parse().ok()) {
        Some(seed) => seed..seed + 1,
        None => first..first + count,
    }
}

#[test]
fn in_any_weather_what_has_its_approvals_is_signed_once_it_clears() {
    let seeds: Vec<u64> = seeds().collect();
    let halves = seeds.chunks(seeds.len().div_ceil(2));
    let (signed, crashes) = std::thread::scope(|scope| {
        let threads: Vec<_> = halves
            .map(|half| {
                scope.spawn(|| {
                    half.iter().fold((0, 0), |(signed, crashes), seed| {
                        let (s, c) = play(*seed);
                        (signed + s, crashes + c)
                    })
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
    });
    println!("{} seeds: {signed} requests signed, {crashes} crashes", seeds.len());
    assert!(signed > seeds.len() / 2 || seeds.len() < 20);
}
