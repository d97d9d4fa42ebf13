//! The worked examples of docs/PROTOCOL.md, sections 4 and 5: every value in it is computed here
//! again.
#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;

use frostmesh::agreement::{
    Agreement, Member, commitment_digest, mesh_ready_digest, nonce_hash, package_hash,
    ready_digest, wallet_created_digest, words,
};
use frostmesh::audit::{Body, Head};
use frostmesh::channel::{Context, Handshake, Window};
use frostmesh::content::Content;
use frostmesh::group::{Operation, Request, SignTask, Vote, group_id, health_check_digest};
use frostmesh::identity::{IdentityKey, Invite, Signature, tagged_hash};
use frostmesh::wire::{PeerId, Statement};
use rand_core::{CryptoRng, Error, RngCore};

/// "Randomness" that is one byte over and over: what the example says that each side draws.
struct Constant(u8);

impl CryptoRng for Constant {}

impl RngCore for Constant {
    fn next_u32(&mut self) -> u32 {
        u32::from_ne_bytes([self.0; 4])
    }

    fn next_u64(&mut self) -> u64 {
        u64::from_ne_bytes([self.0; 8])
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

fn key(byte: u8) -> IdentityKey {
    IdentityKey::from_seed(&[byte; 32]).unwrap()
}

fn id(name: &str) -> PeerId {
    name.parse().unwrap()
}

/// Every value, in the order of the document.
fn values() -> Vec<(&'static str, String)> {
    let (alice, bob) = (key(0x11), key(0x22));
    let mut all = vec![
        (
            "tagged_hash(\"example\", [\"a\", \"bc\"])",
            hex::encode(tagged_hash("example", &[b"a", b"bc"])),
        ),
        ("alice.identity", alice.identity().to_string()),
        ("alice.fingerprint", alice.identity().fingerprint().to_string()),
        ("alice.noise_secret", hex::encode(alice.noise_secret().as_slice())),
        ("alice.claim", hex::encode(alice.claim("ws://127.0.0.1:9000", "alice"))),
        ("bob.identity", bob.identity().to_string()),
        ("bob.fingerprint", bob.identity().fingerprint().to_string()),
    ];

    let session_id = "s1".parse().unwrap();
    let context = Context { session_id, initiator: id("alice"), responder: id("bob"), psk: None };
    let (ours, hello) = Handshake::start(&context, &alice, &mut Constant(0x33)).unwrap();
    let (theirs, answer) = Handshake::answer(&context, &bob, &hello, &mut Constant(0x44)).unwrap();
    let (proof, mut a) = ours.prove(&alice, &answer, &mut Constant(0x33)).unwrap();
    let mut b = theirs.finish(&proof).unwrap();
    assert_eq!((a.identity, b.identity), (bob.identity(), alice.identity()));
    a.frames.queue(br#"{"type":"mesh_ready","payload":{}}"#).unwrap();
    let frame = a.frames.to_send(Window::RELAY).remove(0);
    assert_eq!(b.frames.receive(&frame).unwrap().len(), 1);
    let acknowledgement = b.frames.take_ack().unwrap();
    all.extend([
        ("link.hello", hex::encode(hello)),
        ("link.answer", hex::encode(answer)),
        ("link.proof", hex::encode(proof)),
        ("frame 0 of alice", hex::encode(frame.data)),
        ("acknowledgement 1 of bob", hex::encode(acknowledgement.data)),
    ]);

    let member = |name, key: &IdentityKey| Member { peer_id: id(name), identity: key.identity() };
    let agreement = Agreement {
        session_id: "s1".parse().unwrap(),
        ciphersuite: "FROST-secp256k1-SHA256-v1".to_owned(),
        threshold: 2,
        nonce: [0x55; 32],
        name: Some("Treasury".to_owned()),
        members: vec![member("alice", &alice), member("bob", &bob)],
    };
    let digest = agreement.digest();
    let nonces = [[0x66; 32], [0x77; 32]];
    let packages: [&[u8]; 2] = [b"package of alice", b"package of bob"];
    let committed = |identifier: u16, index: usize| {
        commitment_digest(&digest, identifier, &nonces[index], &package_hash(packages[index]))
    };
    let signature =
        |key: &IdentityKey, digest: &[u8; 32]| *key.sign(digest, &mut Constant(0x88)).as_bytes();
    let statement = |index: usize, key: &IdentityKey| Statement {
        nonce: nonces[index],
        package: package_hash(packages[index]),
        signature: signature(key, &committed(u16::try_from(index).unwrap() + 1, index)),
    };
    let statements = [statement(0, &alice), statement(1, &bob)];
    let held = ready_digest(&digest, &statements);
    let made = wallet_created_digest(&held, "02aa");
    all.extend([
        ("agreement", hex::encode(digest)),
        ("alice.nonce_hash", hex::encode(nonce_hash(&nonces[0]))),
        (
            "mesh_ready of alice",
            hex::encode(mesh_ready_digest(&digest, 1, &nonce_hash(&nonces[0]))),
        ),
        ("commitment of alice", hex::encode(committed(1, 0))),
        ("commitment of alice, signed", hex::encode(statements[0].signature)),
        ("ready", hex::encode(held)),
        ("wallet_created", hex::encode(made)),
        ("wallet_created of bob, signed", hex::encode(signature(&bob, &made))),
        ("words", format!("{:?}", words(&digest, &nonces))),
    ]);

    let uri = format!(
        "frostmesh:server=ws%3A%2F%2F127.0.0.1%3A9000&session=s1&peer=alice&identity={}&\
         secret=99999999999999999999999999999999&total=2&threshold=2&expires=1800000000&name=Treasury",
        alice.identity()
    );
    let invite: Invite = uri.parse().unwrap();
    assert_eq!(invite.uri().as_str(), uri);
    all.push(("invite.psk", hex::encode(invite.secret.psk().as_slice())));

    let bound = group_id(&agreement, "02aa");
    let unsigned = Request {
        proposer: 1,
        kind: "text".to_owned(),
        content: "I agree".to_owned(),
        created: 1_800_000_000_000,
        expires: 1_800_003_600_000,
        nonce: [0xaa; 16],
        signature: Signature::from_bytes([0; 64]),
    };
    let request = unsigned.signed(&bound, &alice, &mut Constant(0x88));
    let vote = Vote::new(&bound, request.id(&bound), 2, 1, true, &bob, &mut Constant(0x88));
    let text = Content::read("text", "I agree", None).unwrap();
    let hash = Content::read("hash", &"cc".repeat(32), None).unwrap();
    let batch = Operation::Sign(SignTask::new(vec![text.clone(), hash]).unwrap());
    let Operation::Sign(task) = &batch;
    let items: Vec<String> = task.items().iter().map(|item| hex::encode(item.message)).collect();
    let unsigned = Request {
        kind: batch.kind().to_owned(),
        content: batch.written(),
        nonce: [0xbb; 16],
        ..request.clone()
    };
    let several = unsigned.signed(&bound, &alice, &mut Constant(0x88));
    let opened = Body::Opened { pubkey: "02aa".to_owned(), member: 1 };
    let entry =
        Head::default().write(&bound, 1_800_000_000_000, &opened, &alice, &mut Constant(0x88));
    all.extend([
        ("circle", hex::encode(bound)),
        ("check", hex::encode(health_check_digest(&bound))),
        ("request", hex::encode(request.id(&bound))),
        ("request, signed", hex::encode(request.signature.as_bytes())),
        ("text", hex::encode(text.digest())),
        ("vote of bob, signed", hex::encode(vote.signature.as_bytes())),
        ("batch.content", several.content.clone()),
        ("batch.items", format!("[{}]", items.join(", "))),
        ("batch.request", hex::encode(several.id(&bound))),
        ("batch.request, signed", hex::encode(several.signature.as_bytes())),
        ("entry.body", entry.body.clone()),
        ("entry.hash", hex::encode(entry.hash(&bound))),
        ("entry, signed", hex::encode(entry.signature.as_bytes())),
    ]);
    all
}

#[test]
fn the_worked_example_of_the_protocol_is_right() {
    let document = include_str!("../docs/PROTOCOL.md");
    let said: BTreeMap<&str, &str> =
        document.lines().filter_map(|line| line.split_once(" = ")).collect();
    let values = values();
    values.iter().for_each(|(name, value)| println!("{name} = {value}"));
    for (name, value) in values {
        assert_eq!(
            said.get(name),
            Some(&value.as_str()),
            "docs/PROTOCOL.md says something else of '{name}'"
        );
    }
}
