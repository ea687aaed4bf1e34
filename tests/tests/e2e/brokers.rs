//! Which brokers use a store: alive, dead and forgotten.

use countersign_tests::{Fixture, on_every_broker, wait_until};
use serde_json::{Value, json};

fn listed(fixture: &Fixture) -> Value {
    fixture.cli.json(&["broker", "list"])
}

on_every_broker! {
    fn the_list_of_brokers_tells_which_run_and_one_that_was_killed_can_be_forgotten(version) {
        let mut fixture = Fixture::start_with(version, |builder| {
            builder.plugin_option("broker", "edge").plugin_option("default_tenant", "t1")
        });
        fixture.tenant("t1", &["--authentication", "optional"]);
        let login = fixture.credential("dev1", "t1");
        let _client = login.connect("c1").accepted(fixture.port());
        fixture.wait_for_clients(&["c1"]);
        let brokers = listed(&fixture);
        let edge = &brokers[0];
        assert_eq!(brokers.as_array().unwrap().len(), 1, "{brokers}");
        assert_eq!(edge["name"], "edge");
        assert_eq!(edge["alive"], true);
        assert_eq!(edge["sessions"], 1);
        let line = if version.is_2_0() { "2.0" } else { "2.1 or newer" };
        assert_eq!(edge["version"], line);
        let options = json!({ "default_tenant": "t1", "listeners": {}, "tls_listeners": [] });
        assert_eq!(edge["options"], options);
        let forget = ["broker", "forget", "edge"];
        let refused = fixture.cli.run(&forget);
        assert_eq!(refused.code, Some(1));

        fixture.broker.kill_9().unwrap();
        let edge = &listed(&fixture)[0];
        assert_eq!((&edge["alive"], &edge["sessions"]), (&json!(false), &json!(0)));
        assert_eq!(fixture.cli.json(&["clients", "list"]), json!([]));
        assert_eq!(fixture.cli.json(&["clients", "list", "--all"])[0]["alive"], false);
        assert_eq!(fixture.cli.json(&forget), json!({ "forgotten": "edge" }));
        assert_eq!(listed(&fixture), json!([]));
        assert_eq!(fixture.cli.json(&["clients", "list", "--all"]), json!([]));

        fixture.broker.restart().unwrap();
        wait_until("the broker is listed again", || listed(&fixture)[0]["alive"] == true);
        let _client = login.connect("c1").accepted(fixture.port());
    }
}
