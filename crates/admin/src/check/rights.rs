//! The effective rules of the principal that a check is about, with where each
//! comes from.

use std::sync::Arc;

use countersign_core::client_id::{ClientId, ClientIdRule};
use countersign_core::credential::Credential;
use countersign_core::kind::Kind;
use countersign_core::name::TenantId;
use countersign_core::rights::{Grants, PrincipalVariables, Rights};
use countersign_core::role::Role;
use countersign_core::rule::{NoVariables, Rule, RuleOutcome, RuleSource, Variables};
use countersign_core::store::{AdminStore, AdminTransaction as _, GateStore, Intent, StoreError};
use countersign_core::tenant::Tenant;
use countersign_core::token::TokenRecord;

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

    /// Those of a principal that has these rights by these grants; `name_of`
    /// names who brought a rule.
    fn new(
        rights: Rights,
        tenant: Option<&TenantId>,
        grants: Grants,
        values: &impl Variables,
        name_of: impl Fn(&RuleSource) -> String,
    ) -> Self {
        let mut variables = Vec::new();
        for variable in grants
            .iter()
            .flat_map(|(_, rule)| rule.pattern().variables())
        {
            let name = variable.to_string();
            if variables.iter().all(|(known, _)| *known != name) {
                let value = values.value(variable).filter(|value| !value.is_empty());
                variables.push((name, value.map(str::to_owned)));
            }
        }
        Self {
            rights,
            tenant: tenant.cloned(),
            sources: grants.iter().map(|(source, _)| name_of(source)).collect(),
            grants,
            variables,
        }
    }

    /// Those of an unauthenticated client.
    pub(super) fn of_tenant(tenant: &Tenant) -> Self {
        let grants = Grants::of_tenant(tenant);
        Self {
            rights: Rights::new(&grants, &NoVariables, Some(tenant)),
            tenant: Some(tenant.id.clone()),
            sources: grants
                .iter()
                .map(|(source, _)| source.to_string())
                .collect(),
            grants,
            variables: Vec::new(),
        }
    }

    /// The rules, with what became of each.
    pub(super) fn considered<'a>(
        &'a self,
        outcomes: &'a [RuleOutcome],
    ) -> impl Iterator<Item = Considered<'a>> {
        let rules = self.grants.iter().map(|(_, rule)| rule);
        let sourced = self.sources.iter().zip(rules);
        sourced
            .zip(outcomes)
            .map(|((source, rule), outcome)| Considered {
                source,
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
    /// The rule.
    pub rule: &'a Rule,
    /// What became of it.
    pub outcome: RuleOutcome,
}

/// A session, as far as its rights depend on it: whose it is, in which tenant,
/// and as which client.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct SessionKey {
    name: String,
    tenant: Option<TenantId>,
    client_id: Option<String>,
}

impl<S: AdminStore + GateStore> PolicyCheck<'_, S> {
    /// The rights of a credential while it is connected as `client_id`, or as
    /// the only id that it can be connected as.
    pub(super) fn effective(
        &mut self,
        credential: &Credential,
        client_id: Option<&ClientId>,
    ) -> Result<Arc<EffectiveRules>, StoreError> {
        let client_id = match &credential.client_id_rule {
            ClientIdRule::SameAsSecret => None,
            ClientIdRule::SameAsUsername => Some(credential.name.as_str()),
            ClientIdRule::Exact(id) => Some(id.as_str()),
            ClientIdRule::Any | ClientIdRule::FirstUse | ClientIdRule::Prefix(_) => {
                client_id.map(ClientId::as_str)
            }
        };
        let session = SessionKey {
            name: credential.name.to_string(),
            tenant: credential.tenant.clone(),
            client_id: client_id.map(str::to_owned),
        };
        if let Some(effective) = self.effective.get(&session) {
            return Ok(Arc::clone(effective));
        }
        let effective = self.compile_credential(credential, client_id)?;
        Ok(self.remember(session, effective))
    }

    /// The rights of a user in a tenant.
    pub(super) fn rules_of_user(
        &mut self,
        credential: &Credential,
        tenant: &TenantId,
        client_id: Option<&ClientId>,
    ) -> Result<Arc<EffectiveRules>, StoreError> {
        let session = SessionKey {
            name: credential.name.to_string(),
            tenant: Some(tenant.clone()),
            client_id: client_id.map(ToString::to_string),
        };
        if let Some(effective) = self.effective.get(&session) {
            return Ok(Arc::clone(effective));
        }
        let effective = self.compile_user(credential, tenant, client_id)?;
        Ok(self.remember(session, effective))
    }

    /// The rights of the holder of a token.
    pub(super) fn rules_of_token(
        &mut self,
        credential: &Credential,
        token: &TokenRecord,
        client_id: Option<&ClientId>,
    ) -> Result<Arc<EffectiveRules>, StoreError> {
        let Some(tenant) = self.tenants.get(&token.tenant).cloned() else {
            return Ok(Arc::new(EffectiveRules::none()));
        };
        let mut roles = self.roles_of_tenant(&token.tenant)?;
        roles.retain(|role| role.name == token.role);
        let client_id = text_of(client_id);
        let grants = Grants::of_token(&roles);
        let values = PrincipalVariables::of_token(credential, client_id);
        let rights = Rights::of_token(credential, token, client_id, &tenant, &roles);
        Ok(Arc::new(EffectiveRules::new(
            rights,
            Some(&tenant.id),
            grants,
            &values,
            |source| source.to_string(),
        )))
    }

    fn remember(&mut self, session: SessionKey, effective: EffectiveRules) -> Arc<EffectiveRules> {
        let effective = Arc::new(effective);
        if self.effective.len() >= MOST_REMEMBERED {
            self.effective.clear();
        }
        self.effective.insert(session, Arc::clone(&effective));
        effective
    }

    fn compile_credential(
        &mut self,
        credential: &Credential,
        client_id: Option<&str>,
    ) -> Result<EffectiveRules, StoreError> {
        let tenant = credential
            .tenant
            .as_ref()
            .and_then(|id| self.tenants.get(id))
            .cloned();
        if tenant.is_none() && !credential.is_operator() {
            return Ok(EffectiveRules::none());
        }
        let roles = match (&credential.kind, &tenant) {
            // One that a broker would make now is in no store yet.
            (Kind::Thing(_), Some(tenant)) => {
                let mut roles = self.roles_of_tenant(&tenant.id)?;
                roles.retain(|role| credential.roles.contains(&role.name));
                roles
            }
            (_, _) => self.store.roles_of(credential)?,
        };
        let scheme = self.schemes.find(credential.scheme.as_str());
        let tenant = tenant.as_deref();
        let grants = Grants::of_credential(credential, tenant, scheme, &roles);
        let values = PrincipalVariables::of_credential(credential, client_id, scheme);
        let rights = Rights::of_credential(credential, client_id, tenant, scheme, &roles, &[]);
        let name_of = |source: &RuleSource| match source {
            // That the namespaces may be used is a default rule of the scheme.
            RuleSource::Tenant(_) => format!("scheme:{}", credential.scheme),
            RuleSource::Credential
            | RuleSource::Group(_)
            | RuleSource::Operator
            | RuleSource::Role(_)
            | RuleSource::Scheme(_) => source.to_string(),
        };
        let tenant = credential.tenant.as_ref();
        Ok(EffectiveRules::new(
            rights, tenant, grants, &values, name_of,
        ))
    }

    fn compile_user(
        &mut self,
        credential: &Credential,
        tenant: &TenantId,
        client_id: Option<&ClientId>,
    ) -> Result<EffectiveRules, StoreError> {
        let grant = match &credential.kind {
            Kind::User(user) => user.grant_in(tenant),
            Kind::Application(_) | Kind::Bearer | Kind::Device | Kind::Thing(_) => None,
        };
        let (Some(grant), Some(tenant)) = (grant, self.tenants.get(tenant).cloned()) else {
            return Ok(EffectiveRules::none());
        };
        let roles = self.roles_of_tenant(&tenant.id)?;
        let client_id = text_of(client_id);
        let grants = Grants::of_user(grant, &tenant, &roles);
        let values = PrincipalVariables::of_user(credential, grant, client_id);
        let rights = Rights::of_user(credential, client_id, &tenant, &roles);
        Ok(EffectiveRules::new(
            rights,
            Some(&tenant.id),
            grants,
            &values,
            |source| source.to_string(),
        ))
    }

    fn roles_of_tenant(&mut self, tenant: &TenantId) -> Result<Vec<Role>, StoreError> {
        self.store.begin(Intent::Read)?.roles(Some(tenant))
    }
}

/// A client id as variables have it; one that is not said stands for nothing.
fn text_of(client_id: Option<&ClientId>) -> &str {
    client_id.map_or("", ClientId::as_str)
}
