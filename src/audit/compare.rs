//! The differences of two members' audit logs of one wallet.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::Body;
use crate::frost::Identifier;
use crate::group::{Request, RequestId};
use crate::identity::Digest;

/// Something that stands in one log only, or otherwise in the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// Only one of the two (0: the first) knows the request.
    Request(usize, RequestId),
    /// Only one of the two knows that vote of a member.
    Vote(usize, RequestId, Identifier, u32),
    /// The member signed two votes with one number: it sent different members different votes.
    TwoVotes(RequestId, Identifier, u32),
    /// Only one of the two has the signature.
    Signed(usize, RequestId),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = |side: &usize| if *side == 0 { "this" } else { "the other" };
        match self {
            Self::Request(side, id) => {
                write!(f, "request {} stands in {} trail only", hex::encode(id), whose(side))
            }
            Self::Vote(side, id, member, number) => {
                let id = hex::encode(id);
                write!(
                    f,
                    "vote {number} of member {member} on request {id} stands in {} trail only",
                    whose(side)
                )
            }
            Self::TwoVotes(id, member, number) => {
                let id = hex::encode(id);
                write!(f, "member {member} signed two different votes {number} on request {id}")
            }
            Self::Signed(side, id) => {
                write!(
                    f,
                    "the signature of request {} stands in {} trail only",
                    hex::encode(id),
                    whose(side)
                )
            }
        }
    }
}

/// What one log has of requests.
#[derive(Default)]
struct Recorded {
    requests: BTreeSet<RequestId>,
    votes: BTreeMap<(RequestId, Identifier, u32), bool>,
    signed: BTreeSet<RequestId>,
}

impl Recorded {
    fn of(group_id: &Digest, bodies: &[Body]) -> Self {
        let mut recorded = Self::default();
        for body in bodies {
            match body {
                Body::Request { request } => {
                    recorded.requests.insert(Request::id(request, group_id));
                }
                Body::Vote { vote } => {
                    recorded.votes.insert((vote.request, vote.member, vote.number), vote.approves);
                }
                Body::Signed { request, .. } => {
                    recorded.signed.insert(*request);
                }
                _ => {}
            }
        }
        recorded
    }
}

/// The differences of two logs of one wallet. A member that was away at the time knows less: that
/// is a difference, too.
#[must_use]
pub fn compare(group_id: &Digest, one: &[Body], other: &[Body]) -> Vec<Difference> {
    let sides = [Recorded::of(group_id, one), Recorded::of(group_id, other)];
    let mut differences = Vec::new();
    for side in 0..2 {
        let (here, there) = (&sides[side], &sides[1 - side]);
        let only = |id: &RequestId| !there.requests.contains(id);
        differences.extend(
            here.requests.iter().filter(|id| only(id)).map(|id| Difference::Request(side, *id)),
        );
        for ((id, member, number), approves) in here.votes.iter().filter(|((id, ..), _)| !only(id))
        {
            match there.votes.get(&(*id, *member, *number)) {
                None => differences.push(Difference::Vote(side, *id, *member, *number)),
                Some(theirs) if theirs != approves && side == 0 => {
                    differences.push(Difference::TwoVotes(*id, *member, *number));
                }
                Some(_) => {}
            }
        }
        let signed = here.signed.iter().filter(|id| !only(id) && !there.signed.contains(*id));
        differences.extend(signed.map(|id| Difference::Signed(side, *id)));
    }
    differences
}
