//! Authorities (CAs) of tenants, whose certificates name credentials.
//!
//! All of these are acts of the platform: which authorities a broker trusts is its own
//! matter (`cafile`), and whoever adds one speaks for all that it signs.

use countersign_core::auto_registration::DeviceRegistration;
use countersign_core::certificate::{
    AuthorityId, AuthorityKey, AuthorityRecord, Fingerprint, IdentityKind, MOST_ALIKE,
    MOST_AUTHORITIES, MOST_AUTHORITIES_OF_TENANT, NamePattern, SignerHints, Validity,
};
use countersign_core::change::Change;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::store::Intent;
use countersign_core::time::rfc3339;

use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::lookup::{self, Rows};
use crate::registration;
use crate::view::AuthorityView;

/// Has an authority speak for a tenant: what it signs names credentials of that one, and
/// of no other.
#[derive(Clone, Debug)]
pub struct AddAuthority {
    /// The tenant.
    pub tenant: TenantId,
    /// The hash of the authority's certificate.
    pub fingerprint: Fingerprint,
    /// Its name, as people read it.
    pub subject: String,
    /// Its key.
    pub key: AuthorityKey,
    /// What helps to find it.
    pub signer: SignerHints,
    /// When its certificate is valid.
    pub validity: Validity,
    /// What of a certificate names the credential.
    pub identity: IdentityKind,
    /// Which part of that is the name.
    pub pattern: NamePattern,
    /// Which devices it makes of those that it names, if it does.
    pub registers: Option<DeviceRegistration>,
}

impl Command for AddAuthority {
    type Output = AuthorityRecord;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<AuthorityRecord, AdminError> {
        lookup::tenant(tx, &self.tenant)?;
        registration::check(tx, &self.tenant, self.registers.as_ref())?;
        let mut record = AuthorityRecord {
            id: AuthorityId(0),
            fingerprint: self.fingerprint,
            tenant: self.tenant.clone(),
            subject: self.subject.clone(),
            key: self.key.clone(),
            signer: self.signer,
            identity: self.identity,
            pattern: self.pattern.clone(),
            registers: self.registers.clone(),
            validity: self.validity,
            added_at: tx.now,
        };
        if record.validity.is_over(tx.now) {
            let ended = rfc3339(record.validity.not_after);
            let message = format!("the authority's certificate ended at {ended}");
            return Err(self.refused(ErrorKind::Invalid, message));
        }
        if let Some(known) = tx.authority_by_key(&record.key.digest())? {
            let message = format!(
                "tenant `{}` has this authority already, by the certificate `{}`: a key is one \
                 tenant's",
                known.tenant, known.fingerprint
            );
            return Err(self.refused(ErrorKind::Exists, message));
        }
        self.check_room(tx)?;
        record.id = tx.add_authority(&record)?;
        let after = AuthorityView::of(&record);
        tx.record(
            "ca.add",
            &record.fingerprint.to_string(),
            None,
            Some(&after),
        );
        tx.changed(Change::Tenant(self.tenant.clone()));
        Ok(record)
    }
}

impl AddAuthority {
    fn check_room(&self, rows: &mut Rows<'_>) -> Result<(), AdminError> {
        let of_tenant = rows.authorities(Some(&self.tenant))?.len();
        let all = rows.authorities(None)?.len();
        let alike = rows.authorities_like(&self.signer)?;
        let alike_by = |is_alike: &dyn Fn(&SignerHints) -> bool| {
            let them = alike.iter().filter(|it| is_alike(&it.signer));
            them.count()
        };
        let by_name = alike_by(&|it| it.name == self.signer.name);
        let by_key_id = alike_by(&|it| it.key_id.is_some() && it.key_id == self.signer.key_id);
        for (number, most, whose) in [
            (
                of_tenant,
                MOST_AUTHORITIES_OF_TENANT,
                format!("tenant `{}` has", self.tenant),
            ),
            (all, MOST_AUTHORITIES, "all tenants together have".into()),
            (
                by_name.max(by_key_id),
                MOST_ALIKE,
                format!("of the name `{}` there are", self.subject),
            ),
        ] {
            if number >= most {
                let message =
                    format!("{whose} {most} authorities, which is the most; remove one first");
                return Err(self.refused(ErrorKind::Conflict, message));
            }
        }
        Ok(())
    }

    fn refused(&self, kind: ErrorKind, message: String) -> AdminError {
        let subject = Subject::new(Noun::Authority, self.fingerprint);
        AdminError::new(kind, subject, message)
    }
}

/// Lists the authorities of a tenant, or of all, in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub struct ListAuthorities {
    /// The tenant; all if none.
    pub tenant: Option<TenantId>,
}

impl Command for ListAuthorities {
    type Output = Vec<AuthorityRecord>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Vec<AuthorityRecord>, AdminError> {
        if let Some(tenant) = &self.tenant {
            lookup::tenant(tx, tenant)?;
        }
        Ok(tx.authorities(self.tenant.as_ref())?)
    }
}

/// Shows an authority.
#[derive(Clone, Debug)]
pub struct ShowAuthority(pub Fingerprint);

impl Command for ShowAuthority {
    type Output = AuthorityRecord;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<AuthorityRecord, AdminError> {
        found(tx, &self.0)
    }
}

/// Has an authority speak for its tenant no longer. Sessions that it vouched for end.
#[derive(Clone, Debug)]
pub struct RemoveAuthority(pub Fingerprint);

impl Command for RemoveAuthority {
    type Output = ();

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<(), AdminError> {
        let record = found(tx, &self.0)?;
        tx.remove_authority(record.id)?;
        let before = AuthorityView::of(&record);
        tx.record("ca.remove", &self.0.to_string(), Some(&before), None);
        tx.changed(Change::Tenant(record.tenant));
        Ok(())
    }
}

/// Lets an authority register a device again that was registered in its tenant and
/// deleted; the output is the device's name.
#[derive(Clone, Debug)]
pub struct ForgetRegisteredDevice {
    /// The authority.
    pub authority: Fingerprint,
    /// The name of the device, with or without its tenant.
    pub name: String,
}

impl Command for ForgetRegisteredDevice {
    type Output = LoginName;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<LoginName, AdminError> {
        let record = found(tx, &self.authority)?;
        let by = self.authority.to_string();
        registration::forget(tx, "ca.forget", &by, &record.tenant, &self.name)
    }
}

fn found(rows: &mut Rows<'_>, fingerprint: &Fingerprint) -> Result<AuthorityRecord, AdminError> {
    rows.authority_by_fingerprint(fingerprint)?.ok_or_else(|| {
        let subject = Subject::new(Noun::Authority, fingerprint);
        let message = format!("there is no authority `{fingerprint}`");
        AdminError::new(ErrorKind::NotFound, subject, message)
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use core::time::Duration;

    use countersign_core::certificate::KeyAlgorithm;
    use countersign_core::time::Timestamp;

    use super::*;
    use crate::fixture::{Fixture, tenant_id};
    use crate::tenant::{DeleteTenant, TenantDeletion};

    pub(crate) fn add(byte: u8) -> AddAuthority {
        AddAuthority {
            tenant: tenant_id("acme"),
            fingerprint: Fingerprint([byte; 32]),
            subject: format!("CN={byte}"),
            key: AuthorityKey {
                algorithm: KeyAlgorithm::Ed25519,
                bytes: [byte; 32].into(),
            },
            signer: SignerHints {
                key_id: Some([byte; 32]),
                name: [byte; 32],
            },
            validity: Validity {
                not_before: Timestamp::from_millis(0),
                not_after: Timestamp::from_millis(i64::MAX),
            },
            identity: IdentityKind::CommonName,
            pattern: NamePattern::default(),
            registers: None,
        }
    }

    fn fixture() -> Fixture {
        let mut fixture = Fixture::with_credential();
        fixture.tenant("other", &[]).unwrap();
        fixture
    }

    fn refusal(fixture: &mut Fixture, add: &AddAuthority) -> (ErrorKind, String) {
        let error = fixture.run(add).unwrap_err();
        (error.kind(), error.to_string())
    }

    #[test]
    fn an_authority_is_listed_shown_audited_and_removed() {
        let mut fixture = fixture();
        let added = fixture.run(&add(1)).unwrap();
        let others = AddAuthority {
            tenant: tenant_id("other"),
            ..add(2)
        };
        let others = fixture.run(&others).unwrap();
        let print = Fingerprint([1; 32]);
        assert_eq!(fixture.run(&ShowAuthority(print)).unwrap(), added);
        let all = fixture.run(&ListAuthorities::default()).unwrap();
        assert_eq!(all, [added.clone(), others.clone()]);
        let of_other = ListAuthorities {
            tenant: Some(tenant_id("other")),
        };
        assert_eq!(fixture.run(&of_other).unwrap(), [others]);
        fixture.run(&RemoveAuthority(print)).unwrap();
        let error = fixture.run(&RemoveAuthority(print)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        let acts = fixture.acts();
        let last: Vec<_> = acts.iter().rev().take(3).collect();
        let ones = print.to_string();
        assert_eq!(*last[0], format!("ca.remove {ones}"));
        assert_eq!(*last[2], format!("ca.add {ones}"));
        // Added again, it is another one.
        let again = fixture.run(&add(1)).unwrap();
        assert!(again.id > added.id);
        let nobodys = ListAuthorities {
            tenant: Some(tenant_id("none")),
        };
        let error = fixture.run(&nobodys).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    }

    #[test]
    fn a_key_is_one_tenants_whatever_its_certificate_says() {
        let mut fixture = fixture();
        fixture.run(&add(1)).unwrap();
        for tenant in ["acme", "other"] {
            let same_key = AddAuthority {
                tenant: tenant_id(tenant),
                key: add(1).key,
                ..add(2)
            };
            let (kind, said) = refusal(&mut fixture, &same_key);
            assert_eq!(kind, ErrorKind::Exists);
            assert!(said.contains("tenant `acme` has this authority"), "{said}");
        }
        // Two may have one name.
        let same_name = AddAuthority {
            tenant: tenant_id("other"),
            signer: add(1).signer,
            subject: add(1).subject,
            ..add(2)
        };
        fixture.run(&same_name).unwrap();
    }

    #[test]
    fn an_authority_that_ended_or_is_one_too_many_is_refused() {
        let mut fixture = fixture();
        let ended = AddAuthority {
            validity: Validity {
                not_before: Timestamp::from_millis(0),
                not_after: fixture.now.minus(Duration::from_secs(2)),
            },
            ..add(1)
        };
        let (kind, said) = refusal(&mut fixture, &ended);
        assert_eq!(kind, ErrorKind::Invalid, "{said}");
        for byte in 0..16 {
            fixture.run(&add(byte)).unwrap();
        }
        let (kind, said) = refusal(&mut fixture, &add(16));
        assert_eq!(kind, ErrorKind::Conflict);
        assert!(said.contains("tenant `acme` has 16"), "{said}");
    }

    #[test]
    fn no_more_are_called_alike_than_are_tried() {
        let mut fixture = fixture();
        let alike = |byte: u8| AddAuthority {
            tenant: tenant_id(if byte < 16 { "acme" } else { "other" }),
            signer: SignerHints {
                key_id: Some([byte; 32]),
                name: [0; 32],
            },
            ..add(byte)
        };
        for byte in 0..16 {
            fixture.run(&alike(byte)).unwrap();
        }
        let (kind, said) = refusal(&mut fixture, &alike(16));
        assert_eq!(kind, ErrorKind::Conflict);
        assert!(said.contains("of the name `CN=16`"), "{said}");
    }

    #[test]
    fn a_tenants_authorities_go_with_it() {
        let mut fixture = fixture();
        let others = AddAuthority {
            tenant: tenant_id("other"),
            ..add(2)
        };
        fixture.run(&others).unwrap();
        let delete = DeleteTenant {
            id: tenant_id("other"),
            deletion: TenantDeletion::WithEverything,
        };
        fixture.run(&delete).unwrap();
        assert_eq!(fixture.run(&ListAuthorities::default()).unwrap(), []);
    }
}
