//! Rows D6–D12: the second factor.

use countersign_testkit::Connect;
use countersign_testkit::mqtt::Answer;
use countersign_tests::people::{Authenticator, TOTP, answer_challenge, connack};
use countersign_tests::{
    ACCEPTED, Fixture, Login, PATIENCE, REFUSED, REFUSED_V5, on_every_broker, text,
};

/// `jane` with a second factor, at the beginning of a step.
fn jane_with_factor(fixture: &Fixture) -> (Login, Authenticator) {
    let jane = fixture.jane();
    fixture.wait_for_a_fresh_step();
    let authenticator = fixture.enrol_and_confirm(&jane);
    (jane, authenticator)
}

/// The CONNACK's code of an MQTT 3.1.1 login with a code behind the password.
fn code(fixture: &Fixture, jane: &Login, code: &str) -> Option<u8> {
    jane.with_code(code).connect("jane").code(fixture.port())
}

/// The CONNACK's code of enhanced authentication, where a code is asked for.
fn enhanced(fixture: &Fixture, jane: &Login, code: &str) -> Option<u8> {
    let mut client = jane.enhanced("jane").send(fixture.port()).unwrap();
    answer_challenge(&mut client, code)
}

on_every_broker! {
    fn d6_with_a_right_password_alone_a_code_is_asked_for(version) {
        let fixture = Fixture::start(version);
        let (jane, _) = jane_with_factor(&fixture);
        assert_eq!(jane.connect("jane").code(fixture.port()), REFUSED);
        assert_eq!(jane.connect_v5("jane").code(fixture.port()), REFUSED_V5);
        let mut client = jane.enhanced("jane").send(fixture.port()).unwrap();
        match client.answer(PATIENCE).unwrap() {
            Answer::Auth(question) => {
                assert_eq!(question.code, 0x18);
                assert_eq!(question.data(), Some(&br#"{"errorCode":-90041}"#[..]));
            }
            other => panic!("no challenge: {other:?}"),
        }
        // It is nobody until it has answered.
        assert_eq!(fixture.cli.json(&["clients", "count"])["connected"], 0);
        fixture.wait_for_cause(&jane.username, "mfa-required");
    }

    fn d7_with_a_wrong_password_no_code_is_asked_for(version) {
        let fixture = Fixture::start(version);
        let (jane, authenticator) = jane_with_factor(&fixture);
        let wrong = jane.with_secret("wrong");
        let stranger = Login { username: "john@mail.test".into(), secret: "wrong".into() };
        for login in [&wrong, &stranger] {
            let mut client = login.enhanced("jane").send(fixture.port()).unwrap();
            assert_eq!(connack(&mut client), REFUSED_V5, "{login:?}");
        }
        assert_eq!(code(&fixture, &wrong, &authenticator.code(0)), REFUSED);
        assert_eq!(code(&fixture, &jane, &authenticator.code(0)), ACCEPTED);
    }

    fn d8_the_code_is_the_secondary_password(version) {
        let fixture = Fixture::start(version);
        let (jane, authenticator) = jane_with_factor(&fixture);
        // MQTT 3.1.1: behind the password.
        assert_eq!(code(&fixture, &jane, &authenticator.code(0)), ACCEPTED);
        // MQTT 5: when it is asked for; the next step's is early, not wrong.
        assert_eq!(enhanced(&fixture, &jane, &authenticator.wrong_code()), REFUSED_V5);
        assert_eq!(enhanced(&fixture, &jane, &authenticator.code(1)), ACCEPTED);
        // A recovery code works once.
        let recovery = &authenticator.recovery_codes[0];
        assert_eq!(enhanced(&fixture, &jane, recovery), ACCEPTED);
        assert_eq!(enhanced(&fixture, &jane, recovery), REFUSED_V5);
        // Other methods, and other users of this one.
        let other = Connect::v5("jane").username(&jane.username).authentication("SCRAM-SHA-256", None);
        assert_ne!(other.code(fixture.port()), ACCEPTED);
        let device = fixture.credential("dev", "t1");
        let mut client = device.enhanced("dev").send(fixture.port()).unwrap();
        assert_eq!(connack(&mut client), ACCEPTED);
        assert_eq!(client.subscribe(&[("t1/#", 0)]).unwrap(), [0]);
    }

    fn d9_a_code_has_six_digits_and_counts_for_a_minute_and_a_half(version) {
        let fixture = Fixture::start(version);
        let jane = fixture.jane();
        fixture.wait_for_a_fresh_step();
        let authenticator = fixture.enrol(&jane);
        let code_of_now = authenticator.code(0);
        for bad in [&code_of_now[..5], &format!("{code_of_now}0"), "abcdef", ""] {
            let args = ["user", "mfa", "confirm", &jane.username, "--code-stdin"];
            let output = fixture.cli.run_with_stdin(&args, format!("{bad}\n").as_bytes());
            assert_ne!(output.code, Some(0), "{bad}");
        }
        fixture.confirm(&jane, &authenticator.code(-1));
        for early_or_late in [-2, 2] {
            assert_eq!(code(&fixture, &jane, &authenticator.code(early_or_late)), REFUSED);
        }
        assert_eq!(code(&fixture, &jane, &code_of_now[..5]), REFUSED);
        assert_eq!(code(&fixture, &jane, &code_of_now), ACCEPTED);
        assert_eq!(code(&fixture, &jane, &authenticator.code(1)), ACCEPTED);
    }

    fn d10_the_secret_is_given_once_and_counts_when_confirmed(version) {
        let mut fixture = Fixture::start(version);
        let jane = fixture.jane();
        fixture.wait_for_a_fresh_step();
        let printed = fixture.cli.json(&["user", "mfa", "enrol", &jane.username]);
        let secret = text(&printed, "secret");
        let uri = text(&printed, "otpauth");
        assert!(uri.starts_with("otpauth://totp/") && uri.contains(&secret), "{uri}");
        // Not confirmed, so not asked for.
        assert_eq!(jane.connect("jane").code(fixture.port()), ACCEPTED);
        assert_eq!(fixture.cli.json(&["user", "show", &jane.username])["mfa"], false);
        let authenticator = Authenticator::new(&printed);
        fixture.confirm(&jane, &authenticator.code(-1));
        let shown = fixture.cli.json(&["user", "show", &jane.username]);
        assert_eq!(shown["mfa"], true);
        assert!(!shown.to_string().contains(&secret));
        assert_eq!(jane.connect("jane").code(fixture.port()), REFUSED);
        // It is nowhere in the store as it is.
        for file in std::fs::read_dir(fixture.cli.store().parent().unwrap()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
        }
        // Without the key nobody is let in without a code, until it is disabled.
        let key = fixture.cli.store().with_file_name("countersign.db.key");
        std::fs::rename(&key, key.with_extension("away")).unwrap();
        fixture.broker.restart().unwrap();
        assert_eq!(jane.connect("jane").code(fixture.port()), REFUSED);
        assert_eq!(code(&fixture, &jane, &authenticator.code(0)), REFUSED);
        fixture.cli.json(&["user", "mfa", "disable", &jane.username]);
        assert_eq!(jane.connect("jane").code(fixture.port()), ACCEPTED);
    }

    fn d11_a_code_works_once(version) {
        let mut fixture = Fixture::start(version);
        let (jane, authenticator) = jane_with_factor(&fixture);
        let used = authenticator.code(0);
        assert_eq!(code(&fixture, &jane, &used), ACCEPTED);
        // More often than what would lock: it is refused and not counted.
        for _ in 0..6 {
            assert_eq!(code(&fixture, &jane, &used), REFUSED);
        }
        assert_eq!(code(&fixture, &jane, &authenticator.code(-1)), REFUSED);
        fixture.broker.kill_9().unwrap();
        fixture.broker.restart().unwrap();
        assert_eq!(code(&fixture, &jane, &used), REFUSED);
        assert_eq!(code(&fixture, &jane, &authenticator.code(1)), ACCEPTED);
    }

    fn d12_without_a_second_factor_no_code_is_needed(version) {
        let fixture = Fixture::start(version);
        let jane = fixture.jane();
        assert_eq!(jane.connect("jane").code(fixture.port()), ACCEPTED);
        assert_eq!(code(&fixture, &jane, "123456"), REFUSED);
        let mut client = jane.enhanced("jane").send(fixture.port()).unwrap();
        assert_eq!(connack(&mut client), ACCEPTED);
        // Once disabled, it is as it was.
        fixture.wait_for_a_fresh_step();
        fixture.enrol_and_confirm(&jane);
        assert_eq!(jane.connect("jane").code(fixture.port()), REFUSED);
        fixture.cli.json(&["user", "mfa", "disable", &jane.username]);
        assert_eq!(jane.connect("jane").code(fixture.port()), ACCEPTED);
    }

    fn an_enhanced_session_outlives_a_reload(version) {
        let fixture = Fixture::start(version);
        let (jane, authenticator) = jane_with_factor(&fixture);
        let mut client = jane.enhanced("jane").send(fixture.port()).unwrap();
        assert_eq!(answer_challenge(&mut client, &authenticator.code(0)), ACCEPTED);
        fixture.broker.reload().unwrap();
        client.ping(PATIENCE).unwrap();
        assert!(client.is_alive());
        // To authenticate again in a session is not offered.
        let _ = client.auth(0x19, TOTP, Some(jane.secret.as_bytes()));
        assert_eq!(client.subscribe(&[("t2/#", 0)]).map_or(0x87, |codes| codes[0]), 0x87);
    }
}
