//! Changes of what a credential says, not of its state or secrets.

use std::collections::BTreeMap;

use countersign_core::client_id::ClientIdRule;
use countersign_core::credential::{Credential, check_attribute};
use countersign_core::name::LoginName;
use countersign_core::store::{AdminStore, AdminTransaction as _};
use countersign_core::time::Timestamp;

use super::{CredentialError, act_on, client_ids};
use crate::context::Context;
use crate::tenant;
use crate::text::Text;

/// What to change of a credential; what is none stays.
#[derive(Clone, Debug, Default)]
pub struct CredentialChanges {
    /// Free text for people; an empty one takes it away.
    pub description: Option<Text>,
    /// Values for rules and for people; an empty one takes the key away.
    pub attributes: BTreeMap<String, String>,
    /// From when on it may no longer be used; `Some(None)` is never.
    pub expires_at: Option<Option<Timestamp>>,
    /// Which client ids it may connect with. Another rule than before forgets
    /// the tie to the first one.
    pub client_id_rule: Option<ClientIdRule>,
}

/// Changes a credential and returns what it is then.
///
/// # Errors
///
/// Returns [`CredentialError`] when there is none, when what is asked for
/// makes no sense together, or when the store can't be written; nothing
/// changed then.
pub fn set<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    name: &LoginName,
    changes: CredentialChanges,
) -> Result<Credential, CredentialError> {
    for (key, value) in &changes.attributes {
        check_attribute(key, value)?;
    }
    let act = "credential.set";
    let (credential, ()) = act_on(store, context, name, act, |transaction, credential| {
        let rule_changes = changes.client_id_rule.is_some();
        apply(credential, changes)?;
        if rule_changes && let Some(id) = &credential.tenant {
            let tenant = tenant::find(transaction, id)?;
            client_ids::check(credential, &tenant, &transaction.tenants()?)?;
        }
        Ok(())
    })?;
    Ok(credential)
}

fn apply(credential: &mut Credential, changes: CredentialChanges) -> Result<(), CredentialError> {
    if let Some(description) = changes.description {
        credential.description = description.into_filled();
    }
    for (key, value) in changes.attributes {
        if value.is_empty() {
            credential.attributes.remove(&key);
        } else {
            credential.attributes.insert(key, value);
        }
    }
    if let Some(expires_at) = changes.expires_at {
        credential.expires_at = expires_at;
    }
    if let Some(rule) = changes.client_id_rule
        && rule != credential.client_id_rule
    {
        credential.client_id_rule = rule;
        credential.client_id_tie = None;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, login_name};

    fn change(fixture: &mut Fixture, changes: CredentialChanges) -> Credential {
        let name = login_name("dev1@acme");
        fixture
            .act(|store, context| set(store, context, &name, changes))
            .unwrap()
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
            description: Text::parse("pump").ok(),
            ..CredentialChanges::default()
        };
        let after = change(&mut fixture, changes);
        assert_eq!(after.generation, before.generation);
        assert_eq!(after.created_at, before.created_at);
        assert_eq!(after.updated_at, fixture.now);
        assert_eq!(after.last_used_at, None);
    }
}
