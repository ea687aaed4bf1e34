//! What a login changes for good.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use countersign_core::change::{Change, ChangeSeq};
use countersign_core::client_id::{ClientId, ClientIdRule};
use countersign_core::connect::{LoginRecord, Proof};
use countersign_core::credential::Credential;
use countersign_core::lifecycle::State;
use countersign_core::secret::{Argon2Params, PasswordHash, Secret, SecretId, Verifier};
use countersign_core::store::rows::SecretRows as _;
use countersign_core::store::{
    AdminStore, GateStore, Intent, LoginEffects, Recorded, StoreErrorKind,
};

use super::{acts, add, at, client_id, commit, credential, digest, found, proved};

/// The first use is recorded, once, whoever else logs in at the same time.
pub fn a_login_activates_once(mut store: impl GateStore + AdminStore) {
    let (_, secret) = add(&mut store, &credential("dev1@acme"), 1);
    let seen = found(&mut store, "dev1@acme");
    let login = activation(&seen, secret);
    assert_eq!(store.record_login(&login, at(50)).unwrap(), Recorded::Done);
    let after = found(&mut store, "dev1@acme");
    assert_eq!((after.state, after.ever_used), (State::Active, true));
    assert_eq!(after.last_used_at, Some(at(50)));
    assert_eq!(after.generation, seen.generation);
    let mut other = store.reopen().unwrap();
    assert_eq!(
        other.record_login(&login, at(51)).unwrap(),
        Recorded::Outdated
    );
    assert_eq!(acts(&mut store), ["credential.activate"]);
}

/// A new hash of a password takes the place of the old one, and of no other.
pub fn a_hash_is_replaced_only_where_it_is_still_kept(mut store: impl GateStore + AdminStore) {
    let hash = |salt: u8| {
        let params = Argon2Params::parse("m=8,t=1,p=1").unwrap();
        PasswordHash::new(&Secret::new(b"chosen".to_vec()), [salt; 16], params).unwrap()
    };
    let (id, _) = add(&mut store, &credential("dev1@acme"), 1);
    let mut secret = SecretId(0);
    commit(&mut store, &[], |transaction| {
        secret = transaction.add_secret(id, &Verifier::Password(hash(1)))?;
        Ok(())
    });
    let kept = |store: &mut _| {
        let credential = found(store, "dev1@acme");
        credential
            .secrets
            .iter()
            .find_map(|stored| match &stored.verifier {
                Verifier::Password(hash) => Some(hash.as_str().to_owned()),
                Verifier::Digest(_) => None,
            })
    };
    let before = found(&mut store, "dev1@acme").generation;
    store
        .replace_password_hash(secret, &hash(1), &hash(2))
        .unwrap();
    assert_eq!(kept(&mut store).as_deref(), Some(hash(2).as_str()));
    assert_eq!(found(&mut store, "dev1@acme").generation, before);
    store
        .replace_password_hash(secret, &hash(1), &hash(3))
        .unwrap();
    assert_eq!(kept(&mut store).as_deref(), Some(hash(2).as_str()));
    let gone = SecretId(secret.0 + 1);
    store
        .replace_password_hash(gone, &hash(2), &hash(3))
        .unwrap();
    assert_eq!(kept(&mut store).as_deref(), Some(hash(2).as_str()));
}

/// A login does not undo what an administrator did meanwhile.
pub fn a_login_decided_before_an_act_is_outdated(mut store: impl GateStore + AdminStore) {
    let (id, secret) = add(&mut store, &credential("dev1@acme"), 1);
    let seen = found(&mut store, "dev1@acme");
    let login = activation(&seen, secret);
    let suspended = Credential {
        state: State::Suspended,
        generation: seen.generation.next(),
        updated_at: at(2),
        ..seen.clone()
    };
    let reactivated = Credential {
        state: State::Inactive,
        ..suspended.clone()
    };
    for now in [suspended, reactivated] {
        commit(&mut store, &[], |transaction| {
            transaction.update_credential(&now)
        });
        assert_eq!(
            store.record_login(&login, at(50)).unwrap(),
            Recorded::Outdated
        );
        assert_eq!(found(&mut store, "dev1@acme").state, now.state);
    }
    let seen = found(&mut store, "dev1@acme");
    commit(&mut store, &[], |transaction| {
        transaction.remove_secret(secret)
    });
    let login = activation(&seen, secret);
    assert_eq!(
        store.record_login(&login, at(50)).unwrap(),
        Recorded::Outdated
    );
    commit(&mut store, &[], |transaction| {
        transaction.delete_credential(id)
    });
    assert_eq!(
        store.record_login(&login, at(50)).unwrap(),
        Recorded::Outdated
    );
    assert!(acts(&mut store).is_empty());
}

/// The first of two clients that race for a tie has it.
pub fn a_tie_is_written_once_and_told_to_the_others(mut store: impl GateStore + AdminStore) {
    let untied = Credential {
        client_id_rule: ClientIdRule::FirstUse,
        ..credential("dev1@acme")
    };
    let (id, secret) = add(&mut store, &untied, 1);
    let mut other = store.reopen().unwrap();
    let seen = found(&mut store, "dev1@acme");
    let (a, b) = (client_id("a"), client_id("b"));
    let login = |client_id| first_use(&seen, secret, client_id);
    assert_eq!(
        store.record_login(&login(&a), at(50)).unwrap(),
        Recorded::Done
    );
    assert_eq!(
        other.record_login(&login(&b), at(50)).unwrap(),
        Recorded::Outdated
    );
    let tied = found(&mut other, "dev1@acme");
    assert_eq!(tied.client_id_tie, Some(a.tie()));
    let again = LoginEffects {
        proved: Some((&tied, Proof::Secret(secret))),
        ..login(&b)
    };
    assert_eq!(
        other.record_login(&again, at(50)).unwrap(),
        Recorded::Outdated
    );
    assert_eq!(acts(&mut store), ["credential.activate", "credential.tie"]);
    let told = other.changes_after(ChangeSeq(0), 10).unwrap();
    assert_eq!(told, [(ChangeSeq(1), Change::Credential(id))]);
}

/// `rotate --until-used`: the old secret ends with the first use of the new.
pub fn a_new_secret_in_use_retires_the_old_one(mut store: impl GateStore + AdminStore) {
    let (id, old) = add(&mut store, &credential("dev1@acme"), 1);
    let new = commit(&mut store, &[], |transaction| {
        transaction.limit_secret(old, None, true)?;
        transaction.add_secret(id, &digest(2))
    });
    let seen = found(&mut store, "dev1@acme");
    let record = LoginRecord {
        retires_older_secrets: true,
        ..Default::default()
    };
    let login = LoginEffects {
        record,
        ..activation(&seen, new)
    };
    assert_eq!(store.record_login(&login, at(50)).unwrap(), Recorded::Done);
    let after = found(&mut store, "dev1@acme");
    assert_eq!(
        after
            .secrets
            .iter()
            .map(|stored| stored.id)
            .collect::<Vec<_>>(),
        [new]
    );
    assert_eq!(after.generation, seen.generation);
    assert_eq!(after.state, State::Inactive);
    let told = store.changes_after(ChangeSeq(0), 10).unwrap();
    assert_eq!(told, [(ChangeSeq(1), Change::Credential(id))]);
    let late = activation(&seen, old);
    assert_eq!(
        store.record_login(&late, at(51)).unwrap(),
        Recorded::Outdated
    );
}

/// The broker's thread is not held up by somebody else's transaction.
pub fn a_login_waits_for_the_lock_no_longer_than_a_client_would_notice(
    mut store: impl GateStore + AdminStore,
) {
    let (_, secret) = add(&mut store, &credential("dev1@acme"), 1);
    let mut other = store.reopen().unwrap();
    let seen = found(&mut store, "dev1@acme");
    let locked = other.begin(Intent::Write).unwrap();
    let start = Instant::now();
    let error = store
        .record_login(&activation(&seen, secret), at(50))
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Busy, "{error}");
    assert!(
        start.elapsed() >= Duration::from_millis(15),
        "{:?}",
        start.elapsed()
    );
    assert!(
        start.elapsed() < Duration::from_millis(200),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(found(&mut store, "dev1@acme").state, State::Inactive);
    drop(locked);
    let recorded = store
        .record_login(&activation(&seen, secret), at(50))
        .unwrap();
    assert_eq!(recorded, Recorded::Done);
}

/// Keeps what a secret that serves as a name begins with.
pub fn a_hint_stays_with_its_secret(mut store: impl GateStore + AdminStore) {
    let (id, secret) = add(&mut store, &credential("dev1@acme"), 1);
    commit(&mut store, &[], |transaction| {
        transaction.add_secret(id, &digest(2))?;
        transaction.put_hint(secret, "dt_7f3a")
    });
    let read = found(&mut store, "dev1@acme");
    let hints: Vec<_> = read.secrets.iter().map(|one| one.hint.as_deref()).collect();
    assert_eq!(hints, [None, Some("dt_7f3a")]);
    let mut transaction = store.begin(Intent::Write).unwrap();
    assert!(transaction.put_hint(SecretId(999), "x").is_err());
}

/// A login that does no more than activate.
fn activation(credential: &Credential, secret: SecretId) -> LoginEffects<'_> {
    static CLIENT_ID: LazyLock<ClientId> = LazyLock::new(|| client_id("c"));
    LoginEffects {
        record: LoginRecord {
            activates: true,
            ..Default::default()
        },
        ..proved(credential, secret, &CLIENT_ID)
    }
}

/// A login that activates and ties.
pub(crate) fn first_use<'a>(
    credential: &'a Credential,
    secret: SecretId,
    client_id: &'a ClientId,
) -> LoginEffects<'a> {
    LoginEffects {
        record: LoginRecord {
            activates: true,
            ties: Some(client_id.tie()),
            ..Default::default()
        },
        ..proved(credential, secret, client_id)
    }
}
