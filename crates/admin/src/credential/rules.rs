//! Rules of single credentials, besides those of their scheme and roles.

use countersign_core::access::AccessSubject;
use countersign_core::credential::Credential;
use countersign_core::name::LoginName;
use countersign_core::role::RoleRule;
use countersign_core::rule::{Effect, Rule};
use countersign_core::store::{Intent, StoreError};
use countersign_core::tenant::Tenant;

use super::{ShownCredential, change_one};
use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::difference::{PossibleClientIds, RightsContext};
use crate::error::AdminError;
use crate::lookup::{self, Rows};
use crate::rule::{RuleChange, RuleImpact, RuleWarning};

/// Changes the rules of a credential, an operator's among them; what it is then
/// is the output.
///
/// A credential of a tenant is never given the broker's own topics.
#[derive(Clone, Debug)]
pub struct ChangeCredentialRules {
    /// Its name.
    pub name: LoginName,
    /// What to change.
    pub change: RuleChange,
}

impl Command for ChangeCredentialRules {
    type Output = ShownCredential;

    fn needs(&self) -> Permission {
        Permission::Change(self.name.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownCredential, AdminError> {
        let act = match &self.change {
            RuleChange::Add(rule) => match rule.effect() {
                Effect::Allow => "credential.allow",
                Effect::Deny => "credential.deny",
            },
            RuleChange::Remove { .. } => "credential.remove",
        };
        let (described, ()) = change_one(tx, &self.name, act, |tx, described| {
            let credential = &mut described.credential;
            let tenant = tenant_of(tx, credential)?;
            credential.rules = changed(credential, tenant.as_ref(), &self.change)?;
            Ok(())
        })?;
        Ok(described)
    }
}

/// Says what a new rule of a credential would not do. Refuses what
/// [`ChangeCredentialRules`] would refuse.
#[derive(Clone, Debug)]
pub struct CredentialRuleWarnings(pub ChangeCredentialRules);

impl Command for CredentialRuleWarnings {
    type Output = Vec<RuleWarning>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        self.0.needs()
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Vec<RuleWarning>, AdminError> {
        let ChangeCredentialRules { name, change } = &self.0;
        let RuleChange::Add(rule) = change else {
            return Ok(Vec::new());
        };
        let before = lookup::credential(tx, name)?.credential;
        let tenant = tenant_of(tx, &before)?;
        let after = Credential {
            rules: changed(&before, tenant.as_ref(), change)?,
            ..before.clone()
        };
        let alone = Credential {
            rules: vec![rule.clone()],
            ..before.clone()
        };
        let policy = RightsContext::read(tx, tenant)?;
        let [was, is] = [&before, &after].map(|it| policy.access(AccessSubject::of_credential(it)));
        let (was, is) = (was?, is?);
        let ids = PossibleClientIds::of(&after, &[&is]);
        let difference = policy.compare(&was, &is, &[], &ids);
        let alone = policy
            .of_roles_alone(&[])
            .access(AccessSubject::of_credential(&alone))?
            .rights(ids.first());
        let mut impact = RuleImpact {
            is_of_others: policy.is_of_others(rule),
            ..RuleImpact::default()
        };
        impact.add(&policy, &before, &difference, &alone);
        Ok(RuleWarning::of(rule, policy.tenant(), impact))
    }
}

/// The tenant of a credential; an operator has none.
fn tenant_of(rows: &mut Rows<'_>, credential: &Credential) -> Result<Option<Tenant>, StoreError> {
    match &credential.tenant {
        Some(id) => rows.tenant(id),
        None => Ok(None),
    }
}

/// The rules that a credential would have.
fn changed(
    credential: &Credential,
    tenant: Option<&Tenant>,
    change: &RuleChange,
) -> Result<Vec<Rule>, AdminError> {
    if credential.tenant.is_some() {
        change.check_for(tenant)?;
    }
    let unbound = |rule| RoleRule { rule, group: None };
    let mut rules: Vec<_> = credential.rules.iter().cloned().map(unbound).collect();
    change.apply(&mut rules, None)?;
    Ok(rules.into_iter().map(|bound| bound.rule).collect())
}

#[cfg(test)]
mod tests {
    use countersign_core::change::Change;
    use countersign_core::store::GateStore as _;

    use super::*;
    use crate::fixture::{Fixture, adding, login_name, removing};

    fn rules(fixture: &mut Fixture, change: &RuleChange) -> Result<String, AdminError> {
        let name = login_name("dev1@acme");
        let changed = fixture.run(&ChangeCredentialRules {
            name,
            change: change.clone(),
        })?;
        let rules = changed.credential.rules.iter().map(ToString::to_string);
        Ok(rules.collect::<Vec<_>>().join(", "))
    }

    #[test]
    fn rules_are_added_replaced_and_taken_away() {
        let mut fixture = Fixture::with_credential();
        for (change, expected) in [
            (
                adding("allow publish a max_qos 1"),
                "allow publish a max_qos 1",
            ),
            (
                adding("allow publish a no_retain"),
                "allow publish a no_retain",
            ),
            (
                adding("deny publish a"),
                "allow publish a no_retain, deny publish a",
            ),
            (
                adding("allow subscribe a"),
                "allow publish a no_retain, deny publish a, allow subscribe a",
            ),
            (removing("publish a"), "allow subscribe a"),
            (removing("subscribe a"), ""),
        ] {
            assert_eq!(rules(&mut fixture, &change).unwrap(), expected);
        }
        let acts = fixture.acts();
        assert_eq!(acts.last().unwrap(), "credential.remove dev1@acme");
        assert!(acts.contains(&"credential.deny dev1@acme".into()));
    }

    #[test]
    fn what_makes_no_difference_is_refused() {
        let mut fixture = Fixture::with_credential();
        let rule = adding("allow both a");
        rules(&mut fixture, &rule).unwrap();
        assert_eq!(
            rules(&mut fixture, &rule).unwrap_err().to_string(),
            "there is a rule `allow both a` already"
        );
        for none in ["publish a", "both a/#"] {
            let error = rules(&mut fixture, &removing(none))
                .unwrap_err()
                .to_string();
            assert_eq!(error, format!("there is no rule for `{none}` to remove"));
        }
    }

    #[test]
    fn a_tenants_credential_is_never_given_the_brokers_topics() {
        let mut fixture = Fixture::with_credential();
        for pattern in ["$SYS/#", "$CONTROL/dynamic-security/v1", "$other"] {
            let change = adding(&format!("allow subscribe {pattern}"));
            let error = rules(&mut fixture, &change).unwrap_err().to_string();
            assert!(error.contains("are for operators"), "{error}");
        }
    }

    #[test]
    fn the_gates_are_told_which_credential_changed() {
        let mut fixture = Fixture::with_credential();
        let id = fixture.show("dev1@acme").id;
        let before = fixture.store.last_change().unwrap();
        rules(&mut fixture, &adding("allow both a")).unwrap();
        assert_eq!(fixture.changes_after(before), [Change::Credential(id)]);
    }
}
