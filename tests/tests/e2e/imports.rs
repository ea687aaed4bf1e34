//! What is taken over from another system: the same users log in with their old
//! passwords, and the same uses are allowed and no others.

use std::fs;
use std::path::Path;

use countersign_testkit::cases::{Case, ImportCase, load};
use countersign_testkit::{Broker, Cli, Connect, Version};
use countersign_tests::mosquitto_tools::{dynamic_security, passwd};
use countersign_tests::{ACCEPTED, Fixture, REFUSED, on_every_broker, topics_so_far};

/// A user of the source, and its password; nothing for clients without a login.
type Who = Option<(&'static str, &'static str)>;

/// What each user may publish to and receive, as a broker answers.
fn uses(port: u16, users: &[Who], filters: &[&str], topics: &[&str]) -> Vec<String> {
    let root = || Connect::v311("c-root").login("root", "root-password");
    let mut told = Vec::new();
    for who in users {
        let (name, connect) = match who {
            Some((name, password)) => {
                let connect = Connect::v311(format!("c-{name}"));
                (*name, connect.login(name, password))
            }
            None => ("nobody", Connect::v311("c-nobody")),
        };
        let mut observer = root().accepted(port);
        assert_eq!(observer.subscribe(&[("home/#", 0)]).unwrap(), [0]);
        let mut client = connect.accepted(port);
        for topic in topics {
            client.publish(topic, "x", 1, false).unwrap();
        }
        told.push(format!(
            "{name} publishes {:?}",
            topics_so_far(&mut observer)
        ));
        for filter in filters {
            client.subscribe(&[(filter, 0)]).unwrap();
            for topic in topics {
                observer.publish(topic, "x", 1, false).unwrap();
            }
            told.push(format!(
                "{name} receives by {filter} {:?}",
                topics_so_far(&mut client)
            ));
            client.unsubscribe(&[filter]).unwrap();
        }
        observer.disconnect().unwrap();
    }
    told
}

fn write_passwords(version: Version, file: &Path, users: &[(&str, &str)]) {
    for (name, password) in users {
        passwd(version, &[], file, name, password);
    }
}

const TOPICS: &[&str] = &[
    "home/hall/light",
    "home/hall/secret",
    "home/of/alice/x",
    "home/of/bob/x",
    "home/at/c-alice",
    "home/at/c-bob",
    "home/living room/é",
    "home/news",
    "home/x%u/y",
    "home",
    "home/",
];

const ACL: &str = "topic read home/news
user root
topic readwrite home/#
user alice
topic readwrite home/hall/+
topic deny home/hall/secret
topic read home/living room/é
user bob
topic write home/living room/é
topic home/%u
user alice
topic read home/#
topic deny home/of/bob/#
pattern readwrite home/of/%u/#
pattern read home/at/%c
";

/// Each malformed file of the cases is refused in one line, which names the file, the line
/// where there is one, and the reason; and nothing is written.
#[test]
fn a_malformed_file_is_refused_in_one_line_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let cli = Cli::new(folder.path().join("countersign.db"));
    cli.json(&["init"]);
    cli.json(&["tenant", "create", "other"]);
    let before = cli.run(&["export", "-"]).stdout;
    let [empty, file] = ["empty", "file"].map(|name| folder.path().join(name));
    fs::write(&empty, "").unwrap();
    let [empty, path] = [&empty, &file].map(|file| file.to_str().unwrap());
    let mut refused = 0;
    for (kind, named) in [
        ("passwords", "passwords"),
        ("acl_file", "acl"),
        ("csv", "table"),
        ("dynamic_security", "ds"),
    ] {
        for Case { name, fields, .. } in load::<ImportCase>(&format!("import/{kind}")).unwrap() {
            let Some(error) = &fields.error else { continue };
            fs::write(&file, fields.bytes()).unwrap();
            let dialect = fields.dialect.as_deref().unwrap_or(kind);
            let words = match (dialect, kind) {
                ("go-auth", "passwords") => vec!["go-auth", "--passwords", path, "--acl", empty],
                ("go-auth", _) => vec!["go-auth", "--passwords", empty, "--acl", path],
                (_, "passwords") => vec!["mosquitto", "--passwords", path],
                (_, "acl_file") => vec!["mosquitto", "--acl", path],
                (_, "csv") => vec!["csv", path],
                (_, _) => vec!["dynamic-security", path],
            };
            let asked = [
                "--tenant",
                "home",
                "--namespace",
                "home/#",
                "--accept-losses",
            ];
            let ran = cli.run(&[&["import"][..], &words, &asked].concat());
            let why = error.strip_prefix(named).unwrap();
            let line = ran.stderr.trim_end();
            assert!(line.ends_with(&format!("{path}{why}")), "{name}: {line}");
            assert_eq!(line.lines().count(), 1, "{name}: {line}");
            assert_eq!((ran.code, &*ran.stdout), (Some(1), ""), "{name}");
            assert_eq!(cli.run(&["export", "-"]).stdout, before, "{name}");
            refused += 1;
        }
    }
    assert!(refused > 30, "{refused}");
}

on_every_broker! {
    fn users_of_mosquittos_files_log_in_as_before_and_may_do_what_they_might(version) {
        let users = [("root", "root-password"), ("alice", "pässword"), ("bob", "b:o b"), ("carol", "c")];
        let builder = Broker::builder(version);
        let (passwords, acl) = (builder.dir().join("passwords"), builder.dir().join("acl"));
        write_passwords(version, &passwords, &users);
        fs::write(&acl, ACL).unwrap();
        let native = builder
            .line("allow_anonymous true")
            .line(format!("password_file {}", passwords.display()))
            .line(format!("acl_file {}", acl.display()))
            .start()
            .unwrap();

        let fixture = Fixture::start(version);
        let config = native.config();
        let config = ["--config", config.to_str().unwrap(), "--namespace", "home/#"];
        let planned = fixture.cli.act("import mosquitto --tenant home --dry-run", &config);
        assert_eq!(planned["created"]["credentials"], 4);
        let without = fixture.cli.refused(&["tenant", "show", "home"]);
        assert!(without.contains("there is no tenant `home`"), "{without}");
        let done = fixture.cli.act("import mosquitto --tenant home", &config);
        assert_eq!(done["lost"], serde_json::json!([]));
        assert_eq!((&done["kept"], done["changed"].as_array().unwrap().len()), (&19.into(), 0));
        let again = fixture.cli.act("import mosquitto --tenant home", &config);
        assert_eq!((&again["created"]["credentials"], &again["unchanged"]), (&0.into(), &6.into()));

        let mut all: Vec<Who> = users.into_iter().skip(1).map(Some).collect();
        all.push(None);
        let filters = ["home/#", "home/hall/+", "home/news"];
        let expected = uses(native.port(), &all, &filters, TOPICS);
        let alice = expected.iter().find(|line| line.starts_with("alice receives by home/#"));
        let alice = alice.unwrap();
        assert!(alice.contains("hall/light") && !alice.contains("hall/secret"), "{alice}");
        assert_eq!(uses(fixture.port(), &all, &filters, TOPICS), expected);
        for (name, _) in users {
            let wrong = Connect::v311("c").login(name, "wrong");
            assert_eq!(wrong.code(fixture.port()), REFUSED, "{name}");
        }
        let stranger = Connect::v311("c").login("dave", "c");
        assert_eq!(stranger.code(fixture.port()), REFUSED);
    }

    fn clients_of_dynamic_security_log_in_as_before_and_may_do_what_they_might(version) {
        let builder = Broker::builder(version);
        let file = builder.dir().join("dynamic-security.json");
        fs::write(&file, DYNAMIC_SECURITY).unwrap();
        let native = builder
            .plugin(dynamic_security(version))
            .plugin_option("config_file", file.display())
            .start()
            .unwrap();
        let copy = native.dir().join("copy.json");
        fs::copy(&file, &copy).unwrap();

        let fixture = Fixture::start(version);
        let file = [copy.to_str().unwrap(), "--namespace", "home/#"];
        let done = fixture.cli.act("import dynamic-security --tenant home", &file);
        assert_eq!(done["lost"], serde_json::json!([]));
        let users = [Some(("alice", "correct horse")), Some(("bob", "correct horse"))];
        let filters = ["home/#", "home/hall/+", "home/hall/light", "home/of/alice/#", "home/news"];
        let expected = uses(native.port(), &users, &filters, TOPICS);
        let alice = expected.iter().find(|line| line.starts_with("alice receives by home/hall/+"));
        let alice = alice.unwrap();
        assert!(alice.contains("hall/light") && !alice.contains("hall/secret"), "{alice}");
        assert_eq!(uses(fixture.port(), &users, &filters, TOPICS), expected);
        for broker in [native.port(), fixture.port()] {
            let code = |id: &str, name: &str| {
                Connect::v311(id).login(name, "correct horse").code(broker)
            };
            assert_eq!(code("c-alice", "alice"), ACCEPTED);
            assert_eq!(code("another", "alice"), REFUSED);
            assert_eq!(code("c", "off"), REFUSED);
        }
    }
}

/// Three passwords are `correct horse`, that of root is `root-password`.
const DYNAMIC_SECURITY: &str = r##"{
  "defaultACLAccess": {"publishClientSend": false, "publishClientReceive": true, "subscribe": false, "unsubscribe": true},
  "clients": [
    {"username": "root", "password": "jrCT1J/axKbj4lPy0bZbBBjP+ot53EK903+Xve9v0SJlgldcEbp+t2LNE1efcIVw+w5QzG0WQ0ljLn5Bjz9TdQ==", "salt": "AAECAwQFBgcICQoL", "iterations": 101, "roles": [{"rolename": "all"}]},
    {"username": "alice", "clientid": "c-alice", "password": "lp0Cm29zl+CI/RXyXDKvLye7OxM3OuE6RMzgXTX/f3imS/pFh2Ur7yarLDpKRUKpB0tOj6l0UrRv41zqxmD4tg==", "salt": "AAECAwQFBgcICQoL", "iterations": 101, "roles": [{"rolename": "hall"}]},
    {"username": "bob", "password": "lp0Cm29zl+CI/RXyXDKvLye7OxM3OuE6RMzgXTX/f3imS/pFh2Ur7yarLDpKRUKpB0tOj6l0UrRv41zqxmD4tg==", "salt": "AAECAwQFBgcICQoL", "iterations": 101, "roles": [{"rolename": "literal"}]},
    {"username": "off", "password": "lp0Cm29zl+CI/RXyXDKvLye7OxM3OuE6RMzgXTX/f3imS/pFh2Ur7yarLDpKRUKpB0tOj6l0UrRv41zqxmD4tg==", "salt": "AAECAwQFBgcICQoL", "iterations": 101, "disabled": true}
  ],
  "groups": [
    {"groupname": "staff", "roles": [{"rolename": "news"}], "clients": [{"username": "alice"}, {"username": "bob"}]}
  ],
  "roles": [
    {"rolename": "all", "acls": [
      {"acltype": "publishClientSend", "topic": "home/#", "allow": true},
      {"acltype": "subscribePattern", "topic": "home/#", "allow": true}]},
    {"rolename": "hall", "acls": [
      {"acltype": "publishClientSend", "topic": "home/hall/secret", "priority": 1, "allow": false},
      {"acltype": "publishClientSend", "topic": "home/hall/#", "priority": 0, "allow": true},
      {"acltype": "publishClientReceive", "topic": "home/hall/secret", "allow": false},
      {"acltype": "subscribePattern", "topic": "home/hall/#", "allow": true},
      {"acltype": "subscribePattern", "topic": "home/of/+/#", "allow": true},
      {"acltype": "unsubscribePattern", "topic": "#", "allow": true}]},
    {"rolename": "literal", "acls": [
      {"acltype": "subscribeLiteral", "topic": "home/#", "allow": false},
      {"acltype": "subscribeLiteral", "topic": "home/hall/+", "allow": true},
      {"acltype": "publishClientSend", "topic": "home/of/bob/#", "allow": true}]},
    {"rolename": "news", "acls": [
      {"acltype": "subscribePattern", "topic": "home/news", "allow": true}]}
  ]
}"##;
