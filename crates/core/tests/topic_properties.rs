//! Compares topics and filters with a naive, separately written reading.
//!
//! # Why the small universe is enough
//!
//! Whether a filter matches a topic depends, level by level, on three things
//! alone: whether the level equals one of the filter's literals, whether it is
//! the first and begins with `$`, and whether it is there at all. So for two
//! filters over the literals `""`, `a` and `$x`, each level of a topic can be
//! exchanged for one of `""`, `a`, `$x`, a fresh ordinary level `z` and a
//! fresh `$` level `$z` without changing what either filter says. A topic
//! with more levels than a filter names falls under it through a final `#` or
//! not at all, so it can be cut to one level more than both filters name before
//! their `#`, which is four levels here. Hence the topics of [`universe`] hold a
//! witness for every pair of these filters that has one, and subset and
//! intersection over that universe are subset and intersection over all topics.

use countersign_core::topic::{FilterRef, Subscription, TopicFilter, TopicName};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

#[test]
fn every_small_pair_of_filters_relates_as_its_sets_of_topics_do() {
    let universe = universe();
    let filters: Vec<_> = filters()
        .into_iter()
        .map(|text| {
            let parsed = TopicFilter::parse(&text).unwrap();
            let set: Vec<bool> = universe
                .iter()
                .map(|topic| naively_matches(&text, topic))
                .collect();
            (parsed, set)
        })
        .collect();
    for (filter, set) in &filters {
        for (topic, expected) in universe.iter().zip(set) {
            let name = TopicName::parse(topic).unwrap();
            assert_eq!(filter.matches(name), *expected, "{filter} on {topic}");
        }
        for (other, other_set) in &filters {
            let is_superset = set.iter().zip(other_set).all(|(own, other)| *own || !other);
            let has_common = set.iter().zip(other_set).any(|(own, other)| *own && *other);
            assert_eq!(filter.covers(other), is_superset, "{filter} over {other}");
            assert_eq!(
                filter.intersects(other),
                has_common,
                "{filter} beside {other}"
            );
            let common = filter.common(other);
            assert_eq!(common.is_some(), has_common, "{filter} and {other}");
            if let Some(common) = common {
                for (topic, expected) in universe.iter().zip(set.iter().zip(other_set)) {
                    let name = TopicName::parse(topic).unwrap();
                    let expected = *expected.0 && *expected.1;
                    assert_eq!(common.matches(name), expected, "{common} on {topic}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn matching_agrees_with_the_recursive_reading(
        filter in "([ab]{0,2}|\\+|\\$[ab])(/([ab]{0,2}|\\+)){0,5}(/#)?",
        topic in "\\$?[ab]{0,2}(/[ab]{0,2}){0,6}",
    ) {
        prop_assume!(!filter.is_empty() && !topic.is_empty());
        let parsed = FilterRef::parse(&filter).unwrap();
        let name = TopicName::parse(&topic).unwrap();
        prop_assert_eq!(parsed.matches(name), naively_matches(&filter, &topic));
        prop_assert_eq!(parsed.covers(name), naively_matches(&filter, &topic));
        prop_assert_eq!(parsed.intersects(name), naively_matches(&filter, &topic));
    }

    #[test]
    fn what_is_covered_is_matched_and_intersected(
        one in "([a-c]|\\+)(/([a-c]|\\+)){0,4}(/#)?",
        other in "([a-c]|\\+)(/([a-c]|\\+)){0,4}(/#)?",
        topic in "[a-c](/[a-c]){0,5}",
    ) {
        let one = FilterRef::parse(&one).unwrap();
        let other = FilterRef::parse(&other).unwrap();
        let topic = TopicName::parse(&topic).unwrap();
        prop_assert!(one.covers(one) && one.intersects(one));
        prop_assert_eq!(one.intersects(other), other.intersects(one));
        if one.covers(other) {
            prop_assert!(one.intersects(other));
            prop_assert!(!other.matches(topic) || one.matches(topic));
        }
        if one.matches(topic) && other.matches(topic) {
            prop_assert!(one.intersects(other));
        }
    }

    #[test]
    fn parsing_agrees_with_the_sentences_of_the_specification(text in "[a/+#$\0]{0,8}") {
        let is_filter = !text.is_empty()
            && !text.contains('\0')
            && text.split('/').all(|level| level.len() == 1 || !level.contains(['+', '#']))
            && text.split('/').rev().skip(1).all(|level| level != "#");
        prop_assert_eq!(FilterRef::parse(&text).is_ok(), is_filter);
        prop_assert_eq!(TopicFilter::parse(&text).is_ok(), is_filter);
        let is_name = is_filter && !text.contains(['+', '#']);
        prop_assert_eq!(TopicName::parse(&text).is_ok(), is_name);
    }

    #[test]
    fn no_text_makes_a_parser_panic(text in "\\PC{0,40}", share in "(\\$share/?)?[/+#ga]{0,8}") {
        for text in [text, share] {
            let _name = TopicName::parse(&text);
            let _filter = FilterRef::parse(&text);
            if let Ok(subscription) = Subscription::parse(&text) {
                prop_assert!(text.ends_with(subscription.filter().as_str()));
            }
        }
    }
}

/// Failures are kept with the crate, to be run again and committed.
fn config() -> ProptestConfig {
    let regressions = "proptest-regressions/topic_properties.txt";
    ProptestConfig {
        cases: 4_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(regressions))),
        ..ProptestConfig::default()
    }
}

/// MQTT 5.0 §4.7 read word by word.
fn naively_matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#')) {
        return false;
    }
    let filter: Vec<_> = filter.split('/').collect();
    let topic: Vec<_> = topic.split('/').collect();
    levels_match(&filter, &topic)
}

fn levels_match(filter: &[&str], topic: &[&str]) -> bool {
    match (filter, topic) {
        (["#"], _) => true,
        ([], rest) => rest.is_empty(),
        ([first, more @ ..], [level, below @ ..]) => {
            (*first == "+" || first == level) && levels_match(more, below)
        }
        ([_, ..], []) => false,
    }
}

/// All filters of up to three levels and a `#`.
fn filters() -> Vec<String> {
    let mut filters = sequences(&["", "a", "$x", "+"], 3);
    let with_hash: Vec<_> = filters.iter().map(|text| format!("{text}/#")).collect();
    filters.retain(|text| !text.is_empty());
    filters.extend(with_hash);
    filters.push("#".into());
    filters
}

/// All topics that can tell two of those filters apart.
fn universe() -> Vec<String> {
    let mut topics = sequences(&["", "a", "$x", "z", "$z"], 4);
    topics.retain(|topic| !topic.is_empty());
    topics
}

/// All texts of one to `depth` of these levels.
fn sequences(levels: &[&str], depth: usize) -> Vec<String> {
    let mut last: Vec<String> = levels.iter().map(|level| (*level).into()).collect();
    let mut all = last.clone();
    for _ in 1..depth {
        last = last
            .iter()
            .flat_map(|text| levels.iter().map(move |level| format!("{text}/{level}")))
            .collect();
        all.extend_from_slice(&last);
    }
    all
}
