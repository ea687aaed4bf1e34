//! How the old secrets of a credential end when it is given a new one.

use core::time::Duration;

use countersign_core::credential::Credential;
use countersign_core::secret::StoredSecret;
use countersign_core::store::StoreError;
use countersign_core::time::Timestamp;

use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::lookup::Rows;

/// How long the old secret works beside the new one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Overlap {
    /// For so long.
    For(Duration),
    /// For so long, and not after the new one was first used.
    ForUntilUsed(Duration),
    /// Not at all: its sessions end.
    None,
    /// Until the new one is first used.
    UntilUsed,
}

impl Overlap {
    /// When the old secret ends by itself, if it does.
    fn ends_at(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::For(duration) | Self::ForUntilUsed(duration) => Some(now.plus(duration)),
            Self::None | Self::UntilUsed => None,
        }
    }

    fn until_used(self) -> bool {
        match self {
            Self::ForUntilUsed(_) | Self::UntilUsed => true,
            Self::For(_) | Self::None => false,
        }
    }
}

/// Ends the secrets of a credential that is given a new one: all but the one
/// that works for `overlap` more, whose end is the output. Without an overlap
/// its sessions end, too.
///
/// # Errors
///
/// Returns [`AdminError`] when two secrets work already, or when the store can't
/// be written.
pub(crate) fn retire(
    rows: &mut Rows<'_>,
    credential: &mut Credential,
    overlap: Overlap,
    now: Timestamp,
) -> Result<Option<Timestamp>, AdminError> {
    match overlap {
        Overlap::None => {
            remove(rows, credential, |_| true)?;
            credential.generation = credential.generation.next();
            Ok(None)
        }
        Overlap::For(_) | Overlap::ForUntilUsed(_) | Overlap::UntilUsed => {
            remove(rows, credential, |secret| !secret.is_usable(now))?;
            keep_for_a_while(rows, credential, overlap, now)
        }
    }
}

/// Limits the one usable secret of a credential to `overlap`.
fn keep_for_a_while(
    rows: &mut Rows<'_>,
    credential: &Credential,
    overlap: Overlap,
    now: Timestamp,
) -> Result<Option<Timestamp>, AdminError> {
    let mut usable = credential
        .secrets
        .iter()
        .filter(|secret| secret.is_usable(now));
    let old = usable.next();
    if usable.next().is_some() {
        let name = &credential.name;
        let message = format!(
            "cannot rotate `{name}` with an overlap: its last rotation still keeps an older \
             secret; wait for its end, or rotate without an overlap to stop the older secrets at \
             once"
        );
        let subject = Subject::new(Noun::Credential, name);
        return Err(AdminError::new(ErrorKind::Conflict, subject, message));
    }
    let until = overlap.ends_at(now);
    if let Some(old) = old {
        rows.limit_secret(old.id, until, overlap.until_used())?;
    }
    Ok(until)
}

/// Removes the secrets that `goes` tells.
fn remove(
    rows: &mut Rows<'_>,
    credential: &Credential,
    goes: impl Fn(&StoredSecret) -> bool,
) -> Result<(), StoreError> {
    for secret in credential.secrets.iter().filter(|secret| goes(secret)) {
        rows.remove_secret(secret.id)?;
    }
    Ok(())
}
