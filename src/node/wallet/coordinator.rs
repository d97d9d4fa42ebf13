//! The ceremonies that this node coordinates, and the members that it does not ask for a while
//! because a ceremony failed for them. Nothing depends on the member that coordinates: every signer
//! judges for itself.

use crate::frost::Identifier;
use crate::group::{CeremonyId, Outcome, RequestId, RoundMessage};
use crate::node::Timestamp;
use crate::node::ceremony::{Blame, Coordinated, Fault, Step};
use crate::node::ctx::Ctx;
use crate::sorted::Map;

/// Longest time for which a member that failed once is left out, in milliseconds.
const LONGEST_PAUSE: u64 = 300_000;
/// So often a member that comes back is asked again at once.
const FORGIVEN: u32 = 3;

/// A ceremony under way.
struct Running {
    /// The request that it carries out; none for a health check.
    request: Option<RequestId>,
    ceremony: Coordinated,
}

/// A member that is not asked for a while.
#[derive(Default)]
struct LeftOut {
    until: Timestamp,
    times: u32,
    /// It sent what does not verify: it is not asked for this request any more.
    for_good: bool,
}

/// A ceremony that is over.
pub(super) struct Over {
    pub request: Option<RequestId>,
    pub signers: Vec<Identifier>,
    pub result: Result<Outcome, Vec<Blame>>,
}

/// What a message led to.
#[derive(Default)]
pub(super) struct Progress {
    /// Messages to send.
    pub out: Vec<(Identifier, RoundMessage)>,
    /// The ceremony is over.
    pub over: Option<Over>,
}

/// The ceremonies that this node coordinates.
#[derive(Default)]
pub(super) struct Coordinator {
    running: Map<CeremonyId, Running>,
    left_out: Map<(RequestId, Identifier), LeftOut>,
}

impl Coordinator {
    pub(super) fn is_idle(&self) -> bool {
        self.running.len() == 0
    }

    /// Whether a ceremony for that runs: a request, or a health check.
    pub(super) fn is_at(&self, request: Option<&RequestId>) -> bool {
        self.running.values().any(|running| running.request.as_ref() == request)
    }

    /// The members that a ceremony for a request waits for.
    pub(super) fn awaited(&self, request: &RequestId) -> Vec<Identifier> {
        let of_it = self.running.values().find(|running| running.request == Some(*request));
        of_it.map(|running| running.ceremony.awaited()).unwrap_or_default()
    }

    pub(super) fn begin(
        &mut self,
        id: CeremonyId,
        request: Option<RequestId>,
        ceremony: Coordinated,
    ) {
        self.running.insert(id, Running { request, ceremony });
    }

    /// Hands a member's message to its ceremony.
    pub(super) fn receive(
        &mut self,
        ctx: &mut Ctx<'_>,
        id: &CeremonyId,
        from: Identifier,
        message: RoundMessage,
    ) -> Progress {
        let Some(running) = self.running.get_mut(id) else { return Progress::default() };
        let step = running.ceremony.receive(ctx, from, message);
        let out = std::iter::from_fn(|| running.ceremony.poll()).collect();
        let over = match step {
            Step::Continue => None,
            Step::Done(outcome) => self.end(id, Ok(outcome)),
            Step::Failed(blames) => self.end(id, Err(blames)),
        };
        Progress { out, over }
    }

    /// A member does not take part in a ceremony.
    pub(super) fn refused(
        &mut self,
        id: &CeremonyId,
        member: Identifier,
        reason: String,
    ) -> Option<Over> {
        let running = self.running.get(id)?;
        let takes_part = running.ceremony.members().contains(&member);
        let fault = Fault::Refused(reason);
        takes_part.then(|| self.end(id, Err(vec![Blame { member, fault }])))?
    }

    /// Ends the ceremonies that wait for members in vain: for those that went away, or for too
    /// long.
    pub(super) fn end_overdue(
        &mut self,
        now: Timestamp,
        is_here: impl Fn(Identifier) -> bool,
    ) -> Vec<Over> {
        let blames = |members: Vec<Identifier>, fault: &Fault| -> Vec<Blame> {
            let blame = |member| Blame { member, fault: fault.clone() };
            members.into_iter().map(blame).collect()
        };
        let mut failed = Vec::new();
        for (id, Running { ceremony, .. }) in self.running.iter() {
            let awaited = ceremony.awaited();
            let gone: Vec<Identifier> =
                awaited.iter().copied().filter(|member| !is_here(*member)).collect();
            if !gone.is_empty() {
                failed.push((*id, blames(gone, &Fault::Unreachable)));
            } else if ceremony.next_deadline().is_some_and(|at| at <= now) {
                failed.push((*id, blames(awaited, &Fault::Silent(ceremony.patience() / 1000))));
            }
        }
        failed.into_iter().filter_map(|(id, blames)| self.end(&id, Err(blames))).collect()
    }

    /// A member has a new secure channel, and knows nothing of what it had reserved over the old
    /// one.
    pub(super) fn restarted(&mut self, member: Identifier) -> Vec<Over> {
        let with_it = self.running.iter().filter(|(_, r)| r.ceremony.members().contains(&member));
        let void: Vec<CeremonyId> = with_it.map(|(id, _)| *id).collect();
        let blame = || vec![Blame { member, fault: Fault::Restarted }];
        void.iter().filter_map(|id| self.end(id, Err(blame()))).collect()
    }

    fn end(&mut self, id: &CeremonyId, result: Result<Outcome, Vec<Blame>>) -> Option<Over> {
        let Running { request, ceremony } = self.running.remove(id)?;
        Some(Over { request, signers: ceremony.members().to_vec(), result })
    }

    /// Leaves a member out of a request's ceremonies: for good if what it sent proves its fault,
    /// else for a pause (in milliseconds) that doubles each time.
    pub(super) fn leave_out(
        &mut self,
        now: Timestamp,
        request: &RequestId,
        blame: &Blame,
        pause: u64,
    ) {
        let left_out = self.left_out.or_default((*request, blame.member));
        let pause = (pause << left_out.times.min(8)).min(LONGEST_PAUSE);
        *left_out = LeftOut {
            until: now.after(pause),
            times: left_out.times + 1,
            for_good: blame.fault.is_proven(),
        };
    }

    pub(super) fn is_left_out(
        &self,
        now: Timestamp,
        request: &RequestId,
        member: Identifier,
    ) -> bool {
        let left_out = self.left_out.get(&(*request, member));
        left_out.is_some_and(|left_out| left_out.for_good || left_out.until > now)
    }

    /// A member has come back: what it did not do before is forgiven, unless it was wrong or was so
    /// too often.
    pub(super) fn forgive(&mut self, member: Identifier) {
        for ((_, other), left_out) in self.left_out.iter_mut() {
            if *other == member && !left_out.for_good && left_out.times < FORGIVEN {
                left_out.until = Timestamp::default();
            }
        }
    }

    /// A request is carried out: whatever else runs for it ends.
    pub(super) fn completed(&mut self, request: &RequestId) {
        self.running.retain(|_, running| running.request != Some(*request));
        self.left_out.retain(|(other, _), _| other != request);
    }

    /// Forgets the members that are left out of requests that are over.
    pub(super) fn forget(&mut self, is_over: impl Fn(&RequestId) -> bool) {
        self.left_out.retain(|(request, _), _| !is_over(request));
    }

    /// When a ceremony has waited for too long, or a member can be asked again.
    pub(super) fn next_deadline(&self, now: Timestamp) -> Option<Timestamp> {
        let running = self.running.values().filter_map(|r| r.ceremony.next_deadline());
        let pauses = self.left_out.values().filter(|l| !l.for_good).map(|l| l.until);
        running.chain(pauses).filter(|at| *at > now).min()
    }
}
