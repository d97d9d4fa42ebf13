//! Where a node is to be found: a signaling server, and the name there.

use super::exit::{Exit, Failure};
use crate::random::SystemRng;
use crate::wire::{PeerId, SessionId};

/// A signaling server, and this node's name there.
pub(super) struct Endpoint {
    pub server: String,
    pub peer_id: PeerId,
}

/// Refuses what is no address of a signaling server.
pub(super) fn check_url(url: &str) -> Result<(), Failure> {
    let rest = url.strip_prefix("ws://").or_else(|| url.strip_prefix("wss://"));
    if rest.is_some_and(|rest| !rest.is_empty()) {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Usage,
        format_args!("{url} is no signaling server: use ws://HOST:PORT or wss://HOST"),
    ))
}

/// A peer id that begins so and ends at random, for a node that was given none.
pub(super) fn random_peer_id(beginning: &str) -> Result<PeerId, Failure> {
    let random = SessionId::random(&mut SystemRng);
    let name = format!("{beginning}-{}", &random.as_str()[..8]);
    name.parse().map_err(|error| Failure::new(Exit::Other, error))
}
