//! Limits: how many connections there may be, and how much may be published.

use countersign_testkit::{Client, Version};
use countersign_tests::{
    ACCEPTED, Fixture, Login, PATIENCE, on_every_broker, topics_so_far, wait_until,
};

/// Two tenants with a device each, and an observer of all.
struct Limited {
    fixture: Fixture,
    device: Login,
    other: Login,
    observer: Client,
}

fn limited(version: Version, limits: &str) -> Limited {
    let fixture = Fixture::start(version);
    let device = |tenant: &str| {
        fixture.tenant(tenant, &[]);
        fixture.credential("dev", tenant)
    };
    let (device, other) = (device("t1"), device("t2"));
    let observer = fixture.observer("#");
    fixture.cli.act(&format!("limit set {limits}"), &[]);
    Limited {
        fixture,
        device,
        other,
        observer,
    }
}

/// So many messages are sent at once. At one a second they would take longer than
/// anything here may.
const FLOOD: usize = 100;

/// Sends many messages to topics below `tenant`; returns how many of them came to the
/// observer.
fn flood(client: &mut Client, tenant: &str, observer: &mut Client) -> usize {
    for number in 0..FLOOD {
        let topic = format!("{tenant}/{number}");
        client.publish(&topic, b"x", 1, false).unwrap();
    }
    observer.ping(PATIENCE).unwrap();
    let came = topics_so_far(observer).into_iter();
    came.filter(|topic| topic.starts_with(tenant)).count()
}

on_every_broker! {
    fn messages_over_the_limit_of_a_tenant_do_not_arrive_and_another_tenants_do(version) {
        let Limited { fixture, device, other, mut observer } =
            limited(version, "--tenant t1 --messages-per-second 2");
        let port = fixture.port();
        let mut noisy = device.connect_v5("noisy").accepted(port);
        let mut quiet = other.connect("quiet").accepted(port);
        let came = flood(&mut noisy, "t1", &mut observer);
        assert!((1..FLOOD).contains(&came), "{came}");
        assert_eq!(flood(&mut quiet, "t2", &mut observer), FLOOD);
        assert!(noisy.is_alive());
        let is_over = || {
            let rows = fixture.cli.json(&["audit", "list", "--outcome", "denied"]);
            rows.as_array().unwrap().iter().any(|row| row["cause"] == "over-limit")
        };
        wait_until("it is in the audit", is_over);
    }

    fn a_limit_reaches_who_is_connected_already_and_ends_when_it_is_taken_away(version) {
        let Limited { fixture, device, mut observer, .. } =
            limited(version, "--tenant t2 --connections 5");
        let mut client = device.connect_v5("c").accepted(fixture.port());
        assert_eq!(flood(&mut client, "t1", &mut observer), FLOOD);
        fixture.cli.act(&format!("limit set {} --payload 3", device.username), &[]);
        wait_until("the limit is felt", || client.publish("t1/x", b"xxxx", 1, false).unwrap() >= 0x80);
        assert_eq!(client.publish("t1/short", b"xxx", 1, false).unwrap(), 0);
        fixture.cli.act(&format!("limit clear {}", device.username), &[]);
        wait_until("it is felt no more", || client.publish("t1/x", b"xxxx", 1, false).unwrap() < 0x80);
    }

    fn a_payload_that_is_too_long_does_not_arrive_but_for_a_will(version) {
        let Limited { fixture, device, mut observer, .. } =
            limited(version, "dev@t1 --payload 10");
        let port = fixture.port();
        let connect = device.connect_v5("c").will_message("t1/will", [b'x'; 11]);
        let mut client = connect.accepted(port);
        assert_eq!(client.publish("t1/long", [b'x'; 11], 1, false).unwrap(), 0x87);
        assert_eq!(client.publish("t1/short", [b'x'; 10], 1, false).unwrap(), 0);
        client.abort();
        let came = [observer.receive(PATIENCE), observer.receive(PATIENCE)];
        let came = came.map(|message| message.unwrap().topic);
        assert_eq!(came, ["t1/short", "t1/will"]);
        // So is the Will of who is taken over.
        let connect = || device.connect_v5("c").will_message("t1/taken-over", [b'x'; 11]);
        let _before = connect().accepted(port);
        let _after = connect().accepted(port);
        assert_eq!(observer.receive(PATIENCE).unwrap().topic, "t1/taken-over");
    }

    fn a_connection_more_than_there_may_be_is_refused_and_taking_over_is_none(version) {
        let Limited { fixture, device, other, .. } =
            limited(version, "--tenant t1 --connections 2");
        let port = fixture.port();
        let one = device.connect("a").accepted(port);
        let _two = device.connect("b").accepted(port);
        assert_ne!(device.connect("c").code(port), ACCEPTED);
        let _elsewhere = other.connect("d").accepted(port);
        let again = device.connect("a").accepted(port);
        drop(one);
        assert_ne!(device.connect("c").code(port), ACCEPTED);
        again.abort();
        wait_until("there is room again", || device.connect("c").code(port) == ACCEPTED);
        assert!(fixture.our_lines().contains(": over-limit: `"));
    }
}
