//! The browser's side of the node, in a real browser: WebRTC, IndexedDB, key generation, the
//! keystore. Run by `cargo xtask test wasm`, which is `wasm-pack test --headless --chrome`.
#![cfg(target_family = "wasm")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use frostmesh::browser::{PeerConnection, Store};
use frostmesh::frost::{Round1, Suite};
use frostmesh::identity::{Contacts, IdentityKey};
use frostmesh::keystore::{
    KdfParams, Keystore, KeystoreError, Kind, WalletInfo, WalletRecord, WalletRoster,
};
use frostmesh::node::{
    Command, Config, Event, Input, Node, Output, Role, SocketEvent, StoreRequest, Timestamp,
};
use frostmesh::random::SystemRng;
use frostmesh::wire::{ClientMessage, PeerId, ServerMessage};
use gloo_timers::future::TimeoutFuture;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use zeroize::Zeroizing;

wasm_bindgen_test_configure!(run_in_browser);

type Inputs = Rc<RefCell<Vec<Input>>>;

fn id(name: &str) -> PeerId {
    name.parse().unwrap()
}

fn connection(role: Role, inputs: &Inputs) -> PeerConnection {
    let inputs = inputs.clone();
    PeerConnection::open(
        id("peer"),
        1,
        role,
        &[],
        Rc::new(move |input| inputs.borrow_mut().push(input)),
    )
    .unwrap()
}

/// Moves descriptions and candidates between two ends until `done`, for 10 seconds at the most.
async fn until(
    ends: [(&PeerConnection, &Inputs); 2],
    mut done: impl FnMut(&[Vec<String>; 2]) -> bool,
) -> [Vec<String>; 2] {
    let mut heard = [Vec::new(), Vec::new()];
    for _ in 0..2_000 {
        for (from, to) in [(0, 1), (1, 0)] {
            let inputs: Vec<Input> = ends[from].1.borrow_mut().drain(..).collect();
            for input in inputs {
                match input {
                    Input::LocalDescription { sdp, .. } => ends[to].0.remote_description(sdp),
                    Input::LocalCandidate { candidate, .. } => {
                        ends[to].0.remote_candidate(&candidate)
                    }
                    Input::DataChannelOpened { .. } => heard[from].push("open".to_owned()),
                    Input::DataChannelText { text, .. } => heard[from].push(text.to_string()),
                    Input::ConnectionClosed { reason, .. } => {
                        heard[from].push(format!("closed: {reason}"))
                    }
                    _ => {}
                }
            }
        }
        if done(&heard) {
            return heard;
        }
        TimeoutFuture::new(5).await;
    }
    panic!("not done in time: {heard:?}");
}

#[wasm_bindgen_test]
async fn two_ends_connect_and_talk() {
    let (a, b) = (Inputs::default(), Inputs::default());
    let (offerer, answerer) = (connection(Role::Offerer, &a), connection(Role::Answerer, &b));
    let ends = [(&offerer, &a), (&answerer, &b)];
    until(ends, |heard| heard.iter().all(|h| h.contains(&"open".to_owned()))).await;
    offerer.send("from the offerer");
    answerer.send("from the answerer");
    let heard = until(ends, |heard| heard.iter().all(|h| !h.is_empty())).await;
    assert_eq!(heard, [vec!["from the answerer".to_owned()], vec!["from the offerer".to_owned()]]);
}

#[wasm_bindgen_test]
async fn what_was_sent_arrives_though_the_connection_is_dropped_at_once() {
    let (a, b) = (Inputs::default(), Inputs::default());
    let (offerer, answerer) = (connection(Role::Offerer, &a), connection(Role::Answerer, &b));
    until([(&offerer, &a), (&answerer, &b)], |heard| {
        heard.iter().all(|h| h.contains(&"open".to_owned()))
    })
    .await;
    offerer.send("last words");
    drop(offerer);
    for _ in 0..1_000 {
        let last = |i: &Input| matches!(i, Input::DataChannelText { text, .. } if text.as_str() == "last words");
        if b.borrow().iter().any(last) {
            return;
        }
        TimeoutFuture::new(5).await;
    }
    panic!("the last words did not arrive");
}

#[wasm_bindgen_test]
async fn a_description_that_is_none_closes_the_attempt_with_a_reason() {
    let inputs = Inputs::default();
    let answerer = connection(Role::Answerer, &inputs);
    answerer.remote_description("v=0\r\nnonsense".to_owned());
    for _ in 0..1_000 {
        let closed =
            |i: &Input| matches!(i, Input::ConnectionClosed { reason, .. } if !reason.is_empty());
        if inputs.borrow().iter().any(closed) {
            return;
        }
        TimeoutFuture::new(5).await;
    }
    panic!("nothing was reported");
}

/// Objects of JavaScript that wasm holds on to, and pages of its memory.
fn held() -> (u32, usize) {
    (wasm_bindgen::externref_heap_live_count(), core::arch::wasm32::memory_size(0))
}

#[wasm_bindgen_test]
async fn opening_and_closing_200_connections_leaves_no_growth() {
    async fn once() {
        let (a, b) = (Inputs::default(), Inputs::default());
        let (offerer, answerer) = (connection(Role::Offerer, &a), connection(Role::Answerer, &b));
        until([(&offerer, &a), (&answerer, &b)], |heard| {
            heard.iter().all(|h| h.contains(&"open".to_owned()))
        })
        .await;
    }
    for _ in 0..5 {
        once().await;
    }
    TimeoutFuture::new(1_500).await; // closing sends what is left first
    let before = held();
    for _ in 0..100 {
        once().await; // two connections each
    }
    TimeoutFuture::new(1_500).await;
    let after = held();
    assert!(
        after.0 <= before.0 + 4,
        "JavaScript objects held: {} before, {} after",
        before.0,
        after.0
    );
    assert!(after.1 <= before.1 + 1, "pages of memory: {} before, {} after", before.1, after.1);
}

fn key(me: u16, rounds: &mut BTreeMap<u16, Box<dyn Round1>>) -> Vec<u8> {
    let round1 = Suite::default().start(me, 3, 2, &mut SystemRng).unwrap();
    let package = round1.package().to_vec();
    rounds.insert(me, round1);
    package
}

#[wasm_bindgen_test]
fn three_participants_make_one_key() {
    let mut rounds = BTreeMap::new();
    let commitments: BTreeMap<u16, Vec<u8>> =
        (1..=3).map(|me| (me, key(me, &mut rounds))).collect();
    let mut shares: BTreeMap<u16, BTreeMap<u16, Zeroizing<Vec<u8>>>> = BTreeMap::new();
    let mut second = BTreeMap::new();
    for (me, round1) in rounds {
        let others = commitments
            .iter()
            .filter(|(from, _)| **from != me)
            .map(|(k, v)| (*k, v.clone()))
            .collect();
        let Ok((round2, outgoing)) = round1.advance(&others) else { panic!("round 2 of {me}") };
        for (to, share) in outgoing {
            shares.entry(to).or_default().insert(me, share);
        }
        second.insert(me, round2);
    }
    let keys: Vec<String> = second
        .into_iter()
        .map(|(me, round2)| match round2.finish(&shares[&me]) {
            Ok(key) => key.pubkey,
            Err((_, fault)) => panic!("{fault}"),
        })
        .collect();
    assert!(keys.iter().all(|k| *k == keys[0] && k.len() == 66), "{keys:?}");
}

fn record() -> WalletRecord {
    let info = WalletInfo {
        name: None,
        pubkey: "02ab".to_owned(),
        session_id: "session".parse().unwrap(),
        ciphersuite: Suite::default().id().to_owned(),
        threshold: 2,
        total: 2,
        participants: vec![id("a"), id("b")],
        roster: WalletRoster::numbered([id("a"), id("b")]),
        identifier: 1,
        verified: false,
        created: 1,
    };
    WalletRecord {
        info,
        key_package: Zeroizing::new(vec![7; 40]),
        public_key_package: vec![8; 90],
        certificate: None,
    }
}

/// Makes the database as version 1 of it was, with a setting in it.
const OLD_DATABASE: &str = r#"new Promise((resolve, reject) => {
    const request = indexedDB.open("frostmesh", 1);
    request.onupgradeneeded = () => {
        for (const name of ["keystore", "wallets", "unconfirmed", "settings"]) request.result.createObjectStore(name);
        request.transaction.objectStore("settings").put("from before", "old");
    };
    request.onsuccess = () => { request.result.close(); resolve(); };
    request.onerror = () => reject(request.error);
})"#;

#[wasm_bindgen_test]
async fn keys_are_kept_sealed_and_confirmed_in_one_step() {
    let old: js_sys::Promise = js_sys::eval(OLD_DATABASE).unwrap().into();
    wasm_bindgen_futures::JsFuture::from(old).await.unwrap();
    let store = Store::open().await.unwrap();
    assert_eq!(
        store.setting("old").await.unwrap().as_deref(),
        Some("from before"),
        "what was there stays"
    );
    let keystore = Keystore::create("secret", KdfParams::FLOOR, &mut SystemRng).unwrap();
    let envelope = keystore.envelope(&mut SystemRng).unwrap();
    store.create(Kind::Keystore, &envelope).await.unwrap();
    assert!(
        store.create(Kind::Keystore, &envelope).await.is_err(),
        "a second keystore must not replace the first"
    );
    assert_eq!(store.only(Kind::Keystore).await.unwrap(), Some(envelope.clone()));

    let record = record();
    let sealed = keystore.seal_record(Kind::Unconfirmed, &record, &mut SystemRng).unwrap();
    store.put(Kind::Unconfirmed, "02ab", &sealed).await.unwrap();
    assert_eq!(store.all(Kind::Unconfirmed).await.unwrap(), vec![sealed.clone()]);
    assert!(store.all(Kind::Wallet).await.unwrap().is_empty());

    let unlocked = Keystore::unlock(&envelope, "secret").unwrap();
    let opened: WalletRecord = unlocked.open_record(Kind::Unconfirmed, &sealed).unwrap();
    assert_eq!(opened.key_package, record.key_package);
    assert_eq!(Keystore::unlock(&envelope, "wrong").err(), Some(KeystoreError::WrongPassword));

    let active = unlocked.seal_record(Kind::Wallet, &opened, &mut SystemRng).unwrap();
    store.confirm("02ab", &active).await.unwrap();
    assert!(store.all(Kind::Unconfirmed).await.unwrap().is_empty());
    assert_eq!(store.envelope(Kind::Wallet, "02ab").await.unwrap(), Some(active));

    let identity = IdentityKey::generate(&mut SystemRng);
    let sealed = keystore.seal_identity(&identity, &mut SystemRng).unwrap();
    assert_eq!(store.only(Kind::Identity).await.unwrap(), None);
    store.create(Kind::Identity, &sealed).await.unwrap();
    assert!(
        store.create(Kind::Identity, &sealed).await.is_err(),
        "a second identity must not replace the first"
    );
    let kept = store.only(Kind::Identity).await.unwrap().unwrap();
    assert_eq!(unlocked.open_identity(&kept).unwrap().identity(), identity.identity());

    for text in ["earlier", "later"] {
        store.replace(Kind::Contacts, text.as_bytes()).await.unwrap();
    }
    assert_eq!(store.only(Kind::Contacts).await.unwrap().as_deref(), Some(b"later".as_slice()));
    store.put(Kind::Evidence, "hash", b"sealed").await.unwrap();
    assert_eq!(store.all(Kind::Evidence).await.unwrap(), vec![b"sealed".to_vec()]);

    store.set_setting("connection", "text").await.unwrap();
    assert_eq!(store.setting("connection").await.unwrap().as_deref(), Some("text"));
    assert_eq!(store.setting("nothing").await.unwrap(), None);
}

/// A node under test: real WebRTC, and what it stored.
struct End {
    name: PeerId,
    node: Node,
    inputs: Inputs,
    peers: BTreeMap<(PeerId, u32), PeerConnection>,
    created: Option<String>,
}

/// One that takes the others at their word: there is no person here to compare words.
fn new_node() -> Node {
    let config = Config { trust_first_use: true, ..Config::default() };
    Node::new(config, IdentityKey::generate(&mut SystemRng), Contacts::default(), SystemRng)
}

/// The whole node, links and all, on the browser's own WebRTC, with the signaling server's part
/// played by this loop.
#[wasm_bindgen_test]
async fn three_nodes_in_one_page_make_a_key_over_real_channels() {
    let names = ["ann", "ben", "cid"].map(id);
    let now = || Timestamp::from_millis(js_sys::Date::now() as u64);
    let mut ends: Vec<End> = names
        .iter()
        .map(|name| End {
            name: name.clone(),
            node: new_node(),
            inputs: Inputs::default(),
            peers: BTreeMap::new(),
            created: None,
        })
        .collect();
    for end in &mut ends {
        let connect =
            Command::Connect { server_url: "ws://test".to_owned(), peer_id: end.name.clone() };
        end.node.handle(now(), Input::Command(connect)).unwrap();
    }
    let mut proposed = false;
    for _ in 0..4_000 {
        for i in 0..ends.len() {
            let inputs: Vec<Input> = ends[i].inputs.borrow_mut().drain(..).collect();
            for input in inputs {
                ends[i].node.handle(now(), input).unwrap();
            }
            ends[i].node.handle(now(), Input::Tick).unwrap();
            while let Some(output) = ends[i].node.poll() {
                carry_out(&mut ends, i, output, &names, now());
            }
        }
        if !proposed
            && ends
                .iter()
                .all(|e| e.node.view().connection.state == frostmesh::node::ConnectionState::Online)
        {
            proposed = true;
            let propose = Command::Propose {
                suite: frostmesh::frost::Suite::default(),
                session_id: "s".parse().unwrap(),
                participants: names.to_vec(),
                threshold: 2,
                allow_unverified: false,
            };
            ends[0].node.handle(now(), Input::Command(propose)).unwrap();
        }
        if ends.iter().all(|e| e.created.is_some()) {
            assert!(ends.iter().all(|e| e.created == ends[0].created));
            return;
        }
        TimeoutFuture::new(2).await;
    }
    panic!("no key: {:?}", ends.iter().map(|e| e.node.view()).collect::<Vec<_>>());
}

fn carry_out(ends: &mut [End], i: usize, output: Output, names: &[PeerId], now: Timestamp) {
    let put = |end: &End, input| end.inputs.borrow_mut().push(input);
    match output {
        Output::OpenServer { server, .. } => put(&ends[i], SocketEvent::Opened.of(server)),
        Output::SendServer { server, text } => match ClientMessage::parse(&text).unwrap() {
            ClientMessage::Register { .. } => {}
            ClientMessage::ListPeers => {
                let text = ServerMessage::Peers { peers: names.to_vec() }.to_json();
                put(&ends[i], SocketEvent::Text(text).of(server));
            }
            ClientMessage::Relay { to, data } => {
                let text = ServerMessage::Relay { from: ends[i].name.clone(), data }.to_json();
                let target = ends.iter().find(|e| e.name == to).unwrap();
                put(target, SocketEvent::Text(text).of(server));
            }
        },
        Output::OpenConnection { peer, attempt, role } => {
            let inputs = ends[i].inputs.clone();
            let report = Rc::new(move |input| inputs.borrow_mut().push(input));
            let connection =
                PeerConnection::open(peer.clone(), attempt, role, &[], report).unwrap();
            ends[i].peers.insert((peer, attempt), connection);
        }
        Output::RemoteDescription { peer, attempt, sdp } => {
            ends[i].peers[&(peer, attempt)].remote_description(sdp)
        }
        Output::RemoteCandidate { peer, attempt, candidate } => {
            ends[i].peers[&(peer, attempt)].remote_candidate(&candidate);
        }
        Output::SendDataChannel { peer, attempt, text } => {
            ends[i].peers[&(peer, attempt)].send(text.as_str());
        }
        Output::CloseConnection { peer, attempt } => drop(ends[i].peers.remove(&(peer, attempt))),
        Output::Store { session_id, request } => {
            if let StoreRequest::Confirm { certificate, .. } = request {
                assert!(certificate.is_some(), "everyone was verified, so everyone signs");
            }
            put(&ends[i], Input::Stored { session_id, result: Ok(()) });
        }
        Output::Event(Event::Proposed { session_id, peer_id, .. }) if peer_id != ends[i].name => {
            let accept = Command::Accept { session_id, allow_unverified: false };
            ends[i].node.handle(now, Input::Command(accept)).unwrap();
        }
        Output::Event(Event::WalletCreated { pubkey, .. }) => ends[i].created = Some(pubkey),
        Output::Event(Event::Aborted { reason, .. }) => panic!("{}", reason.text),
        _ => {}
    }
}
