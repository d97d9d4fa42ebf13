//! The requests of one wallet and its members' votes: the part of consensus that is the same for
//! all members that have received the same. A statement is taken once, and judged by its signature,
//! never by the member that passed it on.

use super::refusal::LedgerError;
use super::rules::Rules;
use crate::api::{RequestState, Timestamp};
use crate::frost::Identifier;
use crate::group::{
    InventoryItem, MAX_INVENTORY, MAX_REQUEST_LIFE, Operation, Outcome, Request, RequestId, Vote,
};
use crate::sorted::Map;

/// Most requests of one member that are open at once.
const MAX_OPEN: usize = 16;
/// Most votes of one member on one request.
const MAX_VOTES: u32 = 16;
/// How far another member's clock may be ahead, in milliseconds.
const MAX_SKEW: u64 = 3_600_000;
/// Most requests that are remembered as forgotten.
const MAX_FORGOTTEN: usize = 4 * MAX_INVENTORY;

/// What came of a request, and the signers, as the member that sent it first names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Completed {
    pub outcome: Outcome,
    pub signers: Vec<Identifier>,
}

/// What a vote that came is to this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VoteOutcome {
    /// Nothing new, or of no consequence any more.
    Duplicate,
    /// The member's vote from now on.
    Accepted,
    /// The member signed this one with the same number and the contrary decision: its votes count
    /// no longer.
    Equivocation(Vote),
}

/// Two votes of one member with one number.
struct Equivocation([Vote; 2]);

/// A request and what became of it.
pub(super) struct RequestEntry {
    request: Request,
    operation: Operation,
    votes: Map<Identifier, Vote>,
    completed: Option<Completed>,
    /// Votes that newer ones of their members have replaced. Two with one number are an
    /// equivocation, however old they are.
    older: Vec<Vote>,
    /// Members that signed two different votes with one number: their votes do not count here.
    equivocations: Map<Identifier, Equivocation>,
    /// Since when enough approve.
    approved_since: Option<Timestamp>,
}

/// What another member lacks of a request.
pub(super) struct Lacking<'a> {
    /// The request itself.
    pub request: bool,
    pub votes: Vec<Vote>,
    pub completed: Option<&'a Completed>,
}

impl RequestEntry {
    pub(super) fn request(&self) -> &Request {
        &self.request
    }

    pub(super) fn proposer(&self) -> Identifier {
        self.request.proposer
    }

    pub(super) fn operation(&self) -> &Operation {
        &self.operation
    }

    pub(super) fn completed(&self) -> Option<&Completed> {
        self.completed.as_ref()
    }

    /// Since when enough approve; `None` while too few do.
    pub(super) fn approved_since(&self) -> Option<Timestamp> {
        self.approved_since
    }

    /// A member's last vote.
    pub(super) fn vote(&self, identifier: Identifier) -> Option<Vote> {
        self.votes.get(&identifier).copied()
    }

    pub(super) fn approves(&self, identifier: Identifier) -> bool {
        self.votes.get(&identifier).is_some_and(|vote| vote.approves)
            && !self.equivocations.contains_key(&identifier)
    }

    pub(super) fn approvers(&self) -> impl Iterator<Item = Identifier> + '_ {
        self.voters().filter(|identifier| self.approves(*identifier))
    }

    /// Members that have voted and do not approve.
    pub(super) fn decliners(&self) -> impl Iterator<Item = Identifier> + '_ {
        self.voters().filter(|identifier| !self.approves(*identifier))
    }

    fn voters(&self) -> impl Iterator<Item = Identifier> + '_ {
        self.votes.keys().copied()
    }

    /// What a member with that inventory lacks of this request.
    pub(super) fn lacking(
        &self,
        rules: &Rules,
        id: &RequestId,
        theirs: &[InventoryItem],
    ) -> Lacking<'_> {
        let held = theirs.iter().find(|held| held.request == *id);
        let number = |identifier: Identifier| {
            let index = rules.identifiers().position(|other| other == identifier);
            held.and_then(|held| held.votes.get(index?)).copied().unwrap_or_default()
        };
        let newer = self.votes.values().filter(|vote| vote.number > number(vote.member)).copied();
        // Numbers do not tell whether an equivocation is known there.
        let pairs = self.equivocations.values().flat_map(|Equivocation(pair)| *pair);
        let signed = held.is_some_and(|held| held.signed);
        Lacking {
            request: held.is_none(),
            votes: newer.chain(pairs).collect(),
            completed: self.completed.as_ref().filter(|_| !signed),
        }
    }

    pub(super) fn state(&self, now: Timestamp, rules: &Rules) -> RequestState {
        let withdrawn = self.votes.get(&self.proposer()).is_some_and(|vote| !vote.approves);
        if self.completed.is_some() {
            RequestState::Signed
        } else if self.request.expires <= now.millis() {
            RequestState::Expired
        } else if withdrawn || self.decliners().count() + rules.threshold() > rules.total() {
            RequestState::Declined
        } else if self.approvers().count() >= rules.threshold() {
            RequestState::Approved
        } else {
            RequestState::Open
        }
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.completed.is_some() || self.request.expires <= now.millis()
    }
}

/// A request that had to make room, and when it ends: until then it would be taken as a new one.
struct Forgotten {
    id: RequestId,
    ends: u64,
}

/// All requests of a wallet, by id, and the order in which they came.
#[derive(Default)]
pub(super) struct Ledger {
    requests: Map<RequestId, RequestEntry>,
    order: Vec<RequestId>,
    forgotten: Vec<Forgotten>,
}

impl Ledger {
    pub(super) fn get(&self, id: &RequestId) -> Option<&RequestEntry> {
        self.requests.get(id)
    }

    /// All of them, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&RequestId, &RequestEntry)> {
        self.order.iter().filter_map(|id| Some((id, self.requests.get(id)?)))
    }

    /// The requests that enough members approve and that are not carried out yet.
    pub(super) fn approved(
        &self,
        now: Timestamp,
        rules: &Rules,
    ) -> impl Iterator<Item = (&RequestId, &RequestEntry)> {
        self.iter().filter(move |(_, entry)| entry.state(now, rules) == RequestState::Approved)
    }

    /// Takes a request. True when it is new. `admit` says whether its proposer may cause one more
    /// to be stored; it is asked about nothing else.
    ///
    /// # Errors
    /// Why it is refused.
    pub(super) fn request(
        &mut self,
        now: Timestamp,
        rules: &Rules,
        request: Request,
        admit: impl FnOnce() -> bool,
    ) -> Result<bool, LedgerError> {
        let id = request.id(rules.group_id());
        if self.knows(&id) {
            return Ok(false);
        }
        let proposer = rules.member(request.proposer).ok_or(LedgerError::RequestOfNoMember)?;
        let name = || proposer.peer_id.clone();
        if !request.is_signed(rules.group_id(), &proposer.identity) {
            return Err(LedgerError::RequestNotSigned(name()));
        }
        if request.expires.saturating_sub(request.created) > MAX_REQUEST_LIFE
            || request.expires <= request.created
        {
            return Err(LedgerError::Lifetime);
        }
        if request.expires > now.after(MAX_REQUEST_LIFE + MAX_SKEW).millis() {
            return Err(LedgerError::Future);
        }
        let operation = Operation::read(&request.kind, &request.content, Some(rules.key()))?;
        operation.check_signers(rules.threshold())?;
        let over = request.expires <= now.millis();
        let of_the_same = |entry: &&RequestEntry| entry.proposer() == request.proposer;
        let open = self.requests.values().filter(of_the_same).filter(|e| !e.is_over(now)).count();
        if !over && open >= MAX_OPEN {
            return Err(LedgerError::TooManyOpen { most: MAX_OPEN, proposer: name() });
        }
        let full = self.order.len() >= MAX_INVENTORY;
        if full && over {
            return Ok(false); // somebody remembers more than this node does
        }
        if !admit() {
            return Err(LedgerError::TooOften(name()));
        }
        if full && !self.forget_one(now) {
            return Err(LedgerError::Full);
        }
        let entry = RequestEntry {
            request,
            operation,
            votes: Map::default(),
            completed: None,
            older: Vec::new(),
            equivocations: Map::default(),
            approved_since: None,
        };
        self.requests.insert(id, entry);
        self.order.push(id);
        Ok(true)
    }

    /// Makes room: the oldest request that is over goes.
    fn forget_one(&mut self, now: Timestamp) -> bool {
        let over = |id: &RequestId| self.requests.get(id).is_none_or(|entry| entry.is_over(now));
        let Some(index) = self.order.iter().position(over) else { return false };
        let id = self.order.remove(index);
        let ends = self.requests.remove(&id).map_or(0, |entry| entry.request.expires);
        self.forgotten.retain(|forgotten| forgotten.ends > now.millis());
        self.forgotten.truncate(MAX_FORGOTTEN - 1);
        self.forgotten.insert(0, Forgotten { id, ends });
        true
    }

    /// Whether a request is here, or was.
    pub(super) fn knows(&self, id: &RequestId) -> bool {
        self.requests.contains_key(id) || self.forgotten.iter().any(|forgotten| forgotten.id == *id)
    }

    /// Takes a vote.
    ///
    /// # Errors
    /// Why it is refused.
    pub(super) fn vote(
        &mut self,
        now: Timestamp,
        rules: &Rules,
        vote: Vote,
    ) -> Result<VoteOutcome, LedgerError> {
        if !self.requests.contains_key(&vote.request) && self.knows(&vote.request) {
            return Ok(VoteOutcome::Duplicate);
        }
        let entry = self.requests.get_mut(&vote.request).ok_or(LedgerError::VoteOnUnknown)?;
        let member = rules.member(vote.member).ok_or(LedgerError::VoteOfNoMember)?;
        let last = entry.vote(vote.member);
        let of_the_member = last.iter().chain(&entry.older);
        let same =
            of_the_member.copied().find(|v| (v.member, v.number) == (vote.member, vote.number));
        // A second signature of the same decision is the same vote.
        if entry.equivocations.contains_key(&vote.member)
            || same.is_some_and(|same| same.approves == vote.approves)
        {
            return Ok(VoteOutcome::Duplicate);
        }
        if !(1..=MAX_VOTES).contains(&vote.number) {
            let (number, member) = (vote.number, member.peer_id.clone());
            return Err(LedgerError::TooManyVotes { number, member, most: MAX_VOTES });
        }
        if !vote.is_signed(rules.group_id(), &member.identity) {
            return Err(LedgerError::VoteNotSigned(member.peer_id.clone()));
        }
        let outcome = if let Some(same) = same {
            entry.equivocations.insert(vote.member, Equivocation([same, vote]));
            VoteOutcome::Equivocation(same)
        } else if last.is_some_and(|last| last.number > vote.number) {
            entry.older.push(vote);
            VoteOutcome::Duplicate
        } else {
            entry.older.extend(last);
            entry.votes.insert(vote.member, vote);
            VoteOutcome::Accepted
        };
        let enough = entry.approvers().count() >= rules.threshold();
        entry.approved_since = enough.then(|| entry.approved_since.unwrap_or(now));
        Ok(outcome)
    }

    /// Takes what came of a request, and verifies it. True when nothing had come of it before.
    ///
    /// # Errors
    /// Why it is refused.
    pub(super) fn complete(
        &mut self,
        rules: &Rules,
        id: &RequestId,
        completed: Completed,
    ) -> Result<bool, LedgerError> {
        if !self.requests.contains_key(id) && self.knows(id) {
            return Ok(false);
        }
        let entry = self.requests.get_mut(id).ok_or(LedgerError::OutcomeOfUnknown)?;
        if entry.completed.is_some() {
            return Ok(false);
        }
        if completed.signers.iter().any(|identifier| rules.member(*identifier).is_none()) {
            return Err(LedgerError::SignersAreNoMembers);
        }
        entry.operation.verify(rules.suite(), rules.pubkey(), &completed.outcome)?;
        entry.completed = Some(completed);
        Ok(true)
    }

    /// The number of the next vote of a member. `None` when it has had its last.
    pub(super) fn next_vote(&self, id: &RequestId, member: Identifier) -> Option<u32> {
        let last = self.get(id)?.votes.get(&member).map_or(0, |vote| vote.number);
        (last < MAX_VOTES).then_some(last + 1)
    }

    /// What is held here, for another member to compare with.
    pub(super) fn inventory(&self, rules: &Rules) -> Vec<InventoryItem> {
        let number = |entry: &RequestEntry, member| entry.vote(member).map_or(0, |v| v.number);
        let item = |(id, entry): (&RequestId, &RequestEntry)| InventoryItem {
            request: *id,
            votes: rules.identifiers().map(|member| number(entry, member)).collect(),
            signed: entry.completed.is_some(),
        };
        self.iter().map(item).collect()
    }

    /// The next moment at which a request ends.
    pub(super) fn next_end(&self, now: Timestamp) -> Option<Timestamp> {
        let open = self.requests.values().filter(|entry| entry.completed.is_none());
        let ends = open.map(|entry| entry.request.expires);
        ends.filter(|end| *end > now.millis()).min().map(Timestamp::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::{Completed, Ledger, MAX_OPEN, VoteOutcome};
    use crate::agreement::Member;
    use crate::api::{RequestState, Timestamp};
    use crate::content::{Content, Hash, Text};
    use crate::frost::{GroupKey, Identifier, Suite};
    use crate::group::{
        InventoryItem, MAX_INVENTORY, Operation, Outcome, Request, RequestId, SignTask, Vote,
    };
    use crate::identity::{Digest, IdentityKey, Signature};
    use crate::node::wallet::refusal::LedgerError;
    use crate::node::wallet::rules::Rules;
    use crate::random::SystemRng;

    const GROUP: Digest = [7; 32];
    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
    const HOUR: u64 = 3_600_000;

    /// A wallet of three members, of whom two sign; the identifiers are not their positions.
    struct Members {
        keys: Vec<IdentityKey>,
        rules: Rules,
        ledger: Ledger,
    }

    const IDENTIFIERS: [Identifier; 3] = [2, 3, 7];

    fn members() -> Members {
        let keys: Vec<IdentityKey> =
            (0..3).map(|_| IdentityKey::generate(&mut SystemRng)).collect();
        let member = |(identifier, key): (&Identifier, &IdentityKey)| {
            let peer_id = format!("member{identifier}").parse().unwrap();
            (*identifier, Member { peer_id, identity: key.identity() })
        };
        let all = IDENTIFIERS.iter().zip(&keys).map(member).collect();
        let rules = Rules::new(GROUP, GroupKey::new(Suite::default(), vec![2; 33]), 2, 2, all);
        Members { keys, rules, ledger: Ledger::default() }
    }

    impl Members {
        /// A stranger signs with the key of the first.
        fn key(&self, member: Identifier) -> &IdentityKey {
            &self.keys[IDENTIFIERS.iter().position(|other| *other == member).unwrap_or_default()]
        }

        fn request(&self, proposer: Identifier, nonce: u8, operation: &Operation) -> Request {
            let unsigned = Request {
                proposer,
                kind: operation.kind().to_owned(),
                content: operation.written(),
                created: NOW.millis(),
                expires: NOW.after(HOUR).millis(),
                nonce: [nonce; 16],
                signature: Signature::from_bytes([0; 64]),
            };
            unsigned.signed(&GROUP, self.key(proposer), &mut SystemRng)
        }

        fn take(&mut self, now: Timestamp, request: Request) -> Result<bool, LedgerError> {
            self.ledger.request(now, &self.rules, request, || true)
        }

        fn asked(&mut self, proposer: Identifier, nonce: u8) -> RequestId {
            let request = self.request(proposer, nonce, &text("I agree"));
            let id = request.id(&GROUP);
            assert_eq!(self.take(NOW, request), Ok(true));
            id
        }

        fn vote(
            &mut self,
            id: RequestId,
            member: Identifier,
            number: u32,
            approves: bool,
        ) -> Result<VoteOutcome, LedgerError> {
            let key = self.key(member);
            let vote = Vote::new(&GROUP, id, member, number, approves, key, &mut SystemRng);
            self.ledger.vote(NOW, &self.rules, vote)
        }

        fn state(&self, now: Timestamp, id: &RequestId) -> RequestState {
            self.ledger.get(id).unwrap().state(now, &self.rules)
        }
    }

    fn text(text: &str) -> Operation {
        Operation::sign(Content::from(Text::new(text.to_owned()).unwrap())).unwrap()
    }

    #[test]
    fn a_request_goes_by_its_votes_until_its_time_is_over() {
        let mut all = members();
        let id = all.asked(2, 1);
        assert_eq!(all.state(NOW, &id), RequestState::Open);
        assert_eq!(all.vote(id, 2, 1, true), Ok(VoteOutcome::Accepted));
        assert_eq!(all.vote(id, 7, 1, true), Ok(VoteOutcome::Accepted));
        assert_eq!(all.state(NOW, &id), RequestState::Approved);
        assert_eq!(all.ledger.get(&id).unwrap().approved_since(), Some(NOW));
        assert_eq!(all.vote(id, 7, 2, false), Ok(VoteOutcome::Accepted));
        assert_eq!(all.state(NOW, &id), RequestState::Open);
        assert_eq!(all.vote(id, 3, 1, false), Ok(VoteOutcome::Accepted));
        assert_eq!(all.state(NOW, &id), RequestState::Declined);
        assert_eq!(all.vote(id, 7, 1, true), Ok(VoteOutcome::Duplicate), "an old one");
        assert_eq!(all.state(NOW.after(HOUR), &id), RequestState::Expired);
        let stranger = Vote::new(&GROUP, id, 5, 1, true, all.key(3), &mut SystemRng);
        let refused = all.ledger.vote(NOW, &all.rules, stranger);
        assert_eq!(refused.unwrap_err(), LedgerError::VoteOfNoMember);
    }

    #[test]
    fn two_votes_with_one_number_count_for_nothing_and_are_passed_on() {
        let mut all = members();
        let id = all.asked(2, 1);
        assert_eq!(all.vote(id, 3, 1, true), Ok(VoteOutcome::Accepted));
        let Ok(VoteOutcome::Equivocation(first)) = all.vote(id, 3, 1, false) else {
            panic!("it is seen");
        };
        assert!(first.approves);
        let entry = all.ledger.get(&id).unwrap();
        assert_eq!(entry.approvers().count(), 0);
        let held = [InventoryItem { request: id, votes: vec![0, 1, 0], signed: false }];
        let lacking = entry.lacking(&all.rules, &id, &held);
        assert!(!lacking.request && lacking.completed.is_none());
        assert_eq!(lacking.votes.len(), 2, "numbers do not tell that it is known there");
        assert!(entry.lacking(&all.rules, &id, &[]).request);
    }

    #[test]
    fn what_a_member_did_not_sign_is_refused() {
        let mut all = members();
        let mut request = all.request(3, 1, &text("I agree"));
        request.content = "I do not".to_owned();
        let refused = all.take(NOW, request).unwrap_err();
        assert!(matches!(refused, LedgerError::RequestNotSigned(_)), "{refused}");
        let id = all.asked(3, 1);
        let mut vote = Vote::new(&GROUP, id, 2, 1, true, all.key(2), &mut SystemRng);
        vote.approves = false;
        let refused = all.ledger.vote(NOW, &all.rules, vote).unwrap_err();
        assert!(matches!(refused, LedgerError::VoteNotSigned(_)), "{refused}");
        assert_eq!(all.vote([9; 32], 2, 1, true).unwrap_err(), LedgerError::VoteOnUnknown);
    }

    #[test]
    fn a_member_has_so_many_open_requests_and_a_wallet_so_many_at_all() {
        let mut all = members();
        for nonce in 0..16 {
            all.asked(2, nonce);
        }
        let one_more = all.request(2, 16, &text("one more"));
        let refused = all.take(NOW, one_more.clone()).unwrap_err();
        assert!(matches!(refused, LedgerError::TooManyOpen { most: MAX_OPEN, .. }), "{refused}");
        assert_eq!(all.take(NOW.after(2 * HOUR), one_more), Ok(true), "it is over, and known");
        let refused = all.ledger.request(NOW, &all.rules, all.request(3, 0, &text("x")), || false);
        assert!(matches!(refused, Err(LedgerError::TooOften(_))));
        // Those that are over make room, and do not come back.
        let later = NOW.after(HOUR / 2);
        for nonce in 0..u8::try_from(MAX_INVENTORY).unwrap() {
            let request = all.request(7, nonce, &text("short"));
            let short = Request { expires: NOW.after(1_000).millis(), ..request };
            let short = short.signed(&GROUP, all.key(7), &mut SystemRng);
            let _ = all.take(NOW.after(1_000), short);
        }
        let request = all.request(3, 0, &text("first of its member"));
        let first = request.id(&GROUP);
        assert_eq!(all.take(later, request), Ok(true));
        assert!(all.ledger.get(&first).is_some());
        assert!(all.ledger.iter().count() <= MAX_INVENTORY);
        assert_eq!(all.ledger.next_end(later), Some(NOW.after(HOUR)));
    }

    #[test]
    fn an_outcome_needs_a_signature_for_each_item() {
        let mut all = members();
        let two = [[1; 32], [2; 32]].map(|bytes| Content::from(Hash::new(bytes)));
        let batch = Operation::Sign(SignTask::new(two.to_vec()).unwrap());
        let request = all.request(2, 1, &batch);
        let id = request.id(&GROUP);
        assert_eq!(all.take(NOW, request), Ok(true));
        for signatures in [Vec::new(), vec![vec![0; 65]], vec![vec![0; 65]; 2]] {
            let completed =
                Completed { outcome: Outcome::Signatures(signatures), signers: vec![2, 3] };
            let refused = all.ledger.complete(&all.rules, &id, completed);
            assert!(matches!(refused, Err(LedgerError::Outcome(_))));
        }
        let strangers = Completed { outcome: Outcome::Signatures(Vec::new()), signers: vec![4] };
        assert_eq!(
            all.ledger.complete(&all.rules, &id, strangers),
            Err(LedgerError::SignersAreNoMembers)
        );
        assert_eq!(all.state(NOW, &id), RequestState::Open);
    }
}
