//! What an import has to know of a store before it is planned.

use std::collections::BTreeMap;

use countersign_core::credential::Credential;
use countersign_core::imported::ImportMark;
use countersign_core::lifecycle::State;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::role::{Role, RoleName};
use countersign_core::scheme::Schemes;
use countersign_core::store::{CredentialQuery, Intent, Listed, Page, all_rows};
use countersign_core::tenant::Tenant;

use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::error::AdminError;
use crate::kept_name;

/// Looks up the tenant that an import is about, and what stands around it.
#[derive(Clone, Debug)]
pub struct LookUpTenant(pub TenantId);

/// The tenant that an import is about, and what stands around it.
#[derive(Clone, Debug)]
pub struct ImportedTenant {
    /// The tenant; none where it is to be made.
    pub tenant: Option<Tenant>,
    /// Whether it has credentials that no import made.
    pub has_own_credentials: bool,
    /// Its roles, by name.
    pub roles: BTreeMap<RoleName, ImportedRole>,
    /// The other tenants.
    pub others: Vec<Tenant>,
    /// The schemes that the store knows.
    pub schemes: Schemes,
}

impl ImportedTenant {
    /// Whether an import says what all of the tenant hold: where nothing but
    /// imports made what is in it, or an earlier one said so.
    #[must_use]
    pub fn takes_defaults(&self) -> bool {
        let given = self.tenant.iter().flat_map(|tenant| {
            let by_default = tenant.default_roles.iter();
            by_default.chain(&tenant.anonymous_roles)
        });
        let mut roles = given.filter_map(|name| self.roles.get(name));
        !self.has_own_credentials || roles.any(|role| role.mark.is_some())
    }
}

/// A role of the tenant that an import is about.
#[derive(Clone, Debug)]
pub struct ImportedRole {
    /// The role.
    pub role: Role,
    /// The groups that hold it, by path.
    pub groups: Vec<GroupPath>,
    /// What is remembered of its source; none where no import made it.
    pub mark: Option<ImportMark>,
}

impl Command for LookUpTenant {
    type Output = ImportedTenant;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ImportedTenant, AdminError> {
        let id = &self.0;
        let mut others = all_rows(|page| tx.tenants(page))?;
        let place = others.iter().position(|tenant| tenant.id == *id);
        let tenant = place.map(|place| others.remove(place));
        let mut roles = BTreeMap::new();
        let listed = all_rows(|page| tx.roles(Some(id), page))?;
        for role in listed {
            let mark = tx.role_import(id, &role.name)?;
            let groups = tx.groups_of_role(id, &role.name)?;
            let name = role.name.clone();
            roles.insert(name, ImportedRole { role, groups, mark });
        }
        Ok(ImportedTenant {
            has_own_credentials: tenant.is_some() && tx.has_own_credentials(id)?,
            tenant,
            roles,
            others,
            schemes: tx.schemes()?,
        })
    }
}

/// Lists the credentials of a tenant that imports of one kind of source made, and that may
/// be used.
#[derive(Clone, Debug)]
pub struct ListImported {
    /// The tenant.
    pub tenant: TenantId,
    /// The kind of source.
    pub source: &'static str,
}

impl Command for ListImported {
    type Output = Vec<LoginName>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Vec<LoginName>, AdminError> {
        let asked = CredentialQuery {
            tenant: Some(self.tenant.clone()),
            ..CredentialQuery::default()
        };
        let mut names = Vec::new();
        let mut page = Page::default();
        loop {
            let Listed { rows, next } = tx.credentials(&asked, &page)?;
            for credential in rows {
                let is_of_source = tx
                    .credential_import(credential.id)?
                    .is_some_and(|mark| *mark.source == *self.source);
                let is_stopped = matches!(credential.state, State::Revoked | State::Suspended);
                if is_of_source && !is_stopped {
                    names.push(credential.name);
                }
            }
            match next {
                Some(last) => page = Page::after(last),
                None => return Ok(names),
            }
        }
    }
}

/// Looks up who has the names of an import, a user by an address in whatever case.
#[derive(Clone, Debug)]
pub struct LookUpCredentials(pub Vec<LoginName>);

/// A principal, of whatever kind, that has a name of an import.
#[derive(Clone, Debug)]
pub struct KnownCredential {
    /// The principal.
    pub credential: Credential,
    /// What is remembered of its source; none where no import made it.
    pub mark: Option<ImportMark>,
}

impl Command for LookUpCredentials {
    /// In the order of the names; none where a name is free.
    type Output = Vec<Option<KnownCredential>>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Self::Output, AdminError> {
        let mut look = |name: &LoginName| {
            let found = match tx.credential(name)? {
                None => kept_name::user_called(tx, name)?,
                found => found,
            };
            let Some(credential) = found else {
                return Ok(None);
            };
            let mark = tx.credential_import(credential.id)?;
            Ok(Some(KnownCredential { credential, mark }))
        };
        self.0.iter().map(&mut look).collect()
    }
}
