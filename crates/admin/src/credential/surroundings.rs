//! What credentials are judged against that are made in one transaction, looked up
//! once.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use countersign_core::name::TenantId;
use countersign_core::role::RoleName;
use countersign_core::scheme::{Scheme, SchemeName, Schemes};
use countersign_core::tenant::Tenant;

use crate::command::Tx;
use crate::error::AdminError;
use crate::lookup;
use crate::scheme_overlap::{self, SchemeUse};

/// What was looked up so far. It holds for one transaction, in which nothing else
/// changes it.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(super) schemes: Schemes,
    tenants: BTreeMap<TenantId, Tenant>,
    roles: BTreeSet<(TenantId, RoleName)>,
    used: BTreeSet<(TenantId, SchemeName)>,
}

impl Surroundings {
    /// Begins with the schemes.
    pub(crate) fn of(tx: &mut Tx<'_>) -> Result<Self, AdminError> {
        Ok(Self {
            schemes: tx.schemes()?,
            tenants: BTreeMap::new(),
            roles: BTreeSet::new(),
            used: BTreeSet::new(),
        })
    }

    /// Begins with the schemes, for credentials whose names may all have a password.
    pub(crate) fn of_import(tx: &mut Tx<'_>) -> Result<Self, AdminError> {
        let mut surroundings = Self::of(tx)?;
        let names = surroundings.schemes.iter();
        let names: Vec<_> = names.map(|scheme| scheme.name().clone()).collect();
        for name in names {
            surroundings.schemes.expect_passwords(name);
        }
        Ok(surroundings)
    }

    /// The tenant with this id.
    pub(super) fn tenant(&mut self, tx: &mut Tx<'_>, id: &TenantId) -> Result<&Tenant, AdminError> {
        match self.tenants.entry(id.clone()) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(place) => Ok(place.insert(lookup::tenant(tx, id)?)),
        }
    }

    /// Checks that a tenant has a role.
    pub(super) fn check_role(
        &mut self,
        tx: &mut Tx<'_>,
        id: &TenantId,
        name: &RoleName,
    ) -> Result<(), AdminError> {
        let key = (id.clone(), name.clone());
        if !self.roles.contains(&key) {
            lookup::role(tx, id, name)?;
            self.roles.insert(key);
        }
        Ok(())
    }

    /// Checks that a tenant may use a scheme. What it takes by its first use is told
    /// for the first credential, which begins it.
    pub(super) fn check_use(
        &mut self,
        tx: &mut Tx<'_>,
        scheme: &Scheme,
        id: &TenantId,
    ) -> Result<SchemeUse, AdminError> {
        let key = (id.clone(), scheme.name().clone());
        if self.used.contains(&key) {
            return Ok(SchemeUse::Known);
        }
        let scheme_use = scheme_overlap::check_use(tx, scheme, id)?;
        self.used.insert(key);
        Ok(scheme_use)
    }
}
