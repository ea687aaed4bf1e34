//! The change log: what changed in the store, in order. Brokers follow it.

use crate::ban::BanId;
use crate::credential::CredentialId;
use crate::issuer::IssuerId;
use crate::name::{GroupPath, TenantId};

/// The place of a change in the log; grows by one with each.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ChangeSeq(pub i64);

/// What changed. Where the log can't say, everything may have.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Change {
    /// A ban was made, changed or removed.
    Ban(BanId),
    /// A credential was made, changed or deleted.
    Credential(CredentialId),
    /// Anything may have changed: judge every session again.
    Everything,
    /// The roles changed that this group of a tenant holds.
    Group(TenantId, GroupPath),
    /// The keys of an issuer were changed, or fetched, or could not be. No session ends by
    /// that.
    IssuerKeys(IssuerId),
    /// An administrator asked for a live session to be ended.
    KickRequested(KickRequestId),
    /// A tenant was made, changed or deleted.
    Tenant(TenantId),
}

/// The number of a request to end a live session.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct KickRequestId(pub i64);

/// How far a change log reaches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ChangeLogEnds {
    /// Its first entry; older ones were pruned.
    pub first: ChangeSeq,
    /// Its last entry.
    pub last: ChangeSeq,
}

impl ChangeLogEnds {
    /// What a follower reads that has read up to `seq`: up to `limit` entries,
    /// oldest first. `read` yields up to so many that come after `seq`.
    ///
    /// [`Change::Everything`] stands for entries that were pruned, and for all that
    /// a follower knows that is ahead of the log: it followed another store than
    /// this, of which this is an older backup, say.
    ///
    /// # Errors
    ///
    /// Returns what `read` fails with.
    pub fn after<E>(
        self,
        seq: ChangeSeq,
        limit: usize,
        read: impl FnOnce(usize) -> Result<Vec<(ChangeSeq, Change)>, E>,
    ) -> Result<Vec<(ChangeSeq, Change)>, E> {
        if seq > self.last {
            return Ok(vec![(self.last, Change::Everything)]);
        }
        if seq == self.last || limit == 0 {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        let before_first = ChangeSeq(self.first.0.saturating_sub(1));
        if seq < before_first {
            found.push((before_first, Change::Everything));
        }
        found.extend(read(limit.saturating_sub(found.len()))?);
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follower_is_told_of_each_change_or_of_everything() {
        const ENDS: ChangeLogEnds = ChangeLogEnds {
            first: ChangeSeq(5),
            last: ChangeSeq(9),
        };
        let after = |ends: ChangeLogEnds, seq, limit| {
            let entries = (ends.first.0..=ends.last.0).filter(|entry| *entry > seq);
            let told = ends.after(ChangeSeq(seq), limit, |most| {
                let read = entries.take(most);
                Ok::<_, ()>(read.map(|seq| (ChangeSeq(seq), change())).collect())
            });
            let told = told.unwrap().into_iter();
            told.map(|(ChangeSeq(seq), change)| (seq, change == Change::Everything))
                .collect::<Vec<_>>()
        };
        assert_eq!(after(ENDS, 7, 9), [(8, false), (9, false)]);
        assert_eq!(after(ENDS, 4, 2), [(5, false), (6, false)]);
        assert_eq!(after(ENDS, 3, 2), [(4, true), (5, false)]);
        assert_eq!(after(ENDS, 3, 1), [(4, true)]);
        assert_eq!(after(ENDS, 10, 9), [(9, true)]);
        assert_eq!(after(ENDS, 9, 9), []);
        assert_eq!(after(ENDS, 7, 0), []);
        let empty = ChangeLogEnds {
            first: ChangeSeq(0),
            last: ChangeSeq(0),
        };
        assert_eq!(after(empty, 0, 9), []);
        assert_eq!(after(empty, 1, 9), [(0, true)]);
    }

    fn change() -> Change {
        Change::Credential(CredentialId(1))
    }
}
