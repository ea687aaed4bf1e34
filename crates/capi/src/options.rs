//! The options that a gate is opened with.

use gate::core::options::Options;

use crate::boundary::{countersign_bytes, guard, put};
use crate::object::{self, Opaque};
use crate::status::{CallError, countersign_status};

/// Options, as a broker's configuration gives them.
///
/// `store` (the path of the store) and `broker` (this broker's name, one of its
/// own for each broker that uses the store) must be given. The others are
/// `chain`, `default_tenant`, `hash_budget`, `hash_round`, `hash_threads`,
/// `listener_PORT`, `max_staleness`, `tls_listeners` and `when_stale`;
/// docs/reference/options.md says what they mean. (`dynsec_tenant` is for Rust hosts
/// and the plugin alone.)
#[derive(Debug)]
pub struct countersign_options(());

impl Opaque for countersign_options {
    type Inner = Vec<(String, String)>;
    const NAME: &'static str = "countersign_options";
}

/// Makes options that hold nothing yet.
///
/// The object belongs to this thread, and to the caller, who ends it with
/// countersign_options_free().
///
/// # Safety
///
/// `options_out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn countersign_options_new(
    options_out: *mut *mut countersign_options,
) -> countersign_status {
    guard(|| {
        // SAFETY: by this function's contract.
        unsafe { put(options_out, core::ptr::null_mut()) }?;
        // SAFETY: by this function's contract.
        unsafe { object::keep(options_out, Vec::new()) }
    })
}

/// Sets an option. What it means, and whether it exists, is looked at when it
/// is used: by countersign_gate_open() or countersign_gate_change_options().
///
/// The thread that made the object. Keeps copies.
///
/// # Safety
///
/// `key` and `value` have as many bytes as they say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn countersign_options_set(
    options: *mut countersign_options,
    key: countersign_bytes,
    value: countersign_bytes,
) -> countersign_status {
    guard(|| {
        // SAFETY: by this function's contract.
        let key = unsafe { key.require_text("the option's name") }?;
        // SAFETY: by this function's contract.
        let value = unsafe { value.require_text("the option's value") }?;
        object::with(options, |set| {
            set.push((key.to_owned(), value.to_owned()));
            Ok(())
        })
    })
}

/// Ends options. NULL is none.
///
/// The thread that made the object. A second call answers
/// COUNTERSIGN_INVALID_OBJECT and does no harm.
#[unsafe(no_mangle)]
pub extern "C" fn countersign_options_free(
    options: *mut countersign_options,
) -> countersign_status {
    guard(|| object::remove(options).map(drop))
}

/// What the options say.
pub(crate) fn parse(options: *mut countersign_options) -> Result<Options, CallError> {
    let bad = |message: String| CallError::new(countersign_status::COUNTERSIGN_BAD_OPTION, message);
    object::with(options, |set| {
        let given = set
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()));
        let options = Options::parse(given).map_err(|error| bad(error.to_string()))?;
        if options.broker.is_none() {
            return Err(bad(
                "option `broker` is missing: a name for this broker".into()
            ));
        }
        Ok(options)
    })
}
