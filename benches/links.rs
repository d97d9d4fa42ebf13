//! Throughput of a secure channel: messages a second and MB/s over each carrier, and beside it the
//! bare carrier. With the drivers of the command-line node, real WebRTC and a real server, on this
//! machine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[cfg(target_family = "wasm")]
fn main() {}

#[cfg(not(target_family = "wasm"))]
fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(native::all());
}

#[cfg(not(target_family = "wasm"))]
mod native {
    use std::time::Instant;

    use frostmesh::channel::{Context, Frames, Handshake, Window};
    use frostmesh::identity::IdentityKey;
    use frostmesh::native::{PeerConnection, Socket};
    use frostmesh::node::SocketEvent;
    use frostmesh::node::{Input, Role};
    use frostmesh::random::SystemRng;
    use frostmesh::server::{self, Server};
    use frostmesh::wire::{ClientMessage, PeerId, PeerMessage, RelayData, SessionId};
    use tokio::sync::mpsc;

    /// Size of a message in bytes, number of messages, and the target in messages a second.
    const SIZES: [(usize, usize, f64); 3] =
        [(500, 20_000, 10_000.0), (10_000, 4_000, 1_000.0), (100_000, 500, 100.0)];
    /// Bytes of JSON in one text.
    const PART: usize = 15_000;

    type Send = Box<dyn Fn(&PeerMessage) + std::marker::Send>;

    /// One end of a carrier: texts out, texts in.
    struct End {
        send: Send,
        heard: mpsc::UnboundedReceiver<PeerMessage>,
    }

    pub async fn all() {
        println!("carrier   what       bytes   messages/s       MB/s   to the target   to bare");
        for (size, count, target) in SIZES {
            for (carrier, (mut left, mut right), window, in_flight) in [
                ("direct", direct().await, Window::DATA_CHANNEL, (256, 1024 * 1024)),
                ("relay", relay().await, Window::RELAY, (56, 224 * 1024)),
            ] {
                let mut bare = 0.0;
                for what in ["bare", "link"] {
                    let started = Instant::now();
                    if what == "bare" {
                        over_bare(&mut left, &mut right, size, count, in_flight).await;
                    } else {
                        over_link(&mut left, &mut right, size, count, window).await;
                    }
                    let rate = count as f64 / started.elapsed().as_secs_f64();
                    if what == "bare" {
                        bare = rate;
                    }
                    let megabytes = rate * size as f64 / 1e6;
                    println!(
                        "{carrier:<9} {what:<6} {size:>9} {rate:>12.0} {megabytes:>10.1} {:>15.2} {:>9.2}",
                        rate / target,
                        rate / bare
                    );
                }
            }
        }
    }

    fn session() -> SessionId {
        "bench".parse().unwrap()
    }

    fn names() -> (PeerId, PeerId) {
        ("alice".parse().unwrap(), "bob".parse().unwrap())
    }

    /// Sends plain messages of `size` bytes of JSON, in parts that every WebRTC stack accepts. The
    /// receiver grants more as it reads.
    async fn over_bare(
        left: &mut End,
        right: &mut End,
        size: usize,
        count: usize,
        in_flight: (usize, usize),
    ) {
        let parts = size.div_ceil(PART);
        let (size, count) = (size / parts, count * parts);
        let message =
            PeerMessage::Handshake { session_id: Some(session()), data: vec![7; size / 2] };
        // As much as a secure channel sends, whose frames double in size as hex.
        let window = (in_flight.1 / size).clamp(1, in_flight.0);
        let grant = PeerMessage::Comparing { session_id: None };
        let (mut sent, mut room) = (0, window);
        let mut received = 0;
        while received < count {
            while room > 0 && sent < count {
                (left.send)(&message);
                sent += 1;
                room -= 1;
            }
            tokio::select! {
                heard = right.heard.recv() => {
                    assert!(matches!(heard, Some(PeerMessage::Handshake { .. })));
                    received += 1;
                    (right.send)(&grant);
                }
                heard = left.heard.recv() => {
                    assert!(heard.is_some());
                    room += 1;
                }
            }
        }
        while room < window {
            left.heard.recv().await.unwrap();
            room += 1;
        }
    }

    /// Sends the same messages over a secure channel: sealed, acknowledged, in order.
    async fn over_link(left: &mut End, right: &mut End, size: usize, count: usize, window: Window) {
        let (mut from, mut to) = linked();
        let message = vec![b'7'; size];
        let session_id = Some(session());
        let (mut said, mut received) = (0, 0);
        while received < count || from.is_waiting() {
            while said < count && from.queue(&message).is_ok() {
                said += 1;
                if said - received >= 128 {
                    break; // keep the queue short
                }
            }
            for frame in from.to_send(window) {
                (left.send)(&PeerMessage::Frame { session_id: session_id.clone(), frame });
            }
            tokio::select! {
                heard = right.heard.recv() => {
                    let Some(PeerMessage::Frame { frame, .. }) = heard else { panic!("no frame came") };
                    for message in to.receive(&frame).unwrap() {
                        assert_eq!(message.len(), size);
                        received += 1;
                    }
                    if let Some(frame) = to.take_ack() {
                        (right.send)(&PeerMessage::Frame { session_id: session_id.clone(), frame });
                    }
                }
                heard = left.heard.recv() => {
                    let Some(PeerMessage::Frame { frame, .. }) = heard else { panic!("no frame came") };
                    from.receive(&frame).unwrap();
                }
            }
        }
    }

    /// Both ends of an open secure channel.
    fn linked() -> (Frames, Frames) {
        let mut rng = SystemRng;
        let (alice, bob) = (IdentityKey::generate(&mut rng), IdentityKey::generate(&mut rng));
        let (initiator, responder) = names();
        let context = Context { session_id: session(), initiator, responder, psk: None };
        let (first, hello) = Handshake::start(&context, &alice, &mut rng).unwrap();
        let (second, answer) = Handshake::answer(&context, &bob, &hello, &mut rng).unwrap();
        let (proof, opened) = first.prove(&alice, &answer, &mut rng).unwrap();
        (opened.frames, second.finish(&proof).unwrap().frames)
    }

    /// A data channel between two connections of this machine.
    async fn direct() -> (End, End) {
        let (alice, bob) = names();
        let (happened, mut happenings) = mpsc::unbounded_channel();
        let open = |peer: PeerId, role, side: usize| {
            let happened = happened.clone();
            PeerConnection::open(peer, 1, role, Vec::new(), move |input| {
                drop(happened.send((side, input)))
            })
        };
        let connections = [open(bob, Role::Offerer, 0), open(alice, Role::Answerer, 1)];
        let (ears, heard): (Vec<_>, Vec<_>) = (0..2).map(|_| mpsc::unbounded_channel()).unzip();
        let mut opened = 0;
        while opened < 2 {
            match happenings.recv().await.unwrap() {
                (side, Input::LocalDescription { sdp, .. }) => {
                    connections[1 - side].remote_description(sdp)
                }
                (side, Input::LocalCandidate { candidate, .. }) => {
                    connections[1 - side].remote_candidate(candidate)
                }
                (_, Input::DataChannelOpened { .. }) => opened += 1,
                (_, Input::ConnectionClosed { reason, .. }) => panic!("{reason}"),
                _ => {}
            }
        }
        tokio::spawn(async move {
            while let Some((side, input)) = happenings.recv().await {
                if let Input::DataChannelText { text, .. } = input {
                    let _ = ears[side].send(PeerMessage::parse(&text).unwrap().0);
                }
            }
        });
        ends(heard, connections.map(|c| -> Send { Box::new(move |m| c.send(m.to_text())) }))
    }

    /// Two sockets to a server of this machine.
    async fn relay() -> (End, End) {
        let config = server::Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            www: None,
            limits: server::Limits::default(),
        };
        let server = Server::bind(config).await.unwrap();
        let url = format!("ws://{}", server.local_addr());
        tokio::spawn(server.run(std::future::pending()));
        let (alice, bob) = names();
        let (ears, heard): (Vec<_>, Vec<_>) = (0..2).map(|_| mpsc::unbounded_channel()).unzip();
        let mut sends: Vec<Send> = Vec::new();
        for ((me, other), ear) in [(alice.clone(), bob.clone()), (bob, alice)].into_iter().zip(ears)
        {
            let (registered, mut wait) = mpsc::unbounded_channel();
            let socket = Socket::open(url.clone(), move |input| match input {
                SocketEvent::Text(text) => {
                    match frostmesh::wire::ServerMessage::parse(&text).unwrap() {
                        frostmesh::wire::ServerMessage::Relay { data, .. } => {
                            let _ = ear.send(PeerMessage::parse(data.get()).unwrap().0);
                        }
                        frostmesh::wire::ServerMessage::Error { error, .. } => panic!("{error}"),
                        frostmesh::wire::ServerMessage::Peers { .. } => drop(registered.send(())),
                    }
                }
                SocketEvent::Closed { reason } => panic!("{reason}"),
                SocketEvent::Opened => {}
            });
            socket.send(
                ClientMessage::Register { peer_id: me, protocol: Some(1), claim: None }.to_json(),
            );
            socket.send(ClientMessage::ListPeers.to_json());
            wait.recv().await.unwrap();
            sends.push(Box::new(move |message| {
                let data = RelayData::Peer(message.clone(), None).to_raw();
                socket.send(ClientMessage::Relay { to: other.clone(), data }.to_json());
            }));
        }
        ends(heard, sends.try_into().ok().unwrap())
    }

    fn ends(heard: Vec<mpsc::UnboundedReceiver<PeerMessage>>, sends: [Send; 2]) -> (End, End) {
        let mut ends = sends.into_iter().zip(heard).map(|(send, heard)| End { send, heard });
        (ends.next().unwrap(), ends.next().unwrap())
    }
}
