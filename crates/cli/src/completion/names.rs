//! Names of a store that begin as a word does.

use std::ffi::OsStr;

use clap_complete::engine::CompletionCandidate;
use countersign_admin::Command;
use countersign_admin::application::ListApplications;
use countersign_admin::authority::ListAuthorities;
use countersign_admin::broker::{ListBrokers, ShowBroker};
use countersign_admin::credential::ListCredentials;
use countersign_admin::follower::{ListFollowers, ShowFollower};
use countersign_admin::hook::{ListHooks, ShowHook};
use countersign_admin::issuer::ListIssuers;
use countersign_admin::operator::{ListOperators, ShowOperator};
use countersign_admin::role::{ListGroups, ListRoles, ShowRole};
use countersign_admin::scheme::ListSchemes;
use countersign_admin::tenant::{ListTenants, ShowTenant};
use countersign_admin::thing::{ListThings, ShowThing};
use countersign_admin::user::{ListUsers, ShowUser};
use countersign_core::credential::Credential;
use countersign_core::follower::{Follower, FollowerName};
use countersign_core::hook::{Hook, HookName};
use countersign_core::kind::ApplicationName;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::role::RoleName;
use countersign_core::store::rows::KnownBroker;
use countersign_core::store::{CredentialQuery, Keyed, Listed, Page};
use countersign_core::tenant::Tenant;
use countersign_store::AnyStore;

use crate::identity::become_keeper_of;
use crate::invocation::run_on;
use crate::store_place::StorePlace;

/// No shell is told more.
const MOST: u64 = 100;

/// What kind of name is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Asked {
    Applications,
    Authorities,
    Brokers,
    Followers,
    Groups,
    Hooks,
    Issuers,
    Operators,
    /// Credentials, operators and users, which many commands take.
    Principals,
    Roles,
    Schemes,
    Tenants,
    Things,
    Users,
}

/// The store that names come from, and what the words so far say of them.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) store: StorePlace,
    pub(super) tenant: Option<String>,
}

impl Names {
    /// Names that go on as the word does; none where the store can't be read.
    pub(super) fn complete(&self, asked: Asked, begun: &OsStr) -> Vec<CompletionCandidate> {
        let names = begun.to_str().and_then(|begun| self.find(asked, begun));
        let names = names.unwrap_or_default().into_iter();
        names.map(CompletionCandidate::new).collect()
    }

    fn find(&self, asked: Asked, begun: &str) -> Option<Vec<String>> {
        if let Some(guarded) = self.store.guarded() {
            become_keeper_of(guarded).ok()?;
        }
        let store = self.store.open_as_it_is().ok()?;
        let tenant = self.tenant.as_deref().map(TenantId::parse);
        let mut search = Search {
            store,
            begun,
            tenant: tenant.transpose().ok()?,
            found: Vec::new(),
        };
        search.find(asked);
        Some(search.found)
    }
}

/// A search for names that begin alike. Each listing begins at the word itself,
/// as its keys are in order, and is one page long; the word as a whole is looked up
/// beside it, as a page begins behind its key.
struct Search<'a> {
    store: AnyStore,
    begun: &'a str,
    tenant: Option<TenantId>,
    found: Vec<String>,
}

impl Search<'_> {
    fn find(&mut self, asked: Asked) {
        match asked {
            Asked::Applications => self.applications(),
            Asked::Authorities => self.authorities(),
            Asked::Brokers => self.brokers(),
            Asked::Followers => self.followers(),
            Asked::Groups => self.groups(),
            Asked::Hooks => self.hooks(),
            Asked::Issuers => self.issuers(),
            Asked::Operators => self.operators(),
            Asked::Principals => {
                self.credentials();
                self.operators();
                self.users();
            }
            Asked::Roles => self.roles(),
            Asked::Schemes => self.schemes(),
            Asked::Tenants => self.tenants(),
            Asked::Things => self.things(),
            Asked::Users => self.users(),
        }
    }

    /// The applications of a tenant, which has few.
    fn applications(&mut self) {
        let tenant = self.tenant.clone();
        let page = page(None);
        let listed = self.ask(&ListApplications { tenant, page });
        let names = listed.into_iter().flat_map(|listed| listed.rows);
        let names = names.filter_map(|it| ApplicationName::of_credential(&it.name));
        self.add(names.map(|name| name.to_string()));
    }

    /// The authorities, of which there are few.
    fn authorities(&mut self) {
        let tenant = self.tenant.clone();
        let listed = self.ask(&ListAuthorities { tenant });
        let fingerprints = listed.into_iter().flatten();
        self.add(fingerprints.map(|it| it.fingerprint.to_string()));
    }

    fn brokers(&mut self) {
        let name = |it: KnownBroker| it.record.name;
        self.whole(&ShowBroker(self.begun.to_owned()), name);
        if let Some(page) = self.from(|text| Ok::<_, ()>(text.to_owned())) {
            self.behind(&ListBrokers(page), name);
        }
    }

    fn credentials(&mut self) {
        let prefix = Some(self.begun).filter(|begun| !begun.is_empty());
        let Ok(name_prefix) = prefix.map(LoginName::parse).transpose() else {
            return;
        };
        let query = CredentialQuery {
            tenant: self.tenant.clone(),
            name_prefix,
            ..CredentialQuery::default()
        };
        let page = page(None);
        let listed = self.ask(&ListCredentials { query, page });
        let rows = listed.into_iter().flat_map(|page| page.listed.rows);
        self.add(rows.map(|it| it.name.to_string()));
    }

    fn followers(&mut self) {
        let name = |it: Follower| it.name.to_string();
        if let Ok(whole) = FollowerName::parse(self.begun) {
            self.whole(&ShowFollower(whole), name);
        }
        if let Some(page) = self.from(FollowerName::parse) {
            self.behind(&ListFollowers(page), name);
        }
    }

    /// The groups of a tenant that hold a role or have a member.
    fn groups(&mut self) {
        let Some(tenant) = self.tenant.clone() else {
            return;
        };
        let listed = self.ask(&ListGroups {
            tenant,
            begin: self.begun.to_owned(),
            most: usize::try_from(MOST).unwrap_or_default(),
        });
        let groups = listed.into_iter().flatten();
        self.add(groups.map(|it| it.as_str().to_owned()));
    }

    fn hooks(&mut self) {
        let name = |it: Hook| it.name.to_string();
        if let Ok(whole) = HookName::parse(self.begun) {
            self.whole(&ShowHook(whole), name);
        }
        if let Some(page) = self.from(HookName::parse) {
            self.behind(&ListHooks(page), name);
        }
    }

    /// The issuers, of which there are few.
    fn issuers(&mut self) {
        let tenant = self.tenant.clone();
        let listed = self.ask(&ListIssuers { tenant });
        let issuers = listed.into_iter().flatten();
        self.add(issuers.map(|it| it.name.to_string()));
    }

    fn operators(&mut self) {
        let name = |it: Credential| it.name.to_string();
        if let Ok(whole) = LoginName::parse(self.begun) {
            self.whole(&ShowOperator(whole), |it| it.name.to_string());
        }
        if let Some(page) = self.from(LoginName::parse) {
            self.behind(&ListOperators(page), name);
        }
    }

    fn roles(&mut self) {
        let Some(tenant) = self.tenant.clone() else {
            return;
        };
        if let Ok(name) = RoleName::parse(self.begun) {
            let tenant = tenant.clone();
            self.whole(&ShowRole { tenant, name }, |it| it.role.name.to_string());
        }
        let begin = |text: &str| RoleName::parse(text).map(|name| (tenant.clone(), name));
        if let Some(page) = self.from(begin) {
            let tenant = Some(tenant.clone());
            self.behind(&ListRoles { tenant, page }, |it| it.role.name.to_string());
        }
    }

    fn schemes(&mut self) {
        let schemes = self.ask(&ListSchemes);
        let names = schemes.iter().flat_map(|schemes| schemes.iter());
        let names: Vec<_> = names.map(|scheme| scheme.name().to_string()).collect();
        self.add(names);
    }

    fn tenants(&mut self) {
        let name = |it: Tenant| it.id.to_string();
        if let Ok(id) = TenantId::parse(self.begun) {
            self.whole(&ShowTenant(id), name);
        }
        if let Some(page) = self.from(TenantId::parse) {
            self.behind(&ListTenants(page), name);
        }
    }

    fn things(&mut self) {
        if let (Some(tenant), Ok(key)) = (self.tenant.clone(), LoginName::parse(self.begun)) {
            self.whole(&ShowThing { key, tenant }, |it| it.name.to_string());
        }
        if let Some(page) = self.from(LoginName::parse) {
            let things = ListThings {
                tenant: self.tenant.clone(),
                application: None,
                page,
            };
            self.behind(&things, |it| it.name.to_string());
        }
    }

    fn users(&mut self) {
        if let Ok(email) = LoginName::parse(self.begun) {
            self.whole(&ShowUser(email), |it| it.user.name.to_string());
        }
        if let Some(page) = self.from(LoginName::parse) {
            self.behind(&ListUsers(page), |it| it.user.name.to_string());
        }
    }

    /// Takes what has the word as its whole name.
    fn whole<C: Command>(&mut self, show: &C, name: impl FnOnce(C::Output) -> String) {
        let shown = self.ask(show);
        self.add(shown.map(name));
    }

    /// Takes the names of a page behind the word.
    fn behind<C, R: Keyed>(&mut self, list: &C, name: impl FnMut(R) -> String)
    where
        C: Command<Output = Listed<R>>,
    {
        let listed = self.ask(list);
        let rows = listed.into_iter().flat_map(|listed| listed.rows);
        self.add(rows.map(name));
    }

    fn ask<C: Command>(&mut self, command: &C) -> Option<C::Output> {
        run_on(&mut self.store, command).ok()
    }

    /// The page of names behind the word, which is none where no name begins so.
    fn from<K, E>(&self, parse: impl FnOnce(&str) -> Result<K, E>) -> Option<Page<K>> {
        if self.begun.is_empty() {
            return Some(page(None));
        }
        parse(self.begun).ok().map(|key| page(Some(key)))
    }

    /// Takes those names that begin as the word does, as far as there is room.
    fn add(&mut self, names: impl IntoIterator<Item = String>) {
        let begin = |name: &String| name.starts_with(self.begun);
        let names = names.into_iter().filter(begin);
        let room = usize::try_from(MOST).unwrap_or_default();
        let room = room.saturating_sub(self.found.len());
        self.found.extend(names.take(room));
    }
}

fn page<K>(after: Option<K>) -> Page<K> {
    Page { after, limit: MOST }
}
