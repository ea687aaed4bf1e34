//! Waking the broker's thread out of its wait for packets.
//!
//! The broker offers nothing for this. A signal does it: `epoll_wait` ends
//! with `EINTR` and the loop goes round, ticking the plugin. The handler does
//! nothing, and `SA_RESTART` keeps it from being seen anywhere else.

use core::ffi::c_int;
use core::mem::MaybeUninit;
use core::ptr;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Wakes the thread that made it, until it is dropped.
#[derive(Debug)]
pub(crate) struct Waker {
    shared: Arc<WakerShared>,
}

#[derive(Debug)]
struct WakerShared {
    thread: libc::pthread_t,
    signal: c_int,
    /// Sends the signal a little later.
    timer: Timer,
    ended: AtomicBool,
}

impl Waker {
    /// Takes a free real-time signal for waking this thread.
    ///
    /// # Errors
    ///
    /// Returns the operating system's error, or says that no signal is free.
    pub(crate) fn new() -> io::Result<Self> {
        let signal = take_free_signal()?;
        match Timer::new(signal) {
            Ok(timer) => Ok(Self {
                shared: Arc::new(WakerShared {
                    // SAFETY: it has no preconditions.
                    thread: unsafe { libc::pthread_self() },
                    signal,
                    timer,
                    ended: AtomicBool::new(false),
                }),
            }),
            Err(error) => {
                give_back(signal);
                Err(error)
            }
        }
    }

    /// What wakes the thread, from any thread, and nobody once this is
    /// dropped.
    pub(crate) fn wake(&self) -> impl Fn() + Send + Sync + 'static {
        let shared = Arc::clone(&self.shared);
        move || shared.wake()
    }
}

impl Drop for Waker {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.shared.timer.stop();
        give_back(self.shared.signal);
    }
}

impl WakerShared {
    fn wake(&self) {
        if self.ended.load(Ordering::SeqCst) {
            return;
        }
        // SAFETY: it has no preconditions.
        let caller = unsafe { libc::pthread_self() };
        // SAFETY: both are threads that run: the caller's own and the broker's
        // first, which ends with the process.
        let is_own = unsafe { libc::pthread_equal(caller, self.thread) } != 0;
        if is_own {
            // A signal now would come before the wait that it is to end.
            self.timer.start();
        } else {
            // The only failures are a thread that is gone and a number that is
            // no signal; neither is worth a word.
            // SAFETY: the broker's first thread ends with the process.
            let _sent = unsafe { libc::pthread_kill(self.thread, self.signal) };
        }
    }
}

/// Sends a signal to the thread that made it, when started and once.
#[derive(Debug)]
struct Timer(libc::timer_t);

// SAFETY: the pointer is the kernel's name for a timer, and POSIX lets any
// thread use it.
unsafe impl Send for Timer {}
// SAFETY: as above; setting a timer needs no exclusion.
unsafe impl Sync for Timer {}

impl Timer {
    fn new(signal: c_int) -> io::Result<Self> {
        // SAFETY: zeroes are a valid `sigevent`.
        let mut event = unsafe { MaybeUninit::<libc::sigevent>::zeroed().assume_init() };
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = signal;
        // SAFETY: it has no preconditions.
        event.sigev_notify_thread_id = unsafe { libc::gettid() };
        let mut timer = MaybeUninit::uninit();
        // SAFETY: both pointers are to locals of the right type.
        let made = unsafe {
            libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, timer.as_mut_ptr())
        };
        if made != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call above succeeded and wrote it.
        Ok(Self(unsafe { timer.assume_init() }))
    }

    fn start(&self) {
        self.set(SOON_NANOSECONDS);
    }

    fn stop(&self) {
        self.set(0);
    }

    fn set(&self, nanoseconds: i64) {
        let zero = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let time = libc::itimerspec {
            it_interval: zero,
            it_value: libc::timespec {
                tv_sec: 0,
                tv_nsec: nanoseconds,
            },
        };
        // It can't fail: the timer exists and the time is a valid one.
        // SAFETY: the timer is deleted by `drop` alone, the time is a local,
        // and null is allowed.
        let _set = unsafe { libc::timer_settime(self.0, 0, &raw const time, ptr::null_mut()) };
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: made by `timer_create` and deleted once.
        let _deleted = unsafe { libc::timer_delete(self.0) };
    }
}

/// Keeps all signals from this thread and from those that it starts, until it
/// is dropped, but for [`OWN_FAULTS`].
#[derive(Debug)]
pub(crate) struct SignalsBlocked {
    before: libc::sigset_t,
}

impl SignalsBlocked {
    pub(crate) fn new() -> Self {
        let mut all = MaybeUninit::uninit();
        // SAFETY: the pointer is to a local.
        unsafe { libc::sigfillset(all.as_mut_ptr()) };
        for signal in OWN_FAULTS {
            // SAFETY: the set was filled above.
            unsafe { libc::sigdelset(all.as_mut_ptr(), signal) };
        }
        let mut before = MaybeUninit::zeroed();
        // It fails for a wrong first argument alone.
        // SAFETY: the set was filled above; the other pointer is to a local.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) };
        Self {
            // SAFETY: written by the call above, and zeroes are valid besides.
            before: unsafe { before.assume_init() },
        }
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        // It fails for a wrong first argument alone.
        // SAFETY: the set is the one that was in force; null is allowed.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, ptr::null_mut())
        };
    }
}

/// Installs the handler for the first signal that is not in use.
///
/// Another instance of this plugin counts as somebody: so each has a signal of
/// its own, and what one gives back the others don't miss.
fn take_free_signal() -> io::Result<c_int> {
    let first = libc::SIGRTMIN().saturating_add(OFFSET);
    for signal in first..=libc::SIGRTMAX() {
        if handler_of(signal)? == libc::SIG_DFL {
            set_handler(
                signal,
                nothing as extern "C" fn(c_int) as libc::sighandler_t,
            )?;
            return Ok(signal);
        }
    }
    Err(io::Error::other("every real-time signal is in use"))
}

/// Gives the signal back as [`take_free_signal`] found it, unless somebody else
/// has taken it since.
fn give_back(signal: c_int) {
    let ours = nothing as extern "C" fn(c_int) as libc::sighandler_t;
    if !handler_of(signal).is_ok_and(|handler| handler == ours) {
        return;
    }
    // Ignoring it first discards one that is on its way, whose default would
    // end the process.
    if set_handler(signal, libc::SIG_IGN).is_ok() {
        // What fails leaves it ignored, which does no harm.
        let _restored = set_handler(signal, libc::SIG_DFL);
    }
}

fn handler_of(signal: c_int) -> io::Result<libc::sighandler_t> {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: null changes nothing; the other pointer is to a local.
    let failed = unsafe { libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) };
    if failed != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call above succeeded and wrote it.
    Ok(unsafe { action.assume_init() }.sa_sigaction)
}

fn set_handler(signal: c_int, handler: libc::sighandler_t) -> io::Result<()> {
    // SAFETY: zeroes are a valid `sigaction`.
    let mut action = unsafe { MaybeUninit::<libc::sigaction>::zeroed().assume_init() };
    action.sa_sigaction = handler;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: the handler is a constant or does nothing; the pointer is to a
    // local, and null is allowed.
    let failed = unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) };
    if failed == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The handler. That a signal came is all there is to know.
extern "C" fn nothing(_signal: c_int) {}

/// The first signal asked for is `SIGRTMIN` plus this.
const OFFSET: c_int = 5;
/// Long enough for the broker to get from a tick to its wait.
const SOON_NANOSECONDS: i64 = 1_000_000;
/// What a thread raises itself, and what ends the process where it is blocked: the store
/// handles that a part of one of its files is gone, and the host may handle the others.
const OWN_FAULTS: [c_int; 4] = [libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGSEGV];

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::{Mutex, MutexGuard, PoisonError};
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;

    /// Looking for a free signal and taking it is for one thread at a time.
    static ALONE: Mutex<()> = Mutex::new(());

    pub(crate) fn alone() -> MutexGuard<'static, ()> {
        ALONE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits as the broker does; says whether a signal ended the wait.
    fn wait_interrupted() -> bool {
        let start = Instant::now();
        // SAFETY: no descriptors are given.
        let ended = unsafe { libc::poll(ptr::null_mut(), 0, 5_000) };
        ended == -1 && start.elapsed() < Duration::from_secs(5)
    }

    #[test]
    fn another_thread_ends_the_wait() {
        let _alone = alone();
        let waker = Waker::new().unwrap();
        let wake = waker.wake();
        let thread = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            wake();
        });
        assert!(wait_interrupted());
        thread.join().unwrap();
    }

    #[test]
    fn the_thread_itself_ends_its_next_wait() {
        let _alone = alone();
        let waker = Waker::new().unwrap();
        waker.wake()();
        assert!(wait_interrupted());
    }

    #[test]
    fn two_plugins_have_a_signal_each_and_give_both_back() {
        let _alone = alone();
        let one = Waker::new().unwrap();
        let two = Waker::new().unwrap();
        let (first, second) = (one.shared.signal, two.shared.signal);
        assert_ne!(first, second);
        drop(one);
        assert_eq!(handler_of(first).unwrap(), libc::SIG_DFL);
        assert_ne!(handler_of(second).unwrap(), libc::SIG_DFL);
        let wake = two.wake();
        drop(two);
        assert_eq!(handler_of(second).unwrap(), libc::SIG_DFL);
        // With the default in force again, a signal would end this process.
        wake();
        thread::spawn(wake).join().unwrap();
    }

    #[test]
    fn a_signal_that_somebody_uses_is_left_alone() {
        extern "C" fn theirs(_signal: c_int) {}
        let _alone = alone();
        let signal = Waker::new().unwrap().shared.signal;
        let handler = theirs as extern "C" fn(c_int) as libc::sighandler_t;
        set_handler(signal, handler).unwrap();
        let waker = Waker::new().unwrap();
        assert!(waker.shared.signal > signal);
        drop(waker);
        assert_eq!(handler_of(signal).unwrap(), handler);
        set_handler(signal, libc::SIG_DFL).unwrap();
    }

    #[test]
    fn threads_started_meanwhile_get_no_signal() {
        fn blocks(signal: c_int) -> bool {
            let mut set = MaybeUninit::zeroed();
            // SAFETY: null changes nothing; the other pointer is to a local.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, ptr::null(), set.as_mut_ptr()) };
            // SAFETY: written above, and zeroes are valid besides.
            let set = unsafe { set.assume_init() };
            // SAFETY: a valid set.
            unsafe { libc::sigismember(&raw const set, signal) == 1 }
        }
        let blocked = SignalsBlocked::new();
        let inherited = thread::spawn(|| {
            let others = [libc::SIGTERM, libc::SIGRTMIN() + 5];
            others.into_iter().all(blocks) && !OWN_FAULTS.into_iter().any(blocks)
        });
        drop(blocked);
        assert!(inherited.join().unwrap());
        assert!(!blocks(libc::SIGTERM));
    }
}
