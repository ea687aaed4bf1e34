//! Namespaces: the topics that one tenant owns.

use std::sync::Arc;

use crate::topic::{FilterRef, TopicFilter, TopicName};

/// The topic filters that one tenant owns; without any, it owns nothing.
///
/// Each begins with a literal level that is not a `$` level, or is `#`: the
/// rest, which is all that no other tenant owns. So no tenant owns `$SYS`.
/// What others own is not known here: ask [`TopicOwners`](super::TopicOwners).
/// Cloning is cheap.
///
/// # Examples
///
/// ```
/// use countersign_core::rule::Namespaces;
/// use countersign_core::topic::{TopicFilter, TopicName};
///
/// let acme = Namespaces::new([TopicFilter::parse("acme/#")?])?;
/// assert!(acme.owns_topic(TopicName::parse("acme/line1")?));
/// assert!(acme.owns_all_of(&TopicFilter::parse("acme/+/x")?));
/// assert!(acme.could_reach(&TopicFilter::parse("+/line1")?));
/// assert!(Namespaces::new([TopicFilter::parse("+/acme")?]).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Namespaces(Arc<[TopicFilter]>);

impl Namespaces {
    /// Takes the filters that a tenant owns.
    ///
    /// # Errors
    ///
    /// Returns [`NamespaceFilterError`] for a filter whose first level is a
    /// wildcard or begins with `$`, but not for `#`.
    pub fn new(
        filters: impl IntoIterator<Item = TopicFilter>,
    ) -> Result<Self, NamespaceFilterError> {
        filters
            .into_iter()
            .map(|filter| {
                if is_rest(&filter) {
                    Ok(filter)
                } else if filter.borrowed().opens_with_wildcard() {
                    Err(NamespaceFilterError::Wildcard(filter))
                } else if filter.borrowed().is_reserved() {
                    Err(NamespaceFilterError::Reserved(filter))
                } else {
                    Ok(filter)
                }
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Lists the filters in the order they were given.
    pub fn iter(&self) -> impl Iterator<Item = &TopicFilter> {
        self.0.iter()
    }

    /// Says whether the tenant owns the rest: `#`.
    #[must_use]
    pub fn hold_rest(&self) -> bool {
        self.0.iter().any(is_rest)
    }

    /// Lists the filters but `#`.
    pub fn named(&self) -> impl Iterator<Item = &TopicFilter> {
        self.0.iter().filter(|filter| !is_rest(filter))
    }

    /// Says whether the tenant owns this topic, unless another one does.
    #[must_use]
    pub fn owns_topic(&self, topic: TopicName<'_>) -> bool {
        self.0.iter().any(|namespace| namespace.matches(topic))
    }

    /// Says whether one namespace holds every topic that the filter matches.
    ///
    /// A filter that only several namespaces hold together is not owned.
    #[must_use]
    pub fn owns_all_of<'a>(&self, filter: impl Into<FilterRef<'a>>) -> bool {
        let filter = filter.into();
        self.0.iter().any(|namespace| namespace.covers(filter))
    }

    /// Says whether the filter matches some topic that the tenant owns.
    #[must_use]
    pub fn could_reach<'a>(&self, filter: impl Into<FilterRef<'a>>) -> bool {
        self.reached(filter.into()).next().is_some()
    }

    /// Finds a pair, ours first, that has a topic in common. `#` has none in
    /// common with others but another `#`: it gives way to them.
    #[must_use]
    pub fn overlap<'a>(&'a self, other: &'a Self) -> Option<(&'a TopicFilter, &'a TopicFilter)> {
        other.iter().find_map(|theirs| {
            let mut reached = self.reached(theirs.borrowed());
            Some((
                reached.find(|ours| is_rest(ours) == is_rest(theirs))?,
                theirs,
            ))
        })
    }

    /// The namespaces that have a topic in common with the filter.
    fn reached(&self, filter: FilterRef<'_>) -> impl Iterator<Item = &TopicFilter> {
        let namespaces = self.0.iter();
        namespaces.filter(move |namespace| namespace.intersects(filter))
    }
}

/// Why no tenant can own the topics of a filter.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NamespaceFilterError {
    /// The first level begins with `$`.
    #[error("`{0}` begins with `$`; such topics belong to the broker")]
    Reserved(TopicFilter),
    /// The first level is `+` or `#`, and it is not `#` alone.
    #[error(
        "`{0}` begins with a wildcard; a namespace begins with a literal level, or is `#`: all that \
         no other tenant owns"
    )]
    Wildcard(TopicFilter),
}

/// Says whether a namespace is `#`.
pub(super) fn is_rest(namespace: &TopicFilter) -> bool {
    namespace.as_str() == "#"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(text: &str) -> TopicFilter {
        TopicFilter::parse(text).unwrap()
    }

    fn namespaces(texts: &[&str]) -> Namespaces {
        Namespaces::new(texts.iter().map(|text| filter(text))).unwrap()
    }

    #[test]
    fn without_namespaces_nothing_is_owned() {
        let none = Namespaces::default();
        assert!(!none.owns_topic(TopicName::parse("a").unwrap()));
        assert!(!none.owns_all_of(&filter("a")));
        assert!(!none.could_reach(&filter("#")));
    }

    #[test]
    fn a_namespace_begins_with_a_literal_level() {
        for text in ["+", "+/a", "+/#"] {
            assert_eq!(
                Namespaces::new([filter(text)]),
                Err(NamespaceFilterError::Wildcard(filter(text)))
            );
        }
        for text in ["$SYS/#", "$CONTROL", "$x/a"] {
            assert_eq!(
                Namespaces::new([filter(text)]),
                Err(NamespaceFilterError::Reserved(filter(text)))
            );
        }
    }

    #[test]
    fn the_rest_holds_all_but_what_belongs_to_the_broker() {
        let all = namespaces(&["#"]);
        assert!(all.hold_rest() && !namespaces(&["a/#"]).hold_rest());
        assert!(all.owns_all_of(&filter("+/#")));
        assert!(all.owns_topic(TopicName::parse("a/b").unwrap()));
        assert!(!all.owns_topic(TopicName::parse("$SYS/x").unwrap()));
        assert!(!all.could_reach(&filter("$CONTROL/#")));
    }

    #[test]
    fn the_rest_overlaps_only_another_rest() {
        let all = namespaces(&["#", "home/#"]);
        assert_eq!(all.overlap(&namespaces(&["a/#", "b"])), None);
        assert_eq!(namespaces(&["a/#"]).overlap(&all), None);
        assert_eq!(
            all.overlap(&namespaces(&["a", "#"])),
            Some((&filter("#"), &filter("#")))
        );
        let home = namespaces(&["home/x"]);
        assert_eq!(
            all.overlap(&home),
            Some((&filter("home/#"), &filter("home/x")))
        );
    }

    #[test]
    fn one_namespace_must_hold_all_of_a_filter() {
        let acme = namespaces(&["kp1/app1/#", "kp1/app2/#"]);
        assert!(acme.owns_all_of(&filter("kp1/app2/+/x")));
        assert!(!acme.owns_all_of(&filter("kp1/+/x")));
        assert!(acme.could_reach(&filter("kp1/+/x")));
        assert!(!acme.could_reach(&filter("kp1/app3/#")));
        assert!(acme.owns_topic(TopicName::parse("kp1/app1").unwrap()));
        assert!(!acme.owns_topic(TopicName::parse("kp1").unwrap()));
    }

    #[test]
    fn an_overlap_names_both_filters() {
        let acme = namespaces(&["a/#", "b/#"]);
        let other = namespaces(&["c/#", "b/x/+"]);
        assert_eq!(
            acme.overlap(&other),
            Some((&filter("b/#"), &filter("b/x/+")))
        );
        assert_eq!(acme.overlap(&namespaces(&["ab/#"])), None);
    }
}
