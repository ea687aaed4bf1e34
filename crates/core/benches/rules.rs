//! How long a check takes, beside a plain comparison of two strings.

use std::hint::black_box;

use countersign_core::rule::{Action, NoVariables, Pattern, QoS, Rule, RuleSet, RuleSource};
use countersign_core::topic::{FilterRef, Subscription, TopicName};
use criterion::{BenchmarkId, Criterion};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    checks(&mut criterion);
    extremes(&mut criterion);
    compiling(&mut criterion);
    criterion.final_summary();
}

fn checks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("check");
    group.bench_function("string_equality", |bencher| {
        let stored = TOPIC.to_owned();
        bencher.iter(|| black_box(TOPIC) == black_box(stored.as_str()));
    });
    for (shape, pattern) in SHAPES {
        for count in [1_usize, 8, 64, 1_000, 10_000] {
            let set = rules(count, pattern);
            let id = |check: &str| BenchmarkId::new(format!("{shape}/{check}"), count);
            group.bench_with_input(id("publish"), &set, |bencher, set| {
                bencher.iter(|| {
                    let topic = TopicName::parse(black_box(TOPIC));
                    topic.map(|topic| set.publish(topic, QoS::AtLeastOnce, false))
                });
            });
            group.bench_with_input(id("publish_denied"), &set, |bencher, set| {
                bencher.iter(|| {
                    let topic = TopicName::parse(black_box(FOREIGN_TOPIC));
                    topic.map(|topic| set.publish(topic, QoS::AtLeastOnce, false))
                });
            });
            group.bench_with_input(id("subscribe"), &set, |bencher, set| {
                bencher.iter(|| {
                    let subscription = Subscription::parse(black_box(FILTER));
                    subscription.map(|subscription| set.subscribe(subscription))
                });
            });
            group.bench_with_input(id("subscribe_shared"), &set, |bencher, set| {
                bencher.iter(|| {
                    let subscription = Subscription::parse(black_box(SHARED_FILTER));
                    subscription.map(|subscription| set.subscribe(subscription))
                });
            });
        }
    }
}

fn extremes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("extreme");
    let topic = vec!["x".repeat(326); 200].join("/");
    let topic = format!("{topic:y<65535}");
    let pluses = vec!["+"; 200].join("/");
    group.bench_function("string_equality_65535_bytes", |bencher| {
        let stored = topic.clone();
        bencher.iter(|| black_box(topic.as_str()) == black_box(stored.as_str()));
    });
    group.bench_function("parse_65535_bytes", |bencher| {
        bencher.iter(|| TopicName::parse(black_box(&topic)).is_ok());
    });
    group.bench_function("200_pluses_match_65535_bytes", |bencher| {
        let (Ok(filter), Ok(topic)) = (FilterRef::parse(&pluses), TopicName::parse(&topic)) else {
            return;
        };
        bencher.iter(|| black_box(filter).matches(black_box(topic)));
    });
    group.bench_function("200_pluses_cover_200_pluses", |bencher| {
        let Ok(filter) = FilterRef::parse(&pluses) else {
            return;
        };
        bencher.iter(|| black_box(filter).covers(black_box(filter)));
    });
    group.bench_function("200_pluses_intersect_200_pluses", |bencher| {
        let Ok(filter) = FilterRef::parse(&pluses) else {
            return;
        };
        bencher.iter(|| black_box(filter).intersects(black_box(filter)));
    });
}

fn compiling(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compile");
    for count in [8_usize, 10_000] {
        let rules = written(count, "acme/device{}/#");
        group.bench_with_input(
            BenchmarkId::from_parameter(count),
            &rules,
            |bencher, rules| {
                bencher.iter(|| compile(rules));
            },
        );
    }
}

/// Rules of which the middle one allows [`TOPIC`].
fn rules(count: usize, pattern: &str) -> RuleSet {
    compile(&written(count, pattern))
}

fn written(count: usize, pattern: &str) -> Vec<Rule> {
    let middle = count / 2;
    (0..count)
        .filter_map(|index| {
            let number = if index == middle { 4_711_000 } else { index };
            let pattern = Pattern::parse(&pattern.replace("{}", &number.to_string())).ok()?;
            Some(Rule::allow(Action::Both, pattern))
        })
        .collect()
}

fn compile(rules: &[Rule]) -> RuleSet {
    let source = RuleSource::Operator;
    RuleSet::compile_unwalled(rules.iter().map(|rule| (&source, rule)), &NoVariables)
}

/// Literal heads that differ, and the shape that the table's order helps least.
const SHAPES: [(&str, &str); 2] = [
    ("literal_head", "acme/device{}/#"),
    ("common_head", "acme/+/device{}/#"),
];
const TOPIC: &str = "acme/device4711000/device4711000/temperature";
const FOREIGN_TOPIC: &str = "acme/device999/line2/devices/temperature";
const FILTER: &str = "acme/device4711000/device4711000/+";
const SHARED_FILTER: &str = "$share/readers/acme/device4711000/device4711000/+";
