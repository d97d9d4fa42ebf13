//! Why a command is refused.

use crate::agreement::ProposalError;
use crate::wire::SessionId;

/// Most sessions that run at once, and most undecided proposals of others, of one node.
pub const MAX_SESSIONS: usize = 64;

/// Why a [`Command`] or driver input was refused. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The command needs a server.
    #[error("not connected to a signaling server: connect first")]
    Offline,
    /// No such session, or it is over.
    #[error("there is no session {0} that this applies to")]
    NoSuchSession(SessionId),
    /// The session id was used before.
    #[error("the session id {0} was used before: choose another")]
    SessionIdUsed(SessionId),
    /// A rule of section 2.
    #[error(transparent)]
    Proposal(#[from] ProposalError),
    /// The session takes peers that prove nothing, and nobody here said that this is all right.
    #[error(
        "nothing proves who the other participants of this session are, and whoever runs the signaling server could pose \
         as them: allow unverified peers to go on all the same"
    )]
    UnverifiedNotAllowed,
    /// An invite that cannot be used (any more).
    #[error("{0}")]
    Invite(&'static str),
    /// A contact that cannot be changed.
    #[error(transparent)]
    Contact(#[from] crate::identity::ContactError),
    /// No such wallet is in use here.
    #[error("there is no wallet {0} here")]
    NoSuchWallet(String),
    /// Nothing can be signed with a wallet.
    #[error("nothing can be signed with this wallet: {0}")]
    WalletUnusable(String),
    /// No such request.
    #[error("there is no request {0} here")]
    NoSuchRequest(String),
    /// A request that cannot be voted on any more.
    #[error("the request is {0}: nothing can be decided any more")]
    RequestOver(&'static str),
    /// A request that cannot be made.
    #[error("this cannot be asked for: {0}")]
    Request(String),
    /// The audit trail cannot be written, and without it nothing is decided.
    #[error("the audit trail cannot be written, and nothing is decided without it: {0}")]
    AuditLog(String),
    /// [`MAX_SESSIONS`] are open.
    #[error("{MAX_SESSIONS} sessions are open: finish or leave one first")]
    TooManySessions,
}
