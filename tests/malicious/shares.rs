//! Round-2 packages that cannot be right.

use std::cell::RefCell;
use std::rc::Rc;

use frostmesh::node::ReasonKind;

use super::net::Said;
use super::{attacked, rewriting};

const HEADER: usize = 5;

fn refused(change: impl Fn(Vec<u8>) -> Vec<u8> + Clone + 'static) {
    named(ReasonKind::BadShare, move |said| said.with("data", hex::encode(change(said.data()))));
}

fn named(kind: ReasonKind, change: impl Fn(&Said) -> String + Clone + 'static) {
    let all = change.clone();
    let mut net = attacked(rewriting("share", move |said| vec![all(said)]));
    net.run(); // at once, not at a deadline
    net.blamed("s", &["alice", "bob"], kind, "mallory");
    net.settle();
    net.blamed("s", &["alice", "bob"], kind, "mallory");

    // Bad for one of them only, who tells the other.
    for victim in ["alice", "bob"] {
        let change = change.clone();
        let tamper =
            move |said: &Said| vec![if said.to == victim { change(said) } else { said.text() }];
        let mut net = attacked(rewriting("share", tamper));
        net.run();
        net.blamed("s", &[victim], kind, "mallory");
    }
}

#[test]
fn a_share_that_does_not_verify_names_its_sender() {
    refused(|mut data| {
        *data.last_mut().unwrap() ^= 1;
        data
    });
    refused(|mut data| {
        data[HEADER] ^= 0x40;
        data
    });
}

#[test]
fn a_truncated_share_names_its_sender() {
    for left in [0, 4, 5, 36] {
        refused(move |data| data[..left].to_vec());
    }
}

#[test]
fn a_share_with_trailing_bytes_names_its_sender() {
    refused(|data| [data, vec![0]].concat());
}

#[test]
fn a_zero_share_names_its_sender() {
    refused(|mut data| {
        data[HEADER..].fill(0);
        data
    });
}

#[test]
fn a_share_that_is_no_scalar_names_its_sender() {
    refused(|mut data| {
        data[HEADER..].fill(0xff); // not below the group's order
        data
    });
}

#[test]
fn a_share_of_another_ciphersuite_names_its_sender() {
    refused(|mut data| {
        data[2] ^= 0xff;
        data
    });
}

/// Bob gets what is meant for alice. Mallory cannot be helped that its own share is known; bob must
/// not take it.
#[test]
fn another_recipients_share_names_its_sender() {
    let first: Rc<RefCell<Option<String>>> = Rc::default();
    let mut net = attacked(rewriting("share", move |said| {
        let data = first.borrow_mut().get_or_insert_with(|| hex::encode(said.data())).clone();
        vec![said.with("data", data)]
    }));
    net.run();
    net.blamed("s", &["bob"], ReasonKind::BadShare, "mallory");
}

/// What mallory got from alice goes back to her, and to bob.
#[test]
fn a_share_that_is_sent_back_names_its_sender() {
    let heard: Rc<RefCell<Option<String>>> = Rc::default();
    let alices = heard.clone();
    let mut net = attacked(rewriting("share", move |said| {
        alices
            .borrow()
            .as_ref()
            .map_or_else(Vec::new, |data| vec![said.with("data", data.as_str())])
    }));
    net.seat("alice").tamper = Some(Box::new(move |said| {
        if said.kind == "share" && said.to == "mallory" {
            *heard.borrow_mut() = Some(hex::encode(said.data()));
        }
        vec![said.text()]
    }));
    net.run();
    net.settle();
    net.blamed("s", &["alice"], ReasonKind::BadShare, "mallory");
}

#[test]
fn a_share_that_is_not_hexadecimal_names_its_sender() {
    named(ReasonKind::BadMessage, |said| {
        said.with("data", format!("{}zz", hex::encode(said.data())))
    });
    named(ReasonKind::BadMessage, |said| said.with("data", said.data()));
}

/// The message is cut in the middle of the share: the reason says so, and repeats nothing of it
/// (the harness looks).
#[test]
fn a_share_in_broken_json_names_its_sender_and_is_not_repeated() {
    named(ReasonKind::BadMessage, |said| said.text()[..said.text().len() - 4].to_owned());
    named(ReasonKind::BadMessage, |said| said.text().replace("\"share\"", "share"));
    named(ReasonKind::BadMessage, |said| {
        format!(
            r#"{{"type":"share","payload":{{"session_id":{:?},"data":1}}}}"#,
            hex::encode(said.data()).repeat(2)
        )
    });
}
