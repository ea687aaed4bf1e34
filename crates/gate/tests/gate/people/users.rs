//! Logins and sessions of users.

use std::time::Duration;

use countersign::core::change::Change;
use countersign::core::lockout::LockoutPolicy;
use countersign::core::reason::Reason;
use countersign::core::secret::{PasswordHash, SaltReading, Verifier};
use countersign::core::store::rows::SecretRows as _;
use countersign::core::store::{AdminStore as _, AdminTransaction as _, Directory as _, Intent};
use countersign::sqlite::SqliteStore;

use countersign::core::user::GrantedRight;
use countersign::{Completion, Directive, Handle, TopicUse};
use countersign_admin::clients::ListClients;
use countersign_admin::password::ChosenPassword;
use countersign_admin::role::{DeleteRole, RoleDeletion};
use countersign_admin::tenant::{SetTenant, TenantChanges};
use countersign_admin::user::{ResetUserPassword, UnlockUser};

use crate::fixture::{
    Fixture, JANE, TRY, Try, admitted, is_admitted, name, refused, role_right, tenant_id,
};

const WRONG: Try<'static> = Try {
    password: "wrong",
    ..TRY
};
const MINUTE: Duration = Duration::from_secs(60);

/// A wrong guess with a client id of its own, so that bursts don't matter.
fn fail(fixture: &mut Fixture, name: &str) -> Reason {
    // What is slow is hashed for the next try, where there is no time.
    for _ in 0..50 {
        let reason = refused(&fixture.connect(Try { name, ..WRONG }));
        if reason != Reason::OverBudget {
            return reason;
        }
        fixture.settle();
        fixture.pass(Duration::from_secs(3));
    }
    panic!("there is never time");
}

#[test]
fn a_user_is_let_in_by_address_and_password_and_in_no_other_way() {
    let mut fixture = Fixture::new();
    assert_eq!(admitted(&fixture.connect(TRY)), JANE);
    assert!(fixture.publishes(TRY, JANE, "acme/x"));
    assert!(!fixture.publishes(TRY, JANE, "beta/x"));
    let shouted = Try {
        handle: 2,
        client_id: "b",
        name: "JANE@Mail.Test",
        ..TRY
    };
    assert_eq!(admitted(&fixture.connect(shouted)), JANE);
    assert!(fixture.publishes(shouted, JANE, "acme/x"));
    assert!(!is_admitted(&fixture.connect(WRONG)));
    fixture.background.write();
    let listed = fixture
        .run(&ListClients {
            tenant: None,
            all: false,
            ..ListClients::default()
        })
        .unwrap();
    for client in listed.rows {
        let presence = client.presence;
        assert_eq!(presence.username.as_deref(), Some(JANE));
        assert_eq!(presence.tenant, Some(tenant_id("acme")));
        assert!(presence.authenticated);
    }
}

#[test]
fn every_fifth_failure_locks_known_and_unknown_alike_and_across_restarts() {
    let mut fixture = Fixture::new();
    for (email, cause) in [
        (JANE, Reason::BadSecret),
        ("nobody@mail.test", Reason::UnknownName),
    ] {
        for minutes in [5, 10, 15] {
            for _ in 0..5 {
                assert_eq!(fail(&mut fixture, email), cause);
            }
            assert_eq!(
                refused(&fixture.connect(Try { name: email, ..TRY })),
                Reason::Locked
            );
            fixture = fixture.restart();
            fixture.pass(MINUTE * minutes - Duration::from_secs(20));
            // Neither judged nor counted.
            for password in ["right", "wrong"] {
                let outcome = fixture.connect(Try {
                    name: email,
                    password,
                    ..TRY
                });
                assert_eq!(refused(&outcome), Reason::Locked, "{minutes}");
            }
            fixture.pass(Duration::from_secs(20));
        }
    }
    assert!(is_admitted(&fixture.connect(TRY)));
    let locks: Vec<_> = fixture
        .acts()
        .into_iter()
        .filter(|(_, act, _)| act == "user.lock")
        .collect();
    // Of who is nobody, the refusals alone are written down.
    let jane = (
        "broker:bench".to_owned(),
        "user.lock".to_owned(),
        JANE.to_owned(),
    );
    assert_eq!(locks, [jane.clone(), jane.clone(), jane]);
}

#[test]
fn a_success_begins_the_count_again_and_a_live_session_survives_a_lock() {
    let mut fixture = Fixture::new();
    for _ in 0..4 {
        fail(&mut fixture, JANE);
    }
    let live = Try {
        handle: 2,
        client_id: "b",
        ..TRY
    };
    assert!(is_admitted(&fixture.connect(live)));
    for _ in 0..4 {
        assert_eq!(fail(&mut fixture, JANE), Reason::BadSecret);
    }
    assert_eq!(fail(&mut fixture, JANE), Reason::BadSecret);
    assert_eq!(refused(&fixture.connect(TRY)), Reason::Locked);
    assert_eq!(fixture.kicked(), [""; 0]);
    assert!(fixture.publishes(live, JANE, "acme/x"));
    fixture.run(&UnlockUser(name(JANE))).unwrap();
    assert!(is_admitted(&fixture.connect(TRY)));
}

#[test]
fn the_strictest_of_a_user_s_tenants_says_when_they_are_locked_out() {
    let mut fixture = Fixture::new();
    fixture.grant(JANE, "beta", GrantedRight::OrgAdmin);
    let changes = TenantChanges {
        lockout: Some(Some(
            LockoutPolicy::parse("failures=2,step=1m,longest=30m").unwrap(),
        )),
        ..TenantChanges::default()
    };
    fixture
        .act(|store, context| {
            countersign_admin::run(
                store,
                context,
                &SetTenant {
                    id: tenant_id("beta"),
                    changes,
                },
            )
        })
        .unwrap();
    fixture.settle();
    fail(&mut fixture, JANE);
    fail(&mut fixture, JANE);
    assert_eq!(refused(&fixture.connect(TRY)), Reason::Locked);
}

#[test]
fn a_lock_that_begins_meanwhile_refuses_whoever_waits_for_a_hash() {
    let mut fixture = Fixture::new();
    for _ in 0..4 {
        fail(&mut fixture, JANE);
    }
    let held = |handle, client_id, password| Try {
        handle,
        client_id,
        password,
        may_wait: true,
        ..TRY
    };
    // Two are held, the second with the right password; the first one locks.
    let _one = fixture.connect(held(11, "one", "wrong"));
    let _two = fixture.connect(held(12, "two", "right"));
    let completions: Vec<_> = fixture
        .settle()
        .into_iter()
        .filter_map(|directive| match directive {
            Directive::Complete { completion, .. } => Some(completion),
            _ => None,
        })
        .collect();
    assert_eq!(completions.len(), 2);
    for (completion, cause) in completions.iter().zip(["bad-secret", "locked"]) {
        let Completion::Refuse { line: Some(line) } = completion else {
            panic!("{completion:?}");
        };
        assert!(line.contains(&format!(": {cause}: ")), "{line}");
    }
}

#[test]
fn what_can_t_be_counted_is_refused_as_busy() {
    use countersign::core::store::{AdminStore as _, Intent};

    let mut fixture = Fixture::new();
    // It was verified, so that no hash is in the way.
    assert!(is_admitted(&fixture.connect(TRY)));
    let other = Try {
        handle: 2,
        client_id: "b",
        ..WRONG
    };
    let outcome = {
        let Fixture { gate, admin, .. } = &mut fixture;
        let _writing = admin.begin(Intent::Write).unwrap();
        gate.connect(&{
            let mut info = countersign::ConnectInfo::new(Handle(other.handle), b"b");
            info.username = Some(JANE.as_bytes());
            info.password = Some(b"wrong");
            info
        })
    };
    assert_eq!(refused(&outcome), Reason::StoreBusy);
    for _ in 0..4 {
        assert_eq!(fail(&mut fixture, JANE), Reason::BadSecret);
    }
    assert!(
        is_admitted(&fixture.connect(TRY)),
        "the first was not counted"
    );
}

#[test]
fn a_code_stands_behind_the_password_and_works_once() {
    let mut fixture = Fixture::new();
    let (seed, _) = fixture.enrol(JANE);
    assert_eq!(refused(&fixture.connect(TRY)), Reason::MfaRequired);
    let code = fixture.code(&seed, 0);
    let password = format!("right{code}");
    let with_code = Try {
        password: &password,
        ..TRY
    };
    assert_eq!(admitted(&fixture.connect(with_code)), JANE);
    // The host asks again about the live one with the same words.
    fixture.gate.reload();
    assert_eq!(admitted(&fixture.connect(with_code)), JANE);
    // Anybody else is refused, and not counted.
    for _ in 0..7 {
        let outcome = fixture.connect(Try {
            handle: 2,
            client_id: "b",
            ..with_code
        });
        assert_eq!(refused(&outcome), Reason::MfaRequired);
    }
    fixture.pass(Duration::from_secs(30));
    let password = format!("right{}", fixture.code(&seed, 0));
    let next = Try {
        handle: 3,
        client_id: "c",
        password: &password,
        ..TRY
    };
    assert_eq!(admitted(&fixture.connect(next)), JANE);
}

#[test]
fn a_password_is_hashed_without_the_code_and_once() {
    let mut fixture = Fixture::new();
    let (seed, _) = fixture.enrol(JANE);
    let held = |password| Try {
        may_wait: true,
        password,
        ..TRY
    };
    let first = format!("right{}", fixture.code(&seed, 0));
    assert!(matches!(
        fixture.connect(held(&first)),
        countersign::ConnectOutcome::Pending { .. }
    ));
    let admitted_now = fixture.settle().into_iter().any(|directive| {
        matches!(
            directive,
            Directive::Complete {
                completion: Completion::Admit { .. },
                ..
            }
        )
    });
    assert!(admitted_now);
    // With another code there is nothing more to hash.
    fixture.pass(Duration::from_secs(30));
    let second = format!("right{}", fixture.code(&seed, 0));
    let again = Try {
        handle: 2,
        client_id: "b",
        ..held(&second)
    };
    assert!(is_admitted(&fixture.connect(again)));
}

#[test]
fn without_the_key_nobody_with_a_second_factor_comes_in() {
    let mut fixture = Fixture::new();
    let (seed, _) = fixture.enrol(JANE);
    let store = fixture.config.options.store.clone();
    let key = store.with_file_name("countersign.db.key");
    std::fs::rename(&key, key.with_extension("away")).unwrap();
    fixture.gate.reload();
    fixture.settle();
    let password = format!("right{}", fixture.code(&seed, 0));
    let with_code = Try {
        password: &password,
        ..TRY
    };
    assert_eq!(refused(&fixture.connect(with_code)), Reason::MfaRequired);
    std::fs::rename(key.with_extension("away"), &key).unwrap();
    fixture.gate.reload();
    assert!(is_admitted(&fixture.connect(with_code)));
}

#[test]
fn who_is_granted_nothing_any_more_is_put_out_and_a_changed_role_counts_at_once() {
    let mut fixture = Fixture::new();
    fixture.grant(JANE, "beta", GrantedRight::OrgAdmin);
    let other = Try {
        handle: 2,
        client_id: "b",
        ..TRY
    };
    fixture.settle();
    assert!(is_admitted(&fixture.connect(TRY)));
    assert!(is_admitted(&fixture.connect(other)));
    let switched = fixture.command(
        other,
        JANE,
        "session.org.switch",
        serde_json::json!({"key": "beta"}),
    );
    assert!(switched.is_ok());
    fixture.role("narrow", "acme", "acme/narrow/#");
    fixture.grant(JANE, "acme", role_right("narrow"));
    assert_eq!(fixture.kicked(), [""; 0]);
    assert!(!fixture.publishes(TRY, JANE, "acme/x"));
    assert!(fixture.publishes(TRY, JANE, "acme/narrow/x"));
    fixture.allow("narrow", "acme", "acme/more/#");
    fixture.settle();
    assert!(fixture.publishes(TRY, JANE, "acme/more/x"));
    fixture.ungrant(JANE, "acme");
    assert_eq!(
        fixture.kicked(),
        ["a"],
        "and not the session in the other tenant"
    );
    assert!(fixture.publishes(other, JANE, "beta/x"));
    // Nothing that was subscribed to there is kept.
    let subscribe = TopicUse::Subscribe {
        filter: b"acme/narrow/#",
    };
    assert!(!fixture.check(TRY, JANE, subscribe).is_allowed());
}

#[test]
fn a_role_that_is_no_more_and_a_new_password_end_sessions() {
    let mut fixture = Fixture::new();
    assert!(is_admitted(&fixture.connect(TRY)));
    let delete = DeleteRole {
        tenant: tenant_id("acme"),
        name: countersign::core::role::RoleName::parse("all").unwrap(),
        deletion: RoleDeletion::WithGrants,
    };
    fixture.run(&delete).unwrap();
    // Whoever held it is granted nothing there any more.
    assert_eq!(fixture.kicked(), ["a"]);
    let mut fixture = Fixture::new();
    assert!(is_admitted(&fixture.connect(TRY)));
    let password = ChosenPassword::parse("changed".into()).unwrap();
    let reset = ResetUserPassword::new(name(JANE), password);
    fixture.run(&reset).unwrap();
    assert_eq!(fixture.kicked(), ["a"]);
}

#[test]
fn the_session_of_a_user_who_is_away_is_judged_in_the_tenant_it_was_in() {
    let mut fixture = Fixture::new();
    fixture.grant(JANE, "beta", GrantedRight::OrgAdmin);
    let stored = Try {
        clean_start: false,
        ..TRY
    };
    fixture.settle();
    assert!(is_admitted(&fixture.connect(stored)));
    let key = serde_json::json!({"key": "beta"});
    fixture
        .command(stored, JANE, "session.org.switch", key)
        .unwrap();
    fixture.background.write();
    fixture = fixture.restart();
    let delivers = |fixture: &mut Fixture, topic: &str| {
        let client = countersign::ClientRef {
            handle: Handle(77),
            client_id: Some(b"a"),
            username: Some(JANE.as_bytes()),
            ..countersign::ClientRef::default()
        };
        let topic = topic.as_bytes();
        fixture
            .gate
            .check(&client, TopicUse::Deliver { topic })
            .is_allowed()
    };
    assert!(delivers(&mut fixture, "beta/x"));
    assert!(!delivers(&mut fixture, "acme/x"));
    fixture.ungrant(JANE, "beta");
    fixture.settle();
    assert!(!delivers(&mut fixture, "beta/x"));
}

#[test]
fn names_of_others_are_not_counted_where_others_are_asked_too() {
    let mut fixture = Fixture::with_options(&[("chain", "defer")]);
    for _ in 0..7 {
        let stranger = Try {
            name: "stranger@mail.test",
            ..WRONG
        };
        assert_eq!(refused(&fixture.connect(stranger)), Reason::UnknownName);
    }
}

#[test]
fn while_failures_can_t_be_written_down_no_password_is_told_from_another() {
    let mut fixture = Fixture::new();
    // From now on nothing is to be written for her.
    assert_eq!(admitted(&fixture.connect(TRY)), JANE);
    fixture.settle();
    let path = fixture.config.options.store.clone();
    let mut other = SqliteStore::open(path).unwrap();
    let writing = other.begin(Intent::Write).unwrap();
    let again = Try {
        handle: 2,
        client_id: "b",
        ..TRY
    };
    for _ in 0..3 {
        let wrong = Try {
            password: "wrong",
            ..again
        };
        assert_eq!(refused(&fixture.connect(wrong)), Reason::StoreBusy);
        assert_eq!(refused(&fixture.connect(again)), Reason::StoreBusy);
    }
    drop(writing);
    assert_eq!(admitted(&fixture.connect(again)), JANE);
}

#[test]
fn a_key_file_that_is_away_while_it_is_read_is_read_once_it_is_back() {
    let mut fixture = Fixture::new();
    let file = fixture.key_file();
    let aside = file.with_extension("aside");
    // Another file, which the follower sees.
    std::fs::copy(&file, &aside).unwrap();
    std::fs::rename(&aside, &file).unwrap();
    assert!(fixture.background.step_of("log"));
    std::fs::rename(&file, &aside).unwrap();
    let said = lines(fixture.gate.poll());
    std::fs::rename(&aside, &file).unwrap();
    assert!(said.contains("is gone or damaged"), "{said}");
    let said = lines(fixture.settle());
    assert!(said.ends_with("it is used from now on"), "{said}");
}

/// What the host's log is to say.
fn lines(directives: Vec<Directive>) -> String {
    let lines = directives
        .into_iter()
        .filter_map(|directive| match directive {
            Directive::Log { line, .. } => Some(line),
            _ => None,
        });
    lines.collect::<Vec<_>>().join("\n")
}

/// A hash of `right` that costs next to nothing.
const FOREIGN: &str = "$7$101$AAECAwQFBgcICQoL$CmWjm9GQ0b/TFtVqI++DmxHzRaZvVjKradTSgwsqtaLZH66zJbhnLlRf+TNl+5gPVd9Iq12DdIfQYk2veiOjDQ==";

/// Keeps Jane's password as another system hashed it.
fn take_over(fixture: &mut Fixture) {
    let jane = fixture.admin.credential(&name(JANE)).unwrap().unwrap();
    let hash = PasswordHash::import(FOREIGN, SaltReading::Either).unwrap();
    let mut transaction = fixture.admin.begin(Intent::Write).unwrap();
    for secret in &jane.secrets {
        transaction.remove_secret(secret.id).unwrap();
    }
    let hash = Verifier::Password(hash);
    transaction.add_secret(jane.id, &hash).unwrap();
    let changes = [Change::Credential(jane.id)];
    transaction.commit(&[], &changes).unwrap();
    fixture.settle();
}

fn with_code(password: &str) -> Try<'_> {
    Try {
        handle: 2,
        client_id: "b",
        password,
        ..TRY
    }
}

/// Logs in until there is no time left on the host's thread.
fn use_up_the_round(fixture: &mut Fixture) {
    for number in 0..8 {
        let client_id = format!("filler{number}");
        let filler = Try {
            handle: 900 + number,
            client_id: &client_id,
            name: "filler@acme",
            ..WRONG
        };
        if refused(&fixture.connect(filler)) == Reason::OverBudget {
            return;
        }
    }
    panic!("there is always time");
}

#[test]
fn a_wrong_code_that_hears_of_no_time_is_counted_once_and_its_next_try_hears_why() {
    // A password that is found right at once, one that let its user in before, and one
    // that must be hashed.
    for (is_foreign, is_known) in [(true, false), (false, true), (false, false)] {
        let case = format!("{is_foreign} {is_known}");
        let mut fixture = Fixture::with_options(&[("hash_round", "1")]);
        fixture.background.set_tick(5);
        let (seed, _) = fixture.enrol(JANE);
        if is_foreign {
            take_over(&mut fixture);
        }
        if is_known {
            let right = format!("right{}", fixture.code(&seed, 0));
            let password = right.as_str();
            assert!(is_admitted(&fixture.connect(Try { password, ..TRY })));
            fixture.pass(Duration::from_secs(30));
        }
        // One less than would lock her out.
        for number in 0..4 {
            use_up_the_round(&mut fixture);
            let wrong = format!("right00000{number}");
            for reason in [Reason::OverBudget, Reason::BadSecret] {
                let heard = refused(&fixture.connect(with_code(&wrong)));
                assert_eq!(heard, reason, "{case} {number}");
                fixture.settle();
            }
        }
        let right = format!("right{}", fixture.code(&seed, 0));
        assert!(is_admitted(&fixture.connect(with_code(&right))), "{case}");
    }
}
