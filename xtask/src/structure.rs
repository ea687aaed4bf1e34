//! `cargo xtask structure`: how the crates are built inside, held against
//! `structure.toml`.
//!
//! A module is a file. One depends on another where its paths (`use` and all
//! that begin with `crate`, `self` or `super`) lead there, re-exports followed;
//! tests don't count. A circle is a set of modules each of which depends on all
//! others, by way of others perhaps.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::{Deserialize, Serialize};
use syn::visit::Visit;

use crate::command::workspace;

/// What is printed.
#[derive(Args, Debug, Default)]
pub struct Options {
    /// Print what was measured as JSON
    #[arg(long)]
    json: bool,
    /// Write what was measured as the new limits, where it is better
    #[arg(long)]
    record: bool,
}

/// What holds for all crates, and what each may have at most.
#[derive(Debug, Deserialize, Serialize)]
struct Limits {
    /// Words that the glossary has replaced.
    struck: Vec<String>,
    /// Words that are English, and that no type is called any more.
    struck_types: Vec<String>,
    crates: BTreeMap<String, Measured>,
}

/// What a crate comes to.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Measured {
    /// Modules in the largest circle.
    circle: usize,
    /// Files with more than 400 lines of code, tests left out.
    long_files: usize,
}

/// Measures every crate. Fails where one is worse than its limits, where it is
/// better and that is not written down, and where a struck word is found.
pub fn check(options: &Options) -> Result<()> {
    let file = workspace().join("xtask/structure.toml");
    let text = fs::read_to_string(&file).context("cannot read structure.toml")?;
    let mut limits: Limits = toml::from_str(&text)?;
    let mut problems = Vec::new();
    let mut report = BTreeMap::new();
    for (name, limit) in &mut limits.crates {
        let modules = Modules::read(&workspace().join("crates").join(name).join("src"))?;
        let circle = modules.largest_circle();
        let long = modules.long_files();
        let measured = Measured {
            circle: circle.len(),
            long_files: long.len(),
        };
        if !options.json {
            println!(
                "{name:<14} {:>4} modules {:>6} lines, largest circle {:>2}, long files {:>2}",
                modules.0.len(),
                modules.lines(),
                measured.circle,
                measured.long_files
            );
        }
        if measured.circle > limit.circle {
            problems.push(format!(
                "{name}: a circle of {}: {}",
                circle.len(),
                circle.join(", ")
            ));
        }
        if measured.long_files > limit.long_files {
            problems.push(format!("{name}: long files: {}", long.join(", ")));
        }
        let is_better = measured.circle < limit.circle || measured.long_files < limit.long_files;
        if is_better && !options.record {
            problems.push(format!(
                "{name} is better than its limits; `cargo xtask structure --record` writes them down"
            ));
        }
        limit.circle = limit.circle.min(measured.circle);
        limit.long_files = limit.long_files.min(measured.long_files);
        report.insert(name.clone(), (measured, circle, long));
    }
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    }
    problems.extend(struck_words(&limits)?);
    if options.record {
        fs::write(&file, toml::to_string(&limits)?)?;
    }
    if !problems.is_empty() {
        bail!("{}", problems.join("\n"));
    }
    Ok(())
}

/// Where words stand that the glossary has replaced.
fn struck_words(limits: &Limits) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for folder in ["crates", "docs"] {
        for path in files(&workspace().join(folder), &["rs", "md"])? {
            let text = fs::read_to_string(&path)?;
            for (number, line) in text.lines().enumerate() {
                if let Some(word) = struck_word(line, limits) {
                    let shown = path.strip_prefix(workspace())?.display().to_string();
                    found.push(format!("{shown}:{}: the struck word `{word}`", number + 1));
                }
            }
        }
    }
    Ok(found)
}

fn struck_word<'a>(line: &'a str, limits: &Limits) -> Option<&'a str> {
    let is_of = |list: &[String], word: &str| list.iter().any(|it| it == word);
    let mut before = "";
    line.split(|letter: char| !letter.is_alphanumeric())
        .find(|&word| {
            let names_type = matches!(before, "enum" | "struct" | "trait" | "type");
            before = word;
            is_of(&limits.struck, word) || names_type && is_of(&limits.struck_types, word)
        })
}

/// The modules of a crate by their paths, the root's is empty.
struct Modules(BTreeMap<Vec<String>, Module>);

#[derive(Default)]
struct Module {
    /// Lines of code, tests left out.
    lines: usize,
    /// Absolute paths that are used.
    used: BTreeSet<Vec<String>>,
    /// What is re-exported: name, and the absolute path it leads to.
    exported: BTreeMap<String, Vec<String>>,
}

impl Modules {
    fn read(source: &Path) -> Result<Self> {
        let mut modules = BTreeMap::new();
        for path in files(source, &["rs"])? {
            let mut name: Vec<String> = path
                .strip_prefix(source)?
                .with_extension("")
                .iter()
                .map(|part| part.to_string_lossy().into_owned())
                .collect();
            if name == ["lib"] || name == ["main"] {
                name.clear();
            }
            if name.iter().any(|it| it == "tests" || it == "fixture") {
                continue;
            }
            let text = fs::read_to_string(&path)?;
            let parsed = syn::parse_file(&text)
                .with_context(|| format!("cannot parse {}", path.display()))?;
            let mut module = Module {
                lines: text
                    .lines()
                    .take_while(|line| line.trim() != "#[cfg(test)]")
                    .count(),
                ..Module::default()
            };
            let mut visitor = Paths {
                at: name.clone(),
                module: &mut module,
            };
            visitor.visit_file(&parsed);
            modules.insert(name, module);
        }
        Ok(Self(modules))
    }

    fn lines(&self) -> usize {
        self.0.values().map(|module| module.lines).sum()
    }

    fn long_files(&self) -> Vec<String> {
        let long = self
            .0
            .iter()
            .filter(|(_, module)| module.lines > MOST_LINES);
        long.map(|(name, module)| format!("{} ({})", shown(name), module.lines))
            .collect()
    }

    /// The module that a path leads to.
    fn of(&self, path: &[String], depth: usize) -> Vec<String> {
        let mut end = path.len();
        while end > 0 && !self.0.contains_key(&path[..end]) {
            end -= 1;
        }
        let found = path[..end].to_vec();
        let exported = path
            .get(end)
            .and_then(|item| self.0.get(&found)?.exported.get(item));
        match exported {
            Some(further) if depth < MOST_EXPORTS => self.of(further, depth + 1),
            Some(_) | None => found,
        }
    }

    fn largest_circle(&self) -> Vec<String> {
        let names: Vec<&Vec<String>> = self.0.keys().collect();
        let number: BTreeMap<&Vec<String>, usize> = names
            .iter()
            .enumerate()
            .map(|(at, name)| (*name, at))
            .collect();
        let edges: Vec<BTreeSet<usize>> = self
            .0
            .iter()
            .map(|(name, module)| {
                let used = module.used.iter().map(|path| self.of(path, 0));
                used.filter(|to| to != name)
                    .filter_map(|to| number.get(&to).copied())
                    .collect()
            })
            .collect();
        let reached: Vec<BTreeSet<usize>> =
            (0..names.len()).map(|from| reach(&edges, from)).collect();
        let circles = (0..names.len()).map(|from| {
            let members = reached[from]
                .iter()
                .filter(|to| reached[**to].contains(&from));
            members.map(|to| shown(names[*to])).collect::<Vec<_>>()
        });
        circles.max_by_key(Vec::len).unwrap_or_default()
    }
}

/// All that can be reached from a module; itself only by a circle.
fn reach(edges: &[BTreeSet<usize>], from: usize) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<usize> = edges[from].iter().copied().collect();
    while let Some(module) = next.pop() {
        if reached.insert(module) {
            next.extend(&edges[module]);
        }
    }
    reached
}

fn shown(name: &[String]) -> String {
    if name.is_empty() {
        "(root)".into()
    } else {
        name.join("::")
    }
}

/// Gathers the paths of one file.
struct Paths<'m> {
    at: Vec<String>,
    module: &'m mut Module,
}

impl Paths<'_> {
    /// The absolute path of one that begins with `crate`, `self` or `super`, or
    /// that names a child.
    fn absolute(&self, segments: &[String]) -> Option<Vec<String>> {
        let mut path = match segments.first()?.as_str() {
            "crate" => Vec::new(),
            "self" => self.at.clone(),
            "super" => self.at.split_last()?.1.to_vec(),
            _ => return None,
        };
        for segment in &segments[1..] {
            if segment == "super" {
                path.pop();
            } else {
                path.push(segment.clone());
            }
        }
        Some(path)
    }

    fn tree(&mut self, before: &[String], tree: &syn::UseTree, is_export: bool) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        let (segments, name) = match tree {
            syn::UseTree::Path(path) => {
                return self.tree(&with(&path.ident), &path.tree, is_export);
            }
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.tree(before, tree, is_export);
                }
                return;
            }
            syn::UseTree::Name(name) if name.ident == "self" => {
                (before.to_vec(), before.last().cloned())
            }
            syn::UseTree::Name(name) => (with(&name.ident), Some(name.ident.to_string())),
            syn::UseTree::Rename(rename) => (with(&rename.ident), Some(rename.rename.to_string())),
            syn::UseTree::Glob(_) => (before.to_vec(), None),
        };
        let Some(path) = self.absolute(&segments) else {
            return;
        };
        match name.filter(|_| is_export) {
            Some(name) => drop(self.module.exported.insert(name, path)),
            None => drop(self.module.used.insert(path)),
        }
    }
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes = match item {
            syn::Item::Fn(it) => &it.attrs,
            syn::Item::Impl(it) => &it.attrs,
            syn::Item::Mod(it) => &it.attrs,
            syn::Item::Use(it) => &it.attrs,
            _ => return syn::visit::visit_item(self, item),
        };
        let is_test = attributes.iter().any(|it| {
            it.path().is_ident("cfg") && it.parse_args::<syn::Ident>().is_ok_and(|it| it == "test")
        });
        if !is_test {
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let is_export = !matches!(item.vis, syn::Visibility::Inherited);
        self.tree(&[], &item.tree, is_export);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path
            .segments
            .iter()
            .map(|it| it.ident.to_string())
            .collect();
        if segments.len() > 1
            && let Some(path) = self.absolute(&segments)
        {
            self.module.used.insert(path);
        }
        syn::visit::visit_path(self, path);
    }
}

/// All files below a folder with one of these endings, in order.
fn files(folder: &Path, endings: &[&str]) -> Result<Vec<std::path::PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path, endings)?);
        } else if path
            .extension()
            .is_some_and(|it| endings.iter().any(|ending| it == *ending))
        {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// A file with more is more than one room.
const MOST_LINES: usize = 400;
/// Longer chains of re-exports lead nowhere.
const MOST_EXPORTS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn crate_of(files: &[(&str, &str)]) -> Modules {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Modules::read(folder.path()).unwrap()
    }

    #[test]
    fn a_circle_is_found_by_way_of_others_and_through_re_exports() {
        let modules = crate_of(&[
            ("lib.rs", "mod a; mod b; mod c; pub use b::B;"),
            ("a.rs", "use crate::b::{B, self as other};"),
            ("b.rs", "pub use self::inner::B; mod inner;"),
            ("b/inner.rs", "pub struct B; fn f() { crate::c::g() }"),
            ("c.rs", "use super::a;"),
        ]);
        let circle = modules.largest_circle();
        assert_eq!(circle, ["a", "b::inner", "c"]);
    }

    #[test]
    fn tests_and_what_stands_below_make_no_circle() {
        let modules = crate_of(&[
            ("lib.rs", "mod a; mod b;"),
            (
                "a.rs",
                "use crate::b::B;\n#[cfg(test)]\nmod tests { use crate::b; }",
            ),
            ("b.rs", "#[cfg(test)]\nuse crate::a;\npub struct B;"),
        ]);
        assert!(modules.largest_circle().is_empty());
        assert_eq!(modules.lines(), 2);
    }

    #[test]
    fn a_struck_word_is_found_and_one_that_is_english_as_the_name_of_a_type_alone() {
        let limits = Limits {
            struck: vec!["Clerk".into()],
            struck_types: vec!["Found".into()],
            crates: BTreeMap::new(),
        };
        for (line, expected) in [
            ("// Found by the Clerk.", Some("Clerk")),
            ("// Found by a worker.", None),
            ("struct Found {", Some("Found")),
            ("pub(crate) enum Found<'a> {", Some("Found")),
            ("struct FoundRows {", None),
            ("fn of(found: Kind) -> Result<Kind, Found> {", None),
        ] {
            assert_eq!(struck_word(line, &limits), expected, "{line}");
        }
    }
}
