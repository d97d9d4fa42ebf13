//! The wallets of this node and what their members do together: they propose, vote, and what enough
//! of them approve is carried out (docs/PROTOCOL.md, section 5). A machine of the node: it takes
//! inputs, hands out effects, and knows members and messages, but nothing of secure channels,
//! carriers or servers.
//!
//! Everything that a member sends and that this node does goes into the wallet's audit log, from
//! which it starts again. What must not be taken back leaves only once it is in the log durably:
//! this node's own requests and votes, that its signature share leaves, and that it has signed in a
//! health check.

mod act;
mod audit_log;
mod budget;
mod coordinator;
mod group;
mod health_check;
mod inventory;
mod io;
mod ledger;
mod refusal;
mod reservations;
mod rules;
mod unusable;

use std::collections::VecDeque;

use self::group::Group;
use super::ctx::Ctx;
use crate::api::{Error, Event, GroupView, Timestamp};
use crate::wire::SessionId;

pub(super) use self::io::{Effect, Input, Output, WalletCommand};
use crate::node::StoredWallet;

/// A wallet that nothing can be signed with.
struct Unusable {
    pubkey: String,
    reason: String,
}

/// All wallets of this node.
#[derive(Default)]
pub(super) struct Wallets {
    groups: Vec<Group>,
    unusable: Vec<Unusable>,
    effects: VecDeque<Effect>,
}

impl Wallets {
    /// Carries out a command.
    ///
    /// # Errors
    /// Why it cannot be carried out; nothing has changed then.
    pub(super) fn command(
        &mut self,
        ctx: &mut Ctx<'_>,
        command: WalletCommand,
    ) -> Result<(), Error> {
        match command {
            WalletCommand::Request { pubkey, operation, lifetime } => {
                let lifetime = lifetime.saturating_mul(1000);
                self.wallet(&pubkey)?.request(ctx, &operation, lifetime)
            }
            WalletCommand::Vote { request, approves, rule } => {
                let group = self.groups.iter_mut().find(|group| group.has_request(&request));
                let group = group.ok_or_else(|| Error::NoSuchRequest(hex::encode(request)))?;
                group.decide(ctx, &request, approves, rule)
            }
            WalletCommand::Check { pubkey } => {
                self.wallet(&pubkey)?.start_health_check(ctx);
                Ok(())
            }
        }
    }

    /// Takes an input. Drain [`Wallets::poll`] afterwards.
    pub(super) fn handle(&mut self, ctx: &mut Ctx<'_>, input: Input) {
        match input {
            Input::Open(wallet) => self.open(ctx, &wallet),
            Input::ChannelOpened { session, peer } => {
                if let Some(group) = self.group(&session) {
                    group.channel_opened(ctx, &peer);
                }
            }
            Input::Received { session, peer, message } => {
                if let Some(group) = self.group(&session) {
                    group.received(ctx, &peer, &message);
                }
            }
            Input::Carried { session, peer, carrier } => {
                if let Some(group) = self.group(&session) {
                    group.set_carrier(&peer, carrier);
                }
            }
            Input::Registered => self.groups.iter_mut().for_each(Group::send_inventory_to_all),
            Input::EntryStored { pubkey, number, result } => {
                let group = self.groups.iter_mut().find(|group| group.pubkey() == pubkey);
                if let Some(group) = group {
                    group.entry_stored(number, result);
                }
            }
        }
    }

    /// The next thing to do, if any. Does what is due by the clock, too.
    pub(super) fn poll(&mut self, ctx: &mut Ctx<'_>) -> Option<Effect> {
        if self.effects.is_empty() {
            for group in &mut self.groups {
                group.settle(ctx, &mut self.effects);
            }
        }
        self.effects.pop_front()
    }

    /// When the clock alone makes something due.
    pub(super) fn next_deadline(&self, now: Timestamp) -> Option<Timestamp> {
        self.groups.iter().filter_map(|group| group.next_deadline(now)).min()
    }

    /// What people see of the wallets in use.
    pub(super) fn views(&self, now: Timestamp) -> Vec<GroupView> {
        self.groups.iter().map(|group| group.view(now)).collect()
    }

    /// Whether every entry of every audit log is stored, as far as it can be.
    pub(super) fn is_durable(&self) -> bool {
        self.groups.iter().all(Group::is_durable)
    }

    /// Whether the members of a wallet use this session id.
    pub(super) fn uses(&self, session: &SessionId) -> bool {
        self.groups.iter().any(|group| group.session() == session)
    }

    fn open(&mut self, ctx: &mut Ctx<'_>, wallet: &StoredWallet) {
        let pubkey = &wallet.record.info.pubkey;
        if self.groups.iter().any(|group| group.pubkey() == pubkey) {
            return;
        }
        self.unusable.retain(|unusable| unusable.pubkey != *pubkey);
        match Group::open(ctx, wallet) {
            Ok(group) => {
                self.effects.push_back(group.join());
                self.groups.push(group);
            }
            Err(error) => {
                let (pubkey, reason) = (pubkey.clone(), error.to_string());
                self.unusable.push(Unusable { pubkey: pubkey.clone(), reason: reason.clone() });
                let event = Event::WalletUnusable { pubkey, reason };
                self.effects.push_back(Effect::Output(Output::Event(event)));
            }
        }
    }

    fn group(&mut self, session: &SessionId) -> Option<&mut Group> {
        self.groups.iter_mut().find(|group| group.session() == session)
    }

    fn wallet(&mut self, pubkey: &str) -> Result<&mut Group, Error> {
        if let Some(unusable) = self.unusable.iter().find(|unusable| unusable.pubkey == pubkey) {
            return Err(Error::WalletUnusable(unusable.reason.clone()));
        }
        let found = self.groups.iter_mut().find(|group| group.pubkey() == pubkey);
        found.ok_or_else(|| Error::NoSuchWallet(pubkey.to_owned()))
    }
}
