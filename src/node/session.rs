//! One session: the key-generation ceremony of one roster, from proposal to confirmed key (docs/PROTOCOL.md, section 2).
//!
//! A session knows messages, participants and deadlines, and nothing of channels or servers: the node tells it which
//! channels are open and carries out its [`Act`]s. Each participant has one slot for each kind of message. A message for
//! a later step waits in its slot; a repeat changes nothing; a different message for a filled slot ends the session and
//! names its sender. The steps themselves are in `ceremony`, what happens between them in `waiting`.

use rand_core::{CryptoRng, RngCore};

use super::links::Tools;
use super::pact::{Pact, Trust};
use super::progress::{Package, Progress, Step};
use super::{Deadlines, Event, PhaseName, Reason, ReasonKind, Roster, Timestamp};
use crate::agreement::{Certificate, Evidence};
use crate::frost::{Round1, Round2};
use crate::identity::Identity;
use crate::keystore::WalletRecord;
use crate::sorted::Map;
use crate::wire::{Cause, PROTOCOL_VERSION, PeerId, PeerMessage, Proposal, SessionId};

/// What a session asks of the node.
pub(super) enum Act {
    /// Send to one participant where its channel is open. What has to arrive is in the outbox as well.
    Send(PeerId, PeerMessage),
    /// Send a `session_response`, by relay where no channel is open.
    Respond(PeerId, PeerMessage),
    /// Send the outbox of one participant again, where its channel is open.
    Repeat(PeerId),
    /// Store the key as unconfirmed; answered by [`Session::stored`].
    Keep(Box<WalletRecord>),
    /// Mark the stored key as confirmed, with its certificate if it has one; answered by [`Session::stored`].
    Confirm(String, Option<Box<Certificate>>),
    /// Keep evidence against a participant.
    Evidence(Box<Evidence>),
    /// The participants are who they say: remember them.
    Met,
    /// Tell the outside.
    Event(Event),
}

/// Where a session stands. A state owns what only it may use.
pub(super) enum Phase {
    /// Another participant proposed; the person here has not decided.
    Proposed,
    /// Accepted; channels are opening, or other participants' `mesh_ready` is missing.
    Meshing,
    /// Own commitment sent; waiting for those of the others.
    Commitments(Box<dyn Round1>),
    /// All commitments are here; the person compares the safety words before anything else leaves.
    Comparing(Box<dyn Round1>),
    /// `ready` sent; waiting for those of the others.
    Readying(Box<dyn Round1>),
    /// Shares sent; waiting for those of the others.
    Sharing(Box<dyn Round2>),
    /// The key is being stored, unconfirmed. Nobody hears of it before.
    Keeping(String),
    /// `wallet_created` sent; waiting for those of the others.
    Confirming(String),
    /// All have confirmed, and nothing that others say changes that; the key is being marked as confirmed.
    Finishing(String),
    /// The key is confirmed.
    Done(String),
    /// Over, without a confirmed key.
    Aborted(Reason),
}

pub(super) struct Session {
    pub id: SessionId,
    pub proposal: Proposal,
    pub proposer: PeerId,
    pub roster: Roster,
    /// Accepted here at some time.
    pub taken: bool,
    pub allow_unverified: bool,
    pub since: Timestamp,
    pub peers: Map<PeerId, Progress>,
    /// Who is at the other end of the links that stand.
    pub identities: Map<PeerId, (Identity, Trust)>,
    pub(super) pact: Option<Pact>,
    /// The person here has compared the words.
    pub words_match: bool,
    /// The person here takes identities that it meets for the first time at their word.
    pub trust_first_use: bool,
    /// Everyone's identity was verified when the key was made.
    pub verified: bool,
    pub(super) phase: Phase,
    pub(super) deadlines: Deadlines,
    pub(super) deadline: Timestamp,
    pub(super) mesh_ready_sent: bool,
    /// Everyone is known to take part: no person is waited for.
    pub(super) all_in: bool,
    /// When to say things again to those who are waited for, and how often that was done in this phase.
    pub(super) nudge_at: Timestamp,
    pub(super) nudges: u32,
    pub(super) acts: Vec<Act>,
}

/// For how long after a session its channels may say nothing about another one, in milliseconds.
const AFTERMATH: u64 = 60_000;

impl Session {
    pub(super) fn new(
        proposal: Proposal,
        proposer: PeerId,
        roster: Roster,
        deadlines: Deadlines,
        now: Timestamp,
    ) -> Self {
        let extended = |id: &PeerId| *id == proposer && proposal.protocol.is_some();
        let progress = |id: &PeerId| Progress { extended: extended(id), ..Progress::default() };
        Self {
            id: proposal.session_id.clone(),
            peers: roster.others().map(|id| (id.clone(), progress(id))).collect(),
            proposal,
            proposer,
            roster,
            taken: false,
            allow_unverified: false,
            since: now,
            identities: Map::default(),
            pact: None,
            words_match: false,
            trust_first_use: false,
            verified: false,
            phase: Phase::Proposed,
            deadlines,
            deadline: now.after(deadlines.proposal),
            mesh_ready_sent: false,
            all_in: false,
            nudge_at: now,
            nudges: 0,
            acts: Vec::new(),
        }
    }

    /// What to do, in order. Empties the list.
    pub(super) fn take_acts(&mut self) -> Vec<Act> {
        std::mem::take(&mut self.acts)
    }

    pub(super) fn phase(&self) -> PhaseName {
        match self.phase {
            Phase::Proposed => PhaseName::Proposed,
            Phase::Meshing => PhaseName::Meshing,
            Phase::Commitments(_) | Phase::Comparing(_) => PhaseName::Round1,
            Phase::Readying(_) | Phase::Sharing(_) => PhaseName::Round2,
            Phase::Keeping(_) | Phase::Confirming(_) | Phase::Finishing(_) => PhaseName::Confirming,
            Phase::Done(_) => PhaseName::Done,
            Phase::Aborted(_) => PhaseName::Aborted,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Done(_) | Phase::Aborted(_))
    }

    /// The person here is to compare the safety words.
    pub(super) fn is_comparing(&self) -> bool {
        matches!(self.phase, Phase::Comparing(_))
    }

    /// Accepted here and not over.
    pub(super) fn is_running(&self) -> bool {
        !self.is_over() && !matches!(self.phase, Phase::Proposed)
    }

    /// Waits for other participants, and so can still end without a key.
    pub(super) fn is_undecided(&self) -> bool {
        !self.is_over() && !matches!(self.phase, Phase::Finishing(_))
    }

    /// Its participants' channels are wanted: while it runs, and for a while after a success, for who lacks a message.
    pub(super) fn wants_channels(&self, now: Timestamp) -> bool {
        self.is_running() || (matches!(self.phase, Phase::Done(_)) && now < self.linger_ends())
    }

    pub(super) fn linger_ends(&self) -> Timestamp {
        self.since.after(self.deadlines.linger)
    }

    /// Whether a channel to one of its participants may have been opened for this session.
    pub(super) fn uses_channels(&self, now: Timestamp) -> bool {
        !self.is_over() || now < self.since.after(AFTERMATH)
    }

    /// Whether the signaling server is still needed to reach somebody.
    pub(super) fn needs_server(&self) -> bool {
        matches!(self.phase, Phase::Proposed) || (self.is_running() && !self.mesh_ready_sent)
    }

    pub(super) fn reason(&self) -> Option<&Reason> {
        if let Phase::Aborted(reason) = &self.phase { Some(reason) } else { None }
    }

    /// The group key, once it is made and kept here.
    pub(super) fn pubkey(&self) -> Option<&str> {
        match &self.phase {
            Phase::Confirming(key) | Phase::Finishing(key) | Phase::Done(key) => Some(key),
            _ => None,
        }
    }

    // ---- decisions of the person here ----

    /// Takes part: says so to everyone and starts to open channels.
    pub(super) fn accept(&mut self, allow_unverified: bool, now: Timestamp) {
        if !matches!(self.phase, Phase::Proposed) {
            return;
        }
        self.taken = true;
        self.allow_unverified = allow_unverified;
        self.enter(Phase::Meshing, self.deadlines.mesh, now);
        // Who proposes takes part.
        self.takes_part(&self.proposer.clone());
        // The other joiners learn by it that this node speaks the extensions.
        if self.peers.contains_key(&self.proposer) {
            let response = self.response(true, None);
            let all: Vec<PeerId> = self.peers.keys().cloned().collect();
            self.acts.extend(all.into_iter().map(|id| Act::Respond(id, response.clone())));
        }
    }

    fn tell_the_initiator(&mut self) {
        if self.peers.contains_key(&self.proposer) {
            self.acts.push(Act::Respond(self.proposer.clone(), self.response(true, None)));
        }
    }

    /// The initiator proposes again, since it has not heard from us.
    pub(super) fn proposed_again(&mut self, now: Timestamp) {
        match &self.phase {
            Phase::Proposed => {}
            Phase::Aborted(_) | Phase::Done(_) => self.tell_again(&self.proposer.clone(), now),
            _ => self.tell_the_initiator(),
        }
    }

    /// Ends the session from here and tells all others why.
    pub(super) fn end(&mut self, reason: Reason, now: Timestamp) {
        if self.is_over() {
            return;
        }
        if self.is_undecided() {
            let farewell = self.response(false, Some(&reason));
            for id in self.peers.keys().filter(|id| Some(*id) != reason.reported_by.as_ref()) {
                self.acts.push(Act::Respond(id.clone(), farewell.clone()));
            }
        }
        self.over(reason, now);
    }

    fn over(&mut self, reason: Reason, now: Timestamp) {
        let farewell = self.response(false, Some(&reason));
        self.over_saying(farewell, reason, now);
    }

    /// Ends it. From now on `farewell` is the answer to whoever goes on.
    fn over_saying(&mut self, farewell: PeerMessage, reason: Reason, now: Timestamp) {
        for progress in self.peers.values_mut() {
            progress.commitment = None;
            progress.share = None;
            progress.outbox = vec![farewell.clone()];
            progress.told = Some(now);
        }
        self.pact = None;
        self.acts.push(Act::Event(Event::Aborted {
            session_id: self.id.clone(),
            reason: reason.clone(),
        }));
        self.phase = Phase::Aborted(reason);
        self.since = now;
    }

    pub(super) fn response(&self, accepted: bool, reason: Option<&Reason>) -> PeerMessage {
        PeerMessage::SessionResponse {
            session_id: Some(self.id.clone()),
            accepted,
            reason: reason.map(|r| r.text.clone()),
            cause: reason.map(Reason::cause),
            protocol: Some(PROTOCOL_VERSION),
        }
    }

    // ---- what comes from other participants ----

    /// Takes a message of another participant. The caller has checked that `from` is one.
    pub(super) fn message(
        &mut self,
        from: &PeerId,
        message: PeerMessage,
        now: Timestamp,
        tools: &mut Tools<'_, impl RngCore + CryptoRng>,
    ) {
        let waits = matches!(message, PeerMessage::SessionResponse { accepted: true, .. });
        let leaves = matches!(message, PeerMessage::SessionResponse { accepted: false, .. });
        match &self.phase {
            Phase::Aborted(_) if leaves => return,
            Phase::Aborted(_) => return self.tell_again(from, now),
            Phase::Finishing(_) | Phase::Done(_) if waits => return self.tell_again(from, now),
            Phase::Finishing(_) | Phase::Done(_) => return,
            _ => {}
        }
        if let PeerMessage::SessionResponse { accepted: false, reason, cause, .. } = message {
            return self.left(from, reason.as_deref(), cause.as_ref(), now);
        }
        let running = self.is_running();
        let known = !self.takes_part(from);
        if waits && known {
            self.tell_again(from, now);
        }
        let Some(progress) = self.peers.get_mut(from) else { return };
        let fits = match message {
            PeerMessage::MeshReady { proof, .. } => {
                progress.mesh_ready = true;
                progress.proofs.fill(Step::MeshReady, proof)
            }
            PeerMessage::Round1Package { data, proof, .. } => {
                Package::fill(&mut progress.commitment, data.into())
                    && progress.proofs.fill(Step::Commitment, proof)
            }
            PeerMessage::Ready { proof, .. } => {
                progress.ready = true;
                progress.proofs.fill(Step::Ready, proof)
            }
            PeerMessage::Round2Package { data, .. } => Package::fill(&mut progress.share, data),
            PeerMessage::WalletCreated { pubkey, proof, .. } => {
                progress.created(pubkey) && progress.proofs.fill(Step::WalletCreated, proof)
            }
            PeerMessage::Comparing { .. } => {
                progress.comparing = true;
                if matches!(self.phase, Phase::Readying(_)) {
                    self.deadline = self.deadline.max(now.after(self.deadlines.proposal));
                }
                true
            }
            PeerMessage::SessionResponse { protocol, .. } => {
                if !progress.extended && protocol.is_some() {
                    progress.extended = true;
                    progress.knows_us = running;
                }
                true
            }
            PeerMessage::SessionProposal(_)
            | PeerMessage::ChannelOpen { .. }
            | PeerMessage::Handshake { .. }
            | PeerMessage::Frame { .. }
            | PeerMessage::Ack { .. } => true,
        };
        if fits {
            self.no_more_people(now);
            self.advance(now, tools);
        } else {
            let text = "sent two different messages for the same step";
            self.end(Reason::blame(ReasonKind::Conflict, from, text), now);
        }
    }

    /// Notes that a participant takes part. True when that is new.
    pub(super) fn takes_part(&mut self, id: &PeerId) -> bool {
        let Some(progress) = self.peers.get_mut(id) else { return false };
        let new = !std::mem::replace(&mut progress.accepted, true);
        if new {
            self.acts.push(Act::Event(Event::Accepted {
                session_id: self.id.clone(),
                peer_id: id.clone(),
            }));
        }
        new
    }

    /// A participant declined or left.
    fn left(&mut self, from: &PeerId, text: Option<&str>, cause: Option<&Cause>, now: Timestamp) {
        let reason = Reason::reported(from, text, cause, |id| self.roster.is_other(id));
        if reason.kind == ReasonKind::Declined {
            let text = text.map(str::to_owned);
            let declined = reason.peer_id.clone().unwrap_or_else(|| from.clone());
            self.acts.push(Act::Event(Event::Declined {
                session_id: self.id.clone(),
                peer_id: declined,
                reason: text,
            }));
        }
        // Who names a cause has told everyone, so that channels will do. A baseline peer may have told nobody but us.
        // The accused hears it from the accuser: from us it would look like our word.
        // An accusation of this node is its accuser's to spread: here alone the accuser stands for the accused.
        let me = self.roster.at(self.roster.my_identifier()).map(PeerId::as_str);
        let of_me = cause.is_some_and(|c| c.culprit.is_some() && c.culprit.as_deref() == me);
        let mut farewell = self.response(false, Some(&reason));
        if let (true, PeerMessage::SessionResponse { cause: told, .. }) = (of_me, &mut farewell) {
            *told = cause.cloned();
        }
        let heirs = |id: &&PeerId| !of_me && *id != from && Some(*id) != reason.peer_id.as_ref();
        for id in self.peers.keys().filter(heirs).cloned() {
            let message = farewell.clone();
            self.acts.push(if cause.is_some() {
                Act::Send(id, message)
            } else {
                Act::Respond(id, message)
            });
        }
        self.over_saying(farewell, reason, now);
    }

    /// Says again what was said to a participant that still waits: the end, where there is one, else every step.
    fn tell_again(&mut self, to: &PeerId, now: Timestamp) {
        let Some(progress) = self.peers.get_mut(to).filter(|p| !p.outbox.is_empty()) else {
            return;
        };
        if progress.tell_again(now) {
            let farewell = progress
                .outbox
                .first()
                .filter(|_| matches!(self.phase, Phase::Aborted(_)))
                .cloned();
            let again = farewell
                .map_or(Act::Repeat(to.clone()), |message| Act::Respond(to.clone(), message));
            self.acts.push(again);
        }
    }
}
