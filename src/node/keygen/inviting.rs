//! How sessions by invite begin: making an invite, using one, and proposing once every guest has
//! come.

use super::Keygen;
use super::effect::Effect;
use super::invites::{Complete, MAX_LIFETIME, Side, Terms};
use super::proposal::proposal;
use crate::agreement::ProposalError;
use crate::api::{Error, Event};
use crate::identity::{Identity, Invite, InviteSecret};
use crate::node::ctx::Ctx;
use crate::node::presence::ServerId;
use crate::node::transport;
use crate::sorted::Map;
use crate::wire::{MAX_PARTICIPANTS, PeerId, SessionId};

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
        if self.invites.is_full() {
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
        self.invites.insert(invite, server, side);
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
        if self.invites.is_full() {
            return Err(Error::Invite("too many invites are open: leave one first"));
        }
        let side = Side::Guest { greeted: false };
        self.invites.insert(invite, server, side);
        Ok(())
    }

    /// Sends a hello to the hosts of invites that this node uses.
    pub(super) fn greet_hosts(&mut self, ctx: &Ctx<'_>) {
        for (session, peer) in self.invites.take_ungreeted(|id| ctx.presence.is_online(id)) {
            let hello = transport::Input::Hello { session, peer };
            self.effects.push_back(Effect::Transport(hello));
        }
    }

    /// A channel stands for which there is no session yet: it belongs to an invite.
    pub(super) fn guest_arrived(
        &mut self,
        ctx: &mut Ctx<'_>,
        session: &SessionId,
        peer: &PeerId,
        identity: Identity,
    ) {
        let Some(missing) = self.invites.arrived(session, peer, identity) else { return };
        let fingerprint = identity.fingerprint().to_string();
        let (session_id, peer_id) = (session.clone(), peer.clone());
        self.event(Event::Arrived { session_id, peer_id, fingerprint, missing });
        if missing == 0 {
            self.start_invited(ctx, session);
        }
    }

    /// Everyone has come: proposes to them what they were invited to.
    fn start_invited(&mut self, ctx: &mut Ctx<'_>, session: &SessionId) {
        let Some(complete) = self.invites.complete(session) else { return };
        let Complete { server, participants, threshold, suite, name } = complete;
        let mut proposal = proposal(ctx, session.clone(), &participants, threshold, suite);
        proposal.name = name;
        if let Err(error) = self.begin(ctx, server, proposal) {
            self.ignored(None, format!("the invited session could not begin: {error}"));
        }
    }
}
