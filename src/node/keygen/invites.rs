//! Invites: sessions whose roster is not known beforehand (docs/PROTOCOL.md, section 3, point 2).
//!
//! The host waits until as many guests as it takes have a secure channel to it, and then proposes.
//! A guest has a channel to the host before anything else, and takes only what comes over that. The
//! secret of the invite is in every handshake of the session: a peer without it cannot complete
//! one.

use zeroize::Zeroizing;

use crate::api::{InviteView, Timestamp};
use crate::frost::Suite;
use crate::identity::{Identity, Invite};
use crate::node::presence::ServerId;
use crate::node::transport::{Admission, SessionScope, Stage};
use crate::sorted::Map;
use crate::wire::{PeerId, SessionId};

/// Longest time that an invite can be used, in seconds: a week.
pub(super) const MAX_LIFETIME: u64 = 7 * 24 * 3600;
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
pub(super) enum Side {
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

/// What a host proposes once every guest has come.
pub(super) struct Complete {
    pub server: ServerId,
    pub participants: Vec<PeerId>,
    pub threshold: u16,
    pub suite: Suite,
    pub name: Option<String>,
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

    /// Whether there is no room for one more.
    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= MAX_INVITES
    }

    pub(super) fn insert(&mut self, invite: Invite, server: ServerId, side: Side) {
        let open = OpenInvite { invite, server, side, started: false };
        self.0.insert(open.invite.session_id.clone(), open);
    }

    /// The hosts that have had no hello yet, at servers that are online: they get one now.
    pub(super) fn take_ungreeted(
        &mut self,
        is_online: impl Fn(ServerId) -> bool,
    ) -> Vec<(SessionId, PeerId)> {
        let mut hosts = Vec::new();
        for (session, open) in self.0.iter_mut() {
            let Side::Guest { greeted } = &mut open.side else { continue };
            if !*greeted && !open.started && is_online(open.server) {
                *greeted = true;
                hosts.push((session.clone(), open.invite.initiator.clone()));
            }
        }
        hosts
    }

    /// Notes a guest of an invite that was made here, and returns how many are missing.
    pub(super) fn arrived(
        &mut self,
        session: &SessionId,
        peer: &PeerId,
        identity: Identity,
    ) -> Option<u16> {
        let open = self.0.get_mut(session).filter(|open| !open.started)?;
        let Side::Host { guests, .. } = &mut open.side else {
            return None; // the host proposes now, or once everyone has come
        };
        guests.insert(peer.clone(), identity);
        let came = u16::try_from(guests.len()).unwrap_or(u16::MAX);
        Some(open.invite.total.saturating_sub(1).saturating_sub(came))
    }

    /// Starts the session of an invite that was made here.
    pub(super) fn complete(&mut self, session: &SessionId) -> Option<Complete> {
        let open = self.0.get_mut(session)?;
        let Side::Host { suite, guests } = &open.side else { return None };
        open.started = true;
        let mut participants: Vec<PeerId> = guests.keys().cloned().collect();
        participants.push(open.invite.initiator.clone());
        Some(Complete {
            server: open.server,
            participants,
            threshold: open.invite.threshold,
            suite: *suite,
            name: open.invite.name.clone(),
        })
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
