//! One participant's part of key generation and of signing as a wasm module of its own, compiled
//! like the product. `cargo xtask bench` builds it; `tests/e2e/bench-keygen.mjs` runs and times it
//! in Chromium.
#![cfg(target_family = "wasm")]
#![allow(clippy::expect_used, missing_docs)]

#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;

use frostmesh::frost::{Commitments, Nonces, Round1, Round2};
use support::{Others, Signers, part2, part3};
use wasm_bindgen::prelude::wasm_bindgen;
use zeroize::Zeroizing;

/// The inputs of the measured calls, which are made before the clock starts.
#[wasm_bindgen]
pub struct Bench {
    others: Others,
    commitments: BTreeMap<u16, Vec<u8>>,
    part2: Vec<Box<dyn Round1>>,
    part3: Vec<(Box<dyn Round2>, BTreeMap<u16, Zeroizing<Vec<u8>>>)>,
    signers: Signers,
    sign: Vec<(Nonces, Commitments)>,
}

#[wasm_bindgen]
impl Bench {
    /// Makes the inputs for `runs` calls of each part.
    #[wasm_bindgen(constructor)]
    pub fn new(threshold: u16, total: u16, runs: usize) -> Self {
        let others = Others::new(threshold, total);
        let ready = |_| {
            let others = Others::new(threshold, total);
            let ours = others.part1();
            let package = ours.package().to_vec();
            (part2(ours, &others.commitments()), others.shares(&package))
        };
        let signers = Signers::new(threshold, total);
        Self {
            commitments: others.commitments(),
            part2: (0..runs).map(|_| others.part1()).collect(),
            part3: (0..runs).map(ready).collect(),
            sign: (0..runs).map(|_| signers.drawn()).collect(),
            signers,
            others,
        }
    }

    pub fn part1(&self) {
        drop(self.others.part1());
    }

    pub fn part2(&mut self) {
        drop(part2(self.part2.pop().expect("too many calls"), &self.commitments));
    }

    pub fn part3(&mut self) {
        let (round, shares) = self.part3.pop().expect("too many calls");
        drop(part3(round, &shares));
    }

    pub fn commit(&self) {
        drop(self.signers.commit());
    }

    pub fn sign(&mut self) {
        drop(self.signers.sign(self.sign.pop().expect("too many calls")));
    }

    pub fn aggregate(&self) {
        drop(self.signers.aggregate());
    }
}
