//! The service beside a broker: what is asked for over HTTP holds for clients of MQTT.

use countersign_testkit::tools::Output;
use countersign_tests::service::Service;
use countersign_tests::{
    ACCEPTED, Fixture, Login, REFUSED, is_kicked, on_every_broker, publishes, subscribes, text,
    wait_until,
};
use serde_json::{Value, json};

/// The clients that the service lists for who has this token.
fn clients(service: &Service, token: &str) -> Vec<Value> {
    let (status, listed) = service.ask("GET", "/api/v1/clients?tenant=acme", Some(token), None);
    assert_eq!(status, 200, "{listed}");
    listed["items"].as_array().unwrap().clone()
}

on_every_broker! {
    fn what_is_done_over_http_is_done_to_live_sessions(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("acme", &[]);
        let service = fixture.serve();
        let [admin, viewer] = ["tenant:acme", "viewer:acme"].map(|scope| fixture.api_token(scope));
        let (admin, viewer) = (Some(&*admin), &*viewer);
        assert_eq!(service.ask("GET", "/readyz", None, None).0, 200);
        let mut events = service.events(viewer);

        // A credential that is made over HTTP logs in, and is listed while it is connected.
        let new = json!({ "name": "dev1", "tenant": "acme" });
        let (status, made) = service.ask("POST", "/api/v1/credentials", admin, Some(&new));
        assert_eq!((status, &made["username"]), (201, &json!("dev1@acme")), "{made}");
        let login = Login::from(&made);
        let mut client = login.connect("pump").accepted(fixture.port());
        wait_until("the service lists the client", || !clients(&service, viewer).is_empty());
        events.until("credential", |it| it["act"] == "credential.create" && it["name"] == "dev1@acme");
        events.until("client", |it| it["connected"] == true && it["client_id"] == "pump");
        events.until("login", |it| it["outcome"] == "done" && it["name"] == "dev1@acme");
        // A use that is denied is told of once the broker has written it down.
        assert!(client.publish("other/x", b"x", 0, false).is_ok());
        events.until("denied", |it| it["topic"] == "other/x" && it["act"] == "publish");
        let listed = &clients(&service, viewer)[0];
        assert_eq!(listed["client_id"], "pump");
        assert_eq!(listed["username"], "dev1@acme");
        assert_eq!(listed["tenant"], "acme");

        // Who may only look, and who is unknown, ends nothing.
        let session = format!("/api/v1/clients/{}", text(listed, "session"));
        let suspend = "/api/v1/credentials/dev1@acme/suspend";
        for (token, kick, act) in [(Some(viewer), 403, 403), (None, 401, 401), (Some("no"), 401, 401)] {
            let asked = [("DELETE", session.as_str(), kick), ("POST", suspend, act)];
            for (method, path, expected) in asked {
                let (status, answer) = service.ask(method, path, token, None);
                assert_eq!(status, expected, "{method} {path}: {answer}");
            }
        }
        assert!(client.is_alive());

        // A kick ends the session, and the credential may come back.
        assert_eq!(service.ask("DELETE", &session, admin, None), (204, Value::Null));
        assert!(is_kicked(&mut client), "kicked over HTTP, and still there");
        assert_eq!(service.ask("DELETE", &session, admin, None).0, 404);
        let mut client = login.connect("pump").accepted(fixture.port());

        events.until("client", |it| it["connected"] == false);
        events.until("client", |it| it["connected"] == true);

        // A suspension ends it for now.
        let (status, suspended) = service.ask("POST", suspend, admin, None);
        assert_eq!((status, &suspended["state"]), (200, &json!("Suspended")), "{suspended}");
        assert!(is_kicked(&mut client), "suspended over HTTP, and still there");
        events.until("credential", |it| it["act"] == "credential.suspend");
        events.until("client", |it| it["connected"] == false);
        assert_eq!(login.connect("pump").code(fixture.port()), REFUSED);
        events.until("login", |it| it["outcome"] == "refused" && it["cause"] == "suspended");
        wait_until("the client is listed no more", || clients(&service, viewer).is_empty());
        let reactivate = "/api/v1/credentials/dev1@acme/reactivate";
        assert_eq!(service.ask("POST", reactivate, admin, None).0, 200);
        wait_until("it is let in again", || login.connect("pump").code(fixture.port()) == ACCEPTED);

        // The audit tells who did it, and the log holds no secret.
        let rows = fixture.cli.json(&["audit", "list", "--name", "dev1@acme"]);
        let mut rows = rows.as_array().unwrap().iter();
        let row = rows.find(|row| row["act"] == "credential.suspend" && row["outcome"] == "done");
        let actor = text(row.unwrap(), "actor");
        assert!(actor.starts_with("http:token:"), "{actor}");
        let Output { code, stdout, stderr } = service.end();
        assert_eq!((code, stdout.as_str()), (Some(0), ""), "{stderr}");
        for secret in [login.secret.as_str(), admin.unwrap(), viewer] {
            assert!(!stderr.contains(secret), "{stderr}");
        }
    }

    fn what_clients_do_is_told_to_whoever_watches_brokers(version) {
        let mut fixture = Fixture::start_with(version, |builder| builder.plugin_option("broker", "edge"));
        fixture.tenant("acme", &[]);
        let service = fixture.serve();
        let [platform, admin] = ["platform", "tenant:acme"].map(|scope| fixture.api_token(scope));
        for (token, expected) in [(None, 401), (Some(&*admin), 403)] {
            let (status, answer) = service.ask("GET", "/metrics", token, None);
            assert_eq!(status, expected, "{answer}");
        }
        let rows = |beginning: &str| {
            let text = service.text("/metrics", &platform);
            let mut rows: Vec<_> = text.lines().map(str::to_owned).collect();
            rows.retain(|row| row.starts_with(beginning));
            rows
        };
        let wait_for = |name: &str, expected: &[&str]| {
            let expected: Vec<_> = expected.iter().map(|row| format!("{name}{{broker=\"edge\"{row}")).collect();
            wait_until(&format!("told is {expected:?}"), || rows(&format!("{name}{{")) == expected);
        };
        let (logins, denied) = ("countersign_logins_total", "countersign_denied_total");
        let (sessions, lag) = ("countersign_sessions", "countersign_store_lag_seconds");
        wait_for(sessions, &["} 0"]);

        let login = fixture.credential("dev1", "acme");
        let mut first = login.connect_v5("c1").accepted(fixture.port());
        let mut second = login.connect("c2").accepted(fixture.port());
        for _ in 0..2 {
            assert_eq!(login.with_secret("wrong").connect("c3").code(fixture.port()), REFUSED);
        }
        for _ in 0..3 {
            assert!(!publishes(&mut first, "other/x"));
        }
        assert!(publishes(&mut first, "acme/x"));
        assert!(!subscribes(&mut first, "other/#"));
        let admitted = ",outcome=\"admitted\",cause=\"ok\"} 2";
        let wrong = ",outcome=\"refused\",cause=\"bad-secret\"} 2";
        wait_for(logins, &[admitted, wrong]);
        let [publish, subscribe] = [("publish", 3), ("subscribe", 1)]
            .map(|(act, count)| format!(",act=\"{act}\",cause=\"no-rule\"}} {count}"));
        wait_for(denied, &[publish.as_str(), subscribe.as_str()]);
        wait_for(sessions, &["} 2"]);
        wait_for(lag, &["} 0"]);

        // An act over HTTP ends the sessions, and is counted with what follows from it.
        let suspend = "/api/v1/credentials/dev1@acme/suspend";
        assert_eq!(service.ask("POST", suspend, Some(&admin), None).0, 200);
        assert!(is_kicked(&mut first) && is_kicked(&mut second), "suspended, and still there");
        assert_eq!(login.connect("c1").code(fixture.port()), REFUSED);
        let suspended = ",outcome=\"refused\",cause=\"suspended\"} 1";
        wait_for(logins, &[admitted, wrong, suspended]);
        wait_for(sessions, &["} 0"]);
        let act = "countersign_acts_total{act=\"credential.suspend\",";
        assert_eq!(rows(act), [format!("{act}outcome=\"done\"}} 1")]);

        // Of a broker that is gone nothing is told.
        fixture.broker.stop().unwrap();
        for name in [logins, denied, sessions, lag] {
            wait_until(name, || rows(&format!("{name}{{")).is_empty());
        }
    }

    fn a_second_factor_is_asked_for_over_http_and_its_code_counts_once(version) {
        let fixture = Fixture::start(version);
        let jane = fixture.jane();
        fixture.wait_for_a_fresh_step();
        let factor = fixture.enrol_and_confirm(&jane);
        let service = fixture.serve();
        let sign_in = |password: &str, code: Option<&str>| {
            let body = json!({ "email": jane.username, "password": password, "code": code });
            let (status, answer) = service.ask("POST", "/api/v1/session", None, Some(&body));
            (status, answer["kind"].as_str().unwrap_or_default().to_owned())
        };
        let refused = |kind: &str| (401, kind.to_owned());
        let (wrong, right) = (factor.wrong_code(), factor.code(0));
        assert_eq!(sign_in(&jane.secret, None), refused("mfa-required"));
        // Whoever does not know the password is not told that there is a factor.
        assert_eq!(sign_in("wrong", None), refused("unauthenticated"));
        assert_eq!(sign_in(&jane.secret, Some(&wrong)), refused("unauthenticated"));
        assert_eq!(sign_in(&jane.secret, Some(&right)).0, 201);
        assert_eq!(sign_in(&jane.secret, Some(&right)), refused("unauthenticated"));
    }
}
