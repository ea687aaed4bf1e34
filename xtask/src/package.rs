//! `cargo xtask package [FOLDER]`: what a user installs: Debian packages, a
//! tarball of the same files, what is built in, and the sums of all of it.
//!
//! What they hold comes from the commit alone: made again in the same place,
//! they are the same bytes. Times are the commit's, or `SOURCE_DATE_EPOCH`.

mod components;
mod debian;
mod layout;
mod licenses;
mod sbom;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;

use crate::command::{Profile, Release, VERSION, build_release, read, run, target, workspace};
use crate::setup;
use crate::tree::Tree;
use components::Components;
use debian::Machine;

#[derive(Args, Debug)]
pub struct Options {
    /// The folder [default: target/packages]
    folder: Option<PathBuf>,
    /// How often this version was packaged: what follows the `-` in the
    /// packages' version
    #[arg(long, value_name = "N", default_value_t = 1)]
    revision: u32,
    #[arg(skip)]
    profile: Profile,
}

impl Options {
    /// Packages of this revision, in that folder, of what the other tests have built.
    pub fn tested(folder: PathBuf, revision: u32) -> Self {
        Self {
            folder: Some(folder),
            revision,
            profile: Profile::Tested,
        }
    }
}

/// What all packages of one run share.
struct Edition {
    /// What the packages' version is.
    version: String,
    /// Seconds since 1970 that every file carries.
    time: String,
    machine: Machine,
    /// The licences of what is built in.
    licenses: String,
    /// How hard to compress, from 0 to 9.
    compression: u32,
}

impl Edition {
    /// The moment that everything is made at, as `date` writes it.
    fn date(&self, format: &str) -> Result<String> {
        let told = read(
            Command::new("date")
                .args(["--utc", "--date", &format!("@{}", self.time), format])
                .env("LC_ALL", "C"),
        )?;
        Ok(told.trim().to_owned())
    }
}

/// Builds and makes all of it, and puts it into the folder.
pub fn package(options: &Options) -> Result<()> {
    pack_up(&build(options.profile)?, options)
}

/// Builds what is packaged.
pub fn build(profile: Profile) -> Result<Release> {
    setup::for_packages()?;
    build_release(profile, &["countersign-capi"])
}

/// Makes all of it of what was built, and puts it into the folder.
pub fn pack_up(release: &Release, options: &Options) -> Result<()> {
    let folder = match &options.folder {
        Some(folder) => std::path::absolute(folder)?,
        None => target()?.join("packages"),
    };
    let scratch = tempfile::tempdir_in(target()?)?;
    let components = Components::of_release()?;
    let edition = Edition {
        version: format!("{VERSION}-{}", options.revision),
        time: time()?,
        machine: Machine::ours()?,
        licenses: licenses::text(&components)?,
        // What is handed out is small; what is tested is made soon.
        compression: match options.profile {
            Profile::Dist => 6,
            Profile::Tested => 0,
        },
    };
    // What an earlier run put here goes: nobody installs two versions at once.
    let made = Tree::at(&folder)?;
    for name in fs::read_dir(&folder)? {
        let path = name?.path();
        if is_ours(&path) {
            fs::remove_file(path)?;
        }
    }

    // The tarball holds what the packages hold.
    let all = Tree::at(&scratch.path().join(format!("countersign-{VERSION}")))?;
    for package in layout::PACKAGES {
        let tree = Tree::at(&scratch.path().join(package.name))?;
        package.fill(&tree, &release.folder, &edition)?;
        run(Command::new("cp")
            .args(["--archive", "--no-target-directory"])
            .args([tree.folder(), all.folder()]))?;
        debian::build(package.name, &tree, &edition, &folder)?;
    }
    let tarball = format!("countersign-{VERSION}-{}.tar.gz", edition.machine.triplet);
    pack(&all, &made.path(&tarball), &edition)?;
    let sbom = sbom::cyclonedx(&components, &edition.date("+%Y-%m-%dT%H:%M:%SZ")?)?;
    made.write(
        &format!("countersign-{VERSION}.cdx.json"),
        serde_json::to_string_pretty(&sbom)? + "\n",
    )?;
    let names: Vec<_> = made
        .files()?
        .into_iter()
        .filter(|name| is_ours(Path::new(name)))
        .collect();
    let sums = read(Command::new("sha256sum").args(&names).current_dir(&folder))?;
    made.write("SHA256SUMS", sums)?;
    println!(
        "Countersign {} is packaged in {}",
        edition.version,
        folder.display()
    );
    Ok(())
}

/// Says whether a file is one of those that we make.
fn is_ours(path: &Path) -> bool {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    name.contains("countersign")
        && [".deb", ".tar.gz", ".cdx.json"]
            .iter()
            .any(|end| name.ends_with(end))
}

/// Writes a tarball whose bytes follow from the tree alone.
fn pack(tree: &Tree, to: &Path, edition: &Edition) -> Result<()> {
    let plain = to.with_extension("");
    run(Command::new("tar")
        .args(["--create", "--sort=name", "--format=gnu", "--numeric-owner"])
        .args(["--owner=0", "--group=0", "--mode=u+rw,go=rX"])
        .arg(format!("--mtime=@{}", edition.time))
        .arg("--file")
        .arg(&plain)
        .arg("--directory")
        .arg(tree.folder().parent().context("no parent")?)
        .arg(tree.folder().file_name().context("no name")?))?;
    run(Command::new("gzip")
        .args(["--no-name", "--force"])
        .arg(format!("-{}", edition.compression.max(1)))
        .arg(plain))
}

/// The moment that everything is made at.
fn time() -> Result<String> {
    if let Some(time) = env::var_os("SOURCE_DATE_EPOCH") {
        let time = time
            .into_string()
            .ok()
            .filter(|time| time.parse::<u32>().is_ok());
        return time.context("SOURCE_DATE_EPOCH is no number of seconds");
    }
    let log = read(
        Command::new("git")
            .args(["log", "-1", "--format=%ct"])
            .current_dir(workspace()),
    )
    .context("set SOURCE_DATE_EPOCH, as this is no clone of the repository")?;
    Ok(log.trim().to_owned())
}
