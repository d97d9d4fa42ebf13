//! Any bytes at all, where messages of links, invites and records are expected.

use frostmesh::channel::{Context, Frames, Handshake, Window};
use frostmesh::identity::{Contacts, IdentityKey, Invite};
use frostmesh::node::{Config, Input, Node, Output, ServerId, SocketEvent, Timestamp};
use frostmesh::wire::{PeerId, PeerMessage, Sealed, ServerMessage};
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use zeroize::Zeroizing;

use super::common::{peer, session};

fn key(seed: u64) -> IdentityKey {
    IdentityKey::generate(&mut ChaCha20Rng::seed_from_u64(seed))
}

fn context() -> Context {
    Context {
        session_id: session("s"),
        initiator: peer("alice"),
        responder: peer("bob"),
        psk: None,
    }
}

/// Both ends of a link that stands.
fn linked() -> (Frames, Frames) {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let (alice, hello) = Handshake::start(&context(), &key(1), &mut rng).unwrap();
    let (bob, answer) = Handshake::answer(&context(), &key(2), &hello, &mut rng).unwrap();
    let (proof, opened) = alice.prove(&key(1), &answer, &mut rng).unwrap();
    (opened.frames, bob.finish(&proof).unwrap().frames)
}

/// The server of the node.
const HOME: ServerId = ServerId::new(1);

/// A node that is online, and in a session that insists on links.
fn busy() -> Node {
    let mut node =
        Node::new(Config::default(), key(1), Contacts::default(), ChaCha20Rng::seed_from_u64(1));
    let say = |node: &mut Node, input| node.handle(Timestamp::from_millis(1_000), input).unwrap();
    let connect =
        frostmesh::node::Command::Connect { server_url: "ws://s".into(), peer_id: peer("alice") };
    say(&mut node, Input::Command(connect));
    say(&mut node, SocketEvent::Opened.of(HOME));
    let peers: Vec<PeerId> = ["alice", "bob", "carol"].map(peer).to_vec();
    say(
        &mut node,
        SocketEvent::Text(ServerMessage::Peers { peers: peers.clone() }.to_json()).of(HOME),
    );
    let propose = frostmesh::node::Command::Propose {
        suite: frostmesh::frost::Suite::default(),
        session_id: session("s"),
        participants: peers,
        threshold: 2,
        allow_unverified: false,
    };
    say(&mut node, Input::Command(propose));
    node
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_bytes_open_a_link(bytes in prop::collection::vec(any::<u8>(), 0..300), step in 1u8..4) {
        let mut rng = ChaCha20Rng::seed_from_u64(4);
        let message = [&[step][..], &bytes].concat();
        // A hello is any public key; nothing else passes.
        let _ = Handshake::answer(&context(), &key(2), &message, &mut rng);
        let (alice, hello) = Handshake::start(&context(), &key(1), &mut rng).unwrap();
        prop_assert!(alice.prove(&key(1), &message, &mut rng).is_err());
        let (bob, _) = Handshake::answer(&context(), &key(2), &hello, &mut rng).unwrap();
        prop_assert!(bob.finish(&message).is_err());
    }

    #[test]
    fn no_bytes_are_a_frame(data in prop::collection::vec(any::<u8>(), 0..9_000), number in 0u64..600, acknowledges: bool) {
        let (_, mut bob) = linked();
        let frame = Sealed { number, acknowledges, data };
        prop_assert!(bob.receive(&frame).is_err());
    }

    #[test]
    fn what_is_said_arrives_once_and_in_order_whatever_the_carrier_does(
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20_000), 1..12),
        order in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 1..200),
    ) {
        let (mut alice, mut bob) = linked();
        for message in &messages {
            alice.queue(message).unwrap();
        }
        let mut heard: Vec<Zeroizing<Vec<u8>>> = Vec::new();
        let mut way: Vec<Sealed> = alice.to_send(Window::DATA_CHANNEL);
        // Any order, with losses and repeats; then all that is missing.
        for (index, lose) in order {
            if !way.is_empty() {
                let frame = way[index.index(way.len())].clone();
                if lose {
                    way.retain(|other| *other != frame);
                } else {
                    heard.extend(bob.receive(&frame).unwrap());
                }
            }
        }
        for _ in 0..4 {
            if let Some(acknowledgement) = bob.take_ack() {
                alice.receive(&acknowledgement).unwrap();
            }
            alice.resend_all();
            for frame in alice.to_send(Window::DATA_CHANNEL) {
                heard.extend(bob.receive(&frame).unwrap());
            }
        }
        prop_assert!(heard.iter().map(|m| m.to_vec()).eq(messages));
        if let Some(acknowledgement) = bob.take_ack() {
            alice.receive(&acknowledgement).unwrap();
        }
        prop_assert!(!alice.is_waiting(), "everything is acknowledged");
    }

    #[test]
    fn no_text_makes_the_parser_of_invites_panic(text in "(frostmesh:|https://x/#)?[a-z=&%0-9A-F.#:]{0,200}") {
        if let Ok(invite) = text.parse::<Invite>() {
            prop_assert_eq!(invite.uri().as_str().parse::<Invite>().unwrap(), invite);
        }
    }

    #[test]
    fn nothing_that_is_relayed_makes_a_node_panic_or_send_a_flood(
        data in prop::collection::vec(any::<u8>(), 0..200),
        kind in prop::sample::select(vec!["link", "frame", "mesh_ready", "commitment", "ready", "share", "wallet_created", "comparing"]),
        number: u32,
        from in prop::sample::select(vec!["bob", "carol", "dave"]),
        step in 0u8..5,
    ) {
        let mut node = busy();
        while node.poll().is_some() {}
        let payload = serde_json::json!({
            "session_id": "s", "number": number, "acknowledges": step == 0, "pubkey": "02", "proof": {"signature": "zz"},
            "data": hex::encode([&[step][..], &data].concat()),
        });
        let text = serde_json::json!({"type": kind, "payload": payload}).to_string();
        let relay = serde_json::json!({"type": "relay", "from": from, "data": serde_json::from_str::<serde_json::Value>(&text).unwrap()});
        node.handle(Timestamp::from_millis(2_000), SocketEvent::Text(relay.to_string()).of(HOME)).unwrap();
        let sent = std::iter::from_fn(|| node.poll()).filter(|o| matches!(o, Output::SendServer { .. })).count();
        prop_assert!(sent < 20, "{sent} frames for one");
        prop_assert!(PeerMessage::parse(&text).is_ok() || kind != "mesh_ready");
    }
}
