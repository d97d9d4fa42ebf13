//! The report at the end of the demo.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::timeline::{PARTICIPANTS, Point, Timeline};
use crate::project::Project;

/// The points that are counted from the moment when the last of the participants joined.
const STEPS: [(Point, &str); 3] = [
    (Point::Round1, "connected to all"),
    (Point::Round2, "round 1 done"),
    (Point::Done, "key made, all confirmed"),
];

/// When each participant reached each point.
pub fn table(timeline: &Timeline) -> String {
    let mut text = format!("\n  {:<30}", "time to");
    PARTICIPANTS.iter().for_each(|name| text += &format!("{name:>12}"));
    text += &format!("{:>14}\n", "phase took");
    let row = |what: &str, times: [Option<Duration>; 3], took: Option<Duration>| {
        let cells: String = times.map(|time| format!("{:>12}", milliseconds(time))).concat();
        format!("  {what:<30}{cells}{:>14}\n", milliseconds(took))
    };
    let own = |from, to| PARTICIPANTS.map(|name| timeline.between(from, to, name));
    let online = own(Point::Started, Point::Online);
    text += &row("started and online", online, online.iter().flatten().max().copied());
    let created = timeline.at(Point::Started, "cli1");
    let offered = timeline.last(Point::Proposed);
    text +=
        &row("proposal arrived", since(timeline, created, Point::Proposed), span(created, offered));
    let joined = timeline.last(Point::Joined);
    text += &row(
        "joined (click in the popup)",
        since(timeline, offered, Point::Joined),
        span(offered, joined),
    );
    let mut before = joined;
    for (point, what) in STEPS {
        let last = timeline.last(point);
        text += &row(what, since(timeline, joined, point), span(before, last));
        before = last;
    }
    if timeline.is_complete() {
        let all = span(joined, timeline.last(Point::Done));
        text += &format!("\n  from the last one joining to the key: {}\n", milliseconds(all));
    }
    text += "  (the browser's times are those at which its popup shows it; - is too short for it to show)\n";
    text
}

/// The group key of each participant. It is an error if they differ.
pub fn keys(timeline: &Timeline) -> Result<()> {
    println!("\n  The group key, as each of the three sees it");
    let keys = PARTICIPANTS.map(|name| timeline.key(name).unwrap_or("no key"));
    PARTICIPANTS.iter().zip(keys).for_each(|(name, key)| println!("    {name:<8} {key}"));
    if keys.iter().any(|key| *key != keys[0]) || timeline.key(PARTICIPANTS[0]).is_none() {
        bail!("The three do not see the same key.");
    }
    println!("\n  All three agree.");
    Ok(())
}

/// Suggestions for the person while everything keeps running.
pub fn next(project: &Project, folder: &Path, url: &str) -> String {
    let program = project.program("debug");
    let (program, folder) = (project.show(&program), folder.display());
    let page = url.replacen("ws", "http", 1);
    format!(
        "
  Everything is still running. Try:
    the same node as a page          open {page}
    who is online                    {program} peers --server {url}
    the key on cli1's disk           {program} wallets list \\
                                       --data-dir {folder}/cli1 --password-file {folder}/password
    another key, from the popup      propose a session with the participants browser,cli3, and in a terminal:
                                     {program} join --server {url} --peer-id cli3 --allow-unverified \\
                                       --data-dir {folder}/cli3 --password-file {folder}/password
  Ctrl-C ends it and removes {folder}.
"
    )
}

fn since(timeline: &Timeline, from: Option<Instant>, point: Point) -> [Option<Duration>; 3] {
    PARTICIPANTS.map(|name| span(from, timeline.at(point, name)))
}

fn span(from: Option<Instant>, to: Option<Instant>) -> Option<Duration> {
    Some(to?.saturating_duration_since(from?))
}

fn milliseconds(time: Option<Duration>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| format!("{} ms", time.as_millis()))
}
