//! Acts on things: the clients of an application, each with a key of its own.

use countersign_core::change::Change;
use countersign_core::credential::Credential;
use countersign_core::kind::ApplicationName;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::scheme::KEY_ATTRIBUTE;
use countersign_core::store::{Intent, Listed, Page, StoreErrorKind};
use countersign_core::thing::of_application;

use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::kind::check_not_reserved;
use crate::view::AuditedThing;
use crate::{cascade, lookup, scheme_overlap};

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
#[derive(Clone, Debug)]
pub struct CreateThing(pub NewThing);

impl Command for CreateThing {
    type Output = Credential;

    fn needs(&self) -> Permission {
        Permission::Administer(self.0.tenant.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Credential, AdminError> {
        let NewThing {
            key,
            tenant,
            application,
        } = &self.0;
        let application = lookup::application(tx, tenant, application)?;
        check_key(key)?;
        let not_one = || {
            let name = &application.name;
            let message = format!("`{name}` is not an application");
            let subject = Subject::new(Noun::Application, name);
            AdminError::new(ErrorKind::Conflict, subject, message)
        };
        let thing = of_application(&application, key, tx.now).ok_or_else(not_one)?;
        let taken = || {
            let message = format!(
                "`{key}` exists already; the key of a thing is unique among all names of the store"
            );
            AdminError::new(ErrorKind::Exists, Subject::new(Noun::Thing, key), message)
        };
        let holder = tx.holder_of_attribute(KEY_ATTRIBUTE, key.as_str())?;
        if tx.credential(key)?.is_some() || holder.is_some() {
            return Err(taken());
        }
        tx.add_credential(&thing).map_err(|error| {
            if error.kind() == StoreErrorKind::Conflict {
                taken()
            } else {
                error.into()
            }
        })?;
        let thing = lookup::thing(tx, tenant, key)?;
        let after = AuditedThing::of(&thing);
        tx.record("thing.create", key.as_str(), None, Some(&after));
        tx.changed(Change::Credential(thing.id));
        Ok(thing)
    }
}

/// Lists things, by key.
#[derive(Clone, Debug, Default)]
pub struct ListThings {
    /// Of this tenant alone.
    pub tenant: Option<TenantId>,
    /// Of this application of the tenant alone.
    pub application: Option<ApplicationName>,
    /// Which of them.
    pub page: Page<LoginName>,
}

impl Command for ListThings {
    type Output = Listed<Credential>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::see(self.tenant.as_ref())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Listed<Credential>, AdminError> {
        let tenant = self.tenant.as_ref();
        lookup::check_tenant(tx, tenant)?;
        let application = match (tenant, &self.application) {
            (Some(tenant), Some(name)) => Some(lookup::application(tx, tenant, name)?.id),
            (None, Some(name)) => {
                let message = format!("name the tenant of application `{name}`");
                return Err(AdminError::invalid(Noun::Application, name, message));
            }
            (Some(_) | None, None) => None,
        };
        Ok(tx.things(tenant, application, &self.page)?)
    }
}

/// Shows the thing with this key.
#[derive(Clone, Debug)]
pub struct ShowThing {
    /// Its key.
    pub key: LoginName,
    /// Its tenant.
    pub tenant: TenantId,
}

impl Command for ShowThing {
    type Output = Credential;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::See(self.tenant.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Credential, AdminError> {
        lookup::thing(tx, &self.tenant, &self.key)
    }
}

/// Takes away the tie to the application id that a thing first connected with.
/// Its sessions end, and the next client that presents its key and its
/// application's token is tied anew.
#[derive(Clone, Debug)]
pub struct UntieThing {
    /// Its key.
    pub key: LoginName,
    /// Its tenant.
    pub tenant: TenantId,
}

impl Command for UntieThing {
    type Output = Credential;

    fn needs(&self) -> Permission {
        Permission::Administer(self.tenant.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Credential, AdminError> {
        let Self { key, tenant } = self;
        let mut thing = lookup::thing(tx, tenant, key)?;
        let before = AuditedThing::of(&thing);
        let Some(tie) = thing.client_id_tie.take() else {
            let message = format!("`{key}` is not tied to an application id");
            let subject = Subject::in_tenant(Noun::Thing, key, tenant);
            return Err(AdminError::new(ErrorKind::Conflict, subject, message));
        };
        cascade::release_tie(tx, &tie, thing.id)?;
        // The client it was tied to must not stay beside the next one.
        thing.generation = thing.generation.next();
        thing.updated_at = tx.now;
        // They are its application's.
        thing.roles.clear();
        tx.update_credential(&thing)?;
        let thing = lookup::thing(tx, tenant, key)?;
        let after = AuditedThing::of(&thing);
        tx.record("thing.untie", key.as_str(), Some(&before), Some(&after));
        tx.changed(Change::Credential(thing.id));
        Ok(thing)
    }
}

/// Deletes a thing. Its sessions end, and so do the tokens that name it or that
/// it made: the next thing with this key is another principal.
#[derive(Clone, Debug)]
pub struct DeleteThing {
    /// Its key.
    pub key: LoginName,
    /// Its tenant.
    pub tenant: TenantId,
}

impl Command for DeleteThing {
    type Output = ();

    fn needs(&self) -> Permission {
        Permission::Administer(self.tenant.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<(), AdminError> {
        let Self { key, tenant } = self;
        let thing = lookup::thing(tx, tenant, key)?;
        let before = AuditedThing::of(&thing);
        tx.record("thing.delete", key.as_str(), Some(&before), None);
        tx.changed(Change::Credential(thing.id));
        cascade::end_tokens(tx, Some(tenant), key.as_str(), |token| {
            token.issuer == thing.id || token.things.contains(key)
        })?;
        tx.delete_credential(thing.id)?;
        scheme_overlap::end_use(tx, &thing.scheme, tenant)
    }
}

/// Checks that this can be the key of a thing: a name of one level, before no
/// tenant.
fn check_key(key: &LoginName) -> Result<(), AdminError> {
    let refused = |why: &'static str| {
        let message = format_args!("`{key}` can't be the key of a thing: {why}");
        Err(AdminError::invalid(Noun::Thing, key, message))
    };
    LoginName::parse_device(key.as_str())?;
    check_not_reserved(key)?;
    if key.as_str().contains('/') {
        return refused("it is a level of topics, and holds `/`");
    }
    if key.as_str().contains('@') {
        return refused("`@` stands before the tenant of others");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use countersign_core::credential::CredentialId;
    use countersign_core::kind::Application;
    use countersign_core::store::rows::CredentialRows as _;
    use countersign_core::store::{AdminStore as _, AdminTransaction as _, GateStore as _};

    use super::*;
    use crate::caller::Authority;
    use crate::check::ConnectVerdict;
    use crate::credential::{DeleteCredential, ShowCredential};
    use crate::fixture::{Fixture, JANE, login_name, tenant_id};
    use crate::user::ShowUser;

    fn with_thing() -> (Fixture, String) {
        let mut fixture = Fixture::with_admin();
        let token = fixture.application("fleet", Application::default());
        fixture.thing("pump", "fleet").unwrap();
        (fixture, token)
    }

    fn shown(fixture: &mut Fixture, key: &str) -> Credential {
        let (key, tenant) = (login_name(key), tenant_id("acme"));
        fixture.run(&ShowThing { key, tenant }).unwrap()
    }

    /// Ties a thing to an application id, as its first login does.
    fn tie(fixture: &mut Fixture, key: &str, client_id: &str) {
        let mut thing = shown(fixture, key);
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
        let untie = UntieThing {
            key: login_name(key),
            tenant: tenant_id("acme"),
        };
        let untied = fixture.run_by(authority, &untie);
        untied.map_err(|error| error.to_string())
    }

    #[test]
    fn a_thing_logs_in_with_its_key_and_its_applications_token() {
        let (mut fixture, token) = with_thing();
        let allowed = fixture.check("pump", Some(token.as_bytes()));
        assert_eq!(allowed, ConnectVerdict::Allow);
        assert!(!fixture.check("pump", Some(b"wrong")).is_allowed());
        let thing = shown(&mut fixture, "pump");
        assert_eq!(thing.attributes[KEY_ATTRIBUTE], "pump");
        assert_eq!(thing.client_id_tie, None);
        let all = fixture.run(&ListThings::default()).unwrap().rows;
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
        assert_eq!(none.to_string(), "tenant `acme` has no application `none`");
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
        let jane = fixture.run(&ShowUser(login_name(JANE)));
        let jane = jane.unwrap().user.id;
        let joe = fixture.user("joe@mail.test").id;
        let device = fixture.show("dev1@acme").id;
        let itself = shown(&mut fixture, "pump").id;
        for (id, said) in [
            (joe, "there is no tenant `acme`"),
            (device, "`dev1@acme` does not administer tenant `acme`"),
            (itself, "`pump` does not administer tenant `acme`"),
            (CredentialId(999), "the caller was deleted"),
        ] {
            let refused = untied(&mut fixture, "pump", Authority::Session(id));
            assert_eq!(refused.unwrap_err(), said);
        }
        // Whoever administers another tenant learns nothing of this one.
        fixture.tenant("other", &[]).unwrap();
        let granted = countersign_core::user::GrantedRight::OrgAdmin;
        fixture.grant(JANE, "other", granted).unwrap();
        let untie = UntieThing {
            key: login_name("pump"),
            tenant: tenant_id("other"),
        };
        let refused = fixture.run_by(Authority::Session(jane), &untie);
        assert!(refused.is_err_and(|error| error.is(ErrorKind::NotFound, Noun::Thing)));
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
        let delete = DeleteThing {
            key: login_name("valve"),
            tenant: tenant_id("acme"),
        };
        let before = fixture.store.last_change().unwrap();
        fixture.run(&delete).unwrap();
        let token = fixture.only_token();
        assert!(!token.is_valid && token.record.revoked_at.is_some());
        let changes = fixture.changes_after(before);
        assert!(changes.contains(&Change::Credential(token.record.bearer)));
        let again = fixture.run(&delete).unwrap_err();
        assert!(again.is(ErrorKind::NotFound, Noun::Thing), "{again}");
    }

    #[test]
    fn the_acts_of_credentials_know_no_things() {
        let (mut fixture, _) = with_thing();
        let key = login_name("pump");
        let said = "`pump` is a thing";
        let shown = fixture.run(&ShowCredential(key.clone())).unwrap_err();
        assert_eq!(shown.to_string(), said);
        let deleted = fixture.run(&DeleteCredential(key));
        assert_eq!(deleted.unwrap_err().to_string(), said);
        fixture.tenant("b", &[]).unwrap();
        let of_b = ListThings {
            tenant: Some(tenant_id("b")),
            application: None,
            ..ListThings::default()
        };
        assert!(fixture.run(&of_b).unwrap().rows.is_empty());
    }
}
