//! How many password checks wait and how long they take, as it is found by those who
//! watch.

use countersign::core::metrics::{BrokerMetrics, HashSeconds};
use countersign_admin::broker::ReadMetrics;

use super::*;

/// What was counted by now.
fn counted(fixture: &mut Fixture) -> BrokerMetrics {
    fixture.background.pass(1_000);
    fixture.background.step_of("write");
    let mut read = fixture.run(&ReadMetrics).unwrap();
    read.remove(0).1.unwrap()
}

#[test]
fn a_check_waits_until_a_worker_takes_it_and_is_counted_where_it_took_no_longer() {
    let mut fixture = Fixture::new();
    for handle in [1, 2] {
        let outcome = fixture.connect(Try {
            handle,
            client_id: &format!("c{handle}"),
            ..TRY
        });
        assert!(matches!(outcome, ConnectOutcome::Pending { .. }));
    }
    assert_eq!(counted(&mut fixture).hash_queue, 2);
    // One gives up.
    fixture.gate.disconnected(Handle(2));
    fixture.background.set_tick(30);
    fixture.settle();
    fixture.background.set_tick(0);
    let metrics = counted(&mut fixture);
    assert_eq!(metrics.hash_queue, 0);
    let HashSeconds { counts, sum_micros } = metrics.hash_seconds;
    let place = HashSeconds::bucket_of(30_000);
    let total: u64 = counts.iter().sum();
    assert!(total > 0 && counts[place] == total, "{counts:?}");
    assert_eq!(sum_micros, 30_000 * total);
    // On the host's own thread it is counted, too.
    let inline = fixture.connect(Try {
        handle: 3,
        client_id: "c3",
        may_wait: false,
        ..WRONG
    });
    assert!(matches!(inline, ConnectOutcome::Refused { .. }));
    let counts = counted(&mut fixture).hash_seconds.counts;
    assert_eq!(counts.iter().sum::<u64>(), total + 1);
}
