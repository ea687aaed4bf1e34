//! Tokens of others' issuers as passwords, on real brokers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use countersign_testkit::artifacts;
use countersign_testkit::mqtt::Connect;
use countersign_testkit::token_issuer::TokenIssuer;
use countersign_testkit::tools::Tool;
use countersign_tests::authority::Authority;
use countersign_tests::key_server::KeyServer;
use countersign_tests::service::Service;
use countersign_tests::{
    Fixture, PATIENCE, REFUSED_V5, on_every_broker, text, topics_so_far, wait_until,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Adds an issuer of a tenant, whose tokens are for the tenant's name.
fn add(fixture: &Fixture, folder: &TempDir, tenant: &str, issuer: &TokenIssuer, more: &[&str]) {
    let jwks = folder.path().join(format!("{tenant}.jwks.json"));
    std::fs::write(&jwks, issuer.jwks()).unwrap();
    let jwks = jwks.display().to_string();
    let known = [
        "issuer",
        "add",
        tenant,
        "--tenant",
        tenant,
        "--iss",
        "https://sso.example",
        "--jwks",
        &jwks,
        "--alg",
        "EdDSA",
        "--audience",
        tenant,
    ];
    fixture.cli.json(&[&known, more].concat());
}

/// The issuer of tenant `acme`.
fn shown(fixture: &Fixture) -> Value {
    fixture.cli.json(&["issuer", "show", "acme"])
}

/// What a token claims that lasts for so long.
fn claims(tenant: &str, subject: &str, lasts: Duration) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    json!({
        "iss": "https://sso.example", "aud": tenant, "sub": subject, "jti": format!("t-{subject}"),
        "exp": (now + lasts).as_secs(),
    })
}

const HOUR: Duration = Duration::from_secs(3_600);

fn connect(client_id: &str, username: &str, token: &str) -> Connect {
    Connect::v311(client_id).login(username, token)
}

on_every_broker! {
    fn a_token_of_an_issuer_logs_its_device_in_until_it_ends_or_is_revoked(version) {
        let folder = TempDir::new().unwrap();
        let (fixture, clock) = Fixture::start_with_clock(version);
        fixture.tenant("acme", &[]);
        fixture.tenant("beta", &[]);
        let [ours, theirs] = [1, 2].map(TokenIssuer::new);
        fixture.cli.json(&["role", "create", "more", "--tenant", "acme"]);
        fixture.cli.json(&["role", "deny", "more", "--tenant", "acme", "publish", "acme/no"]);
        fixture.credential("dev1", "acme");
        fixture.credential("dev2", "acme");
        add(&fixture, &folder, "acme", &ours, &["--role-claim", "roles", "--role-map", "operator=more"]);
        add(&fixture, &folder, "beta", &theirs, &[]);
        let mut observer = fixture.observer("#");
        let good = ours.sign(&claims("acme", "dev1", HOUR));
        let mut named = connect("one", "dev1@acme", &good).accepted(fixture.port());
        let mut with_role = claims("acme", "dev1", HOUR);
        with_role["roles"] = json!(["operator"]);
        let with_role = ours.sign(&with_role);
        let mut nameless = connect("two", "jwt", &with_role).accepted(fixture.port());
        named.publish("acme/one", "x", 1, false).unwrap();
        // A role that denies, by a word of the token.
        nameless.publish("acme/no", "x", 1, false).unwrap();
        nameless.publish("acme/two", "x", 1, false).unwrap();
        named.publish("acme/no", "x", 1, false).unwrap();
        let mut topics = topics_so_far(&mut observer);
        topics.sort();
        assert_eq!(topics, ["acme/no", "acme/one", "acme/two"]);
        for (username, token) in [
            ("dev2@acme", &good),
            ("jwt", &theirs.sign(&claims("acme", "dev1", HOUR))),
            ("jwt", &theirs.sign(&claims("beta", "dev1@acme", HOUR))),
            ("jwt", &ours.sign(&claims("acme", "nobody", HOUR))),
            ("jwt", &ours.sign(&claims("other", "dev1", HOUR))),
        ] {
            assert_eq!(connect("bad", username, token).code(fixture.port()), Some(5), "{username}");
        }
        // The program says the same, and whose token it was.
        let check = ["check", "connect", "--username", "jwt", "--client-id", "one"];
        let answer = fixture.cli.json_with_stdin(&[&check[..], &["--password-stdin"]].concat(), good.as_bytes());
        assert_eq!((&answer["reason"], &answer["issuer"]), (&json!("ok"), &json!("acme")));
        // A reload asks again about all, and ends none.
        fixture.broker.reload().unwrap();
        nameless.publish("acme/after", "x", 1, false).unwrap();
        assert_eq!(topics_so_far(&mut observer), ["acme/after"]);
        fixture.cli.json(&["issuer", "revoke", "acme", "t-dev1"]);
        for mut session in [named, nameless] {
            wait_until("the session ended", || !session.is_alive());
        }
        assert_eq!(connect("one", "jwt", &good).code(fixture.port()), Some(5));
        let short = ours.sign(&claims("acme", "dev2", HOUR));
        let mut short = connect("three", "jwt", &short).accepted(fixture.port());
        clock.set(HOUR + Duration::from_secs(1));
        fixture.broker.wait_for_log("ended the session of `dev2@acme` (three): expired", PATIENCE).unwrap();
        wait_until("the session ended", || !short.is_alive());
    }

    fn keys_are_fetched_from_where_an_issuer_publishes_them_and_the_last_good_ones_stay(version) {
        let authority = Authority::new();
        let server = KeyServer::start(&authority);
        let [first, second] = [1, 2].map(TokenIssuer::new);
        server.publish(&first.jwks());
        let (fixture, clock) = Fixture::start_with_clock(version);
        fixture.tenant("acme", &[]);
        fixture.credential("dev1", "acme");
        let url = format!("https://{}/keys", server.address);
        let add = |name: &str, url: &str, more: &[&str]| {
            let known = [
                "issuer", "add", name, "--tenant", "acme", "--iss", "https://sso.example",
                "--jwks-url", url, "--alg", "EdDSA", "--audience", name,
            ];
            fixture.cli.json(&[&known, more].concat())
        };
        let added = add("acme", &url, &["--allow-private"]);
        assert_eq!((&added["keys"], &added["fetched_at"]), (&json!([]), &Value::Null));
        let lasting = claims("acme", "dev1", 30 * 24 * HOUR);
        let [old, new] = [&first, &second].map(|issuer| issuer.sign(&lasting));
        assert_eq!(connect("one", "jwt", &old).code(fixture.port()), Some(5));
        fixture.wait_for_cause("jwt", "keys-outdated");
        let alone = fixture.cli.refused(&["issuer", "refresh", "acme"]);
        assert!(alone.contains("no `countersign serve` runs"), "{alone}");
        let _service = Service::start_trusting(&fixture.cli, &authority.path("ca.crt")).unwrap();
        // It begins by itself.
        wait_until("keys were fetched", || shown(&fixture)["fetched_at"].is_string());
        assert_eq!(shown(&fixture)["keys"][0]["kid"], "key-1");
        let mut session = connect("one", "jwt", &old).accepted(fixture.port());

        // Other keys, for which somebody asks.
        server.publish(&second.jwks());
        let refreshed = fixture.cli.json(&["issuer", "refresh", "acme"]);
        assert_eq!(refreshed["keys"], json!([{ "kid": "key-2", "alg": "EdDSA" }]));
        let mut other = connect("two", "jwt", &new).accepted(fixture.port());
        assert_eq!(connect("three", "jwt", &old).code(fixture.port()), Some(5));
        assert!(session.is_alive(), "its token counts until it ends");

        // Whatever else is there, the last good ones stay.
        let good = shown(&fixture)["fetched_at"].clone();
        let asked = server.requests();
        let long = "x".repeat(70_000);
        for (answer, told) in [
            (format!("302 Found\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n"), "redirects are not followed"),
            ("503 Busy\r\nContent-Length: 0\r\n\r\n".into(), "it answered 503"),
            (format!("200 OK\r\nContent-Length: 70000\r\n\r\n{long}"), "longer than 65536 bytes"),
            (format!("200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11170\r\n{long}\r\n0\r\n\r\n"), "longer than 65536 bytes"),
            ("200 OK\r\nContent-Length: 6\r\n\r\n<html>".into(), "it is no JWK Set"),
            ("200 OK\r\nContent-Length: 9\r\n\r\n{}".into(), "the answer is broken"),
            ("".into(), "the answer is broken"),
        ] {
            server.answer(&answer);
            let refused = fixture.cli.refused(&["issuer", "refresh", "acme"]);
            assert!(refused.contains(told), "{refused}");
            let kept = shown(&fixture);
            assert_eq!((&kept["keys"], &kept["fetched_at"]), (&refreshed["keys"], &good));
            assert!(text(&kept, "problem").contains(told), "{kept}");
        }
        assert_eq!(server.requests() - asked, 7, "none was led elsewhere");
        drop(server);
        let refused = fixture.cli.refused(&["issuer", "refresh", "acme"]);
        assert!(refused.contains("it can't be reached"), "{refused}");
        drop(connect("four", "jwt", &new).accepted(fixture.port()));

        // A private address where that was not said, and one that nobody vouches for.
        let strange = Authority::new();
        let strange = KeyServer::start(&strange);
        strange.publish(&first.jwks());
        let strange = format!("https://{}/keys", strange.address);
        add("private", &strange, &[]);
        let refused = fixture.cli.refused(&["issuer", "refresh", "private"]);
        assert!(refused.contains("127.0.0.1 is a private address"), "{refused}");
        add("strange", &strange, &["--allow-private"]);
        let refused = fixture.cli.refused(&["issuer", "refresh", "strange"]);
        assert!(refused.contains("TLS failed"), "{refused}");

        // They count for a week.
        clock.set(7 * 24 * HOUR + Duration::from_secs(60));
        assert_eq!(connect("five", "jwt", &new).code(fixture.port()), Some(5));
        fixture.wait_for_cause("jwt", "keys-outdated");
        assert!(session.is_alive() && other.is_alive());
    }

    fn an_issuer_registers_devices_and_none_again_that_was_deleted(version) {
        let folder = TempDir::new().unwrap();
        let fixture = Fixture::start(version);
        fixture.tenant("acme", &[]);
        let issuer = TokenIssuer::new(1);
        fixture.cli.json(&["role", "create", "meter", "--tenant", "acme"]);
        fixture.cli.json(&["role", "deny", "meter", "--tenant", "acme", "publish", "acme/no"]);
        add(&fixture, &folder, "acme", &issuer, &["--auto-register", "--role", "meter", "--max", "2"]);
        let mut observer = fixture.observer("#");
        let comes = |name: &str| connect(name, "jwt", &issuer.sign(&claims("acme", name, HOUR)));
        let mut first = comes("new1").accepted(fixture.port());
        first.publish("acme/no", "x", 1, false).unwrap();
        first.publish("acme/new1", "x", 1, false).unwrap();
        assert_eq!(topics_so_far(&mut observer), ["acme/new1"], "it has the role, which denies");
        let shown = fixture.cli.json(&["credential", "show", "new1@acme"]);
        assert_eq!(shown["roles"], json!(["meter"]));
        assert_eq!(comes("a/b").code(fixture.port()), Some(5));
        fixture.cli.json(&["credential", "delete", "new1@acme"]);
        wait_until("the session ended", || !first.is_alive());
        let token = issuer.sign(&claims("acme", "new1", HOUR));
        assert_eq!(connect("new1", "new1@acme", &token).code(fixture.port()), Some(5));
        fixture.wait_for_cause("new1@acme", "revoked");
        // It had its place, and has it still: the second is the last.
        drop(comes("new2").accepted(fixture.port()));
        assert_eq!(comes("new3").code(fixture.port()), Some(5));
        let forgotten = fixture.cli.json(&["issuer", "forget", "acme", "new1"]);
        assert_eq!(forgotten, json!({ "forgotten": "new1@acme" }));
        assert_eq!(comes("new1").code(fixture.port()), Some(5), "it has no place any more");
        fixture.credential("new1", "acme");
        drop(comes("new1").accepted(fixture.port()));
        assert_eq!(fixture.cli.json(&["issuer", "show", "acme"])["registered"], 2);
    }

    fn a_token_by_a_method_of_mqtt_5_logs_its_device_in(version) {
        let folder = TempDir::new().unwrap();
        let fixture = Fixture::start(version);
        fixture.tenant("acme", &[]);
        let issuer = TokenIssuer::new(1);
        add(&fixture, &folder, "acme", &issuer, &[]);
        let device = fixture.credential("dev1", "acme");
        let good = issuer.sign(&claims("acme", "dev1", HOUR));
        let by = |method: &str, data: &str| {
            Connect::v5("one").authentication(method, Some(data.as_bytes()))
        };
        for method in ["OAUTH2-JWT", "CUSTOM-JWT"] {
            let mut client = by(method, &good).accepted(fixture.port());
            assert!(client.publish("acme/one", "x", 1, false).unwrap() < 0x80);
        }
        // A client that others wrote hears its method again.
        let wrong = TokenIssuer::new(2).sign(&claims("acme", "dev1", HOUR));
        let mut observer = fixture.observer("#");
        let paho = |token: &str| {
            let script = artifacts::workspace().join("tests/python/method.py");
            let port = fixture.port().to_string();
            let python = Tool::new(artifacts::python("python").unwrap()).args([&script]);
            let python = python.args([&port, "two", "OAUTH2-JWT", "acme/paho"]);
            let told = python.stdin(token).run(PATIENCE).unwrap();
            told.stdout.trim().to_owned()
        };
        assert_eq!(paho(&good), "0 OAUTH2-JWT");
        assert_eq!(topics_so_far(&mut observer), ["acme/paho"]);
        assert!(paho(&wrong).starts_with("135 "));
        for (connect, code) in [
            (by("OAUTH2-JWT", &wrong), REFUSED_V5),
            (by("OAUTH2-JWT", &device.secret).username(&device.username), REFUSED_V5),
            (by("OAUTH2-JWT", &good).username("dev2@acme"), REFUSED_V5),
            (by("JWT", &good), Some(0x8c)),
        ] {
            assert_eq!(connect.code(fixture.port()), code);
        }
        let mut client = by("OAUTH2-JWT", &good).accepted(fixture.port());
        fixture.broker.reload().unwrap();
        assert!(client.publish("acme/after", "x", 1, false).unwrap() < 0x80);
        fixture.cli.json(&["issuer", "revoke", "acme", "t-dev1"]);
        wait_until("the session ended", || !client.is_alive());
        assert_eq!(by("OAUTH2-JWT", &good).code(fixture.port()), REFUSED_V5);
    }
}
