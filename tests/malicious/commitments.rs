//! Round-1 packages that cannot be right.

use std::cell::RefCell;
use std::rc::Rc;

use frost_secp256k1::Identifier;
use frost_secp256k1::keys::dkg;
use frostmesh::node::ReasonKind;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::net::Said;
use super::{attacked, rewriting};

/// A package: version and ciphersuite, the number of points, the points, the proof of knowledge.
const HEADER: usize = 5;
const POINT: usize = 33;

/// A valid package of other places, degrees or polynomials.
pub fn commitment(identifier: u16, threshold: u16, seed: u64) -> Vec<u8> {
    let identifier = Identifier::try_from(identifier).unwrap();
    let (_, package) =
        dkg::part1(identifier, 3, threshold, ChaCha20Rng::seed_from_u64(seed)).unwrap();
    package.serialize().unwrap()
}

/// Mallory's commitment is changed so; it goes to both.
fn refused(change: impl Fn(Vec<u8>) -> Vec<u8> + 'static) {
    named(ReasonKind::BadCommitment, move |said| {
        said.with("data", hex::encode(change(said.data())))
    });
}

fn named(kind: ReasonKind, change: impl Fn(&Said) -> String + 'static) {
    let mut net = attacked(rewriting("commitment", move |said| vec![change(said)]));
    net.run(); // at once, not at a deadline
    net.blamed("s", &["alice", "bob"], kind, "mallory");
    net.settle();
    net.blamed("s", &["alice", "bob"], kind, "mallory");
    assert!(net.seats["alice"].kept.is_empty() && net.seats["bob"].kept.is_empty());
}

#[test]
fn a_truncated_commitment_names_its_sender() {
    for left in [0, 1, 4, 5, 6, 38, 71, 72, 73] {
        refused(move |data| data[..left].to_vec());
    }
    refused(|data| data[..data.len() - 1].to_vec());
}

#[test]
fn a_commitment_with_trailing_bytes_names_its_sender() {
    refused(|data| [data, vec![0]].concat());
    refused(|data| [data.clone(), data].concat());
}

#[test]
fn a_commitment_with_a_point_that_is_not_on_the_curve_names_its_sender() {
    for coefficient in 0..2 {
        refused(move |mut data| {
            let at = HEADER + 1 + coefficient * POINT;
            data[at + 1..at + POINT].fill(0);
            data[at + POINT - 1] = 5; // 5^3 + 7 is no square
            data
        });
    }
    refused(|mut data| {
        data[HEADER + 2..HEADER + 1 + POINT].fill(0xff); // not below the field's prime
        data
    });
    refused(|mut data| {
        data[HEADER + 1] = 4; // the tag of an uncompressed point
        data
    });
}

#[test]
fn a_commitment_with_the_identity_point_names_its_sender() {
    for coefficient in 0..2 {
        refused(move |mut data| {
            let at = HEADER + 1 + coefficient * POINT;
            data[at..at + POINT].fill(0);
            data
        });
    }
}

#[test]
fn a_commitment_of_the_wrong_degree_names_its_sender() {
    refused(|_| commitment(3, 3, 7));
    refused(|mut data| {
        data[HEADER] = 1;
        data.drain(HEADER + 1 + POINT..HEADER + 1 + 2 * POINT);
        data
    });
    refused(|mut data| {
        data[HEADER] = 0;
        data.drain(HEADER + 1..HEADER + 1 + 2 * POINT);
        data
    });
}

#[test]
fn a_commitment_that_claims_more_points_than_it_has_names_its_sender() {
    refused(|mut data| {
        data.splice(HEADER..HEADER + 1, [0xff, 0xff, 0xff, 0xff, 0x0f]);
        data
    });
}

#[test]
fn a_commitment_in_another_encoding_of_the_same_value_names_its_sender() {
    refused(|mut data| {
        data.splice(HEADER..HEADER + 1, [0x82, 0x00]); // 2, in two bytes
        data
    });
}

#[test]
fn a_bad_proof_of_knowledge_names_its_sender() {
    refused(|mut data| {
        *data.last_mut().unwrap() ^= 1;
        data
    });
}

#[test]
fn a_proof_of_knowledge_for_another_identifier_names_its_sender() {
    refused(|_| commitment(1, 2, 7));
}

#[test]
fn a_commitment_with_the_proof_of_another_polynomial_names_its_sender() {
    refused(|data| {
        let points = HEADER + 1 + 2 * POINT;
        [&data[..points], &commitment(3, 2, 7)[points..]].concat()
    });
}

#[test]
fn a_commitment_of_another_ciphersuite_names_its_sender() {
    refused(|mut data| {
        data[1..5].copy_from_slice(&[0xde, 0xad, 0xbe, 0xef]);
        data
    });
}

#[test]
fn a_commitment_of_another_version_names_its_sender() {
    refused(|mut data| {
        data[0] = 1;
        data
    });
}

/// The rogue-key attack in its simplest form: mallory has no secret for what it commits to.
#[test]
fn a_copy_of_someone_elses_commitment_names_its_sender() {
    for victim in ["alice", "bob"] {
        let heard: Rc<RefCell<String>> = Rc::default();
        let stolen = heard.clone();
        let mut net = attacked(rewriting("commitment", |_| Vec::new()));
        net.seat(victim).tamper = Some(Box::new(rewriting("commitment", move |said| {
            *heard.borrow_mut() = said.text(); // is not changed, only listened to
            vec![said.text()]
        })));
        net.run();
        for to in ["alice", "bob"] {
            net.say("mallory", to, stolen.borrow().clone());
        }
        net.run();
        net.blamed("s", &["alice", "bob"], ReasonKind::BadCommitment, "mallory");
    }
}

#[test]
fn a_commitment_that_is_not_hexadecimal_names_its_sender() {
    named(ReasonKind::BadMessage, |said| said.with("data", "zz".repeat(100)));
    named(ReasonKind::BadMessage, |said| {
        said.with("data", format!("0x{}", hex::encode(said.data())))
    });
    named(ReasonKind::BadMessage, |said| said.with("data", &hex::encode(said.data())[1..]));
    named(ReasonKind::BadMessage, |said| said.with("data", said.data()));
    named(ReasonKind::BadMessage, |said| said.with("data", serde_json::Value::Null));
}

#[test]
fn a_commitment_that_is_far_too_long_names_its_sender() {
    named(ReasonKind::BadMessage, |said| said.with("data", "00".repeat(9 * 1024)));
}

/// Mallory's commitment is bad for one of them only, who tells the other.
#[test]
fn a_bad_commitment_to_one_is_reported_to_all() {
    for (victim, honest) in [("alice", "bob"), ("bob", "alice")] {
        let mut net = attacked(rewriting("commitment", move |said| {
            if said.to == victim { vec![said.with("data", "00")] } else { vec![said.text()] }
        }));
        net.run();
        net.blamed("s", &[victim], ReasonKind::BadCommitment, "mallory");
        assert_eq!(net.reason(honest, "s").reported_by.unwrap().as_str(), victim);
    }
}
