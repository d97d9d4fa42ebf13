//! Keys at rest: a password, a key derived from it, and sealed envelopes. Bytes in, bytes out; the drivers store them.
//!
//! A keystore has one random data key, wrapped by a key that Argon2id derives from the password. Every envelope carries
//! the keystore's header in front, so each file can be opened by itself with the password: a backup moves between the
//! extension, the page and the command line as it is. [`envelope`](self) is versioned, and its header and kind are
//! authenticated with what it holds.

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
    /// The password is wrong (or the header was changed: the two cannot be told apart).
    #[error("wrong password")]
    WrongPassword,
    /// An empty password protects nothing.
    #[error("the password is empty: choose one")]
    EmptyPassword,
    /// Not an envelope, cut short, or changed since it was sealed.
    #[error("the file is damaged: {0}")]
    Damaged(&'static str),
    /// An envelope of a newer version.
    #[error("the file has version {0}, which this program does not know: use a newer one")]
    UnknownVersion(u8),
    /// The file asks for a key derivation that is too weak to have been made here, or that would exhaust this machine.
    #[error("the file's key derivation parameters are out of bounds ({0})")]
    KdfBounds(String),
    /// The envelope belongs to another keystore: open it with its own password.
    #[error("the file was sealed by another keystore: open it with that keystore's password")]
    OtherKeystore,
    /// The machine could not derive the key.
    #[error("the key could not be derived: {0}")]
    Kdf(String),
    /// The cipher refused, which it does for sizes of many gigabytes only.
    #[error("the data could not be sealed")]
    Seal,
}
