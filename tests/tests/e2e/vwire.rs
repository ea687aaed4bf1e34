//! Rows V1–V14 and V17–V31: Vwire's two credential schemes, and what its
//! shipped libraries make of them. V15 and V16 stand beside TLS.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use countersign_testkit::mqtt::Will;
use countersign_testkit::tools::Tool;
use countersign_testkit::{Client, Connect, Version};
use countersign_tests::{
    ACCEPTED, Fixture, Login, PATIENCE, REFUSED, REFUSED_V5, has_shape, is_kicked, on_every_broker,
    text, topics_so_far, wait_until,
};
use serde_json::Value;

const OFFLINE: &str = r#"{"status":"offline"}"#;
const TOKEN_SHAPE: &str = "dt_[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";
/// Of the right shape, and nobody's.
const NOBODYS_TOKEN: &str = "dt_7f3a1c9e-2b84-4d6f-a913-c5e28f01b774";

fn start(version: Version) -> Fixture {
    let fixture = Fixture::start(version);
    fixture.tenant("acme", &[]);
    fixture
}

/// A device of the first scheme: its id and its Auth Token.
fn device(fixture: &Fixture) -> Login {
    Login::from(&fixture.make("vwire", "acme", &[]))
}

/// How the page has it connect: the id twice, and the token.
fn connect(device: &Login) -> Connect {
    device.connect(&device.username)
}

fn accepted(device: &Login, fixture: &Fixture) -> Client {
    connect(device).accepted(fixture.port())
}

fn code(device: &Login, fixture: &Fixture) -> Option<u8> {
    connect(device).code(fixture.port())
}

/// A topic of the device.
fn topic(device: &Login, rest: &str) -> String {
    format!("vwire/{}/{rest}", device.username)
}

fn will(topic: String) -> Will {
    Will {
        topic,
        payload: OFFLINE.into(),
        qos: 1,
        retain: true,
        delay: 0,
    }
}

fn rotate(fixture: &Fixture, name: &str) -> Value {
    fixture.cli.json(&["credential", "rotate", name])
}

/// A device of the second scheme: the handle that commands take, and its
/// Device Token.
struct Bearer {
    name: String,
    token: String,
}

impl Bearer {
    fn of(made: &Value) -> Self {
        Self {
            name: text(made, "name"),
            token: text(made, "secret"),
        }
    }

    fn new(fixture: &Fixture, name: &str, tenant: &str) -> Self {
        Self::of(&fixture.make("vwire-token", tenant, &[name]))
    }

    /// How the page has it connect: with the token, three times.
    fn connect(&self) -> Connect {
        Connect::v311(&self.token).login(&self.token, &self.token)
    }

    fn accepted(&self, fixture: &Fixture) -> Client {
        self.connect().accepted(fixture.port())
    }

    fn code(&self, fixture: &Fixture) -> Option<u8> {
        self.connect().code(fixture.port())
    }

    fn with_token(&self, token: &str) -> Self {
        Self {
            name: self.name.clone(),
            token: token.to_owned(),
        }
    }
}

/// Overwrites all of a store but its first page.
fn damage(store: &Path) {
    const PAGE: u64 = 4096;
    let mut file = OpenOptions::new().write(true).open(store).unwrap();
    let length = usize::try_from(file.metadata().unwrap().len() - PAGE).unwrap();
    file.seek(SeekFrom::Start(PAGE)).unwrap();
    file.write_all(&vec![0xA5; length]).unwrap();
}

on_every_broker! {
    fn v1_a_device_has_an_id_and_an_auth_token(version) {
        let own = Fixture::shared(version);
        let made = own.make("vwire", &own.id, &[]);
        assert!(has_shape(&text(&made, "device_id"), "V[WU]-[A-Z0-9]{6}"), "{made}");
        assert_eq!(made["username"], made["device_id"]);
        assert_eq!(made["client_id"], made["device_id"]);
        // The libraries keep no more than 63 characters.
        assert!(has_shape(&text(&made, "secret"), "at_[0-9a-f]{32}"), "{made}");
        // An id that was printed on a device is taken as it is.
        assert_eq!(own.make("vwire", &own.id, &["VW-ABC123"])["device_id"], "VW-ABC123");
        for bad in ["VX-ABC123", "VW-abc123", "VW-ABC12", "VW-ABC1234", "ABC123"] {
            own.cli.refused(&["credential", "create", bad, "--tenant", &own.id, "--scheme", "vwire"]);
        }
    }

    fn v2_the_id_is_client_id_and_user_name_and_the_token_the_password(version) {
        let fixture = start(version);
        let device = device(&fixture);
        let id = &device.username;
        let mut observer = fixture.observer("vwire/#");
        for protocol in ["311", "5"] {
            let published = Tool::mosquitto("mosquitto_pub", fixture.port())
                .args(["-i", id, "-u", id, "-P", &device.secret, "-V", protocol])
                .args(["-t", &topic(&device, "pin/V0"), "-m", "1", "-q", "1"])
                .run(PATIENCE)
                .unwrap();
            assert_eq!(published.code, Some(0), "{published:?}");
            assert_eq!(topics_so_far(&mut observer), [topic(&device, "pin/V0")]);
        }
    }

    fn v3_another_user_name_is_refused(version) {
        let fixture = start(version);
        let (device, other) = (device(&fixture), device(&fixture));
        for username in ["other", &other.username, &device.secret, "", &device.username.to_lowercase()] {
            let connect = Connect::v311(&device.username).login(username, &device.secret);
            assert_eq!(connect.code(fixture.port()), REFUSED, "{username}");
        }
        assert_eq!(Connect::v311(&device.username).code(fixture.port()), REFUSED);
        assert_eq!(code(&device, &fixture), ACCEPTED);
    }

    fn v4_another_client_id_is_refused_or_means_nothing_as_the_scheme_says(version) {
        let fixture = start(version);
        let strict = device(&fixture);
        for client_id in ["foo", "", &device(&fixture).username, &strict.username.to_lowercase()] {
            assert_eq!(strict.connect(client_id).code(fixture.port()), REFUSED, "{client_id}");
            assert_eq!(strict.connect_v5(client_id).code(fixture.port()), REFUSED_V5, "{client_id}");
        }
        let compatible = Login::from(&fixture.make("vwire-compat", "acme", &[]));
        let other = Login::from(&fixture.make("vwire-compat", "acme", &[]));
        let mut observer = fixture.observer("vwire/#");
        for client_id in ["foo", &other.username] {
            let mut client = compatible.connect(client_id).accepted(fixture.port());
            client.publish(&format!("vwire/{client_id}/pin/V0"), "1", 1, false).unwrap();
            client.publish(&topic(&compatible, "pin/V0"), "1", 1, false).unwrap();
            client.disconnect().unwrap();
        }
        // What is bound to one is not lent to another.
        assert_eq!(compatible.connect(&strict.username).code(fixture.port()), REFUSED);
        let own = topic(&compatible, "pin/V0");
        assert_eq!(topics_so_far(&mut observer), [own.clone(), own]);
    }

    fn v5_the_token_is_looked_up_in_the_store(version) {
        let fixture = start(version);
        let device = device(&fixture);
        for wrong in ["at_00000000000000000000000000000000", "", "at_", &device.username, &device.secret[3..]] {
            assert_eq!(code(&device.with_secret(wrong), &fixture), REFUSED, "{wrong}");
        }
        let nobody = Login { username: "VW-000000".into(), ..device.clone() };
        assert_eq!(code(&nobody, &fixture), REFUSED);
        assert_eq!(code(&device, &fixture), ACCEPTED);
    }

    fn v6_the_token_of_another_device_is_refused(version) {
        let fixture = start(version);
        let (one, other) = (device(&fixture), device(&fixture));
        assert_eq!(code(&one.with_secret(&other.secret), &fixture), REFUSED);
        assert_eq!(other.connect(&one.username).code(fixture.port()), REFUSED);
        assert_eq!(one.connect(&other.username).code(fixture.port()), REFUSED);
    }

    fn v7_a_device_publishes_below_its_id_alone(version) {
        let fixture = start(version);
        let (device, other) = (device(&fixture), device(&fixture));
        let mut observer = fixture.observer("#");
        let mut client = accepted(&device, &fixture);
        let id = &device.username;
        let allowed = ["pin/V0", "status", "heartbeat", "sync/V1", "ack/7"].map(|rest| topic(&device, rest));
        let denied = [
            topic(&other, "pin/V0"),
            format!("vwire/{id}x/pin/V0"),
            format!("/vwire/{id}/pin/V0"),
            format!("vwire/{id}"),
            "vwire".into(),
            format!("vwire/x/{id}/pin/V0"),
            format!("vwire/{}/pin/V0", id.to_lowercase()),
            "acme/x".into(),
        ];
        for topic in denied.iter().chain(&allowed) {
            client.publish(topic, "1", 1, false).unwrap();
        }
        assert_eq!(topics_so_far(&mut observer), allowed);
    }

    fn v8_a_device_subscribes_below_its_id_alone(version) {
        let fixture = start(version);
        let (device, other) = (device(&fixture), device(&fixture));
        let mut client = accepted(&device, &fixture);
        let (own, foreign) = (topic(&device, "cmd/#"), topic(&other, "cmd/#"));
        for filter in ["vwire/#", "#", "+/#", "vwire/+/cmd/#", "vwire/+", &foreign, "$share/g/vwire/#", &format!("$share/g/{foreign}"), "$SYS/#"] {
            assert_eq!(client.subscribe(&[(filter, 0)]).unwrap(), [0x80], "{filter}");
        }
        for filter in [&own, &topic(&device, "#")[..], &format!("vwire/{}", device.username), &format!("$share/g/{own}")] {
            assert_eq!(client.subscribe(&[(filter, 0)]).unwrap(), [0], "{filter}");
            client.unsubscribe(&[filter]).unwrap();
        }
        assert_eq!(client.subscribe(&[(&own, 0)]).unwrap(), [0]);
        let server = fixture.operator("server", &["--publish", "vwire/+/cmd/#"]);
        let mut server = server.connect("server").accepted(fixture.port());
        for device in [&device, &other] {
            server.publish(&topic(device, "cmd/V0"), "1", 1, false).unwrap();
        }
        assert_eq!(topics_so_far(&mut client), [topic(&device, "cmd/V0")]);
    }

    fn v9_a_will_is_held_to_the_same_rules(version) {
        let fixture = start(version);
        let (device, other) = (device(&fixture), device(&fixture));
        let mut observer = fixture.observer("vwire/#");
        for device_of_topic in [&other, &device] {
            let lost = connect(&device).will(will(topic(device_of_topic, "status"))).accepted(fixture.port());
            lost.abort();
        }
        let message = observer.receive(PATIENCE).unwrap();
        assert_eq!((message.topic, message.payload), (topic(&device, "status"), OFFLINE.into()));
        assert_eq!(topics_so_far(&mut observer), [""; 0]);
    }

    fn v10_a_wrong_token_is_answered_with_five(version) {
        let fixture = start(version);
        let device = device(&fixture);
        let attempt = |protocol: &str| {
            Tool::mosquitto("mosquitto_pub", fixture.port())
                .args(["-i", &device.username, "-u", &device.username, "-P", "at_wrong", "-V", protocol])
                .args(["-t", &topic(&device, "pin/V0"), "-m", "1"])
                .run(PATIENCE)
                .unwrap()
        };
        let old = attempt("311");
        assert_eq!(old.code, Some(5), "{old:?}");
        assert!(old.stderr.contains("not authorised"), "{old:?}");
        assert_eq!(attempt("5").code, Some(0x87));
        let wrong = device.with_secret("at_wrong");
        assert_eq!(code(&wrong, &fixture), REFUSED);
        assert_eq!(wrong.connect_v5(&wrong.username).code(fixture.port()), REFUSED_V5);
    }

    fn v11_a_deleted_or_inactive_device_is_answered_with_five(version) {
        let fixture = start(version);
        let (deleted, inactive) = (device(&fixture), device(&fixture));
        fixture.act("delete", &deleted);
        assert_eq!(code(&deleted, &fixture), REFUSED);
        assert_eq!(code(&inactive, &fixture), ACCEPTED);
        fixture.act("suspend", &inactive);
        assert_eq!(code(&inactive, &fixture), REFUSED);
        fixture.act("reactivate", &inactive);
        assert_eq!(code(&inactive, &fixture), ACCEPTED);
    }

    fn v12_deleting_or_deactivating_a_device_ends_its_session(version) {
        let fixture = start(version);
        let mut bystander = accepted(&device(&fixture), &fixture);
        for act in ["delete", "suspend", "revoke"] {
            let device = device(&fixture);
            let mut client = accepted(&device, &fixture);
            fixture.act(act, &device);
            assert!(is_kicked(&mut client), "{act}");
        }
        assert!(bystander.is_alive());
    }

    fn v13_a_store_that_can_not_be_read_refuses_and_an_absent_broker_does_not_answer(version) {
        let mut fixture = start(version);
        let (used, fresh) = (device(&fixture), device(&fixture));
        assert_eq!(code(&used, &fixture), ACCEPTED);
        // Now all lies in the file, and nothing in the plugin's memory.
        fixture.broker.restart().unwrap();
        let mut live = accepted(&used, &fixture);
        assert_eq!(live.subscribe(&[(&topic(&used, "#"), 0)]).unwrap(), [0]);
        fixture.wait_for_clients(&[&used.username]);
        damage(fixture.cli.store());
        for _ in 0..3 {
            let nobody = Login { username: "VW-000000".into(), ..fresh.clone() };
            for device in [&fresh, &used, &nobody, &fresh.with_secret("at_wrong")] {
                assert_eq!(code(device, &fixture), REFUSED, "{}", device.username);
            }
            assert_eq!(Connect::v311("anybody").code(fixture.port()), REFUSED);
        }
        assert_eq!(fixture.our_lines().matches("refusing every login").count(), 1, "{}", fixture.our_lines());
        // Who is in stays in, and is judged as before.
        live.publish(&topic(&used, "pin/V0"), "1", 1, false).unwrap();
        live.publish(&topic(&fresh, "pin/V0"), "1", 1, false).unwrap();
        assert_eq!(topics_so_far(&mut live), [topic(&used, "pin/V0")]);
        fixture.broker.stop().unwrap();
        let unanswered = Tool::mosquitto("mosquitto_pub", fixture.port())
            .args(["-i", &used.username, "-u", &used.username, "-P", &used.secret, "-t", "x", "-m", "x"])
            .run(PATIENCE)
            .unwrap();
        assert_eq!(unanswered.code, Some(1), "{unanswered:?}");
    }

    fn v14_a_device_that_tries_again_and_again_is_not_locked_out(version) {
        let fixture = start(version);
        let device = device(&fixture);
        for _ in 0..100 {
            assert_eq!(code(&device.with_secret("at_wrong"), &fixture), REFUSED);
        }
        assert_eq!(code(&device, &fixture), ACCEPTED);
    }

    fn v17_a_new_token_ends_the_old_one_at_once(version) {
        let fixture = start(version);
        let old = device(&fixture);
        assert_eq!(code(&old, &fixture), ACCEPTED);
        let new = Login::from(&rotate(&fixture, &old.username));
        assert!(has_shape(&new.secret, "at_[0-9a-f]{32}"));
        // What the program printed holds already.
        assert_eq!(code(&old, &fixture), REFUSED);
        assert_eq!(code(&new, &fixture), ACCEPTED);
    }

    fn v18_exactly_the_connection_that_used_the_old_token_is_ended(version) {
        let fixture = start(version);
        let old = device(&fixture);
        let mut bystander = accepted(&device(&fixture), &fixture);
        let mut client = accepted(&old, &fixture);
        let new = Login::from(&rotate(&fixture, &old.username));
        assert!(is_kicked(&mut client));
        let mut client = accepted(&new, &fixture);
        // One that is quicker than the kick has to survive it.
        let newest = Login::from(&rotate(&fixture, &old.username));
        let mut quick = accepted(&newest, &fixture);
        assert!(is_kicked(&mut client), "by the one or the other");
        std::thread::sleep(countersign_tests::QUIET);
        assert!(quick.is_alive());
        assert!(bystander.is_alive());
    }

    fn v19_the_device_id_stays_when_the_token_changes(version) {
        let fixture = start(version);
        let old = device(&fixture);
        let mut observer = fixture.observer("vwire/#");
        let renewed = rotate(&fixture, &old.username);
        assert_eq!(text(&renewed, "username"), old.username);
        let mut client = accepted(&Login::from(&renewed), &fixture);
        client.publish(&topic(&old, "pin/V0"), "1", 1, false).unwrap();
        assert_eq!(topics_so_far(&mut observer), [topic(&old, "pin/V0")]);
        assert_eq!(fixture.show(&old)["device_id"], old.username.as_str());
    }

    fn v20_a_device_token_is_a_random_uuid(version) {
        let own = Fixture::shared(version);
        assert!(has_shape(NOBODYS_TOKEN, TOKEN_SHAPE), "the page's own example");
        let made = own.make("vwire-token", &own.id, &["greenhouse"]);
        assert!(has_shape(&text(&made, "secret"), TOKEN_SHAPE), "{made}");
        assert_eq!((&made["username"], &made["client_id"]), (&made["secret"], &made["secret"]));
        assert_eq!((text(&made, "name"), text(&made, "device_id")), (format!("greenhouse@{}", own.id), "greenhouse".into()));
    }

    fn v21_all_three_fields_carry_the_token(version) {
        let fixture = start(version);
        let (device, other) = (Bearer::new(&fixture, "greenhouse", "acme"), Bearer::new(&fixture, "other", "acme"));
        let (token, foreign) = (device.token.as_str(), other.token.as_str());
        let wrong = [
            ["greenhouse", token, token],
            ["", token, token],
            [foreign, token, token],
            [token, "greenhouse", token],
            [token, "greenhouse@acme", token],
            [token, foreign, token],
            [token, token, foreign],
            [token, token, NOBODYS_TOKEN],
            [token, token, ""],
            [foreign, foreign, token],
        ];
        for [client_id, username, password] in wrong {
            let old = Connect::v311(client_id).login(username, password);
            assert_eq!(old.code(fixture.port()), REFUSED, "{client_id} {username} {password}");
            let new = Connect::v5(client_id).login(username, password);
            assert_eq!(new.code(fixture.port()), REFUSED_V5, "{client_id} {username} {password}");
        }
        assert_eq!(Connect::v311(token).username(token).code(fixture.port()), REFUSED);
        assert_eq!(Connect::v5(token).password(token).code(fixture.port()), REFUSED_V5);
        assert_eq!(device.code(&fixture), ACCEPTED);
        assert_eq!(Connect::v5(token).login(token, token).code(fixture.port()), ACCEPTED);
    }

    fn v22_the_shipped_libraries_connect_with_the_token_as_user_name(version) {
        let fixture = start(version);
        let mut observer = fixture.observer("vwire/#");
        let made = Login::from(&fixture.make("vwire-compat", "acme", &[]));
        let token = made.secret.as_str();
        let (id, own) = (&made.username, topic(&made, "pin/V0"));
        for client_id in [format!("vwire-{id}"), format!("vwire-py-{id}"), id.clone(), token.to_owned()] {
            let mut client = Connect::v311(&client_id).login(token, token).accepted(fixture.port());
            for topic in [format!("vwire/{client_id}x/pin/V0"), format!("vwire/{token}/pin/V0"), own.clone()] {
                client.publish(&topic, "1", 1, false).unwrap();
            }
            assert_eq!(topics_so_far(&mut observer), [own.as_str()], "{client_id}");
            client.disconnect().unwrap();
        }
        assert_eq!(made.connect("as the page says").code(fixture.port()), ACCEPTED);
        assert_eq!(Connect::v311("a").login(token, "at_wrong").code(fixture.port()), REFUSED);
        let strict = device(&fixture);
        let as_strict = Connect::v311(&strict.username).login(&strict.secret, &strict.secret);
        assert_eq!(as_strict.code(fixture.port()), REFUSED);
    }

    fn v23_no_two_devices_share_a_token(version) {
        let fixture = start(version);
        let mut seen = BTreeSet::new();
        for number in 0..10 {
            let bearer = Bearer::new(&fixture, &format!("device{number}"), "acme");
            let device = device(&fixture);
            for made in [bearer.token, device.username, device.secret] {
                assert!(seen.insert(made));
            }
        }
    }

    fn v24_whether_a_token_can_be_replaced_is_for_the_scheme_to_say(version) {
        let fixture = start(version);
        fixture.scheme_like("vwire-token", "vwire-fixed", "rotatable", "false");
        let fixed = Bearer::of(&fixture.make("vwire-fixed", "acme", &["greenhouse"]));
        let mut client = fixed.accepted(&fixture);
        for act in ["rotate", "reset-password"] {
            let complaint = fixture.cli.refused(&["credential", act, &fixed.name]);
            assert!(complaint.contains("delete"), "{complaint}");
        }
        client.ping(PATIENCE).unwrap();
        // What is left is to delete it and make it anew.
        fixture.cli.json(&["credential", "delete", &fixed.name]);
        assert!(is_kicked(&mut client));
        let again = Bearer::of(&fixture.make("vwire-fixed", "acme", &["greenhouse"]));
        assert_eq!((fixed.code(&fixture), again.code(&fixture)), (REFUSED, ACCEPTED));
        // The scheme that is there from the start lets it be replaced.
        let old = Bearer::new(&fixture, "other", "acme");
        let mut client = old.accepted(&fixture);
        let new = old.with_token(&text(&rotate(&fixture, &old.name), "secret"));
        assert!(is_kicked(&mut client));
        assert_eq!((old.code(&fixture), new.code(&fixture)), (REFUSED, ACCEPTED));
    }

    fn v25_devices_of_one_name_in_two_organizations_are_kept_apart(version) {
        let fixture = start(version);
        fixture.tenant("zoo", &[]);
        let mut observer = fixture.observer("#");
        let bearers = ["acme", "zoo"].map(|tenant| Bearer::new(&fixture, "greenhouse", tenant));
        let [mut one, mut other] = bearers.each_ref().map(|bearer| bearer.accepted(&fixture));
        assert_eq!(one.subscribe(&[("vwire/acme/greenhouse/#", 0)]).unwrap(), [0]);
        assert_eq!(other.subscribe(&[("vwire/zoo/greenhouse/#", 0)]).unwrap(), [0]);
        for filter in ["vwire/acme/greenhouse/#", "vwire/+/greenhouse/#", "vwire/#", "vwire/greenhouse/#", "$share/g/vwire/acme/greenhouse/#"] {
            assert_eq!(other.subscribe(&[(filter, 0)]).unwrap(), [0x80], "{filter}");
        }
        for topic in ["vwire/acme/greenhouse/pin/V0", "vwire/zoo/greenhouse/pin/V0", "vwire/greenhouse/pin/V0"] {
            one.publish(topic, "1", 1, false).unwrap();
        }
        assert_eq!(topics_so_far(&mut observer), ["vwire/acme/greenhouse/pin/V0"]);
        assert_eq!(topics_so_far(&mut one), ["vwire/acme/greenhouse/pin/V0"]);
        assert_eq!(topics_so_far(&mut other), [""; 0]);
    }

    fn v26_a_device_id_is_taken_once_in_the_whole_store(version) {
        let fixture = start(version);
        fixture.tenant("zoo", &[]);
        let first = Login::from(&fixture.make("vwire", "acme", &["VW-ABC123"]));
        for scheme in ["vwire", "vwire-compat"] {
            for tenant in ["acme", "zoo"] {
                let args = ["credential", "create", "VW-ABC123", "--tenant", tenant, "--scheme", scheme];
                let complaint = fixture.cli.refused(&args);
                assert!(complaint.contains("VW-ABC123"), "{complaint}");
            }
        }
        assert_eq!(code(&first, &fixture), ACCEPTED);
    }

    fn v27_a_wrong_or_deleted_device_token_is_answered_with_five(version) {
        let fixture = start(version);
        let device = Bearer::new(&fixture, "greenhouse", "acme");
        assert_eq!(device.with_token(NOBODYS_TOKEN).code(&fixture), REFUSED);
        assert_eq!(Connect::v5(NOBODYS_TOKEN).login(NOBODYS_TOKEN, NOBODYS_TOKEN).code(fixture.port()), REFUSED_V5);
        let mut client = device.accepted(&fixture);
        fixture.cli.json(&["credential", "delete", &device.name]);
        assert!(is_kicked(&mut client));
        assert_eq!(device.code(&fixture), REFUSED);
    }

    fn v28_the_last_will_is_sent_when_the_token_is_replaced(version) {
        let fixture = start(version);
        let device = device(&fixture);
        let status = topic(&device, "status");
        let mut observer = fixture.observer("vwire/#");
        let mut client = connect(&device).will(will(status.clone())).accepted(fixture.port());
        let new = Login::from(&rotate(&fixture, &device.username));
        assert!(is_kicked(&mut client));
        let message = observer.receive(PATIENCE).unwrap();
        assert_eq!((message.topic.as_str(), message.text()), (status.as_str(), OFFLINE));
        let mut client = accepted(&new, &fixture);
        assert_eq!(client.subscribe(&[(&status, 0)]).unwrap(), [0]);
        let kept = client.receive(PATIENCE).unwrap();
        assert_eq!((kept.text(), kept.retain), (OFFLINE, true));
    }

    fn v29_tokens_are_masked_wherever_we_show_or_keep_them(version) {
        let fixture = start(version);
        let device = Bearer::new(&fixture, "greenhouse", "acme");
        let compatible = Login::from(&fixture.make("vwire-compat", "acme", &[]));
        let tokens = [device.token.as_str(), compatible.secret.as_str(), NOBODYS_TOKEN];
        let mut client = Connect::v5(&device.token).login(&device.token, &device.token).accepted(fixture.port());
        client.publish("vwire/acme/greenhouse/pin/V0", "1", 1, false).unwrap();
        client.publish(&format!("vwire/{}/pin/V0", device.token), "1", 1, false).unwrap();
        let _compatible = Connect::v311(&compatible.secret).login(&compatible.secret, &compatible.secret).accepted(fixture.port());
        // Each is refused once, too: for the client id, the password, the name.
        assert_eq!(Connect::v311("a").login(&device.token, &device.token).code(fixture.port()), REFUSED);
        assert_eq!(Connect::v311(&device.token).login(&device.token, "x").code(fixture.port()), REFUSED);
        assert_eq!(Connect::v311(&device.token).login("greenhouse@acme", &device.token).code(fixture.port()), REFUSED);
        assert_eq!(Connect::v311("a").login(&compatible.secret, "x").code(fixture.port()), REFUSED);
        assert_eq!(device.with_token(NOBODYS_TOKEN).code(&fixture), REFUSED);
        let masked = format!("{}…", &device.token[..7]);
        wait_until("both are listed, and the refusals audited", || {
            let listed = fixture.cli.json(&["clients", "list"]).to_string();
            let audit = fixture.cli.json(&["audit", "list"]).to_string();
            listed.matches('…').count() == 2 && listed.contains(&masked) && audit.contains("dt_7f3a…")
        });
        let shown = fixture.cli.json(&["credential", "show", &device.name]);
        assert_eq!((text(&shown, "username"), text(&shown, "client_id")), (masked.clone(), masked.clone()));
        let lists = [&["credential", "list"][..], &["clients", "list"], &["audit", "list"], &["credential", "show", &device.name]];
        let mut places: Vec<(String, String)> = lists
            .iter()
            .map(|args| (args.join(" "), fixture.cli.json(args).to_string()))
            .collect();
        // The end of a session is a line of ours as well.
        rotate(&fixture, &device.name);
        assert!(is_kicked(&mut client));
        let end = fixture.broker.wait_for_log("Countersign: ended the session", PATIENCE).unwrap();
        assert!(end.contains(&masked), "{end}");
        places.push(("our lines".into(), fixture.our_lines()));
        for file in std::fs::read_dir(fixture.cli.store().parent().unwrap()).unwrap() {
            let path = file.unwrap().path();
            let bytes = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            places.push((path.display().to_string(), bytes));
        }
        for token in tokens {
            for (place, content) in &places {
                assert!(!content.contains(token), "{token} stands in {place}");
                assert!(!content.contains(&token[token.len() - 12..]), "the end of {token} stands in {place}");
            }
            // What the broker was given as the user name is the principal's.
            assert!(!fixture.broker.log().contains(&format!("u'{token}'")), "{token}");
        }
    }

    fn v30_an_operator_or_a_service_with_a_role_commands_devices(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("acme", &["--namespace", "vwire/#"]);
        let device = device(&fixture);
        let command = topic(&device, "cmd/V0");
        let mut client = accepted(&device, &fixture);
        assert_eq!(client.subscribe(&[(&topic(&device, "cmd/#"), 0)]).unwrap(), [0]);
        // A scheme that grants nothing, so that it is the role that does.
        fixture.add_scheme("service", "name = \"service\"\nlogin_name = \"suffixed\"\nclient_id = \"any\"\nsecret_shape = \"sv_[0-9a-f]{32}\"\n");
        fixture.cli.json(&["role", "create", "commander", "--tenant", "acme"]);
        fixture.cli.json(&["role", "allow", "commander", "--tenant", "acme", "publish", "vwire/+/cmd/#"]);
        let without = Login::from(&fixture.make("service", "acme", &["without"]));
        let with = Login::from(&fixture.make("service", "acme", &["with", "--role", "commander"]));
        let operator = fixture.operator("back-end", &["--publish", "vwire/+/cmd/#"]);
        for (sender, expected) in [(&without, 0), (&with, 1), (&operator, 1)] {
            let mut sender = sender.connect(&sender.username).accepted(fixture.port());
            for topic in [&command, &topic(&device, "pin/V0")] {
                sender.publish(topic, "1", 1, false).unwrap();
            }
            assert_eq!(sender.subscribe(&[("vwire/#", 0)]).unwrap(), [0x80]);
            assert_eq!(topics_so_far(&mut client), vec![command.as_str(); expected]);
        }
        // A role that is taken away is gone from a live session.
        let mut sender = with.connect("with").accepted(fixture.port());
        fixture.cli.json(&["credential", "set", &with.username, "--remove-role", "commander"]);
        wait_until("the role is gone", || {
            sender.publish(&command, "1", 1, false).unwrap();
            topics_so_far(&mut client).is_empty()
        });
        assert!(sender.is_alive());
    }

    fn v31_a_token_finds_its_device_and_one_that_is_nearly_it_finds_none(version) {
        let fixture = start(version);
        let bearers: Vec<Bearer> = (0..20).map(|number| Bearer::new(&fixture, &format!("d{number}"), "acme")).collect();
        let mut observer = fixture.observer("#");
        for (number, bearer) in bearers.iter().enumerate() {
            let own = format!("vwire/acme/d{number}/pin/V0");
            let mut client = bearer.accepted(&fixture);
            client.publish(&own, "1", 1, false).unwrap();
            client.publish(&format!("vwire/acme/d{}/pin/V0", number + 1), "1", 1, false).unwrap();
            assert_eq!(topics_so_far(&mut observer), [own]);
        }
        let token = &bearers[0].token;
        let last = if token.ends_with('0') { "1" } else { "0" };
        let nearly = [
            format!("{}{last}", &token[..token.len() - 1]),
            token[..token.len() - 1].to_owned(),
            format!("{token}0"),
            token.to_uppercase(),
            format!(" {token}"),
            format!("{token}@acme"),
            token.replace("dt_", ""),
        ];
        for wrong in nearly {
            assert_eq!(bearers[0].with_token(&wrong).code(&fixture), REFUSED, "{wrong}");
        }
        // A token of another scheme is no name where that scheme knows none.
        let strict = device(&fixture);
        assert_eq!(bearers[0].with_token(&strict.secret).code(&fixture), REFUSED);
    }
}
