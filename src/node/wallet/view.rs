//! What people see of wallets in use: who is there, and what is asked for.

use rand_core::{CryptoRng, RngCore};

use super::{Group, RequestEntry};
use crate::api::{GroupView, MemberView, RequestState, RequestView};
use crate::frost::Identifier;
use crate::node::Timestamp;
use crate::node::core::Node;

impl Group {
    fn request_view(&self, id: &[u8; 32], tracked: &RequestEntry, now: Timestamp) -> RequestView {
        let voted = |approves: bool| {
            let members = tracked
                .votes
                .keys()
                .copied()
                .filter(|identifier| tracked.approves(*identifier) == approves);
            self.names(&members.collect::<Vec<_>>())
        };
        let running = self.ceremonies.values().find(|ceremony| ceremony.request == Some(*id));
        let waiting: Vec<Identifier> =
            running.map(|ceremony| ceremony.awaited().collect()).unwrap_or_default();
        let state = tracked.state(&self.rules, now);
        let decision = tracked.votes.get(&self.me).map(|vote| vote.approves);
        let undecided =
            matches!(state, RequestState::Open | RequestState::Approved) && decision.is_none();
        let signed = tracked.signed.as_ref();
        RequestView {
            id: hex::encode(id),
            state,
            kind: tracked.content.kind(),
            shown: tracked.content.shown(),
            digest: hex::encode(tracked.digest),
            proposer: self.names(&[tracked.request.proposer]).remove(0),
            created: Timestamp::from_millis(tracked.request.created),
            expires: Timestamp::from_millis(tracked.request.expires),
            approved: voted(true),
            declined: voted(false),
            decision,
            needs_decision: undecided,
            waiting_for: self.names(&waiting),
            signature: signed.map(|signed| hex::encode(&signed.signature)),
            signers: signed.map(|signed| self.names(&signed.signers)).unwrap_or_default(),
        }
    }

    fn view(&self, now: Timestamp) -> GroupView {
        let member = |identifier: Identifier| {
            let (me, online) = (identifier == self.me, self.reachable.contains(&identifier));
            Some(MemberView { peer_id: self.peer(identifier)?.clone(), me, online, carrier: None })
        };
        GroupView {
            pubkey: self.info.pubkey.clone(),
            ready: self.ready,
            threshold: self.rules.threshold,
            members: (1..=self.rules.total()).filter_map(member).collect(),
            problem: self.problem().map(str::to_owned),
            check: self.last_check.clone(),
            requests: self
                .book
                .iter()
                .map(|(id, tracked)| self.request_view(id, tracked, now))
                .collect(),
        }
    }
}

impl<R: RngCore + CryptoRng> Node<R> {
    pub(in crate::node) fn group_views(&self, now: Timestamp) -> Vec<GroupView> {
        self.groups.iter().map(|group| group.view(now)).collect()
    }
}
