//! Tests of what is taken over from elsewhere: secrets, attributes, and names that
//! hold an `@`.

use countersign_core::client_id::ClientIdRule;
use countersign_core::name::LoginName;
use countersign_core::scheme::{FieldValue, Scheme};
use countersign_core::secret::Verifier;
use countersign_core::user::GrantedRight;

use super::{CreateCredential, CredentialChanges, NewCredential, SetCredential, ShowCredential};
use crate::caller::Authority;
use crate::error::{AdminError, ErrorKind, Noun};
use crate::fixture::{Fixture, JANE, login_name, new_credential, scheme_name, tenant_id, text_of};
use crate::password::ChosenPassword;
use crate::scheme::AddScheme;
use crate::secret::{IssuedCredential, NewSecret};

/// A secret of Vwire's, of 64 random bits.
const AT: &str = "at_7f3a1c9e2b844d6f";
const AT_OTHER: &str = "at_8f3a1c9e2b844d6f";

fn taken_over(scheme: &str, name: &str, secret: &str, may_be_weak: bool) -> NewCredential {
    NewCredential {
        scheme: scheme_name(scheme),
        secret: NewSecret::TakenOver {
            secret: ChosenPassword::parse(secret.into()).unwrap(),
            may_be_weak,
        },
        ..new_credential(name)
    }
}

fn make(
    fixture: &mut Fixture,
    scheme: &str,
    name: &str,
    secret: &str,
) -> Result<IssuedCredential, AdminError> {
    let new = taken_over(scheme, name, secret, false);
    fixture.run(&CreateCredential(new))
}

/// Whether the newest secret of a credential is kept as a digest.
fn is_digest(fixture: &mut Fixture, name: &LoginName) -> bool {
    let shown = fixture.run(&ShowCredential(name.clone())).unwrap();
    match &shown.credential.secrets.first().unwrap().verifier {
        Verifier::Digest(_) => true,
        Verifier::Password(_) => false,
    }
}

#[test]
fn a_secret_that_was_given_out_elsewhere_logs_in_and_is_not_shown() {
    let mut fixture = Fixture::with_credential();
    let uuid = "dt_7f3a1c9e-2b84-1d6f-c913-c5e28f01b774";
    for (scheme, name, secret) in [
        ("vwire", "VW-ABC123", AT),
        ("vwire-compat", "VU-ABC123", AT_OTHER),
        ("vwire-token", "greenhouse", uuid),
        (
            "impact",
            "US5591USRS91",
            "iJ6ZIaJNUsILm3WGNr55LDDCV3iQ+RjmOcQbY2IGquY=",
        ),
        ("generated", "123456789012", &"0".repeat(30)),
    ] {
        let issued = make(&mut fixture, scheme, name, secret).unwrap();
        assert!(issued.secret.is_none(), "{scheme}");
        let name = issued.described.credential.name;
        assert!(is_digest(&mut fixture, &name), "{scheme}");
        let username = if scheme == "vwire-token" {
            secret
        } else {
            name.as_str()
        };
        let client_id = match issued.described.credential.client_id_rule {
            ClientIdRule::Exact(id) => id.to_string(),
            ClientIdRule::SameAsSecret => secret.into(),
            ClientIdRule::Any
            | ClientIdRule::FirstUse
            | ClientIdRule::Prefix(_)
            | ClientIdRule::SameAsUsername => name.to_string(),
        };
        let verdict = fixture.check_with(username, &client_id, Some(secret.as_bytes()));
        assert!(verdict.is_allowed(), "{scheme}: {verdict:?}");
    }
    let rows = format!("{:?}", fixture.entries());
    for secret in [AT, AT_OTHER, uuid] {
        assert!(!rows.contains(secret), "{secret}");
    }
}

#[test]
fn a_secret_is_taken_over_once_in_a_store() {
    let mut fixture = Fixture::with_credential();
    fixture.tenant("other", &[]).unwrap();
    make(&mut fixture, "vwire", "VW-ABC123", AT).unwrap();
    for scheme in ["vwire", "vwire-compat"] {
        let again = NewCredential {
            tenant: tenant_id("other"),
            ..taken_over(scheme, "VW-ABC124", AT, true)
        };
        let error = fixture.run(&CreateCredential(again)).err().unwrap();
        assert!(error.is(ErrorKind::Exists, Noun::Password), "{error}");
        assert!(!error.to_string().contains("VW-ABC123"), "{error}");
    }
    assert!(
        fixture
            .run(&ShowCredential(login_name("VW-ABC124")))
            .is_err()
    );
}

#[test]
fn a_weak_secret_is_hashed_slowly_and_only_where_that_is_said() {
    let mut fixture = Fixture::with_credential();
    let text = |text: &str| FieldValue::Text(text.into());
    let fields = [
        ("name", text("pins")),
        ("login_name", text("generated")),
        ("login_name_shape", text("p[0-9]{4}")),
        ("client_id", text("any")),
        ("secret_shape", text("[0-9a-f]{32}")),
        ("accepts_shape", text("[0-9]{4,8}")),
    ];
    let scheme = Scheme::from_fields(fields).unwrap();
    fixture.run(&AddScheme(scheme)).unwrap();
    let error = make(&mut fixture, "pins", "p0001", "1234").err().unwrap();
    assert!(error.is(ErrorKind::Conflict, Noun::Password), "{error}");
    let new = taken_over("pins", "p0001", "1234", true);
    fixture.run(&CreateCredential(new)).unwrap();
    let name = login_name("p0001");
    assert!(!is_digest(&mut fixture, &name));
    assert!(fixture.check("p0001", Some(b"1234")).is_allowed());
    assert!(!fixture.check("p0001", Some(b"1235")).is_allowed());
    // Another may have the same one.
    let same = taken_over("pins", "p0002", "1234", true);
    fixture.run(&CreateCredential(same)).unwrap();
}

/// Makes a credential of `impact` with a token that was given out elsewhere.
fn with_token(
    fixture: &mut Fixture,
    caller: Authority,
    name: &str,
    token: &str,
) -> Result<String, AdminError> {
    let new = NewCredential {
        scheme: scheme_name("impact"),
        attributes: [("token".into(), token.into())].into(),
        ..new_credential(name)
    };
    let issued = fixture.run_by(caller, &CreateCredential(new))?;
    Ok(issued.described.credential.attributes["token"].clone())
}

#[test]
fn a_token_that_was_given_out_elsewhere_reaches_nothing_that_a_tenant_owns() {
    let mut fixture = Fixture::with_admin();
    fixture.tenant("other", &["plant/#"]).unwrap();
    let platform = Authority::Platform;
    assert_eq!(
        with_token(&mut fixture, platform, "A", "1jylmg8lwa1cy").unwrap(),
        "1jylmg8lwa1cy"
    );
    for owned in ["plant", "acme"] {
        let error = with_token(&mut fixture, platform, "B", owned)
            .err()
            .unwrap();
        assert!(error.is(ErrorKind::Conflict, Noun::Scheme), "{error}");
    }
    let error = with_token(&mut fixture, platform, "B", "Upper")
        .err()
        .unwrap();
    assert!(error.is(ErrorKind::Invalid, Noun::Scheme), "{error}");
    let error = with_token(&mut fixture, platform, "B", "1jylmg8lwa1cy")
        .err()
        .unwrap();
    assert!(error.is(ErrorKind::Exists, Noun::Attribute), "{error}");
    // Nor does a tenant that comes later own what it reaches.
    with_token(&mut fixture, platform, "C", "depot").unwrap();
    for namespace in ["depot/#", "depot/x"] {
        let error = fixture.tenant("third", &[namespace]).unwrap_err();
        assert!(error.is(ErrorKind::Conflict, Noun::Scheme), "{error}");
    }
    fixture.tenant("third", &["depots/#"]).unwrap();
}

#[test]
fn a_token_is_found_though_an_older_credential_has_an_attribute_of_its_text() {
    let mut fixture = Fixture::with_admin();
    fixture.credential("old").unwrap();
    with_token(&mut fixture, Authority::Platform, "A", "depot").unwrap();
    let changes = CredentialChanges {
        attributes: [("token".into(), "depot".into())].into(),
        ..CredentialChanges::default()
    };
    let name = login_name("old@acme");
    fixture.run(&SetCredential { name, changes }).unwrap();
    let error = fixture.tenant("third", &["depot/#"]).unwrap_err();
    assert!(error.is(ErrorKind::Conflict, Noun::Scheme), "{error}");
}

#[test]
fn a_token_is_judged_with_whatever_its_other_attributes_become() {
    let mut fixture = Fixture::with_admin();
    fixture.tenant("other", &["depot/x/#"]).unwrap();
    let text = |text: &str| FieldValue::Text(text.into());
    let patterns = vec!["${attr.token}/${attr.line}/#".into()];
    let fields = [
        ("name", text("lines")),
        ("login_name", text("suffixed")),
        ("client_id", text("any")),
        ("secret_shape", text("[0-9a-f]{32}")),
        ("token_shape", text("[0-9a-z]{12}")),
        ("token_accepts_shape", text("[0-9a-z]{1,13}")),
        ("publish", FieldValue::List(patterns)),
    ];
    fixture
        .run(&AddScheme(Scheme::from_fields(fields).unwrap()))
        .unwrap();
    let mut make = |token: &str, line: &str| {
        let attributes = [("token", token), ("line", line)];
        let new = NewCredential {
            scheme: scheme_name("lines"),
            attributes: attributes
                .map(|(key, value)| (key.into(), value.into()))
                .into(),
            ..new_credential(token)
        };
        fixture.run(&CreateCredential(new)).err()
    };
    for line in ["y", ""] {
        let error = make("depot", line).unwrap();
        assert!(error.is(ErrorKind::Conflict, Noun::Scheme), "{error}");
    }
    assert!(make("yard", "y").is_none());
    let error = fixture.tenant("third", &["yard/x/#"]).unwrap_err();
    assert!(error.is(ErrorKind::Conflict, Noun::Scheme), "{error}");
}

#[test]
fn only_the_platform_takes_over_what_a_scheme_fills() {
    let mut fixture = Fixture::with_admin();
    let jane = fixture.session_of(JANE);
    let error = with_token(&mut fixture, jane, "A", "abc").err().unwrap();
    assert!(error.is(ErrorKind::Forbidden, Noun::Caller), "{error}");
    let new = taken_over("vwire", "VW-ABC123", AT, false);
    fixture.run_by(jane, &CreateCredential(new)).unwrap();
}

fn kept(fixture: &mut Fixture, name: &str) -> Result<IssuedCredential, AdminError> {
    let new = NewCredential {
        scheme: scheme_name("plain"),
        keeps_at: true,
        ..new_credential(name)
    };
    fixture.run(&CreateCredential(new))
}

#[test]
fn a_kept_name_is_in_the_way_of_a_tenant_and_a_user_and_they_of_it() {
    let mut fixture = Fixture::with_admin();
    fixture.tenant("other", &[]).unwrap();
    for name in [
        "a@home",
        "b@home",
        "c@home",
        "d@home",
        "Kate@mail.test",
        "x@acme",
    ] {
        let issued = kept(&mut fixture, name).unwrap();
        let secret = text_of(&issued.secret.unwrap());
        assert!(
            fixture.check(name, Some(secret.as_bytes())).is_allowed(),
            "{name}"
        );
    }
    let error = fixture.tenant("home", &["h/#"]).unwrap_err();
    assert!(error.is(ErrorKind::Conflict, Noun::Tenant), "{error}");
    assert!(
        error
            .to_string()
            .contains("`a@home`, `b@home`, `c@home` and more"),
        "{error}"
    );
    let password = ChosenPassword::parse(b"hunter2".to_vec()).unwrap();
    let create = crate::user::CreateUser::new(login_name("kate@mail.test"), password);
    let error = fixture.run(&create).err().unwrap();
    assert_eq!(error.to_string(), "`Kate@mail.test` exists already");
    for (name, kind) in [
        ("x@other", ErrorKind::Conflict),
        ("JANE@mail.test", ErrorKind::Exists),
        ("J\u{d6}RG@mail.test", ErrorKind::Invalid),
        ("jane@\u{dc}ml.test", ErrorKind::Invalid),
        ("dev1@acme", ErrorKind::Exists),
        ("jwt:x@home", ErrorKind::Invalid),
        ("application:x@home", ErrorKind::Invalid),
    ] {
        let error = kept(&mut fixture, name).err().unwrap();
        assert_eq!(error.kind(), kind, "{name}: {error}");
    }
    for name in ["a@home", "b@home", "c@home", "d@home"] {
        fixture.delete(name);
    }
    fixture.tenant("home", &["h/#"]).unwrap();
    let error = kept(&mut fixture, "a@home").err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
}

#[test]
fn only_an_import_keeps_names_with_an_at_sign() {
    let mut fixture = Fixture::with_admin();
    let error = fixture.of_scheme("plain", Some("a@home")).err().unwrap();
    assert!(error.is(ErrorKind::Invalid, Noun::Scheme), "{error}");
    fixture.user("kate@mail.test");
    let right = GrantedRight::OrgAdmin;
    fixture.grant("kate@mail.test", "acme", right).unwrap();
    let kate = fixture.session_of("kate@mail.test");
    let new = NewCredential {
        scheme: scheme_name("plain"),
        keeps_at: true,
        ..new_credential("a@home")
    };
    let error = fixture.run_by(kate, &CreateCredential(new)).err().unwrap();
    assert!(error.is(ErrorKind::Forbidden, Noun::Caller), "{error}");
}
