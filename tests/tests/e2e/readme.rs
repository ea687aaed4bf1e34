//! README's five minutes, on Debian's mosquitto.conf and a real broker: each
//! file of examples/mosquitto goes into conf.d as it stands, but for paths and
//! ports.

use std::fs;
use std::path::PathBuf;

use countersign_testkit::artifacts::{self, workspace};
use countersign_testkit::tools::Tool;
use countersign_testkit::{Broker, Cli, Connect, Version};
use countersign_tests::{ACCEPTED, PATIENCE, REFUSED, on_every_broker, text};

/// Debian's file, as mosquitto 2.0.11-1.2+deb12u2 installs it.
const DEBIAN: &str = "\
# Place your local configuration in /etc/mosquitto/conf.d/
#
# A full description of the configuration file is at
# /usr/share/doc/mosquitto/examples/mosquitto.conf.example

pid_file /run/mosquitto/mosquitto.pid

persistence true
persistence_location /var/lib/mosquitto/

log_dest file /var/log/mosquitto/mosquitto.log

include_dir /etc/mosquitto/conf.d
";

fn examples() -> Vec<PathBuf> {
    let folder = fs::read_dir(workspace().join("examples/mosquitto")).unwrap();
    let files: Vec<_> = folder.map(|file| file.unwrap().path()).collect();
    assert!(files.len() >= 3);
    files
}

on_every_broker! {
    fn each_example_guards_the_listener_that_is_there(version) {
        for example in examples() {
            let written = fs::read_to_string(&example).unwrap();
            let needs_2_1 = written.contains("plugin_opt_listener_");
            if needs_2_1 && version != Version::V2_1 {
                continue;
            }
            follow(version, &written);
        }
    }
}

fn follow(version: Version, example: &str) {
    let builder = Broker::builder(version).listener().listener();
    let folder = builder.dir().to_owned();
    let at = |name: &str| folder.join(name).display().to_string();
    for name in ["conf.d", "run", "lib", "log"] {
        fs::create_dir(folder.join(name)).unwrap();
    }
    let cli = Cli::new(folder.join("countersign.db"));
    cli.json(&["init"]);
    cli.json(&["tenant", "create", "acme"]);
    cli.json(&["tenant", "create", "globex"]);
    let made = cli.json(&["credential", "create", "dev1", "--tenant", "acme"]);
    let example = example
        .replace(
            "/usr/lib/countersign/libmosquitto_countersign.so",
            artifacts::plugin().unwrap().to_str().unwrap(),
        )
        .replace("/var/lib/countersign/countersign.db", &at("countersign.db"))
        .replace("1884", &builder.port_of(1).to_string())
        .replace("1885", &builder.port_of(2).to_string());
    fs::write(folder.join("conf.d/countersign.conf"), example).unwrap();
    // A listener of the reader's own, as most brokers have one.
    let debian = DEBIAN
        .replace("/run/mosquitto", &at("run"))
        .replace("/var/lib/mosquitto", &at("lib"))
        .replace("/var/log/mosquitto", &at("log"))
        .replace("/etc/mosquitto/conf.d", &at("conf.d"));
    let port = builder.port();
    let builder = builder.whole(format!("listener {port} 127.0.0.1\n{debian}"));
    let config = folder.join("mosquitto.conf");
    fs::write(&config, builder.config()).unwrap();
    let ran = cli.run(&["doctor", "--config", config.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let broker = builder.start().unwrap();
    let secret = text(&made, "secret");
    let published = Tool::mosquitto("mosquitto_pub", port)
        .args(["-u", "dev1@acme", "-P", &secret])
        .args(["-t", "acme/hello", "-m", "hi"])
        .run(PATIENCE)
        .unwrap();
    assert_eq!(published.code, Some(0), "{published:?}");
    let code = |secret: &str| Connect::v311("c").login("dev1@acme", secret).code(port);
    assert_eq!((code(&secret), code("wrong")), (ACCEPTED, REFUSED));
    cli.json(&["credential", "suspend", "dev1@acme"]);
    assert_eq!(code(&secret), REFUSED);
    drop(broker);
}
