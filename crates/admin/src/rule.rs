//! Rules that people give and take away, of roles and of single credentials.

use countersign_core::given::Given;
use countersign_core::name::GroupPath;
use countersign_core::role::RoleRule;
use countersign_core::rule::{Action, Limits, Pattern, Rule};
use countersign_core::topic::{NotSendable, sendable};

mod warning;

pub(crate) use self::warning::RuleImpact;
pub use self::warning::RuleWarning;

/// What is to become of a list of rules.
#[derive(Clone, Debug)]
pub enum RuleChange {
    /// This one is added. If there is one that differs in its limits alone, it
    /// takes its place.
    Add(Rule),
    /// Those that name this action and pattern are taken away, whether they
    /// allow or deny.
    Remove {
        /// What they are about.
        action: Action,
        /// Which topics.
        pattern: Pattern,
        /// What they limit a message to; if nothing, it does not matter.
        limits: Limits,
    },
}

impl RuleChange {
    /// The pattern that the change is about.
    #[must_use]
    pub fn pattern(&self) -> &Pattern {
        match self {
            Self::Add(rule) => rule.pattern(),
            Self::Remove { pattern, .. } => pattern,
        }
    }

    /// The word for the act, as commands and the audit write it.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Add(rule) => rule.effect().as_str(),
            Self::Remove { .. } => "remove",
        }
    }

    /// Changes rules that are bound to `group`, or those that are bound to
    /// none.
    pub(crate) fn apply(
        &self,
        rules: &mut Vec<RoleRule>,
        group: Option<&GroupPath>,
    ) -> Result<(), RuleError> {
        let names = |rule: &RoleRule, action, pattern: &Pattern| {
            rule.group.as_ref() == group
                && rule.rule.action() == action
                && rule.rule.pattern() == pattern
        };
        match self {
            Self::Add(rule) => {
                check_sendable(rule)?;
                let added = RoleRule {
                    rule: rule.clone(),
                    group: group.cloned(),
                };
                if rules.contains(&added) {
                    return Err(RuleError::Exists { rule: rule.clone() });
                }
                let same = rules.iter_mut().find(|old| {
                    names(old, rule.action(), rule.pattern()) && old.rule.effect() == rule.effect()
                });
                match same {
                    Some(old) => *old = added,
                    None => rules.push(added),
                }
            }
            Self::Remove {
                action,
                pattern,
                limits,
            } => {
                let before = rules.len();
                rules.retain(|rule| {
                    let meant = *limits == Limits::NONE || rule.rule.limits() == *limits;
                    !(meant && names(rule, *action, pattern))
                });
                if rules.len() == before {
                    return Err(RuleError::Missing {
                        action: *action,
                        pattern: pattern.clone(),
                    });
                }
            }
        }
        Ok(())
    }

    /// Refuses what no tenant can be given: the broker's own topics.
    pub(crate) fn check_for_tenant(&self) -> Result<(), RuleError> {
        let pattern = self.pattern();
        if pattern.is_reserved() {
            return Err(RuleError::Reserved {
                pattern: pattern.clone(),
            });
        }
        Ok(())
    }
}

/// Refuses a rule about topics that no broker carries.
pub(crate) fn check_sendable(rule: &Rule) -> Result<(), RuleError> {
    let pattern = rule.pattern().as_str();
    sendable(pattern).map_err(|why| RuleError::NotSendable {
        pattern: pattern.into(),
        why,
    })
}

/// Why a rule was not given or taken away.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// It is there already.
    #[error("there is a rule `{rule}` already")]
    Exists {
        /// The rule.
        rule: Rule,
    },
    /// There is none to take away.
    #[error("there is no rule for `{action} {pattern}` to remove")]
    Missing {
        /// What it would be about.
        action: Action,
        /// Which topics.
        pattern: Pattern,
    },
    /// No broker carries such topics.
    #[error("`{pattern}` is not a pattern: {why}")]
    NotSendable {
        /// The pattern.
        pattern: Given,
        /// Why.
        why: NotSendable,
    },
    /// It names the broker's own topics.
    #[error(
        "`{pattern}` names a topic of the broker itself; such topics are for operators, not for tenants"
    )]
    Reserved {
        /// The pattern.
        pattern: Pattern,
    },
}
