//! What people see of a wallet in use: the members that can be reached, and the requests.

use super::Group;
use crate::api::{
    CheckView, ContentView, GroupView, MemberView, RequestState, RequestView, SignatureView,
    Timestamp,
};
use crate::content::Content;
use crate::frost::Identifier;
use crate::group::RequestId;
use crate::node::wallet::health_check::Report;
use crate::node::wallet::ledger::{Completed, RequestEntry};

/// What a request is about.
pub(super) struct Summary {
    pub kind: &'static str,
    /// Of the first item.
    pub digest: String,
    pub shown: Vec<(&'static str, String)>,
    pub contents: Vec<ContentView>,
}

/// What a request is about, for people.
pub(super) fn summary(entry: &RequestEntry) -> Summary {
    let operation = entry.operation();
    let shown = match operation.contents() {
        [content] => content.shown(),
        several => vec![("contents", several.len().to_string())],
    };
    let digest =
        operation.items().first().map(|item| hex::encode(item.message)).unwrap_or_default();
    let contents = operation.contents().iter().map(content_view).collect();
    Summary { kind: operation.kind(), digest, shown, contents }
}

fn content_view(content: &Content) -> ContentView {
    let digests = content.items().iter().map(|item| hex::encode(item.message)).collect();
    ContentView { kind: content.kind(), shown: content.shown(), digests }
}

/// The signatures of all items, in their order.
pub(super) fn signatures(entry: &RequestEntry, completed: &Completed) -> Vec<SignatureView> {
    let one = |(item, signature): (&crate::content::SignItem, &Vec<u8>)| SignatureView {
        digest: hex::encode(item.message),
        signature: hex::encode(signature),
    };
    entry.operation().items().iter().zip(completed.outcome.signatures()).map(one).collect()
}

impl Group {
    fn request_view(&self, now: Timestamp, id: &RequestId, entry: &RequestEntry) -> RequestView {
        let Summary { kind, digest, shown, contents } = summary(entry);
        let state = entry.state(now, &self.rules);
        let decision = entry.vote(self.rules.me()).map(|vote| vote.approves);
        let undecided =
            matches!(state, RequestState::Open | RequestState::Approved) && decision.is_none();
        let completed = entry.completed();
        let signatures = completed.map(|completed| signatures(entry, completed));
        let signatures = signatures.unwrap_or_default();
        let signers = completed.map(|completed| completed.signers.clone()).unwrap_or_default();
        RequestView {
            id: hex::encode(id),
            state,
            kind,
            shown,
            digest,
            contents,
            proposer: self.rules.names([entry.proposer()]).remove(0),
            created: Timestamp::from_millis(entry.request().created),
            expires: Timestamp::from_millis(entry.request().expires),
            approved: self.rules.names(entry.approvers()),
            declined: self.rules.names(entry.decliners()),
            decision,
            needs_decision: undecided,
            waiting_for: self.rules.names(self.coordinator.awaited(id)),
            signature: signatures.first().map(|first| first.signature.clone()),
            signatures,
            signers: self.rules.names(signers),
        }
    }

    pub(in crate::node::wallet) fn view(&self, now: Timestamp) -> GroupView {
        let member = |member: Identifier| {
            let me = member == self.rules.me();
            let online = !me && self.is_here(member);
            Some(MemberView {
                peer_id: self.rules.peer(member)?.clone(),
                me,
                online,
                carrier: self.carriers.get(&member).copied(),
            })
        };
        let check = |report: &Report| CheckView {
            running: report.running,
            answered: self.rules.names(report.signed.iter().copied()),
            failed: report
                .failed
                .iter()
                .filter_map(|(member, why)| Some((self.rules.peer(*member)?.clone(), why.clone())))
                .collect(),
        };
        let requests = self.ledger.iter();
        GroupView {
            pubkey: self.pubkey.clone(),
            ready: self.health.is_ready(),
            threshold: self.rules.signers_needed(),
            members: self.rules.identifiers().filter_map(member).collect(),
            problem: self.log.problem().map(str::to_owned),
            check: self.health.report().map(check),
            requests: requests.map(|(id, entry)| self.request_view(now, id, entry)).collect(),
        }
    }
}
