//! Where pointers of the broker become references, those that come with an event
//! apart, and where a panic stops.
//!
//! Nothing made here outlives the callback that it was made in.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::marker::PhantomData;
use core::panic::AssertUnwindSafe;
use core::ptr::NonNull;
use std::panic::catch_unwind;

use countersign::Handle;
use countersign_mosquitto_sys as sys;

/// Runs `body`; if it panics, answers `refusal` instead.
///
/// `refusal` is an argument and not a default on purpose: each caller writes
/// down what "no" is for its event.
pub(crate) fn shielded<T>(refusal: T, body: impl FnOnce() -> T) -> T {
    // Unwind safety: what a panic leaves half written is one session or one
    // verdict, and whatever the gate does not find complete it denies.
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| {
        #[expect(
            clippy::mem_forget,
            reason = "dropping a panic payload may panic again"
        )]
        core::mem::forget(payload);
        refusal
    })
}

/// A client of the broker, for the time of one callback.
///
/// What the broker tells about a client is borrowed from this value, and what
/// changes the client takes it by `&mut`: so nothing that was read is used
/// after it was freed.
#[derive(Debug)]
pub(crate) struct BrokerClient<'event> {
    pointer: NonNull<sys::mosquitto>,
    event: PhantomData<&'event mut sys::mosquitto>,
}

impl BrokerClient<'_> {
    /// The client that `pointer` points to; none if it is null.
    ///
    /// # Safety
    ///
    /// `pointer` is null or, as long as the value lives, a client that the
    /// broker's functions take.
    pub(crate) unsafe fn new(pointer: *mut sys::mosquitto) -> Option<Self> {
        let pointer = NonNull::new(pointer)?;
        Some(Self {
            pointer,
            event: PhantomData,
        })
    }

    /// What tells it from other connections.
    pub(crate) fn handle(&self) -> Handle {
        Handle(self.pointer.addr().get())
    }

    /// For functions of the broker alone.
    pub(crate) fn as_ptr(&self) -> *mut sys::mosquitto {
        self.pointer.as_ptr()
    }

    /// The bytes of a string that lives as long as the client is unchanged;
    /// none if it is null.
    ///
    /// # Safety
    ///
    /// `text` is null or ends with NUL, and stays valid and unchanged until
    /// the client is changed or this value is gone.
    pub(crate) unsafe fn bytes(&self, text: *const c_char) -> Option<&[u8]> {
        let text = NonNull::new(text.cast_mut())?;
        // SAFETY: not null, terminated and unchanged, by this function's contract.
        let text = unsafe { CStr::from_ptr(text.as_ptr()) };
        Some(text.to_bytes())
    }

    /// So many bytes that live as long as the client is unchanged; none if the
    /// pointer is null.
    ///
    /// # Safety
    ///
    /// `data` is null or points to `length` bytes, and they stay valid and
    /// unchanged until the client is changed or this value is gone.
    pub(crate) unsafe fn data(&self, data: *const c_void, length: usize) -> Option<&[u8]> {
        let data = NonNull::new(data.cast_mut().cast::<u8>())?;
        // SAFETY: not null, so many and unchanged, by this function's contract.
        Some(unsafe { core::slice::from_raw_parts(data.as_ptr(), length) })
    }
}

/// Says whether 5 is among the versions of the interface that the broker
/// offers.
///
/// # Safety
///
/// `versions` is null or points to `count` integers.
pub(crate) unsafe fn offers_version_5(versions: *const c_int, count: c_int) -> bool {
    let Ok(count) = usize::try_from(count) else {
        return false;
    };
    let Some(versions) = NonNull::new(versions.cast_mut()) else {
        return false;
    };
    // SAFETY: not null and so many, by this function's contract.
    let versions = unsafe { core::slice::from_raw_parts(versions.as_ptr(), count) };
    versions.contains(&sys::MOSQ_PLUGIN_VERSION)
}

/// The options of the plugin; none if a key or a value is missing or no UTF-8.
///
/// # Safety
///
/// `options` is null or points to `count` options, whose keys and values are
/// null or end with NUL; all stay valid and unchanged for `'a`.
pub(crate) unsafe fn options<'a>(
    options: *const sys::mosquitto_opt,
    count: c_int,
) -> Option<Vec<(&'a str, &'a str)>> {
    let Some(options) = NonNull::new(options.cast_mut()) else {
        return Some(Vec::new());
    };
    let count = usize::try_from(count).ok()?;
    // SAFETY: not null and so many, by this function's contract.
    let options = unsafe { core::slice::from_raw_parts(options.as_ptr(), count) };
    let mut read = Vec::with_capacity(count);
    for option in options {
        // SAFETY: null or terminated, by this function's contract.
        let key = unsafe { text(option.key) };
        // SAFETY: null or terminated, by this function's contract.
        let value = unsafe { text(option.value) };
        read.push((key?, value?));
    }
    Some(read)
}

/// A string as UTF-8; none if it is null or anything else.
///
/// # Safety
///
/// `pointer` is null or ends with NUL, and stays valid and unchanged for `'a`.
unsafe fn text<'a>(pointer: *const c_char) -> Option<&'a str> {
    let pointer = NonNull::new(pointer.cast_mut())?;
    // SAFETY: not null, terminated and unchanged, by this function's contract.
    let text = unsafe { CStr::from_ptr(pointer.as_ptr()) };
    text.to_str().ok()
}

#[cfg(test)]
mod tests {
    use core::ptr;

    use super::*;

    #[test]
    fn a_panic_becomes_the_refusal() {
        assert_eq!(shielded(11, || panic!("boom")), 11);
        assert_eq!(shielded(11, || 0), 0);
    }

    #[test]
    fn a_payload_that_panics_when_dropped_does_no_harm() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("again");
            }
        }
        assert_eq!(shielded(11, || std::panic::panic_any(Bomb)), 11);
    }

    #[test]
    fn version_5_is_asked_for_and_nothing_else() {
        for (offered, answer) in [
            (&[5, 4, 3, 2][..], true),
            (&[5], true),
            (&[4, 3], false),
            (&[], false),
        ] {
            let count = c_int::try_from(offered.len()).unwrap();
            // SAFETY: a slice of that length.
            assert_eq!(unsafe { offers_version_5(offered.as_ptr(), count) }, answer);
        }
        // SAFETY: null is allowed.
        assert!(!unsafe { offers_version_5(ptr::null(), 3) });
        // SAFETY: nothing is read for a negative count.
        assert!(!unsafe { offers_version_5([5].as_ptr(), -1) });
    }

    #[test]
    fn options_that_are_null_or_no_utf_8_are_none() {
        let option = |key: Option<&CStr>, value: Option<&CStr>| sys::mosquitto_opt {
            key: key.map_or(ptr::null_mut(), |text| text.as_ptr().cast_mut()),
            value: value.map_or(ptr::null_mut(), |text| text.as_ptr().cast_mut()),
        };
        // SAFETY: pointers of literals.
        let read = |given: &sys::mosquitto_opt| unsafe { options(given, 1) };
        assert_eq!(
            read(&option(Some(c"store"), Some(c"/s"))),
            Some(vec![("store", "/s")])
        );
        assert_eq!(read(&option(None, Some(c"/s"))), None);
        assert_eq!(read(&option(Some(c"store"), None)), None);
        assert_eq!(read(&option(Some(c"store"), Some(c"\xff"))), None);
        // SAFETY: null is allowed.
        assert_eq!(unsafe { options(ptr::null(), 0) }, Some(Vec::new()));
    }
}
