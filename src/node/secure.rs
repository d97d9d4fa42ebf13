//! How the node makes and uses its links: whom it greets, what it makes of an identity, what carries what.

use rand_core::{CryptoRng, RngCore};

use super::core::Node;
use super::links::{Link, Progress, Tools};
use super::pact::Trust;
use super::session::Session;
use super::view::Way;
use super::{Event, Output, Reason, ReasonKind, Timestamp};
use crate::api::{Carrier, CarrierChoice, ContactView, SessionView};
use crate::channel::{Context, FrameError, HandshakeMessage};
use crate::identity::{Contact, Identity, Standing};
use crate::sorted::Set;
use crate::wire::{PeerId, PeerMessage, Sealed, SessionId};

/// How long a peer that speaks the extensions may take to say so on a fresh channel, in milliseconds. Who says nothing is
/// taken for a baseline peer, where the session allows one.
const GREETING: u64 = 1_000;

impl<R: RngCore + CryptoRng> Node<R> {
    // ---- beginning ----

    /// Says hello to every participant that has joined, can do it, and has not been greeted.
    pub(super) fn greet_participants(&mut self, now: Timestamp) {
        let Some(me) = self.server.me.clone() else { return };
        let mut due = Vec::new();
        for session in self.sessions.values().filter(|s| s.is_running()) {
            for (peer, progress) in session.peers.iter().filter(|(_, p)| p.extended && !p.greeted) {
                due.push((session.id.clone(), peer.clone(), progress.knows_us));
            }
        }
        for (session, peer, knows_us) in due {
            // Who knows that we have joined says hello itself. Should nobody know of the other, the smaller one does.
            let ours = !knows_us || me < peer;
            if ours && self.links.of(&session, &peer).is_none() {
                self.start_link(now, &session, &me, &peer);
            }
            if let Some(progress) =
                self.sessions.get_mut(&session).and_then(|s| s.peers.get_mut(&peer))
            {
                progress.greeted = true;
            }
        }
    }

    pub(super) fn start_link(
        &mut self,
        now: Timestamp,
        session: &SessionId,
        me: &PeerId,
        peer: &PeerId,
    ) {
        let context = self.context(session, me, peer);
        match Link::start(context, &mut Tools { key: &self.identity, rng: &mut self.rng }, now) {
            Ok(link) if self.is_group(session) => self.links.insert(session, peer, link.patient()),
            Ok(link) => self.links.insert(session, peer, link),
            Err(error) => self.link_failed(now, session, peer, &error.to_string()),
        }
    }

    fn context(&self, session: &SessionId, initiator: &PeerId, responder: &PeerId) -> Context {
        Context {
            session_id: session.clone(),
            initiator: initiator.clone(),
            responder: responder.clone(),
            psk: self.invites.psk(session),
        }
    }

    /// Takes a message of a handshake. What comes before this node has joined is kept until then.
    pub(super) fn link_message(
        &mut self,
        now: Timestamp,
        from: &PeerId,
        session: &SessionId,
        data: Vec<u8>,
    ) {
        if self.is_group(session) {
            return self.member_link(now, from, session, &data);
        }
        let Some(me) = self.server.me.clone() else { return };
        let hosted = self.invites.expects(session, from, now);
        let running =
            self.sessions.get(session).filter(|s| s.roster.is_other(from)).map(Session::is_running);
        if !hosted && running != Some(true) {
            let over = self.sessions.get(session).is_some_and(Session::is_over);
            let early = PeerMessage::Handshake { session_id: Some(session.clone()), data };
            if !over && !self.mesh.keep_early(from, early, now) {
                self.ignored(
                    Some(from),
                    "too many messages for sessions that are not known here".to_owned(),
                );
            }
            return;
        }
        let known = self.links.of(session, from);
        let glare = known.is_some_and(Link::has_said_hello);
        if HandshakeMessage::of(&data) == Some(HandshakeMessage::Hello)
            && (known.is_none() || (glare && *from < me))
        {
            let context = self.context(session, from, &me);
            let tools = &mut Tools { key: &self.identity, rng: &mut self.rng };
            match Link::answer(context, &data, tools, now) {
                Ok(link) => self.links.insert(session, from, link),
                // Whoever has no invite cannot come in, and cannot disturb those who have one.
                Err(error) if hosted => self.ignored(Some(from), error.to_string()),
                Err(error) => self.link_failed(now, session, from, &error.to_string()),
            }
            return;
        }
        let Some(link) = self.links.of_mut(session, from) else { return };
        let tools = &mut Tools { key: &self.identity, rng: &mut self.rng };
        match link.handshake(&data, tools, now) {
            Ok(Progress::Waiting) => {}
            Ok(Progress::Opened(identity)) => self.link_opened(now, session, from, identity),
            Err(error) => self.link_failed(now, session, from, &error.to_string()),
        }
    }

    fn link_failed(&mut self, now: Timestamp, session: &SessionId, peer: &PeerId, why: &str) {
        match self.sessions.get_mut(session) {
            Some(session) => {
                let text = format!("cannot be talked to in confidence: {why}");
                session.end(Reason::blame(ReasonKind::LinkFailed, peer, text), now);
            }
            None => self.ignored(Some(peer), why.to_owned()),
        }
    }

    /// A link stands. Who is it?
    pub(super) fn link_opened(
        &mut self,
        now: Timestamp,
        session: &SessionId,
        peer: &PeerId,
        identity: Identity,
    ) {
        if let Err(reason) = self.judge_identity(session, peer, identity) {
            return match self.sessions.get_mut(session) {
                Some(session) => session.end(reason, now),
                None => self.ignored(Some(peer), reason.text),
            };
        }
        if self.guest_arrived(now, session, peer, identity) {
            return;
        }
        let verified = self.invites.psk(session).is_some();
        let trust = match self.contacts.standing(peer, &identity) {
            _ if verified => Trust::Verified,
            Standing::Known { verified: true } => Trust::Verified,
            Standing::Known { .. } => Trust::Seen,
            _ => Trust::New,
        };
        let Some(session) = self.sessions.get_mut(session) else { return };
        session.linked(peer, identity, trust);
        let said = session.said_to(peer, now).to_vec();
        let id = session.id.clone();
        if let Some(link) = self.links.of_mut(&id, peer) {
            let failed = said.iter().any(|message| link.say(message).is_err());
            debug_assert!(!failed, "an outbox is far smaller than what a link holds");
        }
    }

    fn judge_identity(
        &self,
        session: &SessionId,
        peer: &PeerId,
        identity: Identity,
    ) -> Result<(), Reason> {
        if identity == self.identity.identity() {
            return Err(Reason::blame(
                ReasonKind::Conflict,
                peer,
                "has this node's own identity: take part once only",
            ));
        }
        if let Some(other) = self.links.holder_of(session, &identity, peer) {
            let text = format!("has the same identity as {other}: each participant needs its own");
            return Err(Reason::blame(ReasonKind::Conflict, peer, text));
        }
        if let Some(known) =
            self.invites.identity_of(session, peer).filter(|known| *known != identity)
        {
            return Err(changed(peer, &known, &identity, "who invited"));
        }
        match self.contacts.standing(peer, &identity) {
            Standing::Changed { known } => {
                Err(changed(peer, &known, &identity, "the contact that is known"))
            }
            Standing::Blocked => Err(Reason::blame(ReasonKind::Declined, peer, "is blocked here")),
            Standing::New | Standing::Known { .. } => Ok(()),
        }
    }

    // ---- frames ----

    /// Takes a sealed frame: what is inside is what the baseline says in the open.
    pub(super) fn frame(
        &mut self,
        now: Timestamp,
        from: &PeerId,
        session: &SessionId,
        frame: &Sealed,
    ) {
        if self.is_group(session) {
            return self.member_frame(now, from, session, frame);
        }
        let Some(link) = self.links.of_mut(session, from) else { return };
        match link.frame(frame, now) {
            Ok(messages) => {
                for message in messages {
                    self.sealed_message(now, from, session, &message);
                }
            }
            Err(FrameError::Malformed) => {
                self.blame_in(now, session, from, "sealed what is no message");
            }
            Err(error) => self.ignored(Some(from), error.to_string()),
        }
    }

    fn sealed_message(&mut self, now: Timestamp, from: &PeerId, session: &SessionId, text: &[u8]) {
        let parsed = std::str::from_utf8(text).ok().map(PeerMessage::parse);
        match parsed {
            Some(Ok((message, _))) if message.session_id().is_none_or(|id| id == session) => {
                match message {
                    PeerMessage::SessionProposal(proposal) => {
                        self.proposed(now, from, proposal, true)
                    }
                    PeerMessage::Handshake { .. } | PeerMessage::Frame { .. } => {}
                    message => self.hand_to_session(now, session, from, message),
                }
            }
            Some(Ok(_)) => self.ignored(
                Some(from),
                "a message of one session came over the link of another".to_owned(),
            ),
            Some(Err(crate::wire::WireError::UnknownType(_))) => {}
            Some(Err(error)) => {
                let text = format!("sent something that is no message of the protocol: {error}");
                self.blame_in(now, session, from, &text);
            }
            None => self.blame_in(now, session, from, "sealed what is no text"),
        }
    }

    fn blame_in(&mut self, now: Timestamp, session: &SessionId, peer: &PeerId, text: &str) {
        if let Some(session) =
            self.sessions.get_mut(session).filter(|s| s.is_running() && s.is_undecided())
        {
            session.end(Reason::blame(ReasonKind::BadMessage, peer, text), now);
        }
    }

    // ---- what people see of it ----

    pub(super) fn session_view(&self, session: &Session) -> SessionView {
        let reachable = self.reachable(session);
        SessionView::of(session, self.server.me.as_ref(), |peer| {
            let linked = self.links.is_open(&session.id, peer);
            let open = reachable.contains(peer);
            let answered = linked || self.mesh.state(peer).answered;
            Way { open, answered, carrier: self.carrier(peer).filter(|_| open) }
        })
    }

    pub(super) fn contact_views(&self) -> Vec<ContactView> {
        let view = |contact: &Contact| ContactView {
            name: contact.name.clone(),
            fingerprint: contact.identity.fingerprint().to_string(),
            first_seen: Timestamp::from_millis(contact.first_seen),
            last_seen: Timestamp::from_millis(contact.last_seen),
            verified: contact.verified,
            blocked: contact.blocked,
        };
        self.contacts.iter().map(view).collect()
    }

    // ---- carriers ----

    /// What carries messages to a peer right now.
    pub(super) fn carrier(&self, peer: &PeerId) -> Option<Carrier> {
        choose(self.mesh.state(peer).open, self.server.is_online(), self.config.carrier)
    }

    /// Whether a link to a peer stands, and something carries it right now.
    pub(super) fn is_linked(&self, session: &SessionId, peer: &PeerId) -> bool {
        self.links.is_open(session, peer)
            && match self.carrier(peer) {
                Some(Carrier::Direct) => true,
                Some(Carrier::Relay) => self.server.present.contains(peer),
                None => false,
            }
    }

    /// The participants of a session that can be reached: by a link, or by a channel where that will do.
    pub(super) fn reachable(&self, session: &Session) -> Set<PeerId> {
        let by_channel = |peer: &PeerId| session.is_plain(peer) && self.mesh.state(peer).open;
        session
            .roster
            .others()
            .filter(|peer| self.is_linked(&session.id, peer) || by_channel(peer))
            .cloned()
            .collect()
    }

    /// Whether somebody can be reached through the server only.
    pub(super) fn relies_on_server(&self, session: &Session) -> bool {
        session.needs_server()
            || (session.is_running() && session.roster.others().any(|p| !self.mesh.state(p).open))
    }

    /// Finds out who is a baseline peer: its channel is open, and it does not say that it speaks the extensions.
    pub(super) fn find_plain_peers(&mut self, now: Timestamp) {
        let mut plain = Vec::new();
        for session in self.sessions.values_mut().filter(|s| s.is_running() && !s.is_verified()) {
            for (peer, progress) in
                session.peers.iter_mut().filter(|(_, p)| !p.extended && !p.plain)
            {
                if self.mesh.has_kept_silent(peer, GREETING, now) {
                    progress.plain = true;
                    plain.push((session.id.clone(), peer.clone()));
                }
            }
        }
        for (session, peer) in plain {
            self.greet_plain(now, &session, &peer);
        }
    }

    /// When the next peer has kept silent for long enough to be taken for a baseline one.
    pub(super) fn next_silence(&self, now: Timestamp) -> Option<Timestamp> {
        let unknown = |s: &Session| s.peers.values().any(|p| !p.extended && !p.plain);
        let asked =
            self.sessions.values().any(|s| s.is_running() && !s.is_verified() && unknown(s));
        asked.then(|| self.mesh.next_silence(GREETING, now)).flatten()
    }

    /// Remembers who took part, now that it has come to a good end.
    pub(super) fn remember(&mut self, now: Timestamp, session: &SessionId) {
        let Some(session) = self.sessions.get(session) else { return };
        for (peer, (identity, trust)) in session.identities.iter() {
            let verified = session.words_match || *trust == Trust::Verified;
            self.contacts.met(peer, *identity, verified, now.millis());
        }
        self.out.push_back(Output::StoreContacts(self.contacts.clone()));
    }

    /// Says to a baseline peer what was said so far.
    pub(super) fn greet_plain(&mut self, now: Timestamp, session: &SessionId, peer: &PeerId) {
        let said = self
            .sessions
            .get_mut(session)
            .map(|s| s.said_to(peer, now).to_vec())
            .unwrap_or_default();
        if self.mesh.channel(peer).is_some() {
            self.say(Event::PeerConnected {
                peer_id: peer.clone(),
                carrier: Carrier::Direct,
                verified: false,
            });
        }
        for message in said {
            self.say_on_channel(peer, &message);
        }
    }

    /// Says something in a session: sealed where there is a link, in the open to a baseline peer, and later to others.
    pub(super) fn say_in(&mut self, session: &SessionId, to: &PeerId, message: &PeerMessage) {
        if let Some(link) = self.links.of_mut(session, to).filter(|link| link.is_open()) {
            if let Err(error) = link.say(message) {
                self.ignored(Some(to), error.to_string());
            }
        } else {
            // Who joins or leaves is no secret, and who does not hear of it waits for nothing.
            let open = matches!(message, PeerMessage::SessionResponse { .. });
            if open || self.sessions.get(session).is_some_and(|s| s.is_plain(to)) {
                self.say_on_channel(to, message);
            }
        }
    }

    /// Tells who can be reached by a link now, and by what.
    pub(super) fn tell_carriers(&mut self) {
        let mut told = Vec::new();
        let (online, choice) = (self.server.is_online(), self.config.carrier);
        let groups = &self.groups;
        let of_session = |session: &SessionId| groups.iter().all(|group| group.links != *session);
        let links = self
            .links
            .iter_mut()
            .filter(|((session, _), link)| link.is_open() && of_session(session));
        for ((_, peer), link) in links {
            let Some(now) = choose(self.mesh.state(peer).open, online, choice) else { continue };
            let before = link.told.replace(now);
            if before != Some(now) {
                let (peer_id, carrier) = (peer.clone(), now);
                told.push(match before {
                    None => Event::PeerConnected { peer_id, carrier, verified: true },
                    Some(_) => Event::Carrier { peer_id, carrier },
                });
            }
        }
        told.into_iter().for_each(|event| self.say(event));
    }

    /// Hands what the links have to say to their carriers.
    pub(super) fn flush_links(&mut self, now: Timestamp) {
        let mut links = std::mem::take(&mut self.links);
        links.keep(|id| self.needs_links(id, now));
        self.links = links;
        let mut out = Vec::new();
        let (online, choice) = (self.server.is_online(), self.config.carrier);
        for ((session, peer), link) in self.links.all_mut() {
            // A member of a wallet that is away for days is not told over and over what it will ask for when it comes.
            let away = !self.server.present.contains(peer)
                && self.groups.iter().any(|c| c.links == *session);
            if away && !self.mesh.state(peer).open {
                continue;
            }
            link.tick(now);
            // A handshake goes beside offer and answer, whatever carries the rest.
            let carrier = if online && !link.is_open() {
                Carrier::Relay
            } else if let Some(carrier) = choose(self.mesh.state(peer).open, online, choice) {
                carrier
            } else {
                continue;
            };
            out.extend(
                link.flush(carrier, now)
                    .into_iter()
                    .map(|message| (carrier, peer.clone(), message)),
            );
        }
        for (carrier, peer, message) in out {
            match carrier {
                Carrier::Direct => self.say_on_channel(&peer, &message),
                Carrier::Relay => self.relay(&peer, message),
            }
        }
    }
}

/// What carries messages, of what there is.
fn choose(channel: bool, relay: bool, choice: CarrierChoice) -> Option<Carrier> {
    let direct = channel && choice != CarrierChoice::Relay;
    let relayed = relay && choice != CarrierChoice::Direct;
    if direct { Some(Carrier::Direct) } else { relayed.then_some(Carrier::Relay) }
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
