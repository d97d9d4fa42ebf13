//! What the other members hold of a wallet's requests, as far as they have said, and what they are
//! to be sent of it: a member that was away gets what it lacks, over each new secure channel and
//! once what is held here is durable.

use crate::frost::Identifier;
use crate::group::{InventoryItem, RequestId};
use crate::node::Timestamp;
use crate::sorted::{Map, Set};

/// Shortest time between two answers to a member's inventories, in milliseconds.
const PAUSE: u64 = 1_000;
/// Most requests unknown here that one member is asked about over one secure channel.
const MAX_ASKED: usize = 64;

/// A member's inventory that waits for its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owed {
    /// What the member holds.
    pub theirs: Vec<InventoryItem>,
    /// Requests that were answered for already: the answer is sent in parts where it is large.
    pub answered: Set<RequestId>,
}

/// What is known of the other members' inventories.
#[derive(Default)]
pub(super) struct Inventory {
    owed: Map<Identifier, Owed>,
    last_answer: Map<Identifier, Timestamp>,
    /// Requests that members mentioned and that are not known here: each is asked about once.
    asked: Set<(Identifier, RequestId)>,
    /// The version of each member's messages, once it has said so over its present secure channel.
    versions: Map<Identifier, u32>,
    /// The versions of which people were told.
    reported: Map<Identifier, u32>,
}

impl Inventory {
    /// A member's inventory came.
    pub(super) fn received(&mut self, from: Identifier, version: u32, theirs: Vec<InventoryItem>) {
        self.versions.insert(from, version);
        self.owed.insert(from, Owed { theirs, answered: Set::default() });
    }

    /// A member has a new secure channel: it may be another program now.
    pub(super) fn channel_opened(&mut self, member: Identifier) {
        let asked = std::mem::take(&mut self.asked).into_iter();
        self.asked = asked.filter(|(other, _)| *other != member).collect();
        self.versions.remove(&member);
    }

    /// Whether a member's messages are of that version at least. Version 1 needs no word of the
    /// member.
    pub(super) fn understands(&self, member: Identifier, version: u32) -> bool {
        version <= self.versions.get(&member).copied().unwrap_or(1)
    }

    /// A member's version, if it is not `ours` and people were not told of it yet.
    pub(super) fn report_version(&mut self, member: Identifier, ours: u32) -> Option<u32> {
        let version = *self.versions.get(&member)?;
        let before = self.reported.insert(member, version);
        (version != before.unwrap_or(ours)).then_some(version)
    }

    /// Whether to ask a member about a request that is not known here.
    pub(super) fn ask(&mut self, member: Identifier, id: &RequestId) -> bool {
        let asked = self.asked.iter().filter(|(other, _)| *other == member).count();
        asked < MAX_ASKED && self.asked.insert((member, *id))
    }

    /// A member whose inventory is to be answered now, and that inventory.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Option<(Identifier, Owed)> {
        let due = self.owed.keys().copied().find(|member| self.next_answer(*member) <= now)?;
        self.last_answer.insert(due, now);
        self.owed.remove(&due).map(|owed| (due, owed))
    }

    /// The answer was not sent in full: the rest follows after a pause, unless a newer inventory
    /// comes.
    pub(super) fn answer_rest(&mut self, member: Identifier, owed: Owed) {
        if !self.owed.contains_key(&member) {
            self.owed.insert(member, owed);
        }
    }

    /// When the next inventory can be answered.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.owed.keys().map(|member| self.next_answer(*member)).min()
    }

    fn next_answer(&self, member: Identifier) -> Timestamp {
        self.last_answer.get(&member).map_or(Timestamp::default(), |last| last.after(PAUSE))
    }
}

#[cfg(test)]
mod tests {
    use super::{Inventory, MAX_ASKED, PAUSE};
    use crate::node::Timestamp;

    #[test]
    fn a_member_is_answered_once_a_second_and_the_others_meanwhile() {
        let mut inventory = Inventory::default();
        let now = Timestamp::from_millis(10_000);
        inventory.received(2, 2, Vec::new());
        let (member, owed) = inventory.take_due(now).unwrap();
        assert_eq!(member, 2);
        inventory.answer_rest(2, owed);
        inventory.received(3, 2, Vec::new());
        assert_eq!(inventory.take_due(now).map(|(member, _)| member), Some(3));
        assert_eq!(inventory.take_due(now.after(PAUSE - 1)), None);
        assert_eq!(inventory.next_deadline(), Some(now.after(PAUSE)));
        assert_eq!(inventory.take_due(now.after(PAUSE)).map(|(member, _)| member), Some(2));
        assert_eq!(inventory.next_deadline(), None);
    }

    #[test]
    fn each_member_is_asked_once_about_a_request_over_one_channel() {
        let mut inventory = Inventory::default();
        assert!(inventory.ask(2, &[1; 32]));
        assert!(!inventory.ask(2, &[1; 32]));
        assert!(inventory.ask(3, &[1; 32]));
        let asked = (2..=255).filter(|n| inventory.ask(2, &[*n; 32])).count();
        assert_eq!(asked, MAX_ASKED - 1);
        inventory.channel_opened(2);
        assert!(inventory.ask(2, &[1; 32]));
        assert!(!inventory.ask(3, &[1; 32]));
    }

    #[test]
    fn a_version_counts_for_the_channel_over_which_it_came_and_is_reported_once() {
        let mut inventory = Inventory::default();
        assert!(inventory.understands(2, 1) && !inventory.understands(2, 2));
        inventory.received(2, 1, Vec::new());
        assert_eq!(inventory.report_version(2, 2), Some(1));
        assert_eq!(inventory.report_version(2, 2), None);
        inventory.channel_opened(2);
        inventory.received(2, 2, Vec::new());
        assert!(inventory.understands(2, 2));
        assert_eq!(inventory.report_version(2, 2), Some(2), "it is up to date now");
        inventory.received(3, 2, Vec::new());
        assert_eq!(inventory.report_version(3, 2), None);
        inventory.channel_opened(2);
        assert!(!inventory.understands(2, 2));
    }
}
