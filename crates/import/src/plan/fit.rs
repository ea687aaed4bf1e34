//! What a tenant can hold of a rule: nothing of the broker's own topics but what
//! it may read, and nothing outside of what it owns.

use countersign_core::name::TenantId;
use countersign_core::rule::{Action, Effect, Rule};
use countersign_core::topic::TopicFilter;

use super::desired::{DesiredRule, Outcome};

/// What of a tenant decides which rules it can hold.
pub(crate) struct Ground<'a> {
    /// The tenant.
    pub(crate) tenant: &'a TenantId,
    /// The topics that it owns.
    pub(crate) namespaces: &'a [TopicFilter],
    /// What other tenants own of them, if it owns `#`.
    pub(crate) others: &'a [TopicFilter],
    /// Whether its rules may name `$SYS`, to subscribe.
    pub(crate) sys_read: bool,
}

impl Ground<'_> {
    /// Leaves of a rule what the tenant can hold.
    pub(crate) fn fit(&self, desired: &mut DesiredRule) {
        let Some(rule) = desired.rule.take() else {
            return;
        };
        let (rule, outcome) = self.part_of(rule);
        desired.rule = rule;
        if let Some(item) = &mut desired.item {
            item.tell(outcome);
        }
    }

    fn part_of(&self, rule: Rule) -> (Option<Rule>, Outcome) {
        if rule.pattern().is_reserved() {
            return self.part_of_reserved(&rule);
        }
        if rule.effect() == Effect::Deny {
            return (Some(rule), Outcome::Kept);
        }
        let widest = rule.pattern().widest();
        let tenant = self.tenant;
        let is_owned = self.namespaces.iter().any(|owned| owned.covers(&widest));
        if is_owned && !self.others.iter().any(|other| other.intersects(&widest)) {
            return (Some(rule), Outcome::Kept);
        }
        if self.others.iter().any(|other| other.covers(&widest)) {
            let why = "another tenant owns these topics";
            return (None, Outcome::lost(why, "leave the line out"));
        }
        if is_owned
            || self
                .namespaces
                .iter()
                .any(|owned| owned.intersects(&widest))
        {
            let how = format!("it reaches only what tenant `{tenant}` owns");
            (Some(rule), Outcome::Changed(how.into()))
        } else {
            let why = format!("it reaches nothing that tenant `{tenant}` owns");
            let fix = "let the tenant own these topics (`tenant set --add-namespace`), or leave the line out";
            (None, Outcome::lost(why, fix))
        }
    }

    fn part_of_reserved(&self, rule: &Rule) -> (Option<Rule>, Outcome) {
        let reading = match rule.action() {
            Action::Publish => None,
            Action::Both | Action::Subscribe => {
                let reading = match rule.effect() {
                    Effect::Allow => Rule::allow(Action::Subscribe, rule.pattern().clone()),
                    Effect::Deny => Rule::deny(Action::Subscribe, rule.pattern().clone()),
                };
                Some(reading).filter(Rule::reads_sys)
            }
        };
        if rule.effect() == Effect::Deny {
            // What the tenant can't be given need not be taken away.
            return (reading.filter(|_| self.sys_read), Outcome::Kept);
        }
        match (reading, rule.action()) {
            (Some(reading), Action::Subscribe) if self.sys_read => (Some(reading), Outcome::Kept),
            (Some(reading), Action::Both | Action::Publish) if self.sys_read => {
                let why = "publishing to `$SYS` is for operators; to subscribe is taken over";
                (Some(reading), Outcome::lost(why, OPERATORS))
            }
            (Some(_), _) => {
                let why = format!("tenant `{}` may not read `$SYS`", self.tenant);
                let fix = "`tenant set --sys-read true` lets it, then import again";
                (None, Outcome::lost(why, fix))
            }
            (None, _) => {
                let why = "such topics of the broker itself are for operators, not for tenants";
                (None, Outcome::lost(why, OPERATORS))
            }
        }
    }
}

const OPERATORS: &str = "make the user an operator with --operators, or leave the line out";

#[cfg(test)]
mod tests {
    use countersign_core::rule::Pattern;
    use std::path::Path;

    use super::super::desired::Item;
    use super::*;
    use crate::place::SourceName;

    fn outcome(namespace: &str, sys_read: bool, rule: Rule) -> (Option<String>, Outcome) {
        let tenant = TenantId::parse("home").unwrap();
        let ground = Ground {
            tenant: &tenant,
            namespaces: &[TopicFilter::parse(namespace).unwrap()],
            others: &[TopicFilter::parse("taken/#").unwrap()],
            sys_read,
        };
        let place = SourceName::of(Path::new("acl")).line(1);
        let mut desired = DesiredRule {
            item: Some(Item::kept(place, "x")),
            rule: Some(rule),
        };
        ground.fit(&mut desired);
        let left = desired.rule.map(|rule| rule.to_string());
        (left, desired.item.unwrap().outcome)
    }

    fn allow(action: Action, pattern: &str) -> Rule {
        Rule::allow(action, Pattern::parse(pattern).unwrap())
    }

    fn is_lost(outcome: &Outcome) -> bool {
        matches!(outcome, Outcome::Lost(_))
    }

    #[test]
    fn of_an_allow_what_the_tenant_owns_is_left_and_a_deny_is_left_whole() {
        let (left, told) = outcome("home/#", false, allow(Action::Both, "home/${username}/#"));
        assert_eq!((left.is_some(), told), (true, Outcome::Kept));
        let (left, told) = outcome("home/#", false, allow(Action::Both, "#"));
        assert!(left.is_some() && matches!(told, Outcome::Changed(_)));
        let (left, told) = outcome("home/#", false, allow(Action::Both, "away/#"));
        assert!(left.is_none() && is_lost(&told));
        let deny = Rule::deny(Action::Both, Pattern::parse("away/#").unwrap());
        let (left, told) = outcome("home/#", false, deny);
        assert_eq!((left.is_some(), told), (true, Outcome::Kept));
    }

    #[test]
    fn what_owns_the_rest_does_not_reach_what_others_own() {
        let (left, told) = outcome("#", false, allow(Action::Both, "taken/x"));
        assert!(left.is_none() && is_lost(&told));
        let (left, told) = outcome("#", false, allow(Action::Both, "#"));
        assert!(left.is_some() && matches!(told, Outcome::Changed(_)));
        let (_, told) = outcome("#", false, allow(Action::Both, "free/x"));
        assert_eq!(told, Outcome::Kept);
    }

    #[test]
    fn of_the_brokers_own_topics_a_tenant_reads_sys_at_most() {
        let sys = "$SYS/#";
        for (action, pattern, sys_read, left, lost) in [
            (Action::Subscribe, sys, true, true, false),
            (Action::Subscribe, sys, false, false, true),
            (Action::Both, sys, true, true, true),
            (Action::Publish, sys, true, false, true),
            (Action::Subscribe, "$CONTROL/#", true, false, true),
        ] {
            let (rule, told) = outcome("home/#", sys_read, allow(action, pattern));
            assert_eq!(
                (rule.is_some(), is_lost(&told)),
                (left, lost),
                "{action} {pattern}"
            );
        }
        let deny = |pattern| Rule::deny(Action::Both, Pattern::parse(pattern).unwrap());
        assert_eq!(
            outcome("home/#", true, deny(sys)),
            (Some("deny subscribe $SYS/#".into()), Outcome::Kept)
        );
        assert_eq!(outcome("home/#", false, deny(sys)), (None, Outcome::Kept));
        assert_eq!(
            outcome("home/#", true, deny("$CONTROL/#")),
            (None, Outcome::Kept)
        );
    }
}
