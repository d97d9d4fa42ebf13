//! Messages that the document forbids, those that it just allows, and the limits.

use std::collections::BTreeMap;

use frostmesh::frost::Suite;
use frostmesh::wire::{
    ClientMessage, ErrorCode, IceCandidate, MAX_CANDIDATE, MAX_FRAME, MAX_PACKAGE,
    MAX_PEER_MESSAGE, MAX_SDP, MAX_SERVER_FRAME, MAX_TEXT, PeerId, PeerMessage, Proposal,
    RelayData, ServerMessage, SessionId, WireError, clip,
};
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::value::RawValue;
use serde_json::{Value, from_str, json};

use crate::peer;

fn vectors(group: &str) -> Value {
    let all: Value = from_str(include_str!("../vectors/edges.json")).unwrap();
    all[group].clone()
}

fn entries(group: &Value) -> impl Iterator<Item = (&String, String)> {
    group.as_object().unwrap().iter().map(|(name, message)| (name, message.to_string()))
}

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

#[test]
fn what_the_text_does_not_allow_is_refused() {
    let refused = |error: Option<WireError>| {
        matches!(error, Some(WireError::Malformed(_) | WireError::Missing { .. }))
    };
    let session_id = |error: &Option<WireError>| matches!(error, Some(WireError::SessionId(_)));
    for (name, text) in entries(&vectors("by_server")) {
        assert!(refused(ClientMessage::parse(&text).err()), "{name}");
    }
    for (name, text) in entries(&vectors("by_node")) {
        let error = PeerMessage::parse(&text).err();
        assert!(session_id(&error) || refused(error), "{name}");
    }
    for (name, text) in entries(&vectors("as_relayed")) {
        assert!(refused(RelayData::parse(&raw(&text)).err()), "{name}");
    }
}

#[test]
fn what_is_relayed_is_not_touched() {
    // Spaces, the order of fields and the form of numbers stay as the sender wrote them.
    let data = r#"{ "b" : 1.50,"a":[ ] , "b":2, "\u0041":1e400 }"#;
    let text = format!(r#"{{"type":"relay","to":"cli2","data":{data}}}"#);
    let ClientMessage::Relay { data: taken, .. } = ClientMessage::parse(&text).unwrap() else {
        panic!("a relay")
    };
    assert_eq!(taken.get(), data);
    let handed_on = ServerMessage::Relay { from: peer("cli1"), data: taken }.to_json();
    assert_eq!(handed_on, format!(r#"{{"type":"relay","from":"cli1","data":{data}}}"#));
}

#[test]
fn attempts_are_read_and_written() {
    let candidate =
        IceCandidate { candidate: "candidate:1".into(), sdp_mid: None, sdp_m_line_index: Some(0) };
    let sdp = "v=0\r\n".to_owned();
    let expected = BTreeMap::from([
        ("offer with an attempt", RelayData::Offer { sdp: sdp.clone(), attempt: Some(7) }),
        ("answer with an attempt", RelayData::Answer { sdp, attempt: Some(7) }),
        (
            "candidate with an attempt",
            RelayData::IceCandidate { candidate, attempt: Some(u32::MAX) },
        ),
    ]);
    for (name, text) in entries(&vectors("attempts")) {
        let data = RelayData::parse(&raw(&text)).unwrap();
        assert!(data == expected[name.as_str()], "{name}: {data:?}");
        assert_eq!(
            from_str::<Value>(data.to_raw().get()).unwrap(),
            from_str::<Value>(&text).unwrap(),
            "{name}"
        );
    }
}

#[test]
fn extensions_of_others_and_fields_of_other_types_are_unknown_fields() {
    for text in [
        r#"{"type":"ready","payload":{"session_id":"s1","data":17,"threshold":"two","pubkey":null}}"#,
        r#"{"type":"ready","payload":{"session_id":"s1","participants":{},"accepted":"yes","cause":5}}"#,
    ] {
        let ready = PeerMessage::Ready { session_id: Some("s1".parse().unwrap()), proof: None };
        assert!(PeerMessage::parse(text).unwrap().0 == ready);
    }
    // A field with the name of one of our extensions and another form.
    let (message, _) = PeerMessage::parse(
        r#"{"type":"session_response","payload":{"accepted":false,"cause":"tired"}}"#,
    )
    .unwrap();
    let response = PeerMessage::SessionResponse {
        session_id: None,
        accepted: false,
        reason: None,
        cause: None,
        protocol: None,
    };
    assert!(message == response);
    let offer = RelayData::parse(&raw(r#"{"type":"offer","sdp":"x","attempt":{"n":1}}"#)).unwrap();
    assert!(offer == RelayData::Offer { sdp: "x".into(), attempt: None });
    // Fields that WebRTC makes optional may be missing, and fields that it adds may be present.
    let bare = RelayData::parse(&raw(
        r#"{"type":"ice-candidate","candidate":"c","usernameFragment":"u"}"#,
    ))
    .unwrap();
    let candidate = IceCandidate { candidate: "c".into(), sdp_mid: None, sdp_m_line_index: None };
    assert!(bare == RelayData::IceCandidate { candidate, attempt: None });
}

#[test]
fn every_error_code_is_known_and_unknown_ones_do_no_harm() {
    use ErrorCode as E;
    let ours = [
        E::BadMessage,
        E::BadPeerId,
        E::PeerIdTaken,
        E::NotRegistered,
        E::AlreadyRegistered,
        E::TargetOffline,
        E::TooLarge,
        E::RateLimited,
        E::Unauthorized,
    ];
    let codes = vectors("codes");
    assert_eq!(codes, serde_json::to_value(ours).unwrap());
    assert_eq!(serde_json::from_value::<Vec<E>>(codes).unwrap(), ours);
    for code in [json!("on_fire"), json!(418)] {
        let text = json!({"type": "error", "error": "no", "code": code}).to_string();
        let ServerMessage::Error { error, code, .. } = ServerMessage::parse(&text).unwrap() else {
            panic!("an error")
        };
        assert_eq!(error, "no");
        assert!(matches!(code, None | Some(E::Unknown)));
    }
}

#[test]
fn bad_peer_ids_are_told_apart_and_left_out_of_lists() {
    for text in vectors("good_peer_ids").as_array().unwrap() {
        assert_eq!(peer(text.as_str().unwrap()).as_str(), text.as_str().unwrap());
    }
    for text in vectors("bad_peer_ids").as_array().unwrap() {
        for message in [
            json!({"type": "register", "peer_id": text}),
            json!({"type": "relay", "to": text, "data": 1}),
        ] {
            assert!(
                matches!(ClientMessage::parse(&message.to_string()), Err(WireError::PeerId(_))),
                "{message}"
            );
        }
    }
    // The list of a foreign server may hold ids that are not well formed.
    let list = json!({"type": "peers", "peers": ["ok", "not ok", "", "also-ok"]}).to_string();
    let ServerMessage::Peers { peers } = ServerMessage::parse(&list).unwrap() else {
        panic!("a list")
    };
    assert_eq!(peers, [peer("ok"), peer("also-ok")]);
}

#[test]
fn an_ack_never_asks_for_an_ack() {
    let (ack, asks) = PeerMessage::parse(r#"{"type":"ack","payload":{"msg_id":"m"}}"#).unwrap();
    assert!(ack == PeerMessage::Ack { msg_id: "\"m\"".into() } && asks.is_none());
    // A value that is no identifier asks for no ack.
    for msg_id in ["null", "{}", "[1]", &format!("\"{}\"", "x".repeat(200))] {
        let text = format!(r#"{{"type":"ready","payload":{{"msg_id":{msg_id}}}}}"#);
        assert_eq!(PeerMessage::parse(&text).unwrap().1, None);
    }
}

#[test]
fn hexadecimal_is_written_in_lower_case_and_read_in_both() {
    let (share, _) = PeerMessage::parse(r#"{"type":"share","payload":{"data":"00ABcd"}}"#).unwrap();
    assert_eq!(share.to_text().as_str(), r#"{"type":"share","payload":{"data":"00abcd"}}"#);
    let (created, _) =
        PeerMessage::parse(r#"{"type":"wallet_created","payload":{"pubkey":"02ABcd"}}"#).unwrap();
    assert_eq!(
        created.to_text().as_str(),
        r#"{"type":"wallet_created","payload":{"pubkey":"02abcd"}}"#
    );
}

#[test]
fn limits_are_exact() {
    let too_large =
        |result: Result<(), WireError>| matches!(result, Err(WireError::TooLarge { .. }));
    let long = |n: usize| "x".repeat(n);
    assert!(!too_large(ClientMessage::parse(&long(MAX_FRAME)).map(drop)));
    assert!(too_large(ServerMessage::parse(&long(MAX_SERVER_FRAME + 1)).map(drop)));
    assert!(!too_large(PeerMessage::parse(&long(MAX_PEER_MESSAGE)).map(drop)));
    let package =
        |n: usize| json!({"type": "commitment", "payload": {"data": "00".repeat(n)}}).to_string();
    PeerMessage::parse(&package(MAX_PACKAGE)).unwrap();
    RelayData::parse(&raw(&json!({"type": "offer", "sdp": long(MAX_SDP)}).to_string())).unwrap();
    RelayData::parse(&raw(
        &json!({"type": "ice-candidate", "candidate": long(MAX_CANDIDATE)}).to_string()
    ))
    .unwrap();
    long(128).parse::<SessionId>().unwrap();
    long(129).parse::<SessionId>().unwrap_err();
    let many: Vec<String> = (0..257).map(|n| n.to_string()).collect();
    let payload = json!({"session_id": "s", "total": 257, "threshold": 2, "participants": many});
    let text = json!({"type": "session_proposal", "payload": payload}).to_string();
    assert!(matches!(PeerMessage::parse(&text), Err(WireError::Malformed(_))));
}

#[test]
fn texts_of_others_are_clipped() {
    let long = "\u{e9}\u{7}".repeat(MAX_TEXT);
    assert!(clip(&long).len() <= MAX_TEXT && !clip(&long).contains('\u{7}'));
    let text = json!({"type": "session_response", "payload": {"accepted": false, "reason": long}})
        .to_string();
    let (PeerMessage::SessionResponse { reason: Some(reason), .. }, _) =
        PeerMessage::parse(&text).unwrap()
    else {
        panic!("a response")
    };
    assert!(reason.len() <= MAX_TEXT);
}

#[test]
fn the_largest_messages_of_a_session_of_64_fit() {
    let proposal = PeerMessage::SessionProposal(Proposal {
        session_id: "s".repeat(128).parse().unwrap(),
        total: 64,
        threshold: 64,
        participants: (0..64).map(|n| format!("{n:064}")).collect(),
        ciphersuite: Some(Suite::default().id().into()),
        allow_unverified: Some(true),
        protocol: Some(1),
        name: Some("n".repeat(MAX_TEXT)),
        nonce: Some([7; 32]),
    });
    let round1 = Suite::default().start(64, 64, 64, &mut ChaCha20Rng::seed_from_u64(1)).unwrap();
    let commitment = PeerMessage::Round1Package {
        session_id: None,
        data: round1.package().to_vec(),
        proof: None,
    };
    for message in [proposal, commitment] {
        assert!(PeerMessage::parse(message.to_text().as_str()).unwrap().0 == message);
    }
}

/// CRC-32 as in IEEE 802.3, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 }
        })
    })
}

#[test]
fn frost_packages_are_laid_out_as_the_text_says() {
    // Version byte 0, CRC-32 of the ciphersuite id, then the fields.
    let header = format!("00{}", hex::encode(crc32(b"FROST-secp256k1-SHA256-v1").to_be_bytes()));
    let packages: BTreeMap<String, String> =
        from_str(include_str!("../vectors/packages.json")).unwrap();
    for package in
        packages.iter().filter(|(name, _)| name.starts_with("round 1")).map(|(_, package)| package)
    {
        assert!(package.starts_with(&header));
        // The number of points and two compressed points, then the length of the signature and the
        // signature.
        assert_eq!(package.len(), 2 * (5 + 1 + 2 * 33 + 1 + 65));
        assert_eq!((&package[10..12], &package[12 + 4 * 33..][..2]), ("02", "41"));
    }
}

fn all_parsers(text: &str) {
    let _ = ClientMessage::parse(text).map(|m| m.to_json());
    let _ = ServerMessage::parse(text).map(|m| m.to_json());
    let _ = PeerMessage::parse(text).map(|(m, _)| m.to_text());
    if let Ok(raw) = RawValue::from_string(text.to_owned()) {
        let _ = RelayData::parse(&raw).map(|data| data.to_raw());
    }
    let _ = (text.parse::<PeerId>().is_ok(), text.parse::<SessionId>().is_ok(), clip(text));
}

fn any_message() -> impl Strategy<Value = String> {
    let kept: Value = from_str(include_str!("../vectors/messages.json")).unwrap();
    let groups = kept.as_object().unwrap().values().cloned();
    let groups = groups.chain(["by_server", "by_node", "as_relayed", "attempts"].map(vectors));
    let all: Vec<String> =
        groups.flat_map(|g| entries(&g).map(|(_, text)| text).collect::<Vec<_>>()).collect();
    prop::sample::select(all)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_any_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        all_parsers(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_damage_to_any_message_makes_a_parser_panic(
        text in any_message(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = text.into_bytes();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        all_parsers(&String::from_utf8_lossy(&bytes));
        all_parsers(&String::from_utf8_lossy(&bytes[..cut.index(bytes.len())]));
    }

    #[test]
    fn no_damage_to_a_package_makes_key_generation_panic(
        from in 1..=3_u16,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let packages: BTreeMap<String, String> = from_str(include_str!("../vectors/packages.json")).unwrap();
        let mut bytes = hex::decode(&packages[&format!("round 1, from {from}")]).unwrap();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let round1 = Suite::default().start(1, 2, 2, &mut ChaCha20Rng::seed_from_u64(5)).unwrap();
        let _ = round1.check(&bytes);
        let _ = round1.advance(&BTreeMap::from([(2, bytes)]));
    }

    #[test]
    fn what_is_written_is_read_back(
        session_id in prop::option::of("[ -~\u{e9}]{1,60}"),
        accepted in any::<bool>(),
        reason in prop::option::of("[ -~\u{e9}\\\\\"]{1,80}"),
        data in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let session_id: Option<SessionId> = session_id.map(|text| text.parse().unwrap());
        for message in [
            PeerMessage::SessionResponse { session_id: session_id.clone(), accepted, reason, cause: None, protocol: None },
            PeerMessage::Round1Package { session_id: session_id.clone(), data: data.clone(), proof: None },
            PeerMessage::Round2Package { session_id: session_id.clone(), data: data.into() },
            PeerMessage::MeshReady { session_id, proof: None },
        ] {
            prop_assert!(PeerMessage::parse(message.to_text().as_str()).unwrap().0 == message);
        }
    }
}
