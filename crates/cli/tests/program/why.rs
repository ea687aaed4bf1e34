//! `why`, of names of which much, little and nothing is known.

use countersign_core::audit::RefusedAct;
use countersign_core::ledger::Ledger as _;
use countersign_core::reason::Reason;
use countersign_core::store::{Batch, Refusal};
use countersign_core::time::Timestamp;
use countersign_sqlite::SqliteStore;

use crate::support::Fixture;

/// A refusal of this minute, as a broker writes it.
fn refusal(subject: &str, act: RefusedAct, topic: Option<&str>, cause: Reason) -> Refusal {
    let now = jiff::Timestamp::now().as_millisecond();
    Refusal {
        minute: Timestamp::from_millis(now.div_euclid(60_000).saturating_mul(60_000)),
        act,
        subject: subject.into(),
        address: (act == RefusedAct::Login).then(|| "192.0.2.7".into()),
        client_id: None,
        topic: topic.map(Into::into),
        cause,
        about: topic.map(|_| r#"{"last":"2030-01-02T03:04:05.000Z"}"#.into()),
        count: 2,
    }
}

fn write(fixture: &Fixture, refusals: Vec<Refusal>) {
    let mut store = SqliteStore::open(fixture.store()).unwrap();
    let batch = Batch {
        refusals,
        ..Batch::default()
    };
    store.write_batch("b1", &batch).unwrap();
}

#[test]
fn why_says_what_keeps_a_device_out_what_it_was_denied_and_what_to_do() {
    let fixture = Fixture::with_credential();
    let dev1 = "dev1@acme";
    write(
        &fixture,
        vec![
            refusal(dev1, RefusedAct::Login, None, Reason::BadSecret),
            refusal(
                dev1,
                RefusedAct::Publish,
                Some("other/x"),
                Reason::OtherTenant,
            ),
            refusal("dev2@acme", RefusedAct::Publish, Some("y"), Reason::NoRule),
        ],
    );
    fixture.run("credential suspend dev1@acme").done();
    let why = fixture.json("why dev1@acme");
    assert_eq!(why["name"], dev1);
    assert_eq!(why["state"], "Suspended");
    assert_eq!(why["reasons"], serde_json::json!(["suspended"]));
    assert_eq!(why["sessions"], serde_json::json!([]));
    let login = &why["last_logins"][0];
    assert_eq!(
        (&login["outcome"], &login["cause"]),
        (&"refused".into(), &"bad-secret".into())
    );
    assert_eq!(
        (&login["address"], &login["count"]),
        (&"192.0.2.7".into(), &2.into())
    );
    let denied = why["denied"].as_array().unwrap();
    assert_eq!(denied.len(), 1);
    assert_eq!(
        denied[0],
        serde_json::json!({
            "topic": "other/x",
            "act": "publish",
            "cause": "other-tenant",
            "count": 2,
            "last": "2030-01-02T03:04:05.000Z",
        })
    );
    let advice: Vec<_> = why["advice"].as_array().unwrap().iter().collect();
    assert_eq!(advice.len(), 3);
    for (line, needle) in advice.iter().zip([
        "`credential reactivate dev1@acme`",
        "`credential reset-password dev1@acme`",
        "`check publish --username dev1@acme TOPIC`",
    ]) {
        assert!(line.as_str().unwrap().contains(needle), "{line}");
    }
    let text = fixture.run("why dev1@acme").done().stdout;
    assert!(text.contains("advice"), "{text}");
}

#[test]
fn a_name_that_nothing_has_gets_its_refusals_and_a_check_of_it() {
    let fixture = Fixture::with_credential();
    write(
        &fixture,
        vec![refusal(
            "devl@acme",
            RefusedAct::Login,
            None,
            Reason::UnknownName,
        )],
    );
    let why = fixture.json("why devl@acme");
    assert_eq!(why["state"], serde_json::Value::Null);
    assert_eq!(why["reasons"], serde_json::json!(["unknown-name"]));
    assert_eq!(why["last_logins"][0]["cause"], "unknown-name");
    let why = fixture.json("why dev1@nowhere");
    assert_eq!(why["reasons"], serde_json::json!(["unknown-tenant"]));
    let why = fixture.json("why dev1@acme");
    assert_eq!(why["reasons"], serde_json::json!([]));
    assert_eq!(why["advice"].as_array().unwrap().len(), 1);
}

#[test]
fn a_client_id_counts_where_it_is_given() {
    let fixture = Fixture::with_credential();
    fixture
        .run("credential set dev1@acme --client-id exact:one")
        .done();
    for (line, reasons) in [
        ("why dev1@acme", serde_json::json!([])),
        ("why dev1@acme --client-id one", serde_json::json!([])),
        (
            "why dev1@acme --client-id two",
            serde_json::json!(["client-id-mismatch"]),
        ),
    ] {
        assert_eq!(fixture.json(line)["reasons"], reasons, "{line}");
    }
}

#[test]
fn an_address_counts_where_it_is_given() {
    let fixture = Fixture::with_credential();
    fixture.run("ban add --address 192.0.2.0/24").done();
    for (line, reasons) in [
        ("why dev1@acme", serde_json::json!([])),
        (
            "why dev1@acme --address 192.0.2.7",
            serde_json::json!(["banned"]),
        ),
        (
            "why dev1@acme --address ::ffff:192.0.2.7",
            serde_json::json!(["banned"]),
        ),
        (
            "why dev1@acme --address 198.51.100.7",
            serde_json::json!([]),
        ),
    ] {
        assert_eq!(fixture.json(line)["reasons"], reasons, "{line}");
    }
}

#[test]
fn a_name_that_is_a_secret_is_masked() {
    let fixture = Fixture::with_credential();
    let token = format!("at_{}", "0123456789abcdef".repeat(2));
    let ran = fixture.run(&format!("why {token} --json")).done();
    assert!(!ran.stdout.contains(&token), "{ran:?}");
    assert!(ran.stdout.contains("at_0123…"), "{ran:?}");
}
