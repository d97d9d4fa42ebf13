//! `frostmesh log`: the audit log of a wallet, for people, for checks, and for others.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::cli::{Local, Log};
use super::exit::{Exit, Failure, OrExit};
use super::open::open_existing;
use super::report::{line, short};
use super::shown::printable;
use super::store::Store;
use super::stored_wallet::one;
use crate::agreement::Certificate;
use crate::audit::{self, Body, End, Entry, Head, Owner};
use crate::frost::{GroupKey, Identifier};
use crate::group::{Operation, Request, group_id};
use crate::keystore::Kind;

/// The first line of an export: whose log it is, and by what to check it.
#[derive(Serialize, Deserialize)]
struct Title {
    pubkey: String,
    member: Identifier,
    certificate: Box<Certificate>,
}

/// Largest export of another member that is read, in bytes.
const MAX_EXPORT: u64 = 256 * 1024 * 1024;

pub(super) fn run(command: &Log) -> Result<(), Failure> {
    match command {
        Log::Show { pubkey, local } => show(&Trail::open(pubkey, local)?, local),
        Log::Verify { pubkey, against, local } => {
            verify(&Trail::open(pubkey, local)?, against.as_deref(), local)
        }
        Log::Export { pubkey, local } => {
            let Trail { title, entries, .. } = Trail::open(pubkey, local)?;
            line(&serde_json::to_value(title).unwrap_or_default());
            for entry in &entries {
                line(&serde_json::to_value(entry).unwrap_or_default());
            }
            Ok(())
        }
    }
}

/// A log, and what proves it.
struct Trail {
    title: Title,
    entries: Vec<Entry>,
    head: Option<Head>,
    /// It is this node's own.
    ours: bool,
}

impl Trail {
    fn open(pubkey: &str, local: &Local) -> Result<Self, Failure> {
        let store: Store = open_existing(local)?;
        let info = one(&store, pubkey)?.info;
        let record = store
            .wallet(Kind::Wallet, &info.pubkey)
            .or_exit(Exit::Keystore, "it is not confirmed")?;
        let text =
            "this wallet has no certificate, and so no audit trail: nothing can be signed with it";
        let certificate = record.certificate.ok_or_else(|| Failure::new(Exit::Other, text))?;
        let (entries, head) =
            store.trail(&info.pubkey).or_exit(Exit::Other, "the audit trail cannot be read")?;
        let title = Title { pubkey: info.pubkey, member: info.identifier, certificate };
        Ok(Self { title, entries, head, ours: true })
    }

    /// An export of another member. It proves itself by the certificate of the wallet here, not by
    /// its own.
    fn import(path: &Path, ours: &Title) -> Result<Self, Failure> {
        let what = format!("{} cannot be read", path.display());
        if std::fs::metadata(path).or_exit(Exit::Usage, &what)?.len() > MAX_EXPORT {
            return Err(Failure::new(Exit::Usage, format_args!("{what}: it is too large")));
        }
        let text = std::fs::read_to_string(path).or_exit(Exit::Usage, &what)?;
        let mut lines = text.lines().filter(|line| !line.trim().is_empty());
        let title: Title =
            serde_json::from_str(lines.next().unwrap_or_default()).or_exit(Exit::Usage, &what)?;
        if title.pubkey != ours.pubkey || title.certificate.agreement != ours.certificate.agreement
        {
            return Err(Failure::new(Exit::Other, "the other log is of another wallet"));
        }
        let entries = lines
            .map(serde_json::from_str)
            .collect::<Result<Vec<Entry>, _>>()
            .or_exit(Exit::Usage, &what)?;
        Ok(Self { title, entries, head: None, ours: false })
    }

    fn group_id(&self) -> [u8; 32] {
        group_id(&self.title.certificate.agreement, &self.title.pubkey)
    }

    fn name(&self, identifier: Identifier) -> &str {
        self.title
            .certificate
            .agreement
            .member(identifier)
            .map_or("?", |member| member.peer_id.as_str())
    }

    fn verify(&self) -> Result<Vec<Body>, Failure> {
        let Title { pubkey, member, certificate } = &self.title;
        let identity = certificate.agreement.member(*member).map(|m| m.identity);
        let identity = identity
            .ok_or_else(|| Failure::new(Exit::Other, "the log is of no member of the wallet"))?;
        let owner = Owner { pubkey, member: *member, identity: &identity };
        let end = if self.ours { End::Kept(self.head.as_ref()) } else { End::Unknown };
        let verified = audit::verify(&self.group_id(), owner, &self.entries, end);
        verified
            .map(|(bodies, _)| bodies)
            .or_exit(Exit::Other, &format!("the log of {} does not hold", self.name(*member)))
    }

    /// What a request is about, in a few words.
    fn content(&self, request: &Request) -> String {
        let Title { pubkey, certificate, .. } = &self.title;
        let key = GroupKey::of(&certificate.agreement.ciphersuite, pubkey);
        let read = Operation::read(&request.kind, &request.content, key.as_ref());
        if let Ok(operation) = read
            && operation.contents().len() > 1
        {
            return format!("{} contents", operation.contents().len());
        }
        let beginning: String = request.content.chars().take(60).collect();
        printable(&beginning)
    }

    /// An entry as a sentence.
    fn sentence(&self, body: &Body) -> String {
        let names = |identifiers: &[Identifier]| {
            identifiers.iter().map(|p| self.name(*p)).collect::<Vec<_>>().join(", ")
        };
        let what = |request: &Option<[u8; 32]>| match request {
            Some(id) => format!("request {}", short(&hex::encode(id))),
            None => "a health check".to_owned(),
        };
        match body {
            Body::Opened { .. } => "the log begins".to_owned(),
            Body::Request { request } => {
                let (id, who) =
                    (hex::encode(request.id(&self.group_id())), self.name(request.proposer));
                format!(
                    "{who} asked for {} ({}): {}",
                    short(&id),
                    request.kind,
                    self.content(request)
                )
            }
            Body::Vote { vote } => {
                let (who, does) =
                    (self.name(vote.member), if vote.approves { "approved" } else { "declined" });
                format!("{who} {does} request {}", short(&hex::encode(vote.request)))
            }
            Body::Decision { request, rule, approves, .. } => {
                let does = if *approves { "approves" } else { "declines" };
                format!(
                    "the rule '{}' {does} request {}",
                    printable(rule),
                    short(&hex::encode(request))
                )
            }
            Body::Commit { request, coordinator, signers, .. } => {
                format!(
                    "a share for {} leaves, to {}; {} sign",
                    what(request),
                    self.name(*coordinator),
                    names(signers)
                )
            }
            Body::Signed { request, signatures, signers } => {
                let count = match signatures.len() {
                    1 => String::new(),
                    several => format!(", {several} signatures"),
                };
                let id = hex::encode(request);
                format!("request {} is signed, by {}{count}", short(&id), names(signers))
            }
            Body::Aborted { request, reason, culprit } => {
                let who = culprit
                    .map(|identifier| format!("{} ", self.name(identifier)))
                    .unwrap_or_default();
                format!("a ceremony for {} failed: {who}{}", what(request), printable(reason))
            }
            Body::Checked { member } => format!("{} has signed a test", self.name(*member)),
            Body::Ready => "every member has signed a test: the wallet is ready".to_owned(),
        }
    }
}

fn show(trail: &Trail, local: &Local) -> Result<(), Failure> {
    for entry in &trail.entries {
        let body = entry.read().or_exit(Exit::Other, "the log does not hold")?;
        if local.json {
            line(
                &json!({ "event": "entry", "number": entry.number, "time": entry.time, "body": body }),
            );
        } else {
            println!("{:>5}  {}  {}", entry.number, utc(entry.time), trail.sentence(&body));
        }
    }
    Ok(())
}

fn verify(trail: &Trail, against: Option<&Path>, local: &Local) -> Result<(), Failure> {
    let bodies = trail.verify()?;
    let Some(path) = against else {
        if local.json {
            line(
                &json!({ "event": "log_verified", "pubkey": trail.title.pubkey, "entries": bodies.len() }),
            );
        } else {
            println!("the log holds: {} entries, none changed, left out or cut off", bodies.len());
        }
        return Ok(());
    };
    let other = Trail::import(path, &trail.title)?;
    let theirs = other.verify()?;
    let differences = audit::compare(&trail.group_id(), &bodies, &theirs);
    for difference in &differences {
        if local.json {
            line(&json!({ "event": "difference", "reason": difference.to_string() }));
        } else {
            println!("{difference}");
        }
    }
    if local.json {
        let (one, two) = (bodies.len(), theirs.len());
        line(
            &json!({ "event": "log_compared", "entries": [one, two], "differences": differences.len() }),
        );
    } else if differences.is_empty() {
        println!("both logs hold, and tell the same of every request");
    }
    if differences.is_empty() { Ok(()) } else { Err(Failure::told(Exit::Other)) }
}

/// A time since 1970, in milliseconds, as a date in UTC.
fn utc(millis: u64) -> String {
    let seconds = i64::try_from(millis / 1000).unwrap_or(i64::MAX);
    let Ok(t) = time::OffsetDateTime::from_unix_timestamp(seconds) else {
        return "in the far future".to_owned();
    };
    let (year, month, day) = (t.year(), u8::from(t.month()), t.day());
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", t.hour(), t.minute(), t.second())
}

#[cfg(test)]
mod tests {
    use super::utc;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(utc(0), "1970-01-01 00:00:00");
        assert_eq!(utc(951_827_696_000), "2000-02-29 12:34:56");
        assert_eq!(utc(1_795_276_800_000), "2026-11-21 16:00:00");
        assert_eq!(utc(4_107_542_399_000), "2100-02-28 23:59:59");
    }
}
