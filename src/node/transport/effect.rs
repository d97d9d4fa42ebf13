//! What goes into the transport and what comes out of it, and what it is told of sessions.

use zeroize::Zeroizing;

use crate::api::{CarrierId, CarrierInfo, Timestamp};
use crate::channel::{HandshakeError, Window};
use crate::identity::Identity;
use crate::node::presence::{Address, ServerId};
use crate::node::{CarrierEvent, Output};
use crate::wire::{IceCandidate, PeerId, PeerMessage, RelayData, SessionId};

/// What a carrier says of itself.
#[derive(Debug)]
pub(crate) struct CarrierSpec {
    /// What people and programs see of it.
    pub info: CarrierInfo,
    /// How much may be under way on it unacknowledged.
    pub window: Window,
    /// Whether it works only while the signaling server does.
    pub needs_server: bool,
    /// Whether handshakes use it whenever it is open, whatever carries the rest: they then go
    /// beside offer and answer, and cost no time of their own.
    pub carries_handshakes: bool,
}

impl CarrierSpec {
    /// The carrier, as surfaces see it.
    pub(crate) fn id(&'static self) -> CarrierId {
        CarrierId::new(&self.info)
    }
}

/// What is known of the way to a peer that does not depend on the signaling server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::node) struct Path {
    /// Since when a data channel is open.
    pub opened_at: Option<Timestamp>,
    /// Whether it works right now.
    pub works: bool,
    /// The peer has answered the connection attempt.
    pub answered: bool,
    /// The peer sends attempt ids: it is no baseline peer.
    pub peer_sends_attempt_ids: bool,
}

/// What a driver reports of a WebRTC connection; `attempt` names it.
pub(in crate::node) enum DriverInput {
    LocalDescription { peer: PeerId, attempt: u32, sdp: String },
    LocalCandidate { peer: PeerId, attempt: u32, candidate: IceCandidate },
    Opened { peer: PeerId, attempt: u32 },
    Text { peer: PeerId, attempt: u32, text: Zeroizing<String> },
    Interrupted { peer: PeerId, attempt: u32, interrupted: bool },
    Closed { peer: PeerId, attempt: u32, reason: String },
}

impl DriverInput {
    pub(super) fn peer(&self) -> &PeerId {
        match self {
            Self::LocalDescription { peer, .. }
            | Self::LocalCandidate { peer, .. }
            | Self::Opened { peer, .. }
            | Self::Text { peer, .. }
            | Self::Interrupted { peer, .. }
            | Self::Closed { peer, .. } => peer,
        }
    }

    pub(super) fn attempt(&self) -> u32 {
        match self {
            Self::LocalDescription { attempt, .. }
            | Self::LocalCandidate { attempt, .. }
            | Self::Opened { attempt, .. }
            | Self::Text { attempt, .. }
            | Self::Interrupted { attempt, .. }
            | Self::Closed { attempt, .. } => *attempt,
        }
    }
}

/// How far a session is, as far as the transport has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::node) enum Stage {
    /// Not accepted yet: handshake messages wait.
    Pending,
    /// Handshake messages are answered.
    Active,
    /// Over; its channels stay for what is still on its way.
    Ending,
    /// Over and done: its channels are dropped, and late handshake messages with them.
    Over,
}

/// Whose handshake messages are answered in an active session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::node) enum Admission {
    /// Those of its peers.
    Peers,
    /// Those of anyone who knows the secret of the session's invite.
    Anyone,
}

/// What a session needs of the transport.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::node) struct SessionScope {
    /// The server at which its participants are.
    pub server: ServerId,
    /// The other participants, as far as known.
    pub peers: Vec<PeerId>,
    pub admission: Admission,
    pub stage: Stage,
    /// The pre-shared key of its handshakes, in a session by invite.
    pub psk: Option<Zeroizing<[u8; 32]>>,
    /// A direct connection to each peer is wanted.
    pub direct: bool,
}

/// What the transport is asked for, and what happens outside.
pub(in crate::node) enum Input {
    /// A session needs this from now on; nothing any more if there is no scope.
    Session { session: SessionId, scope: Option<SessionScope> },
    /// The members of a wallet keep channels under this id.
    Group {
        session: SessionId,
        server: Option<ServerId>,
        me: PeerId,
        members: Vec<(PeerId, Identity)>,
    },
    /// Whether a direct connection between the members of a wallet is worth it now.
    Busy { session: SessionId, busy: bool },
    /// Send a hello to a peer of a session, unless there is a channel.
    Hello { session: SessionId, peer: PeerId },
    /// Send a message over the channel, where it stands.
    Send { session: SessionId, peer: PeerId, text: Zeroizing<String> },
    /// Send everything again that was not acknowledged.
    Resend { session: SessionId, peer: PeerId },
    /// Send a message in the clear over the data channel, where one is open.
    SendPlain { address: Address, message: PeerMessage },
    /// Send a message in the clear through the server.
    RelayPlain { address: Address, message: PeerMessage },
    /// A session begins that finds an idle connection to a peer.
    Refresh { address: Address },
    /// A peer relayed something.
    Relayed { from: Address, data: RelayData },
    /// The server did not know a peer to whom something was relayed.
    NotDelivered { to: Address },
    /// The server has this node (again).
    Registered { server: ServerId },
    /// The node does not use a server any more.
    Forget { server: ServerId },
    /// The driver reports something of a connection.
    Driver(DriverInput),
    /// The driver reports something of another carrier.
    Carrier { carrier: CarrierId, from: Address, event: CarrierEvent },
}

/// What the transport does, and what it reports to its users.
pub(in crate::node) enum Effect {
    /// For the driver.
    Output(Output),
    /// Send something to a peer through a server.
    Relay { server: ServerId, to: PeerId, data: RelayData },
    /// A channel stands, with that identity at the other end.
    Opened { session: SessionId, peer: PeerId, identity: Identity },
    /// The other end has shown that the channel stands there, too.
    Confirmed { session: SessionId, peer: PeerId },
    /// A handshake of a session failed.
    Failed { session: SessionId, peer: PeerId, error: HandshakeError },
    /// A message came over a channel.
    Received { session: SessionId, peer: PeerId, message: Zeroizing<Vec<u8>> },
    /// A peer of a session sealed what is no message.
    Malformed { session: SessionId, peer: PeerId },
    /// What carries a channel has changed. `None`: nothing does.
    Carried { session: SessionId, peer: PeerId, carrier: Option<&'static CarrierSpec> },
    /// The direct way to a peer has changed.
    Path { address: Address, path: Path },
    /// A data channel opened.
    DataChannelOpened { address: Address },
    /// Text came over a data channel. The transport reads it itself.
    DataChannelText { address: Address, text: Zeroizing<String> },
    /// A peer said on its data channel what it speaks.
    Greeted { address: Address, protocol: Option<u32> },
    /// A message came in the clear.
    Plaintext { address: Address, by_relay: bool, message: PeerMessage },
    /// A peer sent nonsense over its data channel. For people: what.
    Misbehaved { address: Address, text: String },
}
