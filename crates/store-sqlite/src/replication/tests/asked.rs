//! Clients that register themselves at a replica: the centre is asked, and makes them.

use countersign_core::hand_back::MOST_ASKED;
use countersign_core::kind::Kind;
use countersign_core::ledger::Ledger as _;
use countersign_core::name::LoginName;
use countersign_core::registrar::{Registrar, new_device};
use countersign_core::store::{Directory as _, Registered};
use countersign_core::thing::of_application;

use super::*;

/// An application and an authority that register what is called so, in `acme`.
const REGISTERING: &str =
    "INSERT INTO credential (id, name, kind, scheme, tenant, state, generation, client_id_rule,
         ever_used, external_identity, created_at, updated_at, auto_register)
     VALUES (70, 'application:pumps@acme', 'application', 'application', 'acme', 'Active', 1,
         'any', 0, 0, 1, 1, 1);
     INSERT INTO secret (credential, digest) VALUES (70, randomblob(32));
     INSERT INTO auto_registration VALUES (70, 3, 'pump-*', 0, 0, 0);
     DELETE FROM device_registration;
     INSERT INTO device_registration VALUES
         (1, (SELECT min(id) FROM certificate_authority WHERE tenant = 'acme'), NULL, 'acme',
          (SELECT min(name) FROM role WHERE tenant = 'acme'), 2, 0, 0, 0)";

fn name(text: &str) -> LoginName {
    LoginName::parse(text).unwrap()
}

impl Pair {
    /// A thing presents its application's token at the broker of the replica.
    fn registers(&mut self, key: &str, second: i64) -> Registered {
        let now = Timestamp::from_millis(second.saturating_mul(1_000));
        let application = name("application:pumps@acme");
        let application = self.replica.credential(&application).unwrap().unwrap();
        let thing = of_application(&application, &name(key), now).unwrap();
        self.replica.register_thing(&thing, "b", now).unwrap()
    }

    /// What a replica counts in a second stays until there is something else to tell of it.
    fn assert_is_equal_but_for_counts(&mut self) {
        self.act(
            "UPDATE auto_registration SET max = max; UPDATE device_registration SET max = max",
        );
        self.follow();
        self.assert_equal();
    }

    fn knows(&mut self, key: &str) -> bool {
        let found = self.replica.credential(&name(key)).unwrap();
        found.is_some_and(|it| matches!(it.kind, Kind::Thing(_) | Kind::Device))
    }
}

#[test]
fn who_registers_at_a_replica_is_made_at_the_centre_and_is_here_then() {
    for tenants in [None, Some(&["acme"][..])] {
        let mut pair = Pair::of(tenants);
        pair.act(REGISTERING);
        pair.follow();
        pair.assert_equal();
        for _ in 0..3 {
            assert_eq!(pair.registers("pump-a", 1), Registered::Asked);
            assert!(!pair.knows("pump-a"));
        }
        let authority = column(
            &pair.replica,
            "SELECT CAST(authority AS TEXT) || ' ' || role FROM device_registration",
        );
        let (authority, role) = authority[0].split_once(' ').unwrap();
        let registrar = countersign_core::certificate::AuthorityId(authority.parse().unwrap());
        let (tenant, now) = (TenantId::parse("acme").unwrap(), Timestamp::from_millis(1));
        let role = countersign_core::role::RoleName::parse(role).unwrap();
        let device = new_device(name("new@acme"), &tenant, &role, now);
        let registrar = Registrar::Authority(registrar);
        let asked = pair.replica.register_device(registrar, &device, "b", now);
        assert_eq!(asked.unwrap(), Registered::Asked);
        assert_eq!(pair.hand_back(), 2, "each is asked for once");
        assert_eq!(pair.registers("pump-a", 1), Registered::Asked);
        pair.follow();
        pair.assert_is_equal_but_for_counts();
        assert!(pair.knows("pump-a") && pair.knows("new@acme"));
        assert!(pair.waiting().is_empty());
        let made = column(
            &pair.centre,
            "SELECT act || ' ' || subject FROM audit WHERE actor = 'broker:edge' ORDER BY id",
        );
        assert_eq!(made, ["thing.create pump-a", "credential.create new@acme"]);
        let here = column(&pair.replica, "SELECT act FROM audit");
        assert!(here.is_empty(), "a replica makes nobody: {here:?}");
    }
}

/// What the centre refuses is asked again only after a while, and what is known to be
/// refused not at all.
#[test]
fn what_is_refused_is_asked_once_in_a_while_and_what_is_full_never() {
    let mut pair = Pair::of(Some(&["acme"]));
    pair.act(REGISTERING);
    // Somebody whom this follower is not told of.
    pair.act(
        "INSERT INTO credential (id, name, kind, scheme, state, generation, client_id_rule,
             ever_used, external_identity, created_at, updated_at)
         VALUES (71, 'pump-0', 'operator', 'basic', 'Active', 1, 'any', 0, 0, 1, 1)",
    );
    pair.follow();
    assert_eq!(pair.registers("pump-0", 0), Registered::Asked);
    assert_eq!(pair.hand_back(), 1);
    for second in [1, 9] {
        assert_eq!(pair.registers("pump-0", second), Registered::Asked);
        assert_eq!(pair.hand_back(), 0);
    }
    assert_eq!(pair.registers("pump-0", 11), Registered::Asked);
    assert_eq!(pair.hand_back(), 1);
    // As many as the application makes.
    for key in ["pump-a", "pump-b", "pump-c"] {
        assert_eq!(pair.registers(key, 12), Registered::Asked);
    }
    assert_eq!(pair.hand_back(), 3);
    pair.follow();
    assert_eq!(pair.registers("pump-4", 12), Registered::Full);
    assert_eq!(pair.hand_back(), 0);
    pair.act("UPDATE auto_registration SET max = 4 WHERE application = 70");
    pair.follow();
    pair.assert_equal();
    assert_eq!(pair.registers("pump-4", 13), Registered::Asked);
}

/// However many names somebody with the token makes up while the centre is away.
#[test]
fn whom_the_centre_is_asked_for_has_a_bound() {
    let mut pair = Pair::of(None);
    pair.act(REGISTERING);
    pair.follow();
    for number in 0..10 {
        let asked = pair.registers(&format!("pump-{number}"), 1);
        assert_eq!(asked, Registered::Asked);
    }
    assert_eq!(pair.registers("pump-10", 1), Registered::TooFast);
    pair.replica
        .connection
        .execute_batch(
            "WITH RECURSIVE n (i) AS (SELECT 20 UNION ALL SELECT i + 1 FROM n WHERE i < 1009)
             INSERT INTO hand_back (seq, kind, number, name, at)
             SELECT i, 'register-by-application', 70, 'pump-' || i, 1 FROM n",
        )
        .unwrap();
    assert_eq!(pair.waiting().len(), usize::try_from(MOST_ASKED).unwrap());
    assert_eq!(pair.registers("pump-x", 2), Registered::TooFast);
    assert_eq!(pair.registers("pump-30", 2), Registered::Asked);
    assert_eq!(pair.waiting().len(), usize::try_from(MOST_ASKED).unwrap());
}
