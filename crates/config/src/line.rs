//! Lines: the files in the order they are read, and each line as its word and
//! what stands behind it.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::DiagnosticKind;

/// A line that is neither empty nor a comment.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Line {
    /// Its number, the first one being 1.
    pub(crate) number: usize,
    /// What stands up to the first space.
    pub(crate) word: String,
    /// All that stands behind that space.
    pub(crate) rest: String,
}

/// Divides a text into lines, as Mosquitto does: a comment begins in the first
/// column, and a space, never a tab, ends a word.
///
/// Fails with the number of a line that holds a NUL.
pub(crate) fn lines(text: &[u8]) -> Result<Vec<Line>, usize> {
    let mut lines = Vec::new();
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let number = index.saturating_add(1);
        if line.contains(&0) {
            return Err(number);
        }
        if line.starts_with(b"#") {
            continue;
        }
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end_matches('\r').trim_start_matches(' ');
        if line.is_empty() {
            continue;
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        lines.push(Line {
            number,
            word: word.into(),
            rest: rest.into(),
        });
    }
    Ok(lines)
}

/// The content of a file, if it is one and not too long.
pub(crate) fn content(path: &Path) -> Result<Vec<u8>, DiagnosticKind> {
    let unreadable = |why: String| DiagnosticKind::Unreadable {
        path: path.into(),
        why,
    };
    let found = fs::metadata(path).map_err(|error| unreadable(error.to_string()))?;
    if !found.is_file() {
        return Err(unreadable("it is not a file".into()));
    }
    let mut text = Vec::new();
    let file = File::open(path).map_err(|error| unreadable(error.to_string()))?;
    file.take(LONGEST_FILE.saturating_add(1))
        .read_to_end(&mut text)
        .map_err(|error| unreadable(error.to_string()))?;
    if u64::try_from(text.len()).is_ok_and(|length| length > LONGEST_FILE) {
        return Err(DiagnosticKind::TooMuch { path: path.into() });
    }
    Ok(text)
}

/// The files of a folder that is included, in Mosquitto's order.
pub(crate) fn included(folder: &str) -> Result<Vec<PathBuf>, DiagnosticKind> {
    let unreadable = |error: std::io::Error| DiagnosticKind::Unreadable {
        path: folder.into(),
        why: error.to_string(),
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        if name.len() > ENDING.len() && name.as_bytes().ends_with(ENDING) {
            // As Mosquitto joins them, so that lines are named alike.
            files.push(PathBuf::from(folder).join(name));
        }
        if files.len() > MOST_FILES {
            return Err(DiagnosticKind::TooMuch {
                path: folder.into(),
            });
        }
    }
    // Mosquitto compares letter by letter, whatever its case, and lets the case
    // decide between two that are the same but for it, at that letter.
    files.sort_by_cached_key(|path| {
        let name = path.as_os_str().as_bytes();
        let letters = name.iter().map(|byte| (byte.to_ascii_uppercase(), *byte));
        letters.collect::<Vec<_>>()
    });
    Ok(files)
}

const ENDING: &[u8] = b".conf";
const LONGEST_FILE: u64 = 1024 * 1024;
const MOST_FILES: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<(String, String)> {
        let lines = lines(text.as_bytes()).unwrap();
        lines
            .into_iter()
            .map(|line| (line.word, line.rest))
            .collect()
    }

    #[test]
    fn white_space_is_read_as_the_broker_reads_it() {
        for (line, word, rest) in [
            ("user me", "user", "me"),
            ("  user me \r", "user", "me "),
            ("user  me", "user", " me"),
            ("user\tme", "user\tme", ""),
            ("user", "user", ""),
            (" # no comment", "#", "no comment"),
        ] {
            assert_eq!(words(line), [(word.to_owned(), rest.to_owned())], "{line}");
        }
        assert_eq!(words("# a comment\n\n\r\n   \n"), []);
        assert_eq!(lines(b"user me\nuser \0"), Err(2));
    }

    #[test]
    fn included_files_come_in_the_brokers_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "b.conf", "A.conf", "a.conf", "B1.conf", "c.txt", ".conf", "10.conf",
        ] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let files = included(folder.path().to_str().unwrap()).unwrap();
        let names: Vec<_> = files.iter().map(|file| file.file_name().unwrap()).collect();
        assert_eq!(names, ["10.conf", "A.conf", "a.conf", "B1.conf", "b.conf"]);
    }
}
