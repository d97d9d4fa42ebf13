//! `FROST-secp256k1-SHA256-TR-v1`: BIP-340 signatures, for Bitcoin Taproot and Nostr.

use frost_core::keys::PublicKeyPackage;
use frost_secp256k1_tr::Secp256K1Sha256TR;
use frost_secp256k1_tr::keys::Tweak;

use super::Flavour;

/// The first byte of a compressed point whose y is even, as BIP-340 takes every x-only key.
const EVEN: u8 = 2;

impl Flavour for Secp256K1Sha256TR {
    const NAME: &'static str = "secp256k1-tr";
    const SIGNATURE: usize = 64;

    /// Its key generation ends with the tweak of BIP-341 for a key without scripts, so that nobody can have hidden one.
    fn settled(public: PublicKeyPackage<Self>) -> PublicKeyPackage<Self> {
        public.tweak::<&[u8]>(None)
    }

    fn verifying_key(
        bytes: &[u8],
    ) -> Result<frost_core::VerifyingKey<Self>, frost_core::Error<Self>> {
        if bytes.len() == 32 {
            return frost_core::VerifyingKey::deserialize(&[&[EVEN], bytes].concat());
        }
        frost_core::VerifyingKey::deserialize(bytes)
    }
}
