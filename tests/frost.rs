//! Signing behind the interface of bytes, against vectors of others and code of others: RFC 9591
//! and BIP-340.
#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "frost/checks.rs"]
mod checks;

use std::collections::{BTreeMap, VecDeque};

use checks::{DIGEST, keys, signed};

use frost_secp256k1::keys::{KeyPackage, PublicKeyPackage, SigningShare, VerifyingShare};
use frost_secp256k1::{Identifier as FrostIdentifier, VerifyingKey};
use frostmesh::frost::{BadSignature, Commitments, Identifier, Key, Shares, Suite, Use};
use k256::schnorr::signature::hazmat::PrehashVerifier;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_core::{CryptoRng, RngCore};
use serde::Deserialize;

fn tr() -> Suite {
    "secp256k1-tr".parse().unwrap()
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
            assert_eq!(signature.len(), tr().info().signature_size);
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
    assert_eq!(signature.len(), suite.info().signature_size);
}

/// The same bytes in SEC 1's compact form of a point (first byte 5, for an even y), once at each
/// place where one may begin.
fn compact(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    let again = |identifier: usize| {
        (identifier, [&bytes[..identifier], &[5], &bytes[identifier + 1..]].concat())
    };
    (0..bytes.len()).filter(|identifier| bytes[*identifier] == 2).map(again)
}

#[test]
fn every_suite_keeps_what_all_have_to() {
    assert!(Suite::all().count() >= 2);
    Suite::all().for_each(checks::all);
}

#[test]
fn the_first_suite_is_that_of_proposals_that_name_none() {
    assert_eq!(Suite::default().id(), "FROST-secp256k1-SHA256-v1");
}

#[test]
fn no_point_of_secp256k1_is_taken_in_its_compact_form() {
    for suite in [Suite::default(), tr()] {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let ours = suite.start(1, 9, 2, &mut rng).unwrap();
        let mut points = 0;
        for identifier in 2..=9 {
            let theirs = suite.start(identifier, 9, 2, &mut rng).unwrap().package().to_vec();
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
        let refused = compact(&commitments[&1]).chain(compact(&commitments[&2]));
        let refused =
            refused.map(|(at, bytes)| assert!(keys[&1].check_commitments(&bytes).is_err(), "{at}"));
        assert!(refused.count() > 0);
        let signature = keys[&1].aggregate(&commitments, &shares, &DIGEST).unwrap();
        assert!(
            compact(&signature).all(|(_, bytes)| suite.verify(&pubkey, &DIGEST, &bytes).is_err())
        );
        assert_eq!(suite.verify(&[9; 33], &DIGEST, &signature), Err(BadSignature::Key));
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
    let error = "ed25519".parse::<Suite>().unwrap_err().to_string();
    assert_eq!(error, "there is no ciphersuite 'ed25519': use secp256k1 or secp256k1-tr");
}

#[test]
fn only_suites_that_say_so_sign_for_bitcoin_and_nostr() {
    let can = |purpose| Suite::all().filter(move |s| s.is_for(purpose)).map(Suite::name);
    assert!(can(Use::NOSTR).eq(["secp256k1-tr"]));
    assert!(can(Use::TAPROOT).eq(["secp256k1-tr"]));
    assert!(can(Use::FROST_CONTRACT).eq(["secp256k1"]));
    assert!(Suite::all().filter(|s| s.is_for(Use::TAPROOT)).all(|s| s.info().bip340));
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
