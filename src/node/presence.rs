//! What this node knows of signaling servers: its own name there, whether it is online, and who is
//! present.
//!
//! The machine *signaling* reports changes; the node keeps them here, where every machine can read
//! them.

use crate::sorted::{Map, Set};
use crate::wire::PeerId;

/// Names a signaling server within one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(u32);

impl ServerId {
    /// The server of that number, from 1: nodes number them in the order in which they use them.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its number, from 1.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// A peer at a signaling server: peer ids name nodes within one server only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Address {
    pub server: ServerId,
    pub peer: PeerId,
}

impl Address {
    pub(super) fn new(server: ServerId, peer: &PeerId) -> Self {
        Self { server, peer: peer.clone() }
    }
}

/// What changes about a server.
pub(super) enum Change {
    /// The node may use it from now on, under this name.
    Added { me: PeerId },
    /// The node is registered there.
    Online,
    /// The node is not connected to it.
    Offline,
    /// These peers are present, and no others.
    Present(Set<PeerId>),
    /// A peer is present, since it sent something.
    Came(PeerId),
    /// A peer is not present.
    Left(PeerId),
    /// The node does not use it any more.
    Forgotten,
}

/// What is known of one server.
#[derive(Debug, Clone)]
pub(super) struct AtServer {
    me: PeerId,
    online: bool,
    present: Set<PeerId>,
}

impl AtServer {
    /// This node's name there.
    pub(super) fn me(&self) -> &PeerId {
        &self.me
    }

    pub(super) fn is_online(&self) -> bool {
        self.online
    }

    /// Who was registered there when the server last said so.
    pub(super) fn present(&self) -> &Set<PeerId> {
        &self.present
    }
}

/// What is known of all servers.
#[derive(Debug, Default)]
pub(super) struct Presence {
    servers: Map<ServerId, AtServer>,
    home: Option<ServerId>,
}

impl Presence {
    /// The home server: that of wallets which name none of their own.
    pub(super) fn home(&self) -> Option<ServerId> {
        self.home
    }

    pub(super) fn set_home(&mut self, home: Option<ServerId>) {
        self.home = home;
    }

    pub(super) fn at(&self, server: ServerId) -> Option<&AtServer> {
        self.servers.get(&server)
    }

    /// This node's name at a server.
    pub(super) fn me(&self, server: ServerId) -> Option<&PeerId> {
        self.at(server).map(AtServer::me)
    }

    pub(super) fn is_online(&self, server: ServerId) -> bool {
        self.at(server).is_some_and(AtServer::is_online)
    }

    pub(super) fn is_present(&self, address: &Address) -> bool {
        self.at(address.server).is_some_and(|known| known.present.contains(&address.peer))
    }

    /// Notes a change.
    pub(super) fn apply(&mut self, server: ServerId, change: Change) {
        let known = match change {
            Change::Added { me } => {
                self.servers
                    .insert(server, AtServer { me, online: false, present: Set::default() });
                return;
            }
            Change::Forgotten => {
                self.servers.remove(&server);
                return;
            }
            _ => self.servers.get_mut(&server),
        };
        let Some(known) = known else { return };
        match change {
            Change::Online => known.online = true,
            Change::Offline => {
                known.online = false;
                known.present.clear();
            }
            Change::Present(present) => known.present = present,
            Change::Came(peer) => drop(known.present.insert(peer)),
            Change::Left(peer) => known.present.remove(&peer),
            Change::Added { .. } | Change::Forgotten => {}
        }
    }
}
