//! Writing a role anew: all of what is said of it, at once.

use countersign_core::name::TenantId;
use countersign_core::role::{Role, RoleName, RoleRule};
use countersign_core::rule::Rule;

use super::put;
use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::error::AdminError;
use crate::import::check_rules;
use crate::lookup::{self, ShownRole};
use crate::text::FreeText;

/// Writes anew what a role says; what is none stays, and so do rules that are bound to
/// groups. What it is then is the output.
#[derive(Clone, Debug)]
pub struct RewriteRole {
    /// Its tenant.
    pub tenant: TenantId,
    /// Its name.
    pub name: RoleName,
    /// Free text for people; an empty one takes it away.
    pub description: Option<FreeText>,
    /// Whether it grants no SUBSCRIBE with `+` or `#`.
    pub no_wildcards: Option<bool>,
    /// All its rules that are bound to no group.
    pub rules: Option<Vec<Rule>>,
}

impl Command for RewriteRole {
    type Output = ShownRole;

    fn needs(&self) -> Permission {
        Permission::Administer(self.tenant.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownRole, AdminError> {
        let before = lookup::role(tx, &self.tenant, &self.name)?;
        let tenant = lookup::tenant(tx, &self.tenant)?;
        let mut after = before.clone();
        if let Some(rules) = &self.rules {
            after.rules.retain(|rule| rule.group.is_some());
            let unbound = |rule: &Rule| RoleRule {
                rule: rule.clone(),
                group: None,
            };
            after.rules.extend(rules.iter().map(unbound));
            check_rules(after.rules.iter().map(|it| &it.rule), Some(&tenant))?;
        }
        after = Role {
            description: match &self.description {
                Some(text) => text.filled(),
                None => after.description,
            },
            no_wildcards: self.no_wildcards.unwrap_or(after.no_wildcards),
            ..after
        };
        if after == before {
            return lookup::shown_role(tx, after);
        }
        put(tx, "role.set", Some(&before), &after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, adding, role_name, rule, tenant_id};
    use crate::role::{ChangeRoleRules, CreateRole, NewRole, ShowRole};
    use countersign_core::name::GroupPath;

    #[test]
    fn a_role_is_written_anew_but_for_what_holds_for_groups() {
        let mut fixture = Fixture::with_credential();
        let (tenant, name) = (tenant_id("acme"), role_name("r"));
        let new = NewRole {
            tenant: tenant.clone(),
            name: name.clone(),
            description: FreeText::parse("old").ok(),
            no_wildcards: false,
        };
        fixture.run(&CreateRole(new)).unwrap();
        for (text, group) in [
            ("allow publish acme/a", None),
            ("allow publish acme/b", Some("DM")),
        ] {
            let change = ChangeRoleRules {
                tenant: tenant.clone(),
                name: name.clone(),
                change: adding(text),
                group: group.map(|group| GroupPath::parse(group).unwrap()),
            };
            fixture.run(&change).unwrap();
        }
        let rewrite = RewriteRole {
            tenant: tenant.clone(),
            name: name.clone(),
            description: FreeText::parse("").ok(),
            no_wildcards: Some(true),
            rules: Some(vec![rule("deny both acme/x"), rule("allow both acme/#")]),
        };
        fixture.run(&rewrite).unwrap();
        let role = fixture.run(&ShowRole { tenant, name }).unwrap().role;
        assert_eq!((role.description, role.no_wildcards), (None, true));
        let rules: Vec<_> = role
            .rules
            .iter()
            .map(|it| (it.rule.to_string(), it.group.is_some()))
            .collect();
        assert_eq!(
            rules,
            [
                ("allow publish acme/b".to_owned(), true),
                ("deny both acme/x".to_owned(), false),
                ("allow both acme/#".to_owned(), false)
            ]
        );
        // The broker's own topics are nothing for a tenant.
        let reserved = RewriteRole {
            rules: Some(vec![rule("allow publish $CONTROL/#")]),
            ..rewrite
        };
        assert!(fixture.run(&reserved).is_err());
    }
}
