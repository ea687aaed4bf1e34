//! The rules of dynamic-security's roles: what each is here, and which of two comes first
//! there.
//!
//! There the first rule that matches counts; here a deny always wins. So an allow that
//! comes before a deny which it meets can't be said here.

use countersign_core::rule::{Action, Effect, Rule};
use countersign_core::topic::FilterRef;

use crate::written_rule::{self, Outcome, Substitution, WRITE_ANEW};

/// What a rule of a role is about.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum AclKind {
    /// `publishClientSend`.
    Publish,
    /// To receive: `publishClientReceive`.
    Deliver,
    /// `subscribeLiteral`.
    SubscribeLiteral,
    /// `subscribePattern`.
    SubscribePattern,
    /// `unsubscribeLiteral`.
    UnsubscribeLiteral,
    /// `unsubscribePattern`.
    UnsubscribePattern,
}

impl AclKind {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 6] = [
        Self::Publish,
        Self::Deliver,
        Self::SubscribeLiteral,
        Self::SubscribePattern,
        Self::UnsubscribeLiteral,
        Self::UnsubscribePattern,
    ];

    /// The kind that is called so, in whatever case.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let mut known = Self::ALL.into_iter();
        known.find(|kind| kind.as_str().eq_ignore_ascii_case(text))
    }

    /// What it is called.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deliver => "publishClientReceive",
            Self::Publish => "publishClientSend",
            Self::SubscribeLiteral => "subscribeLiteral",
            Self::SubscribePattern => "subscribePattern",
            Self::UnsubscribeLiteral => "unsubscribeLiteral",
            Self::UnsubscribePattern => "unsubscribePattern",
        }
    }

    /// The rule that one of this kind is here, and what becomes of it. There is none for
    /// UNSUBSCRIBE, which is always allowed.
    #[must_use]
    pub fn rule(self, topic: &str, is_allowed: bool) -> (Option<Rule>, Outcome) {
        let effect = if is_allowed {
            Effect::Allow
        } else {
            Effect::Deny
        };
        let (action, substitution) = match self {
            Self::UnsubscribeLiteral | Self::UnsubscribePattern if is_allowed => {
                return (None, Outcome::Kept);
            }
            Self::UnsubscribeLiteral | Self::UnsubscribePattern => {
                let how = "UNSUBSCRIBE is always allowed here";
                return (None, Outcome::Changed(how.into()));
            }
            Self::Publish => (Action::Publish, Substitution::Levels),
            Self::SubscribeLiteral => (Action::Subscribe, Substitution::None),
            Self::Deliver | Self::SubscribePattern => (Action::Subscribe, Substitution::Levels),
        };
        let (rule, outcome) = written_rule::rule(effect, action, topic, substitution);
        match (rule, outcome) {
            (rule, outcome @ Outcome::Lost(_)) => (rule, outcome),
            (Some(rule), outcome) if self == Self::SubscribeLiteral => match rule.into_literal() {
                Ok(rule) => (Some(rule), outcome),
                Err(why) => (None, Outcome::lost(why.to_string(), WRITE_ANEW)),
            },
            (rule, outcome) => (rule, outcome),
        }
    }

    /// Whether it is about SUBSCRIBE.
    #[must_use]
    pub const fn is_subscribe(self) -> bool {
        matches!(self, Self::SubscribeLiteral | Self::SubscribePattern)
    }

    /// Whether the plugin asks one of this kind and one of another in one go, one after
    /// the other.
    const fn is_asked_with(self, other: Self) -> bool {
        match self {
            Self::Deliver | Self::Publish => self as u8 == other as u8,
            Self::SubscribeLiteral | Self::SubscribePattern => other.is_subscribe(),
            Self::UnsubscribeLiteral | Self::UnsubscribePattern => false,
        }
    }
}

/// What a rule of a role reaches.
#[derive(Clone, Copy, Debug)]
pub struct Reach<'a> {
    /// What it is about.
    pub kind: AclKind,
    /// Its filter, once variables stand for any level.
    pub filter: &'a str,
}

impl Reach<'_> {
    /// Whether this allow, where it comes first, keeps that deny from what it would take.
    #[must_use]
    pub fn meets_deny(self, deny: Self) -> bool {
        if !self.kind.is_asked_with(deny.kind) {
            return false;
        }
        let parse = |text| FilterRef::parse(text).ok();
        match (parse(self.filter), parse(deny.filter)) {
            // A literal one is about a filter, and not about what that matches.
            (Some(allow), Some(literal)) if deny.kind == AclKind::SubscribeLiteral => {
                allow.covers(literal)
            }
            (Some(allow), Some(deny)) => allow.intersects(deny),
            _ => true,
        }
    }

    /// Whether the SUBSCRIBE that this allows goes past that deny of a SUBSCRIBE there:
    /// what comes by it is delivered. Here it is not.
    #[must_use]
    pub fn goes_past(self, deny: Self) -> bool {
        if !self.kind.is_subscribe() || deny.kind != AclKind::SubscribePattern {
            return false;
        }
        let parse = |text| FilterRef::parse(text).ok();
        match (parse(self.filter), parse(deny.filter)) {
            (Some(allow), Some(deny)) => allow.intersects(deny) && !deny.covers(allow),
            _ => false,
        }
    }

    /// Whether all that the other is about is withheld from deliveries by this deny.
    #[must_use]
    pub fn withholds(self, deny: Self) -> bool {
        let parse = |text| FilterRef::parse(text).ok();
        self.kind == AclKind::Deliver
            && match (parse(self.filter), parse(deny.filter)) {
                (Some(own), Some(deny)) => own.covers(deny),
                _ => false,
            }
    }
}

/// The order of two roles of one holder, or of its groups: the higher priority comes
/// first, then the name.
#[must_use]
pub fn asked_before(one: (i64, &str), other: (i64, &str)) -> core::cmp::Ordering {
    other.0.cmp(&one.0).then_with(|| one.1.cmp(other.1))
}

/// Where a rule of a role stands among all of it: literal ones for SUBSCRIBE come before
/// patterns, then the higher priority. Of equal ones the first is asked first.
#[must_use]
pub fn place(kind: AclKind, priority: i64) -> (bool, core::cmp::Reverse<i64>) {
    (
        kind != AclKind::SubscribeLiteral,
        core::cmp::Reverse(priority),
    )
}

/// Where an allow comes before a deny: why it can't be said here.
pub const DENY_WINS: &str = "a deny always wins here";
/// And what can be done.
pub const ALLOW_LESS: &str = "deny less there, or allow only what is not denied";
/// Where a wider subscription is delivered past a deny.
pub const TAKES_MORE: &str =
    "there a wider subscription is delivered past it; here it keeps from being delivered, too";
/// And what can be done.
pub const WITHHOLD: &str = "deny it under publishClientReceive as well";
/// The role of what is allowed by default, where no rule matches.
pub const DEFAULT_ROLE: &str = "default-access";
/// The attribute that keeps `textname`.
pub const TEXT_NAME: &str = "textname";
/// Of a role or client in a list that says none.
pub const DEFAULT_PRIORITY: i64 = -1;

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(kind: AclKind, filter: &str) -> Reach<'_> {
        Reach { kind, filter }
    }

    #[test]
    fn kinds_are_found_in_whatever_case() {
        for kind in AclKind::ALL {
            assert_eq!(AclKind::of(&kind.as_str().to_uppercase()), Some(kind));
        }
        assert_eq!(AclKind::of("subscribe"), None);
    }

    #[test]
    fn only_rules_of_one_question_meet() {
        use AclKind::{Deliver, Publish, SubscribeLiteral, SubscribePattern};
        for (allow, deny, meets) in [
            (reach(Publish, "a/#"), reach(Publish, "a/b"), true),
            (reach(Publish, "a/+"), reach(Publish, "+/b"), true),
            (reach(Publish, "a/+"), reach(Publish, "b/+"), false),
            (reach(Publish, "a/#"), reach(Deliver, "a/b"), false),
            (reach(Deliver, "#"), reach(Deliver, "a"), true),
            (
                reach(SubscribePattern, "a/#"),
                reach(SubscribeLiteral, "a/b"),
                true,
            ),
            (
                reach(SubscribePattern, "a/+"),
                reach(SubscribeLiteral, "#"),
                false,
            ),
            (
                reach(SubscribePattern, "a/+"),
                reach(SubscribePattern, "#"),
                true,
            ),
        ] {
            assert_eq!(allow.meets_deny(deny), meets, "{allow:?} {deny:?}");
        }
    }

    #[test]
    fn a_wider_subscription_goes_past_a_deny() {
        let deny = reach(AclKind::SubscribePattern, "a/b/#");
        let wide = reach(AclKind::SubscribePattern, "a/#");
        assert!(wide.goes_past(deny));
        assert!(!reach(AclKind::SubscribePattern, "a/b/c").goes_past(deny));
        assert!(reach(AclKind::Deliver, "a/+/#").withholds(deny));
        assert!(!reach(AclKind::Deliver, "a/b/+").withholds(deny));
    }
}
