//! `cargo xtask setup`: what building, testing and trying Countersign needs.
//!
//! Every step looks first and does only what is missing, so a second run is
//! quick and an interrupted one is made good by the next.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};
use countersign_testkit::Version;

use crate::command::{as_root, cache, cargo, run};
use crate::{apt, brokers, node, python, rabbitmq, rmqtt};

/// What a build and the demo need.
const PACKAGES: &[&str] = &["gcc", "libc6-dev", "mosquitto", "mosquitto-clients"];

/// What other brokers than the host's need besides.
const BROKER_PACKAGES: &[&str] = &[
    "debian-archive-keyring",
    // Mosquitto 2.0.21 is linked against it and 2.0.11 is not.
    "libwebsockets17",
];

/// What making packages needs besides.
const PACKAGING_PACKAGES: &[&str] = &["dpkg-dev"];

/// What the tests need besides.
const TEST_PACKAGES: &[&str] = &[
    // It reads what `packaging/apparmor` has.
    "apparmor",
    // RabbitMQ reads whom it trusts, even where it trusts nobody.
    "ca-certificates",
    // It looks at the console, with letters to see.
    "chromium-headless-shell",
    "fonts-dejavu-core",
    // A Debian to install packages in.
    "debootstrap",
    "iproute2",
    // `fail2ban-regex` reads a broker's log.
    "fail2ban",
    "openssl",
    // It asks the service, as its page says.
    "curl",
    // A store that several services share.
    "postgresql",
    // `promtool` reads what `examples/monitoring` has.
    "prometheus",
    // For `tests/python`.
    "python3-venv",
    // They read manual pages and complete lines.
    "fish",
    "man-db",
    // For programs in C and C++ against libcountersign.
    "clang",
    "g++",
    "libclang-rt-14-dev",
    "pkg-config",
    "valgrind",
];

/// Those that are services of their own.
const SERVICES: &[&str] = &["mosquitto", "postgresql", "prometheus"];

/// What writing the bindings needs besides.
const CODEGEN_PACKAGES: &[&str] = &["libclang-dev", "libmosquitto-dev", "mosquitto-dev"];

/// The version whose verdicts `deny.toml` is written for.
const CARGO_DENY: &str = "0.20.2";

/// The version that `cargo xtask docs` makes a book with.
const MDBOOK: &str = "0.5.4";

/// Installs everything.
pub fn everything() -> Result<()> {
    let start = Instant::now();
    let _alone = lock()?;
    let mut wanted = [PACKAGES, BROKER_PACKAGES, PACKAGING_PACKAGES, TEST_PACKAGES].concat();
    if env::var_os("CI").is_some() {
        wanted.extend(CODEGEN_PACKAGES);
    }
    if !node::is_there() {
        wanted.extend(node::PACKAGES);
    }
    packages(&wanted)?;
    brokers::install(&cache()?, &Version::ALL)?;
    rabbitmq::install(&cache()?)?;
    cargo_deny()?;
    python::environment()?;
    node::environment()?;
    println!("setup done in {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// Installs rmqtt.
pub fn rmqtt() -> Result<()> {
    let _alone = lock()?;
    // What its crates are linked with.
    packages(&["libssl-dev"])?;
    rmqtt::install(&cache()?)
}

/// Installs what a build and these brokers need, and no more.
pub fn for_brokers(versions: &[Version]) -> Result<()> {
    let _alone = lock()?;
    let mut wanted = PACKAGES.to_vec();
    if versions.iter().any(|version| *version != Version::V2_0_11) {
        wanted.extend(BROKER_PACKAGES);
    }
    packages(&wanted)?;
    brokers::install(&cache()?, versions)
}

/// Installs what `cargo xtask codegen` needs.
pub fn for_codegen() -> Result<()> {
    let _alone = lock()?;
    packages(CODEGEN_PACKAGES)
}

/// Installs what `cargo xtask package` needs.
pub fn for_packages() -> Result<()> {
    let _alone = lock()?;
    packages(&[PACKAGES, PACKAGING_PACKAGES].concat())
}

/// Whether `cargo xtask codegen` would have nothing to install.
pub fn is_ready_for_codegen() -> bool {
    apt::missing(CODEGEN_PACKAGES).is_ok_and(|missing| missing.is_empty())
}

/// mdBook, which nothing but the book needs.
pub fn mdbook() -> Result<PathBuf> {
    let _alone = lock()?;
    tool(
        "mdbook",
        MDBOOK,
        &["--no-default-features", "--features", "search"],
    )
}

/// Where `setup` puts `cargo-deny`.
pub fn cargo_deny_path() -> Result<PathBuf> {
    Ok(cache()?.join("tools/bin/cargo-deny"))
}

fn packages(wanted: &[&'static str]) -> Result<()> {
    let missing = apt::missing(wanted)?;
    if missing.is_empty() {
        println!("packages: all {} installed", wanted.len());
        return Ok(());
    }
    println!("packages: installing {}", missing.join(", "));
    apt::install(&missing)?;
    let services = SERVICES.iter().filter(|name| missing.contains(name));
    for name in services.filter(|_| Path::new("/usr/bin/systemctl").exists()) {
        // Its package enables the service for the next boot; nobody asked for that.
        println!("packages: {name}.service is installed, not started and not enabled");
        run(as_root("systemctl").args(["--quiet", "disable", &format!("{name}.service")]))?;
    }
    Ok(())
}

fn cargo_deny() -> Result<()> {
    tool("cargo-deny", CARGO_DENY, &[]).map(drop)
}

/// Builds a tool of crates.io once, and says where it is.
fn tool(name: &str, version: &str, options: &[&str]) -> Result<PathBuf> {
    let path = cache()?.join("tools/bin").join(name);
    let said = Command::new(&path).arg("--version").output();
    // mdBook says `v` before its version.
    let is_current = said.is_ok_and(|output| {
        let said = String::from_utf8_lossy(&output.stdout);
        let mut words = said.trim().split([' ', 'v']);
        words.next_back() == Some(version)
    });
    if is_current {
        println!("tools: {name} {version}");
        return Ok(path);
    }
    println!("tools: building {name} {version}, once; this takes a minute or more");
    let mut install = cargo();
    // Unoptimised it is built in a fraction of the time, and still quick enough.
    install.args(["install", "--debug", "--quiet", "--locked", "--force"]);
    install.args(["--version", version, name]).args(options);
    install.arg("--root").arg(cache()?.join("tools"));
    install.env("CARGO_PROFILE_DEV_DEBUG", "0");
    // The tool's own build is no part of the workspace's.
    install
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("RUSTFLAGS");
    run(&mut install)?;
    Ok(path)
}

/// Waits until no other setup works on the same cache.
pub fn lock() -> Result<File> {
    let cache = cache()?;
    fs::create_dir_all(&cache)
        .with_context(|| format!("cannot make the cache {}", cache.display()))?;
    let file = File::create(cache.join("setup.lock"))?;
    file.lock().context("cannot lock the cache")?;
    Ok(file)
}
