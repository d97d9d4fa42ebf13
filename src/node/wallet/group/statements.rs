//! Requests and votes: those that people here make, and those that members pass on.

use super::Group;
use crate::api::{Error, Event, RequestState};
use crate::audit::Body;
use crate::frost::Identifier;
use crate::group::{
    GROUP_VERSION, GroupMessage, MAX_REQUEST_LIFE, Operation, Request, RequestId, Vote,
};
use crate::identity::Signature;
use crate::node::ctx::Ctx;
use crate::node::wallet::act::Act;
use crate::node::wallet::budget::Cost;
use crate::node::wallet::inventory::Owed;
use crate::node::wallet::ledger::{Completed, Lacking, RequestEntry, VoteOutcome};

/// Shortest life of a request, in milliseconds.
const MIN_REQUEST_LIFE: u64 = 10_000;
/// About how many bytes of requests and signatures answer one inventory at once. The rest follows a
/// second later, so that a secure channel's queue never overflows.
const ANSWER_SIZE: usize = 512 * 1024;
/// So many bytes of a request count as one against its proposer's budget.
const BUDGET_UNIT: usize = 64 * 1024;

impl Group {
    // ---- what people here want ----

    fn can_act(&self) -> Result<(), Error> {
        match self.log.problem() {
            Some(problem) => Err(Error::AuditLog(problem.to_owned())),
            None => Ok(()),
        }
    }

    /// Proposes an operation to the other members, and approves it here. `lifetime` is in
    /// milliseconds.
    pub(in crate::node::wallet) fn request(
        &mut self,
        ctx: &mut Ctx<'_>,
        operation: &Operation,
        lifetime: u64,
    ) -> Result<(), Error> {
        self.can_act()?;
        self.touched = true;
        let mut nonce = [0; 16];
        ctx.rng.fill_bytes(&mut nonce);
        let lifetime = lifetime.clamp(MIN_REQUEST_LIFE, MAX_REQUEST_LIFE);
        let unsigned = Request {
            proposer: self.rules.me(),
            kind: operation.kind().to_owned(),
            content: operation.written(),
            created: ctx.now.millis(),
            expires: ctx.now.after(lifetime).millis(),
            nonce,
            signature: Signature::from_bytes([0; 64]),
        };
        let request = unsigned.signed(self.rules.group_id(), ctx.identity, &mut ctx.rng);
        let id = request.id(self.rules.group_id());
        let taken = self.ledger.request(ctx.now, &self.rules, request.clone(), || true);
        taken.map_err(|error| Error::Request(error.to_string()))?;
        self.write(ctx, &Body::Request { request: Box::new(request.clone()) });
        self.report_request(&id);
        self.send_statement(&id, &GroupMessage::Request(Box::new(request)), true);
        self.decide(ctx, &id, true, None)
    }

    /// Votes, or changes this node's vote. `rule` is what decided, where no person did.
    pub(in crate::node::wallet) fn decide(
        &mut self,
        ctx: &mut Ctx<'_>,
        id: &RequestId,
        approves: bool,
        rule: Option<String>,
    ) -> Result<(), Error> {
        self.can_act()?;
        let me = self.rules.me();
        let unknown = || Error::NoSuchRequest(hex::encode(id));
        let entry = self.ledger.get(id).ok_or_else(unknown)?;
        let state = entry.state(ctx.now, &self.rules);
        if matches!(state, RequestState::Signed | RequestState::Expired) {
            return Err(Error::RequestOver(state.name()));
        }
        if entry.vote(me).is_some_and(|vote| vote.approves == approves) {
            return Ok(()); // it stands already
        }
        let contents = entry.operation().contents().len();
        let number =
            self.ledger.next_vote(id, me).ok_or(Error::RequestOver("voted on too often"))?;
        self.touched = true;
        if let Some(rule) = rule {
            self.write(ctx, &Body::Decision { request: *id, rule, approves, contents });
        }
        let group_id = self.rules.group_id();
        let vote = Vote::new(group_id, *id, me, number, approves, ctx.identity, &mut ctx.rng);
        if !approves {
            self.reservations.revoke(id);
        }
        self.take_vote(ctx, me, vote);
        self.send_statement(id, &GroupMessage::Vote(vote), true);
        Ok(())
    }

    // ---- what members send ----

    pub(super) fn take_request(&mut self, ctx: &mut Ctx<'_>, from: Identifier, request: Request) {
        let id = request.id(self.rules.group_id());
        if self.ledger.knows(&id) {
            return;
        }
        let proposer = request.proposer;
        let size = 1 + request.content.len() / BUDGET_UNIT;
        let body = Body::Request { request: Box::new(request.clone()) };
        let admit = || self.budget.take(ctx.now, proposer, Cost::Request, size);
        match self.ledger.request(ctx.now, &self.rules, request, admit) {
            Ok(false) => {}
            Ok(true) => {
                self.write(ctx, &body);
                self.report_request(&id);
            }
            Err(error) => self.ignore(from, error.to_string()),
        }
    }

    pub(super) fn take_vote(&mut self, ctx: &mut Ctx<'_>, from: Identifier, vote: Vote) {
        if self.lacks(from, &vote.request) {
            return;
        }
        match self.ledger.vote(ctx.now, &self.rules, vote) {
            Ok(VoteOutcome::Duplicate) => {}
            Ok(VoteOutcome::Accepted) => {
                self.write(ctx, &Body::Vote { vote });
                self.report_vote(ctx, vote);
            }
            Ok(VoteOutcome::Equivocation(first)) => self.pass_on_equivocation(ctx, [first, vote]),
            Err(error) => self.ignore(from, error.to_string()),
        }
    }

    /// A member sent different members different votes under one number: everyone has to see both,
    /// also in the audit log.
    fn pass_on_equivocation(&mut self, ctx: &mut Ctx<'_>, votes: [Vote; 2]) {
        let [Vote { request, member, .. }, _] = votes;
        let last = self.ledger.get(&request).and_then(|entry| entry.vote(member));
        for vote in votes {
            if last != Some(vote) {
                self.write(ctx, &Body::Vote { vote });
            }
            self.send_statement(&request, &GroupMessage::Vote(vote), false);
        }
        let name = self.rules.name(member);
        let reason =
            format!("{name} signed two different votes with one number: its vote does not count");
        let peer_id = self.rules.peer(member).cloned();
        self.report(Event::Ignored { peer_id, reason });
    }

    /// Takes an outcome that is new here, and passes it on to everyone: the member that made it may
    /// be gone before all have received it, and a member that lacks it would ask those that have it
    /// to sign once more.
    pub(super) fn take_outcome(
        &mut self,
        ctx: &mut Ctx<'_>,
        from: Identifier,
        id: RequestId,
        completed: Completed,
    ) {
        if self.lacks(from, &id) {
            return;
        }
        match self.ledger.complete(&self.rules, &id, completed.clone()) {
            Ok(false) => {}
            Ok(true) => {
                self.send_statement(&id, &outcome_message(&id, &completed), false);
                self.write(ctx, &Body::completed(id, completed.outcome, completed.signers));
                self.coordinator.completed(&id);
                self.reservations.revoke(&id);
                self.report_outcome(&id);
            }
            Err(error) => self.ignore(from, error.to_string()),
        }
    }

    // ---- what goes to members ----

    /// Sends a statement about a request to all other members that can know such a request, at once
    /// or once all that was written so far is durable.
    fn send_statement(&mut self, id: &RequestId, message: &GroupMessage, durably: bool) {
        let version = self.ledger.get(id).map_or(1, |entry| entry.operation().version());
        for member in self.others() {
            // A member that has not named its version yet gets what it lacks when it does.
            if !self.inventory.understands(member, version) {
                continue;
            }
            if durably {
                self.send_once_durable(member, message.clone());
            } else {
                self.send(member, message.clone());
            }
        }
    }

    /// Sends a member what is held here.
    pub(super) fn send_inventory(&mut self, to: Identifier) {
        let items = self.ledger.inventory(&self.rules);
        self.send(to, GroupMessage::Inventory { version: GROUP_VERSION, items });
    }

    /// Sends all other members what is held here.
    pub(in crate::node::wallet) fn send_inventory_to_all(&mut self) {
        self.touched = true;
        for member in self.others() {
            self.send_inventory(member);
        }
    }

    /// Whether a request is not known here yet: channels to different members are not in step. The
    /// member that mentions it is asked for it.
    pub(super) fn lacks(&mut self, from: Identifier, id: &RequestId) -> bool {
        let lacks = from != self.rules.me() && !self.ledger.knows(id);
        if lacks && self.inventory.ask(from, id) {
            self.send_inventory(from);
        }
        lacks
    }

    /// Sends members what they lack, once what is held here is durable, and none of them too often.
    pub(super) fn answer_inventories(&mut self, ctx: &mut Ctx<'_>) {
        if !self.log.is_durable() {
            return;
        }
        while let Some((member, owed)) = self.inventory.take_due(ctx.now) {
            self.answer_inventory(member, owed);
        }
    }

    fn answer_inventory(&mut self, to: Identifier, mut owed: Owed) {
        let mut size = 0;
        for (id, entry) in self.ledger.iter() {
            let known = self.inventory.understands(to, entry.operation().version());
            if owed.answered.contains(id) || !known {
                continue;
            }
            if size >= ANSWER_SIZE {
                self.inventory.answer_rest(to, owed);
                return;
            }
            owed.answered.insert(*id);
            for message in lacking(entry.lacking(&self.rules, id, &owed.theirs), id, entry) {
                size += size_of(&message);
                self.acts.push(Act::Send(to, message));
            }
        }
    }

    /// Tells people of a member whose messages are of another version than this node's.
    pub(super) fn report_version(&mut self, member: Identifier) {
        let Some(version) = self.inventory.report_version(member, GROUP_VERSION) else { return };
        let Some(peer_id) = self.rules.peer(member).cloned() else { return };
        let pubkey = self.pubkey.clone();
        self.report(Event::MemberVersion { pubkey, peer_id, version, ours: GROUP_VERSION });
    }

    // ---- what is reported ----

    fn report_request(&mut self, id: &RequestId) {
        let Some(entry) = self.ledger.get(id) else { return };
        let Some(peer_id) = self.rules.peer(entry.proposer()).cloned() else { return };
        let summary = super::view::summary(entry);
        let event = Event::Requested {
            pubkey: self.pubkey.clone(),
            request: hex::encode(id),
            peer_id,
            kind: summary.kind,
            digest: summary.digest,
            shown: summary.shown,
            contents: summary.contents,
            expires: entry.request().expires,
        };
        self.report(event);
    }

    fn report_vote(&mut self, ctx: &Ctx<'_>, vote: Vote) {
        let Some(entry) = self.ledger.get(&vote.request) else { return };
        let Some(peer_id) = self.rules.peer(vote.member).cloned() else { return };
        let state = entry.state(ctx.now, &self.rules);
        let (pubkey, request) = (self.pubkey.clone(), hex::encode(vote.request));
        let approves = vote.approves;
        self.report(Event::Voted { pubkey, request, peer_id, approves, state });
    }

    fn report_outcome(&mut self, id: &RequestId) {
        let Some(entry) = self.ledger.get(id) else { return };
        let Some(completed) = entry.completed() else { return };
        let signatures = super::view::signatures(entry, completed);
        let Some(first) = signatures.first().cloned() else { return };
        let event = Event::Signature {
            pubkey: self.pubkey.clone(),
            request: hex::encode(id),
            suite: self.rules.suite(),
            digest: first.digest,
            signature: first.signature,
            signatures,
            signers: self.rules.names(completed.signers.iter().copied()),
        };
        self.report(event);
    }
}

fn outcome_message(id: &RequestId, completed: &Completed) -> GroupMessage {
    let Completed { outcome, signers } = completed.clone();
    GroupMessage::Outcome { request: Some(*id), outcome, signers }
}

/// The messages that give a member what it lacks of a request.
fn lacking(lacking: Lacking<'_>, id: &RequestId, entry: &RequestEntry) -> Vec<GroupMessage> {
    let mut messages = Vec::new();
    if lacking.request {
        messages.push(GroupMessage::Request(Box::new(entry.request().clone())));
    }
    messages.extend(lacking.votes.into_iter().map(GroupMessage::Vote));
    messages.extend(lacking.completed.map(|completed| outcome_message(id, completed)));
    messages
}

/// About how large a message is on the wire, in bytes.
fn size_of(message: &GroupMessage) -> usize {
    const REST: usize = 512;
    match message {
        GroupMessage::Request(request) => REST + request.content.len(),
        GroupMessage::Outcome { outcome: crate::group::Outcome::Signatures(all), .. } => {
            REST + all.iter().map(|one| 2 * one.len()).sum::<usize>()
        }
        _ => REST,
    }
}
