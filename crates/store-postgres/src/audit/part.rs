//! Which rows of the audit are listed.

use countersign_core::audit::{AuditKey, AuditRow};
use countersign_core::name::TenantId;
use countersign_core::store::{AuditQuery, Page};

use crate::error::Fault;
use crate::page_query::{PageQuery, text};
use crate::row_reader::RowReader;
use crate::sql::{Connection, Value, Walk};

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

/// Reads rows up to the last that a part of the listing has, those alone that `query`
/// asks for.
pub(crate) fn admitted(
    connection: &Connection,
    query: &AuditQuery,
    part: Part<'_>,
    (sql, values): (&str, Vec<Value>),
    read: impl Fn(&mut RowReader<'_>) -> Result<AuditRow, Fault>,
) -> Result<Vec<AuditRow>, Fault> {
    let tenant_of = connection.prepare("SELECT tenant FROM credential WHERE name = $1")?;
    let mut found = Vec::new();
    if part.most() == 0 {
        return Ok(found);
    }
    connection.walk(sql, values, |row| {
        let row = read(&mut RowReader::of(row))?;
        let is_admitted = query.admits(&row.entry, |name| -> Result<_, Fault> {
            let mut owners = tenant_of.query([name])?;
            match owners.next()? {
                Some(owner) => RowReader::of(owner).maybe_parsed(TenantId::parse),
                None => Ok(None),
            }
        })?;
        if is_admitted {
            found.push(row);
        }
        Ok(if found.len() < part.most() {
            Walk::On
        } else {
            Walk::Enough
        })
    })?;
    Ok(found)
}
