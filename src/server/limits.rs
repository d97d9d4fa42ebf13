//! Every bound and deadline of the server, in one place, and the budget that bounds all queues together.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// File descriptors that are not for connections: the listener, the runtime, standard streams, files of the page.
const RESERVED_FILES: usize = 64;

/// Bounds and deadlines of a server. What one connection may cost, and how long it may take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Most WebSocket connections at a time; beyond it an upgrade is answered `503`. By default 20,000, or what the
    /// limit of open files allows (Linux only; raise it with `ulimit -n` or systemd's `LimitNOFILE`).
    pub max_peers: usize,
    /// Most connections at a time that speak HTTP or nothing yet; beyond it the oldest silent one is dropped. By
    /// default 4,096, or a quarter of what the limit of open files allows.
    pub max_pending: usize,
    /// Most relayed messages that wait for one reader. One sender may hold a quarter of them.
    pub queue_messages: usize,
    /// Most bytes of relayed messages that wait for one reader. One sender may hold a quarter of them.
    pub queue_bytes: usize,
    /// Most bytes of all messages together that are under way: received in part, or waiting for a reader.
    pub buffered_bytes: usize,
    /// How long a connection has for its HTTP request.
    pub request_timeout: Duration,
    /// A connection whose socket takes no byte for this long while something waits for it is dropped.
    pub write_timeout: Duration,
    /// A connection that has been silent for this long is sent a ping. After two that it did not answer it is dropped,
    /// so a peer that vanished is noticed after three times this.
    pub ping_interval: Duration,
    /// How long the holder of a peer id has to answer a ping when somebody else asks for the id.
    pub probe_timeout: Duration,
    /// How long the server reads on after a close frame of its own, so that what it said before arrives.
    pub close_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let files =
            open_files().map_or(usize::MAX, |limit| limit.saturating_sub(RESERVED_FILES).max(8));
        let max_pending = (files / 4).min(4096);
        Self {
            max_peers: (files - max_pending).min(20_000),
            max_pending,
            queue_messages: 256,
            queue_bytes: 1024 * 1024,
            buffered_bytes: 256 * 1024 * 1024,
            request_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(10),
            ping_interval: Duration::from_secs(30),
            probe_timeout: Duration::from_secs(3),
            close_timeout: Duration::from_secs(5),
        }
    }
}

/// How many files this process may open, where the system says so in a file (proc_pid_limits(5)).
fn open_files() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Memory that all connections draw on for messages under way, in bytes.
#[derive(Debug)]
pub(super) struct Budget {
    limit: usize,
    used: AtomicUsize,
}

impl Budget {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, used: AtomicUsize::new(0) }
    }

    /// Takes `bytes`, or nothing and `false` when that many are not left.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let room = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.limit);
        // Only a count: no other memory is read or written because of it.
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_ok()
    }

    /// Gives back what was taken.
    pub(super) fn give(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}
