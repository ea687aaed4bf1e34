//! Every misuse that `tests/capi/misuse.c` knows, watched.

use crate::clang::{Build, Compiler, command, compile, printed, under_valgrind};

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

/// The two watchers do watch: a program that errs on its own side is found out.
#[test]
fn the_watchers_watch() {
    let (program, _folder) = compile(Compiler::Gcc, Build::Asan, "tests/capi/errs.c");
    assert!(!command(&program).output().unwrap().status.success());
    let (program, _folder) = compile(Compiler::Gcc, Build::Shared, "tests/capi/errs.c");
    let watched = under_valgrind(&program).output().unwrap();
    assert_eq!(watched.status.code(), Some(99));
}
