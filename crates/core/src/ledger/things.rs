//! Things that are made when they first present an application's token.

use super::registrations::{asks_for_one, commit, one_more};
use super::{Durability, Ledger, LedgerTransaction, Pace};
use crate::audit::{AuditChain, AuditEntry};
use crate::auto_registration::AutoRegistration;
use crate::change::Change;
use crate::credential::Credential;
use crate::hand_back::{Asked, Maker};
use crate::kind::{Kind, Thing, is_reserved};
use crate::lifecycle::State;
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
    let registered = add(&mut writing, credential, broker, now)?;
    commit(writing, registered, Durability::Kill)
}

/// Makes a thing, or has the centre asked for it.
pub(super) fn add(
    writing: &mut impl LedgerTransaction,
    credential: &Credential,
    broker: &str,
    now: Timestamp,
) -> Result<Registered, StoreError> {
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
    let by = Maker::Application(thing.application.0);
    if let Some(asked) = writing.ask_to_register(by, &credential.name, now)? {
        if asked == Asked::Now {
            writing.count_registration(thing.application, asks_for_one(before, count))?;
        }
        return Ok(asked.into());
    }
    writing.count_registration(thing.application, count)?;
    let id = writing.add_credential(credential)?;
    let entry = entry(credential, thing, broker, now);
    writing.append_audit(AuditChain::Acts, &[entry])?;
    writing.append_change(now, &Change::Credential(id))?;
    Ok(Registered::Done)
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
