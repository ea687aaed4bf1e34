//! Topics of things: those that a session is limited to, and those of its
//! children.

use crate::kind::{THING_ATTRIBUTE, THING_TOPICS};
use crate::name::LoginName;
use crate::rule::{Action, Namespaces, Pattern, Rule};
use crate::topic::{FilterRef, TopicFilter, TopicName};

/// The things whose topics, `thing/KEY/#`, a session is limited to. What lies
/// outside `thing/` it does not touch.
#[derive(Clone, Debug)]
pub(super) struct ThingLimit(Box<[TopicFilter]>);

impl ThingLimit {
    /// A limit to these things; none where there is no limit.
    pub(super) fn new(things: &[LoginName]) -> Option<Self> {
        let filters = things.iter().filter_map(filter_of).collect();
        (!things.is_empty()).then_some(Self(filters))
    }

    pub(super) fn admits_topic(&self, topic: TopicName<'_>) -> bool {
        let is_of_thing = topic.as_str().split('/').next() == Some(first_level());
        !is_of_thing || self.0.iter().any(|filter| filter.matches(topic))
    }

    /// Says whether all that a filter matches lies within the limit.
    pub(super) fn admits_filter(&self, filter: FilterRef<'_>) -> bool {
        let reaches_things = match filter.as_str().split('/').next() {
            Some(first) => [first_level(), "+", "#"].contains(&first),
            None => true,
        };
        !reaches_things || self.0.iter().any(|own| own.covers(filter))
    }
}

/// What a tenant owns, and the topics of these things as well, which are
/// nobody else's.
pub(super) fn with_things(namespaces: &Namespaces, things: &[LoginName]) -> Namespaces {
    let filters = namespaces
        .iter()
        .cloned()
        .chain(things.iter().filter_map(filter_of));
    Namespaces::new(filters).unwrap_or_else(|_| namespaces.clone())
}

/// The rule of a thing that is bound to another's session; none for a key that
/// is no level of a topic.
pub(crate) fn child_rule(key: &LoginName) -> Option<Rule> {
    let pattern = Pattern::parse(filter_of(key)?.as_str()).ok()?;
    Some(Rule::allow(Action::Both, pattern))
}

/// `thing/KEY/#`. A key that is no single literal level has none.
fn filter_of(key: &LoginName) -> Option<TopicFilter> {
    let is_level = !key.as_str().contains(['/', '+', '#', '$', '{']);
    let filter = is_level.then(|| THING_TOPICS.replace(THING_ATTRIBUTE, key.as_str()))?;
    TopicFilter::parse(&filter).ok()
}

/// What the topics of all things begin with.
fn first_level() -> &'static str {
    THING_TOPICS.split('/').next().unwrap_or(THING_TOPICS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(keys: &[&str]) -> ThingLimit {
        let keys: Vec<_> = keys
            .iter()
            .map(|key| LoginName::parse(key).unwrap())
            .collect();
        ThingLimit::new(&keys).unwrap()
    }

    #[test]
    fn a_limit_admits_its_things_and_what_is_no_things() {
        let limit = limit(&["t1"]);
        for (topic, is_in) in [
            ("thing/t1/x", true),
            ("thing/t1", true),
            ("thing/t2/x", false),
            ("thing/t10/x", false),
            ("thing", false),
            ("things/t2", true),
            ("acme/x", true),
        ] {
            let topic = TopicName::parse(topic).unwrap();
            assert_eq!(limit.admits_topic(topic), is_in, "{topic}");
        }
        for (filter, is_in) in [
            ("thing/t1/#", true),
            ("thing/t1/+/x", true),
            ("thing/+/x", false),
            ("thing/#", false),
            ("+/t1/x", false),
            ("#", false),
            ("acme/#", true),
        ] {
            let parsed = FilterRef::parse(filter).unwrap();
            assert_eq!(limit.admits_filter(parsed), is_in, "{filter}");
        }
    }

    #[test]
    fn no_things_are_no_limit_and_an_odd_key_grants_nothing() {
        assert!(ThingLimit::new(&[]).is_none());
        let odd = LoginName::parse("a/+").unwrap();
        assert!(child_rule(&odd).is_none());
        let limit = ThingLimit::new(core::slice::from_ref(&odd)).unwrap();
        assert!(!limit.admits_topic(TopicName::parse("thing/a/x").unwrap()));
    }
}
