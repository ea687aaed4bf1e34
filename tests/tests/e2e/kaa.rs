//! Rows K1–K6, K14–K33, K36 and K37: device credentials as Kaa describes them.

use std::time::Duration;

use countersign_testkit::tools::Tool;
use countersign_testkit::{Connect, Version};
use countersign_tests::{
    ACCEPTED, Fixture, Login, PATIENCE, QUIET, REFUSED, REFUSED_V5, is_kicked, on_every_broker,
    text, topics, wait_until,
};

const MESSAGE: &str = r#"{"temperature": 21}"#;
const TOPIC: &str = "kp1/demo/dcx/token/json/1";

/// `mosquitto_rr` without a responder: it was let in and nobody answered.
const TIMED_OUT: Option<i32> = Some(27);

/// What the seed's transcript shows after the credential was revoked.
fn assert_refused_like_the_seed(output: &countersign_testkit::tools::Output) {
    assert_eq!(output.code, Some(5), "{output:?}");
    assert!(
        output.stderr.contains("Connection error: Unknown reason"),
        "{output:?}"
    );
}

on_every_broker! {
    fn k1_a_credential_is_a_username_and_a_password_of_one_tenant(version) {
        let fixture = Fixture::start_with_tenant(version);
        let made = fixture.cli.json(&["credential", "create", "dev1", "--tenant", "t1"]);
        for key in ["id", "name", "tenant", "scheme", "username", "client_id", "secret", "state", "group", "description", "created_at"] {
            assert!(made.get(key).is_some(), "{key}: {made}");
        }
        assert_eq!(made["tenant"], "t1");
        assert_eq!(made["scheme"], "basic");
        assert!(text(&made, "secret").len() >= 32, "{made}");
        assert_eq!(fixture.code(&Login::from(&made)), ACCEPTED);
        let chosen = fixture.credential_with_password("dev2", "t1", "correct horse");
        assert_eq!(fixture.code(&chosen), ACCEPTED);
    }

    fn k2_the_entered_name_is_suffixed_with_the_tenant(version) {
        let fixture = Fixture::start_with_tenant(version);
        assert_eq!(fixture.credential("dev1", "t1").username, "dev1@t1");
        let with_at = fixture.credential("line@plant", "t1");
        assert_eq!(with_at.username, "line@plant@t1");
        assert_eq!(fixture.code(&with_at), ACCEPTED);
    }

    fn k3_only_the_whole_name_logs_in(version) {
        let fixture = Fixture::start_with_tenant(version);
        let login = fixture.credential("dev1", "t1");
        assert_refused_like_the_seed(&fixture.kaa_request("dev1", &login.secret, "311"));
        assert_eq!(fixture.kaa_request("dev1@t1", &login.secret, "311").code, TIMED_OUT);
    }

    fn k4_an_unknown_tenant_is_refused_whatever_the_others_ask_for(version) {
        let fixture = Fixture::start_with_tenant(version);
        for mode in ["required", "optional", "off"] {
            fixture.set_authentication("t1", mode);
            for name in ["dev1@nosuch", "dev1@", "dev1@T1", "dev1@no.such"] {
                let code = Connect::v311("a").login(name, "x").code(fixture.port());
                assert_eq!(code, REFUSED, "{name} under {mode}");
            }
        }
    }

    fn k5_a_name_is_unique_in_its_tenant_and_not_beyond(version) {
        let fixture = Fixture::start_with_tenant(version);
        fixture.tenant("t2", &[]);
        let one = fixture.credential("dev1", "t1");
        let other = fixture.credential("dev1", "t2");
        // Each with a client id of its own: between tenants an id is held for a while.
        assert_eq!(one.connect("one").code(fixture.port()), ACCEPTED);
        assert_eq!(other.connect("other").code(fixture.port()), ACCEPTED);
        assert_eq!(one.with_secret(&other.secret).connect("one").code(fixture.port()), REFUSED);
        let complaint = fixture.cli.refused(&["credential", "create", "dev1", "--tenant", "t1"]);
        assert!(complaint.contains("dev1@t1"), "{complaint}");
        let differs_in_case = fixture.credential("Dev1", "t1");
        assert_eq!(fixture.code(&differs_in_case), ACCEPTED);
    }

    fn k6_a_wrong_password_is_refused_during_the_handshake(version) {
        let fixture = Fixture::start_with_tenant(version);
        let observer = fixture.credential("observer", "t1");
        let mut observer = observer.connect("observer").accepted(fixture.port());
        assert_eq!(observer.subscribe(&[("kp1/#", 0)]).unwrap(), [0]);
        for login in [fixture.credential("dev1", "t1"), fixture.credential_with_password("dev2", "t1", "chosen")] {
            assert_refused_like_the_seed(&fixture.kaa_request(&login.username, "wrong", "311"));
            assert_eq!(fixture.kaa_request(&login.username, &login.secret, "311").code, TIMED_OUT);
        }
        // One message each: of the two that were let in.
        assert_eq!(topics(&mut observer), [TOPIC, TOPIC]);
    }

    fn k14_a_new_credential_is_inactive_and_was_never_used(version) {
        let own = Fixture::shared(version);
        let shown = own.show(&own.credential("dev1", &own.id));
        assert_eq!(shown["state"], "Inactive");
        assert!(shown["last_used_at"].is_null(), "{shown}");
    }

    fn k15_the_first_login_activates_and_a_restart_forgets_nothing(version) {
        let mut fixture = Fixture::start_with_tenant(version);
        let login = fixture.credential("dev1", "t1");
        assert_eq!(fixture.code(&login), ACCEPTED);
        // Committed before the CONNACK, so there is nothing to wait for.
        assert_eq!(fixture.state(&login), "Active");
        let first = fixture.last_used_at(&login);
        fixture.broker.restart().unwrap();
        assert_eq!(fixture.state(&login), "Active");
        let before = fixture.last_used_at(&login);
        assert!(before >= first);
        assert_eq!(fixture.code(&login), ACCEPTED);
        wait_until("the second use is written down", || fixture.last_used_at(&login) > before);
        let audit = fixture.cli.json(&["audit", "list", "--name", &login.username]);
        let activations = audit.as_array().unwrap().iter().filter(|row| row["act"] == "credential.activate");
        assert_eq!(activations.count(), 1, "{audit}");
    }

    fn k16_a_failed_login_does_not_activate(version) {
        let fixture = Fixture::start_with_tenant(version);
        let login = fixture.credential("dev1", "t1");
        for _ in 0..3 {
            assert_eq!(fixture.code(&login.with_secret("wrong")), REFUSED);
        }
        assert_eq!(fixture.state(&login), "Inactive");
    }

    fn k18_an_active_credential_can_be_suspended(version) {
        let fixture = Fixture::start_with_tenant(version);
        let login = fixture.credential("dev1", "t1");
        assert_eq!(fixture.code(&login), ACCEPTED);
        assert_eq!(fixture.act("suspend", &login)["state"], "Suspended");
        assert_eq!(fixture.state(&login), "Suspended");
    }

    fn k19_a_suspended_credential_is_refused_in_every_mode(version) {
        let fixture = Fixture::start_with_tenant(version);
        let login = fixture.credential("dev1", "t1");
        assert_eq!(fixture.code(&login), ACCEPTED);
        fixture.act("suspend", &login);
        for mode in ["required", "optional", "off"] {
            fixture.set_authentication("t1", mode);
            assert_eq!(fixture.code(&login), REFUSED, "under {mode}");
        }
    }

    fn k20_a_suspended_credential_can_be_reactivated(version) {
        let fixture = Fixture::start_with_tenant(version);
        let used = fixture.credential("used", "t1");
        let fresh = fixture.credential("fresh", "t1");
        assert_eq!(fixture.code(&used), ACCEPTED);
        for (login, state) in [(&used, "Active"), (&fresh, "Inactive")] {
            fixture.act("suspend", login);
            assert_eq!(fixture.act("reactivate", login)["state"], state);
            assert_eq!(fixture.code(login), ACCEPTED);
        }
    }

    fn k21_a_revoked_credential_is_refused_as_kaa_shows(version) {
        let fixture = Fixture::start_with_tenant(version);
        let login = fixture.credential("dev1", "t1");
        assert_eq!(fixture.kaa_request(&login.username, &login.secret, "311").code, TIMED_OUT);
        let args = ["credential", "revoke", &login.username, "--reason", "stolen"];
        let revoked = fixture.cli.json(&args);
        assert_eq!(revoked["state"], "Revoked");
        assert_eq!(revoked["revoked_reason"], "stolen");
        assert_refused_like_the_seed(&fixture.kaa_request(&login.username, &login.secret, "311"));
    }

    fn k22_revoked_is_final_but_the_record_can_be_removed(version) {
        let fixture = Fixture::start_with_tenant(version);
        let login = fixture.credential("dev1", "t1");
        fixture.act("revoke", &login);
        for act in ["suspend", "reactivate", "revoke", "reset-password", "rotate"] {
            let complaint = fixture.cli.refused(&["credential", act, &login.username]);
            assert!(complaint.contains("`dev1@t1`") && complaint.contains("Revoked"), "{complaint}");
        }
        let old_id = fixture.show(&login)["id"].clone();
        assert_eq!(fixture.act("delete", &login)["deleted"], "dev1@t1");
        let again = fixture.credential("dev1", "t1");
        assert_ne!(fixture.show(&again)["id"], old_id);
        assert_eq!(fixture.code(&login), REFUSED);
        assert_eq!(fixture.code(&again), ACCEPTED);
    }

    fn k23_a_credential_that_was_never_used_can_be_stopped(version) {
        let fixture = Fixture::start_with_tenant(version);
        for (act, state) in [("suspend", "Suspended"), ("revoke", "Revoked")] {
            let login = fixture.credential(act, "t1");
            assert_eq!(fixture.act(act, &login)["state"], state);
            assert_eq!(fixture.code(&login), REFUSED);
        }
    }

    fn k24_a_suspended_credential_can_be_revoked(version) {
        let fixture = Fixture::start_with_tenant(version);
        let login = fixture.credential("dev1", "t1");
        fixture.act("suspend", &login);
        assert_eq!(fixture.act("revoke", &login)["state"], "Revoked");
        assert_eq!(fixture.code(&login), REFUSED);
    }

    fn k25_no_act_leads_back_to_inactive_once_used(version) {
        let fixture = Fixture::start_with_tenant(version);
        let login = fixture.credential("dev1", "t1");
        let complaint = fixture.cli.refused(&["credential", "reactivate", &login.username]);
        assert!(complaint.contains("Inactive"), "{complaint}");
        assert_eq!(fixture.code(&login), ACCEPTED);
        for act in ["suspend", "reactivate", "reset-password", "rotate"] {
            fixture.act(act, &login);
            assert_ne!(fixture.state(&login), "Inactive", "after {act}");
        }
    }

    fn k26_suspending_revoking_and_deleting_end_live_sessions_with_their_will(version) {
        let fixture = Fixture::start_with_tenant(version);
        let observer = fixture.credential("observer", "t1");
        let mut observer = observer.connect("observer").accepted(fixture.port());
        assert_eq!(observer.subscribe(&[("kp1/will/#", 0)]).unwrap(), [0]);
        for act in ["suspend", "revoke", "delete"] {
            let login = fixture.credential(act, "t1");
            let topic = format!("kp1/will/{act}");
            let mut old = login.connect(&format!("{act}-v311")).will_message(&topic, "gone").accepted(fixture.port());
            let mut new = login.connect_v5(&format!("{act}-v5")).accepted(fixture.port());
            // No traffic from here on: nothing wakes the broker but the act.
            fixture.act(act, &login);
            assert!(is_kicked(&mut old), "{act}");
            let closed = new.wait_closed(Duration::from_secs(3));
            assert_eq!(closed.and_then(|closed| closed.disconnect_reason), Some(0x98), "{act}");
            assert_eq!(fixture.code(&login), REFUSED, "{act}");
            assert_eq!(topics(&mut observer), [topic.as_str()], "{act}");
        }
        // The standard tool sees its session end and is refused at its next try.
        let login = fixture.credential("tool", "t1");
        let subscriber = fixture.subscriber(&login, "tool", "kp1/x");
        fixture.act("revoke", &login);
        assert_eq!(subscriber.wait(PATIENCE).unwrap().code, Some(5));
    }

    fn k27_resetting_the_password_ends_the_old_one_and_keeps_the_state(version) {
        let fixture = Fixture::start_with_tenant(version);
        for used in [false, true] {
            let login = fixture.credential(if used { "used" } else { "fresh" }, "t1");
            let mut live = used.then(|| login.connect("live").accepted(fixture.port()));
            let before = fixture.state(&login);
            let reset = fixture.cli.json(&["credential", "reset-password", &login.username]);
            if let Some(live) = &mut live {
                assert!(is_kicked(live));
            }
            assert_eq!(fixture.state(&login), before);
            assert_eq!(fixture.code(&login), REFUSED);
            assert_eq!(fixture.code(&Login::from(&reset)), ACCEPTED);
        }
        let login = fixture.credential("entered", "t1");
        fixture.cli.json_with_stdin(
            &["credential", "reset-password", &login.username, "--password-stdin"],
            b"entered by hand\n",
        );
        assert_eq!(fixture.code(&login), REFUSED);
        assert_eq!(fixture.code(&login.with_secret("entered by hand")), ACCEPTED);
    }

    fn k28_a_password_is_never_readable_again(version) {
        let fixture = Fixture::start_with_tenant(version);
        let generated = fixture.credential("dev1", "t1");
        let chosen = fixture.credential_with_password("dev2", "t1", "a chosen password");
        for login in [&generated, &chosen] {
            assert_eq!(fixture.code(login), ACCEPTED);
            assert_eq!(fixture.code(&login.with_secret("a wrong password")), REFUSED);
            assert!(fixture.show(login).get("secret").is_none());
        }
        let folder = fixture.cli.store().parent().unwrap();
        let mut places: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().path())
            .map(|path| (path.display().to_string(), std::fs::read(path).unwrap()))
            .collect();
        assert!(places.iter().any(|(name, _)| name.ends_with(".db-wal")), "the log is looked at too");
        places.push(("the broker's log".into(), fixture.broker.log().into_bytes()));
        for listing in [&["credential", "list"][..], &["audit", "list"], &["clients", "list"]] {
            places.push((listing.join(" "), fixture.cli.json(listing).to_string().into_bytes()));
        }
        for secret in [generated.secret.as_str(), chosen.secret.as_str(), "a wrong password"] {
            for (place, bytes) in &places {
                let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "a secret stands in {place}");
            }
        }
    }

    fn k29_kaas_command_works_word_for_word(version) {
        let fixture = Fixture::start_with_tenant(version);
        let login = fixture.credential("dev1", "t1");
        let observer = fixture.credential("observer", "t1");
        let mut observer = observer.connect("observer").accepted(fixture.port());
        assert_eq!(observer.subscribe(&[("kp1/#", 1)]).unwrap(), [1]);
        let seed = "mosquitto_rr -h mqtt.cloud.kaaiot.com -e kp1/$APP_VERSION/dcx/$ENDPOINT_TOKEN/json/1/error -t kp1/$APP_VERSION/dcx/$ENDPOINT_TOKEN/json/1 -u $MQTT_USERNAME -P $MQTT_PASSWORD -V 311 -m '{\"temperature\": 21}'";
        let here = seed.replace("mqtt.cloud.kaaiot.com", &format!("127.0.0.1 -p {} -W 3", fixture.port()));
        let run = || {
            Tool::new("sh")
                .args(["-c", &here])
                .env("APP_VERSION", "demo")
                .env("ENDPOINT_TOKEN", "token")
                .env("MQTT_USERNAME", &login.username)
                .env("MQTT_PASSWORD", &login.secret)
        };
        assert_eq!(run().run(PATIENCE).unwrap().code, TIMED_OUT);
        let message = observer.receive(PATIENCE).unwrap();
        assert_eq!((message.topic.as_str(), message.text()), (TOPIC, MESSAGE));
        // With a responder, the exchange completes.
        let waiting = run().background().unwrap();
        observer.receive(PATIENCE).unwrap();
        observer.publish(&format!("{TOPIC}/error"), b"no errors", 1, false).unwrap();
        let answered = waiting.wait(PATIENCE).unwrap();
        assert_eq!((answered.code, answered.stdout.trim()), (Some(0), "no errors"));
    }

    fn k30_both_protocols_are_served_and_refused_in_their_own_words(version) {
        let fixture = Fixture::start_with_tenant(version);
        let login = fixture.credential("dev1", "t1");
        assert_eq!(fixture.kaa_request(&login.username, &login.secret, "5").code, TIMED_OUT);
        assert_eq!(login.connect_v5("a").code(fixture.port()), ACCEPTED);
        let wrong = login.with_secret("wrong");
        assert_eq!(wrong.connect_v5("a").code(fixture.port()), REFUSED_V5);
        let refused = fixture.kaa_request(&wrong.username, &wrong.secret, "5");
        assert_eq!(refused.code, Some(135), "{refused:?}");
        assert!(refused.stderr.contains("Connection error: Not authorized"), "{refused:?}");
    }

    fn k31_the_payload_is_no_concern_of_ours(version) {
        let fixture = Fixture::start_with_tenant(version);
        let login = fixture.credential("dev1", "t1");
        let mut client = login.connect("a").accepted(fixture.port());
        assert_eq!(client.subscribe(&[(TOPIC, 0)]).unwrap(), [0]);
        for payload in [MESSAGE.as_bytes(), b"[1,2]", b"", b"\0\xff"] {
            client.publish(TOPIC, payload, 1, false).unwrap();
            assert_eq!(client.receive(PATIENCE).unwrap().payload, payload);
        }
    }

    fn k32_clients_may_share_a_credential(version) {
        let fixture = Fixture::start_with_tenant(version);
        let login = fixture.credential("dev1", "t1");
        let mut one = login.connect("one").accepted(fixture.port());
        let mut other = login.connect("other").accepted(fixture.port());
        one.ping(PATIENCE).unwrap();
        other.ping(PATIENCE).unwrap();
        fixture.wait_for_clients(&["one", "other"]);
    }

    fn k33_a_device_reaches_its_tenants_topics_and_no_others(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("t1", &["--namespace", "kp1/one/#"]);
        fixture.tenant("t2", &["--namespace", "kp1/two/#"]);
        let intruder = fixture.credential("dev1", "t1");
        let observers = [("t1", "kp1/one/#"), ("t2", "kp1/two/#")].map(|(tenant, filter)| {
            let login = fixture.credential("observer", tenant);
            let mut client = login.connect(&format!("observer-{tenant}")).accepted(fixture.port());
            assert_eq!(client.subscribe(&[(filter, 0)]).unwrap(), [0]);
            client
        });
        let [mut own, mut foreign] = observers;
        let mut client = intruder.connect_v5("intruder").accepted(fixture.port());
        for topic in ["kp1/two/x", "kp1/twoo", "kp1", "kp1/onee/x", "/kp1/one/x", "$SYS/x", "other"] {
            assert_ne!(client.publish(topic, b"x", 1, true).unwrap(), 0, "{topic}");
        }
        client.publish("kp1/one/x", b"x", 1, false).unwrap();
        assert_eq!(topics(&mut own), ["kp1/one/x"]);
        assert_eq!(topics(&mut foreign), [""; 0]);
        let filters = ["#", "+/#", "kp1/#", "kp1/+/x", "kp1/two/#", "$SYS/#", "$share/g/kp1/two/#", "$share/g/#"];
        for filter in filters {
            assert_eq!(client.subscribe(&[(filter, 0)]).unwrap(), [0x87], "{filter}");
        }
        for filter in ["kp1/one/#", "kp1/one/+/x", "$share/g/kp1/one/a"] {
            assert_eq!(client.subscribe(&[(filter, 0)]).unwrap(), [0], "{filter}");
        }
        let mut old = intruder.connect("old").accepted(fixture.port());
        assert_eq!(old.subscribe(&[("kp1/two/#", 0), ("kp1/one/#", 0)]).unwrap(), [0x80, 0]);
    }

    fn k36_credentials_are_listed_with_state_and_dates(version) {
        let fixture = Fixture::start_with_tenant(version);
        fixture.tenant("t2", &[]);
        let active = fixture.credential("active", "t1");
        fixture.credential("fresh", "t1");
        fixture.credential("elsewhere", "t2");
        assert_eq!(fixture.code(&active), ACCEPTED);
        let listed = fixture.cli.json(&["credential", "list", "--tenant", "t1"]);
        let rows: Vec<_> = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|row| (text(row, "name"), text(row, "state"), row["last_used_at"].is_string()))
            .collect();
        assert_eq!(rows, [
            ("active@t1".into(), "Active".into(), true),
            ("fresh@t1".into(), "Inactive".into(), false),
        ]);
        for row in listed.as_array().unwrap() {
            for key in ["id", "username", "created_at", "updated_at", "not_before", "expires_at", "roles", "attributes", "generation", "revoked_reason"] {
                assert!(row.get(key).is_some(), "{key}: {row}");
            }
            assert!(row.get("secret").is_none());
        }
        let found = fixture.cli.json(&["credential", "list", "--state", "Active"]);
        assert_eq!(found.as_array().unwrap().len(), 1);
    }

    fn k37_refused_logins_do_not_lock_a_credential(version) {
        for password in [None, Some("right")] {
            // A broker each: what wrong logins may cost is counted per address.
            let fixture = Fixture::start_with_tenant(version);
            let login = match password {
                None => fixture.credential("dev1", "t1"),
                Some(password) => fixture.credential_with_password("dev2", "t1", password),
            };
            for _ in 0..10 {
                assert_eq!(fixture.code(&login.with_secret("wrong")), REFUSED);
            }
            assert_eq!(fixture.code(&login), ACCEPTED);
        }
    }
}

/// The 2.0.11 client exits 0 when a 5.0 server ends its session, so the row is
/// shown with the raw client there and with the tool here.
#[test]
fn k26_the_tool_of_mqtt_5_is_refused_at_its_next_try() {
    let fixture = Fixture::start_with_tenant(Version::V2_1);
    let login = fixture.credential("dev1", "t1");
    let mut client = login.connect_v5("a").accepted(fixture.port());
    fixture.act("suspend", &login);
    assert!(is_kicked(&mut client));
    assert_eq!(login.connect_v5("a").code(fixture.port()), REFUSED_V5);
    std::thread::sleep(QUIET);
    assert_eq!(fixture.act("reactivate", &login)["state"], "Active");
    assert_eq!(login.connect_v5("a").code(fixture.port()), ACCEPTED);
}
