//! The audit trail: whatever is done to it is found, and what two members tell differently is
//! named.
#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use frostmesh::audit::{AuditError, Body, Difference, End, Entry, Head, Owner, compare, verify};
use frostmesh::group::{Request, Vote};
use frostmesh::identity::{Digest, IdentityKey, Signature};
use frostmesh::random::SystemRng;

const CIRCLE: Digest = [3; 32];
const PUBKEY: &str = "02aa";

fn request(nonce: u8) -> Request {
    Request {
        proposer: 1,
        kind: "text".into(),
        content: "I agree".into(),
        created: 1,
        expires: 2,
        nonce: [nonce; 16],
        signature: Signature::from_bytes([0; 64]),
    }
}

fn vote(key: &IdentityKey, nonce: u8, member: u16, number: u32, approves: bool) -> Body {
    let id = request(nonce).id(&CIRCLE);
    Body::Vote { vote: Vote::new(&CIRCLE, id, member, number, approves, key, &mut SystemRng) }
}

fn bodies(key: &IdentityKey) -> Vec<Body> {
    let mut all = vec![Body::Opened { pubkey: PUBKEY.into(), member: 1 }];
    all.push(Body::Request { request: Box::new(request(1)) });
    all.extend([vote(key, 1, 1, 1, true), vote(key, 1, 2, 1, true)]);
    all.push(Body::Signed {
        request: request(1).id(&CIRCLE),
        signatures: vec![vec![1; 64]],
        signers: vec![1, 2],
    });
    all
}

fn written(key: &IdentityKey, bodies: &[Body]) -> (Vec<Entry>, Head) {
    let mut head = Head::default();
    let entries = (1_000..)
        .zip(bodies)
        .map(|(time, body)| head.write(&CIRCLE, time, body, key, &mut SystemRng));
    (entries.collect(), head)
}

fn check(key: &IdentityKey, entries: &[Entry], end: End<'_>) -> Result<Vec<Body>, AuditError> {
    let identity = key.identity();
    let owner = Owner { pubkey: PUBKEY, member: 1, identity: &identity };
    verify(&CIRCLE, owner, entries, end).map(|(bodies, _)| bodies)
}

#[test]
fn whatever_is_done_to_a_trail_is_found() {
    let key = IdentityKey::generate(&mut SystemRng);
    let told = bodies(&key);
    let (entries, head) = written(&key, &told);
    let kept = End::Kept(Some(&head));
    assert_eq!(check(&key, &entries, kept), Ok(told.clone()));

    for identifier in 0..entries.len() {
        let mut changed = entries.clone();
        changed[identifier].body =
            changed[identifier].body.replace("02aa", "02ab").replace('1', "2");
        assert!(check(&key, &changed, kept).is_err(), "the body of entry {identifier}");
        changed = entries.clone();
        changed[identifier].time += 1;
        assert_eq!(check(&key, &changed, kept), Err(AuditError::Signature(identifier as u64)));
        changed = entries.clone();
        changed.remove(identifier);
        assert!(check(&key, &changed, kept).is_err(), "entry {identifier} left out");
    }
    let mut swapped = entries.clone();
    swapped.swap(2, 3);
    assert_eq!(check(&key, &swapped, kept), Err(AuditError::Gap { expected: 2, found: 3 }));
    let cut = &entries[..3];
    assert_eq!(check(&key, cut, kept), Err(AuditError::Cut { expected: 5, found: 3 }));
    assert_eq!(check(&key, &entries, End::Kept(None)), Err(AuditError::NoHead));
    assert!(
        check(&key, cut, End::Unknown).is_ok(),
        "of another member's nobody here knows how long it was"
    );

    // All of it written anew, with another entry at the end: whole, and not the one that was there.
    let mut other = told.clone();
    other[4] = Body::Ready;
    let (entries, _) = written(&key, &other);
    assert_eq!(check(&key, &entries, kept), Err(AuditError::Head(4)));
    let stranger = IdentityKey::generate(&mut SystemRng);
    assert_eq!(check(&stranger, &entries, End::Unknown), Err(AuditError::Signature(0)));
    let (entries, head) = written(&key, &told[1..]);
    assert_eq!(check(&key, &entries, End::Kept(Some(&head))), Err(AuditError::Beginning));
}

#[test]
fn a_process_killed_between_entry_and_head_leaves_a_trail_that_holds() {
    let key = IdentityKey::generate(&mut SystemRng);
    let (entries, _) = written(&key, &bodies(&key));
    let (_, behind) = written(&key, &bodies(&key)[..0]);
    assert!(check(&key, &entries[..1], End::Kept(None)).is_ok());
    assert!(check(&key, &entries, End::Kept(Some(&behind))).is_ok());
    let two = Head { entries: 2, hash: entries[1].hash(&CIRCLE) };
    assert!(check(&key, &entries, End::Kept(Some(&two))).is_ok());
}

#[test]
fn what_two_members_tell_differently_is_named() {
    let key = IdentityKey::generate(&mut SystemRng);
    let ours = bodies(&key);
    let mut theirs = ours.clone();
    assert_eq!(compare(&CIRCLE, &ours, &theirs), []);
    let id = request(1).id(&CIRCLE);
    theirs[3] = vote(&key, 1, 2, 1, false);
    assert_eq!(compare(&CIRCLE, &ours, &theirs), [Difference::TwoVotes(id, 2, 1)]);
    theirs.truncate(3);
    theirs.push(Body::Request { request: Box::new(request(2)) });
    let other = request(2).id(&CIRCLE);
    let expected =
        [Difference::Vote(0, id, 2, 1), Difference::Signed(0, id), Difference::Request(1, other)];
    assert_eq!(compare(&CIRCLE, &ours, &theirs), expected);
    assert!(
        expected.iter().all(|difference| difference.to_string().contains(&hex::encode(id)[..8])
            || difference == &expected[2])
    );
}
