//! What one connection learns of another's commits.

use std::time::Duration;

use countersign_core::ban::BanId;
use countersign_core::change::{Change, ChangeSeq, KickRequestId};
use countersign_core::client_id::ClientIdTie;
use countersign_core::credential::CredentialId;
use countersign_core::issuer::IssuerId;
use countersign_core::presence::SessionNumber;
use countersign_core::store::rows::KickRows as _;
use countersign_core::store::{
    AdminStore, AdminTransaction, Batch, GateStore, Intent, KickTarget, StoreErrorKind,
};

use super::{at, audit, commit, entry, login_name, look, tenant, tenant_id};

/// A follower hears of everything, once, in the order it was committed.
pub fn changes_reach_a_second_connection_in_order(mut store: impl GateStore + AdminStore) {
    let mut follower = store.reopen().unwrap();
    let start = follower.last_change().unwrap();
    let made = [
        Change::Credential(CredentialId(7)),
        Change::Tenant(tenant_id("acme")),
        Change::Everything,
        Change::Ban(BanId(3)),
        Change::IssuerKeys(IssuerId(4)),
    ];
    commit(&mut store, &made[..2], |_| Ok(()));
    commit(&mut store, &made[2..], |_| Ok(()));
    let first = follower.changes_after(start, 3).unwrap();
    let rest = follower.changes_after(first[2].0, 3).unwrap();
    let seen: Vec<_> = first.iter().chain(&rest).cloned().collect();
    let seqs: Vec<_> = seen.iter().map(|(seq, _)| seq.0).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5].map(|step| start.0 + step));
    assert_eq!(
        seen.into_iter()
            .map(|(_, change)| change)
            .collect::<Vec<_>>(),
        made
    );
    let last = follower.last_change().unwrap();
    assert_eq!(last, rest[1].0);
    assert!(follower.changes_after(last, 3).unwrap().is_empty());
}

/// What a gate keeps of tenants, schemes and settings is good until this moves.
pub fn the_last_change_of_policy_is_about_no_single_credential(
    mut store: impl GateStore + AdminStore,
) {
    let mut follower = store.reopen().unwrap();
    let kick = Change::KickRequested(KickRequestId(1));
    for (change, last) in [
        (Change::Credential(CredentialId(7)), 0),
        (Change::Tenant(tenant_id("acme")), 2),
        (kick, 2),
        (Change::Ban(BanId(1)), 2),
        (Change::IssuerKeys(IssuerId(1)), 2),
        (Change::Everything, 6),
        (Change::Credential(CredentialId(8)), 6),
    ] {
        commit(&mut store, &[change], |_| Ok(()));
        assert_eq!(
            follower.log_position().unwrap().last_policy_change,
            ChangeSeq(last)
        );
    }
    assert_eq!(follower.last_change().unwrap(), ChangeSeq(7));
    let last_ban_change = follower.log_position().unwrap().last_ban_change;
    assert_eq!(last_ban_change, ChangeSeq(4));
}

/// A follower that can't know what it missed is told to judge everything.
pub fn a_change_log_that_was_pruned_or_replaced_yields_everything(
    mut store: impl GateStore + AdminStore,
) {
    let made = vec![Change::Credential(CredentialId(7)); 10_300];
    commit(&mut store, &made, |_| Ok(()));
    let day = Duration::from_secs(86_400);
    store.maintain(at(1).plus(day)).unwrap();
    assert_eq!(store.changes_after(ChangeSeq(0), 1).unwrap()[0].1, made[0]);
    store.maintain(at(2).plus(day)).unwrap();
    let told = store.changes_after(ChangeSeq(5), 3).unwrap();
    assert_eq!(told[0], (ChangeSeq(300), Change::Everything));
    assert_eq!(told[1], (ChangeSeq(301), made[0].clone()));
    assert_eq!(told.len(), 3);
    let told = store.changes_after(ChangeSeq(300), 1).unwrap();
    assert_eq!(told, [(ChangeSeq(301), made[0].clone())]);
    let told = store.changes_after(ChangeSeq(20_000), 3).unwrap();
    assert_eq!(told, [(ChangeSeq(10_300), Change::Everything)]);
}

/// A mark tells what is true still from what may be outdated.
pub fn the_mark_moves_with_every_commit_and_not_otherwise(mut store: impl GateStore + AdminStore) {
    let mut other = store.reopen().unwrap();
    store.credential(&login_name("dev1@acme")).unwrap();
    other.credential(&login_name("dev1@acme")).unwrap();
    let before = (store.mark().unwrap(), other.mark().unwrap());
    if store.mark().unwrap() != before.0 {
        // A store that can't tell is asked each time.
        return;
    }
    drop(other.begin(Intent::Write).unwrap());
    other.maintain(at(1)).unwrap();
    other.write_batch("b1", &Batch::default()).unwrap();
    assert_eq!((store.mark().unwrap(), other.mark().unwrap()), before);
    commit(&mut other, &[], |transaction| {
        transaction.put_tenant(&tenant("acme"))
    });
    let after = (store.mark().unwrap(), other.mark().unwrap());
    assert!(after.0 != before.0 && after.1 != before.1);
    assert_eq!((store.mark().unwrap(), other.mark().unwrap()), after);
    assert!(after.0.is_of_same_files(before.0));
}

/// A request to kick is there until a broker answers it.
pub fn a_kick_is_asked_for_once_and_answered_once(mut store: impl GateStore + AdminStore) {
    let mut gate = store.reopen().unwrap();
    let session = KickTarget::Session {
        broker: "b1".into(),
        session: SessionNumber(4),
    };
    for target in [KickTarget::ClientId(ClientIdTie::of("c")), session] {
        let start = gate.last_change().unwrap();
        let mut transaction = store.begin(Intent::Write).unwrap();
        let asked = entry(5, "client.kick", "c");
        let id = transaction.request_kick(&target, &asked).unwrap();
        let change = Change::KickRequested(id);
        transaction
            .commit(&[], std::slice::from_ref(&change))
            .unwrap();
        let before = audit(&mut store).len();
        assert_eq!(gate.changes_after(start, 9).unwrap()[0].1, change);
        assert_eq!(gate.kick_request(id).unwrap(), Some(target));
        assert!(!look(&mut store, |transaction| transaction.is_kick_answered(id)));
        let batch = Batch {
            kicked: vec![id],
            ..Batch::default()
        };
        for _ in 0..2 {
            gate.write_batch("b1", &batch).unwrap();
        }
        // Only now it is done.
        let rows = audit(&mut store);
        assert_eq!((rows.len(), rows.last()), (before + 1, Some(&asked)));
        assert!(!commit(&mut store, &[], |transaction| transaction.withdraw_kick(id)));
        assert_eq!(gate.kick_request(id).unwrap(), None);
        assert!(look(&mut store, |transaction| transaction.is_kick_answered(id)));
    }
}

/// Two live brokers never have the same name.
pub fn a_brokers_name_has_one_live_holder(store: impl GateStore + AdminStore) {
    let other = store.reopen().unwrap();
    let claim = store.lock_broker("rack/1").unwrap();
    let error = other.lock_broker("rack/1").err().unwrap();
    assert_eq!(error.kind(), StoreErrorKind::Conflict, "{error}");
    assert!(error.to_string().contains("rack/1"), "{error}");
    let _another = other.lock_broker("rack/2").unwrap();
    drop(claim);
    let _again = other.lock_broker("rack/1").unwrap();
}
