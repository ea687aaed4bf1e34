//! What imports made.

use countersign_core::credential::Credential;
use countersign_core::imported::{ImportMark, PartDigest};
use countersign_core::secret::SecretId;
use countersign_core::store::{AdminStore, GateStore};

use super::roles::{make_roles, role_name};
use super::{add, commit, credential, look, tenant_id};

/// A mark is replaced by the next import, and goes with what it is about.
pub fn an_import_is_remembered_as_long_as_its_object_is(mut store: impl GateStore + AdminStore) {
    make_roles(&mut store, "acme", &["reader"]);
    let holder = Credential {
        roles: vec![role_name("reader")],
        ..credential("dev1@acme")
    };
    let (id, _) = add(&mut store, &holder, 1);
    let (acme, reader) = (tenant_id("acme"), role_name("reader"));
    let mark = |source: &str, texts: &[&str], secret| ImportMark {
        source: source.into(),
        parts: texts
            .iter()
            .map(|text| PartDigest::of("rule", text))
            .collect(),
        secret,
    };
    assert!(look(&mut store, |transaction| transaction
        .has_own_credentials(&acme)));
    for written in [
        mark("mosquitto", &["a", "b"], Some(SecretId(7))),
        mark("csv", &[], None),
    ] {
        commit(&mut store, &[], |transaction| {
            transaction.put_credential_import(id, &written)?;
            transaction.put_role_import(&acme, &reader, &written)
        });
        let read = look(&mut store, |transaction| transaction.credential_import(id));
        assert_eq!(read.as_ref(), Some(&written));
        let of_role = ImportMark {
            secret: None,
            ..written
        };
        let read = look(&mut store, |transaction| {
            transaction.role_import(&acme, &reader)
        });
        assert_eq!(read, Some(of_role));
    }
    assert!(!look(&mut store, |transaction| transaction
        .has_own_credentials(&acme)));
    commit(&mut store, &[], |transaction| {
        transaction.remove_credential(id)?;
        transaction.delete_role(&acme, &reader)
    });
    let left = look(&mut store, |transaction| {
        let of_credential = transaction.credential_import(id)?;
        Ok((of_credential, transaction.role_import(&acme, &reader)?))
    });
    assert_eq!(left, (None, None));
}
