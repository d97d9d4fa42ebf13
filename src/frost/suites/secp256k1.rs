//! `FROST-secp256k1-SHA256-v1` (RFC 9591, section 6.5): signatures that contracts verify.

pub(super) use frost_secp256k1::Secp256K1Sha256;
use k256::elliptic_curve::sec1::ToEncodedPoint;

use super::sec1::is_compressed;
use crate::frost::info::{Address, AddressValue, KnownSuite, SuiteInfo, Use};
use crate::label::Label;

impl KnownSuite for Secp256K1Sha256 {
    const INFO: SuiteInfo = SuiteInfo {
        name: "secp256k1",
        label: Label::new("suite_secp256k1", "RFC 9591, for contracts that verify FROST"),
        signature_format: "RFC 9591",
        // R, compressed, and z.
        signature_size: 65,
        point_size: 33,
        bip340: false,
        uses: &[Use::FROST_CONTRACT],
        warning: Some(
            "This is no Ethereum account: FROST makes Schnorr signatures, and whatever is sent to \
             an address made of this key is lost. Only a contract that verifies such signatures \
             can act on it.",
        ),
    };

    fn is_canonical_point(bytes: &[u8]) -> bool {
        is_compressed(bytes)
    }

    /// The coordinates of the key: what a contract that verifies its signatures has to know.
    fn addresses(key: &[u8]) -> Vec<Address> {
        let Ok(key) = k256::PublicKey::from_sec1_bytes(key) else { return Vec::new() };
        let point = key.to_encoded_point(false);
        let coordinates = [("px", point.x()), ("py", point.y())];
        let address = |(name, coordinate): (&'static str, Option<&k256::FieldBytes>)| {
            let value = AddressValue::Word(coordinate?.to_vec());
            Some(Address { name, label: name, value })
        };
        coordinates.into_iter().filter_map(address).collect()
    }
}
