//! Uses of topics that sessions were denied, counted in bounded memory.
//!
//! Two tables of one type: the host's thread counts in one that the queue holds, and
//! the writer adds that up by the minute in another. A principal has a share of
//! each, so it leaves room for all others.

use core::hash::{Hash, Hasher};
use std::collections::HashMap;
use std::sync::Arc;

use countersign_core::audit::RefusedAct;
use countersign_core::reason::Reason;
use countersign_core::store::Refusal;
use countersign_core::store::rows::RefusalRow;
use countersign_core::time::{Timestamp, rfc3339};
use serde_json::json;

use crate::journal::refusal_counts::start_of_minute;

/// What is counted as one.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct DeniedUse {
    /// The start of the minute.
    minute: Timestamp,
    pub(crate) principal: DeniedPrincipal,
    pub(crate) act: RefusedAct,
    pub(crate) cause: Reason,
    /// None stands for all topics that have no row of their own.
    pub(crate) topic: Option<TopicStart>,
}

/// Whose use was denied.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum DeniedPrincipal {
    /// That of the principal with this name.
    Named(Arc<str>),
    /// Those of all principals that have no row of their own.
    Others,
    /// That of a client that proved nothing.
    Unauthenticated,
}

/// As much of a topic as is kept: more than is shown, so that a secret is found
/// that begins in what is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct TopicStart {
    bytes: [u8; LONGEST],
    length: u16,
    is_cut: bool,
}

impl TopicStart {
    fn of(topic: &[u8]) -> Self {
        let length = topic.len().min(LONGEST);
        let mut bytes = [0; LONGEST];
        for (slot, byte) in bytes.iter_mut().zip(topic) {
            *slot = *byte;
        }
        Self {
            bytes,
            length: u16::try_from(length).unwrap_or(0),
            is_cut: length < topic.len(),
        }
    }

    /// What is kept.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length.into()).unwrap_or_default()
    }

    /// Whether there was more.
    pub(crate) const fn is_cut(&self) -> bool {
        self.is_cut
    }
}

/// What is not used of it is zero, and need not be hashed.
impl Hash for TopicStart {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes().hash(state);
        self.is_cut.hash(state);
    }
}

impl DeniedUse {
    /// That of a principal, of a topic or a filter.
    pub(crate) fn new(
        principal: DeniedPrincipal,
        act: RefusedAct,
        cause: Reason,
        topic: &[u8],
        now: Timestamp,
    ) -> Self {
        Self {
            minute: start_of_minute(now),
            principal,
            act,
            cause,
            topic: Some(TopicStart::of(topic)),
        }
    }
}

/// How often, and when.
#[derive(Clone, Copy, Debug)]
struct DeniedCount {
    /// What is not written yet.
    count: i64,
    first: Timestamp,
    last: Timestamp,
    /// Whether there is a row of it.
    is_written: bool,
}

/// Denied uses and how often there were.
#[derive(Debug)]
pub(crate) struct DeniedUses {
    counts: HashMap<DeniedUse, DeniedCount>,
    /// How many of them a principal has in a minute.
    shares: HashMap<(Timestamp, DeniedPrincipal), usize>,
    /// So many there are at most.
    most: usize,
}

impl DeniedUses {
    /// A table for the host's thread, from which the writer takes several times a
    /// second. It has all its memory from the beginning.
    pub(crate) fn of_host() -> Self {
        Self {
            counts: HashMap::with_capacity(MOST_OF_HOST),
            shares: HashMap::with_capacity(MOST_OF_HOST),
            most: MOST_OF_HOST,
        }
    }

    /// A table of the writer, which a minute's rows come from.
    pub(crate) fn of_writer() -> Self {
        Self {
            counts: HashMap::new(),
            shares: HashMap::new(),
            most: MOST_ROWS,
        }
    }

    /// Says whether nothing is counted.
    pub(crate) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Forgets all, and keeps its memory.
    pub(crate) fn clear(&mut self) {
        self.counts.clear();
        self.shares.clear();
    }

    /// Counts one.
    pub(crate) fn add(&mut self, denied: DeniedUse, now: Timestamp) {
        let once = DeniedCount {
            count: 1,
            first: now,
            last: now,
            is_written: false,
        };
        self.count(denied, once);
    }

    /// Counts all that another table has, which is empty then.
    pub(crate) fn absorb(&mut self, other: &mut Self) {
        other.shares.clear();
        for (denied, counted) in other.counts.drain() {
            self.count(denied, counted);
        }
    }

    fn count(&mut self, mut denied: DeniedUse, more: DeniedCount) {
        if self.is_added(&denied, &more) {
            return;
        }
        self.find_room(&mut denied);
        // If it is full now, the store could not be written for long.
        if self.is_added(&denied, &more) || self.counts.len() >= self.most {
            return;
        }
        let share = (denied.minute, denied.principal.clone());
        let share = self.shares.entry(share).or_default();
        *share = share.saturating_add(1);
        self.counts.insert(denied, more);
    }

    /// Adds to what is counted already; says whether it is.
    fn is_added(&mut self, denied: &DeniedUse, more: &DeniedCount) -> bool {
        let Some(counted) = self.counts.get_mut(denied) else {
            return false;
        };
        counted.count = counted.count.saturating_add(more.count);
        counted.first = counted.first.min(more.first);
        counted.last = counted.last.max(more.last);
        true
    }

    /// Has one counted among others where there is no room for one more: among those
    /// of its principal, or else among those of all.
    fn find_room(&self, denied: &mut DeniedUse) {
        let share = (denied.minute, denied.principal.clone());
        let share = self.shares.get(&share).copied().unwrap_or(0);
        let has_room = |of_one: usize, of_all: usize| {
            share < of_one && self.counts.len() < self.most.saturating_sub(of_all)
        };
        if denied.topic.is_some() && has_room(MOST_TOPICS_OF_ONE, KEPT_FOR_SUMS) {
            return;
        }
        denied.topic = None;
        if self.counts.contains_key(denied) || has_room(MOST_OF_ONE, KEPT_FOR_OTHERS) {
            return;
        }
        denied.principal = DeniedPrincipal::Others;
    }

    /// The rows to write now: of what has none yet, and the rest of minutes that are
    /// over; all there is with `is_last`. `show` says how principal and topic are
    /// shown.
    ///
    /// # Errors
    ///
    /// Returns what `show` does.
    pub(crate) fn rows<E>(
        &self,
        now: Timestamp,
        is_last: bool,
        mut show: impl FnMut(&DeniedUse) -> Result<(String, String), E>,
    ) -> Result<Vec<Refusal>, E> {
        let due = self.counts.iter();
        let due = due.filter(|(denied, counted)| denied.is_due(counted, now, is_last));
        let row = |(denied, counted): (&DeniedUse, &DeniedCount)| {
            let (subject, topic) = show(denied)?;
            let about = json!({
                "first": rfc3339(counted.first),
                "last": rfc3339(counted.last),
            });
            Ok(Refusal {
                minute: denied.minute,
                act: denied.act,
                subject,
                address: None,
                client_id: None,
                topic: Some(topic),
                cause: denied.cause,
                about: Some(about.to_string()),
                count: counted.count,
            })
        };
        due.map(row).collect()
    }

    /// Takes note that those rows are written, in the writer's table.
    pub(crate) fn settle(&mut self, now: Timestamp, is_last: bool) {
        for (denied, counted) in &mut self.counts {
            if denied.is_due(counted, now, is_last) {
                counted.count = 0;
                counted.is_written = true;
            }
        }
        let minute = start_of_minute(now);
        self.counts.retain(|denied, _| denied.minute == minute);
        self.shares.retain(|(of, _), _| *of == minute);
        if self.counts.is_empty() {
            *self = Self::of_writer();
        }
    }
}

impl DeniedUse {
    fn is_due(&self, counted: &DeniedCount, now: Timestamp, is_last: bool) -> bool {
        let is_over = self.minute != start_of_minute(now);
        counted.count > 0 && (!counted.is_written || is_over || is_last)
    }
}

/// How principals and topics without a row of their own are shown.
pub(crate) const ALL_OTHERS: &str = RefusalRow::ALL_OTHERS;
/// Bytes of a topic that are kept.
const LONGEST: usize = 192;
/// What the host's thread counts apart until the writer looks.
const MOST_OF_HOST: usize = 224;
/// Rows a minute.
const MOST_ROWS: usize = 1_000;
/// Rows a minute of one principal.
const MOST_OF_ONE: usize = 20;
/// Of which so many name a topic.
const MOST_TOPICS_OF_ONE: usize = 16;
/// Rows of [`DeniedPrincipal::Others`]: one for each act and reason.
const KEPT_FOR_OTHERS: usize = 2 * Reason::ALL.len();
/// Those and as many that stand for the other topics of a principal.
const KEPT_FOR_SUMS: usize = 2 * KEPT_FOR_OTHERS;

#[cfg(test)]
mod tests {
    use core::convert::Infallible;
    use std::time::Duration;

    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_700_000_040_000);

    fn named(name: &str) -> DeniedPrincipal {
        DeniedPrincipal::Named(name.into())
    }

    fn publish(name: &str, topic: &str, now: Timestamp) -> DeniedUse {
        DeniedUse::new(
            named(name),
            RefusedAct::Publish,
            Reason::NoRule,
            topic.as_bytes(),
            now,
        )
    }

    fn rows(uses: &DeniedUses, now: Timestamp) -> Vec<(String, String, i64)> {
        let show = |denied: &DeniedUse| {
            let name = match &denied.principal {
                DeniedPrincipal::Named(name) => name.to_string(),
                DeniedPrincipal::Others => ALL_OTHERS.into(),
                DeniedPrincipal::Unauthenticated => "-".into(),
            };
            let topic = denied
                .topic
                .as_ref()
                .map_or(b"*" as &[u8], TopicStart::bytes);
            Ok::<_, Infallible>((name, String::from_utf8(topic.to_vec()).unwrap()))
        };
        let rows = uses.rows(now, false, show).unwrap().into_iter();
        let rows = rows.map(|row| (row.subject, row.topic.unwrap(), row.count));
        let mut rows: Vec<_> = rows.collect();
        rows.sort();
        rows
    }

    fn sum(rows: &[(String, String, i64)]) -> i64 {
        rows.iter().map(|(_, _, count)| count).sum()
    }

    #[test]
    fn nothing_that_was_denied_makes_no_row() {
        assert!(rows(&DeniedUses::of_writer(), START).is_empty());
    }

    #[test]
    fn who_is_denied_many_topics_leaves_the_rows_of_others_alone() {
        let mut uses = DeniedUses::of_writer();
        for number in 0..50_000 {
            uses.add(publish("flood", &format!("t/{number}"), START), START);
        }
        uses.add(publish("dev1", "x", START), START);
        let rows = rows(&uses, START);
        assert_eq!(rows.len(), 16 + 1 + 1);
        assert_eq!(sum(&rows), 50_001);
        assert!(rows.contains(&("flood".into(), "*".into(), 49_984)));
        assert!(rows.contains(&("dev1".into(), "x".into(), 1)));
    }

    #[test]
    fn many_principals_have_no_more_rows_than_a_minute_has_and_all_is_counted() {
        for mut uses in [DeniedUses::of_host(), DeniedUses::of_writer()] {
            for number in 0..20_000 {
                let name = format!("dev{}", number % 3_000);
                uses.add(publish(&name, &format!("t/{number}"), START), START);
            }
            let rows = rows(&uses, START);
            assert!(rows.len() <= uses.most && rows.len() + 60 > uses.most);
            assert_eq!(sum(&rows), 20_000);
            assert!(
                rows.iter()
                    .any(|(name, topic, _)| name == "*" && topic == "*")
            );
        }
    }

    #[test]
    fn a_row_is_written_when_it_is_new_and_once_more_when_its_minute_is_over() {
        let mut uses = DeniedUses::of_writer();
        let (mut written, mut last) = (Vec::new(), START);
        for tenth in 0..1_200 {
            last = START.plus(Duration::from_millis(100 * tenth));
            let mut host = DeniedUses::of_host();
            for _ in 0..7 {
                host.add(publish("dev1", "x", last), last);
            }
            uses.absorb(&mut host);
            assert!(host.is_empty());
            let due = rows(&uses, last);
            uses.settle(last, false);
            written.extend(due);
        }
        let later = last.plus(Duration::from_secs(60));
        written.extend(rows(&uses, later));
        uses.settle(later, false);
        let counts: Vec<_> = written.iter().map(|(_, _, count)| *count).collect();
        assert_eq!(counts, [7, 7, 7 * 599, 7 * 599]);
        assert!(uses.is_empty() && rows(&uses, later).is_empty());
    }

    #[test]
    fn what_can_t_be_written_for_hours_has_an_end() {
        let mut uses = DeniedUses::of_writer();
        for minute in 0..600 {
            let now = START.plus(Duration::from_secs(60 * minute));
            for number in 0..100 {
                uses.add(publish(&format!("d{number}"), "x", now), now);
            }
        }
        assert!(uses.counts.len() <= MOST_ROWS && uses.shares.len() <= MOST_ROWS);
    }

    #[test]
    fn of_a_long_topic_the_beginning_is_kept() {
        let long = "ä".repeat(40_000);
        let start = TopicStart::of(long.as_bytes());
        assert_eq!((start.bytes().len(), start.is_cut()), (LONGEST, true));
        assert!(!TopicStart::of(b"a/b").is_cut());
    }
}
