//! Session commands.

use std::time::Duration;

use countersign::core::kind::Application;
use countersign::core::name::GroupPath;
use countersign::core::role::RoleName;
use countersign::core::user::{Grant, GrantedRight};
use countersign::{ClientRef, Directive, Handle, RESPONSE_TOPIC, SESSION_TOPIC, TopicUse};
use countersign_admin::clients::ListClients;
use countersign_admin::role::{AssignRole, Assignment, UnassignRole};
use countersign_admin::tenant::{SetTenant, TenantChanges};
use countersign_admin::thing::ShowThing;
use countersign_admin::user::GrantUser;
use serde_json::json;

use crate::fixture::{Fixture, JANE, TRY, Try, client, is_admitted, name, role_right, tenant_id};

const INFO: &str = r#"{"commands":[{"command":"session.info","correlation_data":"7"}]}"#;

fn publish(topic: &str) -> TopicUse<'_> {
    TopicUse::Publish {
        topic: topic.as_bytes(),
        qos: 1,
        retain: false,
    }
}

fn subscribe(filter: &str) -> TopicUse<'_> {
    TopicUse::Subscribe {
        filter: filter.as_bytes(),
    }
}

#[test]
fn whoever_proved_nothing_has_no_commands_and_others_have_their_topics_alone() {
    let mut fixture = Fixture::new();
    for usage in [publish(SESSION_TOPIC), subscribe(RESPONSE_TOPIC)] {
        assert!(!fixture.check(TRY, JANE, usage).is_allowed());
    }
    assert!(is_admitted(&fixture.connect(TRY)));
    for (usage, is_allowed) in [
        (publish(SESSION_TOPIC), true),
        (subscribe(RESPONSE_TOPIC), true),
        (publish(RESPONSE_TOPIC), false),
        (subscribe(SESSION_TOPIC), false),
        (subscribe("$CONTROL/#"), false),
        (
            subscribe("$share/g/$CONTROL/countersign/v1/session/response"),
            false,
        ),
        (publish("$CONTROL/countersign/v1"), false),
        (publish("$CONTROL/countersign/v1/session/"), false),
        (publish("$CONTROL/countersign/v1/session/x"), false),
        (publish("$CONTROL/dynamic-security/v1"), false),
        (
            TopicUse::Deliver {
                topic: RESPONSE_TOPIC.as_bytes(),
            },
            false,
        ),
    ] {
        let verdict = fixture.check(TRY, JANE, usage);
        assert_eq!(verdict.is_allowed(), is_allowed, "{usage:?}");
    }
    // No Will is a command, nor is what a session does that is ended.
    fixture.gate.disconnected(Handle(1));
    assert!(
        !fixture
            .check(TRY, JANE, publish(SESSION_TOPIC))
            .is_allowed()
    );
}

#[test]
fn an_unauthenticated_session_is_not_heard() {
    use countersign::core::tenant::Authentication;

    let mut fixture = Fixture::new();
    let changes = TenantChanges {
        authentication: Some(Authentication::Optional),
        ..TenantChanges::default()
    };
    fixture
        .act(|store, context| {
            countersign_admin::run(
                store,
                context,
                &SetTenant {
                    id: tenant_id("acme"),
                    changes,
                },
            )
        })
        .unwrap();
    fixture.settle();
    let info = countersign::ConnectInfo::new(Handle(1), b"a");
    assert!(is_admitted(&fixture.gate.connect(&info)));
    let nobody = ClientRef {
        handle: Handle(1),
        client_id: Some(b"a"),
        connected: true,
        ..ClientRef::default()
    };
    assert!(fixture.gate.check(&nobody, publish("acme/x")).is_allowed());
    assert!(
        !fixture
            .gate
            .check(&nobody, publish(SESSION_TOPIC))
            .is_allowed()
    );
    assert!(
        !fixture
            .gate
            .check(&nobody, subscribe(RESPONSE_TOPIC))
            .is_allowed()
    );
    fixture.gate.command(&nobody, INFO.as_bytes());
    assert!(fixture.settle().is_empty());
}

#[test]
fn an_answer_goes_to_whoever_asked_and_only_while_they_are_who_they_were() {
    let mut fixture = Fixture::new();
    assert!(is_admitted(&fixture.connect(TRY)));
    let answer = fixture.commands(TRY, JANE, INFO).unwrap();
    assert_eq!(
        answer,
        json!({"responses": [{
            "command": "session.info", "correlation_data": "7", "success": true,
            "params": {
                "username": JANE, "kind": "user", "orgKey": "acme", "role": "all",
                "roles": ["all"], "orgAdmin": false, "clientId": "a", "things": [],
            },
        }]})
    );
    // Whoever goes away, or whose client id another connection has by now, is
    // told nothing any more.
    fixture.gate.command(&client(TRY, JANE), INFO.as_bytes());
    fixture.gate.disconnected(Handle(1));
    assert!(fixture.settle().is_empty());
    assert!(is_admitted(&fixture.connect(TRY)));
    fixture.gate.command(&client(TRY, JANE), INFO.as_bytes());
    assert!(is_admitted(&fixture.connect(Try { handle: 2, ..TRY })));
    assert!(fixture.settle().is_empty());
    // Nor one that the host has mistaken for another.
    fixture
        .gate
        .command(&client(TRY, "john@mail.test"), INFO.as_bytes());
    fixture.gate.command(
        &client(
            Try {
                client_id: "b",
                ..TRY
            },
            JANE,
        ),
        INFO.as_bytes(),
    );
    fixture
        .gate
        .command(&client(Try { handle: 3, ..TRY }, JANE), INFO.as_bytes());
    assert!(fixture.settle().is_empty());
}

#[test]
fn a_flood_of_commands_is_answered_in_part_and_then_no_more() {
    let mut fixture = Fixture::new();
    assert!(is_admitted(&fixture.connect(TRY)));
    for _ in 0..1_000 {
        fixture.gate.command(&client(TRY, JANE), INFO.as_bytes());
    }
    let answers: Vec<String> = fixture
        .settle()
        .into_iter()
        .filter_map(|directive| match directive {
            Directive::Reply { payload, .. } => {
                Some(String::from_utf8(payload.expose().to_vec()).unwrap())
            }
            _ => None,
        })
        .collect();
    let done = answers.iter().filter(|it| it.contains("orgKey")).count();
    let refused = answers.iter().filter(|it| it.contains("-91008")).count();
    assert_eq!((done, refused), (16, 48));
    fixture.pass(Duration::from_secs(1));
    assert!(
        fixture
            .command(TRY, JANE, "session.info", json!({}))
            .is_ok()
    );
}

#[test]
fn of_all_sessions_together_so_many_commands_wait_for_their_answers() {
    let mut fixture = Fixture::new();
    for number in 1..=20 {
        let client_id = format!("c{number}");
        let it = Try {
            handle: number,
            client_id: &client_id,
            ..TRY
        };
        assert!(is_admitted(&fixture.connect(it)));
        for _ in 0..100 {
            fixture.gate.command(&client(it, JANE), INFO.as_bytes());
        }
    }
    let directives = fixture.settle();
    let is_answer = |it: &&Directive| matches!(it, Directive::Reply { .. });
    assert_eq!(directives.iter().filter(is_answer).count(), 1_024);
}

#[test]
fn a_user_lists_and_switches_tenants() {
    let mut fixture = Fixture::new();
    fixture.grant(JANE, "beta", GrantedRight::OrgAdmin);
    fixture.settle();
    let other = Try {
        handle: 2,
        client_id: "b",
        ..TRY
    };
    assert!(is_admitted(&fixture.connect(TRY)) && is_admitted(&fixture.connect(other)));
    let listed = fixture.command(TRY, JANE, "session.org.list", json!({}));
    assert_eq!(
        listed.unwrap(),
        json!({"orgs": [
            {"key": "acme", "role": "all", "orgAdmin": false, "current": true},
            {"key": "beta", "role": null, "orgAdmin": true, "current": false},
        ]})
    );
    let switched = fixture.command(TRY, JANE, "session.org.switch", json!({"key": "beta"}));
    assert_eq!(switched, Ok(json!({"orgKey": "beta"})));
    assert!(fixture.publishes(TRY, JANE, "beta/x") && !fixture.publishes(TRY, JANE, "acme/x"));
    assert!(fixture.publishes(other, JANE, "acme/x") && !fixture.publishes(other, JANE, "beta/x"));
    fixture.tenant("gamma");
    fixture.settle();
    for (key, code) in [
        ("gamma", -91_006),
        ("nosuch", -91_006),
        ("No Such", -91_003),
    ] {
        let refused = fixture.command(TRY, JANE, "session.org.switch", json!({"key": key}));
        assert_eq!(refused, Err(code), "{key}");
    }
    assert!(fixture.publishes(TRY, JANE, "beta/x"));
    // The next session starts where she worked last.
    fixture.background.write();
    let next = Try {
        handle: 3,
        client_id: "c",
        ..TRY
    };
    assert!(is_admitted(&fixture.connect(next)));
    assert!(fixture.publishes(next, JANE, "beta/x"));
    let listed = fixture.run(&ListClients {
        tenant: Some(tenant_id("beta")),
        all: false,
        ..ListClients::default()
    });
    let ids: Vec<_> = listed
        .unwrap()
        .rows
        .into_iter()
        .map(|client| client.presence.client_id)
        .collect();
    assert!(
        ids.contains(&"a".into()) && !ids.contains(&"b".into()),
        "{ids:?}"
    );
}

#[test]
fn what_a_group_holds_reaches_the_session_of_a_user_who_switched_tenants() {
    let group = |path| GroupPath::parse(path).unwrap();
    // Also where she is in a group of the same name in both.
    for before in ["B", "DM"] {
        let mut fixture = Fixture::new();
        fixture.role("own", "beta", "beta/own/#");
        fixture.role("ops", "beta", "beta/ops/#");
        for (tenant, role, path) in [("acme", "all", before), ("beta", "own", "DM")] {
            let grant = Grant {
                tenant: tenant_id(tenant),
                group: Some(group(path)),
                right: role_right(role),
            };
            let email = name(JANE);
            fixture.run(&GrantUser { email, grant }).unwrap();
        }
        let held = Assignment {
            tenant: tenant_id("beta"),
            role: RoleName::parse("ops").unwrap(),
            group: group("DM"),
        };
        fixture.settle();
        assert!(is_admitted(&fixture.connect(TRY)));
        let switched = fixture.command(TRY, JANE, "session.org.switch", json!({"key": "beta"}));
        assert!(switched.is_ok());
        assert!(!fixture.publishes(TRY, JANE, "beta/ops/x"));
        fixture.run(&AssignRole(held.clone())).unwrap();
        fixture.settle();
        assert!(fixture.publishes(TRY, JANE, "beta/ops/x"));
        for key in ["acme", "beta"] {
            let key = json!({"key": key});
            let switched = fixture.command(TRY, JANE, "session.org.switch", key);
            assert!(switched.is_ok());
        }
        fixture.run(&UnassignRole(held)).unwrap();
        fixture.settle();
        assert!(!fixture.publishes(TRY, JANE, "beta/ops/x"));
        assert!(fixture.publishes(TRY, JANE, "beta/own/x"));
    }
}

#[test]
fn nobody_switches_where_a_connect_would_be_refused() {
    let mut fixture = Fixture::with_options(&[("listener_1884", "acme")]);
    fixture.grant(JANE, "beta", role_right("all"));
    fixture.settle();
    let at_listener = Try {
        listener: Some(1884),
        ..TRY
    };
    assert!(is_admitted(&fixture.connect(at_listener)));
    let to_beta = json!({"key": "beta"});
    let refused = fixture.command(at_listener, JANE, "session.org.switch", to_beta.clone());
    assert_eq!(refused, Err(-91_007));
    let changes = TenantChanges {
        client_id_prefix: Some(Some(
            countersign::core::client_id::ClientId::parse("beta-").unwrap(),
        )),
        ..TenantChanges::default()
    };
    fixture
        .act(|store, context| {
            countersign_admin::run(
                store,
                context,
                &SetTenant {
                    id: tenant_id("beta"),
                    changes,
                },
            )
        })
        .unwrap();
    fixture.settle();
    let elsewhere = Try {
        handle: 2,
        client_id: "b",
        ..TRY
    };
    assert!(is_admitted(&fixture.connect(elsewhere)));
    let refused = fixture.command(elsewhere, JANE, "session.org.switch", to_beta);
    assert_eq!(refused, Err(-91_007));
}

#[test]
fn only_administrators_make_tokens_and_untie_things() {
    let mut fixture = Fixture::new();
    fixture.application("fleet", Application::default());
    fixture.thing("thing1", "fleet");
    let boss = Application {
        is_org_admin: true,
        ..Application::default()
    };
    let boss = fixture.application("boss", boss);
    fixture.thing("boss1", "boss");
    fixture.settle();
    assert!(is_admitted(&fixture.connect(TRY)));
    let asked = json!({"role": "all", "whoami": "script", "ttl": 600, "thingKeys": ["thing1"]});
    for command in ["session.jwt.create", "thing.appid.reset"] {
        let params = json!({"role": "all", "whoami": "script", "key": "thing1"});
        assert_eq!(fixture.command(TRY, JANE, command, params), Err(-91_005));
    }
    fixture.grant(JANE, "acme", GrantedRight::OrgAdmin);
    fixture.settle();
    let boss1 = Try {
        handle: 5,
        client_id: "B",
        name: "boss1",
        password: &boss,
        ..TRY
    };
    assert!(is_admitted(&fixture.connect(boss1)));
    for (it, username) in [(TRY, JANE), (boss1, "boss1")] {
        let made = fixture.command(it, username, "session.jwt.create", asked.clone());
        let made = made.unwrap();
        assert_eq!(made["expiresAt"], "2023-11-14T22:23:20.000Z");
        let token = made["token"].as_str().unwrap();
        let login = Try {
            handle: 9,
            client_id: "script",
            name: "script",
            password: token,
            ..TRY
        };
        assert!(is_admitted(&fixture.connect(login)));
        let missing = json!({"role": "nosuch", "whoami": "script"});
        let refused = fixture.command(it, username, "session.jwt.create", missing);
        assert_eq!(refused, Err(-91_006));
    }
    let untied = fixture.command(TRY, JANE, "thing.appid.reset", json!({"key": "boss1"}));
    assert_eq!(untied, Ok(json!({"key": "boss1"})));
    for (key, code) in [("boss1", -91_007), ("nosuch", -91_006)] {
        let refused = fixture.command(TRY, JANE, "thing.appid.reset", json!({"key": key}));
        assert_eq!(refused, Err(code), "{key}");
    }
    let (key, tenant) = (name("boss1"), tenant_id("acme"));
    let shown = fixture.run(&ShowThing { key, tenant }).unwrap();
    assert!(shown.client_id_tie.is_none());
    let acts = fixture.acts();
    let by_jane = |act: &str, subject: &str| {
        let row = (
            format!("session:{JANE}"),
            act.to_owned(),
            subject.to_owned(),
        );
        acts.contains(&row)
    };
    assert!(by_jane("jwt.create", "jwt:script@acme") && by_jane("thing.untie", "boss1"));
}

#[test]
fn commands_of_one_message_are_carried_out_in_order_and_answered_together() {
    let mut fixture = Fixture::new();
    fixture.grant(JANE, "acme", GrantedRight::OrgAdmin);
    fixture.grant(JANE, "beta", GrantedRight::OrgAdmin);
    fixture.settle();
    assert!(is_admitted(&fixture.connect(TRY)));
    let asked = json!({"commands": [
        {"command": "session.org.switch", "params": {"key": "beta"}},
        {"command": "session.jwt.create", "params": {"role": "all", "whoami": "me"}},
        {"command": "session.org.switch", "params": {"key": "acme"}},
        {"command": "session.info"},
        {"command": "nosuch", "correlation_data": "x"},
    ]});
    let answer = fixture.commands(TRY, JANE, &asked.to_string()).unwrap();
    let responses = answer["responses"].as_array().unwrap();
    let successes: Vec<_> = responses.iter().map(|it| it["success"] == true).collect();
    assert_eq!(successes, [true, true, true, true, false]);
    assert_eq!(responses[3]["params"]["orgKey"], "acme");
    assert_eq!(responses[4]["correlation_data"], "x");
    let acts = fixture.acts();
    assert!(
        acts.iter().any(|(_, _, subject)| subject == "jwt:me@beta"),
        "{acts:?}"
    );
}
