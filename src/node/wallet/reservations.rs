//! What this node has reserved for the ceremonies that it takes part in: nonces, for as long as the
//! ceremony may take.

use crate::frost::Identifier;
use crate::group::{CeremonyId, MAX_ITEMS, RequestId, RoundMessage};
use crate::node::Timestamp;
use crate::node::ceremony::{Contribution, Part, Step};
use crate::node::ctx::Ctx;

/// Most ceremonies of one coordinator for which something is reserved, and most items of them
/// together.
const MAX_OF_ONE: usize = 16;
const MAX_ITEMS_OF_ONE: usize = 2 * MAX_ITEMS;

/// This node's part in one ceremony.
pub(super) struct Reservation {
    pub ceremony: CeremonyId,
    pub coordinator: Identifier,
    /// The request that it carries out; none for a health check.
    pub request: Option<RequestId>,
    /// How many items it is for.
    pub items: usize,
    pub part: Part,
}

impl Reservation {
    /// Until when it stands.
    fn until(&self) -> Timestamp {
        self.part.next_deadline().unwrap_or_default()
    }
}

/// All reservations, oldest first.
#[derive(Default)]
pub(super) struct Reservations {
    all: Vec<Reservation>,
}

impl Reservations {
    /// Whether a coordinator has something reserved under that name.
    pub(super) fn contains(&self, ceremony: &CeremonyId, coordinator: Identifier) -> bool {
        self.position(ceremony, coordinator).is_some()
    }

    /// Adds a reservation. Where its coordinator has too many, its oldest ones go.
    pub(super) fn add(&mut self, reservation: Reservation) {
        let coordinator = reservation.coordinator;
        self.all.push(reservation);
        loop {
            let of_one = self.all.iter().filter(|other| other.coordinator == coordinator);
            let items: usize = of_one.clone().map(|other| other.items).sum();
            if of_one.count() <= MAX_OF_ONE && items <= MAX_ITEMS_OF_ONE {
                return;
            }
            let oldest = self.all.iter().position(|other| other.coordinator == coordinator);
            oldest.map(|index| self.all.remove(index));
        }
    }

    /// The request and the signers of a coordinator's ceremony.
    pub(super) fn get(
        &self,
        ceremony: &CeremonyId,
        coordinator: Identifier,
    ) -> Option<&Reservation> {
        self.position(ceremony, coordinator).map(|index| &self.all[index])
    }

    /// Hands a coordinator's message to its ceremony. A reservation that is over goes, and its
    /// secrets with it.
    pub(super) fn receive(
        &mut self,
        ctx: &mut Ctx<'_>,
        ceremony: &CeremonyId,
        coordinator: Identifier,
        message: RoundMessage,
    ) -> Step<Contribution> {
        let Some(index) = self.position(ceremony, coordinator) else { return Step::Continue };
        let step = self.all[index].part.receive(ctx, coordinator, message);
        if !matches!(step, Step::Continue) {
            self.all.remove(index);
        }
        step
    }

    /// Gives up what is reserved for one ceremony.
    pub(super) fn remove(&mut self, ceremony: &CeremonyId, coordinator: Identifier) {
        if let Some(index) = self.position(ceremony, coordinator) {
            self.all.remove(index);
        }
    }

    /// Gives up what is reserved for a request.
    pub(super) fn revoke(&mut self, request: &RequestId) {
        self.all.retain(|reservation| reservation.request != Some(*request));
    }

    /// Gives up what has been reserved for too long.
    pub(super) fn expire(&mut self, now: Timestamp) {
        self.all.retain(|reservation| reservation.until() > now);
    }

    /// Until when a ceremony of others for that request may go on.
    pub(super) fn until(&self, request: &RequestId) -> Option<Timestamp> {
        let of_it = self.all.iter().filter(|reservation| reservation.request == Some(*request));
        of_it.map(Reservation::until).max()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.all.iter().map(Reservation::until).min()
    }

    fn position(&self, ceremony: &CeremonyId, coordinator: Identifier) -> Option<usize> {
        let named =
            |other: &Reservation| other.ceremony == *ceremony && other.coordinator == coordinator;
        self.all.iter().position(named)
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_OF_ONE, Reservation, Reservations};
    use crate::frost::Identifier;
    use crate::group::{MAX_ITEMS, RoundMessage};
    use crate::node::Timestamp;
    use crate::node::ceremony::{Ceremony, Contribution, Step};
    use crate::node::ctx::Ctx;

    /// A part that waits, until that moment.
    struct Waiting(Timestamp);

    impl Ceremony for Waiting {
        type Message = RoundMessage;
        type Outcome = Contribution;

        fn members(&self) -> &[Identifier] {
            &[]
        }

        fn receive(
            &mut self,
            _: &mut Ctx<'_>,
            _: Identifier,
            _: RoundMessage,
        ) -> Step<Contribution> {
            Step::Continue
        }

        fn poll(&mut self) -> Option<(Identifier, RoundMessage)> {
            None
        }

        fn awaited(&self) -> Vec<Identifier> {
            Vec::new()
        }

        fn patience(&self) -> u64 {
            0
        }

        fn next_deadline(&self) -> Option<Timestamp> {
            Some(self.0)
        }
    }

    fn reservation(name: u8, coordinator: Identifier, items: usize, until: u64) -> Reservation {
        Reservation {
            ceremony: [name; 16],
            coordinator,
            request: Some([name; 32]),
            items,
            part: Box::new(Waiting(Timestamp::from_millis(until))),
        }
    }

    #[test]
    fn a_coordinator_has_room_for_some_and_pushes_out_its_own_only() {
        let mut all = Reservations::default();
        all.add(reservation(200, 2, 1, 9));
        for name in 0..=u8::try_from(MAX_OF_ONE).unwrap() {
            all.add(reservation(name, 1, 1, 9));
        }
        assert!(!all.contains(&[0; 16], 1) && all.contains(&[1; 16], 1));
        assert!(all.contains(&[200; 16], 2) && !all.contains(&[200; 16], 1));
        all.add(reservation(100, 1, 2 * MAX_ITEMS, 9));
        assert!(!all.contains(&[16; 16], 1) && all.contains(&[100; 16], 1), "it fills the room");
        assert!(all.contains(&[200; 16], 2));
    }

    #[test]
    fn what_is_reserved_ends_with_its_time_or_its_approval() {
        let mut all = Reservations::default();
        all.add(reservation(1, 1, 1, 10));
        all.add(reservation(2, 2, 1, 20));
        assert_eq!(all.next_deadline(), Some(Timestamp::from_millis(10)));
        assert_eq!(all.until(&[2; 32]), Some(Timestamp::from_millis(20)));
        all.expire(Timestamp::from_millis(10));
        assert!(!all.contains(&[1; 16], 1) && all.contains(&[2; 16], 2));
        all.revoke(&[2; 32]);
        assert!(all.is_empty());
    }
}
