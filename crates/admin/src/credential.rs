//! Commands on credentials.
//!
//! A command that ends or changes running sessions (a suspension, a password
//! reset, a tie taken away) raises the credential's generation.

use countersign_core::change::Change;
use countersign_core::credential::Credential;
use countersign_core::lifecycle::{Act, State};
use countersign_core::name::{LoginName, TenantId};
use countersign_core::scheme::{Scheme, Schemes};
use countersign_core::store::{CredentialQuery, Intent, Listed, Page};

use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::kind::wrong_kind;
use crate::lookup;
use crate::view::AuditedCredential;

mod change;
mod client_ids;
mod create;
mod find;
mod lifecycle;
mod many;
mod preview;
mod renew;
mod rules;
mod surroundings;
#[cfg(test)]
mod taking_over;

pub use self::change::{CredentialChanges, SetCredential};
pub(crate) use self::client_ids::check_all as check_client_ids;
pub(crate) use self::create::PreparedCredential;
pub use self::create::{CreateCredential, NewCredential};
pub use self::find::FindCredential;
pub(crate) use self::lifecycle::delete_found;
pub use self::lifecycle::{
    DeleteCredential, ReactivateCredential, RevokeCredential, SuspendCredential, UntieCredential,
};
pub use self::many::{ActOnTarget, ManyAct, Step, Target, TargetOutcome, act_on, find_targets};
pub use self::preview::PreviewChanges;
pub use self::renew::{ResetPassword, RotateCredential};
pub use self::rules::{ChangeCredentialRules, CredentialRuleWarnings};
pub(crate) use self::surroundings::Surroundings;
pub use crate::lookup::ShownCredential;
pub use crate::secret::{IssuedCredential, Overlap};

/// Shows the credential with this name, which is not an operator.
#[derive(Clone, Debug)]
pub struct ShowCredential(pub LoginName);

impl Command for ShowCredential {
    type Output = ShownCredential;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::SeeCredential(self.0.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownCredential, AdminError> {
        let found = lookup::credential(tx, &self.0)?;
        require_tenant(&found.credential)?;
        Ok(found)
    }
}

/// Lists credentials by name, a page of at most 1,000 at a time.
///
/// An administrator of a group is shown those that are in that group, or below it,
/// and nowhere else.
///
/// Each page is of one state of the store. Names don't change, so a credential
/// that is there all the time is on one page, whatever happens between two.
#[derive(Clone, Debug, Default)]
pub struct ListCredentials {
    /// Which credentials.
    pub query: CredentialQuery,
    /// Which of them.
    pub page: Page<LoginName>,
}

/// Some of the credentials that were asked for.
#[derive(Clone, Debug)]
pub struct CredentialPage {
    /// The credentials, by name.
    pub listed: Listed<Credential>,
    /// Their schemes, as far as the store knows them.
    pub schemes: Schemes,
}

impl CredentialPage {
    /// How many these are.
    #[must_use]
    pub fn count(&self) -> u64 {
        u64::try_from(self.listed.rows.len()).unwrap_or(u64::MAX)
    }

    /// The credentials with their schemes.
    pub fn iter(&self) -> impl Iterator<Item = (&Credential, Option<&Scheme>)> {
        let rows = self.listed.rows.iter();
        rows.map(|credential| (credential, self.schemes.find(credential.scheme.as_str())))
    }
}

impl Command for ListCredentials {
    type Output = CredentialPage;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        let tenant = self.query.tenant.clone();
        tenant.map_or(Permission::Platform, Permission::SeeSome)
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<CredentialPage, AdminError> {
        let query = &self.query;
        lookup::check_tenant(tx, query.tenant.as_ref())?;
        if let (Some(tenant), Some(role)) = (&query.tenant, &query.role) {
            lookup::role(tx, tenant, role)?;
        }
        let mut schemes = tx.schemes()?;
        if let Some(scheme) = &query.scheme {
            lookup::scheme(&schemes, scheme)?;
        }
        let page = Page {
            after: self.page.after.clone(),
            limit: self.page.limit.min(PAGE),
        };
        let listed = selected(tx, query.clone(), &page)?;
        schemes.retain(|name| listed.rows.iter().any(|it| it.scheme == *name));
        Ok(CredentialPage { listed, schemes })
    }
}

/// A page of those that a caller asks for, as far as its word reaches. One with a live
/// session is not unused.
fn selected(
    tx: &mut Tx<'_>,
    mut query: CredentialQuery,
    page: &Page<LoginName>,
) -> Result<Listed<Credential>, AdminError> {
    if let Some(tenant) = &query.tenant {
        let (authority, now) = (tx.caller.authority, tx.now);
        let limit = authority.limit_in(tenant, tx, now)?;
        query.within = limit.or(query.within);
    }
    let mut listed = tx.credentials(&query, page)?;
    if query.unused_since.is_some() {
        let mut unused = Vec::with_capacity(listed.rows.len());
        for credential in listed.rows {
            if lookup::live_sessions(tx, credential.id)?.is_empty() {
                unused.push(credential);
            }
        }
        listed.rows = unused;
    }
    Ok(listed)
}

/// Changes one credential, an operator among them: looks it up, changes it,
/// writes it with its audit row and its change, and returns what it is then.
pub(crate) fn change_one<R>(
    tx: &mut Tx<'_>,
    name: &LoginName,
    act: &'static str,
    change: impl FnOnce(&mut Tx<'_>, &mut ShownCredential) -> Result<R, AdminError>,
) -> Result<(ShownCredential, R), AdminError> {
    let mut described = lookup::credential(tx, name)?;
    let before = AuditedCredential::of(&described);
    let result = change(tx, &mut described)?;
    described.credential.updated_at = tx.now;
    tx.update_credential(&described.credential)?;
    let described = lookup::credential(tx, name)?;
    let after = AuditedCredential::of(&described);
    tx.record(act, name.as_str(), Some(&before), Some(&after));
    tx.changed(Change::Credential(described.credential.id));
    Ok((described, result))
}

/// The tenant of a credential that must have one.
fn require_tenant(credential: &Credential) -> Result<&TenantId, AdminError> {
    let operator = || wrong_kind(credential);
    credential.tenant.as_ref().ok_or_else(operator)
}

/// The state that follows on `act`, or the error that names act, credential
/// and state.
pub(crate) fn transition(credential: &Credential, act: Act) -> Result<State, AdminError> {
    let name = &credential.name;
    let refused = |state| conflict(name, format!("cannot {act} `{name}`: it is {state}"));
    let after = credential.state.after(act);
    after.map_err(|error| refused(error.from))
}

/// Something stands against what is asked for of this credential.
fn conflict(name: &LoginName, message: impl Into<String>) -> AdminError {
    let subject = Subject::new(Noun::Credential, name);
    AdminError::new(ErrorKind::Conflict, subject, message)
}

/// How many credentials are on a page at most.
const PAGE: u64 = if cfg!(test) { 5 } else { 1_000 };

#[cfg(test)]
mod tests {
    use std::thread;

    use countersign_core::name::GroupPath;
    use countersign_core::tenant::DefaultRights;
    use countersign_core::user::{Grant, GrantedRight};
    use countersign_sqlite::SqliteStore;

    use super::*;
    use crate::caller::Authority;
    use crate::command::run;
    use crate::fixture::{Fixture, JANE, adding, login_name, new_credential, role_name, tenant_id};
    use crate::secret::NewSecret;
    use crate::tenant::{SetTenant, TenantChanges};
    use crate::text::FreeText;
    use crate::user::GrantUser;

    #[test]
    fn a_list_is_told_in_pages_each_of_which_says_where_the_next_begins() {
        let mut fixture = Fixture::with_credential();
        for number in 0..12 {
            fixture.credential(&format!("n{number:02}")).unwrap();
        }
        let mut page = |after: Option<&str>, limit: Option<u64>| {
            let list = ListCredentials {
                query: CredentialQuery {
                    tenant: Some(tenant_id("acme")),
                    ..CredentialQuery::default()
                },
                page: Page {
                    after: after.map(login_name),
                    limit: limit.unwrap_or(u64::MAX),
                },
            };
            let page = fixture.run(&list).unwrap();
            let next = &page.listed.next;
            let names = page.iter().map(|(credential, _)| &credential.name);
            let names: Vec<_> = names.chain(next).map(ToString::to_string).collect();
            (names.join(" "), next.is_some())
        };
        let first = "dev1@acme n00@acme n01@acme n02@acme n03@acme";
        assert_eq!(page(None, None), (format!("{first} n03@acme"), true));
        let two = "dev1@acme n00@acme n00@acme";
        assert_eq!(page(None, Some(2)), (two.into(), true));
        let last = "n07@acme n08@acme n09@acme n10@acme n11@acme";
        assert_eq!(page(Some("n06@acme"), None), (last.into(), false));
        assert_eq!(page(Some("n10@acme"), None), ("n11@acme".into(), false));
        assert_eq!(page(None, Some(0)), (String::new(), false));
    }

    /// What each of the commands on one credential answers: nothing where it is
    /// done. The last deletes it.
    fn tried(fixture: &mut Fixture, by: Authority, name: &str) -> Vec<Option<AdminError>> {
        let name = || login_name(name);
        let set = SetCredential {
            name: name(),
            changes: CredentialChanges::default(),
        };
        let change = ChangeCredentialRules {
            name: name(),
            change: adding("allow publish acme/x"),
        };
        let reset = ResetPassword {
            name: name(),
            secret: NewSecret::Generated,
        };
        let rotate = RotateCredential {
            name: name(),
            overlap: Overlap::None,
        };
        let untie = fixture.run_by(by, &UntieCredential(name())).err();
        let revoke = RevokeCredential {
            name: name(),
            reason: None,
        };
        vec![
            fixture.run_by(by, &ShowCredential(name())).err(),
            fixture.run_by(by, &SuspendCredential(name())).err(),
            fixture.run_by(by, &ReactivateCredential(name())).err(),
            fixture.run_by(by, &reset).err(),
            fixture.run_by(by, &rotate).err(),
            // It has no tie, which is told to those alone who may take it.
            untie.filter(|error| !error.is(ErrorKind::Conflict, Noun::Credential)),
            fixture.run_by(by, &revoke).err(),
            fixture.run_by(by, &set).err(),
            fixture
                .run_by(by, &CredentialRuleWarnings(change.clone()))
                .err(),
            fixture.run_by(by, &change).err(),
            fixture.run_by(by, &DeleteCredential(name())).err(),
        ]
    }

    #[test]
    fn who_administers_a_tenant_or_a_group_acts_on_its_credentials_alone() {
        let mut fixture = Fixture::with_admin();
        fixture.tenant("other", &[]).unwrap();
        let group = |group: &str| GroupPath::parse(group).ok();
        let [jane, gus, joe] = [JANE, "gus@mail.test", "joe@mail.test"].map(login_name);
        for user in ["gus@mail.test", "joe@mail.test"] {
            fixture.user(user);
        }
        for (email, tenant, group) in [(&gus, "acme", group("DM")), (&joe, "other", None)] {
            let grant = Grant {
                tenant: tenant_id(tenant),
                group,
                right: GrantedRight::OrgAdmin,
            };
            let email = email.clone();
            fixture.run(&GrantUser { email, grant }).unwrap();
        }
        // How many of the commands are done, from the first on.
        for (who, of_groups, done) in [
            (&jane, ["DM.X"].as_slice(), 11),
            (&jane, &["XY", "DM"], 11),
            (&jane, &[], 11),
            (&gus, &["DM.X"], 7),
            (&gus, &["DM"], 7),
            (&gus, &["DM.X", "DM"], 7),
            // All of its groups must be the administrator's.
            (&gus, &["DM.X", "XY"], 0),
            (&gus, &["DMX"], 0),
            (&gus, &[], 0),
            (&joe, &["DM.X"], 0),
        ] {
            let new = NewCredential {
                groups: of_groups.iter().filter_map(|path| group(path)).collect(),
                ..new_credential("it")
            };
            fixture.run(&CreateCredential(new)).unwrap();
            let by = fixture.session_of(who.as_str());
            let answers = tried(&mut fixture, by, "it@acme");
            assert!(
                answers[..done].iter().all(Option::is_none),
                "{who}: {answers:?}"
            );
            for refused in &answers[done..] {
                let refused = refused.as_ref().unwrap();
                // Whoever sees it is told that they may not.
                let is_right = if done > 0 {
                    refused.is(ErrorKind::Forbidden, Noun::Caller)
                } else {
                    refused.is(ErrorKind::NotFound, Noun::Credential)
                };
                assert!(is_right, "{who}: {refused}");
            }
            let _gone_already = fixture.run(&DeleteCredential(login_name("it@acme")));
        }
        let query = CredentialQuery {
            tenant: Some(tenant_id("acme")),
            ..CredentialQuery::default()
        };
        let of_other = CredentialQuery {
            tenant: Some(tenant_id("other")),
            ..CredentialQuery::default()
        };
        for (who, query, is_done) in [
            (&jane, query.clone(), true),
            (&jane, CredentialQuery::default(), false),
            (&gus, query.clone(), true),
            (&gus, of_other, false),
            (&gus, CredentialQuery::default(), false),
            (&joe, query, false),
        ] {
            let by = fixture.session_of(who.as_str());
            let page = Page::default();
            let listed = fixture.run_by(by, &ListCredentials { query, page });
            assert_eq!(listed.is_ok(), is_done, "{who}");
        }
    }

    #[test]
    fn who_administers_a_group_is_shown_what_is_in_it_and_nowhere_else() {
        let mut fixture = Fixture::with_admin();
        fixture.user("gus@mail.test");
        let group = |path: &&str| GroupPath::parse(path).unwrap();
        let grant = Grant {
            tenant: tenant_id("acme"),
            group: Some(group(&"DM")),
            right: GrantedRight::OrgAdmin,
        };
        let email = login_name("gus@mail.test");
        fixture.run(&GrantUser { email, grant }).unwrap();
        for (name, groups) in [
            ("a", ["DM.X"].as_slice()),
            ("b", &["DM", "DM.Y"]),
            ("c", &["DM", "B"]),
            ("d", &["DMX"]),
            ("e", &[]),
        ] {
            let new = NewCredential {
                groups: groups.iter().map(group).collect(),
                ..new_credential(name)
            };
            fixture.run(&CreateCredential(new)).unwrap();
        }
        let mut listed = |who: &str, of_group: Option<&str>| {
            let by = fixture.session_of(who);
            let query = CredentialQuery {
                tenant: Some(tenant_id("acme")),
                group: of_group.map(|path| group(&path)),
                ..CredentialQuery::default()
            };
            let page = Page::default();
            let list = fixture
                .run_by(by, &ListCredentials { query, page })
                .unwrap();
            let names = list
                .iter()
                .map(|(credential, _)| credential.name.to_string());
            names.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(listed("gus@mail.test", None), "a@acme b@acme");
        assert_eq!(listed("gus@mail.test", Some("DM.Y")), "b@acme");
        assert_eq!(listed("gus@mail.test", Some("B")), "");
        assert_eq!(listed(JANE, Some("DM")), "a@acme b@acme c@acme");
    }

    #[test]
    fn who_makes_credentials_gives_no_more_than_it_may() {
        let mut fixture = Fixture::with_admin();
        fixture.user("gus@mail.test");
        let grant = Grant {
            tenant: tenant_id("acme"),
            group: GroupPath::parse("DM").ok(),
            right: GrantedRight::OrgAdmin,
        };
        let email = login_name("gus@mail.test");
        fixture.run(&GrantUser { email, grant }).unwrap();
        let plain = || NewCredential {
            groups: vec![GroupPath::parse("DM.X").unwrap()],
            ..new_credential("it")
        };
        let of_no_group = || new_credential("it");
        let with_role = || NewCredential {
            roles: vec![role_name("ops")],
            ..plain()
        };
        let with_attribute = || NewCredential {
            attributes: [("line".into(), "4".into())].into(),
            ..plain()
        };
        let external = || NewCredential {
            external_identity: true,
            ..plain()
        };
        let made: [(&dyn Fn() -> NewCredential, _, _); 5] = [
            (&plain, true, true),
            (&of_no_group, true, false),
            (&with_role, true, false),
            (&with_attribute, true, false),
            (&external, false, false),
        ];
        for (new, by_jane, by_gus) in made {
            for (who, rights, is_made) in [
                (JANE, DefaultRights::Namespaces, by_jane),
                ("gus@mail.test", DefaultRights::Nothing, by_gus),
                // It would be given the topics of the tenant.
                ("gus@mail.test", DefaultRights::Namespaces, false),
            ] {
                let changes = TenantChanges {
                    default_rights: Some(rights),
                    ..TenantChanges::default()
                };
                let id = tenant_id("acme");
                fixture.run(&SetTenant { id, changes }).unwrap();
                let by = fixture.session_of(who);
                let made = fixture.run_by(by, &CreateCredential(new()));
                assert_eq!(made.is_ok(), is_made, "{who} {:?}", made.err());
                if is_made {
                    fixture.delete("it@acme");
                }
            }
        }
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
            let mut context = crate::Context {
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
            let set = SetCredential {
                name: name.clone(),
                changes,
            };
            run(&mut store, &mut context, &set).unwrap();
            run(&mut store, &mut context, &SuspendCredential(name)).is_ok()
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
