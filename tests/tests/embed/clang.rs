//! C compilers and what they make, against the packaged library.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use countersign_testkit::artifacts::workspace;
use tempfile::TempDir;

/// A compiler of C.
#[derive(Clone, Copy, Debug)]
pub enum Compiler {
    Clang,
    Gcc,
}

impl Compiler {
    pub const ALL: [Self; 2] = [Self::Clang, Self::Gcc];

    fn program(self) -> &'static str {
        match self {
            Self::Clang => "clang",
            Self::Gcc => "gcc",
        }
    }
}

/// How a program is linked, and what watches over it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Build {
    /// AddressSanitizer, with leaks.
    Asan,
    /// Against the shared library.
    Shared,
    /// Against the archive, with nothing shared at all.
    Static,
}

/// What `cargo xtask dist` was told to fill.
pub fn prefix() -> PathBuf {
    let prefix = env::var_os("COUNTERSIGN_DIST")
        .map_or_else(|| workspace().join("target/dist"), PathBuf::from);
    assert!(
        prefix.join("include/countersign.h").is_file(),
        "there is no {}: run `cargo xtask test --only embed`",
        prefix.display()
    );
    prefix
}

/// What pkg-config prints.
pub fn flags(arguments: &[&str]) -> Vec<String> {
    let output = Command::new("pkg-config")
        .args(arguments)
        .arg("countersign")
        .env("PKG_CONFIG_PATH", prefix().join("lib/pkgconfig"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().map(str::to_owned).collect()
}

/// Compiles `source` (from the root of the repository) with every warning an
/// error; where it is, and the folder it goes with.
pub fn compile(compiler: Compiler, build: Build, source: &str) -> (PathBuf, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    let mut compile = Command::new(compiler.program());
    compile.args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]);
    compile.args(["-D_GNU_SOURCE", "-gdwarf-4", "-O1", "-pthread"]);
    compile.arg(workspace().join(source));
    match build {
        Build::Asan => {
            compile
                .arg("-fsanitize=address")
                .args(flags(&["--cflags", "--libs"]));
        }
        Build::Shared => {
            compile.args(flags(&["--cflags", "--libs"]));
        }
        Build::Static => {
            compile
                .args(flags(&["--static", "--cflags", "--libs"]))
                .arg("-static");
        }
    }
    compile.arg("-o").arg(&program);
    let output = compile.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    (program, folder)
}

/// A command that runs a program against the packaged library.
pub fn command(program: &Path) -> Command {
    with_library(Command::new(program))
}

/// The same under Valgrind: any error or leak ends it with 99.
pub fn under_valgrind(program: &Path) -> Command {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--quiet", "--error-exitcode=99", "--leak-check=full"]);
    valgrind
        .arg("--show-leak-kinds=all")
        .arg("--errors-for-leak-kinds=all");
    valgrind.arg(program);
    with_library(valgrind)
}

fn with_library(mut command: Command) -> Command {
    command.env("LD_LIBRARY_PATH", prefix().join("lib"));
    command
}

/// Runs a command to its end; what it printed. It must succeed.
#[track_caller]
pub fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
