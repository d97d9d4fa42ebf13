//! One node against members who lie, crash and replay.

use std::collections::{BTreeMap, BTreeSet};

use frostmesh::audit::Body;
use frostmesh::content::Content;
use frostmesh::frost::Nonces;
use frostmesh::group::{
    CeremonyId, GROUP_VERSION, GroupMessage, InventoryItem, Operation, Outcome, Request, RequestId,
    Vote,
};
use frostmesh::identity::{Digest, IdentityKey, Signature};
use frostmesh::node::{Command, Input};
use frostmesh::wire::{PeerId, PeerMessage};
use sha2::{Digest as _, Sha256};

use crate::common::luck::Luck;
use crate::group::{id_of, text};
use crate::other::{commitments_in, package, share_in};
use crate::stage::{NOW, Stage};

#[test]
fn a_coordinator_gets_nothing_for_what_is_not_approved() {
    let mut stage = Stage::new(3, 2);
    let id = stage.ask("bob", &text("mine"));
    stage.write(9);
    let bobs = stage.vote_of("bob", "bob", id, true);
    stage.say("bob", &GroupMessage::Vote(bobs));
    stage.hear();

    stage.begin("bob", [1; 16], Some(id), &["alice", "bob"], vec![]);
    assert_eq!(
        stage.refusals(),
        ["asked for a request that is open here"],
        "alice has not approved"
    );
    stage.begin("bob", [2; 16], Some([9; 32]), &["alice", "bob"], vec![]);
    assert_eq!(stage.refusals(), ["asked for a request that is not known here"]);

    stage.alice_votes(id, true);
    stage.write(9);
    stage.hear();
    stage.begin("bob", [3; 16], Some(id), &["alice", "carol"], vec![]);
    assert_eq!(stage.refusals(), ["named carol as a signer, who has not approved it"]);
    let forged = stage.vote_of("carol", "bob", id, true);
    stage.begin("bob", [4; 16], Some(id), &["alice", "carol"], vec![forged]);
    assert_eq!(
        stage.refusals(),
        ["named carol as a signer, who has not approved it"],
        "bob signed carol's vote"
    );
    stage.begin("bob", [5; 16], Some(id), &["bob", "carol"], vec![]);
    assert_eq!(stage.refusals().len(), 1, "alice is no signer");
    stage.begin("bob", [6; 16], Some(id), &["alice", "bob", "carol"], vec![]);
    assert_eq!(stage.refusals().len(), 1, "one signer too many");
    stage.begin("carol", [7; 16], Some(id), &["alice", "bob"], vec![]);
    assert_eq!(stage.refusals(), ["asked for a request that it neither made nor approved"]);
    stage.begin("bob", [8; 16], Some(id), &["alice", "bob"], vec![]);
    assert!(
        matches!(&stage.hear()[..], [(_, message)] if commitments_in(message).is_some()),
        "this is in order"
    );
}

fn inventory(items: Vec<InventoryItem>) -> GroupMessage {
    GroupMessage::Inventory { version: GROUP_VERSION, items }
}

/// Begins a ceremony of alice and bob for a request that both approved. Alice's commitments.
fn begun(stage: &mut Stage, id: RequestId, ceremony: CeremonyId) -> Vec<u8> {
    stage.begin("bob", ceremony, Some(id), &["alice", "bob"], vec![]);
    let heard = stage.hear();
    let commitments = heard.iter().find_map(|(_, message)| commitments_in(message));
    commitments.expect("alice commits").1
}

fn approved(stage: &mut Stage, content: &Content) -> RequestId {
    let id = stage.ask("bob", content);
    let bobs = stage.vote_of("bob", "bob", id, true);
    stage.say("bob", &GroupMessage::Vote(bobs));
    stage.alice_votes(id, true);
    stage.write(99);
    stage.hear();
    id
}

fn bobs_commitments(stage: &mut Stage) -> (Nonces, Vec<u8>) {
    let bob = &stage.others[&"bob".parse::<PeerId>().unwrap()];
    bob.share.commit(&mut stage.rng).unwrap()
}

fn shares(heard: &[(PeerId, GroupMessage)]) -> Vec<Vec<u8>> {
    heard.iter().filter_map(|(_, message)| share_in(message)).map(|(_, share)| share).collect()
}

#[test]
fn a_share_is_for_what_alice_saw_and_for_nothing_else() {
    let mut stage = Stage::new(3, 2);
    let id = approved(&mut stage, &text("a coffee"));
    let alices = begun(&mut stage, id, [1; 16]);
    let twice = stage.rng.clone();
    let (nonces, bobs) = bobs_commitments(&mut stage);
    stage.rng = twice;
    let (again, _) = bobs_commitments(&mut stage);
    stage.say("bob", &package([1; 16], vec![alices.clone(), bobs.clone()]));
    assert!(shares(&stage.hear()).is_empty(), "her trail is not written yet");
    stage.write(99);
    let given = shares(&stage.hear());
    assert_eq!(given.len(), 1);

    let commitments =
        BTreeMap::from([(stage.identifier("alice"), alices), (stage.identifier("bob"), bobs)]);
    let sign = |stage: &Stage, content: &Content, nonces: Nonces| {
        let bob = &stage.others[&"bob".parse::<PeerId>().unwrap()];
        let digest = content.digest();
        let bobs = bob.share.sign(nonces, &commitments, &digest).unwrap();
        let shares =
            BTreeMap::from([(stage.identifier("alice"), given[0].clone()), (bob.identifier, bobs)]);
        bob.share.aggregate(&commitments, &shares, &digest)
    };
    assert!(sign(&stage, &text("a house"), again).is_err(), "bob would have it another text");
    assert!(sign(&stage, &text("a coffee"), nonces).is_ok());
}

#[test]
fn a_signature_is_passed_on_once_whoever_it_came_from() {
    let mut stage = Stage::new(3, 2);
    let content = text("for everyone");
    let id = stage.ask("bob", &content);
    stage.write(9);
    let signers: Vec<PeerId> = stage.others.keys().cloned().collect();
    let (mut nonces, mut commitments) = (Vec::new(), BTreeMap::new());
    for name in &signers {
        let (secret, public) = stage.others[name].share.commit(&mut stage.rng).unwrap();
        nonces.push(secret);
        commitments.insert(stage.others[name].identifier, public);
    }
    let digest = content.digest();
    let mut shares = BTreeMap::new();
    for (name, nonces) in signers.iter().zip(nonces) {
        let signer = &stage.others[name];
        shares.insert(signer.identifier, signer.share.sign(nonces, &commitments, &digest).unwrap());
    }
    let data = stage.others[&signers[0]].share.aggregate(&commitments, &shares, &digest).unwrap();
    let message = GroupMessage::Outcome {
        request: Some(id),
        outcome: Outcome::Signatures(vec![data]),
        signers: shares.keys().copied().collect(),
    };
    stage.hear();
    stage.say("bob", &message);
    let passed_on = |heard: Vec<(PeerId, GroupMessage)>| {
        heard.iter().filter(|(to, m)| to.as_str() == "carol" && *m == message).count()
    };
    assert_eq!(passed_on(stage.hear()), 1, "bob may be gone before carol has heard it");
    stage.say("carol", &message);
    assert_eq!(passed_on(stage.hear()), 0);
}

#[test]
fn commitments_that_are_replayed_or_exchanged_give_no_share() {
    let mut stage = Stage::new(3, 2);
    let id = approved(&mut stage, &text("once"));
    let first = begun(&mut stage, id, [1; 16]);
    let second = begun(&mut stage, id, [2; 16]);
    assert_ne!(first, second);
    let (_, bobs) = bobs_commitments(&mut stage);
    // The commitments of one ceremony in the place of another's.
    stage.say("bob", &package([2; 16], vec![first.clone(), bobs.clone()]));
    stage.write(99);
    assert_eq!(stage.refusals(), ["has sent other commitments than this node's for it"]);
    let first_package = package([1; 16], vec![first.clone(), bobs.clone()]);
    stage.say("bob", &first_package);
    stage.write(99);
    assert_eq!(shares(&stage.hear()).len(), 1);
    // The same again, and with other commitments of bob's: two shares of one nonce would give her
    // signing share away.
    stage.say("bob", &first_package);
    let (_, others) = bobs_commitments(&mut stage);
    let twice = package([1; 16], vec![first, others]);
    stage.say("bob", &twice);
    stage.write(99);
    assert!(shares(&stage.hear()).is_empty());
    // Another member cannot use what she promised bob.
    let third = begun(&mut stage, id, [3; 16]);
    stage.say("carol", &package([3; 16], vec![third, bobs]));
    stage.write(99);
    assert!(shares(&stage.hear()).is_empty());
}

#[test]
fn a_vote_that_is_taken_back_takes_the_promise_back() {
    let mut stage = Stage::new(3, 2);
    let id = approved(&mut stage, &text("on second thoughts"));
    let alices = begun(&mut stage, id, [1; 16]);
    stage.alice_votes(id, false);
    stage.write(99);
    stage.hear();
    let (_, bobs) = bobs_commitments(&mut stage);
    stage.say("bob", &package([1; 16], vec![alices, bobs]));
    stage.write(99);
    assert!(shares(&stage.hear()).is_empty());
}

#[test]
fn a_member_that_floods_is_bounded() {
    let mut stage = Stage::new(3, 2);
    for number in 0..64 {
        stage.ask("bob", &text(&format!("request {number}")));
        stage.write(99);
    }
    let view = stage.node.as_ref().unwrap().view();
    assert_eq!(view.groups[0].requests.len(), 16, "of one member");
    stage.ask("carol", &text("still heard"));
    stage.write(99);
    assert_eq!(stage.node.as_ref().unwrap().view().groups[0].requests.len(), 17);
    let id = id_of(&stage.node.as_ref().unwrap().view().groups[0].requests[0].id);
    let before = stage.trail.len();
    for number in 1..100 {
        let key =
            IdentityKey::from_seed(stage.others[&"bob".parse::<PeerId>().unwrap()].key.seed())
                .unwrap();
        let vote = Vote::new(
            &stage.group_id,
            id,
            stage.identifier("bob"),
            number,
            number % 2 == 0,
            &key,
            &mut stage.rng,
        );
        stage.say("bob", &GroupMessage::Vote(vote));
        stage.write(99);
    }
    assert!(stage.trail.len() - before <= 16, "votes of one member");
}

/// A lying coordinator does what it likes, and alice is killed wherever something is being kept: no
/// commitments that were ever seen get two shares, and a share is seen only once the trail on disk
/// tells of it.
#[test]
fn no_nonce_is_ever_used_twice_whenever_the_process_is_killed() {
    let mut stage = Stage::new(3, 2);
    let luck = &mut Luck::new(4);
    let runs: u32 =
        std::env::var("FROSTMESH_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(300);
    let mut seen = BTreeSet::new();
    let mut given = BTreeMap::<Vec<u8>, usize>::new();
    let mut kills = 0;
    for run in 0..runs {
        let id = approved(&mut stage, &text(&format!("run {run}")));
        let mut open: Vec<(CeremonyId, Vec<u8>)> = Vec::new();
        let mut used: BTreeMap<CeremonyId, Vec<u8>> = BTreeMap::new();
        for step in 0..luck.between((3, 10)) {
            match luck.below(9) {
                0 | 1 => {
                    let ceremony = [u8::try_from(step).unwrap(); 16];
                    stage.begin("bob", ceremony, Some(id), &["alice", "bob"], vec![]);
                }
                2..=4 if !open.is_empty() => {
                    let (ceremony, alices) = luck.pick(&open).clone();
                    let (_, bobs) = bobs_commitments(&mut stage);
                    stage.say("bob", &package(ceremony, vec![alices, bobs]));
                }
                5..=7 => stage.write(luck.index(3)),
                _ => {
                    // kill -9: what is not on disk is gone.
                    stage.node = None;
                    kills += 1;
                    stage.start();
                    let bobs = stage.vote_of("bob", "bob", id, true);
                    stage.say("bob", &GroupMessage::Vote(bobs));
                }
            }
            let on_disk: BTreeSet<Digest> = stage
                .trail
                .iter()
                .filter_map(|entry| match entry.read().unwrap() {
                    Body::Commit { commitments, .. } => Some(commitments),
                    _ => None,
                })
                .collect();
            for (_, message) in stage.hear() {
                if let Some((ceremony, data)) = commitments_in(&message) {
                    assert!(seen.insert(data.clone()), "commitments come once");
                    open.push((ceremony, data.clone()));
                    used.insert(ceremony, data);
                }
                if let Some((ceremony, _)) = share_in(&message) {
                    let commitments = used.get(&ceremony).unwrap();
                    let hash: Digest = Sha256::digest(commitments).into();
                    assert!(
                        on_disk.contains(&hash),
                        "the trail has to tell of a share before it leaves"
                    );
                    let count = given.entry(commitments.clone()).or_default();
                    *count += 1;
                    assert_eq!(*count, 1, "two shares for one nonce");
                }
            }
        }
        stage.write(99);
        // Over with it, so that the next has room; and a short trail keeps this fast.
        stage.alice_votes_if_open(id);
        stage.write(99);
        if stage.trail.len() > 60 {
            stage.forget();
        }
        stage.hear();
    }
    assert!(given.len() > runs as usize / 10, "{} shares", given.len());
    println!("{runs} runs: {} commitments, {} shares, {kills} kills", seen.len(), given.len());
}

impl Stage {
    /// Bob takes his request back.
    fn alice_votes_if_open(&mut self, id: RequestId) {
        let key = IdentityKey::from_seed(self.others[&"bob".parse::<PeerId>().unwrap()].key.seed())
            .unwrap();
        let vote =
            Vote::new(&self.group_id, id, self.identifier("bob"), 2, false, &key, &mut self.rng);
        self.say("bob", &GroupMessage::Vote(vote));
        self.now += 3_600_000;
    }

    /// Another wallet's beginning: the trail starts anew.
    pub fn forget(&mut self) {
        self.trail.clear();
        self.head = None;
        self.node = None;
        self.start();
        self.write(9);
    }
}

#[test]
fn a_name_that_another_coordinator_took_first_keeps_nobody_from_signing() {
    let mut stage = Stage::new(3, 2);
    let id = approved(&mut stage, &text("both want it"));
    let carols = stage.vote_of("carol", "carol", id, true);
    stage.say("carol", &GroupMessage::Vote(carols));
    stage.begin("carol", [1; 16], Some(id), &["alice", "carol"], vec![]);
    assert_eq!(stage.hear().len(), 1, "carol gets her commitments");
    let alices = begun(&mut stage, id, [1; 16]);
    let (_, bobs) = bobs_commitments(&mut stage);
    stage.say("bob", &package([1; 16], vec![alices, bobs]));
    stage.write(99);
    assert_eq!(shares(&stage.hear()).len(), 1);
}

#[test]
fn a_request_from_the_future_is_refused() {
    let mut stage = Stage::new(3, 2);
    for (created, expires) in
        [(1 << 62, (1 << 62) + 1_000), (0, NOW + 1_000), (NOW, NOW + 40 * 24 * 3_600_000)]
    {
        let bob: PeerId = "bob".parse().unwrap();
        let unsigned = Request {
            proposer: stage.identifier("bob"),
            kind: "text".into(),
            content: "when?".into(),
            created,
            expires,
            nonce: [1; 16],
            signature: Signature::from_bytes([0; 64]),
        };
        let request = unsigned.signed(&stage.group_id, &stage.others[&bob].key, &mut stage.rng);
        stage.say("bob", &GroupMessage::Request(Box::new(request)));
    }
    assert!(stage.node.as_ref().unwrap().view().groups[0].requests.is_empty());
    assert!(stage.writing.is_empty(), "nothing of it is kept");
}

#[test]
fn junk_in_a_members_name_does_not_take_its_link_down() {
    let mut stage = Stage::new(3, 2);
    let bob: PeerId = "bob".parse().unwrap();
    for size in [0, 17, 7_185, 7_200, 8_192] {
        let frame =
            frostmesh::wire::Sealed { number: 99, acknowledges: false, data: vec![7; size] };
        stage.relay_in(
            &bob,
            PeerMessage::Frame { session_id: Some(stage.others[&bob].links.clone()), frame },
        );
    }
    for step in 1..=3 {
        let data = [[step].as_slice(), &[7; 200]].concat();
        stage.relay_in(
            &bob,
            PeerMessage::Handshake { session_id: Some(stage.others[&bob].links.clone()), data },
        );
    }
    let id = approved(&mut stage, &text("still here"));
    begun(&mut stage, id, [1; 16]);
}

#[test]
fn whoever_asks_over_and_over_what_is_held_is_told_once_a_second() {
    let mut stage = Stage::new(3, 2);
    for number in 0..10 {
        stage.ask("bob", &text(&format!("request {number}")));
        stage.write(99);
    }
    stage.now += 2_000;
    stage.hear();
    for _ in 0..50 {
        stage.say("carol", &inventory(Vec::new()));
    }
    let told = stage.hear().iter().filter(|(_, m)| matches!(m, GroupMessage::Request(_))).count();
    assert!((10..=40).contains(&told), "{told} requests told");
    // Votes on what nobody knows are asked about once each.
    for number in 0..50 {
        let vote = stage.vote_of("bob", "bob", [number; 32], true);
        stage.say("bob", &GroupMessage::Vote(vote));
        stage.say("bob", &GroupMessage::Vote(vote));
    }
    let asked =
        stage.hear().iter().filter(|(_, m)| matches!(m, GroupMessage::Inventory { .. })).count();
    assert_eq!(asked, 50);
}

#[test]
fn a_member_that_votes_both_ways_under_one_number_does_not_count_and_everyone_sees_it() {
    let mut stage = Stage::new(3, 2);
    let id = stage.ask("carol", &text("yes and no"));
    let (yes, no) = (stage.vote_of("bob", "bob", id, true), stage.vote_of("bob", "bob", id, false));
    let carols = stage.vote_of("carol", "carol", id, true);
    stage.say("carol", &GroupMessage::Vote(carols));
    stage.say("bob", &GroupMessage::Vote(yes));
    stage.write(99);
    assert_eq!(stage.node.as_ref().unwrap().view().groups[0].requests[0].approved.len(), 2);
    stage.hear();
    stage.say("carol", &GroupMessage::Vote(no));
    stage.write(99);
    let heard = stage.hear();
    for vote in [yes, no] {
        let told = |(to, m): &(PeerId, GroupMessage)| {
            to.as_str() == "carol" && *m == GroupMessage::Vote(vote)
        };
        assert!(heard.iter().any(told), "carol hears of both");
    }
    stage.alice_votes(id, true);
    stage.write(99);
    stage.hear();
    stage.begin("bob", [1; 16], Some(id), &["alice", "bob"], vec![]);
    assert_eq!(stage.refusals().len(), 1, "bob neither made nor approved it");
    let kept = stage
        .trail
        .iter()
        .filter(|e| matches!(e.read(), Ok(Body::Vote { vote }) if vote.member == yes.member));
    assert_eq!(kept.count(), 2, "both stand in the trail");
}

#[test]
fn a_lie_is_found_and_passed_on_however_late() {
    let mut stage = Stage::new(3, 2);
    let id = stage.ask("carol", &text("yes and no"));
    stage.alice_votes(id, true);
    stage.write(99);
    // What bob said first comes after what he said last.
    let lie = [true, false].map(|approves| stage.vote_of("bob", "bob", id, approves));
    let last = stage.numbered_vote("bob", "bob", (id, 2), true);
    let approving =
        |stage: &Stage| stage.node.as_ref().unwrap().view().groups[0].requests[0].approved.len();
    for (vote, counts) in [(last, 2), (lie[1], 2), (lie[0], 1)] {
        stage.say("carol", &GroupMessage::Vote(vote));
        assert_eq!(approving(&stage), counts);
    }
    stage.write(99);
    let again = stage.numbered_vote("bob", "bob", (id, 3), true);
    stage.say("bob", &GroupMessage::Vote(again));
    assert_eq!(approving(&stage), 1, "his word is worth nothing any more");
    stage.start();
    assert_eq!(approving(&stage), 1, "also after a restart");
    // Carol has his last vote, and nothing that she holds tells that she knows of the lie.
    stage.hear();
    stage.say(
        "carol",
        &inventory(vec![InventoryItem { request: id, votes: vec![1, 9, 1], signed: false }]),
    );
    stage.input(Input::Tick);
    let heard = stage.hear();
    for vote in lie {
        assert!(
            heard.contains(&("carol".parse().unwrap(), GroupMessage::Vote(vote))),
            "carol hears of both"
        );
    }
}

#[test]
fn a_flapping_member_does_not_make_tests_without_end() {
    let mut stage = Stage::new(3, 2);
    stage.forget();
    let began = stage.now;
    for _ in 0..200 {
        stage.relink("bob");
        stage.write(99);
    }
    let aborted =
        stage.trail.iter().filter(|entry| matches!(entry.read(), Ok(Body::Aborted { .. }))).count();
    let seconds = (stage.now - began) / 1_000;
    assert!((1..=1 + seconds / 10).contains(&(aborted as u64)), "{aborted} tests in {seconds} s");
}

#[test]
fn a_signer_that_begins_anew_over_and_over_is_left_out() {
    let mut stage = Stage::new(3, 2);
    let command = Command::Request {
        pubkey: stage.record.info.pubkey.clone(),
        operation: Operation::sign(text("with whom?")).unwrap(),
        lifetime: 3_600,
    };
    stage.input(Input::Command(command));
    let id = id_of(&stage.node.as_ref().unwrap().view().groups[0].requests[0].id);
    for name in ["bob", "carol"] {
        let vote = stage.vote_of(name, name, id, true);
        stage.say(name, &GroupMessage::Vote(vote));
    }
    let started = |stage: &mut Stage, name: &str| {
        stage.write(99);
        let start = |(to, m): &(PeerId, GroupMessage)| {
            to.as_str() == name && matches!(m, GroupMessage::Start { .. })
        };
        stage.hear().iter().any(start)
    };
    assert!(started(&mut stage, "bob"), "bob comes first");
    stage.relink("bob");
    assert!(started(&mut stage, "carol"), "in bob's place");
}
