//! The proposal that this node makes.

use crate::frost::Suite;
use crate::node::ctx::Ctx;
use crate::wire::{PROTOCOL_VERSION, PeerId, Proposal, SessionId};

/// A proposal of this node's, for participants that prove who they are.
pub(super) fn proposal(
    ctx: &mut Ctx<'_>,
    session_id: SessionId,
    participants: &[PeerId],
    threshold: u16,
    suite: Suite,
) -> Proposal {
    let mut nonce = [0; 32];
    ctx.rng.fill_bytes(&mut nonce);
    Proposal {
        session_id,
        total: participants.len() as u64,
        threshold: u64::from(threshold),
        participants: participants.iter().map(|id| id.as_str().to_owned()).collect(),
        // A baseline peer need not know the name of what it does anyway.
        ciphersuite: (suite != Suite::default()).then(|| suite.id().to_owned()),
        allow_unverified: Some(false),
        protocol: Some(PROTOCOL_VERSION),
        name: None,
        nonce: Some(nonce),
    }
}
