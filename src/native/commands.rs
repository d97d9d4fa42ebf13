//! What each command does.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::cli::{self, Command as Cli, Local, Network};
use super::exit::{Exit, Failure, OrExit};
use super::report::{Reporter, line};
use super::websocket::Socket;
use super::{Driver, Settings, Store, password, wallets};
use crate::node::{Command, Config, Deadlines, Event, Input, ReasonKind};
use crate::random::SystemRng;
use crate::server;
use crate::wire::{ClientMessage, PeerId, ServerMessage, SessionId};

pub(super) async fn run(command: Cli) -> Result<(), Failure> {
    match command {
        Cli::Serve(args) => serve(args).await,
        Cli::Create(args) => {
            let session_id = args.session_id.unwrap_or_else(|| SessionId::random(&mut SystemRng));
            let proposal = Command::Propose {
                session_id: session_id.clone(),
                participants: args.participants,
                threshold: args.threshold,
                allow_unverified: args.network.allow_unverified,
            };
            take_part(args.network, args.local, Some(session_id), Some(proposal)).await
        }
        Cli::Join(args) => take_part(args.network, args.local, args.session_id, None).await,
        Cli::Peers(args) => peers(args).await,
        Cli::Wallets(cli::Wallets::List(local)) => wallets::list(&local),
        Cli::Wallets(cli::Wallets::Show { pubkey, local }) => wallets::show(&pubkey, &local),
    }
}

// ---- serve ----

async fn serve(args: cli::Serve) -> Result<(), Failure> {
    let www = args.www.or_else(|| Some(PathBuf::from("dist/www")).filter(|p| p.join("index.html").is_file()));
    let config = server::Config { listen: args.listen, www, limits: server::Limits::default() };
    let server = server::Server::bind(config).await;
    let server = server.or_exit(Exit::Other, &format!("cannot listen on {}", args.listen))?;
    let address = server.local_addr();
    if args.json {
        let url = format!("ws://{address}/");
        line(&json!({ "event": "listening", "address": address.to_string(), "url": url }));
    } else {
        eprintln!("signaling server on ws://{address}");
        eprintln!("web page on        http://{address}");
        eprintln!("stop it with Ctrl-C");
    }
    server.run(interrupted()).await.or_exit(Exit::Other, "the server stopped")
}

/// Waits for Ctrl-C or SIGTERM.
async fn interrupted() {
    #[cfg(unix)]
    if let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        return;
    }
    let _ = tokio::signal::ctrl_c().await;
}

// ---- create and join ----

async fn take_part(
    network: Network,
    local: Local,
    session: Option<SessionId>,
    proposal: Option<Command>,
) -> Result<(), Failure> {
    if !network.allow_unverified {
        let text = "nothing proves yet who the other participants are: whoever runs the signaling server could pose \
                    as them and collect shares. If you trust it and them, say so with --allow-unverified";
        return Err(Failure::new(Exit::Usage, text));
    }
    check_url(&network.server)?;
    if let Some(bad) = network.ice_server.iter().find(|url| super::stun::parse_url(url).is_none()) {
        return Err(Failure::new(Exit::Usage, format_args!("{bad} is no STUN server: use stun:HOST:PORT")));
    }
    let store = Arc::new(open_store(&local)?);
    let timeout = network.timeout * 1000;
    let usual = Deadlines::default();
    let deadlines = Deadlines { proposal: timeout, mesh: timeout, step: usual.step.min(timeout), ..usual };
    let settings = Settings { config: Config { deadlines }, ice_servers: network.ice_server, store };
    let mut this = Participation {
        driver: Driver::new(settings),
        reporter: Reporter::new(network.peer_id.clone(), local.json, local.verbose),
        session,
        proposal,
        joined: false,
    };
    let connect = Command::Connect { server_url: network.server, peer_id: network.peer_id };
    this.driver.command(connect).or_exit(Exit::Usage, "cannot connect")?;
    let result = this.until(Instant::now() + Duration::from_secs(network.timeout), network.timeout).await;
    this.driver.finish().await;
    result
}

fn check_url(url: &str) -> Result<(), Failure> {
    let rest = url.strip_prefix("ws://").or_else(|| url.strip_prefix("wss://"));
    if rest.is_some_and(|rest| !rest.is_empty()) {
        return Ok(());
    }
    Err(Failure::new(Exit::Usage, format_args!("{url} is no signaling server: use ws://HOST:PORT or wss://HOST")))
}

/// Unlocks the keys, or sets a password for a new folder.
pub(super) fn open_store(local: &Local) -> Result<Store, Failure> {
    let folder = local.data_dir.clone().or_else(Store::default_folder);
    let folder = folder.ok_or_else(|| Failure::new(Exit::Usage, "no home folder: give --data-dir DIR"))?;
    let password = password::read(local.password_file.as_deref(), !Store::exists(&folder))?;
    Store::open(&folder, &password).map_err(|e| {
        let exit = if e.is_wrong_password() { Exit::Keystore } else { Exit::Other };
        Failure::new(exit, format_args!("the keys cannot be opened: {e}"))
    })
}

/// A node that takes part in one session.
struct Participation {
    driver: Driver,
    reporter: Reporter,
    /// The session, once it is known.
    session: Option<SessionId>,
    /// What to propose once registered.
    proposal: Option<Command>,
    joined: bool,
}

impl Participation {
    /// Runs until the session is over, none came in time, or the person has had enough. The waits of a session end by the
    /// node's own deadlines: then the others hear for whom it waited.
    async fn until(&mut self, deadline: Instant, seconds: u64) -> Result<(), Failure> {
        let interrupted = interrupted();
        tokio::pin!(interrupted);
        loop {
            let event = tokio::select! {
                event = self.driver.next() => event,
                () = sleep_until(deadline), if !self.joined => return Err(self.out_of_time(seconds)),
                () = &mut interrupted => return Err(self.leave()),
            };
            self.reporter.event(&event);
            if let Some(result) = self.event(event) {
                return result;
            }
        }
    }

    /// Acts on an event. `Some` when this was the end.
    fn event(&mut self, event: Event) -> Option<Result<(), Failure>> {
        let ours = |this: &Self, id: &SessionId| this.joined && this.session.as_ref() == Some(id);
        match event {
            Event::Registered { .. } => match self.proposal.take() {
                Some(proposal) => {
                    self.joined = true;
                    if let Err(error) = self.driver.command(proposal) {
                        return Some(Err(Failure::new(Exit::Usage, error)));
                    }
                }
                None if !self.joined => match &self.session {
                    Some(id) => self.reporter.say(&format!("waiting for the proposal of session {id}")),
                    None => self.reporter.say("waiting for a proposal"),
                },
                None => {}
            },
            Event::Proposed { session_id, .. }
                if !self.joined && self.session.as_ref().is_none_or(|id| *id == session_id) =>
            {
                self.session = Some(session_id.clone());
                self.joined = true;
                let accept = Command::Accept { session_id, allow_unverified: true };
                if let Err(error) = self.driver.command(accept) {
                    return Some(Err(Failure::new(Exit::Other, error)));
                }
            }
            Event::ServerLost { was_registered: false, .. } => return Some(Err(Failure::told(Exit::Server))),
            Event::ServerRefused { .. } => return Some(Err(Failure::told(Exit::Other))),
            // A session that needs the server ends now, and says so next; one that does not goes on.
            Event::ServerGone { .. } if !self.joined => return Some(Err(Failure::told(Exit::Server))),
            Event::WalletCreated { session_id, pubkey, .. } if ours(self, &session_id) => {
                self.reporter.result(&pubkey);
                return Some(Ok(()));
            }
            Event::Aborted { session_id, reason } if ours(self, &session_id) => {
                return Some(Err(Failure::told(match reason.kind {
                    ReasonKind::TimedOut => Exit::TimedOut,
                    ReasonKind::ServerLost => Exit::Server,
                    _ => Exit::Aborted,
                })));
            }
            _ => {}
        }
        None
    }

    fn out_of_time(&self, seconds: u64) -> Failure {
        let what = if self.proposal.is_some() { "the server did not answer" } else { "no proposal came" };
        let text = format!("timed out after {seconds} s: {what}");
        self.reporter.aborted(self.session.as_ref().map(SessionId::as_str), &text, None);
        Failure::told(Exit::TimedOut)
    }

    fn leave(&mut self) -> Failure {
        self.cancel();
        self.reporter.aborted(self.session.as_ref().map(SessionId::as_str), "stopped here", None);
        Failure::told(Exit::Aborted)
    }

    fn cancel(&mut self) {
        if let (true, Some(session_id)) = (self.joined, self.session.clone()) {
            let _ = self.driver.command(Command::Cancel { session_id }); // over already, perhaps
        }
    }
}

// ---- peers ----

async fn peers(args: cli::Peers) -> Result<(), Failure> {
    check_url(&args.server)?;
    let (sender, mut inputs) = mpsc::unbounded_channel();
    let socket = Socket::open(args.server.clone(), move |input| drop(sender.send(input)));
    let asked = ask_for_peers(&socket, &mut inputs);
    let answer = tokio::time::timeout(Duration::from_secs(args.timeout), asked).await;
    socket.finish(Duration::from_secs(1)).await;
    let peers = answer
        .map_err(|_| {
            Failure::new(Exit::Server, format_args!("no answer from {} within {} s", args.server, args.timeout))
        })?
        .map_err(|reason| Failure::new(Exit::Server, reason))?;
    if args.json {
        line(&json!({ "event": "peers", "peers": peers }));
    } else if peers.is_empty() {
        eprintln!("nobody is registered at {}", args.server);
    } else {
        peers.iter().for_each(|id| println!("{id}"));
    }
    Ok(())
}

/// Asks without a name; servers that want one first get a passing one.
async fn ask_for_peers(socket: &Socket, inputs: &mut mpsc::UnboundedReceiver<Input>) -> Result<Vec<PeerId>, String> {
    let mut passing: Option<PeerId> = None;
    while let Some(input) = inputs.recv().await {
        match input {
            Input::ServerOpened => socket.send(ClientMessage::ListPeers.to_json()),
            Input::ServerClosed { reason } => return Err(reason),
            Input::ServerText(text) => match ServerMessage::parse(&text) {
                Ok(ServerMessage::Peers { peers }) => {
                    return Ok(peers.into_iter().filter(|id| Some(id) != passing.as_ref()).collect());
                }
                Ok(ServerMessage::Error { .. }) if passing.is_none() => {
                    let name = format!("peers-{}", &SessionId::random(&mut SystemRng).as_str()[..8]);
                    let peer_id: PeerId = name.parse().map_err(|e| format!("{e}"))?;
                    socket.send(ClientMessage::Register { peer_id: peer_id.clone() }.to_json());
                    socket.send(ClientMessage::ListPeers.to_json());
                    passing = Some(peer_id);
                }
                Ok(ServerMessage::Error { error, .. }) => return Err(format!("the server refused: {error}")),
                _ => {}
            },
            _ => {}
        }
    }
    Err("the connection ended".to_owned())
}
