//! Denies of shared subscriptions, which are judged by their filter here.

use countersign_core::rule::Rule;

use crate::plan::desired::Outcome;
use crate::source::dynamic_security::Acl;

/// What stands behind `$share/` and a group, of a rule for SUBSCRIBE; empty where that is
/// not said.
pub(super) fn shared_filter(acl: &Acl) -> Option<&str> {
    let shared = acl.topic.strip_prefix("$share/");
    let filter = shared.map(|shared| shared.split_once('/').map_or("", |(_, filter)| filter));
    filter.filter(|_| acl.kind.is_subscribe())
}

/// The rule that a deny of shared subscriptions is here, and what becomes of it: the filter
/// is denied in its place. But one that begins with a wildcard would take everything.
pub(super) fn deny_shared(acl: &Acl) -> (Option<Rule>, Outcome) {
    let filter = shared_filter(acl).filter(|filter| !filter.starts_with(['+', '#']));
    let rule = filter.and_then(|filter| acl.kind.rule(filter, false).0);
    let why = match &rule {
        None => "a shared subscription is judged by its filter here: what this keeps from is \
                 allowed to whoever may subscribe to the filter"
            .to_owned(),
        Some(rule) => format!(
            "a shared subscription is judged by its filter here; `{}` is denied in its place",
            rule.pattern()
        ),
    };
    let fix = "leave the rule out, or deny the filter there as well";
    (rule, Outcome::lost(why, fix))
}
