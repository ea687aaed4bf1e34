//! Listings, page by page.
//!
//! A page begins after the key of a row, not after so many rows. So what is added
//! or removed between two pages makes neither a row come twice nor another one
//! missing.

use super::rows::BrokerPresence;
use crate::audit::{AuditKey, AuditRow};
use crate::control_note::ControlNote;
use crate::credential::Credential;
use crate::jwt::TokenId;
use crate::name::{LoginName, TenantId};
use crate::presence::SessionNumber;
use crate::role::{Role, RoleName};
use crate::tenant::Tenant;
use crate::time::Timestamp;
use crate::token::TokenRecord;

/// One page of a listing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Page<K> {
    /// After the row with this key alone, whether it is still there or not.
    pub after: Option<K>,
    /// At most so many rows.
    pub limit: u64,
}

impl<K> Page<K> {
    /// The page after the row with this key.
    #[must_use]
    pub const fn after(key: K) -> Self {
        Self {
            after: Some(key),
            limit: ROWS,
        }
    }

    /// How many rows a store looks for: one more than the page has, to know
    /// whether another page follows.
    #[must_use]
    pub const fn sought(&self) -> u64 {
        self.limit.saturating_add(1)
    }

    /// The page, of which `rows` were found when [so many](Page::sought) were
    /// sought.
    #[must_use]
    pub fn listed<T: Keyed<Key = K>>(&self, mut rows: Vec<T>) -> Listed<T> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let is_last = rows.len() <= limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| !is_last).map(Keyed::key);
        Listed { rows, next }
    }

    /// The same, where the store looked no further than up to `end`, if there is one: the
    /// next page begins behind it.
    #[must_use]
    pub fn listed_up_to<T: Keyed<Key = K>>(&self, rows: Vec<T>, end: Option<K>) -> Listed<T> {
        let Listed { rows, next } = self.listed(rows);
        let next = next.or(end);
        Listed { rows, next }
    }
}

/// The first page.
impl<K> Default for Page<K> {
    fn default() -> Self {
        Self {
            after: None,
            limit: ROWS,
        }
    }
}

/// The rows of a page, and where the next page begins. Where hardly any row is what is
/// asked for, a store may look at some alone: then a page has fewer rows than it may have,
/// or none, and another one follows all the same.
#[derive(Clone, Debug)]
pub struct Listed<T: Keyed> {
    /// The rows.
    pub rows: Vec<T>,
    /// The key after which the next page begins; none where there is no more.
    pub next: Option<T::Key>,
}

/// A row of a listing.
pub trait Keyed {
    /// What listings are ordered by.
    type Key;

    /// The key of this row.
    fn key(&self) -> Self::Key;
}

impl Keyed for AuditRow {
    type Key = AuditKey;

    fn key(&self) -> AuditKey {
        self.key()
    }
}

impl Keyed for BrokerPresence {
    type Key = (String, SessionNumber);

    fn key(&self) -> Self::Key {
        (self.broker.clone(), self.presence.session)
    }
}

impl Keyed for ControlNote {
    type Key = Box<str>;

    fn key(&self) -> Box<str> {
        self.key.name.clone()
    }
}

impl Keyed for Credential {
    type Key = LoginName;

    fn key(&self) -> LoginName {
        self.name.clone()
    }
}

impl Keyed for LoginName {
    type Key = Self;

    fn key(&self) -> Self {
        self.clone()
    }
}

impl Keyed for Role {
    type Key = (TenantId, RoleName);

    fn key(&self) -> Self::Key {
        (self.tenant.clone(), self.name.clone())
    }
}

impl Keyed for Tenant {
    type Key = TenantId;

    fn key(&self) -> TenantId {
        self.id.clone()
    }
}

impl Keyed for TokenRecord {
    type Key = (TenantId, Timestamp, TokenId);

    fn key(&self) -> Self::Key {
        (self.tenant.clone(), self.issued_at, self.id.clone())
    }
}

/// Hands over each row of a listing; one page is held in memory.
///
/// # Errors
///
/// Returns what `list` or `each` return.
pub fn each_row<T: Keyed, E>(
    mut list: impl FnMut(&Page<T::Key>) -> Result<Listed<T>, E>,
    mut each: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    let mut page = Page::default();
    loop {
        let Listed { rows, next } = list(&page)?;
        rows.into_iter().try_for_each(&mut each)?;
        match next {
            Some(key) => page = Page::after(key),
            None => return Ok(()),
        }
    }
}

/// All rows of a listing, for what is decided on all of them at once.
///
/// # Errors
///
/// Returns what `list` returns.
pub fn all_rows<T: Keyed, E>(
    list: impl FnMut(&Page<T::Key>) -> Result<Listed<T>, E>,
) -> Result<Vec<T>, E> {
    let mut all = Vec::new();
    each_row(list, |row| {
        all.push(row);
        Ok(())
    })?;
    Ok(all)
}

/// Rows a page, where the caller does not say.
const ROWS: u64 = 500;

#[cfg(test)]
mod tests {
    use super::*;

    struct Number(u64);

    impl Keyed for Number {
        type Key = u64;

        fn key(&self) -> u64 {
            self.0
        }
    }

    #[test]
    fn every_row_is_handed_over_once_however_many_pages_there_are() {
        for count in [0, 1, ROWS - 1, ROWS, ROWS + 1, 2 * ROWS] {
            let mut pages = 0;
            let all = all_rows(|page: &Page<u64>| {
                pages += 1;
                let first = page.after.map_or(0, |last| last + 1);
                let end = count.min(first + page.sought());
                Ok::<_, ()>(page.listed((first..end).map(Number).collect()))
            });
            let numbers: Vec<_> = all.unwrap().into_iter().map(|number| number.0).collect();
            assert_eq!(numbers, (0..count).collect::<Vec<_>>());
            assert_eq!(pages, count.div_ceil(ROWS).max(1), "{count}");
        }
    }
}
