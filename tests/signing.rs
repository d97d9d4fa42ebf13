//! Members of a wallet ask, vote and sign: in simulation with everything that can go wrong, and one
//! node against members who lie.
#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "signing/batches.rs"]
mod batches;
mod common;
#[path = "signing/group.rs"]
mod group;
#[path = "signing/liars.rs"]
mod liars;
#[path = "signing/other.rs"]
mod other;
#[path = "signing/stage.rs"]
mod stage;
#[path = "signing/storm.rs"]
mod storm;

use common::weather::Weather;
use common::world::Happening;
use frostmesh::content::{Content, Text};
use frostmesh::frost::Suite;
use frostmesh::node::{Command, DIRECT, Event, RequestState};
use group::Group;

#[test]
fn members_sign_what_enough_of_them_approve() {
    for suite in Suite::all() {
        let mut group = Group::new(3, 2, 7, suite);
        group.ask(0, "pay the rent");
        let id = group.requests(0)[0].id.clone();
        assert_eq!(group.requests(0)[0].state, RequestState::Open);
        group.world.run_for(1_000);
        assert_eq!(
            group.requests(2)[0].state,
            RequestState::Open,
            "nobody has approved but who asks"
        );
        group.vote(2, &id, true);
        assert!(group.world.run_until_true(|w| (0..3).all(|s| Group::is_signed(w, s, &id))));
        let signed = &group.requests(1)[0];
        assert_eq!(signed.signers.len(), 2);
        let digest = Content::from(Text::new("pay the rent".into()).unwrap()).digest();
        let (pubkey, signature) = (
            hex::decode(&group.pubkey).unwrap(),
            hex::decode(signed.signature.as_ref().unwrap()).unwrap(),
        );
        suite.verify(&pubkey, &digest, &signature).unwrap();
        group.check_trails();
    }
}

#[test]
fn what_carries_messages_to_each_member_is_shown_and_reported() {
    let group = Group::new(3, 2, 13, Suite::default());
    for member in group.view(0).members {
        assert_eq!(member.carrier, member.online.then_some(DIRECT), "{}", member.peer_id);
        let carried: Vec<_> = group.world.seats[0]
            .events
            .iter()
            .filter_map(|(_, event)| match event {
                Event::Member { peer_id, carrier, .. } if *peer_id == member.peer_id => *carrier,
                _ => None,
            })
            .collect();
        assert_eq!(carried.last().copied(), member.carrier, "{carried:?}");
    }
}

#[test]
fn the_key_is_ready_once_everyone_has_signed_a_test() {
    for (n, k) in [(2, 2), (3, 2), (4, 3), (5, 2), (5, 5)] {
        let group = Group::new(n, k, 11, Suite::default());
        for seat in 0..usize::from(n) {
            let ready = |e: &Event| matches!(e, Event::WalletReady { .. });
            assert!(
                group.world.seats[seat].events.iter().any(|(_, e)| ready(e)),
                "{k} of {n}: seat {seat}"
            );
            assert!(group.view(seat).ready);
        }
    }
}

#[test]
fn the_key_gets_ready_by_itself_whoever_crashes_on_the_way() {
    let mut early = 0;
    for (n, k) in [(2, 2), (3, 2)] {
        for (seat, steps) in
            (0..usize::from(n)).flat_map(|seat| (0..90).step_by(3).map(move |steps| (seat, steps)))
        {
            let mut group = Group::with_key(n, k, 12, Suite::default());
            let world = &mut group.world;
            world.weather.store = (0, 9);
            assert!((0..steps).all(|_| world.step()));
            early += usize::from(!Group::all_ready(world));
            world.at(world.now, Happening::Crash(seat));
            world.at(world.now + 3_000, Happening::Revive(seat));
            world.run_for(4_000);
            assert!(
                world.run_until_true(Group::all_ready),
                "{k} of {n}: seat {seat} crashed after {steps} steps"
            );
            group.check_trails();
        }
    }
    assert!(early > 50, "{early} crashes before the key was ready");
}

#[test]
fn a_request_that_too_many_decline_is_not_signed_unless_they_change_their_minds() {
    let mut group = Group::new(3, 2, 13, Suite::default());
    let id = group.ask(0, "sell everything");
    group.world.run_for(100);
    group.vote(1, &id, false);
    group.vote(2, &id, false);
    group.world.run_for(5_000);
    assert!((0..3).all(|s| group.requests(s)[0].state == RequestState::Declined));
    group.vote(2, &id, true);
    assert!(group.world.run_until_true(|w| (0..3).all(|s| Group::is_signed(w, s, &id))));
    let late = Command::vote(id.as_str(), false);
    assert!(group.world.command(1, late).is_err(), "it is signed");
}

#[test]
fn who_asked_can_take_it_back() {
    let mut group = Group::new(3, 2, 17, Suite::default());
    let id = group.ask(0, "too soon");
    group.world.run_for(100);
    group.vote(0, &id, false);
    group.world.run_for(1_000);
    group.vote(1, &id, true);
    group.vote(2, &id, true);
    group.world.run_for(60_000);
    assert!((0..3).all(|s| group.requests(s)[0].state == RequestState::Declined));
}

#[test]
fn a_request_ends_when_its_time_is_over() {
    let mut group = Group::new(3, 2, 19, Suite::default());
    let id = group.ask_for(0, "today only", 60);
    group.world.run_for(61_000);
    assert!((0..3).all(|s| group.requests(s)[0].state == RequestState::Expired));
    let late = Command::vote(id.as_str(), true);
    assert!(group.world.command(1, late).is_err());
}

#[test]
fn an_approver_takes_over_when_who_asked_is_gone() {
    let mut group = Group::new(4, 2, 23, Suite::default());
    let id = group.ask(0, "go on without me");
    group.world.run_for(1_000);
    group.world.crash(0);
    group.world.run_for(1_000);
    group.vote(2, &id, true);
    group.vote(3, &id, true);
    assert!(group.world.run_until_true(|w| (1..4).all(|s| Group::is_signed(w, s, &id))));
    group.world.revive(0);
    assert!(
        group.world.run_until_true(|w| Group::is_signed(w, 0, &id)),
        "who was away hears of it"
    );
    group.check_trails();
}

#[test]
fn a_signer_who_goes_away_is_left_out_and_named() {
    let mut group = Group::new(3, 2, 29, Suite::default());
    group.world.weather = Weather { latency: (50, 50), ..Weather::CALM };
    let id = group.ask(0, "quick");
    group.world.run_for(1_000);
    group.vote(1, &id, true);
    // Asked for its commitments, it is gone.
    assert!(group.world.run_until_true(|w| {
        w.seats[0].events.iter().any(|(_, e)| matches!(e, Event::Signing { .. }))
    }));
    group.world.crash(1);
    group.world.run_for(1_000);
    group.vote(2, &id, true);
    assert!(group.world.run_until_true(|w| [0, 2].iter().all(|s| Group::is_signed(w, *s, &id))));
    let failed = group.world.seats[0].events.iter().find_map(|(_, e)| match e {
        Event::SigningFailed { culprits, .. } => Some(culprits.clone()),
        _ => None,
    });
    assert_eq!(failed.unwrap(), [group.world.seats[1].id.clone()]);
}

#[test]
fn several_requests_are_signed_at_once() {
    let mut group = Group::new(5, 3, 31, Suite::default());
    let ids: Vec<String> = (0..10).map(|i| group.ask(i % 5, &format!("request {i}"))).collect();
    group.world.run_for(500);
    for id in &ids {
        for seat in 0..5 {
            group.vote(seat, id, true);
        }
    }
    assert!(
        group
            .world
            .run_until_true(|w| ids.iter().all(|id| (0..5).all(|s| Group::is_signed(w, s, id))))
    );
    group.check_trails();
}

#[test]
fn nothing_is_signed_when_the_trail_cannot_be_written() {
    let mut group = Group::new(3, 2, 37, Suite::default());
    let id = group.ask(0, "on the record");
    group.world.run_for(1_000);
    group.world.seats[1].store_fails = true;
    group.vote(1, &id, true);
    group.world.run_for(60_000);
    assert!((0..3).all(|s| !Group::is_signed(&group.world, s, &id)), "the vote was never said");
    assert!(group.view(1).problem.is_some());
    group.vote(2, &id, true);
    assert!(group.world.run_until_true(|w| [0, 2].iter().all(|s| Group::is_signed(w, *s, &id))));
}

#[test]
fn a_check_tells_who_answers() {
    let mut group = Group::new(4, 2, 41, Suite::default());
    group.world.crash(2);
    group.world.run_for(30_000);
    let pubkey = group.pubkey.clone();
    group.world.command(0, Command::Check { pubkey }).unwrap();
    group.world.run_for(30_000);
    let checked = group.world.seats[0].events.iter().rev().find_map(|(_, e)| match e {
        Event::Checked { answered, failed, .. } => Some((answered.clone(), failed.clone())),
        _ => None,
    });
    let (answered, failed) = checked.unwrap();
    let ids: Vec<_> = [0, 1, 3].iter().map(|s| group.world.seats[*s].id.clone()).collect();
    assert_eq!(answered, ids);
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].0, group.world.seats[2].id);
}
