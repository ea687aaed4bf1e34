//! Acts on credentials.

use countersign_admin::Command;
use countersign_admin::credential::{
    CreateCredential, DeleteCredential, NewCredential, ReactivateCredential, ResetPassword,
    RevokeCredential, SuspendCredential,
};
use countersign_admin::password::ChosenPassword;
use countersign_admin::secret::{IssuedCredential, NewSecret};
use countersign_admin::text::FreeText;
use countersign_admin::view::IssuedCredentialView;
use gate::core::name::LoginName;
use gate::core::scheme::SchemeName;

use crate::boundary::{OwnedBytes, countersign_bytes, guard, lend, put};
use crate::object::{self, Opaque};
use crate::status::{CallError, countersign_status};
use crate::store::{countersign_store, malformed, tenant_id};

/// What a credential was given when it was made or given another secret: to be
/// handed to the device, once.
#[derive(Debug)]
pub struct countersign_issued(());

impl Opaque for countersign_issued {
    type Inner = Issued;
    const NAME: &'static str = "countersign_issued";
}

/// What is lent to C, and wiped in the end.
pub(crate) struct Issued {
    name: OwnedBytes,
    username: OwnedBytes,
    client_id: Option<OwnedBytes>,
    secret: Option<OwnedBytes>,
}

impl Issued {
    fn of(made: &IssuedCredential) -> Self {
        let view = IssuedCredentialView::of(made);
        let answered = |text: &str| OwnedBytes::new(text.as_bytes());
        Self {
            name: answered(made.described.credential.name.as_str()),
            username: answered(view.username()),
            client_id: view.client_id().map(answered),
            secret: made
                .secret
                .as_ref()
                .map(|secret| OwnedBytes::new(secret.expose())),
        }
    }
}

/// What was issued. All of it is good until countersign_issued_free(), which
/// wipes it.
#[repr(C)]
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "it points to a secret")]
pub struct countersign_issued_fields {
    /// What the other functions of this library take as its name.
    pub name: countersign_bytes,
    /// What its client presents as user name.
    pub username: countersign_bytes,
    /// The client id that it must present; absent when any will do.
    pub client_id: countersign_bytes,
    /// Its secret; absent when somebody chose it.
    pub secret: countersign_bytes,
    /// 0.
    pub reserved: [usize; 4],
}

/// Makes a credential in a tenant. `dev1` in tenant `acme` is `dev1@acme`.
///
/// `name` may be absent for a scheme that makes names. `scheme` absent is
/// `basic`. `password` absent is a secret that is generated; a chosen one is
/// hashed, which takes tens of milliseconds, so not on a thread that handles
/// packets.
///
/// The thread that opened the store. What is issued belongs to it too, and to
/// the caller, who ends it with countersign_issued_free().
///
/// # Safety
///
/// All bytes are as many as they say; `issued_out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn countersign_credential_create(
    store: *mut countersign_store,
    tenant: countersign_bytes,
    name: countersign_bytes,
    scheme: countersign_bytes,
    password: countersign_bytes,
    issued_out: *mut *mut countersign_issued,
) -> countersign_status {
    guard(|| {
        // SAFETY: by this function's contract.
        unsafe { put(issued_out, core::ptr::null_mut()) }?;
        // A secret is told once, so it must not get lost.
        object::require_room()?;
        // SAFETY: by this function's contract.
        let tenant = tenant_id(unsafe { tenant.require_text("the tenant's id") }?)?;
        // SAFETY: by this function's contract.
        let name = unsafe { name.text("the name") }?;
        // SAFETY: by this function's contract.
        let scheme = unsafe { scheme.text("the scheme") }?;
        // SAFETY: by this function's contract.
        let secret = unsafe { new_secret(password) }?;
        let mut new = NewCredential::new(tenant, "");
        new.name = name.map(str::to_owned);
        new.secret = secret;
        if let Some(scheme) = scheme {
            new.scheme = SchemeName::parse(scheme).map_err(malformed)?;
        }
        let issued = object::with(store, |open| {
            let made = open.run(&CreateCredential(new))?;
            Ok(Issued::of(&made))
        })?;
        // SAFETY: by this function's contract.
        unsafe { object::keep(issued_out, issued) }
    })
}

/// Replaces all secrets of a credential. Its sessions end; its state stays.
/// `password` as in countersign_credential_create().
///
/// The thread that opened the store. What is issued belongs to it too, and to
/// the caller.
///
/// # Safety
///
/// All bytes are as many as they say; `issued_out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn countersign_credential_reset_password(
    store: *mut countersign_store,
    name: countersign_bytes,
    password: countersign_bytes,
    issued_out: *mut *mut countersign_issued,
) -> countersign_status {
    guard(|| {
        // SAFETY: by this function's contract.
        unsafe { put(issued_out, core::ptr::null_mut()) }?;
        // A secret is told once, so it must not get lost.
        object::require_room()?;
        // SAFETY: by this function's contract.
        let name = unsafe { login_name(name) }?;
        // SAFETY: by this function's contract.
        let secret = unsafe { new_secret(password) }?;
        let issued = object::with(store, |open| {
            let made = open.run(&ResetPassword { name, secret })?;
            Ok(Issued::of(&made))
        })?;
        // SAFETY: by this function's contract.
        unsafe { object::keep(issued_out, issued) }
    })
}

/// Stops a credential for now. Its sessions end.
///
/// The thread that opened the store.
///
/// # Safety
///
/// `name` has as many bytes as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn countersign_credential_suspend(
    store: *mut countersign_store,
    name: countersign_bytes,
) -> countersign_status {
    // SAFETY: by this function's contract.
    unsafe { run(store, name, |name| Ok(SuspendCredential(name))) }
}

/// Lifts a suspension.
///
/// The thread that opened the store.
///
/// # Safety
///
/// `name` has as many bytes as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn countersign_credential_reactivate(
    store: *mut countersign_store,
    name: countersign_bytes,
) -> countersign_status {
    // SAFETY: by this function's contract.
    unsafe { run(store, name, |name| Ok(ReactivateCredential(name))) }
}

/// Stops a credential for good. Its sessions end. `reason`, free text for people,
/// may be absent.
///
/// The thread that opened the store.
///
/// # Safety
///
/// `name` and `reason` have as many bytes as they say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn countersign_credential_revoke(
    store: *mut countersign_store,
    name: countersign_bytes,
    reason: countersign_bytes,
) -> countersign_status {
    // SAFETY: by this function's contract.
    let reason = unsafe { reason.text("the reason") };
    // SAFETY: by this function's contract.
    unsafe {
        run(store, name, |name| {
            let reason = reason?
                .map(FreeText::parse)
                .transpose()
                .map_err(malformed)?;
            Ok(RevokeCredential { name, reason })
        })
    }
}

/// Deletes a credential, in whatever state. Its sessions end, and one made later
/// under the same name is another.
///
/// The thread that opened the store.
///
/// # Safety
///
/// `name` has as many bytes as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn countersign_credential_delete(
    store: *mut countersign_store,
    name: countersign_bytes,
) -> countersign_status {
    // SAFETY: by this function's contract.
    unsafe { run(store, name, |name| Ok(DeleteCredential(name))) }
}

/// Answers what was issued. `*fields_out` is empty before anything else is looked
/// at.
///
/// The thread that has it.
///
/// # Safety
///
/// `fields_out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn countersign_issued_get(
    issued: *mut countersign_issued,
    fields_out: *mut countersign_issued_fields,
) -> countersign_status {
    guard(|| {
        let mut fields = countersign_issued_fields {
            name: countersign_bytes::ABSENT,
            username: countersign_bytes::ABSENT,
            client_id: countersign_bytes::ABSENT,
            secret: countersign_bytes::ABSENT,
            reserved: [0; 4],
        };
        // SAFETY: by this function's contract.
        unsafe { put(fields_out, fields) }?;
        object::with(issued, |issued| {
            fields.name = issued.name.lend();
            fields.username = issued.username.lend();
            fields.client_id = lend(issued.client_id.as_ref());
            fields.secret = lend(issued.secret.as_ref());
            // SAFETY: by this function's contract.
            unsafe { put(fields_out, fields) }
        })
    })
}

/// Wipes and ends what was issued. NULL is none.
///
/// The thread that has it. A second call answers COUNTERSIGN_INVALID_OBJECT and
/// does no harm.
#[unsafe(no_mangle)]
pub extern "C" fn countersign_issued_free(issued: *mut countersign_issued) -> countersign_status {
    guard(|| object::remove(issued).map(drop))
}

/// Runs a command on the credential of a name.
///
/// # Safety
///
/// `name` has as many bytes as it says.
unsafe fn run<C: Command>(
    store: *mut countersign_store,
    name: countersign_bytes,
    command: impl FnOnce(LoginName) -> Result<C, CallError>,
) -> countersign_status {
    guard(|| {
        // SAFETY: by this function's contract.
        let name = unsafe { login_name(name) }?;
        let command = command(name)?;
        object::with(store, |open| open.run(&command).map(drop))
    })
}

/// # Safety
///
/// `name` has as many bytes as it says.
unsafe fn login_name(name: countersign_bytes) -> Result<LoginName, CallError> {
    // SAFETY: by this function's contract.
    let name = unsafe { name.require_text("the name") }?;
    LoginName::parse(name).map_err(malformed)
}

/// # Safety
///
/// `password` has as many bytes as it says.
unsafe fn new_secret(password: countersign_bytes) -> Result<NewSecret, CallError> {
    // SAFETY: by this function's contract.
    Ok(match unsafe { password.read("the password") }? {
        Some(bytes) => NewSecret::Chosen(ChosenPassword::parse(bytes.to_vec()).map_err(malformed)?),
        None => NewSecret::Generated,
    })
}
