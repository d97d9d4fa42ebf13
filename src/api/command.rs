//! Commands: what a person, or a program in place of one, asks of a node.

use zeroize::Zeroizing;

use super::{ErrorCode, Refusal};
use crate::frost::Suite;
use crate::group::Operation;
use crate::identity::Invite;
use crate::random::SystemRng;
use crate::wire::{PeerId, SessionId};

/// For how long an invite can be used where nothing else is said, in seconds.
const INVITE_LIFETIME: u64 = 3600;
/// For how long a request can be approved and signed where nothing else is said, in seconds.
const REQUEST_LIFETIME: u64 = 24 * 3600;
/// Fewest digits of a request's id that name it.
pub const MIN_REQUEST_DIGITS: usize = 4;

commands! {
    /// What a person, or a program in place of one, asks of a node. In JSON it is an object whose
    /// `type` is the command's name.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum Command: Serialize {
        /// Connect to a signaling server under a name, and stay connected.
        "connect" => Connect {
            /// `ws://` or `wss://`.
            server_url: String,
            /// The name to register.
            peer_id: PeerId,
        },
        /// Leave the server. Sessions that need it end.
        "disconnect" => Disconnect,
        /// Ask the server which peers are registered.
        "list_peers" => ListPeers,
        /// Propose a session, and take part in it.
        "propose" => Propose {
            /// A name that none of this node's sessions has had. Drawn at random where JSON has
            /// none.
            session_id: SessionId = SessionId::random(&mut SystemRng),
            /// Everyone, this node included.
            participants: Vec<PeerId>,
            /// Signers needed.
            threshold: u16,
            /// Which signatures the key is to make.
            suite: Suite = Suite::default(),
            /// Accept participants without a verified identity.
            allow_unverified: bool = false,
        },
        /// Take part in a proposed session.
        "accept" => Accept {
            /// Which.
            session_id: SessionId,
            /// Accept participants without a verified identity.
            allow_unverified: bool = false,
        },
        /// Do not take part in a proposed session.
        "decline" => Decline {
            /// Which.
            session_id: SessionId,
        },
        /// Tell whether everyone has the same safety words. If not, the session ends.
        "confirm_words" => ConfirmWords {
            /// Which session.
            session_id: SessionId,
            /// Everyone has the same words.
            they_match: bool,
        },
        /// Make an invite, and start the session when all guests have joined by it.
        "invite" => Invite {
            /// A name that none of this node's sessions has had. Drawn at random where JSON has
            /// none.
            session_id: SessionId = SessionId::random(&mut SystemRng),
            /// Participants, this node included.
            total: u16,
            /// Signers needed.
            threshold: u16,
            /// Which signatures the key is to make.
            suite: Suite = Suite::default(),
            /// What the wallet is to be called.
            name: Option<String>,
            /// For how long the invite can be used, in seconds.
            lifetime: u64 = INVITE_LIFETIME,
        },
        /// Take part by an invite. The node connects to the invite's server if that is not its own.
        "join_invite" => JoinInvite {
            /// The invite. Secret.
            invite: Box<Invite>,
            /// The name to register at the invite's server, if the node is not connected to that.
            peer_id: Option<PeerId>,
        },
        /// Propose an operation to the members of a wallet, and approve it.
        "request" => Request {
            /// The wallet's group key, as hex.
            pubkey: String,
            /// What is to be done.
            operation: Operation,
            /// For how long it can be approved and signed, in seconds: 10 seconds to 31 days.
            lifetime: u64 = REQUEST_LIFETIME,
        },
        /// Approve a request, also one that was declined here.
        "approve_request" => ApproveRequest {
            /// Its id as hex, or the beginning of it: [`MIN_REQUEST_DIGITS`] digits or more.
            request: String,
            /// The rule of a policy that decided, if no person did; for the audit log.
            rule: Option<String>,
        },
        /// Decline a request, also one that was approved here, as long as it is not signed.
        "decline_request" => DeclineRequest {
            /// Its id as hex, or the beginning of it: [`MIN_REQUEST_DIGITS`] digits or more.
            request: String,
            /// The rule of a policy that decided, if no person did; for the audit log.
            rule: Option<String>,
        },
        /// Let every member of a wallet that can be reached sign a fixed text, to see that it can.
        "check" => Check {
            /// The wallet's group key, as hex.
            pubkey: String,
        },
        /// Give a contact another name.
        "rename_contact" => RenameContact {
            /// Its name, peer id, or fingerprint.
            who: String,
            /// The new name.
            name: String,
        },
        /// Forget a contact.
        "forget_contact" => ForgetContact {
            /// Its name, peer id, or fingerprint.
            who: String,
        },
        /// Block a contact, or undo that.
        "block_contact" => BlockContact {
            /// Its name, peer id, or fingerprint.
            who: String,
            /// Whether it is blocked from now on.
            blocked: bool = false,
        },
        /// Leave a session, or withdraw an invite.
        "cancel" => Cancel {
            /// Which.
            session_id: SessionId,
        },
        /// Forget a session that is over.
        "dismiss" => Dismiss {
            /// Which.
            session_id: SessionId,
        },
    }
}

commands! {
    /// Commands of a surface that has a keystore of its own, beside those of its node. No `Debug`
    /// and no writer: passwords are secret.
    pub enum KeystoreCommand {
        /// Make the keystore.
        "set_password" => SetPassword {
            /// The password. Secret.
            password: Zeroizing<String>,
        },
        /// Open the keystore, and start the node.
        "unlock" => Unlock {
            /// The password. Secret.
            password: Zeroizing<String>,
        },
        /// Close the keystore, and end the node.
        "lock" => Lock,
    }
}

impl Command {
    /// A vote on a request, by a person.
    #[must_use]
    pub fn vote(request: impl Into<String>, approves: bool) -> Self {
        let (request, rule) = (request.into(), None);
        if approves {
            Self::ApproveRequest { request, rule }
        } else {
            Self::DeclineRequest { request, rule }
        }
    }
}

/// The refusal of a command of which there is none.
#[must_use]
pub fn unknown_command(kind: &str) -> Refusal {
    let text = format!("there is no command '{}'", crate::wire::clip(kind));
    Refusal::new(ErrorCode::Internal, text)
}
