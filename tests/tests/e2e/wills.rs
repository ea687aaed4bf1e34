//! Wills, on every path on which one is sent: judged as the session that set
//! them (MQTT 5.0 §3.1.2.5).

use countersign_testkit::mqtt::Will;
use countersign_testkit::{Client, Version};
use countersign_tests::{Fixture, Login, PATIENCE, is_kicked, on_every_broker, topics};

/// Two tenants, a device of the first, and an observer in each.
struct WillFixture {
    fixture: Fixture,
    device: Login,
    own: Client,
    foreign: Client,
}

fn will_fixture(version: Version) -> WillFixture {
    let fixture = Fixture::start(version);
    let observe = |tenant: &str| {
        fixture.tenant(tenant, &[]);
        let login = fixture.credential("observer", tenant);
        let mut client = login
            .connect(&format!("observer-{tenant}"))
            .accepted(fixture.port());
        assert_eq!(
            client.subscribe(&[(&format!("{tenant}/#"), 0)]).unwrap(),
            [0]
        );
        client
    };
    let own = observe("t1");
    let foreign = observe("t2");
    let device = fixture.credential("dev", "t1");
    WillFixture {
        fixture,
        device,
        own,
        foreign,
    }
}

fn will(topic: &str, delay: u32) -> Will {
    Will {
        topic: topic.into(),
        payload: b"gone".to_vec(),
        qos: 0,
        retain: false,
        delay,
    }
}

on_every_broker! {
    fn v9_the_will_of_a_client_that_crashed_keeps_to_its_rules(version) {
        let WillFixture { fixture, device, mut own, mut foreign } = will_fixture(version);
        for topic in ["t1/will", "t2/will", "$SYS/will", "other/will"] {
            device.connect("a").will(will(topic, 0)).accepted(fixture.port()).abort();
        }
        assert_eq!(own.receive(PATIENCE).unwrap().topic, "t1/will");
        assert_eq!(topics(&mut own), [""; 0]);
        assert_eq!(topics(&mut foreign), [""; 0]);
    }

    fn a_clean_disconnect_sends_no_will(version) {
        let WillFixture { fixture, device, mut own, .. } = will_fixture(version);
        device.connect("a").will(will("t1/will", 0)).accepted(fixture.port()).disconnect().unwrap();
        assert_eq!(topics(&mut own), [""; 0]);
    }

    fn a_takeover_sends_the_older_sessions_will_by_its_own_rules(version) {
        let WillFixture { fixture, device, mut own, mut foreign } = will_fixture(version);
        let mut first = device.connect("a").will(will("t1/first", 0)).accepted(fixture.port());
        let second = device.connect("a").will(will("t2/second", 0)).accepted(fixture.port());
        assert!(is_kicked(&mut first));
        assert_eq!(own.receive(PATIENCE).unwrap().topic, "t1/first");
        let third = device.connect("a").accepted(fixture.port());
        drop((second, third));
        assert_eq!(topics(&mut own), [""; 0]);
        assert_eq!(topics(&mut foreign), [""; 0]);
    }

    fn v28_a_kick_sends_the_will_even_of_a_credential_that_is_no_more(version) {
        let WillFixture { fixture, device, mut own, .. } = will_fixture(version);
        let mut client = device.connect("a").will(will("t1/will", 0)).accepted(fixture.port());
        fixture.act("delete", &device);
        assert!(is_kicked(&mut client));
        assert_eq!(own.receive(PATIENCE).unwrap().topic, "t1/will");
    }

    fn a_delayed_will_belongs_to_its_session_until_it_is_sent(version) {
        let WillFixture { fixture, device, mut own, mut foreign } = will_fixture(version);
        for (client_id, topic) in [("a", "t1/will"), ("b", "t2/will")] {
            device.connect_v5(client_id).session_expiry(60).will(will(topic, 1)).accepted(fixture.port()).abort();
        }
        fixture.act("delete", &device);
        assert_eq!(own.receive(PATIENCE).unwrap().topic, "t1/will");
        assert_eq!(topics(&mut own), [""; 0]);
        assert_eq!(topics(&mut foreign), [""; 0]);
    }

    fn the_will_of_a_refused_login_is_never_sent(version) {
        let WillFixture { fixture, device, mut own, .. } = will_fixture(version);
        for login in [device.with_secret("wrong"), Login { username: "nobody@t1".into(), secret: "x".into() }] {
            let code = login.connect("a").will(will("t1/will", 0)).code(fixture.port());
            assert_eq!(code, countersign_tests::REFUSED);
        }
        assert_eq!(topics(&mut own), [""; 0]);
    }
}
