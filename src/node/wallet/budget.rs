//! How much of what costs disk each member may cause within an hour: requests of its own, and
//! ceremonies. What honest people do stays far below.

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

impl Cost {
    /// How many a member may cause within an hour.
    const fn most(self) -> usize {
        match self {
            Self::Request => 256,
            Self::Ceremony => 512,
        }
    }
}

const HOUR: u64 = 3_600_000;

/// Counts of one member and kind of cost, within the hour that began at `since`.
#[derive(Default)]
struct Used {
    since: Timestamp,
    count: usize,
}

/// What each member has used of its hour.
#[derive(Default)]
pub(super) struct Budget {
    used: Map<(Identifier, Cost), Used>,
}

impl Budget {
    /// Takes so many of a member's share. False, and nothing is taken, when fewer are left.
    pub(super) fn take(
        &mut self,
        now: Timestamp,
        identifier: Identifier,
        cost: Cost,
        count: usize,
    ) -> bool {
        let used = self.used.or_default((identifier, cost));
        if now.since(used.since) >= HOUR {
            *used = Used { since: now, count: 0 };
        }
        let left = used.count + count <= cost.most();
        used.count += if left { count } else { 0 };
        left
    }
}

#[cfg(test)]
mod tests {
    use super::{Budget, Cost, HOUR};
    use crate::node::Timestamp;

    #[test]
    fn each_member_has_its_own_hour_of_each_cost() {
        let mut budget = Budget::default();
        let now = Timestamp::from_millis(HOUR);
        assert!((0..128).all(|_| budget.take(now, 1, Cost::Request, 2)));
        assert!(!budget.take(now, 1, Cost::Request, 1));
        assert!(budget.take(now, 1, Cost::Ceremony, 1));
        assert!(budget.take(now, 2, Cost::Request, 250));
        assert!(!budget.take(now, 2, Cost::Request, 7));
        assert!(budget.take(now, 2, Cost::Request, 6));
        assert!(!budget.take(now.after(HOUR - 1), 1, Cost::Request, 1));
        assert!(budget.take(now.after(HOUR), 1, Cost::Request, 1));
    }
}
