//! The way of each message to its session, and what a peer's identity is worth here.

use super::Keygen;
use super::effect::Effect;
use super::progress::{Dialect, HelloBy, Trust};
use super::session::Session;
use crate::agreement::Roster;
use crate::api::{Event, Reason, ReasonKind};
use crate::channel::HandshakeError;
use crate::identity::{Identity, Standing};
use crate::node::ctx::Ctx;
use crate::node::presence::Address;
use crate::node::transport;
use crate::node::{MAX_PROPOSALS_PER_PEER, MAX_SESSIONS};
use crate::sorted::Set;
use crate::wire::{PROTOCOL_VERSION, PeerId, PeerMessage, Proposal, SessionId, WireError, clip};

impl Keygen {
    /// Takes what the transport reports.
    pub(super) fn transported(&mut self, ctx: &mut Ctx<'_>, effect: transport::Effect) {
        match effect {
            transport::Effect::Opened { session, peer, identity } => {
                self.channel_opened(ctx, &session, &peer, identity);
            }
            transport::Effect::Confirmed { session, peer } => {
                self.with_progress(&session, &peer, |progress| progress.channel_confirmed = true);
            }
            transport::Effect::Failed { session, peer, error } => {
                self.channel_failed(ctx, &session, &peer, error);
            }
            transport::Effect::Received { session, peer, message } => {
                self.sealed_message(ctx, &session, &peer, &message);
            }
            transport::Effect::Malformed { session, peer } => {
                self.blame_in(ctx, &session, &peer, "sealed what is no message");
            }
            transport::Effect::Carried { session, peer, carrier } => {
                self.with_progress(&session, &peer, |progress| progress.carrier = carrier);
            }
            transport::Effect::Path { address, path } => {
                for session in self.sessions.values_mut().filter(|s| s.has(&address)) {
                    if let Some(progress) = session.peers.get_mut(&address.peer) {
                        progress.path = path;
                    }
                }
                if path == transport::Path::default() {
                    self.paths.remove(&address);
                } else {
                    self.paths.insert(address, path);
                }
            }
            transport::Effect::DataChannelOpened { address } => {
                self.data_channel_opened(ctx, &address);
            }
            transport::Effect::Greeted { address, protocol } => {
                self.greeted(ctx, &address, protocol);
            }
            transport::Effect::Plaintext { address, by_relay, message } => {
                if !by_relay {
                    self.detect_baseline_peer(ctx, &address, &message);
                }
                self.plaintext(ctx, &address, message);
            }
            transport::Effect::Misbehaved { address, text } => self.blame(ctx, &address, &text),
            transport::Effect::Output(_)
            | transport::Effect::Relay { .. }
            | transport::Effect::DataChannelText { .. } => {}
        }
    }

    fn with_progress(
        &mut self,
        session: &SessionId,
        peer: &PeerId,
        change: impl FnOnce(&mut super::progress::Progress),
    ) {
        let session = self.sessions.get_mut(session);
        if let Some(progress) = session.and_then(|session| session.peers.get_mut(peer)) {
            change(progress);
        }
    }

    // ---- secure channels ----

    /// A secure channel stands. Whose identity is at the other end?
    pub(super) fn channel_opened(
        &mut self,
        ctx: &mut Ctx<'_>,
        id: &SessionId,
        peer: &PeerId,
        identity: Identity,
    ) {
        if let Err(reason) = self.judge_identity(ctx, id, peer, identity) {
            return match self.sessions.get_mut(id) {
                Some(session) => session.end(reason, ctx.now),
                None => self.ignored(Some(peer), reason.text),
            };
        }
        let verified = self.invites.psk(id).is_some();
        let Some(session) = self.sessions.get_mut(id) else {
            self.guests.insert((id.clone(), peer.clone()), identity);
            return self.guest_arrived(ctx, id, peer, identity);
        };
        let trust = match ctx.contacts.standing(peer, &identity) {
            _ if verified => Trust::Verified,
            Standing::Known { verified: true } => Trust::Verified,
            Standing::Known { .. } => Trust::Seen,
            _ => Trust::New,
        };
        session.channel_opened(peer, identity, trust, ctx.now);
    }

    fn judge_identity(
        &self,
        ctx: &Ctx<'_>,
        id: &SessionId,
        peer: &PeerId,
        identity: Identity,
    ) -> Result<(), Reason> {
        if identity == ctx.identity.identity() {
            let text = "has this node's own identity: take part once only";
            return Err(Reason::blame(ReasonKind::Conflict, peer, text));
        }
        if let Some(other) = self.holder_of(id, &identity, peer) {
            let text = format!("has the same identity as {other}: each participant needs its own");
            return Err(Reason::blame(ReasonKind::Conflict, peer, text));
        }
        let invited = self.invites.identity_of(id, peer);
        if let Some(known) = invited.filter(|known| *known != identity) {
            return Err(changed(peer, &known, &identity, "who invited"));
        }
        match ctx.contacts.standing(peer, &identity) {
            Standing::Changed { known } => {
                Err(changed(peer, &known, &identity, "the contact that is known"))
            }
            Standing::Blocked => Err(Reason::blame(ReasonKind::Declined, peer, "is blocked here")),
            Standing::New | Standing::Known { .. } => Ok(()),
        }
    }

    /// Another peer of a session with the same identity.
    fn holder_of(&self, id: &SessionId, identity: &Identity, but: &PeerId) -> Option<&PeerId> {
        let guests = self.guests.iter().filter(|((session, _), _)| session == id);
        let guests = guests.map(|((_, peer), identity)| (peer, *identity));
        let peers = self.sessions.get(id).into_iter().flat_map(|session| session.peers.iter());
        let peers = peers.filter_map(|(peer, progress)| Some((peer, progress.identity?.0)));
        let mut holders = guests.chain(peers).filter(|(peer, _)| *peer != but);
        holders.find(|(_, theirs)| theirs == identity).map(|(peer, _)| peer)
    }

    fn channel_failed(
        &mut self,
        ctx: &Ctx<'_>,
        id: &SessionId,
        peer: &PeerId,
        error: HandshakeError,
    ) {
        match self.sessions.get_mut(id) {
            Some(session) => {
                let text = format!("cannot be talked to in confidence: {error}");
                session.end(Reason::blame(ReasonKind::LinkFailed, peer, text), ctx.now);
            }
            // A peer without the invite cannot come in, and cannot disturb those who have it.
            None => self.ignored(Some(peer), error.to_string()),
        }
    }

    fn sealed_message(&mut self, ctx: &mut Ctx<'_>, id: &SessionId, from: &PeerId, bytes: &[u8]) {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return self.blame_in(ctx, id, from, "sealed what is no text");
        };
        match PeerMessage::parse(text) {
            Ok((message, _)) if message.session_id().is_none_or(|named| named == id) => {
                match message {
                    PeerMessage::SessionProposal(proposal) => {
                        let server = self.scopes.get(id).map(|scope| scope.server);
                        if let Some(server) = server {
                            self.proposed(ctx, &Address::new(server, from), proposal, true);
                        }
                    }
                    PeerMessage::Handshake { .. } | PeerMessage::Frame { .. } => {}
                    message => self.deliver(ctx, id, from, message),
                }
            }
            Ok(_) => {
                let reason = "a message of one session came over the channel of another";
                self.ignored(Some(from), reason.to_owned());
            }
            Err(WireError::UnknownType(_)) => {}
            Err(error) => {
                let text = format!("sent something that is no message of the protocol: {error}");
                self.blame_in(ctx, id, from, &text);
            }
        }
    }

    fn blame_in(&mut self, ctx: &Ctx<'_>, id: &SessionId, peer: &PeerId, text: &str) {
        let session = self.sessions.get_mut(id).filter(|s| s.is_running() && s.is_undecided());
        if let Some(session) = session {
            session.end(Reason::blame(ReasonKind::BadMessage, peer, text), ctx.now);
        }
    }

    // ---- data channels and messages in the clear ----

    fn data_channel_opened(&mut self, ctx: &Ctx<'_>, address: &Address) {
        for session in self.sessions.values_mut().filter(|s| s.has(address)) {
            if session.is_baseline(&address.peer) {
                session.data_channel_opened(&address.peer, ctx.now);
            } else if session.reason().is_some() {
                session.send_outbox(&address.peer, ctx.now); // it may not have received the end
            }
        }
    }

    /// A peer has announced on its data channel what it speaks.
    fn greeted(&mut self, ctx: &Ctx<'_>, address: &Address, protocol: Option<u32>) {
        let concerned = |s: &&mut Session| s.is_running() && s.has(address);
        for session in self.sessions.values_mut().filter(concerned) {
            let verified = session.is_verified();
            let Some(progress) = session.peers.get_mut(&address.peer) else { continue };
            if progress.dialect != Dialect::Unknown {
                continue;
            }
            if protocol.is_some() {
                progress.dialect = Dialect::Extensions;
                if progress.hello == HelloBy::ThisNode {
                    progress.hello = HelloBy::Peer;
                }
            } else if !verified {
                session.is_baseline_peer(&address.peer, ctx.now);
            }
        }
    }

    /// A peer that makes a step in the clear without having announced anything is a baseline peer.
    fn detect_baseline_peer(&mut self, ctx: &Ctx<'_>, from: &Address, message: &PeerMessage) {
        let is_step = matches!(
            message,
            PeerMessage::MeshReady { .. }
                | PeerMessage::Round1Package { .. }
                | PeerMessage::Ready { .. }
        );
        if is_step {
            self.greeted(ctx, from, None);
        }
    }

    /// Ends the running sessions of a peer whose data channel carries nonsense: what it left out
    /// cannot be known. A session with a secure channel does not go by what comes in the clear.
    fn blame(&mut self, ctx: &Ctx<'_>, from: &Address, text: &str) {
        let concerned = |s: &&mut Session| {
            let sealed = s.peers.get(&from.peer).is_some_and(|progress| progress.has_channel());
            s.is_running() && s.is_undecided() && s.has(from) && !s.is_verified() && !sealed
        };
        for session in self.sessions.values_mut().filter(concerned) {
            session.end(Reason::blame(ReasonKind::BadMessage, &from.peer, text), ctx.now);
        }
    }

    fn plaintext(&mut self, ctx: &mut Ctx<'_>, from: &Address, message: PeerMessage) {
        if let PeerMessage::SessionProposal(proposal) = message {
            return self.proposed(ctx, from, proposal, false);
        }
        let named = message.session_id().cloned();
        if let Some(id) = self.session_of(from, named.as_ref()) {
            return self.plaintext_in(ctx, &id, &from.peer, message);
        }
        if named.is_some_and(|id| !self.sessions.contains_key(&id)) {
            let expected = self.expected();
            if !self.early.keep(from, message, &expected, ctx.now) {
                let reason = "too many messages for sessions that are not known here";
                self.ignored(Some(&from.peer), reason.to_owned());
            }
            return;
        }
        let reason = format!("'{}' belongs to no session that is open with it", message.kind());
        self.ignored(Some(&from.peer), reason);
    }

    /// Takes what came in the clear. Where a secure channel stands it counts for nothing. Where
    /// everyone has to be verified it counts only until then: to know who joins or declines.
    fn plaintext_in(
        &mut self,
        ctx: &mut Ctx<'_>,
        id: &SessionId,
        from: &PeerId,
        message: PeerMessage,
    ) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let is_response = matches!(message, PeerMessage::SessionResponse { .. });
        let sealed = session.peers.get(from).is_some_and(|progress| progress.channel_confirmed);
        if (sealed && !session.is_over()) || (session.is_verified() && !is_response) {
            return;
        }
        let accepts =
            matches!(message, PeerMessage::SessionResponse { accepted: true, protocol: None, .. });
        if session.is_verified() && accepts && session.is_running() {
            let text = "cannot prove who it is, since it does not speak the extensions: leave it out, or allow unverified peers";
            return session.end(Reason::blame(ReasonKind::Unverified, from, text), ctx.now);
        }
        self.deliver(ctx, id, from, message);
    }

    fn deliver(&mut self, ctx: &mut Ctx<'_>, id: &SessionId, from: &PeerId, message: PeerMessage) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.message(ctx, from, message);
        }
    }

    /// The session of a message: the one it names, or the one that is open with its sender.
    fn session_of(&self, from: &Address, named: Option<&SessionId>) -> Option<SessionId> {
        if let Some(id) = named {
            return self.sessions.get(id).filter(|s| s.has(from)).map(|s| s.id().clone());
        }
        let only = |which: fn(&Session) -> bool| {
            let mut open = self.sessions.values().filter(|s| which(s) && s.has(from));
            open.next().filter(|_| open.next().is_none()).map(|s| s.id().clone())
        };
        only(Session::is_running).or_else(|| only(|s| !s.is_over()))
    }

    /// Peers of sessions that are not over.
    fn expected(&self) -> Set<Address> {
        let open = self.sessions.values().filter(|session| !session.is_over());
        open.flat_map(|s| s.roster().others().map(|peer| s.address(peer))).collect()
    }

    /// Takes messages that came before this node knew or accepted a session.
    pub(super) fn replay_early(&mut self, ctx: &mut Ctx<'_>, id: &SessionId) {
        let Some(session) = self.sessions.get(id) else { return };
        let peers: Vec<Address> =
            session.roster().others().map(|peer| session.address(peer)).collect();
        for address in peers {
            for message in self.early.take(&address, id) {
                self.plaintext(ctx, &address, message);
            }
        }
    }

    // ---- proposals ----

    fn proposed(&mut self, ctx: &mut Ctx<'_>, from: &Address, proposal: Proposal, sealed: bool) {
        let Some(me) = ctx.presence.me(from.server).cloned() else { return };
        let (id, peer) = (proposal.session_id.clone(), &from.peer);
        // What an invite is for comes sealed, from the host, and is what the invite says.
        if self.invites.psk(&id).is_some() && !sealed {
            let reason = format!("a proposal for the invited session {id} came in the open");
            return self.ignored(Some(peer), reason);
        }
        let invite = self.invites.used(&id);
        let invited = invite.is_some();
        if let Some(invite) = invite {
            let (total, threshold) = (u64::from(invite.total), u64::from(invite.threshold));
            if proposal.total != total || proposal.threshold != threshold {
                let text = "proposes something else than the invite says";
                return self.refuse(from, id, &Reason::blame(ReasonKind::Disagreement, peer, text));
            }
        }
        if let Some(known) = self.sessions.get_mut(&id) {
            if known.proposer() != peer {
                let text =
                    format!("session {id} is known here as one that {} proposed", known.proposer());
                let blame = Reason::blame(ReasonKind::Conflict, &known.proposer().clone(), "");
                return self.refuse(from, id, &Reason { text, ..blame });
            }
            if *known.proposal() == proposal {
                known.proposed_again(ctx.now);
            } else if known.is_undecided() {
                let text = "sent two different proposals for one session";
                known.end(Reason::blame(ReasonKind::Conflict, peer, text), ctx.now);
            }
            return;
        }
        let roster = match Roster::check(&proposal, peer, &me) {
            Ok(roster) => roster,
            Err(error) => {
                let reason = Reason::plain(ReasonKind::Declined, error.to_string());
                return self.refuse(from, id, &reason);
            }
        };
        let undecided = self.undecided_proposals();
        let of_its_own = undecided.clone().filter(|s| s.proposer() == peer).count();
        if undecided.count() >= MAX_SESSIONS || of_its_own >= MAX_PROPOSALS_PER_PEER {
            let text = "too many proposals wait for a decision here";
            return self.refuse(from, id, &Reason::plain(ReasonKind::Declined, text));
        }
        self.add(Session::new(ctx, from.server, proposal, peer.clone(), roster));
        if invited && let Err(error) = self.accept(ctx, &id, false) {
            self.ignored(Some(peer), error.to_string());
        }
        self.replay_early(ctx, &id);
    }

    fn refuse(&mut self, from: &Address, session_id: SessionId, reason: &Reason) {
        let text = clip(&reason.text);
        let message = PeerMessage::SessionResponse {
            session_id: Some(session_id.clone()),
            accepted: false,
            reason: Some(text.clone()),
            cause: Some(reason.cause()),
            protocol: Some(PROTOCOL_VERSION),
        };
        let (address, copy) = (from.clone(), message.clone());
        let plain = transport::Input::SendPlain { address: address.clone(), message: copy };
        self.effects.push_back(Effect::Transport(plain));
        if !self.paths.get(from).is_some_and(|path| path.works) {
            let relayed = transport::Input::RelayPlain { address, message };
            self.effects.push_back(Effect::Transport(relayed));
        }
        let peer_id = from.peer.clone();
        self.event(Event::Refused { session_id, peer_id, reason: text });
    }
}

fn changed(peer: &PeerId, known: &Identity, now: &Identity, whose: &str) -> Reason {
    let text = format!(
        "has another identity than {whose}: {} was expected, {} came. Somebody may pose as it. If it has a new \
         identity, ask it by another way, then forget the contact",
        known.fingerprint(),
        now.fingerprint()
    );
    Reason::blame(ReasonKind::IdentityChanged, peer, text)
}
