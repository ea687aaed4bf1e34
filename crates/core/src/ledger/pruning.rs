//! Records of client ids that were not used for long.

use super::LedgerTransaction;
use super::client_ids::{HOUR, MOST_PRUNED};
use crate::client_id::ClientIdTie;
use crate::ownership::{DEFAULT_HOLD, Holder};
use crate::store::StoreError;
use crate::time::Timestamp;

/// Corrects up to `most` uses of client ids that a clock recorded which was ahead;
/// says how many they were.
pub(super) fn correct_uses(
    writing: &mut impl LedgerTransaction,
    now: Timestamp,
    most: usize,
) -> Result<usize, StoreError> {
    let ahead = writing.client_ids_used_after(now.plus(HOUR), most)?;
    for id in &ahead {
        writing.set_last_use(id, now)?;
    }
    Ok(ahead.len())
}

/// Removes up to `most` records that were not used for long, but remembers of
/// whom the host may have a session still; says how many they were. What is in
/// use is used now.
///
/// Where so much is remembered that there is no room, nothing is removed: a client
/// id of which nothing is known is anybody's.
pub(super) fn prune(
    writing: &mut impl LedgerTransaction,
    now: Timestamp,
    most: usize,
) -> Result<usize, StoreError> {
    let Ok(settings) = writing.settings() else {
        // How long they are held can't be told.
        return Ok(0);
    };
    if writing.count_client_ids()?.pruned >= MOST_PRUNED {
        return Ok(0);
    }
    let hold = settings.client_id_hold.max(DEFAULT_HOLD);
    let unused = writing.client_ids_unused_since(now.minus(hold), most)?;
    for id in &unused {
        if writing.is_connected(id)? {
            writing.set_last_use(id, now)?;
            continue;
        }
        if let Some(holder) = holder_of_kept(writing, id)? {
            writing.put_pruned_client_id(id, holder)?;
        }
        writing.remove_client_id_record(id)?;
    }
    Ok(unused.len())
}

/// Whose session the host may keep under a client id, if it may keep one. Of a
/// record that can't be read, it may be anybody's.
fn holder_of_kept(
    writing: &mut impl LedgerTransaction,
    id: &ClientIdTie,
) -> Result<Option<Holder>, StoreError> {
    Ok(match writing.client_id_record(id) {
        Ok(Some(record)) if record.session.is_unproved() => Some(Holder::Unauthenticated),
        Ok(Some(record)) if record.session.is_stored() => {
            Some(record.credential.map_or(Holder::Former, Holder::Credential))
        }
        Ok(_) => None,
        Err(error) if error.is_of_one_record() && !error.is_about_pages() => Some(Holder::Former),
        Err(error) => return Err(error),
    })
}
