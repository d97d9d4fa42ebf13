//! A participant that lies inside its links. It is named, and nobody gets a key from it.

use frostmesh::agreement::{commitment_digest, package_hash, ready_digest};
use frostmesh::frost::Suite;
use frostmesh::identity::IdentityKey;
use frostmesh::node::{CarrierChoice, RELAY, ReasonKind};
use frostmesh::wire::{PeerId, Statement};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::{Value, json};

use super::common::tap::Tap;
use super::common::world::World;
use super::common::{peer, session};
use super::{is_done, no_share_left, propose, reason, seats, settle, world};

const LIAR: u64 = 9;

fn key() -> IdentityKey {
    World::identity_of(LIAR)
}

/// Alice, Bob and Mallory make a key, and Mallory says that instead of the truth.
fn with(lies: impl FnMut(&PeerId, Value) -> Vec<Value> + Send + 'static) -> World {
    let mut world = world(CarrierChoice::Only(RELAY));
    seats(&mut world, &[("alice", 1), ("bob", 2), ("mallory", LIAR)]);
    let others = [("alice", 1), ("bob", 2)];
    world.server.evil = Some(Tap::evil("mallory", LIAR, &others, "s", Box::new(lies)));
    propose(&mut world, 0, &["alice", "bob", "mallory"], 2);
    settle(&mut world);
    world
}

/// Alice and Bob have no key, and at least one has found Mallory out by itself.
fn named(world: &World, kinds: &[ReasonKind]) {
    let mut seen = false;
    for seat in [0, 1] {
        let reason = reason(world, seat);
        assert!(kinds.contains(&reason.kind), "{reason:?}");
        assert_eq!(reason.peer_id, Some(peer("mallory")), "{reason:?}");
        seen |= reason.reported_by.is_none();
        assert!(!world.seats[seat].confirmed.contains_key(&session("s")));
    }
    assert!(seen, "nobody found out by itself");
}

fn kind(message: &Value) -> &str {
    message["type"].as_str().unwrap()
}

fn bytes<const N: usize>(value: &Value) -> [u8; N] {
    hex::decode(value.as_str().unwrap()).unwrap().try_into().unwrap()
}

#[test]
fn a_liar_who_tells_the_truth_makes_a_key() {
    let world = with(|_, message| vec![message]);
    assert!((0..3).all(|seat| is_done(&world, seat)), "{:?}", reason(&world, 0));
}

#[test]
fn two_signed_commitments_are_found_before_any_share_leaves_and_are_evidence() {
    let mut agreement = [0; 32];
    let world = with(move |to, mut message| {
        if kind(&message) == "mesh_ready" {
            agreement = bytes(&message["payload"]["proof"]["agreement"]);
        }
        if kind(&message) == "commitment" && to.as_str() == "bob" {
            let mut rng = ChaCha20Rng::seed_from_u64(5);
            let other = Suite::default().start(3, 3, 2, &mut rng).unwrap();
            let nonce = bytes(&message["payload"]["proof"]["nonce"]);
            let digest = commitment_digest(&agreement, 3, &nonce, &package_hash(other.package()));
            let signature = key().sign(&digest, &mut rng);
            message["payload"]["data"] = json!(hex::encode(other.package()));
            message["payload"]["proof"]["signature"] = json!(hex::encode(signature.as_bytes()));
        }
        vec![message]
    });
    named(&world, &[ReasonKind::Equivocation]);
    no_share_left(&world, 0);
    no_share_left(&world, 1);
    let evidence: Vec<_> = [0, 1].iter().flat_map(|seat| &world.seats[*seat].evidence).collect();
    assert!(!evidence.is_empty(), "nobody kept evidence");
    for found in evidence {
        assert_eq!(found.verify().unwrap().peer_id, peer("mallory"));
        // A third person checks it from its text alone; a changed one shows nothing.
        let text = serde_json::to_string(found).unwrap();
        let read: frostmesh::agreement::Evidence = serde_json::from_str(&text).unwrap();
        assert_eq!(read.verify().unwrap().identity, key().identity());
        let mut changed = read.clone();
        changed.other = changed.one;
        assert!(changed.verify().is_err(), "twice the same is no conflict");
        changed.other.package[0] ^= 1;
        assert!(changed.verify().is_err(), "nobody signed that");
        let mut of_another = read;
        of_another.identifier = 1;
        assert!(of_another.verify().is_err(), "Alice did not sign it");
    }
}

#[test]
fn a_commitment_that_is_not_signed_is_refused() {
    type Change = fn(&mut Value);
    let changes: [Change; 4] = [
        |payload| drop(payload.as_object_mut().unwrap().remove("proof")),
        |payload| payload["proof"]["signature"] = json!("00".repeat(64)),
        |payload| payload["proof"]["nonce"] = json!("11".repeat(32)),
        |payload| payload["proof"] = json!("nonsense"),
    ];
    for change in changes {
        let world = with(move |_, mut message| {
            if kind(&message) == "commitment" {
                change(&mut message["payload"]);
            }
            vec![message]
        });
        named(&world, &[ReasonKind::BadSignature]);
        no_share_left(&world, 0);
    }
}

#[test]
fn who_takes_part_in_something_else_is_refused() {
    let world = with(|_, mut message| {
        if kind(&message) == "mesh_ready" {
            message["payload"]["proof"]["agreement"] = json!("22".repeat(32));
        }
        vec![message]
    });
    named(&world, &[ReasonKind::Disagreement]);
}

#[test]
fn who_lays_a_commitment_at_anothers_door_is_named_itself() {
    let mut agreement = [0; 32];
    let world = with(move |_, mut message| {
        if kind(&message) == "mesh_ready" {
            agreement = bytes(&message["payload"]["proof"]["agreement"]);
        }
        if kind(&message) == "ready" {
            let list = message["payload"]["proof"]["statements"].as_array_mut().unwrap();
            list[1]["package"] = json!("33".repeat(32));
            let statements: Vec<Statement> =
                list.iter().map(|s| serde_json::from_value(s.clone()).unwrap()).collect();
            let digest = ready_digest(&agreement, &statements);
            let signature = key().sign(&digest, &mut ChaCha20Rng::seed_from_u64(6));
            message["payload"]["proof"]["signature"] = json!(hex::encode(signature.as_bytes()));
        }
        vec![message]
    });
    named(&world, &[ReasonKind::BadMessage]);
    no_share_left(&world, 0);
}

#[test]
fn a_share_that_does_not_verify_is_named() {
    let world = with(|_, mut message| {
        if kind(&message) == "share" {
            let text = message["payload"]["data"].as_str().unwrap();
            message["payload"]["data"] = json!(format!("{}{}", &text[..10], "01".repeat(32)));
        }
        vec![message]
    });
    named(&world, &[ReasonKind::BadShare]);
}

#[test]
fn a_wrong_key_claimed_at_the_end_is_named() {
    let world = with(|_, mut message| {
        if kind(&message) == "wallet_created" {
            message["payload"]["pubkey"] = json!(format!("02{}", "44".repeat(32)));
        }
        vec![message]
    });
    named(&world, &[ReasonKind::KeyMismatch]);
}

#[test]
fn a_last_signature_that_does_not_hold_is_named() {
    let world = with(|_, mut message| {
        if kind(&message) == "wallet_created" {
            message["payload"]["proof"]["signature"] = json!("55".repeat(64));
        }
        vec![message]
    });
    named(&world, &[ReasonKind::BadSignature]);
}

#[test]
fn silence_from_any_step_on_is_named_at_the_deadline() {
    let steps = ["mesh_ready", "commitment", "ready", "share", "wallet_created"];
    for first in 0..steps.len() {
        let world = with(move |_, message| {
            let silent = steps[first..].contains(&kind(&message));
            if silent { Vec::new() } else { vec![message] }
        });
        named(&world, &[ReasonKind::TimedOut]);
    }
}

#[test]
fn a_flood_inside_a_link_is_bounded_and_harmless() {
    let world = with(|_, message| {
        let noise =
            json!({"type": "weather", "payload": {"session_id": "s", "text": "x".repeat(1_000)}});
        let mut flood = vec![noise; 300];
        flood.push(message.clone());
        flood.push(message);
        flood
    });
    assert!((0..3).all(|seat| is_done(&world, seat)), "{:?}", reason(&world, 0));
}

#[test]
fn two_participants_with_one_identity_are_one_too_many() {
    let mut world = world(CarrierChoice::Auto);
    seats(&mut world, &[("alice", 1), ("bob", 2), ("carol", 2)]);
    propose(&mut world, 0, &["alice", "bob", "carol"], 2);
    settle(&mut world);
    for seat in 0..3 {
        assert_eq!(reason(&world, seat).kind, ReasonKind::Conflict, "{:?}", reason(&world, seat));
        no_share_left(&world, seat);
    }
}
