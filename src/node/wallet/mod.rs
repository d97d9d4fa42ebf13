//! Consensus of the members of one wallet: they propose, vote, and what enough of them approve is carried out, now as
//! signatures. A [`Group`] is one wallet as its node sees it: it knows members by their place, and nothing of links or servers.
//!
//! Whatever it hears and does goes into the audit trail, from which it starts again. Only what is in the trail durably is
//! said to others, where it must not be unsaid: this node's own requests and votes, that its share leaves, and that it has
//! signed a test.

mod audit_log;
mod budget;
mod coordinator;
mod health_check;
mod inventory;
mod ledger;
mod signer;
mod statements;
mod view;

use rand_core::{CryptoRng, RngCore};

pub(super) use ledger::{Ledger, RequestEntry, Rules, Signed};

use self::audit_log::Log;
use self::budget::{Budget, Cost};
use self::coordinator::{Ceremony, LeftOut};
use self::health_check::Check;
use self::signer::Reservation;
use super::Deadlines;
use super::links::Tools;
use crate::api::{CheckView, Event, Timestamp};
use crate::audit::{self, Body, End, Entry, Head};
use crate::frost::{Identifier, Key, Suite};
use crate::group::{CeremonyId, GroupMessage, InventoryItem, RequestId, group_id};
use crate::identity::Identity;
use crate::keystore::{WalletInfo, WalletRecord};
use crate::sorted::{Map, Set};
use crate::wire::{PeerId, SessionId, WireError, clip};

/// What a circle asks of the node.
pub(super) enum Act {
    /// Say to a member, if there is a link to it. To this node itself it comes back at once.
    Send(Identifier, GroupMessage),
    /// Keep an entry of the trail, and its new head; answered by [`Group::kept`].
    Log(Box<Entry>, Head),
    /// Tell the outside.
    Event(Event),
}

/// One wallet and its members.
pub(super) struct Group {
    pub info: WalletInfo,
    /// Names its links.
    pub links: SessionId,
    pub(super) rules: Rules,
    pub(super) me: Identifier,
    key: Box<dyn Key>,
    pub(super) book: Ledger,
    log: Log,
    ceremonies: Map<CeremonyId, Ceremony>,
    pledges: Vec<Reservation>,
    /// Who was not there, or refused, and by when it is asked again.
    left_out: Map<(RequestId, Identifier), LeftOut>,
    check: Option<Check>,
    last_check: Option<CheckView>,
    /// Health checks of late: for whom, and when.
    check_pledges: Vec<(Identifier, Timestamp)>,
    /// Who has signed in a health check, by its own word.
    checked: Set<Identifier>,
    /// Everyone has.
    pub ready: bool,
    /// The next check that nobody asks for: not before that, not without everyone before that, and how many there were.
    next_check: Timestamp,
    patience: Timestamp,
    own_checks: u32,
    /// Members who can be reached.
    pub(super) reachable: Set<Identifier>,
    /// What members hold, who are to be told what that lacks; and when each was told last.
    owed: Map<Identifier, Vec<InventoryItem>>,
    told: Map<Identifier, Timestamp>,
    /// Requests that members spoke of and that are not known here: each is asked about once.
    asked: Set<(Identifier, RequestId)>,
    budget: Budget,
    /// Coordinators to whom a share for a health check was given.
    gave_check: Set<Identifier>,
    deadlines: Deadlines,
    acts: Vec<Act>,
}

impl Group {
    /// A wallet, and the trail that was kept of it.
    ///
    /// # Errors
    /// Why nothing can be signed with it.
    pub(super) fn open<R: RngCore + CryptoRng>(
        record: &WalletRecord,
        trail: (&[Entry], Option<&Head>),
        deadlines: Deadlines,
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) -> Result<Self, String> {
        let info = record.info.clone();
        let certificate = record.certificate.as_ref().ok_or(
            "it has no certificate: nothing proves who its other members are, and so nobody could tell whose votes count",
        )?;
        let me = info.identifier;
        let identity = tools.key.identity();
        if certificate.agreement.member(me).map(|member| member.identity) != Some(identity) {
            return Err("it was made by another identity than this node's".to_owned());
        }
        let suite = Suite::of_id(&info.ciphersuite).ok_or("its ciphersuite is not known here")?;
        let key = suite
            .key(&record.key_package, &record.public_key_package)
            .map_err(|fault| fault.to_string())?;
        let bound = group_id(&certificate.agreement, &info.pubkey);
        let rules = Rules {
            group_id: bound,
            pubkey: hex::decode(&info.pubkey).map_err(|_| "its key is not hexadecimal")?,
            suite,
            threshold: info.threshold,
            members: certificate.agreement.members.clone(),
        };
        let links = hex::encode(bound).parse().map_err(|_| "its links cannot be named")?;
        let (entries, head) = trail;
        let of = (info.pubkey.as_str(), me, &identity);
        let (bodies, head) = audit::verify(&bound, of, entries, End::Kept(head))
            .map_err(|error| error.to_string())?;
        let mut this = Self {
            info,
            links,
            rules,
            me,
            key,
            book: Ledger::default(),
            log: Log::after(head),
            ceremonies: Map::default(),
            pledges: Vec::new(),
            left_out: Map::default(),
            check: None,
            last_check: None,
            check_pledges: Vec::new(),
            checked: Set::default(),
            ready: false,
            next_check: Timestamp::default(),
            patience: now.after(deadlines.step),
            own_checks: 0,
            reachable: Set::default(),
            owed: Map::default(),
            told: Map::default(),
            asked: Set::default(),
            budget: Budget::default(),
            gave_check: Set::default(),
            deadlines,
            acts: Vec::new(),
        };
        this.replay(entries.iter().map(|entry| Timestamp::from_millis(entry.time)).zip(bodies));
        if entries.is_empty() {
            let body = Body::Opened { pubkey: this.info.pubkey.clone(), member: me };
            this.write(&body, now, tools);
        }
        this.ready_once_all_have(now, tools);
        Ok(this)
    }

    /// Hears again what the trail tells, each at its time: what was taken then is taken again, and what had to make room does so.
    fn replay(&mut self, told: impl Iterator<Item = (Timestamp, Body)>) {
        for (now, body) in told {
            let _ = match body {
                Body::Request { request } => self.book.request(&self.rules, *request, now, || true),
                Body::Vote { vote } => self.book.vote(&self.rules, vote, now).map(|_| true),
                Body::Signed { request, signature, signers } => {
                    self.book.signature(&self.rules, &request, Signed { signature, signers })
                }
                Body::Ready => {
                    self.ready = true;
                    self.checked.extend(1..=self.rules.total());
                    Ok(true)
                }
                Body::Checked { member } => {
                    self.checked.insert(member);
                    Ok(true)
                }
                Body::Opened { .. }
                | Body::Decision { .. }
                | Body::Commit { .. }
                | Body::Aborted { .. } => Ok(true),
            };
        }
    }

    pub(super) fn peer(&self, identifier: Identifier) -> Option<&PeerId> {
        self.rules.member(identifier).map(|member| &member.peer_id)
    }

    pub(super) fn identifier_of(&self, peer: &PeerId) -> Option<Identifier> {
        (1..=self.rules.total()).find(|identifier| self.peer(*identifier) == Some(peer))
    }

    pub(super) fn identity_of(&self, peer: &PeerId) -> Option<&Identity> {
        self.rules.member(self.identifier_of(peer)?).map(|member| &member.identity)
    }

    /// Whether it is this node, or can be reached.
    fn is_here(&self, identifier: Identifier) -> bool {
        identifier == self.me || self.reachable.contains(&identifier)
    }

    /// The other members.
    pub(super) fn others(&self) -> impl Iterator<Item = (Identifier, &PeerId)> {
        (1..=self.rules.total()).filter(|p| *p != self.me).filter_map(|p| Some((p, self.peer(p)?)))
    }

    /// Something goes on for which fast ways to the members are worth it.
    pub(super) fn is_busy(&self) -> bool {
        self.ceremonies.len() > 0 || !self.pledges.is_empty() || self.check.is_some()
    }

    /// Why nothing can be done any more.
    pub(super) fn problem(&self) -> Option<&str> {
        self.log.broken.as_deref()
    }

    fn name(&self, identifier: Identifier) -> Option<&str> {
        self.peer(identifier).map(PeerId::as_str)
    }

    fn names(&self, identifiers: &[Identifier]) -> Vec<PeerId> {
        identifiers.iter().filter_map(|identifier| self.peer(*identifier).cloned()).collect()
    }

    fn say(&mut self, event: Event) {
        self.acts.push(Act::Event(event));
    }

    fn ignore(&mut self, from: Identifier, reason: String) {
        if let (true, Some(peer)) = (from != self.me, self.peer(from).cloned()) {
            self.say(Event::Ignored { peer_id: Some(peer), reason });
        }
    }

    fn broadcast(&mut self, message: &GroupMessage) {
        let others: Vec<Identifier> = self.others().map(|(identifier, _)| identifier).collect();
        self.acts
            .extend(others.into_iter().map(|identifier| Act::Send(identifier, message.clone())));
    }

    fn write<R: RngCore + CryptoRng>(
        &mut self,
        body: &Body,
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) {
        let entry = self.log.write(&self.rules, body, now, tools);
        self.acts.extend(entry);
    }

    /// Says something to all others once what was written so far is durable.
    fn broadcast_durably(&mut self, message: &GroupMessage) {
        let others: Vec<Identifier> = self.others().map(|(identifier, _)| identifier).collect();
        for identifier in others {
            let act = self.log.then(Act::Send(identifier, message.clone()));
            self.acts.extend(act);
        }
    }

    // ---- what happens ----

    /// What to do, in order, after everything that this node says to itself has been heard.
    pub(super) fn settle<R: RngCore + CryptoRng>(
        &mut self,
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) -> Vec<Act> {
        self.leave_out_the_silent(now, tools);
        self.tell_what_is_owed(now);
        self.pledges.retain(|pledge| pledge.until > now);
        self.forget_what_is_over(now);
        self.check_by_itself(now, tools);
        let mut out = Vec::new();
        loop {
            self.coordinate(now, tools);
            if self.acts.is_empty() {
                return out;
            }
            for act in std::mem::take(&mut self.acts) {
                match act {
                    Act::Send(identifier, message) if identifier == self.me => {
                        self.message(identifier, message, now, tools)
                    }
                    act => out.push(act),
                }
            }
        }
    }

    /// Notes who can be reached now.
    pub(super) fn reach(&mut self, reachable: Set<Identifier>) {
        let before = std::mem::replace(&mut self.reachable, reachable);
        for identifier in 1..=self.rules.total() {
            let online = self.reachable.contains(&identifier);
            if let (true, Some(peer_id)) =
                (before.contains(&identifier) != online, self.peer(identifier).cloned())
            {
                let pubkey = self.info.pubkey.clone();
                self.say(Event::Member { pubkey, peer_id, online, carrier: None });
            }
        }
    }

    /// Takes a message of a member, or of this node itself.
    pub(super) fn message<R: RngCore + CryptoRng>(
        &mut self,
        from: Identifier,
        message: GroupMessage,
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) {
        match message {
            GroupMessage::Inventory(theirs) => drop(self.owed.insert(from, theirs)),
            GroupMessage::Request(request) => self.take_request(from, *request, now, tools),
            GroupMessage::Vote(vote) => self.take_vote(from, vote, now, tools),
            GroupMessage::Signature { request, data: signature, signers } => {
                self.signature_came(from, request, Signed { signature, signers }, now, tools);
            }
            GroupMessage::Start { ceremony, request, signers, votes } => {
                self.pledge(from, ceremony, request, (signers, votes), now, tools);
            }
            GroupMessage::SigningCommitments { ceremony, data } => {
                self.committed(from, ceremony, data, now, tools)
            }
            GroupMessage::SigningPackage { ceremony, commitments } => {
                self.give_share(from, ceremony, commitments, now, tools);
            }
            GroupMessage::SignatureShare { ceremony, data } => {
                self.shared(from, ceremony, data, now, tools)
            }
            GroupMessage::Refused { ceremony, reason } => {
                self.refused(from, ceremony, reason, now, tools)
            }
            GroupMessage::Checked => self.has_checked(from, now, tools),
        }
    }

    /// The same for what is still text.
    pub(super) fn text<R: RngCore + CryptoRng>(
        &mut self,
        from: Identifier,
        text: &str,
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) {
        match GroupMessage::parse(text) {
            Ok(message) => self.message(from, message, now, tools),
            Err(WireError::UnknownType(_)) => {} // of a newer version
            Err(error) => self.ignore(from, error.to_string()),
        }
    }

    /// A link to a member stands: it hears what is held here.
    pub(super) fn linked<R: RngCore + CryptoRng>(
        &mut self,
        identifier: Identifier,
        now: Timestamp,
        tools: &mut Tools<'_, R>,
    ) {
        self.forgive(identifier);
        self.began_anew(identifier, now, tools);
        self.forget_what_was_asked(identifier);
        self.tell_holdings(identifier);
        if self.checked.contains(&self.me) {
            let word = self.log.then(Act::Send(identifier, GroupMessage::Checked));
            self.acts.extend(word);
        }
    }

    /// Whether all that was written is durable.
    pub(super) fn is_durable(&self) -> bool {
        self.log.is_durable()
    }

    /// The driver has kept the entry of that number, or failed to.
    pub(super) fn kept(&mut self, number: u64, result: Result<(), String>) {
        let broken = self.log.broken.is_some();
        let ready = self.log.kept(number, result.map_err(|error| clip(&error)));
        self.acts.extend(ready);
        if let (false, Some(problem)) = (broken, self.log.broken.clone()) {
            let reason = format!(
                "the audit trail of a wallet cannot be written, so nothing is signed with it: {problem}"
            );
            self.say(Event::Ignored { peer_id: None, reason });
        }
    }

    pub(super) fn next_deadline(&self, now: Timestamp) -> Option<Timestamp> {
        let pledges = self.pledges.iter().map(|pledge| pledge.until);
        let times = [self.next_turn(now), self.book.next_end(now), self.next_check_at(now)];
        let owed = self.owed.keys().map(|identifier| self.may_tell(*identifier));
        times.into_iter().flatten().chain(pledges).chain(owed).filter(|at| *at > now).min()
    }
}
