//! Commands in JSON: what the user interface and the control socket write is read as what was
//! meant, and nothing else is.
#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, clippy::panic)]

use frostmesh::api::{Command, Error, ErrorCode, JsonFields, KeystoreCommand, Refusal};
use frostmesh::content::{Content, Text};
use frostmesh::frost::Suite;
use frostmesh::group::{Operation, SignTask};
use frostmesh::identity::{IdentityKey, Invite, InviteSecret};
use frostmesh::keystore::KeystoreError;
use frostmesh::random::SystemRng;
use serde_json::{Value, json};

fn read(json: &Value) -> Result<Option<Command>, Refusal> {
    let text = json.to_string();
    let fields = JsonFields::parse(&text, &|_| None)?;
    Command::read(&fields.kind()?, &fields)
}

fn command(json: Value) -> Command {
    read(&json).unwrap().unwrap()
}

fn refused(json: Value) -> ErrorCode {
    read(&json).unwrap_err().code
}

fn text(text: &str) -> Content {
    Content::from(Text::new(text.to_owned()).unwrap())
}

fn invite() -> Box<Invite> {
    Box::new(Invite {
        server_url: "wss://example.org".to_owned(),
        session_id: "s".parse().unwrap(),
        initiator: "alice".parse().unwrap(),
        identity: IdentityKey::generate(&mut SystemRng).identity(),
        secret: InviteSecret::generate(&mut SystemRng),
        total: 3,
        threshold: 2,
        name: Some("Treasury".to_owned()),
        expires: 1_900_000_000,
    })
}

#[test]
fn what_is_written_is_read_as_the_same() {
    let session_id = || "s".parse().unwrap();
    let (request, pubkey) = ("1f2e".to_owned(), "02".repeat(33));
    let commands = [
        Command::Connect { server_url: "ws://a".to_owned(), peer_id: "bob".parse().unwrap() },
        Command::Disconnect,
        Command::ListPeers,
        Command::Propose {
            session_id: session_id(),
            participants: vec!["alice".parse().unwrap(), "bob".parse().unwrap()],
            threshold: 2,
            suite: "secp256k1-tr".parse().unwrap(),
            allow_unverified: true,
        },
        Command::Accept { session_id: session_id(), allow_unverified: true },
        Command::Decline { session_id: session_id() },
        Command::ConfirmWords { session_id: session_id(), they_match: false },
        Command::Invite {
            session_id: session_id(),
            total: 3,
            threshold: 2,
            suite: Suite::default(),
            name: None,
            lifetime: 60,
        },
        Command::JoinInvite { invite: invite(), peer_id: Some("bob".parse().unwrap()) },
        Command::Request {
            pubkey: pubkey.clone(),
            operation: Operation::sign(text("pay \"the\" rent\n")).unwrap(),
            lifetime: 60,
        },
        Command::Request {
            pubkey: pubkey.clone(),
            operation: Operation::Sign(SignTask::new(vec![text("one"), text("two")]).unwrap()),
            lifetime: 60,
        },
        Command::ApproveRequest { request: request.clone(), rule: Some("rents".to_owned()) },
        Command::DeclineRequest { request, rule: None },
        Command::Check { pubkey },
        Command::RenameContact { who: "bob".to_owned(), name: "Bob".to_owned() },
        Command::ForgetContact { who: "bob".to_owned() },
        Command::BlockContact { who: "bob".to_owned(), blocked: true },
        Command::Cancel { session_id: session_id() },
        Command::Dismiss { session_id: session_id() },
    ];
    for written in commands {
        let json = serde_json::to_value(&written).unwrap();
        assert_eq!(json["type"], written.kind());
        assert_eq!(read(&json).unwrap(), Some(written));
    }
}

#[test]
fn fields_that_the_user_interface_leaves_out_have_their_usual_values() {
    let json = json!({ "type": "invite", "total": 3, "threshold": 2, "name": null });
    let Command::Invite { suite, name: None, lifetime: 3600, .. } = command(json) else { panic!() };
    assert_eq!(suite, Suite::default());
    let json = json!({ "type": "propose", "session_id": "s", "participants": [" a", "b"], "threshold": 2 });
    let Command::Propose { participants, allow_unverified: false, .. } = command(json) else {
        panic!()
    };
    assert_eq!(participants, ["a".parse().unwrap(), "b".parse().unwrap()]);
    let content =
        json!({ "type": "request", "pubkey": "02", "content_kind": "text", "content": "x" });
    let Command::Request { lifetime: 86_400, .. } = command(content) else { panic!() };
    // A form whose field for a name is empty.
    let uri = invite().uri();
    let json = json!({ "type": "join_invite", "invite": uri.as_str(), "peer_id": "" });
    let Command::JoinInvite { peer_id: None, .. } = command(json) else { panic!() };
}

#[test]
fn what_cannot_be_meant_is_refused_with_the_code_of_its_field() {
    let accept = |session_id: &str| json!({ "type": "accept", "session_id": session_id });
    assert_eq!(refused(accept("")), ErrorCode::NoSuchSession);
    let connect = json!({ "type": "connect", "server_url": "ws://a", "peer_id": "a b" });
    assert_eq!(refused(connect), ErrorCode::BadPeerId);
    let propose = |participants: Value, suite: &str| json!({ "type": "propose", "participants": participants, "threshold": 2, "suite": suite });
    assert_eq!(refused(propose(json!(["a b"]), "secp256k1")), ErrorCode::BadProposal);
    assert_eq!(refused(propose(json!(["a"]), "md5")), ErrorCode::BadProposal);
    let join = json!({ "type": "join_invite", "invite": "frostmesh:" });
    assert_eq!(refused(join), ErrorCode::BadInvite);
    let request =
        json!({ "type": "request", "pubkey": "02", "content_kind": "hash", "content": "x" });
    assert_eq!(refused(request), ErrorCode::BadRequest);
    // Without the key of the wallet there is no author that a Nostr event could have.
    let event = json!({ "type": "request", "pubkey": "02", "content_kind": "nostr-event", "content": "{}" });
    assert_eq!(refused(event), ErrorCode::BadRequest);
    for malformed in [
        json!({ "type": "connect", "server_url": "ws://a" }),
        json!({ "type": "invite", "total": 70_000, "threshold": 2 }),
        json!({ "type": "invite", "total": 2.5, "threshold": 2 }),
        json!({ "type": "invite", "total": "3", "threshold": 2 }),
        json!({ "type": "accept", "session_id": "s", "allow_unverified": "yes" }),
        json!({ "threshold": 2 }),
        json!(["accept"]),
    ] {
        assert_eq!(refused(malformed), ErrorCode::Internal);
    }
    assert_eq!(read(&json!({ "type": "reboot" })).unwrap(), None);
}

#[test]
fn passwords_are_for_the_keystore_alone() {
    let text = r#"{ "type": "unlock", "password": "correct horse" }"#;
    let fields = JsonFields::parse(text, &|_| None).unwrap();
    assert_eq!(Command::read("unlock", &fields).unwrap(), None);
    let read = KeystoreCommand::read("unlock", &fields).unwrap();
    let Some(KeystoreCommand::Unlock { password }) = read else { panic!() };
    assert_eq!(password.as_str(), "correct horse");
}

#[test]
fn codes_are_those_that_programs_know() {
    let code = |refusal: Refusal| serde_json::to_value(refusal).unwrap()["code"].clone();
    assert_eq!(code(Error::Offline.into()), "offline");
    assert_eq!(code(Error::TooManySessions.into()), "bad_proposal");
    assert_eq!(code(Error::SeveralRequests("1f2e".to_owned()).into()), "no_such_request");
    assert_eq!(code(KeystoreError::WrongPassword.into()), "wrong_password");
    assert_eq!(code(KeystoreError::EmptyPassword.into()), "weak_password");
    assert_eq!(code(KeystoreError::Seal.into()), "storage");
    assert_eq!(code(Refusal::locked()), "locked");
    assert_eq!(ErrorCode::UnverifiedNotAllowed.name(), "unverified_not_allowed");
}
