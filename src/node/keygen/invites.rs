//! Invites: sessions whose roster is not known beforehand (docs/PROTOCOL.md, section 3, point 2).
//!
//! The host waits until as many guests as it takes have a secure channel to it, and then proposes. A
//! guest has a channel to the host before anything else, and takes only what comes over that. The
//! secret of the invite is in every handshake of the session: a peer without it cannot complete one.

use zeroize::Zeroizing;

use super::{Effect, Keygen, proposal};
use crate::agreement::ProposalError;
use crate::api::{Error, Event, InviteView, Timestamp};
use crate::frost::Suite;
use crate::identity::{Identity, Invite, InviteSecret};
use crate::node::ctx::Ctx;
use crate::node::presence::ServerId;
use crate::node::transport::{self, Admission, SessionScope, Stage};
use crate::sorted::Map;
use crate::wire::{MAX_PARTICIPANTS, PeerId, SessionId};

/// Longest time that an invite can be used, in seconds: a week.
const MAX_LIFETIME: u64 = 7 * 24 * 3600;
/// Most invites that are open here at once.
const MAX_INVITES: usize = 16;

/// What an invite is for, as the host chooses.
pub(super) struct Terms {
    pub total: u16,
    pub threshold: u16,
    pub suite: Suite,
    pub name: Option<String>,
    /// In seconds.
    pub lifetime: u64,
}

/// Whose invite it is.
enum Side {
    /// Made here. The host proposes this suite; a guest learns it then, and all sign it.
    Host { suite: Suite, guests: Map<PeerId, Identity> },
    /// Used here. Whether the host got a hello.
    Guest { greeted: bool },
}

/// An invite and what became of it.
struct OpenInvite {
    invite: Invite,
    server: ServerId,
    side: Side,
    /// The session has begun: nobody else can come in.
    started: bool,
}

impl OpenInvite {
    fn is_waiting(&self, now: Timestamp) -> bool {
        !self.started && !self.invite.has_expired(now.millis())
    }
}

/// All invites that this node has made or uses.
#[derive(Default)]
pub(super) struct Invites(Map<SessionId, OpenInvite>);

impl Invites {
    pub(super) fn contains(&self, session: &SessionId) -> bool {
        self.0.contains_key(session)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = SessionId> + '_ {
        self.0.keys().cloned()
    }

    pub(super) fn needs_server(&self, server: ServerId) -> bool {
        self.0.values().any(|open| open.server == server)
    }

    /// The pre-shared key of a session's handshakes.
    pub(super) fn psk(&self, session: &SessionId) -> Option<Zeroizing<[u8; 32]>> {
        self.0.get(session).map(|open| open.invite.secret.psk())
    }

    /// What an invite needs of the transport while there is no session.
    pub(super) fn scope(
        &self,
        session: &SessionId,
        now: Timestamp,
        psk: Option<Zeroizing<[u8; 32]>>,
    ) -> Option<SessionScope> {
        let open = self.0.get(session).filter(|open| open.is_waiting(now))?;
        let (peers, admission) = match &open.side {
            Side::Host { guests, .. } => {
                let room = guests.len() + 1 < usize::from(open.invite.total);
                let admission = if room { Admission::Anyone } else { Admission::Peers };
                (guests.keys().cloned().collect(), admission)
            }
            Side::Guest { .. } => (vec![open.invite.initiator.clone()], Admission::Peers),
        };
        let (server, stage) = (open.server, Stage::Active);
        Some(SessionScope { server, peers, admission, stage, psk, direct: false })
    }

    /// The identity that an invite names for a peer.
    pub(super) fn identity_of(&self, session: &SessionId, peer: &PeerId) -> Option<Identity> {
        let open = self.0.get(session)?;
        match &open.side {
            Side::Host { guests, .. } => guests.get(peer).copied(),
            Side::Guest { .. } => (open.invite.initiator == *peer).then_some(open.invite.identity),
        }
    }

    /// The invite by which this node takes part, if a session is one of those.
    pub(super) fn used(&self, session: &SessionId) -> Option<&Invite> {
        let open = self.0.get(session)?;
        matches!(open.side, Side::Guest { .. }).then_some(&open.invite)
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

    /// Forgets invites that nobody has used in time, and those whose session needs their secret no
    /// more.
    pub(super) fn expire(&mut self, now: Timestamp, is_needed: impl Fn(&SessionId) -> bool) {
        self.0.retain(|id, open| {
            if open.started { is_needed(id) } else { !open.invite.has_expired(now.millis()) }
        });
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        let waiting = self.0.values().filter(|open| !open.started);
        let expires = waiting.map(|open| open.invite.expires.saturating_mul(1000));
        expires.map(Timestamp::from_millis).min()
    }

    /// What people see of invites that wait for somebody.
    pub(super) fn views(&self) -> Vec<InviteView> {
        let waiting = self.0.iter().filter(|(_, open)| !open.started);
        waiting.map(|(session_id, open)| open.view(session_id)).collect()
    }
}

impl OpenInvite {
    fn view(&self, session_id: &SessionId) -> InviteView {
        let invite = &self.invite;
        let (mine, guests) = match &self.side {
            Side::Host { guests, .. } => {
                let guest =
                    |(id, key): (&PeerId, &Identity)| (id.clone(), key.fingerprint().to_string());
                (true, guests.iter().map(guest).collect())
            }
            Side::Guest { .. } => (false, Vec::new()),
        };
        InviteView {
            session_id: session_id.clone(),
            name: invite.name.clone(),
            mine,
            uri: mine.then(|| invite.uri()),
            host: invite.initiator.clone(),
            total: invite.total,
            threshold: invite.threshold,
            expires: invite.expires,
            guests,
        }
    }
}

impl Keygen {
    /// Makes an invite.
    pub(super) fn invite(
        &mut self,
        ctx: &mut Ctx<'_>,
        server: ServerId,
        server_url: String,
        session_id: SessionId,
        terms: Terms,
    ) -> Result<(), Error> {
        let known = ctx.presence.at(server).filter(|known| known.is_online());
        let me = known.ok_or(Error::Offline)?.me().clone();
        if self.knows(&session_id) {
            return Err(Error::SessionIdUsed(session_id));
        }
        let Terms { total, threshold, suite, name, lifetime } = terms;
        if !(2..=MAX_PARTICIPANTS).contains(&usize::from(total)) {
            return Err(ProposalError::Size(usize::from(total)).into());
        }
        if !(2..=total).contains(&threshold) {
            let (threshold, total) = (u64::from(threshold), usize::from(total));
            return Err(ProposalError::Threshold { threshold, total }.into());
        }
        if self.invites.0.len() >= MAX_INVITES {
            let text = "too many invites are open: wait for one to be used, or withdraw it";
            return Err(Error::Invite(text));
        }
        let invite = Invite {
            server_url,
            session_id: session_id.clone(),
            initiator: me,
            identity: ctx.identity.identity(),
            secret: InviteSecret::generate(&mut ctx.rng),
            total,
            threshold,
            expires: ctx.now.millis() / 1000 + lifetime.min(MAX_LIFETIME),
            name: name.and_then(|name| Invite::clean_name(&name)),
        };
        let (uri, expires) = (invite.uri(), invite.expires);
        self.event(Event::Invite { session_id: session_id.clone(), uri, expires });
        let side = Side::Host { suite, guests: Map::default() };
        self.invites.0.insert(session_id, OpenInvite { invite, server, side, started: false });
        Ok(())
    }

    /// Uses an invite, at the server that it names.
    pub(super) fn join_invite(
        &mut self,
        ctx: &Ctx<'_>,
        server: ServerId,
        invite: Invite,
    ) -> Result<(), Error> {
        let me = ctx.presence.me(server).ok_or(Error::Offline)?;
        if invite.has_expired(ctx.now.millis()) {
            return Err(Error::Invite("the invite has expired: ask for a new one"));
        }
        if *me == invite.initiator || invite.identity == ctx.identity.identity() {
            let text = "this is the node that invites: open the invite on another one";
            return Err(Error::Invite(text));
        }
        let session_id = invite.session_id.clone();
        if self.knows(&session_id) {
            return Err(Error::SessionIdUsed(session_id));
        }
        if self.invites.0.len() >= MAX_INVITES {
            return Err(Error::Invite("too many invites are open: leave one first"));
        }
        let side = Side::Guest { greeted: false };
        self.invites.0.insert(session_id, OpenInvite { invite, server, side, started: false });
        Ok(())
    }

    /// Sends a hello to the hosts of invites that this node uses.
    pub(super) fn greet_hosts(&mut self, ctx: &Ctx<'_>) {
        for (session, open) in self.invites.0.iter_mut() {
            let Side::Guest { greeted } = &mut open.side else { continue };
            if *greeted || open.started || !ctx.presence.is_online(open.server) {
                continue;
            }
            *greeted = true;
            let (session, peer) = (session.clone(), open.invite.initiator.clone());
            let hello = transport::Input::Hello { session, peer };
            self.effects.push_back(Effect::Transport(hello));
        }
    }

    /// A channel stands for which there is no session yet: it belongs to an invite.
    pub(super) fn guest_arrived(
        &mut self,
        ctx: &mut Ctx<'_>,
        session_id: &SessionId,
        peer: &PeerId,
        identity: Identity,
    ) {
        let Some(open) = self.invites.0.get_mut(session_id).filter(|open| !open.started) else {
            return;
        };
        let Side::Host { guests, .. } = &mut open.side else {
            return; // the host proposes now, or once everyone has come
        };
        guests.insert(peer.clone(), identity);
        let came = u16::try_from(guests.len()).unwrap_or(u16::MAX);
        let missing = open.invite.total.saturating_sub(1).saturating_sub(came);
        let fingerprint = identity.fingerprint().to_string();
        let (session_id, peer_id) = (session_id.clone(), peer.clone());
        self.event(Event::Arrived {
            session_id: session_id.clone(),
            peer_id,
            fingerprint,
            missing,
        });
        if missing == 0 {
            self.start_invited(ctx, &session_id);
        }
    }

    /// Everyone has come: proposes to them what they were invited to.
    fn start_invited(&mut self, ctx: &mut Ctx<'_>, session_id: &SessionId) {
        let Some(open) = self.invites.0.get_mut(session_id) else { return };
        let Side::Host { suite, guests } = &open.side else { return };
        open.started = true;
        let mut participants: Vec<PeerId> = guests.keys().cloned().collect();
        participants.push(open.invite.initiator.clone());
        let (server, threshold) = (open.server, open.invite.threshold);
        let (suite, name) = (*suite, open.invite.name.clone());
        let mut proposal = proposal(ctx, session_id.clone(), &participants, threshold, suite);
        proposal.name = name;
        if let Err(error) = self.begin(ctx, server, proposal) {
            self.ignored(None, format!("the invited session could not begin: {error}"));
        }
    }
}
