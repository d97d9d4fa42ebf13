//! What a person, or a program in place of one, can ask of a node.

use crate::frost::Suite;
use crate::group::{Operation, RequestId};
use crate::identity::Invite;
use crate::wire::{PeerId, SessionId};

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
        /// Which signatures the key is to make.
        suite: Suite,
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
    /// Say whether the safety words are the same for all. If they are not, the session ends.
    ConfirmWords {
        /// Which.
        session_id: SessionId,
        /// They are.
        they_match: bool,
    },
    /// Make an invite, and start the session when everyone has come by it.
    Invite {
        /// A name that none of this node's sessions has had.
        session_id: SessionId,
        /// Participants, this node included.
        total: u16,
        /// Signers needed.
        threshold: u16,
        /// Which signatures the key is to make.
        suite: Suite,
        /// What the wallet is to be called.
        name: Option<String>,
        /// For how long the invite can be used, in seconds.
        lifetime: u64,
    },
    /// Take part by an invite. The node has to be connected to its server.
    JoinInvite(Box<Invite>),
    /// Propose an operation to the members of a wallet, and approve it.
    Request {
        /// The wallet's group key, as hex.
        pubkey: String,
        /// What is to be done.
        operation: Operation,
        /// For how long it can be approved and signed, in seconds: ten to 31 days' worth.
        lifetime: u64,
    },
    /// Approve or decline a request, or change that.
    Vote {
        /// Which.
        request: RequestId,
        /// For it.
        approves: bool,
        /// The rule of a policy that decided, if no person did; for the audit trail.
        rule: Option<String>,
    },
    /// Let every member of a wallet that can be reached sign a fixed text, to see that it can.
    Check {
        /// The wallet's group key, as hex.
        pubkey: String,
    },
    /// Change what is known of a contact.
    Contact {
        /// Its name, peer id, or fingerprint.
        who: String,
        /// What to change.
        change: ContactChange,
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

/// What to change of a contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContactChange {
    /// Give it another name.
    Rename(String),
    /// Forget it.
    Forget,
    /// Block it, or take that back.
    Block(bool),
}
