//! What `export` writes for Mosquitto's own files, held against brokers that load
//! them: nobody may do more there, and nobody less but as the report says.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

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
            let folder = fixture.broker.dir();
            let (passwords, acl) = (folder.join("out.passwd"), folder.join("out.acl"));
            let words = [
                "mosquitto", "--tenant", "acme", "--passwords", passwords.to_str().unwrap(), "--acl", acl.to_str().unwrap(),
            ];
            let report = exported(&fixture, &words, &[&passwords, &acl]);
            let broker = Broker::builder(version)
                .line(format!("password_file {}", passwords.display()))
                .line(format!("acl_file {}", acl.display()))
                .start()
                .unwrap();
            compare(&fixture, &broker, &report, &format!("acl_file, seed {seed}"));
            tenant(&fixture, &["--subscribe", "strict"]);
            let file = folder.join("out.json");
            let words = ["dynamic-security", "--tenant", "acme", file.to_str().unwrap()];
            let report = exported(&fixture, &words, &[&file]);
            let broker = Broker::builder(version)
                .plugin(dynamic_security(version))
                .plugin_option("config_file", file.display())
                .start()
                .unwrap();
            compare(&fixture, &broker, &report, &format!("dynamic-security, seed {seed}"));
        }
    }

    fn who_may_not_log_in_here_is_in_no_exported_file(version) {
        let fixture = moved_in(version);
        act(&fixture, &["credential", "suspend", "alice"]);
        act(&fixture, &["credential", "revoke", "bob"]);
        act(&fixture, &["credential", "set", "carol", "--expires", "+1h"]);
        act(&fixture, &["credential", "create", "generated", "--tenant", "acme"]);
        let folder = fixture.broker.dir();
        let (passwords, acl) = (folder.join("out.passwd"), folder.join("out.acl"));
        let words = [
            "mosquitto", "--tenant", "acme", "--passwords", passwords.to_str().unwrap(), "--acl", acl.to_str().unwrap(),
        ];
        let report = exported(&fixture, &words, &[&passwords, &acl]);
        let lost: Vec<&str> = report["lost"].as_array().unwrap().iter().map(|it| it["what"].as_str().unwrap()).collect();
        assert_eq!(lost, ["alice", "bob", "carol", "generated@acme"], "{report:#}");
        let written = fs::read_to_string(&passwords).unwrap();
        assert!(written.starts_with("boss:$7$") && written.lines().count() == 1);
        assert!(!fs::read_to_string(&acl).unwrap().contains("alice"));
        let file = folder.join("out.json");
        let words = ["dynamic-security", "--tenant", "acme", file.to_str().unwrap()];
        exported(&fixture, &words, &[&file]);
        let broker = Broker::builder(version)
            .plugin(dynamic_security(version))
            .plugin_option("config_file", file.display())
            .start()
            .unwrap();
        for (user, is_let_in) in [("boss", true), ("alice", false), ("bob", false), ("carol", false)] {
            let code = Connect::v311("c").login(user, PASSWORD).code(broker.port());
            assert_eq!(code == Some(0), is_let_in, "{user}");
        }
    }
}
