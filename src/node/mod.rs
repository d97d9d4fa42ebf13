//! The node without IO: sessions, mesh, key generation, blame. No async, no clock, no sockets, no `cfg`.
//!
//! A driver owns a [`Node`], hands it everything that happens with [`Node::handle`], and then takes [`Output`]s from
//! [`Node::poll`] until there are none, carrying each out. Time and randomness come from outside. The same code thus runs
//! in a browser, on the command line, and in a seeded simulation that delays, repeats, reorders and cuts.
//!
//! ```
//! use frostmesh::node::{Command, Config, Input, Node, Output, Timestamp};
//! use frostmesh::random::SystemRng;
//!
//! let mut node = Node::new(Config::default(), SystemRng);
//! let now = Timestamp::from_millis(0);
//! let connect = Command::Connect { server_url: "ws://127.0.0.1:9000".into(), peer_id: "alice".parse()? };
//! node.handle(now, Input::Command(connect))?;
//! assert!(matches!(node.poll(), Some(Output::OpenServer { .. })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod connections;
mod core;
pub mod keygen;
mod proposal;
mod reason;
mod server_link;
mod session;
mod view;

pub use self::core::Node;
pub use proposal::{ProposalError, Roster};
pub use reason::{Reason, ReasonKind};
pub use session::PhaseName;
pub use view::{ConnectionState, ConnectionView, PeerState, PeerView, SessionView, View};

use serde::Serialize;

use crate::keystore::WalletRecord;
use crate::wire::{IceCandidate, PeerId, PeerText, SessionId};

/// A moment, in milliseconds of the driver's clock. Drivers start it at the time since 1970 and let it run monotonically.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// A moment from its milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Its milliseconds.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// The moment `millis` milliseconds later.
    #[must_use]
    pub const fn after(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds since an earlier moment.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// How long the node waits, in milliseconds. Every wait of a session ends by one of these, and says whom it was for.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// For a person here to decide on a proposal.
    pub proposal: u64,
    /// For everyone to accept and for all channels to open.
    pub mesh: u64,
    /// For each step once no person is waited for.
    pub step: u64,
    /// For a participant whose channel went away to come back.
    pub lost: u64,
    /// For the server to answer, and to come back while a session needs it.
    pub server: u64,
    /// For one attempt at a channel, from answer to open.
    pub connect: u64,
    /// Between repeats of what nobody answered.
    pub repeat: u64,
    /// Channels stay open after a session, for what is still under way.
    pub linger: u64,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            proposal: 600_000,
            mesh: 300_000,
            step: 60_000,
            lost: 10_000,
            server: 10_000,
            connect: 15_000,
            repeat: 5_000,
            linger: 10_000,
        }
    }
}

/// Settings of a node.
#[derive(Debug, Clone, Copy, Default)]
pub struct Config {
    /// How long it waits.
    pub deadlines: Deadlines,
}

/// Most sessions that run at once, and most undecided proposals of others, of one node.
pub const MAX_SESSIONS: usize = 64;

/// Most undecided proposals of one initiator.
pub const MAX_PROPOSALS_PER_PEER: usize = 8;

/// What a person, or a program in place of one, wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Connect to a signaling server under a name, and stay connected.
    Connect {
        /// `ws://` or `wss://`.
        server_url: String,
        /// The name to register.
        peer_id: PeerId,
    },
    /// Leave the server. Sessions that need it end.
    Disconnect,
    /// Ask the server who is there.
    ListPeers,
    /// Propose a session, and take part in it.
    Propose {
        /// A name that none of this node's sessions has had.
        session_id: SessionId,
        /// Everyone, this node included.
        participants: Vec<PeerId>,
        /// Signers needed.
        threshold: u16,
        /// Take peers whose identity nothing proves.
        allow_unverified: bool,
    },
    /// Take part in a proposed session.
    Accept {
        /// Which.
        session_id: SessionId,
        /// Take peers whose identity nothing proves.
        allow_unverified: bool,
    },
    /// Do not take part.
    Decline {
        /// Which.
        session_id: SessionId,
    },
    /// Leave a session.
    Cancel {
        /// Which.
        session_id: SessionId,
    },
    /// Forget a session that is over.
    Dismiss {
        /// Which.
        session_id: SessionId,
    },
}

/// What happened outside.
#[derive(Debug)]
pub enum Input {
    /// A person decided.
    Command(Command),
    /// The socket that [`Output::OpenServer`] asked for is open.
    ServerOpened,
    /// The server sent a text frame.
    ServerText(String),
    /// The socket is closed, or could not be opened.
    ServerClosed {
        /// For people.
        reason: String,
    },
    /// The local session description of an attempt: an offer or an answer, after its role.
    LocalDescription {
        /// The other end.
        peer: PeerId,
        /// Which attempt.
        attempt: u32,
        /// The description.
        sdp: String,
    },
    /// A local candidate of an attempt.
    LocalCandidate {
        /// The other end.
        peer: PeerId,
        /// Which attempt.
        attempt: u32,
        /// The candidate.
        candidate: IceCandidate,
    },
    /// The data channel of an attempt is open.
    ChannelOpened {
        /// The other end.
        peer: PeerId,
        /// Which attempt.
        attempt: u32,
    },
    /// Text came over a data channel.
    ChannelText {
        /// The other end.
        peer: PeerId,
        /// Which attempt.
        attempt: u32,
        /// A peer message, unparsed. Wiped once it is parsed.
        text: zeroize::Zeroizing<String>,
    },
    /// The path to the other end is interrupted (true) or works again (false); the channel itself still stands.
    ChannelStalled {
        /// The other end.
        peer: PeerId,
        /// Which attempt.
        attempt: u32,
        /// Interrupted?
        stalled: bool,
    },
    /// An attempt failed, or its channel closed. It is over; its resources are free.
    ConnectionClosed {
        /// The other end.
        peer: PeerId,
        /// Which attempt.
        attempt: u32,
        /// For people.
        reason: String,
    },
    /// The answer to an [`Output::Store`].
    Stored {
        /// The session whose request it was.
        session_id: SessionId,
        /// What went wrong, if anything.
        result: Result<(), String>,
    },
    /// Time has passed.
    Tick,
}

/// Which side of a WebRTC connection this node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Creates the data channel and sends the offer: the smaller peer id.
    Offerer,
    /// Answers.
    Answerer,
}

/// What to store for a session.
#[derive(Debug)]
pub enum StoreRequest {
    /// Keep a key that is not confirmed yet, apart from wallets. Durable before it is answered.
    Keep(Box<WalletRecord>),
    /// The unconfirmed key with this group key is confirmed by all: it is a wallet now.
    Confirm {
        /// The group key.
        pubkey: String,
    },
}

/// What the driver has to do, in this order.
#[derive(Debug)]
pub enum Output {
    /// Open a socket to the server.
    OpenServer {
        /// Where.
        url: String,
    },
    /// Close it, once what was sent is out. Nothing more of this socket may be handed in.
    CloseServer,
    /// Send a text frame to the server.
    SendServer(String),
    /// Make a connection object. An offerer then makes its offer; an answerer waits for [`Output::RemoteDescription`].
    OpenConnection {
        /// The other end.
        peer: PeerId,
        /// Names the attempt in everything that follows.
        attempt: u32,
        /// This side's role.
        role: Role,
    },
    /// The other end's offer or answer.
    RemoteDescription {
        /// The other end.
        peer: PeerId,
        /// Which attempt.
        attempt: u32,
        /// The description.
        sdp: String,
    },
    /// A candidate of the other end. Never before its description.
    RemoteCandidate {
        /// The other end.
        peer: PeerId,
        /// Which attempt.
        attempt: u32,
        /// The candidate.
        candidate: IceCandidate,
    },
    /// Close and free a connection, once what was sent is out. Nothing more of this attempt may be handed in.
    CloseConnection {
        /// The other end.
        peer: PeerId,
        /// Which attempt.
        attempt: u32,
    },
    /// Send text over the open data channel.
    SendChannel {
        /// The other end.
        peer: PeerId,
        /// Which attempt.
        attempt: u32,
        /// A peer message.
        text: PeerText,
    },
    /// Store something, durably, and answer with [`Input::Stored`].
    Store {
        /// The session that asks.
        session_id: SessionId,
        /// What.
        request: StoreRequest,
    },
    /// Something happened that people and programs want to hear of.
    Event(Event),
    /// [`Node::view`] has changed.
    ViewChanged,
    /// Hand in [`Input::Tick`] at this moment, or soon after. A later one replaces an earlier one. A tick that comes too
    /// early is answered with another of these.
    WakeAt(Timestamp),
}

/// What happened, for people and programs. The JSON form is what `--json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
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
        /// How: `direct` is a WebRTC data channel.
        carrier: &'static str,
        /// Whether its identity is proven.
        verified: bool,
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

/// Why a [`Command`] or driver input was refused. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The command needs a server.
    #[error("not connected to a signaling server: connect first")]
    Offline,
    /// No such session, or it is over.
    #[error("there is no session {0} that this applies to")]
    NoSuchSession(SessionId),
    /// The session id was used before.
    #[error("the session id {0} was used before: choose another")]
    SessionIdUsed(SessionId),
    /// A rule of section 2.
    #[error(transparent)]
    Proposal(#[from] ProposalError),
    /// Every peer is unverified until links exist, and nobody said that this is all right.
    #[error(
        "nothing proves who the other participants are, and whoever runs the signaling server could pose as them: \
         allow unverified peers to go on all the same"
    )]
    UnverifiedNotAllowed,
    /// [`MAX_SESSIONS`] are open.
    #[error("{MAX_SESSIONS} sessions are open: finish or leave one first")]
    TooManySessions,
}
