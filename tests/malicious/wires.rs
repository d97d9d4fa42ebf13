//! The signaling server and the channels of the net. They carry everything at once and in order,
//! and judge nothing.

use frostmesh::node::Input;
use frostmesh::node::SocketEvent;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::net::{Delivery, End, Net};

impl Net {
    /// Puts text on the channel from one peer to another, which must be open.
    pub fn say(&mut self, from: &str, to: &str, text: impl Into<String>) {
        let end = self
            .links
            .iter()
            .find(|(end, other)| end.0 == from && other.0 == to)
            .map(|(end, _)| end.clone());
        self.queue.push_back(Delivery::OverChannel(end.expect("no channel"), text.into()));
    }

    /// Lets the server relay this text from one peer to another, whoever wrote it.
    pub fn relay(&mut self, from: &str, to: &str, data: &str) {
        let frame = format!(r#"{{"type":"relay","from":"{from}","data":{data}}}"#);
        self.queue.push_back(Delivery::FromServer(to.to_owned(), frame));
    }

    /// A puppet begins a connection to a peer with a larger name.
    pub fn offer(&mut self, from: &str, to: &str) {
        assert!(from < to, "the smaller name offers");
        let attempt = self.new_attempt(from);
        self.ends.insert((from.to_owned(), attempt), to.to_owned());
        self.relay(
            from,
            to,
            &json!({"type": "offer", "sdp": format!("offer|{from}|{attempt}")}).to_string(),
        );
    }

    pub(super) fn at_server(&mut self, from: &str, text: &str) {
        if !self.sockets.contains(from) {
            return;
        }
        let message: Value = serde_json::from_str(text).unwrap();
        let mut answer = |to: &str, json: Value| {
            self.queue.push_back(Delivery::FromServer(to.into(), json.to_string()))
        };
        match message["type"].as_str().unwrap() {
            "register" => drop(self.registered.insert(from.to_owned())),
            "list_peers" => answer(from, json!({"type": "peers", "peers": self.registered})),
            "relay" => {
                let to = message["to"].as_str().unwrap().to_owned();
                if self.registered.contains(&to) {
                    for data in self.tampered(from, &to, &message["data"].to_string(), true) {
                        self.relay(from, &to, &data);
                    }
                } else {
                    let text = json!({"type": "error", "error": "offline", "code": "target_offline", "peer_id": to});
                    answer(from, text);
                }
            }
            other => panic!("{from} sent {other} to the server"),
        }
    }

    pub(super) fn hand_frame(&mut self, to: &str, text: String) {
        if !self.sockets.contains(to) {
            return;
        }
        if self.seats[to].node.is_some() {
            let server = self.seats[to].server;
            return drop(self.input(to, SocketEvent::Text(text).of(server)));
        }
        let frame: Value = serde_json::from_str(&text).unwrap();
        let (from, data) = (frame["from"].as_str().unwrap_or_default(), &frame["data"]);
        let sdp = data["sdp"].as_str().unwrap_or_default();
        match data["type"].as_str() {
            Some("offer") => {
                let attempt = self.new_attempt(to);
                self.ends.insert((to.to_owned(), attempt), from.to_owned());
                let sdp = format!("answer|{to}|{attempt}|{sdp}");
                self.relay(to, from, &json!({"type": "answer", "sdp": sdp}).to_string());
            }
            Some("answer") => {
                let attempt = sdp.rsplit('|').next().unwrap().parse().unwrap();
                self.connect((to.to_owned(), attempt), sdp);
            }
            _ => self.seat(to).inbox.push((from.to_owned(), data.clone())),
        }
    }

    fn new_attempt(&mut self, id: &str) -> u32 {
        let seat = self.seat(id);
        seat.attempts += 1;
        seat.attempts
    }

    /// The offerer has the answer: both ends open, where both are still there.
    pub(super) fn connect(&mut self, offerer: End, answer: &str) {
        let parts: Vec<&str> = answer.split('|').collect();
        let answerer: End = (parts[1].to_owned(), parts[2].parse().unwrap());
        if !self.ends.contains_key(&offerer) || !self.ends.contains_key(&answerer) {
            return;
        }
        for (end, other) in [(&offerer, &answerer), (&answerer, &offerer)] {
            self.links.insert(end.clone(), other.clone());
            let opened =
                Input::DataChannelOpened { peer: other.0.parse().unwrap(), attempt: end.1 };
            self.queue.push_back(Delivery::Input(end.0.clone(), opened));
        }
    }

    pub(super) fn close(&mut self, end: &End) {
        self.ends.remove(end);
        let Some(other) = self.links.remove(end) else { return };
        self.links.remove(&other);
        if self.ends.remove(&other).is_some() {
            let (peer, reason) = (end.0.parse().unwrap(), "closed".to_owned());
            self.queue.push_back(Delivery::Input(
                other.0,
                Input::ConnectionClosed { peer, attempt: other.1, reason },
            ));
        }
    }

    pub(super) fn over_channel(&mut self, end: &End, text: String) {
        let Some((to, attempt)) = self.links.get(end).cloned() else { return };
        let json: Value = serde_json::from_str(&text).unwrap_or_default();
        let kind = json["type"].as_str().unwrap_or_default();
        if self.hold.as_ref().is_some_and(|hold| hold(&end.0, &to, kind)) {
            self.held.push(Delivery::OverChannel(end.clone(), text));
        } else if self.seats[&to].node.is_none() {
            self.seat(&to).inbox.push((end.0.clone(), json));
        } else {
            let peer = end.0.parse().unwrap();
            drop(
                self.input(
                    &to,
                    Input::DataChannelText { peer, attempt, text: Zeroizing::new(text) },
                ),
            );
        }
    }
}
