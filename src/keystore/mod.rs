//! Keys at rest: a password, a key derived from it, and sealed envelopes. Bytes in, bytes out: the
//! drivers store them.
//!
//! A keystore has one random data key, wrapped by a key that Argon2id derives from the password.
//! Every envelope begins with the keystore's header, so each file can be opened with the password
//! alone, and a backup can be copied between the extension, the page and the command line. The
//! format has a version; header and kind are authenticated together with the content.

mod envelope;
mod kdf;
mod record;

pub use envelope::{Keystore, Kind};
pub use kdf::KdfParams;
pub use record::{RosterEntry, WalletInfo, WalletRecord, WalletRoster};

/// Why an envelope could not be opened or made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeystoreError {
    /// The password is wrong, or the header was changed: the two look the same.
    #[error("wrong password")]
    WrongPassword,
    /// The password is empty and would protect nothing.
    #[error("the password is empty: choose one")]
    EmptyPassword,
    /// The file is no envelope, or was cut or changed since it was sealed.
    #[error("the file is damaged: {0}")]
    Damaged(&'static str),
    /// The envelope has a newer version.
    #[error("the file has version {0}, which this program does not know: use a newer one")]
    UnknownVersion(u8),
    /// The key derivation parameters of the file are weaker than any that this program writes, or
    /// would exhaust this machine.
    #[error("the file's key derivation parameters are out of bounds ({0})")]
    KdfBounds(String),
    /// The envelope belongs to another keystore, with a password of its own.
    #[error("the file was sealed by another keystore: open it with that keystore's password")]
    OtherKeystore,
    /// The key derivation failed: not enough memory.
    #[error("the key could not be derived: {0}")]
    Kdf(String),
    /// The cipher failed, which it does for sizes of many gigabytes only.
    #[error("the data could not be sealed")]
    Seal,
}
