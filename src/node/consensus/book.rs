//! The requests of one wallet and what its members say to them: the part of consensus that is the same for everyone who has
//! heard the same. Statements are taken once, judged by their signatures, and never by who passed them on.

use crate::agreement::Member;
use crate::consensus::{Holding, MAX_HOLDINGS, MAX_REQUEST_LIFE, Request, RequestId, Vote};
use crate::content::Content;
use crate::few::Map;
use crate::frost::{Place, Suite};
use crate::identity::Digest;
use crate::node::Timestamp;

/// Most requests of one member that are open at once.
const MAX_OPEN: usize = 16;
/// Most votes of one member on one request.
const MAX_VOTES: u32 = 16;
/// How far another member's clock may be ahead, in milliseconds.
const MAX_SKEW: u64 = 3_600_000;
/// Most requests that are remembered as forgotten.
const MAX_FORGOTTEN: usize = 4 * MAX_HOLDINGS;

/// What a wallet's statements are judged by.
pub(in crate::node) struct Rules {
    /// What they are bound to.
    pub circle: Digest,
    /// The group key, compressed.
    pub pubkey: Vec<u8>,
    pub suite: Suite,
    pub threshold: u16,
    pub members: Vec<Member>,
}

impl Rules {
    pub fn member(&self, place: Place) -> Option<&Member> {
        usize::from(place).checked_sub(1).and_then(|index| self.members.get(index))
    }

    pub fn total(&self) -> Place {
        Place::try_from(self.members.len()).unwrap_or(Place::MAX)
    }

    /// The x-only key, if signatures are those of BIP-340.
    pub fn author(&self) -> Option<[u8; 32]> {
        self.suite.author(&self.pubkey)
    }
}

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestState {
    /// Fewer approve than have to.
    Open,
    /// Enough approve: it is being signed, or waits for signers.
    Approved,
    /// Signed.
    Signed,
    /// So many decline that it cannot be signed, unless somebody changes its vote; or its proposer took it back.
    Declined,
    /// Its time is over.
    Expired,
}

impl RequestState {
    /// Its name in events and views.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Signed => "signed",
            Self::Declined => "declined",
            Self::Expired => "expired",
        }
    }
}

/// A signature and who made it, by the word of whoever told it first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::node) struct Signed {
    pub signature: Vec<u8>,
    pub signers: Vec<Place>,
}

/// What a vote that came is to this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::node) enum Heard {
    /// Nothing new, or of no consequence any more.
    Before,
    /// The member's word from now on.
    New,
    /// With the same number the member signed this one, which says the contrary: its word is worth nothing any more.
    Lie(Vote),
}

/// A request and what became of it.
pub(in crate::node) struct Tracked {
    pub request: Request,
    pub content: Content,
    pub digest: [u8; 32],
    pub votes: Map<Place, Vote>,
    pub signed: Option<Signed>,
    /// Votes that others have followed since: two with one number show a lie, however old they are.
    older: Vec<Vote>,
    /// Members who signed two different votes with one number, and the two: their word is worth nothing here.
    pub liars: Map<Place, (Vote, Vote)>,
    /// Since when enough approve.
    pub approved_since: Option<Timestamp>,
}

impl Tracked {
    pub fn approves(&self, place: Place) -> bool {
        self.votes.get(&place).is_some_and(|vote| vote.approves) && !self.liars.contains_key(&place)
    }

    pub fn approvers(&self) -> impl Iterator<Item = Place> + '_ {
        self.votes.keys().copied().filter(|place| self.approves(*place))
    }

    /// What another member, who holds that, lacks of it: the request itself, votes, the signature.
    pub fn lacking(&self, id: &RequestId, theirs: &[Holding]) -> (bool, Vec<Vote>, Option<&Signed>) {
        let held = theirs.iter().find(|held| held.request == *id);
        let number = |place: Place| {
            let index = usize::from(place).saturating_sub(1);
            held.and_then(|held| held.votes.get(index)).copied().unwrap_or_default()
        };
        let newer = self.votes.values().filter(|vote| vote.number > number(vote.member)).copied();
        // Numbers do not tell whether a lie is known there.
        let votes = newer.chain(self.liars.values().flat_map(|(one, other)| [*one, *other])).collect();
        let signed = self.signed.as_ref().filter(|_| !held.is_some_and(|held| held.signed));
        (held.is_none(), votes, signed)
    }

    pub fn state(&self, rules: &Rules, now: Timestamp) -> RequestState {
        let declining = self.votes.keys().filter(|place| !self.approves(**place)).count();
        let withdrawn = self.votes.get(&self.request.proposer).is_some_and(|vote| !vote.approves);
        match () {
            () if self.signed.is_some() => RequestState::Signed,
            () if self.request.expires <= now.millis() => RequestState::Expired,
            () if withdrawn || declining + usize::from(rules.threshold) > rules.members.len() => RequestState::Declined,
            () if self.approvers().count() >= usize::from(rules.threshold) => RequestState::Approved,
            () => RequestState::Open,
        }
    }
}

/// All requests of a wallet, by id, and the order in which they came.
#[derive(Default)]
pub(in crate::node) struct Book {
    requests: Map<RequestId, Tracked>,
    order: Vec<RequestId>,
    /// Those that had to make room, and when they end: until then they would come again as new ones.
    forgotten: Vec<(RequestId, u64)>,
}

impl Book {
    pub fn get(&self, id: &RequestId) -> Option<&Tracked> {
        self.requests.get(id)
    }

    /// All of them, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (&RequestId, &Tracked)> {
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
        let id = request.id(&rules.circle);
        if self.knows(&id) {
            return Ok(false);
        }
        let proposer = rules.member(request.proposer).ok_or("a request of no member")?;
        if !request.is_signed(&rules.circle, &proposer.identity) {
            return Err(format!("a request that {} did not sign", proposer.peer_id));
        }
        if request.expires.saturating_sub(request.created) > MAX_REQUEST_LIFE || request.expires <= request.created {
            return Err("a request that ends before it begins, or after more than 31 days".to_owned());
        }
        if request.expires > now.after(MAX_REQUEST_LIFE + MAX_SKEW).millis() {
            return Err("a request from the future: one of the two clocks is wrong".to_owned());
        }
        let content = Content::read(&request.kind, &request.content, rules.author().as_ref());
        let content = content.map_err(|error| error.to_string())?;
        let over = request.expires <= now.millis();
        let open = |t: &&Tracked| t.signed.is_none() && t.request.expires > now.millis();
        let of_the_same = |t: &&Tracked| t.request.proposer == request.proposer;
        if !over && self.requests.values().filter(open).filter(of_the_same).count() >= MAX_OPEN {
            return Err(format!("more than {MAX_OPEN} open requests of {}", proposer.peer_id));
        }
        let full = self.order.len() >= MAX_HOLDINGS;
        if full && over {
            return Ok(false); // somebody remembers more than this node does
        }
        if !admit() {
            return Err(format!("{} asks too often", proposer.peer_id));
        }
        if full && !self.forget_one(now) {
            return Err(format!("more than {MAX_HOLDINGS} requests of this wallet"));
        }
        let digest = content.digest();
        let (votes, signed, older, liars) = (Map::default(), None, Vec::new(), Map::default());
        let tracked = Tracked { request, content, digest, votes, signed, older, liars, approved_since: None };
        self.requests.insert(id, tracked);
        self.order.push(id);
        Ok(true)
    }

    /// Makes room: the oldest that is over goes.
    fn forget_one(&mut self, now: Timestamp) -> bool {
        let over = |t: &Tracked| t.signed.is_some() || t.request.expires <= now.millis();
        let place = self.order.iter().position(|id| self.requests.get(id).is_none_or(over));
        if let Some(place) = place {
            let id = self.order.remove(place);
            let ends = self.requests.remove(&id).map_or(0, |tracked| tracked.request.expires);
            self.forgotten.retain(|(_, ends)| *ends > now.millis());
            self.forgotten.truncate(MAX_FORGOTTEN - 1);
            self.forgotten.insert(0, (id, ends));
        }
        place.is_some()
    }

    /// Whether a request is here, or was.
    pub fn knows(&self, id: &RequestId) -> bool {
        self.requests.contains_key(id) || self.forgotten.iter().any(|(forgotten, _)| forgotten == id)
    }

    /// Takes a vote.
    ///
    /// # Errors
    /// Why it is refused; nothing has changed.
    pub fn vote(&mut self, rules: &Rules, vote: Vote, now: Timestamp) -> Result<Heard, String> {
        let Some(tracked) = self.requests.get_mut(&vote.request) else {
            return if self.knows(&vote.request) {
                Ok(Heard::Before)
            } else {
                Err("a vote on a request that is not known".into())
            };
        };
        let member = rules.member(vote.member).ok_or("a vote of no member")?;
        let of_the_member = tracked.votes.get(&vote.member).into_iter().chain(&tracked.older);
        let same = of_the_member.copied().find(|v| (v.member, v.number) == (vote.member, vote.number));
        // Signing anew makes another signature of the same word.
        if tracked.liars.contains_key(&vote.member) || same.is_some_and(|same| same.approves == vote.approves) {
            return Ok(Heard::Before);
        }
        if !(1..=MAX_VOTES).contains(&vote.number) {
            return Err(format!("vote {} of {}: {MAX_VOTES} are the most", vote.number, member.peer_id));
        }
        if !vote.is_signed(&rules.circle, &member.identity) {
            return Err(format!("a vote that {} did not sign", member.peer_id));
        }
        let heard = match (same, tracked.votes.get(&vote.member).copied()) {
            (Some(same), _) => {
                tracked.liars.insert(vote.member, (same, vote));
                Heard::Lie(same)
            }
            (None, Some(newer)) if newer.number > vote.number => {
                tracked.older.push(vote);
                Heard::Before
            }
            (None, last) => {
                tracked.older.extend(last);
                tracked.votes.insert(vote.member, vote);
                Heard::New
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
    pub fn signature(&mut self, rules: &Rules, id: &RequestId, signed: Signed) -> Result<bool, String> {
        let Some(tracked) = self.requests.get_mut(id) else {
            return if self.knows(id) { Ok(false) } else { Err("a signature of a request that is not known".into()) };
        };
        if tracked.signed.is_some() {
            return Ok(false);
        }
        if signed.signers.iter().any(|place| rules.member(*place).is_none()) {
            return Err("a signature by others than members".to_owned());
        }
        let verified = rules.suite.verify(&rules.pubkey, &tracked.digest, &signed.signature);
        verified.map_err(|error| error.to_string())?;
        tracked.signed = Some(signed);
        Ok(true)
    }

    /// The number of the next vote of a member. `None` when it has had its last.
    pub fn next_vote(&self, id: &RequestId, member: Place) -> Option<u32> {
        let last = self.get(id)?.votes.get(&member).map_or(0, |vote| vote.number);
        (last < MAX_VOTES).then_some(last + 1)
    }

    /// What is held here, for another member to compare with.
    pub fn holdings(&self, rules: &Rules) -> Vec<Holding> {
        let votes = |t: &Tracked| (1..=rules.total()).map(|p| t.votes.get(&p).map_or(0, |v| v.number)).collect();
        self.iter().map(|(id, t)| Holding { request: *id, votes: votes(t), signed: t.signed.is_some() }).collect()
    }

    /// The next moment at which a request ends.
    pub fn next_end(&self, now: Timestamp) -> Option<Timestamp> {
        let ends = self.requests.values().filter(|t| t.signed.is_none()).map(|t| t.request.expires);
        ends.filter(|end| *end > now.millis()).min().map(Timestamp::from_millis)
    }
}
