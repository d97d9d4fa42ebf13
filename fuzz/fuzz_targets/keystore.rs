//! Any bytes as a sealed envelope, and any bytes sealed as its content: foreign bytes never open,
//! and no content needs more memory or time than the limits allow.
#![no_main]

use std::sync::LazyLock;

use frostmesh::keystore::{KdfParams, Keystore, Kind, WalletRecord};
use libfuzzer_sys::fuzz_target;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// A keystore with the cheapest key derivation, made once.
static KEYSTORE: LazyLock<Keystore> = LazyLock::new(|| {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    Keystore::create("password", KdfParams::FLOOR, &mut rng).expect("a keystore")
});

fuzz_target!(|data: &[u8]| {
    let [first, bytes @ ..] = data else { return };
    let kind = [Kind::Wallet, Kind::Unconfirmed, Kind::Identity][usize::from(*first) % 3];
    assert!(KEYSTORE.open(kind, bytes).is_err(), "bytes that nobody sealed were opened");
    assert!(KEYSTORE.open_identity(bytes).is_err());
    // The content of an envelope of this keystore is parsed as carefully.
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let sealed = KEYSTORE.seal(kind, bytes, &mut rng).expect("sealing");
    let _ = KEYSTORE.open_record::<WalletRecord>(kind, &sealed);
    let _ = KEYSTORE.open_identity(&sealed);
});
