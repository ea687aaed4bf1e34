//! Rules and roles, as they are shown.

use countersign_core::rights::TopicUses;
use countersign_core::role::RoleRule;
use countersign_core::rule::Rule;
use serde::Serialize;

use super::session_name;
use crate::difference::ChangeEffect;
use crate::lookup::ShownRole;
use crate::taking::Loser;

/// All that is shown of a rule.
#[derive(Clone, Debug, Serialize)]
pub struct RuleView {
    effect: &'static str,
    action: &'static str,
    pattern: String,
    max_qos: Option<u8>,
    no_retain: bool,
    literal: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
}

impl RuleView {
    /// The view of a rule.
    #[must_use]
    pub fn of(rule: &Rule) -> Self {
        Self {
            effect: rule.effect().as_str(),
            action: rule.action().as_str(),
            pattern: rule.pattern().to_string(),
            max_qos: rule.limits().max_qos.map(|qos| qos.as_u8()),
            no_retain: rule.limits().no_retain,
            literal: rule.is_literal(),
            group: None,
        }
    }

    /// The view of a rule of a role.
    #[must_use]
    pub fn of_role(rule: &RoleRule) -> Self {
        Self {
            group: rule.group.as_ref().map(ToString::to_string),
            ..Self::of(&rule.rule)
        }
    }
}

/// All that is shown of a role.
#[derive(Clone, Debug, Serialize)]
pub struct RoleView {
    name: String,
    tenant: String,
    description: Option<String>,
    no_wildcards: bool,
    groups: Vec<String>,
    rules: Vec<RuleView>,
}

impl RoleView {
    /// The view of a role.
    #[must_use]
    pub fn of(shown: &ShownRole) -> Self {
        let ShownRole { role, groups } = shown;
        Self {
            name: role.name.to_string(),
            tenant: role.tenant.to_string(),
            description: role.description.clone(),
            no_wildcards: role.no_wildcards,
            groups: groups.iter().map(ToString::to_string).collect(),
            rules: role.rules.iter().map(RuleView::of_role).collect(),
        }
    }
}

/// What a change of a role would do to one credential.
#[derive(Clone, Debug, Serialize)]
pub struct EffectView {
    name: String,
    connected: bool,
    gains: Vec<UseView>,
    loses: Vec<UseView>,
}

impl EffectView {
    /// The view of an effect.
    #[must_use]
    pub fn of(effect: &ChangeEffect) -> Self {
        let views = |uses: &[TopicUses]| uses.iter().map(UseView::of).collect();
        Self {
            name: effect.name.to_string(),
            connected: effect.is_connected,
            gains: views(&effect.gains),
            loses: views(&effect.loses),
        }
    }
}

/// Who would lose topics of the tenant that owns `#`.
#[derive(Clone, Debug, Serialize)]
pub struct LoserView {
    tenant: String,
    name: Option<String>,
    loses: Vec<UseView>,
    sessions: Vec<String>,
}

impl LoserView {
    /// The view of one.
    #[must_use]
    pub fn of(loser: &Loser) -> Self {
        Self {
            tenant: loser.tenant.to_string(),
            name: loser.name.as_ref().map(ToString::to_string),
            loses: loser.loses.iter().map(UseView::of).collect(),
            sessions: loser.sessions.iter().map(session_name).collect(),
        }
    }
}

/// A use of topics.
#[derive(Clone, Debug, Serialize)]
pub struct UseView {
    action: &'static str,
    pattern: String,
}

impl UseView {
    fn of(usage: &TopicUses) -> Self {
        Self {
            action: usage.action.as_str(),
            pattern: usage.filter.to_string(),
        }
    }
}
