//! What people see of wallets in use: who is there, and what is asked for.

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
    /// Members who have signed.
    pub answered: Vec<PeerId>,
    /// Members who have not, and why.
    pub failed: Vec<(PeerId, String)>,
}

/// A member of a wallet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct MemberView {
    /// Who.
    pub peer_id: PeerId,
    /// This node.
    pub me: bool,
    /// Can be reached right now.
    pub online: bool,
    /// What carries messages to it, while it can be reached and the node tells.
    pub carrier: Option<CarrierId>,
}

/// A request, as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct RequestView {
    /// Its id, as hex.
    pub id: String,
    /// Where it stands.
    pub state: RequestState,
    /// The kind of operation: that of the one content to sign, or `batch`.
    #[cfg_attr(test, ts(type = "ContentKind | \"batch\""))]
    pub kind: &'static str,
    /// What a person has to see of the one content: names of fields, and what stands in them. Of a batch: how many contents it has.
    pub shown: Vec<(&'static str, String)>,
    /// The 32 bytes that are signed, as hex: those of the first item.
    pub digest: String,
    /// All contents that are to be signed, in order: what a person has to see of each.
    pub contents: Vec<ContentView>,
    /// Who asks.
    pub proposer: PeerId,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// Who approves.
    pub approved: Vec<PeerId>,
    /// Who declines.
    pub declined: Vec<PeerId>,
    /// What this node has said, if anything.
    pub decision: Option<bool>,
    /// Waits for the person here to approve or decline.
    pub needs_decision: bool,
    /// Whom a ceremony that runs here waits for.
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
    /// What a person has to see: names of fields, and what stands in them.
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

/// Where a request stands.
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
    /// So many decline that it cannot be signed, unless somebody changes its vote; or its proposer took it back.
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
