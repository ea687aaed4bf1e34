//! Whether a credential's client-id rule can be kept beside the client-id
//! prefixes of tenants (design §7).

use countersign_core::client_id::{ClientId, ClientIdRule};
use countersign_core::credential::Credential;
use countersign_core::tenant::Tenant;

use super::CredentialError;
use crate::tenant::begin_the_same;

/// Checks that some client id keeps the credential's rule and the prefixes of
/// all tenants.
pub(super) fn check(
    credential: &Credential,
    tenant: &Tenant,
    tenants: &[Tenant],
) -> Result<(), CredentialError> {
    let Some(wanted) = Wanted::of(credential) else {
        return Ok(());
    };
    if let Some(prefix) = &tenant.client_id_prefix {
        // A prefix is exclusive, so no other tenant's is in the way.
        return if wanted.can_begin_with(prefix) {
            Ok(())
        } else {
            Err(CredentialError::ClientIdOutsidePrefix {
                client_id: wanted.text(),
                prefix: prefix.clone(),
                tenant: tenant.id.clone(),
            })
        };
    }
    for other in tenants {
        if let Some(prefix) = &other.client_id_prefix
            && wanted.must_begin_with(prefix)
        {
            return Err(CredentialError::ClientIdOfAnother {
                client_id: wanted.text(),
                prefix: prefix.clone(),
                owner: other.id.clone(),
            });
        }
    }
    Ok(())
}

/// What is known of the client ids that a rule admits.
enum Wanted<'a> {
    Beginning(&'a ClientId),
    Whole(&'a str),
}

impl<'a> Wanted<'a> {
    fn of(credential: &'a Credential) -> Option<Self> {
        match &credential.client_id_rule {
            ClientIdRule::Any | ClientIdRule::FirstUse => None,
            ClientIdRule::Exact(id) => Some(Self::Whole(id.as_str())),
            ClientIdRule::Prefix(prefix) => Some(Self::Beginning(prefix)),
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

    fn text(&self) -> Box<str> {
        self.raw().into()
    }

    fn raw(&self) -> &str {
        match self {
            Self::Beginning(wanted) => wanted.as_str(),
            Self::Whole(id) => id,
        }
    }
}
