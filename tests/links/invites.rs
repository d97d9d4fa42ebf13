//! Invites: what gets in by one, and what does not.

use frostmesh::identity::{Contacts, Invite};
use frostmesh::node::{CarrierChoice, Command, Event};

use super::common::session;
use super::common::world::World;
use super::{careful_seat, is_done, reason, settle, world};

const HOST: usize = 0;

/// A host with an invite for two guests. Nobody here takes strangers at their word.
fn hosted() -> (World, Invite) {
    let mut world = world(CarrierChoice::Auto);
    careful_seat(&mut world, "alice", 1, Contacts::default());
    let name = Some("Treasury".to_owned());
    let command = Command::Invite {
        suite: frostmesh::frost::Suite::default(),
        session_id: session("s"),
        total: 3,
        threshold: 2,
        name,
        lifetime: 60,
    };
    world.command(HOST, command).unwrap();
    let uri = world.seats[HOST].events.iter().find_map(|(_, event)| match event {
        Event::Invite { uri, .. } => Some(uri.as_str().to_owned()),
        _ => None,
    });
    let invite = uri.expect("an invite").parse().unwrap();
    (world, invite)
}

fn guest(world: &mut World, name: &str, seed: u64, invite: &Invite) -> usize {
    let seat = careful_seat(world, name, seed, Contacts::default());
    world
        .command(seat, Command::JoinInvite { invite: Box::new(invite.clone()), peer_id: None })
        .unwrap();
    world.run_for(1_000);
    seat
}

fn arrived(world: &World) -> usize {
    world.seats[HOST]
        .events
        .iter()
        .filter(|(_, event)| matches!(event, Event::Arrived { .. }))
        .count()
}

/// An invite whose secret is another one.
fn forged(invite: &Invite) -> Invite {
    let uri = invite.uri();
    let (head, tail) = uri.as_str().split_once("secret=").unwrap();
    let other = if tail.starts_with('0') { "1" } else { "0" };
    format!("{head}secret={other}{}", &tail[1..]).parse().unwrap()
}

#[test]
fn guests_need_nothing_but_the_invite_and_no_words() {
    let (mut world, invite) = hosted();
    let guests = [guest(&mut world, "bob", 2, &invite), guest(&mut world, "carol", 3, &invite)];
    settle(&mut world);
    for seat in [HOST, guests[0], guests[1]] {
        assert!(is_done(&world, seat), "{:?}", reason(&world, seat));
        assert!(world.seats[seat].kept[&session("s")].info.verified);
        let certificate = &world.seats[seat].certificates[&session("s")];
        certificate.verify().unwrap();
        assert_eq!(certificate.agreement.name.as_deref(), Some("Treasury"));
    }
}

#[test]
fn whoever_has_no_invite_cannot_say_a_first_word() {
    let (mut world, invite) = hosted();
    let mallory = guest(&mut world, "mallory", 66, &forged(&invite));
    assert_eq!(arrived(&world), 0, "Mallory came in");
    assert!(world.view(mallory, &session("s")).is_none());
    // Nobody else is disturbed.
    guest(&mut world, "bob", 2, &invite);
    guest(&mut world, "carol", 3, &invite);
    world.run_for(10_000);
    assert!((0..4).filter(|seat| *seat != mallory).all(|seat| is_done(&world, seat)));
    assert!(!world.seats[mallory].kept.contains_key(&session("s")));
}

#[test]
fn a_server_in_the_hosts_place_learns_nothing_of_the_guest() {
    // The invite is Alice's; under her name somebody else waits, who has seen no invite.
    let (_, invite) = hosted();
    let mut world = world(CarrierChoice::Auto);
    careful_seat(&mut world, "alice", 66, Contacts::default());
    let command = Command::Invite {
        suite: frostmesh::frost::Suite::default(),
        session_id: session("s"),
        total: 3,
        threshold: 2,
        name: None,
        lifetime: 60,
    };
    world.command(HOST, command).unwrap();
    let bob = guest(&mut world, "bob", 2, &invite);
    world.run_for(30_000);
    assert_eq!(arrived(&world), 0);
    assert!(world.view(bob, &session("s")).is_none());
    let said = world
        .record
        .as_ref()
        .unwrap()
        .iter()
        .filter(|sent| sent.from == bob && sent.text.contains("relay"));
    for sent in said {
        // Nothing but the first message of the handshake: a fresh key and a tag.
        assert!(
            sent.text.contains("\"link\"") && sent.text.contains("\"data\":\"01"),
            "Bob said {}",
            sent.text
        );
    }
}

#[test]
fn a_full_session_takes_nobody_else() {
    let (mut world, invite) = hosted();
    guest(&mut world, "bob", 2, &invite);
    guest(&mut world, "carol", 3, &invite);
    let late = guest(&mut world, "dave", 4, &invite);
    world.run_for(30_000);
    assert_eq!(arrived(&world), 2);
    assert!((0..3).all(|seat| is_done(&world, seat)));
    assert!(world.view(late, &session("s")).is_none());
}

#[test]
fn invites_that_were_used_make_room_for_others() {
    let (mut world, invite) = hosted();
    guest(&mut world, "bob", 2, &invite);
    guest(&mut world, "carol", 3, &invite);
    settle(&mut world);
    world.run_for(120_000);
    for number in 0..16 {
        let (session_id, name) = (session(&format!("later {number}")), None);
        let command = Command::Invite {
            suite: frostmesh::frost::Suite::default(),
            session_id,
            total: 2,
            threshold: 2,
            name,
            lifetime: 600,
        };
        world.command(HOST, command).unwrap();
    }
    let one_more = Command::Invite {
        suite: frostmesh::frost::Suite::default(),
        session_id: session("x"),
        total: 2,
        threshold: 2,
        name: None,
        lifetime: 600,
    };
    assert!(world.command(HOST, one_more).is_err(), "there is a bound");
}

#[test]
fn an_invite_that_has_expired_is_worth_nothing() {
    let (mut world, invite) = hosted();
    world.run_for(61_000);
    let bob = careful_seat(&mut world, "bob", 2, Contacts::default());
    let error = world
        .command(bob, Command::JoinInvite { invite: Box::new(invite.clone()), peer_id: None })
        .unwrap_err();
    assert!(error.to_string().contains("expired"), "{error}");
    // Also for one whose clock is slow: the host does not answer any more.
    let slow: Invite = invite.uri().as_str().replace("expires=1", "expires=2").parse().unwrap();
    world.command(bob, Command::JoinInvite { invite: Box::new(slow), peer_id: None }).unwrap();
    world.run_for(20_000);
    assert_eq!(arrived(&world), 0);
}

#[test]
fn an_invite_is_read_back_as_it_was_and_no_other_text_is_one() {
    let (_, invite) = hosted();
    let uri = invite.uri();
    assert_eq!(uri.as_str().parse::<Invite>().unwrap(), invite);
    let page = format!("https://example.org/join/#{}", invite.fields().as_str());
    assert_eq!(page.parse::<Invite>().unwrap(), invite, "the address of a page");
    assert!(
        !format!("{invite:?}")
            .contains(&uri.as_str()[uri.as_str().find("secret=").unwrap() + 7..][..32])
    );
    for field in
        ["server", "session", "peer", "identity", "secret", "total", "threshold", "expires"]
    {
        let without = uri.as_str().replace(&format!("{field}="), "other=");
        let error = without.parse::<Invite>().unwrap_err().to_string();
        assert!(error.contains(field), "{field}: {error}");
        let twice = format!("{}&{field}=1", uri.as_str());
        assert!(twice.parse::<Invite>().is_err(), "{field} twice");
    }
    for text in [
        "",
        "frostmesh",
        "frostmesh:",
        "hello",
        "https://example.org/",
        &"frostmesh:".repeat(1_000),
    ] {
        assert!(text.parse::<Invite>().is_err(), "{text}");
    }
}
