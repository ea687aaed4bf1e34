//! Files of users and password hashes: `NAME:HASH`, one a line.

use std::collections::HashMap;

use countersign_core::secret::SaltReading;

use super::{Dialect, MOST_USERS, PassedOver, PassedOverReason, TOO_MANY_USERS, pass_over};
use crate::content::SourceContent;
use crate::error::SourceError;
use crate::lines;
use crate::place::Place;
use crate::stored_password::StoredPassword;

/// A file of users, read.
#[derive(Debug)]
pub struct PasswordFile {
    /// The users, in the file's order.
    pub users: Vec<FileUser>,
    /// The lines that the program does not use, comments and empty ones apart.
    pub passed_over: Vec<PassedOver>,
}

/// A user of such a file.
#[derive(Debug)]
pub struct FileUser {
    /// Where it stands.
    pub place: Place,
    /// Its name, as the program compares it.
    pub name: Box<str>,
    /// Its password.
    pub password: StoredPassword,
}

impl PasswordFile {
    /// Reads what `content` holds as the program of `dialect` does.
    ///
    /// Mosquitto cuts a line at its `:`, passes over empty parts and what stands
    /// behind the second part, and takes off white space (so a CR, too).
    /// mosquitto-go-auth takes two parts as they are. A byte order mark belongs
    /// to the first name for both. How the salt of a `PBKDF2$…` hash is meant is
    /// not known: it is taken over in either reading.
    ///
    /// # Errors
    ///
    /// Returns [`SourceError`] for a line that Mosquitto 2.1 would not load for
    /// its name (empty, given before, longer than 65,535 bytes), with a NUL or
    /// not in UTF-8, and for more than 1,000,000 users. What is wrong with a
    /// hash is said by its [`StoredPassword`].
    pub fn parse(content: &SourceContent, dialect: Dialect) -> Result<Self, SourceError> {
        match dialect {
            Dialect::GoAuth => Self::go_auth(content),
            Dialect::Mosquitto => Self::mosquitto(content),
        }
    }

    /// How many lines there are to tell of.
    #[must_use]
    pub fn items(&self) -> usize {
        self.users.len().saturating_add(self.passed_over.len())
    }

    fn mosquitto(content: &SourceContent) -> Result<Self, SourceError> {
        let mut users = Vec::new();
        let mut passed_over = Vec::new();
        let mut seen: HashMap<Box<str>, usize> = HashMap::new();
        for (number, line) in lines::numbered(content) {
            let malformed = |why: String| SourceError::new(content.name.line(number), why);
            lines::without_nul(content, number, line)?;
            if line.starts_with(b"#") || lines::trim(line).is_empty() {
                continue;
            }
            if !line.contains(&b':') {
                let place = content.name.line(number);
                pass_over(&mut passed_over, place, "", PassedOverReason::NoColon)?;
                continue;
            }
            // As C's `strtok`: empty parts are none.
            let mut parts = line
                .split(|byte| *byte == b':')
                .filter(|part| !part.is_empty());
            let name = lines::trim(parts.next().unwrap_or_default());
            let hash = lines::trim(parts.next().unwrap_or_default());
            // Else the hash would be the name, and names are told.
            let is_hash = hash.is_empty() || name.starts_with(b"$");
            if line.starts_with(b":") && is_hash {
                return Err(malformed("the user's name is empty".into()));
            }
            let name = lines::text(content, number, name)?;
            if name.is_empty() {
                return Err(malformed("the user's name is empty".into()));
            }
            if name.len() > LONGEST_PART || hash.len() > LONGEST_PART {
                return Err(malformed("the line is too long".into()));
            }
            if let Some(first) = seen.insert(name.into(), number) {
                return Err(malformed(format!("line {first} has this user already")));
            }
            if users.len() >= MOST_USERS {
                return Err(malformed(TOO_MANY_USERS.into()));
            }
            users.push(FileUser {
                place: content.name.line(number),
                name: name.into(),
                password: password(hash, Dialect::Mosquitto),
            });
        }
        Ok(Self { users, passed_over })
    }

    fn go_auth(content: &SourceContent) -> Result<Self, SourceError> {
        let mut users: Vec<FileUser> = Vec::new();
        let mut passed_over = Vec::new();
        let mut seen: HashMap<Box<str>, usize> = HashMap::new();
        for (number, line) in lines::go_lines(content) {
            let line = line?;
            if lines::is_go_comment(line) {
                continue;
            }
            let place = content.name.line(number);
            let colons = line.iter().filter(|byte| **byte == b':').count();
            let mut parts = line.splitn(2, |byte| *byte == b':');
            let (Some(name), Some(hash), 1) = (parts.next(), parts.next(), colons) else {
                let why = match colons {
                    0 => PassedOverReason::NoColon,
                    _ => PassedOverReason::TwoColons,
                };
                pass_over(&mut passed_over, place, "", why)?;
                continue;
            };
            let name = lines::text(content, number, name)?;
            let user = FileUser {
                place: place.clone(),
                name: name.into(),
                password: password(hash, Dialect::GoAuth),
            };
            if let Some(index) = seen.get(name)
                && let Some(before) = users.get_mut(*index)
            {
                let before = core::mem::replace(before, user);
                let why = PassedOverReason::Replaced;
                pass_over(&mut passed_over, before.place, before.name, why)?;
                continue;
            }
            if users.len() >= MOST_USERS {
                return Err(SourceError::new(place, TOO_MANY_USERS));
            }
            seen.insert(name.into(), users.len());
            users.push(user);
        }
        Ok(Self { users, passed_over })
    }
}

/// What stands for a password. What is not UTF-8 is no hash, and no password
/// that can be told from one. mosquitto-go-auth knows hashes alone.
fn password(bytes: &[u8], dialect: Dialect) -> StoredPassword {
    let reading = SaltReading::Either;
    match (core::str::from_utf8(bytes), dialect) {
        (Ok(text), Dialect::Mosquitto) => StoredPassword::read(text, reading),
        (Ok(text), Dialect::GoAuth) => StoredPassword::read_hash(text, reading),
        (Err(_), _) => StoredPassword::unknown(),
    }
}

/// In bytes.
const LONGEST_PART: usize = 65_535;
