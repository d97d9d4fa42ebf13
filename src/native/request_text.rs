//! A request as text for people, and the requests that are known here without asking anyone.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use super::driver::{Driver, Settings, since_1970};
use super::exit::{Exit, Failure, OrExit};
use super::report::{names, short};
use super::shown::contents;
use super::store::Store;
use crate::api::{GroupView, RequestView, Timestamp, View};
use crate::node::Config;

/// What is known here, from the audit logs.
pub(super) fn known(store: &Arc<Store>) -> Result<View, Failure> {
    let settings =
        Settings { config: Config::default(), ice_servers: Vec::new(), store: store.clone() };
    let mut driver = Driver::new(settings).or_exit(Exit::Other, "the identity cannot be opened")?;
    driver.read_wallets().or_exit(Exit::Other, "the wallets cannot be read")?;
    Ok(driver.view())
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
pub(super) fn text(group: &GroupView, request: &RequestView, all_items: bool) -> String {
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
