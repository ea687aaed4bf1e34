//! Bans.

use countersign_core::ban::{AutoBan, Ban, BanId, BanTarget};
use countersign_core::change::Change;
use countersign_core::client_id::ClientIdTie;
use countersign_core::name::TenantId;
use countersign_core::network::Network;
use countersign_core::presence::{Presence, PresenceEvent};
use countersign_core::store::rows::BanRows as _;
use countersign_core::store::{
    AdminStore, GateStore, Intent, Page, Settings, StoreErrorKind, all_rows,
};
use countersign_core::time::Timestamp;

use super::batches::{anonymous, observe};
use super::{at, audit, commit, look, tenant, tenant_id};

/// All of a ban is kept, it is found by its number and by its target, and there is one
/// of a target.
pub fn a_ban_reads_back_as_it_was_written(mut store: impl GateStore + AdminStore) {
    commit(&mut store, &[], |transaction| {
        transaction.put_tenant(&tenant("acme"))
    });
    let acme = || Some(tenant_id("acme"));
    let mut written = [
        ban(client_id("pump", None), Some(at(5))),
        ban(client_id("pump", acme()), None),
        ban(network("192.0.2.0/24"), None),
        ban(network("2001:db8::/32"), Some(at(9))),
    ];
    for ban in &mut written {
        ban.id = commit(&mut store, &[], |transaction| transaction.add_ban(ban));
    }
    for ban in &written {
        assert_eq!(store.ban(ban.id).unwrap().as_ref(), Some(ban));
        assert_eq!(store.ban_on(&ban.target).unwrap().as_ref(), Some(ban));
        look(&mut store, |transaction| {
            assert_eq!(transaction.ban(ban.id)?.as_ref(), Some(ban));
            assert_eq!(transaction.ban_on(&ban.target)?.as_ref(), Some(ban));
            Ok(())
        });
        let mut transaction = store.begin(Intent::Write).unwrap();
        let error = transaction.add_ban(ban).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Conflict, "{error}");
    }
    let page = Page {
        after: Some(written[0].id),
        limit: 2,
    };
    let listed = store.bans(&page).unwrap();
    assert_eq!(listed.rows, written[1..3]);
    assert_eq!(listed.next, Some(written[2].id));
    look(&mut store, |transaction| {
        assert_eq!(all_rows(|page| transaction.bans(None, page))?, written);
        let of_acme = all_rows(|page| transaction.bans(acme().as_ref(), page))?;
        assert_eq!(of_acme, written[1..2]);
        assert_eq!(transaction.count_bans(None, 100)?, 4);
        assert_eq!(transaction.count_bans(None, 3)?, 3);
        assert_eq!(transaction.count_bans(acme().as_ref(), 3)?, 1);
        assert_eq!(transaction.ban(BanId(999))?, None);
        assert_eq!(transaction.ban_on(&network("192.0.2.0/25"))?, None);
        let other = Some(tenant_id("other"));
        assert_eq!(transaction.ban_on(&client_id("pump", other))?, None);
        Ok(())
    });
    let mut transaction = store.begin(Intent::Write).unwrap();
    let nobodys = ban(client_id("pump", Some(tenant_id("other"))), None);
    assert!(transaction.add_ban(&nobodys).is_err());
}

/// A ban that was removed, that ended, or whose tenant was deleted is there no more.
pub fn a_ban_goes_with_its_tenant_and_once_it_has_ended(mut store: impl GateStore + AdminStore) {
    commit(&mut store, &[], |transaction| {
        transaction.put_tenant(&tenant("acme"))
    });
    let [of_acme, lasting, first, second] = commit(&mut store, &[], |transaction| {
        Ok([
            transaction.add_ban(&ban(client_id("a", Some(tenant_id("acme"))), None))?,
            transaction.add_ban(&ban(client_id("b", None), None))?,
            transaction.add_ban(&ban(network("192.0.2.1"), Some(at(5))))?,
            transaction.add_ban(&ban(network("192.0.2.2"), Some(at(6))))?,
        ])
    });
    store.maintain(at(5)).unwrap();
    let left = |store: &mut _| {
        look(store, |transaction| {
            let bans = all_rows(|page| transaction.bans(None, page))?;
            Ok(bans.into_iter().map(|ban| ban.id).collect::<Vec<_>>())
        })
    };
    assert_eq!(left(&mut store), [of_acme, lasting, second]);
    assert_ne!(first, second);
    commit(&mut store, &[], |transaction| {
        assert_eq!(transaction.remove_ended_bans(at(6), 10)?, 1);
        assert_eq!(transaction.remove_ended_bans(at(6), 10)?, 0);
        transaction.delete_tenant(&tenant_id("acme"))
    });
    assert_eq!(left(&mut store), [lasting]);
    commit(&mut store, &[], |transaction| {
        assert!(transaction.remove_ban(lasting)?);
        assert!(!transaction.remove_ban(lasting)?);
        Ok(())
    });
    assert_eq!(left(&mut store), []);
    let next = commit(&mut store, &[], |transaction| {
        transaction.add_ban(&ban(network("192.0.2.1"), None))
    });
    assert!(next > second, "a number is never given out again");
}

/// A ban that nobody asked for is an act of its broker's and told to all, changes no
/// ban that counts, and is not made where such bans are off.
pub fn a_ban_that_nobody_asked_for_is_made_once_and_while_it_is_wanted(
    mut store: impl GateStore + AdminStore,
) {
    let auto_ban = AutoBan::parse("3/1m:1h").unwrap();
    let address: Network = "192.0.2.1".parse().unwrap();
    let made_at = |now| {
        auto_ban
            .rule()
            .unwrap()
            .ban(address, "broker:b".into(), now)
    };
    assert!(!store.ban_automatically(&made_at(at(1)), at(1)).unwrap());
    let settings = Settings {
        auto_ban,
        ..store.settings().unwrap()
    };
    commit(&mut store, &[], |transaction| {
        transaction.set_settings(&settings)
    });
    let last = store.last_change().unwrap();
    let first = made_at(at(1));
    let target = BanTarget::Network(address);
    assert!(store.ban_automatically(&first, at(1)).unwrap());
    let found = store.ban_on(&target).unwrap().unwrap();
    assert_eq!(
        Ban {
            id: BanId(0),
            ..found.clone()
        },
        first
    );
    let told = store.changes_after(last, 9).unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].1, Change::Ban(found.id));
    // It changes nothing until it has ended.
    assert!(!store.ban_automatically(&made_at(at(2)), at(2)).unwrap());
    let end = found.until.unwrap();
    assert!(!store.ban_automatically(&first, end).unwrap());
    assert!(store.ban_automatically(&made_at(end), end).unwrap());
    assert_ne!(store.ban_on(&target).unwrap().unwrap().id, found.id);
    let rows = audit(&mut store);
    let rows: Vec<_> = rows.iter().filter(|row| row.act == "ban.add").collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (rows[0].actor.as_str(), rows[0].subject.as_str()),
        ("broker:b", "192.0.2.1")
    );
    let after = rows[0].after.as_deref().unwrap();
    assert!(
        after.contains("automatic: 3 failed logins within 1m"),
        "{after}"
    );
}

/// Somebody is logged in from addresses while a session that proved who it is comes
/// from one of them, at a broker that is alive.
pub fn who_is_logged_in_from_addresses_is_known(mut store: impl GateStore + AdminStore) {
    let proved = |session, address: &str| {
        PresenceEvent::Connected(Presence {
            authenticated: true,
            address: Some(address.into()),
            ..anonymous(session, "c")
        })
    };
    let unproved = Presence {
        address: Some("198.51.100.1".into()),
        ..anonymous(9, "d")
    };
    let alive = store.lock_broker("b").unwrap();
    let observations = vec![
        proved(1, "192.0.2.1"),
        proved(2, "::ffff:192.0.2.2"),
        proved(3, "2001:db8::1"),
        proved(4, "ws"),
        PresenceEvent::Connected(unproved),
    ];
    observe(&mut store, "b", observations);
    let mut is_from = |network: &str| store.has_login_from(network.parse().unwrap()).unwrap();
    for (network, expected) in [
        ("192.0.2.1", true),
        ("192.0.2.2", true),
        ("192.0.2.3", false),
        ("2001:db8::/64", true),
        ("2001:db8:0:1::/64", false),
        ("198.51.100.1", false),
    ] {
        assert_eq!(is_from(network), expected, "{network}");
    }
    drop(alive);
    assert!(!is_from("192.0.2.1"), "its broker is gone");
}

fn network(text: &str) -> BanTarget {
    BanTarget::Network(text.parse().unwrap())
}

fn client_id(text: &str, tenant: Option<TenantId>) -> BanTarget {
    BanTarget::ClientId(ClientIdTie::of(text), tenant)
}

fn ban(target: BanTarget, until: Option<Timestamp>) -> Ban {
    Ban {
        id: BanId(0),
        target,
        shown: "shown".into(),
        until,
        reason: until.map(|_| "noisy".into()),
        created_by: "cli:root".into(),
        created_at: at(1),
    }
}
