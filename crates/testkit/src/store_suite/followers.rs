//! Followers of a centre.

use countersign_core::follower::{Follower, FollowerName, FollowerProgress, MachineKey};
use countersign_core::hand_back::HandBackPlace;
use countersign_core::ledger::Ledger;
use countersign_core::secret::{Secret, SecretDigest};
use countersign_core::store::rows::FollowerRows as _;
use countersign_core::store::{AdminStore, GateStore, Intent, all_rows};

use super::{at, audit, commit, look, tenant, tenant_id};

/// The first key that a machine shows with a secret counts, until there is another secret;
/// the old one pins none then.
/// What a replica has by then is told anew.
pub fn the_first_machine_of_a_secret_is_the_one(mut store: impl GateStore + AdminStore) {
    let [key, other] = [[1; 32], [2; 32]].map(MachineKey::from_bytes);
    commit(&mut store, &[], |transaction| {
        transaction.put_follower(&follower("a"))
    });
    let [old, new] = ["a", "b"].map(|secret| follower(secret).digest);
    let pin = |store: &mut _, secret, key, is_begun| {
        Ledger::pin_machine(store, secret, &key, is_begun, at(1)).unwrap()
    };
    for _ in 0..2 {
        assert!(pin(&mut store, &old, key, false));
        assert!(!pin(&mut store, &old, other, true));
    }
    let written = audit(&mut store);
    let pins = written.iter().filter(|it| it.act == "follower.pin-machine");
    assert_eq!(pins.count(), 1);
    let era = commit(&mut store, &[], |transaction| {
        let pinned = transaction.follower(&name("a"))?.unwrap();
        assert_eq!((pinned.machine, pinned.era), (Some(key), follower("a").era));
        transaction.put_follower(&Follower {
            digest: new.clone(),
            machine: None,
            ..pinned.clone()
        })?;
        Ok(pinned.era)
    });
    assert!(!pin(&mut store, &old, key, true));
    assert!(pin(&mut store, &new, other, true));
    look(&mut store, |transaction| {
        let found = transaction.follower(&name("a"))?.unwrap();
        assert_eq!((found.machine, found.era), (Some(other), era + 1));
        Ok(())
    });
}

/// All of a follower is kept and written over, but for how far it has followed; it is
/// listed by name, and is not told of all once its tenants are gone.
pub fn a_follower_reads_back_as_it_was_written_and_loses_its_tenants(
    mut store: impl GateStore + AdminStore,
) {
    let of_nobody = Follower {
        tenants: Some(vec![tenant_id("none")]),
        ..follower("lost")
    };
    let mut transaction = store.begin(Intent::Write).unwrap();
    assert!(transaction.put_follower(&of_nobody).is_err());
    drop(transaction);
    let of_acme = Follower {
        tenants: Some(vec![tenant_id("acme")]),
        era: 2,
        rotated_at: at(3),
        ..follower("b")
    };
    let progress = FollowerProgress {
        position: None,
        at: at(9),
        schema: Some(7),
        waiting: Some(3),
    };
    commit(&mut store, &[], |transaction| {
        transaction.put_tenant(&tenant("acme"))?;
        transaction.put_follower(&follower("b"))?;
        transaction.put_follower(&follower("a"))?;
        transaction.note_follower(&name("b"), progress)?;
        transaction.note_follower(&name("nobody"), progress)?;
        transaction.note_refused(&name("b"), 2)?;
        transaction.note_refused(&name("b"), 3)?;
        transaction.note_refused(&name("nobody"), 1)?;
        transaction.put_follower(&of_acme)
    });
    let noted = Follower {
        progress: Some(progress),
        refused: 5,
        ..of_acme
    };
    look(&mut store, |transaction| {
        assert_eq!(transaction.follower(&name("b"))?, Some(noted.clone()));
        assert_eq!(transaction.follower(&name("c"))?, None);
        let listed = all_rows(|page| transaction.followers(page))?;
        assert_eq!(listed, [follower("a"), noted]);
        Ok(())
    });
    commit(&mut store, &[], |transaction| {
        transaction.delete_tenant(&tenant_id("acme"))
    });
    commit(&mut store, &[], |transaction| {
        let left = transaction.follower(&name("b"))?;
        // What it was told of the tenant goes with the era.
        let left = left.map(|it| (it.tenants, it.era));
        assert_eq!(left, Some((Some(Vec::new()), 3)));
        assert!(transaction.remove_follower(&name("a"))?);
        assert!(!transaction.remove_follower(&name("a"))?);
        Ok(())
    });
}

/// Whoever shows a follower's secret is that follower, and a new secret begins anew with
/// what is handed back.
pub fn a_follower_is_found_by_its_secret_and_it_is_known_what_it_handed_back(
    mut store: impl GateStore + AdminStore,
) {
    let place = HandBackPlace {
        stamp: -3,
        seq: 7,
        audit: 9,
    };
    let renewed = Follower {
        digest: SecretDigest::of(&Secret::new(b"new".to_vec())),
        ..follower("a")
    };
    commit(&mut store, &[], |transaction| {
        transaction.put_follower(&follower("a"))?;
        let found = transaction.follower_by_digest(&follower("a").digest)?;
        assert_eq!(found.map(|it| it.name), Some(name("a")));
        assert_eq!(transaction.follower_by_digest(&follower("b").digest)?, None);
        assert_eq!(transaction.handed_back(&name("a"))?, None);
        transaction.put_handed_back(&name("b"), place)?;
        assert_eq!(transaction.handed_back(&name("b"))?, None);
        transaction.put_handed_back(&name("a"), place)?;
        transaction.put_follower(&Follower {
            era: 2,
            ..follower("a")
        })?;
        assert_eq!(transaction.handed_back(&name("a"))?, Some(place));
        transaction.put_follower(&renewed)?;
        assert_eq!(transaction.handed_back(&name("a"))?, None);
        let found = transaction.follower_by_digest(&renewed.digest)?;
        assert_eq!(found.map(|it| it.name), Some(name("a")));
        assert_eq!(transaction.follower_by_digest(&follower("a").digest)?, None);
        transaction.put_handed_back(&name("a"), place)?;
        assert!(transaction.remove_follower(&name("a"))?);
        transaction.put_follower(&follower("a"))?;
        assert_eq!(transaction.handed_back(&name("a"))?, None);
        Ok(())
    });
}

pub(super) fn name(text: &str) -> FollowerName {
    FollowerName::parse(text).unwrap()
}

pub(super) fn follower(text: &str) -> Follower {
    Follower {
        name: name(text),
        tenants: None,
        digest: SecretDigest::of(&Secret::new(text.into())),
        era: 1,
        created_at: at(1),
        rotated_at: at(2),
        progress: None,
        lag: None,
        refused: 0,
        machine: None,
    }
}
