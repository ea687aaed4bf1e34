//! Rows I3–I8, I11–I15, I20–I25, I28 and I29: IMPACT's tokens for MQTT.

use countersign_testkit::Version;
use countersign_tests::{
    ACCEPTED, Fixture, Login, REFUSED, REFUSED_V5, has_shape, on_every_broker, text, topics_so_far,
};
use serde_json::Value;

const SERIAL: &str = "86a39134-e151-4490-aff1-3d7e994151d1";
const SECRET_SHAPE: &str = "[A-Za-z0-9+/]{43}=";

fn start(version: Version) -> Fixture {
    let fixture = Fixture::start(version);
    fixture.tenant("dm", &[]);
    fixture
}

/// A token for which only a name was given.
fn token(fixture: &Fixture, name: &str) -> Value {
    fixture.make("impact", "dm", &[name])
}

/// What the program does when a secret is given too.
fn create(fixture: &Fixture, name: &str, secret: &str) -> countersign_testkit::tools::Output {
    let args = [
        "credential",
        "create",
        name,
        "--tenant",
        "dm",
        "--scheme",
        "impact",
        "--password-stdin",
        "--json",
    ];
    fixture
        .cli
        .run_with_stdin(&args, format!("{secret}\n").as_bytes())
}

/// The same where it is taken.
fn token_with_secret(fixture: &Fixture, name: &str, secret: &str) -> Value {
    let output = create(fixture, name, secret);
    assert_eq!(output.code, Some(0), "{output:?}");
    serde_json::from_str(&output.stdout).unwrap()
}

/// The message with which it is refused.
fn complaint(fixture: &Fixture, name: &str, secret: &str) -> String {
    let output = create(fixture, name, secret);
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (Some(1), ""),
        "{output:?}"
    );
    let told: Value = serde_json::from_str(&output.stderr).unwrap();
    text(&told["error"], "message").to_owned()
}

fn login(name: &str, secret: &str) -> Login {
    Login {
        username: name.into(),
        secret: secret.into(),
    }
}

on_every_broker! {
    fn i3_a_given_name_and_secret_are_both_kept(version) {
        let fixture = start(version);
        let made = token_with_secret(&fixture, "testP", "TESTP");
        assert_eq!((text(&made, "auth_type"), text(&made, "username")), ("U".into(), "TESTP".into()));
        assert_eq!(fixture.code(&login("TESTP", "TESTP")), ACCEPTED);
        // The name is folded, and the secret is not.
        token_with_secret(&fixture, "mixed", "MixedCase1");
        assert_eq!(fixture.code(&login("MIXED", "MixedCase1")), ACCEPTED);
        assert_eq!(fixture.code(&login("MIXED", "MIXEDCASE1")), REFUSED);
    }

    fn i4_a_secret_is_made_where_only_a_name_is_given(version) {
        let fixture = start(version);
        let made = token(&fixture, "US5591USRS91");
        assert_eq!((text(&made, "auth_type"), text(&made, "username")), ("S".into(), "US5591USRS91".into()));
        assert!(has_shape(&text(&made, "secret"), SECRET_SHAPE), "{made}");
        assert_eq!(fixture.code(&Login::from(&made)), ACCEPTED);
    }

    fn i5_both_are_made_for_a_serial_number(version) {
        let fixture = start(version);
        let made = token(&fixture, &format!("#SN#{SERIAL}"));
        assert_eq!(text(&made, "auth_type"), "SN");
        assert!(has_shape(&text(&made, "username"), "SN-[A-Z0-9]{12}"), "{made}");
        assert!(has_shape(&text(&made, "secret"), SECRET_SHAPE), "{made}");
        let login = Login::from(&made);
        assert_eq!(fixture.show(&login)["attributes"]["serial"], SERIAL);
        assert_eq!(fixture.code(&login), ACCEPTED);
        // A bare mark will do, and only as it is written.
        assert_eq!(text(&token(&fixture, "#SN#"), "auth_type"), "SN");
        fixture.cli.refused(&["credential", "create", "#sn#1", "--tenant", "dm", "--scheme", "impact"]);
    }

    fn i6_a_secret_beside_a_serial_number_is_ignored(version) {
        let fixture = start(version);
        for (name, given) in [("#SN#one", "abc"), ("#SN#two", "long enough to be one")] {
            let made = Login::from(&token_with_secret(&fixture, name, given));
            assert!(has_shape(&made.secret, SECRET_SHAPE));
            assert_eq!(fixture.code(&made.with_secret(given)), REFUSED);
            assert_eq!(fixture.code(&made), ACCEPTED);
        }
    }

    fn i7_the_name_is_written_in_capitals(version) {
        let own = Fixture::shared(version);
        let group = ["test12345", "--group", "DM.MFORM.SURYA", "--description", "testtoken"];
        let made = own.make("impact", &own.id, &group);
        assert_eq!(text(&made, "username"), "TEST12345");
        assert_eq!(text(&made, "group"), "DM.MFORM.SURYA");
        assert_eq!(text(&own.make("impact", &own.id, &["prüfstand"]), "username"), "PRÜFSTAND");
        // One that has no capital of its own would not be told from another.
        own.cli.refused(&["credential", "create", "straße", "--tenant", &own.id, "--scheme", "impact"]);
    }

    fn i8_a_device_logs_in_with_capitals(version) {
        let fixture = start(version);
        let capital = Login::from(&token(&fixture, "test12345"));
        assert_eq!(fixture.code(&capital), ACCEPTED);
        let small = login("test12345", &capital.secret);
        assert_eq!(fixture.code(&small), REFUSED);
        assert_eq!(small.connect_v5("a").code(fixture.port()), REFUSED_V5);
    }

    fn i11_the_token_is_a_short_word_of_its_own(version) {
        let own = Fixture::shared(version);
        let mut seen = std::collections::BTreeSet::new();
        for number in 0..10 {
            let made = own.make("impact", &own.id, &[&format!("device{number}")]);
            let word = text(&made, "token");
            assert!(has_shape(&word, "[0-9a-z]{12}"), "{made}");
            assert_ne!(word, text(&made, "secret"));
            // It stays readable: it stands in every topic.
            assert_eq!(own.show(&Login::from(&made))["attributes"]["token"], word.as_str());
            assert!(seen.insert(word));
        }
    }

    fn i12_a_secret_has_at_least_five_characters(version) {
        let fixture = start(version);
        let message = "'password' can not be less than 5 chars";
        for short in ["abcd", "", "üüüü"] {
            assert_eq!(complaint(&fixture, "device", short), message, "{short:?}");
        }
        token_with_secret(&fixture, "device", "abcde");
        assert_eq!(fixture.code(&login("DEVICE", "abcde")), ACCEPTED);
    }

    fn i13_a_secret_has_at_most_fifty_characters(version) {
        let fixture = start(version);
        let message = "'password' can not be more than 50 chars";
        assert_eq!(complaint(&fixture, "device", &"a".repeat(51)), message);
        let longest = "ü".repeat(50);
        token_with_secret(&fixture, "device", &longest);
        assert_eq!(fixture.code(&login("DEVICE", &longest)), ACCEPTED);
    }

    fn i14_a_name_has_at_most_fifty_characters(version) {
        let fixture = start(version);
        let message = "'username' can not be more than 50 chars";
        for long in ["a".repeat(51), format!("#SN#{}", "1".repeat(47))] {
            assert_eq!(complaint(&fixture, &long, "abcde"), message, "{long}");
        }
        let longest = Login::from(&token(&fixture, &"ü".repeat(50)));
        assert_eq!(fixture.code(&longest), ACCEPTED);
    }

    fn i15_of_two_faults_the_name_is_told(version) {
        let fixture = start(version);
        for secret in ["abcd".to_owned(), "a".repeat(51)] {
            let message = complaint(&fixture, &"a".repeat(51), &secret);
            assert_eq!(message, "'username' can not be more than 50 chars");
        }
    }

    fn i20_the_description_is_kept_and_given_back(version) {
        let own = Fixture::shared(version);
        let made = own.make("impact", &own.id, &["one", "--description", "testtoken"]);
        assert_eq!(text(&made, "description"), "testtoken");
        assert_eq!(text(&own.show(&Login::from(&made)), "description"), "testtoken");
        assert!(own.make("impact", &own.id, &["other"])["description"].is_null());
    }

    fn i21_a_name_must_be_given(version) {
        let fixture = start(version);
        let output = fixture.cli.run(&["credential", "create", "--tenant", "dm", "--scheme", "impact"]);
        assert!(matches!(output.code, Some(1 | 2)) && output.stdout.is_empty(), "{output:?}");
        assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
        fixture.cli.refused(&["credential", "create", "", "--tenant", "dm", "--scheme", "impact"]);
        assert_eq!(fixture.cli.json(&["credential", "list"]), Value::Array(Vec::new()));
    }

    fn i22_a_name_is_taken_once_in_the_whole_store(version) {
        let fixture = start(version);
        fixture.tenant("other", &[]);
        let first = Login::from(&token(&fixture, "test12345"));
        for name in ["test12345", "TEST12345", "Test12345"] {
            for tenant in ["dm", "other"] {
                let args = ["credential", "create", name, "--tenant", tenant, "--scheme", "impact"];
                let complaint = fixture.cli.refused(&args);
                assert!(complaint.contains("TEST12345"), "{complaint}");
            }
        }
        assert_eq!(fixture.code(&first), ACCEPTED);
    }

    fn i23_any_client_id_will_do(version) {
        let fixture = start(version);
        let device = Login::from(&token(&fixture, "device"));
        let longer_than_23 = "urn:imei:356938035643809-and-some-more";
        for client_id in ["880", "00:1A:2B:3C:4D:5E", "356938035643809", longer_than_23, "", "/a b/ü"] {
            assert_eq!(device.connect(client_id).code(fixture.port()), ACCEPTED, "{client_id}");
            assert_eq!(device.connect_v5(client_id).code(fixture.port()), ACCEPTED, "{client_id}");
        }
    }

    fn i24_a_device_reaches_its_own_token_and_serial_number(version) {
        let fixture = start(version);
        let mut observer = fixture.observer("#");
        let commands = fixture.operator("platform", &["--publish", "#"]);
        let mut commands = commands.connect("platform").accepted(fixture.port());
        let made = token(&fixture, "#SN#880");
        let other = token(&fixture, "#SN#881");
        let (own, foreign) = (text(&made, "token"), text(&other, "token"));
        let mut device = Login::from(&made).connect("880").accepted(fixture.port());
        let allowed = [format!("{own}/880/device"), own.clone(), format!("{own}/880/3/0/13"), "us/880".into()];
        let denied = [format!("{foreign}/880/device"), "us/881".into(), "us".into(), "us/880/x".into(), "dm/x".into(), format!("/{own}/880")];
        for topic in allowed.iter().chain(&denied) {
            device.publish(topic, "x", 1, false).unwrap();
        }
        assert_eq!(topics_so_far(&mut observer), allowed);
        let command = format!("{own}/server/commands/880");
        let filters = [command.clone(), format!("{own}/#"), "us/880".into()];
        for filter in &filters {
            assert_eq!(device.subscribe(&[(filter, 0)]).unwrap(), [0], "{filter}");
        }
        for filter in ["#".into(), "+/880/device".into(), format!("{foreign}/#"), "us/+".into(), "$share/g/#".into()] {
            assert_eq!(device.subscribe(&[(&filter, 0)]).unwrap(), [0x80], "{filter}");
        }
        assert_eq!(device.unsubscribe(&[&filters[1]]).unwrap(), [0; 0]);
        for topic in [&command, &format!("{foreign}/server/commands/880"), "us/880", "us/881"] {
            commands.publish(topic, "x", 1, false).unwrap();
        }
        assert_eq!(topics_so_far(&mut device), [command.as_str(), "us/880"]);
    }

    fn i25_a_message_under_a_token_that_nobody_has_is_dropped(version) {
        let fixture = start(version);
        let mut observer = fixture.observer("#");
        let made = token(&fixture, "device");
        let own = format!("{}/880/device", text(&made, "token"));
        let mut device = Login::from(&made).connect_v5("880").accepted(fixture.port());
        for nobodys in ["1jylmg8lwa1cy/880/device", "/880/device", "device/880/device", "us/", "us/880"] {
            assert_eq!(device.publish(nobodys, "x", 1, true).unwrap(), 0x87, "{nobodys}");
        }
        device.publish(&own, "x", 1, false).unwrap();
        assert_eq!(topics_so_far(&mut observer), [own]);
    }

    fn i28_a_wrong_secret_and_an_unknown_name_are_refused_alike(version) {
        let fixture = start(version);
        let made = Login::from(&token(&fixture, "made"));
        token_with_secret(&fixture, "chosen", "a chosen one");
        let other = Login::from(&token(&fixture, "other"));
        let wrong = [
            made.with_secret("wrong"),
            made.with_secret(&other.secret),
            login("CHOSEN", "another one"),
            login("NOBODY", &made.secret),
            login("SN-000000000000", &made.secret),
        ];
        for login in &wrong {
            assert_eq!(fixture.code(login), REFUSED, "{}", login.username);
            assert_eq!(login.connect_v5("a").code(fixture.port()), REFUSED_V5, "{}", login.username);
        }
    }

    fn i29_the_secret_is_the_password_as_it_is_written(version) {
        let fixture = start(version);
        // Three in four hold a character that other alphabets write otherwise.
        let made = (0..50)
            .map(|number| Login::from(&token(&fixture, &format!("device{number}"))))
            .find(|made| made.secret.contains(['+', '/']))
            .unwrap();
        assert_eq!(made.secret.len(), 44);
        assert_eq!(fixture.code(&made), ACCEPTED);
        let trimmed = made.secret.trim_end_matches('=').to_owned();
        let url_safe = made.secret.replace('+', "-").replace('/', "_");
        for other in [trimmed, url_safe, made.secret.to_lowercase(), format!("{} ", made.secret)] {
            assert_eq!(fixture.code(&made.with_secret(&other)), REFUSED, "{other}");
        }
    }
}
