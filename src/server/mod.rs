//! The signaling server (docs/PROTOCOL.md, section 1): it knows who is registered and hands on what they relay, unread.
//!
//! | file | what it is for |
//! | --- | --- |
//! | `limits` | every bound and deadline, and what they default to |
//! | `lobby` | connections that are still speaking HTTP, bounded |
//! | `http` | the page, `/healthz`, and the WebSocket upgrade |
//! | `frame` | WebSocket frames (RFC 6455) to messages and back: bytes in, bytes out |
//! | `outbox` | what waits to be sent to one connection, bounded |
//! | `peers` | who is registered |
//! | `connection` | one WebSocket connection from upgrade to close; `connection/requests` answers what it asks for |
//!
//! A message travels like this: `connection` reads bytes, `frame` makes a text of them, [`crate::wire`] makes a
//! [`ClientMessage`](crate::wire::ClientMessage) of that, `peers` finds the target's `outbox`, and that writes to the
//! target's socket there and then. Only what the socket does not take is queued, so a queue holds something only
//! while its reader is slow. No lock is held across an await, and nothing of what is relayed is stored or logged.

mod connection;
mod frame;
mod http;
mod limits;
mod lobby;
mod outbox;
mod peers;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use limits::Limits;

/// Connections that the kernel holds for us between two turns of the accept loop. Linux cuts it to `net.core.somaxconn`,
/// 4,096 by default; with less, a burst of a thousand clients waits a second for its SYN to be sent again.
const BACKLOG: u32 = 4096;

/// How long [`Server::run`] waits for connections to close once it is told to stop.
const SHUTDOWN: Duration = Duration::from_secs(2);

/// How long to pause when the process or the system is out of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a server needs to know to start.
#[derive(Debug, Clone)]
pub struct Config {
    /// Address to listen on; port 0 picks a free one, see [`Server::local_addr`].
    pub listen: SocketAddr,
    /// Folder with the page that is served at `/`. Without one, a short page says how to get it.
    pub www: Option<PathBuf>,
    /// Bounds and deadlines.
    pub limits: Limits,
}

/// A signaling server that is bound to its address.
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// use frostmesh::server::{Config, Limits, Server};
///
/// let listen = ([127, 0, 0, 1], 9000).into();
/// let server = Server::bind(Config { listen, www: None, limits: Limits::default() }).await?;
/// server.run(async { tokio::signal::ctrl_c().await.unwrap_or_default() }).await
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    config: Config,
}

/// What all connections of one server share.
#[derive(Debug)]
struct Shared {
    limits: Limits,
    /// Who is registered.
    peers: peers::Peers,
    /// One permit for each WebSocket connection.
    slots: Arc<Semaphore>,
    /// Connections that still speak HTTP.
    lobby: lobby::Lobby,
    /// Memory for messages that are under way.
    budget: limits::Budget,
    /// Number of the next connection: tells senders apart in the queues.
    next_number: AtomicU64,
    /// Cancelled when the server stops.
    closing: CancellationToken,
    /// Every task of every connection.
    tasks: TaskTracker,
}

impl Server {
    /// Binds the address and checks the configuration. Connections wait until [`run`](Self::run).
    ///
    /// # Errors
    /// When the address is in use or not ours, or when there is no folder `www`.
    pub async fn bind(config: Config) -> io::Result<Self> {
        if let Some(www) = &config.www
            && !tokio::fs::metadata(www).await.is_ok_and(|found| found.is_dir())
        {
            let text =
                format!("there is no folder '{}' with the page: build it first", www.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, text));
        }
        let socket =
            if config.listen.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // Elsewhere than on Unix the option means that two servers may share one port.
        if cfg!(unix) {
            socket.set_reuseaddr(true)?;
        }
        socket.bind(config.listen)?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, config })
    }

    /// The address that the server listens on, with the port that was picked.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is ready. Then stops accepting, tells every connection (close code 1001), waits for them
    /// to close for up to 2 s, and returns.
    ///
    /// # Errors
    /// None so far: what goes wrong with one connection, or with accepting one, does not end the server.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let shared = Arc::new(Shared::new(self.config.limits));
        let router = http::router(Arc::clone(&shared), self.config.www);
        let mut shutdown = pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut shutdown => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => admit(&shared, &router, stream),
                Err(error) if is_of_one_connection(&error) => {}
                Err(_) => {
                    // Most likely out of file descriptors: accepting again at once would spin, so make room and wait.
                    shared.lobby.evict_oldest();
                    tokio::select! {
                        () = &mut shutdown => break,
                        () = tokio::time::sleep(ACCEPT_PAUSE) => {}
                    }
                }
            }
        }
        drop(self.listener);
        shared.closing.cancel();
        shared.tasks.close();
        // Whoever has not closed by now is cut off when its task ends, or with the process.
        let _ = tokio::time::timeout(SHUTDOWN, shared.tasks.wait()).await;
        Ok(())
    }
}

impl Shared {
    fn new(limits: Limits) -> Self {
        Self {
            peers: peers::Peers::default(),
            slots: Arc::new(Semaphore::new(limits.max_peers.min(Semaphore::MAX_PERMITS))),
            lobby: lobby::Lobby::new(limits.max_pending),
            budget: limits::Budget::new(limits.buffered_bytes),
            next_number: AtomicU64::new(0),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
            limits,
        }
    }
}

/// Gives a new connection its seat in the lobby and its task.
fn admit(shared: &Arc<Shared>, router: &axum::Router, stream: TcpStream) {
    // Signaling is small messages that someone waits for. Without the option they are only slower.
    let _ = stream.set_nodelay(true);
    let seat = lobby::Lobby::enter(shared);
    shared.tasks.spawn(http::serve(Arc::clone(shared), router.clone(), stream, seat));
}

/// Errors of `accept` that are about the connection that was to be accepted, not about us (accept(2)).
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
