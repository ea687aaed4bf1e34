//! Exports of a store, and what another store makes of them.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{DEVICE_PEM, Fixture, JWKS, Ran};

/// A store with something of each kind, as commands make it.
fn furnished() -> Fixture {
    let fixture = Fixture::with_credential();
    for line in [
        "tenant create globex --subscribe filtered --authentication optional",
        "role create ops --tenant acme --no-wildcards",
        "role allow ops --tenant acme subscribe acme/${username}/# --group DM",
        "role deny ops --tenant acme both acme/x --literal",
        "tenant set acme --add-default-role ops",
        "credential create dev2 --tenant acme --group DM.X --role ops --attr site=north",
        "credential deny dev2@acme publish acme/y",
        "credential rotate dev2@acme --overlap 24h",
        "credential revoke dev1@acme --reason stolen",
        "credential create gone --tenant globex",
        "credential delete gone@globex",
        "operator create monitor --subscribe $SYS/#",
        "application create fleet --tenant acme",
        "thing create pump-1 --tenant acme --application fleet",
        "credential create --tenant globex --scheme vwire-token printer",
        "ban add --address 192.0.2.0/24",
    ] {
        assert_eq!(fixture.run(line).code, Some(0), "{line}");
    }
    fixture
        .run_with(
            "user create jane@example.com --password-stdin",
            b"correct horse battery",
        )
        .done();
    fixture
        .run("user grant jane@example.com --tenant acme --org-admin")
        .done();
    fixture
}

/// A second store, and a run of the program on it.
struct Other(Fixture);

impl Other {
    fn new() -> Self {
        Self(Fixture::new())
    }

    fn import(&self, file: &Path, more: &[&str]) -> Ran {
        let mut words = vec!["import", "countersign", file.to_str().unwrap()];
        words.extend(more);
        self.0.run_words(&words)
    }

    fn export(&self) -> String {
        self.0.run("export -").done().stdout
    }
}

fn exported(fixture: &Fixture, more: &[&str]) -> (PathBuf, String) {
    let file = fixture.directory.path().join("export.jsonl");
    let _ = fs::remove_file(&file);
    let mut words = vec!["export", file.to_str().unwrap()];
    words.extend(more);
    fixture.run_words(&words).done();
    let text = fs::read_to_string(&file).unwrap();
    (file, text)
}

#[test]
fn an_export_into_an_empty_store_is_exported_again_byte_by_byte() {
    let fixture = furnished();
    let (file, text) = exported(&fixture, &[]);
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let other = Other::new();
    let planned = other.import(&file, &["--dry-run", "--json"]).json();
    assert_eq!(
        other.0.run("tenant list --json").json(),
        Value::Array(Vec::new())
    );
    let done = other.import(&file, &["--json"]).json();
    assert_eq!(done["kept"], text.lines().count() - 1);
    assert_eq!(done["created"], planned["created"]);
    assert_eq!(done["created"]["tenants"], 2);
    assert_eq!(done["created"]["operators"], 1);
    assert_eq!(
        (&planned["applied"], &done["applied"]),
        (&Value::Bool(false), &Value::Bool(true))
    );
    assert_eq!(other.export(), text);
    // What sessions and secrets hang on is what it was.
    for line in [
        "credential show dev1@acme --json",
        "credential show dev2@acme --json",
        "role show ops --tenant acme --json",
        "user show jane@example.com --json",
        "tenant show globex --json",
    ] {
        assert_eq!(other.0.run(line).json(), fixture.run(line).json(), "{line}");
    }
    assert!(
        other
            .0
            .run("audit verify")
            .done()
            .stdout
            .contains("is intact")
    );
    // No number is given twice, not even that of what was deleted.
    let new = |fixture: &Fixture| {
        let created = fixture
            .run("credential create new --tenant acme --json")
            .json();
        created["id"].clone()
    };
    assert_eq!(new(&other.0), new(&fixture));
}

#[test]
fn an_export_of_one_tenant_has_nothing_of_others() {
    let fixture = furnished();
    let (file, text) = exported(&fixture, &["--tenant", "acme"]);
    for foreign in ["globex", "monitor", "\"table\":\"setting\""] {
        assert!(!text.contains(foreign), "{foreign}");
    }
    let other = Other::new();
    other.import(&file, &[]).done();
    let again = other.0.run("export - --tenant acme").done().stdout;
    assert_eq!(again, text);
    let missing = fixture.run("export - --tenant nobody");
    assert_eq!((missing.code, missing.stdout.as_str()), (Some(1), ""));
}

#[test]
fn no_secret_and_no_seed_is_in_an_export() {
    let fixture = furnished();
    let secret = fixture
        .run("credential create dev3 --tenant acme --json")
        .json();
    let enrolled = fixture.run("user mfa enrol jane@example.com --json").json();
    let (file, text) = exported(&fixture, &[]);
    for shown in [
        &secret["secret"],
        &enrolled["secret"],
        &enrolled["recovery_codes"][0],
    ] {
        assert!(!text.contains(shown.as_str().unwrap()));
    }
    assert!(!text.contains("recovery_code\",\"row"));
    let other = Other::new();
    let report = other.import(&file, &["--json"]).json();
    assert_eq!(report["changed"][0]["what"], "jane@example.com");
    let rows = text.lines().count() - 1;
    assert_eq!(report["kept"], rows - 1);
    assert_eq!(other.export(), text);
}

#[test]
fn what_is_sealed_goes_only_where_its_key_file_is() {
    let fixture = furnished();
    fixture.run("user mfa enrol jane@example.com").done();
    let (file, text) = exported(&fixture, &["--with-sealed"]);
    let other = Other::new();
    let refused = other.import(&file, &[]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("another key file"),
        "{}",
        refused.stderr
    );
    assert_eq!(
        other.0.run("tenant list --json").json(),
        Value::Array(Vec::new())
    );
    let key = |fixture: &Fixture| fixture.directory.path().join("store.db.key");
    fs::copy(key(&fixture), key(&other.0)).unwrap();
    other.import(&file, &[]).done();
    assert_eq!(other.0.run("export - --with-sealed").done().stdout, text);
    // Without a key file nothing says which key would open it.
    fs::remove_file(key(&fixture)).unwrap();
    let refused = fixture.run("export - --with-sealed");
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""));
}

#[test]
fn a_file_that_is_there_is_not_written_over() {
    let fixture = Fixture::with_credential();
    let (file, text) = exported(&fixture, &[]);
    let again = fixture.run_words(&["export", file.to_str().unwrap()]);
    assert_eq!(again.code, Some(1));
    assert!(again.stderr.contains("exists already"), "{}", again.stderr);
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    // And none is left behind by an export that fails.
    let missing = fixture.directory.path().join("other.jsonl");
    let refused = fixture.run_words(&["export", missing.to_str().unwrap(), "--tenant", "nobody"]);
    assert_eq!(refused.code, Some(1));
    assert!(!missing.exists());
}

#[test]
fn a_store_that_holds_something_takes_no_export() {
    let fixture = Fixture::with_credential();
    let (file, text) = exported(&fixture, &[]);
    for more in [&[][..], &["--dry-run"]] {
        let mut words = vec!["import", "countersign", file.to_str().unwrap()];
        words.extend(more);
        let refused = fixture.run_words(&words);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""));
        assert!(refused.stderr.contains("empty"), "{}", refused.stderr);
    }
    assert_eq!(fixture.run("export -").done().stdout, text);
}

#[test]
fn a_file_that_was_cut_or_changed_is_refused_with_its_line_and_writes_nothing() {
    let fixture = furnished();
    let (_, text) = exported(&fixture, &[]);
    let lines: Vec<_> = text.lines().collect();
    let number = |part: &str| lines.iter().position(|line| line.contains(part)).unwrap() + 1;
    let other = Other::new();
    let before = other.export();
    let file = other.0.directory.path().join("changed.jsonl");
    let credential = number("\"state\":\"Inactive\"");
    let cut = format!("{}\n", lines[..lines.len() - 1].join("\n"));
    let rule = number("\"table\":\"credential_rule\"");
    for (changed, place, why) in [
        (String::new(), 1, "not the header"),
        (
            text.replacen("\"format\":1", "\"format\":2", 1),
            1,
            "form 2",
        ),
        (
            text.replacen("\"schema\":7", "\"schema\":99", 1),
            1,
            "install the version",
        ),
        (cut, 1, "cut off"),
        (
            text.replace("\"state\":\"Inactive\"", "\"state\":\"Gone\""),
            credential,
            "`state`",
        ),
        (
            text.replace("\"acme/y\"", "\"acme/#/y\""),
            credential,
            "`pattern`",
        ),
        (
            text.replace(
                "\"effect\":\"deny\",\"action\":\"publish\"",
                "\"effect\":\"deny\"",
            ),
            rule,
            "no `action`",
        ),
        (
            text.replace("\"192.0.2.0/24\"", "\"999.1.1.1/3\""),
            number("\"table\":\"ban\""),
            "`network`",
        ),
        (format!("{text}x\n"), lines.len() + 1, "not a row"),
        (
            text.replace(
                "\"tenant\":\"acme\",\"scheme\"",
                "\"tenant\":\"gone\",\"scheme\"",
            ),
            number("\"name\":\"dev1@acme\""),
            "FOREIGN KEY",
        ),
    ] {
        fs::write(&file, changed).unwrap();
        let refused = other.import(&file, &[]);
        assert_eq!(
            (refused.code, refused.stdout.as_str()),
            (Some(1), ""),
            "{why}"
        );
        let expected = format!("changed.jsonl:{place}: ");
        assert!(
            refused.stderr.contains(&expected),
            "{why}: {}",
            refused.stderr
        );
        assert!(refused.stderr.contains(why), "{why}: {}", refused.stderr);
        assert_eq!(refused.stderr.lines().count(), 1);
    }
    assert_eq!(other.export(), before);
}

#[test]
fn exports_and_imports_are_in_the_audit() {
    let fixture = Fixture::with_credential();
    let (file, _) = exported(&fixture, &["--tenant", "acme"]);
    let other = Other::new();
    other.import(&file, &[]).done();
    let last = |fixture: &Fixture| {
        let rows = fixture.run("audit list --limit 1 --json").json();
        format!("{} {}", rows[0]["act"], rows[0]["subject"]).replace('"', "")
    };
    assert_eq!(last(&fixture), "export acme");
    assert_eq!(last(&other.0), "import acme");
}

/// What was lost: where, and what.
fn lost(report: &Value) -> Vec<String> {
    let lost = report["lost"].as_array().unwrap();
    let shown = |loss: &Value| {
        let [place, what] = ["where", "what"].map(|key| loss[key].as_str().unwrap());
        format!("{place}: {what}")
    };
    lost.iter().map(shown).collect()
}

/// A tenant with what Mosquitto's files can't say.
fn peculiar() -> Fixture {
    let fixture = Fixture::new();
    for line in [
        "tenant create acme --default-rights none",
        "role create ops --tenant acme",
        "role create plain --tenant acme --no-wildcards",
        "role allow plain --tenant acme subscribe acme/w/#",
        "role allow ops --tenant acme publish acme/q --max-qos 1",
        "role allow ops --tenant acme publish acme/${client_id}",
        "role allow ops --tenant acme both acme/a/#",
        "role allow ops --tenant acme both acme/g/# --group DM",
        "role deny ops --tenant acme publish acme/a/b",
        "role deny ops --tenant acme subscribe acme/a/+ --literal",
    ] {
        assert_eq!(fixture.run(line).code, Some(0), "{line}");
    }
    let made =
        "credential create dev1 --tenant acme --password-stdin --role ops --role plain --group DM";
    fixture.run_with(made, b"correct horse battery").done();
    fixture.run("credential create dev2 --tenant acme").done();
    fixture.run("application create fleet --tenant acme").done();
    fixture
}

#[test]
fn what_a_password_file_and_an_acl_file_can_t_say_is_named_as_lost() {
    let fixture = peculiar();
    let folder = fixture.directory.path();
    let [passwords, acl] = ["passwd", "acl"].map(|name| folder.join(name));
    let words = ["export", "mosquitto", "--tenant", "acme", "--json"];
    let files = [
        "--passwords",
        passwords.to_str().unwrap(),
        "--acl",
        acl.to_str().unwrap(),
    ];
    let report = fixture
        .run_words(&[&words[..], &files].concat())
        .done()
        .json();
    assert_eq!(
        lost(&report),
        [
            "acme/applications/application:fleet@acme: application:fleet@acme",
            "acme/credentials/dev2@acme: dev2@acme",
            "acme/groups/DM: DM",
            "acme/roles/ops: allow publish acme/${client_id}",
            "acme/roles/ops: allow publish acme/q max_qos 1",
            "acme/roles/ops: deny publish acme/a/b",
            "acme/roles/ops: deny subscribe acme/a/+ literal",
        ]
    );
    let text = fs::read_to_string(&acl).unwrap();
    assert_eq!(
        text.split_once('\n').unwrap().1,
        "\nuser dev1@acme\ntopic deny acme/a/b\ntopic readwrite acme/a/#\n\
         topic readwrite acme/g/#\ntopic read acme/w/#\n"
    );
    assert!(
        fs::read_to_string(&passwords)
            .unwrap()
            .starts_with("dev1@acme:$argon2id$")
    );
    let mode = fs::metadata(&passwords).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // Nothing that is there is written over, and nothing is left of what fails.
    let again = fixture.run_words(&[&words[..], &files].concat());
    assert_eq!(again.code, Some(1));
    fs::remove_file(&passwords).unwrap();
    let again = fixture.run_words(&[&words[..], &files].concat());
    assert_eq!(again.code, Some(1));
    assert!(!passwords.exists() && acl.exists());
}

#[test]
fn what_dynamic_security_can_t_say_is_named_as_lost() {
    let fixture = peculiar();
    let file = fixture.directory.path().join("dynamic-security.json");
    let words = ["export", "dynamic-security", "--tenant", "acme", "--json"];
    let report = fixture.run_words(&[&words[..], &[file.to_str().unwrap()]].concat());
    assert_eq!(
        lost(&report.done().json()),
        [
            "acme/applications/application:fleet@acme: application:fleet@acme",
            "acme/credentials/dev2@acme: dev2@acme",
            "acme/roles/ops: allow publish acme/${client_id}",
            "acme/roles/ops: allow publish acme/q max_qos 1",
            "acme/roles/plain: allow subscribe acme/w/#",
            "acme/subscribe: strict",
        ]
    );
    let written: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(written["clients"][0]["username"], "dev1@acme");
    assert_eq!(written["groups"][0]["groupname"], "DM");
    let names = |roles: &Value| {
        let roles = roles.as_array().unwrap().iter();
        roles
            .map(|role| role["rolename"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(&written["roles"]),
        ["client:dev1@acme", "ops", "deny:ops"]
    );
    assert_eq!(written["clients"][0]["roles"][2]["priority"], 1);
}

#[test]
fn what_logs_devices_in_without_a_password_is_told_of() {
    let fixture = Fixture::new();
    fixture.run("tenant create acme").done();
    let made = "credential create dev1 --tenant acme --password-stdin";
    fixture.run_with(made, b"correct horse battery").done();
    for line in [
        format!("certificate add dev1@acme --pem {DEVICE_PEM}"),
        format!("issuer add sso --tenant acme --iss sso --jwks {JWKS} --alg EdDSA --audience mqtt"),
    ] {
        fixture.run(&line).done();
    }
    let file = fixture.directory.path().join("dynamic-security.json");
    let words = ["export", "dynamic-security", "--tenant", "acme", "--json"];
    let report = fixture.run_words(&[&words[..], &[file.to_str().unwrap()]].concat());
    let report = report.done().json();
    assert!(
        lost(&report).contains(&"acme/issuers/sso: sso".into()),
        "{report:#}"
    );
    let changed = report["changed"].as_array().unwrap().iter();
    let how = changed
        .filter_map(|it| it["how"].as_str())
        .collect::<String>();
    assert!(
        how.contains("its certificates stand for it no more"),
        "{report:#}"
    );
}

#[test]
fn what_schemes_of_others_reach_is_denied_to_the_owner_of_the_rest() {
    let fixture = Fixture::new();
    for line in [
        "tenant create other",
        "credential create --tenant other --scheme vwire",
        "tenant create home --namespace #",
        "credential create --tenant home --scheme vwire",
    ] {
        assert_eq!(fixture.run(line).code, Some(0), "{line}");
    }
    let made = "credential create lamp --tenant home --password-stdin";
    fixture.run_with(made, b"correct horse battery").done();
    let folder = fixture.directory.path();
    let [passwords, acl, json] = ["passwd", "acl", "dynamic-security.json"].map(|name| {
        let path = folder.join(name);
        path.to_str().unwrap().to_owned()
    });
    let words = ["export", "mosquitto", "--tenant", "home"];
    let files = ["--passwords", &passwords, "--acl", &acl];
    fixture.run_words(&[&words[..], &files].concat()).done();
    let text = fs::read_to_string(&acl).unwrap();
    let of_lamp = text.split_once("\nuser lamp@home\n").unwrap().1;
    assert!(
        of_lamp.starts_with(
            "topic deny other/#\ntopic deny vwire/+/#\ntopic deny vwire/+/+/#\ntopic readwrite #\n"
        ),
        "{text}"
    );
    let words = ["export", "dynamic-security", "--tenant", "home", &json];
    fixture.run_words(&words).done();
    let written: Value = serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
    let roles = written["roles"].as_array().unwrap();
    let denied = |role: &str| {
        let role = roles.iter().find(|it| it["rolename"] == role);
        let acls = role.map_or(&[][..], |it| it["acls"].as_array().unwrap());
        let topics = acls.iter().map(|it| it["topic"].as_str().unwrap());
        topics.map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let of_others = ["other/#", "vwire/+/#", "vwire/+/+/#"].map(str::to_owned);
    assert_eq!(denied("deny:client:lamp@home"), of_others.into());
    // To what its own scheme gives, a device of the tenant keeps its right.
    let keeping = roles.iter().filter(|it| {
        let name = it["rolename"].as_str().unwrap();
        name.starts_with("deny:client:VW-")
    });
    assert_eq!(keeping.count(), 0);
}

#[test]
fn what_an_acl_file_can_t_deny_is_not_allowed_by_what_reaches_it() {
    let fixture = Fixture::new();
    let words = ["tenant", "create", "other", "--namespace", "x/ "];
    fixture.run_words(&words).done();
    fixture
        .run("tenant create home --namespace # --namespace y")
        .done();
    let made = "credential create lamp --tenant home --password-stdin";
    fixture.run_with(made, b"correct horse battery").done();
    let [passwords, acl] = ["passwd", "acl"].map(|name| {
        let path = fixture.directory.path().join(name);
        path.to_str().unwrap().to_owned()
    });
    let words = ["export", "mosquitto", "--tenant", "home", "--json"];
    let files = ["--passwords", &passwords, "--acl", &acl];
    let report = fixture.run_words(&[&words[..], &files].concat());
    let lost = lost(&report.done().json());
    assert_eq!(lost, ["home/others/x/ : lamp@home"]);
    let text = fs::read_to_string(&acl).unwrap();
    let rules = text.split_once('\n').unwrap().1;
    assert_eq!(rules, "\nuser lamp@home\ntopic readwrite y\n");
}
