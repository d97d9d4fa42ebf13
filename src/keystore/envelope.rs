//! The sealed envelope, version 1.
//!
//! ```text
//! header   9  "frostmesh"
//!          1  version, 1
//!          1  key derivation, 1 = Argon2id
//!         12  memory in KiB, passes, lanes: u32 each, big-endian
//!         16  salt
//!         24  nonce     } the data key, wrapped by the derived key
//!         48  ciphertext} (XChaCha20-Poly1305; associated data: all of the header before it)
//! body     1  kind: 0 keystore, 1 wallet, 2 unconfirmed key, 3 identity, 4 contacts, 5 evidence,
//!             6 entry of an audit log, 7 head of an audit log, 8 settings
//!         24  nonce
//!          n  ciphertext  (XChaCha20-Poly1305 under the data key; associated data: header, kind)
//! ```

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use rand_core::{CryptoRng, RngCore};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::kdf::{KEY, SALT};
use super::{KdfParams, KeystoreError};
use crate::identity::IdentityKey;

const MAGIC: &[u8; 9] = b"frostmesh";
const VERSION: u8 = 1;
const ARGON2ID: u8 = 1;
const NONCE: usize = 24;
const TAG: usize = 16;
const PARAMS_AT: usize = MAGIC.len() + 2;
const SALT_AT: usize = PARAMS_AT + KdfParams::ENCODED;
const WRAP_AT: usize = SALT_AT + SALT;
const HEADER: usize = WRAP_AT + NONCE + KEY + TAG;
/// Largest envelope that is read, in bytes. A wallet of 64 participants takes 0.3 MB with its
/// certificate, 4,096 contacts take 1.2 MB.
const MAX_ENVELOPE: usize = 2 * 1024 * 1024;

/// The content of an envelope. Authenticated, so that an envelope of one kind cannot replace one of
/// another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No content: the header alone, which proves the password.
    Keystore,
    /// The key of a wallet that all participants confirmed.
    Wallet,
    /// A key that not all participants have confirmed. It must not be used.
    Unconfirmed,
    /// The seed of this node's identity key.
    Identity,
    /// The contacts.
    Contacts,
    /// Evidence of equivocation.
    Evidence,
    /// An entry of a wallet's audit log.
    Entry,
    /// The head of a wallet's audit log.
    Head,
    /// The settings that the command line stores between its runs.
    Settings,
}

impl Kind {
    fn byte(self) -> u8 {
        match self {
            Self::Keystore => 0,
            Self::Wallet => 1,
            Self::Unconfirmed => 2,
            Self::Identity => 3,
            Self::Contacts => 4,
            Self::Evidence => 5,
            Self::Entry => 6,
            Self::Head => 7,
            Self::Settings => 8,
        }
    }
}

/// An unlocked keystore: seals and opens envelopes. Its data key is wiped when it is dropped.
pub struct Keystore {
    header: [u8; HEADER],
    data_key: Zeroizing<[u8; KEY]>,
}

/// Hides the key.
impl std::fmt::Debug for Keystore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keystore").finish_non_exhaustive()
    }
}

impl Keystore {
    /// A new keystore with a random data key.
    ///
    /// # Errors
    /// An empty password, or parameters out of bounds.
    pub fn create(
        password: &str,
        params: KdfParams,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Self, KeystoreError> {
        if password.is_empty() {
            return Err(KeystoreError::EmptyPassword);
        }
        let mut header = [0; HEADER];
        header[..MAGIC.len()].copy_from_slice(MAGIC);
        header[MAGIC.len()] = VERSION;
        header[MAGIC.len() + 1] = ARGON2ID;
        header[PARAMS_AT..SALT_AT].copy_from_slice(&params.checked()?.encode());
        rng.fill_bytes(&mut header[SALT_AT..WRAP_AT + NONCE]);
        let mut data_key = Zeroizing::new([0; KEY]);
        rng.fill_bytes(data_key.as_mut_slice());
        let wrapping_key = params.derive(password, &salt(&header)?)?;
        let wrapped = {
            let (aad, nonce) = (&header[..WRAP_AT], &header[WRAP_AT..WRAP_AT + NONCE]);
            let payload = Payload { msg: data_key.as_slice(), aad };
            cipher(&wrapping_key)
                .encrypt(XNonce::from_slice(nonce), payload)
                .map_err(|_| KeystoreError::Seal)?
        };
        header[WRAP_AT + NONCE..].copy_from_slice(&wrapped);
        Ok(Self { header, data_key })
    }

    /// Unlocks the keystore of an envelope of any kind.
    ///
    /// # Errors
    /// The password is wrong, or the file is damaged or has key derivation parameters out of
    /// bounds.
    pub fn unlock(envelope: &[u8], password: &str) -> Result<Self, KeystoreError> {
        let header = read_header(envelope)?;
        let params = header[PARAMS_AT..SALT_AT]
            .try_into()
            .map_err(|_| KeystoreError::Damaged("no header"))?;
        let wrapping_key = KdfParams::decode(&params)?.derive(password, &salt(&header)?)?;
        let (aad, nonce) = (&header[..WRAP_AT], &header[WRAP_AT..WRAP_AT + NONCE]);
        let payload = Payload { msg: &header[WRAP_AT + NONCE..], aad };
        let opened = cipher(&wrapping_key).decrypt(XNonce::from_slice(nonce), payload);
        let opened = Zeroizing::new(opened.map_err(|_| KeystoreError::WrongPassword)?);
        let mut data_key = Zeroizing::new([0; KEY]);
        data_key.copy_from_slice(
            opened.get(..KEY).ok_or(KeystoreError::Damaged("the key is too short"))?,
        );
        Ok(Self { header, data_key })
    }

    /// The envelope of the keystore itself, to be stored before any other.
    ///
    /// # Errors
    /// [`KeystoreError::Seal`], which does not happen in practice.
    pub fn envelope(&self, rng: &mut (impl RngCore + CryptoRng)) -> Result<Vec<u8>, KeystoreError> {
        self.seal(Kind::Keystore, b"", rng)
    }

    /// Seals bytes under a fresh nonce.
    ///
    /// # Errors
    /// [`KeystoreError::Seal`], which does not happen in practice.
    pub fn seal(
        &self,
        kind: Kind,
        plain: &[u8],
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Vec<u8>, KeystoreError> {
        let mut nonce = [0; NONCE];
        rng.fill_bytes(&mut nonce);
        let payload = Payload { msg: plain, aad: &self.associated(kind) };
        let sealed = cipher(&self.data_key).encrypt(XNonce::from_slice(&nonce), payload);
        Ok([&self.header[..], &[kind.byte()], &nonce, &sealed.map_err(|_| KeystoreError::Seal)?]
            .concat())
    }

    /// Opens an envelope of this keystore, which has to be of `kind`.
    ///
    /// # Errors
    /// The envelope belongs to another keystore, is of another kind, or is damaged.
    pub fn open(&self, kind: Kind, envelope: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeystoreError> {
        if read_header(envelope)? != self.header {
            return Err(KeystoreError::OtherKeystore);
        }
        let body = &envelope[HEADER..];
        let (Some(found), Some(nonce), Some(sealed)) =
            (body.first(), body.get(1..=NONCE), body.get(1 + NONCE..))
        else {
            return Err(KeystoreError::Damaged("it is cut short"));
        };
        if *found != kind.byte() {
            return Err(KeystoreError::Damaged("it holds something else than its place says"));
        }
        let payload = Payload { msg: sealed, aad: &self.associated(kind) };
        let plain = cipher(&self.data_key).decrypt(XNonce::from_slice(nonce), payload);
        plain.map(Zeroizing::new).map_err(|_| KeystoreError::Damaged("it was cut short or changed"))
    }

    /// Seals a record: a wallet, contacts, evidence.
    ///
    /// # Errors
    /// [`KeystoreError::Seal`], which does not happen in practice.
    pub fn seal_record(
        &self,
        kind: Kind,
        record: &impl Serialize,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Vec<u8>, KeystoreError> {
        // Large enough for any wallet, so that no copy of the signing share is left in a buffer
        // that was too small.
        let mut plain = Zeroizing::new(Vec::with_capacity(64 * 1024));
        serde_json::to_writer(&mut *plain, record).map_err(|_| KeystoreError::Seal)?;
        self.seal(kind, &plain, rng)
    }

    /// Opens a record.
    ///
    /// # Errors
    /// As [`Keystore::open`].
    pub fn open_record<T: DeserializeOwned>(
        &self,
        kind: Kind,
        envelope: &[u8],
    ) -> Result<T, KeystoreError> {
        let plain = self.open(kind, envelope)?;
        serde_json::from_slice(&plain)
            .map_err(|_| KeystoreError::Damaged("its record cannot be read"))
    }

    /// Seals the secret key of an identity.
    ///
    /// # Errors
    /// [`KeystoreError::Seal`], which does not happen in practice.
    pub fn seal_identity(
        &self,
        key: &IdentityKey,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Vec<u8>, KeystoreError> {
        self.seal(Kind::Identity, key.seed(), rng)
    }

    /// Opens the secret key of an identity.
    ///
    /// # Errors
    /// As [`Keystore::open`].
    pub fn open_identity(&self, envelope: &[u8]) -> Result<IdentityKey, KeystoreError> {
        let seed = self.open(Kind::Identity, envelope)?;
        let key = seed.as_slice().try_into().ok().and_then(IdentityKey::from_seed);
        key.ok_or(KeystoreError::Damaged("it holds no identity"))
    }

    fn associated(&self, kind: Kind) -> [u8; HEADER + 1] {
        let mut out = [kind.byte(); HEADER + 1];
        out[..HEADER].copy_from_slice(&self.header);
        out
    }
}

fn cipher(key: &[u8; KEY]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.into())
}

fn salt(header: &[u8; HEADER]) -> Result<[u8; SALT], KeystoreError> {
    header[SALT_AT..WRAP_AT].try_into().map_err(|_| KeystoreError::Damaged("no salt"))
}

fn read_header(envelope: &[u8]) -> Result<[u8; HEADER], KeystoreError> {
    if envelope.len() > MAX_ENVELOPE {
        return Err(KeystoreError::Damaged("it is larger than any wallet"));
    }
    if !envelope.starts_with(MAGIC) {
        return Err(KeystoreError::Damaged("it is no frostmesh file"));
    }
    let header =
        envelope.first_chunk::<HEADER>().ok_or(KeystoreError::Damaged("it is cut short"))?;
    match (header[MAGIC.len()], header[MAGIC.len() + 1]) {
        (VERSION, ARGON2ID) => Ok(*header),
        (VERSION, _) => Err(KeystoreError::Damaged("its key derivation is not known")),
        (version, _) => Err(KeystoreError::UnknownVersion(version)),
    }
}
