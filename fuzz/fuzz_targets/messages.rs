//! Any text as a message (of a node, of the server, relayed, of a peer, of a member of a wallet) or
//! as content. What is accepted is written in a form that reads as the same.
#![no_main]

use frostmesh::content::{self, Content};
use frostmesh::frost::{GroupKey, Suite};
use frostmesh::group::GroupMessage;
use frostmesh::wire::{ClientMessage, PeerMessage, RelayData, ServerMessage};
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

fuzz_target!(|text: &str| {
    if let Ok((message, _)) = PeerMessage::parse(text) {
        let again =
            PeerMessage::parse(message.to_text().as_str()).expect("what we write can be read");
        assert!(again.0 == message, "{message:?} reads as something else");
    }
    if let Ok(message) = GroupMessage::parse(text) {
        let again = GroupMessage::parse(&message.to_text()).expect("what we write can be read");
        assert!(again == message, "{message:?} reads as something else");
    }
    // A key of each ciphersuite, so that each kind has one that can sign it.
    for key in Suite::all().map(|suite| GroupKey::new(suite, vec![2; 33])) {
        for kind in content::kinds() {
            if let Ok(content) = Content::read(kind.name, text, Some(&key)) {
                let again = Content::read(kind.name, &content.written(), Some(&key))
                    .expect("what we write can be read");
                assert_eq!(again.items(), content.items(), "it reads as something else");
            }
        }
    }
    if let Ok(message) = ServerMessage::parse(text) {
        let written = message.to_json();
        assert_eq!(
            ServerMessage::parse(&written).expect("what we write can be read").to_json(),
            written
        );
    }
    if let Ok(message) = ClientMessage::parse(text) {
        let written = message.to_json();
        assert_eq!(
            ClientMessage::parse(&written).expect("what we write can be read").to_json(),
            written
        );
    }
    let Ok(raw) = RawValue::from_string(text.to_owned()) else { return };
    if let Ok(data) = RelayData::parse(&raw) {
        let again = RelayData::parse(&data.to_raw()).expect("what we write can be read");
        assert!(again == data, "{data:?} reads as something else");
    }
});
