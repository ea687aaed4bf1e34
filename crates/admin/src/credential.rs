//! Acts on credentials.
//!
//! An act that ends or changes running sessions (a suspension, a password
//! reset, a tie taken away) raises the credential's generation.

use std::collections::BTreeMap;

use countersign_core::change::Change;
use countersign_core::client_id::{ClientId, ClientIdRule};
use countersign_core::credential::{AttributeError, Credential, CredentialId, Generation};
use countersign_core::given::Given;
use countersign_core::kind::Kind;
use countersign_core::lifecycle::{Act, State};
use countersign_core::name::{LoginName, TenantId};
use countersign_core::role::RoleName;
use countersign_core::scheme::{DraftError, Scheme, SchemeClientIds, SchemeName, TokenLogin};
use countersign_core::secret::{PasswordHashError, Secret};
use countersign_core::store::rows::{CredentialRows as _, SchemeRows as _};
use countersign_core::store::{
    AdminStore, AdminTransaction, CredentialQuery, Intent, StoreError, StoreErrorKind,
};
use countersign_core::time::Timestamp;

use crate::context::{Context, RandomError};
use crate::error::AdminError;
use crate::kind::{ReservedName, WrongKind};
use crate::lookup::{self, Rows};
use crate::password::{PasswordError, PrepareError, PreparedSecret};
use crate::view::AuditedCredential;

mod change;
mod client_ids;
mod create;
mod lifecycle;
mod renew;
mod rules;

pub use self::change::{CredentialChanges, set};
pub use self::create::{NewCredential, create};
pub(crate) use self::lifecycle::delete_found;
pub use self::lifecycle::{delete, reactivate, revoke, suspend, untie};
pub use self::renew::{reset_password, rotate};
pub use self::rules::{change_rules, rule_warnings};
pub use crate::secret::Overlap;

/// A credential and the scheme that it was made by.
#[derive(Clone, Debug)]
pub struct ShownCredential {
    /// The credential.
    pub credential: Credential,
    /// Its scheme, which says what its client presents; none if the store does
    /// not know it.
    pub scheme: Option<Scheme>,
}

/// A credential that was given a new secret.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct IssuedCredential {
    /// The credential as it is now.
    pub described: ShownCredential,
    /// Its new secret, to be shown this once; none if a person chose it.
    pub secret: Option<Secret>,
    /// Until when its old secret works too, if there is such an instant.
    pub old_secret_until: Option<Timestamp>,
}

/// The credential with this name, which is no operator.
///
/// # Errors
///
/// Returns [`CredentialError`] when there is none or the store can't be read.
pub fn show<S: AdminStore>(
    store: &mut S,
    name: &LoginName,
) -> Result<ShownCredential, CredentialError> {
    let mut transaction = store.begin(Intent::Read)?;
    let described = find(&mut transaction, name)?;
    require_tenant(&described.credential)?;
    Ok(described)
}

/// Hands the credentials that `query` asks for to `each`, by name, as one
/// state of the store has them. Holds only a page of them in memory.
///
/// # Errors
///
/// Returns [`CredentialError`] when the tenant does not exist, when the store
/// can't be read, or when `each` fails.
pub fn list<S: AdminStore, E: From<CredentialError>>(
    store: &mut S,
    query: CredentialQuery,
    mut each: impl FnMut(&Credential, Option<&Scheme>) -> Result<(), E>,
) -> Result<(), E> {
    let mut transaction = store.begin(Intent::Read).map_err(CredentialError::from)?;
    if let Some(tenant) = &query.tenant {
        lookup::tenant(&mut Rows::of(&mut transaction), tenant).map_err(CredentialError::from)?;
    }
    let known = transaction.schemes().map_err(CredentialError::from)?;
    for_each(&mut transaction, query, |credential| {
        each(credential, known.find(credential.scheme.as_str()))
    })
}

/// Goes over the credentials that `query` asks for, page by page.
pub(crate) fn for_each<T: AdminTransaction, E: From<CredentialError>>(
    transaction: &mut T,
    mut query: CredentialQuery,
    mut each: impl FnMut(&Credential) -> Result<(), E>,
) -> Result<(), E> {
    let mut left = query.limit.unwrap_or(u64::MAX);
    while left > 0 {
        let size = left.min(PAGE);
        query.limit = Some(size);
        let credentials = transaction
            .credentials(&query)
            .map_err(CredentialError::from)?;
        let count = u64::try_from(credentials.len()).unwrap_or(u64::MAX);
        if let Some(last) = credentials.last() {
            query.after = Some(last.name.clone());
        }
        credentials.iter().try_for_each(&mut each)?;
        if count < size {
            break;
        }
        left = left.saturating_sub(count);
    }
    Ok(())
}

/// Why an act on a credential was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// An attribute has no good shape.
    #[error(transparent)]
    Attribute(#[from] AttributeError),
    /// An attribute that its scheme fills has this value already.
    #[error("attribute `{attribute}` of `{holder}` is `{value}` already; it must be unique")]
    AttributeTaken {
        /// The attribute.
        attribute: &'static str,
        /// The value.
        value: Given,
        /// Whose it is.
        holder: LoginName,
    },
    /// Its client id does not begin as its tenant's do.
    #[error(
        "client id `{client_id}` does not begin with `{prefix}`, as all of tenant `{tenant}` do"
    )]
    ClientIdOutsidePrefix {
        /// The client id, or how it was to begin.
        client_id: Given,
        /// How it has to begin.
        prefix: ClientId,
        /// Whose rule that is.
        tenant: TenantId,
    },
    /// Its client id begins as another tenant's do.
    #[error("client id `{client_id}` begins with `{prefix}`, which belongs to tenant `{owner}`")]
    ClientIdOfAnother {
        /// The client id, or how it was to begin.
        client_id: Given,
        /// How it must not begin.
        prefix: ClientId,
        /// Whose prefix that is.
        owner: TenantId,
    },
    /// Another credential is bound to its client id.
    #[error("another credential is bound to client id `{client_id}`")]
    ClientIdTaken {
        /// The client id.
        client_id: ClientId,
    },
    /// Its time would be over before it comes.
    #[error("`{name}` could never be used: it would expire before it may first be used")]
    Dates {
        /// Its name.
        name: LoginName,
    },
    /// Its scheme makes no such credential.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// There is one with this name.
    #[error("`{name}` exists already")]
    Exists {
        /// Its name.
        name: LoginName,
    },
    /// The password could not be hashed.
    #[error(
        "could not hash the password: not enough memory for the Argon2 parameters of `settings show`"
    )]
    Hash(#[source] PasswordHashError),
    /// It does not hold the role that was to be taken away.
    #[error("`{name}` does not hold role `{role}`")]
    LacksRole {
        /// Its name.
        name: LoginName,
        /// The role.
        role: RoleName,
    },
    /// There is none with this name.
    #[error("there is no credential `{name}`{}", hint(.name))]
    Missing {
        /// The name.
        name: LoginName,
    },
    /// All names that its scheme makes seem to be taken.
    #[error(
        "scheme `{scheme}` made only names and tokens that are taken; its shapes are too short"
    )]
    NothingFree {
        /// The scheme.
        scheme: SchemeName,
    },
    /// There is no operator with this name.
    #[error("there is no operator `{name}`; `operator list` shows all")]
    NoOperator {
        /// The name.
        name: LoginName,
    },
    /// Its scheme does not replace secrets.
    #[error(
        "cannot {act} `{name}`: secrets of scheme `{scheme}` are not replaced; delete and recreate it"
    )]
    NotRotatable {
        /// What was tried.
        act: Act,
        /// Its name.
        name: LoginName,
        /// Its scheme.
        scheme: SchemeName,
    },
    /// There is no tie to take away.
    #[error("`{name}` is not tied to a client id")]
    NotTied {
        /// Its name.
        name: LoginName,
    },
    /// It would be a thing, which belongs to an application.
    #[error(
        "scheme `{scheme}` is for things, which belong to an application; make one with `thing create`"
    )]
    OfApplication {
        /// The scheme.
        scheme: SchemeName,
    },
    /// What was given ends with another tenant than its own.
    #[error("`{name}` ends with tenant `{suffix}`, and it is made in `{tenant}`; name one of them")]
    OfOtherTenant {
        /// What was given.
        name: Given,
        /// What it ends with.
        suffix: TenantId,
        /// Its tenant.
        tenant: TenantId,
    },
    /// An operator can't have this name.
    #[error("`{name}` is not a valid operator name: `@` stands before a tenant, and it has none")]
    OperatorAt {
        /// The name.
        name: LoginName,
    },
    /// The password is none.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// There was no randomness for a secret.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// It is of another kind, which has commands of its own.
    #[error(transparent)]
    WrongKind(#[from] WrongKind),
    /// Its name is kept for something else.
    #[error(transparent)]
    Reserved(#[from] ReservedName),
    /// Its scheme became another at the same moment.
    #[error("somebody changed the scheme at the same moment; try again")]
    SchemeChanged,
    /// Its state does not allow the act.
    #[error("cannot {act} `{name}`: it is {state}")]
    State {
        /// What was tried.
        act: Act,
        /// Its name.
        name: LoginName,
        /// The state it is in, and stays in.
        state: State,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// As the commands say.
    #[error(transparent)]
    Admin(#[from] AdminError),
}

impl From<PrepareError> for CredentialError {
    fn from(error: PrepareError) -> Self {
        match error {
            PrepareError::Draft(error) => Self::Draft(error),
            PrepareError::Hash(error) => Self::Hash(error),
            PrepareError::Password(error) => Self::Password(error),
            PrepareError::Random(error) => Self::Random(error),
        }
    }
}

/// One act on one credential, an operator among them: look it up, change it,
/// write it with its audit row and its change, and return what it is then.
fn act_on<S: AdminStore, R>(
    store: &mut S,
    context: &Context<'_>,
    name: &LoginName,
    act: &'static str,
    change: impl FnOnce(&mut S::Transaction<'_>, &mut ShownCredential) -> Result<R, CredentialError>,
) -> Result<(ShownCredential, R), CredentialError> {
    let mut transaction = store.begin(Intent::Write)?;
    let mut described = find(&mut transaction, name)?;
    let before = described.trace();
    let result = change(&mut transaction, &mut described)?;
    described.credential.updated_at = context.now;
    transaction.update_credential(&described.credential)?;
    let described = find(&mut transaction, name)?;
    let row = context.audit(act, name.as_str(), Some(&before), Some(&described.trace()));
    transaction.commit(&[row], &[Change::Credential(described.credential.id)])?;
    Ok((described, result))
}

impl ShownCredential {
    /// What the audit keeps of it.
    pub(crate) fn trace(&self) -> AuditedCredential {
        AuditedCredential::of(&self.credential, self.scheme.as_ref())
    }
}

/// The credential of a device or an operator with this name.
pub(crate) fn find<T: AdminTransaction>(
    transaction: &mut T,
    name: &LoginName,
) -> Result<ShownCredential, CredentialError> {
    let missing = || CredentialError::Missing { name: name.clone() };
    let credential = transaction.credential(name)?.ok_or_else(missing)?;
    if !matches!(credential.kind, Kind::Device) {
        return Err(WrongKind::of(&credential).into());
    }
    let known = transaction.schemes()?;
    Ok(ShownCredential {
        scheme: known.find(credential.scheme.as_str()).cloned(),
        credential,
    })
}

/// The tenant of a credential that must have one.
fn require_tenant(credential: &Credential) -> Result<&TenantId, CredentialError> {
    let operator = || WrongKind::of(credential).into();
    credential.tenant.as_ref().ok_or_else(operator)
}

/// The state that follows on `act`, or the error that names act, credential
/// and state.
fn transition(credential: &Credential, act: Act) -> Result<State, CredentialError> {
    credential
        .state
        .after(act)
        .map_err(|error| CredentialError::State {
            act,
            name: credential.name.clone(),
            state: error.from,
        })
}

/// A credential that was never used and holds nothing yet; any client id will
/// do.
pub(crate) fn blank(
    name: LoginName,
    kind: Kind,
    tenant: Option<TenantId>,
    scheme: SchemeName,
    now: Timestamp,
) -> Credential {
    Credential {
        id: CredentialId(0),
        name,
        kind,
        tenant,
        scheme,
        state: State::Inactive,
        ever_used: false,
        generation: Generation::FIRST,
        group: None,
        description: None,
        client_id_rule: ClientIdRule::Any,
        client_id_tie: None,
        external_identity: false,
        not_before: None,
        expires_at: None,
        created_at: now,
        updated_at: now,
        last_used_at: None,
        revoked_reason: None,
        secrets: Vec::new(),
        roles: Vec::new(),
        rules: Vec::new(),
        attributes: BTreeMap::new(),
    }
}

/// Gives a credential one more secret. Of one that serves as a name, what it
/// begins with is kept too, for people to tell it from others.
fn add_secret<T: AdminTransaction>(
    transaction: &mut T,
    credential: CredentialId,
    secret: &PreparedSecret,
    scheme: Option<&Scheme>,
) -> Result<(), StoreError> {
    let id = transaction.add_secret(credential, &secret.verifier)?;
    if let (Some(made), Some(scheme)) = (&secret.shown_once, scheme)
        && is_shown(scheme)
        && let Some(hint) = hint_of(made, scheme)
    {
        transaction.put_hint(id, hint)?;
    }
    Ok(())
}

/// Says whether clients of a scheme present their secrets as names.
fn is_shown(scheme: &Scheme) -> bool {
    scheme.token_login() != TokenLogin::Never
        || *scheme.client_ids() == SchemeClientIds::SameAsSecret
}

/// How all secrets of the scheme begin, and a little more.
fn hint_of<'a>(made: &'a Secret, scheme: &Scheme) -> Option<&'a str> {
    let length = literal_start(scheme).len().saturating_add(TELLING);
    core::str::from_utf8(made.expose().get(..length)?).ok()
}

/// How all secrets of a scheme begin.
pub(crate) fn literal_start(scheme: &Scheme) -> &str {
    let shape = scheme.secret_shape().as_str();
    shape.split(['[', '{']).next().unwrap_or_default()
}

/// How many characters tell one secret from most others.
const TELLING: usize = 4;

/// Turns the store's "it exists already" into an error that names what.
pub(crate) fn exists(error: StoreError, name: &LoginName) -> CredentialError {
    if error.kind() == StoreErrorKind::Conflict {
        CredentialError::Exists { name: name.clone() }
    } else {
        error.into()
    }
}

/// Tells those who left out the tenant that it is a part of the name.
fn hint(name: &LoginName) -> &'static str {
    if name.as_str().contains('@') {
        ""
    } else {
        "; a name of scheme `basic` is written with its tenant, like `dev1@acme`"
    }
}

/// How many credentials are in memory at a time.
const PAGE: u64 = if cfg!(test) { 5 } else { 500 };

#[cfg(test)]
mod tests {
    use std::thread;

    use countersign_sqlite::SqliteStore;

    use super::*;
    use crate::fixture::{Fixture, login_name, tenant_id};
    use crate::text::FreeText;

    #[test]
    fn a_list_goes_over_pages_and_stops_at_its_limit() {
        let mut fixture = Fixture::with_credential();
        for number in 0..12 {
            fixture.credential(&format!("n{number:02}")).unwrap();
        }
        let mut names = |after: Option<&str>, limit| {
            let query = CredentialQuery {
                tenant: Some(tenant_id("acme")),
                after: after.map(login_name),
                limit,
                ..CredentialQuery::default()
            };
            let mut names = Vec::new();
            list(&mut fixture.store, query, |credential, _| {
                names.push(credential.name.to_string());
                Ok::<_, CredentialError>(())
            })
            .unwrap();
            names
        };
        assert_eq!(names(None, None).len(), 13);
        assert_eq!(names(None, Some(2)), ["dev1@acme", "n00@acme"]);
        assert_eq!(names(Some("n10@acme"), None), ["n11@acme"]);
        assert!(names(None, Some(0)).is_empty());
    }

    /// Two administrators at once: of two acts that exclude each other one is
    /// refused, and of two that do not, neither is lost.
    #[test]
    fn acts_at_once_neither_undo_nor_overlook_each_other() {
        let mut fixture = Fixture::with_credential();
        let path = fixture.directory.path().join("store.db");
        let now = fixture.now;
        let act = |number: usize| {
            let mut store = SqliteStore::open(&path).unwrap();
            let context = Context {
                now,
                caller: crate::Caller::owner("cli:tester"),
                random: &mut crate::OsRandom,
            };
            let name = login_name("dev1@acme");
            let changes = CredentialChanges {
                attributes: [(format!("a{number}"), "x".into())].into(),
                description: FreeText::parse("x").ok(),
                ..CredentialChanges::default()
            };
            set(&mut store, &context, &name, changes).unwrap();
            suspend(&mut store, &context, &name).is_ok()
        };
        let suspended = thread::scope(|scope| {
            let acts: Vec<_> = (0..8)
                .map(|number| scope.spawn(move || act(number)))
                .collect();
            acts.into_iter()
                .map(|act| act.join().unwrap())
                .filter(|done| *done)
                .count()
        });
        assert_eq!(suspended, 1);
        let credential = fixture.show("dev1@acme");
        assert_eq!(credential.attributes.len(), 8);
        assert_eq!(credential.state, State::Suspended);
        assert_eq!(fixture.acts().len(), 2 + 8 + 1);
    }
}
