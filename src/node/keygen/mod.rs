//! Sessions: making keys with others, from a proposal or an invite to the confirmed wallet.
//!
//! - `session` is one session; `rounds` makes its steps, `waiting` keeps its deadlines.
//! - `progress` is what a session knows of one participant, `transcript` what everyone signs.
//! - `invites` are sessions whose roster is not known beforehand.
//! - `messages` gives every message of a peer to its session.

mod effect;
mod invites;
mod inviting;
mod messages;
mod progress;
mod proposal;
mod rounds;
mod session;
mod transcript;
mod view;
mod waiting;

use std::collections::VecDeque;

pub(super) use self::effect::{Effect, Input, KeygenCommand};
use self::invites::Invites;
use self::progress::{Dialect, HelloBy};
use self::proposal::proposal;
use self::session::Session;
use super::ctx::Ctx;
use super::early::EarlyMessages;
use super::presence::{Address, ServerId};
use super::transport::{self, Admission, Path, SessionScope, Stage};
use super::{MAX_SESSIONS, Output};
use crate::agreement::Roster;
use crate::api::{Error, Event, InviteView, PhaseName, Reason, ReasonKind, SessionView, Timestamp};
use crate::identity::Identity;
use crate::sorted::{Map, Set};
use crate::wire::{PeerId, Proposal, SessionId};

/// Sessions that are over and still shown.
const MAX_FINISHED: usize = 32;

/// The machine.
#[derive(Default)]
pub(super) struct Keygen {
    sessions: Map<SessionId, Session>,
    /// Sessions that are shown, in the order in which they came.
    order: Vec<SessionId>,
    invites: Invites,
    /// Messages for sessions that are not known or not accepted yet.
    early: EarlyMessages,
    /// Identities at the other end of channels of sessions by invite, before there is a session.
    guests: Map<(SessionId, PeerId), Identity>,
    /// The direct ways to peers.
    paths: Map<Address, Path>,
    /// What the transport was told of each session last.
    scopes: Map<SessionId, SessionScope>,
    /// Servers at which somebody is awaited, as reported last.
    awaiting: Set<ServerId>,
    effects: VecDeque<Effect>,
}

impl Keygen {
    /// Carries out what a person here wants.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub(super) fn command(
        &mut self,
        ctx: &mut Ctx<'_>,
        command: KeygenCommand,
    ) -> Result<(), Error> {
        match command {
            KeygenCommand::Propose {
                server,
                session_id,
                participants,
                threshold,
                suite,
                allow_unverified,
            } => {
                let mut proposal = proposal(ctx, session_id, &participants, threshold, suite);
                proposal.allow_unverified = Some(allow_unverified);
                self.begin(ctx, server, proposal)
            }
            KeygenCommand::Accept { session_id, allow_unverified } => {
                self.accept(ctx, &session_id, allow_unverified)
            }
            KeygenCommand::Decline { session_id } => {
                let text = "the person there chose not to take part";
                let reason = Reason::plain(ReasonKind::Declined, text);
                self.proposed_mut(&session_id)?.end(reason, ctx.now);
                Ok(())
            }
            KeygenCommand::ConfirmWords { session_id, they_match } => {
                let comparing = self.sessions.get_mut(&session_id).filter(|s| s.is_comparing());
                let session = comparing.ok_or(Error::NoSuchSession(session_id))?;
                session.confirm_words(ctx, they_match);
                Ok(())
            }
            KeygenCommand::Invite {
                server,
                server_url,
                session_id,
                total,
                threshold,
                suite,
                name,
                lifetime,
            } => {
                let terms = invites::Terms { total, threshold, suite, name, lifetime };
                self.invite(ctx, server, server_url, session_id, terms)
            }
            KeygenCommand::JoinInvite { server, invite } => self.join_invite(ctx, server, *invite),
            KeygenCommand::Cancel { session_id } => {
                if !self.sessions.contains_key(&session_id) && self.invites.remove(&session_id) {
                    return Ok(());
                }
                let open = self.sessions.get_mut(&session_id).filter(|s| s.is_undecided());
                let session = open.ok_or(Error::NoSuchSession(session_id))?;
                session
                    .end(Reason::plain(ReasonKind::Cancelled, "left by the person there"), ctx.now);
                Ok(())
            }
            KeygenCommand::Dismiss { session_id } => {
                if !self.sessions.get(&session_id).is_some_and(Session::is_over) {
                    return Err(Error::NoSuchSession(session_id));
                }
                self.order.retain(|id| *id != session_id); // the id stays used
                Ok(())
            }
        }
    }

    /// Takes an input. What it leads to comes from [`Keygen::poll`].
    pub(super) fn handle(&mut self, ctx: &mut Ctx<'_>, input: Input) {
        match input {
            Input::Transport(effect) => self.transported(ctx, effect),
            Input::Stored { session_id, result } => {
                if let Some(session) = self.sessions.get_mut(&session_id) {
                    session.stored(ctx, result);
                }
            }
            Input::ServerGone { server, why } => {
                let text = format!("the signaling server went away while it was needed: {why}");
                self.end_all(ctx, server, ReasonKind::ServerLost, &text, Session::relies_on_server);
            }
            Input::ServerRefused { server, why } => {
                self.end_all(ctx, server, ReasonKind::ServerLost, &why, Session::needs_server);
            }
            Input::Leaving { server, all: false } => {
                let text = "it left the signaling server";
                self.end_all(ctx, server, ReasonKind::Cancelled, text, Session::needs_server);
            }
            Input::Leaving { server, all: true } => {
                let text = "this node took another name or server";
                self.end_all(ctx, server, ReasonKind::Cancelled, text, |s| !s.is_over());
            }
        }
    }

    /// The next thing to do. Also does what is due by the clock.
    pub(super) fn poll(&mut self, ctx: &mut Ctx<'_>) -> Option<Effect> {
        if self.effects.is_empty() {
            self.tick(ctx);
        }
        self.effects.pop_front()
    }

    /// When the clock alone moves it.
    pub(super) fn next_deadline(&self, ctx: &Ctx<'_>) -> Option<Timestamp> {
        let sessions = self.sessions.values().filter_map(|session| session.next_deadline(ctx));
        sessions.chain(self.invites.next_deadline()).min()
    }

    fn tick(&mut self, ctx: &mut Ctx<'_>) {
        let sessions = &self.sessions;
        let uses = |id: &SessionId| sessions.get(id).is_some_and(|s| s.uses_channels(ctx.now));
        self.invites.expire(ctx.now, uses);
        let shared = self.shared(ctx.now);
        for session in self.sessions.values_mut() {
            session.tick(ctx, &shared);
        }
        // A session's scope goes first: what the session asks for needs it.
        self.publish_scopes(ctx.now);
        for session in self.sessions.values_mut() {
            self.effects.extend(std::mem::take(&mut session.effects));
        }
        self.greet_hosts(ctx);
        self.publish_awaiting();
    }

    // ---- what the transport has to know ----

    fn scope(&self, id: &SessionId, now: Timestamp) -> Option<SessionScope> {
        let psk = self.invites.psk(id);
        let Some(session) = self.sessions.get(id) else {
            return self.invites.scope(id, now, psk);
        };
        let stage = if session.is_proposed() {
            Stage::Pending
        } else if session.is_running() {
            Stage::Active
        } else if session.uses_channels(now) {
            Stage::Ending
        } else {
            Stage::Over
        };
        Some(SessionScope {
            server: session.server(),
            peers: session.roster().others().cloned().collect(),
            admission: Admission::Peers,
            stage,
            psk,
            direct: session.wants_connections(now),
        })
    }

    /// Tells the transport what sessions need of it, where that has changed.
    fn publish_scopes(&mut self, now: Timestamp) {
        let mut ids: Set<SessionId> = self.scopes.keys().cloned().collect();
        ids.extend(self.sessions.keys().cloned());
        ids.extend(self.invites.ids());
        for session in ids {
            let scope = self.scope(&session, now);
            if self.scopes.get(&session) == scope.as_ref() {
                continue;
            }
            match &scope {
                Some(scope) => drop(self.scopes.insert(session.clone(), scope.clone())),
                None => drop(self.scopes.remove(&session)),
            }
            let input = transport::Input::Session { session, scope };
            self.effects.push_back(Effect::Transport(input));
        }
    }

    /// Reports at which servers somebody is awaited, where that has changed.
    fn publish_awaiting(&mut self) {
        let awaits = |s: &&Session| s.is_running() && s.relies_on_server();
        let awaiting: Set<ServerId> =
            self.sessions.values().filter(awaits).map(Session::server).collect();
        for server in awaiting.iter().filter(|id| !self.awaiting.contains(id)) {
            self.effects.push_back(Effect::AwaitPeers { server: *server, awaits: true });
        }
        for server in self.awaiting.iter().filter(|id| !awaiting.contains(id)) {
            self.effects.push_back(Effect::AwaitPeers { server: *server, awaits: false });
        }
        self.awaiting = awaiting;
    }

    /// Peers that take part in several sessions, so that a data channel to them may be there for
    /// any of these.
    fn shared(&self, now: Timestamp) -> Set<Address> {
        let (mut once, mut twice) = (Set::default(), Set::default());
        for session in self.sessions.values().filter(|s| s.uses_channels(now)) {
            for peer in session.roster().others() {
                let address = session.address(peer);
                if !once.insert(address.clone()) {
                    twice.insert(address);
                }
            }
        }
        twice
    }

    // ---- sessions ----

    fn add(&mut self, session: Session) {
        let roster = session.roster();
        self.event(Event::Proposed {
            session_id: session.id().clone(),
            peer_id: session.proposer().clone(),
            participants: roster.participants().to_vec(),
            total: roster.total(),
            threshold: roster.threshold(),
            suite: roster.suite(),
        });
        self.order.push(session.id().clone());
        self.sessions.insert(session.id().clone(), session);
        self.forget_finished();
    }

    /// Keeps the list of finished sessions short: those go first that nobody here had accepted,
    /// then the oldest. Their ids are forgotten with them.
    fn forget_finished(&mut self) {
        let over = self.sessions.values().filter(|s| s.is_over());
        let over: Set<(bool, Timestamp, SessionId)> =
            over.map(|s| (s.was_accepted(), s.since(), s.id().clone())).collect();
        let excess = over.len().saturating_sub(MAX_FINISHED);
        for (_, _, id) in over.into_iter().take(excess) {
            self.sessions.remove(&id);
            self.order.retain(|other| *other != id);
        }
    }

    fn end_all(
        &mut self,
        ctx: &Ctx<'_>,
        server: ServerId,
        kind: ReasonKind,
        text: &str,
        which: impl Fn(&Session) -> bool,
    ) {
        let concerned = |s: &&mut Session| s.server() == server && which(s);
        for session in self.sessions.values_mut().filter(concerned) {
            session.end(Reason::plain(kind, text), ctx.now);
        }
    }

    fn proposed_mut(&mut self, id: &SessionId) -> Result<&mut Session, Error> {
        let proposed = self.sessions.get_mut(id).filter(|session| session.is_proposed());
        proposed.ok_or_else(|| Error::NoSuchSession(id.clone()))
    }

    /// Begins a session of this node's own.
    fn begin(
        &mut self,
        ctx: &mut Ctx<'_>,
        server: ServerId,
        proposal: Proposal,
    ) -> Result<(), Error> {
        let me = ctx.presence.me(server).cloned().ok_or(Error::Offline)?;
        let session_id = proposal.session_id.clone();
        let roster = Roster::check(&proposal, &me, &me)?;
        if !ctx.presence.is_online(server) {
            return Err(Error::Offline);
        }
        if self.sessions.contains_key(&session_id) {
            return Err(Error::SessionIdUsed(session_id));
        }
        self.room_to_run()?;
        let allow_unverified = proposal.allow_unverified == Some(true);
        self.add(Session::new(ctx, server, proposal, me, roster));
        self.start(ctx, &session_id, allow_unverified);
        if let Some(session) = self.sessions.get_mut(&session_id) {
            for peer in session.roster().others().cloned().collect::<Vec<_>>() {
                session.propose_to(ctx, &peer);
            }
        }
        Ok(())
    }

    fn accept(
        &mut self,
        ctx: &mut Ctx<'_>,
        session_id: &SessionId,
        allow_unverified: bool,
    ) -> Result<(), Error> {
        let session = self.proposed_mut(session_id)?;
        let (verified, server) = (session.is_verified(), session.server());
        let me = ctx.presence.me(server).cloned().ok_or(Error::Offline)?;
        if !verified && !allow_unverified {
            return Err(Error::UnverifiedNotAllowed);
        }
        self.room_to_run()?;
        self.start(ctx, session_id, allow_unverified && !verified);
        self.replay_early(ctx, session_id);
        self.event(Event::Accepted { session_id: session_id.clone(), peer_id: me });
        Ok(())
    }

    fn room_to_run(&self) -> Result<(), Error> {
        let running = self.sessions.values().filter(|session| session.is_running()).count();
        if running < MAX_SESSIONS { Ok(()) } else { Err(Error::TooManySessions) }
    }

    /// A session begins to run here.
    fn start(&mut self, ctx: &mut Ctx<'_>, id: &SessionId, allow_unverified: bool) {
        self.invites.started(id);
        let invited = self.invites.psk(id).is_some();
        let Some(session) = self.sessions.get(id) else { return };
        let peers: Vec<Address> =
            session.roster().others().map(|peer| session.address(peer)).collect();
        for address in &peers {
            let used = |s: &&Session| s.id() != id && s.is_running() && s.has(address);
            // A connection that was idle is not trusted to be alive.
            if !self.sessions.values().any(|s| used(&s)) {
                let refresh = transport::Input::Refresh { address: address.clone() };
                self.effects.push_back(Effect::Transport(refresh));
            }
            let path = self.paths.get(address).copied().unwrap_or_default();
            if let Some(session) = self.sessions.get_mut(id)
                && let Some(progress) = session.peers.get_mut(&address.peer)
            {
                progress.path = path;
                if invited && progress.dialect != Dialect::Extensions {
                    (progress.dialect, progress.hello) = (Dialect::Extensions, HelloBy::Peer);
                }
            }
            if let Some(identity) = self.guests.get(&(id.clone(), address.peer.clone())).copied() {
                self.channel_opened(ctx, id, &address.peer, identity);
            }
        }
        if let Some(session) = self.sessions.get_mut(id) {
            session.accept(ctx, allow_unverified);
        }
    }

    /// Whether a session id is in use.
    pub(super) fn knows(&self, id: &SessionId) -> bool {
        self.sessions.contains_key(id) || self.invites.contains(id)
    }

    /// Whether a server is needed for an invite or a session.
    pub(super) fn needs_server(&self, server: ServerId, now: Timestamp) -> bool {
        self.sessions.values().any(|s| s.server() == server && s.uses_channels(now))
            || self.invites.needs_server(server)
    }

    fn event(&mut self, event: Event) {
        self.effects.push_back(Effect::Output(Output::Event(event)));
    }

    fn ignored(&mut self, peer: Option<&PeerId>, reason: String) {
        self.event(Event::Ignored { peer_id: peer.cloned(), reason });
    }

    /// What people see of sessions, in the order in which they came.
    pub(super) fn session_views(&self) -> Vec<SessionView> {
        let sessions = self.order.iter().filter_map(|id| self.sessions.get(id));
        sessions.map(Session::view).collect()
    }

    /// What people see of invites.
    pub(super) fn invite_views(&self) -> Vec<InviteView> {
        self.invites.views()
    }

    fn undecided_proposals(&self) -> impl Iterator<Item = &Session> + Clone {
        self.sessions.values().filter(|session| session.phase() == PhaseName::Proposed)
    }
}
