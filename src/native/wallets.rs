//! `frostmesh wallets`: what is kept here.

use serde_json::json;

use super::cli::Local;
use super::commands::open_store;
use super::exit::{Exit, Failure, OrExit};
use super::report::{line, names};
use super::store::Store;
use crate::agreement::Member;
use crate::audit::Body;
use crate::keystore::{Kind, RosterEntry, WalletInfo};

/// A wallet and whether all participants confirmed it.
pub(super) struct Entry {
    pub info: WalletInfo,
    pub confirmed: bool,
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
        let (found, broken) =
            store.list(kind).or_exit(Exit::Other, "the wallets cannot be read")?;
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
            let WalletInfo { pubkey, threshold, total, roster, name, .. } = &entry.info;
            let name = name.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
            println!(
                "{pubkey}  {threshold}-of-{total}  {:<11}  {name}{}",
                entry.status(),
                names(&roster.names())
            );
        }
    }
    if all.is_empty() && !local.json {
        eprintln!("no wallets yet: make one with 'frostmesh create' or 'frostmesh join'");
    }
    Ok(())
}

/// Checks the certificate of a wallet, from what stands in it alone.
pub(super) fn verify(pubkey: &str, local: &Local) -> Result<(), Failure> {
    let store = open_existing(local)?;
    let Entry { info, .. } = one(&store, pubkey)?;
    let record =
        store.wallet(Kind::Wallet, &info.pubkey).or_exit(Exit::Keystore, "it is not confirmed")?;
    let Some(certificate) = record.certificate else {
        let text =
            "this wallet has no certificate: it was made with participants that proved nothing";
        return Err(Failure::new(Exit::Other, text));
    };
    let same =
        certificate.pubkey == info.pubkey && certificate.agreement.threshold == info.threshold;
    if !same {
        return Err(Failure::new(Exit::Other, "the certificate is of another wallet"));
    }
    certificate.verify().or_exit(Exit::Other, "the certificate does not hold")?;
    let members = &certificate.agreement.members;
    if local.json {
        let fingerprint = |m: &Member| m.identity.fingerprint().to_string();
        let members =
            members.iter().map(|m| json!({ "peer_id": m.peer_id, "fingerprint": fingerprint(m) }));
        line(&json!({
            "event": "verified", "pubkey": info.pubkey, "session_id": certificate.agreement.session_id,
            "threshold": info.threshold, "participants": members.collect::<Vec<_>>(),
        }));
    } else {
        println!(
            "the certificate holds: all {} participants signed how {} was made",
            members.len(),
            info.pubkey
        );
        for member in members {
            println!("  {:<20}  {}", member.peer_id.as_str(), member.identity.fingerprint());
        }
    }
    Ok(())
}

pub(super) fn show(pubkey: &str, local: &Local) -> Result<(), Failure> {
    let store = open_existing(local)?;
    let entry = one(&store, pubkey)?;
    if local.json {
        let mut value = entry.json();
        value["ready"] = json!(is_tested(&store, &entry.info.pubkey));
        line(&value);
        return Ok(());
    }
    let info = &entry.info;
    println!("group key     {}", info.pubkey);
    if let Some(name) = &info.name {
        println!("name          {name}");
    }
    println!(
        "status        {}",
        if entry.confirmed {
            "active"
        } else {
            "unconfirmed: not every participant confirmed it, do not use it"
        }
    );
    println!("threshold     {} of {}", info.threshold, info.total);
    for (index, RosterEntry { identifier, peer_id }) in info.roster.iter().enumerate() {
        let label = if index == 0 { "participants" } else { "" };
        let me = if *identifier == info.identifier { "  (this node)" } else { "" };
        println!("{label:<14}{identifier} {peer_id}{me}");
    }
    let certified = entry.confirmed
        && store.wallet(Kind::Wallet, &info.pubkey).is_ok_and(|r| r.certificate.is_some());
    let verified = match (info.verified, certified) {
        (true, _) => "yes: by safety words or an invite",
        (false, true) => "no: identities that were met for the first time were taken at their word",
        (false, false) => "no: nothing proved who the participants were",
    };
    println!("verified      {verified}");
    println!(
        "certificate   {}",
        if certified { "yes: check it with 'frostmesh wallets verify'" } else { "none" }
    );
    let tested = match (certified, is_tested(&store, &info.pubkey)) {
        (_, true) => "yes: every member has signed once",
        (true, false) => "not by every member: see who can sign with 'frostmesh wallets check'",
        (false, false) => "no: nothing can be signed with it here",
    };
    println!("tested        {tested}");
    println!("ciphersuite   {}", info.ciphersuite);
    println!("session       {}", info.session_id);
    Ok(())
}

/// Whether every member has signed a test with the key, by the audit trail.
fn is_tested(store: &Store, pubkey: &str) -> bool {
    let ready = |entry: &crate::audit::Entry| matches!(entry.read(), Ok(Body::Ready));
    store.trail(pubkey).is_ok_and(|(entries, _)| entries.iter().any(ready))
}

/// The one wallet whose group key begins so.
pub(super) fn one(store: &Store, pubkey: &str) -> Result<Entry, Failure> {
    let wanted = pubkey.to_ascii_lowercase();
    let mut found: Vec<Entry> = entries(store)?;
    found.retain(|e| e.info.pubkey.starts_with(&wanted));
    match (found.pop(), found.len()) {
        (Some(one), 0) if !wanted.is_empty() => Ok(one),
        (None, _) => {
            Err(Failure::new(Exit::Keystore, format_args!("there is no wallet {pubkey} here")))
        }
        (Some(_), others) => {
            let text =
                format!("{pubkey} is the beginning of {} wallets: give more of it", others + 1);
            Err(Failure::new(Exit::Keystore, text))
        }
    }
}

/// Opens the store, but makes none: looking must not leave an empty keystore behind.
pub(super) fn open_existing(local: &Local) -> Result<Store, Failure> {
    let folder = local.data_dir.clone().or_else(Store::default_folder);
    match folder {
        Some(folder) if !Store::exists(&folder) => Err(Failure::new(
            Exit::Keystore,
            format_args!("there are no wallets in {} yet", folder.display()),
        )),
        _ => open_store(local),
    }
}
