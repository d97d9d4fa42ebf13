//! Views of wallets in use: their members, and the requests to sign with them.

use serde::Serialize;

use super::{CarrierId, Timestamp};
use crate::wire::PeerId;

/// A wallet in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct GroupView {
    /// The group key, as hex.
    pub pubkey: String,
    /// Every member has signed a test.
    pub ready: bool,
    /// Signers needed.
    pub threshold: u16,
    /// The members, by FROST identifier.
    pub members: Vec<MemberView>,
    /// Why nothing is signed with it.
    pub problem: Option<String>,
    /// The last health check that this node coordinated.
    pub check: Option<CheckView>,
    /// Requests, oldest first.
    pub requests: Vec<RequestView>,
}

/// A health check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct CheckView {
    /// It is not over yet.
    pub running: bool,
    /// Members that have signed.
    pub answered: Vec<PeerId>,
    /// Members that have not, and why.
    pub failed: Vec<(PeerId, String)>,
}

/// A member of a wallet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct MemberView {
    /// The member.
    pub peer_id: PeerId,
    /// This node.
    pub me: bool,
    /// Can be reached right now.
    pub online: bool,
    /// What carries messages to it, while it can be reached.
    pub carrier: Option<CarrierId>,
}

/// A request, as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct RequestView {
    /// Its id, as hex.
    pub id: String,
    /// Its state.
    pub state: RequestState,
    /// The kind of operation: that of the one content to sign, or `batch`.
    #[cfg_attr(test, ts(type = "ContentKind | \"batch\""))]
    pub kind: &'static str,
    /// What a person has to see of the one content: names of fields, and what stands in them. Of a
    /// batch: how many contents it has.
    pub shown: Vec<(&'static str, String)>,
    /// The 32 bytes that are signed, as hex: those of the first item.
    pub digest: String,
    /// All contents that are to be signed, in order: what a person has to see of each.
    pub contents: Vec<ContentView>,
    /// Its proposer.
    pub proposer: PeerId,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// Members that approve.
    pub approved: Vec<PeerId>,
    /// Members that decline.
    pub declined: Vec<PeerId>,
    /// The vote of this node, if it has voted: true approves.
    pub decision: Option<bool>,
    /// Waits for the person here to approve or decline.
    pub needs_decision: bool,
    /// The signers that a ceremony waits for, while this node coordinates one.
    pub waiting_for: Vec<PeerId>,
    /// The signature of the first item, as hex.
    pub signature: Option<String>,
    /// The signatures of all items, in their order; empty while there are none.
    pub signatures: Vec<SignatureView>,
    /// The signers, as the member that sent the signatures first names them.
    pub signers: Vec<PeerId>,
}

/// One content of a request, as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ContentView {
    /// The kind of content.
    #[cfg_attr(test, ts(type = "ContentKind"))]
    pub kind: &'static str,
    /// What a person has to see before approving: names of fields, and their contents.
    pub shown: Vec<(&'static str, String)>,
    /// The 32 bytes of each of its items, as hex.
    pub digests: Vec<String>,
}

/// The signature of one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SignatureView {
    /// The 32 bytes that are signed, as hex.
    pub digest: String,
    /// The signature, as hex.
    pub signature: String,
}

/// The state of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum RequestState {
    /// Fewer approve than have to.
    Open,
    /// Enough approve: it is being signed, or waits for signers.
    Approved,
    /// Signed.
    Signed,
    /// So many members decline that it cannot be signed, unless one changes its vote; or its
    /// proposer withdrew it.
    Declined,
    /// Its time is over.
    Expired,
}

impl RequestState {
    /// Its name in events and views.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Signed => "signed",
            Self::Declined => "declined",
            Self::Expired => "expired",
        }
    }
}
