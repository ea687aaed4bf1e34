//! Rows K7–K13 and K17: what a tenant asks of clients, and what happens when
//! it asks for something else.

use countersign_testkit::Connect;
use countersign_tests::{
    ACCEPTED, Fixture, REFUSED, is_kicked, on_every_broker, topics, wait_until,
};

const TOPIC: &str = "kp1/demo/dcx/token/json/1";

/// A tenant that asks for nothing, as a Kaa tenant does at first.
fn start_open(version: countersign_testkit::Version) -> Fixture {
    let fixture = Fixture::start(version);
    fixture.tenant("t1", &["--namespace", "kp1/#", "--authentication", "off"]);
    fixture
}

on_every_broker! {
    fn k7_a_tenant_that_asks_for_nothing_admits_anonymous_clients(version) {
        let fixture = start_open(version);
        assert_eq!(fixture.kaa_request_with(&["-V", "311"]).code, Some(27));
        // Asked for nothing else, a tenant asks for a login.
        fixture.tenant("t2", &[]);
        assert_eq!(fixture.cli.json(&["tenant", "show", "t2"])["authentication"], "required");
    }

    fn k8_a_tenant_that_requires_a_login_requires_it_of_everybody(version) {
        let fixture = start_open(version);
        fixture.set_authentication("t1", "required");
        let refused = fixture.kaa_request_with(&["-V", "311"]);
        assert_eq!(refused.code, Some(5), "{refused:?}");
        assert_eq!(Connect::v311("a").code(fixture.port()), REFUSED);
        assert_eq!(Connect::v311("a").username("dev1@t1").code(fixture.port()), REFUSED);
        let login = fixture.credential("dev1", "t1");
        assert_eq!(fixture.code(&login.with_secret("wrong")), REFUSED);
        assert_eq!(fixture.code(&login), ACCEPTED);
    }

    fn k9_a_wrong_login_passes_as_unauthenticated_while_the_tenant_is_off(version) {
        let fixture = start_open(version);
        let login = fixture.credential("dev1", "t1");
        let wrong = login.with_secret("wrong");
        assert_eq!(fixture.kaa_request(&wrong.username, &wrong.secret, "311").code, Some(27));
        assert_eq!(fixture.state(&login), "Inactive");
        let mut client = wrong.connect("a").accepted(fixture.port());
        assert_eq!(client.subscribe(&[("kp1/#", 0)]).unwrap(), [0]);
        wait_until("the session is listed as unauthenticated", || {
            let listed = fixture.cli.json(&["clients", "list", "--tenant", "t1"]);
            listed[0]["authenticated"] == false && listed[0]["username"].is_null()
        });
        fixture.set_authentication("t1", "optional");
        assert!(is_kicked(&mut client), "a wrong login would now be refused");
        assert_eq!(fixture.code(&wrong), REFUSED);
        assert_eq!(Connect::v311("a").code(fixture.port()), ACCEPTED);
    }

    fn k10_requiring_a_login_ends_exactly_the_unauthenticated_sessions_of_that_tenant(version) {
        let fixture = start_open(version);
        fixture.tenant("t2", &["--namespace", "kp2/#", "--authentication", "off"]);
        let known = fixture.credential("dev1", "t1");
        let mut anonymous = Connect::v311("anonymous").accepted(fixture.port());
        let mut wrong = known.with_secret("wrong").connect("wrong").accepted(fixture.port());
        let mut authenticated = known.connect("authenticated").accepted(fixture.port());
        let mut elsewhere = Connect::v311("elsewhere").accepted(fixture.port());
        let mut untouched = Connect::v311("untouched").accepted(fixture.port());
        for client in [&mut anonymous, &mut wrong, &mut authenticated] {
            assert_eq!(client.subscribe(&[("kp1/#", 0)]).unwrap(), [0]);
        }
        assert_eq!(elsewhere.subscribe(&[("kp2/#", 0)]).unwrap(), [0]);
        fixture.set_authentication("t1", "required");
        assert!(is_kicked(&mut anonymous));
        assert!(is_kicked(&mut wrong));
        for client in [&mut authenticated, &mut elsewhere, &mut untouched] {
            client.ping(countersign_tests::PATIENCE).unwrap();
        }
        fixture.wait_for_clients(&["authenticated", "elsewhere", "untouched"]);
        // Who has touched nothing may still choose an open tenant, and no other.
        assert_eq!(untouched.subscribe(&[("kp1/#", 0)]).unwrap(), [0x80]);
        assert_eq!(untouched.subscribe(&[("kp2/#", 0)]).unwrap(), [0]);
        // K11: who had logged in goes on as before.
        authenticated.publish(TOPIC, b"x", 1, false).unwrap();
        assert_eq!(topics(&mut authenticated), [TOPIC]);
        fixture.set_authentication("t2", "required");
        assert!(is_kicked(&mut untouched));
        assert!(is_kicked(&mut elsewhere));
    }

    fn k11_authenticated_sessions_survive_when_a_login_is_required(version) {
        let fixture = start_open(version);
        let login = fixture.credential("dev1", "t1");
        let mut client = login.connect("a").accepted(fixture.port());
        assert_eq!(client.subscribe(&[("kp1/#", 0)]).unwrap(), [0]);
        let mut anonymous = Connect::v311("b").accepted(fixture.port());
        anonymous.publish(TOPIC, b"x", 1, false).unwrap();
        fixture.set_authentication("t1", "required");
        assert!(is_kicked(&mut anonymous));
        client.publish(TOPIC, b"y", 1, false).unwrap();
        assert_eq!(topics(&mut client), [TOPIC, TOPIC]);
    }

    fn k12_no_longer_requiring_a_login_ends_no_session(version) {
        let fixture = start_open(version);
        fixture.set_authentication("t1", "required");
        let login = fixture.credential("dev1", "t1");
        let mut client = login.connect("a").accepted(fixture.port());
        fixture.set_authentication("t1", "off");
        wait_until("anonymous clients are admitted", || {
            Connect::v311("b").code(fixture.port()) == ACCEPTED
        });
        client.ping(countersign_tests::PATIENCE).unwrap();
    }

    fn k13_what_one_tenant_asks_for_binds_no_other(version) {
        let fixture = start_open(version);
        fixture.set_authentication("t1", "required");
        fixture.tenant("t2", &["--namespace", "kp2/#", "--authentication", "off"]);
        let mut client = Connect::v311("a").accepted(fixture.port());
        assert_eq!(client.subscribe(&[("kp1/#", 0), ("kp2/#", 0)]).unwrap(), [0x80, 0]);
        client.publish(TOPIC, b"x", 1, false).unwrap();
        client.publish("kp2/x", b"x", 1, false).unwrap();
        assert_eq!(topics(&mut client), ["kp2/x"]);
    }

    fn k17_a_right_login_counts_as_one_even_where_none_is_needed(version) {
        let fixture = start_open(version);
        let login = fixture.credential("dev1", "t1");
        let mut client = login.connect("a").accepted(fixture.port());
        assert_eq!(fixture.state(&login), "Active");
        wait_until("the session is listed as authenticated", || {
            let listed = fixture.cli.json(&["clients", "list"]);
            listed[0]["authenticated"] == true && listed[0]["username"] == "dev1@t1"
        });
        fixture.set_authentication("t1", "required");
        client.ping(countersign_tests::PATIENCE).unwrap();
    }
}
