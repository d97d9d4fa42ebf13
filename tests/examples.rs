//! The examples run, and what they show holds. Each ends with an error where it does not.
#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used)]

#[path = "../examples/sign.rs"]
mod sign;

use sign::make_a_key;

#[test]
fn three_nodes_make_a_key() {
    make_a_key::main().unwrap();
}

#[test]
fn two_of_three_members_sign_a_text() {
    sign::main().unwrap();
}
