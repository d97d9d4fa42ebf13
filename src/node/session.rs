//! One session: the key-generation ceremony of one roster, from proposal to confirmed key (docs/PROTOCOL.md, section 2).
//!
//! A session knows messages, participants and deadlines, and nothing of channels or servers: the node tells it which
//! channels are open and carries out its [`Act`]s. Each participant has one slot for each kind of message. A message for
//! a later step waits in its slot; a repeat changes nothing; a different message for a filled slot ends the session and
//! names its sender. Everything said to a participant is kept and said again when its channel opens anew.

use std::collections::{BTreeMap, BTreeSet};

use rand_core::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use super::keygen::{self, Fault, PackageFault, Place, Round1, Round2};
use super::{Deadlines, Event, Reason, ReasonKind, Roster, Timestamp};
use crate::keystore::{WalletInfo, WalletRecord};
use crate::wire::{PeerId, PeerMessage, Proposal, SessionId};

/// What a session asks of the node.
pub(super) enum Act {
    /// Send to one participant: now where its channel is open, else when it opens.
    Send(PeerId, PeerMessage),
    /// Send a `session_response`, by relay where no channel is open.
    Respond(PeerId, PeerMessage),
    /// Store the key as unconfirmed; answered by [`Session::stored`].
    Keep(Box<WalletRecord>),
    /// Mark the stored key as confirmed; answered by [`Session::stored`].
    Confirm(String),
    /// Tell the outside.
    Event(Event),
}

/// Where a session stands. A state owns what only it may use.
enum Phase {
    /// Another participant proposed; the person here has not decided.
    Proposed,
    /// Accepted; channels are opening, or other participants' `mesh_ready` is missing.
    Meshing,
    /// Own commitment sent; waiting for those of the others.
    Commitments(Box<dyn Round1>),
    /// `ready` sent; waiting for those of the others.
    Readying(Box<dyn Round1>),
    /// Shares sent; waiting for those of the others.
    Sharing(Box<dyn Round2>),
    /// The key is being stored, unconfirmed. Nobody hears of it before.
    Keeping(String),
    /// `wallet_created` sent; waiting for those of the others.
    Confirming(String),
    /// All agree; the key is being marked as confirmed.
    Finishing(String),
    /// The key is confirmed.
    Done(String),
    /// Over, without a confirmed key.
    Aborted(Reason),
}

/// The phases as people and tests see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PhaseName {
    /// Waiting for a decision.
    Proposed,
    /// Opening channels.
    Meshing,
    /// Exchanging commitments.
    Round1,
    /// Exchanging `ready` and shares.
    Round2,
    /// Storing the key and comparing it with all.
    Confirming,
    /// The key is confirmed.
    Done,
    /// Ended without a confirmed key.
    Aborted,
}

/// What has come from one participant, and what was sent to it.
#[derive(Default)]
pub(super) struct Progress {
    pub accepted: bool,
    pub mesh_ready: bool,
    commitment: Option<Vec<u8>>,
    commitment_checked: bool,
    ready: bool,
    share: Option<Zeroizing<Vec<u8>>>,
    share_checked: bool,
    created: Option<String>,
    /// Its channel has been open in this session.
    pub met: bool,
    /// Since when its channel is gone.
    pub lost: Option<Timestamp>,
    outbox: Vec<PeerMessage>,
}

impl Progress {
    /// The last step that came from it, for people.
    pub(super) fn step(&self) -> &'static str {
        match self {
            Self { created: Some(_), .. } => "wallet_created",
            Self { share: Some(_), .. } => "share",
            Self { ready: true, .. } => "ready",
            Self { commitment: Some(_), .. } => "commitment",
            Self { mesh_ready: true, .. } => "mesh_ready",
            Self { accepted: true, .. } => "accepted",
            _ => "",
        }
    }
}

pub(super) struct Session {
    pub id: SessionId,
    pub proposal: Proposal,
    pub proposer: PeerId,
    pub roster: Roster,
    pub allow_unverified: bool,
    pub since: Timestamp,
    pub deadline: Timestamp,
    pub peers: BTreeMap<PeerId, Progress>,
    phase: Phase,
    deadlines: Deadlines,
    mesh_ready_sent: bool,
    acts: Vec<Act>,
}

impl Session {
    pub(super) fn new(proposal: Proposal, proposer: PeerId, roster: Roster, deadlines: Deadlines, now: Timestamp) -> Self {
        let peers = roster.others().map(|id| (id.clone(), Progress::default())).collect();
        let deadline = now.after(deadlines.proposal);
        Self {
            id: proposal.session_id.clone(),
            proposal,
            proposer,
            roster,
            allow_unverified: false,
            since: now,
            deadline,
            peers,
            phase: Phase::Proposed,
            deadlines,
            mesh_ready_sent: false,
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
            Phase::Commitments(_) => PhaseName::Round1,
            Phase::Readying(_) | Phase::Sharing(_) => PhaseName::Round2,
            Phase::Keeping(_) | Phase::Confirming(_) | Phase::Finishing(_) => PhaseName::Confirming,
            Phase::Done(_) => PhaseName::Done,
            Phase::Aborted(_) => PhaseName::Aborted,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Done(_) | Phase::Aborted(_))
    }

    /// Accepted here and not over.
    pub(super) fn is_running(&self) -> bool {
        !self.is_over() && !matches!(self.phase, Phase::Proposed)
    }

    /// Its participants' channels are wanted: while it runs, and for a while after, for who has not heard of the end.
    pub(super) fn wants_channels(&self, now: Timestamp) -> bool {
        self.is_running() || (matches!(self.phase, Phase::Done(_)) && now < self.since.after(self.deadlines.linger))
    }

    /// Whether the signaling server is still needed to reach somebody.
    pub(super) fn needs_server(&self) -> bool {
        matches!(self.phase, Phase::Proposed) || (self.is_running() && !self.mesh_ready_sent)
    }

    pub(super) fn reason(&self) -> Option<&Reason> {
        if let Phase::Aborted(reason) = &self.phase { Some(reason) } else { None }
    }

    /// The group key, once it is made here.
    pub(super) fn pubkey(&self) -> Option<&str> {
        match &self.phase {
            Phase::Confirming(key) | Phase::Finishing(key) | Phase::Done(key) => Some(key),
            _ => None,
        }
    }

    // ---- decisions of the person here ----

    /// Takes part: says so to the initiator and starts to open channels.
    pub(super) fn accept(&mut self, allow_unverified: bool, now: Timestamp) {
        if !matches!(self.phase, Phase::Proposed) {
            return;
        }
        self.allow_unverified = allow_unverified;
        self.enter(Phase::Meshing, self.deadlines.mesh, now);
        if self.peers.contains_key(&self.proposer) {
            let response = self.response(true, None);
            self.acts.push(Act::Respond(self.proposer.clone(), response));
        }
    }

    /// Ends the session from here and tells all others why.
    pub(super) fn end(&mut self, reason: Reason) {
        if self.is_over() {
            return;
        }
        let response = self.response(false, Some(&reason));
        self.tell_others(&response, reason.reported_by.as_ref());
        self.over(reason);
    }

    /// Ends it without a word to anybody.
    fn over(&mut self, reason: Reason) {
        for progress in self.peers.values_mut() {
            progress.outbox.clear();
            progress.share = None;
        }
        self.acts.push(Act::Event(Event::Aborted { session_id: self.id.clone(), reason: reason.clone() }));
        self.phase = Phase::Aborted(reason);
    }

    fn tell_others(&mut self, message: &PeerMessage, except: Option<&PeerId>) {
        for id in self.peers.keys().filter(|id| Some(*id) != except) {
            self.acts.push(Act::Respond(id.clone(), message.clone()));
        }
    }

    fn response(&self, accepted: bool, reason: Option<&Reason>) -> PeerMessage {
        PeerMessage::SessionResponse {
            session_id: Some(self.id.clone()),
            accepted,
            reason: reason.map(|r| r.text.clone()),
            cause: reason.map(Reason::cause),
        }
    }

    // ---- what comes from other participants ----

    /// Takes a message of another participant. The caller has checked that `from` is one.
    pub(super) fn message(&mut self, from: &PeerId, message: PeerMessage, now: Timestamp, rng: &mut (impl RngCore + CryptoRng)) {
        let Some(progress) = self.peers.get_mut(from).filter(|_| !matches!(self.phase, Phase::Done(_) | Phase::Aborted(_)))
        else {
            return;
        };
        let fits = match message {
            PeerMessage::SessionResponse { accepted: true, .. } => {
                if !std::mem::replace(&mut progress.accepted, true) {
                    self.acts.push(Act::Event(Event::Accepted { session_id: self.id.clone(), peer_id: from.clone() }));
                }
                true
            }
            PeerMessage::SessionResponse { accepted: false, reason, cause, .. } => {
                return self.left(from, reason.as_deref(), cause.as_ref());
            }
            PeerMessage::MeshReady { .. } => {
                progress.mesh_ready = true;
                true
            }
            PeerMessage::Commitment { data, .. } => fill(&mut progress.commitment, data),
            PeerMessage::Ready { .. } => {
                progress.ready = true;
                true
            }
            PeerMessage::Share { data, .. } => fill(&mut progress.share, data),
            PeerMessage::WalletCreated { pubkey, .. } => fill(&mut progress.created, pubkey),
            PeerMessage::SessionProposal(_) | PeerMessage::ChannelOpen { .. } | PeerMessage::Ack { .. } => true,
        };
        if fits {
            self.advance(now, rng);
        } else {
            self.end(Reason::blame(ReasonKind::Conflict, from, "sent two different messages for the same step"));
        }
    }

    /// A participant declined or left.
    fn left(&mut self, from: &PeerId, text: Option<&str>, cause: Option<&crate::wire::Cause>) {
        let reason = Reason::reported(from, text, cause, |id| self.roster.is_other(id));
        if reason.kind == ReasonKind::Declined {
            let text = text.map(str::to_owned);
            let event = Event::Declined { session_id: self.id.clone(), peer_id: from.clone(), reason: text };
            self.acts.push(Act::Event(event));
        }
        // Who names a cause has told everyone. A baseline peer may have told nobody but us.
        if cause.is_none() {
            let response = self.response(false, Some(&reason));
            self.tell_others(&response, Some(from));
        }
        self.over(reason);
    }

    // ---- what the node sees of channels ----

    /// Looks at the channels: `open` are the participants that can be reached directly right now.
    pub(super) fn channels(&mut self, open: &BTreeSet<PeerId>, now: Timestamp, rng: &mut (impl RngCore + CryptoRng)) {
        if !self.is_running() {
            return;
        }
        for (id, progress) in &mut self.peers {
            if open.contains(id) {
                if !std::mem::replace(&mut progress.accepted, true) {
                    self.acts.push(Act::Event(Event::Accepted { session_id: self.id.clone(), peer_id: id.clone() }));
                }
                progress.met = true;
                progress.lost = None;
            } else if progress.met && progress.lost.is_none() {
                progress.lost = Some(now);
            }
        }
        let all_open = self.peers.keys().all(|id| open.contains(id));
        if all_open && !self.mesh_ready_sent {
            self.mesh_ready_sent = true;
            self.acts.push(Act::Event(Event::MeshReady { session_id: self.id.clone() }));
            self.broadcast(&PeerMessage::MeshReady { session_id: Some(self.id.clone()) });
            // From here on nobody waits for a person.
            self.since = now;
            self.deadline = now.after(self.deadlines.step);
        }
        self.advance(now, rng);
    }

    /// Everything said to `peer` so far, to be said again on its new channel.
    pub(super) fn said_to(&self, peer: &PeerId) -> &[PeerMessage] {
        self.peers.get(peer).map_or(&[], |p| &p.outbox)
    }

    // ---- deadlines ----

    /// The next moment at which [`Session::tick`] has something to do.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        if self.is_over() {
            return None;
        }
        let lost = self.peers.values().filter(|p| p.created.is_none()).filter_map(|p| p.lost).min();
        let lost = lost.map(|since| since.after(self.deadlines.lost));
        Some(lost.map_or(self.deadline, |lost| lost.min(self.deadline)))
    }

    /// Ends the session when a deadline has passed.
    pub(super) fn tick(&mut self, now: Timestamp) {
        if self.is_over() {
            return;
        }
        let seconds = self.deadlines.lost / 1000;
        let gone = self
            .peers
            .iter()
            .find(|(_, p)| p.created.is_none() && p.lost.is_some_and(|since| since.after(self.deadlines.lost) <= now));
        if let Some((id, progress)) = gone {
            let last = if progress.step().is_empty() { "nothing" } else { progress.step() };
            let text = format!("went away {seconds} s ago and did not come back (last received from it: {last})");
            self.end(Reason::blame(ReasonKind::PeerLost, &id.clone(), text));
        } else if now >= self.deadline {
            let waited = now.since(self.since) / 1000;
            let missing = self.waiting_for();
            self.end(Reason::timed_out(waited, self.waits_for_what(), &missing));
        }
    }

    /// The participants without whom the next step cannot be made.
    pub(super) fn waiting_for(&self) -> Vec<PeerId> {
        let missing: fn(&Progress) -> bool = match self.phase {
            Phase::Meshing if self.mesh_ready_sent => |p| !p.mesh_ready,
            Phase::Meshing => |p| !p.met || p.lost.is_some(),
            Phase::Commitments(_) => |p| p.commitment.is_none(),
            Phase::Readying(_) => |p| !p.ready,
            Phase::Sharing(_) => |p| p.share.is_none(),
            Phase::Confirming(_) => |p| p.created.is_none(),
            _ => |_| false,
        };
        self.peers.iter().filter(|(_, p)| missing(p)).map(|(id, _)| id.clone()).collect()
    }

    fn waits_for_what(&self) -> &'static str {
        match self.phase {
            Phase::Proposed => "nobody decided here whether to join",
            Phase::Meshing if self.mesh_ready_sent => "not everyone has a channel to everyone",
            Phase::Meshing => "no channel to them has opened",
            Phase::Commitments(_) => "their commitments have not come",
            Phase::Readying(_) => "they have not said that they hold all commitments",
            Phase::Sharing(_) => "their shares have not come",
            Phase::Confirming(_) => "they have not confirmed the key",
            _ => "the key was not stored in time",
        }
    }

    // ---- the ceremony ----

    fn enter(&mut self, phase: Phase, milliseconds: u64, now: Timestamp) {
        self.phase = phase;
        self.since = now;
        self.deadline = now.after(milliseconds);
    }

    fn broadcast(&mut self, message: &PeerMessage) {
        for id in self.roster.others().cloned().collect::<Vec<_>>() {
            self.send(id, message.clone());
        }
    }

    fn send(&mut self, to: PeerId, message: PeerMessage) {
        if let Some(progress) = self.peers.get_mut(&to) {
            progress.outbox.push(message.clone());
            self.acts.push(Act::Send(to, message));
        }
    }

    fn all(&self, has: impl Fn(&Progress) -> bool) -> bool {
        self.peers.values().all(has)
    }

    /// Makes every step that what has come allows.
    fn advance(&mut self, now: Timestamp, rng: &mut (impl RngCore + CryptoRng)) {
        loop {
            let next = match &self.phase {
                Phase::Meshing => self.mesh_ready_sent && self.all(|p| p.mesh_ready),
                Phase::Commitments(round1) => {
                    if let Some(fault) = bad_commitment(round1.as_ref(), &self.roster, &mut self.peers) {
                        return self.end(self.package_reason(ReasonKind::BadCommitment, fault));
                    }
                    self.all(|p| p.commitment.is_some())
                }
                Phase::Readying(_) => self.all(|p| p.ready),
                Phase::Sharing(round2) => {
                    if let Some(fault) = bad_share(round2.as_ref(), &self.roster, &mut self.peers) {
                        return self.end(self.package_reason(ReasonKind::BadShare, fault));
                    }
                    self.all(|p| p.share.is_some())
                }
                Phase::Confirming(pubkey) => {
                    if let Some(reason) = self.other_key(pubkey) {
                        return self.end(reason);
                    }
                    self.all(|p| p.created.is_some())
                }
                _ => false,
            };
            if !next {
                return;
            }
            let step = self.deadlines.step;
            // `Finishing` stands in for a moment only: every arm below sets the phase that follows.
            match std::mem::replace(&mut self.phase, Phase::Finishing(String::new())) {
                Phase::Meshing => match self.start_round1(rng) {
                    Ok(round1) => self.enter(Phase::Commitments(round1), step, now),
                    Err(fault) => return self.end(Reason::plain(ReasonKind::Internal, fault.to_string())),
                },
                Phase::Commitments(round1) => {
                    self.acts.push(Act::Event(Event::Round { session_id: self.id.clone(), round: 2 }));
                    self.broadcast(&PeerMessage::Ready { session_id: Some(self.id.clone()) });
                    self.enter(Phase::Readying(round1), step, now);
                }
                Phase::Readying(round1) => match self.start_round2(round1) {
                    Ok(round2) => self.enter(Phase::Sharing(round2), step, now),
                    Err(fault) => return self.end(self.package_reason(ReasonKind::BadCommitment, fault)),
                },
                Phase::Sharing(round2) => match self.finish(round2, now) {
                    Ok(pubkey) => self.enter(Phase::Keeping(pubkey), step, now),
                    Err(fault) => return self.end(self.package_reason(ReasonKind::BadShare, fault)),
                },
                Phase::Confirming(pubkey) => {
                    self.acts.push(Act::Confirm(pubkey.clone()));
                    self.enter(Phase::Finishing(pubkey), step, now);
                }
                other => self.phase = other,
            }
        }
    }

    fn start_round1(&mut self, rng: &mut (impl RngCore + CryptoRng)) -> Result<Box<dyn Round1>, PackageFault> {
        let roster = &self.roster;
        let round1 = keygen::start(roster.suite(), roster.my_place(), roster.total(), roster.threshold(), rng)?;
        self.acts.push(Act::Event(Event::Round { session_id: self.id.clone(), round: 1 }));
        let data = round1.package().to_vec();
        self.broadcast(&PeerMessage::Commitment { session_id: Some(self.id.clone()), data });
        Ok(round1)
    }

    fn start_round2(&mut self, round1: Box<dyn Round1>) -> Result<Box<dyn Round2>, Fault> {
        let packages = self.slots(|p| p.commitment.clone());
        let (round2, shares) = round1.advance(&packages)?;
        for (place, data) in shares {
            if let Some(id) = self.roster.at(place).cloned() {
                self.send(id, PeerMessage::Share { session_id: Some(self.id.clone()), data });
            }
        }
        Ok(round2)
    }

    fn finish(&mut self, round2: Box<dyn Round2>, now: Timestamp) -> Result<String, Fault> {
        let key = round2.finish(&self.slots(|p| p.share.clone()))?;
        let info = WalletInfo {
            pubkey: key.pubkey.clone(),
            session_id: self.id.clone(),
            ciphersuite: self.roster.suite().to_owned(),
            threshold: self.roster.threshold(),
            total: self.roster.total(),
            participants: self.roster.participants().to_vec(),
            identifier: self.roster.my_place(),
            verified: false,
            created: now.millis(),
        };
        let record =
            WalletRecord { info, key_package: key.key_package, public_key_package: key.public_key_package };
        self.acts.push(Act::Keep(Box::new(record)));
        Ok(key.pubkey)
    }

    fn slots<T>(&self, slot: impl Fn(&Progress) -> Option<T>) -> BTreeMap<Place, T> {
        let filled = self.peers.iter().filter_map(|(id, p)| Some((self.roster.place_of(id)?, slot(p)?)));
        filled.collect()
    }

    /// The store has answered what this session asked of it last.
    pub(super) fn stored(&mut self, result: Result<(), String>, now: Timestamp, rng: &mut (impl RngCore + CryptoRng)) {
        let step = self.deadlines.step;
        let failed = |error: &str| Reason::plain(ReasonKind::Storage, format!("the key could not be stored: {error}"));
        match (std::mem::replace(&mut self.phase, Phase::Finishing(String::new())), result) {
            (Phase::Keeping(pubkey), Ok(())) => {
                let created =
                    PeerMessage::WalletCreated { session_id: Some(self.id.clone()), pubkey: pubkey.clone() };
                self.enter(Phase::Confirming(pubkey), step, now);
                self.broadcast(&created);
                self.advance(now, rng);
            }
            (Phase::Finishing(pubkey), Ok(())) => {
                self.acts.push(Act::Event(Event::WalletCreated {
                    session_id: self.id.clone(),
                    pubkey: pubkey.clone(),
                    threshold: self.roster.threshold(),
                    total: self.roster.total(),
                    participants: self.roster.participants().to_vec(),
                    identifier: self.roster.my_place(),
                    verified: false,
                }));
                for progress in self.peers.values_mut() {
                    progress.share = None;
                    // A participant that lost its channel may still lack our confirmation; it needs no share any more.
                    progress.outbox.retain(|message| !matches!(message, PeerMessage::Share { .. }));
                }
                self.since = now;
                self.phase = Phase::Done(pubkey);
            }
            (phase @ (Phase::Keeping(_) | Phase::Finishing(_)), Err(error)) => {
                self.phase = phase;
                self.end(failed(&error));
            }
            (phase, _) => self.phase = phase, // an answer that comes after the end
        }
    }

    // ---- who is to blame ----

    fn other_key(&self, pubkey: &str) -> Option<Reason> {
        let (id, claimed) = self
            .peers
            .iter()
            .find_map(|(id, p)| p.created.as_ref().filter(|key| *key != pubkey).map(|key| (id, key)))?;
        let text = format!("claims the group key {claimed}, but it is {pubkey}");
        Some(Reason::blame(ReasonKind::KeyMismatch, id, text))
    }

    fn package_reason(&self, kind: ReasonKind, (place, fault): Fault) -> Reason {
        match place.and_then(|p| self.roster.at(p)) {
            Some(id) => {
                let what = if kind == ReasonKind::BadShare { "share" } else { "commitment" };
                Reason::blame(kind, id, format!("sent a {what} that cannot be used: {fault}"))
            }
            None => Reason::plain(ReasonKind::Internal, fault.to_string()),
        }
    }
}

/// Checks commitments that have come since the last look.
fn bad_commitment(round1: &dyn Round1, roster: &Roster, peers: &mut BTreeMap<PeerId, Progress>) -> Option<Fault> {
    peers.iter_mut().filter(|(_, p)| !p.commitment_checked).find_map(|(id, p)| {
        let checked = round1.check(p.commitment.as_deref()?);
        p.commitment_checked = true;
        Some((roster.place_of(id), checked.err()?))
    })
}

/// Checks shares that have come since the last look.
fn bad_share(round2: &dyn Round2, roster: &Roster, peers: &mut BTreeMap<PeerId, Progress>) -> Option<Fault> {
    peers.iter_mut().filter(|(_, p)| !p.share_checked).find_map(|(id, p)| {
        let checked = round2.check(roster.place_of(id)?, p.share.as_deref()?);
        p.share_checked = true;
        Some((roster.place_of(id), checked.err()?))
    })
}

/// Fills a slot. False when it held something else.
fn fill<T: PartialEq>(slot: &mut Option<T>, value: T) -> bool {
    match slot {
        Some(held) => *held == value,
        None => {
            *slot = Some(value);
            true
        }
    }
}
