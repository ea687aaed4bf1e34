//! `countersign import go-auth`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgGroup, Args};
use countersign_import::GoAuthSource;
use countersign_import::source::go_auth::Queries;

use super::arguments::{ImportArguments, told};
use crate::error::CliError;
use crate::invocation::Invocation;

#[derive(Args, Debug)]
#[command(group(
    ArgGroup::new("source").args(["passwords", "sqlite"]).required(true).multiple(true)
))]
pub(crate) struct ImportGoAuth {
    /// The file of passwords.
    #[arg(long, value_name = "FILE", requires = "acl")]
    passwords: Option<PathBuf>,
    /// The file of rules.
    #[arg(long, value_name = "FILE", requires = "passwords")]
    acl: Option<PathBuf>,
    /// The database. It is opened for reading, and its queries may do nothing else.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["passwords", "acl"])]
    sqlite: Option<PathBuf>,
    #[command(flatten)]
    queries: QueryArguments,
    #[command(flatten)]
    how: ImportArguments,
}

/// The queries of a database. Without them, those of mosquitto-go-auth's examples.
#[derive(Args, Debug)]
struct QueryArguments {
    /// Lists the names of all users.
    #[arg(long, value_name = "Q", requires = "sqlite")]
    users_query: Option<String>,
    /// Gives the hash of the user `?`.
    #[arg(long, value_name = "Q", requires = "sqlite")]
    user_query: Option<String>,
    /// Gives a number over 0 where the user `?` may do everything; empty where
    /// nobody may.
    #[arg(long, value_name = "Q", requires = "sqlite")]
    super_query: Option<String>,
    /// Gives the topics that the user `?1` has the access `?2` to; empty where
    /// everything is allowed to all.
    #[arg(long, value_name = "Q", requires = "sqlite")]
    acl_query: Option<String>,
}

impl QueryArguments {
    fn queries(self) -> Queries {
        let usual = Queries::default();
        let or_none = |given: Option<String>, usual| match given {
            Some(query) => Some(query).filter(|query| !query.is_empty()),
            None => usual,
        };
        Queries {
            users: self.users_query.unwrap_or(usual.users),
            user: self.user_query.unwrap_or(usual.user),
            superuser: or_none(self.super_query, usual.superuser),
            acl: or_none(self.acl_query, usual.acl),
            time_limit: usual.time_limit,
        }
    }
}

impl ImportGoAuth {
    pub(super) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        let queries = self.queries.queries();
        let source = match (&self.sqlite, &self.passwords, &self.acl) {
            (Some(path), ..) => GoAuthSource::read_database(path, &queries),
            (None, Some(passwords), Some(acl)) => GoAuthSource::read_files(passwords, acl),
            (None, ..) => {
                return Err(CliError::usage("give --passwords and --acl, or --sqlite"));
            }
        };
        let source = source.map_err(told)?;
        self.how.import(invocation, |store, context, options| {
            source.plan(store, context, options)
        })
    }
}
