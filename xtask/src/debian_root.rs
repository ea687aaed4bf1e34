//! A Debian with Mosquitto in it, to install our packages in. It is made once and kept
//! in the cache.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};
use countersign_testkit::broker::we_are_root;

use crate::command::{cache, read, run};
use crate::{apt, setup};

/// What it has besides the base of a Debian.
const PACKAGES: &[&str] = &["mosquitto", "mosquitto-clients"];

/// Says why no root can be made and entered here, if that is so.
pub fn obstacle() -> Option<&'static str> {
    if !we_are_root() {
        return Some("only root can make a Debian root and enter it");
    }
    let mut apart = Command::new("unshare");
    apart
        .args([
            "--mount",
            "--pid",
            "--net",
            "--fork",
            "--kill-child",
            "true",
        ])
        .stderr(Stdio::null());
    match apart.status() {
        Ok(status) if status.success() => None,
        _ => Some("this machine lets nobody make namespaces"),
    }
}

/// The folder of the root of a release (`bookworm`), which nobody writes in.
pub fn folder(suite: &str) -> Result<PathBuf> {
    let _alone = setup::lock()?;
    let place = cache()?.join(format!("debian-{suite}"));
    let mark = cache()?.join(format!("debian-{suite}.packages"));
    let packages = PACKAGES.join(",");
    if place.is_dir() && fs::read_to_string(&mark).is_ok_and(|held| held == packages) {
        return Ok(place);
    }
    let start = Instant::now();
    println!("making a Debian {suite} with {packages}, once; this takes a minute or two");
    let part = cache()?.join(format!("debian-{suite}.part"));
    for old in [&part, &place] {
        if old.exists() {
            fs::remove_dir_all(old)?;
        }
    }
    read(
        Command::new("debootstrap")
            .args(["--variant=minbase", &format!("--include={packages}"), suite])
            .arg(&part)
            .arg(apt::mirror()?),
    )
    .context("cannot make a Debian root")?;
    run(Command::new("find")
        .args([part.join("var/cache/apt"), part.join("var/lib/apt/lists")])
        .args(["-type", "f", "-delete"]))?;
    fs::write(mark, packages)?;
    fs::rename(part, &place)?;
    println!("made in {:.1} s", start.elapsed().as_secs_f64());
    Ok(place)
}
