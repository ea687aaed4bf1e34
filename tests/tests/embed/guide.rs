//! `docs/embedding.md`, followed to the letter in an empty folder with nothing
//! but what was packaged.

use std::fs;
use std::path::Path;
use std::process::Command;

use countersign_testkit::artifacts::workspace;

use crate::clang::{prefix, printed};

/// The block that follows `<!-- MARK -->` in the packaged page.
fn block(mark: &str) -> String {
    let page = fs::read_to_string(prefix().join("share/doc/countersign/embedding.md")).unwrap();
    let (_, rest) = page.split_once(&format!("<!-- {mark} -->\n```")).unwrap();
    let (_, rest) = rest.split_once('\n').unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    block.to_owned()
}

fn write(folder: &Path, file: &str) {
    let text = block(&format!("file: {file}"));
    let path = folder.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let text = text.replace("PREFIX/", &format!("{}/", prefix().display()));
    fs::write(path, text).unwrap();
}

/// Runs what the page says to run, as a newcomer's shell would.
fn run(folder: &Path, name: &str) -> String {
    printed(&mut newcomer(folder, &block(&format!("run: {name}"))))
}

fn newcomer(folder: &Path, script: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-euc", script]);
    shell.current_dir(folder);
    shell.env("PREFIX", prefix());
    for name in [
        "COUNTERSIGN_STORE",
        "CARGO",
        "CARGO_MANIFEST_DIR",
        "RUSTFLAGS",
        "LD_LIBRARY_PATH",
    ] {
        shell.env_remove(name);
    }
    // What was compiled for this test before need not be compiled again.
    shell.env("CARGO_TARGET_DIR", workspace().join("target/newcomer"));
    // Nobody looks at it in a debugger.
    shell.env("CARGO_PROFILE_DEV_DEBUG", "0");
    shell
}

#[test]
fn a_newcomer_gets_to_a_deciding_program_in_c_and_in_rust() {
    let expected = block("prints: c");
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    run(folder, "store");
    write(folder, "host.c");
    assert_eq!(run(folder, "c"), expected);
    write(folder, "Cargo.toml");
    write(folder, "src/main.rs");
    assert_eq!(run(folder, "rust"), expected);

    let example = prefix().join("share/doc/countersign/examples/embed.rs");
    fs::create_dir(folder.join("src/bin")).unwrap();
    fs::copy(example, folder.join("src/bin/embed.rs")).unwrap();
    let mut shell = newcomer(folder, "cargo run --quiet --bin embed -- embed.db");
    let shown = printed(&mut shell);
    assert!(shown.contains("dev1@acme"), "{shown}");
}
