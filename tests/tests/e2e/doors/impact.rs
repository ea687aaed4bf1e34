//! Rows I1, I2, I9, I10, I16–I19, I26, I27 and I30: IMPACT's tokens over HTTP.

use countersign_testkit::Version;
use countersign_tests::service::Service;
use countersign_tests::{
    ACCEPTED, Fixture, Login, REFUSED, has_shape, is_kicked, on_every_broker, text, topics_so_far,
};
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

/// A new token.
fn make(service: &Service, user: &Login, group: &str, name: &str) -> Value {
    let new = json!({ "groupName": group, "username": name });
    let (status, made) = ask(service, user, "PUT", PATH, Some(new));
    assert_eq!(status, 202, "{made}");
    made["tokenResponse"].clone()
}

/// The names that a listing has.
fn names(service: &Service, user: &Login, path: &str) -> Vec<String> {
    let (status, listed) = ask(service, user, "GET", path, None);
    assert_eq!((status, &listed["code"]), (200, &json!(1000)), "{listed}");
    let tokens = listed["tokenResponses"].as_array().unwrap().iter();
    tokens.map(|token| text(token, "username")).collect()
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

    fn i2_what_is_asked_for_stands_in_the_body_or_behind_the_path_and_the_body_wins(version) {
        let (fixture, service, admin) = start(version);
        let path = format!("{PATH}?groupName=DM.A&username=one&secret=MixedCase1&description=first");
        let (status, made) = ask(&service, &admin, "PUT", &path, None);
        assert_eq!((status, &made["tokenResponse"]["description"]), (202, &json!("first")), "{made}");
        let one = Login::from(&made["tokenResponse"]);
        assert_eq!((&*one.username, &*one.secret), ("ONE", "MixedCase1"));
        assert_eq!(fixture.code(&one), ACCEPTED);
        let body = json!({ "username": "two", "description": "second", "secret": null });
        let (status, made) = ask(&service, &admin, "PUT", &path, Some(body));
        assert_eq!((status, &made["tokenResponse"]["description"]), (202, &json!("second")), "{made}");
        let two = Login::from(&made["tokenResponse"]);
        // What the body says nothing of stands behind the path.
        assert_eq!((&*two.username, &*two.secret), ("TWO", "MixedCase1"));
        assert_eq!(fixture.show(&two)["group"], "DM.A");
        for (secret, told) in [
            ("abcd", "'password' can not be less than 5 chars"),
            ("", "'password' can not be less than 5 chars"),
            (&*"a".repeat(51), "'password' can not be more than 50 chars"),
        ] {
            let body = json!({ "groupName": "DM", "username": "three", "secret": secret });
            let (status, refused) = ask(&service, &admin, "PUT", PATH, Some(body));
            assert_eq!((status, text(&refused, "msg")), (400, told.into()));
        }
        let body = json!({ "groupName": "DM", "username": "a".repeat(51), "secret": "abcd" });
        let (status, refused) = ask(&service, &admin, "PUT", PATH, Some(body));
        assert_eq!((status, text(&refused, "msg")), (400, "'username' can not be more than 50 chars".into()));
        let (status, refused) = ask(&service, &admin, "PUT", PATH, Some(json!({ "groupName": "DM" })));
        assert_eq!((status, &refused["code"]), (400, &json!(400)), "{refused}");
        let body = json!({ "groupName": "DM", "username": "one" });
        assert_eq!(ask(&service, &admin, "PUT", PATH, Some(body)).0, 409);
    }

    fn i9_the_answer_has_the_form_of_the_page(version) {
        let (_fixture, service, admin) = start(version);
        let body = json!({ "description": "testtoken", "groupName": "DM.MFORM.SURYA", "username": "test12345" });
        let (status, made) = ask(&service, &admin, "PUT", PATH, Some(body));
        assert_eq!(status, 202, "{made}");
        let mut keys: Vec<_> = made.as_object().unwrap().keys().cloned().collect();
        keys.sort_unstable();
        assert_eq!(keys, ["code", "msg", "tokenResponse"]);
        assert_eq!((&made["code"], &made["msg"]), (&json!(1000), &json!("Success")));
        let token = &made["tokenResponse"];
        let mut keys: Vec<_> = token.as_object().unwrap().keys().cloned().collect();
        keys.sort_unstable();
        assert_eq!(keys, ["description", "secret", "token", "username"]);
        assert!(has_shape(&text(token, "token"), "[0-9a-z]{12}"), "{token}");
        assert!(has_shape(&text(token, "secret"), "[A-Za-z0-9+/]{43}="), "{token}");
        assert_eq!((text(token, "username"), text(token, "description")), ("TEST12345".into(), "testtoken".into()));
    }

    fn i10_success_is_the_status_202(version) {
        let (fixture, service, admin) = start(version);
        let body = json!({ "groupName": "DM", "username": "one" });
        assert_eq!(ask(&service, &admin, "PUT", PATH, Some(body)).0, 202);
        let by_query = format!("{PATH}?groupName=DM&username=two");
        assert_eq!(ask(&service, &admin, "PUT", &by_query, None).0, 202);
        let made = fixture.cli.json(&["credential", "list", "--tenant", "dm"]);
        assert_eq!(made.as_array().unwrap().len(), 2, "{made}");
    }

    fn i16_without_a_right_name_and_password_nothing_is_told(version) {
        let (fixture, service, admin) = start(version);
        let body = json!({ "groupName": "DM", "username": "one" });
        let wrong = Login { secret: "wrong".into(), ..admin.clone() };
        let unknown = Login { username: "nobody".into(), ..admin.clone() };
        for shown in [None, Some(basic(&wrong)), Some(basic(&unknown)), Some("Basic ???".into())] {
            for (method, path) in [("PUT", PATH), ("GET", "/m2m/token"), ("DELETE", "/m2m/token?groupName=DM")] {
                let body = (method == "PUT").then_some(&body);
                let (status, told) = service.ask_showing(method, path, shown.as_deref(), body);
                assert_eq!((status, &told["code"]), (401, &json!(401)), "{told}");
            }
        }
        let head = service.curl_head(PATH);
        assert!(head.to_lowercase().contains("www-authenticate: basic realm="), "{head}");
        assert_eq!(fixture.cli.json(&["credential", "list", "--tenant", "dm"]), json!([]));
    }

    fn i17_who_administers_another_group_or_tenant_is_forbidden(version) {
        let (fixture, service, admin_of_all) = start(version);
        fixture.tenant("other", &[]);
        let of_group = admin(&fixture, "gus", "correct horse", "dm", &["--group", "DM.A"]);
        let of_other = admin(&fixture, "otto", "correct horse", "other", &[]);
        let put = |user: &Login, group: &str, name: &str| {
            let body = json!({ "groupName": group, "username": name });
            ask(&service, user, "PUT", PATH, Some(body)).0
        };
        // Rights flow down a group's path.
        for (user, group, status) in [
            (&of_group, "DM.A", 202),
            (&of_group, "DM.A.B", 202),
            (&of_group, "DM", 403),
            (&of_group, "DM.B", 403),
            (&of_group, "DM.AB", 403),
            (&of_other, "DM.A", 403),
            (&of_other, "OTHER.A", 202),
            (&admin_of_all, "OTHER.A", 403),
        ] {
            let name = format!("{}-{group}", user.username);
            assert_eq!(put(user, group, &name), status, "{} {group}", user.username);
        }
        let listed = names(&service, &admin_of_all, "/m2m/token?groupName=DM");
        assert_eq!(listed, ["GUS-DM.A", "GUS-DM.A.B"]);
        assert_eq!(ask(&service, &of_other, "GET", "/m2m/token?groupName=DM", None).0, 403);
        // Who administers a group may not delete, and changes nothing by trying.
        let mut device = Login::from(&make(&service, &admin_of_all, "DM.A", "live"))
            .connect("880").accepted(fixture.port());
        for user in [&of_group, &of_other] {
            assert_eq!(ask(&service, user, "DELETE", "/m2m/token?groupName=DM.A", None).0, 403);
        }
        assert!(device.is_alive());
    }

    fn i18_a_group_of_no_tenant_is_not_found(version) {
        let (_fixture, service, admin) = start(version);
        for group in ["NOPE", "NOPE.DM", "DMX", "D", "no such group", "DM..A", "_x"] {
            let body = json!({ "groupName": group, "username": "one" });
            let (status, told) = ask(&service, &admin, "PUT", PATH, Some(body));
            assert_eq!((status, &told["code"]), (404, &json!(404)), "{group}: {told}");
        }
        assert_eq!(ask(&service, &admin, "GET", "/m2m/token?groupName=NOPE", None).0, 404);
        assert_eq!(ask(&service, &admin, "DELETE", "/m2m/token?groupName=NOPE", None).0, 404);
    }

    fn i19_a_group_is_made_by_its_use_and_holds_those_below_it(version) {
        let (fixture, service, admin) = start(version);
        for (group, name) in [("DM.MFORM.SURYA", "deep"), ("DM.MFORM", "middle"), ("DM", "top"), ("dm.MFORM", "small")] {
            let login = Login::from(&make(&service, &admin, group, name));
            assert_eq!(fixture.show(&login)["groups"], json!([group]));
            assert_eq!(fixture.show(&login)["tenant"], "dm");
            assert_eq!(fixture.code(&login), ACCEPTED);
        }
        let of = |group: &str| names(&service, &admin, &format!("/m2m/token/mqtt?groupName={group}"));
        assert_eq!(of("DM.MFORM"), ["DEEP", "MIDDLE"]);
        assert_eq!(of("DM"), ["DEEP", "MIDDLE", "TOP"]);
        assert_eq!(of("dm"), ["SMALL"]);
        assert_eq!(names(&service, &admin, PATH).len(), 4);
    }

    fn i26_a_listing_has_the_tokens_and_never_a_secret(version) {
        let (fixture, service, admin) = start(version);
        let first = make(&service, &admin, "DM.A", "first");
        make(&service, &admin, "DM.B", "second");
        // What no token is is not listed.
        fixture.credential("dev1", "dm");
        for path in ["/m2m/token", PATH] {
            assert_eq!(names(&service, &admin, path), ["FIRST", "SECOND"]);
        }
        let (_, listed) = ask(&service, &admin, "GET", "/m2m/token?groupName=DM.A", None);
        let expected = json!([{ "token": first["token"], "username": "FIRST", "description": "" }]);
        assert_eq!(listed["tokenResponses"], expected);
        let by_token = format!("/m2m/token?groupName=DM&token={}", text(&first, "token"));
        assert_eq!(names(&service, &admin, &by_token), ["FIRST"]);
        assert_eq!(names(&service, &admin, "/m2m/token?token=nosuch"), [""; 0]);
        assert!(!listed.to_string().contains(&text(&first, "secret")));
        let log = service.end().stderr;
        assert!(!log.contains(&text(&first, "secret")) && !log.contains(&admin.secret), "{log}");
    }

    fn i27_a_token_that_is_deleted_ends_its_session_and_where_there_is_none_that_is_said(version) {
        let (fixture, service, admin) = start(version);
        let [one, two, other] = [("DM.A", "one"), ("DM.A.B", "two"), ("DM.C", "other")]
            .map(|(group, name)| make(&service, &admin, group, name));
        let connect = |token: &Value, id: &str| Login::from(token).connect(id).accepted(fixture.port());
        let (mut first, mut second, mut third) = (connect(&one, "1"), connect(&two, "2"), connect(&other, "3"));
        let delete = |query: &str| ask(&service, &admin, "DELETE", &format!("/m2m/token{query}"), None);
        // What names no tokens deletes none.
        for query in ["", "?groupName=", "/mqtt", "?token="] {
            assert_eq!(delete(query).0, 400, "{query}");
        }
        assert_eq!(delete("?groupName=DM.A&token=nosuch"), (204, Value::Null));
        let by_token = format!("?token={}", text(&one, "token"));
        let (status, told) = delete(&by_token);
        assert_eq!((status, told), (202, json!({ "msg": "Success", "code": 1000 })));
        assert!(is_kicked(&mut first), "its token was deleted, and it is still there");
        assert_eq!(fixture.code(&Login::from(&one)), REFUSED);
        assert!(second.is_alive() && third.is_alive());
        assert_eq!(delete(&by_token).0, 204);
        assert_eq!(delete("/mqtt?groupName=DM.A").0, 202);
        assert!(is_kicked(&mut second), "its group was deleted, and it is still there");
        assert_eq!(delete("/mqtt?groupName=DM.A").0, 204);
        assert!(third.is_alive());
    }

    fn i30_the_name_is_that_of_the_device_and_the_audit_tells_who_made_it(version) {
        let (fixture, service, admin) = start(version);
        let made = make(&service, &admin, "DM", "test12345");
        assert_eq!(fixture.code(&Login::from(&made)), ACCEPTED);
        let rows = fixture.cli.json(&["audit", "list", "--name", "TEST12345"]);
        let mut rows = rows.as_array().unwrap().iter();
        let row = rows.find(|row| row["act"] == "credential.create").unwrap();
        assert_eq!(text(row, "actor"), "http:jai_mformadmin");
    }
}
