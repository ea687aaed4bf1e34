//! mosquitto-go-auth's SQLite backend: a database and its queries.
//!
//! The backend asks for one user at a time. Here, one query more lists the users,
//! and the backend's queries are run for each.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use countersign_core::secret::SaltReading;
use rusqlite::{Connection, Statement};

use self::query::{Parameter, Timer, Value, open, run};
use super::{MOST_RULES, MOST_USERS, PassedOver, PassedOverReason, TOO_MANY_RULES, TOO_MANY_USERS};
use crate::content::check_file;
use crate::error::SourceError;
use crate::place::{Place, SourceName, pointer_step};
use crate::stored_password::StoredPassword;

mod query;

/// The queries of a database. The first parameter is the user's name, the second
/// the access (1 to read, 2 to write, 4 to subscribe), however they are written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Queries {
    /// Lists the names of all users; no parameter.
    pub users: String,
    /// The hash of a user's password: the first row counts.
    pub user: String,
    /// A number that is over 0 where the user may do everything.
    pub superuser: Option<String>,
    /// The filters that a user has this access to. Without this query, everything
    /// is allowed to all.
    pub acl: Option<String>,
    /// How long each may take for one user.
    pub time_limit: Duration,
}

/// The queries for the tables that mosquitto-go-auth's own examples use.
impl Default for Queries {
    fn default() -> Self {
        Self {
            users: "SELECT username FROM test_user".into(),
            user: "SELECT password_hash FROM test_user WHERE username = ? LIMIT 1".into(),
            superuser: Some(
                "SELECT count(*) FROM test_user WHERE username = ? AND is_admin = 1".into(),
            ),
            acl: Some(
                "SELECT test_acl.topic FROM test_acl, test_user WHERE test_user.username = ?1 AND test_acl.test_user_id = test_user.id AND (rw = ?2 OR rw = 3)".into(),
            ),
            time_limit: Duration::from_secs(10),
        }
    }
}

/// A database, read.
#[derive(Debug)]
pub struct Database {
    /// The users, in the order of their query.
    pub users: Vec<DatabaseUser>,
    /// Whether everything is allowed to all: there is no query for rules.
    pub allows_all: bool,
    /// The rows of the users' query that name a user again.
    pub passed_over: Vec<PassedOver>,
}

/// A user of a database.
#[derive(Debug)]
pub struct DatabaseUser {
    /// Its place: `FILE/users/NAME`.
    pub place: Place,
    /// Its name.
    pub name: Box<str>,
    /// Its password.
    pub password: StoredPassword,
    /// Whether it may do everything.
    pub is_superuser: bool,
    /// What it may do.
    pub topics: Vec<DatabaseTopic>,
}

/// A filter that a user has one kind of access to. `%u` and `%c` stand for the
/// user's name and the client id.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DatabaseTopic {
    /// Its place: `FILE/users/NAME/ACCESS/INDEX`.
    pub place: Place,
    /// The filter, as the database has it.
    pub topic: Box<str>,
    /// The access.
    pub access: QueryAccess,
}

/// The kinds of access that the query for rules is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum QueryAccess {
    /// 1: to receive.
    Read,
    /// 4: to subscribe.
    Subscribe,
    /// 2: to publish.
    Write,
}

impl QueryAccess {
    const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Subscribe];

    const fn number(self) -> i64 {
        match self {
            Self::Read => 1,
            Self::Subscribe => 4,
            Self::Write => 2,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Subscribe => "subscribe",
            Self::Write => "write",
        }
    }
}

impl Database {
    /// Reads the database at `path`. It is opened for reading, in defensive
    /// mode, and each query may read and do nothing else.
    ///
    /// # Errors
    ///
    /// Returns [`SourceError`] where the file is not a regular one of at most
    /// 256 MiB or not a database, where a query fails, writes, takes longer or
    /// gives another type than it should, and for more than 1,000,000 users or
    /// 4,000,000 rules.
    pub fn read(path: &Path, queries: &Queries) -> Result<Self, SourceError> {
        let file = SourceName::of(path);
        check_file(path, &file)?;
        let timer = Timer::start(queries.time_limit);
        let connection = open(path, &timer).map_err(|error| {
            SourceError::new(
                file.whole(),
                format!("the database {}", timer.reason(&error)),
            )
        })?;
        let mut reader = Reader {
            queries: Prepared::new(&connection, queries, &timer, &file)?,
            timer,
            file: &file,
            rules: 0,
        };
        let mut users: Vec<DatabaseUser> = Vec::new();
        let mut passed_over = Vec::new();
        let mut seen = HashSet::new();
        for name in reader.names()? {
            let place = file.pointer(&format!("/users/{}", pointer_step(&name)));
            if !seen.insert(name.clone()) {
                passed_over.push(PassedOver {
                    place,
                    what: name,
                    why: PassedOverReason::NameTaken,
                });
                continue;
            }
            users.push(reader.user(name, place)?);
        }
        Ok(Self {
            users,
            allows_all: queries.acl.is_none(),
            passed_over,
        })
    }

    /// How many users and rules there are to tell of.
    #[must_use]
    pub fn items(&self) -> usize {
        let topics = self.users.iter().map(|user| user.topics.len());
        topics
            .sum::<usize>()
            .saturating_add(self.users.len())
            .saturating_add(self.passed_over.len())
    }
}

/// The queries, prepared once.
struct Prepared<'a> {
    users: Statement<'a>,
    user: Statement<'a>,
    superuser: Option<Statement<'a>>,
    acl: Option<Statement<'a>>,
}

impl<'a> Prepared<'a> {
    fn new(
        connection: &'a Connection,
        queries: &Queries,
        timer: &Timer,
        file: &SourceName,
    ) -> Result<Self, SourceError> {
        let prepare = |what: &str, query: &str, parameters: usize| {
            let malformed = |why: String| SourceError::new(file.whole(), why);
            let statement = connection
                .prepare(query)
                .map_err(|error| malformed(format!("{what} {}", timer.reason(&error))))?;
            if !statement.readonly() || statement.column_count() != 1 {
                return Err(malformed(format!("{what} does not read one column")));
            }
            if statement.parameter_count() > parameters {
                return Err(malformed(format!(
                    "{what} has more than {parameters} parameters"
                )));
            }
            Ok(statement)
        };
        let superuser = queries.superuser.as_deref();
        let acl = queries.acl.as_deref();
        Ok(Self {
            users: prepare(USERS, &queries.users, 0)?,
            user: prepare(USER, &queries.user, 1)?,
            superuser: superuser
                .map(|query| prepare(SUPERUSER, query, 1))
                .transpose()?,
            acl: acl.map(|query| prepare(ACL, query, 2)).transpose()?,
        })
    }
}

struct Reader<'a> {
    timer: Timer,
    queries: Prepared<'a>,
    file: &'a SourceName,
    rules: usize,
}

impl Reader<'_> {
    fn names(&mut self) -> Result<Vec<Box<str>>, SourceError> {
        let place = self.file.whole();
        let statement = &mut self.queries.users;
        let most = MOST_USERS;
        let names = run(&self.timer, statement, &[], most, TOO_MANY_USERS);
        let names = names.and_then(|values| values.into_iter().map(Value::text).collect());
        names.map_err(|why: String| SourceError::new(place, format!("{USERS} {why}")))
    }

    fn user(&mut self, name: Box<str>, place: Place) -> Result<DatabaseUser, SourceError> {
        let malformed =
            |what: &str, why: String| SourceError::new(place.clone(), format!("{what} {why}"));
        let by_name = [Parameter::Text(&name)];
        let first = |statement: &mut Statement<'_>| {
            run(&self.timer, statement, &by_name, 1, "")
                .map(|values| values.into_iter().next().unwrap_or(Value::Null))
        };
        let hash = first(&mut self.queries.user).and_then(Value::optional_text);
        let hash = hash.map_err(|why| malformed(USER, why))?;
        let is_superuser = match &mut self.queries.superuser {
            None => false,
            Some(statement) => {
                let count = first(statement).and_then(Value::count);
                count.map_err(|why| malformed(SUPERUSER, why))? > 0
            }
        };
        let mut topics = Vec::new();
        for access in QueryAccess::ALL {
            let Some(statement) = &mut self.queries.acl else {
                break;
            };
            let parameters = [Parameter::Text(&name), Parameter::Number(access.number())];
            let left = MOST_RULES.saturating_sub(self.rules);
            let found = run(&self.timer, statement, &parameters, left, TOO_MANY_RULES);
            let found = found.map_err(|why| malformed(ACL, why))?;
            self.rules = self.rules.saturating_add(found.len());
            for (index, value) in found.into_iter().enumerate() {
                let topic = value.text().map_err(|why| malformed(ACL, why))?;
                let pointer = format!("/users/{}/{}/{index}", pointer_step(&name), access.word());
                topics.push(DatabaseTopic {
                    place: self.file.pointer(&pointer),
                    topic,
                    access,
                });
            }
        }
        let hash = hash.as_deref().unwrap_or_default();
        Ok(DatabaseUser {
            place,
            password: StoredPassword::read_hash(hash, SaltReading::Either),
            name,
            is_superuser,
            topics,
        })
    }
}

const USERS: &str = "the users query";
const USER: &str = "the user query";
const SUPERUSER: &str = "the super query";
const ACL: &str = "the acl query";
