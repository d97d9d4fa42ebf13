//! Identities: the long-term key of a node, its signatures, contacts and invites (docs/PROTOCOL.md,
//! section 3, points 1 and 2; section 4, "Identity").
//!
//! The key is a secp256k1 key, since FROST needs that curve anyway. It makes BIP-340 signatures
//! over tagged hashes, so no signature made here is valid for anything else.

mod contacts;
mod invite;

pub use contacts::{Contact, ContactError, Contacts, Standing};
pub use invite::{Invite, InviteError, InviteSecret, InviteUri};

use std::fmt;
use std::str::FromStr;

use k256::schnorr::{SigningKey, VerifyingKey};
use rand_core::{CryptoRng, RngCore};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// A hash that is signed or compared, 32 bytes.
pub type Digest = [u8; 32];

/// `SHA-256(SHA-256(tag) || SHA-256(tag) || parts)` as in BIP-340, with each part behind its length
/// (u32, big-endian). Different lists of parts have different encodings, and different tags have
/// different digests.
#[must_use]
pub fn tagged_hash(tag: &str, parts: &[&[u8]]) -> Digest {
    let mut hash = tagged(tag);
    for part in parts {
        hash.update(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// The beginning of every tagged hash of BIP-340: `SHA-256(SHA-256(tag) || SHA-256(tag) || ...)`.
pub(crate) fn tagged(tag: &str) -> Sha256 {
    let tag = Sha256::digest(tag.as_bytes());
    Sha256::new().chain_update(tag).chain_update(tag)
}

/// The secret key of an identity. Wiped when dropped.
pub struct IdentityKey {
    seed: Zeroizing<[u8; 32]>,
    signing: SigningKey,
}

/// Shows the public identity and hides the secret.
impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("IdentityKey").field(&self.identity()).finish()
    }
}

impl IdentityKey {
    /// A new identity.
    pub fn generate(rng: &mut (impl RngCore + CryptoRng)) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        loop {
            rng.fill_bytes(seed.as_mut_slice());
            if let Some(key) = Self::from_seed(&seed) {
                return key;
            }
        }
    }

    /// The identity of a seed (see [`IdentityKey::seed`]). `None` for one in 2^128 seeds, which is
    /// no key.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Option<Self> {
        let signing = SigningKey::from_bytes(seed).ok()?;
        Some(Self { seed: Zeroizing::new(*seed), signing })
    }

    /// The seed, from which the key can be made again. Secret: to be stored in a sealed envelope.
    #[must_use]
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// The public identity.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity(self.signing.verifying_key().to_bytes().into())
    }

    /// Signs a digest (BIP-340, with fresh auxiliary randomness).
    pub fn sign(&self, digest: &Digest, rng: &mut (impl RngCore + CryptoRng)) -> Signature {
        let mut aux = Zeroizing::new([0; 32]);
        rng.fill_bytes(aux.as_mut_slice());
        // Fails only if the nonce is zero, which no hash is.
        self.signing
            .sign_raw(digest, &aux)
            .map_or(Signature([0; 64]), |signature| Signature(signature.to_bytes()))
    }

    /// The X25519 secret key for the handshakes of secure channels.
    #[must_use]
    pub fn noise_secret(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(tagged_hash("frostmesh/noise", &[self.seed.as_slice()]))
    }

    /// The `claim` for a signaling server: with it a node that reconnects takes over its own stale
    /// registration, and no other node can. Different for each server and peer id, so that it is
    /// worth nothing at another server.
    #[must_use]
    pub fn claim(&self, server_url: &str, peer_id: &str) -> Digest {
        let server_url = server_url.trim_end_matches('/');
        tagged_hash(
            "frostmesh/claim",
            &[self.seed.as_slice(), server_url.as_bytes(), peer_id.as_bytes()],
        )
    }
}

/// A node's long-term public key: 32 bytes, the x coordinate as in BIP-340. Shown as its
/// [`Fingerprint`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Identity(#[serde(with = "hex::serde")] [u8; 32]);

impl Identity {
    /// An identity from its bytes, if they are a point of the curve.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        VerifyingKey::from_bytes(bytes).ok().map(|key| Self(key.to_bytes().into()))
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether this identity made the signature of that digest.
    #[must_use]
    pub fn has_signed(&self, digest: &Digest, signature: &Signature) -> bool {
        let key = VerifyingKey::from_bytes(&self.0);
        let signature = k256::schnorr::Signature::try_from(signature.0.as_slice());
        matches!((key, signature), (Ok(key), Ok(signature)) if key.verify_raw(digest, &signature).is_ok())
    }

    /// The short form for people.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let hash = tagged_hash("frostmesh/fingerprint", &[&self.0]);
        let mut short = [0; 20];
        short.copy_from_slice(&hash[..20]);
        Fingerprint(short)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.fingerprint())
    }
}

/// Its bytes as hex.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A text that is no [`Identity`]: other than 64 hexadecimal digits, or no point of the curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an identity is 64 hexadecimal digits")]
pub struct BadIdentity;

impl FromStr for Identity {
    type Err = BadIdentity;

    fn from_str(text: &str) -> Result<Self, BadIdentity> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| BadIdentity)?;
        Self::from_bytes(&bytes).ok_or(BadIdentity)
    }
}

/// The short form of an identity for people: 160 bits, written in eight groups of four letters and
/// digits. Another identity with the same fingerprint takes 2^160 tries to find.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 20]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Base 32 of RFC 4648 in lower case. Five bytes make two groups.
        const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        for (index, five) in self.0.chunks(5).enumerate() {
            let bits = five.iter().fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
            for letter in 0..8u32 {
                if letter % 4 == 0 && (index > 0 || letter > 0) {
                    f.write_str("-")?;
                }
                let index = usize::try_from(bits >> (35 - 5 * letter) & 31).unwrap_or_default();
                write!(f, "{}", char::from(LETTERS[index]))?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A BIP-340 signature, 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Signature(#[serde(with = "hex::serde")] [u8; 64]);

impl Signature {
    /// A signature from its bytes. [`Identity::has_signed`] tells whether it is valid.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}
