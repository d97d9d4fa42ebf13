//! Everything that nodes printed, and every secret that they had: the two must not meet.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

#[derive(Default)]
pub struct Leaks {
    log: Vec<String>,
    scalars: BTreeSet<Vec<u8>>,
    /// Whose share it is: nobody else may get it.
    recipients: BTreeMap<String, (String, String)>,
}

impl Leaks {
    pub fn printed(&mut self, text: String) {
        self.log.push(text);
    }

    /// A key package: header, identifier, signing share, and then what is public.
    pub fn key_package(&mut self, bytes: &[u8]) {
        self.scalars.insert(bytes[37..69].to_vec());
    }

    /// A node handed a message to a channel.
    pub fn said(&mut self, from: &str, to: &str, text: &str) {
        let json: Value = serde_json::from_str(text).expect("nodes speak JSON");
        if json["type"] == "share" {
            let data = json["payload"]["data"].as_str().expect("a share has data");
            let bytes = hex::decode(data).expect("a share is hex");
            self.scalars.insert(bytes[5..37].to_vec()); // after the header
            let route = (from.to_owned(), to.to_owned());
            let known = self.recipients.entry(data.to_owned()).or_insert_with(|| route.clone());
            assert_eq!(*known, route, "a share went to two peers");
        }
    }

    /// A node sent a frame to the server.
    pub fn seen_by_server(&mut self, text: &str) {
        self.printed(text.to_owned());
    }

    pub fn check(&self) {
        let log = self.log.join("\n").to_ascii_lowercase();
        for half in self.scalars.iter().flat_map(|scalar| scalar.chunks(16)) {
            let list = half.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
            assert!(
                !log.contains(&hex::encode(half)) && !log.contains(&list),
                "a share was printed, or sent to the server"
            );
        }
    }
}
