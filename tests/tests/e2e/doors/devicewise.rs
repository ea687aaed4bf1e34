//! Rows D1, D6–D8, D13 and D34: deviceWISE's authentication over HTTP.

use countersign_testkit::Version;
use countersign_tests::service::Service;
use countersign_tests::{ACCEPTED, Fixture, Login, REFUSED, is_kicked, on_every_broker, text};
use serde_json::{Value, json};

/// A broker, and a service with the door; tenant `t1`, and its user.
fn start(version: Version) -> (Fixture, Service, Login) {
    let fixture = Fixture::start(version);
    let jane = fixture.jane();
    let service = fixture.serve_with(&["--door", "devicewise"]);
    (fixture, service, jane)
}

/// What the door answers to a message.
fn post(service: &Service, message: &Value) -> Value {
    let (status, told) = service.ask("POST", "/api", None, Some(message));
    assert_eq!(status, 200, "{told}");
    told
}

/// How a user authenticates.
fn auth(user: &Login, more: &[(&str, &str)]) -> Value {
    let mut params = json!({ "username": user.username, "password": user.secret });
    for (name, value) in more {
        params[*name] = json!(value);
    }
    json!({ "auth": { "command": "api.authenticate", "params": params } })
}

/// The id of a new session.
fn session(service: &Service, user: &Login) -> String {
    let told = post(service, &auth(user, &[]));
    assert_eq!(told["auth"]["success"], true, "{told}");
    text(&told["auth"]["params"], "sessionId")
}

/// What one command of a session is answered.
fn give(service: &Service, session: &str, command: &str, params: Value) -> Value {
    let message = json!({
        "auth": { "sessionId": session },
        "1": { "command": command, "params": params },
    });
    post(service, &message)["1"].clone()
}

fn is_refused(told: &Value, code: i64) -> bool {
    told["success"] == false
        && told["errorCodes"] == json!([code])
        && told["errorMessages"].is_array()
}

on_every_broker! {
    fn d1_nothing_is_done_before_the_client_authenticates(version) {
        let (fixture, service, jane) = start(version);
        fixture.grant(&jane, "t1", &["--org-admin"]);
        let make = json!({ "command": "session.jwt.create", "params": { "role": "all", "whoami": "me" } });
        for auth in [json!(null), json!({}), json!({ "sessionId": "nonsense" }), json!({ "sessionId": "" })] {
            let told = post(&service, &json!({ "auth": auth, "1": make }));
            assert!(is_refused(&told, -91_010) && told.get("1").is_none(), "{told}");
        }
        assert!(is_refused(&post(&service, &json!({ "1": make })), -91_010));
        assert_eq!(fixture.cli.json(&["jwt", "list", "--tenant", "t1"]), json!([]));
        // A session that ended gives no command either.
        let id = session(&service, &jane);
        assert_eq!(give(&service, &id, "session.info", json!({}))["success"], true);
        fixture.cli.act(&format!("user ungrant {} --tenant t1", jane.username), &[]);
        let told = give(&service, &id, "session.jwt.create", json!({ "role": "all", "whoami": "me" }));
        assert!(told.is_null() || told["success"] == false, "{told}");
        assert_eq!(fixture.cli.json(&["jwt", "list", "--tenant", "t1"]), json!([]));
    }

    fn d6_d7_d8_the_code_is_asked_for_only_where_the_password_was_right(version) {
        let fixture = Fixture::start(version);
        let jane = fixture.jane();
        fixture.wait_for_a_fresh_step();
        let factor = fixture.enrol_and_confirm(&jane);
        let service = fixture.serve_with(&["--door", "devicewise"]);
        let told = post(&service, &auth(&jane, &[]));
        assert!(is_refused(&told, -90_041) && is_refused(&told["auth"], -90_041), "{told}");
        // A wrong password is told as any other, whatever the code is.
        let wrong = jane.with_secret("wrong");
        let code = factor.code(0);
        for more in [&[][..], &[("secondaryPassword", &*code)]] {
            let told = post(&service, &auth(&wrong, more));
            assert!(is_refused(&told, -91_010), "{told}");
        }
        let told = post(&service, &auth(&jane, &[("secondaryPassword", &factor.wrong_code())]));
        assert!(is_refused(&told, -91_010), "{told}");
        let told = post(&service, &auth(&jane, &[("secondaryPassword", &code)]));
        assert_eq!(told["auth"]["success"], true, "{told}");
        let id = text(&told["auth"]["params"], "sessionId");
        assert_eq!(give(&service, &id, "session.info", json!({}))["params"]["username"], jane.username);
        // A code counts once.
        let told = post(&service, &auth(&jane, &[("secondaryPassword", &code)]));
        assert!(is_refused(&told, -91_010), "{told}");
    }

    fn d13_a_user_switches_between_the_organizations_that_are_granted(version) {
        let (fixture, service, jane) = start(version);
        fixture.tenant("t2", &[]);
        fixture.tenant("t3", &[]);
        let [one, only] = [session(&service, &jane), session(&service, &jane)];
        let org = |id: &str| give(&service, id, "session.info", json!({}))["params"]["orgKey"].clone();
        let switch = |id: &str, key: &str| give(&service, id, "session.org.switch", json!({ "key": key }));
        assert_eq!(org(&one), "t1");
        fixture.grant(&jane, "t2", &["--org-admin"]);
        // A grant is no end of a session; with two, which is meant must be said.
        let made = json!({ "role": "all", "whoami": "me" });
        assert_eq!(org(&one), Value::Null);
        assert!(is_refused(&give(&service, &one, "session.jwt.create", made), -91_006));
        assert_eq!(switch(&one, "t2"), json!({ "success": true, "params": { "orgKey": "t2" } }));
        assert_eq!(org(&one), "t2");
        // Another session stays where it was.
        assert_eq!(org(&only), Value::Null);
        for key in ["t3", "nosuch"] {
            assert!(is_refused(&switch(&one, key), -91_006), "{key}");
        }
        assert!(is_refused(&give(&service, &one, "session.org.switch", json!({})), -91_003));
        assert_eq!(org(&one), "t2");
        // Another service on the store knows it, too.
        let other = fixture.serve_with(&["--door", "devicewise"]);
        assert_eq!(give(&other, &one, "session.info", json!({}))["params"]["orgKey"], "t2");
        let listed = give(&service, &one, "session.org.list", json!({}))["params"]["orgs"].clone();
        let current = |org: &&Value| org["current"] == true;
        let orgs = listed.as_array().unwrap();
        assert_eq!(orgs.iter().map(|org| text(org, "key")).collect::<Vec<_>>(), ["t1", "t2"]);
        assert_eq!(orgs.iter().filter(current).map(|org| text(org, "key")).collect::<Vec<_>>(), ["t2"]);
        // What is made there is of that organization: its token is let in there.
        fixture.role("r2", "t2", &["t2/#"]);
        let told = give(&service, &one, "session.jwt.create", json!({ "role": "r2", "whoami": "me" }));
        let bearer = Login { username: "jwt".into(), secret: text(&told["params"], "token") };
        let mut client = bearer.connect("a").accepted(fixture.port());
        assert_eq!(client.subscribe(&[("t2/x", 0), ("t1/x", 0)]).unwrap(), [0, 0x80]);
        assert_eq!(switch(&one, "t1")["success"], true);
        assert!(is_refused(&give(&service, &one, "session.jwt.create", json!({ "role": "all", "whoami": "you" })), -91_005));
    }

    fn d34_a_token_is_made_by_the_session_of_an_administrator_alone(version) {
        let (fixture, service, jane) = start(version);
        let make = |id: &str, params: Value| give(&service, id, "session.jwt.create", params);
        let asked = json!({ "role": "all", "whoami": "fleet", "ttl": 3600 });
        assert!(is_refused(&make(&session(&service, &jane), asked.clone()), -91_005));
        let admin = fixture.user("ada@mail.test", "correct horse battery");
        fixture.grant(&admin, "t1", &["--org-admin"]);
        let id = session(&service, &admin);
        let told = make(&id, asked);
        assert_eq!(told["success"], true, "{told}");
        let bearer = Login { username: "fleet".into(), secret: text(&told["params"], "token") };
        let mut client = bearer.connect("a").accepted(fixture.port());
        let jti = text(&told["params"], "jti");
        let listed = fixture.cli.json(&["jwt", "list", "--tenant", "t1"]);
        assert_eq!((text(&listed[0], "jti"), text(&listed[0], "issuer")), (jti, "ada@mail.test".into()));
        for (params, code) in [
            (json!({ "role": "nosuch", "whoami": "x" }), -91_006),
            (json!({ "whoami": "x" }), -91_003),
            (json!({ "role": "all", "whoami": "x", "ttl": 86_401 }), -91_003),
            (json!({ "role": "all", "whoami": "x", "ttl": 0 }), -91_003),
            (json!({ "role": "all", "whoami": "x", "ttl": -1 }), -91_003),
            (json!({ "role": "all", "whoami": "x", "thingKeys": ["nosuch"] }), -91_006),
        ] {
            let told = make(&id, params.clone());
            assert!(is_refused(&told, code), "{params}: {told}");
        }
        // It dies with the right of who made it.
        fixture.cli.act("user ungrant ada@mail.test --tenant t1", &[]);
        assert!(is_kicked(&mut client), "its issuer administers no more, and it is still there");
        assert_eq!(bearer.connect("a").code(fixture.port()), REFUSED);
        assert_eq!(fixture.code(&jane), ACCEPTED);
    }
}
