//! The node without IO: sessions, mesh, key generation, blame. No async, no clock, no sockets, no `cfg`.
//!
//! A driver owns a [`Node`], hands it everything that happens with [`Node::handle`], and then takes [`Output`]s from
//! [`Node::poll`] until there are none, carrying each out. Time and randomness come from outside. The same code thus runs
//! in a browser, on the command line, and in a seeded simulation that delays, repeats, reorders and cuts.
//!
//! ```
//! use frostmesh::node::{Command, Config, Input, Node, Output, Timestamp};
//! use frostmesh::identity::{Contacts, IdentityKey};
//! use frostmesh::random::SystemRng;
//!
//! let identity = IdentityKey::generate(&mut SystemRng);
//! let mut node = Node::new(Config::default(), identity, Contacts::default(), SystemRng);
//! let now = Timestamp::from_millis(0);
//! let connect = Command::Connect { server_url: "ws://127.0.0.1:9000".into(), peer_id: "alice".parse()? };
//! node.handle(now, Input::Command(connect))?;
//! assert!(matches!(node.poll(), Some(Output::OpenServer { .. })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ceremony;
mod circles;
mod commands;
mod consensus;
mod core;
mod event;
mod invites;
mod io;
mod links;
mod mesh;
mod neighbour;
mod pact;
mod progress;
mod proposal;
mod reason;
mod routing;
mod secure;
mod server_link;
mod session;
mod view;
mod waiting;

pub use self::core::Node;
pub use circles::KeptWallet;
pub use consensus::RequestState;
pub use consensus::{CheckView, CircleView, MemberView, RequestView};
pub use event::Event;
pub use io::{Command, ContactChange, Input, Output, Role, StoreRequest};
pub use links::{Carrier, CarrierChoice};
pub use proposal::{ProposalError, Roster};
pub use reason::{Reason, ReasonKind};
pub use session::PhaseName;
pub use view::{ConnectionState, ConnectionView, ContactView, InviteView, PeerState, PeerView, SessionView, View};

use serde::Serialize;

use crate::wire::SessionId;

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
    /// For each round of a signing ceremony.
    pub sign: u64,
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
            sign: 10_000,
            linger: 10_000,
        }
    }
}

/// Settings of a node.
#[derive(Debug, Clone, Copy, Default)]
pub struct Config {
    /// How long it waits.
    pub deadlines: Deadlines,
    /// What may carry its messages.
    pub carrier: CarrierChoice,
    /// Take identities that it meets for the first time at their word, without safety words. Its wallets say so.
    pub trust_first_use: bool,
}

/// Most sessions that run at once, and most undecided proposals of others, of one node.
pub const MAX_SESSIONS: usize = 64;

/// Most undecided proposals of one initiator.
pub const MAX_PROPOSALS_PER_PEER: usize = 8;

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
    /// The session takes peers that prove nothing, and nobody here said that this is all right.
    #[error(
        "nothing proves who the other participants of this session are, and whoever runs the signaling server could pose \
         as them: allow unverified peers to go on all the same"
    )]
    UnverifiedNotAllowed,
    /// An invite that cannot be used (any more).
    #[error("{0}")]
    Invite(&'static str),
    /// A contact that cannot be changed.
    #[error(transparent)]
    Contact(#[from] crate::identity::ContactError),
    /// No such wallet is in use here.
    #[error("there is no wallet {0} here")]
    NoSuchWallet(String),
    /// Nothing can be signed with a wallet.
    #[error("nothing can be signed with this wallet: {0}")]
    WalletUnusable(String),
    /// No such request.
    #[error("there is no request {0} here")]
    NoSuchRequest(String),
    /// A request that cannot be voted on any more.
    #[error("the request is {0}: nothing can be decided any more")]
    RequestOver(&'static str),
    /// A request that cannot be made.
    #[error("this cannot be asked for: {0}")]
    Request(String),
    /// The audit trail cannot be written, and without it nothing is decided.
    #[error("the audit trail cannot be written, and nothing is decided without it: {0}")]
    Trail(String),
    /// [`MAX_SESSIONS`] are open.
    #[error("{MAX_SESSIONS} sessions are open: finish or leave one first")]
    TooManySessions,
}
