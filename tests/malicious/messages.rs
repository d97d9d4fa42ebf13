//! Messages that are none, that come at the wrong time, by the wrong way, or from the wrong peer.

use std::cell::RefCell;
use std::rc::Rc;

use frostmesh::node::{Event, PhaseName, ReasonKind};
use serde_json::json;

use super::equivocation::{SOME_KEY, wallet_created};
use super::net::{Net, Said};
use super::{attacked, rewriting, without_farewell};

pub const STEPS: [&str; 5] = ["mesh_ready", "commitment", "ready", "share", "wallet_created"];

/// No messages of the protocol, each in its own way.
fn garbage() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        " ",
        "{",
        "null",
        "7",
        "\"share\"",
        "[]",
        "{}",
        "\u{0}\u{1}\u{2}\u{fffd}\u{fffd}\u{7f}",
        r#"{"type":"commitment"}"#,
        r#"{"type":"commitment","payload":null}"#,
        r#"{"type":"commitment","payload":[]}"#,
        r#"{"type":"commitment","payload":{"session_id":"s"}}"#,
        r#"{"type":"commitment","payload":{"session_id":"s","data":"00"}"#,
        r#"{"type":"commitment","payload":{"session_id":"s","data":"00"}}}"#,
        r#"{"type":"commitment","type":"commitment","payload":{"session_id":"s","data":"00"}}"#,
        r#"{"type":"commitment","payload":{"session_id":"s","data":"00","data":"01"}}"#,
        r#"{"type":"commitment","payload":{"session_id":7,"data":"00"}}"#,
        r#"{"type":"commitment","payload":{"session_id":"","data":"00"}}"#,
        r#"{"type":"mesh_ready","payload":{"session_id":"a\u0000b"}}"#,
        r#"{"type":"mesh_ready","payload":{"session_id":"\ud800"}}"#,
        r#"{"type":7,"payload":{}}"#,
        r#"{"payload":{"session_id":"s"}}"#,
        r#"{"type":"session_response","payload":{"session_id":"s"}}"#,
        r#"{"type":"session_response","payload":{"session_id":"s","accepted":"no"}}"#,
        r#"{"type":"channel_open","payload":{}}"#,
        r#"{"type":"channel_open","payload":{"peer_id":"not a peer id"}}"#,
        r#"{"type":"wallet_created","payload":{"session_id":"s"}}"#,
        r#"{"type":"session_proposal","payload":{"session_id":"t","total":2,"threshold":-1,"participants":[]}}"#,
    ]
    .map(str::to_owned)
    .into();
    texts.push("[".repeat(60_000));
    texts.push(format!(
        r#"{{"type":"commitment","payload":{}}}"#,
        "[".repeat(30_000) + &"]".repeat(30_000)
    ));
    texts.push(format!(
        r#"{{"type":"mesh_ready","payload":{{"session_id":"{}"}}}}"#,
        "s".repeat(129)
    ));
    texts.push(format!(
        r#"{{"type":"mesh_ready","payload":{{"session_id":"s","x":"{}"}}}}"#,
        "x".repeat(64 * 1024)
    ));
    texts.push("x".repeat(5_000_000));
    texts
}

#[test]
fn text_that_is_no_message_names_its_sender() {
    for (i, text) in garbage().into_iter().enumerate() {
        let phase = [PhaseName::Round1, PhaseName::Round2][i % 2];
        let mut net = attacked(|said| vec![said.text()]);
        net.run_until("it runs", |net| net.phase("alice", "s") == Some(phase));
        net.say("mallory", "alice", text);
        net.settle();
        net.blamed("s", &["alice"], ReasonKind::BadMessage, "mallory");
    }
}

/// What comes by relay may be of the server's making: it is counted, and ends nothing.
#[test]
fn relayed_text_that_is_no_message_is_ignored() {
    let mut net = attacked(|said| vec![said.text()]);
    let texts: Vec<String> = garbage().into_iter().filter(|t| t.len() < 200_000).collect();
    let texts: Vec<String> = texts
        .into_iter()
        .filter(|t| serde_json::from_str::<Box<serde_json::value::RawValue>>(t).is_ok())
        .collect();
    for text in &texts {
        net.relay("mallory", "alice", text);
        net.steps(3);
    }
    net.settle();
    assert_eq!(net.ignored("alice"), texts.len());
    net.done("s", &["alice", "bob", "mallory"]);
}

#[test]
fn nonsense_of_the_server_is_ignored() {
    let mut net = attacked(|said| vec![said.text()]);
    let mut texts = garbage();
    texts.extend([
        r#"{"type":"relay","from":"not a peer id","data":{}}"#.to_owned(),
        r#"{"type":"relay","from":"bob"}"#.to_owned(),
        r#"{"type":"peers","peers":7}"#.to_owned(),
        r#"{"type":"welcome"}"#.to_owned(),
        r#"{"type":"error","error":"who knows","code":"on_fire"}"#.to_owned(),
        "x".repeat(2_000_000),
    ]);
    for text in texts {
        net.hand_frame("alice", text);
        net.steps(3);
    }
    net.settle();
    net.done("s", &["alice", "bob", "mallory"]);
}

#[test]
fn garbage_in_one_session_leaves_the_others_alone() {
    let mut net = attacked(|said| vec![said.text()]);
    net.run_until("round 1", |net| net.phase("alice", "s") == Some(PhaseName::Round1));
    net.say("mallory", "alice", "garbage");
    net.propose("bob", "t", &["alice", "bob"], 2);
    net.settle();
    net.blamed("s", &["alice"], ReasonKind::BadMessage, "mallory");
    net.done("t", &["alice", "bob"]);
}

#[test]
fn another_name_in_channel_open_names_its_sender() {
    for name in ["bob", "alice", "zed"] {
        let mut net =
            attacked(rewriting("channel_open", move |said| vec![said.with("peer_id", name)]));
        net.settle();
        net.blamed("s", &[], ReasonKind::BadMessage, "mallory");
    }
}

// ---- out of order, again, unknown: harmless ----

#[test]
fn steps_in_the_wrong_order_are_harmless() {
    let mut waiting: Vec<(String, String)> = Vec::new();
    let mut net = attacked(move |said: &Said| match said.kind.as_str() {
        "mesh_ready" | "ready" => {
            waiting.push((said.to.clone(), said.text()));
            Vec::new()
        }
        "commitment" | "share" => {
            let at = waiting.iter().position(|(to, _)| *to == said.to).expect("the step before");
            vec![said.text(), waiting.remove(at).1]
        }
        _ => vec![said.text()],
    });
    net.settle();
    net.done("s", &["alice", "bob", "mallory"]);
}

#[test]
fn everything_twice_is_harmless() {
    let mut net =
        attacked(
            |said| {
                if said.json["sdp"].is_null() { vec![said.text(); 2] } else { vec![said.text()] }
            },
        );
    net.settle();
    net.done("s", &["alice", "bob", "mallory"]);
}

#[test]
fn everything_again_with_every_message_is_harmless() {
    let mut said_so_far: Vec<(String, String)> = Vec::new();
    let mut net = attacked(move |said| {
        if said.relay {
            return vec![said.text()];
        }
        said_so_far.push((said.to.clone(), said.text()));
        said_so_far
            .iter()
            .rev()
            .filter(|(to, _)| *to == said.to)
            .map(|(_, text)| text.clone())
            .collect()
    });
    net.settle();
    net.done("s", &["alice", "bob", "mallory"]);
}

#[test]
fn messages_of_unknown_sessions_and_unknown_types_are_harmless() {
    let mut net = attacked(|said| {
        let mut texts = vec![said.text()];
        if !said.relay {
            texts.push(said.with("session_id", "no-such-session"));
            texts.push(
                json!({"type": "dance", "payload": {"session_id": "s", "style": "tango"}})
                    .to_string(),
            );
            texts.push(json!({"type": "ack", "payload": {"session_id": "s"}}).to_string());
            texts.push(
                json!({"type": "ack", "payload": {"session_id": "s", "msg_id": 7}}).to_string(),
            );
        }
        texts
    });
    net.settle();
    net.done("s", &["alice", "bob", "mallory"]);
    assert!(net.ignored("alice") > 0, "and counted");
}

/// What mallory sent to alice alone for a session that she learns of only later is judged then.
#[test]
fn a_bad_commitment_that_came_before_its_proposal_names_its_sender() {
    let mut net = attacked(|said| vec![said.text()]);
    net.run_until("round 1", |net| net.phase("alice", "s") == Some(PhaseName::Round1));
    net.say(
        "mallory",
        "alice",
        r#"{"type":"commitment","payload":{"session_id":"t","data":"00"}}"#,
    );
    net.settle();
    net.done("s", &["alice", "bob", "mallory"]);
    net.propose("bob", "t", &["alice", "bob", "mallory"], 2);
    net.settle();
    net.blamed("t", &["alice"], ReasonKind::BadCommitment, "mallory");
}

// ---- the wrong way, the wrong peer ----

/// The server can write what it likes in anyone's name: steps count on a channel only.
#[test]
fn ceremony_steps_that_the_server_forges_do_not_count() {
    let forged = [
        json!({"type": "mesh_ready", "payload": {"session_id": "s"}}).to_string(),
        json!({"type": "commitment", "payload": {"session_id": "s", "data": "00"}}).to_string(),
        json!({"type": "ready", "payload": {"session_id": "s"}}).to_string(),
        json!({"type": "share", "payload": {"session_id": "s", "data": "00"}}).to_string(),
        json!({"type": "channel_open", "payload": {"peer_id": "zed"}}).to_string(),
        wallet_created(SOME_KEY),
    ];
    let mut net = attacked(|said| vec![said.text()]);
    for _ in 0..30 {
        for text in &forged {
            net.relay("bob", "alice", text);
            net.relay("alice", "bob", text);
            net.relay("alice", "alice", text); // not even in one's own name
        }
        net.steps(24);
    }
    net.settle();
    net.done("s", &["alice", "bob", "mallory"]);
}

#[test]
fn a_step_that_comes_by_relay_only_is_missed_at_the_deadline() {
    for step in STEPS {
        let said_by_mallory: Rc<RefCell<Vec<(String, String)>>> = Rc::default();
        let texts = said_by_mallory.clone();
        let mut net = attacked(without_farewell(rewriting(step, move |said| {
            texts.borrow_mut().push((said.to.clone(), said.text()));
            Vec::new()
        })));
        net.run();
        for (to, text) in said_by_mallory.borrow().iter() {
            net.relay("mallory", to, text);
        }
        net.settle();
        // Mallory has all that it needs by the last step, and closes its channels before the
        // deadline.
        let kind =
            if step == "wallet_created" { ReasonKind::PeerLost } else { ReasonKind::TimedOut };
        net.blamed("s", &[], kind, "mallory");
    }
}

/// Mallory has a channel to alice and bob, for a session of its own, and talks of theirs.
#[test]
fn steps_of_somebody_who_takes_no_part_are_ignored() {
    let mut net = Net::new(&["alice", "bob", "carol"]);
    net.evil("mallory", |said| {
        let strange = STEPS.iter().map(|step| {
            json!({"type": step, "payload": {"session_id": "good", "data": "00", "pubkey": SOME_KEY}}).to_string()
        });
        let leave = json!({"type": "session_response", "payload": {"session_id": "good", "accepted": false}});
        let both = strange.chain([leave.to_string(), said.text()]);
        if said.relay { vec![said.text()] } else { both.collect() }
    });
    net.propose("alice", "good", &["alice", "bob", "carol"], 2);
    net.propose("mallory", "s", &["alice", "bob", "mallory"], 2);
    net.settle();
    net.done("good", &["alice", "bob", "carol"]);
    net.done("s", &["alice", "bob", "mallory"]);
    let belongs = |e: &Event| matches!(e, Event::Ignored { peer_id: Some(id), .. } if id.as_str() == "mallory");
    assert!(net.events("alice", belongs).count() >= 6);
}
