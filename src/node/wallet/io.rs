//! What goes into the wallets and what comes out of them: their contract with the node.

use zeroize::Zeroizing;

use crate::api::{CarrierId, Event};
use crate::audit::{Entry, Head};
use crate::group::{Operation, RequestId};
use crate::identity::Identity;
use crate::node::StoredWallet;
use crate::wire::{PeerId, SessionId};

/// What a person, or a program in place of one, wants of a wallet.
pub(in crate::node) enum WalletCommand {
    /// Propose an operation to the members, and approve it here.
    Request {
        /// The group key, as hex.
        pubkey: String,
        /// What is to be done.
        operation: Operation,
        /// For how long it can be approved and signed, in seconds.
        lifetime: u64,
    },
    /// Approve or decline a request, or change that.
    Vote {
        /// Which.
        request: RequestId,
        /// For it.
        approves: bool,
        /// The rule of a policy that decided, if no person did.
        rule: Option<String>,
    },
    /// Run a health check with every member that can be reached.
    Check {
        /// The group key, as hex.
        pubkey: String,
    },
}

/// What happens to the wallets.
pub(in crate::node) enum Input {
    /// A wallet to take into use. One that nothing can be signed with is reported, and stays as it
    /// is.
    Open(Box<StoredWallet>),
    /// A secure channel with a member stands. The identity at its other end is the one that the
    /// certificate names.
    ChannelOpened {
        /// The wallet's session id.
        session: SessionId,
        /// The member.
        peer: PeerId,
    },
    /// A member sent a message over its secure channel.
    Received {
        /// The wallet's session id.
        session: SessionId,
        /// The member.
        peer: PeerId,
        /// The message: JSON text, unparsed.
        message: Zeroizing<Vec<u8>>,
    },
    /// What carries messages to a member has changed.
    Carried {
        /// The wallet's session id.
        session: SessionId,
        /// The member.
        peer: PeerId,
        /// `None`: nothing does, it cannot be reached.
        carrier: Option<CarrierId>,
    },
    /// The signaling server has this node again. A member that restarted meanwhile finds by a
    /// message that its channel is gone.
    Registered,
    /// The driver has stored the entry of that number of a wallet's audit log, or failed to.
    EntryStored {
        /// The group key, as hex.
        pubkey: String,
        /// The entry's number.
        number: u64,
        /// What went wrong, if anything.
        result: Result<(), String>,
    },
}

/// What the wallets want done.
pub(in crate::node) enum Effect {
    /// Keep a secure channel with each of these members, under this session id.
    Join {
        /// The wallet's session id: its group id as hex.
        session: SessionId,
        /// What this node is called in the wallet.
        me: PeerId,
        /// The other members, and the identity that each has to prove.
        members: Vec<(PeerId, Identity)>,
    },
    /// Send a message to a member, if a secure channel with it stands; else drop it.
    Send {
        /// The wallet's session id.
        session: SessionId,
        /// The member.
        peer: PeerId,
        /// The message, as JSON text.
        text: Zeroizing<String>,
    },
    /// Something goes on for which direct connections to the members are worth it, or no longer.
    Busy {
        /// The wallet's session id.
        session: SessionId,
        /// It does.
        busy: bool,
    },
    /// An entry of an audit log to store, or an event.
    Output(Output),
}

/// The part of the node's outputs that wallets have.
pub(in crate::node) enum Output {
    /// Store an entry of a wallet's audit log and the new head. Answered by [`Input::EntryStored`].
    StoreEntry {
        /// The group key, as hex.
        pubkey: String,
        /// The entry.
        entry: Box<Entry>,
        /// Where the log ends now.
        head: Head,
    },
    /// Something happened that people and programs want to know of.
    Event(Event),
}
