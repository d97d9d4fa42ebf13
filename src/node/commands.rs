//! What people, or programs in place of them, want of a node.

use rand_core::{CryptoRng, RngCore};

use super::core::Node;
use super::links::Tools;
use super::server_link::{ServerLink, State};
use super::session::Session;
use super::{
    Command, Error, Event, MAX_SESSIONS, Output, PhaseName, Reason, ReasonKind, Roster, Timestamp,
};
use crate::frost::Suite;
use crate::wire::{PROTOCOL_VERSION, PeerId, Proposal, SessionId};

impl<R: RngCore + CryptoRng> Node<R> {
    pub(super) fn command(&mut self, now: Timestamp, command: Command) -> Result<(), Error> {
        match command {
            Command::Connect { server_url, peer_id } => {
                self.connect(now, server_url, peer_id);
                Ok(())
            }
            Command::Disconnect => {
                self.end_all(
                    now,
                    ReasonKind::Cancelled,
                    "it left the signaling server",
                    Session::needs_server,
                );
                self.carry_out(now); // while there is a way to say it
                self.close_server(now);
                self.server.error = None;
                Ok(())
            }
            Command::ListPeers => {
                if !self.server.is_online() {
                    return Err(Error::Offline);
                }
                self.list_peers(now);
                Ok(())
            }
            Command::Propose { session_id, participants, threshold, suite, allow_unverified } => {
                let mut proposal = self.proposal(session_id, &participants, threshold, suite);
                proposal.allow_unverified = Some(allow_unverified);
                self.begin(now, proposal)
            }
            Command::Accept { session_id, allow_unverified } => {
                self.accept(now, session_id, allow_unverified)
            }
            Command::ConfirmWords { session_id, they_match } => {
                self.confirm_words(now, &session_id, they_match)
            }
            Command::Invite { session_id, total, threshold, suite, name, lifetime } => {
                self.invite(now, session_id, (total, threshold), suite, name, lifetime)
            }
            Command::JoinInvite { invite, .. } => self.join_invite(now, *invite),
            Command::Request { pubkey, content, lifetime } => {
                let life = lifetime.saturating_mul(1000);
                self.in_group(&pubkey, |group, tools| group.request(&content, life, now, tools))
            }
            Command::ApproveRequest { request, rule } => self.vote(now, &request, true, rule),
            Command::DeclineRequest { request, rule } => self.vote(now, &request, false, rule),
            Command::Check { pubkey } => self.in_group(&pubkey, |group, tools| {
                group.start_check(now, tools);
                Ok(())
            }),
            Command::RenameContact { who, name } => {
                self.contacts.rename(&who, &name)?;
                self.store_contacts();
                Ok(())
            }
            Command::ForgetContact { who } => {
                self.contacts.forget(&who)?;
                self.store_contacts();
                Ok(())
            }
            Command::BlockContact { who, blocked } => {
                self.contacts.block(&who, blocked)?;
                self.store_contacts();
                Ok(())
            }
            Command::Decline { session_id } => {
                let reason =
                    Reason::plain(ReasonKind::Declined, "the person there chose not to take part");
                self.undecided(&session_id)?.end(reason, now);
                Ok(())
            }
            Command::Cancel { session_id } => {
                if !self.sessions.contains_key(&session_id) && self.invites.remove(&session_id) {
                    return Ok(());
                }
                let open = self.sessions.get_mut(&session_id).filter(|s| s.is_undecided());
                let session = open.ok_or_else(|| Error::NoSuchSession(session_id.clone()))?;
                session.end(Reason::plain(ReasonKind::Cancelled, "left by the person there"), now);
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

    fn store_contacts(&mut self) {
        self.out.push_back(Output::StoreContacts(self.contacts.clone()));
    }

    /// Votes on a request that is named by the beginning of its id.
    fn vote(
        &mut self,
        now: Timestamp,
        request: &str,
        approves: bool,
        rule: Option<String>,
    ) -> Result<(), Error> {
        let (pubkey, id) = self.request_named(request)?;
        self.in_group(&pubkey, |group, tools| {
            group.decide(&id, approves, rule.as_deref(), now, tools)
        })
    }

    fn undecided(&mut self, id: &SessionId) -> Result<&mut Session, Error> {
        let undecided = self.sessions.get_mut(id).filter(|s| s.phase() == PhaseName::Proposed);
        undecided.ok_or_else(|| Error::NoSuchSession(id.clone()))
    }

    fn connect(&mut self, now: Timestamp, url: String, me: PeerId) {
        let same = self.server.url == url && self.server.me.as_ref() == Some(&me);
        if same && self.server.has_socket() {
            return;
        }
        if !same {
            let text = "this node took another name or server";
            self.end_all(now, ReasonKind::Cancelled, text, |s| !s.is_over());
            self.carry_out(now); // while there is a way to say it
            self.mesh.clear(&mut self.out);
        }
        self.close_server(now);
        let was_online = same && self.server.was_online;
        self.server = ServerLink { url, me: Some(me), was_online, ..ServerLink::new() };
        self.open_server(now);
    }

    pub(super) fn open_server(&mut self, now: Timestamp) {
        self.server.enter(State::Opening, now);
        self.server.away_since.get_or_insert(now);
        self.out.push_back(Output::OpenServer { url: self.server.url.clone() });
    }

    fn close_server(&mut self, now: Timestamp) {
        if self.server.has_socket() {
            self.out.push_back(Output::CloseServer);
        }
        self.server.enter(State::Offline, now);
        self.server.away_since = None;
        self.server.present.clear();
    }

    /// A proposal of this node's, for participants who prove who they are.
    pub(super) fn proposal(
        &mut self,
        session_id: SessionId,
        participants: &[PeerId],
        threshold: u16,
        suite: Suite,
    ) -> Proposal {
        let mut nonce = [0; 32];
        self.rng.fill_bytes(&mut nonce);
        Proposal {
            session_id,
            total: participants.len() as u64,
            threshold: u64::from(threshold),
            participants: participants.iter().map(|id| id.as_str().to_owned()).collect(),
            // A baseline peer need not know the name of what it does anyway.
            ciphersuite: (suite != Suite::default()).then(|| suite.id().to_owned()),
            allow_unverified: Some(false),
            protocol: Some(PROTOCOL_VERSION),
            name: None,
            nonce: Some(nonce),
        }
    }

    /// Begins a session of this node's own.
    pub(super) fn begin(&mut self, now: Timestamp, proposal: Proposal) -> Result<(), Error> {
        let me = self.server.me.clone().ok_or(Error::Offline)?;
        let session_id = proposal.session_id.clone();
        let roster = Roster::check(&proposal, &me, &me)?;
        if !self.server.is_online() {
            return Err(Error::Offline);
        }
        if self.sessions.contains_key(&session_id) || self.is_group(&session_id) {
            return Err(Error::SessionIdUsed(session_id));
        }
        self.room_to_run()?;
        let allow_unverified = proposal.allow_unverified == Some(true);
        let mut session = Session::new(proposal, me, roster, self.config.deadlines, now);
        session.trust_first_use = self.config.trust_first_use;
        session.accept(allow_unverified, now);
        self.add(session);
        self.started(now, &session_id);
        for peer in self.others(&session_id) {
            self.propose_to(now, &session_id, &peer);
        }
        Ok(())
    }

    fn confirm_words(
        &mut self,
        now: Timestamp,
        session_id: &SessionId,
        they_match: bool,
    ) -> Result<(), Error> {
        let comparing = self.sessions.get_mut(session_id).filter(|s| s.is_comparing());
        let session = comparing.ok_or_else(|| Error::NoSuchSession(session_id.clone()))?;
        if they_match {
            session.words_match = true;
            session.advance(now, &mut Tools { key: &self.identity, rng: &mut self.rng });
        } else {
            let text = "the safety words differ: somebody sits in the middle";
            session.end(Reason::plain(ReasonKind::Disagreement, text), now);
        }
        Ok(())
    }

    pub(super) fn accept(
        &mut self,
        now: Timestamp,
        session_id: SessionId,
        allow_unverified: bool,
    ) -> Result<(), Error> {
        let me = self.server.me.clone().ok_or(Error::Offline)?;
        let verified = self.undecided(&session_id)?.is_verified();
        if !verified && !allow_unverified {
            return Err(Error::UnverifiedNotAllowed);
        }
        self.room_to_run()?;
        let trust_first_use = self.config.trust_first_use;
        let session = self.undecided(&session_id)?;
        session.trust_first_use = trust_first_use;
        session.accept(allow_unverified && !verified, now);
        self.started(now, &session_id);
        // What came before this decision.
        for peer in self.others(&session_id) {
            for message in self.mesh.take_early(&peer, &session_id) {
                self.peer_message(now, &peer, message);
            }
        }
        self.say(Event::Accepted { session_id, peer_id: me });
        Ok(())
    }

    fn room_to_run(&self) -> Result<(), Error> {
        let running = self.sessions.values().filter(|s| s.is_running()).count();
        if running < MAX_SESSIONS { Ok(()) } else { Err(Error::TooManySessions) }
    }

    /// A session begins to run here: connections that have been idle are not trusted to be alive.
    fn started(&mut self, now: Timestamp, id: &SessionId) {
        self.invites.started(id);
        let invited = self.invites.psk(id).is_some();
        for peer in self.others(id) {
            if let Some(progress) = self.sessions.get_mut(id).and_then(|s| s.peers.get_mut(&peer)) {
                progress.knows_us |= invited && !progress.extended;
                progress.extended |= invited;
            }
            if let Some(identity) = self.links.of(id, &peer).and_then(|link| link.identity) {
                self.link_opened(now, id, &peer, identity);
            }
            let used = self
                .sessions
                .values()
                .any(|s| s.id != *id && s.is_running() && s.roster.is_other(&peer));
            if !used {
                self.mesh.refresh(&peer, &mut self.out);
            }
        }
    }

    pub(super) fn others(&self, id: &SessionId) -> Vec<PeerId> {
        self.sessions.get(id).map(|s| s.roster.others().cloned().collect()).unwrap_or_default()
    }
}
