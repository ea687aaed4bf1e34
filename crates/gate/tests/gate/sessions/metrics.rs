//! What a gate counts, as it is found by those who watch.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use countersign::core::metrics::{BrokerMetrics, Counts};
use countersign_admin::broker::ReadMetrics;
use countersign_admin::clients::RequestKick;

use super::*;

/// What was counted by now.
fn counted(fixture: &mut Fixture) -> BrokerMetrics {
    fixture.settle();
    fixture.background.pass(1_000);
    fixture.background.step_of("log");
    fixture.background.step_of("write");
    let mut read = fixture.run(&ReadMetrics).unwrap();
    assert_eq!(read.len(), 1);
    read.remove(0).1.unwrap()
}

/// As `outcome cause count`.
fn in_words(counts: &Counts) -> Vec<String> {
    let counts = counts.iter();
    counts
        .map(|((what, why), count)| format!("{} {} {count}", what.as_str(), why.as_str()))
        .collect()
}

/// The files of metrics, by number.
fn files(fixture: &Fixture) -> Vec<u64> {
    let entries = fs::read_dir(fixture.folder.path()).unwrap();
    let entries = entries.map(|entry| entry.unwrap());
    let named = |name: &std::ffi::OsStr| name.to_str().unwrap().contains("-metrics-");
    let files = entries.filter(|entry| named(&entry.file_name()));
    files.map(|file| file.metadata().unwrap().ino()).collect()
}

#[test]
fn logins_denied_uses_kicks_and_sessions_are_counted_once_each() {
    let mut fixture = Fixture::new();
    fixture.tenant("open", Authentication::Optional);
    let secret = fixture.credential("dev1");
    let login = Some((DEV1, &*secret));
    assert_eq!(counted(&mut fixture), BrokerMetrics::default());
    let _in = admitted(&fixture.connect(1, "a", login));
    let _in = admitted(&fixture.connect(2, "b", login));
    let _anonymous = admitted(&fixture.connect(3, "c", None));
    // A host that asks again is told again, and that is no login.
    let _again = admitted(&fixture.connect(1, "a", login));
    let wrong = refused(&fixture.connect(4, "d", Some((DEV1, "wrong"))));
    let made_up = fixture.connect(5, "e", Some(("dev1@nowhere", "x")));
    assert_eq!(refused(&made_up), Reason::UnknownTenant);
    for topic in ["acme/x", "other/x", "other/y"] {
        let _verdict = fixture.publish(1, "a", Some(DEV1), topic);
    }
    let filter = TopicUse::Subscribe { filter: b"#" };
    let _denied = fixture.check(2, "b", Some(DEV1), filter);
    // What is withheld is no use of the session's.
    let withheld = TopicUse::Deliver { topic: b"other/x" };
    let _denied = fixture.check(2, "b", Some(DEV1), withheld);
    let metrics = counted(&mut fixture);
    let wrong = format!("refused {} 1", wrong.as_str());
    assert_eq!(
        in_words(&metrics.uses.logins),
        [
            "admitted ok 2",
            "admitted unauthenticated 1",
            &wrong,
            "refused unknown-tenant 1",
        ]
    );
    let denied = ["publish no-rule 2", "subscribe other-tenant 1"];
    assert_eq!(in_words(&metrics.uses.denied), denied);
    assert_eq!((metrics.sessions, metrics.store_lag_millis), (3, 0));
    assert!(metrics.acts.is_empty());
    let acme = TenantId::parse("acme").ok();
    assert_eq!(metrics.by_tenant.keys().collect::<Vec<_>>(), [&acme]);
    let of_acme = &metrics.by_tenant[&acme];
    assert_eq!(in_words(&of_acme.logins), ["admitted ok 2", &wrong]);
    assert_eq!(in_words(&of_acme.denied), denied);

    let kick = RequestKick { target: "a".into() };
    fixture.run(&kick).unwrap();
    assert_eq!(fixture.kicked(), ["a"]);
    for handle in [1, 2] {
        // A host says so when the connection is over, and when it forgot it.
        fixture.gate.disconnected(Handle(handle));
        fixture.gate.disconnected(Handle(handle));
    }
    let metrics = counted(&mut fixture);
    assert_eq!(in_words(&metrics.acts), ["client.kick done 1"]);
    assert_eq!(metrics.sessions, 1);
}

#[test]
fn what_is_counted_is_written_when_it_changed_at_most_once_a_second_and_goes_with_the_gate() {
    let mut fixture = Fixture::new();
    let secret = fixture.credential("dev1");
    let _none = counted(&mut fixture);
    let first = files(&fixture);
    assert_eq!(first.len(), 1);
    let _none = counted(&mut fixture);
    assert_eq!(files(&fixture), first);
    let _in = admitted(&fixture.connect(1, "a", Some((DEV1, &secret))));
    fixture.background.write();
    fixture.background.pass(999);
    fixture.background.step_of("write");
    assert_eq!(files(&fixture), first);
    fixture.background.pass(1);
    fixture.background.step_of("write");
    let second = files(&fixture);
    assert!(second.len() == 1 && second != first);
    let Fixture {
        gate,
        folder,
        config,
        admin,
        background,
        clock,
        wakes,
    } = fixture;
    gate.close();
    let left = fs::read_dir(folder.path()).unwrap();
    let mut names = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(!names.any(|name| name.contains("-metrics-")));
    drop((config, admin, background, clock, wakes));
}

#[test]
fn a_gate_that_can_not_follow_its_store_falls_behind_it() {
    let mut fixture = Fixture::new();
    assert_eq!(counted(&mut fixture).store_lag_millis, 0);
    fixture.background.pass(7_000);
    fixture.background.step_of("write");
    let mut read = fixture.run(&ReadMetrics).unwrap();
    assert_eq!(read.remove(0).1.unwrap().store_lag_millis, 7_000);
    assert_eq!(counted(&mut fixture).store_lag_millis, 0);
}
