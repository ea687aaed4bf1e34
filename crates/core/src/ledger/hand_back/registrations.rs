//! Clients that nobody made and that register themselves, at the broker of a follower.
//!
//! The follower says that such a client proved to be one, which the centre can't see. So it
//! makes what that broker would make if the store were its own, as many and as fast: an
//! application's thing, which has the application's secret, or a device that an authority
//! or an issuer names, which has none.

use super::{Judge, Refusal, Verdict, refuse_name};
use crate::auto_registration::name_of_device;
use crate::certificate::AuthorityId;
use crate::credential::{Credential, CredentialId};
use crate::hand_back::Maker;
use crate::issuer::IssuerId;
use crate::kind::Kind;
use crate::ledger::{LedgerTransaction, devices, things};
use crate::name::{LoginName, TenantId};
use crate::reason::Reason;
use crate::registrar::{Registrar, new_device};
use crate::store::{Registered, StoreError, StoreErrorKind};
use crate::thing::{may_become_one, of_application};

impl Judge<'_> {
    /// Somebody asked to be made.
    pub(super) fn asked(
        &mut self,
        writing: &mut impl LedgerTransaction,
        by: Maker,
        name: &str,
    ) -> Verdict {
        let Ok(name) = LoginName::parse(name) else {
            let subject = "#".to_owned();
            let cause = Reason::Malformed;
            return Ok(Err(Refusal { subject, cause }));
        };
        let made = match self.make(writing, by, &name) {
            // Its name was registered before, and is not again.
            Err(error) if error.kind() == StoreErrorKind::Conflict => Err(Reason::Revoked),
            made => made?,
        };
        match made {
            Ok(()) => Ok(Ok(())),
            Err(cause) => refuse_name(&name, cause),
        }
    }

    /// Whether somebody is who was asked for.
    pub(super) fn is_made(
        &self,
        writing: &mut impl LedgerTransaction,
        by: Maker,
        name: &str,
    ) -> Result<bool, StoreError> {
        let Ok(name) = LoginName::parse(name) else {
            return Ok(false);
        };
        let found = writing.credential(&name)?;
        Ok(found.is_some_and(|found| self.knows(&found) && is_made_by(&found, by)))
    }

    fn make(
        &mut self,
        writing: &mut impl LedgerTransaction,
        by: Maker,
        name: &LoginName,
    ) -> Result<Result<(), Reason>, StoreError> {
        let registrar = match by {
            Maker::Application(id) => return self.thing(writing, CredentialId(id), name),
            Maker::Authority(id) => Registrar::Authority(AuthorityId(id)),
            Maker::Issuer(id) => Registrar::Issuer(IssuerId(id)),
        };
        let Some(found) = devices::FoundRegistrar::of(writing, registrar)? else {
            return Ok(Err(Reason::UnknownName));
        };
        if !self.is_told_of(&found.tenant) {
            return Ok(Err(Reason::OtherTenant));
        }
        let Some(registers) = &found.registers else {
            return Ok(Err(Reason::UnknownName));
        };
        let device = match own_name(name, &found.tenant) {
            None => return Ok(Err(Reason::Malformed)),
            Some(name) => new_device(name, &found.tenant, &registers.role, self.now),
        };
        if let Some(found) = writing.credential(name)? {
            return Ok(check_is(&found, by));
        }
        let broker = self.follower.name.as_str();
        let registered = devices::add(writing, registrar, &device, broker, self.now)?;
        Ok(outcome(registered))
    }

    fn thing(
        &mut self,
        writing: &mut impl LedgerTransaction,
        application: CredentialId,
        key: &LoginName,
    ) -> Result<Result<(), Reason>, StoreError> {
        let application = match self.told_of(writing, application)? {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal.cause)),
        };
        let schemes = match self.schemes.take() {
            Some(schemes) => schemes,
            None => writing.schemes()?,
        };
        let may = may_become_one(&application, key, &schemes, self.now);
        self.schemes = Some(schemes);
        if let Err(cause) = may {
            return Ok(Err(cause));
        }
        if let Some(found) = writing.credential(key)? {
            return Ok(check_is(&found, Maker::Application(application.id.0)));
        }
        let Some(thing) = of_application(&application, key, self.now) else {
            return Ok(Err(Reason::Malformed));
        };
        let broker = self.follower.name.as_str();
        let registered = things::add(writing, &thing, broker, self.now)?;
        Ok(outcome(registered))
    }
}

/// What the name of a device is that registers itself, if it is this one.
fn own_name(name: &LoginName, tenant: &TenantId) -> Option<LoginName> {
    let (device, _) = name.as_str().rsplit_once('@')?;
    name_of_device(device, tenant).filter(|own| own == name)
}

/// Somebody has the name: whoever was asked for, as it may have been asked for twice, or
/// another one.
fn check_is(found: &Credential, by: Maker) -> Result<(), Reason> {
    if is_made_by(found, by) {
        Ok(())
    } else {
        Err(Reason::BadSecret)
    }
}

/// Whether a credential is one that such a maker makes. Which authority or issuer made a
/// device is not kept.
fn is_made_by(found: &Credential, by: Maker) -> bool {
    match by {
        Maker::Application(id) => found.parent() == Some(CredentialId(id)),
        Maker::Authority(_) | Maker::Issuer(_) => matches!(found.kind, Kind::Device),
    }
}

const fn outcome(registered: Registered) -> Result<(), Reason> {
    match registered {
        Registered::Done => Ok(()),
        Registered::Full => Err(Reason::OverLimit),
        Registered::Asked | Registered::TooFast => Err(Reason::OverBudget),
    }
}
