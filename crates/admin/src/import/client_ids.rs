//! Whether credentials of an import can be bound to their client ids.

use countersign_core::client_id::ClientIdRule;
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::kind::Kind;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::scheme::SchemeName;
use countersign_core::store::Intent;

use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::credential::check_client_ids;
use crate::error::{AdminError, ErrorKind};
use crate::lookup;

/// A credential of an import, and which client ids it is to have.
#[derive(Clone, Debug)]
pub struct TriedClientId {
    /// Its number, where it is there already.
    pub id: Option<CredentialId>,
    /// Its name.
    pub name: LoginName,
    /// Its rule.
    pub rule: ClientIdRule,
}

/// Says of each credential of a tenant whether it can have its client ids, as if it
/// were the only one that asks. Writes nothing.
#[derive(Clone, Debug)]
pub struct TryClientIds<'a> {
    /// The tenant.
    pub tenant: &'a TenantId,
    /// The credentials.
    pub wanted: Vec<&'a TriedClientId>,
}

impl Command for TryClientIds<'_> {
    /// In the order of the credentials.
    type Output = Vec<Result<(), AdminError>>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Self::Output, AdminError> {
        let schemes = tx.schemes()?;
        let plain = lookup::scheme(&schemes, &SchemeName::plain())?;
        let mut tried = Vec::with_capacity(self.wanted.len());
        for wanted in &self.wanted {
            let (tenant, scheme) = (Some(self.tenant.clone()), SchemeName::plain());
            let name = wanted.name.clone();
            let mut credential = Credential::new(name, Kind::Device, tenant, scheme, tx.now);
            credential.client_id_rule = wanted.rule.clone();
            // Before it has a number of its own, no other is it.
            credential.id = wanted.id.unwrap_or(credential.id);
            match check_client_ids(tx, &credential, Some(plain), self.tenant) {
                Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
                answer => tried.push(answer),
            }
        }
        Ok(tried)
    }
}
