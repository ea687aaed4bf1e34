//! Uses of topics that sessions are denied, and what the audit says of them.

use std::time::Duration;

use countersign::TopicUse;
use countersign::core::audit::{AuditOutcome, AuditRow};
use countersign::core::reason::Reason;
use countersign::core::scheme::SchemeName;
use countersign::core::store::AuditQuery;
use countersign_admin::audit::ListAudit;
use countersign_admin::credential::{CreateCredential, NewCredential, SuspendCredential};

use crate::fixture::{Fixture, TRY, Try, is_admitted, name, tenant_id};

/// A device that is let in.
struct Device {
    handle: usize,
    name: String,
    client_id: String,
    /// Of scheme `impact`.
    token: Option<String>,
}

/// Lets a device in.
fn device(fixture: &mut Fixture, new: NewCredential, handle: usize) -> Device {
    let issued = fixture.run(&CreateCredential(new)).unwrap();
    let secret = String::from_utf8(issued.secret.unwrap().expose().to_vec()).unwrap();
    let credential = issued.described.credential;
    let name = credential.name.to_string();
    let client_id = format!("c{handle}");
    let outcome = fixture.connect(Try {
        handle,
        client_id: &client_id,
        name: &name,
        password: &secret,
        ..TRY
    });
    assert!(is_admitted(&outcome), "{outcome:?}");
    Device {
        handle,
        name,
        client_id,
        token: credential.attributes.get("token").cloned(),
    }
}

fn plain(fixture: &mut Fixture, local: &str, handle: usize) -> Device {
    device(
        fixture,
        NewCredential::new(tenant_id("acme"), local),
        handle,
    )
}

fn publish(fixture: &mut Fixture, device: &Device, topic: &str) -> bool {
    let usage = TopicUse::Publish {
        topic: topic.as_bytes(),
        qos: 0,
        retain: false,
    };
    uses(fixture, device, usage)
}

fn uses(fixture: &mut Fixture, device: &Device, usage: TopicUse<'_>) -> bool {
    let it = Try {
        handle: device.handle,
        client_id: &device.client_id,
        ..TRY
    };
    fixture.check(it, &device.name, usage).is_allowed()
}

/// The rows of denied uses, by topic.
fn denied(fixture: &mut Fixture) -> Vec<AuditRow> {
    let mut rows = fixture.run(&ListAudit(AuditQuery::default())).unwrap();
    rows.retain(|row| row.entry.outcome == AuditOutcome::Denied);
    rows.sort_by(|one, other| one.entry.topic.cmp(&other.entry.topic));
    rows
}

fn shown(fixture: &mut Fixture) -> Vec<(String, String, String, i64)> {
    let rows = denied(fixture).into_iter().map(|AuditRow { entry, .. }| {
        let topic = entry.topic.unwrap();
        (entry.act, entry.subject, topic, entry.count)
    });
    rows.collect()
}

#[test]
fn a_denied_publish_and_a_denied_subscribe_are_in_the_audit_at_once() {
    let mut fixture = Fixture::new();
    let dev1 = plain(&mut fixture, "dev1", 10);
    assert!(publish(&mut fixture, &dev1, "acme/x"));
    for _ in 0..3 {
        assert!(!publish(&mut fixture, &dev1, "beta/x"));
    }
    let filter = TopicUse::Subscribe { filter: b"beta/#" };
    assert!(!uses(&mut fixture, &dev1, filter));
    fixture.background.write();
    let rows = denied(&mut fixture);
    let of = |act: &str, topic: &str, count| (act.into(), dev1.name.clone(), topic.into(), count);
    assert_eq!(
        shown(&mut fixture),
        [of("subscribe", "beta/#", 1), of("publish", "beta/x", 3),]
    );
    for AuditRow { entry, .. } in rows {
        assert_eq!(entry.actor, "broker:bench");
        assert_eq!(entry.cause, Some(Reason::OtherTenant));
        let after = entry.after.unwrap();
        assert!(after.contains(r#""last":"2023-11-14T22:13:20"#), "{after}");
    }
}

#[test]
fn what_is_withheld_from_a_session_or_asked_about_one_that_ends_is_not_counted() {
    let mut fixture = Fixture::new();
    let dev1 = plain(&mut fixture, "dev1", 10);
    let deliver = TopicUse::Deliver { topic: b"beta/x" };
    assert!(!uses(&mut fixture, &dev1, deliver));
    fixture.run(&SuspendCredential(name("dev1@acme"))).unwrap();
    assert_eq!(fixture.kicked().len(), 1);
    assert!(!publish(&mut fixture, &dev1, "beta/x"));
    fixture.background.write();
    assert_eq!(shown(&mut fixture), []);
}

#[test]
fn a_flood_of_denied_publishes_makes_a_thousand_rows_a_minute_and_is_counted_to_the_last() {
    let mut fixture = Fixture::new();
    let devices: Vec<_> = (0..4)
        .map(|number| plain(&mut fixture, &format!("dev{number}"), 10 + number))
        .collect();
    // Over the end of a minute.
    for second in 0..30 {
        for number in 0..10_000 {
            let (at, topic) = (number % 3, format!("beta/{}", number % 5_000));
            assert!(!publish(&mut fixture, &devices[at], &topic));
        }
        if second == 0 {
            assert!(!publish(&mut fixture, &devices[3], "beta/seldom"));
        }
        fixture.background.write();
        fixture.pass(Duration::from_secs(1));
    }
    fixture.pass(Duration::from_secs(120));
    fixture.background.step();
    let rows = denied(&mut fixture);
    assert_eq!(rows.iter().map(|row| row.entry.count).sum::<i64>(), 300_001);
    let minutes: std::collections::BTreeSet<_> = rows.iter().map(|row| row.entry.time).collect();
    for minute in minutes {
        let of_it = rows.iter().filter(|row| row.entry.time == minute);
        assert!(of_it.count() <= 3 * 20 + 1);
    }
    let seldom = |row: &&AuditRow| row.entry.topic.as_deref() == Some("beta/seldom");
    assert_eq!(rows.iter().filter(seldom).count(), 1);
}

#[test]
fn what_was_denied_last_is_written_when_the_gate_ends() {
    let mut fixture = Fixture::new();
    let dev1 = plain(&mut fixture, "dev1", 10);
    for _ in 0..2 {
        assert!(!publish(&mut fixture, &dev1, "beta/x"));
        fixture.background.write();
    }
    let mut fixture = fixture.restart();
    let count = shown(&mut fixture).iter().map(|row| row.3).sum::<i64>();
    assert_eq!(count, 2);
}

#[test]
fn no_topic_of_the_audit_holds_a_secret_or_ends_a_line() {
    let mut fixture = Fixture::new();
    let impact = NewCredential {
        scheme: SchemeName::parse("impact").unwrap(),
        ..NewCredential::new(tenant_id("acme"), "meter")
    };
    let meter = device(&mut fixture, impact, 10);
    let token = meter.token.clone().unwrap();
    let secret = format!("cs_{}", "0a".repeat(16));
    let long = "x".repeat(60_000);
    for topic in [
        format!("beta/{token}"),
        format!("beta/{secret}/x"),
        "beta/\u{1b}[2J`".into(),
        format!("beta/{long}"),
        format!("beta/{}{secret}", "y".repeat(110)),
    ] {
        assert!(!publish(&mut fixture, &meter, &topic), "{topic}");
    }
    fixture.background.write();
    let topics: Vec<_> = shown(&mut fixture).into_iter().map(|row| row.2).collect();
    for topic in &topics {
        assert!(topic.len() <= 128 + 3 + 6, "{topic}");
        assert!(
            !topic.contains(&token) && !topic.contains(secret.get(..12).unwrap()),
            "{topic}"
        );
        assert!(!topic.contains(['`', '\u{1b}', '\n']), "{topic}");
    }
    assert!(topics.contains(&"beta/${attr.token}".into()), "{topics:?}");
    assert!(topics.contains(&"beta/cs_0a0a…".into()), "{topics:?}");
}
