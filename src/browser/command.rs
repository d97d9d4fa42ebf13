//! What JavaScript can ask of the node, and the errors it gets: `{ code, message }`.

use serde::Deserialize;
use wasm_bindgen::JsValue;
use zeroize::Zeroizing;

use crate::keystore::KeystoreError;
use crate::node;

/// A command of the user interface.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
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
