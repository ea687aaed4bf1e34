//! Names that hold an `@` and are no tenant's, as imports keep them.
//!
//! All names of a store are one name space: what stands behind the `@` of such a
//! name names no tenant, and a name like an e-mail address is no user's.

use countersign_core::name::{LoginName, Suffix, TenantId};
use countersign_core::user::parse_email;

use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::lookup::{self, Rows};

/// Checks that a credential of this tenant may keep its name.
///
/// # Errors
///
/// Returns [`AdminError`] when the name ends with another tenant, or is the address
/// of a user.
pub(crate) fn check(
    rows: &mut Rows<'_>,
    name: &LoginName,
    tenant: &TenantId,
) -> Result<(), AdminError> {
    match name.suffix() {
        Suffix::Tenant(suffix) if suffix != *tenant && rows.tenant(&suffix)?.is_some() => {
            let message = format!(
                "`{name}` ends with tenant `{suffix}`, and it is made in `{tenant}`; name one of \
                 them"
            );
            let subject = Subject::new(Noun::Credential, name);
            Err(AdminError::new(ErrorKind::Conflict, subject, message))
        }
        Suffix::Email => match parse_email(name.as_str()) {
            Ok(email) if rows.has_user(&email)? => Err(lookup::exists(&email)),
            Ok(_) | Err(_) => Ok(()),
        },
        Suffix::None | Suffix::Tenant(_) | Suffix::Unknown => Ok(()),
    }
}

/// Checks that no credential has a name that would be a tenant's.
///
/// # Errors
///
/// Returns [`AdminError`] that names some of those that have.
pub(crate) fn check_tenant_free(rows: &mut Rows<'_>, id: &TenantId) -> Result<(), AdminError> {
    let mut names = rows.names_kept_under(id.as_str(), MOST_NAMED + 1)?;
    if names.is_empty() {
        return Ok(());
    }
    let more = if names.len() > MOST_NAMED {
        " and more"
    } else {
        ""
    };
    names.truncate(MOST_NAMED);
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    let message = format!(
        "names that end with `@{id}` came with an import: {}{more}; delete them, or choose another \
         tenant id",
        names.join(", ")
    );
    let subject = Subject::new(Noun::Tenant, id);
    Err(AdminError::new(ErrorKind::Conflict, subject, message))
}

/// Checks that no credential has a name that is this e-mail address, in whatever
/// case.
///
/// # Errors
///
/// Returns [`AdminError`] of kind `Exists` when one has.
pub(crate) fn check_email_free(rows: &mut Rows<'_>, email: &LoginName) -> Result<(), AdminError> {
    match rows.name_kept_like(email)? {
        Some(kept) => Err(lookup::exists(&kept)),
        None => Ok(()),
    }
}

/// So many names are named.
const MOST_NAMED: usize = 3;
