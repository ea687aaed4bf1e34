//! Acts on things: the clients of an application, each with a key of its own.

use countersign_core::change::Change;
use countersign_core::client_id::ClientIdRule;
use countersign_core::credential::Credential;
use countersign_core::kind::{ApplicationName, Kind, Thing};
use countersign_core::name::{LoginName, LoginNameError, TenantId};
use countersign_core::store::{AdminStore, AdminTransaction, Intent, StoreError, StoreErrorKind};
use countersign_core::time::Timestamp;

use crate::application::{self, ApplicationError};
use crate::caller::{Authority, Permission};
use crate::context::Context;
use crate::credential::blank;
use crate::error::AdminError;
use crate::jwt;
use crate::kind::{ReservedName, check_not_reserved};
use crate::lookup::{self, Rows};
use crate::view::AuditedThing;

/// A thing to be made.
#[derive(Clone, Debug)]
pub struct NewThing {
    /// Its key, which it logs in with; no other name in the store may be equal.
    pub key: LoginName,
    /// Its tenant.
    pub tenant: TenantId,
    /// The application whose token it presents.
    pub application: ApplicationName,
}

/// Makes a thing. It is tied to the application id that it first connects with.
///
/// # Errors
///
/// Returns [`ThingError`] when the key is taken or can't be one, when there is
/// no such application, or when the store can't be written; nothing changed
/// then.
pub fn create<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    new: &NewThing,
) -> Result<Credential, ThingError> {
    let mut transaction = store.begin(Intent::Write)?;
    let application = application::find(&mut transaction, &new.tenant, &new.application)?;
    let thing = of_application(&application, &new.key, context.now)?;
    let taken = || ThingError::Exists {
        key: new.key.clone(),
    };
    let holder = transaction.holder_of_attribute(KEY_ATTRIBUTE, new.key.as_str())?;
    if transaction.credential(&new.key)?.is_some() || holder.is_some() {
        return Err(taken());
    }
    let id = transaction.add_credential(&thing).map_err(|error| {
        if error.kind() == StoreErrorKind::Conflict {
            taken()
        } else {
            error.into()
        }
    })?;
    let thing = find(&mut transaction, &new.key, &new.tenant)?;
    let row = context.audit(
        "thing.create",
        new.key.as_str(),
        None::<&AuditedThing>,
        Some(&AuditedThing::of(&thing)),
    );
    transaction.commit(&[row], &[Change::Credential(id)])?;
    Ok(thing)
}

/// The thing that a client with this key becomes which presents the token of
/// an application that registers its things; its secrets and roles are the
/// application's.
///
/// # Errors
///
/// Returns [`ThingError`] when this can't be the key of a thing, or when it is
/// no application.
pub fn of_application(
    application: &Credential,
    key: &LoginName,
    now: Timestamp,
) -> Result<Credential, ThingError> {
    check_key(key)?;
    let no_application = || ThingError::NoApplication {
        name: application.name.clone(),
    };
    let about = match &application.kind {
        Kind::Application(about) => about,
        Kind::Bearer | Kind::Device | Kind::Thing(_) | Kind::User(_) => {
            return Err(no_application());
        }
    };
    let kind = Kind::Thing(Thing {
        application: application.id,
        application_name: ApplicationName::of_credential(&application.name)
            .ok_or_else(no_application)?,
        is_org_admin: about.is_org_admin,
    });
    let (tenant, scheme) = (application.tenant.clone(), application.scheme.clone());
    Ok(Credential {
        client_id_rule: ClientIdRule::FirstUse,
        attributes: [(KEY_ATTRIBUTE.into(), key.as_str().into())].into(),
        ..blank(key.clone(), kind, tenant, scheme, now)
    })
}

/// Things, by key: of all tenants or one, of all of its applications or one.
///
/// # Errors
///
/// Returns [`ThingError`] when there is no such tenant or application, or when
/// the store can't be read.
pub fn list<S: AdminStore>(
    store: &mut S,
    tenant: Option<&TenantId>,
    application: Option<&ApplicationName>,
) -> Result<Vec<Credential>, ThingError> {
    let mut transaction = store.begin(Intent::Read)?;
    if let Some(tenant) = tenant {
        lookup::tenant(&mut Rows::of(&mut transaction), tenant)?;
    }
    let application = match (tenant, application) {
        (Some(tenant), Some(name)) => Some(application::find(&mut transaction, tenant, name)?.id),
        (Some(_) | None, _) => None,
    };
    Ok(transaction.things(tenant, application)?)
}

/// The thing with this key.
///
/// # Errors
///
/// Returns [`ThingError`] when the tenant has none or the store can't be read.
pub fn show<S: AdminStore>(
    store: &mut S,
    key: &LoginName,
    tenant: &TenantId,
) -> Result<Credential, ThingError> {
    find(&mut store.begin(Intent::Read)?, key, tenant)
}

/// Takes away the tie to the application id that a thing first connected with.
/// Its sessions end, and the next client that presents its key and its
/// application's token is tied anew.
///
/// # Errors
///
/// Returns [`ThingError`] when the caller does not administer the tenant, when
/// the tenant has no such thing, when it is not tied, or when the store can't
/// be written; nothing changed then.
pub fn untie<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    key: &LoginName,
    tenant: &TenantId,
    authority: Authority,
) -> Result<Credential, ThingError> {
    let mut transaction = store.begin(Intent::Write)?;
    let permission = Permission::Administer(tenant.clone());
    authority.check(&permission, &mut Rows::of(&mut transaction), context.now)?;
    let mut thing = find(&mut transaction, key, tenant)?;
    let before = AuditedThing::of(&thing);
    let Some(tie) = thing.client_id_tie.take() else {
        return Err(ThingError::NotTied { key: key.clone() });
    };
    if transaction.stored_session(&tie)?.is_some() {
        transaction.release_client_id(&tie)?;
    }
    // The client it was tied to must not stay beside the next one.
    thing.generation = thing.generation.next();
    thing.updated_at = context.now;
    // They are its application's.
    thing.roles.clear();
    transaction.update_credential(&thing)?;
    let thing = find(&mut transaction, key, tenant)?;
    let row = context.audit(
        "thing.untie",
        key.as_str(),
        Some(&before),
        Some(&AuditedThing::of(&thing)),
    );
    transaction.commit(&[row], &[Change::Credential(thing.id)])?;
    Ok(thing)
}

/// Deletes a thing. Its sessions end, and so do the tokens that name it or that
/// it made: the next thing with this key is another principal.
///
/// # Errors
///
/// Returns [`ThingError`] when the tenant has none or the store can't be
/// written; nothing changed then.
pub fn delete<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    key: &LoginName,
    tenant: &TenantId,
) -> Result<(), ThingError> {
    let mut transaction = store.begin(Intent::Write)?;
    let thing = find(&mut transaction, key, tenant)?;
    let ended = jwt::end(
        &mut transaction,
        Some(tenant),
        context,
        key.as_str(),
        |token| token.issuer == thing.id || token.things.contains(key),
    )?;
    transaction.delete_credential(thing.id)?;
    let row = context.audit(
        "thing.delete",
        key.as_str(),
        Some(&AuditedThing::of(&thing)),
        None::<&AuditedThing>,
    );
    let (rows, changes) = ended.and(row, Change::Credential(thing.id));
    transaction.commit(&rows, &changes)?;
    Ok(())
}

/// The thing with this key in a tenant. Of other tenants' names nothing is
/// told.
pub(crate) fn find<T: AdminTransaction>(
    transaction: &mut T,
    key: &LoginName,
    tenant: &TenantId,
) -> Result<Credential, ThingError> {
    lookup::tenant(&mut Rows::of(transaction), tenant)?;
    let is_it = |credential: &Credential| {
        matches!(credential.kind, Kind::Thing(_)) && credential.tenant.as_ref() == Some(tenant)
    };
    let missing = || ThingError::Missing {
        key: key.clone(),
        tenant: tenant.clone(),
    };
    transaction
        .credential(key)?
        .filter(is_it)
        .ok_or_else(missing)
}

/// Checks that this can be the key of a thing: a name of one level, before no
/// tenant.
fn check_key(key: &LoginName) -> Result<(), ThingError> {
    let refused = |why: &'static str| ThingError::Key {
        key: key.clone(),
        why,
    };
    LoginName::parse_device(key.as_str())?;
    check_not_reserved(key)?;
    if key.as_str().contains('/') {
        return Err(refused("it is a level of topics, and holds `/`"));
    }
    if key.as_str().contains('@') {
        return Err(refused("`@` stands before the tenant of others"));
    }
    Ok(())
}

/// Why an act on a thing was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ThingError {
    /// Something is wrong with its application.
    #[error(transparent)]
    Application(#[from] ApplicationError),
    /// Its key is the name of another principal.
    #[error("`{key}` exists already; the key of a thing is unique among all names of the store")]
    Exists {
        /// Its key.
        key: LoginName,
    },
    /// A name can't be the key of a thing.
    #[error("`{key}` can't be the key of a thing: {why}")]
    Key {
        /// The name.
        key: LoginName,
        /// What speaks against it.
        why: &'static str,
    },
    /// The tenant has none with this key.
    #[error("tenant `{tenant}` has no thing `{key}`; `thing list --tenant {tenant}` shows all")]
    Missing {
        /// The key.
        key: LoginName,
        /// The tenant.
        tenant: TenantId,
    },
    /// Its key can't be a name.
    #[error(transparent)]
    Name(#[from] LoginNameError),
    /// It would belong to something else than an application.
    #[error("`{name}` is not an application")]
    NoApplication {
        /// What it would belong to.
        name: LoginName,
    },
    /// There is no tie to take away.
    #[error("`{key}` is not tied to an application id")]
    NotTied {
        /// Its key.
        key: LoginName,
    },
    /// Its key is kept for something else.
    #[error(transparent)]
    Reserved(#[from] ReservedName),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// As the commands say.
    #[error(transparent)]
    Admin(#[from] AdminError),
}

/// Where the scheme's patterns find the key.
const KEY_ATTRIBUTE: &str = "thing_key";

#[cfg(test)]
mod tests {
    use countersign_core::credential::CredentialId;
    use countersign_core::kind::Application;
    use countersign_core::store::GateStore as _;

    use super::*;
    use crate::check::ConnectVerdict;
    use crate::credential;
    use crate::fixture::{Fixture, JANE, login_name, tenant_id};

    fn with_thing() -> (Fixture, String) {
        let mut fixture = Fixture::with_admin();
        let token = fixture.application("fleet", Application::default());
        fixture.thing("pump", "fleet").unwrap();
        (fixture, token)
    }

    /// Ties a thing to an application id, as its first login does.
    fn tie(fixture: &mut Fixture, key: &str, client_id: &str) {
        let mut thing = show(&mut fixture.store, &login_name(key), &tenant_id("acme")).unwrap();
        let id = countersign_core::client_id::ClientId::parse(client_id).unwrap();
        thing.client_id_tie = Some(id.tie());
        let mut transaction = fixture.store.begin(Intent::Write).unwrap();
        transaction.update_credential(&thing).unwrap();
        transaction.commit(&[], &[]).unwrap();
    }

    fn untied(
        fixture: &mut Fixture,
        key: &str,
        authority: Authority,
    ) -> Result<Credential, String> {
        let (key, tenant) = (login_name(key), tenant_id("acme"));
        fixture
            .act(|store, context| untie(store, context, &key, &tenant, authority))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_thing_logs_in_with_its_key_and_its_applications_token() {
        let (mut fixture, token) = with_thing();
        let allowed = fixture.check("pump", Some(token.as_bytes()));
        assert_eq!(allowed, ConnectVerdict::Allow);
        assert!(!fixture.check("pump", Some(b"wrong")).is_allowed());
        let thing = show(&mut fixture.store, &login_name("pump"), &tenant_id("acme")).unwrap();
        assert_eq!(thing.attributes[KEY_ATTRIBUTE], "pump");
        assert_eq!(thing.client_id_tie, None);
        let all = list(&mut fixture.store, None, None).unwrap();
        assert_eq!(all.len(), 1);
    }

    #[test]
    fn the_key_of_a_thing_is_the_only_name_of_its_kind_in_the_store() {
        let (mut fixture, _) = with_thing();
        fixture.of_scheme("impact", Some("x")).unwrap();
        let before = fixture.acts();
        for (key, said) in [
            (
                "pump",
                "`pump` exists already; the key of a thing is unique among all names of the store",
            ),
            (
                "X",
                "`X` exists already; the key of a thing is unique among all names of the store",
            ),
            (
                "a/b",
                "`a/b` can't be the key of a thing: it is a level of topics, and holds `/`",
            ),
            (
                "a@acme",
                "`a@acme` can't be the key of a thing: `@` stands before the tenant of others",
            ),
            ("a+b", "a name can't hold `+`"),
            (
                "jwt",
                "`jwt` can't be a name: `jwt` and what begins with `jwt:` or `application:` is kept for tokens and applications",
            ),
        ] {
            assert_eq!(fixture.thing(key, "fleet").unwrap_err().to_string(), said);
        }
        let none = fixture.thing("new", "none").unwrap_err();
        assert!(
            none.to_string()
                .starts_with("tenant `acme` has no application `none`; ")
        );
        assert_eq!(fixture.acts(), before);
    }

    #[test]
    fn a_thing_is_untied_once_and_its_sessions_end() {
        let (mut fixture, _) = with_thing();
        tie(&mut fixture, "pump", "secret-id");
        let before = fixture.store.last_change().unwrap();
        let thing = untied(&mut fixture, "pump", Authority::Platform).unwrap();
        assert_eq!((thing.client_id_tie, thing.generation.0), (None, 2));
        assert_eq!(
            fixture.changes_after(before),
            [Change::Credential(thing.id)]
        );
        assert_eq!(
            untied(&mut fixture, "pump", Authority::Platform).unwrap_err(),
            "`pump` is not tied to an application id"
        );
        assert!(!format!("{:?}", fixture.entries()).contains("secret-id"));
    }

    #[test]
    fn only_who_administers_the_tenant_unties_by_a_session() {
        let (mut fixture, _) = with_thing();
        tie(&mut fixture, "pump", "c");
        let jane = jwt::issuer(&mut fixture.store, None, JANE).unwrap();
        let joe = fixture.user("joe@mail.test").id;
        let device = fixture.show("dev1@acme").id;
        let itself = show(&mut fixture.store, &login_name("pump"), &tenant_id("acme"))
            .unwrap()
            .id;
        for (id, said) in [
            (joe, "`joe@mail.test` does not administer tenant `acme`"),
            (device, "`dev1@acme` does not administer tenant `acme`"),
            (itself, "`pump` does not administer tenant `acme`"),
            (CredentialId(999), "the caller was deleted"),
        ] {
            let refused = untied(&mut fixture, "pump", Authority::Session(id));
            assert_eq!(refused.unwrap_err(), said);
        }
        // Whoever administers another tenant learns nothing of this one.
        fixture.tenant("other", &[]).unwrap();
        let other = tenant_id("other");
        let granted = countersign_core::user::GrantedRight::OrgAdmin;
        fixture.grant(JANE, "other", granted).unwrap();
        let key = login_name("pump");
        let refused = fixture
            .act(|store, context| untie(store, context, &key, &other, Authority::Session(jane)));
        assert!(matches!(refused, Err(ThingError::Missing { .. })));
        untied(&mut fixture, "pump", Authority::Session(jane)).unwrap();
    }

    #[test]
    fn a_thing_of_an_application_that_administers_does_too() {
        let (mut fixture, _) = with_thing();
        let about = Application {
            is_org_admin: true,
            ..Application::default()
        };
        fixture.application("portal", about);
        let portal = fixture.thing("door", "portal").unwrap();
        tie(&mut fixture, "pump", "c");
        untied(&mut fixture, "pump", Authority::Session(portal.id)).unwrap();
    }

    /// Else the bearer could reach the topics of whoever makes the key next.
    #[test]
    fn a_token_ends_with_a_thing_that_it_names() {
        let (mut fixture, _) = with_thing();
        fixture.thing("valve", "fleet").unwrap();
        let made = fixture.token(&["pump", "valve", "pump"]).unwrap();
        assert_eq!(made.record.things.len(), 2);
        let (key, tenant) = (login_name("valve"), tenant_id("acme"));
        let before = fixture.store.last_change().unwrap();
        fixture
            .act(|store, context| delete(store, context, &key, &tenant))
            .unwrap();
        let token = fixture.only_token();
        assert!(!token.is_valid && token.record.revoked_at.is_some());
        let changes = fixture.changes_after(before);
        assert!(changes.contains(&Change::Credential(token.record.bearer)));
        assert!(matches!(
            fixture.act(|store, context| delete(store, context, &key, &tenant)),
            Err(ThingError::Missing { .. })
        ));
    }

    #[test]
    fn the_acts_of_credentials_know_no_things() {
        let (mut fixture, _) = with_thing();
        let key = login_name("pump");
        let said = "`pump` is a thing; use the commands of `thing`";
        let shown = credential::show(&mut fixture.store, &key).unwrap_err();
        assert_eq!(shown.to_string(), said);
        let deleted = fixture.act(|store, context| credential::delete(store, context, &key));
        assert_eq!(deleted.unwrap_err().to_string(), said);
        fixture.tenant("b", &[]).unwrap();
        let listed = list(&mut fixture.store, Some(&tenant_id("b")), None).unwrap();
        assert!(listed.is_empty());
    }
}
