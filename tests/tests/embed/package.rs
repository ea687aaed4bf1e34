//! What is packaged: the header, the symbols, and flags that link.

use std::process::Command;

use countersign_testkit::artifacts::workspace;

use crate::clang::{Build, Compiler, command, compile, flags, prefix, printed};

#[test]
fn the_header_is_c11_and_cpp17_and_may_be_included_twice() {
    let folder = tempfile::tempdir().unwrap();
    let include = format!("-I{}", prefix().join("include").display());
    for (compiler, standard, name) in [
        ("gcc", "-std=c11", "twice.c"),
        ("clang", "-std=c11", "twice.c"),
        ("g++", "-std=c++17", "twice.cpp"),
        ("clang++", "-std=c++17", "twice.cpp"),
    ] {
        let file = folder.path().join(name);
        let text = "#include <countersign.h>\n#include <countersign.h>\n\
                    int main() { return countersign_text(\"x\").length == 1 ? 0 : 1; }\n";
        std::fs::write(
            &file,
            text.replace(
                "main()",
                if name == "twice.c" {
                    "main(void)"
                } else {
                    "main()"
                },
            ),
        )
        .unwrap();
        printed(
            Command::new(compiler)
                .args([standard, "-Wall", "-Wextra", "-Wpedantic", "-Werror"])
                .args(["-fsyntax-only", &include])
                .arg(&file),
        );
    }
}

#[test]
fn each_crate_comes_with_its_licence_texts() {
    let crates = std::fs::read_dir(prefix().join("share/countersign/crates")).unwrap();
    let mut count = 0;
    for folder in crates.map(|entry| entry.unwrap().path()) {
        for name in ["LICENSE-APACHE", "LICENSE-MIT"] {
            let [text, ours] = [folder.join(name), workspace().join(name)];
            let [text, ours] = [text, ours].map(|path| std::fs::read_to_string(path).unwrap());
            assert_eq!(text, ours, "{}", folder.display());
        }
        count += 1;
    }
    assert!(count > 5, "{count}");
}

#[test]
fn the_shared_library_exports_its_functions_alone() {
    let library = prefix().join("lib/libcountersign.so");
    let symbols = printed(
        Command::new("nm")
            .args(["--dynamic", "--defined-only", "--format=just-symbols"])
            .arg(library),
    );
    let header = std::fs::read_to_string(prefix().join("include/countersign.h")).unwrap();
    let mut count = 0;
    for symbol in symbols.lines() {
        assert!(symbol.starts_with("countersign_"), "{symbol}");
        assert!(
            header.contains(&format!("{symbol}(")),
            "{symbol} is in the header"
        );
        count += 1;
    }
    assert!(count > 20, "{count}");
}

#[test]
fn the_shared_library_goes_by_its_version() {
    let library = prefix().join("lib/libcountersign.so");
    let told = printed(Command::new("readelf").arg("--dynamic").arg(library));
    assert!(told.contains("soname: [libcountersign.so.0.1]"), "{told}");
    assert!(prefix().join("lib/libcountersign.so.0.1").is_file());
    let version = printed(
        Command::new("pkg-config")
            .args(["--modversion", "countersign"])
            .env("PKG_CONFIG_PATH", prefix().join("lib/pkgconfig")),
    );
    assert_eq!(version.trim(), env!("CARGO_PKG_VERSION"));
}

#[test]
fn a_program_links_with_what_pkg_config_prints_shared_and_static() {
    assert!(flags(&["--libs"]).contains(&"-lcountersign".to_owned()));
    for compiler in Compiler::ALL {
        for build in [Build::Shared, Build::Static] {
            let (program, folder) = compile(compiler, build, "examples/c/embed.c");
            let needed = printed(Command::new("readelf").arg("--dynamic").arg(&program));
            assert_eq!(
                needed.contains("libcountersign.so.0.1"),
                build == Build::Shared
            );
            let said = printed(command(&program).arg(folder.path().join("store.db")));
            assert!(said.contains("admitted dev1@acme"), "{said}");
        }
    }
}
