//! The configurations under `examples/mosquitto` are loaded as they stand but
//! for their paths and ports.

use std::collections::BTreeMap;

use countersign_testkit::{Broker, Cli, Connect, Version, artifacts};
use countersign_tests::{ACCEPTED, Login, REFUSED};

/// A sample's lines, and the ports it names.
fn sample(name: &str) -> (Vec<String>, Vec<u16>) {
    let path = artifacts::workspace().join("examples/mosquitto").join(name);
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<String> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    let ports = lines
        .iter()
        .filter_map(|line| line.strip_prefix("listener ")?.parse().ok())
        .collect();
    (lines, ports)
}

/// Starts a broker on a sample, with this machine's plugin, store and ports.
fn start(version: Version, name: &str, cli: &Cli) -> (Broker, BTreeMap<u16, u16>) {
    let (lines, written) = sample(name);
    let mut builder = Broker::builder(version);
    for _ in written.iter().skip(1) {
        builder = builder.listener();
    }
    let ports: BTreeMap<u16, u16> = written
        .iter()
        .enumerate()
        .map(|(index, port)| (*port, builder.port_of(index)))
        .collect();
    for line in lines.iter().filter(|line| !line.starts_with("listener ")) {
        builder = match line.split_once(' ') {
            Some(("plugin", path)) => {
                assert!(path.ends_with("/libmosquitto_countersign.so"), "{path}");
                builder.plugin(artifacts::plugin().unwrap())
            }
            Some(("plugin_opt_store", _)) => builder.plugin_option("store", cli.store().display()),
            Some((key, value)) if key.starts_with("plugin_opt_listener_") => {
                let port: u16 = key
                    .trim_start_matches("plugin_opt_listener_")
                    .parse()
                    .unwrap();
                builder.plugin_option(&format!("listener_{}", ports[&port]), value)
            }
            Some((key, value)) if key.starts_with("plugin_opt_") => {
                builder.plugin_option(key.trim_start_matches("plugin_opt_"), value)
            }
            _ => builder.line(line),
        };
    }
    (builder.start().unwrap(), ports)
}

fn store() -> (tempfile::TempDir, Cli, Login) {
    let folder = tempfile::tempdir().unwrap();
    let cli = Cli::new(folder.path().join("countersign.db"));
    cli.json(&["init"]);
    cli.json(&["tenant", "create", "acme"]);
    cli.json(&["tenant", "create", "globex"]);
    let login = Login::from(&cli.json(&["credential", "create", "dev1", "--tenant", "acme"]));
    (folder, cli, login)
}

#[test]
fn the_plain_sample_works_on_every_broker() {
    for version in Version::ALL {
        let (_folder, cli, login) = store();
        let (broker, _) = start(version, "countersign.conf", &cli);
        assert_eq!(
            login.connect("a").code(broker.port()),
            ACCEPTED,
            "{version}"
        );
        assert_eq!(Connect::v311("a").code(broker.port()), REFUSED, "{version}");
    }
}

#[test]
fn the_open_tenants_sample_works_on_every_broker() {
    for version in Version::ALL {
        let (_folder, cli, login) = store();
        cli.json(&["tenant", "set", "acme", "--authentication", "off"]);
        let (broker, _) = start(version, "open-tenant.conf", &cli);
        assert_eq!(
            login.connect("a").code(broker.port()),
            ACCEPTED,
            "{version}"
        );
        let mut anonymous = Connect::v311("b").accepted(broker.port());
        assert_eq!(
            anonymous
                .subscribe(&[("acme/#", 0), ("globex/#", 0)])
                .unwrap(),
            [0, 0x80],
            "{version}"
        );
    }
}

#[test]
fn the_sample_with_a_tenant_per_listener_works_where_the_host_tells_the_port() {
    let (_folder, cli, login) = store();
    let (_broker, ports) = start(Version::V2_1, "tenant-per-listener.conf", &cli);
    assert_eq!(login.connect("a").code(ports[&1884]), ACCEPTED);
    assert_eq!(login.connect("a").code(ports[&1885]), REFUSED);
}
