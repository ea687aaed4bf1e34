//! Verdicts, plain and explained.

use crate::reason::Reason;

/// May it be done?
///
/// It can't be ignored, and a match on it has exactly two arms.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[must_use = "a verdict that nobody looks at lets everything pass"]
pub enum Verdict {
    /// It may.
    Allow,
    /// It may not, for this reason.
    Deny(Reason),
}

impl Verdict {
    /// Says whether it may be done.
    #[must_use]
    pub fn is_allowed(self) -> bool {
        match self {
            Self::Allow => true,
            Self::Deny(_) => false,
        }
    }
}

/// A verdict and what every rule had to say about it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use = "a verdict that nobody looks at lets everything pass"]
pub struct Explanation {
    /// What the check itself answers.
    pub verdict: Verdict,
    /// The first rule that decided, counted in the order they were compiled.
    ///
    /// `None` says that no rule matched.
    pub decided_by: Option<usize>,
    /// What became of each rule, in the order they were compiled.
    pub outcomes: Vec<RuleOutcome>,
}

/// What became of one rule in one check.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum RuleOutcome {
    /// The rule matched.
    Matched,
    /// The rule is about the other action.
    OtherAction,
    /// The tenant does not own what the rule would allow.
    OutsideNamespaces,
    /// The topic or filter is not one that the rule is about.
    OutsidePattern,
    /// The message's QoS is above the rule's `max_qos`.
    QosTooHigh,
    /// The message is retained and the rule has `no_retain`.
    RetainRefused,
    /// A variable of the allow rule has no value that can be used.
    Unbound,
    /// The filter holds a wildcard, and the rule's role grants none.
    WildcardRefused,
}

impl RuleOutcome {
    /// What became of a rule of which this became with one pattern, and `other` with
    /// another: the one that came closer to a match.
    pub(super) const fn or_closer(self, other: Self) -> Self {
        match (self, other) {
            (Self::OtherAction, _) | (_, Self::Matched) => other,
            (Self::OutsidePattern, _) => other,
            (
                Self::Matched
                | Self::OutsideNamespaces
                | Self::QosTooHigh
                | Self::RetainRefused
                | Self::Unbound
                | Self::WildcardRefused,
                _,
            ) => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_allow_allows() {
        assert!(Verdict::Allow.is_allowed());
        for reason in Reason::ALL {
            assert!(!Verdict::Deny(*reason).is_allowed());
        }
    }
}
