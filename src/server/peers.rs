//! Who is registered, and under which id.

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
    /// Counts the changes, so that a list made meanwhile is known to be old.
    version: u64,
    /// The `peers` message, until the next change: asking again and again costs next to nothing.
    list: Option<Bytes>,
}

/// The connection that holds an id.
#[derive(Debug)]
struct Holder {
    outbox: Arc<Outbox>,
    /// By which the node that registered it can take it over.
    claim: Option<[u8; 32]>,
}

impl Peers {
    /// Registers a connection under an id. One that registered it before with the same claim has to go.
    ///
    /// # Errors
    /// The outbox of the connection that holds the id.
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

    /// Frees an id, if that connection still holds it.
    pub(super) fn release(&self, id: &PeerId, number: u64) {
        let mut state = self.lock();
        if state.holders.get(id).is_some_and(|holder| holder.outbox.number() == number) {
            state.holders.remove(id);
            state.changed();
        }
    }

    /// Where to send what is meant for `id`.
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
        // Without the lock, since 20,000 names take milliseconds.
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
