//! Devices that are made when they first present what an authority or an issuer signed.

use super::registrations::{asks_for_one, commit, one_more};
use super::{Durability, Ledger, LedgerTransaction, Pace};
use crate::audit::{AuditChain, AuditEntry};
use crate::auto_registration::DeviceRegistration;
use crate::change::Change;
use crate::credential::Credential;
use crate::hand_back::Asked;
use crate::kind::is_reserved;
use crate::name::TenantId;
use crate::registrar::Registrar;
use crate::store::{Registered, StoreError, StoreErrorKind};
use crate::time::Timestamp;

/// Makes a device. It survives a power failure, and so does that its registrar has made
/// one more: else one could have more made than it may.
pub(super) fn register(
    ledger: &mut impl Ledger,
    registrar: Registrar,
    device: &Credential,
    broker: &str,
    now: Timestamp,
) -> Result<Registered, StoreError> {
    let mut writing = ledger.begin_writing(ACTION, Pace::Host)?;
    let registered = add(&mut writing, registrar, device, broker, now)?;
    commit(writing, registered, Durability::PowerFailure)
}

/// Makes a device, or has the centre asked for it.
pub(super) fn add(
    writing: &mut impl LedgerTransaction,
    registrar: Registrar,
    device: &Credential,
    broker: &str,
    now: Timestamp,
) -> Result<Registered, StoreError> {
    let found = FoundRegistrar::of(writing, registrar)?;
    let makes_it = |it: &FoundRegistrar| {
        let role = it.registers.as_ref().map(|registers| &registers.role);
        device.may_be_proved()
            && device.tenant.as_ref() == Some(&it.tenant)
            && role.is_some_and(|role| device.roles == core::slice::from_ref(role))
    };
    let found = found
        .filter(makes_it)
        .ok_or_else(|| StoreError::gone(ACTION, "the right to register devices"))?;
    let is_taken = writing.was_registered(&found.tenant, &device.name)?
        || writing.credential(&device.name)?.is_some();
    if is_taken || is_reserved(&device.name) {
        let detail = format!("`{}` is taken", device.name);
        return Err(StoreError::new(ACTION, StoreErrorKind::Conflict).with_detail(detail));
    }
    if found
        .registers
        .as_ref()
        .is_none_or(DeviceRegistration::is_full)
    {
        return Ok(Registered::Full);
    }
    let before = writing.device_count(registrar)?;
    let Some(count) = one_more(before, now) else {
        return Ok(Registered::TooFast);
    };
    if let Some(asked) = writing.ask_to_register(registrar.into(), &device.name, now)? {
        if asked == Asked::Now {
            writing.count_device(registrar, asks_for_one(before, count))?;
        }
        return Ok(asked.into());
    }
    writing.count_device(registrar, count)?;
    writing.note_registered(&found.tenant, &device.name)?;
    let id = writing.add_credential(device)?;
    let actor = format!("broker:{broker}");
    let entry = AuditEntry {
        after: Some(found.said),
        ..AuditEntry::done(now, actor, "credential.create", device.name.to_string())
    };
    writing.append_audit(AuditChain::Acts, &[entry])?;
    writing.append_change(now, &Change::Credential(id))?;
    Ok(Registered::Done)
}

/// What the store says of a registrar.
pub(super) struct FoundRegistrar {
    pub(super) tenant: TenantId,
    pub(super) registers: Option<DeviceRegistration>,
    /// What the audit says of it.
    said: String,
}

impl FoundRegistrar {
    pub(super) fn of(
        rows: &mut impl LedgerTransaction,
        registrar: Registrar,
    ) -> Result<Option<Self>, StoreError> {
        Ok(match registrar {
            Registrar::Authority(id) => rows.authority(id)?.map(|it| Self {
                tenant: it.tenant,
                registers: it.registers,
                said: format!(r#"{{"ca":"{}"}}"#, it.fingerprint),
            }),
            Registrar::Issuer(id) => rows.issuer(id)?.map(|it| Self {
                tenant: it.tenant,
                registers: it.registers,
                said: format!(r#"{{"issuer":"{}"}}"#, it.name),
            }),
        })
    }
}

const ACTION: &str = "register a device";
