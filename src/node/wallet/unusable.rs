//! Why nothing can be signed with a wallet.

use crate::audit::AuditError;
use crate::wire::PeerId;

/// Why nothing can be signed with a wallet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum UnusableWallet {
    #[error(
        "it has no certificate: nothing proves who its other members are, and so nobody could tell whose votes count"
    )]
    NoCertificate,
    #[error("it was made by another identity than this node's")]
    OtherIdentity,
    #[error("its ciphersuite is not known here")]
    UnknownSuite,
    #[error("its roster names {0}, whom its certificate does not know")]
    Roster(PeerId),
    /// The key cannot be read: what is wrong with it.
    #[error("{0}")]
    Key(String),
    #[error(transparent)]
    AuditLog(#[from] AuditError),
}
