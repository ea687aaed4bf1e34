//! Rows T2–T4, T12–T16 and T18 as Tier0's own programs ask for them: over HTTP, in
//! Tier0's form.

use countersign_testkit::{Connect, Version};
use countersign_tests::service::Service;
use countersign_tests::{
    ACCEPTED, Fixture, Login, REFUSED, has_shape, is_kicked, on_every_broker, text, wait_until,
};
use serde_json::{Value, json};

const AUTHS: &str = "/connectivity/auths";

/// A door, and what its tenant's administrator shows.
struct Door {
    service: Service,
    token: String,
}

impl Door {
    fn of(fixture: &Fixture, tenant: &str) -> Self {
        let service = fixture.serve_with(&["--door", &format!("tier0={tenant}")]);
        let token = fixture.api_token(&format!("tenant:{tenant}"));
        Self { service, token }
    }

    #[track_caller]
    fn with(&self, status: u16, method: &str, path: &str, body: Option<Value>) -> Value {
        let (found, answer) = self
            .service
            .ask(method, path, Some(&self.token), body.as_ref());
        assert_eq!(found, status, "{method} {path}: {answer}");
        answer
    }

    fn list(&self, path: &str) -> Vec<Value> {
        let listed = self.with(200, "GET", path, None);
        listed
            .as_array()
            .unwrap_or_else(|| panic!("{listed}"))
            .clone()
    }

    fn count(&self) -> Value {
        self.with(200, "GET", "/connectivity/count", None)
    }

    /// What a client logs in with.
    fn auth(&self, description: &str) -> Value {
        self.with(
            201,
            "POST",
            AUTHS,
            Some(json!({ "description": description })),
        )
    }
}

/// A CONNECT with all three that Create Auth gives.
fn connect(auth: &Value) -> Connect {
    let login = Login {
        username: text(auth, "username"),
        secret: text(auth, "password"),
    };
    login.connect(&text(auth, "clientId"))
}

on_every_broker! {
    fn t2_create_auth_takes_a_description_and_makes_the_rest(version) {
        let own = Fixture::shared(version);
        let door = Door::of(&own, &own.id);
        let made = door.auth("line 1 – Größe 温度");
        assert_eq!(text(&made, "description"), "line 1 – Größe 温度");
        let another = door.auth("line1");
        for (key, shape) in [("clientId", "[0-9]{15}"), ("username", "[0-9]{15}"), ("password", "[0-9a-f]{30}")] {
            assert!(has_shape(&text(&made, key), shape), "{key}");
            assert_ne!(made[key], another[key]);
        }
        for body in [
            json!({}),
            json!({ "description": "" }),
            json!({ "description": 1 }),
            json!({ "description": "x", "password": "a chosen one" }),
        ] {
            let refused = door.with(400, "POST", AUTHS, Some(body));
            assert_eq!(refused["code"], 400, "{refused}");
        }
    }

    fn t4_create_auth_shows_the_password_once(version) {
        let own = Fixture::shared(version);
        let door = Door::of(&own, &own.id);
        let mut made = door.auth("line1");
        // T15: listed is all that was shown, but for the password.
        let password = made.as_object_mut().unwrap().remove("password").unwrap();
        let listed = door.list(AUTHS);
        assert_eq!(listed, [made.clone()]);
        assert!(text(&made, "createdAt").parse::<jiff::Timestamp>().is_ok());
        let told = door.service.end();
        let secret = password.as_str().unwrap();
        assert!(!format!("{listed:?}{told:?}").contains(secret), "{told:?}");
    }

    fn t12_it_is_told_where_clients_connect(version) {
        // Mosquitto 2.0 does not tell a plugin by which port a client came, and has no
        // options by port.
        let tells_ports = version == Version::V2_1;
        let fixture = Fixture::start_with(version, |builder| {
            if !tells_ports {
                return builder;
            }
            builder
                .plugin_option("listener_1884", "plant")
                .plugin_option("listener_1885", "other")
                .plugin_option("tls_listeners", 8883)
        });
        fixture.tenant("plant", &[]);
        fixture.tenant("other", &[]);
        let door = Door::of(&fixture, "plant");
        let listeners = || {
            let told = door.with(200, "GET", "/connectivity/broker", None);
            let all = told["listeners"].as_array().unwrap_or_else(|| panic!("{told}")).iter();
            let listeners = all.map(|it| {
                assert!(it["host"].is_string() && it["broker"].is_string(), "{told}");
                (it["port"].clone(), text(it, "protocol"))
            });
            listeners.collect::<Vec<_>>()
        };
        let named = |ports: &[(Value, &str)]| -> Vec<_> {
            ports.iter().map(|(port, protocol)| (port.clone(), (*protocol).to_owned())).collect()
        };
        let told_first = if tells_ports {
            named(&[(1884.into(), "mqtt"), (8883.into(), "mqtts")])
        } else {
            named(&[(Value::Null, "mqtt")])
        };
        assert_eq!(listeners(), told_first);
        // A port that no option names is told once somebody came by it.
        let _client = connect(&door.auth("line1")).accepted(fixture.port());
        fixture.wait_for_clients_count(1);
        let here = named(&[(fixture.port().into(), "mqtt")]);
        assert_eq!(listeners().contains(&here[0]), tells_ports);
    }

    fn t13_the_count_follows_who_is_connected(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("plant", &[]);
        fixture.tenant("other", &[]);
        let door = Door::of(&fixture, "plant");
        let is = |count: u64| wait_until("the count is right", || door.count() == json!({ "count": count }));
        is(0);
        let mut first = connect(&door.auth("line1")).accepted(fixture.port());
        is(1);
        let second = connect(&door.auth("line2")).accepted(fixture.port());
        // Who is connected elsewhere is not counted here.
        let _other = fixture.credential("dev1", "other").connect("dev1").accepted(fixture.port());
        fixture.wait_for_clients_count(3);
        is(2);
        first.disconnect().unwrap();
        is(1);
        second.abort();
        is(0);
    }

    fn t14_the_connected_clients_are_listed_with_address_and_time(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("plant", &[]);
        let door = Door::of(&fixture, "plant");
        let auth = door.auth("line1");
        let (client_id, bystander) = (text(&auth, "clientId"), door.auth("line2"));
        let path = format!("/connectivity/clients?clientId={client_id}");
        assert_eq!(door.list(&path), [Value::Null; 0]);
        let _bystander = connect(&bystander).accepted(fixture.port());
        let client = connect(&auth).accepted(fixture.port());
        wait_until("both are listed", || door.list("/connectivity/clients").len() == 2);
        let listed = door.list(&path);
        let [shown] = listed.as_slice() else { panic!("{listed:?}") };
        let port = match version {
            // It does not tell a plugin by which port a client came.
            Version::V2_0_11 | Version::V2_0_21 => Value::Null,
            Version::V2_1 => fixture.port().into(),
        };
        let expected = json!({
            "clientId": client_id,
            "username": auth["username"],
            "ip": "127.0.0.1",
            "port": port,
            "protocol": "MQTT 3.1.1",
            "connectedAt": shown["connectedAt"],
            "status": "connected",
        });
        assert_eq!(*shown, expected);
        assert!(text(shown, "connectedAt").parse::<jiff::Timestamp>().is_ok());
        // T16: whose connection was lost is not there.
        client.abort();
        wait_until("it is listed no more", || door.list(&path).is_empty());
        assert_eq!(door.list("/connectivity/clients").len(), 1);
    }

    fn t18_deleting_an_auth_ends_its_session_and_its_login(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("plant", &[]);
        fixture.tenant("other", &[]);
        let door = Door::of(&fixture, "plant");
        let auth = door.auth("line1");
        let path = format!("{AUTHS}/{}", text(&auth, "id"));
        let mut client = connect(&auth).accepted(fixture.port());
        let stranger = fixture.api_token("tenant:other");
        let (status, refused) = door.service.ask("DELETE", &path, Some(&stranger), None);
        assert!([403, 404].contains(&status), "{refused}");
        assert!(client.is_alive());
        door.with(204, "DELETE", &path, None);
        assert!(is_kicked(&mut client), "it was deleted, and is still there");
        assert_eq!(connect(&auth).code(fixture.port()), REFUSED);
        door.with(404, "DELETE", &path, None);
        assert_eq!(door.list(AUTHS), [Value::Null; 0]);
        assert_eq!(connect(&door.auth("line2")).code(fixture.port()), ACCEPTED);
    }
}
