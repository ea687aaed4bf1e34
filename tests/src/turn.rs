//! Which tests run at the same time.

use std::sync::{Condvar, Mutex};

/// A test's turn, until it is dropped.
#[derive(Debug)]
pub struct Turn(usize);

/// Waits for a turn among as many others as the machine bears.
pub fn beside_others() -> Turn {
    Turn::take(1)
}

/// Waits for a turn with no more than one other.
pub fn nearly_alone() -> Turn {
    Turn::take(places() - 1)
}

/// Twice the number of processors: tests wait for most of their time.
fn places() -> usize {
    2 * std::thread::available_parallelism().map_or(2, usize::from)
}

/// Who came when, and how many places are taken. Turns are given in the order in
/// which they are asked for.
struct Queue {
    came: u64,
    served: u64,
    taken: usize,
}

static QUEUE: Mutex<Queue> = Mutex::new(Queue {
    came: 0,
    served: 0,
    taken: 0,
});
static CHANGED: Condvar = Condvar::new();

impl Turn {
    fn take(count: usize) -> Self {
        let mut queue = QUEUE.lock().unwrap();
        let number = queue.came;
        queue.came += 1;
        let must_wait =
            |queue: &mut Queue| queue.served != number || queue.taken + count > places();
        let mut queue = CHANGED.wait_while(queue, must_wait).unwrap();
        queue.served += 1;
        queue.taken += count;
        CHANGED.notify_all();
        Self(count)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Ok(mut queue) = QUEUE.lock() {
            queue.taken -= self.0;
        }
        CHANGED.notify_all();
    }
}
