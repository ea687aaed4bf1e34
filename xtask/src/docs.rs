//! `cargo xtask docs`: the documents as a book with a search, made by mdBook.
//!
//! The book holds copies of them, laid out as in the repository, so that every
//! link between them stays as it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Result, ensure};

use crate::command::{run, target, workspace};
use crate::setup;

/// What the documents link to besides themselves.
const BESIDE: &[&str] = &[
    "Cargo.toml",
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
    "examples",
    "include",
];

const BOOK: &str = "\
[book]
title = \"Countersign\"
language = \"en\"
[output.html]
smart-punctuation = false
[output.html.print]
enable = false
";

/// Makes the book, and looks whether all that it links to is in it.
pub fn docs() -> Result<()> {
    let mdbook = setup::mdbook()?;
    let start = Instant::now();
    let book = target()?.join("book");
    if book.exists() {
        fs::remove_dir_all(&book)?;
    }
    let source = book.join("src");
    fs::create_dir_all(&source)?;
    for name in BESIDE.iter().chain(&["docs"]) {
        copy(&workspace().join(name), &source.join(in_book(name)))?;
    }
    let summary = source.join("docs/SUMMARY.md");
    let text = fs::read_to_string(&summary)?;
    fs::remove_file(&summary)?;
    fs::write(source.join("SUMMARY.md"), summary_of_book(&text))?;
    fs::write(book.join("book.toml"), BOOK)?;
    run(Command::new(mdbook).arg("build").arg(&book))?;
    let pages = book.join("book");
    let count = check_links(&pages)?;
    println!(
        "the book has {count} links and took {:.1} s: {}",
        start.elapsed().as_secs_f64(),
        pages.join("index.html").display()
    );
    Ok(())
}

/// mdBook calls a README `index` and does not follow links to it.
fn in_book(text: &str) -> String {
    text.replace("README.md", "index.md")
}

/// The list of pages, as seen from the repository's folder.
fn summary_of_book(summary: &str) -> String {
    let pages = in_book(summary).replace("](", "](docs/");
    let (title, rest) = pages.split_once("\n\n").unwrap_or(("", &pages));
    format!(
        "{title}\n\n[Countersign](index.md)\n{rest}\
         - [Contributing](CONTRIBUTING.md)\n- [Security](SECURITY.md)\n"
    )
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if from.is_dir() {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            let shown = name.to_string_lossy();
            if shown != "target" {
                copy(&from.join(&name), &to.join(in_book(&shown)))?;
            }
        }
        return Ok(());
    }
    if from.extension().is_some_and(|it| it == "md") {
        fs::write(to, links_in_book(&fs::read_to_string(from)?))?;
    } else {
        fs::copy(from, to)?;
    }
    Ok(())
}

/// A document whose links to a README lead to what the book calls it.
fn links_in_book(text: &str) -> String {
    let mut parts = text.split("](");
    let mut linked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (link, rest) = part.split_once(')').unwrap_or((part, ""));
        linked += &format!("]({}){rest}", in_book(link));
    }
    linked
}

/// Follows every link of every page, and counts them.
fn check_links(pages: &Path) -> Result<usize> {
    let mut count = 0;
    let mut broken = Vec::new();
    let mut open = vec![pages.to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            for entry in fs::read_dir(&path)? {
                open.push(entry?.path());
            }
            continue;
        }
        let is_page = path.extension().is_some_and(|it| it == "html");
        // Its links are those of the folder in which something was not found.
        if !is_page || path.ends_with("404.html") {
            continue;
        }
        let text = fs::read_to_string(&path)?;
        for link in ["href=\"", "src=\""]
            .iter()
            .flat_map(|it| text.split(it).skip(1))
        {
            let link = link.split('"').next().unwrap_or_default();
            if link.contains(':') {
                continue;
            }
            count += 1;
            if !leads_somewhere(&path, link) {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    ensure!(
        broken.is_empty(),
        "links that lead nowhere:\n{}",
        broken.join("\n")
    );
    Ok(count)
}

fn leads_somewhere(page: &Path, link: &str) -> bool {
    let (file, title) = link.split_once('#').unwrap_or((link, ""));
    let target: PathBuf = match file {
        "" => page.to_owned(),
        file => page.with_file_name("").join(file),
    };
    if title.is_empty() {
        return target.exists();
    }
    let text = fs::read_to_string(target).unwrap_or_default();
    text.contains(&format!("id=\"{title}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_a_readme_lead_to_the_index() {
        let text = "See README.md, [a](README.md#x), [b](../README.md) and [c](d.md).";
        assert_eq!(
            links_in_book(text),
            "See README.md, [a](index.md#x), [b](../index.md) and [c](d.md)."
        );
    }

    #[test]
    fn a_summary_is_that_of_the_whole_repository() {
        let summary = "# Summary\n\n[Begin](README.md)\n\n- [A](a.md)\n  - [B](x/README.md)\n";
        assert_eq!(
            summary_of_book(summary),
            "# Summary\n\n[Countersign](index.md)\n[Begin](docs/index.md)\n\n- [A](docs/a.md)\n  \
             - [B](docs/x/index.md)\n- [Contributing](CONTRIBUTING.md)\n- [Security](SECURITY.md)\n"
        );
    }

    #[test]
    fn a_link_must_lead_to_a_page_and_to_a_title_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let page = folder.path().join("a.html");
        fs::write(&page, "<h1 id=\"one\">").unwrap();
        for (link, leads) in [
            ("a.html", true),
            ("#one", true),
            ("a.html#one", true),
            ("a.html#two", false),
            ("b.html", false),
            ("b.html#one", false),
        ] {
            assert_eq!(leads_somewhere(&page, link), leads, "{link}");
        }
        fs::write(&page, "<a href=\"b.html\">").unwrap();
        assert!(check_links(folder.path()).is_err());
        fs::write(&page, "<a href=\"a.html\">").unwrap();
        assert_eq!(check_links(folder.path()).unwrap(), 1);
    }
}
