//! Answers of checks, as they are shown.

use core::fmt;

use countersign_core::connect::ClientIdOwner;
use countersign_core::rule::{RuleOutcome, Verdict};
use countersign_core::time::rfc3339;
use serde::ser::{SerializeMap as _, SerializeSeq as _};
use serde::{Serialize, Serializer};

use crate::check::{Answer, ConnectAnswer, Considered, SignedBy, TopicAnswer, Wall};

/// The answer to a question.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum AnswerView<'a> {
    /// About a CONNECT.
    Connect(ConnectAnswerView),
    /// About a topic.
    Topic(TopicAnswerView<'a>),
}

impl<'a> AnswerView<'a> {
    /// The view of an answer.
    #[must_use]
    pub fn of(answer: &'a Answer) -> Self {
        match answer {
            Answer::Connect(answer) => Self::Connect(ConnectAnswerView::of(answer)),
            Answer::Topic(answer) => Self::Topic(TopicAnswerView::of(answer)),
        }
    }
}

/// What a CONNECT would come to. Rules decide about topics, not about it.
#[derive(Clone, Debug, Serialize)]
pub struct ConnectAnswerView {
    verdict: &'static str,
    reason: &'static str,
    rule: Option<()>,
    considered: [(); 0],
    /// Whose the client id is, where that is the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    held_since: Option<String>,
    /// The authority that signed the certificate, by the fingerprint of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    authority: Option<String>,
    /// The issuer that signed the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
}

impl ConnectAnswerView {
    /// The view of an answer.
    #[must_use]
    pub fn of(answer: &ConnectAnswer) -> Self {
        let (held_by, held_since) = match &answer.owner {
            None => (None, None),
            Some(ClientIdOwner::Credential { name, since }) => {
                (Some(name.to_string()), since.map(rfc3339))
            }
            Some(ClientIdOwner::Tenant(tenant)) => (Some(format!("tenant {tenant}")), None),
            Some(ClientIdOwner::Host) => (Some(ClientIdOwner::OF_HOST.into()), None),
            Some(ClientIdOwner::Former) => (Some("an earlier holder".into()), None),
        };
        let (authority, issuer) = match &answer.signed_by {
            None => (None, None),
            Some(SignedBy::Authority(fingerprint)) => (Some(fingerprint.to_string()), None),
            Some(SignedBy::Issuer(name)) => (None, Some(name.to_string())),
        };
        Self {
            verdict: word(answer.verdict.is_allowed()),
            reason: answer.verdict.reason(),
            rule: None,
            considered: [],
            held_by,
            held_since,
            authority,
            issuer,
        }
    }
}

/// What a client may do with a topic, and why.
#[derive(Debug, Serialize)]
pub struct TopicAnswerView<'a> {
    verdict: &'static str,
    reason: &'static str,
    rule: Option<DecidingRuleView>,
    considered: ConsideredListView<'a>,
    wall: Option<WallView>,
    variables: VariablesView<'a>,
}

impl<'a> TopicAnswerView<'a> {
    /// The view of an answer.
    #[must_use]
    pub fn of(answer: &'a TopicAnswer) -> Self {
        Self {
            verdict: word(answer.verdict.is_allowed()),
            reason: match answer.verdict {
                Verdict::Allow => "ok",
                Verdict::Deny(reason) => reason.as_str(),
            },
            rule: answer.decided_by().map(DecidingRuleView::of),
            considered: ConsideredListView(answer),
            wall: answer.wall.as_ref().map(WallView::of),
            variables: VariablesView(answer),
        }
    }
}

/// The rule that decided.
#[derive(Clone, Debug, Serialize)]
pub struct DecidingRuleView {
    effect: &'static str,
    action: &'static str,
    pattern: String,
    source: String,
    /// The group that holds the role, where the principal has it by a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
}

impl DecidingRuleView {
    fn of(considered: Considered<'_>) -> Self {
        Self {
            effect: considered.rule.effect().as_str(),
            action: considered.rule.action().as_str(),
            pattern: considered.rule.pattern().to_string(),
            source: considered.source.to_string(),
            group: considered.held_by.map(str::to_owned),
        }
    }
}

/// A rule, and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct ConsideredView {
    #[serde(flatten)]
    rule: DecidingRuleView,
    max_qos: Option<u8>,
    no_retain: bool,
    outcome: &'static str,
}

impl ConsideredView {
    /// The view of a rule that was considered.
    #[must_use]
    pub fn of(considered: Considered<'_>) -> Self {
        let limits = considered.rule.limits();
        Self {
            rule: DecidingRuleView::of(considered),
            max_qos: limits.max_qos.map(|qos| qos.as_u8()),
            no_retain: limits.no_retain,
            outcome: outcome(considered.outcome),
        }
    }
}

/// One line for people.
impl fmt::Display for ConsideredView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = &self.rule;
        write!(f, "{} {} {}", rule.effect, rule.action, rule.pattern)?;
        if let Some(qos) = self.max_qos {
            write!(f, " max_qos {qos}")?;
        }
        if self.no_retain {
            f.write_str(" no_retain")?;
        }
        write!(f, " ({}", rule.source)?;
        if let Some(group) = &rule.group {
            write!(f, " of group {group}")?;
        }
        write!(f, "): {}", self.outcome)
    }
}

/// Where the wall between tenants stands.
#[derive(Clone, Debug, Serialize)]
pub struct WallView {
    tenant: Option<String>,
    owner: Option<String>,
    in_way: bool,
}

impl WallView {
    fn of(wall: &Wall) -> Self {
        Self {
            tenant: wall.tenant.as_ref().map(ToString::to_string),
            owner: wall.owner.as_ref().map(ToString::to_string),
            in_way: wall.is_in_way,
        }
    }
}

/// The rules that were considered, written as they are gone over.
#[derive(Debug)]
struct ConsideredListView<'a>(&'a TopicAnswer);

impl Serialize for ConsideredListView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for considered in self.0.considered() {
            list.serialize_element(&ConsideredView::of(considered))?;
        }
        list.end()
    }
}

/// What variables stand for.
#[derive(Debug)]
struct VariablesView<'a>(&'a TopicAnswer);

impl Serialize for VariablesView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.0.variables() {
            map.serialize_entry(name, &value)?;
        }
        map.end()
    }
}

fn word(is_allowed: bool) -> &'static str {
    if is_allowed { "allow" } else { "deny" }
}

fn outcome(outcome: RuleOutcome) -> &'static str {
    match outcome {
        RuleOutcome::Matched => "matched",
        RuleOutcome::OtherAction => "other-action",
        RuleOutcome::OutsideNamespaces => "outside-namespaces",
        RuleOutcome::OutsidePattern => "outside-pattern",
        RuleOutcome::QosTooHigh => "qos-too-high",
        RuleOutcome::RetainRefused => "retain-refused",
        RuleOutcome::WildcardRefused => "wildcard-refused",
        RuleOutcome::Unbound => "unbound",
    }
}
