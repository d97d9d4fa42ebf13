//! Carries out the commands of the command line.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use serde_json::json;
use tokio::sync::mpsc;

use super::cli::{self, Command as Cli};
use super::endpoint::{Endpoint, check_url, random_peer_id};
use super::exit::{Exit, Failure, OrExit};
use super::interrupt::interrupted;
use super::report::line;
use super::websocket::Socket;
use super::{audit_log, logging, member, participation, people, requests, signatures, wallets};
use crate::api::Command;
use crate::identity::Invite;
use crate::node::SocketEvent;
use crate::random::SystemRng;
use crate::server;
use crate::wire::{ClientMessage, PROTOCOL_VERSION, PeerId, ServerMessage, SessionId};

/// Reads the command line, runs the command, and reports how it went.
#[must_use]
pub fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    logging::start(cli.command.is_verbose());
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(run(cli.command));
            // A prompt that waits for a key stroke must not hold up the program's end.
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(Failure::new(Exit::Other, error)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(text) = failure.text {
                eprintln!("frostmesh: {text}");
            }
            failure.exit.into()
        }
    }
}

async fn run(command: Cli) -> Result<(), Failure> {
    match command {
        Cli::Serve(args) => serve(args).await,
        Cli::Create(args) => create(args).await,
        Cli::Join(args) => join(args).await,
        Cli::Peers(args) => peers(args).await,
        Cli::Wallets(cli::Wallets::List(local)) => wallets::list(&local),
        Cli::Wallets(cli::Wallets::Show { pubkey, local }) => wallets::show(&pubkey, &local),
        Cli::Wallets(cli::Wallets::Verify { pubkey, local }) => wallets::verify(&pubkey, &local),
        Cli::Wallets(cli::Wallets::Check { pubkey, timeout, reach, local }) => {
            member::check(&pubkey, timeout, reach, local).await
        }
        Cli::Sign(args) => member::sign(args).await,
        Cli::Requests(args) => requests::run(args).await,
        Cli::Approve(args) => member::decide(args, true).await,
        Cli::Decline(args) => member::decide(args, false).await,
        Cli::Node(args) => member::node(args).await,
        Cli::Log(command) => audit_log::run(&command),
        Cli::Verify(args) => signatures::verify(&args),
        Cli::Address { pubkey, local } => signatures::address(&pubkey, &local),
        Cli::Identity(local) => people::identity(&local),
        Cli::Contacts(command) => people::contacts(command),
        Cli::Evidence(command) => people::evidence(command),
    }
}

// ---- serve ----

async fn serve(args: cli::Serve) -> Result<(), Failure> {
    let www = args
        .www
        .or_else(|| Some(PathBuf::from("dist/www")).filter(|p| p.join("index.html").is_file()));
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

// ---- create and join ----

async fn create(args: cli::Create) -> Result<(), Failure> {
    let session_id = args.session_id.unwrap_or_else(|| SessionId::random(&mut SystemRng));
    let (id, threshold) = (session_id.clone(), args.threshold);
    let first = match args.total {
        Some(total) => Command::Invite {
            session_id: id,
            total,
            threshold,
            suite: args.suite,
            name: args.name,
            lifetime: args.network.timeout,
        },
        None => Command::Propose {
            session_id: id,
            participants: args.participants,
            threshold,
            suite: args.suite,
            allow_unverified: args.network.allow_unverified,
        },
    };
    let at = Endpoint { server: args.server, peer_id: args.peer_id };
    participation::take_part(at, args.network, args.local, Some(session_id), Some(first)).await
}

async fn join(args: cli::Join) -> Result<(), Failure> {
    let peer_id = match args.peer_id {
        Some(peer_id) => peer_id,
        None => random_peer_id("node")?,
    };
    let (server, session_id, first) = match (args.invite, args.server) {
        (Some(text), _) => {
            let invite: Invite = text.parse().map_err(|error| Failure::new(Exit::Usage, error))?;
            let (server, session_id) = (invite.server_url.clone(), invite.session_id.clone());
            let invite = Box::new(invite);
            (server, Some(session_id), Some(Command::JoinInvite { invite, peer_id: None }))
        }
        (None, Some(server)) => (server, args.session_id, None),
        (None, None) => {
            return Err(Failure::new(Exit::Usage, "give an invite, or --server and --peer-id"));
        }
    };
    participation::take_part(
        Endpoint { server, peer_id },
        args.network,
        args.local,
        session_id,
        first,
    )
    .await
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
            Failure::new(
                Exit::Server,
                format_args!("no answer from {} within {} s", args.server, args.timeout),
            )
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
async fn ask_for_peers(
    socket: &Socket,
    inputs: &mut mpsc::UnboundedReceiver<SocketEvent>,
) -> Result<Vec<PeerId>, String> {
    let mut passing: Option<PeerId> = None;
    while let Some(input) = inputs.recv().await {
        match input {
            SocketEvent::Opened => socket.send(ClientMessage::ListPeers.to_json()),
            SocketEvent::Closed { reason } => return Err(reason),
            SocketEvent::Text(text) => match ServerMessage::parse(&text) {
                Ok(ServerMessage::Peers { peers }) => {
                    return Ok(peers
                        .into_iter()
                        .filter(|id| Some(id) != passing.as_ref())
                        .collect());
                }
                Ok(ServerMessage::Error { .. }) if passing.is_none() => {
                    let name =
                        format!("peers-{}", &SessionId::random(&mut SystemRng).as_str()[..8]);
                    let peer_id: PeerId = name.parse().map_err(|e| format!("{e}"))?;
                    let protocol = Some(PROTOCOL_VERSION);
                    let register =
                        ClientMessage::Register { peer_id: peer_id.clone(), protocol, claim: None };
                    socket.send(register.to_json());
                    socket.send(ClientMessage::ListPeers.to_json());
                    passing = Some(peer_id);
                }
                Ok(ServerMessage::Error { error, .. }) => {
                    return Err(format!("the server refused: {error}"));
                }
                _ => {}
            },
        }
    }
    Err("the connection ended".to_owned())
}
