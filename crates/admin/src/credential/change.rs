//! Changes of what a credential says, not of its state or secrets.

use std::collections::BTreeMap;

use countersign_core::client_id::ClientIdRule;
use countersign_core::credential::{Credential, check_attribute};
use countersign_core::name::{GroupPath, LoginName};
use countersign_core::role::RoleName;
use countersign_core::scheme::{DraftError, Scheme};
use countersign_core::time::Timestamp;

use super::{ShownCredential, change_one, client_ids, conflict, require_tenant};
use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::error::AdminError;
use crate::lookup;
use crate::text::FreeText;

/// What to change of a credential; what is none stays.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct CredentialChanges {
    /// Free text for people; an empty one takes it away.
    pub description: Option<FreeText>,
    /// Values for rules and for people; an empty one takes the key away.
    pub attributes: BTreeMap<String, String>,
    /// From when on it may no longer be used; `Some(None)` is never.
    pub expires_at: Option<Option<Timestamp>>,
    /// Which client ids it may connect with. Another rule than before forgets
    /// the tie to the first one.
    pub client_id_rule: Option<ClientIdRule>,
    /// Groups that it joins, in this order.
    pub add_groups: Vec<GroupPath>,
    /// Groups that it leaves.
    pub remove_groups: Vec<GroupPath>,
    /// Roles that it holds from now on.
    pub add_roles: Vec<RoleName>,
    /// Roles that it no longer holds.
    pub remove_roles: Vec<RoleName>,
}

impl CredentialChanges {
    /// The same for this credential, from which nothing need be taken away that it
    /// does not have.
    pub(super) fn fitted(&self, credential: &Credential) -> Self {
        let mut fitted = self.clone();
        let groups = &mut fitted.remove_groups;
        groups.retain(|group| credential.groups.contains(group));
        let roles = &mut fitted.remove_roles;
        roles.retain(|role| credential.roles.contains(role));
        fitted
    }

    /// Says whether a credential stays as it is.
    pub(super) fn change_nothing(&self, credential: &Credential) -> bool {
        let said = |it: &Credential| {
            (
                it.description.clone(),
                it.attributes.clone(),
                it.expires_at,
                it.client_id_rule.clone(),
                it.groups.clone(),
                it.roles.clone(),
            )
        };
        let changed = self.made_to(credential);
        changed.is_ok_and(|changed| said(&changed) == said(credential))
    }

    /// What a credential is then, whatever stands against it in the store.
    pub(super) fn made_to(&self, credential: &Credential) -> Result<Credential, AdminError> {
        let mut changed = credential.clone();
        change_roles(&mut changed, self)?;
        change_groups(&mut changed, self)?;
        apply(&mut changed, self);
        Ok(changed)
    }
}

/// Changes a credential; what it is then is the output.
#[derive(Clone, Debug)]
pub struct SetCredential {
    /// Its name.
    pub name: LoginName,
    /// What to change.
    pub changes: CredentialChanges,
}

impl Command for SetCredential {
    type Output = ShownCredential;

    fn needs(&self) -> Permission {
        Permission::Change(self.name.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownCredential, AdminError> {
        let changes = &self.changes;
        for (key, value) in &changes.attributes {
            check_attribute(key, value)?;
        }
        let act = "credential.set";
        let (described, ()) = change_one(tx, &self.name, act, |tx, described| {
            let ShownCredential { credential, scheme } = described;
            let tenant = require_tenant(credential)?.clone();
            if let Some(scheme) = scheme {
                check_scheme(changes, scheme)?;
            }
            for name in &changes.add_roles {
                lookup::role(tx, &tenant, name)?;
            }
            *credential = changes.made_to(credential)?;
            if changes.client_id_rule.is_some() {
                client_ids::check(tx, credential, scheme.as_ref(), &tenant)?;
                client_ids::check_bound(tx, credential)?;
            }
            Ok(())
        })?;
        Ok(described)
    }
}

/// Leaves to the scheme what is the scheme's.
fn check_scheme(changes: &CredentialChanges, scheme: &Scheme) -> Result<(), DraftError> {
    let mut fills = scheme.fills();
    if let Some(attribute) = fills.find(|filled| changes.attributes.contains_key(*filled)) {
        return Err(DraftError::AttributeFilled {
            attribute,
            scheme: scheme.name().clone(),
        });
    }
    match &changes.client_id_rule {
        Some(rule) if !scheme.client_ids().admit(rule) => Err(DraftError::ClientIdRule {
            own: scheme.client_ids().as_str(),
            scheme: scheme.name().clone(),
        }),
        Some(_) | None => Ok(()),
    }
}

fn change_roles(
    credential: &mut Credential,
    changes: &CredentialChanges,
) -> Result<(), AdminError> {
    for role in &changes.remove_roles {
        let Some(place) = credential.roles.iter().position(|held| held == role) else {
            let name = &credential.name;
            let message = format!("`{name}` does not hold role `{role}`");
            return Err(conflict(name, message));
        };
        credential.roles.remove(place);
    }
    for role in &changes.add_roles {
        if !credential.roles.contains(role) {
            credential.roles.push(role.clone());
        }
    }
    Ok(())
}

fn change_groups(
    credential: &mut Credential,
    changes: &CredentialChanges,
) -> Result<(), AdminError> {
    for group in &changes.remove_groups {
        if !credential.leave(group) {
            let name = &credential.name;
            let message = format!("`{name}` is not in group `{group}`");
            return Err(conflict(name, message));
        }
    }
    for group in &changes.add_groups {
        credential.join(group)?;
    }
    Ok(())
}

fn apply(credential: &mut Credential, changes: &CredentialChanges) {
    if let Some(description) = &changes.description {
        credential.description = description.filled();
    }
    for (key, value) in &changes.attributes {
        if value.is_empty() {
            credential.attributes.remove(key);
        } else {
            credential.attributes.insert(key.clone(), value.clone());
        }
    }
    if let Some(expires_at) = changes.expires_at {
        credential.expires_at = expires_at;
    }
    if let Some(rule) = &changes.client_id_rule
        && *rule != credential.client_id_rule
    {
        credential.client_id_rule = rule.clone();
        credential.client_id_tie = None;
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::credential::MOST_GROUPS;

    use super::*;
    use crate::error::{ErrorKind, Noun};
    use crate::fixture::{Fixture, login_name, role_name};

    fn change(fixture: &mut Fixture, changes: CredentialChanges) -> Credential {
        let name = login_name("dev1@acme");
        fixture
            .run(&SetCredential { name, changes })
            .unwrap()
            .credential
    }

    #[test]
    fn attributes_are_added_replaced_and_taken_away() {
        let mut fixture = Fixture::with_credential();
        let attributes = |pairs: &[(&str, &str)]| CredentialChanges {
            attributes: pairs
                .iter()
                .map(|(k, v)| ((*k).into(), (*v).into()))
                .collect(),
            ..CredentialChanges::default()
        };
        change(&mut fixture, attributes(&[("a", "1"), ("b", "2")]));
        let credential = change(
            &mut fixture,
            attributes(&[("a", ""), ("b", "3"), ("c", "4")]),
        );
        let kept: Vec<_> = credential.attributes.into_iter().collect();
        assert_eq!(kept, [("b".into(), "3".into()), ("c".into(), "4".into())]);
    }

    #[test]
    fn an_end_can_be_set_and_taken_away() {
        let mut fixture = Fixture::with_credential();
        let end = Some(Timestamp::from_millis(5));
        for expires_at in [end, None] {
            let changes = CredentialChanges {
                expires_at: Some(expires_at),
                ..CredentialChanges::default()
            };
            assert_eq!(change(&mut fixture, changes).expires_at, expires_at);
        }
    }

    #[test]
    fn another_rule_forgets_the_tie_and_the_same_rule_keeps_it() {
        let mut fixture = Fixture::with_credential();
        let rule = |rule| CredentialChanges {
            client_id_rule: Some(rule),
            ..CredentialChanges::default()
        };
        change(&mut fixture, rule(ClientIdRule::FirstUse));
        fixture.log_in("dev1@acme", "c");
        let credential = change(&mut fixture, rule(ClientIdRule::FirstUse));
        assert!(credential.client_id_tie.is_some());
        let credential = change(&mut fixture, rule(ClientIdRule::Any));
        assert!(credential.client_id_tie.is_none());
    }

    #[test]
    fn a_change_is_no_use_and_raises_no_generation() {
        let mut fixture = Fixture::with_credential();
        let before = fixture.show("dev1@acme");
        fixture.now = Timestamp::from_millis(fixture.now.as_millis() + 1);
        let changes = CredentialChanges {
            description: FreeText::parse("pump").ok(),
            ..CredentialChanges::default()
        };
        let after = change(&mut fixture, changes);
        assert_eq!(after.generation, before.generation);
        assert_eq!(after.created_at, before.created_at);
        assert_eq!(after.updated_at, fixture.now);
        assert_eq!(after.last_used_at, None);
    }

    #[test]
    fn roles_are_given_and_taken_away() {
        let mut fixture = Fixture::with_credential();
        for role in ["a", "b"] {
            fixture.role(role).unwrap();
        }
        let roles = |add: &[&str], remove: &[&str]| CredentialChanges {
            add_roles: add.iter().map(|role| role_name(role)).collect(),
            remove_roles: remove.iter().map(|role| role_name(role)).collect(),
            ..CredentialChanges::default()
        };
        let credential = change(&mut fixture, roles(&["a", "b", "a"], &[]));
        assert_eq!(credential.roles, [role_name("a"), role_name("b")]);
        assert_eq!(
            change(&mut fixture, roles(&[], &["a"])).roles,
            [role_name("b")]
        );
        let name = login_name("dev1@acme");
        for (changes, said) in [
            (roles(&["none"], &[]), "tenant `acme` has no role `none`"),
            (roles(&[], &["a"]), "`dev1@acme` does not hold role `a`"),
        ] {
            let error = fixture
                .run(&SetCredential {
                    name: name.clone(),
                    changes,
                })
                .unwrap_err();
            assert!(error.to_string().starts_with(said), "{error}");
        }
        assert_eq!(fixture.show("dev1@acme").roles, [role_name("b")]);
    }

    #[test]
    fn groups_are_joined_in_order_and_left() {
        let mut fixture = Fixture::with_credential();
        let before = fixture.show("dev1@acme").generation;
        let group = |path: &&str| GroupPath::parse(path).unwrap();
        let groups = |add: &[&str], remove: &[&str]| CredentialChanges {
            add_groups: add.iter().map(group).collect(),
            remove_groups: remove.iter().map(group).collect(),
            ..CredentialChanges::default()
        };
        for (changes, left) in [
            (
                groups(&["DM.X", "B", "DM.X"], &[]),
                ["DM.X", "B"].as_slice(),
            ),
            (groups(&["B", "A"], &[]), &["DM.X", "B", "A"]),
            // It joins again as the newest.
            (groups(&["DM.X"], &["DM.X"]), &["B", "A", "DM.X"]),
            (groups(&[], &["B", "DM.X"]), &["A"]),
        ] {
            let credential = change(&mut fixture, changes);
            let now: Vec<_> = credential.groups.iter().map(GroupPath::as_str).collect();
            assert_eq!(now, left);
            assert_eq!(credential.group(), credential.groups.first());
        }
        assert_eq!(fixture.show("dev1@acme").generation, before);
        let many: Vec<_> = (0..MOST_GROUPS)
            .map(|number| format!("G{number}"))
            .collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        for (changes, said) in [
            (groups(&[], &["B"]), "`dev1@acme` is not in group `B`"),
            (
                groups(&many, &[]),
                "a credential may be in 32 groups, and this one would be in more",
            ),
        ] {
            let name = login_name("dev1@acme");
            let error = fixture.run(&SetCredential { name, changes }).unwrap_err();
            assert_eq!(error.to_string(), said);
        }
        assert_eq!(fixture.show("dev1@acme").groups, [group(&"A")]);
    }

    #[test]
    fn what_is_the_schemes_stays_the_schemes() {
        let mut fixture = Fixture::with_credential();
        fixture.of_scheme("vwire", Some("VW-ABC123")).unwrap();
        let name = login_name("VW-ABC123");
        let attribute = CredentialChanges {
            attributes: [("device".into(), "VW-XYZ123".into())].into(),
            ..CredentialChanges::default()
        };
        let rule = CredentialChanges {
            client_id_rule: Some(ClientIdRule::Any),
            ..CredentialChanges::default()
        };
        for changes in [attribute, rule] {
            let error = fixture
                .run(&SetCredential {
                    name: name.clone(),
                    changes,
                })
                .unwrap_err();
            assert!(error.is(ErrorKind::Invalid, Noun::Scheme), "{error}");
        }
    }
}
