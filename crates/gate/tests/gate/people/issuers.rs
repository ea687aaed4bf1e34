//! Logins by tokens that issuers of others signed.

use std::time::Duration;

use countersign::core::client_id::ClientIdRule;
use countersign::core::issuer::{
    ClaimName, IdentityClaim, IssuerName, IssuerText, KeyPlace, KeysUrl, MaxKeyAge,
};
use countersign::core::kind::Application;
use countersign::core::lockout::LockoutPolicy;
use countersign::core::reason::Reason;
use countersign::core::role::RoleName;
use countersign::core::rule::{Action, Pattern, Rule};
use countersign::core::scheme::SchemeName;
use countersign::core::tenant::Authentication;
use countersign::core::user::GrantedRight;
use countersign::{ConnectInfo, ConnectOutcome, Enhanced, Handle, RefusalCode, TOKEN_METHODS};
use countersign_admin::credential::{
    CreateCredential, DeleteCredential, NewCredential, SuspendCredential,
};
use countersign_admin::issuer::{
    AddIssuer, AskForKeys, KeyOrigin, ListDueKeys, NoteFetchedKeys, RemoveIssuer,
    RevokeIssuedToken, SetIssuerKeys,
};
use countersign_admin::operator::{CreateOperator, NewOperator};
use countersign_admin::role::{ChangeRoleRules, DeleteRole, RoleDeletion};
use countersign_admin::rule::RuleChange;
use countersign_admin::secret::NewSecret;
use countersign_admin::settings::{SetSettings, SettingsChanges};
use countersign_admin::tenant::{SetTenant, TenantChanges};
use countersign_issuer::{KeySet, KeyText};
use countersign_testkit::token_issuer::TokenIssuer;
use serde_json::{Value, json};

use super::certificates::add_device;
use crate::fixture::{
    Fixture, JANE, TRY, Try, admitted, is_challenged, name, refused, role_right, tenant_id,
};

const ISS: &str = "https://sso.example";

/// `dev1@acme`, `dev1@beta` and `dev2@acme`, and an issuer of each tenant, by the keys 1
/// and 2, for `acme` and `beta`.
pub(super) fn fixture() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.role("more", "acme", "acme/#");
    let forbid = Rule::deny(Action::Both, Pattern::parse("acme/no/#").unwrap());
    let forbid = ChangeRoleRules {
        tenant: tenant_id("acme"),
        name: RoleName::parse("more").unwrap(),
        change: RuleChange::Add(forbid),
        group: None,
    };
    fixture.run(&forbid).unwrap();
    for device in ["dev1", "dev2"] {
        let new = NewCredential::new(tenant_id("acme"), device);
        fixture.run(&CreateCredential(new)).unwrap();
    }
    let theirs = NewCredential::new(tenant_id("beta"), "dev1");
    fixture.run(&CreateCredential(theirs)).unwrap();
    for (tenant, key) in [("acme", 1), ("beta", 2)] {
        fixture.run(&issuer(tenant, key)).unwrap();
    }
    fixture.settle();
    fixture
}

pub(super) fn issuer(tenant: &str, key: u8) -> AddIssuer {
    AddIssuer {
        name: called(tenant),
        tenant: tenant_id(tenant),
        issuer: text(ISS),
        audience: text(tenant),
        algorithms: "EdDSA".parse().unwrap(),
        identity: IdentityClaim::parse("sub").unwrap(),
        role_claim: None,
        roles: [].into(),
        registers: None,
        keys: KeyOrigin::Given(keys(key)),
    }
}

fn keys(key: u8) -> KeySet {
    let jwks = TokenIssuer::new(key).jwks();
    KeySet::of_jwks(&jwks, &"EdDSA".parse().unwrap()).unwrap()
}

pub(super) fn called(text: &str) -> IssuerName {
    IssuerName::parse(text).unwrap()
}

pub(super) fn text(text: &str) -> IssuerText {
    IssuerText::parse(text).unwrap()
}

/// What a token for an hour claims.
pub(super) fn claims(fixture: &Fixture, audience: &str, subject: &str) -> Value {
    let now = fixture.now().as_millis() / 1_000;
    json!({ "iss": ISS, "aud": audience, "sub": subject, "jti": "t-1", "iat": now, "exp": now + 3_600 })
}

pub(super) fn token(fixture: &Fixture, key: u8, audience: &str, subject: &str) -> String {
    TokenIssuer::new(key).sign(&claims(fixture, audience, subject))
}

fn connect(fixture: &mut Fixture, username: &str, token: &str) -> ConnectOutcome {
    fixture.connect(with(username, token))
}

pub(super) fn with<'a>(username: &'a str, token: &'a str) -> Try<'a> {
    Try {
        name: username,
        password: token,
        ..TRY
    }
}

#[test]
fn a_token_names_a_credential_of_its_issuers_tenant_alone() {
    let mut fixture = fixture();
    let ours = token(&fixture, 1, "acme", "dev1");
    for username in ["jwt", "dev1@acme"] {
        assert_eq!(
            admitted(&connect(&mut fixture, username, &ours)),
            "dev1@acme"
        );
    }
    assert!(fixture.publishes(TRY, "dev1@acme", "acme/x"));
    let theirs = token(&fixture, 2, "beta", "dev1");
    let other = Try {
        handle: 2,
        client_id: "b",
        ..with("jwt", &theirs)
    };
    assert_eq!(admitted(&fixture.connect(other)), "dev1@beta");
    for username in ["dev2@acme", "dev1@beta", JANE, "nobody", "jwt:dev1@acme"] {
        let outcome = connect(&mut fixture, username, &ours);
        assert_eq!(refused(&outcome), Reason::BadSecret, "{username}");
    }
    for (subject, reason) in [
        ("dev1@beta", Reason::UnknownName),
        ("dev1@acme", Reason::UnknownName),
        ("nobody", Reason::UnknownName),
        (JANE, Reason::UnknownName),
        ("", Reason::UnknownName),
        ("dev1\0", Reason::UnknownName),
    ] {
        let stranger = token(&fixture, 1, "acme", subject);
        let outcome = connect(&mut fixture, "jwt", &stranger);
        assert_eq!(refused(&outcome), reason, "{subject:?}");
    }
}

#[test]
fn a_token_stands_for_no_operator_user_application_or_thing_and_no_other_tenants_device() {
    let mut fixture = fixture();
    for tenant in ["acme", "beta"] {
        let plain = NewCredential {
            scheme: SchemeName::plain(),
            ..NewCredential::new(tenant_id(tenant), format!("meter of {tenant}"))
        };
        fixture.run(&CreateCredential(plain)).unwrap();
    }
    let operator = NewOperator {
        name: name("bridge"),
        secret: NewSecret::Generated,
        rules: Vec::new(),
    };
    fixture.run(&CreateOperator(operator)).unwrap();
    fixture.application("fleet", Application::default());
    fixture.thing("pump-1", "fleet");
    fixture.grant(JANE, "acme", GrantedRight::OrgAdmin);
    let (_, _) = fixture.token(JANE, &[], 60);
    fixture.settle();
    let by_any_name = token(&fixture, 1, "acme", "meter of acme");
    let outcome = connect(&mut fixture, "jwt", &by_any_name);
    assert_eq!(admitted(&outcome), "meter of acme");
    for subject in [
        "meter of beta",
        "bridge",
        "bridge@acme",
        JANE,
        "fleet",
        "fleet@acme",
        "pump-1",
        "pump-1@acme",
        "jwt:script@acme",
        "jwt:script",
    ] {
        let stranger = token(&fixture, 1, "acme", subject);
        for username in ["jwt", subject] {
            let it = Try {
                handle: 2,
                client_id: "b",
                ..with(username, &stranger)
            };
            let reason = refused(&fixture.connect(it));
            assert_eq!(reason, Reason::UnknownName, "{subject}");
        }
    }
}

#[test]
fn a_key_of_another_issuer_is_no_key_whatever_a_token_calls_it() {
    let mut fixture = fixture();
    let claims = claims(&fixture, "acme", "dev1");
    // Signed by the key of beta's issuer, under its own name and under that of acme's.
    for called in ["key-2", "key-1"] {
        let theirs = TokenIssuer::new(2).calling_its_key(called);
        let outcome = connect(&mut fixture, "jwt", &theirs.sign(&claims));
        assert_eq!(refused(&outcome), Reason::BadSecret, "{called}");
    }
    // Its own key under the name of the other's is not looked for there.
    let ours = TokenIssuer::new(1).calling_its_key("key-2");
    let outcome = connect(&mut fixture, "jwt", &ours.sign(&claims));
    assert_eq!(refused(&outcome), Reason::BadSecret);
}

#[test]
fn a_token_of_another_key_or_for_others_proves_nothing_in_any_mode() {
    let mut fixture = fixture();
    let of_both = {
        let mut both = claims(&fixture, "acme", "dev1");
        both["aud"] = json!(["acme", "beta"]);
        TokenIssuer::new(1).sign(&both)
    };
    let bad = [
        token(&fixture, 2, "acme", "dev1"),
        token(&fixture, 3, "acme", "dev1"),
        token(&fixture, 1, "beta", "dev1"),
        token(&fixture, 1, "none", "dev1"),
        of_both,
    ];
    for mode in [
        Authentication::Off,
        Authentication::Optional,
        Authentication::Required,
    ] {
        let set = SetTenant {
            id: tenant_id("acme"),
            changes: TenantChanges {
                authentication: Some(mode),
                ..TenantChanges::default()
            },
        };
        fixture.run(&set).unwrap();
        fixture.settle();
        for token in &bad {
            for username in ["jwt", "dev1@acme"] {
                let outcome = connect(&mut fixture, username, token);
                assert_eq!(
                    refused(&outcome),
                    Reason::BadSecret,
                    "{mode:?} {username} {token}"
                );
            }
            // So that no address is held up for the next one.
            fixture.pass(Duration::from_secs(60));
        }
    }
    // For one of them and for somebody else, it says whom it means.
    let mut others = claims(&fixture, "acme", "dev1");
    others["aud"] = json!(["acme", "web"]);
    let others = TokenIssuer::new(1).sign(&others);
    assert_eq!(
        admitted(&connect(&mut fixture, "jwt", &others)),
        "dev1@acme"
    );
}

#[test]
fn a_session_ends_with_its_token_and_with_all_that_it_rests_on() {
    type Act = fn(&mut Fixture);
    let acts: [(Act, Reason); 5] = [
        (|it| it.pass(Duration::from_secs(3_600)), Reason::Expired),
        (
            |it| {
                let revoke = RevokeIssuedToken {
                    issuer: called("acme"),
                    token: text("t-1"),
                };
                it.run(&revoke).unwrap();
            },
            Reason::Revoked,
        ),
        (
            |it| drop(it.run(&SuspendCredential(name("dev1@acme"))).unwrap()),
            Reason::Suspended,
        ),
        (
            |it| it.run(&DeleteCredential(name("dev1@acme"))).unwrap(),
            Reason::UnknownName,
        ),
        (
            |it| it.run(&RemoveIssuer(called("acme"))).unwrap(),
            Reason::BadSecret,
        ),
    ];
    for (number, (act, reason)) in acts.into_iter().enumerate() {
        let mut fixture = fixture();
        let mine = token(&fixture, 1, "acme", "dev1");
        assert_eq!(admitted(&connect(&mut fixture, "jwt", &mine)), "dev1@acme");
        assert_eq!(fixture.kicked(), [""; 0]);
        act(&mut fixture);
        assert_eq!(fixture.kicked(), ["a"], "{number}");
        let outcome = connect(&mut fixture, "jwt", &mine);
        assert_eq!(refused(&outcome), reason, "{number}");
    }
}

#[test]
fn a_token_that_let_its_device_in_counts_no_more_from_the_commit_that_revokes_it() {
    let mut fixture = fixture();
    let mine = token(&fixture, 1, "acme", "dev1");
    for _ in 0..2 {
        assert_eq!(admitted(&connect(&mut fixture, "jwt", &mine)), "dev1@acme");
    }
    let revoke = RevokeIssuedToken {
        issuer: called("acme"),
        token: text("t-1"),
    };
    fixture.run(&revoke).unwrap();
    let other = Try {
        handle: 2,
        client_id: "b",
        ..with("jwt", &mine)
    };
    assert_eq!(refused(&fixture.connect(other)), Reason::Revoked);
}

#[test]
fn other_keys_end_no_session_and_the_ones_before_prove_nothing_more() {
    let mut fixture = fixture();
    let old = token(&fixture, 1, "acme", "dev1");
    assert_eq!(admitted(&connect(&mut fixture, "jwt", &old)), "dev1@acme");
    let set = SetIssuerKeys {
        name: called("acme"),
        keys: KeyOrigin::Given(KeyText::Jwks(TokenIssuer::new(4).jwks())),
    };
    fixture.run(&set).unwrap();
    assert_eq!(fixture.kicked(), [""; 0]);
    assert!(fixture.publishes(TRY, "dev1@acme", "acme/x"));
    let other = Try {
        handle: 2,
        client_id: "b",
        ..with("jwt", &old)
    };
    assert_eq!(refused(&fixture.connect(other)), Reason::BadSecret);
    let new = token(&fixture, 4, "acme", "dev1");
    let other = Try {
        password: &new,
        ..other
    };
    assert_eq!(admitted(&fixture.connect(other)), "dev1@acme");
}

#[test]
fn fetched_keys_count_for_so_long_and_no_session_ends_by_that() {
    let mut fixture = Fixture::new();
    let new = NewCredential::new(tenant_id("acme"), "dev1");
    fixture.run(&CreateCredential(new)).unwrap();
    let day = Duration::from_secs(86_400);
    let fetching = AddIssuer {
        keys: KeyOrigin::Fetched(KeyPlace {
            url: KeysUrl::parse("https://sso.example/keys").unwrap(),
            allow_private: false,
            max_age: MaxKeyAge::new(day).unwrap(),
        }),
        ..issuer("acme", 1)
    };
    fixture.run(&fetching).unwrap();
    fixture.settle();
    let mut claimed = claims(&fixture, "acme", "dev1");
    claimed["exp"] = json!(fixture.now().as_millis() / 1_000 + 7 * 86_400);
    let signed = TokenIssuer::new(1).sign(&claimed);
    let comes = |fixture: &mut Fixture, handle, client_id| {
        let outcome = fixture.connect(Try {
            handle,
            client_id,
            ..with("jwt", &signed)
        });
        match outcome {
            ConnectOutcome::Refused { .. } => Some(refused(&outcome)),
            _ => None,
        }
    };
    let fetch = |fixture: &mut Fixture| {
        let (issuer, from) = fixture.run(&ListDueKeys).unwrap().remove(0);
        let fetched = Ok(TokenIssuer::new(1).jwks());
        let note = NoteFetchedKeys {
            issuer,
            from,
            fetched,
        };
        fixture.run(&note).unwrap();
        fixture.settle();
    };
    assert_eq!(comes(&mut fixture, 1, "a"), Some(Reason::KeysOutdated));
    fetch(&mut fixture);
    assert_eq!(comes(&mut fixture, 1, "a"), None);
    fixture.pass(day);
    fixture.settle();
    assert_eq!(fixture.kicked(), [""; 0]);
    assert!(fixture.publishes(TRY, "dev1@acme", "acme/x"));
    assert_eq!(comes(&mut fixture, 2, "b"), Some(Reason::KeysOutdated));
    // The same keys again: what a broker remembers of them counts no more.
    fixture.run(&AskForKeys(called("acme"))).unwrap();
    fetch(&mut fixture);
    assert_eq!(comes(&mut fixture, 2, "b"), None);
}

#[test]
fn a_token_gives_the_roles_that_its_words_mean_as_long_as_they_are() {
    let mut fixture = fixture();
    fixture.run(&RemoveIssuer(called("acme"))).unwrap();
    let with_roles = AddIssuer {
        role_claim: Some(ClaimName::parse("realm.roles").unwrap()),
        roles: [(text("operator"), RoleName::parse("more").unwrap())].into(),
        ..issuer("acme", 1)
    };
    fixture.run(&with_roles).unwrap();
    fixture.settle();
    let mut claimed = claims(&fixture, "acme", "dev1");
    let plain = TokenIssuer::new(1).sign(&claimed);
    assert_eq!(admitted(&connect(&mut fixture, "jwt", &plain)), "dev1@acme");
    let writes = |fixture: &mut Fixture, handle| {
        let client_id = if handle == 1 { "a" } else { "jane" };
        let it = Try {
            handle,
            client_id,
            ..TRY
        };
        fixture.publishes(it, "dev1@acme", "acme/no/x")
    };
    assert!(writes(&mut fixture, 1));
    claimed["realm"] = json!({ "roles": ["operator", "unknown"] });
    let with_role = TokenIssuer::new(1).sign(&claimed);
    let other = Try {
        handle: 2,
        client_id: "jane",
        ..with("jwt", &with_role)
    };
    assert_eq!(admitted(&fixture.connect(other)), "dev1@acme");
    assert!(!writes(&mut fixture, 2));
    assert!(writes(&mut fixture, 1));
    let delete = DeleteRole {
        tenant: tenant_id("acme"),
        name: RoleName::parse("more").unwrap(),
        deletion: RoleDeletion::WithGrants,
    };
    fixture.run(&delete).unwrap();
    fixture.settle();
    assert!(writes(&mut fixture, 2));
}

#[test]
fn the_order_of_a_connect_holds_for_tokens_too() {
    let mut fixture = fixture();
    add_device(&mut fixture, "bound", ClientIdRule::SameAsUsername);
    fixture.settle();
    let bound = token(&fixture, 1, "acme", "bound");
    let outcome = connect(&mut fixture, "jwt", &bound);
    assert_eq!(refused(&outcome), Reason::ClientIdMismatch);
    let its_own = Try {
        client_id: "bound@acme",
        ..with("jwt", &bound)
    };
    assert_eq!(admitted(&fixture.connect(its_own)), "bound@acme");
    let mut early = claims(&fixture, "acme", "dev1");
    early["nbf"] = json!(fixture.now().as_millis() / 1_000 + 61);
    let early = TokenIssuer::new(1).sign(&early);
    assert_eq!(
        refused(&connect(&mut fixture, "jwt", &early)),
        Reason::NotYetValid
    );
    let mut endless = claims(&fixture, "acme", "dev1");
    endless.as_object_mut().unwrap().remove("exp");
    let endless = TokenIssuer::new(1).sign(&endless);
    assert_eq!(
        refused(&connect(&mut fixture, "jwt", &endless)),
        Reason::Malformed
    );
}

/// As enhanced authentication, of which the host tells the name alone.
pub(super) fn enhance(
    fixture: &mut Fixture,
    method: &str,
    username: Option<&str>,
    data: Option<&str>,
) -> ConnectOutcome {
    enhance_as(fixture, "a", method, username, data)
}

pub(super) fn enhance_as(
    fixture: &mut Fixture,
    client_id: &str,
    method: &str,
    username: Option<&str>,
    data: Option<&str>,
) -> ConnectOutcome {
    let mut info = ConnectInfo::new(Handle(1), client_id.as_bytes());
    info.username = username.map(str::as_bytes);
    info.protocol = 5;
    let enhanced = Enhanced {
        method: method.as_bytes(),
        data: data.map(str::as_bytes),
    };
    fixture.gate.connect_enhanced(&info, &enhanced)
}

#[test]
fn a_token_by_a_method_of_its_own_is_judged_as_one_that_is_the_password() {
    let mut fixture = fixture();
    let ours = token(&fixture, 1, "acme", "dev1");
    let wrong = token(&fixture, 3, "acme", "dev1");
    let nobodys = token(&fixture, 1, "acme", "nobody");
    for method in TOKEN_METHODS {
        for username in [None, Some("jwt"), Some("dev1@acme")] {
            let outcome = enhance(&mut fixture, method, username, Some(&ours));
            assert_eq!(admitted(&outcome), "dev1@acme", "{username:?}");
            fixture.gate.disconnected(Handle(1));
        }
        for (username, presented) in [
            ("jwt", &wrong),
            ("jwt", &nobodys),
            ("dev2@acme", &ours),
            (JANE, &ours),
        ] {
            let outcome = enhance(&mut fixture, method, Some(username), Some(presented));
            let reason = refused(&connect(&mut fixture, username, presented));
            assert_eq!(refused(&outcome), reason, "{username}");
        }
        fixture.pass(Duration::from_secs(60));
    }
    fixture.grant(JANE, "acme", GrantedRight::OrgAdmin);
    let (ours_own, _) = fixture.token(JANE, &[], 60);
    let outcome = enhance_as(&mut fixture, "s", TOKEN_METHODS[0], None, Some(&ours_own));
    assert_eq!(admitted(&outcome), "jwt:script@acme");
}

#[test]
fn nothing_but_a_token_counts_there_and_no_tenant_lets_others_in() {
    let mut fixture = fixture();
    let open = TenantChanges {
        authentication: Some(Authentication::Off),
        ..TenantChanges::default()
    };
    let id = tenant_id("acme");
    fixture.run(&SetTenant { id, changes: open }).unwrap();
    fixture.settle();
    let stranger = {
        let mut claims = claims(&fixture, "acme", "dev1");
        claims["iss"] = json!("https://other.example");
        TokenIssuer::new(1).sign(&claims)
    };
    for method in TOKEN_METHODS {
        for (username, data, reason) in [
            (Some(JANE), Some("right"), Reason::BadSecret),
            (Some(JANE), Some(&*stranger), Reason::BadSecret),
            (Some("nobody@acme"), Some("right"), Reason::UnknownName),
            (Some("nobody@acme"), Some(&*stranger), Reason::UnknownName),
            (None, Some(&*stranger), Reason::UnknownName),
            (None, Some(""), Reason::UnknownName),
            (None, None, Reason::UnknownName),
        ] {
            let outcome = enhance(&mut fixture, method, username, data);
            let ConnectOutcome::Refused {
                reason: why, code, ..
            } = &outcome
            else {
                panic!("{outcome:?}");
            };
            assert_eq!(
                (*why, *code),
                (reason, RefusalCode::NotAuthorized),
                "{username:?}"
            );
        }
    }
    // A method is what it is called, byte for byte.
    let ours = token(&fixture, 1, "acme", "dev1");
    for method in ["oauth2-jwt", "OAUTH2-JWT ", "JWT"] {
        let outcome = enhance(&mut fixture, method, None, Some(&ours));
        let ConnectOutcome::Refused { code, .. } = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(code, RefusalCode::BadMethod);
    }
}

#[test]
fn a_session_by_such_a_method_survives_a_reload_and_ends_with_its_token() {
    let mut fixture = fixture();
    let ours = token(&fixture, 1, "acme", "dev1");
    let outcome = enhance(&mut fixture, TOKEN_METHODS[0], None, Some(&ours));
    assert_eq!(admitted(&outcome), "dev1@acme");
    assert!(fixture.publishes(TRY, "dev1@acme", "acme/x"));
    fixture.gate.reload();
    let mut asked_again = ConnectInfo::new(Handle(1), b"a");
    asked_again.username = Some(b"dev1@acme");
    asked_again.protocol = 5;
    assert_eq!(admitted(&fixture.gate.connect(&asked_again)), "dev1@acme");
    fixture.pass(Duration::from_secs(3_600));
    assert_eq!(fixture.kicked(), ["a"]);
    let outcome = enhance(&mut fixture, TOKEN_METHODS[0], None, Some(&ours));
    assert_eq!(refused(&outcome), Reason::Expired);
}

#[test]
fn a_password_that_looks_like_nobodys_token_is_a_password_and_fails_once() {
    const LEE: &str = "lee@mail.test";
    let mut fixture = fixture();
    let lockout = SetSettings(SettingsChanges {
        lockout: Some(LockoutPolicy::parse("failures=2,step=1m,longest=1h").unwrap()),
        ..SettingsChanges::default()
    });
    fixture.run(&lockout).unwrap();
    let stranger = {
        let mut claims = claims(&fixture, "acme", "dev1");
        claims["iss"] = json!("https://other.example");
        TokenIssuer::new(1).sign(&claims)
    };
    fixture.user(LEE, &stranger);
    fixture.grant(LEE, "acme", role_right("all"));
    let (seed, _) = fixture.enrol(LEE);
    let lee = with(LEE, &stranger);
    // From the second time on the password is remembered.
    for wrong in [None, Some("000000")] {
        if let Some(wrong) = wrong {
            assert!(is_challenged(&fixture.enhance(lee)));
            assert_eq!(refused(&fixture.resume(lee, wrong)), Reason::BadSecret);
        }
        fixture.pass(Duration::from_secs(30));
        assert!(is_challenged(&fixture.enhance(lee)));
        let code = fixture.code(&seed, 0);
        assert_eq!(admitted(&fixture.resume(lee, &code)), LEE);
        fixture.gate.disconnected(Handle(1));
    }
}
