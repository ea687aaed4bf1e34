//! Running other programs, and the two folders they work in.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use countersign_testkit::broker::we_are_root;

pub use countersign_testkit::artifacts::{cache, workspace};

/// The version of everything in the workspace.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What cargo says of the workspace.
fn metadata() -> Result<serde_json::Value> {
    let mut metadata = cargo();
    metadata.args(["metadata", "--format-version=1", "--no-deps", "--offline"]);
    Ok(serde_json::from_str(&read(&mut metadata)?)?)
}

/// The workspace's target folder.
pub fn target() -> Result<PathBuf> {
    Ok(metadata()?["target_directory"]
        .as_str()
        .context("cargo names no target folder")?
        .into())
}

/// How what a user installs is built.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Profile {
    /// As it is handed out and measured: optimised as a whole.
    #[default]
    Dist,
    /// As it is tested: with what other tests were compiled with, in a fraction of the
    /// time.
    Tested,
}

/// What a user installs, built.
pub struct Release {
    /// Where it is.
    pub folder: PathBuf,
}

const PLUGIN: &str = "libmosquitto_countersign.so";
const PROGRAM: &str = "countersign";

/// Builds the plugin and the program `countersign`, and these packages too.
pub fn build_release(profile: Profile, more: &[&str]) -> Result<Release> {
    println!("building the plugin and the program `countersign` ({profile:?})");
    let mut build = cargo();
    let built = match profile {
        Profile::Dist => {
            build.args(["build", "--profile", "dist"]);
            target()?.join("dist")
        }
        Profile::Tested => {
            build.arg("build");
            target()?.join("debug")
        }
    };
    for package in ["countersign-mosquitto-plugin", "countersign-cli"]
        .iter()
        .chain(more)
    {
        build.args(["--package", package]);
    }
    run(&mut build)?;
    let folder = match profile {
        Profile::Dist => built,
        // Put aside, since any other build of them replaces them there.
        Profile::Tested => {
            let folder = target()?.join("tested");
            fs::create_dir_all(&folder)?;
            for name in [PLUGIN, PROGRAM, "libcountersign.so", "libcountersign.a"] {
                if built.join(name).is_file() {
                    replace(&built.join(name), &folder.join(name))?;
                }
            }
            folder
        }
    };
    Ok(Release { folder })
}

impl Release {
    /// What leads tests to them.
    pub fn variables(&self) -> [(&'static str, PathBuf); 2] {
        [
            ("COUNTERSIGN_PLUGIN", self.folder.join(PLUGIN)),
            ("COUNTERSIGN_CLI", self.folder.join(PROGRAM)),
        ]
    }
}

/// Builds the plugin with the switches that tests throw, and puts it aside. Beside the
/// program, as in a release: cargo would compile most crates once more for the plugin on
/// its own, since it asks less of them.
pub fn build_with_switches() -> Result<PathBuf> {
    run(cargo()
        .args(["build", "--package", "countersign-mosquitto-plugin"])
        .args(["--package", "countersign-cli"])
        .args(["--features", "countersign-mosquitto-plugin/test-hooks"]))?;
    let folder = target()?.join("test-hooks");
    fs::create_dir_all(&folder)?;
    let plugin = folder.join(PLUGIN);
    replace(&target()?.join("debug").join(PLUGIN), &plugin)?;
    Ok(plugin)
}

/// Copies by way of a rename: a broker may hold the old file mapped.
fn replace(from: &Path, to: &Path) -> Result<()> {
    let part = to.with_extension("part");
    fs::copy(from, &part).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(fs::rename(part, to)?)
}

/// A command in the workspace that runs the cargo we were started by.
pub fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace());
    cargo
}

/// Has a build fail for what clippy finds in the package, as `cargo clippy` does by a
/// check: a package of its own would have all its dependencies compiled once more for
/// that.
pub fn with_lints(build: &mut Command) -> &mut Command {
    build
        .env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver")
        .env("CLIPPY_ARGS", "-D__CLIPPY_HACKERY__warnings")
}

/// A command that runs as root, through `sudo` if we are not.
pub fn as_root(program: impl AsRef<OsStr>) -> Command {
    if we_are_root() {
        return Command::new(program);
    }
    let mut sudo = Command::new("sudo");
    sudo.arg("--").arg(program);
    sudo
}

/// Runs `command` to its end; anything but success is an error that names it.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot run `{}`", shown(command)))?;
    ensure!(status.success(), "`{}` ended with {status}", shown(command));
    Ok(())
}

/// Runs `command` quietly and returns what it printed; a failure holds its
/// complaints.
pub fn read(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot run `{}`", shown(command)))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!(
            "`{}` ended with {}\n{}",
            shown(command),
            output.status,
            complaint.trim_end()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The command as one would type it.
pub fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}
