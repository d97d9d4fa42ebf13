//! Any bytes in a handshake and in frames, beside those of an honest other end: only messages of
//! the honest end arrive, each once and in order.
#![no_main]

use frostmesh::channel::{Context, Frames, Handshake, Window};
use frostmesh::identity::IdentityKey;
use frostmesh::wire::Sealed;
use libfuzzer_sys::fuzz_target;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

fn key(seed: u64) -> IdentityKey {
    IdentityKey::generate(&mut ChaCha20Rng::seed_from_u64(seed))
}

fn open_channel(rng: &mut ChaCha20Rng, strange: &[u8]) -> (Frames, Frames) {
    let name = |name: &str| name.parse().expect("a name");
    let context = Context {
        session_id: "s".parse().expect("a session"),
        initiator: name("alice"),
        responder: name("bob"),
        psk: None,
    };
    let (alice, bob) = (key(1), key(2));
    let (first, hello) = Handshake::start(&context, &alice, rng).expect("a hello");
    let (second, answer) = Handshake::answer(&context, &bob, &hello, rng).expect("an answer");
    // For one input in eight, since it takes most of the time.
    if strange.first().is_some_and(|byte| byte % 8 == 0) {
        let _ = Handshake::answer(&context, &bob, strange, rng);
        let (other, hello) = Handshake::start(&context, &alice, rng).expect("a hello");
        assert!(other.prove(&alice, strange, rng).is_err(), "bytes of nobody are an answer");
        let (other, _) = Handshake::answer(&context, &bob, &hello, rng).expect("an answer");
        assert!(other.finish(strange).is_err(), "bytes of nobody are a proof");
    }
    let (proof, opened) = first.prove(&alice, &answer, rng).expect("a proof");
    (opened.frames, second.finish(&proof).expect("a channel").frames)
}

fuzz_target!(|data: &[u8]| {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let (mut alice, mut bob) = open_channel(&mut rng, data);
    let mut received = 0_u8;
    let mut sent = 0_u8;
    let mut carried: Vec<Sealed> = Vec::new();
    for chunk in data.chunks(4) {
        let [what, identifier, number, rest @ ..] = chunk else { break };
        match what % 4 {
            0 if sent < 100 => {
                alice.queue(&vec![sent; usize::from(*identifier) * 100 + 1]).expect("room");
                sent += 1;
                carried.extend(alice.to_send(Window::DATA_CHANNEL));
            }
            1 if !carried.is_empty() => {
                let mut frame = carried[usize::from(*identifier) % carried.len()].clone();
                if let [byte] = rest
                    && *byte != 0
                {
                    let at = usize::from(*number) % frame.data.len();
                    frame.data[at] ^= byte;
                    assert!(bob.receive(&frame).is_err(), "a changed frame opened");
                } else {
                    for message in bob.receive(&frame).expect("an honest frame") {
                        assert!(message.iter().all(|byte| *byte == received), "out of order");
                        received += 1;
                    }
                }
            }
            2 => {
                if let Some(acknowledgement) = bob.take_ack() {
                    assert!(alice.receive(&acknowledgement).expect("an honest one").is_empty());
                    carried.extend(alice.to_send(Window::DATA_CHANNEL));
                }
            }
            _ => {
                let frame = Sealed {
                    number: (*number).into(),
                    acknowledges: identifier % 2 == 0,
                    data: data.to_vec(),
                };
                assert!(bob.receive(&frame).is_err(), "a frame of nobody opened");
            }
        }
    }
});
