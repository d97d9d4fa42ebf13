//! The [`Node`]: takes inputs, routes messages to sessions, keeps the mesh, hands out outputs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rand_core::{CryptoRng, RngCore};

use super::connections::{Mesh, Surroundings};
use super::server_link::{POLL, ServerLink, State};
use super::session::{Act, Session};
use super::view::{ConnectionState, ConnectionView, SessionView, View};
use super::{
    Command, Config, Error, Event, Input, MAX_PROPOSALS_PER_PEER, MAX_SESSIONS, Output, PhaseName, Reason, ReasonKind,
    Roster, StoreRequest, Timestamp,
};
use crate::wire::{
    ClientMessage, ErrorCode, PeerId, PeerMessage, Proposal, RelayData, ServerMessage, SessionId, WireError, clip,
};

/// Sessions that are over and still shown.
const MAX_FINISHED: usize = 32;

/// A node: every protocol decision, and no IO. See the [module](super) for how to drive it.
pub struct Node<R> {
    config: Config,
    rng: R,
    server: ServerLink,
    mesh: Mesh,
    sessions: BTreeMap<SessionId, Session>,
    /// Order in which sessions came.
    order: Vec<SessionId>,
    /// Proposals that were sent while their addressee was not known to be there, and when they were sent last.
    told: BTreeMap<(SessionId, PeerId), (bool, Timestamp)>,
    out: VecDeque<Output>,
    wake: Option<Timestamp>,
    dirty: bool,
}

impl<R: RngCore + CryptoRng> Node<R> {
    /// A node that is offline and has no sessions. `rng` must be a cryptographic one outside of tests.
    pub fn new(config: Config, rng: R) -> Self {
        Self {
            config,
            rng,
            server: ServerLink::new(),
            mesh: Mesh::new(config.deadlines),
            sessions: BTreeMap::new(),
            order: Vec::new(),
            told: BTreeMap::new(),
            out: VecDeque::new(),
            wake: None,
            dirty: false,
        }
    }

    /// Takes one input. Drain [`Node::poll`] afterwards.
    ///
    /// # Errors
    /// A command that cannot be carried out; nothing has changed then. Other inputs never fail: what others send is
    /// judged, not trusted.
    pub fn handle(&mut self, now: Timestamp, input: Input) -> Result<(), Error> {
        self.dirty |= !matches!(input, Input::Tick);
        let result = match input {
            Input::Command(command) => self.command(now, command),
            other => {
                self.happened(now, other);
                Ok(())
            }
        };
        self.settle(now);
        result
    }

    /// The next thing to do, if any.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// A snapshot for people.
    #[must_use]
    pub fn view(&self) -> View {
        let me = self.server.me.as_ref();
        let state = match self.server.state {
            State::Offline => ConnectionState::Offline,
            State::Online => ConnectionState::Online,
            State::Opening | State::Registering | State::Waiting(_) => ConnectionState::Connecting,
        };
        let sessions = self.order.iter().filter_map(|id| self.sessions.get(id));
        View {
            connection: ConnectionView {
                state,
                server_url: Some(self.server.url.clone()).filter(|url| !url.is_empty()),
                peer_id: me.cloned(),
                error: self.server.error.clone(),
                since: self.server.since,
            },
            peers_online: self.server.present.iter().filter(|id| Some(*id) != me).cloned().collect(),
            sessions: sessions.map(|s| SessionView::of(s, me, |id| self.mesh.state(id))).collect(),
        }
    }

    // ---- commands ----

    fn command(&mut self, now: Timestamp, command: Command) -> Result<(), Error> {
        match command {
            Command::Connect { server_url, peer_id } => {
                self.connect(now, server_url, peer_id);
                Ok(())
            }
            Command::Disconnect => {
                self.close_server(now);
                self.server.error = None;
                self.end_all(ReasonKind::Cancelled, "this node left the signaling server", Session::needs_server);
                Ok(())
            }
            Command::ListPeers => {
                if !self.server.is_online() {
                    return Err(Error::Offline);
                }
                self.to_server(&ClientMessage::ListPeers);
                Ok(())
            }
            Command::Propose { session_id, participants, threshold, allow_unverified } => {
                self.propose(now, session_id, &participants, threshold, allow_unverified)
            }
            Command::Accept { session_id, allow_unverified } => {
                if !allow_unverified {
                    return Err(Error::UnverifiedNotAllowed);
                }
                let session = self.undecided(&session_id)?;
                session.accept(allow_unverified, now);
                self.started(&session_id);
                self.said(Event::Accepted { session_id, peer_id: self.server.me.clone().ok_or(Error::Offline)? });
                Ok(())
            }
            Command::Decline { session_id } => {
                let reason = Reason::plain(ReasonKind::Declined, "the person there chose not to take part");
                self.undecided(&session_id)?.end(reason);
                Ok(())
            }
            Command::Cancel { session_id } => {
                let open = self.sessions.get_mut(&session_id).filter(|s| !s.is_over());
                let session = open.ok_or_else(|| Error::NoSuchSession(session_id.clone()))?;
                session.end(Reason::plain(ReasonKind::Cancelled, "left by the person there"));
                Ok(())
            }
            Command::Dismiss { session_id } => {
                let over = self.sessions.get(&session_id).is_some_and(Session::is_over);
                if !over {
                    return Err(Error::NoSuchSession(session_id));
                }
                self.order.retain(|id| *id != session_id); // the id stays used
                Ok(())
            }
        }
    }

    fn undecided(&mut self, id: &SessionId) -> Result<&mut Session, Error> {
        let undecided = self.sessions.get_mut(id).filter(|s| s.phase() == PhaseName::Proposed);
        undecided.ok_or_else(|| Error::NoSuchSession(id.clone()))
    }

    fn connect(&mut self, now: Timestamp, url: String, me: PeerId) {
        let same = self.server.url == url && self.server.me.as_ref() == Some(&me);
        if same && matches!(self.server.state, State::Online | State::Opening | State::Registering) {
            return;
        }
        self.close_server(now);
        if !same {
            self.end_all(ReasonKind::Cancelled, "this node took another name or server", |s| !s.is_over());
            self.carry_out();
            self.mesh.clear(&mut self.out);
        }
        self.server = ServerLink::new();
        self.server.url = url;
        self.server.me = Some(me);
        self.open_server(now);
    }

    fn open_server(&mut self, now: Timestamp) {
        self.server.enter(State::Opening, now);
        self.server.away_since.get_or_insert(now);
        self.out.push_back(Output::OpenServer { url: self.server.url.clone() });
    }

    fn close_server(&mut self, now: Timestamp) {
        if matches!(self.server.state, State::Opening | State::Registering | State::Online) {
            self.out.push_back(Output::CloseServer);
        }
        self.server.enter(State::Offline, now);
        self.server.away_since = None;
        self.server.next_poll = None;
        self.server.present.clear();
    }

    fn propose(
        &mut self,
        now: Timestamp,
        session_id: SessionId,
        participants: &[PeerId],
        threshold: u16,
        allow_unverified: bool,
    ) -> Result<(), Error> {
        let me = self.server.me.clone().ok_or(Error::Offline)?;
        let proposal = Proposal {
            session_id: session_id.clone(),
            total: participants.len() as u64,
            threshold: u64::from(threshold),
            participants: participants.iter().map(|id| id.as_str().to_owned()).collect(),
            ciphersuite: None,
            allow_unverified: Some(allow_unverified),
        };
        let roster = Roster::check(&proposal, &me, &me)?;
        if !allow_unverified {
            return Err(Error::UnverifiedNotAllowed);
        }
        if !self.server.is_online() {
            return Err(Error::Offline);
        }
        if self.sessions.contains_key(&session_id) {
            return Err(Error::SessionIdUsed(session_id));
        }
        if self.open_sessions() >= MAX_SESSIONS {
            return Err(Error::TooManySessions);
        }
        self.add(Session::new(proposal, me.clone(), roster, self.config.deadlines, now));
        if let Some(session) = self.sessions.get_mut(&session_id) {
            session.accept(allow_unverified, now);
        }
        for peer in self.others(&session_id) {
            self.tell(now, &session_id, &peer);
        }
        self.started(&session_id);
        Ok(())
    }

    fn add(&mut self, session: Session) {
        self.said(Event::Proposed {
            session_id: session.id.clone(),
            peer_id: session.proposer.clone(),
            participants: session.roster.participants().to_vec(),
            total: session.roster.total(),
            threshold: session.roster.threshold(),
        });
        self.order.push(session.id.clone());
        self.sessions.insert(session.id.clone(), session);
        self.forget_finished();
    }

    /// Keeps the list of finished sessions short. Their ids are forgotten with them.
    fn forget_finished(&mut self) {
        let over: Vec<SessionId> =
            self.sessions.values().filter(|s| s.is_over()).map(|s| (s.since, s.id.clone())).collect::<BTreeSet<_>>()
                .into_iter().map(|(_, id)| id).collect();
        for id in over.iter().take(over.len().saturating_sub(MAX_FINISHED)) {
            self.sessions.remove(id);
            self.order.retain(|other| other != id);
        }
    }

    /// A session begins to run here: connections that have been idle are not trusted to be alive.
    fn started(&mut self, id: &SessionId) {
        for peer in self.others(id) {
            let used = self.sessions.values().any(|s| s.id != *id && s.is_running() && s.roster.is_other(&peer));
            if !used {
                self.mesh.refresh(&peer, &mut self.out);
            }
        }
    }

    fn others(&self, id: &SessionId) -> Vec<PeerId> {
        self.sessions.get(id).map(|s| s.roster.others().cloned().collect()).unwrap_or_default()
    }

    fn open_sessions(&self) -> usize {
        self.sessions.values().filter(|s| !s.is_over()).count()
    }

    fn end_all(&mut self, kind: ReasonKind, text: &str, which: impl Fn(&Session) -> bool) {
        for session in self.sessions.values_mut().filter(|s| which(s)) {
            session.end(Reason::plain(kind, text));
        }
    }

    // ---- what happened outside ----

    fn happened(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::Command(_) | Input::Tick => {}
            Input::ServerOpened => {
                if let (State::Opening, Some(peer_id)) = (self.server.state, self.server.me.clone()) {
                    self.server.enter(State::Registering, now);
                    // A baseline server does not answer `register`; it does answer this, and in order.
                    self.to_server(&ClientMessage::Register { peer_id });
                    self.to_server(&ClientMessage::ListPeers);
                }
            }
            Input::ServerText(text) => self.server_text(now, &text),
            Input::ServerClosed { reason } => self.server_lost(now, clip(&reason)),
            Input::LocalDescription { peer, attempt, sdp } => {
                self.with_mesh(now, |mesh, s| mesh.local_description(&peer, attempt, sdp, s));
            }
            Input::LocalCandidate { peer, attempt, candidate } => {
                self.with_mesh(now, |mesh, s| mesh.local_candidate(&peer, attempt, candidate, s));
            }
            Input::ChannelOpened { peer, attempt } => self.channel_opened(&peer, attempt),
            Input::ChannelText { peer, attempt, text } => {
                if self.mesh.channel(&peer) == Some(attempt) {
                    self.channel_text(now, &peer, &text);
                }
            }
            Input::ChannelStalled { peer, attempt, stalled } => self.mesh.stalled(&peer, attempt, stalled, now),
            Input::ConnectionClosed { peer, attempt, reason } => {
                if self.mesh.closed(&peer, attempt, now) {
                    self.said(Event::PeerDisconnected { peer_id: peer, reason: clip(&reason) });
                }
            }
            Input::Stored { session_id, result } => {
                if let Some(session) = self.sessions.get_mut(&session_id) {
                    session.stored(result, now, &mut self.rng);
                }
            }
        }
    }

    fn server_lost(&mut self, now: Timestamp, reason: String) {
        if self.server.state == State::Offline {
            return;
        }
        self.said(Event::ServerLost { reason: reason.clone(), was_registered: self.server.was_online });
        self.server.lost(reason, now);
    }

    fn server_text(&mut self, now: Timestamp, text: &str) {
        match ServerMessage::parse(text) {
            Ok(ServerMessage::Peers { peers }) => self.peers(now, peers),
            Ok(ServerMessage::Relay { from, data }) => match RelayData::parse(&data) {
                Ok(data) => self.relayed(now, &from, data),
                Err(error) => self.ignored(Some(&from), &error),
            },
            Ok(ServerMessage::Error { error, code, peer_id }) => self.server_error(now, error, code, peer_id),
            Err(error) => self.ignored(None, &error),
        }
    }

    fn peers(&mut self, now: Timestamp, peers: Vec<PeerId>) {
        if self.server.state == State::Registering {
            self.server.online(now);
            if let Some(peer_id) = self.server.me.clone() {
                self.said(Event::Registered { peer_id });
            }
        }
        self.server.present = peers.iter().cloned().collect();
        for (key, told) in &mut self.told {
            told.0 &= self.server.present.contains(&key.1);
        }
        self.said(Event::Peers { peers });
    }

    fn server_error(&mut self, now: Timestamp, error: String, code: Option<ErrorCode>, peer: Option<PeerId>) {
        if self.server.state == State::Registering {
            self.out.push_back(Output::CloseServer);
            if self.server.was_online && code == Some(ErrorCode::PeerIdTaken) {
                // Our own old socket, which the server has not found dead yet.
                return self.server_lost(now, error);
            }
            self.server.enter(State::Offline, now);
            self.server.error = Some(error.clone());
            self.said(Event::ServerRefused { reason: error.clone() });
            return self.end_all(ReasonKind::ServerLost, &error, Session::needs_server);
        }
        match (code, peer) {
            (Some(ErrorCode::TargetOffline), Some(peer)) => {
                self.server.present.remove(&peer);
                self.mesh.not_delivered(&peer);
                for (_, told) in self.told.iter_mut().filter(|((_, id), _)| *id == peer) {
                    told.0 = false;
                }
            }
            _ => self.said(Event::Ignored { peer_id: None, reason: format!("the server says: {error}") }),
        }
    }

    fn relayed(&mut self, now: Timestamp, from: &PeerId, data: RelayData) {
        if self.server.me.as_ref() == Some(from) {
            return;
        }
        let wanted = self.wanted(now).contains(from);
        match data {
            RelayData::Offer { sdp, .. } => {
                let result = self.with_mesh(now, |mesh, s| mesh.offer(from, sdp, wanted, s));
                if let Some(Err(text)) = result {
                    self.said(Event::Ignored { peer_id: Some(from.clone()), reason: text.to_owned() });
                }
            }
            RelayData::Answer { sdp, .. } => {
                self.with_mesh(now, |mesh, s| mesh.answer(from, sdp, s));
            }
            RelayData::IceCandidate { candidate, .. } => {
                self.with_mesh(now, |mesh, s| mesh.candidate(from, candidate, s));
            }
            RelayData::Peer(message, msg_id) => {
                if let Some(msg_id) = msg_id {
                    self.relay(from, PeerMessage::Ack { msg_id });
                }
                match message {
                    PeerMessage::SessionProposal(_) | PeerMessage::SessionResponse { .. } | PeerMessage::Ack { .. } => {
                        self.peer_message(now, from, message);
                    }
                    // The server may have written it: steps of a ceremony count on a channel only.
                    other => {
                        let reason = format!("'{}' came by relay, where it does not count", other.kind());
                        self.said(Event::Ignored { peer_id: Some(from.clone()), reason });
                    }
                }
            }
        }
    }

    fn channel_opened(&mut self, peer: &PeerId, attempt: u32) {
        if self.mesh.opened(peer, attempt) {
            self.said(Event::PeerConnected { peer_id: peer.clone(), carrier: "direct", verified: false });
            self.greet(peer);
        }
    }

    /// Says who we are, and all that was said to `peer` so far in every session that still matters.
    fn greet(&mut self, peer: &PeerId) {
        let Some(me) = self.server.me.clone() else { return };
        let mut messages = vec![PeerMessage::ChannelOpen { peer_id: me }];
        for session in self.sessions.values() {
            messages.extend_from_slice(session.said_to(peer));
        }
        for message in messages {
            self.to_channel(peer, &message);
        }
    }

    fn channel_text(&mut self, now: Timestamp, from: &PeerId, text: &str) {
        match PeerMessage::parse(text) {
            Ok((message, msg_id)) => {
                if let Some(msg_id) = msg_id {
                    self.to_channel(from, &PeerMessage::Ack { msg_id });
                }
                if let PeerMessage::ChannelOpen { peer_id } = &message {
                    if peer_id != from {
                        self.blame(from, &format!("calls itself {peer_id} on its own channel"));
                    }
                }
                self.peer_message(now, from, message);
            }
            Err(error @ WireError::UnknownType(_)) => self.ignored(Some(from), &error),
            Err(error) => self.blame(from, &format!("sent something that is no message of the protocol: {error}")),
        }
    }

    /// Ends the running sessions of a peer whose channel carries nonsense: what it left out cannot be known.
    fn blame(&mut self, peer: &PeerId, text: &str) {
        for session in self.sessions.values_mut().filter(|s| s.is_running() && s.roster.is_other(peer)) {
            session.end(Reason::blame(ReasonKind::BadMessage, peer, text));
        }
    }

    fn ignored(&mut self, peer: Option<&PeerId>, error: &WireError) {
        self.said(Event::Ignored { peer_id: peer.cloned(), reason: error.to_string() });
    }

    // ---- peer messages ----

    fn peer_message(&mut self, now: Timestamp, from: &PeerId, message: PeerMessage) {
        match message {
            PeerMessage::SessionProposal(proposal) => self.proposed(now, from, proposal),
            PeerMessage::ChannelOpen { .. } | PeerMessage::Ack { .. } => {}
            message => match self.session_of(from, message.session_id()) {
                Some(id) => self.to_session(now, &id, from, message),
                None if message.session_id().is_some_and(|id| !self.sessions.contains_key(id)) => {
                    if !self.mesh.keep_early(from, message, now) {
                        let reason = "too many messages for sessions that are not known here".to_owned();
                        self.said(Event::Ignored { peer_id: Some(from.clone()), reason });
                    }
                }
                None => {}
            },
        }
    }

    fn to_session(&mut self, now: Timestamp, id: &SessionId, from: &PeerId, message: PeerMessage) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.message(from, message, now, &mut self.rng);
        }
    }

    /// The session of a message: the one it names, or the one that is open with its sender.
    fn session_of(&self, from: &PeerId, named: Option<&SessionId>) -> Option<SessionId> {
        if let Some(id) = named {
            return self.sessions.get(id).filter(|s| s.roster.is_other(from)).map(|s| s.id.clone());
        }
        let only = |which: fn(&Session) -> bool| {
            let mut open = self.sessions.values().filter(|s| which(s) && s.roster.is_other(from));
            open.next().filter(|_| open.next().is_none()).map(|s| s.id.clone())
        };
        only(Session::is_running).or_else(|| only(|s| !s.is_over()))
    }

    fn proposed(&mut self, now: Timestamp, from: &PeerId, proposal: Proposal) {
        let Some(me) = self.server.me.clone() else { return };
        let id = proposal.session_id.clone();
        if let Some(known) = self.sessions.get_mut(&id) {
            if known.proposer != *from {
                let reason = "its session id belongs to another session here";
                return self.refuse(from, id, reason.to_owned());
            }
            if known.proposal != proposal {
                let text = "sent two different proposals for one session";
                known.end(Reason::blame(ReasonKind::Conflict, from, text));
            }
            return;
        }
        let roster = match Roster::check(&proposal, from, &me) {
            Ok(roster) => roster,
            Err(error) => return self.refuse(from, id, error.to_string()),
        };
        let undecided = |s: &&Session| s.proposer == *from && s.phase() == PhaseName::Proposed;
        if self.open_sessions() >= MAX_SESSIONS
            || self.sessions.values().filter(undecided).count() >= MAX_PROPOSALS_PER_PEER
        {
            return self.refuse(from, id, "too many sessions are open here".to_owned());
        }
        let others: Vec<PeerId> = roster.others().cloned().collect();
        self.add(Session::new(proposal, from.clone(), roster, self.config.deadlines, now));
        for peer in others {
            for message in self.mesh.take_early(&peer, &id) {
                self.to_session(now, &id, &peer, message);
            }
        }
    }

    fn refuse(&mut self, from: &PeerId, session_id: SessionId, reason: String) {
        let reason = clip(&reason);
        self.relay(
            from,
            PeerMessage::SessionResponse {
                session_id: Some(session_id.clone()),
                accepted: false,
                reason: Some(reason.clone()),
                cause: Some(Reason::plain(ReasonKind::Declined, "").cause()),
            },
        );
        self.said(Event::Refused { session_id, peer_id: from.clone(), reason });
    }

    // ---- after every input ----

    fn settle(&mut self, now: Timestamp) {
        self.keep_server(now);
        for session in self.sessions.values_mut() {
            session.tick(now);
        }
        self.carry_out();
        self.tell_who_came(now);
        let wanted = self.wanted(now);
        self.with_mesh(now, |mesh, s| mesh.tend(&wanted, s));
        let open = self.mesh.open_peers();
        for session in self.sessions.values_mut() {
            session.channels(&open, now, &mut self.rng);
        }
        self.carry_out();
        if std::mem::take(&mut self.dirty) {
            self.out.push_back(Output::ViewChanged);
        }
        self.wake(now);
    }

    /// Tries the server again, asks who is there, and ends what cannot go on without it.
    fn keep_server(&mut self, now: Timestamp) {
        if let State::Waiting(at) = self.server.state {
            if at <= now {
                self.open_server(now);
            }
        }
        let away = self.server.away_since.filter(|since| since.after(self.config.deadlines.server) <= now);
        if away.is_some() && !self.server.gone {
            self.server.gone = true;
            let why = self.server.error.clone().unwrap_or_else(|| "no answer".to_owned());
            self.said(Event::ServerGone { reason: why.clone() });
            let text = format!("the signaling server went away while it was needed: {why}");
            self.end_all(ReasonKind::ServerLost, &text, Session::needs_server);
        }
        let missing = self.sessions.values().any(|s| s.is_running() && s.needs_server());
        if !(missing && self.server.is_online()) {
            self.server.next_poll = None;
        } else if *self.server.next_poll.get_or_insert(now.after(POLL)) <= now {
            self.server.next_poll = Some(now.after(POLL));
            self.to_server(&ClientMessage::ListPeers);
        }
    }

    /// Carries out what sessions ask for, until they ask for nothing.
    fn carry_out(&mut self) {
        let mut acts = Vec::new();
        for session in self.sessions.values_mut() {
            acts.extend(session.take_acts().into_iter().map(|act| (session.id.clone(), act)));
        }
        for (session_id, act) in acts {
            self.dirty = true;
            match act {
                Act::Send(to, message) => self.to_channel(&to, &message),
                Act::Respond(to, message) if self.mesh.channel(&to).is_some() => self.to_channel(&to, &message),
                Act::Respond(to, message) => self.relay(&to, message),
                Act::Keep(record) => {
                    self.out.push_back(Output::Store { session_id, request: StoreRequest::Keep(record) });
                }
                Act::Confirm(pubkey) => {
                    self.out.push_back(Output::Store { session_id, request: StoreRequest::Confirm { pubkey } });
                }
                Act::Event(event) => self.said(event),
            }
        }
    }

    /// Proposes to participants who had not come yet, and again to those who have not shown themselves.
    fn tell_who_came(&mut self, now: Timestamp) {
        let patience = 2 * self.config.deadlines.repeat;
        let silent: Vec<(SessionId, PeerId)> = self.silent().collect();
        self.told.retain(|key, _| silent.contains(key));
        for (id, peer) in silent {
            let (delivered, at) = self.told.get(&(id.clone(), peer.clone())).copied().unwrap_or((false, now));
            let come = !delivered && self.server.present.contains(&peer);
            if self.server.is_online() && (come || at.after(patience) <= now) {
                self.tell(now, &id, &peer);
            }
        }
    }

    /// Participants of our own proposals who have not shown themselves.
    fn silent(&self) -> impl Iterator<Item = (SessionId, PeerId)> + '_ {
        let mine = self.sessions.values().filter(|s| s.is_running() && Some(&s.proposer) == self.server.me.as_ref());
        mine.flat_map(|s| {
            s.peers.iter().filter(|(_, p)| !p.accepted).map(|(id, _)| (s.id.clone(), id.clone()))
        })
    }

    fn tell(&mut self, now: Timestamp, id: &SessionId, peer: &PeerId) {
        let Some(proposal) = self.sessions.get(id).map(|s| s.proposal.clone()) else { return };
        let present = self.server.present.contains(peer);
        self.told.insert((id.clone(), peer.clone()), (present, now));
        self.relay(peer, PeerMessage::SessionProposal(proposal));
    }

    /// Peers whom a session needs.
    fn wanted(&self, now: Timestamp) -> BTreeSet<PeerId> {
        let sessions = self.sessions.values().filter(|s| s.wants_channels(now));
        sessions.flat_map(|s| s.roster.others().cloned()).collect()
    }

    fn wake(&mut self, now: Timestamp) {
        let server = match self.server.state {
            State::Waiting(at) => Some(at),
            _ => self.server.next_poll,
        };
        let gone = self.server.away_since.filter(|_| !self.server.gone).map(|t| t.after(self.config.deadlines.server));
        let sessions = self.sessions.values().filter_map(Session::next_deadline).min();
        let patience = 2 * self.config.deadlines.repeat;
        let told = self.told.values().map(|(_, at)| at.after(patience)).min().filter(|_| self.server.is_online());
        let wanted = self.wanted(now);
        let linger = self.sessions.values().filter(|s| s.wants_channels(now) && !s.is_running());
        let linger = linger.map(|s| s.since.after(self.config.deadlines.linger)).min();
        let mesh = self.mesh.next_deadline(&wanted);
        // Never in the past: what is due and could not be done now waits for its cause, not for the clock.
        let soonest = [server, gone, sessions, told, linger, mesh].into_iter().flatten().min();
        let soonest = soonest.map(|at| at.max(now.after(1)));
        if soonest != self.wake {
            self.wake = soonest;
            if let Some(at) = soonest {
                self.out.push_back(Output::WakeAt(at));
            }
        }
    }

    // ---- sending ----

    fn with_mesh<T>(&mut self, now: Timestamp, f: impl FnOnce(&mut Mesh, &mut Surroundings<'_>) -> T) -> Option<T> {
        let online = self.server.is_online();
        let me = self.server.me.as_ref()?;
        let mut s = Surroundings { now, me, online, present: &self.server.present, out: &mut self.out };
        Some(f(&mut self.mesh, &mut s))
    }

    fn to_server(&mut self, message: &ClientMessage) {
        self.out.push_back(Output::SendServer(message.to_json()));
    }

    fn to_channel(&mut self, to: &PeerId, message: &PeerMessage) {
        if let Some(attempt) = self.mesh.channel(to) {
            self.out.push_back(Output::SendChannel { peer: to.clone(), attempt, text: message.to_text() });
        }
    }

    fn relay(&mut self, to: &PeerId, message: PeerMessage) {
        if self.server.is_online() {
            let data = RelayData::Peer(message, None).to_raw();
            self.to_server(&ClientMessage::Relay { to: to.clone(), data });
        }
    }

    fn said(&mut self, event: Event) {
        self.out.push_back(Output::Event(event));
    }
}
