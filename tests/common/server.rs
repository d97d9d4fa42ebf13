//! A signaling server as section 1 of PROTOCOL.md has it: register, peers, relay. With error codes, or as a baseline
//! server without them.

use std::collections::{BTreeMap, BTreeSet};

use frostmesh::wire::{ClientMessage, ErrorCode, PeerId, ServerMessage, WireError};

/// One socket of one seat; a seat's later sockets have other numbers.
pub type Socket = (usize, u32);

#[derive(Default)]
pub struct Server {
    /// Says no codes and no extension fields.
    pub baseline: bool,
    sockets: BTreeSet<Socket>,
    registered: BTreeMap<PeerId, Socket>,
    names: BTreeMap<Socket, PeerId>,
}

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
            Ok(ClientMessage::Register { peer_id }) => match (self.registered.get(&peer_id), self.names.get(&socket)) {
                (Some(other), _) if *other != socket => self.error(socket, ErrorCode::PeerIdTaken, None),
                (_, Some(name)) if *name != peer_id => self.error(socket, ErrorCode::AlreadyRegistered, None),
                _ => {
                    self.registered.insert(peer_id.clone(), socket);
                    self.names.insert(socket, peer_id);
                    Vec::new()
                }
            },
            Ok(ClientMessage::ListPeers) => {
                let peers = self.registered.keys().cloned().collect();
                vec![(socket, ServerMessage::Peers { peers }.to_json())]
            }
            Ok(ClientMessage::Relay { to, data }) => match (self.names.get(&socket), self.registered.get(&to)) {
                (None, _) => self.error(socket, ErrorCode::NotRegistered, None),
                (Some(_), None) => self.error(socket, ErrorCode::TargetOffline, Some(to)),
                (Some(from), Some(target)) if *target != socket => {
                    vec![(*target, ServerMessage::Relay { from: from.clone(), data }.to_json())]
                }
                _ => self.error(socket, ErrorCode::BadMessage, None),
            },
            Err(WireError::PeerId(_)) => self.error(socket, ErrorCode::BadPeerId, None),
            Err(_) => self.error(socket, ErrorCode::BadMessage, None),
        }
    }

    fn error(&self, socket: Socket, code: ErrorCode, peer_id: Option<PeerId>) -> Vec<(Socket, String)> {
        let (code, peer_id) = if self.baseline { (None, None) } else { (Some(code), peer_id) };
        vec![(socket, ServerMessage::Error { error: "refused".into(), code, peer_id }.to_json())]
    }
}
