//! A tenant that owns `#`, and others that take topics from it.

use countersign_testkit::{Client, Version};
use countersign_tests::{
    Fixture, Login, PATIENCE, is_kicked, on_every_broker, topics_so_far, wait_until,
};
use serde_json::json;

/// A household: one tenant, which owns `#`, with a device.
fn household(version: Version) -> (Fixture, Login) {
    let fixture = Fixture::start(version);
    fixture.tenant("home", &["--namespace", "#"]);
    let lamp = fixture.credential("lamp", "home");
    (fixture, lamp)
}

/// A client of the device that sees all its tenant may see.
fn watcher(fixture: &Fixture, device: &Login) -> Client {
    let mut watcher = device.connect("watcher").accepted(fixture.port());
    assert_eq!(watcher.subscribe(&[("#", 0)]).unwrap(), [0]);
    watcher
}

fn publish(client: &mut Client, topics: &[&str]) {
    for topic in topics {
        client.publish(topic, b"x", 1, false).unwrap();
    }
}

on_every_broker! {
    fn a_household_with_one_tenant_lists_nothing_and_uses_all_but_the_brokers_topics(version) {
        let (fixture, lamp) = household(version);
        let mut watcher = watcher(&fixture, &lamp);
        let mut client = lamp.connect("lamp").accepted(fixture.port());
        let used = ["zigbee2mqtt/lamp/set", "homeassistant/light/config", "other/x", "/"];
        publish(&mut client, &used);
        publish(&mut client, &["$SYS/x", "$other/x"]);
        assert_eq!(topics_so_far(&mut watcher), used);
        assert_eq!(client.subscribe(&[("$SYS/#", 0), ("+/#", 0)]).unwrap(), [0x80, 0]);
        assert_eq!(fixture.cli.json(&["tenant", "show", "home"])["namespaces"], json!(["#"]));
    }

    fn another_tenant_takes_its_topics_only_if_it_says_so(version) {
        let (fixture, _) = household(version);
        let refused = fixture.cli.refused(&["tenant", "create", "guests"]);
        assert!(
            refused.contains(
                "tenant `guests` would take `guests/#` from tenant `home`, which owns `#`; --take"
            ),
            "{refused}"
        );
        fixture.tenant("guests", &["--take"]);
        let home = fixture.cli.json(&["tenant", "show", "home"]);
        assert_eq!(home["subscribe"], "filtered");
        let rows = fixture.cli.json(&["audit", "list"]);
        let row = rows.as_array().unwrap().iter().find(|row| {
            row["act"] == "tenant.set" && row["subject"] == "home"
        });
        let changes = row.unwrap()["changes"].to_string();
        assert!(changes.contains("guests/#") && changes.contains("filtered"), "{changes}");
    }

    fn the_wall_stands_between_live_sessions_from_the_moment_a_tenant_is_taken(version) {
        let (fixture, lamp) = household(version);
        let mut watcher = watcher(&fixture, &lamp);
        let mut client = lamp.connect("lamp").accepted(fixture.port());
        publish(&mut client, &["guests/x"]);
        assert_eq!(topics_so_far(&mut watcher), ["guests/x"]);
        fixture.tenant("guests", &["--take"]);
        let phone = fixture.credential("phone", "guests");
        let mut phone = phone.connect("phone").accepted(fixture.port());
        assert_eq!(phone.subscribe(&[("guests/#", 0), ("#", 0), ("other/#", 0)]).unwrap(), [0, 0x80, 0x80]);
        publish(&mut phone, &["guests/y", "home/y"]);
        publish(&mut client, &["guests/z", "home/z"]);
        assert_eq!(topics_so_far(&mut phone), ["guests/y"]);
        assert_eq!(topics_so_far(&mut watcher), ["home/z"]);
        // It goes on with `#` as before, of which it is sent what is its own.
        assert_eq!(client.subscribe(&[("#", 0), ("guests/#", 0)]).unwrap(), [0, 0x80]);
        for client in [&mut watcher, &mut client, &mut phone] {
            client.ping(PATIENCE).unwrap();
        }
    }

    fn who_stays_strict_may_no_longer_subscribe_to_all(version) {
        let (fixture, lamp) = household(version);
        let mut client = lamp.connect("lamp").accepted(fixture.port());
        fixture.tenant("guests", &["--take", "--keep-strict"]);
        let subscribed = |client: &mut Client| {
            client.subscribe(&[("#", 0), ("+/x", 0), ("home/#", 0)]).unwrap()
        };
        wait_until("the wall stands", || subscribed(&mut client) == [0x80, 0x80, 0]);
        assert_eq!(fixture.cli.json(&["tenant", "show", "home"])["subscribe"], "strict");
    }

    fn a_dry_run_says_who_loses_what_and_changes_nothing(version) {
        let (fixture, lamp) = household(version);
        let _live = lamp.connect("lamp").accepted(fixture.port());
        fixture.wait_for_clients(&["lamp"]);
        let head = fixture.cli.json(&["audit", "head"]);
        let losers = fixture.cli.json(&["tenant", "create", "guests", "--dry-run"]);
        assert_eq!(losers[0]["tenant"], "home");
        assert_eq!(losers[0]["name"], "lamp@home");
        assert_eq!(
            losers[0]["loses"],
            json!([
                { "action": "publish", "pattern": "guests/#" },
                { "action": "subscribe", "pattern": "guests/#" },
            ])
        );
        let session = &fixture.cli.json(&["clients", "list"])[0]["session"];
        assert_eq!(losers[0]["sessions"], json!([session]));
        assert_eq!(losers.as_array().unwrap().len(), 1);
        assert_eq!(fixture.cli.json(&["audit", "head"]), head);
        assert_eq!(fixture.cli.run(&["tenant", "show", "guests"]).code, Some(1));
    }

    fn the_first_device_of_a_scheme_takes_what_the_scheme_grants(version) {
        let (fixture, lamp) = household(version);
        fixture.tenant("guests", &["--take"]);
        let create = ["credential", "create", "--tenant", "guests", "--scheme", "vwire"];
        let refused = fixture.cli.refused(&create);
        assert!(refused.contains("would take `vwire/+/#`"), "{refused}");
        let mut client = lamp.connect("lamp").accepted(fixture.port());
        let mut watcher = watcher(&fixture, &lamp);
        publish(&mut client, &["vwire/VW-ABC123/x"]);
        assert_eq!(topics_so_far(&mut watcher), ["vwire/VW-ABC123/x"]);
        let made = fixture.make("vwire", "guests", &["--take"]);
        let wired = Login::from(&made);
        let mut wired = wired.connect(&wired.username).accepted(fixture.port());
        let topic = format!("vwire/{}/x", countersign_tests::text(&made, "username"));
        publish(&mut wired, &[&topic]);
        publish(&mut client, &["vwire/VW-ABC123/y", "home/y"]);
        assert_eq!(topics_so_far(&mut watcher), ["home/y"]);
        let impact = ["credential", "create", "meter", "--tenant", "guests", "--scheme", "impact"];
        let refused = fixture.cli.refused(&[&impact[..], &["--take"]].concat());
        assert!(refused.contains("could reach namespace `#` of tenant `home`"), "{refused}");
    }

    fn a_tenants_new_prefix_ends_whoever_else_begins_so(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("acme", &[]);
        fixture.tenant("open", &["--authentication", "optional"]);
        fixture.tenant("other", &[]);
        let device = fixture.credential("dev1", "acme");
        let bridge = fixture.operator("bridge", &["--publish", "#"]);
        let mut ended = [
            device.connect("x-device").accepted(fixture.port()),
            bridge.connect("x-bridge").accepted(fixture.port()),
            countersign_testkit::Connect::v311("x-guest").accepted(fixture.port()),
        ];
        let mut left = device.connect("y-device").accepted(fixture.port());
        fixture.cli.json(&["tenant", "set", "other", "--client-id-prefix", "x-"]);
        for client in &mut ended {
            assert!(is_kicked(client));
        }
        left.ping(PATIENCE).unwrap();
    }
}
