//! What the packages hold.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::fixture::{debs, done, packages};

/// The files of a package: each with its mode and owner, and its path.
fn listed(deb: &str) -> Vec<(String, String)> {
    let told = done(
        Command::new("dpkg-deb")
            .arg("--contents")
            .arg(packages().join(deb)),
    );
    let lines = told.lines().map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        (words[..2].join(" "), words[5].to_owned())
    });
    lines.collect()
}

fn unpacked() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for deb in debs(&packages()) {
        let deb = packages().join(deb);
        done(
            Command::new("dpkg-deb")
                .arg("--extract")
                .arg(deb)
                .arg(folder.path()),
        );
    }
    folder
}

#[test]
fn every_file_is_roots_and_nobody_else_may_write_it() {
    for deb in debs(&packages()) {
        for (who, path) in listed(&deb) {
            let fits = [
                "drwxr-xr-x root/root",
                "-rw-r--r-- root/root",
                "-rwxr-xr-x root/root",
                "lrwxrwxrwx root/root",
            ]
            .contains(&who.as_str());
            assert!(fits, "{deb}: {who} {path}");
            assert_eq!(
                who.starts_with("-rwx"),
                path == "./usr/bin/countersign",
                "{path}"
            );
        }
    }
}

#[test]
fn nothing_is_installed_that_a_program_loads_by_itself() {
    for deb in debs(&packages()) {
        for (_, path) in listed(&deb) {
            let live = ["./etc/", "./lib/", "./var/"]
                .iter()
                .any(|start| path.starts_with(start));
            assert!(!live, "{deb}: {path}");
        }
    }
}

#[test]
fn the_example_opens_and_changes_no_listener() {
    let folder = unpacked();
    let example = folder
        .path()
        .join("usr/share/doc/mosquitto-countersign/countersign.conf.example");
    let example = fs::read_to_string(example).unwrap();
    assert!(
        example.contains("\nplugin /usr/lib/countersign/"),
        "{example}"
    );
    let words: Vec<_> = example
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    for word in [
        "bind_address",
        "listener",
        "per_listener_settings",
        "port",
        "protocol",
    ] {
        assert!(!words.contains(&word), "{word}");
    }
}

#[test]
fn nothing_is_left_for_a_debugger_and_all_that_is_needed_is_named() {
    let folder = unpacked();
    for file in [
        "usr/bin/countersign",
        "usr/lib/countersign/libmosquitto_countersign.so",
    ] {
        let sections = done(
            Command::new("readelf")
                .args(["--sections", "--wide"])
                .arg(folder.path().join(file)),
        );
        assert!(
            !sections.contains(".debug_info") && !sections.contains(".symtab"),
            "{file}"
        );
    }
    for deb in debs(&packages()) {
        let needed = done(
            Command::new("dpkg-deb")
                .arg("--field")
                .arg(packages().join(&deb))
                .arg("Depends"),
        );
        let expected: &[&str] = match deb.split('_').next().unwrap() {
            "libcountersign-dev" => &["libcountersign0 (= "],
            "mosquitto-countersign" => &["mosquitto (>= 2.0.11)", "libc6 (>= "],
            _ => &["libc6 (>= "],
        };
        assert!(
            expected.iter().all(|part| needed.contains(part)),
            "{deb}: {needed}"
        );
    }
}

#[test]
fn the_plugin_exports_what_mosquitto_asks_for_alone() {
    let folder = unpacked();
    let plugin = folder
        .path()
        .join("usr/lib/countersign/libmosquitto_countersign.so");
    let symbols = done(
        Command::new("nm")
            .args(["--dynamic", "--defined-only", "--format=just-symbols"])
            .arg(plugin),
    );
    let symbols: BTreeSet<_> = symbols.lines().collect();
    let expected = [
        "mosquitto_plugin_cleanup",
        "mosquitto_plugin_init",
        "mosquitto_plugin_version",
    ];
    assert_eq!(symbols, BTreeSet::from(expected));
}

#[test]
fn a_program_is_compiled_against_the_packages_shared_and_static() {
    let folder = unpacked();
    let root = folder.path();
    let libraries = fs::read_dir(root.join("usr/lib")).unwrap();
    let mut libraries = libraries.map(|entry| entry.unwrap().path());
    let libraries = libraries
        .find(|path| path.join("pkgconfig").is_dir())
        .unwrap();
    for kind in ["shared", "static"] {
        let mut flags = Command::new("pkg-config");
        flags.args(["--cflags", "--libs", "countersign"]);
        if kind == "static" {
            flags.arg("--static");
            // As a linker takes the static one where there is no other.
            fs::remove_file(libraries.join("libcountersign.so")).unwrap();
        }
        let flags = done(
            flags
                .env("PKG_CONFIG_SYSROOT_DIR", root)
                .env("PKG_CONFIG_LIBDIR", libraries.join("pkgconfig")),
        );
        let program = root.join(kind);
        let source = root.join("usr/share/doc/libcountersign-dev/examples/embed.c");
        done(
            Command::new("cc")
                .arg(source)
                .args(flags.split_whitespace())
                .arg("-o")
                .arg(&program),
        );
        let said = done(
            Command::new(&program)
                .arg(root.join(format!("{kind}.db")))
                .env("LD_LIBRARY_PATH", &libraries),
        );
        assert!(said.contains("admitted dev1@acme"), "{said}");
    }
}

#[test]
fn apparmor_reads_its_example() {
    let folder = unpacked();
    let doc = folder.path().join("usr/share/doc/mosquitto-countersign");
    let example = fs::read_to_string(doc.join("apparmor.example")).unwrap();
    let profile = folder.path().join("profile");
    fs::write(
        &profile,
        format!("profile mosquitto /usr/sbin/mosquitto {{\n{example}\n}}\n"),
    )
    .unwrap();
    let parser = ["--skip-kernel-load", "--skip-cache", "--preprocess"];
    done(Command::new("apparmor_parser").args(parser).arg(&profile));
    let parser = ["--skip-kernel-load", "--skip-cache"];
    done(Command::new("apparmor_parser").args(parser).arg(profile));
}

#[test]
fn the_tarball_holds_what_the_packages_hold() {
    let folder = unpacked();
    let files = |root: &Path| {
        let listed = done(
            Command::new("find")
                .args([".", "-not", "-type", "d"])
                .current_dir(root),
        );
        let paths = listed.lines().map(str::to_owned);
        paths.collect::<BTreeSet<_>>()
    };
    let expected = files(folder.path());
    let tarball = fs::read_dir(packages()).unwrap();
    let mut tarball = tarball.map(|entry| entry.unwrap().path());
    let tarball = tarball
        .find(|path| path.to_string_lossy().ends_with(".tar.gz"))
        .unwrap();
    let other = tempfile::tempdir().unwrap();
    done(
        Command::new("tar")
            .args(["--extract", "--strip-components=1", "--file"])
            .arg(tarball)
            .arg("--directory")
            .arg(other.path()),
    );
    assert_eq!(files(other.path()), expected);
}

#[test]
fn the_sums_hold_and_name_every_file() {
    let folder = packages();
    done(
        Command::new("sha256sum")
            .args(["--check", "--strict", "SHA256SUMS"])
            .current_dir(&folder),
    );
    let sums = fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    let summed: BTreeSet<_> = sums
        .lines()
        .map(|line| line.split_once("  ").unwrap().1.to_owned())
        .collect();
    let names = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let mut names: BTreeSet<_> = names.map(|name| name.into_string().unwrap()).collect();
    assert!(names.remove("SHA256SUMS"));
    assert_eq!(summed, names);
}

#[test]
fn the_list_of_what_is_built_in_names_sqlite_and_the_crates_with_their_licences() {
    let folder = fs::read_dir(packages()).unwrap();
    let mut folder = folder.map(|entry| entry.unwrap().path());
    let list = folder
        .find(|path| path.to_string_lossy().ends_with(".cdx.json"))
        .unwrap();
    let list: Value = serde_json::from_slice(&fs::read(list).unwrap()).unwrap();
    let components = list["components"].as_array().unwrap();
    for name in ["argon2", "countersign-core", "rusqlite", "sqlite"] {
        let component = components
            .iter()
            .find(|component| component["name"] == name);
        let component = component.unwrap_or_else(|| panic!("no {name}"));
        assert_eq!(component["scope"], "required");
        assert!(component["licenses"][0].is_object(), "{component}");
    }
    // What tests need is not built in.
    assert!(
        components
            .iter()
            .all(|component| component["name"] != "proptest")
    );
}
