//! Why a session ended, and who is to blame where that can be known (docs/PROTOCOL.md, section 3,
//! point 8).

use serde::Serialize;

use crate::wire::{Cause, PeerId, clip};

/// The kind of a [`Reason`]; its name travels in `cause.kind` and in the `aborted` event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum ReasonKind {
    /// A participant said no.
    Declined,
    /// A participant, or the person here, left the session.
    Cancelled,
    /// A deadline passed.
    TimedOut,
    /// A participant's channel went away and did not come back in time.
    PeerLost,
    /// The signaling server went away while it was needed.
    ServerLost,
    /// A participant sent something that is no message of the protocol.
    BadMessage,
    /// A round-1 package that cannot be right.
    BadCommitment,
    /// A round-2 package that cannot be right.
    BadShare,
    /// Two different messages for one slot.
    Conflict,
    /// A participant claims another group key than the one made here.
    KeyMismatch,
    /// A participant cannot prove who it is, and nobody allowed that.
    Unverified,
    /// A participant has another identity than the one that is known.
    IdentityChanged,
    /// The handshake with a participant failed: somebody on the way changed it, or it has no
    /// invite.
    LinkFailed,
    /// A participant takes part in something else: another roster, threshold or ciphersuite.
    Disagreement,
    /// A participant signed two different things for one step.
    Equivocation,
    /// A signature of a participant does not hold.
    BadSignature,
    /// The key could not be stored.
    Storage,
    /// A fault of this program.
    Internal,
}

const KINDS: [(ReasonKind, &str); 18] = [
    (ReasonKind::Declined, "declined"),
    (ReasonKind::Cancelled, "cancelled"),
    (ReasonKind::TimedOut, "timed_out"),
    (ReasonKind::PeerLost, "peer_lost"),
    (ReasonKind::ServerLost, "server_lost"),
    (ReasonKind::BadMessage, "bad_message"),
    (ReasonKind::BadCommitment, "bad_commitment"),
    (ReasonKind::BadShare, "bad_share"),
    (ReasonKind::Conflict, "conflict"),
    (ReasonKind::KeyMismatch, "key_mismatch"),
    (ReasonKind::Unverified, "unverified"),
    (ReasonKind::IdentityChanged, "identity_changed"),
    (ReasonKind::LinkFailed, "link_failed"),
    (ReasonKind::Disagreement, "disagreement"),
    (ReasonKind::Equivocation, "equivocation"),
    (ReasonKind::BadSignature, "bad_signature"),
    (ReasonKind::Storage, "storage"),
    (ReasonKind::Internal, "internal"),
];

impl ReasonKind {
    /// The name on the wire and in events.
    #[must_use]
    pub fn name(self) -> &'static str {
        KINDS.iter().find(|(kind, _)| *kind == self).map_or("internal", |(_, name)| name)
    }

    fn from_name(name: &str) -> Option<Self> {
        KINDS.iter().find(|(_, n)| *n == name).map(|(kind, _)| *kind)
    }
}

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Reason {
    /// What happened.
    pub kind: ReasonKind,
    /// The participant that caused it, where that can be known or was reported.
    pub peer_id: Option<PeerId>,
    /// The participant on whose word the reason rests; `None` for what was seen here.
    pub reported_by: Option<PeerId>,
    /// A sentence for people.
    pub text: String,
}

impl Reason {
    /// A reason that names `culprit`, seen by this node.
    pub(crate) fn blame(kind: ReasonKind, culprit: &PeerId, text: impl std::fmt::Display) -> Self {
        Self {
            kind,
            peer_id: Some(culprit.clone()),
            reported_by: None,
            text: format!("{culprit} {text}"),
        }
    }

    /// A reason that names nobody.
    pub(crate) fn plain(kind: ReasonKind, text: impl Into<String>) -> Self {
        Self { kind, peer_id: None, reported_by: None, text: text.into() }
    }

    /// A deadline that passed while waiting for `missing`.
    pub(crate) fn timed_out(seconds: u64, what: &str, missing: &[PeerId]) -> Self {
        let names = missing.iter().map(PeerId::as_str).collect::<Vec<_>>().join(", ");
        let peer_id = if let [one] = missing { Some(one.clone()) } else { None };
        let text = if names.is_empty() {
            format!("timed out after {seconds} s: {what}")
        } else {
            format!("timed out after {seconds} s waiting for {names}: {what}")
        };
        Self { kind: ReasonKind::TimedOut, peer_id, reported_by: None, text }
    }

    /// What `sender` says when it leaves. The culprit is the one it accuses, or else itself; where
    /// it accuses nobody that it could (this node, a stranger), it is itself the one to look at.
    pub(crate) fn reported(
        sender: &PeerId,
        text: Option<&str>,
        cause: Option<&Cause>,
        is_other_participant: impl Fn(&PeerId) -> bool,
    ) -> Self {
        let kind =
            cause.and_then(|c| ReasonKind::from_name(&c.kind)).unwrap_or(ReasonKind::Declined);
        let accused =
            cause.and_then(|c| c.culprit.as_ref()).and_then(|id| id.parse::<PeerId>().ok());
        let peer_id = match accused.filter(is_other_participant) {
            Some(accused) => Some(accused),
            None if kind == ReasonKind::TimedOut => None, // the clock's doing, or of several
            None => Some(sender.clone()),
        };
        let said = text.map(clip).filter(|t| !t.is_empty());
        let own = peer_id.as_ref() == Some(sender);
        let text = match (kind, said) {
            (ReasonKind::Declined, Some(said)) if own => format!("{sender} declined: {said}"),
            (ReasonKind::Declined, None) if own => format!("{sender} declined"),
            (_, said) => {
                format!("{sender} ended the session: {}", said.as_deref().unwrap_or(kind.name()))
            }
        };
        let reported_by = (kind != ReasonKind::Declined || !own).then(|| sender.clone());
        Self { kind, peer_id, reported_by, text: clip(&text) }
    }

    /// What to tell the other participants.
    pub(crate) fn cause(&self) -> Cause {
        Cause {
            kind: self.kind.name().to_owned(),
            culprit: self.peer_id.as_ref().map(|id| id.as_str().to_owned()),
        }
    }
}
