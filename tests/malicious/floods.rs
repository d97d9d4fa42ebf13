//! Too much of everything: what is kept of it is bounded, and others go on undisturbed.

use frostmesh::node::{Command, Event, MAX_PROPOSALS_PER_PEER, MAX_SESSIONS, PhaseName};
use serde_json::json;

use super::attacked;
use super::net::Net;

const MANY: usize = 500;

fn proposal(session: &str, participants: &[&str]) -> String {
    json!({"type": "session_proposal", "payload": {"session_id": session, "total": participants.len(), "threshold": 2,
        "participants": participants}})
    .to_string()
}

fn in_round_1() -> Net {
    let mut net = attacked(|said| vec![said.text()]);
    net.run_until("round 1", |net| net.phase("alice", "s") == Some(PhaseName::Round1));
    net
}

fn sessions(net: &Net, id: &str) -> usize {
    net.seats[id].node.as_ref().unwrap().view().sessions.len()
}

#[test]
fn a_flood_of_early_messages_is_bounded() {
    let mut net = in_round_1();
    for i in 0..MANY {
        let payload = json!({"session_id": format!("no-{i}"), "data": "00".repeat(8 * 1024)});
        net.say("mallory", "alice", json!({"type": "commitment", "payload": payload}).to_string());
    }
    net.settle();
    assert!(
        net.ignored("alice") >= MANY - 64,
        "few were kept, the others counted: {}",
        net.ignored("alice")
    );
    net.done("s", &["alice", "bob", "mallory"]);
    net.propose("bob", "t", &["alice", "bob"], 2);
    net.settle();
    net.done("t", &["alice", "bob"]);
}

#[test]
fn a_flood_of_unknown_types_is_counted_and_ignored() {
    let mut net = in_round_1();
    let sent = net.seats["alice"].sent;
    for i in 0..MANY {
        net.say(
            "mallory",
            "alice",
            json!({"type": format!("type-{i}"), "payload": {"msg_id": i}}).to_string(),
        );
    }
    net.settle();
    assert_eq!(net.ignored("alice"), MANY);
    assert!(net.seats["alice"].sent - sent < 100, "and not answered");
    net.done("s", &["alice", "bob", "mallory"]);
}

#[test]
fn a_flood_of_proposals_of_one_peer_is_bounded_and_leaves_room_for_others() {
    let mut net = Net::new(&["alice", "bob"]);
    net.puppet("mallory");
    net.seat("alice").accepts = false;
    for i in 0..MANY {
        net.relay("mallory", "alice", &proposal(&format!("flood-{i}"), &["alice", "mallory"]));
    }
    net.run();
    assert_eq!(sessions(&net, "alice"), MAX_PROPOSALS_PER_PEER);
    let refused =
        net.seats["mallory"].inbox.iter().filter(|(_, m)| m["payload"]["accepted"] == json!(false));
    assert_eq!(refused.count(), MANY - MAX_PROPOSALS_PER_PEER);
    net.seat("alice").accepts = true;
    net.propose("bob", "good", &["alice", "bob"], 2);
    net.run();
    net.done("good", &["alice", "bob"]);
}

/// Names cost nothing: a crowd of them fills the list of undecided proposals, which stays bounded,
/// and disturbs nothing that runs.
#[test]
fn a_flood_of_proposals_of_many_peers_is_bounded() {
    let mut net = Net::new(&["alice", "bob", "carol"]);
    net.propose("bob", "good", &["alice", "bob", "carol"], 2);
    net.run_until("alice is in", |net| net.phase("alice", "good") == Some(PhaseName::Meshing));
    net.seat("alice").accepts = false;
    for i in 0..200 {
        let name = format!("sybil-{i}");
        net.puppet(&name);
        for j in 0..3 {
            net.relay(&name, "alice", &proposal(&format!("flood-{i}-{j}"), &["alice", &name]));
        }
    }
    net.run();
    assert_eq!(sessions(&net, "alice"), MAX_SESSIONS + 1);
    net.done("good", &["alice", "bob", "carol"]);
    net.settle(); // the deadline for decisions clears the list
    net.seat("alice").accepts = true;
    net.propose("bob", "again", &["alice", "bob", "carol"], 2);
    net.settle();
    net.done("again", &["alice", "bob", "carol"]);
}

#[test]
fn proposals_that_are_taken_back_at_once_leave_little_behind() {
    let mut net = Net::new(&["alice", "bob"]);
    net.puppet("mallory");
    net.propose("alice", "good", &["alice", "bob"], 2);
    net.run();
    net.seat("alice").accepts = false;
    for i in 0..MANY {
        let id = format!("flood-{i}");
        net.relay("mallory", "alice", &proposal(&id, &["alice", "mallory"]));
        let no =
            json!({"type": "session_response", "payload": {"session_id": id, "accepted": false}});
        net.relay("mallory", "alice", &no.to_string());
    }
    net.run();
    assert!(sessions(&net, "alice") <= MAX_SESSIONS, "{}", sessions(&net, "alice"));
    assert_eq!(
        net.phase("alice", "good"),
        Some(PhaseName::Done),
        "what was made here is not pushed out"
    );
    net.propose("bob", "bobs", &["alice", "bob"], 2);
    let accept = Command::Accept { session_id: "bobs".parse().unwrap(), allow_unverified: true };
    net.run();
    net.command("alice", accept).unwrap();
    net.settle();
    net.done("bobs", &["alice", "bob"]);
}

#[test]
fn a_flood_of_one_proposal_is_answered_to_its_sender_only() {
    let mut net = Net::new(&["alice", "bob", "carol"]);
    net.puppet("mallory");
    for _ in 0..MANY {
        net.relay("mallory", "alice", &proposal("flood", &["alice", "bob", "mallory"]));
    }
    net.run();
    assert!(net.seats["alice"].sent < MANY + 50, "{}", net.seats["alice"].sent);
    assert_eq!(
        net.seats["bob"].events.iter().filter(|e| matches!(e, Event::Proposed { .. })).count(),
        0
    );
    net.propose("bob", "good", &["alice", "bob", "carol"], 2);
    net.run();
    net.done("good", &["alice", "bob", "carol"]);
}

#[test]
fn a_flood_of_candidates_is_bounded() {
    // Mallory answers alice's offer, and sends candidates before and after.
    let mut net = Net::new(&["alice", "bob"]);
    net.evil("mallory", |said| {
        let candidate = |i| json!({"type": "ice-candidate", "candidate": format!("candidate:{i}"), "sdpMid": "0"});
        let mut texts = vec![said.text()];
        if said.kind == "answer" {
            texts.extend((0..MANY).map(|i| candidate(i).to_string()));
            texts.rotate_left(MANY / 2);
        }
        texts
    });
    net.propose("alice", "s", &["alice", "bob", "mallory"], 2);
    net.settle();
    let seat = &net.seats["alice"];
    assert!(
        seat.candidates <= 64 * seat.opened,
        "{} for {} connections",
        seat.candidates,
        seat.opened
    );
    net.done("s", &["alice", "bob", "mallory"]);
}

#[test]
fn a_candidate_or_description_that_is_too_long_is_ignored() {
    let mut net = attacked(|said| vec![said.text()]);
    for _ in 0..10 {
        let candidate = json!({"type": "ice-candidate", "candidate": "c".repeat(10_000)});
        net.relay("mallory", "alice", &candidate.to_string());
        net.relay(
            "mallory",
            "alice",
            &json!({"type": "answer", "sdp": "s".repeat(100_000)}).to_string(),
        );
        net.relay(
            "alice",
            "mallory",
            &json!({"type": "offer", "sdp": "s".repeat(100_000)}).to_string(),
        );
        net.steps(4);
    }
    net.settle();
    assert_eq!(net.ignored("alice"), 20);
    assert_eq!(net.seats["alice"].candidates, 0);
    net.done("s", &["alice", "bob", "mallory"]);
}

/// Each offer replaces the connection before it, of which there is one at a time (the harness
/// looks).
#[test]
fn a_flood_of_offers_disturbs_nobody_else() {
    let mut net = Net::new(&["alice", "bob", "carol"]);
    net.puppet("aaron"); // offers to all
    net.propose("bob", "good", &["alice", "bob", "carol"], 2);
    net.relay("aaron", "alice", &proposal("s", &["aaron", "alice"]));
    for _ in 0..MANY {
        net.offer("aaron", "alice");
        net.steps(3);
    }
    net.settle();
    net.done("good", &["alice", "bob", "carol"]);
    net.no_wallet("alice", "s");
}

#[test]
fn a_crowd_of_strangers_disturbs_nobody() {
    let mut net = Net::new(&["alice", "bob", "carol"]);
    let crowd = |net: &mut Net, round: usize| {
        for i in 0..MANY {
            let (name, to) = (format!("stranger-{round}-{i}"), ["alice", "bob", "carol"][i % 3]);
            net.relay(&name, to, &json!({"type": "offer", "sdp": "v=0"}).to_string());
            net.relay(&name, to, &json!({"type": "answer", "sdp": "v=0"}).to_string());
            net.relay(&name, to, &json!({"type": "ice-candidate", "candidate": "c"}).to_string());
            let no = json!({"type": "session_response", "payload": {"session_id": "s", "accepted": false}});
            net.relay(&name, to, &no.to_string());
        }
    };
    crowd(&mut net, 0);
    net.propose("alice", "s", &["alice", "bob", "carol"], 2);
    for round in 1..6 {
        net.steps(25);
        crowd(&mut net, round);
    }
    net.settle();
    net.done("s", &["alice", "bob", "carol"]);
    let opened: usize = net.seats.values().map(|s| s.opened).sum();
    assert_eq!(opened, 6, "no connection was opened to a stranger");
}

/// "I am still waiting" makes a node repeat itself, which must not multiply what is sent.
#[test]
fn a_flood_of_questions_is_answered_seldom() {
    let mut net = in_round_1();
    net.hold =
        Some(Box::new(|from, to, kind| from == "bob" && to == "alice" && kind == "commitment"));
    let sent = net.seats["alice"].sent;
    for _ in 0..MANY {
        let waiting =
            json!({"type": "session_response", "payload": {"session_id": "s", "accepted": true}});
        net.say("mallory", "alice", waiting.to_string());
        net.relay("mallory", "alice", &waiting.to_string());
    }
    net.run();
    assert!(net.seats["alice"].sent - sent < 50, "{}", net.seats["alice"].sent - sent);
    net.release();
    net.settle();
    net.done("s", &["alice", "bob", "mallory"]);
    // The same after the end.
    let sent = net.seats["alice"].sent;
    for _ in 0..MANY {
        let waiting =
            json!({"type": "session_response", "payload": {"session_id": "s", "accepted": true}});
        net.relay("mallory", "alice", &waiting.to_string());
    }
    net.run();
    assert!(net.seats["alice"].sent - sent < 50, "{}", net.seats["alice"].sent - sent);
}

#[test]
fn a_flood_of_acknowledgements_is_not_answered() {
    let mut net = in_round_1();
    let sent = net.seats["alice"].sent;
    for i in 0..MANY {
        net.say("mallory", "alice", json!({"type": "ack", "payload": {"msg_id": i}}).to_string());
        net.relay(
            "mallory",
            "alice",
            &json!({"type": "ack", "payload": {"msg_id": i}}).to_string(),
        );
    }
    net.settle();
    assert!(net.seats["alice"].sent - sent < 50, "{}", net.seats["alice"].sent - sent);
    net.done("s", &["alice", "bob", "mallory"]);
}

#[test]
fn message_ids_of_any_kind_and_size_are_harmless() {
    let mut i = 0;
    let mut net = attacked(move |said| {
        i += 1;
        let id = [
            json!(i),
            json!("x".repeat(50_000)),
            json!({"a": [1]}),
            json!([[]]),
            json!(null),
            json!(1e300),
        ];
        if said.json["payload"].is_null() {
            vec![said.text()]
        } else {
            vec![said.with("msg_id", id[i % 6].clone())]
        }
    });
    net.settle();
    net.done("s", &["alice", "bob", "mallory"]);
}
