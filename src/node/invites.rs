//! Invites: sessions whose roster nobody knows beforehand (docs/PROTOCOL.md, section 3, point 2).
//!
//! The host waits until as many guests as it takes have a link to it, and then proposes. A guest has a link to the host
//! before anything else, and takes only what comes over that. The secret of the invite is in every handshake of the
//! session: who does not have it cannot say a first word.

use rand_core::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use super::core::Node;
use crate::api::{Error, Event, InviteView, Timestamp};
use crate::frost::Suite;
use crate::identity::{Identity, Invite, InviteSecret};
use crate::sorted::Map;
use crate::wire::{MAX_PARTICIPANTS, PeerId, SessionId};

/// Longest time that an invite can be used, in seconds: a week.
const MAX_LIFETIME: u64 = 7 * 24 * 3600;
/// Most invites that are open here at once.
const MAX_INVITES: usize = 16;

/// An invite and what became of it.
struct Open {
    invite: Invite,
    /// What the host will propose. A guest learns it then, and all sign it.
    suite: Suite,
    /// Made here.
    mine: bool,
    /// Who has come, at the host's.
    guests: Map<PeerId, Identity>,
    /// The session has begun, or what was awaited has come: nobody else can come in.
    started: bool,
}

/// All invites that this node has made or uses.
#[derive(Default)]
pub(super) struct Invites(Map<SessionId, Open>);

impl Invites {
    /// The pre-shared key of a session's handshakes.
    pub(super) fn psk(&self, session: &SessionId) -> Option<Zeroizing<[u8; 32]>> {
        self.0.get(session).map(|open| open.invite.secret.psk())
    }

    /// Whether a link for an invite may be made with `peer`, though there is no session yet.
    pub(super) fn expects(&self, session: &SessionId, peer: &PeerId, now: Timestamp) -> bool {
        self.0.get(session).is_some_and(|open| {
            let known = open.guests.contains_key(peer);
            let room = open.guests.len() + 1 < usize::from(open.invite.total);
            let fits = if open.mine { known || room } else { open.invite.initiator == *peer };
            !open.started && !open.invite.has_expired(now.millis()) && fits
        })
    }

    /// Whose identity is known by an invite.
    pub(super) fn identity_of(&self, session: &SessionId, peer: &PeerId) -> Option<Identity> {
        let open = self.0.get(session)?;
        let host = (!open.mine && open.invite.initiator == *peer).then_some(open.invite.identity);
        host.or_else(|| open.guests.get(peer).copied())
    }

    /// Whether an invite waits for somebody.
    pub(super) fn is_open(&self, session: &SessionId, now: Timestamp) -> bool {
        self.0
            .get(session)
            .is_some_and(|open| !open.started && !open.invite.has_expired(now.millis()))
    }

    /// The invite by which this node takes part, if a session is one of those.
    pub(super) fn used(&self, session: &SessionId) -> Option<&Invite> {
        self.0.get(session).filter(|open| !open.mine).map(|open| &open.invite)
    }

    pub(super) fn started(&mut self, session: &SessionId) {
        if let Some(open) = self.0.get_mut(session) {
            open.started = true;
        }
    }

    /// Forgets an invite.
    pub(super) fn remove(&mut self, session: &SessionId) -> bool {
        self.0.remove(session).is_some()
    }

    /// Forgets invites that nobody has used in time, and those whose session needs their secret no more.
    pub(super) fn expire(&mut self, now: Timestamp, is_needed: impl Fn(&SessionId) -> bool) {
        self.0.retain(|id, open| {
            if open.started { is_needed(id) } else { !open.invite.has_expired(now.millis()) }
        });
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        let waiting = self.0.values().filter(|open| !open.started);
        waiting.map(|open| Timestamp::from_millis(open.invite.expires.saturating_mul(1000))).min()
    }
}

impl<R: RngCore + CryptoRng> Node<R> {
    pub(super) fn invite(
        &mut self,
        now: Timestamp,
        session_id: SessionId,
        (total, threshold): (u16, u16),
        suite: Suite,
        name: Option<String>,
        lifetime: u64,
    ) -> Result<(), Error> {
        let me =
            self.server.me.clone().filter(|_| self.server.is_online()).ok_or(Error::Offline)?;
        if self.sessions.contains_key(&session_id) || self.invites.0.contains_key(&session_id) {
            return Err(Error::SessionIdUsed(session_id));
        }
        if !(2..=MAX_PARTICIPANTS).contains(&usize::from(total)) {
            return Err(super::ProposalError::Size(usize::from(total)).into());
        }
        if !(2..=total).contains(&threshold) {
            let (threshold, total) = (u64::from(threshold), usize::from(total));
            return Err(super::ProposalError::Threshold { threshold, total }.into());
        }
        if self.invites.0.len() >= MAX_INVITES {
            return Err(Error::Invite(
                "too many invites are open: wait for one to be used, or withdraw it",
            ));
        }
        let invite = Invite {
            server_url: self.server.url.clone(),
            session_id: session_id.clone(),
            initiator: me,
            identity: self.identity.identity(),
            secret: InviteSecret::generate(&mut self.rng),
            total,
            threshold,
            expires: now.millis() / 1000 + lifetime.min(MAX_LIFETIME),
            name: name.and_then(|name| Invite::clean_name(&name)),
        };
        let (uri, expires) = (invite.uri(), invite.expires);
        self.say(Event::Invite { session_id: session_id.clone(), uri, expires });
        self.invites.0.insert(
            session_id,
            Open { invite, suite, mine: true, guests: Map::default(), started: false },
        );
        Ok(())
    }

    pub(super) fn join_invite(&mut self, now: Timestamp, invite: Invite) -> Result<(), Error> {
        let me = self.server.me.as_ref().ok_or(Error::Offline)?;
        if invite.has_expired(now.millis()) {
            return Err(Error::Invite("the invite has expired: ask for a new one"));
        }
        if self.server.url.trim_end_matches('/') != invite.server_url.trim_end_matches('/') {
            return Err(Error::Invite(
                "the invite is for another signaling server: connect to that one",
            ));
        }
        if *me == invite.initiator || invite.identity == self.identity.identity() {
            return Err(Error::Invite(
                "this is the node that invites: open the invite on another one",
            ));
        }
        let session_id = invite.session_id.clone();
        if self.sessions.contains_key(&session_id) || self.invites.0.contains_key(&session_id) {
            return Err(Error::SessionIdUsed(session_id));
        }
        if self.invites.0.len() >= MAX_INVITES {
            return Err(Error::Invite("too many invites are open: leave one first"));
        }
        let suite = Suite::default();
        self.invites.0.insert(
            session_id,
            Open { invite, suite, mine: false, guests: Map::default(), started: false },
        );
        Ok(())
    }

    /// Says hello to the hosts of invites that this node uses.
    pub(super) fn greet_hosts(&mut self, now: Timestamp) {
        let Some(me) = self.server.me.clone().filter(|_| self.server.is_online()) else { return };
        let mut hosts = Vec::new();
        for (session, open) in self.invites.0.iter().filter(|(_, open)| !open.mine && !open.started)
        {
            let host = &open.invite.initiator;
            if self.links.of(session, host).is_none() {
                hosts.push((session.clone(), host.clone()));
            }
        }
        for (session_id, host) in hosts {
            self.start_link(now, &session_id, &me, &host);
        }
    }

    /// A link stands for which there is no session yet: it belongs to an invite. True if that is so.
    pub(super) fn guest_arrived(
        &mut self,
        now: Timestamp,
        session_id: &SessionId,
        peer: &PeerId,
        identity: Identity,
    ) -> bool {
        if self.sessions.contains_key(session_id) {
            return false;
        }
        let Some(open) = self.invites.0.get_mut(session_id).filter(|open| !open.started) else {
            return true;
        };
        if !open.mine {
            return true; // the host proposes now, or once everyone has come
        }
        open.guests.insert(peer.clone(), identity);
        let missing = open
            .invite
            .total
            .saturating_sub(1)
            .saturating_sub(u16::try_from(open.guests.len()).unwrap_or(0));
        let fingerprint = identity.fingerprint().to_string();
        self.say(Event::Arrived {
            session_id: session_id.clone(),
            peer_id: peer.clone(),
            fingerprint,
            missing,
        });
        if missing == 0 {
            self.start_invited(now, session_id);
        }
        true
    }

    /// Everyone has come: proposes to them what they were invited to.
    fn start_invited(&mut self, now: Timestamp, session_id: &SessionId) {
        let Some(open) = self.invites.0.get_mut(session_id) else { return };
        open.started = true;
        let mut participants: Vec<PeerId> = open.guests.keys().cloned().collect();
        participants.push(open.invite.initiator.clone());
        let (threshold, suite, name) =
            (open.invite.threshold, open.suite, open.invite.name.clone());
        let mut proposal = self.proposal(session_id.clone(), &participants, threshold, suite);
        proposal.name = name;
        if let Err(error) = self.begin(now, proposal) {
            self.ignored(None, format!("the invited session could not begin: {error}"));
        }
    }

    pub(super) fn invite_views(&self) -> Vec<InviteView> {
        let waiting = self.invites.0.iter().filter(|(_, open)| !open.started);
        let view = |(session_id, open): (&SessionId, &Open)| InviteView {
            session_id: session_id.clone(),
            name: open.invite.name.clone(),
            mine: open.mine,
            uri: open.mine.then(|| open.invite.uri()),
            host: open.invite.initiator.clone(),
            total: open.invite.total,
            threshold: open.invite.threshold,
            expires: open.invite.expires,
            guests: open
                .guests
                .iter()
                .map(|(id, key)| (id.clone(), key.fingerprint().to_string()))
                .collect(),
        };
        waiting.map(view).collect()
    }
}
