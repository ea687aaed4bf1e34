//! The gate's threads take none of the host's signals.

use core::ffi::c_int;
use core::mem::MaybeUninit;
use core::ptr;

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

/// What a thread raises itself, and what ends the process where it is blocked: the store
/// handles that a part of one of its files is gone, and the host may handle the others.
const OWN_FAULTS: [c_int; 4] = [libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGSEGV];
