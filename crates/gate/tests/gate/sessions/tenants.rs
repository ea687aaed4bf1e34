//! Topics and modes of tenants.

use countersign::core::client_id::ClientId;
use countersign::core::connect::Reservation;
use countersign_admin::operator::{CreateOperator, NewOperator};
use countersign_admin::secret::NewSecret;

use super::*;

#[test]
fn a_session_may_use_its_tenants_topics_and_an_unknown_client_none() {
    let mut fixture = Fixture::new();
    fixture.tenant("globex", Authentication::Required);
    let secret = fixture.credential("dev1");
    let _in = fixture.connect(1, "a", Some((DEV1, &secret)));
    assert_eq!(
        fixture.publish(1, "a", Some(DEV1), "acme/x"),
        Verdict::Allow
    );
    assert_eq!(
        fixture.publish(1, "a", Some(DEV1), "globex/x"),
        Verdict::Deny(Reason::OtherTenant)
    );
    for (handle, client_id, username) in
        [(2, "a", Some(DEV1)), (1, "b", Some(DEV1)), (1, "a", None)]
    {
        let verdict = fixture.publish(handle, client_id, username, "acme/x");
        assert_eq!(
            verdict,
            Verdict::Deny(Reason::Unauthenticated),
            "{handle} {client_id} {username:?}"
        );
    }
    for hostile in [&b"acme/\xff"[..], b"acme/+", b"acme/#", b"", b"acme/\0"] {
        let usage = TopicUse::Publish {
            topic: hostile,
            qos: 0,
            retain: false,
        };
        assert_eq!(
            fixture.check(1, "a", Some(DEV1), usage),
            Verdict::Deny(Reason::Malformed)
        );
    }
}

#[test]
fn an_anonymous_client_joins_the_first_open_tenant_that_it_touches() {
    let mut fixture = Fixture::new();
    assert_eq!(
        refused(&fixture.connect(1, "a", None)),
        Reason::Unauthenticated
    );
    fixture.tenant("globex", Authentication::Off);
    fixture.tenant("initech", Authentication::Optional);
    fixture.settle();
    assert_eq!(admitted(&fixture.connect(1, "a", None)), None);
    assert_eq!(
        fixture.publish(1, "a", None, "acme/x"),
        Verdict::Deny(Reason::NoRule)
    );
    assert_eq!(fixture.publish(1, "a", None, "globex/x"), Verdict::Allow);
    assert_eq!(
        fixture.publish(1, "a", None, "initech/x"),
        Verdict::Deny(Reason::OtherTenant)
    );
    let required = TenantChanges {
        authentication: Some(Authentication::Required),
        ..TenantChanges::default()
    };
    fixture.set("initech", required.clone());
    assert_eq!(fixture.kicked(), [""; 0]);
    fixture.set("globex", required);
    assert_eq!(fixture.kicked(), ["a"]);
}

#[test]
fn the_default_tenant_answers_for_clients_that_name_none() {
    let mut fixture = Fixture::with_options(&[("default_tenant", "acme")]);
    fixture.tenant("globex", Authentication::Off);
    fixture.settle();
    assert_eq!(
        refused(&fixture.connect(1, "a", None)),
        Reason::Unauthenticated
    );
    assert_eq!(
        refused(&fixture.connect(1, "a", Some(("dev1", "x")))),
        Reason::UnknownName
    );
    let off = TenantChanges {
        authentication: Some(Authentication::Off),
        ..TenantChanges::default()
    };
    fixture.set("acme", off);
    fixture.settle();
    assert_eq!(
        admitted(&fixture.connect(1, "a", Some(("dev1", "x")))),
        None
    );
    assert_eq!(
        fixture.publish(1, "a", None, "globex/x"),
        Verdict::Deny(Reason::OtherTenant)
    );
    assert_eq!(fixture.publish(1, "a", None, "acme/x"), Verdict::Allow);
}

#[test]
fn a_tenants_new_namespace_reaches_live_sessions() {
    let mut fixture = Fixture::new();
    let secret = fixture.credential("dev1");
    let _in = fixture.connect(1, "a", Some((DEV1, &secret)));
    assert_eq!(
        fixture.publish(1, "a", Some(DEV1), "plant/x"),
        Verdict::Deny(Reason::NoRule)
    );
    let add_namespaces = vec![TopicFilter::parse("plant/#").unwrap()];
    fixture.set(
        "acme",
        TenantChanges {
            add_namespaces,
            ..TenantChanges::default()
        },
    );
    fixture.settle();
    assert_eq!(
        fixture.publish(1, "a", Some(DEV1), "plant/x"),
        Verdict::Allow
    );
}

#[test]
fn a_tenants_new_prefix_ends_the_sessions_of_others_that_begin_so() {
    let mut fixture = Fixture::new();
    fixture.tenant("globex", Authentication::Optional);
    fixture.tenant("initech", Authentication::Required);
    let device = fixture.credential("dev1");
    let operator = NewOperator {
        name: name("bridge"),
        secret: NewSecret::Generated,
        rules: Vec::new(),
    };
    let operator = secret_of(fixture.run(&CreateOperator(operator)).unwrap());
    for (handle, login) in [
        (1, Some((DEV1, &*device))),
        (2, Some(("bridge", &*operator))),
        (3, None),
        (4, None),
    ] {
        for start in ["x-", "y-"] {
            let handle = if start == "x-" { handle } else { handle + 10 };
            let client_id = format!("{start}{handle}");
            let outcome = fixture.connect(handle, &client_id, login);
            assert!(
                matches!(outcome, ConnectOutcome::Admitted { .. }),
                "{outcome:?}"
            );
        }
    }
    // One guest has joined a tenant, the other has not.
    assert_eq!(fixture.publish(3, "x-3", None, "globex/x"), Verdict::Allow);
    let prefix = TenantChanges {
        client_id_prefix: Some(Some(ClientId::parse("x-").unwrap())),
        ..TenantChanges::default()
    };
    fixture.set("initech", prefix);
    let mut kicked = fixture.kicked();
    kicked.sort_unstable();
    assert_eq!(kicked, ["x-1", "x-2", "x-3", "x-4"]);
}

#[test]
fn a_tenants_new_prefix_ends_its_own_sessions_that_begin_otherwise() {
    let mut fixture = Fixture::with_options(&[("default_tenant", "acme")]);
    let open = TenantChanges {
        authentication: Some(Authentication::Optional),
        ..TenantChanges::default()
    };
    fixture.set("acme", open);
    fixture.settle();
    let device = fixture.credential("dev1");
    let _in = fixture.connect(1, "y-1", Some((DEV1, &device)));
    for (handle, client_id) in [(2, "x-2"), (3, "y-3")] {
        assert_eq!(admitted(&fixture.connect(handle, client_id, None)), None);
    }
    let prefix = TenantChanges {
        client_id_prefix: Some(Some(ClientId::parse("x-").unwrap())),
        ..TenantChanges::default()
    };
    fixture.set("acme", prefix);
    let mut kicked = fixture.kicked();
    kicked.sort_unstable();
    assert_eq!(kicked, ["y-1", "y-3"]);
}

#[test]
fn shapes_that_nothing_valid_has_are_refused_in_every_mode() {
    let mut fixture = Fixture::new();
    let off = TenantChanges {
        authentication: Some(Authentication::Off),
        ..TenantChanges::default()
    };
    fixture.set("acme", off);
    fixture.settle();
    for (client_id, username) in [
        ("a+", None),
        ("#", None),
        ("a\n", None),
        ("a", Some("x\0@acme")),
        ("a", Some("x+@acme")),
        ("a", Some("")),
        ("a", Some("@acme")),
        ("a", Some(" dev1@acme")),
    ] {
        let outcome = fixture.connect(1, client_id, username.map(|name| (name, "x")));
        assert_eq!(
            refused(&outcome),
            Reason::Malformed,
            "{client_id:?} {username:?}"
        );
    }
    let unknown = fixture.connect(1, "a", Some(("x@nosuch", "x")));
    assert_eq!(refused(&unknown), Reason::UnknownTenant);
}

#[test]
fn however_many_sessions_a_change_concerns_no_poll_ends_all_of_them() {
    for (is_tenant, sessions, most) in [(true, 4_500, 4_096), (false, 600, 260)] {
        let mut fixture = Fixture::with_options(&[("default_tenant", "globex")]);
        fixture.tenant("globex", Authentication::Off);
        let secret = fixture.credential("dev1");
        fixture.settle();
        for handle in 0..sessions {
            let login = (!is_tenant).then_some((DEV1, secret.as_str()));
            let outcome = fixture.connect(handle, &format!("c{handle}"), login);
            admitted(&outcome);
        }
        fixture.settle();
        if is_tenant {
            let required = TenantChanges {
                authentication: Some(Authentication::Required),
                ..TenantChanges::default()
            };
            fixture.set("globex", required);
        } else {
            let name = LoginName::parse(DEV1).unwrap();
            fixture.run(&SuspendCredential(name)).unwrap();
        }
        while fixture.background.step_of("log") && !fixture.gate.wants_poll() {}
        let mut ended = 0;
        while fixture.gate.wants_poll() {
            let directives = fixture.gate.poll();
            let is_kick = |it: &&Directive| matches!(it, Directive::Kick { .. });
            let of_poll = directives.iter().filter(is_kick).count();
            assert!(of_poll <= most, "{of_poll}");
            ended += of_poll;
        }
        assert_eq!(ended, sessions);
    }
}

#[test]
fn a_client_id_that_the_host_may_keep_for_a_bridge_ends_with_the_prefix_that_it_was_had_by() {
    let mut fixture = Fixture::new();
    let with_prefix = |prefix: Option<&str>| TenantChanges {
        client_id_prefix: Some(prefix.map(|prefix| ClientId::parse(prefix).unwrap())),
        ..TenantChanges::default()
    };
    fixture.set("acme", with_prefix(Some("local.")));
    let secret = fixture.credential("dev1");
    fixture.settle();
    for (handle, id, reservation) in [
        (1, "local.a", Reservation::Possible),
        (2, "local.b", Reservation::Free),
    ] {
        let mut info = ConnectInfo::new(Handle(handle), id.as_bytes());
        info.username = Some(DEV1.as_bytes());
        info.password = Some(secret.as_bytes());
        info.reservation = reservation;
        assert_eq!(admitted(&fixture.gate.connect(&info)), Some(DEV1));
    }
    assert_eq!(fixture.kicked(), [""; 0]);
    fixture.set("acme", with_prefix(None));
    assert_eq!(fixture.kicked(), ["local.a"]);
}
