//! Which groups of a tenant there are.

use std::collections::BTreeSet;

use countersign_core::name::{GroupPath, TenantId};
use countersign_core::store::Cell;

use crate::columns::Columns;
use crate::reader::SqlReader;

/// Groups of a tenant whose paths begin so, by path: `most` of them.
///
/// # Errors
///
/// Returns the store's fault when they can't be read.
pub fn groups_beginning<R: SqlReader>(
    reader: &R,
    tenant: &TenantId,
    begin: &str,
    most: usize,
) -> Result<Vec<GroupPath>, R::Fault> {
    let tenant = Cell::Text(tenant.as_str().into());
    let end = Cell::Text(format!("{begin}{BEHIND_ALL}"));
    let mut from = begin.to_owned();
    let limit = Cell::Integer(i64::try_from(most).unwrap_or(i64::MAX));
    let bounds = [tenant.clone(), Cell::Text(from.clone()), end.clone(), limit];
    let holding = reader.rows(HOLDING, &bounds)?;
    let holding = holding
        .into_iter()
        .map(|row| path::<R>(&mut Columns::of(row)));
    let mut found: BTreeSet<_> = holding.collect::<Result<_, _>>()?;
    let mut joined: usize = 0;
    // Paths are few where members are many: each path is looked up behind the last.
    for _ in 0..MOST_LOOKED_AT {
        if joined == most {
            break;
        }
        let bounds = [tenant.clone(), Cell::Text(from), end.clone()];
        let Some(row) = reader.rows(NEXT_JOINED, &bounds)?.pop() else {
            break;
        };
        let mut row = Columns::of(row);
        let path = path::<R>(&mut row)?;
        let is_of_tenant = row.number::<R>()? != 0;
        from = format!("{path}{BEFORE_ALL}");
        if is_of_tenant {
            joined = joined.saturating_add(1);
            found.insert(path);
        }
    }
    Ok(found.into_iter().take(most).collect())
}

fn path<R: SqlReader>(row: &mut Columns) -> Result<GroupPath, R::Fault> {
    let text = row.text::<R>()?;
    GroupPath::parse(&text).map_err(|_| R::nonsense("a stored `path`".into()))
}

/// Sorts before all that a path can have.
const BEFORE_ALL: char = '!';
/// Sorts behind all that a path can have.
const BEHIND_ALL: char = '~';
/// So many groups that credentials are in, of all tenants, are looked at.
const MOST_LOOKED_AT: usize = 4_096;

const HOLDING: &str = "SELECT DISTINCT path FROM group_role
     WHERE tenant = ?1 AND path >= ?2 AND path < ?3 ORDER BY path LIMIT ?4";
const NEXT_JOINED: &str = "SELECT path,
            EXISTS (SELECT 1 FROM credential_group AS other
                    JOIN credential ON credential.id = other.credential
                    WHERE other.path = credential_group.path AND credential.tenant = ?1)
     FROM credential_group WHERE path >= ?2 AND path < ?3 ORDER BY path LIMIT 1";
