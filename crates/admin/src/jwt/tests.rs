use core::time::Duration;

use countersign_core::jwt::KeyId;
use countersign_core::kind::Application;
use countersign_core::ledger::LedgerTransaction as _;
use countersign_core::reason::Reason;
use countersign_core::secret::Secret;
use countersign_core::store::rows::{CredentialRows as _, TokenRows as _};
use countersign_core::store::{
    AdminStore as _, AdminTransaction as _, GateStore as _, Page, all_rows,
};
use countersign_core::user::GrantedRight;

use super::key::MOST_KEYS;
use super::*;
use crate::caller::Authority;
use crate::check::{ConnectCheck, ConnectVerdict, TopicCheck, Usage};
use crate::credential::ShowCredential;
use crate::fixture::{Fixture, JANE, login_name, new_token, role_name, tenant_id, text_of};
use crate::user::{DeleteUser, SetUser, UngrantUser};

/// Says whether a client that presents this token is let in.
fn let_in(fixture: &mut Fixture, username: Option<&str>, token: &str) -> ConnectVerdict {
    let presented = ConnectCheck {
        address: None,
        certificate: None,
        client_id: "c",
        username,
        password: Some(Secret::new(token.as_bytes().to_vec())),
        listener: None,
    };
    fixture.policy_check().connect(presented).unwrap().verdict
}

fn made(fixture: &mut Fixture) -> String {
    text_of(&fixture.token(&[]).unwrap().token)
}

#[test]
fn a_token_lets_its_bearer_in_until_it_ends() {
    let mut fixture = Fixture::with_admin();
    let token = made(&mut fixture);
    for username in [None, Some("jwt"), Some("portal")] {
        assert_eq!(
            let_in(&mut fixture, username, &token),
            ConnectVerdict::Allow
        );
    }
    let other = let_in(&mut fixture, Some("else"), &token);
    assert_eq!(other, ConnectVerdict::Deny(Reason::BadSecret));
    fixture.now = fixture.now.plus(Duration::from_secs(3_600));
    let over = let_in(&mut fixture, None, &token);
    assert_eq!(over, ConnectVerdict::Deny(Reason::Expired));
    assert!(!fixture.only_token().is_valid);
}

#[test]
fn a_bearer_may_do_what_the_role_says_and_with_the_things_alone() {
    let mut fixture = Fixture::with_admin();
    fixture.application("fleet", Application::default());
    for key in ["pump", "valve"] {
        fixture.thing(key, "fleet").unwrap();
    }
    fixture
        .change_role("ops", &crate::fixture::adding("allow both thing/#"))
        .unwrap();
    let token = fixture.token(&["pump"]).unwrap().token;
    for (topic, said) in [
        ("acme/x", true),
        ("thing/pump/x", true),
        ("thing/valve/x", false),
    ] {
        let ask = TopicCheck {
            username: Some("jwt"),
            client_id: None,
            password: Some(&token),
            listener: None,
            usage: Usage::Publish {
                topic,
                qos: 0,
                retain: false,
            },
        };
        let answer = fixture.policy_check().topic(&ask).unwrap();
        assert_eq!(answer.verdict.is_allowed(), said, "{topic}");
    }
}

#[test]
fn all_tokens_for_one_name_are_one_principal() {
    let mut fixture = Fixture::with_admin();
    let one = fixture.token(&[]).unwrap().record;
    let other = fixture.token(&[]).unwrap().record;
    assert_eq!(one.bearer, other.bearer);
    assert_eq!(one.key, other.key);
    assert_ne!(one.id, other.id);
    let name = login_name("jwt:portal@acme");
    let shown = fixture.run(&ShowCredential(name)).unwrap_err();
    assert_eq!(
        shown.to_string(),
        "`jwt:portal@acme` is whoever presents certain tokens"
    );
    assert_eq!(fixture.acts().last().unwrap(), "jwt.create jwt:portal@acme");
}

/// Whatever is refused leaves neither a key nor a bearer behind.
#[test]
fn what_is_refused_leaves_no_trace() {
    let mut fixture = Fixture::with_admin();
    fixture.tenant("other", &[]).unwrap();
    fixture.application("fleet", Application::default());
    fixture.user("joe@mail.test");
    fixture
        .grant(
            "joe@mail.test",
            "acme",
            GrantedRight::Role(role_name("ops")),
        )
        .unwrap();
    let before = fixture.acts();
    let with = |change: &dyn Fn(&mut NewToken)| {
        let mut new = new_token(JANE);
        change(&mut new);
        new
    };
    for (new, said) in [
        (
            new_token("joe@mail.test"),
            "`joe@mail.test` does not administer tenant `acme`",
        ),
        (
            new_token("fleet"),
            "`application:fleet@acme` does not administer tenant `acme`",
        ),
        (
            with(&|new| new.tenant = tenant_id("other")),
            "`jane@mail.test` does not administer tenant `other`",
        ),
        (
            with(&|new| new.tenant = tenant_id("none")),
            "there is no tenant `none`",
        ),
        (
            with(&|new| new.role = role_name("none")),
            "tenant `acme` has no role `none`",
        ),
        (
            with(&|new| new.things = vec![login_name("none")]),
            "tenant `acme` has no thing `none`",
        ),
        (
            with(&|new| new.things = vec![login_name("dev1@acme")]),
            "tenant `acme` has no thing `dev1@acme`",
        ),
    ] {
        let refused = fixture.run(&CreateToken(new));
        assert_eq!(refused.err().unwrap().to_string(), said);
    }
    fixture.reopen(None);
    let refused = fixture.token(&[]).err().unwrap().to_string();
    assert!(
        refused.starts_with("the key file beside the store is missing"),
        "{refused}"
    );
    assert_eq!(fixture.acts(), before);
    let mut transaction = fixture.store.begin(Intent::Read).unwrap();
    assert!(
        transaction
            .token_keys(&tenant_id("acme"))
            .unwrap()
            .is_empty()
    );
    let bearer = transaction.credential(&login_name("jwt:portal@acme"));
    assert!(bearer.unwrap().is_none());
}

#[test]
fn an_application_that_administers_makes_tokens_and_so_do_its_things() {
    let mut fixture = Fixture::with_admin();
    let about = Application {
        is_org_admin: true,
        ..Application::default()
    };
    fixture.application("portal", about);
    fixture.thing("door", "portal").unwrap();
    for name in ["portal", "door"] {
        let made = fixture.run(&CreateToken(new_token(name)));
        let token = text_of(&made.unwrap().token);
        assert_eq!(
            let_in(&mut fixture, None, &token),
            ConnectVerdict::Allow,
            "{name}"
        );
    }
    let mut revoked = |issuer: &str| {
        fixture.run(&RevokeTokensOfIssuer {
            issuer: issuer.into(),
            tenant: None,
        })
    };
    assert_eq!(revoked("application:portal@acme").unwrap().len(), 1);
    for nobody in [
        "portal",
        "dev1@acme",
        "joe@mail.test",
        "jwt:portal@acme",
        "",
    ] {
        let error = revoked(nobody).unwrap_err();
        assert!(error.is(ErrorKind::NotFound, Noun::Issuer), "{nobody}");
    }
}

#[test]
fn a_revoked_token_is_worth_nothing_and_its_bearers_sessions_are_told() {
    let mut fixture = Fixture::with_admin();
    let token = made(&mut fixture);
    let id = fixture.only_token().record.id;
    let before = fixture.store.last_change().unwrap();
    let revoked = fixture.run(&RevokeToken(id.clone())).unwrap();
    assert!(!revoked.is_valid);
    let bearer = revoked.record.bearer;
    assert_eq!(fixture.changes_after(before), [Change::Credential(bearer)]);
    let refused = let_in(&mut fixture, None, &token);
    assert_eq!(refused, ConnectVerdict::Deny(Reason::Revoked));
    for (id, kind) in [
        (id, ErrorKind::Conflict),
        (TokenId::generate([7; 16]), ErrorKind::NotFound),
    ] {
        let error = fixture.run(&RevokeToken(id)).unwrap_err();
        assert!(error.is(kind, Noun::Token), "{error}");
    }
}

#[test]
fn tokens_are_revoked_by_issuer_and_by_key() {
    let mut fixture = Fixture::with_admin();
    let (one, other) = (made(&mut fixture), made(&mut fixture));
    let of_jane = RevokeTokensOfIssuer {
        issuer: JANE.into(),
        tenant: None,
    };
    for count in [2, 0] {
        assert_eq!(fixture.run(&of_jane).unwrap().len(), count);
    }
    for token in [&one, &other] {
        assert!(!let_in(&mut fixture, None, token).is_allowed());
    }
    let third = fixture.token(&[]).unwrap();
    let key = third.record.key.clone();
    let revoked = fixture.run(&RevokeTokensOfKey(key.clone())).unwrap();
    assert_eq!(revoked.len(), 1);
    assert!(!let_in(&mut fixture, None, &text_of(&third.token)).is_allowed());
    let next = fixture.token(&[]).unwrap();
    assert_ne!(next.record.key, key);
    assert_eq!(
        let_in(&mut fixture, None, &text_of(&next.token)),
        ConnectVerdict::Allow
    );
    let none = KeyId::parse("k-none").unwrap();
    let error = fixture.run(&RevokeTokensOfKey(none)).unwrap_err();
    assert!(error.is(ErrorKind::NotFound, Noun::SigningKey), "{error}");
}

#[test]
fn a_session_makes_tokens_in_its_own_name_alone_and_ends_those_of_its_tenant() {
    let mut fixture = Fixture::with_admin();
    fixture.tenant("other", &[]).unwrap();
    fixture.user("joe@mail.test");
    let joe = fixture.grant("joe@mail.test", "other", GrantedRight::OrgAdmin);
    let joe = joe.unwrap().user.id;
    let record = fixture.token(&[]).unwrap().record;
    let (jane, joe) = (Authority::Session(record.issuer), Authority::Session(joe));
    let own = CreateToken(NewToken {
        issuer: Issuer::Caller,
        ..new_token(JANE)
    });
    let made = fixture.run_by(jane, &own).ok().unwrap().record;
    assert_eq!(made.issuer, record.issuer);
    for (authority, new) in [(jane, new_token(JANE)), (joe, own.0.clone())] {
        let error = fixture.run_by(authority, &CreateToken(new)).err().unwrap();
        let is_forbidden = error.is(ErrorKind::Forbidden, Noun::Caller);
        let is_hidden = error.is(ErrorKind::NotFound, Noun::Tenant);
        assert!(is_forbidden || is_hidden, "{error}");
    }
    let error = fixture.run(&own).err().unwrap();
    assert!(error.is(ErrorKind::Invalid, Noun::Caller), "{error}");

    let revoke = RevokeToken(record.id);
    let error = fixture.run_by(joe, &revoke).unwrap_err();
    assert!(error.is(ErrorKind::NotFound, Noun::Token), "{error}");
    fixture.run_by(jane, &revoke).unwrap();
    let end_key = RevokeTokensOfKey(record.key);
    let error = fixture.run_by(joe, &end_key).unwrap_err();
    assert!(error.is(ErrorKind::NotFound, Noun::SigningKey), "{error}");
    assert_eq!(fixture.run_by(jane, &end_key).unwrap().len(), 1);
}

#[test]
fn who_administers_the_platform_alone_makes_tokens_in_the_name_of_who_administers_the_tenant() {
    let mut fixture = Fixture::with_admin();
    let pat = fixture.user("pat@mail.test").id;
    fixture
        .run(&SetUser {
            email: login_name("pat@mail.test"),
            is_platform_admin: true,
        })
        .unwrap();
    let pat = Authority::Session(pat);
    let own = CreateToken(NewToken {
        issuer: Issuer::Caller,
        ..new_token(JANE)
    });
    let error = fixture.run_by(pat, &own).err().unwrap();
    assert!(error.is(ErrorKind::Forbidden, Noun::Caller), "{error}");
    assert!(
        error.to_string().contains("name somebody who does"),
        "{error}"
    );
    let jane = fixture.session_of(JANE);
    let made = fixture.run_by(pat, &CreateToken(new_token(JANE)));
    let made = made.ok().unwrap();
    assert_eq!(Authority::Session(made.record.issuer), jane);
    let let_in = let_in(&mut fixture, None, &text_of(&made.token));
    assert_eq!(let_in, ConnectVerdict::Allow);
}

#[test]
fn a_tenant_has_so_many_keys_and_those_that_ended_make_room() {
    let mut fixture = Fixture::with_admin();
    let tenant = tenant_id("acme");
    let hour = Duration::from_secs(3_600);
    let rotate = |overlap| RotateKey {
        tenant: tenant_id("acme"),
        overlap,
    };
    let list = ListKeys { tenant };
    for _ in 0..MOST_KEYS {
        fixture.run(&rotate(hour)).unwrap();
    }
    let error = fixture.run(&rotate(hour)).unwrap_err();
    assert!(error.is(ErrorKind::Conflict, Noun::SigningKey), "{error}");
    let keys = fixture.run(&list).unwrap();
    assert_eq!(keys.len(), MOST_KEYS);
    assert!(keys.iter().all(|it| it.is_valid));
    let signing = keys.iter().filter(|it| it.key.ends_at.is_none());
    assert_eq!(signing.count(), 1);
    let token = made(&mut fixture);
    fixture.now = fixture.now.plus(hour);
    let valid = fixture.run(&list).unwrap();
    assert_eq!(valid.iter().filter(|it| it.is_valid).count(), 1);
    fixture.run(&rotate(hour)).unwrap();
    assert_eq!(fixture.run(&list).unwrap().len(), 2);
    assert!(!let_in(&mut fixture, None, &token).is_allowed());
}

#[test]
fn a_rotated_key_counts_for_its_overlap_alone() {
    let mut fixture = Fixture::with_admin();
    let old = made(&mut fixture);
    let minute = Duration::from_secs(60);
    let rotate = RotateKey {
        tenant: tenant_id("acme"),
        overlap: minute,
    };
    let rotated = fixture.run(&rotate).unwrap();
    assert_eq!(rotated.old_key_until, Some(fixture.now.plus(minute)));
    let new = fixture.token(&[]).unwrap();
    assert_eq!(new.record.key, rotated.key.id);
    assert_eq!(let_in(&mut fixture, None, &old), ConnectVerdict::Allow);
    fixture.now = fixture.now.plus(minute);
    assert_eq!(
        let_in(&mut fixture, None, &old),
        ConnectVerdict::Deny(Reason::Revoked)
    );
    let token = text_of(&new.token);
    assert_eq!(let_in(&mut fixture, None, &token), ConnectVerdict::Allow);
}

#[test]
fn tokens_die_with_the_right_of_who_made_them_and_stay_dead() {
    let mut fixture = Fixture::with_admin();
    let jane = login_name(JANE);
    let ops = || GrantedRight::Role(role_name("ops"));
    for way in ["downgrade", "ungrant", "delete"] {
        let token = made(&mut fixture);
        let before = fixture.store.last_change().unwrap();
        match way {
            "downgrade" => {
                fixture.grant(JANE, "acme", ops()).unwrap();
            }
            "ungrant" => {
                let (email, tenant) = (jane.clone(), tenant_id("acme"));
                fixture.run(&UngrantUser { email, tenant }).unwrap();
            }
            _ => fixture.run(&DeleteUser(jane.clone())).unwrap(),
        }
        let mut transaction = fixture.store.begin(Intent::Read).unwrap();
        let bearer = transaction.credential(&login_name("jwt:portal@acme"));
        let bearer = bearer.unwrap().unwrap().id;
        drop(transaction);
        let changes = fixture.changes_after(before);
        assert!(changes.contains(&Change::Credential(bearer)), "{way}");
        let refused = let_in(&mut fixture, None, &token);
        assert_eq!(refused, ConnectVerdict::Deny(Reason::Revoked), "{way}");
        if way != "delete" {
            fixture.grant(JANE, "acme", GrantedRight::OrgAdmin).unwrap();
            assert!(!let_in(&mut fixture, None, &token).is_allowed(), "{way}");
        }
    }
}

#[test]
fn another_key_file_opens_no_key_and_another_key_is_the_way_out() {
    let mut fixture = Fixture::with_admin();
    let old = made(&mut fixture);
    fixture.reopen(Some(&format!("{}\n", "f".repeat(64))));
    let error = fixture.token(&[]).err().unwrap();
    assert!(
        error.is(ErrorKind::Unavailable, Noun::SigningKey),
        "{error}"
    );
    let sealed = fixture.run(&crate::sealed::CountSealed).unwrap();
    assert_eq!((sealed.signing_keys, sealed.unreadable), (1, 1));
    // What was signed can still be verified.
    assert_eq!(let_in(&mut fixture, None, &old), ConnectVerdict::Allow);
    let rotate = RotateKey {
        tenant: tenant_id("acme"),
        overlap: Duration::from_secs(86_400),
    };
    fixture.run(&rotate).unwrap();
    assert!(fixture.token(&[]).is_ok());
}

#[test]
fn no_token_is_ever_kept_or_logged() {
    let mut fixture = Fixture::with_admin();
    let token = made(&mut fixture);
    let signature = token.rsplit('.').next().unwrap();
    assert!(!format!("{:?}", fixture.entries()).contains(signature));
    let file = std::fs::read(fixture.directory.path().join("store.db-wal")).unwrap();
    let holds = |needle: &str| file.windows(needle.len()).any(|it| it == needle.as_bytes());
    assert!(!holds(signature));
}

/// A session of an administrator can ask for as many as it likes.
#[test]
fn an_issuer_has_so_many_living_tokens_and_no_more() {
    let mut fixture = Fixture::with_admin();
    for _ in 0..MOST_TOKENS {
        fixture.token(&[]).unwrap();
    }
    let error = fixture.token(&[]).err().unwrap();
    assert!(error.is(ErrorKind::Conflict, Noun::Token), "{error}");
    let list = |page: &Page<_>| ListTokens {
        page: page.clone(),
        ..ListTokens::default()
    };
    let tokens = all_rows(|page| fixture.run(&list(page))).unwrap();
    assert_eq!(tokens.len(), 1_000);
    // One that is revoked makes room, and is refused with or without a row.
    let id = tokens[0].record.id.clone();
    fixture.run(&RevokeToken(id)).unwrap();
    let last = made(&mut fixture);
    assert!(fixture.token(&[]).is_err());
    assert_eq!(let_in(&mut fixture, None, &last), ConnectVerdict::Allow);
    // Those that ended do, too.
    fixture.now = fixture.now.plus(Duration::from_secs(3_600));
    fixture.token(&[]).unwrap();
    assert_eq!(fixture.run(&list(&Page::default())).unwrap().rows.len(), 1);
}

#[test]
fn a_tenant_has_so_many_bearers_of_tokens_and_no_more() {
    let mut fixture = Fixture::with_admin();
    fixture.token(&[]).unwrap();
    let tenant = tenant_id("acme");
    let scheme = SchemeName::parse(SCHEME).unwrap();
    let now = fixture.now;
    let mut transaction = fixture.store.begin(Intent::Write).unwrap();
    for number in 1..MOST_BEARERS {
        let name = login_name(&format!("jwt:b{number}@acme"));
        let (kind, scheme) = (Kind::Bearer, scheme.clone());
        let bearer = Credential::new(name, kind, Some(tenant.clone()), scheme, now);
        transaction.add_credential(&bearer).unwrap();
    }
    transaction.commit(&[], &[]).unwrap();
    // Those that are there get tokens, and no others.
    fixture.token(&[]).unwrap();
    let new = NewToken {
        whoami: Whoami::parse("one-more").unwrap(),
        ..new_token(JANE)
    };
    let error = fixture.run(&CreateToken(new)).err().unwrap();
    assert!(error.is(ErrorKind::Conflict, Noun::Token), "{error}");
}
