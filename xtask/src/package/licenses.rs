//! The licences of everything that is built in, in one text.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::components::Components;

/// Every licence text once, below the names of those that it comes from.
pub fn text(components: &Components) -> Result<String> {
    let mut whole = String::from(
        "Countersign's programs and libraries have these Rust crates built in, and SQLite,\n\
         which is in the public domain. Below are their licences and whose they are.\n\n",
    );
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for ((name, version), component) in components.of_others() {
        let license = component.license.as_deref().unwrap_or("see below");
        writeln!(whole, "{name} {version}: {license}")?;
        for text in files(&component.folder)? {
            texts.entry(text).or_default().push(name.clone());
        }
    }
    for (text, mut names) in texts {
        names.dedup();
        write!(
            whole,
            "\n{}\n{}\n\n{text}\n",
            "=".repeat(80),
            names.join(", ")
        )?;
    }
    Ok(whole)
}

/// What the files of a crate say that are called as licences are.
fn files(folder: &Path) -> Result<Vec<String>> {
    const CALLED: &[&str] = &[
        "copying",
        "copyright",
        "licence",
        "license",
        "notice",
        "unlicense",
    ];
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("no {}", folder.display()))? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .to_lowercase();
        if path.is_file() && CALLED.iter().any(|begin| name.starts_with(begin)) {
            let text = fs::read(&path)?;
            texts.push(String::from_utf8_lossy(&text).trim().to_owned());
        }
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::super::components::tests::sample;
    use super::*;

    #[test]
    fn a_folder_without_a_licence_gives_none() {
        assert_eq!(files(tempfile::tempdir().unwrap().path()).unwrap(), [""; 0]);
    }

    #[test]
    fn each_text_stands_once_below_all_that_have_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("LICENSE-MIT"), "Be kind.\n").unwrap();
        fs::write(folder.path().join("main.rs"), "not a licence").unwrap();
        let mut components = sample();
        for component in components.0.values_mut() {
            component.folder = folder.path().to_owned();
            component.checksum = Some("ab".into());
        }
        let text = text(&components).unwrap();
        assert!(text.contains("parser 1.0.0: MIT OR Apache-2.0"), "{text}");
        assert!(
            text.contains("both, parser, program\n\nBe kind.\n"),
            "{text}"
        );
        assert_eq!(text.matches("Be kind.").count(), 1);
        assert!(!text.contains("not a licence"));
    }
}
