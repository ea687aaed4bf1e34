//! Rows T1–T11 and T15–T21: Tier0's credentials, of which everything is made.

use countersign_testkit::tools::Tool;
use countersign_testkit::{Client, Connect, Version};
use countersign_tests::{
    ACCEPTED, Fixture, Login, PATIENCE, REFUSED, REFUSED_V5, has_shape, is_kicked, on_every_broker,
    text, topics_so_far, wait_until,
};
use serde_json::Value;

const TOPIC: &str = "Plant/Line1/Metric/Temperature";

/// A tenant with a name space of its own for its data models.
fn start(version: Version) -> Fixture {
    let fixture = Fixture::start(version);
    fixture.tenant("plant", &["--namespace", "Plant/#"]);
    fixture
}

/// What Create Auth gives: all three fields of a CONNECT.
struct Auth {
    client_id: String,
    login: Login,
}

impl Auth {
    fn of(made: &Value) -> Self {
        Self {
            client_id: text(made, "client_id"),
            login: Login::from(made),
        }
    }

    fn connect(&self) -> Connect {
        self.login.connect(&self.client_id)
    }

    fn connect_v5(&self) -> Connect {
        self.login.connect_v5(&self.client_id)
    }

    fn accepted(&self, fixture: &Fixture) -> Client {
        self.connect().accepted(fixture.port())
    }
}

fn auth(fixture: &Fixture) -> Auth {
    auth_in(fixture, "plant")
}

fn auth_in(fixture: &Fixture, tenant: &str) -> Auth {
    Auth::of(&fixture.make("generated", tenant, &["--description", "line1"]))
}

on_every_broker! {
    fn t1_clients_must_authenticate_before_they_are_connected(version) {
        let fixture = start(version);
        assert_eq!(Connect::v311("anybody").code(fixture.port()), REFUSED);
        assert_eq!(Connect::v5("anybody").code(fixture.port()), REFUSED_V5);
        let auth = auth(&fixture);
        assert_eq!(auth.connect().code(fixture.port()), ACCEPTED);
        assert_eq!(auth.connect_v5().code(fixture.port()), ACCEPTED);
    }

    fn t2_a_description_is_all_that_is_asked_for(version) {
        let own = Fixture::shared(version);
        let made = own.make("generated", &own.id, &["--description", "line1"]);
        assert_eq!((&made["description"], &made["state"]), (&"line1".into(), &"Inactive".into()));
        // Nothing of it can be chosen.
        let args = ["credential", "create", "--scheme", "generated", "--tenant", &own.id, "--password-stdin"];
        assert_eq!(own.cli.run_with_stdin(&args, b"a chosen one\n").code, Some(1));
    }

    fn t3_client_id_user_name_and_password_are_all_made(version) {
        let own = Fixture::shared(version);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..20 {
            let made = Auth::of(&own.make("generated", &own.id, &[]));
            assert!(has_shape(&made.client_id, "[0-9]{15}"), "{}", made.client_id);
            assert!(has_shape(&made.login.username, "[0-9]{15}"), "{}", made.login.username);
            assert!(has_shape(&made.login.secret, "[0-9a-f]{30}"));
            assert!(seen.insert(made.client_id) && seen.insert(made.login.username.clone()));
            assert!(seen.insert(made.login.secret));
        }
    }

    fn t4_the_password_is_shown_once(version) {
        let own = Fixture::shared(version);
        let auth = auth_in(&own, &own.id);
        let name = &auth.login.username;
        for args in [&["credential", "list"][..], &["credential", "show", name], &["audit", "list"]] {
            let printed = own.cli.json(args).to_string();
            assert!(!printed.contains(&auth.login.secret), "{args:?}");
            assert!(printed.contains(name), "{args:?}: {printed}");
        }
    }

    fn t5_all_three_together_connect_by_every_protocol(version) {
        let fixture = Fixture::start_with(version, |builder| builder.listener().listener_line("protocol websockets"));
        fixture.tenant("plant", &["--namespace", "Plant/#"]);
        let auth = auth(&fixture);
        let mut observer = fixture.observer("Plant/#");
        for protocol in ["311", "5"] {
            let published = Tool::mosquitto("mosquitto_pub", fixture.port())
                .args(["-i", &auth.client_id, "-u", &auth.login.username, "-P", &auth.login.secret])
                .args(["-V", protocol, "-t", TOPIC, "-m", "21", "-q", "1"])
                .run(PATIENCE)
                .unwrap();
            assert_eq!(published.code, Some(0), "{published:?}");
            assert_eq!(topics_so_far(&mut observer), [TOPIC], "{protocol}");
        }
        let websocket = fixture.broker.port_of(1);
        assert_eq!(auth.connect().websocket().code(websocket), ACCEPTED);
        let wrong = auth.login.with_secret("wrong").connect(&auth.client_id);
        assert_eq!(wrong.websocket().code(websocket), REFUSED);
    }

    fn t6_the_client_id_is_part_of_the_credential(version) {
        let fixture = start(version);
        let auth = auth(&fixture);
        for other in ["another", "", &auth.login.username, &format!("{}0", auth.client_id), &auth.client_id[..14]] {
            assert_eq!(auth.login.connect(other).code(fixture.port()), REFUSED, "`{other}`");
            assert_eq!(auth.login.connect_v5(other).code(fixture.port()), REFUSED_V5, "`{other}`");
        }
        assert_eq!(fixture.state(&auth.login), "Inactive");
        assert_eq!(auth.connect().code(fixture.port()), ACCEPTED);
    }

    fn t7_the_client_id_of_one_with_the_login_of_another_is_refused(version) {
        let fixture = start(version);
        let (one, other) = (auth(&fixture), auth(&fixture));
        let mut live = one.accepted(&fixture);
        assert_eq!(other.login.connect(&one.client_id).code(fixture.port()), REFUSED);
        let mixed = one.login.with_secret(&other.login.secret);
        assert_eq!(mixed.connect(&one.client_id).code(fixture.port()), REFUSED);
        live.ping(PATIENCE).unwrap();
    }

    fn t8_a_wrong_password_and_an_unknown_name_are_refused_alike(version) {
        let fixture = start(version);
        let auth = auth(&fixture);
        let unknown = Login { username: "000000000000000".into(), ..auth.login.clone() };
        for login in [auth.login.with_secret("wrong"), auth.login.with_secret(""), unknown] {
            assert_eq!(login.connect(&auth.client_id).code(fixture.port()), REFUSED);
            assert_eq!(login.connect_v5(&auth.client_id).code(fixture.port()), REFUSED_V5);
        }
    }

    fn t9_a_second_connection_takes_over_from_the_first(version) {
        let fixture = start(version);
        let auth = auth(&fixture);
        let mut first = auth.accepted(&fixture);
        let mut second = auth.connect_v5().accepted(fixture.port());
        assert!(first.wait_closed(PATIENCE).is_some());
        assert_eq!(second.subscribe(&[(TOPIC, 0)]).unwrap(), [0]);
        second.publish(TOPIC, "21", 1, false).unwrap();
        assert_eq!(topics_so_far(&mut second), [TOPIC]);
    }

    fn t10_one_client_receives_what_another_of_its_tenant_publishes(version) {
        let fixture = start(version);
        let mut subscriber = auth(&fixture).accepted(&fixture);
        assert_eq!(subscriber.subscribe(&[("Plant/+/Metric/#", 0)]).unwrap(), [0]);
        let mut publisher = auth(&fixture).accepted(&fixture);
        publisher.publish(TOPIC, "21", 1, false).unwrap();
        assert_eq!(topics_so_far(&mut subscriber), [TOPIC]);
    }

    fn t11_a_data_model_may_stand_anywhere_below(version) {
        let fixture = start(version);
        let mut observer = fixture.observer("#");
        let mut publisher = auth(&fixture).accepted(&fixture);
        let allowed = ["Plant", "Plant/a", "Plant/a/b/c/d", "Plant/a/b/c/d/e/f/g/h/i", "Plant//Größe/°C"];
        for topic in allowed.iter().chain(&["Plants/a", "plant/a", "/Plant/a"]) {
            publisher.publish(topic, "21", 1, false).unwrap();
        }
        assert_eq!(topics_so_far(&mut observer), allowed);
    }

    fn t15_the_generated_credentials_are_listed(version) {
        let own = Fixture::shared(version);
        let auth = auth_in(&own, &own.id);
        let listed = own.cli.json(&["credential", "list", "--tenant", &own.id]);
        let [row] = listed.as_array().unwrap().as_slice() else { panic!("{listed}") };
        assert_eq!((text(row, "client_id"), text(row, "username")), (auth.client_id, auth.login.username));
        assert_eq!((text(row, "description"), text(row, "state")), ("line1".into(), "Inactive".into()));
        assert_eq!(text(row, "scheme"), "generated");
        assert!(row["id"].is_i64() && row["created_at"].is_string() && row.get("secret").is_none(), "{row}");
    }

    fn t16_one_can_see_whether_a_client_is_connected(version) {
        let fixture = start(version);
        let auth = auth(&fixture);
        let mut client = auth.accepted(&fixture);
        fixture.wait_for_clients(&[&auth.client_id]);
        let listed = fixture.cli.json(&["clients", "list", "--tenant", "plant"]);
        assert_eq!(text(&listed[0], "username"), auth.login.username);
        client.disconnect().unwrap();
        fixture.wait_for_clients(&[]);
        // A connection that is lost counts as much.
        let client = auth.accepted(&fixture);
        fixture.wait_for_clients(&[&auth.client_id]);
        client.abort();
        fixture.wait_for_clients(&[]);
    }

    fn t17_many_credentials_are_used_at_once(version) {
        let fixture = start(version);
        let auths = [auth(&fixture), auth(&fixture), auth(&fixture)];
        let mut clients = auths.each_ref().map(|auth| auth.accepted(&fixture));
        fixture.wait_for_clients(&auths.each_ref().map(|auth| auth.client_id.as_str()));
        let counted = fixture.cli.json(&["clients", "count", "--tenant", "plant"]);
        assert_eq!(counted["connected"], 3);
        for client in &mut clients {
            client.ping(PATIENCE).unwrap();
        }
    }

    fn t18_deleting_a_credential_ends_its_session_and_its_login(version) {
        let fixture = start(version);
        let (gone, stays) = (auth(&fixture), auth(&fixture));
        let mut client = gone.accepted(&fixture);
        let mut bystander = stays.accepted(&fixture);
        fixture.act("delete", &gone.login);
        assert!(is_kicked(&mut client));
        assert_eq!(gone.connect().code(fixture.port()), REFUSED);
        assert!(bystander.is_alive());
        fixture.cli.refused(&["credential", "show", &gone.login.username]);
    }

    fn t19_the_description_is_any_text_and_no_name(version) {
        let fixture = start(version);
        let description = r#"Prüfstand „7“ – "x\y" 温度 🌡 <b>'; --"#;
        let made = fixture.make("generated", "plant", &["--description", description]);
        assert_eq!(text(&made, "description"), description);
        let auth = Auth::of(&made);
        assert_eq!(text(&fixture.show(&auth.login), "description"), description);
        let by_description = Login { username: description.into(), secret: auth.login.secret.clone() };
        assert_eq!(by_description.connect(&auth.client_id).code(fixture.port()), REFUSED);
    }

    fn t20_the_clients_of_another_tenant_see_none_of_it(version) {
        let fixture = start(version);
        fixture.tenant("other", &["--namespace", "Site2/#"]);
        let stranger = Auth::of(&fixture.make("generated", "other", &[]));
        let mut own = auth(&fixture).accepted(&fixture);
        own.publish(TOPIC, "kept", 1, true).unwrap();
        let mut stranger = stranger.accepted(&fixture);
        for filter in [TOPIC, "Plant/#", "#", "+/#", "$share/g/Plant/#"] {
            assert_eq!(stranger.subscribe(&[(filter, 0)]).unwrap(), [0x80], "{filter}");
        }
        assert_eq!(own.subscribe(&[("Plant/#", 0)]).unwrap(), [0]);
        assert_eq!(topics_so_far(&mut own), [TOPIC]);
        stranger.publish(TOPIC, "", 1, true).unwrap();
        own.publish(TOPIC, "new", 1, false).unwrap();
        assert_eq!(topics_so_far(&mut own), [TOPIC], "the stranger cleared what was kept");
        assert_eq!(topics_so_far(&mut stranger), [""; 0]);
    }

    fn t21_an_edge_may_do_without_credentials(version) {
        let fixture = start(version);
        fixture.set_authentication("plant", "off");
        let mut observer = fixture.observer("#");
        wait_until("anonymous clients are admitted", || Connect::v311("edge").code(fixture.port()) == ACCEPTED);
        let mut client = Connect::v311("edge").accepted(fixture.port());
        for topic in [TOPIC, "elsewhere"] {
            client.publish(topic, "21", 1, false).unwrap();
        }
        assert_eq!(topics_so_far(&mut observer), [TOPIC]);
        assert_eq!(auth(&fixture).connect().code(fixture.port()), ACCEPTED);
    }
}
