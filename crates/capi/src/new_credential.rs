//! Making credentials.

use countersign_admin::credential::{CreateCredential, NewCredential};
use countersign_admin::password::ChosenPassword;
use countersign_admin::secret::NewSecret;
use gate::core::name::{GroupPath, TenantId};
use gate::core::role::RoleName;
use gate::core::scheme::SchemeName;

use crate::boundary::{countersign_bytes, guard, put, sized, texts};
use crate::issued::{Issued, countersign_issued};
use crate::object;
use crate::status::{CallError, countersign_status};
use crate::store::{countersign_store, malformed, tenant_id};

/// The `secret` of a countersign_new_credential may have fewer than 64 random bits.
/// It is hashed like a password then, which takes tens of milliseconds.
pub const COUNTERSIGN_MAY_BE_WEAK: u32 = 1;

/// A credential to be made: what countersign_credential_create() takes, and what it
/// has from the beginning, so that it is at no moment without it.
///
/// Fill it with zeroes first (`= {0}`), so that what is not set is absent.
#[repr(C)]
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "it points to a secret")]
pub struct countersign_new_credential {
    /// `sizeof(struct countersign_new_credential)`.
    pub size: usize,
    /// The tenant's id. It must be there.
    pub tenant: countersign_bytes,
    /// Its name, or absent for a scheme that makes names.
    pub name: countersign_bytes,
    /// Its scheme, or absent for `basic`.
    pub scheme: countersign_bytes,
    /// A password that somebody chose, or absent.
    pub password: countersign_bytes,
    /// A secret that was given out elsewhere and is taken over, or absent. It must
    /// have the form that the scheme takes, no other credential may have it, and
    /// with `password` it is COUNTERSIGN_MALFORMED. Without both, a secret is
    /// generated.
    pub secret: countersign_bytes,
    /// The groups it is in, in the order in which it joins them; NULL if there are
    /// none.
    pub groups: *const countersign_bytes,
    /// How many groups there are, up to 32.
    pub group_count: usize,
    /// The roles of its tenant that it holds; NULL if there are none.
    pub roles: *const countersign_bytes,
    /// How many roles there are, up to 1024.
    pub role_count: usize,
    /// COUNTERSIGN_MAY_BE_WEAK.
    pub flags: u32,
    /// 0.
    pub reserved: u32,
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
        let new = new_credential(tenant, name, scheme, secret)?;
        // SAFETY: by this function's contract.
        unsafe { create(store, new, issued_out) }
    })
}

/// Makes a credential that is in groups, holds roles or has a secret that was given
/// out elsewhere.
///
/// COUNTERSIGN_MISSING says that there is no such tenant or role,
/// COUNTERSIGN_EXISTS that the name is taken, COUNTERSIGN_MALFORMED that no such
/// thing is called so, COUNTERSIGN_NULL that the tenant, a group or a role is
/// absent, and COUNTERSIGN_REFUSED whatever else the rules forbid: a
/// secret of another form than the scheme's, one that is in use, a weak one
/// without COUNTERSIGN_MAY_BE_WEAK, more groups than a credential may be in.
///
/// The thread that opened the store. What is issued belongs to it too, and to
/// the caller, who ends it with countersign_issued_free(). Reads everything during
/// the call.
///
/// # Safety
///
/// `wanted` is NULL or as it says; what is in it has as many bytes as it says, and
/// `groups` and `roles` have as many elements. `issued_out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn countersign_credential_create_with(
    store: *mut countersign_store,
    wanted: *const countersign_new_credential,
    issued_out: *mut *mut countersign_issued,
) -> countersign_status {
    guard(|| {
        // SAFETY: by this function's contract.
        unsafe { put(issued_out, core::ptr::null_mut()) }?;
        // A secret is told once, so it must not get lost.
        object::require_room()?;
        // SAFETY: by this function's contract.
        let wanted = unsafe { sized(wanted, "the new credential") }?;
        if wanted.flags & !COUNTERSIGN_MAY_BE_WEAK != 0 || wanted.reserved != 0 {
            return Err(malformed("a flag of the new credential is unknown"));
        }
        // SAFETY: by this function's contract.
        let tenant = tenant_id(unsafe { wanted.tenant.require_text("the tenant's id") }?)?;
        // SAFETY: by this function's contract.
        let name = unsafe { wanted.name.text("the name") }?;
        // SAFETY: by this function's contract.
        let scheme = unsafe { wanted.scheme.text("the scheme") }?;
        // SAFETY: by this function's contract.
        let secret = unsafe { wanted_secret(wanted) }?;
        let mut new = new_credential(tenant, name, scheme, secret)?;
        // SAFETY: by this function's contract.
        let groups = unsafe { texts(wanted.groups, wanted.group_count, "the groups") }?;
        for group in groups {
            new.groups.push(GroupPath::parse(group).map_err(malformed)?);
        }
        // SAFETY: by this function's contract.
        let roles = unsafe { texts(wanted.roles, wanted.role_count, "the roles") }?;
        for role in roles {
            new.roles.push(RoleName::parse(role).map_err(malformed)?);
        }
        // SAFETY: by this function's contract.
        unsafe { create(store, new, issued_out) }
    })
}

fn new_credential(
    tenant: TenantId,
    name: Option<&str>,
    scheme: Option<&str>,
    secret: NewSecret,
) -> Result<NewCredential, CallError> {
    let mut new = NewCredential::new(tenant, "");
    new.name = name.map(str::to_owned);
    new.secret = secret;
    if let Some(scheme) = scheme {
        new.scheme = SchemeName::parse(scheme).map_err(malformed)?;
    }
    Ok(new)
}

/// # Safety
///
/// `issued_out` is writable.
unsafe fn create(
    store: *mut countersign_store,
    new: NewCredential,
    issued_out: *mut *mut countersign_issued,
) -> Result<(), CallError> {
    let issued = object::with(store, |open| {
        let made = open.run(&CreateCredential(new))?;
        Ok(Issued::of(&made))
    })?;
    // SAFETY: by this function's contract.
    unsafe { object::keep(issued_out, issued) }
}

/// # Safety
///
/// Its `password` and `secret` have as many bytes as they say.
unsafe fn wanted_secret(wanted: &countersign_new_credential) -> Result<NewSecret, CallError> {
    let may_be_weak = wanted.flags & COUNTERSIGN_MAY_BE_WEAK != 0;
    // SAFETY: by this function's contract.
    let chosen = unsafe { new_secret(wanted.password) }?;
    // SAFETY: by this function's contract.
    let Some(bytes) = unsafe { wanted.secret.read("the secret") }? else {
        return Ok(chosen);
    };
    if !matches!(chosen, NewSecret::Generated) {
        return Err(malformed("the new credential has a password and a secret"));
    }
    let secret = ChosenPassword::parse(bytes.to_vec()).map_err(malformed)?;
    Ok(NewSecret::TakenOver {
        secret,
        may_be_weak,
    })
}

/// # Safety
///
/// `password` has as many bytes as it says.
pub(crate) unsafe fn new_secret(password: countersign_bytes) -> Result<NewSecret, CallError> {
    // SAFETY: by this function's contract.
    Ok(match unsafe { password.read("the password") }? {
        Some(bytes) => NewSecret::Chosen(ChosenPassword::parse(bytes.to_vec()).map_err(malformed)?),
        None => NewSecret::Generated,
    })
}
