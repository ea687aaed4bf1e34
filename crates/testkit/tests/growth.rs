//! What `docs/SAFETY.md` says of all that may grow is held by tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const TITLE: &str = "\n## What may grow, and how far\n";

/// Where sources of tests are.
const SOURCES: [&str; 4] = ["crates", "mosquitto-plugin", "tests", "xtask"];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The functions that are defined in the sources below a folder.
fn add_functions(folder: &Path, functions: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("target") {
                add_functions(&path, functions);
            }
        } else if path.extension().is_some_and(|it| it == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let is_part = |it: char| it.is_alphanumeric() || it == '_';
            for after in text.split("fn ").skip(1) {
                functions.insert(after.chars().take_while(|it| is_part(*it)).collect());
            }
        }
    }
}

/// What an entry stands for, and the tests that it names.
fn entries(section: &str) -> Vec<(&str, Vec<&str>)> {
    let rows = section.lines().filter_map(|line| {
        let cells = line.strip_prefix("| ")?.strip_suffix(" |")?;
        let cells: Vec<_> = cells.split(" | ").collect();
        let (what, tests) = (*cells.first()?, *cells.last()?);
        (tests != "test").then(|| {
            assert_eq!(cells.len(), 5, "{what}");
            // What stands between grave accents.
            (what, tests.split('`').skip(1).step_by(2).collect())
        })
    });
    rows.collect()
}

#[test]
fn every_entry_of_what_may_grow_is_held_by_a_test() {
    let text = fs::read_to_string(root().join("docs/SAFETY.md")).unwrap();
    let (_, section) = text.split_once(TITLE).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let entries = entries(section);
    assert!(entries.len() > 30, "{}", entries.len());
    let mut functions = BTreeSet::new();
    for folder in SOURCES {
        add_functions(&root().join(folder), &mut functions);
    }
    for (what, tests) in entries {
        assert!(!tests.is_empty(), "no test holds: {what}");
        for test in tests {
            assert!(
                functions.contains(test),
                "{what}: there is no test `{test}`"
            );
        }
    }
}
