//! Many signatures with one request: one vote, one ceremony, one entry of the audit log for all of
//! them; and members that lie about one of them.

use std::time::Instant;

use frostmesh::audit::Body;
use frostmesh::content::Content;
use frostmesh::frost::{Identifier, Nonces, Suite};
use frostmesh::group::{
    CeremonyId, GROUP_VERSION, GroupMessage, MAX_ITEMS, Operation, OperationError, Outcome,
    Request, RequestId, RoundMessage, SignTask, Vote,
};
use frostmesh::identity::Signature;
use frostmesh::node::{Command, Event, Input, RequestState};
use frostmesh::wire::PeerId;

use crate::group::{Group, hashes, id_of, text};
use crate::stage::Stage;

#[test]
fn twenty_hashes_are_signed_with_one_vote_and_one_ceremony() {
    for suite in Suite::all() {
        let mut group = Group::new(3, 2, 43, suite);
        let id = group.ask_for_hashes(0, 20);
        group.world.run_for(1_000);
        assert_eq!(group.requests(2)[0].contents.len(), 20, "everyone sees all of them");
        group.vote(2, &id, true);
        assert!(group.world.run_until_true(|w| (0..3).all(|s| Group::is_signed(w, s, &id))));
        group.world.run_for(1_000); // until everything is on disk
        group.check_trails();
        for seat in 0..3 {
            let request = &group.requests(seat)[0];
            assert_eq!((request.kind, request.signatures.len()), ("batch", 20));
            let log = group.trail(seat);
            let of_it = |body: &&Body| match body {
                Body::Commit { request, .. } => *request == Some(id_of(&id)),
                Body::Signed { request, signatures, .. } => {
                    *request == id_of(&id) && signatures.len() == 20
                }
                _ => false,
            };
            let expected = if seat == 1 { 1 } else { 2 };
            assert_eq!(log.iter().filter(of_it).count(), expected, "one entry for all of them");
        }
        let told = group.world.seats[2].events.iter().find_map(|(_, event)| match event {
            Event::Signature { digest, signature, signatures, .. } => {
                Some((digest.clone(), signature.clone(), signatures.clone()))
            }
            _ => None,
        });
        let (digest, signature, signatures) = told.unwrap();
        assert_eq!(signatures.len(), 20);
        assert_eq!(
            (digest, signature),
            (signatures[0].digest.clone(), signatures[0].signature.clone())
        );
    }
}

#[test]
fn different_contents_are_signed_with_one_request_in_their_order() {
    let mut group = Group::new(2, 2, 47, Suite::default());
    let hash = Content::read("hash", &"ab".repeat(32), None).unwrap();
    let contents = vec![text("first"), hash, text("first")];
    let operation = Operation::Sign(SignTask::new(contents).unwrap());
    let command = Command::Request { pubkey: group.pubkey.clone(), operation, lifetime: 3_600 };
    group.world.command(1, command).unwrap();
    let id = group.requests(1)[0].id.clone();
    group.world.run_for(1_000);
    let kinds: Vec<&str> = group.requests(0)[0].contents.iter().map(|c| c.kind).collect();
    assert_eq!(kinds, ["text", "hash", "text"]);
    group.vote(0, &id, true);
    assert!(group.world.run_until_true(|w| (0..2).all(|s| Group::is_signed(w, s, &id))));
    group.check_trails();
    let signatures = &group.requests(0)[0].signatures;
    assert_eq!(signatures[0].digest, signatures[2].digest);
    assert_ne!(signatures[0].signature, signatures[2].signature, "each has nonces of its own");
}

/// A thousand with eight signers: the commitments of all of them do not fit into one message.
#[test]
fn a_thousand_hashes_are_signed_by_eight() {
    const ITEMS: usize = 1_000;
    let mut group = Group::new(8, 8, 53, Suite::default());
    group.world.record = Some(Vec::new());
    let started = Instant::now();
    let id = group.ask_for_hashes(0, ITEMS);
    group.world.run_for(3_000);
    for seat in 1..8 {
        group.vote(seat, &id, true);
    }
    group.world.run_for(20_000);
    assert!((0..8).all(|seat| Group::is_signed(&group.world, seat, &id)));
    let time = started.elapsed();
    let sent: usize = group.world.record.take().unwrap().iter().map(|sent| sent.text.len()).sum();
    println!(
        "{ITEMS} items, 8 of 8: {:.2} ms and {} bytes on the wire an item, all nodes together",
        time.as_secs_f64() * 1_000.0 / ITEMS as f64,
        sent / ITEMS
    );
    group.check_trails();
}

// ---- what cannot be asked for ----

#[test]
fn what_is_too_much_is_refused_before_anything_is_asked() {
    let hash = |n: usize| Content::read("hash", &format!("{n:064x}"), None).unwrap();
    let of = |count: usize| SignTask::new((0..count).map(hash).collect());
    assert!(of(MAX_ITEMS).is_ok());
    assert_eq!(of(0), Err(OperationError::Items(0)));
    assert_eq!(of(MAX_ITEMS + 1), Err(OperationError::Items(MAX_ITEMS + 1)));
    let large = SignTask::new((0..8).map(|_| text(&"x".repeat(64 * 1024))).collect());
    assert!(matches!(large, Err(OperationError::TooLarge { .. })));
    let most = Operation::Sign(of(MAX_ITEMS).unwrap());
    assert!(most.check_signers(24).is_ok());
    assert!(matches!(most.check_signers(25), Err(OperationError::Signers { .. })));
    for bad in ["", "{}", "[]", "[{\"kind\":\"hash\",\"content\":\"00\"}]", "[1,2]"] {
        assert_eq!(Operation::read("batch", bad, None), Err(OperationError::Batch), "{bad}");
    }
    let one = format!("{{\"kind\":\"hash\",\"content\":\"{}\"}}", "00".repeat(32));
    let nested = "{\"kind\":\"batch\",\"content\":\"[]\"}";
    let nested = Operation::read("batch", &format!("[{one},{nested}]"), None);
    assert!(matches!(nested, Err(OperationError::OneOf { number: 2, total: 2, .. })));
    let many = format!("[{}]", vec![one; MAX_ITEMS + 1].join(","));
    assert_eq!(Operation::read("batch", &many, None), Err(OperationError::Items(MAX_ITEMS + 1)));
}

#[test]
fn operations_are_read_as_they_were_written() {
    for count in [1, 2, 20, MAX_ITEMS] {
        let operation = hashes(count);
        let read = Operation::read(operation.kind(), &operation.written(), None).unwrap();
        assert_eq!(read, operation);
        assert_eq!(read.version(), if count == 1 { 1 } else { 2 });
    }
}

// ---- liars ----

/// Alice and bob have approved a request of bob's.
fn approved(stage: &mut Stage, operation: &Operation) -> RequestId {
    let id = stage.ask_for("bob", operation);
    let bobs = stage.vote_of("bob", "bob", id, true);
    stage.say("bob", &GroupMessage::Vote(bobs));
    stage.alice_votes(id, true);
    stage.write(99);
    stage.hear();
    id
}

/// Alice's commitments in a ceremony of bob's.
fn begun(stage: &mut Stage, id: RequestId, ceremony: CeremonyId) -> Vec<Vec<u8>> {
    stage.begin("bob", ceremony, Some(id), &["alice", "bob"], vec![]);
    let heard = stage.hear();
    let commitments = heard.into_iter().find_map(|(_, message)| match message {
        GroupMessage::Round { message: RoundMessage::SigningCommitments(all), .. } => Some(all),
        _ => None,
    });
    commitments.expect("alice commits")
}

fn bobs_commitments(stage: &mut Stage, count: usize) -> (Vec<Nonces>, Vec<Vec<u8>>) {
    let bob = &stage.others[&"bob".parse::<PeerId>().unwrap()];
    (0..count).map(|_| bob.share.commit(&mut stage.rng).unwrap()).unzip()
}

/// The commitments of alice and bob, item by item.
fn both(alices: &[Vec<u8>], bobs: &[Vec<u8>]) -> Vec<Vec<u8>> {
    alices.iter().zip(bobs).flat_map(|(a, b)| [a.clone(), b.clone()]).collect()
}

fn part(ceremony: CeremonyId, first: usize, commitments: &[Vec<u8>]) -> GroupMessage {
    let commitments = commitments.to_vec();
    let message = RoundMessage::SigningPackage { first, commitments };
    GroupMessage::Round { ceremony, message }
}

fn shares(stage: &mut Stage) -> Vec<Vec<Vec<u8>>> {
    stage.write(99);
    let heard = stage.hear();
    let share = |(_, message)| match message {
        GroupMessage::Round { message: RoundMessage::SignatureShares(all), .. } => Some(all),
        _ => None,
    };
    heard.into_iter().filter_map(share).collect()
}

#[test]
fn a_package_in_parts_gives_all_shares_once_it_is_whole() {
    let mut stage = Stage::new(3, 2);
    let id = approved(&mut stage, &hashes(5));
    let alices = begun(&mut stage, id, [1; 16]);
    let (_, bobs) = bobs_commitments(&mut stage, 5);
    let all = both(&alices, &bobs);
    stage.say("bob", &part([1; 16], 0, &all[..4]));
    assert!(shares(&mut stage).is_empty());
    stage.say("bob", &part([1; 16], 2, &all[4..8]));
    assert!(shares(&mut stage).is_empty());
    stage.say("bob", &part([1; 16], 4, &all[8..]));
    let given = shares(&mut stage);
    assert_eq!(given.len(), 1);
    assert_eq!(given[0].len(), 5);
    stage.say("bob", &part([1; 16], 0, &all));
    assert!(shares(&mut stage).is_empty(), "the nonces are gone");
}

#[test]
fn parts_that_do_not_follow_each_other_use_the_nonces_up() {
    let mut stage = Stage::new(3, 2);
    let id = approved(&mut stage, &hashes(4));
    let mut ceremony = 0;
    // Out of order, with a gap, a repeat, more than all, half an item, nothing.
    let tries: [&[(usize, std::ops::Range<usize>)]; 6] = [
        &[(2, 4..8)],
        &[(0, 0..2), (2, 4..8)],
        &[(0, 0..2), (0, 0..2)],
        &[(0, 0..4), (2, 2..8)],
        &[(0, 0..3)],
        &[(0, 0..0)],
    ];
    for parts in tries {
        ceremony += 1;
        let name = [ceremony; 16];
        let alices = begun(&mut stage, id, name);
        let (_, bobs) = bobs_commitments(&mut stage, 4);
        let all = both(&alices, &bobs);
        for (first, range) in parts {
            stage.say("bob", &part(name, *first, &all[range.clone()]));
        }
        let refused = stage.refusals();
        let why = "has sent another number of commitments than there are signers";
        assert_eq!(refused, [why], "{parts:?}");
        stage.say("bob", &part(name, 0, &all));
        assert!(shares(&mut stage).is_empty(), "{parts:?}");
    }
}

#[test]
fn other_commitments_in_alices_name_for_one_item_give_no_share_of_any() {
    let mut stage = Stage::new(3, 2);
    let id = approved(&mut stage, &hashes(3));
    let mut alices = begun(&mut stage, id, [1; 16]);
    let (_, bobs) = bobs_commitments(&mut stage, 3);
    alices.swap(1, 2);
    stage.say("bob", &part([1; 16], 0, &both(&alices, &bobs)));
    assert_eq!(stage.refusals(), ["has sent other commitments than this node's for it"]);
    let mut bad = begun(&mut stage, id, [2; 16]);
    let (_, mut bobs) = bobs_commitments(&mut stage, 3);
    bobs[2] = vec![7; 71];
    stage.say("bob", &part([2; 16], 0, &both(&bad, &bobs)));
    let refused = stage.refusals();
    assert!(
        refused[0].starts_with("has sent commitments of bob that cannot be used"),
        "{refused:?}"
    );
    bad.clear();
    assert!(shares(&mut stage).is_empty());
}

/// Alice coordinates a request of her own with bob.
struct Coordinated {
    stage: Stage,
    ceremony: CeremonyId,
    alices: Vec<Vec<u8>>,
}

const ITEMS: usize = 4;

fn coordinated() -> Coordinated {
    let mut stage = Stage::new(2, 2);
    let pubkey = stage.record.info.pubkey.clone();
    let command = Command::Request { pubkey, operation: hashes(ITEMS), lifetime: 3_600 };
    stage.input(Input::Command(command));
    let id = id_of(&stage.node.as_ref().unwrap().view().groups[0].requests[0].id);
    stage.write(99);
    let bobs = stage.vote_of("bob", "bob", id, true);
    stage.say("bob", &GroupMessage::Vote(bobs));
    stage.write(99);
    let heard = stage.hear();
    let start = heard.into_iter().find_map(|(_, message)| match message {
        GroupMessage::Start { ceremony, request, .. } if request == Some(id) => Some(ceremony),
        _ => None,
    });
    Coordinated { stage, ceremony: start.expect("bob is asked"), alices: Vec::new() }
}

impl Coordinated {
    fn say(&mut self, message: RoundMessage) {
        let ceremony = self.ceremony;
        self.stage.say("bob", &GroupMessage::Round { ceremony, message });
        self.stage.write(99);
    }

    /// Bob's shares, as an honest bob makes them.
    fn bobs_shares(&mut self, nonces: Vec<Nonces>, bobs: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let heard = self.stage.hear();
        let package = heard.into_iter().find_map(|(_, message)| match message {
            GroupMessage::Round {
                message: RoundMessage::SigningPackage { first: 0, commitments },
                ..
            } => Some(commitments),
            _ => None,
        });
        let package = package.expect("bob gets everyone's commitments");
        assert_eq!(package.len(), 2 * ITEMS);
        let (alice, bob) = (self.stage.identifier("alice"), self.stage.identifier("bob"));
        let Operation::Sign(task) = hashes(ITEMS);
        let share = &self.stage.others[&"bob".parse::<PeerId>().unwrap()].share;
        let mut shares = Vec::new();
        for (index, nonces) in nonces.into_iter().enumerate() {
            assert_eq!(package[2 * index + 1], bobs[index]);
            self.alices.push(package[2 * index].clone());
            let pair: [(Identifier, Vec<u8>); 2] =
                [(alice, package[2 * index].clone()), (bob, package[2 * index + 1].clone())];
            let message = task.items()[index].message;
            shares.push(share.sign(nonces, &pair.into(), &message).unwrap());
        }
        shares
    }

    /// Why alice's ceremony failed, and whom she names for it in her log.
    fn blamed(&self) -> Option<(String, Option<Identifier>)> {
        self.stage.trail.iter().rev().find_map(|entry| match entry.read().unwrap() {
            Body::Aborted { request: Some(_), reason, culprit } => Some((reason, culprit)),
            _ => None,
        })
    }

    fn state(&self) -> RequestState {
        self.stage.node.as_ref().unwrap().view().groups[0].requests[0].state
    }
}

#[test]
fn a_bad_share_of_one_item_names_its_sender_and_nothing_is_signed() {
    for bad in [None, Some(0), Some(2)] {
        let mut run = coordinated();
        let (nonces, bobs) = bobs_commitments(&mut run.stage, ITEMS);
        run.say(RoundMessage::SigningCommitments(bobs.clone()));
        let mut shares = run.bobs_shares(nonces, &bobs);
        if let Some(item) = bad {
            shares[item][31] ^= 1;
        }
        run.say(RoundMessage::SignatureShares(shares));
        let Some(item) = bad else {
            assert_eq!(run.state(), RequestState::Signed);
            continue;
        };
        assert_eq!(run.state(), RequestState::Approved);
        let (reason, culprit) = run.blamed().unwrap();
        assert_eq!(culprit, Some(run.stage.identifier("bob")));
        let expected = format!("item {} of {ITEMS}: the signature share does not verify", item + 1);
        assert_eq!(reason, expected);
    }
}

#[test]
fn another_number_of_values_than_items_names_its_sender() {
    for count in [0, 1, ITEMS - 1, ITEMS + 1] {
        let mut run = coordinated();
        let (_, bobs) = bobs_commitments(&mut run.stage, count);
        run.say(RoundMessage::SigningCommitments(bobs));
        let (reason, culprit) = run.blamed().unwrap();
        assert_eq!(reason, format!("sent {count} commitments, where {ITEMS} are needed"));
        assert_eq!(culprit, Some(run.stage.identifier("bob")));
    }
    let mut run = coordinated();
    let (nonces, bobs) = bobs_commitments(&mut run.stage, ITEMS);
    run.say(RoundMessage::SigningCommitments(bobs.clone()));
    let mut shares = run.bobs_shares(nonces, &bobs);
    shares.pop();
    run.say(RoundMessage::SignatureShares(shares));
    assert_eq!(run.blamed().unwrap().0, "sent 3 signature shares, where 4 are needed");
    let mut run = coordinated();
    let (_, mut bobs) = bobs_commitments(&mut run.stage, ITEMS);
    bobs[3] = vec![9; 71];
    run.say(RoundMessage::SigningCommitments(bobs));
    let (reason, culprit) = run.blamed().unwrap();
    assert!(reason.starts_with("item 4 of 4: "), "{reason}");
    assert_eq!(culprit, Some(run.stage.identifier("bob")));
}

#[test]
fn some_signatures_of_a_batch_are_no_outcome() {
    let mut run = coordinated();
    let (nonces, bobs) = bobs_commitments(&mut run.stage, ITEMS);
    run.say(RoundMessage::SigningCommitments(bobs.clone()));
    let shares = run.bobs_shares(nonces, &bobs);
    run.say(RoundMessage::SignatureShares(shares));
    let view = run.stage.node.as_ref().unwrap().view();
    let signed = view.groups[0].requests[0].signatures.clone();
    let all: Vec<Vec<u8>> = signed.iter().map(|s| hex::decode(&s.signature).unwrap()).collect();
    // Another node, which has the request and no signature.
    let id = id_of(&view.groups[0].requests[0].id);
    let request = run.stage.trail.iter().find_map(|entry| match entry.read().unwrap() {
        Body::Request { request } => Some(*request),
        _ => None,
    });
    let mut stage = run.stage;
    stage.forget();
    stage.say("bob", &GroupMessage::Request(Box::new(request.unwrap())));
    let mut wrong = all.clone();
    wrong.swap(0, 1);
    for (signatures, state) in [
        (all[..3].to_vec(), RequestState::Open),
        (wrong, RequestState::Open),
        ([all.clone(), all[..1].to_vec()].concat(), RequestState::Open),
        (all, RequestState::Signed),
    ] {
        let outcome = Outcome::Signatures(signatures);
        let signers = vec![1, 2];
        stage.say("bob", &GroupMessage::Outcome { request: Some(id), outcome, signers });
        let view = stage.node.as_ref().unwrap().view();
        assert_eq!(view.groups[0].requests[0].state, state);
    }
}

// ---- versions ----

#[test]
fn a_member_of_an_older_version_is_named_and_not_sent_what_it_cannot_know() {
    let mut stage = Stage::new(3, 2);
    stage.say("bob", &GroupMessage::Inventory { version: 1, items: Vec::new() });
    stage.say("carol", &GroupMessage::Inventory { version: GROUP_VERSION, items: Vec::new() });
    let of_version = |event: &Event| match event {
        Event::MemberVersion { peer_id, version, ours, .. } => {
            Some((peer_id.to_string(), *version, *ours))
        }
        _ => None,
    };
    let told: Vec<_> = stage.events.iter().filter_map(of_version).collect();
    assert_eq!(told, [("bob".to_owned(), 1, GROUP_VERSION)]);
    let pubkey = stage.record.info.pubkey.clone();
    let command = Command::Request { pubkey, operation: hashes(3), lifetime: 3_600 };
    stage.input(Input::Command(command));
    stage.write(99);
    let to = |heard: &[(PeerId, GroupMessage)], name: &str| {
        let about =
            |m: &GroupMessage| matches!(m, GroupMessage::Request(_) | GroupMessage::Vote(_));
        heard.iter().filter(|(to, m)| to.as_str() == name && about(m)).count()
    };
    let heard = stage.hear();
    assert_eq!((to(&heard, "bob"), to(&heard, "carol")), (0, 2));
    stage.now += 2_000;
    stage.say("bob", &GroupMessage::Inventory { version: 1, items: Vec::new() });
    let heard = stage.hear();
    assert_eq!(to(&heard, "bob"), 0);
    // What it knows it is sent, and when it is up to date it gets the rest.
    let known = stage.ask("carol", &text("one thing"));
    stage.write(99);
    stage.now += 2_000;
    stage.say("bob", &GroupMessage::Inventory { version: 1, items: Vec::new() });
    let heard = stage.hear();
    let bound = stage.group_id;
    let request = |(_, m): &(PeerId, GroupMessage)| match m {
        GroupMessage::Request(request) => Some(request.id(&bound)),
        _ => None,
    };
    assert_eq!(heard.iter().filter_map(request).collect::<Vec<_>>(), [known]);
    stage.now += 2_000;
    stage.say("bob", &GroupMessage::Inventory { version: GROUP_VERSION, items: Vec::new() });
    assert_eq!(stage.hear().iter().filter_map(request).count(), 2);
}

#[test]
fn an_operation_that_is_not_known_here_is_refused_in_words() {
    let mut stage = Stage::new(3, 2);
    let bob: PeerId = "bob".parse().unwrap();
    let unsigned = Request {
        proposer: stage.identifier("bob"),
        kind: "refresh".into(),
        content: "of the future".into(),
        created: stage.now,
        expires: stage.now + 3_600_000,
        nonce: [1; 16],
        signature: Signature::from_bytes([0; 64]),
    };
    let request = unsigned.signed(&stage.group_id, &stage.others[&bob].key, &mut stage.rng);
    let id = request.id(&stage.group_id);
    stage.say("bob", &GroupMessage::Request(Box::new(request)));
    let ignored = stage.events.iter().any(|event| {
        matches!(event, Event::Ignored { peer_id: Some(peer), reason }
            if *peer == bob && reason.contains("'refresh' is not known here"))
    });
    assert!(ignored);
    let bobs: Vote = stage.vote_of("bob", "bob", id, true);
    stage.hear();
    stage.begin("bob", [1; 16], Some(id), &["alice", "bob"], vec![bobs]);
    assert_eq!(stage.refusals(), ["asked for a request that is not known here"]);
}
