//! Three nodes make a 2-of-3 key. Nothing leaves this process: `cargo run --example make_a_key`.
//!
//! This file plays the people at the nodes: they read events and give commands. `support` does for
//! each node what a driver does: it moves messages, stores, and keeps the time.

mod support;

use std::collections::BTreeMap;

use frostmesh::frost::Suite;
use frostmesh::node::{Command, Event};
use support::{Result, World};

/// The participants. Their FROST identifiers are 1, 2 and 3, by the order of their names.
pub const NAMES: [&str; 3] = ["alice", "bob", "carol"];

/// Makes the key. Returns the nodes that hold it, and the group key as hex.
pub fn make_a_key() -> Result<(World, String)> {
    let mut world = World::default();
    for name in NAMES {
        world.start(name)?;
    }

    // Alice proposes a session. The nodes do all else by themselves, except for two decisions that
    // people make: to take part, and whether everyone sees the same safety words.
    let mut participants = Vec::new();
    for name in NAMES {
        participants.push(name.parse()?);
    }
    let propose = Command::Propose {
        session_id: "treasury".parse()?,
        participants,
        threshold: 2,
        suite: Suite::default(),
        allow_unverified: false,
    };
    let mut proposal = Some(propose);

    let mut online = 0;
    let mut words_of = BTreeMap::new();
    let mut key_of = BTreeMap::new();
    while key_of.len() < NAMES.len() {
        let (name, event) = world.next_event()?;
        match event {
            // Everyone is at the server: now Alice can propose.
            Event::Registered { .. } => {
                online += 1;
                if let Some(propose) = proposal.take_if(|_| online == NAMES.len()) {
                    world.command("alice", propose)?;
                }
            }
            // The others are asked, and join. The proposer takes part already.
            Event::Proposed { session_id, .. } if name.as_str() != "alice" => {
                let accept = Command::Accept { session_id, allow_unverified: false };
                world.command(name.as_str(), accept)?;
            }
            // Four words on each screen. People compare them by phone: a server that put itself
            // between two nodes cannot make them equal.
            Event::Words { session_id, words } => {
                words_of.insert(name, words);
                if words_of.len() == NAMES.len() {
                    let they_match = words_of.values().all(|other| *other == words);
                    for name in NAMES {
                        let session_id = session_id.clone();
                        let confirm = Command::ConfirmWords { session_id, they_match };
                        world.command(name, confirm)?;
                    }
                }
            }
            // Two rounds later every node has its signing share, and all have the same group key.
            Event::WalletCreated { pubkey, .. } => {
                key_of.insert(name, pubkey);
            }
            Event::Aborted { reason, .. } => return Err(reason.text.into()),
            _ => {}
        }
    }

    let pubkey = key_of.values().next().cloned().ok_or("no key")?;
    assert!(key_of.values().all(|other| *other == pubkey), "all have the same group key");
    Ok((world, pubkey))
}

pub(crate) fn main() -> Result<()> {
    let (mut world, pubkey) = make_a_key()?;
    println!("group key {pubkey}");
    for name in NAMES {
        let record = world.stored_wallet(&name.parse()?)?.record;
        record.certificate.ok_or("no certificate")?.verify()?;
        println!("{name} holds signing share {} and the certificate", record.info.identifier);
    }
    Ok(())
}
