//! Certificates that stand for credentials.

use countersign_core::certificate::{CertificateRecord, Fingerprint, Validity};
use countersign_core::connect::{LoginRecord, Proof};
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::ledger::Ledger;
use countersign_core::secret::SecretId;
use countersign_core::store::rows::CertificateRows as _;
use countersign_core::store::{
    AdminStore, GateStore, Intent, LoginEffects, Recorded, StoreErrorKind,
};

use super::{add, at, client_id, commit, credential, found, look, proved, tenant_id};

/// All of a certificate is kept, and those of a credential are in the order in which
/// they came.
pub fn a_certificate_reads_back_as_it_was_written(mut store: impl GateStore + AdminStore) {
    let (dev1, _) = add(&mut store, &credential("dev1@acme"), 1);
    let (dev2, _) = add(&mut store, &credential("dev2@acme"), 2);
    let first = CertificateRecord {
        validity: Some(Validity {
            not_before: at(1),
            not_after: at(2),
        }),
        until: Some(at(3)),
        added_at: at(8),
        ..record(9, dev1)
    };
    let second = record(1, dev1);
    let of_another = record(5, dev2);
    for written in [&second, &first, &of_another] {
        commit(&mut store, &[], |transaction| {
            transaction.add_certificate(written)
        });
    }
    for written in [&first, &second, &of_another] {
        let read = store.certificate(&written.fingerprint).unwrap();
        assert_eq!(read.as_ref(), Some(written));
    }
    assert_eq!(store.certificate(&Fingerprint([7; 32])).unwrap(), None);
    look(&mut store, |transaction| {
        assert_eq!(transaction.certificates_of(dev1)?, [first, second]);
        assert_eq!(transaction.certificates_of(dev2)?, [of_another]);
        assert_eq!(transaction.certificate(&first.fingerprint)?, Some(first));
        assert_eq!(transaction.certificate(&Fingerprint([7; 32]))?, None);
        Ok(())
    });
}

/// No certificate stands for two credentials, nor for one that is not there.
pub fn a_certificate_has_one_credential(mut store: impl GateStore + AdminStore) {
    let (dev1, _) = add(&mut store, &credential("dev1@acme"), 1);
    let (dev2, _) = add(&mut store, &credential("dev2@acme"), 2);
    commit(&mut store, &[], |transaction| {
        transaction.add_certificate(&record(1, dev1))
    });
    for credential in [dev1, dev2] {
        let mut transaction = store.begin(Intent::Write).unwrap();
        let error = transaction.add_certificate(&record(1, credential));
        let error = error.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Conflict, "{error}");
    }
    let mut transaction = store.begin(Intent::Write).unwrap();
    let nobodys = record(2, CredentialId(999));
    assert!(transaction.add_certificate(&nobodys).is_err());
}

/// A certificate that was removed, or whose credential or tenant was, is nobody's.
pub fn a_certificate_goes_with_its_credential(mut store: impl GateStore + AdminStore) {
    for name in ["dev1@acme", "dev2@acme"] {
        add(&mut store, &credential(name), name.as_bytes()[3]);
    }
    let dev1 = found(&mut store, "dev1@acme").id;
    let dev2 = found(&mut store, "dev2@acme").id;
    for (byte, id) in [(1, dev1), (2, dev1), (3, dev2)] {
        commit(&mut store, &[], |transaction| {
            transaction.add_certificate(&record(byte, id))
        });
    }
    commit(&mut store, &[], |transaction| {
        assert!(transaction.remove_certificate(&Fingerprint([1; 32]))?);
        assert!(!transaction.remove_certificate(&Fingerprint([1; 32]))?);
        Ok(())
    });
    assert!(!is_there(&mut store, 1));
    assert!(is_there(&mut store, 2));
    commit(&mut store, &[], |transaction| {
        transaction.delete_credential(dev1)
    });
    assert!(!is_there(&mut store, 2));
    assert!(is_there(&mut store, 3));
    commit(&mut store, &[], |transaction| {
        transaction.delete_tenant(&tenant_id("acme"))
    });
    assert!(!is_there(&mut store, 3));
}

/// A login by certificate counts only while the certificate stands for its credential.
pub fn a_login_by_certificate_needs_the_certificate(mut store: impl GateStore + AdminStore) {
    let (dev1, _) = add(&mut store, &credential("dev1@acme"), 1);
    add(&mut store, &credential("dev2@acme"), 2);
    let ends = CertificateRecord {
        until: Some(at(60)),
        ..record(2, dev1)
    };
    for written in [&record(1, dev1), &ends] {
        commit(&mut store, &[], |transaction| {
            transaction.add_certificate(written)
        });
    }
    let login = |store: &mut _, seen: &Credential, byte, now| {
        let c = client_id("c");
        let login = LoginEffects {
            proved: Some((seen, Proof::Certificate(Fingerprint([byte; 32])))),
            record: LoginRecord {
                activates: !seen.ever_used,
                ..LoginRecord::default()
            },
            ..proved(seen, SecretId(0), &c)
        };
        Ledger::record_login(store, &login, at(now)).unwrap()
    };
    let seen = found(&mut store, "dev1@acme");
    assert_eq!(login(&mut store, &seen, 1, 50), Recorded::Done);
    let seen = found(&mut store, "dev1@acme");
    assert!(seen.ever_used);
    let other = found(&mut store, "dev2@acme");
    assert_eq!(login(&mut store, &other, 1, 50), Recorded::Outdated);
    assert_eq!(login(&mut store, &seen, 9, 50), Recorded::Outdated);
    assert_eq!(login(&mut store, &seen, 2, 59), Recorded::Done);
    assert_eq!(login(&mut store, &seen, 2, 60), Recorded::Outdated);
    commit(&mut store, &[], |transaction| {
        transaction.remove_certificate(&Fingerprint([1; 32]))
    });
    assert_eq!(login(&mut store, &seen, 1, 50), Recorded::Outdated);
}

fn is_there(store: &mut impl GateStore, byte: u8) -> bool {
    store
        .certificate(&Fingerprint([byte; 32]))
        .unwrap()
        .is_some()
}

fn record(byte: u8, credential: CredentialId) -> CertificateRecord {
    CertificateRecord {
        fingerprint: Fingerprint([byte; 32]),
        credential,
        validity: None,
        until: None,
        added_at: at(9),
    }
}
