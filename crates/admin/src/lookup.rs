//! Finding what commands are about, in the midst of one. What is missing is an
//! error that names it.

use core::fmt;
use core::ops::{Deref, DerefMut};

use countersign_core::api_token::ApiTokenId;
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::given::Given;
use countersign_core::jwt::{KeyId, TokenId};
use countersign_core::kind::{ApplicationName, Kind};
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::presence::Presence;
use countersign_core::role::{Role, RoleName};
use countersign_core::scheme::{Scheme, SchemeName, Schemes};
use countersign_core::store::{AdminTransaction, Keyed, StoreError, StoreErrorKind};
use countersign_core::tenant::Tenant;
use countersign_core::token::TokenRecord;
use countersign_core::user::parse_email;

use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::kind::wrong_kind;

mod audit_rows;
mod sessions;

pub(crate) use self::audit_rows::{is_asked_for, no_row, tenant_of_row};
pub(crate) use self::sessions::{no_session, session_named, sessions_called};

/// A credential and the scheme that it was made by.
#[derive(Clone, Debug)]
pub struct ShownCredential {
    /// The credential.
    pub credential: Credential,
    /// Its scheme, which says what its client presents; none if the store does
    /// not know it.
    pub scheme: Option<Scheme>,
}

/// A role and the groups that hold it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ShownRole {
    /// The role.
    pub role: Role,
    /// The groups that hold it, by path.
    pub groups: Vec<GroupPath>,
}

impl Keyed for ShownRole {
    type Key = <Role as Keyed>::Key;

    fn key(&self) -> Self::Key {
        self.role.key()
    }
}

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
    rows.tenant(id)?.ok_or_else(|| no_tenant(id))
}

/// There is no tenant of this id, or the caller may not know of it.
pub(crate) fn no_tenant(id: &TenantId) -> AdminError {
    let message = format!("there is no tenant `{id}`");
    AdminError::new(ErrorKind::NotFound, Subject::new(Noun::Tenant, id), message)
}

/// Checks that a tenant exists, where one is named.
///
/// # Errors
///
/// As [`tenant`].
pub(crate) fn check_tenant(rows: &mut Rows<'_>, id: Option<&TenantId>) -> Result<(), AdminError> {
    id.map_or(Ok(()), |id| tenant(rows, id).map(drop))
}

/// A role with the groups that hold it.
pub(crate) fn shown_role(rows: &mut Rows<'_>, role: Role) -> Result<ShownRole, AdminError> {
    let groups = rows.groups_of_role(&role.tenant, &role.name)?;
    Ok(ShownRole { role, groups })
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

/// The principal that people call so when they speak of the maker of tokens: a
/// user by e-mail address, a thing by its key, or an application by its name,
/// which without a tenant is the whole `application:NAME@TENANT`. Whether it
/// administers a tenant is not looked at.
pub(crate) fn issuer(
    rows: &mut Rows<'_>,
    tenant: Option<&TenantId>,
    principal: &str,
) -> Result<Credential, AdminError> {
    check_tenant(rows, tenant)?;
    let application = tenant.and_then(|tenant| {
        let name = ApplicationName::parse(principal).ok()?;
        name.credential_name(tenant).ok()
    });
    let email = parse_email(principal).ok();
    let whole = LoginName::parse(principal).ok();
    for name in [application, email, whole].into_iter().flatten() {
        let found = rows.credential(&name)?;
        if let Some(found) = found.filter(|found| may_be_issuer(found, tenant)) {
            return Ok(found);
        }
    }
    let called = Given::from(principal);
    let message = format!(
        "nobody is called `{called}` who could make tokens: it is the e-mail address of a user, or \
         the name of an application or the key of a thing of the tenant"
    );
    let subject = Subject::new(Noun::Issuer, called);
    Err(AdminError::new(ErrorKind::NotFound, subject, message))
}

/// Says whether a principal could ever make tokens of a tenant.
fn may_be_issuer(credential: &Credential, tenant: Option<&TenantId>) -> bool {
    let is_of_tenant = tenant.is_none_or(|tenant| credential.tenant.as_ref() == Some(tenant));
    match credential.kind {
        Kind::Application(_) | Kind::Thing(_) => is_of_tenant,
        Kind::User(_) => true,
        Kind::Bearer | Kind::Device | Kind::Operator => false,
    }
}

/// The token with this id.
pub(crate) fn token(rows: &mut Rows<'_>, id: &TokenId) -> Result<TokenRecord, AdminError> {
    rows.token(id)?.ok_or_else(|| no_token(id))
}

/// There is no token with this id, or the caller may not know of it.
pub(crate) fn no_token(id: &TokenId) -> AdminError {
    let message = format!("there is no token `{id}`");
    AdminError::new(ErrorKind::NotFound, Subject::new(Noun::Token, id), message)
}

/// There is no API token with this id, or the caller may not know of it.
pub(crate) fn no_api_token(id: ApiTokenId) -> AdminError {
    let message = format!("there is no API token `{id}`");
    let subject = Subject::new(Noun::ApiToken, id);
    AdminError::new(ErrorKind::NotFound, subject, message)
}

/// The tenant whose tokens this key signs.
pub(crate) fn tenant_of_key(rows: &mut Rows<'_>, id: &KeyId) -> Result<TenantId, AdminError> {
    let key = rows.token_key(id)?.ok_or_else(|| no_key(id))?;
    Ok(key.tenant)
}

/// There is no key with this id, or the caller may not know of it.
pub(crate) fn no_key(id: &KeyId) -> AdminError {
    let message = format!("there is no key `{id}`");
    AdminError::new(
        ErrorKind::NotFound,
        Subject::new(Noun::SigningKey, id),
        message,
    )
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
    if found.kind.user().is_some() {
        Ok(found)
    } else {
        Err(wrong_kind(&found))
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

/// The credential of a device or an operator with this name.
///
/// # Errors
///
/// As [`tenant`], and when the name is that of another kind of principal.
pub(crate) fn credential(
    rows: &mut Rows<'_>,
    name: &LoginName,
) -> Result<ShownCredential, AdminError> {
    let credential = rows.credential(name)?.ok_or_else(|| no_credential(name))?;
    if !matches!(credential.kind, Kind::Device | Kind::Operator) {
        return Err(wrong_kind(&credential));
    }
    let known = rows.schemes()?;
    Ok(ShownCredential {
        scheme: known.find(credential.scheme.as_str()).cloned(),
        credential,
    })
}

/// The live sessions of a credential.
///
/// # Errors
///
/// Returns [`StoreError`] when the store can't be read.
pub(crate) fn live_sessions(
    rows: &mut Rows<'_>,
    credential: CredentialId,
) -> Result<Vec<Presence>, StoreError> {
    let sessions = rows.presence_of_credential(credential)?;
    let alive = sessions.into_iter().filter(|session| session.is_alive);
    Ok(alive.map(|session| session.presence).collect())
}

/// The operator with this name.
///
/// # Errors
///
/// As [`credential`].
pub(crate) fn operator(
    rows: &mut Rows<'_>,
    name: &LoginName,
) -> Result<ShownCredential, AdminError> {
    match credential(rows, name) {
        Ok(found) if found.credential.is_operator() => Ok(found),
        Err(error) if !error.is(ErrorKind::NotFound, Noun::Credential) => Err(error),
        Ok(_) | Err(_) => Err(AdminError::new(
            ErrorKind::NotFound,
            Subject::new(Noun::Operator, name),
            format!("there is no operator `{name}`"),
        )),
    }
}

/// Checks that no principal has this name, of whatever kind.
///
/// # Errors
///
/// Returns [`AdminError`] of kind `Exists` when one has, with the name as it is
/// stored; and when the store can't be read.
pub(crate) fn check_free(rows: &mut Rows<'_>, name: &LoginName) -> Result<(), AdminError> {
    match rows.credential(name)? {
        Some(taken) => Err(exists(&taken.name)),
        None => Ok(()),
    }
}

/// Turns the store's "it exists already" into an error that names what.
pub(crate) fn exists_if_conflict(error: StoreError, name: &LoginName) -> AdminError {
    if error.kind() == StoreErrorKind::Conflict {
        exists(name)
    } else {
        error.into()
    }
}

/// There is a principal of this name.
pub(crate) fn exists(name: &LoginName) -> AdminError {
    AdminError::new(
        ErrorKind::Exists,
        Subject::new(Noun::Credential, name),
        format!("`{name}` exists already"),
    )
}
