//! Row K35: clients that log in by a certificate alone, on listeners that ask for one
//! and take no name from it.

use std::time::Duration;

use countersign_testkit::Version;
use countersign_testkit::broker::Builder;
use countersign_testkit::tools::{Output, Tool};
use countersign_tests::authority::Authority;
use countersign_tests::{
    Fixture, Login, PATIENCE, on_every_broker, text, topics_so_far, wait_until,
};

use crate::tls::{subscriber, tls};

/// Has a second listener ask for certificates.
fn asking(builder: Builder, authority: &Authority) -> Builder {
    let lines = authority.listener_lines();
    let lines = lines.iter().map(String::as_str);
    let lines = lines.chain(["require_certificate true"]);
    lines.fold(builder.listener(), |builder, line| {
        builder.listener_line(line)
    })
}

fn start(version: Version, authority: &Authority) -> Fixture {
    let fixture = Fixture::start_with(version, |builder| asking(builder, authority));
    fixture.tenant("acme", &[]);
    fixture
}

/// A credential of `acme`, and the certificate that stands for it.
fn certified(fixture: &Fixture, authority: &Authority, name: &str) -> Login {
    let login = fixture.credential(name, "acme");
    authority.sign(&login.username);
    add(fixture, authority, &login.username, &login.username);
    login
}

/// Has a certificate stand for a credential; returns its fingerprint.
fn add(fixture: &Fixture, authority: &Authority, certificate: &str, holder: &str) -> String {
    let file = authority.path(&format!("{certificate}.crt"));
    let added = fixture
        .cli
        .json(&["certificate", "add", holder, "--pem", &file]);
    text(&added, "fingerprint")
}

/// Publishes to `acme/TOPIC` with a certificate, and what more is given.
fn publish(
    fixture: &Fixture,
    authority: &Authority,
    certificate: &str,
    topic: &str,
    more: &[&str],
) -> Output {
    authority
        .certified("mosquitto_pub", tls(fixture), certificate)
        .args(["-t", &format!("acme/{topic}"), "-m", "x", "-q", "1"])
        .args(more)
        .run(PATIENCE)
        .unwrap()
}

on_every_broker! {
    fn k35_a_registered_certificate_logs_its_device_in_and_no_other_certificate_does(version) {
        let authority = Authority::new();
        let fixture = start(version, &authority);
        let mut observer = fixture.observer("#");
        let device = certified(&fixture, &authority, "device");
        let other = fixture.credential("other", "acme");
        authority.sign("stranger");
        let publish = |certificate: &str, topic: &str, more: &[&str]| {
            publish(&fixture, &authority, certificate, topic, more).code
        };
        assert_eq!(publish(&device.username, "alone", &[]), Some(0));
        assert_eq!(publish(&device.username, "named", &["-u", &device.username]), Some(0));
        assert_eq!(topics_so_far(&mut observer), ["acme/alone", "acme/named"]);
        // A password decides alone.
        let by_password = ["-u", &other.username, "-P", &other.secret];
        assert_eq!(publish("stranger", "password", &by_password), Some(0));
        assert_eq!(topics_so_far(&mut observer), ["acme/password"]);
        for mode in ["required", "optional", "off"] {
            fixture.set_authentication("acme", mode);
            assert_eq!(publish("stranger", "stranger", &[]), Some(5), "{mode}");
            assert_eq!(publish("stranger", "borrowed", &["-u", &device.username]), Some(5), "{mode}");
            assert_eq!(publish(&device.username, "other", &["-u", &other.username]), Some(5), "{mode}");
        }
        assert_eq!(topics_so_far(&mut observer), [""; 0]);
        let file = authority.path("stranger.crt");
        let arguments = ["x509", "-noout", "-fingerprint", "-sha256", "-in", &file];
        let printed = Tool::new("openssl").args(arguments).run(PATIENCE);
        let printed = printed.unwrap().stdout;
        let (_, fingerprint) = printed.trim().split_once('=').unwrap();
        let digits = fingerprint.replace(':', "").to_lowercase();
        fixture.broker.wait_for_log(&format!("certificate-unknown: `certificate {digits}`"), PATIENCE).unwrap();
        fixture.wait_for_cause(&format!("certificate {digits}"), "certificate-unknown");
        // As the program of certificates prints it, it is what the platform may add.
        fixture.cli.json(&["certificate", "add", &other.username, "--fingerprint", fingerprint]);
        assert_eq!(publish("stranger", "now", &[]), Some(0));
        assert_eq!(topics_so_far(&mut observer), ["acme/now"]);
    }

    fn what_ends_a_certificate_or_its_credential_ends_the_session_and_a_reload_does_not(version) {
        let authority = Authority::new();
        let fixture = start(version, &authority);
        let device = certified(&fixture, &authority, "device");
        let session = subscriber(&fixture, &authority, &device);
        fixture.broker.reload().unwrap();
        let mut observer = fixture.observer("acme/#");
        let publish = |topic: &str| publish(&fixture, &authority, &device.username, topic, &["-i", topic]);
        assert_eq!(publish("after").code, Some(0));
        assert_eq!(topics_so_far(&mut observer), ["acme/after"], "the reload ended a session");
        fixture.act("suspend", &device);
        // Its connection ends; it comes back by itself, and is refused.
        let line = format!("suspended: `{}` client", device.username);
        fixture.broker.wait_for_log(&line, PATIENCE).unwrap();
        assert_eq!(topics_so_far(&mut observer), ["acme/device/will"]);
        assert_eq!(publish("suspended").code, Some(5));
        session.kill().unwrap();
        fixture.act("reactivate", &device);
        let session = subscriber(&fixture, &authority, &device);
        let listed = fixture.cli.json(&["certificate", "list", &device.username]);
        let fingerprint = text(&listed[0], "fingerprint");
        fixture.cli.json(&["certificate", "remove", &device.username, &fingerprint]);
        let line = format!("certificate-unknown: `certificate {fingerprint}` client");
        fixture.broker.wait_for_log(&line, PATIENCE).unwrap();
        assert_eq!(topics_so_far(&mut observer), ["acme/device/will"]);
        assert_eq!(publish("removed").code, Some(5));
        session.kill().unwrap();
        assert_eq!(topics_so_far(&mut observer), [""; 0]);
    }

    fn a_session_ends_when_its_certificate_does(version) {
        let authority = Authority::new();
        let (fixture, clock) =
            Fixture::start_with_clock_and(version, |builder| asking(builder, &authority));
        fixture.tenant("acme", &[]);
        let device = certified(&fixture, &authority, "device");
        let bystander = fixture.credential("bystander", "acme");
        let mut bystander = bystander.connect("bystander").accepted(fixture.port());
        let session = subscriber(&fixture, &authority, &device);
        // Certificates of the test are valid for two days.
        clock.set(Duration::from_secs(2 * 86_400 + 2));
        let line = format!("certificate-expired: `{}` client", device.username);
        fixture.broker.wait_for_log(&line, PATIENCE).unwrap();
        session.kill().unwrap();
        wait_until("the session is over", || {
            let count = fixture.cli.json(&["clients", "count", "--tenant", "acme"]);
            count["connected"] == 1
        });
        assert!(bystander.is_alive());
        assert_eq!(publish(&fixture, &authority, &device.username, "late", &[]).code, Some(5));
    }
}
