//! Whom a broker serves besides: its own bridges, other listeners, and clients
//! of certificates that no credential stands for.

use countersign_testkit::broker::Builder;
use countersign_testkit::tools::Tool;
use countersign_testkit::{Broker, Cli, Connect, Version, artifacts};
use countersign_tests::authority::Authority;
use countersign_tests::{
    ACCEPTED, Fixture, Login, PATIENCE, QUIET, REFUSED, is_kicked, on_every_broker, topics_so_far,
    wait_until,
};

use crate::tls::{start_vouching, start_with_keys, tls};

/// A broker with a bridge to another, and the other.
pub(crate) fn bridged(version: Version) -> (Fixture, Broker) {
    let cloud = Broker::builder(version)
        .line("allow_anonymous true")
        .start()
        .unwrap();
    let fixture = Fixture::start_with(version, |builder| {
        [
            "connection cloud".to_owned(),
            format!("address 127.0.0.1:{}", cloud.port()),
            "remote_clientid edge9".into(),
            "topic # out 1".into(),
            "restart_timeout 1".into(),
        ]
        .into_iter()
        .fold(builder, Builder::listener_line)
    });
    (fixture, cloud)
}

on_every_broker! {
    fn the_id_of_the_brokers_own_bridge_is_nobody_elses(version) {
        let (mut fixture, cloud) = bridged(version);
        fixture.tenant("acme", &[]);
        let login = fixture.credential("dev", "acme");
        let mut observer = Connect::v311("observer").accepted(cloud.port());
        assert_eq!(observer.subscribe(&[("acme/#", 0)]).unwrap(), [0]);
        let mut device = login.connect("device").accepted(fixture.port());
        let mut is_bridged = || {
            device.publish("acme/up", "1", 1, false).unwrap();
            !topics_so_far(&mut observer).is_empty()
        };
        wait_until("the bridge is up", &mut is_bridged);
        for _ in 0..2 {
            fixture.broker.reload().unwrap();
            let mut others = login.connect("others").accepted(fixture.port());
            for id in ["local.edge9", "local.edge9"] {
                assert_eq!(login.connect(id).code(fixture.port()), REFUSED);
                assert_eq!(login.connect_v5(id).code(fixture.port()), Some(0x87));
            }
            assert!(others.is_alive());
            wait_until("the bridge is up still", &mut is_bridged);
        }
        let line = fixture.broker.wait_for_log("`dev@acme` client `local.edge9`", PATIENCE).unwrap();
        assert!(line.contains("client-id-owned"), "{line}");
        assert!(fixture.broker.is_running());
    }

    fn a_tenant_with_the_prefix_of_bridges_may_have_their_ids_where_none_is(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("bridges", &["--client-id-prefix", "local."]);
        let login = fixture.credential("dev", "bridges");
        assert_eq!(login.connect("local.x").code(fixture.port()), ACCEPTED);
    }

    fn a_bridge_that_logs_in_reports_its_state_where_a_rule_lets_it(version) {
        let fixture = Fixture::start(version);
        let state = "$SYS/broker/connection/${client_id}/state";
        let told = fixture.operator("told", &["--publish", state, "--publish", "#"]);
        let untold = fixture.operator("untold", &["--publish", "#"]);
        let mut observer = fixture.observer("$SYS/broker/connection/#");
        let mut edges = Vec::new();
        for (login, id) in [(&untold, "untold-9"), (&told, "told-9")] {
            let lines = [
                "connection site".to_owned(),
                format!("address 127.0.0.1:{}", fixture.port()),
                format!("remote_clientid {id}"),
                format!("remote_username {}", login.username),
                format!("remote_password {}", login.secret),
                "topic # out 1".into(),
                "restart_timeout 1".into(),
            ];
            let builder = Broker::builder(version).line("allow_anonymous true");
            edges.push(lines.into_iter().fold(builder, Builder::listener_line).start().unwrap());
        }
        fixture.wait_for_clients(&["observer", "told-9", "untold-9"]);
        let told = observer.receive(PATIENCE).unwrap();
        assert_eq!(told.topic, "$SYS/broker/connection/told-9/state");
        assert_eq!(told.payload, b"1");
        assert!(observer.receive_all(QUIET).iter().all(|it| it.topic == told.topic));
    }

    fn two_listeners_have_a_plugin_each(version) {
        if version == Version::V2_0_11 {
            // It does not tick there.
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let cli = Cli::new(folder.path().join("countersign.db"));
        cli.json(&["init"]);
        cli.json(&["tenant", "create", "acme"]);
        let login = Login::from(&cli.json(&["credential", "create", "dev", "--tenant", "acme"]));
        let store = cli.store().display().to_string();
        let broker = Broker::builder(version)
            .line("per_listener_settings true")
            .plugin(artifacts::plugin().unwrap())
            .plugin_option("store", &store)
            .plugin_option("broker", "one")
            .listener()
            .listener_line(format!("plugin {}", artifacts::plugin().unwrap().display()))
            .listener_line(format!("plugin_opt_store {store}"))
            .listener_line("plugin_opt_broker two")
            .start()
            .unwrap();
        let ports = [broker.port(), broker.port_of(1)];
        let mut clients = Vec::new();
        for (number, port) in ports.into_iter().enumerate() {
            let mut client = login.connect_v5(&format!("c{number}")).accepted(port);
            assert_eq!(client.subscribe(&[("acme/#", 0)]).unwrap(), [0]);
            client.publish(COMMANDS, r#"{"commands":[{"command":"session.info"}]}"#, 1, false).unwrap();
            let answer = client.receive(PATIENCE).unwrap();
            assert!(answer.topic.starts_with(COMMANDS), "{answer:?}");
            clients.push(client);
            assert_eq!(login.with_secret("wrong").connect("x").code(port), REFUSED);
        }
        // A device may change from one to the other.
        let mut moved = login.connect("moving").stored().accepted(ports[0]);
        let _moved = login.connect("moving").stored().accepted(ports[1]);
        assert!(moved.wait_closed(PATIENCE).is_some());
        cli.json(&["credential", "suspend", &login.username]);
        for client in &mut clients {
            assert!(is_kicked(client));
        }
    }

    fn a_plugin_that_is_loaded_twice_for_one_listener_says_what_to_do(version) {
        let fixture = Fixture::start(version);
        let store = fixture.cli.store().display().to_string();
        let failure = Broker::builder(version)
            .plugin(artifacts::plugin().unwrap())
            .plugin_option("store", &store)
            .plugin_option("broker", "another")
            .plugin(artifacts::plugin().unwrap())
            .plugin_option("store", &store)
            .plugin_option("broker", "another")
            .start_expecting_failure()
            .unwrap();
        let said = failure.log.lines().filter(|line| line.contains("Countersign: ") && !line.contains("Countersign: version"));
        let said: Vec<_> = said.collect();
        assert_eq!(said.len(), 1, "{failure}");
        assert!(said[0].contains("loaded twice") && said[0].contains("remove one"), "{failure}");
    }
}

on_every_broker! {
    fn a_certificate_that_no_credential_stands_for_is_ended_and_written_down(version) {
        let authority = Authority::new();
        let fixture = start_vouching(version, &authority);
        authority.sign("nobody@acme");
        let mut session = authority
            .certified("mosquitto_sub", tls(&fixture), "nobody@acme")
            .args(["-t", "acme/#"])
            .background()
            .unwrap();
        let line = fixture.broker.wait_for_log("unknown-name: `nobody@acme`", PATIENCE).unwrap();
        assert!(line.contains("127.0.0.1") && line.contains("`id of nobody@acme`"), "{line}");
        wait_until("the audit shows it", || {
            let audit = fixture.cli.json(&["audit", "list", "--name", "nobody@acme"]);
            let mut rows = audit.as_array().unwrap().iter();
            rows.any(|row| row["outcome"] == "refused" && row["cause"] == "unknown-name")
        });
        let _ended = session.is_running();
        session.kill().unwrap();
        fixture.wait_for_clients(&[]);
    }

    fn a_certificate_that_takes_a_live_devices_id_is_ended(version) {
        let authority = Authority::new();
        let fixture = start_vouching(version, &authority);
        authority.sign("nobody@acme");
        let login = fixture.credential("dev", "acme");
        for stored in [false, true] {
            let connect = login.connect("plc").clean(!stored);
            let mut device = connect.accepted(fixture.port());
            assert_eq!(device.subscribe(&[("acme/#", 1)]).unwrap(), [1]);
            let mark = fixture.broker.log_mark();
            // It says nothing but its CONNECT.
            let mut taker = Tool::new("openssl")
                .args(["s_client", "-quiet", "-connect", &format!("127.0.0.1:{}", tls(&fixture))])
                .args(["-CAfile", &authority.path("ca.crt"), "-cert", &authority.path("nobody@acme.crt")])
                .args(["-key", &authority.path("nobody@acme.key")])
                .stdin(Connect::v311("plc").clean(!stored).bytes())
                .background()
                .unwrap();
            assert!(device.wait_closed(PATIENCE).is_some());
            wait_until("the taker is gone", || !taker.is_running());
            fixture.broker.wait_for_log_since(mark, "unknown-name: `nobody@acme` client `plc`", PATIENCE).unwrap();
            let (mut device, connack) = connect.connect(fixture.port()).unwrap();
            assert_eq!((connack.code, connack.session_present), (0, stored));
            device.publish("acme/x", "x", 1, false).unwrap();
            // What it had subscribed to is its own still.
            let received = topics_so_far(&mut device);
            assert_eq!(received.len(), usize::from(stored), "{received:?}");
            device.disconnect().unwrap();
        }
    }

    fn a_pre_shared_key_vouches_for_marked_credentials_alone(version) {
        let fixture = start_with_keys(version);
        let mut observer = fixture.observer("acme/#");
        let publish = |identity: &str| {
            Tool::mosquitto("mosquitto_pub", tls(&fixture))
                .args(["--psk", "1234abcd", "--psk-identity", identity, "-V", "311", "-q", "1"])
                .args(["-t", &format!("acme/{identity}"), "-m", "x", "-i", identity])
                .run(PATIENCE)
                .unwrap()
        };
        let published = publish("dev@acme");
        assert_eq!(published.code, Some(0), "{published:?}");
        publish("nobody@acme");
        assert_eq!(topics_so_far(&mut observer), ["acme/dev@acme"]);
        if !version.is_2_0() {
            fixture.broker.wait_for_log("unknown-name: `nobody@acme` client", PATIENCE).unwrap();
        }
    }

    fn a_session_that_started_clean_and_is_stored_keeps_its_subscriptions(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("acme", &[]);
        fixture.tenant("open", &["--authentication", "off"]);
        let login = fixture.credential("dev", "acme");
        let mut sender = fixture.operator("sender", &["--publish", "#"]).connect("s").accepted(fixture.port());
        for (connect, topic) in [
            (login.connect_v5("named"), "acme/x"),
            (Connect::v5("nameless"), "open/x"),
        ] {
            let connect = connect.session_expiry(60);
            let mut client = connect.accepted(fixture.port());
            assert_eq!(client.subscribe(&[(topic, 1)]).unwrap(), [1]);
            client.abort();
            // The broker's loop goes round a few times.
            for _ in 0..5 {
                sender.ping(PATIENCE).unwrap();
                fixture.cli.json(&["clients", "count"]);
            }
            sender.publish(topic, "x", 1, false).unwrap();
            let (mut client, connack) = connect.clean(false).connect(fixture.port()).unwrap();
            assert!(connack.session_present);
            assert_eq!(client.receive(PATIENCE).unwrap().topic, topic);
        }
    }

    fn a_device_that_reconnects_is_taken_for_no_stranger(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("acme", &[]);
        let login = fixture.credential("dev", "acme");
        for clean in [true, false, true] {
            for connect in [login.connect("plc"), login.connect_v5("plc").session_expiry(60)] {
                let connect = connect.clean(clean);
                let mut first = connect.accepted(fixture.port());
                let mut second = connect.accepted(fixture.port());
                assert!(first.wait_closed(PATIENCE).is_some());
                assert!(second.is_alive());
                second.abort();
                let mut third = connect.accepted(fixture.port());
                assert!(third.is_alive());
                third.disconnect().unwrap();
            }
        }
        assert!(!fixture.our_lines().contains("took the id"), "{}", fixture.our_lines());
    }
}

const COMMANDS: &str = "$CONTROL/countersign/v1/session";
