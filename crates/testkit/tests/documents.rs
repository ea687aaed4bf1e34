//! What the documents say is held by tests, and what they link to is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

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

fn functions_of(folders: &[&str]) -> BTreeSet<String> {
    let mut functions = BTreeSet::new();
    for folder in folders {
        add_functions(&root().join(folder), &mut functions);
    }
    functions
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

/// What `docs/SAFETY.md` says of what may grow.
fn what_may_grow() -> String {
    let text = fs::read_to_string(root().join("docs/SAFETY.md")).unwrap();
    let (_, section) = text.split_once(TITLE).unwrap();
    section.split("\n## ").next().unwrap().to_owned()
}

/// A test of the SQLite store compares the rows of `docs/store.md` with its schema.
#[test]
fn each_table_that_a_client_makes_grow_has_its_bound_in_both_documents() {
    let section = what_may_grow();
    let (_, in_store) = section.split_once("| in the store |").unwrap();
    let entries = entries(in_store);
    let bounded: BTreeSet<&str> = entries
        .iter()
        .filter_map(|(what, _)| what.strip_prefix('`')?.split('`').next())
        .collect();
    let page = fs::read_to_string(root().join("docs/store.md")).unwrap();
    let mut tables = BTreeSet::new();
    for line in page.lines() {
        let cells: Vec<_> = line.split(" | ").collect();
        let [name, _, bound, who, _] = cells.as_slice() else {
            continue;
        };
        let Some(name) = name.strip_prefix("| `").and_then(|it| it.strip_suffix('`')) else {
            continue;
        };
        tables.insert(name);
        if !["administrators", "nobody"].contains(who) {
            assert!(bounded.contains(name), "`{name}` grows by {who}");
            assert!(*bound != "none", "`{name}` grows by {who}, without a bound");
        }
    }
    assert!(tables.len() > 30, "{tables:?}");
    let unknown: Vec<_> = bounded.difference(&tables).collect();
    assert!(unknown.is_empty(), "no table of a store: {unknown:?}");
}

#[test]
fn every_entry_of_what_may_grow_is_held_by_a_test() {
    let section = what_may_grow();
    let entries = entries(&section);
    assert!(entries.len() > 30, "{}", entries.len());
    let functions = functions_of(&SOURCES);
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

/// The row of the behaviours that begins this text, as `K26`.
fn row_of(text: &str) -> Option<String> {
    let (system, rest) = text.split_at_checked(1)?;
    let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let is_row = "KTIVD".contains(&system.to_uppercase()) && !number.is_empty();
    is_row.then(|| format!("{}{number}", system.to_uppercase()))
}

#[test]
fn the_rows_that_are_met_are_those_that_have_a_test() {
    let text = fs::read_to_string(root().join("docs/behaviours.md")).unwrap();
    let (mut rows, mut met) = (Vec::new(), BTreeSet::new());
    for line in text.lines() {
        let Some(cells) = line.strip_prefix("| ").and_then(|it| it.strip_suffix(" |")) else {
            continue;
        };
        let cells: Vec<_> = cells.split(" | ").collect();
        let (first, state) = (*cells.first().unwrap(), *cells.last().unwrap());
        if let Some(row) = row_of(first) {
            assert_eq!(cells.len(), 3, "{row}");
            let states = ["met", "later", "not met"];
            let is_state = |it: &&str| {
                state
                    .strip_prefix(*it)
                    .is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
            };
            assert!(states.iter().any(is_state), "{row}: {state}");
            if state.starts_with("met") {
                met.insert(row.clone());
            }
            rows.push(row);
        }
    }
    let all = [("K", 37), ("T", 21), ("I", 30), ("V", 31), ("D", 47)];
    let all = all
        .iter()
        .flat_map(|(system, most)| (1..=*most).map(move |it| format!("{system}{it}")));
    assert_eq!(rows, all.collect::<Vec<_>>());
    let tests = functions_of(&["tests/tests/e2e"]);
    let of_a_row = |test: &String| {
        let row = row_of(test)?;
        test.get(row.len()..)?.starts_with('_').then_some(row)
    };
    let tested: BTreeSet<_> = tests.iter().filter_map(of_a_row).collect();
    assert_eq!(met, tested);
}

/// Where documents are; all but the first are in the book.
const FOLDERS: [&str; 4] = ["", "docs", "docs/decisions", "docs/reference"];

/// The documents in a folder.
fn documents(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|it| it == "md"))
}

/// The name of a title in a link.
fn anchor_of(title: &str) -> String {
    let kept = |it: &char| it.is_alphanumeric() || [' ', '-', '_'].contains(it);
    let title = title.trim_start_matches('#').trim().to_lowercase();
    title
        .chars()
        .filter(kept)
        .map(|it| if it == ' ' { '-' } else { it })
        .collect()
}

#[test]
fn every_link_of_a_document_leads_somewhere() {
    let folders = FOLDERS.map(|folder| root().join(folder));
    let mut count = 0;
    for document in folders.iter().flat_map(|folder| documents(folder)) {
        let text = fs::read_to_string(&document).unwrap();
        for link in text.split("](").skip(1) {
            let link = link.split(')').next().unwrap();
            if link.contains("://") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => document.clone(),
                path => document.parent().unwrap().join(path),
            };
            assert!(target.exists(), "{}: {link}", document.display());
            if !anchor.is_empty() {
                let linked = fs::read_to_string(&target).unwrap();
                let mut titles = linked.lines().filter(|line| line.starts_with('#'));
                assert!(
                    titles.any(|title| anchor_of(title) == anchor),
                    "{}: {link}",
                    document.display()
                );
            }
            count += 1;
        }
    }
    assert!(count > 30, "{count}");
}

#[test]
fn the_summary_names_every_page_once() {
    let docs = root().join("docs");
    let summary = fs::read_to_string(docs.join("SUMMARY.md")).unwrap();
    let links = summary.split("](").skip(1);
    let mut named: Vec<_> = links
        .map(|link| docs.join(link.split(')').next().unwrap()))
        .collect();
    named.sort();
    let folders = FOLDERS[1..].iter().map(|folder| root().join(folder));
    let mut pages: Vec<_> = folders.flat_map(|folder| documents(&folder)).collect();
    pages.retain(|page| !page.ends_with("SUMMARY.md"));
    pages.sort();
    assert_eq!(named, pages);
}

/// All that the sources say, for looking names up.
fn add_words(folder: &Path, words: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            add_words(&path, words);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let is_part = |it: char| it.is_alphanumeric() || it == '_';
            words.extend(text.split(|it| !is_part(it)).map(Into::into));
        }
    }
}

#[test]
fn every_type_of_the_glossary_is_in_the_sources() {
    let text = fs::read_to_string(root().join("docs/glossary.md")).unwrap();
    let mut words = BTreeSet::new();
    add_words(&root().join("crates"), &mut words);
    let mut count = 0;
    for name in text.split('`').skip(1).step_by(2) {
        let is_type = name.starts_with(char::is_uppercase) && name.contains(char::is_lowercase);
        for part in name.split("::").filter(|_| is_type) {
            assert!(words.contains(part), "there is no `{name}`");
            count += 1;
        }
    }
    assert!(count > 100, "{count}");
}

/// The files of the repository below a folder, by their paths in it.
fn add_files(folder: &Path, files: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            add_files(&path, files);
        } else {
            files.push(path.display().to_string());
        }
    }
}

#[test]
fn every_source_that_a_document_names_is_there() {
    let mut files = Vec::new();
    for folder in [
        "bench",
        "crates",
        "docs",
        "mosquitto-plugin",
        "tests",
        "xtask",
    ] {
        add_files(&root().join(folder), &mut files);
    }
    let mut count = 0;
    for document in ["CONTRIBUTING.md", "docs/ARCHITECTURE.md", "docs/SAFETY.md"] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        let is_part = |it: char| it.is_ascii_alphanumeric() || "_-./".contains(it);
        for name in text.split('`').skip(1).step_by(2) {
            if name.ends_with(".rs") && name.chars().all(is_part) {
                let end = format!("/{name}");
                assert!(
                    files.iter().any(|it| it.ends_with(&end)),
                    "{document}: `{name}`"
                );
                count += 1;
            }
        }
    }
    assert!(count > 50, "{count}");
}
