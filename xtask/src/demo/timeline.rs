//! The timeline of each participant of the demo, from the events of the command line and of the
//! popup.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::process::Event;

/// The participants, in the order of the report's columns.
pub const PARTICIPANTS: [&str; 3] = ["cli1", "cli2", "browser"];

/// A point that each participant reaches.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    /// Its process was started.
    Started,
    /// It is registered at the signaling server.
    Online,
    /// It has sent or seen the proposal.
    Proposed,
    /// It takes part; in the browser this is the click on Join.
    Joined,
    /// It and all others are connected: round 1 begins.
    Round1,
    /// It has all round-1 packages: round 2 begins.
    Round2,
    /// It has the key, and all others have confirmed the same one.
    Done,
}

/// The points of all participants, and the key that each has made.
#[derive(Default)]
pub struct Timeline {
    points: BTreeMap<(Point, &'static str), Instant>,
    keys: BTreeMap<&'static str, String>,
}

impl Timeline {
    /// Records the start of a participant.
    pub fn started(&mut self, name: &'static str) {
        self.set(Point::Started, name, Instant::now());
    }

    /// Records an event.
    pub fn add(&mut self, event: &Event) -> Result<()> {
        let Event { at, from, value } = event;
        let text = |field: &str| value[field].as_str().unwrap_or_default();
        let point = match text("event") {
            "registered" | "online" => Point::Online,
            "proposed" => Point::Proposed,
            "joined" => Point::Joined,
            // The command line reports itself and others. Only its own acceptance counts here.
            "accepted" if value["peer_id"].is_null() || text("peer_id") == *from => Point::Joined,
            "mesh_ready" => Point::Round1,
            "round" if value["round"] == 1 => Point::Round1,
            "round" if value["round"] == 2 => Point::Round2,
            "phase" => match text("phase") {
                "round1" => Point::Round1,
                "round2" => Point::Round2,
                "aborted" => bail!("{from} shows the session as aborted."),
                _ => return Ok(()),
            },
            "wallet_created" => {
                let key = value["pubkey"]
                    .as_str()
                    .with_context(|| format!("{from} made a key without a pubkey"))?;
                self.keys.insert(from, key.to_owned());
                Point::Done
            }
            // A command-line node ends when it has its key.
            "exited" if self.keys.contains_key(from) => return Ok(()),
            "exited" => bail!("{from} ended before it had a key."),
            _ => return Ok(()),
        };
        self.set(point, from, *at);
        Ok(())
    }

    /// When a participant reached a point.
    pub fn at(&self, point: Point, name: &'static str) -> Option<Instant> {
        self.points.get(&(point, name)).copied()
    }

    /// When the last participant reached a point.
    pub fn last(&self, point: Point) -> Option<Instant> {
        PARTICIPANTS.iter().filter_map(|name| self.at(point, name)).max()
    }

    /// The time of a participant from one point to another.
    pub fn between(&self, from: Point, to: Point, name: &'static str) -> Option<Duration> {
        Some(self.at(to, name)?.saturating_duration_since(self.at(from, name)?))
    }

    /// The group key of a participant.
    pub fn key(&self, name: &str) -> Option<&str> {
        self.keys.get(name).map(String::as_str)
    }

    /// Whether each participant has made its key.
    pub fn is_complete(&self) -> bool {
        self.missing().is_empty()
    }

    /// The participants that have not.
    pub fn missing(&self) -> Vec<&'static str> {
        PARTICIPANTS.into_iter().filter(|name| !self.keys.contains_key(name)).collect()
    }

    /// Only the first time counts.
    fn set(&mut self, point: Point, name: &'static str, at: Instant) {
        self.points.entry((point, name)).or_insert(at);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use serde_json::json;

    use super::{Event, PARTICIPANTS, Point, Timeline};

    #[test]
    fn a_demo_is_complete_with_the_last_key() {
        let (mut timeline, start) = (Timeline::default(), Instant::now());
        for (name, milliseconds) in PARTICIPANTS.into_iter().zip([5, 7, 9]) {
            assert!(!timeline.is_complete());
            let done = json!({ "event": "wallet_created", "pubkey": "02ab" });
            let at = start + Duration::from_millis(milliseconds);
            timeline.add(&Event { at, from: name, value: done }).expect("an event");
        }
        assert!(timeline.is_complete());
        assert_eq!(timeline.last(Point::Done), Some(start + Duration::from_millis(9)));
        assert_eq!(timeline.key("cli2"), Some("02ab"));
    }

    #[test]
    fn a_session_that_the_popup_shows_as_aborted_ends_the_demo() {
        let aborted = json!({ "event": "phase", "phase": "aborted" });
        let event = Event { at: Instant::now(), from: "browser", value: aborted };
        assert!(Timeline::default().add(&event).is_err());
    }
}
