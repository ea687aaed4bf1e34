//! Which files each package has, and where they come from.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::{Edition, debian};
use crate::c_library::Layout;
use crate::command::{read, run, workspace};
use crate::tree::Tree;

/// One package.
pub struct Package {
    pub name: &'static str,
    put: fn(&Tree, &Path, &Edition) -> Result<()>,
}

/// All of them.
pub const PACKAGES: &[Package] = &[
    Package {
        name: "countersign",
        put: program,
    },
    Package {
        name: "mosquitto-countersign",
        put: plugin,
    },
    Package {
        name: "libcountersign0",
        put: shared_library,
    },
    Package {
        name: "libcountersign-dev",
        put: development,
    },
];

impl Package {
    /// Puts all files of it into `tree`.
    pub fn fill(&self, tree: &Tree, release: &Path, edition: &Edition) -> Result<()> {
        (self.put)(tree, release, edition)
            .and_then(|()| strip(tree))
            .and_then(|()| self.documents(tree, edition))
            .with_context(|| format!("cannot package {}", self.name))
    }

    /// What every package of Debian has.
    fn documents(&self, tree: &Tree, edition: &Edition) -> Result<()> {
        let at = |name: &str| format!("usr/share/doc/{}/{name}", self.name);
        let copyright = workspace().join("packaging/debian/copyright");
        tree.copy(&copyright, &at("copyright"))?;
        let history = format!(
            "countersign ({}) unstable; urgency=medium\n\n  * See changelog.gz.\n\n -- {}  {}\n",
            edition.version,
            debian::maintainer(),
            edition.date("+%a, %d %b %Y %H:%M:%S +0000")?,
        );
        tree.write(&at("changelog.Debian"), history)?;
        tree.copy(&workspace().join("docs/CHANGELOG.md"), &at("changelog"))?;
        tree.write(&at("THIRD-PARTY-LICENSES"), &edition.licenses)?;
        for name in ["changelog.Debian", "changelog", "THIRD-PARTY-LICENSES"] {
            tree.compress(&at(name))?;
        }
        Ok(())
    }
}

fn program(tree: &Tree, release: &Path, _: &Edition) -> Result<()> {
    const DOC: &str = "usr/share/doc/countersign";
    let countersign = release.join("countersign");
    tree.copy_program(&countersign, "usr/bin/countersign")?;
    let pages = tempfile::tempdir()?;
    read(Command::new(&countersign).arg("man").arg(pages.path()))?;
    for page in fs::read_dir(pages.path())? {
        let page = page?.path();
        let name = page.file_name().and_then(|name| name.to_str());
        let name = name.context("a page's name is no UTF-8")?;
        let (_, section) = name.rsplit_once('.').context("a page has no section")?;
        let to = format!("usr/share/man/man{section}/{name}");
        tree.copy(&page, &to)?;
        tree.compress(&to)?;
    }
    for (shell, place) in [
        ("bash", "bash-completion/completions/countersign"),
        ("fish", "fish/vendor_completions.d/countersign.fish"),
        ("zsh", "zsh/vendor-completions/_countersign"),
    ] {
        let script = read(Command::new(&countersign).args(["completions", shell]))?;
        tree.write(&format!("usr/share/{place}"), script)?;
    }
    // They run when an administrator enables them, and no earlier.
    for unit in ["countersign-serve.service", "countersign-follow.service"] {
        tree.copy(
            &workspace().join("examples/systemd").join(unit),
            &format!("usr/lib/systemd/system/{unit}"),
        )?;
    }
    for page in ["README.md", "SECURITY.md"] {
        tree.copy(&workspace().join(page), &format!("{DOC}/{page}"))?;
    }
    tree.copy_folder(&workspace().join("docs"), &format!("{DOC}/docs"))
}

fn plugin(tree: &Tree, release: &Path, _: &Edition) -> Result<()> {
    const DOC: &str = "usr/share/doc/mosquitto-countersign";
    let examples = workspace().join("examples");
    tree.copy(
        &release.join("libmosquitto_countersign.so"),
        "usr/lib/countersign/libmosquitto_countersign.so",
    )?;
    tree.copy(
        &examples.join("mosquitto/countersign.conf"),
        &format!("{DOC}/countersign.conf.example"),
    )?;
    tree.copy(
        &workspace().join("packaging/apparmor/mosquitto"),
        &format!("{DOC}/apparmor.example"),
    )?;
    for folder in ["mosquitto", "fail2ban"] {
        tree.copy_folder(&examples.join(folder), &format!("{DOC}/examples/{folder}"))?;
    }
    Ok(())
}

fn shared_library(tree: &Tree, release: &Path, edition: &Edition) -> Result<()> {
    layout(edition).put_shared(release, tree)
}

fn development(tree: &Tree, release: &Path, edition: &Edition) -> Result<()> {
    const DOC: &str = "usr/share/doc/libcountersign-dev";
    layout(edition).put_development(release, tree)?;
    let page = workspace().join("docs/embedding.md");
    tree.copy(&page, &format!("{DOC}/embedding.md"))?;
    let examples = workspace().join("examples/c");
    tree.copy_folder(&examples, &format!("{DOC}/examples"))
}

fn layout(edition: &Edition) -> Layout {
    Layout {
        below: "usr/",
        libraries: format!("lib/{}", edition.machine.triplet),
        prefix: "/usr",
    }
}

/// Takes out what only a debugger reads, and keeps what a linker needs.
fn strip(tree: &Tree) -> Result<()> {
    for file in tree.files()? {
        let path = tree.path(&file);
        let arguments: &[&str] = if file.contains(".so") {
            &["--strip-unneeded", "--remove-section=.comment"]
        } else if file.ends_with(".a") {
            &["--strip-debug", "--enable-deterministic-archives"]
        } else if file.starts_with("usr/bin/") {
            &["--strip-all", "--remove-section=.comment"]
        } else {
            continue;
        };
        run(Command::new("strip").args(arguments).arg(path))?;
    }
    Ok(())
}
