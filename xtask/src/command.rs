//! Running other programs, and the two folders they work in.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// The root of this repository.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
}

/// The folder that `setup` keeps brokers and tools in.
///
/// `countersign-testkit` looks in the same places in the same order.
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
    if let Some(cache) = set("XDG_CACHE_HOME") {
        return Ok(cache.join("countersign"));
    }
    let home = set("HOME").context("set COUNTERSIGN_CACHE or HOME")?;
    Ok(home.join(".cache/countersign"))
}

/// The workspace's target folder.
pub fn target() -> Result<PathBuf> {
    let mut metadata = cargo();
    metadata.args(["metadata", "--format-version=1", "--no-deps", "--offline"]);
    let text = read(&mut metadata)?;
    let metadata: serde_json::Value = serde_json::from_str(&text)?;
    Ok(metadata["target_directory"]
        .as_str()
        .context("cargo names no target folder")?
        .into())
}

/// A command in the workspace that runs the cargo we were started by.
pub fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace());
    cargo
}

/// A command that runs as root, through `sudo` if we are not.
pub fn as_root(program: impl AsRef<OsStr>) -> Command {
    // SAFETY: geteuid has no preconditions.
    let we_are_root = unsafe { libc::geteuid() } == 0;
    if we_are_root {
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
