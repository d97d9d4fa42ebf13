//! Two different messages for one step, as far as one node can see it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use frost_secp256k1::Identifier;
use frost_secp256k1::keys::dkg;
use frostmesh::node::ReasonKind;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::json;

use super::commitments::commitment;
use super::{attacked, rewriting};

pub const SOME_KEY: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
pub const OTHER_KEY: &str = "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5";

pub fn wallet_created(pubkey: &str) -> String {
    json!({"type": "wallet_created", "payload": {"session_id": "s", "pubkey": pubkey}}).to_string()
}

#[test]
fn two_different_commitments_name_their_sender() {
    let mut net = attacked(rewriting("commitment", |said| {
        vec![said.text(), said.with("data", hex::encode(commitment(3, 2, 9)))]
    }));
    net.run();
    net.blamed("s", &["alice", "bob"], ReasonKind::Conflict, "mallory");
}

/// The first has been used up by the time that the second comes.
#[test]
fn a_different_commitment_two_rounds_later_names_its_sender() {
    let mut first = None;
    let mut net = attacked(move |said| {
        if said.kind == "commitment" {
            first = Some(said.with("data", hex::encode(commitment(3, 2, 9))));
        }
        let late = if said.kind == "wallet_created" { first.clone() } else { None };
        late.into_iter().chain([said.text()]).collect()
    });
    net.run();
    net.blamed("s", &["alice", "bob"], ReasonKind::Conflict, "mallory");
}

#[test]
fn two_different_shares_name_their_sender() {
    let mut net = attacked(rewriting("share", |said| {
        let mut other = said.data();
        *other.last_mut().unwrap() ^= 1;
        vec![said.text(), said.with("data", hex::encode(other))]
    }));
    net.run();
    net.blamed("s", &["alice", "bob"], ReasonKind::Conflict, "mallory");
}

#[test]
fn two_different_group_keys_name_their_sender() {
    let mut net = attacked(rewriting("share", |said| {
        vec![said.text(), wallet_created(SOME_KEY), wallet_created(OTHER_KEY)]
    }));
    net.run();
    net.blamed("s", &["alice", "bob"], ReasonKind::Conflict, "mallory");
}

/// The right key, and then another one while somebody else is still waited for.
#[test]
fn a_group_key_that_is_taken_back_names_its_sender() {
    let mut net =
        attacked(rewriting("wallet_created", |said| vec![said.text(), wallet_created(SOME_KEY)]));
    net.hold = Some(Box::new(|from, _, kind| from != "mallory" && kind == "wallet_created"));
    net.run();
    net.blamed("s", &["alice", "bob"], ReasonKind::Conflict, "mallory");
    net.release();
    net.settle();
    net.blamed("s", &["alice", "bob"], ReasonKind::Conflict, "mallory");
}

/// Mallory plays two whole polynomials, each consistent in itself: alice and bob make different
/// keys. Nobody can tell whose doing it was without signatures, but they do notice, and neither key
/// is ever a wallet.
#[test]
fn a_split_view_of_commitments_and_shares_makes_no_wallet() {
    let heard: Rc<RefCell<BTreeMap<u16, Vec<u8>>>> = Rc::default();
    let identifier = |n: u16| Identifier::try_from(n).unwrap();
    let (secret, package) =
        dkg::part1(identifier(3), 3, 2, ChaCha20Rng::seed_from_u64(77)).unwrap();
    let package = hex::encode(package.serialize().unwrap());
    let (mut secret, commitments) = (Some(secret), heard.clone());
    let mut net = attacked(move |said| match said.kind.as_str() {
        "commitment" if said.to == "bob" => vec![said.with("data", package.as_str())],
        "share" if said.to == "bob" => {
            let packages = commitments.borrow();
            let packages = packages
                .iter()
                .map(|(n, p)| (identifier(*n), dkg::round1::Package::deserialize(p).unwrap()));
            let (_, shares) =
                dkg::part2(secret.take().expect("once"), &packages.collect()).unwrap();
            vec![said.with("data", hex::encode(shares[&identifier(2)].serialize().unwrap()))]
        }
        "wallet_created" => Vec::new(),
        _ => vec![said.text()],
    });
    for (n, id) in [(1, "alice"), (2, "bob")] {
        let heard = heard.clone();
        net.seat(id).tamper = Some(Box::new(rewriting("commitment", move |said| {
            heard.borrow_mut().insert(n, said.data());
            vec![said.text()]
        })));
    }
    net.settle();
    for id in ["alice", "bob"] {
        assert_eq!(net.reason(id, "s").kind, ReasonKind::KeyMismatch);
    }
    let kept = |id: &str| net.seats[id].kept[0].1.clone();
    assert_ne!(kept("alice"), kept("bob"), "the attack works as far as it can");
}
