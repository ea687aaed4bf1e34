//! Certificates of clients, which the broker's OpenSSL holds.

use core::ffi::{c_int, c_uchar, c_void};
use core::ptr::{self, NonNull};

use countersign_certificate::MOST_BYTES;

/// `X509_free` of OpenSSL.
pub(super) type Free = unsafe extern "C" fn(*mut c_void);

/// `i2d_X509` of OpenSSL.
pub(super) type ToDer = unsafe extern "C" fn(*const c_void, *mut *mut c_uchar) -> c_int;

/// A certificate of the broker's OpenSSL, which counts our use of it.
pub(super) struct Certificate {
    pointer: NonNull<c_void>,
    free: Option<Free>,
}

impl Certificate {
    /// The one that `pointer` points to; none if it is null.
    ///
    /// # Safety
    ///
    /// `pointer` is null or a certificate whose use was counted once more for us, and
    /// `free` ends that use.
    pub(super) unsafe fn new(pointer: *mut c_void, free: Option<Free>) -> Option<Self> {
        let pointer = NonNull::new(pointer)?;
        Some(Self { pointer, free })
    }

    /// Its bytes, if they can be had and are not too many.
    ///
    /// # Safety
    ///
    /// `to_der` is of the OpenSSL that the certificate is of.
    pub(super) unsafe fn to_der(&self, to_der: ToDer) -> Option<Vec<u8>> {
        let certificate = self.pointer.as_ptr();
        // SAFETY: a certificate of that OpenSSL; with null it only counts bytes.
        let length = unsafe { to_der(certificate, ptr::null_mut()) };
        let length = usize::try_from(length).ok()?;
        if length > MOST_BYTES {
            return None;
        }
        let mut der = vec![0; length];
        let mut end = der.as_mut_ptr();
        // SAFETY: a certificate of that OpenSSL, which writes as many bytes as it said
        // and moves the pointer behind them.
        let written = unsafe { to_der(certificate, &raw mut end) };
        (usize::try_from(written) == Ok(length)).then_some(der)
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        if let Some(free) = self.free {
            // SAFETY: that OpenSSL's, and our use of it ends here.
            unsafe { free(self.pointer.as_ptr()) };
        }
    }
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    static FREED: AtomicUsize = AtomicUsize::new(0);

    unsafe extern "C" fn free(_certificate: *mut c_void) {
        FREED.fetch_add(1, Ordering::SeqCst);
    }

    /// A certificate is a number here, and its bytes are so many.
    unsafe extern "C" fn to_der(certificate: *const c_void, end: *mut *mut c_uchar) -> c_int {
        // SAFETY: the tests give pointers to numbers.
        let length = unsafe { *certificate.cast::<c_int>() };
        if let (Ok(length), false) = (usize::try_from(length), end.is_null()) {
            // SAFETY: the caller's pointer to so many bytes.
            let start = unsafe { *end };
            // SAFETY: so many bytes were made for this.
            unsafe { ptr::write_bytes(start, 7, length) };
        }
        length
    }

    #[test]
    fn its_bytes_are_had_if_they_are_not_too_many_and_it_is_freed_once() {
        // SAFETY: null is allowed.
        assert!(unsafe { Certificate::new(ptr::null_mut(), Some(free)) }.is_none());
        let most = c_int::try_from(MOST_BYTES).unwrap();
        for (length, bytes) in [
            (0, Some(0)),
            (412, Some(412)),
            (most, Some(MOST_BYTES)),
            (most + 1, None),
            (-1, None),
        ] {
            let mut number: c_int = length;
            let before = FREED.load(Ordering::SeqCst);
            // SAFETY: a number, as these functions take it.
            let certificate =
                unsafe { Certificate::new(ptr::from_mut(&mut number).cast(), Some(free)) };
            // SAFETY: of the same kind.
            let der = unsafe { certificate.unwrap().to_der(to_der) };
            assert_eq!(der, bytes.map(|bytes| vec![7; bytes]), "{length}");
            assert_eq!(FREED.load(Ordering::SeqCst), before + 1);
        }
    }
}
