//! Rules that are written and do not do what they seem to, and rules that are
//! refused because no broker could ever ask about them.

use crate::support::Fixture;

#[test]
fn a_rule_that_adds_nothing_or_reaches_nothing_is_written_with_a_warning() {
    let fixture = Fixture::with_credential();
    fixture.run("role create ops --tenant acme").done();
    fixture
        .run("tenant create bare --default-rights none")
        .done();
    fixture.run("credential create dev2 --tenant bare").done();
    for (line, says) in [
        (
            "credential allow dev1@acme publish acme/${username}/# --max-qos 1 --no-retain",
            "adds nothing: tenant `acme` allows all of its namespaces by default",
        ),
        (
            "credential allow dev1@acme publish other/#",
            "reaches nothing: tenant `acme` owns `acme/#` alone",
        ),
        (
            "credential allow dev2@bare publish acme/%u/#",
            "`%u` is literal here; write `${username}`",
        ),
        (
            "credential allow dev2@bare subscribe bare/%c",
            "`%c` is literal here; write `${client_id}`",
        ),
        (
            "credential allow dev2@bare publish bare/${attr.line}",
            "as long as its variables have no value",
        ),
        ("credential allow dev2@bare publish bare/#", ""),
        (
            "credential allow dev2@bare publish bare/a",
            "adds nothing: other rules allow all of it already",
        ),
        ("credential deny dev2@bare publish bare/b", ""),
        ("role allow ops --tenant acme publish acme/a", ""),
        (
            "role allow ops --tenant acme publish nowhere/a",
            "reaches nothing",
        ),
        ("credential set dev1@acme --add-role ops", ""),
        (
            "role allow ops --tenant acme subscribe acme/a",
            "adds nothing: tenant `acme` allows",
        ),
        ("role deny ops --tenant acme both acme/secret/#", ""),
        (
            "operator create bridge --publish $SYS/broker/connection/${client_id}/state",
            "",
        ),
        (
            "operator create monitor --publish $SYS/# --subscribe $SYS/#",
            "brokers refuse to publish to `$SYS`",
        ),
        (
            "operator create twice --publish a/b --publish a/#",
            "`allow publish a/b` adds nothing: other rules allow all of it already",
        ),
        (
            "operator allow twice publish a/c",
            "`allow publish a/c` adds nothing: other rules allow all of it already",
        ),
        (
            "credential allow monitor publish $SYS/x",
            "brokers refuse to publish to `$SYS`",
        ),
    ] {
        let (_, said) = fixture.run(line).warned();
        assert_eq!(said.is_empty(), says.is_empty(), "{line}: {said}");
        assert!(said.contains(says), "{line}: {said}");
    }
    let line = "credential allow dev1@acme publish acme/b --json";
    let (ran, said) = fixture.run(line).warned();
    assert!(ran.json().is_object() && said.contains("adds nothing"));
}

#[test]
fn a_scheme_whose_rules_do_not_do_what_they_seem_to_is_added_with_a_warning() {
    let fixture = Fixture::new();
    let file = fixture.directory.path().join("mine.toml");
    let shown = fixture.run("scheme show vwire").done().stdout;
    let add = |name: &str, publish: &str| {
        let lines = shown.lines().map(|line| match line.split_once(" = ") {
            Some(("name", _)) => format!("name = \"{name}\"\n"),
            Some(("publish", _)) => format!("publish = [{publish}]\n"),
            _ => format!("{line}\n"),
        });
        std::fs::write(&file, lines.collect::<String>()).unwrap();
        let (_, said) = fixture
            .run(&format!("scheme add {}", file.display()))
            .warned();
        said
    };
    assert_eq!(add("right", "\"mine/${username}/#\""), "");
    let said = add("literal", "\"mine/%u/#\"");
    assert!(
        said.contains("`%u` is literal here; write `${username}`"),
        "{said}"
    );
    let said = add("double", "\"mine/${username}/#\", \"mine/${username}/x\"");
    assert!(said.contains("mine/${username}/x` adds nothing"), "{said}");
}

#[test]
fn a_rule_about_topics_that_no_broker_carries_is_refused() {
    let fixture = Fixture::with_credential();
    fixture.run("role create ops --tenant acme").done();
    let before = fixture.content();
    let deep = format!("acme{}", "/x".repeat(201));
    for pattern in ["acme/\u{7}", "acme/\u{85}/#", "acme/\u{fffe}", &deep] {
        for words in [
            &["role", "allow", "ops", "--tenant", "acme", "both", pattern][..],
            &[
                "role",
                "allow",
                "ops",
                "--tenant",
                "acme",
                "both",
                pattern,
                "--dry-run",
            ],
            &["credential", "deny", "dev1@acme", "both", pattern],
        ] {
            let said = fixture.run_words(words).refused(1);
            assert!(said.contains("brokers close the connection"), "{said}");
        }
        let words = ["operator", "create", "monitor", "--publish", pattern];
        fixture.run_words(&words).refused(2);
        let words = ["tenant", "create", "x", "--namespace", pattern];
        fixture.run_words(&words).refused(2);
    }
    assert_eq!(fixture.content(), before);
}

#[test]
fn a_tenant_that_gives_up_or_takes_over_topics_is_told_about_retained_messages() {
    let fixture = Fixture::new();
    fixture.run("tenant create acme").done();
    for (line, says) in [
        (
            "tenant set acme --add-namespace plant/#",
            &["others retained in `plant/#`"][..],
        ),
        (
            "tenant set acme --remove-namespace acme/# --add-namespace a/# --json",
            &[
                "retained in `acme/#` and send it to the next owner",
                "others retained in `a/#`",
            ],
        ),
        ("tenant set acme --subscribe filtered", &[]),
        ("tenant delete acme", &["`plant/#`", "`a/#`"]),
    ] {
        let (_, said) = fixture.run(line).warned();
        assert_eq!(said.lines().count(), says.len(), "{line}: {said}");
        for text in says {
            assert!(
                said.contains(text) && said.contains("`check_retain_source true`"),
                "{said}"
            );
        }
    }
}
