//! Which brokers use a store: alive, dead and forgotten; and what each counts.

use countersign_core::metrics::{BrokerMetrics, Counts};
use countersign_core::store::{AdminStore as _, AdminTransaction as _, Intent};
use countersign_sqlite::SqliteStore;
use countersign_tests::{
    ACCEPTED, Fixture, REFUSED, is_kicked, on_every_broker, publishes, subscribes, wait_until,
};
use serde_json::{Value, json};

fn listed(fixture: &Fixture) -> Value {
    fixture.cli.json(&["broker", "list"])
}

/// What the broker `edge` counted, as the service reads it.
fn counted(fixture: &Fixture) -> Option<BrokerMetrics> {
    let mut store = SqliteStore::open(fixture.cli.store()).unwrap();
    let transaction = store.begin(Intent::Read).unwrap();
    transaction.broker_metrics("edge")
}

fn in_words(counts: &Counts) -> Vec<String> {
    let counts = counts.iter();
    counts
        .map(|((what, why), count)| format!("{} {} {count}", what.as_str(), why.as_str()))
        .collect()
}

/// The files of metrics beside the store.
fn metrics_files(fixture: &Fixture) -> usize {
    let folder = fixture.cli.store().parent().unwrap();
    let names = folder
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    names
        .filter(|name| name.to_str().unwrap().contains("-metrics-"))
        .count()
}

on_every_broker! {
    fn what_a_broker_counts_is_right_while_it_lives_and_gone_with_it(version) {
        let mut fixture = Fixture::start_with(version, |builder| builder.plugin_option("broker", "edge"));
        fixture.tenant("t1", &[]);
        let device = fixture.credential("dev1", "t1");
        let password = fixture.credential_with_password("dev2", "t1", "a long password");
        // Of a password that changed nothing is remembered, so the broker has to have heard
        // of all that was done before.
        let mut before = device.connect_v5("c0").accepted(fixture.port());
        fixture.cli.json(&["clients", "kick", "c0"]);
        assert!(is_kicked(&mut before));
        let mut first = device.connect_v5("c1").accepted(fixture.port());
        let _second = password.connect("c2").accepted(fixture.port());
        // What was remembered is not hashed again.
        assert_eq!(password.connect("c3").code(fixture.port()), ACCEPTED);
        for _ in 0..2 {
            assert_eq!(device.with_secret("wrong").connect("c4").code(fixture.port()), REFUSED);
        }
        for _ in 0..3 {
            assert!(!publishes(&mut first, "t2/x"));
        }
        assert!(publishes(&mut first, "t1/x"));
        assert!(!subscribes(&mut first, "t2/#"));
        fixture.cli.json(&["clients", "kick", "c1"]);
        assert!(is_kicked(&mut first));
        let mut told = None;
        wait_until("all is counted", || {
            told = counted(&fixture);
            told.as_ref().is_some_and(|told| {
                told.sessions == 1 && in_words(&told.acts) == ["client.kick done 2"]
            })
        });
        let told = told.unwrap();
        let logins = in_words(&told.uses.logins);
        assert_eq!(logins, ["admitted ok 4", "refused bad-secret 2"]);
        let denied = in_words(&told.uses.denied);
        assert_eq!(denied, ["publish no-rule 3", "subscribe no-rule 1"]);
        let tenant = countersign_core::name::TenantId::parse("t1").ok();
        assert_eq!(told.by_tenant.len(), 1);
        assert_eq!(told.by_tenant[&tenant], told.uses);
        // A wrong secret costs as much as a password.
        assert_eq!(told.hash_seconds.counts.iter().sum::<u64>(), 3);
        assert!(told.hash_seconds.sum_micros > 0);
        assert_eq!((told.hash_queue, told.store_lag_millis), (0, 0));

        fixture.broker.kill_9().unwrap();
        assert_eq!((counted(&fixture), metrics_files(&fixture)), (None, 1));
        fixture.broker.restart().unwrap();
        wait_until("it counts anew", || {
            counted(&fixture).is_some_and(|told| told.uses.logins.is_empty())
        });
        fixture.broker.stop().unwrap();
        assert_eq!((counted(&fixture), metrics_files(&fixture)), (None, 0));
    }

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
