//! Two connections that act at once.

use std::sync::Barrier;
use std::thread;

use countersign_core::store::{GateStore, Recorded};

/// Runs `act` on both connections at the same moment, told which of the two it
/// runs on.
pub(crate) fn at_once<S: GateStore, T: Send>(
    one: &mut S,
    other: &mut S,
    act: impl Fn(&mut S, usize) -> T + Sync,
) -> [T; 2] {
    let start = Barrier::new(2);
    let run = |store: &mut S, side| {
        start.wait();
        act(store, side)
    };
    thread::scope(|scope| {
        let other = scope.spawn(|| run(other, 1));
        [run(one, 0), other.join().unwrap()]
    })
}

/// How many of two that run at the same moment were [`Recorded::Done`].
pub(crate) fn race<S: GateStore>(
    one: &mut S,
    other: &mut S,
    act: impl Fn(&mut S, usize) -> Recorded + Sync,
) -> usize {
    let both = at_once(one, other, act);
    both.iter().filter(|one| **one == Recorded::Done).count()
}
