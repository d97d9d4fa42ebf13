//! What is lost is made good: channels that break and come back, servers that fall silent, words
//! that nobody heard.
//!
//! The simulation does all this by chance; here each case stands by itself, and has to end in a
//! key.
#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use common::weather::{Answer, Weather};
use common::world::World;
use common::{peer, session};
use frostmesh::node::{Command, PhaseName, ReasonKind};
use frostmesh::wire::SessionId;

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

/// A phase as Alice sees it, and the message that Carol keeps to herself to hold her there.
const STEPS: [(PhaseName, &str); 5] = [
    (PhaseName::Meshing, "mesh_ready"),
    (PhaseName::Round1, "commitment"),
    (PhaseName::Round2, "ready"),
    (PhaseName::Round2, "share"),
    (PhaseName::Confirming, "wallet_created"),
];

/// Alice, Bob and Carol, online.
fn three(weather: Weather) -> World {
    let mut world = World::new(3, weather);
    world.record = Some(Vec::new());
    for (n, name) in ["alice", "bob", "carol"].into_iter().enumerate() {
        let seat = world.add(name, n as u64);
        world.connect_at(seat, 0);
    }
    world.run_for(100);
    world
}

fn s() -> SessionId {
    session("s")
}

fn propose(world: &mut World) {
    let participants = ["alice", "bob", "carol"].map(peer).to_vec();
    let command = Command::Propose {
        suite: frostmesh::frost::Suite::default(),
        session_id: s(),
        participants,
        threshold: 2,
        allow_unverified: true,
    };
    world.command(ALICE, command).unwrap();
}

fn all_done(world: &mut World) {
    assert!(world.run_until_true(|w| !w.is_busy()), "somebody hangs");
    for seat in [ALICE, BOB, CAROL] {
        let view = world.view(seat, &s()).unwrap();
        assert_eq!(view.phase, PhaseName::Done, "{:?}", view.reason);
    }
}

/// The session with Alice in that phase, since Carol does not send that message.
fn held_in(phase: PhaseName, withheld: &'static str) -> World {
    let mut world = three(Weather::CALM);
    world.seats[CAROL].tamper = Some(Box::new(move |_, text| {
        if text.contains(&format!("\"{withheld}\"")) { Vec::new() } else { vec![text] }
    }));
    propose(&mut world);
    assert!(world.run_until_true(|w| w.phase(ALICE, &s()) == Some(phase)));
    world.run_for(500);
    assert_eq!(world.phase(ALICE, &s()), Some(phase));
    world
}

#[test]
fn a_channel_that_breaks_in_any_phase_is_opened_again() {
    for (phase, withheld) in STEPS {
        let mut world = held_in(phase, withheld);
        world.cut_off(CAROL);
        world.run_for(3_000);
        world.seats[CAROL].tamper = None;
        all_done(&mut world);
    }
}

#[test]
fn a_message_that_is_lost_on_an_open_channel_is_said_again() {
    for (phase, withheld) in STEPS {
        let mut world = held_in(phase, withheld);
        world.seats[CAROL].tamper = None;
        all_done(&mut world);
    }
}

#[test]
fn first_messages_that_came_before_the_channel_was_open_are_said_again() {
    let mut world = three(Weather { early_lost: true, open_skew: (0, 400), ..Weather::CALM });
    propose(&mut world);
    all_done(&mut world);
    assert!(world.struck.contains("early_lost"));
}

#[test]
fn a_server_is_not_missed_once_the_mesh_stands() {
    for (phase, withheld) in STEPS {
        let mut world = held_in(phase, withheld);
        world.server_away(u64::MAX);
        world.run_for(5_000);
        world.seats[CAROL].tamper = None;
        all_done(&mut world);
    }
}

#[test]
fn a_server_that_comes_back_in_time_is_used_again() {
    let mut world = three(Weather::CALM);
    world.seats[CAROL].answer = Answer::Accept(15_000);
    propose(&mut world);
    world.run_for(2_000);
    world.server_away(6_000);
    all_done(&mut world);
}

#[test]
fn a_server_connection_that_died_without_a_word_is_found_out() {
    let mut world = three(Weather::CALM);
    for socket in world.server.sockets() {
        world.break_socket(socket, true);
    }
    world.run_for(60_000);
    propose(&mut world);
    all_done(&mut world);
}

#[test]
fn a_server_that_is_away_is_tried_again_but_not_all_the_time() {
    let mut world = three(Weather::CALM);
    world.server_away(100_000);
    let before = world.seats[BOB].ticks;
    world.run_for(100_000);
    assert!(world.seats[BOB].ticks - before < 40, "{} times", world.seats[BOB].ticks - before);
    world.run_for(20_000);
    propose(&mut world);
    all_done(&mut world);
}

#[test]
fn a_no_that_nobody_heard_is_said_again_when_somebody_asks() {
    let mut world = three(Weather::CALM);
    world.seats[CAROL].answer = Answer::Decline(100);
    let mut lost = 0;
    world.seats[CAROL].tamper_relay = Some(Box::new(move |_, text| {
        let lose = text.contains("session_response") && lost < 3;
        lost += u32::from(lose);
        if lose { Vec::new() } else { vec![text] }
    }));
    propose(&mut world);
    assert!(world.run_until_true(|w| !w.is_busy()), "somebody hangs");
    for seat in [ALICE, BOB] {
        let reason = world.view(seat, &s()).unwrap().reason.unwrap();
        assert_eq!((reason.kind, reason.peer_id), (ReasonKind::Declined, Some(peer("carol"))));
    }
}

#[test]
fn an_undecided_person_is_waited_for_though_the_channel_is_there_for_another_session() {
    // Bob makes another key with Alice and Carol, and closes its channels, while he still thinks
    // about this one.
    let mut world = three(Weather::CALM);
    world.seats[BOB].answer = Answer::Accept(100_000);
    propose(&mut world);
    world.run_for(1_000);
    world.seats[BOB].answer = Answer::Accept(0);
    let participants = ["alice", "bob", "carol"].map(peer).to_vec();
    let other = session("other");
    let command = Command::Propose {
        suite: frostmesh::frost::Suite::default(),
        session_id: other.clone(),
        participants,
        threshold: 3,
        allow_unverified: true,
    };
    world.command(CAROL, command).unwrap();
    world.run_for(30_000);
    for seat in [ALICE, BOB, CAROL] {
        assert_eq!(world.phase(seat, &other), Some(PhaseName::Done));
    }
    assert_eq!(world.view(ALICE, &s()).unwrap().waiting_for, [peer("bob")]);
    all_done(&mut world);
}

#[test]
fn one_session_after_another_uses_fresh_connections_and_no_stale_offers() {
    let mut world = three(Weather::CALM);
    for n in 0..5 {
        let session_id = session(&format!("round-{n}"));
        let participants = ["alice", "bob", "carol"].map(peer).to_vec();
        let command = Command::Propose {
            suite: frostmesh::frost::Suite::default(),
            session_id: session_id.clone(),
            participants,
            threshold: 2,
            allow_unverified: true,
        };
        world.command(n % 3, command).unwrap();
        let started = world.now;
        assert!(world.run_until_true(|w| {
            (0..3).all(|seat| w.phase(seat, &session_id) == Some(PhaseName::Done))
        }));
        assert!(world.now - started < 1_000, "{} ms", world.now - started);
        world.run_for([0, 500, 5_000, 11_000, 20_000][n]);
    }
}

#[test]
fn shares_leave_over_the_channel_of_their_recipient_only_and_not_before_all_commitments_are_in() {
    let mut world = held_in(PhaseName::Round1, "commitment");
    let shares = |world: &World| -> Vec<_> {
        world
            .record
            .as_ref()
            .unwrap()
            .iter()
            .filter(|s| s.text.contains("\"share\""))
            .cloned()
            .collect()
    };
    assert!(shares(&world).is_empty());
    world.seats[CAROL].tamper = None;
    all_done(&mut world);
    let shares = shares(&world);
    assert!(shares.iter().all(|s| s.to.is_some()), "never by way of the server");
    for one in &shares {
        let others = shares.iter().filter(|other| (other.from, &other.to) != (one.from, &one.to));
        assert!(others.clone().count() >= 5);
        assert!(others.into_iter().all(|other| other.text != one.text), "a share went to two");
    }
}
