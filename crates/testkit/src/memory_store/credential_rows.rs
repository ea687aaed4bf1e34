//! Credentials of all kinds, as transactions look them up and change them.

use countersign_core::credential::{Credential, CredentialId};
use countersign_core::kind::Kind;
use countersign_core::name::{GroupPath, LoginName, Suffix, TenantId};
use countersign_core::scheme::SchemeName;
use countersign_core::store::rows::{
    ApplicationRows, CredentialQuery, CredentialRows, CredentialUse, GrantedUser, RegistrationCount,
};
use countersign_core::store::{Listed, Page, StoreError};
use countersign_core::time::Timestamp;

use super::MemoryTransaction;
use super::errors::{found, gone};
use super::table::{page_by, page_of};

impl CredentialRows for MemoryTransaction<'_> {
    fn credential(&mut self, name: &LoginName) -> Result<Option<Credential>, StoreError> {
        Ok(self.tables.credential(name))
    }

    fn credential_by_id(&mut self, id: CredentialId) -> Result<Option<Credential>, StoreError> {
        Ok(self.tables.credential_by_id(id))
    }

    fn has_credential(&mut self, id: CredentialId) -> Result<bool, StoreError> {
        Ok(self.tables.credentials.contains_key(&id))
    }

    fn name_of(&mut self, id: CredentialId) -> Result<Option<LoginName>, StoreError> {
        let row = self.tables.credentials.get(&id);
        Ok(row.map(|row| row.credential.name.clone()))
    }

    fn credentials(
        &mut self,
        query: &CredentialQuery,
        page: &Page<LoginName>,
    ) -> Result<Listed<Credential>, StoreError> {
        let is_in_group = |it: &Credential| {
            let is_in = |group: &GroupPath| it.groups.iter().any(|own| group.covers(own));
            query.group.as_ref().is_none_or(is_in)
        };
        let is_within = |it: &Credential| {
            let holds_all = |group: &GroupPath| it.groups.iter().all(|own| group.covers(own));
            let within = query.within.as_ref();
            within.is_none_or(|group| !it.groups.is_empty() && holds_all(group))
        };
        let is_unused = |it: &Credential, since: Timestamp| {
            it.created_at.max(it.last_used_at.unwrap_or(it.created_at)) < since
        };
        let name_begins =
            |it: &Credential, prefix: &LoginName| it.name.as_str().starts_with(prefix.as_str());
        let is_asked_for = |it: &Credential| {
            query.state.is_none_or(|state| it.state == state)
                && is_in_group(it)
                && is_within(it)
                && query
                    .scheme
                    .as_ref()
                    .is_none_or(|scheme| it.scheme == *scheme)
                && query
                    .role
                    .as_ref()
                    .is_none_or(|role| it.roles.contains(role))
                && query
                    .name_prefix
                    .as_ref()
                    .is_none_or(|prefix| name_begins(it, prefix))
                && query
                    .attributes
                    .iter()
                    .all(|(key, value)| it.attributes.get(key) == Some(value))
                && query.unused_since.is_none_or(|since| is_unused(it, since))
                && query
                    .expires_before
                    .is_none_or(|end| it.expires_at.is_some_and(|at| at < end))
        };
        let mut devices = self.own_credentials(query.tenant.as_ref(), is_device);
        devices.retain(is_asked_for);
        Ok(page_of(devices, page))
    }

    fn operators(&mut self, page: &Page<LoginName>) -> Result<Listed<Credential>, StoreError> {
        let found = self.tables.credentials_where(Credential::is_operator);
        Ok(page_of(found, page))
    }

    fn users(&mut self, page: &Page<LoginName>) -> Result<Listed<Credential>, StoreError> {
        let found = self.own_credentials(None, |kind| matches!(kind, Kind::User(_)));
        Ok(page_of(found, page))
    }

    fn granted_users(
        &mut self,
        tenant: &TenantId,
        page: &Page<CredentialId>,
    ) -> Result<Listed<GrantedUser>, StoreError> {
        let is_granted = |kind: &Kind| match kind {
            Kind::User(user) => user.grant_in(tenant).is_some(),
            _ => false,
        };
        let found = self.own_credentials(None, is_granted).into_iter();
        Ok(page_of(found.map(GrantedUser).collect(), page))
    }

    fn has_user(&mut self, email: &LoginName) -> Result<bool, StoreError> {
        let is_users = |it: &Credential| it.name == *email && matches!(it.kind, Kind::User(_));
        Ok(self.tables.find(is_users).is_some())
    }

    fn count_credentials(&mut self, tenant: &TenantId) -> Result<u64, StoreError> {
        let is_counted = |kind: &Kind| !matches!(kind, Kind::Bearer);
        Ok(self.own_credentials(Some(tenant), is_counted).len() as u64)
    }

    fn names_kept_under(
        &mut self,
        suffix: &str,
        most: usize,
    ) -> Result<Vec<LoginName>, StoreError> {
        let mut names: Vec<_> = self.tables.names_kept(suffix).collect();
        names.sort_unstable_by_key(|name| name.as_str().to_ascii_lowercase());
        names.truncate(most);
        Ok(names)
    }

    fn name_kept_like(&mut self, name: &LoginName) -> Result<Option<LoginName>, StoreError> {
        let suffix = name.as_str().rsplit_once('@').map_or("", |(_, it)| it);
        let is_like = |kept: &LoginName| kept.as_str().eq_ignore_ascii_case(name.as_str());
        Ok(self.tables.names_kept(suffix).find(is_like))
    }

    fn holder_of_attribute(
        &mut self,
        key: &str,
        value: &str,
    ) -> Result<Option<LoginName>, StoreError> {
        let has_it = |it: &Credential| it.attributes.get(key).is_some_and(|own| own == value);
        let holder = self.tables.find(has_it);
        Ok(holder.map(|row| row.credential.name.clone()))
    }

    fn holders_in_scheme(
        &mut self,
        scheme: &SchemeName,
        key: &str,
        value: &str,
    ) -> Result<Vec<LoginName>, StoreError> {
        let all = self.tables.credentials.values().map(|row| &row.credential);
        let holders = all.filter(|it| {
            it.scheme == *scheme && it.attributes.get(key).is_some_and(|own| own == value)
        });
        Ok(holders.map(|it| it.name.clone()).collect())
    }

    fn insert_credential(&mut self, credential: &Credential) -> Result<CredentialId, StoreError> {
        self.tables.add_credential(credential)
    }

    fn update_credential(&mut self, credential: &Credential) -> Result<(), StoreError> {
        self.tables.update_credential(credential)
    }

    fn remove_credential(&mut self, id: CredentialId) -> Result<(), StoreError> {
        found(self.tables.remove_credential(id), "the credential")
    }

    fn remove_credentials_of(
        &mut self,
        tenant: &TenantId,
        most: usize,
    ) -> Result<Vec<CredentialId>, StoreError> {
        Ok(self.remove_some(tenant, |_| true, most))
    }

    fn use_credential(
        &mut self,
        seen: &Credential,
        change: &CredentialUse,
    ) -> Result<bool, StoreError> {
        let is_as_seen = |now: &Credential| {
            now.generation == seen.generation
                && now.state == seen.state
                && now.updated_at == seen.updated_at
                && (change.ties.is_none() || now.client_id_tie.is_none())
        };
        let row = self.tables.credentials.row(&seen.id);
        let Some(row) = row.filter(|row| is_as_seen(&row.credential)) else {
            return Ok(false);
        };
        let credential = &mut row.credential;
        credential.state = change.state;
        credential.ever_used |= change.activates;
        credential.client_id_tie = change.ties.or(credential.client_id_tie);
        credential.last_used_at = credential.last_used_at.max(Some(change.at));
        Ok(true)
    }

    fn note_use(&mut self, id: CredentialId, at: Timestamp) -> Result<(), StoreError> {
        if let Some(row) = self.tables.credentials.row(&id) {
            row.credential.last_used_at = row.credential.last_used_at.max(Some(at));
        }
        Ok(())
    }
}

impl ApplicationRows for MemoryTransaction<'_> {
    fn applications(
        &mut self,
        tenant: Option<&TenantId>,
        page: &Page<LoginName>,
    ) -> Result<Listed<Credential>, StoreError> {
        let is_one = |kind: &Kind| matches!(kind, Kind::Application(_));
        let place = |name: &LoginName| match name.suffix() {
            Suffix::Tenant(tenant) => (Some(tenant), name.clone()),
            Suffix::Email | Suffix::None | Suffix::Unknown => (None, name.clone()),
        };
        Ok(page_by(self.own_credentials(tenant, is_one), page, place))
    }

    fn has_application(&mut self, tenant: &TenantId, id: CredentialId) -> Result<bool, StoreError> {
        let is_its = |it: &Credential| {
            matches!(it.kind, Kind::Application(_)) && it.tenant.as_ref() == Some(tenant)
        };
        let row = self.tables.credentials.get(&id);
        Ok(row.is_some_and(|row| is_its(&row.credential)))
    }

    fn things(
        &mut self,
        tenant: Option<&TenantId>,
        application: Option<CredentialId>,
        page: &Page<LoginName>,
    ) -> Result<Listed<Credential>, StoreError> {
        let found = self.own_credentials(tenant, |kind| match kind {
            Kind::Thing(thing) => application.is_none_or(|id| thing.application == id),
            _ => false,
        });
        Ok(page_of(found, page))
    }

    fn remove_things_of(
        &mut self,
        tenant: &TenantId,
        most: usize,
    ) -> Result<Vec<CredentialId>, StoreError> {
        Ok(self.remove_some(tenant, |kind| matches!(kind, Kind::Thing(_)), most))
    }

    fn registration_count(
        &mut self,
        application: CredentialId,
    ) -> Result<RegistrationCount, StoreError> {
        let row = self.tables.credentials.get(&application);
        let registers = row.and_then(|row| row.registers.as_ref());
        let (_, count) = registers.ok_or_else(|| gone("the application"))?;
        Ok(*count)
    }

    fn count_registration(
        &mut self,
        application: CredentialId,
        count: RegistrationCount,
    ) -> Result<(), StoreError> {
        let row = self.tables.credentials.row(&application);
        if let Some((registers, last)) = row.and_then(|row| row.registers.as_mut()) {
            registers.registered = count.registered;
            *last = count;
        }
        Ok(())
    }
}

impl MemoryTransaction<'_> {
    /// The credentials of a tenant, or of all and of none, by name.
    fn own_credentials(
        &self,
        tenant: Option<&TenantId>,
        is_meant: impl Fn(&Kind) -> bool,
    ) -> Vec<Credential> {
        self.tables.credentials_where(|it| {
            is_meant(&it.kind) && (tenant.is_none() || it.tenant.as_ref() == tenant)
        })
    }

    /// Removes up to `most` credentials of a tenant that are meant; says which.
    fn remove_some(
        &mut self,
        tenant: &TenantId,
        is_meant: impl Fn(&Kind) -> bool,
        most: usize,
    ) -> Vec<CredentialId> {
        let ids = self.tables.credentials.keys_where(most, |_, row| {
            row.credential.tenant.as_ref() == Some(tenant) && is_meant(&row.credential.kind)
        });
        for id in &ids {
            self.tables.remove_credential(*id);
        }
        ids
    }
}

fn is_device(kind: &Kind) -> bool {
    matches!(kind, Kind::Device)
}
