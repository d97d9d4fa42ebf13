//! `frostmesh wallets`: the keys that are stored here.

use serde_json::json;

use super::cli::Local;
use super::exit::{Exit, Failure, OrExit};
use super::open::open_existing;
use super::report::{line, names};
use super::store::Store;
use super::stored_wallet::{StoredKey, one, stored_keys};
use crate::agreement::Member;
use crate::audit::Body;
use crate::keystore::{Kind, RosterEntry, WalletInfo};

fn status(key: &StoredKey) -> &'static str {
    if key.confirmed { "active" } else { "unconfirmed" }
}

fn as_json(key: &StoredKey) -> serde_json::Value {
    let mut value = serde_json::to_value(&key.info).unwrap_or_default();
    value["event"] = json!("wallet");
    value["status"] = json!(status(key));
    value
}

pub(super) fn list(local: &Local) -> Result<(), Failure> {
    let all = stored_keys(&open_existing(local)?)?;
    for entry in &all {
        if local.json {
            line(&as_json(entry));
        } else {
            let WalletInfo { pubkey, threshold, total, participants, name, .. } = &entry.info;
            let name = name.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
            println!(
                "{pubkey}  {threshold}-of-{total}  {:<11}  {name}{}",
                status(entry),
                names(participants)
            );
        }
    }
    if all.is_empty() && !local.json {
        eprintln!("no wallets yet: make one with 'frostmesh create' or 'frostmesh join'");
    }
    Ok(())
}

/// Verifies the certificate of a wallet, from its own content alone.
pub(super) fn verify(pubkey: &str, local: &Local) -> Result<(), Failure> {
    let store = open_existing(local)?;
    let StoredKey { info, .. } = one(&store, pubkey)?;
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
        let mut value = as_json(&entry);
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

/// Whether every member has signed a test with the key, by the audit log.
fn is_tested(store: &Store, pubkey: &str) -> bool {
    let ready = |entry: &crate::audit::Entry| matches!(entry.read(), Ok(Body::Ready));
    store.trail(pubkey).is_ok_and(|(entries, _)| entries.iter().any(ready))
}
