//! The state that all connections of one server share.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::limits::{Budget, Limits};
use super::lobby::Lobby;
use super::peers::Peers;

/// The state that all connections of one server share.
#[derive(Debug)]
pub(super) struct Shared {
    /// Bounds and deadlines.
    pub(super) limits: Limits,
    /// The registered peers.
    pub(super) peers: Peers,
    /// One permit for each WebSocket connection.
    pub(super) slots: Arc<Semaphore>,
    /// Connections that still use HTTP.
    pub(super) lobby: Arc<Lobby>,
    /// Memory for messages that are under way.
    pub(super) budget: Budget,
    /// Number of the next connection. The queues know senders by it.
    pub(super) next_number: AtomicU64,
    /// Cancelled when the server stops.
    pub(super) closing: CancellationToken,
    /// Every task of every connection.
    pub(super) tasks: TaskTracker,
}

impl Shared {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            peers: Peers::default(),
            slots: Arc::new(Semaphore::new(limits.max_peers.min(Semaphore::MAX_PERMITS))),
            lobby: Arc::new(Lobby::new(limits.max_pending)),
            budget: Budget::new(limits.buffered_bytes),
            next_number: AtomicU64::new(0),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
            limits,
        }
    }
}
