//! Commands on operators: principals outside of all tenants, bound by their rules
//! alone.
//!
//! To suspend one, to revoke it or to give it another secret is done by the
//! commands on [credentials](crate::credential).

use countersign_core::change::Change;
use countersign_core::credential::Credential;
use countersign_core::kind::Kind;
use countersign_core::name::LoginName;
use countersign_core::rule::Rule;
use countersign_core::scheme::SchemeName;
use countersign_core::store::{Intent, Listed, Page};

use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::credential::{change_one, delete_found};
use crate::error::{AdminError, Noun};
use crate::kind::check_not_reserved;
use crate::lookup;
use crate::password::ChosenPassword;
use crate::rule::{RuleWarning, check_count, check_sendable};
use crate::secret::{IssuedCredential, NewSecret};
use crate::text::FreeText;
use crate::view::AuditedCredential;

/// An operator to be made.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct NewOperator {
    /// Its name, which holds no `@`.
    pub name: LoginName,
    /// Its secret.
    pub secret: NewSecret,
    /// What it may do. It may do nothing else.
    pub rules: Vec<Rule>,
}

impl NewOperator {
    /// Says what its rules would not do.
    ///
    /// # Errors
    ///
    /// Returns [`AdminError`] for a rule that [`CreateOperator`] would refuse.
    pub fn rule_warnings(&self) -> Result<Vec<RuleWarning>, AdminError> {
        self.rules.iter().try_for_each(check_sendable)?;
        Ok(RuleWarning::of_list(&self.rules))
    }
}

/// Makes an operator.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct CreateOperator(pub NewOperator);

impl Command for CreateOperator {
    type Output = IssuedCredential;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn passwords(&self) -> Vec<&ChosenPassword> {
        self.0.secret.password().into_iter().collect()
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<IssuedCredential, AdminError> {
        let NewOperator {
            name,
            secret,
            rules,
        } = &self.0;
        if name.as_str().contains('@') {
            let message = format!(
                "`{name}` is not a valid operator name: `@` stands before a tenant, and it has none"
            );
            return Err(AdminError::invalid(Noun::Operator, name, message));
        }
        check_not_reserved(name)?;
        rules.iter().try_for_each(check_sendable)?;
        check_count(rules.len())?;
        lookup::check_free(tx, name)?;
        let known = tx.schemes()?;
        // It grants nothing without a tenant.
        let scheme = lookup::scheme(&known, &SchemeName::basic())?;
        let secret = secret.drafted(tx, name, scheme, &known)?;
        let scheme = scheme.name().clone();
        let blank = Credential {
            rules: rules.clone(),
            ..Credential::new(name.clone(), Kind::Operator, None, scheme, tx.now)
        };
        let id = tx
            .add_credential(&blank)
            .map_err(|error| lookup::exists_if_conflict(error, name))?;
        tx.add_secret(id, &secret.verifier)?;
        let described = lookup::credential(tx, name)?;
        let after = AuditedCredential::of(&described);
        tx.record("operator.create", name.as_str(), None, Some(&after));
        tx.changed(Change::Credential(id));
        Ok(IssuedCredential {
            described,
            secret: secret.shown_once,
            old_secret_until: None,
        })
    }
}

/// Lists operators, by name.
#[derive(Clone, Debug, Default)]
pub struct ListOperators(pub Page<LoginName>);

impl Command for ListOperators {
    type Output = Listed<Credential>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Listed<Credential>, AdminError> {
        Ok(tx.operators(&self.0)?)
    }
}

/// Shows the operator with this name.
#[derive(Clone, Debug)]
pub struct ShowOperator(pub LoginName);

impl Command for ShowOperator {
    type Output = Credential;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Credential, AdminError> {
        Ok(lookup::operator(tx, &self.0)?.credential)
    }
}

/// Changes what is said of an operator; what it is then is the output.
#[derive(Clone, Debug)]
pub struct SetOperator {
    /// Its name.
    pub name: LoginName,
    /// Free text for people; an empty one takes it away.
    pub description: FreeText,
}

impl Command for SetOperator {
    type Output = Credential;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Credential, AdminError> {
        lookup::operator(tx, &self.name)?;
        let (described, ()) = change_one(tx, &self.name, "operator.set", |_, described| {
            described.credential.description = self.description.filled();
            Ok(())
        })?;
        Ok(described.credential)
    }
}

/// Deletes an operator, in whatever state. Its sessions end.
#[derive(Clone, Debug)]
pub struct DeleteOperator(pub LoginName);

impl Command for DeleteOperator {
    type Output = ();

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<(), AdminError> {
        let described = lookup::operator(tx, &self.0)?;
        Ok(delete_found(tx, &described, "operator.delete")?)
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::lifecycle::State;
    use countersign_core::reason::Reason;

    use super::*;
    use crate::check::{TopicCheck, Usage};
    use crate::credential::{
        ChangeCredentialRules, DeleteCredential, ReactivateCredential, ResetPassword,
        RevokeCredential, ShowCredential, SuspendCredential,
    };
    use crate::error::ErrorKind;
    use crate::fixture::{Fixture, JANE, adding, login_name, rule};
    use crate::password::ChosenPassword;

    fn make(
        fixture: &mut Fixture,
        name: &str,
        rules: &[&str],
    ) -> Result<IssuedCredential, AdminError> {
        let new = NewOperator {
            name: login_name(name),
            secret: NewSecret::Generated,
            rules: rules.iter().map(|text| rule(text)).collect(),
        };
        fixture.run(&CreateOperator(new))
    }

    #[test]
    fn an_operator_is_bound_by_its_rules_alone() {
        let mut fixture = Fixture::with_credential();
        make(
            &mut fixture,
            "bridge",
            &["allow publish acme/#", "allow publish $CONTROL/x"],
        )
        .unwrap();
        let mut policy_check = fixture.policy_check();
        for (topic, is_allowed) in [("acme/x", true), ("$CONTROL/x", true), ("other", false)] {
            let ask = TopicCheck {
                username: Some("bridge"),
                client_id: Some("any"),
                password: None,
                listener: None,
                usage: Usage::Publish {
                    topic,
                    qos: 0,
                    retain: false,
                },
            };
            let verdict = policy_check.topic(&ask).unwrap().verdict;
            assert_eq!(verdict.is_allowed(), is_allowed, "{topic}");
        }
    }

    #[test]
    fn all_kinds_share_one_name_space() {
        let mut fixture = Fixture::with_credential();
        fixture.of_scheme("impact", Some("x")).unwrap();
        make(&mut fixture, "ops", &[]).unwrap();
        for taken in ["X", "ops"] {
            let error = make(&mut fixture, taken, &[]).err().unwrap();
            assert_eq!(error.to_string(), format!("`{taken}` exists already"));
        }
        make(&mut fixture, "BRIDGE", &[]).unwrap();
        let error = fixture.of_scheme("impact", Some("bridge")).err().unwrap();
        assert_eq!(error.to_string(), "`BRIDGE` exists already");
        let error = make(&mut fixture, "a@acme", &[]).err().unwrap();
        assert!(error.is(ErrorKind::Invalid, Noun::Operator));
    }

    #[test]
    fn an_operator_cannot_have_a_name_that_is_kept_for_others() {
        let mut fixture = Fixture::new();
        for name in ["jwt", "jwt:x", "application:x"] {
            let error = make(&mut fixture, name, &[]).err().unwrap();
            assert!(error.is(ErrorKind::Invalid, Noun::Credential), "{name}");
        }
    }

    #[test]
    fn operators_and_credentials_are_looked_up_apart() {
        let mut fixture = Fixture::with_credential();
        make(&mut fixture, "ops", &[]).unwrap();
        let (ops, dev) = (login_name("ops"), login_name("dev1@acme"));
        let shown = fixture.run(&ShowCredential(ops.clone())).unwrap_err();
        assert!(shown.is(ErrorKind::WrongKind, Noun::Operator));
        for name in [&dev, &login_name("none")] {
            let shown = fixture.run(&ShowOperator(name.clone())).unwrap_err();
            assert!(shown.is(ErrorKind::NotFound, Noun::Operator));
            let deleted = fixture.run(&DeleteOperator(name.clone())).unwrap_err();
            assert!(deleted.is(ErrorKind::NotFound, Noun::Operator));
        }
        let names: Vec<_> = fixture
            .run(&ListOperators::default())
            .unwrap()
            .rows
            .into_iter()
            .map(|operator| operator.name.to_string())
            .collect();
        assert_eq!(names, ["ops"]);
        let wrong = fixture.run(&DeleteCredential(ops.clone())).unwrap_err();
        assert!(wrong.is(ErrorKind::WrongKind, Noun::Operator));
        fixture.run(&DeleteOperator(ops)).unwrap();
        assert!(
            fixture
                .run(&ListOperators::default())
                .unwrap()
                .rows
                .is_empty()
        );
    }

    #[test]
    fn who_administers_a_tenant_alone_knows_no_operators() {
        let mut fixture = Fixture::with_admin();
        make(&mut fixture, "ops", &[]).unwrap();
        let jane = fixture.session_of(JANE);
        let name = || login_name("ops");
        let new = NewOperator {
            name: login_name("mine"),
            secret: NewSecret::Generated,
            rules: vec![rule("allow both #")],
        };
        let forbidden = [
            fixture.run_by(jane, &CreateOperator(new)).err(),
            fixture.run_by(jane, &ListOperators::default()).err(),
            fixture.run_by(jane, &ShowOperator(name())).err(),
            fixture.run_by(jane, &DeleteOperator(name())).err(),
        ];
        for error in forbidden.map(Option::unwrap) {
            assert!(error.is(ErrorKind::Forbidden, Noun::Caller), "{error}");
        }
        let change = ChangeCredentialRules {
            name: name(),
            change: adding("deny both #"),
        };
        let unknown = [
            fixture.run_by(jane, &ShowCredential(name())).err(),
            fixture.run_by(jane, &SuspendCredential(name())).err(),
            fixture.run_by(jane, &change).err(),
        ];
        for error in unknown.map(Option::unwrap) {
            assert!(error.is(ErrorKind::NotFound, Noun::Credential), "{error}");
        }
    }

    #[test]
    fn what_is_said_of_an_operator_can_be_changed_and_taken_away() {
        let mut fixture = Fixture::with_credential();
        make(&mut fixture, "ops", &["deny both acme/secret/#"]).unwrap();
        let mut set = |name, text| {
            fixture.run(&SetOperator {
                name: login_name(name),
                description: FreeText::parse(text).unwrap(),
            })
        };
        let operator = set("ops", "the night shift").unwrap();
        assert_eq!(operator.description.as_deref(), Some("the night shift"));
        assert_eq!(operator.rules, [rule("deny both acme/secret/#")]);
        assert_eq!(set("ops", "").unwrap().description, None);
        for name in ["none", "dev1@acme"] {
            let error = set(name, "x").unwrap_err();
            assert!(error.is(ErrorKind::NotFound, Noun::Operator), "{error}");
        }
        assert_eq!(fixture.acts().last().unwrap(), "operator.set ops");
    }

    #[test]
    fn an_operators_life_is_that_of_a_credential() {
        let mut fixture = Fixture::new();
        make(&mut fixture, "ops", &[]).unwrap();
        let name = login_name("ops");
        let chosen = ChosenPassword::parse(b"hunter2".to_vec()).unwrap();
        fixture
            .run(&ResetPassword {
                name: name.clone(),
                secret: NewSecret::Chosen(chosen),
            })
            .unwrap();
        assert!(fixture.check("ops", Some(b"hunter2")).is_allowed());
        fixture.run(&SuspendCredential(name.clone())).unwrap();
        let denied = crate::check::ConnectVerdict::Deny(Reason::Suspended);
        assert_eq!(fixture.check("ops", Some(b"hunter2")), denied);
        fixture.run(&ReactivateCredential(name.clone())).unwrap();
        let reserved = adding("allow both $CONTROL/#");
        fixture
            .run(&ChangeCredentialRules {
                name: name.clone(),
                change: reserved,
            })
            .unwrap();
        fixture
            .run(&RevokeCredential {
                name: name.clone(),
                reason: FreeText::parse("x").ok(),
            })
            .unwrap();
        let operator = fixture.run(&ShowOperator(name)).unwrap();
        assert_eq!(operator.state, State::Revoked);
        assert_eq!(operator.rules, [rule("allow both $CONTROL/#")]);
        assert_eq!(fixture.acts()[0], "operator.create ops");
    }
}
