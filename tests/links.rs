//! Links, identities, invites and certificates against those who would break them: one test a
//! threat, each named after it. Whole nodes on a simulated network; the signaling server and the
//! liars are written here.
#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;
#[path = "links/invites.rs"]
mod invites;
#[path = "links/liars.rs"]
mod liars;
#[path = "links/middle.rs"]
mod middle;
#[path = "links/noise.rs"]
mod noise;

use common::weather::{Answer, Weather};
use common::world::World;
use common::{peer, session};
use frostmesh::identity::Contacts;
use frostmesh::node::{CarrierChoice, Command, DIRECT, Event, PhaseName, RELAY, Reason};

/// A calm world without baseline peers.
fn world(carrier: CarrierChoice) -> World {
    let mut world = World::new(7, Weather::CALM);
    world.plain = false;
    world.carrier = carrier;
    world.record = Some(Vec::new());
    world
}

/// Seats, all of them online, who take strangers at their word.
fn seats(world: &mut World, names: &[(&str, u64)]) {
    for (name, seed) in names {
        let seat = world.add(name, *seed);
        world.connect_at(seat, 0);
    }
    world.run_for(100);
}

/// Seats that compare words with strangers.
fn careful_seat(world: &mut World, name: &str, seed: u64, contacts: Contacts) -> usize {
    let seat = world.add_who(name, seed, false, contacts);
    world.connect_at(seat, 0);
    world.run_for(100);
    seat
}

fn propose(world: &mut World, seat: usize, names: &[&str], threshold: u16) {
    let participants = names.iter().map(|name| peer(name)).collect();
    let command = Command::Propose {
        suite: frostmesh::frost::Suite::default(),
        session_id: session("s"),
        participants,
        threshold,
        allow_unverified: false,
    };
    world.command(seat, command).unwrap();
}

/// Runs until nobody has anything to do.
fn settle(world: &mut World) {
    for _ in 0..2_000 {
        if !world.is_busy() {
            return;
        }
        world.run_for(1_000);
    }
    panic!("somebody hangs");
}

fn reason(world: &World, seat: usize) -> Reason {
    world
        .view(seat, &session("s"))
        .unwrap()
        .reason
        .unwrap_or_else(|| panic!("{} is fine", world.seats[seat].id))
}

fn is_done(world: &World, seat: usize) -> bool {
    world.phase(seat, &session("s")) == Some(PhaseName::Done)
}

/// No share left this node: it did not get as far as the second round.
fn no_share_left(world: &World, seat: usize) {
    let began =
        world.seats[seat].events.iter().any(|(_, e)| matches!(e, Event::Round { round: 2, .. }));
    // Round 2 begins with `ready`; shares follow when everyone's `ready` is there, and then the
    // phase is over for good.
    let phase = world.phase(seat, &session("s"));
    assert!(
        !began || phase == Some(PhaseName::Aborted),
        "{} is in {phase:?}",
        world.seats[seat].id
    );
    assert!(world.seats[seat].kept.is_empty(), "{} has a key", world.seats[seat].id);
}

/// The words that a node shows.
fn words(world: &World, seat: usize) -> [u16; 4] {
    world.view(seat, &session("s")).unwrap().words.expect("no words are shown")
}

#[test]
fn honest_nodes_make_a_certified_wallet_over_every_carrier() {
    for carrier in [CarrierChoice::Auto, CarrierChoice::Only(DIRECT), CarrierChoice::Only(RELAY)] {
        let mut world = world(carrier);
        seats(&mut world, &[("alice", 1), ("bob", 2), ("carol", 3)]);
        propose(&mut world, 0, &["alice", "bob", "carol"], 2);
        settle(&mut world);
        for seat in 0..3 {
            assert!(is_done(&world, seat), "{carrier:?}: {:?}", reason(&world, seat));
            let certificate = &world.seats[seat].certificates[&session("s")];
            certificate.verify().unwrap();
            assert_eq!(
                certificate,
                &world.seats[0].certificates[&session("s")],
                "all keep the same one"
            );
            assert_eq!(world.seats[seat].contacts.iter().count(), 2);
        }
    }
}

#[test]
fn a_certificate_that_was_changed_anywhere_proves_nothing() {
    let mut world = world(CarrierChoice::Auto);
    seats(&mut world, &[("alice", 1), ("bob", 2), ("carol", 3)]);
    propose(&mut world, 0, &["alice", "bob", "carol"], 2);
    settle(&mut world);
    let good = world.seats[0].certificates[&session("s")].clone();
    let text = serde_json::to_value(&good).unwrap();
    let changes: [fn(&mut serde_json::Value); 8] = [
        |v| v["agreement"]["threshold"] = 3.into(),
        |v| v["agreement"]["session_id"] = "t".into(),
        |v| v["agreement"]["name"] = "another".into(),
        |v| v["agreement"]["members"][0]["peer_id"] = "al".into(),
        |v| v["agreement"]["members"].as_array_mut().unwrap().swap(0, 1),
        |v| v["packages"].as_array_mut().unwrap().swap(0, 1),
        |v| v["signatures"].as_array_mut().unwrap().swap(0, 1),
        |v| drop(v["signatures"].as_array_mut().unwrap().pop()),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut changed = text.clone();
        change(&mut changed);
        assert_ne!(changed, text, "change {number} changes nothing");
        let certificate: frostmesh::agreement::Certificate =
            serde_json::from_value(changed).unwrap();
        assert!(certificate.verify().is_err(), "change {number} was not noticed");
    }
    let mut other_key = good;
    let other_half = if other_key.pubkey.starts_with("03") { "02" } else { "03" };
    other_key.pubkey.replace_range(..2, other_half);
    assert!(other_key.verify().is_err());
}

#[test]
fn the_relay_sees_no_plaintext() {
    let mut world = world(CarrierChoice::Only(RELAY));
    seats(&mut world, &[("alice", 1), ("bob", 2), ("carol", 3)]);
    propose(&mut world, 0, &["alice", "bob", "carol"], 2);
    settle(&mut world);
    assert!((0..3).all(|seat| is_done(&world, seat)));
    assert!(world.server.seen.len() > 50, "all of it went over the relay");
    let open = ["session_proposal", "session_response", "link", "frame", "ack"];
    for text in &world.server.seen {
        let message: serde_json::Value = serde_json::from_str(text).unwrap();
        let kind = message["type"].as_str().unwrap();
        assert!(open.contains(&kind), "'{kind}' went over the relay in the open");
        for word in ["commitment", "share", "wallet_created", "pubkey", "agreement", "signature"] {
            assert!(!text.contains(&format!("\"{word}\"")), "{word} is readable: {text}");
        }
        for seat in &world.seats {
            let record = &seat.kept[&session("s")];
            let secret = hex::encode(&record.key_package[..]);
            assert!(!text.contains(&secret[10..74]), "a signing share went over the relay");
            assert!(!text.contains(&record.info.pubkey), "the group key went over the relay");
        }
    }
}

#[test]
fn whoever_declines_is_told_of_by_name() {
    let mut world = world(CarrierChoice::Auto);
    seats(&mut world, &[("alice", 1), ("bob", 2), ("carol", 3)]);
    world.seats[2].answer = Answer::Decline(50);
    propose(&mut world, 0, &["alice", "bob", "carol"], 2);
    settle(&mut world);
    for seat in 0..2 {
        assert_eq!(reason(&world, seat).peer_id, Some(peer("carol")));
    }
}
