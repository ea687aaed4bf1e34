//! All that the principals of a tenant may do, written out for programs that know
//! neither variables nor owners of topics.

use countersign_core::access::{AccessSubject, BoundRule};
use countersign_core::ban::{Ban, BanTarget};
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
    /// What else logs in, or lets devices log in: the sort, in the plural, and the
    /// name.
    pub rest: Vec<(&'static str, String)>,
    /// The bans that count for its clients: its own, and those of all.
    pub bans: Vec<Ban>,
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
    /// Whether certificates stand for it.
    pub has_certificates: bool,
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
                has_certificates: !tx.certificates_of(credential.id)?.is_empty(),
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
            bans: bans(tx, id)?,
            tenant,
        })
    }
}

/// The bans that count for clients of a tenant.
fn bans(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<Vec<Ban>, AdminError> {
    let mut bans = all_rows(|page| tx.bans(None, page))?;
    bans.retain(|ban| {
        let is_of_it = match &ban.target {
            BanTarget::ClientId(_, Some(of)) => of == tenant,
            BanTarget::ClientId(_, None) | BanTarget::Network(_) => true,
        };
        is_of_it && ban.is_in_force(tx.now)
    });
    Ok(bans)
}

/// Users, applications, things and tokens of a tenant, and whose certificates and
/// tokens its devices log in with.
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
    for authority in tx.authorities(Some(tenant))? {
        rest.push(("authorities", authority.fingerprint.to_string()));
    }
    for issuer in tx.issuers(Some(tenant))? {
        rest.push(("issuers", issuer.name.to_string()));
    }
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use countersign_core::client_id::ClientId;

    use super::*;
    use crate::ban::{AddBan, Banned};
    use crate::fixture::{Fixture, tenant_id};

    #[test]
    fn bans_of_others_and_bans_that_ended_do_not_count_for_a_tenant() {
        let mut fixture = Fixture::with_admin();
        fixture.tenant("other", &[]).unwrap();
        let soon = fixture.now.plus(Duration::from_secs(60));
        for (id, tenant, until) in [
            ("of-all", None, None),
            ("own", Some("acme"), None),
            ("of-other", Some("other"), None),
            ("ending", None, Some(soon)),
        ] {
            let banned = Banned::ClientId(ClientId::parse(id).unwrap(), tenant.map(tenant_id));
            let ban = AddBan {
                banned,
                until,
                reason: None,
                asker: None,
                force: false,
            };
            fixture.run(&ban).unwrap();
        }
        let counting = |fixture: &mut Fixture| -> Vec<String> {
            let rights = fixture.run(&ReadTenantRights(tenant_id("acme"))).unwrap();
            rights.bans.into_iter().map(|ban| ban.shown).collect()
        };
        assert_eq!(counting(&mut fixture), ["of-all", "own", "ending"]);
        fixture.now = soon;
        assert_eq!(counting(&mut fixture), ["of-all", "own"]);
    }
}
