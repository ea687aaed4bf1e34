//! Names that hold an `@` and are no tenant's, as imports keep them.
//!
//! All names of a store are one name space: what stands behind the `@` of such a
//! name names no tenant, and a name like an e-mail address is no user's.

use countersign_core::credential::Credential;
use countersign_core::given::Given;
use countersign_core::kind::Kind;
use countersign_core::name::{LoginName, Suffix, TenantId};
use countersign_core::store::StoreError;
use countersign_core::user::parse_email;

use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::lookup::{self, Rows};

/// Checks that a credential of this tenant may keep its name.
///
/// # Errors
///
/// Returns [`AdminError`] when the name ends with another tenant, or is the address
/// of a user; and as [`check_case`].
pub(crate) fn check(
    rows: &mut Rows<'_>,
    name: &LoginName,
    tenant: &TenantId,
) -> Result<(), AdminError> {
    check_suffix(rows, name.as_str(), tenant)?;
    check_case(name)?;
    match user_called(rows, name)? {
        Some(user) => Err(lookup::exists(&user.name)),
        None => Ok(()),
    }
}

/// Checks that a name does not end with another tenant than the one it is made in.
///
/// # Errors
///
/// Returns [`AdminError`] when it does, and when the store can't be read.
pub(crate) fn check_suffix(
    rows: &mut Rows<'_>,
    name: &str,
    tenant: &TenantId,
) -> Result<(), AdminError> {
    let suffix = name.rsplit_once('@').map(|(_, suffix)| suffix);
    let suffix = suffix.and_then(|suffix| TenantId::parse(suffix).ok());
    let Some(suffix) = suffix.filter(|suffix| suffix != tenant) else {
        return Ok(());
    };
    if rows.tenant(&suffix)?.is_none() {
        return Ok(());
    }
    let name = Given::from(name);
    let message = format!(
        "`{name}` ends with tenant `{suffix}`, and it is made in `{tenant}`; name one of them"
    );
    let subject = Subject::new(Noun::Credential, &name);
    Err(AdminError::new(ErrorKind::Conflict, subject, message))
}

/// The user whose address a name is, in whatever case.
///
/// # Errors
///
/// Returns [`StoreError`] when the store can't be read.
pub(crate) fn user_called(
    rows: &mut Rows<'_>,
    name: &LoginName,
) -> Result<Option<Credential>, StoreError> {
    match (name.suffix(), parse_email(name.as_str())) {
        (Suffix::Email, Ok(email)) => {
            let found = rows.credential(&email)?;
            Ok(found.filter(|it| matches!(it.kind, Kind::User(_))))
        }
        _ => Ok(None),
    }
}

/// Checks that a name like an address is found by the address: a user's is in lower
/// case, and stores know the case of no letters but `a` to `z`.
///
/// # Errors
///
/// Returns [`AdminError`] for one that holds another letter in upper case.
pub(crate) fn check_case(name: &LoginName) -> Result<(), AdminError> {
    let is_found = |email: LoginName| email.as_str() == name.as_str().to_ascii_lowercase();
    if name.suffix() != Suffix::Email || parse_email(name.as_str()).map_or(true, is_found) {
        return Ok(());
    }
    let message = format!(
        "`{name}` can't be a name: it looks like an address, and holds a letter in upper case that \
         is none of `A` to `Z`"
    );
    Err(AdminError::invalid(Noun::Credential, name, message))
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
