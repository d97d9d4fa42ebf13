//! The two rounds of signing (RFC 9591, section 5), for all items of an operation at once. The
//! coordinator runs [`Gathering`], each signer a [`SigningPart`]; the coordinator is a signer, too.
//!
//! Nonces live in a [`SigningPart`] alone, in memory: it uses them up for one signature share each,
//! and there is no other way to get at them. They stand in no file and in no backup, so none can
//! come back (docs/PROTOCOL.md, section 3, point 6).

use std::collections::VecDeque;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::shape::{Blame, Ceremony, Contribution, Fault, Step};
use crate::content::SignItem;
use crate::frost::{Commitments, Identifier, Key, Nonces, PackageFault, Shares};
use crate::group::{MAX_PART, Outcome, RoundMessage};
use crate::node::Timestamp;
use crate::node::ctx::Ctx;
use crate::sorted::Map;

/// What is signed, by whom, and how long each round may take.
pub(super) struct Signing {
    key: Arc<dyn Key>,
    items: Vec<SignItem>,
    signers: Vec<Identifier>,
    /// In milliseconds.
    patience: u64,
}

/// How much longer a round may take for each further item, in milliseconds: a browser on a slow
/// machine needs that for the shares of eight signers.
const PER_ITEM: u64 = 20;

impl Signing {
    /// `signers` are ascending; `patience` is how long a round may take with one item, in
    /// milliseconds.
    pub(super) fn new(
        key: Arc<dyn Key>,
        items: &[SignItem],
        signers: Vec<Identifier>,
        patience: u64,
    ) -> Self {
        let patience = patience + PER_ITEM * (items.len() as u64).saturating_sub(1);
        Self { key, items: items.to_vec(), signers, patience }
    }

    fn package_fault(&self, item: usize, fault: PackageFault) -> Fault {
        Fault::Package { item, total: self.items.len(), fault }
    }

    /// The commitments of one item, of all signers in their order.
    fn commitments<'a>(&self, of_item: impl Iterator<Item = &'a Vec<u8>>) -> Commitments {
        self.signers.iter().copied().zip(of_item.cloned()).collect()
    }
}

/// What each signer has sent in a round: one value for each item.
type Sent = Map<Identifier, Vec<Vec<u8>>>;

/// Where a coordinator stands.
enum Round {
    /// Commitments are coming in.
    Commitments(Sent),
    /// All commitments are here, and shares are coming in.
    Shares { commitments: Sent, shares: Sent },
    /// It is over.
    Over,
}

/// A signing ceremony as its coordinator runs it.
pub(super) struct Gathering {
    signing: Signing,
    round: Round,
    deadline: Timestamp,
    out: VecDeque<(Identifier, RoundMessage)>,
}

impl Gathering {
    /// Waits for the commitments of all signers.
    pub(super) fn new(ctx: &Ctx<'_>, signing: Signing) -> Self {
        let deadline = ctx.now.after(signing.patience);
        Self { signing, round: Round::Commitments(Sent::default()), deadline, out: VecDeque::new() }
    }

    fn committed(&mut self, ctx: &Ctx<'_>, from: Identifier, data: Vec<Vec<u8>>) -> Step<Outcome> {
        let Round::Commitments(commitments) = &mut self.round else { return Step::Continue };
        if commitments.contains_key(&from) {
            return Step::Continue;
        }
        if let Err(fault) = check(&self.signing, &data) {
            return Step::Failed(vec![Blame { member: from, fault }]);
        }
        commitments.insert(from, data);
        if commitments.len() == self.signing.signers.len() {
            let commitments = std::mem::take(commitments);
            self.deadline = ctx.now.after(self.signing.patience);
            self.send_package(&commitments);
            self.round = Round::Shares { commitments, shares: Sent::default() };
        }
        Step::Continue
    }

    /// Sends everyone's commitments to each signer, in parts that fit into one message each.
    fn send_package(&mut self, commitments: &Sent) {
        let items = self.signing.items.len();
        let whole = (MAX_PART / self.signing.signers.len().max(1)).max(1);
        for first in (0..items).step_by(whole) {
            let part = first..items.min(first + whole);
            let of_item = |item: usize| commitments.values().filter_map(move |data| data.get(item));
            let list: Vec<Vec<u8>> = part.flat_map(of_item).cloned().collect();
            for signer in &self.signing.signers {
                let commitments = list.clone();
                self.out.push_back((*signer, RoundMessage::SigningPackage { first, commitments }));
            }
        }
    }

    fn shared(&mut self, from: Identifier, data: Vec<Vec<u8>>) -> Step<Outcome> {
        let Round::Shares { shares, .. } = &mut self.round else {
            return Step::Continue; // before anyone could make one
        };
        if shares.contains_key(&from) {
            return Step::Continue;
        }
        let (found, expected) = (data.len(), self.signing.items.len());
        if found != expected {
            let fault = Fault::Count { what: "signature shares", found, expected };
            return Step::Failed(vec![Blame { member: from, fault }]);
        }
        shares.insert(from, data);
        if shares.len() < self.signing.signers.len() {
            return Step::Continue;
        }
        match std::mem::replace(&mut self.round, Round::Over) {
            Round::Shares { commitments, shares } => self.aggregate(&commitments, &shares),
            Round::Commitments(_) | Round::Over => Step::Continue,
        }
    }

    fn aggregate(&self, commitments: &Sent, shares: &Sent) -> Step<Outcome> {
        let Signing { key, items, signers, .. } = &self.signing;
        let mut signatures = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let of_item = |sent: &Sent| -> Shares {
                let one = |(signer, data): (&Identifier, &Vec<Vec<u8>>)| {
                    Some((*signer, data.get(index)?.clone()))
                };
                sent.iter().filter_map(one).collect()
            };
            match key.aggregate(&of_item(commitments), &of_item(shares), &item.message) {
                Ok(signature) => signatures.push(signature),
                Err((Some(member), fault)) => {
                    let fault = self.signing.package_fault(index, fault);
                    return Step::Failed(vec![Blame { member, fault }]);
                }
                Err((None, fault)) => {
                    let blame = |member: &Identifier| Blame {
                        member: *member,
                        fault: Fault::Unknown(fault.clone()),
                    };
                    return Step::Failed(signers.iter().map(blame).collect());
                }
            }
        }
        Step::Done(Outcome::Signatures(signatures))
    }
}

impl Ceremony for Gathering {
    type Message = RoundMessage;
    type Outcome = Outcome;

    fn members(&self) -> &[Identifier] {
        &self.signing.signers
    }

    fn receive(
        &mut self,
        ctx: &mut Ctx<'_>,
        from: Identifier,
        message: RoundMessage,
    ) -> Step<Outcome> {
        if !self.signing.signers.contains(&from) {
            return Step::Continue;
        }
        match message {
            RoundMessage::SigningCommitments(data) => self.committed(ctx, from, data),
            RoundMessage::SignatureShares(data) => self.shared(from, data),
            RoundMessage::SigningPackage { .. } => Step::Continue,
        }
    }

    fn poll(&mut self) -> Option<(Identifier, RoundMessage)> {
        self.out.pop_front()
    }

    fn awaited(&self) -> Vec<Identifier> {
        let sent = match &self.round {
            Round::Commitments(sent) | Round::Shares { shares: sent, .. } => sent,
            Round::Over => return Vec::new(),
        };
        let signers = self.signing.signers.iter().copied();
        signers.filter(|signer| !sent.contains_key(signer)).collect()
    }

    fn patience(&self) -> u64 {
        self.signing.patience
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        Some(self.deadline)
    }
}

fn check(signing: &Signing, data: &[Vec<u8>]) -> Result<(), Fault> {
    let (found, expected) = (data.len(), signing.items.len());
    if found != expected {
        return Err(Fault::Count { what: "commitments", found, expected });
    }
    for (index, commitments) in data.iter().enumerate() {
        let checked = signing.key.check_commitments(commitments);
        checked.map_err(|fault| signing.package_fault(index, fault))?;
    }
    Ok(())
}

/// Where a signer stands.
enum Part {
    /// It holds nonces, and waits for everyone's commitments.
    Reserved { nonces: Vec<Nonces>, own: Vec<Vec<u8>>, received: Vec<Vec<u8>> },
    /// The nonces are gone, whatever came of them.
    Over,
}

/// A signing ceremony as one of its signers runs it.
pub(super) struct SigningPart {
    signing: Signing,
    me: Identifier,
    coordinator: Identifier,
    part: Part,
    deadline: Timestamp,
    out: VecDeque<(Identifier, RoundMessage)>,
}

impl SigningPart {
    /// Draws nonces for every item, and has the commitments for the coordinator.
    ///
    /// # Errors
    /// The library's.
    pub(super) fn new(
        ctx: &mut Ctx<'_>,
        signing: Signing,
        me: Identifier,
        coordinator: Identifier,
    ) -> Result<Self, PackageFault> {
        let (mut nonces, mut own) = (Vec::new(), Vec::new());
        for _ in &signing.items {
            let (secret, public) = signing.key.commit(ctx.rng)?;
            nonces.push(secret);
            own.push(public);
        }
        // The coordinator may wait that long for each of the two rounds.
        let deadline = ctx.now.after(2 * signing.patience);
        let message = RoundMessage::SigningCommitments(own.clone());
        let part = Part::Reserved { nonces, own, received: Vec::new() };
        let out = VecDeque::from([(coordinator, message)]);
        Ok(Self { signing, me, coordinator, part, deadline, out })
    }

    fn package(&mut self, first: usize, commitments: Vec<Vec<u8>>) -> Step<Contribution> {
        let Part::Reserved { received, .. } = &mut self.part else { return Step::Continue };
        let signers = self.signing.signers.len().max(1);
        let all = signers * self.signing.items.len();
        let whole = !commitments.is_empty() && commitments.len().is_multiple_of(signers);
        let fits = whole && received.len() + commitments.len() <= all;
        if first.saturating_mul(signers) != received.len() || !fits {
            self.part = Part::Over;
            return self.blame(Fault::WrongPackage);
        }
        received.extend(commitments);
        if received.len() < all {
            return Step::Continue;
        }
        match std::mem::replace(&mut self.part, Part::Over) {
            Part::Reserved { nonces, own, received } => self.sign(nonces, &own, &received),
            Part::Over => Step::Continue,
        }
    }

    /// Makes the shares. The nonces are gone afterwards, whatever comes of it.
    fn sign(
        &self,
        nonces: Vec<Nonces>,
        own: &[Vec<u8>],
        received: &[Vec<u8>],
    ) -> Step<Contribution> {
        let Signing { key, items, signers, .. } = &self.signing;
        let of_items: Vec<Commitments> = received
            .chunks(signers.len().max(1))
            .map(|of_item| self.signing.commitments(of_item.iter()))
            .collect();
        let mine = |(item, own): (&Commitments, &Vec<u8>)| item.get(&self.me) == Some(own);
        if !of_items.iter().zip(own).all(mine) {
            return self.blame(Fault::OtherCommitments);
        }
        let mut shares = Vec::with_capacity(items.len());
        for (index, (nonces, item)) in nonces.into_iter().zip(items).enumerate() {
            match key.sign(nonces, &of_items[index], &item.message) {
                Ok(share) => shares.push(share),
                Err((of, fault)) => {
                    let of = of.filter(|of| signers.contains(of));
                    return self.blame(Fault::Commitments { of, fault });
                }
            }
        }
        let commitments = own.iter().fold(Sha256::new(), |hash, own| hash.chain_update(own));
        Step::Done(Contribution {
            commitments: commitments.finalize().into(),
            message: RoundMessage::SignatureShares(shares),
        })
    }

    fn blame(&self, fault: Fault) -> Step<Contribution> {
        Step::Failed(vec![Blame { member: self.coordinator, fault }])
    }
}

impl Ceremony for SigningPart {
    type Message = RoundMessage;
    type Outcome = Contribution;

    fn members(&self) -> &[Identifier] {
        &self.signing.signers
    }

    fn receive(
        &mut self,
        _: &mut Ctx<'_>,
        from: Identifier,
        message: RoundMessage,
    ) -> Step<Contribution> {
        match message {
            RoundMessage::SigningPackage { first, commitments } if from == self.coordinator => {
                self.package(first, commitments)
            }
            _ => Step::Continue,
        }
    }

    fn poll(&mut self) -> Option<(Identifier, RoundMessage)> {
        self.out.pop_front()
    }

    fn awaited(&self) -> Vec<Identifier> {
        match self.part {
            Part::Reserved { .. } => vec![self.coordinator],
            Part::Over => Vec::new(),
        }
    }

    fn patience(&self) -> u64 {
        self.signing.patience
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        Some(self.deadline)
    }
}
