//! A node's own process, killed with `kill -9` wherever it keeps something and in between, with its
//! disk, the server and a link as they are. The other member of the wallet is played by the test,
//! so it sees on the wire what the node commits to and gives.
//!
//! `FROSTMESH_KILLS=1000 cargo test --test kills` kills it that often.
#![cfg(unix)]
// Helpers of tests are outside of test functions, where clippy.toml allows these.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code)]

#[path = "server/client.rs"]
mod client;
#[path = "common/luck.rs"]
mod luck;
#[path = "kills/node.rs"]
mod node;
#[path = "signing/other.rs"]
mod other;
#[path = "kills/rig.rs"]
mod rig;

use std::collections::BTreeMap;
use std::time::Duration;

use luck::Luck;
use node::Trigger;
use rig::{Rig, Seen};

/// After how many kills a new wallet is made: a trail is read again at every start.
const CHAPTER: u32 = 100;

#[tokio::test]
async fn no_nonce_is_used_twice_though_the_process_is_killed_wherever_it_keeps_something() {
    let kills: u32 =
        std::env::var("FROSTMESH_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(15);
    let luck = &mut Luck::new(6);
    let (mut commitments, mut shares, mut last_kept) = (0, 0, BTreeMap::<String, u32>::new());
    for chapter in 0..kills.div_ceil(CHAPTER) {
        let (mut rig, mut seen) = (Rig::start(u64::from(chapter)).await, Seen::default());
        for run in 0..CHAPTER.min(kills - chapter * CHAPTER) {
            let trigger = match luck.below(2) {
                0 => Trigger::Files(1 + luck.index(9)),
                _ => Trigger::After(Duration::from_micros(luck.below(80_000))),
            };
            let request = rig.ask(&format!("run {run} of {chapter}")).await;
            rig.node.kill_when(trigger);
            let first = rig.sign(&request, &mut seen).await;
            rig.node.killed().await;
            rig.drain(&mut seen).await;
            *last_kept.entry(rig.last_kept()).or_default() += 1;
            rig.every_share_is_on_record(&seen);

            rig.restart().await;
            rig.tell(&request).await;
            if let Some(package) = first {
                // What it had promised before is void, also to who insists.
                rig.say(&package).await;
            }
            rig.signed(&request, &mut seen).await;
            rig.every_share_is_on_record(&seen);
        }
        commitments += seen.commitments();
        shares += seen.shares();
    }
    println!(
        "{kills} kills: {commitments} commitments, {shares} shares; the last entry on disk: {last_kept:?}"
    );
    assert!(shares >= kills as usize, "each run ends with a signature");
    assert!(kills < 200 || last_kept.len() >= 4, "not killed at every step: {last_kept:?}");
}
