//! A baseline peer, made of one of our nodes: what it sends loses every extension, and the fields
//! that a baseline peer may leave out.

use serde_json::{Value, from_str};

/// What is sent over a channel.
pub fn on_channel(text: &str) -> Vec<String> {
    let message: Value = from_str(text).unwrap();
    stripped(message).map(|m| m.to_string()).into_iter().collect()
}

/// What is sent to the server.
pub fn to_server(text: &str) -> Vec<String> {
    let mut frame: Value = from_str(text).unwrap();
    frame.as_object_mut().unwrap().remove("protocol");
    if frame["type"] == "relay" {
        let Some(data) = stripped(frame["data"].take()) else { return Vec::new() };
        frame["data"] = data;
    }
    vec![frame.to_string()]
}

fn stripped(mut message: Value) -> Option<Value> {
    message.as_object_mut()?.remove("attempt");
    let kind = message["type"].as_str()?.to_owned();
    if kind == "session_response" {
        // It declines, but shows that it accepts by connecting, and that it is gone by going.
        let declines = message["payload"]["accepted"] == false
            && message["payload"]["cause"]["kind"] == "declined";
        declines.then_some(())?;
    }
    if let Some(payload) = message["payload"].as_object_mut() {
        for extension in ["cause", "allow_unverified"] {
            payload.remove(extension);
        }
        if matches!(kind.as_str(), "commitment" | "share") {
            payload.remove("session_id");
        }
    }
    Some(message)
}
