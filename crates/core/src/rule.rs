//! Rules: what a principal may publish to and subscribe to.
//!
//! A [`Rule`] is written by people and stored; its [`Pattern`] may hold
//! variables. [`RuleSet::compile`] fills them in for one session, and from then
//! on every question is answered from memory without a lock or an allocation.
//! What no rule allows is denied, a matching deny always wins, and the order of
//! rules never matters.

use core::fmt;

use crate::topic::has_wildcards;

mod compiled;
mod coverage;
mod difference;
mod namespace;
mod pattern;
mod qos;
mod query;
mod set;
mod table;
mod topic_owners;
mod variable;
mod verdict;
mod words;

pub(crate) use difference::Candidate;
pub use namespace::{NamespaceFilterError, Namespaces};
pub use pattern::{Pattern, PatternError};
pub(crate) use pattern::{PatternLevel, PatternPart};
pub use qos::{QoS, QosError};
pub(crate) use query::TopicQuery;
pub use set::{MOST_PATTERNS_BY_GROUPS, RuleSet};
pub use topic_owners::TopicOwners;
pub use variable::{NoVariables, Variable, Variables};
pub use verdict::{Explanation, RuleOutcome, Verdict};
pub use words::{Action, Effect, WordError};

/// Allows or denies an action on the topics of a pattern.
///
/// # Examples
///
/// ```
/// use countersign_core::rule::{Action, Effect, Limits, Pattern, QoS, Rule};
///
/// let pattern = Pattern::parse("plant/${username}/#")?;
/// let limits = Limits { max_qos: Some(QoS::AtLeastOnce), no_retain: true };
/// let rule = Rule::new(Effect::Allow, Action::Publish, pattern, limits)?;
/// assert_eq!(
///     rule.to_string(),
///     "allow publish plant/${username}/# max_qos 1 no_retain"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Rule {
    effect: Effect,
    action: Action,
    pattern: Pattern,
    limits: Limits,
    is_literal: bool,
    grants_wildcards: bool,
}

impl Rule {
    /// Makes a rule.
    ///
    /// # Errors
    ///
    /// Returns [`RuleLimitsError`] when there are limits and the rule is not an
    /// allow rule for publishing alone.
    pub fn new(
        effect: Effect,
        action: Action,
        pattern: Pattern,
        limits: Limits,
    ) -> Result<Self, RuleLimitsError> {
        if limits != Limits::NONE {
            match action {
                Action::Publish => {}
                Action::Both | Action::Subscribe => return Err(RuleLimitsError::LimitsOnSubscribe),
            }
            match effect {
                Effect::Allow => {}
                Effect::Deny => return Err(RuleLimitsError::LimitsOnDeny),
            }
        }
        Ok(Self {
            effect,
            action,
            pattern,
            limits,
            is_literal: false,
            grants_wildcards: true,
        })
    }

    /// Makes an allow rule without limits.
    #[must_use]
    pub fn allow(action: Action, pattern: Pattern) -> Self {
        Self {
            effect: Effect::Allow,
            action,
            pattern,
            limits: Limits::NONE,
            is_literal: false,
            grants_wildcards: true,
        }
    }

    /// Makes a deny rule.
    #[must_use]
    pub fn deny(action: Action, pattern: Pattern) -> Self {
        Self {
            effect: Effect::Deny,
            action,
            pattern,
            limits: Limits::NONE,
            is_literal: false,
            grants_wildcards: true,
        }
    }

    /// The same rule for the very topic or filter that its pattern is.
    ///
    /// As an allow rule it grants the SUBSCRIBE of that very filter, and the
    /// delivery of what the filter matches. As a deny rule it refuses the
    /// SUBSCRIBE of that very filter, and touches no delivery. `#` and `+/#` are
    /// one filter here.
    ///
    /// # Errors
    ///
    /// Returns [`LiteralRuleError`] when the pattern holds a variable, or when
    /// the rule is about publishing and the pattern holds a wildcard.
    pub fn into_literal(self) -> Result<Self, LiteralRuleError> {
        if self.pattern.variables().next().is_some() {
            return Err(LiteralRuleError::Variable);
        }
        let publishes = match self.action {
            Action::Both | Action::Publish => true,
            Action::Subscribe => false,
        };
        if publishes && has_wildcards(self.pattern.as_str()) {
            return Err(LiteralRuleError::Wildcard);
        }
        Ok(Self {
            is_literal: true,
            ..self
        })
    }

    /// The same rule as a role without wildcards gives it: no SUBSCRIBE with `+`
    /// or `#` is granted by it.
    #[must_use]
    pub fn without_wildcards(self) -> Self {
        Self {
            grants_wildcards: false,
            ..self
        }
    }

    /// Whether the rule is about the very topic or filter that its pattern is.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        self.is_literal
    }

    /// Whether the rule, if it allows, grants a SUBSCRIBE with `+` or `#`.
    #[must_use]
    pub fn grants_wildcards(&self) -> bool {
        self.grants_wildcards
    }

    /// Whether the rule is about subscribing to what lies below `$SYS`, and
    /// nothing else.
    #[must_use]
    pub fn reads_sys(&self) -> bool {
        self.action == Action::Subscribe && self.pattern.names_sys()
    }

    /// Whether the rule gives or takes away.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// What the rule is about.
    #[must_use]
    pub fn action(&self) -> Action {
        self.action
    }

    /// The topics that the rule is about.
    #[must_use]
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// What a message must keep to for this rule to allow it.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.effect, self.action, self.pattern)?;
        if let Some(qos) = self.limits.max_qos {
            write!(f, " max_qos {qos}")?;
        }
        if self.limits.no_retain {
            f.write_str(" no_retain")?;
        }
        if self.is_literal {
            f.write_str(" literal")?;
        }
        Ok(())
    }
}

/// What a message must keep to for an allow rule to allow it.
///
/// Limits narrow one allow rule; another allow rule without them still gives.
/// A deny rule has none: it takes away whole topics.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Limits {
    /// The highest QoS that the rule allows; `None` allows all.
    pub max_qos: Option<QoS>,
    /// The rule allows no retained message, nor an empty one that clears it.
    pub no_retain: bool,
}

impl Limits {
    /// Allows every message.
    pub const NONE: Self = Self {
        max_qos: None,
        no_retain: false,
    };
}

/// Who brought a rule to a session.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum RuleSource {
    /// The credential itself.
    Credential,
    /// A rule of a role that is bound to this group.
    Group(Box<str>),
    /// The operator's own list.
    Operator,
    /// A role that the principal holds itself, or by default.
    Role(Box<str>),
    /// A role that the principal holds because a group does.
    RoleOfGroup {
        /// The role.
        role: Box<str>,
        /// The group that holds it.
        group: Box<str>,
    },
    /// The default rules of the credential's scheme.
    Scheme(Box<str>),
    /// The namespaces of this tenant.
    Tenant(Box<str>),
}

impl RuleSource {
    /// Says whether such a rule reaches topics that no tenant owns.
    ///
    /// A scheme's default rules and operators do. What a tenant writes itself
    /// allows nothing outside the tenant's namespaces.
    #[must_use]
    pub fn reaches_unowned_topics(&self) -> bool {
        match self {
            Self::Operator | Self::Scheme(_) => true,
            Self::Credential
            | Self::Group(_)
            | Self::Role(_)
            | Self::RoleOfGroup { .. }
            | Self::Tenant(_) => false,
        }
    }

    /// The group that holds the role, where the principal has it by a group.
    #[must_use]
    pub fn held_by(&self) -> Option<&str> {
        match self {
            Self::RoleOfGroup { group, .. } => Some(group),
            Self::Credential
            | Self::Group(_)
            | Self::Operator
            | Self::Role(_)
            | Self::Scheme(_)
            | Self::Tenant(_) => None,
        }
    }
}

impl fmt::Display for RuleSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credential => f.write_str("credential"),
            Self::Group(name) => write!(f, "group:{name}"),
            Self::Operator => f.write_str("operator"),
            Self::Role(role) | Self::RoleOfGroup { role, .. } => write!(f, "role:{role}"),
            Self::Scheme(name) => write!(f, "scheme:{name}"),
            Self::Tenant(name) => write!(f, "tenant:{name}"),
        }
    }
}

/// Why parts that are right by themselves make no rule.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleLimitsError {
    /// A deny rule has `max_qos` or `no_retain`.
    #[error("a deny rule has no `max_qos` or `no_retain`; give them to the allow rule")]
    LimitsOnDeny,
    /// A rule that is about subscribing has `max_qos` or `no_retain`.
    #[error("`max_qos` and `no_retain` belong to rules for `publish` alone")]
    LimitsOnSubscribe,
}

/// Why a rule can't be literal.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LiteralRuleError {
    /// Its pattern holds a variable.
    #[error("a literal rule holds no variable: it is about the very topic or filter as written")]
    Variable,
    /// It is about publishing, and its pattern holds a wildcard.
    #[error(
        "a literal rule for `publish` or `both` holds no wildcard: nothing is published on `+` or \
         `#`; write it for `subscribe`"
    )]
    Wildcard,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern() -> Pattern {
        Pattern::parse("a/#").unwrap()
    }

    #[test]
    fn limits_belong_to_allow_rules_for_publish_alone() {
        let some = [
            Limits {
                max_qos: Some(QoS::ExactlyOnce),
                no_retain: false,
            },
            Limits {
                max_qos: None,
                no_retain: true,
            },
        ];
        for limits in some {
            let make = |effect, action| Rule::new(effect, action, pattern(), limits).map(drop);
            assert_eq!(make(Effect::Allow, Action::Publish), Ok(()));
            assert_eq!(
                make(Effect::Deny, Action::Publish),
                Err(RuleLimitsError::LimitsOnDeny)
            );
            for effect in [Effect::Allow, Effect::Deny] {
                for action in [Action::Both, Action::Subscribe] {
                    assert_eq!(
                        make(effect, action),
                        Err(RuleLimitsError::LimitsOnSubscribe)
                    );
                }
            }
        }
    }

    #[test]
    fn a_rule_without_limits_can_always_be_made() {
        for effect in [Effect::Allow, Effect::Deny] {
            for action in [Action::Both, Action::Publish, Action::Subscribe] {
                assert!(Rule::new(effect, action, pattern(), Limits::NONE).is_ok());
            }
        }
    }

    #[test]
    fn a_literal_rule_holds_no_variable_and_publishes_on_no_wildcard() {
        let literal = |action, pattern| {
            let rule = Rule::allow(action, Pattern::parse(pattern).unwrap());
            rule.into_literal().map(|rule| rule.to_string())
        };
        for action in [Action::Both, Action::Publish] {
            for pattern in ["a/#", "+/a"] {
                assert_eq!(literal(action, pattern), Err(LiteralRuleError::Wildcard));
            }
            assert!(literal(action, "a/b").is_ok());
        }
        for action in [Action::Both, Action::Publish, Action::Subscribe] {
            let made = literal(action, "a/${username}");
            assert_eq!(made, Err(LiteralRuleError::Variable));
        }
        let made = literal(Action::Subscribe, "a/#");
        assert_eq!(made.as_deref(), Ok("allow subscribe a/# literal"));
    }

    #[test]
    fn words_read_back_as_they_were_written() {
        for effect in [Effect::Allow, Effect::Deny] {
            assert_eq!(Effect::parse(effect.as_str()), Ok(effect));
        }
        for action in [Action::Both, Action::Publish, Action::Subscribe] {
            assert_eq!(Action::parse(action.as_str()), Ok(action));
        }
        assert!(Effect::parse("").is_err());
        assert!(Action::parse("Publish").is_err());
    }

    #[test]
    fn a_source_reads_as_the_program_prints_it() {
        for (source, text) in [
            (RuleSource::Credential, "credential"),
            (RuleSource::Group("DM.X".into()), "group:DM.X"),
            (RuleSource::Operator, "operator"),
            (RuleSource::Role("ops".into()), "role:ops"),
            (
                RuleSource::RoleOfGroup {
                    role: "ops".into(),
                    group: "DM".into(),
                },
                "role:ops",
            ),
            (RuleSource::Scheme("basic".into()), "scheme:basic"),
            (RuleSource::Tenant("acme".into()), "tenant:acme"),
        ] {
            assert_eq!(source.to_string(), text);
        }
    }
}
