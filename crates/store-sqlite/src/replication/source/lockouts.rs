//! Whether a follower of some tenants may hear what is counted against a user.

use countersign_core::store::ObjectName;
use rusqlite::params_from_iter;

use super::{Changed, Source};
use crate::error::Fault;
use crate::replication::kind::ObjectKind;
use crate::replication::object::nameless;
use crate::row_reader::RowReader;

impl Source<'_> {
    /// Adds what is counted against users who changed: the follower may hear of them by now.
    pub(super) fn add_lockouts(&self, changed: &mut Changed) -> Result<(), Fault> {
        let mut statement = self.connection.prepare_cached(
            "SELECT lockout.name FROM credential JOIN lockout ON lockout.name = credential.name
             WHERE credential.id = ?1",
        )?;
        let credentials = changed.keys().filter_map(|(kind, object)| {
            let is_one = *kind == ObjectKind::Credential;
            object.number.filter(|_| is_one)
        });
        for id in credentials.collect::<Vec<_>>() {
            let mut rows = statement.query([id])?;
            if let Some(row) = rows.next()? {
                let mut object = nameless(ObjectKind::Lockout);
                object.name = Some(RowReader::of(row).text()?.to_owned());
                changed.entry((ObjectKind::Lockout, object)).or_insert(None);
            }
        }
        Ok(())
    }

    /// Whether the follower may hear that an object is gone.
    pub(super) fn may_name(&self, kind: ObjectKind, object: &ObjectName) -> Result<bool, Fault> {
        let is_plain = kind.may_be_named() || self.tenants.is_none();
        let (false, Some(sql)) = (is_plain, kind.may_be_named_to()) else {
            return Ok(is_plain);
        };
        let mut statement = self.connection.prepare_cached(sql)?;
        let (_, key) = kind.key();
        Ok(statement.exists(params_from_iter(self.bound(key, object)))?)
    }
}
