//! Any bytes as a package of key generation, in both rounds: they are refused, or the error of a
//! later step blames their sender.
#![no_main]

use std::collections::BTreeMap;

use frostmesh::frost::Suite;
use libfuzzer_sys::fuzz_target;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use zeroize::Zeroizing;

fuzz_target!(|data: &[u8]| {
    let [first, bytes @ ..] = data else { return };
    let Some(suite) = Suite::all().nth(usize::from(first / 2) % 2) else { return };
    assert!(suite.verify(bytes, &[7; 32], bytes).is_err(), "bytes of nobody are a signature");
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut start = |identifier| suite.start(identifier, 2, 2, &mut rng).expect("round 1");
    let (one, two) = (start(1), start(2));
    if first % 2 == 0 {
        if one.check(bytes).is_ok() {
            let culprit = one
                .advance(&BTreeMap::from([(2, bytes.to_vec())]))
                .err()
                .map(|(identifier, _)| identifier);
            assert!(
                culprit.is_none_or(|identifier| identifier == Some(2)),
                "the wrong one is blamed: {culprit:?}"
            );
        }
        return;
    }
    let good = two.package().to_vec();
    let (round2, _) = one.advance(&BTreeMap::from([(2, good)])).expect("round 2");
    if round2.check(bytes).is_ok() {
        let share = Zeroizing::new(bytes.to_vec());
        let (culprit, _) =
            round2.finish(&BTreeMap::from([(2, share)])).err().expect("a share from nowhere fits");
        assert_eq!(culprit, Some(2));
    }
});
