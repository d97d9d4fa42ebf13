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
    outboxes: BTreeMap<PeerId, Arc<Outbox>>,
    /// Counts the changes, so that a list made meanwhile is known to be old.
    version: u64,
    /// The `peers` message, until the next change: asking again and again costs next to nothing.
    list: Option<Bytes>,
}

impl Peers {
    /// Registers a connection under an id.
    ///
    /// # Errors
    /// The outbox of the connection that holds the id.
    pub(super) fn claim(&self, id: &PeerId, outbox: &Arc<Outbox>) -> Result<(), Arc<Outbox>> {
        let mut state = self.lock();
        if let Some(holder) = state.outboxes.get(id) {
            return Err(Arc::clone(holder));
        }
        state.outboxes.insert(id.clone(), Arc::clone(outbox));
        state.changed();
        Ok(())
    }

    /// Frees an id. Its connection has to hold it.
    pub(super) fn release(&self, id: &PeerId) {
        let mut state = self.lock();
        state.outboxes.remove(id);
        state.changed();
    }

    /// Where to send what is meant for `id`.
    pub(super) fn find(&self, id: &PeerId) -> Option<Arc<Outbox>> {
        self.lock().outboxes.get(id).map(Arc::clone)
    }

    /// The `peers` message as a frame.
    pub(super) fn list(&self) -> Bytes {
        let (peers, version) = {
            let state = self.lock();
            if let Some(list) = &state.list {
                return list.clone();
            }
            (state.outboxes.keys().cloned().collect(), state.version)
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
