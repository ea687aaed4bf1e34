//! What a client would be told about topics, one question or many at a time.

use std::fs;
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::{DEVICE_PEM, Fixture, keys};

const ANSWERED: [&str; 6] = [
    "verdict",
    "reason",
    "rule",
    "considered",
    "wall",
    "variables",
];

fn fixture() -> Fixture {
    let fixture = Fixture::with_credential();
    fixture.run("tenant create other").done();
    fixture
        .run("tenant create open --authentication optional")
        .done();
    fixture.run("role create ops --tenant acme").done();
    fixture
        .run("role deny ops --tenant acme publish acme/${username}/log")
        .done();
    fixture
        .run("credential set dev1@acme --add-role ops")
        .done();
    fixture
}

#[test]
fn an_answer_names_the_rule_that_decided_and_all_others() {
    let fixture = fixture();
    let content = fixture.content();
    let ran = fixture.run("check publish --username dev1@acme acme/dev1@acme/log --json");
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), ""));
    let answer = ran.json();
    assert_eq!(keys(&answer), ANSWERED);
    assert_eq!(answer["verdict"], "deny");
    assert_eq!(answer["reason"], "denied-by-rule");
    assert_eq!(
        keys(&answer["rule"]),
        ["effect", "action", "pattern", "source"]
    );
    assert_eq!(
        answer["rule"],
        json!({
            "effect": "deny",
            "action": "publish",
            "pattern": "acme/${username}/log",
            "source": "role:ops",
        })
    );
    let considered = [
        json!({
            "effect": "allow",
            "action": "both",
            "pattern": "acme/#",
            "source": "scheme:basic",
            "max_qos": null,
            "no_retain": false,
            "outcome": "matched",
        }),
        json!({
            "effect": "deny",
            "action": "publish",
            "pattern": "acme/${username}/log",
            "source": "role:ops",
            "max_qos": null,
            "no_retain": false,
            "outcome": "matched",
        }),
    ];
    assert_eq!(answer["considered"], json!(considered));
    assert_eq!(answer["variables"], json!({ "${username}": "dev1@acme" }));
    assert_eq!(
        answer["wall"],
        json!({ "tenant": "acme", "owner": "acme", "in_way": false })
    );
    let text = fixture
        .run("check deliver --username dev1@acme acme/x")
        .done()
        .stdout;
    let line = "considered  allow both acme/# (scheme:basic): matched\n";
    assert!(text.contains(line), "{text}");
    assert_eq!(fixture.content(), content);
}

#[test]
fn a_verdict_is_an_exit_code() {
    let fixture = fixture();
    for (line, code, reason) in [
        ("publish --username dev1@acme acme/x", 0, "ok"),
        (
            "publish --username dev1@acme --qos 2 --retain acme/x",
            0,
            "ok",
        ),
        ("publish --username dev1@acme other/x", 1, "other-tenant"),
        ("publish --username dev1@acme acme/+", 1, "malformed"),
        ("subscribe --username dev1@acme acme/#", 0, "ok"),
        (
            "subscribe --username dev1@acme --qos 1 $share/g/acme/#",
            0,
            "ok",
        ),
        ("subscribe --username dev1@acme #", 1, "other-tenant"),
        ("subscribe --username dev1@acme $SYS/#", 1, "no-rule"),
        (
            "deliver --username dev1@acme --retain --qos 1 acme/x",
            0,
            "ok",
        ),
        ("deliver --username dev1@acme other/x", 1, "other-tenant"),
        (
            "publish --username dev1@acme --client-id c1 acme/x",
            0,
            "ok",
        ),
        (
            "publish --username dev1@acme --client-id a# acme/x",
            1,
            "malformed",
        ),
        ("publish --username none@acme acme/x", 1, "unknown-name"),
        ("publish --username none@none acme/x", 1, "unknown-tenant"),
    ] {
        let ran = fixture.run(&format!("check {line} --json"));
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(code), ""), "{line}");
        assert_eq!(ran.json()["reason"], reason, "{line}");
    }
    fixture.run("credential suspend dev1@acme").done();
    let ran = fixture.run("check publish --username dev1@acme acme/x --json");
    assert_eq!(ran.json()["reason"], "suspended");
    assert_eq!(ran.json()["rule"], Value::Null);
}

#[test]
fn what_listeners_are_for_is_read_from_the_brokers_configuration() {
    let fixture = fixture();
    let config = fixture.directory.path().join("mosquitto.conf");
    let lines = [
        "plugin /x/libmosquitto_countersign.so",
        &format!("plugin_opt_store {}", fixture.store().display()),
        "plugin_opt_listener_1884 other",
        "plugin_opt_default_tenant open",
    ];
    fs::write(&config, lines.join("\n")).unwrap();
    let config = config.to_str().unwrap();
    let check = "check connect --username dev1@acme --client-id c --json --listener";
    for (port, reason) in [("1883", "ok"), ("1884", "wrong-listener")] {
        let ran = fixture.run(&format!("{check} {port} --config {config}"));
        assert_eq!(ran.json()["reason"], reason, "{port}");
    }
    // Without it, nothing is known.
    fixture.run(&format!("{check} 1884 --address ::1")).done();
    fs::write(config, "listener 1883").unwrap();
    let said = fixture
        .run(&format!("{check} 1883 --config {config}"))
        .refused(1);
    assert!(said.contains("does not load Countersign"), "{said}");
}

fn batch(fixture: &Fixture, lines: &[String]) -> (Option<i32>, Vec<Value>) {
    let file = fixture.directory.path().join("questions.jsonl");
    fs::write(&file, lines.join("\n")).unwrap();
    let ran = fixture.run_words(&["check", "--batch", file.to_str().unwrap()]);
    assert_eq!(ran.stderr, "");
    let answers = ran.stdout.lines();
    (
        ran.code,
        answers
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
    )
}

#[test]
fn every_line_of_a_batch_is_answered_by_a_line() {
    let fixture = fixture();
    let content = fixture.content();
    let ask = |check: &str, username: Value, topic: &str| {
        json!({ "check": check, "username": username, "topic": topic }).to_string()
    };
    let lines = [
        ask("publish", json!("dev1@acme"), "acme/x"),
        ask("publish", json!("dev1@acme"), "other/x"),
        String::new(),
        ask("subscribe", json!("dev1@acme"), "acme/#"),
        ask("deliver", json!("dev1@acme"), "acme/x"),
        ask("publish", Value::Null, "open/x"),
        ask("publish", Value::Null, "acme/x"),
        json!({
            "check": "publish",
            "username": "dev1@acme",
            "client_id": "c1",
            "qos": 1,
            "retain": true,
            "topic": "acme/ü\u{1f600}",
            "listener": 1883,
        })
        .to_string(),
        json!({ "check": "connect", "username": "dev1@acme", "client_id": "c1" }).to_string(),
        json!({ "check": "connect", "username": null, "client_id": "c1" }).to_string(),
    ];
    let (code, answers) = batch(&fixture, &lines);
    assert_eq!(code, Some(0));
    let reasons: Vec<_> = answers
        .iter()
        .map(|it| it["reason"].as_str().unwrap())
        .collect();
    assert_eq!(
        reasons,
        [
            "ok",
            "other-tenant",
            "ok",
            "ok",
            "ok",
            "no-rule",
            "ok",
            "ok",
            "unauthenticated"
        ]
    );
    assert_eq!(keys(&answers[0]), ANSWERED);
    assert_eq!(
        keys(&answers[7]),
        ["verdict", "reason", "rule", "considered"]
    );
    assert_eq!(answers[8]["verdict"], "allow");
    assert_eq!(fixture.content(), content);
}

#[test]
fn a_line_that_is_no_question_is_answered_and_fails_in_the_end() {
    let fixture = fixture();
    let good = r#"{"check":"publish","username":"dev1@acme","topic":"acme/x"}"#;
    for (bad, needle) in [
        ("nonsense", "expected"),
        ("[]", "expected"),
        (
            r#"{"check":"publish","topic":"a"}"#,
            "missing field `username`",
        ),
        (
            r#"{"check":"publish","username":null}"#,
            "`topic` is missing",
        ),
        (
            r#"{"check":"connect","username":null}"#,
            "`client_id` is missing",
        ),
        (
            r#"{"check":"read","username":null,"topic":"a"}"#,
            "unknown variant `read`",
        ),
        (
            r#"{"check":"publish","username":null,"topic":"a","retian":true}"#,
            "unknown field `retian`",
        ),
        (
            r#"{"check":"publish","username":null,"topic":"a","qos":-1}"#,
            "invalid value",
        ),
    ] {
        let (code, answers) = batch(&fixture, &[good.into(), bad.into(), good.into()]);
        assert_eq!(code, Some(1), "{bad}");
        assert_eq!(answers.len(), 3, "{bad}");
        assert_eq!(keys(&answers[1]), ["error"], "{bad}");
        let said = answers[1]["error"].as_str().unwrap();
        assert!(said.contains(needle), "{said}");
        assert_eq!(answers[2]["verdict"], "allow");
    }
}

#[test]
fn a_batch_of_thousands_is_answered_in_order() {
    let fixture = fixture();
    let lines: Vec<_> = (0..20_000)
        .map(|number| {
            let topic = if number % 3 == 0 { "other" } else { "acme" };
            json!({
                "check": "publish",
                "username": "dev1@acme",
                "client_id": format!("c{number}"),
                "topic": format!("{topic}/{number}"),
            })
            .to_string()
        })
        .collect();
    let begun = Instant::now();
    let (code, answers) = batch(&fixture, &lines);
    eprintln!("20000 lines took {:?}", begun.elapsed());
    assert_eq!((code, answers.len()), (Some(0), lines.len()));
    for (number, answer) in answers.iter().enumerate() {
        let expected = if number % 3 == 0 { "deny" } else { "allow" };
        assert_eq!(answer["verdict"], expected, "{number}");
    }
}

#[test]
fn a_certificate_is_judged_as_a_broker_would() {
    let fixture = Fixture::with_credential();
    let asked = |more: &str| {
        let line = format!("check connect --certificate {DEVICE_PEM} --client-id c --json{more}");
        let ran = fixture.run(&line);
        let answer = ran.json();
        (ran.code, answer["reason"].as_str().unwrap().to_owned())
    };
    let unknown = (Some(1), "certificate-unknown".to_owned());
    let ok = (Some(0), "ok".to_owned());
    assert_eq!(asked(""), unknown);
    assert_eq!(asked(" --username dev1@acme"), unknown);
    let add = format!("certificate add dev1@acme --pem {DEVICE_PEM}");
    fixture.run(&add).done();
    assert_eq!(asked(""), ok);
    assert_eq!(asked(" --username dev1@acme"), ok);
    assert_eq!(asked(" --username dev2@acme"), unknown);
    fixture.run("tenant set acme --authentication off").done();
    assert_eq!(asked(" --username dev2@acme"), unknown);
    fixture.run("credential suspend dev1@acme").done();
    assert_eq!(asked(""), (Some(1), "suspended".into()));
}
