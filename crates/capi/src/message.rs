//! The last error message of each thread.

use std::cell::RefCell;

use core::ffi::c_char;

use gate::core::given::one_line;

use crate::boundary::{guard, put};
use crate::status::{CallError, countersign_status};

thread_local! {
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps the message of a call that failed, on one line.
pub(crate) fn keep(message: &str) {
    // A thread that is ending has nobody to tell.
    let _kept = LAST.try_with(|last| {
        if let Ok(mut last) = last.try_borrow_mut() {
            *last = one_line(message);
        }
    });
}

/// Copies what the last call that failed on this thread said: one line of
/// UTF-8, without a secret and without a line end.
///
/// `buffer` gets at most `capacity` bytes, a NUL at their end among them, and
/// may be NULL if `capacity` is 0. `*length_out` (may be NULL) gets the length
/// of the whole line without NUL. Answers COUNTERSIGN_TRUNCATED if the line did
/// not fit.
///
/// Any thread; each has a message of its own. Keeps nothing.
///
/// # Safety
///
/// `buffer` is NULL or has `capacity` writable bytes; `length_out` is NULL or
/// writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn countersign_last_message(
    buffer: *mut c_char,
    capacity: usize,
    length_out: *mut usize,
) -> countersign_status {
    // Not by `guard` alone: this must not replace the message that it reads.
    let line = LAST
        .try_with(|last| {
            last.try_borrow()
                .map(|last| last.clone())
                .unwrap_or_default()
        })
        .unwrap_or_default();
    guard(|| {
        if !length_out.is_null() {
            // SAFETY: writable, by this function's contract.
            unsafe { put(length_out, line.len()) }?;
        }
        if capacity == 0 {
            return Err(CallError::new(
                countersign_status::COUNTERSIGN_TRUNCATED,
                line.clone(),
            ));
        }
        if buffer.is_null() {
            return Err(CallError::new(
                countersign_status::COUNTERSIGN_NULL,
                line.clone(),
            ));
        }
        let room = capacity.saturating_sub(1).min(line.len());
        // SAFETY: `room` is less than `capacity`, which `buffer` has, by this
        // function's contract; a line of ours can't overlap it.
        unsafe { core::ptr::copy_nonoverlapping(line.as_ptr(), buffer.cast::<u8>(), room) };
        // SAFETY: `room` is less than `capacity`.
        let end = unsafe { buffer.add(room) };
        // SAFETY: within the buffer, as above.
        unsafe { end.write(0) };
        if room < line.len() {
            return Err(CallError::new(
                countersign_status::COUNTERSIGN_TRUNCATED,
                line.clone(),
            ));
        }
        Ok(())
    })
}
