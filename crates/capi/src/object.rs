//! The objects that C holds.
//!
//! What C sees as a pointer is a number: a place in a table of the thread that
//! made the object, and a serial number that is never used again. It is never
//! followed. So a pointer that was freed, that belongs to another thread, that
//! is of another type or that was made up is found out, whatever it points to,
//! and all objects are dropped when their thread ends.

use core::any::Any;
use core::panic::AssertUnwindSafe;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::boundary::{null, put};
use crate::status::{CallError, countersign_status};

/// A type that C knows by name alone.
pub(crate) trait Opaque {
    /// What is behind it.
    type Inner: 'static;
    /// What it is called in a message.
    const NAME: &'static str;
}

/// Keeps an object for this thread, and answers what C holds it by.
///
/// # Safety
///
/// `out` is NULL, or writable and aligned, and read by nobody meanwhile.
pub(crate) unsafe fn keep<O: Opaque>(out: *mut *mut O, inner: O::Inner) -> Result<(), CallError> {
    let number = TABLE
        .try_with(|table| table.try_borrow_mut().ok()?.insert(Box::new(inner)))
        .ok()
        .flatten();
    let number = number.ok_or_else(too_many)?;
    // SAFETY: by this function's contract.
    unsafe { put(out, core::ptr::without_provenance_mut(number)) }
}

/// Fails if this thread can't hold another object: to be asked before anything
/// is done whose outcome an object must carry.
pub(crate) fn require_room() -> Result<(), CallError> {
    let has_room = TABLE.try_with(|table| table.try_borrow().is_ok_and(|table| table.has_room()));
    if has_room.unwrap_or(false) {
        return Ok(());
    }
    Err(too_many())
}

fn too_many() -> CallError {
    let message = "this thread holds as many objects as it can";
    CallError::new(countersign_status::COUNTERSIGN_TOO_MANY, message)
}

/// Uses an object.
pub(crate) fn with<O: Opaque, R>(
    object: *mut O,
    body: impl FnOnce(&mut O::Inner) -> Result<R, CallError>,
) -> Result<R, CallError> {
    let number = number_of(object)?;
    // Out of the table while it is used, for `body` may call back.
    let mut used = ObjectInUse {
        number,
        object: Some(take::<O>(number)?),
    };
    let inner = used.object.as_mut().and_then(|it| it.downcast_mut());
    body(inner.ok_or_else(|| invalid::<O>("is of another type"))?)
}

/// Takes an object out for good. NULL is none.
pub(crate) fn remove<O: Opaque>(object: *mut O) -> Result<Option<Box<O::Inner>>, CallError> {
    if object.is_null() {
        return Ok(None);
    }
    let number = number_of(object)?;
    let taken = take::<O>(number)?;
    let _freed = TABLE.try_with(|table| table.borrow_mut().free(number));
    forget(&mut lock(), number);
    taken
        .downcast()
        .map(Some)
        .map_err(|_| invalid::<O>("is of another type"))
}

/// Takes an object of this type out of its place.
fn take<O: Opaque>(number: usize) -> Result<Box<dyn Any>, CallError> {
    let found = TABLE.try_with(|table| {
        let mut table = table.borrow_mut();
        let Some(slot) = table.find(number) else {
            return Err(absent::<O>(number));
        };
        match slot.object.take_if(|object| object.is::<O::Inner>()) {
            Some(object) => Ok(object),
            None if slot.object.is_some() => Err(invalid::<O>("is of another type")),
            None => Err(CallError::new(
                countersign_status::COUNTERSIGN_BUSY,
                format!("this {} is in use further up the stack", O::NAME),
            )),
        }
    });
    found.unwrap_or_else(|_| Err(absent::<O>(number)))
}

/// Why an object is not in this thread's table.
fn absent<O: Opaque>(number: usize) -> CallError {
    if lock().contains(&number) {
        let message = format!("this {} belongs to another thread", O::NAME);
        return CallError::new(countersign_status::COUNTERSIGN_WRONG_THREAD, message);
    }
    invalid::<O>("was freed, or never was one")
}

fn invalid<O: Opaque>(why: &str) -> CallError {
    let message = format!("this {} {why}", O::NAME);
    CallError::new(countersign_status::COUNTERSIGN_INVALID_OBJECT, message)
}

fn number_of<O: Opaque>(object: *mut O) -> Result<usize, CallError> {
    if object.is_null() {
        return Err(null(O::NAME));
    }
    Ok(object.addr())
}

/// An object that is used, and goes back to its place.
struct ObjectInUse {
    number: usize,
    object: Option<Box<dyn Any>>,
}

impl Drop for ObjectInUse {
    fn drop(&mut self) {
        let object = self.object.take();
        let _back = TABLE.try_with(|table| {
            if let Some(slot) = table.borrow_mut().find(self.number) {
                slot.object = object;
            }
        });
    }
}

/// The objects of one thread.
#[derive(Default)]
struct ObjectTable {
    slots: Vec<Slot>,
    free: Vec<usize>,
}

struct Slot {
    /// What C holds it by; 0 while nobody does.
    number: usize,
    /// None while it is used, or where there is none.
    object: Option<Box<dyn Any>>,
}

impl ObjectTable {
    fn insert(&mut self, object: Box<dyn Any>) -> Option<usize> {
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                let index = self.slots.len();
                if index >= MOST {
                    return None;
                }
                self.slots.push(Slot {
                    number: 0,
                    object: None,
                });
                index
            }
        };
        // From 1, so that no number is 0. After 2^48 objects (on machines of
        // 32 bits, 2^16) the serial numbers begin again.
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let serial = serial
            .wrapping_rem(usize::MAX >> INDEX_BITS)
            .wrapping_add(1);
        let number = serial.wrapping_shl(INDEX_BITS) | index;
        let slot = self.slots.get_mut(index)?;
        slot.number = number;
        slot.object = Some(object);
        lock().insert(number);
        Some(number)
    }

    fn has_room(&self) -> bool {
        !self.free.is_empty() || self.slots.len() < MOST
    }

    fn find(&mut self, number: usize) -> Option<&mut Slot> {
        self.slots
            .get_mut(number & INDEX_MASK)
            .filter(|slot| slot.number == number && number != 0)
    }

    fn free(&mut self, number: usize) {
        if let Some(slot) = self.find(number) {
            slot.number = 0;
            slot.object = None;
            self.free.push(number & INDEX_MASK);
        }
    }
}

impl Drop for ObjectTable {
    fn drop(&mut self) {
        let mut live = lock();
        for slot in &self.slots {
            forget(&mut live, slot.number);
        }
        drop(live);
        for slot in self.slots.drain(..) {
            // A panic in a thread's last moments would end the host.
            let ended = catch_unwind(AssertUnwindSafe(|| drop(slot.object)));
            // Dropping a panic's payload may panic again.
            ended.unwrap_or_else(core::mem::forget);
        }
    }
}

/// Forgets a number; a set without any keeps no memory.
fn forget(live: &mut BTreeSet<usize>, number: usize) {
    live.remove(&number);
    if live.is_empty() {
        *live = BTreeSet::new();
    }
}

fn lock() -> MutexGuard<'static, BTreeSet<usize>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    static TABLE: RefCell<ObjectTable> = RefCell::default();
}

/// The numbers of all threads, to tell a stranger from nobody.
static LIVE: Mutex<BTreeSet<usize>> = Mutex::new(BTreeSet::new());
static SERIAL: AtomicUsize = AtomicUsize::new(1);
const INDEX_BITS: u32 = 16;
const INDEX_MASK: usize = (1 << INDEX_BITS) - 1;
const MOST: usize = INDEX_MASK;

#[cfg(test)]
mod tests {
    use super::*;

    struct One;
    impl Opaque for One {
        type Inner = u8;
        const NAME: &'static str = "one";
    }
    struct Other;
    impl Opaque for Other {
        type Inner = String;
        const NAME: &'static str = "other";
    }

    fn made(value: u8) -> *mut One {
        let mut out = core::ptr::null_mut();
        // SAFETY: the pointer is to a local.
        unsafe { keep(&raw mut out, value) }.unwrap();
        out
    }

    fn status<R>(result: Result<R, CallError>) -> Option<countersign_status> {
        result.err().map(|failure| failure.status)
    }

    #[test]
    fn an_object_is_found_until_it_is_freed_and_never_after() {
        let one = made(7);
        assert_eq!(with(one, |it| Ok(*it)).unwrap(), 7);
        assert_eq!(remove(one).unwrap().as_deref(), Some(&7));
        for _ in 0..3 {
            let next = made(8);
            assert_eq!(
                status(with(one, |_| Ok(()))),
                Some(countersign_status::COUNTERSIGN_INVALID_OBJECT)
            );
            assert_eq!(
                status(remove(one)),
                Some(countersign_status::COUNTERSIGN_INVALID_OBJECT)
            );
            remove(next).unwrap();
        }
    }

    #[test]
    fn another_type_another_thread_and_a_made_up_pointer_are_told_apart() {
        let one = made(7);
        let as_other = one.cast::<Other>();
        assert_eq!(
            status(with(as_other, |_| Ok(()))),
            Some(countersign_status::COUNTERSIGN_INVALID_OBJECT)
        );
        assert_eq!(
            status(remove(as_other)),
            Some(countersign_status::COUNTERSIGN_INVALID_OBJECT)
        );
        let number = one.addr();
        let elsewhere = std::thread::spawn(move || {
            status(with(
                core::ptr::without_provenance_mut::<One>(number),
                |_| Ok(()),
            ))
        });
        assert_eq!(
            elsewhere.join().unwrap(),
            Some(countersign_status::COUNTERSIGN_WRONG_THREAD)
        );
        let made_up = core::ptr::without_provenance_mut::<One>(0xdead_beef);
        assert_eq!(
            status(with(made_up, |_| Ok(()))),
            Some(countersign_status::COUNTERSIGN_INVALID_OBJECT)
        );
        assert_eq!(
            status(with(core::ptr::null_mut::<One>(), |_| Ok(()))),
            Some(countersign_status::COUNTERSIGN_NULL)
        );
        assert_eq!(with(one, |it| Ok(*it)).unwrap(), 7);
        remove(one).unwrap();
    }

    #[test]
    fn an_object_in_use_is_busy_and_back_after_a_panic() {
        let one = made(7);
        let inner = with(one, |_| Ok(status(with(one, |_| Ok(())))));
        assert_eq!(inner.unwrap(), Some(countersign_status::COUNTERSIGN_BUSY));
        let ended = catch_unwind(|| with(one, |_| -> Result<(), CallError> { panic!("boom") }));
        assert!(ended.is_err());
        assert_eq!(with(one, |it| Ok(*it)).unwrap(), 7);
        remove(one).unwrap();
    }

    #[test]
    fn there_is_room_for_so_many_and_no_more() {
        let thread = std::thread::spawn(|| {
            let all: Vec<_> = (0..MOST).map(|_| made(1)).collect();
            let full = Some(countersign_status::COUNTERSIGN_TOO_MANY);
            assert_eq!(status(require_room()), full);
            let mut out: *mut One = core::ptr::null_mut();
            // SAFETY: the pointer is to a local.
            assert_eq!(status(unsafe { keep(&raw mut out, 2) }), full);
            remove(*all.last().unwrap()).unwrap();
            assert_eq!(status(require_room()), None);
        });
        thread.join().unwrap();
    }

    #[test]
    fn an_object_that_panics_when_its_thread_ends_does_no_harm() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("at the end");
            }
        }
        impl Opaque for Bomb {
            type Inner = Bomb;
            const NAME: &'static str = "bomb";
        }
        let thread = std::thread::spawn(|| {
            let mut out: *mut Bomb = core::ptr::null_mut();
            // SAFETY: the pointer is to a local.
            unsafe { keep(&raw mut out, Bomb) }.unwrap();
        });
        thread.join().unwrap();
    }

    #[test]
    fn objects_of_a_thread_end_with_it() {
        let number = std::thread::spawn(|| made(7).addr()).join().unwrap();
        let left = core::ptr::without_provenance_mut::<One>(number);
        assert_eq!(
            status(with(left, |_| Ok(()))),
            Some(countersign_status::COUNTERSIGN_INVALID_OBJECT)
        );
    }
}
