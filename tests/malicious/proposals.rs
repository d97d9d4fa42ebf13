//! Proposals that break a rule: refused to their sender's face, and nothing comes of them.

use frostmesh::node::{Event, ReasonKind};
use serde_json::{Value, json};

use super::net::Net;

/// Mallory sends alice a bad proposal before, during and after a session of alice, bob and carol.
fn refused(change: impl Fn(&mut Value)) {
    let mut net = Net::new(&["alice", "bob", "carol"]);
    net.puppet("mallory");
    let mut tries = 0;
    let mut attack = |net: &mut Net| {
        tries += 1;
        let mut payload = json!({"session_id": "bad", "total": 3, "threshold": 2, "participants": ["alice", "bob", "mallory"]});
        change(&mut payload);
        let id = format!("bad-{tries}");
        payload["session_id"] = json!(id);
        net.seat("mallory").inbox.clear();
        net.relay(
            "mallory",
            "alice",
            &json!({"type": "session_proposal", "payload": payload}).to_string(),
        );
        while net.seat("mallory").inbox.is_empty() {
            assert!(net.step(), "alice did not answer");
        }
        let (from, answer) = &net.seat("mallory").inbox[0];
        assert_eq!((from.as_str(), &answer["type"]), ("alice", &json!("session_response")));
        assert_eq!(
            (&answer["payload"]["accepted"], &answer["payload"]["session_id"]),
            (&json!(false), &json!(id))
        );
        assert!(
            answer["payload"]["reason"].as_str().is_some_and(|text| !text.is_empty()),
            "it says why"
        );
        assert_eq!(net.phase("alice", &id), None, "no session was made");
        let refusals = net.events(
            "alice",
            |e| matches!(e, Event::Refused { peer_id, .. } if peer_id.as_str() == "mallory"),
        );
        assert_eq!(refusals.count(), tries);
    };
    attack(&mut net);
    net.propose("bob", "good", &["alice", "bob", "carol"], 2);
    attack(&mut net);
    net.run_until("round 2", |net| {
        net.events("alice", |e| matches!(e, Event::Round { round: 2, .. })).count() == 1
    });
    attack(&mut net);
    net.settle();
    attack(&mut net);
    net.done("good", &["alice", "bob", "carol"]);
    assert_eq!(net.seats["alice"].confirmed.len(), 1);
}

#[test]
fn a_proposal_that_lists_somebody_twice_is_refused() {
    refused(|p| p["participants"] = json!(["alice", "mallory", "mallory"]));
}

#[test]
fn a_proposal_that_lists_the_receiver_twice_is_refused() {
    refused(|p| p["participants"] = json!(["alice", "alice", "mallory"]));
}

#[test]
fn a_proposal_without_the_receiver_is_refused() {
    refused(|p| p["participants"] = json!(["bob", "carol", "mallory"]));
}

#[test]
fn a_proposal_without_its_initiator_is_refused() {
    refused(|p| p["participants"] = json!(["alice", "bob", "carol"]));
}

#[test]
fn a_proposal_with_threshold_0_is_refused() {
    refused(|p| p["threshold"] = json!(0));
}

#[test]
fn a_proposal_with_threshold_1_is_refused() {
    refused(|p| p["threshold"] = json!(1));
}

#[test]
fn a_proposal_with_a_threshold_above_the_total_is_refused() {
    refused(|p| p["threshold"] = json!(4));
}

#[test]
fn a_proposal_with_a_threshold_that_wraps_around_in_16_bits_is_refused() {
    refused(|p| p["threshold"] = json!(65_536 + 2));
}

#[test]
fn a_proposal_with_65_participants_is_refused() {
    let others = (0..63).map(|i| format!("peer{i:02}"));
    let participants: Vec<String> = others.chain(["alice".into(), "mallory".into()]).collect();
    refused(|p| {
        p["participants"] = json!(participants);
        p["total"] = json!(65);
    });
}

#[test]
fn a_proposal_of_one_participant_is_refused() {
    refused(|p| {
        p["participants"] = json!(["alice"]);
        p["total"] = json!(1);
    });
}

#[test]
fn a_proposal_of_nobody_is_refused() {
    refused(|p| {
        p["participants"] = json!([]);
        p["total"] = json!(0);
    });
}

#[test]
fn a_proposal_whose_total_is_not_the_number_of_its_participants_is_refused() {
    refused(|p| p["total"] = json!(2));
    refused(|p| p["total"] = json!(4));
    refused(|p| p["total"] = json!(65_536 + 3));
}

#[test]
fn a_proposal_with_ids_that_are_not_valid_is_refused() {
    let long = "x".repeat(65);
    for bad in ["", "bob smith", "b\u{f6}b", "bob\n", "../bob", long.as_str()] {
        refused(|p| p["participants"] = json!(["alice", bad, "mallory"]));
    }
}

#[test]
fn a_proposal_of_an_unknown_ciphersuite_is_refused() {
    for suite in ["FROST-ED25519-SHA512-v1", "frost-secp256k1-sha256-v1", ""] {
        refused(|p| p["ciphersuite"] = json!(suite));
    }
}

#[test]
fn a_proposal_for_verified_peers_only_is_refused() {
    refused(|p| p["allow_unverified"] = json!(false));
}

/// Relayed text that is no proposal at all has nobody to answer to, and blames nobody: the server
/// may have written it.
#[test]
fn proposals_that_are_no_messages_are_ignored() {
    let mut net = Net::new(&["alice", "bob", "carol"]);
    net.puppet("mallory");
    net.propose("bob", "good", &["alice", "bob", "carol"], 2);
    let many: Vec<String> = (0..10_000).map(|i| format!("p{i}")).collect();
    let bad = [
        json!({"type": "session_proposal"}),
        json!({"type": "session_proposal", "payload": 7}),
        json!({"type": "session_proposal", "payload": {"total": 2, "threshold": 2, "participants": ["alice", "mallory"]}}),
        json!({"type": "session_proposal", "payload":
            {"session_id": "n", "total": 2, "threshold": -2, "participants": ["alice", "mallory"]}}),
        json!({"type": "session_proposal", "payload":
            {"session_id": "n", "total": "2", "threshold": 2, "participants": ["alice", "mallory"]}}),
        json!({"type": "session_proposal", "payload":
            {"session_id": "n", "total": 2, "threshold": 2, "participants": "alice,mallory"}}),
        json!({"type": "session_proposal", "payload":
            {"session_id": "", "total": 2, "threshold": 2, "participants": ["alice", "mallory"]}}),
        json!({"type": "session_proposal", "payload":
            {"session_id": "\u{1b}[2J", "total": 2, "threshold": 2, "participants": ["alice", "mallory"]}}),
        json!({"type": "session_proposal", "payload":
            {"session_id": "n", "total": 10_000, "threshold": 2, "participants": many}}),
        json!([1, 2, 3]),
        json!(null),
    ];
    for data in &bad {
        net.relay("mallory", "alice", &data.to_string());
    }
    net.settle();
    assert_eq!(net.ignored("alice"), bad.len());
    assert_eq!(net.seats["alice"].node.as_ref().unwrap().view().sessions.len(), 1);
    net.done("good", &["alice", "bob", "carol"]);
}

#[test]
fn a_second_proposal_that_differs_from_the_first_names_its_sender() {
    let mut net = Net::new(&["alice", "bob"]);
    net.puppet("mallory");
    let proposal = |threshold: u16| {
        json!({"type": "session_proposal", "payload": {"session_id": "s", "total": 3, "threshold": threshold,
            "participants": ["alice", "bob", "mallory"]}})
        .to_string()
    };
    net.relay("mallory", "alice", &proposal(2));
    net.relay("mallory", "bob", &proposal(2));
    net.relay("mallory", "alice", &proposal(2)); // a repeat is harmless
    net.run();
    net.relay("mallory", "alice", &proposal(3));
    net.settle();
    net.blamed("s", &["alice"], ReasonKind::Conflict, "mallory");
}

/// Each sees one proposal only. Without signatures nobody can tell who equivocated, but no key
/// comes of it.
#[test]
fn different_proposals_to_different_participants_make_no_wallet() {
    let mut net = Net::new(&["alice", "bob"]);
    net.evil("mallory", |said| {
        if said.kind == "session_proposal" && said.to == "bob" {
            vec![said.with("threshold", 3)]
        } else {
            vec![said.text()]
        }
    });
    net.propose("mallory", "s", &["alice", "bob", "mallory"], 2);
    net.settle();
    for id in ["alice", "bob"] {
        assert_eq!(net.reason(id, "s").kind, ReasonKind::BadCommitment);
    }
}

#[test]
fn a_known_session_id_cannot_be_taken_by_another_peers_proposal() {
    for at in 0..120 {
        let mut net = Net::new(&["alice", "bob", "carol"]);
        net.puppet("mallory");
        net.propose("alice", "s", &["alice", "bob", "carol"], 2);
        net.run_until("bob knows it", |net| net.phase("bob", "s").is_some());
        net.steps(at);
        let roster = json!({"session_id": "s", "total": 2, "threshold": 2, "participants": ["bob", "mallory"]});
        net.relay(
            "mallory",
            "bob",
            &json!({"type": "session_proposal", "payload": roster}).to_string(),
        );
        net.settle();
        net.done("s", &["alice", "bob", "carol"]);
        let answers = &net.seats["mallory"].inbox;
        assert!(
            answers.iter().any(|(_, m)| m["payload"]["accepted"] == json!(false)),
            "{answers:?}"
        );
        assert!(!answers.iter().any(|(_, m)| m["type"] != "session_response"), "{answers:?}");
    }
}

/// Whoever names a session first has it. The one who comes later is told at once, and by whom it is
/// taken.
#[test]
fn a_session_id_that_another_peer_took_first_ends_the_later_session() {
    let mut net = Net::new(&["alice", "bob", "carol"]);
    net.puppet("mallory");
    let roster =
        json!({"session_id": "s", "total": 2, "threshold": 2, "participants": ["bob", "mallory"]});
    net.relay(
        "mallory",
        "bob",
        &json!({"type": "session_proposal", "payload": roster}).to_string(),
    );
    net.run();
    net.propose("alice", "s", &["alice", "bob", "carol"], 2);
    net.run();
    for id in ["alice", "carol"] {
        let reason = net.reason(id, "s");
        assert_eq!(reason.kind, ReasonKind::Conflict);
        assert!(reason.text.contains("mallory"), "{}", reason.text);
    }
    assert_eq!(net.reason("alice", "s").reported_by.unwrap().as_str(), "bob");
}
