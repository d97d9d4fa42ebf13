//! Messages that came before this node knows what they belong to: kept for a while, bounded.

use super::presence::Address;
use crate::api::Timestamp;
use crate::sorted::{Map, Set};
use crate::wire::{PeerMessage, SessionId};

/// Most peers without a session for whom something is kept.
const MAX_STRANGERS: usize = 64;
/// Most messages kept of one peer.
const MAX_MESSAGES: usize = 16;

#[derive(Default)]
struct Kept {
    messages: Vec<PeerMessage>,
    /// When the last one came.
    touched: Timestamp,
}

/// Early messages, by sender.
#[derive(Default)]
pub(super) struct EarlyMessages(Map<Address, Kept>);

impl EarlyMessages {
    /// Keeps a message. False when there is no room. Those of `expected` peers are never dropped
    /// for a stranger's.
    pub(super) fn keep(
        &mut self,
        from: &Address,
        message: PeerMessage,
        expected: &Set<Address>,
        now: Timestamp,
    ) -> bool {
        if !self.0.contains_key(from) && !expected.contains(from) {
            self.forget_a_stranger(expected);
        }
        let kept = self.0.or_default(from.clone());
        kept.touched = now;
        if kept.messages.contains(&message) {
            return true;
        }
        let room = kept.messages.len() < MAX_MESSAGES;
        if room {
            kept.messages.push(message);
        }
        room
    }

    /// Makes room when there are too many strangers: drops the one that was silent for longest.
    fn forget_a_stranger(&mut self, expected: &Set<Address>) {
        let strangers = self.0.iter().filter(|(id, _)| !expected.contains(id));
        if strangers.clone().count() >= MAX_STRANGERS
            && let Some((id, _)) = strangers.min_by_key(|(_, kept)| kept.touched)
        {
            let id = id.clone();
            self.0.remove(&id);
        }
    }

    /// Takes what was kept of a peer for a session, in the order in which it came.
    pub(super) fn take(&mut self, from: &Address, session: &SessionId) -> Vec<PeerMessage> {
        let Some(kept) = self.0.get_mut(from) else { return Vec::new() };
        let messages = std::mem::take(&mut kept.messages).into_iter();
        let (taken, left): (Vec<_>, Vec<_>) =
            messages.partition(|message| message.session_id() == Some(session));
        kept.messages = left;
        if kept.messages.is_empty() {
            self.0.remove(from);
        }
        taken
    }
}
