//! Files of rules: Mosquitto's `acl_file`, and mosquitto-go-auth's.
//!
//! ```text
//! # a comment
//! topic [read|write|readwrite|deny] FILTER       before any `user`: see Section
//! user NAME                                      the lines below are NAME's
//! topic …
//! pattern [read|write|readwrite|deny] FILTER     for all users; holds %u and %c
//! ```

use std::collections::HashSet;
use std::sync::Arc;

use countersign_core::topic::FilterRef;

use super::{Dialect, MOST_RULES, MOST_USERS, TOO_MANY_RULES, TOO_MANY_USERS};
use crate::content::SourceContent;
use crate::error::SourceError;
use crate::lines;
use crate::place::Place;

/// A file of rules, read.
#[derive(Debug)]
pub struct AclFile {
    /// The lines, in the file's order; comments and empty lines apart.
    pub lines: Vec<AclLine>,
}

/// A line that says something.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AclLine {
    /// Where it stands.
    pub place: Place,
    /// What it says.
    pub content: AclEntry,
}

/// What a line says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AclEntry {
    /// A rule. In Mosquitto a deny of one section counts before its allows,
    /// wherever it stands.
    Rule {
        /// For whom it holds.
        section: Section,
        /// What it allows, or that it denies.
        access: FileAccess,
        /// The filter, as the file has it. Mosquitto's is a valid one.
        topic: Box<str>,
    },
    /// The lines that follow are this user's. It may be named more than once.
    User(Arc<str>),
}

/// For whom a rule of such a file holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Section {
    /// It stands before the first user: for clients without a name in Mosquitto,
    /// for all in mosquitto-go-auth, which fills in `%u` and `%c` there as well.
    BeforeUsers,
    /// A `pattern`: for all, those without a name too, with `%u` and `%c` filled
    /// in.
    Pattern,
    /// For this user.
    User(Arc<str>),
}

/// What a rule of such a file allows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FileAccess {
    /// Nothing, whatever else is allowed.
    Deny,
    /// To receive.
    Read,
    /// To receive and to publish.
    ReadWrite,
    /// To subscribe; mosquitto-go-auth alone has it.
    Subscribe,
    /// To publish.
    Write,
}

impl AclFile {
    /// Reads what `content` holds as the program of `dialect` does.
    ///
    /// # Errors
    ///
    /// Returns [`SourceError`] for a line that the program does not load, for
    /// one with a NUL or not in UTF-8, and for more than 1,000,000 users or
    /// 4,000,000 rules.
    pub fn parse(content: &SourceContent, dialect: Dialect) -> Result<Self, SourceError> {
        let mut reader = Reader::new(content);
        match dialect {
            Dialect::GoAuth => {
                for (number, line) in lines::go_lines(content) {
                    let line = line?;
                    if !lines::is_go_comment(line) {
                        let text = lines::text(content, number, line)?;
                        reader.add(number, Words::of_go_auth(text.trim()), dialect)?;
                    }
                }
            }
            Dialect::Mosquitto => {
                for (number, line) in lines::numbered(content) {
                    lines::without_nul(content, number, line)?;
                    let line = lines::trim_end(line);
                    if !line.starts_with(b"#") && !line.is_empty() {
                        let text = lines::text(content, number, line)?;
                        reader.add(number, Words::of_mosquitto(text), dialect)?;
                    }
                }
            }
        }
        Ok(Self {
            lines: reader.lines,
        })
    }

    /// How many lines there are to tell of.
    #[must_use]
    pub fn items(&self) -> usize {
        self.lines.len()
    }
}

/// What was read so far.
struct Reader<'a> {
    content: &'a SourceContent,
    lines: Vec<AclLine>,
    user: Option<Arc<str>>,
    users: HashSet<Arc<str>>,
}

/// A line, divided as one of the programs divides it.
enum Words<'a> {
    /// The word of the access is missing where both may be done.
    Rule {
        is_pattern: bool,
        access: Option<&'a str>,
        topic: &'a str,
    },
    User(&'a str),
}

impl<'a> Reader<'a> {
    fn new(content: &'a SourceContent) -> Self {
        Self {
            content,
            lines: Vec::new(),
            user: None,
            users: HashSet::new(),
        }
    }

    fn add(
        &mut self,
        number: usize,
        words: Result<Words<'_>, &'static str>,
        dialect: Dialect,
    ) -> Result<(), SourceError> {
        let place = self.content.name.line(number);
        let malformed = |why| SourceError::new(place.clone(), why);
        let content = match words.map_err(malformed)? {
            Words::Rule {
                is_pattern,
                access,
                topic,
            } => AclEntry::Rule {
                section: self.section(is_pattern),
                access: FileAccess::of(access, dialect).map_err(malformed)?,
                topic: checked_topic(topic, dialect).map_err(malformed)?.into(),
            },
            Words::User(name) => AclEntry::User(self.begin(name).map_err(malformed)?),
        };
        if self.lines.len() >= MOST_RULES {
            return Err(malformed(TOO_MANY_RULES));
        }
        self.lines.push(AclLine { place, content });
        Ok(())
    }

    fn section(&self, is_pattern: bool) -> Section {
        match &self.user {
            _ if is_pattern => Section::Pattern,
            Some(name) => Section::User(Arc::clone(name)),
            None => Section::BeforeUsers,
        }
    }

    /// The user whose lines follow. The lines of one share its name.
    fn begin(&mut self, name: &str) -> Result<Arc<str>, &'static str> {
        let name = match self.users.get(name) {
            Some(known) => Arc::clone(known),
            None => Arc::from(name),
        };
        self.users.insert(Arc::clone(&name));
        if self.users.len() > MOST_USERS {
            return Err(TOO_MANY_USERS);
        }
        self.user = Some(Arc::clone(&name));
        Ok(name)
    }
}

impl<'a> Words<'a> {
    /// A line without white space at its end, as Mosquitto divides it: a space
    /// ends a word, and a tab is part of one.
    fn of_mosquitto(line: &'a str) -> Result<Self, &'static str> {
        let line = line.trim_start_matches(' ');
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "pattern" | "topic" => {
                let rest = rest.trim_start_matches(' ');
                let (access, topic) = match rest.split_once(' ') {
                    Some((access, topic)) => (Some(access), topic.trim_matches(is_c_space)),
                    None => (None, rest),
                };
                Self::rule(word, access, topic)
            }
            "user" => Self::user(rest.trim_matches(is_c_space)),
            _ => Err(UNKNOWN_WORD),
        }
    }

    /// A line without white space around it, as mosquitto-go-auth divides it: any
    /// white space ends the first word, and a space the second.
    fn of_go_auth(line: &'a str) -> Result<Self, &'static str> {
        let (word, rest) = match line.split_once(char::is_whitespace) {
            Some((word, rest)) => (word, rest.trim_start()),
            None => (line, ""),
        };
        match word {
            "pattern" | "topic" => {
                if !rest.contains(char::is_whitespace) {
                    return Self::rule(word, None, rest);
                }
                let (access, topic) = rest.split_once(' ').unwrap_or((rest, ""));
                Self::rule(word, Some(access), topic.trim())
            }
            "user" => Self::user(rest),
            _ => Err(UNKNOWN_WORD),
        }
    }

    fn rule(word: &str, access: Option<&'a str>, topic: &'a str) -> Result<Self, &'static str> {
        if topic.is_empty() {
            return Err("the topic is missing");
        }
        Ok(Self::Rule {
            is_pattern: word == "pattern",
            access,
            topic,
        })
    }

    fn user(name: &'a str) -> Result<Self, &'static str> {
        match name {
            "" => Err("the user's name is missing"),
            name => Ok(Self::User(name)),
        }
    }
}

impl FileAccess {
    fn of(word: Option<&str>, dialect: Dialect) -> Result<Self, &'static str> {
        match (word, dialect) {
            (None | Some("readwrite"), _) => Ok(Self::ReadWrite),
            (Some("deny"), _) => Ok(Self::Deny),
            (Some("read"), _) => Ok(Self::Read),
            (Some("subscribe"), Dialect::GoAuth) => Ok(Self::Subscribe),
            (Some("write"), _) => Ok(Self::Write),
            (Some(_), Dialect::GoAuth) => {
                Err("the access is not `read`, `write`, `readwrite`, `subscribe` or `deny`")
            }
            (Some(_), Dialect::Mosquitto) => {
                Err("the access is not `read`, `write`, `readwrite` or `deny`")
            }
        }
    }
}

/// Mosquitto does not load a rule whose topic is not a valid filter; the other
/// program does, and matches it in its own way.
fn checked_topic(topic: &str, dialect: Dialect) -> Result<&str, &'static str> {
    let slashes = topic.bytes().filter(|byte| *byte == b'/').count();
    let is_valid = FilterRef::parse(topic).is_ok() && slashes <= MOST_SLASHES;
    match dialect {
        Dialect::Mosquitto if !is_valid => Err("the topic is not a valid topic filter"),
        Dialect::GoAuth | Dialect::Mosquitto => Ok(topic),
    }
}

/// C's `isspace`.
fn is_c_space(character: char) -> bool {
    character.is_ascii_whitespace() || character == '\u{b}'
}

const UNKNOWN_WORD: &str = "the line begins with none of `topic`, `pattern` and `user`";
/// So many slashes Mosquitto takes in a filter.
const MOST_SLASHES: usize = 200;
