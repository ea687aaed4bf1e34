//! What `export` writes for Mosquitto's own files, held against brokers that load
//! them: nobody may do more there, and nobody less but as the report says.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use countersign_testkit::broker::Builder;
use countersign_testkit::{Broker, Client, Connect, Version};
use countersign_tests::mosquitto_tools::{dynamic_security, passwd};
use countersign_tests::{Fixture, on_every_broker, publishes};
use fastrand::Rng;
use serde_json::{Value, json};

use crate::moved_in::meet;

const USERS: [&str; 4] = ["boss", "alice", "bob", "carol"];
const PASSWORD: &str = "secret";

/// A store whose users came from a `password_file`, so that both versions of
/// Mosquitto read their hashes.
fn moved_in(version: Version) -> Fixture {
    let fixture = Fixture::start(version);
    let file = fixture.broker.dir().join("passwords");
    for user in USERS {
        passwd(version, &[], &file, user, PASSWORD);
    }
    let path = file.to_str().unwrap();
    let import = [
        "import",
        "mosquitto",
        "--passwords",
        path,
        "--tenant",
        "acme",
    ];
    fixture
        .cli
        .json(&[&import[..], &["--namespace", "acme/#"]].concat());
    act(&fixture, &["credential", "allow", "boss", "both", "acme/#"]);
    fixture
}

fn act(fixture: &Fixture, words: &[&str]) {
    let ran = fixture.cli.run(words);
    assert_eq!(ran.code, Some(0), "{words:?}: {}", ran.stderr);
}

fn tenant(fixture: &Fixture, words: &[&str]) {
    act(fixture, &[&["tenant", "set", "acme"], words].concat());
}

const PATTERNS: [&str; 10] = [
    "acme/a",
    "acme/b",
    "acme/a/b",
    "acme/+",
    "acme/a/#",
    "acme/+/b",
    "acme/${username}/#",
    "acme/#",
    "other/#",
    "#",
];

/// Gives each user rules of its own, roles, and what all have by default.
fn furnish(fixture: &Fixture, seed: u64) {
    let mut random = Rng::with_seed(seed);
    let mut rule = |of: &[&str]| {
        let effect = random.choice(["allow", "allow", "allow", "deny"]).unwrap();
        let action = random.choice(["publish", "subscribe", "both"]).unwrap();
        let pattern = random.choice(PATTERNS).unwrap();
        act(
            fixture,
            &[&[of[0], effect], &of[1..], &[action, pattern]].concat(),
        );
    };
    for role in ["r1", "r2"] {
        act(fixture, &["role", "create", role, "--tenant", "acme"]);
        rule(&["role", role, "--tenant", "acme"]);
        rule(&["role", role, "--tenant", "acme"]);
    }
    for user in ["alice", "bob", "carol"] {
        rule(&["credential", user]);
        rule(&["credential", user]);
    }
    act(fixture, &["credential", "set", "alice", "--add-role", "r1"]);
    act(
        fixture,
        &[
            "credential",
            "set",
            "carol",
            "--add-role",
            "r1",
            "--add-role",
            "r2",
        ],
    );
    tenant(fixture, &["--add-default-role", "r2"]);
}

const TOPICS: [&str; 8] = [
    "acme",
    "acme/a",
    "acme/b",
    "acme/a/b",
    "acme/b/a",
    "acme/alice/x",
    "acme/bob",
    "other/x",
];

/// What users may publish, or are delivered.
fn ours(fixture: &Fixture, check: &str) -> Vec<(String, bool)> {
    let file = fixture.broker.dir().join("questions");
    let uses = USERS
        .iter()
        .flat_map(|user| TOPICS.iter().map(move |topic| (user, topic)));
    let lines: Vec<String> = uses
        .clone()
        .map(|(user, topic)| {
            json!({"check": check, "username": user, "client_id": user, "topic": topic}).to_string()
        })
        .collect();
    fs::write(&file, lines.join("\n")).unwrap();
    let ran = fixture
        .cli
        .run(&["check", "--batch", file.to_str().unwrap()]);
    let verdicts: Vec<Value> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(verdicts.len(), uses.clone().count(), "{ran:?}");
    uses.zip(verdicts)
        .map(|((user, topic), verdict)| {
            (
                format!("{user} {check} {topic}"),
                verdict["verdict"] == "allow",
            )
        })
        .collect()
}

fn connect(broker: &Broker, user: &str) -> Client {
    Connect::v5(user)
        .login(user, PASSWORD)
        .accepted(broker.port())
}

/// What a broker answers to the same; nothing where nobody can bring it about.
fn theirs(broker: &Broker, check: &str) -> Vec<Option<bool>> {
    let mut answers = Vec::new();
    for user in USERS {
        let mut client = connect(broker, user);
        if check == "publish" {
            for topic in TOPICS {
                answers.push(Some(publishes(&mut client, topic)));
            }
            continue;
        }
        for topic in TOPICS {
            client.subscribe(&[(topic, 0)]).unwrap();
        }
        let mut boss = Connect::v5("publisher")
            .login("boss", PASSWORD)
            .accepted(broker.port());
        let published = TOPICS.map(|topic| publishes(&mut boss, topic));
        let received: Vec<String> = client.received().into_iter().map(|it| it.topic).collect();
        for (topic, is_published) in TOPICS.iter().zip(published) {
            let is_received = received.iter().any(|it| it == topic);
            answers.push(is_published.then_some(is_received));
        }
    }
    answers
}

fn readable(file: &Path) {
    fs::set_permissions(file, fs::Permissions::from_mode(0o666)).unwrap();
}

fn exported(fixture: &Fixture, words: &[&str], files: &[&PathBuf]) -> Value {
    for file in files {
        let _ = fs::remove_file(file);
    }
    let report = fixture.cli.json(&[&["export"], words].concat());
    for file in files {
        let mode = fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        readable(file);
    }
    report
}

/// A tenant in the form of Mosquitto's own files, and what the report says.
struct OwnFiles {
    passwords: PathBuf,
    acl: PathBuf,
    report: Value,
}

impl OwnFiles {
    fn export(fixture: &Fixture) -> Self {
        let [passwords, acl] = ["out.passwd", "out.acl"].map(|it| fixture.broker.dir().join(it));
        let (users, rules) = (passwords.to_str().unwrap(), acl.to_str().unwrap());
        let words = [
            "mosquitto",
            "--tenant",
            "acme",
            "--passwords",
            users,
            "--acl",
            rules,
        ];
        let report = exported(fixture, &words, &[&passwords, &acl]);
        Self {
            passwords,
            acl,
            report,
        }
    }

    /// A broker that loads both.
    fn broker(&self, version: Version) -> Builder {
        Broker::builder(version)
            .line(format!("password_file {}", self.passwords.display()))
            .line(format!("acl_file {}", self.acl.display()))
    }
}

/// A broker whose dynamic-security loads the exported file, and what the report says.
fn with_plugin(fixture: &Fixture, version: Version) -> (Broker, Value) {
    let file = fixture.broker.dir().join("out.json");
    let words = [
        "dynamic-security",
        "--tenant",
        "acme",
        file.to_str().unwrap(),
    ];
    let report = exported(fixture, &words, &[&file]);
    let broker = Broker::builder(version)
        .plugin(dynamic_security(version))
        .plugin_option("config_file", file.display())
        .start()
        .unwrap();
    (broker, report)
}

fn code(broker: &Broker, id: &str, user: &str) -> Option<u8> {
    Connect::v311(id).login(user, PASSWORD).code(broker.port())
}

/// Compares all answers; what is refused there alone, a lost rule must be about.
fn compare(fixture: &Fixture, broker: &Broker, report: &Value, context: &str) {
    let lost = report["lost"].as_array().unwrap();
    let lost = lost.iter().filter_map(|loss| {
        let words: Vec<&str> = loss["what"].as_str().unwrap().split(' ').collect();
        match words[..] {
            ["allow" | "deny", _, pattern] => Some(pattern),
            _ => None,
        }
    });
    let lost: Vec<&str> = lost.collect();
    for check in ["publish", "deliver"] {
        for ((what, ours), theirs) in ours(fixture, check).into_iter().zip(theirs(broker, check)) {
            let Some(theirs) = theirs else { continue };
            let (_, topic) = what.rsplit_once(' ').unwrap();
            assert!(
                ours || !theirs,
                "{context}: more is allowed: {what}\n{report:#}"
            );
            assert!(
                theirs || !ours || lost.iter().any(|pattern| meet(topic, pattern)),
                "{context}: less is allowed: {what}\n{report:#}"
            );
        }
    }
}

on_every_broker! {
    fn a_broker_with_the_exported_files_answers_as_ours_but_for_what_is_lost(version) {
        for seed in [1, 7, 23] {
            let fixture = moved_in(version);
            furnish(&fixture, seed);
            tenant(&fixture, &["--subscribe", "filtered"]);
            let files = OwnFiles::export(&fixture);
            let broker = files.broker(version).start().unwrap();
            compare(&fixture, &broker, &files.report, &format!("acl_file, seed {seed}"));
            tenant(&fixture, &["--subscribe", "strict"]);
            let (broker, report) = with_plugin(&fixture, version);
            compare(&fixture, &broker, &report, &format!("dynamic-security, seed {seed}"));
        }
    }

    fn who_may_not_log_in_here_is_in_no_exported_file(version) {
        let fixture = moved_in(version);
        act(&fixture, &["credential", "suspend", "alice"]);
        act(&fixture, &["credential", "revoke", "bob"]);
        act(&fixture, &["credential", "set", "carol", "--expires", "+1h"]);
        act(&fixture, &["credential", "create", "generated", "--tenant", "acme"]);
        let OwnFiles { passwords, acl, report } = OwnFiles::export(&fixture);
        let lost: Vec<&str> = report["lost"].as_array().unwrap().iter().map(|it| it["what"].as_str().unwrap()).collect();
        assert_eq!(lost, ["alice", "bob", "carol", "generated@acme"], "{report:#}");
        let written = fs::read_to_string(&passwords).unwrap();
        assert!(written.starts_with("boss:$7$") && written.lines().count() == 1);
        assert!(!fs::read_to_string(&acl).unwrap().contains("alice"));
        let (broker, _) = with_plugin(&fixture, version);
        for (user, is_let_in) in [("boss", true), ("alice", false), ("bob", false), ("carol", false)] {
            assert_eq!(code(&broker, "c", user) == Some(0), is_let_in, "{user}");
        }
    }

    fn what_ours_refuses_and_a_broker_with_the_files_lets_in_is_named_as_lost(version) {
        let fixture = moved_in(version);
        for line in [
            "tenant create other",
            "ban add --client-id phone",
            "ban add --client-id tablet --tenant acme",
            "ban add --client-id desk --tenant other",
            "ban add --address 127.0.0.0/8 --force",
            "role create loggers --tenant acme",
            "limit set --tenant acme --connections 500",
            "limit set --role loggers --tenant acme --payload 100",
            "limit set alice --messages-per-second 1",
            "tenant set acme --client-id-prefix acme-",
        ] {
            act(&fixture, &line.split(' ').collect::<Vec<_>>());
        }
        let files = OwnFiles::export(&fixture);
        let with_files = files.broker(version).start().unwrap();
        let (with_plugin, of_plugin) = with_plugin(&fixture, version);
        for (report, more) in [(&files.report, None), (&of_plugin, Some("acme/subscribe filtered"))] {
            let lost = report["lost"].as_array().unwrap().iter();
            let lost: Vec<String> = lost
                .map(|loss| {
                    let [place, what, why, fix] = ["where", "what", "why", "fix"].map(|key| loss[key].as_str().unwrap());
                    assert!(!why.is_empty() && !fix.is_empty());
                    format!("{place} {what}")
                })
                .collect();
            let mut expected = vec![
                "acme/bans/1 phone",
                "acme/bans/2 tablet",
                "acme/bans/4 127.0.0.0/8",
                "acme/client_id_prefix acme-",
                "acme/credentials/alice/limits alice",
                "acme/limits acme",
                "acme/roles/loggers/limits loggers",
            ];
            expected.extend(more);
            assert_eq!(lost, expected, "{report:#}");
        }
        for id in ["phone", "tablet", "acme-1", "desk"] {
            assert_ne!(code(&fixture.broker, id, "alice"), Some(0), "{id}");
            for broker in [&with_files, &with_plugin] {
                assert_eq!(code(broker, id, "alice"), Some(0), "{id}");
            }
        }
        // What the report advises for the prefix.
        let with_prefix = files.broker(version).line("clientid_prefixes acme-").start().unwrap();
        for (id, is_let_in) in [("phone", false), ("acme-1", true)] {
            assert_eq!(code(&with_prefix, id, "alice") == Some(0), is_let_in, "{id}");
        }
    }

    fn what_the_report_says_of_an_argon2id_hash_is_what_brokers_do_with_it(version) {
        let fixture = moved_in(version);
        let reset = ["credential", "reset-password", "alice", "--password-stdin"];
        let ran = fixture.cli.run_with_stdin(&reset, PASSWORD.as_bytes());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let files = OwnFiles::export(&fixture);
        let (with_plugin, of_plugin) = with_plugin(&fixture, version);
        for (report, told) in [(&files.report, "does not start"), (&of_plugin, "refuse the user")] {
            let changed = report["changed"].as_array().unwrap().iter();
            let mut of_alice = changed.filter(|change| change["where"] == "acme/credentials/alice");
            let how = of_alice.next().unwrap()["how"].as_str().unwrap();
            assert!(["Argon2id", "Debian's", told].iter().all(|part| how.contains(part)), "{how}");
        }
        let written = fs::read_to_string(&files.passwords).unwrap();
        assert!(written.starts_with("alice:$argon2id$"));
        if version.is_2_0() {
            let broker = files.broker(version).start().unwrap();
            assert_eq!(code(&broker, "c", "bob"), Some(0));
            assert_ne!(code(&broker, "c", "alice"), Some(0));
        } else {
            let log = files.broker(version).start_expecting_failure().unwrap().log;
            assert!(log.contains("Unable to decode line in password file"), "{log}");
        }
        assert_eq!(code(&with_plugin, "c", "bob"), Some(0));
        assert_ne!(code(&with_plugin, "c", "alice"), Some(0));
        // What the report advises.
        passwd(version, &[], &files.passwords, "alice", PASSWORD);
        readable(&files.passwords);
        let broker = files.broker(version).start().unwrap();
        for user in USERS {
            assert_eq!(code(&broker, "c", user), Some(0), "{user}");
        }
    }
}
