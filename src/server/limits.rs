//! Every bound and deadline of the server, in one place, and the budget that bounds all queues
//! together.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// File descriptors that are not used for connections: the listener, the runtime, standard streams,
/// files of the page.
const RESERVED_FILES: usize = 64;

/// Bounds and deadlines of a server: the memory and the time that its connections may take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Most WebSocket connections at a time. Further upgrades are answered `503`. By default
    /// 20,000, or fewer if the limit of open files is lower (Linux only; raise it with `ulimit -n`
    /// or systemd's `LimitNOFILE`).
    pub max_peers: usize,
    /// Most connections at a time that use HTTP or have sent nothing yet. A further one evicts the
    /// oldest silent one. By default 4,096, or a quarter of the limit of open files if that is
    /// less.
    pub max_pending: usize,
    /// Most relayed messages that wait for one receiver. One sender may hold a quarter of them.
    pub queue_messages: usize,
    /// Most bytes of relayed messages that wait for one receiver. One sender may hold a quarter of
    /// them.
    pub queue_bytes: usize,
    /// Most bytes of all messages together that are received in part or wait for a receiver.
    pub buffered_bytes: usize,
    /// Time for a connection to send its HTTP request.
    pub request_timeout: Duration,
    /// A connection is dropped when its socket accepts no byte for this long while frames wait for
    /// it.
    pub write_timeout: Duration,
    /// A connection that was silent for this long receives a ping. It is dropped after two
    /// unanswered pings, so a vanished peer is noticed after three times this.
    pub ping_interval: Duration,
    /// Time for the holder of a peer id to answer a ping when another connection asks for the id.
    pub probe_timeout: Duration,
    /// How long the server reads on after its own close frame, so that the messages before it
    /// arrive.
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

/// How many files this process may open. `None` where the system has no `/proc`
/// (proc_pid_limits(5)).
fn open_files() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The memory that all connections share for messages under way, in bytes.
#[derive(Debug)]
pub(super) struct Budget {
    limit: usize,
    used: AtomicUsize,
}

impl Budget {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, used: AtomicUsize::new(0) }
    }

    /// Takes `bytes`. Takes nothing and returns `false` when fewer are left.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let room = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.limit);
        // Relaxed: the count guards no other memory.
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_ok()
    }

    /// Returns `bytes` that were taken.
    pub(super) fn give(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}
