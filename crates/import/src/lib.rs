//! Reads the files of users and rules of other authentication systems.
//!
//! A source is read whole, into items that each remember their [`Place`], before
//! anything is planned or written. What the source's own program would not load
//! is an error; what it loads and does not use is an item too
//! ([`source::PassedOver`]), so that each line or object of a source can be told
//! of in the [`Report`].
//!
//! Reading is total: any bytes give items or an error, never a panic, within
//! bounds in bytes, depth and number. An error names the place and the reason
//! and never repeats what stands there, for it may hold a secret.

#![forbid(unsafe_code)]

pub use crate::content::{SourceContent, read_source};
pub use crate::csv_rows::{CsvOptions, CsvSource};
pub use crate::dynamic_security::DynamicSecuritySource;
pub use crate::error::SourceError;
pub use crate::go_auth::GoAuthSource;
pub use crate::import_error::ImportError;
pub use crate::mosquitto::MosquittoSource;
pub use crate::place::{Place, SourceName};
pub use crate::plan::{ApplyError, ImportOptions, IssuedSecret, Plan, TenantOptions, Writing};
pub use crate::report::{Change, Created, Loss, Report, Unaccounted};
pub use crate::stored_password::StoredPassword;

pub mod export_file;
pub mod source;
pub mod target;

mod content;
mod csv_rows;
mod dynamic_security;
mod error;
mod given_password;
mod go_auth;
mod import_error;
mod json;
mod lines;
mod mosquitto;
mod place;
mod plan;
mod receiving;
mod report;
mod stored_password;
mod users;
mod written_rule;
