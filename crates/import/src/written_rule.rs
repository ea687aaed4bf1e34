//! Rules as files of topics write them, and what files of users add.

pub(crate) use countersign_control::written_rule::{Substitution, rule};
use countersign_core::rule::{Action, Effect, Pattern, Rule};

use crate::plan::desired::{DesiredRule, Item};

/// A filter of what a rule is about for one user: its name in the place of
/// `${username}`, and any level in that of the client id.
pub(crate) fn reach_of(rule: &Rule, user: Option<&str>) -> String {
    let is_usable = |name: &&str| !name.is_empty() && !name.contains(['/', '+', '#']);
    let name = user.filter(is_usable).unwrap_or("+");
    let levels = rule.pattern().as_str().split('/');
    let levels: Vec<&str> = levels
        .map(|level| match level {
            "${username}" => name,
            "${client_id}" => "+",
            _ => level,
        })
        .collect();
    levels.join("/")
}

/// Tells that a rule does not reach the broker's own topics here, where a filter
/// that begins with a wildcard does there.
pub(crate) fn tell_reserved(item: &mut Item, rule: Option<&Rule>) {
    let opens_with_wildcard = |rule: &&Rule| rule.pattern().as_str().starts_with(['+', '#']);
    if rule
        .filter(opens_with_wildcard)
        .is_some_and(|rule| rule.effect() == Effect::Allow)
    {
        item.change("topics that begin with `$` are not among it here");
    }
}

/// Rules that allow everything that a tenant can be given.
pub(crate) fn everything() -> Vec<DesiredRule> {
    let allowed = [(Action::Both, "#"), (Action::Subscribe, "$SYS/#")];
    let rules = allowed.into_iter().filter_map(|(action, pattern)| {
        let pattern = Pattern::parse(pattern).ok()?;
        Some(DesiredRule {
            item: None,
            rule: Some(Rule::allow(action, pattern)),
        })
    });
    rules.collect()
}
