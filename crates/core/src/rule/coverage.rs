//! Which topics filters have in common, and whether several together cover
//! another.

use std::collections::BTreeMap;

use super::pattern::BoundPattern;
use crate::topic::{TopicFilter, levels};

impl BoundPattern {
    /// What matches the topics that both match; none if there is no such topic.
    pub(super) fn common(&self, other: &Self) -> Option<Self> {
        let misses =
            |one: &Self, other: &Self| one.text.starts_with('$') && !other.may_be_reserved();
        if misses(self, other)
            || misses(other, self)
            || !levels::intersects(&self.text, &other.text)
        {
            return None;
        }
        Some(Self {
            text: levels::common(&self.text, &other.text).into(),
            opens_with_any: self.opens_with_any && other.opens_with_any,
        })
    }

    /// Says whether some topic is matched by this one and by none of `others`.
    ///
    /// Topics are built level by level, of the literals that stand there and of
    /// one that stands nowhere. The answer is yes, too, where the search takes
    /// more than what is left of `steps`.
    pub(super) fn has_topic_outside(&self, others: &[Self], steps: &mut Steps) -> bool {
        let own: Vec<&str> = self.text.split('/').collect();
        let others: Vec<Vec<&str>> = others
            .iter()
            .map(|other| other.text.split('/').collect())
            .zip(others)
            // A first level that stands for `$` levels too is written so here.
            .map(
                |(levels, other): (Vec<&str>, _)| match levels.split_first() {
                    Some((_, rest)) if other.opens_with_any => {
                        core::iter::once(ANY).chain(rest.iter().copied()).collect()
                    }
                    Some(_) | None => levels,
                },
            )
            .collect();
        let mut open = vec![Prefix {
            depth: 0,
            is_empty_level: false,
            matching: (0..others.len()).collect(),
        }];
        while let Some(prefix) = open.pop() {
            if steps.are_spent() || prefix.is_topic_outside(&own, &others) {
                return true;
            }
            let before = open.len();
            prefix.grow(&own, self.opens_with_any, &others, &mut open);
            let grown = open.iter().skip(before);
            let looked_at = grown.map(|it| it.matching.len().saturating_add(1)).sum();
            let _left = steps.take(looked_at);
        }
        false
    }

    fn may_be_reserved(&self) -> bool {
        self.opens_with_any || !self.text.starts_with(['+', '#'])
    }
}

impl From<&TopicFilter> for BoundPattern {
    fn from(filter: &TopicFilter) -> Self {
        Self {
            text: filter.as_str().into(),
            opens_with_any: false,
        }
    }
}

/// How much of a comparison is left to be done.
pub(super) struct Steps(pub(super) usize);

impl Steps {
    /// Takes so many; says whether there were so many. Otherwise none are left.
    pub(super) fn take(&mut self, steps: usize) -> bool {
        let left = self.0.checked_sub(steps);
        self.0 = left.unwrap_or(0);
        left.is_some()
    }

    fn are_spent(&self) -> bool {
        self.0 == 0
    }
}

/// The first levels of topics that the searched filter matches.
struct Prefix {
    depth: usize,
    /// There is one level, and it is empty.
    is_empty_level: bool,
    /// The other filters that match the levels so far.
    matching: Vec<usize>,
}

impl Prefix {
    /// Says whether these levels are a topic, of the searched filter alone.
    fn is_topic_outside(&self, own: &[&str], others: &[Vec<&str>]) -> bool {
        let ends = |levels: &[&str]| match levels.get(self.depth) {
            None => true,
            Some(level) => *level == "#",
        };
        self.depth > 0
            && !self.is_empty_level
            && ends(own)
            && !self.levels_of(others).any(|(_, levels)| ends(levels))
    }

    /// Adds all that is one level longer and can lead outside.
    fn grow(&self, own: &[&str], is_any: bool, others: &[Vec<&str>], open: &mut Vec<Self>) {
        let is_first = self.depth == 0;
        let rest = own.last().filter(|level| **level == "#");
        let Some(own_level) = own.get(self.depth).or(rest) else {
            return;
        };
        let is_wild = matches!(*own_level, "+" | "#");
        let mut next: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        if is_wild {
            next.insert(FRESH_RESERVED, Vec::new());
            next.insert(FRESH, Vec::new());
        } else {
            next.insert(own_level, Vec::new());
        }
        let mut wild = Vec::new();
        for (index, levels) in self.levels_of(others) {
            match levels.get(self.depth) {
                Some(level) if matches!(*level, "+" | "#" | ANY) => wild.push((index, *level)),
                Some(literal) if is_wild || literal == own_level => {
                    next.entry(literal).or_default().push(index);
                }
                Some(_) | None => {}
            }
        }
        for (name, mut matching) in next.into_iter().rev() {
            let is_reserved = is_first && name.starts_with('$');
            if (is_wild && is_reserved && !is_any) || (!is_first && name == FRESH_RESERVED) {
                continue;
            }
            let matches = |level: &str| level == ANY || !is_reserved;
            if wild
                .iter()
                .any(|(_, level)| *level == "#" && matches(level))
            {
                continue;
            }
            let also = wild.iter().filter(|(_, level)| matches(level));
            matching.extend(also.map(|(index, _)| *index));
            open.push(Self {
                depth: self.depth.saturating_add(1),
                is_empty_level: is_first && name.is_empty(),
                matching,
            });
        }
    }

    fn levels_of<'o, 't>(
        &'o self,
        others: &'o [Vec<&'t str>],
    ) -> impl Iterator<Item = (usize, &'o [&'t str])> {
        let matching = self.matching.iter();
        matching.filter_map(|index| Some((*index, others.get(*index)?.as_slice())))
    }
}

/// A first level that matches every level, `$` levels among them. No filter
/// holds a `/` in a level.
const ANY: &str = "/any";
/// A level that no filter names.
const FRESH: &str = "/";
/// A `$` level that no filter names.
const FRESH_RESERVED: &str = "$/";
/// How much is compared in all, filter with filter and level by level. The question
/// is hard in general: filters with many `+` can share the topics among them in a
/// number of ways that doubles with each level.
pub(super) const MOST_STEPS: usize = 1_000_000;

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::topic::{FilterRef, TopicName};

    fn bound(text: &str) -> BoundPattern {
        BoundPattern::from(&TopicFilter::parse(text).unwrap())
    }

    fn outside(one: &str, others: &[&str]) -> bool {
        let others: Vec<_> = others.iter().map(|text| bound(text)).collect();
        bound(one).has_topic_outside(&others, &mut Steps(MOST_STEPS))
    }

    #[test]
    fn what_two_filters_have_in_common_is_a_filter() {
        for (one, other, expected) in [
            ("a", "a", Some("a")),
            ("a", "b", None),
            ("#", "a/+/b", Some("a/+/b")),
            ("a/#", "a", Some("a")),
            ("a/#", "+", Some("a")),
            ("a/+/c", "+/b/#", Some("a/b/c")),
            ("+/#", "a/#", Some("a/#")),
            ("a/#", "a/b/#", Some("a/b/#")),
            ("+/b", "a/+", Some("a/b")),
            ("#", "$SYS/#", None),
            ("/#", "+", None),
            ("$SYS/#", "$SYS/+/x", Some("$SYS/+/x")),
        ] {
            for (one, other) in [(one, other), (other, one)] {
                let common = bound(one).common(&bound(other));
                let common = common.as_ref().map(|it| &*it.text);
                assert_eq!(common, expected, "{one} {other}");
            }
        }
    }

    #[test]
    fn filters_that_cover_another_together_leave_no_topic_outside() {
        for (one, others, is_outside) in [
            ("a/#", &["a", "a/+/#"] as &[_], false),
            ("a/#", &["a", "a/+"], true),
            ("a/#", &["a/+/#"], true),
            ("#", &["+/#"], false),
            ("#", &["/#", "+"], true),
            ("+", &["/#", "#"], false),
            ("+/x", &["a/+", "b/+"], true),
            ("a/+", &["a/b"], true),
            ("a", &[], true),
            ("$SYS/x", &["#", "+/x"], true),
            ("$SYS/x", &["$SYS/#"], false),
        ] {
            assert_eq!(outside(one, others), is_outside, "{one} {others:?}");
        }
    }

    #[test]
    fn a_question_that_is_too_hard_is_answered_with_yes() {
        let others: Vec<_> = (0..24)
            .flat_map(|index| {
                let level =
                    |name| format!("{}{name}{}", "+/".repeat(index), "/+".repeat(23 - index));
                [level("a"), level("b")]
            })
            .collect();
        let others: Vec<_> = others.iter().map(String::as_str).collect();
        let one = format!("+{}", "/+".repeat(23));
        assert!(outside(&one, &others));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn a_topic_outside_is_found_if_there_is_one(
            one in FILTER,
            others in vec(FILTER, 0..5),
        ) {
            let mut topics = Vec::new();
            for first in ["$a", "a", "b", "", "z"] {
                for second in ["!", "/a", "/b", "/", "/z"] {
                    for third in ["!", "/a", "/b", "/", "/z", "/z/z"] {
                        let topic = format!("{first}{second}{third}");
                        topics.push(topic.split('!').next().unwrap_or_default().to_owned());
                    }
                }
            }
            let matches = |text: &str, topic: &str| {
                TopicName::parse(topic).is_ok_and(|it| FilterRef::parse(text).unwrap().matches(it))
            };
            let expected = topics.iter().any(|topic| {
                matches(&one, topic) && !others.iter().any(|other| matches(other, topic))
            });
            let others: Vec<_> = others.iter().map(String::as_str).collect();
            prop_assert_eq!(outside(&one, &others), expected);
        }
    }

    /// No more than three levels.
    const FILTER: &str =
        "(#|(\\$?a|b|\\+|)(/(a|b|\\+|)){1,2}|(\\$?a|b|\\+|)(/(a|b|\\+|)){0,1}/#|a|b|\\+)";
}
