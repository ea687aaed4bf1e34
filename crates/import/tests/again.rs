//! What becomes of what an earlier import made, and of names that are taken.

#![expect(
    clippy::unwrap_used,
    reason = "what tests share is outside of `#[test]`"
)]

#[cfg(test)]
#[expect(dead_code, reason = "each test file uses some of it")]
mod common;

use core::ops::ControlFlow;
use std::fs;

use countersign_admin::credential::{
    ChangeCredentialRules, CreateCredential, NewCredential, ResetPassword, RevokeCredential,
    SuspendCredential,
};
use countersign_admin::password::ChosenPassword;
use countersign_admin::rule::RuleChange;
use countersign_admin::secret::NewSecret;
use countersign_admin::tenant::{CreateTenant, NewTenant};
use countersign_admin::user::CreateUser;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::rule::{Action, Limits, Pattern, Rule};
use countersign_core::scheme::SchemeName;
use countersign_core::tenant::SubscribeMode;
use countersign_import::{Change, MosquittoSource, Plan, Report};

use self::common::{Fixture, HASH};

/// The same password under another salt.
const OTHER: &str = "$6$AAECAwQFBgcICQoL$5W8GCQ9GLgmhmQvoa8jmRaPnsh82mRigdSv6mQsK0sMIII/WznlQb1g+RWddfoAKTMzBJP1deJU+Rp/1QZ0zZg==";

fn name(text: &str) -> LoginName {
    LoginName::parse(text).unwrap()
}

fn plan(fixture: &mut Fixture, passwords: &str, acl: &str) -> Plan {
    let folder = tempfile::tempdir().unwrap();
    let path = |file: &str| folder.path().join(file);
    fs::write(path("passwords"), passwords).unwrap();
    fs::write(path("acl"), acl).unwrap();
    fixture.act(|store, context, options| {
        let (passwords, acl) = (path("passwords"), path("acl"));
        let source = MosquittoSource::read_files(Some(&passwords), Some(&acl)).unwrap();
        source.plan(store, context, options).unwrap()
    })
}

fn import(fixture: &mut Fixture, passwords: &str, acl: &str) -> Report {
    let plan = plan(fixture, passwords, acl);
    fixture.act(|store, context, _| {
        plan.apply(store, context, |_, _, _| ControlFlow::Continue(()))
            .unwrap()
    })
}

fn why(report: &Report) -> Vec<String> {
    let lost = report.lost.iter();
    lost.map(|loss| format!("{}: {}", loss.what, loss.why))
        .collect()
}

/// Alice and Bob, and a rule of each.
fn imported() -> Fixture {
    let mut fixture = Fixture::new("home/#");
    let users = format!("alice:{HASH}\nbob:{HASH}\n");
    import(&mut fixture, &users, ACL);
    fixture
}

fn choose_password_of_alice(fixture: &mut Fixture) {
    let chosen = ChosenPassword::parse(b"chosen here".to_vec()).unwrap();
    fixture.run(&ResetPassword {
        name: name("alice"),
        secret: NewSecret::Chosen(chosen),
    });
}

const ACL: &str = "user alice\ntopic home/a\ntopic home/b\nuser bob\ntopic home/a\n";

#[test]
fn without_update_what_the_source_changed_is_lost_and_what_it_did_not_is_unchanged() {
    let mut fixture = imported();
    let before = fixture.lines();
    let users = format!("alice:{OTHER}\nbob:{HASH}\n");
    let acl = "user alice\ntopic home/a\ntopic home/c\nuser bob\ntopic home/a\n";
    let report = import(&mut fixture, &users, acl);
    let changed = "an earlier import made it, and the source has changed it since";
    assert_eq!(
        why(&report),
        [format!("home/c: {changed}"), format!("alice: {changed}")]
    );
    assert_eq!((report.unchanged, report.updated), (1, 0));
    assert_eq!(fixture.lines(), before);
}

#[test]
fn an_update_changes_what_the_source_changed_and_leaves_what_was_changed_here() {
    let mut fixture = imported();
    fixture.options.update = true;
    // Here: a rule is added, and one is taken away.
    let pattern = |text: &str| Pattern::parse(text).unwrap();
    for change in [
        RuleChange::Add(Rule::deny(Action::Both, pattern("home/x"))),
        RuleChange::Remove {
            action: Action::Both,
            pattern: pattern("home/a"),
            limits: Limits::NONE,
            literal: false,
        },
    ] {
        fixture.run(&ChangeCredentialRules {
            name: name("alice"),
            change,
        });
    }
    // There: a rule is added, and one is taken away.
    let users = format!("alice:{HASH}\nbob:{OTHER}\n");
    let acl = "user alice\ntopic home/a\ntopic home/c\nuser bob\ntopic home/a\n";
    let report = import(&mut fixture, &users, acl);
    assert_eq!(
        (report.updated, report.unchanged, why(&report).len()),
        (2, 0, 0)
    );
    assert_eq!(
        fixture.lines()[1..],
        [
            "alice plain hashed: deny both home/x, allow both home/c",
            "bob plain hashed: allow both home/a",
        ]
    );
    let again = import(&mut fixture, &users, acl);
    assert_eq!((again.updated, again.unchanged), (0, 2));
}

#[test]
fn an_update_changes_no_password_that_was_changed_here_and_nothing_that_is_revoked() {
    let mut fixture = imported();
    fixture.options.update = true;
    choose_password_of_alice(&mut fixture);
    fixture.run(&RevokeCredential {
        name: name("bob"),
        reason: None,
    });
    let users = format!("alice:{OTHER}\nbob:{OTHER}\n");
    let acl = "user alice\ntopic home/a\ntopic home/b\nuser bob\ntopic home/z\n";
    let report = import(&mut fixture, &users, acl);
    let how: Vec<_> = report
        .changed
        .iter()
        .map(|it| (&*it.what, &*it.how))
        .collect();
    assert!(
        how.contains(&("alice", "its password was changed here, and stays")),
        "{how:?}"
    );
    assert!(
        how.contains(&("bob", "it is Revoked here, and stays as it is")),
        "{how:?}"
    );
    assert_eq!(
        fixture.lines()[1..],
        [
            "alice plain argon2id: allow both home/a, allow both home/b",
            "bob plain hashed Revoked: allow both home/a",
        ]
    );
}

#[test]
fn what_the_source_no_longer_has_is_told_and_an_update_takes_its_roles_away() {
    let mut fixture = Fixture::new("home/#");
    let users = format!("alice:{HASH}\nbob:{HASH}\n");
    let acl = "topic read home/news\nuser alice\ntopic home/a\npattern home/of/%u\n";
    import(&mut fixture, &users, acl);
    let (users, acl) = (format!("alice:{HASH}\n"), "user alice\ntopic home/a\n");
    let report = plan(&mut fixture, &users, acl).report().clone();
    let gone = |report: &Report| -> Vec<String> {
        assert!(report.lost.is_empty(), "{report:?}");
        let changed = report.changed.iter();
        let gone = changed.filter(|it| {
            it.how.contains("no longer has it") || it.how.starts_with("1 credentials and 2 roles")
        });
        gone.map(|it| it.what.to_string()).collect()
    };
    assert_eq!(gone(&report), ["home"]);
    fixture.options.update = true;
    let report = import(&mut fixture, &users, acl);
    // Bob may be another source's: he is not stopped.
    assert_eq!(gone(&report), ["anonymous", "patterns", "bob"]);
    assert_eq!(
        fixture.lines(),
        [
            "tenant home required filtered default=patterns anonymous=anonymous,patterns sys_read=false",
            "role anonymous",
            "role patterns",
            "alice plain hashed: allow both home/a",
            "bob plain hashed",
        ]
    );
    let again = import(&mut fixture, &users, acl);
    assert_eq!((gone(&again), again.updated), (vec!["bob".into()], 0));
    fixture.run(&SuspendCredential(name("bob")));
    let stopped = import(&mut fixture, &users, acl);
    assert_eq!((gone(&stopped), stopped.updated), (vec![], 0));
}

#[test]
fn a_role_that_denies_stays_though_the_source_no_longer_has_it() {
    let mut fixture = Fixture::new("home/#");
    let users = format!("alice:{HASH}\n");
    let acl = "user alice\ntopic home/a\npattern deny home/b\n";
    import(&mut fixture, &users, acl);
    let before = fixture.lines();
    assert!(before.iter().any(|line| line.contains("deny both home/b")));
    fixture.options.update = true;
    for _ in 0..2 {
        let report = import(&mut fixture, &users, "user alice\ntopic home/a\n");
        let mut told = report.changed.iter();
        assert!(told.any(|it| it.how.contains("so it stays")), "{report:?}");
        assert_eq!((report.updated, fixture.lines()), (0, before.clone()));
    }
}

#[test]
fn what_an_update_leaves_as_it_is_here_is_told_once() {
    let mut fixture = imported();
    fixture.options.update = true;
    choose_password_of_alice(&mut fixture);
    let users = format!("alice:{OTHER}\nbob:{HASH}\n");
    let stays = "its password was changed here, and stays";
    for is_first in [true, false] {
        let report = import(&mut fixture, &users, ACL);
        let is_told = report.changed.iter().any(|it| *it.how == *stays);
        assert_eq!(is_told, is_first, "{report:?}");
        assert_eq!(report.updated, u64::from(is_first));
    }
}

#[test]
fn a_name_that_something_else_has_is_lost_with_its_lines() {
    let mut fixture = imported();
    for (tenant, of) in [("home", "carol"), ("home", "dave")] {
        let tenant = TenantId::parse(tenant).unwrap();
        fixture.run(&CreateCredential(NewCredential {
            scheme: SchemeName::parse("plain").unwrap(),
            ..NewCredential::new(tenant, of)
        }));
    }
    let jane = ChosenPassword::parse(b"chosen".to_vec()).unwrap();
    fixture.run(&CreateUser::new(name("jane@mail.test"), jane));
    let users = format!(
        "alice:{HASH}\nbob:{HASH}\ncarol:{HASH}\nx@home:{HASH}\nJane@Mail.test:{HASH}\nJ\u{d6}@mail.test:{HASH}\n"
    );
    let acl = "user alice\ntopic home/a\ntopic home/b\nuser bob\ntopic home/a\nuser carol\ntopic home/c\n";
    let report = import(&mut fixture, &users, acl);
    let carol = "name-taken: `carol` is a credential of the tenant that no import made";
    let expected = [
        format!("carol: {carol}"),
        format!("home/c: {carol}"),
        format!("carol: {carol}"),
        "x@home: name-taken: names that end with `@home` are that tenant's".into(),
        "Jane@Mail.test: name-taken: `jane@mail.test` is a user".into(),
        "J\u{d6}@mail.test: `J\u{d6}@mail.test` can't be a name: it looks like an address, and holds a \
         letter in upper case that is none of `A` to `Z`"
            .into(),
    ];
    assert_eq!(why(&report), expected);
    assert_eq!(report.unchanged, 2);
}

#[test]
fn a_tenant_that_stays_strict_is_named_at_the_first_line_that_lets_something_be_read() {
    let acl =
        "user alice\ntopic write home/a\ntopic deny home/b\ntopic read home/c\ntopic home/d\n";
    let users = format!("alice:{HASH}\n");
    for (mode, told) in [
        (SubscribeMode::Strict, Some("home/c")),
        (SubscribeMode::Filtered, None),
    ] {
        let mut fixture = Fixture::new("home/#");
        let home = TenantId::parse("home").unwrap();
        fixture.run(&CreateTenant(NewTenant {
            subscribe: mode,
            ..NewTenant::new(home)
        }));
        let report = import(&mut fixture, &users, acl);
        let says_so = |change: &&Change| change.how.contains("stays `strict`");
        let changed: Vec<_> = report.changed.iter().filter(says_so).collect();
        let what: Vec<_> = changed.iter().map(|change| &*change.what).collect();
        assert_eq!(what, told.into_iter().collect::<Vec<_>>(), "{report:?}");
    }
}

#[test]
fn an_import_that_stopped_halfway_is_run_again() {
    let mut fixture = Fixture::new("home/#");
    let users: Vec<String> = (0..120)
        .map(|number| format!("user{number:03}:{HASH}\n"))
        .collect();
    let users = users.concat();
    let stopped = plan(&mut fixture, &users, "pattern home/%u\n");
    // The tenant comes first, then the role, then credentials, fifty at a time.
    let taken = plan(&mut fixture, &format!("user110:{HASH}\n"), "");
    fixture.act(|store, context, _| {
        taken
            .apply(store, context, |_, _, _| ControlFlow::Continue(()))
            .unwrap()
    });
    let failed = fixture.act(|store, context, _| {
        stopped
            .apply(store, context, |_, _, _| ControlFlow::Continue(()))
            .err()
            .unwrap()
    });
    assert!(!failed.has_begun(), "{failed}");
    let report = import(&mut fixture, &users, "pattern home/%u\n");
    assert_eq!((report.created.credentials, report.unchanged), (119, 1));
    assert_eq!(fixture.lines().len(), 2 + 120);
}

#[test]
fn an_import_that_is_told_to_end_does_so_behind_its_step_and_is_run_again() {
    let mut fixture = Fixture::new("home/#");
    let users: Vec<String> = (0..120)
        .map(|number| format!("user{number:03}:{HASH}\n"))
        .collect();
    let users = users.concat();
    let stopped = plan(&mut fixture, &users, "pattern home/%u\n");
    let ended = fixture.act(|store, context, _| {
        let end = |_, done, _| match done {
            0..3 => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        };
        stopped.apply(store, context, end).err().unwrap()
    });
    // The tenant, its role, and fifty credentials.
    assert!(ended.error.is_none() && ended.has_begun(), "{ended}");
    assert_eq!(ended.report.created.credentials, 50);
    assert!(!ended.report.applied);
    let report = import(&mut fixture, &users, "pattern home/%u\n");
    // The role and fifty credentials are there.
    assert_eq!((report.created.credentials, report.unchanged), (70, 51));
    // What is told to end with its last step is done.
    let whole = plan(&mut fixture, &format!("more:{HASH}\n"), "");
    let whole = fixture
        .act(|store, context, _| whole.apply(store, context, |_, _, _| ControlFlow::Break(())));
    assert!(whole.is_ok_and(|report| report.applied));
}

/// Each with a password and a rule.
#[test]
fn a_hundred_thousand_users_are_planned_whole() {
    const USERS: u64 = 100_000;
    let mut fixture = Fixture::new("home/#");
    let names = || (0..USERS).map(|number| format!("user {number:06}"));
    let users: String = names().map(|name| format!("{name}:{HASH}\n")).collect();
    let acl: String = names()
        .map(|name| format!("user {name}\ntopic readwrite home/{name}/#\n"))
        .collect();
    let acl = format!("{acl}pattern read home/news\n");
    let plan = plan(&mut fixture, &users, &acl);
    let report = plan.report();
    let created = &report.created;
    assert_eq!((created.credentials, created.rules), (USERS, USERS + 1));
    let told = (report.kept, report.changed.len(), report.lost.len());
    assert_eq!(told, (3 * USERS, 1, 0));
}
