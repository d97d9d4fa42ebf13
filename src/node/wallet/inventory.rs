//! What members hold of a wallet's requests, and what they tell each other of it: whoever was away hears what it lacks, over
//! each new link and once what is held here is durable.

use super::{Act, Group};
use crate::frost::Identifier;
use crate::group::{GroupMessage, InventoryItem, RequestId};
use crate::node::Timestamp;

impl Group {
    /// Says what is held here.
    pub(in crate::node) fn tell_holdings(&mut self, to: Identifier) {
        let holdings = self.book.holdings(&self.rules);
        self.acts.push(Act::Send(to, GroupMessage::Inventory(holdings)));
    }

    /// Whether a request is not known here yet: links to different members are not in step. Who spoke of it tells.
    pub(super) fn lacks(&mut self, from: Identifier, id: &RequestId) -> bool {
        const MOST: usize = 64;
        let lacks = from != self.me && !self.book.knows(id);
        let asked = self.asked.iter().filter(|(member, _)| *member == from).count();
        if lacks && asked < MOST && self.asked.insert((from, *id)) {
            self.tell_holdings(from);
        }
        lacks
    }

    pub(super) fn forget_what_was_asked(&mut self, identifier: Identifier) {
        self.asked = std::mem::take(&mut self.asked)
            .into_iter()
            .filter(|(member, _)| *member != identifier)
            .collect();
    }

    /// Tells members what they lack, once what is held here is durable, and none of them too often.
    pub(super) fn tell_what_is_owed(&mut self, now: Timestamp) {
        if !self.log.is_durable() {
            return;
        }
        let due: Vec<Identifier> = self
            .owed
            .keys()
            .copied()
            .filter(|identifier| self.may_tell(*identifier) <= now)
            .collect();
        for identifier in due {
            if let Some(theirs) = self.owed.remove(&identifier) {
                self.told.insert(identifier, now);
                self.tell_what_lacks(identifier, &theirs);
            }
        }
    }

    /// When a member may be told again.
    pub(super) fn may_tell(&self, identifier: Identifier) -> Timestamp {
        const PAUSE: u64 = 1_000;
        self.told.get(&identifier).map_or(Timestamp::default(), |told| told.after(PAUSE))
    }

    fn tell_what_lacks(&mut self, to: Identifier, theirs: &[InventoryItem]) {
        let mut lacks = Vec::new();
        for (id, tracked) in self.book.iter() {
            let (request, votes, signed) = tracked.lacking(id, theirs);
            if request {
                lacks.push(GroupMessage::Request(Box::new(tracked.request.clone())));
            }
            lacks.extend(votes.into_iter().map(GroupMessage::Vote));
            lacks.extend(signed.map(|signed| GroupMessage::Signature {
                request: Some(*id),
                data: signed.signature.clone(),
                signers: signed.signers.clone(),
            }));
        }
        self.acts.extend(lacks.into_iter().map(|message| Act::Send(to, message)));
    }
}
