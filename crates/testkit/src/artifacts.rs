//! Where the plugin, the program and the brokers are.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::broker::Version;

/// How to start one broker, as `cargo xtask setup` wrote it down.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct BrokerCommand {
    /// What the broker calls itself, such as `2.1.2`.
    pub version: String,
    /// The Debian package that it came from, such as `2.1.2-3`.
    pub package: String,
    /// Program and first arguments.
    pub command: Vec<String>,
    /// Variables to set.
    pub env: BTreeMap<String, String>,
}

/// The plugin as it is released: `COUNTERSIGN_PLUGIN`, else the last release
/// build.
pub fn plugin() -> Result<PathBuf> {
    existing("COUNTERSIGN_PLUGIN", "release/libmosquitto_countersign.so")
}

/// The plugin with the test switches: `COUNTERSIGN_PLUGIN_TEST_HOOKS`, else
/// what the last `cargo xtask test` put aside.
pub fn plugin_with_test_hooks() -> Result<PathBuf> {
    existing(
        "COUNTERSIGN_PLUGIN_TEST_HOOKS",
        "test-hooks/libmosquitto_countersign.so",
    )
}

/// The program `countersign`: `COUNTERSIGN_CLI`, else the last release build.
pub fn cli() -> Result<PathBuf> {
    existing("COUNTERSIGN_CLI", "release/countersign")
}

/// How to start each broker that is set up, by [`Version::name`].
pub type Manifest = BTreeMap<String, BrokerCommand>;

/// What `cargo xtask setup` wrote down.
pub fn brokers() -> Result<Manifest> {
    let path = cache()?.join("brokers.json");
    let setup = "run `cargo xtask setup`";
    let text = fs::read_to_string(&path)
        .with_context(|| format!("there is no {}: {setup}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is damaged: {setup}", path.display()))
}

/// The broker of this version.
pub fn broker(version: Version) -> Result<BrokerCommand> {
    let setup = "run `cargo xtask setup`";
    let broker = brokers()?
        .remove(version.name())
        .with_context(|| format!("Mosquitto {version} is not set up: {setup}"))?;
    for part in broker.command.iter().filter(|part| part.starts_with('/')) {
        ensure!(
            Path::new(part).exists(),
            "Mosquitto {version} is gone from {part}: {setup}"
        );
    }
    Ok(broker)
}

/// The root of this repository.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
}

fn existing(variable: &str, in_target: &str) -> Result<PathBuf> {
    let path = match env::var_os(variable) {
        Some(path) => PathBuf::from(path),
        None => {
            let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
            workspace().join(target).join(in_target)
        }
    };
    ensure!(
        path.is_file(),
        "there is no {}: run `cargo xtask test --only e2e`, or set {variable}",
        path.display()
    );
    Ok(path)
}

/// A program of the tests' Python environment.
pub fn python(program: &str) -> Result<PathBuf> {
    of_setup(&format!("python/bin/{program}"), Path::is_file)
}

/// The folder with what the tests need of npm.
pub fn node() -> Result<PathBuf> {
    of_setup("node", |path| path.join("node_modules").is_dir())
}

/// The folder that RabbitMQ is unpacked in.
pub fn rabbitmq() -> Result<PathBuf> {
    of_setup("brokers/rabbitmq", Path::is_dir)
}

/// rmqtt with its plugin that asks hooks, as a program.
pub fn rmqtt() -> Result<PathBuf> {
    let path = cache()?.join("brokers/rmqtt/countersign-rmqtt");
    ensure!(
        path.is_file(),
        "there is no {}: run `cargo xtask test --only rmqtt`",
        path.display()
    );
    Ok(path)
}

/// What `cargo xtask setup` puts into the cache.
fn of_setup(path: &str, is_there: impl FnOnce(&Path) -> bool) -> Result<PathBuf> {
    let path = cache()?.join(path);
    let missing = || format!("there is no {}: run `cargo xtask setup`", path.display());
    ensure!(is_there(&path), missing());
    Ok(path)
}

/// The folder of Debian's PostgreSQL, the newest where there are several.
pub fn postgres() -> Result<PathBuf> {
    let version = |folder: &PathBuf| -> u32 {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        name.parse().unwrap_or(0)
    };
    let folders = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let folders = folders.flatten().map(|entry| entry.path().join("bin"));
    folders
        .filter(|folder| folder.join("initdb").exists())
        .max_by_key(|folder| version(&folder.parent().unwrap_or(folder).to_owned()))
        .context("there is no PostgreSQL: run `cargo xtask setup`")
}

/// The folder that `cargo xtask setup` keeps brokers and tools in.
pub fn cache() -> Result<PathBuf> {
    let set = |name| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    if let Some(cache) = set("COUNTERSIGN_CACHE") {
        ensure!(
            cache.is_absolute(),
            "COUNTERSIGN_CACHE must be an absolute path"
        );
        return Ok(cache);
    }
    set("XDG_CACHE_HOME")
        .map(|folder| folder.join("countersign"))
        .or_else(|| Some(set("HOME")?.join(".cache/countersign")))
        .context("set COUNTERSIGN_CACHE or HOME")
}
