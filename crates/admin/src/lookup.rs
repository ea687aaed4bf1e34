//! Finding what commands are about, in the midst of one. What is missing is an
//! error that names it.

use core::fmt;
use core::ops::{Deref, DerefMut};

use countersign_core::credential::Credential;
use countersign_core::kind::{ApplicationName, Kind};
use countersign_core::name::{LoginName, TenantId};
use countersign_core::role::{Role, RoleName};
use countersign_core::scheme::{Scheme, SchemeName, Schemes};
use countersign_core::store::AdminTransaction;
use countersign_core::tenant::Tenant;

use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::kind::wrong_kind;

/// The rows of a store, in a transaction.
pub struct Rows<'a>(&'a mut (dyn AdminTransaction + 'a));

impl<'a> Rows<'a> {
    /// Those of `transaction`.
    pub(crate) fn of(transaction: &'a mut (dyn AdminTransaction + 'a)) -> Self {
        Self(transaction)
    }
}

impl<'a> Deref for Rows<'a> {
    type Target = dyn AdminTransaction + 'a;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl DerefMut for Rows<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut *self.0
    }
}

impl fmt::Debug for Rows<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rows(…)")
    }
}

/// The tenant with this id.
///
/// # Errors
///
/// Returns [`AdminError`] when there is none or the store can't be read. So do
/// all below.
pub(crate) fn tenant(rows: &mut Rows<'_>, id: &TenantId) -> Result<Tenant, AdminError> {
    rows.tenant(id)?.ok_or_else(|| {
        let message = format!("there is no tenant `{id}`");
        AdminError::new(ErrorKind::NotFound, Subject::new(Noun::Tenant, id), message)
    })
}

/// Checks that a tenant exists, where one is named.
///
/// # Errors
///
/// As [`tenant`].
pub(crate) fn check_tenant(rows: &mut Rows<'_>, id: Option<&TenantId>) -> Result<(), AdminError> {
    id.map_or(Ok(()), |id| tenant(rows, id).map(drop))
}

/// The role of this name.
pub(crate) fn role(
    rows: &mut Rows<'_>,
    id: &TenantId,
    name: &RoleName,
) -> Result<Role, AdminError> {
    tenant(rows, id)?;
    let missing = || not_in_tenant(Noun::Role, "role", name, id);
    rows.role(id, name)?.ok_or_else(missing)
}

/// The application of this name.
pub(crate) fn application(
    rows: &mut Rows<'_>,
    id: &TenantId,
    name: &ApplicationName,
) -> Result<Credential, AdminError> {
    tenant(rows, id)?;
    let found = rows.credential(&name.credential_name(id)?)?;
    found
        .filter(|found| {
            matches!(found.kind, Kind::Application(_)) && found.tenant.as_ref() == Some(id)
        })
        .ok_or_else(|| not_in_tenant(Noun::Application, "application", name, id))
}

/// The thing with this key in a tenant. Of other tenants' names nothing is told.
pub(crate) fn thing(
    rows: &mut Rows<'_>,
    id: &TenantId,
    key: &LoginName,
) -> Result<Credential, AdminError> {
    tenant(rows, id)?;
    let found = rows.credential(key)?;
    found
        .filter(|found| matches!(found.kind, Kind::Thing(_)) && found.tenant.as_ref() == Some(id))
        .ok_or_else(|| not_in_tenant(Noun::Thing, "thing", key, id))
}

fn not_in_tenant(noun: Noun, called: &str, name: impl fmt::Display, id: &TenantId) -> AdminError {
    let message = format!("tenant `{id}` has no {called} `{name}`");
    AdminError::new(
        ErrorKind::NotFound,
        Subject::in_tenant(noun, name, id),
        message,
    )
}

/// The scheme with this name, among those known.
///
/// # Errors
///
/// Returns [`AdminError`] when it is not among them.
pub(crate) fn scheme<'a>(known: &'a Schemes, name: &SchemeName) -> Result<&'a Scheme, AdminError> {
    known.find(name.as_str()).ok_or_else(|| {
        let names: Vec<_> = known
            .iter()
            .map(|scheme| format!("`{}`", scheme.name()))
            .collect();
        let message = format!(
            "there is no scheme `{name}`; known are {}",
            names.join(", ")
        );
        let subject = Subject::new(Noun::Scheme, name);
        AdminError::new(ErrorKind::NotFound, subject, message)
    })
}

/// There is no credential of this name, or the caller may not know of it.
pub(crate) fn no_credential(name: &LoginName) -> AdminError {
    let hint = if name.as_str().contains('@') {
        ""
    } else {
        "; a name of scheme `basic` is written with its tenant, like `dev1@acme`"
    };
    let message = format!("there is no credential `{name}`{hint}");
    AdminError::new(
        ErrorKind::NotFound,
        Subject::new(Noun::Credential, name),
        message,
    )
}

/// The user with this address.
pub(crate) fn user(rows: &mut Rows<'_>, email: &LoginName) -> Result<Credential, AdminError> {
    let found = rows.credential(email)?.ok_or_else(|| no_user(email))?;
    match found.kind {
        Kind::User(_) => Ok(found),
        Kind::Application(_) | Kind::Bearer | Kind::Device | Kind::Thing(_) => {
            Err(wrong_kind(&found))
        }
    }
}

/// There is no user of this address, or the caller may not know of them.
pub(crate) fn no_user(email: &LoginName) -> AdminError {
    let message = format!("there is no user `{email}`");
    AdminError::new(
        ErrorKind::NotFound,
        Subject::new(Noun::User, email),
        message,
    )
}
