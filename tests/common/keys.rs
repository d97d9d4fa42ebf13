//! Whether the shares that came out of a session belong together: they have to sign, and somebody
//! else has to verify it.

use frostmesh::frost::{Commitments, Key, Nonces, Shares, Suite};
use frostmesh::keystore::WalletRecord;
use k256::schnorr::signature::hazmat::PrehashVerifier;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// What is signed.
pub const DIGEST: [u8; 32] = *b"do these shares belong together?";

/// The key of a record.
pub fn key_of(record: &WalletRecord) -> Box<dyn Key> {
    let suite = Suite::of_id(&record.info.ciphersuite).unwrap();
    suite.key(&record.key_package, &record.public_key_package).unwrap()
}

/// Both rounds of these members, up to their shares.
pub fn shares_of(records: &[&WalletRecord], digest: &[u8; 32], seed: u64) -> (Commitments, Shares) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut nonces: Vec<Nonces> = Vec::new();
    let mut commitments = Commitments::new();
    for record in records {
        let (secret, public) = key_of(record).commit(&mut rng).unwrap();
        nonces.push(secret);
        commitments.insert(record.info.identifier, public);
    }
    let sign = |(record, nonces): (&&WalletRecord, Nonces)| {
        (record.info.identifier, key_of(record).sign(nonces, &commitments, digest).unwrap())
    };
    let shares = records.iter().zip(nonces).map(sign).collect();
    (commitments, shares)
}

/// Signs with these members' records, and verifies with the group key that every one of them holds.
pub fn sign_with(records: &[&WalletRecord], seed: u64) {
    let (commitments, shares) = shares_of(records, &DIGEST, seed);
    for record in records {
        let signature = key_of(record).aggregate(&commitments, &shares, &DIGEST).unwrap();
        verify_elsewhere(&record.info.ciphersuite, &record.info.pubkey, &DIGEST, &signature);
    }
}

/// Verifies with code that is not ours: BIP-340 with the verifier of k256, RFC 9591 with that of
/// the FROST crate.
pub fn verify_elsewhere(ciphersuite: &str, pubkey: &str, digest: &[u8; 32], signature: &[u8]) {
    let key = hex::decode(pubkey).unwrap();
    match ciphersuite {
        "FROST-secp256k1-SHA256-TR-v1" => {
            let key = k256::schnorr::VerifyingKey::from_bytes(&key[1..]).unwrap();
            let signature = k256::schnorr::Signature::try_from(signature).unwrap();
            key.verify_prehash(digest, &signature).unwrap();
        }
        "FROST-secp256k1-SHA256-v1" => {
            let key = frost_secp256k1::VerifyingKey::deserialize(&key).unwrap();
            let signature = frost_secp256k1::Signature::deserialize(signature).unwrap();
            key.verify(digest, &signature).unwrap();
        }
        other => panic!("no code of others verifies signatures of {other} here"),
    }
}
