//! Changes of what an earlier import made, after its source.

use countersign_core::imported::ImportMark;
use countersign_core::lifecycle::Act;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::role::{Role, RoleName, RoleRule};
use countersign_core::rule::Rule;

use super::{ImportedPassword, check_rules};
use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::credential::{
    CredentialChanges, Overlap, ReactivateCredential, SetCredential, SuspendCredential, change_one,
    transition,
};
use crate::error::AdminError;
use crate::lookup;
use crate::password::ChosenPassword;
use crate::role::{AssignRole, Assignment, UnassignRole};
use crate::scheme::expect_password;
use crate::{role, secret};

/// Changes a credential that an import made.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct UpdateImportedCredential {
    /// Its name.
    pub name: LoginName,
    /// Its password from now on; its sessions end.
    pub password: Option<ImportedPassword>,
    /// Its rules from now on.
    pub rules: Option<Vec<Rule>>,
    /// What else is to become of it.
    pub changes: Option<CredentialChanges>,
    /// Whether it is stopped, or no longer.
    pub suspended: Option<bool>,
    /// What is remembered of its source. The secret is told by the store.
    pub mark: ImportMark,
}

impl Command for UpdateImportedCredential {
    type Output = ();

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn passwords(&self) -> Vec<&ChosenPassword> {
        let password = self.password.as_ref();
        let plain = password.and_then(ImportedPassword::plain);
        plain.into_iter().collect()
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<(), AdminError> {
        let name = &self.name;
        if let Some(rules) = &self.rules {
            change_one(tx, name, "credential.set", |tx, described| {
                let credential = &mut described.credential;
                let tenant = match &credential.tenant {
                    Some(id) => Some(lookup::tenant(tx, id)?),
                    None => None,
                };
                check_rules(rules.iter(), tenant.as_ref())?;
                credential.rules.clone_from(rules);
                Ok(())
            })?;
        }
        if let Some(changes) = self.changes.clone() {
            let name = name.clone();
            tx.run(&SetCredential { name, changes })?;
        }
        match self.suspended {
            Some(true) => drop(tx.run(&SuspendCredential(name.clone()))?),
            Some(false) => drop(tx.run(&ReactivateCredential(name.clone()))?),
            None => {}
        }
        let id = lookup::credential(tx, name)?.credential.id;
        let before = tx.credential_import(id)?;
        let mut mark = ImportMark {
            secret: before.and_then(|before| before.secret),
            ..self.mark.clone()
        };
        if let Some(password) = &self.password {
            let act = "credential.reset-password";
            let (_, secret) = change_one(tx, name, act, |tx, described| {
                let credential = &mut described.credential;
                credential.state = transition(credential, Act::ResetPassword)?;
                let mut schemes = tx.schemes()?;
                expect_password(tx, &mut schemes, name)?;
                let scheme = lookup::scheme(&schemes, &credential.scheme)?;
                scheme.check_hashed(name, &schemes)?;
                let verifier = password.verifier(tx)?;
                let now = tx.now;
                secret::retire(tx, credential, Overlap::None, now)?;
                Ok(tx.add_secret(credential.id, &verifier)?)
            })?;
            mark.secret = Some(secret);
        }
        tx.has_noted();
        Ok(tx.put_credential_import(id, &mark)?)
    }
}

/// Changes a role that an import made.
#[derive(Clone, Debug)]
pub struct UpdateImportedRole {
    /// Its tenant.
    pub tenant: TenantId,
    /// Its name.
    pub name: RoleName,
    /// Its rules from now on.
    pub rules: Vec<RoleRule>,
    /// Whether it grants no SUBSCRIBE with `+` or `#` from now on.
    pub no_wildcards: bool,
    /// Groups that hold it from now on.
    pub assign: Vec<GroupPath>,
    /// Groups that no longer hold it.
    pub unassign: Vec<GroupPath>,
    /// What is remembered of its source.
    pub mark: ImportMark,
}

impl Command for UpdateImportedRole {
    type Output = ();

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<(), AdminError> {
        let before = lookup::role(tx, &self.tenant, &self.name)?;
        let tenant = lookup::tenant(tx, &self.tenant)?;
        check_rules(self.rules.iter().map(|bound| &bound.rule), Some(&tenant))?;
        let after = Role {
            no_wildcards: self.no_wildcards,
            rules: self.rules.clone(),
            ..before.clone()
        };
        if after != before {
            role::put(tx, "role.set", Some(&before), &after)?;
        }
        let of_group = |group: &GroupPath| Assignment {
            tenant: self.tenant.clone(),
            role: self.name.clone(),
            group: group.clone(),
        };
        for group in &self.assign {
            tx.run(&AssignRole(of_group(group)))?;
        }
        for group in &self.unassign {
            tx.run(&UnassignRole(of_group(group)))?;
        }
        tx.has_noted();
        Ok(tx.put_role_import(&self.tenant, &self.name, &self.mark)?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use countersign_core::client_id::ClientIdRule;
    use countersign_core::credential::MOST_GROUPS;

    use super::*;
    use crate::credential::{CreateCredential, NewCredential};
    use crate::error::{ErrorKind, Noun};
    use crate::fixture::{Fixture, import_row, login_name, new_credential, scheme_name, tenant_id};
    use crate::import::{ImportCredentials, ImportTable, ImportedCredential};

    fn mark() -> ImportMark {
        ImportMark {
            source: "test".into(),
            parts: BTreeSet::new(),
            secret: None,
        }
    }

    /// A credential without a password.
    fn plain(name: &str) -> ImportedCredential {
        ImportedCredential {
            name: login_name(name),
            is_operator: false,
            password: None,
            client_id_rule: ClientIdRule::Any,
            description: None,
            groups: Vec::new(),
            roles: Vec::new(),
            rules: Vec::new(),
            attributes: BTreeMap::new(),
            is_suspended: false,
            mark: mark(),
        }
    }

    fn import(fixture: &mut Fixture, credential: ImportedCredential) -> Result<(), AdminError> {
        let import = ImportCredentials {
            tenant: tenant_id("acme"),
            credentials: vec![credential],
        };
        fixture.run(&import).map(drop)
    }

    #[test]
    fn an_import_puts_a_credential_in_so_many_groups_and_no_more_each_once() {
        let mut fixture = Fixture::with_credential();
        let in_groups = |name, count: usize| {
            let groups = (0..count).chain([0]).map(|number| format!("G{number}"));
            let groups = groups.map(|path| GroupPath::parse(&path).unwrap());
            ImportedCredential {
                groups: groups.collect(),
                ..plain(name)
            }
        };
        let error = import(&mut fixture, in_groups("a", MOST_GROUPS + 1)).unwrap_err();
        assert!(error.is(ErrorKind::Invalid, Noun::Group), "{error}");
        import(&mut fixture, in_groups("a", MOST_GROUPS)).unwrap();
        assert_eq!(fixture.show("a").groups.len(), MOST_GROUPS);
    }

    #[test]
    fn an_update_gives_a_password_where_one_can_be_chosen() {
        let mut fixture = Fixture::with_credential();
        // Of the shape of a name that another scheme makes.
        import(&mut fixture, plain("VW-ABC123")).unwrap();
        let made = import_row(CreateCredential(NewCredential {
            scheme: scheme_name("vwire-token"),
            ..new_credential("greenhouse")
        }));
        let made = fixture.run(&ImportTable(vec![made])).unwrap().remove(0);
        let made = made.described.credential.name;
        let mut update = |name| {
            let before = fixture.acts();
            let password = ChosenPassword::parse(b"hunter2".to_vec()).unwrap();
            let update = UpdateImportedCredential {
                name,
                password: Some(ImportedPassword::Plain(password)),
                rules: None,
                changes: None,
                suspended: None,
                mark: mark(),
            };
            let updated = fixture.run(&update);
            (updated, fixture.acts().split_off(before.len()))
        };
        let (updated, acts) = update(login_name("VW-ABC123"));
        updated.unwrap();
        let told = [
            "scheme.set vwire",
            "scheme.set vwire-compat",
            "credential.reset-password VW-ABC123",
        ];
        assert_eq!(acts, told);
        let (updated, acts) = update(made);
        let error = updated.unwrap_err();
        assert!(error.is(ErrorKind::Invalid, Noun::Scheme), "{error}");
        assert_eq!(acts, [""; 0]);
    }
}
