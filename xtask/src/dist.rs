//! `cargo xtask dist PREFIX`: what somebody needs who builds Countersign into a
//! broker: the C library with its header, the crates, the program, and the page
//! that tells how.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::c_library::Layout;
use crate::command::{Profile, VERSION, build_release, cargo, run, target, workspace};
use crate::tree::Tree;

/// What a crate in another workspace is built from.
const CRATES: &[&str] = &[
    "countersign",
    "countersign-admin",
    "countersign-certificate",
    "countersign-control",
    "countersign-core",
    "countersign-issuer",
    "countersign-sql",
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

/// Builds all of it, and puts it into `prefix`.
pub fn dist(prefix: &Path, profile: Profile) -> Result<()> {
    let prefix = &std::path::absolute(prefix)?;
    let release = build_release(profile, &["countersign-capi"])?.folder;
    let tree = Tree::at(prefix)?;
    let library = Layout {
        below: "",
        libraries: "lib".into(),
        prefix: "${pcfiledir}/../..",
    };
    library.put_shared(&release, &tree)?;
    library.put_development(&release, &tree)?;
    tree.copy_program(&release.join("countersign"), "bin/countersign")?;
    for (from, to) in PAGES {
        let to = format!("share/doc/countersign/{to}");
        tree.copy(&workspace().join(from), &to)?;
    }
    crates(&tree.path("share/countersign/crates"))?;
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
