//! One participant's part of key generation, cut into the pieces that are measured. Native and wasm use it alike.

use std::collections::BTreeMap;

use frostmesh::frost::{KeyMaterial, Round1, Round2, Suite};
use frostmesh::random::SystemRng;
use zeroize::Zeroizing;

/// The groups that are measured: threshold and participants.
pub const GROUPS: [(u16, u16); 3] = [(2, 3), (3, 5), (7, 10)];

/// The participant that is measured.
const ME: u16 = 1;

/// The other participants of one ceremony, up to what they send in round 1.
pub struct Others {
    threshold: u16,
    total: u16,
    rounds: BTreeMap<u16, Box<dyn Round1>>,
}

impl Others {
    /// Their part 1.
    pub fn new(threshold: u16, total: u16) -> Self {
        let rounds = (ME + 1..=total).map(|place| (place, start(place, total, threshold))).collect();
        Self { threshold, total, rounds }
    }

    /// What we get from them in round 1.
    pub fn commitments(&self) -> BTreeMap<u16, Vec<u8>> {
        self.rounds.iter().map(|(place, round)| (*place, round.package().to_vec())).collect()
    }

    /// Our part 1.
    pub fn part1(&self) -> Box<dyn Round1> {
        start(ME, self.total, self.threshold)
    }

    /// Their shares for us, which need our commitment. Ends their ceremony.
    pub fn shares(self, ours: &[u8]) -> BTreeMap<u16, Zeroizing<Vec<u8>>> {
        let mut all = self.commitments();
        all.insert(ME, ours.to_vec());
        let share = |(place, round): (u16, Box<dyn Round1>)| {
            let others = all.iter().filter(|(p, _)| **p != place).map(|(p, c)| (*p, c.clone())).collect();
            let (_, mut shares) = round.advance(&others).ok()?;
            Some((place, shares.remove(&ME)?))
        };
        self.rounds.into_iter().filter_map(share).collect()
    }
}

fn start(place: u16, total: u16, threshold: u16) -> Box<dyn Round1> {
    Suite::default().start(place, total, threshold, &mut SystemRng).expect("part 1")
}

/// Our part 2: verifies all proofs, makes all shares.
pub fn part2(round: Box<dyn Round1>, commitments: &BTreeMap<u16, Vec<u8>>) -> Box<dyn Round2> {
    round.advance(commitments).map_err(|(_, fault)| fault).expect("part 2").0
}

/// Our part 3: verifies all shares, makes the key.
pub fn part3(round: Box<dyn Round2>, shares: &BTreeMap<u16, Zeroizing<Vec<u8>>>) -> KeyMaterial {
    round.finish(shares).map_err(|(_, fault)| fault).expect("part 3")
}
