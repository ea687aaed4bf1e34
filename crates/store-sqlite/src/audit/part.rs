//! Which rows of the audit are listed.

use countersign_core::audit::AuditKey;
use countersign_core::store::Page;
use rusqlite::types::Value;

use crate::page_query::{PageQuery, text};

/// Which rows of a listing.
#[derive(Clone, Copy)]
pub(crate) enum Part<'p> {
    /// The newest so many.
    Newest(u64),
    /// Those of a page.
    Page(&'p Page<AuditKey>),
}

impl Part<'_> {
    /// Ends a statement that seeks the rows of this part by the columns of
    /// [`AuditKey`].
    pub(crate) fn of(self, query: PageQuery, key: [&str; 3]) -> (String, Vec<Value>) {
        match self {
            Self::Newest(limit) => query.newest(key, limit),
            Self::Page(page) => {
                let after = page.after.as_ref();
                let after =
                    after.map(|it| [it.time.as_millis().into(), text(&it.sum), it.id.into()]);
                query.page(key, after, page.sought())
            }
        }
    }
}
