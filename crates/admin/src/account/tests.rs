use countersign_core::secret::Secret;
use countersign_core::totp::Step;

use super::*;
use crate::caller::Authority;
use crate::check::ConnectVerdict;
use crate::fixture::{Fixture, JANE, login_name, tenant_id};
use crate::sign_in::{PresentedCode, SignIn, SignInGuard, check_password, prove_again, sign_in};

fn presented(name: &str, password: &[u8]) -> SignIn<'static> {
    SignIn {
        name: Box::leak(name.to_owned().into_boxed_str()),
        password: Secret::presented(password),
        code: PresentedCode::Apart(None),
        address: Some("192.0.2.1"),
        known: None,
    }
}

fn guard() -> SignInGuard {
    SignInGuard::new(&mut crate::OsRandom).unwrap()
}

fn proof(fixture: &mut Fixture, name: &str) -> FreshProof {
    let (store, now) = (&mut fixture.store, fixture.now);
    prove_again(store, &guard(), presented(name, b"hunter2"), now).unwrap()
}

fn signed_in(fixture: &mut Fixture, password: &[u8]) -> Authority {
    let (store, now) = (&mut fixture.store, fixture.now);
    let presented = presented(JANE, password);
    let signed_in = sign_in(store, &guard(), presented, &mut crate::OsRandom, now);
    signed_in.ok().unwrap().caller.authority
}

#[test]
fn a_user_replaces_the_own_password_who_knows_the_old_one() {
    let mut fixture = Fixture::with_admin();
    let jane = signed_in(&mut fixture, b"hunter2");
    let new = || ChosenPassword::parse(b"another one".to_vec()).unwrap();
    fixture.user("joe@mail.test");
    let of_joe = proof(&mut fixture, "joe@mail.test");
    let error = fixture
        .run_by(jane, &ChangeOwnPassword::new(of_joe, new()))
        .unwrap_err();
    assert!(error.is(ErrorKind::Forbidden, Noun::Caller), "{error}");
    let own = proof(&mut fixture, JANE);
    let change = ChangeOwnPassword::new(own, new());
    fixture.run_by(jane, &change).unwrap();
    assert_eq!(
        fixture.acts().last().unwrap(),
        "user.reset-password jane@mail.test"
    );
    let is_right = fixture.check(JANE, Some(b"another one"));
    assert_eq!(is_right, ConnectVerdict::Allow);
    assert!(!fixture.check(JANE, Some(b"hunter2")).is_allowed());
    // Neither the session nor the proof counts any more.
    assert!(fixture.run_by(jane, &ShowMe).is_err());
    let jane = signed_in(&mut fixture, b"another one");
    let again = ChangeOwnPassword::new(own, new());
    assert!(fixture.run_by(jane, &again).is_err());
}

#[test]
fn a_user_enrols_confirms_and_takes_away_the_own_second_factor() {
    let mut fixture = Fixture::with_admin();
    let jane = signed_in(&mut fixture, b"hunter2");
    let own = proof(&mut fixture, JANE);
    let enrolment = fixture.run_by(jane, &EnrolOwnSecondFactor(own)).unwrap();
    let code = |fixture: &Fixture| {
        let code = enrolment.seed.code_at(Step::at(fixture.now));
        Secret::new(code.to_vec())
    };
    let confirm = ConfirmOwnSecondFactor(code(&fixture));
    fixture.run_by(jane, &confirm).unwrap();
    // From now on the password alone proves nothing, nor does what began with it.
    assert!(fixture.run_by(jane, &ShowMe).is_err());
    let (store, now) = (&mut fixture.store, fixture.now);
    assert!(prove_again(store, &guard(), presented(JANE, b"hunter2"), now).is_err());
    fixture.now = fixture.now.plus(core::time::Duration::from_secs(30));
    let with_code = SignIn {
        code: PresentedCode::Apart(Some(code(&fixture))),
        ..presented(JANE, b"hunter2")
    };
    let (store, now) = (&mut fixture.store, fixture.now);
    let caller = check_password(store, &guard(), with_code, now).unwrap();
    fixture.now = fixture.now.plus(core::time::Duration::from_secs(30));
    let with_code = SignIn {
        code: PresentedCode::Apart(Some(code(&fixture))),
        ..presented(JANE, b"hunter2")
    };
    let (store, now) = (&mut fixture.store, fixture.now);
    let own = prove_again(store, &guard(), with_code, now).unwrap();
    let disable = DisableOwnSecondFactor(own);
    fixture.run_by(caller.authority, &disable).unwrap();
    signed_in(&mut fixture, b"hunter2");
}

#[test]
fn a_user_sees_and_ends_no_web_session_but_the_own() {
    let mut fixture = Fixture::with_admin();
    fixture.user("joe@mail.test");
    let (store, now) = (&mut fixture.store, fixture.now);
    let joe = presented("joe@mail.test", b"hunter2");
    let joe = sign_in(store, &guard(), joe, &mut crate::OsRandom, now);
    let joe = joe.ok().unwrap().caller.authority;
    let jane = signed_in(&mut fixture, b"hunter2");
    let other = signed_in(&mut fixture, b"hunter2");
    let own = fixture.run_by(joe, &ListOwnWebSessions).unwrap();
    assert_eq!(own.len(), 1);
    let end = EndOwnWebSession(own[0].session.id);
    let error = fixture.run_by(jane, &end).unwrap_err();
    assert!(error.is(ErrorKind::NotFound, Noun::WebSession), "{error}");
    let own = fixture.run_by(jane, &ListOwnWebSessions).unwrap();
    let current: Vec<_> = own.iter().map(|it| it.is_current).collect();
    assert_eq!(current, [true, false]);
    // The second time it works there already, and nothing is written down.
    let switch = SwitchTenant(tenant_id("acme"));
    fixture.run_by(jane, &switch).unwrap();
    let acts = fixture.acts().len();
    fixture.run_by(jane, &switch).unwrap();
    assert_eq!(fixture.acts().len(), acts);
    let own = fixture.run_by(jane, &ListOwnWebSessions).unwrap();
    let tenants: Vec<_> = own.iter().map(|it| it.session.tenant.clone()).collect();
    assert_eq!(tenants, [Some(tenant_id("acme")), None]);
    let switched = "user.switch jane@mail.test";
    assert_eq!(fixture.acts().last().unwrap(), switched);
    let end = EndOwnWebSession(own[1].session.id);
    fixture.run_by(jane, &end).unwrap();
    assert!(fixture.run_by(other, &ShowMe).is_err());
    assert!(fixture.run_by(jane, &ShowMe).is_ok());
    assert_eq!(
        fixture.acts().last().unwrap(),
        "user.sign-out jane@mail.test"
    );
    assert_eq!(login_name(JANE).as_str(), JANE);
}
