//! `frostmesh identity`, `contacts` and `evidence`: this node's identity, its contacts, and proofs
//! of misbehaviour.

use std::path::Path;

use serde_json::json;

use super::cli::{Contacts as Change, Evidence as Ask, Local};
use super::exit::{Exit, Failure, OrExit};
use super::open::{open_existing, open_store};
use super::report::line;
use crate::agreement::Evidence;
use crate::identity::Contact;

pub(super) fn identity(local: &Local) -> Result<(), Failure> {
    let key =
        open_store(local)?.identity().or_exit(Exit::Other, "the identity cannot be opened")?;
    let (identity, fingerprint) = (key.identity(), key.identity().fingerprint());
    if local.json {
        let (identity, fingerprint) = (identity.to_string(), fingerprint.to_string());
        line(&json!({ "event": "identity", "fingerprint": fingerprint, "identity": identity }));
    } else {
        println!("{fingerprint}");
    }
    Ok(())
}

fn show(contact: &Contact, local: &Local) {
    let fingerprint = contact.identity.fingerprint().to_string();
    let status = match contact {
        Contact { blocked: true, .. } => "blocked",
        Contact { verified: true, .. } => "verified",
        _ => "not verified",
    };
    if local.json {
        line(&json!({
            "event": "contact", "name": contact.name, "fingerprint": fingerprint, "peer_ids": contact.peer_ids,
            "identity": contact.identity, "first_seen": contact.first_seen, "last_seen": contact.last_seen,
            "verified": contact.verified, "blocked": contact.blocked,
        }));
    } else {
        println!("{:<20}  {status:<12}  {fingerprint}", contact.name);
    }
}

pub(super) fn contacts(command: Change) -> Result<(), Failure> {
    let (Change::List(local)
    | Change::Rename { local, .. }
    | Change::Forget { local, .. }
    | Change::Block { local, .. }) = &command;
    let store = open_existing(local)?;
    let mut contacts = store.contacts().or_exit(Exit::Other, "the contacts cannot be opened")?;
    let changed = match &command {
        Change::List(_) => {
            contacts.iter().for_each(|contact| show(contact, local));
            if contacts.iter().next().is_none() && !local.json {
                eprintln!("no contacts yet: whoever you make a key with becomes one");
            }
            return Ok(());
        }
        Change::Rename { who, name, .. } => contacts.rename(who, name).cloned(),
        Change::Forget { who, .. } => contacts.forget(who),
        Change::Block { who, undo, .. } => contacts.block(who, !undo).cloned(),
    };
    let changed = changed.map_err(|error| Failure::new(Exit::Usage, error))?;
    store.store_contacts(&contacts).or_exit(Exit::Other, "the contacts cannot be kept")?;
    show(&changed, local);
    Ok(())
}

pub(super) fn evidence(command: Ask) -> Result<(), Failure> {
    match command {
        Ask::Check { file, json } => check(&file, json),
        Ask::List(local) => {
            for (id, evidence) in kept(&local)? {
                tell(&id, &evidence, local.json)?;
            }
            Ok(())
        }
        Ask::Show { id, local } => {
            let mut found = kept(&local)?;
            found.retain(|(name, _)| name.starts_with(&id));
            let [(_, evidence)] = &found[..] else {
                return Err(Failure::new(
                    Exit::Keystore,
                    format_args!("{} pieces of evidence begin with {id}", found.len()),
                ));
            };
            let text = serde_json::to_string_pretty(evidence)
                .or_exit(Exit::Other, "it cannot be written")?;
            println!("{text}");
            Ok(())
        }
    }
}

fn kept(local: &Local) -> Result<Vec<(String, Evidence)>, Failure> {
    let (found, broken) =
        open_existing(local)?.evidence().or_exit(Exit::Other, "the evidence cannot be read")?;
    broken.iter().for_each(|error| eprintln!("frostmesh: left out: {error}"));
    Ok(found)
}

/// Verifies a piece of evidence, and prints whom it accuses.
fn tell(id: &str, evidence: &Evidence, as_json: bool) -> Result<(), Failure> {
    let accused = evidence
        .verify()
        .map_err(|error| Failure::new(Exit::Other, format_args!("{id} proves nothing: {error}")))?;
    let (fingerprint, session) =
        (accused.identity.fingerprint().to_string(), &evidence.agreement.session_id);
    if as_json {
        line(&json!({
            "event": "evidence", "id": id, "session_id": session, "peer_id": accused.peer_id, "fingerprint": fingerprint,
            "found": evidence.found,
        }));
    } else {
        println!(
            "{id}  {} ({fingerprint}) signed two different commitments in session {session}",
            accused.peer_id
        );
    }
    Ok(())
}

fn check(file: &Path, as_json: bool) -> Result<(), Failure> {
    const MAX_EVIDENCE: u64 = 1024 * 1024;
    let what = file.display().to_string();
    let size = std::fs::metadata(file).or_exit(Exit::Other, &what)?.len();
    if size > MAX_EVIDENCE {
        return Err(Failure::new(Exit::Other, format_args!("{what} is larger than any evidence")));
    }
    let text = std::fs::read(file).or_exit(Exit::Other, &what)?;
    let evidence: Evidence =
        serde_json::from_slice(&text).or_exit(Exit::Other, &format!("{what} is no evidence"))?;
    tell(&what, &evidence, as_json)
}
