//! Acts on credentials.
//!
//! What a running session must feel (a suspension, a password reset, a tie
//! taken away) raises the credential's generation; see design §3 and §9.

use countersign_core::change::Change;
use countersign_core::client_id::ClientId;
use countersign_core::credential::{AttributeError, Credential};
use countersign_core::lifecycle::{Act, State};
use countersign_core::name::{LoginName, LoginNameError, TenantId};
use countersign_core::secret::{PasswordHashError, Secret};
use countersign_core::store::{
    AdminStore, AdminTransaction, CredentialQuery, Intent, StoreError, StoreErrorKind,
};
use countersign_core::time::Timestamp;

use crate::context::{Context, RandomError};
use crate::password::PrepareError;
use crate::tenant::{self, TenantError};
use crate::view::CredentialTrace;

mod change;
mod client_ids;
mod create;
mod life;
mod renew;

pub use self::change::{CredentialChanges, set};
pub use self::create::{NewCredential, create};
pub use self::life::{delete, reactivate, revoke, suspend, untie};
pub use self::renew::{Overlap, reset_password, rotate};

/// A credential that was given a new secret.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct Issued {
    /// The credential as it is now.
    pub credential: Credential,
    /// Its new secret, to be shown this once; none if somebody chose it.
    pub secret: Option<Secret>,
    /// Until when its old secret works too, if there is such an instant.
    pub old_secret_until: Option<Timestamp>,
}

/// The credential with this name.
///
/// # Errors
///
/// Returns [`CredentialError`] when there is none or the store can't be read.
pub fn show<S: AdminStore>(store: &mut S, name: &LoginName) -> Result<Credential, CredentialError> {
    find(&mut store.begin(Intent::Read)?, name)
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
    mut each: impl FnMut(Credential) -> Result<(), E>,
) -> Result<(), E> {
    let mut transaction = store.begin(Intent::Read).map_err(CredentialError::from)?;
    if let Some(tenant) = &query.tenant {
        tenant::find(&mut transaction, tenant).map_err(CredentialError::from)?;
    }
    let mut page = query.clone();
    let mut left = query.limit.unwrap_or(u64::MAX);
    while left > 0 {
        let size = left.min(PAGE);
        page.limit = Some(size);
        let credentials = transaction
            .credentials(&page)
            .map_err(CredentialError::from)?;
        let count = u64::try_from(credentials.len()).unwrap_or(u64::MAX);
        if let Some(last) = credentials.last() {
            page.after = Some(last.name.clone());
        }
        credentials.into_iter().try_for_each(&mut each)?;
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
    /// Its client id does not begin as its tenant's do.
    #[error(
        "client id `{client_id}` does not begin with `{prefix}`, as all of tenant `{tenant}` do"
    )]
    ClientIdOutsidePrefix {
        /// The client id, or how it was to begin.
        client_id: Box<str>,
        /// How it has to begin.
        prefix: ClientId,
        /// Whose rule that is.
        tenant: TenantId,
    },
    /// Its client id begins as another tenant's do.
    #[error("client id `{client_id}` begins with `{prefix}`, which belongs to tenant `{owner}`")]
    ClientIdOfAnother {
        /// The client id, or how it was to begin.
        client_id: Box<str>,
        /// How it must not begin.
        prefix: ClientId,
        /// Whose prefix that is.
        owner: TenantId,
    },
    /// Its time would be over before it comes.
    #[error("`{name}` could never be used: it would expire before it may first be used")]
    Dates {
        /// Its name.
        name: LoginName,
    },
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
    /// There is none with this name.
    #[error("there is no credential `{name}`{}", hint(.name))]
    Missing {
        /// The name.
        name: LoginName,
    },
    /// The name has no good shape.
    #[error("`{}` is no name: {why}", .text.escape_debug())]
    Name {
        /// What was given.
        text: Box<str>,
        /// What may not stand in a name.
        why: LoginNameError,
    },
    /// There is no tie to take away.
    #[error("`{name}` is not tied to a client id")]
    NotTied {
        /// Its name.
        name: LoginName,
    },
    /// Two secrets work already.
    #[error(
        "cannot rotate `{name}` with an overlap: its last rotation still keeps an older secret; wait for its end, or rotate without an overlap to stop the older secrets at once"
    )]
    OverlapRunning {
        /// Its name.
        name: LoginName,
    },
    /// There was no randomness for a secret.
    #[error(transparent)]
    Random(#[from] RandomError),
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
    /// Something is wrong with its tenant.
    #[error(transparent)]
    Tenant(#[from] TenantError),
}

impl From<PrepareError> for CredentialError {
    fn from(error: PrepareError) -> Self {
        match error {
            PrepareError::Hash(error) => Self::Hash(error),
            PrepareError::Random(error) => Self::Random(error),
        }
    }
}

/// One act on one credential: look it up, change it, write it with its audit
/// row and its change, and return what it is then.
fn act_on<S: AdminStore, R>(
    store: &mut S,
    context: &Context<'_>,
    name: &LoginName,
    act: &'static str,
    change: impl FnOnce(&mut S::Transaction<'_>, &mut Credential) -> Result<R, CredentialError>,
) -> Result<(Credential, R), CredentialError> {
    let mut transaction = store.begin(Intent::Write)?;
    let mut credential = find(&mut transaction, name)?;
    let before = CredentialTrace::of(&credential);
    let result = change(&mut transaction, &mut credential)?;
    credential.updated_at = context.now;
    transaction.update_credential(&credential)?;
    let credential = find(&mut transaction, name)?;
    let after = CredentialTrace::of(&credential);
    let row = context.audit(act, name.as_str(), Some(&before), Some(&after));
    transaction.commit(&[row], &[Change::Credential(credential.id)])?;
    Ok((credential, result))
}

fn find<T: AdminTransaction>(
    transaction: &mut T,
    name: &LoginName,
) -> Result<Credential, CredentialError> {
    let missing = || CredentialError::Missing { name: name.clone() };
    transaction.credential(name)?.ok_or_else(missing)
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

/// Turns the store's "it exists already" into an error that names what.
fn exists(error: StoreError, name: &LoginName) -> CredentialError {
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
        "; a name is written with its tenant, like `dev1@acme`"
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
    use crate::text::Text;

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
            list(&mut fixture.store, query, |credential| {
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
                actor: "cli:tester",
                random: &mut crate::OsRandom,
            };
            let name = login_name("dev1@acme");
            let changes = CredentialChanges {
                attributes: [(format!("a{number}"), "x".into())].into(),
                description: Text::parse("x").ok(),
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
