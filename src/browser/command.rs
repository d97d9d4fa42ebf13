//! What JavaScript can ask of the node, and the errors it gets: `{ code, message }`.

use serde::Deserialize;
use wasm_bindgen::JsValue;
use zeroize::Zeroizing;

use crate::keystore::KeystoreError;
use crate::node;

/// A command of the user interface.
pub(super) enum UiCommand {
    SetPassword { password: Zeroizing<String> },
    Unlock { password: Zeroizing<String> },
    Lock,
    Connect { server_url: String, peer_id: String },
    Disconnect,
    Propose { session_id: Option<String>, participants: Vec<String>, threshold: u16, allow_unverified: bool },
    Accept { session_id: String, allow_unverified: bool },
    Decline { session_id: String },
    Cancel { session_id: String },
    Dismiss { session_id: String },
}

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
    threshold: Option<u16>,
    #[serde(default)]
    allow_unverified: bool,
}

impl UiCommand {
    /// Reads a plain object with a `type`.
    pub(super) fn parse(command: JsValue) -> Result<Self, Refusal> {
        let f: Fields = serde_wasm_bindgen::from_value(command).map_err(|e| Refusal::new("internal", e))?;
        let missing = |name: &str| Refusal::new("internal", format!("'{}' needs '{name}'", f.kind));
        let allow_unverified = f.allow_unverified;
        Ok(match f.kind.as_str() {
            "set_password" => Self::SetPassword { password: f.password.ok_or_else(|| missing("password"))? },
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
                Self::Propose { session_id: f.session_id, participants, threshold, allow_unverified }
            }
            "accept" => {
                Self::Accept { session_id: f.session_id.ok_or_else(|| missing("session_id"))?, allow_unverified }
            }
            "decline" => Self::Decline { session_id: f.session_id.ok_or_else(|| missing("session_id"))? },
            "cancel" => Self::Cancel { session_id: f.session_id.ok_or_else(|| missing("session_id"))? },
            "dismiss" => Self::Dismiss { session_id: f.session_id.ok_or_else(|| missing("session_id"))? },
            other => return Err(Refusal::new("internal", format!("there is no command '{other}'"))),
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
