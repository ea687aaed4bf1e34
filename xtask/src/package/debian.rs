//! Debian packages, made of trees.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::Edition;
use crate::c_library::soname;
use crate::command::{VERSION, read, run, workspace};
use crate::tree::Tree;

/// What Debian calls the machine that is built for.
pub struct Machine {
    /// Such as `amd64`.
    pub architecture: String,
    /// Such as `x86_64-linux-gnu`.
    pub triplet: String,
}

impl Machine {
    /// This one.
    pub fn ours() -> Result<Self> {
        let ask = |name| -> Result<String> {
            let told = read(Command::new("dpkg-architecture").args(["--query", name]))?;
            Ok(told.trim().to_owned())
        };
        Ok(Self {
            architecture: ask("DEB_HOST_ARCH")?,
            triplet: ask("DEB_HOST_MULTIARCH")?,
        })
    }
}

/// Makes the package `name` of a tree, into `folder`.
pub fn build(name: &str, tree: &Tree, edition: &Edition, folder: &Path) -> Result<()> {
    let values = [
        ("@VERSION@", edition.version.clone()),
        ("@UPSTREAM@", VERSION.to_owned()),
        ("@ARCHITECTURE@", edition.machine.architecture.clone()),
        ("@MAINTAINER@", maintainer()),
        ("@SIZE@", size(tree)?.to_string()),
        ("@LIBRARIES@", libraries(tree)?),
        (
            "@SONAME@",
            soname()
                .rsplit_once(".so.")
                .context("no version")?
                .1
                .to_owned(),
        ),
    ];
    let files = tree.files()?;
    let sums = read(
        Command::new("md5sum")
            .args(&files)
            .current_dir(tree.folder()),
    )?;
    let ours = workspace().join("packaging/debian").join(name);
    for entry in fs::read_dir(&ours).with_context(|| format!("no {}", ours.display()))? {
        let path = entry?.path();
        let file = path
            .file_name()
            .and_then(|name| name.to_str())
            .context("no name")?;
        let mut text = fs::read_to_string(&path)?;
        for (variable, value) in &values {
            text = text.replace(variable, value);
        }
        let to = format!("DEBIAN/{file}");
        tree.write(&to, &text)?;
        if text.starts_with("#!") {
            tree.make_executable(&to)?;
        }
    }
    tree.write("DEBIAN/md5sums", sums)?;
    // Whatever the umask of who makes them.
    run(Command::new("find")
        .arg(tree.folder())
        .args(["-type", "d", "-exec", "chmod", "755", "{}", "+"]))?;
    let architecture = &edition.machine.architecture;
    let file = folder.join(format!("{name}_{}_{architecture}.deb", edition.version));
    read(
        Command::new("dpkg-deb")
            .args(["--root-owner-group", "-Zxz", "--threads-max=1"])
            .arg(format!("-z{}", edition.compression))
            .arg("--build")
            .arg(tree.folder())
            .arg(file)
            .env("SOURCE_DATE_EPOCH", &edition.time),
    )?;
    Ok(())
}

/// Who makes the packages, as Debian's own tools are told.
pub fn maintainer() -> String {
    let name = env::var("DEBFULLNAME").unwrap_or_else(|_| "The Countersign developers".into());
    match env::var("DEBEMAIL") {
        Ok(address) => format!("{name} <{address}>"),
        Err(_) => name,
    }
}

/// The packages with the libraries that a tree's programs are linked with.
fn libraries(tree: &Tree) -> Result<String> {
    let mut programs = Vec::new();
    for file in tree.files()? {
        let path = tree.path(&file);
        if fs::read(&path)?.starts_with(b"\x7fELF") {
            programs.push(path);
        }
    }
    if programs.is_empty() {
        return Ok(String::new());
    }
    // It wants to be called beside the control file of a source.
    let scratch = tempfile::tempdir()?;
    fs::create_dir(scratch.path().join("debian"))?;
    fs::write(
        scratch.path().join("debian/control"),
        "Source: countersign\n\nPackage: countersign\nArchitecture: any\n",
    )?;
    let told = read(
        Command::new("dpkg-shlibdeps")
            .args(["-O", "--warnings=0"])
            .args(programs)
            .current_dir(scratch.path()),
    )?;
    let (_, needed) = told
        .trim()
        .split_once("shlibs:Depends=")
        .context("dpkg-shlibdeps says nothing")?;
    Ok(needed.to_owned())
}

/// The room that a tree takes, in KiB.
fn size(tree: &Tree) -> Result<u64> {
    let mut size = 0;
    for file in tree.files()? {
        size += fs::metadata(tree.path(&file))?.size().div_ceil(1024);
    }
    Ok(size)
}
