//! The audit log as the node writes it: an entry goes to the driver at once, and what must not
//! happen before it is durable waits until the driver has answered.

use std::collections::VecDeque;

use super::act::Act;
use super::rules::Rules;
use crate::audit::{Body, Head};
use crate::node::ctx::Ctx;
use crate::wire::clip;

/// The end of an audit log.
pub(super) struct AuditLog {
    head: Head,
    /// How many entries are durable.
    durable: u64,
    /// Acts that wait, each for that many entries to be durable.
    waiting: VecDeque<(u64, Act)>,
    /// Why nothing can be written any more.
    broken: Option<String>,
}

impl AuditLog {
    /// Goes on after what was stored.
    pub(super) fn after(head: Head) -> Self {
        Self { head, durable: head.entries, waiting: VecDeque::new(), broken: None }
    }

    /// Writes an entry. `None` once the log is broken.
    pub(super) fn write(&mut self, ctx: &mut Ctx<'_>, rules: &Rules, body: &Body) -> Option<Act> {
        if self.broken.is_some() {
            return None;
        }
        let time = ctx.now.millis();
        let entry = self.head.write(rules.group_id(), time, body, ctx.identity, &mut ctx.rng);
        Some(Act::Log(Box::new(entry), self.head))
    }

    /// An act that may happen once everything written so far is durable: now, later, or never.
    pub(super) fn once_durable(&mut self, act: Act) -> Option<Act> {
        if self.broken.is_some() {
            return None;
        }
        if self.durable == self.head.entries {
            return Some(act);
        }
        self.waiting.push_back((self.head.entries, act));
        None
    }

    /// Whether all of it is stored.
    pub(super) fn is_durable(&self) -> bool {
        self.durable == self.head.entries && self.broken.is_none()
    }

    /// Why nothing can be written any more.
    pub(super) fn problem(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// The driver has stored the entry of that number, or failed to. Returns what may happen now.
    pub(super) fn stored(&mut self, number: u64, result: Result<(), String>) -> Vec<Act> {
        if let Err(error) = result {
            self.waiting.clear(); // none of it may happen
            self.broken.get_or_insert(clip(&error));
        }
        if self.broken.is_some() {
            return Vec::new();
        }
        self.durable = self.durable.max(number.saturating_add(1)).min(self.head.entries);
        let ready = self.waiting.iter().take_while(|(entries, _)| *entries <= self.durable).count();
        self.waiting.drain(..ready).map(|(_, act)| act).collect()
    }
}
