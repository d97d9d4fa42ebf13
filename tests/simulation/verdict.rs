//! What must hold at the end of every seed.

use std::collections::{BTreeMap, BTreeSet};

use frostmesh::node::{PhaseName, ReasonKind};
use frostmesh::wire::SessionId;

use super::plan::{Class, Plan, SessionPlan, Trust};
use crate::common::keys::sign_with;
use crate::common::weather::Answer;
use crate::common::world::World;

/// How a session ended for all who are alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Done at every node.
    Done,
    /// Done at some; every other one alive holds the same key, unconfirmed.
    DoneSome,
    /// A person declined or left.
    Declined,
    /// Somebody could not be reached.
    Unreachable,
    /// Both of these happened, and different nodes heard of different ones first.
    Mixed,
    /// The proposer could not even propose.
    Nothing,
}

/// Reasons that are one kind for a group, whoever's view it is from. A peer that cannot be reached
/// is `peer_lost` to who had a channel to it, `timed_out` to who waits for its step, and
/// `server_lost` to who needed the server to reach it: one event, three views. A person's no is
/// `declined` before the session and `cancelled` in it; which one it is depends on the phase of
/// that person's node alone, so within one session they do not mix. All other kinds accuse
/// somebody, and nobody in this simulation misbehaves: one of them at the end is a bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Person,
    Unreachable,
}

fn group(kind: ReasonKind) -> Option<Group> {
    match kind {
        ReasonKind::PeerLost | ReasonKind::TimedOut | ReasonKind::ServerLost => {
            Some(Group::Unreachable)
        }
        ReasonKind::Declined | ReasonKind::Cancelled => Some(Group::Person),
        _ => None,
    }
}

/// Judges one session of a world whose time has run out.
pub fn of_session(plan: &Plan, session: &SessionPlan, world: &World) -> Result<Outcome, String> {
    let id = &session.id;
    let alive: Vec<usize> =
        session.members.iter().copied().filter(|seat| world.is_alive(*seat)).collect();
    let name = |seat: usize| plan.names[seat].as_str();

    // Never two different keys, and every confirmed key is one that was kept.
    let keys: BTreeSet<&str> = session
        .members
        .iter()
        .filter_map(|s| world.seats[*s].kept.get(id))
        .map(|r| r.info.pubkey.as_str())
        .collect();
    if keys.len() > 1 {
        return Err(format!("{id}: different keys {keys:?}"));
    }
    let mut done = BTreeSet::new();
    let mut groups: BTreeMap<Group, Vec<String>> = BTreeMap::new();
    for seat in alive.iter().copied() {
        let Some(view) = world.view(seat, id) else { continue };
        match (view.phase, &view.reason) {
            (PhaseName::Done, None) => {
                done.insert(seat);
                if world.seats[seat].confirmed.get(id) != view.pubkey.as_ref() {
                    return Err(format!(
                        "{id}: {} is done with a key that is not confirmed",
                        name(seat)
                    ));
                }
                check_certificate(plan, world, seat, id)?;
            }
            (PhaseName::Aborted, Some(reason)) => {
                let group = group(reason.kind).ok_or_else(|| {
                    format!("{id}: {} blames without a cause: {reason:?}", name(seat))
                })?;
                // A baseline peer that gives up says so to nobody; its own view is not part of the
                // agreement.
                let took_part = world.seats[seat].accepted.contains(id) || group == Group::Person;
                if took_part && !plan.strangers.contains(&seat) {
                    groups.entry(group).or_default().push(format!(
                        "{}: {}",
                        name(seat),
                        reason.text
                    ));
                }
            }
            (phase, _) => return Err(format!("{id}: {} hangs in {phase:?}", name(seat))),
        }
    }
    if !done.is_empty() {
        if let Some(seat) = alive.iter().find(|seat| !world.seats[**seat].kept.contains_key(id)) {
            return Err(format!("{id}: {} has no key, and {:?} are done", name(*seat), done));
        }
        check_shares(plan, session, world);
        return Ok(if done.len() == alive.len() { Outcome::Done } else { Outcome::DoneSome });
    }
    // A cause for every effect.
    let decliner =
        session.members.iter().any(|seat| matches!(plan.answers[*seat], Answer::Decline(_)));
    let person = decliner || world.struck.contains("cancel");
    let never = session.members.iter().any(|seat| plan.answers[*seat] == Answer::Never);
    let lossy = plan.class != Class::Calm || never;
    for (group, texts) in &groups {
        let cause = if *group == Group::Person { person } else { lossy };
        if !cause {
            return Err(format!("{id}: ended without a cause: {texts:?}"));
        }
    }
    match groups.keys().collect::<Vec<_>>()[..] {
        [] => Ok(Outcome::Nothing),
        [Group::Person] => Ok(Outcome::Declined),
        [Group::Unreachable] => Ok(Outcome::Unreachable),
        _ if person && !world.struck.is_empty() => Ok(Outcome::Mixed),
        _ => Err(format!("{id}: different reasons: {groups:?}")),
    }
}

/// A key of a verified session has a certificate that proves it; no other key has one.
fn check_certificate(
    plan: &Plan,
    world: &World,
    seat: usize,
    id: &SessionId,
) -> Result<(), String> {
    let seat = &world.seats[seat];
    match (plan.trust, seat.certificates.get(id)) {
        (Trust::Verified, Some(certificate)) => {
            certificate
                .verify()
                .map_err(|error| format!("{id}: the certificate of {}: {error}", seat.id))?;
            let same = Some(&certificate.pubkey) == seat.confirmed.get(id);
            if same {
                Ok(())
            } else {
                Err(format!("{id}: {} has the certificate of another key", seat.id))
            }
        }
        (Trust::Plain | Trust::Linked, None) => Ok(()),
        (trust, found) => Err(format!(
            "{id}: {} in a {trust:?} session has a certificate: {}",
            seat.id,
            found.is_some()
        )),
    }
}

/// The shares of a sample belong together: a random threshold of members signs.
fn check_shares(plan: &Plan, session: &SessionPlan, world: &World) {
    if plan.seed.is_multiple_of(20) {
        let mut luck = crate::common::luck::Luck::new(plan.seed);
        let mut members: Vec<usize> = session.members.clone();
        members.retain(|seat| world.seats[*seat].kept.contains_key(&session.id));
        luck.shuffle(&mut members);
        members.truncate(session.threshold.into());
        let records: Vec<_> =
            members.iter().map(|seat| &world.seats[*seat].kept[&session.id]).collect();
        sign_with(&records, plan.seed);
    }
}
