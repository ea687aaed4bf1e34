//! `cargo xtask fuzz`: runs `tests/fuzz` under libFuzzer, two targets at a time.
//!
//! The stable compiler can count coverage; what it can't have is a sanitizer,
//! which safe code does not miss. A corpus is one file for each target, an
//! input in hex to a line, so that it can be read and compared.

use std::env;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::command::{cargo, read, run, target, with_lints, workspace};

/// The package.
pub const MANIFEST: &str = "tests/fuzz/Cargo.toml";

/// What is fuzzed, and how long.
#[derive(Args, Debug, Default)]
pub struct Options {
    /// Run this target alone; may be given more than once
    #[arg(long, value_name = "T")]
    target: Vec<String>,
    /// So long for each target; 20 for files of other systems, and 10 for all else, if
    /// nothing is said
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// Write what was learned into the corpus, minimised
    #[arg(long)]
    keep: bool,
    /// Run the one target on this input, and nothing else
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
}

/// Those that read files of other systems. What is in them is the largest language of all.
const FILES: [&str; 7] = [
    "acl_file",
    "config",
    "csv",
    "dynamic_security",
    "export",
    "go_auth",
    "passwords",
];

/// How long a target runs, if nothing is said.
fn usual_seconds(target: &str) -> u64 {
    if FILES.contains(&target) { 20 } else { 10 }
}

/// Builds, runs, and tells of each target what it came to. A crash, a hang or
/// too much memory is an error that names the input.
pub fn fuzz(options: &Options) -> Result<()> {
    let program = build()?;
    let known = targets()?;
    let wanted: Vec<String> = if options.target.is_empty() {
        known.clone()
    } else {
        options.target.clone()
    };
    for name in &wanted {
        ensure!(
            known.contains(name),
            "there is no target `{name}`; use one of {}",
            known.join(", ")
        );
    }
    let scratch = tempfile::tempdir()?;
    if let Some(input) = &options.input {
        let [name] = wanted.as_slice() else {
            bail!("`--input` needs one `--target`");
        };
        // The folder that a relative path is meant from.
        let input = env::current_dir()?.join(input);
        return run(fuzzer(&program, name, scratch.path()).arg(input));
    }
    let queue = Mutex::new(wanted.into_iter());
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(name) = queue.lock().ok().and_then(|mut queue| queue.next()) {
                    if let Err(error) = one(&program, &name, options, scratch.path()) {
                        eprintln!("error: {name}: {error:#}");
                        if let Ok(mut failed) = failed.lock() {
                            failed.push(name);
                        }
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_default();
    ensure!(failed.is_empty(), "fuzzing failed: {}", failed.join(", "));
    Ok(())
}

/// Builds with coverage counters in everything but build scripts.
fn build() -> Result<PathBuf> {
    let triple = read(Command::new("rustc").args(["--version", "--verbose"]))?
        .lines()
        .find_map(|line| line.strip_prefix("host: ").map(str::to_owned))
        .context("rustc names no host")?;
    let folder = target()?.join("fuzz");
    let flags = [
        "-Cpasses=sancov-module",
        "-Cllvm-args=-sanitizer-coverage-level=4",
        "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
        "-Cllvm-args=-sanitizer-coverage-pc-table",
        "-Cllvm-args=-sanitizer-coverage-trace-compares",
        "--cfg=fuzzing",
    ];
    let mut build = cargo();
    build
        .args(["build", "--release", "--locked", "--quiet"])
        .args(["--manifest-path", MANIFEST, "--target", &triple])
        .env("CARGO_TARGET_DIR", &folder)
        .env("RUSTFLAGS", flags.join(" "));
    run(with_lints(&mut build))?;
    Ok(folder.join(triple).join("release/countersign-fuzz"))
}

/// The names of all targets: each has a corpus.
fn targets() -> Result<Vec<String>> {
    let mut names: Vec<String> = fs::read_dir(corpora())?
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            name.strip_suffix(".hex").map(str::to_owned)
        })
        .collect();
    names.sort();
    Ok(names)
}

fn corpora() -> PathBuf {
    workspace().join("tests/fuzz/corpus")
}

fn fuzzer(program: &Path, name: &str, scratch: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env("COUNTERSIGN_FUZZ_TARGET", name)
        // Where stores are made that nobody removes.
        .env("TMPDIR", scratch)
        .args(["-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1"]);
    command
}

fn one(program: &Path, name: &str, options: &Options, scratch: &Path) -> Result<()> {
    let start = Instant::now();
    let corpus = scratch.join(name);
    fs::create_dir(&corpus)?;
    let file = corpora().join(format!("{name}.hex"));
    let text = fs::read_to_string(&file)?;
    for (number, line) in text.lines().enumerate() {
        fs::write(corpus.join(number.to_string()), from_hex(line)?)?;
    }
    let seconds = options.seconds.unwrap_or_else(|| usual_seconds(name));
    let found = target()?.join("fuzz/found");
    fs::create_dir_all(&found)?;
    let log = scratch.join(format!("{name}.log"));
    let output = File::create(&log)?;
    let status = fuzzer(program, name, scratch)
        .arg(format!("-max_total_time={seconds}"))
        .arg("-seed=1")
        .arg(format!("-artifact_prefix={}/{name}-", found.display()))
        .arg(&corpus)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .status()
        .context("cannot run the fuzzer")?;
    let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    if !status.success() {
        let lines: Vec<&str> = said.lines().collect();
        let from = lines
            .iter()
            .position(|line| line.contains("panicked at") || line.starts_with("=="))
            .unwrap_or_else(|| lines.len().saturating_sub(30));
        for line in lines.iter().skip(from).take(60) {
            eprintln!("    {line}");
        }
        bail!(
            "{status}; repeat it with `cargo xtask fuzz --target {name} --input FILE`, the file \
             that the last lines name"
        );
    }
    let stat = |key: &str| {
        let mut lines = said.lines().rev();
        lines.find_map(|line| line.strip_prefix(key).map(|value| value.trim().to_owned()))
    };
    let edges = said
        .lines()
        .rev()
        .find_map(|line| line.split("cov: ").nth(1)?.split(' ').next())
        .unwrap_or("?");
    println!(
        "{name:<10} {:>10} inputs in {:>4} s, {edges} edges, {} MiB, no failure",
        stat("stat::number_of_executed_units:").unwrap_or_default(),
        start.elapsed().as_secs(),
        stat("stat::peak_rss_mb:").unwrap_or_default(),
    );
    if options.keep {
        keep(program, name, &corpus, &file, scratch)?;
    }
    Ok(())
}

/// Writes the smallest inputs that reach what the corpus reaches.
fn keep(program: &Path, name: &str, corpus: &Path, file: &Path, scratch: &Path) -> Result<()> {
    let least = scratch.join(format!("{name}.least"));
    fs::create_dir(&least)?;
    read(
        fuzzer(program, name, scratch)
            .arg("-merge=1")
            .arg(&least)
            .arg(corpus),
    )?;
    let mut inputs = Vec::new();
    for entry in fs::read_dir(&least)? {
        inputs.push(fs::read(entry?.path())?);
    }
    inputs.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    let mut text = String::new();
    for input in inputs {
        if text.len() + 2 * input.len() + 1 > LARGEST {
            break;
        }
        for byte in input {
            write!(text, "{byte:02x}")?;
        }
        text.push('\n');
    }
    Ok(fs::write(file, text)?)
}

fn from_hex(line: &str) -> Result<Vec<u8>> {
    let digits = line.as_bytes().chunks(2);
    digits
        .map(|pair| {
            let pair = str::from_utf8(pair)?;
            u8::from_str_radix(pair, 16).with_context(|| format!("`{pair}` is not a byte in hex"))
        })
        .collect()
}

/// So large a corpus is committed, in bytes.
const LARGEST: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_of_another_system_has_a_target() {
        let known = targets().unwrap();
        for name in FILES {
            assert!(known.iter().any(|target| target == name), "{name}");
        }
    }
}
