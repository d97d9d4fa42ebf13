//! What people see of a session.

use super::progress::{Progress, Reach};
use super::session::Session;
use crate::api::{PeerState, PeerView, SessionView};
use crate::node::transport::{CarrierSpec, DIRECT};
use crate::wire::PeerId;

impl Session {
    pub(super) fn view(&self) -> SessionView {
        let roster = self.roster();
        SessionView {
            session_id: self.id().clone(),
            phase: self.phase(),
            proposer: self.proposer().clone(),
            mine: self.is_mine(),
            needs_decision: self.is_proposed(),
            participants: roster.participants().to_vec(),
            total: roster.total(),
            threshold: roster.threshold(),
            suite: roster.suite(),
            identifier: roster.my_identifier(),
            proposer_allows_unverified: self.proposal().allow_unverified == Some(true),
            allow_unverified: self.consent.is_some_and(|consent| consent.allow_unverified),
            since: self.since(),
            deadline: self.deadline(),
            waiting_for: self.waiting_for(),
            reason: self.reason().cloned(),
            pubkey: self.pubkey().map(str::to_owned),
            name: self.proposal().name.clone(),
            verified_only: self.is_verified(),
            words: self.words(),
            peers: self.peers.iter().map(|(id, peer)| self.peer_view(id, peer)).collect(),
        }
    }

    fn peer_view(&self, id: &PeerId, peer: &Progress) -> PeerView {
        let reachable = self.is_reachable(id);
        let fingerprint = peer.identity.map(|(identity, _)| identity.fingerprint().to_string());
        let carrier = peer.carrier.map(CarrierSpec::id).or_else(|| reachable.then_some(DIRECT));
        PeerView {
            peer_id: id.clone(),
            state: self.peer_state(peer, reachable),
            carrier: carrier.filter(|_| peer.was_reached()),
            verified: self.is_known(id),
            fingerprint,
            step: peer.step(),
        }
    }

    fn peer_state(&self, peer: &Progress, reachable: bool) -> PeerState {
        if self.is_over() && peer.mesh_ready {
            return PeerState::Ready;
        }
        if peer.lost_since().is_some() {
            return PeerState::Lost;
        }
        match peer.reach {
            _ if reachable && peer.mesh_ready => PeerState::Ready,
            Reach::Now if reachable => PeerState::Connected,
            _ if peer.accepted || peer.has_channel() || peer.path.answered => PeerState::Connecting,
            _ => PeerState::Waiting,
        }
    }
}
