//! The plugin as a guest: what it exports, how it starts and stops, what
//! SIGHUP does, and what a panic costs.

use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::time::Duration;

use countersign_testkit::tools::Tool;
use countersign_testkit::{Broker, Cli, Connect, artifacts};
use countersign_tests::{
    ACCEPTED, Fixture, PATIENCE, REFUSED, is_kicked, on_every_broker, topics, wait_until,
};

/// What `nm -D --defined-only` lists.
fn exported_symbols() -> Vec<String> {
    let output = Command::new("nm")
        .args(["-D", "--defined-only"])
        .arg(artifacts::plugin().unwrap())
        .output()
        .unwrap();
    assert!(output.status.success());
    let mut names: Vec<String> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| line.split_whitespace().last().map(str::to_owned))
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn the_plugin_exports_its_three_functions_and_nothing_else() {
    let expected = [
        "mosquitto_plugin_cleanup",
        "mosquitto_plugin_init",
        "mosquitto_plugin_version",
    ];
    assert_eq!(exported_symbols(), expected);
}

#[test]
fn the_released_plugin_holds_no_test_switch() {
    let bytes = std::fs::read(artifacts::plugin().unwrap()).unwrap();
    let hooks = std::fs::read(artifacts::plugin_with_test_hooks().unwrap()).unwrap();
    for switch in ["COUNTERSIGN_TEST_CLOCK", "COUNTERSIGN_TEST_PANIC"] {
        let holds = |bytes: &[u8]| {
            bytes
                .windows(switch.len())
                .any(|window| window == switch.as_bytes())
        };
        assert!(!holds(&bytes), "{switch}");
        assert!(holds(&hooks), "{switch}: the test would not notice");
    }
}

/// A plugin option, and what the broker must say about it.
const BAD_OPTIONS: [(&str, &str, &str); 9] = [
    ("stoer", "/x", "stoer"),
    ("hash_budget", "101", "hash_budget"),
    ("hash_threads", "0", "hash_threads"),
    ("hash_threads", "many", "hash_threads"),
    ("default_tenant", "No Tenant", "default_tenant"),
    ("listener_99999", "t1", "listener_99999"),
    ("tls_listeners", "x", "tls_listeners"),
    ("chain", "sometimes", "chain"),
    ("hash_budget", "0", "hash_budget"),
];

on_every_broker! {
    fn a_bad_option_stops_the_start_with_one_line_that_names_it(version) {
        let folder = tempfile::tempdir().unwrap();
        let cli = Cli::new(folder.path().join("countersign.db"));
        cli.json(&["init"]);
        for (option, value, needle) in BAD_OPTIONS {
            let failure = Broker::builder(version)
                .plugin(artifacts::plugin().unwrap())
                .plugin_option("store", cli.store().display())
                .plugin_option(option, value)
                .start_expecting_failure()
                .unwrap();
            let ours: Vec<&str> = failure.log.lines().filter(|line| line.contains("Countersign: ")).collect();
            assert!(ours.iter().any(|line| line.contains(needle)), "{option} {value}: {}", failure.log);
            assert_ne!(failure.code, Some(0));
        }
    }

    fn a_store_that_can_not_be_used_stops_the_start_with_one_line(version) {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing.db");
        let foreign = folder.path().join("foreign.db");
        std::fs::write(&foreign, "this is no database, and long enough to be sure about that").unwrap();
        for (store, needle) in [(missing.to_str().unwrap(), "init"), (foreign.to_str().unwrap(), "foreign.db"), ("relative.db", "absolute")] {
            let failure = Broker::builder(version)
                .plugin(artifacts::plugin().unwrap())
                .plugin_option("store", store)
                .start_expecting_failure()
                .unwrap();
            assert!(failure.log.contains(needle), "{store}: {}", failure.log);
        }
        let failure = Broker::builder(version)
            .plugin(artifacts::plugin().unwrap())
            .start_expecting_failure()
            .unwrap();
        assert!(failure.log.contains("plugin_opt_store"), "{}", failure.log);
    }

    fn listener_options_need_a_host_that_tells_the_port(version) {
        let folder = tempfile::tempdir().unwrap();
        let cli = Cli::new(folder.path().join("countersign.db"));
        cli.json(&["init"]);
        cli.json(&["tenant", "create", "t1"]);
        cli.json(&["tenant", "create", "t2", "--authentication", "off"]);
        let builder = Broker::builder(version).listener();
        let (one, two) = (builder.port_of(0), builder.port_of(1));
        let builder = builder
            .line("allow_anonymous true")
            .plugin(artifacts::plugin().unwrap())
            .plugin_option("store", cli.store().display())
            .plugin_option(&format!("listener_{one}"), "t1")
            .plugin_option(&format!("listener_{two}"), "t2");
        if version.is_2_0() {
            let failure = builder.start_expecting_failure().unwrap();
            assert!(failure.log.contains("2.1"), "{}", failure.log);
            return;
        }
        let broker = builder.start().unwrap();
        let made = cli.json(&["credential", "create", "dev", "--tenant", "t2"]);
        let login = countersign_tests::Login::from(&made);
        assert_eq!(login.connect("a").code(two), ACCEPTED);
        assert_eq!(login.connect("a").code(one), REFUSED);
        assert_eq!(Connect::v311("b").code(one), REFUSED);
        let mut anonymous = Connect::v311("b").accepted(two);
        assert_eq!(anonymous.subscribe(&[("t2/#", 0), ("t1/#", 0)]).unwrap(), [0, 0x80]);
        wait_until("the listener is listed", || {
            let listed = cli.json(&["clients", "list"]);
            listed.as_array().unwrap().iter().any(|client| client["listener"] == two)
        });
        drop(broker);
    }

    fn reloading_keeps_every_session_and_asks_for_nothing(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("t1", &[]);
        fixture.tenant("open", &["--authentication", "off"]);
        let generated = fixture.credential("dev1", "t1");
        let chosen = fixture.credential_with_password("dev2", "t1", "a chosen password");
        let mut clients = [
            generated.connect("generated").accepted(fixture.port()),
            chosen.connect("chosen").accepted(fixture.port()),
            chosen.connect_v5("chosen-v5").accepted(fixture.port()),
            Connect::v311("anonymous").accepted(fixture.port()),
            Connect::v311("wrong").login("x@open", "wrong").accepted(fixture.port()),
        ];
        for round in 0..3 {
            let mark = fixture.broker.log_mark();
            fixture.broker.reload().unwrap();
            fixture.broker.wait_for_log_since(mark, "Reloading config", PATIENCE).unwrap();
            for (index, client) in clients.iter_mut().enumerate() {
                assert!(client.ping(PATIENCE).is_ok(), "client {index} in round {round}: {}", fixture.broker.log());
            }
        }
        assert_eq!(clients[0].subscribe(&[("t1/#", 0)]).unwrap(), [0]);
        fixture.act("suspend", &generated);
        assert!(is_kicked(&mut clients[0]));
    }

    fn a_panic_in_a_callback_refuses_and_leaves_the_broker_running(version) {
        let folder = tempfile::tempdir().unwrap();
        let switch = folder.path().join("panic");
        let cli = Cli::new(folder.path().join("countersign.db"));
        cli.json(&["init"]);
        cli.json(&["tenant", "create", "t1"]);
        let login = countersign_tests::Login::from(&cli.json(&["credential", "create", "dev", "--tenant", "t1"]));
        let broker = Broker::builder(version)
            .env("COUNTERSIGN_TEST_PANIC", switch.to_str().unwrap())
            .plugin(artifacts::plugin_with_test_hooks().unwrap())
            .plugin_option("store", cli.store().display())
            .start()
            .unwrap();
        let mut bystander = login.connect_v5("bystander").accepted(broker.port());
        assert_eq!(bystander.subscribe(&[("t1/#", 0)]).unwrap(), [0]);

        std::fs::write(&switch, "basic-auth").unwrap();
        assert_eq!(login.connect("a").code(broker.port()), REFUSED);
        std::fs::write(&switch, "acl-check").unwrap();
        assert_eq!(bystander.publish("t1/x", b"x", 1, false).unwrap(), 0x87);
        assert_eq!(bystander.subscribe(&[("t1/y", 0)]).unwrap(), [0x87]);
        for event in ["tick", "disconnect"] {
            std::fs::write(&switch, event).unwrap();
            let mut short = login.connect("short").accepted(broker.port());
            short.disconnect().unwrap();
            bystander.ping(PATIENCE).unwrap();
        }
        std::fs::write(&switch, "reload").unwrap();
        broker.reload().unwrap();
        bystander.ping(PATIENCE).unwrap();
        std::fs::remove_file(&switch).unwrap();
        assert_eq!(login.connect("a").code(broker.port()), ACCEPTED);
        bystander.publish("t1/x", b"x", 1, false).unwrap();
        assert_eq!(topics(&mut bystander), ["t1/x"]);
    }

    fn the_broker_runs_as_a_daemon_under_its_own_user(version) {
        let folder = tempfile::Builder::new().prefix("countersign-daemon-").tempdir().unwrap();
        // The store's folder, as `init --owner` makes it.
        let home = folder.path().join("store");
        let cli = Cli::new(home.join("countersign.db"));
        cli.json(&["init", "--owner", "mosquitto"]);
        cli.json(&["tenant", "create", "t1"]);
        let login = countersign_tests::Login::from(&cli.json(&["credential", "create", "dev", "--tenant", "t1"]));
        // Everybody may enter the folder above it.
        Command::new("chmod").arg("755").arg(folder.path()).status().unwrap();
        let broker = Broker::builder(version)
            .user("mosquitto")
            .plugin(artifacts::plugin().unwrap())
            .plugin_option("store", cli.store().display())
            .start()
            .unwrap();
        assert_eq!(login.connect("a").code(broker.port()), ACCEPTED);
        // Root looks while the broker runs, and leaves nothing behind that
        // its user can't use.
        assert_eq!(cli.json(&["credential", "show", "dev@t1"])["state"], "Active");
        let owner = std::fs::metadata(cli.store()).unwrap().uid();
        for file in std::fs::read_dir(&home).unwrap() {
            let file = file.unwrap();
            let facts = file.metadata().unwrap();
            assert_eq!(facts.uid(), owner, "{:?}", file.path());
            assert_eq!(facts.mode() & 0o077, 0, "{:?}", file.path());
        }
        assert_eq!(login.connect("a").code(broker.port()), ACCEPTED);
    }

    fn the_broker_stops_cleanly_and_leaves_nobody_listed(version) {
        let mut fixture = Fixture::start(version);
        fixture.tenant("t1", &[]);
        let login = fixture.credential("dev", "t1");
        let _client = login.connect("a").accepted(fixture.port());
        fixture.wait_for_clients(&["a"]);
        assert!(fixture.broker.stop().unwrap().success());
        assert_eq!(fixture.cli.json(&["clients", "list"]), serde_json::json!([]));
        assert_eq!(fixture.cli.json(&["clients", "count"])["connected"], 0);
    }

    fn queued_messages_of_a_stored_session_survive_a_restart(version) {
        let mut fixture = Fixture::start_with(version, countersign_testkit::broker::Builder::persistent);
        fixture.tenant("t1", &[]);
        let sender = fixture.credential("sender", "t1");
        let receiver = fixture.credential("receiver", "t1");
        let mut client = receiver.connect("receiver").stored().accepted(fixture.port());
        assert_eq!(client.subscribe(&[("t1/#", 1)]).unwrap(), [1]);
        client.disconnect().unwrap();
        let mut publisher = sender.connect("sender").accepted(fixture.port());
        publisher.publish("t1/before", b"x", 1, true).unwrap();
        // The record of the stored session is at most a second behind.
        std::thread::sleep(Duration::from_millis(1_000));
        fixture.broker.restart().unwrap();
        let mut publisher = sender.connect("sender").accepted(fixture.port());
        publisher.publish("t1/after", b"x", 1, false).unwrap();
        let (mut client, connack) = receiver.connect("receiver").stored().connect(fixture.port()).unwrap();
        assert!(connack.session_present);
        assert_eq!(topics(&mut client), ["t1/before", "t1/after"]);
        // What was retained before the restart is delivered after it.
        assert_eq!(client.subscribe(&[("t1/before", 1)]).unwrap(), [1]);
        assert_eq!(topics(&mut client), ["t1/before"]);
    }

    fn a_client_is_kicked_by_hand(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("t1", &[]);
        let login = fixture.credential("dev", "t1");
        let mut client = login.connect("a").accepted(fixture.port());
        let mut other = login.connect("b").accepted(fixture.port());
        fixture.cli.json(&["clients", "kick", "a"]);
        assert!(is_kicked(&mut client));
        other.ping(PATIENCE).unwrap();
        let complaint = fixture.cli.refused(&["clients", "kick", "nobody"]);
        assert!(complaint.contains("nobody"), "{complaint}");
    }

    fn a_refusal_is_one_line_in_the_log_and_shows_in_the_audit(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("t1", &[]);
        let login = fixture.credential("dev", "t1");
        for _ in 0..3 {
            assert_eq!(fixture.code(&login.with_secret("wrong-secret")), REFUSED);
        }
        let line = fixture.broker.wait_for_log("`dev@t1` client ", PATIENCE).unwrap();
        assert!(line.contains("127.0.0.1") && line.contains("bad-secret"), "{line}");
        wait_until("the audit shows the refusals, summed", || {
            let audit = fixture.cli.json(&["audit", "list", "--name", "dev@t1"]);
            let counted: i64 = audit
                .as_array()
                .unwrap()
                .iter()
                .filter(|row| row["cause"] == "bad-secret" && row["outcome"] == "refused")
                .filter_map(|row| row["count"].as_i64())
                .sum();
            counted == 3
        });
    }

    fn tools_of_every_kind_connect_with_an_id_of_the_brokers_own(version) {
        let fixture = Fixture::start_with_tenant(version);
        let login = fixture.credential("dev", "t1");
        let output = Tool::mosquitto("mosquitto_pub", fixture.port())
            .args(["-u", &login.username, "-P", &login.secret, "-t", "kp1/x", "-m", "x", "-q", "1"])
            .run(PATIENCE)
            .unwrap();
        assert_eq!(output.code, Some(0), "{output:?}");
        assert_eq!(login.connect("").code(fixture.port()), ACCEPTED);
    }
}
