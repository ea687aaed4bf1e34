//! The commands of the life cycle: suspend, reactivate, revoke, delete and untie.

use countersign_core::change::Change;
use countersign_core::control_note::NoteKind;
use countersign_core::lifecycle::Act;
use countersign_core::name::LoginName;
use countersign_core::store::StoreError;

use super::{ShownCredential, change_one, conflict, require_tenant, transition};
use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::control_note;
use crate::error::AdminError;
use crate::text::FreeText;
use crate::view::AuditedCredential;
use crate::{cascade, lookup, scheme_overlap};

/// Stops a credential for now. Its sessions end.
#[derive(Clone, Debug)]
pub struct SuspendCredential(pub LoginName);

impl Command for SuspendCredential {
    type Output = ShownCredential;

    fn needs(&self) -> Permission {
        Permission::Operate(self.0.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownCredential, AdminError> {
        let act = "credential.suspend";
        let (described, ()) = change_one(tx, &self.0, act, |_, described| {
            let credential = &mut described.credential;
            credential.state = transition(credential, Act::Suspend)?;
            // A reactivation that follows at once must not save the sessions.
            credential.generation = credential.generation.next();
            Ok(())
        })?;
        Ok(described)
    }
}

/// Lifts a suspension.
#[derive(Clone, Debug)]
pub struct ReactivateCredential(pub LoginName);

impl Command for ReactivateCredential {
    type Output = ShownCredential;

    fn needs(&self) -> Permission {
        Permission::Operate(self.0.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownCredential, AdminError> {
        let act = "credential.reactivate";
        let (described, ()) = change_one(tx, &self.0, act, |_, described| {
            let credential = &mut described.credential;
            let ever_used = credential.ever_used;
            credential.state = transition(credential, Act::Reactivate { ever_used })?;
            Ok(())
        })?;
        Ok(described)
    }
}

/// Stops a credential for good. Its sessions end.
#[derive(Clone, Debug)]
pub struct RevokeCredential {
    /// Its name.
    pub name: LoginName,
    /// Why, for people.
    pub reason: Option<FreeText>,
}

impl Command for RevokeCredential {
    type Output = ShownCredential;

    fn needs(&self) -> Permission {
        Permission::Operate(self.name.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownCredential, AdminError> {
        let act = "credential.revoke";
        let (described, ()) = change_one(tx, &self.name, act, |_, described| {
            let credential = &mut described.credential;
            credential.state = transition(credential, Act::Revoke)?;
            credential.revoked_reason = self.reason.as_ref().and_then(FreeText::filled);
            Ok(())
        })?;
        Ok(described)
    }
}

/// Deletes a credential, in whatever state. Its sessions end, and one made
/// later under the same name is another.
#[derive(Clone, Debug)]
pub struct DeleteCredential(pub LoginName);

impl Command for DeleteCredential {
    type Output = ();

    fn needs(&self) -> Permission {
        Permission::Change(self.0.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<(), AdminError> {
        let described = lookup::credential(tx, &self.0)?;
        let tenant = require_tenant(&described.credential)?;
        delete_found(tx, &described, "credential.delete")?;
        scheme_overlap::end_use(tx, &described.credential.scheme, tenant)
    }
}

/// Deletes what was found, a credential of a tenant or an operator.
pub(crate) fn delete_found(
    tx: &mut Tx<'_>,
    described: &ShownCredential,
    act: &'static str,
) -> Result<(), StoreError> {
    let credential = &described.credential;
    tx.delete_credential(credential.id)?;
    if let Some(tenant) = &credential.tenant {
        control_note::remove(tx, tenant, NoteKind::Client, credential.name.as_str())?;
    }
    let before = AuditedCredential::of(described);
    tx.record(act, credential.name.as_str(), Some(&before), None);
    tx.changed(Change::Credential(credential.id));
    Ok(())
}

/// Takes away the tie to the client id that a credential was first used with.
/// Its sessions end, and the next client ties it anew.
#[derive(Clone, Debug)]
pub struct UntieCredential(pub LoginName);

impl Command for UntieCredential {
    type Output = ShownCredential;

    fn needs(&self) -> Permission {
        Permission::Operate(self.0.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownCredential, AdminError> {
        let (name, act) = (&self.0, "credential.untie");
        let (described, ()) = change_one(tx, name, act, |tx, described| {
            let credential = &mut described.credential;
            require_tenant(credential)?;
            let Some(tie) = credential.client_id_tie.take() else {
                let message = format!("`{name}` is not tied to a client id");
                return Err(conflict(name, message));
            };
            cascade::release_tie(tx, &tie, credential.id)?;
            // The client it was tied to must not stay beside the next one.
            credential.generation = credential.generation.next();
            Ok(())
        })?;
        Ok(described)
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::change::Change;
    use countersign_core::lifecycle::State;
    use countersign_core::reason::Reason;
    use countersign_core::store::{AuditQuery, GateStore as _};

    use super::*;
    use crate::check::ConnectVerdict;
    use crate::credential::{CredentialChanges, SetCredential};
    use crate::fixture::{Fixture, login_name};

    /// Applies an act by its word; returns the error's text, or nothing.
    fn act(fixture: &mut Fixture, word: &str) -> String {
        let name = login_name("dev1@acme");
        let reason = FreeText::parse("lost").ok();
        let result = match word {
            "suspend" => fixture.run(&SuspendCredential(name)).map(drop),
            "reactivate" => fixture.run(&ReactivateCredential(name)).map(drop),
            "revoke" => fixture.run(&RevokeCredential { name, reason }).map(drop),
            "delete" => fixture.run(&DeleteCredential(name)),
            "untie" => fixture.run(&UntieCredential(name)).map(drop),
            _ => panic!("{word}"),
        };
        result.map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn a_refused_act_names_act_credential_and_state_and_changes_nothing() {
        let mut fixture = Fixture::with_credential();
        for (word, refusal) in [
            (
                "reactivate",
                "cannot reactivate `dev1@acme`: it is Inactive",
            ),
            ("suspend", ""),
            ("suspend", "cannot suspend `dev1@acme`: it is Suspended"),
            ("revoke", ""),
            ("suspend", "cannot suspend `dev1@acme`: it is Revoked"),
            ("reactivate", "cannot reactivate `dev1@acme`: it is Revoked"),
            ("revoke", "cannot revoke `dev1@acme`: it is Revoked"),
        ] {
            let before = fixture.store.last_change().unwrap();
            let acts = fixture.acts().len();
            assert_eq!(act(&mut fixture, word), refusal);
            let written = fixture.store.last_change().unwrap() != before;
            assert_eq!(written, refusal.is_empty(), "{word}");
            assert_eq!(fixture.acts().len() > acts, refusal.is_empty(), "{word}");
        }
        let credential = fixture.show("dev1@acme");
        assert_eq!(credential.revoked_reason.as_deref(), Some("lost"));
    }

    #[test]
    fn a_reactivated_credential_is_active_only_if_it_was_ever_used() {
        let mut fixture = Fixture::with_credential();
        assert_eq!(act(&mut fixture, "suspend"), "");
        assert_eq!(act(&mut fixture, "reactivate"), "");
        assert_eq!(fixture.show("dev1@acme").state, State::Inactive);
        fixture.log_in("dev1@acme", "c");
        assert_eq!(fixture.show("dev1@acme").state, State::Active);
        assert_eq!(act(&mut fixture, "suspend"), "");
        assert_eq!(act(&mut fixture, "reactivate"), "");
        assert_eq!(fixture.show("dev1@acme").state, State::Active);
    }

    #[test]
    fn a_suspension_raises_the_generation_and_its_end_does_not() {
        let mut fixture = Fixture::with_credential();
        let first = fixture.show("dev1@acme").generation;
        act(&mut fixture, "suspend");
        let second = fixture.show("dev1@acme").generation;
        assert_eq!(second, first.next());
        act(&mut fixture, "reactivate");
        assert_eq!(fixture.show("dev1@acme").generation, second);
    }

    #[test]
    fn every_act_tells_the_gates_which_credential_changed() {
        let mut fixture = Fixture::with_credential();
        let id = fixture.show("dev1@acme").id;
        for word in ["suspend", "reactivate", "revoke", "delete"] {
            let before = fixture.store.last_change().unwrap();
            assert_eq!(act(&mut fixture, word), "");
            let changes = fixture.store.changes_after(before, 10).unwrap();
            let changes: Vec<_> = changes.into_iter().map(|(_, change)| change).collect();
            assert_eq!(changes, [Change::Credential(id)], "{word}");
        }
    }

    #[test]
    fn the_audit_keeps_what_was_before_and_after() {
        let mut fixture = Fixture::with_credential();
        act(&mut fixture, "suspend");
        let query = AuditQuery {
            limit: Some(1),
            ..AuditQuery::default()
        };
        let entry = fixture
            .run(&crate::audit::ListAudit(query))
            .unwrap()
            .remove(0)
            .entry;
        assert_eq!(
            (entry.actor.as_str(), entry.act.as_str()),
            ("cli:tester", "credential.suspend")
        );
        let state = |json: Option<String>| {
            let value: serde_json::Value = serde_json::from_str(&json.unwrap()).unwrap();
            value["state"].as_str().unwrap().to_owned()
        };
        assert_eq!(state(entry.before), "Inactive");
        assert_eq!(state(entry.after), "Suspended");
    }

    #[test]
    fn a_deleted_name_made_again_is_another_credential() {
        let mut fixture = Fixture::with_credential();
        let old = fixture.show("dev1@acme");
        assert_eq!(act(&mut fixture, "delete"), "");
        assert_eq!(
            fixture.check("dev1@acme", None),
            ConnectVerdict::Deny(Reason::UnknownName)
        );
        fixture.credential("dev1").unwrap();
        let new = fixture.show("dev1@acme");
        assert_ne!(new.id, old.id);
        assert_eq!(new.state, State::Inactive);
        assert!(new.secrets[0].id > old.secrets[0].id);
    }

    #[test]
    fn an_act_on_nobody_says_how_names_are_written() {
        let mut fixture = Fixture::new();
        let text = |fixture: &mut Fixture, name| {
            let name = login_name(name);
            let result = fixture.run(&SuspendCredential(name));
            result.unwrap_err().to_string()
        };
        assert_eq!(
            text(&mut fixture, "dev1@acme"),
            "there is no credential `dev1@acme`"
        );
        assert!(text(&mut fixture, "dev1").ends_with("like `dev1@acme`"));
    }

    #[test]
    fn untying_ends_the_tie_and_what_was_given_out_under_it() {
        let mut fixture = Fixture::with_credential();
        assert_eq!(
            act(&mut fixture, "untie"),
            "`dev1@acme` is not tied to a client id"
        );
        let name = login_name("dev1@acme");
        let changes = CredentialChanges {
            client_id_rule: Some(countersign_core::client_id::ClientIdRule::FirstUse),
            ..CredentialChanges::default()
        };
        fixture.run(&SetCredential { name, changes }).unwrap();
        fixture.log_in("dev1@acme", "other");
        assert_eq!(
            fixture.check("dev1@acme", None),
            ConnectVerdict::Deny(Reason::ClientIdMismatch)
        );
        let generation = fixture.show("dev1@acme").generation;
        assert_eq!(act(&mut fixture, "untie"), "");
        assert_eq!(fixture.show("dev1@acme").generation, generation.next());
        assert_eq!(fixture.check("dev1@acme", None), ConnectVerdict::Allow);
    }
}
