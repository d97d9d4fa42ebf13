//! The roster of a session. [`Roster::check`] judges a proposal once: it becomes a roster, or is
//! refused with a reason.

use crate::frost::{Identifier, Suite};
use crate::sorted::Set;
use crate::wire::{MAX_PARTICIPANTS, PeerId, Proposal, clip};

/// The participants of a session, the threshold and the ciphersuite. A value of this type keeps
/// every rule of docs/PROTOCOL.md, section 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    participants: Vec<PeerId>,
    me: usize,
    threshold: u16,
    suite: Suite,
}

/// Why a proposal is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProposalError {
    /// An entry of the list is no peer id.
    #[error("the participant '{0}' is no valid peer id")]
    BadParticipant(String),
    /// A participant is listed twice.
    #[error("{0} is listed twice")]
    Duplicate(PeerId),
    /// `total` is not the length of the list.
    #[error("total is {total}, but {listed} participants are listed")]
    WrongTotal {
        /// The proposal's `total`.
        total: u64,
        /// Length of the list.
        listed: usize,
    },
    /// Fewer than 2 or more than 64.
    #[error("{0} participants: a session takes 2 to {MAX_PARTICIPANTS}")]
    Size(usize),
    /// Below 2 or above `total`.
    #[error("a threshold of {threshold} is not possible: use 2 to {total}")]
    Threshold {
        /// The proposal's `threshold`.
        threshold: u64,
        /// Participants.
        total: usize,
    },
    /// This node is not in the list.
    #[error("{0} is not among the participants")]
    WithoutMe(PeerId),
    /// The proposer is not in the list.
    #[error("the initiator {0} is not among the participants")]
    WithoutInitiator(PeerId),
    /// This node does not know the ciphersuite.
    #[error("the ciphersuite '{0}' is not supported")]
    Ciphersuite(String),
    /// The proposer accepts verified peers only, but does not speak the extensions, so it cannot be
    /// verified itself (section 3, point 7).
    #[error(
        "the proposal is for verified peers only, but its initiator does not speak the extensions that prove who it is"
    )]
    VerifiedOnly,
}

impl Roster {
    /// Judges a `proposal` that `initiator` sent to `me`.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(
        proposal: &Proposal,
        initiator: &PeerId,
        me: &PeerId,
    ) -> Result<Self, ProposalError> {
        let listed = proposal.participants.len();
        if !(2..=MAX_PARTICIPANTS).contains(&listed) {
            return Err(ProposalError::Size(listed));
        }
        let mut sorted = Set::default();
        for id in &proposal.participants {
            let id = id.parse::<PeerId>().map_err(|_| ProposalError::BadParticipant(clip(id)))?;
            if !sorted.insert(id.clone()) {
                return Err(ProposalError::Duplicate(id));
            }
        }
        let participants: Vec<PeerId> = sorted.into_iter().collect();
        if proposal.total != listed as u64 {
            return Err(ProposalError::WrongTotal { total: proposal.total, listed });
        }
        let threshold = u16::try_from(proposal.threshold)
            .ok()
            .filter(|t| (2..=listed).contains(&usize::from(*t)));
        let threshold = threshold
            .ok_or(ProposalError::Threshold { threshold: proposal.threshold, total: listed })?;
        if !participants.contains(initiator) {
            return Err(ProposalError::WithoutInitiator(initiator.clone()));
        }
        let me = participants
            .iter()
            .position(|id| id == me)
            .ok_or_else(|| ProposalError::WithoutMe(me.clone()))?;
        let suite = match &proposal.ciphersuite {
            Some(id) => Suite::of_id(id).ok_or_else(|| ProposalError::Ciphersuite(id.clone()))?,
            None => Suite::default(),
        };
        if proposal.allow_unverified == Some(false) && proposal.protocol.is_none() {
            return Err(ProposalError::VerifiedOnly);
        }
        Ok(Self { participants, me, threshold, suite })
    }

    /// All participants, in byte order of their peer ids.
    #[must_use]
    pub fn participants(&self) -> &[PeerId] {
        &self.participants
    }

    /// All participants but this node, in byte order of their peer ids.
    pub fn others(&self) -> impl Iterator<Item = &PeerId> {
        self.participants.iter().enumerate().filter(|(i, _)| *i != self.me).map(|(_, id)| id)
    }

    /// Whether `peer` is another participant.
    #[must_use]
    pub fn is_other(&self, peer: &PeerId) -> bool {
        self.others().any(|id| id == peer)
    }

    /// This node's identifier.
    #[must_use]
    pub fn my_identifier(&self) -> Identifier {
        identifier(self.me)
    }

    /// The identifier of a participant.
    #[must_use]
    pub fn identifier_of(&self, peer: &PeerId) -> Option<Identifier> {
        self.participants.binary_search(peer).ok().map(identifier)
    }

    /// The participant with an identifier.
    #[must_use]
    pub fn at(&self, identifier: Identifier) -> Option<&PeerId> {
        usize::from(identifier).checked_sub(1).and_then(|i| self.participants.get(i))
    }

    /// Number of participants, 2 to 64.
    #[must_use]
    pub fn total(&self) -> u16 {
        identifier(self.participants.len().saturating_sub(1))
    }

    /// Signers needed, 2 to `total`.
    #[must_use]
    pub fn threshold(&self) -> u16 {
        self.threshold
    }

    /// The ciphersuite.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.suite
    }
}

/// The identifier of an index in the sorted list, which has at most 64 entries.
fn identifier(index: usize) -> Identifier {
    u16::try_from(index + 1).unwrap_or(u16::MAX)
}
