use countersign_core::connect::FailedLogin;
use countersign_core::ledger::Ledger as _;
use countersign_core::lockout::LockoutPolicy;
use countersign_core::name::GroupPath;
use countersign_core::reason::Reason;
use countersign_core::secret::{Secret, SecretDigest};
use countersign_core::store::{GateStore as _, Page};
use countersign_core::totp::{Seed, Step};
use countersign_core::user::{Grant, GrantedRight};

use super::*;
use crate::caller::Authority;
use crate::check::{ConnectVerdict, TopicCheck, Usage};
use crate::credential::{DeleteCredential, ShowCredential, SuspendCredential};
use crate::fixture::{Fixture, JANE, login_name, role_name, tenant_id};
use crate::operator::{ListOperators, ShowOperator};

const RIGHT: Option<&[u8]> = Some(b"hunter2");

fn shown(fixture: &mut Fixture) -> ShownUser {
    fixture.run(&ShowUser(login_name(JANE))).unwrap()
}

fn about_jane(fixture: &mut Fixture) -> User {
    let mut user = shown(fixture).user;
    about(&mut user).unwrap().clone()
}

fn enrolled(fixture: &mut Fixture) -> Enrolment {
    let enrol = EnrolSecondFactor(login_name(JANE));
    fixture.run(&enrol).unwrap()
}

fn code_of(seed: &Seed, fixture: &Fixture) -> Vec<u8> {
    seed.code_at(Step::at(fixture.now)).to_vec()
}

fn confirmed(fixture: &mut Fixture, code: Vec<u8>) -> Result<ShownUser, AdminError> {
    let (email, code) = (login_name(JANE), Secret::new(code));
    fixture.run(&ConfirmSecondFactor { email, code })
}

fn disabled(fixture: &mut Fixture) -> Result<ShownUser, AdminError> {
    fixture.run(&DisableSecondFactor(login_name(JANE)))
}

fn granting(email: &str, tenant: &str) -> GrantUser {
    GrantUser {
        email: login_name(email),
        grant: Grant {
            tenant: tenant_id(tenant),
            group: None,
            right: GrantedRight::OrgAdmin,
        },
    }
}

/// Fails to log in, so many times.
fn fail(fixture: &mut Fixture, times: usize) {
    let failure = FailedLogin {
        reason: Reason::BadSecret,
        email: login_name(JANE),
        policy: LockoutPolicy::default(),
    };
    for _ in 0..times {
        let now = fixture.now;
        fixture.store.record_failure(&failure, now).unwrap();
    }
}

#[test]
fn a_user_may_do_nothing_until_something_is_granted() {
    let mut fixture = Fixture::with_credential();
    fixture.user(JANE);
    let denied = ConnectVerdict::Deny(Reason::UnknownTenant);
    assert_eq!(fixture.check(JANE, RIGHT), denied);
    fixture.grant(JANE, "acme", GrantedRight::OrgAdmin).unwrap();
    assert_eq!(
        fixture.check("Jane@Mail.Test", RIGHT),
        ConnectVerdict::Allow
    );
    let wrong = fixture.check(JANE, Some(b"wrong"));
    assert_eq!(wrong, ConnectVerdict::Deny(Reason::BadSecret));
    assert_eq!(shown(&mut fixture).lockout, Lockout::default());
    assert_eq!(
        fixture.acts()[2..],
        ["user.create jane@mail.test", "user.grant jane@mail.test"]
    );
}

#[test]
fn what_is_asked_of_a_password_is_asked_of_a_users_too() {
    let mut fixture = Fixture::new();
    let mut make = |password: &[u8]| {
        let password = ChosenPassword::parse(password.to_vec()).unwrap();
        fixture.run(&CreateUser::new(login_name(JANE), password))
    };
    assert!(make(b"").is_err_and(|error| error.is(ErrorKind::Invalid, Noun::Password)));
    make(b"x").unwrap();
    let again = make(b"x").unwrap_err().to_string();
    assert_eq!(again, "`jane@mail.test` exists already");
    assert_eq!(fixture.acts().len(), 1);
}

#[test]
fn users_and_credentials_are_looked_up_apart() {
    let mut fixture = Fixture::with_admin();
    let (jane, device) = (login_name(JANE), login_name("dev1@acme"));
    let said = "`jane@mail.test` is a user";
    for error in [
        fixture.run(&ShowCredential(jane.clone())).unwrap_err(),
        fixture.run(&SuspendCredential(jane.clone())).unwrap_err(),
        fixture.run(&DeleteCredential(jane.clone())).unwrap_err(),
        fixture.run(&ShowOperator(jane)).unwrap_err(),
    ] {
        assert_eq!(error.to_string(), said);
    }
    assert!(
        fixture
            .run(&ListOperators::default())
            .unwrap()
            .rows
            .is_empty()
    );
    let error = fixture.run(&ShowUser(device)).unwrap_err();
    assert!(error.is(ErrorKind::WrongKind, Noun::Credential));
    assert_eq!(error.to_string(), "`dev1@acme` is a credential");
    let missing = fixture.run(&ShowUser(login_name("joe@mail.test")));
    assert!(missing.is_err_and(|error| error.is(ErrorKind::NotFound, Noun::User)));
    assert_eq!(fixture.run(&ListUsers::default()).unwrap().rows.len(), 1);
}

#[test]
fn there_is_one_grant_in_a_tenant_and_the_last_one_counts() {
    let mut fixture = Fixture::with_admin();
    fixture.tenant("other", &[]).unwrap();
    fixture
        .grant(JANE, "other", GrantedRight::OrgAdmin)
        .unwrap();
    let ops = || GrantedRight::Role(role_name("ops"));
    fixture.grant(JANE, "acme", ops()).unwrap();
    let grants = about_jane(&mut fixture).grants;
    let tenants: Vec<_> = grants.iter().map(|grant| grant.tenant.as_str()).collect();
    assert_eq!(tenants, ["acme", "other"]);
    assert_eq!(grants[0].right, ops());
    let before = fixture.acts();
    for (tenant, right, said) in [
        (
            "acme",
            ops(),
            "`jane@mail.test` is granted just that in tenant `acme` already",
        ),
        ("none", ops(), "there is no tenant `none`"),
        ("other", ops(), "tenant `other` has no role `ops`"),
    ] {
        let error = fixture.grant(JANE, tenant, right).unwrap_err();
        assert_eq!(error.to_string(), said);
    }
    let (email, tenant) = (login_name(JANE), tenant_id("other"));
    let ungrant = UngrantUser { email, tenant };
    let mut take = || fixture.run(&ungrant);
    take().unwrap();
    assert_eq!(
        take().unwrap_err().to_string(),
        "`jane@mail.test` is granted nothing in tenant `other`"
    );
    assert_eq!(fixture.acts().len(), before.len() + 1);
}

#[test]
fn a_grant_says_what_a_session_may_do() {
    let mut fixture = Fixture::with_admin();
    fixture.role("reader").unwrap();
    fixture
        .change_role(
            "reader",
            &crate::fixture::adding("allow subscribe acme/${group}/${username}/#"),
        )
        .unwrap();
    let mut may = |usage| {
        let ask = TopicCheck {
            username: Some(JANE),
            client_id: None,
            password: None,
            listener: None,
            usage,
        };
        let answer = fixture.policy_check().topic(&ask).unwrap();
        (
            answer.verdict.is_allowed(),
            answer.decided_by().map(|it| it.source.to_owned()),
        )
    };
    let anything = Usage::Subscribe { filter: "acme/#" };
    assert_eq!(may(anything), (true, Some("tenant:acme".into())));
    let grant = Grant {
        tenant: tenant_id("acme"),
        group: GroupPath::parse("DM").ok(),
        right: GrantedRight::Role(role_name("reader")),
    };
    let email = login_name(JANE);
    fixture.run(&GrantUser { email, grant }).unwrap();
    for (filter, is_allowed) in [
        ("acme/#", false),
        ("acme/DM/jane@mail.test/x", true),
        ("acme/DM/joe@mail.test/x", false),
    ] {
        let ask = TopicCheck {
            username: Some(JANE),
            client_id: Some("c"),
            password: None,
            listener: None,
            usage: Usage::Subscribe { filter },
        };
        let answer = fixture.policy_check().topic(&ask).unwrap();
        assert_eq!(answer.verdict.is_allowed(), is_allowed, "{filter}");
    }
}

#[test]
fn an_administrator_of_a_tenant_manages_the_users_of_that_tenant_alone() {
    let mut fixture = Fixture::with_admin();
    fixture.tenant("other", &[]).unwrap();
    let jane = Authority::Session(shown(&mut fixture).user.id);
    let ops = GrantedRight::Role(role_name("ops"));
    for (email, tenants, is_managed) in [
        ("joe@mail.test", &["acme"][..], true),
        ("ann@mail.test", &["acme", "other"], false),
        ("new@mail.test", &[], false),
    ] {
        let id = fixture.user(email).id;
        for tenant in tenants {
            let right = match *tenant {
                "acme" => ops.clone(),
                _ => GrantedRight::OrgAdmin,
            };
            fixture.grant(email, tenant, right).unwrap();
        }
        let shown = fixture.run_by(jane, &ShowUser(login_name(email)));
        let enrolled = fixture.run_by(jane, &EnrolSecondFactor(login_name(email)));
        let password = ChosenPassword::parse(b"new".to_vec()).unwrap();
        let reset = ResetUserPassword::new(login_name(email), password);
        let reset = fixture.run_by(jane, &reset);
        let deleted = fixture.run_by(jane, &DeleteUser(login_name(email)));
        if is_managed {
            assert_eq!(shown.unwrap().user.id, id);
            assert!(enrolled.is_ok() && reset.is_ok() && deleted.is_ok());
        } else {
            let refused = [shown.err(), enrolled.err(), reset.err(), deleted.err()];
            for error in refused.map(Option::unwrap) {
                assert!(error.is(ErrorKind::NotFound, Noun::User), "{error}");
            }
        }
    }
    let password = ChosenPassword::parse(b"x".to_vec()).unwrap();
    let create = CreateUser::new(login_name("bob@mail.test"), password);
    let refused = [
        fixture.run_by(jane, &create).err(),
        fixture.run_by(jane, &ListUsers::default()).err(),
    ];
    for error in refused.map(Option::unwrap) {
        assert!(error.is(ErrorKind::Forbidden, Noun::Caller), "{error}");
    }
    let elsewhere = granting("new@mail.test", "other");
    let error = fixture.run_by(jane, &elsewhere).unwrap_err();
    assert!(error.is(ErrorKind::NotFound, Noun::Tenant), "{error}");
    fixture
        .run_by(jane, &granting("new@mail.test", "acme"))
        .unwrap();
    // Nor is she told that a name is a device's, which may be of another tenant.
    let error = fixture.run_by(jane, &granting("dev1@acme", "acme"));
    assert_eq!(
        error.unwrap_err().to_string(),
        "there is no user `dev1@acme`"
    );
    let error = fixture.run(&granting("dev1@acme", "acme")).unwrap_err();
    assert!(error.is(ErrorKind::WrongKind, Noun::Credential), "{error}");
}

#[test]
fn whom_the_platform_handed_to_no_tenant_an_administrator_does_not_manage_by_a_grant() {
    let mut fixture = Fixture::with_admin();
    let jane = Authority::Session(shown(&mut fixture).user.id);
    let password = || ChosenPassword::parse(b"new".to_vec()).unwrap();
    let try_to_manage = |fixture: &mut Fixture| {
        let new = || login_name("new@mail.test");
        [
            fixture.run_by(jane, &ShowUser(new())).err(),
            fixture
                .run_by(jane, &ResetUserPassword::new(new(), password()))
                .err(),
            fixture.run_by(jane, &DisableSecondFactor(new())).err(),
            fixture.run_by(jane, &DeleteUser(new())).err(),
        ]
    };
    fixture.user("new@mail.test");
    let granted = granting("new@mail.test", "acme");
    fixture.run_by(jane, &granted).unwrap();
    for error in try_to_manage(&mut fixture).map(Option::unwrap) {
        assert!(error.is(ErrorKind::NotFound, Noun::User), "{error}");
    }
    let again = fixture.run_by(jane, &granted).unwrap_err();
    assert!(again.is(ErrorKind::Exists, Noun::Grant), "{again}");
    // The platform's word for the same grant hands the user over.
    fixture.run(&granted).unwrap();
    let again = fixture.run(&granted).unwrap_err();
    assert!(again.is(ErrorKind::Exists, Noun::Grant), "{again}");
    let [shown, reset, disabled, deleted] = try_to_manage(&mut fixture);
    assert!(shown.is_none() && reset.is_none() && deleted.is_none());
    assert!(
        disabled
            .unwrap()
            .is(ErrorKind::NotFound, Noun::SecondFactor)
    );
}

#[test]
fn whom_a_tenant_gave_up_its_administrator_does_not_get_back_by_a_grant() {
    let mut fixture = Fixture::with_admin();
    let jane = Authority::Session(shown(&mut fixture).user.id);
    fixture.user("joe@mail.test");
    let granted = granting("joe@mail.test", "acme");
    fixture.run(&granted).unwrap();
    // What she changes of the grant is nothing that she loses him by.
    let role = Grant {
        right: GrantedRight::Role(role_name("ops")),
        ..granted.grant.clone()
    };
    let email = login_name("joe@mail.test");
    let changed = GrantUser {
        email: email.clone(),
        grant: role,
    };
    assert_eq!(
        granted_in(&fixture.run_by(jane, &changed).unwrap()),
        ["acme"]
    );
    fixture.run_by(jane, &ShowUser(email.clone())).unwrap();
    let ungrant = UngrantUser {
        email: email.clone(),
        tenant: tenant_id("acme"),
    };
    fixture.run_by(jane, &ungrant).unwrap();
    fixture.run_by(jane, &granted).unwrap();
    let error = fixture.run_by(jane, &ShowUser(email)).unwrap_err();
    assert!(error.is(ErrorKind::NotFound, Noun::User), "{error}");
}

#[test]
fn a_grant_tells_nothing_of_what_other_tenants_grant() {
    let mut fixture = Fixture::with_admin();
    fixture.tenant("other", &[]).unwrap();
    let jane = Authority::Session(shown(&mut fixture).user.id);
    fixture.user("ann@mail.test");
    fixture
        .grant("ann@mail.test", "other", GrantedRight::OrgAdmin)
        .unwrap();
    let told = fixture
        .run_by(jane, &granting("ann@mail.test", "acme"))
        .unwrap();
    assert_eq!(granted_in(&told), ["acme"]);
    let email = login_name("ann@mail.test");
    let known = fixture.run(&ShowUser(email.clone())).unwrap();
    assert_eq!(granted_in(&known), ["acme", "other"]);
    let tenant = tenant_id("acme");
    let told = fixture
        .run_by(jane, &UngrantUser { email, tenant })
        .unwrap();
    assert_eq!(granted_in(&told), [""; 0]);
}

#[test]
fn the_users_of_a_tenant_are_listed_for_its_administrators_as_far_as_they_are_theirs() {
    let mut fixture = Fixture::with_admin();
    fixture.tenant("other", &[]).unwrap();
    fixture.tenant("third", &[]).unwrap();
    let jane = Authority::Session(shown(&mut fixture).user.id);
    for (email, tenants) in [
        ("zoe@mail.test", &["acme"][..]),
        ("ann@mail.test", &["acme", "other", "third"]),
        ("kim@mail.test", &["other"]),
    ] {
        fixture.user(email);
        for tenant in tenants {
            let right = GrantedRight::OrgAdmin;
            fixture.grant(email, tenant, right).unwrap();
        }
    }
    let viewer = GrantedRight::Viewer;
    fixture.grant(JANE, "other", viewer).unwrap();
    let page_of = |fixture: &mut Fixture, authority, after| {
        let list = ListGrantedUsers {
            tenant: tenant_id("acme"),
            page: Page { after, limit: 2 },
        };
        fixture.run_by(authority, &list).unwrap()
    };
    let first = page_of(&mut fixture, jane, None);
    let rest = page_of(&mut fixture, jane, first.next);
    assert_eq!(rest.next, None);
    let all: Vec<_> = first.rows.iter().chain(&rest.rows).collect();
    let names: Vec<_> = all.iter().map(|it| it.user.name.as_str()).collect();
    assert_eq!(names, [JANE, "zoe@mail.test", "ann@mail.test"]);
    // She manages Zoe alone. What she only sees grants nobody may ask her about.
    let whole: Vec<_> = all.iter().map(|it| it.is_whole).collect();
    assert_eq!(whole, [false, true, false]);
    for user in &all {
        assert_eq!(granted_in(user), ["acme"]);
    }
    let told = serde_json::to_value(crate::view::UserView::of(all[2], fixture.now)).unwrap();
    for key in [
        "platform_admin",
        "mfa",
        "created_at",
        "updated_at",
        "generation",
    ] {
        assert!(told[key].is_null(), "{told}");
    }
    // Where she administers the other tenant, too, its grants are no secret.
    fixture
        .grant(JANE, "other", GrantedRight::OrgAdmin)
        .unwrap();
    let rest = page_of(&mut fixture, jane, first.next);
    assert_eq!(granted_in(&rest.rows[0]), ["acme", "other"]);
    let of_platform = page_of(&mut fixture, Authority::Platform, first.next);
    assert_eq!(granted_in(&of_platform.rows[0]), ["acme", "other", "third"]);
    let nowhere = ListGrantedUsers {
        tenant: tenant_id("nowhere"),
        page: Page::default(),
    };
    let error = fixture.run(&nowhere).unwrap_err();
    assert!(error.is(ErrorKind::NotFound, Noun::Tenant), "{error}");
}

/// The tenants in which a user is granted something.
fn granted_in(shown: &ShownUser) -> Vec<&str> {
    let Kind::User(user) = &shown.user.kind else {
        panic!("{:?}", shown.user.kind);
    };
    let tenants = user.grants.iter().map(|grant| grant.tenant.as_str());
    tenants.collect()
}

#[test]
fn a_reset_ends_the_old_password_and_the_sessions() {
    let mut fixture = Fixture::with_admin();
    let password = ChosenPassword::parse(b"new".to_vec()).unwrap();
    let before = fixture.store.last_change().unwrap();
    let reset = ResetUserPassword::new(login_name(JANE), password);
    let reset = fixture.run(&reset).unwrap();
    assert_eq!(reset.user.generation.0, 2);
    assert_eq!(reset.user.secrets.len(), 1);
    assert_eq!(
        fixture.changes_after(before),
        [Change::Credential(reset.user.id)]
    );
    assert_eq!(fixture.check(JANE, Some(b"new")), ConnectVerdict::Allow);
    assert!(!fixture.check(JANE, RIGHT).is_allowed());
}

#[test]
fn a_lock_is_shown_counts_and_is_lifted() {
    let mut fixture = Fixture::with_admin();
    let unlock = UnlockUser(login_name(JANE));
    let refused = fixture.run(&unlock).unwrap_err();
    assert!(refused.is(ErrorKind::NotFound, Noun::Lockout), "{refused}");
    fail(&mut fixture, 5);
    assert_eq!(
        fixture.check(JANE, RIGHT),
        ConnectVerdict::Deny(Reason::Locked)
    );
    assert!(shown(&mut fixture).lockout.is_locked(fixture.now));
    fixture.run(&unlock).unwrap();
    assert_eq!(fixture.check(JANE, RIGHT), ConnectVerdict::Allow);
    assert_eq!(fixture.acts().last().unwrap(), "user.unlock jane@mail.test");
}

#[test]
fn a_second_factor_counts_once_it_is_confirmed() {
    let refused = |result: Result<ShownUser, AdminError>, kind| {
        let error = result.unwrap_err();
        assert!(error.is(kind, Noun::SecondFactor), "{error}");
    };
    let mut fixture = Fixture::with_admin();
    let none = confirmed(&mut fixture, b"123456".to_vec());
    refused(none, ErrorKind::NotFound);
    enrolled(&mut fixture);
    let enrolment = enrolled(&mut fixture);
    assert_eq!(fixture.check(JANE, RIGHT), ConnectVerdict::Allow);
    let code = code_of(&enrolment.seed, &fixture);
    for wrong in [b"".to_vec(), b"12345".to_vec(), [&code[..], b"0"].concat()] {
        refused(confirmed(&mut fixture, wrong), ErrorKind::Conflict);
    }
    confirmed(&mut fixture, code.clone()).unwrap();
    let missing = ConnectVerdict::Deny(Reason::MfaRequired);
    assert_eq!(fixture.check(JANE, None), missing);
    assert_eq!(fixture.check(JANE, RIGHT), missing);
    // The code that confirmed it counts as used.
    let replayed = [b"hunter2", &code[..]].concat();
    assert_eq!(fixture.check(JANE, Some(&replayed)), missing);
    fixture.now = fixture.now.plus(core::time::Duration::from_secs(30));
    let code = code_of(&enrolment.seed, &fixture);
    let whole = [b"hunter2", &code[..]].concat();
    assert_eq!(fixture.check(JANE, Some(&whole)), ConnectVerdict::Allow);
    // Nothing is counted and nothing used up by asking.
    assert_eq!(fixture.check(JANE, Some(&whole)), ConnectVerdict::Allow);
    let again = fixture.run(&EnrolSecondFactor(login_name(JANE)));
    refused(
        again.map(|enrolment| enrolment.described),
        ErrorKind::Exists,
    );
    refused(confirmed(&mut fixture, code), ErrorKind::Exists);
    disabled(&mut fixture).unwrap();
    assert_eq!(fixture.check(JANE, RIGHT), ConnectVerdict::Allow);
    refused(disabled(&mut fixture), ErrorKind::NotFound);
}

#[test]
fn recovery_codes_are_kept_as_digests_and_replaced_together() {
    let mut fixture = Fixture::with_admin();
    let first = enrolled(&mut fixture).recovery_codes;
    let second = enrolled(&mut fixture).recovery_codes;
    let kept = about_jane(&mut fixture).second_factor.unwrap().recovery;
    assert_eq!(kept.len(), 10);
    let digests: Vec<_> = kept.into_iter().map(|code| code.digest).collect();
    for (one, other) in first.iter().zip(&second) {
        assert!(!digests.contains(&SecretDigest::of(one)));
        assert!(digests.contains(&SecretDigest::of(other)));
        let text = core::str::from_utf8(other.expose()).unwrap();
        assert_eq!(text.len(), 19);
        let groups: Vec<_> = text.split('-').map(str::len).collect();
        assert_eq!(groups, [4; 4], "{text}");
    }
    disabled(&mut fixture).unwrap();
    assert!(about_jane(&mut fixture).second_factor.is_none());
}

#[test]
fn whoever_lost_the_key_file_is_refused_until_the_factor_is_taken_away() {
    let mut fixture = Fixture::with_admin();
    let enrolment = enrolled(&mut fixture);
    let code = code_of(&enrolment.seed, &fixture);
    confirmed(&mut fixture, code).unwrap();
    fixture.reopen(None);
    fixture.now = fixture.now.plus(core::time::Duration::from_secs(30));
    let code = code_of(&enrolment.seed, &fixture);
    let whole = [b"hunter2", &code[..]].concat();
    let refused = ConnectVerdict::Deny(Reason::MfaRequired);
    assert_eq!(fixture.check(JANE, Some(&whole)), refused);
    let sealed = fixture.run(&crate::sealed::CountSealed).unwrap();
    assert_eq!((sealed.second_factors, sealed.unreadable), (1, 1));
    assert!(!sealed.has_key);
    disabled(&mut fixture).unwrap();
    assert_eq!(fixture.check(JANE, RIGHT), ConnectVerdict::Allow);
    let before = fixture.acts();
    let enrolled = fixture.run(&EnrolSecondFactor(login_name(JANE)));
    let no_key = |error: AdminError| error.is(ErrorKind::Unavailable, Noun::KeyFile);
    assert!(enrolled.err().is_some_and(no_key));
    assert_eq!(fixture.acts(), before);
}

#[test]
fn no_secret_of_a_user_is_in_the_audit() {
    let mut fixture = Fixture::with_admin();
    let enrolment = enrolled(&mut fixture);
    let code = code_of(&enrolment.seed, &fixture);
    confirmed(&mut fixture, code).unwrap();
    let audit = format!("{:?}", fixture.entries());
    assert!(!audit.contains("hunter2"));
    assert!(!audit.contains(&*enrolment.seed.to_base32()));
    for code in &enrolment.recovery_codes {
        assert!(!audit.contains(core::str::from_utf8(code.expose()).unwrap()));
    }
}
