//! Topic owners: which tenant owns which topics, over all tenants.

use super::namespace::Namespaces;
use super::pattern::BoundPattern;
use super::table::{Relation, Table};
use crate::topic::{FilterRef, TopicFilter, TopicName};

/// The namespaces of all tenants of a broker.
///
/// Questions allocate nothing and hardly grow with the number of tenants.
#[derive(Clone, Debug)]
pub struct TopicOwners(Table<Box<str>>);

impl TopicOwners {
    /// Takes each tenant's id and what it owns.
    pub fn new<'a>(tenants: impl IntoIterator<Item = (&'a str, &'a Namespaces)>) -> Self {
        Self(Table::new(tenants.into_iter().flat_map(
            |(tenant, namespaces)| namespaces.iter().map(move |filter| entry(tenant, filter)),
        )))
    }

    /// Names the tenant that owns the topic, or every topic that the filter
    /// matches, if one does.
    #[must_use]
    pub fn owner_of<'a>(&self, filter: impl Into<FilterRef<'a>>) -> Option<&str> {
        self.find(Relation::Covers, filter.into(), |_| true)
    }

    /// Says whether a tenant other than `own` owns the topic.
    ///
    /// Without an `own` tenant, every owner is another one.
    #[must_use]
    pub fn is_foreign(&self, topic: TopicName<'_>, own: Option<&str>) -> bool {
        self.reaches_other(Relation::Covers, topic.into(), own)
    }

    /// Says whether the filter matches a topic that another tenant owns.
    #[must_use]
    pub fn reaches_foreign<'a>(&self, filter: impl Into<FilterRef<'a>>, own: Option<&str>) -> bool {
        self.reaches_other(Relation::Intersects, filter.into(), own)
    }

    /// What tenants other than `own` own of the topics that a filter matches.
    pub(super) fn foreign_parts(
        &self,
        filter: FilterRef<'_>,
        own: Option<&str>,
    ) -> Vec<BoundPattern> {
        let mut parts = Vec::new();
        let end = self.0.find(Relation::Intersects, filter, |place| {
            if Some(&*place.value) != own && place.meets(Relation::Intersects, filter) {
                parts.push(place.bound());
            }
            false
        });
        debug_assert!(end.is_none(), "every place was passed over");
        parts
    }

    fn reaches_other(&self, relation: Relation, filter: FilterRef<'_>, own: Option<&str>) -> bool {
        self.find(relation, filter, |tenant| Some(tenant) != own)
            .is_some()
    }

    fn find(
        &self,
        relation: Relation,
        filter: FilterRef<'_>,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Option<&str> {
        let place = self.0.find(relation, filter, |place| {
            is_wanted(&place.value) && place.meets(relation, filter)
        });
        place.map(|place| &*place.value)
    }
}

fn entry(tenant: &str, filter: &TopicFilter) -> (BoundPattern, Box<str>) {
    (BoundPattern::from(filter), tenant.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespaces(texts: &[&str]) -> Namespaces {
        Namespaces::new(texts.iter().map(|text| TopicFilter::parse(text).unwrap())).unwrap()
    }

    fn topic_owners() -> TopicOwners {
        let acme = namespaces(&["acme/#", "kp1/app1/#"]);
        let other = namespaces(&["other/#", "kp1/app2/#"]);
        TopicOwners::new([("acme", &acme), ("other", &other)])
    }

    fn topic(text: &str) -> TopicName<'_> {
        TopicName::parse(text).unwrap()
    }

    fn filter(text: &str) -> FilterRef<'_> {
        FilterRef::parse(text).unwrap()
    }

    #[test]
    fn without_tenants_nothing_is_owned() {
        let none = TopicOwners::new([]);
        assert_eq!(none.owner_of(topic("a")), None);
        assert!(!none.reaches_foreign(filter("#"), None));
    }

    #[test]
    fn a_topic_has_the_owner_whose_namespace_holds_it() {
        let topic_owners = topic_owners();
        assert_eq!(topic_owners.owner_of(topic("acme")), Some("acme"));
        assert_eq!(topic_owners.owner_of(topic("kp1/app2/x")), Some("other"));
        assert_eq!(topic_owners.owner_of(topic("kp1/app3/x")), None);
        assert_eq!(topic_owners.owner_of(topic("acmeother")), None);
        assert_eq!(topic_owners.owner_of(topic("$SYS/acme")), None);
    }

    #[test]
    fn a_filter_has_an_owner_if_one_tenant_owns_all_of_it() {
        let topic_owners = topic_owners();
        for (asked, owner) in [
            ("acme/#", Some("acme")),
            ("acme/+/x", Some("acme")),
            ("kp1/app2/+", Some("other")),
            ("kp1/+/x", None),
            ("kp1/#", None),
            ("+/x", None),
            ("#", None),
        ] {
            assert_eq!(topic_owners.owner_of(filter(asked)), owner, "{asked}");
        }
    }

    #[test]
    fn only_another_tenants_topics_are_foreign() {
        let topic_owners = topic_owners();
        assert!(topic_owners.is_foreign(topic("other/x"), Some("acme")));
        assert!(!topic_owners.is_foreign(topic("acme/x"), Some("acme")));
        assert!(!topic_owners.is_foreign(topic("nobody/x"), Some("acme")));
        assert!(topic_owners.is_foreign(topic("acme/x"), None));
    }

    #[test]
    fn a_filter_that_could_reach_across_the_wall_is_seen() {
        let topic_owners = topic_owners();
        for reaching in ["#", "+/x", "kp1/#", "kp1/+/x", "other", "kp1/app2/x"] {
            assert!(
                topic_owners.reaches_foreign(filter(reaching), Some("acme")),
                "{reaching}"
            );
        }
        for staying in ["acme/#", "kp1/app1/#", "kp1", "nobody/#", "$SYS/#"] {
            assert!(
                !topic_owners.reaches_foreign(filter(staying), Some("acme")),
                "{staying}"
            );
        }
    }
}
