//! What holds for ranges of numbers that contain one another or do not meet, such as
//! networks of addresses.

use core::cmp::Reverse;

use crate::time::Timestamp;

/// Until when something holds for each number, as steps: from a number on, up to the
/// next step.
#[derive(Debug, Default)]
pub(super) struct Steps {
    /// Where the steps begin, in order.
    begins: Vec<u128>,
    /// Until when it holds there; none where it does not.
    untils: Vec<Option<Timestamp>>,
    /// The first of each block of them, so few that they stay near: what is far away
    /// from the processor takes longer to look at than all else.
    heads: Vec<u128>,
}

impl Steps {
    /// The steps of ranges, by their first and their last number. Of those that hold a
    /// number, the one counts that holds longest.
    pub(super) fn new(mut ranges: Vec<(u128, u128, Timestamp)>) -> Self {
        // Those that contain others come before them.
        ranges.sort_unstable_by_key(|(first, last, _)| (*first, Reverse(*last)));
        let mut steps = Self {
            begins: Vec::new(),
            untils: Vec::new(),
            heads: Vec::new(),
        };
        // The ranges that the place is in, from the widest to the narrowest.
        let mut open: Vec<(u128, Timestamp)> = Vec::new();
        for (first, last, until) in ranges {
            while let Some((end, _)) = open.pop_if(|(end, _)| *end < first) {
                steps.step_after(end, &open);
            }
            let around = open.last().map(|(_, until)| *until);
            open.push((last, around.map_or(until, |around| around.max(until))));
            steps.step(first, open.last().map(|(_, until)| *until));
        }
        while let Some((end, _)) = open.pop() {
            steps.step_after(end, &open);
        }
        steps.begins.shrink_to_fit();
        steps.untils.shrink_to_fit();
        let heads = steps.begins.chunks(BLOCK).filter_map(<[_]>::first);
        steps.heads = heads.copied().collect();
        steps
    }

    /// Says whether it holds for no number at any time.
    pub(super) fn is_empty(&self) -> bool {
        self.begins.is_empty()
    }

    /// Until when it holds for a number.
    pub(super) fn at(&self, number: u128) -> Option<Timestamp> {
        let after = self.heads.partition_point(|head| *head <= number);
        let first = after.checked_sub(1)?.saturating_mul(BLOCK);
        let rest = self.begins.get(first..)?;
        let block = rest.get(..BLOCK).unwrap_or(rest);
        let after = block.partition_point(|begin| *begin <= number);
        let last = first.saturating_add(after).checked_sub(1)?;
        *self.untils.get(last)?
    }

    fn step_after(&mut self, end: u128, open: &[(u128, Timestamp)]) {
        if let Some(next) = end.checked_add(1) {
            self.step(next, open.last().map(|(_, until)| *until));
        }
    }

    fn step(&mut self, begin: u128, until: Option<Timestamp>) {
        if self.begins.last() == Some(&begin) {
            self.begins.pop();
            self.untils.pop();
        }
        if self.untils.last().copied().flatten() != until {
            self.begins.push(begin);
            self.untils.push(until);
        }
    }
}

/// So many steps are looked at once a head is found: a few lines of a cache.
const BLOCK: usize = 32;
