//! Vectors of the wire: every message of docs/PROTOCOL.md, sections 1 and 2, and the bytes of the
//! FROST packages.
//!
//! `vectors/messages.json` is written by hand from the document. A change of a vector is a change
//! of the protocol.
#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "wire/document.rs"]
mod document;
#[path = "wire/edges.rs"]
mod edges;

use std::collections::BTreeMap;

use frostmesh::frost::Suite;
use frostmesh::wire::{
    Cause, ClientMessage, ErrorCode, IceCandidate, MAX_FRAME, MAX_PEER_MESSAGE, PeerId,
    PeerMessage, Proof, Proposal, RelayData, Sealed, ServerMessage, SessionId, WireError,
};
use proptest::prelude::{any, proptest};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use zeroize::Zeroizing;

fn vectors(group: &str) -> BTreeMap<String, Value> {
    let all: Value = serde_json::from_str(include_str!("vectors/messages.json")).unwrap();
    all[group].as_object().unwrap().clone().into_iter().collect()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn peer(id: &str) -> PeerId {
    id.parse().unwrap()
}

fn session() -> Option<SessionId> {
    Some("s1".parse().unwrap())
}

fn peer_messages() -> BTreeMap<&'static str, PeerMessage> {
    let proposal = |total, participants: &[&str]| Proposal {
        session_id: "s1".parse().unwrap(),
        total,
        threshold: 2,
        participants: participants.iter().map(ToString::to_string).collect(),
        ciphersuite: None,
        allow_unverified: None,
        protocol: None,
        name: None,
        nonce: None,
    };
    let extended = Proposal {
        ciphersuite: Some("FROST-secp256k1-SHA256-v1".to_owned()),
        allow_unverified: Some(true),
        ..proposal(2, &["a", "b"])
    };
    let response = |accepted, reason: Option<&str>, cause| PeerMessage::SessionResponse {
        session_id: session(),
        accepted,
        reason: reason.map(str::to_owned),
        cause,
        protocol: None,
    };
    let cause = Cause { kind: "bad_share".to_owned(), culprit: Some("cli2".to_owned()) };
    let package = vec![0x00, 0xee, 0xd6, 0xb1, 0xb1];
    let share = |session_id| PeerMessage::Round2Package {
        session_id,
        data: Zeroizing::new([&package[..], &[0xff]].concat()),
    };
    BTreeMap::from([
        ("session_proposal", PeerMessage::SessionProposal(proposal(3, &["cli2", "cli1", "ext"]))),
        ("session_proposal_extended", PeerMessage::SessionProposal(extended)),
        ("session_response_accepted", response(true, None, None)),
        ("session_response_declined", response(false, Some("not today"), None)),
        (
            "session_response_with_cause",
            response(false, Some("cli2 sent a share that cannot be used"), Some(cause)),
        ),
        ("channel_open", PeerMessage::ChannelOpen { peer_id: peer("cli1"), protocol: None }),
        ("mesh_ready", PeerMessage::MeshReady { session_id: session(), proof: None }),
        (
            "commitment",
            PeerMessage::Round1Package {
                session_id: session(),
                data: package.clone(),
                proof: None,
            },
        ),
        (
            "commitment_without_session",
            PeerMessage::Round1Package { session_id: None, data: package.clone(), proof: None },
        ),
        ("ready", PeerMessage::Ready { session_id: session(), proof: None }),
        ("share", share(session())),
        ("share_without_session", share(None)),
        (
            "wallet_created",
            PeerMessage::WalletCreated {
                session_id: session(),
                pubkey: "02ab".to_owned(),
                proof: None,
            },
        ),
        ("ack", PeerMessage::Ack { msg_id: "\"m-7\"".to_owned() }),
        ("ack_of_a_number", PeerMessage::Ack { msg_id: "7".to_owned() }),
    ])
}

#[test]
fn every_peer_message_is_read_and_written_as_the_text_says() {
    let mut expected = peer_messages();
    for (name, vector) in vectors("peer") {
        let message =
            expected.remove(name.as_str()).unwrap_or_else(|| panic!("no value for {name}"));
        let (read, _) = PeerMessage::parse(&vector.to_string()).unwrap();
        assert!(read == message, "{name} was read as something else");
        assert_eq!(json(message.to_text().as_str()), vector, "{name}");
    }
    assert!(expected.is_empty(), "no vectors for {:?}", expected.keys());
}

#[test]
fn messages_keep_their_bytes() {
    let session_id = session();
    let data = vec![0x0a; 2];
    let signature = Some([7; 64]);
    let proof = Some(Box::new(Proof { signature, ..Proof::default() }));
    let proof_text = format!(r#""proof":{{"signature":"{}"}}"#, "07".repeat(64));
    let nonce = "05".repeat(32);
    let frame = Sealed { number: 3, acknowledges: true, data: data.clone() };
    for (message, expected) in [
        (
            PeerMessage::SessionProposal(Proposal {
                session_id: "s1".parse().unwrap(),
                total: 2,
                threshold: 2,
                participants: vec!["a".to_owned(), "b".to_owned()],
                ciphersuite: Some("x".to_owned()),
                allow_unverified: Some(false),
                protocol: Some(1),
                name: Some("n \"".to_owned()),
                nonce: Some([5; 32]),
            }),
            format!(
                r#"{{"type":"session_proposal","payload":{{"session_id":"s1","total":2,"threshold":2,"participants":["a","b"],"ciphersuite":"x","allow_unverified":false,"protocol":1,"name":"n \"","nonce":"{nonce}"}}}}"#
            ),
        ),
        (
            PeerMessage::SessionResponse {
                session_id: session_id.clone(),
                accepted: false,
                reason: Some("r".to_owned()),
                cause: Some(Cause { kind: "k".to_owned(), culprit: None }),
                protocol: Some(1),
            },
            r#"{"type":"session_response","payload":{"session_id":"s1","accepted":false,"reason":"r","cause":{"kind":"k"},"protocol":1}}"#.to_owned(),
        ),
        (
            PeerMessage::ChannelOpen { peer_id: peer("a"), protocol: Some(1) },
            r#"{"type":"channel_open","payload":{"peer_id":"a","protocol":1}}"#.to_owned(),
        ),
        (
            PeerMessage::Round1Package {
                session_id: session_id.clone(),
                data: data.clone(),
                proof: proof.clone(),
            },
            format!(
                r#"{{"type":"commitment","payload":{{"session_id":"s1",{proof_text},"data":"0a0a"}}}}"#
            ),
        ),
        (
            PeerMessage::WalletCreated {
                session_id: session_id.clone(),
                pubkey: "02ab".to_owned(),
                proof,
            },
            format!(
                r#"{{"type":"wallet_created","payload":{{"session_id":"s1",{proof_text},"pubkey":"02ab"}}}}"#
            ),
        ),
        (
            PeerMessage::Frame { session_id: session_id.clone(), frame },
            r#"{"type":"frame","payload":{"session_id":"s1","number":3,"acknowledges":true,"data":"0a0a"}}"#.to_owned(),
        ),
        (
            PeerMessage::Handshake { session_id, data },
            r#"{"type":"link","payload":{"session_id":"s1","data":"0a0a"}}"#.to_owned(),
        ),
    ] {
        assert_eq!(message.to_text().as_str(), expected);
        assert!(PeerMessage::parse(&expected).unwrap().0 == message, "{expected}");
    }
    let candidate =
        IceCandidate { candidate: "c".to_owned(), sdp_mid: None, sdp_m_line_index: Some(0) };
    assert_eq!(
        RelayData::IceCandidate { candidate, attempt: Some(2) }.to_raw().get(),
        r#"{"type":"ice-candidate","candidate":"c","sdpMid":null,"sdpMLineIndex":0,"attempt":2}"#
    );
    let register =
        ClientMessage::Register { peer_id: peer("a"), protocol: Some(1), claim: Some([5; 32]) };
    assert_eq!(
        register.to_json(),
        format!(r#"{{"type":"register","peer_id":"a","protocol":1,"claim":"{nonce}"}}"#)
    );
    let error = ServerMessage::Error {
        error: "no".to_owned(),
        code: Some(ErrorCode::TargetOffline),
        peer_id: Some(peer("a")),
    };
    assert_eq!(
        error.to_json(),
        r#"{"type":"error","peer_id":"a","error":"no","code":"target_offline"}"#
    );
}

#[test]
fn what_is_relayed_is_read_and_written_as_the_text_says() {
    let candidate = |line: &str| RelayData::IceCandidate {
        candidate: IceCandidate {
            candidate: line.to_owned(),
            sdp_mid: Some("0".to_owned()),
            sdp_m_line_index: Some(0),
        },
        attempt: None,
    };
    let sdp = "v=0\r\n".to_owned();
    let mut expected = BTreeMap::from([
        ("offer", RelayData::Offer { sdp: sdp.clone(), attempt: None }),
        ("answer", RelayData::Answer { sdp, attempt: None }),
        ("ice_candidate", candidate("candidate:1 1 udp 2122260223 192.0.2.1 5000 typ host")),
        ("end_of_candidates", candidate("")),
    ]);
    for (name, vector) in vectors("relayed") {
        let data = expected.remove(name.as_str()).unwrap_or_else(|| panic!("no value for {name}"));
        assert!(RelayData::parse(&to_raw_value(&vector).unwrap()).unwrap() == data, "{name}");
        assert_eq!(json(data.to_raw().get()), vector, "{name}");
    }
    assert!(expected.is_empty());
}

#[test]
fn what_nodes_say_to_the_server_is_read_and_written_as_the_text_says() {
    for (name, vector) in vectors("client") {
        let message = ClientMessage::parse(&vector.to_string()).unwrap();
        match (name.as_str(), &message) {
            ("register", ClientMessage::Register { peer_id, .. }) => {
                assert_eq!(peer_id.as_str(), "cli1")
            }
            ("list_peers", ClientMessage::ListPeers) => {}
            ("relay", ClientMessage::Relay { to, data }) => {
                assert_eq!(to.as_str(), "cli2");
                assert_eq!(json(data.get()), vector["data"]);
            }
            _ => panic!("{name} was read as {message:?}"),
        }
        assert_eq!(json(&message.to_json()), vector, "{name}");
    }
    let bare = ClientMessage::parse(r#"{"type":"register","peer_id":"cli1"}"#);
    assert!(matches!(bare, Ok(ClientMessage::Register { .. })), "a baseline register");
}

#[test]
fn what_the_server_says_is_read_and_written_as_the_text_says() {
    for (name, vector) in vectors("server") {
        let message = ServerMessage::parse(&vector.to_string()).unwrap();
        match (name.as_str(), &message) {
            ("peers", ServerMessage::Peers { peers }) => {
                assert_eq!(*peers, [peer("cli1"), peer("cli2")])
            }
            ("relay", ServerMessage::Relay { from, .. }) => assert_eq!(from.as_str(), "cli1"),
            ("error", ServerMessage::Error { code, peer_id, .. }) => {
                assert_eq!(
                    (*code, peer_id.as_ref()),
                    (Some(ErrorCode::TargetOffline), Some(&peer("cli9")))
                );
            }
            (
                "error_of_a_baseline_server",
                ServerMessage::Error { error, code: None, peer_id: None },
            ) => {
                assert_eq!(error, "no such peer");
            }
            _ => panic!("{name} was read as {message:?}"),
        }
        assert_eq!(json(&message.to_json()), vector, "{name}");
    }
}

#[test]
fn unknown_fields_are_ignored_everywhere() {
    for group in ["client", "server", "relayed", "peer"] {
        for (name, mut vector) in vectors(group) {
            vector["from_the_future"] = serde_json::json!({ "a": [1, 2, 3] });
            if vector["payload"].is_object() {
                vector["payload"]["from_the_future"] = serde_json::json!(null);
            }
            let text = vector.to_string();
            let read = match group {
                "client" => ClientMessage::parse(&text).is_ok(),
                "server" => ServerMessage::parse(&text).is_ok(),
                "relayed" => RelayData::parse(&to_raw_value(&vector).unwrap()).is_ok(),
                _ => PeerMessage::parse(&text).is_ok(),
            };
            assert!(read, "{group} {name}");
        }
    }
}

#[test]
fn unknown_types_are_told_apart_from_broken_messages() {
    let future = r#"{"type":"hologram","payload":{}}"#;
    assert!(
        matches!(PeerMessage::parse(future), Err(WireError::UnknownType(t)) if t == "hologram")
    );
    assert!(matches!(ClientMessage::parse(future), Err(WireError::UnknownType(_))));
    assert!(matches!(ServerMessage::parse(future), Err(WireError::UnknownType(_))));
    for broken in
        ["", "{", "[]", "7", r#"{"type":7}"#, r#"{"payload":{}}"#, r#"{"type":"share"}"#, "\u{0}"]
    {
        let error = PeerMessage::parse(broken).unwrap_err();
        assert!(!matches!(error, WireError::UnknownType(_)), "{broken}: {error}");
    }
}

#[test]
fn a_msg_id_is_handed_out_as_it_came() {
    let with = |id: &str| {
        format!(r#"{{"type":"mesh_ready","payload":{{"session_id":"s","msg_id":{id}}}}}"#)
    };
    for id in ["7", "\"seven\"", "-1.5e3"] {
        assert_eq!(PeerMessage::parse(&with(id)).unwrap().1.as_deref(), Some(id));
    }
}

#[test]
fn what_is_too_large_is_refused_before_it_is_parsed() {
    let long = |n: usize| "x".repeat(n);
    let refused = |e: Option<WireError>| matches!(e, Some(WireError::TooLarge { .. }));
    assert!(refused(PeerMessage::parse(&long(MAX_PEER_MESSAGE + 1)).err()));
    assert!(refused(ClientMessage::parse(&long(MAX_FRAME + 1)).err()));
    let package =
        format!(r#"{{"type":"commitment","payload":{{"data":"{}"}}}}"#, "00".repeat(8 * 1024 + 1));
    assert!(refused(PeerMessage::parse(&package).err()));
    let offer = serde_json::json!({ "type": "offer", "sdp": long(64 * 1024 + 1) });
    assert!(refused(RelayData::parse(&to_raw_value(&offer).unwrap()).err()));
    let candidate = serde_json::json!({ "type": "ice-candidate", "candidate": long(2 * 1024 + 1) });
    assert!(refused(RelayData::parse(&to_raw_value(&candidate).unwrap()).err()));
}

#[test]
fn peer_ids_follow_the_rule_and_are_ordered_by_bytes() {
    let longest = "a".repeat(64);
    for good in ["a", "A.z_9-", longest.as_str()] {
        assert!(good.parse::<PeerId>().is_ok(), "{good}");
    }
    let too_long = "a".repeat(65);
    for bad in ["", " ", "a b", "ä", "a/b", "a\n", too_long.as_str()] {
        assert!(bad.parse::<PeerId>().is_err(), "{bad:?}");
    }
    let mut ids = ["mpc-2", "mpc-10", "mpc_1", "Mpc"].map(peer);
    ids.sort();
    assert_eq!(ids.map(|id| id.to_string()), ["Mpc", "mpc-10", "mpc-2", "mpc_1"]);
}

/// Makes a 2-of-3 key from fixed seeds. Returns every package on the wire, and the group key, each
/// with a name.
fn packages() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut commitments = BTreeMap::new();
    let mut rounds = BTreeMap::new();
    for identifier in 1..=3u16 {
        let mut rng = ChaCha20Rng::seed_from_u64(u64::from(identifier));
        let round1 = Suite::default().start(identifier, 3, 2, &mut rng).unwrap();
        found.insert(format!("round 1, from {identifier}"), hex::encode(round1.package()));
        commitments.insert(identifier, round1.package().to_vec());
        rounds.insert(identifier, round1);
    }
    let mut inboxes: BTreeMap<u16, BTreeMap<u16, Zeroizing<Vec<u8>>>> = BTreeMap::new();
    let mut second = BTreeMap::new();
    for (identifier, round1) in rounds {
        let others = commitments
            .iter()
            .filter(|(from, _)| **from != identifier)
            .map(|(p, c)| (*p, c.clone()))
            .collect();
        let Ok((round2, shares)) = round1.advance(&others) else {
            panic!("round 2 of {identifier}")
        };
        for (to, share) in shares {
            found.insert(
                format!("round 2, from {identifier} to {to}"),
                hex::encode(share.as_slice()),
            );
            inboxes.entry(to).or_default().insert(identifier, share);
        }
        second.insert(identifier, round2);
    }
    for (identifier, round2) in second {
        let Ok(key) = round2.finish(&inboxes[&identifier]) else { panic!("key of {identifier}") };
        found.insert(format!("group key, at {identifier}"), key.pubkey);
    }
    found
}

#[test]
fn the_frost_packages_keep_their_bytes() {
    let vectors: BTreeMap<String, String> =
        serde_json::from_str(include_str!("vectors/packages.json")).unwrap();
    let found = packages();
    assert_eq!(found, vectors, "found:\n{}", serde_json::to_string_pretty(&found).unwrap());
    // Version 0, then the CRC-32 of the ciphersuite id. A round-2 package holds one scalar behind
    // that.
    assert!(found.values().filter(|v| v.len() != 66).all(|v| v.starts_with("00eed6b1b1")));
    assert!(
        found
            .iter()
            .filter(|(k, _)| k.starts_with("round 2"))
            .all(|(_, v)| v.len() == 2 * (5 + 32))
    );
}

proptest! {
    #[test]
    fn no_text_makes_a_parser_panic(text in any::<String>()) {
        let _ = PeerMessage::parse(&text);
        let _ = ClientMessage::parse(&text);
        let _ = ServerMessage::parse(&text);
        if let Ok(raw) = RawValue::from_string(text) {
            let _ = RelayData::parse(&raw);
        }
    }

    #[test]
    fn no_damage_to_a_message_makes_a_parser_panic(which in 0usize..15, at in any::<usize>(), byte in any::<u8>()) {
        let (_, message) = peer_messages().into_iter().nth(which).unwrap();
        let mut bytes = message.to_text().as_str().as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(text) = String::from_utf8(bytes) {
            let _ = PeerMessage::parse(&text);
        }
    }

    #[test]
    fn no_bytes_make_the_package_checks_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let round1 = Suite::default().start(1, 2, 2, &mut ChaCha20Rng::seed_from_u64(1)).unwrap();
        proptest::prop_assert!(round1.check(&bytes).is_err());
    }
}
