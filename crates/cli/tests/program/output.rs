//! What people and programs are shown: every command on a terminal and with a pipe.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;

use serde_json::Value;

use crate::support::{DEVICE_PEM, Fixture, JWKS, Ran};
use crate::terminal::{Shown, columns, on_terminal};
use crate::upgrading;

/// Every command in an order in which each has something to act on, and the code it
/// ends with. Words in capitals are files.
const WALK: &[(&str, i32)] = &[
    ("init --argon2 m=8,t=1,p=1", 0),
    ("settings show", 0),
    ("settings set --client-id-hold 1d", 0),
    ("tenant create acme", 0),
    (
        "tenant set acme --authentication optional --name-prefix acme-",
        0,
    ),
    ("tenant list", 0),
    ("tenant show acme", 0),
    ("role create ops --tenant acme", 0),
    ("role set ops --tenant acme --no-wildcards true", 0),
    ("role allow ops --tenant acme subscribe acme/+/state", 0),
    (
        "role deny ops --tenant acme both acme/secret/# --group DM",
        0,
    ),
    (
        "role remove ops --tenant acme both acme/secret/# --group DM",
        0,
    ),
    ("role assign ops --tenant acme --group DM.MFORM.SURYA", 0),
    ("role list", 0),
    ("role show ops --tenant acme", 0),
    (
        "credential create dev1 --tenant acme --group DM.MFORM.SURYA --attr line=4",
        0,
    ),
    ("credential create LONG --tenant acme", 0),
    ("credential create --tenant acme --scheme vwire", 0),
    (
        "credential allow dev1@acme publish acme/alarms/${username}",
        0,
    ),
    ("credential deny dev1@acme both acme/secret/#", 0),
    ("credential remove dev1@acme both acme/secret/#", 0),
    ("credential set dev1@acme --description WIDE", 0),
    ("role assign ops --tenant acme --group OTHER --dry-run", 0),
    ("role unassign ops --tenant acme --group DM.MFORM.SURYA", 0),
    ("credential reset-password dev1@acme", 0),
    ("credential rotate dev1@acme --overlap 24h", 0),
    ("ca add --tenant acme --pem CERTIFICATE --identity cn", 0),
    ("ca list", 0),
    ("ca show AUTHORITY", 0),
    ("ca forget AUTHORITY none", 1),
    ("ca remove AUTHORITY", 0),
    (
        "issuer add sso --tenant acme --iss sso --jwks JWKS --alg EdDSA --audience mqtt",
        0,
    ),
    ("issuer list", 0),
    ("issuer show sso", 0),
    ("issuer set sso --jwks JWKS", 0),
    ("issuer refresh sso", 1),
    ("issuer revoke sso t-1", 0),
    ("issuer forget sso none", 1),
    ("issuer remove sso", 0),
    ("certificate add dev1@acme --pem CERTIFICATE", 0),
    ("certificate list dev1@acme", 0),
    ("certificate remove dev1@acme FINGERPRINT", 0),
    (
        "ban add --address 192.0.2.0/24 --until 24h --reason WIDE",
        0,
    ),
    ("ban add --client-id pump --tenant acme", 0),
    ("ban list", 0),
    ("limit set dev1@acme --connections 2 --payload 4096", 0),
    ("limit show dev1@acme", 0),
    ("limit clear dev1@acme", 0),
    ("ban remove --address 192.0.2.0/24", 0),
    ("credential suspend dev1@acme", 0),
    ("credential suspend --all --dry-run", 0),
    ("credential reactivate dev1@acme none@acme --yes", 4),
    ("credential list", 0),
    ("credential show dev1@acme", 0),
    ("credential untie dev1@acme", 1),
    ("credential revoke dev1@acme --reason WIDE", 0),
    ("operator create bridge --subscribe $SYS/#", 0),
    ("operator set bridge --description WIDE", 0),
    ("operator allow bridge publish #", 0),
    ("operator deny bridge publish acme/x", 0),
    ("operator remove bridge publish acme/x", 0),
    ("operator list", 0),
    ("operator show bridge", 0),
    ("operator delete bridge", 0),
    ("scheme list", 0),
    ("scheme add SCHEME", 0),
    ("scheme remove own", 0),
    ("user create jane@mail.test --password-stdin", 0),
    ("user reset-password jane@mail.test --password-stdin", 0),
    ("user grant jane@mail.test --tenant acme --org-admin", 0),
    ("user mfa enrol jane@mail.test", 0),
    ("user mfa confirm jane@mail.test --code-stdin", 1),
    ("user mfa disable jane@mail.test", 0),
    ("user unlock jane@mail.test", 1),
    ("user set jane@mail.test --platform-admin true", 0),
    ("token create --scope tenant:acme --expires 30d", 0),
    ("token list", 0),
    ("token revoke 1", 0),
    (
        "hook create edge --kind emqx --tenant acme --from 10.0.0.0/8",
        0,
    ),
    ("follower create west --tenant acme", 0),
    ("fleet status", 0),
    ("fleet compact --before 1d", 0),
    ("fleet init postgres://127.0.0.1:1/x", 3),
    ("follower list", 0),
    ("follower show west", 0),
    ("follower set west --remove-tenant acme", 0),
    ("follower rotate west", 0),
    ("follower delete west", 0),
    ("hook list", 0),
    ("hook show edge", 0),
    ("hook rotate edge", 0),
    ("hook delete edge", 0),
    ("user list", 0),
    ("user show jane@mail.test", 0),
    ("application create fleet --tenant acme", 0),
    ("application list", 0),
    ("application show fleet --tenant acme", 0),
    ("application rotate fleet --tenant acme --overlap 24h", 0),
    ("thing create pump --tenant acme --application fleet", 0),
    ("thing list", 0),
    ("thing show pump --tenant acme", 0),
    ("thing untie pump --tenant acme", 1),
    (
        "jwt create --tenant acme --role ops --whoami me --as jane@mail.test",
        0,
    ),
    ("jwt list", 0),
    ("jwt keys --tenant acme", 0),
    ("jwt rotate-key --tenant acme", 0),
    ("jwt revoke --issuer jane@mail.test", 0),
    ("user ungrant jane@mail.test --tenant acme", 0),
    ("user delete jane@mail.test", 0),
    ("broker list", 0),
    ("broker forget edge", 1),
    ("clients count", 0),
    ("clients list", 0),
    ("clients kick c", 1),
    ("clients release c", 1),
    ("check connect --username dev1@acme --client-id c", 1),
    (
        "check publish --username dev1@acme acme/alarms/dev1@acme",
        1,
    ),
    ("check subscribe --username LONG@acme acme/x", 0),
    ("check deliver --username LONG@acme other/x", 1),
    ("why dev1@acme", 0),
    ("audit head", 0),
    ("audit list", 0),
    ("audit show 1", 0),
    ("audit verify", 0),
    ("audit prune --before 2020-01-01", 0),
    ("doctor", 1),
    ("backup COPY", 0),
    ("restore COPY", 1),
    ("export OWN", 0),
    (
        "export mosquitto --tenant acme --passwords TARGET --acl TARGET2",
        0,
    ),
    ("export dynamic-security --tenant acme TARGET3", 0),
    ("import countersign OWN --dry-run", 1),
    ("import csv TABLE --tenant acme", 0),
    ("import dynamic-security OBJECT --tenant acme", 0),
    (
        "import go-auth --passwords EMPTY --acl EMPTY --tenant acme",
        0,
    ),
    ("import mosquitto --passwords EMPTY --tenant acme", 0),
    ("thing delete pump --tenant acme", 0),
    ("application delete fleet --tenant acme", 0),
    ("credential delete dev1@acme", 0),
    ("role delete ops --tenant acme", 0),
    ("man PAGES", 0),
    ("tenant delete acme --cascade", 0),
];

/// Commands whose output is a file for another program.
const FILES: &[&str] = &["completions", "scheme show"];

/// A name as long as names may be; with ` ` and its tenant it has 255 bytes.
fn long_name() -> String {
    format!("device-{}", "x".repeat(243))
}

/// Signs that are wide, that are drawn onto others, and that have two halves.
const WIDE: &str = "設備の状態を記録する装置です。これは長い説明の文です。 u\u{308}u\u{308} 👩‍🔧 ﷽";

/// The words of a line of the walk.
fn words(fixture: &Fixture, line: &str) -> Vec<String> {
    let folder = fixture.directory.path();
    let at = |name: &str| folder.join(name).display().to_string();
    let words = line.split(' ').map(|word| match word {
        "COPY" | "OWN" | "TARGET" | "TARGET2" | "TARGET3" => at(&word.to_lowercase()),
        "TABLE" => {
            std::fs::write(at("table"), "name\nfrom-table\n").unwrap();
            at("table")
        }
        "OBJECT" => {
            std::fs::write(at("object"), "{}").unwrap();
            at("object")
        }
        "EMPTY" => {
            std::fs::write(at("empty"), "").unwrap();
            at("empty")
        }
        "PAGES" => {
            std::fs::create_dir_all(at("pages")).unwrap();
            at("pages")
        }
        "SCHEME" => {
            let shown = fixture.run("scheme show basic").done().stdout;
            std::fs::write(at("own.toml"), shown.replace("\"basic\"", "\"own\"")).unwrap();
            at("own.toml")
        }
        "CERTIFICATE" => DEVICE_PEM.into(),
        "JWKS" => JWKS.into(),
        "AUTHORITY" => {
            let listed = fixture.json("ca list");
            listed[0]["fingerprint"].as_str().unwrap().into()
        }
        "FINGERPRINT" => {
            let listed = fixture.json("certificate list dev1@acme");
            listed[0]["fingerprint"].as_str().unwrap().into()
        }
        // Some of these signs no description takes.
        "WIDE" => WIDE.chars().filter(|c| *c != '\u{200d}').collect(),
        _ => word.replace("LONG", &long_name()),
    });
    words.collect()
}

/// Runs each line of the walk on a store of its own; all that are wrong are told.
fn walk(each: impl Fn(&Fixture, &str, &[String], i32)) {
    let fixture = Fixture::empty();
    let is_wrong = |(line, code): &&(&str, i32)| {
        let words = words(&fixture, line);
        let judge = AssertUnwindSafe(|| each(&fixture, line, &words, *code));
        std::panic::catch_unwind(judge).is_err()
    };
    let wrong: Vec<_> = WALK.iter().filter(is_wrong).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn shown(fixture: &Fixture, words: &[String], width: u16) -> Shown {
    on_terminal(fixture.command().args(words), width, "correct horse\n")
}

#[test]
fn the_walk_comes_by_every_command() {
    let walked: BTreeSet<_> = upgrading::COMMANDS
        .iter()
        .map(|(command, ..)| *command)
        .filter(|command| {
            let is_it = |line: &str| line == *command || line.starts_with(&format!("{command} "));
            FILES.contains(command) || WALK.iter().any(|(line, _)| is_it(line))
        })
        .collect();
    let all = upgrading::COMMANDS.iter().map(|(it, ..)| *it);
    // It runs until it is ended, and prints nothing.
    let all: BTreeSet<_> = all
        .filter(|command| !["follow", "serve"].contains(command))
        .collect();
    assert_eq!(walked, all);
}

#[test]
fn no_line_is_longer_than_the_terminal() {
    walk(|fixture, line, words, code| {
        let shown = shown(fixture, words, 80);
        assert_eq!(shown.code, Some(code), "{line}: {shown:?}");
        let lines = shown.lines();
        assert!(lines.len() > 1, "{line}: it says nothing");
        for shown in lines {
            // What is copied is in one piece, and the terminal breaks it.
            let is_copied = shown.starts_with("token ") || shown.starts_with("otpauth ");
            assert!(
                columns(&shown) <= 80 || is_copied,
                "{line}: {} columns: {shown}",
                columns(&shown)
            );
        }
    });
}

#[test]
fn narrow_terminals_hold_tables_too() {
    let fixture = Fixture::with_credential();
    let long = long_name();
    fixture
        .run(&format!("credential create {long} --tenant acme"))
        .done();
    for width in [20, 40, 60, 79, 200] {
        for line in [
            "credential list",
            "audit list",
            "scheme list",
            "tenant list",
        ] {
            let words: Vec<_> = line.split(' ').map(Into::into).collect();
            let lines = shown(&fixture, &words, width).done().lines();
            for line in &lines {
                assert!(columns(line) <= usize::from(width), "{width}: {line}");
            }
        }
    }
    // A name that is cut keeps both ends.
    let words = ["credential".into(), "list".into()];
    let lines = shown(&fixture, &words, 80).lines();
    let cut = lines
        .iter()
        .find(|line| line.starts_with("device-xxx"))
        .unwrap();
    assert!(cut.split(' ').next().unwrap().ends_with("xx@acme"), "{cut}");
    let words = [
        "credential".into(),
        "list".into(),
        "-o".into(),
        "wide".into(),
    ];
    let lines = shown(&fixture, &words, 80).lines();
    assert!(lines.iter().any(|line| line.contains(&long)), "{lines:?}");
    assert!(lines[0].contains("GENERATION"), "{lines:?}");
}

#[test]
fn with_a_pipe_there_is_nothing_but_data() {
    walk(|fixture, line, words, code| {
        let ran = piped(fixture, words);
        assert_eq!(ran.code, Some(code), "{line}: {ran:?}");
        for text in [&ran.stdout, &ran.stderr] {
            assert!(!text.contains('\u{1b}') && !text.contains('\r'), "{ran:?}");
            assert!(!text.contains(" ago"), "{ran:?}");
        }
        assert!(!ran.stdout.contains('…'), "{line}: {ran:?}");
    });
}

fn piped(fixture: &Fixture, words: &[String]) -> Ran {
    let line: Vec<&str> = words.iter().map(String::as_str).collect();
    if line.contains(&"--password-stdin") || line.contains(&"--code-stdin") {
        return fixture.run_with(&line.join(" "), b"correct horse\n");
    }
    fixture.run_words(&line)
}

/// The keys that a command says it has.
fn keys_of(fixture: &Fixture, words: &[String]) -> Vec<String> {
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    words.extend(["--field", "no-such-key"]);
    let said = fixture.run_words(&words).refused(2);
    let keys = said
        .split_once("its keys are ")
        .map_or("", |(_, keys)| keys);
    keys.split('`').skip(1).step_by(2).map(Into::into).collect()
}

/// Keys that are there now and then.
const SOMETIMES: &[&str] = &[
    "auth_type",
    "authority",
    "device_id",
    "dry_run",
    "effects",
    "held_by",
    "held_since",
    "issuer",
    "names",
    "old_secret_until",
    "secrets",
    "stopped",
    "token",
];

#[test]
fn every_key_may_be_asked_for_and_no_other() {
    walk(|fixture, line, words, code| {
        // Whatever is done is written down.
        let head = || fixture.run("audit head").stdout;
        let before = head();
        let keys: BTreeSet<_> = keys_of(fixture, words).into_iter().collect();
        assert!(!keys.is_empty(), "{line}");
        assert_eq!(head(), before, "{line}");
        let mut words = words.to_vec();
        words.push("--json".into());
        let ran = piped(fixture, &words);
        assert_eq!(ran.code, Some(code), "{line}: {ran:?}");
        if ran.stdout.is_empty() {
            assert!(ran.stderr.starts_with("{\"error\":{\"kind\":\""), "{ran:?}");
            return;
        }
        let document = ran.json();
        let one = core::slice::from_ref(&document);
        let rows = document.as_array().map_or(one, Vec::as_slice);
        let printed: BTreeSet<String> = rows
            .iter()
            .flat_map(|row| row.as_object().unwrap().keys().cloned())
            .collect();
        assert!(printed.is_subset(&keys), "{line}: {printed:?} {keys:?}");
        let never = keys.difference(&printed).filter(|key| {
            // Of a scheme only those are shown that say something.
            !SOMETIMES.contains(&key.as_str()) && !line.starts_with("scheme")
        });
        let never: Vec<_> = never.collect();
        assert!(rows.is_empty() || never.is_empty(), "{line}: {never:?}");
    });
}

#[test]
fn a_field_is_one_value_and_of_a_list_one_a_line() {
    let fixture = Fixture::new();
    let value = |line: &str| fixture.run(line).done().stdout;
    assert_eq!(value("tenant create acme --field id"), "acme\n");
    let secret = value("credential create dev1 --tenant acme --field secret");
    assert!(
        secret.starts_with("cs_") && secret.lines().count() == 1,
        "{secret}"
    );
    let checked = fixture.run_with(
        "check connect --username dev1@acme --client-id c --password-stdin --field verdict",
        secret.as_bytes(),
    );
    assert_eq!(checked.done().stdout, "allow\n");
    value("credential create dev2 --tenant acme --group A --field secret");
    assert_eq!(
        value("credential list --field name"),
        "dev1@acme\ndev2@acme\n"
    );
    assert_eq!(value("credential list --field group"), "\nA\n");
    assert_eq!(
        value("credential show dev2@acme --field groups"),
        "[\"A\"]\n"
    );
    assert_eq!(value("credential show dev2@acme --field generation"), "1\n");
    assert_eq!(
        value("credential suspend dev2@acme --field state"),
        "Suspended\n"
    );
    assert_eq!(
        value("credential suspend dev1@acme dev2@acme --field done"),
        "1\n"
    );
    assert_eq!(value("user list --field email"), "");
    let name = [
        "operator".to_owned(),
        "list".into(),
        "--field".into(),
        "name".into(),
    ];
    assert_eq!(shown(&fixture, &name, 80).done().raw, "");
}

#[test]
fn a_field_that_would_lose_a_secret_is_refused_before_anything_is_made() {
    let fixture = Fixture::with_credential();
    fixture.run("role create ops --tenant acme").done();
    fixture
        .run_with(
            "user create jane@mail.test --password-stdin",
            b"correct horse",
        )
        .done();
    fixture.run("application create fleet --tenant acme").done();
    let before = fixture.content();
    for line in [
        "credential create dev2 --tenant acme --field name",
        "credential reset-password dev1@acme --field username",
        "credential rotate dev1@acme --field generation",
        "credential rotate --all --field done",
        "operator create bridge --field name",
        "application create more --tenant acme --field name",
        "application rotate fleet --tenant acme --field name",
        "jwt create --tenant acme --role ops --whoami me --as jane@mail.test --field jti",
        "token create --scope tenant:acme --field id",
        "follower create west --field tenants",
        "hook create edge --kind emqx --field paths",
        "user mfa enrol jane@mail.test --field secret",
        "import csv none.csv --tenant acme --field kept",
    ] {
        let said = fixture.run(line).refused(2);
        assert!(
            said.contains("is made now and shown this once"),
            "{line}: {said}"
        );
        assert_eq!(fixture.content(), before, "{line}");
    }
    // What makes no secret loses none.
    let line = "credential create dev2 --tenant acme --password-stdin --field name";
    let made = fixture.run_with(line, b"correct horse").done();
    assert_eq!(made.stdout, "dev2@acme\n");
    for (line, needle) in [
        (
            "credential list --field secret",
            "its keys are `id`, `name`",
        ),
        ("completions bash --field name", "nothing that has keys"),
        ("tenant list --field id --json", "cannot be used with"),
        ("tenant list -o json --json", "cannot be used with"),
        (
            "tenant list -o yaml",
            "possible values: json, jsonl, text, wide",
        ),
    ] {
        let ran = fixture.run(line);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{line}");
        assert!(ran.stderr.contains(needle), "{line}: {ran:?}");
    }
}

#[test]
fn documents_come_whole_or_a_line_each() {
    let fixture = Fixture::with_credential();
    fixture.run("credential create dev2 --tenant acme").done();
    let whole = fixture.run("credential list -o json").done();
    assert_eq!(
        whole.stdout,
        fixture.run("credential list --json").done().stdout
    );
    let lines = fixture.run("credential list -o jsonl").done().stdout;
    let rows: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(whole.json(), Value::from(rows));
    assert_eq!(fixture.run("user list -o jsonl").done().stdout, "");
    let one = fixture.run("tenant show acme -o jsonl").done();
    assert_eq!(one.stdout.lines().count(), 1);
    assert_eq!(one.json(), fixture.json("tenant show acme"));
    let act = fixture.run("credential suspend dev1@acme -o jsonl").done();
    assert_eq!(act.json()["state"], "Suspended");
}

#[test]
fn an_act_is_one_line_and_its_record_is_shown_to_who_wants_it() {
    let fixture = Fixture::with_credential();
    let done = |line: &str| fixture.run(line).done().stdout;
    assert_eq!(
        done("credential suspend dev1@acme"),
        "✔ dev1@acme suspended\n"
    );
    let told = done("credential reactivate dev1@acme -v");
    assert!(told.starts_with("✔ dev1@acme reactivated\nid "), "{told}");
    assert!(told.contains("\nstate           Inactive\n"), "{told}");
    assert_eq!(
        done("tenant set acme --subscribe filtered"),
        "✔ tenant acme changed\n"
    );
    let rotated = done("credential rotate dev1@acme");
    let mut lines = rotated.lines();
    assert_eq!(
        lines.next(),
        Some("✔ dev1@acme has a new secret, which is shown this once")
    );
    assert!(rotated.contains("\nsecret    cs_"), "{rotated}");
    assert_eq!(done("credential delete dev1@acme"), "✔ dev1@acme deleted\n");
}

#[test]
fn an_act_says_how_many_sessions_it_ends() {
    let fixture = Fixture::with_credential();
    fixture.run("credential create dev2 --tenant acme").done();
    let store = countersign_sqlite::SqliteStore::open(fixture.store()).unwrap();
    let _alive = countersign_core::store::GateStore::lock_broker(&store, "b").unwrap();
    let connection = rusqlite::Connection::open(fixture.store()).unwrap();
    for session in 1..=3 {
        connection
            .execute(
                "INSERT INTO presence
                     (broker, session, client_id, username, credential, tenant, protocol,
                      connected_at, authenticated, stored, tie)
                 VALUES ('b', ?1, 'c' || ?1, 'dev1@acme',
                         (SELECT id FROM credential WHERE name = 'dev' || ((?1 + 1) / 2) || '@acme'),
                         'acme', 4, 1, 1, 0, zeroblob(32))",
                [session],
            )
            .unwrap();
    }
    let done = |line: &str| fixture.run(line).done().stdout;
    assert_eq!(
        done("credential suspend dev1@acme"),
        "✔ dev1@acme suspended · 2 sessions ended\n"
    );
    assert_eq!(
        done("credential delete dev2@acme"),
        "✔ dev2@acme deleted · 1 session ended\n"
    );
}

#[test]
fn an_empty_list_says_so_on_a_terminal_and_has_its_header_alone_in_a_pipe() {
    let fixture = Fixture::new();
    for (line, said) in [
        ("application list", "No applications."),
        ("audit list --name nobody", "No rows."),
        ("broker list", "No brokers."),
        ("clients list", "No clients are connected."),
        ("credential list", "No credentials."),
        ("fleet status", "No followers."),
        ("follower list", "No followers."),
        ("hook list", "No hooks."),
        ("jwt list", "No tokens."),
        ("operator list", "No operators."),
        ("role list", "No roles."),
        ("tenant list", "No tenants."),
        ("token list", "No API tokens."),
        ("thing list", "No things."),
        ("user list", "No users."),
    ] {
        let words: Vec<_> = line.split(' ').map(Into::into).collect();
        assert_eq!(
            shown(&fixture, &words, 80).done().lines(),
            [said, ""],
            "{line}"
        );
        let ran = fixture.run(line).done();
        assert_eq!(ran.stdout.lines().count(), 1, "{line}: {ran:?}");
        assert!(
            ran.stdout
                .chars()
                .all(|c| c.is_ascii_uppercase() || " \n".contains(c))
        );
        assert_eq!(ran.stderr, "", "{line}");
    }
}

#[test]
fn states_are_in_colour_where_a_terminal_has_some_and_nobody_minds() {
    let fixture = Fixture::with_credential();
    let shown = |set: &[(&str, &str)]| {
        let mut command = fixture.command();
        command
            .args(["credential", "list"])
            .envs(set.iter().copied());
        on_terminal(&mut command, 80, "").done()
    };
    let plain = shown(&[]);
    assert!(
        plain.raw.contains("\u{1b}[2mInactive\u{1b}[0m"),
        "{plain:?}"
    );
    for set in [("NO_COLOR", "1"), ("TERM", "dumb"), ("CLICOLOR", "0")] {
        let shown = shown(&[set]);
        assert!(!shown.is_coloured(), "{shown:?}");
        assert!(shown.raw.contains("Inactive"), "{shown:?}");
    }
    let mut command = fixture.command();
    let shown = on_terminal(command.args(["credential", "show", "dev1@acme"]), 80, "");
    assert!(shown.raw.contains("created at      "), "{shown:?}");
    assert!(
        shown
            .lines()
            .iter()
            .any(
                |line| line.starts_with("created at") && line.contains(" ago (20")
                    || line.contains("now (20")
            ),
        "{shown:?}"
    );
}

#[test]
fn what_goes_wrong_is_told_to_programs_as_a_document() {
    let fixture = Fixture::with_credential();
    for (line, code, kind) in [
        ("tenant show none --json", 1, "not-found"),
        ("tenant create acme -o json", 1, "exists"),
        ("credential reactivate dev1@acme -ojsonl", 1, "conflict"),
        ("tenant show --json", 2, "usage"),
        ("tenant show -o json", 2, "usage"),
        (
            "tenant list --store /nowhere/store.db --json",
            3,
            "unavailable",
        ),
    ] {
        let ran = fixture.run(line);
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (Some(code), ""),
            "{line}: {ran:?}"
        );
        assert_eq!(ran.stderr.lines().count(), 1, "{line}: {ran:?}");
        let error: Value = serde_json::from_str(&ran.stderr).unwrap();
        assert_eq!(error["error"]["kind"], kind, "{line}: {ran:?}");
        assert!(
            error["error"]["message"]
                .as_str()
                .is_some_and(|it| !it.is_empty())
        );
    }
    let said = fixture.run("tenant show none").refused(1);
    assert!(said.contains("there is no tenant `none`"), "{said}");
}

#[test]
fn doctor_tells_what_is_well_in_one_line_and_then_what_is_not() {
    let fixture = Fixture::new();
    let told = fixture.run("doctor");
    assert_eq!(told.code, Some(1), "{told:?}");
    let lines: Vec<_> = told.stdout.lines().collect();
    assert!(
        lines[0].starts_with("✔ ") && lines[0].contains("integrity"),
        "{told:?}"
    );
    assert!(lines[1].starts_with("✖ argon2: "), "{told:?}");
    assert_eq!(
        lines[2],
        "  fix: countersign settings set --argon2 m=19456,t=2,p=1"
    );
    let levels = fixture.run("doctor --json").json();
    let levels: BTreeSet<_> = levels
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["level"].as_str().unwrap().to_owned())
        .collect();
    assert!(
        levels.contains("ok") && levels.contains("fail"),
        "{levels:?}"
    );
}

#[test]
fn a_command_without_its_own_shows_its_short_help() {
    let fixture = Fixture::new();
    for line in ["", "credential", "user mfa", "check", "import"] {
        let ran = fixture.run(line);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{line}");
        assert!(ran.stderr.contains("Usage: countersign"), "{line}: {ran:?}");
        assert!(ran.stderr.contains("Commands:"), "{line}: {ran:?}");
    }
}
