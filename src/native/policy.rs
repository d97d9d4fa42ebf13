//! What an unattended node approves and declines by itself (docs/POLICY.md): rules in a TOML file, of which the first that fits
//! a request decides. Where none fits, a person is asked.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;

use super::exit::{Exit, Failure, OrExit};
use crate::node::{RequestView, Timestamp};
use crate::wire::PeerId;

/// A policy, and how often its rules have approved of late.
#[derive(Debug, Default)]
pub(super) struct Policy {
    rules: Vec<Rule>,
    /// When each rule approved something, within [`HOUR`].
    approvals: HashMap<String, Vec<Timestamp>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<Rule>,
}

/// One rule: it fits a request of which everything holds that it names.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    /// For the audit trail.
    name: String,
    decision: Decision,
    /// Beginnings of group keys.
    wallets: Option<Vec<String>>,
    /// `text`, `file`, `nostr-event`, `hash`.
    kinds: Option<Vec<String>>,
    /// Peer ids of members.
    proposers: Option<Vec<PeerId>>,
    /// Kinds of Nostr events.
    nostr_kinds: Option<Vec<u16>>,
    /// Most bytes of everything that is shown.
    max_size: Option<usize>,
    /// Most approvals of this rule within an hour.
    max_per_hour: Option<usize>,
    /// Times of day, in UTC: `08:00-18:30`. Over midnight, if the end comes first.
    hours: Option<Hours>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Decision {
    Approve,
    Decline,
    Ask,
}

/// Minutes of the day, from and up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct Hours(u64, u64);

const HOUR: u64 = 3_600_000;
const KINDS: [&str; 4] = ["text", "file", "nostr-event", "hash"];

impl TryFrom<String> for Hours {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let minute = |part: &str| {
            let (hour, minute) = part.trim().split_once(':')?;
            let (hour, minute): (u64, u64) = (hour.parse().ok()?, minute.parse().ok()?);
            (hour <= 24 && minute < 60 && hour * 60 + minute <= 24 * 60)
                .then_some(hour * 60 + minute)
        };
        let parsed =
            text.split_once('-').and_then(|(from, to)| Some(Self(minute(from)?, minute(to)?)));
        parsed.ok_or_else(|| format!("'{text}' is no time of day: write it as 08:00-18:30, in UTC"))
    }
}

impl Hours {
    fn contain(self, now: Timestamp) -> bool {
        let minute = now.millis() / 60_000 % (24 * 60);
        let Self(from, to) = self;
        if from <= to { (from..to).contains(&minute) } else { minute >= from || minute < to }
    }
}

impl Policy {
    /// Reads a policy.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let what = format!("{} cannot be used", path.display());
        let text = std::fs::read_to_string(path).or_exit(Exit::Usage, &what)?;
        Self::parse(&text)
            .map_err(|error| Failure::new(Exit::Usage, format_args!("{what}: {error}")))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let File { rule: rules } = toml::from_str(text).map_err(|error| error.to_string())?;
        for rule in &rules {
            if let Some(kind) =
                rule.kinds.iter().flatten().find(|kind| !KINDS.contains(&kind.as_str()))
            {
                return Err(format!(
                    "rule '{}': there is no kind '{kind}': use {}",
                    rule.name,
                    KINDS.join(", ")
                ));
            }
        }
        let names = rules.iter().enumerate();
        if let Some((_, twice)) =
            names.clone().find(|(i, r)| names.clone().any(|(j, s)| i < &j && s.name == r.name))
        {
            return Err(format!(
                "two rules are called '{}': the audit trail could not tell them apart",
                twice.name
            ));
        }
        Ok(Self { rules, approvals: HashMap::new() })
    }

    /// Notes an approval of an earlier life, from the audit trail.
    pub(super) fn has_approved(&mut self, rule: &str, at: Timestamp) {
        self.approvals.entry(rule.to_owned()).or_default().push(at);
    }

    /// Decides, and by which rule. `None` where a person has to.
    pub(super) fn decide(
        &mut self,
        pubkey: &str,
        request: &RequestView,
        now: Timestamp,
    ) -> Option<(bool, String)> {
        let rule = self
            .rules
            .iter()
            .find(|rule| rule.fits(pubkey, request, now) && self.has_room(rule, now))?;
        let (name, approves) = (rule.name.clone(), rule.decision == Decision::Approve);
        if rule.decision == Decision::Ask {
            return None;
        }
        if approves {
            self.has_approved(&name, now);
        }
        Some((approves, name))
    }

    fn has_room(&self, rule: &Rule, now: Timestamp) -> bool {
        let recent = |at: &&Timestamp| now.since(**at) < HOUR;
        let used =
            self.approvals.get(&rule.name).map_or(0, |all| all.iter().filter(recent).count());
        rule.max_per_hour.is_none_or(|most| used < most)
    }
}

impl Rule {
    fn fits(&self, pubkey: &str, request: &RequestView, now: Timestamp) -> bool {
        let size: usize = request.shown.iter().map(|(_, value)| value.len()).sum();
        let nostr_kind = || {
            request.shown.iter().find(|(name, _)| *name == "kind").and_then(|(_, v)| v.parse().ok())
        };
        let nostr = |kinds: &Vec<u16>| {
            request.kind == "nostr-event" && nostr_kind().is_some_and(|k| kinds.contains(&k))
        };
        self.wallets
            .as_ref()
            .is_none_or(|all| all.iter().any(|w| !w.is_empty() && pubkey.starts_with(w)))
            && self.kinds.as_ref().is_none_or(|all| all.iter().any(|kind| kind == request.kind))
            && self.proposers.as_ref().is_none_or(|all| all.contains(&request.proposer))
            && self.nostr_kinds.as_ref().is_none_or(nostr)
            && self.max_size.is_none_or(|most| size <= most)
            && self.hours.is_none_or(|hours| hours.contain(now))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Hours, Policy};
    use crate::node::{RequestState, RequestView, Timestamp};

    fn request(proposer: &str, kind: &'static str, text: &str) -> RequestView {
        RequestView {
            id: "00".into(),
            state: RequestState::Open,
            kind,
            shown: vec![("text", text.into())],
            digest: String::new(),
            contents: Vec::new(),
            proposer: proposer.parse().unwrap(),
            created: Timestamp::default(),
            expires: Timestamp::default(),
            approved: Vec::new(),
            declined: Vec::new(),
            decision: None,
            needs_decision: true,
            waiting_for: Vec::new(),
            signature: None,
            signatures: Vec::new(),
            signers: Vec::new(),
        }
    }

    const EIGHT: Timestamp = Timestamp::from_millis(8 * 3_600_000);

    #[test]
    fn the_first_rule_that_fits_decides() {
        let mut policy = Policy::parse(
            r#"
            [[rule]]
            name = "no hashes"
            decision = "decline"
            kinds = ["hash"]
            [[rule]]
            name = "alice, short, by day"
            decision = "approve"
            proposers = ["alice"]
            kinds = ["text"]
            max_size = 5
            max_per_hour = 2
            hours = "08:00-18:30"
            "#,
        )
        .unwrap();
        let mut decide = |r: RequestView, now| policy.decide("02", &r, now);
        assert_eq!(decide(request("alice", "hash", "x"), EIGHT), Some((false, "no hashes".into())));
        assert_eq!(decide(request("bob", "text", "x"), EIGHT), None);
        assert_eq!(decide(request("alice", "text", "longer"), EIGHT), None);
        assert_eq!(
            decide(request("alice", "text", "early"), Timestamp::from_millis(EIGHT.millis() - 1)),
            None
        );
        let rule = Some((true, "alice, short, by day".to_owned()));
        assert_eq!(decide(request("alice", "text", "short"), EIGHT), rule);
        assert_eq!(decide(request("alice", "text", "again"), EIGHT), rule);
        assert_eq!(
            decide(request("alice", "text", "third"), EIGHT),
            None,
            "two an hour are the most"
        );
        assert_eq!(decide(request("alice", "text", "later"), EIGHT.after(3_600_000)), rule);
    }

    #[test]
    fn hours_may_go_over_midnight() {
        let night = Hours::try_from("22:00-06:00".to_owned()).unwrap();
        assert!(!night.contain(EIGHT));
        assert!(night.contain(Timestamp::from_millis(5 * 3_600_000)));
        assert!(night.contain(Timestamp::from_millis(23 * 3_600_000)));
        for bad in ["", "8-18", "25:00-26:00", "08:60-09:00"] {
            assert!(Hours::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_a_policy_does_not_know_is_refused() {
        for bad in [
            "[[rule]]\nname = 'x'",
            "[[rule]]\nname = 'x'\ndecision = 'maybe'",
            "[[rule]]\nname = 'x'\ndecision = 'ask'\nkind = ['text']",
            "[[rule]]\nname = 'x'\ndecision = 'ask'\nkinds = ['txt']",
            "[[rules]]\nname = 'x'\ndecision = 'ask'",
            "[[rule]]\nname = 'x'\ndecision = 'ask'\n[[rule]]\nname = 'x'\ndecision = 'ask'",
        ] {
            assert!(Policy::parse(bad).is_err(), "{bad}");
        }
        assert!(Policy::parse("").is_ok());
    }
}
