//! Authorities (CAs) of tenants.

use countersign_core::certificate::{
    AuthorityId, AuthorityKey, AuthorityRecord, Fingerprint, IdentityKind, KeyAlgorithm,
    NamePattern, SignerHints, Validity,
};
use countersign_core::connect::{LoginRecord, Proof};
use countersign_core::ledger::Ledger;
use countersign_core::secret::SecretId;
use countersign_core::store::rows::AuthorityRows as _;
use countersign_core::store::{
    AdminStore, GateStore, Intent, LoginEffects, Recorded, StoreErrorKind,
};

use super::{add, at, client_id, commit, credential, found, look, proved, tenant, tenant_id};

/// All of an authority is kept, and they are listed in the order in which they came.
pub fn an_authority_reads_back_as_it_was_written(mut store: impl GateStore + AdminStore) {
    with_tenants(&mut store);
    let mut of_acme = record(2, "acme");
    of_acme.signer.key_id = Some([9; 32]);
    of_acme.identity = IdentityKind::SanUri;
    of_acme.pattern = NamePattern::parse("urn:dev:${name}").unwrap();
    of_acme.id = put(&mut store, &of_acme);
    let mut of_beta = record(1, "beta");
    of_beta.id = put(&mut store, &of_beta);
    assert!(of_beta.id > of_acme.id);
    for written in [&of_acme, &of_beta] {
        let read = store.authority(written.id).unwrap();
        assert_eq!(read.as_ref(), Some(written));
        look(&mut store, |transaction| {
            let some = Some(written.clone());
            let by_print = transaction.authority_by_fingerprint(&written.fingerprint)?;
            assert_eq!(by_print, some);
            assert_eq!(transaction.authority_by_key(&written.key.digest())?, some);
            assert_eq!(transaction.authority(written.id)?, some);
            let own = transaction.authorities(Some(&written.tenant))?;
            assert_eq!(own.as_slice(), core::slice::from_ref(written));
            Ok(())
        });
    }
    look(&mut store, |transaction| {
        assert_eq!(transaction.authorities(None)?, [of_acme, of_beta]);
        let nobodys = Fingerprint([7; 32]);
        assert_eq!(transaction.authority_by_fingerprint(&nobodys)?, None);
        assert_eq!(transaction.authority_by_key(&[7; 32])?, None);
        Ok(())
    });
    assert_eq!(store.authority(AuthorityId(99)).unwrap(), None);
}

/// No certificate and no key is two authorities', nor one of no tenant.
pub fn an_authoritys_key_is_its_own(mut store: impl GateStore + AdminStore) {
    with_tenants(&mut store);
    put(&mut store, &record(1, "acme"));
    let same_key = AuthorityRecord {
        key: record(1, "acme").key,
        ..record(2, "beta")
    };
    let same_certificate = AuthorityRecord {
        fingerprint: Fingerprint([1; 32]),
        ..record(2, "beta")
    };
    for same in [same_key, same_certificate] {
        let mut transaction = store.begin(Intent::Write).unwrap();
        let error = transaction.add_authority(&same).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Conflict, "{error}");
    }
    let mut transaction = store.begin(Intent::Write).unwrap();
    assert!(transaction.add_authority(&record(3, "none")).is_err());
}

/// An authority is found by its name and by the identifier of its key, and so are others
/// that are called alike, so many of each.
pub fn authorities_are_found_by_what_they_are_called(mut store: impl GateStore + AdminStore) {
    with_tenants(&mut store);
    let hints = |key_id: Option<u8>, name: u8| SignerHints {
        key_id: key_id.map(|byte| [byte; 32]),
        name: [name; 32],
    };
    for (byte, signer) in [
        (1, hints(Some(1), 1)),
        (2, hints(None, 1)),
        (3, hints(Some(1), 2)),
        (4, hints(Some(4), 4)),
    ] {
        let tenant = if byte % 2 == 0 { "acme" } else { "beta" };
        let named = AuthorityRecord {
            signer,
            ..record(byte, tenant)
        };
        put(&mut store, &named);
    }
    for (asked, met) in [
        (hints(None, 1), &[1, 2][..]),
        (hints(Some(1), 1), &[1, 2, 3]),
        (hints(Some(4), 9), &[4]),
        (hints(Some(9), 2), &[3]),
        (hints(None, 9), &[]),
    ] {
        let like = store.authorities_like(&asked).unwrap();
        let prints: Vec<_> = like.iter().map(|it| it.fingerprint.0[0]).collect();
        assert_eq!(prints, met, "{asked:?}");
        look(&mut store, |transaction| {
            assert_eq!(*transaction.authorities_like(&asked)?, *like);
            Ok(())
        });
    }
    for byte in 10..30 {
        let named = AuthorityRecord {
            signer: hints(Some(5), 5),
            ..record(byte, "acme")
        };
        put(&mut store, &named);
    }
    let like = store.authorities_like(&hints(Some(5), 5)).unwrap();
    assert_eq!(like.len(), 16);
}

/// An authority that was removed, or whose tenant was, is not there, and its number is
/// not given to another.
pub fn an_authority_goes_with_its_tenant(mut store: impl GateStore + AdminStore) {
    with_tenants(&mut store);
    let of_acme = put(&mut store, &record(1, "acme"));
    let of_beta = put(&mut store, &record(2, "beta"));
    commit(&mut store, &[], |transaction| {
        assert!(transaction.remove_authority(of_beta)?);
        assert!(!transaction.remove_authority(of_beta)?);
        Ok(())
    });
    assert_eq!(store.authority(of_beta).unwrap(), None);
    assert!(put(&mut store, &record(2, "beta")) > of_beta);
    commit(&mut store, &[], |transaction| {
        transaction.delete_tenant(&tenant_id("acme"))
    });
    assert_eq!(store.authority(of_acme).unwrap(), None);
}

/// A login that an authority vouches for counts only while it is that of its tenant.
pub fn a_login_by_authority_needs_the_authority(mut store: impl GateStore + AdminStore) {
    add(&mut store, &credential("dev1@acme"), 1);
    with_tenants(&mut store);
    let of_acme = put(&mut store, &record(1, "acme"));
    let of_beta = put(&mut store, &record(2, "beta"));
    let login = |store: &mut _, authority| {
        let seen = found(store, "dev1@acme");
        let c = client_id("c");
        let login = LoginEffects {
            proved: Some((&seen, Proof::Authority(authority))),
            record: LoginRecord {
                activates: !seen.ever_used,
                ..LoginRecord::default()
            },
            ..proved(&seen, SecretId(0), &c)
        };
        Ledger::record_login(store, &login, at(50)).unwrap()
    };
    assert_eq!(login(&mut store, of_beta), Recorded::Outdated);
    assert_eq!(login(&mut store, AuthorityId(99)), Recorded::Outdated);
    assert_eq!(login(&mut store, of_acme), Recorded::Done);
    assert!(found(&mut store, "dev1@acme").ever_used);
    commit(&mut store, &[], |transaction| {
        transaction.remove_authority(of_acme)
    });
    assert_eq!(login(&mut store, of_acme), Recorded::Outdated);
}

fn put(store: &mut impl AdminStore, authority: &AuthorityRecord) -> AuthorityId {
    commit(store, &[], |transaction| {
        transaction.add_authority(authority)
    })
}

fn with_tenants(store: &mut impl AdminStore) {
    commit(store, &[], |transaction| {
        for id in ["acme", "beta"] {
            if transaction.tenant(&tenant_id(id))?.is_none() {
                transaction.put_tenant(&tenant(id))?;
            }
        }
        Ok(())
    });
}

pub(super) fn record(byte: u8, tenant: &str) -> AuthorityRecord {
    AuthorityRecord {
        id: AuthorityId(0),
        fingerprint: Fingerprint([byte; 32]),
        tenant: tenant_id(tenant),
        subject: format!("CN={byte}"),
        key: AuthorityKey {
            algorithm: KeyAlgorithm::P256,
            bytes: [byte; 65].into(),
        },
        signer: SignerHints {
            key_id: None,
            name: [byte; 32],
        },
        identity: IdentityKind::CommonName,
        pattern: NamePattern::default(),
        registers: None,
        validity: Validity {
            not_before: at(1),
            not_after: at(2),
        },
        added_at: at(3),
    }
}
