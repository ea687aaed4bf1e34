//! Acts on operators: principals outside of all tenants, bound by their rules
//! alone.
//!
//! To suspend one, to revoke it or to give it another secret is done by the
//! acts on [credentials](crate::credential).

use countersign_core::change::Change;
use countersign_core::credential::Credential;
use countersign_core::kind::Kind;
use countersign_core::ledger::LedgerTransaction as _;
use countersign_core::name::LoginName;
use countersign_core::rule::Rule;
use countersign_core::store::rows::{
    CredentialRows as _, SchemeRows as _, SecretRows as _, SettingRows as _,
};
use countersign_core::store::{AdminStore, AdminTransaction, Intent, StoreError};

use crate::context::Context;
use crate::credential::{
    CredentialError, IssuedCredential, ShownCredential, blank, delete_found, exists, find,
};
use crate::error::AdminError;
use crate::kind::check_not_reserved;
use crate::password::NewSecret;
use crate::rule::{RuleWarning, check_sendable};
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

/// Makes an operator.
///
/// # Errors
///
/// Returns [`CredentialError`] when the name is taken or no name of an
/// operator, or when the store can't be written; nothing changed then.
pub fn create<S: AdminStore>(
    store: &mut S,
    context: &mut Context<'_>,
    new: NewOperator,
) -> Result<IssuedCredential, CredentialError> {
    let name = new.name;
    if name.as_str().contains('@') {
        return Err(CredentialError::OperatorAt { name });
    }
    check_not_reserved(&name)?;
    new.rules.iter().try_for_each(check_sendable)?;
    // What can be refused is refused before a password is hashed.
    let (known, params) = {
        let mut transaction = store.begin(Intent::Read)?;
        check_free(&mut transaction, &name)?;
        (transaction.schemes()?, transaction.settings()?.argon2)
    };
    let scheme = known.find(SCHEME).ok_or(CredentialError::SchemeChanged)?;
    let secret = new.secret.prepare(context, &name, scheme, &known, params)?;

    let mut transaction = store.begin(Intent::Write)?;
    check_free(&mut transaction, &name)?;
    let scheme = scheme.name().clone();
    let blank = Credential {
        rules: new.rules,
        ..blank(name.clone(), Kind::Device, None, scheme, context.now)
    };
    let id = transaction
        .add_credential(&blank)
        .map_err(|error| exists(error, &name))?;
    transaction.add_secret(id, &secret.verifier)?;
    let described = find(&mut transaction, &name)?;
    let row = context.audit(
        "operator.create",
        name.as_str(),
        None::<&AuditedCredential>,
        Some(&described.trace()),
    );
    transaction.commit(&[row], &[Change::Credential(id)])?;
    Ok(IssuedCredential {
        described,
        secret: secret.shown_once,
        old_secret_until: None,
    })
}

/// Says what the rules of a new operator would not do.
///
/// # Errors
///
/// Returns [`AdminError`] for a rule that [`create`] would refuse.
pub fn rule_warnings(rules: &[Rule]) -> Result<Vec<RuleWarning>, AdminError> {
    rules.iter().try_for_each(check_sendable)?;
    Ok(rules.iter().flat_map(RuleWarning::of_text).collect())
}

/// All operators, by name.
///
/// # Errors
///
/// Returns [`StoreError`] when the store can't be read.
pub fn list<S: AdminStore>(store: &mut S) -> Result<Vec<Credential>, StoreError> {
    store.begin(Intent::Read)?.operators()
}

/// The operator with this name.
///
/// # Errors
///
/// Returns [`CredentialError`] when there is none or the store can't be read.
pub fn show<S: AdminStore>(store: &mut S, name: &LoginName) -> Result<Credential, CredentialError> {
    let mut transaction = store.begin(Intent::Read)?;
    Ok(find_operator(&mut transaction, name)?.credential)
}

/// Deletes an operator, in whatever state. Its sessions end.
///
/// # Errors
///
/// Returns [`CredentialError`] when there is none or the store can't be
/// written; nothing changed then.
pub fn delete<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    name: &LoginName,
) -> Result<(), CredentialError> {
    let mut transaction = store.begin(Intent::Write)?;
    let described = find_operator(&mut transaction, name)?;
    delete_found(transaction, context, &described, "operator.delete")
}

fn find_operator<T: AdminTransaction>(
    transaction: &mut T,
    name: &LoginName,
) -> Result<ShownCredential, CredentialError> {
    let missing = || CredentialError::NoOperator { name: name.clone() };
    match find(transaction, name) {
        Ok(described) if described.credential.is_operator() => Ok(described),
        Ok(_) | Err(CredentialError::Missing { .. }) => Err(missing()),
        Err(error) => Err(error),
    }
}

fn check_free<T: AdminTransaction>(
    transaction: &mut T,
    name: &LoginName,
) -> Result<(), CredentialError> {
    match transaction.credential(name)? {
        Some(taken) => Err(CredentialError::Exists { name: taken.name }),
        None => Ok(()),
    }
}

/// By which an operator's secrets are made. It grants nothing without a tenant.
const SCHEME: &str = "basic";

#[cfg(test)]
mod tests {
    use countersign_core::lifecycle::State;
    use countersign_core::reason::Reason;

    use super::*;
    use crate::check::{TopicCheck, Usage};
    use crate::credential;
    use crate::fixture::{Fixture, adding, login_name, rule};
    use crate::password::ChosenPassword;
    use crate::text::FreeText;

    fn make(
        fixture: &mut Fixture,
        name: &str,
        rules: &[&str],
    ) -> Result<IssuedCredential, CredentialError> {
        let new = NewOperator {
            name: login_name(name),
            secret: NewSecret::Generated,
            rules: rules.iter().map(|text| rule(text)).collect(),
        };
        fixture.act(|store, context| create(store, context, new))
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
        assert!(matches!(error, CredentialError::OperatorAt { .. }));
    }

    #[test]
    fn an_operator_cannot_have_a_name_that_is_kept_for_others() {
        let mut fixture = Fixture::new();
        for name in ["jwt", "jwt:x", "application:x"] {
            let error = make(&mut fixture, name, &[]).err().unwrap();
            assert!(matches!(error, CredentialError::Reserved(_)), "{name}");
        }
    }

    #[test]
    fn operators_and_credentials_are_looked_up_apart() {
        let mut fixture = Fixture::with_credential();
        make(&mut fixture, "ops", &[]).unwrap();
        let (ops, dev) = (login_name("ops"), login_name("dev1@acme"));
        assert!(matches!(
            credential::show(&mut fixture.store, &ops),
            Err(CredentialError::WrongKind(_))
        ));
        for name in [&dev, &login_name("none")] {
            assert!(matches!(
                show(&mut fixture.store, name),
                Err(CredentialError::NoOperator { .. })
            ));
            let deleted = fixture.act(|store, context| delete(store, context, name));
            assert!(matches!(deleted, Err(CredentialError::NoOperator { .. })));
        }
        let names: Vec<_> = list(&mut fixture.store)
            .unwrap()
            .into_iter()
            .map(|operator| operator.name.to_string())
            .collect();
        assert_eq!(names, ["ops"]);
        let wrong = fixture.act(|store, context| credential::delete(store, context, &ops));
        assert!(matches!(wrong, Err(CredentialError::WrongKind(_))));
        fixture
            .act(|store, context| delete(store, context, &ops))
            .unwrap();
        assert!(list(&mut fixture.store).unwrap().is_empty());
    }

    #[test]
    fn an_operators_life_is_that_of_a_credential() {
        let mut fixture = Fixture::new();
        make(&mut fixture, "ops", &[]).unwrap();
        let name = login_name("ops");
        let chosen = ChosenPassword::parse(b"hunter2".to_vec()).unwrap();
        fixture
            .act(|store, context| {
                let secret = NewSecret::Chosen(chosen);
                credential::reset_password(store, context, &name, secret)
            })
            .unwrap();
        assert!(fixture.check("ops", Some(b"hunter2")).is_allowed());
        fixture
            .act(|store, context| credential::suspend(store, context, &name))
            .unwrap();
        let denied = crate::check::ConnectVerdict::Deny(Reason::Suspended);
        assert_eq!(fixture.check("ops", Some(b"hunter2")), denied);
        fixture
            .act(|store, context| credential::reactivate(store, context, &name))
            .unwrap();
        let reserved = adding("allow both $CONTROL/#");
        fixture
            .act(|store, context| credential::change_rules(store, context, &name, &reserved))
            .unwrap();
        fixture
            .act(|store, context| {
                credential::revoke(store, context, &name, FreeText::parse("x").ok())
            })
            .unwrap();
        let operator = show(&mut fixture.store, &name).unwrap();
        assert_eq!(operator.state, State::Revoked);
        assert_eq!(operator.rules, [rule("allow both $CONTROL/#")]);
        assert_eq!(fixture.acts()[0], "operator.create ops");
    }
}
