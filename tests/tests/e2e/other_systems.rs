//! Files of Mosquitto's own, held against the brokers that read and write them.

use std::fs;
use std::path::Path;

use countersign_core::secret::{PasswordHash, SaltReading, Secret};
use countersign_import::source::Dialect;
use countersign_import::source::dynamic_security::{DynamicSecurity, Membership};
use countersign_import::source::passwords::PasswordFile;
use countersign_import::{StoredPassword, read_source};
use countersign_testkit::cases::{Case, ImportCase, load};
use countersign_testkit::{Broker, Connect, Version};
use countersign_tests::mosquitto_tools::{dynamic_security, passwd, run_tool};
use countersign_tests::{ACCEPTED, Fixture, PATIENCE, REFUSED, on_every_broker, wait_until};

/// The cases of a kind that Mosquitto reads.
fn cases(kind: &str) -> Vec<Case<ImportCase>> {
    let mut cases = load::<ImportCase>(&format!("import/{kind}")).unwrap();
    cases.retain(|case| case.fields.dialect.as_deref() == Some("mosquitto"));
    cases
}

/// Says whether a broker starts with a file under an option.
fn loads(version: Version, option: &str, content: &[u8]) -> bool {
    let builder = Broker::builder(version);
    let file = builder.dir().join("file");
    fs::write(&file, content).unwrap();
    let mut broker = builder
        .line(format!("{option} {}", file.display()))
        .prepare()
        .unwrap();
    broker.start().is_ok()
}

fn read_dynamic_security(file: &Path) -> DynamicSecurity {
    DynamicSecurity::parse(&read_source(file).unwrap()).unwrap()
}

fn verifies(password: &StoredPassword, secret: &str) -> bool {
    let secret = Secret::new(secret.as_bytes().to_vec());
    matches!(password, StoredPassword::Hash(hash) if hash.verify(&secret))
}

on_every_broker! {
    fn a_broker_loads_the_rules_that_are_read_and_no_others(version) {
        for Case { name, fields, .. } in cases("acl_file") {
            let is_loaded = loads(version, "acl_file", &fields.bytes());
            assert_eq!(is_loaded, fields.error.is_none(), "{name}");
        }
    }

    fn what_the_brokers_own_program_hashes_verifies(version) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("passwords");
        let options: &[&[&str]] = match version {
            Version::V2_0_11 | Version::V2_0_21 => &[&[], &["-H", "sha512"]],
            Version::V2_1 => &[&[], &["-H", "sha512"], &["-I", "5000"]],
        };
        let users: Vec<(String, String)> = (0..options.len())
            .map(|number| (format!("user {number}"), format!("pässword:{number} ")))
            .collect();
        for (options, (name, password)) in options.iter().zip(&users) {
            passwd(version, options, &file, name, password);
        }
        let content = read_source(&file).unwrap();
        let read = PasswordFile::parse(&content, Dialect::Mosquitto).unwrap();
        assert_eq!(read.items(), users.len());
        for (user, (name, password)) in read.users.iter().zip(&users) {
            assert_eq!(&*user.name, name);
            assert!(verifies(&user.password, password), "{name}");
            assert!(!verifies(&user.password, "another"), "{name}");
        }
    }

    fn a_password_that_another_system_hashed_logs_in_and_is_hashed_anew(version) {
        let fixture = Fixture::start_with_tenant(version);
        let store = rusqlite::Connection::open(fixture.cli.store()).unwrap();
        for (number, hash) in HASHES.iter().enumerate() {
            let name = format!("dev{number}");
            let mut login = fixture.credential_with_password(&name, "t1", "another one");
            let hash = PasswordHash::import(hash, SaltReading::Either).unwrap();
            let replace = format!("UPDATE secret SET phc = ?2 WHERE credential = {OF_NAME}");
            let replaced = store.execute(&replace, [&login.username, hash.as_str()]).unwrap();
            assert_eq!(replaced, 1);
            login.secret = "correct hors".into();
            assert_eq!(fixture.code(&login), REFUSED, "{}", hash.as_str());
            login.secret = "correct horse".into();
            assert_eq!(fixture.code(&login), ACCEPTED, "{}", hash.as_str());
            wait_until_hashed_anew(&fixture, &login.username);
            assert_eq!(fixture.code(&login), ACCEPTED);
            login.secret = "another one".into();
            assert_eq!(fixture.code(&login), REFUSED);
        }
    }

    fn what_dynamic_security_writes_is_read_whole(version) {
        let builder = Broker::builder(version);
        let file = builder.dir().join("dynamic-security.json");
        let path = file.to_str().unwrap();
        run_tool(version, "mosquitto_ctrl", &["dynsec", "init", path, "admin", "first-password"]);
        let read = read_dynamic_security(&file);
        assert_eq!(read.passed_over, []);
        assert!(verifies(&read.clients[0].password, "first-password"));

        let mut broker = builder
            .plugin(dynamic_security(version))
            .plugin_option("config_file", path)
            .start()
            .unwrap();
        let admin = Connect::v311("admin").login("admin", "first-password");
        let mut admin = admin.accepted(broker.port());
        admin.subscribe(&[("$CONTROL/dynamic-security/v1/response", 1)]).unwrap();
        admin.publish("$CONTROL/dynamic-security/v1", ACTS, 1, false).unwrap();
        let answer = admin.receive(PATIENCE).unwrap().payload;
        let answer = String::from_utf8(answer).unwrap();
        assert!(!answer.contains("\"error\""), "{answer}");
        // 2.1 writes the file a moment later.
        wait_until("the file has the last of the acts", || {
            fs::read_to_string(&file).unwrap().contains("anonymousGroup")
        });
        broker.stop().unwrap();

        let read = read_dynamic_security(&file);
        assert_eq!(read.passed_over, []);
        let alice = read.clients.iter().find(|client| &*client.username == "alice").unwrap();
        assert!(alice.is_disabled && verifies(&alice.password, "pässword"));
        assert_eq!(alice.client_id.as_deref(), Some("c1"));
        assert_eq!(alice.texts.name.as_deref(), Some("Alice"));
        assert_eq!(alice.texts.description.as_deref(), Some("a person"));
        let named = |of: &[Membership]| {
            let named = of.iter().map(|it| (it.name.to_string(), it.priority));
            named.collect::<Vec<_>>()
        };
        assert_eq!(named(&alice.roles), [("r".to_owned(), -1)]);
        let bob = read.clients.iter().find(|client| &*client.username == "bob").unwrap();
        assert!(!bob.is_disabled && matches!(bob.password, StoredPassword::Missing));
        let group = read.groups.iter().find(|group| &*group.name == "g").unwrap();
        assert_eq!(named(&group.roles), [("r".to_owned(), 2)]);
        assert_eq!(named(&group.clients), [("alice".to_owned(), 7)]);
        let role = read.roles.iter().find(|role| &*role.name == "r").unwrap();
        assert_eq!(role.allows_wildcard_subscriptions, version != Version::V2_1);
        let mut acls: Vec<_> = role.acls.iter().map(|acl| {
            (format!("{:?} {}", acl.kind, acl.topic), acl.priority, acl.is_allowed)
        }).collect();
        acls.sort_unstable();
        assert_eq!(acls, [
            ("Deliver a/%u".to_owned(), 1, true),
            ("Publish a/é".to_owned(), 100_000, true),
            ("SubscribeLiteral #".to_owned(), 0, false),
            ("SubscribePattern a/#".to_owned(), -5, true),
            ("UnsubscribeLiteral x".to_owned(), 0, true),
            ("UnsubscribePattern #".to_owned(), 0, false),
        ]);
        assert_eq!(&*read.anonymous_group.unwrap().name, "g");
        let allowed = read.default_access.iter().filter(|default| default.is_allowed);
        assert_eq!((read.default_access.len(), allowed.count()), (4, 2));
    }
}

/// Waits until the password of a credential is hashed as those that are chosen here.
pub fn wait_until_hashed_anew(fixture: &Fixture, name: &str) {
    let store = rusqlite::Connection::open(fixture.cli.store()).unwrap();
    let stored = format!("SELECT phc FROM secret WHERE credential = {OF_NAME}");
    wait_until("the password is hashed anew", || {
        let phc: String = store.query_row(&stored, [name], |row| row.get(0)).unwrap();
        phc.starts_with("$argon2id$v=19$m=19456,")
    });
}

const OF_NAME: &str = "(SELECT id FROM credential WHERE name = ?1)";

/// Of `correct horse`.
pub const HASHES: [&str; 6] = [
    "$6$AAECAwQFBgcICQoL$5W8GCQ9GLgmhmQvoa8jmRaPnsh82mRigdSv6mQsK0sMIII/WznlQb1g+RWddfoAKTMzBJP1deJU+Rp/1QZ0zZg==",
    "$7$101$AAECAwQFBgcICQoL$lp0Cm29zl+CI/RXyXDKvLye7OxM3OuE6RMzgXTX/f3imS/pFh2Ur7yarLDpKRUKpB0tOj6l0UrRv41zqxmD4tg==",
    "$2b$04$yqWUBx7YURUDfruAjr7kzuignOPQ3ea7eQqsdNiz.7RvgQUCyKwbC",
    // Once with each reading of the salt.
    "PBKDF2$sha256$901$AAECAwQFBgcICQoLDA0ODw==$mri4s3gSqO5FrRl4dNSrj3E76pJ//OzJ",
    "PBKDF2$sha256$901$AAECAwQFBgcICQoLDA0ODw==$ymdDZXoI8tCsExlIKSaCej1C7y62NICz",
    "$argon2id$v=19$m=4096,t=3,p=2$AAECAwQFBgcICQoLDA0ODw$xzTvYRtklzGGF+A6zq7vJjXK2PgRrLc9IW/Wy7Bk9XA",
];

/// What an administrator has dynamic-security do.
const ACTS: &str = r##"{"commands": [
    {"command": "createRole", "rolename": "r", "textname": "R", "allowwildcardsubs": false, "acls": [
        {"acltype": "publishClientSend", "topic": "a/é", "priority": 200000, "allow": true},
        {"acltype": "publishClientReceive", "topic": "a/%u", "priority": 1, "allow": true},
        {"acltype": "subscribeLiteral", "topic": "#", "allow": false},
        {"acltype": "subscribePattern", "topic": "a/#", "priority": -5, "allow": true},
        {"acltype": "unsubscribeLiteral", "topic": "x", "allow": true},
        {"acltype": "unsubscribePattern", "topic": "#", "allow": false}]},
    {"command": "createGroup", "groupname": "g", "roles": [{"rolename": "r", "priority": 2}]},
    {"command": "createClient", "username": "alice", "password": "pässword", "clientid": "c1",
     "textname": "Alice", "textdescription": "a person", "roles": [{"rolename": "r"}],
     "groups": [{"groupname": "g", "priority": 7}]},
    {"command": "createClient", "username": "bob"},
    {"command": "disableClient", "username": "alice"},
    {"command": "setDefaultACLAccess", "acls": [
        {"acltype": "publishClientSend", "allow": true}, {"acltype": "publishClientReceive", "allow": false}]},
    {"command": "setAnonymousGroup", "groupname": "g"}]}"##;

#[test]
fn a_broker_of_2_1_loads_the_users_that_are_read_and_no_others() {
    for Case { name, fields, .. } in cases("passwords") {
        let expected = match fields.mosquitto_2_1.as_deref() {
            Some("loads") => true,
            Some("refuses") => false,
            Some(other) => panic!("{other}"),
            None => fields.error.is_none(),
        };
        let is_loaded = loads(Version::V2_1, "password_file", &fields.bytes());
        assert_eq!(is_loaded, expected, "{name}");
    }
}

#[test]
fn names_are_what_a_broker_compares() {
    for version in Version::ALL {
        let builder = Broker::builder(version);
        let file = builder.dir().join("file");
        passwd(version, &[], &file, "alice", "secret");
        let line = fs::read_to_string(&file).unwrap();
        let bob = line.replace("alice", " b ob ").replace('\n', " \r\n");
        let carol = line.replace("alice", "::carol:");
        fs::write(&file, format!("\u{feff}{line}{bob}{carol}")).unwrap();
        let read = PasswordFile::parse(&read_source(&file).unwrap(), Dialect::Mosquitto).unwrap();
        let names: Vec<&str> = read.users.iter().map(|user| &*user.name).collect();
        assert_eq!(names, ["\u{feff}alice", "b ob", "carol"]);
        let file = format!("password_file {}", file.display());
        let broker = builder.line(file).start().unwrap();
        let code = |name: &str| Connect::v311("c").login(name, "secret").code(broker.port());
        for name in names {
            assert_eq!(code(name), ACCEPTED, "{version} {name}");
        }
        for name in ["alice", " b ob ", "::carol"] {
            assert_eq!(code(name), REFUSED, "{version} {name}");
        }
    }
}
