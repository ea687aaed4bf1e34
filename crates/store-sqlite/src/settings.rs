//! The settings.

use core::time::Duration;

use countersign_core::ban::AutoBan;
use countersign_core::lockout::LockoutPolicy;
use countersign_core::secret::Argon2Params;
use countersign_core::store::rows::SettingRows;
use countersign_core::store::{Settings, StoreError};
use countersign_sql::expecting_scheme;
use rusqlite::Connection;

use crate::error::Fault;
use crate::row_reader::RowReader;
use crate::transaction::SqliteTransaction;

impl SettingRows for SqliteTransaction<'_> {
    fn settings(&mut self) -> Result<Settings, StoreError> {
        self.run("read the settings", read)
    }

    fn set_settings(&mut self, settings: &Settings) -> Result<(), StoreError> {
        self.run("write the settings", |connection| put(connection, settings))
    }
}

/// The settings. What was never set is as by default.
pub(crate) fn read(connection: &Connection) -> Result<Settings, Fault> {
    let mut statement = connection.prepare_cached("SELECT key, value FROM setting")?;
    let mut rows = statement.query([])?;
    let mut settings = Settings::default();
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        match columns.text()? {
            "argon2" => settings.argon2 = columns.parsed(Argon2Params::parse)?,
            "client_id_hold" => {
                settings.client_id_hold = Duration::from_millis(columns.parsed(str::parse)?);
            }
            "keep_refusals" => {
                settings.keep_refusals = Duration::from_millis(columns.parsed(str::parse)?);
            }
            "client_id_limit" => settings.client_id_limit = columns.parsed(str::parse)?,
            "rehash" => settings.rehash = columns.parsed(str::parse)?,
            "auto_ban" => settings.auto_ban = columns.parsed(AutoBan::parse)?,
            "lockout" => settings.lockout = columns.parsed(LockoutPolicy::parse)?,
            // See the schemes.
            key if expecting_scheme(key).is_some() => {}
            _ => return Err(columns.nonsense()),
        }
    }
    Ok(settings)
}

/// Replaces the settings.
pub(crate) fn put(connection: &Connection, settings: &Settings) -> Result<(), Fault> {
    let millis = |span: Duration| {
        u64::try_from(span.as_millis())
            .unwrap_or(u64::MAX)
            .to_string()
    };
    let mut statement =
        connection.prepare_cached("INSERT OR REPLACE INTO setting (key, value) VALUES (?1, ?2)")?;
    statement.execute(["argon2", &settings.argon2.to_string()])?;
    statement.execute(["client_id_hold", &millis(settings.client_id_hold)])?;
    statement.execute(["client_id_limit", &settings.client_id_limit.to_string()])?;
    statement.execute(["keep_refusals", &millis(settings.keep_refusals)])?;
    statement.execute(["rehash", &settings.rehash.to_string()])?;
    statement.execute(["auto_ban", &settings.auto_ban.to_string()])?;
    statement.execute(["lockout", &settings.lockout.to_string()])?;
    Ok(())
}
