//! Every misuse that the programs in `tests/capi` know, watched.

use std::fs;
use std::path::{Path, PathBuf};

use countersign_testkit::Cli;

use crate::clang::{Build, Compiler, command, compile, printed, under_valgrind};

const DEVICES: &str = "tests/capi/devices.c";
const MISUSE: &str = "tests/capi/misuse.c";

fn survives(compiler: Compiler, build: Build) {
    let (program, folder) = compile(compiler, build, MISUSE);
    let said = printed(command(&program).arg(folder.path().join("store.db")));
    assert_eq!(said, "misuse survived\n", "{compiler:?}, {build:?}");
}

#[test]
fn a_program_survives_every_misuse() {
    for compiler in Compiler::ALL {
        survives(compiler, Build::Shared);
    }
}

#[test]
fn address_sanitizer_finds_nothing_in_any_misuse() {
    for compiler in Compiler::ALL {
        survives(compiler, Build::Asan);
    }
}

#[test]
fn valgrind_finds_nothing_in_any_misuse() {
    let (program, folder) = compile(Compiler::Gcc, Build::Shared, MISUSE);
    let said = printed(under_valgrind(&program).arg(folder.path().join("store.db")));
    assert_eq!(said, "misuse survived\n");
}

/// A store as `devices.c` wants it.
fn store_for_devices(folder: &Path) -> PathBuf {
    let cli = Cli::new(folder.join("store.db"));
    let scheme = folder.join("old.toml");
    fs::write(&scheme, OLD).unwrap();
    let scheme = scheme.to_str().unwrap();
    for command in [
        &["init"][..],
        &["tenant", "create", "acme"],
        &["scheme", "add", scheme],
        &["role", "create", "sensor", "--tenant", "acme"],
        &["role", "create", "mute", "--tenant", "acme"],
        &[
            "role", "deny", "mute", "--tenant", "acme", "publish", "acme/x",
        ],
        &[
            "role", "assign", "mute", "--tenant", "acme", "--group", "plant",
        ],
    ] {
        cli.json(command);
    }
    cli.store().into()
}

const OLD: &str = r#"
name = "old"
login_name = "suffixed"
client_id = "any"
secret_shape = "[0-9a-f]{32}"
accepts_shape = "[0-9]{6}"
namespaces = true
"#;

#[test]
fn devices_come_into_service_with_all_that_they_are_to_have() {
    for (compiler, build) in [
        (Compiler::Clang, Build::Shared),
        (Compiler::Gcc, Build::Asan),
    ] {
        let (program, folder) = compile(compiler, build, DEVICES);
        let said = printed(command(&program).arg(store_for_devices(folder.path())));
        assert_eq!(said, "devices in service\n", "{compiler:?}, {build:?}");
    }
}

#[test]
fn valgrind_finds_nothing_in_a_program_that_brings_devices_into_service() {
    let (program, folder) = compile(Compiler::Gcc, Build::Shared, DEVICES);
    let said = printed(under_valgrind(&program).arg(store_for_devices(folder.path())));
    assert_eq!(said, "devices in service\n");
}

/// The two watchers do watch: a program that errs on its own side is found out.
#[test]
fn the_watchers_watch() {
    let (program, _folder) = compile(Compiler::Gcc, Build::Asan, "tests/capi/errs.c");
    assert!(!command(&program).output().unwrap().status.success());
    let (program, _folder) = compile(Compiler::Gcc, Build::Shared, "tests/capi/errs.c");
    let watched = under_valgrind(&program).output().unwrap();
    assert_eq!(watched.status.code(), Some(99));
}
