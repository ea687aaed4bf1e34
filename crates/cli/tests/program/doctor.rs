//! What `doctor` finds, each thing brought about for real.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::{DEVICE_PEM, Fixture, JWKS, is_root, keys};

/// A store, and a broker's configuration that uses it well.
struct DoctorFixture {
    fixture: Fixture,
    config: PathBuf,
}

impl DoctorFixture {
    fn new() -> Self {
        let fixture = Fixture::empty();
        fixture.run("init").done();
        fixture.run("tenant create acme").done();
        let plugin = fixture.directory.path().join("libmosquitto_countersign.so");
        fs::write(plugin, "").unwrap();
        let config = fixture.directory.path().join("mosquitto.conf");
        let fixture = Self { fixture, config };
        fixture.configure(&[]);
        fixture
    }

    /// Writes a configuration that has these lines after the usual ones.
    fn configure(&self, more: &[&str]) {
        let directory = self.fixture.directory.path().display();
        let user = nix::unistd::User::from_uid(nix::unistd::Uid::effective())
            .unwrap()
            .unwrap();
        let lines = [
            "# A comment".into(),
            "listener 1883".into(),
            format!("user {}", user.name),
            format!("plugin {directory}/libmosquitto_countersign.so"),
            format!("plugin_opt_store {directory}/store.db"),
        ];
        fs::write(&self.config, [lines.join("\n"), more.join("\n")].join("\n")).unwrap();
    }

    /// The findings that are not well: the check and its problem.
    fn problems(&self) -> Vec<(String, String)> {
        self.found("fail")
    }

    /// The findings of a level: the check and its problem.
    fn found(&self, wanted: &str) -> Vec<(String, String)> {
        let config = self.config.to_str().unwrap();
        let ran = self
            .fixture
            .run_words(&["doctor", "--config", config, "--json"]);
        let findings = ran.json();
        let findings = findings.as_array().unwrap();
        let mut found = Vec::new();
        let mut fails = false;
        for finding in findings {
            assert_eq!(keys(finding), ["check", "ok", "level", "problem", "fix"]);
            let level = finding["level"].as_str().unwrap();
            assert_eq!(finding["ok"], level != "fail", "{finding}");
            fails |= level == "fail";
            if level == "ok" {
                assert_eq!(
                    (&finding["problem"], &finding["fix"]),
                    (&Value::Null, &Value::Null)
                );
                continue;
            }
            let text = |key: &str| String::from(finding[key].as_str().unwrap());
            assert!(!text("fix").is_empty());
            if level == wanted {
                found.push((text("check"), text("problem")));
            }
        }
        assert_eq!(ran.code, Some(i32::from(fails)), "{ran:?}");
        assert_eq!(ran.stderr, "");
        found
    }

    #[track_caller]
    fn finds(&self, check: &str, needle: &str) {
        let problems = self.problems();
        let [(found, problem)] = problems.as_slice() else {
            panic!("expected `{check}` alone: {problems:?}");
        };
        assert_eq!(found, check, "{problem}");
        assert!(problem.contains(needle), "{problem}");
    }
}

#[test]
fn nothing_is_wrong_with_a_store_that_was_just_made() {
    assert_eq!(DoctorFixture::new().problems(), []);
    let fixture = Fixture::empty();
    fixture.run("init").done();
    let ran = fixture.run("doctor").done();
    assert_eq!(ran.stdout.lines().count(), 1, "{}", ran.stdout);
}

#[test]
fn a_missing_store_is_found() {
    let fixture = Fixture::empty();
    let ran = fixture.run("doctor --json");
    assert_eq!(ran.code, Some(1));
    let findings = ran.json();
    let store = findings
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["check"] == "store")
        .unwrap();
    assert!(
        store["problem"]
            .as_str()
            .unwrap()
            .contains("there is no store"),
        "{store}"
    );
    assert!(store["fix"].as_str().unwrap().contains("init"), "{store}");
    assert!(fixture.files().is_empty());
}

#[test]
fn a_file_that_is_no_store_is_found() {
    let fixture = DoctorFixture::new();
    fs::write(fixture.fixture.store(), vec![7; 8_192]).unwrap();
    fixture.finds("store", "no database");
}

#[test]
fn a_store_that_others_may_read_is_found() {
    let fixture = DoctorFixture::new();
    fs::set_permissions(fixture.fixture.store(), Permissions::from_mode(0o644)).unwrap();
    fixture.finds("mode", "0644");
}

#[test]
fn a_directory_in_which_anybody_may_replace_the_store_is_found() {
    let fixture = DoctorFixture::new();
    fs::set_permissions(
        fixture.fixture.directory.path(),
        Permissions::from_mode(0o777),
    )
    .unwrap();
    let problems = fixture.problems();
    assert!(
        problems[0].1.contains("anybody can replace"),
        "{problems:?}"
    );
    let checks: Vec<_> = problems.iter().map(|(check, _)| check.as_str()).collect();
    if is_root("root does not even open it") {
        assert_eq!(checks, ["directory", "store"]);
    } else {
        assert_eq!(checks, ["directory"]);
    }
}

#[test]
fn a_missing_key_and_one_that_others_may_read_are_found() {
    let fixture = DoctorFixture::new();
    let key = fixture.fixture.directory.path().join("store.db.key");
    fs::set_permissions(&key, Permissions::from_mode(0o640)).unwrap();
    fixture.finds("key", "0640");
    fs::remove_file(&key).unwrap();
    fixture.finds("key", "missing");
}

#[test]
fn files_that_the_broker_cannot_use_are_found() {
    if !is_root("files_that_the_broker_cannot_use_are_found") {
        return;
    }
    let fixture = DoctorFixture::new();
    let directory = fixture.fixture.directory.path();
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    let give = |name: &str| {
        let ids = (Some(nobody.uid.as_raw()), Some(nobody.gid.as_raw()));
        std::os::unix::fs::chown(directory.join(name), ids.0, ids.1).unwrap();
    };
    fixture.configure(&["user nobody"]);
    fs::set_permissions(directory, Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(
        directory.join("libmosquitto_countersign.so"),
        Permissions::from_mode(0o600),
    )
    .unwrap();
    let checks: Vec<_> = fixture
        .problems()
        .into_iter()
        .map(|(check, _)| check)
        .collect();
    assert_eq!(checks, ["owner", "directory", "key", "plugin-file"]);
    give("store.db");
    give("store.db.key");
    give("libmosquitto_countersign.so");
    let problems = fixture.problems();
    assert!(problems[0].1.contains("can't write"), "{problems:?}");
    assert!(problems[1].1.contains("must be writable"), "{problems:?}");
    assert_eq!(problems.len(), 2);
    give(".");
    assert_eq!(fixture.problems(), []);
}

#[test]
fn a_user_that_is_not_there_is_found() {
    let fixture = DoctorFixture::new();
    fixture.configure(&["user nobody-of-this-name"]);
    fixture.finds("user", "nobody-of-this-name");
}

#[test]
fn an_audit_that_was_tampered_with_is_found() {
    let fixture = DoctorFixture::new();
    fixture
        .fixture
        .run("credential create dev1 --tenant acme")
        .done();
    // As an intruder would: change the file behind SQLite's back.
    let mut bytes = fs::read(fixture.fixture.store()).unwrap();
    let (from, to) = (b"credential.create", b"credential.delete");
    let mut changed = 0;
    for start in 0..bytes.len() - from.len() {
        if bytes[start..].starts_with(from) {
            bytes[start..start + to.len()].copy_from_slice(to);
            changed += 1;
        }
    }
    assert!(changed > 0);
    fs::write(fixture.fixture.store(), bytes).unwrap();
    fixture.finds("audit", "tampered");
    assert!(
        fixture
            .fixture
            .run("audit verify")
            .refused(1)
            .contains("tampered")
    );
}

#[test]
fn damaged_pages_are_found() {
    let fixture = DoctorFixture::new();
    for number in 0..30 {
        fixture
            .fixture
            .run(&format!("tenant create t{number}"))
            .done();
    }
    let mut bytes = fs::read(fixture.fixture.store()).unwrap();
    let half = bytes.len() / 2;
    bytes.truncate(half - half % 4_096);
    fs::write(fixture.fixture.store(), bytes).unwrap();
    let problems = fixture.problems();
    assert!(!problems.is_empty());
    assert!(
        problems
            .iter()
            .any(|(check, _)| ["store", "integrity"].contains(&check.as_str())),
        "{problems:?}"
    );
}

#[test]
fn quick_hashes_are_found() {
    let fixture = DoctorFixture::new();
    fixture
        .fixture
        .run("settings set --argon2 m=8,t=1,p=1")
        .done();
    fixture.finds("argon2", "m=8,t=1,p=1");
}

#[test]
fn an_act_of_the_future_is_found() {
    use countersign_admin::settings::{SetSettings, SettingsChanges};
    use countersign_admin::{Caller, Context, OsRandom};
    use countersign_core::time::Timestamp;

    let fixture = DoctorFixture::new();
    let mut store = countersign_sqlite::SqliteStore::open(fixture.fixture.store()).unwrap();
    let mut context = Context {
        now: Timestamp::from_millis(4_000_000_000_000),
        caller: Caller::owner("cli:tester"),
        random: &mut OsRandom,
    };
    let act = SetSettings(SettingsChanges::default());
    countersign_admin::run(&mut store, &mut context, &act).unwrap();
    drop(store);
    fixture.finds("clock", "2096-10-02T07:06:40.000Z");
}

#[test]
fn an_authority_that_ends_soon_is_told_of_and_one_that_does_not_is_not() {
    use countersign_admin::authority::AddAuthority;
    use countersign_admin::{Caller, Context, OsRandom};
    use countersign_certificate::{certificate_of_pem, read_authority};
    use countersign_core::certificate::{IdentityKind, NamePattern, Validity};
    use countersign_core::name::TenantId;
    use countersign_core::time::Timestamp;

    let fixture = DoctorFixture::new();
    let pem = fs::read_to_string(DEVICE_PEM).unwrap();
    let read = read_authority(&certificate_of_pem(&pem).unwrap()).unwrap();
    let add = |not_after: i64| {
        let mut store = countersign_sqlite::SqliteStore::open(fixture.fixture.store()).unwrap();
        let mut context = Context {
            now: Timestamp::from_millis(1),
            caller: Caller::owner("cli:tester"),
            random: &mut OsRandom,
        };
        let read = read.clone();
        let add = AddAuthority {
            tenant: TenantId::parse("acme").unwrap(),
            fingerprint: read.fingerprint,
            subject: read.subject,
            key: read.key,
            signer: read.signer,
            validity: Validity {
                not_before: Timestamp::from_millis(0),
                not_after: Timestamp::from_millis(not_after),
            },
            identity: IdentityKind::CommonName,
            pattern: NamePattern::default(),
            registers: None,
        };
        countersign_admin::run(&mut store, &mut context, &add).unwrap();
    };
    add(253_402_300_799_000);
    let told = || {
        let warnings = fixture.found("warn").into_iter();
        let mut told = warnings.filter(|(check, _)| check == "authorities");
        (told.next(), told.count())
    };
    assert_eq!(told(), (None, 0));
    let remove = format!("ca remove {}", read.fingerprint);
    fixture.fixture.run(&remove).done();
    add(1_000_000_000_000);
    let (Some((_, ended)), 0) = told() else {
        panic!("{:?}", told());
    };
    assert!(
        ended.contains("`CN=device` of tenant `acme` ended at 2001-09-09"),
        "{ended}"
    );
}

#[test]
fn keys_that_are_not_fetched_are_told_of() {
    use countersign_admin::issuer::{AskForKeys, ListDueKeys, NoteFetchedKeys};
    use countersign_admin::{Caller, Command, Context, OsRandom};
    use countersign_core::issuer::IssuerName;
    use countersign_core::store::GateStore as _;
    use countersign_core::time::Timestamp;
    use countersign_sqlite::SqliteStore;

    fn serve<C: Command>(store: &mut SqliteStore, command: &C) -> C::Output {
        let mut context = Context {
            now: Timestamp::from_millis(4_000_000_000_000),
            caller: Caller::owner("serve"),
            random: &mut OsRandom,
        };
        countersign_admin::run(store, &mut context, command).unwrap()
    }

    let fixture = DoctorFixture::new();
    let told = |level: &str| {
        let found = fixture.found(level).into_iter();
        let mut told = found.filter(|(check, _)| check == "issuers");
        let first = told.next().map(|(_, problem)| problem);
        assert_eq!(told.next(), None);
        first
    };
    let add = "issuer add sso --tenant acme --iss sso --jwks-url https://sso.example/keys \
               --alg EdDSA --audience mqtt";
    fixture.fixture.run(add).done();
    let never = told("fail").unwrap();
    assert!(
        never.starts_with("the keys of issuer `sso` were never fetched"),
        "{never}"
    );
    assert!(never.ends_with("its tokens are refused"), "{never}");
    let mut store = SqliteStore::open(fixture.fixture.store()).unwrap();
    let note = |store: &mut SqliteStore, fetched: Result<String, String>| {
        let (issuer, from) = serve(store, &ListDueKeys).remove(0);
        let note = NoteFetchedKeys {
            issuer,
            from,
            fetched,
        };
        serve(store, &note);
    };
    let held = store.hold_for_service().unwrap();
    note(&mut store, Ok(fs::read_to_string(JWKS).unwrap()));
    assert_eq!((told("fail"), told("warn")), (None, None));
    drop(held);
    let alone = told("warn").unwrap();
    assert!(alone.contains("no `countersign serve` runs"), "{alone}");
    assert!(alone.contains("they count until 2096-10-09"), "{alone}");
    let _held = store.hold_for_service().unwrap();
    serve(&mut store, &AskForKeys(IssuerName::parse("sso").unwrap()));
    note(&mut store, Err("it answered 503".into()));
    let failed = told("warn").unwrap();
    assert!(failed.contains("it answered 503"), "{failed}");
}

#[test]
fn what_is_wrong_with_the_brokers_configuration_is_found() {
    let fixture = DoctorFixture::new();
    for (line, check, needle) in [
        (
            "plugin_opt_stor x",
            "plugin-options",
            "`plugin_opt_stor` is unknown",
        ),
        ("plugin_opt_hash_budget 200", "plugin-options", "1 to 100"),
        ("plugin_opt_store /x.db", "plugin-options", "twice"),
        (
            "auth_opt_chain maybe",
            "plugin-options",
            "`final` or `defer`",
        ),
        ("include_dir /none", "config", "/none"),
    ] {
        fixture.configure(&[line]);
        fixture.finds(check, needle);
    }
    fixture.configure(&["plugin /usr/lib/other.so", "plugin_opt_anything x"]);
    assert_eq!(fixture.problems(), []);
}

#[test]
fn users_of_a_file_that_are_not_moved_yet_are_told_of_and_are_no_problem() {
    let doctor = DoctorFixture::new();
    let folder = doctor.fixture.directory.path();
    let hash = "$6$AAECAwQFBgcICQoL$5W8GCQ9GLgmhmQvoa8jmRaPnsh82mRigdSv6mQsK0sMIII/WznlQb1g+RWddfoAKTMzBJP1deJU+Rp/1QZ0zZg==";
    let users = ["alice", "bob", "carol"].map(|name| format!("{name}:{hash}\n"));
    fs::write(folder.join("users"), users.concat()).unwrap();
    fs::write(folder.join("acl"), "topic read home/state\n").unwrap();
    let file = |word: &str, name: &str| format!("{word} {}", folder.join(name).display());
    let (passwords, acl) = (file("password_file", "users"), file("acl_file", "acl"));
    doctor.configure(&["plugin_opt_chain defer", &passwords, &acl]);
    let config = doctor.config.to_str().unwrap();
    let told = || {
        let ran = doctor
            .fixture
            .run_words(&["doctor", "--config", config, "--json"])
            .done();
        let findings = ran.json();
        let mut findings = findings.as_array().unwrap().iter();
        let finding = findings.find(|it| it["check"] == "password-file").unwrap();
        assert_eq!(finding["level"], "ok", "{finding}");
        finding["found"].as_str().map(String::from)
    };
    let create = |name: &str| {
        let line =
            format!("credential create {name} --tenant acme --scheme plain --password-stdin");
        doctor
            .fixture
            .run_with(&line, b"correct horse battery")
            .done();
    };
    for (moved, expected) in [
        (
            "alice",
            Some("2 users of `FILE`, `bob` among them, are not in the store yet"),
        ),
        (
            "bob",
            Some("the user `carol` of `FILE` is not in the store yet"),
        ),
        ("carol", None),
    ] {
        create(moved);
        let expected =
            expected.map(|text| format!("{config}:7: {}", text.replace("FILE", &passwords)));
        assert_eq!(told(), expected);
    }
}

#[test]
fn all_wrong_options_are_told_with_their_lines() {
    let fixture = DoctorFixture::new();
    fixture.configure(&[
        "plugin_opt_one x",
        "plugin_opt_hash_budget 0",
        "plugin_opt_two y",
    ]);
    let problems = fixture.problems();
    let lines: Vec<_> = problems
        .iter()
        .map(|(check, problem)| {
            assert_eq!(check, "plugin-options", "{problem}");
            let (at, _) = problem.split_once(": ").unwrap();
            at.rsplit(':').next().unwrap().to_owned()
        })
        .collect();
    assert_eq!(lines, ["6", "7", "8"]);
}

#[test]
fn more_tenants_than_one_need_the_author_of_a_retained_message() {
    let fixture = DoctorFixture::new();
    fixture.fixture.run("tenant create globex").done();
    fixture.finds("retain-source", "check_retain_source true");
    fixture.configure(&["check_retain_source true"]);
    assert_eq!(fixture.problems(), []);
}

#[test]
fn a_bridge_whose_client_id_is_reserved_is_not_warned_of() {
    let fixture = DoctorFixture::new();
    fixture.configure(&[
        "connection site",
        "local_clientid site-7",
        "address 127.0.0.1:1",
        "topic # out",
    ]);
    let warns = || {
        let warnings = fixture.found("warn");
        warnings
            .into_iter()
            .any(|(check, problem)| check == "bridges" && problem.contains("client id `site-7`"))
    };
    assert!(warns());
    fixture
        .fixture
        .run("tenant create bridges --client-id-prefix site-")
        .done();
    assert!(!warns());
}

#[test]
fn clients_without_a_login_that_a_reload_would_drop_are_found() {
    let fixture = DoctorFixture::new();
    fixture
        .fixture
        .run("tenant set acme --authentication optional")
        .done();
    fixture.finds("anonymous", "SIGHUP");
    fixture.configure(&["allow_anonymous true"]);
    let warnings = fixture.found("warn");
    assert!(
        warnings.iter().any(|(check, _)| check == "default-tenant"),
        "{warnings:?}"
    );
    assert_eq!(fixture.problems(), []);
}

#[test]
fn a_configuration_that_leads_elsewhere_is_found() {
    let fixture = DoctorFixture::new();
    let write = |text: &str| fs::write(&fixture.config, text).unwrap();
    let directory = fixture.fixture.directory.path().display().to_string();
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::effective())
        .unwrap()
        .unwrap()
        .name;
    let plugin = format!("user {user}\nplugin {directory}/libmosquitto_countersign.so\n");
    let store = format!("plugin_opt_store {directory}/store.db\n");
    write(&format!("user {user}\n"));
    fixture.finds("plugin", "does not load Countersign");
    write(&plugin);
    fixture.finds("plugin-options", "`plugin_opt_store` is missing");
    write(&format!("{plugin}plugin_opt_store {directory}/other.db\n"));
    fixture.finds("plugin-store", "other.db");
    write(&format!("{plugin}plugin_opt_store store.db\n"));
    fixture.finds("plugin-store", "depends on where");
    write(&format!("plugin /usr/lib/dynsec.so\n{plugin}{store}"));
    fixture.finds("other-plugins", "dynsec.so");
    let elsewhere = plugin.replace("libmosquitto", "gone/libmosquitto");
    write(&format!("{elsewhere}{store}"));
    fixture.finds("plugin-file", "can't be read");
    fs::remove_file(&fixture.config).unwrap();
    fixture.finds("config", "could not read");
}

#[test]
fn files_of_an_included_directory_are_read_in_order() {
    let fixture = DoctorFixture::new();
    let directory = fixture.fixture.directory.path();
    let included = directory.join("conf.d");
    fs::create_dir(&included).unwrap();
    let text = fs::read_to_string(&fixture.config).unwrap();
    fs::write(included.join("10-countersign.conf"), text).unwrap();
    fs::write(included.join("20-more.conf"), "plugin_opt_chain final\n").unwrap();
    fs::write(included.join("30-not.txt"), "plugin_opt_nonsense x\n").unwrap();
    fs::write(
        &fixture.config,
        format!("include_dir {}\n", included.display()),
    )
    .unwrap();
    fixture.finds(
        "config",
        "20-more.conf:1: `plugin_opt_chain` belongs to no plugin",
    );
    fs::write(
        included.join("20-more.conf"),
        format!("include_dir {}\n", included.display()),
    )
    .unwrap();
    fixture.finds(
        "config",
        "20-more.conf:1: `include_dir` stands in an included file",
    );
}

#[test]
fn secrets_in_the_brokers_log_are_found() {
    let fixture = DoctorFixture::new();
    fixture
        .fixture
        .run("credential create --tenant acme --scheme vwire")
        .done();
    assert_eq!(fixture.problems(), []);
    fixture
        .fixture
        .run("credential create x --tenant acme --scheme vwire-token")
        .done();
    fixture.finds("connection-messages", "scheme `vwire-token`");
    fixture.configure(&["connection_messages true"]);
    fixture.finds("connection-messages", "into its log");
    fixture.configure(&["connection_messages false"]);
    assert_eq!(fixture.problems(), []);
}
