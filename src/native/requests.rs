//! `frostmesh requests`: what members of the wallets ask for.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::cli::{Local, Reach, Requests};
use super::exit::Failure;
use super::member::{Member, NEWS, has_all_channels};
use super::open::open_existing;
use super::report::line;
use super::request_text::{known, text};
use super::store::Store;
use crate::api::{Event, RequestState, RequestView, View};

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
        && !(registered && member.driver.is_delivered() && has_all_channels(&member.driver.view()))
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
