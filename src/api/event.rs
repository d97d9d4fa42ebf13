//! Events: what happens in a node, for people and programs.

use serde::Serialize;

use super::{CarrierId, ContentView, Reason, RequestState, SignatureView};
use crate::frost::Suite;
use crate::identity::InviteUri;
use crate::wire::{PeerId, SessionId};

/// What happened, for people and programs. `--json` prints the JSON form, with two differences:
/// `words` has the words themselves in place of their indices, and `aborted` has the fields of its
/// reason beside `session_id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum Event {
    /// The server registered this node.
    Registered {
        /// Its peer id there.
        peer_id: PeerId,
    },
    /// The server listed the registered peers.
    Peers {
        /// Everyone registered.
        peers: Vec<PeerId>,
    },
    /// The server cannot be reached, or the connection to it broke. The node retries.
    ServerLost {
        /// For people.
        reason: String,
        /// Whether the peer id had been registered before.
        was_registered: bool,
    },
    /// The server refuses this peer id. The node does not retry.
    ServerRefused {
        /// For people.
        reason: String,
    },
    /// The server could not be reached for longer than the deadline.
    ServerGone {
        /// For people.
        reason: String,
    },
    /// A session was proposed, by this node or another.
    Proposed {
        /// The session.
        session_id: SessionId,
        /// Its proposer.
        peer_id: PeerId,
        /// Everyone, sorted.
        participants: Vec<PeerId>,
        /// Participants.
        total: u16,
        /// Signers needed.
        threshold: u16,
        /// Which signatures the key is to make.
        suite: Suite,
    },
    /// A proposal broke a rule and was refused.
    Refused {
        /// The session it named.
        session_id: SessionId,
        /// Its proposer.
        peer_id: PeerId,
        /// Which rule.
        reason: String,
    },
    /// A participant takes part.
    Accepted {
        /// The session.
        session_id: SessionId,
        /// The peer.
        peer_id: PeerId,
    },
    /// A participant does not take part.
    Declined {
        /// The session.
        session_id: SessionId,
        /// The peer.
        peer_id: PeerId,
        /// Why, in its own words.
        reason: Option<String>,
    },
    /// A participant can be reached.
    PeerConnected {
        /// The peer.
        peer_id: PeerId,
        /// What carries messages to it.
        carrier: CarrierId,
        /// Whether its identity is proven.
        verified: bool,
    },
    /// Something else carries messages to a participant from now on.
    Carrier {
        /// The peer.
        peer_id: PeerId,
        /// What carries them.
        carrier: CarrierId,
    },
    /// A participant cannot be reached any more.
    PeerDisconnected {
        /// The peer.
        peer_id: PeerId,
        /// For people.
        reason: String,
    },
    /// This node's channels to all other participants are open.
    MeshReady {
        /// The session.
        session_id: SessionId,
    },
    /// The person here has to compare these words with every other participant, before anything
    /// secret leaves.
    Words {
        /// The session.
        session_id: SessionId,
        /// Indices into the list of 2048 words.
        words: [u16; crate::agreement::WORDS],
    },
    /// An invite was made.
    Invite {
        /// The session.
        session_id: SessionId,
        /// The invite, to be passed to the guests. Secret: everyone who has it can take part.
        uri: InviteUri,
        /// When it ends, in seconds since 1970.
        #[cfg_attr(test, ts(type = "number"))]
        expires: u64,
    },
    /// A guest has joined by an invite.
    Arrived {
        /// The session.
        session_id: SessionId,
        /// The peer.
        peer_id: PeerId,
        /// Its identity.
        fingerprint: String,
        /// How many guests have not joined yet.
        missing: u16,
    },
    /// A round of key generation began here.
    Round {
        /// The session.
        session_id: SessionId,
        /// 1 or 2.
        round: u8,
    },
    /// The key is confirmed by all.
    WalletCreated {
        /// The session.
        session_id: SessionId,
        /// The group key.
        pubkey: String,
        /// Which signatures it makes.
        suite: Suite,
        /// Signers needed.
        threshold: u16,
        /// Participants.
        total: u16,
        /// Everyone, sorted.
        participants: Vec<PeerId>,
        /// This node's FROST identifier.
        identifier: u16,
        /// Whether every participant's identity was proven.
        verified: bool,
    },
    /// Every member of a wallet has signed a test.
    WalletReady {
        /// The group key.
        pubkey: String,
    },
    /// Nothing can be signed with a wallet.
    WalletUnusable {
        /// The group key.
        pubkey: String,
        /// Why.
        reason: String,
    },
    /// A health check that this node coordinated is over.
    Checked {
        /// The group key.
        pubkey: String,
        /// Members that have signed.
        answered: Vec<PeerId>,
        /// Members that have not, and why.
        failed: Vec<(PeerId, String)>,
    },
    /// A member of a wallet can be reached, or cannot any more.
    Member {
        /// The group key.
        pubkey: String,
        /// The peer.
        peer_id: PeerId,
        /// Whether it can be reached.
        online: bool,
        /// What carries messages to it, while it can be reached.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        carrier: Option<CarrierId>,
    },
    /// A member speaks another version of the members' messages. What that version does not know is
    /// not sent to it; the node with the lower version has to be updated.
    MemberVersion {
        /// The group key.
        pubkey: String,
        /// The member.
        peer_id: PeerId,
        /// Its version.
        version: u32,
        /// This node's version.
        ours: u32,
    },
    /// A member asks for a signature.
    Requested {
        /// The group key.
        pubkey: String,
        /// The request's id.
        request: String,
        /// Its proposer.
        peer_id: PeerId,
        /// The kind of operation: that of the one content to sign, or `batch`.
        #[cfg_attr(test, ts(type = "ContentKind | \"batch\""))]
        kind: &'static str,
        /// The 32 bytes that would be signed, as hex: those of the first item.
        digest: String,
        /// What a person has to see of the one content: names of fields, and what stands in them.
        shown: Vec<(&'static str, String)>,
        /// All contents that are to be signed, in order.
        contents: Vec<ContentView>,
        /// When it ends, in milliseconds since 1970.
        #[cfg_attr(test, ts(type = "number"))]
        expires: u64,
    },
    /// A member voted on a request.
    Voted {
        /// The group key.
        pubkey: String,
        /// The request's id.
        request: String,
        /// The peer.
        peer_id: PeerId,
        /// Whether it approves.
        approves: bool,
        /// The state of the request after the vote.
        state: RequestState,
    },
    /// This node coordinates a signing ceremony.
    Signing {
        /// The group key.
        pubkey: String,
        /// The request's id.
        request: String,
        /// The signers.
        signers: Vec<PeerId>,
    },
    /// A signing ceremony that this node coordinated failed. It is retried without the culprits,
    /// while enough members are left.
    SigningFailed {
        /// The group key.
        pubkey: String,
        /// The request's id.
        request: String,
        /// The members that caused it.
        culprits: Vec<PeerId>,
        /// What they did.
        reason: String,
    },
    /// A request is signed.
    Signature {
        /// The group key.
        pubkey: String,
        /// The request's id.
        request: String,
        /// The ciphersuite.
        suite: Suite,
        /// The 32 bytes that were signed, as hex: those of the first item.
        digest: String,
        /// The signature of the first item, as hex.
        signature: String,
        /// The signatures of all items, in their order.
        signatures: Vec<SignatureView>,
        /// The signers.
        signers: Vec<PeerId>,
    },
    /// A session ended without a confirmed key.
    Aborted {
        /// The session.
        session_id: SessionId,
        /// Why.
        reason: Reason,
    },
    /// A message of another node was not understood, and was ignored.
    Ignored {
        /// Its sender, as far as known.
        peer_id: Option<PeerId>,
        /// What was wrong with it.
        reason: String,
    },
}

impl Event {
    /// The request that it is about, if it is about one: its id.
    #[must_use]
    pub fn request(&self) -> Option<&str> {
        match self {
            Self::Requested { request, .. }
            | Self::Voted { request, .. }
            | Self::Signing { request, .. }
            | Self::SigningFailed { request, .. }
            | Self::Signature { request, .. } => Some(request),
            _ => None,
        }
    }

    /// The wallet that it is about, if it is about one: its group key as hex.
    #[must_use]
    pub fn pubkey(&self) -> Option<&str> {
        match self {
            Self::WalletCreated { pubkey, .. }
            | Self::WalletReady { pubkey }
            | Self::WalletUnusable { pubkey, .. }
            | Self::Checked { pubkey, .. }
            | Self::Member { pubkey, .. }
            | Self::Requested { pubkey, .. }
            | Self::Voted { pubkey, .. }
            | Self::Signing { pubkey, .. }
            | Self::SigningFailed { pubkey, .. }
            | Self::Signature { pubkey, .. } => Some(pubkey),
            _ => None,
        }
    }
}
