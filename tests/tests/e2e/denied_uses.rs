//! Uses of topics that a broker denied, and what the audit says of them.

use countersign_tests::{Fixture, on_every_broker, publishes, subscribes, wait_until};
use serde_json::Value;

/// The rows of denied uses.
fn denied(fixture: &Fixture) -> Vec<Value> {
    let rows = fixture.cli.json(&["audit", "list"]);
    let rows = rows.as_array().unwrap().iter();
    rows.filter(|row| row["outcome"] == "denied")
        .cloned()
        .collect()
}

on_every_broker! {
    fn what_a_device_may_not_do_is_in_the_audit_by_topic(version) {
        let mut fixture = Fixture::start_with_tenant(version);
        let device = fixture.credential("dev1", "t1");
        let mut client = device.connect_v5("dev1").accepted(fixture.port());
        for _ in 0..3 {
            assert!(!publishes(&mut client, "t2/x"));
        }
        assert!(!subscribes(&mut client, "t2/#"));
        assert!(publishes(&mut client, "kp1/x"));
        wait_until("both are in the audit", || denied(&fixture).len() == 2);
        // The end of the broker writes what is left of the minute.
        fixture.broker.stop().unwrap();
        let mut rows = denied(&fixture);
        rows.sort_by_key(|row| row["act"].to_string());
        let told: Vec<_> = rows
            .iter()
            .map(|row| (row["act"].clone(), row["topic"].clone(), row["count"].clone()))
            .collect();
        assert_eq!(
            told,
            [
                ("publish".into(), "t2/x".into(), 3.into()),
                ("subscribe".into(), "t2/#".into(), 1.into()),
            ]
        );
        for row in &rows {
            assert_eq!(row["subject"], "dev1@t1");
            assert_eq!(row["cause"], "no-rule");
        }
    }
}
