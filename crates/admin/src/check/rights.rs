//! The rights of whoever a question is about, with all that explains them.

use std::sync::Arc;

use countersign_core::client_id::{ClientId, ClientIdRule};
use countersign_core::credential::Credential;
use countersign_core::name::TenantId;
use countersign_core::rights::{Grants, Rights, Values};
use countersign_core::rule::{NoVariables, Outcome, Rule, RuleSource, Variables as _};
use countersign_core::store::{AdminStore, GateStore, StoreError};
use countersign_core::tenant::Tenant;

use super::Asker;
use super::look::MOST_REMEMBERED;

/// Somebody's rules, compiled, and what their variables stand for.
#[derive(Clone, Debug)]
pub struct Judged {
    pub(super) rights: Rights,
    pub(super) tenant: Option<TenantId>,
    grants: Grants,
    /// Who brought each rule.
    sources: Vec<String>,
    variables: Vec<(String, Option<String>)>,
}

impl Judged {
    /// The right to nothing.
    pub(super) fn nobody() -> Self {
        Self {
            rights: Rights::none(),
            tenant: None,
            grants: Grants::default(),
            sources: Vec::new(),
            variables: Vec::new(),
        }
    }

    /// Those of a client that proved nothing.
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
        outcomes: &'a [Outcome],
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
    pub outcome: Outcome,
}

impl<S: AdminStore + GateStore> Asker<'_, S> {
    /// The rights of a credential while it is connected as `client_id`, or as
    /// the only id that it can be connected as.
    pub(super) fn judged(
        &mut self,
        credential: &Credential,
        client_id: Option<&ClientId>,
    ) -> Result<Arc<Judged>, StoreError> {
        let client_id = match &credential.client_id_rule {
            ClientIdRule::SameAsSecret => None,
            ClientIdRule::SameAsUsername => Some(credential.name.as_str()),
            ClientIdRule::Exact(id) => Some(id.as_str()),
            ClientIdRule::Any | ClientIdRule::FirstUse | ClientIdRule::Prefix(_) => {
                client_id.map(ClientId::as_str)
            }
        };
        let key = (credential.id, client_id.map(str::to_owned));
        if let Some(judged) = self.judged.get(&key) {
            return Ok(Arc::clone(judged));
        }
        let judged = Arc::new(self.judge_anew(credential, client_id)?);
        if self.judged.len() >= MOST_REMEMBERED {
            self.judged.clear();
        }
        self.judged.insert(key, Arc::clone(&judged));
        Ok(judged)
    }

    fn judge_anew(
        &mut self,
        credential: &Credential,
        client_id: Option<&str>,
    ) -> Result<Judged, StoreError> {
        let tenant = credential
            .tenant
            .as_ref()
            .and_then(|id| self.tenants.get(id));
        if tenant.is_none() && credential.tenant.is_some() {
            return Ok(Judged::nobody());
        }
        let roles = self.store.roles_of(credential)?;
        let scheme = self.schemes.find(credential.scheme.as_str());
        let tenant = tenant.map(|tenant| &**tenant);
        let grants = Grants::of_credential(credential, tenant, scheme, &roles);
        let values = Values {
            credential,
            client_id,
            scheme,
        };
        let mut variables = Vec::new();
        for variable in grants
            .iter()
            .flat_map(|(_, rule)| rule.pattern().variables())
        {
            let name = variable.to_string();
            if variables.iter().all(|(known, _)| *known != name) {
                variables.push((name, values.value(variable).map(str::to_owned)));
            }
        }
        let sources = grants.iter().map(|(source, _)| match source {
            // That the namespaces may be used is a default rule of the scheme.
            RuleSource::Tenant(_) => format!("scheme:{}", credential.scheme),
            RuleSource::Credential
            | RuleSource::Group(_)
            | RuleSource::Operator
            | RuleSource::Role(_)
            | RuleSource::Scheme(_) => source.to_string(),
        });
        Ok(Judged {
            rights: Rights::new(&grants, &values, tenant),
            tenant: credential.tenant.clone(),
            sources: sources.collect(),
            grants,
            variables,
        })
    }
}
