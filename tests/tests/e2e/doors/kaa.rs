//! Rows K1, K5, K7, K8, K18–K22, K27 and K36 as Kaa's own programs ask for them: over
//! HTTP, in Kaa's form.

use countersign_testkit::{Connect, Version};
use countersign_tests::service::Service;
use countersign_tests::{
    ACCEPTED, Fixture, Login, REFUSED, is_kicked, on_every_broker, text, wait_until,
};
use serde_json::{Value, json};

const ALL: &str = "/ccm/api/v1/basic-credentials";
const SETTINGS: &str = "/ccm/api/v1/tenant-settings";

/// A broker whose tenant `t1` owns Kaa's topics, and the door of its administrator.
struct Kaa {
    fixture: Fixture,
    service: Service,
    token: String,
}

impl Kaa {
    fn start(version: Version) -> Self {
        let fixture = Fixture::start_with_tenant(version);
        let service = fixture.serve_with(&["--door", "kaa"]);
        let token = fixture.api_token("tenant:t1");
        Self {
            fixture,
            service,
            token,
        }
    }

    fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        self.service
            .ask(method, path, Some(&self.token), body.as_ref())
    }

    /// The same, which must be answered with this status.
    #[track_caller]
    fn with(&self, status: u16, method: &str, path: &str, body: Option<Value>) -> Value {
        let (found, answer) = self.ask(method, path, body);
        assert_eq!(found, status, "{method} {path}: {answer}");
        answer
    }

    /// New credentials.
    fn make(&self, username: &str) -> Value {
        self.with(201, "POST", ALL, Some(json!({ "username": username })))
    }

    #[track_caller]
    fn set_state(&self, status: u16, of: &Value, state: &str) -> Value {
        let path = format!("{}/state", path(of));
        self.with(status, "PUT", &path, Some(json!({ "state": state })))
    }

    fn requires_login(&self, is_required: bool) {
        let said = json!({ "basicAuthEnabled": is_required });
        assert_eq!(self.with(200, "PUT", SETTINGS, Some(said.clone())), said);
        assert_eq!(self.with(200, "GET", SETTINGS, None), said);
    }

    fn code(&self, login: &Login) -> Option<u8> {
        self.fixture.code(login)
    }
}

/// Where credentials are.
fn path(made: &Value) -> String {
    format!("{ALL}/{}", text(made, "id"))
}

fn login(made: &Value) -> Login {
    Login {
        username: text(made, "username"),
        secret: text(made, "password"),
    }
}

on_every_broker! {
    fn k1_kaas_request_makes_credentials_that_log_in(version) {
        let kaa = Kaa::start(version);
        let made = kaa.make("dev1");
        assert_eq!((&made["username"], &made["state"]), (&json!("dev1@t1"), &json!("Inactive")));
        assert!(text(&made, "password").len() >= 32 && !text(&made, "id").is_empty(), "{made}");
        assert_eq!(kaa.code(&login(&made)), ACCEPTED);
        let entered = json!({ "username": "dev2", "password": "correct horse" });
        let made = kaa.with(201, "POST", ALL, Some(entered));
        assert_eq!(text(&made, "password"), "correct horse");
        assert_eq!(kaa.code(&login(&made)), ACCEPTED);
        // A form that is not Kaa's is refused in one that Kaa's programs read.
        let refused = kaa.with(400, "POST", ALL, Some(json!({ "password": "correct horse" })));
        assert!(text(&refused, "message").contains("username"), "{refused}");
        let (status, refused) = kaa.service.ask("GET", ALL, None, None);
        assert_eq!((status, &refused["status"]), (401, &json!(401)), "{refused}");
    }

    fn k5_kaas_request_for_a_name_that_is_taken_is_a_conflict(version) {
        let kaa = Kaa::start(version);
        kaa.fixture.tenant("t2", &[]);
        let other = kaa.fixture.api_token("tenant:t2");
        let of_other = |method: &str, path: &str, body: Option<&Value>| {
            kaa.service.ask(method, path, Some(&other), body)
        };
        let made = kaa.make("dev1");
        let new = json!({ "username": "dev1" });
        let (status, of_t2) = of_other("POST", ALL, Some(&new));
        assert_eq!((status, text(&of_t2, "username")), (201, "dev1@t2".into()), "{of_t2}");
        let refused = kaa.with(409, "POST", ALL, Some(new));
        assert!(text(&refused, "message").contains("dev1@t1"), "{refused}");
        // Each logs in, and neither tenant is told of what is the other's.
        assert_eq!(login(&made).connect("one").code(kaa.fixture.port()), ACCEPTED);
        assert_eq!(login(&of_t2).connect("other").code(kaa.fixture.port()), ACCEPTED);
        for method in ["GET", "DELETE"] {
            assert_eq!(of_other(method, &path(&made), None).0, 404, "{method}");
        }
        let (_, listed) = of_other("GET", ALL, None);
        let ids: Vec<_> = listed.as_array().unwrap().iter().map(|it| text(it, "id")).collect();
        assert_eq!(ids, [text(&of_t2, "id")]);
    }

    fn k7_kaas_switch_lets_devices_in_that_have_no_login(version) {
        let kaa = Kaa::start(version);
        let anonymous = || kaa.fixture.kaa_request_with(&["-V", "311"]).code;
        kaa.requires_login(false);
        // A client that is refused was a client of no tenant: it may join this one now.
        wait_until("anonymous clients are let in", || anonymous() == Some(27));
        let made = kaa.make("dev1");
        let wrong = login(&made).with_secret("wrong");
        assert_eq!(kaa.code(&wrong), ACCEPTED);
        assert_eq!(kaa.with(200, "GET", &path(&made), None)["state"], "Inactive");
    }

    fn k8_kaas_switch_has_all_devices_log_in(version) {
        let kaa = Kaa::start(version);
        kaa.requires_login(false);
        let port = kaa.fixture.port();
        let made = login(&kaa.make("dev1"));
        wait_until("anonymous clients are let in", || {
            Connect::v311("anybody").code(port) == ACCEPTED
        });
        let mut anonymous = Connect::v311("a").accepted(port);
        anonymous.publish("kp1/x", b"x", 1, false).unwrap();
        let mut known = made.connect("k").accepted(port);
        kaa.requires_login(true);
        assert!(is_kicked(&mut anonymous), "it is there without a login");
        assert!(known.is_alive());
        assert_eq!(kaa.fixture.kaa_request_with(&["-V", "311"]).code, Some(5));
        assert_eq!(kaa.code(&made.with_secret("wrong")), REFUSED);
        assert_eq!(kaa.code(&made), ACCEPTED);
    }

    fn k18_kaas_requests_suspend_credentials_and_lift_that(version) {
        let kaa = Kaa::start(version);
        let made = kaa.make("dev1");
        let login = login(&made);
        let mut client = login.connect("a-client").accepted(kaa.fixture.port());
        assert_eq!(kaa.set_state(200, &made, "Suspended")["state"], "Suspended");
        assert!(is_kicked(&mut client), "it is suspended, and still there");
        assert_eq!(kaa.code(&login), REFUSED);
        kaa.set_state(409, &made, "Suspended");
        assert_eq!(kaa.set_state(200, &made, "Active")["state"], "Active");
        wait_until("it is let in again", || kaa.code(&login) == ACCEPTED);
        // Nothing leads back to where it began.
        kaa.set_state(409, &made, "Inactive");
        kaa.set_state(400, &made, "active");
    }

    fn k21_kaas_request_revokes_credentials_for_good(version) {
        let kaa = Kaa::start(version);
        let made = kaa.make("dev1");
        let login = login(&made);
        let request = || kaa.fixture.kaa_request(&login.username, &login.secret, "311");
        assert_eq!(request().code, Some(27));
        assert_eq!(kaa.set_state(200, &made, "Revoked")["state"], "Revoked");
        let refused = request();
        assert_eq!(refused.code, Some(5), "{refused:?}");
        assert!(refused.stderr.contains("Connection error: Unknown reason"), "{refused:?}");
        // K22: nothing leads back, and the record can be removed.
        for state in ["Active", "Suspended", "Inactive", "Revoked"] {
            kaa.set_state(409, &made, state);
        }
        kaa.with(409, "POST", &format!("{}/reset-password", path(&made)), None);
        kaa.with(204, "DELETE", &path(&made), None);
        let again = kaa.make("dev1");
        assert_ne!(again["id"], made["id"]);
        for (method, path) in [("GET", path(&made)), ("DELETE", path(&made))] {
            kaa.with(404, method, &path, None);
        }
        assert_eq!(kaa.with(200, "GET", &path(&again), None)["state"], "Inactive");
        assert_eq!(kaa.code(&login), REFUSED);
    }

    fn k27_kaas_request_replaces_a_password(version) {
        let kaa = Kaa::start(version);
        let made = kaa.make("dev1");
        let (first, reset) = (login(&made), format!("{}/reset-password", path(&made)));
        let mut client = first.connect("a-client").accepted(kaa.fixture.port());
        let renewed = kaa.with(200, "POST", &reset, None);
        assert!(is_kicked(&mut client), "its password is another, and it is still there");
        assert_eq!((&renewed["state"], &renewed["id"]), (&json!("Active"), &made["id"]));
        let second = login(&renewed);
        assert_eq!(kaa.code(&first), REFUSED);
        assert_eq!(kaa.code(&second), ACCEPTED);
        let entered = json!({ "password": "entered by hand" });
        let renewed = kaa.with(200, "POST", &reset, Some(entered));
        assert_eq!(kaa.code(&second), REFUSED);
        assert_eq!(kaa.code(&login(&renewed)), ACCEPTED);
        assert_eq!(text(&renewed, "password"), "entered by hand");
    }

    fn k36_kaas_list_is_an_array_with_states_and_dates(version) {
        let kaa = Kaa::start(version);
        assert_eq!(kaa.with(200, "GET", ALL, None), json!([]));
        let used = kaa.make("used");
        kaa.make("fresh");
        // One of another scheme is no basic credential.
        kaa.fixture.make("generated", "t1", &[]);
        assert_eq!(kaa.code(&login(&used)), ACCEPTED);
        let listed = kaa.with(200, "GET", ALL, None);
        let rows: Vec<_> = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|row| (text(row, "username"), text(row, "state"), row["lastUseDate"].is_string()))
            .collect();
        assert_eq!(rows, [
            ("fresh@t1".into(), "Inactive".into(), false),
            ("used@t1".into(), "Active".into(), true),
        ]);
        for row in listed.as_array().unwrap() {
            for key in ["createdDate", "updatedDate"] {
                assert!(text(row, key).parse::<jiff::Timestamp>().is_ok(), "{row}");
            }
            assert_eq!(row.get("password"), None);
            assert_eq!(*row, kaa.with(200, "GET", &path(row), None));
        }
        let shown = kaa.with(200, "GET", &path(&used), None);
        assert_eq!(text(&shown, "id"), text(&used, "id"));
    }
}
