//! Whom a broker serves besides: its own bridges, other listeners, and clients
//! of certificates that no credential stands for.

use countersign_testkit::broker::Builder;
use countersign_testkit::{Broker, Cli, Connect, Version, artifacts};
use countersign_tests::{
    ACCEPTED, Login, PATIENCE, REFUSED, Site, is_kicked, on_every_broker, topics_so_far, wait_until,
};

/// A broker with a bridge to another, and the other.
fn bridged(version: Version) -> (Site, Broker) {
    let cloud = Broker::builder(version)
        .line("allow_anonymous true")
        .start()
        .unwrap();
    let site = Site::start_with(version, |builder| {
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
    (site, cloud)
}

on_every_broker! {
    fn the_id_of_the_brokers_own_bridge_is_nobody_elses(version) {
        let (mut site, cloud) = bridged(version);
        site.tenant("acme", &[]);
        let login = site.credential("dev", "acme");
        let mut observer = Connect::v311("observer").accepted(cloud.port());
        assert_eq!(observer.subscribe(&[("acme/#", 0)]).unwrap(), [0]);
        let mut device = login.connect("device").accepted(site.port());
        let mut is_bridged = || {
            device.publish("acme/up", "1", 1, false).unwrap();
            !topics_so_far(&mut observer).is_empty()
        };
        wait_until("the bridge is up", &mut is_bridged);
        for _ in 0..2 {
            site.broker.reload().unwrap();
            let mut others = login.connect("others").accepted(site.port());
            for id in ["local.edge9", "local.edge9"] {
                assert_eq!(login.connect(id).code(site.port()), REFUSED);
                assert_eq!(login.connect_v5(id).code(site.port()), Some(0x87));
            }
            assert!(others.is_alive());
            wait_until("the bridge is up still", &mut is_bridged);
        }
        let line = site.broker.wait_for_log("`dev@acme` client `local.edge9`", PATIENCE).unwrap();
        assert!(line.contains("client-id-owned"), "{line}");
        assert!(site.broker.is_running());
    }

    fn a_tenant_with_the_prefix_of_bridges_may_have_their_ids_where_none_is(version) {
        let site = Site::start(version);
        site.tenant("bridges", &["--client-id-prefix", "local."]);
        let login = site.credential("dev", "bridges");
        assert_eq!(login.connect("local.x").code(site.port()), ACCEPTED);
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
        let site = Site::start(version);
        let store = site.cli.store().display().to_string();
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

const COMMANDS: &str = "$CONTROL/countersign/v1/session";
