//! Acts on applications: each owns a token that many things present.

use core::time::Duration;
use std::collections::BTreeSet;

use countersign_core::change::Change;
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::kind::{Application, ApplicationName, Kind};
use countersign_core::name::{LoginName, TenantId};
use countersign_core::role::RoleName;
use countersign_core::scheme::SchemeName;
use countersign_core::secret::Secret;
use countersign_core::store::{Intent, Listed, Page, all_rows};
use countersign_core::time::Timestamp;

use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::password::PasswordError;
use crate::secret::{self, NewSecret, Overlap};
use crate::taking::{Plan, Taken};
use crate::view::AuditedApplication;
use crate::{cascade, lookup, scheme_overlap};

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
#[derive(Clone, Debug)]
pub struct CreateApplication(pub NewApplication);

impl Command for CreateApplication {
    type Output = IssuedApplication;

    fn needs(&self) -> Permission {
        Permission::Administer(self.0.tenant.clone())
    }

    /// The topics of its things may not reach what another tenant owns.
    fn apply(&self, tx: &mut Tx<'_>) -> Result<IssuedApplication, AdminError> {
        let NewApplication {
            name,
            tenant,
            roles,
            about,
        } = &self.0;
        let whole_name = name.credential_name(tenant)?;
        lookup::tenant(tx, tenant)?;
        for role in roles {
            lookup::role(tx, tenant, role)?;
        }
        if tx.credential(&whole_name)?.is_some() {
            let message = format!("tenant `{tenant}` has an application `{name}` already");
            let subject = Subject::in_tenant(Noun::Application, name, tenant);
            return Err(AdminError::new(ErrorKind::Exists, subject, message));
        }
        let (now, known) = (tx.now, tx.schemes()?);
        let scheme = lookup::scheme(&known, &SchemeName::application())?;
        scheme_overlap::begin_use(tx, scheme, tenant)?;
        let kind = Kind::Application(about.clone());
        let (owner, scheme) = (Some(tenant.clone()), scheme.name().clone());
        let roles: BTreeSet<&RoleName> = roles.iter().collect();
        tx.add_credential(&Credential {
            roles: roles.into_iter().cloned().collect(),
            ..Credential::new(whole_name, kind, owner, scheme, now)
        })?;
        issue(tx, "application.create", (tenant, name), None, None)
    }
}

impl Plan for CreateApplication {
    fn plan(&self, tx: &mut Tx<'_>) -> Result<Option<Taken>, AdminError> {
        let known = tx.schemes()?;
        let scheme = lookup::scheme(&known, &SchemeName::application())?;
        lookup::tenant(tx, &self.0.tenant)?;
        scheme_overlap::plan_use(tx, scheme, &self.0.tenant)
    }
}

/// Lists applications, by tenant and name.
#[derive(Clone, Debug, Default)]
pub struct ListApplications {
    /// Of this tenant alone.
    pub tenant: Option<TenantId>,
    /// Which of them.
    pub page: Page<LoginName>,
}

impl Command for ListApplications {
    type Output = Listed<Credential>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::see(self.tenant.as_ref())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Listed<Credential>, AdminError> {
        let tenant = self.tenant.as_ref();
        lookup::check_tenant(tx, tenant)?;
        Ok(tx.applications(tenant, &self.page)?)
    }
}

/// Shows the application of this name.
#[derive(Clone, Debug)]
pub struct ShowApplication {
    /// Its tenant.
    pub tenant: TenantId,
    /// Its name.
    pub name: ApplicationName,
}

impl Command for ShowApplication {
    type Output = Credential;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::See(self.tenant.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Credential, AdminError> {
        lookup::application(tx, &self.tenant, &self.name)
    }
}

/// Gives an application a new token. With an overlap the old one works for a
/// while; without one, the sessions of all its things end that used it.
#[derive(Clone, Debug)]
pub struct RotateApplication {
    /// Its tenant.
    pub tenant: TenantId,
    /// Its name.
    pub name: ApplicationName,
    /// How long the old token works beside the new one, if it does.
    pub overlap: Option<Duration>,
}

impl Command for RotateApplication {
    type Output = IssuedApplication;

    fn needs(&self) -> Permission {
        Permission::Administer(self.tenant.clone())
    }

    /// While one overlap runs, another is refused.
    fn apply(&self, tx: &mut Tx<'_>) -> Result<IssuedApplication, AdminError> {
        let now = tx.now;
        let mut application = lookup::application(tx, &self.tenant, &self.name)?;
        let before = AuditedApplication::of(&application);
        let overlap = self.overlap.map_or(Overlap::None, Overlap::For);
        let until = secret::retire(tx, &mut application, overlap, now)?;
        application.updated_at = now;
        tx.update_credential(&application)?;
        let called = (&self.tenant, &self.name);
        issue(tx, "application.rotate", called, Some(&before), until)
    }
}

/// Deletes an application with all its things. Their sessions end, and so do
/// the tokens that they made or that name one of them.
#[derive(Clone, Debug)]
pub struct DeleteApplication {
    /// Its tenant.
    pub tenant: TenantId,
    /// Its name.
    pub name: ApplicationName,
}

impl Command for DeleteApplication {
    type Output = ();

    fn needs(&self) -> Permission {
        Permission::Administer(self.tenant.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<(), AdminError> {
        let tenant = Some(&self.tenant);
        let application = lookup::application(tx, &self.tenant, &self.name)?;
        let things = all_rows(|page| tx.things(tenant, Some(application.id), page))?;
        let issuers: BTreeSet<CredentialId> = things
            .iter()
            .map(|thing| thing.id)
            .chain([application.id])
            .collect();
        let keys: BTreeSet<&LoginName> = things.iter().map(|thing| &thing.name).collect();
        let subject = application.name.as_str();
        let before = AuditedApplication::of(&application).with_things(things.len());
        tx.record("application.delete", subject, Some(&before), None);
        // A session of a thing hangs on the application, too.
        tx.changed(Change::Credential(application.id));
        cascade::end_tokens(tx, tenant, subject, |token| {
            issuers.contains(&token.issuer) || token.things.iter().any(|key| keys.contains(key))
        })?;
        tx.delete_credential(application.id)?;
        scheme_overlap::end_use(tx, &application.scheme, &self.tenant)
    }
}

/// Gives an application a token, beside which an old one works until then.
fn issue(
    tx: &mut Tx<'_>,
    act: &'static str,
    (tenant, name): (&TenantId, &ApplicationName),
    before: Option<&AuditedApplication>,
    old_token_until: Option<Timestamp>,
) -> Result<IssuedApplication, AdminError> {
    let blank = lookup::application(tx, tenant, name)?;
    let known = tx.schemes()?;
    let scheme = lookup::scheme(&known, &SchemeName::application())?;
    let secret = NewSecret::Generated.drafted(tx, &blank.name, scheme, &known)?;
    tx.add_secret(blank.id, &secret.verifier)?;
    let token = secret.shown_once.ok_or(PasswordError::Empty)?;
    let application = lookup::application(tx, tenant, name)?;
    let after = AuditedApplication::of(&application);
    tx.record(act, application.name.as_str(), before, Some(&after));
    tx.changed(Change::Credential(application.id));
    Ok(IssuedApplication {
        application,
        token,
        old_token_until,
    })
}

#[cfg(test)]
mod tests {
    use countersign_core::store::GateStore as _;

    use super::*;
    use crate::caller::Authority;
    use crate::check::ConnectVerdict;
    use crate::fixture::{Fixture, application_name, role_name, tenant_id, text_of};
    use crate::thing::ListThings;

    fn rotation(overlap: Option<Duration>) -> RotateApplication {
        RotateApplication {
            tenant: tenant_id("acme"),
            name: application_name("fleet"),
            overlap,
        }
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
            let made = fixture.run(&CreateApplication(new));
            made.map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!(
            make("acme", &[]).unwrap_err(),
            "tenant `acme` has an application `fleet` already"
        );
        for (tenant, roles, said) in [
            ("none", &[][..], "there is no tenant `none`"),
            ("other", &["none"][..], "tenant `other` has no role `none`"),
        ] {
            assert_eq!(make(tenant, roles).unwrap_err(), said);
        }
        make("other", &[]).unwrap();
        let mut count = |tenant: Option<&str>| {
            let tenant = tenant.map(tenant_id);
            let listed = fixture.run(&ListApplications {
                tenant,
                ..ListApplications::default()
            });
            listed.map(|listed| listed.rows.len())
        };
        assert_eq!(count(None).unwrap(), 2);
        assert_eq!(count(Some("acme")).unwrap(), 1);
        assert!(count(Some("none")).is_err());
    }

    #[test]
    fn only_who_administers_the_tenant_looks_at_its_applications_and_acts_on_them() {
        let (mut fixture, _) = with_thing();
        let joe = Authority::Session(fixture.user("joe@mail.test").id);
        let (tenant, name) = (tenant_id("acme"), application_name("fleet"));
        let new = NewApplication {
            name: application_name("new"),
            tenant: tenant.clone(),
            roles: Vec::new(),
            about: Application::default(),
        };
        let of_acme = ListApplications {
            tenant: Some(tenant.clone()),
            ..ListApplications::default()
        };
        let show = ShowApplication {
            tenant: tenant.clone(),
            name: name.clone(),
        };
        let refused = [
            fixture.run_by(joe, &CreateApplication(new)).err(),
            fixture.run_by(joe, &of_acme).err(),
            fixture.run_by(joe, &ListApplications::default()).err(),
            fixture.run_by(joe, &show).err(),
            fixture.run_by(joe, &rotation(None)).err(),
            fixture
                .run_by(joe, &DeleteApplication { tenant, name })
                .err(),
        ];
        for error in refused.map(Option::unwrap) {
            let is_hidden = error.is(ErrorKind::NotFound, Noun::Tenant);
            let is_told = error.to_string().contains("not a platform administrator");
            assert!(is_hidden || is_told, "{error}");
        }
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
        let minute = Some(Duration::from_secs(60));
        let issued = fixture.run(&rotation(minute)).unwrap();
        let until = fixture.now.plus(Duration::from_secs(60));
        assert_eq!(issued.old_token_until, Some(until));
        let second = text_of(&issued.token);
        assert!(is_let_in(&mut fixture, &first) && is_let_in(&mut fixture, &second));
        let again = fixture.run(&rotation(minute)).err().unwrap();
        assert!(again.is(ErrorKind::Conflict, Noun::Credential), "{again}");
        fixture.now = until;
        assert!(!is_let_in(&mut fixture, &first) && is_let_in(&mut fixture, &second));
        let third = text_of(&fixture.run(&rotation(None)).unwrap().token);
        assert!(!is_let_in(&mut fixture, &second) && is_let_in(&mut fixture, &third));
    }

    #[test]
    fn things_go_with_their_application_and_the_gates_are_told() {
        let (mut fixture, token) = with_thing();
        fixture.token(&["pump"]).unwrap();
        let (tenant, name) = (tenant_id("acme"), application_name("fleet"));
        let show = ShowApplication {
            tenant: tenant.clone(),
            name: name.clone(),
        };
        let application = fixture.run(&show).unwrap();
        let before = fixture.store.last_change().unwrap();
        fixture.run(&DeleteApplication { tenant, name }).unwrap();
        assert!(fixture.run(&ListThings::default()).unwrap().rows.is_empty());
        assert!(!is_let_in(&mut fixture, &token));
        let bearer = fixture.only_token().record.bearer;
        assert_eq!(
            fixture.changes_after(before),
            [
                Change::Credential(application.id),
                Change::Credential(bearer)
            ]
        );
        let missing = fixture.run(&show).unwrap_err();
        assert!(missing.is(ErrorKind::NotFound, Noun::Application));
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
        let made = fixture.run(&CreateApplication(new)).err().unwrap();
        assert!(made.is(ErrorKind::Conflict, Noun::Scheme), "{made}");
    }
}
