//! `countersign scheme`.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use countersign_admin::scheme::{AddScheme, ListSchemes, RemoveScheme, ShowScheme};
use countersign_admin::view::SchemeView;
use countersign_core::scheme::{FIELD_KEYS, FieldValue, Scheme, SchemeName};
use serde_json::json;
use toml::Value;

use crate::error::CliError;
use crate::invocation::Invocation;
use crate::keys::{DELETED, Shows};
use crate::listing::Column;

#[derive(Debug, Subcommand)]
pub(crate) enum SchemeCommand {
    /// List the schemes.
    #[command(after_help = "Examples:\n  countersign scheme list")]
    List,
    /// Show a scheme, as the TOML that `scheme add` takes.
    #[command(after_help = "Examples:\n  countersign scheme show vwire > vwire.toml")]
    Show {
        /// Its name.
        #[arg(value_name = "SCHEME", value_parser = SchemeName::parse)]
        name: SchemeName,
    },
    /// Add a scheme.
    #[command(
        after_help = "Examples:\n  countersign scheme show vwire | sed 's/^name = .*/name = \"my-scheme\"/' \\\n      > my-scheme.toml\n  countersign scheme add my-scheme.toml"
    )]
    Add {
        /// A file of TOML, with the keys that `scheme show` prints.
        file: PathBuf,
    },
    /// Remove a scheme that was added.
    #[command(after_help = "Examples:\n  countersign scheme remove my-scheme")]
    Remove {
        /// Its name.
        #[arg(value_name = "SCHEME", value_parser = SchemeName::parse)]
        name: SchemeName,
    },
}

impl SchemeCommand {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        match self {
            Self::List => {
                let mut listing = invocation.output.listing(COLUMNS, "No schemes.");
                for scheme in invocation.run(&ListSchemes)?.iter() {
                    listing.push(&SchemeView::of(scheme))?;
                }
                listing.finish()?;
            }
            Self::Show { name } => {
                print(invocation, &invocation.run(&ShowScheme(name))?)?;
            }
            Self::Add { file } => {
                let add = AddScheme(read(&file)?);
                invocation.run(&add)?;
                let done = format!("scheme {} added", add.0.name());
                invocation.output.act(&done, &SchemeView::of(&add.0))?;
                for warning in add.rule_warnings() {
                    invocation.output.warn(&warning);
                }
            }
            Self::Remove { name } => {
                let deleted = json!({ "deleted": name.as_str() });
                let done = format!("scheme {name} removed");
                invocation.run(&RemoveScheme(name))?;
                invocation.output.act(&done, &deleted)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What is printed.
    pub(crate) fn shows(&self) -> Shows {
        match self {
            Self::Add { .. } | Self::List | Self::Show { .. } => Shows::all_of(&[&FIELD_KEYS]),
            Self::Remove { .. } => Shows::all_of(&[DELETED]),
        }
    }
}

/// Prints a scheme: its fields as JSON, or as TOML in the order of its own.
fn print(invocation: &Invocation, scheme: &Scheme) -> Result<(), CliError> {
    if !invocation.output.is_for_people() {
        return invocation.output.record(&SchemeView::of(scheme));
    }
    let mut stdout = std::io::stdout().lock();
    for (key, value) in scheme.to_fields() {
        writeln!(stdout, "{key} = {}", to_toml(value))?;
    }
    Ok(stdout.flush()?)
}

/// Reads a scheme from a file.
fn read(file: &Path) -> Result<Scheme, CliError> {
    let path = file.display();
    let text = fs::read_to_string(file)
        .map_err(|error| CliError::refused(format!("could not read `{path}`: {error}")))?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map(|span| line_of(&text, span.start));
        let line = line.map(|line| format!(" at line {line}"));
        let line = line.unwrap_or_default();
        CliError::refused(format!(
            "`{path}` is not valid TOML{line}: {}",
            error.message()
        ))
    })?;
    let fields = table
        .into_iter()
        .map(|(key, value)| match from_toml(value) {
            Some(value) => Ok((key, value)),
            None => Err(CliError::refused(format!(
                "`{key}` in `{path}` is not a text, whole number, `true`, `false` or list of texts"
            ))),
        })
        .collect::<Result<Vec<_>, _>>()?;
    Scheme::from_fields(fields)
        .map_err(|error| CliError::refused(format!("`{path}` is not a valid scheme: {error}")))
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.bytes().take(offset);
    before
        .filter(|byte| *byte == b'\n')
        .count()
        .saturating_add(1)
}

fn to_toml(value: FieldValue) -> Value {
    match value {
        FieldValue::Flag(flag) => Value::Boolean(flag),
        FieldValue::List(texts) => Value::Array(texts.into_iter().map(Value::String).collect()),
        FieldValue::Number(number) => Value::Integer(number),
        FieldValue::Text(text) => Value::String(text),
    }
}

fn from_toml(value: Value) -> Option<FieldValue> {
    match value {
        Value::Array(values) => {
            let texts = values.into_iter().map(|value| match value {
                Value::String(text) => Some(text),
                Value::Array(_)
                | Value::Boolean(_)
                | Value::Datetime(_)
                | Value::Float(_)
                | Value::Integer(_)
                | Value::Table(_) => None,
            });
            texts.collect::<Option<_>>().map(FieldValue::List)
        }
        Value::Boolean(flag) => Some(FieldValue::Flag(flag)),
        Value::Integer(number) => Some(FieldValue::Number(number)),
        Value::String(text) => Some(FieldValue::Text(text)),
        Value::Datetime(_) | Value::Float(_) | Value::Table(_) => None,
    }
}

const COLUMNS: &[Column] = &[
    ("name", "SCHEME"),
    ("login_name", "LOGIN NAME"),
    ("login_name_shape", "SHAPE"),
    ("client_id", "CLIENT ID"),
    ("secret_shape", "SECRET"),
    ("tls_only", "TLS ONLY"),
];
