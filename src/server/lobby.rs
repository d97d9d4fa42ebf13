//! The lobby: connections that have not become a WebSocket. Bounded, and cheap to crowd.
//!
//! Anyone can open connections and say nothing. When the lobby is full its oldest silent connection makes room for a new
//! one, so a crowd of them can neither shut others out nor make the server grow.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Shared;

/// Connections in the order in which they have to go when there is no room.
#[derive(Debug)]
pub(super) struct Lobby {
    seats: Mutex<BTreeMap<Rank, Arc<Notify>>>,
    limit: usize,
    next: AtomicU64,
}

/// Silent connections go before those that said something, and older ones before newer ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    has_spoken: bool,
    arrival: u64,
}

/// One connection's place, free again when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    shared: Arc<Shared>,
    rank: Rank,
    evicted: Arc<Notify>,
}

impl Lobby {
    pub(super) fn new(limit: usize) -> Self {
        Self { seats: Mutex::default(), limit: limit.max(1), next: AtomicU64::new(0) }
    }

    /// Takes a seat, and evicts someone when there is none free.
    pub(super) fn enter(shared: &Arc<Shared>) -> Seat {
        let lobby = &shared.lobby;
        let rank = Rank { has_spoken: false, arrival: lobby.next.fetch_add(1, Ordering::Relaxed) };
        let evicted = Arc::new(Notify::new());
        let mut seats = lobby.lock();
        while seats.len() >= lobby.limit {
            evict_first(&mut seats);
        }
        seats.insert(rank, Arc::clone(&evicted));
        drop(seats);
        Seat { shared: Arc::clone(shared), rank, evicted }
    }

    /// Makes room when the system has no more file descriptors.
    pub(super) fn evict_oldest(&self) {
        evict_first(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Rank, Arc<Notify>>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn evict_first(seats: &mut BTreeMap<Rank, Arc<Notify>>) {
    if let Some((_, evicted)) = seats.pop_first() {
        evicted.notify_one();
    }
}

impl Seat {
    /// The connection has sent its first byte: it is worth more than one that has not.
    pub(super) fn has_spoken(&mut self) {
        let mut seats = self.shared.lobby.lock();
        // Not there any more when it was evicted this moment.
        if let Some(evicted) = seats.remove(&self.rank) {
            self.rank.has_spoken = true;
            seats.insert(self.rank, evicted);
        }
    }

    /// Notified when the connection has to go.
    pub(super) fn eviction(&self) -> Arc<Notify> {
        Arc::clone(&self.evicted)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.shared.lobby.lock().remove(&self.rank);
    }
}
