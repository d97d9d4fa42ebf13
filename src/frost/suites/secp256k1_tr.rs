//! `FROST-secp256k1-SHA256-TR-v1`: BIP-340 signatures, for Bitcoin Taproot and Nostr.

use frost_core::keys::PublicKeyPackage;
pub(super) use frost_secp256k1_tr::Secp256K1Sha256TR;
use frost_secp256k1_tr::keys::Tweak;
use frost_secp256k1_tr::{Error, VerifyingKey};

use super::sec1::is_compressed;
use crate::frost::info::{Address, AddressValue, KnownSuite, SuiteInfo, Use};
use crate::label::Label;

/// The first byte of a compressed point with an even y, which BIP-340 takes for every x-only key.
const EVEN: u8 = 2;

impl KnownSuite for Secp256K1Sha256TR {
    const INFO: SuiteInfo = SuiteInfo {
        name: "secp256k1-tr",
        label: Label::new("suite_secp256k1_tr", "BIP-340, for Bitcoin Taproot and Nostr"),
        signature_format: "BIP-340",
        // The x of R, and z.
        signature_size: 64,
        point_size: 33,
        bip340: true,
        uses: &[Use::TAPROOT, Use::NOSTR],
        warning: None,
    };

    fn is_canonical_point(bytes: &[u8]) -> bool {
        is_compressed(bytes)
    }

    /// Tweaks the key as BIP-341 does for an output without scripts, so that nobody can have hidden
    /// a script in it. The library does the same to every participant's key at the end of key
    /// generation.
    fn after_dkg(public: PublicKeyPackage<Self>) -> PublicKeyPackage<Self> {
        public.tweak::<&[u8]>(None)
    }

    fn verifying_key(bytes: &[u8]) -> Result<VerifyingKey, Error> {
        if bytes.len() == 32 {
            return VerifyingKey::deserialize(&[&[EVEN], bytes].concat());
        }
        VerifyingKey::deserialize(bytes)
    }

    /// The x-only key is the output key of BIP-341 as it is: key generation has tweaked it.
    fn addresses(key: &[u8]) -> Vec<Address> {
        let Some(Ok(x_only)) = key.get(1..).map(<[u8; 32]>::try_from) else { return Vec::new() };
        let output = |hrp| AddressValue::SegwitV1 { hrp, program: x_only };
        let npub = AddressValue::Bech32 { hrp: "npub", data: x_only.to_vec() };
        vec![
            Address { name: "bitcoin", label: "Bitcoin", value: output("bc") },
            Address { name: "testnet", label: "testnet", value: output("tb") },
            Address { name: "npub", label: "Nostr", value: npub },
            Address {
                name: "x_only",
                label: "x-only key",
                value: AddressValue::Hex(x_only.to_vec()),
            },
        ]
    }
}
