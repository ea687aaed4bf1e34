//! Runs `tests/cases/topic.toml` against the core.

use std::path::Path;

use countersign_core::topic::{FilterRef, Subscription, TopicName};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    name: Vec<Text>,
    filter: Vec<Text>,
    subscription: Vec<Subscribed>,
    matches: Vec<Match>,
    covers: Vec<Pair>,
    intersects: Vec<Pair>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    name: String,
    #[serde(rename = "spec")]
    _spec: Option<String>,
    text: String,
    valid: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subscribed {
    name: String,
    #[serde(rename = "spec")]
    _spec: Option<String>,
    text: String,
    group: Option<String>,
    filter: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Match {
    name: String,
    #[serde(rename = "spec")]
    _spec: Option<String>,
    filter: String,
    topic: String,
    expect: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    name: String,
    #[serde(rename = "spec")]
    _spec: Option<String>,
    #[serde(rename = "issue")]
    _issue: Option<String>,
    filter: String,
    other: String,
    expect: bool,
}

#[test]
fn a_text_is_a_topic_name_where_the_cases_say_so() {
    for case in cases().name {
        assert_eq!(
            TopicName::parse(&case.text).is_ok(),
            case.valid,
            "{}",
            case.name
        );
    }
}

#[test]
fn a_text_is_a_filter_where_the_cases_say_so() {
    for case in cases().filter {
        assert_eq!(
            FilterRef::parse(&case.text).is_ok(),
            case.valid,
            "{}",
            case.name
        );
    }
}

#[test]
fn a_text_subscribes_to_what_the_cases_say() {
    for case in cases().subscription {
        let parsed = Subscription::parse(&case.text).ok();
        assert_eq!(
            parsed.map(|it| (it.group(), it.filter().as_str())),
            case.filter
                .as_deref()
                .map(|filter| (case.group.as_deref(), filter)),
            "{}",
            case.name
        );
    }
}

#[test]
fn a_filter_matches_the_topics_that_the_cases_say() {
    for case in cases().matches {
        let topic = TopicName::parse(&case.topic).unwrap();
        let filter = FilterRef::parse(&case.filter).unwrap();
        assert_eq!(filter.matches(topic), case.expect, "{}", case.name);
    }
}

#[test]
fn a_filter_covers_the_filters_that_the_cases_say() {
    for case in cases().covers {
        let filter = FilterRef::parse(&case.filter).unwrap();
        let other = FilterRef::parse(&case.other).unwrap();
        assert_eq!(filter.covers(other), case.expect, "{}", case.name);
    }
}

#[test]
fn a_filter_intersects_the_filters_that_the_cases_say() {
    for case in cases().intersects {
        let filter = FilterRef::parse(&case.filter).unwrap();
        let other = FilterRef::parse(&case.other).unwrap();
        assert_eq!(filter.intersects(other), case.expect, "{}", case.name);
        assert_eq!(other.intersects(filter), case.expect, "{}", case.name);
    }
}

#[expect(clippy::unwrap_used, reason = "a test without its cases can't go on")]
fn cases() -> Cases {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/topic.toml");
    toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}
