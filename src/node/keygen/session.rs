//! One session: the key generation of one roster, from its proposal to the confirmed key
//! (docs/PROTOCOL.md, section 2).
//!
//! A session knows participants, messages and deadlines. Each participant has one slot for each
//! kind of message. A message for a later step waits in its slot; a repeat changes nothing; a
//! different message for a filled slot ends the session and names its sender. So the order in which
//! participants' messages come never matters. `rounds` makes the steps, `waiting` keeps deadlines.
//!
//! ```text
//! Proposed -> Connecting -> Meshed -> Round1 -> (Comparing) -> Readying -> Round2
//!          -> Storing -> Confirming -> Finishing -> Done          (any -> Aborted)
//! ```

use super::effect::Effect;
use super::progress::{Dialect, HelloBy, Package, Progress, ProvenStep, Trust};
use super::transcript::Transcript;
use crate::agreement::{Roster, WORDS};
use crate::api::{Event, PhaseName, Reason, ReasonKind, Timestamp};
use crate::frost::{Round1, Round2};
use crate::identity::Identity;
use crate::node::ctx::Ctx;
use crate::node::presence::{Address, ServerId};
use crate::node::transport;
use crate::node::{Deadlines, Output};
use crate::sorted::Map;
use crate::wire::{Cause, PROTOCOL_VERSION, PeerId, PeerMessage, Proposal, SessionId};

/// For how long after a session its channels may belong to it and to no other one, in milliseconds.
const AFTERMATH: u64 = 60_000;

/// What the person here agreed to when they accepted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Consent {
    /// Take peers whose identity nothing proves.
    pub allow_unverified: bool,
    /// Accept identities that are met for the first time, without safety words.
    pub trust_first_use: bool,
}

/// What the phases of a session share.
#[derive(Default)]
pub(super) struct Run {
    /// What everyone signs, in a verified session, once it has begun.
    pub transcript: Option<Transcript>,
}

/// The key that this node has made.
#[derive(Clone)]
pub(super) struct Made {
    pub pubkey: String,
    /// Every participant was verified.
    pub verified: bool,
}

/// The phases of a session that was accepted here. Each owns what only it may use.
pub(super) enum Phase {
    /// Channels to the other participants are being opened.
    Connecting,
    /// `mesh_ready` was sent; those of the others are awaited. Once everyone has accepted the wait
    /// is for machines only, and short.
    Meshed { everyone_accepted: bool },
    /// The own round-1 package was sent; those of the others are awaited.
    Round1(Box<dyn Round1>),
    /// All round-1 packages are here; the person compares the safety words.
    Comparing(Box<dyn Round1>),
    /// `ready` was sent; those of the others are awaited.
    Readying(Box<dyn Round1>),
    /// Round-2 packages were sent; those of the others are awaited.
    Round2(Box<dyn Round2>),
    /// The key is being stored, unconfirmed. Nobody hears of it before.
    Storing(Made),
    /// `wallet_created` was sent; those of the others are awaited.
    Confirming(Made),
    /// Everyone has confirmed, and nothing that others send changes that; the key is being marked
    /// as confirmed.
    Finishing(Made),
}

/// Where a session stands.
pub(super) enum Stage {
    /// Another participant proposed; the person here has not decided.
    Proposed,
    /// Accepted here.
    Running(Box<Run>, Phase),
    /// The key is confirmed.
    Done { pubkey: String },
    /// Over, without a confirmed key.
    Aborted { reason: Reason },
    /// Between two phases, while the next one is made of the one before.
    Advancing,
}

/// What the current wait is for, and how long it lasts.
pub(super) struct Wait {
    pub since: Timestamp,
    pub deadline: Timestamp,
    /// When everything is sent again to those who are awaited.
    pub nudge_at: Timestamp,
    /// How often that was done in this phase.
    pub nudges: u32,
}

pub(super) struct Session {
    id: SessionId,
    server: ServerId,
    proposal: Proposal,
    proposer: PeerId,
    roster: Roster,
    pub(super) peers: Map<PeerId, Progress>,
    /// What the person here agreed to, once they have accepted.
    pub(super) consent: Option<Consent>,
    pub(super) stage: Stage,
    pub(super) wait: Wait,
    pub(super) deadlines: Deadlines,
    pub(super) effects: Vec<Effect>,
}

impl Session {
    pub(super) fn new(
        ctx: &Ctx<'_>,
        server: ServerId,
        proposal: Proposal,
        proposer: PeerId,
        roster: Roster,
    ) -> Self {
        let deadlines = ctx.config.deadlines;
        let progress = |id: &PeerId| {
            let extends = *id == proposer && proposal.protocol.is_some();
            let dialect = if extends { Dialect::Extensions } else { Dialect::Unknown };
            (id.clone(), Progress { dialect, ..Progress::default() })
        };
        Self {
            id: proposal.session_id.clone(),
            server,
            peers: roster.others().map(progress).collect(),
            proposal,
            proposer,
            roster,
            consent: None,
            stage: Stage::Proposed,
            wait: Wait {
                since: ctx.now,
                deadline: ctx.now.after(deadlines.proposal),
                nudge_at: ctx.now,
                nudges: 0,
            },
            deadlines,
            effects: Vec::new(),
        }
    }

    // ---- what it is ----

    pub(super) fn id(&self) -> &SessionId {
        &self.id
    }

    pub(super) fn server(&self) -> ServerId {
        self.server
    }

    pub(super) fn proposal(&self) -> &Proposal {
        &self.proposal
    }

    pub(super) fn proposer(&self) -> &PeerId {
        &self.proposer
    }

    pub(super) fn roster(&self) -> &Roster {
        &self.roster
    }

    pub(super) fn since(&self) -> Timestamp {
        self.wait.since
    }

    /// Whether a peer at a server is another participant.
    pub(super) fn has(&self, peer: &Address) -> bool {
        self.server == peer.server && self.roster.is_other(&peer.peer)
    }

    /// Where another participant is.
    pub(super) fn address(&self, peer: &PeerId) -> Address {
        Address::new(self.server, peer)
    }

    /// Whether this node proposed it.
    pub(super) fn is_mine(&self) -> bool {
        !self.peers.contains_key(&self.proposer)
    }

    /// Whether everyone has to prove who it is.
    pub(super) fn is_verified(&self) -> bool {
        self.proposal.protocol.is_some() && self.proposal.allow_unverified != Some(true)
    }

    /// Whether a participant takes part without a secure channel, as a baseline peer does.
    pub(super) fn is_baseline(&self, peer: &PeerId) -> bool {
        let dialect = self.peers.get(peer).map(|p| p.dialect);
        !self.is_verified() && dialect == Some(Dialect::Baseline)
    }

    // ---- where it stands ----

    pub(super) fn phase(&self) -> PhaseName {
        match &self.stage {
            Stage::Proposed | Stage::Advancing => PhaseName::Proposed,
            Stage::Running(_, phase) => match phase {
                Phase::Connecting | Phase::Meshed { .. } => PhaseName::Meshing,
                Phase::Round1(_) | Phase::Comparing(_) => PhaseName::Round1,
                Phase::Readying(_) | Phase::Round2(_) => PhaseName::Round2,
                Phase::Storing(_) | Phase::Confirming(_) | Phase::Finishing(_) => {
                    PhaseName::Confirming
                }
            },
            Stage::Done { .. } => PhaseName::Done,
            Stage::Aborted { .. } => PhaseName::Aborted,
        }
    }

    pub(super) fn is_proposed(&self) -> bool {
        matches!(self.stage, Stage::Proposed)
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Done { .. } | Stage::Aborted { .. })
    }

    /// Accepted here and not over.
    pub(super) fn is_running(&self) -> bool {
        matches!(self.stage, Stage::Running(..))
    }

    /// The person here is to compare the safety words.
    pub(super) fn is_comparing(&self) -> bool {
        matches!(self.stage, Stage::Running(_, Phase::Comparing(_)))
    }

    /// Waits for other participants, and so can still end without a key.
    pub(super) fn is_undecided(&self) -> bool {
        !self.is_over() && !matches!(self.stage, Stage::Running(_, Phase::Finishing(_)))
    }

    /// Whether this node accepted it at some time.
    pub(super) fn was_accepted(&self) -> bool {
        self.consent.is_some()
    }

    /// Whether direct connections are wanted: while it runs, and for a while after a success, for
    /// participants that lack a message.
    pub(super) fn wants_connections(&self, now: Timestamp) -> bool {
        let lingers = matches!(self.stage, Stage::Done { .. }) && now < self.linger_ends();
        self.is_running() || lingers
    }

    pub(super) fn linger_ends(&self) -> Timestamp {
        self.wait.since.after(self.deadlines.linger)
    }

    /// Whether a data channel to one of its participants may have been opened for this session.
    pub(super) fn uses_channels(&self, now: Timestamp) -> bool {
        !self.is_over() || now < self.wait.since.after(AFTERMATH)
    }

    /// Whether the signaling server is still needed to find somebody.
    pub(super) fn needs_server(&self) -> bool {
        matches!(self.stage, Stage::Proposed | Stage::Running(_, Phase::Connecting))
    }

    /// Whether somebody can be reached through the server only.
    pub(super) fn relies_on_server(&self) -> bool {
        let indirect = self.peers.values().any(|peer| {
            !peer.path.works && peer.carrier.is_none_or(|carrier| carrier.needs_server)
        });
        self.needs_server() || (self.is_running() && indirect)
    }

    pub(super) fn reason(&self) -> Option<&Reason> {
        if let Stage::Aborted { reason } = &self.stage { Some(reason) } else { None }
    }

    /// The group key, once it is made and stored here.
    pub(super) fn pubkey(&self) -> Option<&str> {
        match &self.stage {
            Stage::Running(_, Phase::Confirming(made) | Phase::Finishing(made)) => {
                Some(&made.pubkey)
            }
            Stage::Done { pubkey } => Some(pubkey),
            _ => None,
        }
    }

    pub(super) fn run(&self) -> Option<&Run> {
        if let Stage::Running(run, _) = &self.stage { Some(run) } else { None }
    }

    /// The safety words, while they are to be compared here.
    pub(super) fn words(&self) -> Option<[u16; WORDS]> {
        self.run().filter(|_| self.is_comparing())?.transcript.as_ref()?.words()
    }

    /// The least that is known of any participant with a secure channel.
    pub(super) fn trust(&self) -> Trust {
        let trusts = || self.peers.values().filter_map(|peer| peer.identity).map(|(_, t)| t);
        if trusts().any(|trust| trust == Trust::New) {
            Trust::New
        } else if trusts().any(|trust| trust == Trust::Seen) {
            Trust::Seen
        } else {
            Trust::Verified
        }
    }

    /// Whether a participant is known to be who it says, and not only to have an identity.
    pub(super) fn is_known(&self, peer: &PeerId) -> bool {
        let trust = self.peers.get(peer).and_then(|p| p.identity).map(|(_, trust)| trust);
        trust == Some(Trust::Verified)
    }

    // ---- what the person here decides ----

    /// Takes part: announces that to everyone and starts to open channels.
    pub(super) fn accept(&mut self, ctx: &mut Ctx<'_>, allow_unverified: bool) {
        if !self.is_proposed() {
            return;
        }
        let trust_first_use = ctx.config.trust_first_use;
        self.consent = Some(Consent { allow_unverified, trust_first_use });
        self.stage = Stage::Running(Box::default(), Phase::Connecting);
        self.restart_wait(self.deadlines.mesh, ctx.now);
        self.takes_part(&self.proposer.clone()); // who proposes takes part
        // Hellos leave before the announcement: whoever receives that has had a hello already, and
        // sends none.
        self.send_hellos(ctx);
        // The other joiners learn by it that this node speaks the extensions.
        if !self.is_mine() {
            let response = self.response(true, None);
            for peer in self.peers.keys().cloned().collect::<Vec<_>>() {
                self.respond(&peer, response.clone());
            }
        }
    }

    /// Sends a hello to every participant that speaks the extensions and needs one.
    pub(super) fn send_hellos(&mut self, ctx: &Ctx<'_>) {
        if !self.is_running() {
            return;
        }
        let Some(me) = ctx.presence.me(self.server) else { return };
        for (peer, progress) in self.peers.iter_mut() {
            let undecided = progress.hello != HelloBy::Decided;
            if progress.dialect != Dialect::Extensions || !undecided {
                continue;
            }
            let ours = progress.hello == HelloBy::ThisNode || me < peer;
            progress.hello = HelloBy::Decided;
            if ours && !progress.has_channel() {
                let (session, peer) = (self.id.clone(), peer.clone());
                let hello = transport::Input::Hello { session, peer };
                self.effects.push(Effect::Transport(hello));
            }
        }
    }

    /// The safety words are the same for everyone, or not.
    pub(super) fn confirm_words(&mut self, ctx: &mut Ctx<'_>, they_match: bool) {
        if !they_match {
            let text = "the safety words differ: somebody sits in the middle";
            return self.end(Reason::plain(ReasonKind::Disagreement, text), ctx.now);
        }
        if self.is_comparing() {
            // The words are made of every identity: who compares them has verified all of them.
            for progress in self.peers.values_mut() {
                if let Some((_, trust)) = &mut progress.identity {
                    *trust = Trust::Verified;
                }
            }
            self.advance(ctx);
        }
    }

    // ---- its end ----

    /// Ends the session from here and tells all others why.
    pub(super) fn end(&mut self, reason: Reason, now: Timestamp) {
        if self.is_over() {
            return;
        }
        let farewell = self.response(false, Some(&reason));
        if self.is_undecided() {
            let told = |id: &&PeerId| Some(*id) != reason.reported_by.as_ref();
            for peer in self.peers.keys().filter(told).cloned().collect::<Vec<_>>() {
                self.respond(&peer, farewell.clone());
            }
        }
        self.abort(farewell, reason, now);
    }

    /// Notes the end. From now on `farewell` is the answer to whoever goes on.
    pub(super) fn abort(&mut self, farewell: PeerMessage, reason: Reason, now: Timestamp) {
        for progress in self.peers.values_mut() {
            progress.round1 = None;
            progress.round2 = None;
            progress.outbox = vec![farewell.clone()];
            progress.last_resent_at = Some(now);
        }
        self.event(Event::Aborted { session_id: self.id.clone(), reason: reason.clone() });
        self.stage = Stage::Aborted { reason };
        self.wait.since = now;
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

    // ---- sending ----

    pub(super) fn event(&mut self, event: Event) {
        self.effects.push(Effect::Output(Output::Event(event)));
    }

    /// Sends a message to all other participants, and keeps it for later channels.
    pub(super) fn broadcast(&mut self, message: &PeerMessage) {
        for peer in self.peers.keys().cloned().collect::<Vec<_>>() {
            self.send(&peer, message.clone());
        }
    }

    /// Sends a message to one participant, and keeps it for later channels.
    pub(super) fn send(&mut self, to: &PeerId, message: PeerMessage) {
        if let Some(progress) = self.peers.get_mut(to) {
            progress.outbox.push(message.clone());
            self.transmit(to, message);
        }
    }

    /// Sends a message: sealed where there is a secure channel, in the clear to a baseline peer.
    /// Where there is neither, it waits in the outbox until the channel stands.
    pub(super) fn transmit(&mut self, to: &PeerId, message: PeerMessage) {
        let Some(progress) = self.peers.get(to) else { return };
        // Whether somebody joins or leaves is no secret.
        let public = matches!(message, PeerMessage::SessionResponse { .. });
        if progress.has_channel() {
            let (session, peer) = (self.id.clone(), to.clone());
            let text = message.to_text().into_zeroizing();
            self.effects.push(Effect::Transport(transport::Input::Send { session, peer, text }));
        } else if public || self.is_baseline(to) {
            let address = self.address(to);
            self.effects.push(Effect::Transport(transport::Input::SendPlain { address, message }));
        }
    }

    /// Sends a `session_response`: without a secure channel over the data channel, and by relay too
    /// unless that works.
    pub(super) fn respond(&mut self, to: &PeerId, message: PeerMessage) {
        let Some(progress) = self.peers.get(to) else { return };
        let by_relay = !progress.has_channel() && !progress.path.works;
        self.transmit(to, message.clone());
        if by_relay {
            let address = self.address(to);
            self.effects.push(Effect::Transport(transport::Input::RelayPlain { address, message }));
        }
    }

    /// Sends again what was sent to a participant.
    pub(super) fn repeat(&mut self, to: &PeerId, now: Timestamp) {
        let Some(progress) = self.peers.get(to) else { return };
        if progress.has_channel() {
            let (session, peer) = (self.id.clone(), to.clone());
            self.effects.push(Effect::Transport(transport::Input::Resend { session, peer }));
        } else if self.is_baseline(to) {
            self.send_outbox(to, now);
        }
    }

    /// Sends everything that was sent to a participant so far over a new channel.
    pub(super) fn send_outbox(&mut self, to: &PeerId, now: Timestamp) {
        let stale = matches!(self.stage, Stage::Aborted { .. }) && now >= self.linger_ends();
        let Some(progress) = self.peers.get_mut(to).filter(|_| !stale) else { return };
        progress.last_resent_at = Some(now);
        let sealed = progress.has_channel();
        for message in progress.outbox.clone() {
            if sealed {
                self.transmit(to, message);
            } else {
                let address = self.address(to);
                let plain = transport::Input::SendPlain { address, message };
                self.effects.push(Effect::Transport(plain));
            }
        }
    }

    /// The proposer proposes again, since it has not heard from this node.
    pub(super) fn proposed_again(&mut self, now: Timestamp) {
        let proposer = self.proposer.clone();
        match &self.stage {
            Stage::Proposed | Stage::Advancing => {}
            Stage::Aborted { .. } | Stage::Done { .. } => self.send_again(&proposer, now),
            Stage::Running(..) => {
                let response = self.response(true, None);
                self.respond(&proposer, response);
            }
        }
    }

    /// Sends again what was sent to a participant that still waits: the end, where there is one,
    /// else every step.
    pub(super) fn send_again(&mut self, to: &PeerId, now: Timestamp) {
        let Some(progress) = self.peers.get_mut(to) else { return };
        if progress.outbox.is_empty() || !progress.may_resend(now) {
            return;
        }
        let farewell = progress.outbox.first().cloned();
        match farewell.filter(|_| matches!(self.stage, Stage::Aborted { .. })) {
            Some(farewell) => self.respond(to, farewell),
            None => self.repeat(to, now),
        }
    }

    // ---- what comes from other participants ----

    /// A secure channel to a participant stands.
    pub(super) fn channel_opened(
        &mut self,
        peer: &PeerId,
        identity: Identity,
        trust: Trust,
        now: Timestamp,
    ) {
        if let Some(progress) = self.peers.get_mut(peer) {
            progress.dialect = Dialect::Extensions;
            progress.identity = Some((identity, trust));
            self.send_outbox(peer, now);
        }
    }

    /// Notes that a participant takes part. True when that is new.
    pub(super) fn takes_part(&mut self, id: &PeerId) -> bool {
        let Some(progress) = self.peers.get_mut(id) else { return false };
        let new = !std::mem::replace(&mut progress.accepted, true);
        if new {
            self.event(Event::Accepted { session_id: self.id.clone(), peer_id: id.clone() });
        }
        new
    }

    /// Takes a message of another participant. The caller has checked that `from` is one.
    pub(super) fn message(&mut self, ctx: &mut Ctx<'_>, from: &PeerId, message: PeerMessage) {
        let (accepts, declines) = match &message {
            PeerMessage::SessionResponse { accepted, .. } => (*accepted, !*accepted),
            _ => (false, false),
        };
        match &self.stage {
            Stage::Aborted { .. } if declines => return,
            Stage::Aborted { .. } => return self.send_again(from, ctx.now),
            Stage::Done { .. } | Stage::Running(_, Phase::Finishing(_)) => {
                if accepts {
                    self.send_again(from, ctx.now);
                }
                return;
            }
            _ => {}
        }
        if let PeerMessage::SessionResponse { accepted: false, reason, cause, .. } = message {
            return self.left(from, reason.as_deref(), cause.as_ref(), ctx.now);
        }
        let known = !self.takes_part(from);
        if accepts && known {
            self.send_again(from, ctx.now);
        }
        if self.fill(from, message, ctx.now) {
            self.shorten_wait_once_all_accepted(ctx.now);
            self.advance(ctx);
        } else {
            let text = "sent two different messages for the same step";
            self.end(Reason::blame(ReasonKind::Conflict, from, text), ctx.now);
        }
    }

    /// Puts a message into its slot. False when the slot holds another one.
    fn fill(&mut self, from: &PeerId, message: PeerMessage, now: Timestamp) -> bool {
        let running = self.is_running();
        let Some(progress) = self.peers.get_mut(from) else { return true };
        match message {
            PeerMessage::MeshReady { proof, .. } => {
                progress.mesh_ready = true;
                progress.proofs.fill(ProvenStep::MeshReady, proof)
            }
            PeerMessage::Round1Package { data, proof, .. } => {
                Package::fill(&mut progress.round1, data.into())
                    && progress.proofs.fill(ProvenStep::Round1, proof)
            }
            PeerMessage::Ready { proof, .. } => {
                progress.ready = true;
                progress.proofs.fill(ProvenStep::Ready, proof)
            }
            PeerMessage::Round2Package { data, .. } => Package::fill(&mut progress.round2, data),
            PeerMessage::WalletCreated { pubkey, proof, .. } => {
                progress.set_created(pubkey)
                    && progress.proofs.fill(ProvenStep::WalletCreated, proof)
            }
            PeerMessage::Comparing { .. } => {
                progress.comparing = true;
                if matches!(self.stage, Stage::Running(_, Phase::Readying(_))) {
                    let person = now.after(self.deadlines.proposal);
                    self.wait.deadline = self.wait.deadline.max(person);
                }
                true
            }
            PeerMessage::SessionResponse { protocol, .. } => {
                if progress.dialect != Dialect::Extensions && protocol.is_some() {
                    progress.dialect = Dialect::Extensions;
                    if running && progress.hello == HelloBy::ThisNode {
                        progress.hello = HelloBy::Peer;
                    }
                }
                true
            }
            PeerMessage::SessionProposal(_)
            | PeerMessage::ChannelOpen { .. }
            | PeerMessage::Handshake { .. }
            | PeerMessage::Frame { .. }
            | PeerMessage::Ack { .. } => true,
        }
    }

    /// A participant declined or left.
    fn left(&mut self, from: &PeerId, text: Option<&str>, cause: Option<&Cause>, now: Timestamp) {
        let reason = Reason::reported(from, text, cause, |id| self.roster.is_other(id));
        if reason.kind == ReasonKind::Declined {
            let peer_id = reason.peer_id.clone().unwrap_or_else(|| from.clone());
            let (session_id, reason) = (self.id.clone(), text.map(str::to_owned));
            self.event(Event::Declined { session_id, peer_id, reason });
        }
        // A peer that names a cause has told everyone, so that a channel will do. A baseline peer
        // may have told this node alone. The accused hears it from the accuser: from this node it
        // would look like this node's accusation. An accusation of this node is its accuser's to
        // spread: here alone the accuser stands for the accused.
        let me = self.roster.at(self.roster.my_identifier()).map(PeerId::as_str);
        let culprit = cause.and_then(|cause| cause.culprit.as_deref());
        let accuses_me = culprit.is_some() && culprit == me;
        let mut farewell = self.response(false, Some(&reason));
        if accuses_me && let PeerMessage::SessionResponse { cause: sent, .. } = &mut farewell {
            *sent = cause.cloned();
        }
        if !accuses_me {
            let others = self.peers.keys().filter(|id| *id != from);
            let others = others.filter(|id| Some(*id) != reason.peer_id.as_ref());
            for peer in others.cloned().collect::<Vec<_>>() {
                match cause {
                    Some(_) => self.transmit(&peer, farewell.clone()),
                    None => self.respond(&peer, farewell.clone()),
                }
            }
        }
        self.abort(farewell, reason, now);
    }
}
