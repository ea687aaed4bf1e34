//! Rows D6–D12: the second factor.

use countersign_testkit::Connect;
use countersign_testkit::mqtt::Answer;
use countersign_tests::people::{Authenticator, TOTP, answer_challenge, connack};
use countersign_tests::{
    ACCEPTED, Login, PATIENCE, REFUSED, REFUSED_V5, Site, on_every_broker, text,
};

/// `jane` with a second factor, at the beginning of a step.
fn jane_with_factor(site: &Site) -> (Login, Authenticator) {
    let jane = site.jane();
    site.wait_for_a_fresh_step();
    let authenticator = site.enrol_and_confirm(&jane);
    (jane, authenticator)
}

/// The CONNACK's code of an MQTT 3.1.1 login with a code behind the password.
fn code(site: &Site, jane: &Login, code: &str) -> Option<u8> {
    jane.with_code(code).connect("jane").code(site.port())
}

/// The CONNACK's code of enhanced authentication, where a code is asked for.
fn enhanced(site: &Site, jane: &Login, code: &str) -> Option<u8> {
    let mut client = jane.enhanced("jane").send(site.port()).unwrap();
    answer_challenge(&mut client, code)
}

on_every_broker! {
    fn d6_with_a_right_password_alone_a_code_is_asked_for(version) {
        let site = Site::start(version);
        let (jane, _) = jane_with_factor(&site);
        assert_eq!(jane.connect("jane").code(site.port()), REFUSED);
        assert_eq!(jane.connect_v5("jane").code(site.port()), REFUSED_V5);
        let mut client = jane.enhanced("jane").send(site.port()).unwrap();
        match client.answer(PATIENCE).unwrap() {
            Answer::Auth(question) => {
                assert_eq!(question.code, 0x18);
                assert_eq!(question.data(), Some(&br#"{"errorCode":-90041}"#[..]));
            }
            other => panic!("no challenge: {other:?}"),
        }
        // It is nobody until it has answered.
        assert_eq!(site.cli.json(&["clients", "count"])["connected"], 0);
        site.wait_for_cause(&jane.username, "mfa-required");
    }

    fn d7_with_a_wrong_password_no_code_is_asked_for(version) {
        let site = Site::start(version);
        let (jane, authenticator) = jane_with_factor(&site);
        let wrong = jane.with_secret("wrong");
        let stranger = Login { username: "john@mail.test".into(), secret: "wrong".into() };
        for login in [&wrong, &stranger] {
            let mut client = login.enhanced("jane").send(site.port()).unwrap();
            assert_eq!(connack(&mut client), REFUSED_V5, "{login:?}");
        }
        assert_eq!(code(&site, &wrong, &authenticator.code(0)), REFUSED);
        assert_eq!(code(&site, &jane, &authenticator.code(0)), ACCEPTED);
    }

    fn d8_the_code_is_the_secondary_password(version) {
        let site = Site::start(version);
        let (jane, authenticator) = jane_with_factor(&site);
        // MQTT 3.1.1: behind the password.
        assert_eq!(code(&site, &jane, &authenticator.code(0)), ACCEPTED);
        // MQTT 5: when it is asked for; the next step's is early, not wrong.
        assert_eq!(enhanced(&site, &jane, &authenticator.wrong_code()), REFUSED_V5);
        assert_eq!(enhanced(&site, &jane, &authenticator.code(1)), ACCEPTED);
        // A recovery code works once.
        let recovery = &authenticator.recovery_codes[0];
        assert_eq!(enhanced(&site, &jane, recovery), ACCEPTED);
        assert_eq!(enhanced(&site, &jane, recovery), REFUSED_V5);
        // Other methods, and other users of this one.
        let other = Connect::v5("jane").username(&jane.username).authentication("SCRAM-SHA-256", None);
        assert_ne!(other.code(site.port()), ACCEPTED);
        let device = site.credential("dev", "t1");
        let mut client = device.enhanced("dev").send(site.port()).unwrap();
        assert_eq!(connack(&mut client), ACCEPTED);
        assert_eq!(client.subscribe(&[("t1/#", 0)]).unwrap(), [0]);
    }

    fn d9_a_code_has_six_digits_and_counts_for_a_minute_and_a_half(version) {
        let site = Site::start(version);
        let jane = site.jane();
        site.wait_for_a_fresh_step();
        let authenticator = site.enrol(&jane);
        let code_of_now = authenticator.code(0);
        for bad in [&code_of_now[..5], &format!("{code_of_now}0"), "abcdef", ""] {
            let args = ["user", "mfa", "confirm", &jane.username, "--code-stdin"];
            let output = site.cli.run_with_stdin(&args, format!("{bad}\n").as_bytes());
            assert_ne!(output.code, Some(0), "{bad}");
        }
        site.confirm(&jane, &authenticator.code(-1));
        for early_or_late in [-2, 2] {
            assert_eq!(code(&site, &jane, &authenticator.code(early_or_late)), REFUSED);
        }
        assert_eq!(code(&site, &jane, &code_of_now[..5]), REFUSED);
        assert_eq!(code(&site, &jane, &code_of_now), ACCEPTED);
        assert_eq!(code(&site, &jane, &authenticator.code(1)), ACCEPTED);
    }

    fn d10_the_secret_is_given_once_and_counts_when_confirmed(version) {
        let mut site = Site::start(version);
        let jane = site.jane();
        site.wait_for_a_fresh_step();
        let printed = site.cli.json(&["user", "mfa", "enrol", &jane.username]);
        let secret = text(&printed, "secret");
        let uri = text(&printed, "otpauth");
        assert!(uri.starts_with("otpauth://totp/") && uri.contains(&secret), "{uri}");
        // Not confirmed, so not asked for.
        assert_eq!(jane.connect("jane").code(site.port()), ACCEPTED);
        assert_eq!(site.cli.json(&["user", "show", &jane.username])["mfa"], false);
        let authenticator = Authenticator::new(&printed);
        site.confirm(&jane, &authenticator.code(-1));
        let shown = site.cli.json(&["user", "show", &jane.username]);
        assert_eq!(shown["mfa"], true);
        assert!(!shown.to_string().contains(&secret));
        assert_eq!(jane.connect("jane").code(site.port()), REFUSED);
        // It is nowhere in the store as it is.
        for file in std::fs::read_dir(site.cli.store().parent().unwrap()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
        }
        // Without the key nobody is let in without a code, until it is disabled.
        let key = site.cli.store().with_file_name("countersign.db.key");
        std::fs::rename(&key, key.with_extension("away")).unwrap();
        site.broker.restart().unwrap();
        assert_eq!(jane.connect("jane").code(site.port()), REFUSED);
        assert_eq!(code(&site, &jane, &authenticator.code(0)), REFUSED);
        site.cli.json(&["user", "mfa", "disable", &jane.username]);
        assert_eq!(jane.connect("jane").code(site.port()), ACCEPTED);
    }

    fn d11_a_code_works_once(version) {
        let mut site = Site::start(version);
        let (jane, authenticator) = jane_with_factor(&site);
        let used = authenticator.code(0);
        assert_eq!(code(&site, &jane, &used), ACCEPTED);
        // More often than what would lock: it is refused and not counted.
        for _ in 0..6 {
            assert_eq!(code(&site, &jane, &used), REFUSED);
        }
        assert_eq!(code(&site, &jane, &authenticator.code(-1)), REFUSED);
        site.broker.kill_9().unwrap();
        site.broker.restart().unwrap();
        assert_eq!(code(&site, &jane, &used), REFUSED);
        assert_eq!(code(&site, &jane, &authenticator.code(1)), ACCEPTED);
    }

    fn d12_without_a_second_factor_no_code_is_needed(version) {
        let site = Site::start(version);
        let jane = site.jane();
        assert_eq!(jane.connect("jane").code(site.port()), ACCEPTED);
        assert_eq!(code(&site, &jane, "123456"), REFUSED);
        let mut client = jane.enhanced("jane").send(site.port()).unwrap();
        assert_eq!(connack(&mut client), ACCEPTED);
        // Once disabled, it is as it was.
        site.wait_for_a_fresh_step();
        site.enrol_and_confirm(&jane);
        assert_eq!(jane.connect("jane").code(site.port()), REFUSED);
        site.cli.json(&["user", "mfa", "disable", &jane.username]);
        assert_eq!(jane.connect("jane").code(site.port()), ACCEPTED);
    }

    fn an_enhanced_session_outlives_a_reload(version) {
        let site = Site::start(version);
        let (jane, authenticator) = jane_with_factor(&site);
        let mut client = jane.enhanced("jane").send(site.port()).unwrap();
        assert_eq!(answer_challenge(&mut client, &authenticator.code(0)), ACCEPTED);
        site.broker.reload().unwrap();
        client.ping(PATIENCE).unwrap();
        assert!(client.is_alive());
        // To authenticate again in a session is not offered.
        let _ = client.auth(0x19, TOTP, Some(jane.secret.as_bytes()));
        assert_eq!(client.subscribe(&[("t2/#", 0)]).map_or(0x87, |codes| codes[0]), 0x87);
    }
}
