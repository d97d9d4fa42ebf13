//! What the statements of a wallet's members are judged by: who the members are, and what the key
//! is.

use crate::agreement::Member;
use crate::frost::{GroupKey, Identifier, Suite};
use crate::identity::Digest;
use crate::sorted::Map;
use crate::wire::PeerId;

/// The facts of one wallet. They do not change while it is in use.
pub(super) struct Rules {
    group_id: Digest,
    key: GroupKey,
    threshold: u16,
    me: Identifier,
    members: Map<Identifier, Member>,
}

impl Rules {
    /// `key` is the group key; `me` is this node's identifier.
    pub(super) fn new(
        group_id: Digest,
        key: GroupKey,
        threshold: u16,
        me: Identifier,
        members: Map<Identifier, Member>,
    ) -> Self {
        Self { group_id, key, threshold, me, members }
    }

    /// What all statements are bound to.
    pub(super) fn group_id(&self) -> &Digest {
        &self.group_id
    }

    pub(super) fn key(&self) -> &GroupKey {
        &self.key
    }

    /// The group key, as in packages.
    pub(super) fn pubkey(&self) -> &[u8] {
        self.key.bytes()
    }

    pub(super) fn suite(&self) -> Suite {
        self.key.suite()
    }

    /// Signers needed.
    pub(super) fn threshold(&self) -> usize {
        usize::from(self.threshold)
    }

    /// The same, as it is written.
    pub(super) fn signers_needed(&self) -> u16 {
        self.threshold
    }

    /// This node's identifier.
    pub(super) fn me(&self) -> Identifier {
        self.me
    }

    /// How many members there are, this node included.
    pub(super) fn total(&self) -> usize {
        self.members.len()
    }

    /// The identifiers of all members, ascending.
    pub(super) fn identifiers(&self) -> impl Iterator<Item = Identifier> + Clone + '_ {
        self.members.keys().copied()
    }

    /// The identifiers of the other members, ascending.
    pub(super) fn others(&self) -> impl Iterator<Item = Identifier> + Clone + '_ {
        self.identifiers().filter(|identifier| *identifier != self.me)
    }

    pub(super) fn member(&self, identifier: Identifier) -> Option<&Member> {
        self.members.get(&identifier)
    }

    pub(super) fn peer(&self, identifier: Identifier) -> Option<&PeerId> {
        self.member(identifier).map(|member| &member.peer_id)
    }

    /// The other member of that name.
    pub(super) fn other(&self, peer: &PeerId) -> Option<Identifier> {
        self.others().find(|identifier| self.peer(*identifier) == Some(peer))
    }

    /// A member's name, for texts.
    pub(super) fn name(&self, identifier: Identifier) -> &str {
        self.peer(identifier).map_or("?", PeerId::as_str)
    }

    pub(super) fn names(&self, identifiers: impl IntoIterator<Item = Identifier>) -> Vec<PeerId> {
        identifiers.into_iter().filter_map(|identifier| self.peer(identifier).cloned()).collect()
    }
}
