//! Finding a credential by its number.

use countersign_core::credential::CredentialId;
use countersign_core::kind::Kind;
use countersign_core::name::TenantId;
use countersign_core::scheme::SchemeName;
use countersign_core::store::Intent;

use super::ShownCredential;
use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::lookup;

/// Shows the credential of a tenant and a scheme that has this number. Unlike a name,
/// no number is given a second time.
#[derive(Clone, Debug)]
pub struct FindCredential {
    /// Its tenant.
    pub tenant: TenantId,
    /// The scheme it was made by.
    pub scheme: SchemeName,
    /// Its number.
    pub id: CredentialId,
}

impl Command for FindCredential {
    type Output = ShownCredential;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::SeeSome(self.tenant.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownCredential, AdminError> {
        lookup::tenant(tx, &self.tenant)?;
        let number = self.id.0;
        let unknown = || {
            let message = format!("tenant `{}` has no credential number {number}", self.tenant);
            let subject = Subject::new(Noun::Credential, number);
            AdminError::new(ErrorKind::NotFound, subject, message)
        };
        let found = tx.credential_by_id(self.id)?.filter(|found| {
            let is_device = matches!(found.kind, Kind::Device);
            is_device && found.tenant.as_ref() == Some(&self.tenant) && found.scheme == self.scheme
        });
        let name = found.ok_or_else(unknown)?.name;
        if !tx.may(&Permission::SeeCredential(name.clone())) {
            return Err(unknown());
        }
        lookup::credential(tx, &name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, scheme_name, tenant_id};

    #[test]
    fn a_credential_is_found_by_its_number_in_its_tenant_and_scheme_alone() {
        let mut fixture = Fixture::with_credential();
        fixture.tenant("other", &[]).unwrap();
        let id = fixture.show("dev1@acme").id;
        let mut find = |tenant: &str, scheme: &str, id| {
            let found = fixture.run(&FindCredential {
                tenant: tenant_id(tenant),
                scheme: scheme_name(scheme),
                id,
            });
            found.map(|found| found.credential.name.to_string())
        };
        assert_eq!(find("acme", "basic", id).unwrap(), "dev1@acme");
        let elsewhere = CredentialId(id.0.saturating_add(1));
        for (tenant, scheme, id) in [
            ("other", "basic", id),
            ("acme", "generated", id),
            ("acme", "basic", elsewhere),
            ("acme", "basic", CredentialId(0)),
        ] {
            let error = find(tenant, scheme, id).unwrap_err();
            assert!(error.is(ErrorKind::NotFound, Noun::Credential));
        }
        let error = find("nosuch", "basic", id).unwrap_err();
        assert!(error.is(ErrorKind::NotFound, Noun::Tenant));
    }
}
