//! Whom this node has met: each identity with the peer ids it was seen under. An identity that changes is an error.

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
    /// What the person here calls it; its first peer id until then.
    pub name: String,
    /// Its key.
    pub identity: Identity,
    /// The peer ids that it has had, newest last. Whoever else takes one of them is an impostor.
    pub peer_ids: Vec<PeerId>,
    /// When it was first met, in milliseconds since 1970.
    pub first_seen: u64,
    /// When it was last met, in milliseconds since 1970.
    pub last_seen: u64,
    /// The person here has said that the words, or an invite, proved who it is.
    pub verified: bool,
    /// Not answered any more.
    pub blocked: bool,
}

/// How an identity that came under a peer id stands to what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Neither the identity nor the peer id was met before.
    New,
    /// Met before.
    Known {
        /// The person here has verified it.
        verified: bool,
    },
    /// The peer id belongs to another identity.
    Changed {
        /// The one that is known.
        known: Identity,
    },
    /// The person here does not want to hear of it.
    Blocked,
}

/// Why a contact could not be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContactError {
    /// Nobody of that name, peer id or fingerprint.
    #[error("no contact '{0}': `contacts list` shows all")]
    Unknown(String),
    /// More than one.
    #[error("'{0}' could be {1} contacts: use the fingerprint")]
    Ambiguous(String, usize),
    /// Empty, or too long.
    #[error("a name has 1 to {MAX_NAME} characters")]
    BadName,
}

/// All contacts of a node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Contacts(Vec<Contact>);

impl Contacts {
    /// Everyone, in the order of meeting.
    pub fn iter(&self) -> impl Iterator<Item = &Contact> {
        self.0.iter()
    }

    /// How `identity` under the name `peer` stands to what is known.
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

    /// The contact with an identity.
    #[must_use]
    pub fn of(&self, identity: &Identity) -> Option<&Contact> {
        self.0.iter().find(|c| c.identity == *identity)
    }

    /// Whether a peer id belongs to a contact that is blocked.
    #[must_use]
    pub fn is_blocked(&self, peer: &PeerId) -> bool {
        self.0.iter().any(|c| c.blocked && c.peer_ids.contains(peer))
    }

    /// Notes a meeting, and that it was verified if it was; what was verified before stays so.
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
            // Who was met once, long ago, and never verified goes first.
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
    /// Nobody, or more than one, goes by `who`; or the name is none.
    pub fn rename(&mut self, who: &str, name: &str) -> Result<&Contact, ContactError> {
        let name = clip(name.trim());
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(ContactError::BadName);
        }
        let contact = self.find(who)?;
        contact.name = name;
        Ok(contact)
    }

    /// Blocks a contact, or takes that back.
    ///
    /// # Errors
    /// Nobody, or more than one, goes by `who`.
    pub fn block(&mut self, who: &str, blocked: bool) -> Result<&Contact, ContactError> {
        let contact = self.find(who)?;
        contact.blocked = blocked;
        Ok(contact)
    }

    /// Forgets a contact: its peer ids are free for another identity, as after it has lost its key.
    ///
    /// # Errors
    /// Nobody, or more than one, goes by `who`.
    pub fn forget(&mut self, who: &str) -> Result<Contact, ContactError> {
        let identity = self.find(who)?.identity;
        let index = self.0.iter().position(|c| c.identity == identity);
        index.map(|index| self.0.remove(index)).ok_or_else(|| ContactError::Unknown(who.to_owned()))
    }

    /// The one contact with that name, peer id, identity or fingerprint (or its beginning, of a group at least).
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
