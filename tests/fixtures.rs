//! What earlier builds kept still opens, still signs, and its audit trails go on: data folders of
//! the command line, and what a browser kept, laid out as one. Each folder of `tests/fixtures` was
//! made by the build of one commit; its README.md tells how.
//!
//! What is asked here is asked on the command line alone, since that stays as it is when the inside
//! changes.
#![cfg(unix)]
// Helpers of tests are outside of test functions, where clippy.toml allows these.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "fixtures/kept.rs"]
mod kept;
#[path = "fixtures/program.rs"]
mod program;

use kept::{Fixture, Member};
use program::{Running, is};
use serde_json::{Value, json};

/// Checks that something is told as it was, apart from fields that have come since.
fn is_told(now: &Value, then: &Value, what: &str) {
    match (now, then) {
        (Value::Object(now), Value::Object(then)) => {
            for (name, value) in then {
                is_told(now.get(name).unwrap_or(&Value::Null), value, &format!("{what}, {name}"));
            }
        }
        (Value::Array(now), Value::Array(then)) => {
            assert_eq!(now.len(), then.len(), "{what}: {now:#?}");
            now.iter()
                .zip(then)
                .enumerate()
                .for_each(|(i, (now, then))| is_told(now, then, &format!("{what}, {i}")));
        }
        _ => assert_eq!(now, then, "{what}"),
    }
}

/// Everything that can be asked of a folder without a server.
fn opens(name: &str) {
    for fixture in Fixture::all() {
        let member = fixture.member(name);
        let then = &fixture.expected[name];
        let told = |words: &[&str]| json!(member.tells(words));
        is_told(&told(&["identity"])[0], &then["identity"], "identity");
        is_told(&told(&["contacts", "list"]), &then["contacts"], "contacts");
        is_told(&told(&["evidence", "list"]), &then["evidence"], "evidence");
        is_told(&told(&["wallets", "list"]), &then["wallets"], "wallets");
        let wallets = then["wallets"].as_array().unwrap();
        for wallet in wallets {
            let pubkey = wallet["pubkey"].as_str().unwrap();
            let shown = &told(&["wallets", "show", &pubkey[..12]])[0];
            is_told(shown, wallet, "a wallet");
            if let Some(kinds) = then["logs"].get(pubkey) {
                assert_eq!(shown["ready"], true, "every member has signed a test with {pubkey}");
                let verified = &told(&["wallets", "verify", pubkey])[0];
                assert_eq!(verified["participants"].as_array().unwrap().len(), 3, "{verified}");
                is_told(&json!(member.log(pubkey)), kinds, "the log");
                let entries: u64 =
                    kinds.as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
                assert_eq!(told(&["log", "verify", pubkey])[0]["entries"], entries);
            }
        }
        requests_are_known(&fixture, &member);
        member.has_what_it_had(&[""]);
    }
}

fn requests_are_known(fixture: &Fixture, member: &Member) {
    let mut then = fixture.expected["requests"].clone();
    let now = member.tells(&["requests", "--all", "--offline"]);
    for (then, now) in then.as_array_mut().unwrap().iter_mut().zip(&now) {
        if then["state"] != "signed" {
            // How far it is, the clock says: what was not signed in time has ended.
            let clocks =
                ["state", "needs_decision"].map(|name| then.as_object_mut().unwrap().remove(name));
            let possible = [clocks[0].as_ref().and_then(Value::as_str).unwrap(), "expired", "open"];
            assert!(possible.contains(&now["state"].as_str().unwrap()), "{now}");
        }
    }
    is_told(&json!(now), &then, "requests");
}

#[test]
fn a_folder_of_one_who_coordinates_opens_and_tells_what_it_told() {
    opens("alice");
}

#[test]
fn a_folder_of_one_who_has_a_policy_opens_and_tells_what_it_told() {
    opens("bob");
}

#[test]
fn what_a_browser_kept_opens_as_a_folder_and_tells_what_it_told() {
    opens("carol");
}

#[test]
fn all_kinds_of_entries_and_of_content_and_both_suites_are_there() {
    for Fixture { expected, .. } in Fixture::all() {
        for (name, kinds) in ["alice", "bob", "carol"].map(|name| (name, &expected[name]["logs"])) {
            for log in kinds.as_object().unwrap().values() {
                let all = [
                    "opened", "request", "vote", "decision", "commit", "signed", "aborted",
                    "checked", "ready",
                ];
                for kind in all.iter().filter(|kind| **kind != "decision" || name != "carol") {
                    assert!(log[kind].as_u64() > Some(0), "no {kind} in a log of {name}: {log}");
                }
            }
            assert_eq!(kinds.as_object().unwrap().len(), 2);
        }
        let requests = expected["requests"].as_array().unwrap();
        for kind in ["text", "file", "nostr-event", "hash"] {
            assert!(
                requests
                    .iter()
                    .any(|request| request["kind"] == kind && request["state"] == "signed"),
                "{kind}"
            );
        }
        let wallets = expected["alice"]["wallets"].as_array().unwrap();
        assert!(
            wallets.iter().any(|wallet| wallet["status"] == "unconfirmed"),
            "a key that was never confirmed"
        );
        for suite in ["FROST-secp256k1-SHA256-v1", "FROST-secp256k1-SHA256-TR-v1"] {
            let of_all = |wallet: &&Value| wallet["ciphersuite"] == suite && wallet["total"] == 3;
            assert!(wallets.iter().any(|wallet| of_all(&wallet)), "{suite}");
        }
    }
}

#[test]
fn signatures_that_were_made_then_are_still_valid() {
    for fixture in Fixture::all() {
        for request in fixture.expected["requests"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|r| r["state"] == "signed")
        {
            let text = |name: &str| request[name].as_str().unwrap();
            let suite = fixture.suite_of(text("pubkey"));
            program::verifies(
                suite,
                text("pubkey"),
                text("signature"),
                &["--hash", text("digest")],
            );
        }
    }
}

#[test]
fn an_unconfirmed_key_signs_nothing() {
    for fixture in Fixture::all() {
        let alice = fixture.member("alice");
        let wallets = fixture.expected["alice"]["wallets"].as_array().unwrap();
        let unconfirmed = wallets.iter().find(|wallet| wallet["status"] == "unconfirmed").unwrap();
        let sign = ["sign", "--wallet", unconfirmed["pubkey"].as_str().unwrap(), "--text", "no"];
        let (code, _, complaint) = alice.run(&sign);
        assert_eq!(code, 6, "{complaint}");
    }
}

#[test]
fn the_server_that_was_used_last_is_remembered() {
    for fixture in Fixture::all() {
        let url = fixture.expected["server"].as_str().unwrap();
        let address = url.trim_start_matches("ws://").trim_end_matches('/');
        if std::net::TcpListener::bind(address).is_err() {
            continue; // somebody else is there now
        }
        let (code, _, complaint) = fixture.member("alice").run(&["requests", "--all"]);
        assert_eq!(code, 0, "{complaint}");
        assert!(complaint.contains(url), "it was asked, and is not there: {complaint}");
    }
}

/// Two members sign once more with each of their wallets; each asks once, and a policy, a person at
/// a running node, and a person with a command of its own approve. Their logs go on where they
/// ended.
#[test]
fn members_sign_with_both_suites_and_their_logs_go_on() {
    for fixture in Fixture::all() {
        let (alice, bob) = (fixture.member("alice"), fixture.member("bob"));
        let wallets: Vec<&String> =
            fixture.expected["alice"]["logs"].as_object().unwrap().keys().collect();
        let [one, other] = wallets[..] else { panic!("two wallets: {wallets:?}") };
        let (server, url) = program::serve();
        let policy = bob.file(
            "policy.toml",
            "[[rule]]\nname = \"later\"\ndecision = \"approve\"\nkinds = [\"hash\"]\n",
        );
        let mut node = bob.start(&["node", "--server", &url, "--policy", &policy, "-v"]);
        node.until(is("registered", &[]));

        for (kind, content) in [("--text", "after all this time"), ("--hash", &"cd".repeat(32))] {
            let mut asking =
                alice.start(&["sign", "--wallet", one, kind, content, "--server", &url]);
            if kind == "--text" {
                let request = node.until(is("requested", &[("peer_id", "alice")]));
                bob.tells(&["approve", request["request"].as_str().unwrap()]);
            }
            is_signed(&mut asking, &mut node, &[kind, content]);
        }
        // The server is remembered from now on.
        let mut asking = bob.start(&["sign", "--wallet", other, "--text", "the other one, too"]);
        let request = node.until(is("requested", &[("peer_id", "bob")]));
        let mut approving = alice.start(&["approve", request["request"].as_str().unwrap()]);
        is_signed(&mut asking, &mut node, &["--text", "the other one, too"]);
        approving.until(is("signature", &[]));
        assert_eq!(approving.ends(), 0);
        node.terminate();
        drop(server);

        for member in [&alice, &bob] {
            for (pubkey, signed, decided) in [(one, 2, 1), (other, 1, 0)] {
                let then = &fixture.expected[member.name.as_str()]["logs"][pubkey];
                let now = member.log(pubkey);
                let more = |kind: &str| now[kind] - then[kind].as_u64().unwrap();
                assert_eq!(
                    (more("request"), more("signed")),
                    (signed, signed),
                    "{}: {now:?}",
                    member.name
                );
                assert!(
                    more("vote") >= 2 * signed && more("commit") >= signed,
                    "{}: {now:?}",
                    member.name
                );
                assert_eq!(more("decision"), if member.name == "bob" { decided } else { 0 });
                assert_eq!(more("opened"), 0, "it is the same log");
                let entries: u64 = now.values().sum();
                assert_eq!(
                    member.tells(&["log", "verify", pubkey])[0]["entries"],
                    entries,
                    "{}",
                    member.name
                );
            }
            member.has_what_it_had(&["trail", "wallets", "unconfirmed", "identity", "keystore"]);
        }
    }
}

/// Waits until a request of the command that asks is signed, and known as that to the node of the
/// other.
fn is_signed(asking: &mut Running, node: &mut Running, content: &[&str]) {
    let signature = asking.until(is("signature", &[]));
    assert_eq!(asking.ends(), 0);
    let text = |name: &str| signature[name].as_str().unwrap();
    program::verifies(text("suite"), text("pubkey"), text("signature"), content);
    assert_eq!(signature["signers"], json!(["alice", "bob"]));
    node.until(is("signature", &[("request", text("request"))]));
}
