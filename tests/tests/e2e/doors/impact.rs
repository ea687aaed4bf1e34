//! Rows I1, I2, I9, I10, I16–I19, I26, I27 and I30: IMPACT's tokens over HTTP.

use countersign_testkit::Version;
use countersign_tests::service::Service;
use countersign_tests::{Fixture, Login, on_every_broker, text, topics_so_far};
use serde_json::{Value, json};

use super::basic;

/// What IMPACT's page has, whose name and password are those of [`start`]'s user.
const FROM_THE_PAGE: &str = r#"curl -X PUT --header 'Content-Type: application/json' --header 'Accept: application/json'  --header 'Authorization: Basic amFpX21mb3JtYWRtaW46bWZvcm1RMXcyZSM=' -d '{
   "description": "testtoken",
  "groupName": "DM.MFORM.SURYA",
  "username": "test12345"
}' 'http://mfussip02.mformation.com:9090/m2m/token/mqtt'
"#;
const HOST_OF_THE_PAGE: &str = "mfussip02.mformation.com:9090";
const PATH: &str = "/m2m/token/mqtt";

/// A broker and a service with the door, tenant `dm`, and the user who administers it.
fn start(version: Version) -> (Fixture, Service, Login) {
    let fixture = Fixture::start(version);
    fixture.tenant("dm", &[]);
    let admin = admin(&fixture, "jai_mformadmin", "mformQ1w2e#", "dm", &[]);
    let service = fixture.serve_with(&["--door", "impact"]);
    (fixture, service, admin)
}

/// A user who administers a tenant, or a group of it.
fn admin(fixture: &Fixture, name: &str, password: &str, tenant: &str, more: &[&str]) -> Login {
    let user = fixture.user(name, password);
    fixture.grant(&user, tenant, &[&["--org-admin"], more].concat());
    user
}

/// Asks as a user.
fn ask(
    service: &Service,
    user: &Login,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> (u16, Value) {
    service.ask_showing(method, path, Some(&basic(user)), body.as_ref())
}

on_every_broker! {
    fn i1_the_request_of_the_page_makes_a_token(version) {
        let (fixture, service, admin) = start(version);
        let (status, made) = service.curl(FROM_THE_PAGE, HOST_OF_THE_PAGE);
        assert_eq!((status, &made["msg"]), (202, &json!("Success")), "{made}");
        let login = Login::from(&made["tokenResponse"]);
        assert_eq!(login.username, "TEST12345");
        let topic = format!("{}/880/device", text(&made["tokenResponse"], "token"));
        let mut observer = fixture.observer("#");
        let mut device = login.connect("880").accepted(fixture.port());
        device.publish(&topic, "x", 1, false).unwrap();
        assert_eq!(topics_so_far(&mut observer), [topic]);
        let (status, told) = ask(&service, &admin, "POST", PATH, Some(json!({})));
        assert_eq!((status, &told["code"]), (405, &json!(405)), "{told}");
    }
}
