//! Topic owners: which tenant owns which topics, over all tenants.

use std::collections::BTreeSet;

use super::namespace::Namespaces;
use super::pattern::BoundPattern;
use super::table::{Relation, Table};
use crate::name::TenantId;
use crate::topic::{FilterRef, TopicFilter, TopicName};

/// The namespaces of all tenants of a broker.
///
/// One tenant may own the rest, `#`: what no other tenant owns, less what
/// schemes of others reach by their default rules. Questions allocate nothing
/// and hardly grow with the number of tenants.
#[derive(Clone, Debug)]
pub struct TopicOwners {
    /// All namespaces but `#`, each with its tenant.
    named: Holders,
    rest: Option<Rest>,
}

/// What no namespace but `#` holds.
#[derive(Clone, Debug)]
struct Rest {
    /// None where it is not known what is left to it: then it is nobody's.
    owner: Option<Box<str>>,
    /// What schemes reach by their default rules, each with a tenant that uses
    /// the scheme.
    reached: Holders,
}

/// Filters, each with the tenant that it is of.
type Holders = Table<Box<str>>;

impl TopicOwners {
    /// Takes each tenant's id and what it owns, and each tenant's id with what
    /// its schemes reach, which counts where a tenant owns `#`.
    pub fn new<'a>(
        tenants: impl IntoIterator<Item = (&'a str, &'a Namespaces)>,
        reached: impl IntoIterator<Item = (&'a str, TopicFilter)>,
    ) -> Self {
        let mut named = Vec::new();
        let mut rest: Option<Option<&str>> = None;
        for (tenant, namespaces) in tenants {
            named.extend(namespaces.named().map(|filter| entry(tenant, filter)));
            if namespaces.hold_rest() {
                // Where two own it, which no command allows, neither does.
                rest = Some(rest.is_none().then_some(tenant));
            }
        }
        let reached = reached.into_iter();
        Self {
            named: Table::new(named),
            rest: rest.map(|owner| Rest {
                owner: owner.map(Into::into),
                reached: Table::new(reached.map(|(tenant, filter)| entry(tenant, &filter))),
            }),
        }
    }

    /// The same where not all is known that others take from the rest, so that
    /// nobody owns it.
    #[must_use]
    pub fn without_owner_of_rest(mut self) -> Self {
        if let Some(rest) = &mut self.rest {
            rest.owner = None;
        }
        self
    }

    /// Names the tenant that owns the topic, or every topic that the filter
    /// matches, if one does.
    #[must_use]
    pub fn owner_of<'a>(&self, filter: impl Into<FilterRef<'a>>) -> Option<&str> {
        let filter = filter.into();
        if let Some(owner) = find(&self.named, Relation::Covers, filter, |_| true) {
            return Some(owner);
        }
        let rest = self.rest.as_ref()?;
        let owner = rest.owner.as_deref()?;
        let is_taken = |holders| {
            let other = |tenant: &str| tenant != owner;
            find(holders, Relation::Intersects, filter, other).is_some()
        };
        let is_rest = !filter.is_reserved() && !is_taken(&self.named) && !is_taken(&rest.reached);
        is_rest.then_some(owner)
    }

    /// Says whether a tenant other than `own` owns the topic.
    ///
    /// Without an `own` tenant, every owner is another one. What schemes reach
    /// of the rest is foreign to tenants that don't use them.
    #[must_use]
    pub fn is_foreign(&self, topic: TopicName<'_>, own: Option<&str>) -> bool {
        self.reaches_other(Relation::Covers, topic.into(), own)
    }

    /// Says whether the filter matches a topic that another tenant owns.
    #[must_use]
    pub fn reaches_foreign<'a>(&self, filter: impl Into<FilterRef<'a>>, own: Option<&str>) -> bool {
        self.reaches_other(Relation::Intersects, filter.into(), own)
    }

    /// Says whether all that the filter matches is another tenant's, as far as
    /// one namespace or the rest holds it.
    #[must_use]
    pub fn is_all_foreign<'a>(&self, filter: impl Into<FilterRef<'a>>, own: Option<&str>) -> bool {
        let filter = filter.into();
        let is_of_other = |tenant: &str| Some(tenant) != own;
        if find(&self.named, Relation::Covers, filter, is_of_other).is_some() {
            return true;
        }
        let Some(rest) = &self.rest else {
            return false;
        };
        if filter.is_reserved() || self.meets_own(rest, Relation::Intersects, filter, own) {
            return false;
        }
        !rest.is_of(own) || find(&rest.reached, Relation::Covers, filter, is_of_other).is_some()
    }

    /// Names another tenant of which the filter reaches a topic, if
    /// [`reaches_foreign`](Self::reaches_foreign) says so: who owns a namespace
    /// before who owns the rest. None where it is not known which one.
    #[must_use]
    pub fn other_reached<'a>(
        &self,
        filter: impl Into<FilterRef<'a>>,
        own: Option<&str>,
    ) -> Option<&str> {
        let filter = filter.into();
        let is_of_other = |tenant: &str| Some(tenant) != own;
        let rest = self.rest.as_ref();
        find(&self.named, Relation::Intersects, filter, is_of_other)
            .or_else(|| find(&rest?.reached, Relation::Intersects, filter, is_of_other))
            .or_else(|| rest?.owner.as_deref())
            .filter(|_| self.reaches_foreign(filter, own))
    }

    /// Says whether `own` owns the rest and the filter stands in `relation` to
    /// what schemes of others reach of it.
    pub(super) fn are_taken_from(
        &self,
        own: Option<&str>,
        relation: Relation,
        filter: FilterRef<'_>,
    ) -> bool {
        self.rest.as_ref().is_some_and(|rest| {
            let is_of_other = |tenant: &str| Some(tenant) != own;
            rest.is_of(own) && find(&rest.reached, relation, filter, is_of_other).is_some()
        })
    }

    /// What schemes of tenants other than `own` reach of the rest, where `own` owns
    /// that. Of its own rules, default rules of a scheme alone reach it.
    #[must_use]
    pub fn taken_from_rest(&self, own: &TenantId) -> BTreeSet<TopicFilter> {
        let mut taken = BTreeSet::new();
        if let Some(rest) = self.rest.as_ref().filter(|it| it.is_of(Some(own.as_str()))) {
            rest.reached.for_each(&mut |place| {
                if *place.value != *own.as_str() {
                    taken.extend(TopicFilter::parse(&place.bound().text));
                }
            });
        }
        taken
    }

    /// What tenants other than `own` own of the topics that a filter matches,
    /// apart from the rest, of which `own` has no part.
    pub(super) fn foreign_parts(
        &self,
        filter: FilterRef<'_>,
        own: Option<&str>,
    ) -> Vec<BoundPattern> {
        let mut parts = others(&self.named, filter, own);
        if let Some(rest) = &self.rest {
            // Of what a scheme of its own reaches as well, a part is its own.
            let is_own = |tenant: &str| Some(tenant) == own;
            let is_shared = find(&rest.reached, Relation::Intersects, filter, is_own).is_some();
            if rest.is_of(own) && !is_shared {
                parts.extend(others(&rest.reached, filter, own));
            }
        }
        parts
    }

    fn reaches_other(&self, relation: Relation, filter: FilterRef<'_>, own: Option<&str>) -> bool {
        let is_of_other = |tenant: &str| Some(tenant) != own;
        if find(&self.named, relation, filter, is_of_other).is_some() {
            return true;
        }
        let Some(rest) = &self.rest else {
            return false;
        };
        if filter.is_reserved() || self.meets_own(rest, Relation::Covers, filter, own) {
            return false;
        }
        !rest.is_of(own) || find(&rest.reached, relation, filter, is_of_other).is_some()
    }

    /// Says whether a namespace of `own`, or what its schemes reach, stands in
    /// `relation` to the filter; `#` aside.
    fn meets_own(
        &self,
        rest: &Rest,
        relation: Relation,
        filter: FilterRef<'_>,
        own: Option<&str>,
    ) -> bool {
        let is_own = |tenant: &str| Some(tenant) == own;
        [&self.named, &rest.reached]
            .into_iter()
            .any(|holders| find(holders, relation, filter, is_own).is_some())
    }
}

impl Rest {
    /// Says whether this tenant owns it.
    fn is_of(&self, tenant: Option<&str>) -> bool {
        tenant.is_some() && self.owner.as_deref() == tenant
    }
}

/// Names the first tenant that is wanted and has a filter in this relation.
fn find<'h>(
    holders: &'h Holders,
    relation: Relation,
    filter: FilterRef<'_>,
    is_wanted: impl Fn(&str) -> bool,
) -> Option<&'h str> {
    let place = holders.find(relation, filter, |place| {
        is_wanted(&place.value) && place.meets(relation, filter)
    });
    place.map(|place| &*place.value)
}

/// The filters of tenants other than `own` that have a topic in common with
/// this one.
fn others(holders: &Holders, filter: FilterRef<'_>, own: Option<&str>) -> Vec<BoundPattern> {
    let mut parts = Vec::new();
    let end = holders.find(Relation::Intersects, filter, |place| {
        if Some(&*place.value) != own && place.meets(Relation::Intersects, filter) {
            parts.push(place.bound());
        }
        false
    });
    debug_assert!(end.is_none(), "every place was passed over");
    parts
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
        TopicOwners::new([("acme", &acme), ("other", &other)], [])
    }

    fn topic(text: &str) -> TopicName<'_> {
        TopicName::parse(text).unwrap()
    }

    fn filter(text: &str) -> FilterRef<'_> {
        FilterRef::parse(text).unwrap()
    }

    #[test]
    fn without_tenants_nothing_is_owned() {
        let none = TopicOwners::new([], []);
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
