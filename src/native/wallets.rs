//! `frostmesh wallets`: what is kept here.

use serde_json::json;

use super::cli::Local;
use super::commands::open_store;
use super::exit::{Exit, Failure, OrExit};
use super::report::{line, names};
use super::store::Store;
use crate::keystore::{Kind, WalletInfo};

/// A wallet and whether all participants confirmed it.
struct Entry {
    info: WalletInfo,
    confirmed: bool,
}

impl Entry {
    fn status(&self) -> &'static str {
        if self.confirmed { "active" } else { "unconfirmed" }
    }

    fn json(&self) -> serde_json::Value {
        let mut value = serde_json::to_value(&self.info).unwrap_or_default();
        value["event"] = json!("wallet");
        value["status"] = json!(self.status());
        value
    }
}

fn entries(store: &Store) -> Result<Vec<Entry>, Failure> {
    let mut all = Vec::new();
    for (kind, confirmed) in [(Kind::Wallet, true), (Kind::Unconfirmed, false)] {
        let (found, broken) = store.list(kind).or_exit(Exit::Other, "the wallets cannot be read")?;
        broken.iter().for_each(|error| eprintln!("frostmesh: left out: {error}"));
        all.extend(found.into_iter().map(|info| Entry { info, confirmed }));
    }
    Ok(all)
}

pub(super) fn list(local: &Local) -> Result<(), Failure> {
    let all = entries(&open_existing(local)?)?;
    for entry in &all {
        if local.json {
            line(&entry.json());
        } else {
            let WalletInfo { pubkey, threshold, total, participants, .. } = &entry.info;
            println!("{pubkey}  {threshold}-of-{total}  {:<11}  {}", entry.status(), names(participants));
        }
    }
    if all.is_empty() && !local.json {
        eprintln!("no wallets yet: make one with 'frostmesh create' or 'frostmesh join'");
    }
    Ok(())
}

pub(super) fn show(pubkey: &str, local: &Local) -> Result<(), Failure> {
    let wanted = pubkey.to_ascii_lowercase();
    let mut found: Vec<Entry> = entries(&open_existing(local)?)?;
    found.retain(|e| e.info.pubkey.starts_with(&wanted));
    let entry = match found.as_slice() {
        [one] if !wanted.is_empty() => one,
        [] => return Err(Failure::new(Exit::Keystore, format_args!("there is no wallet {pubkey} here"))),
        _ => {
            let text = format!("{pubkey} is the beginning of {} wallets: give more of it", found.len());
            return Err(Failure::new(Exit::Keystore, text));
        }
    };
    if local.json {
        line(&entry.json());
        return Ok(());
    }
    let info = &entry.info;
    println!("group key     {}", info.pubkey);
    println!(
        "status        {}",
        if entry.confirmed { "active" } else { "unconfirmed: not every participant confirmed it, do not use it" }
    );
    println!("threshold     {} of {}", info.threshold, info.total);
    for (place, id) in info.participants.iter().enumerate().map(|(i, id)| (i + 1, id)) {
        let label = if place == 1 { "participants" } else { "" };
        let me = if place == usize::from(info.identifier) { "  (this node)" } else { "" };
        println!("{label:<14}{place} {id}{me}");
    }
    println!("verified      {}", if info.verified { "yes" } else { "no: nothing proved who the participants were" });
    println!("ciphersuite   {}", info.ciphersuite);
    println!("session       {}", info.session_id);
    Ok(())
}

/// Opens the store, but makes none: looking must not leave an empty keystore behind.
fn open_existing(local: &Local) -> Result<Store, Failure> {
    let folder = local.data_dir.clone().or_else(Store::default_folder);
    match folder {
        Some(folder) if !Store::exists(&folder) => {
            Err(Failure::new(Exit::Keystore, format_args!("there are no wallets in {} yet", folder.display())))
        }
        _ => open_store(local),
    }
}
