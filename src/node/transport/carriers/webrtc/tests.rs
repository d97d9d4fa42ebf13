//! The states of WebRTC connections, alone: no session, no secure channel, no network.

use std::collections::VecDeque;

use super::connection::State;
use super::{Carrier, DriverInput, Effect, WebRtc};
use crate::api::Timestamp;
use crate::frost::Randomness;
use crate::identity::{Contacts, IdentityKey};
use crate::node::ctx::Ctx;
use crate::node::presence::{Address, Change, Presence, ServerId};
use crate::node::{Config, Output, Role};
use crate::random::SystemRng;
use crate::wire::{IceCandidate, PeerId, RelayData};

const SERVER: ServerId = ServerId::new(1);

/// One end: the carrier, and what a driver and a server would do for it.
struct End {
    carrier: WebRtc,
    presence: Presence,
    peer: Address,
    now: u64,
    out: VecDeque<Effect>,
}

impl End {
    /// `me` wants a connection to `peer`, who is present.
    fn new(me: &str, peer: &str) -> Self {
        let (me, peer): (PeerId, PeerId) = (me.parse().unwrap(), peer.parse().unwrap());
        let mut presence = Presence::default();
        presence.apply(SERVER, Change::Added { me });
        presence.apply(SERVER, Change::Online);
        presence.apply(SERVER, Change::Came(peer.clone()));
        let peer = Address::new(SERVER, &peer);
        let mut carrier = WebRtc::new(&Config::default().deadlines, 100);
        carrier.want(&[peer.clone()].into_iter().collect());
        Self { carrier, presence, peer, now: 1_000, out: VecDeque::new() }
    }

    fn with<T>(
        &mut self,
        step: impl FnOnce(&mut WebRtc, &mut Ctx<'_>, &mut VecDeque<Effect>) -> T,
    ) -> T {
        let (identity, contacts, config) =
            (IdentityKey::generate(&mut SystemRng), Contacts::default(), Config::default());
        let mut rng = SystemRng;
        let rng: &mut dyn Randomness = &mut rng;
        let mut ctx = Ctx {
            now: Timestamp::from_millis(self.now),
            rng,
            identity: &identity,
            config: &config,
            contacts: &contacts,
            presence: &self.presence,
        };
        step(&mut self.carrier, &mut ctx, &mut self.out)
    }

    /// Lets time pass, and the carrier do what is due. Returns what it asked for.
    fn tick(&mut self, milliseconds: u64) -> Vec<Effect> {
        self.now += milliseconds;
        self.with(|carrier, ctx, out| carrier.tick(ctx, out));
        self.out.drain(..).collect()
    }

    fn driver(&mut self, input: DriverInput) -> Vec<Effect> {
        self.with(|carrier, ctx, out| carrier.driver(ctx, out, input));
        self.out.drain(..).collect()
    }

    fn relayed(&mut self, data: RelayData) {
        let from = self.peer.clone();
        self.with(|carrier, ctx, out| carrier.relayed(ctx, out, &from, data));
    }

    fn id(&self) -> PeerId {
        self.peer.peer.clone()
    }

    fn state(&self) -> Option<State> {
        self.carrier.connection(&self.peer).map(|connection| connection.state())
    }

    fn is_open(&mut self) -> bool {
        let peer = self.peer.clone();
        self.with(|carrier, ctx, _| carrier.is_open(ctx, &peer))
    }

    /// Opens an attempt, has the driver describe it, and returns its number and the offer's id.
    fn offer(&mut self) -> (u32, Option<u32>) {
        let effects = self.tick(0);
        let (attempt, role) = opened(&effects).expect("an attempt");
        assert_eq!(role, Role::Offerer);
        let peer = self.id();
        let effects = self.driver(DriverInput::LocalDescription {
            peer,
            attempt,
            sdp: format!("offer {attempt}"),
        });
        let id = effects.iter().find_map(|effect| match effect {
            Effect::Relay { data: RelayData::Offer { attempt, .. }, .. } => Some(*attempt),
            _ => None,
        });
        (attempt, id.expect("an offer was sent"))
    }

    fn open(&mut self, attempt: u32) -> Vec<Effect> {
        let peer = self.id();
        self.driver(DriverInput::Opened { peer, attempt })
    }

    fn interrupt(&mut self, attempt: u32, interrupted: bool) {
        let peer = self.id();
        self.driver(DriverInput::Interrupted { peer, attempt, interrupted });
    }
}

fn opened(effects: &[Effect]) -> Option<(u32, Role)> {
    effects.iter().find_map(|effect| match effect {
        Effect::Output(Output::OpenConnection { attempt, role, .. }) => Some((*attempt, *role)),
        _ => None,
    })
}

fn closed(effects: &[Effect]) -> Option<u32> {
    effects.iter().find_map(|effect| match effect {
        Effect::Output(Output::CloseConnection { attempt, .. }) => Some(*attempt),
        _ => None,
    })
}

fn offers(effects: &[Effect]) -> usize {
    let is_offer = |e: &&Effect| matches!(e, Effect::Relay { data: RelayData::Offer { .. }, .. });
    effects.iter().filter(is_offer).count()
}

fn answer(sdp: &str, attempt: Option<u32>) -> RelayData {
    RelayData::Answer { sdp: sdp.to_owned(), attempt }
}

/// Alice (the offerer) with an open connection to bob.
fn open_offerer() -> (End, u32) {
    let mut alice = End::new("alice", "bob");
    let (attempt, id) = alice.offer();
    alice.relayed(answer("yes", id));
    alice.open(attempt);
    (alice, attempt)
}

#[test]
fn an_offerer_goes_from_gathering_to_open() {
    let mut alice = End::new("alice", "bob");
    let attempt = opened(&alice.tick(0)).unwrap().0;
    assert!(matches!(alice.state(), Some(State::Gathering { .. })));
    let peer = alice.id();
    alice.driver(DriverInput::LocalDescription { peer, attempt, sdp: "offer".into() });
    assert_eq!(alice.state(), Some(State::Offered));
    alice.relayed(answer("yes", Some(100)));
    assert!(matches!(alice.state(), Some(State::Connecting { .. })));
    assert!(!alice.is_open());
    alice.open(attempt);
    assert!(matches!(alice.state(), Some(State::Open { .. })));
    assert!(alice.is_open());
}

#[test]
fn an_answerer_waits_for_an_offer_and_takes_the_newest() {
    let mut bob = End::new("bob", "alice");
    assert_eq!(bob.tick(0).len(), 0);
    bob.relayed(RelayData::Offer { sdp: "one".into(), attempt: Some(7) });
    let first = opened(&bob.tick(0)).unwrap();
    assert_eq!(first.1, Role::Answerer);
    bob.relayed(RelayData::Offer { sdp: "two".into(), attempt: Some(8) });
    let effects = bob.tick(0);
    assert_eq!(closed(&effects), Some(first.0), "the older attempt gives way");
    assert!(opened(&effects).is_some());
    bob.relayed(RelayData::Offer { sdp: "one".into(), attempt: Some(7) });
    assert!(opened(&bob.tick(0)).is_none(), "a late offer of an older attempt changes nothing");
}

#[test]
fn an_offer_is_repeated_after_one_two_four_and_then_every_five_seconds() {
    let mut alice = End::new("alice", "bob");
    alice.offer();
    let mut at = Vec::new();
    for second in 1..=22 {
        if offers(&alice.tick(1_000)) > 0 {
            at.push(second);
        }
    }
    assert_eq!(at, [1, 3, 7, 12, 17, 22]);
    assert_eq!(alice.state(), Some(State::Offered), "a person there may take their time");
}

#[test]
fn an_attempt_that_does_not_open_is_replaced_after_a_pause() {
    let mut alice = End::new("alice", "bob");
    let (attempt, id) = alice.offer();
    alice.relayed(answer("yes", id));
    assert!(closed(&alice.tick(14_999)).is_none());
    let effects = alice.tick(1);
    assert_eq!(closed(&effects), Some(attempt));
    assert!(opened(&effects).is_none(), "not at once");
    assert!(opened(&alice.tick(249)).is_none());
    assert!(opened(&alice.tick(1)).is_some_and(|(next, _)| next != attempt));
}

#[test]
fn a_peer_that_connected_fast_before_is_given_up_sooner() {
    let (mut alice, attempt) = open_offerer();
    let peer = alice.id();
    alice.driver(DriverInput::Closed { peer, attempt, reason: "gone".into() });
    alice.tick(250);
    alice.tick(0);
    let attempt = alice.carrier.connection(&alice.peer).unwrap().attempt;
    let peer = alice.id();
    alice.driver(DriverInput::LocalDescription { peer, attempt, sdp: "again".into() });
    let id = alice.carrier.connection(&alice.peer).unwrap().attempt_id;
    alice.relayed(answer("yes again", id));
    assert!(closed(&alice.tick(2_999)).is_none());
    assert!(closed(&alice.tick(1)).is_some());
}

#[test]
fn an_interrupted_path_is_replaced_by_the_offerer_and_given_up_by_the_answerer() {
    let (mut alice, attempt) = open_offerer();
    alice.interrupt(attempt, true);
    assert!(!alice.is_open(), "frames move to the relay at once");
    assert!(closed(&alice.tick(3_999)).is_none());
    alice.interrupt(attempt, false);
    assert!(alice.is_open(), "it works again");
    alice.interrupt(attempt, true);
    assert!(closed(&alice.tick(4_000)).is_some());

    let mut bob = End::new("bob", "alice");
    bob.relayed(RelayData::Offer { sdp: "one".into(), attempt: Some(7) });
    let attempt = opened(&bob.tick(0)).unwrap().0;
    bob.open(attempt);
    bob.interrupt(attempt, true);
    assert!(closed(&bob.tick(5_999)).is_none(), "the offerer gets the chance to replace it");
    assert!(closed(&bob.tick(1)).is_some());
}

#[test]
fn candidates_wait_for_the_description_that_they_belong_to() {
    let candidate =
        |text: &str| IceCandidate { candidate: text.into(), sdp_mid: None, sdp_m_line_index: None };
    let mut bob = End::new("bob", "alice");
    bob.relayed(RelayData::IceCandidate { candidate: candidate("new"), attempt: Some(8) });
    bob.relayed(RelayData::IceCandidate { candidate: candidate("old"), attempt: Some(7) });
    bob.relayed(RelayData::Offer { sdp: "two".into(), attempt: Some(8) });
    let effects = bob.tick(0);
    let applied: Vec<&str> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Output(Output::RemoteCandidate { candidate, .. }) => {
                Some(candidate.candidate.as_str())
            }
            _ => None,
        })
        .collect();
    assert_eq!(applied, ["new"]);
    let described = effects
        .iter()
        .position(|e| matches!(e, Effect::Output(Output::RemoteDescription { .. })))
        .unwrap();
    let candidate = effects
        .iter()
        .position(|e| matches!(e, Effect::Output(Output::RemoteCandidate { .. })))
        .unwrap();
    assert!(described < candidate, "never a candidate before its description");
}

#[test]
fn a_connection_that_nobody_needs_is_closed_after_a_while() {
    let (mut alice, attempt) = open_offerer();
    alice.carrier.want(&[].into_iter().collect());
    assert!(closed(&alice.tick(0)).is_none());
    assert!(closed(&alice.tick(1_999)).is_none());
    assert_eq!(closed(&alice.tick(1)), Some(attempt));
}

#[test]
fn an_offer_from_the_smaller_id_alone_counts() {
    let mut alice = End::new("alice", "bob");
    alice.relayed(RelayData::Offer { sdp: "wrong way round".into(), attempt: Some(7) });
    let told: Vec<Effect> = alice.out.drain(..).collect();
    assert_eq!(told.len(), 1, "it is reported as ignored");
    assert_eq!(opened(&alice.tick(0)).map(|(_, role)| role), Some(Role::Offerer));
}
