//! `cargo xtask bench`: builds the package `bench` and what it measures, and runs
//! it.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::Result;
use countersign_testkit::Version;

use crate::command::{Profile, build_release};
use crate::setup;

/// Measures, with these options, in an optimised build.
pub fn bench(options: &[OsString]) -> Result<()> {
    setup::for_brokers(&Version::ALL)?;
    let release = build_release(Profile::Dist, &["countersign-bench"])?;
    let mut bench = Command::new(release.folder.join("countersign-bench"));
    Err(bench.args(options).envs(release.variables()).exec().into())
}
