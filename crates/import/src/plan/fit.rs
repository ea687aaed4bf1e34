//! What a tenant can hold of a rule: nothing of the broker's own topics but what
//! it may read, and nothing outside of what it owns.

use std::collections::HashSet;

use countersign_admin::rule::MOST_RULES;
use countersign_core::name::TenantId;
use countersign_core::rule::{Action, Effect, Pattern, Rule};
use countersign_core::topic::TopicFilter;

use super::desired::{DesiredRule, Outcome, rules_of};

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

/// Leaves of the rules of a role or a credential as many as one can have. What takes
/// away stays, or all is taken away.
pub(super) fn keep_as_many_as_fit(rules: &mut [DesiredRule]) {
    if rules.len() <= MOST_RULES {
        return;
    }
    let is_deny = |rule: &Rule| rule.effect() == Effect::Deny;
    let mut kept: HashSet<Rule> = rules_of(rules).into_iter().filter(is_deny).collect();
    if kept.len() >= MOST_RULES {
        deny_everything(rules);
        return;
    }
    for desired in rules {
        let Some(rule) = &desired.rule else {
            continue;
        };
        if kept.len() < MOST_RULES || kept.contains(rule) {
            kept.insert(rule.clone());
        } else {
            desired.rule = None;
            lose(desired);
        }
    }
}

/// Makes of all rules one that takes everything away.
fn deny_everything(rules: &mut [DesiredRule]) {
    let rule = |action, text| Some(Rule::deny(action, Pattern::parse(text).ok()?));
    let mut denied = rules.iter().filter_map(|desired| desired.rule.as_ref());
    let reserved = denied.any(|rule| rule.pattern().is_reserved());
    let reserved = reserved
        .then(|| rule(Action::Subscribe, "$SYS/#"))
        .flatten();
    let mut everything = rule(Action::Both, "#").into_iter().chain(reserved);
    for desired in rules {
        match desired.rule.take().map(|rule| rule.effect()) {
            Some(Effect::Allow) => lose(desired),
            Some(Effect::Deny) => {
                desired.rule = everything.next();
                if let Some(item) = &mut desired.item {
                    item.change("there are more such rules than fit, so everything is denied");
                }
            }
            None => {}
        }
    }
}

fn lose(desired: &mut DesiredRule) {
    if let Some(item) = &mut desired.item {
        let why = format!("a role or a credential has at most {MOST_RULES} rules here");
        item.lose(&why, "say it with fewer filters, or by several roles");
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

    #[test]
    fn of_more_rules_than_fit_those_that_take_away_stay() {
        let place = SourceName::of(Path::new("acl"));
        let pattern = |number: usize| Pattern::parse(&format!("home/{number}")).unwrap();
        let fit = |denies: usize, all: usize| {
            let rules = (0..all).map(|number| {
                let effect = if number + denies < all {
                    Rule::allow
                } else {
                    Rule::deny
                };
                let item = Item::kept(place.line(number), "x");
                let rule = Some(effect(Action::Both, pattern(number)));
                DesiredRule {
                    item: Some(item),
                    rule,
                }
            });
            let mut rules: Vec<_> = rules.collect();
            keep_as_many_as_fit(&mut rules);
            let kept = rules_of(&rules);
            let denies = kept.iter().filter(|rule| rule.effect() == Effect::Deny);
            let items = rules.iter().filter_map(|it| it.item.as_ref());
            let lost = items.filter(|item| is_lost(&item.outcome)).count();
            (kept.len(), denies.count(), lost)
        };
        assert_eq!(fit(10, MOST_RULES), (MOST_RULES, 10, 0));
        assert_eq!(fit(10, MOST_RULES + 7), (MOST_RULES, 10, 7));
        assert_eq!(
            fit(MOST_RULES - 1, MOST_RULES + 2),
            (MOST_RULES, MOST_RULES - 1, 2)
        );
        assert_eq!(fit(MOST_RULES, MOST_RULES + 5), (1, 1, 5));
    }
}
