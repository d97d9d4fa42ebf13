//! What an unattended node approves and declines by itself (docs/POLICY.md): rules in a TOML file.
//! For each content of a request the first rule that fits decides. A request is declined if any of
//! its contents is, approved if one rule approves all of them, and else left to a person.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::Deserialize;

use super::exit::{Exit, Failure, OrExit};
use crate::content::{self, Condition, KindInfo};
use crate::node::{ContentView, RequestView, Timestamp};
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

/// One rule: it fits a content of a request if everything holds that it names.
#[derive(Debug, Deserialize)]
struct Rule {
    /// For the audit log.
    name: String,
    decision: Decision,
    /// Beginnings of group keys.
    wallets: Option<Vec<String>>,
    /// Names of kinds of content.
    kinds: Option<Vec<String>>,
    /// Peer ids of members.
    proposers: Option<Vec<PeerId>>,
    /// Most bytes of everything that is shown of the whole request.
    max_size: Option<usize>,
    /// Most contents that this rule approves within an hour.
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

    /// Notes that a rule approved so many contents: now, or in an earlier life, by the audit log.
    pub(super) fn has_approved(&mut self, rule: &str, at: Timestamp, contents: usize) {
        let approvals = self.approvals.entry(rule.to_owned()).or_default();
        approvals.extend(std::iter::repeat_n(at, contents));
    }

    /// Decides, and by which rule. `None` where a person has to.
    pub(super) fn decide(
        &mut self,
        pubkey: &str,
        request: &RequestView,
        now: Timestamp,
    ) -> Option<(bool, String)> {
        let count = request.contents.len();
        let rule_of = |content| {
            let fits = |rule: &&Rule| rule.fits(pubkey, request, content, now);
            self.rules.iter().filter(fits).find(|rule| self.has_room(rule, now, count))
        };
        let rules: Vec<Option<&Rule>> = request.contents.iter().map(rule_of).collect();
        let declines = |rule: &&&Rule| rule.decision == Decision::Decline;
        if let Some(rule) = rules.iter().flatten().find(declines) {
            return Some((false, rule.name.clone()));
        }
        let first = (*rules.first()?)?;
        let same = |rule: &Option<&Rule>| rule.is_some_and(|rule| rule.name == first.name);
        if first.decision != Decision::Approve || !rules.iter().all(same) {
            return None;
        }
        let name = first.name.clone();
        self.has_approved(&name, now, count);
        Some((true, name))
    }

    /// Whether a rule may approve so many more contents.
    fn has_room(&self, rule: &Rule, now: Timestamp, contents: usize) -> bool {
        let recent = |at: &&Timestamp| now.since(**at) < HOUR;
        let used =
            self.approvals.get(&rule.name).map_or(0, |all| all.iter().filter(recent).count());
        rule.max_per_hour.is_none_or(|most| used + contents <= most)
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

    /// Whether a content shows one of the values that a condition names.
    fn shows(content: &ContentView, name: &str, values: &toml::Value) -> bool {
        let Some((kind, condition)) = condition(name) else { return false };
        let is_one = |shown: &str| {
            values
                .as_array()
                .into_iter()
                .flatten()
                .any(|value| text(value).as_deref() == Some(shown))
        };
        content.kind == kind.name
            && content.shown.iter().any(|(name, shown)| *name == condition.field && is_one(shown))
    }

    fn fits(
        &self,
        pubkey: &str,
        request: &RequestView,
        content: &ContentView,
        now: Timestamp,
    ) -> bool {
        let shown = request.contents.iter().flat_map(|content| &content.shown);
        let size: usize = shown.map(|(_, value)| value.len()).sum();
        self.wallets
            .as_ref()
            .is_none_or(|all| all.iter().any(|w| !w.is_empty() && pubkey.starts_with(w)))
            && self.kinds.as_ref().is_none_or(|all| all.iter().any(|kind| kind == content.kind))
            && self.proposers.as_ref().is_none_or(|all| all.contains(&request.proposer))
            && self.conditions.iter().all(|(name, values)| Self::shows(content, name, values))
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
    use crate::node::{ContentView, RequestState, RequestView, Timestamp};

    fn request(proposer: &str, kind: &'static str, text: &str) -> RequestView {
        batch(proposer, &[(kind, text)])
    }

    fn batch(proposer: &str, contents: &[(&'static str, &str)]) -> RequestView {
        let content = |(kind, text): &(&'static str, &str)| ContentView {
            kind,
            shown: vec![("text", (*text).into())],
            digests: vec!["00".into()],
        };
        RequestView {
            id: "00".into(),
            state: RequestState::Open,
            kind: "batch",
            shown: Vec::new(),
            digest: String::new(),
            contents: contents.iter().map(content).collect(),
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
            let mut request = request("alice", kind, "");
            request.contents[0].shown = vec![(shown.0, shown.1.to_owned())];
            policy.decide("02", &request, EIGHT).is_some()
        };
        assert!(decide("nostr-event", ("kind", "30023")));
        assert!(!decide("nostr-event", ("kind", "3")));
        assert!(!decide("nostr-event", ("content", "1")));
        assert!(!decide("text", ("kind", "1")), "a field of another kind");
    }

    #[test]
    fn every_content_of_a_request_is_looked_at() {
        let mut policy = Policy::parse(
            r#"
            [[rule]]
            name = "no hashes"
            decision = "decline"
            kinds = ["hash"]
            [[rule]]
            name = "texts"
            decision = "approve"
            kinds = ["text"]
            max_size = 10
            max_per_hour = 5
            [[rule]]
            name = "files"
            decision = "approve"
            kinds = ["file"]
            "#,
        )
        .unwrap();
        let mut decide = |contents: &[(&'static str, &str)], now| {
            policy.decide("02", &batch("alice", contents), now).map(|(approves, _)| approves)
        };
        assert_eq!(decide(&[("text", "a"), ("text", "b"), ("text", "c")], EIGHT), Some(true));
        let rest = [("text", "d"), ("text", "e"), ("text", "f")];
        assert_eq!(decide(&rest, EIGHT), None, "five contents an hour are the most");
        assert_eq!(decide(&rest[..2], EIGHT), Some(true));
        let later = EIGHT.after(3_600_000);
        assert_eq!(decide(&[("text", "a"), ("hash", "b")], later), Some(false), "one is a hash");
        assert_eq!(decide(&[("text", "a"), ("file", "b")], later), None, "no rule is for both");
        assert_eq!(decide(&[("text", "a"), ("nostr-event", "b")], later), None);
        assert_eq!(decide(&[("text", "123456"), ("text", "78901")], later), None, "too large");
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
