//! What people and programs hear of a node.

use serde::Serialize;

use super::{CarrierId, ContentView, Reason, RequestState, SignatureView};
use crate::frost::Suite;
use crate::identity::InviteUri;
use crate::wire::{PeerId, SessionId};

/// What happened, for people and programs. The JSON form is what `--json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum Event {
    /// The server took the peer id.
    Registered {
        /// Under this name.
        peer_id: PeerId,
    },
    /// The server said who is there.
    Peers {
        /// Everyone registered.
        peers: Vec<PeerId>,
    },
    /// The server is not reachable, or went away.
    ServerLost {
        /// For people.
        reason: String,
        /// Whether the peer id had been registered before.
        was_registered: bool,
    },
    /// The server does not take this node under this name. It is not tried again.
    ServerRefused {
        /// For people.
        reason: String,
    },
    /// The server has been away for longer than the deadline.
    ServerGone {
        /// For people.
        reason: String,
    },
    /// A session was proposed, by this node or another.
    Proposed {
        /// The session.
        session_id: SessionId,
        /// Who proposed it.
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
        /// Who proposed it.
        peer_id: PeerId,
        /// Which rule.
        reason: String,
    },
    /// A participant takes part.
    Accepted {
        /// The session.
        session_id: SessionId,
        /// Who.
        peer_id: PeerId,
    },
    /// A participant does not take part.
    Declined {
        /// The session.
        session_id: SessionId,
        /// Who.
        peer_id: PeerId,
        /// In its words.
        reason: Option<String>,
    },
    /// A participant can be reached.
    PeerConnected {
        /// Who.
        peer_id: PeerId,
        /// What carries messages to it.
        carrier: CarrierId,
        /// Whether its identity is proven.
        verified: bool,
    },
    /// Something else carries messages to a participant from now on.
    Carrier {
        /// Who.
        peer_id: PeerId,
        /// What carries them.
        carrier: CarrierId,
    },
    /// A participant cannot be reached any more.
    PeerDisconnected {
        /// Who.
        peer_id: PeerId,
        /// For people.
        reason: String,
    },
    /// This node's channels to all other participants are open.
    MeshReady {
        /// The session.
        session_id: SessionId,
    },
    /// The person here has to compare these words with every other participant, before anything secret leaves.
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
        /// What to hand to the guests. Secret: whoever has it can take part.
        uri: InviteUri,
        /// When it ends, in seconds since 1970.
        #[cfg_attr(test, ts(type = "number"))]
        expires: u64,
    },
    /// A guest has come by invite.
    Arrived {
        /// The session.
        session_id: SessionId,
        /// Who.
        peer_id: PeerId,
        /// Its identity.
        fingerprint: String,
        /// How many more are awaited.
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
        /// Members who have signed.
        answered: Vec<PeerId>,
        /// Members who have not, and why.
        failed: Vec<(PeerId, String)>,
    },
    /// A member of a wallet can be reached, or cannot any more.
    Member {
        /// The group key.
        pubkey: String,
        /// Who.
        peer_id: PeerId,
        /// It can be reached.
        online: bool,
    },
    /// A member speaks another version of the members' messages. What that version does not know is not sent to it; the node
    /// with the lower version has to be updated.
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
        /// Who asks.
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
        /// Who.
        peer_id: PeerId,
        /// For it.
        approves: bool,
        /// Where the request stands then.
        state: RequestState,
    },
    /// This node lets members sign.
    Signing {
        /// The group key.
        pubkey: String,
        /// The request's id.
        request: String,
        /// Who signs.
        signers: Vec<PeerId>,
    },
    /// A signing ceremony that this node coordinated failed. Others are asked in place of the culprits, while there are any.
    SigningFailed {
        /// The group key.
        pubkey: String,
        /// The request's id.
        request: String,
        /// Whose fault it was.
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
        /// Who signed.
        signers: Vec<PeerId>,
    },
    /// A session ended without a confirmed key.
    Aborted {
        /// The session.
        session_id: SessionId,
        /// Why.
        reason: Reason,
    },
    /// Something of others was not understood and ignored.
    Ignored {
        /// Whose it was, as far as known.
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
