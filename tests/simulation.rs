//! The whole node on a seeded network that delays, reorders, repeats, loses and cuts, with people
//! who come late, decline and leave, nodes that crash, and servers that go away. Virtual time; no
//! sockets; thousands of seeds.
//!
//! At the end of every seed either all agree on one key, or all who are alive have ended with the
//! same kind of reason; nobody hangs, and there are never two keys. `simulation/verdict.rs` says it
//! exactly.
//!
//! `FROSTMESH_FIRST_SEED` and `FROSTMESH_SEEDS` choose the seeds, `FROSTMESH_TRACE=1` prints
//! everything that happens, and `FROSTMESH_SHOW="Rough Unreachable"` prints the plans of the seeds
//! in that line of the table.
#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;
#[path = "simulation/cuts.rs"]
mod cuts;
#[path = "simulation/plan.rs"]
mod plan;
#[path = "simulation/stranger.rs"]
mod stranger;
#[path = "simulation/verdict.rs"]
mod verdict;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use plan::{Class, Plan};
use verdict::Outcome;

/// Longer than all deadlines of one session one after another.
const END_OF_TIME: u64 = 40 * 60_000;

/// Lives through one seed.
fn live(plan: &Plan, trace: bool) -> (Result<Vec<Outcome>, String>, Vec<String>) {
    let mut world = plan.world();
    world.trace = trace.then(Vec::new);
    world.run_until(plan.last);
    while world.is_busy() && world.now < END_OF_TIME {
        world.run_for(1_000);
    }
    world.run_for(30_000); // for what lingers
    let outcomes = plan.sessions.iter().map(|session| verdict::of_session(plan, session, &world));
    let outcomes: Result<Vec<Outcome>, String> = outcomes.collect();
    (
        outcomes.and_then(|outcomes| leftovers(&world).map(|()| outcomes)),
        world.trace.unwrap_or_default(),
    )
}

/// Connections are freed, and the clock is asked for seldom.
fn leftovers(world: &common::world::World) -> Result<(), String> {
    if world.open_halves() > 0 {
        return Err(format!("{} connections were never closed", world.open_halves()));
    }
    for seat in &world.seats {
        let often = 200 + world.now / 250;
        if seat.ticks > often {
            return Err(format!("{} woke up {} times in {} ms", seat.id, seat.ticks, world.now));
        }
    }
    Ok(())
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).min(8)
}

#[test]
fn every_seed_ends_in_one_key_or_in_one_kind_of_reason() {
    let first = number("FROSTMESH_FIRST_SEED", 1);
    let seeds = number("FROSTMESH_SEEDS", 1_000);
    let started = Instant::now();
    let next = AtomicU64::new(first);
    let table: Mutex<BTreeMap<(Class, Outcome), u64>> = Mutex::default();
    let failed: Mutex<BTreeMap<u64, String>> = Mutex::default();
    let show = std::env::var("FROSTMESH_SHOW").ok();
    let worker = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + seeds || failed.lock().unwrap().len() >= 10 {
                break;
            }
            let plan = Plan::new(seed);
            match catch_unwind(AssertUnwindSafe(|| live(&plan, false).0)) {
                Ok(Ok(outcomes)) => {
                    for outcome in outcomes {
                        if show.as_deref() == Some(&format!("{:?} {outcome:?}", plan.class)) {
                            println!("{plan}");
                        }
                        *table.lock().unwrap().entry((plan.class, outcome)).or_default() += 1;
                    }
                }
                Ok(Err(why)) => drop(failed.lock().unwrap().insert(seed, format!("{why}\n{plan}"))),
                Err(_) => drop(failed.lock().unwrap().insert(seed, format!("panicked\n{plan}"))),
            }
        }
    };
    std::thread::scope(|scope| (0..threads()).for_each(|_| drop(scope.spawn(worker))));

    let table = table.into_inner().unwrap();
    println!("{seeds} seeds from {first} in {:.1} s", started.elapsed().as_secs_f32());
    for ((class, outcome), count) in &table {
        println!("{count:>8} {class:?} {outcome:?}");
    }
    let failed = failed.into_inner().unwrap();
    for (seed, why) in &failed {
        println!("\nseed {seed}: {why}");
        println!(
            "  replay: FROSTMESH_TRACE=1 FROSTMESH_FIRST_SEED={seed} FROSTMESH_SEEDS=1 \
             cargo test --test simulation every_seed -- --nocapture"
        );
    }
    assert!(
        failed.is_empty(),
        "{} seeds failed, the first of them {:?}",
        failed.len(),
        failed.keys().next()
    );

    // Nothing passes vacuously.
    let of = |class: Class| {
        table.iter().filter(move |((c, _), _)| *c == class).map(|((_, outcome), n)| (*outcome, *n))
    };
    let all = |class: Class| of(class).map(|(_, n)| n).sum::<u64>();
    let done = |class: Class| {
        of(class).filter(|(outcome, _)| *outcome == Outcome::Done).map(|(_, n)| n).sum::<u64>()
    };
    assert_eq!(done(Class::Calm), all(Class::Calm), "a calm network makes every key");
    if seeds >= 200 {
        assert!(done(Class::Rough) * 100 >= all(Class::Rough) * 90, "losses are made good");
        assert!(
            done(Class::Storm) * 100 >= all(Class::Storm) * 25,
            "many keys are made in a storm, too"
        );
        assert!(done(Class::Storm) * 100 <= all(Class::Storm) * 80, "a storm is one");
    }
}

#[test]
fn a_carrier_that_breaks_at_any_step_of_a_ceremony_loses_nothing() {
    let (first, seeds) = (number("FROSTMESH_FIRST_SEED", 1), number("FROSTMESH_SEEDS", 1_000));
    let many = (seeds / 2_000).max(2);
    let plans: Vec<(u64, usize)> =
        (0..many).map(|n| (first + n * 2_000, 2 + usize::try_from(n % 4).unwrap())).collect();
    let (cut, done) = cuts::at_every_step(&plans);
    println!("{done} of {cut} ceremonies with a cut made their key");
    assert!(cut > 300 && done * 10 > cut * 9, "{done} of {cut}");
}

#[test]
fn one_seed_makes_one_history() {
    for seed in [3, 14, 159, 2_653] {
        let plan = Plan::new(seed);
        let (first, second) = (live(&plan, true), live(&plan, true));
        assert!(first.1.len() > 50);
        assert_eq!(first, second, "seed {seed}");
    }
}

/// A session of 64 nodes on a calm network; returns how long it took one after another on this
/// machine.
fn sixty_four(threshold: u16) -> std::time::Duration {
    let mut world = common::world::World::new(1, common::weather::Weather::CALM);
    let names: Vec<String> = (0..64).map(|n| format!("node-{n}")).collect();
    for (n, name) in (0..).zip(&names) {
        let seat = world.add(name, n);
        world.connect_at(seat, 0);
    }
    world.run_for(100);
    let started = Instant::now();
    let session_id = common::session("large");
    let participants = names.iter().map(|name| common::peer(name)).collect();
    let command = frostmesh::node::Command::Propose {
        suite: frostmesh::frost::Suite::default(),
        session_id: session_id.clone(),
        participants,
        threshold,
        allow_unverified: true,
    };
    world.command(0, command).unwrap();
    assert!(
        world.run_until_true(
            |w| (0..64).all(|seat| w.seats[seat].confirmed.contains_key(&session_id))
        )
    );
    let took = started.elapsed();
    let records: Vec<_> =
        (0..usize::from(threshold)).map(|n| &world.seats[n].kept[&session_id]).collect();
    common::keys::sign_with(&records, 1);
    took
}

#[test]
fn sixty_four_nodes_make_a_key() {
    sixty_four(2);
}

#[test]
#[ignore = "measures; takes a while"]
fn sixty_four_nodes_make_keys_of_high_thresholds() {
    for threshold in [2, 33, 64] {
        let took = sixty_four(threshold);
        println!(
            "{threshold} of 64: {:.2} s for all, {:.0} ms a node",
            took.as_secs_f32(),
            took.as_millis() as f64 / 64.0
        );
    }
}
