//! How the node serves its wallets: it keeps a secure channel to each member that it can reach, and moves what goes between
//! these and the wallets (docs/PROTOCOL.md, section 5).
//!
//! Whoever comes later says hello, since it learns from the server who is there. A member that starts anew says hello to who
//! still holds an old link: that one stands until the new one is proven, so nobody can knock it out.

use rand_core::{CryptoRng, RngCore};

use super::core::Node;
use super::ctx::Ctx;
use super::links::{Link, Progress, Tools};
use super::session::Session;
use super::wallet::{self, Effect, WalletCommand};
use super::{Error, Output, Timestamp};
use crate::api::CarrierChoice;
use crate::channel::{Context, FrameError, HandshakeMessage};
use crate::identity::Identity;
use crate::sorted::Set;
use crate::wire::{PeerId, SessionId};

/// The members of one wallet, as [`Effect::Join`] names them.
pub(super) struct Joined {
    session: SessionId,
    /// What this node is called in the wallet.
    me: PeerId,
    members: Vec<(PeerId, Identity)>,
    /// Direct connections are worth it.
    busy: bool,
    /// The members that the wallet takes to be reachable.
    reachable: Set<PeerId>,
}

impl Joined {
    fn identity_of(&self, peer: &PeerId) -> Option<&Identity> {
        self.members.iter().find(|(member, _)| member == peer).map(|(_, identity)| identity)
    }
}

/// How often a hello is said to a member that does not answer: it may not have the wallet any more.
const TRIES: u32 = 8;

impl<R: RngCore + CryptoRng> Node<R> {
    // ---- wallets ----

    /// Hands an input to the wallets, and carries out what they want.
    pub(super) fn tell_wallets(&mut self, now: Timestamp, input: wallet::Input) {
        let Self { wallets, rng, identity, config, .. } = self;
        wallets.handle(&mut Ctx { now, rng, identity, config }, input);
        self.carry_out_for_wallets(now);
    }

    /// Has the wallets carry out a command.
    pub(super) fn wallet_command(
        &mut self,
        now: Timestamp,
        command: WalletCommand,
    ) -> Result<(), Error> {
        let Self { wallets, rng, identity, config, .. } = self;
        let result = wallets.command(&mut Ctx { now, rng, identity, config }, command);
        self.carry_out_for_wallets(now);
        result
    }

    fn carry_out_for_wallets(&mut self, now: Timestamp) {
        loop {
            let Self { wallets, rng, identity, config, .. } = self;
            let Some(effect) = wallets.poll(&mut Ctx { now, rng, identity, config }) else {
                return;
            };
            self.dirty = true;
            self.carry_out_effect(now, effect);
        }
    }

    fn carry_out_effect(&mut self, now: Timestamp, effect: Effect) {
        match effect {
            Effect::Join { session, me, members } => {
                let peers: Vec<PeerId> = members.iter().map(|(peer, _)| peer.clone()).collect();
                self.joined.push(Joined {
                    session: session.clone(),
                    me,
                    members,
                    busy: false,
                    reachable: Set::default(),
                });
                for peer in peers {
                    for message in self.mesh.take_early(&peer, &session) {
                        self.peer_message(now, &peer, message);
                    }
                }
            }
            Effect::Send { session, peer, text } => {
                if let Some(link) = self.links.of_mut(&session, &peer).filter(|link| link.is_open())
                    && let Err(error) = link.say_text(&text)
                {
                    self.ignored(Some(&peer), error.to_string());
                }
            }
            Effect::Busy { session, busy } => {
                if let Some(joined) = self.joined.iter_mut().find(|j| j.session == session) {
                    joined.busy = busy;
                }
            }
            Effect::Output(wallet::Output::StoreEntry { pubkey, entry, head }) => {
                self.out.push_back(Output::StoreEntry { pubkey, entry, head });
            }
            Effect::Output(wallet::Output::Event(event)) => self.say(event),
        }
    }

    pub(super) fn is_group(&self, session: &SessionId) -> bool {
        self.wallets.uses(session)
    }

    /// The wallet whose members use that session id, if `peer` is one of the others, and this node goes by its name there.
    fn membership(&self, session: &SessionId, peer: &PeerId) -> Option<&Joined> {
        let joined = self.joined.iter().find(|joined| joined.session == *session)?;
        let own = Some(&joined.me) == self.server.me.as_ref();
        (own && joined.identity_of(peer).is_some()).then_some(joined)
    }

    // ---- links ----

    /// Says hello to every member that is there and has no link.
    pub(super) fn greet_members(&mut self, now: Timestamp) {
        let Some(me) = self.server.me.clone().filter(|_| self.server.is_online()) else { return };
        let mut due = Vec::new();
        for group in self.joined.iter().filter(|joined| joined.me == me) {
            for (peer, _) in &group.members {
                match self.links.of(&group.session, peer) {
                    None if self.server.present.contains(peer)
                        && !self.contacts.is_blocked(peer) =>
                    {
                        due.push((group.session.clone(), peer.clone()));
                    }
                    // Who is away says hello itself when it comes; who is there and does not answer is left alone for a while.
                    Some(link) if !link.is_open() && !self.server.present.contains(peer) => {
                        due.push((group.session.clone(), peer.clone()));
                    }
                    Some(link) if link.is_worth_a_try(now) => {
                        due.push((group.session.clone(), peer.clone()))
                    }
                    _ => {}
                }
            }
        }
        for (links, peer) in due {
            if self.links.of(&links, &peer).is_some() {
                self.links.remove(&links, &peer);
            } else {
                self.start_link(now, &links, &me, &peer);
            }
        }
        let wallets = &self.wallets;
        self.links.give_up(TRIES, |session| wallets.uses(session));
    }

    /// The server has this node again: a member that did not answer is asked again, and one that has a link gets what is held
    /// here. A member that began anew meanwhile finds by that that its link is gone.
    pub(super) fn greet_members_again(&mut self, now: Timestamp) {
        for joined in &self.joined {
            for (peer, _) in &joined.members {
                if !self.links.is_open(&joined.session, peer) {
                    self.links.remove(&joined.session, peer);
                }
            }
        }
        self.tell_wallets(now, wallet::Input::Registered);
    }

    /// Takes a message of a handshake of two members.
    pub(super) fn member_link(
        &mut self,
        now: Timestamp,
        from: &PeerId,
        session: &SessionId,
        data: &[u8],
    ) {
        let Some(me) = self.server.me.clone() else { return };
        let Some(joined) = self.membership(session, from) else { return };
        let expected = joined.identity_of(from).copied();
        let known = self.links.of(session, from);
        let hello = HandshakeMessage::of(data) == Some(HandshakeMessage::Hello);
        if self.links.successor(session, from).is_some_and(|link| link.is_known(data)) {
            return; // it repeats its answer by itself
        }
        let repeat = known.is_some_and(|link| link.is_known(data));
        let glare = known.is_some_and(Link::has_said_hello);
        if hello && glare && me < *from {
            return; // ours counts
        }
        let tools = &mut Tools { key: &self.identity, rng: &mut self.rng };
        if hello && !repeat {
            let context = Context {
                session_id: session.clone(),
                initiator: from.clone(),
                responder: me,
                psk: None,
            };
            match Link::answer(context, data, tools, now) {
                Ok(link) if known.is_none_or(Link::has_said_hello) => {
                    self.links.insert(session, from, link.patient())
                }
                Ok(link) => self.links.succeed(session, from, link.patient()),
                Err(error) => self.ignored(Some(from), error.to_string()),
            }
            return;
        }
        // A proof may belong to either of two handshakes.
        let proves = HandshakeMessage::of(data) == Some(HandshakeMessage::Proof)
            && self.links.successor(session, from).is_some();
        let mut successor = false;
        let mut result = Ok(Progress::Waiting);
        if !proves || self.links.of(session, from).is_some_and(Link::has_answered) {
            let Some(link) = self.links.of_mut(session, from) else { return };
            result = link.handshake(data, tools, now);
        }
        if proves
            && matches!(result, Ok(Progress::Waiting))
            && let Some(link) = self.links.successor_mut(session, from)
        {
            successor = true;
            result = link.handshake(data, tools, now);
        }
        match result {
            Ok(Progress::Waiting) => {}
            Ok(Progress::Opened(identity)) if expected == Some(identity) => {
                if successor {
                    self.links.promote(session, from);
                }
                let (session, peer) = (session.clone(), from.clone());
                self.tell_wallets(now, wallet::Input::ChannelOpened { session, peer });
            }
            Ok(Progress::Opened(identity)) => {
                self.drop_link(now, session, from, successor);
                let reason = format!(
                    "is {} and not the member of the wallet",
                    Identity::fingerprint(&identity)
                );
                self.ignored(Some(from), reason);
            }
            Err(error) => {
                self.drop_link(now, session, from, successor);
                self.ignored(Some(from), error.to_string());
            }
        }
    }

    /// Gives a link up that went wrong. Its place takes a new one, after a while.
    fn drop_link(&mut self, now: Timestamp, session: &SessionId, peer: &PeerId, successor: bool) {
        if successor {
            drop(self.links.drop_successor(session, peer));
            return;
        }
        let tries = self.links.of(session, peer).map_or(0, Link::tries).saturating_add(1);
        let Some(me) = self.server.me.clone() else { return };
        self.start_link(now, session, &me, peer);
        if let Some(link) = self.links.of_mut(session, peer) {
            link.pause(now, tries);
        }
    }

    /// Takes a sealed frame of a member.
    pub(super) fn member_frame(
        &mut self,
        now: Timestamp,
        from: &PeerId,
        session: &SessionId,
        frame: &crate::wire::Sealed,
    ) {
        if self.membership(session, from).is_none() {
            return;
        }
        if self.links.of(session, from).is_none_or(Link::has_failed) {
            // The other end has a link that this node does not know any more.
            let Some(me) = self.server.me.clone() else { return };
            return self.start_link(now, session, &me, from);
        }
        let Some(link) = self.links.of_mut(session, from) else { return };
        let messages = match link.frame(frame, now) {
            Ok(messages) => messages,
            Err(error) => {
                if error == FrameError::Malformed {
                    self.drop_link(now, session, from, false);
                }
                return self.ignored(Some(from), error.to_string());
            }
        };
        for message in messages {
            let (session, peer) = (session.clone(), from.clone());
            self.tell_wallets(now, wallet::Input::Received { session, peer, message });
        }
    }

    // ---- after every input ----

    /// Tells wallets which members can be reached, and carries out what they want.
    pub(super) fn settle_groups(&mut self, now: Timestamp) {
        let mut changed = Vec::new();
        for joined in &self.joined {
            for (peer, _) in &joined.members {
                let reachable = self.is_linked(&joined.session, peer);
                if joined.reachable.contains(peer) != reachable {
                    changed.push((joined.session.clone(), peer.clone(), reachable));
                }
            }
        }
        for (session, peer, reachable) in changed {
            if let Some(joined) = self.joined.iter_mut().find(|j| j.session == session) {
                if reachable {
                    joined.reachable.insert(peer.clone());
                } else {
                    joined.reachable.remove(&peer);
                }
            }
            self.tell_wallets(now, wallet::Input::Reachable { session, peer, reachable });
        }
        self.carry_out_for_wallets(now);
    }

    /// Members to whom a channel is wanted.
    pub(super) fn wanted_members(&self) -> impl Iterator<Item = PeerId> + '_ {
        let direct_only = self.config.carrier == CarrierChoice::Direct;
        let me = self.server.me.as_ref();
        let joined = self.joined.iter();
        let joined = joined.filter(move |j| (direct_only || j.busy) && Some(&j.me) == me);
        let members = joined.flat_map(|j| j.members.iter().map(|(peer, _)| peer.clone()));
        members.filter(|peer| self.server.present.contains(peer) && !self.contacts.is_blocked(peer))
    }

    /// Whether links of that name are still needed.
    pub(super) fn needs_links(&self, session: &SessionId, now: Timestamp) -> bool {
        self.is_group(session)
            || self.sessions.get(session).is_some_and(|s: &Session| s.uses_channels(now))
            || self.invites.is_open(session, now)
    }
}
