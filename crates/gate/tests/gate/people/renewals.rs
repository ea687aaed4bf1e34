//! Sessions that authenticate again, with another token.

use std::time::Duration;

use countersign::core::issuer::ClaimName;
use countersign::core::reason::Reason;
use countersign::core::role::RoleName;
use countersign::core::user::GrantedRight;
use countersign::{ConnectOutcome, Directive, TOKEN_METHODS};
use countersign_admin::issuer::{AddIssuer, RemoveIssuer, RevokeIssuedToken};
use countersign_admin::jwt::RevokeToken;
use countersign_testkit::token_issuer::TokenIssuer;
use serde_json::json;

use super::issuers::{called, claims, enhance, enhance_as, fixture, issuer, text, token, with};
use crate::fixture::{Fixture, JANE, TRY, admitted};

const METHOD: &str = TOKEN_METHODS[0];
const NAME: Option<&str> = Some("dev1@acme");
const MINUTE: Duration = Duration::from_secs(60);

/// A token of `dev1@acme` that lasts for so long.
fn lasting(fixture: &Fixture, time: Duration, number: &str) -> String {
    let mut claims = claims(fixture, "acme", "dev1");
    let now = fixture.now().plus(time).as_millis() / 1_000;
    claims["exp"] = json!(now);
    claims["jti"] = json!(number);
    TokenIssuer::new(1).sign(&claims)
}

/// A gate with a session of `dev1@acme` whose token lasts for an hour.
fn begun() -> Fixture {
    let mut fixture = fixture();
    let first = lasting(&fixture, 60 * MINUTE, "first");
    let outcome = enhance(&mut fixture, METHOD, None, Some(&first));
    assert_eq!(admitted(&outcome), "dev1@acme");
    fixture
}

fn renew(fixture: &mut Fixture, token: &str) -> ConnectOutcome {
    enhance(fixture, METHOD, NAME, Some(token))
}

/// Says whether the session is to be ended, and nobody is told why.
fn is_ended(outcome: &ConnectOutcome) -> bool {
    matches!(outcome, ConnectOutcome::Challenge { data: b"" })
}

#[test]
fn a_session_goes_on_with_another_token_of_its_principal_until_that_one_ends() {
    let mut fixture = begun();
    fixture.pass(50 * MINUTE);
    let second = lasting(&fixture, 60 * MINUTE, "second");
    let outcome = renew(&mut fixture, &second);
    assert_eq!(admitted(&outcome), "dev1@acme");
    // The first token is over, and so is what was known of it.
    fixture.pass(20 * MINUTE);
    assert_eq!(fixture.kicked(), [""; 0]);
    assert!(fixture.publishes(TRY, "dev1@acme", "acme/x"));
    let of_first = RevokeIssuedToken {
        issuer: called("acme"),
        token: text("first"),
    };
    fixture.run(&of_first).unwrap();
    assert_eq!(fixture.kicked(), [""; 0]);
    fixture.pass(40 * MINUTE);
    assert_eq!(fixture.kicked(), ["a"]);
}

#[test]
fn a_token_that_ends_sooner_ends_the_session_sooner_and_counts_as_the_first_did() {
    let mut fixture = begun();
    let sooner = lasting(&fixture, 10 * MINUTE, "sooner");
    assert_eq!(admitted(&renew(&mut fixture, &sooner)), "dev1@acme");
    fixture.pass(9 * MINUTE);
    assert_eq!(fixture.kicked(), [""; 0]);
    // Again with the same one: it ends when it did.
    assert_eq!(admitted(&renew(&mut fixture, &sooner)), "dev1@acme");
    fixture.pass(MINUTE);
    assert_eq!(fixture.kicked(), ["a"]);

    let mut fixture = begun();
    let revoked = lasting(&fixture, 60 * MINUTE, "revoked");
    assert_eq!(admitted(&renew(&mut fixture, &revoked)), "dev1@acme");
    let revoke = RevokeIssuedToken {
        issuer: called("acme"),
        token: text("revoked"),
    };
    fixture.run(&revoke).unwrap();
    assert_eq!(fixture.kicked(), ["a"]);
}

#[test]
fn a_session_has_the_roles_of_the_token_that_it_goes_on_with() {
    let mut fixture = fixture();
    fixture.run(&RemoveIssuer(called("acme"))).unwrap();
    let with_roles = AddIssuer {
        role_claim: Some(ClaimName::parse("roles").unwrap()),
        roles: [(text("operator"), RoleName::parse("more").unwrap())].into(),
        ..issuer("acme", 1)
    };
    fixture.run(&with_roles).unwrap();
    fixture.settle();
    let plain = claims(&fixture, "acme", "dev1");
    let mut with_role = plain.clone();
    with_role["roles"] = json!(["operator"]);
    let [plain, with_role] = [plain, with_role].map(|claims| TokenIssuer::new(1).sign(&claims));
    let outcome = enhance(&mut fixture, METHOD, None, Some(&plain));
    assert_eq!(admitted(&outcome), "dev1@acme");
    // The role denies this.
    for (token, may) in [(&plain, true), (&with_role, false), (&plain, true)] {
        assert_eq!(admitted(&renew(&mut fixture, token)), "dev1@acme");
        assert_eq!(fixture.publishes(TRY, "dev1@acme", "acme/no/x"), may);
    }
}

#[test]
fn whatever_else_is_presented_ends_the_session_and_is_written_down() {
    type Presented = fn(&mut Fixture) -> Option<String>;
    let presented: [(Presented, Reason); 9] = [
        (|it| Some(token(it, 3, "acme", "dev1")), Reason::BadSecret),
        (|it| Some(token(it, 2, "beta", "dev1")), Reason::BadSecret),
        (|it| Some(token(it, 1, "acme", "dev2")), Reason::BadSecret),
        (
            |it| Some(token(it, 1, "acme", "nobody")),
            Reason::UnknownName,
        ),
        (
            |it| Some(lasting(it, Duration::ZERO, "over")),
            Reason::Expired,
        ),
        (
            |it| {
                let revoke = RevokeIssuedToken {
                    issuer: called("acme"),
                    token: text("gone"),
                };
                it.run(&revoke).unwrap();
                Some(lasting(it, 60 * MINUTE, "gone"))
            },
            Reason::Revoked,
        ),
        (|_| Some("right".into()), Reason::BadSecret),
        (|_| Some(String::new()), Reason::BadSecret),
        (|_| None, Reason::BadSecret),
    ];
    for (number, (presented, reason)) in presented.into_iter().enumerate() {
        let mut fixture = begun();
        let presented = presented(&mut fixture);
        let outcome = enhance(&mut fixture, METHOD, NAME, presented.as_deref());
        assert!(is_ended(&outcome), "{number} {outcome:?}");
        // It had rights, and nothing else gets in.
        let good = lasting(&fixture, 60 * MINUTE, "good");
        let _too_late = renew(&mut fixture, &good);
        let mut told = Vec::new();
        let mut kicked = Vec::new();
        for directive in fixture.settle() {
            match directive {
                Directive::Kick {
                    client_id, line, ..
                } => {
                    assert!(line.ends_with(reason.as_str()), "{number} {line}");
                    kicked.push(client_id);
                }
                Directive::Log { line, .. } => told.push(line),
                _ => {}
            }
        }
        assert_eq!(kicked.len(), 1, "{number}");
        let line = format!("refused -: {}: `dev1@acme` client `a`", reason.as_str());
        assert!(told.contains(&line), "{number} {told:?}");
    }
}

#[test]
fn no_other_session_and_no_other_method_goes_on() {
    // By a token that was the password.
    let mut fixture = fixture();
    let mine = token(&fixture, 1, "acme", "dev1");
    assert_eq!(admitted(&fixture.connect(with("jwt", &mine))), "dev1@acme");
    assert!(is_ended(&renew(&mut fixture, &mine)));
    assert_eq!(fixture.kicked(), ["a"]);
    // By another method, also one that does not exist.
    for method in ["COUNTERSIGN-TOTP", "JWT", ""] {
        let mut fixture = begun();
        let mine = token(&fixture, 1, "acme", "dev1");
        let outcome = enhance(&mut fixture, method, NAME, Some(&mine));
        assert!(is_ended(&outcome), "{method}");
        assert_eq!(fixture.kicked(), ["a"]);
    }
    // In answer to what nobody asked.
    let mut fixture = begun();
    let mine = token(&fixture, 1, "acme", "dev1");
    assert!(is_ended(&fixture.resume(TRY, &mine)));
    assert_eq!(fixture.kicked(), ["a"]);
}

#[test]
fn a_token_of_ours_is_renewed_by_one_of_the_same_bearer() {
    let mut fixture = fixture();
    fixture.grant(JANE, "acme", GrantedRight::OrgAdmin);
    let (first, _) = fixture.token(JANE, &[], 60);
    let (second, second_id) = fixture.token(JANE, &[], 120);
    let (third, _) = fixture.token(JANE, &[], 600);
    let of_another = token(&fixture, 1, "acme", "dev1");
    let presents =
        |it: &mut Fixture, name, token: &str| enhance_as(it, "s", METHOD, name, Some(token));
    let outcome = presents(&mut fixture, None, &first);
    let name = admitted(&outcome).to_owned();
    let outcome = presents(&mut fixture, Some(&name), &second);
    assert_eq!(admitted(&outcome), name);
    fixture.pass(MINUTE);
    assert_eq!(fixture.kicked(), [""; 0]);
    fixture.run(&RevokeToken(second_id)).unwrap();
    assert_eq!(fixture.kicked(), ["s"]);

    let outcome = presents(&mut fixture, None, &third);
    assert_eq!(admitted(&outcome), name);
    let outcome = presents(&mut fixture, Some(&name), &of_another);
    assert!(is_ended(&outcome));
    assert_eq!(fixture.kicked(), ["s"]);
}
