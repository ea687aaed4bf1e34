//! Things that are made when they first present an application's token.

use super::{Durability, Ledger, LedgerTransaction as _, Pace};
use crate::audit::{AuditChain, AuditEntry};
use crate::auto_registration::AutoRegistration;
use crate::change::Change;
use crate::credential::Credential;
use crate::kind::{Kind, Thing, is_reserved};
use crate::lifecycle::State;
use crate::store::rows::{
    ApplicationRows as _, AuditRows as _, ChangeRows as _, CredentialRows as _, RegistrationCount,
};
use crate::store::{Registered, StoreError, StoreErrorKind};
use crate::time::Timestamp;

/// Makes a thing. It survives a kill; a power failure it survives together with
/// the tie of its first login, which is synced.
pub(super) fn register(
    ledger: &mut impl Ledger,
    credential: &Credential,
    broker: &str,
    now: Timestamp,
) -> Result<Registered, StoreError> {
    let mut writing = ledger.begin_writing(ACTION, Pace::Host)?;
    let Kind::Thing(thing) = &credential.kind else {
        return Err(StoreError::gone(ACTION, "the application"));
    };
    if is_reserved(&credential.name) {
        let detail = format!("`{}` is reserved", credential.name);
        return Err(StoreError::new(ACTION, StoreErrorKind::Conflict).with_detail(detail));
    }
    let application = writing.credential_by_id(thing.application)?;
    let registers = application
        .as_ref()
        .filter(|it| it.tenant == credential.tenant)
        .and_then(may_register)
        .ok_or_else(|| StoreError::gone(ACTION, "the application's right to register things"))?;
    if registers.is_full() {
        return Ok(Registered::Full);
    }
    let before = writing.registration_count(thing.application)?;
    let Some(count) = one_more(before, now) else {
        return Ok(Registered::TooFast);
    };
    writing.count_registration(thing.application, count)?;
    let id = writing.add_credential(credential)?;
    let entry = entry(credential, thing, broker, now);
    writing.append_audit(AuditChain::Acts, &[entry])?;
    writing.append_change(now, &Change::Credential(id))?;
    writing.commit_surviving(Durability::Kill)?;
    Ok(Registered::Done)
}

/// What was made in the second of `now`, with one more; none where that is one too many.
pub(super) fn one_more(before: RegistrationCount, now: Timestamp) -> Option<RegistrationCount> {
    let second = now.as_millis().div_euclid(1_000);
    let made = if before.second == second {
        before.made
    } else {
        0
    };
    (made < AutoRegistration::PER_SECOND).then(|| RegistrationCount {
        second,
        made: made.saturating_add(1),
    })
}

/// Which things an application makes, if it still does.
fn may_register(application: &Credential) -> Option<&AutoRegistration> {
    let registers = application.kind.application()?.registers.as_ref();
    match application.state {
        State::Active | State::Inactive => registers,
        State::Revoked | State::Suspended => None,
    }
}

fn entry(credential: &Credential, thing: &Thing, broker: &str, now: Timestamp) -> AuditEntry {
    let actor = format!("broker:{broker}");
    let after = format!(r#"{{"application":"{}"}}"#, thing.application_name);
    AuditEntry {
        after: Some(after),
        ..AuditEntry::done(now, actor, "thing.create", credential.name.to_string())
    }
}

const ACTION: &str = "register a thing";
