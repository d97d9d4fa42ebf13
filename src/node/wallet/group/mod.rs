//! One wallet and its members, as this node sees them: the parts that know one thing each, and what
//! goes from one to the other.

mod checking;
mod signing;
mod statements;
mod view;

use std::collections::VecDeque;
use std::sync::Arc;

use super::act::Act;
use super::audit_log::AuditLog;
use super::budget::Budget;
use super::coordinator::Coordinator;
use super::health_check::HealthCheck;
use super::inventory::Inventory;
use super::io::{Effect, Output};
use super::ledger::{Completed, Ledger};
use super::reservations::Reservations;
use super::rules::Rules;
use super::unusable::UnusableWallet;
use crate::agreement::Certificate;
use crate::api::{CarrierId, Event, Timestamp};
use crate::audit::{self, Body, End, Owner};
use crate::content::{Content, Hash};
use crate::frost::{GroupKey, Identifier, Key, Suite};
use crate::group::{GroupMessage, Operation, Outcome, RequestId, group_id, health_check_digest};
use crate::keystore::{RosterEntry, WalletInfo};
use crate::node::StoredWallet;
use crate::node::ctx::Ctx;
use crate::sorted::{Map, Set};
use crate::wire::{PeerId, SessionId, WireError};

/// One wallet and its members.
pub(super) struct Group {
    pubkey: String,
    session: SessionId,
    /// What this node is called in the wallet.
    name: PeerId,
    rules: Rules,
    key: Arc<dyn Key>,
    ledger: Ledger,
    log: AuditLog,
    inventory: Inventory,
    coordinator: Coordinator,
    reservations: Reservations,
    health: HealthCheck,
    /// What the members sign in a health check. It needs no vote: it is never anything else.
    health_operation: Operation,
    budget: Budget,
    /// How long a round of a ceremony may take with one item, in milliseconds.
    patience: u64,
    /// What carries messages to the other members that can be reached.
    carriers: Map<Identifier, CarrierId>,
    busy: bool,
    acts: Vec<Act>,
    /// Something has happened since the group was settled last, and when the clock makes something
    /// due.
    touched: bool,
    due: Option<Timestamp>,
}

impl Group {
    /// A wallet, and the audit log that was stored of it.
    ///
    /// # Errors
    /// Why nothing can be signed with it.
    pub(super) fn open(ctx: &mut Ctx<'_>, wallet: &StoredWallet) -> Result<Self, UnusableWallet> {
        let record = &wallet.record;
        let info = &record.info;
        let certificate = record.certificate.as_ref().ok_or(UnusableWallet::NoCertificate)?;
        let bound = group_id(&certificate.agreement, &info.pubkey);
        let rules = rules(info, certificate, bound)?;
        let me = rules.me();
        let identity = ctx.identity.identity();
        let own = rules.member(me).filter(|member| member.identity == identity);
        let name = own.ok_or(UnusableWallet::OtherIdentity)?.peer_id.clone();
        let key = rules.suite().key(&record.key_package, &record.public_key_package);
        let key = key.map_err(|fault| UnusableWallet::Key(fault.to_string()))?;
        let owner = Owner { pubkey: &info.pubkey, member: me, identity: &identity };
        let end = End::Kept(wallet.head.as_ref());
        let (bodies, head) = audit::verify(&bound, owner, &wallet.trail, end)?;
        let unnamed = |_| UnusableWallet::Key("its group id cannot be named".to_owned());
        let check = Content::from(Hash::new(health_check_digest(&bound)));
        let check = Operation::sign(check);
        let mut group = Self {
            pubkey: info.pubkey.clone(),
            session: hex::encode(bound).parse().map_err(unnamed)?,
            name,
            key: Arc::from(key),
            ledger: Ledger::default(),
            log: AuditLog::after(head),
            inventory: Inventory::default(),
            coordinator: Coordinator::default(),
            reservations: Reservations::default(),
            health: HealthCheck::new(ctx.now.after(ctx.config.deadlines.step)),
            health_operation: check.map_err(|error| UnusableWallet::Key(error.to_string()))?,
            budget: Budget::default(),
            patience: ctx.config.deadlines.sign,
            carriers: Map::default(),
            busy: false,
            acts: Vec::new(),
            touched: true,
            due: None,
            rules,
        };
        let times = wallet.trail.iter().map(|entry| Timestamp::from_millis(entry.time));
        group.replay(times.zip(bodies));
        if wallet.trail.is_empty() {
            group.write(ctx, &Body::Opened { pubkey: info.pubkey.clone(), member: me });
        }
        group.ready_once_all_have_signed(ctx);
        Ok(group)
    }

    /// Goes through the audit log again, each entry at its time: the same requests are taken, and
    /// the same make room.
    fn replay(&mut self, log: impl Iterator<Item = (Timestamp, Body)>) {
        for (now, body) in log {
            // What was refused then is refused again.
            match body {
                Body::Request { request } => {
                    let _ = self.ledger.request(now, &self.rules, *request, || true);
                }
                Body::Vote { vote } => {
                    let _ = self.ledger.vote(now, &self.rules, vote);
                }
                Body::Signed { request, signatures, signers } => {
                    let outcome = Outcome::Signatures(signatures);
                    let completed = Completed { outcome, signers };
                    let _ = self.ledger.complete(&self.rules, &request, completed);
                }
                Body::Ready => self.health.set_ready(self.rules.identifiers()),
                Body::Checked { member } => {
                    self.health.note_signed(member);
                }
                Body::Opened { .. }
                | Body::Decision { .. }
                | Body::Commit { .. }
                | Body::Aborted { .. } => {}
            }
        }
    }

    // ---- who it is ----

    /// The group key, as hex.
    pub(super) fn pubkey(&self) -> &str {
        &self.pubkey
    }

    /// The session id of the members' secure channels.
    pub(super) fn session(&self) -> &SessionId {
        &self.session
    }

    /// Whether a request is known here.
    pub(super) fn has_request(&self, id: &RequestId) -> bool {
        self.ledger.get(id).is_some()
    }

    /// What has to be connected to use the wallet.
    pub(super) fn join(&self) -> Effect {
        let rules = &self.rules;
        let others = rules.others().filter_map(|identifier| rules.member(identifier));
        Effect::Join {
            session: self.session.clone(),
            me: self.name.clone(),
            members: others.map(|member| (member.peer_id.clone(), member.identity)).collect(),
        }
    }

    /// Whether all that was written is durable, as far as it can be.
    pub(super) fn is_durable(&self) -> bool {
        self.log.is_durable() || self.log.problem().is_some()
    }

    // ---- what happens ----

    /// A secure channel with a member stands: it gets this node's inventory.
    pub(super) fn channel_opened(&mut self, ctx: &mut Ctx<'_>, peer: &PeerId) {
        let Some(member) = self.rules.other(peer) else { return };
        self.touched = true;
        self.coordinator.forgive(member);
        self.inventory.channel_opened(member);
        self.restarted(ctx, member);
        self.send_inventory(member);
        if self.health.has_signed(self.rules.me()) {
            self.send_once_durable(member, GroupMessage::Checked);
        }
    }

    /// A member sent a message.
    pub(super) fn received(&mut self, ctx: &mut Ctx<'_>, peer: &PeerId, message: &[u8]) {
        let Some(member) = self.rules.other(peer) else { return };
        self.touched = true;
        let parsed = std::str::from_utf8(message).map(GroupMessage::parse);
        match parsed {
            Ok(Ok(message)) => self.take(ctx, member, message),
            Ok(Err(WireError::UnknownType(_))) => {} // of a newer version
            Ok(Err(error)) => self.ignore(member, error.to_string()),
            Err(_) => self.ignore(member, "sealed what is no text".to_owned()),
        }
    }

    /// Takes a message of a member, or of this node itself.
    fn take(&mut self, ctx: &mut Ctx<'_>, from: Identifier, message: GroupMessage) {
        match message {
            GroupMessage::Inventory { version, items } => {
                self.inventory.received(from, version, items);
                self.report_version(from);
            }
            GroupMessage::Request(request) => self.take_request(ctx, from, *request),
            GroupMessage::Vote(vote) => self.take_vote(ctx, from, vote),
            GroupMessage::Outcome { request: Some(id), outcome, signers } => {
                self.take_outcome(ctx, from, id, Completed { outcome, signers });
            }
            GroupMessage::Outcome { request: None, outcome, signers } => {
                self.check_signed(ctx, from, &signers, &outcome);
            }
            GroupMessage::Start { ceremony, request, signers, votes } => {
                self.start(ctx, from, ceremony, request, signers, votes);
            }
            GroupMessage::Round { ceremony, message } => self.round(ctx, from, ceremony, message),
            GroupMessage::Refused { ceremony, reason } => {
                if let Some(over) = self.coordinator.refused(&ceremony, from, reason) {
                    self.over(ctx, over);
                }
            }
            GroupMessage::Checked => self.has_checked(ctx, from),
        }
    }

    /// What carries messages to a member has changed; `None`: it cannot be reached.
    pub(super) fn set_carrier(&mut self, peer: &PeerId, carrier: Option<CarrierId>) {
        let Some(member) = self.rules.other(peer) else { return };
        if self.carriers.get(&member).copied() == carrier {
            return;
        }
        self.touched = true;
        if let Some(carrier) = carrier {
            self.carriers.insert(member, carrier);
        } else {
            self.carriers.remove(&member);
        }
        let (pubkey, peer_id) = (self.pubkey.clone(), peer.clone());
        self.report(Event::Member { pubkey, peer_id, online: carrier.is_some(), carrier });
    }

    /// The driver has stored the entry of that number, or failed to.
    pub(super) fn entry_stored(&mut self, number: u64, result: Result<(), String>) {
        self.touched = true;
        let before = self.log.problem().is_some();
        let ready = self.log.stored(number, result);
        self.acts.extend(ready);
        if let Some(problem) = self.log.problem().filter(|_| !before) {
            let reason = format!(
                "the audit log of a wallet cannot be written, so nothing is signed with it: {problem}"
            );
            self.report(Event::Ignored { peer_id: None, reason });
        }
    }

    // ---- after what has happened ----

    /// Does what is due, and hands out what comes of it.
    pub(super) fn settle(&mut self, ctx: &mut Ctx<'_>, effects: &mut VecDeque<Effect>) {
        if !self.touched && self.due.is_none_or(|at| at > ctx.now) {
            return;
        }
        self.end_overdue(ctx);
        self.answer_inventories(ctx);
        self.reservations.expire(ctx.now);
        self.forget_what_is_over(ctx);
        self.check_by_itself(ctx);
        loop {
            self.coordinate(ctx);
            if self.acts.is_empty() {
                break;
            }
            for act in std::mem::take(&mut self.acts) {
                match act {
                    Act::Send(member, message) if member == self.rules.me() => {
                        self.take(ctx, member, message);
                    }
                    act => effects.extend(self.effect(act)),
                }
            }
        }
        let busy = self.is_busy();
        if busy != self.busy {
            self.busy = busy;
            effects.push_back(Effect::Busy { session: self.session.clone(), busy });
        }
        self.touched = false;
        self.due = self.next_deadline(ctx.now);
    }

    fn effect(&self, act: Act) -> Option<Effect> {
        Some(match act {
            Act::Send(member, message) => Effect::Send {
                session: self.session.clone(),
                peer: self.rules.peer(member)?.clone(),
                text: message.to_text(),
            },
            Act::Log(entry, head) => {
                Effect::Output(Output::StoreEntry { pubkey: self.pubkey.clone(), entry, head })
            }
            Act::Event(event) => Effect::Output(Output::Event(event)),
        })
    }

    /// When the clock alone makes something due.
    pub(super) fn next_deadline(&self, now: Timestamp) -> Option<Timestamp> {
        let times = [
            self.coordinator.next_deadline(now),
            self.next_turn(now),
            self.ledger.next_end(now),
            self.next_check(),
            self.reservations.next_deadline(),
            self.inventory.next_deadline(),
        ];
        times.into_iter().flatten().filter(|at| *at > now).min()
    }

    fn is_busy(&self) -> bool {
        !self.coordinator.is_idle() || !self.reservations.is_empty() || self.health.is_running()
    }

    // ---- helpers ----

    /// Whether a member can be reached. This node can.
    fn is_here(&self, member: Identifier) -> bool {
        member == self.rules.me() || self.carriers.contains_key(&member)
    }

    /// The members that can be reached, this node among them.
    fn here(&self) -> Set<Identifier> {
        self.carriers.keys().copied().chain([self.rules.me()]).collect()
    }

    fn report(&mut self, event: Event) {
        self.acts.push(Act::Event(event));
    }

    fn ignore(&mut self, from: Identifier, reason: String) {
        if from != self.rules.me() {
            let peer_id = self.rules.peer(from).cloned();
            self.report(Event::Ignored { peer_id, reason });
        }
    }

    fn write(&mut self, ctx: &mut Ctx<'_>, body: &Body) {
        let entry = self.log.write(ctx, &self.rules, body);
        self.acts.extend(entry);
    }

    fn send(&mut self, to: Identifier, message: GroupMessage) {
        self.acts.push(Act::Send(to, message));
    }

    /// Sends a message once all that was written so far is durable.
    fn send_once_durable(&mut self, to: Identifier, message: GroupMessage) {
        let act = self.log.once_durable(Act::Send(to, message));
        self.acts.extend(act);
    }

    fn others(&self) -> Vec<Identifier> {
        self.rules.others().collect()
    }
}

/// Who the members are, by the wallet's roster and its certificate.
fn rules(
    info: &WalletInfo,
    certificate: &Certificate,
    bound: crate::identity::Digest,
) -> Result<Rules, UnusableWallet> {
    let suite = Suite::of_id(&info.ciphersuite).ok_or(UnusableWallet::UnknownSuite)?;
    let pubkey = hex::decode(&info.pubkey);
    let pubkey =
        pubkey.map_err(|_| UnusableWallet::Key("its key is not hexadecimal".to_owned()))?;
    let mut members = Map::default();
    for RosterEntry { identifier, peer_id } in info.roster.iter() {
        let named = certificate.agreement.members.iter().find(|member| member.peer_id == *peer_id);
        let member = named.ok_or_else(|| UnusableWallet::Roster(peer_id.clone()))?;
        members.insert(*identifier, member.clone());
    }
    let key = GroupKey::new(suite, pubkey);
    Ok(Rules::new(bound, key, info.threshold, info.identifier, members))
}
