//! Whether a credential's client-id rule can be kept beside the client-id
//! prefixes of tenants.

use countersign_core::client_id::{ClientId, ClientIdRule};
use countersign_core::credential::Credential;
use countersign_core::given::Given;
use countersign_core::name::TenantId;
use countersign_core::scheme::Scheme;
use countersign_core::store::all_rows;

use super::conflict;
use crate::caller::Permission;
use crate::command::Tx;
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::lookup::{self, Rows};
use crate::tenant::begin_the_same;

/// Makes all checks of a credential's client-id rule.
pub(crate) fn check_all(
    tx: &mut Tx<'_>,
    credential: &Credential,
    scheme: Option<&Scheme>,
    tenant: &TenantId,
) -> Result<(), AdminError> {
    check(tx, credential, scheme, tenant)?;
    check_bound(tx, credential)
}

/// Checks that some client id keeps the credential's rule and the prefixes of
/// all tenants.
pub(super) fn check(
    tx: &mut Tx<'_>,
    credential: &Credential,
    scheme: Option<&Scheme>,
    tenant: &TenantId,
) -> Result<(), AdminError> {
    let Some(wanted) = AdmittedClientIds::of(credential, scheme) else {
        return Ok(());
    };
    let client_id = Given::from(wanted.raw());
    if let Some(prefix) = &lookup::tenant(tx, tenant)?.client_id_prefix {
        // A prefix is exclusive, so no other tenant's is in the way.
        if wanted.can_begin_with(prefix) {
            return Ok(());
        }
        let message = format!(
            "client id `{client_id}` does not begin with `{prefix}`, as all of tenant `{tenant}` do"
        );
        return Err(conflict(&credential.name, message));
    }
    for other in all_rows(|page| tx.tenants(page))? {
        if let Some(prefix) = &other.client_id_prefix
            && wanted.must_begin_with(prefix)
        {
            let other = &other.id;
            let message = if tx.may(&Permission::See(other.clone())) {
                format!(
                    "client id `{client_id}` begins with `{prefix}`, which belongs to tenant \
                     `{other}`"
                )
            } else {
                format!("client id `{client_id}` begins with the prefix of another tenant")
            };
            return Err(conflict(&credential.name, message));
        }
    }
    Ok(())
}

/// Checks that no other credential is bound to the one client id that this
/// one is bound to.
pub(super) fn check_bound(rows: &mut Rows<'_>, credential: &Credential) -> Result<(), AdminError> {
    let Some(client_id) = credential.client_id_rule.only() else {
        return Ok(());
    };
    match rows.bound_to(&client_id.tie())? {
        Some(id) if id != credential.id => Err(AdminError::new(
            ErrorKind::InUse,
            Subject::new(Noun::ClientId, client_id),
            format!("another credential is bound to client id `{client_id}`"),
        )),
        Some(_) | None => Ok(()),
    }
}

/// What is known of the client ids that a rule admits.
enum AdmittedClientIds<'a> {
    Beginning(&'a ClientId),
    Whole(&'a str),
}

impl<'a> AdmittedClientIds<'a> {
    fn of(credential: &'a Credential, scheme: Option<&'a Scheme>) -> Option<Self> {
        match &credential.client_id_rule {
            ClientIdRule::Any | ClientIdRule::FirstUse => None,
            ClientIdRule::Exact(id) => Some(Self::Whole(id.as_str())),
            ClientIdRule::Prefix(prefix) => Some(Self::Beginning(prefix)),
            // What all secrets of the scheme begin with is all that is known.
            ClientIdRule::SameAsSecret => Some(Self::Whole(scheme?.secrets_begin())),
            ClientIdRule::SameAsUsername => Some(Self::Whole(credential.name.as_str())),
        }
    }

    fn can_begin_with(&self, prefix: &ClientId) -> bool {
        match self {
            Self::Beginning(wanted) => begin_the_same(wanted, prefix),
            Self::Whole(id) => id.starts_with(prefix.as_str()),
        }
    }

    fn must_begin_with(&self, prefix: &ClientId) -> bool {
        self.raw().starts_with(prefix.as_str())
    }

    fn raw(&self) -> &str {
        match self {
            Self::Beginning(wanted) => wanted.as_str(),
            Self::Whole(id) => id,
        }
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::client_id::{ClientId, ClientIdRule};

    use crate::credential::{CreateCredential, NewCredential};
    use crate::fixture::{Fixture, new_credential, new_tenant, tenant_id};
    use crate::tenant::{CreateTenant, NewTenant};

    fn fixture() -> Fixture {
        let mut fixture = Fixture::new();
        fixture.tenant("plain", &[]).unwrap();
        let new = NewTenant {
            client_id_prefix: ClientId::parse("ac-").ok(),
            ..new_tenant("acme", &[])
        };
        fixture.run(&CreateTenant(new)).unwrap();
        fixture
    }

    fn is_taken(fixture: &mut Fixture, tenant: &str, name: &str, rule: &str) -> bool {
        let new = NewCredential {
            tenant: tenant_id(tenant),
            client_id_rule: ClientIdRule::parse(rule).ok(),
            ..new_credential(name)
        };
        fixture.run(&CreateCredential(new)).is_ok()
    }

    #[test]
    fn a_rule_that_no_client_of_the_tenant_could_keep_is_refused() {
        let mut fixture = fixture();
        for (name, rule, taken) in [
            ("1", "any", true),
            ("2", "first-use", true),
            ("3", "exact:ac-1", true),
            ("4", "exact:x-1", false),
            ("5", "prefix:ac-1", true),
            ("6", "prefix:a", true),
            ("7", "prefix:x", false),
            ("ac-8", "same-as-username", true),
            ("9", "same-as-username", false),
        ] {
            assert_eq!(is_taken(&mut fixture, "acme", name, rule), taken, "{rule}");
        }
    }

    #[test]
    fn a_rule_that_asks_for_another_tenants_ids_is_refused() {
        let mut fixture = fixture();
        for (name, rule, taken) in [
            ("1", "any", true),
            ("2", "exact:ac-1", false),
            ("3", "exact:ac", true),
            ("4", "prefix:ac-1", false),
            ("5", "prefix:ac", true),
            ("ac-6", "same-as-username", false),
        ] {
            assert_eq!(is_taken(&mut fixture, "plain", name, rule), taken, "{rule}");
        }
    }
}
