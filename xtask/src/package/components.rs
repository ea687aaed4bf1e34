//! What is built into the programs and libraries, as cargo resolved it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command::{cargo, read, workspace};

/// The packages that are shipped; everything else is built into them.
const SHIPPED: &[&str] = &[
    "countersign-capi",
    "countersign-cli",
    "countersign-mosquitto-plugin",
];

/// Everything that is built into what is shipped, by its name and version.
#[derive(Debug, Default)]
pub struct Components(pub BTreeMap<(String, String), Component>);

/// A package that is built in, or that takes part in building.
#[derive(Debug, PartialEq)]
pub struct Component {
    /// As its manifest says it.
    pub license: Option<String>,
    /// SHA-256 of what the registry handed out; ours come from no registry.
    pub checksum: Option<String>,
    /// Where its sources lie.
    pub folder: PathBuf,
    /// Whether it runs in what is shipped, or takes part in building alone.
    pub part: Part,
    /// The components that it is built of.
    pub needs: BTreeSet<(String, String)>,
}

/// Where a component takes part.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Part {
    /// It is built in.
    BuiltIn,
    /// Its program writes or checks sources while others are built.
    Building,
}

impl Components {
    /// Those of a release build.
    pub fn of_release() -> Result<Self> {
        let metadata = metadata()?;
        let lock = fs::read_to_string(workspace().join("Cargo.lock"))?;
        Self::resolved(&metadata, &toml::from_str(&lock)?, SHIPPED)
    }

    /// Reads what `cargo metadata` and a lock file say of what is built into the
    /// packages called `shipped`.
    fn resolved(metadata: &Value, lock: &toml::Value, shipped: &[&str]) -> Result<Self> {
        let packages: BTreeMap<_, _> = list(&metadata["packages"])?
            .iter()
            .map(|package| (text(&package["id"]), package))
            .collect();
        let nodes: BTreeMap<_, _> = list(&metadata["resolve"]["nodes"])?
            .iter()
            .map(|node| (text(&node["id"]), node))
            .collect();
        let checksums = checksums(lock);
        let mut parts = BTreeMap::new();
        let mut open: Vec<_> = packages
            .iter()
            .filter(|(_, package)| shipped.contains(&text(&package["name"])))
            .map(|(id, _)| (*id, Part::BuiltIn))
            .collect();
        while let Some((id, part)) = open.pop() {
            if parts.get(id).is_some_and(|known| *known <= part) {
                continue;
            }
            parts.insert(id, part);
            let node = nodes.get(id).context("cargo resolved less than it names")?;
            for need in list(&node["deps"])? {
                if let Some(below) = part_of(need) {
                    open.push((text(&need["pkg"]), part.max(below)));
                }
            }
        }
        let mut components = BTreeMap::new();
        for (id, part) in &parts {
            let package = packages.get(id).context("cargo names no such package")?;
            let needs = list(&nodes[id]["deps"])?
                .iter()
                .filter(|need| part_of(need).is_some())
                .filter_map(|need| packages.get(text(&need["pkg"])))
                .map(|package| key(package));
            let manifest = PathBuf::from(text(&package["manifest_path"]));
            let component = Component {
                license: package["license"].as_str().map(str::to_owned),
                checksum: checksums.get(&key(package)).cloned(),
                folder: manifest.parent().context("no folder")?.to_owned(),
                part: *part,
                needs: needs.collect(),
            };
            components.insert(key(package), component);
        }
        Ok(Self(components))
    }

    /// Those that are built in, ours left out.
    pub fn of_others(&self) -> impl Iterator<Item = (&(String, String), &Component)> {
        self.0.iter().filter(|(_, component)| {
            component.part == Part::BuiltIn && component.checksum.is_some()
        })
    }
}

/// What a need is for: to be built in, or to build; tests' needs are neither.
fn part_of(need: &Value) -> Option<Part> {
    let kinds = need["dep_kinds"].as_array()?;
    kinds
        .iter()
        .filter_map(|kind| match kind["kind"].as_str() {
            None => Some(Part::BuiltIn),
            Some("build") => Some(Part::Building),
            Some(_) => None,
        })
        .min()
}

fn key(package: &Value) -> (String, String) {
    (
        text(&package["name"]).to_owned(),
        text(&package["version"]).to_owned(),
    )
}

fn checksums(lock: &toml::Value) -> BTreeMap<(String, String), String> {
    let packages = lock.get("package").and_then(toml::Value::as_array);
    let field = |package: &toml::Value, name| Some(package.get(name)?.as_str()?.to_owned());
    packages
        .into_iter()
        .flatten()
        .filter_map(|package| {
            let key = (field(package, "name")?, field(package, "version")?);
            Some((key, field(package, "checksum")?))
        })
        .collect()
}

fn list(value: &Value) -> Result<&Vec<Value>> {
    value
        .as_array()
        .context("cargo says something else than a list")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What cargo knows of all that is built on this machine. It fetches what is not here yet.
fn metadata() -> Result<Value> {
    let mut metadata = cargo();
    metadata.args(["metadata", "--format-version=1", "--locked"]);
    metadata.args(["--filter-platform", &host()?]);
    Ok(serde_json::from_str(&read(&mut metadata)?)?)
}

/// What rustc calls this machine.
fn host() -> Result<String> {
    let told = read(std::process::Command::new("rustc").arg("-vV"))?;
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc names no host")?.to_owned())
}

#[cfg(test)]
pub mod tests {
    use serde_json::json;

    use super::*;

    /// A program that is built of `parser`, which a crate's program writes a
    /// part of; and tests of it, which need something else.
    pub fn sample() -> Components {
        let package = |name: &str, license: Option<&str>| {
            json!({
                "id": format!("id of {name}"), "name": name, "version": "1.0.0",
                "license": license, "manifest_path": format!("/src/{name}/Cargo.toml"),
            })
        };
        let need = |name: &str, kind: Option<&str>| json!({ "pkg": format!("id of {name}"), "dep_kinds": [{ "kind": kind }] });
        let node = |name: &str, deps: Value| json!({ "id": format!("id of {name}"), "deps": deps });
        let metadata = json!({
            "packages": [
                package("program", Some("MIT")), package("parser", Some("MIT OR Apache-2.0")),
                package("writer", None), package("both", None), package("tester", None),
                package("stranger", None),
            ],
            "resolve": { "nodes": [
                node("program", json!([
                    need("parser", None), need("tester", Some("dev")), need("both", None),
                ])),
                node("parser", json!([need("writer", Some("build"))])),
                node("writer", json!([need("both", None)])),
                node("both", json!([])), node("tester", json!([])), node("stranger", json!([])),
            ] },
        });
        let lock = "[[package]]\nname = \"parser\"\nversion = \"1.0.0\"\nchecksum = \"ab\"\n\
                    [[package]]\nname = \"program\"\nversion = \"1.0.0\"\n";
        Components::resolved(&metadata, &toml::from_str(lock).unwrap(), &["program"]).unwrap()
    }

    #[test]
    fn no_component_needs_a_newer_rust_than_we_say() {
        let metadata = metadata().unwrap();
        let components = Components::of_release().unwrap();
        let minor = |version: &str| -> u32 {
            let mut numbers = version.split('.');
            assert_eq!(numbers.next(), Some("1"), "{version}");
            numbers.next().unwrap().parse().unwrap()
        };
        let ours = minor(env!("CARGO_PKG_RUST_VERSION"));
        let mut asked = 0;
        for package in metadata["packages"].as_array().unwrap() {
            let needed = package["rust_version"].as_str();
            if let Some(needed) = needed.filter(|_| components.0.contains_key(&key(package))) {
                assert!(minor(needed) <= ours, "{:?} needs {needed}", key(package));
                asked += 1;
            }
        }
        assert!(asked > 20, "{asked}");
    }

    #[test]
    fn nothing_is_built_into_nothing() {
        let empty = json!({ "packages": [], "resolve": { "nodes": [] } });
        let lock = toml::from_str("").unwrap();
        let components = Components::resolved(&empty, &lock, &["program"]).unwrap();
        assert!(components.0.is_empty());
    }

    #[test]
    fn what_is_built_in_is_told_from_what_builds_and_from_what_tests() {
        let sample = sample();
        let parts: Vec<_> = sample
            .0
            .iter()
            .map(|((name, _), component)| (name.as_str(), component.part))
            .collect();
        assert_eq!(
            parts,
            [
                ("both", Part::BuiltIn),
                ("parser", Part::BuiltIn),
                ("program", Part::BuiltIn),
                ("writer", Part::Building),
            ]
        );
    }

    #[test]
    fn others_are_those_that_a_registry_handed_out() {
        let sample = sample();
        let others: Vec<_> = sample
            .of_others()
            .map(|((name, _), _)| name.as_str())
            .collect();
        assert_eq!(others, ["parser"]);
    }
}
