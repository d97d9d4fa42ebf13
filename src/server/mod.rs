//! The signaling server (docs/PROTOCOL.md, section 1): it knows the registered peers and relays
//! their messages without reading them.
//!
//! | file | what it is for |
//! | --- | --- |
//! | `limits` | every bound and deadline, and their defaults |
//! | `lobby` | connections that still use HTTP, bounded |
//! | `http` | the page, `/healthz`, and the WebSocket upgrade |
//! | `frame` | WebSocket frames (RFC 6455) to messages and back: bytes in, bytes out |
//! | `outbox` | the frames that wait to be sent to one connection, bounded |
//! | `peers` | the registered peers |
//! | `shared` | the state that all connections of one server share |
//! | `connection` | one WebSocket connection; its `requests` answers what a client asks for |
//!
//! A message travels like this: `connection` reads bytes, `frame` makes a text of them,
//! [`crate::wire`] makes a [`ClientMessage`](crate::wire::ClientMessage) of the text, `peers` finds
//! the receiver's `outbox`, and the outbox writes to the receiver's socket at once. Only bytes that
//! the socket does not accept are queued, so a queue is empty unless its receiver is slow. No lock
//! is held across an await. The server neither stores nor logs what it relays.

mod connection;
mod frame;
mod http;
mod limits;
mod lobby;
mod outbox;
mod peers;
mod shared;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

pub use limits::Limits;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use self::lobby::Lobby;
use self::shared::Shared;

/// Connections that the kernel queues between two turns of the accept loop. Linux limits this to
/// `net.core.somaxconn`, 4,096 by default. With a shorter queue a burst of a thousand clients waits
/// a second for TCP to retry its SYN.
const BACKLOG: u32 = 4096;

/// How long [`Server::run`] waits for connections to close when it stops.
const SHUTDOWN: Duration = Duration::from_secs(2);

/// How long to pause when the process or the system is out of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The configuration of a server.
#[derive(Debug, Clone)]
pub struct Config {
    /// Address to listen on; port 0 picks a free one, see [`Server::local_addr`].
    pub listen: SocketAddr,
    /// Folder with the page to serve at `/`. Without one, a short page explains how to build it.
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

impl Server {
    /// Binds the address and checks the configuration. Connections wait until [`run`](Self::run).
    ///
    /// # Errors
    /// The address is in use or not one of this machine, or the folder `www` does not exist.
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
        // On other systems than Unix the option lets two servers share one port.
        if cfg!(unix) {
            socket.set_reuseaddr(true)?;
        }
        socket.bind(config.listen)?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, config })
    }

    /// The address that the server listens on, with the actual port.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is ready. Then it accepts no more connections, closes all (close
    /// code 1001), waits up to 2 s for them to end, and returns.
    ///
    /// # Errors
    /// None so far: an error of one connection, or of accepting one, does not end the server.
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
                    // Most likely out of file descriptors. An immediate retry would spin, so make
                    // room and wait.
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
        // A connection that is still open is closed when its task or the process ends.
        let _ = tokio::time::timeout(SHUTDOWN, shared.tasks.wait()).await;
        Ok(())
    }
}

/// Gives a new connection a seat in the lobby and a task.
fn admit(shared: &Arc<Shared>, router: &axum::Router, stream: TcpStream) {
    // Someone waits for each of these small messages. An error only makes them slower.
    let _ = stream.set_nodelay(true);
    let seat = Lobby::enter(&shared.lobby);
    shared.tasks.spawn(http::serve(Arc::clone(shared), router.clone(), stream, seat));
}

/// Whether an error of `accept` concerns the connection to be accepted, and not the server
/// (accept(2)).
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
