//! The shared cases as rule checks: `acl.toml` as it stands, and `topic.toml`
//! put as questions about rules, so that a C program and a live broker, which
//! have no function for a filter, can answer them too.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use countersign_core::client_id::ClientId;
use countersign_core::name::{GroupPath, LoginName};
use countersign_core::rule::{Action, Effect, Limits, Pattern, QoS, Rule};
use serde::Deserialize;

use super::{Case, load};
use crate::artifacts::workspace;

/// Somebody's rules, what they want, and what they get.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleCase {
    /// The rules, in any order.
    pub rules: Vec<WrittenRule>,
    /// The principal's name.
    pub username: Option<String>,
    /// Its client id.
    pub client_id: Option<String>,
    /// Its tenant.
    pub tenant: Option<String>,
    /// Its only group.
    pub group: Option<String>,
    /// Its groups, where it is in several.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Its attributes.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// `publish`, `deliver`, `subscribe` or `subscribe-filtered`.
    pub check: String,
    /// The topic, or the filter as SUBSCRIBE carries it.
    pub topic: String,
    /// The QoS of a PUBLISH.
    #[serde(default)]
    pub qos: u8,
    /// Whether a PUBLISH is to be retained.
    #[serde(default)]
    pub retain: bool,
    /// `allow`, a reason, or `bad-rule`.
    pub verdict: String,
    /// The issue behind it.
    pub issue: Option<String>,
}

/// A rule as a case has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenRule {
    effect: String,
    action: String,
    /// Its pattern.
    pub pattern: String,
    max_qos: Option<u8>,
    #[serde(default)]
    no_retain: bool,
}

/// Reads `acl.toml` and `topic.toml`.
pub fn questions() -> Result<Vec<Case<RuleCase>>> {
    let mut all = load::<RuleCase>("acl")?;
    let path = workspace().join("tests/cases/topic.toml");
    let topics: Topics = toml::from_str(&fs::read_to_string(path)?).context("topic.toml")?;
    all.extend(topics.questions());
    Ok(all)
}

impl RuleCase {
    fn new(rules: &[(&str, &str)], check: &str, topic: &str, verdict: &str) -> Self {
        let rules = rules.iter().map(|(effect, pattern)| WrittenRule {
            effect: (*effect).into(),
            action: "both".into(),
            pattern: (*pattern).into(),
            max_qos: None,
            no_retain: false,
        });
        Self {
            rules: rules.collect(),
            username: None,
            client_id: None,
            tenant: None,
            group: None,
            groups: Vec::new(),
            attributes: BTreeMap::new(),
            check: check.into(),
            topic: topic.into(),
            qos: 0,
            retain: false,
            verdict: verdict.into(),
            issue: None,
        }
    }

    /// Says whether anybody who is connected can be in this position.
    ///
    /// Nobody can where a rule is none, where a name or id can't exist (they are
    /// refused at CONNECT), without a name and a client id, and in modes that
    /// only tenants have: those stay with the core alone.
    #[must_use]
    pub fn is_of_somebody(&self) -> bool {
        let holds = |variable: &str| {
            self.rules
                .iter()
                .any(|rule| rule.pattern.contains(variable))
        };
        let lacks_value = (holds("${username}") && self.username.is_none())
            || (holds("${client_id}") && self.client_id.is_none());
        let name = self.username.as_deref().unwrap_or("x");
        let client_id = self.client_id.as_deref().unwrap_or("x");
        self.verdict != "bad-rule"
            && !lacks_value
            && self.check != "subscribe-filtered"
            && self.tenant.is_none()
            && LoginName::parse_device(name).is_ok()
            && ClientId::parse(client_id).is_ok()
            && self.groups().is_ok()
    }

    /// Its groups, in the order in which it joined them.
    pub fn groups(&self) -> Result<Vec<GroupPath>> {
        let all = self.group.iter().chain(&self.groups);
        let parsed = all.map(|group| GroupPath::parse(group));
        Ok(parsed.collect::<Result<_, _>>()?)
    }
}

impl WrittenRule {
    /// The rule.
    pub fn rule(&self) -> Result<Rule> {
        let limits = Limits {
            max_qos: self.max_qos.map(QoS::try_from).transpose()?,
            no_retain: self.no_retain,
        };
        Ok(Rule::new(
            Effect::parse(&self.effect)?,
            Action::parse(&self.action)?,
            Pattern::parse(&self.pattern)?,
            limits,
        )?)
    }
}

/// `topic.toml`.
#[derive(Deserialize)]
struct Topics {
    name: Vec<Case<Text>>,
    filter: Vec<Case<Text>>,
    subscription: Vec<Case<Subscribed>>,
    matches: Vec<Case<Match>>,
    covers: Vec<Case<Pair>>,
    intersects: Vec<Case<Pair>>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
    valid: bool,
}

#[derive(Deserialize)]
struct Subscribed {
    text: String,
    filter: Option<String>,
}

#[derive(Deserialize)]
struct Match {
    filter: String,
    topic: String,
    expect: bool,
}

#[derive(Deserialize)]
struct Pair {
    filter: String,
    other: String,
    expect: bool,
}

impl Topics {
    fn questions(self) -> Vec<Case<RuleCase>> {
        let everything = [("allow", "#")];
        // What opens with `$` is a topic like any other that `#` does not match.
        let valid = |it: &Text| match (it.valid, it.text.starts_with('$')) {
            (true, true) => "no-rule",
            (true, false) => "allow",
            (false, _) => "malformed",
        };
        let granted = |expect: bool| if expect { "allow" } else { "no-rule" };
        let mut all = Vec::new();
        all.extend(ask("name", self.name, |it| {
            Some(RuleCase::new(&everything, "publish", &it.text, valid(it)))
        }));
        // As SUBSCRIBE carries it, that is another filter.
        let is_shared = |filter: &str| filter.starts_with("$share");
        all.extend(ask("filter", self.filter, |it| {
            let question = RuleCase::new(&everything, "subscribe", &it.text, valid(it));
            (!is_shared(&it.text)).then_some(question)
        }));
        all.extend(ask("subscription", self.subscription, |it| {
            Some(match &it.filter {
                Some(filter) => RuleCase::new(&[("allow", filter)], "subscribe", &it.text, "allow"),
                None => RuleCase::new(&everything, "subscribe", &it.text, "malformed"),
            })
        }));
        all.extend(ask("matches", self.matches, |it| {
            let verdict = granted(it.expect);
            let rules = [("allow", it.filter.as_str())];
            Some(RuleCase::new(&rules, "deliver", &it.topic, verdict))
        }));
        all.extend(ask("covers", self.covers, |it| {
            let verdict = granted(it.expect);
            let rules = [("allow", it.filter.as_str())];
            let question = RuleCase::new(&rules, "subscribe", &it.other, verdict);
            (!is_shared(&it.other)).then_some(question)
        }));
        all.extend(ask("intersects", self.intersects, |it| {
            // A shared subscription is refused where a deny meets it.
            let rules = [("allow", it.other.as_str()), ("deny", it.filter.as_str())];
            let verdict = if it.expect { "denied-by-rule" } else { "allow" };
            let shared = format!("$share/g/{}", it.other);
            Some(RuleCase::new(&rules, "subscribe", &shared, verdict))
        }));
        all
    }
}

/// Puts cases of one kind as questions.
fn ask<T>(
    kind: &str,
    cases: Vec<Case<T>>,
    put: impl Fn(&T) -> Option<RuleCase>,
) -> Vec<Case<RuleCase>> {
    let question = |case: Case<T>| {
        Some(Case {
            name: format!("topic.toml, {kind}: {}", case.name),
            spec: case.spec,
            fields: put(&case.fields)?,
        })
    };
    cases.into_iter().filter_map(question).collect()
}
