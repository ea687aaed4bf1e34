//! A check allocates nothing, parsing what is asked included.

#![expect(
    unsafe_code,
    reason = "an allocator that counts has to implement an unsafe trait"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use countersign_core::rule::{
    Action, Namespaces, NoVariables, Pattern, QoS, Rule, RuleSet, RuleSource, TopicOwners,
};
use countersign_core::topic::{Subscription, TopicFilter, TopicName};

/// The system's allocator, counting what the current thread asks of it.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to `System` unchanged, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get().saturating_add(1)));
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller got `pointer` from `alloc` above, so from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[test]
fn checks_on_a_small_and_a_large_set_allocate_nothing() {
    for rule_count in [1, 8, 10_000] {
        let set = rules(rule_count);
        assert_eq!(allocations(|| ask_everything(&set)), 0, "{rule_count}");
    }
}

#[test]
fn the_wall_allocates_nothing() {
    let namespaces = Namespaces::new([TopicFilter::parse("acme/#").unwrap()]).unwrap();
    let topic_owners = TopicOwners::new([("acme", &namespaces)], []);
    let count = allocations(|| {
        let topic = TopicName::parse(black_box("acme/device1/x")).unwrap();
        let subscription = Subscription::parse(black_box("$share/g/+/device1/#")).unwrap();
        black_box(namespaces.owns_topic(topic));
        black_box(namespaces.owns_all_of(subscription.filter()));
        black_box(namespaces.could_reach(subscription.filter()));
        black_box(topic_owners.owner_of(topic));
        black_box(topic_owners.reaches_foreign(subscription.filter(), Some("other")));
    });
    assert_eq!(count, 0);
}

#[test]
fn the_count_counts() {
    assert!(allocations(|| drop(black_box(Box::new(1)))) > 0);
}

fn ask_everything(set: &RuleSet) {
    for topic in ["acme/device7/x", "other", "$SYS/x", "acme/+", ""] {
        if let Ok(topic) = TopicName::parse(black_box(topic)) {
            let _verdict = black_box(set.publish(topic, QoS::AtLeastOnce, true));
            let _verdict = black_box(set.deliver(topic));
        }
    }
    for text in ["acme/device7/#", "$share/g/acme/+/x", "#", "$share", "a#"] {
        if let Ok(subscription) = Subscription::parse(black_box(text)) {
            let _verdict = black_box(set.subscribe(subscription));
            let _verdict = black_box(set.subscribe_filtered(subscription));
        }
    }
}

fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get).saturating_sub(before)
}

#[expect(clippy::unwrap_used, reason = "the patterns are this file's own")]
fn rules(count: usize) -> RuleSet {
    let rules: Vec<_> = (0..count)
        .map(|index| {
            let pattern = Pattern::parse(&format!("acme/device{index}/#")).unwrap();
            if index % 7 == 3 {
                Rule::deny(Action::Both, pattern)
            } else {
                Rule::allow(Action::Both, pattern)
            }
        })
        .collect();
    let namespaces = Namespaces::new([TopicFilter::parse("acme/#").unwrap()]).unwrap();
    let source = RuleSource::Role("devices".into());
    let rules = rules.iter().map(|rule| (&source, rule));
    RuleSet::compile(rules, &NoVariables, &namespaces, false)
}
