//! The snapshot that a graphical surface paints: the node's view, the state of the keystore, and
//! the wallets in it. Plain values, no secrets.

use serde::Serialize;

use super::{CarrierView, KindView, SuiteView, View};
use crate::keystore::WalletInfo;

/// Everything a user interface shows.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Snapshot<'a> {
    /// The version of this format. 1.
    pub version: u32,
    /// Whether there is a password, and whether it was given.
    pub keystore: KeystoreState,
    /// The node's view. Empty while the keystore is locked.
    #[serde(flatten)]
    pub view: View,
    /// The ciphersuites that a key can be made for, the default one first.
    pub suites: Vec<SuiteView>,
    /// The kinds of content that can be signed.
    pub kinds: Vec<KindView>,
    /// What can carry messages.
    pub carriers: Vec<CarrierView>,
    /// The stored keys, oldest first.
    pub wallets: &'a [WalletView],
    /// What is wrong with stored data, for people.
    pub problems: &'a [String],
    /// The node has panicked: the text of the panic.
    pub fatal: Option<String>,
}

/// Whether there is a password, and whether it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum KeystoreState {
    /// No password was ever set.
    Absent,
    /// The password was not given yet.
    Locked,
    /// The password was given.
    Unlocked,
}

/// A stored key.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct WalletView {
    /// What the participants agreed on when it was made.
    #[serde(flatten)]
    pub info: WalletInfo,
    /// Whether all participants have confirmed it.
    pub status: WalletStatus,
    /// The signatures of all participants over how it was made are stored with it.
    pub certified: bool,
}

/// Whether all participants have confirmed a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum WalletStatus {
    /// All have.
    Active,
    /// Not all have: it must not be used.
    Unconfirmed,
}
