//! What operators may do: what their rules allow, and nothing that they deny.

use countersign_testkit::Client;
use countersign_tests::{Fixture, on_every_broker, publishes, topics_so_far, wait_until};
use serde_json::Value;

/// The rules that `operator show` has.
fn rules(fixture: &Fixture) -> Vec<String> {
    let shown = fixture.cli.json(&["operator", "show", "bridge"]);
    let rules = shown["rules"].as_array().unwrap();
    let text = |rule: &Value| {
        let words = ["effect", "action", "pattern"].map(|key| rule[key].as_str().unwrap());
        words.join(" ")
    };
    rules.iter().map(text).collect()
}

on_every_broker! {
    fn a_deny_binds_a_live_session_of_an_operator_until_it_is_removed(version) {
        let fixture = Fixture::start(version);
        let bridge = fixture.operator("bridge", &["--publish", "#", "--subscribe", "#"]);
        let sender = fixture.operator("sender", &["--publish", "#"]);
        let mut bridge = bridge.connect_v5("bridge").accepted(fixture.port());
        let mut sender = sender.connect_v5("sender").accepted(fixture.port());
        assert_eq!(bridge.subscribe(&[("acme/#", 0)]).unwrap(), [0]);
        let mut delivered = |bridge: &mut Client| {
            for topic in ["acme/open", "acme/secret/x"] {
                assert!(publishes(&mut sender, topic), "{topic}");
            }
            topics_so_far(bridge)
        };
        assert_eq!(delivered(&mut bridge), ["acme/open", "acme/secret/x"]);
        fixture.cli.json(&["operator", "deny", "bridge", "both", "acme/secret/#"]);
        assert_eq!(rules(&fixture), ["allow publish #", "allow subscribe #", "deny both acme/secret/#"]);
        wait_until("the deny is known", || !publishes(&mut bridge, "acme/secret/y"));
        topics_so_far(&mut bridge);
        assert_eq!(delivered(&mut bridge), ["acme/open"]);
        assert!(bridge.subscribe(&[("acme/secret/#", 0)]).unwrap()[0] >= 0x80);
        assert!(publishes(&mut bridge, "other/x"));
        fixture.cli.json(&["operator", "remove", "bridge", "both", "acme/secret/#"]);
        wait_until("the deny is gone", || publishes(&mut bridge, "acme/secret/y"));
        topics_so_far(&mut bridge);
        assert_eq!(delivered(&mut bridge), ["acme/open", "acme/secret/x"]);
        // An allow that is removed takes what it gave.
        fixture.cli.json(&["operator", "remove", "bridge", "publish", "#"]);
        assert_eq!(rules(&fixture), ["allow subscribe #"]);
        wait_until("the allow is gone", || !publishes(&mut bridge, "other/x"));
        assert_eq!(delivered(&mut bridge), ["acme/open", "acme/secret/x"]);
    }
}
