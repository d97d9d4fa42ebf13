//! One participant's part of key generation and of signing, in the pieces that are measured. The
//! native benchmark and the one in Chromium share it.

use std::collections::BTreeMap;

use frostmesh::frost::{Commitments, Key, KeyMaterial, Nonces, Round1, Round2, Shares, Suite};
use frostmesh::random::SystemRng;
use zeroize::Zeroizing;

/// The measured groups: threshold and number of participants.
pub const GROUPS: [(u16, u16); 3] = [(2, 3), (3, 5), (7, 10)];

/// The measured participant.
const ME: u16 = 1;

/// The other participants of one key generation, after their round 1.
pub struct Others {
    threshold: u16,
    total: u16,
    rounds: BTreeMap<u16, Box<dyn Round1>>,
}

impl Others {
    /// Runs part 1 of each.
    pub fn new(threshold: u16, total: u16) -> Self {
        let rounds = (ME + 1..=total)
            .map(|identifier| (identifier, start(identifier, total, threshold)))
            .collect();
        Self { threshold, total, rounds }
    }

    /// Their round-1 packages.
    pub fn commitments(&self) -> BTreeMap<u16, Vec<u8>> {
        self.rounds
            .iter()
            .map(|(identifier, round)| (*identifier, round.package().to_vec()))
            .collect()
    }

    /// Part 1 of the measured participant.
    pub fn part1(&self) -> Box<dyn Round1> {
        start(ME, self.total, self.threshold)
    }

    /// Their round-2 packages for the measured participant, from its round-1 package. Ends their
    /// key generation.
    pub fn shares(self, ours: &[u8]) -> BTreeMap<u16, Zeroizing<Vec<u8>>> {
        let mut all = self.commitments();
        all.insert(ME, ours.to_vec());
        let share = |(identifier, round): (u16, Box<dyn Round1>)| {
            let others = all
                .iter()
                .filter(|(p, _)| **p != identifier)
                .map(|(p, c)| (*p, c.clone()))
                .collect();
            let (_, mut shares) = round.advance(&others).ok()?;
            Some((identifier, shares.remove(&ME)?))
        };
        self.rounds.into_iter().filter_map(share).collect()
    }
}

/// The signers of one key, as many as the threshold, and their messages for one signature.
pub struct Signers {
    keys: Vec<Box<dyn Key>>,
    commitments: Commitments,
    shares: Shares,
}

/// The message to sign.
const DIGEST: [u8; 32] = [7; 32];

impl Signers {
    /// Makes a key and signs once with it.
    pub fn new(threshold: u16, total: u16) -> Self {
        let rounds: BTreeMap<u16, Box<dyn Round1>> =
            (ME..=total).map(|p| (p, start(p, total, threshold))).collect();
        let packages: BTreeMap<u16, Vec<u8>> =
            rounds.iter().map(|(p, round)| (*p, round.package().to_vec())).collect();
        let without = |identifier: &u16| {
            packages
                .iter()
                .filter(|(p, _)| *p != identifier)
                .map(|(p, c)| (*p, c.clone()))
                .collect()
        };
        let mut inboxes: BTreeMap<u16, BTreeMap<u16, Zeroizing<Vec<u8>>>> = BTreeMap::new();
        let mut seconds = Vec::new();
        for (identifier, round) in rounds {
            let (second, shares) =
                round.advance(&without(&identifier)).map_err(|(_, fault)| fault).expect("part 2");
            for (to, share) in shares {
                inboxes.entry(to).or_default().insert(identifier, share);
            }
            seconds.push((identifier, second));
        }
        seconds.truncate(usize::from(threshold));
        let key = |(identifier, round): (u16, Box<dyn Round2>)| {
            let made = part3(round, &inboxes[&identifier]);
            Suite::default().key(&made.key_package, &made.public_key_package).expect("a key")
        };
        let keys: Vec<Box<dyn Key>> = seconds.into_iter().map(key).collect();
        let (mut commitments, mut drawn) = (Commitments::new(), Vec::new());
        for (identifier, key) in (ME..).zip(&keys) {
            let (nonces, commitment) = key.commit(&mut SystemRng).expect("commitments");
            commitments.insert(identifier, commitment);
            drawn.push(nonces);
        }
        let mut shares = Shares::new();
        for ((identifier, key), nonces) in (ME..).zip(&keys).zip(drawn) {
            shares.insert(
                identifier,
                key.sign(nonces, &commitments, &DIGEST).map_err(|(_, f)| f).expect("a share"),
            );
        }
        Self { keys, commitments, shares }
    }

    /// Nonces and commitments of the measured participant.
    pub fn commit(&self) -> (Nonces, Vec<u8>) {
        self.keys[0].commit(&mut SystemRng).expect("commitments")
    }

    /// Unused nonces of the measured participant, and the commitments of all signers with its own
    /// among them.
    pub fn drawn(&self) -> (Nonces, Commitments) {
        let (nonces, commitment) = self.commit();
        let mut commitments = self.commitments.clone();
        commitments.insert(ME, commitment);
        (nonces, commitments)
    }

    /// The signature share of the measured participant.
    pub fn sign(&self, (nonces, commitments): (Nonces, Commitments)) -> Vec<u8> {
        self.keys[0]
            .sign(nonces, &commitments, &DIGEST)
            .map_err(|(_, fault)| fault)
            .expect("a share")
    }

    /// The signature.
    pub fn aggregate(&self) -> Vec<u8> {
        self.keys[0]
            .aggregate(&self.commitments, &self.shares, &DIGEST)
            .map_err(|(_, f)| f)
            .expect("a signature")
    }
}

fn start(identifier: u16, total: u16, threshold: u16) -> Box<dyn Round1> {
    Suite::default().start(identifier, total, threshold, &mut SystemRng).expect("part 1")
}

/// Part 2 of the measured participant: verifies all proofs of knowledge, makes all round-2
/// packages.
pub fn part2(round: Box<dyn Round1>, commitments: &BTreeMap<u16, Vec<u8>>) -> Box<dyn Round2> {
    round.advance(commitments).map_err(|(_, fault)| fault).expect("part 2").0
}

/// Part 3 of the measured participant: verifies all round-2 packages, makes the key.
pub fn part3(round: Box<dyn Round2>, shares: &BTreeMap<u16, Zeroizing<Vec<u8>>>) -> KeyMaterial {
    round.finish(shares).map_err(|(_, fault)| fault).expect("part 3")
}
