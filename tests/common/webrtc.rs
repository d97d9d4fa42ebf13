//! WebRTC connections as a node's driver sees them: descriptions and candidates that have to match,
//! channels that open at different times on their two sides, are reliable and ordered while they
//! live, and break.

use std::collections::BTreeMap;

use frostmesh::node::Role;
use frostmesh::wire::PeerId;

/// One seat's connection object.
pub struct Half {
    pub role: Role,
    pub local: Option<String>,
    pub remote: Option<String>,
    pub remote_candidates: usize,
    /// Never opens, whatever is said.
    pub dead: bool,
    pub pipe: Option<(usize, usize)>,
}

impl Half {
    pub fn new(role: Role, dead: bool) -> Self {
        Self { role, local: None, remote: None, remote_candidates: 0, dead, pipe: None }
    }
}

/// Names a half: whose, to whom, which attempt.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct HalfId {
    pub seat: usize,
    pub peer: PeerId,
    pub attempt: u32,
}

/// Two halves that found each other.
pub struct Pipe {
    pub ends: [HalfId; 2],
    pub opened: [bool; 2],
    /// What was sent to a side before it was open.
    pub early: [Vec<String>; 2],
    pub alive: bool,
    /// What is sent is held until then.
    pub stalled_until: u64,
    /// Delivery to each side is in order.
    pub last: [u64; 2],
}

#[derive(Default)]
pub struct Halves(pub BTreeMap<HalfId, Half>);

impl Halves {
    /// The half at the other end that this one's descriptions match, when both can open now.
    pub fn partner(&self, id: &HalfId, me: &PeerId, other_seat: usize) -> Option<HalfId> {
        let half = self.0.get(id)?;
        let matches = |other: &Half| {
            other.role != half.role
                && other.pipe.is_none()
                && other.local.is_some()
                && other.local == half.remote
                && half.local.is_some()
                && half.local == other.remote
                && !(half.dead || other.dead)
                && half.remote_candidates + other.remote_candidates > 0
        };
        let of_other = self.0.iter().filter(|(o, _)| o.seat == other_seat && o.peer == *me);
        of_other
            .filter(|(_, other)| matches(other))
            .map(|(o, _)| o.clone())
            .next()
            .filter(|_| half.pipe.is_none())
    }
}
