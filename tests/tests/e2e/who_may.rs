//! Who may do what where no rule of its own says so.

use countersign_testkit::Connect;
use countersign_tests::{Fixture, PATIENCE, is_kicked, on_every_broker, wait_until};
use serde_json::json;

on_every_broker! {
    fn a_filter_that_reaches_two_open_tenants_joins_neither(version) {
        let fixture = Fixture::start(version);
        for tenant in ["acme", "globex"] {
            fixture.tenant(tenant, &["--authentication", "off", "--subscribe", "filtered"]);
        }
        for client_id in ["c1", "c2", "c3"] {
            let mut client = Connect::v5(client_id).accepted(fixture.port());
            assert_ne!(client.subscribe(&[("#", 0)]).unwrap(), [0]);
            let ask = json!({"check": "subscribe", "username": null, "client_id": client_id, "topic": "#"});
            let said = fixture.cli.run_with_stdin(&["check", "--batch", "-"], ask.to_string().as_bytes());
            assert!(said.stdout.contains("no-rule"));
            assert!(client.publish("globex/x", b"x", 1, false).unwrap() < 0x80);
            assert_eq!(client.subscribe(&[("#", 0)]).unwrap(), [0]);
            assert!(client.publish("acme/x", b"x", 1, false).unwrap() >= 0x80);
        }
    }

    fn a_tenant_without_default_rights_gives_only_what_rules_allow_and_live_sessions_feel_it(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("acme", &[]);
        let login = fixture.credential("dev1", "acme");
        let mut client = login.connect_v5("c1").accepted(fixture.port());
        let mut may = |topic: &str, qos, retain| {
            let code = client.publish(topic, b"x", qos, retain).unwrap();
            client.ping(PATIENCE).unwrap();
            code < 0x80
        };
        assert!(may("acme/other/command", 1, true));

        let shown = fixture.cli.json(&["tenant", "set", "acme", "--default-rights", "none"]);
        assert_eq!(shown["default_rights"], "none");
        wait_until("the session has lost its default rights", || !may("acme/other/command", 1, true));

        fixture.cli.json(&[
            "credential", "allow", "dev1@acme", "publish", "acme/${username}/#", "--max-qos", "1", "--no-retain",
        ]);
        wait_until("the session's own rule holds", || may("acme/dev1@acme/x", 1, false));
        assert!(!may("acme/dev1@acme/x", 2, false));
        assert!(!may("acme/dev1@acme/x", 1, true));
        assert!(!may("acme/other/command", 1, false));

        fixture.cli.json(&["tenant", "set", "acme", "--default-rights", "namespaces"]);
        wait_until("the session has its default rights again", || may("acme/other/command", 2, true));
    }
}

on_every_broker! {
    fn check_answers_what_the_broker_answers_by_itself(version) {
        let fixture = Fixture::start(version);
        let patterns = ["#", "$SYS/#", "$CONTROL/#", "$other/#"];
        let rules = patterns.map(|it| ["--publish", it, "--subscribe", it]).concat();
        let login = fixture.operator("root", &rules);
        let deep = |slashes: usize| "/".repeat(slashes);
        let shared = |slashes: usize| format!("$share/g/{}", deep(slashes.saturating_sub(2)));
        let published = [
            "$SYS/custom", "$SYS", "$SYSx/y", "$SYS/broker/connection/x/state", "$other/x", "$share/g/x",
            "a/$SYS/x", "a\u{1}b", "a\tb", "a\u{7f}b", "a\u{9f}b", "a\u{a0}b", "a\u{fdd0}b", "a\u{ffff}b",
            "a\u{1fffe}b", "a\u{feff}b", "a/+", "a#", &deep(200), &deep(201),
        ];
        let subscribed = [
            "$SYS/#", "$CONTROL/#", "$share", "$share/g", "$share//x", "$share/+/x", "$share/g#/x", "$share/g/#",
            "$sharex/y", "a/#/b", "a+", "a\u{1}b", "a\u{9f}b", "a\u{fffe}b", "a\u{a0}b", &deep(200), &deep(201),
            &shared(200), &shared(201),
        ];
        let uses = published.map(|topic| ("publish", topic)).into_iter();
        for (index, (act, topic)) in uses.chain(subscribed.map(|it| ("subscribe", it))).enumerate() {
            let mut client = login.connect_v5(&format!("c{index}")).accepted(fixture.port());
            // Where it closes the connection, it answers nothing.
            let code = match act {
                "publish" => client.publish(topic, b"x", 1, false).ok(),
                _ => client.subscribe(&[(topic, 0)]).ok().and_then(|codes| codes.first().copied()),
            };
            let ran = fixture.cli.run(&["check", act, "--username", "root", "--json", "--", topic]);
            let is_allowed = code.is_some_and(|code| code < 0x80);
            assert_eq!(ran.code == Some(0), is_allowed, "{act} {topic:?}: {code:?}, {}", ran.stdout);
            assert!(code.is_some() || ran.stdout.contains("malformed"), "{topic:?}: {}", ran.stdout);
        }
    }
}

on_every_broker! {
    fn the_log_says_that_a_default_tenant_does_not_exist_and_when_it_is_gone(version) {
        let fixture = Fixture::start_with(version, |builder| builder.plugin_option("default_tenant", "acme"));
        let says = |count: usize| {
            let lines = fixture.our_lines();
            lines.matches("option `default_tenant` names tenant `acme`, which does not exist").count() == count
        };
        wait_until("it is said at start", || says(1));
        fixture.tenant("acme", &[]);
        let login = fixture.credential("dev", "acme");
        let mut client = login.connect("c").accepted(fixture.port());
        // What came before the end of a session has reached the broker.
        fixture.act("suspend", &login);
        assert!(is_kicked(&mut client));
        fixture.cli.json(&["tenant", "delete", "acme", "--cascade"]);
        wait_until("it is said of one that was deleted", || says(2));
    }
}

on_every_broker! {
    fn a_client_without_a_login_that_comes_back_gets_what_was_queued_and_what_comes(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("open", &["--authentication", "optional"]);
        let mut sender = fixture.credential("dev1", "open").connect("sender").accepted(fixture.port());
        let away = || Connect::v311("c1").stored();
        let mut client = away().accepted(fixture.port());
        assert_eq!(client.subscribe(&[("open/#", 1)]).unwrap(), [1]);
        client.disconnect().unwrap();
        sender.publish("open/queued", b"x", 1, false).unwrap();
        let mut client = away().accepted(fixture.port());
        assert_eq!(client.receive(PATIENCE).unwrap().topic, "open/queued");
        sender.publish("open/live", b"x", 1, false).unwrap();
        assert_eq!(client.receive(PATIENCE).unwrap().topic, "open/live");
    }
}
