//! Following the audit: each row once, by its number.
//!
//! Numbers grow and are given out once, whatever is pruned. So the last number that was
//! looked at says which rows are new, after a restart, too.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use countersign_admin::audit::{FollowAudit, ShowAuditHeads};
use countersign_core::audit::AuditHeads;
use countersign_core::store::AuditQuery;
use countersign_store::AnyStore;

use super::list::{Printer, each_row_of};
use crate::error::CliError;
use crate::invocation::{Invocation, run_on};

/// Prints what is asked for, or what is behind the row `after`, and then what comes,
/// until the program is ended.
pub(super) fn run(
    invocation: &Invocation,
    query: AuditQuery,
    after: Option<i64>,
    rows: &mut Printer,
) -> Result<(), CliError> {
    let mut store = invocation.open()?;
    let path = invocation.store.file();
    let mut file = path.and_then(FileIdentity::of);
    let mut follower = match after {
        Some(after) => Follower::new(query, after),
        None => {
            // What comes after this is printed later.
            let last = last_number(&mut store)?;
            each_row_of(&mut store, &query, |row| match row.id {
                Some(id) if id <= last => rows.print(&row),
                // It has no number yet, and comes when it has.
                Some(_) | None => Ok(()),
            })?;
            Follower::new(query, last)
        }
    };
    let mut is_missing = false;
    loop {
        follower.go_on(&mut store, rows)?;
        rows.flush()?;
        std::thread::sleep(PAUSE);
        // A database stays the one that it is.
        let Some(path) = path else {
            continue;
        };
        let now = FileIdentity::of(path);
        if now.is_none() {
            if !is_missing {
                invocation
                    .output
                    .notice("the store is gone; this waits for another in its place");
            }
            is_missing = true;
        } else if now != file {
            store = invocation.open()?;
            file = now;
            is_missing = false;
            invocation
                .output
                .notice("another file took the place of the store");
            follower.meet(&mut store)?;
        }
    }
}

/// How far the audit was printed.
pub(super) struct Follower {
    query: AuditQuery,
    last: i64,
}

impl Follower {
    /// One that goes on behind the row with the number `last`.
    pub(super) fn new(query: AuditQuery, last: i64) -> Self {
        Self { query, last }
    }

    /// Prints what has come since.
    pub(super) fn go_on(
        &mut self,
        store: &mut AnyStore,
        rows: &mut Printer,
    ) -> Result<(), CliError> {
        loop {
            let follow = FollowAudit {
                query: self.query.clone(),
                after: self.last,
            };
            let found = run_on(store, &follow)?;
            found.rows.iter().try_for_each(|row| rows.print(row))?;
            match found.last {
                Some(last) => self.last = last,
                None => return Ok(()),
            }
        }
    }

    /// Goes on in another store. An older copy gives numbers out again that were printed
    /// of the store before: what it has when it is met is not new, and what comes is.
    fn meet(&mut self, store: &mut AnyStore) -> Result<(), CliError> {
        self.last = self.last.min(last_number(store)?);
        Ok(())
    }
}

/// The highest number that was given out.
fn last_number(store: &mut AnyStore) -> Result<i64, CliError> {
    let AuditHeads { acts, refusals } = run_on(store, &ShowAuditHeads)?;
    Ok(acts.id.max(refusals.id))
}

/// What tells a file from another in its place.
#[derive(Eq, PartialEq)]
struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    fn of(path: &Path) -> Option<Self> {
        let file = fs::metadata(path).ok()?;
        Some(Self {
            device: file.dev(),
            inode: file.ino(),
        })
    }
}

const PAUSE: Duration = Duration::from_millis(250);
