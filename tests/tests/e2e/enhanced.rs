//! What hosts do with AUTH packets that nobody expects, and with clients that
//! leave in the middle of enhanced authentication.

use std::time::Duration;

use countersign_testkit::Client;
use countersign_testkit::mqtt::{Answer, Will};
use countersign_tests::people::{TOTP, answer_challenge, connack, done};
use countersign_tests::{
    ACCEPTED, Fixture, Login, PATIENCE, REFUSED_V5, is_kicked, on_every_broker, topics_so_far,
};
use serde_json::json;

fn is_asked(client: &mut Client) -> bool {
    matches!(client.answer(PATIENCE).unwrap(), Answer::Auth(_))
}

/// Says whether the broker takes a login and a message of it.
fn serves(fixture: &Fixture, device: &Login) -> bool {
    let mut client = device.connect_v5("dev").accepted(fixture.port());
    client.publish("t1/x", b"x", 1, false).unwrap() < 0x80
}

on_every_broker! {
    /// Of a live session that is refused, 2.0.11 would free what it knows it by,
    /// and all versions if the AUTH is empty.
    fn whoever_sends_an_auth_out_of_turn_is_ended_and_nobody_else(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("t1", &[]);
        let device = fixture.credential("dev", "t1");
        let mut bystander = fixture.credential("other", "t1").connect_v5("other").accepted(fixture.port());
        for expiry in [0, 60] {
            for kind in 0..3 {
                let connect = device.enhanced("dev").session_expiry(expiry);
                let mut client = connect.send(fixture.port()).unwrap();
                assert_eq!(connack(&mut client), ACCEPTED);
                assert_eq!(client.subscribe(&[("t1/#", 0)]).unwrap(), [0]);
                match kind {
                    0 => client.send_bytes(&[0xf0, 0]).unwrap(),
                    1 => client.auth(0x19, TOTP, Some(device.secret.as_bytes())).unwrap(),
                    _ => client.auth(0x18, TOTP, Some(b"123456")).unwrap(),
                }
                assert!(is_kicked(&mut client), "{kind}");
                assert!(serves(&fixture, &device), "{kind}");
            }
        }
        assert!(bystander.is_alive());
    }

    fn who_is_asked_for_a_code_and_leaves_leaves_no_will_behind(version) {
        let fixture = Fixture::start(version);
        let jane = fixture.jane();
        fixture.wait_for_a_fresh_step();
        let authenticator = fixture.enrol_and_confirm(&jane);
        let mut observer = fixture.observer("t1/#");
        for delay in [0, 1] {
            let will = Will { topic: "t1/will".into(), payload: b"x".to_vec(), delay, ..Will::default() };
            let connect = jane.enhanced("jane").will(will).session_expiry(2);
            let mut client = connect.send(fixture.port()).unwrap();
            assert!(is_asked(&mut client));
            client.abort();
            let mut client = connect.send(fixture.port()).unwrap();
            assert!(is_asked(&mut client));
            client.auth(0x18, TOTP, Some(authenticator.wrong_code().as_bytes())).unwrap();
            assert_eq!(connack(&mut client), REFUSED_V5);
        }
        // What they left with the broker ends, too.
        std::thread::sleep(Duration::from_secs(4));
        assert_eq!(topics_so_far(&mut observer), [""; 0]);
        let mut client = jane.enhanced("jane").send(fixture.port()).unwrap();
        assert_eq!(answer_challenge(&mut client, &authenticator.code(1)), ACCEPTED);
    }

    /// 2.0.11 forgets whose the id is when the other one leaves.
    fn half_a_login_with_the_id_of_a_live_session_hides_it_from_nobody(version) {
        let fixture = Fixture::start(version);
        let jane = fixture.jane();
        fixture.wait_for_a_fresh_step();
        let authenticator = fixture.enrol_and_confirm(&jane);
        let mut live = jane.enhanced("jane").send(fixture.port()).unwrap();
        assert_eq!(answer_challenge(&mut live, &authenticator.code(0)), ACCEPTED);
        let mut half = jane.enhanced("jane").send(fixture.port()).unwrap();
        assert!(is_asked(&mut half));
        done(&mut live, "session.info", json!({}));
        half.abort();
        std::thread::sleep(Duration::from_millis(300));
        assert!(live.is_alive());
        fixture.cli.json(&["user", "ungrant", &jane.username, "--tenant", "t1"]);
        assert!(is_kicked(&mut live));
    }
}
