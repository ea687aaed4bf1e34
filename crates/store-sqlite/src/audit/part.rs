//! Which rows of the audit are listed.

use countersign_core::audit::{AuditKey, AuditRow};
use countersign_core::name::TenantId;
use countersign_core::store::{AuditQuery, Page};
use rusqlite::types::Value;
use rusqlite::{Connection, Rows};

use crate::error::Fault;
use crate::page_query::{PageQuery, text};
use crate::row_reader::RowReader;

/// Which rows of a listing.
#[derive(Clone, Copy)]
pub(crate) enum Part<'p> {
    /// The newest so many.
    Newest(u64),
    /// Those of a page.
    Page(&'p Page<AuditKey>),
}

impl Part<'_> {
    /// How many rows it has at most, and one more of a page, to know whether another
    /// follows.
    pub(crate) fn most(self) -> usize {
        let most = match self {
            Self::Newest(limit) => limit,
            Self::Page(page) => page.sought(),
        };
        usize::try_from(most).unwrap_or(usize::MAX)
    }

    /// Ends a statement that seeks the rows of this part, and those behind, by the
    /// columns of [`AuditKey`].
    pub(crate) fn of(self, query: PageQuery, key: [&str; 3]) -> (String, Vec<Value>) {
        match self {
            Self::Newest(_) => query.newest(key, u64::MAX),
            Self::Page(page) => {
                let after = page.after.as_ref();
                let after =
                    after.map(|it| [it.time.as_millis().into(), text(&it.sum), it.id.into()]);
                query.page(key, after, u64::MAX)
            }
        }
    }
}

/// Rows of a part of a listing that were found.
#[derive(Default)]
pub(crate) struct FoundRows {
    pub(crate) rows: Vec<AuditRow>,
    /// The last row that was looked at, where that was not the last of the part.
    pub(crate) end: Option<AuditKey>,
}

impl FoundRows {
    /// What was found here and there, in order. Behind where either ended, nothing is told.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.rows.extend(other.rows);
        self.rows.sort_by_cached_key(AuditRow::key);
        let ends = self.end.into_iter().chain(other.end);
        let end = ends.min();
        if let Some(end) = &end {
            self.rows.retain(|row| row.key() <= *end);
        }
        Self {
            rows: self.rows,
            end,
        }
    }
}

/// Reads rows up to the last that a part of the listing has, those alone that `query`
/// asks for; of a page, it looks at a bounded number.
pub(crate) fn admitted(
    connection: &Connection,
    query: &AuditQuery,
    part: Part<'_>,
    mut rows: Rows<'_>,
    read: impl Fn(&mut RowReader<'_>) -> Result<AuditRow, Fault>,
) -> Result<FoundRows, Fault> {
    let most_looked_at = match part {
        Part::Page(_) => MOST_LOOKED_AT,
        Part::Newest(_) => usize::MAX,
    };
    let mut looked_at = 0_usize;
    let mut tenant_of =
        connection.prepare_cached("SELECT tenant FROM credential WHERE name = ?1")?;
    let mut found = FoundRows::default();
    while found.rows.len() < part.most()
        && let Some(row) = rows.next()?
    {
        let row = read(&mut RowReader::of(row))?;
        looked_at = looked_at.saturating_add(1);
        let is_admitted = query.admits(&row.entry, |name| -> Result<_, Fault> {
            let mut owners = tenant_of.query([name])?;
            match owners.next()? {
                Some(owner) => RowReader::of(owner).maybe_parsed(TenantId::parse),
                None => Ok(None),
            }
        })?;
        let is_enough = looked_at >= most_looked_at;
        let end = is_enough.then(|| row.key());
        if is_admitted {
            found.rows.push(row);
        }
        if end.is_some() {
            found.end = end;
            break;
        }
    }
    Ok(found)
}

/// So many rows are looked at for a page at most.
const MOST_LOOKED_AT: usize = 4_000;
