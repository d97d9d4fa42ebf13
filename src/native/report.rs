//! Prints what a command does: readable lines on stderr, or one JSON object a line on stdout.

use std::io::{IsTerminal, Write};
use std::time::Instant;

use serde_json::{Value, json};

use super::shown::contents as write_contents;
use crate::api::{Event, Reason};
use crate::wire::PeerId;

/// Where and how much to print.
pub(super) struct Reporter {
    json: bool,
    verbose: bool,
    started: Instant,
    terminal: bool,
    me: PeerId,
}

impl Reporter {
    pub(super) fn new(me: PeerId, json: bool, verbose: bool) -> Self {
        Self {
            json,
            verbose,
            started: Instant::now(),
            terminal: std::io::stderr().is_terminal(),
            me,
        }
    }

    /// Reports an event of the node.
    pub(super) fn event(&self, event: &Event) {
        if self.json {
            if self.verbose || !is_detail(event) {
                line(&as_json(event));
            }
        } else if let Some(text) = self.sentence(event) {
            self.say(&text);
        }
    }

    /// Something that the command itself noticed.
    pub(super) fn note(&self, event: &str, text: &str) {
        if self.json {
            line(&json!({ "event": event, "reason": text }));
        } else {
            self.say(text);
        }
    }

    /// Reports an end that the command itself decided on.
    pub(super) fn aborted(&self, session_id: Option<&str>, reason: &str, peer: Option<&PeerId>) {
        if self.json {
            line(
                &json!({ "event": "aborted", "session_id": session_id, "reason": reason, "peer_id": peer }),
            );
        } else {
            self.say(&format!("aborted: {reason}"));
        }
    }

    /// Prints a line for people. Nothing in JSON mode.
    pub(super) fn say(&self, text: &str) {
        if self.json {
            return;
        }
        let seconds = self.started.elapsed().as_secs_f64();
        // Dim, so that the words stand out.
        let (dim, plain) = if self.terminal { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
        eprintln!("{dim}{seconds:7.2} s{plain}  {text}");
    }

    /// Prints the command's result on stdout. Nothing in JSON mode, where an event has it.
    pub(super) fn result(&self, what: &str, value: &str) {
        if !self.json {
            self.say(&format!("{what}:"));
            println!("{value}");
        }
    }

    /// The same for several values of one kind, a line each.
    pub(super) fn results(&self, what: &str, values: &[String]) {
        if self.json {
            return;
        }
        match values.len() {
            1 => self.say(&format!("{what}:")),
            several => self.say(&format!("{several} {what}s:")),
        }
        values.iter().for_each(|value| println!("{value}"));
    }

    fn sentence(&self, event: &Event) -> Option<String> {
        Some(match event {
            Event::Registered { peer_id } => format!("registered at the server as {peer_id}"),
            Event::ServerLost { reason, .. } => format!("server: {reason}"),
            Event::ServerRefused { reason } => format!("the server refused: {reason}"),
            Event::ServerGone { reason } => format!("gave the server up: {reason}"),
            Event::Proposed { session_id, peer_id, participants, total, threshold, suite } => {
                let who =
                    if *peer_id == self.me { "proposed" } else { &format!("{peer_id} proposes") };
                let with = names(participants);
                format!(
                    "{who} a {threshold}-of-{total} {suite} key with {with} (session {session_id})"
                )
            }
            Event::Refused { peer_id, reason, .. } => {
                format!("refused a proposal of {peer_id}: {reason}")
            }
            Event::Accepted { peer_id, .. } if *peer_id == self.me => "joined".to_owned(),
            Event::Accepted { peer_id, .. } => format!("{peer_id} takes part"),
            Event::Declined { peer_id, reason, .. } => match reason {
                Some(reason) => format!("{peer_id} declined: {reason}"),
                None => format!("{peer_id} declined"),
            },
            Event::PeerConnected { peer_id, carrier, verified } => {
                let how = carrier.info().how;
                let proven =
                    if *verified { "it proved its identity" } else { "nothing proves who it is" };
                format!("connected to {peer_id} {how} ({proven})")
            }
            Event::Carrier { peer_id, carrier } => {
                format!("{peer_id} is reached {} now", carrier.info().how)
            }
            Event::Invite { uri, .. } => invitation(uri.as_str()),
            Event::Arrived { peer_id, fingerprint, missing, .. } => {
                let left = if *missing == 0 {
                    "everyone is here".to_owned()
                } else {
                    format!("{missing} more to come")
                };
                format!("{peer_id} has come by the invite ({fingerprint}); {left}")
            }
            Event::Words { words, .. } => format!(
                "compare these words with every other participant, by a way that you trust:\n\n             \
                 {}\n\n           do all of them have the same words? type yes or no",
                spoken(words).join("  ")
            ),
            Event::PeerDisconnected { peer_id, reason } => {
                format!("the channel to {peer_id} is gone: {reason}")
            }
            Event::MeshReady { .. } => "connected to everyone".to_owned(),
            Event::Round { round: 1, .. } => "round 1: exchanging commitments".to_owned(),
            Event::Round { .. } => "round 2: exchanging shares".to_owned(),
            Event::WalletCreated { threshold, total, identifier, .. } => format!(
                "key made and confirmed by all: {threshold} of {total} can sign; this is share {identifier}, \
                 encrypted on disk"
            ),
            Event::WalletReady { .. } => {
                "every participant has signed a test with it: the wallet is ready".to_owned()
            }
            Event::WalletUnusable { pubkey, reason } => {
                format!("nothing can be signed with {pubkey}: {reason}")
            }
            Event::Member { peer_id, online: true, carrier: Some(carrier), .. } => {
                format!("{peer_id} is here, {}", carrier.info().how)
            }
            Event::Member { peer_id, online: true, .. } => format!("{peer_id} is here"),
            Event::Member { peer_id, .. } => format!("{peer_id} is gone"),
            Event::Checked { answered, failed, .. } => checked(answered, failed),
            Event::MemberVersion { peer_id, version, ours, .. } if version < ours => format!(
                "{peer_id} runs an older version of frostmesh: requests for several signatures are not sent to it until \
                 it is updated"
            ),
            Event::MemberVersion { peer_id, .. } => format!(
                "{peer_id} runs a newer version of frostmesh: update this one to take part in everything that it asks for"
            ),
            Event::Requested { request, peer_id, kind, contents, .. } => {
                let who = if *peer_id == self.me { "asked" } else { &format!("{peer_id} asks") };
                let what = match contents.len() {
                    1 => format!("a signature ({kind})"),
                    several => format!("signatures of {several} contents"),
                };
                let mut text = format!("{who} for {what}, request {}\n", short(request));
                write_contents(&mut text, contents, false, "             ");
                text.trim_end().to_owned()
            }
            Event::Voted { request, peer_id, approves, state, .. } => {
                let does = if *approves { "approves" } else { "declines" };
                format!("{peer_id} {does} request {} ({})", short(request), state.name())
            }
            Event::Signing { request, signers, .. } => {
                format!("request {}: {} sign", short(request), names(signers))
            }
            Event::SigningFailed { request, culprits, reason, .. } => {
                format!(
                    "request {}: {} {reason}; trying again without, if enough are left",
                    short(request),
                    names(culprits)
                )
            }
            Event::Signature { request, signers, .. } => {
                format!("request {} is signed, by {}", short(request), names(signers))
            }
            Event::Aborted { reason, .. } => format!("aborted: {}", reason.text),
            Event::Ignored { peer_id, reason } if self.verbose => match peer_id {
                Some(peer) => format!("ignored something of {peer}: {reason}"),
                None => format!("ignored: {reason}"),
            },
            _ => return None,
        })
    }
}

/// The outcome of a health check.
fn checked(answered: &[PeerId], failed: &[(PeerId, String)]) -> String {
    let who = if answered.is_empty() { "nobody".to_owned() } else { names(answered) };
    let mut text = format!("signed a test: {who}");
    for (peer, reason) in failed {
        text.push_str(&format!("\n             {peer} {reason}"));
    }
    text
}

/// The beginning of a request's id, long enough to be unique.
pub(super) fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// The safety words of their indices: the English list of BIP-39, whose words differ in their first
/// four letters.
fn spoken(words: &[u16]) -> Vec<&'static str> {
    let list = bip39::Language::English.word_list();
    words.iter().map(|index| list[usize::from(*index) % list.len()]).collect()
}

/// An invite to copy, and to scan.
fn invitation(uri: &str) -> String {
    let hint = "hand this to the others, by a way that you trust; whoever has it can take part:";
    let code = qrcode::QrCode::with_error_correction_level(uri, qrcode::EcLevel::L);
    let code = code
        .map(|code| code.render::<qrcode::render::unicode::Dense1x2>().build())
        .unwrap_or_default();
    format!("{hint}\n\n{uri}\n\n{code}")
}

/// Names in a row.
pub(super) fn names(peers: &[PeerId]) -> String {
    peers.iter().map(PeerId::as_str).collect::<Vec<_>>().join(", ")
}

/// Whether only `--verbose` wants it.
fn is_detail(event: &Event) -> bool {
    matches!(event, Event::Ignored { .. } | Event::Peers { .. } | Event::PeerDisconnected { .. })
}

pub(super) fn as_json(event: &Event) -> Value {
    match event {
        Event::Aborted { session_id, reason } => {
            let Reason { kind, peer_id, reported_by, text } = reason;
            let mut value = json!({ "event": "aborted", "session_id": session_id, "reason": text, "kind": kind });
            if let Some(peer) = peer_id {
                value["peer_id"] = json!(peer);
            }
            if let Some(peer) = reported_by {
                value["reported_by"] = json!(peer);
            }
            value
        }
        Event::Words { session_id, words } => {
            json!({ "event": "words", "session_id": session_id, "words": spoken(words) })
        }
        other => serde_json::to_value(other).unwrap_or_default(),
    }
}

/// Prints one JSON object. A reader that has gone away is no reason to stop.
pub(super) fn line(value: &Value) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{value}");
    let _ = out.flush();
}
