//! The audit trail as the node writes it: an entry goes to the driver at once, and what must not happen before it is durable
//! waits for the driver's word.

use std::collections::VecDeque;

use rand_core::{CryptoRng, RngCore};

use super::Act;
use super::ledger::Rules;
use crate::audit::{Body, Head};
use crate::node::Timestamp;
use crate::node::links::Tools;

/// The end of a trail.
pub(super) struct Log {
    head: Head,
    /// How many entries are durable.
    durable: u64,
    /// What waits, and for how many entries to be durable.
    waiting: VecDeque<(u64, Act)>,
    /// Why nothing can be written any more.
    pub broken: Option<String>,
}

impl Log {
    /// Goes on after what was kept.
    pub(super) fn after(head: Head) -> Self {
        Self { head, durable: head.entries, waiting: VecDeque::new(), broken: None }
    }

    /// Writes an entry.
    pub(super) fn write<R: RngCore + CryptoRng>(
        &mut self,
        rules: &Rules,
        body: &Body,
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) -> Option<Act> {
        if self.broken.is_some() {
            return None;
        }
        let entry = self.head.write(&rules.group_id, now.millis(), body, tools.key, tools.rng);
        Some(Act::Log(Box::new(entry), self.head))
    }

    /// An act that may happen once everything written so far is durable: now, later, or never.
    pub(super) fn then(&mut self, act: Act) -> Option<Act> {
        if self.broken.is_some() {
            return None;
        }
        if self.durable == self.head.entries {
            return Some(act);
        }
        self.waiting.push_back((self.head.entries, act));
        None
    }

    /// Whether all of it is on disk.
    pub(super) fn is_durable(&self) -> bool {
        self.durable == self.head.entries && self.broken.is_none()
    }

    /// The driver has kept the entry of that number, or failed to. Returns what may happen now.
    pub(super) fn kept(&mut self, number: u64, result: Result<(), String>) -> Vec<Act> {
        if let Err(error) = result {
            self.waiting.clear(); // none of it may happen
            self.broken.get_or_insert(error);
        }
        if self.broken.is_some() {
            return Vec::new();
        }
        self.durable = self.durable.max(number.saturating_add(1)).min(self.head.entries);
        let ready = self.waiting.iter().take_while(|(entries, _)| *entries <= self.durable).count();
        self.waiting.drain(..ready).map(|(_, act)| act).collect()
    }
}
