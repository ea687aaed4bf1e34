//! What the stores of Countersign that speak SQL share, be they in a file or in a database.
//!
//! A store says how it is asked ([`SqlReader`]), and what its tables look like
//! ([`TableShape`]). What followers are told of, and which of them of what, stands here once
//! ([`FOLLOWED`]), and is read here once ([`snapshot_page`], [`changes_since`]). The same
//! goes for what exports have ([`EXPORTED`], [`export`]), and for how records are found that
//! can't be read ([`unreadable_records`]).

mod columns;
mod export;
mod exported;
mod followed;
mod groups;
mod kind;
mod log;
mod passwords;
mod reader;
mod records;
mod shape;
mod source;
mod table_reader;

pub use export::export;
pub use exported::{EXPORTED, ExportedTable, LEFT_OUT, Withheld};
pub use followed::{FOLLOWED, FollowedTable, Mask, ROWS_OF_SCHEMA};
pub use groups::groups_beginning;
pub use kind::{KeyPart, ObjectKind};
pub use log::{first_object_change, last_object_change, last_to_cut};
pub use passwords::{EXPECTING_KEYS, expecting_key, expecting_scheme};
pub use reader::SqlReader;
pub use records::{Record, RecordReader, unreadable_records};
pub use shape::{Column, ColumnType, TableShape, quote, quoted};
pub use source::{changes_since, snapshot_page};
pub use table_reader::TableReader;
