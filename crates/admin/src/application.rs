//! Acts on applications: each owns a token that many things present.

use core::time::Duration;
use std::collections::BTreeSet;

use countersign_core::change::Change;
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::kind::{Application, ApplicationName, Kind};
use countersign_core::name::{LoginName, LoginNameError, TenantId};
use countersign_core::role::RoleName;
use countersign_core::scheme::{DraftSecret, Scheme, Schemes};
use countersign_core::secret::Secret;
use countersign_core::store::{AdminStore, AdminTransaction, Intent, StoreError};
use countersign_core::time::Timestamp;

use crate::context::Context;
use crate::credential::{CredentialError, Overlap, blank, keep_for_a_while, remove_secrets};
use crate::error::AdminError;
use crate::jwt;
use crate::lookup::{self, Rows};
use crate::password::PreparedSecret;
use crate::role::{self, RoleError};
use crate::scheme_overlap;
use crate::view::AuditedApplication;

/// An application to be made.
#[derive(Clone, Debug)]
pub struct NewApplication {
    /// Its name.
    pub name: ApplicationName,
    /// Its tenant.
    pub tenant: TenantId,
    /// The roles that its things hold.
    pub roles: Vec<RoleName>,
    /// Whether its sessions administer the tenant, and whether things register
    /// themselves.
    pub about: Application,
}

/// An application that was given a token.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct IssuedApplication {
    /// The application as it is now.
    pub application: Credential,
    /// Its new token, to be shown this once.
    pub token: Secret,
    /// Until when its old token works too, if it does.
    pub old_token_until: Option<Timestamp>,
}

/// Makes an application with a token.
///
/// # Errors
///
/// Returns [`ApplicationError`] when the tenant has one of this name, when
/// there is no such tenant or role, when the topics of its things would reach
/// what another tenant owns, or when the store can't be written; nothing changed
/// then.
pub fn create<S: AdminStore>(
    store: &mut S,
    context: &mut Context<'_>,
    new: NewApplication,
) -> Result<IssuedApplication, ApplicationError> {
    let name = new.name.credential_name(&new.tenant)?;
    let mut transaction = store.begin(Intent::Write)?;
    lookup::tenant(&mut Rows::of(&mut transaction), &new.tenant)?;
    for role in &new.roles {
        role::find(&mut transaction, &new.tenant, role)?;
    }
    if transaction.credential(&name)?.is_some() {
        return Err(ApplicationError::Exists {
            name: new.name,
            tenant: new.tenant,
        });
    }
    let known = transaction.schemes()?;
    let scheme = scheme(&known)?;
    scheme_overlap::check_scheme(&mut Rows::of(&mut transaction), scheme, &new.tenant)?;
    let token = draft_token(scheme, &name, &known, context)?;
    let roles: BTreeSet<RoleName> = new.roles.into_iter().collect();
    let (kind, tenant) = (Kind::Application(new.about), Some(new.tenant.clone()));
    let blank = Credential {
        roles: roles.into_iter().collect(),
        ..blank(name, kind, tenant, scheme.name().clone(), context.now)
    };
    let id = transaction.add_credential(&blank)?;
    transaction.add_secret(id, &token.verifier)?;
    let application = find(&mut transaction, &new.tenant, &new.name)?;
    let row = context.audit(
        "application.create",
        application.name.as_str(),
        None::<&AuditedApplication>,
        Some(&AuditedApplication::of(&application)),
    );
    transaction.commit(&[row], &[Change::Credential(id)])?;
    issued(application, token, None)
}

/// Applications, by tenant and name.
///
/// # Errors
///
/// Returns [`ApplicationError`] when there is no such tenant or the store can't
/// be read.
pub fn list<S: AdminStore>(
    store: &mut S,
    tenant: Option<&TenantId>,
) -> Result<Vec<Credential>, ApplicationError> {
    let mut transaction = store.begin(Intent::Read)?;
    if let Some(tenant) = tenant {
        lookup::tenant(&mut Rows::of(&mut transaction), tenant)?;
    }
    Ok(transaction.applications(tenant)?)
}

/// The application of this name.
///
/// # Errors
///
/// Returns [`ApplicationError`] when the tenant has none or the store can't be
/// read.
pub fn show<S: AdminStore>(
    store: &mut S,
    tenant: &TenantId,
    name: &ApplicationName,
) -> Result<Credential, ApplicationError> {
    find(&mut store.begin(Intent::Read)?, tenant, name)
}

/// Gives an application a new token. With an overlap the old one works for a
/// while; without one, the sessions of all its things end that used it.
///
/// # Errors
///
/// Returns [`ApplicationError`] when the tenant has none, when an overlap runs
/// already, or when the store can't be written; nothing changed then.
pub fn rotate<S: AdminStore>(
    store: &mut S,
    context: &mut Context<'_>,
    tenant: &TenantId,
    name: &ApplicationName,
    overlap: Option<Duration>,
) -> Result<IssuedApplication, ApplicationError> {
    let now = context.now;
    let mut transaction = store.begin(Intent::Write)?;
    let mut application = find(&mut transaction, tenant, name)?;
    let before = AuditedApplication::of(&application);
    let known = transaction.schemes()?;
    let token = draft_token(scheme(&known)?, &application.name, &known, context)?;
    let until = match overlap {
        None => {
            remove_secrets(&mut transaction, &application, |_| true)?;
            application.generation = application.generation.next();
            None
        }
        Some(overlap) => {
            remove_secrets(&mut transaction, &application, |old| !old.is_usable(now))?;
            keep_for_a_while(&mut transaction, &application, Overlap::For(overlap), now)?
        }
    };
    transaction.add_secret(application.id, &token.verifier)?;
    application.updated_at = now;
    transaction.update_credential(&application)?;
    let application = find(&mut transaction, tenant, name)?;
    let row = context.audit(
        "application.rotate",
        application.name.as_str(),
        Some(&before),
        Some(&AuditedApplication::of(&application)),
    );
    transaction.commit(&[row], &[Change::Credential(application.id)])?;
    issued(application, token, until)
}

/// Deletes an application with all its things. Their sessions end, and so do
/// the tokens that they made or that name one of them.
///
/// # Errors
///
/// Returns [`ApplicationError`] when the tenant has none or the store can't be
/// written; nothing changed then.
pub fn delete<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    tenant: &TenantId,
    name: &ApplicationName,
) -> Result<(), ApplicationError> {
    let mut transaction = store.begin(Intent::Write)?;
    let application = find(&mut transaction, tenant, name)?;
    let things = transaction.things(Some(tenant), Some(application.id))?;
    let issuers: BTreeSet<CredentialId> = things
        .iter()
        .map(|thing| thing.id)
        .chain([application.id])
        .collect();
    let keys: BTreeSet<&LoginName> = things.iter().map(|thing| &thing.name).collect();
    let subject = application.name.as_str();
    let ended = jwt::end(&mut transaction, Some(tenant), context, subject, |token| {
        issuers.contains(&token.issuer) || token.things.iter().any(|key| keys.contains(key))
    })?;
    transaction.delete_credential(application.id)?;
    let row = context.audit(
        "application.delete",
        subject,
        Some(&AuditedApplication::of(&application).with_things(things.len())),
        None::<&AuditedApplication>,
    );
    // A session of a thing hangs on the application, too.
    let (rows, changes) = ended.and(row, Change::Credential(application.id));
    transaction.commit(&rows, &changes)?;
    Ok(())
}

/// The application of this name, in the midst of an act.
pub(crate) fn find<T: AdminTransaction>(
    transaction: &mut T,
    tenant: &TenantId,
    name: &ApplicationName,
) -> Result<Credential, ApplicationError> {
    lookup::tenant(&mut Rows::of(transaction), tenant)?;
    let missing = || ApplicationError::Missing {
        name: name.clone(),
        tenant: tenant.clone(),
    };
    let is_it = |credential: &Credential| {
        matches!(credential.kind, Kind::Application(_))
            && credential.tenant.as_ref() == Some(tenant)
    };
    let found = transaction.credential(&name.credential_name(tenant)?)?;
    found.filter(is_it).ok_or_else(missing)
}

/// Why an act on an application was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplicationError {
    /// Something that holds for all credentials.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The tenant has one of this name.
    #[error("tenant `{tenant}` has an application `{name}` already")]
    Exists {
        /// Its name.
        name: ApplicationName,
        /// Its tenant.
        tenant: TenantId,
    },
    /// The tenant has none of this name.
    #[error(
        "tenant `{tenant}` has no application `{name}`; `application list --tenant {tenant}` shows all"
    )]
    Missing {
        /// The name.
        name: ApplicationName,
        /// The tenant.
        tenant: TenantId,
    },
    /// Its name can't be a name.
    #[error(transparent)]
    Name(#[from] LoginNameError),
    /// Something is wrong with a role.
    #[error(transparent)]
    Role(#[from] RoleError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// As the commands say.
    #[error(transparent)]
    Admin(#[from] AdminError),
}

fn scheme(known: &Schemes) -> Result<&Scheme, CredentialError> {
    known.find(SCHEME).ok_or(CredentialError::SchemeChanged)
}

fn draft_token(
    scheme: &Scheme,
    name: &LoginName,
    known: &Schemes,
    context: &mut Context<'_>,
) -> Result<PreparedSecret, CredentialError> {
    match scheme.draft_secret(name, None, known, context.random)? {
        DraftSecret::Generated(token) => Ok(PreparedSecret::of(token)),
        DraftSecret::Chosen => Err(CredentialError::SchemeChanged),
    }
}

fn issued(
    application: Credential,
    token: PreparedSecret,
    old_token_until: Option<Timestamp>,
) -> Result<IssuedApplication, ApplicationError> {
    Ok(IssuedApplication {
        application,
        token: token.shown_once.ok_or(CredentialError::SchemeChanged)?,
        old_token_until,
    })
}

/// The scheme of applications and their things.
pub(crate) const SCHEME: &str = "application";

#[cfg(test)]
mod tests {
    use countersign_core::store::GateStore as _;

    use super::*;
    use crate::check::ConnectVerdict;
    use crate::fixture::{Fixture, application_name, role_name, tenant_id, text_of};
    use crate::thing;

    fn rotated(fixture: &mut Fixture, overlap: Option<Duration>) -> IssuedApplication {
        let (tenant, name) = (tenant_id("acme"), application_name("fleet"));
        fixture
            .act(|store, context| rotate(store, context, &tenant, &name, overlap))
            .unwrap()
    }

    fn with_thing() -> (Fixture, String) {
        let mut fixture = Fixture::with_admin();
        let token = fixture.application("fleet", Application::default());
        fixture.thing("pump", "fleet").unwrap();
        (fixture, token)
    }

    fn is_let_in(fixture: &mut Fixture, token: &str) -> bool {
        fixture.check("pump", Some(token.as_bytes())) == ConnectVerdict::Allow
    }

    #[test]
    fn an_applications_name_is_its_tenants_alone() {
        let mut fixture = Fixture::with_credential();
        fixture.application("fleet", Application::default());
        fixture.tenant("other", &[]).unwrap();
        let mut make = |tenant: &str, roles: &[&str]| {
            let new = NewApplication {
                name: application_name("fleet"),
                tenant: tenant_id(tenant),
                roles: roles.iter().map(|role| role_name(role)).collect(),
                about: Application::default(),
            };
            fixture
                .act(|store, context| create(store, context, new))
                .map(|_| ())
                .map_err(|error| error.to_string())
        };
        assert_eq!(
            make("acme", &[]).unwrap_err(),
            "tenant `acme` has an application `fleet` already"
        );
        for (tenant, roles, said) in [
            ("none", &[][..], "there is no tenant `none`"),
            (
                "other",
                &["none"][..],
                "tenant `other` has no role `none`; ",
            ),
        ] {
            let error = make(tenant, roles).unwrap_err();
            assert!(error.starts_with(said), "{error}");
        }
        make("other", &[]).unwrap();
        assert_eq!(list(&mut fixture.store, None).unwrap().len(), 2);
        let of_acme = list(&mut fixture.store, Some(&tenant_id("acme"))).unwrap();
        assert_eq!(of_acme.len(), 1);
        assert!(list(&mut fixture.store, Some(&tenant_id("none"))).is_err());
    }

    #[test]
    fn a_token_is_32_characters_of_three_kinds() {
        let (_, token) = with_thing();
        assert_eq!(token.len(), 32);
        for kind in [
            char::is_uppercase as fn(char) -> bool,
            char::is_lowercase,
            |character| character.is_ascii_digit(),
        ] {
            assert!(token.contains(kind), "{token}");
        }
    }

    #[test]
    fn an_old_token_works_for_its_overlap_alone() {
        let (mut fixture, first) = with_thing();
        let issued = rotated(&mut fixture, Some(Duration::from_secs(60)));
        let until = fixture.now.plus(Duration::from_secs(60));
        assert_eq!(issued.old_token_until, Some(until));
        let second = text_of(&issued.token);
        assert!(is_let_in(&mut fixture, &first) && is_let_in(&mut fixture, &second));
        let (tenant, name) = (tenant_id("acme"), application_name("fleet"));
        let minute = Some(Duration::from_secs(60));
        let again = fixture.act(|store, context| rotate(store, context, &tenant, &name, minute));
        assert!(matches!(
            again.err().unwrap(),
            ApplicationError::Credential(CredentialError::OverlapRunning { .. })
        ));
        fixture.now = until;
        assert!(!is_let_in(&mut fixture, &first) && is_let_in(&mut fixture, &second));
        let third = text_of(&rotated(&mut fixture, None).token);
        assert!(!is_let_in(&mut fixture, &second) && is_let_in(&mut fixture, &third));
    }

    #[test]
    fn things_go_with_their_application_and_the_gates_are_told() {
        let (mut fixture, token) = with_thing();
        fixture.token(&["pump"]).unwrap();
        let (tenant, name) = (tenant_id("acme"), application_name("fleet"));
        let application = show(&mut fixture.store, &tenant, &name).unwrap();
        let before = fixture.store.last_change().unwrap();
        fixture
            .act(|store, context| delete(store, context, &tenant, &name))
            .unwrap();
        assert!(
            thing::list(&mut fixture.store, None, None)
                .unwrap()
                .is_empty()
        );
        assert!(!is_let_in(&mut fixture, &token));
        let bearer = fixture.only_token().record.bearer;
        assert_eq!(
            fixture.changes_after(before),
            [
                Change::Credential(application.id),
                Change::Credential(bearer)
            ]
        );
        assert!(matches!(
            show(&mut fixture.store, &tenant, &name),
            Err(ApplicationError::Missing { .. })
        ));
    }

    #[test]
    fn things_cannot_reach_what_another_tenant_owns() {
        let mut fixture = Fixture::new();
        fixture.tenant("acme", &[]).unwrap();
        fixture.tenant("other", &["thing/#"]).unwrap();
        let new = NewApplication {
            name: application_name("fleet"),
            tenant: tenant_id("acme"),
            roles: Vec::new(),
            about: Application::default(),
        };
        let made = fixture.act(|store, context| create(store, context, new));
        assert!(matches!(made.err().unwrap(), ApplicationError::Admin(_)));
    }
}
