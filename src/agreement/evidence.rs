//! Evidence against a participant that signed two different round-1 packages for one session: anyone can check it.

use serde::{Deserialize, Serialize};

use super::{Agreement, Member, is_signed};
use crate::frost::Identifier;
use crate::wire::Statement;

/// Two statements of one participant that exclude each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The session that it broke.
    pub agreement: Agreement,
    /// Its FROST identifier there.
    #[serde(rename = "place")]
    pub identifier: Identifier,
    /// What it signed to one.
    pub one: Statement,
    /// What it signed to another.
    pub other: Statement,
    /// When it was found, in milliseconds since 1970.
    pub found: u64,
}

/// Why something is no evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// The session has no participant with that identifier.
    #[error("the session has no participant with that identifier")]
    Nobody,
    /// One of the two is not signed by the accused.
    #[error("the accused did not sign both")]
    Unsigned,
    /// They do not exclude each other: the same package, or two different nonces and so maybe two sessions.
    #[error("the two statements do not exclude each other")]
    NoConflict,
}

impl Evidence {
    /// Who is shown to have lied.
    ///
    /// # Errors
    /// Why it shows nothing.
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
