//! `cargo xtask dist PREFIX`: what somebody needs who builds Countersign into a
//! broker: the C library with its header, the crates, the program, and the page
//! that tells how.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{cargo, run, target, workspace};

/// What a crate in another workspace is built from.
const CRATES: &[&str] = &[
    "countersign",
    "countersign-admin",
    "countersign-core",
    "countersign-sqlite",
];

/// What is read, and where it lies.
const PAGES: &[(&str, &str)] = &[
    ("docs/embedding.md", "embedding.md"),
    ("examples/c/embed.c", "examples/embed.c"),
    ("examples/c/epoll.c", "examples/epoll.c"),
    ("examples/embed.rs", "examples/embed.rs"),
    ("LICENSE-APACHE", "LICENSE-APACHE"),
    ("LICENSE-MIT", "LICENSE-MIT"),
];

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Builds all of it, and puts it into `prefix`.
pub fn dist(prefix: &Path) -> Result<()> {
    let prefix = &std::path::absolute(prefix)?;
    let mut build = cargo();
    build.args(["build", "--release"]);
    build.args([
        "--package",
        "countersign-capi",
        "--package",
        "countersign-cli",
    ]);
    run(&mut build)?;
    let release = target()?.join("release");

    let lib = prefix.join("lib");
    let full = format!("libcountersign.so.{VERSION}");
    put(&release.join("libcountersign.so"), &lib.join(&full))?;
    put(
        &release.join("libcountersign.a"),
        &lib.join("libcountersign.a"),
    )?;
    let short = VERSION.rsplit_once('.').map_or(VERSION, |(short, _)| short);
    let short = format!("libcountersign.so.{short}");
    link(&full, &lib.join(&short))?;
    link(&short, &lib.join("libcountersign.so"))?;
    put(
        &workspace().join("include/countersign.h"),
        &prefix.join("include/countersign.h"),
    )?;
    put(
        &release.join("countersign"),
        &prefix.join("bin/countersign"),
    )?;
    let template = workspace().join("crates/capi/countersign.pc.in");
    let written = fs::read_to_string(template)?.replace("@VERSION@", VERSION);
    let place = lib.join("pkgconfig/countersign.pc");
    make_parent(&place)?;
    fs::write(place, written)?;

    let doc = prefix.join("share/doc/countersign");
    for (from, to) in PAGES {
        put(&workspace().join(from), &doc.join(to))?;
    }
    crates(&prefix.join("share/countersign/crates"))?;
    println!("Countersign {VERSION} is in {}", prefix.display());
    Ok(())
}

/// Unpacks the crates as a registry would hand them out.
fn crates(place: &Path) -> Result<()> {
    let mut package = cargo();
    package.args(["package", "--quiet", "--no-verify", "--allow-dirty"]);
    for name in CRATES {
        package.args(["--package", name]);
    }
    run(&mut package)?;
    if place.exists() {
        fs::remove_dir_all(place)?;
    }
    fs::create_dir_all(place)?;
    for name in CRATES {
        let file = target()?.join(format!("package/{name}-{VERSION}.crate"));
        run(Command::new("tar")
            .args(["--extract", "--gzip", "--file"])
            .arg(file)
            .arg("--directory")
            .arg(place))?;
        let unpacked = place.join(format!("{name}-{VERSION}"));
        fs::rename(unpacked, place.join(name))?;
    }
    Ok(())
}

/// Copies by way of a rename: a program may hold the old file mapped.
fn put(from: &Path, to: &Path) -> Result<()> {
    make_parent(to)?;
    let mut part = to.as_os_str().to_owned();
    part.push(OsStr::new(".part"));
    fs::copy(from, &part).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(fs::rename(part, to)?)
}

fn link(to: &str, at: &Path) -> Result<()> {
    if at.symlink_metadata().is_ok() {
        fs::remove_file(at)?;
    }
    Ok(symlink(to, at)?)
}

fn make_parent(path: &Path) -> Result<()> {
    Ok(fs::create_dir_all(path.parent().context("no parent")?)?)
}
