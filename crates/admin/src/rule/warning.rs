//! Warnings about rules that are stored, and do not do what their author may
//! expect.

use core::fmt;

use countersign_core::credential::Credential;
use countersign_core::name::TenantId;
use countersign_core::rights::Rights;
use countersign_core::rule::{Action, Effect, Limits, Namespaces, Rule};
use countersign_core::tenant::Tenant;
use countersign_core::topic::TopicFilter;

use crate::check::{BRIDGE_STATES, keeps_some_of};
use crate::difference::{RightsContext, RightsDifference};

/// Says what a rule that is written all the same does not do.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RuleWarning {
    /// It allows what all whom it concerns may do already.
    AddsNothing {
        /// The rule.
        rule: Rule,
        /// The tenant whose default rights allow it, if it is these.
        by_default: Option<TenantId>,
    },
    /// Brokers refuse every publish there.
    KeptByBroker {
        /// The rule.
        rule: Rule,
    },
    /// It holds what Mosquitto's ACL files take for a variable.
    Literal {
        /// What it holds.
        written: &'static str,
        /// What may be meant.
        meant: &'static str,
    },
    /// It is about topics that are another tenant's.
    OfOthers {
        /// The rule.
        rule: Rule,
        /// The tenant whose rule it is.
        tenant: TenantId,
    },
    /// A variable has no value that can stand in a topic.
    NoValue {
        /// The rule.
        rule: Rule,
    },
    /// It is about topics that its tenant does not own.
    OutsideNamespaces {
        /// The rule.
        rule: Rule,
        /// The tenant.
        tenant: TenantId,
        /// What the tenant owns.
        namespaces: Namespaces,
    },
}

impl RuleWarning {
    /// What can be said of a rule by its text.
    pub(crate) fn of_text(rule: &Rule) -> Vec<Self> {
        let text = rule.pattern().as_str();
        let literals = [("%u", "${username}"), ("%c", "${client_id}")];
        let mut warnings: Vec<_> = literals
            .into_iter()
            .filter(|(written, _)| text.contains(written))
            .map(|(written, meant)| Self::Literal { written, meant })
            .collect();
        let publishes = matches!(rule.action(), Action::Both | Action::Publish);
        if rule.effect() == Effect::Allow && publishes && keeps_some_of(rule.pattern()) {
            warnings.push(Self::KeptByBroker { rule: rule.clone() });
        }
        warnings
    }
}

impl RuleWarning {
    /// What can be said of rules that are written together, by their texts.
    pub(crate) fn of_list(rules: &[Rule]) -> Vec<Self> {
        let mut warnings = Vec::new();
        for (place, rule) in rules.iter().enumerate() {
            warnings.extend(Self::of_text(rule));
            let is_idle = rules.iter().enumerate().any(|(at, other)| {
                // Of two that say the same, the later adds nothing.
                let comes_first = at < place || !allows_all_of(rule, other);
                at != place && comes_first && allows_all_of(other, rule)
            });
            if is_idle {
                warnings.push(Self::AddsNothing {
                    rule: rule.clone(),
                    by_default: None,
                });
            }
        }
        warnings
    }
}

/// Says whether one rule allows all that another does, whatever their variables stand
/// for. Of a few it is not known.
fn allows_all_of(one: &Rule, other: &Rule) -> bool {
    // What a variable stands for is a part of a level, and never begins with `$`.
    let filter = |rule: &Rule| TopicFilter::parse(&rule.pattern().as_str().replace("${", "{"));
    let (Ok(wide), Ok(narrow)) = (filter(one), filter(other)) else {
        return false;
    };
    let is_of_act = one.action() == Action::Both || one.action() == other.action();
    let is_unlimited = one.limits() == Limits::NONE || one.limits() == other.limits();
    one.effect() == Effect::Allow
        && other.effect() == Effect::Allow
        && is_of_act
        && is_unlimited
        && one.is_literal() == other.is_literal()
        && if one.is_literal() {
            wide == narrow
        } else {
            wide.covers(&narrow)
        }
}

impl fmt::Display for RuleWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddsNothing {
                rule,
                by_default: Some(tenant),
            } => write!(
                f,
                "`{rule}` adds nothing: tenant `{tenant}` allows all of its namespaces by default, \
                 and an allow rule narrows nothing; `tenant set {tenant} --default-rights none` \
                 leaves what rules allow"
            ),
            Self::AddsNothing {
                rule,
                by_default: None,
            } => write!(
                f,
                "`{rule}` adds nothing: other rules allow all of it already"
            ),
            Self::KeptByBroker { rule } => write!(
                f,
                "brokers refuse to publish to `$SYS`, apart from `{BRIDGE_STATES}`, whatever \
                 `{rule}` allows"
            ),
            Self::Literal { written, meant } => {
                write!(f, "`{written}` is literal here; write `{meant}`")
            }
            Self::OfOthers { rule, tenant } => write!(
                f,
                "`{rule}` reaches nothing: its topics are not among those of tenant `{tenant}`"
            ),
            Self::NoValue { rule } => write!(
                f,
                "`{rule}` allows nothing as long as its variables have no value that can stand in \
                 one level of a topic"
            ),
            Self::OutsideNamespaces {
                rule,
                tenant,
                namespaces,
            } => {
                let owned: Vec<_> = namespaces.iter().map(TopicFilter::as_str).collect();
                write!(
                    f,
                    "`{rule}` reaches nothing: tenant `{tenant}` owns `{}` alone",
                    owned.join("`, `")
                )
            }
        }
    }
}

/// What becomes of those whom a new rule concerns.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RuleImpact {
    /// They were looked at, all of them, and there is one at least.
    pub(crate) is_known: bool,
    /// The rule makes a difference to one of them.
    pub(crate) makes_difference: bool,
    /// The rule alone would allow one of them something.
    pub(crate) has_value: bool,
    /// One of them has rights by default.
    pub(crate) is_by_default: bool,
    /// The topics of the rule are another tenant's.
    pub(crate) is_of_others: bool,
}

impl RuleImpact {
    /// Adds what becomes of one of them: what it gains and loses by the rule, and
    /// what the rule alone would allow it.
    pub(crate) fn add(
        &mut self,
        policy: &RightsContext,
        concerned: &Credential,
        difference: &RightsDifference,
        alone: &Rights,
    ) {
        self.is_known = true;
        self.makes_difference |= !difference.is_none();
        self.has_value |= policy.allow_something(alone);
        self.is_by_default |= policy.gives_by_default(concerned);
    }
}

impl RuleWarning {
    /// What can be said of a new rule by its text, and by what it does in its
    /// tenant, or outside of all tenants.
    pub(crate) fn of(rule: &Rule, tenant: Option<&Tenant>, impact: RuleImpact) -> Vec<Self> {
        let mut warnings = Self::of_text(rule);
        warnings.extend(Self::of_impact(rule, tenant, impact));
        warnings
    }

    fn of_impact(rule: &Rule, tenant: Option<&Tenant>, impact: RuleImpact) -> Option<Self> {
        if impact.makes_difference {
            return None;
        }
        let widest = rule.pattern().widest();
        if let Some(tenant) = tenant.filter(|tenant| !tenant.namespaces.could_reach(&widest)) {
            return Some(Self::OutsideNamespaces {
                rule: rule.clone(),
                tenant: tenant.id.clone(),
                namespaces: tenant.namespaces.clone(),
            });
        }
        if let Some(tenant) = tenant.filter(|_| impact.is_of_others) {
            return Some(Self::OfOthers {
                rule: rule.clone(),
                tenant: tenant.id.clone(),
            });
        }
        let is_idle = impact.is_known && rule.effect() == Effect::Allow;
        if !is_idle {
            None
        } else if impact.has_value {
            let by_default = tenant.filter(|_| impact.is_by_default);
            Some(Self::AddsNothing {
                rule: rule.clone(),
                by_default: by_default.map(|tenant| tenant.id.clone()),
            })
        } else {
            Some(Self::NoValue { rule: rule.clone() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::rule;

    #[test]
    fn of_rules_that_are_written_together_those_are_told_that_others_allow() {
        for (rules, idle) in [
            (&["allow publish a/#", "allow publish b/#"][..], &[][..]),
            (
                &["allow publish a/b", "allow publish a/#"],
                &["allow publish a/b"],
            ),
            (
                &["allow publish a/#", "allow publish a/#"],
                &["allow publish a/#"],
            ),
            (
                &["allow both a/#", "allow subscribe a/+"],
                &["allow subscribe a/+"],
            ),
            (&["allow publish a/#", "allow both a/b"], &[]),
            (&["allow publish a/# max_qos 1", "allow publish a/b"], &[]),
            (&["allow publish a/#", "deny publish a/b"], &[]),
            (
                &["allow publish a/+/x", "allow publish a/${username}/x"],
                &["allow publish a/${username}/x"],
            ),
            (
                &["allow publish a/${username}/x", "allow publish a/+/x"],
                &["allow publish a/${username}/x"],
            ),
            (
                &["allow publish #", "allow publish ${attr.token}/#"],
                &["allow publish ${attr.token}/#"],
            ),
        ] {
            let rules: Vec<_> = rules.iter().map(|text| rule(text)).collect();
            let told = RuleWarning::of_list(&rules);
            let told: Vec<_> = told.iter().map(ToString::to_string).collect();
            let expected: Vec<_> = idle
                .iter()
                .map(|text| format!("`{text}` adds nothing: other rules allow all of it already"))
                .collect();
            assert_eq!(told, expected);
        }
    }
}
