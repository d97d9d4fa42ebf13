//! A whole node, in a verified session and in one that allows unverified peers, receives anything
//! from the server and from peers. It never panics, never floods and never loops.
//!
//! The input is a list of lines. The first byte of a line selects what happens, the second one the
//! peer.
#![no_main]

use std::collections::BTreeMap;

use frostmesh::identity::{Contacts, IdentityKey};
use frostmesh::node::{
    Command, Config, Input, Node, Output, Role, ServerId, SocketEvent, Timestamp,
};
use frostmesh::wire::{PeerId, ServerMessage, SessionId};
use libfuzzer_sys::fuzz_target;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use zeroize::Zeroizing;

const HOME: ServerId = ServerId::new(1);
const PEERS: [&str; 3] = ["alice", "bob", "carol"];
/// Most outputs of a node after one input.
const MANY: usize = 500;

struct Driven {
    node: Node,
    now: u64,
    attempts: BTreeMap<PeerId, u32>,
}

impl Driven {
    fn new() -> Self {
        let key = IdentityKey::generate(&mut ChaCha20Rng::seed_from_u64(1));
        let node =
            Node::new(Config::default(), key, Contacts::default(), ChaCha20Rng::seed_from_u64(2));
        let mut this = Self { node, now: 1_000, attempts: BTreeMap::new() };
        this.handle(Input::Command(Command::Connect {
            server_url: "ws://s".into(),
            peer_id: peer(0),
        }));
        this.handle(SocketEvent::Opened.of(HOME));
        let peers = (0..PEERS.len()).map(peer).collect();
        this.handle(SocketEvent::Text(ServerMessage::Peers { peers }.to_json()).of(HOME));
        for (session, allow_unverified) in [("v", false), ("u", true)] {
            let participants = (0..PEERS.len()).map(peer).collect();
            let session_id = id(session);
            this.handle(Input::Command(Command::Propose {
                suite: frostmesh::frost::Suite::default(),
                session_id,
                participants,
                threshold: 2,
                allow_unverified,
            }));
        }
        this
    }

    fn handle(&mut self, input: Input) {
        let _ = self.node.handle(Timestamp::from_millis(self.now), input);
        let mut count = 0;
        let mut stored = Vec::new();
        while let Some(output) = self.node.poll() {
            count += 1;
            assert!(count < MANY, "a flood");
            match output {
                Output::OpenConnection { peer, attempt, role } => {
                    self.attempts.insert(peer.clone(), attempt);
                    if role == Role::Offerer {
                        stored.push(Input::LocalDescription { peer, attempt, sdp: "v=0".into() });
                    }
                }
                Output::Store { session_id, .. } => {
                    stored.push(Input::Stored { session_id, result: Ok(()) })
                }
                Output::WakeAt(at) => assert!(at.millis() > self.now, "a busy loop"),
                _ => {}
            }
        }
        let _ = self.node.view();
        stored.into_iter().for_each(|input| self.handle(input));
    }

    fn line(&mut self, line: &str) {
        let mut letters = line.chars();
        let (Some(what), Some(whom)) = (letters.next(), letters.next()) else { return };
        let rest = letters.as_str();
        let peer = peer(1 + (whom as usize) % 2);
        let attempt = self.attempts.get(&peer).copied().unwrap_or(1);
        self.now += 1;
        let input = match what {
            's' => SocketEvent::Text(rest.into()).of(HOME),
            'r' => {
                SocketEvent::Text(format!(r#"{{"type":"relay","from":"{peer}","data":{rest}}}"#))
                    .of(HOME)
            }
            'c' => Input::DataChannelText { peer, attempt, text: Zeroizing::new(rest.into()) },
            'o' => Input::DataChannelOpened { peer, attempt },
            'x' => Input::ConnectionClosed { peer, attempt, reason: rest.into() },
            'd' => Input::LocalDescription { peer, attempt, sdp: rest.into() },
            'i' => Input::DataChannelInterrupted { peer, attempt, interrupted: rest.is_empty() },
            'a' => Input::Command(Command::Accept {
                session_id: id(if rest.is_empty() { "u" } else { "w" }),
                allow_unverified: true,
            }),
            'w' => Input::Command(Command::ConfirmWords {
                session_id: id("v"),
                they_match: rest.is_empty(),
            }),
            'q' => Input::Command(Command::Cancel {
                session_id: id(if rest.is_empty() { "u" } else { "v" }),
            }),
            'g' => SocketEvent::Closed { reason: rest.into() }.of(HOME),
            'h' => SocketEvent::Opened.of(HOME),
            _ => {
                self.now += (whom as u64 % 128) * 500;
                Input::Tick
            }
        };
        self.handle(input);
    }
}

fn peer(identifier: usize) -> PeerId {
    PEERS[identifier].parse().expect("a name")
}

fn id(name: &str) -> SessionId {
    name.parse().expect("a session")
}

fuzz_target!(|text: &str| {
    let mut driven = Driven::new();
    text.lines().take(64).for_each(|line| driven.line(line));
});
