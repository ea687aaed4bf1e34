//! Rules that people give and take away, of roles and of single credentials.

use countersign_core::given::Given;
use countersign_core::name::GroupPath;
use countersign_core::role::RoleRule;
use countersign_core::rule::{Action, Limits, Pattern, Rule};
use countersign_core::tenant::Tenant;
use countersign_core::topic::sendable;

use crate::error::{AdminError, ErrorKind, Noun, Subject};

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
        /// Literal ones alone; otherwise it does not matter.
        literal: bool,
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
    ) -> Result<(), AdminError> {
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
                    let message = format!("there is a rule `{rule}` already");
                    return Err(refused(ErrorKind::Exists, rule, message));
                }
                let same = rules.iter_mut().find(|old| {
                    names(old, rule.action(), rule.pattern())
                        && old.rule.effect() == rule.effect()
                        && old.rule.is_literal() == rule.is_literal()
                });
                match same {
                    Some(old) => *old = added,
                    None => {
                        rules.push(added);
                        check_count(rules.len())?;
                    }
                }
            }
            Self::Remove {
                action,
                pattern,
                limits,
                literal,
            } => {
                let before = rules.len();
                rules.retain(|rule| {
                    let meant = (*limits == Limits::NONE || rule.rule.limits() == *limits)
                        && (!literal || rule.rule.is_literal());
                    !(meant && names(rule, *action, pattern))
                });
                if rules.len() == before {
                    let message = format!("there is no rule for `{action} {pattern}` to remove");
                    return Err(refused(ErrorKind::NotFound, pattern, message));
                }
            }
        }
        Ok(())
    }

    /// Refuses what the tenant can't be given: the broker's own topics, but for
    /// reading `$SYS` where it may.
    pub(crate) fn check_for(&self, tenant: Option<&Tenant>) -> Result<(), AdminError> {
        let pattern = self.pattern();
        let sys_read = tenant.is_some_and(|tenant| tenant.sys_read);
        let reads_sys = match self {
            Self::Add(rule) => sys_read && rule.reads_sys(),
            Self::Remove { .. } => true,
        };
        if pattern.is_reserved() && !reads_sys {
            let message = format!(
                "`{pattern}` names a topic of the broker itself; such topics are for operators, not \
                 for tenants"
            );
            return Err(refused(ErrorKind::Invalid, pattern, message));
        }
        Ok(())
    }
}

/// Refuses a rule about topics that no broker carries.
pub(crate) fn check_sendable(rule: &Rule) -> Result<(), AdminError> {
    let pattern = rule.pattern();
    sendable(pattern.as_str()).map_err(|why| {
        let said = Given::from(pattern.as_str());
        let message = format!("`{said}` is not a pattern: {why}");
        refused(ErrorKind::Invalid, said, message)
    })
}

/// Refuses more rules than a role, a credential or an operator may have of its own:
/// each session that has them is given a table of them.
pub(crate) fn check_count(rules: usize) -> Result<(), AdminError> {
    if rules <= MOST_RULES {
        return Ok(());
    }
    let message = format!(
        "a role, a credential or an operator has at most {MOST_RULES} rules; take some away, or \
         put them into another role"
    );
    let subject = Subject::nameless(Noun::Rule);
    Err(AdminError::new(ErrorKind::Conflict, subject, message))
}

/// So many rules of its own a role, a credential or an operator has at most.
pub const MOST_RULES: usize = 1_024;

fn refused(kind: ErrorKind, rule: impl core::fmt::Display, message: String) -> AdminError {
    AdminError::new(kind, Subject::new(Noun::Rule, rule), message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::rule;

    #[test]
    fn of_rules_so_many_are_kept_and_one_may_take_the_place_of_another() {
        let mut rules = Vec::new();
        let add = |rules: &mut Vec<_>, text: &str| RuleChange::Add(rule(text)).apply(rules, None);
        for number in 0..MOST_RULES {
            add(&mut rules, &format!("allow publish a/{number}")).unwrap();
        }
        let mut more = rules.clone();
        let error = add(&mut more, "allow publish b").unwrap_err();
        assert!(error.is(ErrorKind::Conflict, Noun::Rule), "{error}");
        assert!(error.to_string().contains("at most 1024 rules"), "{error}");
        add(&mut rules, "allow publish a/7 max_qos 1").unwrap();
        assert_eq!(rules.len(), MOST_RULES);
    }
}
