//! Secrets and hashes that other systems gave out: devices log in with what they
//! have, and with nothing else.

use std::fs;

use countersign_testkit::tools::Output;
use countersign_testkit::{Connect, Version};
use countersign_tests::{ACCEPTED, Fixture, Login, REFUSED, on_every_broker, wait_until};
use serde_json::Value;

/// A device in the field.
struct Device {
    scheme: &'static str,
    name: &'static str,
    /// The secret that it has.
    secret: &'static str,
    /// One of the same form that it does not have.
    another: &'static str,
    /// What another client id than that of its credential comes to.
    elsewhere: Option<u8>,
}

const DEVICES: [Device; 4] = [
    Device {
        scheme: "impact",
        name: "US5591USRS91",
        secret: "iJ6ZIaJNUsILm3WGNr55LDDCV3iQ+RjmOcQbY2IGquY=",
        another: "iJ6ZIaJNUsILm3WGNr55LDDCV3iQ+RjmOcQbY2IGqua=",
        elsewhere: ACCEPTED,
    },
    Device {
        scheme: "vwire",
        name: "VW-ABC123",
        secret: "at_7f3a1c9e2b844d6f",
        another: "at_7f3a1c9e2b844d60",
        elsewhere: REFUSED,
    },
    Device {
        scheme: "vwire-token",
        name: "greenhouse",
        secret: "dt_7f3a1c9e-2b84-1d6f-c913-c5e28f01b774",
        another: "dt_7f3a1c9e-2b84-1d6f-c913-c5e28f01b775",
        elsewhere: REFUSED,
    },
    Device {
        scheme: "generated",
        name: "123456789012",
        secret: "000102030405060708090a0b0c0d0e",
        another: "000102030405060708090a0b0c0d0f",
        elsewhere: REFUSED,
    },
];

fn start(version: Version) -> Fixture {
    let fixture = Fixture::start(version);
    fixture.tenant("acme", &[]);
    fixture
}

/// Gives a credential a secret that it has elsewhere.
fn take_over(fixture: &Fixture, scheme: &str, name: &str, secret: &str, more: &[&str]) -> Output {
    let line = format!("credential create {name} --tenant acme --scheme {scheme} --secret-stdin");
    let words: Vec<&str> = line.split(' ').chain(more.iter().copied()).collect();
    fixture
        .cli
        .run_with_stdin(&words, format!("{secret}\n").as_bytes())
}

/// How a device connects that presents `secret`, as its credential was printed.
fn connect(made: &Value, secret: &str) -> Connect {
    // A name that is a secret is not printed.
    let printed = |key: &str| match made[key].as_str() {
        Some("dt_…") => secret.to_owned(),
        Some(printed) => printed.to_owned(),
        None => "any".to_owned(),
    };
    let login = Login {
        username: printed("username"),
        secret: secret.to_owned(),
    };
    login.connect(&printed("client_id"))
}

/// The hashes of passwords that the store has.
fn hashes(fixture: &Fixture) -> Vec<String> {
    let exported = fixture.cli.run(&["export", "-"]);
    assert_eq!(exported.code, Some(0), "{exported:?}");
    let lines = exported.stdout.lines();
    let rows = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
    rows.filter_map(|line| line["row"]["phc"].as_str().map(str::to_owned))
        .collect()
}

on_every_broker! {
    fn a_device_logs_in_with_the_secret_that_it_was_given_elsewhere_and_as_its_scheme_says(version) {
        let fixture = start(version);
        for device in DEVICES {
            let Device { scheme, name, secret, another, elsewhere } = device;
            let made = take_over(&fixture, scheme, name, secret, &["--json"]);
            assert_eq!(made.code, Some(0), "{scheme}: {made:?}");
            assert!(!made.stdout.contains(secret), "{scheme}: {made:?}");
            let made: Value = serde_json::from_str(&made.stdout).unwrap();
            assert_eq!(connect(&made, another).code(fixture.port()), REFUSED, "{scheme}");
            assert_eq!(connect(&made, secret).code(fixture.port()), ACCEPTED, "{scheme}");
            let mut other = made.clone();
            other["client_id"] = "other".into();
            assert_eq!(connect(&other, secret).code(fixture.port()), elsewhere, "{scheme}");
        }
        // No password was hashed: all are kept as digests.
        assert_eq!(hashes(&fixture), [""; 0]);
    }

    fn a_weak_secret_is_taken_over_where_that_is_said_and_hashed_slowly(version) {
        let fixture = start(version);
        fixture.add_scheme("pins", r#"
            name = "pins"
            login_name = "generated"
            login_name_shape = "p[0-9]{4}"
            client_id = "any"
            secret_shape = "[0-9a-f]{32}"
            accepts_shape = "[0-9]{4,8}"
        "#);
        let refused = take_over(&fixture, "pins", "p0001", "4711", &[]);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
        assert!(refused.stderr.contains("64 are needed"), "{refused:?}");
        assert!(!refused.stderr.contains("4711"), "{refused:?}");
        assert_eq!(fixture.cli.json(&["credential", "list"]), serde_json::json!([]));
        let login = Login { username: "p0001".into(), secret: "4711".into() };
        assert_eq!(fixture.code(&login), REFUSED);
        let made = take_over(&fixture, "pins", "p0001", "4711", &["--weak"]);
        assert_eq!(made.code, Some(0), "{made:?}");
        assert!(!made.stdout.contains("4711"), "{made:?}");
        assert_eq!(fixture.code(&login.with_secret("4712")), REFUSED);
        assert_eq!(fixture.code(&login), ACCEPTED);
        let hashes = hashes(&fixture);
        assert!(matches!(&hashes[..], [hash] if hash.starts_with("$argon2id$")), "{hashes:?}");
    }

    fn an_imported_hash_is_kept_after_a_login_where_the_settings_say_so(version) {
        let fixture = Fixture::start(version);
        let passwords = fixture.cli.store().with_file_name("passwords");
        fs::write(&passwords, format!("alice:{HASH}\nbob:{HASH}\n")).unwrap();
        let passwords = passwords.to_str().unwrap();
        fixture.cli.act("import mosquitto --tenant acme --passwords", &[passwords, "--accept-losses"]);
        let login = |name: &str| Login { username: name.into(), secret: "correct horse".into() };
        fixture.cli.json(&["settings", "set", "--rehash", "off"]);
        assert_eq!(fixture.code(&login("alice")), ACCEPTED);
        fixture.cli.json(&["settings", "set", "--rehash", "on"]);
        assert_eq!(fixture.code(&login("bob")), ACCEPTED);
        // What was to be hashed for Alice would have been before.
        wait_until("Bob's password is hashed anew", || hashes(&fixture) != [HASH, HASH]);
        let hashes = hashes(&fixture);
        assert!(matches!(&hashes[..], [alice, bob] if alice == HASH && bob.starts_with("$argon2id$")), "{hashes:?}");
        for name in ["alice", "bob"] {
            assert_eq!(fixture.code(&login(name)), ACCEPTED, "{name}");
            assert_eq!(fixture.code(&login(name).with_secret("wrong")), REFUSED, "{name}");
        }
    }
}

/// Of `correct horse`, as Mosquitto 1.6 hashed it.
const HASH: &str = "$6$AAECAwQFBgcICQoL$5W8GCQ9GLgmhmQvoa8jmRaPnsh82mRigdSv6mQsK0sMIII/WznlQb1g+RWddfoAKTMzBJP1deJU+Rp/1QZ0zZg==";
