//! A gate: opened, told of other options, and closed.

use core::ffi::c_void;
use std::time::SystemTime;

use gate::sqlite::SqliteStore;
use gate::{Gate, GateConfig, GateError};

use crate::boundary::{OwnedBytes, guard, put};
use crate::object::{self, Opaque};
use crate::options::{countersign_options, parse};
use crate::signals::SignalsBlocked;
use crate::status::{CallError, countersign_status};
use crate::store::store_failure;

/// A gate: what decides for one broker.
#[derive(Debug)]
pub struct countersign_gate(());

impl Opaque for countersign_gate {
    type Inner = OpenGate;
    const NAME: &'static str = "countersign_gate";
}

/// A gate, and what its last decision lent to C.
pub(crate) struct OpenGate {
    pub(crate) gate: Gate<SqliteStore>,
    pub(crate) username: Option<OwnedBytes>,
    pub(crate) line: Option<OwnedBytes>,
    pub(crate) challenge: Option<OwnedBytes>,
}

/// Makes the host call countersign_gate_poll() soon: it writes to an eventfd or
/// a pipe, say. `user` is what countersign_gate_open() was given.
///
/// It is called from the gate's own threads, several at once perhaps, again and
/// again until the host polls, and on the host's thread during
/// countersign_gate_poll(). It must not block, and must not call this library.
pub type countersign_wake = Option<unsafe extern "C" fn(user: *mut c_void)>;

/// What wakes the host.
struct HostWaker {
    function: unsafe extern "C" fn(user: *mut c_void),
    user: *mut c_void,
}

// SAFETY: countersign_gate_open() demands that any thread may call the function
// with this pointer.
unsafe impl Send for HostWaker {}
// SAFETY: likewise, several at once.
unsafe impl Sync for HostWaker {}

impl HostWaker {
    fn wake(&self) {
        // SAFETY: callable from any thread as long as the gate is open, by the
        // contract of countersign_gate_open().
        unsafe { (self.function)(self.user) };
    }
}

/// Opens a gate.
///
/// It is to be opened by the thread that handles packets, and belongs to it:
/// every other thread is answered COUNTERSIGN_WRONG_THREAD. A broker with
/// several such threads opens a gate in each, under different `broker` names.
/// It starts threads of its own, which take no signals, and ends them when it is
/// closed. The caller owns it, and may free the options at once.
///
/// COUNTERSIGN_EXISTS says that a live broker uses the store under this name.
/// Without `wake` the host polls every 10 ms to be as quick.
///
/// # Safety
///
/// `gate_out` is NULL or writable. `wake` is NULL or may be called by any thread
/// with `user`, from this call on until countersign_gate_close() returned or the
/// thread that opened the gate ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn countersign_gate_open(
    options: *mut countersign_options,
    wake: countersign_wake,
    user: *mut c_void,
    gate_out: *mut *mut countersign_gate,
) -> countersign_status {
    guard(|| {
        // SAFETY: by this function's contract.
        unsafe { put(gate_out, core::ptr::null_mut()) }?;
        let options = parse(options)?;
        let path = options.store.clone();
        let broker = options.broker.clone().unwrap_or_default();
        let clock = || SystemTime::now().into();
        let config = match wake {
            Some(function) => {
                let waker = HostWaker { function, user };
                GateConfig::new(options, broker, clock, move || waker.wake())
            }
            None => GateConfig::new(options, broker, clock, || ()),
        };
        let blocked = SignalsBlocked::new();
        let store = SqliteStore::open(path).map_err(|error| store_failure(&error))?;
        let gate = Gate::open(store, config).map_err(|error| gate_failure(&error))?;
        drop(blocked);
        let open = OpenGate {
            gate,
            username: None,
            line: None,
            challenge: None,
        };
        // SAFETY: by this function's contract.
        unsafe { object::keep(gate_out, open) }
    })
}

/// Takes over other options, and looks at the store anew: what a broker does on
/// SIGHUP.
///
/// The tenants of listeners, the default tenant and the listeners with TLS hold
/// for every login from now on; live sessions stay. COUNTERSIGN_BAD_OPTION says
/// that `store`, `broker`, `hash_threads`, `hash_budget` or `hash_round` differ,
/// which hold as long as a gate is open, or that something is wrong with an option;
/// nothing changed then.
///
/// The thread that opened the gate and made the options.
#[unsafe(no_mangle)]
pub extern "C" fn countersign_gate_change_options(
    gate: *mut countersign_gate,
    options: *mut countersign_options,
) -> countersign_status {
    guard(|| {
        let options = parse(options)?;
        object::with(gate, |open| {
            open.gate.change_options(options).map_err(|error| {
                CallError::new(
                    countersign_status::COUNTERSIGN_BAD_OPTION,
                    error.to_string(),
                )
            })
        })
    })
}

/// Closes a gate: writes down what is left, tells the store that nobody is
/// connected any more, and ends its threads. Logins that wait are dropped; a
/// password that is being hashed is waited for. NULL is none.
///
/// The thread that opened it. A second call answers COUNTERSIGN_INVALID_OBJECT
/// and does no harm. A gate is closed as well when its thread ends.
#[unsafe(no_mangle)]
pub extern "C" fn countersign_gate_close(gate: *mut countersign_gate) -> countersign_status {
    guard(|| {
        if let Some(open) = object::remove(gate)? {
            open.gate.close();
        }
        Ok(())
    })
}

fn gate_failure(error: &GateError) -> CallError {
    if let GateError::Store(error) = error {
        return store_failure(error);
    }
    CallError::new(countersign_status::COUNTERSIGN_SYSTEM, error.to_string())
}
