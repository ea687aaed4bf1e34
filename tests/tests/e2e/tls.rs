//! Rows V15 and V16, and clients that a certificate vouches for: listeners with
//! TLS, on certificates that the tests make.

use countersign_testkit::tools::{Background, Output, Tool};
use countersign_testkit::{Broker, Connect, Version, artifacts};
use countersign_tests::authority::Authority;
use countersign_tests::{
    Fixture, Login, PATIENCE, QUIET, REFUSED, on_every_broker, text, topics_so_far, wait_until,
};

/// A broker whose second listener has TLS, with further lines for it.
fn start(version: Version, authority: &Authority, more: &[&str]) -> Fixture {
    Fixture::start_with(version, |builder| {
        let lines = authority.listener_lines();
        let strict = ["tls_version tlsv1.2"];
        let lines = lines.iter().map(String::as_str).chain(strict);
        let lines = lines.chain(more.iter().copied());
        lines.fold(builder.listener(), |builder, line| {
            builder.listener_line(line)
        })
    })
}

/// The port with TLS.
pub(crate) fn tls(fixture: &Fixture) -> u16 {
    fixture.broker.port_of(1)
}

/// Publishes one message, and returns what the program said.
fn publish(client: Tool, topic: &str) -> Output {
    client
        .args(["-t", topic, "-m", "x", "-q", "1"])
        .run(PATIENCE)
        .unwrap()
}

/// Arguments for a client that puts these into client id, name and password.
fn presenting<'a>(client_id: &'a str, login: &'a Login) -> [&'a str; 8] {
    [
        "-i",
        client_id,
        "-u",
        &login.username,
        "-P",
        &login.secret,
        "-V",
        "311",
    ]
}

on_every_broker! {
    fn v15_devices_connect_over_tls_1_2_without_a_certificate_of_their_own(version) {
        let authority = Authority::new();
        let fixture = start(version, &authority, &["require_certificate false"]);
        fixture.tenant("acme", &[]);
        let device = Login::from(&fixture.make("vwire", "acme", &[]));
        let mut observer = fixture.observer("vwire/#");
        let topic = format!("vwire/{}/pin/V0", device.username);
        let client = || authority.client("mosquitto_pub", tls(&fixture));
        let published = publish(client().args(presenting(&device.username, &device)), &topic);
        assert_eq!(published.code, Some(0), "{published:?}");
        assert_eq!(topics_so_far(&mut observer), [topic.as_str()]);
        let wrong = device.with_secret("at_wrong");
        let refused = publish(client().args(presenting(&device.username, &wrong)), &topic);
        assert_eq!(refused.code, Some(5), "{refused:?}");
        assert_eq!(topics_so_far(&mut observer), [""; 0]);
        let new = authority.handshake(tls(&fixture), "-tls1_2");
        assert_eq!(new.code, Some(0), "{new:?}");
        let old = authority.handshake(tls(&fixture), "-tls1_1");
        assert_ne!(old.code, Some(0), "{old:?}");
        assert!(old.stderr.contains("alert protocol version"), "the server did not refuse it: {old:?}");
    }

    fn a_certificate_vouches_for_marked_credentials_alone(version) {
        let authority = Authority::new();
        let fixture = start_vouching(version, &authority);
        let mut observer = fixture.observer("#");
        marked(&fixture, &authority, "marked");
        fixture.credential("unmarked", "acme");
        fixture.operator("chief", &["--publish", "#", "--subscribe", "#"]);
        for name in ["unmarked@acme", "nobody@acme", "chief", "observer"] {
            authority.sign(name);
        }
        for name in ["marked@acme", "unmarked@acme", "nobody@acme", "chief", "observer"] {
            for topic in [format!("acme/{name}"), "zoo/x".into(), "elsewhere".into()] {
                publish(authority.certified("mosquitto_pub", tls(&fixture), name), &topic);
            }
        }
        assert_eq!(topics_so_far(&mut observer), ["acme/marked@acme"]);
        for name in ["unmarked@acme", "nobody@acme", "chief"] {
            let subscribed = authority
                .certified("mosquitto_sub", tls(&fixture), name)
                .args(["-t", "acme/#", "-W", "2"])
                .run(PATIENCE)
                .unwrap();
            if version.is_2_0() {
                assert!(subscribed.stderr.contains("denied"), "{name}: {subscribed:?}");
            }
            assert_eq!(subscribed.stdout, "", "{name}: {subscribed:?}");
        }
        // The mark does not open the listener that asks for a password.
        assert_eq!(Connect::v311("a").username("marked@acme").code(fixture.port()), REFUSED);
        // Without a certificate there is no connection to speak of.
        let bare = publish(authority.client("mosquitto_pub", tls(&fixture)).args(["-u", "marked@acme"]), "acme/bare");
        assert_ne!(bare.code, Some(0), "{bare:?}");
        assert_eq!(topics_so_far(&mut observer), [""; 0]);
    }

    fn what_is_stored_for_a_certificate_is_nobody_elses(version) {
        let authority = Authority::new();
        let fixture = start_vouching(version, &authority);
        let device = marked(&fixture, &authority, "device");
        let session = authority
            .certified("mosquitto_sub", tls(&fixture), &device.username)
            .args(["-c", "-q", "1", "-d", "-v", "-t", "acme/device/in"])
            .background();
        let mut session = session.unwrap();
        session.wait_for_output("SUBACK", PATIENCE).unwrap();
        session.kill().unwrap();
        let thief = fixture.credential("thief", "acme");
        let mut sender = thief.connect("sender").accepted(fixture.port());
        sender.publish("acme/device/in", "kept", 1, false).unwrap();
        let connect = thief.connect("id of device@acme");
        assert_eq!(connect.clone().stored().code(fixture.port()), REFUSED);
        assert_eq!(connect.code(fixture.port()), REFUSED);
        let back = authority
            .certified("mosquitto_sub", tls(&fixture), &device.username)
            .args(["-c", "-q", "1", "-v", "-C", "1", "-W", "5", "-t", "acme/device/in"])
            .run(PATIENCE);
        assert_eq!(back.unwrap().stdout, "acme/device/in kept\n");
    }

    fn a_login_by_password_does_not_rub_off_on_a_certificate(version) {
        let authority = Authority::new();
        let fixture = start_vouching(version, &authority);
        let unmarked = fixture.credential("unmarked", "acme");
        authority.sign(&unmarked.username);
        // The broker drops a session that expired without a word, and may give
        // what stood for it to the next connection.
        let by_password = unmarked.connect_v5("id of unmarked@acme").clean(false).session_expiry(1);
        by_password.accepted(fixture.port()).disconnect().unwrap();
        fixture.broker.wait_for_log("Expiring client", PATIENCE).unwrap();
        std::thread::sleep(QUIET);
        let subscribed = authority
            .certified("mosquitto_sub", tls(&fixture), &unmarked.username)
            .args(["-t", "acme/#", "-W", "5"])
            .run(PATIENCE)
            .unwrap();
        if version.is_2_0() {
            assert!(subscribed.stderr.contains("denied"), "{subscribed:?}");
        }
        fixture.broker.wait_for_log("unauthenticated: `unmarked@acme`", PATIENCE).unwrap();
    }

    fn suspending_or_revoking_stops_who_a_certificate_vouches_for(version) {
        let authority = Authority::new();
        let fixture = start_vouching(version, &authority);
        let mut observer = fixture.observer("acme/#");
        let bystander = marked(&fixture, &authority, "bystander");
        let mut bystander = subscriber(&fixture, &authority, &bystander);
        for act in ["suspend", "revoke"] {
            let device = marked(&fixture, &authority, act);
            let (own, will) = (format!("acme/{act}"), format!("acme/{act}/will"));
            let session = subscriber(&fixture, &authority, &device);
            let publish = || publish(authority.certified("mosquitto_pub", tls(&fixture), &device.username).args(["-i", &format!("another id of {act}")]), &own);
            publish();
            assert_eq!(topics_so_far(&mut observer), [own.as_str()]);
            fixture.act(act, &device);
            // Its connection ends; it comes back by itself, and may do nothing.
            let cause = if act == "suspend" { "suspended" } else { "revoked" };
            let line = format!("{cause}: `{}` client", device.username);
            fixture.broker.wait_for_log(&line, PATIENCE).unwrap();
            session.kill().unwrap();
            assert_eq!(topics_so_far(&mut observer), [will], "{act}");
            publish();
            assert_eq!(topics_so_far(&mut observer), [""; 0], "{act}");
        }
        assert!(bystander.is_running());
        fixture.cli.json(&["credential", "reactivate", "suspend@acme"]);
        wait_until("the certificate vouches again", || {
            publish(authority.certified("mosquitto_pub", tls(&fixture), "suspend@acme"), "acme/again");
            topics_so_far(&mut observer) == ["acme/again"]
        });
    }
}

/// A broker with a second listener whose clients have pre-shared keys, and a tenant
/// `acme` in which `dev` may have a session and `nobody` may not.
pub fn start_with_keys(version: Version) -> Fixture {
    let fixture = Fixture::start_with(version, |builder| {
        let keys = builder.dir().join("psk");
        std::fs::write(&keys, "dev@acme:1234abcd\nnobody@acme:1234abcd\n").unwrap();
        builder
            .line(format!("psk_file {}", keys.display()))
            .listener()
            .listener_line("psk_hint hint")
            .listener_line("use_identity_as_username true")
    });
    fixture.tenant("acme", &[]);
    fixture.credential_with("dev", "acme", &["--external-identity"]);
    fixture
}

/// A broker whose second listener takes the name from a certificate.
pub(crate) fn start_vouching(version: Version, authority: &Authority) -> Fixture {
    let lines = ["require_certificate true", "use_identity_as_username true"];
    let fixture = start(version, authority, &lines);
    fixture.tenant("acme", &[]);
    fixture.tenant("zoo", &[]);
    fixture
}

/// A credential that a certificate may vouch for, and that certificate.
pub(crate) fn marked(fixture: &Fixture, authority: &Authority, name: &str) -> Login {
    let login = fixture.credential_with(name, "acme", &["--external-identity"]);
    authority.sign(&login.username);
    login
}

/// A client with a certificate that has its subscription and a Will.
pub(crate) fn subscriber(fixture: &Fixture, authority: &Authority, login: &Login) -> Background {
    let name = login.username.trim_end_matches("@acme");
    let mut subscriber = authority
        .certified("mosquitto_sub", tls(fixture), &login.username)
        .args(["-d", "-t", &format!("acme/{name}/in")])
        .args([
            "--will-topic",
            &format!("acme/{name}/will"),
            "--will-payload",
            "gone",
        ])
        .background()
        .unwrap();
    subscriber.wait_for_output("SUBACK", PATIENCE).unwrap();
    wait_until("the client is listed", || {
        let listed = fixture.cli.json(&["clients", "list", "--tenant", "acme"]);
        let listed = listed.as_array().unwrap();
        listed
            .iter()
            .any(|client| client["username"] == login.username.as_str())
    });
    subscriber
}

/// A device of a scheme that asks for TLS: its token serves as its name too.
fn device_for_tls_alone(fixture: &Fixture) -> Login {
    fixture.scheme_like("vwire-token", "vwire-tls", "tls_only", "true");
    let token = text(
        &fixture.make("vwire-tls", "acme", &["greenhouse"]),
        "secret",
    );
    Login {
        username: token.clone(),
        secret: token,
    }
}

const TOPIC: &str = "vwire/acme/greenhouse/pin/V0";

#[test]
fn v16_a_token_for_tls_alone_is_refused_where_there_is_none() {
    let authority = Authority::new();
    let fixture = Fixture::start_with(Version::V2_1, |builder| {
        let builder = authority
            .listener_lines()
            .iter()
            .fold(builder.listener(), |builder, line| {
                builder.listener_line(line)
            });
        let port = builder.port_of(1);
        builder.plugin_option("tls_listeners", port)
    });
    fixture.tenant("acme", &[]);
    let mut observer = fixture.observer("vwire/#");
    let device = device_for_tls_alone(&fixture);
    let arguments = presenting(&device.username, &device);
    let plain = publish(
        Tool::mosquitto("mosquitto_pub", fixture.port()).args(arguments),
        TOPIC,
    );
    assert_eq!(plain.code, Some(5), "{plain:?}");
    fixture
        .broker
        .wait_for_log("tls-required", PATIENCE)
        .unwrap();
    assert_eq!(topics_so_far(&mut observer), [""; 0]);
    let client = authority.client("mosquitto_pub", tls(&fixture));
    let protected = publish(client.args(arguments), TOPIC);
    assert_eq!(protected.code, Some(0), "{protected:?}");
    assert_eq!(topics_so_far(&mut observer), [TOPIC]);
}

#[test]
fn v16_where_the_port_is_not_known_nobody_is_taken_to_use_tls() {
    for version in [Version::V2_0_11, Version::V2_0_21] {
        let authority = Authority::new();
        let fixture = start(version, &authority, &[]);
        fixture.tenant("acme", &[]);
        let device = device_for_tls_alone(&fixture);
        let arguments = presenting(&device.username, &device);
        for client in [
            Tool::mosquitto("mosquitto_pub", fixture.port()),
            authority.client("mosquitto_pub", tls(&fixture)),
        ] {
            let refused = publish(client.args(arguments), TOPIC);
            assert_eq!(refused.code, Some(5), "{version}: {refused:?}");
        }
        let builder = Broker::builder(version);
        let port = builder.port();
        let failure = builder
            .plugin(artifacts::plugin().unwrap())
            .plugin_option("store", fixture.cli.store().display())
            .plugin_option("broker", "another")
            .plugin_option("tls_listeners", port)
            .start_expecting_failure()
            .unwrap();
        assert!(failure.log.contains("2.1"), "{failure}");
    }
}
