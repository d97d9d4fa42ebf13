//! The snapshot that JavaScript paints: the node's view, the keystore's state and the wallets. Plain values, no secrets.

use serde::Serialize;
use wasm_bindgen::JsValue;

use crate::keystore::WalletInfo;
use crate::node::View;

/// Everything a user interface shows.
#[derive(Serialize)]
pub(super) struct Snapshot<'a> {
    pub version: u32,
    pub keystore: KeystoreState,
    #[serde(flatten)]
    pub view: View,
    pub wallets: &'a [Wallet],
    /// What is wrong with stored data, for people.
    pub problems: &'a [String],
    pub fatal: Option<String>,
}

/// Whether there is a password, and whether it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum KeystoreState {
    Absent,
    Locked,
    Unlocked,
}

/// A stored key.
#[derive(Clone, Serialize)]
pub(super) struct Wallet {
    #[serde(flatten)]
    pub info: WalletInfo,
    pub status: Status,
    /// The signatures of all participants over how it was made are kept with it.
    pub certified: bool,
}

/// Whether all participants have confirmed a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Active,
    Unconfirmed,
}

/// A plain JavaScript value.
pub(super) fn to_js(value: &impl Serialize) -> JsValue {
    value.serialize(&serde_wasm_bindgen::Serializer::json_compatible()).unwrap_or(JsValue::NULL)
}
