//! The shape of every kind of rounds: what it takes, what it sends, how it ends, and who is to
//! blame if nothing comes of it.

use crate::api::Timestamp;
use crate::frost::{Identifier, PackageFault};
use crate::group::RoundMessage;
use crate::identity::Digest;
use crate::node::ctx::Ctx;

/// What a message has brought a ceremony to.
pub(in crate::node) enum Step<Outcome> {
    /// It needs more.
    Continue,
    /// It is over, and this came of it.
    Done(Outcome),
    /// It is over, and nothing came of it.
    Failed(Vec<Blame>),
}

/// A member that kept a ceremony from its outcome, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::node) struct Blame {
    /// The member.
    pub member: Identifier,
    /// What it did.
    pub fault: Fault,
}

/// What a member did, or did not do. The text reads on from its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::node) enum Fault {
    /// It sent nothing for that many seconds.
    #[error("did not answer within {0} s")]
    Silent(u64),
    /// It went away.
    #[error("cannot be reached any more")]
    Unreachable,
    /// It has another secure channel now, and nothing any more of what it held for the ceremony.
    #[error("began anew")]
    Restarted,
    /// It does not take part: the reason reads on from "this node".
    #[error("refuses: this node {0}")]
    Refused(String),
    /// It sent another number of values than there are items.
    #[error("sent {found} {what}, where {expected} are needed")]
    Count {
        /// What it sent.
        what: &'static str,
        /// How many.
        found: usize,
        /// How many are needed.
        expected: usize,
    },
    /// What it sent for one item cannot be used.
    #[error("{}", of_item(*.item, *.total, .fault))]
    Package {
        /// The item, from 0.
        item: usize,
        /// How many items there are.
        total: usize,
        /// What is wrong.
        fault: PackageFault,
    },
    /// The coordinator sent commitments that are not those of all signers for the next items.
    #[error("has sent another number of commitments than there are signers")]
    WrongPackage,
    /// The coordinator sent other commitments in this node's name than this node's.
    #[error("has sent other commitments than this node's for it")]
    OtherCommitments,
    /// The coordinator sent commitments that cannot be used.
    #[error("has sent commitments that cannot be used: {fault}")]
    Commitments {
        /// Whose they are said to be, if that is known.
        of: Option<Identifier>,
        /// What is wrong with them.
        fault: PackageFault,
    },
    /// It is not known whose fault it is: everyone's who took part.
    #[error("{0}")]
    Unknown(PackageFault),
}

impl Fault {
    /// Whether what it sent proves it: no accident of the network, and no matter of what it knew at
    /// the time.
    pub(in crate::node) fn is_proven(&self) -> bool {
        matches!(self, Self::Count { .. } | Self::Package { .. })
    }
}

fn of_item(item: usize, total: usize, fault: &PackageFault) -> String {
    if total == 1 { fault.to_string() } else { format!("item {} of {total}: {fault}", item + 1) }
}

/// One kind of rounds, as one of its members runs it.
pub(in crate::node) trait Ceremony: Send {
    /// What its members send each other.
    type Message;
    /// What comes of it for this member.
    type Outcome;

    /// Its members, ascending.
    fn members(&self) -> &[Identifier];

    /// Takes a message of a member. A repeat, and what comes from others than its members, change
    /// nothing.
    fn receive(
        &mut self,
        ctx: &mut Ctx<'_>,
        from: Identifier,
        message: Self::Message,
    ) -> Step<Self::Outcome>;

    /// The next message to send, and the one member that may read it.
    fn poll(&mut self) -> Option<(Identifier, Self::Message)>;

    /// The members whose next message is awaited.
    fn awaited(&self) -> Vec<Identifier>;

    /// How long each of its rounds may take, in milliseconds.
    fn patience(&self) -> u64;

    /// When it has waited for too long.
    fn next_deadline(&self) -> Option<Timestamp>;
}

/// What a member gives to a ceremony. The message leaves only once the audit log says so durably.
pub(in crate::node) struct Contribution {
    /// SHA-256 of the commitments that it is for: the member never gives anything for them again.
    pub commitments: Digest,
    /// The contribution, for the coordinator.
    pub message: RoundMessage,
}
