//! How the node serves its wallets: it opens them, keeps a link to each member that it can reach, and carries out what their
//! circles ask for (docs/PROTOCOL.md, section 5).
//!
//! Whoever comes later says hello, since it learns from the server who is there. A member that starts anew says hello to who
//! still holds an old link: that one stands until the new one is proven, so nobody can knock it out.

use rand_core::{CryptoRng, RngCore};

use super::core::Node;
use super::links::{Link, Progress, Tools};
use super::session::Session;
use super::wallet::{Act, Group};
use super::{Error, Event, Output, Timestamp};
use crate::api::{CarrierChoice, MIN_REQUEST_DIGITS};
use crate::audit::{Entry, Head};
use crate::channel::{Context, FrameError, HandshakeMessage};
use crate::frost::Identifier;
use crate::group::RequestId;
use crate::identity::Identity;
use crate::keystore::WalletRecord;
use crate::sorted::Set;
use crate::wire::{PeerId, SessionId, clip};

/// A wallet as it was kept: its key, and its audit trail.
#[derive(Debug)]
pub struct StoredWallet {
    /// The key.
    pub record: WalletRecord,
    /// The entries of its trail, in order.
    pub trail: Vec<Entry>,
    /// Its head, once there is an entry.
    pub head: Option<Head>,
}

/// How often a hello is said to a member that does not answer: it may not have the wallet any more.
const TRIES: u32 = 8;

impl<R: RngCore + CryptoRng> Node<R> {
    // ---- wallets ----

    /// Takes a wallet into use. One that nothing can be signed with is told of, and stays as it is.
    pub(super) fn open_wallet(&mut self, now: Timestamp, wallet: &StoredWallet) {
        let info = &wallet.record.info;
        if self.groups.iter().any(|group| group.info.pubkey == info.pubkey) {
            return;
        }
        let tools = &mut Tools { key: &self.identity, rng: &mut self.rng };
        let trail = (wallet.trail.as_slice(), wallet.head.as_ref());
        match Group::open(&wallet.record, trail, self.config.deadlines, now, tools) {
            Ok(group) => {
                let (links, others) =
                    (group.links.clone(), group.others().map(|(_, peer)| peer.clone()));
                let others: Vec<PeerId> = others.collect();
                self.groups.push(group);
                for peer in others {
                    for message in self.mesh.take_early(&peer, &links) {
                        self.peer_message(now, &peer, message);
                    }
                }
            }
            Err(reason) => {
                self.unusable.retain(|(pubkey, _)| *pubkey != info.pubkey);
                self.unusable.push((info.pubkey.clone(), reason.clone()));
                self.say(Event::WalletUnusable { pubkey: info.pubkey.clone(), reason });
            }
        }
    }

    /// Lets a wallet's circle do something.
    pub(super) fn in_group<T>(
        &mut self,
        pubkey: &str,
        act: impl FnOnce(&mut Group, &mut Tools<'_, R>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if let Some((_, reason)) = self.unusable.iter().find(|(key, _)| key == pubkey) {
            return Err(Error::WalletUnusable(reason.clone()));
        }
        let found = self.groups.iter_mut().find(|group| group.info.pubkey == pubkey);
        let group = found.ok_or_else(|| Error::NoSuchWallet(pubkey.to_owned()))?;
        act(group, &mut Tools { key: &self.identity, rng: &mut self.rng })
    }

    /// The wallet of a request.
    /// The request whose id begins so, and the wallet that it is for.
    pub(super) fn request_named(&self, beginning: &str) -> Result<(String, RequestId), Error> {
        let unknown = || Error::NoSuchRequest(clip(beginning));
        if beginning.len() < MIN_REQUEST_DIGITS {
            return Err(unknown());
        }
        let wanted = beginning.to_ascii_lowercase();
        let ids = self
            .groups
            .iter()
            .flat_map(|group| group.book.iter().map(|(id, _)| (group.info.pubkey.clone(), *id)));
        let mut found = ids.filter(|(_, id)| hex::encode(id).starts_with(&wanted));
        let first = found.next().ok_or_else(unknown)?;
        if found.next().is_some() {
            return Err(Error::SeveralRequests(clip(beginning)));
        }
        Ok(first)
    }

    pub(super) fn is_group(&self, session: &SessionId) -> bool {
        self.groups.iter().any(|group| group.links == *session)
    }

    /// The wallet whose members talk under that name, if `peer` is one of the others, and this node goes by its name there.
    fn membership(&self, session: &SessionId, peer: &PeerId) -> Option<(usize, Identifier)> {
        let index = self.groups.iter().position(|group| group.links == *session)?;
        let group = &self.groups[index];
        let identifier = group.identifier_of(peer).filter(|identifier| *identifier != group.me)?;
        (group.peer(group.me) == self.server.me.as_ref()).then_some((index, identifier))
    }

    // ---- links ----

    /// Says hello to every member that is there and has no link.
    pub(super) fn greet_members(&mut self, now: Timestamp) {
        let Some(me) = self.server.me.clone().filter(|_| self.server.is_online()) else { return };
        let mut due = Vec::new();
        for group in self.groups.iter().filter(|group| group.peer(group.me) == Some(&me)) {
            for (_, peer) in group.others() {
                match self.links.of(&group.links, peer) {
                    None if self.server.present.contains(peer)
                        && !self.contacts.is_blocked(peer) =>
                    {
                        due.push((group.links.clone(), peer.clone()));
                    }
                    // Who is away says hello itself when it comes; who is there and does not answer is left alone for a while.
                    Some(link) if !link.is_open() && !self.server.present.contains(peer) => {
                        due.push((group.links.clone(), peer.clone()));
                    }
                    Some(link) if link.is_worth_a_try(now) => {
                        due.push((group.links.clone(), peer.clone()))
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
        let groups = &self.groups;
        self.links.give_up(TRIES, |session| groups.iter().any(|group| group.links == *session));
    }

    /// The server has this node again: who did not answer is asked again, and who has a link hears what is held here. A member
    /// that began anew meanwhile finds by that that its link is gone.
    pub(super) fn greet_members_again(&mut self) {
        for index in 0..self.groups.len() {
            let group = &self.groups[index];
            let (links, others) = (
                group.links.clone(),
                group.others().map(|(identifier, peer)| (identifier, peer.clone())),
            );
            for (identifier, peer) in others.collect::<Vec<_>>() {
                if self.links.is_open(&links, &peer) {
                    self.groups[index].tell_holdings(identifier);
                } else {
                    self.links.remove(&links, &peer);
                }
            }
        }
    }

    /// Takes a message of a handshake of two members.
    pub(super) fn member_link(
        &mut self,
        now: Timestamp,
        from: &PeerId,
        session: &SessionId,
        data: &[u8],
    ) {
        let (Some(me), Some((index, identifier))) =
            (self.server.me.clone(), self.membership(session, from))
        else {
            return;
        };
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
            Ok(Progress::Opened(identity))
                if self.groups[index].identity_of(from) == Some(&identity) =>
            {
                if successor {
                    self.links.promote(session, from);
                }
                self.groups[index].linked(
                    identifier,
                    now,
                    &mut Tools { key: &self.identity, rng: &mut self.rng },
                );
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
        let Some((index, identifier)) = self.membership(session, from) else { return };
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
            let tools = &mut Tools { key: &self.identity, rng: &mut self.rng };
            match std::str::from_utf8(&message) {
                Ok(text) => self.groups[index].text(identifier, text, now, tools),
                Err(_) => self.ignored(Some(from), "sealed what is no text".to_owned()),
            }
        }
    }

    // ---- after every input ----

    /// Tells circles who can be reached, and carries out what they ask for.
    pub(super) fn settle_groups(&mut self, now: Timestamp) {
        for index in 0..self.groups.len() {
            let group = &self.groups[index];
            let linked = group.others().filter(|(_, peer)| self.is_linked(&group.links, peer));
            let reachable: Set<Identifier> = linked.map(|(identifier, _)| identifier).collect();
            let group = &mut self.groups[index];
            if group.reachable != reachable {
                group.reach(reachable);
                self.dirty = true;
            }
            let acts = group.settle(now, &mut Tools { key: &self.identity, rng: &mut self.rng });
            for act in acts {
                self.dirty = true;
                self.carry_out_act(index, act);
            }
        }
    }

    fn carry_out_act(&mut self, index: usize, act: Act) {
        let group = &self.groups[index];
        match act {
            Act::Send(identifier, message) => {
                let Some(peer) = group.peer(identifier) else { return };
                if let Some(link) =
                    self.links.of_mut(&group.links, peer).filter(|link| link.is_open())
                    && let Err(error) = link.say_text(&message.to_text())
                {
                    let peer = peer.clone();
                    self.ignored(Some(&peer), error.to_string());
                }
            }
            Act::Log(entry, head) => {
                let pubkey = group.info.pubkey.clone();
                self.out.push_back(Output::StoreEntry { pubkey, entry, head });
            }
            Act::Event(event) => self.say(event),
        }
    }

    /// Members to whom a channel is wanted.
    pub(super) fn wanted_members(&self) -> impl Iterator<Item = PeerId> + '_ {
        let direct_only = self.config.carrier == CarrierChoice::Direct;
        let me = self.server.me.as_ref();
        let groups =
            self.groups.iter().filter(move |c| (direct_only || c.is_busy()) && c.peer(c.me) == me);
        let members = groups.flat_map(|group| group.others().map(|(_, peer)| peer.clone()));
        members.filter(|peer| self.server.present.contains(peer) && !self.contacts.is_blocked(peer))
    }

    /// Whether links of that name are still needed.
    pub(super) fn needs_links(&self, session: &SessionId, now: Timestamp) -> bool {
        self.is_group(session)
            || self.sessions.get(session).is_some_and(|s: &Session| s.uses_channels(now))
            || self.invites.is_open(session, now)
    }
}
