//! Acts on credentials.

use countersign_admin::Command;
use countersign_admin::credential::{
    CredentialChanges, DeleteCredential, ReactivateCredential, ResetPassword, RevokeCredential,
    SetCredential, SuspendCredential,
};
use countersign_admin::text::FreeText;
use gate::core::name::{GroupPath, LoginName};
use gate::core::role::RoleName;

use crate::boundary::{countersign_bytes, guard, put};
use crate::issued::{Issued, countersign_issued};
use crate::new_credential::new_secret;
use crate::object;
use crate::status::{CallError, countersign_status};
use crate::store::{countersign_store, malformed};

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

/// Has a credential join a group, such as `DM.MFORM`: what is bound to the group
/// or to one above it holds for the credential too. It may be in 32 groups; to
/// join one again changes nothing.
///
/// COUNTERSIGN_MISSING says that there is no such credential, COUNTERSIGN_MALFORMED
/// that no group is called so, COUNTERSIGN_REFUSED that it is in as many groups as
/// it may or in no tenant.
///
/// The thread that opened the store.
///
/// # Safety
///
/// `name` and `group` have as many bytes as they say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn countersign_credential_join(
    store: *mut countersign_store,
    name: countersign_bytes,
    group: countersign_bytes,
) -> countersign_status {
    // SAFETY: by this function's contract.
    let group = unsafe { group_path(group) };
    // SAFETY: by this function's contract.
    unsafe { change(store, name, group, |changes| &mut changes.add_groups) }
}

/// Has a credential leave a group.
///
/// COUNTERSIGN_MISSING says that there is no such credential, COUNTERSIGN_MALFORMED
/// that no group is called so, COUNTERSIGN_REFUSED that it is not in that very
/// group.
///
/// The thread that opened the store.
///
/// # Safety
///
/// `name` and `group` have as many bytes as they say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn countersign_credential_leave(
    store: *mut countersign_store,
    name: countersign_bytes,
    group: countersign_bytes,
) -> countersign_status {
    // SAFETY: by this function's contract.
    let group = unsafe { group_path(group) };
    // SAFETY: by this function's contract.
    unsafe { change(store, name, group, |changes| &mut changes.remove_groups) }
}

/// Gives a credential a role of its tenant. To give one again changes nothing.
///
/// COUNTERSIGN_MISSING says that there is no such credential or role,
/// COUNTERSIGN_MALFORMED that no role is called so, COUNTERSIGN_REFUSED that the
/// credential is in no tenant.
///
/// The thread that opened the store.
///
/// # Safety
///
/// `name` and `role` have as many bytes as they say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn countersign_credential_add_role(
    store: *mut countersign_store,
    name: countersign_bytes,
    role: countersign_bytes,
) -> countersign_status {
    // SAFETY: by this function's contract.
    let role = unsafe { role_name(role) };
    // SAFETY: by this function's contract.
    unsafe { change(store, name, role, |changes| &mut changes.add_roles) }
}

/// Takes from a credential a role that it holds by itself. What a group or its
/// tenant gives it stays.
///
/// COUNTERSIGN_MISSING says that there is no such credential,
/// COUNTERSIGN_MALFORMED that no role is called so, COUNTERSIGN_REFUSED that it
/// does not hold it by itself.
///
/// The thread that opened the store.
///
/// # Safety
///
/// `name` and `role` have as many bytes as they say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn countersign_credential_remove_role(
    store: *mut countersign_store,
    name: countersign_bytes,
    role: countersign_bytes,
) -> countersign_status {
    // SAFETY: by this function's contract.
    let role = unsafe { role_name(role) };
    // SAFETY: by this function's contract.
    unsafe { change(store, name, role, |changes| &mut changes.remove_roles) }
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

/// Adds to one of the lists of what is to change of a credential.
///
/// # Safety
///
/// `name` has as many bytes as it says.
unsafe fn change<T>(
    store: *mut countersign_store,
    name: countersign_bytes,
    added: Result<T, CallError>,
    list: fn(&mut CredentialChanges) -> &mut Vec<T>,
) -> countersign_status {
    // SAFETY: by this function's contract.
    unsafe {
        run(store, name, |name| {
            let mut changes = CredentialChanges::default();
            list(&mut changes).push(added?);
            Ok(SetCredential { name, changes })
        })
    }
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
/// `group` has as many bytes as it says.
unsafe fn group_path(group: countersign_bytes) -> Result<GroupPath, CallError> {
    // SAFETY: by this function's contract.
    let group = unsafe { group.require_text("the group") }?;
    GroupPath::parse(group).map_err(malformed)
}

/// # Safety
///
/// `role` has as many bytes as it says.
unsafe fn role_name(role: countersign_bytes) -> Result<RoleName, CallError> {
    // SAFETY: by this function's contract.
    let role = unsafe { role.require_text("the role") }?;
    RoleName::parse(role).map_err(malformed)
}
