//! What comes from the server and from peers, and the way of each message to its session.

use rand_core::{CryptoRng, RngCore};

use super::core::Node;
use super::links::{Link, Tools};
use super::neighbour::EarlyOffer;
use super::server_link::State;
use super::session::Session;
use super::wallet;
use super::{
    Event, Input, MAX_PROPOSALS_PER_PEER, MAX_SESSIONS, Output, PhaseName, Reason, ReasonKind,
    Roster, Timestamp,
};
use crate::wire::{
    ClientMessage, ErrorCode, PROTOCOL_VERSION, PeerId, PeerMessage, Proposal, RelayData,
    ServerMessage, SessionId, WireError, clip,
};

impl<R: RngCore + CryptoRng> Node<R> {
    pub(super) fn happened(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::Command(_) | Input::Tick => {}
            Input::ServerOpened => {
                if let (State::Opening, Some(peer_id)) = (self.server.state, self.server.me.clone())
                {
                    self.server.enter(State::Registering, now);
                    // A baseline server does not answer `register`; it does answer this, and in order.
                    let claim = Some(self.identity.claim(&self.server.url, peer_id.as_str()));
                    self.ask_server(&ClientMessage::Register { peer_id, claim });
                    self.list_peers(now);
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
            Input::ChannelOpened { peer, attempt } => self.channel_opened(now, &peer, attempt),
            Input::ChannelText { peer, attempt, text } => {
                self.channel_opened(now, &peer, attempt); // text shows it, should the driver not have said so
                if self.mesh.channel(&peer) == Some(attempt) {
                    self.channel_text(now, &peer, &text);
                }
            }
            Input::ChannelStalled { peer, attempt, stalled } => {
                self.mesh.stalled(&peer, attempt, stalled, now)
            }
            Input::ConnectionClosed { peer, attempt, reason } => {
                if self.mesh.closed(&peer, attempt, now) {
                    self.say(Event::PeerDisconnected { peer_id: peer, reason: clip(&reason) });
                }
            }
            Input::OpenWallet(wallet) => self.tell_wallets(now, wallet::Input::Open(wallet)),
            Input::EntryStored { pubkey, number, result } => {
                self.tell_wallets(now, wallet::Input::EntryStored { pubkey, number, result });
            }
            Input::Stored { session_id, result } => {
                if let Some(session) = self.sessions.get_mut(&session_id) {
                    session.stored(
                        result,
                        now,
                        &mut Tools { key: &self.identity, rng: &mut self.rng },
                    );
                }
            }
        }
    }

    // ---- the server ----

    pub(super) fn server_lost(&mut self, now: Timestamp, reason: String) {
        if self.server.has_socket() {
            self.say(Event::ServerLost {
                reason: reason.clone(),
                was_registered: self.server.was_online,
            });
            self.server.lost(reason, now);
        }
    }

    fn server_text(&mut self, now: Timestamp, text: &str) {
        if !matches!(self.server.state, State::Registering | State::Online) {
            return;
        }
        self.server.owes_since = None;
        match ServerMessage::parse(text) {
            Ok(ServerMessage::Peers { peers }) => self.peers(now, peers),
            Ok(ServerMessage::Relay { from, data }) => {
                self.registered(now); // or nobody could send us anything
                match RelayData::parse(&data) {
                    Ok(data) => self.relayed(now, &from, data),
                    Err(error) => self.ignored(Some(&from), error.to_string()),
                }
            }
            Ok(ServerMessage::Error { error, code, peer_id }) => {
                self.server_error(now, error, code, peer_id)
            }
            Err(error) => self.ignored(
                None,
                format!("the server sent what is no message of the protocol: {error}"),
            ),
        }
    }

    fn registered(&mut self, now: Timestamp) {
        if self.server.state == State::Registering {
            self.server.online(now);
            self.greet_members_again(now);
            if let Some(peer_id) = self.server.me.clone() {
                self.say(Event::Registered { peer_id });
            }
        }
    }

    fn peers(&mut self, now: Timestamp, peers: Vec<PeerId>) {
        self.registered(now);
        self.server.present = peers.iter().cloned().collect();
        for (key, told) in self.told.iter_mut() {
            told.0 &= self.server.present.contains(&key.1);
        }
        self.say(Event::Peers { peers });
    }

    fn server_error(
        &mut self,
        now: Timestamp,
        error: String,
        code: Option<ErrorCode>,
        peer: Option<PeerId>,
    ) {
        if self.server.state == State::Registering {
            self.out.push_back(Output::CloseServer);
            // The server knew us, and may not have found our old socket dead yet. A baseline server names no code.
            let ghost =
                matches!(code, None | Some(ErrorCode::PeerIdTaken | ErrorCode::RateLimited));
            if self.server.was_online && ghost {
                return self.server_lost(now, error);
            }
            return self.refused_by_server(now, error);
        }
        match (code, peer) {
            (Some(ErrorCode::NotRegistered), _) => {
                self.out.push_back(Output::CloseServer); // so we are not there after all
                self.server_lost(now, error);
            }
            // This node runs elsewhere too, and came later there. Two of them would take the name from each other for ever.
            (Some(ErrorCode::PeerIdTaken), _) => {
                self.out.push_back(Output::CloseServer);
                self.refused_by_server(now, error);
            }
            (Some(ErrorCode::TargetOffline), Some(peer)) => {
                self.server.present.remove(&peer);
                self.mesh.not_delivered(&peer);
                for (_, told) in self.told.iter_mut().filter(|((_, id), _)| *id == peer) {
                    told.0 = false;
                }
            }
            _ => self.ignored(None, format!("the server says: {error}")),
        }
    }

    /// The server does not take this node. It is not tried again.
    fn refused_by_server(&mut self, now: Timestamp, error: String) {
        self.server.enter(State::Offline, now);
        self.server.away_since = None;
        self.server.error = Some(error.clone());
        self.say(Event::ServerRefused { reason: error.clone() });
        self.end_all(now, ReasonKind::ServerLost, &error, Session::needs_server);
    }

    fn relayed(&mut self, now: Timestamp, from: &PeerId, data: RelayData) {
        if self.server.me.as_ref() == Some(from) || self.contacts.is_blocked(from) {
            return; // who is blocked is not answered
        }
        self.server.present.insert(from.clone());
        match data {
            RelayData::Offer { sdp, attempt } => {
                let offer = EarlyOffer { sdp, tag: attempt };
                if let Some(Err(text)) = self.with_mesh(now, |mesh, s| mesh.offer(from, offer, s)) {
                    self.ignored(Some(from), text.to_owned());
                }
            }
            RelayData::Answer { sdp, attempt } => {
                self.with_mesh(now, |mesh, s| mesh.answer(from, sdp, attempt, s));
            }
            RelayData::IceCandidate { candidate, attempt } => {
                self.with_mesh(now, |mesh, s| mesh.candidate(from, candidate, attempt, s));
            }
            RelayData::Peer(message, msg_id) => {
                if let Some(msg_id) = msg_id {
                    self.relay(from, PeerMessage::Ack { msg_id });
                }
                match message {
                    PeerMessage::SessionProposal(_)
                    | PeerMessage::SessionResponse { .. }
                    | PeerMessage::Handshake { .. }
                    | PeerMessage::Frame { .. }
                    | PeerMessage::Ack { .. } => self.peer_message(now, from, message),
                    // The server may have written it: steps of a ceremony count on a channel or in a sealed frame only.
                    other => {
                        let reason =
                            format!("'{}' came by relay, where it does not count", other.kind());
                        self.ignored(Some(from), reason);
                    }
                }
            }
        }
    }

    // ---- channels ----

    fn channel_opened(&mut self, now: Timestamp, peer: &PeerId, attempt: u32) {
        if self.mesh.opened(peer, attempt, now) {
            self.greet(now, peer);
        }
    }

    /// Says who we are, and to a baseline peer all that was said so far in every session that still matters.
    fn greet(&mut self, now: Timestamp, peer: &PeerId) {
        let Some(me) = self.server.me.clone() else { return };
        self.say_on_channel(
            peer,
            &PeerMessage::ChannelOpen { peer_id: me, protocol: Some(PROTOCOL_VERSION) },
        );
        let mut plain = Vec::new();
        let mut farewells = Vec::new();
        for session in self.sessions.values_mut() {
            if session.is_plain(peer) {
                plain.push(session.id.clone());
            } else if session.reason().is_some() {
                farewells.extend_from_slice(session.said_to(peer, now)); // it may not have heard of the end
            }
        }
        for session in plain {
            self.greet_plain(now, &session, peer);
        }
        for message in farewells {
            self.say_on_channel(peer, &message);
        }
    }

    fn channel_text(&mut self, now: Timestamp, from: &PeerId, text: &str) {
        match PeerMessage::parse(text) {
            Ok((message, msg_id)) => {
                if let Some(msg_id) = msg_id {
                    self.say_on_channel(from, &PeerMessage::Ack { msg_id });
                }
                match message {
                    PeerMessage::ChannelOpen { peer_id, .. } if peer_id != *from => {
                        self.blame(
                            now,
                            from,
                            &format!("calls itself {peer_id} on its own channel"),
                        );
                    }
                    PeerMessage::ChannelOpen { protocol, .. } => self.greeted(now, from, protocol),
                    message => {
                        self.spoke_plainly(now, from, &message);
                        self.peer_message(now, from, message);
                    }
                }
            }
            // Of a newer protocol, or an acknowledgement of what we never asked to be acknowledged: nothing is missing.
            Err(error @ (WireError::UnknownType(_) | WireError::Missing { kind: "ack", .. })) => {
                self.ignored(Some(from), error.to_string());
            }
            Err(error) => self.blame(
                now,
                from,
                &format!("sent something that is no message of the protocol: {error}"),
            ),
        }
    }

    /// A peer has said on its channel what it speaks.
    fn greeted(&mut self, now: Timestamp, peer: &PeerId, protocol: Option<u32>) {
        let mut plain = Vec::new();
        for session in self.sessions.values_mut().filter(|s| s.is_running()) {
            let verified = session.is_verified();
            let Some(progress) = session.peers.get_mut(peer).filter(|p| !p.extended && !p.plain)
            else {
                continue;
            };
            if protocol.is_some() {
                progress.extended = true;
                progress.knows_us = true;
            } else if !verified {
                progress.plain = true;
                plain.push(session.id.clone());
            }
        }
        for session in plain {
            self.greet_plain(now, &session, peer);
        }
    }

    /// Who makes a step in the open without having announced anything is a baseline peer.
    fn spoke_plainly(&mut self, now: Timestamp, peer: &PeerId, message: &PeerMessage) {
        let step = matches!(
            message,
            PeerMessage::MeshReady { .. }
                | PeerMessage::Round1Package { .. }
                | PeerMessage::Ready { .. }
        );
        if step {
            self.greeted(now, peer, None);
        }
    }

    /// Ends the running sessions of a peer whose channel carries nonsense: what it left out cannot be known. A session with
    /// a link does not go by what its channel carries in the open.
    fn blame(&mut self, now: Timestamp, peer: &PeerId, text: &str) {
        let links = &self.links;
        let concerned = |s: &&mut Session| {
            s.is_running()
                && s.is_undecided()
                && s.roster.is_other(peer)
                && !s.is_verified()
                && !links.is_open(&s.id, peer)
        };
        for session in self.sessions.values_mut().filter(concerned) {
            session.end(Reason::blame(ReasonKind::BadMessage, peer, text), now);
        }
    }

    pub(super) fn ignored(&mut self, peer: Option<&PeerId>, reason: String) {
        self.say(Event::Ignored { peer_id: peer.cloned(), reason });
    }

    // ---- peer messages ----

    pub(super) fn peer_message(&mut self, now: Timestamp, from: &PeerId, message: PeerMessage) {
        match message {
            PeerMessage::SessionProposal(proposal) => self.proposed(now, from, proposal, false),
            PeerMessage::Handshake { session_id: Some(id), data } => {
                self.link_message(now, from, &id, data)
            }
            PeerMessage::Frame { session_id: Some(id), frame } => {
                self.frame(now, from, &id, &frame)
            }
            PeerMessage::ChannelOpen { .. }
            | PeerMessage::Ack { .. }
            | PeerMessage::Handshake { .. }
            | PeerMessage::Frame { .. } => {}
            message => {
                let kind = message.kind();
                if let Some(id) = self.session_of(from, message.session_id()) {
                    self.in_the_open(now, &id, from, message);
                } else if message.session_id().is_some_and(|id| !self.sessions.contains_key(id)) {
                    if !self.mesh.keep_early(from, message, now) {
                        self.ignored(
                            Some(from),
                            "too many messages for sessions that are not known here".to_owned(),
                        );
                    }
                } else {
                    self.ignored(
                        Some(from),
                        format!("'{kind}' belongs to no session that is open with it"),
                    );
                }
            }
        }
    }

    /// Takes what came unsealed. Where there is a link that is nobody's word, and where everyone has to be verified it is
    /// worth something only until there is one: to know who joins or declines.
    fn in_the_open(&mut self, now: Timestamp, id: &SessionId, from: &PeerId, message: PeerMessage) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let response = matches!(message, PeerMessage::SessionResponse { .. });
        let sealed = self.links.of(id, from).is_some_and(Link::is_confirmed);
        if (sealed && !session.is_over()) || (session.is_verified() && !response) {
            return;
        }
        let accepts =
            matches!(message, PeerMessage::SessionResponse { accepted: true, protocol: None, .. });
        if session.is_verified() && accepts && session.is_running() {
            let text = "cannot prove who it is, since it does not speak the extensions: leave it out, or allow unverified peers";
            return session.end(Reason::blame(ReasonKind::Unverified, from, text), now);
        }
        self.hand_to_session(now, id, from, message);
    }

    pub(super) fn hand_to_session(
        &mut self,
        now: Timestamp,
        id: &SessionId,
        from: &PeerId,
        message: PeerMessage,
    ) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.message(
                from,
                message,
                now,
                &mut Tools { key: &self.identity, rng: &mut self.rng },
            );
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

    pub(super) fn proposed(
        &mut self,
        now: Timestamp,
        from: &PeerId,
        proposal: Proposal,
        sealed: bool,
    ) {
        let Some(me) = self.server.me.clone() else { return };
        let id = proposal.session_id.clone();
        if self.is_group(&id) {
            return self.ignored(
                Some(from),
                "a proposal under the name that the members of a wallet use".to_owned(),
            );
        }
        // What an invite is for comes sealed, from who invited, and is what the invite says.
        if self.invites.psk(&id).is_some() && !sealed {
            return self.ignored(
                Some(from),
                format!("a proposal for the invited session {id} came in the open"),
            );
        }
        let invite = self.invites.used(&id).map(|i| (u64::from(i.total), u64::from(i.threshold)));
        if invite.is_some_and(|invited| invited != (proposal.total, proposal.threshold)) {
            let text = "proposes something else than the invite says";
            return self.refuse(from, id, Reason::blame(ReasonKind::Disagreement, from, text));
        }
        if let Some(known) = self.sessions.get_mut(&id) {
            if known.proposer != *from {
                let text =
                    format!("session {id} is known here as one that {} proposed", known.proposer);
                let reason = Reason {
                    text,
                    ..Reason::blame(ReasonKind::Conflict, &known.proposer.clone(), "")
                };
                return self.refuse(from, id, reason);
            }
            if known.proposal == proposal {
                known.proposed_again(now);
            } else if known.is_undecided() {
                let text = "sent two different proposals for one session";
                known.end(Reason::blame(ReasonKind::Conflict, from, text), now);
            }
            return;
        }
        let roster = match Roster::check(&proposal, from, &me) {
            Ok(roster) => roster,
            Err(error) => {
                return self.refuse(
                    from,
                    id,
                    Reason::plain(ReasonKind::Declined, error.to_string()),
                );
            }
        };
        let undecided = self.sessions.values().filter(|s| s.phase() == PhaseName::Proposed);
        let of_its_own = undecided.clone().filter(|s| s.proposer == *from).count();
        if undecided.count() >= MAX_SESSIONS || of_its_own >= MAX_PROPOSALS_PER_PEER {
            let reason =
                Reason::plain(ReasonKind::Declined, "too many proposals wait for a decision here");
            return self.refuse(from, id, reason);
        }
        let others: Vec<PeerId> = roster.others().cloned().collect();
        self.add(Session::new(proposal, from.clone(), roster, self.config.deadlines, now));
        if invite.is_some()
            && let Err(error) = self.accept(now, id.clone(), false)
        {
            self.ignored(Some(from), error.to_string());
        }
        for peer in others {
            for message in self.mesh.take_early(&peer, &id) {
                self.peer_message(now, &peer, message);
            }
        }
    }

    fn refuse(&mut self, from: &PeerId, session_id: SessionId, reason: Reason) {
        let text = clip(&reason.text);
        let response = PeerMessage::SessionResponse {
            session_id: Some(session_id.clone()),
            accepted: false,
            reason: Some(text.clone()),
            cause: Some(reason.cause()),
            protocol: Some(PROTOCOL_VERSION),
        };
        self.respond(from, response);
        self.say(Event::Refused { session_id, peer_id: from.clone(), reason: text });
    }
}
