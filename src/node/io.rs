//! What goes into a node and what comes out of it: the whole of its contract with a driver.

use std::fmt;

use zeroize::Zeroizing;

use super::presence::ServerId;
use crate::agreement::{Certificate, Evidence};
use crate::api::{CarrierId, Command, Event, Timestamp};
use crate::audit::{Entry, Head};
use crate::identity::Contacts;
use crate::keystore::WalletRecord;
use crate::wire::{IceCandidate, PeerId, PeerText, SessionId};

/// A wallet as it was stored: its key, and its audit log.
#[derive(Debug)]
pub struct StoredWallet {
    /// The key.
    pub record: WalletRecord,
    /// The entries of its audit log, in order.
    pub trail: Vec<Entry>,
    /// The head of its audit log, once there is an entry.
    pub head: Option<Head>,
}

/// What happens to the socket of a signaling server.
pub enum SocketEvent {
    /// The socket that [`Output::OpenServer`] asked for is open.
    Opened,
    /// The server sent a text frame, unparsed.
    Text(String),
    /// The socket is closed, or could not be opened.
    Closed {
        /// For people.
        reason: String,
    },
}

impl SocketEvent {
    /// The input that it makes when it is a server's.
    #[must_use]
    pub fn of(self, server: ServerId) -> Input {
        Input::Server { server, event: self }
    }
}

/// Says what it is, and how large.
impl fmt::Debug for SocketEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opened => f.write_str("Opened"),
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Closed { reason } => write!(f, "Closed({reason:?})"),
        }
    }
}

/// What happens on a carrier that the driver runs by itself: one that is neither WebRTC nor the
/// server's relay.
pub enum CarrierEvent {
    /// A peer can be reached by it from now on.
    Up,
    /// A peer cannot be reached by it any more.
    Down,
    /// A peer sent text over it, unparsed. Wiped once it is parsed.
    Text(Zeroizing<String>),
}

/// Says what it is, and how large.
impl fmt::Debug for CarrierEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up => f.write_str("Up"),
            Self::Down => f.write_str("Down"),
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
        }
    }
}

/// What happened outside.
pub enum Input {
    /// A person decided.
    Command(Command),
    /// Something happened to the socket of a server.
    Server {
        /// Which server.
        server: ServerId,
        /// What happened.
        event: SocketEvent,
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
    DataChannelOpened {
        /// The other end.
        peer: PeerId,
        /// Which attempt.
        attempt: u32,
    },
    /// Text came over a data channel.
    DataChannelText {
        /// The other end.
        peer: PeerId,
        /// Which attempt.
        attempt: u32,
        /// A peer message, unparsed. Wiped once it is parsed.
        text: Zeroizing<String>,
    },
    /// The path to the other end is interrupted (true) or works again (false); the channel itself
    /// still stands.
    DataChannelInterrupted {
        /// The other end.
        peer: PeerId,
        /// Which attempt.
        attempt: u32,
        /// Whether it is interrupted.
        interrupted: bool,
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
    /// Something happened on a carrier that the driver runs by itself.
    Carrier {
        /// Which carrier.
        carrier: CarrierId,
        /// The peer, by its name at the home server.
        peer: PeerId,
        /// What happened.
        event: CarrierEvent,
    },
    /// The answer to an [`Output::Store`].
    Stored {
        /// The session whose request it was.
        session_id: SessionId,
        /// What went wrong, if anything.
        result: Result<(), String>,
    },
    /// A wallet to take into use: at the start, and when one was made.
    OpenWallet(Box<StoredWallet>),
    /// What came of [`Output::StoreEntry`]. In the order of the outputs, for each wallet.
    EntryStored {
        /// The wallet's group key, as hex.
        pubkey: String,
        /// The entry's number.
        number: u64,
        /// What went wrong, if anything.
        result: Result<(), String>,
    },
    /// Time has passed.
    Tick,
}

/// Says what it is and whose, never what it holds: that may be a share.
impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(command) => f.debug_tuple("Command").field(command).finish(),
            Self::Server { server, event } => write!(f, "Server({}, {event:?})", server.number()),
            Self::LocalDescription { peer, attempt, sdp } => {
                write!(f, "LocalDescription({peer}, {attempt}, {} bytes)", sdp.len())
            }
            Self::LocalCandidate { peer, attempt, candidate } => {
                write!(f, "LocalCandidate({peer}, {attempt}, {:?})", candidate.candidate)
            }
            Self::DataChannelOpened { peer, attempt } => {
                write!(f, "DataChannelOpened({peer}, {attempt})")
            }
            Self::DataChannelText { peer, attempt, text } => {
                write!(f, "DataChannelText({peer}, {attempt}, {} bytes)", text.len())
            }
            Self::DataChannelInterrupted { peer, attempt, interrupted } => {
                write!(f, "DataChannelInterrupted({peer}, {attempt}, {interrupted})")
            }
            Self::ConnectionClosed { peer, attempt, reason } => {
                write!(f, "ConnectionClosed({peer}, {attempt}, {reason:?})")
            }
            Self::Carrier { carrier, peer, event } => {
                write!(f, "Carrier({}, {peer}, {event:?})", carrier.id())
            }
            Self::Stored { session_id, result } => write!(f, "Stored({session_id:?}, {result:?})"),
            Self::OpenWallet(wallet) => write!(f, "Wallet({})", wallet.record.info.pubkey),
            Self::EntryStored { pubkey, number, result } => {
                write!(f, "EntryStored({pubkey}, {number}, {result:?})")
            }
            Self::Tick => f.write_str("Tick"),
        }
    }
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
    Unconfirmed(Box<WalletRecord>),
    /// The unconfirmed key with this group key is confirmed by all: it is a wallet now.
    Confirm {
        /// The group key.
        pubkey: String,
        /// How it was made, if everyone was verified.
        certificate: Option<Box<Certificate>>,
    },
}

/// What the driver has to do, in this order.
#[derive(Debug)]
pub enum Output {
    /// Open a socket to the server.
    OpenServer {
        /// Names the server in everything that follows.
        server: ServerId,
        /// Where.
        url: String,
    },
    /// Close it, once what was sent is out. Nothing more of this socket may be handed in.
    CloseServer {
        /// Which server.
        server: ServerId,
    },
    /// Send a text frame to a server.
    SendServer {
        /// Which server.
        server: ServerId,
        /// The frame.
        text: String,
    },
    /// Make a connection object. An offerer then makes its offer; an answerer waits for
    /// [`Output::RemoteDescription`].
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
    /// Close and free a connection, once what was sent is out. Nothing more of this attempt may be
    /// handed in.
    CloseConnection {
        /// The other end.
        peer: PeerId,
        /// Which attempt.
        attempt: u32,
    },
    /// Send text over the open data channel.
    SendDataChannel {
        /// The other end.
        peer: PeerId,
        /// Which attempt.
        attempt: u32,
        /// A peer message.
        text: PeerText,
    },
    /// Send text to a peer over a carrier that the driver runs by itself.
    SendOver {
        /// Which carrier.
        carrier: CarrierId,
        /// The peer, by its name at its server.
        peer: PeerId,
        /// A peer message, which is sealed.
        text: PeerText,
    },
    /// Store something, durably, and answer with [`Input::Stored`].
    Store {
        /// The session that asks.
        session_id: SessionId,
        /// What.
        request: StoreRequest,
    },
    /// Keep an entry of a wallet's audit trail and its new head, durably and in this order, and
    /// answer with [`Input::EntryStored`].
    StoreEntry {
        /// The wallet's group key, as hex.
        pubkey: String,
        /// The entry.
        entry: Box<Entry>,
        /// What the trail ends in now.
        head: Head,
    },
    /// Keep these in place of the contacts kept before. Not answered.
    StoreContacts(Contacts),
    /// Keep evidence against a participant. Not answered.
    StoreEvidence(Box<Evidence>),
    /// Something happened that people and programs want to hear of.
    Event(Event),
    /// [`Node::view`] has changed.
    ViewChanged,
    /// Hand in [`Input::Tick`] at this moment, or soon after. A later one replaces an earlier one.
    /// A tick that comes too early is answered with another of these.
    WakeAt(Timestamp),
}
