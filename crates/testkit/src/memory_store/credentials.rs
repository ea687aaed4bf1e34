//! Credentials of all kinds, read from their rows and written to them.

use std::collections::BTreeSet;

use countersign_core::client_id::ClientIdTie;
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::kind::{ApplicationName, Kind, Thing};
use countersign_core::name::{LoginName, TenantId};
use countersign_core::role::RoleName;
use countersign_core::secret::SecretDigest;
use countersign_core::store::StoreError;
use countersign_core::store::rows::RegistrationCount;
use countersign_core::user::{GrantedRight, User};

use super::errors::{found, gone, taken};
use super::references::keep_handed_over;
use super::tables::{CredentialRow, Tables, next};

impl Tables {
    /// The credential with this number.
    pub(super) fn credential_by_id(&self, id: CredentialId) -> Option<Credential> {
        self.credentials.get(&id).map(|row| self.read(row))
    }

    /// Names of devices that end with `@` and this, in whatever case, and belong to
    /// another tenant.
    pub(super) fn names_kept(&self, suffix: &str) -> impl Iterator<Item = LoginName> {
        self.credentials.values().filter_map(move |row| {
            let Credential {
                name, tenant, kind, ..
            } = &row.credential;
            let (_, own) = name.as_str().rsplit_once('@')?;
            let is_kept = matches!(kind, Kind::Device)
                && own.eq_ignore_ascii_case(suffix)
                && tenant.as_ref().is_some_and(|tenant| tenant.as_str() != own);
            is_kept.then(|| name.clone())
        })
    }

    /// The credential with this login name.
    pub(super) fn credential(&self, name: &LoginName) -> Option<Credential> {
        self.find(|credential| credential.name == *name)
            .map(|row| self.read(row))
    }

    /// The credential with this generated secret.
    pub(super) fn credential_by_digest(&self, digest: &SecretDigest) -> Option<Credential> {
        let mut secrets = self.secrets.values();
        let (owner, _) = secrets.find(|(_, secret)| secret.is_digest(digest))?;
        self.credential_by_id(*owner)
    }

    /// The credentials that are meant, by name.
    pub(super) fn credentials_where(
        &self,
        is_meant: impl Fn(&Credential) -> bool,
    ) -> Vec<Credential> {
        let rows = self.credentials.values();
        let meant = rows.filter(|row| is_meant(&row.credential));
        let mut found: Vec<_> = meant.map(|row| self.read(row)).collect();
        found.sort_by(|one, other| one.name.cmp(&other.name));
        found
    }

    /// The oldest credential that is bound to this client id.
    pub(super) fn bound_to(&self, client_id: &ClientIdTie) -> Option<CredentialId> {
        self.find(|credential| bound_client_id(credential) == Some(*client_id))
            .map(|row| row.credential.id)
    }

    /// The oldest row of a credential that is meant.
    pub(super) fn find(&self, is_meant: impl Fn(&Credential) -> bool) -> Option<&CredentialRow> {
        let mut rows = self.credentials.values();
        rows.find(|row| is_meant(&row.credential))
    }

    /// The credentials that hold a role by themselves, by a grant, or by a token.
    pub(super) fn holders_of_role(&self, tenant: &TenantId, name: &RoleName) -> Vec<CredentialId> {
        let by_grant = |user: &User| {
            let grant = user.grant_in(tenant);
            grant.is_some_and(|grant| grant.right == GrantedRight::Role(name.clone()))
        };
        let rows = self.credentials.values().map(|row| &row.credential);
        let holds = |it: &&Credential| match &it.kind {
            Kind::User(user) => by_grant(user),
            _ => it.tenant.as_ref() == Some(tenant) && it.roles.contains(name),
        };
        let tokens = self.tokens.values();
        let by_token = tokens.filter(|it| it.tenant == *tenant && it.role == *name);
        let holders: BTreeSet<_> = rows
            .filter(holds)
            .map(|it| it.id)
            .chain(by_token.map(|it| it.bearer))
            .collect();
        holders.into_iter().collect()
    }

    /// Adds a credential, without secrets.
    pub(super) fn add_credential(
        &mut self,
        credential: &Credential,
    ) -> Result<CredentialId, StoreError> {
        if self.find(|other| other.name == credential.name).is_some() {
            return Err(taken("the name"));
        }
        self.check_references(credential.tenant.as_ref(), credential)?;
        let id = CredentialId(next(&mut self.last_numbers.credential));
        let mut row = CredentialRow {
            credential: credential.clone(),
            last_step: None,
            registers: None,
        };
        row.credential.id = id;
        row.credential.last_used_at = None;
        match &credential.kind {
            Kind::User(user) => {
                let factor = user.second_factor.as_ref();
                row.last_step = factor.and_then(|factor| factor.last_step);
            }
            Kind::Application(about) => {
                let registers = about.registers.clone();
                row.registers = registers.map(|it| (it, RegistrationCount::default()));
            }
            Kind::Bearer | Kind::Device | Kind::Operator | Kind::Thing(_) => {}
        }
        put_lists_in_order(&mut row.credential);
        self.credentials.put(id, row);
        Ok(id)
    }

    /// Writes what acts may change of a credential.
    pub(super) fn update_credential(&mut self, credential: &Credential) -> Result<(), StoreError> {
        let before = self.credentials.get(&credential.id);
        let is_the_same = |row: &&CredentialRow| {
            let before = &row.credential;
            before.kind.as_str() == credential.kind.as_str()
                && before.parent() == credential.parent()
        };
        let Some(before) = before.filter(is_the_same).cloned() else {
            return Err(gone("the credential"));
        };
        self.check_references(before.credential.tenant.as_ref(), credential)?;
        let mut row = CredentialRow {
            credential: Credential {
                name: before.credential.name,
                tenant: before.credential.tenant,
                created_at: before.credential.created_at,
                last_used_at: before.credential.last_used_at,
                ..credential.clone()
            },
            ..before
        };
        put_lists_in_order(&mut row.credential);
        self.credentials.put(credential.id, row);
        Ok(())
    }

    /// Fails unless there is all that a credential of this tenant refers to.
    fn check_references(
        &self,
        tenant: Option<&TenantId>,
        credential: &Credential,
    ) -> Result<(), StoreError> {
        let has_tenant = |id: &TenantId| self.tenants.contains_key(id);
        let has_role = |tenant: &TenantId, role: &RoleName| {
            self.roles.contains_key(&(tenant.clone(), role.clone()))
        };
        found(tenant.is_none_or(has_tenant), "the tenant")?;
        match &credential.kind {
            Kind::Thing(thing) => {
                let has_application = self.credentials.contains_key(&thing.application);
                return found(has_application, "the application");
            }
            Kind::User(user) => {
                for grant in &user.grants {
                    found(has_tenant(&grant.tenant), "the tenant")?;
                    if let GrantedRight::Role(role) = &grant.right {
                        found(has_role(&grant.tenant, role), "the role")?;
                    }
                }
            }
            Kind::Application(_) | Kind::Bearer | Kind::Device | Kind::Operator => {}
        }
        let has_all = |tenant| credential.roles.iter().all(|role| has_role(tenant, role));
        let has_roles = tenant.map_or(credential.roles.is_empty(), has_all);
        found(has_roles, "the role")
    }

    /// The credential of a row, with what lies in other rows.
    fn read(&self, row: &CredentialRow) -> Credential {
        let mut credential = row.credential.clone();
        let id = credential.id;
        match &mut credential.kind {
            Kind::Application(about) => {
                let kept = row.registers.as_ref().map(|(it, _)| it.clone());
                about.registers = about.registers.take().and(kept);
            }
            Kind::Thing(thing) => self.read_application(thing, &mut credential.roles),
            Kind::User(user) => {
                if let Some(factor) = &mut user.second_factor {
                    factor.last_step = row.last_step;
                    factor.recovery = self.recovery_codes_of(id);
                }
            }
            Kind::Bearer | Kind::Device | Kind::Operator => {}
        }
        credential.secrets = self.secrets_of(credential.parent().unwrap_or(id));
        credential
    }

    /// Reads what a thing has of its application.
    fn read_application(&self, thing: &mut Thing, roles: &mut Vec<RoleName>) {
        let row = self.credentials.get(&thing.application);
        let application = &row.expect("a thing goes with its application").credential;
        if let Some(name) = ApplicationName::of_credential(&application.name) {
            thing.application_name = name;
        }
        if let Kind::Application(about) = &application.kind {
            thing.is_org_admin = about.is_org_admin;
        }
        roles.clone_from(&application.roles);
    }
}

/// The client id that a credential is bound to.
pub(super) fn bound_client_id(credential: &Credential) -> Option<ClientIdTie> {
    credential.bound_client_id(&credential.name)
}

/// Puts roles and grants in the order in which they are read.
fn put_lists_in_order(credential: &mut Credential) {
    credential.roles.sort();
    credential.roles.dedup();
    if let Kind::User(user) = &mut credential.kind {
        user.grants
            .sort_by(|one, other| one.tenant.cmp(&other.tenant));
        keep_handed_over(user);
    }
    if matches!(credential.kind, Kind::Thing(_)) {
        credential.roles.clear();
    }
}
