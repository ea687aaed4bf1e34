//! Rules, as requests tell them.

use countersign_admin::rule::{RuleChange, RuleWarning};
use countersign_core::name::GroupPath;
use countersign_core::rule::{Action, Effect, Limits, Pattern, QoS, Rule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::input::Text;
use crate::problem::Problem;

/// A rule that is given.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRule {
    effect: Text<Effect>,
    action: Text<Action>,
    pattern: Text<Pattern>,
    /// The highest QoS that is allowed: 0, 1 or 2.
    #[serde(default)]
    max_qos: Option<u8>,
    /// No retained message is allowed.
    #[serde(default)]
    no_retain: bool,
    /// The very topic or filter as written.
    #[serde(default)]
    literal: bool,
}

impl NewRule {
    /// The change that gives it.
    pub(super) fn change(self) -> Result<RuleChange, Problem> {
        let limits = limits(self.max_qos, self.no_retain)?;
        let rule = Rule::new(self.effect.0, self.action.0, self.pattern.0, limits);
        let rule = rule.map_err(|error| Problem::invalid(error.to_string()))?;
        if !self.literal {
            return Ok(RuleChange::Add(rule));
        }
        let literal = rule.into_literal().map(RuleChange::Add);
        literal.map_err(|error| Problem::invalid(error.to_string()))
    }
}

/// A rule of a role, which may be bound to a group.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRoleRule {
    effect: Text<Effect>,
    action: Text<Action>,
    pattern: Text<Pattern>,
    /// The highest QoS that is allowed: 0, 1 or 2.
    #[serde(default)]
    max_qos: Option<u8>,
    /// No retained message is allowed.
    #[serde(default)]
    no_retain: bool,
    /// The very topic or filter as written.
    #[serde(default)]
    literal: bool,
    /// It holds in this group and below alone.
    #[serde(default)]
    group: Option<Text<GroupPath>>,
}

impl NewRoleRule {
    /// The change that gives it, and the group that it is bound to.
    pub(super) fn change(self) -> Result<(RuleChange, Option<GroupPath>), Problem> {
        let rule = NewRule {
            effect: self.effect,
            action: self.action,
            pattern: self.pattern,
            max_qos: self.max_qos,
            no_retain: self.no_retain,
            literal: self.literal,
        };
        Ok((rule.change()?, self.group.map(|Text(group)| group)))
    }
}

/// Which rules are taken away.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleWords {
    action: Text<Action>,
    pattern: Text<Pattern>,
    /// Those with this limit alone.
    #[serde(default)]
    max_qos: Option<u8>,
    /// Those that allow no retained message alone.
    #[serde(default)]
    no_retain: bool,
    /// Literal ones alone.
    #[serde(default)]
    literal: bool,
    /// Those that are bound to this group, where it is about a role.
    #[serde(default)]
    group: Option<Text<GroupPath>>,
    /// Say who would gain or lose what, where it is about a role, and change nothing.
    #[serde(default)]
    pub(super) dry_run: bool,
}

impl RuleWords {
    /// The change that takes them away, and the group that they are bound to.
    pub(super) fn change(self) -> Result<(RuleChange, Option<GroupPath>), Problem> {
        let change = RuleChange::Remove {
            action: self.action.0,
            pattern: self.pattern.0,
            limits: limits(self.max_qos, self.no_retain)?,
            literal: self.literal,
        };
        Ok((change, self.group.map(|Text(group)| group)))
    }
}

impl RuleWords {
    /// The same for rules that are bound to no group.
    pub(super) fn of_no_group(self) -> Result<RuleChange, Problem> {
        if self.dry_run {
            return Err(Problem::invalid("`dry_run` is for rules of roles"));
        }
        match self.change()? {
            (change, None) => Ok(change),
            (_, Some(_)) => Err(Problem::invalid("such rules are bound to no group")),
        }
    }
}

fn limits(max_qos: Option<u8>, no_retain: bool) -> Result<Limits, Problem> {
    let max_qos = max_qos.map(QoS::try_from).transpose();
    let max_qos = max_qos.map_err(|error| Problem::invalid(format!("`max_qos`: {error}")))?;
    Ok(Limits { max_qos, no_retain })
}

/// What was changed, and what a new rule in it does not do.
#[derive(Serialize)]
pub(super) struct Warned<V> {
    #[serde(flatten)]
    view: V,
    warnings: Vec<String>,
}

impl<V> Warned<V> {
    pub(super) fn new(view: V, warnings: &[RuleWarning]) -> Self {
        Self {
            view,
            warnings: warnings.iter().map(ToString::to_string).collect(),
        }
    }
}
