//! Administrative acts.

use std::time::Duration;

use countersign_core::ban::AutoBan;
use countersign_core::change::{Change, ChangeSeq};
use countersign_core::client_id::{ClientId, ClientIdRule};
use countersign_core::credential::{Credential, CredentialId, Generation};
use countersign_core::ledger::LedgerTransaction as _;
use countersign_core::lifecycle::State;
use countersign_core::limit::UseLimits;
use countersign_core::lockout::LockoutPolicy;
use countersign_core::name::{GroupPath, LoginName};
use countersign_core::rule::{Action, Effect, Limits, Namespaces, QoS, Rule};
use countersign_core::scheme::{SchemeName, Schemes};
use countersign_core::secret::{Argon2Params, PasswordHash, Secret, SecretDigest, Verifier};
use countersign_core::store::rows::{CredentialRows as _, SecretRows as _, TenantRows as _};
use countersign_core::store::{
    AdminStore, AdminTransaction, GateStore, Intent, Settings, StoreErrorKind, all_rows,
};
use countersign_core::tenant::{Authentication, DefaultRights, SubscribeMode, Tenant};
use countersign_core::topic::TopicFilter;

use super::{
    acts, add, at, audit, client_id, commit, credential, digest, entry, found, login_name, look,
    make_roles, pattern, role_name, tenant, tenant_id,
};

/// Nothing is found, and nothing fails, where nothing was written.
pub fn an_empty_store_knows_nobody(mut store: impl GateStore + AdminStore) {
    assert!(
        store
            .credential(&login_name("dev1@acme"))
            .unwrap()
            .is_none()
    );
    assert!(store.tenant(&tenant_id("acme")).unwrap().is_none());
    assert!(!store.some_tenant_admits_anonymous().unwrap());
    assert!(store.tenants().unwrap().readable.is_empty());
    let digest = SecretDigest::from_bytes([1; 32]);
    assert!(store.credential_by_digest(&digest).unwrap().is_none());
    let id = client_id("c");
    assert_eq!(store.bound_to(&id.tie()).unwrap(), None);
    assert_eq!(store.tenant_by_client_id(&id).unwrap(), None);
    assert_eq!(store.stored_session(&id.tie()).unwrap(), None);
    assert_eq!(store.schemes().unwrap().readable, Schemes::built_in());
    assert_eq!(
        store.log_position().unwrap().last_policy_change,
        ChangeSeq(0)
    );
    assert_eq!(store.last_change().unwrap(), ChangeSeq(0));
    assert!(store.changes_after(ChangeSeq(0), 10).unwrap().is_empty());
    assert!(audit(&mut store).is_empty());
    let counted = look(&mut store, |transaction| transaction.count_presence(None));
    assert_eq!(counted, 0);
}

/// All of a credential is kept.
pub fn a_credential_reads_back_as_it_was_written(mut store: impl GateStore + AdminStore) {
    let limits = Limits {
        max_qos: Some(QoS::AtMostOnce),
        no_retain: true,
    };
    let limited = Rule::new(Effect::Allow, Action::Publish, pattern("z/#"), limits).unwrap();
    let written = Credential {
        scheme: SchemeName::parse("vwire").unwrap(),
        state: State::Suspended,
        ever_used: true,
        generation: Generation(7),
        groups: ["DM.X", "B", "DM.A"]
            .map(|path| GroupPath::parse(path).unwrap())
            .into(),
        description: Some("the one in the cellar".into()),
        client_id_rule: ClientIdRule::parse("exact:a:b").unwrap(),
        client_id_tie: Some(ClientId::parse("x").unwrap().tie()),
        external_identity: true,
        not_before: Some(at(2)),
        expires_at: Some(at(3)),
        created_at: at(4),
        updated_at: at(5),
        revoked_reason: Some("lost".into()),
        limits: UseLimits::parse("bytes-per-second=7").unwrap(),
        roles: vec![role_name("meter"), role_name("reader")],
        rules: vec![
            limited,
            Rule::deny(Action::Both, pattern("z/${attr.floor}")),
        ],
        attributes: [("floor", "ü"), ("token", "")]
            .map(|(key, value)| (key.into(), value.into()))
            .into(),
        ..credential("dev1@acme")
    };
    make_roles(&mut store, "acme", &["meter", "reader"]);
    let (id, _) = add(&mut store, &written, 1);
    let by_name = found(&mut store, "dev1@acme");
    let by_id = store.credential_by_id(id).unwrap().unwrap();
    let listed = look(&mut store, |transaction| {
        all_rows(|page| transaction.credentials(&Default::default(), page))
    });
    let in_act = look(&mut store, |transaction| {
        transaction.credential(&written.name)
    })
    .unwrap();
    let expected = Credential {
        id,
        secrets: by_name.secrets.clone(),
        ..written
    };
    for read in [&by_name, &by_id, &listed[0], &in_act] {
        assert_eq!(format!("{read:?}"), format!("{expected:?}"));
    }
    let stored = &by_name.secrets[0].verifier;
    let expected = SecretDigest::from_bytes([1; 32]);
    assert!(matches!(stored, Verifier::Digest(digest) if *digest == expected));
}

/// What an update must not touch stays.
pub fn an_update_leaves_name_tenant_secrets_and_times_alone(
    mut store: impl GateStore + AdminStore,
) {
    let (id, secret) = add(&mut store, &credential("dev1@acme"), 1);
    make_roles(&mut store, "acme", &["meter"]);
    let update = Credential {
        id,
        state: State::Revoked,
        revoked_reason: Some("lost".into()),
        updated_at: at(9),
        created_at: at(9),
        last_used_at: Some(at(9)),
        roles: vec![role_name("meter")],
        rules: vec![Rule::allow(Action::Publish, pattern("a"))],
        ..credential("other@acme")
    };
    commit(&mut store, &[], |transaction| {
        transaction.update_credential(&update)
    });
    let read = found(&mut store, "dev1@acme");
    assert_eq!(read.state, State::Revoked);
    assert_eq!(read.revoked_reason.as_deref(), Some("lost"));
    assert_eq!(read.updated_at, at(9));
    assert_eq!(read.roles, update.roles);
    assert_eq!(read.rules, update.rules);
    assert_eq!((read.created_at, read.last_used_at), (at(1), None));
    assert_eq!(read.secrets[0].id, secret);
    let mut transaction = store.begin(Intent::Write).unwrap();
    let of_nobody = Credential {
        id: CredentialId(999),
        ..update
    };
    assert!(transaction.update_credential(&of_nobody).is_err());
}

/// All of a tenant is kept, its namespaces in their order.
pub fn a_tenant_reads_back_as_it_was_written(mut store: impl GateStore + AdminStore) {
    let filters = |texts: &[&str]| {
        let filters = texts.iter().map(|text| TopicFilter::parse(text).unwrap());
        Namespaces::new(filters.collect::<Vec<_>>()).unwrap()
    };
    let first = Tenant {
        authentication: Authentication::Off,
        subscribe: SubscribeMode::Filtered,
        client_id_prefix: Some(ClientId::parse("p-").unwrap()),
        lockout: Some(LockoutPolicy::parse("failures=3,step=1m,longest=1h").unwrap()),
        default_rights: DefaultRights::Nothing,
        default_roles: vec![role_name("a"), role_name("b")],
        anonymous_rights: DefaultRights::Nothing,
        anonymous_roles: vec![role_name("b")],
        sys_read: true,
        name_prefix: LoginName::parse("acme-").ok(),
        limits: UseLimits::parse("messages-per-second=5 share=20").unwrap(),
        namespaces: filters(&["z/#", "a/+/b"]),
        created_at: at(5),
        ..tenant("acme")
    };
    let second = Tenant {
        authentication: Authentication::Optional,
        namespaces: filters(&["y"]),
        ..tenant("acme")
    };
    make_roles(&mut store, "acme", &["a", "b"]);
    for written in [first, second] {
        commit(&mut store, &[], |transaction| {
            transaction.put_tenant(&written)
        });
        assert_eq!(*store.tenant(&written.id).unwrap().unwrap(), written);
        assert_eq!(*store.tenants().unwrap().readable[0], written);
        let listed = look(&mut store, |transaction| {
            all_rows(|page| transaction.tenants(page))
        });
        assert_eq!(listed, [written]);
    }
}

/// The settings are those written last.
pub fn settings_read_back_as_they_were_written(mut store: impl GateStore + AdminStore) {
    let argon2 = Argon2Params::parse("m=8,t=1,p=1").unwrap();
    let settings = Settings {
        argon2,
        client_id_hold: Duration::from_millis(1_500),
        keep_refusals: Duration::from_millis(2_500),
        client_id_limit: 7,
        lockout: LockoutPolicy::parse("failures=3,step=1s,longest=90s").unwrap(),
        rehash: false,
        auto_ban: AutoBan::parse("3/90s:7m").unwrap(),
    };
    assert_ne!(store.settings().unwrap(), settings);
    commit(&mut store, &[], |transaction| {
        transaction.set_settings(&settings)
    });
    assert_eq!(store.settings().unwrap(), settings);
    assert_eq!(
        look(&mut store, |transaction| transaction.settings()),
        settings
    );
}

/// Devices, services and operators share one name space.
pub fn a_taken_name_is_a_conflict_whoever_has_it(mut store: impl GateStore + AdminStore) {
    add(&mut store, &credential("dev1@acme"), 1);
    let operator = Credential {
        tenant: None,
        ..credential("dev1@acme")
    };
    for taken in [credential("dev1@acme"), operator] {
        let mut transaction = store.begin(Intent::Write).unwrap();
        let error = transaction.add_credential(&taken).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Conflict, "{error}");
    }
    add(&mut store, &credential("Dev1@acme"), 2);
}

/// A secret that is stored already can't be given out twice.
pub fn a_secret_has_one_owner(mut store: impl GateStore + AdminStore) {
    add(&mut store, &credential("dev1@acme"), 1);
    let (id, _) = add(&mut store, &credential("dev2@acme"), 2);
    let mut transaction = store.begin(Intent::Write).unwrap();
    let error = transaction.add_secret(id, &digest(1)).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Conflict, "{error}");
    for (number, is_taken) in [(1, true), (2, true), (3, false)] {
        let Verifier::Digest(digest) = digest(number) else {
            unreachable!("it is a digest");
        };
        assert_eq!(transaction.is_secret_taken(&digest).unwrap(), is_taken);
    }
}

/// Two secrets overlap, the newer one first.
pub fn secrets_are_listed_newest_first_and_end_when_told(mut store: impl GateStore + AdminStore) {
    let (id, old) = add(&mut store, &credential("dev1@acme"), 1);
    let params = Argon2Params::parse("m=8,t=1,p=1").unwrap();
    let password = Secret::new(b"correct horse".to_vec());
    let hash = PasswordHash::new(&password, [7; 16], params).unwrap();
    let new = commit(&mut store, &[], |transaction| {
        transaction.limit_secret(old, Some(at(99)), true)?;
        transaction.add_secret(id, &Verifier::Password(hash.clone()))
    });
    let read = found(&mut store, "dev1@acme").secrets;
    assert_eq!(
        read.iter().map(|stored| stored.id).collect::<Vec<_>>(),
        [new, old]
    );
    assert!(matches!(&read[0].verifier, Verifier::Password(stored) if stored.verify(&password)));
    assert_eq!((read[0].ends_at, read[0].until_used), (None, false));
    assert_eq!((read[1].ends_at, read[1].until_used), (Some(at(99)), true));
    commit(&mut store, &[], |transaction| {
        transaction.remove_secret(old)
    });
    assert_eq!(found(&mut store, "dev1@acme").secrets.len(), 1);
}

/// A dropped transaction leaves nothing behind, in any table.
pub fn a_transaction_that_is_dropped_never_happened(mut store: impl GateStore + AdminStore) {
    {
        let mut transaction = store.begin(Intent::Write).unwrap();
        transaction.put_tenant(&tenant("acme")).unwrap();
        transaction
            .add_credential(&credential("dev1@acme"))
            .unwrap();
    }
    an_empty_store_knows_nobody(store);
}

/// No reader sees an act without its audit row and changes, or those without
/// the act.
pub fn an_act_its_audit_row_and_its_change_come_together(mut store: impl GateStore + AdminStore) {
    let mut other = store.reopen().unwrap();
    let mut transaction = store.begin(Intent::Write).unwrap();
    transaction.put_tenant(&tenant("acme")).unwrap();
    transaction
        .add_credential(&credential("dev1@acme"))
        .unwrap();
    assert!(
        other
            .credential(&login_name("dev1@acme"))
            .unwrap()
            .is_none()
    );
    assert!(audit(&mut other).is_empty());
    let row = entry(5, "credential.create", "dev1@acme");
    let change = Change::Tenant(tenant_id("acme"));
    transaction
        .commit(std::slice::from_ref(&row), std::slice::from_ref(&change))
        .unwrap();
    assert!(
        other
            .credential(&login_name("dev1@acme"))
            .unwrap()
            .is_some()
    );
    assert_eq!(audit(&mut other), [row]);
    let told = other.changes_after(ChangeSeq(0), 10).unwrap();
    assert_eq!(told, [(ChangeSeq(1), change)]);
}

/// The number of what was deleted last is not the number of what comes next.
pub fn a_number_is_never_given_out_again(mut store: impl GateStore + AdminStore) {
    let (credential_id, secret) = add(&mut store, &credential("dev1@acme"), 1);
    commit(&mut store, &[], |transaction| {
        transaction.delete_credential(credential_id)
    });
    assert!(store.credential_by_id(credential_id).unwrap().is_none());
    let (next, next_secret) = add(&mut store, &credential("dev1@acme"), 1);
    assert!(next > credential_id);
    assert!(next_secret > secret);
}

/// Deleting a tenant leaves neither its credentials nor their names behind.
pub fn a_deleted_tenant_takes_its_credentials_along_and_frees_their_names(
    mut store: impl GateStore + AdminStore,
) {
    let (id, _) = add(&mut store, &credential("dev1@acme"), 1);
    add(&mut store, &credential("dev1@other"), 2);
    make_roles(&mut store, "acme", &["meter"]);
    assert_eq!(count(&mut store, "acme"), 1);
    commit(&mut store, &[], |transaction| {
        transaction.delete_tenant(&tenant_id("acme"))
    });
    assert_eq!(count(&mut store, "acme"), 0);
    assert!(store.tenant(&tenant_id("acme")).unwrap().is_none());
    assert!(store.credential_by_id(id).unwrap().is_none());
    assert!(found(&mut store, "dev1@other").roles.is_empty());
    assert!(
        look(&mut store, |transaction| all_rows(
            |page| transaction.roles(None, page)
        ))
        .is_empty()
    );
    add(&mut store, &credential("dev1@acme"), 1);
    assert!(acts(&mut store).is_empty());
}

fn count(store: &mut impl AdminStore, tenant: &str) -> u64 {
    look(store, |transaction| {
        transaction.count_credentials(&tenant_id(tenant))
    })
}
