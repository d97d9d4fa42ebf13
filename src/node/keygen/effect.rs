//! What goes into key generation and what comes out of it.

use crate::frost::Suite;
use crate::identity::{Identity, Invite};
use crate::node::Output;
use crate::node::presence::ServerId;
use crate::node::transport;
use crate::wire::{PeerId, SessionId};

/// What a person here wants of sessions.
pub(in crate::node) enum KeygenCommand {
    Propose {
        server: ServerId,
        session_id: SessionId,
        participants: Vec<PeerId>,
        threshold: u16,
        suite: Suite,
        allow_unverified: bool,
    },
    Accept {
        session_id: SessionId,
        allow_unverified: bool,
    },
    Decline {
        session_id: SessionId,
    },
    ConfirmWords {
        session_id: SessionId,
        they_match: bool,
    },
    Invite {
        server: ServerId,
        server_url: String,
        session_id: SessionId,
        total: u16,
        threshold: u16,
        suite: Suite,
        name: Option<String>,
        /// In seconds.
        lifetime: u64,
    },
    JoinInvite {
        server: ServerId,
        invite: Box<Invite>,
    },
    Cancel {
        session_id: SessionId,
    },
    Dismiss {
        session_id: SessionId,
    },
}

/// What happens outside.
pub(in crate::node) enum Input {
    /// Something of the transport.
    Transport(transport::Effect),
    /// The store has answered a request of a session.
    Stored { session_id: SessionId, result: Result<(), String> },
    /// The server has been away for too long: sessions that need it end.
    ServerGone { server: ServerId, why: String },
    /// The server does not take this node: sessions that need it to find somebody end.
    ServerRefused { server: ServerId, why: String },
    /// This node leaves a server: sessions end that need it to find somebody, or all of them.
    Leaving { server: ServerId, all: bool },
}

/// What sessions ask for.
pub(in crate::node) enum Effect {
    /// For the driver.
    Output(Output),
    /// For the transport.
    Transport(transport::Input),
    /// The participants are who they say: remember them. With each, whether it was verified.
    Met(Vec<(PeerId, Identity, bool)>),
    /// Whether somebody is awaited at a server.
    AwaitPeers { server: ServerId, awaits: bool },
}
