//! Keeps the process alive where the index of a log is cut short while it is read.
//!
//! SQLite has the index mapped into memory. If another program cuts its file short,
//! the next read of what is gone raises SIGBUS, which ends a process. The handler
//! here puts zeros where the index was, and takes note of it. A connection that has
//! read or written meanwhile finds that note, believes nothing of it, and opens the
//! store anew. A signal that is about anything else goes to the handler of before.

#![expect(
    unsafe_code,
    reason = "signals and mappings are the system's C interface alone"
)]

use core::ffi::{c_int, c_void};
use core::mem;
use core::ptr::{null, null_mut, with_exposed_provenance_mut};
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use libc::{sigaction as SignalAction, siginfo_t};

use crate::wal_index::{REGION_SIZE, Region};

/// So many regions of indexes are guarded: of one log, 4 GiB. One beyond them can end
/// the process, as it does in other programs.
const MOST_REGIONS: usize = 256;

/// So many stores are guarded that a process has open at once.
const MOST_STORES: usize = 64;

/// The regions that are guarded.
static REGIONS: [Guarded; MOST_REGIONS] = [const { Guarded::nothing() }; MOST_REGIONS];

/// What became of the index of each store, as one of the values below.
static STORES: [AtomicU8; MOST_STORES] = [const { AtomicU8::new(FREE) }; MOST_STORES];
const FREE: u8 = 0;
const WHOLE: u8 = 1;
const LOST: u8 = 2;

struct Guarded {
    /// Where it begins; 0 where there is none.
    start: AtomicUsize,
    /// Which of [`STORES`] it belongs to.
    store: AtomicUsize,
}

impl Guarded {
    const fn nothing() -> Self {
        Self {
            start: AtomicUsize::new(0),
            store: AtomicUsize::new(0),
        }
    }

    /// Where it begins, if this address lies in it.
    fn start_of(&self, address: usize) -> Option<usize> {
        let start = self.start.load(Ordering::SeqCst);
        let offset = address.checked_sub(start)?;
        (start != 0 && offset < REGION_SIZE).then_some(start)
    }
}

/// The handler of before, as the system has it, and whether it takes what the signal
/// is about.
static BEFORE: AtomicUsize = AtomicUsize::new(libc::SIG_DFL);
static BEFORE_TAKES_FACTS: AtomicBool = AtomicBool::new(false);

/// Who needs the handler.
static HANDLER: Mutex<Handler> = Mutex::new(Handler {
    guards: 0,
    before: None,
});

struct Handler {
    guards: usize,
    /// What was there before it was set; none while it is not set.
    before: Option<SignalAction>,
}

/// Guards the index of one store, as long as the process has it mapped.
#[derive(Debug)]
pub(crate) struct IndexGuard {
    store: GuardedStore,
    /// How many regions it guards.
    regions: u32,
}

/// A place in [`STORES`]; none where there was no place left.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct GuardedStore(Option<usize>);

impl IndexGuard {
    /// Guards nothing yet.
    pub(crate) fn begin() -> Self {
        let mut handler = lock();
        handler.guards = handler.guards.saturating_add(1);
        if handler.before.is_none() {
            handler.before = set();
        }
        let take = |place: &AtomicU8| {
            place
                .compare_exchange(FREE, WHOLE, Ordering::SeqCst, Ordering::SeqCst)
                .is_ok()
        };
        Self {
            store: GuardedStore(STORES.iter().position(take)),
            regions: 0,
        }
    }

    /// The store whose index it guards.
    pub(crate) fn store(&self) -> GuardedStore {
        self.store
    }

    /// How many regions it guards.
    pub(crate) fn regions(&self) -> u32 {
        self.regions
    }

    /// Guards one more region; says whether there was a place for it.
    pub(crate) fn add(&mut self, Region(start): Region) -> bool {
        let GuardedStore(Some(store)) = self.store else {
            return false;
        };
        // Alone, so that a place that is free stays so.
        let _handler = lock();
        let is_free = |region: &&Guarded| region.start.load(Ordering::SeqCst) == 0;
        let Some(region) = REGIONS.iter().find(is_free) else {
            return false;
        };
        region.store.store(store, Ordering::SeqCst);
        region.start.store(start, Ordering::SeqCst);
        self.regions = self.regions.saturating_add(1);
        true
    }
}

impl Drop for IndexGuard {
    fn drop(&mut self) {
        let mut handler = lock();
        if let GuardedStore(Some(store)) = self.store {
            for region in &REGIONS {
                if region.store.load(Ordering::SeqCst) == store {
                    region.start.store(0, Ordering::SeqCst);
                }
            }
            if let Some(place) = STORES.get(store) {
                place.store(FREE, Ordering::SeqCst);
            }
        }
        handler.guards = handler.guards.saturating_sub(1);
        if handler.guards == 0 {
            handler.before = handler.before.take().filter(|before| !unset(before));
        }
    }
}

impl GuardedStore {
    /// Says whether a part of the index was lost, so that there are zeros there.
    pub(crate) fn has_lost_index(self) -> bool {
        let place = self.0.and_then(|store| STORES.get(store));
        place.is_some_and(|place| place.load(Ordering::SeqCst) == LOST)
    }
}

fn lock() -> MutexGuard<'static, Handler> {
    // INVARIANT: nothing panics while it is held.
    HANDLER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sets the handler, and returns what was there before; none where the system
/// refuses, as it never does.
fn set() -> Option<SignalAction> {
    // SAFETY: all zeros is a valid value of this type.
    let mut ours: SignalAction = unsafe { mem::zeroed() };
    // SAFETY: as above.
    let mut before: SignalAction = unsafe { mem::zeroed() };
    ours.sa_sigaction = this_handler();
    ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
    // SAFETY: it only reads.
    let is_told = unsafe { libc::sigaction(libc::SIGBUS, null(), &raw mut before) } == 0;
    if !is_told {
        return None;
    }
    // Before the handler can be called.
    let takes_facts = before.sa_flags & libc::SA_SIGINFO != 0;
    BEFORE.store(before.sa_sigaction, Ordering::SeqCst);
    BEFORE_TAKES_FACTS.store(takes_facts, Ordering::SeqCst);
    // SAFETY: the handler does nothing that a handler may not do.
    let is_set = unsafe { libc::sigaction(libc::SIGBUS, &raw const ours, null_mut()) } == 0;
    is_set.then_some(before)
}

/// Puts back what was there before, unless somebody has put another handler there,
/// which may call this one; says whether it did.
fn unset(before: &SignalAction) -> bool {
    // SAFETY: all zeros is a valid value of this type.
    let mut now: SignalAction = unsafe { mem::zeroed() };
    // SAFETY: it only reads.
    let is_told = unsafe { libc::sigaction(libc::SIGBUS, null(), &raw mut now) } == 0;
    if !is_told || now.sa_sigaction != this_handler() {
        return false;
    }
    // SAFETY: the system itself gave this value.
    unsafe { libc::sigaction(libc::SIGBUS, before, null_mut()) == 0 }
}

fn this_handler() -> usize {
    let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = on_fault;
    (handler as *const ()).addr()
}

/// Called by the system in whatever thread read what is gone. It takes no lock and no
/// memory.
extern "C" fn on_fault(signal: c_int, facts: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the system passes what the signal is about.
    let told = unsafe { facts.as_ref() };
    // One that a process has sent is about no address.
    let told = told.filter(|facts| facts.si_code == libc::BUS_ADRERR);
    // SAFETY: this kind of signal has an address.
    let address = told.map(|facts| unsafe { facts.si_addr() }.addr());
    if address.is_some_and(put_zeros) {
        return;
    }
    pass_on(signal, facts, context);
}

/// Puts zeros in the place of the region that an address lies in; says whether it could.
fn put_zeros(address: usize) -> bool {
    let its = |region: &Guarded| {
        let start = region.start_of(address)?;
        Some((start, region.store.load(Ordering::SeqCst)))
    };
    let Some((start, store)) = REGIONS.iter().find_map(its) else {
        return false;
    };
    let Some(store) = STORES.get(store) else {
        return false;
    };
    // First, so that who reads zeros finds it.
    store.store(LOST, Ordering::SeqCst);
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let how = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
    let start = with_exposed_provenance_mut::<c_void>(start);
    // SAFETY: SQLite has this very region mapped, of which it believes nothing that
    // can do harm: each value in it may be another process's doing.
    let put = unsafe { libc::mmap(start, REGION_SIZE, access, how, -1, 0) };
    put != libc::MAP_FAILED
}

/// Leaves a signal to the handler of before.
fn pass_on(signal: c_int, facts: *mut siginfo_t, context: *mut c_void) {
    let before = BEFORE.load(Ordering::SeqCst);
    if before == libc::SIG_DFL || before == libc::SIG_IGN {
        // SAFETY: a handler may call it.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
        // It waits until this handler has returned, and ends the process then.
        // SAFETY: a handler may call it.
        unsafe { libc::raise(signal) };
        return;
    }
    let before = with_exposed_provenance_mut::<c_void>(before);
    if BEFORE_TAKES_FACTS.load(Ordering::SeqCst) {
        // SAFETY: the system had it as a handler of this kind.
        let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) =
            unsafe { mem::transmute(before) };
        handler(signal, facts, context);
    } else {
        // SAFETY: the system had it as a handler of this kind.
        let handler: extern "C" fn(c_int) = unsafe { mem::transmute(before) };
        handler(signal);
    }
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::AtomicU32;
    use std::env;
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::{Command, ExitStatus};

    use super::*;

    /// Tells a child what it is to do, as the handler is the whole process's.
    const PART: &str = "COUNTERSIGN_TEST_PART";

    /// Runs the test of this name once more, in a process of its own.
    fn child(test: &str, part: &str) -> ExitStatus {
        let name = format!("index_fault::tests::{test}");
        let mut child = Command::new(env::current_exe().unwrap());
        let child = child.args(["--exact", &name]).env(PART, part);
        child.output().unwrap().status
    }

    static CALLS: AtomicU32 = AtomicU32::new(0);

    extern "C" fn count(_signal: c_int) {
        CALLS.fetch_add(1, Ordering::SeqCst);
    }

    fn raise() {
        // SAFETY: a process may send itself a signal.
        assert_eq!(unsafe { libc::raise(libc::SIGBUS) }, 0);
    }

    fn handle_by(handler: usize) {
        // SAFETY: the handler does nothing that a handler may not do.
        let before = unsafe { libc::signal(libc::SIGBUS, handler) };
        assert_ne!(before, libc::SIG_ERR);
    }

    fn count_signals() {
        let handler: extern "C" fn(c_int) = count;
        handle_by((handler as *const ()).addr());
    }

    #[test]
    fn a_signal_about_anything_else_goes_where_it_went_before() {
        match env::var(PART).as_deref() {
            Ok("handler") => {
                count_signals();
                let guards = [IndexGuard::begin(), IndexGuard::begin()];
                raise();
                assert_eq!(CALLS.load(Ordering::SeqCst), 1);
                drop(guards);
                raise();
                assert_eq!(CALLS.load(Ordering::SeqCst), 2);
                // One that was set meanwhile stays.
                let guard = IndexGuard::begin();
                count_signals();
                drop(guard);
                raise();
                assert_eq!(CALLS.load(Ordering::SeqCst), 3);
            }
            Ok(_) => {
                // In place of the one that Rust has for the stack.
                handle_by(libc::SIG_DFL);
                let _guard = IndexGuard::begin();
                raise();
            }
            Err(_) => {
                let test = "a_signal_about_anything_else_goes_where_it_went_before";
                assert!(child(test, "handler").success());
                assert_eq!(child(test, "nothing").signal(), Some(libc::SIGBUS));
            }
        }
    }
}
