//! The SQL in the sources of this crate.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A statement, and the file that has it.
pub(super) struct Statement {
    pub(super) file: String,
    pub(super) sql: String,
}

/// All statements of this crate, and of what it shares with others, that stand in its
/// sources as a whole, put together of `concat!` and of macros without arguments. A listing
/// puts its own together (`PageQuery`).
pub(super) fn statements() -> Vec<Statement> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut sources: Vec<(String, Vec<Token>)> = Vec::new();
    for (folder, shown) in [("store-sqlite/src", ""), ("store-sql/src", "shared/")] {
        let folder = crates.join(folder);
        let mut files = Vec::new();
        add_files(&folder, &mut files);
        sources.extend(files.iter().map(|path| {
            let text = fs::read_to_string(path).unwrap();
            let (text, _tests) = text.split_once("#[cfg(test)]").unwrap_or((&text, ""));
            let name = path.strip_prefix(&folder).unwrap();
            (format!("{shown}{}", name.display()), tokens(text))
        }));
    }
    let mut macros = Macros::new();
    // Twice: one may be made of another that stands in a later file.
    for _ in 0..2 {
        for (_, tokens) in &sources {
            add_macros(tokens, &mut macros);
        }
    }
    let mut statements = Vec::new();
    for (file, tokens) in &sources {
        for sql in texts(tokens, &macros) {
            if VERBS.iter().any(|verb| sql.starts_with(verb)) {
                let file = file.clone();
                statements.push(Statement { file, sql });
            }
        }
    }
    statements
}

fn add_files(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|it| it.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            if !path.ends_with("tests") {
                add_files(&path, files);
            }
        } else if path.extension().is_some_and(|it| it == "rs") && !path.ends_with("tests.rs") {
            files.push(path);
        }
    }
}

type Macros = BTreeMap<String, String>;

#[derive(Debug, PartialEq)]
enum Token {
    Sign(char),
    Text(String),
    Word(String),
}

/// A source without comments and white space. Characters and lifetimes are left out.
fn tokens(source: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let is_of_word = |it: char| it.is_alphanumeric() || it == '_';
        if rest.starts_with("//") {
            rest = rest.split_once('\n').map_or("", |(_, after)| after);
        } else if let Some((raw, after)) = raw_text(rest) {
            tokens.push(Token::Text(raw.into()));
            rest = after;
        } else if first == '"' {
            let (text, after) = text(&rest[1..]);
            tokens.push(Token::Text(text));
            rest = after;
        } else if let Some(after) = rest.strip_prefix("'\\") {
            // A character that is escaped, perhaps a quotation mark.
            rest = after[1..].split_once('\'').unwrap().1;
        } else if first == '\'' && rest.chars().nth(2) == Some('\'') {
            rest = &rest[rest.char_indices().nth(3).unwrap().0..];
        } else if is_of_word(first) {
            let end = rest.find(|it| !is_of_word(it)).unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..end].into()));
            rest = &rest[end..];
        } else {
            if !first.is_whitespace() {
                tokens.push(Token::Sign(first));
            }
            rest = &rest[first.len_utf8()..];
        }
    }
    tokens
}

/// A raw text at the beginning of `source`, and what is after it.
fn raw_text(source: &str) -> Option<(&str, &str)> {
    let marks = source.strip_prefix('r')?;
    let after = marks.trim_start_matches('#').strip_prefix('"')?;
    let hashes = &marks[..marks.len() - after.len() - 1];
    after.split_once(&format!("\"{hashes}"))
}

/// The rest of a text whose first mark was read, and what is after it.
fn text(source: &str) -> (String, &str) {
    let mut text = String::new();
    let mut rest = source.chars();
    while let Some(next) = rest.next() {
        match next {
            '"' => break,
            '\\' => match rest.next().unwrap() {
                '\n' => rest = rest.as_str().trim_start().chars(),
                'n' => text.push('\n'),
                other => text.push(other),
            },
            other => text.push(other),
        }
    }
    (text, rest.as_str())
}

/// Adds the macros that stand for a text.
fn add_macros(tokens: &[Token], macros: &mut Macros) {
    for (index, token) in tokens.iter().enumerate() {
        let Some([Token::Sign('!'), Token::Word(name), after @ ..]) = tokens.get(index + 1..)
        else {
            continue;
        };
        if *token == Token::Word("macro_rules".into())
            && let Some(body) = after.strip_prefix(&signs("{()=>{")[..])
            && let Some((text, _)) = expanded(body, macros)
        {
            macros.insert(name.clone(), text);
        }
    }
}

/// The texts of a source, but those that begin a listing and those of macros.
fn texts(tokens: &[Token], macros: &Macros) -> Vec<String> {
    let mut texts = Vec::new();
    let mut rest = tokens;
    let macro_begins = signs("{()=>{");
    let page_begins = [
        Token::Word("PageQuery".into()),
        Token::Sign(':'),
        Token::Sign(':'),
    ];
    while !rest.is_empty() {
        let skipped = match rest {
            _ if rest.starts_with(&macro_begins) => macro_begins.len(),
            [_, _, _, Token::Word(_), Token::Sign('('), ..] if rest.starts_with(&page_begins) => 5,
            _ => 0,
        };
        rest = &rest[skipped..];
        match expanded(rest, macros) {
            Some((text, used)) => {
                if skipped == 0 {
                    texts.push(text);
                }
                rest = &rest[used..];
            }
            None => rest = rest.get(1..).unwrap_or_default(),
        }
    }
    texts
}

/// The text that tokens begin with, and how many tokens it takes.
fn expanded(tokens: &[Token], macros: &Macros) -> Option<(String, usize)> {
    match tokens {
        [Token::Text(text), ..] => Some((text.clone(), 1)),
        [
            Token::Word(name),
            Token::Sign('!'),
            Token::Sign('('),
            inside @ ..,
        ] if name == "concat" => {
            let (mut text, mut used) = (String::new(), 0);
            while inside.get(used) != Some(&Token::Sign(')')) {
                let (part, length) = expanded(inside.get(used..)?, macros)?;
                text.push_str(&part);
                used += length;
                if inside.get(used) == Some(&Token::Sign(',')) {
                    used += 1;
                }
            }
            Some((text, used + 4))
        }
        [
            Token::Word(name),
            Token::Sign('!'),
            Token::Sign('('),
            Token::Sign(')'),
            ..,
        ] => Some((macros.get(name)?.clone(), 4)),
        _ => None,
    }
}

fn signs(text: &str) -> Vec<Token> {
    text.chars().map(Token::Sign).collect()
}

const VERBS: [&str; 5] = ["DELETE ", "INSERT ", "SELECT ", "UPDATE ", "WITH "];
