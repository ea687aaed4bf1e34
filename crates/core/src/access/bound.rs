//! Rules as a session has them, written out: for programs that know neither
//! variables nor owners of topics.

use super::grants::Grants;
use crate::rule::{Effect, MOST_PATTERNS_BY_GROUPS, Rule, RuleSource, Variable, Variables};
use crate::tenant::Tenant;
use crate::topic::TopicFilter;

/// A rule of one session, with its variables filled in.
#[derive(Clone, Debug)]
pub struct BoundRule {
    /// Where it comes from.
    pub source: RuleSource,
    /// The rule as it is written.
    pub rule: Rule,
    /// The topics that it gives or takes. An allow that does not reach topics
    /// without an owner is cut to what the tenant owns; none is a rule that
    /// matches nothing.
    pub filters: Vec<TopicFilter>,
    /// Whether the first level of its filters stands for `$` levels, too.
    pub takes_reserved: bool,
}

impl BoundRule {
    /// Whether what it matches depends on the session's client id.
    #[must_use]
    pub fn follows_client_id(&self) -> bool {
        let mut variables = self.rule.pattern().variables();
        variables.any(|variable| variable == Variable::ClientId)
    }

    /// Whether it is the same for all that hold it.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        self.rule.pattern().variables().next().is_none()
    }
}

pub(super) fn bound_rules(
    grants: &Grants,
    variables: &impl Variables,
    tenant: Option<&Tenant>,
) -> Vec<BoundRule> {
    let mut room = MOST_PATTERNS_BY_GROUPS;
    let bound = grants.iter().map(|(source, rule)| {
        let patterns = rule.pattern().bind(rule.effect(), variables, &mut room);
        let takes_reserved = patterns.iter().any(|pattern| pattern.opens_with_any);
        let filters = patterns
            .iter()
            // What is too long for a filter matches nothing.
            .filter_map(|pattern| TopicFilter::parse(&pattern.text).ok());
        let confined = tenant.filter(|tenant| is_confined(source, rule, tenant));
        let filters = match confined {
            Some(tenant) => filters
                .flat_map(|filter| owned_part(&filter, rule, tenant))
                .collect(),
            None => filters.collect(),
        };
        BoundRule {
            source: source.clone(),
            rule: rule.clone(),
            filters,
            takes_reserved,
        }
    });
    bound.collect()
}

/// Says whether a rule gives nothing but what the tenant owns.
fn is_confined(source: &RuleSource, rule: &Rule, tenant: &Tenant) -> bool {
    let gives = match rule.effect() {
        Effect::Allow => true,
        Effect::Deny => false,
    };
    gives && !source.reaches_unowned_topics() && !(tenant.sys_read && rule.reads_sys())
}

/// What of a filter the tenant owns. Of a literal rule's it is all or nothing: it
/// grants the SUBSCRIBE of that very filter.
fn owned_part(filter: &TopicFilter, rule: &Rule, tenant: &Tenant) -> Vec<TopicFilter> {
    if tenant.namespaces.owns_all_of(filter) {
        return vec![filter.clone()];
    }
    if rule.is_literal() {
        return Vec::new();
    }
    let namespaces = tenant.namespaces.iter();
    namespaces
        .filter_map(|namespace| filter.common(namespace))
        .collect()
}
