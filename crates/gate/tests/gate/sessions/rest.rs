//! A tenant that owns the rest, and others that take topics from it.

use countersign_admin::taking::{TakeFromRest, Taking};

use super::*;

/// A gate whose tenant `acme` owns `#`, with the device `dev1` logged in.
fn household() -> Fixture {
    let mut fixture = Fixture::new();
    let changes = TenantChanges {
        add_namespaces: vec![filter("#")],
        remove_namespaces: vec![filter("acme/#")],
        ..TenantChanges::default()
    };
    fixture.set("acme", changes);
    let secret = fixture.credential("dev1");
    let _in = fixture.connect(1, "a", Some((DEV1, &secret)));
    fixture.settle();
    fixture
}

impl Fixture {
    fn take<C: Command>(&mut self, command: C, taking: Taking) -> C::Output {
        let output = self.run(&TakeFromRest { command, taking }).unwrap();
        self.settle();
        output
    }

    fn publishes(&mut self, topic: &str) -> Verdict {
        self.publish(1, "a", Some(DEV1), topic)
    }

    fn subscribes(&mut self, filter: &str) -> Verdict {
        let filter = filter.as_bytes();
        self.check(1, "a", Some(DEV1), TopicUse::Subscribe { filter })
    }

    fn receives(&mut self, topic: &str) -> Verdict {
        let topic = topic.as_bytes();
        self.check(1, "a", Some(DEV1), TopicUse::Deliver { topic })
    }
}

fn filter(text: &str) -> TopicFilter {
    TopicFilter::parse(text).unwrap()
}

fn globex() -> CreateTenant {
    CreateTenant(NewTenant::new(TenantId::parse("globex").unwrap()))
}

fn wired(tenant: &str) -> CreateCredential {
    CreateCredential(NewCredential {
        name: None,
        scheme: SchemeName::parse("vwire").unwrap(),
        ..NewCredential::new(TenantId::parse(tenant).unwrap(), "")
    })
}

const OTHERS: Verdict = Verdict::Deny(Reason::OtherTenant);

#[test]
fn one_tenant_alone_owns_all_but_what_is_the_brokers() {
    let mut fixture = household();
    for topic in [
        "acme/x",
        "zigbee2mqtt/lamp",
        "globex/x",
        "vwire/VW-ABC123/x",
        "/",
    ] {
        assert_eq!(fixture.publishes(topic), Verdict::Allow, "{topic}");
        assert_eq!(fixture.receives(topic), Verdict::Allow, "{topic}");
    }
    for filter in ["#", "+/#", "+/x", "$share/g/#"] {
        assert_eq!(fixture.subscribes(filter), Verdict::Allow, "{filter}");
    }
    for topic in ["$SYS/broker/uptime", "$CONTROL/x"] {
        assert_eq!(
            fixture.publishes(topic),
            Verdict::Deny(Reason::NoRule),
            "{topic}"
        );
        assert_eq!(
            fixture.receives(topic),
            Verdict::Deny(Reason::NoRule),
            "{topic}"
        );
    }
    assert_eq!(fixture.subscribes("$SYS/#"), Verdict::Deny(Reason::NoRule));
}

#[test]
fn a_tenant_that_is_taken_out_of_the_rest_is_walled_off_from_live_sessions() {
    let mut fixture = household();
    assert_eq!(fixture.publishes("globex/x"), Verdict::Allow);
    fixture.take(globex(), Taking::Filtering);
    assert_eq!(fixture.publishes("globex/x"), OTHERS);
    assert_eq!(fixture.receives("globex/x"), OTHERS);
    assert_eq!(fixture.publishes("zigbee2mqtt/lamp"), Verdict::Allow);
    // It filters from now on, so the wall acts at delivery.
    assert_eq!(fixture.subscribes("#"), Verdict::Allow);
    assert_eq!(fixture.subscribes("globex/+"), OTHERS);
    assert_eq!(fixture.subscribes("$share/g/#"), OTHERS);
}

#[test]
fn who_stays_strict_may_subscribe_to_what_is_its_own_alone() {
    let mut fixture = household();
    fixture.take(globex(), Taking::KeepingStrict);
    assert_eq!(fixture.subscribes("#"), OTHERS);
    assert_eq!(fixture.subscribes("+/x"), OTHERS);
    assert_eq!(fixture.subscribes("zigbee2mqtt/#"), Verdict::Allow);
}

#[test]
fn what_a_scheme_of_another_tenant_reaches_is_not_among_the_rest() {
    let mut fixture = household();
    fixture.take(globex(), Taking::Filtering);
    assert_eq!(fixture.publishes("vwire/VW-ABC123/x"), Verdict::Allow);
    let issued = fixture.take(wired("globex"), Taking::Filtering);
    let name = issued.described.credential.name;
    assert_eq!(fixture.publishes("vwire/VW-ABC123/x"), OTHERS);
    assert_eq!(fixture.publishes("vwire"), Verdict::Allow);
    assert_eq!(fixture.subscribes("vwire/+/x"), OTHERS);
    // Devices of its own by the same scheme keep what the scheme gives them,
    // and no rule of the tenant reaches others'.
    let own = fixture.take(wired("acme"), Taking::Refused);
    let own_name = own.described.credential.name.clone();
    let secret = secret_of(own);
    let _in = fixture.connect(2, own_name.as_str(), Some((own_name.as_str(), &secret)));
    let topic = format!("vwire/{own_name}/x");
    assert_eq!(
        fixture.publish(2, own_name.as_str(), Some(own_name.as_str()), &topic),
        Verdict::Allow
    );
    assert_eq!(
        fixture.publishes("vwire/VW-ABC123/x"),
        Verdict::Deny(Reason::NoRule)
    );
    assert_eq!(
        fixture.subscribes("vwire/+/x"),
        Verdict::Deny(Reason::NoRule)
    );
    // With the last of the other's, its topics are among the rest again.
    fixture.run(&DeleteCredential(name)).unwrap();
    fixture.settle();
    assert_eq!(fixture.publishes("vwire/VW-ABC123/x"), Verdict::Allow);
}

#[test]
fn a_guest_joins_who_owns_the_rest_by_what_nobody_else_owns() {
    let mut fixture = household();
    let optional = TenantChanges {
        authentication: Some(Authentication::Optional),
        ..TenantChanges::default()
    };
    fixture.set("acme", optional);
    fixture.take(globex(), Taking::Filtering);
    assert_eq!(admitted(&fixture.connect(2, "guest", None)), None);
    assert_eq!(
        fixture.publish(2, "guest", None, "globex/x"),
        Verdict::Deny(Reason::NoRule)
    );
    assert_eq!(
        fixture.publish(2, "guest", None, "zigbee2mqtt/x"),
        Verdict::Allow
    );
    assert_eq!(fixture.publish(2, "guest", None, "globex/x"), OTHERS);
}

#[test]
fn what_was_retained_in_topics_that_were_taken_is_withheld() {
    let mut fixture = household();
    let is_sent = |fixture: &mut Fixture, topic: &str| {
        let author = ClientRef {
            client_id: Some(b"a"),
            username: Some(DEV1.as_bytes()),
            ..ClientRef::default()
        };
        let usage = TopicUse::Publish {
            topic: topic.as_bytes(),
            qos: 0,
            retain: true,
        };
        fixture.gate.check(&author, usage)
    };
    assert_eq!(is_sent(&mut fixture, "globex/x"), Verdict::Allow);
    fixture.take(globex(), Taking::Filtering);
    assert_eq!(is_sent(&mut fixture, "globex/x"), OTHERS);
    assert_eq!(is_sent(&mut fixture, "zigbee2mqtt/x"), Verdict::Allow);
    assert_eq!(is_sent(&mut fixture, "vwire/VW-ABC123/x"), Verdict::Allow);
    fixture.take(wired("globex"), Taking::Filtering);
    assert_eq!(is_sent(&mut fixture, "vwire/VW-ABC123/x"), OTHERS);
}

#[test]
fn a_will_that_comes_late_meets_the_wall_as_it_is_then() {
    let mut fixture = household();
    let secret = fixture.credential("dev2");
    let mut info = ConnectInfo::new(Handle(2), b"b");
    info.username = Some(b"dev2@acme");
    info.password = Some(secret.as_bytes());
    info.protocol = 5;
    info.clean_start = false;
    assert_eq!(admitted(&fixture.gate.connect(&info)), Some("dev2@acme"));
    fixture.settle();
    fixture.gate.disconnected(Handle(2));
    fixture.take(globex(), Taking::Filtering);
    assert_eq!(
        fixture.publish(2, "b", Some("dev2@acme"), "globex/will"),
        OTHERS
    );
}
