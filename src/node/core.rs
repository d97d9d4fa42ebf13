//! The [`Node`]: takes inputs, hands out outputs, and settles after every input what follows from it.
//!
//! What people want is in `commands`, what comes from the server and from peers in `routing`.

use std::collections::VecDeque;

use rand_core::{CryptoRng, RngCore};

use super::groups::Joined;
use super::invites::Invites;
use super::links::{Links, Tools};
use super::mesh::{Mesh, Surroundings};
use super::server_link::{ServerLink, State};
use super::session::{Act, Session};
use super::wallet::Wallets;
use super::{Config, Error, Event, Input, Output, Reason, ReasonKind, StoreRequest, Timestamp};
use crate::api::{CarrierChoice, ConnectionState, ConnectionView, View};
use crate::identity::{Contacts, IdentityKey};
use crate::sorted::{Map, Set};
use crate::wire::{ClientMessage, PeerId, PeerMessage, RelayData, SessionId};

/// Sessions that are over and still shown.
const MAX_FINISHED: usize = 32;

/// A node: every protocol decision, and no IO. See the [module](super) for how to drive it.
pub struct Node<R> {
    pub(super) config: Config,
    pub(super) rng: R,
    pub(super) identity: IdentityKey,
    pub(super) contacts: Contacts,
    pub(super) links: Links,
    pub(super) invites: Invites,
    pub(super) server: ServerLink,
    pub(super) mesh: Mesh,
    pub(super) sessions: Map<SessionId, Session>,
    pub(super) wallets: Wallets,
    /// The members to whom wallets keep secure channels.
    pub(super) joined: Vec<Joined>,
    /// Sessions that are shown, in the order in which they came.
    pub(super) order: Vec<SessionId>,
    /// Our proposals to those who have not shown themselves: whether the addressee was known to be there, and when they
    /// were sent last.
    pub(super) told: Map<(SessionId, PeerId), (bool, Timestamp)>,
    pub(super) out: VecDeque<Output>,
    /// When the last input came.
    now: Timestamp,
    wake: Option<Timestamp>,
    pub(super) dirty: bool,
}

impl<R: RngCore + CryptoRng> Node<R> {
    /// A node that is offline and has no sessions: who it is, and whom it knows. `rng` must be a cryptographic one outside
    /// of tests.
    pub fn new(config: Config, identity: IdentityKey, contacts: Contacts, mut rng: R) -> Self {
        let mesh = Mesh::new(config.deadlines, rng.next_u32());
        Self {
            config,
            rng,
            identity,
            contacts,
            links: Links::default(),
            invites: Invites::default(),
            server: ServerLink::new(),
            mesh,
            sessions: Map::default(),
            wallets: Wallets::default(),
            joined: Vec::new(),
            order: Vec::new(),
            told: Map::default(),
            out: VecDeque::new(),
            now: Timestamp::default(),
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
        self.now = now;
        let result = match input {
            Input::Tick => {
                self.wake = None; // the driver's timer is spent
                Ok(())
            }
            Input::Command(command) => {
                self.dirty = true;
                self.command(now, command)
            }
            other => {
                self.dirty = true;
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

    /// Whether the others who are there have everything that was said over links.
    #[must_use]
    pub fn is_delivered(&self) -> bool {
        self.wallets.is_durable()
            && !self.links.are_waiting(|peer| {
                self.server.present.contains(peer) || self.mesh.state(peer).open
            })
    }

    /// A snapshot for people.
    #[must_use]
    pub fn view(&self) -> View {
        let now = self.now;
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
            peers_online: self
                .server
                .present
                .iter()
                .filter(|id| Some(*id) != me)
                .cloned()
                .collect(),
            sessions: sessions.map(|s| self.session_view(s)).collect(),
            invites: self.invite_views(),
            identity: self.identity.identity().fingerprint().to_string(),
            contacts: self.contact_views(),
            groups: self.wallets.views(now),
        }
    }

    // ---- sessions ----

    pub(super) fn add(&mut self, session: Session) {
        self.say(Event::Proposed {
            session_id: session.id.clone(),
            peer_id: session.proposer.clone(),
            participants: session.roster.participants().to_vec(),
            total: session.roster.total(),
            threshold: session.roster.threshold(),
            suite: session.roster.suite(),
        });
        self.order.push(session.id.clone());
        self.sessions.insert(session.id.clone(), session);
        self.forget_finished();
    }

    /// Keeps the list of finished sessions short: those go first that nobody here had accepted, then the oldest. Their
    /// ids are forgotten with them.
    fn forget_finished(&mut self) {
        let over = self.sessions.values().filter(|s| s.is_over());
        let over: Set<_> = over.map(|s| (s.taken, s.since, s.id.clone())).collect();
        let excess = over.len().saturating_sub(MAX_FINISHED);
        for (_, _, id) in over.into_iter().take(excess) {
            self.sessions.remove(&id);
            self.order.retain(|other| *other != id);
        }
    }

    pub(super) fn end_all(
        &mut self,
        now: Timestamp,
        kind: ReasonKind,
        text: &str,
        which: impl Fn(&Session) -> bool,
    ) {
        for session in self.sessions.values_mut().filter(|s| which(s)) {
            session.end(Reason::plain(kind, text), now);
        }
    }

    // ---- after every input ----

    fn settle(&mut self, now: Timestamp) {
        self.keep_server(now);
        for session in self.sessions.values_mut() {
            session.tick(now);
        }
        // A hello goes before the word that this node has joined: who hears of that has been greeted already.
        let sessions = &self.sessions;
        self.invites.expire(now, |id| sessions.get(id).is_some_and(|s| s.uses_channels(now)));
        self.greet_hosts(now);
        self.greet_participants(now);
        self.greet_members(now);
        self.flush_links(now);
        self.carry_out(now);
        self.tell_who_came(now);
        self.greet_participants(now);
        let wanted = self.wanted(now);
        let open_sessions = self.sessions.values().filter(|s| !s.is_over());
        self.mesh.expect(open_sessions.flat_map(|s| s.roster.others().cloned()).collect());
        self.with_mesh(now, |mesh, s| mesh.tend(&wanted, s));
        self.find_plain_peers(now);
        self.tell_carriers();
        let mut shared = self.shared(now);
        shared.extend(self.mesh.outspoken());
        let reachable: Vec<_> =
            self.sessions.values().map(|session| self.reachable(session)).collect();
        for (session, open) in self.sessions.values_mut().zip(reachable) {
            session.channels(
                &open,
                &shared,
                now,
                &mut Tools { key: &self.identity, rng: &mut self.rng },
            );
        }
        self.carry_out(now);
        self.settle_groups(now);
        self.flush_links(now);
        let wanted = self.wanted(now);
        self.mesh.close_idle(&wanted, now, &mut self.out);
        if std::mem::take(&mut self.dirty) {
            self.out.push_back(Output::ViewChanged);
        }
        self.wake(now, &wanted);
    }

    /// Tries the server again, asks who is there, and ends what cannot go on without it.
    fn keep_server(&mut self, now: Timestamp) {
        let patience = self.config.deadlines.server;
        if self.server.owes_since.is_some_and(|since| since.after(patience) <= now) {
            self.out.push_back(Output::CloseServer);
            self.server_lost(now, format!("it did not answer within {} s", patience / 1000));
        }
        if matches!(self.server.state, State::Waiting(at) if at <= now) {
            self.open_server(now);
        }
        let away = self.server.away_since.is_some_and(|since| since.after(patience) <= now);
        if away && !self.server.gone {
            self.server.gone = true;
            self.dirty = true;
            let why = self.server.error.clone().unwrap_or_else(|| "no answer".to_owned());
            self.say(Event::ServerGone { reason: why.clone() });
            let text = format!("the signaling server went away while it was needed: {why}");
            let stranded: Set<SessionId> = self
                .sessions
                .values()
                .filter(|s| self.relies_on_server(s))
                .map(|s| s.id.clone())
                .collect();
            self.end_all(now, ReasonKind::ServerLost, &text, |s| stranded.contains(&s.id));
        }
        if self.server.next_poll(self.is_somebody_missing()).is_some_and(|at| at <= now) {
            self.list_peers(now);
        }
    }

    fn is_somebody_missing(&self) -> bool {
        self.sessions.values().any(|s| s.is_running() && self.relies_on_server(s))
    }

    pub(super) fn list_peers(&mut self, now: Timestamp) {
        self.server.asked = now;
        self.server.owes_since.get_or_insert(now);
        self.ask_server(&ClientMessage::ListPeers);
    }

    /// Carries out what sessions ask for.
    pub(super) fn carry_out(&mut self, now: Timestamp) {
        let mut acts = Vec::new();
        for session in self.sessions.values_mut() {
            acts.extend(session.take_acts().into_iter().map(|act| (session.id.clone(), act)));
        }
        for (session_id, act) in acts {
            match act {
                Act::Send(to, message) => self.say_in(&session_id, &to, &message),
                Act::Respond(to, message) if self.links.is_open(&session_id, &to) => {
                    self.say_in(&session_id, &to, &message);
                }
                Act::Respond(to, message) => self.respond(&to, message),
                Act::Repeat(to) => {
                    if let Some(link) =
                        self.links.of_mut(&session_id, &to).filter(|link| link.is_open())
                    {
                        link.say_again();
                        continue;
                    }
                    let plain = self.sessions.get_mut(&session_id).filter(|s| s.is_plain(&to));
                    for message in plain.map(|s| s.said_to(&to, now).to_vec()).unwrap_or_default() {
                        self.say_on_channel(&to, &message);
                    }
                }
                Act::Keep(record) => {
                    self.out.push_back(Output::Store {
                        session_id,
                        request: StoreRequest::Unconfirmed(record),
                    });
                }
                Act::Confirm(pubkey, certificate) => {
                    let request = StoreRequest::Confirm { pubkey, certificate };
                    self.out.push_back(Output::Store { session_id, request });
                }
                Act::Evidence(evidence) => self.out.push_back(Output::StoreEvidence(evidence)),
                Act::Met => self.remember(now, &session_id),
                Act::Event(event) => {
                    self.dirty = true;
                    self.say(event);
                }
            }
        }
    }

    /// Proposes to participants who had not come yet, and again to those who have not shown themselves.
    fn tell_who_came(&mut self, now: Timestamp) {
        let patience = self.proposal_pause();
        let silent: Set<(SessionId, PeerId)> = self.silent().collect();
        self.told.retain(|key, _| silent.contains(key));
        for (id, peer) in silent {
            let (delivered, at) =
                self.told.get(&(id.clone(), peer.clone())).copied().unwrap_or((false, now));
            let come = !delivered && self.server.present.contains(&peer);
            if self.server.is_online() && (come || at.after(patience) <= now) {
                self.propose_to(now, &id, &peer);
            }
        }
    }

    fn proposal_pause(&self) -> u64 {
        2 * self.config.deadlines.repeat
    }

    /// Participants of our own proposals who have not shown themselves.
    fn silent(&self) -> impl Iterator<Item = (SessionId, PeerId)> + '_ {
        let mine = self
            .sessions
            .values()
            .filter(|s| s.is_running() && Some(&s.proposer) == self.server.me.as_ref());
        mine.flat_map(|s| {
            s.peers.iter().filter(|(_, p)| !p.accepted).map(|(id, _)| (s.id.clone(), id.clone()))
        })
    }

    pub(super) fn propose_to(&mut self, now: Timestamp, id: &SessionId, peer: &PeerId) {
        let Some(proposal) = self.sessions.get(id).map(|s| s.proposal.clone()) else { return };
        let present = self.server.present.contains(peer);
        self.told.insert((id.clone(), peer.clone()), (present, now));
        if self.invites.psk(id).is_some() {
            return self.say_in(id, peer, &PeerMessage::SessionProposal(proposal));
        }
        self.relay(peer, PeerMessage::SessionProposal(proposal));
    }

    /// Peers whom a session needs.
    fn wanted(&self, now: Timestamp) -> Set<PeerId> {
        if self.config.carrier == CarrierChoice::Relay {
            return Set::default();
        }
        let sessions = self.sessions.values().filter(|s| s.wants_channels(now));
        let participants = sessions.flat_map(|s| s.roster.others().cloned());
        participants.chain(self.wanted_members()).collect()
    }

    /// Peers who take part in several sessions, so that a channel to them may be there for any of these.
    fn shared(&self, now: Timestamp) -> Set<PeerId> {
        let (mut once, mut twice) = (Set::default(), Set::default());
        let sessions = || self.sessions.values().filter(|s| s.uses_channels(now));
        if sessions().count() < 2 {
            return twice;
        }
        for session in sessions() {
            let seen_before = session.roster.others().filter(|id| !once.insert((*id).clone()));
            twice.extend(seen_before.cloned());
        }
        twice
    }

    fn wake(&mut self, now: Timestamp, wanted: &Set<PeerId>) {
        let server = &self.server;
        let patience = self.config.deadlines.server;
        let pause = self.proposal_pause();
        let reopen = if let State::Waiting(at) = server.state { Some(at) } else { None };
        let times = [
            reopen,
            server.next_poll(self.is_somebody_missing()),
            server.owes_since.map(|since| since.after(patience)),
            server.away_since.filter(|_| !server.gone).map(|since| since.after(patience)),
            self.mesh.next_deadline(wanted, now),
            self.next_silence(now),
            self.links.next_deadline(),
            self.invites.next_deadline(),
            self.wallets.next_deadline(now),
        ];
        let told =
            self.told.values().filter(|_| server.is_online()).map(|(_, at)| Some(at.after(pause)));
        let sessions = self.sessions.values().map(Session::next_deadline);
        // What is due already and could not be done waits for its cause, not for the clock.
        let soonest =
            times.into_iter().chain(told).chain(sessions).flatten().filter(|at| *at > now).min();
        if soonest != self.wake {
            self.wake = soonest;
            if let Some(at) = soonest {
                self.out.push_back(Output::WakeAt(at));
            }
        }
    }

    // ---- sending ----

    pub(super) fn with_mesh<T>(
        &mut self,
        now: Timestamp,
        f: impl FnOnce(&mut Mesh, &mut Surroundings<'_>) -> T,
    ) -> Option<T> {
        let online = self.server.is_online();
        let me = self.server.me.as_ref()?;
        let mut s =
            Surroundings { now, me, online, present: &self.server.present, out: &mut self.out };
        Some(f(&mut self.mesh, &mut s))
    }

    pub(super) fn ask_server(&mut self, message: &ClientMessage) {
        self.out.push_back(Output::SendServer(message.to_json()));
    }

    pub(super) fn say_on_channel(&mut self, to: &PeerId, message: &PeerMessage) {
        if let Some(attempt) = self.mesh.channel(to) {
            self.out.push_back(Output::SendChannel {
                peer: to.clone(),
                attempt,
                text: message.to_text(),
            });
        }
    }

    pub(super) fn relay(&mut self, to: &PeerId, message: PeerMessage) {
        if self.server.is_online() {
            let data = RelayData::Peer(message, None).to_raw();
            self.ask_server(&ClientMessage::Relay { to: to.clone(), data });
        }
    }

    /// Sends a `session_response`: over the channel, and by relay too unless that channel works.
    pub(super) fn respond(&mut self, to: &PeerId, message: PeerMessage) {
        self.say_on_channel(to, &message);
        if !self.mesh.state(to).open {
            self.relay(to, message);
        }
    }

    pub(super) fn say(&mut self, event: Event) {
        self.out.push_back(Output::Event(event));
    }
}
