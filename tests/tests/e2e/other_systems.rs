//! Files of Mosquitto's own, held against the brokers that read and write them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use countersign_core::secret::Secret;
use countersign_import::source::Dialect;
use countersign_import::source::passwords::PasswordFile;
use countersign_import::{StoredPassword, read_source};
use countersign_testkit::cases::{Case, ImportCase, load};
use countersign_testkit::tools::Tool;
use countersign_testkit::{Broker, Connect, Version, artifacts};
use countersign_tests::{ACCEPTED, REFUSED, on_every_broker};

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

/// Makes a file with `mosquitto_passwd` of a version; says whether it could.
fn passwd(version: Version, options: &[&str], file: &Path, name: &str, password: &str) -> bool {
    let broker = artifacts::broker(version).unwrap();
    let (program, args) = broker.command.split_last().unwrap();
    let program = program.replace("sbin/mosquitto", "bin/mosquitto_passwd");
    let command: Vec<&String> = args.iter().chain([&program]).collect();
    if !file.exists() {
        fs::write(file, "").unwrap();
    }
    let mut tool = Tool::new(command[0]).args(&command[1..]);
    for (name, value) in &broker.env {
        tool = tool.env(name, value);
    }
    let output = tool
        .args(options)
        .args(["-b", file.to_str().unwrap(), name, password])
        .run(Duration::from_secs(60))
        .unwrap();
    output.code == Some(0)
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
            assert!(passwd(version, options, &file, name, password), "{options:?}");
        }
        let content = read_source(&file).unwrap();
        let read = PasswordFile::parse(&content, Dialect::Mosquitto).unwrap();
        assert_eq!(read.items(), users.len());
        for (user, (name, password)) in read.users.iter().zip(&users) {
            assert_eq!(&*user.name, name);
            let StoredPassword::Hash(hash) = &user.password else {
                panic!("{name}: {:?}", user.password);
            };
            assert!(hash.verify(&Secret::new(password.clone().into_bytes())), "{name}");
            assert!(!hash.verify(&Secret::new(b"another".to_vec())), "{name}");
        }
    }
}

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
        assert!(passwd(version, &[], &file, "alice", "secret"));
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
