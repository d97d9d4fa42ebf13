//! Ceremonies: rounds of messages among fixed members that carry something out. Each kind is one
//! file that implements [`Ceremony`]. A ceremony knows its members by identifier and nothing of
//! channels, votes or disks; whoever runs it hands in what its members send, sends what it has for
//! them, and ends it when a deadline has passed.

mod shape;
mod signing;

use std::sync::Arc;

use self::signing::{Gathering, Signing, SigningPart};
use super::ctx::Ctx;
use crate::frost::{Identifier, Key, PackageFault};
use crate::group::{Operation, Outcome, RoundMessage};

pub(super) use self::shape::{Blame, Ceremony, Contribution, Fault, Step};

/// A ceremony as the member runs it that coordinates it.
pub(super) type Coordinated = Box<dyn Ceremony<Message = RoundMessage, Outcome = Outcome>>;
/// A ceremony as one of its members takes part in it.
pub(super) type Part = Box<dyn Ceremony<Message = RoundMessage, Outcome = Contribution>>;

/// What a ceremony carries out, with which members, and how long it waits.
pub(super) struct Plan<'a> {
    /// The operation.
    pub operation: &'a Operation,
    /// The key of this node.
    pub key: Arc<dyn Key>,
    /// The members that take part, ascending.
    pub members: Vec<Identifier>,
    /// How long each round may take at least, in milliseconds.
    pub patience: u64,
}

impl Plan<'_> {
    /// Coordinates it.
    pub(super) fn coordinate(self, ctx: &Ctx<'_>) -> Coordinated {
        match self.operation {
            Operation::Sign(task) => Box::new(Gathering::new(
                ctx,
                Signing::new(self.key, task.items(), self.members, self.patience),
            )),
        }
    }

    /// Takes part in it as `me`.
    ///
    /// # Errors
    /// The library's.
    pub(super) fn take_part(
        self,
        ctx: &mut Ctx<'_>,
        me: Identifier,
        coordinator: Identifier,
    ) -> Result<Part, PackageFault> {
        match self.operation {
            Operation::Sign(task) => {
                let signing = Signing::new(self.key, task.items(), self.members, self.patience);
                Ok(Box::new(SigningPart::new(ctx, signing, me, coordinator)?))
            }
        }
    }
}
