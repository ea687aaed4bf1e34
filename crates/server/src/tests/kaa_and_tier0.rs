//! The doors of Kaa and Tier0: what is no form of theirs, and lists that are long.

use countersign_admin::Authority;
use countersign_core::client_id::ClientId;
use countersign_core::ledger::Ledger as _;
use countersign_core::name::TenantId;
use countersign_core::presence::{Presence, PresenceEvent, SessionNumber};
use countersign_core::store::{Batch, GateStore as _};
use serde_json::{Value, json};

use super::brokers::introduce;
use crate::call::now;
use crate::door::Door;
use crate::fixture::{Reply, Server};

const BASIC: &str = "/ccm/api/v1/basic-credentials";
const AUTHS: &str = "/connectivity/auths";

/// A service with these doors to tenant `acme`, whose every request is the platform's.
fn start() -> Server {
    let acme = acme();
    let server = Server::start_with(|options| options.doors = Door::all(&acme));
    server.become_somebody(Some(Authority::Platform));
    let tenant = json!({ "id": "acme" });
    server.post("/api/v1/tenants", tenant).with(201);
    server
}

fn acme() -> TenantId {
    TenantId::parse("acme").unwrap()
}

fn ask(server: &Server, method: &str, path: &str, body: Option<Value>) -> Reply {
    server.ask_at_door(method, path, body, &[])
}

/// All items of a list that is an array, part by part, and how many parts there were.
fn all(server: &Server, path: &str, key: &str) -> (Vec<String>, usize) {
    let (mut items, mut parts, mut next) = (Vec::new(), 0_usize, Some(path.to_owned()));
    while let Some(path) = next {
        let reply = ask(server, "GET", &path, None).with(200);
        let part = reply.body.as_array().unwrap().iter();
        items.extend(part.map(|it| it[key].as_str().unwrap().to_owned()));
        parts = parts.saturating_add(1);
        next = reply.header("link").map(|link| {
            let link = link.strip_suffix(">; rel=\"next\"").expect(link);
            link.strip_prefix('<').expect(link).to_owned()
        });
    }
    (items, parts)
}

#[test]
fn a_long_list_says_by_a_link_where_it_goes_on() {
    let server = start();
    let (mut names, mut auths) = (Vec::new(), Vec::new());
    for name in ["a&b=c%", "b=ü", "c", "d", "e", "f", "g"] {
        let body = Some(json!({ "username": name }));
        ask(&server, "POST", BASIC, body).with(201);
        names.push(format!("{name}@acme"));
        let body = Some(json!({ "description": name }));
        let made = ask(&server, "POST", AUTHS, body).with(201);
        auths.push(made.body["username"].as_str().unwrap().to_owned());
    }
    auths.sort_unstable();
    assert_eq!(all(&server, BASIC, "username"), (names, 3));
    assert_eq!(all(&server, AUTHS, "username"), (auths, 3));
    let odd = ask(&server, "GET", &format!("{BASIC}?after="), None).with(400);
    assert!(odd.body["message"].is_string(), "{odd:?}");

    introduce(&server, "edge", None);
    let store = server.store();
    let _alive = store.lock_broker("edge").unwrap();
    let connected = |number: i64| {
        let client_id = ClientId::parse(&format!("c{number}")).unwrap();
        PresenceEvent::Connected(Presence {
            session: SessionNumber(number),
            client_id: client_id.as_str().into(),
            tie: client_id.tie(),
            username: None,
            credential: None,
            tenant: Some(acme()),
            address: None,
            protocol: 5,
            connected_at: now(),
            authenticated: false,
            listener: None,
            stored: false,
        })
    };
    let batch = Batch {
        observations: (1..=4).map(connected).collect(),
        ..Batch::default()
    };
    server.store().write_batch("edge", &batch).unwrap();
    let clients = ["c1", "c2", "c3", "c4"].map(str::to_owned);
    let path = "/connectivity/clients";
    assert_eq!(all(&server, path, "clientId"), (clients.to_vec(), 2));
    let one = format!("{path}?clientId=c4");
    assert_eq!(all(&server, &one, "clientId"), (vec!["c4".into()], 1));
    for query in ["after=nonsense", "clientId=", "username=c4"] {
        let odd = ask(&server, "GET", &format!("{path}?{query}"), None).with(400);
        assert_eq!(odd.body["code"], 400, "{odd:?}");
    }
}

#[test]
fn a_credential_of_another_scheme_or_kind_and_what_is_no_number_is_not_there() {
    let server = start();
    let number = |reply: Reply| reply.with(201).body["id"].to_string().replace('"', "");
    let of = |path: &str, body: Value| number(ask(&server, "POST", path, Some(body)));
    let basic = of(BASIC, json!({ "username": "dev1" }));
    let auth = of(AUTHS, json!({ "description": "line1" }));
    let operator = json!({ "name": "bridge", "publish": ["a"] });
    let made = server.post("/api/v1/operators", operator).with(201);
    assert_eq!(made.body["name"], "bridge");
    let other = json!({ "id": "other" });
    server.post("/api/v1/tenants", other).with(201);
    let dev = json!({ "name": "dev1", "tenant": "other" });
    let elsewhere = number(server.post("/api/v1/credentials", dev));
    let last: i64 = elsewhere.parse().unwrap();
    // The operator is one of those, too.
    let near = (0..=last.saturating_add(1)).map(|it| it.to_string());
    let odd = [
        "-1",
        "+1",
        "01",
        "1e0",
        "0x1",
        "%31%00",
        "99999999999999999999",
        "dev1@acme",
        ".",
    ];
    let odd = odd.into_iter().map(str::to_owned);
    for id in near.chain(odd.clone()).filter(|id| *id != basic) {
        let reply = ask(&server, "GET", &format!("{BASIC}/{id}"), None).with(404);
        assert_eq!(reply.body["status"], 404, "{reply:?}");
    }
    for id in odd.chain([basic.clone(), elsewhere]) {
        let reply = ask(&server, "DELETE", &format!("{AUTHS}/{id}"), None).with(404);
        assert_eq!(reply.body["code"], 404, "{reply:?}");
    }
    ask(&server, "GET", &format!("{BASIC}/{basic}"), None).with(200);
    ask(&server, "DELETE", &format!("{AUTHS}/{auth}"), None).with(204);
}

#[test]
fn what_is_no_form_of_theirs_is_refused_and_the_refusal_holds_no_secret() {
    let server = start();
    let made = ask(&server, "POST", BASIC, Some(json!({ "username": "dev1" })));
    let one = format!("{BASIC}/{}", made.with(201).body["id"].as_str().unwrap());
    let (state, reset) = (format!("{one}/state"), format!("{one}/reset-password"));
    let settings = "/ccm/api/v1/tenant-settings";
    for (method, path, body) in [
        ("POST", BASIC, json!({ "password": "hunter2" })),
        ("POST", BASIC, json!({ "username": "dev2", "password": 17 })),
        (
            "POST",
            BASIC,
            json!({ "username": "dev2", "password": "hunter2\0" }),
        ),
        (
            "POST",
            BASIC,
            json!({ "username": "", "password": "hunter2" }),
        ),
        (
            "POST",
            BASIC,
            json!({ "username": "dev2", "secret": "hunter2" }),
        ),
        ("POST", BASIC, json!(["dev2", "hunter2"])),
        ("PUT", &state, json!({ "state": "Gone" })),
        ("PUT", &state, json!({ "state": null })),
        ("PUT", &state, json!({})),
        ("POST", &reset, json!({ "password": "hunter2\0" })),
        ("POST", &reset, json!({ "password": "" })),
        ("PUT", settings, json!({ "basicAuthEnabled": "false" })),
        ("PUT", settings, json!({ "basicAuthEnabled": null })),
        ("PUT", settings, json!({})),
    ] {
        let reply = ask(&server, method, path, Some(body)).with(400);
        assert!(reply.body["message"].is_string(), "{reply:?}");
        assert!(!reply.text.contains("hunter2"), "{reply:?}");
    }
    let shown = ask(&server, "GET", &one, None).with(200);
    assert_eq!(shown.body["state"], "Inactive");
    let shown = ask(&server, "GET", settings, None).with(200);
    assert_eq!(shown.body, json!({ "basicAuthEnabled": true }));
    assert_eq!(all(&server, BASIC, "username").0, ["dev1@acme"]);
}
