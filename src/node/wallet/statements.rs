//! Requests and votes: those that people here make, and those that members pass on.

use rand_core::{CryptoRng, RngCore};

use super::ledger::VoteOutcome;
use super::{Cost, Group};
use crate::api::RequestState;
use crate::audit::Body;
use crate::content::Content;
use crate::frost::Identifier;
use crate::group::{GroupMessage, MAX_REQUEST_LIFE, Request, RequestId, Vote};
use crate::identity::Signature;
use crate::node::links::Tools;
use crate::node::{Error, Event, Timestamp};
use crate::wire::PeerId;

/// Shortest life of a request, in milliseconds.
const MIN_REQUEST_LIFE: u64 = 10_000;

impl Group {
    // ---- what people here want ----

    fn can_act(&self) -> Result<(), Error> {
        match &self.log.broken {
            Some(problem) => Err(Error::AuditLog(problem.clone())),
            None => Ok(()),
        }
    }

    /// Asks the others to sign something, and approves it here.
    pub(in crate::node) fn request<R: RngCore + CryptoRng>(
        &mut self,
        content: &Content,
        life: u64,
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) -> Result<(), Error> {
        self.can_act()?;
        let mut nonce = [0; 16];
        tools.rng.fill_bytes(&mut nonce);
        let unsigned = Request {
            proposer: self.me,
            kind: content.kind().to_owned(),
            content: content.written(),
            created: now.millis(),
            expires: now.after(life.clamp(MIN_REQUEST_LIFE, MAX_REQUEST_LIFE)).millis(),
            nonce,
            signature: Signature::from_bytes([0; 64]),
        };
        let request = unsigned.signed(&self.rules.group_id, tools.key, tools.rng);
        let id = request.id(&self.rules.group_id);
        self.book.request(&self.rules, request.clone(), now, || true).map_err(Error::Request)?;
        self.write(&Body::Request { request: Box::new(request.clone()) }, now, tools);
        self.tell_request(&id);
        self.broadcast_durably(&GroupMessage::Request(Box::new(request)));
        self.decide(&id, true, None, now, tools)
    }

    /// Votes, or changes this node's vote. `rule` is what decided, where no person did.
    pub(in crate::node) fn decide<R: RngCore + CryptoRng>(
        &mut self,
        id: &RequestId,
        approves: bool,
        rule: Option<&str>,
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) -> Result<(), Error> {
        self.can_act()?;
        let unknown = || Error::NoSuchRequest(hex::encode(id));
        let tracked = self.book.get(id).ok_or_else(unknown)?;
        let state = tracked.state(&self.rules, now);
        if matches!(state, RequestState::Signed | RequestState::Expired) {
            return Err(Error::RequestOver(state.name()));
        }
        if tracked.votes.get(&self.me).is_some_and(|vote| vote.approves == approves) {
            return Ok(()); // said already
        }
        let number =
            self.book.next_vote(id, self.me).ok_or(Error::RequestOver("voted on too often"))?;
        if let Some(rule) = rule {
            self.write(
                &Body::Decision { request: *id, rule: rule.to_owned(), approves },
                now,
                tools,
            );
        }
        let vote =
            Vote::new((*id, &self.rules.group_id), self.me, number, approves, tools.key, tools.rng);
        if !approves {
            // What it has promised for this request does not hold any more.
            self.pledges.retain(|pledge| pledge.request != Some(*id));
        }
        self.take_vote(self.me, vote, now, tools);
        self.broadcast_durably(&GroupMessage::Vote(vote));
        Ok(())
    }

    // ---- what members say ----

    pub(super) fn take_request<R: RngCore + CryptoRng>(
        &mut self,
        from: Identifier,
        request: Request,
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) {
        let id = request.id(&self.rules.group_id);
        if self.book.knows(&id) {
            return;
        }
        let proposer = request.proposer;
        let body = Body::Request { request: Box::new(request.clone()) };
        let admit = || self.budget.take(proposer, Cost::Request, now);
        match self.book.request(&self.rules, request, now, admit) {
            Ok(false) => {}
            Ok(true) => {
                self.write(&body, now, tools);
                self.tell_request(&id);
            }
            Err(why) => self.ignore(from, why),
        }
    }

    pub(super) fn take_vote<R: RngCore + CryptoRng>(
        &mut self,
        from: Identifier,
        vote: Vote,
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) {
        if self.lacks(from, &vote.request) {
            return;
        }
        match self.book.vote(&self.rules, vote, now) {
            Ok(VoteOutcome::Duplicate) => {}
            Ok(VoteOutcome::Accepted) => {
                self.write(&Body::Vote { vote }, now, tools);
                let (request, pubkey) = (hex::encode(vote.request), self.info.pubkey.clone());
                let state =
                    self.book.get(&vote.request).map(|tracked| tracked.state(&self.rules, now));
                if let (Some(peer_id), Some(state)) = (self.peer(vote.member).cloned(), state) {
                    self.say(Event::Voted {
                        pubkey,
                        request,
                        peer_id,
                        approves: vote.approves,
                        state,
                    });
                }
            }
            Ok(VoteOutcome::Equivocation(first)) => self.pass_on_a_lie([first, vote], now, tools),
            Err(why) => self.ignore(from, why),
        }
    }

    /// A member told different members different things under one number: everyone has to see both, also in the trail.
    fn pass_on_a_lie<R: RngCore + CryptoRng>(
        &mut self,
        lie: [Vote; 2],
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) {
        let last = self
            .book
            .get(&lie[0].request)
            .and_then(|tracked| tracked.votes.get(&lie[0].member))
            .copied();
        for vote in lie {
            if last != Some(vote) {
                self.write(&Body::Vote { vote }, now, tools);
            }
            self.broadcast(&GroupMessage::Vote(vote));
        }
        let liar = self.peer(lie[0].member).cloned();
        let who = liar.as_ref().map_or("?", PeerId::as_str);
        let reason =
            format!("{who} signed two different votes with one number: its vote does not count");
        self.say(Event::Ignored { peer_id: liar, reason });
    }

    // ---- what is told outside ----

    fn tell_request(&mut self, id: &RequestId) {
        let Some(tracked) = self.book.get(id) else { return };
        let Some(peer_id) = self.peer(tracked.request.proposer).cloned() else { return };
        let event = Event::Requested {
            pubkey: self.info.pubkey.clone(),
            request: hex::encode(id),
            peer_id,
            kind: tracked.content.kind(),
            digest: hex::encode(tracked.digest),
            shown: tracked.content.shown(),
            expires: tracked.request.expires,
        };
        self.say(event);
    }

    pub(super) fn tell_signature(&mut self, id: &RequestId) {
        let Some(tracked) = self.book.get(id) else { return };
        let Some(signed) = &tracked.signed else { return };
        let event = Event::Signature {
            pubkey: self.info.pubkey.clone(),
            request: hex::encode(id),
            suite: self.rules.suite,
            digest: hex::encode(tracked.digest),
            signature: hex::encode(&signed.signature),
            signers: self.names(&signed.signers),
        };
        self.say(event);
    }
}
