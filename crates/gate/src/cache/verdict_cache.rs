//! The topic owners of all tenants, and a cache of the last verdicts.
//!
//! Devices publish to few topics, and a message goes to many subscribers with
//! the same rights. A verdict depends on the rights, the topic owners and the
//! use alone, so verdicts are cached by rights and topic use. Rights never
//! change, and an entry keeps the address of its rights from being used again.
//! The cache is dropped when topic ownership changes.

use std::sync::{Arc, Weak};

use countersign_core::rights::{Rights, TopicUse};
use countersign_core::rule::{TopicOwners, Verdict};

/// Who owns which topics, and the last verdicts.
#[derive(Debug)]
pub(crate) struct VerdictCache {
    topic_owners: TopicOwners,
    /// Those of a pair are about uses that have no other place; the first is the
    /// newer one.
    recent: Box<[[Option<CachedVerdict>; 2]]>,
}

/// One verdict, and what it was about.
#[derive(Debug)]
struct CachedVerdict {
    /// While this is here, no others can have their address.
    rights: Weak<Rights>,
    key: UseKey,
    verdict: Verdict,
    length: u8,
    topic: [u8; LONGEST],
}

/// All of a use but its topic.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum UseKey {
    Deliver,
    Publish { qos: u8, retain: bool },
}

impl VerdictCache {
    /// Nothing was judged yet.
    pub(crate) fn new(topic_owners: TopicOwners) -> Self {
        Self {
            topic_owners,
            recent: (0..PAIRS).map(|_| [None, None]).collect(),
        }
    }

    /// Who owns which topics.
    pub(crate) fn topic_owners(&self) -> &TopicOwners {
        &self.topic_owners
    }

    /// Judges one use of a topic, as [`Rights::judge`] does. Allocates nothing.
    pub(crate) fn judge(&mut self, rights: &Arc<Rights>, usage: TopicUse<'_>) -> Verdict {
        let (key, topic) = match usage {
            TopicUse::Deliver { topic } => (UseKey::Deliver, topic),
            TopicUse::Publish { topic, qos, retain } => (UseKey::Publish { qos, retain }, topic),
            TopicUse::Subscribe { .. } | TopicUse::Unsubscribe => {
                return rights.judge(usage, &self.topic_owners);
            }
        };
        let Some(pair) = self.recent.get_mut(pair_of(rights, topic)) else {
            return rights.judge(usage, &self.topic_owners);
        };
        let known = pair.iter().flatten();
        for judged in known {
            if judged.is_about(rights, key, topic) {
                return judged.verdict;
            }
        }
        let verdict = rights.judge(usage, &self.topic_owners);
        if let Some(judged) = CachedVerdict::of(rights, key, topic, verdict) {
            pair.swap(0, 1);
            pair[0] = Some(judged);
        }
        verdict
    }
}

impl CachedVerdict {
    /// None if the topic is too long to be kept.
    fn of(rights: &Arc<Rights>, key: UseKey, topic: &[u8], verdict: Verdict) -> Option<Self> {
        let mut kept = [0; LONGEST];
        kept.get_mut(..topic.len())?.copy_from_slice(topic);
        Some(Self {
            rights: Arc::downgrade(rights),
            key,
            verdict,
            length: u8::try_from(topic.len()).ok()?,
            topic: kept,
        })
    }

    fn is_about(&self, rights: &Arc<Rights>, key: UseKey, topic: &[u8]) -> bool {
        core::ptr::eq(self.rights.as_ptr(), Arc::as_ptr(rights))
            && self.key == key
            && self.topic.get(..self.length.into()) == Some(topic)
    }
}

/// Where a verdict about a topic is kept. A third one of a place pushes the
/// first out, and that is all.
fn pair_of(rights: &Arc<Rights>, topic: &[u8]) -> usize {
    let (words, rest) = topic.as_chunks::<8>();
    let mut last = [0; 8];
    for (slot, byte) in last.iter_mut().zip(rest) {
        *slot = *byte;
    }
    let start = Arc::as_ptr(rights).addr() >> 4;
    let mut mixed = u64::try_from(start).unwrap_or(0);
    for word in words.iter().take(LONGEST / 8).chain([&last]) {
        mixed = (mixed.rotate_left(5) ^ u64::from_le_bytes(*word)).wrapping_mul(MIXER);
    }
    usize::try_from(mixed >> (u64::BITS - PAIR_BITS)).unwrap_or(0)
}

const PAIR_BITS: u32 = 8;
/// Of 256 bytes each.
const PAIRS: usize = 1 << PAIR_BITS;
/// Longer topics are judged every time.
const LONGEST: usize = 116;
/// The golden ratio's, whose high bits are the good ones.
const MIXER: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use countersign_core::access;
    use countersign_core::name::TenantId;
    use countersign_core::rule::Namespaces;
    use countersign_core::tenant::Tenant;
    use countersign_core::time::Timestamp;
    use countersign_core::topic::TopicFilter;
    use proptest::prelude::*;

    use super::*;

    fn namespaces(filter: &str) -> Namespaces {
        Namespaces::new([TopicFilter::parse(filter).unwrap()]).unwrap()
    }

    fn rights(id: &str) -> Arc<Rights> {
        let id_of = TenantId::parse(id).unwrap();
        let namespaces = namespaces(&format!("{id}/#"));
        let tenant = Tenant::new(id_of, namespaces, Timestamp::from_millis(0));
        access::default_rights(Arc::new(tenant)).into()
    }

    fn verdict_cache() -> VerdictCache {
        let (acme, globex) = (namespaces("acme/#"), namespaces("globex/#"));
        VerdictCache::new(TopicOwners::new([("acme", &acme), ("globex", &globex)], []))
    }

    fn publish(topic: &[u8], qos: u8, retain: bool) -> TopicUse<'_> {
        TopicUse::Publish { topic, qos, retain }
    }

    #[test]
    fn the_right_to_nothing_allows_nothing_however_often_it_is_asked() {
        let mut verdict_cache = verdict_cache();
        let none = Arc::new(Rights::none());
        for _ in 0..3 {
            assert!(
                !verdict_cache
                    .judge(&none, publish(b"acme/x", 0, false))
                    .is_allowed()
            );
            assert!(
                !verdict_cache
                    .judge(&none, publish(b"", 0, false))
                    .is_allowed()
            );
        }
    }

    #[test]
    fn rights_that_are_gone_leave_no_verdict_to_those_in_their_place() {
        let mut verdict_cache = verdict_cache();
        for _ in 0..1_000 {
            let acme = rights("acme");
            assert!(
                verdict_cache
                    .judge(&acme, publish(b"acme/x", 0, false))
                    .is_allowed()
            );
            drop(acme);
            let globex = rights("globex");
            assert!(
                !verdict_cache
                    .judge(&globex, publish(b"acme/x", 0, false))
                    .is_allowed()
            );
        }
    }

    #[test]
    fn verdicts_take_no_more_room_however_many_topics_there_are() {
        let mut verdict_cache = verdict_cache();
        let acme = rights("acme");
        for number in 0..10_000 {
            let topic = format!("acme/{number:0>80}");
            let usage = publish(topic.as_bytes(), 0, false);
            assert!(verdict_cache.judge(&acme, usage).is_allowed());
        }
        assert_eq!(verdict_cache.recent.len(), PAIRS);
        assert!(size_of_val(&*verdict_cache.recent) <= PAIRS * 2 * 160);
    }

    #[test]
    fn a_topic_too_long_to_be_kept_is_judged_all_the_same() {
        let mut verdict_cache = verdict_cache();
        let acme = rights("acme");
        for length in [LONGEST - 1, LONGEST, LONGEST + 1, 60_000] {
            let topic = format!("{:x<length$}", "acme/");
            let foreign = format!("{:x<length$}", "globex/");
            for _ in 0..2 {
                assert!(
                    verdict_cache
                        .judge(&acme, publish(topic.as_bytes(), 0, false))
                        .is_allowed()
                );
                assert!(
                    !verdict_cache
                        .judge(&acme, publish(foreign.as_bytes(), 0, false))
                        .is_allowed()
                );
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_was_judged_before_is_judged_the_same(
            uses in proptest::collection::vec(
                (0_usize..3, 0_u8..5, any::<bool>(), "(acme|globex|a|\\$SYS)(/[ab+\\x00]{0,9}){0,3}"),
                1..200,
            ),
        ) {
            let all = [rights("acme"), rights("globex"), Arc::new(Rights::none())];
            let mut verdict_cache = verdict_cache();
            for (who, how, retain, topic) in &uses {
                let topic = topic.as_bytes();
                let usage = match how {
                    4 => TopicUse::Deliver { topic },
                    qos => publish(topic, *qos, *retain),
                };
                let rights = &all[*who];
                let fresh = rights.judge(usage, verdict_cache.topic_owners());
                prop_assert_eq!(verdict_cache.judge(rights, usage), fresh);
                prop_assert_eq!(verdict_cache.judge(rights, usage), fresh);
            }
        }
    }
}
