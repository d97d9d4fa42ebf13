//! What has to hold for every ciphersuite, whatever its curve and its signatures: `tests/frost.rs`
//! runs these checks for each suite that is listed, and `tests/extend` for one that is not.

use std::collections::{BTreeMap, BTreeSet};

use frostmesh::frost::{
    BadSignature, Commitments, GroupKey, Identifier, Key, Nonces, PackageFault, Round1, Shares,
    Suite,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use zeroize::Zeroizing;

pub const DIGEST: [u8; 32] = [7; 32];

/// Where the first point of a round-1 package begins: behind a header of 5 bytes and the number of
/// points.
const POINTS: usize = 6;

/// Runs all checks.
pub fn all(suite: Suite) {
    it_says_what_it_is(suite);
    any_signers_make_a_signature(suite);
    bytes_that_do_not_belong_to_it_are_refused(suite);
    no_two_packages_mean_the_same(suite);
    a_signature_of_something_else_or_by_another_key_does_not_verify(suite);
    a_sender_of_a_bad_package_is_named(suite);
    nonces_are_good_for_their_own_commitments_only(suite);
}

/// A key of that many members, and the group's key.
pub fn keys(
    suite: Suite,
    total: u16,
    threshold: u16,
    seed: u64,
) -> (BTreeMap<Identifier, Box<dyn Key>>, Vec<u8>) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let first: BTreeMap<Identifier, Box<dyn Round1>> = (1..=total)
        .map(|identifier| {
            (identifier, suite.start(identifier, total, threshold, &mut rng).unwrap())
        })
        .collect();
    let packages: BTreeMap<Identifier, Vec<u8>> =
        first.iter().map(|(identifier, r)| (*identifier, r.package().to_vec())).collect();
    let promised = suite.group_key(threshold, &packages).unwrap();
    let mut second = BTreeMap::new();
    let mut shares: BTreeMap<Identifier, BTreeMap<Identifier, Zeroizing<Vec<u8>>>> =
        BTreeMap::new();
    for (identifier, round1) in first {
        let others = packages
            .iter()
            .filter(|(p, _)| **p != identifier)
            .map(|(p, bytes)| (*p, bytes.clone()))
            .collect();
        let (round2, outgoing) = round1.advance(&others).unwrap();
        for (to, share) in outgoing {
            shares.entry(to).or_default().insert(identifier, share);
        }
        second.insert(identifier, round2);
    }
    let mut keys = BTreeMap::new();
    for (identifier, round2) in second {
        let made = round2.finish(&shares[&identifier]).unwrap();
        assert_eq!(made.pubkey, promised, "the certificate of a key names the key that comes out");
        keys.insert(identifier, suite.key(&made.key_package, &made.public_key_package).unwrap());
    }
    (keys, hex::decode(promised).unwrap())
}

/// Both rounds of these signers.
pub fn signed(
    keys: &BTreeMap<Identifier, Box<dyn Key>>,
    signers: &[Identifier],
    seed: u64,
) -> (Commitments, Shares) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let committed =
        signers.iter().map(|identifier| (*identifier, keys[identifier].commit(&mut rng).unwrap()));
    let committed: Vec<(Identifier, (Nonces, Vec<u8>))> = committed.collect();
    let commitments: Commitments =
        committed.iter().map(|(identifier, (_, public))| (*identifier, public.clone())).collect();
    let sign = |(identifier, (nonces, _)): (Identifier, (Nonces, Vec<u8>))| {
        (identifier, keys[&identifier].sign(nonces, &commitments, &DIGEST).unwrap())
    };
    let shares = committed.into_iter().map(sign).collect();
    (commitments, shares)
}

/// Names and sizes are there and right, and the suite is found by them.
fn it_says_what_it_is(suite: Suite) {
    let info = suite.info();
    let (keys, pubkey) = keys(suite, 2, 2, 1);
    assert_eq!(pubkey.len(), info.point_size);
    let (commitments, shares) = signed(&keys, &[1, 2], 1);
    let signature = keys[&1].aggregate(&commitments, &shares, &DIGEST).unwrap();
    assert_eq!(signature.len(), info.signature_size);
    assert_eq!(Suite::of_id(suite.id()), Some(suite));
    assert_eq!(suite.name().parse(), Ok(suite));
    assert_eq!(suite.id().parse(), Ok(suite));
    assert_eq!(serde_json::to_value(suite).unwrap(), suite.name());
    for text in [info.name, info.label.key, info.label.text, info.signature_format] {
        assert!(!text.is_empty());
    }
    for other in Suite::all().filter(|other| *other != suite) {
        assert_ne!(other.name(), suite.name());
        assert_ne!(other.info().label, info.label);
    }
    let key = GroupKey::new(suite, pubkey);
    assert_eq!(key.x_only().is_some(), info.bip340);
    key.verify(&DIGEST, &signature).unwrap();
    let names: BTreeSet<&str> = key.addresses().iter().map(|address| address.name).collect();
    assert_eq!(names.len(), key.addresses().len(), "two addresses have one name in JSON");
}

fn any_signers_make_a_signature(suite: Suite) {
    for (total, threshold) in [(2, 2), (3, 2), (5, 3)] {
        let (keys, pubkey) = keys(suite, total, threshold, u64::from(total));
        for leave_out in 1..=total {
            let signers: Vec<Identifier> = (1..=total)
                .filter(|identifier| *identifier != leave_out || total == threshold)
                .take(threshold.into())
                .collect();
            let (commitments, shares) = signed(&keys, &signers, leave_out.into());
            let aggregate = |by: Identifier| keys[&by].aggregate(&commitments, &shares, &DIGEST);
            let signature = aggregate(signers[0]).unwrap();
            suite.verify(&pubkey, &DIGEST, &signature).unwrap();
            assert_eq!(aggregate(leave_out), Ok(signature), "any member can put it together");
        }
    }
}

fn bytes_that_do_not_belong_to_it_are_refused(suite: Suite) {
    let longer = |bytes: &[u8]| [bytes, &[0]].concat();
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let ours = suite.start(1, 2, 2, &mut rng).unwrap();
    let theirs = suite.start(2, 2, 2, &mut rng).unwrap().package().to_vec();
    ours.check(&theirs).unwrap();
    assert!(ours.check(&longer(&theirs)).is_err());
    for size in 0..theirs.len() {
        assert!(ours.check(&theirs[..size]).is_err(), "a package of {size} bytes");
    }
    let more = suite.start(2, 3, 3, &mut rng).unwrap();
    let expected = PackageFault::WrongDegree { found: 3, expected: 2 };
    assert_eq!(ours.check(more.package()), Err(expected));

    let (keys, pubkey) = keys(suite, 2, 2, 1);
    let (commitments, shares) = signed(&keys, &[1, 2], 2);
    assert!(keys[&1].check_commitments(&longer(&commitments[&2])).is_err());
    assert!(keys[&1].check_commitments(&commitments[&2][1..]).is_err());
    let signature = keys[&1].aggregate(&commitments, &shares, &DIGEST).unwrap();
    for changed in [longer(&signature), signature[1..].to_vec()] {
        assert_eq!(suite.verify(&pubkey, &DIGEST, &changed), Err(BadSignature::Encoding));
    }
    assert_eq!(suite.verify(&pubkey[2..], &DIGEST, &signature), Err(BadSignature::Key));
    for place in 0..signature.len() {
        let mut changed = signature.clone();
        changed[place] ^= 1;
        assert!(suite.verify(&pubkey, &DIGEST, &changed).is_err(), "byte {place}");
    }
}

/// Packages that differ in the first or last byte of their first point, in any way: those that are
/// accepted make different keys. A point that could be written in two ways would make one key
/// twice.
fn no_two_packages_mean_the_same(suite: Suite) {
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let ours = suite.start(1, 2, 2, &mut rng).unwrap();
    let theirs = suite.start(2, 2, 2, &mut rng).unwrap().package().to_vec();
    let mut accepted = 0;
    let mut made = BTreeSet::new();
    for place in [POINTS, POINTS + suite.info().point_size - 1] {
        for byte in 0..=u8::MAX {
            let mut package = theirs.clone();
            package[place] = byte;
            let both = [(1, ours.package().to_vec()), (2, package.clone())].into();
            let certified = suite.group_key(2, &both);
            assert_eq!(
                ours.check(&package).is_ok(),
                certified.is_ok(),
                "a member that takes part in a key can show how it was made"
            );
            if package != theirs {
                accepted += usize::from(certified.is_ok());
                made.extend(certified);
            }
        }
    }
    made.insert(suite.group_key(2, &[(1, ours.package().to_vec()), (2, theirs)].into()).unwrap());
    assert!(accepted > 0);
    assert_eq!(made.len(), accepted + 1);
}

fn a_signature_of_something_else_or_by_another_key_does_not_verify(suite: Suite) {
    let ((keys, pubkey), (_, other)) = (self::keys(suite, 2, 2, 1), self::keys(suite, 2, 2, 2));
    let (commitments, shares) = signed(&keys, &[1, 2], 2);
    let mut signature = keys[&1].aggregate(&commitments, &shares, &DIGEST).unwrap();
    assert_eq!(suite.verify(&pubkey, &[8; 32], &signature), Err(BadSignature::Invalid));
    assert_eq!(suite.verify(&other, &DIGEST, &signature), Err(BadSignature::Invalid));
    // In the middle of z, where every value is a number of the field.
    let middle = signature.len() - 16;
    signature[middle] ^= 1;
    assert_eq!(suite.verify(&pubkey, &DIGEST, &signature), Err(BadSignature::Invalid));
}

fn a_sender_of_a_bad_package_is_named(suite: Suite) {
    let (keys, _) = keys(suite, 3, 3, 4);
    let (commitments, shares) = signed(&keys, &[1, 2, 3], 5);
    let mut bad = shares.clone();
    bad.get_mut(&2).unwrap()[15] ^= 1;
    let error = keys[&1].aggregate(&commitments, &bad, &DIGEST).unwrap_err();
    assert_eq!(error, (Some(2), PackageFault::BadSignatureShare));
    let short = Shares::from([(1, shares[&1].clone()), (2, shares[&2].clone()), (3, vec![1; 31])]);
    assert_eq!(keys[&1].aggregate(&commitments, &short, &DIGEST).unwrap_err().0, Some(3));
    let mut wrong = commitments.clone();
    wrong.get_mut(&3).unwrap().push(0);
    assert!(keys[&1].check_commitments(&wrong[&3]).is_err());
    let (nonces, _) = keys[&1].commit(&mut ChaCha20Rng::seed_from_u64(9)).unwrap();
    assert_eq!(keys[&1].sign(nonces, &wrong, &DIGEST).unwrap_err().0, Some(3));

    // Key generation: a proof of somebody else, and a share of somebody else.
    let mut rng = ChaCha20Rng::seed_from_u64(6);
    let mut start = |identifier| suite.start(identifier, 3, 2, &mut rng).unwrap();
    let (first, second, third, other) = (start(1), start(2), start(3), start(3));
    let package = |round: &dyn Round1| round.package().to_vec();
    let swapped = BTreeMap::from([(2, package(&*third)), (3, package(&*other))]);
    let error = start(1).advance(&swapped).err().unwrap();
    assert_eq!(error, (Some(2), PackageFault::BadProof));
    let to_first = BTreeMap::from([(2, package(&*second)), (3, package(&*third))]);
    let to_second = BTreeMap::from([(1, package(&*first)), (3, package(&*third))]);
    let to_third = BTreeMap::from([(1, package(&*first)), (2, package(&*second))]);
    let (last, _) = first.advance(&to_first).unwrap();
    let (_, of_second) = second.advance(&to_second).unwrap();
    let (_, of_third) = third.advance(&to_third).unwrap();
    let shares = BTreeMap::from([(2, of_second[&1].clone()), (3, of_third[&2].clone())]);
    let error = last.finish(&shares).err().unwrap();
    assert_eq!(error, (Some(3), PackageFault::BadShare));
}

fn nonces_are_good_for_their_own_commitments_only(suite: Suite) {
    let (keys, _) = keys(suite, 2, 2, 4);
    let (commitments, _) = signed(&keys, &[1, 2], 5);
    let (nonces, _) = keys[&1].commit(&mut ChaCha20Rng::seed_from_u64(6)).unwrap();
    assert!(keys[&1].sign(nonces, &commitments, &DIGEST).is_err(), "of another round 1");
    let (nonces, own) = keys[&1].commit(&mut ChaCha20Rng::seed_from_u64(6)).unwrap();
    let alone = Commitments::from([(1, own)]);
    assert!(keys[&1].sign(nonces, &alone, &DIGEST).is_err(), "below the threshold");
}
