//! What members hold of a wallet's requests, and what they tell each other of it: whoever was away hears what it lacks, over
//! each new link and once what is held here is durable.

use super::{Act, Circle};
use crate::consensus::{CircleMessage, Holding, RequestId};
use crate::frost::Place;
use crate::node::Timestamp;

impl Circle {
    /// Says what is held here.
    pub(in crate::node) fn tell_holdings(&mut self, to: Place) {
        let holdings = self.book.holdings(&self.rules);
        self.acts.push(Act::Send(to, CircleMessage::Holdings(holdings)));
    }

    /// Whether a request is not known here yet: links to different members are not in step. Who spoke of it tells.
    pub(super) fn lacks(&mut self, from: Place, id: &RequestId) -> bool {
        const MOST: usize = 64;
        let lacks = from != self.me && !self.book.knows(id);
        let asked = self.asked.iter().filter(|(member, _)| *member == from).count();
        if lacks && asked < MOST && self.asked.insert((from, *id)) {
            self.tell_holdings(from);
        }
        lacks
    }

    pub(super) fn forget_what_was_asked(&mut self, place: Place) {
        self.asked = std::mem::take(&mut self.asked).into_iter().filter(|(member, _)| *member != place).collect();
    }

    /// Tells members what they lack, once what is held here is durable, and none of them too often.
    pub(super) fn tell_what_is_owed(&mut self, now: Timestamp) {
        if !self.log.is_durable() {
            return;
        }
        let due: Vec<Place> = self.owed.keys().copied().filter(|place| self.may_tell(*place) <= now).collect();
        for place in due {
            if let Some(theirs) = self.owed.remove(&place) {
                self.told.insert(place, now);
                self.tell_what_lacks(place, &theirs);
            }
        }
    }

    /// When a member may be told again.
    pub(super) fn may_tell(&self, place: Place) -> Timestamp {
        const PAUSE: u64 = 1_000;
        self.told.get(&place).map_or(Timestamp::default(), |told| told.after(PAUSE))
    }

    fn tell_what_lacks(&mut self, to: Place, theirs: &[Holding]) {
        let mut lacks = Vec::new();
        for (id, tracked) in self.book.iter() {
            let (request, votes, signed) = tracked.lacking(id, theirs);
            if request {
                lacks.push(CircleMessage::Request(Box::new(tracked.request.clone())));
            }
            lacks.extend(votes.into_iter().map(CircleMessage::Vote));
            lacks.extend(signed.map(|signed| CircleMessage::Signature {
                request: Some(*id),
                data: signed.signature.clone(),
                signers: signed.signers.clone(),
            }));
        }
        self.acts.extend(lacks.into_iter().map(|message| Act::Send(to, message)));
    }
}
