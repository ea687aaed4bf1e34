//! Where issuers' keys are fetched, and what came of it.

use core::time::Duration;

use countersign_core::issuer::{IssuerId, KeyPlace, KeySource, KeysUrl, MaxKeyAge};

use crate::error::Fault;
use crate::row_reader::RowReader;
use crate::sql::{Connection, Params, params};

/// Writes down where the keys of an issuer are fetched, if they are.
pub(crate) fn put(
    connection: &Connection,
    id: IssuerId,
    source: Option<&KeySource>,
) -> Result<(), Fault> {
    let Some(source) = source else {
        connection
            .prepare("DELETE FROM issuer_source WHERE issuer = $1")?
            .execute([id.0])?;
        return Ok(());
    };
    connection
        .prepare(
            "INSERT INTO issuer_source (issuer, url, allow_private, max_age, set_at,
                 fetched_at, tried_at, problem, asked, answered)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT (issuer) DO UPDATE SET url = excluded.url,
                 allow_private = excluded.allow_private, max_age = excluded.max_age,
                 set_at = excluded.set_at, fetched_at = excluded.fetched_at,
                 tried_at = excluded.tried_at, problem = excluded.problem,
                 asked = excluded.asked, answered = excluded.answered",
        )?
        .execute(params![
            id.0,
            source.place.url.as_str(),
            source.place.allow_private,
            source.place.max_age.get().as_secs(),
            source.set_at.as_millis(),
            source.fetched_at.map(|it| it.as_millis()),
            source.tried_at.map(|it| it.as_millis()),
            source.problem.as_deref(),
            source.asked,
            source.answered,
        ])?;
    Ok(())
}

/// Where the keys of an issuer are fetched, if they are.
pub(crate) fn of(connection: &Connection, id: IssuerId) -> Result<Option<KeySource>, Fault> {
    let found = read(connection, OF_ISSUER, [id.0])?.pop();
    Ok(found.map(|(_, source)| source))
}

/// Where the keys of all issuers are fetched, of those where they are.
pub(crate) fn all(connection: &Connection) -> Result<Vec<(IssuerId, KeySource)>, Fault> {
    read(connection, ALL, ())
}

fn read(
    connection: &Connection,
    sql: &str,
    values: impl Params,
) -> Result<Vec<(IssuerId, KeySource)>, Fault> {
    let statement = connection.prepare(sql)?;
    let mut rows = statement.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        let id = IssuerId(columns.number()?);
        let place = KeyPlace {
            url: columns.parsed(KeysUrl::parse)?,
            allow_private: columns.flag()?,
            max_age: MaxKeyAge::new(Duration::from_secs(columns.small::<u32>()?.into()))
                .map_err(|_| columns.nonsense())?,
        };
        let source = KeySource {
            place,
            set_at: columns.instant()?,
            fetched_at: columns.maybe_instant()?,
            tried_at: columns.maybe_instant()?,
            problem: columns.maybe_text()?.map(Into::into),
            asked: columns.small()?,
            answered: columns.small()?,
        };
        found.push((id, source));
    }
    Ok(found)
}

macro_rules! source_columns {
    () => {
        "SELECT issuer, url, allow_private, max_age, set_at, fetched_at, tried_at, problem,
             asked, answered FROM issuer_source"
    };
}

const OF_ISSUER: &str = concat!(source_columns!(), " WHERE issuer = $1");
// As many as there may be issuers.
const ALL: &str = concat!(source_columns!(), " ORDER BY issuer LIMIT 1024");
