//! Tables of credentials: comma-separated values (RFC 4180) with a header line.

use core::fmt;
use std::sync::Arc;

use countersign_core::secret::{SaltReading, Secret};
use csv::{ByteRecord, ErrorKind, ReaderBuilder, Trim};

use super::{MOST_RULES, MOST_USERS, TOO_MANY_USERS};
use crate::content::SourceContent;
use crate::error::SourceError;
use crate::place::Place;
use crate::stored_password::StoredPassword;

mod quotes;

/// A table, read.
#[derive(Debug)]
pub struct Table {
    /// Its rows, in the file's order.
    pub rows: Vec<Row>,
}

/// A row: one credential. What is empty or has no column is absent.
#[derive(Debug)]
pub struct Row {
    /// Where it begins.
    pub place: Place,
    /// The name. Never absent.
    pub name: Box<str>,
    /// The scheme's name.
    pub scheme: Option<Box<str>>,
    /// The tenant's id.
    pub tenant: Option<Box<str>>,
    /// What the client logs in with.
    pub login: RowLogin,
    /// The client-id rule, as `--client-id` takes it.
    pub client_id: Option<Box<str>>,
    /// Its groups.
    pub groups: Vec<Box<str>>,
    /// Its roles.
    pub roles: Vec<Box<str>>,
    /// What people wrote about it.
    pub description: Option<Box<str>>,
    /// The state, as listings show it.
    pub state: Option<Box<str>>,
    /// When it expires, as `--expires` takes it.
    pub expires: Option<Box<str>>,
    /// From when it works, as `--not-before` takes it.
    pub not_before: Option<Box<str>>,
    /// Attributes by name, of the columns `attr.NAME`.
    pub attributes: Vec<(Arc<str>, Box<str>)>,
}

/// What a row says of a secret.
#[derive(Default)]
pub enum RowLogin {
    /// Nothing: a secret is generated.
    #[default]
    Generated,
    /// `password_hash`.
    Hash(StoredPassword),
    /// `password`: chosen by a person.
    Password(Secret),
    /// `secret`: generated elsewhere.
    Secret(Secret),
}

impl Table {
    /// Reads what `content` holds. A byte order mark before the header is
    /// allowed; a row may hold line ends within quotes.
    ///
    /// # Errors
    ///
    /// Returns [`SourceError`] for a header without `name`, with an unknown
    /// column or one that stands twice; for a quote that is not closed, or closed before
    /// the end of its field; for a row with another number of fields
    /// than the header, without a name, with more than one of `secret`,
    /// `password` and `password_hash`, or not in UTF-8; and for more than
    /// 1,000,000 rows, or 4,000,000 groups, roles and attributes in all.
    pub fn parse(content: &SourceContent) -> Result<Self, SourceError> {
        let bytes = content.bytes.strip_prefix(b"\xef\xbb\xbf");
        let bytes = bytes.unwrap_or(&content.bytes);
        quotes::check(bytes)
            .map_err(|(line, why)| SourceError::new(content.name.line(line), why))?;
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .trim(Trim::None)
            .from_reader(bytes);
        let mut record = ByteRecord::new();
        let mut columns: Option<Vec<Column>> = None;
        let mut rows: Vec<Row> = Vec::new();
        let mut left = MOST_RULES;
        let mut lines = LineCounter {
            bytes,
            number: 1,
            offset: 0,
        };
        loop {
            let start = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
            let place = content.name.line(lines.of_record(start));
            let malformed = |why| SourceError::new(place.clone(), why);
            let more = reader.read_byte_record(&mut record);
            if !more.map_err(|error| malformed(reason(&error)))? {
                break;
            }
            let Some(columns) = &columns else {
                columns = Some(header(&record).map_err(malformed)?);
                continue;
            };
            if rows.len() >= MOST_USERS {
                return Err(malformed(TOO_MANY_USERS));
            }
            let row = Row::of(&record, columns, place.clone(), &mut left);
            rows.push(row.map_err(malformed)?);
        }
        if columns.is_none() {
            return Err(SourceError::new(
                content.name.whole(),
                "the header is missing",
            ));
        }
        Ok(Self { rows })
    }

    /// How many rows there are to tell of.
    #[must_use]
    pub fn items(&self) -> usize {
        self.rows.len()
    }
}

impl fmt::Debug for RowLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Generated => f.write_str("Generated"),
            Self::Hash(hash) => write!(f, "{hash:?}"),
            Self::Password(_) => f.write_str("Password(…)"),
            Self::Secret(_) => f.write_str("Secret(…)"),
        }
    }
}

/// Counts lines up to where a record begins. The reader's own count lags behind
/// where lines end with CRLF.
struct LineCounter<'a> {
    /// What was not counted yet.
    bytes: &'a [u8],
    /// The number of the line where it begins.
    number: usize,
    /// Where it begins.
    offset: usize,
}

impl LineCounter<'_> {
    /// The line of the record that begins at `start`, or behind the line ends
    /// there.
    fn of_record(&mut self, start: usize) -> usize {
        let ahead = start.saturating_sub(self.offset).min(self.bytes.len());
        let behind = self.bytes.get(ahead..).unwrap_or_default();
        let is_end = |byte: &&u8| matches!(byte, b'\r' | b'\n');
        let ends = behind.iter().take_while(is_end).count();
        let ahead = ahead.saturating_add(ends);
        let (passed, rest) = self.bytes.split_at(ahead);
        // A record ends with a carriage return alone, too.
        let follows = passed.iter().skip(1).map(Some).chain([None]);
        let lines = passed
            .iter()
            .zip(follows)
            .filter(|(byte, next)| **byte == b'\n' || (**byte == b'\r' && *next != Some(&b'\n')));
        self.number = self.number.saturating_add(lines.count());
        self.offset = self.offset.saturating_add(ahead);
        self.bytes = rest;
        self.number
    }
}

fn reason(error: &csv::Error) -> &'static str {
    let is_uneven = matches!(error.kind(), ErrorKind::UnequalLengths { .. });
    if is_uneven {
        "it has another number of fields than the header"
    } else {
        "it can't be read"
    }
}

/// A column of a table.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Column {
    Attribute(Arc<str>),
    ClientId,
    Description,
    Expires,
    Groups,
    Name,
    NotBefore,
    Password,
    PasswordHash,
    Roles,
    Scheme,
    Secret,
    State,
    Tenant,
}

impl Column {
    fn of(text: &str) -> Option<Self> {
        Some(match text {
            "client_id" => Self::ClientId,
            "description" => Self::Description,
            "expires" => Self::Expires,
            "groups" => Self::Groups,
            "name" => Self::Name,
            "not_before" => Self::NotBefore,
            "password" => Self::Password,
            "password_hash" => Self::PasswordHash,
            "roles" => Self::Roles,
            "scheme" => Self::Scheme,
            "secret" => Self::Secret,
            "state" => Self::State,
            "tenant" => Self::Tenant,
            _ => match text.strip_prefix("attr.") {
                Some(name) if (1..=LONGEST_ATTRIBUTE).contains(&name.len()) => {
                    Self::Attribute(name.into())
                }
                _ => return None,
            },
        })
    }
}

fn header(record: &ByteRecord) -> Result<Vec<Column>, &'static str> {
    if record.len() > MOST_COLUMNS {
        return Err("the header has more than 256 columns");
    }
    let mut columns = Vec::with_capacity(record.len());
    for field in record {
        let text = core::str::from_utf8(field).ok();
        let column = text.and_then(|text| Column::of(text.trim())).ok_or(
            "the header has a column that is not one of name, scheme, tenant, secret, password, password_hash, client_id, groups, roles, description, state, expires, not_before, attr.NAME",
        )?;
        if columns.contains(&column) {
            return Err("the header has a column twice");
        }
        columns.push(column);
    }
    if columns.contains(&Column::Name) {
        Ok(columns)
    } else {
        Err("the header has no column `name`")
    }
}

impl Row {
    /// Reads a record; so many parts may still come, of this row and of others.
    fn of(
        record: &ByteRecord,
        columns: &[Column],
        place: Place,
        left: &mut usize,
    ) -> Result<Self, &'static str> {
        let mut row = Self {
            place,
            name: "".into(),
            scheme: None,
            tenant: None,
            login: RowLogin::default(),
            client_id: None,
            groups: Vec::new(),
            roles: Vec::new(),
            description: None,
            state: None,
            expires: None,
            not_before: None,
            attributes: Vec::new(),
        };
        for (field, column) in record.iter().zip(columns) {
            let text = core::str::from_utf8(field).map_err(|_| "it is not valid UTF-8")?;
            if !text.is_empty() {
                row.set(column, text, left)?;
            }
        }
        if row.name.is_empty() {
            return Err("the name is missing");
        }
        Ok(row)
    }

    fn set(&mut self, column: &Column, text: &str, left: &mut usize) -> Result<(), &'static str> {
        let field = match column {
            Column::Attribute(name) => {
                take_part(left)?;
                self.attributes.push((name.clone(), text.into()));
                return Ok(());
            }
            Column::Groups => {
                self.groups = list(text, left)?;
                return Ok(());
            }
            Column::Name => {
                self.name = text.into();
                return Ok(());
            }
            Column::Password => return self.set_login(RowLogin::Password(secret(text))),
            Column::PasswordHash => {
                let hash = StoredPassword::read_hash(text, SaltReading::Either);
                return self.set_login(RowLogin::Hash(hash));
            }
            Column::Roles => {
                self.roles = list(text, left)?;
                return Ok(());
            }
            Column::Secret => return self.set_login(RowLogin::Secret(secret(text))),
            Column::ClientId => &mut self.client_id,
            Column::Description => &mut self.description,
            Column::Expires => &mut self.expires,
            Column::NotBefore => &mut self.not_before,
            Column::Scheme => &mut self.scheme,
            Column::State => &mut self.state,
            Column::Tenant => &mut self.tenant,
        };
        *field = Some(text.into());
        Ok(())
    }

    fn set_login(&mut self, login: RowLogin) -> Result<(), &'static str> {
        match self.login {
            RowLogin::Generated => {
                self.login = login;
                Ok(())
            }
            RowLogin::Hash(_) | RowLogin::Password(_) | RowLogin::Secret(_) => {
                Err("it has more than one of secret, password and password_hash")
            }
        }
    }
}

/// So many columns a table may have.
const MOST_COLUMNS: usize = 256;
/// The longest name of an attribute, in bytes. Each row has it.
const LONGEST_ATTRIBUTE: usize = 255;

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

/// A list divided by `;`, without the spaces around its parts.
fn list(text: &str, left: &mut usize) -> Result<Vec<Box<str>>, &'static str> {
    let parts = text.split(';').map(str::trim);
    parts
        .filter(|part| !part.is_empty())
        .map(|part| take_part(left).map(|()| part.into()))
        .collect()
}

/// Counts one part more.
fn take_part(left: &mut usize) -> Result<(), &'static str> {
    *left = left.checked_sub(1).ok_or(TOO_MANY_PARTS)?;
    Ok(())
}

const TOO_MANY_PARTS: &str = "there are more than 4000000 groups, roles and attributes";
