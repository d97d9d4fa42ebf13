//! The wallets of this node and what their members do together: they propose, vote, and what enough of them approve is
//! carried out (docs/PROTOCOL.md, section 5). A machine of the node: it takes inputs, hands out effects, and knows members
//! and messages, but nothing of secure channels, carriers or servers.
//!
//! Everything that a member sends and that this node does goes into the wallet's audit log, from which it starts again. What
//! must not be taken back leaves only once it is in the log durably: this node's own requests and votes, that its signature
//! share leaves, and that it has signed in a health check.

mod audit_log;
mod budget;
mod coordinator;
mod group;
mod health_check;
mod inventory;
mod ledger;
mod refusal;
mod reservations;
mod rules;
mod unusable;

use std::collections::VecDeque;

use zeroize::Zeroizing;

use self::group::Group;
use super::ctx::Ctx;
use super::{Error, Event, Timestamp};
use crate::api::GroupView;
use crate::audit::{Entry, Head};
use crate::group::{Operation, RequestId};
use crate::identity::Identity;
use crate::keystore::WalletRecord;
use crate::wire::{PeerId, SessionId};

/// A wallet as it was stored: its key, and its audit log.
#[derive(Debug)]
pub struct StoredWallet {
    /// The key.
    pub record: WalletRecord,
    /// The entries of its audit log, in order.
    pub trail: Vec<Entry>,
    /// The head of its audit log, once there is an entry.
    pub head: Option<Head>,
}

/// What a person, or a program in place of one, wants of a wallet.
pub(super) enum WalletCommand {
    /// Propose an operation to the members, and approve it here.
    Request {
        /// The group key, as hex.
        pubkey: String,
        /// What is to be done.
        operation: Operation,
        /// For how long it can be approved and signed, in seconds.
        lifetime: u64,
    },
    /// Approve or decline a request, or change that.
    Vote {
        /// Which.
        request: RequestId,
        /// For it.
        approves: bool,
        /// The rule of a policy that decided, if no person did.
        rule: Option<String>,
    },
    /// Run a health check with every member that can be reached.
    Check {
        /// The group key, as hex.
        pubkey: String,
    },
}

/// What happens to the wallets.
pub(super) enum Input {
    /// A wallet to take into use. One that nothing can be signed with is reported, and stays as it is.
    Open(Box<StoredWallet>),
    /// A secure channel with a member stands. The identity at its other end is the one that the certificate names.
    ChannelOpened {
        /// The wallet's session id.
        session: SessionId,
        /// The member.
        peer: PeerId,
    },
    /// A member sent a message over its secure channel.
    Received {
        /// The wallet's session id.
        session: SessionId,
        /// The member.
        peer: PeerId,
        /// The message: JSON text, unparsed.
        message: Zeroizing<Vec<u8>>,
    },
    /// A member can be reached from now on, or cannot any more.
    Reachable {
        /// The wallet's session id.
        session: SessionId,
        /// The member.
        peer: PeerId,
        /// It can be reached.
        reachable: bool,
    },
    /// The signaling server has this node again. A member that restarted meanwhile finds by a message that its channel is gone.
    Registered,
    /// The driver has stored the entry of that number of a wallet's audit log, or failed to.
    EntryStored {
        /// The group key, as hex.
        pubkey: String,
        /// The entry's number.
        number: u64,
        /// What went wrong, if anything.
        result: Result<(), String>,
    },
}

/// What the wallets want done.
pub(super) enum Effect {
    /// Keep a secure channel with each of these members, under this session id.
    Join {
        /// The wallet's session id: its group id as hex.
        session: SessionId,
        /// What this node is called in the wallet.
        me: PeerId,
        /// The other members, and the identity that each has to prove.
        members: Vec<(PeerId, Identity)>,
    },
    /// Send a message to a member, if a secure channel with it stands; else drop it.
    Send {
        /// The wallet's session id.
        session: SessionId,
        /// The member.
        peer: PeerId,
        /// The message, as JSON text.
        text: Zeroizing<String>,
    },
    /// Something goes on for which direct connections to the members are worth it, or no longer.
    Busy {
        /// The wallet's session id.
        session: SessionId,
        /// It does.
        busy: bool,
    },
    /// An entry of an audit log to store, or an event.
    Output(Output),
}

/// The part of the node's outputs that wallets have.
pub(super) enum Output {
    /// Store an entry of a wallet's audit log and the new head. Answered by [`Input::EntryStored`].
    StoreEntry {
        /// The group key, as hex.
        pubkey: String,
        /// The entry.
        entry: Box<Entry>,
        /// Where the log ends now.
        head: Head,
    },
    /// Something happened that people and programs want to know of.
    Event(Event),
}

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
            Input::Reachable { session, peer, reachable } => {
                if let Some(group) = self.group(&session) {
                    group.set_reachable(&peer, reachable);
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
