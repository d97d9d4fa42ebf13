//! Whoever runs the signaling server sits in the middle, and may do with what it relays what it
//! likes.

use frostmesh::identity::Contacts;
use frostmesh::node::{CarrierChoice, Command, RELAY, ReasonKind};
use serde_json::{Value, json};

use super::common::server::Relayed;
use super::common::world::World;
use super::common::{peer, session};
use super::{careful_seat, is_done, no_share_left, propose, reason, seats, settle, words, world};

const NAMES: [&str; 3] = ["alice", "bob", "carol"];

fn three(carrier: CarrierChoice) -> World {
    let mut world = world(carrier);
    seats(&mut world, &[("alice", 1), ("bob", 2), ("carol", 3)]);
    world
}

/// Lets an evil server do that to everything it relays, and proposes.
fn under(
    carrier: CarrierChoice,
    evil: impl FnMut(Relayed) -> Vec<Relayed> + Send + 'static,
) -> World {
    let mut world = three(carrier);
    world.server.evil = Some(Box::new(evil));
    propose(&mut world, 0, &NAMES, 2);
    settle(&mut world);
    world
}

fn kind(data: &Value) -> &str {
    data["type"].as_str().unwrap_or_default()
}

/// Nobody has a key, and everyone who takes part ended with one of these reasons.
fn all_refused(world: &World, kinds: &[ReasonKind]) {
    for (seat, name) in NAMES.iter().enumerate() {
        no_share_left(world, seat);
        if world.view(seat, &session("s")).is_some() {
            let reason = reason(world, seat);
            assert!(kinds.contains(&reason.kind), "{name}: {reason:?}");
        }
    }
}

#[test]
fn a_middleman_with_nodes_of_its_own_makes_the_words_differ() {
    // To Alice the middleman is Bob, to Bob it is Alice: two sessions under one name, each with a
    // node of its own.
    let (mut left, mut right) = (world(CarrierChoice::Auto), world(CarrierChoice::Auto));
    careful_seat(&mut left, "alice", 1, Contacts::default());
    seats(&mut left, &[("bob", 66)]);
    seats(&mut right, &[("alice", 67)]);
    careful_seat(&mut right, "bob", 2, Contacts::default());
    for world in [&mut left, &mut right] {
        propose(world, 0, &["alice", "bob"], 2);
        world.run_for(5_000);
    }
    let (alice, bob) = (words(&left, 0), words(&right, 1));
    assert_ne!(alice, bob, "the victims see the same words");
    for (world, seat) in [(&mut left, 0), (&mut right, 1)] {
        no_share_left(world, seat);
        let command = Command::ConfirmWords { session_id: session("s"), they_match: false };
        world.command(seat, command).unwrap();
        settle(world);
        assert_eq!(reason(world, seat).kind, ReasonKind::Disagreement);
        no_share_left(world, seat);
    }
}

#[test]
fn without_a_middleman_the_words_are_the_same_and_nothing_leaves_before_they_are_confirmed() {
    let mut world = world(CarrierChoice::Auto);
    for (name, seed) in [("alice", 1), ("bob", 2), ("carol", 3)] {
        careful_seat(&mut world, name, seed, Contacts::default());
    }
    propose(&mut world, 0, &NAMES, 2);
    world.run_for(5_000);
    let shown = words(&world, 0);
    assert!((1..3).all(|seat| words(&world, seat) == shown));
    let confirm = || Command::ConfirmWords { session_id: session("s"), they_match: true };
    world.command(0, confirm()).unwrap();
    world.command(1, confirm()).unwrap();
    // Carol takes her time; that is no reason to give up.
    world.run_for(200_000);
    (0..3).for_each(|seat| {
        assert!(world.seats[seat].kept.is_empty(), "a share left before Carol agreed")
    });
    world.command(2, confirm()).unwrap();
    settle(&mut world);
    for seat in 0..3 {
        assert!(is_done(&world, seat), "{:?}", reason(&world, seat));
        assert!(world.seats[seat].kept[&session("s")].info.verified);
        assert!(world.seats[seat].contacts.iter().all(|contact| contact.verified));
    }
}

#[test]
fn contacts_that_were_verified_need_no_words_again() {
    let mut contacts = Contacts::default();
    contacts.met(&peer("bob"), World::identity_of(2).identity(), true, 1);
    let mut world = world(CarrierChoice::Auto);
    let alice = careful_seat(&mut world, "alice", 1, contacts);
    seats(&mut world, &[("bob", 2)]);
    propose(&mut world, alice, &["alice", "bob"], 2);
    settle(&mut world);
    assert!(is_done(&world, alice));
    assert!(world.seats[alice].kept[&session("s")].info.verified);
    assert!(
        !world.seats[1].kept[&session("s")].info.verified,
        "Bob took Alice at her word, and his wallet says so"
    );
}

#[test]
fn a_middleman_is_shut_out_by_a_pinned_contact() {
    let mut contacts = Contacts::default();
    let (real, fake) = (World::identity_of(2).identity(), World::identity_of(66).identity());
    contacts.met(&peer("bob"), real, true, 1);
    let mut world = world(CarrierChoice::Auto);
    let alice = careful_seat(&mut world, "alice", 1, contacts);
    seats(&mut world, &[("bob", 66)]);
    propose(&mut world, alice, &["alice", "bob"], 2);
    settle(&mut world);
    let reason = reason(&world, alice);
    assert_eq!((reason.kind, reason.peer_id), (ReasonKind::IdentityChanged, Some(peer("bob"))));
    for identity in [real, fake] {
        let fingerprint = identity.fingerprint().to_string();
        assert!(reason.text.contains(&fingerprint), "{} does not show {fingerprint}", reason.text);
    }
    no_share_left(&world, alice);
    no_share_left(&world, 1);
}

#[test]
fn a_blocked_contact_is_not_answered() {
    let mut contacts = Contacts::default();
    contacts.met(&peer("bob"), World::identity_of(2).identity(), true, 1);
    contacts.block("bob", true).unwrap();
    let mut world = world(CarrierChoice::Auto);
    let alice = careful_seat(&mut world, "alice", 1, contacts);
    seats(&mut world, &[("bob", 2)]);
    let before = world.record.as_ref().unwrap().iter().filter(|sent| sent.from == alice).count();
    propose(&mut world, 1, &["alice", "bob"], 2);
    world.run_for(20_000);
    assert!(world.view(alice, &session("s")).is_none());
    let sent = world
        .record
        .as_ref()
        .unwrap()
        .iter()
        .filter(|sent| sent.from == alice && sent.text.contains("relay"));
    assert_eq!(sent.count(), 0, "Alice answered ({before} frames before)");
}

#[test]
fn handshakes_that_are_changed_on_the_way_end_the_session() {
    for step in [1, 2, 3] {
        let world = under(CarrierChoice::Auto, move |(from, to, mut data)| {
            if kind(&data) == "link"
                && data["payload"]["data"].as_str().unwrap().starts_with(&format!("0{step}"))
            {
                let text = data["payload"]["data"].as_str().unwrap();
                let last = if text.ends_with('0') { "1" } else { "0" };
                data["payload"]["data"] = json!(format!("{}{last}", &text[..text.len() - 1]));
            }
            vec![(from, to, data)]
        });
        all_refused(&world, &[ReasonKind::LinkFailed]);
    }
}

#[test]
fn swapped_names_end_the_session() {
    let world = under(CarrierChoice::Auto, |(from, to, data)| {
        let from = match from.as_str() {
            "bob" => peer("carol"),
            "carol" => peer("bob"),
            _ => from,
        };
        if from == to { Vec::new() } else { vec![(from, to, data)] }
    });
    all_refused(&world, &[ReasonKind::LinkFailed, ReasonKind::TimedOut]);
}

#[test]
fn different_thresholds_for_different_participants_end_the_session() {
    let world = under(CarrierChoice::Auto, |(from, to, mut data)| {
        if kind(&data) == "session_proposal" && to.as_str() == "carol" {
            data["payload"]["threshold"] = json!(3);
        }
        vec![(from, to, data)]
    });
    all_refused(&world, &[ReasonKind::Disagreement]);
}

#[test]
fn a_participant_that_was_added_for_some_ends_the_session() {
    let world = under(CarrierChoice::Auto, |(from, to, mut data)| {
        if kind(&data) == "session_proposal" && to.as_str() == "carol" {
            data["payload"]["total"] = json!(4);
            data["payload"]["participants"] = json!(["alice", "bob", "carol", "dave"]);
        }
        vec![(from, to, data)]
    });
    all_refused(&world, &[ReasonKind::Disagreement, ReasonKind::TimedOut]);
}

#[test]
fn a_participant_that_was_removed_for_some_ends_the_session() {
    let world = under(CarrierChoice::Auto, |(from, to, mut data)| {
        if kind(&data) == "session_proposal" && to.as_str() == "carol" {
            data["payload"]["total"] = json!(2);
            data["payload"]["participants"] = json!(["alice", "carol"]);
        }
        vec![(from, to, data)]
    });
    all_refused(&world, &[ReasonKind::Disagreement, ReasonKind::TimedOut]);
}

#[test]
fn announcements_that_are_stripped_do_not_make_anyone_baseline() {
    for only_responses in [false, true] {
        let world = under(CarrierChoice::Auto, move |(from, to, mut data)| {
            if kind(&data) == "session_response"
                || (kind(&data) == "session_proposal" && !only_responses)
            {
                data["payload"].as_object_mut().unwrap().remove("protocol");
            }
            vec![(from, to, data)]
        });
        all_refused(&world, &[ReasonKind::Declined, ReasonKind::Unverified]);
    }
}

#[test]
fn relays_that_are_repeated_replayed_and_reordered_change_nothing() {
    let mut old: Vec<Relayed> = Vec::new();
    let mut held: Option<Relayed> = None;
    let world = under(CarrierChoice::Only(RELAY), move |relayed| {
        old.push(relayed.clone());
        let replayed = old[old.len() / 2].clone();
        // Every second one waits for the next, and comes after it.
        match held.take() {
            Some(earlier) => vec![relayed.clone(), earlier, relayed, replayed],
            None if kind(&relayed.2) == "frame" && old.len().is_multiple_of(2) => {
                held = Some(relayed);
                vec![replayed]
            }
            None => vec![relayed],
        }
    });
    assert!((0..3).all(|seat| is_done(&world, seat)));
}

#[test]
fn relays_that_are_dropped_or_changed_now_and_then_are_said_again() {
    let mut count = 0;
    let world = under(CarrierChoice::Only(RELAY), move |(from, to, mut data)| {
        count += 1;
        if kind(&data) == "frame" && count % 5 == 0 {
            return Vec::new();
        }
        if kind(&data) == "frame" && count % 7 == 0 {
            data["payload"]["data"] = json!("00".repeat(40));
        }
        vec![(from, to, data)]
    });
    assert!((0..3).all(|seat| is_done(&world, seat)));
}

#[test]
fn what_was_relayed_in_an_earlier_session_is_worth_nothing_in_another() {
    let mut first = three(CarrierChoice::Only(RELAY));
    let tape = std::sync::Arc::new(std::sync::Mutex::new(Vec::<Relayed>::new()));
    let recorder = tape.clone();
    first.server.evil = Some(Box::new(move |relayed| {
        recorder.lock().unwrap().push(relayed.clone());
        vec![relayed]
    }));
    propose(&mut first, 0, &NAMES, 2);
    settle(&mut first);
    let tape = tape.lock().unwrap().clone();
    assert!(tape.len() > 50);
    // The same names, identities and session id, and every old frame before each new message.
    let mut next = 0;
    let mut world = world(CarrierChoice::Only(RELAY));
    world.later = true;
    seats(&mut world, &[("alice", 1), ("bob", 2), ("carol", 3)]);
    world.server.evil = Some(Box::new(move |relayed| {
        let old = tape.get(next).cloned().filter(|(_, _, data)| kind(data) == "frame");
        next += 1;
        old.into_iter().chain([relayed]).collect()
    }));
    propose(&mut world, 0, &NAMES, 2);
    settle(&mut world);
    assert!((0..3).all(|seat| is_done(&world, seat)));
    let key = |world: &World| world.seats[0].confirmed[&session("s")].clone();
    assert_ne!(key(&first), key(&world));
}

#[test]
fn a_server_that_swallows_everything_ends_the_session_for_all() {
    let world = under(CarrierChoice::Only(RELAY), |(from, to, data)| {
        if kind(&data) == "frame" { Vec::new() } else { vec![(from, to, data)] }
    });
    all_refused(&world, &[ReasonKind::TimedOut, ReasonKind::PeerLost, ReasonKind::Declined]);
}
