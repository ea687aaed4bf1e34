//! Limits: how many connections there may be, and how much may be published.

use std::time::Duration;

use countersign::core::audit::AuditOutcome;
use countersign::core::limit::UseLimits;
use countersign::core::reason::Reason;
use countersign::core::role::RoleName;
use countersign::core::rule::Verdict;
use countersign::core::store::AuditQuery;
use countersign::core::tenant::Authentication;
use countersign::{ClientRef, ConnectInfo, ConnectOutcome, Handle, TopicUse};
use countersign_admin::audit::ListAudit;
use countersign_admin::credential::{CreateCredential, NewCredential};
use countersign_admin::limit::{ClearLimits, Limited, SetLimits, Unsaid};
use countersign_admin::tenant::{SetTenant, TenantChanges};

use crate::fixture::{Fixture, TRY, Try, client, name, tenant_id};

fn acme() -> Limited {
    Limited::Tenant(tenant_id("acme"))
}

/// The login of a device, which needs no hash.
struct Device {
    name: String,
    secret: String,
}

impl Device {
    fn at<'a>(&'a self, handle: usize, client_id: &'a str) -> Try<'a> {
        Try {
            handle,
            client_id,
            name: &self.name,
            password: &self.secret,
            ..TRY
        }
    }
}

impl Fixture {
    fn device(&mut self, local: &str, tenant: &str, roles: &[&str]) -> Device {
        let roles = roles.iter().map(|role| RoleName::parse(role).unwrap());
        let new = NewCredential {
            roles: roles.collect(),
            ..NewCredential::new(tenant_id(tenant), local)
        };
        let issued = self.run(&CreateCredential(new)).unwrap();
        let secret = issued.secret.unwrap().expose().to_vec();
        Device {
            name: issued.described.credential.name.to_string(),
            secret: String::from_utf8(secret).unwrap(),
        }
    }

    fn limit(&mut self, of: Limited, text: &str) {
        let limits = UseLimits::parse(text).unwrap();
        self.run(&SetLimits {
            of,
            limits,
            unsaid: Unsaid::Stay,
        })
        .unwrap();
        self.settle();
    }

    /// Why a login is refused, if it is.
    fn login(&mut self, it: Try<'_>) -> Option<Reason> {
        match self.connect(it) {
            ConnectOutcome::Admitted { .. } => None,
            ConnectOutcome::Refused { reason, .. } => Some(reason),
            other => panic!("{other:?}"),
        }
    }

    fn sends(&mut self, it: Try<'_>, topic: &str, payload: usize) -> Verdict {
        let usage = TopicUse::Publish {
            topic: topic.as_bytes(),
            qos: 0,
            retain: false,
        };
        self.gate.check_sized(&client(it, it.name), usage, payload)
    }

    /// How many messages pass at once.
    fn burst(&mut self, it: Try<'_>, topic: &str) -> usize {
        (0..100)
            .take_while(|_| self.sends(it, topic, 0).is_allowed())
            .count()
    }
}

const OVER: Verdict = Verdict::Deny(Reason::OverLimit);

#[test]
fn a_connection_more_than_there_may_be_is_refused_and_taking_over_is_none() {
    let mut fixture = Fixture::new();
    let device = fixture.device("dev1", "acme", &[]);
    let other = fixture.device("dev2", "acme", &[]);
    let limited = Limited::Credential(name(&device.name));
    fixture.limit(limited.clone(), "connections=2");
    assert_eq!(fixture.login(device.at(10, "a")), None);
    assert_eq!(fixture.login(device.at(11, "b")), None);
    assert_eq!(fixture.login(device.at(12, "c")), Some(Reason::OverLimit));
    assert_eq!(fixture.login(other.at(13, "d")), None);
    // The client comes back before its host has noticed that it is gone.
    assert_eq!(fixture.login(device.at(14, "a")), None);
    fixture.gate.disconnected(Handle(10));
    assert_eq!(fixture.login(device.at(15, "c")), Some(Reason::OverLimit));
    fixture.gate.disconnected(Handle(11));
    assert_eq!(fixture.login(device.at(16, "c")), None);
    assert_eq!(fixture.login(device.at(17, "b")), Some(Reason::OverLimit));
    fixture.run(&ClearLimits(limited)).unwrap();
    fixture.settle();
    assert_eq!(fixture.login(device.at(17, "b")), None);
}

#[test]
fn a_tenant_has_so_many_connections_and_another_has_its_own() {
    let mut fixture = Fixture::new();
    let devices = ["dev1", "dev2", "dev3"].map(|local| fixture.device(local, "acme", &[]));
    let of_beta = fixture.device("dev1", "beta", &[]);
    fixture.limit(acme(), "connections=2");
    let [one, two, three] = &devices;
    assert_eq!(fixture.login(one.at(10, "a")), None);
    assert_eq!(fixture.login(two.at(11, "b")), None);
    assert_eq!(fixture.login(three.at(12, "c")), Some(Reason::OverLimit));
    assert_eq!(fixture.login(of_beta.at(13, "d")), None);
    assert_eq!(fixture.login(one.at(14, "a")), None);
    fixture.gate.disconnected(Handle(10));
    assert_eq!(fixture.login(three.at(12, "c")), Some(Reason::OverLimit));
    fixture.gate.disconnected(Handle(14));
    assert_eq!(fixture.login(three.at(12, "c")), None);
}

#[test]
fn who_publishes_more_than_it_may_is_denied_until_the_second_has_passed() {
    let mut fixture = Fixture::new();
    let device = fixture.device("dev1", "acme", &[]);
    let it = device.at(10, "a");
    assert_eq!(fixture.login(it), None);
    assert_eq!(fixture.burst(it, "acme/x"), 100);
    fixture.limit(
        Limited::Credential(name(&device.name)),
        "messages-per-second=3",
    );
    // What is denied for another reason counts nothing.
    for _ in 0..5 {
        let verdict = fixture.sends(it, "beta/x", 0);
        assert_eq!(verdict, Verdict::Deny(Reason::OtherTenant));
    }
    assert_eq!(fixture.burst(it, "acme/x"), 3);
    assert_eq!(fixture.sends(it, "acme/x", 0), OVER);
    let filter = TopicUse::Subscribe { filter: b"acme/#" };
    assert!(fixture.check(it, it.name, filter).is_allowed());
    let deliver = TopicUse::Deliver { topic: b"acme/x" };
    assert!(fixture.check(it, it.name, deliver).is_allowed());
    // Another session of it has no more, nor one that comes again.
    let beside = device.at(11, "b");
    assert_eq!(fixture.login(beside), None);
    assert_eq!(fixture.sends(beside, "acme/x", 0), OVER);
    for handle in [10, 11] {
        fixture.gate.disconnected(Handle(handle));
    }
    fixture.settle();
    assert_eq!(fixture.login(it), None);
    assert_eq!(fixture.sends(it, "acme/x", 0), OVER);
    fixture.pass(Duration::from_secs(1));
    assert_eq!(fixture.burst(it, "acme/x"), 3);
    // A minute's rest is written when it is over.
    fixture.background.write();
    fixture.pass(Duration::from_secs(60));
    fixture.background.write();
    let rows = fixture.run(&ListAudit(AuditQuery::default())).unwrap();
    let denied = rows.iter().map(|row| &row.entry);
    let denied = denied.filter(|entry| entry.outcome == AuditOutcome::Denied);
    let counted = |cause| -> i64 {
        let of_cause = denied.clone().filter(|entry| entry.cause == Some(cause));
        of_cause.map(|entry| entry.count).sum()
    };
    // Each burst ends with one that is denied.
    assert_eq!(counted(Reason::OverLimit), 5);
    assert_eq!(counted(Reason::OtherTenant), 5);
}

#[test]
fn a_tenant_shares_what_it_may_and_one_session_has_half_of_it() {
    let mut fixture = Fixture::new();
    let devices = ["dev1", "dev2", "dev3"].map(|local| fixture.device(local, "acme", &[]));
    let of_beta = fixture.device("dev1", "beta", &[]);
    fixture.limit(acme(), "messages-per-second=10");
    let [one, two, three] =
        [0, 1, 2].map(|place| devices[place].at(10 + place, ["a", "b", "c"][place]));
    for it in [one, two, three, of_beta.at(20, "d")] {
        assert_eq!(fixture.login(it), None);
    }
    assert_eq!(fixture.burst(one, "acme/x"), 5);
    assert_eq!(fixture.burst(two, "acme/x"), 5);
    assert_eq!(fixture.burst(three, "acme/x"), 0);
    assert_eq!(fixture.burst(of_beta.at(20, "d"), "beta/x"), 100);
    fixture.limit(acme(), "share=100");
    fixture.pass(Duration::from_secs(1));
    assert_eq!(fixture.burst(three, "acme/x"), 10);
    assert_eq!(fixture.burst(one, "acme/x"), 0);
}

#[test]
fn each_holder_of_a_role_has_what_the_role_gives_and_the_tightest_counts() {
    let mut fixture = Fixture::new();
    let devices = ["dev1", "dev2"].map(|local| fixture.device(local, "acme", &["all"]));
    let role = Limited::Role(tenant_id("acme"), RoleName::parse("all").unwrap());
    fixture.limit(role, "messages-per-second=4 payload=100");
    let [one, two] = [devices[0].at(10, "a"), devices[1].at(11, "b")];
    fixture.limit(
        Limited::Credential(name(one.name)),
        "messages-per-second=2 payload=500",
    );
    for it in [one, two] {
        assert_eq!(fixture.login(it), None);
        assert_eq!(fixture.sends(it, "acme/x", 101), OVER);
    }
    assert_eq!(fixture.burst(one, "acme/x"), 2);
    assert_eq!(fixture.burst(two, "acme/x"), 4);
    // Jane holds it by a grant; see `Fixture::new`.
    fixture.user_logs_in();
    let jane = TRY.with_handle(12);
    assert_eq!(fixture.burst(jane, "acme/x"), 4);
}

impl Fixture {
    fn user_logs_in(&mut self) {
        let it = TRY.with_handle(12);
        // A user's password is hashed first.
        let outcome = self.connect(it);
        if !matches!(outcome, ConnectOutcome::Admitted { .. }) {
            self.settle();
            assert!(matches!(self.connect(it), ConnectOutcome::Admitted { .. }));
        }
    }
}

#[test]
fn bytes_are_counted_and_a_payload_that_is_too_long_is_denied() {
    let mut fixture = Fixture::new();
    let device = fixture.device("dev1", "acme", &[]);
    let it = device.at(10, "a");
    fixture.limit(
        Limited::Credential(name(it.name)),
        "bytes-per-second=1000 payload=600",
    );
    assert_eq!(fixture.login(it), None);
    assert_eq!(fixture.sends(it, "acme/x", 601), OVER);
    assert!(fixture.sends(it, "acme/x", 600).is_allowed());
    assert_eq!(fixture.sends(it, "acme/x", 401), OVER);
    assert!(fixture.sends(it, "acme/x", 400).is_allowed());
    assert!(fixture.sends(it, "acme/x", 0).is_allowed());
    assert_eq!(fixture.sends(it, "acme/x", 1), OVER);
}

#[test]
fn a_will_is_not_limited() {
    let mut fixture = Fixture::new();
    let device = fixture.device("dev1", "acme", &[]);
    let it = device.at(10, "a");
    fixture.limit(
        Limited::Credential(name(it.name)),
        "messages-per-second=1 payload=10",
    );
    assert_eq!(fixture.login(it), None);
    assert_eq!(fixture.burst(it, "acme/x"), 1);
    // A host that sends the Will of who is taken over before it says that it is gone.
    assert_eq!(fixture.sends(it, "acme/x", 99), OVER);
    let after = device.at(11, "a");
    assert_eq!(fixture.login(after), None);
    assert!(fixture.sends(it, "acme/x", 99).is_allowed());
    assert_eq!(fixture.sends(after, "acme/x", 99), OVER);
    fixture.gate.disconnected(Handle(10));
    fixture.gate.disconnected(Handle(11));
    assert!(fixture.sends(after, "acme/x", 99).is_allowed());
    // There is one Will at most.
    assert!(!fixture.sends(after, "acme/x", 99).is_allowed());
}

#[test]
fn a_client_without_a_login_is_limited_where_it_joins() {
    let mut fixture = Fixture::new();
    let changes = TenantChanges {
        authentication: Some(Authentication::Optional),
        ..TenantChanges::default()
    };
    let id = tenant_id("acme");
    fixture.run(&SetTenant { id, changes }).unwrap();
    fixture.limit(acme(), "connections=1 messages-per-second=4");
    let mut publishes = |handle: usize, client_id: &str| {
        let client = ClientRef {
            handle: Handle(handle),
            client_id: Some(client_id.as_bytes()),
            connected: true,
            ..ClientRef::default()
        };
        if !fixture.gate.knows(Handle(handle)) {
            let info = ConnectInfo::new(Handle(handle), client_id.as_bytes());
            let outcome = fixture.gate.connect(&info);
            assert!(
                matches!(outcome, ConnectOutcome::Admitted { .. }),
                "{outcome:?}"
            );
        }
        let usage = TopicUse::Publish {
            topic: b"acme/x",
            qos: 0,
            retain: false,
        };
        fixture.gate.check(&client, usage)
    };
    assert_eq!(publishes(10, "a"), Verdict::Allow);
    assert_eq!(publishes(11, "b"), OVER);
    assert_eq!(publishes(10, "a"), Verdict::Allow);
    assert_eq!(publishes(10, "a"), OVER);
    fixture.gate.disconnected(Handle(10));
    fixture.pass(Duration::from_secs(1));
    let client = ClientRef {
        handle: Handle(11),
        client_id: Some(b"b"),
        connected: true,
        ..ClientRef::default()
    };
    let usage = TopicUse::Publish {
        topic: b"acme/x",
        qos: 0,
        retain: false,
    };
    assert!(fixture.gate.check(&client, usage).is_allowed());
}
