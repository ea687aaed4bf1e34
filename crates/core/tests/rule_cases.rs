//! Runs `tests/cases/acl.toml` against the core.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use countersign_core::rule::{
    Action, Effect, Explanation, Limits, Pattern, QoS, Rule, RuleSet, RuleSource, Variable,
    Variables, Verdict,
};
use countersign_core::topic::{Subscription, TopicName};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(rename = "spec")]
    _spec: Option<String>,
    #[serde(rename = "issue")]
    _issue: Option<String>,
    rules: Vec<WrittenRule>,
    username: Option<String>,
    client_id: Option<String>,
    tenant: Option<String>,
    group: Option<String>,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    check: Check,
    topic: String,
    #[serde(default)]
    qos: u8,
    #[serde(default)]
    retain: bool,
    verdict: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRule {
    effect: String,
    action: String,
    pattern: String,
    max_qos: Option<u8>,
    #[serde(default)]
    no_retain: bool,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Check {
    Deliver,
    Publish,
    Subscribe,
    SubscribeFiltered,
}

#[test]
fn rules_grant_what_the_cases_say_in_any_order() {
    for case in cases() {
        assert_eq!(case.answer(false), case.verdict, "{}", case.name);
        assert_eq!(case.answer(true), case.verdict, "{} (reversed)", case.name);
    }
}

#[test]
fn no_two_cases_have_one_name() {
    let mut names: Vec<_> = cases().into_iter().map(|case| case.name).collect();
    names.sort_unstable();
    for pair in names.windows(2) {
        assert_ne!(pair[0], pair[1]);
    }
}

impl Case {
    fn answer(&self, reversed: bool) -> String {
        let Ok(mut rules) = self
            .rules
            .iter()
            .map(WrittenRule::read)
            .collect::<Result<Vec<_>, _>>()
        else {
            return "bad-rule".into();
        };
        if reversed {
            rules.reverse();
        }
        let source = RuleSource::Operator;
        let rules = rules.iter().map(|rule| (&source, rule));
        let set = RuleSet::compile_unwalled(rules, self);
        match self.ask(&set) {
            Ok((verdict, explanation)) => {
                assert_eq!(explanation.verdict, verdict, "{}", self.name);
                match verdict {
                    Verdict::Allow => "allow".into(),
                    Verdict::Deny(reason) => reason.to_string(),
                }
            }
            Err(_) => "malformed".into(),
        }
    }

    fn ask(&self, set: &RuleSet) -> Result<(Verdict, Explanation), Box<dyn Error>> {
        Ok(match self.check {
            Check::Deliver => {
                let topic = TopicName::parse(&self.topic)?;
                (set.deliver(topic), set.explain_deliver(topic))
            }
            Check::Publish => {
                let topic = TopicName::parse(&self.topic)?;
                let qos = QoS::try_from(self.qos)?;
                (
                    set.publish(topic, qos, self.retain),
                    set.explain_publish(topic, qos, self.retain),
                )
            }
            Check::Subscribe => {
                let subscription = Subscription::parse(&self.topic)?;
                (
                    set.subscribe(subscription),
                    set.explain_subscribe(subscription),
                )
            }
            Check::SubscribeFiltered => {
                let subscription = Subscription::parse(&self.topic)?;
                (
                    set.subscribe_filtered(subscription),
                    set.explain_subscribe_filtered(subscription),
                )
            }
        })
    }
}

impl Variables for Case {
    fn value(&self, variable: Variable<'_>) -> Option<&str> {
        match variable {
            Variable::Attribute(name) => self.attributes.get(name).map(String::as_str),
            Variable::ClientId => self.client_id.as_deref(),
            Variable::Group => self.groups().next(),
            Variable::Tenant => self.tenant.as_deref(),
            Variable::Username => self.username.as_deref(),
        }
    }

    fn groups(&self) -> impl Iterator<Item = &str> {
        self.group.iter().chain(&self.groups).map(String::as_str)
    }
}

impl WrittenRule {
    fn read(&self) -> Result<Rule, Box<dyn Error>> {
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

#[expect(clippy::unwrap_used, reason = "a test without its cases can't go on")]
fn cases() -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/acl.toml");
    let cases: Cases = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    cases.case
}
