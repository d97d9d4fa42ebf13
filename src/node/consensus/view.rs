//! What people see of wallets in use: who is there, and what is asked for.

use rand_core::{CryptoRng, RngCore};
use serde::Serialize;

use super::{Circle, RequestState, Tracked};
use crate::frost::Place;
use crate::node::Timestamp;
use crate::node::core::Node;
use crate::wire::PeerId;

/// A wallet in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CircleView {
    /// The group key, as hex.
    pub pubkey: String,
    /// Every member has signed a test.
    pub ready: bool,
    /// Signers needed.
    pub threshold: u16,
    /// The members, by FROST identifier.
    pub members: Vec<MemberView>,
    /// Why nothing is signed with it.
    pub problem: Option<String>,
    /// The last health check that this node coordinated.
    pub check: Option<CheckView>,
    /// Requests, oldest first.
    pub requests: Vec<RequestView>,
}

/// A health check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckView {
    /// It is not over yet.
    pub running: bool,
    /// Members who have signed.
    pub answered: Vec<PeerId>,
    /// Members who have not, and why.
    pub failed: Vec<(PeerId, String)>,
}

/// A member of a wallet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemberView {
    /// Who.
    pub peer_id: PeerId,
    /// This node.
    pub me: bool,
    /// Can be reached right now.
    pub online: bool,
}

/// A request, as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestView {
    /// Its id, as hex.
    pub id: String,
    /// Where it stands.
    pub state: RequestState,
    /// The kind of content.
    pub kind: &'static str,
    /// What a person has to see: names of fields, and what stands in them.
    pub shown: Vec<(&'static str, String)>,
    /// The 32 bytes that are signed, as hex.
    pub digest: String,
    /// Who asks.
    pub proposer: PeerId,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// Who approves.
    pub approved: Vec<PeerId>,
    /// Who declines.
    pub declined: Vec<PeerId>,
    /// What this node has said, if anything.
    pub decision: Option<bool>,
    /// Waits for the person here to approve or decline.
    pub needs_decision: bool,
    /// Whom a ceremony that runs here waits for.
    pub waiting_for: Vec<PeerId>,
    /// The signature, as hex.
    pub signature: Option<String>,
    /// Who signed, by the word of whoever told it first.
    pub signers: Vec<PeerId>,
}

impl Circle {
    fn request_view(&self, id: &[u8; 32], tracked: &Tracked, now: Timestamp) -> RequestView {
        let voted = |approves: bool| {
            let members = tracked.votes.keys().copied().filter(|place| tracked.approves(*place) == approves);
            self.names(&members.collect::<Vec<_>>())
        };
        let running = self.ceremonies.values().find(|ceremony| ceremony.request == Some(*id));
        let waiting: Vec<Place> = running.map(|ceremony| ceremony.awaited().collect()).unwrap_or_default();
        let state = tracked.state(&self.rules, now);
        let decision = tracked.votes.get(&self.me).map(|vote| vote.approves);
        let undecided = matches!(state, RequestState::Open | RequestState::Approved) && decision.is_none();
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

    fn view(&self, now: Timestamp) -> CircleView {
        let member = |place: Place| {
            let (me, online) = (place == self.me, self.reachable.contains(&place));
            Some(MemberView { peer_id: self.peer(place)?.clone(), me, online })
        };
        CircleView {
            pubkey: self.info.pubkey.clone(),
            ready: self.ready,
            threshold: self.rules.threshold,
            members: (1..=self.rules.total()).filter_map(member).collect(),
            problem: self.problem().map(str::to_owned),
            check: self.last_check.clone(),
            requests: self.book.iter().map(|(id, tracked)| self.request_view(id, tracked, now)).collect(),
        }
    }
}

impl<R: RngCore + CryptoRng> Node<R> {
    pub(in crate::node) fn circle_views(&self, now: Timestamp) -> Vec<CircleView> {
        self.circles.iter().map(|circle| circle.view(now)).collect()
    }
}
