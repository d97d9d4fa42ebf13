//! That a ciphersuite, a kind of content and a carrier are one file and one line each. The toys
//! beside this file are in the lists of unit tests, and nowhere else: `src/lib.rs` includes this
//! module in them (docs/decisions/0016-toys-in-unit-tests.md tells why). Everything that iterates
//! over the lists has to do with them what it does with the others.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "../frost/checks.rs"]
mod checks;
#[path = "../common/mod.rs"]
mod common;
#[path = "../signing/group.rs"]
#[allow(dead_code)] // other tests use more of it
mod group;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::native::cli::Cli;
use clap::{CommandFactory, Parser};
use frost_ed25519::{Signature, VerifyingKey};
use frostmesh::api::{
    CarrierChoice, CarrierId, Command, PhaseName, carrier_views, kind_views, suite_views,
};
use frostmesh::content::{self, Content, ContentError};
use frostmesh::frost::{AddressValue, GroupKey, Suite, Use};
use frostmesh::node::{CarrierEvent, Input, carriers};

use group::Group;

const LINES: &str = "one\ntwo\nthree";

fn toy_suite() -> Suite {
    "toy-suite".parse().unwrap()
}

#[test]
fn a_toy_suite_keeps_what_all_have_to() {
    checks::all(toy_suite());
}

#[test]
fn a_toy_kind_is_signed_with_a_toy_suite() {
    let mut group = Group::new(3, 2, 5, toy_suite());
    let key = GroupKey::new(toy_suite(), hex::decode(&group.pubkey).unwrap());
    let lines = Content::read("toy-kind", LINES, Some(&key)).unwrap();
    let id = group.ask_to_sign(0, lines.clone(), 3_600);
    group.world.run_for(1_000);
    group.vote(1, &id, true);
    assert!(
        group.world.run_until_true(|world| (0..3).all(|seat| Group::is_signed(world, seat, &id)))
    );
    group.check_trails();

    let request = group.requests(2).into_iter().find(|request| request.id == id).unwrap();
    assert_eq!(request.kind, "toy-kind");
    assert_eq!(request.shown, lines.shown());
    let elsewhere = VerifyingKey::deserialize(key.bytes()).unwrap();
    assert_eq!(request.signatures.len(), 3, "one approval signs every line");
    for (item, signed) in lines.items().iter().zip(request.signatures) {
        let signature = hex::decode(signed.signature).unwrap();
        elsewhere.verify(&item.message, &Signature::deserialize(&signature).unwrap()).unwrap();
    }
}

#[test]
fn content_of_a_toy_kind_can_have_several_items() {
    let key = GroupKey::new(toy_suite(), vec![1; 32]);
    let lines = Content::read("toy-kind", LINES, Some(&key)).unwrap();
    let messages: BTreeSet<[u8; 32]> = lines.items().iter().map(|item| item.message).collect();
    assert_eq!(messages.len(), 3);
    assert_eq!(Content::read("toy-kind", &lines.written(), Some(&key)), Ok(lines));
    let many = "line\n".repeat(9);
    assert!(matches!(Content::read("toy-kind", &many, None), Err(ContentError::Malformed(_))));
}

#[test]
fn a_key_signs_only_what_its_suite_says_it_can() {
    let refused = |kind, suite| {
        let key = GroupKey::new(suite, vec![2; 33]);
        Content::read(kind, LINES, Some(&key)).unwrap_err()
    };
    let error = refused("nostr-event", toy_suite());
    assert_eq!(error, ContentError::Use(Use::NOSTR));
    let wanted = "Nostr takes signatures of wallets with the ciphersuite secp256k1-tr only";
    assert_eq!(error.to_string(), wanted);
    let error = refused("toy-kind", Suite::default());
    let wanted = "toys takes signatures of wallets with the ciphersuite toy-suite only";
    assert_eq!(error.to_string(), wanted);
}

#[test]
fn a_toy_key_has_the_addresses_that_its_suite_gives_it() {
    let addresses = GroupKey::new(toy_suite(), vec![7; 32]).addresses();
    let values: Vec<AddressValue> = addresses.into_iter().map(|address| address.value).collect();
    assert_eq!(values, [AddressValue::Text(format!("toy:{}", "07".repeat(32)))]);
}

#[test]
fn screens_and_command_lines_list_the_toys() {
    assert!(suite_views().iter().any(|suite| suite.name == "toy-suite"));
    assert!(kind_views().iter().any(|kind| kind.name == "toy-kind"));
    assert!(carrier_views(carriers()).iter().any(|carrier| carrier.id == "toy-carrier"));

    let help = |command: &str| {
        let mut cli = Cli::command();
        let help = cli.find_subcommand_mut(command).unwrap().render_long_help().to_string();
        help.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert!(help("create").contains("toy-suite (RFC 9591 with Ed25519, to play with)"));
    assert!(help("verify").contains("toy-suite (RFC 8032)"));
    assert!(help("sign").contains("--toy-kind <LINES>"));
    assert!(help("create").contains("toy-carrier: A carrier to play with"));
    let sign = ["frostmesh", "sign", "--wallet", "02"];
    assert!(Cli::try_parse_from(sign.iter().chain(&["--toy-kind", LINES])).is_ok());
    assert!(Cli::try_parse_from(sign).is_err(), "there is nothing to sign");
    let hash = sign.iter().chain(&["--hash", "00"]);
    let error = Cli::try_parse_from(hash).err().unwrap().to_string();
    assert!(error.contains("a hash is 64 hexadecimal digits"), "{error}");

    let error = "no-suite".parse::<Suite>().unwrap_err().to_string();
    assert!(error.ends_with("use secp256k1 or secp256k1-tr or toy-suite"), "{error}");
}

#[test]
fn labels_are_those_of_the_messages() {
    let messages: serde_json::Value =
        serde_json::from_str(include_str!("../../extension/_locales/en/messages.json")).unwrap();
    let kinds = content::kinds().flat_map(|kind| [Some(kind.label), Some(kind.asks), kind.warning]);
    let labels = kinds.flatten().chain(Suite::all().map(|suite| suite.info().label));
    let labels = labels.chain(carriers().map(|carrier| carrier.info().label));
    let (mut translated, mut toys) = (0, 0);
    for label in labels {
        let message = &messages[label.key];
        if label.key.ends_with("_toy") {
            assert!(message.is_null(), "nobody has to translate a toy");
            toys += 1;
            continue;
        }
        let text = message["message"].as_str().unwrap_or_else(|| panic!("no {}", label.key));
        assert_eq!(text.replace("$peer$", "$1"), label.text);
        translated += 1;
    }
    assert_eq!((translated, toys), (13, 4));
}

/// Two nodes that may use the toy carrier alone, each told that the other can be reached by it.
fn over_the_toy() -> common::world::World {
    let info = frostmesh::node::carrier_info("toy-carrier").unwrap();
    let carrier = CarrierId::new(info);
    let mut world = common::world::World::new(9, common::weather::Weather::CALM);
    world.plain = false;
    world.carrier = CarrierChoice::Only(carrier);
    for (name, seed) in [("alice", 1), ("bob", 2)] {
        let seat = world.add(name, seed);
        world.connect_at(seat, 0);
    }
    world.run_for(100);
    for (seat, other) in [(0, "bob"), (1, "alice")] {
        let (peer, event) = (common::peer(other), CarrierEvent::Up);
        world.hand_in(seat, Input::Carrier { carrier, peer, event });
    }
    world
}

#[test]
fn a_key_is_made_over_a_toy_carrier() {
    let mut world = over_the_toy();
    let session_id = common::session("s");
    let propose = Command::Propose {
        session_id: session_id.clone(),
        participants: vec![common::peer("alice"), common::peer("bob")],
        threshold: 2,
        suite: Suite::default(),
        allow_unverified: false,
    };
    world.command(0, propose).unwrap();
    let done = |world: &common::world::World, seat| {
        world.phase(seat, &session_id) == Some(PhaseName::Done)
    };
    assert!(world.run_until_true(|world| done(world, 0) && done(world, 1)));
    assert_eq!(world.open_channels(), 0, "no data channel was opened");
    let peers = world.view(0, &session_id).unwrap().peers;
    assert_eq!(peers[0].carrier.map(CarrierId::id), Some("toy-carrier"));
    assert!(world.sent_over > 10, "{} messages went over it", world.sent_over);
}

/// The files below a folder of the project, without the ones that are built or installed.
fn files(folder: &str, found: &mut Vec<PathBuf>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for entry in fs::read_dir(root.join(folder)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        if path.is_dir() && !name.ends_with("node_modules") && !name.ends_with("pkg") {
            files(&name, found);
        } else if path.is_file() {
            found.push(name.into());
        }
    }
}

/// What a how-to says that one has to touch: the paths in its list of files.
fn listed(how_to: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/howto").join(how_to);
    let text = fs::read_to_string(path).unwrap();
    let list = text.split("## Files\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let lines = list.lines().filter(|line| line.starts_with("- "));
    lines.map(|line| line.split('`').nth(1).unwrap().to_owned()).collect()
}

#[test]
fn each_toy_is_one_file_and_one_line() {
    let mut all = Vec::new();
    for folder in ["src", "www", "extension", "xtask/src", "tests"] {
        files(folder, &mut all);
    }
    assert!(all.len() > 200, "only {} files were read", all.len());
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (toy, file, list, how_to) in [
        ("toy.suite", "tests/extend/toy_suite.rs", "src/frost/suites/mod.rs", "suite.md"),
        ("toy.kind", "tests/extend/toy_kind.rs", "src/content/kinds/mod.rs", "kind.md"),
        (
            "toy.carrier",
            "tests/extend/toy_carrier.rs",
            "src/node/transport/carriers/mod.rs",
            "carrier.md",
        ),
    ] {
        let names = [toy.replace('.', "-"), toy.replace('.', "_")];
        let mut lines = Vec::new();
        for path in all.iter().filter(|path| !path.starts_with("tests/extend")) {
            let Ok(text) = fs::read_to_string(root.join(path)) else { continue };
            let naming = text.lines().filter(|line| names.iter().any(|name| line.contains(name)));
            lines.extend(naming.map(|line| (path.clone(), line.to_owned())));
        }
        assert_eq!(lines.len(), 1, "{toy} takes more than one line: {lines:#?}");
        assert_eq!(lines[0].0, Path::new(list));
        assert!(root.join(file).is_file());

        // The how-to names the place of the file, the list, and at most the dependency beside.
        let folder = list.strip_suffix("mod.rs").unwrap();
        let mut expected = vec![format!("{folder}NAME.rs"), list.to_owned()];
        if how_to == "suite.md" {
            expected.push("Cargo.toml".to_owned());
        }
        assert_eq!(listed(how_to), expected, "docs/howto/{how_to}");
    }
}
