//! `FROST-secp256k1-SHA256-v1` (RFC 9591, section 6.5): signatures of 65 bytes that contracts verify.

use frost_core::keys::PublicKeyPackage;
use frost_secp256k1::Secp256K1Sha256;

use super::Flavour;

impl Flavour for Secp256K1Sha256 {
    const NAME: &'static str = "secp256k1";
    const SIGNATURE: usize = 65;

    fn settled(public: PublicKeyPackage<Self>) -> PublicKeyPackage<Self> {
        public
    }
}
