//! The contacts of a node: each identity that it has met, with the peer ids that this identity had.
//! A peer id that comes with another identity is an error.

use serde::{Deserialize, Serialize};

use super::{Fingerprint, Identity};
use crate::wire::{PeerId, clip};

/// Most contacts that are kept.
const MAX_CONTACTS: usize = 4096;
/// Most peer ids that are kept of one contact.
const MAX_PEER_IDS: usize = 16;
/// Longest name of a contact, in bytes.
const MAX_NAME: usize = 64;

/// One identity that this node has met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// The name that this person gave it. Before that, its first peer id.
    pub name: String,
    /// Its key.
    pub identity: Identity,
    /// The peer ids that it has had, newest last. Another identity under one of them is an
    /// impostor.
    pub peer_ids: Vec<PeerId>,
    /// When it was first met, in milliseconds since 1970.
    pub first_seen: u64,
    /// When it was last met, in milliseconds since 1970.
    pub last_seen: u64,
    /// Whether this person has verified the identity, by safety words or an invite.
    pub verified: bool,
    /// Whether this node ignores it.
    pub blocked: bool,
}

/// What the contacts say about an identity under a peer id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Neither the identity nor the peer id is known.
    New,
    /// The identity is a contact.
    Known {
        /// Whether this person has verified it.
        verified: bool,
    },
    /// The peer id belongs to another identity.
    Changed {
        /// The identity that the peer id belongs to.
        known: Identity,
    },
    /// This person has blocked the identity.
    Blocked,
}

/// Why a contact could not be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContactError {
    /// No contact has that name, peer id or fingerprint.
    #[error("no contact '{0}': `contacts list` shows all")]
    Unknown(String),
    /// More than one contact has it.
    #[error("'{0}' could be {1} contacts: use the fingerprint")]
    Ambiguous(String, usize),
    /// The new name is empty or too long.
    #[error("a name has 1 to {MAX_NAME} characters")]
    BadName,
}

/// All contacts of a node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Contacts(Vec<Contact>);

impl Contacts {
    /// All contacts, in the order of their first meeting.
    pub fn iter(&self) -> impl Iterator<Item = &Contact> {
        self.0.iter()
    }

    /// What the contacts say about `identity` under the peer id `peer`.
    #[must_use]
    pub fn standing(&self, peer: &PeerId, identity: &Identity) -> Standing {
        let named = self.0.iter().find(|c| c.peer_ids.contains(peer));
        let known = self.of(identity);
        match (known, named) {
            (Some(contact), _) if contact.blocked => Standing::Blocked,
            (_, Some(other)) if other.identity != *identity => {
                Standing::Changed { known: other.identity }
            }
            (Some(contact), _) => Standing::Known { verified: contact.verified },
            (None, _) => Standing::New,
        }
    }

    /// The contact of an identity.
    #[must_use]
    pub fn of(&self, identity: &Identity) -> Option<&Contact> {
        self.0.iter().find(|c| c.identity == *identity)
    }

    /// Whether a peer id belongs to a contact that is blocked.
    #[must_use]
    pub fn is_blocked(&self, peer: &PeerId) -> bool {
        self.0.iter().any(|c| c.blocked && c.peer_ids.contains(peer))
    }

    /// Records a meeting. A contact that was verified once stays verified.
    pub fn met(&mut self, peer: &PeerId, identity: Identity, verified: bool, now: u64) {
        if let Some(contact) = self.0.iter_mut().find(|c| c.identity == identity) {
            contact.last_seen = now;
            contact.verified |= verified;
            contact.peer_ids.retain(|id| id != peer);
            contact.peer_ids.push(peer.clone());
            let excess = contact.peer_ids.len().saturating_sub(MAX_PEER_IDS);
            contact.peer_ids.drain(..excess);
            return;
        }
        if self.0.len() >= MAX_CONTACTS {
            // Drop the contact that was met longest ago, among those neither verified nor blocked.
            let oldest = self.0.iter().enumerate().filter(|(_, c)| !c.verified && !c.blocked);
            let Some((index, _)) = oldest.min_by_key(|(_, c)| c.last_seen) else { return };
            self.0.remove(index);
        }
        self.0.push(Contact {
            name: peer.as_str().to_owned(),
            identity,
            peer_ids: vec![peer.clone()],
            first_seen: now,
            last_seen: now,
            verified,
            blocked: false,
        });
    }

    /// Gives a contact another name.
    ///
    /// # Errors
    /// No contact, or more than one, matches `who`; or the name is empty or too long.
    pub fn rename(&mut self, who: &str, name: &str) -> Result<&Contact, ContactError> {
        let name = clip(name.trim());
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(ContactError::BadName);
        }
        let contact = self.find(who)?;
        contact.name = name;
        Ok(contact)
    }

    /// Blocks or unblocks a contact.
    ///
    /// # Errors
    /// No contact, or more than one, matches `who`.
    pub fn block(&mut self, who: &str, blocked: bool) -> Result<&Contact, ContactError> {
        let contact = self.find(who)?;
        contact.blocked = blocked;
        Ok(contact)
    }

    /// Removes a contact. Another identity can use its peer ids then: the same person with a new
    /// key, say.
    ///
    /// # Errors
    /// No contact, or more than one, matches `who`.
    pub fn forget(&mut self, who: &str) -> Result<Contact, ContactError> {
        let identity = self.find(who)?.identity;
        let index = self.0.iter().position(|c| c.identity == identity);
        index.map(|index| self.0.remove(index)).ok_or_else(|| ContactError::Unknown(who.to_owned()))
    }

    /// The one contact with that name, peer id, identity or fingerprint. The beginning of a
    /// fingerprint is enough, from four characters.
    fn find(&mut self, who: &str) -> Result<&mut Contact, ContactError> {
        let fits = |c: &Contact| {
            let fingerprint: Fingerprint = c.identity.fingerprint();
            let prefix = who.len() >= 4 && fingerprint.to_string().starts_with(who);
            c.name == who
                || prefix
                || c.identity.to_string() == who
                || c.peer_ids.iter().any(|id| id.as_str() == who)
        };
        match self.0.iter().filter(|c| fits(c)).count() {
            0 => Err(ContactError::Unknown(clip(who))),
            1 => {
                self.0.iter_mut().find(|c| fits(c)).ok_or_else(|| ContactError::Unknown(clip(who)))
            }
            many => Err(ContactError::Ambiguous(clip(who), many)),
        }
    }
}
