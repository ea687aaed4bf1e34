//! Tokens and the keys that sign them.

use std::time::Duration;

use countersign_core::connect::{LoginRecord, Proof};
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::jwt::{KeyId, SigningKey, TokenId};
use countersign_core::kind::Kind;
use countersign_core::ledger::Ledger;
use countersign_core::seal::Sealed;
use countersign_core::secret::SecretId;
use countersign_core::store::rows::{RoleRows as _, TokenRows as _};
use countersign_core::store::{
    AdminStore, AdminTransaction, GateStore, Intent, LoginEffects, Recorded, StoreErrorKind,
    all_rows,
};
use countersign_core::time::Timestamp;
use countersign_core::token::{SealedTokenKey, TokenKey, TokenRecord};

use super::people::{grant, user};
use super::principals::make;
use super::{
    add, at, client_id, commit, credential, found, login_name, look, make_roles, proved, role_name,
    tenant_id,
};

/// All of a token and of a key is kept.
pub fn a_token_and_its_key_read_back_as_they_were_written(mut store: impl GateStore + AdminStore) {
    let parties = parties(&mut store);
    let plain = token(1, parties);
    let limited = TokenRecord {
        things: vec![login_name("t2"), login_name("t1")],
        issued_at: at(9),
        ..token(2, parties)
    };
    for written in [&plain, &limited] {
        add_token(&mut store, written);
        let read = store.token(&written.id).unwrap().unwrap();
        assert_eq!(*read, *written);
        let read = look(&mut store, |transaction| transaction.token(&written.id));
        assert_eq!(read.as_ref(), Some(written));
    }
    assert!(store.token(&token_id(3)).unwrap().is_none());
    let newer = key(2, 7);
    commit(&mut store, &[], |transaction| {
        transaction.add_token_key(&newer)
    });
    let acme = tenant_id("acme");
    look(&mut store, |transaction| {
        let listed = all_rows(|page| transaction.tokens(Some(&acme), page))?;
        assert_eq!(listed, [plain.clone(), limited.clone()]);
        assert_eq!(all_rows(|page| transaction.tokens(None, page))?, listed);
        assert!(all_rows(|page| transaction.tokens(Some(&tenant_id("other")), page))?.is_empty());
        let keys = transaction.token_keys(&acme)?;
        let ids: Vec<_> = keys.iter().map(|one| one.key.id.clone()).collect();
        assert_eq!(ids, [key_id(2), key_id(1)]);
        assert_eq!(keys[0].private, newer.private);
        assert_eq!(shown(&keys[0].key), shown(&newer.key));
        Ok(())
    });
    let read = store.token_key(&key_id(2)).unwrap().unwrap();
    assert_eq!(shown(&read), shown(&newer.key));
    assert!(store.token_key(&key_id(3)).unwrap().is_none());
    let mut transaction = store.begin(Intent::Write).unwrap();
    let error = transaction.add_token(&plain).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Conflict, "{error}");
}

/// A key that counts no more makes room, with its tokens; one that counts stays.
pub fn keys_that_ended_are_removed_with_their_tokens(mut store: impl GateStore + AdminStore) {
    let parties = parties(&mut store);
    add_token(&mut store, &token(1, parties));
    let (acme, first) = (tenant_id("acme"), key_id(1));
    commit(&mut store, &[], |transaction| {
        transaction.add_token_key(&key(2, 7))?;
        transaction.end_token_key(&first, at(50))
    });
    for (tenant, now, left) in [(&acme, 49, 2), (&tenant_id("other"), 50, 2), (&acme, 50, 1)] {
        commit(&mut store, &[], |transaction| {
            transaction.remove_ended_token_keys(tenant, at(now))
        });
        let keys = look(&mut store, |transaction| transaction.token_keys(&acme));
        assert_eq!(keys.len(), left, "{now}");
        let is_kept = store.token(&token_id(1)).unwrap().is_some();
        assert_eq!(is_kept, left == 2, "{now}");
    }
    assert!(store.token_key(&first).unwrap().is_none());
}

/// What has ended stays ended: neither a key nor a token comes back.
pub fn the_end_of_a_key_or_token_is_never_put_off(mut store: impl GateStore + AdminStore) {
    let parties = parties(&mut store);
    add_token(&mut store, &token(1, parties));
    let (first, id) = (key_id(1), token_id(1));
    for (when, expected) in [(50, 50), (40, 40), (60, 40)] {
        commit(&mut store, &[], |transaction| {
            transaction.end_token_key(&first, at(when))
        });
        let ends = store.token_key(&first).unwrap().unwrap().ends_at;
        assert_eq!(ends, Some(at(expected)));
    }
    for when in [50, 60] {
        commit(&mut store, &[], |transaction| {
            transaction.revoke_token(&id, at(when))
        });
        let revoked = store.token(&id).unwrap().unwrap().revoked_at;
        assert_eq!(revoked, Some(at(50)));
    }
    let mut transaction = store.begin(Intent::Write).unwrap();
    assert!(transaction.end_token_key(&key_id(9), at(1)).is_err());
    assert!(transaction.revoke_token(&token_id(9), at(1)).is_err());
}

/// A login by token counts only while the token does, and for its bearer alone.
pub fn a_login_by_token_needs_the_token(mut store: impl GateStore + AdminStore) {
    let parties = parties(&mut store);
    for number in [1, 2, 3] {
        add_token(&mut store, &token(number, parties));
    }
    let bearer = found(&mut store, "jwt:me@acme");
    let other = Credential {
        kind: Kind::Bearer,
        ..credential("jwt:you@acme")
    };
    make(&mut store, &other);
    let other = found(&mut store, "jwt:you@acme");
    let record = |store: &mut _, seen: &Credential, number, now| {
        let (id, c) = (token_id(number), client_id("c"));
        let login = LoginEffects {
            proved: Some((seen, Proof::Token(&id))),
            record: LoginRecord {
                activates: !seen.ever_used,
                ..LoginRecord::default()
            },
            ..proved(seen, SecretId(0), &c)
        };
        Ledger::record_login(store, &login, at(now)).unwrap()
    };
    assert_eq!(record(&mut store, &bearer, 1, 50), Recorded::Done);
    let bearer = found(&mut store, "jwt:me@acme");
    assert!(bearer.ever_used);
    assert_eq!(record(&mut store, &other, 1, 50), Recorded::Outdated);
    assert_eq!(record(&mut store, &bearer, 9, 50), Recorded::Outdated);
    commit(&mut store, &[], |transaction| {
        transaction.revoke_token(&token_id(2), at(50))
    });
    assert_eq!(record(&mut store, &bearer, 2, 50), Recorded::Outdated);
    commit(&mut store, &[], |transaction| {
        transaction.end_token_key(&key_id(1), at(60))
    });
    assert_eq!(record(&mut store, &bearer, 3, 59), Recorded::Done);
    assert_eq!(record(&mut store, &bearer, 3, 60), Recorded::Outdated);
}

/// A token ends with what it depends on, and stays limited while it is there.
pub fn a_token_goes_with_bearer_issuer_key_role_and_tenant(mut store: impl GateStore + AdminStore) {
    type Act<S> = fn(&mut <S as AdminStore>::Transaction<'_>, Parties);
    fn acts<S: AdminStore>() -> [Act<S>; 5] {
        [
            |transaction, parties| transaction.delete_credential(parties.bearer).unwrap(),
            |transaction, parties| transaction.delete_credential(parties.issuer).unwrap(),
            |transaction, _| {
                let reader = role_name("reader");
                transaction
                    .delete_role(&tenant_id("acme"), &reader)
                    .unwrap();
            },
            |transaction, _| transaction.delete_tenant(&tenant_id("acme")).unwrap(),
            |_, _| {},
        ]
    }
    fn acts_of<S: AdminStore>(_: &S) -> [Act<S>; 5] {
        acts::<S>()
    }
    let parties = parties(&mut store);
    let limited = TokenRecord {
        things: vec![login_name("dev1@acme")],
        ..token(1, parties)
    };
    add_token(&mut store, &limited);
    let (dev, _) = add(&mut store, &credential("dev1@acme"), 8);
    let holders = look(&mut store, |transaction| {
        transaction.holders_of_role(&tenant_id("acme"), &role_name("reader"))
    });
    assert_eq!(holders, [parties.bearer]);
    for (index, act) in acts_of(&store).into_iter().enumerate() {
        let is_last = index == 4;
        let mut transaction = store.begin(Intent::Write).unwrap();
        act(&mut transaction, parties);
        let left = transaction.token(&limited.id).unwrap();
        assert_eq!(left.is_some(), is_last, "{index}");
        let keys = transaction.token_keys(&tenant_id("acme")).unwrap();
        assert_eq!(keys.len(), usize::from(index != 3), "{index}");
    }
    commit(&mut store, &[], |transaction| {
        transaction.delete_credential(dev)
    });
    let read = store.token(&limited.id).unwrap().unwrap();
    assert_eq!(read.things, limited.things);
}

/// A tenant of which only bearers are left is empty.
pub fn bearers_alone_keep_no_tenant_from_being_empty(mut store: impl GateStore + AdminStore) {
    parties(&mut store);
    let acme = tenant_id("acme");
    let count = |store: &mut _| {
        look(store, |transaction: &mut _| {
            transaction.count_credentials(&acme)
        })
    };
    assert_eq!(count(&mut store), 0);
    add(&mut store, &credential("dev1@acme"), 8);
    assert_eq!(count(&mut store), 1);
}

/// Tokens are listed for a week after their end.
pub fn a_token_that_ended_is_forgotten_after_a_week(mut store: impl GateStore + AdminStore) {
    let parties = parties(&mut store);
    let written = token(1, parties);
    add_token(&mut store, &written);
    let week = written.expires_at.plus(Duration::from_secs(7 * 86_400));
    store.maintain(week).unwrap();
    assert!(store.token(&written.id).unwrap().is_some());
    let after = week.plus(Duration::from_millis(1));
    store.maintain(after).unwrap();
    assert!(store.token(&written.id).unwrap().is_none());
}

/// The credentials that a token depends on.
#[derive(Clone, Copy)]
pub(crate) struct Parties {
    bearer: CredentialId,
    issuer: CredentialId,
}

/// Makes role `reader`, a key, a bearer and an issuer in `acme`.
pub(crate) fn parties<S: AdminStore>(store: &mut S) -> Parties {
    make_roles(store, "acme", &["reader"]);
    let bearer = Credential {
        kind: Kind::Bearer,
        ..credential("jwt:me@acme")
    };
    let parties = Parties {
        bearer: make(store, &bearer),
        issuer: make(store, &user(vec![grant("acme", None)], None)),
    };
    commit(store, &[], |transaction| {
        transaction.add_token_key(&key(1, 3))
    });
    parties
}

pub(crate) fn add_token<S: AdminStore>(store: &mut S, token: &TokenRecord) {
    commit(store, &[], |transaction| transaction.add_token(token));
}

pub(crate) fn token(number: u8, parties: Parties) -> TokenRecord {
    TokenRecord {
        id: token_id(number),
        tenant: tenant_id("acme"),
        bearer: parties.bearer,
        issuer: parties.issuer,
        key: key_id(1),
        role: role_name("reader"),
        things: Vec::new(),
        issued_at: at(5),
        expires_at: at(3_600_005),
        revoked_at: None,
    }
}

fn key(number: u8, created_at: i64) -> SealedTokenKey {
    SealedTokenKey {
        key: TokenKey {
            id: key_id(number),
            tenant: tenant_id("acme"),
            public: SigningKey::from_seed([number; 32]).verifying_key(),
            created_at: at(created_at),
            ends_at: (number == 2).then_some(Timestamp::from_millis(99)),
        },
        private: Sealed::from_bytes(vec![number; 72]),
    }
}

/// All of a key; a point on the curve may be written in several ways.
fn shown(key: &TokenKey) -> impl PartialEq + std::fmt::Debug {
    let public = *key.public.as_bytes();
    let (id, tenant) = (key.id.clone(), key.tenant.clone());
    (id, tenant, public, key.created_at, key.ends_at)
}

fn token_id(number: u8) -> TokenId {
    TokenId::generate([number; 16])
}

fn key_id(number: u8) -> KeyId {
    KeyId::generate([number; 8])
}
