//! A world in memory for the examples: a driver for each node, a signaling server, a disk and a
//! clock. It does what `src/native` and `src/browser` do for one node, without any IO.

use std::collections::{BTreeMap, VecDeque};
use std::error::Error;

use frostmesh::identity::{Contacts, IdentityKey};
use frostmesh::keystore::WalletRecord;
use frostmesh::node::{
    CarrierChoice, Command, Config, Event, Input, Node, Output, RELAY, ServerId, SocketEvent,
    StoreRequest, StoredWallet, Timestamp,
};
use frostmesh::random::SystemRng;
use frostmesh::wire::{ClientMessage, PeerId, ServerMessage};

/// What the examples return: a value, or an error for people.
pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// One node, and what its driver holds for it.
struct Driver {
    node: Node,
    /// The server at which the node is registered.
    server: Option<ServerId>,
    /// When the node wants a tick.
    wake: Option<Timestamp>,
    /// The disk: the node's part of the key.
    wallet: Option<WalletRecord>,
}

/// Several nodes and all that lies between them.
#[derive(Default)]
pub struct World {
    now: Timestamp,
    drivers: BTreeMap<PeerId, Driver>,
    inputs: VecDeque<(PeerId, Input)>,
    events: VecDeque<(PeerId, Event)>,
}

impl World {
    /// Starts a node with an identity of its own, and connects it to the server.
    pub fn start(&mut self, name: &str) -> Result<()> {
        let config = Config { carrier: CarrierChoice::Only(RELAY), ..Config::default() };
        let identity = IdentityKey::generate(&mut SystemRng);
        let node = Node::new(config, identity, Contacts::default(), SystemRng);
        let peer_id: PeerId = name.parse()?;
        let driver = Driver { node, server: None, wake: None, wallet: None };
        self.drivers.insert(peer_id.clone(), driver);
        self.command(name, Command::Connect { server_url: "ws://in-memory".into(), peer_id })
    }

    /// A person at the node decides something.
    pub fn command(&mut self, name: &str, command: Command) -> Result<()> {
        self.handle(&name.parse()?, Input::Command(command))
    }

    /// Hands one input to a node, then carries out everything that the node asks for.
    pub fn handle(&mut self, name: &PeerId, input: Input) -> Result<()> {
        let now = self.now;
        let driver = self.driver(name)?;
        driver.node.handle(now, input)?;
        let outputs: Vec<Output> = std::iter::from_fn(|| driver.node.poll()).collect();
        outputs.into_iter().try_for_each(|output| self.carry_out(name, output))
    }

    /// Runs until a node reports an event. The clock jumps ahead when nothing is under way.
    pub fn next_event(&mut self) -> Result<(PeerId, Event)> {
        while self.events.is_empty() {
            let (name, input) = match self.inputs.pop_front() {
                Some(next) => next,
                None => (self.jump_to_next_wake()?, Input::Tick),
            };
            self.handle(&name, input)?;
        }
        self.events.pop_front().ok_or_else(|| "no event".into())
    }

    /// What a node has stored: its wallet, with an empty audit log.
    pub fn stored_wallet(&mut self, name: &PeerId) -> Result<StoredWallet> {
        let record = self.driver(name)?.wallet.clone().ok_or("no wallet is stored")?;
        Ok(StoredWallet { record, trail: Vec::new(), head: None })
    }

    fn driver(&mut self, name: &PeerId) -> Result<&mut Driver> {
        self.drivers.get_mut(name).ok_or_else(|| format!("no node is called {name}").into())
    }

    /// Does one thing that a node asks for. What has an answer answers by an input.
    fn carry_out(&mut self, name: &PeerId, output: Output) -> Result<()> {
        match output {
            Output::OpenServer { server, .. } => self.reply(name, SocketEvent::Opened.of(server)),
            Output::SendServer { server, text } => self.serve(name, server, &text)?,
            Output::Store { session_id, request } => {
                self.store(name, request)?;
                self.reply(name, Input::Stored { session_id, result: Ok(()) });
            }
            Output::StoreEntry { pubkey, entry, .. } => {
                let number = entry.number; // a real driver writes the entry to disk first
                self.reply(name, Input::EntryStored { pubkey, number, result: Ok(()) });
            }
            Output::WakeAt(at) => self.driver(name)?.wake = Some(at),
            Output::Event(event) => self.events.push_back((name.clone(), event)),
            Output::ViewChanged | Output::StoreContacts(_) | Output::StoreEvidence(_) => {}
            other => return Err(format!("there is no WebRTC in this world: {other:?}").into()),
        }
        Ok(())
    }

    fn reply(&mut self, name: &PeerId, input: Input) {
        self.inputs.push_back((name.clone(), input));
    }

    /// The signaling server: it knows who is registered, and relays messages that it cannot read.
    fn serve(&mut self, from: &PeerId, server: ServerId, frame: &str) -> Result<()> {
        let (to, answer) = match ClientMessage::parse(frame)? {
            ClientMessage::Register { .. } => {
                self.driver(from)?.server = Some(server);
                return Ok(());
            }
            ClientMessage::ListPeers => {
                let registered = self.drivers.iter().filter(|(_, d)| d.server.is_some());
                let peers = registered.map(|(name, _)| name.clone()).collect();
                (from.clone(), ServerMessage::Peers { peers })
            }
            ClientMessage::Relay { to, data } => {
                (to, ServerMessage::Relay { from: from.clone(), data })
            }
        };
        let server = self.driver(&to)?.server.ok_or("the receiver is not registered")?;
        self.reply(&to, SocketEvent::Text(answer.to_json()).of(server));
        Ok(())
    }

    /// The disk. A key is stored twice: when this node has it, and when all have confirmed it.
    fn store(&mut self, name: &PeerId, request: StoreRequest) -> Result<()> {
        let wallet = &mut self.driver(name)?.wallet;
        match request {
            StoreRequest::Unconfirmed(record) => *wallet = Some(*record),
            StoreRequest::Confirm { certificate, .. } => {
                wallet.as_mut().ok_or("no key is stored")?.certificate = certificate;
            }
        }
        Ok(())
    }

    fn jump_to_next_wake(&mut self) -> Result<PeerId> {
        let waking = self.drivers.iter().filter_map(|(name, d)| Some((d.wake?, name.clone())));
        let (at, name) = waking.min().ok_or("all nodes are quiet for ever")?;
        self.now = self.now.max(at);
        self.driver(&name)?.wake = None;
        Ok(name)
    }
}
