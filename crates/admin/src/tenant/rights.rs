//! All that the principals of a tenant may do, written out for programs that know
//! neither variables nor owners of topics.

use countersign_core::access::{AccessSubject, BoundRule};
use countersign_core::client_id::ClientIdRule;
use countersign_core::credential::Credential;
use countersign_core::kind::Kind;
use countersign_core::name::TenantId;
use countersign_core::role::Role;
use countersign_core::store::{CredentialQuery, Intent, all_rows};
use countersign_core::tenant::Tenant;
use countersign_core::topic::TopicFilter;

use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::difference::RightsContext;
use crate::error::AdminError;
use crate::lookup;

/// Reads what the principals of a tenant may do.
#[derive(Clone, Debug)]
pub struct ReadTenantRights(pub TenantId);

/// What the principals of a tenant may do.
#[derive(Clone, Debug)]
pub struct TenantRights {
    /// The tenant.
    pub tenant: Tenant,
    /// Its roles, by name.
    pub roles: Vec<Role>,
    /// Topics that are not this tenant's, which none of its rules reaches that is
    /// [confined](countersign_core::rule::RuleSource::reaches_unowned_topics) to what
    /// it owns: the namespaces of other tenants but `#`, and where it owns `#`, what
    /// their schemes reach.
    pub others: Vec<TopicFilter>,
    /// What its clients without a login may do.
    pub anonymous: Vec<BoundRule>,
    /// Its devices, by name.
    pub devices: Vec<DeviceRights>,
    /// What else logs in: the sort, in the plural, and the name.
    pub rest: Vec<(&'static str, String)>,
}

/// What a device may do.
#[derive(Clone, Debug)]
pub struct DeviceRights {
    /// Its record.
    pub credential: Credential,
    /// Whether its login name is its name, and no secret.
    pub logs_in_by_name: bool,
    /// Whether it logs in by TLS alone.
    pub is_tls_only: bool,
    /// Its rules.
    pub rules: Vec<BoundRule>,
}

impl Command for ReadTenantRights {
    type Output = TenantRights;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<TenantRights, AdminError> {
        let id = &self.0;
        let tenant = lookup::tenant(tx, id)?;
        let policy = RightsContext::read(tx, Some(tenant.clone()))?;
        let anonymous = policy.access(AccessSubject::Anonymous { tenant: id })?;
        let asked = CredentialQuery {
            tenant: Some(id.clone()),
            ..CredentialQuery::default()
        };
        let mut devices = Vec::new();
        let schemes = tx.schemes()?;
        for credential in all_rows(|page| tx.credentials(&asked, page))? {
            let client_id = match &credential.client_id_rule {
                ClientIdRule::Exact(id) => Some(id.to_string()),
                ClientIdRule::SameAsUsername => Some(credential.name.to_string()),
                ClientIdRule::Any
                | ClientIdRule::FirstUse
                | ClientIdRule::Prefix(_)
                | ClientIdRule::SameAsSecret => None,
            };
            let access = policy.access(AccessSubject::of_credential(&credential))?;
            let rules = access.bound_rules(client_id.as_deref());
            let scheme = schemes.find(credential.scheme.as_str());
            let username =
                scheme.and_then(|it| it.username(&credential.name, &credential.attributes));
            devices.push(DeviceRights {
                logs_in_by_name: username == Some(credential.name.as_str()),
                is_tls_only: scheme.is_some_and(|it| it.is_tls_only()),
                rules,
                credential,
            });
        }
        let mut others = all_rows(|page| tx.tenants(page))?;
        others.retain(|other| other.id != *id);
        Ok(TenantRights {
            roles: all_rows(|page| tx.roles(Some(id), page))?,
            others: others
                .iter()
                .flat_map(|other| other.namespaces.named().cloned())
                .chain(policy.taken_from_rest())
                .collect(),
            anonymous: anonymous.bound_rules(None),
            devices,
            rest: rest(tx, id)?,
            tenant,
        })
    }
}

/// Users, applications, things and tokens of a tenant.
fn rest(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<Vec<(&'static str, String)>, AdminError> {
    let mut rest = Vec::new();
    for user in all_rows(|page| tx.users(page))? {
        if let Kind::User(about) = &user.kind
            && about.grant_in(tenant).is_some()
        {
            rest.push(("users", user.name.to_string()));
        }
    }
    for application in all_rows(|page| tx.applications(Some(tenant), page))? {
        rest.push(("applications", application.name.to_string()));
    }
    for thing in all_rows(|page| tx.things(Some(tenant), None, page))? {
        rest.push(("things", thing.name.to_string()));
    }
    for token in all_rows(|page| tx.tokens(Some(tenant), page))? {
        rest.push(("jwts", token.id.to_string()));
    }
    Ok(rest)
}
