//! The list of what is built in, as CycloneDX 1.5 writes it.

use std::fs;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::components::{Component, Components, Part};
use crate::command::VERSION;

/// The whole document, made at `moment`.
pub fn cyclonedx(components: &Components, moment: &str) -> Result<Value> {
    let mut listed = Vec::new();
    let mut dependencies = Vec::new();
    for (key, component) in &components.0 {
        listed.push(library(key, component));
        let mut needs: Vec<_> = component.needs.iter().map(purl).collect();
        if key.0 == "libsqlite3-sys" {
            let (sqlite, reference) = sqlite(component)?;
            listed.push(sqlite);
            dependencies.push(json!({ "ref": reference, "dependsOn": [] }));
            needs.push(reference);
        }
        dependencies.push(json!({ "ref": purl(key), "dependsOn": needs }));
    }
    let shipped: Vec<_> = components
        .0
        .iter()
        .filter(|(_, component)| component.part == Part::BuiltIn && component.checksum.is_none())
        .map(|(key, _)| purl(key))
        .collect();
    dependencies.push(json!({ "ref": ROOT, "dependsOn": shipped }));
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": moment,
            "component": {
                "type": "application",
                "bom-ref": ROOT,
                "name": "countersign",
                "version": VERSION,
            },
        },
        "components": listed,
        "dependencies": dependencies,
    }))
}

/// What is shipped, as a whole.
const ROOT: &str = "countersign";

fn library(key: &(String, String), component: &Component) -> Value {
    let (name, version) = key;
    let mut library = json!({
        "type": "library",
        "bom-ref": purl(key),
        "name": name,
        "version": version,
        "scope": match component.part {
            Part::BuiltIn => "required",
            Part::Building => "excluded",
        },
        "purl": purl(key),
    });
    if let Some(license) = &component.license {
        // Cargo took a slash for `OR` once.
        let expression = license.replace('/', " OR ");
        library["licenses"] = json!([{ "expression": expression }]);
    }
    if let Some(checksum) = &component.checksum {
        library["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
    }
    library
}

/// The SQLite whose sources a crate brings along, and what it is called.
fn sqlite(component: &Component) -> Result<(Value, String)> {
    let header = component.folder.join("sqlite3/sqlite3.h");
    let text = fs::read_to_string(&header).with_context(|| format!("no {}", header.display()))?;
    let version = text
        .lines()
        .find_map(|line| line.strip_prefix("#define SQLITE_VERSION "))
        .context("sqlite3.h names no version")?
        .trim()
        .trim_matches('"');
    let purl = format!("pkg:generic/sqlite@{version}");
    let sqlite = json!({
        "type": "library",
        "bom-ref": purl,
        "name": "sqlite",
        "version": version,
        "scope": "required",
        "purl": purl,
        "licenses": [{ "license": { "name": "public domain" } }],
    });
    Ok((sqlite, purl))
}

fn purl((name, version): &(String, String)) -> String {
    format!("pkg:cargo/{name}@{version}")
}

#[cfg(test)]
mod tests {
    use super::super::components::tests::sample;
    use super::*;

    #[test]
    fn nothing_is_listed_of_nothing() {
        let document = cyclonedx(&Components::default(), "1970-01-01T00:00:00Z").unwrap();
        assert_eq!(document["components"], json!([]));
        assert_eq!(document["metadata"]["timestamp"], "1970-01-01T00:00:00Z");
    }

    #[test]
    fn each_component_says_where_it_is_from_and_what_it_is_for() {
        let document = cyclonedx(&sample(), "").unwrap();
        assert_eq!(
            document["components"][1],
            json!({
                "type": "library", "bom-ref": "pkg:cargo/parser@1.0.0", "name": "parser",
                "version": "1.0.0", "scope": "required", "purl": "pkg:cargo/parser@1.0.0",
                "licenses": [{ "expression": "MIT OR Apache-2.0" }],
                "hashes": [{ "alg": "SHA-256", "content": "ab" }],
            })
        );
        assert_eq!(document["components"][3]["scope"], "excluded");
    }

    #[test]
    fn whatever_is_needed_is_listed() {
        let document = cyclonedx(&sample(), "").unwrap();
        let listed: Vec<_> = document["components"]
            .as_array()
            .unwrap()
            .iter()
            .map(|component| &component["bom-ref"])
            .collect();
        for entry in document["dependencies"].as_array().unwrap() {
            for need in entry["dependsOn"].as_array().unwrap() {
                assert!(listed.contains(&need), "{need}");
            }
        }
    }
}
