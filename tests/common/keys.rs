//! Whether the shares that came out of a session belong together: they have to sign.

use std::collections::BTreeMap;

use frost_secp256k1::keys::{KeyPackage, PublicKeyPackage};
use frost_secp256k1::{Identifier, SigningPackage, aggregate, round1, round2};
use frostmesh::keystore::WalletRecord;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// Signs with these members' records, and verifies with the group key that every one of them holds.
pub fn sign_with(records: &[&WalletRecord], seed: u64) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let message = b"frostmesh: do these shares belong together?";
    let keys: BTreeMap<Identifier, KeyPackage> = records
        .iter()
        .map(|r| KeyPackage::deserialize(&r.key_package).unwrap())
        .map(|key| (*key.identifier(), key))
        .collect();
    let mut nonces = BTreeMap::new();
    let mut commitments = BTreeMap::new();
    for (id, key) in &keys {
        let (nonce, commitment) = round1::commit(key.signing_share(), &mut rng);
        nonces.insert(*id, nonce);
        commitments.insert(*id, commitment);
    }
    let package = SigningPackage::new(commitments, message);
    let shares = keys.iter().map(|(id, key)| (*id, round2::sign(&package, &nonces[id], key).unwrap())).collect();
    for record in records {
        let public = PublicKeyPackage::deserialize(&record.public_key_package).unwrap();
        let signature = aggregate(&package, &shares, &public).unwrap();
        public.verifying_key().verify(message, &signature).unwrap();
        assert_eq!(hex::encode(public.verifying_key().serialize().unwrap()), record.info.pubkey);
        assert_eq!(public.verifying_shares().len(), usize::from(record.info.total));
        let me = Identifier::try_from(record.info.identifier).unwrap();
        assert_eq!(keys[&me].verifying_share(), &public.verifying_shares()[&me]);
        assert_eq!(*keys[&me].min_signers(), record.info.threshold);
    }
}
