//! The order of slow password checks.
//!
//! When many clients log in at once, most of them are guessing, and an origin
//! that guesses looks like a device until its first guess has failed. So checks
//! are not served in the order in which they came. They have one of three
//! priorities: names from where they last logged in, origins without recent
//! failures, all others. Within a priority, origins take turns. Of the origins
//! that wait for their first turn, the newest and the oldest are served
//! alternately. So a device that logs in during a flood does not wait for all
//! of it.

use std::collections::{HashMap, VecDeque};

use countersign_core::backoff::Origin;

/// Which checks are served first: a priority before all below it, three times
/// of four.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Priority {
    /// Names from where they last logged in.
    KnownOrigin,
    /// Origins where nothing failed lately.
    CleanOrigin,
    /// All others.
    Other,
}

impl Priority {
    /// So many there are.
    pub(crate) const COUNT: usize = 3;

    /// Its place among them.
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::KnownOrigin => 0,
            Self::CleanOrigin => 1,
            Self::Other => 2,
        }
    }
}

/// What waits to be done, in all priorities.
#[derive(Debug)]
pub(crate) struct FairQueue<T> {
    levels: [PriorityLevel<T>; Priority::COUNT],
    /// How many were served.
    served: usize,
}

/// What waits in one priority.
#[derive(Debug)]
struct PriorityLevel<T> {
    by_origin: HashMap<Origin, VecDeque<T>>,
    /// The origins that had no turn yet, in the order in which they came.
    new: VecDeque<Origin>,
    /// The others, in the order of their turns.
    again: VecDeque<Origin>,
    /// Whose turn it is.
    turn: Turn,
}

/// Which origin is served next.
#[derive(Clone, Copy, Debug, Default)]
enum Turn {
    /// Of those who had no turn yet, who came last.
    #[default]
    Newest,
    /// Of those, who came first.
    Oldest,
    /// One of those who had a turn.
    Again,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self {
            levels: core::array::from_fn(|_| PriorityLevel::default()),
            served: 0,
        }
    }
}

impl<T> Default for PriorityLevel<T> {
    fn default() -> Self {
        Self {
            by_origin: HashMap::new(),
            new: VecDeque::new(),
            again: VecDeque::new(),
            turn: Turn::default(),
        }
    }
}

impl<T> FairQueue<T> {
    /// Adds something to be done.
    pub(crate) fn push(&mut self, task: T, origin: Origin, priority: Priority) {
        if let Some(turns) = self.levels.get_mut(priority.index()) {
            turns.push(origin, task);
        }
    }

    /// Says whether there is nothing to be done.
    pub(crate) fn is_empty(&self) -> bool {
        let mut levels = self.levels.iter();
        levels.all(|turns| turns.by_origin.is_empty())
    }

    /// Takes what is to be done next.
    pub(crate) fn pop(&mut self) -> Option<T> {
        self.served = self.served.wrapping_add(1);
        // Now and then from behind, so that no origin waits for ever.
        if self.served.is_multiple_of(4) {
            self.levels.iter_mut().rev().find_map(PriorityLevel::pop)
        } else {
            self.levels.iter_mut().find_map(PriorityLevel::pop)
        }
    }

    /// Takes out what the origin that has most waiting in a priority brought
    /// last, if it has more than that; for somebody who has nothing waiting.
    pub(crate) fn evict(&mut self, priority: Priority) -> Option<T> {
        let turns = self.levels.get_mut(priority.index())?;
        let most = turns.by_origin.values_mut().max_by_key(|tasks| tasks.len());
        most.filter(|tasks| tasks.len() > 1)?.pop_back()
    }

    /// Drops what is not to be done any more.
    pub(crate) fn retain(&mut self, is_wanted: impl Fn(&T) -> bool) {
        for turns in &mut self.levels {
            turns.by_origin.retain(|_, tasks| {
                tasks.retain(&is_wanted);
                !tasks.is_empty()
            });
            let by_origin = &turns.by_origin;
            turns.new.retain(|origin| by_origin.contains_key(origin));
            turns.again.retain(|origin| by_origin.contains_key(origin));
        }
    }

    /// Puts an origin, where something failed, behind those where nothing did.
    pub(crate) fn demote(&mut self, origin: Origin) {
        let [_, unblemished, anyone] = &mut self.levels;
        if let Some(tasks) = unblemished.remove(origin) {
            anyone.add(origin, tasks);
        }
    }
}

impl<T> PriorityLevel<T> {
    fn push(&mut self, origin: Origin, task: T) {
        let tasks = self.by_origin.entry(origin).or_default();
        if tasks.is_empty() {
            self.new.push_back(origin);
        }
        tasks.push_back(task);
    }

    /// Adds what an origin brings that had a turn elsewhere.
    fn add(&mut self, origin: Origin, added: VecDeque<T>) {
        let tasks = self.by_origin.entry(origin).or_default();
        if tasks.is_empty() {
            self.again.push_back(origin);
        }
        tasks.extend(added);
    }

    fn remove(&mut self, origin: Origin) -> Option<VecDeque<T>> {
        let tasks = self.by_origin.remove(&origin)?;
        self.new.retain(|other| *other != origin);
        self.again.retain(|other| *other != origin);
        Some(tasks)
    }

    fn pop(&mut self) -> Option<T> {
        let (origin, next) = match self.turn {
            Turn::Newest => (self.new.pop_back(), Turn::Oldest),
            Turn::Oldest => (self.new.pop_front(), Turn::Again),
            Turn::Again => (self.again.pop_front(), Turn::Newest),
        };
        let origin = origin
            .or_else(|| self.new.pop_back())
            .or_else(|| self.again.pop_front())?;
        self.turn = next;
        let tasks = self.by_origin.get_mut(&origin)?;
        let task = tasks.pop_front();
        if tasks.is_empty() {
            self.by_origin.remove(&origin);
        } else {
            self.again.push_back(origin);
        }
        task
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> Origin {
        Origin::of(Some(&std::net::Ipv4Addr::from_bits(number).to_string()))
    }

    /// In what order these are done: lane, origin and what it is.
    fn order(pushed: impl IntoIterator<Item = (Priority, u32, u32)>) -> Vec<u32> {
        let mut queue = FairQueue::default();
        for (priority, origin, task) in pushed {
            queue.push(task, address(origin), priority);
        }
        drain(&mut queue)
    }

    fn drain(queue: &mut FairQueue<u32>) -> Vec<u32> {
        let order = core::iter::from_fn(|| queue.pop()).collect();
        for turns in &queue.levels {
            assert!(turns.by_origin.is_empty() && turns.new.is_empty() && turns.again.is_empty());
        }
        order
    }

    #[test]
    fn nothing_is_to_be_done_at_first() {
        assert!(order([]).is_empty());
    }

    #[test]
    fn names_at_home_go_first_and_origins_take_turns() {
        let anyone = [1, 2, 3].map(|task| (Priority::Other, 1, task));
        let others = [
            (Priority::Other, 2, 4),
            (Priority::CleanOrigin, 2, 6),
            (Priority::KnownOrigin, 1, 5),
        ];
        assert_eq!(order(anyone.into_iter().chain(others)), [5, 6, 4, 1, 2, 3]);
    }

    #[test]
    fn whoever_comes_last_is_served_now_and_then() {
        let at_home = (1..=6).map(|task| (Priority::KnownOrigin, 1, task));
        let anyone = [7, 8].map(|task| (Priority::Other, 1, task));
        assert_eq!(order(at_home.chain(anyone)), [1, 2, 3, 7, 4, 5, 6, 8]);
    }

    #[test]
    fn who_came_last_and_who_came_first_and_who_was_served_take_turns() {
        let users = (1..=6).flat_map(|origin| {
            // What each brings has its number, and then that in the tens.
            [origin, origin * 10].map(|task| (Priority::CleanOrigin, origin, task))
        });
        assert_eq!(order(users), [6, 1, 60, 5, 2, 10, 4, 3, 50, 20, 40, 30]);
    }

    #[test]
    fn a_crowd_that_came_before_is_not_served_before() {
        let mut queue = FairQueue::default();
        for origin in 1..=200 {
            for _ in 0..20 {
                queue.push(origin, address(origin), Priority::CleanOrigin);
            }
        }
        for _ in 0..17 {
            queue.pop();
        }
        let device = 1_000;
        queue.push(device, address(device), Priority::CleanOrigin);
        let before = core::iter::from_fn(|| queue.pop())
            .take_while(|task| *task != device)
            .count();
        assert!(before <= 4, "{before}");
    }

    #[test]
    fn who_has_most_waiting_gives_up_the_last_of_it_but_never_all() {
        let mut queue = FairQueue::default();
        assert_eq!(queue.evict(Priority::Other), None);
        for (origin, task) in [(1, 1), (2, 2), (2, 3), (3, 4), (2, 5)] {
            queue.push(task, address(origin), Priority::Other);
        }
        assert_eq!(queue.evict(Priority::KnownOrigin), None);
        assert_eq!(queue.evict(Priority::Other), Some(5));
        assert_eq!(queue.evict(Priority::Other), Some(3));
        assert_eq!(queue.evict(Priority::Other), None);
        assert_eq!(drain(&mut queue), [4, 1, 2]);
    }

    #[test]
    fn what_is_not_wanted_any_more_takes_no_turn() {
        let mut queue = FairQueue::default();
        for (origin, task) in [(1, 1), (1, 2), (2, 3), (3, 4)] {
            queue.push(task, address(origin), Priority::Other);
        }
        queue.retain(|task| *task % 2 == 0);
        assert_eq!(drain(&mut queue), [4, 2]);
    }

    #[test]
    fn an_origin_where_something_failed_goes_behind_the_others_with_all_it_brought() {
        let mut queue = FairQueue::default();
        for task in 1..=3 {
            queue.push(task, address(1), Priority::CleanOrigin);
        }
        queue.push(4, address(2), Priority::CleanOrigin);
        queue.push(5, address(3), Priority::KnownOrigin);
        queue.demote(address(1));
        queue.demote(address(1));
        queue.demote(address(7));
        assert_eq!(drain(&mut queue), [5, 4, 1, 2, 3]);
    }
}
