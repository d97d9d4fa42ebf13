//! Wrong group keys, and lies about others.

use frostmesh::node::{PhaseName, ReasonKind};
use frostmesh::wire::MAX_TEXT;
use serde_json::{Value, json};

use super::equivocation::{SOME_KEY, wallet_created};
use super::net::Net;
use super::{attacked, rewriting, without_farewell};

#[test]
fn a_wrong_group_key_names_its_sender() {
    for key in [SOME_KEY, "", "not hexadecimal", "00"] {
        let mut net =
            attacked(rewriting("wallet_created", move |said| vec![said.with("pubkey", key)]));
        net.settle();
        net.no_wallet("alice", "s");
        net.no_wallet("bob", "s");
        for id in ["alice", "bob"] {
            let reason = net.reason(id, "s");
            assert_eq!(
                (reason.kind, reason.peer_id.unwrap().as_str()),
                (ReasonKind::KeyMismatch, "mallory")
            );
        }
    }
}

#[test]
fn a_wrong_group_key_before_there_is_one_names_its_sender() {
    let mut net = attacked(rewriting("share", |said| vec![wallet_created(SOME_KEY), said.text()]));
    net.settle();
    net.blamed("s", &[], ReasonKind::KeyMismatch, "mallory");
}

/// The victim knows of the lie before it says that it has the key: the other, for whom that is the
/// last confirmation missing, must not take it for one.
#[test]
fn a_wrong_group_key_to_one_before_there_is_one_leaves_nobody_with_a_wallet() {
    for victim in ["alice", "bob"] {
        let mut net = attacked(without_farewell(rewriting("share", move |said| {
            let lie = (said.to == victim).then(|| wallet_created(SOME_KEY));
            lie.into_iter().chain([said.text()]).collect()
        })));
        net.hold = Some(Box::new(move |from, to, kind| {
            from == victim
                && to != "mallory"
                && ["wallet_created", "session_response"].contains(&kind)
        }));
        net.run();
        net.release(); // mallory's own, right wallet_created has come by now
        net.settle();
        net.blamed("s", &[victim], ReasonKind::KeyMismatch, "mallory");
    }
}

#[test]
fn a_group_key_that_is_missing_names_its_sender() {
    for key in [Value::Null, json!(7), json!(["a"])] {
        let mut net = attacked(rewriting("wallet_created", move |said| {
            vec![said.with("pubkey", key.clone())]
        }));
        net.settle();
        net.blamed("s", &["alice", "bob"], ReasonKind::BadMessage, "mallory");
    }
}

// ---- lies ----

fn accusation(kind: &str, culprit: Value, text: &str) -> String {
    let cause = json!({"kind": kind, "culprit": culprit});
    json!({"type": "session_response",
        "payload": {"session_id": "s", "accepted": false, "reason": text, "cause": cause}})
    .to_string()
}

/// Alice, bob, carol and mallory, in round 1.
fn four() -> Net {
    let mut net = Net::new(&["alice", "bob", "carol"]);
    net.evil("mallory", |said| vec![said.text()]);
    net.propose("alice", "s", &["alice", "bob", "carol", "mallory"], 2);
    net.run_until("round 1", |net| net.phase("alice", "s") == Some(PhaseName::Round1));
    net
}

#[test]
fn an_accusation_of_an_honest_peer_stands_as_the_liars_word() {
    let mut net = four();
    for to in ["alice", "bob", "carol"] {
        net.say("mallory", to, accusation("bad_share", json!("bob"), "bob cheats"));
    }
    net.settle();
    for id in ["alice", "carol"] {
        let reason = net.reason(id, "s");
        assert_eq!(reason.kind, ReasonKind::BadShare);
        assert_eq!(reason.peer_id.unwrap().as_str(), "bob");
        assert_eq!(reason.reported_by.unwrap().as_str(), "mallory");
        assert!(reason.text.contains("mallory"), "{}", reason.text);
    }
    let reason = net.reason("bob", "s"); // knows that it is a lie
    assert_eq!(reason.peer_id.unwrap().as_str(), "mallory");
    assert_eq!(reason.reported_by.unwrap().as_str(), "mallory");
}

#[test]
fn an_accusation_that_is_told_to_one_reaches_the_others_with_the_liars_name() {
    let mut net = four();
    net.say("mallory", "alice", accusation("bad_share", json!("bob"), "bob cheats"));
    net.settle();
    assert_eq!(net.reason("alice", "s").reported_by.unwrap().as_str(), "mallory");
    for id in ["bob", "carol"] {
        let reason = net.reason(id, "s");
        assert!(reason.reported_by.is_some(), "{id} saw nothing itself: {reason:?}");
        assert!(reason.text.contains("mallory"), "{id}: {}", reason.text);
    }
}

#[test]
fn an_accusation_of_the_receiver_a_stranger_or_nobody_falls_back_on_its_sender() {
    for culprit in
        [json!("alice"), json!("zed"), json!("not a peer id"), Value::Null, json!("mallory")]
    {
        let mut net = four();
        net.say("mallory", "alice", accusation("bad_commitment", culprit, "somebody cheats"));
        net.run();
        let reason = net.reason("alice", "s");
        assert_eq!(
            (reason.kind, reason.peer_id.unwrap().as_str()),
            (ReasonKind::BadCommitment, "mallory")
        );
        net.settle();
    }
}

#[test]
fn a_cause_that_is_not_understood_counts_as_leaving() {
    for cause in
        [json!(7), json!({"kind": 1}), json!({"kind": "sunspots", "culprit": "bob"}), json!([])]
    {
        let mut net = four();
        let payload = json!({"session_id": "s", "accepted": false, "cause": cause});
        net.say(
            "mallory",
            "alice",
            json!({"type": "session_response", "payload": payload}).to_string(),
        );
        net.settle();
        for id in ["alice", "bob", "carol"] {
            assert_eq!(net.reason(id, "s").kind, ReasonKind::Declined);
        }
    }
}

#[test]
fn what_a_liar_says_is_cut_and_cleaned() {
    let mut net = four();
    let text = format!("\u{1b}[31m\u{0}\r\n{}", "\u{00e4}".repeat(20_000));
    net.say("mallory", "alice", accusation("bad_share", json!("bob"), &text));
    net.settle();
    for id in ["alice", "bob", "carol"] {
        let text = net.reason(id, "s").text;
        assert!(text.len() <= MAX_TEXT && !text.chars().any(char::is_control), "{text}");
    }
}

#[test]
fn an_accusation_after_the_end_changes_nothing() {
    let mut net = four();
    net.run_until("alice is done", |net| net.phase("alice", "s") == Some(PhaseName::Done));
    net.run();
    for to in ["alice", "bob", "carol"] {
        net.say("mallory", to, accusation("bad_share", json!("bob"), "bob cheats"));
        net.say("mallory", to, wallet_created(SOME_KEY));
        net.relay("mallory", to, &accusation("key_mismatch", json!("bob"), "bob cheats"));
    }
    net.settle();
    net.done("s", &["alice", "bob", "carol"]);
}

/// A participant may leave, and a server may forge that; but not in the name of somebody who takes
/// no part.
#[test]
fn an_outsider_cannot_end_a_session() {
    let mut net = Net::new(&["alice", "bob", "carol"]);
    net.puppet("mallory");
    net.propose("alice", "s", &["alice", "bob", "carol"], 2);
    for _ in 0..40 {
        net.relay("mallory", "alice", &accusation("declined", Value::Null, "no"));
        net.relay("mallory", "bob", &accusation("bad_share", json!("carol"), "no"));
        net.steps(5);
    }
    net.settle();
    net.done("s", &["alice", "bob", "carol"]);
}
