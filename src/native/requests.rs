//! `frostmesh requests`: what members of the wallets ask for, and how a request is shown before it is approved.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::cli::{Local, Reach, Requests};
use super::driver::since_1970;
use super::exit::{Exit, Failure, OrExit};
use super::member::{Member, NEWS};
use super::report::{line, names, printable, short};
use super::store::Store;
use super::wallets::open_existing;
use super::{Driver, Settings};
use crate::node::{
    Config, ContentView, Event, GroupView, RequestState, RequestView, Timestamp, View,
};
use crate::wire::PeerId;

/// So many contents of a request are shown unless all are asked for.
const SHOWN: usize = 20;

pub(super) async fn run(args: Requests) -> Result<(), Failure> {
    let store = Arc::new(open_existing(&args.local)?);
    let view =
        if args.offline { known(&store)? } else { news(&store, args.reach, &args.local).await? };
    let mut some = false;
    for group in &view.groups {
        let waits =
            |r: &&RequestView| matches!(r.state, RequestState::Open | RequestState::Approved);
        for request in group.requests.iter().filter(|r| args.all || waits(r)) {
            some = true;
            if args.local.json {
                let mut value = serde_json::to_value(request).unwrap_or_default();
                value["event"] = json!("request");
                value["pubkey"] = json!(group.pubkey);
                line(&value);
            } else {
                println!("{}", text(group, request, args.all_items));
            }
        }
    }
    if !some && !args.local.json {
        let hint = if args.all { "" } else { " wait; --all shows those that are over" };
        eprintln!("no requests{hint}");
    }
    Ok(())
}

/// Shows a request whose id begins so, if it is known here, before it is decided on.
pub(super) fn show_one(store: &Arc<Store>, beginning: &str, all_items: bool) {
    let Ok(view) = known(store) else { return };
    for group in &view.groups {
        let of_it = group.requests.iter().filter(|request| request.id.starts_with(beginning));
        of_it.for_each(|request| eprintln!("{}", text(group, request, all_items)));
    }
}

/// A request for people, in several lines.
fn text(group: &GroupView, request: &RequestView, all_items: bool) -> String {
    let RequestView { id, state, kind, proposer, approved, declined, expires, .. } = request;
    let left = Duration::from_millis(expires.since(now()));
    let ends = if left.is_zero() { String::new() } else { format!(", ends in {}", span(left)) };
    let what = match request.contents.len() {
        1 => (*kind).to_owned(),
        several => format!("{several} contents"),
    };
    let mut text = format!(
        "{}  {}  {what} for {}…, asked by {proposer}{ends}\n",
        short(id),
        state.name(),
        &group.pubkey[..12]
    );
    contents(&mut text, &request.contents, all_items, "  ");
    let needed = group.threshold;
    let votes = (approved.len(), names(approved));
    let _ = writeln!(text, "  approved     {} of {needed} needed: {}", votes.0, votes.1);
    if !declined.is_empty() {
        let _ = writeln!(text, "  declined     {}", names(declined));
    }
    for signature in &request.signatures {
        let _ = writeln!(text, "  signature    {}", signature.signature);
    }
    text
}

/// Writes everything that is to be signed: one content in full; of several their number first, then each, or the first ones and
/// how to see the rest.
pub(super) fn contents(text: &mut String, all: &[ContentView], all_items: bool, indent: &str) {
    let total = all.len();
    let shown = if all_items { total } else { SHOWN };
    for (index, content) in all.iter().take(shown).enumerate() {
        if total > 1 {
            let _ = writeln!(text, "{indent}{} of {total}: {}", index + 1, content.kind);
        }
        for (name, value) in &content.shown {
            let _ = writeln!(text, "{indent}{name:<12} {}", printable(value));
        }
        // Of one of several contents a digest that stands there already is not written once more.
        let told = |digest: &&String| total > 1 && content.shown.iter().any(|(_, v)| v == *digest);
        for digest in content.digests.iter().filter(|digest| !told(digest)) {
            let _ = writeln!(text, "{indent}digest       {digest}");
        }
    }
    if total > shown {
        let rest = total - shown;
        let _ = writeln!(
            text,
            "{indent}and {rest} more, which are signed as well: 'frostmesh requests --all-items' shows all"
        );
    }
    if all.iter().any(|content| content.kind == "hash") {
        let _ = writeln!(
            text,
            "{indent}nobody can see what a hash means: approve it only if you know by another way"
        );
    }
}

fn span(time: Duration) -> String {
    match time.as_secs() {
        seconds @ ..120 => format!("{seconds} s"),
        seconds @ ..7_200 => format!("{} min", seconds / 60),
        seconds @ ..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

pub(super) fn now() -> Timestamp {
    Timestamp::from_millis(since_1970())
}

/// What is known here, from the audit logs.
fn known(store: &Arc<Store>) -> Result<View, Failure> {
    let settings =
        Settings { config: Config::default(), ice_servers: Vec::new(), store: store.clone() };
    let mut driver = Driver::new(settings).or_exit(Exit::Other, "the identity cannot be opened")?;
    driver.read_wallets().or_exit(Exit::Other, "the wallets cannot be read")?;
    Ok(driver.view())
}

/// The same, after the members that are there have sent what is new.
async fn news(store: &Arc<Store>, reach: Reach, local: &Local) -> Result<View, Failure> {
    if reach.server.is_none() && store.last_server().is_none() {
        return known(store);
    }
    let Some(mut member) = Member::start(store.clone(), None, reach, local)? else {
        return known(store);
    };
    let end = Instant::now() + NEWS;
    let mut registered = false;
    while Instant::now() < end
        && !(registered && member.driver.is_delivered() && all_told(&member.driver.view()))
    {
        tokio::select! {
            event = member.driver.next() => match event {
                Event::Peers { .. } => registered = true,
                Event::ServerLost { reason, .. } | Event::ServerRefused { reason } => {
                    eprintln!("frostmesh: this is what is known here: {reason}");
                    break;
                }
                _ => {}
            },
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
    }
    let view = member.driver.view();
    member.finish().await;
    Ok(view)
}

/// Whether a secure channel stands with every member that is there.
pub(super) fn all_told(view: &View) -> bool {
    let there = |peer: &PeerId| view.peers_online.contains(peer);
    let told =
        |group: &GroupView| group.members.iter().all(|m| m.me || m.online || !there(&m.peer_id));
    view.groups.iter().all(told)
}
