//! How the node makes the snapshot that people see.

use super::session::Session;
use crate::api::{Carrier, PeerState, PeerView, PhaseName, SessionView};
use crate::wire::PeerId;

impl SessionView {
    pub(super) fn of(session: &Session, me: Option<&PeerId>, way: impl Fn(&PeerId) -> Way) -> Self {
        let phase = session.phase();
        let mine = me == Some(&session.proposer);
        let peers = session.peers.iter().map(|(id, progress)| {
            let link = way(id);
            let identity =
                session.identities.get(id).map(|(identity, _)| identity.fingerprint().to_string());
            let state = match () {
                () if session.is_over() && progress.mesh_ready => PeerState::Ready,
                () if progress.lost.is_some() => PeerState::Lost,
                () if link.open && progress.mesh_ready => PeerState::Ready,
                () if link.open && progress.met => PeerState::Connected,
                () if progress.accepted || link.answered => PeerState::Connecting,
                () => PeerState::Waiting,
            };
            PeerView {
                peer_id: id.clone(),
                state,
                carrier: link.carrier.filter(|_| progress.met),
                verified: session.is_known(id),
                fingerprint: identity,
                step: progress.step(),
            }
        });
        Self {
            session_id: session.id.clone(),
            phase,
            proposer: session.proposer.clone(),
            mine,
            needs_decision: phase == PhaseName::Proposed,
            participants: session.roster.participants().to_vec(),
            total: session.roster.total(),
            threshold: session.roster.threshold(),
            suite: session.roster.suite(),
            identifier: session.roster.my_identifier(),
            proposer_allows_unverified: session.proposal.allow_unverified == Some(true),
            allow_unverified: session.allow_unverified,
            since: session.since,
            deadline: session.deadline(),
            waiting_for: session.waiting_for(),
            reason: session.reason().cloned(),
            pubkey: session.pubkey().map(str::to_owned),
            name: session.proposal.name.clone(),
            verified_only: session.is_verified(),
            words: session.safety_words().filter(|_| session.is_comparing()),
            peers: peers.collect(),
        }
    }
}

/// The way to one participant of one session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    pub open: bool,
    pub answered: bool,
    pub carrier: Option<Carrier>,
}

/// What the mesh knows of the channel to one peer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ChannelState {
    pub open: bool,
    pub answered: bool,
}
