//! `cargo xtask test`: every check and every test, part by part.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use clap::ValueEnum;

use crate::codegen::Product;
use crate::command::{
    Profile, build_release, build_with_switches, cargo, run, shown, target, with_lints, workspace,
};
use crate::demo::{self, Options};
use crate::package;
use crate::{apt, codegen, debian_root, dist, fuzz, hostile, rmqtt, setup, structure};

/// A part of the tests, in the order in which they run.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Part {
    /// Formatting
    Fmt,
    /// Lints of the workspace, with every feature and without; those of the packages of
    /// their own come with their builds
    Clippy,
    /// Circles of modules, long files, words that the glossary has replaced
    Structure,
    /// Documentation and its links
    Doc,
    /// Tests of every crate
    Unit,
    /// What is generated and committed is current
    Generated,
    /// Licences, sources and versions of dependencies
    Deny,
    /// Tests of what is packaged for other people's brokers, in C and Rust
    Embed,
    /// Tests against real brokers
    E2e,
    /// What is packaged for users, on a Debian of its own from installation to
    /// removal
    Package,
    /// What strangers send, under libFuzzer for a moment
    Fuzz,
    /// Hostile traffic against real brokers for three minutes, watched by an
    /// oracle
    Hostile,
    /// The demo, each of whose steps fails when it shows something else
    Demo,
    /// The same with the packages in a Debian 13: not among those that run where none is
    /// named
    Debian13,
    /// The tests with rmqtt, which takes minutes to build: not among those that run
    /// where none is named
    Rmqtt,
}

/// What a part came to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Count {
    passed: u64,
    failed: u64,
    ignored: u64,
    /// Whether the part could not be run here, and said so.
    skipped: bool,
}

/// Runs the parts named, or all, and says what they came to. Of the tests, runs
/// those alone that `names` name, if it names any.
pub fn test(only: &[Part], keep_going: bool, names: &[String]) -> Result<ExitCode> {
    setup::everything()?;
    let mut lines = Vec::new();
    let mut total = Count::default();
    let parts = Part::value_variants().iter().filter(|part| match only {
        [] => !matches!(part, Part::Debian13 | Part::Rmqtt),
        only => only.contains(part),
    });
    for &part in parts {
        println!("\n=== {}", part.name());
        let start = Instant::now();
        let mut count = part.run(names).unwrap_or_else(|error| {
            eprintln!("error: {error:#}");
            Count {
                failed: 1,
                ..Count::default()
            }
        });
        if count == Count::default() {
            // A check that is no set of tests counts as one test.
            count.passed = 1;
        }
        total.passed += count.passed;
        total.failed += count.failed;
        let line = summary(part, count, start.elapsed());
        println!("{line}");
        lines.push(line);
        if count.failed > 0 && !keep_going {
            break;
        }
    }
    println!();
    for line in lines {
        println!("{line}");
    }
    println!("{} passed, {} failed", total.passed, total.failed);
    Ok(if total.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Fmt => "fmt",
            Self::Clippy => "clippy",
            Self::Structure => "structure",
            Self::Doc => "doc",
            Self::Unit => "unit",
            Self::Generated => "generated",
            Self::Deny => "deny",
            Self::Embed => "embed",
            Self::E2e => "e2e",
            Self::Package => "package",
            Self::Fuzz => "fuzz",
            Self::Hostile => "hostile",
            Self::Demo => "demo",
            Self::Debian13 => "debian13",
            Self::Rmqtt => "rmqtt",
        }
    }

    fn run(self, names: &[String]) -> Result<Count> {
        match self {
            Self::Fmt => {
                check(cargo().args(["fmt", "--all", "--check"]))?;
                for package in OF_THEIR_OWN {
                    check(cargo().args(["fmt", "--check", "--manifest-path", package]))?;
                }
                Ok(Count::default())
            }
            Self::Clippy => {
                // Of the whole workspace both times: of fewer packages, their dependencies
                // have other features, and are all looked at again.
                let clippy = |more: &[&str]| {
                    let mut clippy = cargo();
                    clippy.args(["clippy", "--workspace", "--all-targets"]);
                    check(clippy.args(more).args(["--", "-D", "warnings"]))
                };
                clippy(&[])?;
                clippy(&["--all-features"])
            }
            Self::Structure => {
                structure::check(&structure::Options::default())?;
                Ok(Count::default())
            }
            Self::Doc => check(
                cargo()
                    .args(["doc", "--no-deps", "--workspace"])
                    .env("RUSTDOCFLAGS", "-D warnings"),
            ),
            Self::Unit => tests(
                cargo().args(["test", "--workspace", "--no-fail-fast"]),
                names,
            ),
            Self::Generated => generated(),
            Self::Deny => {
                let deny = || -> Result<Command> {
                    let mut deny = Command::new(setup::cargo_deny_path()?);
                    deny.current_dir(workspace());
                    Ok(deny)
                };
                // The database is a repository of its own, which the gate can't
                // fetch everywhere: it is asked where there is a copy.
                let home = env::var_os("CARGO_HOME").map_or_else(
                    || Path::new(&env::var_os("HOME").unwrap_or_default()).join(".cargo"),
                    Into::into,
                );
                if home.join(ADVISORIES).is_dir() {
                    check(deny()?.args(["check", "--disable-fetch", "advisories"]))?;
                } else {
                    println!(
                        "skipped: advisories; `cargo deny fetch db` copies their database to \
                         `{}`",
                        home.join(ADVISORIES).display()
                    );
                }
                let what = ["bans", "licenses", "sources"];
                check(deny()?.args(["check", "--hide-inclusion-graph"]).args(what))?;
                for package in OF_THEIR_OWN {
                    check(
                        deny()?
                            .args(["--config", "deny.toml", "--manifest-path", package, "check"])
                            .args(["--hide-inclusion-graph", "--allow", "duplicate"])
                            .args(["--allow", "license-exception-not-encountered"])
                            .args(what),
                    )?;
                }
                Ok(Count::default())
            }
            Self::Embed => embed(names),
            Self::E2e => end_to_end(names),
            Self::Package => packages(&apt::codename()?, names),
            Self::Debian13 => packages("trixie", names),
            Self::Fuzz => {
                fuzz::fuzz(&fuzz::Options::default())?;
                Ok(Count::default())
            }
            Self::Hostile => {
                hostile::hostile(&hostile::Options::of_the_gate())?;
                Ok(Count::default())
            }
            Self::Demo => {
                demo::demo(&Options::default())?;
                Ok(Count::default())
            }
            Self::Rmqtt => {
                setup::rmqtt()?;
                let release = build_release(Profile::Tested, &[])?;
                tests(with_brokers("rmqtt").envs(release.variables()), names)
            }
        }
    }
}

/// Where cargo-deny keeps its copies of the advisory database, in Cargo's home.
const ADVISORIES: &str = "advisory-dbs";

fn check(command: &mut Command) -> Result<Count> {
    run(command)?;
    Ok(Count::default())
}

fn generated() -> Result<Count> {
    codegen::codegen(&[Product::Header], true)?;
    if !setup::is_ready_for_codegen() && env::var_os("CI").is_none() {
        println!(
            "the bindings are skipped: `cargo xtask codegen` would install libclang and \
             Mosquitto's headers"
        );
        return Ok(Count {
            passed: 1,
            skipped: true,
            ..Count::default()
        });
    }
    codegen::codegen(&[Product::Bindings], true)?;
    Ok(Count::default())
}

/// Builds what a user installs, and the plugin once more with the test
/// switches, and runs the tests against real brokers with both.
fn end_to_end(names: &[String]) -> Result<Count> {
    let release = build_release(Profile::Tested, &[])?;
    let with_switches = build_with_switches()?;

    // These wait for brokers and programs for three quarters of their time.
    let threads = 3 * std::thread::available_parallelism()?.get();
    tests(
        with_brokers("e2e")
            .env("RUST_TEST_THREADS", threads.to_string())
            .env("COUNTERSIGN_PLUGIN_TEST_HOOKS", with_switches)
            .envs(release.variables()),
        names,
    )
}

/// Packages what embedders get, builds the examples, and runs the tests against
/// both.
fn embed(names: &[String]) -> Result<Count> {
    let target = target()?;
    let prefix = target.join("dist");
    dist::dist(&prefix, Profile::Tested)?;
    forget_packaged_crates(&target.join("newcomer/debug/.fingerprint"))?;
    run(cargo().args(["build", "--workspace", "--example", "embed"]))?;
    run(with_lints(&mut rumqttd_build()?))?;
    let debug = target.join("debug");
    tests(
        with_brokers("embed")
            .env("COUNTERSIGN_CLI", prefix.join("bin/countersign"))
            .env("COUNTERSIGN_DIST", &prefix)
            .env("COUNTERSIGN_EXAMPLE_EMBED", debug.join("examples/embed"))
            .env(
                "COUNTERSIGN_EXAMPLE_RUMQTTD",
                debug.join("countersign-rumqttd"),
            ),
        names,
    )
}

/// Has cargo compile our packaged crates anew, which a test does in a folder that stays:
/// all files of a package have the same old date, by which it takes them for unchanged.
fn forget_packaged_crates(fingerprints: &Path) -> Result<()> {
    if !fingerprints.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(fingerprints)? {
        let entry = entry?;
        if entry
            .file_name()
            .to_string_lossy()
            .starts_with("countersign")
        {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Packages what users get, and runs the tests of it on a Debian of their own.
fn packages(suite: &str, names: &[String]) -> Result<Count> {
    if let Some(obstacle) = debian_root::obstacle() {
        println!("skipped: {obstacle}");
        return Ok(Count {
            passed: 1,
            skipped: true,
            ..Count::default()
        });
    }
    let target = target()?;
    let [packages, again, next] =
        ["packages", "packages-again", "packages-next"].map(|name| target.join(name));
    let release = package::build(Profile::Tested)?;
    // Each is compressed by one thread, that it be the same bytes on any machine.
    std::thread::scope(|scope| {
        let made = [(&packages, 1), (&again, 1), (&next, 2)].map(|(folder, revision)| {
            let options = package::Options::tested(folder.clone(), revision);
            let release = &release;
            scope.spawn(move || package::pack_up(release, &options))
        });
        made.into_iter()
            .try_for_each(|one| one.join().map_err(|_| anyhow!("packaging panicked"))?)
    })?;
    let sums = |folder: &Path| fs::read_to_string(folder.join("SHA256SUMS"));
    ensure!(
        sums(&packages)? == sums(&again)?,
        "what was packaged twice is not the same: compare {} and {}",
        packages.display(),
        again.display()
    );
    tests(
        with_brokers("package")
            .env("COUNTERSIGN_DEBIAN", debian_root::folder(suite)?)
            .env("COUNTERSIGN_PACKAGES", packages)
            .env("COUNTERSIGN_NEXT_PACKAGES", next),
        names,
    )
}

/// Tests that need brokers. Of the workspace, as the other tests are: cargo compiles
/// most crates once more for a package on its own, since it asks less of them.
fn with_brokers(name: &str) -> Command {
    let mut tests = cargo();
    tests.args(["test", "--workspace", "--no-fail-fast", "--test", name]);
    tests.args(["--features", "countersign-tests/brokers"]);
    tests
}

/// Builds the example that is a package of its own.
fn rumqttd_build() -> Result<Command> {
    let mut build = cargo();
    build.args(["build", "--locked", "--manifest-path", RUMQTTD]);
    build.env("CARGO_TARGET_DIR", target()?);
    Ok(build)
}

/// Runs `cargo test`, shows what it prints and counts its results.
fn tests(command: &mut Command, names: &[String]) -> Result<Count> {
    let mut child = command
        .arg("--")
        .args(names)
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run `{}`", shown(command)))?;
    let output = child.stdout.take().context("cargo has no output")?;
    let mut count = Count::default();
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(&line)?;
        stdout.write_all(b"\n")?;
        if let Some(result) = result(&String::from_utf8_lossy(&line)) {
            count.passed += result.passed;
            count.failed += result.failed;
            count.ignored += result.ignored;
        }
    }
    let status = child.wait()?;
    if !status.success() && count.failed == 0 {
        // Something did not build, or a test took its process down.
        eprintln!("error: `{}` ended with {status}", shown(command));
        count.failed = 1;
    }
    ensure!(
        count.failed > 0 || count.passed > 0,
        "`{}` ran no test",
        shown(command)
    );
    Ok(count)
}

/// Reads `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; …`.
fn result(line: &str) -> Option<Count> {
    let (_, numbers) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut count = Count::default();
    for part in numbers.split("; ") {
        let (number, what) = part.split_once(' ')?;
        let slot = match what {
            "passed" => &mut count.passed,
            "failed" => &mut count.failed,
            "ignored" => &mut count.ignored,
            _ => continue,
        };
        *slot = number.parse().ok()?;
    }
    Some(count)
}

fn summary(part: Part, count: Count, time: Duration) -> String {
    let outcome = if count.failed > 0 {
        "FAILED"
    } else if count.skipped {
        "skipped"
    } else {
        "ok"
    };
    let ignored = if count.ignored > 0 {
        format!(", {} ignored", count.ignored)
    } else {
        String::new()
    };
    format!(
        "--- {:<9} {outcome:<7} {:>6.1} s  {} passed, {} failed{ignored}",
        part.name(),
        time.as_secs_f64(),
        count.passed,
        count.failed
    )
}

const RUMQTTD: &str = "examples/rumqttd/Cargo.toml";
/// The packages that are no part of the workspace.
const OF_THEIR_OWN: [&str; 3] = [RUMQTTD, fuzz::MANIFEST, rmqtt::MANIFEST];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_cargo_test_is_counted() {
        let line = "test result: FAILED. 3 passed; 2 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.00s";
        let count = Count {
            passed: 3,
            failed: 2,
            ignored: 1,
            skipped: false,
        };
        assert_eq!(result(line), Some(count));
    }

    #[test]
    fn any_other_line_is_not_counted() {
        assert_eq!(result(""), None);
        assert_eq!(result("test result_of_login ... ok"), None);
    }
}
