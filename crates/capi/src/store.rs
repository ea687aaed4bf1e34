//! A store: made, opened for administration, and its tenants.

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use countersign_admin::error::Noun;
use countersign_admin::settings::CreateStore;
use countersign_admin::tenant::{CreateTenant, NewTenant};
use countersign_admin::{
    AdminError, Caller, Command, Context, ErrorKind, OsRandom, RandomSource as _,
};
use gate::core::hex;
use gate::core::name::TenantId;
use gate::core::store::{Settings, StoreError, StoreErrorKind};
use gate::sqlite::{SqliteStore, create_private};

use crate::boundary::{countersign_bytes, guard, put};
use crate::object::{self, Opaque};
use crate::status::{CallError, countersign_status};

/// A store that is open for administration.
///
/// It may be used beside any number of gates and programs on the same store;
/// what is done reaches every gate within milliseconds.
#[derive(Debug)]
pub struct countersign_store(());

impl Opaque for countersign_store {
    type Inner = OpenStore;
    const NAME: &'static str = "countersign_store";
}

/// A store, and who acts on it.
pub(crate) struct OpenStore {
    store: SqliteStore,
    actor: String,
}

impl OpenStore {
    /// Runs a command, now.
    pub(crate) fn run<C: Command>(&mut self, command: &C) -> Result<C::Output, CallError> {
        let mut context = Context {
            now: SystemTime::now().into(),
            caller: Caller::owner(&self.actor),
            random: &mut OsRandom,
        };
        countersign_admin::run(&mut self.store, &mut context, command)
            .map_err(|error| failure(&error))
    }
}

/// Makes a store at `path`, and the key file `path`.key beside it, both for this
/// process's user alone. COUNTERSIGN_EXISTS says that one of them is there
/// already; nothing changed then.
///
/// Any thread.
///
/// # Safety
///
/// `path` and `actor` have as many bytes as they say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn countersign_store_create(
    path: countersign_bytes,
    actor: countersign_bytes,
) -> countersign_status {
    guard(|| {
        // SAFETY: by this function's contract.
        let path = unsafe { path.require_text("the path") }?;
        // SAFETY: by this function's contract.
        let actor = unsafe { actor.require_text("the actor") }?;
        let actor = actor_of(actor)?;
        let path = Path::new(path);
        let key = beside(path, ".key");
        write_key(&key)?;
        let settings = Settings::default();
        let made = SqliteStore::create(path, &settings)
            .map_err(|error| store_failure(&error))
            .and_then(|store| OpenStore { store, actor }.run(&CreateStore(settings)));
        made.inspect_err(|_| {
            // The error says more than one of this would.
            let _removed = fs::remove_file(&key);
        })
    })
}

/// Opens a store for administration. `actor` is who acts, as the audit writes it
/// behind `host:`, such as the name of the program.
///
/// The object belongs to this thread, and to the caller, who ends it with
/// countersign_store_close().
///
/// # Safety
///
/// `path` and `actor` have as many bytes as they say; `store_out` is NULL or
/// writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn countersign_store_open(
    path: countersign_bytes,
    actor: countersign_bytes,
    store_out: *mut *mut countersign_store,
) -> countersign_status {
    guard(|| {
        // SAFETY: by this function's contract.
        unsafe { put(store_out, core::ptr::null_mut()) }?;
        // SAFETY: by this function's contract.
        let path = unsafe { path.require_text("the path") }?;
        // SAFETY: by this function's contract.
        let actor = unsafe { actor.require_text("the actor") }?;
        let actor = actor_of(actor)?;
        let store = SqliteStore::open(path).map_err(|error| store_failure(&error))?;
        // SAFETY: by this function's contract.
        unsafe { object::keep(store_out, OpenStore { store, actor }) }
    })
}

/// Makes a tenant that owns the topics `ID/#` and asks for a login from
/// everybody. An id is 1 to 63 of `a-z`, `0-9`, `_` and `-`, beginning with a
/// letter or a digit. It is refused where another tenant owns `#`: from that one
/// the program `countersign` alone takes topics.
///
/// The thread that opened the store.
///
/// # Safety
///
/// `id` has as many bytes as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn countersign_tenant_create(
    store: *mut countersign_store,
    id: countersign_bytes,
) -> countersign_status {
    guard(|| {
        // SAFETY: by this function's contract.
        let id = tenant_id(unsafe { id.require_text("the tenant's id") }?)?;
        object::with(store, |open| {
            open.run(&CreateTenant(NewTenant::new(id))).map(drop)
        })
    })
}

/// Closes a store. NULL is none.
///
/// The thread that opened it. A second call answers COUNTERSIGN_INVALID_OBJECT
/// and does no harm.
#[unsafe(no_mangle)]
pub extern "C" fn countersign_store_close(store: *mut countersign_store) -> countersign_status {
    guard(|| object::remove(store).map(drop))
}

pub(crate) fn tenant_id(text: &str) -> Result<TenantId, CallError> {
    TenantId::parse(text).map_err(malformed)
}

pub(crate) fn malformed(error: impl core::fmt::Display) -> CallError {
    CallError::new(countersign_status::COUNTERSIGN_MALFORMED, error.to_string())
}

pub(crate) fn store_failure(error: &StoreError) -> CallError {
    let status = match error.kind() {
        StoreErrorKind::Conflict => countersign_status::COUNTERSIGN_EXISTS,
        StoreErrorKind::Missing => countersign_status::COUNTERSIGN_MISSING,
        StoreErrorKind::Busy
        | StoreErrorKind::Damaged
        | StoreErrorKind::Full
        | StoreErrorKind::Newer
        | StoreErrorKind::Older
        | StoreErrorKind::ReadOnly
        | StoreErrorKind::Replica
        | StoreErrorKind::Unavailable
        | _ => countersign_status::COUNTERSIGN_STORE,
    };
    CallError::new(status, error.to_string())
}

/// What a refusal is to C.
pub(crate) fn failure(error: &AdminError) -> CallError {
    if let Some(error) = error.store() {
        return store_failure(error);
    }
    let is_named = matches!(
        error.subject().noun,
        Noun::Credential | Noun::Operator | Noun::Role | Noun::Tenant
    );
    let status = match error.kind() {
        ErrorKind::Exists if is_named => countersign_status::COUNTERSIGN_EXISTS,
        ErrorKind::NotFound if is_named => countersign_status::COUNTERSIGN_MISSING,
        ErrorKind::Unavailable => countersign_status::COUNTERSIGN_SYSTEM,
        ErrorKind::Conflict
        | ErrorKind::Exists
        | ErrorKind::Forbidden
        | ErrorKind::InUse
        | ErrorKind::Invalid
        | ErrorKind::NotFound
        | ErrorKind::WrongKind
        | _ => countersign_status::COUNTERSIGN_REFUSED,
    };
    CallError::new(status, error.to_string())
}

/// Who acts, as the audit writes it.
fn actor_of(text: &str) -> Result<String, CallError> {
    let is_good = (1..=LONGEST_ACTOR).contains(&text.len()) && !text.chars().any(char::is_control);
    if !is_good {
        return Err(malformed(
            "an actor is 1 to 255 bytes without control characters",
        ));
    }
    Ok(format!("host:{text}"))
}

/// Writes 32 random bytes as hexadecimal digits.
fn write_key(path: &Path) -> Result<(), CallError> {
    let system = |message: String| CallError::new(countersign_status::COUNTERSIGN_SYSTEM, message);
    let mut key = [0; 32];
    OsRandom
        .fill(&mut key)
        .map_err(|error| system(error.to_string()))?;
    let text = hex::encode(&key);
    let failure = |error: std::io::Error| {
        let status = if error.kind() == std::io::ErrorKind::AlreadyExists {
            countersign_status::COUNTERSIGN_EXISTS
        } else {
            countersign_status::COUNTERSIGN_STORE
        };
        CallError::new(
            status,
            format!("could not make `{}`: {error}", path.display()),
        )
    };
    let mut file = create_private(path).map_err(failure)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all());
    written.map_err(|error| {
        let _removed = fs::remove_file(path);
        failure(error)
    })
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

const LONGEST_ACTOR: usize = 255;
