//! A store that an older or a newer version made, with and without that version's
//! broker.

use std::collections::BTreeSet;

use countersign_core::store::GateStore as _;
use countersign_sqlite::{BrokerLock, SqliteStore};
use rusqlite::Connection;

use self::schema_3::{open_as_a_broker_does, write_schema_3};
use crate::support::{DEVICE_PEM, Fixture, JWKS, finish};

#[path = "../../../store-sqlite/tests/common/schema_3.rs"]
mod schema_3;

/// What a command does with a store.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Does {
    /// It reads, and ends with this code.
    Read(i32),
    /// It would write, or follow what brokers write.
    Write,
    /// It looks whether the store is right.
    Examine,
    /// It does not open one.
    Nothing(i32),
}

use Does::{Examine, Nothing, Read, Write};

/// Every command, with arguments that make sense.
pub(crate) const COMMANDS: &[(&str, &str, Does)] = &[
    ("application create", "fleet --tenant acme", Write),
    ("application delete", "fleet --tenant acme", Write),
    ("application list", "", Read(0)),
    ("application rotate", "fleet --tenant acme", Write),
    ("application show", "fleet --tenant acme", Read(1)),
    ("audit head", "", Read(0)),
    ("audit list", "", Read(0)),
    ("audit prune", "--before 2020-01-01", Write),
    ("audit show", "1", Read(1)),
    ("audit verify", "", Read(0)),
    ("backup", "COPY", Write),
    ("ban add", "--address 192.0.2.0/24", Write),
    ("ban list", "", Read(0)),
    ("ban remove", "--address 192.0.2.0/24", Write),
    ("broker forget", "edge", Write),
    ("broker list", "", Read(0)),
    (
        "ca add",
        "--tenant acme --pem CERTIFICATE --identity cn",
        Write,
    ),
    ("ca forget", "FINGERPRINT dev1", Write),
    ("ca list", "", Read(0)),
    ("ca remove", "FINGERPRINT", Write),
    ("ca show", "FINGERPRINT", Read(1)),
    ("certificate add", "dev1@acme --pem CERTIFICATE", Write),
    ("certificate list", "dev1@acme", Read(0)),
    ("certificate remove", "dev1@acme FINGERPRINT", Write),
    (
        "check connect",
        "--username dev1@acme --client-id x",
        Read(1),
    ),
    ("check deliver", "--username root acme/x", Read(1)),
    ("check publish", "--username dev1@acme acme/x", Read(1)),
    ("check subscribe", "--username dev1@acme acme/x", Read(1)),
    ("clients count", "", Read(0)),
    ("clients kick", "c", Write),
    ("clients list", "", Read(0)),
    ("clients release", "c", Write),
    ("completions", "bash", Nothing(0)),
    ("credential allow", "dev1@acme publish acme/x", Write),
    ("credential create", "dev2 --tenant acme", Write),
    ("credential delete", "dev1@acme", Write),
    ("credential deny", "dev1@acme publish acme/x", Write),
    ("credential list", "", Read(0)),
    ("credential reactivate", "dev1@acme", Write),
    ("credential remove", "dev1@acme publish acme/x", Write),
    ("credential reset-password", "dev1@acme", Write),
    ("credential revoke", "dev1@acme", Write),
    ("credential rotate", "dev1@acme", Write),
    ("credential set", "dev1@acme --description x", Write),
    ("credential show", "dev1@acme", Read(0)),
    ("credential suspend", "dev1@acme", Write),
    ("credential untie", "dev1@acme", Write),
    ("doctor", "", Examine),
    ("export dynamic-security", "--tenant acme TARGET", Write),
    (
        "export mosquitto",
        "--tenant acme --passwords TARGET --acl TARGET2",
        Write,
    ),
    ("follow", "--source http://127.0.0.1:1", Write),
    ("fleet compact", "--before 1d", Write),
    ("fleet init", "postgres://127.0.0.1:1/x", Nothing(3)),
    ("fleet status", "", Read(0)),
    ("follower create", "west", Write),
    ("follower delete", "west", Write),
    ("follower list", "", Read(0)),
    ("follower rotate", "west", Write),
    ("follower set", "west --add-tenant acme", Write),
    ("follower show", "west", Read(1)),
    ("hook create", "edge --kind emqx", Write),
    ("hook delete", "edge", Write),
    ("hook list", "", Read(0)),
    ("hook rotate", "edge", Write),
    ("hook show", "edge", Read(1)),
    ("import countersign", "EXPORT", Write),
    ("import csv", "TABLE --tenant acme", Write),
    ("import dynamic-security", "OBJECT --tenant acme", Write),
    (
        "import go-auth",
        "--passwords EMPTY --acl EMPTY --tenant acme",
        Write,
    ),
    ("import mosquitto", "--passwords EMPTY --tenant acme", Write),
    ("init", "", Nothing(1)),
    (
        "jwt create",
        "--tenant acme --role ops --whoami me --as jane@mail.test",
        Write,
    ),
    (
        "issuer add",
        "sso --tenant acme --iss sso --jwks JWKS --alg EdDSA --audience mqtt",
        Write,
    ),
    ("issuer forget", "sso dev1", Write),
    ("issuer list", "", Read(0)),
    ("limit clear", "dev1@acme", Write),
    ("limit set", "dev1@acme --payload 9", Write),
    ("limit show", "dev1@acme", Read(0)),
    ("issuer refresh", "sso", Write),
    ("issuer remove", "sso", Write),
    ("issuer revoke", "sso t-1", Write),
    ("issuer set", "sso --jwks JWKS", Write),
    ("issuer show", "sso", Read(1)),
    ("jwt keys", "--tenant acme", Read(0)),
    ("jwt list", "", Read(0)),
    ("jwt revoke", "--issuer jane@mail.test", Write),
    ("jwt rotate-key", "--tenant acme", Write),
    ("man", "PAGES", Nothing(0)),
    ("operator allow", "root publish x", Write),
    ("operator create", "bridge", Write),
    ("operator delete", "root", Write),
    ("operator deny", "root publish x", Write),
    ("operator list", "", Read(0)),
    ("operator remove", "root publish x", Write),
    ("operator set", "root --description x", Write),
    ("operator show", "root", Read(0)),
    ("restore", "COPY", Nothing(1)),
    ("role allow", "ops --tenant acme publish acme/x", Write),
    ("role assign", "ops --tenant acme --group DM", Write),
    ("role create", "more --tenant acme", Write),
    ("role delete", "ops --tenant acme", Write),
    ("role deny", "ops --tenant acme publish acme/x", Write),
    ("role list", "", Read(0)),
    ("role remove", "ops --tenant acme publish acme/x", Write),
    ("role set", "ops --tenant acme --no-wildcards true", Write),
    ("role show", "ops --tenant acme", Read(0)),
    ("role unassign", "ops --tenant acme --group DM", Write),
    ("scheme add", "SCHEME", Write),
    ("scheme list", "", Read(0)),
    ("scheme remove", "own", Write),
    ("scheme show", "basic", Read(0)),
    ("serve", "--listen 127.0.0.1:0", Write),
    ("settings set", "--client-id-hold 1d", Write),
    ("settings show", "", Read(0)),
    ("tenant create", "other", Write),
    ("tenant delete", "acme", Write),
    ("tenant list", "", Read(0)),
    ("tenant set", "acme --authentication off", Write),
    ("tenant show", "acme", Read(0)),
    (
        "thing create",
        "pump --tenant acme --application fleet",
        Write,
    ),
    ("thing delete", "pump --tenant acme", Write),
    ("thing list", "", Read(0)),
    ("thing show", "pump --tenant acme", Read(1)),
    ("thing untie", "pump --tenant acme", Write),
    ("token create", "--scope platform", Write),
    ("token list", "", Read(0)),
    ("token revoke", "1", Write),
    ("user create", "jane@mail.test --password-stdin", Write),
    ("user delete", "jane@mail.test", Write),
    (
        "user grant",
        "jane@mail.test --tenant acme --org-admin",
        Write,
    ),
    ("user list", "", Read(0)),
    ("user mfa confirm", "jane@mail.test --code-stdin", Write),
    ("user mfa disable", "jane@mail.test", Write),
    ("user mfa enrol", "jane@mail.test", Write),
    (
        "user reset-password",
        "jane@mail.test --password-stdin",
        Write,
    ),
    ("user set", "jane@mail.test --platform-admin true", Write),
    ("user show", "jane@mail.test", Read(1)),
    ("user ungrant", "jane@mail.test --tenant acme", Write),
    ("user unlock", "jane@mail.test", Write),
    ("why", "dev1@acme", Read(0)),
];

/// A row's command line.
fn line(fixture: &Fixture, command: &str, arguments: &str) -> String {
    let scheme = fixture.directory.path().join("own.toml");
    if !scheme.exists() {
        let shown = Fixture::new().run("scheme show basic").done().stdout;
        std::fs::write(&scheme, shown.replace("\"basic\"", "\"own\"")).unwrap();
    }
    std::fs::create_dir_all(fixture.directory.path().join("pages")).unwrap();
    let at = |name: &str| fixture.directory.path().join(name).display().to_string();
    for (name, content) in [("empty", ""), ("table", "name\n"), ("object", "{}")] {
        std::fs::write(at(name), content).unwrap();
    }
    if !fixture.directory.path().join("export").exists() {
        Fixture::new()
            .run(&format!("export {}", at("export")))
            .done();
    }
    let arguments = arguments
        .replace("COPY", &at("copy.db"))
        .replace("TARGET", &at("target"))
        .replace("EMPTY", &at("empty"))
        .replace("TABLE", &at("table"))
        .replace("OBJECT", &at("object"))
        .replace("EXPORT", &at("export"))
        .replace("SCHEME", &at("own.toml"))
        .replace("CERTIFICATE", DEVICE_PEM)
        .replace("JWKS", JWKS)
        .replace("FINGERPRINT", &"00".repeat(32));
    format!("{command} {}", arguments.replace("PAGES", &at("pages")))
}

fn run(fixture: &Fixture, line: &str) -> crate::support::Ran {
    fixture.run_with(line, b"123456\n")
}

/// All commands that have none of their own, by what `--help` says.
fn leaves(fixture: &Fixture, above: &str, found: &mut BTreeSet<String>) {
    let help = fixture.run(&format!("{above} --help")).done().stdout;
    let below = help.split("Commands:\n").nth(1).unwrap_or_default();
    let below = below.lines().take_while(|line| !line.is_empty());
    let names: Vec<_> = below
        .filter_map(|line| line.strip_prefix("  ").filter(|it| !it.starts_with(' ')))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    // `check` asks more than its subcommands do.
    if names.is_empty() {
        found.insert(above.trim().into());
    }
    for name in names {
        leaves(fixture, &format!("{above} {name}"), found);
    }
}

#[test]
fn every_command_has_a_row() {
    let mut found = BTreeSet::new();
    leaves(&Fixture::empty(), "", &mut found);
    let rows: BTreeSet<_> = COMMANDS
        .iter()
        .map(|(command, ..)| (*command).to_owned())
        .collect();
    assert_eq!(rows, found);
}

#[test]
fn under_an_older_broker_commands_read_on_and_none_writes() {
    let (fixture, broker) = under_an_older_broker();
    let way_out = "restart broker `edge` with this version's plugin first; it brings the store \
                   up to date when it starts";
    for (command, arguments, does) in COMMANDS {
        let line = line(&fixture, command, arguments);
        let before = fixture.files();
        match does {
            Read(code) => {
                for line in [line.clone(), format!("{line} --json")] {
                    let ran = run(&fixture, &line);
                    assert_eq!(ran.code, Some(*code), "{line}: {ran:?}");
                    let mut said = ran.stderr.lines();
                    let notice = said.next().unwrap();
                    assert!(
                        notice.starts_with("countersign: notice: "),
                        "{line}: {ran:?}"
                    );
                    assert!(notice.contains(way_out), "{line}: {ran:?}");
                    assert!(notice.ends_with("this reads a copy"), "{line}: {ran:?}");
                    assert!(said.count() < 2, "{line}: {ran:?}");
                }
            }
            Write => {
                let said = run(&fixture, &line).refused(3);
                assert!(
                    said.contains("a broker of an older version uses it"),
                    "{line}: {said}"
                );
                assert!(said.contains(way_out), "{line}: {said}");
            }
            Examine => {
                let ran = run(&fixture, &line);
                assert_eq!(ran.code, Some(1), "{line}: {ran:?}");
                assert!(ran.stdout.contains("restart broker `edge`"), "{ran:?}");
            }
            Nothing(code) => assert_eq!(run(&fixture, &line).code, Some(*code), "{line}"),
        }
        assert_eq!(schema_of(&fixture), 3, "{line}");
        assert_eq!(fixture.files(), before, "{line}");
    }
    // What follows the store is of no use on a copy.
    let said = fixture.run("audit list --follow").refused(3);
    assert!(said.contains(way_out), "{said}");
    let listed = fixture.run("clients list --json");
    assert_eq!(listed.json()[0]["client_id"], "c", "{listed:?}");
    let tenant = fixture.run("tenant show acme --json").json();
    assert_eq!(tenant["default_rights"], "namespaces");

    drop(broker);
    let (_, said) = fixture.run("tenant create acme2").warned();
    let copy = fixture.directory.path().join("store.db.v3.bak");
    assert!(
        said.contains(&format!("`{}` is a copy", copy.display())),
        "{said}"
    );
    assert!(said.contains("The way back: stop the brokers"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert_eq!(schema_of(&fixture), 7);
    assert_eq!(fixture.run("tenant list").done().stderr, "");
}

#[test]
fn no_command_does_anything_with_a_store_of_a_newer_version() {
    let fixture = Fixture::with_credential();
    let connection = Connection::open(fixture.store()).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    for (command, arguments, does) in COMMANDS {
        let line = line(&fixture, command, arguments);
        let before = fixture.files();
        let needle = "has schema 99 and this program knows 7; install the version that made it";
        match does {
            Read(_) | Write => {
                let said = run(&fixture, &line).refused(3);
                assert!(said.contains(needle), "{line}: {said}");
            }
            Examine => {
                let ran = run(&fixture, &line);
                assert!(
                    ran.code == Some(1) && ran.stdout.contains(needle),
                    "{ran:?}"
                );
            }
            Nothing(code) => assert_eq!(run(&fixture, &line).code, Some(*code), "{line}"),
        }
        assert_eq!(schema_of(&fixture), 99, "{line}");
        assert_eq!(fixture.files(), before, "{line}");
    }
}

/// A store of schema 3, the lock of the broker `edge` that has a session, and its
/// connection.
fn under_an_older_broker() -> (Fixture, (BrokerLock, Connection)) {
    let fixture = Fixture::new();
    let store = SqliteStore::open(fixture.store()).unwrap();
    let broker = store.lock_broker("edge").unwrap();
    drop(store);
    std::fs::remove_file(fixture.store()).unwrap();
    write_schema_3(&fixture.store());
    let in_use = open_as_a_broker_does(&fixture.store());
    (fixture, (broker, in_use))
}

#[test]
fn a_shell_that_completes_a_line_leaves_an_older_store_as_it_is() {
    let fixture = Fixture::empty();
    write_schema_3(&fixture.store());
    let before = schema_of(&fixture);
    let mut command = fixture.command();
    command.env("COUNTERSIGN_COMPLETE", "bash").arg("--");
    let ran = finish(command.args(["countersign", "tenant", "show", ""]));
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    assert_eq!(schema_of(&fixture), before);
    assert!(!fixture.files().iter().any(|name| name.ends_with(".bak")));
}

fn schema_of(fixture: &Fixture) -> i64 {
    let connection = Connection::open(fixture.store()).unwrap();
    connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap()
}
