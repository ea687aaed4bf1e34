//! A real RabbitMQ in a folder and on ports of its own, none of which is reached from
//! another machine.

use std::env;
use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::artifacts;
use crate::broker::Port;
use crate::broker::process::Process;
use crate::tools::POLL;

/// A RabbitMQ with MQTT, AMQP and the management plugin, killed when dropped.
///
/// It has its ports before it starts, so that its configuration may be made of them.
#[derive(Debug)]
pub struct RabbitMq {
    // Dropped in this order: it ends before its folder does.
    server: Option<Process>,
    /// Where it looks up other nodes, of which there are none: `epmd`.
    names: Option<Process>,
    amqp: Port,
    management: Port,
    mqtt: Port,
    /// Where nodes of a cluster would talk, and where they would look each other up.
    inside: [Port; 2],
    dir: TempDir,
}

impl RabbitMq {
    /// One that does not run yet.
    pub fn new() -> Result<Self> {
        Ok(Self {
            server: None,
            names: None,
            amqp: Port::reserve(),
            management: Port::reserve(),
            mqtt: Port::reserve(),
            inside: [Port::reserve(), Port::reserve()],
            dir: tempfile::Builder::new()
                .prefix("countersign-rabbitmq-")
                .tempdir()?,
        })
    }

    /// The port of MQTT.
    pub fn port(&self) -> u16 {
        self.mqtt.number()
    }

    /// The port of AMQP.
    pub fn amqp_port(&self) -> u16 {
        self.amqp.number()
    }

    /// The port of the management plugin, which speaks HTTP.
    pub fn management_port(&self) -> u16 {
        self.management.number()
    }

    /// Starts it with these lines in `rabbitmq.conf`, and waits until it takes
    /// connections.
    pub fn start(&mut self, config: &str) -> Result<()> {
        let root = artifacts::rabbitmq()?;
        let dir = self.dir.path().to_path_buf();
        let Self {
            amqp,
            management,
            mqtt,
            ..
        } = self;
        let config = format!(
            "{config}\n\
             listeners.tcp.1 = 127.0.0.1:{}\n\
             mqtt.listeners.tcp.1 = 127.0.0.1:{}\n\
             management.tcp.ip = 127.0.0.1\n\
             management.tcp.port = {}\n\
             log.console = true\n\
             log.file = false\n",
            amqp.number(),
            mqtt.number(),
            management.number()
        );
        fs::write(dir.join("rabbitmq.conf"), config)?;
        fs::write(dir.join("enabled_plugins"), PLUGINS)?;
        let env = self.env(&root);
        let process = |program: &Path, log: &str| -> Result<Process> {
            let program = program.to_string_lossy().into_owned();
            let log = dir.join(log);
            let mut process = Process::new(program, Vec::new(), env.clone(), log, false);
            process.spawn()?;
            Ok(process)
        };
        let erlang = only_entry(&root.join("usr/lib/erlang"), "erts-")?;
        let rabbit = only_entry(&root.join("usr/lib/rabbitmq/lib"), "rabbitmq_server-")?;
        self.names = Some(process(&erlang.join("bin/epmd"), "epmd.log")?);
        let [_, names] = &self.inside;
        let end = Instant::now() + PATIENCE;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, names.number())).is_err() {
            ensure!(Instant::now() < end, "epmd does not listen");
            thread::sleep(POLL);
        }
        let server = process(&rabbit.join("sbin/rabbitmq-server"), "rabbitmq.log")?;
        let server = self.server.insert(server);
        server.wait_for_log(0, "Server startup complete", PATIENCE)?;
        Ok(())
    }

    fn env(&self, root: &Path) -> Vec<(String, String)> {
        let dir = self.dir.path();
        let [distribution, names] = &self.inside;
        let path = env::var("PATH").unwrap_or_default();
        let at = |name: &str| dir.join(name).to_string_lossy().into_owned();
        let env = [
            ("PATH", format!("{}:{path}", root.display())),
            ("HOME", at("")),
            ("ERL_CRASH_DUMP", at("crash.dump")),
            ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
            ("ERL_EPMD_PORT", names.number().to_string()),
            ("RABBITMQ_NODENAME", "test@localhost".to_owned()),
            ("RABBITMQ_DIST_PORT", distribution.number().to_string()),
            ("RABBITMQ_CONF_ENV_FILE", "/dev/null".to_owned()),
            ("RABBITMQ_CONFIG_FILE", at("rabbitmq.conf")),
            ("RABBITMQ_ADVANCED_CONFIG_FILE", at("advanced.config")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", at("enabled_plugins")),
            ("RABBITMQ_MNESIA_BASE", at("data")),
            ("RABBITMQ_LOG_BASE", at("log")),
            ("RABBITMQ_SCHEMA_DIR", at("schema")),
            ("RABBITMQ_GENERATED_CONFIG_DIR", at("generated")),
            (
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}".to_owned(),
            ),
            // What keeps its script from staying as the parent of the server.
            ("RUNNING_UNDER_SYSTEMD", "true".to_owned()),
        ];
        let env = env.into_iter();
        env.map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// The entry of `folder` whose name begins like this.
fn only_entry(folder: &Path, begins: &str) -> Result<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(begins) {
            found.push(entry.path());
        }
    }
    ensure!(found.len() == 1, "{}: {found:?}", folder.display());
    Ok(found.remove(0))
}

const PLUGINS: &str = "[rabbitmq_mqtt,rabbitmq_auth_backend_http,rabbitmq_management].";

/// A start takes ten seconds, or some more on a machine with other work.
const PATIENCE: Duration = Duration::from_secs(120);
