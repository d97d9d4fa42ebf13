//! How much of what costs disk each member may cause: within an hour so many requests of its own, and so many ceremonies. What
//! honest people do stays far below.

use crate::frost::Identifier;
use crate::node::Timestamp;
use crate::sorted::Map;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cost {
    /// Requests that a member makes.
    Request,
    /// Ceremonies that a member coordinates.
    Ceremony,
}

const HOUR: u64 = 3_600_000;

/// Counts by member, within the hour that began at that time.
#[derive(Default)]
pub(super) struct Budget(Map<(Identifier, Cost), (Timestamp, u32)>);

impl Budget {
    /// Takes one of a member's share. False when there is none left.
    pub(super) fn take(&mut self, identifier: Identifier, cost: Cost, now: Timestamp) -> bool {
        let most = match cost {
            Cost::Request => 256,
            Cost::Ceremony => 512,
        };
        let (since, count) = self.0.or_default((identifier, cost));
        if now.since(*since) >= HOUR {
            (*since, *count) = (now, 0);
        }
        let left = *count < most;
        *count += u32::from(left);
        left
    }
}
