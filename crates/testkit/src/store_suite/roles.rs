//! Roles and who holds them.

use countersign_core::credential::Credential;
use countersign_core::ledger::LedgerTransaction as _;
use countersign_core::limit::UseLimits;
use countersign_core::name::{GroupPath, TenantId};
use countersign_core::role::{Role, RoleName, RoleRule};
use countersign_core::rule::{Action, Effect, Limits, Pattern, QoS, Rule};
use countersign_core::store::rows::TenantRows as _;
use countersign_core::store::rows::{CredentialRows as _, RoleRows as _};
use countersign_core::store::{AdminStore, GateStore, Intent, all_rows};

use super::{add, at, commit, credential, found, look, tenant, tenant_id};

/// All of a role is kept, its rules in their order.
pub fn a_role_reads_back_as_it_was_written(mut store: impl GateStore + AdminStore) {
    let free = |rule| RoleRule { rule, group: None };
    let limited = |max_qos, no_retain| {
        let limits = Limits { max_qos, no_retain };
        free(Rule::new(Effect::Allow, Action::Publish, pattern("z"), limits).unwrap())
    };
    let bound = RoleRule {
        group: Some(GroupPath::parse("DM.X").unwrap()),
        ..free(Rule::deny(Action::Subscribe, pattern("acme/${group}/#")))
    };
    let first = Role {
        description: Some("reads".into()),
        no_wildcards: true,
        limits: UseLimits::parse("connections=2 payload=9").unwrap(),
        created_at: at(7),
        rules: vec![
            limited(Some(QoS::AtLeastOnce), false),
            bound,
            limited(None, true),
            limited(Some(QoS::AtMostOnce), true),
            limited(Some(QoS::AtLeastOnce), false),
            free(literal("acme/#")),
        ],
        ..role("acme", "reader")
    };
    let second = Role {
        no_wildcards: false,
        rules: vec![free(Rule::allow(Action::Both, pattern("a")))],
        ..role("acme", "reader")
    };
    make_roles(&mut store, "acme", &["a", "reader"]);
    make_roles(&mut store, "a", &["z"]);
    let holder = Credential {
        roles: vec![role_name("reader")],
        ..credential("dev1@acme")
    };
    let (id, _) = add(&mut store, &holder, 1);
    for written in [first, second] {
        let acme = &written.tenant;
        commit(&mut store, &[], |transaction| {
            transaction.put_role(&written)
        });
        let read = look(&mut store, |transaction| {
            transaction.role(acme, &written.name)
        });
        assert_eq!(read.as_ref(), Some(&written));
        let held = found(&mut store, "dev1@acme").roles.clone();
        assert_eq!(held, std::slice::from_ref(&written.name));
        let named = store.role_named(acme, &written.name).unwrap();
        assert_eq!(named.as_ref(), Some(&written));
        let of_another = store.role_named(&tenant_id("a"), &written.name);
        assert_eq!(of_another.unwrap(), None);
        let listed = look(&mut store, |transaction| {
            all_rows(|page| transaction.roles(Some(acme), page))
        });
        assert_eq!(listed, [role("acme", "a"), written.clone()]);
        let listed = look(&mut store, |transaction| {
            all_rows(|page| transaction.roles(None, page))
        });
        assert_eq!(listed, [role("a", "z"), role("acme", "a"), written.clone()]);
        let holders = look(&mut store, |transaction| {
            transaction.holders_of_role(acme, &written.name)
        });
        assert_eq!(holders, [id]);
    }
}

/// Neither a deleted role nor a later one of its name is anybody's by accident.
pub fn a_deleted_role_is_taken_from_its_holders(mut store: impl GateStore + AdminStore) {
    let meter = role_name("meter");
    for (secret, tenant) in (1..).zip(["acme", "other"]) {
        make_roles(&mut store, tenant, &["meter", "reader"]);
        let holder = Credential {
            roles: vec![role_name("meter"), role_name("reader")],
            ..credential(&format!("dev1@{tenant}"))
        };
        add(&mut store, &holder, secret);
    }
    let acme = tenant_id("acme");
    commit(&mut store, &[], |transaction| {
        transaction.delete_role(&acme, &meter)
    });
    make_roles(&mut store, "acme", &["meter"]);
    let credential = found(&mut store, "dev1@acme");
    assert_eq!(credential.roles, [role_name("reader")]);
    assert_eq!(
        store.role_named(&acme, &role_name("reader")).unwrap(),
        Some(role("acme", "reader"))
    );
    assert_eq!(found(&mut store, "dev1@other").roles.len(), 2);
    let holders = look(&mut store, |transaction| {
        transaction.holders_of_role(&acme, &meter)
    });
    assert!(holders.is_empty());
    let mut given = tenant("acme");
    given.default_roles = vec![role_name("reader")];
    given.anonymous_roles = vec![role_name("meter"), role_name("reader")];
    commit(&mut store, &[], |transaction| {
        transaction.put_tenant(&given)
    });
    commit(&mut store, &[], |transaction| {
        transaction.delete_role(&acme, &meter)
    });
    let left = store.tenant(&acme).unwrap().unwrap();
    assert_eq!(left.default_roles, [role_name("reader")]);
    assert_eq!(left.anonymous_roles, [role_name("reader")]);
    let mut transaction = store.begin(Intent::Write).unwrap();
    let unknown = role_name("unknown");
    assert!(transaction.delete_role(&acme, &unknown).is_err());
}

/// A group is there where it holds a role or has a member, in the tenant where it has it,
/// and is found by how its path begins.
pub fn groups_of_a_tenant_are_those_that_hold_a_role_or_have_a_member(
    mut store: impl GateStore + AdminStore,
) {
    let (acme, other) = (tenant_id("acme"), tenant_id("other"));
    for tenant in ["acme", "other"] {
        make_roles(&mut store, tenant, &["meter", "reader"]);
    }
    let group = |text: &str| GroupPath::parse(text).unwrap();
    for (secret, name, groups) in [
        (1, "dev1@acme", &["DM.X", "Z"] as &[_]),
        (2, "dev2@acme", &["DM.X"]),
        (3, "dev1@other", &["DM.W", "DM.X"]),
    ] {
        let mut member = credential(name);
        member.groups = groups.iter().map(|path| group(path)).collect();
        add(&mut store, &member, secret);
    }
    for (tenant, role, path) in [
        (&acme, "meter", "DM"),
        (&acme, "reader", "DM"),
        (&acme, "reader", "DM.X"),
        (&other, "meter", "DM-1"),
    ] {
        commit(&mut store, &[], |transaction| {
            transaction.assign_role(tenant, &role_name(role), &group(path))
        });
    }
    for (tenant, begin, most, expected) in [
        (&acme, "", 9, &["DM", "DM.X", "Z"] as &[_]),
        (&acme, "", 2, &["DM", "DM.X"]),
        (&acme, "", 0, &[]),
        (&acme, "D", 9, &["DM", "DM.X"]),
        (&acme, "DM.", 9, &["DM.X"]),
        (&acme, "DM.X", 9, &["DM.X"]),
        (&acme, "dm", 9, &[]),
        (&acme, "%", 9, &[]),
        (&acme, "Za", 9, &[]),
        (&other, "", 9, &["DM-1", "DM.W", "DM.X"]),
        (&other, "", 1, &["DM-1"]),
        (&tenant_id("none"), "", 9, &[]),
    ] {
        let found = look(&mut store, |transaction| {
            transaction.groups(tenant, begin, most)
        });
        let found: Vec<_> = found.iter().map(GroupPath::as_str).collect();
        assert_eq!(found, expected, "{tenant} {begin} {most}");
    }
}

/// A group holds a role until it is taken from the group, or goes.
pub fn a_group_holds_its_own_roles_and_no_others(mut store: impl GateStore + AdminStore) {
    let (acme, other) = (tenant_id("acme"), tenant_id("other"));
    for tenant in ["acme", "other"] {
        make_roles(&mut store, tenant, &["meter", "reader"]);
    }
    let (meter, reader) = (role_name("meter"), role_name("reader"));
    let group = |text: &str| GroupPath::parse(text).unwrap();
    let mut assign = |tenant: &TenantId, role: &RoleName, path: &str| {
        commit(&mut store, &[], |transaction| {
            transaction.assign_role(tenant, role, &group(path))
        })
    };
    assert!(assign(&acme, &reader, "DM.X"));
    assert!(assign(&acme, &meter, "DM.X"));
    assert!(assign(&acme, &meter, "DM"));
    assert!(!assign(&acme, &meter, "DM"));
    assert!(assign(&other, &meter, "DM"));
    for (tenant, path, held) in [
        (&acme, "DM.X", vec![meter.clone(), reader.clone()]),
        (&acme, "DM", vec![meter.clone()]),
        (&acme, "DMX", vec![]),
        (&acme, "DM.X.Y", vec![]),
        (&other, "DM", vec![meter.clone()]),
        (&other, "DM.X", vec![]),
    ] {
        let found = store.roles_of_group(tenant, &group(path)).unwrap();
        assert_eq!(found, held, "{tenant} {path}");
        let found = look(&mut store, |transaction| {
            transaction.roles_of_group(tenant, &group(path))
        });
        assert_eq!(found, held, "{tenant} {path}");
    }
    let holding = |store: &mut _, tenant: &TenantId| {
        look(store, |transaction| {
            transaction.groups_of_role(tenant, &meter)
        })
    };
    assert_eq!(holding(&mut store, &acme), [group("DM"), group("DM.X")]);
    assert!(
        look(&mut store, |transaction| transaction
            .holders_of_role(&acme, &meter))
        .is_empty()
    );
    let mut unassign = |path: &str| {
        commit(&mut store, &[], |transaction| {
            transaction.unassign_role(&acme, &meter, &group(path))
        })
    };
    assert!(unassign("DM"));
    assert!(!unassign("DM") && !unassign("DM.Y"));
    assert_eq!(holding(&mut store, &acme), [group("DM.X")]);
    // Its rules may be changed; it stays with its groups.
    commit(&mut store, &[], |transaction| {
        transaction.put_role(&role("acme", "meter"))
    });
    assert_eq!(holding(&mut store, &acme), [group("DM.X")]);
    commit(&mut store, &[], |transaction| {
        transaction.delete_role(&acme, &meter)
    });
    make_roles(&mut store, "acme", &["meter"]);
    assert!(holding(&mut store, &acme).is_empty());
    let left = store.roles_of_group(&acme, &group("DM.X")).unwrap();
    assert_eq!(left, [reader]);
    commit(&mut store, &[], |transaction| {
        transaction.delete_tenant(&other)
    });
    make_roles(&mut store, "other", &["meter"]);
    assert!(holding(&mut store, &other).is_empty());
    let mut transaction = store.begin(Intent::Write).unwrap();
    let unknown = role_name("unknown");
    assert!(
        transaction
            .assign_role(&acme, &unknown, &group("DM"))
            .is_err()
    );
}

/// A role that does not exist has no holders.
pub fn a_role_is_held_only_where_it_exists(mut store: impl GateStore + AdminStore) {
    make_roles(&mut store, "other", &["meter"]);
    add(&mut store, &credential("dev1@acme"), 1);
    let holder = Credential {
        roles: vec![role_name("meter")],
        ..found(&mut store, "dev1@acme")
    };
    let mut transaction = store.begin(Intent::Write).unwrap();
    assert!(transaction.update_credential(&holder).is_err());
    drop(transaction);
    let mut given = tenant("acme");
    given.default_roles = vec![role_name("meter")];
    let mut transaction = store.begin(Intent::Write).unwrap();
    assert!(transaction.put_tenant(&given).is_err());
    drop(transaction);
    let operator = Credential {
        roles: holder.roles,
        ..credential("root")
    };
    let mut transaction = store.begin(Intent::Write).unwrap();
    assert!(transaction.add_credential(&operator).is_err());
}

pub(crate) fn role_name(text: &str) -> RoleName {
    RoleName::parse(text).unwrap()
}

pub(crate) fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).unwrap()
}

/// A rule for subscribing to this very filter.
fn literal(filter: &str) -> Rule {
    let rule = Rule::allow(Action::Subscribe, pattern(filter));
    rule.into_literal().unwrap()
}

/// Commits roles without rules, into a tenant that is made for them.
pub(crate) fn make_roles<S: AdminStore>(store: &mut S, of: &str, names: &[&str]) {
    commit(store, &[], |transaction| {
        if transaction.tenant(&tenant_id(of))?.is_none() {
            transaction.put_tenant(&tenant(of))?;
        }
        names
            .iter()
            .try_for_each(|name| transaction.put_role(&role(of, name)))
    });
}

pub(crate) fn role(tenant: &str, name: &str) -> Role {
    Role {
        tenant: tenant_id(tenant),
        name: role_name(name),
        description: None,
        no_wildcards: false,
        limits: UseLimits::default(),
        created_at: at(1),
        rules: Vec::new(),
    }
}
