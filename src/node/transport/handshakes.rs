//! How secure channels come about: hellos, answers, proofs, and what happens when both ends begin.
//!
//! In a session each end handshakes once, and a handshake that fails is reported to the session.
//! The members of a wallet may restart at any time: a member that comes to the server sends a hello
//! to every member that is present, a second handshake replaces the channel once it is proven, and
//! what does not fit is dropped. When both ends send a hello, that of the smaller peer id counts.

use super::channel::{Progress, SecureChannel, Stale};
use super::effect::{Admission, Effect, SessionScope, Stage};
use super::{Group, Scope, Slot, Transport};
use crate::channel::{Context, FrameError, HandshakeMessage};
use crate::identity::Identity;
use crate::node::ctx::Ctx;
use crate::node::presence::{Address, ServerId};
use crate::sorted::Set;
use crate::wire::{PeerId, PeerMessage, Sealed, SessionId};

/// How often a hello is repeated to a member that does not answer: it may not have the wallet any
/// more.
const TRIES: u32 = 8;

impl Transport {
    // ---- sessions ----

    /// Sends a hello to a peer of a session, unless there is a channel.
    pub(super) fn hello(&mut self, ctx: &mut Ctx<'_>, session: &SessionId, peer: &PeerId) {
        let Some(Scope::Session(scope)) = self.scopes.get(session) else { return };
        let Some(me) = ctx.presence.me(scope.server).cloned() else { return };
        if self.slots.contains_key(&(session.clone(), peer.clone())) {
            return;
        }
        let psk = scope.psk.clone();
        let (initiator, responder) = (me, peer.clone());
        let context = Context { session_id: session.clone(), initiator, responder, psk };
        match SecureChannel::start(ctx, &context, Stale::Fail) {
            Ok(channel) => {
                self.insert(session, peer, channel);
                self.flush(ctx); // it leaves before whatever is sent next
            }
            Err(error) => self.failed(session, peer, error),
        }
    }

    /// Takes a handshake message. What comes before this node has accepted the session is kept.
    pub(super) fn receive_handshake(
        &mut self,
        ctx: &mut Ctx<'_>,
        from: &Address,
        session: &SessionId,
        data: Vec<u8>,
    ) {
        match self.scopes.get(session) {
            Some(Scope::Group(_)) => self.receive_member_handshake(ctx, from, session, &data),
            Some(Scope::Session(scope)) if scope.stage == Stage::Active && scope.admits(from) => {
                let psk = scope.psk.clone();
                let Some(me) = ctx.presence.me(from.server).cloned() else { return };
                let (initiator, responder) = (from.peer.clone(), me);
                let context = Context { session_id: session.clone(), initiator, responder, psk };
                self.receive_session_handshake(ctx, &from.peer, &context, &data);
            }
            Some(Scope::Session(SessionScope { stage: Stage::Ending | Stage::Over, .. })) => {}
            _ => {
                let session_id = Some(session.clone());
                let message = PeerMessage::Handshake { session_id, data };
                let expected: Set<Address> = self.expected();
                if !self.early.keep(from, message, &expected, ctx.now) {
                    let reason = "too many messages for sessions that are not known here";
                    self.ignored(&from.peer, reason.to_owned());
                }
            }
        }
    }

    fn receive_session_handshake(
        &mut self,
        ctx: &mut Ctx<'_>,
        peer: &PeerId,
        context: &Context,
        data: &[u8],
    ) {
        let session = &context.session_id;
        let is_hello = HandshakeMessage::of(data) == Some(HandshakeMessage::Hello);
        let Some(slot) = self.slots.get_mut(&(session.clone(), peer.clone())) else {
            if is_hello {
                self.answer(ctx, context, data);
            }
            return;
        };
        if is_hello && slot.channel.has_sent_hello() && *peer < context.responder {
            return self.answer(ctx, context, data); // both sent one: that of the smaller id counts
        }
        match slot.channel.receive_handshake(ctx, data) {
            Ok(Progress::Waiting) => {}
            Ok(Progress::Opened(identity)) => self.opened(session, peer, identity),
            Err(error) => self.failed(session, peer, error),
        }
    }

    /// Answers a hello of a session.
    fn answer(&mut self, ctx: &mut Ctx<'_>, context: &Context, hello: &[u8]) {
        let (session, peer) = (&context.session_id, &context.initiator);
        match SecureChannel::answer(ctx, context, Stale::Fail, hello) {
            Ok(channel) => self.insert(session, peer, channel),
            Err(error) => self.failed(session, peer, error),
        }
    }

    fn insert(&mut self, session: &SessionId, peer: &PeerId, channel: SecureChannel) {
        self.slots.insert((session.clone(), peer.clone()), Slot::new(channel));
    }

    fn opened(&mut self, session: &SessionId, peer: &PeerId, identity: Identity) {
        let (session, peer) = (session.clone(), peer.clone());
        self.effects.push_back(Effect::Opened { session, peer, identity });
    }

    fn failed(
        &mut self,
        session: &SessionId,
        peer: &PeerId,
        error: crate::channel::HandshakeError,
    ) {
        let (session, peer) = (session.clone(), peer.clone());
        self.effects.push_back(Effect::Failed { session, peer, error });
    }

    // ---- wallets ----

    /// Sends a hello to every member that is present and has no channel, and gives up on members
    /// that do not answer.
    pub(super) fn greet_members(&mut self, ctx: &mut Ctx<'_>) {
        let mut hellos = Vec::new();
        let mut drops = Vec::new();
        for (session, scope) in self.scopes.iter() {
            let Scope::Group(group) = scope else { continue };
            let Some(server) = group.server(ctx.presence).filter(|s| ctx.presence.is_online(*s))
            else {
                continue;
            };
            for (peer, _) in &group.members {
                let present = ctx.presence.is_present(&Address::new(server, peer));
                let key = (session.clone(), peer.clone());
                match self.slots.get(&key) {
                    None if present && !ctx.contacts.is_blocked(peer) => hellos.push(key),
                    None => {}
                    // A member that is away sends the hello itself when it comes. One that is
                    // present and does not answer is left alone for a while.
                    Some(slot) if slot.channel.is_open() => {}
                    Some(slot) if !present || slot.channel.may_retry(ctx.now) => drops.push(key),
                    Some(_) => {}
                }
            }
        }
        for key in drops {
            self.slots.remove(&key);
        }
        for (session, peer) in hellos {
            self.member_hello(ctx, &session, &peer, None);
        }
        self.give_up_on_silent_members();
    }

    fn give_up_on_silent_members(&mut self) {
        let silent = |channel: &SecureChannel| {
            !channel.is_confirmed() && !channel.has_failed() && channel.resends() > TRIES
        };
        let scopes = &self.scopes;
        let of_groups = |session: &SessionId| matches!(scopes.get(session), Some(Scope::Group(_)));
        for ((session, _), slot) in self.slots.iter_mut() {
            if of_groups(session) && silent(&slot.channel) {
                slot.channel.give_up();
            }
            slot.successor.take_if(|successor| silent(successor));
        }
    }

    /// Sends a hello to a member, at once or after a pause.
    fn member_hello(
        &mut self,
        ctx: &mut Ctx<'_>,
        session: &SessionId,
        peer: &PeerId,
        pause_after: Option<u32>,
    ) {
        let Some(Scope::Group(group)) = self.scopes.get(session) else { return };
        let context = group.context(session, &group.me, peer);
        let Ok(mut channel) = SecureChannel::start(ctx, &context, Stale::Ignore) else { return };
        if let Some(resends) = pause_after {
            channel.pause(ctx.now, resends);
        }
        self.insert(session, peer, channel);
    }

    /// The server has this node again: members that did not answer get another hello.
    pub(super) fn registered(&mut self, ctx: &Ctx<'_>, server: ServerId) {
        let scopes = &self.scopes;
        self.slots.retain(|(session, _), slot| {
            let Some(Scope::Group(group)) = scopes.get(session) else { return true };
            slot.channel.is_open() || group.server(ctx.presence) != Some(server)
        });
    }

    fn receive_member_handshake(
        &mut self,
        ctx: &mut Ctx<'_>,
        from: &Address,
        session: &SessionId,
        data: &[u8],
    ) {
        let Some(Scope::Group(group)) = self.scopes.get(session) else { return };
        let expected = group.identity_of(&from.peer).copied();
        let Some(expected) = expected.filter(|_| group.server(ctx.presence) == Some(from.server))
        else {
            return;
        };
        let context = group.context(session, &from.peer, &group.me);
        let key = (session.clone(), from.peer.clone());
        let message = HandshakeMessage::of(data);
        let slot = self.slots.get_mut(&key);
        if message == Some(HandshakeMessage::Hello) {
            return self.receive_member_hello(ctx, &context, data);
        }
        let Some(slot) = slot else { return };
        // A proof may belong to either of two handshakes.
        let for_successor = message == Some(HandshakeMessage::Proof) && slot.successor.is_some();
        let mut result = Ok(Progress::Waiting);
        if !for_successor || slot.channel.has_answered() {
            result = slot.channel.receive_handshake(ctx, data);
        }
        let mut by_successor = false;
        if for_successor
            && matches!(result, Ok(Progress::Waiting))
            && let Some(successor) = &mut slot.successor
        {
            by_successor = true;
            result = successor.receive_handshake(ctx, data);
        }
        let problem = match result {
            Ok(Progress::Waiting) => return,
            Ok(Progress::Opened(identity)) if identity == expected => {
                if by_successor && let Some(successor) = slot.successor.take() {
                    slot.channel = successor;
                    slot.carried = None;
                }
                return self.opened(session, &from.peer, identity);
            }
            Ok(Progress::Opened(identity)) => {
                format!("is {} and not the member of the wallet", identity.fingerprint())
            }
            Err(error) => error.to_string(),
        };
        self.drop_member_channel(ctx, session, &from.peer, by_successor);
        self.ignored(&from.peer, problem);
    }

    fn receive_member_hello(&mut self, ctx: &mut Ctx<'_>, context: &Context, hello: &[u8]) {
        let (session, peer) = (&context.session_id, &context.initiator);
        let key = (session.clone(), peer.clone());
        if let Some(slot) = self.slots.get_mut(&key) {
            if slot.successor.as_ref().is_some_and(|next| next.has_answered_this(hello)) {
                return; // its answer is repeated by itself
            }
            if slot.channel.has_sent_hello() && context.responder < *peer {
                return; // both sent one, and ours counts
            }
            if slot.channel.has_answered_this(hello) {
                let _ = slot.channel.receive_handshake(ctx, hello); // a repeat: repeats the answer
                return;
            }
        }
        match SecureChannel::answer(ctx, context, Stale::Ignore, hello) {
            Ok(channel) => match self.slots.get_mut(&key) {
                Some(slot) if !slot.channel.has_sent_hello() => slot.successor = Some(channel),
                _ => self.insert(session, peer, channel),
            },
            Err(error) => self.ignored(peer, error.to_string()),
        }
    }

    /// Gives up a member's channel that went wrong. A new hello follows after a while.
    fn drop_member_channel(
        &mut self,
        ctx: &mut Ctx<'_>,
        session: &SessionId,
        peer: &PeerId,
        successor: bool,
    ) {
        let Some(slot) = self.slots.get_mut(&(session.clone(), peer.clone())) else { return };
        if successor {
            slot.successor = None;
            return;
        }
        let resends = slot.channel.resends().saturating_add(1);
        self.member_hello(ctx, session, peer, Some(resends));
    }

    // ---- frames ----

    /// Takes a sealed frame.
    pub(super) fn receive_frame(
        &mut self,
        ctx: &mut Ctx<'_>,
        from: &Address,
        session: &SessionId,
        frame: &Sealed,
    ) {
        let is_group = match self.scopes.get(session) {
            Some(Scope::Session(scope)) if scope.server == from.server => false,
            Some(Scope::Group(group))
                if group.server(ctx.presence) == Some(from.server)
                    && group.identity_of(&from.peer).is_some() =>
            {
                true
            }
            _ => return,
        };
        let slot = self.slots.get_mut(&(session.clone(), from.peer.clone()));
        if is_group && slot.as_ref().is_none_or(|slot| slot.channel.has_failed()) {
            // The other end has a channel that this node does not know any more.
            return self.member_hello(ctx, session, &from.peer, None);
        }
        let Some(slot) = slot else { return };
        let messages = match slot.channel.receive_frame(frame, ctx.now) {
            Ok(messages) => messages,
            Err(FrameError::Malformed) if !is_group => {
                let (session, peer) = (session.clone(), from.peer.clone());
                return self.effects.push_back(Effect::Malformed { session, peer });
            }
            Err(error) => {
                if error == FrameError::Malformed {
                    self.drop_member_channel(ctx, session, &from.peer, false);
                }
                return self.ignored(&from.peer, error.to_string());
            }
        };
        for message in messages {
            let (session, peer) = (session.clone(), from.peer.clone());
            self.effects.push_back(Effect::Received { session, peer, message });
        }
    }

    /// Peers to whom a direct connection is wanted.
    pub(super) fn wanted(&self, ctx: &Ctx<'_>) -> Set<Address> {
        let mut wanted = Set::default();
        let choice = ctx.config.carrier;
        let allowed = || self.carriers.iter().filter(move |c| choice.allows(c.spec().id()));
        if !allowed().any(|carrier| carrier.runs_connections()) {
            return wanted;
        }
        let direct_only = !allowed().any(|carrier| carrier.spec().needs_server);
        for scope in self.scopes.values() {
            match scope {
                Scope::Session(scope) if scope.direct => {
                    let addresses = scope.peers.iter().map(|p| Address::new(scope.server, p));
                    wanted.extend(addresses);
                }
                Scope::Group(group) if direct_only || group.busy => {
                    let Some(server) = group.server(ctx.presence) else { continue };
                    let peers = group.members.iter().map(|(peer, _)| Address::new(server, peer));
                    let reachable = |to: &Address| {
                        ctx.presence.is_present(to) && !ctx.contacts.is_blocked(&to.peer)
                    };
                    wanted.extend(peers.filter(reachable));
                }
                _ => {}
            }
        }
        wanted
    }
}

impl SessionScope {
    fn admits(&self, from: &Address) -> bool {
        self.server == from.server
            && (self.admission == Admission::Anyone || self.peers.contains(&from.peer))
    }
}

impl Group {
    fn context(&self, session: &SessionId, initiator: &PeerId, responder: &PeerId) -> Context {
        Context {
            session_id: session.clone(),
            initiator: initiator.clone(),
            responder: responder.clone(),
            psk: None,
        }
    }
}
