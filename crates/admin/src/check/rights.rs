//! The effective rules of the principal that a check is about, with where each
//! comes from.

use std::sync::Arc;

use countersign_core::access::{Access, AccessSubject, Grants, PolicyLookup};
use countersign_core::client_id::{ClientId, ClientIdRule};
use countersign_core::credential::Credential;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::rights::Rights;
use countersign_core::role::{Role, RoleName};
use countersign_core::rule::{Rule, RuleOutcome, RuleSource, Variable, Variables as _};
use countersign_core::scheme::{Scheme, SchemeName};
use countersign_core::store::{AdminStore, GateStore, StoreError};
use countersign_core::tenant::Tenant;

use super::PolicyCheck;
use super::overrides::MOST_REMEMBERED;

/// The rules of one principal, compiled, and what their variables stand for.
#[derive(Clone, Debug)]
pub struct EffectiveRules {
    pub(super) rights: Rights,
    pub(super) tenant: Option<TenantId>,
    grants: Grants,
    /// Who brought each rule.
    sources: Vec<String>,
    variables: Vec<(String, Option<String>)>,
}

impl EffectiveRules {
    /// The right to nothing.
    pub(super) fn none() -> Self {
        Self {
            rights: Rights::none(),
            tenant: None,
            grants: Grants::default(),
            sources: Vec::new(),
            variables: Vec::new(),
        }
    }

    /// Those of a principal in a session with this client id.
    fn new(subject: AccessSubject<'_>, access: &Access<'_>, client_id: Option<&str>) -> Self {
        let values = access.variables(client_id);
        let mut variables = Vec::new();
        let rules = access.grants().iter();
        for variable in rules.flat_map(|(_, rule)| rule.pattern().variables()) {
            let name = variable.to_string();
            if variables.iter().all(|(known, _)| *known != name) {
                let value = match variable {
                    Variable::Group => values.groups().collect::<Vec<_>>().join(", "),
                    Variable::Attribute(_)
                    | Variable::ClientId
                    | Variable::Tenant
                    | Variable::Username => values.value(variable).unwrap_or_default().to_owned(),
                };
                variables.push((name, Some(value).filter(|value| !value.is_empty())));
            }
        }
        let sources = access.grants().iter();
        Self {
            rights: access.rights(client_id),
            tenant: access.tenant().cloned(),
            sources: sources.map(|(source, _)| named(source, subject)).collect(),
            grants: access.grants().clone(),
            variables,
        }
    }

    /// The rules, with what became of each.
    pub(super) fn considered<'a>(
        &'a self,
        outcomes: &'a [RuleOutcome],
    ) -> impl Iterator<Item = Considered<'a>> {
        let sourced = self.sources.iter().zip(self.grants.iter());
        sourced
            .zip(outcomes)
            .map(|((named, (source, rule)), outcome)| Considered {
                source: named,
                held_by: source.held_by(),
                rule,
                outcome: *outcome,
            })
    }

    /// The variables that occur in the rules, and what they stand for.
    pub fn variables(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref()))
    }
}

/// A rule and what became of it.
#[derive(Clone, Copy, Debug)]
pub struct Considered<'a> {
    /// Who brought it.
    pub source: &'a str,
    /// The group that holds the role that brought it, where the principal has the role
    /// by a group.
    pub held_by: Option<&'a str>,
    /// The rule.
    pub rule: &'a Rule,
    /// What became of it.
    pub outcome: RuleOutcome,
}

/// Names what a rule of a principal comes from.
fn named(source: &RuleSource, subject: AccessSubject<'_>) -> String {
    match (source, subject) {
        // That the namespaces may be used is a default rule of the scheme.
        (RuleSource::Tenant(_), AccessSubject::Credential { credential, .. }) => {
            format!("scheme:{}", credential.scheme)
        }
        (source, _) => source.to_string(),
    }
}

/// A session, as far as its rights depend on it: whose it is, in which tenant,
/// and as which client.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct SessionKey {
    /// None for a client without a login.
    name: Option<LoginName>,
    tenant: Option<TenantId>,
    client_id: Option<String>,
}

impl SessionKey {
    /// None for a token, of which there are many.
    fn new(subject: AccessSubject<'_>, client_id: Option<&str>) -> Option<Self> {
        let (credential, tenant) = match subject {
            AccessSubject::Anonymous { tenant } => (None, Some(tenant)),
            AccessSubject::Credential { credential, .. } => {
                (Some(credential), credential.tenant.as_ref())
            }
            AccessSubject::Token { .. } => return None,
            AccessSubject::User { credential, tenant } => (Some(credential), Some(tenant)),
        };
        Some(Self {
            name: credential.map(|it| it.name.clone()),
            tenant: tenant.cloned(),
            client_id: client_id.map(str::to_owned),
        })
    }
}

impl<S: AdminStore + GateStore> PolicyCheck<'_, S> {
    /// The rights of a principal while it is connected as `client_id`, or as the
    /// only id that it can be connected as.
    pub(super) fn effective(
        &mut self,
        subject: AccessSubject<'_>,
        client_id: Option<&ClientId>,
    ) -> Result<Arc<EffectiveRules>, StoreError> {
        let client_id = client_id.map(ClientId::as_str);
        let client_id = match subject {
            AccessSubject::Anonymous { .. } => None,
            AccessSubject::Credential { credential, .. } => client_id_of(credential, client_id),
            AccessSubject::Token { .. } | AccessSubject::User { .. } => client_id,
        };
        let session = SessionKey::new(subject, client_id);
        if let Some(session) = &session
            && let Some(effective) = self.effective.get(session)
        {
            return Ok(Arc::clone(effective));
        }
        let access = Access::resolve(subject, self)?;
        let effective = Arc::new(EffectiveRules::new(subject, &access, client_id));
        if let Some(session) = session {
            if self.effective.len() >= MOST_REMEMBERED {
                self.effective.clear();
            }
            self.effective.insert(session, Arc::clone(&effective));
        }
        Ok(effective)
    }
}

impl<S: AdminStore + GateStore> PolicyLookup for PolicyCheck<'_, S> {
    fn tenant(&mut self, id: &TenantId) -> Result<Option<Arc<Tenant>>, StoreError> {
        Ok(self.tenants.get(id).cloned())
    }

    fn role(&mut self, tenant: &TenantId, name: &RoleName) -> Result<Option<Role>, StoreError> {
        self.store.role_named(tenant, name)
    }

    fn roles_of_group(
        &mut self,
        tenant: &TenantId,
        group: &GroupPath,
    ) -> Result<Vec<RoleName>, StoreError> {
        GateStore::roles_of_group(self.store, tenant, group)
    }

    fn scheme(&mut self, name: &SchemeName) -> Result<Option<&Scheme>, StoreError> {
        Ok(self.schemes.find(name.as_str()))
    }
}

/// The client id of a session of this credential, if one is known.
fn client_id_of<'a>(credential: &'a Credential, client_id: Option<&'a str>) -> Option<&'a str> {
    match &credential.client_id_rule {
        ClientIdRule::SameAsSecret => None,
        ClientIdRule::SameAsUsername => Some(credential.name.as_str()),
        ClientIdRule::Exact(id) => Some(id.as_str()),
        ClientIdRule::Any | ClientIdRule::FirstUse | ClientIdRule::Prefix(_) => client_id,
    }
}
