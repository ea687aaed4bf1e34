//! Issuers of others.

use countersign_core::issuer::{
    ClaimName, IdentityClaim, IssuerId, IssuerName, IssuerRecord, IssuerText, KeyPlace, KeySource,
    KeysUrl, MaxKeyAge,
};
use countersign_core::role::RoleName;
use countersign_core::store::rows::IssuerRows as _;
use countersign_core::store::{AdminStore, GateStore, Intent, StoreErrorKind};

use super::roles::role;
use super::{at, commit, look, tenant, tenant_id};

/// All of an issuer is kept, it gets other keys, and it goes with its tenant; what means a
/// role goes with the role.
pub fn an_issuer_reads_back_as_it_was_written(mut store: impl GateStore + AdminStore) {
    with_tenants(&mut store);
    let mut of_acme = IssuerRecord {
        identity: IdentityClaim::parse("claim:user").unwrap(),
        role_claim: Some(ClaimName::parse("realm.roles").unwrap()),
        roles: [("operator", "ops"), ("boss", "ops")]
            .map(|(word, role)| (text(word), RoleName::parse(role).unwrap()))
            .into(),
        ..record("b", "acme")
    };
    of_acme.id = put(&mut store, &of_acme);
    let mut of_beta = record("a", "beta");
    of_beta.id = put(&mut store, &of_beta);
    assert!(of_beta.id > of_acme.id);
    look(&mut store, |transaction| {
        for written in [&of_acme, &of_beta] {
            let some = Some(written.clone());
            assert_eq!(transaction.issuer(written.id)?, some);
            assert_eq!(transaction.issuer_by_name(&written.name)?, some);
            let own = transaction.issuers(Some(&written.tenant))?;
            assert_eq!(own.as_slice(), core::slice::from_ref(written));
        }
        assert_eq!(
            transaction.issuers(None)?,
            [of_acme.clone(), of_beta.clone()]
        );
        assert_eq!(transaction.issuer(IssuerId(99))?, None);
        assert_eq!(transaction.issuer_by_name(&name("none"))?, None);
        Ok(())
    });
    commit(&mut store, &[], |transaction| {
        assert!(transaction.set_issuer_keys(of_acme.id, "other", at(9))?);
        assert!(!transaction.set_issuer_keys(IssuerId(99), "other", at(9))?);
        transaction.delete_role(&tenant_id("acme"), &RoleName::parse("ops").unwrap())
    });
    let changed = IssuerRecord {
        keys: "other".into(),
        keys_at: at(9),
        roles: Default::default(),
        ..of_acme.clone()
    };
    look(&mut store, |transaction| {
        assert_eq!(transaction.issuer(of_acme.id)?, Some(changed));
        Ok(())
    });
    commit(&mut store, &[], |transaction| {
        transaction.delete_tenant(&tenant_id("acme"))
    });
    commit(&mut store, &[], |transaction| {
        assert_eq!(transaction.issuers(None)?, [of_beta.clone()]);
        assert!(transaction.remove_issuer(of_beta.id)?);
        assert!(!transaction.remove_issuer(of_beta.id)?);
        Ok(())
    });
}

/// Where keys are fetched is kept with the issuer, and what came of it.
pub fn where_keys_are_fetched_reads_back_as_it_was_written(mut store: impl GateStore + AdminStore) {
    with_tenants(&mut store);
    let place = KeyPlace {
        url: KeysUrl::parse("https://sso.example/keys?v=1").unwrap(),
        allow_private: true,
        max_age: MaxKeyAge::DEFAULT,
    };
    let new = KeySource::new(place, at(3));
    let fetched = IssuerRecord {
        source: Some(new.clone()),
        ..record("a", "acme")
    };
    let id = put(&mut store, &fetched);
    let given = put(&mut store, &record("b", "acme"));
    let tried = KeySource {
        fetched_at: Some(at(4)),
        tried_at: Some(at(5)),
        problem: Some("it answered 503".into()),
        asked: 2,
        answered: 1,
        ..new.clone()
    };
    for source in [new, tried.clone()] {
        commit(&mut store, &[], |transaction| {
            transaction.set_key_source(id, Some(&source))
        });
        look(&mut store, |transaction| {
            let found = transaction.issuer(id)?.unwrap();
            assert_eq!(found.source.as_ref(), Some(&source));
            assert_eq!(transaction.issuers(None)?.first(), Some(&found));
            assert_eq!(transaction.issuer(given)?.unwrap().source, None);
            assert_eq!(transaction.key_sources()?, [(id, source.clone())]);
            Ok(())
        });
    }
    commit(&mut store, &[], |transaction| {
        transaction.set_key_source(given, Some(&tried))?;
        transaction.set_key_source(id, None)
    });
    commit(&mut store, &[], |transaction| {
        assert_eq!(transaction.issuer(id)?.unwrap().source, None);
        assert_eq!(transaction.key_sources()?, [(given, tried.clone())]);
        transaction.remove_issuer(given).map(drop)
    });
    look(&mut store, |transaction| {
        assert_eq!(transaction.key_sources()?, []);
        Ok(())
    });
}

/// No two issuers have one name, or one `iss` and `aud`; those with one `iss` are found
/// together.
pub fn an_issuer_is_told_from_others_by_what_its_tokens_say(
    mut store: impl GateStore + AdminStore,
) {
    with_tenants(&mut store);
    let mut first = record("a", "acme");
    first.id = put(&mut store, &first);
    let same_name = IssuerRecord {
        audience: text("other"),
        ..record("a", "beta")
    };
    let same_words = IssuerRecord {
        issuer: first.issuer.clone(),
        audience: first.audience.clone(),
        ..record("b", "beta")
    };
    for same in [same_name, same_words.clone()] {
        let mut transaction = store.begin(Intent::Write).unwrap();
        let error = transaction.add_issuer(&same).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Conflict, "{error}");
    }
    let mut transaction = store.begin(Intent::Write).unwrap();
    assert!(transaction.add_issuer(&record("c", "none")).is_err());
    drop(transaction);
    let mut second = IssuerRecord {
        audience: text("a-first"),
        ..same_words
    };
    second.id = put(&mut store, &second);
    put(&mut store, &record("c", "acme"));
    look(&mut store, |transaction| {
        let alike = transaction.issuers_like(&first.issuer)?;
        assert_eq!(alike, [second.clone(), first.clone()]);
        assert_eq!(transaction.issuers_like(&text("nobody"))?, []);
        Ok(())
    });
}

/// A token is revoked once, and of its issuer alone.
pub fn what_was_revoked_of_an_issuer_goes_with_it(mut store: impl GateStore + AdminStore) {
    with_tenants(&mut store);
    let [first, second] = ["a", "b"].map(|name| put(&mut store, &record(name, "acme")));
    let token = text("t-1");
    commit(&mut store, &[], |transaction| {
        assert!(transaction.revoke_issued_token(first, &token, at(1))?);
        assert!(!transaction.revoke_issued_token(first, &token, at(2))?);
        assert!(transaction.is_issued_token_revoked(first, &token)?);
        assert!(!transaction.is_issued_token_revoked(first, &text("T-1"))?);
        assert!(!transaction.is_issued_token_revoked(second, &token)?);
        assert_eq!(transaction.count_revoked_of_issuer(first)?, 1);
        assert_eq!(transaction.count_revoked_of_issuer(second)?, 0);
        transaction.remove_issuer(first).map(drop)
    });
    look(&mut store, |transaction| {
        assert!(!transaction.is_issued_token_revoked(first, &token)?);
        assert_eq!(transaction.count_revoked_of_issuer(first)?, 0);
        Ok(())
    });
}

fn with_tenants(store: &mut impl AdminStore) {
    commit(store, &[], |transaction| {
        for id in ["acme", "beta"] {
            transaction.put_tenant(&tenant(id))?;
        }
        transaction.put_role(&role("acme", "ops"))
    });
}

fn put(store: &mut impl AdminStore, issuer: &IssuerRecord) -> IssuerId {
    let mut id = issuer.id;
    commit(store, &[], |transaction| {
        id = transaction.add_issuer(issuer)?;
        Ok(())
    });
    id
}

pub(super) fn record(called: &str, of: &str) -> IssuerRecord {
    IssuerRecord {
        id: IssuerId(0),
        name: name(called),
        tenant: tenant_id(of),
        issuer: text(&format!("https://{called}.example")),
        audience: text("mqtt"),
        algorithms: "ES256".parse().unwrap(),
        identity: IdentityClaim::parse("sub").unwrap(),
        role_claim: None,
        roles: Default::default(),
        registers: None,
        keys: "keys".into(),
        keys_at: at(1),
        source: None,
        added_at: at(2),
    }
}

fn name(text: &str) -> IssuerName {
    IssuerName::parse(text).unwrap()
}

fn text(text: &str) -> IssuerText {
    IssuerText::parse(text).unwrap()
}
