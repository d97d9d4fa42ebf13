//! Keys at rest: sealed envelopes come back as they were; damaged, relabelled and foreign ones are
//! refused.
#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::time::{Duration, Instant};

use frostmesh::keystore::{
    KdfParams, Keystore, KeystoreError, Kind, RosterEntry, WalletInfo, WalletRecord, WalletRoster,
};
use frostmesh::random::SystemRng;
use proptest::prelude::{any, proptest};
use zeroize::Zeroizing;

/// Position of the parameters in the header: behind the magic, the version and the kind of
/// derivation.
const PARAMS: usize = 9 + 1 + 1;
/// Size of the header, in bytes.
const HEADER: usize = PARAMS + 12 + 16 + 24 + 48;

fn keystore() -> Keystore {
    Keystore::create("correct horse", KdfParams::FLOOR, &mut SystemRng).unwrap()
}

fn record() -> WalletRecord {
    let roster = WalletRoster::numbered(["a", "b", "c"].map(|id| id.parse().unwrap()));
    let info = WalletInfo {
        name: None,
        pubkey: format!("02{}", "ab".repeat(32)),
        session_id: "a session".parse().unwrap(),
        ciphersuite: "FROST-secp256k1-SHA256-v1".to_owned(),
        threshold: 2,
        total: 3,
        participants: roster.names(),
        roster,
        identifier: 2,
        verified: false,
        created: 1_700_000_000_000,
    };
    WalletRecord {
        info,
        key_package: Zeroizing::new(vec![0x5a; 107]),
        public_key_package: vec![0xa5; 200],
        certificate: None,
    }
}

#[test]
fn a_wallet_comes_back_as_it_was() {
    let keystore = keystore();
    let sealed = keystore.seal_record(Kind::Wallet, &record(), &mut SystemRng).unwrap();
    let again = Keystore::unlock(&sealed, "correct horse")
        .unwrap()
        .open_record::<WalletRecord>(Kind::Wallet, &sealed)
        .unwrap();
    assert_eq!(again.info, record().info);
    assert_eq!(again.key_package, record().key_package);
    assert_eq!(again.public_key_package, record().public_key_package);
}

#[test]
fn a_wrong_password_opens_nothing() {
    let envelope = keystore().envelope(&mut SystemRng).unwrap();
    for wrong in ["", "correct hors", "correct horse ", "CORRECT HORSE"] {
        assert_eq!(
            Keystore::unlock(&envelope, wrong).err(),
            Some(KeystoreError::WrongPassword),
            "{wrong:?}"
        );
    }
    assert_eq!(
        Keystore::create("", KdfParams::FLOOR, &mut SystemRng).err(),
        Some(KeystoreError::EmptyPassword)
    );
}

#[test]
fn every_truncation_is_refused() {
    let keystore = keystore();
    let sealed = keystore.seal_record(Kind::Wallet, &record(), &mut SystemRng).unwrap();
    for length in 0..sealed.len() {
        let error =
            keystore.open_record::<WalletRecord>(Kind::Wallet, &sealed[..length]).unwrap_err();
        assert!(matches!(error, KeystoreError::Damaged(_)), "{length} bytes: {error}");
    }
}

#[test]
fn every_changed_byte_is_refused() {
    let keystore = keystore();
    let sealed = keystore.seal_record(Kind::Wallet, &record(), &mut SystemRng).unwrap();
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(keystore.open_record::<WalletRecord>(Kind::Wallet, &changed).is_err(), "byte {at}");
    }
    let mut longer = sealed.clone();
    longer.push(0);
    assert!(keystore.open_record::<WalletRecord>(Kind::Wallet, &longer).is_err());
}

#[test]
fn a_changed_header_does_not_unlock() {
    let envelope = keystore().envelope(&mut SystemRng).unwrap();
    // A sample of salt, nonce and wrapped key, since each try derives a key.
    for at in [PARAMS + 12, PARAMS + 27, PARAMS + 28, PARAMS + 51, PARAMS + 52, HEADER - 1] {
        let mut changed = envelope.clone();
        changed[at] ^= 1;
        assert_eq!(
            Keystore::unlock(&changed, "correct horse").err(),
            Some(KeystoreError::WrongPassword),
            "byte {at}"
        );
    }
}

#[test]
fn parameters_out_of_bounds_are_refused_before_any_memory_is_taken() {
    let envelope = keystore().envelope(&mut SystemRng).unwrap();
    let with = |memory: u32, passes: u32, lanes: u32| {
        let mut changed = envelope.clone();
        for (i, value) in [memory, passes, lanes].into_iter().enumerate() {
            changed[PARAMS + 4 * i..PARAMS + 4 * i + 4].copy_from_slice(&value.to_be_bytes());
        }
        changed
    };
    let good = KdfParams::FLOOR;
    let started = Instant::now();
    for (memory, passes, lanes) in [
        (0, good.passes, good.lanes),
        (good.memory_kib - 1, good.passes, good.lanes),
        (KdfParams::CEILING.memory_kib + 1, good.passes, good.lanes),
        (u32::MAX, u32::MAX, u32::MAX),
        (good.memory_kib, 1, good.lanes),
        (good.memory_kib, u32::MAX, good.lanes),
        (good.memory_kib, good.passes, 0),
        (good.memory_kib, good.passes, 17),
    ] {
        let error = Keystore::unlock(&with(memory, passes, lanes), "correct horse").unwrap_err();
        assert!(matches!(error, KeystoreError::KdfBounds(_)), "{memory} {passes} {lanes}: {error}");
    }
    assert!(started.elapsed() < Duration::from_secs(5), "a derivation was run");
    let weak = KdfParams { memory_kib: 1024, passes: 1, lanes: 1 };
    assert!(matches!(
        Keystore::create("x", weak, &mut SystemRng),
        Err(KeystoreError::KdfBounds(_))
    ));
}

#[test]
fn one_kind_does_not_pass_for_another() {
    let keystore = keystore();
    let sealed = keystore.seal_record(Kind::Unconfirmed, &record(), &mut SystemRng).unwrap();
    assert!(keystore.open_record::<WalletRecord>(Kind::Wallet, &sealed).is_err());
    let mut relabelled = sealed.clone();
    relabelled[HEADER] = 1; // the kind "wallet"
    assert!(
        keystore.open_record::<WalletRecord>(Kind::Wallet, &relabelled).is_err(),
        "the kind is authenticated"
    );
    assert!(keystore.open_record::<WalletRecord>(Kind::Unconfirmed, &sealed).is_ok());
}

#[test]
fn an_envelope_of_another_keystore_says_so() {
    let sealed = keystore().seal_record(Kind::Wallet, &record(), &mut SystemRng).unwrap();
    assert_eq!(
        keystore().open_record::<WalletRecord>(Kind::Wallet, &sealed).err(),
        Some(KeystoreError::OtherKeystore)
    );
}

#[test]
fn a_file_of_another_kind_or_version_says_so() {
    let mut newer = keystore().envelope(&mut SystemRng).unwrap();
    newer[9] = 2;
    assert_eq!(
        Keystore::unlock(&newer, "correct horse").err(),
        Some(KeystoreError::UnknownVersion(2))
    );
    assert!(matches!(Keystore::unlock(b"#!/bin/sh", "x"), Err(KeystoreError::Damaged(_))));
    let huge = vec![b'f'; 1024 * 1024];
    assert!(matches!(Keystore::unlock(&huge, "x"), Err(KeystoreError::Damaged(_))));
}

#[test]
fn nothing_of_a_wallet_is_readable_without_the_password() {
    let record = record();
    let sealed = keystore().seal_record(Kind::Wallet, &record, &mut SystemRng).unwrap();
    let holds = |needle: &[u8]| sealed.windows(needle.len()).any(|w| w == needle);
    assert!(!holds(&record.key_package[..8]));
    assert!(!holds(hex::encode(&record.key_package[..8]).as_bytes()));
    assert!(!holds(&record.info.pubkey.as_bytes()[..16]), "the group key is hidden as well");
    let shown = format!("{record:?} {:?}", keystore());
    assert!(!shown.contains("5a5a") && !shown.contains("90, 90"), "{shown}");
}

#[test]
fn two_envelopes_of_the_same_record_differ() {
    let keystore = keystore();
    let seal = || keystore.seal_record(Kind::Wallet, &record(), &mut SystemRng).unwrap();
    assert_ne!(seal(), seal());
}

/// Backups are copied between the extension, the page and the command line, and opened by later
/// versions.
#[test]
fn an_envelope_of_version_1_still_opens() {
    let envelope = hex::decode(include_str!("vectors/envelope-v1.hex").trim()).unwrap();
    let opened = Keystore::unlock(&envelope, "correct horse")
        .unwrap()
        .open_record::<WalletRecord>(Kind::Wallet, &envelope)
        .unwrap();
    assert_eq!((opened.info, opened.key_package), (record().info, record().key_package));
}

#[test]
fn a_record_names_identifiers_and_one_without_them_is_read_by_position() {
    let written = serde_json::to_value(record()).unwrap();
    assert_eq!(written["participants"], serde_json::json!(["a", "b", "c"]));
    assert_eq!(written["roster"][1], serde_json::json!({ "identifier": 2, "peer_id": "b" }));
    let read = |value: &serde_json::Value| {
        serde_json::from_value::<WalletRecord>(value.clone()).map(|record| record.info)
    };
    assert_eq!(read(&written).unwrap(), record().info);
    let mut older = written.clone();
    older.as_object_mut().unwrap().remove("roster");
    assert_eq!(read(&older).unwrap(), record().info);

    // After a change of members identifiers need not be positions.
    let entry = |identifier, name: &str| RosterEntry { identifier, peer_id: name.parse().unwrap() };
    let mut changed = record();
    changed.info.roster = WalletRoster::new(vec![entry(2, "d"), entry(7, "a")]).unwrap();
    changed.info.participants = changed.info.roster.names();
    let again = read(&serde_json::to_value(&changed).unwrap()).unwrap();
    assert_eq!(again, changed.info);
    assert_eq!(again.own_name().unwrap().as_str(), "d");
    assert_eq!(again.roster.peer(7).unwrap().as_str(), "a");
    for bad in [
        vec![entry(1, "a"), entry(1, "b")],
        vec![entry(0, "a"), entry(1, "b")],
        vec![entry(2, "a"), entry(1, "b")],
    ] {
        assert!(WalletRoster::new(bad.clone()).is_none());
        let mut wrong = written.clone();
        wrong["roster"] = serde_json::to_value(bad).unwrap();
        assert!(read(&wrong).is_err());
    }
}

#[test]
fn any_kind_and_any_size_come_back_as_they_were() {
    let keystore = keystore();
    let mut large = record();
    let names = (0..64).map(|n| format!("{n:064}").parse().unwrap());
    large.info.roster = WalletRoster::numbered(names);
    large.info.participants = large.info.roster.names();
    large.public_key_package = vec![7; 64 * 80];
    let sealed = keystore.seal_record(Kind::Unconfirmed, &large, &mut SystemRng).unwrap();
    let opened = keystore.open_record::<WalletRecord>(Kind::Unconfirmed, &sealed).unwrap();
    assert_eq!((opened.info, opened.public_key_package), (large.info, large.public_key_package));
    let envelope = keystore.envelope(&mut SystemRng).unwrap();
    assert!(keystore.open(Kind::Keystore, &envelope).unwrap().is_empty());
}

#[test]
fn no_kind_passes_for_any_other() {
    let keystore = keystore();
    let kinds = [Kind::Keystore, Kind::Wallet, Kind::Unconfirmed];
    for kind in kinds {
        let sealed = keystore.seal(kind, b"share", &mut SystemRng).unwrap();
        for (number, other) in (0..).zip(kinds).filter(|(_, other)| *other != kind) {
            let mut relabelled = sealed.clone();
            relabelled[HEADER] = number;
            assert!(
                keystore.open(other, &sealed).is_err()
                    && keystore.open(other, &relabelled).is_err()
            );
        }
    }
}

#[test]
fn a_truncated_file_does_not_unlock_and_a_bare_header_holds_nothing() {
    let sealed = keystore().seal(Kind::Wallet, b"share", &mut SystemRng).unwrap();
    for length in 0..HEADER {
        assert!(matches!(
            Keystore::unlock(&sealed[..length], "correct horse"),
            Err(KeystoreError::Damaged(_))
        ));
    }
    let bare = Keystore::unlock(&sealed[..HEADER], "correct horse").unwrap();
    assert!(matches!(bare.open(Kind::Wallet, &sealed[..HEADER]), Err(KeystoreError::Damaged(_))));
}

#[test]
fn a_body_cannot_be_moved_under_another_header() {
    let (ours, theirs) = (keystore(), keystore());
    let envelope = ours.envelope(&mut SystemRng).unwrap();
    let sealed = theirs.seal(Kind::Wallet, b"share", &mut SystemRng).unwrap();
    let grafted = [&envelope[..HEADER], &sealed[HEADER..]].concat();
    assert!(matches!(ours.open(Kind::Wallet, &grafted), Err(KeystoreError::Damaged(_))));
}

#[test]
fn what_is_sealed_and_is_no_record_is_refused() {
    let keystore = keystore();
    for plain in [&b""[..], b"{}", b"[1]", b"\xff\xfe"] {
        let sealed = keystore.seal(Kind::Wallet, plain, &mut SystemRng).unwrap();
        assert!(matches!(
            keystore.open_record::<WalletRecord>(Kind::Wallet, &sealed),
            Err(KeystoreError::Damaged(_))
        ));
    }
}

#[test]
fn the_default_parameters_are_those_of_the_design() {
    assert_eq!(KdfParams::default(), KdfParams { memory_kib: 64 * 1024, passes: 3, lanes: 4 });
    let keystore = Keystore::create("correct horse", KdfParams::default(), &mut SystemRng).unwrap();
    let envelope = keystore.envelope(&mut SystemRng).unwrap();
    assert_eq!(envelope[PARAMS..PARAMS + 12], [0, 1, 0, 0, 0, 0, 0, 3, 0, 0, 0, 4]);
    Keystore::unlock(&envelope, "correct horse").unwrap();
}

#[test]
fn no_error_repeats_the_password() {
    let envelope = keystore().envelope(&mut SystemRng).unwrap();
    let error = Keystore::unlock(&envelope, "a wrong secret").unwrap_err();
    assert!(!format!("{error} {error:?}").contains("wrong secret"));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), with_magic in any::<bool>()) {
        // Random parameters are out of bounds almost always, so this derives no keys.
        let file = if with_magic { [&b"frostmesh\x01\x01"[..], &bytes].concat() } else { bytes };
        let _ = Keystore::unlock(&file, "correct horse");
    }
}
