//! A carrier that breaks at one step of a ceremony, for every step of it in turn: a data channel, a
//! node's connection to the server, or both at once. Chance does the same in the other seeds, but
//! chance leaves steps out.

use std::sync::atomic::{AtomicUsize, Ordering};

use frostmesh::node::CarrierChoice;

use super::plan::{Class, Plan, Trust};
use super::verdict::Outcome;
use crate::common::weather::{Answer, Mishap};

/// One plan, and between which steps of it there is something to break.
struct Ceremony {
    plan: Plan,
    /// The step after the proposal was made.
    first: u64,
    /// The step after which every channel is open, so that the server is needed no more.
    meshed: u64,
    /// The step with which the last node is done.
    last: u64,
}

/// What breaks, and the name under which it is counted.
const CUTS: [(&str, &[Mishap]); 3] = [
    ("channel", &[Mishap::Cut]),
    ("server", &[Mishap::ServerConnection { silent: false }]),
    ("both", &[Mishap::Cut, Mishap::ServerConnection { silent: false }]),
];

/// The plan of a seed, made certain to succeed: everyone says yes, and nothing goes wrong but what
/// is cut here.
fn certain(seed: u64, total: usize) -> Option<Plan> {
    let mut plan = Plan::new(seed);
    if plan.names.len() != total || plan.sessions.len() != 1 || plan.class != Class::Calm {
        return None;
    }
    plan.answers = vec![Answer::Accept(5); total];
    plan.trust = Trust::Verified;
    plan.carrier = CarrierChoice::Auto;
    plan.strangers.clear();
    plan.mishaps.clear();
    Some(plan)
}

impl Ceremony {
    fn new(plan: Plan) -> Self {
        let id = &plan.sessions[0].id;
        let total = plan.names.len();
        let mut world = plan.world();
        let (mut first, mut meshed) = (None, None);
        while !(0..total).all(|seat| world.seats[seat].confirmed.contains_key(id)) {
            assert!(world.step(), "the ceremony stands still");
            if first.is_none() && world.view(plan.sessions[0].members[0], id).is_some() {
                first = Some(world.happenings);
            }
            if meshed.is_none() && world.open_channels() == total * (total - 1) {
                meshed = Some(world.happenings);
            }
        }
        let last = world.happenings;
        Self { first: first.unwrap(), meshed: meshed.unwrap_or(last), last, plan }
    }

    /// How it ends when this breaks after that step.
    fn cut(&self, step: u64, mishaps: &[Mishap]) -> Result<Outcome, String> {
        let mut plan = self.plan.clone();
        plan.class = Class::Rough; // so that a cut counts as the cause that it is
        plan.mishaps = mishaps.iter().map(|mishap| (step, *mishap)).collect();
        let outcome = super::live(&plan, false).0.map_err(|why| format!("{why}\n{plan}"))?;
        Ok(outcome[0])
    }
}

/// Tries every step; returns how many ceremonies were cut, and how many of them made their key all
/// the same.
pub fn at_every_step(plans: &[(u64, usize)]) -> (usize, usize) {
    let ceremonies = plans.iter().map(|(seed, total)| {
        let plan =
            (*seed..).find_map(|seed| certain(seed, *total)).expect("every seed has a successor");
        Ceremony::new(plan)
    });
    let ceremonies: Vec<Ceremony> = ceremonies.collect();
    let cases: Vec<(&Ceremony, u64, usize)> = ceremonies
        .iter()
        .flat_map(|ceremony| (ceremony.first..=ceremony.last).map(move |step| (ceremony, step)))
        .flat_map(|(ceremony, step)| (0..CUTS.len()).map(move |cut| (ceremony, step, cut)))
        .collect();
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let worker = || {
        while let Some((ceremony, step, cut)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (name, mishaps) = CUTS[*cut];
            let outcome = ceremony
                .cut(*step, mishaps)
                .unwrap_or_else(|why| panic!("{name} cut at {step}: {why}"));
            // A channel that breaks leaves the relay; the relay that breaks leaves the channels,
            // once they are there.
            let certain = name == "channel" || (name == "server" && *step > ceremony.meshed);
            let plan = &ceremony.plan;
            assert!(
                !certain || outcome == Outcome::Done,
                "{name} cut at {step}: {outcome:?}\n{plan}"
            );
            done.fetch_add(usize::from(outcome == Outcome::Done), Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| (0..super::threads()).for_each(|_| drop(scope.spawn(worker))));
    (cases.len(), done.into_inner())
}
