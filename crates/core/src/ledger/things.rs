//! Things that are made when they first present an application's token.

use super::{CredentialRows as _, Durability, Ledger, LedgerTransaction as _, Pace};
use crate::audit::{AuditChain, AuditEntry};
use crate::auto_registration::AutoRegistration;
use crate::change::Change;
use crate::credential::{Credential, CredentialId};
use crate::kind::{Kind, Thing, is_reserved};
use crate::lifecycle::State;
use crate::store::{Registered, StoreError, StoreErrorKind};
use crate::time::Timestamp;

/// How many things an application has made in one second.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RegistrationCount {
    /// The second, counted from 1970.
    pub second: i64,
    /// How many in it.
    pub made: u32,
}

/// What applications have made.
pub trait RegistrationRows {
    /// What an application made in the last second that it made anything in.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn registration_count(
        &mut self,
        application: CredentialId,
    ) -> Result<RegistrationCount, StoreError>;

    /// Counts one more thing against what an application may make, and replaces
    /// what it made in a second.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be written.
    fn count_registration(
        &mut self,
        application: CredentialId,
        count: RegistrationCount,
    ) -> Result<(), StoreError>;

    /// Adds a credential of any kind, without secrets.
    ///
    /// # Errors
    ///
    /// Returns kind `Conflict` when the name is taken, and another when the store
    /// can't be written.
    fn add_credential(&mut self, credential: &Credential) -> Result<CredentialId, StoreError>;
}

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
    let second = now.as_millis().div_euclid(1_000);
    let before = writing.registration_count(thing.application)?;
    let made = if before.second == second {
        before.made
    } else {
        0
    };
    if made >= AutoRegistration::PER_SECOND {
        return Ok(Registered::TooFast);
    }
    let count = RegistrationCount {
        second,
        made: made.saturating_add(1),
    };
    writing.count_registration(thing.application, count)?;
    let id = writing.add_credential(credential)?;
    let entry = entry(credential, thing, broker, now);
    writing.append_audit(AuditChain::Acts, &[entry])?;
    writing.append_change(now, &Change::Credential(id))?;
    writing.commit(Durability::Kill)?;
    Ok(Registered::Done)
}

/// Which things an application makes, if it still does.
fn may_register(application: &Credential) -> Option<&AutoRegistration> {
    match (&application.kind, application.state) {
        (Kind::Application(it), State::Inactive | State::Active) => it.registers.as_ref(),
        _ => None,
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
