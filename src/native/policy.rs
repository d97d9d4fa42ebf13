//! What an unattended node approves and declines by itself (docs/POLICY.md): rules in a TOML file, of which the first that fits
//! a request decides. Where none fits, a person is asked.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::Deserialize;

use super::exit::{Exit, Failure, OrExit};
use crate::content::{self, Condition, KindInfo};
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
struct Rule {
    /// For the audit trail.
    name: String,
    decision: Decision,
    /// Beginnings of group keys.
    wallets: Option<Vec<String>>,
    /// Names of kinds of content.
    kinds: Option<Vec<String>>,
    /// Peer ids of members.
    proposers: Option<Vec<PeerId>>,
    /// Most bytes of everything that is shown.
    max_size: Option<usize>,
    /// Most approvals of this rule within an hour.
    max_per_hour: Option<usize>,
    /// Times of day, in UTC: `08:00-18:30`. Over midnight, if the end comes first.
    hours: Option<Hours>,
    /// Everything else that the rule names: conditions of kinds, such as `nostr_kinds`.
    #[serde(flatten)]
    conditions: BTreeMap<String, toml::Value>,
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
            rule.check().map_err(|error| format!("rule '{}': {error}", rule.name))?;
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
    /// Refuses kinds and conditions that no kind of content declares.
    fn check(&self) -> Result<(), String> {
        let kinds = || content::kinds().map(|kind| kind.name);
        let unknown = |kind: &&String| kinds().all(|known| known != *kind);
        if let Some(kind) = self.kinds.iter().flatten().find(unknown) {
            let known: Vec<&str> = kinds().collect();
            return Err(format!("there is no kind '{kind}': use {}", known.join(", ")));
        }
        for (name, values) in &self.conditions {
            if condition(name).is_none() {
                return Err(format!("there is no field '{name}'"));
            }
            let values = values.as_array();
            if !values.is_some_and(|values| values.iter().all(|value| text(value).is_some())) {
                return Err(format!("'{name}' is no list of numbers or texts"));
            }
        }
        Ok(())
    }

    /// Whether the request shows one of the values that a condition names.
    fn shows(request: &RequestView, name: &str, values: &toml::Value) -> bool {
        let Some((kind, condition)) = condition(name) else { return false };
        let is_one = |shown: &str| {
            values
                .as_array()
                .into_iter()
                .flatten()
                .any(|value| text(value).as_deref() == Some(shown))
        };
        request.kind == kind.name
            && request.shown.iter().any(|(name, shown)| *name == condition.field && is_one(shown))
    }

    fn fits(&self, pubkey: &str, request: &RequestView, now: Timestamp) -> bool {
        let size: usize = request.shown.iter().map(|(_, value)| value.len()).sum();
        self.wallets
            .as_ref()
            .is_none_or(|all| all.iter().any(|w| !w.is_empty() && pubkey.starts_with(w)))
            && self.kinds.as_ref().is_none_or(|all| all.iter().any(|kind| kind == request.kind))
            && self.proposers.as_ref().is_none_or(|all| all.contains(&request.proposer))
            && self.conditions.iter().all(|(name, values)| Self::shows(request, name, values))
            && self.max_size.is_none_or(|most| size <= most)
            && self.hours.is_none_or(|hours| hours.contain(now))
    }
}

/// The condition of that name, and the kind that declares it.
fn condition(name: &str) -> Option<(&'static KindInfo, &'static Condition)> {
    content::kinds().find_map(|kind| {
        let found = kind.conditions.iter().find(|condition| condition.name == name)?;
        Some((kind, found))
    })
}

/// A value of a condition as it would be shown.
fn text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::String(text) => Some(text.clone()),
        _ => None,
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
    fn a_rule_can_name_the_kinds_of_nostr_events() {
        let mut policy = Policy::parse(
            "[[rule]]\nname = 'notes'\ndecision = 'approve'\nnostr_kinds = [1, 30023]",
        )
        .unwrap();
        let mut decide = |kind, shown: (&'static str, &str)| {
            let shown = vec![(shown.0, shown.1.to_owned())];
            let request = RequestView { shown, ..request("alice", kind, "") };
            policy.decide("02", &request, EIGHT).is_some()
        };
        assert!(decide("nostr-event", ("kind", "30023")));
        assert!(!decide("nostr-event", ("kind", "3")));
        assert!(!decide("nostr-event", ("content", "1")));
        assert!(!decide("text", ("kind", "1")), "a field of another kind");
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
            "[[rule]]\nname = 'x'\ndecision = 'ask'\nnostr_kinds = 1",
            "[[rule]]\nname = 'x'\ndecision = 'ask'\nnostr_kinds = [1.5]",
            "[[rules]]\nname = 'x'\ndecision = 'ask'",
            "[[rule]]\nname = 'x'\ndecision = 'ask'\n[[rule]]\nname = 'x'\ndecision = 'ask'",
        ] {
            assert!(Policy::parse(bad).is_err(), "{bad}");
        }
        assert!(Policy::parse("").is_ok());
    }
}
