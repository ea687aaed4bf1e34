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
pub(crate) fn asking(builder: Builder, authority: &Authority) -> Builder {
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

/// The certificate of a meter that its authority names.
const MINE: &str = "meter1@acme";

/// What all authorities of devices are called.
pub(crate) const DEVICES: &str = "/O=Devices/CN=Device Authority";

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

    fn k35_an_authority_names_devices_of_its_tenant_and_no_others(version) {
        let authority = Authority::new();
        // Two tenants' authorities of one name, and one below that of the other tenant,
        // which bears it, too.
        authority.further("ours", DEVICES, None);
        authority.further("theirs", DEVICES, None);
        authority.further("below", DEVICES, Some("theirs"));
        let fixture = start(version, &authority);
        fixture.tenant("beta", &[]);
        let mut observer = fixture.observer("#");
        let meter = fixture.credential("meter1", "acme");
        fixture.credential("be01", "acme");
        fixture.credential("meter2", "beta");
        let everything = "subjectAltName=URI:urn:dev:meter1,DNS:meter1.test,email:meter1@test";
        let subject = ["-subj", "/O=Acme/CN=meter1", "-set_serial", "0x00be01"];
        authority.sign_by("ours", MINE, &[&subject[..], &["-addext", everything]].concat());
        let twice = "subjectAltName=URI:urn:dev:meter1,URI:urn:dev:meter2,DNS:meter1.test,\
                     DNS:meter2.test,email:meter1@test,email:meter2@test";
        let subject = ["-subj", "/O=Acme/CN=meter1/CN=meter2"];
        authority.sign_by("ours", "twice", &[&subject[..], &["-addext", twice]].concat());
        authority.sign_by("ours", "other", &["-subj", "/CN=meter2"]);
        authority.sign_by("theirs", "meter2", &["-subj", "/CN=meter2"]);
        authority.sign_by("below", "forged", &["-subj", "/O=Acme/CN=meter1"]);
        let speaks = |tenant: &str, name: &str, identity: &[&str]| {
            let file = authority.path(&format!("{name}.crt"));
            let add = ["ca", "add", "--tenant", tenant, "--pem", &file, "--identity"];
            text(&fixture.cli.json(&[&add[..], identity].concat()), "fingerprint")
        };
        let publish = |certificate: &str, topic: &str| {
            publish(&fixture, &authority, certificate, topic, &["-i", topic]).code
        };
        assert_eq!(publish(MINE, "early"), Some(5));
        for (kind, pattern) in [
            ("san-uri", "urn:dev:${name}"),
            ("san-dns", "${name}.test"),
            ("san-email", "${name}@test"),
            ("cn", "${name}"),
            ("serial", "${name}"),
            ("subject", "CN=${name},O=Acme"),
        ] {
            let added = speaks("acme", "ours", &[kind, "--pattern", pattern]);
            assert_eq!(publish(MINE, kind), Some(0), "{kind}");
            assert_eq!(publish("twice", "twice"), Some(5), "{kind}");
            assert_eq!(topics_so_far(&mut observer), [format!("acme/{kind}")]);
            fixture.cli.json(&["ca", "remove", &added]);
            assert_eq!(publish(MINE, "removed"), Some(5), "{kind}");
        }
        let added = speaks("acme", "ours", &["cn"]);
        let theirs = speaks("beta", "theirs", &["cn"]);
        // Each speaks for its tenant, whatever both are called.
        assert_eq!(publish(MINE, "ours"), Some(0));
        assert_eq!(topics_so_far(&mut observer), ["acme/ours"]);
        let check = |certificate: &str| {
            let file = authority.path(&format!("{certificate}.crt"));
            let check = ["check", "connect", "--certificate", &file, "--client-id", "c", "--json"];
            let printed = fixture.cli.run(&check).stdout;
            let answer: serde_json::Value = printed.parse().unwrap();
            (answer["reason"].clone(), answer["authority"].as_str().map(str::to_owned))
        };
        assert_eq!(check("meter2"), ("ok".into(), Some(theirs)));
        assert_eq!(check(MINE), ("ok".into(), Some(added.clone())));
        for certificate in ["other", "forged"] {
            assert_eq!(check(certificate).0, "certificate-unknown", "{certificate}");
        }
        for mode in ["required", "optional", "off"] {
            fixture.set_authentication("acme", mode);
            fixture.set_authentication("beta", mode);
            for certificate in ["other", "forged"] {
                assert_eq!(publish(certificate, "stranger"), Some(5), "{certificate} {mode}");
            }
        }
        assert_eq!(topics_so_far(&mut observer), [""; 0]);
        // What another tenant adds of our device gains it nothing.
        add(&fixture, &authority, MINE, "meter2@beta");
        assert_eq!(publish(MINE, "still"), Some(0));
        assert_eq!(topics_so_far(&mut observer), ["acme/still"]);
        // What ends the credential or the authority ends the session; a reload does not.
        let session = subscriber(&fixture, &authority, &meter);
        fixture.broker.reload().unwrap();
        assert_eq!(publish(MINE, "after"), Some(0));
        assert_eq!(topics_so_far(&mut observer), ["acme/after"], "the reload ended a session");
        fixture.act("suspend", &meter);
        fixture.broker.wait_for_log(&format!("suspended: `{}` client", meter.username), PATIENCE).unwrap();
        session.kill().unwrap();
        fixture.act("reactivate", &meter);
        let session = subscriber(&fixture, &authority, &meter);
        fixture.cli.json(&["ca", "remove", &added]);
        wait_until("the session is over", || {
            let count = fixture.cli.json(&["clients", "count", "--tenant", "acme"]);
            count["connected"] == 0
        });
        session.kill().unwrap();
    }

    fn k35_an_authority_registers_devices_and_none_again_that_was_deleted(version) {
        let authority = Authority::new();
        authority.further("ours", DEVICES, None);
        let fixture = start(version, &authority);
        let mut observer = fixture.observer("#");
        fixture.cli.json(&["role", "create", "meter", "--tenant", "acme"]);
        for name in ["new1", "new2", "new3"] {
            authority.sign_by("ours", name, &["-subj", &format!("/CN={name}")]);
        }
        authority.sign_by("ours", "odd", &["-subj", "/CN=a b"]);
        let file = authority.path("ours.crt");
        let added = fixture.cli.json(&[
            "ca", "add", "--tenant", "acme", "--pem", &file, "--identity", "cn",
            "--auto-register", "--role", "meter", "--max", "2",
        ]);
        let ca = text(&added, "fingerprint");
        let publish = |certificate: &str, topic: &str| {
            publish(&fixture, &authority, certificate, topic, &["-i", topic]).code
        };
        assert_eq!(publish("odd", "odd"), Some(5));
        let of_new1 = authority.path("new1.crt");
        let check = ["check", "connect", "--certificate", &of_new1, "--client-id", "c", "--json"];
        assert_eq!(fixture.cli.run(&check).code, Some(0), "a check says what a broker would answer");
        let made = fixture.cli.json(&["credential", "list", "--tenant", "acme"]);
        assert_eq!(made, serde_json::json!([]), "a check makes nothing");
        assert_eq!(publish("new1", "one"), Some(0));
        assert_eq!(topics_so_far(&mut observer), ["acme/one"]);
        let shown = fixture.cli.json(&["credential", "show", "new1@acme"]);
        assert_eq!(shown["roles"], serde_json::json!(["meter"]));
        fixture.cli.json(&["credential", "delete", "new1@acme"]);
        assert_eq!(publish("new1", "deleted"), Some(5));
        // It had its place, and has it still: the second is the last.
        assert_eq!(publish("new2", "two"), Some(0));
        assert_eq!(publish("new3", "three"), Some(5));
        fixture.credential("new1", "acme");
        assert_eq!(publish("new1", "by-hand"), Some(0));
        fixture.cli.json(&["credential", "delete", "new1@acme"]);
        assert_eq!(publish("new1", "deleted"), Some(5));
        fixture.cli.json(&["ca", "forget", &ca, "new1"]);
        fixture.cli.json(&["ca", "remove", &ca]);
        fixture.cli.json(&[
            "ca", "add", "--tenant", "acme", "--pem", &file, "--identity", "cn",
            "--auto-register", "--role", "meter",
        ]);
        assert_eq!(publish("new1", "again"), Some(0));
        assert_eq!(topics_so_far(&mut observer), ["acme/two", "acme/by-hand", "acme/again"]);
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
        authority.further("devices", DEVICES, None);
        let (fixture, clock) =
            Fixture::start_with_clock_and(version, |builder| asking(builder, &authority));
        fixture.tenant("acme", &[]);
        let device = certified(&fixture, &authority, "device");
        let bystander = fixture.credential("bystander", "acme");
        let mut bystander = bystander.connect("bystander").accepted(fixture.port());
        // One by its fingerprint, and one that an authority names.
        let named = fixture.credential("named", "acme");
        authority.sign_by("devices", &named.username, &["-subj", "/CN=named"]);
        let file = authority.path("devices.crt");
        fixture.cli.json(&["ca", "add", "--tenant", "acme", "--pem", &file, "--identity", "cn"]);
        let sessions = [&device, &named].map(|login| subscriber(&fixture, &authority, login));
        // Certificates of the test are valid for two days.
        clock.set(Duration::from_secs(2 * 86_400 + 2));
        for login in [&device, &named] {
            let line = format!("certificate-expired: `{}` client", login.username);
            fixture.broker.wait_for_log(&line, PATIENCE).unwrap();
        }
        for session in sessions {
            session.kill().unwrap();
        }
        wait_until("the session is over", || {
            let count = fixture.cli.json(&["clients", "count", "--tenant", "acme"]);
            count["connected"] == 1
        });
        assert!(bystander.is_alive());
        assert_eq!(publish(&fixture, &authority, &device.username, "late", &[]).code, Some(5));
    }
}
