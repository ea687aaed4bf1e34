//! Hooks of other brokers: what each kind is answered, and who else is answered nothing.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;

use countersign_admin::Authority;
use serde_json::{Value, json};

use crate::fixture::{Reply, Server};

mod hostile;

/// A service with a tenant and two devices in it, `dev1` and `dev2`.
struct Plant {
    server: Server,
    secrets: [String; 2],
}

impl Plant {
    fn start() -> Self {
        let server = Server::start();
        server.become_somebody(Some(Authority::Platform));
        let tenant = json!({ "id": "acme", "subscribe": "filtered", "authentication": "off" });
        server.post("/api/v1/tenants", tenant).with(201);
        let secrets = ["dev1", "dev2"].map(|name| make(&server, name));
        Self { server, secrets }
    }

    /// A hook, which is asked by its secret.
    fn hook(&self, new: Value) -> Hook<'_> {
        let made = self.server.post("/api/v1/hooks", new).with(201);
        Hook {
            plant: self,
            name: made.body["name"].as_str().unwrap().to_owned(),
            bearer: bearer(&made),
        }
    }

    fn of_kind(&self, kind: &str) -> Hook<'_> {
        self.hook(json!({ "name": kind, "kind": kind }))
    }

    fn act(&self, act: &str) {
        let path = format!("/api/v1/credentials/dev1@acme/{act}");
        self.server.ask("POST", &path, None, &[]).with(200);
    }

    /// Denies `dev1` a topic.
    fn deny(&self) {
        let rule = json!({ "effect": "deny", "action": "both", "pattern": "acme/x" });
        let path = "/api/v1/credentials/dev1@acme/rules";
        self.server.post(path, rule).with(201);
    }

    /// Deletes `dev1`, and makes it again; its new secret.
    fn replace(&self) -> String {
        let path = "/api/v1/credentials/dev1@acme";
        self.server.delete(path).with(204);
        make(&self.server, "dev1")
    }
}

fn make(server: &Server, name: &str) -> String {
    let new = json!({ "name": name, "tenant": "acme" });
    let made = server.post("/api/v1/credentials", new).with(201);
    made.body["secret"].as_str().unwrap().to_owned()
}

fn bearer(issued: &Reply) -> String {
    format!("Bearer {}", issued.body["secret"].as_str().unwrap())
}

struct Hook<'a> {
    plant: &'a Plant,
    name: String,
    bearer: String,
}

impl Hook<'_> {
    fn json(&self, last: &str, body: &Value) -> Reply {
        let path = format!("/hooks/{}/{last}", self.name);
        let headers = [("Authorization", &*self.bearer)];
        let server = &self.plant.server;
        server.ask_at_door("POST", &path, Some(body.clone()), &headers)
    }

    /// Sends a body as it is, as a form.
    fn raw(&self, last: &str, body: &str) -> Reply {
        self.raw_as(last, body, "application/x-www-form-urlencoded")
    }

    fn raw_as(&self, last: &str, body: &str, kind: &str) -> Reply {
        let Self { name, bearer, .. } = self;
        let length = body.len();
        let request = format!(
            "POST /hooks/{name}/{last} HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer}\r\n\
             Content-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        self.plant.server.send(request.as_bytes()).unwrap()
    }

    fn form(&self, last: &str, fields: &[(&str, &str)]) -> Reply {
        let pairs = fields.iter().map(|(name, value)| {
            let value: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
            format!("{name}={value}")
        });
        self.raw(last, &pairs.collect::<Vec<_>>().join("&"))
    }
}

/// EMQX.
fn authn(hook: &Hook<'_>, secret: &str) -> Value {
    let body = json!({
        "username": "dev1@acme", "password": secret, "clientid": "c1", "peerhost": "192.0.2.1",
    });
    hook.json("authn", &body).with(200).body
}

fn authz(hook: &Hook<'_>, pin: &str, action: &str, topic: &str) -> String {
    let body = json!({
        "username": "dev1@acme", "clientid": "c1", "topic": topic, "action": action,
        "qos": "1", "retain": "false", "peerhost": "192.0.2.1", "pin": pin,
    });
    let reply = hook.json("authz", &body).with(200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    reply.body["result"].as_str().unwrap().to_owned()
}

fn pin_of(answer: &Value) -> String {
    answer["client_attrs"]["cs"].as_str().unwrap().to_owned()
}

#[test]
fn emqx_is_told_who_it_is_and_what_it_may_do() {
    let plant = Plant::start();
    plant.deny();
    let hook = plant.of_kind("emqx");
    let answer = authn(&hook, &plant.secrets[0]);
    assert_eq!(answer["result"], "allow");
    assert_eq!(answer["is_superuser"], false);
    assert_eq!(answer["client_attrs"]["tns"], "acme");
    let pin = pin_of(&answer);
    assert!(pin.starts_with("cs."), "{pin}");
    let no = json!({ "result": "deny" });
    // Whatever the tenant's mode is, a wrong login is nobody.
    assert_eq!(authn(&hook, "wrong"), no);
    for (action, topic, result) in [
        ("publish", "acme/a", "allow"),
        ("publish", "other/a", "deny"),
        ("publish", "acme/x", "deny"),
        ("publish", "acme/+", "deny"),
        ("publish", "$CONTROL/countersign/v1/session", "deny"),
        ("subscribe", "acme/a/#", "allow"),
        // Nobody would withhold what is denied, or another's.
        ("subscribe", "acme/#", "deny"),
        ("subscribe", "#", "deny"),
        ("subscribe", "acme/+", "deny"),
        ("subscribe", "+/a", "deny"),
        ("read", "acme/a", "deny"),
    ] {
        assert_eq!(
            authz(&hook, &pin, action, topic),
            result,
            "{action} {topic}"
        );
    }
    for pin in [
        "",
        "undefined",
        "cs.1.1",
        "cs.999.1.1",
        "${client_attrs.cs}",
    ] {
        assert_eq!(authz(&hook, pin, "publish", "acme/a"), "deny", "{pin}");
    }
}

#[test]
fn a_pin_is_worth_nothing_once_its_secret_is_not() {
    let plant = Plant::start();
    let hook = plant.of_kind("emqx");
    let mut secret = plant.secrets[0].clone();
    let is_let = |pin: &str| authz(&hook, pin, "publish", "acme/a") == "allow";
    let log_in = |secret: &str| {
        let pin = pin_of(&authn(&hook, secret));
        assert!(is_let(&pin));
        pin
    };
    let pin = log_in(&secret);
    plant.act("suspend");
    assert!(!is_let(&pin));
    plant.act("reactivate");
    assert!(!is_let(&pin));
    let pin = log_in(&secret);
    let reset = "/api/v1/credentials/dev1@acme/reset-password";
    let reply = plant.server.ask("POST", reset, None, &[]).with(200);
    assert!(!is_let(&pin));
    secret = reply.body["secret"].as_str().unwrap().to_owned();
    let pin = log_in(&secret);
    let secret = plant.replace();
    assert!(!is_let(&pin));
    let pin = log_in(&secret);
    let ban = plant
        .server
        .post("/api/v1/bans", json!({ "client_id": "c1" }));
    let ban = ban.with(201).body["id"].clone();
    assert!(!is_let(&pin));
    plant.server.delete(&format!("/api/v1/bans/{ban}"));
    assert!(is_let(&pin));
    // It ends at an instant, which EMQX is told.
    let path = "/api/v1/credentials/dev1@acme";
    let over = json!({ "expires_at": "2100-01-01T00:00:00Z" });
    plant.server.patch(path, over).with(200);
    assert_eq!(authn(&hook, &secret)["expire_at"], 4_102_444_800_i64);
    let over = json!({ "expires_at": "2020-01-01T00:00:00Z" });
    plant.server.patch(path, over);
    plant.act("revoke");
    assert!(!is_let(&pin));
    assert_eq!(authn(&hook, &secret), json!({ "result": "deny" }));
}

#[test]
fn rabbitmq_is_told_a_tag_and_given_only_what_mqtt_needs() {
    let plant = Plant::start();
    let hook = plant.of_kind("rabbitmq");
    let user = |secret: &str, client_id: &str| {
        let fields = [
            ("username", "dev1@acme"),
            ("vhost", "/"),
            ("client_id", client_id),
            ("password", secret),
        ];
        hook.form("user", &fields).with(200).text
    };
    assert_eq!(user("wrong", "c1"), "deny");
    let allowed = user(&plant.secrets[0], "c1");
    let tag = allowed.strip_prefix("allow ").expect(&allowed).to_owned();
    // As it comes by AMQP, or without a name.
    let amqp = [
        ("username", "dev1@acme"),
        ("password", &*plant.secrets[0]),
        ("vhost", "/"),
    ];
    assert_eq!(hook.form("user", &amqp).text, "deny");
    let guest = [
        ("username", "guest"),
        ("password", "guest"),
        ("client_id", "c"),
    ];
    assert_eq!(hook.form("user", &guest).text, "deny");
    let ask = |last: &str, tags: &str, more: &[(&str, &str)]| {
        let mut fields = vec![("username", "dev1@acme"), ("vhost", "/"), ("tags", tags)];
        fields.extend(more);
        hook.form(last, &fields).with(200).text
    };
    let vhost = [("ip", "127.0.0.1"), ("client_id", "c1")];
    assert_eq!(ask("vhost", &tag, &vhost), "allow");
    assert_eq!(ask("vhost", "", &vhost), "deny");
    let resource = |name: &str, kind: &str, permission: &str| {
        let fields = [
            ("resource", kind),
            ("name", name),
            ("permission", permission),
            ("client_id", "c1"),
        ];
        ask("resource", &tag, &fields)
    };
    assert_eq!(
        resource("mqtt-subscription-c1qos1", "queue", "configure"),
        "allow"
    );
    assert_eq!(resource("amq.topic", "exchange", "write"), "allow");
    assert_eq!(resource("orders", "queue", "read"), "deny");
    assert_eq!(resource("amq.direct", "exchange", "write"), "deny");
    let topic = |key: &str, permission: &str| {
        let fields = [
            ("resource", "topic"),
            ("name", "amq.topic"),
            ("permission", permission),
            ("routing_key", key),
            ("variable_map.client_id", "c1"),
            ("variable_map.username", "dev1@acme"),
            ("variable_map.vhost", "/"),
        ];
        ask("topic", &tag, &fields)
    };
    for (key, permission, verdict) in [
        ("acme.a.state", "write", "allow"),
        ("acme.*.state", "read", "allow"),
        ("acme.#", "read", "allow"),
        ("other.a", "write", "deny"),
        ("#", "read", "deny"),
        ("acme.*", "write", "deny"),
        ("acme.a", "configure", "deny"),
    ] {
        assert_eq!(topic(key, permission), verdict, "{permission} {key}");
    }
    plant.replace();
    assert_eq!(topic("acme.a.state", "write"), "deny");
    assert_eq!(ask("vhost", &tag, &vhost), "deny");
}

#[test]
fn rmqtt_is_answered_in_json_and_never_with_nothing() {
    let plant = Plant::start();
    let hook = plant.of_kind("rmqtt");
    let auth = |name: &str, secret: &str| {
        let fields = [
            ("clientid", "s1"),
            ("protocol", "5"),
            ("username", name),
            ("password", secret),
        ];
        let reply = hook.form("auth", &fields).with(200);
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(reply.header("x-superuser"), None);
        reply.body["result"].as_str().unwrap().to_owned()
    };
    let acl = |access: &str, topic: &str| {
        let fields = [
            ("protocol", "5"),
            ("ipaddr", "127.0.0.1"),
            ("username", "dev1@acme"),
            ("clientid", "s1"),
            ("access", access),
            ("topic", topic),
        ];
        let reply = hook.form("acl", &fields).with(200);
        reply.body["result"].as_str().unwrap().to_owned()
    };
    assert_eq!(auth("", ""), "deny");
    assert_eq!(auth("dev1@acme", "wrong"), "deny");
    assert_eq!(auth("dev1@acme", &plant.secrets[0]), "allow");
    assert_eq!(acl("1", "acme/#"), "allow");
    assert_eq!(acl("2", "acme/a"), "allow");
    assert_eq!(acl("1", "#"), "deny");
    assert_eq!(acl("2", "acme/+"), "deny");
    assert_eq!(acl("3", "acme/a"), "deny");
    // Its name is another's by now, and it is remembered that it was not.
    let secret = plant.replace();
    assert_eq!(acl("2", "acme/a"), "deny");
    assert_eq!(auth("dev1@acme", &secret), "allow");
    assert_eq!(acl("2", "acme/a"), "allow");
    plant.act("revoke");
    assert_eq!(acl("2", "acme/a"), "deny");
}

#[test]
fn go_auth_and_amqtt_are_answered_by_status_and_in_json() {
    let plant = Plant::start();
    let hook = plant.of_kind("goauth");
    plant.deny();
    let ask = |last: &str, body: Value| {
        let reply = hook.json(last, &body);
        assert_eq!(reply.status == 200, reply.body["ok"] == true, "{reply:?}");
        assert!([200, 403].contains(&reply.status), "{reply:?}");
        reply.status == 200
    };
    let secret = &*plant.secrets[0];
    for id in ["clientid", "client_id"] {
        let user = |secret| json!({ "username": "dev1@acme", "password": secret, id: "c1" });
        assert!(ask("user", user(secret)));
        assert!(!ask("user", user("wrong")));
        let acl = |topic, acc| {
            let body = json!({ "username": "dev1@acme", id: "c1", "topic": topic, "acc": acc });
            ask("acl", body)
        };
        for (topic, acc, allowed) in [
            ("acme/a", 1, true),
            ("acme/a", 2, true),
            ("acme/a", 3, true),
            ("acme/a/#", 4, true),
            // go-auth asks about each delivery; amqtt about none of a retained message.
            ("acme/#", 4, id == "clientid"),
            ("acme/x", 1, false),
            ("acme/x", 3, false),
            ("acme/x", 4, false),
            ("#", 4, false),
            ("acme/a", 0, false),
            ("acme/a", 5, false),
        ] {
            assert_eq!(acl(topic, acc), allowed, "{acc} {topic}");
        }
    }
    assert!(!ask("superuser", json!({ "username": "dev1@acme" })));
    let both =
        json!({ "username": "dev1@acme", "password": secret, "clientid": "a", "client_id": "a" });
    assert!(!ask("user", both));
    let text = json!({ "username": "dev1@acme", "clientid": "c1", "topic": "acme/a", "acc": "2" });
    assert!(!ask("acl", text));
}

#[test]
fn only_who_shows_the_secret_and_comes_from_there_is_answered() {
    let plant = Plant::start();
    let hook = plant.of_kind("emqx");
    let ask = |path: &str, headers: &[(&str, &str)]| {
        let body = json!({ "username": "a", "password": "b", "clientid": "c" });
        plant.server.ask_at_door("POST", path, Some(body), headers)
    };
    let secret = hook.bearer.strip_prefix("Bearer ").unwrap();
    let in_path = format!("/hooks/emqx/{secret}/authn");
    ask(&in_path, &[]).with(200);
    ask("/hooks/emqx/authn", &[("Authorization", &hook.bearer)]).with(200);
    for (path, headers) in [
        ("/hooks/emqx/authn", &[][..]),
        ("/hooks/emqx/authn", &[("Authorization", "Bearer wrong")]),
        ("/hooks/emqx/wrong/authn", &[]),
        ("/hooks/none/authn", &[("Authorization", &*hook.bearer)]),
        (&in_path, &[("Authorization", &*hook.bearer)]),
    ] {
        ask(path, headers).with(401).is("unauthenticated");
    }
    let other = "/hooks/emqx/user";
    ask(other, &[("Authorization", &hook.bearer)]).with(404);
    // Another secret counts at once, and a hook that is gone is nobody's.
    let rotated = plant
        .server
        .ask("POST", "/api/v1/hooks/emqx/rotate", None, &[]);
    let now = bearer(&rotated.with(200));
    ask("/hooks/emqx/authn", &[("Authorization", &now)]).with(200);
    ask("/hooks/emqx/authn", &[("Authorization", &hook.bearer)]).with(401);
    let listed = plant.server.get("/api/v1/brokers").with(200);
    assert_eq!(listed.items("name"), ["emqx"]);
    assert_eq!(listed.body["items"][0]["alive"], true);
    plant.server.delete("/api/v1/hooks/emqx").with(204);
    ask("/hooks/emqx/authn", &[("Authorization", &now)]).with(401);
    // Made again, of another kind.
    let again = plant.hook(json!({ "name": "emqx", "kind": "rmqtt" }));
    let fields = [("username", "a"), ("clientid", "c"), ("password", "b")];
    again.form("auth", &fields).with(200);
    let elsewhere = plant.hook(json!({ "name": "far", "kind": "emqx", "from": ["10.0.0.0/8"] }));
    elsewhere
        .json("authn", &json!({}))
        .with(403)
        .is("forbidden");
}

#[test]
fn a_hook_of_a_tenant_lets_in_its_principals_alone() {
    let plant = Plant::start();
    plant
        .server
        .post("/api/v1/tenants", json!({ "id": "globex" }));
    let new = json!({ "name": "g", "kind": "emqx", "tenant": "globex" });
    let hook = plant.hook(new);
    assert_eq!(authn(&hook, &plant.secrets[0])["result"], "deny");
    let of_all = plant.of_kind("emqx");
    let pin = pin_of(&authn(&of_all, &plant.secrets[0]));
    assert_eq!(authz(&hook, &pin, "publish", "acme/a"), "deny");
    assert_eq!(authz(&of_all, &pin, "publish", "acme/a"), "allow");
}

#[test]
fn a_hook_takes_no_client_id_from_anybody() {
    let plant = Plant::start();
    let hook = plant.of_kind("goauth");
    let user = |name: &str, secret: &str| {
        let body = json!({ "username": name, "password": secret, "clientid": "same" });
        hook.json("user", &body).status
    };
    assert_eq!(user("dev1@acme", &plant.secrets[0]), 200);
    assert_eq!(user("dev2@acme", &plant.secrets[1]), 200);
    assert_eq!(user("dev1@acme", &plant.secrets[0]), 200);
    let clients = plant.server.get("/api/v1/clients").with(200);
    assert_eq!(clients.body["items"], json!([]));
}

#[test]
fn a_session_is_ended_at_its_broker() {
    let broker = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = broker.local_addr().unwrap().port();
    let (told, heard) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in broker.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head: Vec<_> = lines
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
                .collect();
            stream
                .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
                .unwrap();
            told.send(head).unwrap();
        }
    });
    let plant = Plant::start();
    let kick = json!({ "url": format!("http://127.0.0.1:{port}"), "login": "key:word" });
    plant.server.make_key_file();
    let hook = plant.hook(json!({ "name": "edge", "kind": "emqx", "kick": kick }));
    let pin = pin_of(&authn(&hook, &plant.secrets[0]));
    plant.act("suspend");
    let head = heard.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(head[0], "DELETE /api/v5/clients/c1 HTTP/1.1");
    let login = "Authorization: Basic a2V5OndvcmQ=".to_owned();
    assert!(head.contains(&login), "{head:?}");
    assert_eq!(authz(&hook, &pin, "publish", "acme/a"), "deny");
}
