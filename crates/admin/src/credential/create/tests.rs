//! Tests of making credentials.

use std::collections::BTreeSet;

use countersign_core::client_id::ClientId;
use countersign_core::credential::Generation;
use countersign_core::lifecycle::State;
use countersign_core::store::{AdminStore as _, GateStore as _, Intent};
use countersign_sqlite::SqliteStore;

use super::*;
use crate::check::ConnectVerdict;
use crate::command::run;
use crate::context::{Context, RandomError, RandomSource};
use crate::credential::{ResetPassword, ShowCredential};
use crate::error::{ErrorKind, Noun};
use crate::fixture::{
    Fixture, JANE, NoRandomness, login_name, new_credential, new_tenant, role_name, scheme_name,
    tenant_id,
};
use crate::password::ChosenPassword;
use crate::tenant::{CreateTenant, NewTenant, SetTenant, TenantChanges};

fn chosen(password: &[u8]) -> NewCredential {
    NewCredential {
        secret: NewSecret::Chosen(ChosenPassword::parse(password.to_vec()).unwrap()),
        ..new_credential("dev2")
    }
}

#[test]
fn names_that_stay_as_they_are_begin_with_the_tenants_prefix_unless_the_platform_gives_them() {
    let mut fixture = Fixture::with_admin();
    let jane = fixture.session_of(JANE);
    let plain = |name: &str| {
        CreateCredential(NewCredential {
            scheme: SchemeName::plain(),
            ..new_credential(name)
        })
    };
    let refusal = |fixture: &mut Fixture, name: &str| {
        let error = fixture.run_by(jane, &plain(name)).err().unwrap();
        assert!(error.is(ErrorKind::Forbidden, Noun::Caller), "{error}");
        error.to_string()
    };
    assert_eq!(
        refusal(&mut fixture, "aa:bb"),
        "tenant `acme` has no prefix for names of scheme `plain`, so a platform administrator \
             gives them"
    );
    fixture.run(&plain("aa:bb")).unwrap();
    let changes = TenantChanges {
        name_prefix: Some(Some(login_name("ac-"))),
        ..TenantChanges::default()
    };
    let id = tenant_id("acme");
    fixture.run(&SetTenant { id, changes }).unwrap();
    // Whether the name is taken is not told either.
    for name in ["aa:bb", "AC-1", "ac"] {
        assert_eq!(
            refusal(&mut fixture, name),
            format!(
                "`{name}` does not begin with `ac-`, as names of scheme `plain` in tenant \
                     `acme` do"
            )
        );
    }
    fixture.run_by(jane, &plain("ac-1")).unwrap();
    fixture
        .run_by(jane, &CreateCredential(new_credential("any")))
        .unwrap();
}

#[test]
fn the_whole_name_may_be_given_and_that_of_another_tenant_may_not() {
    let mut fixture = Fixture::with_credential();
    fixture.tenant("globex", &[]).unwrap();
    let issued = fixture.credential("whole@acme").unwrap();
    let name = issued.described.credential.name;
    assert_eq!(name, login_name("whole@acme"));
    assert!(fixture.credential("whole").is_err());
    let error = fixture.credential("dev9@globex").err().unwrap();
    assert!(error.to_string().contains("`globex`"), "{error}");
    for bad in ["@acme", "a\u{202e}b", "a\u{200b}b@acme"] {
        assert!(fixture.credential(bad).is_err(), "{bad}");
    }
}

#[test]
fn an_entered_name_becomes_that_name_at_the_tenant() {
    let mut fixture = Fixture::with_credential();
    for (entered, whole) in [("a", "a@acme"), ("a@b", "a@b@acme"), ("ü x", "ü x@acme")] {
        let issued = fixture.credential(entered).unwrap();
        assert_eq!(issued.described.credential.name, login_name(whole));
    }
    for bad in ["", " a", "a ", "a+", "a#", "a\0", "a\nb", &"x".repeat(251)] {
        let error = fixture.credential(bad).err().unwrap();
        assert!(
            error.is(ErrorKind::Invalid, Noun::Scheme),
            "{bad:?}: {error}"
        );
    }
    fixture.credential(&"x".repeat(250)).unwrap();
}

/// Who had such a name would keep the bearers of tokens out.
#[test]
fn names_that_are_kept_for_others_are_refused() {
    let mut fixture = Fixture::with_credential();
    fixture.scheme(&[
        ("name", "bare"),
        ("login_name", "given"),
        ("client_id", "any"),
        ("secret_shape", "[0-9a-f]{32}"),
    ]);
    for (scheme, name) in [
        ("basic", "jwt:portal"),
        ("basic", "application:fleet"),
        ("bare", "jwt"),
        ("bare", "jwt:x"),
    ] {
        let error = fixture.of_scheme(scheme, Some(name)).err().unwrap();
        assert!(error.is(ErrorKind::Invalid, Noun::Credential), "{name}");
    }
    assert!(fixture.of_scheme("basic", Some("jwt")).is_ok());
}

#[test]
fn of_a_secret_that_serves_as_a_name_its_beginning_is_kept() {
    let mut fixture = Fixture::with_credential();
    for (scheme, name, literal) in [
        ("vwire-token", Some("x"), Some("dt_")),
        ("vwire-compat", None, Some("at_")),
        ("vwire", None, None),
        ("basic", Some("y"), None),
    ] {
        let issued = fixture.of_scheme(scheme, name).unwrap();
        let secret = crate::fixture::text_of(&issued.secret.unwrap());
        let hint = issued.described.credential.secrets[0].hint.clone();
        let expected = literal.map(|literal| secret.split_at(literal.len() + 4).0);
        assert_eq!(hint.as_deref(), expected, "{scheme}");
    }
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
    let issued = fixture.run(&CreateCredential(chosen(b"pw"))).unwrap();
    assert!(issued.secret.is_none());
    assert_eq!(
        fixture.check("dev2@acme", Some(b"pw")),
        ConnectVerdict::Allow
    );
}

#[test]
fn no_secret_and_no_hash_of_one_is_in_the_audit() {
    let mut fixture = Fixture::with_credential();
    let secret = fixture.credential("dev3").unwrap().secret.unwrap();
    let secret = String::from_utf8(secret.expose().to_vec()).unwrap();
    fixture.run(&CreateCredential(chosen(b"hunter2"))).unwrap();
    let entries = fixture.run(&crate::audit::ListAudit::default()).unwrap();
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
    fixture.run(&CreateCredential(new)).unwrap();
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
        assert!(fixture.run(&CreateCredential(new)).is_err());
    }
    assert_eq!(fixture.store.last_change().unwrap(), before);
    assert_eq!(fixture.acts().len(), 2);
}

#[test]
fn without_randomness_there_is_no_credential() {
    let mut fixture = Fixture::with_credential();
    let mut context = Context {
        now: fixture.now,
        caller: crate::Caller::owner("cli:tester"),
        random: &mut NoRandomness,
    };
    let new = CreateCredential(new_credential("x"));
    let error = run(&mut fixture.store, &mut context, &new).err().unwrap();
    assert!(error.to_string().contains("random bytes"), "{error}");
    let shown = fixture.run(&ShowCredential(login_name("x@acme")));
    assert!(shown.is_err());
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
        caller: crate::Caller::owner("cli:tester"),
        random: &mut Witness(SqliteStore::open(path).unwrap()),
    };
    let new = CreateCredential(chosen(b"pw"));
    run(&mut fixture.store, &mut context, &new).unwrap();
    let name = login_name("dev2@acme");
    let secret = NewSecret::Chosen(ChosenPassword::parse(b"pw2".to_vec()).unwrap());
    let reset = ResetPassword { name, secret };
    run(&mut fixture.store, &mut context, &reset).unwrap();
    assert_eq!(
        fixture.check("dev2@acme", Some(b"pw2")),
        ConnectVerdict::Allow
    );
}

#[test]
fn what_is_given_is_kept_and_an_empty_attribute_is_none() {
    let mut fixture = Fixture::with_credential();
    let new = NewCredential {
        groups: ["DM.X", "A"]
            .map(|path| GroupPath::parse(path).unwrap())
            .into(),
        description: FreeText::parse("pump").ok(),
        attributes: [("line".into(), "4".into()), ("none".into(), String::new())].into(),
        not_before: Some(Timestamp::from_millis(1)),
        expires_at: Some(Timestamp::from_millis(2)),
        external_identity: true,
        client_id_rule: Some(ClientIdRule::FirstUse),
        ..new_credential("x")
    };
    fixture.run(&CreateCredential(new)).unwrap();
    let credential = fixture.show("x@acme");
    let groups = credential.groups.iter().map(GroupPath::as_str);
    assert_eq!(groups.collect::<Vec<_>>(), ["DM.X", "A"]);
    assert_eq!(credential.description.as_deref(), Some("pump"));
    assert_eq!(credential.attributes, [("line".into(), "4".into())].into());
    assert_eq!(credential.not_before, Some(Timestamp::from_millis(1)));
    assert_eq!(credential.expires_at, Some(Timestamp::from_millis(2)));
    assert!(credential.external_identity);
    assert_eq!(credential.client_id_rule, ClientIdRule::FirstUse);
}

/// What a client of the credential presents: name, client id, secret.
fn triple(issued: &IssuedCredential) -> [String; 3] {
    let view = serde_json::to_value(crate::view::IssuedCredentialView::of(issued)).unwrap();
    let text = |key: &str| view[key].as_str().unwrap_or_default().to_owned();
    [text("username"), text("client_id"), text("secret")]
}

#[test]
fn a_thousand_generated_credentials_share_nothing() {
    let mut fixture = Fixture::with_credential();
    let mut seen = BTreeSet::new();
    for _ in 0..1_000 {
        let issued = fixture.of_scheme("generated", None).unwrap();
        let [name, client_id, secret] = triple(&issued);
        let digits = |text: &str| text.len() == 15 && text.bytes().all(|b| b.is_ascii_digit());
        assert!(digits(&name) && digits(&client_id), "{name} {client_id}");
        assert!(secret.len() == 30, "{secret}");
        for text in [name, client_id, secret] {
            assert!(seen.insert(text));
        }
    }
}

#[test]
fn every_scheme_makes_what_its_client_presents() {
    let mut fixture = Fixture::with_credential();
    let mut presented = |scheme, name| triple(&fixture.of_scheme(scheme, name).unwrap());
    let [name, client_id, secret] = presented("basic", Some("x"));
    assert_eq!((name.as_str(), client_id.as_str()), ("x@acme", ""));
    assert!(secret.starts_with("cs_"));
    let [name, client_id, _] = presented("impact", Some("x"));
    assert_eq!((name.as_str(), client_id.as_str()), ("X", ""));
    let [name, client_id, secret] = presented("vwire", None);
    assert_eq!(name, client_id);
    assert!(secret.starts_with("at_"));
    let [name, client_id, _] = presented("vwire-compat", Some("VU-ABC123"));
    assert_eq!((name.as_str(), client_id.as_str()), ("VU-ABC123", ""));
    let [name, client_id, secret] = presented("vwire-token", Some("greenhouse"));
    assert_eq!((&name, &client_id), (&secret, &secret));
    let shown = fixture.show("greenhouse@acme");
    assert_eq!(shown.attributes["device"], "greenhouse");
    assert!(!format!("{:?}", fixture.entries()).contains(&secret));
}

#[test]
fn things_are_not_made_by_themselves() {
    let mut fixture = Fixture::with_credential();
    let error = fixture.of_scheme("application", Some("t")).err().unwrap();
    assert!(error.is(ErrorKind::Invalid, Noun::Application));
    let error = fixture.of_scheme("none", Some("t")).err().unwrap();
    assert!(
        error
            .to_string()
            .starts_with("there is no scheme `none`; known are ")
    );
}

#[test]
fn a_made_name_that_is_taken_is_made_again_until_none_is_left() {
    let mut fixture = Fixture::with_credential();
    fixture.scheme(&[
        ("name", "tiny"),
        ("login_name", "generated"),
        ("login_name_shape", "d[0-9]"),
        ("client_id", "any"),
        ("secret_shape", "[0-9a-f]{32}"),
    ]);
    let mut made = 0;
    let error = loop {
        match fixture.of_scheme("tiny", None) {
            Ok(_) => made += 1,
            Err(error) => break error,
        }
    };
    // The last free name of ten may be missed, by a chance of one in 800.
    assert!((9..=10).contains(&made), "{made}");
    assert!(error.is(ErrorKind::Conflict, Noun::Scheme), "{error}");
    for digit in 0..10 {
        let name = format!("d{digit}");
        if let Some(given) = fixture.of_scheme("tiny", Some(&name)).err() {
            assert_eq!(given.to_string(), format!("`{name}` exists already"));
        }
    }
}

#[test]
fn what_a_scheme_fills_is_there_once_unless_its_topics_tell_tenants_apart() {
    let mut fixture = Fixture::with_credential();
    fixture.of_scheme("impact", Some("#SN#86a3")).unwrap();
    let again = fixture.of_scheme("impact", Some("#SN#86a3")).err().unwrap();
    assert!(
        again.to_string().starts_with("attribute `serial` of `SN-"),
        "{again}"
    );
    fixture.tenant("other", &[]).unwrap();
    for tenant in ["acme", "other"] {
        let new = NewCredential {
            tenant: tenant_id(tenant),
            scheme: scheme_name("vwire-token"),
            ..new_credential("greenhouse")
        };
        fixture.run(&CreateCredential(new)).unwrap();
    }
}

#[test]
fn the_first_use_of_a_scheme_must_not_reach_what_others_own() {
    let mut fixture = Fixture::with_credential();
    fixture
        .tenant("other", &["us/#", "vwire/VW-ABC123/#"])
        .unwrap();
    let acts = fixture.acts();
    for scheme in ["impact", "vwire", "vwire-compat"] {
        let name = (scheme == "impact").then_some("x");
        let error = fixture.of_scheme(scheme, name).err().unwrap();
        assert!(error.is(ErrorKind::Conflict, Noun::Scheme), "{error}");
    }
    assert_eq!(fixture.acts(), acts);
    for scheme in ["basic", "vwire-token"] {
        fixture
            .of_scheme(scheme, Some("y"))
            .unwrap_or_else(|error| panic!("{error}"));
        fixture.delete("y@acme");
    }
}

#[test]
fn a_role_that_is_given_must_be_there() {
    let mut fixture = Fixture::with_credential();
    fixture.role("ops").unwrap();
    let with = |roles: &[&str]| NewCredential {
        roles: roles.iter().map(|role| role_name(role)).collect(),
        ..new_credential("x")
    };
    let error = fixture.run(&CreateCredential(with(&["none"])));
    assert!(error.err().unwrap().to_string().contains("no role `none`"));
    let new = with(&["ops", "ops"]);
    fixture.run(&CreateCredential(new)).unwrap();
    assert_eq!(fixture.show("x@acme").roles, [role_name("ops")]);
}

#[test]
fn a_client_id_that_is_the_secret_keeps_the_prefixes_of_tenants() {
    let mut fixture = Fixture::with_credential();
    for (tenant, prefix) in [("fits", "dt_"), ("longer", "x-")] {
        let new = NewTenant {
            client_id_prefix: ClientId::parse(prefix).ok(),
            ..new_tenant(tenant, &[])
        };
        fixture.run(&CreateTenant(new)).unwrap();
    }
    for (tenant, is_made) in [("fits", true), ("longer", false), ("acme", false)] {
        let new = NewCredential {
            tenant: tenant_id(tenant),
            scheme: scheme_name("vwire-token"),
            ..new_credential("x")
        };
        let made = fixture.run(&CreateCredential(new));
        assert_eq!(made.is_ok(), is_made, "{tenant}");
    }
}
