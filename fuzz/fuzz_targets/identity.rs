//! Any text as an invite, contacts, a certificate, evidence or a Nostr event. What is accepted is
//! written in a form that reads as the same.
#![no_main]

use frostmesh::agreement::{Certificate, Evidence};
use frostmesh::content::{Content, NostrEvent};
use frostmesh::identity::{Contacts, Invite};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(invite) = text.parse::<Invite>() {
        assert!(invite.uri().as_str().parse::<Invite>().is_ok_and(|again| again == invite));
    }
    if let Ok(event) = NostrEvent::parse(text, None) {
        assert_eq!(Content::from(event.clone()).digest(), event.id());
    }
    if let Ok(certificate) = serde_json::from_str::<Certificate>(text) {
        let _ = certificate.verify();
    }
    if let Ok(evidence) = serde_json::from_str::<Evidence>(text) {
        let _ = evidence.verify();
    }
    if let Ok(mut contacts) = serde_json::from_str::<Contacts>(text) {
        let names: Vec<String> = contacts.iter().map(|contact| contact.name.clone()).collect();
        for name in names {
            let _ = contacts.rename(&name, "another");
            let _ = contacts.forget("another");
        }
    }
});
