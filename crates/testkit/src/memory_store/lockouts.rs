//! Failed logins of users, and of e-mail addresses that no user has.

use countersign_core::lockout::Lockout;
use countersign_core::name::LoginName;
use countersign_core::store::StoreError;
use countersign_core::store::rows::LockoutRows;
use countersign_core::time::Timestamp;

use super::MemoryTransaction;
use super::tables::{LockoutRow, Tables};

impl Tables {
    /// What is counted against this address.
    pub(super) fn lockout(&self, email: &LoginName) -> Lockout {
        let row = self.lockouts.get(email);
        row.map(|row| row.lockout).unwrap_or_default()
    }
}

impl LockoutRows for MemoryTransaction<'_> {
    fn lockout(&mut self, email: &LoginName) -> Result<Lockout, StoreError> {
        Ok(self.tables.lockout(email))
    }

    fn put_lockout(
        &mut self,
        email: &LoginName,
        lockout: &Lockout,
        is_users: bool,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let row = LockoutRow {
            lockout: *lockout,
            is_users,
            updated_at: at,
        };
        self.tables.lockouts.put(email.clone(), row);
        Ok(())
    }

    fn mark_lockout(&mut self, email: &LoginName, is_users: bool) -> Result<(), StoreError> {
        if let Some(row) = self.tables.lockouts.row(email) {
            row.is_users = is_users;
        }
        Ok(())
    }

    fn clear_lockout(&mut self, email: &LoginName) -> Result<(), StoreError> {
        self.tables.lockouts.remove(email);
        Ok(())
    }

    fn keep_unknown_lockouts(&mut self, most: usize, newest: &LoginName) -> Result<(), StoreError> {
        let lockouts = &mut self.tables.lockouts;
        if lockouts.len() <= most {
            return Ok(());
        }
        let is_older = |name: &LoginName, row: &LockoutRow| !row.is_users && name != newest;
        let count = lockouts.iter().filter(|(name, row)| is_older(name, row));
        let too_many = (count.count() + 1).saturating_sub(most);
        if too_many > 0 {
            let mut older = lockouts.keys_where(usize::MAX, is_older);
            older.sort_by_key(|name| lockouts.get(name).map(|row| row.updated_at));
            for name in older.iter().take(too_many) {
                lockouts.remove(name);
            }
        }
        Ok(())
    }

    fn remove_lockouts(&mut self, at: Timestamp, most: usize) -> Result<usize, StoreError> {
        let lockouts = &mut self.tables.lockouts;
        Ok(lockouts.remove_some(most, |_, row| row.updated_at < at))
    }
}
