//! Whether a follower of some tenants may hear what is counted against a user.

use countersign_core::store::ObjectName;

use super::objects::{list_of, nameless};
use super::{AT_ONCE, Changed, Source};
use crate::columns::Columns;
use crate::kind::{KeyPart, ObjectKind};
use crate::reader::SqlReader;

impl<R: SqlReader> Source<'_, R> {
    /// Adds what is counted against users who changed: the follower may hear of them by now.
    pub(super) fn add_lockouts(&self, changed: &mut Changed) -> Result<(), R::Fault> {
        let parts = [KeyPart::Number];
        let sql = format!(
            "SELECT lockout.name FROM credential JOIN lockout ON lockout.name = credential.name
             WHERE credential.id IN {}",
            R::list(1, &parts)
        );
        let changed_ones = changed.keys().cloned();
        let credentials: Vec<_> = changed_ones
            .filter(|(kind, _)| *kind == ObjectKind::Credential)
            .map(|(_, object)| object)
            .collect();
        for credentials in credentials.chunks(AT_ONCE) {
            for row in self.reader.rows(&sql, &[list_of(&parts, credentials)])? {
                let object = ObjectName {
                    name: Some(Columns::of(row).text::<R>()?),
                    ..nameless(ObjectKind::Lockout)
                };
                changed.entry((ObjectKind::Lockout, object)).or_insert(None);
            }
        }
        Ok(())
    }

    /// Whether the follower may hear that an object is gone.
    pub(super) fn may_name(&self, kind: ObjectKind, object: &ObjectName) -> Result<bool, R::Fault> {
        let is_plain = kind.may_be_named() || self.tenants.is_none();
        let (false, Some(sql)) = (is_plain, kind.may_be_named_to()) else {
            return Ok(is_plain);
        };
        let (_, key) = kind.key();
        let values = key.iter().map(|(_, part)| part.of(object)).collect();
        Ok(!self.ask(sql, values)?.is_empty())
    }
}
