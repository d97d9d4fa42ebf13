//! Signing behind the interface of bytes, against vectors of others and code of others: RFC 9591 and BIP-340.
#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::{BTreeMap, VecDeque};

use frost_secp256k1::keys::{KeyPackage, PublicKeyPackage, SigningShare, VerifyingShare};
use frost_secp256k1::{Identifier as FrostIdentifier, VerifyingKey};
use frostmesh::frost::{
    BadSignature, Commitments, Identifier, Key, Nonces, PackageFault, Round1, Shares, Suite,
};
use k256::schnorr::signature::hazmat::PrehashVerifier;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_core::{CryptoRng, RngCore};
use serde::Deserialize;
use zeroize::Zeroizing;

const DIGEST: [u8; 32] = [7; 32];

fn tr() -> Suite {
    "secp256k1-tr".parse().unwrap()
}

/// A key of that many members, and the group's key.
fn keys(
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
        outgoing
            .into_iter()
            .for_each(|(to, share)| drop(shares.entry(to).or_default().insert(identifier, share)));
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
fn signed(
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

#[test]
fn bip_340_signatures_are_taken_by_another_verifier_whatever_the_parity_of_the_key() {
    let mut parities = [0, 0];
    for seed in 0..12 {
        let (keys, pubkey) = keys(tr(), 3, 2, seed);
        parities[usize::from(pubkey[0] - 2)] += 1;
        for signers in [[1, 2], [1, 3], [2, 3]] {
            let (commitments, shares) = signed(&keys, &signers, seed);
            let signature = keys[&signers[0]].aggregate(&commitments, &shares, &DIGEST).unwrap();
            let verifier = k256::schnorr::VerifyingKey::from_bytes(&pubkey[1..]).unwrap();
            let theirs = k256::schnorr::Signature::try_from(signature.as_slice()).unwrap();
            verifier.verify_prehash(&DIGEST, &theirs).unwrap();
            tr().verify(&pubkey, &DIGEST, &signature).unwrap();
            tr().verify(&pubkey[1..], &DIGEST, &signature).unwrap();
            assert_eq!(signature.len(), tr().signature_size());
        }
    }
    assert!(parities.iter().all(|count| *count > 0), "both parities were tried: {parities:?}");
}

#[test]
fn signatures_of_rfc_9591_are_taken_by_the_crates_own_verifier() {
    let suite = Suite::default();
    let (keys, pubkey) = keys(suite, 5, 3, 1);
    let (commitments, shares) = signed(&keys, &[1, 3, 5], 2);
    let signature = keys[&5].aggregate(&commitments, &shares, &DIGEST).unwrap();
    let key = VerifyingKey::deserialize(&pubkey).unwrap();
    key.verify(&DIGEST, &frost_secp256k1::Signature::deserialize(&signature).unwrap()).unwrap();
    suite.verify(&pubkey, &DIGEST, &signature).unwrap();
    assert_eq!(signature.len(), suite.signature_size());
}

/// The same bytes in SEC 1's compact form of a point (first byte 5, for an even y), once at each place where one may begin.
fn compact(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    let again = |identifier: usize| {
        (identifier, [&bytes[..identifier], &[5], &bytes[identifier + 1..]].concat())
    };
    (0..bytes.len()).filter(|identifier| bytes[*identifier] == 2).map(again)
}

#[test]
fn nothing_has_a_second_encoding() {
    for suite in Suite::all() {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let ours = suite.start(1, 9, 2, &mut rng).unwrap();
        let mut points = 0;
        for identifier in 2..=9 {
            let theirs = suite.start(identifier, 9, 2, &mut rng).unwrap().package().to_vec();
            assert!(ours.check(&[&theirs[..], &[0]].concat()).is_err());
            for (at, package) in compact(&theirs) {
                // Beyond the points it may be in a number of the proof, which does not hold then.
                let in_points = at >= 6 && (at - 6) % 33 == 0 && at < 6 + 2 * 33;
                points += usize::from(in_points);
                assert!(!in_points || ours.check(&package).is_err(), "{at}");
                let certified = suite
                    .group_key(2, &[(1, ours.package().to_vec()), (2, package.clone())].into());
                assert_eq!(
                    ours.check(&package).is_ok(),
                    certified.is_ok(),
                    "who makes the key can show how it came"
                );
            }
        }
        assert!(points > 1);

        let (keys, pubkey) = keys(suite, 2, 2, 1);
        let (commitments, shares) = signed(&keys, &[1, 2], 2);
        assert!(keys[&1].check_commitments(&[&commitments[&2][..], &[0]].concat()).is_err());
        let refused = compact(&commitments[&1]).chain(compact(&commitments[&2]));
        let refused =
            refused.map(|(at, bytes)| assert!(keys[&1].check_commitments(&bytes).is_err(), "{at}"));
        assert!(refused.count() > 0);
        let signature = keys[&1].aggregate(&commitments, &shares, &DIGEST).unwrap();
        assert!(
            compact(&signature).all(|(_, bytes)| suite.verify(&pubkey, &DIGEST, &bytes).is_err())
        );
    }
}

#[test]
fn a_signature_of_something_else_or_by_another_key_does_not_verify() {
    for suite in Suite::all() {
        let ((keys, pubkey), (_, other)) = (self::keys(suite, 2, 2, 1), self::keys(suite, 2, 2, 2));
        let (commitments, shares) = signed(&keys, &[1, 2], 2);
        let mut signature = keys[&1].aggregate(&commitments, &shares, &DIGEST).unwrap();
        assert_eq!(suite.verify(&pubkey, &[8; 32], &signature), Err(BadSignature::Invalid));
        assert_eq!(suite.verify(&other, &DIGEST, &signature), Err(BadSignature::Invalid));
        assert_eq!(suite.verify(&[9; 33], &DIGEST, &signature), Err(BadSignature::Key));
        assert_eq!(suite.verify(&pubkey, &DIGEST, &signature[1..]), Err(BadSignature::Encoding));
        *signature.last_mut().unwrap() ^= 1;
        assert_eq!(suite.verify(&pubkey, &DIGEST, &signature), Err(BadSignature::Invalid));
    }
}

#[test]
fn whoever_sends_a_bad_commitment_or_share_is_named() {
    for suite in Suite::all() {
        let (keys, _) = keys(suite, 3, 3, 4);
        let (commitments, shares) = signed(&keys, &[1, 2, 3], 5);
        let mut bad = shares.clone();
        bad.get_mut(&2).unwrap()[31] ^= 1;
        let error = keys[&1].aggregate(&commitments, &bad, &DIGEST).unwrap_err();
        assert_eq!(error, (Some(2), PackageFault::BadSignatureShare));
        let short =
            Shares::from([(1, shares[&1].clone()), (2, shares[&2].clone()), (3, vec![1; 31])]);
        assert_eq!(keys[&1].aggregate(&commitments, &short, &DIGEST).unwrap_err().0, Some(3));
        let mut wrong = commitments.clone();
        wrong.get_mut(&3).unwrap().push(0);
        assert!(keys[&1].check_commitments(&wrong[&3]).is_err());
        let (nonces, _) = keys[&1].commit(&mut ChaCha20Rng::seed_from_u64(9)).unwrap();
        assert_eq!(keys[&1].sign(nonces, &wrong, &DIGEST).unwrap_err().0, Some(3));
    }
}

#[test]
fn nonces_are_good_for_their_own_commitments_only() {
    for suite in Suite::all() {
        let (keys, _) = keys(suite, 2, 2, 4);
        let (commitments, _) = signed(&keys, &[1, 2], 5);
        let (nonces, _) = keys[&1].commit(&mut ChaCha20Rng::seed_from_u64(6)).unwrap();
        assert!(keys[&1].sign(nonces, &commitments, &DIGEST).is_err(), "of another round 1");
        let (nonces, own) = keys[&1].commit(&mut ChaCha20Rng::seed_from_u64(6)).unwrap();
        let alone = Commitments::from([(1, own)]);
        assert!(keys[&1].sign(nonces, &alone, &DIGEST).is_err(), "below the threshold");
    }
}

#[test]
fn a_key_of_one_ciphersuite_is_none_of_another() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let package = tr().start(1, 2, 2, &mut rng).unwrap();
    let other = Suite::default().start(2, 2, 2, &mut rng).unwrap();
    assert!(other.check(package.package()).is_err());
    assert_eq!("secp256k1".parse::<Suite>().unwrap(), Suite::default());
    assert_eq!(Suite::of_id("FROST-secp256k1-SHA256-TR-v1"), Some(tr()));
    assert!("ed25519".parse::<Suite>().unwrap_err().to_string().contains("secp256k1-tr"));
}

#[derive(Deserialize)]
struct Rfc9591 {
    verifying_key: String,
    message: String,
    threshold: u16,
    participant_shares: BTreeMap<u16, String>,
    signers: BTreeMap<u16, Signer>,
    signature: String,
}

#[derive(Deserialize)]
struct Signer {
    hiding_nonce_randomness: String,
    binding_nonce_randomness: String,
    hiding_nonce_commitment: String,
    binding_nonce_commitment: String,
    share: String,
}

/// The vector's key as [`Suite::key`] takes it.
fn vector_key(vector: &Rfc9591, identifier: Identifier) -> Box<dyn Key> {
    let share = |identifier: &u16| {
        SigningShare::deserialize(&hex::decode(&vector.participant_shares[identifier]).unwrap())
            .unwrap()
    };
    let group = VerifyingKey::deserialize(&hex::decode(&vector.verifying_key).unwrap()).unwrap();
    let id = |identifier: u16| FrostIdentifier::try_from(identifier).unwrap();
    let own = KeyPackage::new(
        id(identifier),
        share(&identifier),
        VerifyingShare::from(share(&identifier)),
        group,
        vector.threshold,
    );
    let all = vector
        .participant_shares
        .keys()
        .map(|p| (id(*p), VerifyingShare::from(share(p))))
        .collect();
    let public = PublicKeyPackage::new(all, group, Some(vector.threshold));
    Suite::default().key(&own.serialize().unwrap(), &public.serialize().unwrap()).unwrap()
}

/// Gives what a vector says was drawn.
struct Drawn(VecDeque<u8>);

impl CryptoRng for Drawn {}

impl RngCore for Drawn {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill_with(|| self.0.pop_front().expect("no more was drawn"));
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

#[test]
fn the_vectors_of_rfc_9591() {
    let vector: Rfc9591 = serde_json::from_str(include_str!("vectors/rfc9591.json")).unwrap();
    let message = hex::decode(&vector.message).unwrap();
    let mut commitments = Commitments::new();
    let mut nonces = BTreeMap::new();
    for (identifier, signer) in &vector.signers {
        let drawn = [&signer.hiding_nonce_randomness, &signer.binding_nonce_randomness];
        let mut rng = Drawn(drawn.iter().flat_map(|text| hex::decode(text).unwrap()).collect());
        let (both, made) = vector_key(&vector, *identifier).commit(&mut rng).unwrap();
        let points = [&signer.hiding_nonce_commitment, &signer.binding_nonce_commitment];
        assert!(hex::encode(&made).ends_with(&points.map(String::as_str).concat()));
        commitments.insert(*identifier, made);
        nonces.insert(*identifier, both);
    }
    let mut shares = Shares::new();
    for (identifier, nonces) in nonces {
        let share = vector_key(&vector, identifier).sign(nonces, &commitments, &message).unwrap();
        assert_eq!(hex::encode(&share), vector.signers[&identifier].share);
        shares.insert(identifier, share);
    }
    let signature = vector_key(&vector, 1).aggregate(&commitments, &shares, &message).unwrap();
    assert_eq!(hex::encode(signature), vector.signature);
}

#[derive(Deserialize)]
struct Bip340 {
    index: u8,
    public_key: String,
    message: String,
    signature: String,
    valid: bool,
}

#[test]
fn the_vectors_of_bip_340() {
    let vectors: Vec<Bip340> = serde_json::from_str(include_str!("vectors/bip340.json")).unwrap();
    assert_eq!(vectors.len(), 15);
    for vector in vectors {
        let [key, message, signature] = [&vector.public_key, &vector.message, &vector.signature]
            .map(|text| hex::decode(text).unwrap());
        let verified = tr().verify(&key, &message, &signature);
        assert_eq!(verified.is_ok(), vector.valid, "vector {}: {verified:?}", vector.index);
    }
}
