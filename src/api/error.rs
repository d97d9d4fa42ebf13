//! Why a command is refused: in words for people, and as a code that programs can rely on.

use serde::Serialize;

use crate::agreement::ProposalError;
use crate::keystore::KeystoreError;
use crate::wire::SessionId;

/// Most sessions that run at once, and most undecided proposals of others, of one node.
pub const MAX_SESSIONS: usize = 64;

/// Why a [`super::Command`] or driver input was refused. Nothing was changed.
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
    /// The session accepts participants without a verified identity, and the person here did not
    /// allow that.
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
    /// The beginning of an id that several requests share.
    #[error("{0} is the beginning of several requests: give more of it")]
    SeveralRequests(String),
    /// A request that cannot be voted on any more.
    #[error("the request is {0}: nothing can be decided any more")]
    RequestOver(&'static str),
    /// A request that cannot be made.
    #[error("this cannot be asked for: {0}")]
    Request(String),
    /// The audit log cannot be written, and without it nothing is decided.
    #[error("the audit trail cannot be written, and nothing is decided without it: {0}")]
    AuditLog(String),
    /// [`MAX_SESSIONS`] are open.
    #[error("{MAX_SESSIONS} sessions are open: finish or leave one first")]
    TooManySessions,
}

impl Error {
    /// The code that surfaces give programs.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Offline => ErrorCode::Offline,
            Self::NoSuchSession(_) => ErrorCode::NoSuchSession,
            Self::SessionIdUsed(_) | Self::Proposal(_) | Self::TooManySessions => {
                ErrorCode::BadProposal
            }
            Self::UnverifiedNotAllowed => ErrorCode::UnverifiedNotAllowed,
            Self::Invite(_) => ErrorCode::BadInvite,
            Self::Contact(_) => ErrorCode::BadContact,
            Self::NoSuchWallet(_) | Self::WalletUnusable(_) => ErrorCode::NoSuchWallet,
            Self::NoSuchRequest(_) | Self::SeveralRequests(_) => ErrorCode::NoSuchRequest,
            Self::RequestOver(_) | Self::Request(_) => ErrorCode::BadRequest,
            Self::AuditLog(_) => ErrorCode::Storage,
        }
    }
}

/// What kind of refusal it is, for programs. The names are part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum ErrorCode {
    /// The password does not open the keystore.
    WrongPassword,
    /// The password protects nothing.
    WeakPassword,
    /// The keystore is locked.
    Locked,
    /// There is no connection to a signaling server.
    Offline,
    /// Not the address of a signaling server.
    BadServerUrl,
    /// Not a peer id.
    BadPeerId,
    /// A session that cannot be proposed.
    BadProposal,
    /// An invite that cannot be read or used.
    BadInvite,
    /// A contact that cannot be changed.
    BadContact,
    /// The session accepts participants without a verified identity: the person has to allow that.
    UnverifiedNotAllowed,
    /// No such session, or it is over.
    NoSuchSession,
    /// No such wallet, or nothing can be signed with it.
    NoSuchWallet,
    /// No such request.
    NoSuchRequest,
    /// A request that cannot be made, or cannot be decided any more.
    BadRequest,
    /// Data could not be stored or loaded.
    Storage,
    /// The command itself is malformed, or a fault of this program.
    Internal,
}

impl ErrorCode {
    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::WrongPassword => "wrong_password",
            Self::WeakPassword => "weak_password",
            Self::Locked => "locked",
            Self::Offline => "offline",
            Self::BadServerUrl => "bad_server_url",
            Self::BadPeerId => "bad_peer_id",
            Self::BadProposal => "bad_proposal",
            Self::BadInvite => "bad_invite",
            Self::BadContact => "bad_contact",
            Self::UnverifiedNotAllowed => "unverified_not_allowed",
            Self::NoSuchSession => "no_such_session",
            Self::NoSuchWallet => "no_such_wallet",
            Self::NoSuchRequest => "no_such_request",
            Self::BadRequest => "bad_request",
            Self::Storage => "storage",
            Self::Internal => "internal",
        }
    }
}

/// A refusal as surfaces give it to programs: a code, and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Refusal {
    /// What kind of refusal it is.
    pub code: ErrorCode,
    /// What is wrong, and what to do about it.
    pub message: String,
}

impl Refusal {
    /// A refusal with its sentence.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl ToString) -> Self {
        Self { code, message: message.to_string() }
    }

    /// The refusal of what needs the node, while the keystore is locked.
    #[must_use]
    pub fn locked() -> Self {
        let text =
            "unlock first: the node has no identity until then, and what comes no place to be kept";
        Self::new(ErrorCode::Locked, text)
    }

    /// The refusal of what could not be stored or loaded.
    #[must_use]
    pub fn storage(message: impl ToString) -> Self {
        Self::new(ErrorCode::Storage, message)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::new(error.code(), error)
    }
}

impl From<KeystoreError> for Refusal {
    fn from(error: KeystoreError) -> Self {
        let code = match error {
            KeystoreError::WrongPassword => ErrorCode::WrongPassword,
            KeystoreError::EmptyPassword => ErrorCode::WeakPassword,
            _ => ErrorCode::Storage,
        };
        Self::new(code, error)
    }
}
