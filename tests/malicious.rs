//! What bad peers can try, one test for each threat, named after it: whatever they send, honest
//! nodes end the session with a reason that names them, or go on undisturbed; nobody confirms a key
//! that not all have; no share is ever printed.
//!
//! Real nodes in virtual time, with a server in memory and instant channels (`malicious/net.rs`).
#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "malicious/absence.rs"]
mod absence;
#[path = "malicious/claims.rs"]
mod claims;
#[path = "malicious/commitments.rs"]
mod commitments;
#[path = "malicious/equivocation.rs"]
mod equivocation;
#[path = "malicious/floods.rs"]
mod floods;
#[path = "malicious/leaks.rs"]
mod leaks;
#[path = "malicious/messages.rs"]
mod messages;
#[path = "malicious/net.rs"]
mod net;
#[path = "malicious/proposals.rs"]
mod proposals;
#[path = "malicious/shares.rs"]
mod shares;
#[path = "malicious/verdict.rs"]
mod verdict;
#[path = "malicious/wires.rs"]
mod wires;

use net::{Net, Said};

/// Alice and bob, honest, and mallory, whose words the closure rewrites; all in the 2-of-3 session
/// `s` that alice proposes.
fn attacked(tamper: impl FnMut(&Said) -> Vec<String> + 'static) -> Net {
    let mut net = Net::new(&["alice", "bob"]);
    net.evil("mallory", tamper);
    net.propose("alice", "s", &["alice", "bob", "mallory"], 2);
    net
}

/// Rewrites the messages of one kind that go over channels.
fn rewriting(
    kind: &'static str,
    mut rewrite: impl FnMut(&Said) -> Vec<String>,
) -> impl FnMut(&Said) -> Vec<String> {
    move |said| if said.kind == kind && !said.relay { rewrite(said) } else { vec![said.text()] }
}

/// Leaves out what a real node says when it ends a session: that would be another threat.
fn without_farewell(
    mut tamper: impl FnMut(&Said) -> Vec<String>,
) -> impl FnMut(&Said) -> Vec<String> {
    move |said| if said.json["payload"]["accepted"] == false { Vec::new() } else { tamper(said) }
}

#[test]
fn without_an_attack_all_is_well() {
    let mut net = attacked(|said| vec![said.text()]);
    net.settle();
    net.done("s", &["alice", "bob", "mallory"]);
}
