//! The brokers that use a store; the store plays them.

use countersign_core::broker::{BrokerRecord, ListenerOptions};
use countersign_core::ledger::Ledger as _;
use countersign_core::name::TenantId;
use countersign_core::store::GateStore as _;
use countersign_core::time::Timestamp;
use countersign_sqlite::SqliteStore;
use serde_json::{Value, json};

use crate::clients::connect_as;
use crate::support::{Fixture, keys};

/// Has a broker describe itself, whose listener 1884 is this tenant's.
fn introduce(fixture: &Fixture, name: &str, tenant: &str) -> SqliteStore {
    let mut store = SqliteStore::open(fixture.store()).unwrap();
    let record = BrokerRecord {
        name: name.into(),
        host: Some("gw-7".into()),
        version: Some("2.1".into()),
        plugin_version: Some("0.1.0".into()),
        since: Some(Timestamp::from_millis(1_000)),
        last_seen: Timestamp::from_millis(2_000),
        options: Some(ListenerOptions {
            default_tenant: None,
            dynsec_tenant: None,
            listeners: [(1_884, TenantId::parse(tenant).unwrap())].into(),
            tls_listeners: vec![8_883],
        }),
    };
    store.introduce_broker(&record).unwrap();
    store
}

fn listed(fixture: &Fixture) -> Vec<Value> {
    fixture.json("broker list").as_array().unwrap().clone()
}

#[test]
fn brokers_are_listed_and_those_that_are_gone_can_be_forgotten() {
    let fixture = Fixture::with_credential();
    assert_eq!(fixture.json("broker list"), json!([]));
    let mut store = introduce(&fixture, "b1", "acme");
    let alive = store.lock_broker("b1").unwrap();
    connect_as(&mut store, 7, "c1", None);
    let listed_alive = listed(&fixture);
    assert_eq!(
        keys(&listed_alive[0]),
        [
            "name",
            "alive",
            "version",
            "plugin_version",
            "host",
            "since",
            "sessions",
            "last_seen",
            "options",
        ]
    );
    assert_eq!(
        listed_alive,
        [json!({
            "name": "b1",
            "alive": true,
            "version": "2.1",
            "plugin_version": "0.1.0",
            "host": "gw-7",
            "since": "1970-01-01T00:00:01.000Z",
            "sessions": 1,
            "last_seen": "1970-01-01T00:00:02.000Z",
            "options": {
                "default_tenant": null,
                "listeners": { "1884": "acme" },
                "tls_listeners": [8883],
            },
        })]
    );
    let said = fixture.run("broker forget b1").refused(1);
    assert!(
        said.contains("broker `b1` is alive; stop it first"),
        "{said}"
    );
    drop(alive);
    assert_eq!(fixture.json("clients list"), json!([]));
    let left = fixture.json("clients list --all");
    assert_eq!(left[0]["alive"], false);
    let gone = &listed(&fixture)[0];
    assert_eq!(
        (&gone["alive"], &gone["sessions"]),
        (&json!(false), &json!(0))
    );
    assert_eq!(
        fixture.json("broker forget b1"),
        json!({ "forgotten": "b1" })
    );
    assert_eq!(fixture.json("broker list"), json!([]));
    assert_eq!(fixture.json("clients list --all"), json!([]));
    let audit = fixture.json("audit list --act broker.forget");
    assert_eq!(audit[0]["subject"], "b1");
    let forgotten = json!({ "field": "sessions", "before": 1, "after": null });
    assert!(audit[0]["changes"].as_array().unwrap().contains(&forgotten));
    let said = fixture.run("broker forget b1").refused(1);
    assert!(said.contains("`broker list` shows all"), "{said}");
}

#[test]
fn a_check_takes_what_listeners_are_for_from_the_broker_that_is_named_or_the_only_one() {
    let fixture = Fixture::with_credential();
    fixture.run("tenant create other").done();
    let check = "check connect --username dev1@acme --client-id c --listener 1884 --json";
    let reason = |line: &str| fixture.run(line).json()["reason"].clone();
    assert_eq!(reason(check), "ok");
    introduce(&fixture, "mine", "acme");
    assert_eq!(reason(check), "ok");
    introduce(&fixture, "mine", "other");
    assert_eq!(reason(check), "wrong-listener");
    // Another that says the same makes no difference.
    introduce(&fixture, "twin", "other");
    assert_eq!(reason(check), "wrong-listener");
    introduce(&fixture, "twin", "acme");
    let ran = fixture.run(check);
    assert_eq!(ran.json()["reason"], "ok");
    let said = "the brokers of this store have different options";
    assert!(ran.stderr.contains(said), "{ran:?}");
    for (broker, expected) in [("mine", "wrong-listener"), ("twin", "ok")] {
        assert_eq!(reason(&format!("{check} --broker {broker}")), expected);
    }
    // A configuration comes first.
    let config = fixture.directory.path().join("mosquitto.conf");
    let text = format!(
        "plugin /x/libmosquitto_countersign.so\nplugin_opt_store {}\n",
        fixture.store().display()
    );
    std::fs::write(&config, text).unwrap();
    let line = format!("{check} --broker mine --config {}", config.display());
    assert_eq!(reason(&line), "ok");
    let said = fixture.run(&format!("{check} --broker none")).refused(1);
    assert!(said.contains("no broker `none`"), "{said}");
}
