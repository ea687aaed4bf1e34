//! Making credentials.

use std::collections::BTreeMap;

use countersign_core::change::Change;
use countersign_core::client_id::ClientIdRule;
use countersign_core::credential::{Credential, CredentialId, Generation, check_attribute};
use countersign_core::lifecycle::State;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::store::{AdminStore, AdminTransaction, Intent};
use countersign_core::time::Timestamp;

use super::{CredentialError, Issued, client_ids, exists, find};
use crate::context::Context;
use crate::password::NewSecret;
use crate::tenant;
use crate::text::Text;
use crate::view::CredentialTrace;

/// A credential of the scheme `basic` to be made.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct NewCredential {
    /// The entered name, which becomes `name@tenant`. It may hold `@`.
    pub name: String,
    /// Its tenant.
    pub tenant: TenantId,
    /// Its secret.
    pub secret: NewSecret,
    /// Which client ids it may connect with.
    pub client_id_rule: ClientIdRule,
    /// The group it is sorted under.
    pub group: Option<GroupPath>,
    /// Free text for people.
    pub description: Option<Text>,
    /// Values for rules and for people; an empty one counts as none.
    pub attributes: BTreeMap<String, String>,
    /// From when on it may be used.
    pub not_before: Option<Timestamp>,
    /// From when on it may no longer be used.
    pub expires_at: Option<Timestamp>,
    /// Whether a certificate or PSK listener may vouch for it.
    pub external_identity: bool,
}

/// Makes a credential.
///
/// # Errors
///
/// Returns [`CredentialError`] when the name is taken or no name, when there
/// is no such tenant, when what is asked for makes no sense together, or when
/// the store can't be written; nothing changed then.
pub fn create<S: AdminStore>(
    store: &mut S,
    context: &mut Context<'_>,
    new: NewCredential,
) -> Result<Issued, CredentialError> {
    let name = whole_name(&new.name, &new.tenant)?;
    let draft = Draft {
        tenant: &new.tenant,
        credential: blank(name, &new, context.now)?,
    };
    // What can be refused is refused before a password is hashed.
    let params = {
        let mut transaction = store.begin(Intent::Read)?;
        draft.check(&mut transaction)?;
        transaction.settings()?.argon2
    };
    let secret = new.secret.prepare(context, params)?;

    let mut transaction = store.begin(Intent::Write)?;
    draft.check(&mut transaction)?;
    let name = &draft.credential.name;
    let id = transaction
        .add_credential(&draft.credential)
        .map_err(|error| exists(error, name))?;
    transaction.add_secret(id, &secret.verifier)?;
    let credential = find(&mut transaction, name)?;
    let after = CredentialTrace::of(&credential);
    let row = context.audit(
        "credential.create",
        name.as_str(),
        None::<&CredentialTrace>,
        Some(&after),
    );
    transaction.commit(&[row], &[Change::Credential(id)])?;
    Ok(Issued {
        credential,
        secret: secret.shown_once,
        old_secret_until: None,
    })
}

/// A credential that is not stored yet.
struct Draft<'a> {
    tenant: &'a TenantId,
    credential: Credential,
}

impl Draft<'_> {
    /// Checks what the store has against it.
    fn check<T: AdminTransaction>(&self, transaction: &mut T) -> Result<(), CredentialError> {
        let tenant = tenant::find(transaction, self.tenant)?;
        client_ids::check(&self.credential, &tenant, &transaction.tenants()?)?;
        match transaction.credential(&self.credential.name)? {
            Some(taken) => Err(CredentialError::Exists { name: taken.name }),
            None => Ok(()),
        }
    }
}

fn blank(
    name: LoginName,
    new: &NewCredential,
    now: Timestamp,
) -> Result<Credential, CredentialError> {
    for (key, value) in &new.attributes {
        check_attribute(key, value)?;
    }
    if let (Some(start), Some(end)) = (new.not_before, new.expires_at)
        && start >= end
    {
        return Err(CredentialError::Dates { name });
    }
    Ok(Credential {
        id: CredentialId(0),
        name,
        tenant: Some(new.tenant.clone()),
        scheme: SCHEME.into(),
        state: State::Inactive,
        ever_used: false,
        generation: Generation::FIRST,
        group: new.group.clone(),
        description: new.description.clone().and_then(Text::into_filled),
        client_id_rule: new.client_id_rule.clone(),
        client_id_tie: None,
        external_identity: new.external_identity,
        not_before: new.not_before,
        expires_at: new.expires_at,
        created_at: now,
        updated_at: now,
        last_used_at: None,
        revoked_reason: None,
        secrets: Vec::new(),
        roles: Vec::new(),
        attributes: filled(&new.attributes),
    })
}

fn filled(attributes: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut attributes = attributes.clone();
    attributes.retain(|_, value| !value.is_empty());
    attributes
}

/// The login name that an entered name becomes.
fn whole_name(entered: &str, tenant: &TenantId) -> Result<LoginName, CredentialError> {
    let refused = |text: &str, why| CredentialError::Name {
        text: text.into(),
        why,
    };
    LoginName::parse_device(entered).map_err(|why| refused(entered, why))?;
    let whole = format!("{entered}@{tenant}");
    LoginName::parse_device(&whole).map_err(|why| refused(&whole, why))
}

/// The one scheme there is.
pub(crate) const SCHEME: &str = "basic";

#[cfg(test)]
mod tests {
    use countersign_core::store::{AuditQuery, GateStore as _};
    use countersign_sqlite::SqliteStore;

    use super::*;
    use crate::check::Verdict;
    use crate::context::{RandomError, RandomSource};
    use crate::credential::{reset_password, show};
    use crate::fixture::{Fixture, NoRandomness, login_name, new_credential, tenant_id};
    use crate::password::ChosenPassword;

    fn chosen(password: &[u8]) -> NewCredential {
        NewCredential {
            secret: NewSecret::Chosen(ChosenPassword::parse(password.to_vec()).unwrap()),
            ..new_credential("dev2")
        }
    }

    #[test]
    fn an_entered_name_becomes_that_name_at_the_tenant() {
        let mut fixture = Fixture::with_credential();
        for (entered, whole) in [("a", "a@acme"), ("a@b", "a@b@acme"), ("ü x", "ü x@acme")] {
            let issued = fixture.credential(entered).unwrap();
            assert_eq!(issued.credential.name, login_name(whole));
        }
        for bad in ["", " a", "a ", "a+", "a#", "a\0", "a\nb", &"x".repeat(251)] {
            let error = fixture.credential(bad).err().unwrap();
            assert!(
                matches!(error, CredentialError::Name { .. }),
                "{bad:?}: {error}"
            );
            assert!(!error.to_string().contains('\n'), "{error}");
        }
        fixture.credential(&"x".repeat(250)).unwrap();
    }

    #[test]
    fn a_new_credential_is_inactive_and_unused() {
        let mut fixture = Fixture::with_credential();
        let credential = fixture.show("dev1@acme");
        assert_eq!(credential.state, State::Inactive);
        assert_eq!(credential.generation, Generation::FIRST);
        assert_eq!(credential.tenant, Some(tenant_id("acme")));
        assert_eq!(
            (credential.last_used_at, credential.ever_used),
            (None, false)
        );
        assert_eq!(credential.created_at, fixture.now);
        assert_eq!(credential.secrets.len(), 1);
        assert_eq!(
            fixture.acts(),
            ["tenant.create acme", "credential.create dev1@acme"]
        );
    }

    #[test]
    fn a_generated_secret_is_handed_out_once_and_a_chosen_one_never() {
        let mut fixture = Fixture::with_credential();
        let issued = fixture.credential("dev3").unwrap();
        assert!(issued.secret.unwrap().expose().starts_with(b"cs_"));
        let issued = fixture
            .act(|store, context| create(store, context, chosen(b"pw")))
            .unwrap();
        assert!(issued.secret.is_none());
        assert_eq!(fixture.check("dev2@acme", Some(b"pw")), Verdict::Allow);
    }

    #[test]
    fn no_secret_and_no_hash_of_one_is_in_the_audit() {
        let mut fixture = Fixture::with_credential();
        let secret = fixture.credential("dev3").unwrap().secret.unwrap();
        let secret = String::from_utf8(secret.expose().to_vec()).unwrap();
        fixture
            .act(|store, context| create(store, context, chosen(b"hunter2")))
            .unwrap();
        let entries = crate::audit::list(&mut fixture.store, &AuditQuery::default()).unwrap();
        let text = format!("{entries:?}");
        assert!(text.contains("dev2@acme"));
        for hidden in [secret.as_str(), "hunter2", "argon2id", "cs_"] {
            assert!(!text.contains(hidden), "{hidden}");
        }
    }

    #[test]
    fn a_name_is_taken_once_in_a_tenant_and_again_in_another() {
        let mut fixture = Fixture::with_credential();
        let error = fixture.credential("dev1").err().unwrap();
        assert_eq!(error.to_string(), "`dev1@acme` exists already");
        fixture.tenant("other", &[]).unwrap();
        let new = NewCredential {
            tenant: tenant_id("other"),
            ..new_credential("dev1")
        };
        fixture
            .act(|store, context| create(store, context, new))
            .unwrap();
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_nothing_is_written() {
        let mut fixture = Fixture::with_credential();
        let before = fixture.store.last_change().unwrap();
        let no_tenant = NewCredential {
            tenant: tenant_id("none"),
            ..new_credential("x")
        };
        let bad_dates = NewCredential {
            not_before: Some(Timestamp::from_millis(2)),
            expires_at: Some(Timestamp::from_millis(2)),
            ..new_credential("x")
        };
        let bad_attribute = NewCredential {
            attributes: [("a b".into(), "x".into())].into(),
            ..new_credential("x")
        };
        for new in [no_tenant, bad_dates, bad_attribute] {
            assert!(
                fixture
                    .act(|store, context| create(store, context, new))
                    .is_err()
            );
        }
        assert_eq!(fixture.store.last_change().unwrap(), before);
        assert_eq!(fixture.acts().len(), 2);
    }

    #[test]
    fn without_randomness_there_is_no_credential() {
        let mut fixture = Fixture::with_credential();
        let mut context = Context {
            now: fixture.now,
            actor: "cli:tester",
            random: &mut NoRandomness,
        };
        let error = create(&mut fixture.store, &mut context, new_credential("x"))
            .err()
            .unwrap();
        assert!(matches!(error, CredentialError::Random(_)), "{error}");
        assert!(show(&mut fixture.store, &login_name("x@acme")).is_err());
    }

    /// Randomness for a salt, drawn just before the slow hash, that notices
    /// whether another process could write now.
    struct Witness(SqliteStore);

    impl RandomSource for Witness {
        fn fill(&mut self, _buffer: &mut [u8]) -> Result<(), RandomError> {
            let begun = self.0.begin(Intent::Write);
            begun.map(|_| ()).map_err(|_| RandomError)
        }
    }

    #[test]
    fn nobody_waits_for_a_lock_while_a_password_is_hashed() {
        let mut fixture = Fixture::with_credential();
        let path = fixture.directory.path().join("store.db");
        let mut context = Context {
            now: fixture.now,
            actor: "cli:tester",
            random: &mut Witness(SqliteStore::open(path).unwrap()),
        };
        create(&mut fixture.store, &mut context, chosen(b"pw")).unwrap();
        let name = login_name("dev2@acme");
        let secret = NewSecret::Chosen(ChosenPassword::parse(b"pw2".to_vec()).unwrap());
        reset_password(&mut fixture.store, &mut context, &name, secret).unwrap();
        assert_eq!(fixture.check("dev2@acme", Some(b"pw2")), Verdict::Allow);
    }

    #[test]
    fn what_is_given_is_kept_and_an_empty_attribute_is_none() {
        let mut fixture = Fixture::with_credential();
        let new = NewCredential {
            group: GroupPath::parse("DM.X").ok(),
            description: Text::parse("pump").ok(),
            attributes: [("line".into(), "4".into()), ("none".into(), String::new())].into(),
            not_before: Some(Timestamp::from_millis(1)),
            expires_at: Some(Timestamp::from_millis(2)),
            external_identity: true,
            client_id_rule: ClientIdRule::FirstUse,
            ..new_credential("x")
        };
        fixture
            .act(|store, context| create(store, context, new))
            .unwrap();
        let credential = fixture.show("x@acme");
        assert_eq!(credential.group, GroupPath::parse("DM.X").ok());
        assert_eq!(credential.description.as_deref(), Some("pump"));
        assert_eq!(credential.attributes, [("line".into(), "4".into())].into());
        assert_eq!(credential.not_before, Some(Timestamp::from_millis(1)));
        assert_eq!(credential.expires_at, Some(Timestamp::from_millis(2)));
        assert!(credential.external_identity);
        assert_eq!(credential.client_id_rule, ClientIdRule::FirstUse);
    }
}
