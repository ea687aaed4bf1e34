//! The files of the C library, as a loader and pkg-config look for them.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::command::{VERSION, workspace};
use crate::tree::Tree;

/// Where the library is to lie.
pub struct Layout {
    /// The folder in a tree that is the prefix, such as `usr/`; none is the
    /// tree's own.
    pub below: &'static str,
    /// The folder of libraries below the prefix.
    pub libraries: String,
    /// What pkg-config takes for the prefix.
    pub prefix: &'static str,
}

impl Layout {
    /// Puts what a program needs that runs into `tree`.
    pub fn put_shared(&self, release: &Path, tree: &Tree) -> Result<()> {
        let at = |name: &str| format!("{}{}/{name}", self.below, self.libraries);
        let full = format!("libcountersign.so.{VERSION}");
        tree.copy(&release.join("libcountersign.so"), &at(&full))?;
        tree.link(&full, &at(&soname()))
    }

    /// Puts what compiling a program needs into `tree`.
    pub fn put_development(&self, release: &Path, tree: &Tree) -> Result<()> {
        let at = |name: &str| format!("{}{}/{name}", self.below, self.libraries);
        tree.link(&soname(), &at("libcountersign.so"))?;
        tree.copy(&release.join("libcountersign.a"), &at("libcountersign.a"))?;
        tree.copy(
            &workspace().join("include/countersign.h"),
            &format!("{}include/countersign.h", self.below),
        )?;
        let flags = fs::read_to_string(workspace().join("crates/capi/countersign.pc.in"))?
            .replace("@PREFIX@", self.prefix)
            .replace("@LIBRARIES@", &self.libraries)
            .replace("@VERSION@", VERSION);
        tree.write(&at("pkgconfig/countersign.pc"), flags)
    }
}

/// The name that programs ask the loader for; `crates/capi/build.rs` writes it
/// into the library.
pub fn soname() -> String {
    let short = VERSION.rsplit_once('.').map_or(VERSION, |(short, _)| short);
    format!("libcountersign.so.{short}")
}
