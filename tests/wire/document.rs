//! docs/PROTOCOL.md lists every message with its fields, in sections 1 and 2. The tables and the
//! declarations in `src/wire/` name the same ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use frostmesh::wire::{ClientMessage, MessageType, PeerMessage, RelayData, ServerMessage};
use serde_json::Value;

/// The fields of each message. Messages of node and server are named with their direction, since
/// both know `relay`.
type Messages = BTreeMap<String, BTreeSet<String>>;

const TO_SERVER: &str = "node -> server";
const FROM_SERVER: &str = "server -> node";

fn declared() -> Messages {
    let named = |types: Vec<MessageType>, direction: &str| {
        let name = |name: &str| format!("{direction} {name}").trim().to_owned();
        let fields = |fields: Vec<&str>| fields.into_iter().map(str::to_owned).collect();
        types.into_iter().map(|t| (name(t.name), fields(t.fields))).collect::<Vec<_>>()
    };
    [
        named(ClientMessage::types(), TO_SERVER),
        named(ServerMessage::types(), FROM_SERVER),
        named(RelayData::types(), ""),
        named(PeerMessage::types(), ""),
    ]
    .concat()
    .into_iter()
    .collect()
}

/// What stands between back-quotes.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// Adds the messages of a table row of the document.
fn read_row(cells: &[&str], messages: &mut Messages) {
    let direction = cells[0];
    if [TO_SERVER, FROM_SERVER].contains(&direction) {
        // An example of the message, with `...` for any value.
        let json = quoted(cells[1])[0].replace("{...}", "{}");
        let json: Value = serde_json::from_str(&json).unwrap_or_else(|e| panic!("{json}: {e}"));
        let name = format!("{direction} {}", json["type"].as_str().unwrap());
        let fields = json.as_object().unwrap().keys().filter(|key| *key != "type").cloned();
        messages.entry(name).or_default().extend(fields);
        return;
    }
    for name in quoted(cells[0]) {
        let name = match name {
            "register" | "list_peers" => format!("{TO_SERVER} {name}"),
            "peers" | "error" => format!("{FROM_SERVER} {name}"),
            _ => name.to_owned(),
        };
        let fields = quoted(cells[1]).into_iter().map(|field| field.trim_end_matches('?'));
        messages.entry(name).or_default().extend(fields.map(str::to_owned));
    }
}

fn documented() -> Messages {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/PROTOCOL.md");
    let text = fs::read_to_string(path).unwrap();
    let start = text.find("## 1. Signaling").expect("section 1");
    let end = text.find("## 3. ").expect("section 3");
    let mut messages = Messages::new();
    for line in text[start..end].lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let is_header = cells[0] == "`type`";
        let is_message = cells[0].starts_with('`') || cells[0].contains("->");
        if is_message && !is_header {
            read_row(&cells, &mut messages);
        }
    }
    messages
}

#[test]
fn the_document_and_the_declarations_name_the_same_messages_and_fields() {
    let (declared, documented) = (declared(), documented());
    let types = |messages: &Messages| messages.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(types(&documented), types(&declared), "types of messages");
    for (name, fields) in &declared {
        assert_eq!(
            documented[name], *fields,
            "the fields of {name}: left documented, right declared"
        );
    }
}
