//! Certificates (X.509) that stand for credentials.

use countersign_core::certificate::{CertificateRecord, Fingerprint, MOST_CERTIFICATES, Validity};
use countersign_core::change::Change;
use countersign_core::credential::Credential;
use countersign_core::lifecycle::State;
use countersign_core::name::LoginName;
use countersign_core::store::Intent;
use countersign_core::time::{Timestamp, rfc3339};

use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::kind::wrong_kind;
use crate::lookup::{self, Rows};
use crate::view::AuditedCertificate;

/// A certificate and the credential that it stands for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ShownCertificate {
    /// What is stored of it.
    pub record: CertificateRecord,
    /// The name of the credential.
    pub name: LoginName,
}

/// Has a certificate stand for a credential, beside those that do already.
#[derive(Clone, Debug)]
pub struct AddCertificate {
    /// The name of the credential.
    pub name: LoginName,
    /// The hash of the certificate.
    pub fingerprint: Fingerprint,
    /// When the certificate is valid, of one that was read. With its fingerprint alone
    /// only the platform may add one, for it may be anybody's.
    pub validity: Option<Validity>,
    /// From when on it does not count any more, if that is sooner.
    pub until: Option<Timestamp>,
}

impl Command for AddCertificate {
    type Output = ShownCertificate;

    fn needs(&self) -> Permission {
        match self.validity {
            Some(_) => Permission::Change(self.name.clone()),
            None => Permission::Platform,
        }
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownCertificate, AdminError> {
        let credential = holder(tx, &self.name)?;
        if credential.state == State::Revoked {
            return Err(self.refused(
                ErrorKind::Conflict,
                format!("`{}` is Revoked; no certificate lets it in", self.name),
            ));
        }
        let record = CertificateRecord {
            fingerprint: self.fingerprint,
            credential: credential.id,
            validity: self.validity,
            until: self.until,
            added_at: tx.now,
        };
        if let Some(ends_at) = record.ends_at().filter(|ends_at| *ends_at <= tx.now) {
            let message = format!("the certificate ended at {}", rfc3339(ends_at));
            return Err(self.refused(ErrorKind::Invalid, message));
        }
        if let Some(known) = tx.certificate(&self.fingerprint)? {
            let whose = if known.credential == credential.id {
                format!("`{}` has this certificate already", self.name)
            } else {
                // Not whose: it may be another tenant's.
                "this certificate is another credential's".into()
            };
            return Err(self.refused(ErrorKind::Exists, whose));
        }
        if tx.certificates_of(credential.id)?.len() >= MOST_CERTIFICATES {
            let message = format!(
                "`{}` has {MOST_CERTIFICATES} certificates, which is the most; remove one first",
                self.name
            );
            return Err(self.refused(ErrorKind::Conflict, message));
        }
        tx.add_certificate(&record)?;
        let after = AuditedCertificate::of(&record);
        tx.record("certificate.add", self.name.as_str(), None, Some(&after));
        tx.changed(Change::Credential(credential.id));
        Ok(ShownCertificate {
            record,
            name: credential.name,
        })
    }
}

impl AddCertificate {
    fn refused(&self, kind: ErrorKind, message: String) -> AdminError {
        let subject = Subject::new(Noun::Certificate, self.fingerprint);
        AdminError::new(kind, subject, message)
    }
}

/// Lists the certificates of a credential, in the order in which they were added.
#[derive(Clone, Debug)]
pub struct ListCertificates(pub LoginName);

impl Command for ListCertificates {
    type Output = Vec<ShownCertificate>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::SeeCredential(self.0.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Vec<ShownCertificate>, AdminError> {
        let credential = lookup::credential(tx, &self.0)?.credential;
        let records = tx.certificates_of(credential.id)?;
        let shown = |record| ShownCertificate {
            record,
            name: credential.name.clone(),
        };
        Ok(records.into_iter().map(shown).collect())
    }
}

/// Has a certificate stand for a credential no longer. Sessions that it proved end.
#[derive(Clone, Debug)]
pub struct RemoveCertificate {
    /// The name of the credential.
    pub name: LoginName,
    /// The hash of the certificate.
    pub fingerprint: Fingerprint,
}

impl Command for RemoveCertificate {
    type Output = ();

    fn needs(&self) -> Permission {
        Permission::Change(self.name.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<(), AdminError> {
        let Self { name, fingerprint } = self;
        let credential = holder(tx, name)?;
        let known = tx.certificate(fingerprint)?;
        let Some(record) = known.filter(|known| known.credential == credential.id) else {
            let subject = Subject::new(Noun::Certificate, name);
            let message = format!("`{name}` has no certificate `{fingerprint}`");
            return Err(AdminError::new(ErrorKind::NotFound, subject, message));
        };
        tx.remove_certificate(fingerprint)?;
        let before = AuditedCertificate::of(&record);
        tx.record("certificate.remove", name.as_str(), Some(&before), None);
        tx.changed(Change::Credential(credential.id));
        Ok(())
    }
}

/// The credential of this name, if certificates may stand for it.
fn holder(rows: &mut Rows<'_>, name: &LoginName) -> Result<Credential, AdminError> {
    let credential = lookup::credential(rows, name)?.credential;
    if credential.may_be_proved() {
        Ok(credential)
    } else {
        Err(wrong_kind(&credential))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, JANE, login_name};

    fn add(byte: u8) -> AddCertificate {
        AddCertificate {
            name: login_name("dev1@acme"),
            fingerprint: Fingerprint([byte; 32]),
            validity: Some(Validity {
                not_before: Timestamp::from_millis(0),
                not_after: Timestamp::from_millis(i64::MAX),
            }),
            until: None,
        }
    }

    fn refusal(fixture: &mut Fixture, add: &AddCertificate) -> (ErrorKind, String) {
        let error = fixture.run(add).unwrap_err();
        (error.kind(), error.to_string())
    }

    #[test]
    fn a_certificate_is_listed_audited_and_removed() {
        let mut fixture = Fixture::with_credential();
        let list = ListCertificates(login_name("dev1@acme"));
        assert_eq!(fixture.run(&list).unwrap(), []);
        let shown = fixture.run(&add(1)).unwrap();
        assert_eq!(shown.record.added_at, fixture.now);
        assert_eq!(fixture.run(&list).unwrap(), vec![shown]);
        let remove = RemoveCertificate {
            name: login_name("dev1@acme"),
            fingerprint: Fingerprint([1; 32]),
        };
        fixture.run(&remove).unwrap();
        assert_eq!(fixture.run(&list).unwrap(), []);
        let error = fixture.run(&remove).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        let acts = fixture.acts();
        let last: Vec<_> = acts.iter().rev().take(2).map(String::as_str).collect();
        assert_eq!(
            last,
            ["certificate.remove dev1@acme", "certificate.add dev1@acme"]
        );
    }

    #[test]
    fn a_certificate_has_one_holder_and_whose_it_is_is_not_told() {
        let mut fixture = Fixture::with_credential();
        fixture.credential("dev2").unwrap();
        fixture.run(&add(1)).unwrap();
        let (kind, said) = refusal(&mut fixture, &add(1));
        assert_eq!(kind, ErrorKind::Exists);
        assert!(said.contains("`dev1@acme` has"), "{said}");
        let others = AddCertificate {
            name: login_name("dev2@acme"),
            ..add(1)
        };
        let (kind, said) = refusal(&mut fixture, &others);
        assert_eq!(kind, ErrorKind::Exists);
        assert!(!said.contains("dev1"), "{said}");
        let remove = RemoveCertificate {
            name: login_name("dev2@acme"),
            fingerprint: Fingerprint([1; 32]),
        };
        let error = fixture.run(&remove).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    }

    #[test]
    fn what_has_ended_is_refused_and_so_is_one_too_many() {
        let mut fixture = Fixture::with_credential();
        let past = fixture.now.minus(core::time::Duration::from_secs(1));
        for ended in [
            AddCertificate {
                until: Some(fixture.now),
                ..add(1)
            },
            AddCertificate {
                validity: Some(Validity {
                    not_before: Timestamp::from_millis(0),
                    not_after: past,
                }),
                ..add(1)
            },
        ] {
            let (kind, said) = refusal(&mut fixture, &ended);
            assert_eq!(kind, ErrorKind::Invalid, "{said}");
        }
        for byte in 0..16 {
            fixture.run(&add(byte)).unwrap();
        }
        let (kind, said) = refusal(&mut fixture, &add(16));
        assert_eq!(kind, ErrorKind::Conflict, "{said}");
    }

    #[test]
    fn only_devices_that_are_not_revoked_get_certificates() {
        let mut fixture = Fixture::with_admin();
        for name in [JANE, "nobody@acme"] {
            let other = AddCertificate {
                name: login_name(name),
                ..add(1)
            };
            let (kind, said) = refusal(&mut fixture, &other);
            let refused = [ErrorKind::WrongKind, ErrorKind::NotFound];
            assert!(refused.contains(&kind), "{said}");
        }
        fixture
            .run(&crate::credential::RevokeCredential {
                name: login_name("dev1@acme"),
                reason: None,
            })
            .unwrap();
        let (kind, said) = refusal(&mut fixture, &add(1));
        assert_eq!(kind, ErrorKind::Conflict, "{said}");
    }
}
