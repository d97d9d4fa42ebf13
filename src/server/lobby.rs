//! The lobby: connections that have not become a WebSocket, bounded.
//!
//! Anyone can open connections and send nothing. When the lobby is full, a new connection evicts
//! the oldest silent one, so silent connections can neither keep others out nor use up the server's
//! memory.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Connections in the order in which they are evicted.
#[derive(Debug)]
pub(super) struct Lobby {
    seats: Mutex<BTreeMap<Rank, Arc<Notify>>>,
    limit: usize,
    next: AtomicU64,
}

/// Silent connections are evicted before active ones, and older ones before newer ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    is_active: bool,
    arrival: u64,
}

/// One connection's entry in the lobby, removed when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    lobby: Arc<Lobby>,
    rank: Rank,
    evicted: Arc<Notify>,
}

impl Lobby {
    pub(super) fn new(limit: usize) -> Self {
        Self { seats: Mutex::default(), limit: limit.max(1), next: AtomicU64::new(0) }
    }

    /// Adds a connection. Evicts another one when the lobby is full.
    pub(super) fn enter(lobby: &Arc<Self>) -> Seat {
        let rank = Rank { is_active: false, arrival: lobby.next.fetch_add(1, Ordering::Relaxed) };
        let evicted = Arc::new(Notify::new());
        let mut seats = lobby.lock();
        while seats.len() >= lobby.limit {
            evict_first(&mut seats);
        }
        seats.insert(rank, Arc::clone(&evicted));
        drop(seats);
        Seat { lobby: Arc::clone(lobby), rank, evicted }
    }

    /// Evicts one connection, when the system has no more file descriptors.
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
    /// The connection has sent its first byte: silent ones are evicted before it.
    pub(super) fn mark_active(&mut self) {
        let mut seats = self.lobby.lock();
        // Missing if it was evicted at this moment.
        if let Some(evicted) = seats.remove(&self.rank) {
            self.rank.is_active = true;
            seats.insert(self.rank, evicted);
        }
    }

    /// Notified when the connection is evicted.
    pub(super) fn eviction(&self) -> Arc<Notify> {
        Arc::clone(&self.evicted)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.lobby.lock().remove(&self.rank);
    }
}
