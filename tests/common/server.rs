//! A signaling server as section 1 of PROTOCOL.md has it: register, peers, relay. With error codes,
//! or as a baseline server without them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use frostmesh::wire::{ClientMessage, ErrorCode, PeerId, ServerMessage, WireError};

/// One socket of one seat; a seat's later sockets have other numbers.
pub type Socket = (usize, u32);

#[derive(Default)]
pub struct Server {
    /// Says no codes and no extension fields.
    pub baseline: bool,
    /// Lets a node that comes back take over its own stale registration (section 3).
    pub claims: bool,
    claimed: BTreeMap<PeerId, [u8; 32]>,
    sockets: BTreeSet<Socket>,
    registered: BTreeMap<PeerId, Socket>,
    names: BTreeMap<Socket, PeerId>,
    /// What an evil server, or an evil participant's own software, makes of what is relayed: from,
    /// to and the data, as many times as it likes.
    pub evil: Option<Evil>,
    /// All that was relayed, as the server saw it.
    pub seen: Vec<String>,
}

/// From whom, to whom, what.
pub type Relayed = (PeerId, PeerId, Value);
pub type Evil = Box<dyn FnMut(Relayed) -> Vec<Relayed> + Send>;

impl Server {
    pub fn open(&mut self, socket: Socket) {
        self.sockets.insert(socket);
    }

    pub fn gone(&mut self, socket: Socket) {
        self.sockets.remove(&socket);
        if let Some(id) = self.names.remove(&socket) {
            self.registered.remove(&id);
        }
    }

    pub fn sockets(&self) -> Vec<Socket> {
        self.sockets.iter().copied().collect()
    }

    /// Takes a frame; returns what to send to whom.
    pub fn receive(&mut self, socket: Socket, text: &str) -> Vec<(Socket, String)> {
        if !self.sockets.contains(&socket) {
            return Vec::new();
        }
        match ClientMessage::parse(text) {
            Ok(ClientMessage::Register { peer_id, claim, .. }) => {
                let known = self.claimed.get(&peer_id).copied();
                if self.claims
                    && claim.is_some()
                    && (known == claim || !self.registered.contains_key(&peer_id))
                {
                    if let Some(stale) =
                        self.registered.get(&peer_id).copied().filter(|stale| *stale != socket)
                    {
                        self.gone(stale);
                    }
                    self.claimed.extend(claim.map(|claim| (peer_id.clone(), claim)));
                }
                match (self.registered.get(&peer_id), self.names.get(&socket)) {
                    (Some(other), _) if *other != socket => {
                        self.error(socket, ErrorCode::PeerIdTaken, None)
                    }
                    (_, Some(name)) if *name != peer_id => {
                        self.error(socket, ErrorCode::AlreadyRegistered, None)
                    }
                    _ => {
                        self.registered.insert(peer_id.clone(), socket);
                        self.names.insert(socket, peer_id);
                        Vec::new()
                    }
                }
            }
            Ok(ClientMessage::ListPeers) => {
                let peers = self.registered.keys().cloned().collect();
                vec![(socket, ServerMessage::Peers { peers }.to_json())]
            }
            Ok(ClientMessage::Relay { to, data }) => {
                match (self.names.get(&socket), self.registered.get(&to)) {
                    (None, _) => self.error(socket, ErrorCode::NotRegistered, None),
                    (Some(_), None) => self.error(socket, ErrorCode::TargetOffline, Some(to)),
                    (Some(from), Some(target)) if *target != socket => {
                        self.seen.push(data.get().to_owned());
                        let Some(evil) = &mut self.evil else {
                            return vec![(
                                *target,
                                ServerMessage::Relay { from: from.clone(), data }.to_json(),
                            )];
                        };
                        let made =
                            evil((from.clone(), to, serde_json::from_str(data.get()).unwrap()));
                        made.into_iter().filter_map(|relayed| self.relayed(relayed)).collect()
                    }
                    _ => self.error(socket, ErrorCode::BadMessage, None),
                }
            }
            Err(WireError::PeerId(_)) => self.error(socket, ErrorCode::BadPeerId, None),
            Err(_) => self.error(socket, ErrorCode::BadMessage, None),
        }
    }

    fn relayed(&self, (from, to, data): Relayed) -> Option<(Socket, String)> {
        let data = serde_json::value::to_raw_value(&data).unwrap();
        Some((*self.registered.get(&to)?, ServerMessage::Relay { from, data }.to_json()))
    }

    fn error(
        &self,
        socket: Socket,
        code: ErrorCode,
        peer_id: Option<PeerId>,
    ) -> Vec<(Socket, String)> {
        let (code, peer_id) = if self.baseline { (None, None) } else { (Some(code), peer_id) };
        vec![(socket, ServerMessage::Error { error: "refused".into(), code, peer_id }.to_json())]
    }
}
