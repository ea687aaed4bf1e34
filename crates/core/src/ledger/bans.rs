//! Bans that nobody asked for.

use super::{Durability, Ledger, LedgerTransaction as _, Pace};
use crate::audit::{AuditChain, AuditEntry};
use crate::ban::{Ban, MOST_BANS_BEFORE_AUTOMATIC};
use crate::change::Change;
use crate::store::StoreError;
use crate::store::rows::{AuditRows as _, BanRows as _, ChangeRows as _, SettingRows as _};
use crate::time::{Timestamp, rfc3339};

/// See [`Ledger::ban_automatically`].
pub(super) fn add_automatic(
    ledger: &mut impl Ledger,
    ban: &Ban,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let mut writing = ledger.begin_writing("ban an address", Pace::Journal)?;
    if !ban.is_in_force(now) || writing.settings()?.auto_ban.rule().is_none() {
        return Ok(false);
    }
    let before = writing.ban_on(&ban.target)?;
    if before
        .as_ref()
        .is_some_and(|before| before.is_in_force(now))
    {
        // What somebody chose, or another broker was quicker with, stays.
        return Ok(false);
    }
    let most = MOST_BANS_BEFORE_AUTOMATIC;
    if writing.count_bans(None, most)? >= most {
        return Ok(false);
    }
    if let Some(ended) = before {
        writing.remove_ban(ended.id)?;
    }
    let id = writing.add_ban(ban)?;
    writing.append_audit(AuditChain::Acts, &[entry(ban, now)])?;
    writing.append_change(now, &Change::Ban(id))?;
    writing.commit_surviving(Durability::Kill)?;
    Ok(true)
}

fn entry(ban: &Ban, now: Timestamp) -> AuditEntry {
    let until = ban.until.map(rfc3339).unwrap_or_default();
    let reason = ban.reason.as_deref().unwrap_or_default();
    // None of these holds anything that JSON would write otherwise.
    let after = format!(
        r#"{{"address":"{}","until":"{until}","reason":"{reason}"}}"#,
        ban.shown
    );
    AuditEntry {
        after: Some(after),
        ..AuditEntry::done(now, ban.created_by.clone(), "ban.add", ban.shown.clone())
    }
}
