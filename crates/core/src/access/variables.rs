//! What the variables of a principal's rules stand for.

use crate::credential::Credential;
use crate::name::{GroupPath, TenantId};
use crate::rule::{Variable, Variables};
use crate::scheme::Scheme;
use crate::user::Grant;

/// What the variables of a principal's rules stand for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PrincipalVariables<'a> {
    /// Whose attributes count.
    credential: Option<&'a Credential>,
    username: Option<&'a str>,
    client_id: Option<&'a str>,
    tenant: Option<&'a TenantId>,
    groups: &'a [GroupPath],
}

impl<'a> PrincipalVariables<'a> {
    /// Those of a credential. Its scheme says what its user name is.
    pub(super) fn of_credential(credential: &'a Credential, scheme: Option<&Scheme>) -> Self {
        Self {
            username: match scheme {
                Some(scheme) => scheme.username(&credential.name, &credential.attributes),
                None => Some(credential.name.as_str()),
            },
            tenant: credential.tenant.as_ref(),
            groups: &credential.groups,
            ..Self::with_attributes_of(credential)
        }
    }

    /// Those of a user in the tenant of a grant.
    pub(super) fn of_user(credential: &'a Credential, grant: &'a Grant) -> Self {
        Self {
            username: Some(credential.name.as_str()),
            tenant: Some(&grant.tenant),
            groups: grant.groups(),
            ..Self::with_attributes_of(credential)
        }
    }

    /// Those of the holder of a token: the user name is `jwt:WHOAMI`.
    pub(super) fn of_token(credential: &'a Credential) -> Self {
        let name = credential.name.as_str();
        Self {
            username: name.rsplit_once('@').map(|(whoami, _)| whoami),
            tenant: credential.tenant.as_ref(),
            ..Self::with_attributes_of(credential)
        }
    }

    fn with_attributes_of(credential: &'a Credential) -> Self {
        Self {
            credential: Some(credential),
            ..Self::default()
        }
    }

    /// The same in a session with this client id, which stands for nothing where
    /// it is a secret.
    pub(super) fn connected_as<'s>(&self, client_id: Option<&'s str>) -> PrincipalVariables<'s>
    where
        'a: 's,
    {
        let is_secret = self.credential.is_some_and(Credential::hides_client_ids);
        PrincipalVariables {
            client_id: client_id.filter(|_| !is_secret),
            ..*self
        }
    }
}

impl Variables for PrincipalVariables<'_> {
    fn value(&self, variable: Variable<'_>) -> Option<&str> {
        match variable {
            Variable::Attribute(key) => self.credential?.attributes.get(key).map(String::as_str),
            Variable::ClientId => self.client_id,
            Variable::Group => self.groups().next(),
            Variable::Tenant => self.tenant.map(TenantId::as_str),
            Variable::Username => self.username,
        }
    }

    fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().map(GroupPath::as_str)
    }
}
