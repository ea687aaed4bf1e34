//! The arguments that hold for all commands.

use std::path::PathBuf;

use clap::Args;

use crate::error::CliError;
use crate::keys::Shows;
use crate::output::{Format, Output};
use crate::store_files::DEFAULT_STORE;

#[derive(Args, Debug)]
pub(super) struct Common {
    /// The store: its file, or a database as `postgres://USER@HOST/DATABASE`.
    #[arg(
        long,
        global = true,
        env = "COUNTERSIGN_STORE",
        value_name = "PATH",
        default_value = DEFAULT_STORE
    )]
    pub(super) store: PathBuf,
    /// The key file of a store in a database, which seals what can't be hashed.
    #[arg(long, global = true, env = "COUNTERSIGN_KEY_FILE", value_name = "FILE")]
    pub(super) key_file: Option<PathBuf>,
    /// Print `json`, `jsonl` (a document a line), `text` for people, or `wide` text with
    /// all columns.
    #[arg(
        short = 'o',
        global = true,
        value_name = "FORMAT",
        value_enum,
        hide_possible_values = true
    )]
    format: Option<Format>,
    /// Print one JSON document, as `-o json` does.
    #[arg(long, global = true, conflicts_with = "format")]
    json: bool,
    /// Print the value of this key and nothing else; of a list, one a line.
    #[arg(long, global = true, value_name = "KEY", conflicts_with_all = ["format", "json"])]
    field: Option<String>,
    /// Print what an act left, too, and not only that it was done.
    #[arg(short, long, global = true)]
    verbose: bool,
}

impl Common {
    /// Says whether programs read what is printed, and so what goes wrong.
    pub(super) fn is_for_programs(&self) -> bool {
        self.json || matches!(self.format, Some(Format::Json | Format::Jsonl))
    }

    /// How results are printed, of what a command shows.
    pub(super) fn output(&self, shows: Shows) -> Result<Output, CliError> {
        let format = if self.json {
            Some(Format::Json)
        } else {
            self.format
        };
        let field = self.field.as_deref();
        let field = field.map(|asked| shows.field(asked)).transpose()?;
        Ok(Output::new(
            format.unwrap_or(Format::Text),
            field,
            self.verbose,
        ))
    }
}
