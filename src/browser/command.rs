//! What JavaScript can ask of the node, and the errors it gets: `{ code, message }`.

use serde::Deserialize;
use wasm_bindgen::JsValue;
use zeroize::Zeroizing;

use crate::frost::Suite;
use crate::identity::Invite;
use crate::keystore::KeystoreError;
use crate::node::{self, Command, ContactChange};
use crate::random::SystemRng;
use crate::wire::SessionId;

/// A command of the user interface.
pub(super) enum UiCommand {
    SetPassword {
        password: Zeroizing<String>,
    },
    Unlock {
        password: Zeroizing<String>,
    },
    Lock,
    Connect {
        server_url: String,
        peer_id: String,
    },
    Disconnect,
    Propose {
        session_id: Option<String>,
        participants: Vec<String>,
        threshold: u16,
        suite: Suite,
        allow_unverified: bool,
    },
    /// Ask for a signature; what content it is, depends on the wallet.
    Request {
        pubkey: String,
        kind: String,
        content: String,
        lifetime: u64,
    },
    JoinInvite {
        invite: Box<Invite>,
        peer_id: Option<String>,
    },
    /// The node carries it out as it is.
    Node(Command),
}

/// For how long an invite can be used unless something else is said, in seconds.
const LIFETIME: u32 = 3600;
/// For how long a request stands unless something else is said, in seconds.
const REQUEST_LIFETIME: u32 = 24 * 3600;

/// Every field that any command has. One flat shape: a tagged enum costs 20 KB of wasm.
#[derive(Deserialize)]
struct Fields {
    #[serde(rename = "type")]
    kind: String,
    password: Option<Zeroizing<String>>,
    server_url: Option<String>,
    peer_id: Option<String>,
    session_id: Option<String>,
    participants: Option<Vec<String>>,
    total: Option<u16>,
    threshold: Option<u16>,
    lifetime: Option<u32>,
    suite: Option<String>,
    name: Option<String>,
    who: Option<String>,
    invite: Option<Zeroizing<String>>,
    they_match: Option<bool>,
    pubkey: Option<String>,
    request: Option<String>,
    content_kind: Option<String>,
    content: Option<String>,
    #[serde(default)]
    blocked: bool,
    #[serde(default)]
    allow_unverified: bool,
}

impl Fields {
    fn session(&self) -> Result<SessionId, Refusal> {
        let id = self.session_id.as_deref().unwrap_or_default();
        id.parse().map_err(|e| Refusal::new("no_such_session", e))
    }

    fn contact(self, change: ContactChange) -> UiCommand {
        UiCommand::Node(Command::Contact { who: self.who.unwrap_or_default(), change })
    }
}

impl UiCommand {
    /// Reads a plain object with a `type`.
    pub(super) fn parse(command: JsValue) -> Result<Self, Refusal> {
        let mut f: Fields =
            serde_wasm_bindgen::from_value(command).map_err(|e| Refusal::new("internal", e))?;
        let kind = std::mem::take(&mut f.kind);
        let missing = |name: &str| Refusal::new("internal", format!("'{kind}' needs '{name}'"));
        let allow_unverified = f.allow_unverified;
        let suite = f.suite.take().map_or(Ok(Suite::default()), |name| name.parse());
        let suite = suite.map_err(|e| Refusal::new("bad_proposal", e))?;
        Ok(match kind.as_str() {
            "set_password" => {
                Self::SetPassword { password: f.password.ok_or_else(|| missing("password"))? }
            }
            "unlock" => Self::Unlock { password: f.password.ok_or_else(|| missing("password"))? },
            "lock" => Self::Lock,
            "connect" => {
                let server_url = f.server_url.ok_or_else(|| missing("server_url"))?;
                Self::Connect { server_url, peer_id: f.peer_id.ok_or_else(|| missing("peer_id"))? }
            }
            "disconnect" => Self::Disconnect,
            "propose" => {
                let participants = f.participants.ok_or_else(|| missing("participants"))?;
                let threshold = f.threshold.ok_or_else(|| missing("threshold"))?;
                Self::Propose {
                    session_id: f.session_id,
                    participants,
                    threshold,
                    suite,
                    allow_unverified,
                }
            }
            "join_invite" => {
                let invite = f.invite.ok_or_else(|| missing("invite"))?;
                let invite = Box::new(invite.parse().map_err(|e| Refusal::new("bad_invite", e))?);
                Self::JoinInvite { invite, peer_id: f.peer_id }
            }
            "invite" => Self::Node(Command::Invite {
                session_id: SessionId::random(&mut SystemRng),
                total: f.total.ok_or_else(|| missing("total"))?,
                threshold: f.threshold.ok_or_else(|| missing("threshold"))?,
                suite,
                name: f.name,
                lifetime: f.lifetime.unwrap_or(LIFETIME).into(),
            }),
            "confirm_words" => {
                let they_match = f.they_match.ok_or_else(|| missing("they_match"))?;
                Self::Node(Command::ConfirmWords { session_id: f.session()?, they_match })
            }
            "request" => Self::Request {
                pubkey: f.pubkey.ok_or_else(|| missing("pubkey"))?,
                kind: f.content_kind.ok_or_else(|| missing("content_kind"))?,
                content: f.content.ok_or_else(|| missing("content"))?,
                lifetime: f.lifetime.unwrap_or(REQUEST_LIFETIME).into(),
            },
            "approve_request" | "decline_request" => {
                let mut request = [0; 32];
                hex::decode_to_slice(f.request.unwrap_or_default(), &mut request)
                    .map_err(|_| Refusal::new("no_such_request", "there is no such request"))?;
                Self::Node(Command::Vote {
                    request,
                    approves: kind == "approve_request",
                    rule: None,
                })
            }
            "check" => {
                Self::Node(Command::Check { pubkey: f.pubkey.ok_or_else(|| missing("pubkey"))? })
            }
            "rename_contact" => {
                let name = f.name.take().unwrap_or_default();
                f.contact(ContactChange::Rename(name))
            }
            "forget_contact" => f.contact(ContactChange::Forget),
            "block_contact" => {
                let blocked = f.blocked;
                f.contact(ContactChange::Block(blocked))
            }
            "accept" => Self::Node(Command::Accept { session_id: f.session()?, allow_unverified }),
            "decline" => Self::Node(Command::Decline { session_id: f.session()? }),
            "cancel" => Self::Node(Command::Cancel { session_id: f.session()? }),
            "dismiss" => Self::Node(Command::Dismiss { session_id: f.session()? }),
            other => {
                return Err(Refusal::new("internal", format!("there is no command '{other}'")));
            }
        })
    }
}

/// Why a command was refused.
#[derive(Debug)]
pub(super) struct Refusal {
    pub code: &'static str,
    pub message: String,
}

impl Refusal {
    pub(super) fn new(code: &'static str, message: impl ToString) -> Self {
        Self { code, message: message.to_string() }
    }

    pub(super) fn locked() -> Self {
        Self::new(
            "locked",
            "unlock first: the node has no identity until then, and what comes no place to be kept",
        )
    }

    pub(super) fn storage(message: impl ToString) -> Self {
        Self::new("storage", message)
    }
}

impl From<node::Error> for Refusal {
    fn from(error: node::Error) -> Self {
        let code = match error {
            node::Error::Offline => "offline",
            node::Error::NoSuchSession(_) => "no_such_session",
            node::Error::UnverifiedNotAllowed => "unverified_not_allowed",
            node::Error::Invite(_) => "bad_invite",
            node::Error::Contact(_) => "bad_contact",
            node::Error::NoSuchWallet(_) | node::Error::WalletUnusable(_) => "no_such_wallet",
            node::Error::NoSuchRequest(_) => "no_such_request",
            node::Error::RequestOver(_) | node::Error::Request(_) => "bad_request",
            node::Error::AuditLog(_) => "storage",
            _ => "bad_proposal",
        };
        Self::new(code, error)
    }
}

impl From<KeystoreError> for Refusal {
    fn from(error: KeystoreError) -> Self {
        let code = match error {
            KeystoreError::WrongPassword => "wrong_password",
            KeystoreError::EmptyPassword => "weak_password",
            _ => "storage",
        };
        Self::new(code, error)
    }
}

/// An `Error` with a `code`.
impl From<Refusal> for JsValue {
    fn from(refusal: Refusal) -> Self {
        let error = js_sys::Error::new(&refusal.message);
        let _ = js_sys::Reflect::set(&error, &"code".into(), &refusal.code.into());
        error.into()
    }
}
