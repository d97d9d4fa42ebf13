//! Evidence of equivocation: two different round-1 packages that one participant signed for one
//! session. Anyone can verify it (docs/PROTOCOL.md, section 3, point 3).

use serde::{Deserialize, Serialize};

use super::{Agreement, Member, is_signed};
use crate::frost::Identifier;
use crate::wire::Statement;

/// Two signed statements of one participant that exclude each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The agreement of the session.
    pub agreement: Agreement,
    /// The identifier of the participant in that session.
    #[serde(rename = "place")]
    pub identifier: Identifier,
    /// One statement.
    pub one: Statement,
    /// The other statement.
    pub other: Statement,
    /// When it was found, in milliseconds since 1970.
    pub found: u64,
}

/// Why two statements are no evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// The session has no participant with that identifier.
    #[error("the session has no participant with that identifier")]
    Nobody,
    /// The participant did not sign both.
    #[error("the accused did not sign both")]
    Unsigned,
    /// They do not exclude each other: they name the same package, or different nonces, which may
    /// be those of two sessions.
    #[error("the two statements do not exclude each other")]
    NoConflict,
}

impl Evidence {
    /// Verifies both signatures and the conflict. Returns the participant that signed both.
    ///
    /// # Errors
    /// [`EvidenceError`]: they prove nothing.
    pub fn verify(&self) -> Result<&Member, EvidenceError> {
        let accused = self.agreement.member(self.identifier).ok_or(EvidenceError::Nobody)?;
        let agreement = self.agreement.digest();
        let signed =
            |statement| is_signed(&agreement, self.identifier, &accused.identity, statement);
        if !(signed(&self.one) && signed(&self.other)) {
            return Err(EvidenceError::Unsigned);
        }
        if self.one.nonce != self.other.nonce || self.one.package == self.other.package {
            return Err(EvidenceError::NoConflict);
        }
        Ok(accused)
    }
}
