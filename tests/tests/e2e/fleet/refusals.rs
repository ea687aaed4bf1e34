//! Who is refused at brokers that follow a centre, as the centre's audit has it.

use std::time::Duration;

use countersign_tests::{Fixture, REFUSED, on_every_broker, publishes, wait_until};
use serde_json::{Value, json};

use super::{follow, follow_again, has};

on_every_broker! {
    fn the_centre_knows_who_is_refused_behind_a_replica_and_why(version) {
        let centre = Fixture::start(version);
        let (west, clock) = Fixture::start_with_clock(version);
        centre.tenant("acme", &[]);
        let dev1 = centre.credential("dev1", "acme");
        let service = centre.serve();
        let address = service.address.to_string();
        let follower = follow(&centre.cli, &address, "west", &west.cli, &["--tenant", "acme"]);
        wait_until("the snapshot is there", || has(&west.cli, "dev1@acme"));
        let wrong = dev1.with_secret("wrong");
        for _ in 0..2 {
            assert_eq!(wrong.connect("one").code(west.port()), REFUSED);
        }
        let mut client = dev1.connect_v5("one").accepted(west.port());
        assert!(!publishes(&mut client, "globex/x"));
        let of_dev1 = |broker: &Fixture| -> Vec<Value> {
            let rows = broker.cli.json(&["audit", "list", "--name", "dev1@acme"]);
            let rows = rows.as_array().unwrap().iter();
            rows.filter(|row| row["outcome"] != "done").cloned().collect()
        };
        wait_until("the broker's own audit says so", || of_dev1(&west).len() == 2);
        // Sums are told once their minute is over.
        clock.set(Duration::from_secs(180));
        wait_until("the centre's audit says so", || of_dev1(&centre).len() == 2);
        let rows = of_dev1(&centre);
        let told = |act: &str| {
            let row = rows.iter().find(|row| row["act"] == act).unwrap();
            let keys = ["actor", "cause", "count", "topic", "client_id"];
            keys.map(|key| row[key].clone())
        };
        assert_eq!(
            told("login"),
            [json!("broker:west"), json!("bad-secret"), json!(2), Value::Null, json!("one")]
        );
        assert_eq!(told("publish")[..4], [json!("broker:west"), json!("no-rule"), json!(1), json!("globex/x")]);
        let why = centre.cli.run(&["why", "dev1@acme"]).stdout;
        assert!(why.contains("bad-secret") && why.contains("globex/x"), "{why}");
        assert_eq!(centre.cli.run(&["audit", "verify"]).code, Some(0));

        // What was told is not told again by another `follow`.
        follower.kill().unwrap();
        assert_eq!(wrong.connect("one").code(west.port()), REFUSED);
        wait_until("the broker's own audit says so", || of_dev1(&west).len() == 3);
        clock.set(Duration::from_secs(360));
        let follower = follow_again(&address, &west.cli);
        wait_until("the centre's audit says so", || of_dev1(&centre).len() == 3);
        drop((client, follower, service));
    }
}
