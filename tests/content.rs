//! What is signed: the 32 bytes of each kind, and what is refused.
#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeSet;

use frostmesh::content::{
    self, Content, ContentError, File, Hash, MAX_CONTENT, NostrEvent, SignItem, Text,
};
use frostmesh::frost::{GroupKey, Use};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

fn tagged(tag: &str, bytes: &[u8]) -> [u8; 32] {
    let tag = Sha256::digest(tag);
    Sha256::digest([&tag[..], &tag[..], bytes].concat()).into()
}

fn text(text: &str) -> Content {
    Content::from(Text::new(text.into()).unwrap())
}

#[test]
fn a_text_and_a_file_are_hashed_under_tags_of_their_own() {
    assert_eq!(text("I agree").digest(), tagged("frostmesh/text", b"I agree"));
    let sha256: [u8; 32] = Sha256::digest("I agree").into();
    let file = Content::from(File { name: "a".into(), size: 7, sha256 });
    assert_eq!(file.digest(), tagged("frostmesh/file", &sha256));
    let renamed = Content::from(File { name: "b".into(), size: 7, sha256 });
    assert_eq!(file.digest(), renamed.digest(), "a renamed file is the same file");
}

#[test]
fn no_kind_makes_the_bytes_of_another_of_what_looks_the_same() {
    let event = r#"{"kind":1,"created_at":1,"tags":[],"content":"x"}"#;
    let event = NostrEvent::parse(event, Some(&[7; 32])).unwrap();
    let preimage = format!(r#"[0,"{}",1,1,[],"x"]"#, hex::encode([7; 32]));
    let id: [u8; 32] = Sha256::digest(&preimage).into();
    assert_eq!(Content::from(event).digest(), id);
    assert_ne!(text(&preimage).digest(), id, "an event that is shown as a text is no event");
    let file = Content::from(File { name: "x".into(), size: 1, sha256: id });
    assert_ne!(file.digest(), id);
    assert_eq!(
        Content::from(hex::encode(id).parse::<Hash>().unwrap()).digest(),
        id,
        "a hash can be anything"
    );
}

#[test]
fn an_event_is_refused_that_is_not_what_it_says() {
    let me = [7; 32];
    let parse = |json: &str| NostrEvent::parse(json, Some(&me));
    let fine = format!(
        r#"{{"pubkey":"{}","kind":1,"created_at":1,"tags":[["e","x"]],"content":"hi"}}"#,
        hex::encode(me)
    );
    let id = hex::encode(parse(&fine).unwrap().id());
    assert!(parse(&fine.replacen('{', &format!(r#"{{"id":"{id}","#), 1)).is_ok());
    let wrong = [
        fine.replacen('{', &format!(r#"{{"id":"{}","#, hex::encode([1; 32])), 1),
        fine.replacen('{', &format!(r#"{{"id":"{}","#, id.to_uppercase()), 1),
        fine.replace(&hex::encode(me), &hex::encode([8; 32])),
        fine.replace(r#""kind":1"#, r#""kind":70000"#),
        fine.replace(r#""created_at":1"#, r#""created_at":-1"#),
        fine.replace(r#"["e","x"]"#, r#"["e",1]"#),
        fine.replace(r#""content":"hi""#, r#""contents":"hi""#),
        "[]".to_owned(),
    ];
    for json in wrong {
        assert!(matches!(parse(&json), Err(ContentError::Malformed(_))), "{json}");
    }
    assert!(
        NostrEvent::parse(r#"{"kind":1,"created_at":1,"tags":[],"content":""}"#, None).is_err(),
        "nobody's"
    );
}

#[test]
fn what_cannot_be_shown_is_not_signed() {
    assert_eq!(Text::new(String::new()), Err(ContentError::Empty));
    assert!(Text::new("x".repeat(MAX_CONTENT)).is_ok());
    assert_eq!(
        Text::new("x".repeat(MAX_CONTENT + 1)),
        Err(ContentError::TooLarge { size: MAX_CONTENT + 1, most: MAX_CONTENT })
    );
    assert!("00".parse::<Hash>().is_err());
    let large =
        format!(r#"{{"kind":1,"created_at":1,"tags":[],"content":"{}"}}"#, "x".repeat(MAX_CONTENT));
    assert!(matches!(
        NostrEvent::parse(&large, Some(&[1; 32])),
        Err(ContentError::TooLarge { .. })
    ));
}

#[test]
fn every_kind_says_what_it_is_and_keeps_its_limits() {
    let names: BTreeSet<&str> = content::kinds().map(|kind| kind.name).collect();
    assert_eq!(names.len(), content::kinds().count(), "two kinds have one name");
    assert!(!names.contains("batch"), "that is an operation with several contents");
    for kind in content::kinds() {
        assert!(kind.max_size <= MAX_CONTENT);
        for text in [kind.label.key, kind.label.text, kind.asks.text, kind.help, kind.value_name] {
            assert!(!text.is_empty());
        }
        let (size, most) = (kind.max_size + 1, kind.max_size);
        let refused = Content::read(kind.name, &"x".repeat(size), None);
        assert_eq!(refused, Err(ContentError::TooLarge { size, most }));
        assert!(Content::read(kind.name, "", None).is_err());
    }
    let unknown = Err(ContentError::Kind("no-kind".into()));
    assert_eq!(Content::read("no-kind", "x", None), unknown);
}

#[test]
fn content_is_written_so_that_it_reads_as_the_same() {
    let sha256 = hex::encode([9; 32]);
    let file = format!(r#"{{ "sha256": "{sha256}", "name": "a.pdf", "size": 7 }}"#);
    let event = r#"{"kind":1,"created_at":1,"tags":[["t","x"]],"content":"hi"}"#;
    let key = GroupKey::new("secp256k1-tr".parse().unwrap(), vec![2; 33]);
    let examples =
        [("text", " as\nit is "), ("file", &file), ("nostr-event", event), ("hash", &sha256)];
    assert!(content::kinds().map(|kind| kind.name).eq(examples.map(|(kind, _)| kind)));
    for (kind, written) in examples {
        let content = Content::read(kind, written, Some(&key)).unwrap();
        let again = Content::read(kind, &content.written(), Some(&key)).unwrap();
        assert_eq!(again, content);
        assert_eq!(again.items(), content.items());
        assert_eq!(again.shown(), content.shown());
        assert_eq!(content.items(), [SignItem::of(content.digest())]);
        assert_eq!(content.kind(), kind);
    }
}

#[test]
fn an_event_takes_a_key_that_signs_for_nostr() {
    let event = r#"{"kind":1,"created_at":1,"tags":[],"content":"hi"}"#;
    let read = |suite: &str| {
        let key = GroupKey::new(suite.parse().unwrap(), vec![2; 33]);
        Content::read("nostr-event", event, Some(&key))
    };
    assert_eq!(read("secp256k1"), Err(ContentError::Use(Use::NOSTR)));
    let shown = read("secp256k1-tr").unwrap().shown();
    assert!(shown.contains(&("pubkey", hex::encode([2; 32]))), "the wallet is the author");
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_of_events_panic(json in r#"(\{"kind":1,"created_at":[0-9]{1,22},)?[ -~]{0,200}"#) {
        let _ = NostrEvent::parse(&json, Some(&[1; 32]));
    }

    #[test]
    fn every_text_of_an_event_is_part_of_its_id(content in ".{0,50}", other in ".{0,50}", tag in ".{0,20}") {
        let event = |content: &str, tag: &str| NostrEvent {
            pubkey: [7; 32], created_at: 1, kind: 1, tags: vec![vec![tag.into()]], content: content.into(),
        };
        prop_assert_eq!(event(&content, &tag).id() == event(&other, &tag).id(), content == other);
        let moved = NostrEvent { tags: vec![vec![tag.clone(), content.clone()]], ..event("", &tag) };
        prop_assert_ne!(moved.id(), event(&content, &tag).id());
    }
}
