//! The requests of one wallet and what its members say to them: the part of consensus that is the same for everyone who has
//! heard the same. Statements are taken once, judged by their signatures, and never by who passed them on.

use crate::agreement::Member;
use crate::api::{RequestState, Timestamp};
use crate::content::Content;
use crate::frost::{GroupKey, Identifier, Suite};
use crate::group::{InventoryItem, MAX_INVENTORY, MAX_REQUEST_LIFE, Request, RequestId, Vote};
use crate::identity::Digest;
use crate::sorted::Map;

/// Most requests of one member that are open at once.
const MAX_OPEN: usize = 16;
/// Most votes of one member on one request.
const MAX_VOTES: u32 = 16;
/// How far another member's clock may be ahead, in milliseconds.
const MAX_SKEW: u64 = 3_600_000;
/// Most requests that are remembered as forgotten.
const MAX_FORGOTTEN: usize = 4 * MAX_INVENTORY;

/// What a wallet's statements are judged by.
pub(in crate::node) struct Rules {
    /// What they are bound to.
    pub group_id: Digest,
    /// The group key, compressed.
    pub pubkey: Vec<u8>,
    pub suite: Suite,
    pub threshold: u16,
    pub members: Vec<Member>,
}

impl Rules {
    pub fn member(&self, identifier: Identifier) -> Option<&Member> {
        usize::from(identifier).checked_sub(1).and_then(|index| self.members.get(index))
    }

    pub fn total(&self) -> Identifier {
        Identifier::try_from(self.members.len()).unwrap_or(Identifier::MAX)
    }

    /// The group key, with its ciphersuite.
    pub fn key(&self) -> GroupKey {
        GroupKey::new(self.suite, self.pubkey.clone())
    }
}

/// A signature and who made it, by the word of whoever told it first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::node) struct Signed {
    pub signature: Vec<u8>,
    pub signers: Vec<Identifier>,
}

/// What a vote that came is to this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::node) enum VoteOutcome {
    /// Nothing new, or of no consequence any more.
    Duplicate,
    /// The member's word from now on.
    Accepted,
    /// With the same number the member signed this one, which says the contrary: its word is worth nothing any more.
    Equivocation(Vote),
}

/// A request and what became of it.
pub(in crate::node) struct RequestEntry {
    pub request: Request,
    pub content: Content,
    pub digest: [u8; 32],
    pub votes: Map<Identifier, Vote>,
    pub signed: Option<Signed>,
    /// Votes that others have followed since: two with one number show a lie, however old they are.
    older: Vec<Vote>,
    /// Members who signed two different votes with one number, and the two: their word is worth nothing here.
    pub liars: Map<Identifier, (Vote, Vote)>,
    /// Since when enough approve.
    pub approved_since: Option<Timestamp>,
}

impl RequestEntry {
    pub fn approves(&self, identifier: Identifier) -> bool {
        self.votes.get(&identifier).is_some_and(|vote| vote.approves)
            && !self.liars.contains_key(&identifier)
    }

    pub fn approvers(&self) -> impl Iterator<Item = Identifier> + '_ {
        self.votes.keys().copied().filter(|identifier| self.approves(*identifier))
    }

    /// What another member, who holds that, lacks of it: the request itself, votes, the signature.
    pub fn lacking(
        &self,
        id: &RequestId,
        theirs: &[InventoryItem],
    ) -> (bool, Vec<Vote>, Option<&Signed>) {
        let held = theirs.iter().find(|held| held.request == *id);
        let number = |identifier: Identifier| {
            let index = usize::from(identifier).saturating_sub(1);
            held.and_then(|held| held.votes.get(index)).copied().unwrap_or_default()
        };
        let newer = self.votes.values().filter(|vote| vote.number > number(vote.member)).copied();
        // Numbers do not tell whether a lie is known there.
        let votes =
            newer.chain(self.liars.values().flat_map(|(one, other)| [*one, *other])).collect();
        let signed = self.signed.as_ref().filter(|_| !held.is_some_and(|held| held.signed));
        (held.is_none(), votes, signed)
    }

    pub fn state(&self, rules: &Rules, now: Timestamp) -> RequestState {
        let declining = self.votes.keys().filter(|identifier| !self.approves(**identifier)).count();
        let withdrawn = self.votes.get(&self.request.proposer).is_some_and(|vote| !vote.approves);
        match () {
            () if self.signed.is_some() => RequestState::Signed,
            () if self.request.expires <= now.millis() => RequestState::Expired,
            () if withdrawn || declining + usize::from(rules.threshold) > rules.members.len() => {
                RequestState::Declined
            }
            () if self.approvers().count() >= usize::from(rules.threshold) => {
                RequestState::Approved
            }
            () => RequestState::Open,
        }
    }
}

/// All requests of a wallet, by id, and the order in which they came.
#[derive(Default)]
pub(in crate::node) struct Ledger {
    requests: Map<RequestId, RequestEntry>,
    order: Vec<RequestId>,
    /// Those that had to make room, and when they end: until then they would come again as new ones.
    forgotten: Vec<(RequestId, u64)>,
}

impl Ledger {
    pub fn get(&self, id: &RequestId) -> Option<&RequestEntry> {
        self.requests.get(id)
    }

    /// All of them, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (&RequestId, &RequestEntry)> {
        self.order.iter().filter_map(|id| Some((id, self.requests.get(id)?)))
    }

    /// Takes a request. True when it is new. `admit` says whether its proposer may cause one more to be kept: it is asked about
    /// nothing else.
    ///
    /// # Errors
    /// Why it is refused; nothing has changed.
    pub fn request(
        &mut self,
        rules: &Rules,
        request: Request,
        now: Timestamp,
        admit: impl FnOnce() -> bool,
    ) -> Result<bool, String> {
        let id = request.id(&rules.group_id);
        if self.knows(&id) {
            return Ok(false);
        }
        let proposer = rules.member(request.proposer).ok_or("a request of no member")?;
        if !request.is_signed(&rules.group_id, &proposer.identity) {
            return Err(format!("a request that {} did not sign", proposer.peer_id));
        }
        if request.expires.saturating_sub(request.created) > MAX_REQUEST_LIFE
            || request.expires <= request.created
        {
            return Err(
                "a request that ends before it begins, or after more than 31 days".to_owned()
            );
        }
        if request.expires > now.after(MAX_REQUEST_LIFE + MAX_SKEW).millis() {
            return Err("a request from the future: one of the two clocks is wrong".to_owned());
        }
        let content = Content::read(&request.kind, &request.content, Some(&rules.key()));
        let content = content.map_err(|error| error.to_string())?;
        let over = request.expires <= now.millis();
        let open = |t: &&RequestEntry| t.signed.is_none() && t.request.expires > now.millis();
        let of_the_same = |t: &&RequestEntry| t.request.proposer == request.proposer;
        if !over && self.requests.values().filter(open).filter(of_the_same).count() >= MAX_OPEN {
            return Err(format!("more than {MAX_OPEN} open requests of {}", proposer.peer_id));
        }
        let full = self.order.len() >= MAX_INVENTORY;
        if full && over {
            return Ok(false); // somebody remembers more than this node does
        }
        if !admit() {
            return Err(format!("{} asks too often", proposer.peer_id));
        }
        if full && !self.forget_one(now) {
            return Err(format!("more than {MAX_INVENTORY} requests of this wallet"));
        }
        let digest = content.digest();
        let (votes, signed, older, liars) = (Map::default(), None, Vec::new(), Map::default());
        let tracked = RequestEntry {
            request,
            content,
            digest,
            votes,
            signed,
            older,
            liars,
            approved_since: None,
        };
        self.requests.insert(id, tracked);
        self.order.push(id);
        Ok(true)
    }

    /// Makes room: the oldest that is over goes.
    fn forget_one(&mut self, now: Timestamp) -> bool {
        let over = |t: &RequestEntry| t.signed.is_some() || t.request.expires <= now.millis();
        let index = self.order.iter().position(|id| self.requests.get(id).is_none_or(over));
        if let Some(index) = index {
            let id = self.order.remove(index);
            let ends = self.requests.remove(&id).map_or(0, |tracked| tracked.request.expires);
            self.forgotten.retain(|(_, ends)| *ends > now.millis());
            self.forgotten.truncate(MAX_FORGOTTEN - 1);
            self.forgotten.insert(0, (id, ends));
        }
        index.is_some()
    }

    /// Whether a request is here, or was.
    pub fn knows(&self, id: &RequestId) -> bool {
        self.requests.contains_key(id)
            || self.forgotten.iter().any(|(forgotten, _)| forgotten == id)
    }

    /// Takes a vote.
    ///
    /// # Errors
    /// Why it is refused; nothing has changed.
    pub fn vote(
        &mut self,
        rules: &Rules,
        vote: Vote,
        now: Timestamp,
    ) -> Result<VoteOutcome, String> {
        let Some(tracked) = self.requests.get_mut(&vote.request) else {
            return if self.knows(&vote.request) {
                Ok(VoteOutcome::Duplicate)
            } else {
                Err("a vote on a request that is not known".into())
            };
        };
        let member = rules.member(vote.member).ok_or("a vote of no member")?;
        let of_the_member = tracked.votes.get(&vote.member).into_iter().chain(&tracked.older);
        let same =
            of_the_member.copied().find(|v| (v.member, v.number) == (vote.member, vote.number));
        // Signing anew makes another signature of the same word.
        if tracked.liars.contains_key(&vote.member)
            || same.is_some_and(|same| same.approves == vote.approves)
        {
            return Ok(VoteOutcome::Duplicate);
        }
        if !(1..=MAX_VOTES).contains(&vote.number) {
            return Err(format!(
                "vote {} of {}: {MAX_VOTES} are the most",
                vote.number, member.peer_id
            ));
        }
        if !vote.is_signed(&rules.group_id, &member.identity) {
            return Err(format!("a vote that {} did not sign", member.peer_id));
        }
        let heard = match (same, tracked.votes.get(&vote.member).copied()) {
            (Some(same), _) => {
                tracked.liars.insert(vote.member, (same, vote));
                VoteOutcome::Equivocation(same)
            }
            (None, Some(newer)) if newer.number > vote.number => {
                tracked.older.push(vote);
                VoteOutcome::Duplicate
            }
            (None, last) => {
                tracked.older.extend(last);
                tracked.votes.insert(vote.member, vote);
                VoteOutcome::Accepted
            }
        };
        let enough = tracked.approvers().count() >= usize::from(rules.threshold);
        tracked.approved_since = enough.then(|| tracked.approved_since.unwrap_or(now));
        Ok(heard)
    }

    /// Takes a signature, verified here. True when there was none.
    ///
    /// # Errors
    /// Why it is refused; nothing has changed.
    pub fn signature(
        &mut self,
        rules: &Rules,
        id: &RequestId,
        signed: Signed,
    ) -> Result<bool, String> {
        let Some(tracked) = self.requests.get_mut(id) else {
            return if self.knows(id) {
                Ok(false)
            } else {
                Err("a signature of a request that is not known".into())
            };
        };
        if tracked.signed.is_some() {
            return Ok(false);
        }
        if signed.signers.iter().any(|identifier| rules.member(*identifier).is_none()) {
            return Err("a signature by others than members".to_owned());
        }
        let verified = rules.suite.verify(&rules.pubkey, &tracked.digest, &signed.signature);
        verified.map_err(|error| error.to_string())?;
        tracked.signed = Some(signed);
        Ok(true)
    }

    /// The number of the next vote of a member. `None` when it has had its last.
    pub fn next_vote(&self, id: &RequestId, member: Identifier) -> Option<u32> {
        let last = self.get(id)?.votes.get(&member).map_or(0, |vote| vote.number);
        (last < MAX_VOTES).then_some(last + 1)
    }

    /// What is held here, for another member to compare with.
    pub fn holdings(&self, rules: &Rules) -> Vec<InventoryItem> {
        let votes = |t: &RequestEntry| {
            (1..=rules.total()).map(|p| t.votes.get(&p).map_or(0, |v| v.number)).collect()
        };
        self.iter()
            .map(|(id, t)| InventoryItem {
                request: *id,
                votes: votes(t),
                signed: t.signed.is_some(),
            })
            .collect()
    }

    /// The next moment at which a request ends.
    pub fn next_end(&self, now: Timestamp) -> Option<Timestamp> {
        let ends = self.requests.values().filter(|t| t.signed.is_none()).map(|t| t.request.expires);
        ends.filter(|end| *end > now.millis()).min().map(Timestamp::from_millis)
    }
}
