//! rmqtt, which asks hooks in the tests. No Debian has it: it is built of its crates.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::command::{cargo, run, with_lints, workspace};

/// What is built: a package of its own, with its own lock file.
pub const MANIFEST: &str = "tests/rmqtt/Cargo.toml";

/// Builds it, unless what is there was built of the same.
pub fn install(cache: &Path) -> Result<()> {
    let target = cache.join("brokers/rmqtt");
    let built_of = target.join("built-of");
    let sources = sources()?;
    if fs::read_to_string(&built_of).is_ok_and(|it| it == sources) {
        println!("broker rmqtt: built");
        return Ok(());
    }
    println!("broker rmqtt: building it of its crates, once; this takes some minutes");
    let build = cache.join("rmqtt-build");
    let mut command = cargo();
    command.args(["build", "--locked", "--quiet", "--manifest-path", MANIFEST]);
    command.env("CARGO_TARGET_DIR", &build);
    run(with_lints(command.env_remove("RUSTFLAGS")))?;
    fs::create_dir_all(&target).context("cannot make a folder for rmqtt")?;
    fs::rename(build.join("debug").join(PROGRAM), target.join(PROGRAM))
        .context("cannot put rmqtt in place")?;
    // Once all is there, so that an interrupted one is made good.
    fs::write(&built_of, sources).context("cannot write what rmqtt was built of")?;
    // Half a gigabyte that nothing needs any more.
    fs::remove_dir_all(&build).context("cannot remove what rmqtt was built in")
}

/// All of the package that is ours.
fn sources() -> Result<String> {
    let folder = workspace().join("tests/rmqtt");
    let read = |name| {
        let path = folder.join(name);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let files = ["Cargo.toml", "Cargo.lock", "src/main.rs"].map(read);
    Ok(files.into_iter().collect::<Result<Vec<_>>>()?.concat())
}

const PROGRAM: &str = "countersign-rmqtt";
