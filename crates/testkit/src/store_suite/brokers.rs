//! What a store remembers of the brokers that use it.

use countersign_core::broker::{BrokerRecord, ListenerOptions};
use countersign_core::ledger::MOST_BROKERS;
use countersign_core::metrics::BrokerMetrics;
use countersign_core::presence::PresenceEvent;
use countersign_core::store::rows::KnownBroker;
use countersign_core::store::{AdminStore, Batch, GateStore, all_rows};

use super::batches::anonymous;
use super::{at, commit, look, tenant_id};

fn described(name: &str, started: i64) -> BrokerRecord {
    BrokerRecord {
        name: name.into(),
        host: Some("host".into()),
        version: Some("2.0".into()),
        plugin_version: Some("0".into()),
        since: Some(at(started)),
        last_seen: at(started),
        options: Some(ListenerOptions {
            default_tenant: Some(tenant_id("acme")),
            dynsec_tenant: None,
            listeners: [(1_884, tenant_id("other"))].into(),
            tls_listeners: vec![8_883],
        }),
    }
}

fn listed(store: &mut impl AdminStore) -> Vec<KnownBroker> {
    look(store, |transaction| {
        all_rows(|page| transaction.brokers(page))
    })
}

/// A broker is what it said last, alive while it holds its name.
pub fn a_broker_reads_back_as_it_described_itself(mut store: impl GateStore + AdminStore) {
    let bare = BrokerRecord {
        host: None,
        version: None,
        plugin_version: None,
        since: None,
        options: None,
        ..described("b2", 7)
    };
    store.introduce_broker(&described("b1", 1)).unwrap();
    store.introduce_broker(&described("b1", 5)).unwrap();
    store.introduce_broker(&bare).unwrap();
    let lock = store.lock_broker("b1").unwrap();
    let sessions = Batch {
        observations: vec![
            PresenceEvent::Connected(anonymous(1, "c1")),
            PresenceEvent::Connected(anonymous(2, "c2")),
        ],
        ..Batch::default()
    };
    for broker in ["b1", "b2"] {
        store.write_batch(broker, &sessions).unwrap();
    }
    let b1 = KnownBroker {
        record: described("b1", 5),
        is_alive: true,
        sessions: 2,
    };
    let b2 = KnownBroker {
        record: bare,
        is_alive: false,
        sessions: 2,
    };
    assert_eq!(listed(&mut store), [b1.clone(), b2]);
    store.note_broker(&described("b1", 5), at(9)).unwrap();
    let seen = BrokerRecord {
        last_seen: at(9),
        ..described("b1", 5)
    };
    drop(lock);
    let gone = KnownBroker {
        record: seen,
        is_alive: false,
        sessions: 2,
    };
    let found = look(&mut store, |transaction| transaction.broker("b1"));
    assert_eq!(found, Some(gone));
    let removed = commit(&mut store, &[], |transaction| {
        let first = transaction.remove_broker("b1")?;
        Ok((first, transaction.remove_broker("b1")?))
    });
    assert_eq!(removed, (true, false));
    // One that runs and is not known introduces itself.
    store.note_broker(&described("b1", 5), at(10)).unwrap();
    let again = look(&mut store, |transaction| transaction.broker("b1"));
    assert_eq!(again.unwrap().record.last_seen, at(10));
}

/// What a broker counts is read while it lives, and is no commit.
pub fn what_a_broker_counts_is_read_while_it_lives(mut store: impl GateStore + AdminStore) {
    let counted = BrokerMetrics {
        sessions: 3,
        ..BrokerMetrics::default()
    };
    let read = |store: &mut _| look(store, |transaction| Ok(transaction.broker_metrics("b1")));
    let lock = store.lock_broker("b1").unwrap();
    let mark = store.mark().unwrap();
    assert_eq!(read(&mut store), None);
    store.put_metrics("b1", &counted).unwrap();
    assert_eq!(read(&mut store), Some(counted.clone()));
    drop(lock);
    assert_eq!(read(&mut store), None);
    let _lock = store.lock_broker("b1").unwrap();
    assert_eq!(read(&mut store), Some(counted));
    store.remove_metrics("b1");
    assert_eq!(read(&mut store), None);
    assert_eq!(store.mark().unwrap(), mark);
}

/// Of brokers that are gone, those that were seen last are remembered.
pub fn a_bounded_number_of_brokers_is_remembered(mut store: impl GateStore + AdminStore) {
    let most = i64::try_from(MOST_BROKERS).unwrap();
    commit(&mut store, &[], |transaction| {
        for number in 0..most {
            transaction.put_broker(&described(&format!("b{number}"), number))?;
        }
        Ok(())
    });
    let _alive = store.lock_broker("b0").unwrap();
    store.introduce_broker(&described("new", most)).unwrap();
    let listed = listed(&mut store);
    let is_there = |name: &str| listed.iter().any(|broker| broker.record.name == name);
    assert_eq!(listed.len(), usize::try_from(MOST_BROKERS).unwrap());
    assert!(is_there("b0") && is_there("new") && is_there("b2"));
    assert!(!is_there("b1"));
}

/// What a broker left behind as connected goes a little at a time.
pub fn what_a_broker_left_is_cleared_in_parts(mut store: impl GateStore + AdminStore) {
    let many = Batch {
        observations: (0..300)
            .map(|number| PresenceEvent::Connected(anonymous(number, &format!("c{number}"))))
            .collect(),
        ..Batch::default()
    };
    store.write_batch("b1", &many).unwrap();
    let mut parts = 0;
    loop {
        let is_all = commit(&mut store, &[], |transaction| {
            transaction.clear_some_presence("b1", at(9))
        });
        parts += 1;
        if is_all {
            break;
        }
    }
    assert_eq!(parts, 2);
    let left = look(&mut store, |transaction| {
        all_rows(|page| transaction.presence(None, page))
    });
    assert!(left.is_empty());
}
