//! `FROST-ED25519-SHA512-v1` (RFC 9591, section 6.1), as a toy: a suite with points of 32 bytes and
//! signatures of 64 bytes that are none of BIP-340.

pub(super) use frost_ed25519::Ed25519Sha512;

use crate::frost::info::{Address, AddressValue, KnownSuite, SuiteInfo, Use};
use crate::label::Label;

impl KnownSuite for Ed25519Sha512 {
    const INFO: SuiteInfo = SuiteInfo {
        name: "toy-suite",
        label: Label::new("suite_toy", "RFC 9591 with Ed25519, to play with"),
        signature_format: "RFC 8032",
        // R and z.
        signature_size: 64,
        point_size: 32,
        bip340: false,
        uses: &[Use("toys")],
        warning: Some("This key is a toy."),
    };

    /// The library refuses every other way of writing a point: none of the few has the prime order.
    fn is_canonical_point(_: &[u8]) -> bool {
        true
    }

    fn addresses(key: &[u8]) -> Vec<Address> {
        let value = AddressValue::Text(format!("toy:{}", hex::encode(key)));
        vec![Address { name: "toy", label: "Toy", value }]
    }
}
