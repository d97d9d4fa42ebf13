//! Views: a snapshot of all that a surface shows of a node, made of plain values.

use serde::Serialize;

use super::{CarrierId, Error, GroupView, Reason, RequestView, Timestamp};
use crate::frost::Suite;
use crate::identity::InviteUri;
use crate::wire::{PeerId, SessionId};

/// Everything that a user interface shows of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "NodeView"))]
pub struct View {
    /// The signaling server.
    pub connection: ConnectionView,
    /// Other peers that are registered at the server, as far as known.
    pub peers_online: Vec<PeerId>,
    /// Sessions, newest last.
    pub sessions: Vec<SessionView>,
    /// Invites that wait for guests.
    pub invites: Vec<InviteView>,
    /// The fingerprint of this node's identity.
    pub identity: String,
    /// Its contacts.
    pub contacts: Vec<ContactView>,
    /// Wallets in use, with their members and requests.
    pub groups: Vec<GroupView>,
}

impl View {
    /// The request whose id begins so. `None` when there is none.
    ///
    /// # Errors
    /// There are several.
    pub fn request(&self, beginning: &str) -> Result<Option<&RequestView>, Error> {
        let requests = self.groups.iter().flat_map(|group| &group.requests);
        let mut found = requests.filter(|request| request.id.starts_with(beginning));
        let first = found.next();
        if found.next().is_some() {
            return Err(Error::SeveralRequests(beginning.to_owned()));
        }
        Ok(first)
    }
}

/// A contact, as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ContactView {
    /// Its name here.
    pub name: String,
    /// The fingerprint of its identity.
    pub fingerprint: String,
    /// When it was first met.
    pub first_seen: Timestamp,
    /// When it was last met.
    pub last_seen: Timestamp,
    /// Verified by words or an invite.
    pub verified: bool,
    /// Its messages are ignored.
    pub blocked: bool,
}

/// The connection to the signaling server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ConnectionView {
    /// Its state.
    pub state: ConnectionState,
    /// The server, once one was named.
    pub server_url: Option<String>,
    /// This node's name there.
    pub peer_id: Option<PeerId>,
    /// Why it is not online.
    pub error: Option<String>,
    /// Since when it is in that state.
    pub since: Timestamp,
}

/// The state of the connection to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum ConnectionState {
    /// Not wanted, or refused.
    Offline,
    /// Being opened, or about to be retried.
    Connecting,
    /// Registered.
    Online,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SessionView {
    /// Its id.
    pub session_id: SessionId,
    /// Its phase.
    pub phase: PhaseName,
    /// Its proposer.
    pub proposer: PeerId,
    /// Proposed here.
    pub mine: bool,
    /// Waits for the person here to join or decline.
    pub needs_decision: bool,
    /// Everyone, sorted.
    pub participants: Vec<PeerId>,
    /// Participants.
    pub total: u16,
    /// Signers needed.
    pub threshold: u16,
    /// Which signatures the key is to make.
    pub suite: Suite,
    /// This node's FROST identifier.
    pub identifier: u16,
    /// The proposer accepts participants without a verified identity.
    pub proposer_allows_unverified: bool,
    /// The person here accepts participants without a verified identity.
    pub allow_unverified: bool,
    /// Since when it is in that state.
    pub since: Timestamp,
    /// When the current wait ends.
    pub deadline: Option<Timestamp>,
    /// The participants that this node waits for.
    pub waiting_for: Vec<PeerId>,
    /// Why it ended.
    pub reason: Option<Reason>,
    /// The group key, once it is made here.
    pub pubkey: Option<String>,
    /// What the wallet is to be called.
    pub name: Option<String>,
    /// Every participant needs a verified identity.
    pub verified_only: bool,
    /// The safety words to compare with every other participant, while that is awaited here.
    pub words: Option<[u16; crate::agreement::WORDS]>,
    /// The other participants.
    pub peers: Vec<PeerView>,
}

/// Another participant of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct PeerView {
    /// The participant.
    pub peer_id: PeerId,
    /// How far the connection to it is.
    pub state: PeerState,
    /// What carries messages to it, while it can be reached.
    pub carrier: Option<CarrierId>,
    /// Whether its identity is proven, and known to be its own: by an invite, or by words that were
    /// compared.
    pub verified: bool,
    /// The fingerprint of its identity, once that is proven.
    pub fingerprint: Option<String>,
    /// The last step of key generation that it sent.
    pub step: ProtocolStep,
}

/// The last step of key generation that came from a participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum ProtocolStep {
    /// None so far.
    #[serde(rename = "")]
    None,
    /// It takes part.
    Accepted,
    /// Its channels to all others are open.
    MeshReady,
    /// Its round-1 package.
    Commitment,
    /// Its agreement to everyone's round-1 packages.
    Ready,
    /// Its round-2 package.
    Share,
    /// The group key that it made.
    WalletCreated,
}

impl ProtocolStep {
    /// Its name in views and reasons; empty for none.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Accepted => "accepted",
            Self::MeshReady => "mesh_ready",
            Self::Commitment => "commitment",
            Self::Ready => "ready",
            Self::Share => "share",
            Self::WalletCreated => "wallet_created",
        }
    }
}

/// How far the connection to a participant is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum PeerState {
    /// It has not accepted, as far as known.
    Waiting,
    /// A channel is being opened.
    Connecting,
    /// The channel is open.
    Connected,
    /// Its channels to all other participants are open, too.
    Ready,
    /// Its channel was open and is gone.
    Lost,
}

/// An invite, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct InviteView {
    /// The session that it is for.
    pub session_id: SessionId,
    /// What the wallet is to be called.
    pub name: Option<String>,
    /// Made here.
    pub mine: bool,
    /// The invite, if made here. Secret: everyone who has it can take part.
    pub uri: Option<InviteUri>,
    /// The peer that made it.
    pub host: PeerId,
    /// Participants.
    pub total: u16,
    /// Signers needed.
    pub threshold: u16,
    /// When it ends, in seconds since 1970.
    #[cfg_attr(test, ts(type = "number"))]
    pub expires: u64,
    /// The guests that have joined, each with the fingerprint of its identity.
    pub guests: Vec<(PeerId, String)>,
}

/// The phases as people and tests see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum PhaseName {
    /// Waiting for a decision.
    Proposed,
    /// Opening channels.
    Meshing,
    /// Exchanging commitments.
    Round1,
    /// Exchanging `ready` and shares.
    Round2,
    /// Storing the key and comparing it with all.
    Confirming,
    /// The key is confirmed.
    Done,
    /// Ended without a confirmed key.
    Aborted,
}
