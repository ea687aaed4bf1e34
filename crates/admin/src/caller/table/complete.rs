//! That the table has all commands.

use std::fs;
use std::path::Path;

use super::*;

#[test]
fn no_command_is_missing_in_the_table() {
    let mut fixture = furnished();
    let listed: BTreeSet<_> = table(&mut fixture)
        .into_iter()
        .map(|(name, ..)| name.to_owned())
        .collect();
    let mut written = BTreeSet::new();
    commands_below(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut written,
    );
    // It is a part of a deletion, and no door has it.
    written.remove("CountBelongings");
    assert_eq!(listed, written);
}

/// The commands that the source text implements.
fn commands_below(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            commands_below(&path, found);
            continue;
        }
        for line in fs::read_to_string(path).unwrap().lines() {
            let Some((start, name)) = line.split_once("Command for ") else {
                continue;
            };
            // One that holds another command has that as a parameter.
            if start.starts_with("impl") {
                found.extend(name.split(['<', ' ']).next().map(str::to_owned));
            }
        }
    }
}
