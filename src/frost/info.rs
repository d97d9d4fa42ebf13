//! What the file of a ciphersuite says about it: [`KnownSuite`].

use std::fmt;

use frost_core::Ciphersuite;
use frost_core::keys::PublicKeyPackage;
use serde::Serialize;

use crate::label::Label;

/// Something that keys of a ciphersuite can be used for: a capability, by its name for people.
/// Kinds of content name the one that they need. A new one is a constant in the file of the suite
/// or of the kind that has it first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Use(pub &'static str);

impl Use {
    /// A contract that verifies FROST's Schnorr signatures acts on them.
    pub const FROST_CONTRACT: Self = Self("FROST contracts");
    /// They spend outputs of Bitcoin Taproot (BIP-341).
    pub const TAPROOT: Self = Self("Bitcoin Taproot");
    /// They sign events of Nostr (NIP-01).
    pub const NOSTR: Self = Self("Nostr");
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What a ciphersuite says about itself, as plain values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SuiteInfo {
    /// Its short name in commands, events and views: `secp256k1`.
    pub name: &'static str,
    /// Which signatures its keys make and what for, in a few words.
    pub label: Label,
    /// The standard that its signatures follow: `RFC 9591`.
    pub signature_format: &'static str,
    /// Bytes of a signature.
    pub signature_size: usize,
    /// Bytes of a point in packages and of a group key.
    pub point_size: usize,
    /// Whether its signatures are those of BIP-340, and the world knows its keys by their x-only
    /// form: 32 bytes, the key without its first byte.
    pub bip340: bool,
    /// What its keys can be used for.
    pub uses: &'static [Use],
    /// What people have to know before they give a key's addresses to others.
    pub warning: Option<&'static str>,
}

/// A name by which the world knows a group key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Its field in JSON.
    pub name: &'static str,
    /// What people call it.
    pub label: &'static str,
    /// The name itself.
    pub value: AddressValue,
}

/// How an address is written. The command line writes those that need a library which is not in the
/// wasm module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressValue {
    /// Hexadecimal digits.
    Hex(Vec<u8>),
    /// A number of a contract: hexadecimal digits, shown to people behind `0x`.
    Word(Vec<u8>),
    /// A witness program of version 1 in bech32m (BIP-350).
    SegwitV1 {
        /// The human-readable part: `bc`.
        hrp: &'static str,
        /// The output key of BIP-341.
        program: [u8; 32],
    },
    /// Bech32 (BIP-173), as NIP-19 uses it.
    Bech32 {
        /// The human-readable part: `npub`.
        hrp: &'static str,
        /// What is encoded.
        data: Vec<u8>,
    },
    /// A text that the suite's file has encoded itself.
    Text(String),
}

/// What the file of a ciphersuite says beside what the library knows.
pub(super) trait KnownSuite: Ciphersuite {
    /// Names, sizes and uses.
    const INFO: SuiteInfo;

    /// Whether a point of [`SuiteInfo::point_size`] bytes, which the library has decoded, is
    /// written in the one way in which it has to be. The library reads several ways for some
    /// curves. To write each point again and compare would cost an inversion a point.
    fn is_canonical_point(bytes: &[u8]) -> bool;

    /// The last step of key generation: what the suite makes of the public key that the round-1
    /// packages add up to. Most suites leave it as it is.
    fn after_dkg(public: PublicKeyPackage<Self>) -> PublicKeyPackage<Self> {
        public
    }

    /// Reads a group key in each form that people may give to verify a signature.
    ///
    /// # Errors
    /// The bytes are no point of this curve.
    fn verifying_key(
        bytes: &[u8],
    ) -> Result<frost_core::VerifyingKey<Self>, frost_core::Error<Self>> {
        frost_core::VerifyingKey::deserialize(bytes)
    }

    /// The names by which the world knows a group key, in the order in which people see them. None,
    /// if the world knows it as it is. An address where nobody can act with this key must not be
    /// among them.
    fn addresses(key: &[u8]) -> Vec<Address>;
}
