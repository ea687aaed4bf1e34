//! What each scheme makes, and schemes of one's own.

use std::fs;

use countersign_core::scheme::Shape;
use serde_json::{Value, json};

use crate::support::{Fixture, keys};

const CREATED: [&str; 12] = [
    "id",
    "name",
    "tenant",
    "scheme",
    "username",
    "client_id",
    "secret",
    "state",
    "group",
    "groups",
    "description",
    "created_at",
];
const SHOWN: [&str; 8] = [
    "updated_at",
    "last_used_at",
    "not_before",
    "expires_at",
    "roles",
    "attributes",
    "generation",
    "revoked_reason",
];
const TOKEN: &str = "dt_[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";
const BASE64: &str = "[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=";

/// What stands for a value that is not told by its shape.
enum Expected {
    Name,
    Null,
    Of(&'static str),
    Secret,
}

#[track_caller]
fn check(made: &Value, key: &str, expected: &Expected) {
    match expected {
        Expected::Name => assert_eq!(made[key], made["name"], "{made}"),
        Expected::Null => assert_eq!(made[key], Value::Null, "{made}"),
        Expected::Of(shape) => {
            let text = made[key].as_str().unwrap_or_else(|| panic!("{made}"));
            assert!(Shape::parse(shape).unwrap().matches(text), "{key}: {made}");
        }
        Expected::Secret => assert_eq!(made[key], made["secret"], "{made}"),
    }
}

/// A scheme, the words that make a credential of it, the keys it has besides,
/// and its name, username, client id and secret.
type Case = (
    &'static str,
    &'static str,
    &'static [&'static str],
    [Expected; 4],
);

#[test]
fn every_scheme_makes_what_its_source_says() {
    use Expected::{Name, Null, Of, Secret};
    let cases: [Case; 8] = [
        (
            "basic",
            "x",
            &[],
            [Of("x@acme"), Name, Null, Of("cs_[0-9a-f]{32}")],
        ),
        (
            "generated",
            "--description line1",
            &[],
            [Of("[0-9]{15}"), Name, Of("[0-9]{15}"), Of("[0-9a-f]{30}")],
        ),
        (
            "impact",
            "test12345",
            &["token", "auth_type"],
            [Of("TEST12345"), Name, Null, Of(BASE64)],
        ),
        (
            "impact",
            "#SN#86a39134-e151",
            &["token", "auth_type"],
            [Of("SN-[A-Z0-9]{12}"), Name, Null, Of(BASE64)],
        ),
        (
            "plain",
            "sensor-7",
            &[],
            [Of("sensor-7"), Name, Null, Of("cs_[0-9a-f]{32}")],
        ),
        (
            "vwire",
            "",
            &["device_id"],
            [Of("V[WU]-[A-Z0-9]{6}"), Name, Name, Of("at_[0-9a-f]{32}")],
        ),
        (
            "vwire-compat",
            "",
            &["device_id"],
            [Of("V[WU]-[A-Z0-9]{6}"), Name, Null, Of("at_[0-9a-f]{32}")],
        ),
        (
            "vwire-token",
            "greenhouse",
            &["device_id"],
            [Of("greenhouse@acme"), Secret, Secret, Of(TOKEN)],
        ),
    ];
    let fixture = Fixture::new();
    fixture.run("tenant create acme").done();
    for (scheme, words, more, expected) in cases {
        let line = format!("credential create --tenant acme --scheme {scheme} {words}");
        let made = fixture.json(&line);
        assert_eq!(keys(&made), [&CREATED[..], more].concat(), "{scheme}");
        let columns = ["name", "username", "client_id", "secret"];
        for (key, expected) in columns.into_iter().zip(&expected) {
            check(&made, key, expected);
        }
        let name = made["name"].as_str().unwrap();
        let shown = fixture.json(&format!("credential show {name}"));
        let without_secret: Vec<_> = CREATED.into_iter().filter(|key| *key != "secret").collect();
        assert_eq!(keys(&shown), [&without_secret[..], more, &SHOWN].concat());
        for key in more {
            assert_eq!(shown[*key], made[*key]);
        }
        // Only what a broker's peers see of a token stays.
        let secret = made["secret"].as_str().unwrap();
        assert!(!fixture.content().contains(secret), "{scheme}");
        let is_token = scheme == "vwire-token";
        // As much as tells it from others: `dt_7f3a…`.
        let masked = format!("{}…", secret.split_at(7).0);
        let username = if is_token {
            json!(masked)
        } else {
            made["username"].clone()
        };
        assert_eq!(shown["username"], username);
        assert_eq!(shown["client_id"].as_str() == Some(&masked), is_token);
    }
}

#[test]
fn impact_tells_three_kinds_of_tokens_apart() {
    let fixture = Fixture::new();
    fixture.run("tenant create dm").done();
    let line = "credential create --tenant dm --scheme impact --json";
    for (name, password, kind, serial) in [
        ("one", Some("MixedCase1"), "U", Value::Null),
        ("two", None, "S", Value::Null),
        ("#SN#7", None, "SN", json!("7")),
        ("#SN#8", Some("abc"), "SN", json!("8")),
        ("#SN#", None, "SN", Value::Null),
    ] {
        let ran = match password {
            Some(password) => fixture.run_with(
                &format!("{line} {name} --password-stdin"),
                password.as_bytes(),
            ),
            None => fixture.run(&format!("{line} {name}")),
        };
        let made = ran.done().json();
        assert_eq!(made["auth_type"], kind, "{name}");
        assert_eq!(made["secret"].is_null(), kind == "U");
        check(&made, "token", &Expected::Of("[0-9a-z]{12}"));
        let shown = fixture.json(&format!(
            "credential show {}",
            made["name"].as_str().unwrap()
        ));
        assert_eq!(shown["attributes"]["serial"], serial);
        assert_eq!(shown["attributes"]["token"], made["token"]);
        assert_eq!(shown["auth_type"], kind);
    }
    let check = "check connect --username ONE --client-id c --password-stdin";
    fixture.run_with(check, b"MixedCase1").done();
    assert_eq!(fixture.run_with(check, b"MIXEDCASE1").code, Some(1));
}

#[test]
fn the_limits_of_impact_are_told_in_its_own_words() {
    let fixture = Fixture::new();
    fixture.run("tenant create dm").done();
    let long = "x".repeat(51);
    let content = fixture.content();
    for (name, password, said) in [
        ("a", "abcd", "'password' can not be less than 5 chars"),
        ("a", "", "'password' can not be less than 5 chars"),
        ("a", &long, "'password' can not be more than 50 chars"),
        (&long, "abcde", "'username' can not be more than 50 chars"),
        (&long, "abcd", "'username' can not be more than 50 chars"),
    ] {
        let line = format!("credential create {name} --tenant dm --scheme impact --password-stdin");
        let line = fixture.run_with(&line, password.as_bytes()).refused(1);
        assert_eq!(line, format!("countersign: {said}"));
    }
    assert_eq!(fixture.content(), content);
}

#[test]
fn a_new_token_is_the_new_user_name() {
    let fixture = Fixture::new();
    fixture.run("tenant create acme").done();
    fixture
        .run("credential create x --tenant acme --scheme vwire-token")
        .done();
    let renewed = fixture.json("credential rotate x@acme");
    assert_eq!(
        keys(&renewed),
        ["username", "secret", "generation", "old_secret_until"]
    );
    assert_eq!(renewed["username"], renewed["secret"]);
    check(&renewed, "secret", &Expected::Of(TOKEN));
    let token = renewed["secret"].as_str().unwrap();
    let line = format!("check connect --username {token} --client-id {token}");
    fixture.run(&line).done();
}

#[test]
fn schemes_are_listed_and_shown() {
    let fixture = Fixture::new();
    let list = fixture.json("scheme list");
    let names: Vec<_> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|scheme| scheme["name"].as_str().unwrap())
        .collect();
    let known = [
        "application",
        "basic",
        "generated",
        "impact",
        "plain",
        "vwire",
        "vwire-compat",
        "vwire-token",
    ];
    assert_eq!(names, known);
    let shown = fixture.json("scheme show vwire");
    assert_eq!(shown["client_id"], "same-as-username");
    assert_eq!(shown["tls_only"], false);
    assert_eq!(shown["subscribe"], json!(["vwire/${username}/#"]));
    let text = fixture.run("scheme show vwire").done().stdout;
    assert!(text.contains("\ntls_only = false\n"), "{text}");
    assert!(
        text.contains("\nsubscribe = [\"vwire/${username}/#\"]\n"),
        "{text}"
    );
}

#[test]
fn what_scheme_show_prints_scheme_add_takes() {
    let fixture = Fixture::new();
    fixture.run("tenant create acme").done();
    let file = fixture.directory.path().join("scheme.toml");
    for scheme in [
        "basic",
        "generated",
        "impact",
        "plain",
        "vwire",
        "vwire-token",
    ] {
        let text = fixture.run(&format!("scheme show {scheme}")).done().stdout;
        let own = format!("my-{scheme}");
        let text = text.replacen(&format!("\"{scheme}\""), &format!("\"{own}\""), 1);
        fs::write(&file, &text).unwrap();
        let added = fixture.run_words(&["scheme", "add", file.to_str().unwrap()]);
        assert_eq!(added.done().stdout, format!("✔ scheme {own} added\n"));
        assert_eq!(
            fixture.run(&format!("scheme show {own}")).done().stdout,
            text
        );
        let mut theirs = fixture.json(&format!("scheme show {scheme}"));
        theirs["name"] = json!(own);
        assert_eq!(fixture.json(&format!("scheme show {own}")), theirs);
    }
    fixture
        .run("credential create --tenant acme --scheme my-vwire")
        .done();
    let said = fixture.run("scheme remove my-vwire").refused(1);
    assert!(
        said.contains("tenant `acme` has credentials of scheme `my-vwire`"),
        "{said}"
    );
    let removed = fixture.json("scheme remove my-impact");
    assert_eq!(removed, json!({ "deleted": "my-impact" }));
    let said = fixture.run("scheme show my-impact").refused(1);
    assert!(said.contains("no scheme `my-impact`"), "{said}");
}

#[test]
fn a_file_that_is_no_scheme_is_refused_by_what_is_wrong_with_it() {
    let fixture = Fixture::new();
    let file = fixture.directory.path().join("scheme.toml");
    let good = "name = \"x\"\nlogin_name = \"suffixed\"\nclient_id = \"any\"\n\
                secret_shape = \"[0-9a-f]{32}\"\n";
    let content = fixture.content();
    for (text, needle) in [
        ("", "`name` is missing"),
        ("name = ", "is not valid TOML at line 1"),
        ("name = \"x\"\nname = \"y\"", "is not valid TOML at line 2"),
        ("[name]\nx = 1", "`name` in "),
        ("publish = [1]", "`publish` in "),
        ("name = 1.5", "`name` in "),
        (
            &format!("{good}nonsense = true\n"),
            "`nonsense` is not a key of a scheme",
        ),
        (
            &format!("{good}tls_only = \"yes\"\n"),
            "`tls_only` is not `true` or `false`",
        ),
        (
            &good.replace("{32}", "{9}"),
            "carries less than 120 random bits",
        ),
        (
            &good.replace("\"x\"", "\"basic\""),
            "a scheme `basic` already",
        ),
        (
            &format!("{good}subscribe = [\"$SYS/#\"]\n"),
            "topics that begin with `$`",
        ),
    ] {
        fs::write(&file, text).unwrap();
        let ran = fixture.run_words(&["scheme", "add", file.to_str().unwrap()]);
        let said = ran.refused(1);
        assert!(said.contains(needle), "{said}");
    }
    fs::write(&file, b"\xff").unwrap();
    fixture
        .run_words(&["scheme", "add", file.to_str().unwrap()])
        .refused(1);
    assert_eq!(fixture.content(), content);
}

#[test]
fn a_scheme_that_would_reach_another_tenants_topics_is_refused_at_its_first_use() {
    let fixture = Fixture::new();
    fixture.run("tenant create acme").done();
    fixture.run("tenant create other --namespace us/#").done();
    let line = "credential create x --tenant acme --scheme impact";
    let said = fixture.run(line).refused(1);
    assert!(
        said.contains("could reach namespace `us/#` of tenant `other`"),
        "{said}"
    );
    fixture
        .run("tenant set other --add-namespace other/# --remove-namespace us/#")
        .done();
    fixture.run(line).done();
    let said = fixture
        .run("tenant set other --add-namespace us/#")
        .refused(1);
    assert!(
        said.contains("by which credentials of tenant `acme`"),
        "{said}"
    );
}

#[test]
fn a_scheme_of_the_store_called_plain_wins_and_doctor_says_so() {
    let fixture = Fixture::with_credential();
    let level = || {
        let found = fixture.run("doctor --json");
        let found: Value = serde_json::from_str(&found.stdout).unwrap();
        let mut found = found.as_array().unwrap().iter();
        let schemes = found.find(|it| it["check"] == "schemes").unwrap();
        schemes["level"].clone()
    };
    assert_eq!(level(), "ok");
    // As a store of an older version has it, which knew no such scheme.
    let store = rusqlite::Connection::open(fixture.store()).unwrap();
    store
        .execute_batch(
            "INSERT INTO scheme_field VALUES
                ('plain', 'name', 0, 'text', 'plain'),
                ('plain', 'login_name', 0, 'text', 'suffixed'),
                ('plain', 'client_id', 0, 'text', 'any'),
                ('plain', 'secret_shape', 0, 'text', 'p_[0-9a-f]{32}')",
        )
        .unwrap();
    assert_eq!(level(), "warn");
    let made = fixture.json("credential create x --tenant acme --scheme plain");
    assert_eq!(made["name"], "x@acme");
    fixture.run("credential delete x@acme").done();
    fixture.json("scheme remove plain");
    assert_eq!(level(), "ok");
    let made = fixture.json("credential create x --tenant acme --scheme plain");
    assert_eq!(made["name"], "x");
}

#[test]
fn a_secret_that_was_given_out_elsewhere_is_taken_over_and_never_printed() {
    let fixture = Fixture::with_credential();
    let line = "credential create VW-ABC123 --tenant acme --scheme vwire --secret-stdin --json";
    let secret = "at_7f3a1c9e2b844d6f";
    let made = fixture
        .run_with(line, format!("{secret}\n").as_bytes())
        .done();
    assert_eq!(made.json()["secret"], Value::Null);
    assert_eq!(made.json()["client_id"], "VW-ABC123");
    let again = line.replace("123 ", "124 ");
    let said = fixture.run_with(&again, secret.as_bytes()).refused(1);
    assert!(said.contains("the secret is in use already"), "{said}");
    let check = "check connect --username VW-ABC123 --client-id VW-ABC123 --password-stdin";
    fixture.run_with(check, secret.as_bytes()).done();
    let content = fixture.content();
    assert!(!content.contains(secret) && !said.contains(secret));
    let said = fixture.run_with(&again, b"hunter2").refused(1);
    assert!(
        said.contains("`at_[0-9a-f]{16,60}`") && !said.contains("hunter2"),
        "{said}"
    );
    let shown = fixture.json("scheme show vwire");
    assert_eq!(shown["accepts_shape"], "at_[0-9a-f]{16,60}");
}

#[test]
fn a_weak_secret_is_taken_over_only_where_that_is_said() {
    let fixture = Fixture::with_credential();
    let file = fixture.directory.path().join("pins.toml");
    let scheme = "name = \"pins\"\nlogin_name = \"suffixed\"\nclient_id = \"any\"\n\
                  secret_shape = \"[0-9a-f]{32}\"\naccepts_shape = \"[0-9]{4,8}\"\n";
    fs::write(&file, scheme).unwrap();
    fixture
        .run(&format!("scheme add {}", file.display()))
        .done();
    let line = "credential create x --tenant acme --scheme pins --secret-stdin";
    let said = fixture.run_with(line, b"123456").refused(1);
    assert!(
        said.contains("19 random bits at most, and 64 are needed; --weak"),
        "{said}"
    );
    fixture
        .run_with(&format!("{line} --weak"), b"123456")
        .done();
    let check = "check connect --username x@acme --client-id c --password-stdin";
    fixture.run_with(check, b"123456").done();
    let denied = fixture.run_with(&format!("{check} --json"), b"123457");
    assert_eq!(denied.json()["reason"], "bad-secret");
}
