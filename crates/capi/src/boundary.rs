//! The only place where pointers of C become references, and where a panic
//! stops.

use core::ffi::c_char;
use core::mem::MaybeUninit;
use core::panic::AssertUnwindSafe;
use core::ptr::NonNull;
use std::panic::catch_unwind;

use crate::message;
use crate::status::{CallError, countersign_status};

/// Bytes with their length. NUL is a byte like any other.
///
/// As an argument: `data` NULL and `length` 0 is "absent"; any other `data` with
/// `length` 0 is "there, and empty". At most 65535 bytes, the longest string of
/// MQTT. The library reads them during the call and keeps no pointer to them.
///
/// As an answer: NULL is "absent"; else `data[length]` is NUL, which `length`
/// does not count.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct countersign_bytes {
    /// The first byte.
    pub data: *const c_char,
    /// How many there are.
    pub length: usize,
}

impl countersign_bytes {
    /// None.
    pub(crate) const ABSENT: Self = Self {
        data: core::ptr::null(),
        length: 0,
    };

    /// The bytes, or none if they are absent.
    ///
    /// # Safety
    ///
    /// `data` is NULL or has `length` readable bytes, which stay unchanged for
    /// `'a`.
    pub(crate) unsafe fn read<'a>(self, what: &str) -> Result<Option<&'a [u8]>, CallError> {
        let Some(data) = NonNull::new(self.data.cast_mut()) else {
            if self.length == 0 {
                return Ok(None);
            }
            let message = format!("{what} is NULL, and its length is not 0");
            return Err(CallError::new(
                countersign_status::COUNTERSIGN_NULL,
                message,
            ));
        };
        if self.length > LONGEST {
            let message = format!("{what} is longer than {LONGEST} bytes");
            return Err(CallError::new(
                countersign_status::COUNTERSIGN_TOO_LONG,
                message,
            ));
        }
        // SAFETY: not NULL, so many and unchanged, by this function's contract;
        // bytes need no alignment.
        Ok(Some(unsafe {
            core::slice::from_raw_parts(data.as_ptr().cast::<u8>(), self.length)
        }))
    }

    /// The bytes, which must be there.
    ///
    /// # Safety
    ///
    /// As [`countersign_bytes::read`].
    pub(crate) unsafe fn require<'a>(self, what: &str) -> Result<&'a [u8], CallError> {
        // SAFETY: by this function's contract.
        unsafe { self.read(what) }?.ok_or_else(|| null(what))
    }

    /// The bytes as text; none if they are absent.
    ///
    /// # Safety
    ///
    /// As [`countersign_bytes::read`].
    pub(crate) unsafe fn text<'a>(self, what: &str) -> Result<Option<&'a str>, CallError> {
        // SAFETY: by this function's contract.
        let bytes = unsafe { self.read(what) }?;
        bytes
            .map(|bytes| core::str::from_utf8(bytes).map_err(|_| malformed(what)))
            .transpose()
    }

    /// The bytes as text, which must be there.
    ///
    /// # Safety
    ///
    /// As [`countersign_bytes::read`].
    pub(crate) unsafe fn require_text<'a>(self, what: &str) -> Result<&'a str, CallError> {
        // SAFETY: by this function's contract.
        unsafe { self.text(what) }?.ok_or_else(|| null(what))
    }
}

/// The texts of an array, each of which must be there. NULL is none.
///
/// # Safety
///
/// `first` is NULL or has `count` elements, each as [`countersign_bytes::read`] says.
pub(crate) unsafe fn texts<'a>(
    first: *const countersign_bytes,
    count: usize,
    what: &str,
) -> Result<Vec<&'a str>, CallError> {
    if count == 0 {
        return Ok(Vec::new());
    }
    if first.is_null() {
        return Err(null(what));
    }
    if count > MOST_TEXTS {
        let message = format!("{what} are more than {MOST_TEXTS}");
        return Err(CallError::new(
            countersign_status::COUNTERSIGN_MALFORMED,
            message,
        ));
    }
    // SAFETY: not NULL, and so many, by this function's contract.
    let all = unsafe { core::slice::from_raw_parts(first, count) };
    all.iter()
        // SAFETY: by this function's contract.
        .map(|text| unsafe { text.require_text(what) })
        .collect()
}

/// Bytes that are answered, with the NUL behind them that C likes to see. They
/// may be a secret, so they are wiped when they are dropped.
pub(crate) struct OwnedBytes(zeroize::Zeroizing<Vec<u8>>);

impl OwnedBytes {
    pub(crate) fn new(text: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(text.len().saturating_add(1));
        bytes.extend_from_slice(text);
        bytes.push(0);
        Self(zeroize::Zeroizing::new(bytes))
    }

    /// What C gets, for as long as this lives.
    pub(crate) fn lend(&self) -> countersign_bytes {
        countersign_bytes {
            data: self.0.as_ptr().cast(),
            length: self.0.len().saturating_sub(1),
        }
    }
}

/// What C gets of bytes that may be absent.
pub(crate) fn lend(answered: Option<&OwnedBytes>) -> countersign_bytes {
    answered.map_or(countersign_bytes::ABSENT, OwnedBytes::lend)
}

/// Runs `body`, and answers how it ended; a panic ends here.
///
/// What is answered through pointers must be set to "no" before `body` does
/// anything that can fail: see [`put`].
pub(crate) fn guard(body: impl FnOnce() -> Result<(), CallError>) -> countersign_status {
    // Unwind safety: objects are taken out of their place while they are used
    // and put back by a destructor; what a panic leaves half written in a gate
    // is one session or one verdict, and what a gate does not find complete it
    // denies.
    let ended = catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| {
        #[expect(
            clippy::mem_forget,
            reason = "dropping a panic payload may panic again"
        )]
        core::mem::forget(payload);
        Err(CallError::new(
            countersign_status::COUNTERSIGN_PANIC,
            "something went wrong inside the library",
        ))
    });
    match ended {
        Ok(()) => countersign_status::COUNTERSIGN_OK,
        Err(failure) => {
            message::keep(&failure.message);
            failure.status
        }
    }
}

/// Writes an answer.
///
/// # Safety
///
/// `out` is NULL, or writable and aligned, and read by nobody meanwhile.
pub(crate) unsafe fn put<T>(out: *mut T, value: T) -> Result<(), CallError> {
    if out.is_null() {
        return Err(null("where to put the answer"));
    }
    // SAFETY: not NULL, and writable, by this function's contract.
    unsafe { out.write(value) };
    Ok(())
}

/// A structure that C filled, which begins with its size.
///
/// # Safety
///
/// `structure` is NULL, or points to a `T` that begins with a `usize`, its own
/// size as the program knows it; it stays unchanged for `'a`.
pub(crate) unsafe fn sized<'a, T>(structure: *const T, what: &str) -> Result<&'a T, CallError> {
    if structure.is_null() {
        return Err(null(what));
    }
    // SAFETY: not NULL, and begins so, by this function's contract.
    let size = unsafe { structure.cast::<usize>().read() };
    if size != size_of::<T>() {
        let message = format!(
            "{what} has size {size} and not {}: this library has another version than its header",
            size_of::<T>()
        );
        return Err(CallError::new(
            countersign_status::COUNTERSIGN_UNSUPPORTED,
            message,
        ));
    }
    // SAFETY: not NULL, and of this size, by the lines above.
    Ok(unsafe { &*structure })
}

/// A structure that C filled, which grew at its end since it was as long as one of
/// `earlier` says. What an earlier program does not know is zero.
///
/// # Safety
///
/// As [`sized`]; each of `earlier` is less than the size of `T`, and is the end of one
/// of its fields. A `T` of zeroes is one.
pub(crate) unsafe fn grown<T>(
    structure: *const T,
    earlier: &[usize],
    what: &str,
) -> Result<T, CallError> {
    if structure.is_null() {
        return Err(null(what));
    }
    // SAFETY: not NULL, and begins so, by this function's contract.
    let size = unsafe { structure.cast::<usize>().read() };
    if !earlier.contains(&size) {
        // SAFETY: by this function's contract.
        let whole = unsafe { sized(structure, what) }?;
        // SAFETY: of this size, by the line above; C's structures may be copied.
        return Ok(unsafe { core::ptr::read(whole) });
    }
    let mut whole = MaybeUninit::<T>::zeroed();
    let begin = whole.as_mut_ptr().cast::<u8>();
    // SAFETY: C has so many bytes, as it says, and a `T` has more; it is a local.
    unsafe { core::ptr::copy_nonoverlapping(structure.cast::<u8>(), begin, size) };
    // SAFETY: zeroes are one, by this function's contract, and so is what begins
    // as C wrote it.
    Ok(unsafe { whole.assume_init() })
}

pub(crate) fn null(what: &str) -> CallError {
    CallError::new(
        countersign_status::COUNTERSIGN_NULL,
        format!("{what} is NULL"),
    )
}

pub(crate) fn malformed(what: &str) -> CallError {
    let message = format!("{what} is not valid UTF-8");
    CallError::new(countersign_status::COUNTERSIGN_MALFORMED, message)
}

/// The longest string of MQTT (MQTT 5.0 §1.5.4).
const LONGEST: usize = 65_535;

/// Above what a credential may have of anything.
const MOST_TEXTS: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_status() {
        let status = guard(|| panic!("boom"));
        assert_eq!(status, countersign_status::COUNTERSIGN_PANIC);
    }

    #[test]
    fn a_payload_that_panics_when_dropped_does_no_harm() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("again");
            }
        }
        let status = guard(|| std::panic::panic_any(Bomb));
        assert_eq!(status, countersign_status::COUNTERSIGN_PANIC);
    }

    #[test]
    fn lengths_that_no_string_has_are_never_read() {
        let bytes = |length| countersign_bytes {
            data: c"x".as_ptr(),
            length,
        };
        for length in [65_536, usize::MAX / 2, usize::MAX] {
            // SAFETY: nothing of such a length is read.
            let read = unsafe { bytes(length).read("it") };
            assert_eq!(
                read.unwrap_err().status,
                countersign_status::COUNTERSIGN_TOO_LONG
            );
        }
        // SAFETY: nothing is read.
        assert_eq!(unsafe { bytes(0).read("it") }.unwrap(), Some(&b""[..]));
        // SAFETY: nothing is read.
        let absent = unsafe { countersign_bytes::ABSENT.read("it") };
        assert_eq!(absent.unwrap(), None);
    }
}
