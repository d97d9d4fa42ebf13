//! Why this node does not take a statement of a member, or does not sign for one.

use crate::api::RequestState;
use crate::frost::PackageFault;
use crate::group::{MAX_INVENTORY, OperationError, OutcomeError};
use crate::node::ceremony::Fault;
use crate::wire::PeerId;

/// Why this node does not sign for a coordinator. The text reads on from the coordinator's name,
/// and is sent to it as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("asked a member that cannot write its audit log: {0}")]
    NoAuditLog(String),
    #[error("named a signer set that is not {threshold} members with this node among them")]
    InvalidSignerSet { threshold: usize },
    #[error("asks for health checks too often")]
    TooManyHealthChecks,
    #[error("asks too often")]
    TooManyCeremonies,
    #[error("has used the name of this ceremony before")]
    CeremonyUsed,
    #[error("asked for a request that is not known here")]
    UnknownRequest,
    #[error("asked for a request that is {} here", .0.name())]
    NotApproved(RequestState),
    #[error("asked for a request that it neither made nor approved")]
    CoordinatorHasNotApproved,
    #[error("asked a member that has not approved it")]
    NotApprovedHere,
    #[error("named {0} as a signer, who has not approved it")]
    SignerHasNotApproved(String),
    #[error("has sent commitments of {name} that cannot be used: {fault}")]
    Commitments { name: String, fault: PackageFault },
    #[error(transparent)]
    Ceremony(#[from] Fault),
    /// The library could not draw nonces.
    #[error(transparent)]
    Nonces(#[from] PackageFault),
}

/// Why a request, a vote or an outcome is not taken into the ledger. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum LedgerError {
    #[error("a request of no member")]
    RequestOfNoMember,
    #[error("a request that {0} did not sign")]
    RequestNotSigned(PeerId),
    #[error("a request that ends before it begins, or after more than 31 days")]
    Lifetime,
    #[error("a request from the future: one of the two clocks is wrong")]
    Future,
    #[error(transparent)]
    Operation(#[from] OperationError),
    #[error("more than {most} open requests of {proposer}")]
    TooManyOpen { most: usize, proposer: PeerId },
    #[error("{0} asks too often")]
    TooOften(PeerId),
    #[error("more than {MAX_INVENTORY} requests of this wallet")]
    Full,
    #[error("a vote on a request that is not known")]
    VoteOnUnknown,
    #[error("a vote of no member")]
    VoteOfNoMember,
    #[error("vote {number} of {member}: {most} are the most")]
    TooManyVotes { number: u32, member: PeerId, most: u32 },
    #[error("a vote that {0} did not sign")]
    VoteNotSigned(PeerId),
    #[error("a signature of a request that is not known")]
    OutcomeOfUnknown,
    #[error("a signature by others than members")]
    SignersAreNoMembers,
    #[error(transparent)]
    Outcome(#[from] OutcomeError),
}
