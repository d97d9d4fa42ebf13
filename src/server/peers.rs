//! The registered peers: which connection holds which peer id.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_tungstenite::tungstenite::Bytes;

use super::frame;
use super::outbox::Outbox;
use crate::wire::{PeerId, ServerMessage};

/// The registered peers, in byte order of their ids, which is the order of `peers` messages.
#[derive(Debug, Default)]
pub(super) struct Peers {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    holders: BTreeMap<PeerId, Holder>,
    /// Counts the changes, so that a list that was made before a change is not cached after it.
    version: u64,
    /// The `peers` message, cached until the next change.
    list: Option<Bytes>,
}

/// The connection that holds an id.
#[derive(Debug)]
struct Holder {
    outbox: Arc<Outbox>,
    /// The claim of the node that registered the id: with it the node can move the id to another
    /// connection.
    claim: Option<[u8; 32]>,
}

impl Peers {
    /// Registers a connection under an id. Ends another connection that registered the id with the
    /// same claim.
    ///
    /// # Errors
    /// The id is taken. The error is the outbox of the connection that holds it.
    pub(super) fn claim(
        &self,
        id: &PeerId,
        outbox: &Arc<Outbox>,
        claim: Option<[u8; 32]>,
    ) -> Result<(), Arc<Outbox>> {
        let mut state = self.lock();
        if let Some(holder) = state.holders.get(id) {
            if claim.is_none() || holder.claim != claim {
                return Err(Arc::clone(&holder.outbox));
            }
            holder.outbox.replace();
        }
        state.holders.insert(id.clone(), Holder { outbox: Arc::clone(outbox), claim });
        state.changed();
        Ok(())
    }

    /// Frees an id, if the connection of that number still holds it.
    pub(super) fn release(&self, id: &PeerId, number: u64) {
        let mut state = self.lock();
        if state.holders.get(id).is_some_and(|holder| holder.outbox.number() == number) {
            state.holders.remove(id);
            state.changed();
        }
    }

    /// The outbox of the connection that holds an id.
    pub(super) fn find(&self, id: &PeerId) -> Option<Arc<Outbox>> {
        self.lock().holders.get(id).map(|holder| Arc::clone(&holder.outbox))
    }

    /// The `peers` message as a frame.
    pub(super) fn list(&self) -> Bytes {
        let (peers, version) = {
            let state = self.lock();
            if let Some(list) = &state.list {
                return list.clone();
            }
            (state.holders.keys().cloned().collect(), state.version)
        };
        // Outside the lock, since 20,000 names take milliseconds.
        let list = frame::text(ServerMessage::Peers { peers }.to_json());
        let mut state = self.lock();
        if state.version == version {
            state.list = Some(list.clone());
        }
        list
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn changed(&mut self) {
        self.version += 1;
        self.list = None;
    }
}
